/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lockdown: Base 2.1, 5.1.15, 8.1.5, and log page 14h. What is prohibited is
 * so at all controllers of the subsystem, until it is allowed again or the
 * power goes.
 */
#include "hw/admin/shared.h"

/* CFILA and the LSP field have the same layout. */
#define LOCK_SCP   ENVME_LSP_LOCKDOWN_SCP
#define LOCK_CNTTS ENVME_LSP_LOCKDOWN_CNTTS

static bool lock_get(const uint32_t bits[8], uint8_t id)
{
    return bits[id / 32] >> id % 32 & 1;
}

/* Without these a host could not find out, or not undo it, or not work. */
static bool lock_opcode_ok(const struct envme_ctrl *ctrl, uint8_t opc)
{
    switch (opc) {
    case ENVME_ADM_DELETE_SQ:
    case ENVME_ADM_CREATE_SQ:
    case ENVME_ADM_GET_LOG:
    case ENVME_ADM_DELETE_CQ:
    case ENVME_ADM_CREATE_CQ:
    case ENVME_ADM_IDENTIFY:
    case ENVME_ADM_ABORT:
    case ENVME_ADM_GET_FEATURES:
    case ENVME_ADM_AER:
    case ENVME_ADM_KEEP_ALIVE:
    case ENVME_ADM_LOCKDOWN:
        return false;
    default:
        return envme_row_there(&ctrl->tables->admin[opc], ctrl);
    }
}

static bool lock_fid_ok(const struct envme_ctrl *ctrl, uint8_t fid)
{
    const struct envme_feat_row *row = envme_admin_feat(ctrl, fid);

    return row && row->changeable;
}

struct envme_status envme_admin_lockdown(struct envme_cmd *cmd)
{
    struct envme_shared *sh = envme_shared(cmd->ctrl);
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10);
    uint8_t id = FIELD_GET(ENVME_LOCKDOWN_OFI, cdw10);
    unsigned loc = offsetof(struct envme_sqe, cdw10);
    uint32_t *bits;
    bool ok;

    switch (FIELD_GET(ENVME_LOCKDOWN_SCP, cdw10)) {
    case ENVME_LOCKDOWN_SCP_ADMIN:
        bits = sh->locked_opc;
        ok = lock_opcode_ok(cmd->ctrl, id);
        break;
    case ENVME_LOCKDOWN_SCP_FID:
        bits = sh->locked_fid;
        ok = lock_fid_ok(cmd->ctrl, id);
        break;
    case ENVME_LOCKDOWN_SCP_MI:
    case ENVME_LOCKDOWN_SCP_PCIE:
        bits = NULL;
        ok = false;             /* there is no Management Interface */
        break;
    default:
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
    }
    if (FIELD_GET(ENVME_LOCKDOWN_IFC, cdw10) != ENVME_LOCKDOWN_IFC_ADMIN_SQ) {
        return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD), loc, 5);
    }
    if (!ok) {
        return envme_cmd_fail(cmd, ENVME_ST(LOCKDOWN_UNSUPPORTED), loc + 1);
    }
    if (cdw10 & ENVME_LOCKDOWN_PRHBT) {
        bits[id / 32] |= 1u << id % 32;
    } else {
        bits[id / 32] &= ~(1u << id % 32);
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_lockdown_gate(struct envme_cmd *cmd)
{
    const struct envme_shared *sh = envme_shared(cmd->ctrl);
    uint8_t fid = FIELD_GET(ENVME_FEAT_FID, envme_cmd_cdw(cmd, 10));

    if (lock_get(sh->locked_opc, cmd->sqe.opc)) {
        return envme_cmd_fail(cmd, ENVME_ST(LOCKDOWN_PROHIBITED),
                              offsetof(struct envme_sqe, opc));
    }
    if (cmd->sqe.opc == ENVME_ADM_SET_FEATURES &&
        lock_get(sh->locked_fid, fid)) {
        return envme_cmd_fail(cmd, ENVME_ST(LOCKDOWN_PROHIBITED),
                              offsetof(struct envme_sqe, cdw10));
    }
    return ENVME_ST(SUCCESS);
}

/* ---- log page 14h ------------------------------------------------------ */

size_t envme_lockdown_log_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_log_lockdown);
}

static bool lock_listed(const struct envme_ctrl *ctrl, unsigned scope,
                        unsigned what, uint8_t id)
{
    const struct envme_shared *sh = envme_shared(ctrl);

    if (what == ENVME_LOCKDOWN_CNTTS_PROHIBITED) {
        return lock_get(scope == ENVME_LOCKDOWN_SCP_ADMIN ? sh->locked_opc
                                                          : sh->locked_fid,
                        id);
    }
    return what == ENVME_LOCKDOWN_CNTTS_SUPPORTED &&
           (scope == ENVME_LOCKDOWN_SCP_ADMIN ? lock_opcode_ok(ctrl, id)
                                              : lock_fid_ok(ctrl, id));
}

struct envme_status envme_lockdown_log(const struct envme_log_req *req,
                                       void *buf)
{
    unsigned scope = FIELD_GET(LOCK_SCP, (uint32_t)req->lsp);
    unsigned what = FIELD_GET(LOCK_CNTTS, (uint32_t)req->lsp);
    struct envme_log_lockdown *log = buf;
    unsigned n = 0;

    if (scope == 1 || scope > ENVME_LOCKDOWN_SCP_PCIE ||
        what > ENVME_LOCKDOWN_CNTTS_PROHIBITED_OOB ||
        req->lsp & ~(LOCK_SCP | LOCK_CNTTS)) {
        return envme_cmd_fail(req->cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10) + 1);
    }
    log->cfila = req->lsp;
    for (unsigned id = 0; id < 256 && scope <= ENVME_LOCKDOWN_SCP_FID; id++) {
        if (lock_listed(req->cmd->ctrl, scope, what, id)) {
            log->cfil[n++] = id;
        }
    }
    log->lngth = n;
    return ENVME_ST(SUCCESS);
}
