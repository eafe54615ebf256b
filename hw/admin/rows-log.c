/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log pages: Base 2.1, 5.1.12.1. */
#include "hw/admin/admin.h"

#include "envme/id.h"
#include "hw/ctrl/errlog.h"
#include "hw/ctrl/event.h"

/* ---- 01h Error Information --------------------------------------------- */

static size_t log_error_size(const struct envme_log_req *req)
{
    return (req->cmd->ctrl->params.elpe + 1u) * sizeof(struct envme_log_error);
}

static struct envme_status log_error(const struct envme_log_req *req,
                                     void *buf)
{
    envme_errlog_read(req->cmd->ctrl, buf);
    return ENVME_ST(SUCCESS);
}

/* ---- 03h Firmware Slot Information ------------------------------------- */

static size_t log_fw_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_log_fw);
}

/* ---- 04h Changed Attached Namespace List ------------------------------- */

/* And 1Ch Changed Allocated Namespace List. */
static size_t log_changed_ns_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_ns_list);
}

static struct envme_status log_changed_ns(const struct envme_log_req *req,
                                          void *buf)
{
    struct envme_ns_list *log = buf;
    uint32_t list[1024] = { 0 };

    envme_event_changed_list(req->cmd->ctrl, req->lid, list, false);
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(list); i++) {
        log->nsid[i] = le32(list[i]);
    }
    return ENVME_ST(SUCCESS);
}

static void log_changed_ns_read(const struct envme_log_req *req)
{
    uint32_t list[1024];

    envme_event_changed_list(req->cmd->ctrl, req->lid, list, true);
}

/* ---- the rows ---------------------------------------------------------- */

static const struct envme_log_row log_rows[] = {
    {
        .name = "supported-log-pages", .spec = "Base 2.1, 5.1.12.1.1",
        .lid = ENVME_LID_SUPPORTED, .scope = ENVME_LOG_CTRL,
        .size = envme_log_supported_size, .fill = envme_log_supported,
    },
    {
        .name = "error-log", .spec = "Base 2.1, 5.1.12.1.2",
        .lid = ENVME_LID_ERROR, .scope = ENVME_LOG_CTRL,
        .size = log_error_size, .fill = log_error,
        .clears = 1 << ENVME_AEN_TYPE_ERROR,
    },
    {
        .name = "smart-log", .spec = "Base 2.1, 5.1.12.1.3",
        .lid = ENVME_LID_SMART, .scope = ENVME_LOG_NS,
        .size = envme_health_size, .fill = envme_health_fill,
        .clears = 1 << ENVME_AEN_TYPE_SMART,
    },
    {
        .name = "fw-log", .spec = "Base 2.1, 5.1.12.1.4",
        .lid = ENVME_LID_FW_SLOT, .scope = ENVME_LOG_SUBSYS,
        .size = log_fw_size, .fill = envme_fw_log,
        .clears = 1 << ENVME_AEN_TYPE_NOTICE,
    },
    {
        .name = "changed-ns-list-log", .spec = "Base 2.1, 5.1.12.1.5",
        .lid = ENVME_LID_CHANGED_NS, .scope = ENVME_LOG_CTRL,
        .size = log_changed_ns_size, .fill = log_changed_ns,
        .clears = 1 << ENVME_AEN_TYPE_NOTICE,
        .read_done = log_changed_ns_read,
    },
    {
        .name = "effects-log", .spec = "Base 2.1, 5.1.12.1.6",
        .lid = ENVME_LID_EFFECTS, .scope = ENVME_LOG_CTRL,
        .size = envme_log_effects_size, .fill = envme_log_effects,
    },
    {
        .name = "self-test-log", .spec = "Base 2.1, 5.1.12.1.7",
        .lid = ENVME_LID_SELF_TEST, .scope = ENVME_LOG_CTRL,
        .size = envme_selftest_log_size, .fill = envme_selftest_log,
    },
    {
        .name = "telemetry-log", .spec = "Base 2.1, 5.1.12.1.8",
        .lid = ENVME_LID_TELEMETRY_HOST, .scope = ENVME_LOG_CTRL,
        .lid_support = ENVME_LIDS_TELE_MCDAS >> 16,
        .size = envme_telemetry_size, .fill = envme_telemetry_log,
    },
    {
        .name = "telemetry-log --controller-init",
        .spec = "Base 2.1, 5.1.12.1.9",
        .lid = ENVME_LID_TELEMETRY_CTRL, .scope = ENVME_LOG_CTRL,
        .size = envme_telemetry_size, .fill = envme_telemetry_log,
        .clears = 1 << ENVME_AEN_TYPE_NOTICE,
        .read_done = envme_telemetry_read,
    },
    {
        .name = "endurance-log", .spec = "Base 2.1, 5.1.12.1.10",
        .lid = ENVME_LID_ENDGRP, .scope = ENVME_LOG_SUBSYS,
        .there = envme_endgrp_there, .size = envme_endgrp_log_size,
        .fill = envme_endgrp_log, .read_done = envme_endgrp_log_read,
    },
    {
        .name = "persistent-event-log", .spec = "Base 2.1, 5.1.12.1.14",
        .lid = ENVME_LID_PERSISTENT_EVENT, .scope = ENVME_LOG_SUBSYS,
        .lid_support = ENVME_LIDS_PEL_EC512 >> 16,
        .fixed = envme_pel_log_fixed, .begin = envme_pel_log_begin,
        .size = envme_pel_log_size, .fill = envme_pel_log,
    },
    {
        .name = "lba-status-log", .spec = "NVM 1.1, 4.1.4.5",
        .lid = ENVME_LID_LBA_STATUS, .scope = ENVME_LOG_CTRL,
        .size = envme_lbas_log_size, .fill = envme_lbas_log,
        .clears = 1 << ENVME_AEN_TYPE_NOTICE,
        .read_done = envme_lbas_log_read,
    },
    {
        .name = "endurance-event-agg-log", .spec = "Base 2.1, 5.1.12.1.15",
        .lid = ENVME_LID_ENDGRP_AGGREGATE, .scope = ENVME_LOG_SUBSYS,
        .there = envme_endgrp_there, .size = envme_endgrp_aggregate_size,
        .fill = envme_endgrp_aggregate,
        .clears = 1 << ENVME_AEN_TYPE_NOTICE,
    },
    {
        .name = "lockdown-log", .spec = "Base 2.1, 5.1.12.1.20",
        .lid = ENVME_LID_LOCKDOWN, .scope = ENVME_LOG_SUBSYS,
        .size = envme_lockdown_log_size, .fill = envme_lockdown_log,
    },
    {
        .name = "boot-part-log", .spec = "Base 2.1, 5.1.12.1.21",
        .lid = ENVME_LID_BOOT_PARTITION, .scope = ENVME_LOG_SUBSYS,
        .there = envme_bootpart_there,
        .size = envme_bootpart_log_size, .part = envme_bootpart_log,
    },
    {
        .name = "changed-alloc-ns-list-log", .spec = "Base 2.1, 5.1.12.1",
        .lid = ENVME_LID_CHANGED_ALLOC_NS, .scope = ENVME_LOG_CTRL,
        .size = log_changed_ns_size, .fill = log_changed_ns,
        .clears = 1 << ENVME_AEN_TYPE_NOTICE,
        .read_done = log_changed_ns_read,
    },
    {
        .name = "sanitize-log", .spec = "Base 2.1, 5.1.12.1.33",
        .lid = ENVME_LID_SANITIZE, .scope = ENVME_LOG_SUBSYS,
        .size = envme_sanitize_log_size, .fill = envme_sanitize_log,
        .clears = 1 << ENVME_AEN_TYPE_IOCS,
    },
    {
        .name = "fid-support-effects-log", .spec = "Base 2.1, 5.1.12.1",
        .lid = ENVME_LID_FID_EFFECTS, .scope = ENVME_LOG_CTRL,
        .size = envme_log_fid_size, .fill = envme_log_fid,
    },
    {
        .name = "mi-cmd-support-effects-log", .spec = "Base 2.1, 5.1.12.1",
        .lid = ENVME_LID_MI_EFFECTS, .scope = ENVME_LOG_CTRL,
        .size = envme_log_mi_size, .fill = envme_log_mi,
    },
};

const struct envme_log_table envme_logs = {
    .row = log_rows, .n = ENVME_ARRAY_SIZE(log_rows),
};
