/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power states: Base 2.1, 8.1.19. Which one the controller is in, how it gets
 * to another, what waits meanwhile, and when it goes to sleep by itself.
 *
 * A transition takes the exit latency of the old state and the entry latency
 * of the new one. While it lasts, and in a non-operational state, I/O commands
 * that are fetched are held; the first one has the controller return to its
 * last operational state. Admin commands are carried out in every state.
 *
 * Threads: lane 0, but for what says otherwise. A controller that is awake pays
 * one relaxed load per I/O command. Since when it has been idle is what its
 * busy time is counted by (lane.h), and looked at when the timer fires.
 */
#ifndef ENVME_CTRL_POWER_H
#define ENVME_CTRL_POWER_H

#include "hw/ctrl/ctrl.h"

/* ctrl->power_watch */
#define ENVME_POWER_HOLD    1u  /* I/O commands are held */

#define ENVME_POWER_FULL    1000u

/*
 * How long the media's work takes now, in thousandths of what it takes at full
 * speed: 2000 is half of the speed. It follows from the power state's speed
 * and from thermal throttling. Any thread.
 */
static inline uint32_t envme_power_scale(const struct envme_ctrl *ctrl)
{
    return atomic_load_explicit(&ctrl->power_scale, memory_order_relaxed);
}

void envme_power_init(struct envme_ctrl *ctrl);
void envme_power_fini(struct envme_ctrl *ctrl);
/* A reset begins: timers stop. It is over: state 0, no autonomous transitions.
 * The controller has become ready. */
void envme_power_stop(struct envme_ctrl *ctrl);
void envme_power_reset(struct envme_ctrl *ctrl);
void envme_power_start(struct envme_ctrl *ctrl);

/* The one it is in; during a transition the one that it leaves. */
unsigned envme_power_state(const struct envme_ctrl *ctrl);
/* A saved state, at a reset: it is there at once. */
void envme_power_restore(struct envme_ctrl *ctrl, unsigned state);
/*
 * Set Features: the controller goes to that state; one that is there. True:
 * it is in it now. False: done(cmd) is called when it has arrived; a reset
 * ends the command.
 */
bool envme_power_set(struct envme_cmd *cmd, unsigned state,
                     void (*done)(struct envme_cmd *cmd));

/*
 * Autonomous transitions: from state i, after ms[i] of idle time in it (0:
 * never), to to[i]. on false: none.
 */
void envme_power_autonomous(struct envme_ctrl *ctrl, bool on,
                            const uint32_t ms[ENVME_PSTATES],
                            const uint8_t to[ENVME_PSTATES]);

/* Thermal throttling: thousandths, as in envme_power_scale(). */
void envme_power_throttle(struct envme_ctrl *ctrl, uint32_t per_mille);

/* An I/O command is about to begin while power_watch is not 0. True: it is
 * held. Its lane. */
bool envme_power_hold(struct envme_cmd *cmd);

#endif
