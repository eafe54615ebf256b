/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells: good ones, bad ones, at any time. PCIe Transport 1.1, 3.1.2.
 */
#include "th.h"

static void tweak_limits(struct envme_ctrl_params *p)
{
    p->mqes = 1023;
    p->max_ioqpairs = 8;
    p->nvectors = 4;
}

static void expect_bad_doorbell(struct th *h, uint16_t aer, uint8_t info)
{
    struct envme_cqe cqe = th_wait(h, 0, aer);
    uint32_t dw0 = le32_get(cqe.dw0);
    struct envme_log_error *log = g_malloc0(64 * 16);

    th_assert_sc(cqe, SUCCESS);
    g_assert_cmpuint(FIELD_GET(ENVME_AER_TYPE, dw0), ==, ENVME_AEN_TYPE_ERROR);
    g_assert_cmpuint(FIELD_GET(ENVME_AER_INFO, dw0), ==, info);
    g_assert_cmpuint(FIELD_GET(ENVME_AER_LID, dw0), ==, ENVME_LID_ERROR);
    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, log, 64 * 16,
                            false), SUCCESS);
    g_assert_cmpuint(le64_get(*(le64_t *)log), >, 0);
    g_free(log);
}

static void test_bad_doorbells(void)
{
    struct th *h = th_new(.tweak = tweak_limits);
    uint16_t aer;

    th_enable(h);
    th_queues(h, 1, 16);
    /* a value beyond the queue */
    aer = th_aer(h);
    th_db(h, false, 1, 16);
    expect_bad_doorbell(h, aer, ENVME_AEN_ERROR_DB_VALUE);
    aer = th_aer(h);
    th_db(h, true, 1, 16);
    expect_bad_doorbell(h, aer, ENVME_AEN_ERROR_DB_VALUE);
    aer = th_aer(h);
    th_db(h, false, 0, 0xffff);
    expect_bad_doorbell(h, aer, ENVME_AEN_ERROR_DB_VALUE);
    /* a head that was never posted */
    aer = th_aer(h);
    th_db(h, true, 1, 5);
    expect_bad_doorbell(h, aer, ENVME_AEN_ERROR_DB_VALUE);
    /* queues that don't exist, did once, cannot */
    aer = th_aer(h);
    th_db(h, false, 2, 1);
    expect_bad_doorbell(h, aer, ENVME_AEN_ERROR_DB_REG);
    th_create_cq(h, .qid = 3, .size = 4);
    th_delete_cq(h, 3);
    aer = th_aer(h);
    th_db(h, true, 3, 1);
    expect_bad_doorbell(h, aer, ENVME_AEN_ERROR_DB_REG);
    aer = th_aer(h);
    th_db(h, false, 8, 1);
    expect_bad_doorbell(h, aer, ENVME_AEN_ERROR_DB_REG);
    /* all of it did no harm */
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    th_free(h);
}

/* regressions 7.5, bhyve: before RDY; after a reset; any offset, any size */
static void test_doorbells_any_time(void)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };
    struct th *h = th_new(.tweak = tweak_limits, .lanes = 2, .seed = 5);
    uint64_t off;
    unsigned i, round;

    for (round = 0; round < 3; round++) {
        for (off = 0; off < 0x200; off++) {
            for (i = 0; i < 4; i++) {
                envme_ctrl_doorbell(h->ctrl, off, off * 3, sizes[i]);
            }
        }
        envme_ctrl_doorbell(h->ctrl, UINT64_MAX - 3, 1, 4);
        envme_ctrl_doorbell(h->ctrl, 0xffffffff0ull, 1, 4);
        th_run(h);
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
        th_enable(h);
        th_queues(h, 2, 16);
        th_assert_sc(th_read(h, .qid = 2), SUCCESS);
        th_disable(h);
    }
    th_free(h);
}

/* The same value again, and a wrap at each place of the ring */
static void test_wraps(void)
{
    struct th *h = th_new();
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
    uint32_t size, burst, n, done;

    th_enable(h);
    for (size = 2; size < 12; size++) {
        th_create_cq(h, .qid = 1, .size = size);
        th_create_sq(h, .qid = 1, .size = size);
        for (burst = 1; burst < size; burst++) {
            for (n = done = 0; n < 3 * size; n++) {
                for (uint32_t i = 0; i < burst; i++) {
                    th_abandon(h, 1, th_put(h, 1, &s));
                }
                th_ring(h, 1);
                th_ring(h, 1);
                th_run(h);
                th_ring(h, 1);
                done += th_reap(h, 1);
                th_db(h, true, 1, h->cq[1]->head);
                th_run(h);
            }
            g_assert_cmpuint(done, ==, 3 * size * burst);
        }
        g_assert_cmpuint(th_cq_slots_free(h, 1), ==, size - 1);
        th_delete_sq(h, 1);
        th_delete_cq(h, 1);
    }
    th_free(h);
}

/* regressions 7.2 (10.0.13): AERs outstanding while an SQ is deleted */
static void test_delete_with_aers(void)
{
    struct th *h = th_new();
    uint16_t aer[3];
    unsigned i;

    th_enable(h);
    for (i = 0; i < 3; i++) {
        aer[i] = th_aer(h);
    }
    for (i = 0; i < 20; i++) {
        th_queues(h, 2, 16);
        th_assert_code(th_delete_sq(h, 2), SUCCESS);
        th_assert_code(th_delete_sq(h, 1), SUCCESS);
        th_assert_code(th_delete_cq(h, 1), SUCCESS);
        th_assert_code(th_delete_cq(h, 2), SUCCESS);
    }
    th_db(h, false, 1, 1);
    expect_bad_doorbell(h, aer[0], ENVME_AEN_ERROR_DB_REG);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/doorbells/bad-doorbells", test_bad_doorbells);
    g_test_add_func("/doorbells/regression-7.5-doorbells-any-time",
                    test_doorbells_any_time);
    g_test_add_func("/doorbells/wraps", test_wraps);
    g_test_add_func("/doorbells/regression-10.0.13-delete-with-aers",
                    test_delete_with_aers);
    return g_test_run();
}
