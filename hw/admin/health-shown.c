/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/admin/health-shown.h"

#include "hw/admin/admin.h"

static const struct {
    uint16_t offset;
    uint8_t width;              /* bytes; 16: the upper half stays zero */
} shown_rows[ENVME_HEALTH_FIELDS] = {
#define ROW(field, at, width)                                               \
    [ENVME_HEALTH_##field] = { offsetof(struct envme_log_smart, at), width }
    ROW(SPARE, avsp, 1), ROW(THRESHOLD, avspt, 1), ROW(USED, pused, 1),
    ROW(UNITS_READ, dur, 16), ROW(UNITS_WRITTEN, duw, 16),
    ROW(READS, hrc, 16), ROW(WRITES, hwc, 16), ROW(BUSY, cbt, 16),
    ROW(POWER_CYCLES, pwrc, 16), ROW(POWER_ON, poh, 16),
    ROW(UNSAFE, upl, 16), ROW(MEDIA_ERRORS, mdie, 16),
    ROW(ERRORS, neile, 16), ROW(WARM, wctt, 4), ROW(HOT, cctt, 4),
    ROW(TMT1_COUNT, tmt1tc, 4), ROW(TMT2_COUNT, tmt2tc, 4),
    ROW(TMT1_TIME, tttmt1, 4), ROW(TMT2_TIME, tttmt2, 4),
#undef ROW
};

static bool shown_is_gauge(enum envme_health_field field)
{
    return field <= ENVME_HEALTH_USED;
}

static uint64_t shown_get(const struct envme_log_smart *log,
                          enum envme_health_field field)
{
    const uint8_t *p = (const uint8_t *)log + shown_rows[field].offset;
    uint64_t v = 0;

    for (unsigned i = 0; i < ENVME_MIN(shown_rows[field].width, 8); i++) {
        v |= (uint64_t)p[i] << i * 8;
    }
    return v;
}

static void shown_put(struct envme_log_smart *log,
                      enum envme_health_field field, uint64_t v)
{
    uint8_t *p = (uint8_t *)log + shown_rows[field].offset;

    for (unsigned i = 0; i < ENVME_MIN(shown_rows[field].width, 8); i++) {
        p[i] = v >> i * 8;
    }
}

void envme_health_shown_apply(struct envme_ctrl *ctrl,
                              struct envme_log_smart *log)
{
    const struct envme_health_shown *s = &envme_admin(ctrl)->shown;

    for (unsigned i = 0; s->set && i < ENVME_HEALTH_FIELDS; i++) {
        if (s->set >> i & 1) {
            shown_put(log, i, s->value[i] +
                              (shown_is_gauge(i) ? 0 : shown_get(log, i)));
        }
    }
}

uint64_t envme_health_look(struct envme_ctrl *ctrl,
                           enum envme_health_field field)
{
    struct envme_log_smart log;

    envme_health_log(ctrl, &log);
    return shown_get(&log, field);
}

void envme_health_show(struct envme_ctrl *ctrl, enum envme_health_field field,
                       uint64_t value, bool more)
{
    struct envme_health_shown *s = &envme_admin(ctrl)->shown;
    struct envme_log_smart log;

    if (!shown_is_gauge(field)) {
        envme_health_true_log(ctrl, &log);
        value -= more ? 0 : shown_get(&log, field);
        value += more && s->set >> field & 1 ? s->value[field] : 0;
    }
    s->set |= 1u << field;
    s->value[field] = value;
    envme_health_check(ctrl);
}

void envme_health_unshow(struct envme_ctrl *ctrl,
                         enum envme_health_field field)
{
    envme_admin(ctrl)->shown.set &= ~(1u << field);
    envme_health_check(ctrl);
}

void envme_health_shown_gauge(const struct envme_ctrl *ctrl,
                              enum envme_health_field field, uint8_t *value)
{
    const struct envme_health_shown *s = &envme_admin(ctrl)->shown;

    if (s->set >> field & 1) {
        *value = s->value[field];
    }
}

bool envme_health_shown_low(const struct envme_ctrl *ctrl)
{
    uint8_t spare, threshold;

    envme_health_spare(ctrl->critical_warning & ENVME_SMART_CW_ASCBT, &spare,
                       &threshold);
    envme_health_shown_gauge(ctrl, ENVME_HEALTH_SPARE, &spare);
    envme_health_shown_gauge(ctrl, ENVME_HEALTH_THRESHOLD, &threshold);
    return spare < threshold;
}
