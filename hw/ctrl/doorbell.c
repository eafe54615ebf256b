/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/doorbell.h"

#include "hw/ctrl/errlog.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/mapped.h"
#include "hw/ctrl/queue.h"

void envme_doorbell_init(struct envme_ctrl *ctrl)
{
    ctrl->db_chunks = ctrl->params.max_ioqpairs / ENVME_DB_CHUNK + 1;
    ctrl->db = g_malloc0_n(ctrl->db_chunks, sizeof(*ctrl->db));
}

void envme_doorbell_fini(struct envme_ctrl *ctrl)
{
    for (unsigned i = 0; i < ctrl->db_chunks; i++) {
        g_free(atomic_load(&ctrl->db[i]));
    }
    g_free(ctrl->db);
}

uint64_t envme_ctrl_doorbell_bytes(const struct envme_ctrl_params *params)
{
    return (UINT64_C(8) << params->dstrd) * (params->max_ioqpairs + 1);
}

static struct envme_db_chunk *doorbell_chunk(const struct envme_ctrl *ctrl,
                                             unsigned n)
{
    struct envme_db_chunk *chunk = g_new0(struct envme_db_chunk, 1);

    for (unsigned i = 0; i < ENVME_DB_CHUNK * 2; i++) {
        struct envme_db *db = &chunk->db[i];

        db->qid = n * ENVME_DB_CHUNK + i / 2;
        db->is_cq = i & 1;
        db->at = envme_mapped_at(ctrl, db->qid, db->is_cq);
        db->at = db->at ? db->at : &db->value;
    }
    return chunk;
}

struct envme_db *envme_doorbell_slot(struct envme_ctrl *ctrl, uint16_t qid,
                                     bool is_cq)
{
    _Atomic(struct envme_db_chunk *) *slot = &ctrl->db[qid / ENVME_DB_CHUNK];
    struct envme_db_chunk *chunk = atomic_load(slot);

    if (!chunk) {
        chunk = doorbell_chunk(ctrl, qid / ENVME_DB_CHUNK);
        atomic_store(slot, chunk);
    }
    return &chunk->db[qid % ENVME_DB_CHUNK * 2 + is_cq];
}

void envme_doorbell_open(struct envme_ctrl *ctrl, struct envme_db *db,
                         void *queue, uint32_t size, unsigned lane)
{
    db->queue = queue;
    atomic_store(db->at, 0);
    atomic_store(&db->lane, lane);
    atomic_store(&db->size, size);
    envme_mapped_add(ctrl, db);
}

void envme_doorbell_close(struct envme_ctrl *ctrl, struct envme_db *db)
{
    envme_mapped_remove(ctrl, db);
    db->queue = NULL;
    atomic_store(&db->size, 0);
    atomic_store(db->at, 0);
}

static struct envme_db *doorbell_find(const struct envme_ctrl *ctrl,
                                      uint64_t off)
{
    unsigned shift = 2 + ctrl->params.dstrd;
    uint64_t index = off >> shift, qid = index / 2;
    struct envme_db_chunk *chunk;

    if ((off & ((UINT64_C(1) << shift) - 1)) ||
        qid > ctrl->params.max_ioqpairs) {
        return NULL;
    }
    chunk = atomic_load(&ctrl->db[qid / ENVME_DB_CHUNK]);
    return chunk ? &chunk->db[qid % ENVME_DB_CHUNK * 2 + (index & 1)] : NULL;
}

bool envme_doorbell_is_open(const struct envme_ctrl *ctrl, uint64_t off)
{
    const struct envme_db *db = doorbell_find(ctrl, off);

    return db && atomic_load(&db->size);
}

void envme_doorbell_bad(struct envme_ctrl *ctrl, int what, uint32_t qid)
{
    atomic_store(&ctrl->bad_doorbells[what], qid + 1);
    envme_kick(ctrl, 0);
}

bool envme_doorbell_has_bad(const struct envme_ctrl *ctrl)
{
    return atomic_load(&ctrl->bad_doorbells[ENVME_BAD_DB_REGISTER]) ||
           atomic_load(&ctrl->bad_doorbells[ENVME_BAD_DB_VALUE]);
}

void envme_doorbell_report_bad(struct envme_ctrl *ctrl)
{
    static const uint8_t info[] = {
        [ENVME_BAD_DB_REGISTER] = ENVME_AEN_ERROR_DB_REG,
        [ENVME_BAD_DB_VALUE] = ENVME_AEN_ERROR_DB_VALUE,
    };

    for (int what = 0; what < 2; what++) {
        uint32_t qid = 0;

        if (atomic_load(&ctrl->bad_doorbells[what])) {
            qid = atomic_exchange(&ctrl->bad_doorbells[what], 0);
        }
        if (!qid || ctrl->life != ENVME_LIFE_READY) {
            continue;
        }
        envme_errlog_add_async(ctrl, what == ENVME_BAD_DB_REGISTER ?
                               ENVME_ST(QID_INVALID) :
                               ENVME_ST(INVALID_FIELD), qid - 1);
        envme_event_post(ctrl, ENVME_AEN_TYPE_ERROR, info[what],
                         ENVME_LID_ERROR, -1);
    }
}

static void doorbell_take(struct envme_ctrl *ctrl, struct envme_db *db,
                          uint32_t qid, uint32_t entries, uint32_t val)
{
    if (val >= entries) {
        envme_doorbell_bad(ctrl, ENVME_BAD_DB_VALUE, qid);
        return;
    }
    atomic_store(db->at, ENVME_SWAP32(val));
    envme_lane_ring(ctrl, db);
}

void envme_ctrl_doorbell(struct envme_ctrl *ctrl, uint64_t off, uint64_t val,
                         unsigned size)
{
    uint64_t qid = (off >> (2 + ctrl->params.dstrd)) / 2;
    struct envme_db *db = size == 4 ? doorbell_find(ctrl, off) : NULL;
    uint32_t entries = db ? atomic_load(&db->size) : 0;

    if (!entries) {
        envme_doorbell_bad(ctrl, ENVME_BAD_DB_REGISTER, qid & 0xffff);
        return;
    }
    val &= 0xffff;              /* DW0[31:16] is reserved */
    if (envme_watched(ctrl, ENVME_WATCH_DB)) {
        uint32_t wrong = val;

        if (!ctrl->hooks.doorbell(ctrl->hooks.opaque, qid, db->is_cq,
                                  &wrong)) {
            return;
        }
        val = wrong;
    }
    doorbell_take(ctrl, db, qid, entries, val);
}

void envme_doorbell_late(struct envme_ctrl *ctrl, unsigned qid, bool is_cq,
                         uint32_t val)
{
    struct envme_db *db = envme_doorbell_slot(ctrl, qid, is_cq);
    uint32_t entries = atomic_load(&db->size);

    if (!entries) {
        envme_doorbell_bad(ctrl, ENVME_BAD_DB_REGISTER, qid);
        return;
    }
    doorbell_take(ctrl, db, qid, entries, val);
}

/* ---- shadow doorbells -------------------------------------------------- */

static struct envme_shadow shadow_of(const struct envme_ctrl *ctrl,
                                     uint16_t qid, bool is_cq)
{
    uint64_t off = (UINT64_C(2) * qid + is_cq) << (2 + ctrl->params.dstrd);

    return (struct envme_shadow){
        .db = ctrl->dbbuf.db + off, .ei = ctrl->dbbuf.ei + off,
    };
}

static bool shadow_load(struct envme_ctrl *ctrl, const struct envme_shadow *s,
                        uint32_t *value)
{
    const struct envme_dma *dma = envme_dma(ctrl);
    le32_t v;

    if (dma->read(dma->opaque, s->db, &v, sizeof(v))) {
        return false;
    }
    *value = le32_get(v);
    return true;
}

static int shadow_store(struct envme_ctrl *ctrl, uint64_t addr, uint32_t value)
{
    const struct envme_dma *dma = envme_dma(ctrl);
    le32_t v = le32(value);

    return dma->write(dma->opaque, addr, &v, sizeof(v));
}

bool envme_shadow_look_sq(struct envme_sq *sq)
{
    struct envme_ctrl *ctrl = sq->cq->lane->ctrl;
    uint32_t tail;

    if (!shadow_load(ctrl, &sq->shadow, &tail)) {
        return false;
    }
    if (tail >= sq->ring.size) {
        envme_doorbell_bad(ctrl, ENVME_BAD_DB_VALUE, sq->id);
        return false;
    }
    if (tail != sq->ring.tail) {
        envme_sq_set_tail(sq, tail);
    }
    return true;
}

void envme_shadow_look_cq(struct envme_cq *cq)
{
    struct envme_ctrl *ctrl = cq->lane->ctrl;
    uint32_t head;

    if (shadow_load(ctrl, &cq->shadow, &head) && head != cq->ring.ring.head) {
        envme_cq_set_head(cq, head);
    }
}

/*
 * Publish, fence, look again: a host that has seen the old index does not
 * ring, but has written its doorbell before it looked at the index.
 */
static void shadow_index_sq(struct envme_sq *sq, uint32_t index)
{
    shadow_store(sq->cq->lane->ctrl, sq->shadow.ei, index);
    atomic_thread_fence(memory_order_seq_cst);
    envme_shadow_look_sq(sq);
}

void envme_shadow_arm_sq(struct envme_sq *sq)
{
    shadow_index_sq(sq, sq->ring.tail);
}

void envme_shadow_ask_sq(struct envme_sq *sq, uint32_t n)
{
    shadow_index_sq(sq, envme_ring_add(&sq->ring, n));
}

/* The head only moves over entries that are posted: this ends. */
void envme_shadow_arm_cq(struct envme_cq *cq)
{
    struct envme_ctrl *ctrl = cq->lane->ctrl;
    uint32_t head;

    do {
        head = cq->ring.ring.head;
        shadow_store(ctrl, cq->shadow.ei, head);
        atomic_thread_fence(memory_order_seq_cst);
        envme_shadow_look_cq(cq);
    } while (head != cq->ring.ring.head);
}

/* The host may not have written the doorbells of older queues there. */
static int shadow_begin(struct envme_ctrl *ctrl, const struct envme_shadow *s,
                        uint32_t value)
{
    int err = shadow_store(ctrl, s->db, value);

    return err ? err : shadow_store(ctrl, s->ei, value);
}

/* What the host wrote last, where it has written until now: a doorbell that
 * the lane has not taken yet must not be lost. */
static uint32_t shadow_last(struct envme_ctrl *ctrl, bool has_old,
                            const struct envme_shadow *old,
                            const struct envme_db *db)
{
    uint32_t value;

    return has_old && shadow_load(ctrl, old, &value)
           ? value : envme_doorbell_value(db);
}

void envme_shadow_attach_sq(struct envme_ctrl *ctrl, struct envme_sq *sq)
{
    sq->shadowed = ctrl->has_dbbuf && sq->id;
    if (sq->shadowed) {
        sq->shadow = shadow_of(ctrl, sq->id, false);
    }
}

void envme_shadow_attach_cq(struct envme_ctrl *ctrl, struct envme_cq *cq)
{
    cq->shadowed = ctrl->has_dbbuf && cq->id;
    if (cq->shadowed) {
        cq->shadow = shadow_of(ctrl, cq->id, true);
    }
}

void envme_shadow_look_all(struct envme_ctrl *ctrl)
{
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        atomic_store(&ctrl->lane[i].look, true);
        envme_kick(ctrl, i);
    }
}

struct envme_status envme_shadow_config(struct envme_ctrl *ctrl, uint64_t db,
                                        uint64_t ei)
{
    struct envme_shadow probe = { .db = db, .ei = ei };

    if (shadow_begin(ctrl, &probe, 0)) {
        return ENVME_ST(DATA_XFER_ERROR);
    }
    ctrl->dbbuf = probe;
    ctrl->has_dbbuf = true;
    for (unsigned i = 1; i < ctrl->nsq_alloc; i++) {
        struct envme_sq *sq = ctrl->sq[i];

        if (sq) {
            uint32_t last = shadow_last(ctrl, sq->shadowed, &sq->shadow,
                                        sq->db);

            envme_shadow_attach_sq(ctrl, sq);
            shadow_begin(ctrl, &sq->shadow, last);
        }
    }
    for (unsigned i = 1; i < ctrl->ncq_alloc; i++) {
        struct envme_cq *cq = ctrl->cq[i];

        if (cq) {
            uint32_t last = shadow_last(ctrl, cq->shadowed, &cq->shadow,
                                        cq->db);

            envme_shadow_attach_cq(ctrl, cq);
            shadow_begin(ctrl, &cq->shadow, last);
        }
    }
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        atomic_store(&ctrl->lane[i].look, true);
    }
    envme_ctrl_doorbells_check(ctrl);
    return ENVME_ST(SUCCESS);
}
