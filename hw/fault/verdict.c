/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host must do then, events for whoever listens, and the report. */
#include <string.h>

#include "hw/fault/engine.h"

/* ---- events for whoever listens ---------------------------------------- */

static GVariant *verdict_sqe_text(const struct envme_sqe *sqe)
{
    const uint8_t *p = (const uint8_t *)sqe;
    char text[sizeof(*sqe) * 2 + 1];

    for (unsigned i = 0; i < sizeof(*sqe); i++) {
        g_snprintf(text + 2 * i, 3, "%02x", p[i]);
    }
    return g_variant_new_string(text);
}

void fault_tell(struct envme_faults *f, const char *what,
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
        g_variant_dict_insert_value(&d, "sqe",
                                    verdict_sqe_text(&ev->cmd->sqe));
    }
    if (strcmp(what, "failed") == 0 && r->why) {
        g_variant_dict_insert(&d, "why", "s", r->why);
    }
    f->event(f->event_opaque, g_variant_ref_sink(g_variant_dict_end(&d)));
}

/* ---- expectations ------------------------------------------------------ */

void fault_failed(struct envme_faults *f, struct fault_rule *r, uint64_t now,
                  const struct fault_event *ev, char *why)
{
    r->open = false;
    r->failed++;
    if (r->why) {
        g_free(why);
    } else {
        r->why = why;
    }
    fault_tell(f, "failed", r, now, ev);
}

static void verdict_met(struct envme_faults *f, struct fault_rule *r,
                        uint64_t now, const struct fault_event *ev)
{
    r->open = false;
    r->met++;
    fault_tell(f, "met", r, now, ev);
}

static const struct fault_step *verdict_find_step(GArray *steps,
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

void fault_observe(struct envme_faults *f, struct fault_rule *r, uint64_t now,
                   const struct fault_event *ev)
{
    const struct fault_expect *x = &r->expect;
    const struct fault_step *s = verdict_find_step(x->never, ev);

    if (s) {
        fault_failed(f, r, now, ev, g_strdup_printf("the host did what it must "
                                                  "not: %s", s->text));
        return;
    }
    if (x->next && r->step < x->next->len &&
        fault_step_is(&g_array_index(x->next, struct fault_step, r->step),
                      ev)) {
        r->step++;
    }
    if (x->any && verdict_find_step(x->any, ev) && !x->next && !x->never) {
        verdict_met(f, r, now, ev);
        return;
    }
    if (x->next && r->step == x->next->len && !x->never && !x->any) {
        verdict_met(f, r, now, ev);
    }
}

void fault_expire(struct envme_faults *f, struct fault_rule *r, uint64_t now)
{
    const struct fault_expect *x = &r->expect;

    if (x->next && r->step < x->next->len) {
        const char *text = g_array_index(x->next, struct fault_step,
                                         r->step).text;

        fault_failed(f, r, now, NULL,
                   g_strdup_printf("the host did not: %s", text));
    } else if (x->any && !x->next && !x->never) {
        fault_failed(f, r, now, NULL,
                   g_strdup("the host did nothing of what was expected"));
    } else {
        verdict_met(f, r, now, NULL);
    }
}

/* ---- the report -------------------------------------------------------- */

static const char *verdict_of(const struct fault_rule *r)
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

static GVariant *verdict_report_cmd(const struct envme_sqe *sqe, uint16_t qid,
                                    uint64_t at)
{
    GVariantDict d;

    g_variant_dict_init(&d, NULL);
    g_variant_dict_insert(&d, "ns", "x", (gint64)at);
    if (sqe) {
        g_variant_dict_insert(&d, "qid", "x", (gint64)qid);
        g_variant_dict_insert_value(&d, "sqe", verdict_sqe_text(sqe));
    }
    return g_variant_dict_end(&d);
}

static GVariant *verdict_report_rule(const struct fault_rule *r)
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
        g_variant_dict_insert_value(&d, "first", verdict_report_cmd(
            r->has_sqe ? &r->first_sqe : NULL, r->first_qid, r->first_at));
        g_variant_dict_insert_value(&d, "last", verdict_report_cmd(
            r->has_sqe ? &r->last_sqe : NULL, r->last_qid, r->last_at));
    }
    if (r->has_expect || r->forbid) {
        g_variant_dict_insert(&d, "met", "x", (gint64)r->met);
        g_variant_dict_insert(&d, "failed", "x", (gint64)r->failed);
        g_variant_dict_insert(&d, "verdict", "s", verdict_of(r));
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
        const char *v = verdict_of(r);

        g_variant_builder_add(&list, "v", verdict_report_rule(r));
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
