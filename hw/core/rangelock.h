/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may go through a range now: entries in the order in which they came; one
 * goes when none before it is in its way. Nobody overtakes, so nobody starves.
 *
 * Owner and threads: the caller's, which brings the lock and the entries, and
 * wakes those that may go.
 */
#ifndef ENVME_CORE_RANGELOCK_H
#define ENVME_CORE_RANGELOCK_H

#include <stdbool.h>
#include <stdint.h>

struct envme_rangelock_entry {
    uint64_t start, end;        /* end: one beyond the last */
    bool shared;                /* in nobody's way who is shared as well */
    bool queued;
    unsigned blockers;          /* before it and in its way */
    struct envme_rangelock_entry *prev, *next;
    struct envme_rangelock_entry *go_next;
};

struct envme_rangelock {
    struct envme_rangelock_entry *head, *tail;
};

/* start, end and shared are set. True: it may go now. */
bool envme_rangelock_enter(struct envme_rangelock *l,
                           struct envme_rangelock_entry *e);
/* It is through, or doesn't want to any more. Returns those who may go now for
 * that reason, linked by go_next. */
struct envme_rangelock_entry *
envme_rangelock_leave(struct envme_rangelock *l,
                      struct envme_rangelock_entry *e);
/* `to` takes the place of `from`, with its range; from has left. */
void envme_rangelock_hand_over(struct envme_rangelock *l,
                               struct envme_rangelock_entry *from,
                               struct envme_rangelock_entry *to);

#endif
