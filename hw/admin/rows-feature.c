/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Features: Base 2.1, 5.1.25. Each has its effect where it is set here, or
 * where its value is looked at.
 */
#include <string.h>

#include "envme/ocp.h"
#include "hw/admin/admin.h"
#include "hw/admin/endgrp.h"
#include "hw/admin/pel.h"

#include "hw/ctrl/feature.h"
#include "hw/ctrl/lane.h"

#define AT_CDW11 offsetof(struct envme_sqe, cdw11)

/* The arguments of every set function. */
#define FEAT_SET_ARGS                                                   \
    struct envme_cmd *cmd, struct envme_ns *ns, uint32_t *value,        \
    const void *data, uint32_t *dw0
#define FEAT_UNUSED() ((void)cmd, (void)ns, (void)value, (void)data, (void)dw0)

static struct envme_status feat_invalid(struct envme_cmd *cmd)
{
    return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), AT_CDW11);
}

/* Invalid Field if bits outside of mask are set. */
static struct envme_status feat_check(struct envme_cmd *cmd, uint32_t value,
                                      uint32_t mask)
{
    return value & ~mask ? feat_invalid(cmd) : ENVME_ST(SUCCESS);
}

/* ---- 01h Arbitration --------------------------------------------------- */

static struct envme_status feat_set_arbitration(FEAT_SET_ARGS)
{
    struct envme_status st = feat_check(cmd, *value, ENVME_FEAT_ARB_AB |
                                        ENVME_FEAT_ARB_LPW |
                                        ENVME_FEAT_ARB_MPW |
                                        ENVME_FEAT_ARB_HPW);

    FEAT_UNUSED();
    if (envme_st_ok(st)) {
        atomic_store(&cmd->ctrl->arbitration, *value);
        envme_lanes_arbitrate(cmd->ctrl);
    }
    return st;
}

/* ---- 05h Error Recovery ------------------------------------------------ */

static void feat_restore_error_recovery(struct envme_ctrl *ctrl,
                                        struct envme_ns *ns, uint32_t value,
                                        const void *data)
{
    (void)ctrl;
    (void)data;
    if (FIELD_GET(ENVME_FEAT_ER_DULBE, value)) {
        atomic_store(&ns->dulbe, true);
    }
}

/* DULBE where the backend knows what is allocated; reads look at it. There
 * are no retries whose time TLER could limit. */
static struct envme_status feat_set_error_recovery(FEAT_SET_ARGS)
{
    struct envme_status st;

    FEAT_UNUSED();
    st = feat_check(cmd, *value, ENVME_FEAT_ER_TLER |
                    (ns->geo.status ? ENVME_FEAT_ER_DULBE : 0));
    if (envme_st_ok(st)) {
        feat_restore_error_recovery(cmd->ctrl, ns, *value, NULL);
    }
    return st;
}

/* ---- 06h Volatile Write Cache ------------------------------------------ */

struct feat_vwc {
    uint32_t value, nsid;
};

static uint32_t feat_default_vwc(struct envme_ctrl *ctrl, struct envme_ns *ns)
{
    (void)ns;
    for (uint32_t i = 1; i <= ctrl->subsys->nn; i++) {
        if (ctrl->ns[i] && ctrl->ns[i]->geo.volatile_cache &&
            ctrl->ns[i]->params.write_cache) {
            return ENVME_FEAT_VWC_WCE;
        }
    }
    return 0;
}

/* What was cached before the cache was turned off is flushed. */
static void feat_vwc_flush(struct envme_cmd *cmd, int err)
{
    struct feat_vwc *s = ENVME_CMD_STATE(cmd, struct feat_vwc);
    struct envme_ctrl *ctrl = cmd->ctrl;

    if (err) {
        envme_cmd_done(cmd, envme_cmd_io_status(cmd, err));
        return;
    }
    while (s->nsid < ctrl->subsys->nn) {
        struct envme_ns *ns = envme_ctrl_ns(ctrl, ++s->nsid);

        if (ns && ns->geo.volatile_cache && !ns->read_only) {
            cmd->bio = (struct envme_bio){ .op = ENVME_BIO_FLUSH };
            envme_cmd_io(cmd, ns, feat_vwc_flush);
            return;
        }
    }
    envme_feature_set_done(cmd, NULL, s->value, NULL);
}

/* A saved value, at a reset or for a namespace that came. */
static void feat_restore_vwc(struct envme_ctrl *ctrl, struct envme_ns *ns,
                             uint32_t value, const void *data)
{
    bool on = value & ENVME_FEAT_VWC_WCE;

    (void)data;
    for (uint32_t i = 1; i <= ctrl->subsys->nn; i++) {
        struct envme_ns *n = ctrl->ns[i];

        if (n && (!ns || n == ns) && n->geo.volatile_cache &&
            !(n->be->ops->set_cache && n->be->ops->set_cache(n->be, on))) {
            atomic_store(&n->wce, on);
        }
    }
}

/* What is so now: the namespaces have come and gone since it was set. */
static struct envme_status feat_get_vwc(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *dw0,
                                        void *data)
{
    const struct envme_ctrl *ctrl = cmd->ctrl;
    bool cache = false, on = false;

    (void)ns;
    (void)data;
    for (uint32_t i = 1; i <= ctrl->subsys->nn; i++) {
        if (ctrl->ns[i] && ctrl->ns[i]->geo.volatile_cache) {
            cache = true;
            on |= atomic_load(&ctrl->ns[i]->wce);
        }
    }
    if (cache) {
        *dw0 = FIELD_SET(ENVME_FEAT_VWC_WCE, on);
    }
    return ENVME_ST(SUCCESS);
}

static struct envme_status feat_set_vwc(FEAT_SET_ARGS)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_status st = feat_check(cmd, *value, ENVME_FEAT_VWC_WCE);
    bool on = *value & ENVME_FEAT_VWC_WCE;

    FEAT_UNUSED();
    if (envme_st_err(st)) {
        return st;
    }
    for (uint32_t i = 1; i <= ctrl->subsys->nn; i++) {
        struct envme_ns *n = ctrl->ns[i];

        if (!n || !n->geo.volatile_cache) {
            continue;
        }
        /* Without a switch, writes are written through one by one. */
        if (n->be->ops->set_cache && n->be->ops->set_cache(n->be, on)) {
            return ENVME_ST(INTERNAL);
        }
        atomic_store(&n->wce, on);
    }
    if (!on) {
        struct feat_vwc *s = ENVME_CMD_STATE(cmd, struct feat_vwc);

        *s = (struct feat_vwc){ .value = *value };
        feat_vwc_flush(cmd, 0);
        return ENVME_ST_PENDING;
    }
    return st;
}

/* ---- 07h Number of Queues ---------------------------------------------- */

static uint32_t feat_default_queues(struct envme_ctrl *ctrl,
                                    struct envme_ns *ns)
{
    uint32_t n = ctrl->params.max_ioqpairs - 1u;

    (void)ns;
    return n | n << 16;
}

static struct envme_status feat_set_queues(FEAT_SET_ARGS)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    unsigned max = ctrl->params.max_ioqpairs - 1u;
    unsigned nsq = FIELD_GET(ENVME_FEAT_NQ_NSQ, *value);
    unsigned ncq = FIELD_GET(ENVME_FEAT_NQ_NCQ, *value);

    FEAT_UNUSED();
    if (nsq == 0xffff || ncq == 0xffff) {
        return feat_invalid(cmd);
    }
    if (ctrl->nsq || ctrl->ncq) {
        return ENVME_ST(SEQUENCE_ERROR);
    }
    ctrl->nsqa = ENVME_MIN(nsq, max);
    ctrl->ncqa = ENVME_MIN(ncq, max);
    *dw0 = *value = FIELD_SET(ENVME_FEAT_NQ_NSQ, ctrl->nsqa) |
                    FIELD_SET(ENVME_FEAT_NQ_NCQ, ctrl->ncqa);
    return ENVME_ST(SUCCESS);
}

/* ---- 08h, 09h Interrupt Coalescing ------------------------------------- */

static struct envme_status feat_set_coalescing(FEAT_SET_ARGS)
{
    struct envme_status st = feat_check(cmd, *value, ENVME_FEAT_IRQC_THR |
                                        ENVME_FEAT_IRQC_TIME);

    FEAT_UNUSED();
    if (envme_st_ok(st)) {
        atomic_store(&cmd->ctrl->coalescing, *value);
    }
    return st;
}

static struct envme_status feat_set_vector(FEAT_SET_ARGS)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    unsigned iv = FIELD_GET(ENVME_FEAT_IVC_IV, *value);

    FEAT_UNUSED();
    if (*value & ~(ENVME_FEAT_IVC_IV | ENVME_FEAT_IVC_CD) ||
        iv >= ctrl->params.nvectors) {
        return feat_invalid(cmd);
    }
    atomic_store(&ctrl->vector_cd[iv],
                 FIELD_GET(ENVME_FEAT_IVC_CD, *value));
    return ENVME_ST(SUCCESS);
}

static struct envme_status feat_show_vector(struct envme_cmd *cmd,
                                            uint32_t *dw0)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    unsigned iv = FIELD_GET(ENVME_FEAT_IVC_IV, envme_cmd_cdw(cmd, 11));
    bool cd;

    if (iv >= ctrl->params.nvectors) {
        return feat_invalid(cmd);
    }
    /* Only the current value differs from vector to vector. */
    cd = FIELD_GET(ENVME_FEAT_SEL, envme_cmd_cdw(cmd, 10)) ==
         ENVME_FEAT_SEL_CURRENT && atomic_load(&ctrl->vector_cd[iv]);
    *dw0 = FIELD_SET(ENVME_FEAT_IVC_IV, iv) | FIELD_SET(ENVME_FEAT_IVC_CD, cd);
    return ENVME_ST(SUCCESS);
}

/* ---- 0Ah Write Atomicity Normal ---------------------------------------- */

static uint32_t feat_default_atomicity(struct envme_ctrl *ctrl,
                                       struct envme_ns *ns)
{
    (void)ns;
    return FIELD_SET(ENVME_FEAT_WAN_DN, ctrl->params.dn);
}

/* With DN, commands of the same blocks don't wait for each other. */
static struct envme_status feat_set_atomicity(FEAT_SET_ARGS)
{
    FEAT_UNUSED();
    return feat_check(cmd, *value, ENVME_FEAT_WAN_DN);
}

/* ---- 0Bh Asynchronous Event Configuration ------------------------------ */

/* The events that can occur here. */
uint32_t envme_admin_aec(const struct envme_ctrl *ctrl)
{
    return ENVME_SMART_CW_ASCBT | ENVME_SMART_CW_TTC | ENVME_SMART_CW_NDR |
           ENVME_SMART_CW_AMRO | ENVME_SMART_CW_VMBF | ENVME_FEAT_AEC_NSAN |
           ENVME_FEAT_AEC_FAN | ENVME_FEAT_AEC_TLN | ENVME_FEAT_AEC_LBASIAN |
           ENVME_FEAT_AEC_ANSAN |
           (ctrl->ports.pmr.base ? ENVME_SMART_CW_PMRRO : 0) |
           (ctrl->params.temp_hyst ? ENVME_FEAT_AEC_TTHR : 0) |
           (envme_endgrp(ctrl) ? ENVME_FEAT_AEC_EGEALCN : 0);
}

/* An event whose condition is there already comes when it is enabled. */
static struct envme_status feat_set_aec(FEAT_SET_ARGS)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_status st = feat_check(cmd, *value, envme_admin_aec(ctrl));
    uint32_t old = envme_feature_value(ctrl, ENVME_FID_AEC, NULL);

    FEAT_UNUSED();
    if (envme_st_ok(st)) {
        envme_feature_set_value(ctrl, ENVME_FID_AEC, NULL, *value);
        envme_admin(ctrl)->warned &= ~(*value & ~old);
        if (*value & ~old & ENVME_SMART_CW_TTC) {
            envme_admin(ctrl)->thermal.told = 0;
        }
        envme_health_check(ctrl);
        envme_lbas_check(ctrl);
    }
    return st;
}

/* ---- 0Eh Timestamp ----------------------------------------------------- */

void envme_admin_timestamp(const struct envme_ctrl *ctrl,
                           struct envme_timestamp *ts)
{
    const struct envme_admin *a = envme_admin(ctrl);
    uint64_t ms = a->ts_ms + (envme_now(ctrl) - a->ts_at) / 1000000;

    *ts = (struct envme_timestamp){
        .attr = FIELD_SET(ENVME_TIMESTAMP_TO, a->ts_set ?
                          ENVME_TIMESTAMP_TO_HOST : ENVME_TIMESTAMP_TO_RESET),
    };
    for (unsigned i = 0; i < sizeof(ts->timestamp); i++) {
        ts->timestamp[i] = ms >> (8 * i);
    }
}

static struct envme_status feat_set_timestamp(FEAT_SET_ARGS)
{
    struct envme_admin *a = envme_admin(cmd->ctrl);
    const struct envme_timestamp *ts = data;
    struct envme_timestamp old;

    FEAT_UNUSED();
    envme_admin_timestamp(cmd->ctrl, &old);
    a->ts_ms = 0;
    for (unsigned i = 0; i < sizeof(ts->timestamp); i++) {
        a->ts_ms |= (uint64_t)ts->timestamp[i] << (8 * i);
    }
    a->ts_at = envme_now(cmd->ctrl);
    a->ts_set = true;
    *value = 0;
    envme_pel_timestamp(cmd->ctrl, &old);
    return ENVME_ST(SUCCESS);
}

static struct envme_status feat_get_timestamp(struct envme_cmd *cmd,
                                              struct envme_ns *ns,
                                              uint32_t *dw0, void *data)
{
    (void)ns;
    *dw0 = 0;
    envme_admin_timestamp(cmd->ctrl, data);
    return ENVME_ST(SUCCESS);
}

/* ---- 16h Host Behavior Support ----------------------------------------- */

/*
 * LBAFEE shows more than 16 formats in Identify, CDFE allows Copy's descriptor
 * formats 2 and 3, ETDAS shows data area 4 of telemetry, ACRE allows retry
 * delays in completions (cmd.c).
 */
static struct envme_status feat_set_behavior(FEAT_SET_ARGS)
{
    const struct envme_feat_host_behavior *b = data;
    uint16_t cdfe = le16_get(b->cdfe);

    FEAT_UNUSED();
    if (b->acre > 1 || b->etdas > 1 || b->lbafee > 1 || b->hdisns ||
        cdfe & ~(ENVME_CDFE_CDF2E | ENVME_CDFE_CDF3E)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, dptr));
    }
    *value = FIELD_SET(ENVME_HBS_ACRE, b->acre) |
             FIELD_SET(ENVME_HBS_LBAFEE, b->lbafee) |
             FIELD_SET(ENVME_HBS_ETDAS, b->etdas) |
             FIELD_SET(ENVME_HBS_CDFE, cdfe);
    return ENVME_ST(SUCCESS);
}

static struct envme_status feat_get_behavior(struct envme_cmd *cmd,
                                             struct envme_ns *ns,
                                             uint32_t *dw0, void *data)
{
    struct envme_feat_host_behavior *b = data;
    uint32_t v = envme_feature_value(cmd->ctrl, ENVME_FID_HOST_BEHAVIOR, NULL);

    (void)ns;
    *dw0 = 0;
    b->acre = FIELD_GET(ENVME_HBS_ACRE, v);
    b->lbafee = FIELD_GET(ENVME_HBS_LBAFEE, v);
    b->etdas = FIELD_GET(ENVME_HBS_ETDAS, v);
    b->cdfe = le16(FIELD_GET(ENVME_HBS_CDFE, v));
    return ENVME_ST(SUCCESS);
}

/* ---- the rows ---------------------------------------------------------- */

static const struct envme_feat_row feat_rows[] = {
    {
        .name = "arbitration", .spec = "Base 2.1, 5.1.25.1.1",
        .fid = ENVME_FID_ARBITRATION, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .saveable = true, .changeable = true, .dflt = ENVME_ADMIN_AB,
        .set = feat_set_arbitration,
    },
    {
        .name = "power-management", .spec = "Base 2.1, 5.1.25.1.2",
        .fid = ENVME_FID_POWER_MGMT, .scope = ENVME_FEAT_CTRL,
        .saveable = true, .changeable = true, .set = envme_feat_set_power,
        .get = envme_feat_get_power, .restore = envme_feat_restore_power,
    },
    {
        .name = "lba-range-type", .spec = "NVM 1.1, 4.1.3.1",
        .fid = ENVME_FID_LBA_RANGE, .scope = ENVME_FEAT_NS,
        .logged = true,
        .changeable = true, .own = true,
        .data_len = sizeof(struct envme_feat_lba_range),
        .reset_data = envme_feat_reset_ranges,
        .set = envme_feat_set_ranges, .get = envme_feat_get_ranges,
    },
    {
        .name = "temperature-threshold", .spec = "Base 2.1, 5.1.25.1.3",
        .fid = ENVME_FID_TEMP_THRESH, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .saveable = true, .changeable = true, .keep_len = ENVME_TEMP_KEPT,
        .set = envme_feat_set_temp, .show = envme_feat_show_temp,
        .keep = envme_feat_keep_temp, .restore = envme_feat_restore_temp,
    },
    {
        .name = "error-recovery", .spec = "NVM 1.1, 4.1.3",
        .fid = ENVME_FID_ERROR_RECOVERY, .scope = ENVME_FEAT_NS,
        .logged = true,
        .saveable = true, .changeable = true, .set = feat_set_error_recovery,
        .restore = feat_restore_error_recovery,
    },
    {
        .name = "volatile-write-cache", .spec = "Base 2.1, 5.1.25.1.4",
        .fid = ENVME_FID_VWC, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .saveable = true, .changeable = true, .reset = feat_default_vwc,
        .set = feat_set_vwc, .get = feat_get_vwc, .restore = feat_restore_vwc,
    },
    {
        .name = "number-of-queues", .spec = "Base 2.1, 5.1.25",
        .fid = ENVME_FID_NUM_QUEUES, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .changeable = true, .reset = feat_default_queues,
        .set = feat_set_queues,
    },
    {
        .name = "interrupt-coalescing", .spec = "Base 2.1, 5.1.25",
        .fid = ENVME_FID_IRQ_COALESCE, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .saveable = true, .changeable = true, .set = feat_set_coalescing,
    },
    {
        .name = "interrupt-vector-configuration",
        .spec = "Base 2.1, 5.1.25",
        .fid = ENVME_FID_IRQ_CONFIG, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .changeable = true, .set = feat_set_vector, .show = feat_show_vector,
    },
    {
        .name = "write-atomicity-normal", .spec = "NVM 1.1, 4.1.3",
        .fid = ENVME_FID_WRITE_ATOMIC, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .saveable = true, .changeable = true,
        .reset = feat_default_atomicity, .set = feat_set_atomicity,
    },
    {
        .name = "async-event-configuration", .spec = "Base 2.1, 5.1.25.1.5",
        .fid = ENVME_FID_AEC, .scope = ENVME_FEAT_CTRL,
        .saveable = true, .changeable = true, .set = feat_set_aec,
    },
    {
        .name = "auto-pst", .spec = "Base 2.1, 5.1.25.1.6",
        .fid = ENVME_FID_APST, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .saveable = true, .changeable = true, .there = envme_admin_has_nops,
        .data_len = sizeof(struct envme_feat_apst),
        .set = envme_feat_set_apst, .get = envme_feat_get_apst,
        .restore = envme_feat_restore_apst,
    },
    {
        .name = "host-memory-buffer", .spec = "Base 2.1, 5.1.25.2.3",
        .fid = ENVME_FID_HMB, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .changeable = true, .there = envme_hmb_there,
        .data_len = sizeof(struct envme_feat_hmb), .len = envme_feat_len_hmb,
        .set = envme_feat_set_hmb, .get = envme_feat_get_hmb,
    },
    {
        .name = "timestamp", .spec = "Base 2.1, 5.1.25.1.7",
        .fid = ENVME_FID_TIMESTAMP, .scope = ENVME_FEAT_CTRL,
        .changeable = true, .data_len = sizeof(struct envme_timestamp),
        .set = feat_set_timestamp, .get = feat_get_timestamp,
    },
    {
        .name = "keep-alive-timer", .spec = "Base 2.1, 5.1.25.1.8",
        .fid = ENVME_FID_KATO, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .changeable = true, .there = envme_keepalive_there,
        .set = envme_feat_set_kato,
    },
    {
        .name = "host-controlled-thermal-management",
        .spec = "Base 2.1, 5.1.25.1.9",
        .fid = ENVME_FID_HCTM, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .saveable = true, .changeable = true, .set = envme_feat_set_hctm,
    },
    {
        .name = "non-op-power-state-config", .spec = "Base 2.1, 5.1.25.1.10",
        .fid = ENVME_FID_NOPSC, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .saveable = true, .changeable = true, .there = envme_admin_has_nops,
        .set = envme_feat_set_nopsc,
    },
    {
        .name = "sanitize-config", .spec = "Base 2.1, 5.1.25",
        .fid = ENVME_FID_SANITIZE_CONFIG, .scope = ENVME_FEAT_SUBSYS,
        .logged = true,
        .saveable = true, .changeable = true,
        .set = envme_sanitize_config_set, .get = envme_sanitize_config_get,
        .restore = envme_sanitize_config_restore,
    },
    {
        .name = "lba-status-information-attributes",
        .spec = "NVM 1.1, 4.1.3.5",
        .fid = ENVME_FID_LBA_STATUS, .scope = ENVME_FEAT_CTRL,
        .saveable = true, .changeable = true,
        .dflt = ENVME_LBAS_LSIPI | ENVME_LBAS_LSIPI << 16,
        .set = envme_feat_set_lbas,
    },
    {
        .name = "host-behavior-support", .spec = "Base 2.1, 5.1.25.1",
        .fid = ENVME_FID_HOST_BEHAVIOR, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .changeable = true,
        .data_len = sizeof(struct envme_feat_host_behavior),
        .set = feat_set_behavior, .get = feat_get_behavior,
    },
    {
        .name = "endurance-group-event-configuration",
        .spec = "Base 2.1, 5.1.25.1.16",
        .fid = ENVME_FID_ENDGRP_EVENT, .scope = ENVME_FEAT_ENDGRP,
        .there = envme_endgrp_there, .logged = true,
        .saveable = true, .changeable = true,
        .set = envme_endgrp_config_set, .get = envme_endgrp_config_get,
        .show = envme_endgrp_config_show,
        .restore = envme_endgrp_config_restore,
    },
    {
        .name = "namespace-admin-label", .spec = "Base 2.1, 5.1.25.1.22",
        .fid = ENVME_FID_NS_ADMIN_LABEL, .scope = ENVME_FEAT_NS,
        .logged = true,
        .saveable = true, .changeable = true, .own = true,
        .data_len = sizeof(struct envme_feat_ns_label),
        .set = envme_feat_set_label, .get = envme_feat_get_label,
    },
    {
        .name = "enhanced-controller-metadata",
        .spec = "Base 2.1, 5.1.25.1.26.1",
        .fid = ENVME_FID_ENH_CTRL_META, .scope = ENVME_FEAT_CTRL,
        .changeable = true, .data_len = sizeof(struct envme_feat_meta),
        .set = envme_feat_set_meta, .get = envme_feat_get_meta,
    },
    {
        .name = "controller-metadata", .spec = "Base 2.1, 5.1.25.1.26.2",
        .fid = ENVME_FID_CTRL_META, .scope = ENVME_FEAT_CTRL,
        .changeable = true, .data_len = sizeof(struct envme_feat_meta),
        .set = envme_feat_set_meta, .get = envme_feat_get_meta,
    },
    {
        .name = "namespace-metadata", .spec = "Base 2.1, 5.1.25.1.26.3",
        .fid = ENVME_FID_NS_META, .scope = ENVME_FEAT_NS,
        .changeable = true, .data_len = sizeof(struct envme_feat_meta),
        .set = envme_feat_set_meta, .get = envme_feat_get_meta,
    },
    {
        .name = "software-progress-marker", .spec = "Base 2.1, 5.1.25.1.27",
        .fid = ENVME_FID_SW_PROGRESS, .scope = ENVME_FEAT_CTRL,
        .saveable = true, .changeable = true, .set = envme_feat_set_progress,
    },
    {
        .name = "host-identifier", .spec = "Base 2.1, 5.1.25.1.28",
        .fid = ENVME_FID_HOST_ID, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .changeable = true, .data_len = ENVME_HOST_ID_BYTES,
        .len = envme_feat_len_hostid,
        .set = envme_feat_set_hostid, .get = envme_feat_get_hostid,
    },
    {
        .name = "namespace-write-protect", .spec = "Base 2.1, 5.1.25.1.32",
        .fid = ENVME_FID_WRITE_PROTECT, .scope = ENVME_FEAT_NS,
        .logged = true,
        .changeable = true, .reset = envme_feat_reset_protect,
        .set = envme_feat_set_protect, .get = envme_feat_get_protect,
    },
    {
        .name = "boot-partition-write-protect",
        .spec = "Base 2.1, 5.1.25.1.32",
        .fid = ENVME_FID_BP_WRITE_PROTECT, .scope = ENVME_FEAT_CTRL,
        .logged = true,
        .changeable = true, .own = true, .there = envme_bootpart_there,
        .dflt = FIELD_SET(ENVME_FEAT_BPWP_BP0WPS, ENVME_BPWP_LOCKED) |
                FIELD_SET(ENVME_FEAT_BPWP_BP1WPS, ENVME_BPWP_LOCKED),
        .set = envme_feat_set_bpwp, .get = envme_feat_get_bpwp,
    },
    {
        .name = "error-injection", .spec = "OCP Datacenter SSD 2.0, 4.9.1",
        .fid = ENVME_FID_OCP_ERROR, .scope = ENVME_FEAT_CTRL,
        .changeable = true, .own = true, .there = envme_inject_there,
        .data_len = ENVME_OCP_ERRORS * sizeof(struct envme_ocp_error),
        .len = envme_feat_len_inject,
        .set = envme_feat_set_inject, .get = envme_feat_get_inject,
    },
};

const struct envme_feat_table envme_feats = {
    .row = feat_rows, .n = ENVME_ARRAY_SIZE(feat_rows),
};
