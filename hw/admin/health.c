/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMART / Health Information (log page 02h) and its events: Base 2.1,
 * 5.1.12.1.3, 5.1.2.1 and feature 04h.
 */
#include <string.h>

#include "hw/admin/endgrp.h"
#include "hw/admin/pel.h"

#include "hw/ctrl/cmem.h"
#include "hw/ctrl/errlog.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/lane.h"

#define HEALTH_SPARE           100
#define HEALTH_SPARE_THRESHOLD 10

#define NS_PER_MIN  (60ull * 1000 * 1000 * 1000)
#define US_PER_MIN  (60ull * 1000 * 1000)
#define MS_PER_HOUR (3600ull * 1000)

/* ---- warnings and events ----------------------------------------------- */

uint8_t envme_health_media_warning(const struct envme_ctrl *ctrl)
{
    return ctrl->critical_warning |
           (envme_health_shown_low(ctrl) ? ENVME_SMART_CW_ASCBT : 0);
}

uint8_t envme_health_warning(const struct envme_ctrl *ctrl)
{
    uint8_t bits = envme_health_media_warning(ctrl);

    if (envme_admin(ctrl)->thermal.out) {
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
    uint8_t bits, fresh;

    envme_thermal_update(ctrl);
    bits = envme_health_warning(ctrl);
    envme_pel_health(ctrl, bits);
    if (envme_endgrp(ctrl)) {
        envme_endgrp_check(ctrl);
    }
    if (ctrl->life != ENVME_LIFE_READY) {
        return;
    }
    fresh = bits & ~a->warned;
    if (a->thermal.out & ~a->thermal.told) {
        fresh |= ENVME_SMART_CW_TTC;    /* one more temperature */
    }
    a->thermal.told = a->thermal.out;
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

/* ---- time -------------------------------------------------------------- */

/* Adds the time since the last sample to what it was spent in. */
void envme_health_sample(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = ctrl->admin;
    uint64_t now = envme_now(ctrl);
    uint64_t spent = now - a->sampled_at;

    a->sampled_at = now;
    if (ctrl->temperature >= ENVME_ADMIN_CCTEMP) {
        a->hot_ns += spent;
    } else if (envme_thermal_is_warm(ctrl)) {
        a->warm_ns += spent;
    }
    envme_thermal_sample(ctrl, spent);
}

void envme_health_set_temperature(struct envme_ctrl *ctrl, uint16_t kelvin)
{
    envme_health_sample(ctrl);
    ctrl->temperature = kelvin;
    envme_health_check(ctrl);
}

void envme_health_set_warning(struct envme_ctrl *ctrl, uint8_t bits)
{
    ctrl->critical_warning = bits;
    envme_health_check(ctrl);
}

/* ---- the log page ------------------------------------------------------ */

void envme_health_put(uint8_t counter[16], uint64_t v)
{
    for (unsigned i = 0; i < 8; i++) {
        counter[i] = v >> (8 * i);
    }
}

/* There is no wear; a warning says that it is below. */
void envme_health_spare(bool is_low, uint8_t *spare, uint8_t *threshold)
{
    *spare = is_low ? HEALTH_SPARE_THRESHOLD - 1 : HEALTH_SPARE;
    *threshold = HEALTH_SPARE_THRESHOLD;
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

    envme_health_sample(ctrl);
    *t = a->before;
    t->on_ms += (a->sampled_at - a->made_at) / 1000000;
    t->busy_us += envme_lanes_busy_us(ctrl);
    t->media_errors = atomic_load(&ctrl->media_errors);
    t->errors = envme_errlog_count(ctrl);
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

void envme_health_log(struct envme_ctrl *ctrl, struct envme_log_smart *log)
{
    envme_health_true_log(ctrl, log);
    envme_health_shown_apply(ctrl, log);
}

void envme_health_true_log(struct envme_ctrl *ctrl,
                           struct envme_log_smart *log)
{
    struct envme_admin *a = ctrl->admin;
    struct envme_health_totals t;

    memset(log, 0, sizeof(*log));
    envme_health_totals(ctrl, &t);
    log->cw = envme_health_warning(ctrl);
    log->ctemp[0] = ctrl->temperature;
    log->ctemp[1] = ctrl->temperature >> 8;
    envme_health_spare(log->cw & ENVME_SMART_CW_ASCBT, &log->avsp,
                       &log->avspt);
    log->egcws = envme_endgrp_warning(ctrl);
    envme_health_put(log->dur, health_units(t.read_bytes));
    envme_health_put(log->duw, health_units(t.written_bytes));
    envme_health_put(log->hrc, t.reads);
    envme_health_put(log->hwc, t.writes);
    envme_health_put(log->cbt, t.busy_us / US_PER_MIN);
    envme_health_put(log->pwrc, ctrl->power_cycles);
    envme_health_put(log->poh, t.on_ms / MS_PER_HOUR);
    envme_health_put(log->upl, ctrl->unsafe_shutdowns);
    envme_health_put(log->mdie, t.media_errors);
    envme_health_put(log->neile, t.errors);
    log->wctt = le32(a->warm_ns / NS_PER_MIN);
    log->cctt = le32(a->hot_ns / NS_PER_MIN);
    envme_thermal_smart(ctrl, log);
}

/* There is nothing in it that a namespace has of its own. */
struct envme_status envme_health_fill(const struct envme_log_req *req,
                                      void *buf)
{
    envme_health_log(req->cmd->ctrl, buf);
    return ENVME_ST(SUCCESS);
}
