/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts that nothing has caused, that come too early, or that the pin
 * does not show as they are. */
#include "hw/ctrl/lane.h"
#include "hw/fault/rules.h"

#define US UINT64_C(1000)
#define HOUR (3600 * UINT64_C(1000000) * US)

/* ---- spurious ---------------------------------------------------------- */

/* So many in one go, where time has passed quicker than they could come. */
#define SPURIOUS_AT_ONCE 64

struct act_spurious {
    uint64_t vector, count, every;
    bool masked;
};

static void spurious_init(void *args)
{
    struct act_spurious *a = args;

    a->count = 1;
    a->every = 1000 * US;
}

static const struct envme_schema_row spurious_rows[] = {
    { "vector", ENVME_SCHEMA_UINT, offsetof(struct act_spurious, vector),
      .max = 2047, .help = "on which they come; 0, if not given" },
    { "count", ENVME_SCHEMA_UINT, offsetof(struct act_spurious, count),
      .min = 1, .max = 100000000, .help = "so many; one, if not given" },
    { "every", ENVME_SCHEMA_TIME, offsetof(struct act_spurious, every),
      .min = US, .max = HOUR,
      .help = "one each so often; 1ms, if not given" },
    { "masked", ENVME_SCHEMA_BOOL, offsetof(struct act_spurious, masked),
      .help = "true: messages of MSI-X, although the vector is masked" },
};

static bool spurious_check(struct envme_schema_ctx *ctx,
                           struct envme_faults *f, void *args)
{
    const struct act_spurious *a = args;

    if (a->vector >= f->ctrl->params.nvectors) {
        return envme_schema_fail(ctx, "vector: there are %u, the last is %u",
                                 f->ctrl->params.nvectors,
                                 f->ctrl->params.nvectors - 1u);
    }
    return !a->masked || f->ctrl->ports.irq.force ||
           envme_schema_fail(ctx, "masked: this controller has no messages "
                             "that could be masked");
}

struct spurious_late {
    struct fault_late late;
    unsigned vector;
    bool masked;
    uint64_t left, every;
};

static void spurious_one(const struct spurious_late *s)
{
    const struct envme_irq *irq = &s->late.f->ctrl->ports.irq;

    if (s->masked) {
        irq->force(irq->opaque, s->vector);
    } else {
        /* One message; a pin goes up and down again. */
        irq->raise(irq->opaque, s->vector);
        irq->lower(irq->opaque, s->vector);
    }
}

static bool spurious_due(struct fault_late *l)
{
    struct spurious_late *s = (struct spurious_late *)l;
    uint64_t now = envme_now(l->f->ctrl);

    for (unsigned i = 0; s->left && l->at <= now && i < SPURIOUS_AT_ONCE;
         i++) {
        s->left--;
        l->at += s->every;
        /* A controller that is not ready has no vectors yet. */
        if (l->f->ctrl->life == ENVME_LIFE_READY) {
            spurious_one(s);
        }
    }
    l->at = ENVME_MAX(l->at, now + 1);
    return s->left;
}

static const struct fault_late_kind spurious_kind = {
    .size = sizeof(struct spurious_late), .due = spurious_due,
};

static void spurious_lane0(const void *args, struct envme_faults *f)
{
    const struct act_spurious *a = args;
    struct spurious_late *s = fault_late_new(f, &spurious_kind, 0);

    s->vector = a->vector;
    s->masked = a->masked;
    s->left = a->count;
    s->every = a->every;
    fault_late_add(&s->late);
}

/* ---- pin --------------------------------------------------------------- */

struct act_pin {
    uint64_t level, time;
    bool has_level;
};

static void pin_init(void *args)
{
    struct act_pin *a = args;

    a->time = UINT64_MAX;
}

static const struct envme_schema_name pin_levels[] = {
    { "low", ENVME_PIN_LOW }, { "high", ENVME_PIN_HIGH }, { NULL, 0 },
};

static const struct envme_schema_row pin_rows[] = {
    { "stuck", ENVME_SCHEMA_UINT, offsetof(struct act_pin, level),
      offsetof(struct act_pin, has_level), .min = ENVME_PIN_LOW,
      .max = ENVME_PIN_HIGH, .names = pin_levels,
      .help = "never asserted, always asserted" },
    { "for", ENVME_SCHEMA_TIME, offsetof(struct act_pin, time),
      .help = "so long; until the controller is reset, if not given" },
};

static bool pin_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                      void *args)
{
    const struct act_pin *a = args;

    if (!a->has_level) {
        return envme_schema_fail(ctx, "\"stuck\" is missing");
    }
    return f->ctrl->ports.irq.stick ||
           envme_schema_fail(ctx, "this controller has no interrupt pin");
}

static void pin_over(struct fault_late *l)
{
    const struct envme_irq *irq = &l->f->ctrl->ports.irq;

    irq->stick(irq->opaque, ENVME_PIN_FREE);
}

static const struct fault_late_kind pin_kind = {
    .size = sizeof(struct fault_late), .over = pin_over,
};

static void pin_lane0(const void *args, struct envme_faults *f)
{
    const struct act_pin *a = args;
    const struct envme_irq *irq = &f->ctrl->ports.irq;

    if (fault_late_add(fault_late_new(f, &pin_kind, a->time))) {
        irq->stick(irq->opaque, a->level);
    }
}

/* ---- early-interrupt --------------------------------------------------- */

struct act_early {
    uint64_t time;
    bool has_time;
};

static const struct envme_schema_row early_rows[] = {
    { "by", ENVME_SCHEMA_TIME, offsetof(struct act_early, time),
      offsetof(struct act_early, has_time), .min = 1,
      .max = HOUR,
      .help = "the entry is written so much later" },
};

static bool early_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                        void *args)
{
    const struct act_early *a = args;

    (void)f;
    return a->has_time || envme_schema_fail(ctx, "\"by\" is missing");
}

struct early_mem {
    unsigned vector;            /* raised, to be lowered */
};

static bool early_keep(const void *args, struct fault_fired *fired,
                       struct envme_cmd *cmd, uint64_t *until)
{
    const struct act_early *a = args;
    const struct envme_irq *irq = &cmd->ctrl->ports.irq;
    struct early_mem *m;

    if (fired->mem || cmd->aborted || cmd->sq->deleting ||
        !cmd->sq->cq->ien) {
        return false;
    }
    m = g_new(struct early_mem, 1);
    m->vector = cmd->sq->cq->vector;
    fired->mem = m;
    irq->raise(irq->opaque, m->vector);
    *until = envme_now(cmd->ctrl) + a->time;
    return true;
}

static enum envme_cqe_how early_cqe(const void *args, struct envme_cmd *cmd,
                                    struct envme_cqe *cqe)
{
    const struct envme_irq *irq = &cmd->ctrl->ports.irq;

    (void)cqe;
    /* A pin stays up while there is something in the queue. */
    return fault_fired_of(cmd, args)->mem &&
           !(irq->is_level && irq->is_level(irq->opaque)) ? ENVME_CQE_QUIET
                                                          : ENVME_CQE_POST;
}

static void early_gone(struct fault_fired *fired, struct envme_cmd *cmd)
{
    const struct envme_irq *irq = &cmd->ctrl->ports.irq;
    struct early_mem *m = fired->mem;

    if (m) {
        irq->lower(irq->opaque, m->vector);
        g_free(m);
    }
}

/* ---- the table --------------------------------------------------------- */

const struct fault_action_row fault_actions_irq[] = {
    {
        .name = "spurious", .on = FAULT_ON_ALL,
        .help = "Interrupts that nothing has caused, until a reset at the "
                "latest: one, or a storm.",
        .schema = { "spurious", "", ENVME_SCHEMA_ROWS(spurious_rows) },
        .size = sizeof(struct act_spurious), .init = spurious_init,
        .check = spurious_check, .lane0 = spurious_lane0,
    },
    {
        .name = "pin", .on = FAULT_ON_ALL, .scalar = "stuck",
        .help = "The interrupt pin (INTx) is stuck. Hosts that use messages do "
                "not notice.",
        .schema = { "pin", "", ENVME_SCHEMA_ROWS(pin_rows) },
        .size = sizeof(struct act_pin), .init = pin_init, .check = pin_check,
        .lane0 = pin_lane0,
    },
    {
        .name = "early-interrupt", .on = FAULT_BIT(FAULT_ON_COMMAND),
        .scalar = "by",
        .help = "The interrupt comes before the completion queue entry is "
                "there, and no other one with the entry.",
        .schema = { "early-interrupt", "", ENVME_SCHEMA_ROWS(early_rows) },
        .size = sizeof(struct act_early), .check = early_check,
        .keep = early_keep, .cqe = early_cqe, .gone = early_gone,
    },
    { 0 },
};
