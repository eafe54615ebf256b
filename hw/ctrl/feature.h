/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine of Set Features and Get Features (Base 2.1, 5.1.11 and 5.1.25);
 * the rows live in hw/admin/rows-feature.c. Lane 0, values read by any lane.
 */
#ifndef ENVME_CTRL_FEATURE_H
#define ENVME_CTRL_FEATURE_H

#include "hw/ctrl/ctrl.h"

/* Host Behavior Support (16h) as a value: what of its data there is. */
#define ENVME_HBS_ACRE      0x00000001u
#define ENVME_HBS_LBAFEE    0x00000002u
#define ENVME_HBS_ETDAS     0x00000004u
#define ENVME_HBS_CDFE      0xffff0000u

void envme_feature_init(struct envme_ctrl *ctrl);
void envme_feature_fini(struct envme_ctrl *ctrl);
/* A namespace was attached (NULL: those of the controller): its current
 * values are the saved or default ones. */
void envme_feature_reset_ns(struct envme_ctrl *ctrl, struct envme_ns *ns);
/* Current values back to the saved or default ones. */
void envme_feature_reset(struct envme_ctrl *ctrl);
/* What is saved has its effect: at the start, when all of ctrl is there (ns
 * NULL), or on a namespace that was attached. */
void envme_feature_restore(struct envme_ctrl *ctrl, struct envme_ns *ns);
/* A namespace was deleted: what was saved of it goes. */
void envme_feature_forget_ns(struct envme_ctrl *ctrl, uint32_t nsid);
struct envme_status envme_feature_get(struct envme_cmd *cmd);
struct envme_status envme_feature_set(struct envme_cmd *cmd);
/* The end of a row's set function that returned ENVME_ST_PENDING: the value is
 * the current one, is saved if the command says so, and the command is done. */
void envme_feature_set_done(struct envme_cmd *cmd, struct envme_ns *ns,
                            uint32_t value, const void *data);
/* Data length of a Get/Set Features command: an envme_len_fn. */
struct envme_status envme_feature_len(struct envme_cmd *cmd, uint64_t *len);
/* The current value; ns NULL for controller scope. 0 if there is no such. */
uint32_t envme_feature_value(const struct envme_ctrl *ctrl, uint8_t fid,
                             const struct envme_ns *ns);
/* What a row's keep function has saved, or NULL. Controller scope. */
const void *envme_feature_saved(const struct envme_ctrl *ctrl, uint8_t fid);
void envme_feature_set_value(struct envme_ctrl *ctrl, uint8_t fid,
                             const struct envme_ns *ns, uint32_t value);
/* Data of the current value, data_len bytes: what was set with it since the
 * last reset, or else saved. NULL: the default. Lane 0. */
const void *envme_feature_data(const struct envme_ctrl *ctrl, uint8_t fid,
                               const struct envme_ns *ns);
void envme_feature_set_data(struct envme_ctrl *ctrl, uint8_t fid,
                            const struct envme_ns *ns, const void *data);

#endif
