/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMART / Health Information (log page 02h) and its events: Base 2.1,
 * 5.1.12.1.3, 5.1.2.1 and feature 04h.
 */
#include <string.h>

#include "hw/admin/admin.h"

#include "hw/ctrl/cmem.h"
#include "hw/ctrl/errlog.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/feature.h"

#define HEALTH_SPARE           100
#define HEALTH_SPARE_THRESHOLD 10

#define NS_PER_MIN  (60ull * 1000 * 1000 * 1000)
#define MS_PER_HOUR (3600ull * 1000)

/* ---- warnings and events --------------------------------------------------- */

/* Feature 04h is kept as the over threshold in 15:0, the under one in 31:16. */
static bool health_too_warm_or_cold(const struct envme_ctrl *ctrl)
{
    uint32_t th = envme_feature_value(ctrl, ENVME_FID_TEMP_THRESH, NULL);

    return ctrl->temperature >= (th & 0xffff) || ctrl->temperature <= th >> 16;
}

uint8_t envme_health_warning(const struct envme_ctrl *ctrl)
{
    uint8_t bits = ctrl->critical_warning;

    if (health_too_warm_or_cold(ctrl)) {
        bits |= ENVME_SMART_CW_TTC;
    }
    if (envme_pmr_is_sick(ctrl)) {
        bits |= ENVME_SMART_CW_PMRRO;
    }
    return bits;
}

static uint8_t health_info(uint8_t bit)
{
    switch (bit) {
    case ENVME_SMART_CW_ASCBT:
        return ENVME_AEN_SMART_SPARE;
    case ENVME_SMART_CW_TTC:
        return ENVME_AEN_SMART_TEMPERATURE;
    default:
        return ENVME_AEN_SMART_RELIABILITY;
    }
}

void envme_health_check(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = ctrl->admin;
    uint8_t bits = envme_health_warning(ctrl);
    uint8_t fresh = bits & ~a->warned;

    if (ctrl->life != ENVME_LIFE_READY) {
        return;
    }
    a->warned = bits;
    for (unsigned i = 0; i < 8; i++) {
        if (fresh >> i & 1) {
            envme_event_post(ctrl, ENVME_AEN_TYPE_SMART,
                             health_info(1u << i), ENVME_LID_SMART, i);
        }
        if (fresh & ~ENVME_SMART_CW_TTC & 1u << i) {
            envme_telemetry_report(ctrl, "critical warning, bit %u", i);
        }
    }
}

/* ---- time ------------------------------------------------------------------- */

/* Adds the time since the last sample to what it was spent in. */
static void health_sample(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = ctrl->admin;
    uint64_t now = envme_now(ctrl);
    uint64_t spent = now - a->sampled_at;

    a->sampled_at = now;
    if (ctrl->temperature >= ENVME_ADMIN_CCTEMP) {
        a->hot_ns += spent;
    } else if (ctrl->temperature >= ENVME_ADMIN_WCTEMP) {
        a->warm_ns += spent;
    }
}

void envme_health_set_temperature(struct envme_ctrl *ctrl, uint16_t kelvin)
{
    health_sample(ctrl);
    ctrl->temperature = kelvin;
    envme_health_check(ctrl);
}

void envme_health_set_warning(struct envme_ctrl *ctrl, uint8_t bits)
{
    ctrl->critical_warning = bits;
    envme_health_check(ctrl);
}

/* ---- the log page ------------------------------------------------------------ */

static void health_put(uint8_t counter[16], uint64_t v)
{
    for (unsigned i = 0; i < 8; i++) {
        counter[i] = v >> (8 * i);
    }
}

/* Thousands of 512 bytes, rounded up. */
static uint64_t health_units(uint64_t bytes)
{
    return (bytes / 512 + 999) / 1000;
}

void envme_health_totals(struct envme_ctrl *ctrl,
                         struct envme_health_totals *t)
{
    const struct envme_admin *a = ctrl->admin;

    health_sample(ctrl);
    *t = a->before;
    t->on_ms += (a->sampled_at - a->made_at) / 1000000;
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        const struct envme_lane_stats *s = &ctrl->lane[i].stats;

        t->reads += atomic_load(&s->reads);
        t->writes += atomic_load(&s->writes);
        t->read_bytes += atomic_load(&s->read_bytes);
        t->written_bytes += atomic_load(&s->written_bytes);
    }
}

size_t envme_health_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_log_smart);
}

struct envme_status envme_health_fill(const struct envme_log_req *req,
                                      void *buf)
{
    struct envme_ctrl *ctrl = req->cmd->ctrl;
    struct envme_admin *a = ctrl->admin;
    struct envme_log_smart *log = buf;
    struct envme_health_totals t;

    envme_health_totals(ctrl, &t);
    log->cw = envme_health_warning(ctrl);
    log->ctemp[0] = ctrl->temperature;
    log->ctemp[1] = ctrl->temperature >> 8;
    log->avsp = HEALTH_SPARE;
    log->avspt = HEALTH_SPARE_THRESHOLD;
    if (log->cw & ENVME_SMART_CW_ASCBT) {
        /* The warning says that it is below. */
        log->avsp = HEALTH_SPARE_THRESHOLD - 1;
    }
    health_put(log->dur, health_units(t.read_bytes));
    health_put(log->duw, health_units(t.written_bytes));
    health_put(log->hrc, t.reads);
    health_put(log->hwc, t.writes);
    health_put(log->pwrc, ctrl->power_cycles);
    health_put(log->poh, t.on_ms / MS_PER_HOUR);
    health_put(log->upl, ctrl->unsafe_shutdowns);
    health_put(log->mdie, atomic_load(&ctrl->media_errors));
    health_put(log->neile, envme_errlog_count(ctrl));
    log->wctt = le32(a->warm_ns / NS_PER_MIN);
    log->cctt = le32(a->hot_ns / NS_PER_MIN);
    return ENVME_ST(SUCCESS);
}
