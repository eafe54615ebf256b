/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ctrl/abortns.h"

#include "hw/ctrl/cmd.h"
#include "hw/ctrl/life.h"
#include "hw/ctrl/pause.h"

struct abort_ns {
    struct envme_ctrl *ctrl;
    uint32_t nsid;
    unsigned left;              /* lanes; lane 0 counts */
    void (*done)(void *arg);
    void *arg;
};

struct abort_lane {
    struct abort_ns *a;
    struct envme_lane *lane;
};

static void abort_one_less(void *arg)
{
    struct abort_ns *a = arg;

    if (--a->left) {
        return;
    }
    envme_resume(a->ctrl);
    a->done(a->arg);
    /* Last: somebody may wait for it to free the controller. */
    envme_life_background(a->ctrl, false);
    g_free(a);
}

/* None of them ends in here. */
static void abort_queue(struct envme_sq *sq, uint32_t nsid)
{
    for (GList *l = sq->inflight.head; l; l = l->next) {
        struct envme_cmd *cmd = l->data;

        if (envme_cmd_nsid(cmd) == nsid) {
            atomic_store(&cmd->aborted, true);
            envme_cmd_cancel(cmd);
        }
    }
}

/* The lane's thread. It is parked: the queue arrays don't change. */
static void abort_on_lane(void *arg)
{
    struct abort_lane *on = arg;
    struct envme_ctrl *ctrl = on->a->ctrl;

    for (unsigned i = 1; i < ctrl->nsq_alloc; i++) {
        struct envme_sq *sq = ctrl->sq[i];

        if (sq && sq->cq->lane == on->lane) {
            abort_queue(sq, on->a->nsid);
        }
    }
    envme_defer(ctrl, 0, abort_one_less, on->a);
    g_free(on);
}

static void abort_parked(struct envme_ctrl *ctrl, void *arg)
{
    struct abort_ns *a = arg;

    envme_life_background(ctrl, true);
    a->left = ctrl->nlanes;
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        struct abort_lane *on = g_new(struct abort_lane, 1);

        *on = (struct abort_lane){ a, &ctrl->lane[i] };
        envme_defer(ctrl, i, abort_on_lane, on);
    }
}

void envme_ctrl_abort_ns(struct envme_ctrl *ctrl, uint32_t nsid,
                         void (*done)(void *arg), void *arg)
{
    struct abort_ns *a = g_new(struct abort_ns, 1);

    *a = (struct abort_ns){
        .ctrl = ctrl, .nsid = nsid, .done = done, .arg = arg,
    };
    envme_pause(ctrl, false, NULL, abort_parked, a);
}
