/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules at work. */
#include <string.h>

#include "hw/ctrl/lane.h"
#include "hw/fault/rules.h"

struct fault_todo {
    struct fault_rule *rule;    /* counted */
    const struct fault_action *action;
};

/* ---- events for whoever listens ---------------------------------------- */

static GVariant *set_sqe_text(const struct envme_sqe *sqe)
{
    const uint8_t *p = (const uint8_t *)sqe;
    char text[sizeof(*sqe) * 2 + 1];

    for (unsigned i = 0; i < sizeof(*sqe); i++) {
        g_snprintf(text + 2 * i, 3, "%02x", p[i]);
    }
    return g_variant_new_string(text);
}

/* Under the lock, so that events come in their order. */
static void set_tell(struct envme_faults *f, const char *what,
                     const struct fault_rule *r, uint64_t now,
                     const struct fault_event *ev)
{
    GVariantDict d;

    if (!f->event) {
        return;
    }
    g_variant_dict_init(&d, NULL);
    g_variant_dict_insert(&d, "event", "s", what);
    g_variant_dict_insert(&d, "rule", "s", r->name);
    g_variant_dict_insert(&d, "ns", "x", (gint64)(now - f->active_at));
    g_variant_dict_insert(&d, "match", "x", (gint64)r->trigger.matches);
    if (ev && ev->cmd) {
        g_variant_dict_insert(&d, "qid", "x", (gint64)ev->cmd->sq->id);
        g_variant_dict_insert_value(&d, "sqe", set_sqe_text(&ev->cmd->sqe));
    }
    if (strcmp(what, "failed") == 0 && r->why) {
        g_variant_dict_insert(&d, "why", "s", r->why);
    }
    f->event(f->event_opaque, g_variant_ref_sink(g_variant_dict_end(&d)));
}

/* ---- what is watched --------------------------------------------------- */

static unsigned set_watch_of(const struct fault_rule *r)
{
    static const unsigned watch[FAULT_NON] = {
        [FAULT_ON_COMMAND] = ENVME_WATCH_CMD,
        [FAULT_ON_REGISTER] = ENVME_WATCH_REG,
        [FAULT_ON_DOORBELL] = ENVME_WATCH_DB,
        [FAULT_ON_INTERRUPT] = ENVME_WATCH_IRQ,
        [FAULT_ON_STATE] = ENVME_WATCH_STATE,
    };
    unsigned w = r->is_armed ? watch[r->on] : 0;

    if (r->open) {
        w |= ENVME_WATCH_CMD | ENVME_WATCH_REG | ENVME_WATCH_STATE;
    }
    if (r->is_armed && r->until_reset) {
        w |= ENVME_WATCH_STATE;
    }
    return w;
}

/* Under the lock. */
static void set_update_watch(struct envme_faults *f)
{
    unsigned w = 0;

    for (unsigned i = 0; f->active && f->set && i < f->set->rules->len; i++) {
        w |= set_watch_of(g_ptr_array_index(f->set->rules, i));
    }
    if (f->overrides->len) {
        w |= ENVME_WATCH_REG | ENVME_WATCH_STATE;
    }
    w |= fault_late_watch(f);
    atomic_store(&f->ctrl->watch, w);
}

static void set_arm(struct envme_faults *f, struct fault_rule *r, bool on,
                    uint64_t now)
{
    r->is_armed = on;
    if (on) {
        envme_trigger_arm(&r->trigger, &r->when,
                          envme_rng_seed(f->set->seed, r->name), now);
    }
}

/* ---- expectations ------------------------------------------------------ */

static void set_failed(struct envme_faults *f, struct fault_rule *r,
                       uint64_t now, const struct fault_event *ev, char *why)
{
    r->open = false;
    r->failed++;
    if (r->why) {
        g_free(why);
    } else {
        r->why = why;
    }
    set_tell(f, "failed", r, now, ev);
}

static void set_met(struct envme_faults *f, struct fault_rule *r,
                    uint64_t now, const struct fault_event *ev)
{
    r->open = false;
    r->met++;
    set_tell(f, "met", r, now, ev);
}

static const struct fault_step *set_find_step(GArray *steps,
                                              const struct fault_event *ev)
{
    for (unsigned i = 0; steps && i < steps->len; i++) {
        const struct fault_step *s = &g_array_index(steps, struct fault_step,
                                                    i);

        if (fault_step_is(s, ev)) {
            return s;
        }
    }
    return NULL;
}

/* The host has done something while r waits for it. */
static void set_observe(struct envme_faults *f, struct fault_rule *r,
                        uint64_t now, const struct fault_event *ev)
{
    const struct fault_expect *x = &r->expect;
    const struct fault_step *s = set_find_step(x->never, ev);

    if (s) {
        set_failed(f, r, now, ev, g_strdup_printf("the host did what it must "
                                                  "not: %s", s->text));
        return;
    }
    if (x->next && r->step < x->next->len &&
        fault_step_is(&g_array_index(x->next, struct fault_step, r->step),
                      ev)) {
        r->step++;
    }
    if (x->any && set_find_step(x->any, ev) && !x->next && !x->never) {
        set_met(f, r, now, ev);
        return;
    }
    if (x->next && r->step == x->next->len && !x->never && !x->any) {
        set_met(f, r, now, ev);
    }
}

/* Its time is over. */
static void set_expire(struct envme_faults *f, struct fault_rule *r,
                       uint64_t now)
{
    const struct fault_expect *x = &r->expect;

    if (x->next && r->step < x->next->len) {
        const char *text = g_array_index(x->next, struct fault_step,
                                         r->step).text;

        set_failed(f, r, now, NULL,
                   g_strdup_printf("the host did not: %s", text));
    } else if (x->any && !x->next && !x->never) {
        set_failed(f, r, now, NULL,
                   g_strdup("the host did nothing of what was expected"));
    } else {
        set_met(f, r, now, NULL);
    }
}

/* ---- hits -------------------------------------------------------------- */

static uint64_t set_next_time(const struct fault_rule *r)
{
    uint64_t at = UINT64_MAX;

    if (r->open) {
        at = r->open_at + r->expect.within;
        at = at < r->open_at ? UINT64_MAX : at;
    }
    if (r->is_armed && r->on == FAULT_ON_TIME) {
        /* Without "from", the first time is one period away. */
        uint64_t step = r->period * (r->trigger.matches + !r->when.from);
        uint64_t t = r->trigger.armed_at + r->when.from + step;

        at = ENVME_MIN(at, t);
    }
    return at;
}

struct envme_faults *fault_faults_ref(struct envme_faults *f)
{
    g_atomic_ref_count_inc(&f->ref);
    return f;
}

void fault_faults_unref(struct envme_faults *f)
{
    if (!g_atomic_ref_count_dec(&f->ref)) {
        return;
    }
    g_mutex_clear(&f->lock);
    g_free(f);
}

static void set_run_todo(struct envme_faults *f)
{
    struct fault_todo *t;

    while (!f->dead) {
        g_mutex_lock(&f->lock);
        t = g_queue_pop_head(&f->todo);
        g_mutex_unlock(&f->lock);
        if (!t) {
            return;
        }
        t->action->row->lane0(t->action->args, f);
        fault_rule_unref(t->rule);
        g_free(t);
    }
}

static void set_rearm(struct envme_faults *f);

static void set_look(void *opaque)
{
    struct envme_faults *f = opaque;

    set_run_todo(f);
    fault_late_run(f);
    set_rearm(f);
    fault_faults_unref(f);
}

/* Lane 0 is to do what there is to do, and to look at the time again. */
static void set_kick(struct envme_faults *f)
{
    g_atomic_ref_count_inc(&f->ref);
    envme_defer(f->ctrl, 0, set_look, f);
}

void fault_look_again(struct envme_faults *f)
{
    g_mutex_lock(&f->lock);
    set_update_watch(f);
    g_mutex_unlock(&f->lock);
    set_kick(f);
}

/* Under the lock. */
static void set_hit(struct envme_faults *f, struct fault_rule *r,
                    uint64_t now, const struct fault_event *ev)
{
    bool later = false;

    if (ev->cmd) {
        if (!r->has_sqe) {
            r->first_sqe = ev->cmd->sqe;
            r->first_qid = ev->cmd->sq->id;
        }
        r->last_sqe = ev->cmd->sqe;
        r->last_qid = ev->cmd->sq->id;
        r->has_sqe = true;
    }
    if (r->trigger.hits == 1) {
        r->first_at = now - f->active_at;
    }
    r->last_at = now - f->active_at;
    set_tell(f, "hit", r, now, ev);
    if (r->forbid) {
        set_failed(f, r, now, ev, g_strdup(r->forbid));
    }
    if (r->has_expect && !r->open) {
        r->open = true;
        r->open_at = now;
        r->step = 0;
    }
    for (unsigned i = 0; r->actions && i < r->actions->len; i++) {
        const struct fault_action *a = &g_array_index(r->actions,
                                                      struct fault_action, i);

        if (a->row->lane0) {
            struct fault_todo *t = g_new(struct fault_todo, 1);

            *t = (struct fault_todo){ fault_rule_ref(r), a };
            g_queue_push_tail(&f->todo, t);
            later = true;
        }
    }
    for (unsigned i = 0; i < f->set->rules->len; i++) {
        struct fault_rule *o = g_ptr_array_index(f->set->rules, i);

        if (o->after == r && !o->is_armed) {
            set_arm(f, o, true, now);
            later = later || o->on == FAULT_ON_TIME;
        }
    }
    if (envme_trigger_is_spent(&r->trigger, now)) {
        r->is_armed = false;
    }
    set_update_watch(f);
    if (later || r->open) {
        set_kick(f);
    }
}

/*
 * Something has happened. Returns the rules that fired, counted, or NULL. The
 * expectations see it first: what sets off a rule is not what it waits for.
 */
static GPtrArray *set_event(struct envme_faults *f,
                            const struct fault_event *ev)
{
    uint64_t now = envme_now(f->ctrl);
    GPtrArray *fired = NULL;
    bool was_open = false;

    g_mutex_lock(&f->lock);
    for (unsigned i = 0; f->active && f->set && i < f->set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        if (r->open) {
            set_observe(f, r, now, ev);
            was_open = true;
        }
    }
    for (unsigned i = 0; f->active && f->set && i < f->set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        if (r->on != ev->on || !r->is_armed || !fault_matches(&r->match, ev) ||
            !envme_trigger_match(&r->trigger, now)) {
            continue;
        }
        set_hit(f, r, now, ev);
        if (!fired) {
            fired = g_ptr_array_new_with_free_func((GDestroyNotify)
                                                   fault_rule_unref);
        }
        g_ptr_array_add(fired, fault_rule_ref(r));
    }
    if (was_open) {
        set_update_watch(f);
    }
    g_mutex_unlock(&f->lock);
    return fired;
}

/* What the actions of these rules make of it. */
static void set_change(GPtrArray *fired, const struct fault_event *ev,
                       struct fault_change *c)
{
    for (unsigned i = 0; fired && i < fired->len; i++) {
        const struct fault_rule *r = g_ptr_array_index(fired, i);

        for (unsigned k = 0; r->actions && k < r->actions->len; k++) {
            const struct fault_action *a =
                &g_array_index(r->actions, struct fault_action, k);

            if (a->row->change) {
                a->row->change(a->args, ev, c);
            }
        }
    }
    if (fired) {
        g_ptr_array_unref(fired);
    }
}

/* ---- time: lane 0 ------------------------------------------------------ */

static struct envme_faults *set_of_deadline(struct envme_deadline *d)
{
    return (struct envme_faults *)((char *)d - offsetof(struct envme_faults,
                                                        due));
}

/* Rules of "time" whose time has come. */
static bool set_tick(struct envme_faults *f, uint64_t now)
{
    const struct fault_event ev = { .on = FAULT_ON_TIME, .ctrl = f->ctrl };
    bool again = false;

    for (unsigned i = 0; f->active && f->set && i < f->set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        if (r->open && now >= r->open_at + r->expect.within) {
            set_expire(f, r, now);
            again = true;
        }
        if (r->on == FAULT_ON_TIME && r->is_armed && now >= set_next_time(r)) {
            if (envme_trigger_match(&r->trigger, now)) {
                set_hit(f, r, now, &ev);
            }
            if (!r->period || envme_trigger_is_spent(&r->trigger, now)) {
                r->is_armed = false;
            }
            again = true;
        }
    }
    for (unsigned i = 0; i < f->overrides->len; i++) {
        if (g_array_index(f->overrides, struct fault_override, i).until <=
            now) {
            g_array_remove_index(f->overrides, i--);
            again = true;
        }
    }
    return again;
}

static void set_rearm(struct envme_faults *f)
{
    uint64_t next = UINT64_MAX, now;

    if (f->dead) {
        return;
    }
    now = envme_now(f->ctrl);
    g_mutex_lock(&f->lock);
    if (set_tick(f, now)) {
        set_update_watch(f);
    }
    for (unsigned i = 0; f->active && f->set && i < f->set->rules->len; i++) {
        next = ENVME_MIN(next, set_next_time(g_ptr_array_index(f->set->rules,
                                                               i)));
    }
    for (unsigned i = 0; i < f->overrides->len; i++) {
        next = ENVME_MIN(next, g_array_index(f->overrides,
                                             struct fault_override, i).until);
    }
    next = ENVME_MIN(next, fault_late_next(f));
    g_mutex_unlock(&f->lock);
    if (next == UINT64_MAX) {
        envme_lane_not_at(&f->ctrl->lane[0], &f->due);
    } else {
        envme_lane_at(&f->ctrl->lane[0], &f->due, next);
    }
}

static void set_due(struct envme_deadline *d)
{
    struct envme_faults *f = set_of_deadline(d);

    fault_late_run(f);
    set_rearm(f);
    set_run_todo(f);
}

/* ---- the hooks --------------------------------------------------------- */

static bool set_is_cmd_action(const struct fault_action_row *row)
{
    return row->pre || row->ended || row->post || row->keep || row->may_post ||
           row->cqe;
}

static void set_fetched(void *opaque, struct envme_cmd *cmd)
{
    struct envme_faults *f = opaque;
    const struct fault_event ev = {
        .on = FAULT_ON_COMMAND, .ctrl = f->ctrl, .cmd = cmd,
    };
    GPtrArray *fired = set_event(f, &ev);
    struct fault_cmd *fc;
    unsigned n = 0;

    for (unsigned i = 0; fired && i < fired->len; i++) {
        const struct fault_rule *r = g_ptr_array_index(fired, i);

        n += r->actions ? r->actions->len : 0;
    }
    if (!fired) {
        return;
    }
    fc = g_malloc0(sizeof(*fc) + n * sizeof(fc->fired[0]));
    for (unsigned i = 0; i < fired->len; i++) {
        struct fault_rule *r = g_ptr_array_index(fired, i);

        for (unsigned k = 0; r->actions && k < r->actions->len; k++) {
            const struct fault_action *a =
                &g_array_index(r->actions, struct fault_action, k);

            if (a->row->fetched) {
                a->row->fetched(a->args, cmd);
            }
            if (set_is_cmd_action(a->row)) {
                fc->fired[fc->n++] = (struct fault_fired){
                    .rule = fault_rule_ref(r), .action = a,
                };
            }
        }
    }
    g_ptr_array_unref(fired);
    if (fc->n) {
        cmd->fault = fc;
    } else {
        g_free(fc);
    }
}

/* The rows of what has fired on a command, which have this callback. */
#define SET_EACH(cmd, callback, it)                                         \
    for (struct fault_fired *it = ((struct fault_cmd *)(cmd)->fault)->fired; \
         it < ((struct fault_cmd *)(cmd)->fault)->fired +                   \
              ((struct fault_cmd *)(cmd)->fault)->n; it++)                  \
        if (it->action->row->callback)

static bool set_pre(void *opaque, struct envme_cmd *cmd,
                    struct envme_status *st)
{
    (void)opaque;
    SET_EACH(cmd, pre, it) {
        if (!it->action->row->pre(it->action->args, it, cmd, st)) {
            return false;
        }
    }
    return true;
}

static void set_ended(void *opaque, struct envme_cmd *cmd,
                      struct envme_status st)
{
    (void)opaque;
    SET_EACH(cmd, ended, it) {
        if (!it->done) {
            it->done = true;
            it->action->row->ended(it->action->args, it, cmd, st);
        }
    }
}

static struct envme_status set_post(void *opaque, struct envme_cmd *cmd,
                                    struct envme_status st)
{
    (void)opaque;
    SET_EACH(cmd, post, it) {
        st = it->action->row->post(it->action->args, cmd, st);
    }
    return st;
}

static enum envme_post_when set_may_post(void *opaque, struct envme_cmd *cmd,
                                         uint64_t *until)
{
    (void)opaque;
    SET_EACH(cmd, keep, it) {
        if (it->action->row->keep(it->action->args, it, cmd, until)) {
            return ENVME_POST_LATER;
        }
    }
    SET_EACH(cmd, may_post, it) {
        if (!it->action->row->may_post(it->action->args, cmd)) {
            return ENVME_POST_NEVER;
        }
    }
    return ENVME_POST_NOW;
}

struct fault_fired *fault_fired_of(const struct envme_cmd *cmd,
                                   const void *args)
{
    struct fault_cmd *fc = cmd->fault;

    for (unsigned i = 0; i < fc->n; i++) {
        if (fc->fired[i].action->args == args) {
            return &fc->fired[i];
        }
    }
    return NULL;
}

static enum envme_cqe_how set_cqe(void *opaque, struct envme_cmd *cmd,
                                  struct envme_cqe *cqe)
{
    enum envme_cqe_how how = ENVME_CQE_POST;

    (void)opaque;
    SET_EACH(cmd, cqe, it) {
        enum envme_cqe_how h = it->action->row->cqe(it->action->args, cmd,
                                                    cqe);

        how = h == ENVME_CQE_POST ? how : h;
    }
    return how;
}

static void set_gone(void *opaque, struct envme_cmd *cmd)
{
    struct fault_cmd *fc = cmd->fault;

    (void)opaque;
    for (unsigned i = 0; i < fc->n; i++) {
        struct fault_fired *it = &fc->fired[i];

        if (it->action->row->gone) {
            it->action->row->gone(it, cmd);
        }
        fault_rule_unref(it->rule);
    }
    g_free(fc);
}

static uint64_t set_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
}

/* An override of a register that the access touches, wherever it begins. */
static uint64_t set_override(const struct fault_override *o, uint64_t off,
                             unsigned size, uint64_t val)
{
    uint64_t set = o->set, clear = o->clear;

    if (o->reg >= off + size || off >= o->reg + 8) {
        return val;
    }
    if (off >= o->reg) {
        set >>= (off - o->reg) * 8;
        clear >>= (off - o->reg) * 8;
    } else {
        set <<= (o->reg - off) * 8;
        clear <<= (o->reg - off) * 8;
    }
    return ((val & ~clear) | set) & set_mask(size);
}

static uint64_t set_reg_read(void *opaque, uint64_t off, unsigned size,
                             uint64_t val)
{
    struct envme_faults *f = opaque;
    const struct fault_event ev = {
        .on = FAULT_ON_REGISTER, .ctrl = f->ctrl, .reg = off, .value = val,
    };
    struct fault_change c = { .value = val };

    set_change(set_event(f, &ev), &ev, &c);
    g_mutex_lock(&f->lock);
    for (unsigned i = 0; i < f->overrides->len; i++) {
        c.value = set_override(&g_array_index(f->overrides,
                                              struct fault_override, i),
                               off, size, c.value);
    }
    g_mutex_unlock(&f->lock);
    return c.value & set_mask(size);
}

static bool set_reg_write(void *opaque, uint64_t off, unsigned size,
                          uint64_t *val)
{
    struct envme_faults *f = opaque;
    const struct fault_event ev = {
        .on = FAULT_ON_REGISTER, .ctrl = f->ctrl, .reg = off, .value = *val,
        .is_write = true,
    };
    struct fault_change c = { .value = *val };

    set_change(set_event(f, &ev), &ev, &c);
    *val = c.value & set_mask(size);
    return !c.lost;
}

static bool set_doorbell(void *opaque, unsigned qid, bool is_cq,
                         uint32_t *val)
{
    struct envme_faults *f = opaque;
    const struct fault_event ev = {
        .on = FAULT_ON_DOORBELL, .ctrl = f->ctrl, .value = *val, .qid = qid,
        .is_cq = is_cq, .is_write = true,
    };
    struct fault_change c = { .value = *val };

    set_change(set_event(f, &ev), &ev, &c);
    *val = c.value;
    return !c.lost && !(c.delay && fault_late_doorbell(f, qid, is_cq, c.value,
                                                       c.delay));
}

static enum envme_irq_how set_signal(void *opaque, struct envme_cq *cq,
                                     unsigned *vector)
{
    struct envme_faults *f = opaque;
    const struct fault_event ev = {
        .on = FAULT_ON_INTERRUPT, .ctrl = f->ctrl, .qid = cq->id,
        .vector = *vector,
    };
    struct fault_change c = { .vector = *vector, .how = ENVME_IRQ_RAISE };

    set_change(set_event(f, &ev), &ev, &c);
    *vector = ENVME_MIN(c.vector, f->ctrl->params.nvectors - 1u);
    if (c.delay && c.how != ENVME_IRQ_LOST &&
        fault_late_irq(f, cq, *vector, c.delay)) {
        return ENVME_IRQ_LOST;
    }
    return c.how;
}

static bool set_stalled(void *opaque, unsigned qid)
{
    return fault_stalled(opaque, qid);
}

static void set_state(void *opaque, enum envme_ctrl_state state)
{
    struct envme_faults *f = opaque;
    const struct fault_event ev = {
        .on = FAULT_ON_STATE, .ctrl = f->ctrl, .state = 1u << state,
    };
    GPtrArray *fired = set_event(f, &ev);

    if (fired) {
        g_ptr_array_unref(fired);
    }
    /* What a rule asks for at a state is there before the host can look. */
    set_run_todo(f);
    if (state != ENVME_STATE_RESET) {
        return;
    }
    fault_late_end(f, FAULT_LATE_RESET);
    g_mutex_lock(&f->lock);
    for (unsigned i = 0; f->set && i < f->set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        if (r->until_reset) {
            r->is_armed = false;
        }
    }
    for (unsigned i = 0; i < f->overrides->len; i++) {
        if (g_array_index(f->overrides, struct fault_override,
                          i).until_reset) {
            g_array_remove_index(f->overrides, i--);
        }
    }
    set_update_watch(f);
    g_mutex_unlock(&f->lock);
}

/* ---- from outside ------------------------------------------------------ */

/* What the actions of these rules keep. */
static void set_drop(struct envme_faults *f, struct fault_set *set,
                     const char *name)
{
    for (unsigned i = 0; set && i < set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(set->rules, i);

        for (unsigned k = 0; r->actions && k < r->actions->len &&
                             (!name || strcmp(r->name, name) == 0); k++) {
            const struct fault_action *a =
                &g_array_index(r->actions, struct fault_action, k);

            if (a->row->drop) {
                a->row->drop(a->args, r, f);
            }
        }
    }
}

/* Everything begins anew. Under the lock. */
static void set_begin(struct envme_faults *f, bool on)
{
    uint64_t now = envme_now(f->ctrl);

    f->active = on;
    f->active_at = now;
    g_array_set_size(f->overrides, 0);
    for (unsigned i = 0; f->set && on && i < f->set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        set_arm(f, r, true, now);
        r->is_armed = r->armed && !r->after;
        r->open = r->has_sqe = false;
        r->met = r->failed = 0;
        g_free(r->why);
        r->why = NULL;
    }
    set_update_watch(f);
}

bool envme_faults_load(struct envme_faults *f, GVariant *tree, char **err)
{
    struct fault_set *set = fault_set_parse(f, tree, err), *old;

    if (!set) {
        return false;
    }
    g_mutex_lock(&f->lock);
    old = f->set;
    f->set = set;
    set_begin(f, set->active);
    g_mutex_unlock(&f->lock);
    fault_late_end(f, FAULT_LATE_RULES);
    set_drop(f, old, NULL);
    fault_set_free(old);
    fault_inject_forget(f);
    if (f->tree) {
        g_variant_unref(f->tree);
    }
    f->tree = g_variant_ref_sink(tree);
    set_rearm(f);
    set_run_todo(f);
    return true;
}

GVariant *envme_faults_tree(struct envme_faults *f)
{
    return f->tree ? g_variant_ref(f->tree) : NULL;
}

void envme_faults_activate(struct envme_faults *f, bool on)
{
    bool changed;

    g_mutex_lock(&f->lock);
    changed = f->active != on;
    if (changed) {
        set_begin(f, on);
    }
    g_mutex_unlock(&f->lock);
    if (changed) {
        fault_late_end(f, FAULT_LATE_RULES);
        set_drop(f, f->set, NULL);
    }
    set_rearm(f);
    set_run_todo(f);
}

bool envme_faults_active(const struct envme_faults *f)
{
    return f->active;
}

bool fault_arm(struct envme_faults *f, const char *name, bool on)
{
    uint64_t now = envme_now(f->ctrl);
    bool found = false;

    g_mutex_lock(&f->lock);
    for (unsigned i = 0; f->set && i < f->set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        if (strcmp(r->name, name) == 0) {
            found = true;
            if (r->is_armed != on) {
                set_arm(f, r, on, now);
            }
        }
    }
    set_update_watch(f);
    g_mutex_unlock(&f->lock);
    if (!on) {
        set_drop(f, f->set, name);
    }
    set_kick(f);
    return found;
}

bool envme_faults_arm(struct envme_faults *f, const char *rule, bool on)
{
    return fault_arm(f, rule, on);
}

void fault_splice(struct envme_faults *f, struct fault_set *set)
{
    uint64_t now = envme_now(f->ctrl);
    struct fault_set *old;
    unsigned kept = 0;

    g_mutex_lock(&f->lock);
    old = f->set;
    for (unsigned i = 0; old && i < old->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(old->rules, i);

        if (!r->injected) {
            g_ptr_array_insert(set->rules, kept++, fault_rule_ref(r));
        }
    }
    set->seed = old ? old->seed : set->seed;
    f->set = set;
    if (!old) {
        f->active = true;
        f->active_at = now;
    }
    for (unsigned i = kept; i < set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(set->rules, i);

        r->injected = true;
        set_arm(f, r, true, now);
        r->is_armed = r->armed && !r->after;
    }
    set_update_watch(f);
    g_mutex_unlock(&f->lock);
    fault_set_free(old);
    set_kick(f);
}

uint64_t fault_hits(struct envme_faults *f, const char *name)
{
    uint64_t hits = 0;

    g_mutex_lock(&f->lock);
    for (unsigned i = 0; f->set && i < f->set->rules->len; i++) {
        const struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        hits += strcmp(r->name, name) == 0 ? r->trigger.hits : 0;
    }
    g_mutex_unlock(&f->lock);
    return hits;
}

void fault_override_add(struct envme_faults *f,
                        const struct fault_override *o)
{
    g_mutex_lock(&f->lock);
    g_array_append_val(f->overrides, *o);
    set_update_watch(f);
    g_mutex_unlock(&f->lock);
    set_rearm(f);
}

void envme_faults_listen(struct envme_faults *f,
                         void (*event)(void *opaque, GVariant *ev),
                         void *opaque)
{
    g_mutex_lock(&f->lock);
    f->event = event;
    f->event_opaque = opaque;
    g_mutex_unlock(&f->lock);
}

/* ---- the report -------------------------------------------------------- */

static const char *set_verdict(const struct fault_rule *r)
{
    if (r->failed) {
        return "failed";
    }
    if (r->open) {
        return "open";
    }
    if (r->has_expect && !r->met) {
        return "unmet";
    }
    return "passed";
}

static GVariant *set_report_cmd(const struct envme_sqe *sqe, uint16_t qid,
                                uint64_t at)
{
    GVariantDict d;

    g_variant_dict_init(&d, NULL);
    g_variant_dict_insert(&d, "ns", "x", (gint64)at);
    if (sqe) {
        g_variant_dict_insert(&d, "qid", "x", (gint64)qid);
        g_variant_dict_insert_value(&d, "sqe", set_sqe_text(sqe));
    }
    return g_variant_dict_end(&d);
}

static GVariant *set_report_rule(const struct fault_rule *r)
{
    GVariantDict d;

    g_variant_dict_init(&d, NULL);
    g_variant_dict_insert(&d, "name", "s", r->name);
    if (r->description) {
        g_variant_dict_insert(&d, "description", "s", r->description);
    }
    g_variant_dict_insert(&d, "armed", "b", r->is_armed);
    g_variant_dict_insert(&d, "matches", "x", (gint64)r->trigger.matches);
    g_variant_dict_insert(&d, "hits", "x", (gint64)r->trigger.hits);
    if (r->trigger.hits) {
        g_variant_dict_insert_value(&d, "first", set_report_cmd(
            r->has_sqe ? &r->first_sqe : NULL, r->first_qid, r->first_at));
        g_variant_dict_insert_value(&d, "last", set_report_cmd(
            r->has_sqe ? &r->last_sqe : NULL, r->last_qid, r->last_at));
    }
    if (r->has_expect || r->forbid) {
        g_variant_dict_insert(&d, "met", "x", (gint64)r->met);
        g_variant_dict_insert(&d, "failed", "x", (gint64)r->failed);
        g_variant_dict_insert(&d, "verdict", "s", set_verdict(r));
    }
    if (r->why) {
        g_variant_dict_insert(&d, "why", "s", r->why);
    }
    return g_variant_dict_end(&d);
}

GVariant *envme_faults_report(struct envme_faults *f)
{
    GVariantBuilder list;
    GVariantDict d;
    const char *verdict = "passed";

    g_variant_builder_init(&list, G_VARIANT_TYPE("av"));
    g_variant_dict_init(&d, NULL);
    g_mutex_lock(&f->lock);
    for (unsigned i = 0; f->set && i < f->set->rules->len; i++) {
        const struct fault_rule *r = g_ptr_array_index(f->set->rules, i);
        const char *v = set_verdict(r);

        g_variant_builder_add(&list, "v", set_report_rule(r));
        if (strcmp(v, "failed") == 0 ||
            (strcmp(v, "passed") && strcmp(verdict, "failed"))) {
            verdict = v;
        }
    }
    g_variant_dict_insert(&d, "active", "b", f->active);
    g_variant_dict_insert(&d, "ns", "x",
                          (gint64)(envme_now(f->ctrl) - f->active_at));
    g_mutex_unlock(&f->lock);
    g_variant_dict_insert(&d, "verdict", "s", verdict);
    g_variant_dict_insert_value(&d, "rules", g_variant_builder_end(&list));
    return g_variant_ref_sink(g_variant_dict_end(&d));
}

/* ---- made and freed ---------------------------------------------------- */

struct envme_faults *envme_faults_new(struct envme_ctrl *ctrl,
                                      const struct envme_fault_world *world)
{
    struct envme_faults *f = g_new0(struct envme_faults, 1);

    g_atomic_ref_count_init(&f->ref);
    f->ctrl = ctrl;
    if (world) {
        f->world = *world;
    }
    g_mutex_init(&f->lock);
    g_queue_init(&f->todo);
    g_queue_init(&f->lates);
    f->overrides = g_array_new(FALSE, FALSE, sizeof(struct fault_override));
    f->due.fn = set_due;
    ctrl->hooks = (struct envme_hooks){
        .opaque = f, .fetched = set_fetched, .pre = set_pre,
        .ended = set_ended, .post = set_post, .may_post = set_may_post,
        .cqe = set_cqe, .gone = set_gone, .reg_read = set_reg_read,
        .reg_write = set_reg_write, .doorbell = set_doorbell,
        .state = set_state, .signal = set_signal, .stalled = set_stalled,
    };
    fault_inject_new(f);
    return f;
}

void envme_faults_free(struct envme_faults *f)
{
    struct fault_todo *t;

    if (!f) {
        return;
    }
    fault_late_end(f, FAULT_LATE_ALL);
    atomic_store(&f->ctrl->watch, 0);
    envme_lane_not_at(&f->ctrl->lane[0], &f->due);
    while ((t = g_queue_pop_head(&f->todo))) {
        fault_rule_unref(t->rule);
        g_free(t);
    }
    fault_set_free(f->set);
    if (f->tree) {
        g_variant_unref(f->tree);
    }
    g_array_free(f->overrides, TRUE);
    fault_inject_free(f);
    f->dead = true;
    fault_faults_unref(f);
}
