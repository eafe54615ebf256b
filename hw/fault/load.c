/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules come and go; who owns them. */
#include <string.h>

#include "hw/ctrl/lane.h"
#include "hw/fault/engine.h"

/* ---- from outside ------------------------------------------------------ */

/* Everything begins anew. Under the lock. */
static void load_begin(struct envme_faults *f, bool on)
{
    uint64_t now = envme_now(f->ctrl);

    f->active = on;
    f->active_at = now;
    g_array_set_size(f->overrides, 0);
    for (unsigned i = 0; f->set && on && i < f->set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        fault_arm_rule(f, r, true, now);
        r->is_armed = r->armed && !r->after;
        r->open = r->has_sqe = r->ticked = false;
        r->met = r->failed = 0;
        g_free(r->why);
        r->why = NULL;
    }
    fault_update_watch(f);
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
    load_begin(f, set->active);
    g_mutex_unlock(&f->lock);
    fault_set_free(old);
    fault_inject_forget(f);
    fault_bus_clear(f);
    if (f->tree) {
        g_variant_unref(f->tree);
    }
    f->tree = g_variant_ref_sink(tree);
    fault_rearm(f);
    fault_run_todo(f);
    return true;
}

GVariant *envme_faults_tree(struct envme_faults *f)
{
    return f->tree ? g_variant_ref(f->tree) : NULL;
}

void envme_faults_activate(struct envme_faults *f, bool on)
{
    g_mutex_lock(&f->lock);
    if (f->active != on) {
        load_begin(f, on);
    }
    g_mutex_unlock(&f->lock);
    fault_bus_clear(f);
    fault_rearm(f);
    fault_run_todo(f);
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
                fault_arm_rule(f, r, on, now);
            }
        }
    }
    fault_update_watch(f);
    g_mutex_unlock(&f->lock);
    fault_kick(f);
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
        fault_arm_rule(f, r, true, now);
        r->is_armed = r->armed && !r->after;
    }
    fault_update_watch(f);
    g_mutex_unlock(&f->lock);
    fault_set_free(old);
    fault_kick(f);
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
    fault_update_watch(f);
    g_mutex_unlock(&f->lock);
    fault_rearm(f);
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
    f->overrides = g_array_new(FALSE, FALSE, sizeof(struct fault_override));
    f->due.fn = fault_due;
    fault_hook(f);
    fault_dma_init(f);
    fault_inject_new(f);
    return f;
}

void envme_faults_free(struct envme_faults *f)
{
    struct fault_todo *t;

    if (!f) {
        return;
    }
    atomic_store(&f->ctrl->watch, 0);
    fault_dma_watch(f, false);
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
