/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actions on when a completion is posted: in a flood, in another order, or
 * when the host has given the command up. */
#include "hw/ctrl/lane.h"
#include "hw/ctrl/pause.h"
#include "hw/ctrl/qmem.h"
#include "hw/ctrl/queue-fault.h"
#include "hw/ctrl/signal.h"
#include "hw/fault/rules.h"

#define ON_CMD FAULT_BIT(FAULT_ON_COMMAND)

/* ---- hold -------------------------------------------------------------- */

enum { HOLD_SAME, HOLD_REVERSED, HOLD_RANDOM };

/* Of all commands that one action holds; they are of several lanes. */
struct hold_state {
    GMutex lock;
    GQueue held;                /* struct hold_cmd */
    unsigned waiting;           /* of them, not told to go yet */
    uint64_t until;             /* of the first of those; ns */
    uint64_t rng;
    bool gone;                  /* the rule is: nothing is held any more */
};

struct hold_cmd {
    struct envme_cmd *cmd;      /* its lane has it, delayed */
    GList link;
    uint32_t key;               /* small ones go first */
    bool going;
    bool is_held;               /* in the list */
};

struct act_hold {
    uint64_t count, time, order, seed;
    bool has_count, has_time;
    struct hold_state *state;
};

/* As deadlines they are all over; their order stays. */
#define HOLD_MIDDLE (1u << 16)

static void hold_init(void *args)
{
    struct act_hold *a = args;

    a->time = UINT64_MAX;
    a->state = g_new0(struct hold_state, 1);
    g_mutex_init(&a->state->lock);
    g_queue_init(&a->state->held);
}

static void hold_free(void *args)
{
    struct act_hold *a = args;

    g_assert(g_queue_is_empty(&a->state->held));
    g_mutex_clear(&a->state->lock);
    g_free(a->state);
}

static const struct envme_schema_name hold_orders[] = {
    { "same", HOLD_SAME }, { "reversed", HOLD_REVERSED },
    { "random", HOLD_RANDOM }, { NULL, 0 },
};

static const struct envme_schema_row hold_rows[] = {
    { "count", ENVME_SCHEMA_UINT, offsetof(struct act_hold, count),
      offsetof(struct act_hold, has_count), .min = 2, .max = 65536,
      .help = "until there are so many" },
    { "for", ENVME_SCHEMA_TIME, offsetof(struct act_hold, time),
      offsetof(struct act_hold, has_time), .min = 1,
      .max = UINT64_C(86400000000000),
      .help = "until the first of them has waited so long" },
    { "order", ENVME_SCHEMA_UINT, offsetof(struct act_hold, order),
      .max = HOLD_RANDOM, .names = hold_orders,
      .help = "in which those of one queue come then" },
    { "seed", ENVME_SCHEMA_UINT, offsetof(struct act_hold, seed),
      .help = "of the random order" },
};

static bool hold_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                       void *args)
{
    struct act_hold *a = args;

    (void)f;
    a->state->rng = a->seed;
    return a->has_count || a->has_time ||
           envme_schema_fail(ctx, "\"count\" or \"for\" is wanted");
}

/* Under the lock. */
static uint32_t hold_key(const struct act_hold *a, unsigned nth)
{
    switch (a->order) {
    case HOLD_REVERSED:
        return HOLD_MIDDLE - nth % HOLD_MIDDLE;
    case HOLD_RANDOM:
        return envme_rng_below(&a->state->rng, HOLD_MIDDLE);
    default:
        return HOLD_MIDDLE + nth;
    }
}

struct hold_go {
    struct fault_rule *rule;    /* counted */
    const struct act_hold *args;
    unsigned lane;
};

/* Those of this lane go: it posts them in one turn. */
static void hold_go(void *arg)
{
    struct hold_go *g = arg;
    struct hold_state *s = g->args->state;

    g_mutex_lock(&s->lock);
    for (GList *l = s->held.head; l; l = l->next) {
        struct hold_cmd *h = l->data;

        if (h->going && h->cmd->lane->index == g->lane) {
            envme_lane_at(h->cmd->lane, &h->cmd->due, h->key);
        }
    }
    g_mutex_unlock(&s->lock);
    fault_rule_unref(g->rule);
    g_free(g);
}

/* All that wait go. Any lane; without the lock. */
static void hold_release(const struct act_hold *a, struct fault_rule *r,
                         struct envme_ctrl *ctrl)
{
    bool any;

    g_mutex_lock(&a->state->lock);
    any = a->state->waiting;
    for (GList *l = a->state->held.head; l; l = l->next) {
        ((struct hold_cmd *)l->data)->going = true;
    }
    a->state->waiting = 0;
    g_mutex_unlock(&a->state->lock);
    for (unsigned i = 0; any && i < ctrl->nlanes; i++) {
        struct hold_go *g = g_new(struct hold_go, 1);

        *g = (struct hold_go){ fault_rule_ref(r), a, i };
        envme_defer(ctrl, i, hold_go, g);
    }
}

static void hold_remove(const struct act_hold *a, struct hold_cmd *h)
{
    g_mutex_lock(&a->state->lock);
    if (h->is_held) {
        h->is_held = false;
        g_queue_unlink(&a->state->held, &h->link);
        a->state->waiting -= !h->going;
    }
    g_mutex_unlock(&a->state->lock);
}

static bool hold_keep(const void *args, struct fault_fired *fired,
                      struct envme_cmd *cmd, uint64_t *until)
{
    const struct act_hold *a = args;
    struct hold_state *s = a->state;
    struct hold_cmd *h = fired->mem;
    bool full;

    if (h) {
        hold_remove(a, h);
        return false;
    }
    if (cmd->aborted || cmd->sq->deleting) {
        return false;
    }
    h = g_new0(struct hold_cmd, 1);
    h->cmd = cmd;
    h->link.data = h;
    h->is_held = true;
    g_mutex_lock(&s->lock);
    if (s->gone) {
        g_mutex_unlock(&s->lock);
        g_free(h);
        return false;
    }
    fired->mem = h;
    if (!s->waiting) {
        s->until = a->time == UINT64_MAX ? UINT64_MAX - 2 * HOLD_MIDDLE
                                         : envme_now(cmd->ctrl) + a->time;
    }
    h->key = hold_key(a, s->waiting++);
    *until = s->until + h->key - HOLD_MIDDLE;
    g_queue_push_tail_link(&s->held, &h->link);
    full = a->has_count && s->waiting == a->count;
    g_mutex_unlock(&s->lock);
    if (full) {
        hold_release(a, fired->rule, cmd->ctrl);
    }
    return true;
}

static void hold_gone(struct fault_fired *fired, struct envme_cmd *cmd)
{
    (void)cmd;
    if (fired->mem) {
        hold_remove(fired->action->args, fired->mem);
        g_free(fired->mem);
    }
}

static void hold_drop(const void *args, struct fault_rule *r,
                      struct envme_faults *f)
{
    const struct act_hold *a = args;

    if (!g_ptr_array_find(f->set->rules, r, NULL)) {
        g_mutex_lock(&a->state->lock);
        a->state->gone = true;
        g_mutex_unlock(&a->state->lock);
    }
    hold_release(a, r, f->ctrl);
}

/* ---- late -------------------------------------------------------------- */

enum { LATE_ABORT, LATE_RESET, LATE_QUEUE };

struct act_late {
    uint64_t after, time;
    bool has_after;
};

static const struct envme_schema_name late_afters[] = {
    { "abort", LATE_ABORT }, { "reset", LATE_RESET },
    { "queue-deleted", LATE_QUEUE }, { NULL, 0 },
};

static const struct envme_schema_row late_rows[] = {
    { "after", ENVME_SCHEMA_UINT, offsetof(struct act_late, after),
      offsetof(struct act_late, has_after), .max = LATE_QUEUE,
      .names = late_afters, .help = "the Abort of the command has been "
      "answered (not aborted); the controller is reset, and the entry goes to "
      "where the queue was; the submission queue is deleted" },
    { "for", ENVME_SCHEMA_TIME, offsetof(struct act_late, time),
      .max = UINT64_C(86400000000000), .help = "and so much later" },
};

static bool late_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                       void *args)
{
    const struct act_late *a = args;

    (void)f;
    return a->has_after || envme_schema_fail(ctx, "\"after\" is missing");
}

struct late_mem {
    bool given_up;
};

static bool late_keep(const void *args, struct fault_fired *fired,
                      struct envme_cmd *cmd, uint64_t *until)
{
    const struct act_late *a = args;
    struct late_mem *m = fired->mem;

    if (cmd->sq->deleting || (cmd->aborted && a->after != LATE_ABORT) ||
        (m && m->given_up)) {
        return false;
    }
    if (!m) {
        m = fired->mem = g_new0(struct late_mem, 1);
    }
    m->given_up = cmd->aborted;
    *until = m->given_up ? envme_now(cmd->ctrl) + a->time
                         : ENVME_DEADLINE_NEVER;
    return true;
}

static bool late_may_post(const void *args, struct envme_cmd *cmd)
{
    const struct act_late *a = args;

    return !(a->after == LATE_QUEUE && cmd->sq->deleting &&
             fault_fired_of(cmd, args)->mem);
}

/* An entry for a command that is no more. */
struct late_stray {
    struct fault_late late;
    struct envme_cqe cqe;
    uint64_t addr;              /* where it would have gone, */
    bool phase;                 /* and its phase tag then */
    bool raw;                   /* to there, whatever is there now */
    uint16_t cqid;
};

static void late_write_raw(struct late_stray *s)
{
    struct envme_ctrl *ctrl = s->late.f->ctrl;
    uint16_t sf = le16_get(s->cqe.sf) & ~1;

    s->cqe.sf = le16(sf | s->phase);
    envme_lane_touch(&ctrl->lane[0]);
    envme_cq_write(ctrl, s->addr, &s->cqe);
    envme_lane_untouch(&ctrl->lane[0]);
}

static void late_post_stray(struct fault_late *l)
{
    struct late_stray *s = (struct late_stray *)l;
    struct envme_ctrl *ctrl = l->f->ctrl;
    struct envme_cq *cq = envme_cq_get(ctrl, s->cqid);

    if (ctrl->life != ENVME_LIFE_READY) {
        return;
    }
    if (!cq) {
        late_write_raw(s);
        return;
    }
    envme_lane_touch(&ctrl->lane[0]);
    if (envme_cq_write_more(cq, &s->cqe) && cq->ien) {
        envme_cq_signal(cq);
    }
    envme_lane_untouch(&ctrl->lane[0]);
}

static bool late_stray_due(struct fault_late *l)
{
    struct late_stray *s = (struct late_stray *)l;

    if (s->raw) {
        late_write_raw(s);
    } else {
        fault_late_parked(l, late_post_stray);
    }
    return false;
}

static const struct fault_late_kind late_strays = {
    .size = sizeof(struct late_stray), .due = late_stray_due,
};

static void late_gone(struct fault_fired *fired, struct envme_cmd *cmd)
{
    const struct act_late *a = fired->action->args;
    bool drop = cmd->lane->mode == ENVME_LANE_DROP;
    struct envme_cq *cq = cmd->sq->cq;
    struct late_stray *s;

    if (!fired->mem) {
        return;
    }
    g_free(fired->mem);
    if (!(a->after == LATE_RESET && drop) &&
        !(a->after == LATE_QUEUE && !drop && cmd->sq->deleting)) {
        return;
    }
    s = fault_late_new(cmd->ctrl->hooks.opaque, &late_strays, a->time);
    s->late.past_reset = s->raw = drop;
    s->late.past_rules = true;
    s->cqid = cq->id;
    s->addr = envme_qmem_addr(&cq->mem, cq->ring.ring.tail);
    s->phase = cq->ring.phase;
    s->cqe = (struct envme_cqe){
        .dw0 = le32(cmd->dw0), .dw1 = le32(cmd->dw1),
        .sqhd = le16(cmd->sq->ring.head), .sqid = le16(cmd->sq->id),
        .cid = cmd->sqe.cid, .sf = le16(cmd->status.sf << 1),
    };
    fault_late_add(&s->late);
}

/* ---- the table --------------------------------------------------------- */

const struct fault_action_row fault_actions_post[] = {
    {
        .name = "hold", .on = ON_CMD,
        .help = "Completions are held back, and come all at once then: a "
                "flood. A command that the host aborts does not wait, nor do "
                "any when the rule is disarmed or replaced.",
        .schema = { "hold", "", ENVME_SCHEMA_ROWS(hold_rows) },
        .size = sizeof(struct act_hold), .init = hold_init,
        .check = hold_check, .free = hold_free, .keep = hold_keep,
        .gone = hold_gone, .drop = hold_drop,
    },
    {
        .name = "late", .on = ON_CMD, .scalar = "after",
        .help = "The command is carried out, and its completion comes when the "
                "host has given it up.",
        .schema = { "late", "", ENVME_SCHEMA_ROWS(late_rows) },
        .size = sizeof(struct act_late), .check = late_check,
        .keep = late_keep, .may_post = late_may_post, .gone = late_gone,
    },
    { 0 },
};
