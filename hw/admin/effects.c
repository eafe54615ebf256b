/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log pages that say what there is: Supported Log Pages, Commands
 * Supported and Effects, Feature Identifiers Supported and Effects, NVMe-MI
 * Commands Supported and Effects. Base 2.1, 5.1.12.1.
 * All of it is in the rows.
 */
#include "hw/admin/admin.h"
#include "hw/ctrl/logpage.h"

size_t envme_log_supported_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_log_supported);
}

struct envme_status envme_log_supported(const struct envme_log_req *req,
                                        void *buf)
{
    struct envme_log_supported *log = buf;

    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(log->lids); i++) {
        const struct envme_log_row *row =
            envme_logpage_row(req->cmd->ctrl, i);

        if (row) {
            log->lids[i] = le32(ENVME_LIDS_LSUPP |
                                FIELD_SET(ENVME_LIDS_LIDSP,
                                          row->lid_support));
        }
    }
    return ENVME_ST(SUCCESS);
}

size_t envme_log_effects_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_log_effects);
}

/* With a UUID list, commands look at their UUID index. */
static uint32_t effects_uuid(const struct envme_ctrl *ctrl,
                             const struct envme_row *row)
{
    return ctrl->params.nuuids && row->cdw[4] & ENVME_UIDX ? ENVME_EFF_USS : 0;
}

struct envme_status envme_log_effects(const struct envme_log_req *req,
                                      void *buf)
{
    struct envme_cmd *cmd = req->cmd;
    const struct envme_row *admin = cmd->ctrl->tables->admin;
    const struct envme_iocs *iocs = envme_admin_iocs(cmd->ctrl, req->csi);
    struct envme_log_effects *log = buf;

    if (!iocs) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw14) + 3);
    }
    for (unsigned i = 0; i < 256; i++) {
        const struct envme_row *row = envme_iocs_row(iocs, i);

        if (envme_row_there(&admin[i], cmd->ctrl)) {
            log->acs[i] = le32(ENVME_EFF_CSUPP | admin[i].effects |
                               effects_uuid(cmd->ctrl, &admin[i]));
        }
        if (row) {
            /* Linux (as of 7.3) takes a scope for an unusual effect, and says
             * so to its users; 0 is "not reported". */
            log->iocs[i] = le32(ENVME_EFF_CSUPP |
                                (row->effects & ~ENVME_EFF_CSP));
        }
    }
    return ENVME_ST(SUCCESS);
}

size_t envme_log_fid_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_log_fid_effects);
}

struct envme_status envme_log_fid(const struct envme_log_req *req, void *buf)
{
    static const uint32_t scope[] = {
        [ENVME_FEAT_CTRL] = ENVME_FIDEFF_FSP_CTRL,
        [ENVME_FEAT_NS] = ENVME_FIDEFF_FSP_NS,
        [ENVME_FEAT_SUBSYS] = ENVME_FIDEFF_FSP_SUBSYS,
        [ENVME_FEAT_ENDGRP] = ENVME_FIDEFF_FSP_ENDGRP,
    };
    const struct envme_tables *t = req->cmd->ctrl->tables;
    struct envme_log_fid_effects *log = buf;

    for (unsigned i = 0; i < t->feats->n; i++) {
        const struct envme_feat_row *row = &t->feats->row[i];

        if (envme_feat_there(row, req->cmd->ctrl)) {
            log->fid[row->fid] = le32(ENVME_FIDEFF_FSUPP | scope[row->scope]);
        }
    }
    return ENVME_ST(SUCCESS);
}

size_t envme_log_mi_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_log_mi_effects);
}

/* There is no Management Interface: none of its commands is supported. */
struct envme_status envme_log_mi(const struct envme_log_req *req, void *buf)
{
    (void)req;
    (void)buf;
    return ENVME_ST(SUCCESS);
}

uint16_t envme_admin_caps(const struct envme_row rows[256],
                          const struct envme_ctrl *ctrl)
{
    uint16_t caps = 0;

    for (unsigned i = 0; i < 256; i++) {
        if (rows[i].run && (!ctrl || envme_row_there(&rows[i], ctrl))) {
            caps |= rows[i].cap;
        }
    }
    return caps;
}
