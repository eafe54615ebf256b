/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Power loss: docs/power-cut.md. Lane 0. */
#include <string.h>

#include "hw/ctrl/powercut.h"
#include "hw/fault/rules.h"

enum { POWER_RESET, POWER_MACHINE, POWER_STOP, POWER_QUIT };

struct act_power {
    uint64_t lose, tear_size, seed, enumerate, then;
    bool cut, tear, has_then, has_tear_size;
    char *dir;
};

static void power_init(void *args)
{
    struct act_power *a = args;

    a->cut = a->tear = true;
}

static const struct envme_schema_name power_loses[] = {
    { "unflushed", ENVME_CRASH_LOSE_UNFLUSHED },
    { "random", ENVME_CRASH_LOSE_RANDOM },
    { "none", ENVME_CRASH_LOSE_NONE }, { NULL, 0 },
};

static const struct envme_schema_name power_thens[] = {
    { "reset", POWER_RESET }, { "machine-reset", POWER_MACHINE },
    { "stop", POWER_STOP }, { "quit", POWER_QUIT }, { NULL, 0 },
};

#define POWER_AT(f) offsetof(struct act_power, f)

static const struct envme_schema_row power_rows[] = {
    { "lose", ENVME_SCHEMA_UINT, POWER_AT(lose), .max = ENVME_CRASH_LOSE_NONE,
      .names = power_loses, .help = "what becomes of writes that were not "
      "flushed: all are lost; a choice by the seed; none is lost" },
    { "cut", ENVME_SCHEMA_BOOL, POWER_AT(cut), .help = "true, and may be left "
      "out" },
    { "tear", ENVME_SCHEMA_BOOL, POWER_AT(tear), .help = "false: no write is "
      "torn, of whatever size; true, if not given: those above the atomic "
      "write unit are, between blocks" },
    { "tear-size", ENVME_SCHEMA_BYTES, POWER_AT(tear_size),
      POWER_AT(has_tear_size), .min = 1, .max = 65536,
      .help = "against the specification: every write may be torn at "
      "multiples of this, and data from their metadata" },
    { "seed", ENVME_SCHEMA_UINT, POWER_AT(seed), .help = "of the choices" },
    { "enumerate", ENVME_SCHEMA_UINT, POWER_AT(enumerate), .max = 10000,
      .help = "so many states in which the power loss could have left each "
      "medium become images" },
    { "dir", ENVME_SCHEMA_STRING, POWER_AT(dir), .help = "a directory that is "
      "there, for the images" },
    { "then", ENVME_SCHEMA_UINT, POWER_AT(then), POWER_AT(has_then),
      .max = POWER_QUIT, .names = power_thens, .help = "when the controller "
      "has power again: nothing more; the machine is reset, stopped, or QEMU "
      "ends. With images stop or quit, which it is if not given" },
};

static bool power_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                        void *args)
{
    struct act_power *a = args;

    if (!a->cut) {
        return envme_schema_fail(ctx, "cut: only true is there");
    }
    if (a->enumerate && (!f->world.image || !f->world.machine)) {
        return envme_schema_fail(ctx, "enumerate: nobody can make images here");
    }
    if (a->enumerate && !a->dir) {
        return envme_schema_fail(ctx, "enumerate wants \"dir\"");
    }
    if (a->dir && !a->enumerate) {
        return envme_schema_fail(ctx, "dir is for \"enumerate\"");
    }
    if (a->enumerate && a->lose != ENVME_CRASH_LOSE_UNFLUSHED) {
        return envme_schema_fail(ctx, "lose: the images need the medium as it "
                                 "is; with \"enumerate\" it is "
                                 "\"unflushed\"");
    }
    if (a->enumerate && !a->has_then) {
        a->then = POWER_QUIT;
    }
    if (a->enumerate && a->then != POWER_STOP && a->then != POWER_QUIT) {
        return envme_schema_fail(ctx, "then: the images need the medium as it "
                                 "is; with \"enumerate\" it is \"stop\" or "
                                 "\"quit\"");
    }
    if (a->then != POWER_RESET && !f->world.machine) {
        return envme_schema_fail(ctx, "then: the machine cannot be reached "
                                 "from here; \"reset\" is allowed");
    }
    return true;
}

/* A power loss under way. */
struct power_run {
    struct envme_faults *f;     /* counted */
    struct envme_power_opts opts;
    unsigned then;
    char *dir;
};

static void power_image(void *opaque, const struct envme_power_image *img)
{
    struct power_run *p = opaque;

    if (!p->f->dead) {
        p->f->world.image(p->f->world.opaque, p->dir, img);
    }
}

static void power_when_able(void *opaque, void (*fn)(void *arg), void *arg)
{
    struct power_run *p = opaque;

    p->f->world.when_able(p->f->world.opaque, fn, arg);
}

static void power_over(void *arg, const struct envme_power_result *res)
{
    struct power_run *p = arg;
    struct envme_faults *f = p->f;

    if (!f->dead) {
        const struct envme_note *note = &f->ctrl->ports.note;
        g_autofree char *text = g_strdup_printf(
            "power was lost: %u media with a cache, %u requests in it, "
            "%u pieces kept, %u images%s%s", res->media, res->requests,
            res->pieces, res->images, res->err ? "; not written: " : "",
            res->err ? strerror(-res->err) : "");

        if (note->say) {
            note->say(note->opaque, text);
        }
        if (p->then != POWER_RESET) {
            f->world.machine(f->world.opaque, power_thens[p->then].name);
        }
    }
    fault_faults_unref(f);
    g_free(p->dir);
    g_free(p);
}

static void power_run(void *arg)
{
    struct power_run *p = arg;

    if (p->f->dead) {
        fault_faults_unref(p->f);
        g_free(p->dir);
        g_free(p);
        return;
    }
    envme_power_cut(p->f->ctrl, &p->opts, power_over, p);
}

/* Later: we may be in the middle of a reset or of an enable. */
static void power_lane0(const void *args, struct envme_faults *f)
{
    const struct act_power *a = args;
    struct power_run *p = g_new(struct power_run, 1);

    *p = (struct power_run){
        .f = fault_faults_ref(f), .then = a->then, .dir = g_strdup(a->dir),
        .opts = {
            .lose = a->lose, .seed = a->seed, .enumerate = a->enumerate,
            .crash = { .tear = a->tear, .tear_size = a->tear_size },
            .image = power_image, .opaque = p,
            .when_able = a->enumerate && f->world.when_able ? power_when_able
                                                            : NULL,
        },
    };
    envme_defer(f->ctrl, 0, power_run, p);
}

const struct fault_action_row fault_actions_power[] = {
    {
        .name = "power", .on = FAULT_ON_ALL, .scalar = "lose",
        .help = "Power is lost and comes back: nothing in flight completes, "
                "and what volatile write caches (vwc-model) held is lost, "
                "kept or torn as the specification allows.",
        .schema = { "power", "", ENVME_SCHEMA_ROWS(power_rows) },
        .size = sizeof(struct act_power), .init = power_init,
        .check = power_check, .lane0 = power_lane0,
    },
    { 0 },
};
