/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions on what a controller says of its health: Base 2.1, 5.1.12.1.3. All
 * of it is shown and ends with the effect; what was counted is as it was.
 */
#include <string.h>

#include "hw/admin/admin.h"
#include "hw/fault/effect.h"
#include "hw/ns/capacity.h"

/* Behind the fields of health-shown.h: what is set where it has its place. */
enum {
    HEALTH_WARNING = ENVME_HEALTH_FIELDS,
    HEALTH_TEMPERATURE,         /* and the sensors 1 to 8 behind it */
    HEALTH_ALL = HEALTH_TEMPERATURE + ENVME_TEMP_SENSORS,
};

/* ---- the effect -------------------------------------------------------- */

struct health_effect {
    struct fault_effect e;
    uint64_t mine;              /* a bit for each of the above */
    uint64_t was[HEALTH_ALL - HEALTH_WARNING], set[HEALTH_ALL - HEALTH_WARNING];
    bool worn_out;              /* namespaces are read-only, too */
    /* ramp, age: from `from` at `begin` to `to` at begin + over. */
    uint64_t field, from, to, begin, over;
    bool is_age;
};

static void health_end(struct fault_effect *e, struct envme_faults *f);

/* The one that has set it last, for as long as it lasts. */
static struct health_effect *health_owner(struct envme_faults *f,
                                          unsigned field)
{
    for (GList *l = f->effects.tail; l; l = l->prev) {
        struct health_effect *h = l->data;

        if (h->e.end == health_end && h->mine >> field & 1) {
            return h;
        }
    }
    return NULL;
}

/* The truth that the first of several has found belongs to the last. */
static void health_own(struct envme_faults *f, struct health_effect *h,
                       unsigned field, uint64_t now)
{
    struct health_effect *old = health_owner(f, field);
    unsigned i = field - HEALTH_WARNING;

    if (old && old != h) {
        old->mine &= ~(UINT64_C(1) << field);
        now = field >= HEALTH_WARNING ? old->was[i] : now;
    }
    if (field >= HEALTH_WARNING && old != h &&
        !(h->mine >> field & 1)) {
        h->was[i] = now;
    }
    h->mine |= UINT64_C(1) << field;
    if (old && old != h && !old->mine && !old->worn_out) {
        fault_effect_end(f, &old->e);   /* there is nothing left of it */
    }
}

static uint64_t health_now(const struct envme_ctrl *ctrl, unsigned field)
{
    if (field == HEALTH_WARNING) {
        return ctrl->critical_warning;
    }
    return field == HEALTH_TEMPERATURE ? ctrl->temperature :
           envme_admin(ctrl)->thermal.sensor[field - HEALTH_TEMPERATURE];
}

static void health_put(struct envme_ctrl *ctrl, unsigned field, uint64_t v)
{
    if (field == HEALTH_WARNING) {
        envme_health_set_warning(ctrl, v);
    } else if (field == HEALTH_TEMPERATURE) {
        envme_health_set_temperature(ctrl, v);
    } else {
        envme_thermal_set_sensor(ctrl, field - HEALTH_TEMPERATURE, v);
    }
}

static void health_set(struct envme_faults *f, struct health_effect *h,
                       unsigned field, uint64_t v, bool more)
{
    if (field < ENVME_HEALTH_FIELDS) {
        health_own(f, h, field, 0);
        envme_health_show(f->ctrl, field, v, more);
        return;
    }
    health_own(f, h, field, health_now(f->ctrl, field));
    h->set[field - HEALTH_WARNING] = v;
    health_put(f->ctrl, field, v);
}

static void health_worn_out(struct envme_faults *f, bool on)
{
    struct envme_subsys *s = f->ctrl->subsys;

    for (uint32_t i = 1; i <= s->nn; i++) {
        struct envme_ns *ns = s->ns[i];

        if (!ns || ns->leaving ||
            (!on && atomic_load(&ns->ro_sf) != ENVME_SC_READ_ONLY_RANGE)) {
            continue;
        }
        envme_ns_fake_read_only(ns, on, ENVME_SC_READ_ONLY_RANGE);
        envme_subsys_ns_changed(s, ns);
    }
}

static void health_end(struct fault_effect *e, struct envme_faults *f)
{
    struct health_effect *h = (struct health_effect *)e;

    if (h->worn_out) {
        health_worn_out(f, false);
    }
    for (unsigned i = 0; i < HEALTH_ALL && !f->dying; i++) {
        unsigned k = i - HEALTH_WARNING;

        if (!(h->mine >> i & 1)) {
            continue;
        }
        if (i < ENVME_HEALTH_FIELDS) {
            envme_health_unshow(f->ctrl, i);
        } else if (health_now(f->ctrl, i) == h->set[k]) {
            /* Nobody else has set it meanwhile. */
            health_put(f->ctrl, i, h->was[k]);
        }
    }
    g_free(h);
}

static struct health_effect *health_begin(struct envme_faults *f,
                                          const struct fault_lasting *last)
{
    struct health_effect *h = g_new0(struct health_effect, 1);

    h->e.end = health_end;
    fault_effect_add(f, &h->e, last);
    return h;
}

/* ---- health ------------------------------------------------------------ */

struct act_health {
    struct fault_lasting last;
    uint64_t v[HEALTH_ALL], media_errors;
    bool has[HEALTH_ALL], has_media_errors;
};

static void health_init(void *args)
{
    *(struct act_health *)args = (struct act_health){
        .last = FAULT_LASTING_INIT,
    };
}

#define H_AT(field) offsetof(struct act_health, v[field]),                  \
    offsetof(struct act_health, has[field])
#define FIELD(text, field, most, words)                                     \
    { text, ENVME_SCHEMA_UINT, H_AT(field), .max = most, .help = words }
#define COUNTER(text, field, words)                                         \
    FIELD(text, ENVME_HEALTH_##field, INT64_MAX, words)
#define COUNTER32(text, field, words)                                       \
    FIELD(text, ENVME_HEALTH_##field, UINT32_MAX, words)
#define SENSOR(n)                                                           \
    FIELD("sensor-" #n, HEALTH_TEMPERATURE + n, 0xffff, "K; of those that "  \
          "the controller has (temperature-sensors)")

static const struct envme_schema_row health_rows[] = {
    FIELD("temperature", HEALTH_TEMPERATURE, 0xffff, "composite, in K"),
    SENSOR(1), SENSOR(2), SENSOR(3), SENSOR(4), SENSOR(5), SENSOR(6),
    SENSOR(7), SENSOR(8),
    FIELD("critical-warning", HEALTH_WARNING, 0x3d, "bits of SMART's "
          "Critical Warning, but for the temperature's: 0 spare, 2 "
          "reliability, 3 read-only media, 4 volatile memory backup, 5 PMR"),
    FIELD("available-spare", ENVME_HEALTH_SPARE, 100, "percent; below the "
          "threshold it is a warning and an event"),
    FIELD("spare-threshold", ENVME_HEALTH_THRESHOLD, 100, "percent"),
    FIELD("percentage-used", ENVME_HEALTH_USED, 255, "255: that and above"),
    { "media-errors", ENVME_SCHEMA_UINT,
      offsetof(struct act_health, media_errors),
      offsetof(struct act_health, has_media_errors), .max = INT64_MAX,
      .help = "so many more" },
    COUNTER("media-errors-total", MEDIA_ERRORS, "so many; it goes on from "
            "there, as all counters do"),
    COUNTER("error-entries", ERRORS, "entries of the error log, ever"),
    COUNTER("data-units-read", UNITS_READ, "thousands of 512 bytes"),
    COUNTER("data-units-written", UNITS_WRITTEN, "thousands of 512 bytes"),
    COUNTER("reads", READS, "host read commands"),
    COUNTER("writes", WRITES, "host write commands"),
    COUNTER("busy-time", BUSY, "minutes"),
    COUNTER("power-cycles", POWER_CYCLES, "so many"),
    COUNTER("power-on-hours", POWER_ON, "so many"),
    COUNTER("unsafe-shutdowns", UNSAFE, "so many"),
    COUNTER32("warning-time", WARM, "minutes above the warning temperature"),
    COUNTER32("critical-time", HOT, "minutes above the critical one"),
    COUNTER32("thermal-1-count", TMT1_COUNT, "light throttling: how often"),
    COUNTER32("thermal-2-count", TMT2_COUNT, "heavy throttling: how often"),
    COUNTER32("thermal-1-time", TMT1_TIME, "light throttling: seconds"),
    COUNTER32("thermal-2-time", TMT2_TIME, "heavy throttling: seconds"),
    FAULT_LASTING_ROWS(struct act_health),
};

static bool health_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                         void *args)
{
    const struct act_health *a = args;

    if (a->has[HEALTH_WARNING] &&
        a->v[HEALTH_WARNING] & ENVME_SMART_CW_TTC) {
        return envme_schema_fail(ctx, "critical-warning: bit 1 is the "
                                 "temperature's; set that");
    }
    for (unsigned i = 1; i < ENVME_TEMP_SENSORS; i++) {
        if (a->has[HEALTH_TEMPERATURE + i] &&
            i > f->ctrl->params.temp_sensors) {
            return envme_schema_fail(ctx, "sensor-%u: the controller has %u "
                                     "sensors", i,
                                     f->ctrl->params.temp_sensors);
        }
    }
    return true;
}

static void health_lane0(const void *args, struct envme_faults *f)
{
    const struct act_health *a = args;
    struct health_effect *h = health_begin(f, &a->last);

    for (unsigned i = 0; i < HEALTH_ALL; i++) {
        if (a->has[i]) {
            health_set(f, h, i, a->v[i], false);
        }
    }
    if (a->has_media_errors) {
        health_set(f, h, ENVME_HEALTH_MEDIA_ERRORS, a->media_errors, true);
    }
}

/* ---- ramp -------------------------------------------------------------- */

struct act_ramp {
    struct fault_lasting last;
    uint64_t sensor, to, over, percent, years;
    bool has_to, has_percent, has_years;
};

#define R_AT(f) offsetof(struct act_ramp, f)

static void ramp_init(void *args)
{
    *(struct act_ramp *)args = (struct act_ramp){
        .last = FAULT_LASTING_INIT,
    };
}

/* Units that it has gone, by this time. */
static uint64_t ramp_value(const struct health_effect *h, uint64_t now)
{
    uint64_t spent = now - h->begin;
    bool up = h->to > h->from;
    uint64_t all = up ? h->to - h->from : h->from - h->to;
    uint64_t n = spent >= h->over ? all
                 : (uint64_t)((long double)all * spent / h->over);

    return up ? h->from + n : h->from - n;
}

/* When the next unit has been gone. */
static uint64_t ramp_next(const struct health_effect *h, uint64_t v)
{
    uint64_t all = h->to > h->from ? h->to - h->from : h->from - h->to;
    uint64_t gone = v > h->from ? v - h->from : h->from - v;

    return v == h->to ? UINT64_MAX
           : h->begin + (uint64_t)((long double)h->over * (gone + 1) / all)
             + 1;
}

static void age_set(struct envme_faults *f, struct health_effect *h,
                    uint64_t percent);

static bool ramp_step(struct fault_effect *e, struct envme_faults *f)
{
    struct health_effect *h = (struct health_effect *)e;
    uint64_t v = ramp_value(h, envme_now(f->ctrl));

    h->e.next = ramp_next(h, v);
    if (!(h->mine >> h->field & 1)) {
        h->e.next = UINT64_MAX;         /* another has taken it over */
    } else if (h->is_age) {
        age_set(f, h, v);
    } else {
        health_set(f, h, h->field, v, false);
    }
    return true;
}

static void ramp_begin(struct envme_faults *f, const struct act_ramp *a,
                       unsigned field, uint64_t from, uint64_t to)
{
    struct health_effect *h = g_new0(struct health_effect, 1);

    h->e.end = health_end;
    h->e.step = ramp_step;
    h->field = field;
    h->from = from;
    h->to = to;
    h->over = a->over;
    h->begin = envme_now(f->ctrl);
    h->is_age = field == ENVME_HEALTH_USED;
    h->e.next = ramp_next(h, ramp_value(h, h->begin));
    fault_effect_add(f, &h->e, &a->last);
    health_own(f, h, field, field < HEALTH_WARNING
                            ? 0 : health_now(f->ctrl, field));
    ramp_step(&h->e, f);
    fault_effects_again(f);
}

static const struct envme_schema_row ramp_rows[] = {
    { "sensor", ENVME_SCHEMA_UINT, R_AT(sensor), .max = ENVME_TEMP_SENSORS - 1,
      .help = "0, which it is if not given: the composite temperature; or "
      "that sensor" },
    { "to", ENVME_SCHEMA_UINT, R_AT(to), R_AT(has_to), .min = 1,
      .max = 0xffff, .help = "K" },
    { "over", ENVME_SCHEMA_TIME, R_AT(over), .max = UINT64_C(1) << 62,
      .help = "the time that it takes, in steps of 1 K" },
    FAULT_LASTING_ROWS(struct act_ramp),
};

static bool ramp_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                       void *args)
{
    const struct act_ramp *a = args;

    if (!a->has_to) {
        return envme_schema_fail(ctx, "\"to\" is missing");
    }
    return a->sensor <= f->ctrl->params.temp_sensors ||
           envme_schema_fail(ctx, "sensor: the controller has %u",
                             f->ctrl->params.temp_sensors);
}

static void ramp_lane0(const void *args, struct envme_faults *f)
{
    const struct act_ramp *a = args;

    ramp_begin(f, a, HEALTH_TEMPERATURE + a->sensor,
               envme_thermal_sensor(f->ctrl, a->sensor), a->to);
}

/* ---- age --------------------------------------------------------------- */

/*
 * A life is five years at a drive write a day: 100 % is 43,800 hours, 1,825
 * times the capacity and 1,825 power cycles. The spare goes from 100 % to its
 * threshold meanwhile, and on below it.
 */
#define AGE_HOURS 438           /* per percent */
#define AGE_MOST  255

static uint64_t age_units(const struct envme_faults *f, uint64_t percent)
{
    uint64_t bytes = envme_capacity_total(f->ctrl->subsys);
    long double units = (long double)bytes / 512000 * 18.25L * percent;

    return units < INT64_MAX ? units : INT64_MAX;
}

static void age_set(struct envme_faults *f, struct health_effect *h,
                    uint64_t percent)
{
    uint64_t worn = percent * 9 / 10;

    health_set(f, h, ENVME_HEALTH_USED, percent, false);
    health_set(f, h, ENVME_HEALTH_POWER_ON, percent * AGE_HOURS, false);
    health_set(f, h, ENVME_HEALTH_POWER_CYCLES, 1 + percent * 73 / 4, false);
    health_set(f, h, ENVME_HEALTH_UNITS_WRITTEN, age_units(f, percent), false);
    health_set(f, h, ENVME_HEALTH_SPARE, worn < 100 ? 100 - worn : 0, false);
}

static const struct envme_schema_row age_rows[] = {
    { "percent", ENVME_SCHEMA_UINT, R_AT(percent), R_AT(has_percent),
      .max = AGE_MOST, .help = "percentage used" },
    { "years", ENVME_SCHEMA_UINT, R_AT(years), R_AT(has_years),
      .max = AGE_MOST / 20, .help = "instead: 20 % each" },
    { "over", ENVME_SCHEMA_TIME, R_AT(over), .max = UINT64_C(1) << 62,
      .help = "the time that it takes, from the age that it has now, in steps "
      "of 1 %; at once, if not given" },
    FAULT_LASTING_ROWS(struct act_ramp),
};

static bool age_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                      void *args)
{
    const struct act_ramp *a = args;

    (void)f;
    return a->has_percent != a->has_years ||
           envme_schema_fail(ctx, "\"percent\" or \"years\" is wanted");
}

static void age_lane0(const void *args, struct envme_faults *f)
{
    const struct act_ramp *a = args;

    ramp_begin(f, a, ENVME_HEALTH_USED,
               envme_health_look(f->ctrl, ENVME_HEALTH_USED),
               a->has_percent ? a->percent : a->years * 20);
}

/* ---- end-of-life ------------------------------------------------------- */

static const struct envme_schema_row eol_rows[] = {
    FAULT_LASTING_ROWS(struct act_ramp),
};

static void eol_lane0(const void *args, struct envme_faults *f)
{
    const struct act_ramp *a = args;
    struct health_effect *h = health_begin(f, &a->last);
    uint64_t used = envme_health_look(f->ctrl, ENVME_HEALTH_USED);

    h->worn_out = true;
    health_worn_out(f, true);
    health_set(f, h, ENVME_HEALTH_USED, ENVME_MAX(used, 100), false);
    health_set(f, h, ENVME_HEALTH_SPARE, 0, false);
    health_set(f, h, HEALTH_WARNING,
               f->ctrl->critical_warning | ENVME_SMART_CW_AMRO, false);
}

/* ---- the table --------------------------------------------------------- */

const struct fault_action_row fault_actions_health[] = {
    {
        .name = "health", .on = FAULT_ON_ALL,
        .help = "What SMART says, with the events that come of it. It is only "
                "shown: what the controller counts goes on, and is what is "
                "kept over a power cycle.",
        .schema = { "health", "", ENVME_SCHEMA_ROWS(health_rows) },
        .size = sizeof(struct act_health), .init = health_init,
        .check = health_check, .lane0 = health_lane0,
    },
    {
        .name = "ramp", .on = FAULT_ON_ALL,
        .help = "A temperature goes up or down little by little.",
        .schema = { "ramp", "", ENVME_SCHEMA_ROWS(ramp_rows) },
        .size = sizeof(struct act_ramp), .init = ramp_init,
        .check = ramp_check, .lane0 = ramp_lane0,
    },
    {
        .name = "age", .on = FAULT_ON_ALL, .scalar = "percent",
        .help = "SMART says that the drive is so old: percentage used, hours, "
                "power cycles, units written (a life is five years with a "
                "drive write a day), and spare, which is below its threshold "
                "behind 100 %. With \"over\", ageing goes on.",
        .schema = { "age", "", ENVME_SCHEMA_ROWS(age_rows) },
        .size = sizeof(struct act_ramp), .init = ramp_init,
        .check = age_check, .lane0 = age_lane0,
    },
    {
        .name = "end-of-life", .on = FAULT_ON_ALL,
        .help = "The drive is worn out: no spare is left, 100 % are used, "
                "SMART warns of both and of read-only media, and writes to all "
                "namespaces of the subsystem end with Attempted Write to Read "
                "Only Range.",
        .plain = true,
        .schema = { "end-of-life", "", ENVME_SCHEMA_ROWS(eol_rows) },
        .size = sizeof(struct act_ramp), .init = ramp_init,
        .lane0 = eol_lane0,
    },
    { 0 },
};
