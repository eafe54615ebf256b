/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an error of a backend means: a status, and for reads blocks that are
 * lost. */
#include <errno.h>

#include "hw/ctrl/cmd.h"

static bool cmd_reads(const struct envme_cmd *cmd)
{
    return cmd->bio.op == ENVME_BIO_READ || cmd->bio.op == ENVME_BIO_STATUS;
}

static void cmd_tell_lost(void *arg)
{
    struct envme_ctrl *ctrl = arg;

    for (uint32_t nsid = 1; nsid <= ctrl->subsys->nn; nsid++) {
        struct envme_ns *ns = ctrl->ns[nsid];

        if (ns && atomic_exchange(&ns->lost, false)) {
            envme_subsys_ns_lost(ctrl->subsys, ns);
        }
    }
}

void envme_cmd_lost(struct envme_cmd *cmd, struct envme_ns *ns)
{
    struct envme_ctrl *ctrl = cmd->ctrl;

    /* One call tells all that has come until it runs. */
    if (atomic_exchange(&ns->lost, true)) {
        return;
    }
    if (envme_on_lane(ctrl, 0)) {
        cmd_tell_lost(ctrl);
    } else {
        envme_defer(ctrl, 0, cmd_tell_lost, ctrl);
    }
}

static struct envme_status cmd_media_error(struct envme_cmd *cmd)
{
    atomic_fetch_add(&cmd->ctrl->media_errors, 1);
    if (cmd->bio.op == ENVME_BIO_READ &&
        envme_ns_suspect(cmd->io_ns, cmd->bio.offset, cmd->bio.bytes)) {
        envme_cmd_lost(cmd, cmd->io_ns);
    }
    return cmd_reads(cmd) ? ENVME_ST(UNRECOVERED_READ)
                          : ENVME_ST(WRITE_FAULT);
}

bool envme_cmd_is_media_error(int err)
{
    switch (-err) {
    case 0:
    case ECANCELED:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EROFS:
    case EPERM:
    case EACCES:
    case ENOMEM:
    case EINVAL:
    case ENOTSUP:
    case EAGAIN:
    case ENOMEDIUM:
        return false;
    default:
        return true;
    }
}

struct envme_status envme_cmd_io_status(struct envme_cmd *cmd, int err)
{
    if (envme_cmd_is_media_error(err)) {
        return cmd_media_error(cmd);
    }
    switch (-err) {
    case 0:
        return ENVME_ST(SUCCESS);
    case ECANCELED:
        return cmd->sq->deleting ? ENVME_ST(ABORT_SQ_DELETED)
                                 : ENVME_ST(ABORT_REQUESTED);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ENVME_ST(CAP_EXCEEDED);
    case EROFS:
    case EPERM:
    case EACCES:
        return cmd_reads(cmd) ? ENVME_ST(ACCESS_DENIED)
                              : ENVME_ST(NS_WRITE_PROTECTED);
    case EAGAIN:
    case ENOMEDIUM:
        return ENVME_ST(NS_NOT_READY);
    default:
        return ENVME_ST(INTERNAL);
    }
}
