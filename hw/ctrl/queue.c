/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/queue.h"

#include <errno.h>
#include <string.h>

#include "hw/core/glink.h"
#include "hw/ctrl/ahead.h"
#include "hw/ctrl/cmd.h"
#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/pace.h"
#include "hw/ctrl/poll.h"
#include "hw/ctrl/qmem.h"
#include "hw/ctrl/queue-fault.h"
#include "hw/ctrl/signal.h"

struct envme_sq *envme_sq_get(const struct envme_ctrl *ctrl, uint32_t id)
{
    return id < ctrl->nsq_alloc ? ctrl->sq[id] : NULL;
}

struct envme_cq *envme_cq_get(const struct envme_ctrl *ctrl, uint32_t id)
{
    return id < ctrl->ncq_alloc ? ctrl->cq[id] : NULL;
}

/* ---- fetch ------------------------------------------------------------- */

static void queue_broken(void *arg)
{
    struct envme_ctrl *ctrl = arg;

    envme_ctrl_fatal(ctrl, "a queue's memory cannot be read or written");
}

static void queue_error(struct envme_ctrl *ctrl)
{
    atomic_store(&ctrl->stopped, true);
    envme_defer(ctrl, 0, queue_broken, ctrl);
}

void envme_sq_update_ready(struct envme_sq *sq)
{
    struct envme_arbiter *arb = &sq->cq->lane->arb;

    if (envme_ring_empty(&sq->ring) || sq->is_corked + sq->stalled ||
        sq->deleting) {
        envme_arb_unready(arb, &sq->node);
    } else {
        envme_arb_ready(arb, &sq->node);
    }
}

static void sq_cork(struct envme_sq *sq)
{
    sq->is_corked = true;
    sq->cork_next = sq->cq->corked;
    sq->cq->corked = sq;
    envme_sq_update_ready(sq);
}

void envme_queue_uncork(struct envme_cq *cq)
{
    struct envme_sq *sq = cq->corked;

    cq->corked = NULL;
    while (sq) {
        struct envme_sq *next = sq->cork_next;

        sq->is_corked = false;
        envme_sq_update_ready(sq);
        sq = next;
    }
}

static bool queue_reserve(struct envme_cq *cq)
{
    if (envme_cring_reserve(&cq->ring)) {
        return true;
    }
    if (cq->shadowed) {
        envme_shadow_look_cq(cq);
        return envme_cring_reserve(&cq->ring);
    }
    return false;
}

static void queue_wait_for_slot(struct envme_sq *sq)
{
    sq_cork(sq);
    if (sq->cq->shadowed) {
        envme_shadow_arm_cq(sq->cq);
    }
}

/*
 * The first of a fused pair takes a CQ slot for the second along: pairs that
 * held one slot each, and waited for another, would wait for each other. False:
 * there is none now. Nothing to keep: no second, or it would be the only slot.
 */
static bool queue_keep_second(struct envme_sq *sq, const struct envme_cmd *cmd,
                              bool *keep)
{
    *keep = false;
    if (!sq->cq->lane->ctrl->fuses || sq->id == 0 ||
        FIELD_GET(ENVME_FUSE, cmd->sqe.flags) != ENVME_FUSE_FIRST ||
        envme_ring_used(&sq->ring) < 2) {
        return true;
    }
    *keep = queue_reserve(sq->cq);
    return *keep || sq->second_slot || sq->cq->ring.ring.size <= 2;
}

/* Not fetched after all. */
static void queue_unfetch(struct envme_sq *sq, struct envme_cmd *cmd)
{
    if (!sq->second_slot) {
        envme_cring_unreserve(&sq->cq->ring);
    }
    cmd->state = ENVME_CMD_ENDED;
    envme_lane_put_cmd(cmd);
}

struct envme_cmd *envme_queue_fetch(struct envme_sq *sq)
{
    struct envme_lane *lane = sq->cq->lane;
    struct envme_ctrl *ctrl = lane->ctrl;
    const struct envme_dma *dma = envme_dma(ctrl);
    struct envme_cmd *cmd;
    uint32_t index;
    bool keep;
    int err;

    if (!sq->second_slot && !queue_reserve(sq->cq)) {
        queue_wait_for_slot(sq);
        return NULL;
    }
    cmd = envme_lane_get_cmd(lane, sq->second_slot);
    if (!cmd) {
        envme_cring_unreserve(&sq->cq->ring);
        return NULL;
    }
    index = sq->ring.head;
    err = dma->read(dma->opaque, envme_qmem_addr(&sq->mem, index), &cmd->sqe,
                    sizeof(cmd->sqe));
    if (err) {
        queue_unfetch(sq, cmd);
        if (err != -EBUSY) {
            envme_arb_unready(&lane->arb, &sq->node);
            queue_error(ctrl);
        }
        return NULL;
    }
    if (!queue_keep_second(sq, cmd, &keep)) {
        queue_unfetch(sq, cmd);
        queue_wait_for_slot(sq);
        return NULL;
    }
    sq->second_slot = keep;
    envme_ring_pop(&sq->ring);
    envme_sq_look_ahead(sq, dma);
    cmd->sq = sq;
    cmd->slot = true;
    cmd->is_admin = sq->id == 0;
    cmd->state = ENVME_CMD_ENDED;
    envme_glink_push(&sq->inflight, &cmd->link);
    if (sq->id) {
        envme_lane_io_in(lane);
    }
    if (lane->arb.mode == ENVME_ARB_VS) {
        envme_age_taken(&sq->ages, sq->ring.head);
        sq->node.since = envme_age_first(&sq->ages);
    }
    envme_arb_fetched(&lane->arb, &sq->node);
    if (sq->shadowed && envme_ring_empty(&sq->ring)) {
        envme_shadow_look_sq(sq);
        if (envme_ring_empty(&sq->ring)) {
            envme_poll_empty(sq);
        }
    }
    envme_sq_update_ready(sq);
    cmd->partner = NULL;
    cmd->aborter = NULL;
    if (sq->naborts) {
        cmd->aborter = envme_sq_take_abort(sq, index, le16_get(cmd->sqe.cid));
    }
    /* Nobody else has it yet. */
    atomic_store_explicit(&cmd->aborted, cmd->aborter != NULL,
                          memory_order_relaxed);
    return cmd;
}

void envme_sq_set_tail(struct envme_sq *sq, uint32_t tail)
{
    struct envme_lane *lane = sq->cq->lane;

    if (!envme_ring_set_tail(&sq->ring, tail)) {
        return;
    }
    if (lane->arb.mode == ENVME_ARB_VS) {
        envme_age_add(&sq->ages, tail, ++lane->age);
        sq->node.since = envme_age_first(&sq->ages);
    }
    envme_sq_update_ready(sq);
}

/* ---- post -------------------------------------------------------------- */

int envme_cq_write(struct envme_ctrl *ctrl, uint64_t addr,
                   const struct envme_cqe *cqe)
{
    const struct envme_dma *dma = envme_dma(ctrl);

    return dma->write(dma->opaque, addr, cqe, sizeof(*cqe));
}

/* Its interrupt is due at the end of the turn. */
static void cq_posted(struct envme_cq *cq)
{
    cq->posted++;
    if (!cq->batch) {
        cq->batch = true;
        cq->batch_next = cq->lane->batch;
        cq->lane->batch = cq;
        if (!cq->lane->running) {
            envme_kick(cq->lane->ctrl, cq->lane->index);
        }
    }
}

/* A fault's way of posting; apart, so that the others don't pay for it. 1: it
 * is there, and its interrupt does not come. */
static __attribute__((noinline)) int queue_write_hit(struct envme_cmd *cmd,
                                                     struct envme_cqe *cqe,
                                                     uint32_t index)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_cq *cq = cmd->sq->cq;
    enum envme_cqe_how how = ENVME_CQE_POST;
    int err;

    if (ctrl->hooks.cqe) {
        how = ctrl->hooks.cqe(ctrl->hooks.opaque, cmd, cqe);
    }
    if (how == ENVME_CQE_TORN) {
        err = envme_cq_write_torn(cq, index, cqe);
    } else {
        err = envme_cq_write(ctrl, envme_qmem_addr(&cq->mem, index), cqe);
    }
    if (!err && how == ENVME_CQE_TWICE) {
        envme_cq_write_more(cq, cqe);
    }
    return !err && how == ENVME_CQE_QUIET ? 1 : err;
}

bool envme_queue_post(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_sq *sq = cmd->sq;
    struct envme_cq *cq = sq->cq;
    struct envme_cring before = cq->ring;
    struct envme_cqe cqe;
    uint32_t index;
    bool phase;
    int err;

    assert(cmd->slot);
    index = envme_cring_post(&cq->ring, &phase);
    cqe.dw0 = le32(cmd->dw0);
    cqe.dw1 = le32(cmd->dw1);
    cqe.sqhd = le16(sq->ring.head);
    cqe.sqid = le16(sq->id);
    cqe.cid = cmd->sqe.cid;
    cqe.sf = le16(cmd->status.sf << 1 | phase);
    envme_lane_touch(cq->lane);
    if (envme_cmd_hit(cmd)) {
        err = queue_write_hit(cmd, &cqe, index);
    } else {
        err = envme_cq_write(ctrl, envme_qmem_addr(&cq->mem, index), &cqe);
    }
    envme_lane_untouch(cq->lane);
    if (err == -EBUSY) {
        cq->ring = before;
        return false;
    }
    cmd->slot = false;
    if (err < 0) {
        queue_error(ctrl);
    }
    if (err <= 0) {
        cq_posted(cq);
    }
    return true;
}

void envme_queue_forget(struct envme_cmd *cmd)
{
    struct envme_sq *sq = cmd->sq;

    if (cmd->slot) {
        envme_cring_unreserve(&sq->cq->ring);
        cmd->slot = false;
    }
    envme_glink_remove(&sq->inflight, &cmd->link);
    if (sq->id) {
        envme_lane_io_out(cmd->lane);
    }
    envme_pace_leave(cmd);
    envme_lane_put_cmd(cmd);
    if (sq->deleter) {
        envme_sq_check_drained(sq);
    }
}

bool envme_cq_set_head(struct envme_cq *cq, uint32_t head)
{
    struct envme_ctrl *ctrl = cq->lane->ctrl;

    if (!envme_cring_set_head(&cq->ring, head)) {
        envme_doorbell_bad(ctrl, ENVME_BAD_DB_VALUE, cq->id);
        return false;
    }
    if (cq->due.slot && envme_ring_empty(&cq->ring.ring)) {
        /* The host has found them by itself. */
        envme_coalesce_flush(&cq->coal);
        envme_lane_not_at(cq->lane, &cq->due);
    }
    if (cq->raised && envme_ring_empty(&cq->ring.ring)) {
        cq->raised = false;
        ctrl->ports.irq.lower(ctrl->ports.irq.opaque, cq->vector);
    }
    if (cq->corked) {
        envme_queue_uncork(cq);
    }
    return true;
}
