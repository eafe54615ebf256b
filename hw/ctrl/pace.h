/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pace: a controller that is the bottleneck, because its user wants one. How
 * many I/O commands execute at once (max_inflight), and how long they take
 * (the model of hw/core/timing.h). docs/timing.md.
 *
 * Without either, all that is left are branches on ctrl->params.max_inflight,
 * ctrl->timing and fields of the command. Threads: the lane's own, but for
 * what says otherwise.
 */
#ifndef ENVME_CTRL_PACE_H
#define ENVME_CTRL_PACE_H

#include "hw/ctrl/ctrl.h"

void envme_pace_init(struct envme_ctrl *ctrl);
void envme_pace_fini(struct envme_ctrl *ctrl);
/* The controller is disabled, and no command is left. Lane 0. */
void envme_pace_reset(struct envme_ctrl *ctrl);

/* ---- commands at once -------------------------------------------------- */

/*
 * A place for one more I/O command, given back with envme_pace_leave() of the
 * command or envme_pace_give_back(). False: there is none, and the lane is
 * kicked when there is. Lanes that wait get places in turn.
 */
bool envme_pace_take(struct envme_lane *lane);
void envme_pace_give_back(struct envme_lane *lane);
/* The lane has nothing to fetch (any more): others may have what it was
 * given. */
void envme_pace_pass_on(struct envme_lane *lane);

static inline void envme_pace_leave(struct envme_cmd *cmd)
{
    if (cmd->executing) {
        cmd->executing = false;
        envme_pace_give_back(cmd->lane);
    }
}

/* ---- time -------------------------------------------------------------- */

/*
 * The command begins to execute: asks the model when it is over. Its gates
 * are passed, its namespace known, its data mapped. With ctrl->timing. The
 * thread on which it runs.
 */
void envme_pace_begin(struct envme_cmd *cmd);
/*
 * The command is done, holds nothing but its CQ slot, and is not counted any
 * more. True: it is not time yet; end(cmd) is called when it is, in a turn of
 * the lane, or sooner if the command is to go.
 */
bool envme_pace_delay(struct envme_cmd *cmd, void (*end)(struct envme_cmd *));
/* The same until another time, whatever the command is told meanwhile. */
void envme_pace_hold(struct envme_cmd *cmd, uint64_t until,
                     void (*end)(struct envme_cmd *));
/* It need not take its time any more: it ends in the lane's next turn. */
void envme_pace_hurry(struct envme_cmd *cmd);
/* A reset: all that are delayed end now. */
void envme_pace_drop(struct envme_lane *lane);
/* How long commands that begin from here on take, in thousandths: 1000 is
 * full speed, a slower power state has more. Any thread. */
void envme_pace_scale(struct envme_ctrl *ctrl, uint32_t per_mille);

#endif
