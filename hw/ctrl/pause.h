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
/* Reset: forget the pauses of commands. */
void envme_pause_reset(struct envme_ctrl *ctrl);
/* The reset is over: grant the others, at once. */
void envme_pause_flush(struct envme_ctrl *ctrl);

#endif
