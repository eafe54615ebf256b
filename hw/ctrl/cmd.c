/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/cmd.h"

#include <errno.h>

#include "hw/ctrl/lane.h"
#include "hw/ctrl/pace.h"
#include "hw/ctrl/pause.h"
#include "hw/ctrl/power.h"
#include "hw/ctrl/queue.h"
#include "hw/ctrl/xfer.h"

static void cmd_post(struct envme_cmd *cmd);
static void cmd_finish(struct envme_cmd *cmd);
static void cmd_restart(struct envme_cmd *cmd);

static void cmd_over(struct envme_cmd *cmd, struct envme_status st)
{
    void (*over)(struct envme_cmd *, struct envme_status) = cmd->over;

    cmd->over = NULL;
    if (over) {
        over(cmd, st);
    }
}

/* ---- in ---------------------------------------------------------------- */

static void cmd_run_moved(void *arg)
{
    cmd_restart(arg);
}

static void cmd_restart_moved(struct envme_cmd *cmd)
{
    cmd->state = ENVME_CMD_RUNNING;
    cmd_restart(cmd);
}

/* Bus Master is off: from the start again when it is on. */
static void cmd_hold_start(struct envme_cmd *cmd)
{
    if (cmd->moved) {
        /* Its own lane goes on counting it. */
        cmd->state = ENVME_CMD_HELD;
        envme_lane_hold(&cmd->ctrl->lane[0], cmd, cmd_restart_moved);
        return;
    }
    if (cmd->paused) {
        cmd->paused = false;
        envme_resume(cmd->ctrl);
    } else {
        /* While it is held it does not keep its namespace. */
        cmd_over(cmd, ENVME_ST(ABORT_REQUESTED));
        envme_lane_leave(cmd, ENVME_CMD_ENDED);
    }
    envme_lane_hold(cmd->lane, cmd, envme_cmd_start);
}

/* A fault may come before it; apart, so that the others don't pay for it. */
static __attribute__((noinline)) struct envme_status cmd_run_hit(
    struct envme_cmd *cmd)
{
    const struct envme_hooks *h = &cmd->ctrl->hooks;
    struct envme_status st = ENVME_ST(SUCCESS);

    return h->pre && !h->pre(h->opaque, cmd, &st) ? st : cmd->row->run(cmd);
}

/* Gates are passed and lanes are as they have to be. */
static void cmd_run(struct envme_cmd *cmd)
{
    struct envme_status st = ENVME_ST(SUCCESS);
    int err = 0;

    /* A command that has been moved entered, or need not, on its own lane. */
    if (cmd->row->enter && !cmd->over && !cmd->moved) {
        st = cmd->row->enter(cmd);
        if (envme_st_pending(st)) {
            return;
        }
        if (envme_st_err(st)) {
            envme_cmd_done(cmd, st);
            return;
        }
    }
    if ((cmd->len || cmd->mdlen) && !(cmd->row->gate & ENVME_GATE_NO_DATA)) {
        st = envme_xfer_map(cmd, &err);
    }
    if (err == -EAGAIN && !cmd->moved && cmd->lane->index) {
        /* Memory that only lane 0 may touch: the command goes there whole,
         * before it has had any effect. */
        cmd->moved = true;
        envme_defer(cmd->ctrl, 0, cmd_run_moved, cmd);
        return;
    }
    if (err == -EBUSY) {
        cmd_hold_start(cmd);
        return;
    }
    if (envme_st_ok(st)) {
        if (cmd->ctrl->timing) {
            envme_pace_begin(cmd);
        }
        st = envme_cmd_hit(cmd) ? cmd_run_hit(cmd) : cmd->row->run(cmd);
    }
    if (cmd->paused && envme_st_is(st, ENVME_SC_DATA_XFER_ERROR) &&
        !atomic_load(&cmd->ctrl->bme)) {
        /* Create I/O CQ/SQ could not read its page list, and has done
         * nothing yet. */
        cmd_hold_start(cmd);
        return;
    }
    if (!envme_st_pending(st)) {
        envme_cmd_done(cmd, st);
    }
}

static void cmd_look_again(struct envme_cmd *cmd)
{
    struct envme_status st;

    cmd->len = cmd->mdlen = 0;
    cmd->row = NULL;
    cmd->ns = NULL;
    st = envme_cmd_gates(cmd);
    if (envme_st_err(st)) {
        envme_cmd_done(cmd, st);
    } else {
        cmd_run(cmd);
    }
}

void envme_cmd_entered(struct envme_cmd *cmd)
{
    const struct envme_lane *lane = cmd->moved ? &cmd->ctrl->lane[0]
                                               : cmd->lane;

    cmd->unwait = NULL;
    if (cmd->sq->deleting) {
        envme_cmd_done(cmd, ENVME_ST(ABORT_SQ_DELETED));
    } else if (lane->mode == ENVME_LANE_DROP || cmd->aborted) {
        envme_cmd_done(cmd, ENVME_ST(ABORT_REQUESTED));
    } else {
        cmd_look_again(cmd);
    }
}

/* On lane 0, for a command of another lane. That lane is not parked while it
 * counts this command, unless just to stop fetching: look it up again. */
static void cmd_restart(struct envme_cmd *cmd)
{
    if (cmd->ctrl->lane[0].mode == ENVME_LANE_DROP) {
        envme_cmd_done(cmd, ENVME_ST(ABORT_REQUESTED));
    } else {
        cmd_look_again(cmd);
    }
}

static void cmd_run_paused(struct envme_ctrl *ctrl, void *arg)
{
    struct envme_cmd *cmd = arg;

    assert(cmd->ctrl == ctrl);
    cmd->paused = true;
    /* The wait may have been long: what the gates saw may be gone. */
    cmd_restart(cmd);
}

static void cmd_begin(struct envme_cmd *cmd)
{
    cmd->row = NULL;
    cmd->ns = NULL;
    cmd->len = cmd->mdlen = 0;
    cmd->dw0 = cmd->dw1 = 0;
    cmd->err_loc = UINT16_MAX;
    cmd->err_lba = 0;
    cmd->err_info = 0;
    cmd->moved = cmd->paused = cmd->io_pending = false;
    cmd->cont = NULL;
    cmd->loop = NULL;
    cmd->t_end = 0;
    envme_lane_enter(cmd);
}

static void cmd_fail_missing(struct envme_cmd *cmd)
{
    cmd_begin(cmd);
    envme_cmd_done(cmd, envme_cmd_fail(cmd, ENVME_ST(ABORT_MISSING_FUSED),
                                       offsetof(struct envme_sqe, flags)));
}

/*
 * Fused pairs: Base 2.1, 3.4.2. Both halves are in the queue when the host
 * rings, so a first one with nothing behind it (or with a CQ that has no room
 * for two: no slot was kept) has no second. The first waits
 * in its queue and is not counted until the second has been fetched. True: the
 * command need not be started now.
 */
static bool cmd_pair(struct envme_cmd *cmd)
{
    struct envme_sq *sq = cmd->sq;
    struct envme_cmd *first = sq->fused;
    unsigned fuse = FIELD_GET(ENVME_FUSE, cmd->sqe.flags);

    if (first) {
        sq->fused = NULL;
        if (fuse == ENVME_FUSE_SECOND) {
            first->partner = cmd;
            envme_cmd_start(first);
            return true;
        }
        cmd_fail_missing(first);
    }
    if (fuse == ENVME_FUSE_FIRST && sq->second_slot) {
        sq->fused = cmd;
        /* The pair counts when the second is there, and once. */
        envme_pace_leave(cmd);
        return true;
    }
    if (fuse == ENVME_FUSE_FIRST || fuse == ENVME_FUSE_SECOND) {
        cmd_fail_missing(cmd);
        return true;
    }
    return false;
}

static inline void cmd_start_or_pair(struct envme_cmd *cmd)
{
    if (cmd->is_admin || !cmd->ctrl->fuses || !(cmd->sq->fused ||
                           FIELD_GET(ENVME_FUSE, cmd->sqe.flags)) ||
        !cmd_pair(cmd)) {
        envme_cmd_start(cmd);
    }
}

/* Apart, so that the others don't pay for it. */
static __attribute__((noinline)) void cmd_start_watched(struct envme_cmd *cmd)
{
    cmd->ctrl->hooks.fetched(cmd->ctrl->hooks.opaque, cmd);
    cmd_start_or_pair(cmd);
}

void envme_cmd_start_fetched(struct envme_cmd *cmd)
{
    if (envme_watched(cmd->ctrl, ENVME_WATCH_CMD)) {
        cmd_start_watched(cmd);
    } else {
        cmd_start_or_pair(cmd);
    }
}

/*
 * The second counts before the first does no more: in between, what the pair
 * holds would be held by nobody that a pause has to wait for. For the same
 * reason the first does not wait for its time, the second does for both.
 */
static void cmd_begin_partner(struct envme_cmd *cmd)
{
    struct envme_cmd *second = cmd->partner;

    if (second && cmd->lane->mode != ENVME_LANE_DROP) {
        cmd_begin(second);
        second->begun = true;
        second->t_end = cmd->t_end;
        cmd->t_end = 0;
    }
}

/* The first of a pair has ended: the second runs, or goes with it. */
static void cmd_start_partner(struct envme_cmd *cmd, struct envme_status st)
{
    struct envme_cmd *second = cmd->partner;

    cmd->partner = NULL;
    if (second && envme_st_err(st)) {
        if (!second->begun) {
            cmd_begin(second);
        }
        second->begun = false;
        envme_cmd_done(second, ENVME_ST(ABORT_FAILED_FUSED));
    } else if (second) {
        envme_cmd_start(second);
    }
}

void envme_cmd_start(struct envme_cmd *cmd)
{
    struct envme_status st;

    if (cmd->begun) {
        cmd->begun = false;
    } else if (cmd->lane->mode == ENVME_LANE_DROP) {
        cmd_post(cmd);
        return;
    } else if (atomic_load_explicit(&cmd->ctrl->power_watch,
                                    memory_order_relaxed) &&
               !cmd->is_admin && envme_power_hold(cmd)) {
        return;
    } else {
        cmd_begin(cmd);
    }
    st = cmd->aborted ? ENVME_ST(ABORT_REQUESTED) : envme_cmd_gates(cmd);
    if (envme_st_err(st)) {
        envme_cmd_done(cmd, st);
    } else if (cmd->row->gate & (ENVME_GATE_PARK | ENVME_GATE_DRAIN)) {
        assert(cmd->lane->index == 0);
        envme_lane_leave(cmd, ENVME_CMD_WAITING);
        envme_pause(cmd->ctrl, cmd->row->gate & ENVME_GATE_DRAIN, cmd,
                    cmd_run_paused, cmd);
    } else {
        cmd_run(cmd);
    }
}

/* ---- out --------------------------------------------------------------- */

/* The command that an Abort wanted gone has ended. DW0 bit 0: it was not
 * aborted. */
static void cmd_tell_aborter(struct envme_cmd *cmd, struct envme_status st)
{
    struct envme_cmd *abort = cmd->aborter;

    if (abort) {
        cmd->aborter = NULL;
        abort->dw0 = !envme_st_is(st, ENVME_SC_ABORT_REQUESTED);
        envme_defer(cmd->ctrl, 0, envme_abort_answer, abort);
    }
}

/* Held until Bus Master is on again; the host has not seen its data yet. */
static void cmd_finish_again(struct envme_cmd *cmd)
{
    cmd->state = cmd->moved ? ENVME_CMD_RUNNING : ENVME_CMD_ENDED;
    cmd_finish(cmd);
}

/* Carried out, and its time is over; or an Abort came before that was. */
static void cmd_end_delayed(struct envme_cmd *cmd)
{
    if (cmd->aborted && !envme_st_err(cmd->status) &&
        cmd->lane->mode != ENVME_LANE_DROP) {
        cmd->status = envme_cmd_log(cmd, ENVME_ST(ABORT_REQUESTED));
    }
    cmd_post(cmd);
}

/* Its own lane. */
static void cmd_land(void *arg)
{
    struct envme_cmd *cmd = arg;

    if (cmd->state == ENVME_CMD_RUNNING) {
        cmd_begin_partner(cmd);
        envme_lane_leave(cmd, ENVME_CMD_ENDED);
    }
    if (!cmd->t_end || !envme_pace_delay(cmd, cmd_end_delayed)) {
        cmd_post(cmd);
    }
}

/* The thread on which it ran. */
static void cmd_finish(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_lane *lane = cmd->moved ? &ctrl->lane[0] : cmd->lane;
    struct envme_status st = cmd->status;
    bool drop = lane->mode == ENVME_LANE_DROP;
    int err;

    if (envme_cmd_hit(cmd) && ctrl->hooks.ended) {
        ctrl->hooks.ended(ctrl->hooks.opaque, cmd, st);
    }
    err = envme_xfer_end(cmd, !envme_st_err(st) && !drop);
    if (err == -EBUSY) {
        if (cmd->moved) {
            cmd->state = ENVME_CMD_HELD;
        } else if (cmd->state == ENVME_CMD_RUNNING) {
            envme_lane_leave(cmd, ENVME_CMD_ENDED);
        }
        envme_lane_hold(lane, cmd, cmd_finish_again);
        return;
    }
    if (err) {
        st = envme_cmd_fail(cmd, ENVME_ST(DATA_XFER_ERROR),
                            offsetof(struct envme_sqe, dptr));
    }
    if (envme_st_err(st)) {
        st.sf |= envme_status_retry_bits(ctrl, st);
    }
    if (envme_cmd_hit(cmd) && ctrl->hooks.post) {
        st = ctrl->hooks.post(ctrl->hooks.opaque, cmd, st);
    }
    if (envme_st_err(st) && !drop) {
        st = envme_cmd_log(cmd, st);
        if (FIELD_GET(ENVME_SF_SCT, st.sf) == ENVME_SCT_MEDIA &&
            ctrl->tables->media_error) {
            ctrl->tables->media_error(cmd, st);
        }
    }
    cmd->status = st;
    if (cmd->moved && cmd->lane->index) {
        envme_defer(ctrl, cmd->lane->index, cmd_land, cmd);
    } else {
        cmd_land(cmd);
    }
}

void envme_cmd_done(struct envme_cmd *cmd, struct envme_status st)
{
    assert(cmd->state == ENVME_CMD_RUNNING || cmd->state == ENVME_CMD_WAITING);
    assert(!envme_st_pending(st));
    cmd->status = st;
    cmd->loop = NULL;
    cmd->unwait = NULL;
    cmd_over(cmd, st);
    if (cmd->paused) {
        /* Its shape has changed: the others may go on. It counts again, for
         * the reset that might be waiting for it. */
        cmd->paused = false;
        cmd->state = ENVME_CMD_ENDED;
        envme_lane_enter(cmd);
        envme_resume(cmd->ctrl);
    } else if (cmd->state == ENVME_CMD_WAITING) {
        cmd->state = ENVME_CMD_ENDED;
        envme_lane_enter(cmd);
    }
    cmd_finish(cmd);
}

static void cmd_post_again(struct envme_cmd *cmd)
{
    cmd->state = ENVME_CMD_ENDED;
    cmd_post(cmd);
}

/* A fault: the completion comes later, or never. */
static bool cmd_withheld(struct envme_cmd *cmd)
{
    const struct envme_hooks *h = &cmd->ctrl->hooks;
    uint64_t until = ENVME_DEADLINE_NEVER;

    switch (h->may_post(h->opaque, cmd, &until)) {
    case ENVME_POST_NOW:
        return false;
    case ENVME_POST_NEVER:
        cmd_tell_aborter(cmd, cmd->status);
        cmd_start_partner(cmd, cmd->status);
        envme_queue_forget(cmd);
        return true;
    case ENVME_POST_LATER:
        break;
    }
    cmd_tell_aborter(cmd, cmd->status);
    envme_pace_hold(cmd, until, cmd_post_again);
    cmd_start_partner(cmd, cmd->status);
    return true;
}

/* Its own lane, not counted any more, no host memory held. */
static void cmd_post(struct envme_cmd *cmd)
{
    struct envme_lane *lane = cmd->lane;

    if (lane->mode == ENVME_LANE_DROP) {
        cmd->state = ENVME_CMD_ENDED;
        cmd_over(cmd, ENVME_ST(ABORT_REQUESTED));
        envme_xfer_end(cmd, false);
        cmd_tell_aborter(cmd, ENVME_ST(ABORT_REQUESTED));
        cmd_start_partner(cmd, ENVME_ST(ABORT_REQUESTED));
        envme_queue_forget(cmd);
        return;
    }
    if (envme_cmd_hit(cmd) && cmd->ctrl->hooks.may_post && cmd_withheld(cmd)) {
        return;
    }
    if (lane->mode == ENVME_LANE_PARK || !atomic_load(&cmd->ctrl->bme) ||
        !envme_queue_post(cmd)) {
        envme_lane_hold(lane, cmd, cmd_post_again);
        /* What the second posts is held behind it. */
        cmd_start_partner(cmd, cmd->status);
        return;
    }
    cmd_tell_aborter(cmd, cmd->status);
    cmd_start_partner(cmd, cmd->status);
    envme_queue_forget(cmd);
}
