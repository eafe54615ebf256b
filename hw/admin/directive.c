/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directive Receive and Directive Send: Base 2.1, 5.1.6, 5.1.7, 8.1.8. There
 * is the Identify directive, which is always enabled, and no other.
 */
#include "hw/admin/admin.h"

#include "envme/directive.h"

struct envme_status envme_admin_directive_len(struct envme_cmd *cmd,
                                              uint64_t *len)
{
    *len = ((uint64_t)envme_cmd_cdw(cmd, 10) + 1) * 4;
    if (*len > envme_ctrl_mdts_bytes(cmd->ctrl)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10));
    }
    return ENVME_ST(SUCCESS);
}

/* Type and operation: 0101h in CDW11, but for the type in 15:8. */
static struct envme_status directive_check(struct envme_cmd *cmd,
                                           unsigned oper)
{
    uint32_t cdw11 = envme_cmd_cdw(cmd, 11);
    unsigned loc = offsetof(struct envme_sqe, cdw11);

    if (FIELD_GET(ENVME_DIRECTIVE_DTYPE, cdw11) != ENVME_DTYPE_IDENTIFY) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc + 1);
    }
    if (FIELD_GET(ENVME_DIRECTIVE_DOPER, cdw11) != oper) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_admin_directive_recv(struct envme_cmd *cmd)
{
    struct envme_status st = directive_check(cmd, ENVME_DOPER_RECV_ID_PARAMS);
    struct envme_directive_params *p;

    if (envme_st_err(st)) {
        return st;
    }
    p = cmd->mem = g_malloc0(sizeof(*p));
    p->supported[0] = 1u << ENVME_DTYPE_IDENTIFY;
    p->enabled[0] = 1u << ENVME_DTYPE_IDENTIFY;
    p->persistent[0] = 1u << ENVME_DTYPE_IDENTIFY;
    /* No more is defined, whatever the host has room for. */
    for (uint64_t at = 0; at < cmd->len;) {
        at += envme_cmd_to_host(cmd, at, at ? p->rsvd96 : (uint8_t *)p,
                                ENVME_MIN(cmd->len - at, at ?
                                          sizeof(p->rsvd96) : sizeof(*p)));
    }
    return st;
}

/* Enable Directive: the one that there is cannot be turned off. */
struct envme_status envme_admin_directive_send(struct envme_cmd *cmd)
{
    struct envme_status st = directive_check(cmd, ENVME_DOPER_SEND_ID_ENABLE);
    uint32_t cdw12 = envme_cmd_cdw(cmd, 12);

    if (envme_st_err(st)) {
        return st;
    }
    return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                          offsetof(struct envme_sqe, cdw12) +
                          (FIELD_GET(ENVME_DIRECTIVE_TDTYPE, cdw12) ? 1 : 0));
}
