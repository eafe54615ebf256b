/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Abort: Base 2.1, 5.1.1. */
#include "hw/admin/admin.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/queue.h"

/* Aborts under way, this one included: all are on the admin queue. */
static unsigned abort_count(const struct envme_cmd *cmd)
{
    unsigned n = 0;

    for (const GList *l = cmd->sq->inflight.head; l; l = l->next) {
        const struct envme_cmd *other = l->data;

        n += other->sqe.opc == ENVME_ADM_ABORT;
    }
    return n;
}

struct envme_status envme_admin_abort(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10);
    unsigned sqid = FIELD_GET(ENVME_ABORT_SQID, cdw10);
    unsigned cid = FIELD_GET(ENVME_ABORT_CID, cdw10);
    struct envme_sq *sq = envme_sq_get(ctrl, sqid);

    if (abort_count(cmd) > ctrl->params.acl + 1u) {
        return ENVME_ST(ABORT_LIMIT);
    }
    if (!sq) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10));
    }
    if (sqid == 0 && envme_event_abort(ctrl, cid)) {
        return ENVME_ST(SUCCESS);
    }
    return envme_sq_abort(cmd, sq, cid);
}
