/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <string.h>

#include "hw/ctrl/cmd.h"
#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/pause.h"
#include "hw/ctrl/qmem.h"
#include "hw/ctrl/queue-fault.h"
#include "hw/ctrl/queue.h"
#include "hw/ctrl/signal.h"

static void *queue_array_grow(void *array, unsigned *alloc, uint32_t id)
{
    unsigned n = *alloc;

    if (id < n) {
        return array;
    }
    n = ENVME_MAX(id + 1, n + n / 2);
    n = ENVME_MIN(ENVME_MAX(n, 8), 65536u);
    array = g_realloc_n(array, n, sizeof(void *));
    memset((void **)array + *alloc, 0, (n - *alloc) * sizeof(void *));
    *alloc = n;
    return array;
}

/* SQs of one CQ share its lane. Weighted round robin is defined over all SQs
 * of a controller, so then one lane has them all. */
static struct envme_lane *queue_lane(struct envme_ctrl *ctrl, uint16_t cqid,
                                     bool plain)
{
    if (cqid == 0 || ctrl->nlanes == 1 || !plain) {
        return &ctrl->lane[0];
    }
    if (ctrl->params.cq_lane && ctrl->io_lanes > 1 &&
        ctrl->params.cq_lane[cqid]) {
        return &ctrl->lane[ctrl->params.cq_lane[cqid]];
    }
    return &ctrl->lane[1 + (cqid - 1) % ctrl->io_lanes];
}

struct envme_status envme_cq_create(struct envme_ctrl *ctrl, uint16_t id,
                                    uint64_t prp1, uint32_t size, bool pc,
                                    bool ien, uint16_t vector)
{
    struct envme_cq *cq = g_new0(struct envme_cq, 1);
    struct envme_status st;
    bool plain, in_cmb;

    st = envme_qmem_init(ctrl, &cq->mem, prp1, size, pc, ENVME_CQE_SHIFT,
                         true, &plain, &in_cmb);
    if (envme_st_err(st)) {
        g_free(cq);
        return st;
    }
    envme_cring_init(&cq->ring, size);
    envme_signal_init(cq);
    cq->id = id;
    cq->ien = ien;
    cq->vector = vector;
    cq->lane = queue_lane(ctrl, id, plain);
    cq->db = envme_doorbell_slot(ctrl, id, true);
    ctrl->cq = queue_array_grow(ctrl->cq, &ctrl->ncq_alloc, id);
    ctrl->cq[id] = cq;
    ctrl->ncq += id != 0;
    envme_shadow_attach_cq(ctrl, cq);
    envme_doorbell_open(ctrl, cq->db, cq, size, cq->lane->index);
    return st;
}

struct envme_status envme_sq_create(struct envme_ctrl *ctrl, uint16_t id,
                                    uint64_t prp1, uint32_t size, bool pc,
                                    enum envme_prio prio, struct envme_cq *cq)
{
    struct envme_sq *sq = g_new0(struct envme_sq, 1);
    struct envme_status st;
    bool plain;

    st = envme_qmem_init(ctrl, &sq->mem, prp1, size, pc, ENVME_SQE_SHIFT,
                         false, &plain, &sq->in_cmb);
    if (!envme_st_err(st) && !plain && cq->lane->index) {
        /* Another device's registers are lane 0's, and this CQ isn't. */
        g_free(sq->mem.pages);
        st = ENVME_ST(INVALID_FIELD);
    }
    if (envme_st_err(st)) {
        g_free(sq);
        return st;
    }
    envme_ring_init(&sq->ring, size);
    sq->id = id;
    sq->cq = cq;
    sq->node.prio = prio;
    g_queue_init(&sq->inflight);
    sq->stalled = envme_sq_begins_stalled(ctrl, id);
    cq->nsq++;
    sq->db = envme_doorbell_slot(ctrl, id, false);
    ctrl->sq = queue_array_grow(ctrl->sq, &ctrl->nsq_alloc, id);
    ctrl->sq[id] = sq;
    ctrl->nsq += id != 0;
    envme_shadow_attach_sq(ctrl, sq);
    envme_doorbell_open(ctrl, sq->db, sq, size, cq->lane->index);
    return st;
}

void envme_sq_delete(struct envme_ctrl *ctrl, struct envme_sq *sq)
{
    struct envme_sq **p;

    assert(g_queue_is_empty(&sq->inflight) && !sq->watched);
    envme_doorbell_close(ctrl, sq->db);
    envme_arb_unready(&sq->cq->lane->arb, &sq->node);
    for (p = &sq->cq->corked; *p; p = &(*p)->cork_next) {
        if (*p == sq) {
            *p = sq->cork_next;
            break;
        }
    }
    sq->cq->nsq--;
    ctrl->sq[sq->id] = NULL;
    ctrl->nsq -= sq->id != 0;
    g_free(sq->aborts);
    envme_age_free(&sq->ages);
    g_free(sq->mem.pages);
    g_free(sq);
}

void envme_cq_delete(struct envme_ctrl *ctrl, struct envme_cq *cq)
{
    struct envme_cq **p;

    assert(cq->nsq == 0);
    envme_doorbell_close(ctrl, cq->db);
    assert(!cq->due.slot);      /* see envme_lane_signal_all() */
    for (p = &cq->lane->batch; *p; p = &(*p)->batch_next) {
        if (*p == cq) {
            *p = cq->batch_next;
            break;
        }
    }
    if (cq->raised) {
        ctrl->ports.irq.lower(ctrl->ports.irq.opaque, cq->vector);
    }
    ctrl->cq[cq->id] = NULL;
    ctrl->ncq -= cq->id != 0;
    g_free(cq->mem.pages);
    g_free(cq);
}

void envme_queues_destroy(struct envme_ctrl *ctrl)
{
    for (unsigned i = 0; i < ctrl->nsq_alloc; i++) {
        if (ctrl->sq[i]) {
            envme_sq_delete(ctrl, ctrl->sq[i]);
        }
    }
    for (unsigned i = 0; i < ctrl->ncq_alloc; i++) {
        if (ctrl->cq[i]) {
            envme_cq_delete(ctrl, ctrl->cq[i]);
        }
    }
    g_free(ctrl->sq);
    g_free(ctrl->cq);
    ctrl->sq = NULL;
    ctrl->cq = NULL;
    ctrl->nsq_alloc = ctrl->ncq_alloc = 0;
}

/* ---- delete with commands in flight ------------------------------------ */

static void sq_delete_parked(struct envme_ctrl *ctrl, void *arg)
{
    struct envme_cmd *cmd = arg;
    struct envme_sq *sq = *ENVME_CMD_STATE(cmd, struct envme_sq *);

    cmd->paused = true;
    envme_sq_delete(ctrl, sq);
    envme_cmd_done(cmd, ENVME_ST(SUCCESS));
}

/* Lane 0: the last command of the queue has ended. */
static void sq_delete_drained(void *arg)
{
    struct envme_cmd *cmd = arg;
    struct envme_ctrl *ctrl = cmd->ctrl;

    if (ctrl->life != ENVME_LIFE_READY) {
        envme_cmd_done(cmd, ENVME_ST(ABORT_REQUESTED));
        return;
    }
    envme_lane_leave(cmd, ENVME_CMD_WAITING);
    envme_pause(ctrl, false, cmd, sq_delete_parked, cmd);
}

void envme_sq_check_drained(struct envme_sq *sq)
{
    if (sq->deleter && g_queue_is_empty(&sq->inflight)) {
        struct envme_cmd *cmd = sq->deleter;

        sq->deleter = NULL;
        envme_defer(cmd->ctrl, 0, sq_delete_drained, cmd);
    }
}

/* The queue's lane. */
static void sq_delete_on_lane(void *arg)
{
    struct envme_cmd *cmd = arg;
    struct envme_sq *sq = *ENVME_CMD_STATE(cmd, struct envme_sq *);

    sq->deleter = cmd;
    envme_arb_unready(&sq->cq->lane->arb, &sq->node);
    envme_sq_cancel(sq);
    envme_sq_check_drained(sq);
}

struct envme_status envme_sq_delete_start(struct envme_cmd *cmd,
                                          struct envme_sq *sq)
{
    if (atomic_exchange(&sq->deleting, true)) {
        return ENVME_ST(QID_INVALID);
    }
    *ENVME_CMD_STATE(cmd, struct envme_sq *) = sq;
    envme_defer(cmd->ctrl, sq->cq->lane->index, sq_delete_on_lane, cmd);
    return ENVME_ST_PENDING;
}
