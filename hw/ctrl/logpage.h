/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engines of Get Log Page (Base 2.1, 5.1.12) and Identify (5.1.13); the
 * rows live in hw/admin/rows-log.c and rows-cns.c. Lane 0.
 */
#ifndef ENVME_CTRL_LOGPAGE_H
#define ENVME_CTRL_LOGPAGE_H

#include "hw/ctrl/ctrl.h"

/* The row of a log page that is there, or NULL. */
const struct envme_log_row *envme_logpage_row(const struct envme_ctrl *ctrl,
                                              uint8_t lid);
struct envme_status envme_logpage_get(struct envme_cmd *cmd);
struct envme_status envme_logpage_len(struct envme_cmd *cmd, uint64_t *len);
struct envme_status envme_identify(struct envme_cmd *cmd);
struct envme_status envme_identify_len(struct envme_cmd *cmd, uint64_t *len);

#endif
