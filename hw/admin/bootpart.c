/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot partitions as commands see them: Firmware Commit's actions 110b and
 * 111b, Boot Partition Write Protection Config (85h), log page 15h. Base 2.1,
 * 5.1.8, 5.1.12.1.21, 5.1.25.1.32, 8.1.3. docs/bootpart.md.
 */
#include <string.h>

#include "hw/admin/shared.h"

#include "hw/ctrl/bootread.h"
#include "hw/ctrl/keep.h"

bool envme_bootpart_there(const struct envme_ctrl *ctrl)
{
    return envme_bootread_there(ctrl);
}

/* There is no RPMB, so write protection is by Set Features. */
uint8_t envme_bootpart_cap(const struct envme_ctrl *ctrl)
{
    return envme_bootread_there(ctrl) ?
           FIELD_SET(ENVME_BPCAP_RPMBBPWPS, 1) | ENVME_BPCAP_SFBPWPS : 0;
}

struct envme_status envme_bootpart_replace(struct envme_cmd *cmd, unsigned id,
                                           const void *buf, size_t len)
{
    struct envme_bootpart *bp = cmd->ctrl->subsys->bp;

    envme_bootpart_write(bp, id, buf, len);
    return envme_cmd_keep(cmd, ENVME_ST(SUCCESS));
}

bool envme_bootpart_is_locked(const struct envme_ctrl *ctrl, unsigned id)
{
    return ctrl->subsys->bp->wps[id] != ENVME_BPWP_UNLOCKED;
}

size_t envme_bootpart_size(const struct envme_ctrl *ctrl)
{
    return ctrl->subsys->bp->size;
}

struct envme_status envme_bootpart_make_active(struct envme_cmd *cmd,
                                               unsigned id)
{
    struct envme_subsys *s = cmd->ctrl->subsys;

    envme_bootpart_activate(s->bp, id);
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(s, i);

        if (c) {
            envme_bootread_refresh(c);
        }
    }
    return envme_cmd_keep(cmd, ENVME_ST(SUCCESS));
}

/* ---- feature 85h ------------------------------------------------------- */

/* Both partitions or none; what is locked until a power cycle stays so. */
struct envme_status envme_feat_set_bpwp(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0)
{
    struct envme_bootpart *bp = cmd->ctrl->subsys->bp;
    const uint8_t want[2] = { FIELD_GET(ENVME_FEAT_BPWP_BP0WPS, *value),
                              FIELD_GET(ENVME_FEAT_BPWP_BP1WPS, *value) };
    unsigned loc = offsetof(struct envme_sqe, cdw11);

    (void)ns;
    (void)data;
    (void)dw0;
    if (*value & ~(ENVME_FEAT_BPWP_BP0WPS | ENVME_FEAT_BPWP_BP1WPS) ||
        want[0] > ENVME_BPWP_POWER_CYCLE || want[1] > ENVME_BPWP_POWER_CYCLE) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
    }
    for (unsigned i = 0; i < 2; i++) {
        if (want[i] != ENVME_BPWP_NO_CHANGE &&
            bp->wps[i] == ENVME_BPWP_POWER_CYCLE) {
            return envme_cmd_fail_bit(cmd, ENVME_ST(FEAT_NOT_CHANGEABLE), loc,
                                      i * 3);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        bp->wps[i] = want[i] != ENVME_BPWP_NO_CHANGE ? want[i] : bp->wps[i];
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_feat_get_bpwp(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *dw0,
                                        void *data)
{
    const struct envme_bootpart *bp = cmd->ctrl->subsys->bp;

    (void)ns;
    (void)data;
    *dw0 = FIELD_SET(ENVME_FEAT_BPWP_BP0WPS, bp->wps[0]) |
           FIELD_SET(ENVME_FEAT_BPWP_BP1WPS, bp->wps[1]);
    return ENVME_ST(SUCCESS);
}

/* ---- log page 15h ------------------------------------------------------ */

#define BP_LSP_BPID 0x01u

size_t envme_bootpart_log_size(const struct envme_log_req *req)
{
    return sizeof(struct envme_log_boot_partition) +
           req->cmd->ctrl->subsys->bp->size;
}

struct envme_status envme_bootpart_log(const struct envme_log_req *req,
                                       uint64_t off, void *buf, size_t len)
{
    const struct envme_bootpart *bp = req->cmd->ctrl->subsys->bp;
    const struct envme_log_boot_partition hdr = {
        .lid = req->lid,
        .bpinfo = le32(FIELD_SET(ENVME_LOG_BPINFO_BPSZ, bp->units) |
                       FIELD_SET(ENVME_LOG_BPINFO_ABPID, bp->active)),
    };
    uint8_t *to = buf;

    if (req->lsp & ~BP_LSP_BPID) {
        return envme_cmd_fail(req->cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10) + 1);
    }
    if (off < sizeof(hdr)) {
        size_t n = ENVME_MIN(sizeof(hdr) - off, (uint64_t)len);

        memcpy(to, (const uint8_t *)&hdr + off, n);
        to += n;
        len -= n;
        off += n;
    }
    memcpy(to, bp->data[req->lsp & BP_LSP_BPID] + off - sizeof(hdr), len);
    return ENVME_ST(SUCCESS);
}
