/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/admin/endgrp.h"

#include <string.h>

#include "envme/id.h"
#include "hw/admin/pel.h"

#include "hw/ctrl/event.h"
#include "hw/ns/capacity.h"

#define GROUP 1
#define GROUP_CW (ENVME_EGCW_EGASCBT | ENVME_EGCW_EGDR | ENVME_EGCW_EGRO)
#define AEC_BIT 14              /* of Feature 0Bh */

bool envme_endgrp_there(const struct envme_ctrl *ctrl)
{
    return envme_endgrp(ctrl);
}

static struct envme_endgrp *group_of(const struct envme_ctrl *ctrl)
{
    return &envme_shared(ctrl)->endgrp;
}

/* ---- counters ---------------------------------------------------------- */

static void group_add(struct envme_health_totals *sum,
                      const struct envme_health_totals *t)
{
    sum->reads += t->reads;
    sum->writes += t->writes;
    sum->read_bytes += t->read_bytes;
    sum->written_bytes += t->written_bytes;
    sum->media_errors += t->media_errors;
    sum->errors += t->errors;
}

void envme_endgrp_join(struct envme_ctrl *ctrl)
{
    /* With a state file it begins with what it had counted when it left. */
    if (ctrl->subsys->state) {
        group_of(ctrl)->left[ctrl->cntlid] =
            (struct envme_health_totals){ 0 };
    }
}

void envme_endgrp_leave(struct envme_ctrl *ctrl)
{
    struct envme_health_totals t;

    envme_health_totals(ctrl, &t);
    group_add(&group_of(ctrl)->left[ctrl->cntlid], &t);
    group_of(ctrl)->leaving = ctrl;
    envme_endgrp_check(ctrl);
    group_of(ctrl)->leaving = NULL;
}

static void group_totals(const struct envme_ctrl *ctrl,
                         struct envme_health_totals *sum)
{
    *sum = (struct envme_health_totals){ 0 };
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(ctrl->subsys, i);
        struct envme_health_totals t;

        group_add(sum, &group_of(ctrl)->left[i]);
        if (c) {
            envme_health_totals(c, &t);
            group_add(sum, &t);
        }
    }
}

/* ---- warnings and events ----------------------------------------------- */

/* They are its media's, so those of all who use them. */
uint8_t envme_endgrp_warning(const struct envme_ctrl *ctrl)
{
    uint8_t cw = 0;

    for (unsigned i = 0; i < ENVME_MAX_CTRLS && envme_endgrp(ctrl); i++) {
        const struct envme_ctrl *c = envme_shared_ctrl(ctrl->subsys, i);

        if (c && c != group_of(ctrl)->leaving) {
            cw |= envme_health_media_warning(c) & GROUP_CW;
        }
    }
    return cw;
}

void envme_endgrp_check(struct envme_ctrl *ctrl)
{
    struct envme_endgrp *g = group_of(ctrl);
    uint8_t cw = envme_endgrp_warning(ctrl);
    uint8_t fresh = cw & g->enabled & ~g->told;

    if (cw & ~g->seen) {
        envme_pel_endgrp(ctrl, GROUP, cw);
    }
    g->seen = cw;
    g->told = cw & g->enabled;
    if (!fresh || g->pending) {
        return;
    }
    g->pending = true;
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(ctrl->subsys, i);

        if (c) {
            envme_event_post(c, ENVME_AEN_TYPE_NOTICE,
                             ENVME_AEN_NOTICE_ENDGRP,
                             ENVME_LID_ENDGRP_AGGREGATE, AEC_BIT);
        }
    }
}

/* ---- log page 09h ------------------------------------------------------ */

/* Billions of bytes, rounded up. */
static void group_units(uint8_t counter[16], uint64_t bytes)
{
    envme_health_put(counter, bytes / 1000000000 + !!(bytes % 1000000000));
}

size_t envme_endgrp_log_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_log_endgrp);
}

struct envme_status envme_endgrp_log(const struct envme_log_req *req,
                                     void *buf)
{
    const struct envme_ctrl *ctrl = req->cmd->ctrl;
    struct envme_log_endgrp *log = buf;
    struct envme_health_totals t;

    if (req->lsi != GROUP) {
        return envme_cmd_fail(req->cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw11) + 2);
    }
    group_totals(ctrl, &t);
    log->cw = envme_endgrp_warning(ctrl);
    envme_health_spare(log->cw & ENVME_EGCW_EGASCBT, &log->avsp, &log->avspt);
    envme_health_shown_gauge(ctrl, ENVME_HEALTH_SPARE, &log->avsp);
    envme_health_shown_gauge(ctrl, ENVME_HEALTH_THRESHOLD, &log->avspt);
    envme_health_shown_gauge(ctrl, ENVME_HEALTH_USED, &log->pused);
    /* There is no wear and nothing is written that no host has written. */
    group_units(log->dur, t.read_bytes);
    group_units(log->duw, t.written_bytes);
    group_units(log->muw, t.written_bytes);
    envme_health_put(log->hrc, t.reads);
    envme_health_put(log->hwc, t.writes);
    envme_health_put(log->mdie, t.media_errors);
    envme_health_put(log->neile, t.errors);
    envme_health_put(log->tegcap, envme_capacity_total(ctrl->subsys));
    envme_health_put(log->uegcap, envme_capacity_unused(ctrl->subsys));
    return ENVME_ST(SUCCESS);
}

/* Read with RAE 0: its entry in log page 0Fh goes. */
void envme_endgrp_log_read(const struct envme_log_req *req)
{
    group_of(req->cmd->ctrl)->pending = false;
}

/* ---- log page 0Fh ------------------------------------------------------ */

size_t envme_endgrp_aggregate_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_log_aggregate) + sizeof(le16_t);
}

struct envme_status envme_endgrp_aggregate(const struct envme_log_req *req,
                                           void *buf)
{
    struct envme_log_aggregate *log = buf;

    if (group_of(req->cmd->ctrl)->pending) {
        log->ne = le64(1);
        log->id[0] = le16(GROUP);
    }
    return ENVME_ST(SUCCESS);
}

/* ---- CNS 19h ----------------------------------------------------------- */

/* From the identifier in CNSSID on. */
struct envme_status envme_cns_endgrp_list(struct envme_cmd *cmd, void *buf)
{
    unsigned from = FIELD_GET(ENVME_IDENTIFY_CNSSID, envme_cmd_cdw(cmd, 11));
    struct envme_endgrp_list *list = buf;

    if (!envme_endgrp(cmd->ctrl)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10));
    }
    if (from <= GROUP) {
        list->num = le16(1);
        list->endgid[0] = le16(GROUP);
    }
    return ENVME_ST(SUCCESS);
}

/* ---- feature 18h ------------------------------------------------------- */

static struct envme_status group_config_check(struct envme_cmd *cmd)
{
    uint32_t cdw11 = envme_cmd_cdw(cmd, 11);

    return FIELD_GET(ENVME_FEAT_EGE_ENDGID, cdw11) == GROUP ?
           ENVME_ST(SUCCESS) :
           envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                          offsetof(struct envme_sqe, cdw11));
}

/* The value that is kept has no group in it: it is that of the only one. */
struct envme_status envme_endgrp_config_set(struct envme_cmd *cmd,
                                            struct envme_ns *ns,
                                            uint32_t *value, const void *data,
                                            uint32_t *dw0)
{
    struct envme_status st = group_config_check(cmd);

    (void)data;
    (void)dw0;
    if (envme_st_ok(st) && *value & ~(ENVME_FEAT_EGE_ENDGID |
        (uint32_t)FIELD_SET(ENVME_FEAT_EGE_EGCW, GROUP_CW))) {
        st = envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                            offsetof(struct envme_sqe, cdw11) + 2);
    }
    if (envme_st_ok(st)) {
        *value &= ENVME_FEAT_EGE_EGCW;
        envme_endgrp_config_restore(cmd->ctrl, ns, *value, NULL);
        envme_endgrp_check(cmd->ctrl);
    }
    return st;
}

struct envme_status envme_endgrp_config_get(struct envme_cmd *cmd,
                                            struct envme_ns *ns, uint32_t *dw0,
                                            void *data)
{
    (void)ns;
    (void)data;
    *dw0 = FIELD_SET(ENVME_FEAT_EGE_EGCW, group_of(cmd->ctrl)->enabled);
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_endgrp_config_show(struct envme_cmd *cmd,
                                             uint32_t *dw0)
{
    struct envme_status st = group_config_check(cmd);

    *dw0 |= FIELD_SET(ENVME_FEAT_EGE_ENDGID, GROUP);
    return st;
}

void envme_endgrp_config_restore(struct envme_ctrl *ctrl, struct envme_ns *ns,
                                 uint32_t value, const void *data)
{
    struct envme_endgrp *g = group_of(ctrl);

    (void)ns;
    (void)data;
    /* A condition that is there already comes when it is enabled. */
    g->enabled = FIELD_GET(ENVME_FEAT_EGE_EGCW, value);
    g->told &= g->enabled;
    g->pending = g->pending && g->told;
}
