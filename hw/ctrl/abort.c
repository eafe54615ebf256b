/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/cmd.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/qmem.h"
#include "hw/ctrl/queue.h"

struct abort_state {
    struct envme_sq *sq;
    uint16_t cid;
};

void envme_abort_answer(void *arg)
{
    envme_cmd_done(arg, ENVME_ST(SUCCESS));
}

/* Not fetched yet: looked for in the host's memory, and marked, so that the
 * fetch ends it. The host may not change entries that it has submitted. */
static bool sq_abort_unfetched(struct envme_sq *sq, uint16_t cid,
                               struct envme_cmd *abort)
{
    const struct envme_dma *dma = envme_dma(abort->ctrl);
    uint32_t i;

    if (sq->naborts == ENVME_SQ_ABORTS) {
        return false;
    }
    if (!sq->aborts) {
        sq->aborts = g_new0(struct envme_sq_abort, ENVME_SQ_ABORTS);
    }
    for (i = sq->ring.head; i != sq->ring.tail;
         i = envme_ring_next(&sq->ring, i)) {
        struct envme_sqe sqe;

        if (dma->read(dma->opaque, envme_qmem_addr(&sq->mem, i), &sqe,
                      sizeof(sqe))) {
            return false;
        }
        if (le16_get(sqe.cid) == cid) {
            sq->aborts[sq->naborts].index = i;
            sq->aborts[sq->naborts].cid = cid;
            sq->aborts[sq->naborts++].abort = abort;
            return true;
        }
    }
    return false;
}

/* The queue's lane. */
static void sq_abort_on_lane(void *arg)
{
    struct envme_cmd *abort = arg;
    struct abort_state *s = ENVME_CMD_STATE(abort, struct abort_state);

    for (GList *l = s->sq->inflight.head; l; l = l->next) {
        struct envme_cmd *cmd = l->data;

        if (cmd == abort || le16_get(cmd->sqe.cid) != s->cid ||
            cmd->aborter || cmd->state == ENVME_CMD_PARKED) {
            continue;
        }
        cmd->aborter = abort;
        atomic_store(&cmd->aborted, true);
        envme_cmd_cancel(cmd);
        return;
    }
    if (!s->sq->deleting && sq_abort_unfetched(s->sq, s->cid, abort)) {
        return;
    }
    abort->dw0 = 1;             /* not aborted: not found */
    envme_defer(abort->ctrl, 0, envme_abort_answer, abort);
}

struct envme_status envme_sq_abort(struct envme_cmd *cmd, struct envme_sq *sq,
                                   uint16_t cid)
{
    struct abort_state *s = ENVME_CMD_STATE(cmd, struct abort_state);

    s->sq = sq;
    s->cid = cid;
    envme_defer(cmd->ctrl, sq->cq->lane->index, sq_abort_on_lane, cmd);
    return ENVME_ST_PENDING;
}

/* The command just fetched: does an Abort want it? */
struct envme_cmd *envme_sq_take_abort(struct envme_sq *sq, uint32_t index,
                                      uint16_t cid)
{
    for (unsigned i = 0; i < sq->naborts; i++) {
        if (sq->aborts[i].index == index && sq->aborts[i].cid == cid) {
            struct envme_cmd *abort = sq->aborts[i].abort;

            sq->aborts[i] = sq->aborts[--sq->naborts];
            return abort;
        }
    }
    return NULL;
}

void envme_sq_cancel(struct envme_sq *sq)
{
    struct envme_cmd *first = sq->fused;

    if (first) {
        /* Its second half will not be fetched any more. */
        sq->fused = NULL;
        first->aborted = true;
        envme_cmd_start(first);
    }
    if (sq->second_slot) {
        sq->second_slot = false;
        envme_cring_unreserve(&sq->cq->ring);
        envme_queue_uncork(sq->cq);
    }
    for (GList *l = sq->inflight.head; l; l = l->next) {
        envme_cmd_cancel(l->data);
    }
    while (sq->naborts) {
        struct envme_cmd *abort = sq->aborts[--sq->naborts].abort;

        abort->dw0 = 1;
        envme_defer(abort->ctrl, 0, envme_abort_answer, abort);
    }
}
