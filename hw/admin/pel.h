/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Persistent Event log (0Dh): Base 2.1, 5.1.12.1.14.
 *
 * The log is the subsystem's, and so is its one reporting context. Command
 * families say what has happened by one call; what is put here is in
 * subsys->state at once, and durable with the next flush: a command whose end
 * is an event calls this before envme_cmd_keep(). Lane 0, but for what says
 * otherwise.
 */
#ifndef ENVME_ADMIN_PEL_H
#define ENVME_ADMIN_PEL_H

#include "envme/pel.h"
#include "hw/admin/shared.h"

/* PELS: the most that the log takes, header included, in units of 64 KiB. The
 * oldest events go when there is no more room. */
#define ENVME_PEL_PELS 2

struct envme_pel;

/* ---- pel.c: the log ---------------------------------------------------- */

/* The subsystem is made or its state loaded; it goes. */
void envme_pel_load(struct envme_shared *sh);
void envme_pel_free(struct envme_shared *sh);

/* An event of this type, told by this controller. */
void envme_pel_add(struct envme_ctrl *ctrl, uint8_t type, const void *data,
                   size_t len);
/* The newest event of a type and controller: its data and its length, or
 * NULL. Until the next envme_pel_add(). */
const void *envme_pel_last(const struct envme_ctrl *ctrl, uint8_t type,
                           size_t *len);
/* A reset of this controller begins: a context that it established goes. */
void envme_pel_stop(struct envme_ctrl *ctrl);

/* ---- pel-event.c: what families tell ----------------------------------- */

/* Made; enabled; a reset begins; leaves its subsystem. */
void envme_pel_init(struct envme_ctrl *ctrl);
void envme_pel_start(struct envme_ctrl *ctrl);
void envme_pel_reset(struct envme_ctrl *ctrl);
void envme_pel_leave(struct envme_ctrl *ctrl);

/* Firmware Commit is over: `old` was active, `new` (or NULL: not known) is the
 * revision of the image that it was about. */
void envme_pel_fw_commit(struct envme_cmd *cmd, const char old[8],
                         const char *new, struct envme_status st);
/* Feature 0Eh has another value than `old`. */
void envme_pel_timestamp(struct envme_ctrl *ctrl,
                         const struct envme_timestamp *old);
/* A namespace was created (ns is what it became) or is going to be deleted. */
void envme_pel_ns_created(struct envme_cmd *cmd, const struct envme_ns *ns,
                          const struct envme_ns_mgmt_create *c);
void envme_pel_ns_deleted(struct envme_cmd *cmd, const struct envme_ns *ns);
/* A format of what that NSID stands for. left: percent, when it ended. The
 * controller that it began at may be gone. */
void envme_pel_format_start(struct envme_cmd *cmd);
void envme_pel_format_done(struct envme_subsys *s, uint16_t cntlid,
                           uint32_t nsid, unsigned left, bool modified,
                           struct envme_status st);
void envme_pel_sanitize_start(struct envme_ctrl *ctrl, uint32_t cdw10,
                              uint32_t cdw11);
void envme_pel_sanitize_done(struct envme_ctrl *ctrl, uint16_t sprog,
                             uint16_t sstat);
/* A Set Features command has changed something: envme_tables. */
void envme_pel_feature(struct envme_cmd *cmd,
                       const struct envme_feat_row *row, const void *data);
/* Telemetry was captured. */
void envme_pel_telemetry(struct envme_ctrl *ctrl,
                         const struct envme_log_telemetry *header);
/* Critical Warning (all bits) or the composite temperature may have changed. */
void envme_pel_health(struct envme_ctrl *ctrl, uint8_t warning);
void envme_pel_endgrp(struct envme_ctrl *ctrl, uint16_t endgid,
                      uint8_t warning);
/* Thermal management goes from one level to another (0: none, 1, 2: as TMT1,
 * TMT2 of feature 10h say). */
void envme_pel_throttle(struct envme_ctrl *ctrl, unsigned old, unsigned level);
/* CSTS.CFS is set: envme_tables. */
void envme_pel_fatal(struct envme_ctrl *ctrl);
/* A command failed for its medium: envme_tables. Any lane. */
void envme_pel_media_error(struct envme_cmd *cmd, struct envme_status st);

#endif
