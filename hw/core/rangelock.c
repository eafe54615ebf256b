/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/rangelock.h"

#include <assert.h>
#include <stddef.h>

static bool lock_conflict(const struct envme_rangelock_entry *a,
                          const struct envme_rangelock_entry *b)
{
    return !(a->shared && b->shared) && a->start < b->end && b->start < a->end;
}

bool envme_rangelock_enter(struct envme_rangelock *l,
                           struct envme_rangelock_entry *e)
{
    assert(!e->queued);
    e->queued = true;
    e->blockers = 0;
    for (const struct envme_rangelock_entry *o = l->head; o; o = o->next) {
        e->blockers += lock_conflict(e, o);
    }
    e->next = NULL;
    e->prev = l->tail;
    if (l->tail) {
        l->tail->next = e;
    } else {
        l->head = e;
    }
    l->tail = e;
    return !e->blockers;
}

struct envme_rangelock_entry *
envme_rangelock_leave(struct envme_rangelock *l,
                      struct envme_rangelock_entry *e)
{
    struct envme_rangelock_entry *go = NULL, **end = &go;

    assert(e->queued);
    for (struct envme_rangelock_entry *o = e->next; o; o = o->next) {
        if (lock_conflict(e, o) && --o->blockers == 0) {
            o->go_next = NULL;
            *end = o;
            end = &o->go_next;
        }
    }
    *(e->prev ? &e->prev->next : &l->head) = e->next;
    *(e->next ? &e->next->prev : &l->tail) = e->prev;
    e->queued = false;
    return go;
}

void envme_rangelock_hand_over(struct envme_rangelock *l,
                               struct envme_rangelock_entry *from,
                               struct envme_rangelock_entry *to)
{
    assert(from->queued && !to->queued);
    *to = *from;
    *(to->prev ? &to->prev->next : &l->head) = to;
    *(to->next ? &to->next->prev : &l->tail) = to;
    from->queued = false;
}
