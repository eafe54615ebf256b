/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdio.h>

#include "envme/feat.h"
#include "hw/ctrl/cmd.h"
#include "hw/ctrl/errlog.h"
#include "hw/ctrl/feature.h"

enum envme_retry envme_status_retry(uint16_t code)
{
    switch (code) {
#define CMD_RETRY_CASE_(name, sct, sc, retry, text) \
    case ENVME_SC_##name:                           \
        return ENVME_RETRY_##retry;
    ENVME_STATUS_LIST(CMD_RETRY_CASE_)
#undef CMD_RETRY_CASE_
    default:
        return ENVME_RETRY_1;
    }
}

/* DNR, or how long the host is to wait before it tries again: Base 2.1,
 * 4.2.3.1. What a handler has set stays. */
uint16_t envme_status_retry_bits(const struct envme_ctrl *ctrl,
                                 struct envme_status st)
{
    enum envme_retry retry = envme_status_retry(envme_st_code(st));
    unsigned crd = retry - ENVME_RETRY_1;

    if (retry == ENVME_RETRY_0 || st.sf & ENVME_SF_CRD) {
        return 0;
    }
    if (retry == ENVME_RETRY_1) {
        return ENVME_SF_DNR;
    }
    return ctrl->params.crdt[crd - 1] &&
           envme_feature_value(ctrl, ENVME_FID_HOST_BEHAVIOR, NULL) &
           ENVME_HBS_ACRE ? FIELD_SET(ENVME_SF_CRD, crd) : 0;
}

static const char *status_text(uint16_t code)
{
    switch (code) {
#define CMD_TEXT_CASE_(name, sct, sc, retry, text) \
    case ENVME_SC_##name:                          \
        return text;
    ENVME_STATUS_LIST(CMD_TEXT_CASE_)
#undef CMD_TEXT_CASE_
    default:
        return "unknown status";
    }
}

static void cmd_note(struct envme_cmd *cmd, struct envme_status st)
{
    const struct envme_note *note = &cmd->ctrl->ports.note;
    char text[160];

    if (note->say) {
        snprintf(text, sizeof(text), "queue %u CID %u: %s (opcode %02xh) "
                 "NSID %xh: %s", cmd->sq->id, le16_get(cmd->sqe.cid),
                 cmd->row ? cmd->row->name : "?", cmd->sqe.opc,
                 envme_cmd_nsid(cmd), status_text(envme_st_code(st)));
        note->say(note->opaque, text);
    }
}

/* More in the error log. */
struct envme_status envme_cmd_log(struct envme_cmd *cmd,
                                  struct envme_status st)
{
    st.sf |= ENVME_SF_M;
    envme_errlog_add(cmd->ctrl, cmd, st);
    cmd_note(cmd, st);
    return st;
}

struct envme_status envme_cmd_fail(struct envme_cmd *cmd,
                                   struct envme_status st, unsigned offset)
{
    return envme_cmd_fail_bit(cmd, st, offset, 0);
}

/* Parameter Error Location: Base 2.1, figure 206: byte in 7:0, bit in 10:8. */
struct envme_status envme_cmd_fail_bit(struct envme_cmd *cmd,
                                       struct envme_status st, unsigned offset,
                                       unsigned bit)
{
    if (envme_st_err(st)) {
        cmd->err_loc = offset | bit << 8;
    }
    return st;
}
