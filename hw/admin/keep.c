/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of SMART and the error log, over power cycles. They are put
 * every few seconds, when something other than time has changed, and at the
 * end; what says whether the end was a clean one, at once. Base 2.1,
 * 5.1.12.1.3.
 */
#include <string.h>

#include "hw/admin/admin.h"

#include "hw/ctrl/errlog.h"
#include "hw/ctrl/keep.h"
#include "hw/ctrl/lane.h"

#define KEEP_EVERY_NS (10ull * 1000 * 1000 * 1000)
/* When there is nothing to put but time. */
#define KEEP_TIME_NS  (300ull * 1000 * 1000 * 1000)

#define KEEP_VERSION 1

/* Record "ctrl/CNTLID/smart". May grow: a shorter one reads as zeroes. */
struct keep_smart {
    le32_t version, flags;
    le64_t reads, writes, read_bytes, written_bytes;
    le64_t power_cycles, unsafe_shutdowns, media_errors;
    le64_t on_ms, warm_ns, hot_ns;
    le32_t tmt_count[2];
    le64_t tmt_ns[2];
    le64_t busy_us;
};
_Static_assert(sizeof(struct keep_smart) == 120, "on disk");

#define KEEP_CLEAN 1u           /* flags: shut down since it was enabled */

static struct keep_smart keep_make(struct envme_ctrl *ctrl)
{
    const struct envme_admin *a = ctrl->admin;
    struct envme_health_totals t;

    envme_health_totals(ctrl, &t);
    return (struct keep_smart){
        .version = le32(KEEP_VERSION),
        .flags = le32(a->keep.clean ? KEEP_CLEAN : 0),
        .reads = le64(t.reads), .writes = le64(t.writes),
        .read_bytes = le64(t.read_bytes),
        .written_bytes = le64(t.written_bytes),
        .power_cycles = le64(ctrl->power_cycles),
        .unsafe_shutdowns = le64(ctrl->unsafe_shutdowns),
        .media_errors = le64(atomic_load(&ctrl->media_errors)),
        .on_ms = le64(t.on_ms), .warm_ns = le64(a->warm_ns),
        .hot_ns = le64(a->hot_ns),
        .tmt_count = { le32(a->thermal.count[0]), le32(a->thermal.count[1]) },
        .tmt_ns = { le64(a->thermal.ns[0]), le64(a->thermal.ns[1]) },
        .busy_us = le64(t.busy_us),
    };
}

static bool keep_only_time(const struct keep_smart *a,
                           const struct keep_smart *b)
{
    struct keep_smart c = *a;

    c.on_ms = b->on_ms;
    c.warm_ns = b->warm_ns;
    c.hot_ns = b->hot_ns;
    memcpy(c.tmt_ns, b->tmt_ns, sizeof(c.tmt_ns));
    c.busy_us = b->busy_us;
    return !memcmp(&c, b, sizeof(c));
}

static void keep_put(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = ctrl->admin;
    struct keep_smart smart = keep_make(ctrl);
    char name[ENVME_KEEP_NAME];

    envme_keep_name(name, ctrl, "smart");
    envme_state_put(ctrl->subsys->state, name, &smart, sizeof(smart));
    envme_errlog_keep(ctrl);
    a->keep.put_at = envme_now(ctrl);
    a->keep.counted = true;
}

void envme_admin_keep_sample(struct envme_ctrl *ctrl, bool is_last)
{
    struct envme_admin *a = ctrl->admin;
    struct keep_smart smart, old;
    char name[ENVME_KEEP_NAME];

    /* A controller that never came to anything has not had a power cycle. */
    if (!ctrl->subsys->state || (is_last && !a->keep.counted)) {
        return;
    }
    envme_keep_name(name, ctrl, "smart");
    envme_state_read(ctrl->subsys->state, name, &old, sizeof(old));
    smart = keep_make(ctrl);
    if (is_last || !keep_only_time(&smart, &old) ||
        envme_now(ctrl) - a->keep.put_at >= KEEP_TIME_NS) {
        keep_put(ctrl);
    }
    envme_errlog_keep(ctrl);
    envme_state_commit_async(ctrl->subsys->state);
}

static void keep_due(struct envme_deadline *d)
{
    struct envme_admin_keep *k = (struct envme_admin_keep *)d;

    envme_admin_keep_sample(k->ctrl, false);
    envme_lane_at(&k->ctrl->lane[0], d, envme_now(k->ctrl) + KEEP_EVERY_NS);
}

/* ---- from the start to the end ----------------------------------------- */

static void keep_load(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = ctrl->admin;
    struct keep_smart smart;
    char name[ENVME_KEEP_NAME];

    envme_keep_name(name, ctrl, "smart");
    envme_state_read(ctrl->subsys->state, name, &smart, sizeof(smart));
    if (le32_get(smart.version) != KEEP_VERSION) {
        return;                 /* none */
    }
    a->before = (struct envme_health_totals){
        .reads = le64_get(smart.reads), .writes = le64_get(smart.writes),
        .read_bytes = le64_get(smart.read_bytes),
        .written_bytes = le64_get(smart.written_bytes),
        .on_ms = le64_get(smart.on_ms), .busy_us = le64_get(smart.busy_us),
    };
    a->warm_ns = le64_get(smart.warm_ns);
    a->hot_ns = le64_get(smart.hot_ns);
    for (unsigned i = 0; i < 2; i++) {
        a->thermal.count[i] = le32_get(smart.tmt_count[i]);
        a->thermal.ns[i] = le64_get(smart.tmt_ns[i]);
    }
    atomic_store(&ctrl->media_errors, le64_get(smart.media_errors));
    ctrl->power_cycles = le64_get(smart.power_cycles) + 1;
    a->keep.unsafe = !(le32_get(smart.flags) & KEEP_CLEAN);
    ctrl->unsafe_shutdowns = le64_get(smart.unsafe_shutdowns) +
                             a->keep.unsafe;
}

void envme_admin_keep_init(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = ctrl->admin;

    a->keep = (struct envme_admin_keep){
        .due = { .fn = keep_due }, .ctrl = ctrl, .clean = true,
    };
    if (ctrl->subsys->state) {
        keep_load(ctrl);
        envme_lane_at(&ctrl->lane[0], &a->keep.due,
                      envme_now(ctrl) + KEEP_EVERY_NS);
    }
}

void envme_admin_keep_start(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = ctrl->admin;

    if (a->keep.clean) {
        a->keep.clean = false;
        keep_put(ctrl);
        envme_state_commit_async(ctrl->subsys->state);
    }
}

void envme_admin_keep_shutdown(struct envme_ctrl *ctrl)
{
    envme_admin(ctrl)->keep.clean = true;
    keep_put(ctrl);
}

void envme_admin_keep_power(struct envme_ctrl *ctrl, bool was_shut_down)
{
    struct envme_admin *a = ctrl->admin;

    ctrl->power_cycles++;
    ctrl->unsafe_shutdowns += !a->keep.clean && !was_shut_down;
    a->keep.clean = true;       /* until it is enabled again */
    keep_put(ctrl);
    envme_state_commit_async(ctrl->subsys->state);
}

void envme_admin_keep_leave(struct envme_ctrl *ctrl)
{
    envme_admin_keep_sample(ctrl, true);
    envme_lane_not_at(&ctrl->lane[0], &envme_admin(ctrl)->keep.due);
}
