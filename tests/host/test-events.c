/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asynchronous events, and namespaces that come, go and change under I/O.
 * Base 2.1, 5.1.2, 8.1.15.
 */
#include "th.h"

#include "envme/id-ns.h"

static uint32_t aer_dw0(struct th *h, uint16_t cid)
{
    struct envme_cqe c = th_wait(h, 0, cid);

    th_assert_sc(c, SUCCESS);
    return le32_get(c.dw0);
}

static void want(struct th *h, uint32_t bits)
{
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, bits, false), SUCCESS);
}

static void read_error_log(struct th *h, bool rae)
{
    uint8_t buf[64];

    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, buf, 64, rae),
                 SUCCESS);
}

static void test_limit(void)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_AER, 0);
    struct th *h = th_new();
    uint16_t cid[4], extra;
    unsigned i;

    th_enable(h);
    for (i = 0; i < 4; i++) {
        cid[i] = th_aer(h);
    }
    extra = th_submit(h, 0, &s);
    th_assert_sc(th_wait(h, 0, extra), AER_LIMIT);
    th_reap(h, 0);
    for (i = 0; i < 4; i++) {
        g_assert_false(th_done(h, 0, cid[i], NULL));
    }
    th_run(h);
    g_assert_cmpuint(th_cq_slots_free(h, 0), ==, 63);
    /* one ends: there is room for another */
    th_db(h, false, 40, 1);
    aer_dw0(h, cid[0]);
    th_aer(h);
    extra = th_submit(h, 0, &s);
    th_assert_sc(th_wait(h, 0, extra), AER_LIMIT);
    th_free(h);
}

/* One type is told once, until its log page is read without RAE. */
static void test_masked_until_read(void)
{
    struct th *h = th_new();
    uint16_t a, b;

    th_enable(h);
    a = th_aer(h);
    b = th_aer(h);
    th_db(h, false, 40, 1);
    g_assert_cmphex(aer_dw0(h, a), ==, ENVME_LID_ERROR << 16 |
                    ENVME_AEN_ERROR_DB_REG << 8 | ENVME_AEN_TYPE_ERROR);
    th_db(h, false, 0, 0x7777);
    th_run(h);
    th_reap(h, 0);
    g_assert_false(th_done(h, 0, b, NULL));
    read_error_log(h, true);
    g_assert_false(th_done(h, 0, b, NULL));
    read_error_log(h, false);
    th_run(h);
    g_assert_cmphex(aer_dw0(h, b), ==, ENVME_LID_ERROR << 16 |
                    ENVME_AEN_ERROR_DB_VALUE << 8 | ENVME_AEN_TYPE_ERROR);
    th_free(h);
}

/* An event without an AER waits for one. */
static void test_waits(void)
{
    struct th *h = th_new();

    th_enable(h);
    th_db(h, false, 40, 1);
    th_run(h);
    g_assert_cmphex(aer_dw0(h, th_aer(h)) & 7, ==, ENVME_AEN_TYPE_ERROR);
    th_free(h);
}

/* EXAMPLES: not failed on reset, just forgotten; nor are events kept */
static void test_reset(void)
{
    struct th *h = th_new();
    uint16_t a;
    unsigned i, n;

    for (n = 0; n < 20; n++) {
        th_enable(h);
        for (i = 0; i < n % 5; i++) {
            th_aer(h);
        }
        if (n % 3 == 0) {
            th_db(h, false, 40, 1);
        }
        if (n & 1) {
            th_run(h);
        }
        if (n & 2) {
            th_disable(h);
        } else {
            th_reset(h, ENVME_RESET_FUNCTION);
        }
    }
    th_enable(h);
    a = th_aer(h);
    th_run(h);
    th_reap(h, 0);
    g_assert_false(th_done(h, 0, a, NULL));
    th_free(h);
}

/* Many bad doorbells: bounded, and the host is not flooded */
static void test_flood(void)
{
    struct th *h = th_new();
    unsigned i, n = 0;
    uint16_t a;

    th_enable(h);
    a = th_aer(h);
    for (i = 0; i < 10000; i++) {
        th_db(h, i & 1, 1 + i % 60, i);
        if (i % 100 == 0) {
            th_run(h);
        }
    }
    aer_dw0(h, a);
    for (i = 0; i < 200; i++) {
        read_error_log(h, false);
        a = th_aer(h);
        th_run(h);
        th_reap(h, 0);
        if (!th_done(h, 0, a, NULL)) {
            break;
        }
        n++;
    }
    g_assert_cmpuint(n, <=, 64);
    th_free(h);
}

/* ---- namespaces -------------------------------------------------------- */

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void attach(struct th *h, unsigned i, bool on)
{
    bool done = false;

    envme_subsys_attach(h->subsys, h->ns[i], h->ctrl->cntlid, on, set_flag,
                        &done);
    th_run(h);
    g_assert_true(done);
}

static unsigned changed(struct th *h, uint32_t *list)
{
    le32_t raw[1024];
    unsigned i;

    memset(raw, 0xee, sizeof(raw));
    th_assert_sc(th_get_log(h, ENVME_LID_CHANGED_NS, UINT32_MAX, 0, raw, 4096,
                            false), SUCCESS);
    for (i = 0; i < 1024 && le32_get(raw[i]); i++) {
        list[i] = le32_get(raw[i]);
    }
    return i;
}

static void test_attach_detach(void)
{
    struct th *h = th_new(.ns = { { .size = MIB }, { .size = MIB },
                                  { .size = MIB, .detached = true } });
    uint32_t list[1024];
    uint16_t a;

    th_enable(h);
    th_queues(h, 1, 16);
    changed(h, list);
    want(h, ENVME_FEAT_AEC_NSAN);
    a = th_aer(h);
    th_assert_sc(th_read(h, .nsid = 3), INVALID_FIELD);
    attach(h, 2, true);
    g_assert_cmphex(aer_dw0(h, a), ==, ENVME_LID_CHANGED_NS << 16 |
                    ENVME_AEN_NOTICE_NS_ATTR << 8 | ENVME_AEN_TYPE_NOTICE);
    th_assert_sc(th_read(h, .nsid = 3), SUCCESS);
    g_assert_cmpuint(changed(h, list), ==, 1);
    g_assert_cmpuint(list[0], ==, 3);
    g_assert_cmpuint(changed(h, list), ==, 0);
    a = th_aer(h);
    attach(h, 0, false);
    attach(h, 2, false);
    g_assert_cmphex(aer_dw0(h, a) & 7, ==, ENVME_AEN_TYPE_NOTICE);
    th_assert_sc(th_read(h, .nsid = 1), INVALID_FIELD);
    th_assert_sc(th_read(h, .nsid = 2), SUCCESS);
    g_assert_cmpuint(changed(h, list), ==, 2);
    g_assert_cmpuint(list[0], ==, 1);
    g_assert_cmpuint(list[1], ==, 3);
    /* regressions 7.4.12: not wanted, not told, but in the list */
    want(h, 0);
    a = th_aer(h);
    attach(h, 0, true);
    th_run(h);
    th_reap(h, 0);
    g_assert_false(th_done(h, 0, a, NULL));
    g_assert_cmpuint(changed(h, list), ==, 1);
    th_free(h);
}

static unsigned alloc_changed(struct th *h, uint32_t *list, bool rae)
{
    le32_t raw[1024];
    unsigned i;

    memset(raw, 0xee, sizeof(raw));
    th_assert_sc(th_get_log(h, ENVME_LID_CHANGED_ALLOC_NS, UINT32_MAX, 0, raw,
                            4096, rae), SUCCESS);
    for (i = 0; i < 1024 && le32_get(raw[i]); i++) {
        list[i] = le32_get(raw[i]);
    }
    return i;
}

/* Namespaces that come, go and change, attached or not; attaching is no such
 * change. */
static void test_allocated(void)
{
    struct th *h = th_new(.multi = true,
                          .ns = { { .size = MIB },
                                  { .size = MIB, .detached = true } });
    struct envme_sqe s = th_sqe(ENVME_ADM_NS_MGMT, 2);
    struct envme_ns_mgmt_create c = { .nsze = le64(10), .ncap = le64(10) };
    uint32_t list[1024];
    uint16_t a;

    th_enable(h);
    g_assert_cmpuint(alloc_changed(h, list, false), ==, 0);
    want(h, ENVME_FEAT_AEC_ANSAN);
    a = th_aer(h);
    attach(h, 1, true);
    attach(h, 1, false);
    attach(h, 0, false);
    th_reap(h, 0);
    g_assert_false(th_done(h, 0, a, NULL));
    s.cdw10 = le32(ENVME_NSMGMT_DELETE);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    g_assert_cmphex(aer_dw0(h, a), ==, ENVME_LID_CHANGED_ALLOC_NS << 16 |
                    ENVME_AEN_NOTICE_ALLOC_NS << 8 | ENVME_AEN_TYPE_NOTICE);
    g_assert_cmpuint(alloc_changed(h, list, true), ==, 1);
    g_assert_cmpuint(list[0], ==, 2);
    g_assert_cmpuint(changed(h, list), ==, 2);  /* has a list of its own */
    a = th_aer(h);
    s = th_sqe(ENVME_ADM_NS_MGMT, 0);
    th_assert_sc(th_cmd_data(h, 0, &s, &c, sizeof(c), TH_PRP), SUCCESS);
    g_assert_false(th_done(h, 0, a, NULL));
    g_assert_cmpuint(alloc_changed(h, list, false), ==, 1);
    g_assert_cmphex(aer_dw0(h, a) >> 8, ==, ENVME_LID_CHANGED_ALLOC_NS << 8 |
                    ENVME_AEN_NOTICE_ALLOC_NS);
    g_assert_cmpuint(alloc_changed(h, list, false), ==, 0);
    a = th_aer(h);
    attach(h, 0, true);
    th_be_resize(h->be[0], 2 * MIB);
    aer_dw0(h, a);
    g_assert_cmpuint(alloc_changed(h, list, false), ==, 1);
    g_assert_cmpuint(list[0], ==, 1);
    /* Not wanted, not told, but in the list. */
    want(h, ENVME_FEAT_AEC_NSAN);
    changed(h, list);
    a = th_aer(h);
    s = th_sqe(ENVME_ADM_NS_MGMT, 2);
    s.cdw10 = le32(ENVME_NSMGMT_DELETE);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    th_run(h);
    th_reap(h, 0);
    g_assert_false(th_done(h, 0, a, NULL));
    g_assert_cmpuint(alloc_changed(h, list, false), ==, 1);
    th_free(h);
}

static void test_resize(void)
{
    struct th *h = th_new();
    uint8_t id[4096];
    uint32_t list[1024];
    uint16_t a;

    th_enable(h);
    th_queues(h, 1, 16);
    changed(h, list);
    want(h, ENVME_FEAT_AEC_NSAN);
    a = th_aer(h);
    th_assert_sc(th_read(h, .slba = 2048), LBA_RANGE);
    th_be_resize(h->be[0], 2 * MIB);
    th_run(h);
    g_assert_cmphex(aer_dw0(h, a), ==, ENVME_LID_CHANGED_NS << 16 |
                    ENVME_AEN_NOTICE_NS_ATTR << 8 | ENVME_AEN_TYPE_NOTICE);
    g_assert_cmpuint(changed(h, list), ==, 1);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    g_assert_cmpuint(le64_get(*(le64_t *)id), ==, 4096);
    th_assert_sc(th_read(h, .slba = 4095), SUCCESS);
    a = th_aer(h);
    th_be_resize(h->be[0], MIB / 2);
    th_run(h);
    aer_dw0(h, a);
    th_assert_sc(th_read(h, .slba = 1024), LBA_RANGE);
    th_assert_sc(th_read(h, .slba = 1023), SUCCESS);
    /* the same size again is no change */
    changed(h, list);
    a = th_aer(h);
    th_be_resize(h->be[0], MIB / 2);
    th_run(h);
    th_reap(h, 0);
    g_assert_false(th_done(h, 0, a, NULL));
    th_free(h);
}

/* Attach, detach and resize while reads and writes go on, in random order */
static void churn(unsigned lanes, uint64_t seed)
{
    struct th *h = th_new(.lanes = lanes, .seed = seed,
                          .ns = { { .size = MIB }, { .size = MIB } });
    struct th_buf *b[40];
    uint16_t cid[40];
    bool busy[40] = { 0 }, on = true, done = true;
    struct envme_cqe c;
    unsigned i, n, q, ops = 0;

    th_enable(h);
    th_queues(h, 2, 32);
    for (i = 0; i < 40; i++) {
        b[i] = th_buf_new(h, 8192, TH_OFFSET);
    }
    h->be[0]->later = h->be[1]->later = true;
    for (n = 0; n < 1500; n++) {
        i = th_random(h, 40);
        q = 1 + i % 2;
        if (busy[i]) {
            th_reap(h, q);
            if (th_done(h, q, cid[i], &c)) {
                busy[i] = false;
                g_assert_true(!cqe_sc(&c) ||
                              cqe_sc(&c) == ENVME_SC_INVALID_FIELD ||
                              cqe_sc(&c) == ENVME_SC_LBA_RANGE ||
                              cqe_sc(&c) == ENVME_SC_ABORT_REQUESTED);
                ops++;
            }
        } else {
            struct envme_sqe s = th_sqe_rw(th_random(h, 2) ? ENVME_NVM_READ :
                                           ENVME_NVM_WRITE,
                                           1 + th_random(h, 2),
                                           th_random(h, 2032), 16);

            th_buf_attach(b[i], &s);
            cid[i] = th_submit(h, q, &s);
            busy[i] = true;
        }
        if (n % 20 == 7 && done) {
            done = false;
            on = !on;
            envme_subsys_attach(h->subsys, h->ns[0], h->ctrl->cntlid, on,
                                set_flag, &done);
        }
        if (n % 31 == 3) {
            th_be_resize(h->be[1], n % 2 ? MIB : 2 * MIB);
        }
        for (i = th_random(h, 12); i; i--) {
            th_step(h);
        }
    }
    th_run(h);
    g_assert_true(done);
    for (i = 0; i < 40; i++) {
        if (busy[i]) {
            th_wait(h, 1 + i % 2, cid[i]);
        }
        th_buf_free(b[i]);
    }
    g_assert_cmpuint(ops, >, 100);
    g_assert_cmpuint(atomic_load(&h->maps), ==, 0);
    th_free(h);
}

static void test_churn(void)
{
    uint64_t seed;

    for (seed = 1; seed <= 12; seed++) {
        churn(seed % 3, seed);
    }
}

/* Detaching waits for the commands that use the namespace. */
static void test_detach_busy(void)
{
    struct th *h = th_new(.lanes = 1, .ns = { { .size = MIB },
                                              { .size = MIB } });
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);
    struct th_buf *b = th_buf_new(h, 4096, 0);
    bool done = false;
    uint16_t cid;

    th_enable(h);
    th_queues(h, 1, 8);
    th_buf_attach(b, &s);
    h->be[0]->hold = true;
    cid = th_submit(h, 1, &s);
    th_run(h);
    envme_subsys_attach(h->subsys, h->ns[0], h->ctrl->cntlid, false, set_flag,
                        &done);
    th_run(h);
    g_assert_false(done);
    th_be_release_all(h->be[0], 0);
    h->be[0]->hold = false;
    th_run(h);
    g_assert_true(done);
    th_wait(h, 1, cid);
    th_assert_sc(th_read(h, .nsid = 1), INVALID_FIELD);
    th_assert_sc(th_read(h, .nsid = 2), SUCCESS);
    th_buf_free(b);
    th_free(h);
}

/* ... also when a reset comes in between. */
static void test_detach_reset(void)
{
    unsigned n;

    for (n = 0; n < 60; n++) {
        struct th *h = th_new(.lanes = n % 3, .seed = n + 1,
                              .ns = { { .size = MIB }, { .size = MIB } });
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);
        struct th_buf *b = th_buf_new(h, 4096, 0);
        bool done = false;
        unsigned i;

        th_enable(h);
        th_queues(h, 1, 8);
        th_buf_attach(b, &s);
        h->be[0]->hold = true;
        th_submit(h, 1, &s);
        for (i = n % 7; i; i--) {
            th_step(h);
        }
        envme_subsys_attach(h->subsys, h->ns[0], h->ctrl->cntlid, false,
                            set_flag, &done);
        for (i = n / 7; i; i--) {
            th_step(h);
        }
        th_reset(h, n & 1 ? ENVME_RESET_FUNCTION : ENVME_RESET_NSSR);
        th_run(h);
        g_assert_true(done);
        h->be[0]->hold = false;
        th_enable(h);
        th_queues(h, 1, 8);
        th_assert_sc(th_read(h, .nsid = 1), INVALID_FIELD);
        th_assert_sc(th_read(h, .nsid = 2), SUCCESS);
        th_buf_free(b);
        th_free(h);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/events/limit", test_limit);
    g_test_add_func("/events/masked-until-read", test_masked_until_read);
    g_test_add_func("/events/waits", test_waits);
    g_test_add_func("/events/reset", test_reset);
    g_test_add_func("/events/flood", test_flood);
    g_test_add_func("/events/regression-7.4.12-attach-detach",
                    test_attach_detach);
    g_test_add_func("/events/allocated", test_allocated);
    g_test_add_func("/events/resize", test_resize);
    g_test_add_func("/events/churn", test_churn);
    g_test_add_func("/events/detach-busy", test_detach_busy);
    g_test_add_func("/events/detach-reset", test_detach_reset);
    return g_test_run();
}
