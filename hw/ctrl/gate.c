/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/cmd.h"

const struct envme_row *envme_iocs_row(const struct envme_iocs *iocs,
                                       uint8_t opc)
{
    for (; iocs; iocs = iocs->base) {
        if (iocs->rows[opc].run) {
            return &iocs->rows[opc];
        }
    }
    return NULL;
}

/* NSID rules: Base 2.1, 3.2.1.5 and 4.1. FFFFFFFFh is a value that the command
 * does not take, no invalid namespace. */
static struct envme_status cmd_find_ns(struct envme_cmd *cmd)
{
    uint32_t nsid = envme_cmd_nsid(cmd);

    cmd->ns = envme_ctrl_ns(cmd->ctrl, nsid);
    if (cmd->ns) {
        return ENVME_ST(SUCCESS);
    }
    if (nsid == 0 ||
        (nsid > cmd->ctrl->subsys->nn && nsid != UINT32_MAX)) {
        return ENVME_ST(INVALID_NS);
    }
    return ENVME_ST(INVALID_FIELD);
}

static struct envme_status cmd_gate_ns(struct envme_cmd *cmd)
{
    unsigned loc = offsetof(struct envme_sqe, nsid);

    switch (cmd->row->gate & ENVME_GATE_NS_MASK) {
    case ENVME_GATE_NS_OR_ALL:
        if (envme_cmd_nsid(cmd) == UINT32_MAX) {
            return ENVME_ST(SUCCESS);
        }
        /* fall through */
    case ENVME_GATE_NS_ACTIVE:
        return envme_cmd_fail(cmd, cmd_find_ns(cmd), loc);
    case ENVME_GATE_NS_UNUSED:
        return envme_cmd_nsid(cmd) ?
               envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc) :
               ENVME_ST(SUCCESS);
    default:
        return ENVME_ST(SUCCESS);
    }
}

/* The row is that of the namespace's command set; where there is no such
 * namespace, that of the first set which knows the opcode. */
static struct envme_status cmd_find_io_row(struct envme_cmd *cmd)
{
    const struct envme_tables *t = cmd->ctrl->tables;
    struct envme_ns *ns = envme_ctrl_ns(cmd->ctrl, envme_cmd_nsid(cmd));

    if (ns && ns->iocs->rows[cmd->sqe.opc].run) {
        cmd->row = &ns->iocs->rows[cmd->sqe.opc];
    } else if (ns) {
        cmd->row = envme_iocs_row(ns->iocs, cmd->sqe.opc);
    } else {
        for (unsigned i = 0; i < t->niocs && !cmd->row; i++) {
            cmd->row = envme_iocs_row(t->iocs[i], cmd->sqe.opc);
        }
    }
    return cmd->row ? ENVME_ST(SUCCESS) : ENVME_ST(INVALID_OPCODE);
}

/* Base 2.1, 3.4.2: which commands may be fused is the command set's. */
static bool cmd_fuse_ok(const struct envme_cmd *cmd)
{
    switch (FIELD_GET(ENVME_FUSE, cmd->sqe.flags)) {
    case ENVME_FUSE_NORMAL:
        return true;
    case ENVME_FUSE_FIRST:
        return cmd->row->gate & ENVME_GATE_FUSED_1;
    case ENVME_FUSE_SECOND:
        return cmd->row->gate & ENVME_GATE_FUSED_2;
    default:
        return false;
    }
}

/* CDW0[15:08]: which are reserved, FUSE, PSDT. */
static struct envme_status cmd_gate_flags(struct envme_cmd *cmd)
{
    unsigned extra = cmd->sqe.flags & ~(ENVME_FUSE | ENVME_PSDT);
    unsigned psdt = FIELD_GET(ENVME_PSDT, cmd->sqe.flags);
    unsigned loc = offsetof(struct envme_sqe, flags);

    if (!cmd_fuse_ok(cmd)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
    }
    if (extra) {
        return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD), loc,
                                  __builtin_ctz(extra));
    }
    if (psdt == 3 || (psdt && (cmd->row->gate & ENVME_GATE_NO_SGL ||
                               cmd->is_admin))) {
        /* Base 2.1, 4.2.1: admin commands use PRPs on PCIe. */
        return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD), loc, 6);
    }
    return ENVME_ST(SUCCESS);
}

/* Format, sanitize and the like, which refuse commands while they last. */
static struct envme_status cmd_gate_busy(const struct envme_cmd *cmd)
{
    unsigned gate = cmd->row->gate;
    uint16_t sf = 0;

    if (!(gate & ENVME_GATE_IN_SANITIZE)) {
        sf = atomic_load(&cmd->ctrl->subsys->gate_sf);
        if (sf && cmd->is_admin) {
            /* Base 2.1, 8.1.24.4: after a failure, too. */
            sf = ENVME_SC_SANITIZE_IN_PROGRESS;
        }
    }
    if (!sf && cmd->ns && !cmd->is_admin && !(gate & ENVME_GATE_IN_FORMAT)) {
        sf = atomic_load(&cmd->ns->gate_sf);
    }
    return (struct envme_status){ sf };
}

/* Is a bit of CDW10 to CDW15 set that the command does not have? */
static bool cmd_has_reserved(const struct envme_cmd *cmd)
{
    const uint32_t *bits = cmd->row->cdw;
    uint32_t extra = 0;

    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(cmd->row->cdw); i++) {
        extra |= envme_cmd_cdw(cmd, 10 + i) & ~bits[i];
    }
    return extra;
}

/* The first of them. */
static struct envme_status cmd_gate_reserved(struct envme_cmd *cmd)
{
    uint32_t extra = 0;
    unsigned i = 0, bit;

    while (!(extra = envme_cmd_cdw(cmd, 10 + i) & ~cmd->row->cdw[i])) {
        i++;
    }
    bit = __builtin_ctz(extra);
    return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10) + 4 * i +
                              bit / 8, bit % 8);
}

struct envme_status envme_cmd_gates(struct envme_cmd *cmd)
{
    const struct envme_row *row;
    struct envme_status st;

    if (cmd->is_admin) {
        row = &cmd->ctrl->tables->admin[cmd->sqe.opc];
        cmd->row = envme_row_there(row, cmd->ctrl) ? row : NULL;
        st = cmd->row ? ENVME_ST(SUCCESS) : ENVME_ST(INVALID_OPCODE);
        if (cmd->row && cmd->ctrl->tables->admin_gate) {
            struct envme_status gate = cmd->ctrl->tables->admin_gate(cmd);

            if (envme_st_err(gate)) {
                return gate;
            }
        }
    } else {
        st = cmd_find_io_row(cmd);
    }
    if (envme_st_err(st)) {
        return envme_cmd_fail(cmd, st, offsetof(struct envme_sqe, opc));
    }
    row = cmd->row;
    if (cmd->sqe.flags) {
        st = cmd_gate_flags(cmd);
        if (envme_st_err(st)) {
            return st;
        }
    }
    if (cmd_has_reserved(cmd)) {
        return cmd_gate_reserved(cmd);
    }
    st = cmd_gate_ns(cmd);
    if (envme_st_err(st)) {
        return st;
    }
    st = cmd_gate_busy(cmd);
    if (envme_st_err(st)) {
        return st;
    }
    if (row->gate & ENVME_GATE_WRITES && cmd->ns && cmd->ns->read_only) {
        return envme_cmd_fail(cmd, ENVME_ST(NS_WRITE_PROTECTED),
                              offsetof(struct envme_sqe, nsid));
    }
    if (row->len) {
        st = row->len(cmd, &cmd->len);
    }
    if (!envme_st_err(st) && row->mdlen) {
        st = row->mdlen(cmd, &cmd->mdlen);
    }
    return st;
}
