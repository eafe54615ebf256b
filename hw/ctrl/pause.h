/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parking the lanes, so that the controller's shape can change.
 *
 * Lane 0 only. A pause is a continuation: fn(ctrl, arg) is called when every
 * lane has stopped (park: fetches and posts nothing; drain: and has nothing
 * in flight but the command `cmd` for whom it is), at once where it already
 * has. envme_resume() ends it. Pauses are granted one at a time, in order. A
 * reset forgets the ones that commands wait for and grants the others (cmd
 * NULL) when it is over.
 */
#ifndef ENVME_CTRL_PAUSE_H
#define ENVME_CTRL_PAUSE_H

#include "hw/ctrl/ctrl.h"

void envme_pause(struct envme_ctrl *ctrl, bool drain, struct envme_cmd *cmd,
                 envme_pause_fn *fn, void *arg);
void envme_resume(struct envme_ctrl *ctrl);

/*
 * A command of lane 0 waits for something that is neither a lane nor its own
 * backend request: from here on it does not count as being in flight, so that
 * its controller can be parked and drained meanwhile. *ref, which points to
 * it, becomes NULL when a reset forgets it.
 */
void envme_cmd_wait(struct envme_cmd **ref);
/* The wait is over: it counts again, and goes on or ends. Nothing when it was
 * forgotten; returns it, or NULL. */
struct envme_cmd *envme_cmd_wait_over(struct envme_cmd **ref);

/* Reset: forget the pauses of commands, and those that wait. */
void envme_pause_reset(struct envme_ctrl *ctrl);
/* The reset is over: grant the others, at once. */
void envme_pause_flush(struct envme_ctrl *ctrl);

#endif
