/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules at work: what is watched, what fires, what the time brings. */
#include <string.h>

#include "hw/ctrl/lane.h"
#include "hw/fault/effect.h"
#include "hw/fault/engine.h"

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
    if (fault_may_slow(r)) {
        w |= ENVME_WATCH_CMD;
    }
    return w;
}

void fault_update_watch(struct envme_faults *f)
{
    uint64_t looks[2][256 / 64] = { 0 };
    bool dma = false, slow = false;
    unsigned w = 0;

    for (unsigned i = 0; f->active && f->set && i < f->set->rules->len; i++) {
        const struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        w |= set_watch_of(r);
        if (r->is_armed && r->on == FAULT_ON_COMMAND) {
            fault_match_looks(&r->match, looks);
        }
        if (r->open || fault_may_slow(r)) {
            memset(looks, 0xff, sizeof(looks));
        }
        dma |= r->is_armed && r->on == FAULT_ON_DMA;
        slow |= fault_may_slow(r);
    }
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(looks[0]); i++) {
        atomic_store(&f->looks[0][i], looks[0][i]);
        atomic_store(&f->looks[1][i], looks[1][i]);
    }
    if (f->overrides->len) {
        w |= ENVME_WATCH_REG | ENVME_WATCH_STATE;
    }
    if (f->effects_reset) {
        w |= ENVME_WATCH_STATE;
    }
    w |= fault_late_watch(f);
    atomic_store(&f->ctrl->watch, w);
    atomic_store(&f->may_slow, slow);
    fault_dma_watch(f, dma);
}

void fault_watch_resets(struct envme_faults *f, bool on)
{
    g_mutex_lock(&f->lock);
    f->effects_reset = on;
    fault_update_watch(f);
    g_mutex_unlock(&f->lock);
}

void fault_arm_rule(struct envme_faults *f, struct fault_rule *r, bool on,
                    uint64_t now)
{
    r->is_armed = on;
    if (on) {
        envme_trigger_arm(&r->trigger, &r->when,
                          envme_rng_seed(f->set->seed, r->name), now);
    }
}

/* ---- hits -------------------------------------------------------------- */

/* The least time between two firings of a rule of TIME: rules that arm each
 * other would else keep lane 0 busy at one moment for ever. */
#define SET_TICK UINT64_C(1000000)

static uint64_t set_expiry(const struct fault_rule *r)
{
    return fault_after(r->open_at, r->expect.within);
}

/* When a rule of TIME that is armed fires. */
static uint64_t set_due_at(const struct fault_rule *r)
{
    /* Without "from", the first time is one period away. */
    uint64_t n = r->trigger.matches + !r->when.from;
    uint64_t step = n && r->period > UINT64_MAX / n ? UINT64_MAX
                                                    : r->period * n;
    uint64_t at = fault_after(fault_after(r->trigger.armed_at, r->when.from),
                              step);

    return r->ticked ? ENVME_MAX(at, fault_after(r->ticked_at, SET_TICK)) : at;
}

static uint64_t set_next_time(const struct fault_rule *r)
{
    uint64_t at = r->open ? set_expiry(r) : UINT64_MAX;

    if (r->is_armed && r->on == FAULT_ON_TIME) {
        at = ENVME_MIN(at, set_due_at(r));
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

void fault_note(struct envme_faults *f, const char *fmt, ...)
{
    const struct envme_note *note = &f->ctrl->ports.note;
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    if (note->say) {
        note->say(note->opaque, text);
    }
    g_free(text);
}

void fault_run_todo(struct envme_faults *f)
{
    struct fault_todo *t;

    while (!f->dead) {
        g_mutex_lock(&f->lock);
        t = g_queue_pop_head(&f->todo);
        g_mutex_unlock(&f->lock);
        if (!t) {
            return;
        }
        f->doing = t->rule;
        t->action->row->lane0(t->action->args, f);
        f->doing = NULL;
        fault_rule_unref(t->rule);
        g_free(t);
    }
}

static void set_look(void *opaque)
{
    struct envme_faults *f = opaque;

    fault_run_todo(f);
    fault_late_run(f);
    fault_rearm(f);
    fault_faults_unref(f);
}

void fault_kick(struct envme_faults *f)
{
    g_atomic_ref_count_inc(&f->ref);
    envme_defer(f->ctrl, 0, set_look, f);
}

void fault_look_again(struct envme_faults *f)
{
    g_mutex_lock(&f->lock);
    fault_update_watch(f);
    g_mutex_unlock(&f->lock);
    fault_kick(f);
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
    fault_tell(f, "hit", r, now, ev);
    if (r->forbid) {
        fault_failed(f, r, now, ev, g_strdup(r->forbid));
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
            fault_arm_rule(f, o, true, now);
            later = later || o->on == FAULT_ON_TIME;
        }
    }
    if (envme_trigger_is_spent(&r->trigger, now)) {
        r->is_armed = false;
    }
    fault_update_watch(f);
    if (later || r->open) {
        fault_kick(f);
    }
}

GPtrArray *fault_event_seen(struct envme_faults *f,
                            const struct fault_event *ev)
{
    uint64_t now = envme_now(f->ctrl);
    GPtrArray *fired = NULL;
    bool was_open = false;

    g_mutex_lock(&f->lock);
    for (unsigned i = 0; f->active && f->set && i < f->set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        if (r->open) {
            fault_observe(f, r, now, ev);
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
        fault_update_watch(f);
    }
    g_mutex_unlock(&f->lock);
    return fired;
}

void fault_change_of(GPtrArray *fired, const struct fault_event *ev,
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

        if (r->open && now >= set_expiry(r)) {
            fault_expire(f, r, now);
            again = true;
        }
        if (r->on == FAULT_ON_TIME && r->is_armed && now >= set_due_at(r)) {
            r->ticked = true;
            r->ticked_at = now;
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

void fault_rearm(struct envme_faults *f)
{
    uint64_t next = UINT64_MAX, now;

    if (f->dead) {
        return;
    }
    now = envme_now(f->ctrl);
    g_mutex_lock(&f->lock);
    if (set_tick(f, now)) {
        fault_update_watch(f);
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
    next = ENVME_MIN(next, fault_bus_tick(f, now));
    if (next == UINT64_MAX) {
        envme_lane_not_at(&f->ctrl->lane[0], &f->due);
    } else {
        envme_lane_at(&f->ctrl->lane[0], &f->due, next);
    }
}

void fault_due(struct envme_deadline *d)
{
    struct envme_faults *f = set_of_deadline(d);

    fault_late_run(f);
    fault_rearm(f);
    fault_run_todo(f);
}
