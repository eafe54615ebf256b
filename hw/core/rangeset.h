/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of numbers kept as intervals that neither overlap nor touch.
 *
 * Owner and threads: the caller's; it brings the lock. Bounded by what it is
 * made for, so that a guest can't have it grow for ever.
 */
#ifndef ENVME_CORE_RANGESET_H
#define ENVME_CORE_RANGESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct envme_range {
    uint64_t start, end;        /* end: one beyond the last */
};

struct envme_rangeset {
    struct envme_range *r;      /* ascending */
    size_t n, cap, max;
};

void envme_rangeset_init(struct envme_rangeset *s, size_t max);
void envme_rangeset_fini(struct envme_rangeset *s);

/* start + count must not overflow. False, and nothing has changed, when it
 * would take more than max intervals or memory is short. */
bool envme_rangeset_add(struct envme_rangeset *s, uint64_t start,
                        uint64_t count);
/* The same: taking out of the middle makes two of one. */
bool envme_rangeset_remove(struct envme_rangeset *s, uint64_t start,
                           uint64_t count);
/* The interval that v is in. Never fails. */
void envme_rangeset_drop(struct envme_rangeset *s, uint64_t v);
void envme_rangeset_clear(struct envme_rangeset *s);

/* The lowest number from start on that is in the set, of count numbers; false
 * if none is. */
bool envme_rangeset_first(const struct envme_rangeset *s, uint64_t start,
                          uint64_t count, uint64_t *found);

/* The first interval, or the rest of it, from start on; false at the end. */
bool envme_rangeset_next(const struct envme_rangeset *s, uint64_t start,
                         struct envme_range *found);

#endif
