/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the command families tell the Persistent Event log: Base 2.1,
 * 5.1.12.1.14.2. */
#include <string.h>

#include "envme/id-ns.h"
#include "hw/admin/endgrp.h"
#include "hw/admin/pel.h"

#include "hw/ctrl/feature.h"
#include "hw/ctrl/lane.h"

#define MS_PER_HOUR (3600ull * 1000)
/* A snapshot of SMART is due after this, of the 24 hours that there may be. */
#define SNAPSHOT_HOURS 23
/* Media errors of a controller that are told, in each of its hours. */
#define MEDIA_PER_HOUR 8

/* ---- power on, reset, SMART -------------------------------------------- */

static uint64_t event_on_ms(struct envme_ctrl *ctrl)
{
    struct envme_health_totals t;

    envme_health_totals(ctrl, &t);
    return t.on_ms;
}

/* Adds a snapshot if one is due; says when the next will be, ms powered on. */
static uint64_t event_snapshot(struct envme_ctrl *ctrl)
{
    struct envme_log_smart smart;
    uint64_t due = 0;
    size_t len;
    const void *last = envme_pel_last(ctrl, ENVME_PEL_SMART, &len);

    if (last && len == sizeof(smart)) {
        memcpy(&smart, last, sizeof(smart));
        for (unsigned i = 0; i < 8; i++) {
            due |= (uint64_t)smart.poh[i] << (8 * i);
        }
        due = (due + SNAPSHOT_HOURS) * MS_PER_HOUR;
    }
    if (event_on_ms(ctrl) < due) {
        return due;
    }
    envme_health_log(ctrl, &smart);
    envme_pel_add(ctrl, ENVME_PEL_SMART, &smart, sizeof(smart));
    return event_on_ms(ctrl) + (SNAPSHOT_HOURS - 1) * MS_PER_HOUR;
}

static void event_due(struct envme_deadline *d)
{
    struct envme_admin_pel *p = (struct envme_admin_pel *)d;
    struct envme_ctrl *ctrl = p->ctrl;
    uint64_t next = event_snapshot(ctrl);

    envme_lane_at(&ctrl->lane[0], d, envme_now(ctrl) +
                  (next - event_on_ms(ctrl)) * 1000000);
}

static void event_hw_error(struct envme_ctrl *ctrl, unsigned code,
                           const void *info, size_t len)
{
    struct {
        struct envme_pel_hw_error e;
        uint8_t info[64];
    } data = { .e.nheec = le16(code) };

    g_assert(len <= sizeof(data.info));
    if (len) {
        memcpy(data.info, info, len);
    }
    envme_pel_add(ctrl, ENVME_PEL_HW_ERROR, &data, sizeof(data.e) + len);
}

static void event_power_on(struct envme_ctrl *ctrl)
{
    struct envme_admin_pel *p = &envme_admin(ctrl)->pel;
    struct {
        struct envme_pel_power_on e;
        struct envme_pel_power_on_ctrl c;
    } __attribute__((packed)) data = { 0 };

    envme_fw_revision(ctrl, data.e.fr);
    data.c.cntlid = le16(ctrl->cntlid);
    data.c.fa = p->fw_activation;
    data.c.oip = p->was_formatting ? ENVME_PEL_OIP_FORMAT : 0;
    data.c.cpc = le32(ENVME_MIN(ctrl->power_cycles, UINT32_MAX));
    data.c.pom = le64(event_on_ms(ctrl));
    envme_admin_timestamp(ctrl, &data.c.cts);
    envme_pel_add(ctrl, ENVME_PEL_POWER_ON, &data, sizeof(data));
    p->fw_activation = ENVME_PEL_FA_NONE;
    p->was_formatting = false;
}

void envme_pel_init(struct envme_ctrl *ctrl)
{
    struct envme_admin_pel *p = &envme_admin(ctrl)->pel;

    p->due.fn = event_due;
    p->ctrl = ctrl;
    p->reset_at = envme_now(ctrl);
    p->fw_activation = envme_shared(ctrl)->fw.at_power_on;
}

void envme_pel_start(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = ctrl->admin;

    if (a->keep.unsafe) {
        uint8_t info[17] = { 0 };

        a->keep.unsafe = false;
        for (unsigned i = 0; i < 8; i++) {
            info[i] = ctrl->unsafe_shutdowns >> (8 * i);
        }
        event_hw_error(ctrl, ENVME_PEL_HW_POWER_LOSS, info, sizeof(info));
    }
    event_power_on(ctrl);
    if (!a->pel.due.slot) {
        event_due(&a->pel.due);
    }
}

void envme_pel_reset(struct envme_ctrl *ctrl)
{
    struct envme_admin_pel *p = &envme_admin(ctrl)->pel;
    const struct envme_subsys *s = ctrl->subsys;

    envme_pel_stop(ctrl);
    p->reset_at = envme_now(ctrl);
    for (uint32_t i = 1; i <= s->nn; i++) {
        p->was_formatting |= s->ns[i] && atomic_load(&s->ns[i]->gate_sf) ==
                                         ENVME_SC_FORMAT_IN_PROGRESS;
    }
}

void envme_pel_leave(struct envme_ctrl *ctrl)
{
    envme_pel_stop(ctrl);
    envme_lane_not_at(&ctrl->lane[0], &envme_admin(ctrl)->pel.due);
}

/* ---- commands ---------------------------------------------------------- */

void envme_pel_fw_commit(struct envme_cmd *cmd, const char old[8],
                         const char *new, struct envme_status st)
{
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10);
    struct envme_pel_fw_commit e = {
        .fca = FIELD_GET(ENVME_FWCOMMIT_CA, cdw10),
        .fs = FIELD_GET(ENVME_FWCOMMIT_FS, cdw10),
        .sct = FIELD_GET(ENVME_SF_SCT, st.sf),
        .sc = FIELD_GET(ENVME_SF_SC, st.sf),
    };

    memcpy(e.ofr, old, sizeof(e.ofr));
    if (new) {
        memcpy(e.nfr, new, sizeof(e.nfr));
    }
    envme_pel_add(cmd->ctrl, ENVME_PEL_FW_COMMIT, &e, sizeof(e));
}

void envme_pel_timestamp(struct envme_ctrl *ctrl,
                         const struct envme_timestamp *old)
{
    uint64_t since = envme_now(ctrl) - envme_admin(ctrl)->pel.reset_at;
    struct envme_pel_timestamp e = {
        .pts = *old, .msr = le64(since / 1000000),
    };

    envme_pel_add(ctrl, ENVME_PEL_TIMESTAMP, &e, sizeof(e));
}

void envme_pel_ns_created(struct envme_cmd *cmd, const struct envme_ns *ns,
                          const struct envme_ns_mgmt_create *c)
{
    struct envme_pel_change_ns e = {
        .nsmgmt_cdw10 = le32(envme_cmd_cdw(cmd, 10)), .nsze = c->nsze,
        .ncap = c->ncap, .flbas = c->flbas, .dps = c->dps, .nmic = c->nmic,
        .anagrpid = c->anagrpid, .nvmsetid = c->nvmsetid,
        .endgid = c->endgid, .nsid = le32(ns->nsid),
    };

    envme_pel_add(cmd->ctrl, ENVME_PEL_CHANGE_NS, &e, sizeof(e));
}

/* ns NULL: all of them. */
void envme_pel_ns_deleted(struct envme_cmd *cmd, const struct envme_ns *ns)
{
    struct envme_pel_change_ns e = {
        .nsmgmt_cdw10 = le32(envme_cmd_cdw(cmd, 10)), .nsid = cmd->sqe.nsid,
    };

    if (ns) {
        struct envme_id_ns id = { 0 };

        envme_identify_ns(cmd->ctrl, ns, &id);
        e.nsze = id.nsze;
        e.ncap = id.ncap;
        e.flbas = id.flbas;
        e.dps = id.dps;
        e.nmic = id.nmic;
        e.endgid = id.endgid;
    }
    envme_pel_add(cmd->ctrl, ENVME_PEL_CHANGE_NS, &e, sizeof(e));
}

void envme_pel_format_start(struct envme_cmd *cmd)
{
    struct envme_pel_format_start e = {
        .nsid = cmd->sqe.nsid, .fna = ENVME_ADMIN_FNA,
        .cdw10 = le32(envme_cmd_cdw(cmd, 10)),
    };

    envme_pel_add(cmd->ctrl, ENVME_PEL_FORMAT_START, &e, sizeof(e));
}

void envme_pel_format_done(struct envme_subsys *s, uint16_t cntlid,
                           uint32_t nsid, unsigned left, bool modified,
                           struct envme_status st)
{
    struct envme_ctrl *ctrl = envme_shared_ctrl(s, cntlid);
    struct envme_pel_format_done e = {
        .nsid = le32(nsid), .sfpi = nsid == UINT32_MAX ? 0 : left,
        .sf = le32(st.sf << 1),
    };

    if (envme_st_err(st)) {
        e.fns = modified ? ENVME_PEL_FNS_ERROR | ENVME_PEL_FNS_INCOMPLETE
                         : ENVME_PEL_FNS_ERROR;
    }
    for (unsigned i = 0; i < ENVME_MAX_CTRLS && !ctrl; i++) {
        ctrl = envme_shared_ctrl(s, i);
    }
    if (ctrl) {
        envme_pel_add(ctrl, ENVME_PEL_FORMAT_DONE, &e, sizeof(e));
    }
}

void envme_pel_sanitize_start(struct envme_ctrl *ctrl, uint32_t cdw10,
                              uint32_t cdw11)
{
    struct envme_pel_sanitize_start e = {
        .sanicap = le32(envme_sanitize_cap(ctrl)), .cdw10 = le32(cdw10),
        .cdw11 = le32(cdw11),
    };

    envme_pel_add(ctrl, ENVME_PEL_SANITIZE_START, &e, sizeof(e));
}

void envme_pel_sanitize_done(struct envme_ctrl *ctrl, uint16_t sprog,
                             uint16_t sstat)
{
    struct envme_pel_sanitize_done e = {
        .sprog = le16(sprog), .sstat = le16(sstat),
    };

    envme_pel_add(ctrl, ENVME_PEL_SANITIZE_DONE, &e, sizeof(e));
}

/* CDW10 up to the last that says something, the data, the completion's DW0. */
void envme_pel_feature(struct envme_cmd *cmd,
                       const struct envme_feat_row *row, const void *data)
{
    unsigned ndw = 6, len = sizeof(struct envme_pel_set_feature);
    bool has_dw0 = cmd->dw0;
    uint8_t *buf;
    le32_t v;

    if (!row->logged) {
        return;
    }
    while (ndw > 2 && !envme_cmd_cdw(cmd, 9 + ndw)) {
        ndw--;
    }
    buf = g_malloc(len + 4 * ndw + cmd->len + 4);
    v = le32((uint32_t)(FIELD_SET(ENVME_PEL_SFEL_DWC, ndw) |
                        FIELD_SET(ENVME_PEL_SFEL_LCCDW0, has_dw0) |
                        FIELD_SET(ENVME_PEL_SFEL_MBC, cmd->len)));
    memcpy(buf, &v, sizeof(v));
    for (unsigned i = 0; i < ndw; i++, len += 4) {
        v = le32(envme_cmd_cdw(cmd, 10 + i));
        memcpy(buf + len, &v, sizeof(v));
    }
    if (cmd->len) {
        memcpy(buf + len, data, cmd->len);
        len += cmd->len;
    }
    if (has_dw0) {
        v = le32(cmd->dw0);
        memcpy(buf + len, &v, sizeof(v));
        len += sizeof(v);
    }
    envme_pel_add(cmd->ctrl, ENVME_PEL_SET_FEATURE, buf, len);
    g_free(buf);
}

void envme_pel_telemetry(struct envme_ctrl *ctrl,
                         const struct envme_log_telemetry *header)
{
    _Static_assert(sizeof(*header) == sizeof(struct envme_pel_telemetry), "");
    envme_pel_add(ctrl, ENVME_PEL_TELEMETRY, header, sizeof(*header));
}

/* ---- warnings and errors ----------------------------------------------- */

/* kelvin: the difference to the threshold. */
static void event_thermal(struct envme_ctrl *ctrl, unsigned kelvin,
                          uint8_t threshold)
{
    struct envme_pel_thermal e = {
        .ot = ENVME_MIN(kelvin, 255u), .th = threshold,
    };

    envme_pel_add(ctrl, ENVME_PEL_THERMAL, &e, sizeof(e));
}

/* 0: normal, 1: from WCTEMP on, 2: from CCTEMP on. */
static void event_temperature(struct envme_ctrl *ctrl)
{
    struct envme_admin_pel *p = &envme_admin(ctrl)->pel;
    unsigned k = ctrl->temperature;
    unsigned hot = (k >= ENVME_ADMIN_WCTEMP) + (k >= ENVME_ADMIN_CCTEMP);

    for (unsigned i = p->hot; i < hot; i++) {
        event_thermal(ctrl, i ? k - ENVME_ADMIN_CCTEMP
                              : k - ENVME_ADMIN_WCTEMP,
                      i ? ENVME_PEL_TH_CCTEMP : ENVME_PEL_TH_WCTEMP);
    }
    if (p->hot && !hot) {
        event_thermal(ctrl, ENVME_ADMIN_WCTEMP - k, ENVME_PEL_TH_NORMAL);
    }
    p->hot = hot;
}

void envme_pel_throttle(struct envme_ctrl *ctrl, unsigned old, unsigned level)
{
    uint32_t v = envme_feature_value(ctrl, ENVME_FID_HCTM, NULL);
    unsigned tmt = level == 1 ? FIELD_GET(ENVME_FEAT_HCTM_TMT1, v)
                              : FIELD_GET(ENVME_FEAT_HCTM_TMT2, v);

    if (level > old) {
        event_thermal(ctrl, ctrl->temperature - tmt,
                      level == 1 ? ENVME_PEL_TH_TMT1 : ENVME_PEL_TH_TMT2);
    } else if (!level && !envme_admin(ctrl)->pel.hot) {
        /* Where it was above WCTEMP, that it is normal again says it. */
        event_thermal(ctrl, 0, ENVME_PEL_TH_TM_STOPPED);
    }
}

void envme_pel_health(struct envme_ctrl *ctrl, uint8_t warning)
{
    struct envme_admin_pel *p = &envme_admin(ctrl)->pel;

    event_temperature(ctrl);
    if (warning & ~p->warned) {
        uint8_t info[4] = { warning };

        event_hw_error(ctrl, ENVME_PEL_HW_CRITICAL, info, sizeof(info));
    }
    p->warned = warning;
}

void envme_pel_endgrp(struct envme_ctrl *ctrl, uint16_t endgid,
                      uint8_t warning)
{
    uint8_t info[4] = { warning, 0, endgid & 0xff, endgid >> 8 };

    event_hw_error(ctrl, ENVME_PEL_HW_ENDGRP, info, sizeof(info));
}

void envme_pel_fatal(struct envme_ctrl *ctrl)
{
    if (ctrl->admin) {
        event_hw_error(ctrl, ENVME_PEL_HW_FATAL, NULL, 0);
    }
}

/* ---- media errors: from any lane to lane 0 ----------------------------- */

struct media_error {
    struct envme_ctrl *ctrl;
    struct envme_cqe cqe;
};

static void event_media_told(void *arg)
{
    struct media_error *m = arg;
    struct envme_admin_pel *p = &envme_admin(m->ctrl)->pel;
    uint64_t hour = event_on_ms(m->ctrl) / MS_PER_HOUR + 1;

    atomic_store(&p->media_told, false);
    if (p->media_hour != hour) {
        p->media_hour = hour;
        p->media_n = 0;
    }
    if (p->media_n < MEDIA_PER_HOUR) {
        p->media_n++;
        event_hw_error(m->ctrl, ENVME_PEL_HW_MEDIA, &m->cqe, sizeof(m->cqe));
    }
    g_free(m);
}

void envme_pel_media_error(struct envme_cmd *cmd, struct envme_status st)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct media_error *m;

    switch (envme_st_code(st)) {
    case ENVME_SC_WRITE_FAULT:
    case ENVME_SC_UNRECOVERED_READ:
    case ENVME_SC_GUARD_CHECK:
    case ENVME_SC_APPTAG_CHECK:
    case ENVME_SC_REFTAG_CHECK:
    case ENVME_SC_STORTAG_CHECK:
        break;
    default:
        return;                 /* the host's own doing */
    }
    /* One on its way at a time: a lane that fails all there is leaves lane 0
     * in peace. */
    if (atomic_exchange(&envme_admin(ctrl)->pel.media_told, true)) {
        return;
    }
    m = g_new0(struct media_error, 1);
    m->ctrl = ctrl;
    m->cqe.sqid = le16(cmd->sq->id);
    m->cqe.cid = cmd->sqe.cid;
    m->cqe.sf = le16(st.sf << 1);
    envme_defer(ctrl, 0, event_media_told, m);
}
