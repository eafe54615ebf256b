/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/shortcut.h"

#include <glib.h>

enum {
    SHORTCUT_NONE,              /* nobody has asked */
    SHORTCUT_CLOSED,
    SHORTCUT_OPEN,
    SHORTCUT_NEVER,
};

void envme_shortcut_init(struct envme_shortcuts *t, unsigned n,
                         const struct envme_shortcut_ops *ops, void *opaque)
{
    *t = (struct envme_shortcuts) {
        .ops = ops, .opaque = opaque, .n = n,
        .state = g_malloc0_n(n, sizeof(*t->state)),
    };
}

static void shortcut_close(struct envme_shortcuts *t, unsigned vector)
{
    /* First: then whoever finds it open still has signalled before close, or
     * signals what close has prepared for. */
    atomic_store_explicit(&t->state[vector], SHORTCUT_CLOSED,
                          memory_order_release);
    t->nopen--;
    t->ops->close(t->opaque, vector);
}

void envme_shortcut_fini(struct envme_shortcuts *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (atomic_load(&t->state[i]) == SHORTCUT_OPEN) {
            shortcut_close(t, i);
        }
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
    if (state == SHORTCUT_OPEN) {
        t->ops->signal(t->opaque, vector);
        return true;
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
    bool is_open;

    if (vector < t->n) {
        state = atomic_load(&t->state[vector]);
    }
    if (state == SHORTCUT_OPEN && !may) {
        shortcut_close(t, vector);
    } else if (state == SHORTCUT_CLOSED && may) {
        is_open = t->ops->open(t->opaque, vector);
        t->nopen += is_open;
        atomic_store_explicit(&t->state[vector], is_open ? SHORTCUT_OPEN
                                                         : SHORTCUT_NEVER,
                              memory_order_release);
    }
}
