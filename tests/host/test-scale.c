/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers at their end: all I/O queues that a controller can have, and what
 * queues and controllers cost that nobody uses. Base 2.1, 3.3.1 and 5.1.25.1.4
 * (Number of Queues); PCIe Transport 1.1, 3.1.1 (MSI-X: 2,048 vectors).
 */
#include <inttypes.h>
#include <malloc.h>

#include "th.h"

#define ALL 65535u

/* Bytes allocated now. A sanitizer's allocator does not say: then it stays
 * the same, and nothing is compared. */
static uint64_t heap(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

static void check_heap(const char *what, uint64_t before, uint64_t n,
                       uint64_t limit)
{
    uint64_t now = heap(), each = (now - before) / n;

    if (now == before) {
        g_test_message("%s: this allocator does not tell", what);
        return;
    }
    g_test_message("%s: %" PRIu64 " bytes", what, each);
    g_assert_cmpuint(now, >, before);
    g_assert_cmpuint(each, <=, limit);
}

static void tweak_all(struct envme_ctrl_params *p)
{
    p->max_ioqpairs = ALL;
    p->nvectors = 2048;
}

/* A pair of two entries each, whose memory may be others' as well: it is
 * never used. */
static void create_idle(struct th *h, unsigned qid, uint64_t cq, uint64_t sq)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_CREATE_CQ, 0);
    struct envme_cqe c;

    s.dptr.prp1 = le64(cq);
    s.cdw10 = le32(FIELD_SET(ENVME_CREATE_CQ_QSIZE, 1) | qid);
    s.cdw11 = le32(ENVME_CREATE_CQ_PC | ENVME_CREATE_CQ_IEN |
                   FIELD_SET(ENVME_CREATE_CQ_IV, qid % 2048));
    c = th_admin(h, &s);
    th_assert_code(cqe_sc(&c), SUCCESS);
    s = th_sqe(ENVME_ADM_CREATE_SQ, 0);
    s.dptr.prp1 = le64(sq);
    s.cdw10 = le32(FIELD_SET(ENVME_CREATE_CQ_QSIZE, 1) | qid);
    s.cdw11 = le32(ENVME_CREATE_SQ_PC |
                   FIELD_SET(ENVME_CREATE_SQ_CQID, qid));
    c = th_admin(h, &s);
    th_assert_code(cqe_sc(&c), SUCCESS);
}

static void set_all_queues(struct th *h)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);
    struct envme_cqe c;

    s.cdw10 = le32(ENVME_FID_NUM_QUEUES);
    s.cdw11 = le32((ALL - 1) << 16 | (ALL - 1));
    c = th_admin(h, &s);
    th_assert_code(cqe_sc(&c), SUCCESS);
    g_assert_cmphex(le32_get(c.dw0), ==, (ALL - 1) << 16 | (ALL - 1));
}

static void use(struct th *h, unsigned qid, unsigned vector)
{
    unsigned raised = atomic_load(&h->vec[vector].raised) +
                      atomic_load(&h->vec[vector].pulsed);
    uint8_t in[512], out[512];

    for (unsigned i = 0; i < 10; i++) {
        memset(in, 0x30 + i, sizeof(in));
        memset(out, 0, sizeof(out));
        th_assert_sc(th_write(h, .qid = qid, .slba = i, .data = in), SUCCESS);
        th_assert_sc(th_read(h, .qid = qid, .slba = i, .data = out), SUCCESS);
        g_assert_cmpmem(in, sizeof(in), out, sizeof(out));
    }
    g_assert_cmpuint(atomic_load(&h->vec[vector].raised) +
                     atomic_load(&h->vec[vector].pulsed), >, raised);
}

/* 65,535 pairs are made, one of them is used, and others cost little. */
static void test_queues(void)
{
    struct th *h = th_new(.lanes = 2, .tweak = tweak_all);
    uint64_t cq, sq, before;

    g_assert_cmpuint(envme_ctrl_doorbell_bytes(&h->params), ==, 65536 * 8);
    th_enable(h);
    set_all_queues(h);
    cq = th_alloc(h, 4096);
    sq = th_alloc(h, 4096);
    create_idle(h, 1, cq, sq);
    before = heap();
    for (unsigned qid = 2; qid < ALL; qid++) {
        create_idle(h, qid, cq, sq);
    }
    check_heap("a pair of queues that is not used", before, ALL - 2, 512);
    th_create_cq(h, .qid = ALL, .size = 2, .vector = ALL % 2048);
    th_create_sq(h, .qid = ALL, .size = 2);
    g_assert_cmpuint(h->ctrl->nsq, ==, ALL);
    g_assert_cmpuint(h->ctrl->ncq, ==, ALL);
    use(h, ALL, ALL % 2048);
    /* Nobody wrote to those that share their memory. */
    g_assert_cmphex(*(uint64_t *)th_mem(h, cq, 8), ==, 0);
    th_free_pages(h, cq, 4096);
    th_free_pages(h, sq, 4096);
    th_free(h);
}

/* What a controller takes that nobody has enabled. */
static void test_idle(void)
{
    struct th *h = th_new(.multi = true);
    uint64_t before = heap();
    struct envme_ctrl *ctrl;
    char *err = NULL;

    ctrl = envme_ctrl_new(&h->params, h->subsys, &h->ports, &envme_tables,
                          &err);
    g_assert_null(err);
    g_assert_nonnull(ctrl);
    check_heap("a controller that is not used", before, 1, MIB);
    envme_ctrl_leave(ctrl);
    envme_ctrl_free(ctrl);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scale/queues", test_queues);
    g_test_add_func("/scale/idle", test_idle);
    return g_test_run();
}
