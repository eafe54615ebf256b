/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands and controllers that keep something over power cycles: hw/ns/state.h
 * is where it goes, this is how a controller waits for it. Any lane for its
 * own commands; lane 0 for the rest.
 */
#ifndef ENVME_CTRL_KEEP_H
#define ENVME_CTRL_KEEP_H

#include "hw/ctrl/cmd.h"

#define ENVME_KEEP_NAME (ENVME_STATE_NAME_MAX + 1)

/* The name of a record of this controller: "ctrl/CNTLID/WHAT". */
void envme_keep_name(char name[ENVME_KEEP_NAME],
                     const struct envme_ctrl *ctrl, const char *what);

/*
 * The command is over with this status, but what was put so far has to be
 * durable before the host hears of it. A handler says
 *   return envme_cmd_keep(cmd, ENVME_ST(SUCCESS));
 * instead of returning the status, and a continuation
 *   envme_cmd_keep_done(cmd, ENVME_ST(SUCCESS));
 * instead of envme_cmd_done(). Overwrites cmd->u. Internal Error when it
 * cannot be written; at once when nothing is kept or nothing has changed.
 */
struct envme_status envme_cmd_keep(struct envme_cmd *cmd,
                                   struct envme_status st);
void envme_cmd_keep_done(struct envme_cmd *cmd, struct envme_status st);

/* Writes what was put, then calls fn(arg, err) on lane 0, not from in here.
 * Whoever asks sees to it that the controller is there until then. */
void envme_keep_flush(struct envme_ctrl *ctrl,
                      void (*fn)(void *arg, int err), void *arg);

#endif
