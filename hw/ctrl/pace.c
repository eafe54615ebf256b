/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/pace.h"

#include "hw/ctrl/cmd.h"
#include "hw/ctrl/lane.h"

void envme_pace_init(struct envme_ctrl *ctrl)
{
    g_mutex_init(&ctrl->timing_lock);
    if (envme_timing_wanted(&ctrl->params.timing)) {
        ctrl->timing = envme_timing_new(&ctrl->params.timing);
    }
}

void envme_pace_fini(struct envme_ctrl *ctrl)
{
    assert(atomic_load(&ctrl->executing) == 0);
    envme_timing_free(ctrl->timing);
    g_mutex_clear(&ctrl->timing_lock);
}

void envme_pace_reset(struct envme_ctrl *ctrl)
{
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        struct envme_lane *lane = &ctrl->lane[i];

        atomic_store(&lane->wants, false);
        atomic_fetch_sub(&ctrl->executing, atomic_exchange(&lane->granted, 0));
    }
    assert(atomic_load(&ctrl->executing) == 0);
    if (ctrl->timing) {
        g_mutex_lock(&ctrl->timing_lock);
        envme_timing_idle(ctrl->timing);
        g_mutex_unlock(&ctrl->timing_lock);
    }
}

/* ---- commands at once -------------------------------------------------- */

static bool pace_try(struct envme_ctrl *ctrl)
{
    unsigned n = atomic_load(&ctrl->executing);

    while (n < ctrl->params.max_inflight) {
        if (atomic_compare_exchange_weak(&ctrl->executing, &n, n + 1)) {
            return true;
        }
    }
    return false;
}

static bool pace_take_grant(struct envme_lane *lane)
{
    if (!atomic_load(&lane->granted)) {
        return false;
    }
    /* Only this lane takes any, so there is one. */
    atomic_fetch_sub(&lane->granted, 1);
    return true;
}

bool envme_pace_take(struct envme_lane *lane)
{
    if (pace_take_grant(lane) || pace_try(lane->ctrl)) {
        return true;
    }
    /* Whoever gives a place back looks at `wants` after it; so one of the two
     * sees the other. */
    atomic_store(&lane->wants, true);
    if (!pace_try(lane->ctrl)) {
        return false;
    }
    atomic_store(&lane->wants, false);
    return true;
}

/* A lane that waits, by turns, or NULL. */
static struct envme_lane *pace_waiter(struct envme_ctrl *ctrl)
{
    unsigned first = atomic_load(&ctrl->next_grant);

    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        struct envme_lane *lane = &ctrl->lane[(first + i) % ctrl->nlanes];

        if (atomic_load(&lane->wants) &&
            atomic_exchange(&lane->wants, false)) {
            atomic_store(&ctrl->next_grant, lane->index + 1);
            return lane;
        }
    }
    return NULL;
}

/*
 * The place is handed over and never free in between, so that a lane whose
 * commands end at once does not keep it from the others.
 */
void envme_pace_give_back(struct envme_lane *from)
{
    struct envme_ctrl *ctrl = from->ctrl;
    struct envme_lane *lane = pace_waiter(ctrl);

    if (!lane) {
        atomic_fetch_sub(&ctrl->executing, 1);
        /* It may have begun to wait just before. */
        if (!(lane = pace_waiter(ctrl))) {
            return;
        }
        if (!pace_try(ctrl)) {
            /* Somebody else was faster, and will give it back in turn. */
            atomic_store(&lane->wants, true);
            if (!pace_try(ctrl)) {
                return;
            }
            atomic_store(&lane->wants, false);
        }
    }
    atomic_fetch_add(&lane->granted, 1);
    envme_kick(ctrl, lane->index);
}

void envme_pace_pass_on(struct envme_lane *lane)
{
    while (pace_take_grant(lane)) {
        envme_pace_give_back(lane);
    }
}

/* ---- time -------------------------------------------------------------- */

void envme_pace_begin(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_work work = { 0 };
    uint64_t now, end;

    if (!cmd->row->time) {
        return;
    }
    if (cmd->row->work) {
        cmd->row->work(cmd, &work);
    }
    now = envme_now(ctrl);
    g_mutex_lock(&ctrl->timing_lock);
    end = envme_timing_end(ctrl->timing, cmd->row->time, now, work.offset,
                           work.bytes);
    g_mutex_unlock(&ctrl->timing_lock);
    /* It may have begun before, and been started again; or be the second of
     * a pair, with the first's time. */
    cmd->t_end = ENVME_MAX(cmd->t_end, end);
}

static struct envme_cmd *pace_cmd(struct envme_deadline *d)
{
    return (struct envme_cmd *)((char *)d - offsetof(struct envme_cmd, due));
}

static void pace_end(struct envme_cmd *cmd)
{
    g_queue_unlink(&cmd->lane->delayed, &cmd->held);
    cmd->state = ENVME_CMD_ENDED;
    cmd->resume(cmd);
}

static void pace_due(struct envme_deadline *d)
{
    pace_end(pace_cmd(d));
}

bool envme_pace_delay(struct envme_cmd *cmd, void (*end)(struct envme_cmd *))
{
    struct envme_lane *lane = cmd->lane;

    if (lane->mode == ENVME_LANE_DROP || cmd->aborted || cmd->sq->deleting ||
        cmd->t_end <= envme_now(cmd->ctrl)) {
        return false;
    }
    cmd->state = ENVME_CMD_HELD;
    cmd->resume = end;
    cmd->due.fn = pace_due;
    g_queue_push_tail_link(&lane->delayed, &cmd->held);
    envme_lane_at(lane, &cmd->due, cmd->t_end);
    return true;
}

void envme_pace_hurry(struct envme_cmd *cmd)
{
    envme_lane_at(cmd->lane, &cmd->due, 0);
}

void envme_pace_drop(struct envme_lane *lane)
{
    while (!g_queue_is_empty(&lane->delayed)) {
        struct envme_cmd *cmd = g_queue_peek_head(&lane->delayed);

        envme_lane_not_at(lane, &cmd->due);
        pace_end(cmd);
    }
}

void envme_pace_scale(struct envme_ctrl *ctrl, uint32_t per_mille)
{
    if (ctrl->timing) {
        envme_timing_scale(ctrl->timing, per_mille);
    }
}
