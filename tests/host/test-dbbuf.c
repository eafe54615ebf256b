/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shadow doorbells and the event index: Base 2.1, 5.3.1, 8.2.5.
 */
#include "th.h"

static struct th *db_host(unsigned lanes, uint64_t seed, uint32_t sq,
                          uint32_t cq)
{
    struct th *h = th_new(.lanes = lanes, .seed = seed, .poll = seed % 2,
                         .gather = seed % 3 == 1);
    unsigned q;

    th_enable(h);
    for (q = 1; q <= 2; q++) {
        th_assert_code(th_create_cq(h, .qid = q, .size = cq, .vector = q),
                       SUCCESS);
        th_assert_code(th_create_sq(h, .qid = q, .size = sq), SUCCESS);
    }
    return h;
}

static uint32_t *slot(struct th *h, uint64_t base, bool cq, unsigned qid)
{
    return th_mem(h, base + (2 * qid + cq) * (4u << h->params.dstrd), 4);
}

/* As many as fit, in bursts, until n have come. */
static void pump(struct th *h, unsigned qid, unsigned n)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
    struct th_sq *q = h->sq[qid];
    unsigned got = 0, put = 0, idle = 0, i, now;

    while (got < n) {
        for (i = 1 + th_random(h, q->size); i && put < n; i--) {
            if ((q->tail + 1) % q->size == q->head) {
                break;
            }
            th_abandon(h, qid, th_put(h, qid, &s));
            put++;
            if (th_random(h, 3) == 0) {
                th_ring(h, qid);
            }
        }
        th_ring(h, qid);
        for (i = th_random(h, 20); i; i--) {
            th_step(h);
        }
        now = th_reap_max(h, qid, 1 + th_random(h, 8));
        got += now;
        if (!now) {
            th_run(h);
            if (++idle > 1000) {
                g_error("queue %u stands still: %u of %u", qid, got, n);
            }
        } else {
            idle = 0;
        }
    }
}

/* regressions 7.3: the CQ's event index too, or a CQ that is smaller than its
 * SQ stays full for ever */
static void test_pump(void)
{
    static const struct {
        uint32_t sq, cq;
    } t[] = { { 2, 2 }, { 16, 2 }, { 64, 3 }, { 17, 16 }, { 5, 64 },
              { 256, 7 } };
    unsigned i, lanes, saved = 0;

    for (lanes = 0; lanes < 3; lanes += 2) {
        for (i = 0; i < G_N_ELEMENTS(t); i++) {
            struct th *h = db_host(lanes, i + 1, t[i].sq, t[i].cq);

            pump(h, 1, 100);
            th_assert_code(th_shadow(h), SUCCESS);
            pump(h, 1, 2000);
            pump(h, 2, 2000);
            saved += h->unrung;
            /* queues that come later have one too */
            th_assert_code(th_create_cq(h, .qid = 3, .size = t[i].cq),
                           SUCCESS);
            th_assert_code(th_create_sq(h, .qid = 3, .size = t[i].sq),
                           SUCCESS);
            pump(h, 3, 500);
            th_assert_code(th_delete_sq(h, 3), SUCCESS);
            th_assert_code(th_delete_cq(h, 3), SUCCESS);
            th_free(h);
        }
    }
    /* It is worth it. */
    g_assert_cmpuint(saved, >, 1000);
}

/* A queue that is deleted and made again starts at 0, its shadow too. */
static void test_recreate(void)
{
    struct th *h = db_host(1, 9, 16, 16);
    unsigned i;

    th_assert_code(th_shadow(h), SUCCESS);
    for (i = 0; i < 30; i++) {
        pump(h, 1, 1 + i);
        th_assert_code(th_delete_sq(h, 1), SUCCESS);
        th_assert_code(th_delete_cq(h, 1), SUCCESS);
        th_assert_code(th_create_cq(h, .qid = 1, .size = 16), SUCCESS);
        th_assert_code(th_create_sq(h, .qid = 1, .size = 16), SUCCESS);
    }
    pump(h, 1, 300);
    th_free(h);
}

/* regressions 7.4.4: configured again, on live queues, elsewhere */
static void test_again(void)
{
    struct th *h = db_host(2, 3, 32, 32);
    unsigned i;

    for (i = 0; i < 20; i++) {
        th_assert_code(th_shadow(h), SUCCESS);
        pump(h, 1, 77);
        pump(h, 2, 33);
    }
    th_free(h);
}

/* regressions 7.4.4: the admin queue has no part in it */
static void test_not_admin(void)
{
    struct th *h = db_host(0, 1, 16, 16);
    unsigned i;

    th_assert_code(th_shadow(h), SUCCESS);
    *slot(h, h->shadow_db, false, 0) = 13;
    *slot(h, h->shadow_db, true, 0) = 13;
    for (i = 0; i < 100; i++) {
        th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
    }
    g_assert_cmpuint(*slot(h, h->shadow_db, false, 0), ==, 13);
    pump(h, 1, 100);
    th_free(h);
}

/* regressions 7.4.3: what is in the shadow is the guest's word, no more */
static void test_bad_values(void)
{
    static const uint32_t bad[] = { 16, 17, 0xffff, 0x10000, 0xffffffff,
                                    0x80000000 };
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct th *h = db_host(0, 1, 16, 16);
        uint16_t aer;
        struct envme_cqe c;

        th_assert_code(th_shadow(h), SUCCESS);
        pump(h, 1, 50);
        aer = th_aer(h);
        /* The tail, then the head; a ring makes it look. */
        *slot(h, h->shadow_db, false, 1) = bad[i];
        envme_ctrl_doorbell(h->ctrl, 8, 1, 4);
        th_run(h);
        c = th_wait(h, 0, aer);
        th_assert_sc(c, SUCCESS);
        g_assert_cmpuint(FIELD_GET(ENVME_AER_INFO, le32_get(c.dw0)), ==,
                         ENVME_AEN_ERROR_DB_VALUE);
        *slot(h, h->shadow_db, false, 1) = h->sq[1]->tail;
        *slot(h, h->shadow_db, true, 1) = bad[i];
        envme_ctrl_doorbell(h->ctrl, 12, 1, 4);
        th_run(h);
        *slot(h, h->shadow_db, true, 1) = h->cq[1]->head;
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
        pump(h, 1, 50);
        pump(h, 2, 50);
        th_free(h);
    }
}

static void test_bad_pages(void)
{
    struct th *h = db_host(0, 1, 16, 16);
    struct envme_sqe s = th_sqe(ENVME_ADM_DBBUF, 0);
    uint64_t a = th_alloc(h, 4096), b = th_alloc(h, 4096);
    static const uint64_t nowhere[] = { TH_VOID_BASE, TH_BAR_BASE,
                                        TH_BAR_BASE + 4096, TH_HOLE_BASE };
    unsigned i;

    for (i = 4; i < 4096; i *= 2) {
        s.dptr.prp1 = le64(a + i);
        s.dptr.prp2 = le64(b);
        th_assert_sc(th_admin(h, &s), INVALID_FIELD);
        s.dptr.prp1 = le64(a);
        s.dptr.prp2 = le64(b + i);
        th_assert_sc(th_admin(h, &s), INVALID_FIELD);
    }
    for (i = 0; i < G_N_ELEMENTS(nowhere); i++) {
        s.dptr.prp1 = le64(nowhere[i]);
        s.dptr.prp2 = le64(b);
        th_assert_sc(th_admin(h, &s), DATA_XFER_ERROR);
        s.dptr.prp1 = le64(a);
        s.dptr.prp2 = le64(nowhere[i]);
        th_assert_sc(th_admin(h, &s), DATA_XFER_ERROR);
    }
    /* none of it had an effect */
    pump(h, 1, 100);
    th_free(h);
}

/* regressions 7.5, OpenVMM 4080: after a reset the pages are the guest's */
static void test_reset(void)
{
    struct th *h = db_host(1, 5, 16, 16);
    uint64_t db, ei;
    unsigned n;

    for (n = 0; n < 12; n++) {
        th_assert_code(th_shadow(h), SUCCESS);
        pump(h, 1, 40 + n);
        db = h->shadow_db;
        ei = h->shadow_ei;
        if (n % 3 == 0) {
            th_disable(h);
        } else {
            th_reset(h, n % 3 == 1 ? ENVME_RESET_FUNCTION : ENVME_RESET_NSSR);
        }
        memset(th_mem(h, db, 4096), 0x5a, 4096);
        memset(th_mem(h, ei, 4096), 0xa5, 4096);
        /* The pages are not to be used by others in this test. */
        memset(h->used + db / 4096, 1, 1);
        memset(h->used + ei / 4096, 1, 1);
        th_enable(h);
        th_queues(h, 2, 16);
        pump(h, 1, 100);
        for (unsigned i = 0; i < 4096; i++) {
            g_assert_cmphex(((uint8_t *)th_mem(h, db, 4096))[i], ==, 0x5a);
            g_assert_cmphex(((uint8_t *)th_mem(h, ei, 4096))[i], ==, 0xa5);
        }
        th_free_pages(h, db, 4096);
        th_free_pages(h, ei, 4096);
    }
    th_free(h);
}

/* Bus Master off: what is written to the shadow meanwhile counts when it is
 * on, rung or not. */
static void test_bme(void)
{
    unsigned n, i;

    for (n = 0; n < 120; n++) {
        struct th *h = db_host(n % 3, n + 1, 16, 5);
        struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
        unsigned got = 0;

        th_assert_code(th_shadow(h), SUCCESS);
        pump(h, 1, n % 17);
        for (i = th_random(h, 5); i; i--) {
            th_abandon(h, 1, th_put(h, 1, &s));
            th_ring(h, 1);
        }
        for (i = n / 6; i; i--) {
            th_step(h);
        }
        th_bme(h, false);
        while ((h->sq[1]->tail + 1) % 16 != h->sq[1]->head) {
            th_abandon(h, 1, th_put(h, 1, &s));
            th_ring(h, 1);
        }
        th_reap(h, 1);
        th_run(h);
        th_bme(h, true);
        for (i = 0; h->sq[1]->nout; i++) {
            th_run(h);
            got += th_reap(h, 1);
            g_assert_cmpuint(i, <, 100);
        }
        (void)got;
        pump(h, 1, 50);
        th_free(h);
    }
}

/* INTx: the pin goes down when the host has taken what was there. */
static void test_level(void)
{
    struct th *h = th_new(.intx = true, .seed = 2);

    th_enable(h);
    th_queues(h, 1, 16);
    th_assert_code(th_shadow(h), SUCCESS);
    for (unsigned i = 0; i < 200; i++) {
        pump(h, 1, 1 + i % 15);
        th_reap(h, 1);
        th_run(h);
        g_assert_cmpuint(h->vec[1].raised, ==, h->vec[1].lowered);
    }
    th_free(h);
}

/* Reads and writes of the shadow fail, one after the other: the controller
 * may stop with CSTS.CFS, or go on when it is rung; it does not hang. */
static void test_fails(void)
{
    static const enum th_at ats[] = { TH_AT_READ, TH_AT_WRITE };
    unsigned n, k, i;

    for (k = 0; k < 2; k++) {
        for (n = 1; n < 60; n++) {
            struct th *h = db_host(1, n, 16, 16);
            struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);

            th_assert_code(th_shadow(h), SUCCESS);
            th_fail_nth(h, ats[k], n, -EIO);
            for (i = 0; i < 10; i++) {
                th_abandon(h, 1, th_put(h, 1, &s));
                th_ring(h, 1);
                th_run(h);
                th_reap(h, 1);
            }
            th_fail_clear(h);
            /* An explicit ring helps it on. */
            envme_ctrl_doorbell(h->ctrl, 8, h->sq[1]->tail, 4);
            th_run(h);
            th_reap(h, 1);
            if (h->sq[1]->nout) {
                g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS,
                                !=, 0);
            }
            th_free(h);
        }
    }
}

static void tweak_stride(struct envme_ctrl_params *p)
{
    p->dstrd = 3;
    p->max_ioqpairs = 16;
}

static void test_stride(void)
{
    struct th *h = th_new(.tweak = tweak_stride, .seed = 5);

    th_enable(h);
    th_queues(h, 4, 16);
    th_assert_code(th_shadow(h), SUCCESS);
    for (unsigned q = 1; q <= 4; q++) {
        pump(h, q, 300);
    }
    g_assert_cmpuint(h->unrung, >, 0);
    th_free(h);
}

static void tweak_none(struct envme_ctrl_params *p)
{
    p->no_dbbuf = true;
}

/* A controller without: it doesn't say that it has them, and hasn't. */
static void test_none(void)
{
    struct th *h = th_new(.tweak = tweak_none);
    struct envme_id_ctrl *id = g_malloc(4096);

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(le16_get(id->oacs) & ENVME_OACS_DBCS, ==, 0);
    th_assert_code(th_shadow(h), INVALID_OPCODE);
    th_free(h);
    g_free(id);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dbbuf/regression-7.3-pump", test_pump);
    g_test_add_func("/dbbuf/recreate", test_recreate);
    g_test_add_func("/dbbuf/regression-7.4.4-again", test_again);
    g_test_add_func("/dbbuf/regression-7.4.4-not-admin", test_not_admin);
    g_test_add_func("/dbbuf/regression-7.4.3-bad-values", test_bad_values);
    g_test_add_func("/dbbuf/bad-pages", test_bad_pages);
    g_test_add_func("/dbbuf/regression-7.5-reset", test_reset);
    g_test_add_func("/dbbuf/bme", test_bme);
    g_test_add_func("/dbbuf/level", test_level);
    g_test_add_func("/dbbuf/fails", test_fails);
    g_test_add_func("/dbbuf/stride", test_stride);
    g_test_add_func("/dbbuf/none", test_none);
    return g_test_run();
}
