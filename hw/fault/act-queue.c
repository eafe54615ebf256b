/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actions on queues. Lane 0. */
#include "hw/ctrl/queue-fault.h"
#include "hw/fault/rules.h"

struct act_stall {
    struct envme_schema_range qid;
    uint64_t time, until_reset;
    bool has_qid;
};

static void stall_init(void *args)
{
    struct act_stall *a = args;

    a->time = UINT64_MAX;
}

static const struct envme_schema_row stall_rows[] = {
    { "qid", ENVME_SCHEMA_RANGE, offsetof(struct act_stall, qid),
      offsetof(struct act_stall, has_qid), .max = 65535,
      .help = "submission queues; 0 is the admin queue" },
    { "for", ENVME_SCHEMA_TIME, offsetof(struct act_stall, time),
      .help = "so long; for ever, if not given" },
    { "until", ENVME_SCHEMA_UINT, offsetof(struct act_stall, until_reset),
      .max = 1, .names = fault_until_names, .help = "\"reset\": until then" },
};

static bool stall_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                        void *args)
{
    const struct act_stall *a = args;

    (void)f;
    return a->has_qid || envme_schema_fail(ctx, "\"qid\" is missing");
}

struct stall_late {
    struct fault_late late;
    struct envme_schema_range qid;
};

/* As all stalls that there are say. The lanes are parked. */
static void stall_apply(struct fault_late *l)
{
    struct envme_ctrl *ctrl = l->f->ctrl;

    for (unsigned i = 0; i < ctrl->nsq_alloc; i++) {
        struct envme_sq *sq = ctrl->sq[i];

        if (sq && sq->stalled != fault_stalled(l->f, i)) {
            envme_sq_stall(sq, !sq->stalled);
        }
    }
}

static void stall_over(struct fault_late *l)
{
    fault_late_parked(l, stall_apply);
}

static const struct fault_late_kind stall_kind = {
    .size = sizeof(struct stall_late), .watch = ENVME_WATCH_QUEUE,
    .over = stall_over,
};

static void stall_lane0(const void *args, struct envme_faults *f)
{
    const struct act_stall *a = args;
    struct stall_late *s = fault_late_new(f, &stall_kind, a->time);

    s->late.past_reset = !a->until_reset;
    s->qid = a->qid;
    if (fault_late_add(&s->late)) {
        fault_late_parked(&s->late, stall_apply);
    }
}

bool fault_stalled(struct envme_faults *f, unsigned qid)
{
    bool found = false;

    g_mutex_lock(&f->lock);
    for (GList *it = f->lates.head; it && !found; it = it->next) {
        const struct stall_late *s = it->data;

        found = s->late.kind == &stall_kind && qid >= s->qid.lo &&
                qid <= s->qid.hi;
    }
    g_mutex_unlock(&f->lock);
    return found;
}

const struct fault_action_row fault_actions_queue[] = {
    {
        .name = "stall", .on = FAULT_ON_ALL, .scalar = "qid",
        .help = "Nothing is fetched from these submission queues; commands "
                "that have been fetched go on.",
        .schema = { "stall", "", ENVME_SCHEMA_ROWS(stall_rows) },
        .size = sizeof(struct act_stall), .init = stall_init,
        .check = stall_check, .lane0 = stall_lane0,
    },
    { 0 },
};
