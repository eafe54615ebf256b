/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actions on the controller as a whole. Lane 0. */
#include "hw/admin/admin.h"
#include "hw/ctrl/event.h"
#include "hw/fault/rules.h"

#define ROWS(r) r, ENVME_ARRAY_SIZE(r)
#define ON_ALL ((1u << FAULT_NON) - 1)

/* ---- override ---------------------------------------------------------- */

struct act_override {
    uint64_t reg, set, clear, time;
    uint64_t until_reset;
    bool has_reg;
};

static void override_init(void *args)
{
    struct act_override *a = args;

    a->time = UINT64_MAX;
}

static const struct envme_schema_name override_until[] = {
    { "reset", 1 }, { NULL, 0 },
};

static const struct envme_schema_row override_rows[] = {
    { "register", ENVME_SCHEMA_UINT, offsetof(struct act_override, reg),
      offsetof(struct act_override, has_reg), .max = 0xfff,
      .lookup = fault_name_register,
      .help = "by name (csts, cap ...) or offset" },
    { "set", ENVME_SCHEMA_UINT, offsetof(struct act_override, set),
      .help = "bits that read as 1" },
    { "clear", ENVME_SCHEMA_UINT, offsetof(struct act_override, clear),
      .help = "bits that read as 0" },
    { "for", ENVME_SCHEMA_TIME, offsetof(struct act_override, time),
      .help = "so long; for ever, if not given" },
    { "until", ENVME_SCHEMA_UINT, offsetof(struct act_override, until_reset),
      .max = 1, .names = override_until, .help = "\"reset\": until then" },
};

static bool override_check(struct envme_schema_ctx *ctx,
                           struct envme_faults *f, void *args)
{
    const struct act_override *a = args;

    (void)f;
    return a->has_reg || envme_schema_fail(ctx, "\"register\" is missing");
}

static void override_lane0(const void *args, struct envme_faults *f)
{
    const struct act_override *a = args;
    uint64_t now = envme_now(f->ctrl);
    struct fault_override o = {
        .reg = a->reg, .set = a->set, .clear = a->clear,
        .until = a->time > UINT64_MAX - now ? UINT64_MAX : now + a->time,
        .until_reset = a->until_reset,
    };

    fault_override_add(f, &o);
}

/* ---- fatal ------------------------------------------------------------- */

static void fatal_lane0(const void *args, struct envme_faults *f)
{
    (void)args;
    envme_ctrl_fatal(f->ctrl, "a fault rule says so");
}

/* ---- event ------------------------------------------------------------- */

struct act_event {
    uint64_t type, info, lid, count;
};

static void event_init(void *args)
{
    struct act_event *a = args;

    a->count = 1;
}

static const struct envme_schema_row event_rows[] = {
    { "type", ENVME_SCHEMA_UINT, offsetof(struct act_event, type), .max = 7,
      .help = "Asynchronous Event Type" },
    { "info", ENVME_SCHEMA_UINT, offsetof(struct act_event, info), .max = 255,
      .help = "Asynchronous Event Information" },
    { "lid", ENVME_SCHEMA_UINT, offsetof(struct act_event, lid), .max = 255,
      .help = "the log page that it names" },
    { "count", ENVME_SCHEMA_UINT, offsetof(struct act_event, count), .min = 1,
      .max = 1000, .help = "so many at once" },
};

static void event_lane0(const void *args, struct envme_faults *f)
{
    const struct act_event *a = args;

    for (uint64_t i = 0; i < a->count; i++) {
        envme_event_post(f->ctrl, a->type, a->info, a->lid, -1);
        /* A type that has been told waits for its log page otherwise. */
        envme_event_clear(f->ctrl, 1u << a->type, a->lid);
    }
}

/* ---- arm, disarm ------------------------------------------------------- */

struct act_arm {
    char *rule;
};

static const struct envme_schema_row arm_rows[] = {
    { "rule", ENVME_SCHEMA_STRING, offsetof(struct act_arm, rule),
      .help = "its name" },
};

static bool arm_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                      void *args)
{
    const struct act_arm *a = args;

    (void)f;
    return a->rule || envme_schema_fail(ctx, "\"rule\" is missing");
}

static void arm_lane0(const void *args, struct envme_faults *f)
{
    const struct act_arm *a = args;

    fault_arm(f, a->rule, true);
}

static void disarm_lane0(const void *args, struct envme_faults *f)
{
    const struct act_arm *a = args;

    fault_arm(f, a->rule, false);
}

/* ---- health ------------------------------------------------------------ */

struct act_health {
    uint64_t temperature, warning, media_errors;
    bool has_temperature, has_warning;
};

static const struct envme_schema_row health_rows[] = {
    { "temperature", ENVME_SCHEMA_UINT,
      offsetof(struct act_health, temperature),
      offsetof(struct act_health, has_temperature), .max = 0xffff,
      .help = "composite, in K" },
    { "critical-warning", ENVME_SCHEMA_UINT,
      offsetof(struct act_health, warning),
      offsetof(struct act_health, has_warning), .max = 0x3d,
      .help = "bits of SMART's Critical Warning, but for the temperature's" },
    { "media-errors", ENVME_SCHEMA_UINT,
      offsetof(struct act_health, media_errors), .help = "so many more" },
};

static void health_lane0(const void *args, struct envme_faults *f)
{
    const struct act_health *a = args;

    if (a->has_temperature) {
        envme_health_set_temperature(f->ctrl, a->temperature);
    }
    if (a->has_warning) {
        envme_health_set_warning(f->ctrl, a->warning);
    }
    atomic_fetch_add(&f->ctrl->media_errors, a->media_errors);
}

/* ---- the table --------------------------------------------------------- */

const struct fault_action_row fault_actions_ctrl[] = {
    {
        .name = "override", .on = ON_ALL,
        .help = "A register reads differently from now on: a controller that "
                "is never ready (csts, clear 1), late, or fatal; whose "
                "shutdown hangs; with other capabilities.",
        .schema = { "override", "", ROWS(override_rows) },
        .size = sizeof(struct act_override), .init = override_init,
        .check = override_check, .lane0 = override_lane0,
    },
    {
        .name = "fatal", .on = ON_ALL,
        .help = "CSTS.CFS: the controller does nothing more until it is reset.",
        .lane0 = fatal_lane0,
    },
    {
        .name = "event", .on = ON_ALL,
        .help = "Asynchronous events, as given, whether the host wants them "
                "or not.",
        .schema = { "event", "", ROWS(event_rows) },
        .size = sizeof(struct act_event), .init = event_init,
        .lane0 = event_lane0,
    },
    {
        .name = "arm", .on = ON_ALL, .scalar = "rule",
        .help = "Another rule is armed; its counts begin at 0.",
        .schema = { "arm", "", ROWS(arm_rows) },
        .size = sizeof(struct act_arm), .check = arm_check,
        .lane0 = arm_lane0,
    },
    {
        .name = "disarm", .on = ON_ALL, .scalar = "rule",
        .help = "Another rule is disarmed.",
        .schema = { "disarm", "", ROWS(arm_rows) },
        .size = sizeof(struct act_arm), .check = arm_check,
        .lane0 = disarm_lane0,
    },
    {
        .name = "health", .on = ON_ALL,
        .help = "What SMART says, with the events that come of it.",
        .schema = { "health", "", ROWS(health_rows) },
        .size = sizeof(struct act_health), .lane0 = health_lane0,
    },
    { 0 },
};
