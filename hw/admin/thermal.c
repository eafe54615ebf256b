/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Temperatures: sensors, their thresholds (feature 04h), and what the
 * controller does when it is too warm (feature 10h, Host Controlled Thermal
 * Management): Base 2.1, 5.1.25.1.3, 8.1.18 and 5.1.12.1.3.
 *
 * Sensor 0 is the composite temperature. The others show it, too, until they
 * are set.
 */
#include <string.h>

#include "hw/admin/pel.h"

#include "hw/ctrl/event.h"
#include "hw/ctrl/feature.h"
#include "hw/ctrl/power.h"

#define NS_PER_S 1000000000ull

/* Thousandths of the time that work takes at full speed. */
#define THERMAL_LIGHT 1500
#define THERMAL_HEAVY 4000

/* Feature 04h in the state file: what is saved of each threshold. */
struct thermal_kept {
    struct {
        le16_t k;
        le16_t hyst;
    } th[ENVME_TEMP_SENSORS][2];
};

static struct envme_thermal *thermal_of(const struct envme_ctrl *ctrl)
{
    return &envme_admin(ctrl)->thermal;
}

static bool thermal_is_sensor(const struct envme_ctrl *ctrl, unsigned sensor)
{
    return sensor <= ctrl->params.temp_sensors;
}

uint16_t envme_thermal_sensor(const struct envme_ctrl *ctrl, unsigned sensor)
{
    uint16_t k = sensor ? thermal_of(ctrl)->sensor[sensor] : 0;

    return k ? k : ctrl->temperature;
}

/* ---- thresholds -------------------------------------------------------- */

/* Too warm (THSEL 0) or too cold. With hysteresis, that is over only when the
 * temperature is so much on the right side. */
static bool thermal_is_out(const struct envme_thermal *t, uint16_t k,
                           unsigned sensor, unsigned thsel)
{
    const struct envme_temp_threshold *th = &t->th[sensor][thsel];
    bool was_out = t->out & ENVME_THERMAL_BIT(sensor, thsel);
    int hyst = was_out ? th->hyst : 0;

    if (thsel == ENVME_THSEL_OVER) {
        return k >= th->k || (hyst && k > th->k - hyst);
    }
    return k <= th->k || (hyst && k < th->k + hyst);
}

static void thermal_look(struct envme_ctrl *ctrl)
{
    struct envme_thermal *t = thermal_of(ctrl);
    uint32_t out = 0;
    bool recovered = false;

    for (unsigned i = 0; i <= ctrl->params.temp_sensors; i++) {
        uint16_t k = envme_thermal_sensor(ctrl, i);

        for (unsigned thsel = 0; thsel < 2; thsel++) {
            uint32_t bit = ENVME_THERMAL_BIT(i, thsel);

            if (thermal_is_out(t, k, i, thsel)) {
                out |= bit;
            } else if (t->out & bit && t->th[i][thsel].hyst) {
                recovered = true;
            }
        }
    }
    t->out = out;
    if (recovered) {
        envme_event_post(ctrl, ENVME_AEN_TYPE_IMMEDIATE,
                         ENVME_AEN_IMMEDIATE_TEMP_RECOVERED, ENVME_LID_SMART,
                         ENVME_ADMIN_TTHR_BIT);
    }
}

bool envme_thermal_is_warm(const struct envme_ctrl *ctrl)
{
    const struct envme_thermal *t = thermal_of(ctrl);
    const struct envme_temp_threshold *over = &t->th[0][ENVME_THSEL_OVER];

    return ctrl->temperature >= ENVME_ADMIN_WCTEMP ||
           (over->hyst && over->k >= ENVME_ADMIN_WCTEMP &&
            t->out & ENVME_THERMAL_BIT(0, ENVME_THSEL_OVER));
}

/* ---- Host Controlled Thermal Management -------------------------------- */

/* 0: none, 1: light, 2: heavy throttling. */
static unsigned thermal_level(const struct envme_ctrl *ctrl)
{
    uint32_t v = envme_feature_value(ctrl, ENVME_FID_HCTM, NULL);
    uint16_t tmt1 = FIELD_GET(ENVME_FEAT_HCTM_TMT1, v);
    uint16_t tmt2 = FIELD_GET(ENVME_FEAT_HCTM_TMT2, v);

    if (tmt2 && ctrl->temperature >= tmt2) {
        return 2;
    }
    return tmt1 && ctrl->temperature >= tmt1;
}

static void thermal_throttle(struct envme_ctrl *ctrl)
{
    static const uint32_t scale[] = {
        ENVME_POWER_FULL, THERMAL_LIGHT, THERMAL_HEAVY,
    };
    struct envme_thermal *t = thermal_of(ctrl);
    unsigned level = thermal_level(ctrl);

    if (level == t->level) {
        return;
    }
    if (level && t->count[level - 1] < UINT32_MAX) {
        t->count[level - 1]++;
    }
    envme_pel_throttle(ctrl, t->level, level);
    t->level = level;
    envme_power_throttle(ctrl, scale[level]);
}

void envme_thermal_sample(struct envme_ctrl *ctrl, uint64_t spent)
{
    struct envme_thermal *t = thermal_of(ctrl);

    if (t->level) {
        t->ns[t->level - 1] += spent;
    }
}

void envme_thermal_update(struct envme_ctrl *ctrl)
{
    thermal_look(ctrl);
    thermal_throttle(ctrl);
}

/* ---- the outside ------------------------------------------------------- */

bool envme_thermal_set_sensor(struct envme_ctrl *ctrl, unsigned sensor,
                              uint16_t kelvin)
{
    if (!sensor || !thermal_is_sensor(ctrl, sensor)) {
        return false;
    }
    thermal_of(ctrl)->sensor[sensor] = kelvin;
    envme_health_check(ctrl);
    return true;
}

void envme_thermal_reset(struct envme_ctrl *ctrl)
{
    struct envme_thermal *t = thermal_of(ctrl);

    for (unsigned i = 0; i < ENVME_TEMP_SENSORS; i++) {
        t->th[i][ENVME_THSEL_OVER] = (struct envme_temp_threshold){
            .k = i ? UINT16_MAX : ENVME_ADMIN_WCTEMP,
        };
        t->th[i][ENVME_THSEL_UNDER] = (struct envme_temp_threshold){ 0 };
    }
    t->out = t->told = 0;
}

static uint32_t thermal_seconds(uint64_t ns)
{
    return ENVME_MIN(ns / NS_PER_S, UINT32_MAX);
}

void envme_thermal_smart(const struct envme_ctrl *ctrl,
                         struct envme_log_smart *log)
{
    const struct envme_thermal *t = thermal_of(ctrl);

    for (unsigned i = 1; i <= ctrl->params.temp_sensors; i++) {
        log->tsen[i - 1] = le16(envme_thermal_sensor(ctrl, i));
    }
    log->tmt1tc = le32(t->count[0]);
    log->tmt2tc = le32(t->count[1]);
    log->tttmt1 = le32(thermal_seconds(t->ns[0]));
    log->tttmt2 = le32(thermal_seconds(t->ns[1]));
}

/* ---- feature 04h ------------------------------------------------------- */

struct thermal_sel {
    unsigned first, last, thsel;
};

static bool thermal_select(const struct envme_ctrl *ctrl, uint32_t cdw11,
                           bool set, struct thermal_sel *s)
{
    unsigned sel = FIELD_GET(ENVME_FEAT_TMPTH_TMPSEL, cdw11);

    s->thsel = FIELD_GET(ENVME_FEAT_TMPTH_THSEL, cdw11);
    s->first = s->last = sel;
    if (set && sel == ENVME_TMPSEL_ALL) {
        s->first = 0;
        s->last = ctrl->params.temp_sensors;
    }
    return thermal_is_sensor(ctrl, s->last) && s->thsel <= ENVME_THSEL_UNDER;
}

struct envme_status envme_feat_set_temp(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_thermal *t = thermal_of(ctrl);
    unsigned hyst = FIELD_GET(ENVME_FEAT_TMPTH_TMPTHH, *value);
    struct thermal_sel s;

    (void)ns;
    (void)data;
    (void)dw0;
    if (*value & ~(ENVME_FEAT_TMPTH_TMPTH | ENVME_FEAT_TMPTH_TMPSEL |
                   ENVME_FEAT_TMPTH_THSEL | ENVME_FEAT_TMPTH_TMPTHH) ||
        !thermal_select(ctrl, *value, true, &s) ||
        hyst > ctrl->params.temp_hyst) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw11));
    }
    for (unsigned i = s.first; i <= s.last; i++) {
        t->th[i][s.thsel] = (struct envme_temp_threshold){
            .k = FIELD_GET(ENVME_FEAT_TMPTH_TMPTH, *value), .hyst = hyst,
        };
        /* Another threshold: nothing has gone beyond it yet. */
        t->out &= ~ENVME_THERMAL_BIT(i, s.thsel);
    }
    envme_health_check(ctrl);
    return ENVME_ST(SUCCESS);
}

static void thermal_defaults(struct thermal_kept *kept)
{
    for (unsigned i = 0; i < ENVME_TEMP_SENSORS; i++) {
        kept->th[i][ENVME_THSEL_OVER].k = le16(i ? UINT16_MAX
                                                 : ENVME_ADMIN_WCTEMP);
    }
}

/* Each threshold is saved by itself. */
void envme_feat_keep_temp(struct envme_cmd *cmd, void *buf, bool fresh)
{
    const struct envme_thermal *t = thermal_of(cmd->ctrl);
    struct thermal_kept *kept = buf;
    struct thermal_sel s;

    _Static_assert(sizeof(*kept) == ENVME_TEMP_KEPT, "on disk");
    if (fresh) {
        thermal_defaults(kept);
    }
    thermal_select(cmd->ctrl, envme_cmd_cdw(cmd, 11), true, &s);
    for (unsigned i = s.first; i <= s.last; i++) {
        kept->th[i][s.thsel].k = le16(t->th[i][s.thsel].k);
        kept->th[i][s.thsel].hyst = le16(t->th[i][s.thsel].hyst);
    }
}

void envme_feat_restore_temp(struct envme_ctrl *ctrl, struct envme_ns *ns,
                             uint32_t value, const void *data)
{
    const struct thermal_kept *kept = data;
    struct envme_thermal *t = thermal_of(ctrl);

    (void)value;
    for (unsigned i = 0; !ns && i < ENVME_TEMP_SENSORS; i++) {
        for (unsigned k = 0; k < 2; k++) {
            t->th[i][k].k = le16_get(kept->th[i][k].k);
            t->th[i][k].hyst = ENVME_MIN(le16_get(kept->th[i][k].hyst),
                                         ctrl->params.temp_hyst);
        }
    }
}

/* DW0 is what CDW11 would set that threshold to. */
struct envme_status envme_feat_show_temp(struct envme_cmd *cmd, uint32_t *dw0)
{
    const struct envme_ctrl *ctrl = cmd->ctrl;
    uint32_t cdw11 = envme_cmd_cdw(cmd, 11);
    const void *saved = envme_feature_saved(ctrl, ENVME_FID_TEMP_THRESH);
    struct envme_temp_threshold th;
    struct thermal_kept kept = { 0 };
    struct thermal_sel s;

    if (!thermal_select(ctrl, cdw11, false, &s)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw11));
    }
    if (FIELD_GET(ENVME_FEAT_SEL, envme_cmd_cdw(cmd, 10)) ==
        ENVME_FEAT_SEL_CURRENT) {
        th = thermal_of(ctrl)->th[s.first][s.thsel];
    } else {
        if (saved && FIELD_GET(ENVME_FEAT_SEL, envme_cmd_cdw(cmd, 10)) ==
                     ENVME_FEAT_SEL_SAVED) {
            memcpy(&kept, saved, sizeof(kept));
        } else {
            thermal_defaults(&kept);
        }
        th = (struct envme_temp_threshold){
            .k = le16_get(kept.th[s.first][s.thsel].k),
            .hyst = le16_get(kept.th[s.first][s.thsel].hyst),
        };
    }
    *dw0 = th.k | FIELD_SET(ENVME_FEAT_TMPTH_TMPTHH, th.hyst);
    return ENVME_ST(SUCCESS);
}

/* ---- feature 10h ------------------------------------------------------- */

static bool thermal_tmt_ok(uint16_t tmt)
{
    return !tmt || (tmt >= ENVME_ADMIN_MNTMT && tmt <= ENVME_ADMIN_MXTMT);
}

struct envme_status envme_feat_set_hctm(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0)
{
    uint16_t tmt1 = FIELD_GET(ENVME_FEAT_HCTM_TMT1, *value);
    uint16_t tmt2 = FIELD_GET(ENVME_FEAT_HCTM_TMT2, *value);

    (void)ns;
    (void)data;
    (void)dw0;
    if (!thermal_tmt_ok(tmt1) || !thermal_tmt_ok(tmt2) ||
        (tmt1 && tmt2 && tmt1 >= tmt2)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw11));
    }
    envme_health_sample(cmd->ctrl);
    envme_feature_set_value(cmd->ctrl, ENVME_FID_HCTM, NULL, *value);
    envme_health_check(cmd->ctrl);
    return ENVME_ST(SUCCESS);
}
