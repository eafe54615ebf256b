/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake host: a tiny NVMe driver. It distrusts the controller: a completion
 * must belong to a command that is outstanding on the queue it names.
 */
#include "th-int.h"

#define MAX_QID 65536

void th_drv_init(struct th *h)
{
    h->cq = g_new0(struct th_cq *, MAX_QID);
    h->sq = g_new0(struct th_sq *, MAX_QID);
}

static void drv_drop_cq(struct th *h, unsigned id)
{
    struct th_cq *q = h->cq[id];
    unsigned i;

    if (!q) {
        return;
    }
    for (i = 0; q->pages && i < (q->size * 16ull + h->page - 1) / h->page;
         i++) {
        th_free_pages(h, q->pages[i], h->page);
    }
    if (q->pages) {
        th_free_pages(h, q->list, h->page);
        g_free(q->pages);
    } else {
        th_free_pages(h, q->base, q->size * 16ull);
    }
    g_free(q);
    h->cq[id] = NULL;
}

static void drv_drop_sq(struct th *h, unsigned id)
{
    struct th_sq *q = h->sq[id];
    unsigned i;

    if (!q) {
        return;
    }
    for (i = 0; q->pages && i < (q->size * 64ull + h->page - 1) / h->page;
         i++) {
        th_free_pages(h, q->pages[i], h->page);
    }
    if (q->pages) {
        th_free_pages(h, q->list, h->page);
        g_free(q->pages);
    } else {
        th_free_pages(h, q->base, q->size * 64ull);
    }
    g_hash_table_unref(q->cmds);
    g_free(q);
    h->sq[id] = NULL;
}

void th_forget(struct th *h)
{
    unsigned i;

    for (i = 0; i <= h->max_qid; i++) {
        drv_drop_cq(h, i);
        drv_drop_sq(h, i);
    }
    h->max_qid = 0;
    if (atomic_exchange(&h->shadow, false)) {
        th_free_pages(h, h->shadow_db, h->page);
        th_free_pages(h, h->shadow_ei, h->page);
    }
}

void th_drv_fini(struct th *h)
{
    th_forget(h);
    g_free(h->cq);
    g_free(h->sq);
}

/* ---- submission -------------------------------------------------------- */

static void *drv_entry(struct th *h, uint64_t base, const uint64_t *pages,
                       uint64_t off, unsigned len)
{
    return th_mem(h, pages ? pages[off / h->page] + off % h->page : base + off,
                  len);
}

uint16_t th_put(struct th *h, uint16_t qid, struct envme_sqe *sqe)
{
    struct th_sq *q = h->sq[qid];
    struct th_cmd *c;
    uint16_t cid;

    g_assert(q && q->live);
    if ((q->tail + 1) % q->size == q->head) {
        g_error("the test overruns SQ %u", qid);
    }
    do {
        cid = q->next_cid++;
    } while (cid == 0xffff ||
             g_hash_table_contains(q->cmds, GUINT_TO_POINTER(cid)));
    sqe->cid = le16(cid);
    c = g_new0(struct th_cmd, 1);
    c->sqe = *sqe;
    g_hash_table_insert(q->cmds, GUINT_TO_POINTER(cid), c);
    q->nout++;
    memcpy(drv_entry(h, q->base, q->pages, q->tail * 64ull, 64), sqe, 64);
    q->tail = (q->tail + 1) % q->size;
    return cid;
}

void th_ring(struct th *h, uint16_t qid)
{
    th_db(h, false, qid, h->sq[qid]->tail);
}

uint16_t th_submit(struct th *h, uint16_t qid, const struct envme_sqe *sqe)
{
    struct envme_sqe s = *sqe;
    uint16_t cid = th_put(h, qid, &s);

    th_ring(h, qid);
    return cid;
}

/* ---- completion -------------------------------------------------------- */

static void drv_completion(struct th *h, struct th_cq *cq,
                           const struct envme_cqe *cqe)
{
    uint16_t sqid = le16_get(cqe->sqid), cid = le16_get(cqe->cid);
    struct th_sq *q = h->sq[sqid];
    struct th_cmd *c;

    if (!q || q->cqid != cq->id) {
        g_error("CQ %u has a completion of SQ %u", cq->id, sqid);
    }
    c = g_hash_table_lookup(q->cmds, GUINT_TO_POINTER(cid));
    if (!c || c->done) {
        g_error("CQ %u completes SQ %u CID %u, which is not outstanding"
                " (status %s)", cq->id, sqid, cid, th_sc_name(cqe_sc(cqe)));
    }
    if (le16_get(cqe->sqhd) >= q->size) {
        g_error("SQHD %u of SQ %u is past its end", le16_get(cqe->sqhd), sqid);
    }
    q->head = le16_get(cqe->sqhd);
    q->nout--;
    if (c->abandoned) {
        g_hash_table_remove(q->cmds, GUINT_TO_POINTER(cid));
        return;
    }
    c->cqe = *cqe;
    c->done = true;
}

unsigned th_reap_max(struct th *h, uint16_t cqid, unsigned max)
{
    struct th_cq *q = h->cq[cqid];
    struct envme_cqe cqe;
    unsigned n = 0;
    uint64_t *e, w;

    g_assert(q && q->live);
    while (n < max) {
        e = drv_entry(h, q->base, q->pages, q->head * 16ull, 16);
        w = __atomic_load_n(&e[1], __ATOMIC_ACQUIRE);
        if ((w >> 48 & ENVME_CQE_P) != q->phase) {
            break;
        }
        memcpy(&cqe, e, 16);
        drv_completion(h, q, &cqe);
        if (++q->head == q->size) {
            q->head = 0;
            q->phase = !q->phase;
        }
        n++;
    }
    if (n) {
        th_db(h, true, cqid, q->head);
    }
    return n;
}

unsigned th_reap(struct th *h, uint16_t cqid)
{
    return th_reap_max(h, cqid, UINT_MAX);
}

bool th_done(struct th *h, uint16_t qid, uint16_t cid, struct envme_cqe *cqe)
{
    struct th_sq *q = h->sq[qid];
    struct th_cmd *c;

    g_assert(q);
    c = g_hash_table_lookup(q->cmds, GUINT_TO_POINTER(cid));
    g_assert(c);
    if (!c->done) {
        return false;
    }
    if (cqe) {
        *cqe = c->cqe;
    }
    g_hash_table_remove(q->cmds, GUINT_TO_POINTER(cid));
    return true;
}

bool th_flush_rings(struct th *h, uint16_t qid)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
    unsigned rings = h->rings;

    th_abandon(h, qid, th_put(h, qid, &s));
    th_ring(h, qid);
    return h->rings != rings;
}

void th_abandon(struct th *h, uint16_t qid, uint16_t cid)
{
    struct th_cmd *c = g_hash_table_lookup(h->sq[qid]->cmds,
                                           GUINT_TO_POINTER(cid));

    g_assert(c);
    if (c->done) {
        g_hash_table_remove(h->sq[qid]->cmds, GUINT_TO_POINTER(cid));
    } else {
        c->abandoned = true;
    }
}

struct drv_wait {
    struct th *h;
    uint16_t qid, cid;
    struct envme_cqe cqe;
};

static bool drv_came(void *arg)
{
    struct drv_wait *w = arg;
    struct th_cq *cq = w->h->cq[w->h->sq[w->qid]->cqid];

    if (!cq->manual) {
        th_reap(w->h, cq->id);
    }
    return th_done(w->h, w->qid, w->cid, &w->cqe);
}

bool th_try_wait(struct th *h, uint16_t qid, uint16_t cid,
                 struct envme_cqe *cqe)
{
    struct drv_wait w = { .h = h, .qid = qid, .cid = cid };

    if (h->opts.threads) {
        if (!th_until(h, drv_came, &w)) {
            return false;
        }
        *cqe = w.cqe;
        return true;
    }
    for (;;) {
        if (drv_came(&w)) {
            *cqe = w.cqe;
            return true;
        }
        if (!th_step(h)) {
            return false;
        }
        th_run(h);
    }
}

struct envme_cqe th_wait(struct th *h, uint16_t qid, uint16_t cid)
{
    struct envme_cqe cqe;

    if (!th_try_wait(h, qid, cid, &cqe)) {
        struct th_cmd *c = g_hash_table_lookup(h->sq[qid]->cmds,
                                               GUINT_TO_POINTER(cid));

        g_error("SQ %u CID %u (opcode %02x) never completes; CSTS %08x", qid,
                cid, c->sqe.opc, th_r32(h, ENVME_REG_CSTS));
    }
    return cqe;
}

struct envme_cqe th_io(struct th *h, uint16_t qid, const struct envme_sqe *sqe)
{
    return th_wait(h, qid, th_submit(h, qid, sqe));
}

struct envme_cqe th_admin(struct th *h, const struct envme_sqe *sqe)
{
    return th_io(h, 0, sqe);
}

struct envme_cqe th_cmd_data(struct th *h, uint16_t qid, struct envme_sqe *sqe,
                             void *data, uint64_t len, unsigned shape)
{
    struct th_buf *b = th_buf_new(h, len, shape);
    struct envme_cqe cqe;

    if (data) {
        th_buf_put(b, data);
    }
    th_buf_attach(b, sqe);
    cqe = th_io(h, qid, sqe);
    if (data && sqe->opc & ENVME_DIR_TO_HOST) {
        th_buf_get(b, data);
    }
    th_buf_free(b);
    return cqe;
}

/* ---- queues ------------------------------------------------------------ */

struct envme_sqe th_sqe(uint8_t opc, uint32_t nsid)
{
    return (struct envme_sqe){ .opc = opc, .nsid = le32(nsid) };
}

/* Pages of their own and the PRP list of them. */
static uint64_t *drv_scatter(struct th *h, const struct th_q_opts *o,
                             uint64_t bytes, uint64_t *list)
{
    unsigned n = (bytes + h->page - 1) / h->page, i;
    uint64_t *pages = g_new(uint64_t, n);

    g_assert(n <= h->page / 8);
    *list = o->own_list ? th_own(h, h->page) : th_alloc_scattered(h);
    for (i = 0; i < n; i++) {
        pages[i] = o->own ? th_own(h, h->page) : th_alloc_scattered(h);
        th_mem_put64(h, *list + i * 8, pages[i]);
    }
    return pages;
}

/* A driver begins with a shadow of zeroes, whoever had the queue before. */
static void drv_shadow_zero(struct th *h, bool cq, unsigned qid)
{
    uint64_t off = (2ull * qid + cq) * (4ull << h->params.dstrd);
    uint32_t *db, *ei;

    if (atomic_load(&h->shadow) && off + 4 <= h->page) {
        db = th_mem(h, h->shadow_db + off, 4);
        ei = th_mem(h, h->shadow_ei + off, 4);
        __atomic_store_n(db, 0, __ATOMIC_RELAXED);
        __atomic_store_n(ei, 0, __ATOMIC_RELAXED);
    }
}

uint16_t th_create_cq_(struct th *h, const struct th_q_opts *o)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_CREATE_CQ, 0);
    struct th_cq *q = g_new0(struct th_cq, 1);
    struct envme_cqe cqe;

    *q = (struct th_cq){ .id = o->qid, .size = o->size, .vector = o->vector,
                         .phase = true };
    if (o->scattered) {
        q->pages = drv_scatter(h, o, q->size * 16ull, &q->list);
    } else {
        q->base = o->own ? th_own(h, q->size * 16ull)
                         : th_alloc(h, q->size * 16ull);
    }
    s.dptr.prp1 = le64(o->scattered ? q->list : q->base);
    s.cdw10 = le32((o->size - 1) << 16 | o->qid);
    s.cdw11 = le32((uint32_t)o->vector << 16 |
                   (o->no_ien ? 0 : ENVME_CREATE_CQ_IEN) |
                   (o->scattered ? 0 : ENVME_CREATE_CQ_PC));
    if (!h->cq[o->qid]) {
        drv_shadow_zero(h, true, o->qid);
    }
    cqe = th_admin(h, &s);
    if (cqe_sc(&cqe)) {
        struct th_cq *old = h->cq[o->qid];

        h->cq[o->qid] = q;
        drv_drop_cq(h, o->qid);
        h->cq[o->qid] = old;
        return cqe_sc(&cqe);
    }
    g_assert(!h->cq[o->qid]);
    q->live = true;
    h->cq[o->qid] = q;
    h->max_qid = MAX(h->max_qid, o->qid);
    return 0;
}

uint16_t th_create_sq_(struct th *h, const struct th_q_opts *o)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_CREATE_SQ, 0);
    struct th_sq *q = g_new0(struct th_sq, 1), *old = h->sq[o->qid];
    struct envme_cqe cqe;

    *q = (struct th_sq){ .id = o->qid, .size = o->size,
                         .cqid = o->cqid ? o->cqid : o->qid };
    q->cmds = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    if (o->scattered) {
        q->pages = drv_scatter(h, o, q->size * 64ull, &q->list);
    } else {
        q->base = o->own ? th_own(h, q->size * 64ull)
                         : th_alloc(h, q->size * 64ull);
    }
    s.dptr.prp1 = le64(o->scattered ? q->list : q->base);
    s.cdw10 = le32((o->size - 1) << 16 | o->qid);
    s.cdw11 = le32((uint32_t)q->cqid << 16 | (uint32_t)o->prio << 1 |
                   (o->scattered ? 0 : ENVME_CREATE_SQ_PC));
    if (!old) {
        drv_shadow_zero(h, false, o->qid);
    }
    cqe = th_admin(h, &s);
    if (cqe_sc(&cqe)) {
        h->sq[o->qid] = q;
        drv_drop_sq(h, o->qid);
        h->sq[o->qid] = old;
        return cqe_sc(&cqe);
    }
    g_assert(!old);
    q->live = true;
    h->sq[o->qid] = q;
    h->max_qid = MAX(h->max_qid, o->qid);
    return 0;
}

uint16_t th_delete_cq(struct th *h, uint16_t qid)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_DELETE_CQ, 0);
    struct envme_cqe cqe;

    s.cdw10 = le32(qid);
    cqe = th_admin(h, &s);
    if (!cqe_sc(&cqe)) {
        drv_drop_cq(h, qid);
    }
    return cqe_sc(&cqe);
}

uint16_t th_delete_sq(struct th *h, uint16_t qid)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_DELETE_SQ, 0);
    struct envme_cqe cqe;
    struct th_sq *q = h->sq[qid];

    s.cdw10 = le32(qid);
    cqe = th_admin(h, &s);
    if (!cqe_sc(&cqe)) {
        /* What it gave up has been completed before. */
        th_reap(h, q->cqid);
        drv_drop_sq(h, qid);
    }
    return cqe_sc(&cqe);
}

uint16_t th_shadow(struct th *h)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_DBBUF, 0);
    uint64_t db = th_alloc(h, h->page), ei = th_alloc(h, h->page);
    struct envme_cqe cqe;

    s.dptr.prp1 = le64(db);
    s.dptr.prp2 = le64(ei);
    cqe = th_admin(h, &s);
    if (cqe_sc(&cqe)) {
        th_free_pages(h, db, h->page);
        th_free_pages(h, ei, h->page);
        return cqe_sc(&cqe);
    }
    if (atomic_load(&h->shadow)) {
        th_free_pages(h, h->shadow_db, h->page);
        th_free_pages(h, h->shadow_ei, h->page);
    }
    h->shadow_db = db;
    h->shadow_ei = ei;
    atomic_store(&h->shadow, true);
    return 0;
}

void th_queues(struct th *h, unsigned n, uint32_t size)
{
    unsigned i;

    for (i = 1; i <= n; i++) {
        th_assert_code(th_create_cq(h, .qid = i, .size = size,
                                    .vector = i % h->params.nvectors),
                       SUCCESS);
        th_assert_code(th_create_sq(h, .qid = i, .size = size), SUCCESS);
    }
}
