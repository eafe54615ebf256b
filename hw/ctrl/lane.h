/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lanes: a thread's worth of controller. Doorbells come in, commands are
 * fetched in the arbiter's order, completions and interrupts go out. Base
 * 2.1, 3.3 and 3.4.4.
 *
 * Threads: the lane's own, but for what says otherwise. Lane 0 is the main
 * loop and serves the admin queue.
 */
#ifndef ENVME_CTRL_LANE_H
#define ENVME_CTRL_LANE_H

#include "hw/ctrl/ctrl.h"

void envme_lane_init(struct envme_ctrl *ctrl, unsigned index);
/* Frees the commands; none is in use. */
void envme_lane_fini(struct envme_lane *lane);

/* A command for a fetch, or NULL when the lane has as many as it may, unless
 * beyond: others wait for this one. */
struct envme_cmd *envme_lane_get_cmd(struct envme_lane *lane, bool beyond);
void envme_lane_put_cmd(struct envme_cmd *cmd);
/* The command starts to count, or stops counting, as being in flight. */
void envme_lane_enter(struct envme_cmd *cmd);
void envme_lane_leave(struct envme_cmd *cmd, enum envme_cmd_state state);

/* The command, which does not count any more, is held up for a time, or is so
 * no longer: the controller is busy with it meanwhile. */
void envme_lane_delayed(struct envme_cmd *cmd, bool begin);
/* How long any I/O command was in hand, us. Any thread. */
uint64_t envme_lanes_busy_us(const struct envme_ctrl *ctrl);

/* Puts a command aside until the lane runs (again): resume(cmd) then. */
void envme_lane_hold(struct envme_lane *lane, struct envme_cmd *cmd,
                     void (*resume)(struct envme_cmd *cmd));

/* What pause.c and life.c defer to a lane. arg: the lane. */
void envme_lane_park(void *arg);
void envme_lane_drain(void *arg);
void envme_lane_unpark(void *arg);
void envme_lane_drop(void *arg);
void envme_lane_start(void *arg);

/* ctrl->arbitration and CC.AMS have changed: all lanes take it up. Lane 0. */
void envme_lanes_arbitrate(struct envme_ctrl *ctrl);

/*
 * Has d->fn(d) called at that time, or soon after, in a turn of this lane;
 * parked lanes and Bus Master do not hold it back. The lane's thread.
 */
void envme_lane_at(struct envme_lane *lane, struct envme_deadline *d,
                   uint64_t when);
void envme_lane_not_at(struct envme_lane *lane, struct envme_deadline *d);

/* A doorbell of this lane has that word in it: takes it. */
void envme_lane_doorbell(struct envme_lane *lane, struct envme_db *db,
                         uint32_t word);
/* A doorbell was rung: has its lane look at it. Any thread. */
void envme_lane_ring(struct envme_ctrl *ctrl, struct envme_db *db);

/* Where lanes report to; lane 0. */
void envme_pause_acked(void *ctrl);     /* pause.c */
void envme_life_acked(void *ctrl);      /* life.c */

#endif
