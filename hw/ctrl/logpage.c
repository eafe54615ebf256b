/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/logpage.h"

#include <string.h>

#include "hw/ctrl/cmd.h"
#include "hw/ctrl/event.h"

#define IDENTIFY_BYTES 4096
#define LOGPAGE_PART (64u << 10)

/* ---- Get Log Page ------------------------------------------------------ */

static uint64_t logpage_numd(const struct envme_cmd *cmd)
{
    return (FIELD_GET(ENVME_GETLOG_NUMDU, envme_cmd_cdw(cmd, 11)) << 16 |
            FIELD_GET(ENVME_GETLOG_NUMDL, envme_cmd_cdw(cmd, 10))) + 1;
}

const struct envme_log_row *envme_logpage_row(const struct envme_ctrl *ctrl,
                                              uint8_t lid)
{
    for (unsigned i = 0; i < ctrl->tables->logs->n; i++) {
        const struct envme_log_row *row = &ctrl->tables->logs->row[i];

        if (row->lid == lid) {
            return envme_log_there(row, ctrl) ? row : NULL;
        }
    }
    return NULL;
}

struct envme_status envme_logpage_len(struct envme_cmd *cmd, uint64_t *len)
{
    const struct envme_log_row *row =
        envme_logpage_row(cmd->ctrl, FIELD_GET(ENVME_GETLOG_LID,
                                               envme_cmd_cdw(cmd, 10)));

    if (row && row->fixed && row->fixed(cmd, len)) {
        return ENVME_ST(SUCCESS);
    }
    *len = logpage_numd(cmd) * 4;
    if (*len > envme_ctrl_mdts_bytes(cmd->ctrl)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10) + 2);
    }
    return ENVME_ST(SUCCESS);
}

static struct envme_status logpage_ns(struct envme_cmd *cmd,
                                      const struct envme_log_row *row,
                                      struct envme_log_req *req)
{
    uint32_t nsid = envme_cmd_nsid(cmd);

    if (nsid == 0 || nsid == UINT32_MAX) {
        return ENVME_ST(SUCCESS);
    }
    req->ns = envme_ctrl_ns(cmd->ctrl, nsid);
    if (row->scope != ENVME_LOG_NS || !req->ns) {
        return envme_cmd_fail(cmd, nsid <= cmd->ctrl->subsys->nn ?
                              ENVME_ST(INVALID_FIELD) : ENVME_ST(INVALID_NS),
                              offsetof(struct envme_sqe, nsid));
    }
    return ENVME_ST(SUCCESS);
}

/* What lies behind the end of the log reads as zeroes. */
static void logpage_zero(struct envme_cmd *cmd, uint64_t off)
{
    static const uint8_t zeroes[4096];

    while (off < cmd->len) {
        off += envme_cmd_to_host(cmd, off, zeroes,
                                 ENVME_MIN(cmd->len - off, sizeof(zeroes)));
    }
}

/* What of the log is asked for, from lpo on. */
static struct envme_status logpage_whole(const struct envme_log_row *row,
                                         const struct envme_log_req *req,
                                         size_t size, uint64_t lpo, size_t n)
{
    struct envme_cmd *cmd = req->cmd;
    uint8_t *buf = cmd->mem = g_malloc0(size + 1);
    struct envme_status st = row->fill(req, buf);

    if (envme_st_ok(st)) {
        envme_cmd_to_host(cmd, 0, buf + lpo, n);
    }
    return st;
}

static struct envme_status logpage_parts(const struct envme_log_row *row,
                                         const struct envme_log_req *req,
                                         uint64_t lpo, size_t n)
{
    struct envme_status st = ENVME_ST(SUCCESS);
    struct envme_cmd *cmd = req->cmd;
    uint8_t *buf = cmd->mem = g_malloc(LOGPAGE_PART);

    size_t off = 0;

    do {
        size_t len = ENVME_MIN(n - off, (size_t)LOGPAGE_PART);

        memset(buf, 0, len);
        st = row->part(req, lpo + off, buf, len);
        off += envme_st_ok(st) ? envme_cmd_to_host(cmd, off, buf, len) : 0;
    } while (envme_st_ok(st) && off < n);
    return st;
}

struct envme_status envme_logpage_get(struct envme_cmd *cmd)
{
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10);
    uint32_t cdw14 = envme_cmd_cdw(cmd, 14);
    uint64_t lpo = envme_cmd_cdw(cmd, 12) |
                   (uint64_t)envme_cmd_cdw(cmd, 13) << 32;
    struct envme_log_req req = {
        .cmd = cmd, .lid = FIELD_GET(ENVME_GETLOG_LID, cdw10),
        .lsp = FIELD_GET(ENVME_GETLOG_LSP, cdw10),
        .rae = cdw10 & ENVME_GETLOG_RAE,
        .lsi = FIELD_GET(ENVME_GETLOG_LSI, envme_cmd_cdw(cmd, 11)),
        /* Ignored unless the host has chosen to see all command sets. */
        .csi = cmd->ctrl->css == ENVME_CC_CSS_ALL ?
               FIELD_GET(ENVME_GETLOG_CSI, cdw14) : ENVME_CSI_NVM,
        .uuid = FIELD_GET(ENVME_GETLOG_UIDX, cdw14),
    };
    const struct envme_log_row *row = envme_logpage_row(cmd->ctrl, req.lid);
    struct envme_status st;
    uint64_t len;
    size_t size, n;

    if (!row) {
        return envme_cmd_fail(cmd, ENVME_ST(LOG_PAGE_INVALID),
                              offsetof(struct envme_sqe, cdw10));
    }
    st = logpage_ns(cmd, row, &req);
    if (envme_st_err(st)) {
        return st;
    }
    if (cdw14 & ENVME_GETLOG_OT) {
        return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD),
                                  offsetof(struct envme_sqe, cdw14) + 2, 7);
    }
    st = row->begin ? row->begin(&req) : st;
    if (envme_st_err(st)) {
        return st;
    }
    if (row->fixed && row->fixed(cmd, &len)) {
        lpo = 0;
    }
    size = row->size(&req);
    assert(size <= ENVME_LOG_MAX || row->part);
    if (lpo > size || lpo & 3) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw12));
    }
    n = ENVME_MIN(size - lpo, cmd->len);
    st = row->part ? logpage_parts(row, &req, lpo, n)
                   : logpage_whole(row, &req, size, lpo, n);
    if (envme_st_err(st)) {
        return st;
    }
    logpage_zero(cmd, n);
    if (!req.rae) {
        if (row->read_done) {
            row->read_done(&req);
        }
        envme_event_clear(cmd->ctrl, row->clears, row->lid);
    }
    return st;
}

/* ---- Identify ---------------------------------------------------------- */

struct envme_status envme_identify_len(struct envme_cmd *cmd, uint64_t *len)
{
    (void)cmd;
    *len = IDENTIFY_BYTES;
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_identify(struct envme_cmd *cmd)
{
    uint8_t cns = FIELD_GET(ENVME_IDENTIFY_CNS, envme_cmd_cdw(cmd, 10));
    const struct envme_cns_row *row = &cmd->ctrl->tables->cns[cns];
    struct envme_status st;

    if (!row->there) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10));
    }
    cmd->mem = g_malloc0(IDENTIFY_BYTES);
    st = row->fill(cmd, cmd->mem);
    if (envme_st_ok(st)) {
        envme_cmd_to_host(cmd, 0, cmd->mem, IDENTIFY_BYTES);
    }
    return st;
}
