/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actions on the controller as a whole. Lane 0. */
#include "hw/ctrl/event.h"
#include "hw/fault/rules.h"

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
      .max = 1, .names = fault_until_names, .help = "\"reset\": until then" },
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
    struct fault_override o = {
        .reg = a->reg, .set = a->set, .clear = a->clear,
        .until = fault_after(envme_now(f->ctrl), a->time),
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

/* ---- the table --------------------------------------------------------- */

const struct fault_action_row fault_actions_ctrl[] = {
    {
        .name = "override", .on = FAULT_ON_ALL,
        .help = "A register reads differently from now on: a controller that "
                "is never ready (csts, clear 1), late, or fatal; whose "
                "shutdown hangs; with other capabilities.",
        .schema = { "override", "", ENVME_SCHEMA_ROWS(override_rows) },
        .size = sizeof(struct act_override), .init = override_init,
        .check = override_check, .lane0 = override_lane0,
    },
    {
        .name = "fatal", .on = FAULT_ON_ALL,
        .help = "CSTS.CFS: the controller does nothing more until it is reset.",
        .lane0 = fatal_lane0,
    },
    {
        .name = "event", .on = FAULT_ON_ALL,
        .help = "Asynchronous events, as given, whether the host wants them "
                "or not.",
        .schema = { "event", "", ENVME_SCHEMA_ROWS(event_rows) },
        .size = sizeof(struct act_event), .init = event_init,
        .lane0 = event_lane0,
    },
    {
        .name = "arm", .on = FAULT_ON_ALL, .scalar = "rule",
        .help = "Another rule is armed; its counts begin at 0.",
        .schema = { "arm", "", ENVME_SCHEMA_ROWS(arm_rows) },
        .size = sizeof(struct act_arm), .check = arm_check,
        .lane0 = arm_lane0,
    },
    {
        .name = "disarm", .on = FAULT_ON_ALL, .scalar = "rule",
        .help = "Another rule is disarmed.",
        .schema = { "disarm", "", ENVME_SCHEMA_ROWS(arm_rows) },
        .size = sizeof(struct act_arm), .check = arm_check,
        .lane0 = disarm_lane0,
    },
    { 0 },
};
