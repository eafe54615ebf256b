/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directives of I/O commands: Base 2.1, 8.1.8; NVM 1.1, 3.3.6. */
#include "hw/iocs/nvm/nvm.h"
#include "hw/ns/streams.h"

struct envme_status envme_nvm_check_directive(struct envme_cmd *cmd)
{
    unsigned dtype = FIELD_GET(ENVME_RW_DTYPE, envme_cmd_cdw(cmd, 12));
    const struct envme_ctrl *ctrl = cmd->ctrl;

    if (dtype == ENVME_DTYPE_STREAMS && ctrl->params.streams &&
        envme_streams_enabled(ctrl->subsys->streams, cmd->ns->nsid,
                              ctrl->cntlid)) {
        return ENVME_ST(SUCCESS);
    }
    return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw12) + 2, 4);
}

void envme_nvm_stream(struct envme_cmd *cmd)
{
    const struct envme_ctrl *ctrl = cmd->ctrl;
    uint16_t sid = FIELD_GET(ENVME_RW_DSPEC, envme_cmd_cdw(cmd, 13));

    if (sid) {
        envme_streams_write(ctrl->subsys->streams, cmd->ns->nsid,
                            ctrl->cntlid, sid,
                            envme_ns_blocks_to_bytes(cmd->ns,
                                                     envme_nvm_nlb(cmd)));
    }
}
