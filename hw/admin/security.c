/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Security Receive and Security Send: Base 2.1, 5.1.23, 5.1.24. There is
 * security protocol 00h (SPC-5, security protocol information), which tells
 * that there is no other. All its numbers are big-endian.
 */
#include "hw/admin/admin.h"

enum {                          /* SPSP of security protocol 00h */
    SECURITY_PROTOCOLS    = 0,
    SECURITY_CERTIFICATES = 1,
};

struct envme_status envme_admin_security_len(struct envme_cmd *cmd,
                                             uint64_t *len)
{
    *len = envme_cmd_cdw(cmd, 11);
    if (*len > envme_ctrl_mdts_bytes(cmd->ctrl)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw11));
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_admin_security_recv(struct envme_cmd *cmd)
{
    static const uint8_t protocols[] = {
        [6] = 0, [7] = 1,       /* length of the list */
        [8] = 0x00,
    };
    static const uint8_t certificates[4];       /* there are none */
    static const uint8_t zeroes[512];
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10);
    unsigned loc = offsetof(struct envme_sqe, cdw10);
    uint64_t at;

    if (FIELD_GET(ENVME_SECURITY_SECP, cdw10)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc + 3);
    }
    switch (FIELD_GET(ENVME_SECURITY_SPSP, cdw10)) {
    case SECURITY_PROTOCOLS:
        at = envme_cmd_to_host(cmd, 0, protocols, sizeof(protocols));
        break;
    case SECURITY_CERTIFICATES:
        at = envme_cmd_to_host(cmd, 0, certificates, sizeof(certificates));
        break;
    default:
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc + 1);
    }
    while (at < cmd->len) {
        at += envme_cmd_to_host(cmd, at, zeroes,
                                ENVME_MIN(cmd->len - at, sizeof(zeroes)));
    }
    return ENVME_ST(SUCCESS);
}

/* Protocol 00h takes nothing, and there is no other. */
struct envme_status envme_admin_security_send(struct envme_cmd *cmd)
{
    return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                          offsetof(struct envme_sqe, cdw10) + 3);
}
