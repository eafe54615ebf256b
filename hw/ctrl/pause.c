/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/pause.h"

#include "hw/ctrl/cmd.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/life.h"

static void pause_next(struct envme_ctrl *ctrl)
{
    struct envme_pause *p = g_queue_peek_head(&ctrl->pauses);

    if (ctrl->pause_active || !p || ctrl->life == ENVME_LIFE_DISABLING) {
        return;
    }
    ctrl->pause_active = true;
    ctrl->pause_granted = false;
    ctrl->lanes_left = ctrl->nlanes;
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        envme_exec_fn *fn = p->drain ? envme_lane_drain : envme_lane_park;

        if (i == 0) {
            fn(&ctrl->lane[0]);
        } else {
            envme_defer(ctrl, i, fn, &ctrl->lane[i]);
        }
    }
}

/* A lane has stopped. During a reset these are leftovers. */
void envme_pause_acked(void *arg)
{
    struct envme_ctrl *ctrl = arg;
    struct envme_pause *p = g_queue_peek_head(&ctrl->pauses);

    if (ctrl->life != ENVME_LIFE_READY || !ctrl->pause_active ||
        ctrl->pause_granted || --ctrl->lanes_left) {
        return;
    }
    ctrl->pause_granted = true;
    p->fn(ctrl, p->arg);
}

void envme_pause(struct envme_ctrl *ctrl, bool drain, struct envme_cmd *cmd,
                 envme_pause_fn *fn, void *arg)
{
    struct envme_pause *p;

    if (ctrl->life == ENVME_LIFE_DISABLED) {
        /* No lane has anything to do with the controller's shape. */
        assert(!cmd);
        ctrl->pause_nested++;
        fn(ctrl, arg);
        return;
    }
    p = g_new(struct envme_pause, 1);
    *p = (struct envme_pause){
        .fn = fn, .arg = arg, .drain = drain, .cmd = cmd,
    };
    g_queue_push_tail(&ctrl->pauses, p);
    pause_next(ctrl);
}

static void pause_go_on(void *arg)
{
    pause_next(arg);
}

void envme_resume(struct envme_ctrl *ctrl)
{
    if (ctrl->pause_nested) {
        ctrl->pause_nested--;
        return;
    }
    assert(ctrl->pause_active && ctrl->pause_granted);
    g_free(g_queue_pop_head(&ctrl->pauses));
    ctrl->pause_active = ctrl->pause_granted = false;
    if (ctrl->life == ENVME_LIFE_DISABLING) {
        envme_life_check(ctrl);
        return;
    }
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        if (i == 0) {
            envme_lane_unpark(&ctrl->lane[0]);
        } else {
            envme_defer(ctrl, i, envme_lane_unpark, &ctrl->lane[i]);
        }
    }
    /* Not from in here: the caller is still at work on what it changed. */
    if (!g_queue_is_empty(&ctrl->pauses)) {
        envme_defer(ctrl, 0, pause_go_on, ctrl);
    }
}

void envme_pause_reset(struct envme_ctrl *ctrl)
{
    GQueue keep = G_QUEUE_INIT;
    struct envme_pause *p;

    /* The one that is granted ends when its command does. One that still
     * waits for lanes starts anew, or is forgotten. */
    if (ctrl->pause_active && ctrl->pause_granted) {
        g_queue_push_tail(&keep, g_queue_pop_head(&ctrl->pauses));
    } else {
        ctrl->pause_active = false;
    }
    while ((p = g_queue_pop_head(&ctrl->pauses))) {
        if (p->cmd) {
            envme_cmd_done(p->cmd, ENVME_ST(ABORT_REQUESTED));
            g_free(p);
        } else {
            g_queue_push_tail(&keep, p);
        }
    }
    ctrl->pauses = keep;
    while (ctrl->waits) {
        envme_cmd_done(envme_cmd_wait_over(ctrl->waits->data),
                       ENVME_ST(ABORT_REQUESTED));
    }
}

void envme_cmd_wait(struct envme_cmd **ref)
{
    struct envme_cmd *cmd = *ref;

    assert(!cmd->paused && cmd->lane->index == 0);
    envme_lane_leave(cmd, ENVME_CMD_WAITING);
    cmd->ctrl->waits = g_slist_prepend(cmd->ctrl->waits, ref);
}

struct envme_cmd *envme_cmd_wait_over(struct envme_cmd **ref)
{
    struct envme_cmd *cmd = *ref;

    if (cmd) {
        *ref = NULL;
        cmd->ctrl->waits = g_slist_remove(cmd->ctrl->waits, ref);
        cmd->state = ENVME_CMD_ENDED;
        envme_lane_enter(cmd);
    }
    return cmd;
}

/* After a reset: those that no command waits for, at once. */
void envme_pause_flush(struct envme_ctrl *ctrl)
{
    struct envme_pause *p;

    assert(!ctrl->pause_active && ctrl->life == ENVME_LIFE_DISABLED);
    while ((p = g_queue_pop_head(&ctrl->pauses))) {
        ctrl->pause_nested++;
        p->fn(ctrl, p->arg);
        g_free(p);
    }
}
