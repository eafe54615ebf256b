/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/shortcut.h"

#include <glib.h>

enum {
    SHORTCUT_NONE,              /* nobody has asked */
    SHORTCUT_CLOSED,
    SHORTCUT_NEVER,
    SHORTCUT_OPEN,              /* and the number of the way */
};

void envme_shortcut_init(struct envme_shortcuts *t, unsigned n)
{
    *t = (struct envme_shortcuts) {
        .n = n, .state = g_malloc0_n(n, sizeof(*t->state)),
    };
}

void envme_shortcut_add(struct envme_shortcuts *t,
                        const struct envme_shortcut_ops *ops, void *opaque)
{
    g_assert_cmpuint(t->nways, <, ENVME_SHORTCUT_WAYS);
    t->way[t->nways++] = (struct envme_shortcut_way) {
        .ops = ops, .opaque = opaque,
    };
}

static void shortcut_close(struct envme_shortcuts *t, unsigned vector,
                           struct envme_shortcut_way *way)
{
    /* First: then whoever finds it open still has signalled before close, or
     * signals what close has prepared for. */
    atomic_store_explicit(&t->state[vector], SHORTCUT_CLOSED,
                          memory_order_release);
    way->nopen--;
    way->ops->close(way->opaque, vector);
}

static unsigned char shortcut_open(struct envme_shortcuts *t, unsigned vector)
{
    for (unsigned i = 0; i < t->nways; i++) {
        if (t->way[i].ops->open(t->way[i].opaque, vector)) {
            t->way[i].nopen++;
            return SHORTCUT_OPEN + i;
        }
    }
    return SHORTCUT_NEVER;
}

void envme_shortcut_fini(struct envme_shortcuts *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        envme_shortcut_look(t, i, false);
    }
    g_free(t->state);
    *t = (struct envme_shortcuts) { 0 };
}

bool envme_shortcut_send(struct envme_shortcuts *t, unsigned vector)
{
    unsigned char state;

    if (vector >= t->n) {
        return false;
    }
    state = atomic_load_explicit(&t->state[vector], memory_order_acquire);
    if (state >= SHORTCUT_OPEN) {
        struct envme_shortcut_way *way = &t->way[state - SHORTCUT_OPEN];

        return way->ops->signal(way->opaque, vector);
    }
    if (state == SHORTCUT_NONE) {
        atomic_compare_exchange_strong(&t->state[vector], &state,
                                       SHORTCUT_CLOSED);
    }
    return false;
}

void envme_shortcut_look(struct envme_shortcuts *t, unsigned vector, bool may)
{
    unsigned char state = SHORTCUT_NONE;

    if (vector < t->n) {
        state = atomic_load(&t->state[vector]);
    }
    if (state >= SHORTCUT_OPEN && !may) {
        shortcut_close(t, vector, &t->way[state - SHORTCUT_OPEN]);
    } else if (state == SHORTCUT_CLOSED && may) {
        atomic_store_explicit(&t->state[vector], shortcut_open(t, vector),
                              memory_order_release);
    }
}
