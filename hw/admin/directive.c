/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directive Receive and Directive Send: Base 2.1, 5.1.6, 5.1.7, 8.1.8. The
 * Identify directive, which is always enabled, and Streams.
 */
#include <string.h>

#include "hw/admin/admin.h"

#include "envme/directive.h"
#include "hw/ns/streams.h"

#define AT_CDW11 offsetof(struct envme_sqe, cdw11)
#define AT_CDW12 offsetof(struct envme_sqe, cdw12)
#define AT_NSID  offsetof(struct envme_sqe, nsid)

/* Bytes that a stream is best written in, and that it takes at a time. */
#define STREAM_WRITE_BYTES   (64u << 10)
#define STREAM_GRANULES      16

typedef struct envme_status directive_fn(struct envme_cmd *cmd);

struct directive_op {
    uint8_t dtype, doper;
    bool is_send;
    bool data;                  /* moves NUMD dwords to the host */
    bool all;                   /* takes NSID FFFFFFFFh */
    directive_fn *run;
};

static struct envme_streams *streams_of(const struct envme_cmd *cmd)
{
    return cmd->ctrl->subsys->streams;
}

static struct envme_status directive_invalid(struct envme_cmd *cmd,
                                             unsigned loc)
{
    return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
}

/* As much as there is room for; the rest of the host's buffer, too, is zeroes
 * or what it was. */
static struct envme_status directive_answer(struct envme_cmd *cmd,
                                            const void *buf, size_t len)
{
    static const uint8_t zero[4096];
    uint64_t at = envme_cmd_to_host(cmd, 0, buf, ENVME_MIN(cmd->len, len));

    while (at < cmd->len) {
        at += envme_cmd_to_host(cmd, at, zero,
                                ENVME_MIN(cmd->len - at, sizeof(zero)));
    }
    return ENVME_ST(SUCCESS);
}

/* ---- Identify ---------------------------------------------------------- */

static struct envme_status identify_params(struct envme_cmd *cmd)
{
    struct envme_directive_params *p = cmd->mem = g_malloc0(sizeof(*p));
    uint8_t identify = 1u << ENVME_DTYPE_IDENTIFY;
    uint8_t streams = 1u << ENVME_DTYPE_STREAMS;

    /* Nothing is kept over a reset; Identify cannot be turned off. */
    p->supported[0] = p->enabled[0] = identify;
    if (cmd->ctrl->params.streams) {
        p->supported[0] |= streams;
        if (envme_streams_enabled(streams_of(cmd), envme_cmd_nsid(cmd),
                                  cmd->ctrl->cntlid)) {
            p->enabled[0] |= streams;
        }
    }
    return directive_answer(cmd, p, sizeof(*p));
}

/* FFFFFFFFh: all namespaces of the subsystem, at all controllers. */
static struct envme_status identify_enable(struct envme_cmd *cmd)
{
    uint32_t cdw12 = envme_cmd_cdw(cmd, 12), nsid = envme_cmd_nsid(cmd);
    const struct envme_subsys *s = cmd->ctrl->subsys;
    bool on = FIELD_GET(ENVME_DIRECTIVE_ENDIR, cdw12);

    if (cdw12 & ~(ENVME_DIRECTIVE_TDTYPE | ENVME_DIRECTIVE_ENDIR)) {
        return directive_invalid(cmd, AT_CDW12);
    }
    if (FIELD_GET(ENVME_DIRECTIVE_TDTYPE, cdw12) != ENVME_DTYPE_STREAMS ||
        !cmd->ctrl->params.streams) {
        return directive_invalid(cmd, AT_CDW12 + 1);
    }
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        if (nsid == UINT32_MAX ? s->ctrl[i].ops != NULL
                               : i == cmd->ctrl->cntlid) {
            envme_streams_enable(s->streams, nsid, i, on);
        }
    }
    return ENVME_ST(SUCCESS);
}

/* ---- Streams ----------------------------------------------------------- */

static struct envme_status streams_params(struct envme_cmd *cmd)
{
    struct envme_streams_params p = { 0 };
    struct envme_streams_numbers n;

    envme_streams_numbers(streams_of(cmd), envme_cmd_nsid(cmd),
                          cmd->ctrl->cntlid, &n);
    p.msl = le16(n.msl);
    p.nssa = le16(n.nssa);
    p.nsso = le16(n.nsso);
    p.nsa = le16(n.nsa);
    p.nso = le16(n.nso);
    if (cmd->ns) {
        uint64_t bytes = ENVME_MIN(STREAM_WRITE_BYTES,
                                   envme_ctrl_mdts_bytes(cmd->ctrl));

        p.sws = le32(ENVME_MAX(bytes >> cmd->ns->lbads, 1));
        p.sgs = le16(STREAM_GRANULES);
    }
    return directive_answer(cmd, &p, sizeof(p));
}

static struct envme_status streams_status(struct envme_cmd *cmd)
{
    uint16_t sid[ENVME_STREAMS_MAX];
    le16_t list[ENVME_STREAMS_MAX + 1];
    unsigned n = envme_streams_open(streams_of(cmd), envme_cmd_nsid(cmd),
                                    cmd->ctrl->cntlid, sid);

    list[0] = le16(n);
    for (unsigned i = 0; i < n; i++) {
        list[i + 1] = le16(sid[i]);
    }
    return directive_answer(cmd, list, (n + 1) * sizeof(list[0]));
}

static struct envme_status streams_allocate(struct envme_cmd *cmd)
{
    uint32_t cdw12 = envme_cmd_cdw(cmd, 12);
    int n;

    if (cdw12 & ~ENVME_DIRECTIVE_NSR || !cdw12) {
        return directive_invalid(cmd, AT_CDW12);
    }
    n = envme_streams_allocate(streams_of(cmd), envme_cmd_nsid(cmd),
                               cmd->ctrl->cntlid, cdw12);
    if (n < 0) {
        return directive_invalid(cmd, AT_CDW11);
    }
    cmd->dw0 = n;
    return n ? ENVME_ST(SUCCESS)
             : envme_cmd_fail(cmd, ENVME_ST(STREAM_ALLOC_FAILED), AT_CDW12);
}

static struct envme_status streams_release(struct envme_cmd *cmd)
{
    envme_streams_release(streams_of(cmd), envme_cmd_nsid(cmd),
                          cmd->ctrl->cntlid,
                          FIELD_GET(ENVME_DIRECTIVE_DSPEC,
                                    envme_cmd_cdw(cmd, 11)));
    return ENVME_ST(SUCCESS);
}

static struct envme_status streams_release_all(struct envme_cmd *cmd)
{
    envme_streams_release_resources(streams_of(cmd), envme_cmd_nsid(cmd),
                                    cmd->ctrl->cntlid);
    return ENVME_ST(SUCCESS);
}

/* ---- the operations ---------------------------------------------------- */

static const struct directive_op directive_ops[] = {
    { ENVME_DTYPE_IDENTIFY, ENVME_DOPER_RECV_ID_PARAMS, false, true, false,
      identify_params },
    { ENVME_DTYPE_IDENTIFY, ENVME_DOPER_SEND_ID_ENABLE, true, false, true,
      identify_enable },
    { ENVME_DTYPE_STREAMS, ENVME_DOPER_RECV_STREAMS_PARAMS, false, true, true,
      streams_params },
    { ENVME_DTYPE_STREAMS, ENVME_DOPER_RECV_STREAMS_STATUS, false, true, true,
      streams_status },
    { ENVME_DTYPE_STREAMS, ENVME_DOPER_RECV_STREAMS_ALLOC, false, false, false,
      streams_allocate },
    { ENVME_DTYPE_STREAMS, ENVME_DOPER_SEND_STREAMS_RELEASE_ID, true, false,
      false, streams_release },
    { ENVME_DTYPE_STREAMS, ENVME_DOPER_SEND_STREAMS_RELEASE, true, false,
      false, streams_release_all },
};

/* Is the directive there, and enabled for this namespace? FFFFFFFFh: it only
 * asks about the subsystem. */
static bool directive_is_on(const struct envme_cmd *cmd, unsigned dtype)
{
    uint32_t nsid = envme_cmd_nsid(cmd);

    return dtype == ENVME_DTYPE_IDENTIFY ||
           (dtype == ENVME_DTYPE_STREAMS && cmd->ctrl->params.streams &&
            (nsid == UINT32_MAX ||
             envme_streams_enabled(streams_of(cmd), nsid,
                                   cmd->ctrl->cntlid)));
}

static struct envme_status directive_find(struct envme_cmd *cmd,
                                          const struct directive_op **op)
{
    uint32_t cdw11 = envme_cmd_cdw(cmd, 11);
    unsigned dtype = FIELD_GET(ENVME_DIRECTIVE_DTYPE, cdw11);
    unsigned doper = FIELD_GET(ENVME_DIRECTIVE_DOPER, cdw11);
    bool is_send = cmd->sqe.opc == ENVME_ADM_DIRECTIVE_SEND;

    if (!directive_is_on(cmd, dtype)) {
        return directive_invalid(cmd, AT_CDW11 + 1);
    }
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(directive_ops); i++) {
        *op = &directive_ops[i];
        if ((*op)->dtype == dtype && (*op)->doper == doper &&
            (*op)->is_send == is_send) {
            return envme_cmd_nsid(cmd) == UINT32_MAX && !(*op)->all ?
                   directive_invalid(cmd, AT_NSID) : ENVME_ST(SUCCESS);
        }
    }
    return directive_invalid(cmd, AT_CDW11);
}

struct envme_status envme_admin_directive_len(struct envme_cmd *cmd,
                                              uint64_t *len)
{
    const struct directive_op *op;
    struct envme_status st = directive_find(cmd, &op);

    if (envme_st_err(st)) {
        return st;
    }
    *len = op->data ? ((uint64_t)envme_cmd_cdw(cmd, 10) + 1) * 4 : 0;
    if (*len > envme_ctrl_mdts_bytes(cmd->ctrl)) {
        return directive_invalid(cmd, offsetof(struct envme_sqe, cdw10));
    }
    return st;
}

static struct envme_status directive_run(struct envme_cmd *cmd)
{
    const struct directive_op *op;
    struct envme_status st = directive_find(cmd, &op);

    return envme_st_err(st) ? st : op->run(cmd);
}

struct envme_status envme_admin_directive_recv(struct envme_cmd *cmd)
{
    return directive_run(cmd);
}

struct envme_status envme_admin_directive_send(struct envme_cmd *cmd)
{
    return directive_run(cmd);
}

/* ---- life -------------------------------------------------------------- */

void envme_directive_init(struct envme_ctrl *ctrl)
{
    struct envme_subsys *s = ctrl->subsys;

    if (ctrl->params.streams && !s->streams) {
        s->streams = envme_streams_new(ctrl->params.streams);
    }
}

void envme_directive_reset(struct envme_ctrl *ctrl)
{
    envme_streams_forget_ctrl(ctrl->subsys->streams, ctrl->cntlid);
}
