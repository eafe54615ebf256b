/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identify: namespaces. Base 2.1, 5.1.13.2; NVM 1.1, 4.1.5. */
#include <string.h>

#include "envme/id-ns.h"
#include "envme/feat.h"
#include "hw/admin/admin.h"
#include "hw/admin/endgrp.h"
#include "hw/ctrl/feature.h"

#include "hw/ns/capacity.h"
#include "hw/ns/reformat.h"

/* ---- which namespace --------------------------------------------------- */

static struct envme_status identify_nsid(struct envme_cmd *cmd)
{
    uint32_t nsid = envme_cmd_nsid(cmd);

    if (nsid == 0 || nsid > cmd->ctrl->subsys->nn) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_NS),
                              offsetof(struct envme_sqe, nsid));
    }
    return ENVME_ST(SUCCESS);
}

/* NSID FFFFFFFFh, where namespaces can be created. */
static bool identify_wants_common(const struct envme_cmd *cmd)
{
    return envme_cmd_nsid(cmd) == UINT32_MAX &&
           cmd->ctrl->tables->admin[ENVME_ADM_NS_MGMT].run;
}

static struct envme_status identify_csi(struct envme_cmd *cmd,
                                        const struct envme_iocs **iocs)
{
    *iocs = envme_admin_iocs(cmd->ctrl, FIELD_GET(ENVME_IDENTIFY_CSI,
                                                  envme_cmd_cdw(cmd, 11)));
    if (!*iocs) {
        return envme_cmd_fail(cmd, ENVME_ST(IOCS_INVALID),
                              offsetof(struct envme_sqe, cdw11) + 3);
    }
    return ENVME_ST(SUCCESS);
}

/* ---- the structures ---------------------------------------------------- */

/* In logical blocks, 0's based. */
static le16_t identify_blocks(uint8_t lbads, uint32_t bytes)
{
    uint32_t n = bytes >> lbads;

    return le16(n ? ENVME_MIN(n - 1, 0xffffu) : 0);
}

static void identify_performance(const struct envme_ns *ns, uint8_t lbads,
                                 struct envme_id_ns *id)
{
    const struct envme_ns_params *p = &ns->params;
    uint32_t write = ENVME_MAX(p->physical_block, p->min_io);

    /* Everything, with the larger fields of CNS 05h. */
    id->nsfeat |= FIELD_SET(ENVME_NSFEAT_OPTPERF, ENVME_OPTPERF_ALL) |
                  ENVME_NSFEAT_OPTRPERF;
    id->npwg = id->npwa = identify_blocks(lbads, write);
    id->npdg = id->npda = identify_blocks(lbads, p->discard_granularity);
    id->nows = identify_blocks(lbads, ENVME_MAX(p->opt_io, write));
}

/* The same for all: DEAC leaves zeroes also where nothing can be freed. */
static uint8_t identify_dlfeat(void)
{
    return FIELD_SET(ENVME_DLFEAT_DRB, ENVME_DLFEAT_DRB_00) |
           ENVME_DLFEAT_WZDS;
}

static uint8_t identify_fpi(const struct envme_ns *ns)
{
    return envme_tables.admin[ENVME_ADM_FORMAT].run ?
           ENVME_FPI_FPII | FIELD_SET(ENVME_FPI_PER,
                                      envme_ns_format_left(ns)) : 0;
}

static uint8_t identify_nsattr(const struct envme_ns *ns)
{
    return ns->read_only ? ENVME_NSATTR_CWP : 0;
}

/* Without LBAFEE a host knows of 16 formats. */
unsigned envme_admin_nformats(const struct envme_ctrl *ctrl,
                              const struct envme_ns *ns)
{
    bool all = FIELD_GET(ENVME_HBS_LBAFEE,
                         envme_feature_value(ctrl, ENVME_FID_HOST_BEHAVIOR,
                                             NULL));

    return all ? ns->nlbaf : ENVME_MIN(ns->nlbaf, 16);
}

/* What there is, whatever is in use. */
static void identify_formats(const struct envme_ctrl *ctrl,
                             const struct envme_ns *ns, struct envme_id_ns *id)
{
    unsigned n = envme_admin_nformats(ctrl, ns);
    bool md = false, pi = false;

    id->nlbaf = n - 1;
    for (unsigned i = 0; i < n; i++) {
        id->lbaf[i].ms = le16(ns->lbaf[i].ms);
        id->lbaf[i].ds = ns->lbaf[i].lbads;
        id->lbaf[i].rp = ns->lbaf[i].rp;
        md |= ns->lbaf[i].ms != 0;
        pi |= ns->lbaf[i].ms >= 8;
    }
    if (md) {
        id->mc = ENVME_MC_MTELBA | ENVME_MC_MTSMB;
    }
    if (pi) {
        id->dpc = ENVME_DPC_PIT1S | ENVME_DPC_PIT2S | ENVME_DPC_PIT3S |
                  ENVME_DPC_PIIFB | ENVME_DPC_PIILB;
    }
}

static void identify_atomicity(const struct envme_ns *ns,
                               struct envme_id_ns *id)
{
    const struct envme_ns_params *p = &ns->params;

    if (!p->nawun && !p->nawupf && !p->nabsn && !p->nabo && !p->nabspf) {
        return;
    }
    id->nsfeat |= ENVME_NSFEAT_NSABP;
    id->nawun = id->nacwu = le16(p->nawun);
    id->nawupf = le16(p->nawupf);
    id->nabsn = le16(p->nabsn);
    id->nabo = le16(p->nabo);
    id->nabspf = le16(p->nabspf);
}

static struct envme_ns_ids identify_ids(const struct envme_ns *ns)
{
    struct envme_ns_ids ids = { .eui64 = ns->params.eui64 };

    memcpy(ids.uuid, ns->params.uuid, sizeof(ids.uuid));
    memcpy(ids.nguid, ns->params.nguid, sizeof(ids.nguid));
    return ns->ids_faked ? *ns->ids_faked : ids;
}

void envme_identify_ns(const struct envme_ctrl *ctrl,
                       const struct envme_ns *ns, struct envme_id_ns *id)
{
    const struct envme_ns_ids ids = identify_ids(ns);
    uint64_t nsze = ns->nsze;
    uint64_t bytes = ns->geo.size;

    id->nsze = id->ncap = id->nuse = le64(nsze);
    if (ns->geo.status) {
        id->nsfeat |= ENVME_NSFEAT_DAE;
    }
    identify_formats(ctrl, ns, id);
    id->flbas = FIELD_SET(ENVME_FLBAS_FIDXL, ns->flbas & 0xf) |
                FIELD_SET(ENVME_FLBAS_FIDXU, ns->flbas >> 4) |
                FIELD_SET(ENVME_FLBAS_MTELBA, ns->extended);
    id->dps = FIELD_SET(ENVME_DPS_PIT, ns->pi.type) |
              FIELD_SET(ENVME_DPS_PIP, ns->pi.first);
    identify_performance(ns, ns->lbads, id);
    identify_atomicity(ns, id);
    id->mssrl = le16(ns->params.mssrl);
    id->mcl = le32(ns->params.mcl);
    id->msrc = ns->params.msrc;
    id->nmic = ns->params.shared ? ENVME_NMIC_SHRNS : 0;
    id->dlfeat = identify_dlfeat();
    id->fpi = identify_fpi(ns);
    for (unsigned i = 0; i < 8; i++) {
        id->nvmcap[i] = bytes >> (8 * i);
        id->eui64[i] = ids.eui64 >> (8 * (7 - i));
    }
    id->nsattr = identify_nsattr(ns);
    id->endgid = le16(envme_endgrp(ctrl));
    memcpy(id->nguid, ids.nguid, sizeof(id->nguid));
}

/* What all namespaces that are going to be created have in common. */
static void identify_common(const struct envme_ctrl *ctrl,
                            struct envme_id_ns *id)
{
    struct envme_ns *model = envme_capacity_model(ctrl->subsys);

    envme_identify_ns(ctrl, model, id);
    id->nsze = id->ncap = id->nuse = le64(0);
    id->flbas = 0;
    id->nmic = ENVME_NMIC_SHRNS;
    id->endgid = le16(0);
    memset(id->nvmcap, 0, sizeof(id->nvmcap));
    envme_ns_free(model);
}

/* CNS 00h; zeroes for an NSID that is not active here. */
struct envme_status envme_cns_ns(struct envme_cmd *cmd, void *buf)
{
    struct envme_status st = ENVME_ST(SUCCESS);
    const struct envme_ns *ns = envme_ctrl_ns(cmd->ctrl, envme_cmd_nsid(cmd));

    if (identify_wants_common(cmd)) {
        identify_common(cmd->ctrl, buf);
        return st;
    }
    st = identify_nsid(cmd);
    if (envme_st_ok(st) && ns) {
        envme_identify_ns(cmd->ctrl, ns, buf);
    }
    return st;
}

/* CNS 11h; zeroes for an NSID that is not allocated. */
struct envme_status envme_cns_alloc_ns(struct envme_cmd *cmd, void *buf)
{
    struct envme_status st = identify_nsid(cmd);
    const struct envme_ns *ns = envme_subsys_ns(cmd->ctrl->subsys,
                                                envme_cmd_nsid(cmd));

    if (envme_st_ok(st) && ns) {
        envme_identify_ns(cmd->ctrl, ns, buf);
    }
    return st;
}

/* CNS 05h; zeroes for an NSID that is not active here. */
struct envme_status envme_cns_cs_ns(struct envme_cmd *cmd, void *buf)
{
    struct envme_ns *ns = envme_ctrl_ns(cmd->ctrl, envme_cmd_nsid(cmd));
    bool common = identify_wants_common(cmd);
    struct envme_status st = common ? ENVME_ST(SUCCESS) : identify_nsid(cmd);
    const struct envme_iocs *iocs = NULL;

    if (envme_st_ok(st)) {
        st = identify_csi(cmd, &iocs);
    }
    if (envme_st_ok(st) && common) {
        struct envme_ns *model = envme_capacity_model(cmd->ctrl->subsys);

        if (iocs->identify_ns) {
            iocs->identify_ns(cmd->ctrl, model, buf);
        }
        envme_ns_free(model);
    }
    if (envme_st_err(st) || !ns) {
        return st;
    }
    if (ns->params.csi != iocs->csi) {
        return envme_cmd_fail(cmd, ENVME_ST(IOCS_INVALID),
                              offsetof(struct envme_sqe, cdw11) + 3);
    }
    if (iocs->identify_ns) {
        iocs->identify_ns(cmd->ctrl, ns, buf);
    }
    return st;
}

/*
 * CNS 09h and 0Ah are about a format, whatever namespace may have it. The
 * first namespace that there is stands for all, or one that could be created:
 * only what its backend can address makes its formats differ from others'.
 */
static struct envme_status identify_format(
    struct envme_cmd *cmd,
    void (*fill)(struct envme_cmd *cmd, struct envme_ns *ns, unsigned format,
                 void *buf), void *buf)
{
    unsigned format = FIELD_GET(ENVME_IDENTIFY_CNSSID, envme_cmd_cdw(cmd, 11));
    const struct envme_subsys *s = cmd->ctrl->subsys;
    struct envme_ns *model = envme_capacity_model(s);
    struct envme_ns *ns = NULL;
    struct envme_status st = ENVME_ST(SUCCESS);

    for (uint32_t nsid = 1; nsid <= s->nn && !ns; nsid++) {
        ns = s->ns[nsid];
    }
    ns = ns ? ns : model;
    if (format < envme_admin_nformats(cmd->ctrl, ns)) {
        fill(cmd, ns, format, buf);
    } else {
        st = envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                            offsetof(struct envme_sqe, cdw11));
    }
    envme_ns_free(model);
    return st;
}

static void identify_fill_format(struct envme_cmd *cmd, struct envme_ns *ns,
                                 unsigned format, void *buf)
{
    identify_formats(cmd->ctrl, ns, buf);
    identify_performance(ns, ns->lbaf[format].lbads, buf);
}

/* CNS 09h */
struct envme_status envme_cns_format(struct envme_cmd *cmd, void *buf)
{
    return identify_format(cmd, identify_fill_format, buf);
}

static void identify_fill_cs_format(struct envme_cmd *cmd,
                                    struct envme_ns *ns, unsigned format,
                                    void *buf)
{
    const struct envme_iocs *iocs;

    if (envme_st_ok(identify_csi(cmd, &iocs)) && iocs->identify_format) {
        iocs->identify_format(cmd->ctrl, ns, format, buf);
    }
}

/* CNS 0Ah */
struct envme_status envme_cns_cs_format(struct envme_cmd *cmd, void *buf)
{
    const struct envme_iocs *iocs;
    struct envme_status st = identify_csi(cmd, &iocs);

    return envme_st_err(st) ? st
                            : identify_format(cmd, identify_fill_cs_format,
                                              buf);
}

/* CNS 08h; zeroes for an NSID that is not active here. */
struct envme_status envme_cns_ns_indep(struct envme_cmd *cmd, void *buf)
{
    const struct envme_ns *ns = envme_ctrl_ns(cmd->ctrl, envme_cmd_nsid(cmd));
    struct envme_status st = identify_nsid(cmd);
    struct envme_id_ns_indep *id = buf;

    if (envme_st_err(st) || !ns) {
        return st;
    }
    if (!ns->geo.volatile_cache) {
        id->nsfeat |= ENVME_NSFEAT_INDEP_VWCNP;
    }
    id->nmic = ns->params.shared ? ENVME_NMIC_SHRNS : 0;
    id->nsattr = identify_nsattr(ns);
    id->endgid = le16(envme_endgrp(cmd->ctrl));
    id->fpi = identify_fpi(ns);
    id->nstat = envme_st_is((struct envme_status){ atomic_load(&ns->gate_sf) },
                            ENVME_SC_NS_NOT_READY) ? 0 : ENVME_NSTAT_NRDY;
    return st;
}

/* ---- lists ------------------------------------------------------------- */

/* NSIDs above the one given; csi -1: of any command set. */
static struct envme_status identify_list(struct envme_cmd *cmd, bool allocated,
                                         int csi, void *buf)
{
    const struct envme_ctrl *ctrl = cmd->ctrl;
    uint64_t nsid = envme_cmd_nsid(cmd);
    struct envme_ns_list *list = buf;
    unsigned n = 0;

    if (nsid >= 0xfffffffeu) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_NS),
                              offsetof(struct envme_sqe, nsid));
    }
    while (++nsid <= ctrl->subsys->nn && n < ENVME_ARRAY_SIZE(list->nsid)) {
        const struct envme_ns *ns = allocated ? ctrl->subsys->ns[nsid]
                                              : ctrl->ns[nsid];

        if (ns && (csi < 0 || ns->params.csi == csi)) {
            list->nsid[n++] = le32(nsid);
        }
    }
    return ENVME_ST(SUCCESS);
}

/* CNS 02h */
struct envme_status envme_cns_ns_list(struct envme_cmd *cmd, void *buf)
{
    return identify_list(cmd, false, -1, buf);
}

/* CNS 10h */
struct envme_status envme_cns_alloc_ns_list(struct envme_cmd *cmd, void *buf)
{
    return identify_list(cmd, true, -1, buf);
}

static struct envme_status identify_cs_list(struct envme_cmd *cmd,
                                            bool allocated, void *buf)
{
    const struct envme_iocs *iocs;
    struct envme_status st = identify_csi(cmd, &iocs);

    return envme_st_err(st) ? st
                            : identify_list(cmd, allocated, iocs->csi, buf);
}

/* CNS 07h */
struct envme_status envme_cns_cs_ns_list(struct envme_cmd *cmd, void *buf)
{
    return identify_cs_list(cmd, false, buf);
}

/* CNS 1Ah */
struct envme_status envme_cns_cs_alloc_ns_list(struct envme_cmd *cmd,
                                               void *buf)
{
    return identify_cs_list(cmd, true, buf);
}

/* ---- identifiers ------------------------------------------------------- */

static size_t identify_nid(uint8_t *p, uint8_t type, const void *id,
                           uint8_t len)
{
    struct envme_nid *nid = (struct envme_nid *)p;

    nid->nidt = type;
    nid->nidl = len;
    memcpy(nid->nid, id, len);
    return sizeof(*nid) + len;
}

/* CNS 03h. The order is of no meaning; a length of 0 ends the list. */
struct envme_status envme_cns_ns_descs(struct envme_cmd *cmd, void *buf)
{
    static const uint8_t none[16];
    const struct envme_ns *ns = envme_ctrl_ns(cmd->ctrl, envme_cmd_nsid(cmd));
    struct envme_status st = identify_nsid(cmd);
    struct envme_ns_ids ids;
    uint8_t eui64[8];
    uint8_t *at = buf;

    if (envme_st_ok(st) && !ns) {
        st = envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                            offsetof(struct envme_sqe, nsid));
    }
    if (envme_st_err(st)) {
        return st;
    }
    ids = identify_ids(ns);
    if (ids.eui64) {
        for (unsigned i = 0; i < sizeof(eui64); i++) {
            eui64[i] = ids.eui64 >> (8 * (7 - i));
        }
        at += identify_nid(at, ENVME_NIDT_EUI64, eui64, ENVME_NIDL_EUI64);
    }
    if (memcmp(ids.nguid, none, sizeof(none))) {
        at += identify_nid(at, ENVME_NIDT_NGUID, ids.nguid, ENVME_NIDL_NGUID);
    }
    if (memcmp(ids.uuid, none, sizeof(none))) {
        at += identify_nid(at, ENVME_NIDT_UUID, ids.uuid, ENVME_NIDL_UUID);
    }
    identify_nid(at, ENVME_NIDT_CSI, &ns->params.csi, ENVME_NIDL_CSI);
    return ENVME_ST(SUCCESS);
}

/* ---- granularity ------------------------------------------------------- */

/* CNS 16h: any number of blocks is as good as another. One descriptor, for
 * all formats: the size of the largest block that there is. */
struct envme_status envme_cns_ns_granularity(struct envme_cmd *cmd, void *buf)
{
    const struct envme_subsys *s = cmd->ctrl->subsys;
    struct envme_ns_granularity_list *list = buf;
    unsigned lbads = 12;

    for (uint32_t nsid = 1; nsid <= s->nn; nsid++) {
        for (unsigned i = 0; s->ns[nsid] && i < s->ns[nsid]->nlbaf; i++) {
            lbads = ENVME_MAX(lbads, s->ns[nsid]->lbaf[i].lbads);
        }
    }
    list->entry[0].nszegran = list->entry[0].ncapgran = le64(1ull << lbads);
    return ENVME_ST(SUCCESS);
}
