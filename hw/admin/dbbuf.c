/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Doorbell Buffer Config: Base 2.1, 5.2.5. */
#include "hw/admin/admin.h"

#include "hw/ctrl/doorbell.h"

struct envme_status envme_admin_dbbuf(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    uint64_t db = le64_get(cmd->sqe.dptr.prp1);
    uint64_t ei = le64_get(cmd->sqe.dptr.prp2);
    unsigned loc = offsetof(struct envme_sqe, dptr);

    if (db & (ctrl->page_size - 1)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
    }
    if (ei & (ctrl->page_size - 1)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc + 8);
    }
    return envme_cmd_fail(cmd, envme_shadow_config(ctrl, db, ei), loc);
}

bool envme_dbbuf_there(const struct envme_ctrl *ctrl)
{
    return !ctrl->params.no_dbbuf;
}
