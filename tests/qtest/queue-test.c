/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Admin and I/O queues, doorbells and the events of bad ones. Base 2.1, 3.3
 * and 5.2; PCIe Transport 1.1, 3.1.2.
 */
#include "qnvme.h"

static void test_identify(void)
{
    QNvme *q = qn_start(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    uint8_t id[4096];
    struct envme_cqe c;
    uint64_t nsze;
    int i;

    qn_fill(q, buf, QN_PAGE, 1);
    c = qn_admin(q, qn_identify(1, 0, buf));
    qn_assert_ok(c);
    qn_read(q, buf, id, sizeof(id));
    g_assert_cmpmem(id + 4, 20, "qtest               ", 20);
    g_assert_cmphex(id[0] | id[1] << 8, ==,
                    qpci_config_readw(q->pdev, PCI_VENDOR_ID));
    g_assert_cmphex(id[2] | id[3] << 8, ==,
                    qpci_config_readw(q->pdev, PCI_SUBSYSTEM_VENDOR_ID));
    g_assert_cmphex(id[512], ==, 0x66);     /* SQES */
    g_assert_cmphex(id[513], ==, 0x44);     /* CQES */

    qn_fill(q, buf, QN_PAGE, 2);
    c = qn_admin(q, qn_identify(0, 1, buf));
    qn_assert_ok(c);
    nsze = qtest_readq(q->qts, buf);
    g_assert_cmphex(nsze, ==, QN_DRIVE_SIZE / 512);

    qn_fill(q, buf, QN_PAGE, 3);
    c = qn_admin(q, qn_identify(2, 0, buf));
    qn_assert_ok(c);
    g_assert_cmphex(qtest_readq(q->qts, buf), ==, 1);   /* NSID 1 and end */

    /* Every CNS: success or an error, never silence; success fills all. */
    for (i = 0; i < 256; i++) {
        c = qn_admin(q, qn_identify(i, i == 2 ? 0 : 1, buf));
        if (qn_status(&c) != ENVME_SC_SUCCESS) {
            g_assert_cmphex(qn_status(&c), !=, ENVME_SC_INVALID_OPCODE);
        }
    }
    qn_close(q);
}

/* Three times around the admin queue, and over a page's edge. */
static void test_admin_wrap(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t buf = qn_alloc(q, 2 * QN_PAGE);
    struct envme_sqe s;
    struct envme_cqe c;
    int i;

    qn_admin_queues(q, 5, 3);
    qn_enable_cc(q, QN_CC);
    for (i = 0; i < 17; i++) {
        s = qn_identify(1, 0, buf + 0x800 + 4 * i);
        s.dptr.prp2 = le64(buf + QN_PAGE);
        c = qn_admin(q, s);
        qn_assert_ok(c);
        g_assert_cmpuint(le16_get(c.sqhd), ==, (i + 1) % 5);
    }
    qn_close(q);
}

/* More commands than the CQ holds: nothing is overwritten or lost. */
static void test_cq_full(void)
{
    QNvme *q = qn_start(NULL);
    QnCq *cq = qn_cq_new(q, 1, 4, 0);
    QnSq *sq = qn_sq_new(q, 1, 64, cq);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    uint32_t seen = 0;
    struct envme_cqe c;
    int i, n = 0;

    c = qn_admin(q, qn_create_cq(cq, false));
    qn_assert_ok(c);
    c = qn_admin(q, qn_create_sq(sq));
    qn_assert_ok(c);
    q->next_cid = 0;
    for (i = 0; i < 30; i++) {
        qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, i, 1, buf));
    }
    qn_ring_sq(q, sq);
    /* A queue of 4 holds 3. */
    for (; n < 3; n++) {
        c = qn_await(q, cq);
        seen |= 1u << le16_get(c.cid);
    }
    qn_assert_quiet(q, cq, 10);
    for (; n < 30; n++) {
        qn_ring_cq(q, cq);
        c = qn_await(q, cq);
        qn_assert_ok(c);
        seen |= 1u << le16_get(c.cid);
    }
    g_assert_cmphex(seen, ==, (1u << 30) - 1);
    qn_ring_cq(q, cq);
    qn_assert_quiet(q, cq, 5);
    g_free(sq);
    g_free(cq);
    qn_close(q);
}

static uint16_t try_cq(QNvme *q, uint16_t id, uint32_t size, uint64_t addr,
                       uint32_t cdw11)
{
    struct envme_sqe s = qn_sqe(ENVME_ADM_CREATE_CQ, 0);
    struct envme_cqe c;

    s.dptr.prp1 = le64(addr);
    s.cdw10 = le32(id | (size - 1) << 16);
    s.cdw11 = le32(cdw11);
    c = qn_admin(q, s);
    return qn_status(&c);
}

static uint16_t try_sq(QNvme *q, uint16_t id, uint32_t size, uint64_t addr,
                       uint32_t cdw11)
{
    struct envme_sqe s = qn_sqe(ENVME_ADM_CREATE_SQ, 0);
    struct envme_cqe c;

    s.dptr.prp1 = le64(addr);
    s.cdw10 = le32(id | (size - 1) << 16);
    s.cdw11 = le32(cdw11);
    c = qn_admin(q, s);
    return qn_status(&c);
}

static uint16_t try_delete(QNvme *q, uint8_t opc, uint16_t id)
{
    struct envme_sqe s = qn_sqe(opc, 0);
    struct envme_cqe c;

    s.cdw10 = le32(id);
    c = qn_admin(q, s);
    return qn_status(&c);
}

static void test_create_errors(void)
{
    QNvme *q = qn_start(&(QnConf){
        .props = "max_ioqpairs=4,msix_qsize=3,mqes=63" });
    uint64_t a = qn_alloc(q, QN_PAGE), b = qn_alloc(q, QN_PAGE);
    const uint32_t pc = ENVME_CREATE_CQ_PC, ien = ENVME_CREATE_CQ_IEN;

    qn_msix_enable(q);
    g_assert_cmphex(try_cq(q, 0, 16, a, pc), ==, ENVME_SC_QID_INVALID);
    g_assert_cmphex(try_cq(q, 5, 16, a, pc), ==, ENVME_SC_QID_INVALID);
    g_assert_cmphex(try_cq(q, 0xffff, 16, a, pc), ==, ENVME_SC_QID_INVALID);
    g_assert_cmphex(try_cq(q, 1, 1, a, pc), ==, ENVME_SC_QUEUE_SIZE_INVALID);
    g_assert_cmphex(try_cq(q, 1, 65, a, pc), ==,
                    ENVME_SC_QUEUE_SIZE_INVALID);
    g_assert_cmphex(try_cq(q, 1, 65536, a, pc), ==,
                    ENVME_SC_QUEUE_SIZE_INVALID);
    g_assert_cmphex(try_cq(q, 1, 16, a + 8, pc), ==,
                    ENVME_SC_PRP_OFFSET_INVALID);
    g_assert_cmphex(try_cq(q, 1, 16, a, 0), ==, ENVME_SC_INVALID_FIELD);
    g_assert_cmphex(try_cq(q, 1, 16, a, pc | ien | 3 << 16), ==,
                    ENVME_SC_VECTOR_INVALID);
    g_assert_cmphex(try_cq(q, 1, 16, a, pc | ien | 0xffffu << 16), ==,
                    ENVME_SC_VECTOR_INVALID);
    g_assert_cmphex(try_cq(q, 1, 16, a, pc | ien | 2 << 16), ==, 0);
    g_assert_cmphex(try_cq(q, 1, 16, a, pc), ==, ENVME_SC_QID_INVALID);

    /* The admin CQ and what is out of range; then what just is not there. */
    g_assert_cmphex(try_sq(q, 1, 16, b, pc), ==, ENVME_SC_QID_INVALID);
    g_assert_cmphex(try_sq(q, 1, 16, b, pc | 2 << 16), ==,
                    ENVME_SC_CQ_INVALID);
    g_assert_cmphex(try_sq(q, 1, 16, b, pc | 0xffffu << 16), ==,
                    ENVME_SC_QID_INVALID);
    g_assert_cmphex(try_sq(q, 0, 16, b, pc | 1 << 16), ==,
                    ENVME_SC_QID_INVALID);
    g_assert_cmphex(try_sq(q, 5, 16, b, pc | 1 << 16), ==,
                    ENVME_SC_QID_INVALID);
    g_assert_cmphex(try_sq(q, 2, 1, b, pc | 1 << 16), ==,
                    ENVME_SC_QUEUE_SIZE_INVALID);
    g_assert_cmphex(try_sq(q, 2, 65, b, pc | 1 << 16), ==,
                    ENVME_SC_QUEUE_SIZE_INVALID);
    g_assert_cmphex(try_sq(q, 2, 16, b + 64, pc | 1 << 16), ==,
                    ENVME_SC_PRP_OFFSET_INVALID);
    g_assert_cmphex(try_sq(q, 2, 16, b, 1 << 16), ==,
                    ENVME_SC_INVALID_FIELD);
    g_assert_cmphex(try_sq(q, 2, 16, b, pc | 1 << 16), ==, 0);
    g_assert_cmphex(try_sq(q, 2, 16, b, pc | 1 << 16), ==,
                    ENVME_SC_QID_INVALID);

    g_assert_cmphex(try_delete(q, ENVME_ADM_DELETE_CQ, 1), ==,
                    ENVME_SC_QUEUE_DELETION);
    g_assert_cmphex(try_delete(q, ENVME_ADM_DELETE_CQ, 0), ==,
                    ENVME_SC_QID_INVALID);
    g_assert_cmphex(try_delete(q, ENVME_ADM_DELETE_SQ, 0), ==,
                    ENVME_SC_QID_INVALID);
    g_assert_cmphex(try_delete(q, ENVME_ADM_DELETE_SQ, 1), ==,
                    ENVME_SC_QID_INVALID);
    g_assert_cmphex(try_delete(q, ENVME_ADM_DELETE_SQ, 0xffff), ==,
                    ENVME_SC_QID_INVALID);
    g_assert_cmphex(try_delete(q, ENVME_ADM_DELETE_SQ, 2), ==, 0);
    g_assert_cmphex(try_delete(q, ENVME_ADM_DELETE_CQ, 1), ==, 0);
    g_assert_cmphex(try_delete(q, ENVME_ADM_DELETE_CQ, 1), ==,
                    ENVME_SC_QID_INVALID);
    qn_check_alive(q, true);
    qn_close(q);
}

/* Several SQs post to one CQ, which knows them apart. */
static void test_many_sqs_one_cq(void)
{
    enum { N = 8 };
    QNvme *q = qn_start(NULL);
    QnCq *cq = qn_cq_new(q, 1, 256, 0);
    QnSq *sq[N];
    uint64_t buf = qn_alloc(q, QN_PAGE);
    unsigned got[N + 1] = { 0 };
    struct envme_cqe c;
    int i, n;

    c = qn_admin(q, qn_create_cq(cq, false));
    qn_assert_ok(c);
    for (i = 0; i < N; i++) {
        sq[i] = qn_sq_new(q, i + 1, 32, cq);
        c = qn_admin(q, qn_create_sq(sq[i]));
        qn_assert_ok(c);
    }
    for (n = 0; n < 20; n++) {
        for (i = 0; i < N; i++) {
            qn_push(q, sq[i], qn_rw(q, ENVME_NVM_READ, n, 1, buf));
        }
    }
    for (i = 0; i < N; i++) {
        qn_ring_sq(q, sq[i]);
    }
    for (n = 0; n < 20 * N; n++) {
        c = qn_reap(q, cq);
        qn_assert_ok(c);
        g_assert_cmpuint(le16_get(c.sqid), <=, N);
        got[le16_get(c.sqid)]++;
    }
    for (i = 0; i < N; i++) {
        g_assert_cmpuint(got[i + 1], ==, 20);
        g_free(sq[i]);
    }
    g_free(cq);
    qn_close(q);
}

static void test_large_ids(void)
{
    QNvme *q = qn_start(&(QnConf){ .props = "max_ioqpairs=65535" });
    uint64_t rss = qn_rss_kib(q);
    static const uint16_t ids[] = { 65535, 65534, 32768, 4097, 255 };
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(ids); i++) {
        QnSq *sq = qn_io_queue(q, ids[i], 16, -1);

        qn_verify_io(q, sq, i * 64, 32, ids[i]);
        qn_queue_free(sq);
    }
    /* Nothing is proportional to the largest identifier times a queue. */
    g_assert_cmpuint(qn_rss_kib(q), <, rss + 16 * 1024);
    /* A doorbell of a queue that does not exist. */
    qn_w4(q, qn_db_off(q, 2 * 60000), 1);
    qn_w4(q, qn_db_off(q, 2 * 60000 + 1), 1);
    qn_check_alive(q, true);
    qn_close(q);
}

static void test_largest_queue(void)
{
    QNvme *q = qn_start(&(QnConf){ .props = "mqes=65535" });
    QnSq *sq = qn_io_queue(q, 1, 65536, -1);
    QnCq *cq = sq->cq;
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c;
    int i;

    /* Up to the wrap and past it; the tail goes in one big step. */
    for (i = 0; i < 3; i++) {
        struct envme_sqe s = qn_rw(q, ENVME_NVM_READ, i, 1, buf);
        int n;

        for (n = 0; n < 60; n++) {
            qn_push(q, sq, s);
        }
        qn_ring_sq(q, sq);
        for (n = 0; n < 60; n++) {
            c = qn_reap(q, cq);
            qn_assert_ok(c);
        }
    }
    g_free(sq);
    g_free(cq);
    qn_close(q);
}

/* CAP.CQR 0: queues whose pages a PRP list names, in any order. */
static void test_discontiguous(void)
{
    enum { PAGES = 3, SQE_N = PAGES * 64, CQE_N = PAGES * 256 };
    QNvme *q = qn_start(&(QnConf){ .props = "cqr=off" });
    uint64_t page[2 * PAGES], list = qn_alloc(q, 2 * QN_PAGE), buf;
    struct envme_sqe s;
    struct envme_cqe c;
    unsigned i, cqh = 0, phase = 1;

    g_assert_cmphex(q->cap & ENVME_CAP_CQR, ==, 0);
    for (i = 0; i < 2 * PAGES; i++) {
        page[2 * PAGES - 1 - i] = qn_alloc(q, QN_PAGE);
        qtest_memset(q->qts, page[2 * PAGES - 1 - i], 0, QN_PAGE);
        qn_alloc(q, QN_PAGE);
    }
    for (i = 0; i < PAGES; i++) {
        qtest_writeq(q->qts, list + 8 * i, page[i]);
        qtest_writeq(q->qts, list + QN_PAGE + 8 * i, page[PAGES + i]);
    }
    buf = qn_alloc(q, QN_PAGE);
    g_assert_cmphex(try_cq(q, 1, CQE_N, list, 0), ==, 0);
    g_assert_cmphex(try_sq(q, 1, SQE_N, list + QN_PAGE, 1 << 16), ==, 0);
    for (i = 0; i < 2 * CQE_N + 5; i++) {
        unsigned slot = i % SQE_N;
        uint64_t ce = page[cqh / 256] + cqh % 256 * 16;
        gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;

        s = qn_rw(q, ENVME_NVM_READ, i, 1, buf);
        s.cid = le16(i);
        qn_write(q, page[PAGES + slot / 64] + slot % 64 * 64, &s, sizeof(s));
        qn_w4(q, qn_db_off(q, 2), (slot + 1) % SQE_N);
        while ((qtest_readw(q->qts, ce + 14) & 1) != phase) {
            g_assert_cmpint(g_get_monotonic_time(), <, end);
            qn_beat(q);
        }
        qtest_memread(q->qts, ce, &c, sizeof(c));
        qn_assert_ok(c);
        g_assert_cmpuint(le16_get(c.cid), ==, i);
        if (++cqh == CQE_N) {
            cqh = 0;
            phase ^= 1;
        }
        qn_w4(q, qn_db_off(q, 3), cqh);
    }
    qn_close(q);
}

/* ---- doorbells --------------------------------------------------------- */

enum { AEN_ERROR = 0, AEN_BAD_DB_REG = 0, AEN_BAD_DB_VALUE = 1, LID_ERROR = 1 };

static void expect_event(QNvme *q, uint8_t info)
{
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c = qn_reap(q, q->acq);
    uint32_t dw0 = le32_get(c.dw0);

    qn_assert_ok(c);
    g_assert_cmphex(FIELD_GET(ENVME_AER_TYPE, dw0), ==, AEN_ERROR);
    g_assert_cmphex(FIELD_GET(ENVME_AER_INFO, dw0), ==, info);
    g_assert_cmphex(FIELD_GET(ENVME_AER_LID, dw0), ==, LID_ERROR);
    /* Reading the log clears the event's mask. */
    c = qn_admin(q, qn_getlog(LID_ERROR, 0, 64, buf));
    qn_assert_ok(c);
    g_assert_cmpuint(qtest_readq(q->qts, buf), >, 0);   /* error count */
}

static void post_aer(QNvme *q)
{
    qn_push(q, q->asq, qn_sqe(ENVME_ADM_AER, 0));
    qn_ring_sq(q, q->asq);
    qn_assert_quiet(q, q->acq, 2);
}

static void check_bad_doorbells(const char *props)
{
    QNvme *q = qn_start(&(QnConf){ .props = props });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    QnCq *cq = sq->cq;

    qn_verify_io(q, sq, 0, 16, 1);
    post_aer(q);
    qn_w4(q, qn_db_off(q, 2), 16);          /* SQ 1: tail == size */
    expect_event(q, AEN_BAD_DB_VALUE);
    post_aer(q);
    qn_w4(q, qn_db_off(q, 2), 0xffff);
    expect_event(q, AEN_BAD_DB_VALUE);
    post_aer(q);
    qn_w4(q, qn_db_off(q, 3), 16);          /* CQ 1 */
    expect_event(q, AEN_BAD_DB_VALUE);
    post_aer(q);
    qn_w4(q, qn_db_off(q, 4), 1);           /* SQ 2 does not exist */
    expect_event(q, AEN_BAD_DB_REG);
    post_aer(q);
    qn_w4(q, qn_db_off(q, 5), 1);
    expect_event(q, AEN_BAD_DB_REG);
    qn_verify_io(q, sq, 32, 16, 2);
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
    g_free(sq);
    g_free(cq);
    qn_close(q);
}

static void test_bad_doorbells(void)
{
    check_bad_doorbells(NULL);
}

/* The doorbell stride is a property. */
static void test_dstrd(const void *data)
{
    const char *props = data;
    QNvme *q = qn_start(&(QnConf){ .props = props });
    unsigned want = atoi(props + strlen("dstrd="));
    QnSq *sq[3];
    int i;

    g_assert_cmpuint(q->dstrd, ==, want);
    for (i = 0; i < 3; i++) {
        sq[i] = qn_io_queue(q, i + 1, 16, -1);
    }
    for (i = 0; i < 60; i++) {
        qn_verify_io(q, sq[i % 3], 16 * i, 8, i);
    }
    /* Between the doorbells there is nothing. */
    qn_w4(q, qn_db_off(q, 2) + 4, 15);
    qn_w4(q, qn_db_off(q, 3) - 4, 15);
    qn_assert_quiet(q, sq[0]->cq, 2);
    for (i = 0; i < 3; i++) {
        qn_queue_free(sq[i]);
    }
    qn_close(q);
    check_bad_doorbells(props);
}

/* bhyve PR 256317: doorbells before the controller is ready. */
static void test_doorbell_before_ready(void)
{
    QNvme *q = qn_open(NULL);
    QnSq *sq;
    QnCq *cq;
    unsigned i;

    for (i = 0; i < 20; i++) {
        qn_w4(q, qn_db_off(q, i), i + 1);
        qn_w4(q, qn_db_off(q, i), 0xffffffff);
    }
    qn_admin_queues(q, 32, 32);
    for (i = 0; i < 20; i++) {
        qn_w4(q, qn_db_off(q, i), 5);
    }
    qn_enable_cc(q, QN_CC);
    qn_assert_quiet(q, q->acq, 5);
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
    qn_check_alive(q, true);
    /* And after a reset, to queues that were there before it. */
    sq = qn_io_queue(q, 3, 16, -1);
    cq = sq->cq;
    qn_disable(q);
    qn_w4(q, qn_db_off(q, 6), 3);
    qn_w4(q, qn_db_off(q, 7), 3);
    qn_w4(q, qn_db_off(q, 0), 3);
    qn_enable(q);
    qn_assert_quiet(q, q->acq, 5);
    qn_check_alive(q, true);
    g_free(sq);
    g_free(cq);
    qn_close(q);
}

/* The same value again, and the CQ head that passes the tail. */
static void test_odd_doorbells(void)
{
    QNvme *q = qn_start(NULL);
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    QnCq *cq = sq->cq;
    int i;

    for (i = 0; i < 10; i++) {
        qn_ring_sq(q, sq);
        qn_ring_cq(q, cq);
    }
    qn_assert_quiet(q, cq, 2);
    qn_verify_io(q, sq, 0, 8, 5);
    qn_ring_cq(q, cq);
    qn_w4(q, qn_db_off(q, 3), cq->head + 5);    /* past what was posted */
    qn_sleep(q, 2);
    qn_w4(q, qn_db_off(q, 3), cq->head);
    qn_check_alive(q, true);
    g_free(sq);
    g_free(cq);
    qn_close(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add("/queue/identify", test_identify, QN_SMOKE);
    qn_add("/queue/admin-wrap", test_admin_wrap, QN_SMOKE);
    qn_add("/queue/cq-full", test_cq_full, QN_SMOKE);
    qn_add("/queue/create-errors", test_create_errors, 0);
    qn_add("/queue/many-sqs-one-cq", test_many_sqs_one_cq, 0);
    qn_add("/queue/large-ids", test_large_ids, 0);
    qn_add("/queue/largest", test_largest_queue, 0);
    qn_add("/queue/discontiguous", test_discontiguous, 0);
    qn_add("/doorbell/bad", test_bad_doorbells, QN_SMOKE);
    qn_add_data("/doorbell/dstrd-1", "dstrd=1", test_dstrd, 0);
    qn_add_data("/doorbell/dstrd-4", "dstrd=4", test_dstrd, 0);
    qn_add_data("/doorbell/dstrd-8", "dstrd=8", test_dstrd, 0);
    qn_add("/doorbell/before-ready", test_doorbell_before_ready, 0);
    qn_add("/doorbell/odd", test_odd_doorbells, 0);
    return g_test_run();
}
