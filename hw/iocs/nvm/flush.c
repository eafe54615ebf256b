/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flush: Base 2.1, 7.2. */
#include "hw/iocs/nvm/nvm.h"

struct flush_state {
    struct envme_nvm_loop loop;
    uint32_t nsid;              /* the one under way */
};

/* NSID FFFFFFFFh: one attached namespace after the other. */
static struct envme_status flush_step(struct envme_cmd *cmd, int err)
{
    struct flush_state *s = ENVME_CMD_STATE(cmd, struct flush_state);
    struct envme_ctrl *ctrl = cmd->ctrl;

    if (err) {
        return envme_cmd_io_status(cmd, err);
    }
    while (s->nsid < ctrl->subsys->nn) {
        s->loop.ns = envme_ctrl_ns(ctrl, ++s->nsid);
        if (s->loop.ns) {
            return ENVME_ST_PENDING;
        }
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_nvm_flush(struct envme_cmd *cmd)
{
    struct flush_state *s = ENVME_CMD_STATE(cmd, struct flush_state);

    cmd->bio = (struct envme_bio){ .op = ENVME_BIO_FLUSH };
    if (cmd->ns) {
        return envme_cmd_io(cmd, cmd->ns, NULL);
    }
    s->nsid = 0;
    return envme_nvm_loop(cmd, NULL, flush_step);
}
