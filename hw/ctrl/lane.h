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

/*
 * The lane is going to touch host memory, or to hold some of it mapped, until
 * as many calls of untouch: see envme_ctrl_quiet(). Whoever turns Bus Master
 * off and then sees no count can be sure, so the first one is counted before
 * Bus Master is looked at; while there is a count, others need not hurry. Its
 * thread.
 */
static inline void envme_lane_touch(struct envme_lane *lane)
{
    unsigned n = atomic_load_explicit(&lane->nmapped, memory_order_relaxed);

    if (n) {
        atomic_store_explicit(&lane->nmapped, n + 1, memory_order_relaxed);
    } else {
        atomic_fetch_add(&lane->nmapped, 1);
    }
}

static inline void envme_lane_untouch(struct envme_lane *lane)
{
    unsigned n = atomic_load_explicit(&lane->nmapped, memory_order_relaxed);

    atomic_store_explicit(&lane->nmapped, n - 1, memory_order_release);
}

/* It may fetch and post. Its thread. */
static inline bool envme_lane_runs(const struct envme_lane *lane)
{
    return lane->mode == ENVME_LANE_RUN && atomic_load(&lane->ctrl->bme);
}

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

/* The lane has I/O commands in hand, or has none any more. Its thread. */
void envme_lane_busy(struct envme_lane *lane);
void envme_lane_idle(struct envme_lane *lane);
/* How long any lane was busy, us. Any thread. */
uint64_t envme_lanes_busy_us(const struct envme_ctrl *ctrl);
/* Is none? And since when it has been so last, ns; 0: never. Any thread. */
bool envme_lanes_idle(const struct envme_ctrl *ctrl, uint64_t *since);

/* An I/O command has been fetched; its completion has been posted, or it ends
 * without one. */
static inline void envme_lane_io_in(struct envme_lane *lane)
{
    if (!lane->nio++ && !lane->busy) {
        envme_lane_busy(lane);
    }
}

static inline void envme_lane_io_out(struct envme_lane *lane)
{
    if (!--lane->nio && !lane->running) {
        envme_lane_idle(lane);
    }
}

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
/* Takes all doorbells that were rung; with the lane touched, and running. */
void envme_lane_take_doorbells(struct envme_lane *lane);
/* A doorbell was rung: has its lane look at it. Any thread. */
void envme_lane_ring(struct envme_ctrl *ctrl, struct envme_db *db);

/* Where lanes report to; lane 0. */
void envme_pause_acked(void *ctrl);     /* pause.c */
void envme_life_acked(void *ctrl);      /* life.c */

#endif
