/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resets with commands in flight, at every step of their way.
 * regressions 7.2 (10.0.13: wi 3398, 3883, 4068, 4072) and 7.6 (d).
 *
 * That nothing leaks, that no completion and no DMA comes late, is checked by
 * the host itself: see th_reset() and th_close().
 */
#include "th.h"

static void restart(struct th *h, int kind)
{
    switch (kind) {
    case 0:
        th_disable(h);
        break;
    case 1:
        th_reset(h, ENVME_RESET_FUNCTION);
        break;
    case 2:
        th_reset(h, ENVME_RESET_NSSR);
        break;
    default:
        th_w32(h, ENVME_REG_NSSR, ENVME_NSSR_KEY);
        th_reset(h, ENVME_RESET_FUNCTION);
        break;
    }
}

/* The commands that are swept: each opcode there is, by way of the rows. */
static struct envme_sqe any_sqe(struct th *h, struct th_buf *b)
{
    static const uint8_t ops[] = {
        ENVME_NVM_WRITE, ENVME_NVM_WRITE, ENVME_NVM_READ, ENVME_NVM_COMPARE,
        ENVME_NVM_WRITE_ZEROES, ENVME_NVM_VERIFY, ENVME_NVM_FLUSH,
        ENVME_NVM_DSM,
    };
    struct envme_sqe s = th_sqe_rw(ops[th_random(h, G_N_ELEMENTS(ops))],
                                   1 + th_random(h, 2), th_random(h, 100),
                                   128);

    if (s.opc == ENVME_NVM_DSM) {
        s.cdw10 = le32(255);
        s.cdw11 = le32(ENVME_DSM_AD);
        s.cdw12 = le32(0);
    } else if (s.opc == ENVME_NVM_FLUSH) {
        s.cdw10 = s.cdw12 = le32(0);
    }
    th_buf_attach(b, &s);
    return s;
}

#define QD 64

/* 64 of them over 4 queues, some steps, then a reset. */
static void sweep(unsigned lanes, unsigned rounds, uint64_t seed)
{
    struct th *h = th_new(.lanes = lanes, .seed = seed,
                          .ns = { { .size = MIB }, { .size = MIB } });
    struct th_buf *b[QD];
    unsigned i, n, q;

    for (i = 0; i < QD; i++) {
        /* The offset is for plain memory that is cut in odd places. */
        b[i] = th_buf_new(h, 64 * KIB, i % 2 ? TH_OFFSET : TH_SGL);
    }
    for (n = 0; n < rounds; n++) {
        th_enable(h);
        th_queues(h, 4, 32);
        for (i = 0; i < 2; i++) {
            h->be[i]->hold = n % 4 == 1;
            h->be[i]->later = n % 4 != 0;
            /* A backend that lets things run to their end, too. */
            h->be[i]->cancel_completes = n % 8 != 5;
        }
        for (i = 0; i < QD; i++) {
            struct envme_sqe s = any_sqe(h, b[i]);

            q = 1 + i % 4;
            th_put(h, q, &s);
            if (th_random(h, 3) == 0) {
                th_ring(h, q);
            }
        }
        for (q = 1; q <= 4; q++) {
            th_ring(h, q);
        }
        for (i = n % 300; i; i--) {
            if (th_random(h, 8) == 0) {
                th_reap(h, 1 + th_random(h, 4));
            }
            if (!th_step(h)) {
                break;
            }
        }
        if (n % 8 == 5) {
            /* It waits for the backend, which takes its time. */
            th_reset_start(h, ENVME_RESET_FUNCTION);
            th_run(h);
            for (i = 0; i < 2; i++) {
                h->be[i]->hold = false;
                th_be_release_all(h->be[i], 0);
            }
            th_reset_finish(h);
        } else {
            restart(h, n % 4);
        }
        th_run(h);
    }
    for (i = 0; i < QD; i++) {
        th_buf_free(b[i]);
    }
    h->be[0]->hold = h->be[1]->hold = false;
    th_enable(h);
    th_queues(h, 1, 32);
    th_assert_sc(th_read(h, .nlb = 128), SUCCESS);
    th_free(h);
}

static void test_sweep_one(void)
{
    sweep(0, 1200, 1);
}

static void test_sweep_lanes(void)
{
    sweep(2, 1200, 2);
    sweep(4, 600, 3);
}

/* Each step of each admin command */
static void test_admin_steps(void)
{
    struct th *h = th_new(.lanes = 2, .seed = 17);
    uint64_t a = th_alloc(h, 8192);
    unsigned op, step, i;
    struct envme_sqe s;

    for (op = 0; op < 12; op++) {
        for (step = 0; step < 24; step++) {
            th_enable(h);
            th_queues(h, 2, 16);
            h->be[0]->hold = true;
            for (i = 0; i < 8; i++) {
                s = th_sqe_rw(ENVME_NVM_WRITE, 1, i, 1);
                s.dptr.prp1 = le64(a);
                th_submit(h, 1 + i % 2, &s);
            }
            if (op & 1) {
                th_run(h);
            }
            switch (op / 2) {
            case 0:
                s = th_sqe(ENVME_ADM_IDENTIFY, 0);
                s.cdw10 = le32(1);
                break;
            case 1:
                s = th_sqe(ENVME_ADM_DELETE_SQ, 0);
                s.cdw10 = le32(1);
                break;
            case 2:
                s = th_sqe(ENVME_ADM_CREATE_CQ, 0);
                s.cdw10 = le32(15 << 16 | 3);
                s.cdw11 = le32(3);
                break;
            case 3:
                s = th_sqe(ENVME_ADM_ABORT, 0);
                s.cdw10 = le32(0 << 16 | 1);
                break;
            case 4:
                s = th_sqe(ENVME_ADM_AER, 0);
                break;
            default:
                s = th_sqe(ENVME_ADM_SET_FEATURES, 0);
                s.cdw10 = le32(ENVME_FID_VWC);
                break;
            }
            s.dptr.prp1 = le64(a);
            th_submit(h, 0, &s);
            for (i = 0; i < step; i++) {
                th_step(h);
            }
            restart(h, step % 4);
            h->be[0]->hold = false;
        }
    }
    th_enable(h);
    th_queues(h, 2, 16);
    th_assert_sc(th_read(h, .qid = 2), SUCCESS);
    th_free(h);
}

/* EN goes back to 1 before the reset is over; and to and fro. */
static void test_impatient(void)
{
    struct th *h = th_new(.lanes = 2, .seed = 3);
    uint64_t a = th_alloc(h, 4096), sq, cq;
    unsigned n, i;

    for (n = 0; n < 200; n++) {
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 1);

        th_enable(h);
        th_queues(h, 2, 16);
        sq = h->sq[0]->base;
        cq = h->cq[0]->base;
        h->be[0]->hold = true;
        h->be[0]->cancel_completes = n & 1;
        s.dptr.prp1 = le64(a);
        for (i = 0; i < 10; i++) {
            th_submit(h, 1 + i % 2, &s);
        }
        th_run(h);
        th_w32(h, ENVME_REG_CC, 0);
        g_assert_cmphex(th_r32(h, ENVME_REG_CC), ==, 0);
        for (i = th_random(h, 10); i; i--) {
            th_step(h);
        }
        for (i = th_random(h, 3); i; i--) {
            th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT);
            th_w32(h, ENVME_REG_CC, 0);
        }
        h->be[0]->hold = false;
        th_be_release_all(h->be[0], 0);
        /* Fresh queues, since the old ones may still be posted to. */
        memset(th_mem(h, sq, 4096), 0, 4096);
        th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT);
        th_run(h);
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
        (void)cq;
        th_disable(h);
    }
    th_free(h);
}

/* A reset while a reset is going on, of each kind */
static void test_nested(void)
{
    unsigned i, j;

    for (i = 0; i < 3; i++) {
        for (j = 1; j < 3; j++) {
            struct th *h = th_new(.lanes = 1, .seed = 1 + i * 3 + j);
            struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 1);

            th_enable(h);
            th_queues(h, 1, 16);
            h->be[0]->hold = true;
            h->be[0]->cancel_completes = false;
            s.dptr.prp1 = le64(th_alloc(h, 4096));
            th_submit(h, 1, &s);
            th_run(h);
            if (i == ENVME_RESET_CC) {
                th_w32(h, ENVME_REG_CC, 0);
            } else {
                envme_ctrl_reset(h->ctrl, (enum envme_reset)i, NULL, NULL);
            }
            th_run(h);
            th_reset_start(h, (enum envme_reset)j);
            th_run(h);
            g_assert_false(atomic_load(&h->reset_done));
            th_be_release_all(h->be[0], 0);
            h->be[0]->hold = false;
            th_reset_finish(h);
            g_assert_cmphex(th_r64(h, ENVME_REG_ASQ), ==, 0);
            if (j == ENVME_RESET_NSSR) {
                g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==,
                                ENVME_CSTS_NSSRO);
                th_w32(h, ENVME_REG_CSTS, ENVME_CSTS_NSSRO);
            }
            th_enable(h);
            th_queues(h, 1, 16);
            th_assert_sc(th_read(h), SUCCESS);
            th_free(h);
        }
    }
}

/* A shutdown with writes in flight: they end first; and a reset in it */
static void test_shutdown_busy(void)
{
    unsigned n, i;

    for (n = 0; n < 60; n++) {
        struct th *h = th_new(.lanes = n % 3, .seed = n + 1,
                              .ns = { { .size = MIB, .write_cache = true } });
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);
        struct th_buf *b = th_buf_new(h, 4096, 0);
        uint16_t cid[8];

        th_enable(h);
        th_queues(h, 1, 16);
        th_buf_attach(b, &s);
        h->be[0]->later = true;
        for (i = 0; i < 8; i++) {
            cid[i] = th_submit(h, 1, &s);
        }
        for (i = th_random(h, 30); i; i--) {
            th_step(h);
        }
        th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT |
               FIELD_SET(ENVME_CC_SHN, ENVME_CC_SHN_NORMAL));
        if (n & 1) {
            for (i = th_random(h, 30); i; i--) {
                th_step(h);
            }
            th_reset(h, ENVME_RESET_FUNCTION);
            g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
        } else {
            th_run(h);
            g_assert_cmpuint(FIELD_GET(ENVME_CSTS_SHST,
                                       th_r32(h, ENVME_REG_CSTS)), ==,
                             ENVME_CSTS_SHST_COMPLETE);
            g_assert_cmpuint(th_be_held(h->be[0]), ==, 0);
            /* Those that were taken have ended. */
            th_reap(h, 1);
            g_assert_cmpuint(th_inflight(h), ==, 0);
            (void)cid;
        }
        th_buf_free(b);
        th_free(h);
    }
}

/* Thousands of short lives */
static void test_many(void)
{
    struct th *h = th_new(.lanes = 1, .seed = 5);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);
    uint64_t a = th_alloc(h, 4096);
    unsigned n, i;

    h->be[0]->later = true;
    s.dptr.prp1 = le64(a);
    for (n = 0; n < 2000; n++) {
        th_enable(h);
        th_queues(h, 1, 65);
        for (i = 0; i < 64; i++) {
            th_put(h, 1, &s);
        }
        th_ring(h, 1);
        for (i = n % 150; i; i--) {
            th_step(h);
        }
        restart(h, n % 2);
    }
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reset/regression-10.0.13-sweep", test_sweep_one);
    g_test_add_func("/reset/regression-10.0.13-sweep-lanes",
                    test_sweep_lanes);
    g_test_add_func("/reset/admin-steps", test_admin_steps);
    g_test_add_func("/reset/impatient", test_impatient);
    g_test_add_func("/reset/nested", test_nested);
    g_test_add_func("/reset/shutdown-busy", test_shutdown_busy);
    g_test_add_func("/reset/many", test_many);
    return g_test_run();
}
