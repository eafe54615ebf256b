/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Admin opcodes, and the table of tables. */
#include "envme/ocp.h"
#include "hw/admin/admin.h"
#include "hw/admin/endgrp.h"
#include "hw/admin/pel.h"
#include "hw/admin/shared.h"

#include "hw/ctrl/event.h"
#include "hw/ctrl/feature.h"
#include "hw/ctrl/logpage.h"
#include "hw/ctrl/power.h"

#define CDW_ALL 0xffffffffu

static const struct envme_row admin_rows[256] = {
    [ENVME_ADM_DELETE_SQ] = {
        .name = "delete-sq", .spec = "Base 2.1, 5.2.4",
        .run = envme_admin_delete_sq,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NO_SGL |
                ENVME_GATE_IN_SANITIZE,
        .cdw = { ENVME_DELETE_SQ_QID },
    },
    [ENVME_ADM_CREATE_SQ] = {
        .name = "create-sq", .spec = "Base 2.1, 5.2.2",
        .run = envme_admin_create_sq,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_PARK | ENVME_GATE_NO_SGL | ENVME_GATE_NO_DATA |
                ENVME_GATE_IN_SANITIZE,
        .cdw = { CDW_ALL,
                 ENVME_CREATE_SQ_PC | ENVME_CREATE_SQ_QPRIO |
                 ENVME_CREATE_SQ_CQID, ENVME_CREATE_SQ_NVMSETID },
    },
    [ENVME_ADM_GET_LOG] = {
        .name = "get-log", .spec = "Base 2.1, 5.1.12",
        .run = envme_logpage_get, .len = envme_logpage_len,
        .effects = ENVME_EFF_CSP_NS | ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NS_ANY | ENVME_GATE_NO_SGL |
                ENVME_GATE_IN_SANITIZE,
        .cdw = { ENVME_GETLOG_LID | ENVME_GETLOG_LSP | ENVME_GETLOG_RAE |
                 ENVME_GETLOG_NUMDL, CDW_ALL, CDW_ALL, CDW_ALL,
                 ENVME_GETLOG_UIDX | ENVME_GETLOG_OT | ENVME_GETLOG_CSI },
    },
    [ENVME_ADM_DELETE_CQ] = {
        .name = "delete-cq", .spec = "Base 2.1, 5.2.3",
        .run = envme_admin_delete_cq,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_PARK | ENVME_GATE_NO_SGL |
                ENVME_GATE_IN_SANITIZE,
        .cdw = { ENVME_DELETE_CQ_QID },
    },
    [ENVME_ADM_CREATE_CQ] = {
        .name = "create-cq", .spec = "Base 2.1, 5.2.1",
        .run = envme_admin_create_cq,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_PARK | ENVME_GATE_NO_SGL | ENVME_GATE_NO_DATA |
                ENVME_GATE_IN_SANITIZE,
        .cdw = { CDW_ALL, ENVME_CREATE_CQ_PC | ENVME_CREATE_CQ_IEN |
                 ENVME_CREATE_CQ_IV },
    },
    [ENVME_ADM_IDENTIFY] = {
        .name = "identify", .spec = "Base 2.1, 5.1.13",
        .run = envme_identify, .len = envme_identify_len,
        .effects = ENVME_EFF_CSP_NS | ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NS_ANY | ENVME_GATE_NO_SGL |
                ENVME_GATE_IN_SANITIZE,
        .cdw = { ENVME_IDENTIFY_CNS | ENVME_IDENTIFY_CNTID,
                 ENVME_IDENTIFY_CNSSID | ENVME_IDENTIFY_CSI, 0, 0,
                 ENVME_IDENTIFY_UIDX },
    },
    [ENVME_ADM_ABORT] = {
        .name = "abort", .spec = "Base 2.1, 5.1.1",
        .run = envme_admin_abort,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NO_SGL |
                ENVME_GATE_IN_SANITIZE,
        .cdw = { ENVME_ABORT_SQID | ENVME_ABORT_CID },
    },
    [ENVME_ADM_SET_FEATURES] = {
        .name = "set-feature", .spec = "Base 2.1, 5.1.25",
        .run = envme_feature_set, .len = envme_feature_len,
        .effects = ENVME_EFF_CSP_NS | ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NS_ANY | ENVME_GATE_NO_SGL |
                ENVME_GATE_IN_SANITIZE,
        .cdw = { ENVME_FEAT_FID | ENVME_FEAT_SV, CDW_ALL, CDW_ALL, CDW_ALL,
                 ENVME_FEAT_UIDX, CDW_ALL },
    },
    [ENVME_ADM_GET_FEATURES] = {
        .name = "get-feature", .spec = "Base 2.1, 5.1.11",
        .run = envme_feature_get, .len = envme_feature_len,
        .effects = ENVME_EFF_CSP_NS | ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NS_ANY | ENVME_GATE_NO_SGL |
                ENVME_GATE_IN_SANITIZE,
        .cdw = { ENVME_FEAT_FID | ENVME_FEAT_SEL, CDW_ALL, 0, 0,
                 ENVME_FEAT_UIDX },
    },
    [ENVME_ADM_AER] = {
        .name = "async-event-request", .spec = "Base 2.1, 5.1.2",
        .run = envme_event_park,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NO_SLOT | ENVME_GATE_NO_SGL |
                ENVME_GATE_IN_SANITIZE,
    },
    [ENVME_ADM_FW_COMMIT] = {
        .name = "fw-commit", .spec = "Base 2.1, 5.1.8",
        .run = envme_admin_fw_commit,
        .effects = ENVME_EFF_CCC | ENVME_EFF_CSP_SUBSYS,
        .gate = ENVME_GATE_NO_SGL,
        .cap = ENVME_OACS_FWDS,
        .cdw = { ENVME_FWCOMMIT_FS | ENVME_FWCOMMIT_CA |
                 ENVME_FWCOMMIT_BPID },
    },
    [ENVME_ADM_FW_DOWNLOAD] = {
        .name = "fw-download", .spec = "Base 2.1, 5.1.9",
        .run = envme_admin_fw_download, .len = envme_admin_fw_len,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NO_SGL,
        .cap = ENVME_OACS_FWDS,
        .cdw = { CDW_ALL, CDW_ALL },
    },
    [ENVME_ADM_SELF_TEST] = {
        .name = "device-self-test", .spec = "Base 2.1, 5.1.5",
        .run = envme_admin_selftest,
        .effects = ENVME_EFF_CSP_NS | ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NS_ANY | ENVME_GATE_NO_SGL,
        .cap = ENVME_OACS_DSTS,
        .cdw = { ENVME_SELFTEST_STC },
    },
    [ENVME_ADM_SANITIZE] = {
        .name = "sanitize", .spec = "Base 2.1, 5.1.22",
        .run = envme_admin_sanitize,
        .effects = ENVME_EFF_LBCC | ENVME_EFF_CSE_ANY | ENVME_EFF_CSP_SUBSYS,
        .gate = ENVME_GATE_NO_SGL | ENVME_GATE_IN_SANITIZE,
        .cdw = { ENVME_SANITIZE_SANACT | ENVME_SANITIZE_AUSE |
                 ENVME_SANITIZE_OWPASS | ENVME_SANITIZE_OIPBP |
                 ENVME_SANITIZE_NDAS, CDW_ALL },
    },
    [ENVME_ADM_LOCKDOWN] = {
        .name = "lockdown", .spec = "Base 2.1, 5.1.15",
        .run = envme_admin_lockdown,
        .effects = ENVME_EFF_CCC | ENVME_EFF_CSP_SUBSYS,
        .gate = ENVME_GATE_NO_SGL,
        .cap = ENVME_OACS_CFLS,
        .cdw = { ENVME_LOCKDOWN_SCP | ENVME_LOCKDOWN_PRHBT |
                 ENVME_LOCKDOWN_IFC | ENVME_LOCKDOWN_OFI },
    },
    [ENVME_ADM_KEEP_ALIVE] = {
        .name = "keep-alive", .spec = "Base 2.1, 5.1.14",
        .run = envme_admin_keep_alive, .there = envme_keepalive_there,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NO_SGL | ENVME_GATE_IN_SANITIZE,
    },
    [ENVME_ADM_DIRECTIVE_SEND] = {
        .name = "dir-send", .spec = "Base 2.1, 5.1.7",
        .run = envme_admin_directive_send, .len = envme_admin_directive_len,
        .effects = ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_OR_ALL | ENVME_GATE_NO_SGL |
                ENVME_GATE_NO_DATA,
        .cap = ENVME_OACS_DIRS,
        .cdw = { CDW_ALL, CDW_ALL, CDW_ALL, CDW_ALL },
    },
    [ENVME_ADM_DIRECTIVE_RECV] = {
        .name = "dir-receive", .spec = "Base 2.1, 5.1.6",
        .run = envme_admin_directive_recv, .len = envme_admin_directive_len,
        .effects = ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_OR_ALL | ENVME_GATE_NO_SGL,
        .cap = ENVME_OACS_DIRS,
        .cdw = { CDW_ALL, CDW_ALL, CDW_ALL, CDW_ALL },
    },
    [ENVME_ADM_SECURITY_SEND] = {
        .name = "security-send", .spec = "Base 2.1, 5.1.24",
        .run = envme_admin_security_send, .len = envme_admin_security_len,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NS_ANY | ENVME_GATE_NO_SGL |
                ENVME_GATE_NO_DATA,
        .cap = ENVME_OACS_SSRS,
        .cdw = { CDW_ALL, CDW_ALL },
    },
    [ENVME_ADM_SECURITY_RECV] = {
        .name = "security-recv", .spec = "Base 2.1, 5.1.23",
        .run = envme_admin_security_recv, .len = envme_admin_security_len,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NS_ANY | ENVME_GATE_NO_SGL,
        .cap = ENVME_OACS_SSRS,
        .cdw = { CDW_ALL, CDW_ALL },
    },
    [ENVME_ADM_NS_MGMT] = {
        .name = "create-ns", .spec = "Base 2.1, 5.1.21",
        .run = envme_admin_ns_mgmt, .len = envme_admin_ns_mgmt_len,
        .effects = ENVME_EFF_NCC | ENVME_EFF_NIC | ENVME_EFF_CSP_NS |
                   ENVME_EFF_CSP_SUBSYS,
        .gate = ENVME_GATE_NS_ANY | ENVME_GATE_NO_SGL,
        .cap = ENVME_OACS_NMS,
        .cdw = { ENVME_NSMGMT_SEL, ENVME_NSMGMT_CSI },
    },
    [ENVME_ADM_FORMAT] = {
        .name = "format", .spec = "Base 2.1, 5.1.10",
        .run = envme_admin_format,
        .effects = ENVME_EFF_LBCC | ENVME_EFF_NCC | ENVME_EFF_CSE_NS |
                   ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_ANY | ENVME_GATE_NO_SGL,
        .cap = ENVME_OACS_FNVMS,
        .cdw = { ENVME_FORMAT_LBAFL | ENVME_FORMAT_MSET | ENVME_FORMAT_PI |
                 ENVME_FORMAT_PIL | ENVME_FORMAT_SES | ENVME_FORMAT_LBAFU },
    },
    [ENVME_ADM_NS_ATTACH] = {
        .name = "attach-ns", .spec = "Base 2.1, 5.1.20",
        .run = envme_admin_ns_attach, .len = envme_admin_ns_attach_len,
        .effects = ENVME_EFF_NIC | ENVME_EFF_CSP_NS | ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NS_ANY | ENVME_GATE_NO_SGL,
        .cap = ENVME_OACS_NMS,
        .cdw = { ENVME_NSATTACH_SEL },
    },
    [ENVME_ADM_GET_LBA_STATUS] = {
        .name = "get-lba-status", .spec = "NVM 1.1, 4.2.1",
        .run = envme_admin_lba_status, .len = envme_admin_lba_status_len,
        .effects = ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_ACTIVE | ENVME_GATE_NO_SGL,
        .cap = ENVME_OACS_GLSS,
        .cdw = { CDW_ALL, CDW_ALL, CDW_ALL,
                 ENVME_LBAST_RL | ENVME_LBAST_ATYPE },
    },
    [ENVME_ADM_DBBUF] = {
        .name = "doorbell-buffer-config", .spec = "Base 2.1, 5.2.5",
        .run = envme_admin_dbbuf, .there = envme_dbbuf_there,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_PARK | ENVME_GATE_NO_SGL,
        .cap = ENVME_OACS_DBCS,
    },
    [ENVME_ADM_FAULT_SEND] = {
        .name = "fault-send", .spec = "docs/faults.md",
        .run = envme_admin_fault_send, .there = envme_inject_there,
        .len = envme_admin_fault_len,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NO_SGL | ENVME_GATE_IN_SANITIZE,
        .cdw = { ENVME_FAULT_NDT, 0, ENVME_FAULT_OP },
    },
    [ENVME_ADM_FAULT_RECEIVE] = {
        .name = "fault-receive", .spec = "docs/faults.md",
        .run = envme_admin_fault_receive, .there = envme_inject_there,
        .len = envme_admin_fault_len,
        .effects = ENVME_EFF_CSP_CTRL,
        .gate = ENVME_GATE_NO_SGL | ENVME_GATE_IN_SANITIZE,
        .cdw = { ENVME_FAULT_NDT, 0, ENVME_FAULT_OP, ENVME_FAULT_OFFSET },
    },
};

/* ---- hw/admin's own state ---------------------------------------------- */

/* Write caches are as the namespaces' parameters say, again. */
static void admin_reset_caches(struct envme_ctrl *ctrl)
{
    for (uint32_t i = 1; i <= ctrl->subsys->nn; i++) {
        struct envme_ns *ns = ctrl->ns[i];

        if (ns && ns->be->ops->set_cache &&
            !ns->be->ops->set_cache(ns->be, ns->params.write_cache)) {
            atomic_store(&ns->wce, ns->geo.volatile_cache &&
                                   ns->params.write_cache);
        }
    }
}

static void admin_reset(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = ctrl->admin;

    if (!a) {
        return;                 /* the controller is being made */
    }
    a->ts_ms = 0;
    a->ts_at = envme_now(ctrl);
    a->ts_set = false;
    /* Events are forgotten at a reset, conditions are not. */
    a->warned = 0;
    envme_thermal_reset(ctrl);
    envme_admin_power_reset(ctrl);
    envme_directive_reset(ctrl);
    envme_sanitize_config_restore(ctrl, NULL, 0, NULL);
    envme_endgrp_config_restore(ctrl, NULL, 0, NULL);
    admin_reset_caches(ctrl);
    envme_fw_reset(ctrl);
    envme_hmb_stop(ctrl);
    envme_host_id_reset(ctrl);
}

static void admin_init(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = g_new0(struct envme_admin, 1);

    ctrl->admin = a;
    a->made_at = a->sampled_at = a->ts_at = envme_now(ctrl);
    envme_thermal_reset(ctrl);
    envme_keepalive_init(ctrl);
    envme_admin_keep_init(ctrl);
    envme_lbas_init(ctrl);
    envme_shared_init(ctrl);
    envme_directive_init(ctrl);
    envme_pel_init(ctrl);
    envme_endgrp_join(ctrl);
    envme_selftest_init(ctrl);
    envme_sanitize_join(ctrl);
    envme_telemetry_init(ctrl);
}

static void admin_start(struct envme_ctrl *ctrl)
{
    envme_admin_keep_start(ctrl);
    envme_power_start(ctrl);
    /* What was saved is in force. */
    envme_health_sample(ctrl);
    envme_thermal_update(ctrl);
    envme_pel_start(ctrl);
    envme_fw_start(ctrl);
    envme_lbas_start(ctrl);
}

/* A UUID index is an entry of the list, where there is one. */
static bool admin_uuid_ok(const struct envme_cmd *cmd)
{
    unsigned n = cmd->ctrl->params.nuuids;

    return !n || FIELD_GET(ENVME_UIDX, envme_cmd_cdw(cmd, 14) &
                                       cmd->row->cdw[4]) <= n;
}

static struct envme_status admin_gate(struct envme_cmd *cmd)
{
    envme_hmb_trace(cmd);
    if (!admin_uuid_ok(cmd)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw14));
    }
    return envme_lockdown_gate(cmd);
}

static void admin_stop(struct envme_ctrl *ctrl)
{
    envme_pel_reset(ctrl);
    envme_lbas_stop(ctrl);
    envme_hmb_stop(ctrl);
    envme_keepalive_stop(ctrl);
    envme_power_stop(ctrl);
    envme_fw_stop(ctrl);
    envme_selftest_stop(ctrl);
}

static void admin_leave(struct envme_ctrl *ctrl)
{
    envme_selftest_leave(ctrl);
    envme_lbas_stop(ctrl);
    envme_sanitize_leave(ctrl);
    envme_endgrp_leave(ctrl);
    envme_pel_leave(ctrl);
    envme_admin_keep_leave(ctrl);
}

static void admin_fini(struct envme_ctrl *ctrl)
{
    envme_fw_fini(ctrl);
    envme_hmb_fini(ctrl);
    envme_selftest_fini(ctrl);
    envme_telemetry_fini(ctrl);
    g_free(ctrl->admin);
    ctrl->admin = NULL;
}

/* ---- the table of tables ----------------------------------------------- */

/* The command sets are linked in by name: this layer includes none. */
extern const struct envme_iocs envme_iocs_nvm;

static const struct envme_iocs *const admin_iocs[] = {
    &envme_iocs_nvm,
};

const struct envme_tables envme_tables = {
    .admin = admin_rows,
    .admin_gate = admin_gate,
    .cns = envme_cns_rows,
    .feats = &envme_feats,
    .logs = &envme_logs,
    .iocs = admin_iocs,
    .niocs = ENVME_ARRAY_SIZE(admin_iocs),
    .ctrl_init = admin_init,
    .ctrl_reset = admin_reset,
    .ctrl_start = admin_start,
    .ctrl_fatal = envme_pel_fatal,
    .feature_changed = envme_pel_feature,
    .media_error = envme_pel_media_error,
    .ctrl_stop = admin_stop,
    .ctrl_shutdown = envme_admin_keep_shutdown,
    .ctrl_power = envme_admin_keep_power,
    .ctrl_leave = admin_leave,
    .ctrl_health = envme_health_check,
    .ns_lost = envme_lbas_lost,
    .ctrl_fini = admin_fini,
};

const struct envme_feat_row *envme_admin_feat(const struct envme_ctrl *ctrl,
                                              uint8_t fid)
{
    for (unsigned i = 0; i < ctrl->tables->feats->n; i++) {
        const struct envme_feat_row *row = &ctrl->tables->feats->row[i];

        if (row->fid == fid) {
            return envme_feat_there(row, ctrl) ? row : NULL;
        }
    }
    return NULL;
}

const struct envme_iocs *envme_admin_iocs(const struct envme_ctrl *ctrl,
                                          uint8_t csi)
{
    for (unsigned i = 0; i < ctrl->tables->niocs; i++) {
        if (ctrl->tables->iocs[i]->csi == csi) {
            return ctrl->tables->iocs[i];
        }
    }
    return NULL;
}
