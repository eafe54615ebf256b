/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Format NVM: Base 2.1, 5.1.10; NVM 1.1, 4.1.1.
 *
 * What is done to each namespace is in hw/ns/reformat.h. A reset of the
 * controller that asked for it does not stop it, nor does a power cycle.
 *
 * The medium is not encrypted: cryptographic erase, too, makes all of it read
 * as zeroes, by deallocating where that is possible. User data erase does not
 * leave it at that and has zeroes written.
 */
#include <errno.h>

#include "hw/admin/pel.h"

#include "hw/ctrl/keep.h"
#include "hw/ctrl/pause.h"
#include "hw/ns/reformat.h"

#define NSID_AT offsetof(struct envme_sqe, nsid)
#define CDW10_AT offsetof(struct envme_sqe, cdw10)

struct format_op {
    struct envme_cmd *cmd;      /* NULL when a reset has forgotten it */
    unsigned left;
    struct envme_subsys *subsys;
    uint16_t cntlid;            /* of the command */
    uint32_t nsid;
    uint8_t ns_left;            /* percent, of the last that ended */
    bool modified;
    struct envme_status st;
};

static void format_step(struct format_op *op, struct envme_status st)
{
    struct envme_cmd *cmd;

    if (envme_st_err(st)) {
        op->st = st;
    }
    if (--op->left) {
        return;
    }
    cmd = envme_cmd_wait_over(&op->cmd);
    envme_pel_format_done(op->subsys, op->cntlid, op->nsid, op->ns_left,
                          op->modified, op->st);
    if (cmd) {
        envme_cmd_keep_done(cmd, op->st);
    }
    g_free(op);
}

static struct envme_status format_status(int err)
{
    switch (-err) {
    case 0:
        return ENVME_ST(SUCCESS);
    case EROFS:
    case EPERM:
    case EACCES:
        return ENVME_ST(NS_WRITE_PROTECTED);
    case ENOSPC:
    case EDQUOT:
        return ENVME_ST(CAP_EXCEEDED);
    case EIO:
        return ENVME_ST(WRITE_FAULT);
    case EINVAL:
        return ENVME_ST(FORMAT_INVALID);    /* it has shrunk meanwhile */
    default:
        return ENVME_ST(INTERNAL);
    }
}

static void format_done(void *arg, struct envme_ns *ns, int err)
{
    struct format_op *op = arg;

    op->ns_left = ENVME_MIN(ns->format_left, 100);
    op->modified |= ns->format_left <= 100;
    format_step(op, format_status(err));
}

/* ---- the command ------------------------------------------------------- */

static unsigned format_index(uint32_t cdw10)
{
    return FIELD_GET(ENVME_FORMAT_LBAFL, cdw10) |
           FIELD_GET(ENVME_FORMAT_LBAFU, cdw10) << 4;
}

static struct envme_status format_check(struct envme_cmd *cmd,
                                        const struct envme_ns *ns,
                                        uint32_t cdw10)
{
    unsigned index = format_index(cdw10);
    uint16_t busy = atomic_load(&ns->gate_sf);

    if (busy || ns->erase) {
        return (struct envme_status){ busy ? busy
                                           : ENVME_SC_FORMAT_IN_PROGRESS };
    }
    if (atomic_load(&ns->read_only)) {
        return envme_cmd_fail(cmd, ENVME_ST(NS_WRITE_PROTECTED), NSID_AT);
    }
    if (index >= envme_admin_nformats(cmd->ctrl, ns) ||
        !envme_ns_can_format(ns, index, FIELD_GET(ENVME_FORMAT_PI, cdw10))) {
        return envme_cmd_fail(cmd, ENVME_ST(FORMAT_INVALID), CDW10_AT);
    }
    return ENVME_ST(SUCCESS);
}

/* What the host names: one that is attached, or all that are. */
static struct envme_status format_range(struct envme_cmd *cmd,
                                        uint32_t *first, uint32_t *last)
{
    uint32_t nsid = envme_cmd_nsid(cmd), nn = cmd->ctrl->subsys->nn;
    const struct envme_ns *ns = envme_ctrl_ns(cmd->ctrl, nsid);

    *first = nsid == UINT32_MAX ? 1 : nsid;
    *last = nsid == UINT32_MAX ? nn : nsid;
    if (nsid == UINT32_MAX || (ns && !ns->leaving)) {
        return ENVME_ST(SUCCESS);
    }
    return envme_cmd_fail(cmd, nsid && nsid <= nn ? ENVME_ST(INVALID_FIELD)
                                                  : ENVME_ST(INVALID_NS),
                          NSID_AT);
}

struct envme_status envme_admin_format(struct envme_cmd *cmd)
{
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10), first, last;
    unsigned ses = FIELD_GET(ENVME_FORMAT_SES, cdw10);
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_status st = format_range(cmd, &first, &last);
    const struct envme_ns_format to = {
        .index = format_index(cdw10),
        .extended = FIELD_GET(ENVME_FORMAT_MSET, cdw10),
        .may_unmap = ses != ENVME_FORMAT_SES_USER,
        .pi_type = FIELD_GET(ENVME_FORMAT_PI, cdw10),
        .pi_first = FIELD_GET(ENVME_FORMAT_PIL, cdw10),
    };
    struct format_op *op;

    if (envme_st_ok(st) && ses > ENVME_FORMAT_SES_CRYPTO) {
        st = envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD), CDW10_AT + 1, 1);
    }
    for (uint32_t i = first; envme_st_ok(st) && i <= last; i++) {
        if (ctrl->ns[i]) {
            st = format_check(cmd, ctrl->ns[i], cdw10);
        }
    }
    if (envme_st_err(st)) {
        return st;
    }
    op = g_new0(struct format_op, 1);
    *op = (struct format_op){
        .cmd = cmd, .left = 1, .subsys = ctrl->subsys,
        .cntlid = ctrl->cntlid, .nsid = envme_cmd_nsid(cmd),
    };
    envme_pel_format_start(cmd);
    envme_cmd_wait(&op->cmd);
    envme_state_hold(ctrl->subsys->state);
    for (uint32_t i = first; i <= last; i++) {
        /* One that is on its way out is left alone. */
        if (ctrl->ns[i] && !ctrl->ns[i]->leaving) {
            op->left++;
            envme_selftest_format(ctrl->subsys, i);
            envme_ns_format(ctrl->ns[i], &to, format_done, op);
            envme_streams_forget_ns(ctrl->subsys->streams, i,
                                    ENVME_STREAMS_CLOSE);
        }
    }
    envme_state_release(ctrl->subsys->state);
    format_step(op, ENVME_ST(SUCCESS));
    return ENVME_ST_PENDING;
}
