/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lane's thread that looks by itself, envme_lane_poll(): the host need not
 * ring for queues whose doorbells lie in memory (Base 2.1, 8.2.5), and keeps
 * the event index that it has passed already. Only such queues are looked at:
 * one that was idle all the time rings, as ever.
 *
 * Threads: the lane's own. Owner of the list: the lane; it is empty while the
 * lane is parked or dropped.
 */
#ifndef ENVME_CTRL_POLL_H
#define ENVME_CTRL_POLL_H

#include "hw/ctrl/ctrl.h"

/* The queue is empty: it is looked at from now on, or armed. */
void envme_poll_empty(struct envme_sq *sq);
/* Hosts ring from here on (true: one would have, already); or, the queues being
 * about to go, nobody does. */
bool envme_poll_arm_all(struct envme_lane *lane);
void envme_poll_forget_all(struct envme_lane *lane);

#endif
