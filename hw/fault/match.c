/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules look at. */
#include <string.h>

#include "envme/cmd.h"
#include "hw/ctrl/regs.h"
#include "hw/fault/rules.h"
#include "hw/ns/vwc.h"

/* ---- names ------------------------------------------------------------- */

static bool match_row_name(const struct envme_ctrl *ctrl,
                           const struct envme_row *rows, unsigned flag,
                           const char *name, uint64_t *value)
{
    for (unsigned i = 0; i < 256; i++) {
        if (envme_row_there(&rows[i], ctrl) && rows[i].name &&
            strcmp(rows[i].name, name) == 0) {
            *value = i | flag;
            return true;
        }
    }
    return false;
}

bool fault_name_opcode(void *arg, const char *name, uint64_t *value)
{
    const struct envme_ctrl *ctrl = arg;
    const struct envme_tables *t = ctrl->tables;
    bool io = g_str_has_prefix(name, "io:");
    bool admin = g_str_has_prefix(name, "admin:");

    name += io ? 3 : admin ? 6 : 0;
    for (unsigned i = 0; i < t->niocs && !admin; i++) {
        const struct envme_iocs *iocs = t->iocs[i];

        for (; iocs; iocs = iocs->base) {
            if (match_row_name(ctrl, iocs->rows, FAULT_OPC_IO, name,
                               value)) {
                return true;
            }
        }
    }
    return !io && match_row_name(ctrl, t->admin, FAULT_OPC_ADMIN, name,
                                 value);
}

static bool match_name_fid(void *arg, const char *name, uint64_t *value)
{
    const struct envme_ctrl *ctrl = arg;
    const struct envme_feat_table *t = ctrl->tables->feats;

    for (unsigned i = 0; i < t->n; i++) {
        if (strcmp(t->row[i].name, name) == 0) {
            *value = t->row[i].fid;
            return true;
        }
    }
    return false;
}

static bool match_name_lid(void *arg, const char *name, uint64_t *value)
{
    const struct envme_ctrl *ctrl = arg;
    const struct envme_log_table *t = ctrl->tables->logs;

    for (unsigned i = 0; i < t->n; i++) {
        if (strcmp(t->row[i].name, name) == 0) {
            *value = t->row[i].lid;
            return true;
        }
    }
    return false;
}

static bool match_name_cns(void *arg, const char *name, uint64_t *value)
{
    const struct envme_ctrl *ctrl = arg;

    for (unsigned i = 0; i < 256; i++) {
        const struct envme_cns_row *row = &ctrl->tables->cns[i];

        if (row->there && strcmp(row->name, name) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

bool fault_name_register(void *arg, const char *name, uint64_t *value)
{
    const char *it;
    unsigned off;

    (void)arg;
    for (unsigned i = 0; (it = envme_regs_name(i, &off)); i++) {
        if (g_ascii_strcasecmp(it, name) == 0) {
            *value = off;
            return true;
        }
    }
    return false;
}

struct match_status {
    const char *name;
    uint16_t code;
};

static const struct match_status match_statuses[] = {
#define MATCH_STATUS_(name, sct, sc, retry, text) { #name, (sct) << 8 | (sc) },
    ENVME_STATUS_LIST(MATCH_STATUS_)
#undef MATCH_STATUS_
};

char *fault_status_name(unsigned index)
{
    char *name;

    if (index >= ENVME_ARRAY_SIZE(match_statuses)) {
        return NULL;
    }
    name = g_ascii_strdown(match_statuses[index].name, -1);
    return g_strdelimit(name, "_", '-');
}

bool fault_name_status(void *arg, const char *name, uint64_t *value)
{
    char *it;

    (void)arg;
    for (unsigned i = 0; (it = fault_status_name(i)); i++) {
        bool same = strcmp(it, name) == 0;

        g_free(it);
        if (same) {
            *value = match_statuses[i].code;
            return true;
        }
    }
    return false;
}

/* ---- the fields -------------------------------------------------------- */

static const struct envme_schema_name match_queues[] = {
    { "any", FAULT_QUEUE_ANY }, { "admin", FAULT_QUEUE_ADMIN },
    { "io", FAULT_QUEUE_IO }, { NULL, 0 },
};

static const struct envme_schema_name match_access[] = {
    { "any", 0 }, { "read", 1 }, { "write", 2 }, { NULL, 0 },
};

const struct envme_schema_name fault_states[] = {
    { "enable", 1 << ENVME_STATE_ENABLE }, { "ready", 1 << ENVME_STATE_READY },
    { "reset", 1 << ENVME_STATE_RESET },
    { "shutdown", 1 << ENVME_STATE_SHUTDOWN },
    { "flr", 1 << ENVME_STATE_FLR }, { "d0", 1 << ENVME_STATE_D0 },
    { NULL, 0 },
};

#define AT(f) .offset = offsetof(struct fault_match, f)
#define GIVEN(f) .given = offsetof(struct fault_match, f)

static const struct envme_schema_row match_rows[] = {
    { "queue", ENVME_SCHEMA_UINT, AT(queue), .max = FAULT_QUEUE_IO,
      .names = match_queues, .help = "any, admin or io queues" },
    { "qid", ENVME_SCHEMA_RANGE, AT(qid), GIVEN(has_qid), .max = 65535,
      .help = "submission queue (of a doorbell or interrupt: the queue)" },
    { "opcode", ENVME_SCHEMA_UINT, AT(opcode), GIVEN(has_opcode),
      .max = FAULT_OPC_IO | 0xff, .lookup = fault_name_opcode,
      .help = "by name (read, create-sq; admin:NAME where both have one) or "
              "number (with queue)" },
    { "nsid", ENVME_SCHEMA_RANGE, AT(nsid), GIVEN(has_nsid),
      .max = UINT32_MAX, .help = "namespace identifiers" },
    { "lba", ENVME_SCHEMA_RANGE, AT(lba), GIVEN(has_lba),
      .help = "blocks; one in common is enough" },
    { "unflushed", ENVME_SCHEMA_RANGE, AT(unflushed), GIVEN(has_unflushed),
      .help = "bytes that a Flush of its namespace would write out "
              "(vwc-model): what a power loss could take" },
    { "cid", ENVME_SCHEMA_RANGE, AT(cid), GIVEN(has_cid), .max = 65535,
      .help = "command identifiers" },
    { "prp", ENVME_SCHEMA_RANGE, AT(prp), GIVEN(has_prp),
      .help = "bus addresses; the first entry of the data pointer (PRP1, or "
              "the address in SGL1) lies in them" },
    { "fid", ENVME_SCHEMA_UINT, AT(fid), GIVEN(has_fid), .max = 255,
      .lookup = match_name_fid, .help = "Get Features, Set Features: which" },
    { "lid", ENVME_SCHEMA_UINT, AT(lid), GIVEN(has_lid), .max = 255,
      .lookup = match_name_lid, .help = "Get Log Page: which" },
    { "cns", ENVME_SCHEMA_UINT, AT(cns), GIVEN(has_cns), .max = 255,
      .lookup = match_name_cns, .help = "Identify: which" },
    { "sqe", ENVME_SCHEMA_HEX, AT(sqe),
      .help = "the entry's first bytes, as hexadecimal digits" },
    { "mask", ENVME_SCHEMA_HEX, AT(mask),
      .help = "the bits of sqe that count; all, if it is not there" },
    { "register", ENVME_SCHEMA_UINT, AT(reg), GIVEN(has_reg), .max = 0xfff,
      .lookup = fault_name_register,
      .help = "by name (cc, csts ...) or offset" },
    { "access", ENVME_SCHEMA_UINT, AT(access), .max = 2,
      .names = match_access,
      .help = "any, read or write of the register, or of host memory" },
    { "value", ENVME_SCHEMA_RANGE, AT(value), GIVEN(has_value),
      .help = "what is written (register, doorbell)" },
    { "vector", ENVME_SCHEMA_RANGE, AT(vector), GIVEN(has_vector),
      .max = 2047, .help = "interrupt vectors" },
    { "state", ENVME_SCHEMA_UINT, AT(state), GIVEN(has_state), .min = 1,
      .max = 63, .names = fault_states, .help = "what the controller enters, or "
      "has come through: a Function Level Reset, D3hot to D0" },
    { "address", ENVME_SCHEMA_RANGE, AT(address), GIVEN(has_address),
      .help = "bus addresses (dma): one byte in common is enough" },
};

const struct envme_schema fault_match_schema = {
    "match", "What a rule looks at. All that is given has to be so.",
    match_rows, ENVME_ARRAY_SIZE(match_rows),
};

bool fault_match_check(struct envme_schema_ctx *ctx, uint64_t on,
                       const struct fault_match *m)
{
    bool cmd = m->queue || m->has_opcode || m->has_nsid || m->has_lba ||
               m->has_cid || m->has_prp || m->has_fid || m->has_lid ||
               m->has_cns || m->sqe || m->mask || m->has_unflushed;

    if (cmd && on != FAULT_ON_COMMAND) {
        return envme_schema_fail(ctx, "there is no command to match; \"on\" "
                                 "has to be \"command\"");
    }
    if (m->has_reg && on != FAULT_ON_REGISTER) {
        return envme_schema_fail(ctx, "\"register\" wants \"on\": "
                                 "\"register\"");
    }
    if (m->access && on != FAULT_ON_REGISTER && on != FAULT_ON_DMA) {
        return envme_schema_fail(ctx, "\"access\" wants \"on\": "
                                 "\"register\" or \"dma\"");
    }
    if (m->has_address && on != FAULT_ON_DMA) {
        return envme_schema_fail(ctx, "\"address\" wants \"on\": \"dma\"");
    }
    if (m->has_state && on != FAULT_ON_STATE) {
        return envme_schema_fail(ctx, "\"state\" wants \"on\": \"state\"");
    }
    if (m->has_vector && on != FAULT_ON_INTERRUPT) {
        return envme_schema_fail(ctx, "\"vector\" wants \"on\": "
                                 "\"interrupt\"");
    }
    if ((m->sqe && m->sqe->len > 64) || (m->mask && m->mask->len > 64)) {
        return envme_schema_fail(ctx, "a submission queue entry has 64 bytes");
    }
    if (m->mask && !m->sqe) {
        return envme_schema_fail(ctx, "\"mask\" wants \"sqe\"");
    }
    return true;
}

/* ---- matching ---------------------------------------------------------- */

static bool match_in(const struct envme_schema_range *r, uint64_t v)
{
    return v >= r->lo && v <= r->hi;
}

/* Which blocks a command is about: those with SLBA and NLB where Read has
 * them. NVM 1.1, 3.3. */
static bool match_lba(const struct fault_match *m, const struct envme_cmd *cmd)
{
    uint64_t slba = le32_get(cmd->sqe.cdw10) |
                    (uint64_t)le32_get(cmd->sqe.cdw11) << 32;
    uint64_t nlb = FIELD_GET(ENVME_RW_NLB, le32_get(cmd->sqe.cdw12)) + 1;

    switch (cmd->sqe.opc) {
    case ENVME_NVM_WRITE:
    case ENVME_NVM_READ:
    case ENVME_NVM_WRITE_UNCOR:
    case ENVME_NVM_COMPARE:
    case ENVME_NVM_WRITE_ZEROES:
    case ENVME_NVM_VERIFY:
        return !cmd->is_admin && slba <= m->lba.hi &&
               (slba + nlb - 1 >= m->lba.lo || slba + nlb - 1 < slba);
    default:
        return false;
    }
}

/* A namespace without a cache, or none, has nothing to lose. */
static bool match_unflushed(const struct fault_match *m,
                            const struct envme_cmd *cmd)
{
    const struct envme_ns *ns = envme_ctrl_ns(cmd->ctrl,
                                              le32_get(cmd->sqe.nsid));

    return match_in(&m->unflushed, ns && envme_vwc_is(ns->be)
                                   ? envme_vwc_unflushed(ns->be) : 0);
}

static bool match_sqe(const struct fault_match *m, const struct envme_sqe *sqe)
{
    const uint8_t *p = (const uint8_t *)sqe;

    for (unsigned i = 0; i < m->sqe->len; i++) {
        uint8_t mask = !m->mask ? 0xff
                       : i < m->mask->len ? m->mask->data[i] : 0;

        if ((p[i] ^ m->sqe->data[i]) & mask) {
            return false;
        }
    }
    return true;
}

static bool match_admin_field(const struct envme_cmd *cmd, uint8_t opc,
                              uint64_t want)
{
    return cmd->is_admin && cmd->sqe.opc == opc &&
           (le32_get(cmd->sqe.cdw10) & 0xff) == want;
}

static bool match_opcode(const struct fault_match *m,
                         const struct envme_cmd *cmd)
{
    return cmd->sqe.opc == (m->opcode & 0xff) &&
           !(m->opcode & FAULT_OPC_ADMIN && !cmd->is_admin) &&
           !(m->opcode & FAULT_OPC_IO && cmd->is_admin);
}

static bool match_cmd(const struct fault_match *m, const struct envme_cmd *cmd)
{
    const struct envme_sqe *sqe = &cmd->sqe;

    return !(m->queue == FAULT_QUEUE_ADMIN && !cmd->is_admin) &&
           !(m->queue == FAULT_QUEUE_IO && cmd->is_admin) &&
           !(m->has_opcode && !match_opcode(m, cmd)) &&
           !(m->has_qid && !match_in(&m->qid, cmd->sq->id)) &&
           !(m->has_nsid && !match_in(&m->nsid, le32_get(sqe->nsid))) &&
           !(m->has_cid && !match_in(&m->cid, le16_get(sqe->cid))) &&
           !(m->has_prp &&
             !match_in(&m->prp, le64_get(sqe->dptr.prp1))) &&
           !(m->has_lba && !match_lba(m, cmd)) &&
           !(m->has_fid &&
             !match_admin_field(cmd, ENVME_ADM_GET_FEATURES, m->fid) &&
             !match_admin_field(cmd, ENVME_ADM_SET_FEATURES, m->fid)) &&
           !(m->has_lid &&
             !match_admin_field(cmd, ENVME_ADM_GET_LOG, m->lid)) &&
           !(m->has_cns &&
             !match_admin_field(cmd, ENVME_ADM_IDENTIFY, m->cns)) &&
           !(m->sqe && !match_sqe(m, sqe)) &&
           !(m->has_unflushed && !match_unflushed(m, cmd));
}

static bool match_looks_at(const struct fault_match *m, bool is_admin)
{
    if (is_admin) {
        return m->queue != FAULT_QUEUE_IO && !m->has_lba &&
               !(m->has_opcode && m->opcode & FAULT_OPC_IO) &&
               !(m->has_qid && m->qid.lo);
    }
    return m->queue != FAULT_QUEUE_ADMIN && !m->has_fid && !m->has_lid &&
           !m->has_cns && !(m->has_opcode && m->opcode & FAULT_OPC_ADMIN) &&
           !(m->has_qid && !m->qid.hi);
}

void fault_match_looks(const struct fault_match *m,
                       uint64_t looks[2][256 / 64])
{
    unsigned opc = m->opcode & 0xff;

    for (unsigned a = 0; a < 2; a++) {
        if (!match_looks_at(m, a)) {
            continue;
        }
        if (m->has_opcode) {
            looks[a][opc / 64] |= UINT64_C(1) << opc % 64;
        } else {
            memset(looks[a], 0xff, sizeof(looks[a]));
        }
    }
}

static bool match_dir(const struct fault_match *m,
                      const struct fault_event *ev)
{
    return !(m->access == 1 && ev->is_write) &&
           !(m->access == 2 && !ev->is_write);
}

bool fault_matches(const struct fault_match *m, const struct fault_event *ev)
{
    switch (ev->on) {
    case FAULT_ON_COMMAND:
        return match_cmd(m, ev->cmd);
    case FAULT_ON_REGISTER:
        return !(m->has_reg && m->reg != ev->reg) && match_dir(m, ev) &&
               !(m->has_value && !match_in(&m->value, ev->value));
    case FAULT_ON_DOORBELL:
        return !(m->has_qid && !match_in(&m->qid, ev->qid)) &&
               !(m->has_value && !match_in(&m->value, ev->value));
    case FAULT_ON_INTERRUPT:
        return !(m->has_qid && !match_in(&m->qid, ev->qid)) &&
               !(m->has_vector && !match_in(&m->vector, ev->vector));
    case FAULT_ON_STATE:
        return !(m->has_state && !(m->state & ev->state));
    case FAULT_ON_DMA:
        return match_dir(m, ev) &&
               !(m->has_address && (ev->last < m->address.lo ||
                                    ev->addr > m->address.hi));
    case FAULT_ON_TIME:
    case FAULT_NON:
        break;
    }
    return true;
}
