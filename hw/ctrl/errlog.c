/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/errlog.h"

struct envme_errlog {
    GMutex lock;                /* leaf */
    struct envme_log_error *entry;
    unsigned size;
    uint64_t count;             /* ever; entry (count - 1) % size is newest */
};

void envme_errlog_init(struct envme_ctrl *ctrl)
{
    struct envme_errlog *log = g_new0(struct envme_errlog, 1);

    g_mutex_init(&log->lock);
    log->size = ctrl->params.elpe + 1u;
    log->entry = g_new0(struct envme_log_error, log->size);
    ctrl->errlog = log;
}

void envme_errlog_fini(struct envme_ctrl *ctrl)
{
    g_mutex_clear(&ctrl->errlog->lock);
    g_free(ctrl->errlog->entry);
    g_free(ctrl->errlog);
}

static void errlog_put(struct envme_errlog *log, struct envme_log_error *e)
{
    g_mutex_lock(&log->lock);
    e->ecnt = le64(log->count + 1);
    log->entry[log->count++ % log->size] = *e;
    g_mutex_unlock(&log->lock);
}

void envme_errlog_add(struct envme_ctrl *ctrl, const struct envme_cmd *cmd,
                      struct envme_status st)
{
    struct envme_log_error e = {
        .sqid = le16(cmd->sq->id), .cid = cmd->sqe.cid,
        .sts = le16(st.sf << 1), .pel = le16(cmd->err_loc),
        .lba = le64(cmd->err_lba), .nsid = cmd->sqe.nsid,
        .csi = cmd->ns && !cmd->is_admin ? cmd->ns->params.csi : 0,
        .opc = cmd->sqe.opc, .lpver = 1,
    };

    errlog_put(ctrl->errlog, &e);
}

void envme_errlog_add_async(struct envme_ctrl *ctrl, struct envme_status st,
                            uint16_t sqid)
{
    struct envme_log_error e = {
        .sqid = le16(sqid), .cid = le16(UINT16_MAX), .sts = le16(st.sf << 1),
        .pel = le16(ENVME_PEL_NONE), .lpver = 1,
    };

    errlog_put(ctrl->errlog, &e);
}

void envme_errlog_read(struct envme_ctrl *ctrl, struct envme_log_error *out)
{
    struct envme_errlog *log = ctrl->errlog;

    g_mutex_lock(&log->lock);
    for (unsigned i = 0; i < log->size; i++) {
        if (i < log->count) {
            out[i] = log->entry[(log->count - 1 - i) % log->size];
        } else {
            out[i] = (struct envme_log_error){ 0 };
        }
    }
    g_mutex_unlock(&log->lock);
}

uint64_t envme_errlog_count(struct envme_ctrl *ctrl)
{
    uint64_t n;

    g_mutex_lock(&ctrl->errlog->lock);
    n = ctrl->errlog->count;
    g_mutex_unlock(&ctrl->errlog->lock);
    return n;
}
