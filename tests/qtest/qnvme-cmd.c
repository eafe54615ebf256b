/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues and commands of the tests' NVMe driver. See qnvme.h.
 */
#include "qnvme.h"

QnCq *qn_cq_new(QNvme *q, uint16_t id, uint32_t size, uint16_t vector)
{
    QnCq *cq = g_new0(QnCq, 1);

    cq->id = id;
    cq->size = size;
    cq->vector = vector;
    cq->phase = true;
    cq->addr = qn_alloc(q, size * sizeof(struct envme_cqe));
    qtest_memset(q->qts, cq->addr, 0, size * sizeof(struct envme_cqe));
    return cq;
}

QnSq *qn_sq_new(QNvme *q, uint16_t id, uint32_t size, QnCq *cq)
{
    QnSq *sq = g_new0(QnSq, 1);

    sq->id = id;
    sq->size = size;
    sq->cq = cq;
    sq->addr = qn_alloc(q, size * sizeof(struct envme_sqe));
    return sq;
}

struct envme_sqe qn_sqe(uint8_t opc, uint32_t nsid)
{
    return (struct envme_sqe){ .opc = opc, .nsid = le32(nsid) };
}

struct envme_sqe qn_create_cq(QnCq *cq, bool ien)
{
    struct envme_sqe s = qn_sqe(ENVME_ADM_CREATE_CQ, 0);

    s.dptr.prp1 = le64(cq->addr);
    s.cdw10 = le32(FIELD_SET(ENVME_CREATE_CQ_QID, cq->id) |
                   FIELD_SET(ENVME_CREATE_CQ_QSIZE, cq->size - 1));
    s.cdw11 = le32(ENVME_CREATE_CQ_PC | (ien ? ENVME_CREATE_CQ_IEN : 0) |
                   FIELD_SET(ENVME_CREATE_CQ_IV, cq->vector));
    return s;
}

struct envme_sqe qn_create_sq(QnSq *sq)
{
    struct envme_sqe s = qn_sqe(ENVME_ADM_CREATE_SQ, 0);

    s.dptr.prp1 = le64(sq->addr);
    s.cdw10 = le32(FIELD_SET(ENVME_CREATE_SQ_QID, sq->id) |
                   FIELD_SET(ENVME_CREATE_SQ_QSIZE, sq->size - 1));
    s.cdw11 = le32(ENVME_CREATE_SQ_PC |
                   FIELD_SET(ENVME_CREATE_SQ_CQID, sq->cq->id));
    return s;
}

QnSq *qn_io_queue(QNvme *q, uint16_t id, uint32_t size, int vector)
{
    QnCq *cq = qn_cq_new(q, id, size, vector < 0 ? 0 : vector);
    QnSq *sq = qn_sq_new(q, id, size, cq);
    struct envme_cqe c;

    c = qn_admin(q, qn_create_cq(cq, vector >= 0));
    qn_assert_ok(c);
    c = qn_admin(q, qn_create_sq(sq));
    qn_assert_ok(c);
    return sq;
}

void qn_queue_free(QnSq *sq)
{
    g_free(sq->cq);
    g_free(sq);
}

uint16_t qn_push(QNvme *q, QnSq *sq, struct envme_sqe sqe)
{
    uint16_t cid = q->next_cid++;

    sqe.cid = le16(cid);
    qn_write(q, sq->addr + sq->tail * sizeof(sqe), &sqe, sizeof(sqe));
    sq->tail = (sq->tail + 1) % sq->size;
    return cid;
}

bool qn_peek(QNvme *q, QnCq *cq, struct envme_cqe *cqe)
{
    uint64_t addr = cq->addr + cq->head * sizeof(*cqe);

    if ((qtest_readw(q->qts, addr + 14) & ENVME_CQE_P) != cq->phase) {
        return false;
    }
    qtest_memread(q->qts, addr, cqe, sizeof(*cqe));
    if (++cq->head == cq->size) {
        cq->head = 0;
        cq->phase = !cq->phase;
    }
    return true;
}

static struct envme_cqe await(QNvme *q, QnCq *cq, void (*pause)(QNvme *q))
{
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;
    struct envme_cqe cqe;

    while (!qn_peek(q, cq, &cqe)) {
        if (g_get_monotonic_time() > end) {
            g_test_message("CQ %u: no completion at head %u, CSTS %#x",
                           cq->id, cq->head, qn_csts(q));
            g_assert_not_reached();
        }
        pause(q);
    }
    return cqe;
}

struct envme_cqe qn_await(QNvme *q, QnCq *cq)
{
    return await(q, cq, qn_beat);
}

static void pause_still(QNvme *q)
{
    (void)q;
    g_usleep(50);
}

struct envme_cqe qn_await_still(QNvme *q, QnCq *cq)
{
    return await(q, cq, pause_still);
}

struct envme_cqe qn_reap(QNvme *q, QnCq *cq)
{
    struct envme_cqe cqe = qn_await(q, cq);

    qn_ring_cq(q, cq);
    return cqe;
}

void qn_assert_quiet(QNvme *q, QnCq *cq, unsigned ms)
{
    struct envme_cqe cqe;

    qn_sleep(q, ms);
    g_assert_false(qn_peek(q, cq, &cqe));
}

struct envme_cqe qn_cmd(QNvme *q, QnSq *sq, struct envme_sqe sqe)
{
    uint16_t cid = qn_push(q, sq, sqe);
    struct envme_cqe cqe;

    qn_ring_sq(q, sq);
    cqe = qn_reap(q, sq->cq);
    g_assert_cmphex(le16_get(cqe.cid), ==, cid);
    g_assert_cmphex(le16_get(cqe.sqid), ==, sq->id);
    return cqe;
}

struct envme_cqe qn_admin(QNvme *q, struct envme_sqe sqe)
{
    return qn_cmd(q, q->asq, sqe);
}

uint16_t qn_status(const struct envme_cqe *cqe)
{
    return (le16_get(cqe->sf) & (ENVME_CQE_SCT | ENVME_CQE_SC)) >> 1;
}

struct envme_sqe qn_identify(uint8_t cns, uint32_t nsid, uint64_t prp1)
{
    struct envme_sqe s = qn_sqe(ENVME_ADM_IDENTIFY, nsid);

    s.dptr.prp1 = le64(prp1);
    s.cdw10 = le32(cns);
    return s;
}

struct envme_sqe qn_getlog(uint8_t lid, uint64_t off, uint32_t len,
                           uint64_t prp1)
{
    struct envme_sqe s = qn_sqe(ENVME_ADM_GET_LOG, ENVME_NSID_ALL);
    uint32_t numd = len / 4 - 1;

    s.dptr.prp1 = le64(prp1);
    s.cdw10 = le32(lid | FIELD_SET(ENVME_GETLOG_NUMDL, numd));
    s.cdw11 = le32(FIELD_SET(ENVME_GETLOG_NUMDU, numd >> 16));
    s.cdw12 = le32(off);
    s.cdw13 = le32(off >> 32);
    return s;
}

struct envme_sqe qn_feature(bool set, uint8_t fid, uint32_t cdw11)
{
    struct envme_sqe s = qn_sqe(set ? ENVME_ADM_SET_FEATURES :
                                ENVME_ADM_GET_FEATURES, 0);

    s.cdw10 = le32(fid);
    s.cdw11 = le32(cdw11);
    return s;
}

void qn_set_prps(QNvme *q, struct envme_sqe *sqe, uint64_t buf, size_t len)
{
    size_t first = QN_PAGE - (buf & (QN_PAGE - 1));
    uint64_t next = buf + first, list, prev;
    size_t pages;
    unsigned i = 0;

    sqe->dptr.prp1 = le64(buf);
    sqe->dptr.prp2 = le64(0);
    if (len <= first) {
        return;
    }
    pages = DIV_ROUND_UP(len - first, QN_PAGE);
    if (pages == 1) {
        sqe->dptr.prp2 = le64(next);
        return;
    }
    list = qn_alloc(q, QN_PAGE);
    sqe->dptr.prp2 = le64(list);
    for (; pages; pages--, next += QN_PAGE, i++) {
        if (i == QN_PAGE / 8 - 1 && pages > 1) {
            prev = list;
            list = qn_alloc(q, QN_PAGE);
            qtest_writeq(q->qts, prev + i * 8, list);
            i = 0;
        }
        qtest_writeq(q->qts, list + i * 8, next);
    }
}

struct envme_sqe qn_rw(QNvme *q, uint8_t opc, uint64_t slba, uint32_t nlb,
                       uint64_t buf)
{
    struct envme_sqe s = qn_sqe(opc, 1);

    s.cdw10 = le32(slba);
    s.cdw11 = le32(slba >> 32);
    s.cdw12 = le32(nlb - 1);
    if (opc & ENVME_OPC_DIR) {
        qn_set_prps(q, &s, buf, nlb * 512ull);
    }
    return s;
}

void qn_verify_io(QNvme *q, QnSq *sq, uint64_t slba, uint32_t nlb,
                  uint32_t seed)
{
    size_t len = nlb * 512ull;
    uint64_t out = qn_alloc(q, len), in = qn_alloc(q, len);
    struct envme_cqe c;

    qn_fill(q, out, len, seed);
    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_WRITE, slba, nlb, out));
    qn_assert_ok(c);
    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, slba, nlb, in));
    qn_assert_ok(c);
    g_assert_true(qn_matches(q, in, len, seed));
}
