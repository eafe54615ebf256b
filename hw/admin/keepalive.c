/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keep Alive: the command (18h) and its timer (feature 0Fh). Base 2.1, 3.9 and
 * 5.1.14. Over PCIe it is optional; `kas` says whether it is there.
 */
#include "hw/admin/admin.h"

#include "hw/ctrl/errlog.h"
#include "hw/ctrl/feature.h"
#include "hw/ctrl/lane.h"

#define NS_PER_MS 1000000ull

bool envme_keepalive_there(const struct envme_ctrl *ctrl)
{
    return ctrl->params.kas;
}

/* Is the host expected to say something? */
static bool keepalive_active(const struct envme_ctrl *ctrl)
{
    return ctrl->life == ENVME_LIFE_READY && ctrl->csts & ENVME_CSTS_RDY &&
           !(ctrl->csts & ENVME_CSTS_CFS) &&
           !FIELD_GET(ENVME_CC_SHN, ctrl->cc) &&
           !FIELD_GET(ENVME_CSTS_SHST, ctrl->csts);
}

/* The host is gone: commands are processed no more, until it resets. */
static void keepalive_due(struct envme_deadline *d)
{
    struct envme_ctrl *ctrl = ((struct envme_keepalive *)d)->ctrl;

    if (keepalive_active(ctrl)) {
        envme_ctrl_fatal(ctrl, "the keep alive timer has expired");
        /* After what that left there: the newest entry says why. */
        envme_errlog_add_async(ctrl, ENVME_ST(KEEP_ALIVE_EXPIRED),
                               UINT16_MAX);
    }
}

static void keepalive_restart(struct envme_ctrl *ctrl, uint32_t kato)
{
    struct envme_keepalive *k = &envme_admin(ctrl)->keepalive;

    if (kato) {
        envme_lane_at(&ctrl->lane[0], &k->due,
                      envme_now(ctrl) + kato * NS_PER_MS);
    } else {
        envme_lane_not_at(&ctrl->lane[0], &k->due);
    }
}

void envme_keepalive_init(struct envme_ctrl *ctrl)
{
    struct envme_keepalive *k = &envme_admin(ctrl)->keepalive;

    k->due.fn = keepalive_due;
    k->ctrl = ctrl;
}

void envme_keepalive_stop(struct envme_ctrl *ctrl)
{
    keepalive_restart(ctrl, 0);
}

struct envme_status envme_admin_keep_alive(struct envme_cmd *cmd)
{
    keepalive_restart(cmd->ctrl,
                      envme_feature_value(cmd->ctrl, ENVME_FID_KATO, NULL));
    return ENVME_ST(SUCCESS);
}

/* KATO, in ms, is rounded up to what the timer can do. */
struct envme_status envme_feat_set_kato(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0)
{
    uint64_t unit = cmd->ctrl->params.kas * 100u;
    uint64_t kato = (*value + unit - 1) / unit * unit;

    (void)ns;
    (void)data;
    (void)dw0;
    if (kato > UINT32_MAX) {
        return envme_cmd_fail(cmd, ENVME_ST(KEEP_ALIVE_INVALID),
                              offsetof(struct envme_sqe, cdw11));
    }
    *value = kato;
    keepalive_restart(cmd->ctrl, kato);
    return ENVME_ST(SUCCESS);
}
