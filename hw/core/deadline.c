/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/core/deadline.h"

#include <assert.h>
#include <glib.h>

static void heap_put(struct envme_deadlines *h, uint32_t i,
                     struct envme_deadline *d)
{
    h->node[i] = d;
    d->slot = i + 1;
}

static void heap_up(struct envme_deadlines *h, uint32_t i)
{
    struct envme_deadline *d = h->node[i];

    while (i && h->node[(i - 1) / 2]->when > d->when) {
        heap_put(h, i, h->node[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_put(h, i, d);
}

static void heap_down(struct envme_deadlines *h, uint32_t i)
{
    struct envme_deadline *d = h->node[i];

    for (;;) {
        uint32_t c = 2 * i + 1;

        if (c >= h->n) {
            break;
        }
        if (c + 1 < h->n && h->node[c + 1]->when < h->node[c]->when) {
            c++;
        }
        if (d->when <= h->node[c]->when) {
            break;
        }
        heap_put(h, i, h->node[c]);
        i = c;
    }
    heap_put(h, i, d);
}

void envme_deadline_set(struct envme_deadlines *h, struct envme_deadline *d,
                        uint64_t when)
{
    if (!d->slot) {
        if (h->n == h->cap) {
            h->cap = h->cap ? h->cap * 2 : 16;
            h->node = g_renew(struct envme_deadline *, h->node, h->cap);
        }
        heap_put(h, h->n++, d);
    }
    d->when = when;
    heap_up(h, d->slot - 1);
    heap_down(h, d->slot - 1);
}

void envme_deadline_clear(struct envme_deadlines *h, struct envme_deadline *d)
{
    uint32_t i = d->slot - 1;

    if (!d->slot) {
        return;
    }
    assert(i < h->n && h->node[i] == d);
    d->slot = 0;
    h->n--;
    if (i < h->n) {
        struct envme_deadline *last = h->node[h->n];

        heap_put(h, i, last);
        heap_up(h, i);
        heap_down(h, last->slot - 1);
    }
}

uint64_t envme_deadline_first(const struct envme_deadlines *h)
{
    return h->n ? h->node[0]->when : ENVME_DEADLINE_NEVER;
}

struct envme_deadline *envme_deadline_due(struct envme_deadlines *h,
                                          uint64_t now)
{
    struct envme_deadline *d = h->n ? h->node[0] : NULL;

    if (!d || d->when > now) {
        return NULL;
    }
    envme_deadline_clear(h, d);
    return d;
}

void envme_deadlines_free(struct envme_deadlines *h)
{
    assert(h->n == 0);
    g_free(h->node);
    *h = (struct envme_deadlines){ 0 };
}
