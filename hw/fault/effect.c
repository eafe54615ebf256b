/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/fault/effect.h"

#include "hw/ctrl/lane.h"

/* When there is something to do next, and whether resets matter. */
void fault_effects_again(struct envme_faults *f)
{
    struct envme_lane *lane = &f->ctrl->lane[0];
    uint64_t next = UINT64_MAX;
    bool reset = false;

    for (GList *l = f->effects.head; l; l = l->next) {
        const struct fault_effect *e = l->data;

        next = ENVME_MIN(next, ENVME_MIN(e->until, e->next));
        reset = reset || e->until_reset;
    }
    if (next == UINT64_MAX) {
        envme_lane_not_at(lane, &f->effects_due);
    } else {
        envme_lane_at(lane, &f->effects_due, next);
    }
    fault_watch_resets(f, reset);
}

static void effect_over(struct envme_faults *f, struct fault_effect *e)
{
    g_queue_unlink(&f->effects, &e->link);
    e->end(e, f);
}

/* An effect that ends or steps may end others, so that the walk begins anew:
 * whoever had their turn have theirs in the future. */
void fault_effects_due(struct envme_deadline *d)
{
    struct envme_faults *f =
        (struct envme_faults *)((char *)d - offsetof(struct envme_faults,
                                                     effects_due));
    uint64_t now = envme_now(f->ctrl);
    GList *l = f->effects.head;

    while (l) {
        struct fault_effect *e = l->data;

        if (e->until <= now || (e->next <= now && !e->step(e, f))) {
            effect_over(f, e);
        } else {
            l = l->next;
            continue;
        }
        l = f->effects.head;
    }
    fault_effects_again(f);
}

void fault_effect_add(struct envme_faults *f, struct fault_effect *e,
                      const struct fault_lasting *last)
{
    e->until = fault_after(envme_now(f->ctrl), last->time);
    e->until_reset = last->until_reset;
    e->next = e->next ? e->next : UINT64_MAX;
    e->link.data = e;
    g_queue_push_tail_link(&f->effects, &e->link);
    fault_effects_again(f);
}

void fault_effect_end(struct envme_faults *f, struct fault_effect *e)
{
    effect_over(f, e);
    fault_effects_again(f);
}

void fault_effects_end(struct envme_faults *f, bool only_reset)
{
    GList *l = f->effects.head;

    f->round += !only_reset;
    while (l) {
        struct fault_effect *e = l->data;

        if (only_reset && !e->until_reset) {
            l = l->next;
            continue;
        }
        effect_over(f, e);
        l = f->effects.head;
    }
    fault_effects_again(f);
}

struct fault_effect *fault_effect_find(
    struct envme_faults *f,
    void (*end)(struct fault_effect *e, struct envme_faults *f),
    bool (*same)(const struct fault_effect *e, const void *arg),
    const void *arg)
{
    for (GList *l = f->effects.head; l; l = l->next) {
        struct fault_effect *e = l->data;

        if (e->end == end && same(e, arg)) {
            return e;
        }
    }
    return NULL;
}
