/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespace Management and Attachment: Base 2.1, 5.1.20, 5.1.21, 8.1.15. */
#include <errno.h>
#include <string.h>

#include "envme/id-ns.h"
#include "hw/admin/endgrp.h"
#include "hw/admin/pel.h"

#include "hw/ctrl/keep.h"
#include "hw/ctrl/pause.h"
#include "hw/ns/capacity.h"
#include "hw/ns/erase.h"

#define NSID_AT offsetof(struct envme_sqe, nsid)
#define CDW10_AT offsetof(struct envme_sqe, cdw10)
#define DPTR_AT offsetof(struct envme_sqe, dptr)

/* A command that goes on when several things have happened. It may be gone by
 * then; what it started goes on to its end. */
struct ns_op {
    struct envme_cmd *cmd;
    unsigned left;
    struct envme_ns *ns;
    struct envme_subsys *subsys;
    struct envme_ns_mgmt_create create;
};

static struct ns_op *ns_op_new(struct envme_cmd *cmd)
{
    struct ns_op *op = g_new0(struct ns_op, 1);

    op->cmd = cmd;
    op->left = 1;
    op->subsys = cmd->ctrl->subsys;
    envme_cmd_wait(&op->cmd);
    return op;
}

static void ns_op_step(void *arg)
{
    struct ns_op *op = arg;
    struct envme_cmd *cmd;

    if (--op->left) {
        return;
    }
    cmd = envme_cmd_wait_over(&op->cmd);
    g_free(op);
    if (cmd) {
        envme_cmd_keep_done(cmd, ENVME_ST(SUCCESS));
    }
}

/* An NSID that stands for a namespace of the subsystem. */
static struct envme_status ns_find(struct envme_cmd *cmd, struct envme_ns **ns)
{
    const struct envme_subsys *s = cmd->ctrl->subsys;
    uint32_t nsid = envme_cmd_nsid(cmd);

    *ns = envme_subsys_ns(s, nsid);
    if (*ns) {
        return ENVME_ST(SUCCESS);
    }
    /* FFFFFFFFh is not an invalid one, but not supported here. */
    return envme_cmd_fail(cmd, nsid == UINT32_MAX ||
                          (nsid && nsid <= s->nn) ? ENVME_ST(INVALID_FIELD)
                                                  : ENVME_ST(INVALID_NS),
                          NSID_AT);
}

/* ---- delete ------------------------------------------------------------ */

static struct envme_status ns_may_delete(struct envme_cmd *cmd,
                                         struct envme_ns *ns)
{
    uint16_t busy = atomic_load(&ns->gate_sf);

    envme_protect_load(ns);
    if (busy || ns->erase) {
        return (struct envme_status){ busy ? busy
                                           : ENVME_SC_FORMAT_IN_PROGRESS };
    }
    if (atomic_load(&ns->read_only)) {
        return envme_cmd_fail(cmd, ENVME_ST(NS_WRITE_PROTECTED), NSID_AT);
    }
    return ENVME_ST(SUCCESS);
}

static struct envme_status ns_delete(struct envme_cmd *cmd)
{
    struct envme_subsys *s = cmd->ctrl->subsys;
    uint32_t nsid = envme_cmd_nsid(cmd), first = nsid, last = nsid;
    struct envme_status st = ENVME_ST(SUCCESS);
    struct envme_ns *ns;
    struct ns_op *op;

    if (nsid == UINT32_MAX) {
        first = 1;
        last = s->nn;
    } else {
        st = ns_find(cmd, &ns);
    }
    for (uint32_t i = first; envme_st_ok(st) && i <= last; i++) {
        if (s->ns[i]) {
            st = ns_may_delete(cmd, s->ns[i]);
        }
    }
    if (envme_st_err(st)) {
        return st;
    }
    op = ns_op_new(cmd);
    envme_state_hold(s->state);
    envme_pel_ns_deleted(cmd, nsid == UINT32_MAX ? NULL : ns);
    for (uint32_t i = first; i <= last; i++) {
        if (s->ns[i]) {
            op->left++;
            envme_subsys_delete_ns(s, s->ns[i], ns_op_step, op);
        }
    }
    envme_state_release(s->state);
    ns_op_step(op);
    return ENVME_ST_PENDING;
}

/* ---- create ------------------------------------------------------------ */

static bool ns_zero(const void *p, size_t len)
{
    const uint8_t *b = p;

    return !len || (!b[0] && !memcmp(b, b + 1, len - 1));
}

/* Fields that stand for what this subsystem has none of. */
static struct envme_status ns_check_create(struct envme_cmd *cmd,
                                           const struct envme_ns_mgmt_create *c)
{
    uint64_t nsze = le64_get(c->nsze), ncap = le64_get(c->ncap);

    if (!ns_zero(c->rsvd16, sizeof(c->rsvd16)) ||
        !ns_zero(c->rsvd27, sizeof(c->rsvd27)) ||
        !ns_zero(c->rsvd31, sizeof(c->rsvd31)) ||
        !ns_zero(c->rsvd96, sizeof(c->rsvd96)) || c->flbas & 0x80 ||
        c->nmic & ~ENVME_NMIC_SHRNS || le16_get(c->nvmsetid) ||
        !nsze || ncap > nsze ||
        (le16_get(c->endgid) &&
         le16_get(c->endgid) != envme_endgrp(cmd->ctrl))) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), DPTR_AT);
    }
    if (le32_get(c->anagrpid)) {
        return envme_cmd_fail(cmd, ENVME_ST(ANA_GROUP_INVALID), DPTR_AT);
    }
    if (ncap < nsze) {
        return envme_cmd_fail(cmd, ENVME_ST(THIN_PROV_UNSUPPORTED), DPTR_AT);
    }
    if (c->dps & ~(ENVME_DPS_PIT | ENVME_DPS_PIP)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), DPTR_AT);
    }
    return ENVME_ST(SUCCESS);
}

/* Which bits of the storage tag are compared: 0 tells nothing, and all are. */
static void ns_set_tag_mask(struct envme_ns *ns, uint64_t lbstm)
{
    if (lbstm & ns->pi.lbstm) {
        ns->pi.lbstm &= lbstm;
    }
}

static unsigned ns_format_index(uint8_t flbas)
{
    return FIELD_GET(ENVME_FLBAS_FIDXL, flbas) |
           FIELD_GET(ENVME_FLBAS_FIDXU, flbas) << 4;
}

/* Is it one of those that the host has been told of? */
static bool ns_format_known(const struct envme_ctrl *ctrl, unsigned index)
{
    struct envme_ns *model = envme_capacity_model(ctrl->subsys);
    bool known = index < envme_admin_nformats(ctrl, model);

    envme_ns_free(model);
    return known;
}

static void ns_created(void *arg, int err)
{
    struct ns_op *op = arg;
    struct envme_cmd *cmd = envme_cmd_wait_over(&op->cmd);
    struct envme_status st = ENVME_ST(SUCCESS);
    struct envme_ns *ns = op->ns;
    char *text = NULL;

    if (!cmd || err || ns->leaving) {
        st = ENVME_ST(INTERNAL);
    } else if (!envme_subsys_add_ns(op->subsys, ns, &text)) {
        g_free(text);
        st = ENVME_ST(NSID_UNAVAILABLE);
    } else {
        cmd->dw0 = ns->nsid;
        envme_pel_ns_created(cmd, ns, &op->create);
    }
    if (envme_st_err(st)) {
        envme_subsys_delete_ns(op->subsys, ns, NULL, NULL);
    }
    g_free(op);
    if (cmd) {
        envme_cmd_keep_done(cmd, st);
    }
}

/* Whose capacity it was before is told no more: now it may be overwritten. */
static void ns_make_empty(void *arg, int err)
{
    struct ns_op *op = arg;
    struct envme_ns *ns = op->ns;

    if (err || ns->leaving) {
        ns_created(op, -ECANCELED);
    } else {
        envme_ns_erase(ns, true, ns_created, op);
    }
    envme_ns_unhold(ns);
}

static struct envme_status ns_create(struct envme_cmd *cmd)
{
    uint8_t csi = FIELD_GET(ENVME_NSMGMT_CSI, envme_cmd_cdw(cmd, 11));
    const struct envme_iocs *iocs = envme_admin_iocs(cmd->ctrl, csi);
    struct envme_subsys *s = cmd->ctrl->subsys;
    struct envme_ns_mgmt_create c;
    struct envme_status st;
    struct envme_ns *ns;
    struct ns_op *op;
    int err;

    if (envme_cmd_nsid(cmd)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), NSID_AT);
    }
    if (!iocs) {
        return envme_cmd_fail(cmd, ENVME_ST(IOCS_UNSUPPORTED), CDW10_AT + 7);
    }
    if (envme_cmd_from_host(cmd, 0, &c, sizeof(c)) != sizeof(c)) {
        return ENVME_ST(INTERNAL);
    }
    st = ns_check_create(cmd, &c);
    if (envme_st_err(st)) {
        return st;
    }
    if (!envme_subsys_free_nsid(s)) {
        return ENVME_ST(NSID_UNAVAILABLE);
    }
    if (!ns_format_known(cmd->ctrl, ns_format_index(c.flbas))) {
        return envme_cmd_fail(cmd, ENVME_ST(FORMAT_INVALID), DPTR_AT);
    }
    err = envme_capacity_make(s, &(struct envme_capacity_req){
        .nsze = le64_get(c.nsze), .format = ns_format_index(c.flbas),
        .extended = c.flbas & ENVME_FLBAS_MTELBA,
        .pi_type = FIELD_GET(ENVME_DPS_PIT, c.dps),
        .pi_first = c.dps & ENVME_DPS_PIP,
        .shared = c.nmic & ENVME_NMIC_SHRNS, .csi = csi, .iocs = iocs,
    }, &ns, &cmd->err_info);
    if (err) {
        st = err == -EINVAL ? ENVME_ST(FORMAT_INVALID)
                            : ENVME_ST(NS_INSUFFICIENT_CAP);
        if (err == -EINVAL) {
            cmd->err_info = 0;
        }
        return envme_cmd_fail(cmd, st, DPTR_AT);
    }
    ns_set_tag_mask(ns, le64_get(c.lbstm));
    op = ns_op_new(cmd);
    op->ns = ns;
    op->create = c;
    envme_ns_hold(ns);
    envme_subsys_flush(s, ns_make_empty, op);
    return ENVME_ST_PENDING;
}

struct envme_status envme_admin_ns_mgmt_len(struct envme_cmd *cmd,
                                            uint64_t *len)
{
    bool create = FIELD_GET(ENVME_NSMGMT_SEL, envme_cmd_cdw(cmd, 10)) ==
                  ENVME_NSMGMT_CREATE;

    *len = create ? sizeof(struct envme_ns_mgmt_create) : 0;
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_admin_ns_mgmt(struct envme_cmd *cmd)
{
    switch (FIELD_GET(ENVME_NSMGMT_SEL, envme_cmd_cdw(cmd, 10))) {
    case ENVME_NSMGMT_CREATE:
        return ns_create(cmd);
    case ENVME_NSMGMT_DELETE:
        return ns_delete(cmd);
    default:
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), CDW10_AT);
    }
}

/* ---- attachment -------------------------------------------------------- */

/* Controllers of the subsystem, ascending, at least one. */
static struct envme_status ns_check_list(struct envme_cmd *cmd,
                                         const struct envme_ctrl_list *list)
{
    const struct envme_subsys *s = cmd->ctrl->subsys;
    unsigned num = le16_get(list->num);
    bool ok = num && num <= ENVME_ARRAY_SIZE(list->cntlid);

    for (unsigned i = 0; ok && i < num; i++) {
        unsigned id = le16_get(list->cntlid[i]);

        ok = id < ENVME_MAX_CTRLS && s->ctrl[id].ops &&
             (!i || id > le16_get(list->cntlid[i - 1]));
    }
    return ok ? ENVME_ST(SUCCESS)
              : envme_cmd_fail(cmd, ENVME_ST(CTRL_LIST_INVALID), DPTR_AT);
}

static struct envme_status ns_may_attach(const struct envme_ns *ns,
                                         const struct envme_ctrl_list *list)
{
    const struct envme_subsys *s = ns->subsys;
    unsigned num = le16_get(list->num);

    for (unsigned i = 0; i < num; i++) {
        if (envme_subsys_is_attached(ns, le16_get(list->cntlid[i]))) {
            return ENVME_ST(NS_ALREADY_ATTACHED);
        }
    }
    for (unsigned i = 0; i < ENVME_MAX_CTRLS && !ns->params.shared; i++) {
        if (num > 1 || envme_subsys_is_attached(ns, i)) {
            return ENVME_ST(NS_PRIVATE);
        }
    }
    for (unsigned i = 0; i < num && s->maxcna; i++) {
        if (envme_subsys_count_attached(s, le16_get(list->cntlid[i])) >=
            s->maxcna) {
            return ENVME_ST(NS_ATTACH_LIMIT);
        }
    }
    return ENVME_ST(SUCCESS);
}

static struct envme_status ns_may_detach(const struct envme_ns *ns,
                                         const struct envme_ctrl_list *list)
{
    for (unsigned i = 0; i < le16_get(list->num); i++) {
        if (!envme_subsys_is_attached(ns, le16_get(list->cntlid[i]))) {
            return ENVME_ST(NS_NOT_ATTACHED);
        }
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_admin_ns_attach_len(struct envme_cmd *cmd,
                                              uint64_t *len)
{
    (void)cmd;
    *len = sizeof(struct envme_ctrl_list);
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_admin_ns_attach(struct envme_cmd *cmd)
{
    unsigned sel = FIELD_GET(ENVME_NSATTACH_SEL, envme_cmd_cdw(cmd, 10));
    uint16_t ids[ENVME_MAX_CTRLS];
    struct envme_ctrl_list *list;
    struct envme_status st;
    struct envme_ns *ns;
    struct ns_op *op;

    if (sel > ENVME_NSATTACH_DETACH) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), CDW10_AT);
    }
    st = ns_find(cmd, &ns);
    if (envme_st_err(st)) {
        return st;
    }
    cmd->mem = list = g_malloc0(sizeof(*list));
    envme_cmd_from_host(cmd, 0, list, sizeof(*list));
    st = ns_check_list(cmd, list);
    if (envme_st_ok(st)) {
        st = sel == ENVME_NSATTACH_ATTACH ? ns_may_attach(ns, list)
                                          : ns_may_detach(ns, list);
        envme_cmd_fail(cmd, st, NSID_AT);
    }
    if (envme_st_err(st)) {
        return st;
    }
    for (unsigned i = 0; i < le16_get(list->num); i++) {
        ids[i] = le16_get(list->cntlid[i]);     /* ascending: they fit */
    }
    op = ns_op_new(cmd);
    envme_subsys_choose(ns, ids, le16_get(list->num),
                        sel == ENVME_NSATTACH_ATTACH);
    for (unsigned i = 0, n = le16_get(list->num); i < n; i++) {
        op->left++;
        envme_subsys_attach(cmd->ctrl->subsys, ns, le16_get(list->cntlid[i]),
                            sel == ENVME_NSATTACH_ATTACH, ns_op_step, op);
    }
    ns_op_step(op);
    return ENVME_ST_PENDING;
}
