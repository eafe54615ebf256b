/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identify: the controller and the subsystem. What it says is derived from
 * the tables and the parameters, so that it cannot promise what is not there.
 */
#include <string.h>

#include "envme/id-ctrl.h"
#include "hw/admin/admin.h"
#include "hw/admin/endgrp.h"
#include "hw/admin/pel.h"
#include "hw/ctrl/logpage.h"

#include "hw/ns/capacity.h"

/* log2 of the entry sizes, the least and the most. */
#define IDENTIFY_SQES 0x66
#define IDENTIFY_CQES 0x44

static void identify_text(char *dst, size_t len, const char *src)
{
    memset(dst, ' ', len);
    memcpy(dst, src, strnlen(src, len));
}

static uint16_t identify_oncs(const struct envme_ctrl *ctrl)
{
    /* Save and Select are the engine's. */
    uint16_t oncs = ENVME_ONCS_SSFS;

    for (unsigned i = 0; i < ctrl->tables->niocs; i++) {
        oncs |= envme_admin_caps(ctrl->tables->iocs[i]->rows, ctrl);
    }
    if (envme_admin_feat(ctrl, ENVME_FID_TIMESTAMP)) {
        oncs |= ENVME_ONCS_TSS;
    }
    return oncs;
}

static uint8_t identify_lpa(const struct envme_ctrl *ctrl)
{
    const struct envme_log_row *smart = envme_logpage_row(ctrl,
                                                          ENVME_LID_SMART);
    uint8_t lpa = ENVME_LPA_LPEDS;

    if (smart && smart->scope == ENVME_LOG_NS) {
        lpa |= ENVME_LPA_SMARTS;
    }
    if (envme_logpage_row(ctrl, ENVME_LID_EFFECTS)) {
        lpa |= ENVME_LPA_CSES;
    }
    if (envme_logpage_row(ctrl, ENVME_LID_SUPPORTED) &&
        envme_logpage_row(ctrl, ENVME_LID_EFFECTS) &&
        envme_logpage_row(ctrl, ENVME_LID_FID_EFFECTS) &&
        envme_logpage_row(ctrl, ENVME_LID_MI_EFFECTS)) {
        lpa |= ENVME_LPA_MLPS;
    }
    if (envme_logpage_row(ctrl, ENVME_LID_TELEMETRY_HOST) &&
        envme_logpage_row(ctrl, ENVME_LID_TELEMETRY_CTRL)) {
        lpa |= ENVME_LPA_TS | ENVME_LPA_DA4S;
    }
    if (envme_logpage_row(ctrl, ENVME_LID_PERSISTENT_EVENT)) {
        lpa |= ENVME_LPA_PES;
    }
    return lpa;
}

static void identify_limits(const struct envme_ctrl *ctrl,
                            struct envme_id_ctrl *id)
{
    const struct envme_ctrl_params *p = &ctrl->params;

    id->rab = ENVME_ADMIN_AB;
    id->mdts = p->mdts;
    id->acl = p->acl;
    id->aerl = p->aerl;
    id->elpe = p->elpe;
    id->kas = le16(p->kas);
    id->crdt1 = le16(p->crdt[0]);
    id->crdt2 = le16(p->crdt[1]);
    id->crdt3 = le16(p->crdt[2]);
    id->sqes = IDENTIFY_SQES;
    id->cqes = IDENTIFY_CQES;
    id->maxcmd = le16(ENVME_MIN(p->mqes + 1u, 65535u));
    id->nn = le32(ctrl->subsys->nn);
    id->mnan = le32(ctrl->subsys->mnan);
    id->maxcna = le32(ctrl->subsys->maxcna);
    id->awun = le16(p->awun);
    id->awupf = le16(p->awupf);
    /* A fused pair may be as long as an atomic write. */
    if (identify_oncs(ctrl) & ENVME_ONCS_NVMCPYS) {
        id->ocfs = le16(ENVME_OCFS_COPY(0) | ENVME_OCFS_COPY(1) |
                        ENVME_OCFS_COPY(2) | ENVME_OCFS_COPY(3));
    }
    if (ctrl->fuses) {
        id->fuses = le16(ENVME_FUSES_FCWS);
        id->acwu = le16(p->awun);
    }
}

static void identify_thermal(const struct envme_ctrl *ctrl,
                             struct envme_id_ctrl *id)
{
    id->wctemp = le16(ENVME_ADMIN_WCTEMP);
    id->cctemp = le16(ENVME_ADMIN_CCTEMP);
    id->tmpthha = FIELD_SET(ENVME_TMPTHHA_TMPTHMH, ctrl->params.temp_hyst);
    if (envme_admin_feat(ctrl, ENVME_FID_HCTM)) {
        id->hctma = le16(ENVME_HCTMA_HCTMAS);
        id->mntmt = le16(ENVME_ADMIN_MNTMT);
        id->mxtmt = le16(ENVME_ADMIN_MXTMT);
    }
}

static void identify_capacity(const struct envme_ctrl *ctrl,
                              struct envme_id_ctrl *id)
{
    uint64_t total = envme_capacity_total(ctrl->subsys);
    uint64_t unused = envme_capacity_unused(ctrl->subsys);

    for (unsigned i = 0; i < 8; i++) {
        id->tnvmcap[i] = total >> (8 * i);
        id->unvmcap[i] = unused >> (8 * i);
        id->megcap[i] = envme_endgrp(ctrl) ? total >> (8 * i) : 0;
    }
    id->endgidmax = le16(envme_endgrp(ctrl));
}

/* CNS 01h. A field that is not set is 0: not there, or not told. */
struct envme_status envme_cns_ctrl(struct envme_cmd *cmd, void *buf)
{
    const struct envme_ctrl *ctrl = cmd->ctrl;
    const struct envme_ctrl_params *p = &ctrl->params;
    struct envme_id_ctrl *id = buf;

    id->vid = le16(p->vid);
    id->ssvid = le16(p->ssvid);
    identify_text(id->sn, sizeof(id->sn), p->serial);
    identify_text(id->mn, sizeof(id->mn), p->model);
    envme_fw_revision(ctrl, id->fr);
    memcpy(id->ieee, p->ieee, sizeof(id->ieee));
    id->cmic = ctrl->subsys->single ? 0 : ENVME_CMIC_MCTRS;
    id->cntlid = le16(ctrl->cntlid);
    id->ver = le32(ctrl->vs);
    /* Of those that a host turns on one by one; SMART's and telemetry's
     * have no bit here. */
    id->oaes = le32(envme_admin_aec(ctrl) & ~(ENVME_FEAT_AEC_SHCW |
                                         ENVME_FEAT_AEC_TLN));
    id->ctratt = le32((p->ctratt_mem ? ENVME_CTRATT_MEM : 0) |
                      (ctrl->tables->cns[ENVME_CNS_NS_GRANULARITY].there ?
                       ENVME_CTRATT_NG : 0) | ENVME_CTRATT_ELBAS |
                      (envme_admin_feat(ctrl, ENVME_FID_NOPSC) ?
                       ENVME_CTRATT_NOPSPM : 0) |
                      (p->nuuids ? ENVME_CTRATT_ULIST : 0) |
                      (envme_endgrp(ctrl) ? ENVME_CTRATT_EGS : 0) |
                      (envme_admin_feat(ctrl, ENVME_FID_HOST_ID) ?
                       ENVME_CTRATT_HIDS : 0));
    id->bpcap = envme_bootpart_cap(ctrl);
    id->cntrltype = ENVME_CNTRLTYPE_IO;
    id->oacs = le16(envme_admin_caps(ctrl->tables->admin, ctrl));
    id->frmw = envme_fw_frmw(ctrl);
    id->edstt = le16(envme_selftest_minutes(ctrl));
    id->fwug = p->fwug;
    id->sanicap = le32(envme_sanitize_cap(ctrl));
    id->mtfa = le16(1);         /* 100 ms */
    if (ctrl->tables->admin[ENVME_ADM_FORMAT].run) {
        id->fna = ENVME_ADMIN_FNA;
    }
    id->lpa = identify_lpa(ctrl);
    id->pels = le32(ENVME_PEL_PELS);
    id->oncs = le16(identify_oncs(ctrl));
    /* Flush takes NSID FFFFFFFFh. Whether there is a volatile cache is for
     * each namespace's backend to know, and one may be added at any time. */
    id->vwc = ENVME_VWC_VWCP | FIELD_SET(ENVME_VWC_FB, ENVME_VWC_FB_YES);
    id->sgls = le32(FIELD_SET(ENVME_SGLS_SGLS, ENVME_SGLS_SGLS_BYTE) |
                    ENVME_SGLS_SBBDS | ENVME_SGLS_MPTRSGL);
    identify_limits(ctrl, id);
    identify_thermal(ctrl, id);
    envme_admin_identify_power(ctrl, id);
    identify_capacity(ctrl, id);
    id->nwpc = envme_admin_nwpc(ctrl);
    envme_hmb_identify(ctrl, id);
    memcpy(id->subnqn, ctrl->subsys->nqn, sizeof(ctrl->subsys->nqn));
    return ENVME_ST(SUCCESS);
}

/* ---- command sets ------------------------------------------------------ */

static uint8_t identify_csi(const struct envme_cmd *cmd)
{
    return FIELD_GET(ENVME_IDENTIFY_CSI, envme_cmd_cdw(cmd, 11));
}

/* CNS 06h */
struct envme_status envme_cns_cs_ctrl(struct envme_cmd *cmd, void *buf)
{
    const struct envme_iocs *iocs = envme_admin_iocs(cmd->ctrl,
                                                     identify_csi(cmd));

    if (!iocs) {
        return envme_cmd_fail(cmd, ENVME_ST(IOCS_INVALID),
                              offsetof(struct envme_sqe, cdw11) + 3);
    }
    if (iocs->identify_ctrl) {
        iocs->identify_ctrl(cmd->ctrl, buf);
    }
    return ENVME_ST(SUCCESS);
}

/* CNS 1Ch: one combination, of all there is. CNTID FFFFh is who is asked. */
struct envme_status envme_cns_iocs(struct envme_cmd *cmd, void *buf)
{
    const struct envme_ctrl *ctrl = cmd->ctrl;
    unsigned cntid = FIELD_GET(ENVME_IDENTIFY_CNTID, envme_cmd_cdw(cmd, 10));
    struct envme_id_iocs *id = buf;
    uint64_t all = 0;

    if (cntid != 0xffff && (cntid >= ENVME_MAX_CTRLS ||
                            !ctrl->subsys->ctrl[cntid].ops)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10) + 2);
    }
    for (unsigned i = 0; i < ctrl->tables->niocs; i++) {
        all |= ENVME_IOCSC(ctrl->tables->iocs[i]->csi);
    }
    id->iocsc[0] = le64(all);
    return ENVME_ST(SUCCESS);
}

/* CNS 17h: only where there are any, as CTRATT says. */
struct envme_status envme_cns_uuid_list(struct envme_cmd *cmd, void *buf)
{
    const struct envme_ctrl_params *p = &cmd->ctrl->params;
    struct envme_uuid_list *list = buf;

    if (!p->nuuids) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10));
    }
    for (unsigned i = 0; i < p->nuuids; i++) {
        memcpy(list->entry[i].uuid, p->uuid[i], sizeof(p->uuid[i]));
    }
    return ENVME_ST(SUCCESS);
}

/* ---- the subsystem ----------------------------------------------------- */

/* CNS 04h: there are no NVM Sets, so the list is empty. */
struct envme_status envme_cns_nvmset_list(struct envme_cmd *cmd, void *buf)
{
    (void)cmd;
    (void)buf;
    return ENVME_ST(SUCCESS);
}

static void identify_ctrl_list(struct envme_cmd *cmd,
                               const struct envme_ns *ns, void *buf)
{
    const struct envme_subsys *s = cmd->ctrl->subsys;
    unsigned from = FIELD_GET(ENVME_IDENTIFY_CNTID, envme_cmd_cdw(cmd, 10));
    struct envme_ctrl_list *list = buf;
    unsigned n = 0;

    for (unsigned i = from; i < ENVME_MAX_CTRLS; i++) {
        if (s->ctrl[i].ops && (!ns || envme_subsys_is_attached(ns, i))) {
            list->cntlid[n++] = le16(i);
        }
    }
    list->num = le16(n);
}

/* CNS 12h: those that have the namespace attached. */
struct envme_status envme_cns_ns_ctrl_list(struct envme_cmd *cmd, void *buf)
{
    uint32_t nsid = envme_cmd_nsid(cmd);
    const struct envme_subsys *s = cmd->ctrl->subsys;
    const struct envme_ns *ns = envme_subsys_ns(s, nsid);

    if (!ns) {
        return envme_cmd_fail(cmd, nsid == UINT32_MAX ||
                              (nsid && nsid <= s->nn) ?
                              ENVME_ST(INVALID_FIELD) : ENVME_ST(INVALID_NS),
                              offsetof(struct envme_sqe, nsid));
    }
    identify_ctrl_list(cmd, ns, buf);
    return ENVME_ST(SUCCESS);
}

/* CNS 13h: all of the subsystem. */
struct envme_status envme_cns_ctrl_list(struct envme_cmd *cmd, void *buf)
{
    identify_ctrl_list(cmd, NULL, buf);
    return ENVME_ST(SUCCESS);
}
