/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Error Information log: Base 2.1, 5.1.12.1.2. A ring that every command
 * which fails enters. Any lane thread; its own leaf lock.
 */
#ifndef ENVME_CTRL_ERRLOG_H
#define ENVME_CTRL_ERRLOG_H

#include "hw/ctrl/ctrl.h"

void envme_errlog_init(struct envme_ctrl *ctrl);
void envme_errlog_fini(struct envme_ctrl *ctrl);
void envme_errlog_add(struct envme_ctrl *ctrl, const struct envme_cmd *cmd,
                      struct envme_status st);
/* An error of no command (invalid doorbell): SQID and CID FFFFh. */
void envme_errlog_add_async(struct envme_ctrl *ctrl, struct envme_status st,
                            uint16_t sqid);
/* ELPE + 1 entries, newest first. */
void envme_errlog_read(struct envme_ctrl *ctrl, struct envme_log_error *out);
/* Puts it into subsys->state if it has changed. Lane 0. */
void envme_errlog_keep(struct envme_ctrl *ctrl);
/* Entries ever added. */
uint64_t envme_errlog_count(struct envme_ctrl *ctrl);

#endif
