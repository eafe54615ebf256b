/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/errlog.h"

#include <string.h>

#include "hw/ctrl/keep.h"

struct envme_errlog {
    GMutex lock;                /* leaf */
    struct envme_log_error *entry;
    unsigned size;
    uint64_t count;             /* ever; entry (count - 1) % size is newest */
    uint64_t kept;              /* the count that is kept */
};

/* ---- kept -------------------------------------------------------------- */

/* Record "ctrl/CNTLID/errlog"; then the entries, newest first. */
struct errlog_record {
    le32_t version, n;
    le64_t count;
};

#define ERRLOG_VERSION 1

/* Its size may have been another then. */
static void errlog_load(struct envme_ctrl *ctrl, struct envme_errlog *log)
{
    char name[ENVME_KEEP_NAME];
    struct errlog_record r;
    g_autoptr(GBytes) b = NULL;
    const uint8_t *p;
    gsize len;

    envme_keep_name(name, ctrl, "errlog");
    b = envme_state_get(ctrl->subsys->state, name);
    p = b ? g_bytes_get_data(b, &len) : NULL;
    if (!p || len < sizeof(r)) {
        return;
    }
    memcpy(&r, p, sizeof(r));
    if (le32_get(r.version) != ERRLOG_VERSION ||
        (len - sizeof(r)) / sizeof(*log->entry) < le32_get(r.n)) {
        return;
    }
    log->kept = log->count = le64_get(r.count);
    for (unsigned i = 0; i < le32_get(r.n) && i < log->size && i < log->count;
         i++) {
        memcpy(&log->entry[(log->count - 1 - i) % log->size],
               p + sizeof(r) + i * sizeof(*log->entry), sizeof(*log->entry));
    }
}

void envme_errlog_keep(struct envme_ctrl *ctrl)
{
    struct envme_errlog *log = ctrl->errlog;
    size_t entries = log->size * sizeof(*log->entry);
    char name[ENVME_KEEP_NAME];
    struct envme_log_error *newest;
    struct errlog_record *r;

    if (!ctrl->subsys->state || envme_errlog_count(ctrl) == log->kept) {
        return;
    }
    r = g_malloc(sizeof(*r) + entries);
    newest = (struct envme_log_error *)(r + 1);
    envme_errlog_read(ctrl, newest);
    *r = (struct errlog_record){
        .version = le32(ERRLOG_VERSION), .n = le32(log->size),
        .count = newest->ecnt,
    };
    envme_keep_name(name, ctrl, "errlog");
    envme_state_put(ctrl->subsys->state, name, r, sizeof(*r) + entries);
    log->kept = le64_get(r->count);
    g_free(r);
}

/* ---- the ring ---------------------------------------------------------- */

void envme_errlog_init(struct envme_ctrl *ctrl)
{
    struct envme_errlog *log = g_new0(struct envme_errlog, 1);

    g_mutex_init(&log->lock);
    log->size = ctrl->params.elpe + 1u;
    log->entry = g_new0(struct envme_log_error, log->size);
    errlog_load(ctrl, log);
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
        .opc = cmd->sqe.opc, .csinfo = le64(cmd->err_info), .lpver = 1,
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
