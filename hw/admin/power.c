/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Features 02h (Power Management), 0Ch (Autonomous Power State Transition) and
 * 11h (Non-Operational Power State Config), and the Power State Descriptors:
 * Base 2.1, 5.1.25.1, 5.1.13.2.1 and 8.1.19. hw/ctrl/power.c does it.
 */
#include <string.h>

#include "hw/admin/admin.h"

#include "hw/ctrl/feature.h"
#include "hw/ctrl/power.h"

/* Workload hints that are defined: none, 1 and 2. */
#define POWER_WH_MAX 2

static const struct envme_pstates *power_states(const struct envme_ctrl *ctrl)
{
    return &ctrl->params.pstates;
}

static struct envme_status power_invalid(struct envme_cmd *cmd, unsigned loc)
{
    return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
}

bool envme_admin_has_nops(const struct envme_ctrl *ctrl)
{
    return envme_pstates_any_nops(power_states(ctrl));
}

/* ---- 02h Power Management ---------------------------------------------- */

static void power_arrived(struct envme_cmd *cmd)
{
    envme_feature_set_done(cmd, NULL, envme_cmd_cdw(cmd, 11), NULL);
}

/* It completes when the controller is in that state. */
struct envme_status envme_feat_set_power(struct envme_cmd *cmd,
                                         struct envme_ns *ns, uint32_t *value,
                                         const void *data, uint32_t *dw0)
{
    unsigned ps = FIELD_GET(ENVME_FEAT_PM_PS, *value);

    (void)ns;
    (void)data;
    (void)dw0;
    if (*value & ~(ENVME_FEAT_PM_PS | ENVME_FEAT_PM_WH) ||
        ps >= ENVME_MAX(power_states(cmd->ctrl)->n, 1u) ||
        FIELD_GET(ENVME_FEAT_PM_WH, *value) > POWER_WH_MAX) {
        return power_invalid(cmd, offsetof(struct envme_sqe, cdw11));
    }
    return envme_power_set(cmd, ps, power_arrived) ? ENVME_ST(SUCCESS)
                                                   : ENVME_ST_PENDING;
}

/* The state that it is in, however it came there. */
struct envme_status envme_feat_get_power(struct envme_cmd *cmd,
                                         struct envme_ns *ns, uint32_t *dw0,
                                         void *data)
{
    (void)ns;
    (void)data;
    *dw0 = (*dw0 & ENVME_FEAT_PM_WH) | envme_power_state(cmd->ctrl);
    return ENVME_ST(SUCCESS);
}

void envme_feat_restore_power(struct envme_ctrl *ctrl, struct envme_ns *ns,
                              uint32_t value, const void *data)
{
    (void)data;
    if (!ns) {
        envme_power_restore(ctrl, FIELD_GET(ENVME_FEAT_PM_PS, value));
    }
}

/* ---- 0Ch Autonomous Power State Transition ----------------------------- */

static bool power_apst_entry_ok(const struct envme_pstates *t, uint64_t e)
{
    unsigned to = FIELD_GET(ENVME_APST_ITPS, e);

    return !(e & ~(ENVME_APST_ITPS | ENVME_APST_ITPT)) &&
           (!FIELD_GET(ENVME_APST_ITPT, e) || envme_pstate_nops(t, to));
}

static void power_apst_apply(struct envme_ctrl *ctrl, uint32_t value,
                             const struct envme_feat_apst *apst)
{
    const struct envme_pstates *t = power_states(ctrl);
    uint32_t ms[ENVME_PSTATES] = { 0 };
    uint8_t to[ENVME_PSTATES] = { 0 };

    for (unsigned i = 0; i < t->n; i++) {
        uint64_t e = le64_get(apst->entry[i]);

        /* What was saved was another command line's, maybe. */
        if (power_apst_entry_ok(t, e)) {
            ms[i] = FIELD_GET(ENVME_APST_ITPT, e);
            to[i] = FIELD_GET(ENVME_APST_ITPS, e);
        }
    }
    envme_admin(ctrl)->apst = *apst;
    envme_power_autonomous(ctrl, value & ENVME_FEAT_APST_APSTE, ms, to);
}

struct envme_status envme_feat_set_apst(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0)
{
    const struct envme_pstates *t = power_states(cmd->ctrl);
    const struct envme_feat_apst *apst = data;

    (void)ns;
    (void)dw0;
    if (*value & ~ENVME_FEAT_APST_APSTE) {
        return power_invalid(cmd, offsetof(struct envme_sqe, cdw11));
    }
    /* Entries of states that there are not mean nothing. */
    for (unsigned i = 0; i < t->n; i++) {
        if (!power_apst_entry_ok(t, le64_get(apst->entry[i]))) {
            return power_invalid(cmd, offsetof(struct envme_sqe, dptr));
        }
    }
    power_apst_apply(cmd->ctrl, *value, apst);
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_feat_get_apst(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *dw0,
                                        void *data)
{
    (void)ns;
    (void)dw0;
    memcpy(data, &envme_admin(cmd->ctrl)->apst, sizeof(struct envme_feat_apst));
    return ENVME_ST(SUCCESS);
}

void envme_feat_restore_apst(struct envme_ctrl *ctrl, struct envme_ns *ns,
                             uint32_t value, const void *data)
{
    if (!ns) {
        power_apst_apply(ctrl, value, data);
    }
}

/* ---- 11h Non-Operational Power State Config ---------------------------- */

/* Whether background work may take more power than a non-operational state
 * allows: a host cannot see the difference. */
struct envme_status envme_feat_set_nopsc(struct envme_cmd *cmd,
                                         struct envme_ns *ns, uint32_t *value,
                                         const void *data, uint32_t *dw0)
{
    (void)ns;
    (void)data;
    (void)dw0;
    return *value & ~ENVME_FEAT_NOPSC_NOPPME ?
           power_invalid(cmd, offsetof(struct envme_sqe, cdw11)) :
           ENVME_ST(SUCCESS);
}

/* ---- life -------------------------------------------------------------- */

void envme_admin_power_reset(struct envme_ctrl *ctrl)
{
    envme_power_reset(ctrl);
    memset(&envme_admin(ctrl)->apst, 0, sizeof(struct envme_feat_apst));
}

/* ---- Identify ---------------------------------------------------------- */

/* Milliwatts in the finer scale (100 uW) where it will do, else in 10 mW. */
static uint16_t power_scaled(uint32_t mw, bool *fine)
{
    *fine = mw < 6553;
    return *fine ? mw * 10 : (mw + 9) / 10;
}

static uint8_t power_scale_field(bool fine)
{
    return fine ? ENVME_PSD_SCALE_100UW : ENVME_PSD_SCALE_10MW;
}

static void power_psd(const struct envme_pstates *t, unsigned i,
                      struct envme_psd *psd)
{
    const struct envme_pstate *s = &t->s[i];
    uint8_t rank = envme_pstates_rank(t, i);
    bool fine;

    psd->mp = le16(power_scaled(s->mw, &fine));
    psd->flags = (fine ? ENVME_PSD_MXPS : 0) |
                 (envme_pstate_nops(t, i) ? ENVME_PSD_NOPS : 0);
    psd->enlat = le32(s->enlat);
    psd->exlat = le32(s->exlat);
    psd->rrt = psd->rrl = psd->rwt = psd->rwl = rank;
    if (s->idle_mw) {
        psd->idlp = le16(power_scaled(s->idle_mw, &fine));
        psd->ips = FIELD_SET(ENVME_PSD_IPS, power_scale_field(fine));
    }
    if (s->active_mw) {
        psd->actp = le16(power_scaled(s->active_mw, &fine));
        psd->apws = FIELD_SET(ENVME_PSD_APS, power_scale_field(fine)) |
                    FIELD_SET(ENVME_PSD_APW, 1);
    }
}

void envme_admin_identify_power(const struct envme_ctrl *ctrl,
                                struct envme_id_ctrl *id)
{
    const struct envme_pstates *t = power_states(ctrl);

    id->npss = t->n ? t->n - 1 : 0;
    for (unsigned i = 0; i < t->n; i++) {
        power_psd(t, i, &id->psd[i]);
    }
    if (envme_admin_has_nops(ctrl)) {
        id->apsta = ENVME_APSTA_APSTA;
    }
    /* Upper bounds, in microseconds: from and to a power that is off. */
    id->rtd3r = le32(1000000);
    id->rtd3e = le32(5000000);
}
