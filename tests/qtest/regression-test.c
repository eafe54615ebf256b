/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What went wrong in other controllers, without a CVE: one test for each fix
 * (of QEMU's hw/nvme where it has a version number) that has something to say
 * about this one.
 */
#include "qnvme.h"

/* 10.0.3: no subsystem given: CMIC and CTRATT.ENDGRPS are 0. */
static void test_cmic(void)
{
    QNvme *q = qn_start(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c = qn_admin(q, qn_identify(1, 0, buf));

    qn_assert_ok(c);
    g_assert_cmphex(qtest_readb(q->qts, buf + 76), ==, 0);
    g_assert_cmphex(qtest_readl(q->qts, buf + 96) & 1 << 4, ==, 0);
    g_assert_cmphex(qtest_readw(q->qts, buf + 340), ==, 0);
    qn_close(q);
}

/* 10.0.10: Abort with a queue that cannot be. */
static void test_abort_sqid(void)
{
    static const uint16_t ids[] = { 0xffff, 65, 64, 1, 0 };
    QNvme *q = qn_start(NULL);
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(ids); i++) {
        struct envme_sqe s = qn_sqe(ENVME_ADM_ABORT, 0);
        struct envme_cqe c;

        s.cdw10 = le32(ids[i] | 0xfffe0000u);
        c = qn_admin(q, s);
        if (qn_status(&c) == ENVME_SC_SUCCESS) {
            /* Nothing was there to be aborted. */
            g_assert_cmphex(le32_get(c.dw0) & ENVME_ABORT_IANP, ==, 1);
        }
    }
    qn_check_alive(q, true);
    qn_close(q);
}

/*
 * Abort of a command that waits in its queue, because the CQ is full: it ends
 * with that status. And of one that the medium has: that either ends with the
 * status, or ends as if nothing had been and the Abort says so.
 */
static void test_abort_works(void)
{
    QNvme *q = qn_start(&(QnConf){ .drive = QN_SLOW(200000000) });
    QnCq *cq = qn_cq_new(q, 1, 3, 0);
    QnSq *sq = qn_sq_new(q, 1, 16, cq);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_sqe s = qn_sqe(ENVME_ADM_ABORT, 0);
    uint16_t cid[4], st[4] = { 0xffff, 0xffff, 0xffff, 0xffff };
    struct envme_cqe c;
    int i;

    c = qn_admin(q, qn_create_cq(cq, false));
    qn_assert_ok(c);
    c = qn_admin(q, qn_create_sq(sq));
    qn_assert_ok(c);
    for (i = 0; i < 4; i++) {
        cid[i] = qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, i, 1, buf));
    }
    qn_ring_sq(q, sq);
    qn_sleep(q, 2);
    s.cdw10 = le32(FIELD_SET(ENVME_ABORT_SQID, 1) |
                   FIELD_SET(ENVME_ABORT_CID, cid[3]));
    qn_push(q, q->asq, s);
    s.cdw10 = le32(FIELD_SET(ENVME_ABORT_SQID, 1) |
                   FIELD_SET(ENVME_ABORT_CID, cid[0]));
    qn_push(q, q->asq, s);
    qn_ring_sq(q, q->asq);
    /* The Aborts may be answered before or after the commands end. */
    for (i = 0; i < 4; i++) {
        c = qn_reap(q, cq);
        st[le16_get(c.cid) - cid[0]] = qn_status(&c);
    }
    g_assert_cmphex(st[1], ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(st[2], ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(st[3], ==, ENVME_SC_ABORT_REQUESTED);
    for (i = 0; i < 2; i++) {
        bool aborted;

        c = qn_reap(q, q->acq);
        qn_assert_ok(c);
        aborted = !(le32_get(c.dw0) & ENVME_ABORT_IANP);
        if (le16_get(c.cid) == (uint16_t)(q->next_cid - 2)) {
            g_assert_true(aborted);
        } else {
            g_assert_cmphex(st[0], ==, aborted ? ENVME_SC_ABORT_REQUESTED :
                            ENVME_SC_SUCCESS);
        }
    }
    g_free(cq);
    g_free(sq);
    qn_close(q);
}

/* 10.0.12: SGLs that never come to an end. */
static void test_sgl_progress(void)
{
    QNvme *q = qn_start(NULL);
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t seg = qn_alloc(q, QN_PAGE), seg2 = qn_alloc(q, QN_PAGE);
    const struct { const char *what; struct envme_sgl_desc d[3]; } loops[] = {
        { "itself", { { .addr = le64(seg), .len = le32(16),
                        .id = ENVME_SGL_SEGMENT << 4 } } },
        { "empty blocks and itself", {
            { .len = le32(0) }, { .len = le32(0) },
            { .addr = le64(seg), .len = le32(48),
              .id = ENVME_SGL_SEGMENT << 4 } } },
        { "empty buckets and itself", {
            { .id = ENVME_SGL_BIT_BUCKET << 4 },
            { .id = ENVME_SGL_BIT_BUCKET << 4 },
            { .addr = le64(seg), .len = le32(48),
              .id = ENVME_SGL_SEGMENT << 4 } } },
        { "two in turn", {
            { .len = le32(0) }, { .len = le32(0) },
            { .addr = le64(seg2), .len = le32(48),
              .id = ENVME_SGL_SEGMENT << 4 } } },
        { "a last segment that goes on", {
            { .len = le32(0) },
            { .addr = le64(seg), .len = le32(48),
              .id = ENVME_SGL_LAST_SEGMENT << 4 },
            { .len = le32(0) } } },
    };
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(loops); i++) {
        struct envme_sqe s = qn_rw(q, ENVME_NVM_READ, 0, 1, seg2);
        struct envme_sgl_desc back = {
            .addr = le64(seg), .len = le32(48),
            .id = ENVME_SGL_SEGMENT << 4 };
        struct envme_cqe c;

        g_test_message("%s", loops[i].what);
        qn_write(q, seg, loops[i].d, sizeof(loops[i].d));
        qtest_memset(q->qts, seg2, 0, 32);
        qn_write(q, seg2 + 32, &back, sizeof(back));
        s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL);
        s.dptr.sgl = (struct envme_sgl_desc){
            .addr = le64(seg), .len = le32(i ? 48 : 16),
            .id = ENVME_SGL_SEGMENT << 4 };
        c = qn_cmd(q, sq, s);
        g_assert_cmphex(qn_status(&c), !=, ENVME_SC_SUCCESS);
    }
    qn_check_alive(q, true);
    qn_queue_free(sq);
    qn_close(q);
}

/* A PRP list that names itself. */
static void test_prp_self_list(void)
{
    QNvme *q = qn_start(NULL);
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t list = qn_alloc(q, QN_PAGE);
    struct envme_sqe s = qn_rw(q, ENVME_NVM_WRITE, 0, 1, list);
    unsigned i;

    for (i = 0; i < QN_PAGE / 8; i++) {
        qtest_writeq(q->qts, list + 8 * i, list);
    }
    s.cdw12 = le32(0xffff);
    s.dptr.prp2 = le64(list);
    qn_cmd(q, sq, s);           /* any status: it ends */
    s.opc = ENVME_NVM_READ;
    s.cdw12 = le32(255);
    qn_cmd(q, sq, s);
    qn_check_alive(q, true);
    qn_queue_free(sq);
    qn_close(q);
}

/* 10.0.13: an SQ is deleted while AERs are outstanding. */
static void test_aer_delete_sq(void)
{
    QNvme *q = qn_start(NULL);
    int i, round;

    for (i = 0; i < 3; i++) {
        qn_push(q, q->asq, qn_sqe(ENVME_ADM_AER, 0));
    }
    qn_ring_sq(q, q->asq);
    qn_assert_quiet(q, q->acq, 2);
    for (round = 0; round < 3; round++) {
        QnSq *sq = qn_io_queue(q, 1, 16, -1);
        struct envme_sqe s = qn_sqe(ENVME_ADM_DELETE_SQ, 0);
        struct envme_cqe c;

        s.cdw10 = le32(1);
        c = qn_admin(q, s);
        qn_assert_ok(c);
        s.opc = ENVME_ADM_DELETE_CQ;
        c = qn_admin(q, s);
        qn_assert_ok(c);
        qn_queue_free(sq);
    }
    qn_disable(q);
    qn_enable(q);
    /* They were forgotten, not failed. */
    qn_assert_quiet(q, q->acq, 5);
    qn_check_alive(q, true);
    qn_close(q);
}

/* AERs hold no place in a small admin CQ, and have a limit. */
static void test_aer_limit(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    unsigned limit, i;
    struct envme_cqe c;

    qn_admin_queues(q, 8, 3);
    qn_enable_cc(q, QN_CC);
    c = qn_admin(q, qn_identify(1, 0, buf));
    qn_assert_ok(c);
    limit = qtest_readb(q->qts, buf + 259) + 1;
    for (i = 0; i < limit; i++) {
        qn_push(q, q->asq, qn_sqe(ENVME_ADM_AER, 0));
        qn_ring_sq(q, q->asq);
        qn_assert_quiet(q, q->acq, 1);
    }
    c = qn_admin(q, qn_sqe(ENVME_ADM_AER, 0));
    qn_assert_sc(c, ENVME_SC_AER_LIMIT);
    for (i = 0; i < 20; i++) {
        c = qn_admin(q, qn_identify(1, 0, buf));
        qn_assert_ok(c);
    }
    qn_close(q);
}

/* bhyve PR 264177: PRP1 is 0. */
static void test_prp1_zero(void)
{
    QNvme *q = qn_start(NULL);
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    struct envme_sqe s = qn_rw(q, ENVME_NVM_READ, 0, 8, 0);

    qn_cmd(q, sq, s);
    s.dptr.prp2 = le64(0);
    s.cdw12 = le32(255);
    qn_cmd(q, sq, s);
    s.opc = ENVME_NVM_WRITE;
    s.cdw12 = le32(15);
    qn_cmd(q, sq, s);
    qn_check_alive(q, true);
    qn_queue_free(sq);
    qn_close(q);
}

/* PRPs for `pages` pages, all of them the same eight in turn. */
static void cyclic_prps(QNvme *q, struct envme_sqe *s, uint64_t buf,
                        unsigned pages)
{
    unsigned per = QN_PAGE / 8, i, at = 0;
    uint64_t list = qn_alloc(q, QN_PAGE);
    g_autofree uint64_t *entry = g_new0(uint64_t, per);

    s->dptr.prp1 = le64(buf);
    s->dptr.prp2 = le64(pages == 2 ? buf + QN_PAGE : list);
    for (i = 1; i < pages; i++) {
        if (at == per - 1 && i + 1 < pages) {
            uint64_t next = qn_alloc(q, QN_PAGE);

            entry[at] = next;
            qn_write(q, list, entry, QN_PAGE);
            list = next;
            at = 0;
        }
        entry[at++] = buf + i % 8 * QN_PAGE;
    }
    qn_write(q, list, entry, QN_PAGE);
}

/* 10.0.3: a command as long as MDTS allows, in single pages, and without a
 * limit as long as there is. */
static void test_mdts(const void *data)
{
    enum { CYCLE = 8 * QN_PAGE };
    QNvme *q = qn_start(&(QnConf){ .props = data });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, CYCLE), back = qn_alloc(q, CYCLE);
    struct envme_cqe c = qn_admin(q, qn_identify(1, 0, buf));
    unsigned mdts = qtest_readb(q->qts, buf + 77);
    /* NLB has 16 bits. */
    uint32_t blocks = mdts && mdts < 13 ? 8u << mdts : 65536;
    uint32_t last = blocks > 64 ? blocks - 64 : 0;
    struct envme_sqe s;

    qn_assert_ok(c);
    qn_fill(q, buf, CYCLE, 3);
    s = qn_rw(q, ENVME_NVM_WRITE, 0, 1, buf);
    s.cdw12 = le32(blocks - 1);
    cyclic_prps(q, &s, buf, blocks / 8);
    c = qn_cmd(q, sq, s);
    qn_assert_ok(c);
    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, last, MIN(blocks, 64), back));
    qn_assert_ok(c);
    g_assert_true(qn_matches(q, back, MIN(blocks, 64) * 512, 3));
    s.opc = ENVME_NVM_READ;
    cyclic_prps(q, &s, back, blocks / 8);
    qtest_memset(q->qts, back, 0, CYCLE);
    c = qn_cmd(q, sq, s);
    qn_assert_ok(c);
    g_assert_true(qn_matches(q, back, MIN(blocks, 64) * 512, 3));
    if (blocks < 65536) {
        s.cdw12 = le32(blocks);
        cyclic_prps(q, &s, back, blocks / 8 + 1);
        c = qn_cmd(q, sq, s);
        qn_assert_sc(c, ENVME_SC_INVALID_FIELD);
    }
    qn_check_alive(q, true);
    qn_queue_free(sq);
    qn_close(q);
}

/* LBAs at and past the end, and where the sum wraps. */
static void test_lba_range(void)
{
    QNvme *q = qn_start(NULL);
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, QN_PAGE), n = QN_DRIVE_SIZE / 512;
    const struct { uint64_t slba; uint32_t nlb; uint16_t st; } t[] = {
        { n - 1, 1, 0 },
        { n, 1, ENVME_SC_LBA_RANGE },
        { n - 1, 2, ENVME_SC_LBA_RANGE },
        { UINT64_MAX, 1, ENVME_SC_LBA_RANGE },
        { UINT64_MAX - 3, 8, ENVME_SC_LBA_RANGE },
        { UINT64_MAX / 512, 8, ENVME_SC_LBA_RANGE },
        { UINT64_MAX / 512 + 1, 1, ENVME_SC_LBA_RANGE },
        { 1ull << 55, 1, ENVME_SC_LBA_RANGE },
    };
    static const uint8_t opcs[] = {
        ENVME_NVM_READ, ENVME_NVM_WRITE, ENVME_NVM_COMPARE,
        ENVME_NVM_WRITE_ZEROES, ENVME_NVM_VERIFY,
    };
    unsigned i, k;

    qn_fill(q, buf, QN_PAGE, 0);
    for (i = 0; i < G_N_ELEMENTS(t); i++) {
        for (k = 0; k < G_N_ELEMENTS(opcs); k++) {
            struct envme_cqe c = qn_cmd(q, sq, qn_rw(q, opcs[k], t[i].slba,
                                                     t[i].nlb, buf));

            if (t[i].st || opcs[k] != ENVME_NVM_COMPARE) {
                qn_assert_sc(c, t[i].st);
            }
        }
    }
    qn_check_alive(q, true);
    qn_queue_free(sq);
    qn_close(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add("/regression/10.0.3-cmic", test_cmic, 0);
    qn_add_data("/regression/10.0.3-mdts-0", "mdts=0", test_mdts, 0);
    qn_add_data("/regression/10.0.3-mdts-1", "mdts=1", test_mdts, 0);
    qn_add_data("/regression/10.0.3-mdts-7", "mdts=7", test_mdts, 0);
    qn_add("/regression/10.0.10-abort-sqid", test_abort_sqid, 0);
    qn_add("/regression/abort-works", test_abort_works, 0);
    qn_add("/regression/10.0.12-sgl-progress", test_sgl_progress, 0);
    qn_add("/regression/prp-self-list", test_prp_self_list, 0);
    qn_add("/regression/10.0.13-aer-delete-sq", test_aer_delete_sq, 0);
    qn_add("/regression/aer-limit", test_aer_limit, 0);
    qn_add("/regression/bhyve-prp1-zero", test_prp1_zero, 0);
    qn_add("/regression/lba-range", test_lba_range, 0);
    return g_test_run();
}
