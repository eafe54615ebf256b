/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Abort: what was fetched, what was not, what is gone. Base 2.1, 5.1.1.
 */
#include "th.h"

static void test_abort(void)
{
    static const unsigned lanes[] = { 0, 2 };
    struct envme_sqe w = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);
    struct envme_cqe c;
    struct th_buf *b;
    struct th *h;
    uint16_t cid[4], aer;
    unsigned i, k;

    for (k = 0; k < 2; k++) {
        h = th_new(.lanes = lanes[k], .seed = 4);
        th_enable(h);
        th_queues(h, 1, 32);
        b = th_buf_new(h, 4096, TH_PRP);
        th_buf_attach(b, &w);
        /* not there: a command that never was; a queue that isn't */
        c = th_abort(h, 1, 77);
        th_assert_sc(c, SUCCESS);
        g_assert_cmphex(le32_get(c.dw0), ==, ENVME_ABORT_IANP);
        c = th_abort(h, 9, 0);
        g_assert_true(cqe_sc(&c) == ENVME_SC_INVALID_FIELD ||
                      (!cqe_sc(&c) && le32_get(c.dw0) == ENVME_ABORT_IANP));
        /* regressions 7.2 (10.0.10): SQIDs above the limit */
        c = th_abort(h, 0xffff, 0);
        g_assert_true(cqe_sc(&c) == ENVME_SC_INVALID_FIELD ||
                      (!cqe_sc(&c) && le32_get(c.dw0) == ENVME_ABORT_IANP));
        c = th_abort(h, 65, 0);
        g_assert_true(cqe_sc(&c) == ENVME_SC_INVALID_FIELD ||
                      (!cqe_sc(&c) && le32_get(c.dw0) == ENVME_ABORT_IANP));
        /* done already */
        th_assert_sc(th_io(h, 1, &w), SUCCESS);
        c = th_abort(h, 1, 0);
        th_assert_sc(c, SUCCESS);
        g_assert_cmphex(le32_get(c.dw0), ==, ENVME_ABORT_IANP);
        /* in the backend: it really goes */
        h->be[0]->hold = true;
        for (i = 0; i < 4; i++) {
            cid[i] = th_submit(h, 1, &w);
        }
        th_run(h);
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 4);
        c = th_abort(h, 1, cid[2]);
        th_assert_sc(c, SUCCESS);
        g_assert_cmphex(le32_get(c.dw0), ==, 0);
        th_assert_sc(th_wait(h, 1, cid[2]), ABORT_REQUESTED);
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 3);
        th_be_release_all(h->be[0], 0);
        th_assert_sc(th_wait(h, 1, cid[0]), SUCCESS);
        th_assert_sc(th_wait(h, 1, cid[1]), SUCCESS);
        th_assert_sc(th_wait(h, 1, cid[3]), SUCCESS);
        /* a backend that can't cancel: the command ends as it ends, and the
         * Abort says that it did not work */
        h->be[0]->cancel_completes = false;
        cid[0] = th_submit(h, 1, &w);
        th_run(h);
        {
            struct envme_sqe s = th_sqe(ENVME_ADM_ABORT, 0);

            s.cdw10 = le32((uint32_t)cid[0] << 16 | 1);
            cid[1] = th_submit(h, 0, &s);
        }
        th_run(h);
        th_be_release_all(h->be[0], 0);
        c = th_wait(h, 1, cid[0]);
        if (cqe_sc(&c)) {
            th_assert_sc(c, ABORT_REQUESTED);
            c = th_wait(h, 0, cid[1]);
            g_assert_cmphex(le32_get(c.dw0), ==, 0);
        } else {
            c = th_wait(h, 0, cid[1]);
            g_assert_cmphex(le32_get(c.dw0), ==, ENVME_ABORT_IANP);
        }
        th_assert_sc(c, SUCCESS);
        h->be[0]->hold = false;
        /* a parked AER */
        aer = th_aer(h);
        c = th_abort(h, 0, aer);
        th_assert_sc(c, SUCCESS);
        g_assert_cmphex(le32_get(c.dw0), ==, 0);
        th_assert_sc(th_wait(h, 0, aer), ABORT_REQUESTED);
        th_buf_free(b);
        th_free(h);
    }
}

/* Commands that wait in the queue, behind a CQ that is full */
static void test_abort_unfetched(void)
{
    struct envme_sqe f = th_sqe(ENVME_NVM_FLUSH, 1);
    struct th *h = th_new();
    struct envme_sqe s = th_sqe(ENVME_ADM_ABORT, 0);
    uint16_t cid[6], a;
    struct envme_cqe c;
    unsigned i;

    th_enable(h);
    th_create_cq(h, .qid = 1, .size = 3);
    th_create_sq(h, .qid = 1, .size = 16);
    h->cq[1]->manual = true;
    for (i = 0; i < 6; i++) {
        cid[i] = th_submit(h, 1, &f);
    }
    th_run(h);
    /* two are done, the others are not fetched */
    s.cdw10 = le32((uint32_t)cid[4] << 16 | 1);
    a = th_submit(h, 0, &s);
    th_run(h);
    for (i = 0; i < 6; i++) {
        th_reap(h, 1);
        th_run(h);
    }
    c = th_wait(h, 0, a);
    th_assert_sc(c, SUCCESS);
    g_assert_cmphex(le32_get(c.dw0), ==, 0);
    for (i = 0; i < 6; i++) {
        g_assert_true(th_done(h, 1, cid[i], &c));
        if (i == 4) {
            th_assert_sc(c, ABORT_REQUESTED);
        } else {
            th_assert_sc(c, SUCCESS);
        }
    }
    th_free(h);
}

/* A write that the backend takes in pieces: no further one after the Abort */
static void test_abort_between(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .max_transfer = 4096 } });
    struct envme_sqe w = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 128);
    struct envme_sqe s = th_sqe(ENVME_ADM_ABORT, 0);
    struct th_buf *b = th_buf_new(h, 64 * KIB, TH_PRP);
    struct envme_cqe c;
    uint16_t cid, a;

    th_enable(h);
    th_queues(h, 1, 8);
    th_buf_attach(b, &w);
    h->be[0]->hold = true;
    h->be[0]->cancel_completes = false;
    cid = th_submit(h, 1, &w);
    th_run(h);
    th_be_release_all(h->be[0], 0);
    th_run(h);
    g_assert_cmpuint(h->be[0]->nsubmitted, ==, 2);
    s.cdw10 = le32((uint32_t)cid << 16 | 1);
    a = th_submit(h, 0, &s);
    th_run(h);
    th_be_release_all(h->be[0], 0);
    th_assert_sc(th_wait(h, 1, cid), ABORT_REQUESTED);
    c = th_wait(h, 0, a);
    th_assert_sc(c, SUCCESS);
    g_assert_cmphex(le32_get(c.dw0), ==, 0);
    g_assert_cmpuint(h->be[0]->nsubmitted, ==, 2);
    h->be[0]->hold = false;
    th_buf_free(b);
    th_free(h);
}

/* More Aborts at once than ACL + 1 */
static void test_abort_limit(void)
{
    struct envme_sqe w = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);
    struct envme_sqe s = th_sqe(ENVME_ADM_ABORT, 0);
    struct th *h = th_new();
    struct th_buf *b = th_buf_new(h, 4096, TH_PRP);
    uint16_t cid[8], a[8];
    struct envme_cqe c;
    unsigned i, limited = 0;

    th_enable(h);
    th_queues(h, 1, 32);
    th_buf_attach(b, &w);
    h->be[0]->hold = true;
    h->be[0]->cancel_completes = false;
    for (i = 0; i < 8; i++) {
        cid[i] = th_submit(h, 1, &w);
    }
    th_run(h);
    for (i = 0; i < 8; i++) {
        s.cdw10 = le32((uint32_t)cid[i] << 16 | 1);
        a[i] = th_submit(h, 0, &s);
    }
    th_run(h);
    th_be_release_all(h->be[0], 0);
    h->be[0]->hold = false;
    for (i = 0; i < 8; i++) {
        th_wait(h, 1, cid[i]);
        c = th_wait(h, 0, a[i]);
        if (cqe_sc(&c)) {
            th_assert_sc(c, ABORT_LIMIT);
            limited++;
        }
    }
    g_assert_cmpuint(limited, ==, 4);
    /* and it is over again */
    th_assert_sc(th_abort(h, 1, 99), SUCCESS);
    th_buf_free(b);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/abort/regression-10.0.10-abort", test_abort);
    g_test_add_func("/abort/abort-unfetched", test_abort_unfetched);
    g_test_add_func("/abort/abort-between", test_abort_between);
    g_test_add_func("/abort/abort-limit", test_abort_limit);
    return g_test_run();
}
