/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deadlines: what has to happen at a time, earliest first. A binary heap of
 * nodes that their owners embed.
 *
 * Owner: the lane that embeds the heap; a node is its owner's, and must be
 * out of the heap before it goes. Threads: the lane's. Pure; calls nothing.
 * Time is whatever scale the caller uses, in ns. O(log n).
 */
#ifndef ENVME_CORE_DEADLINE_H
#define ENVME_CORE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#define ENVME_DEADLINE_NEVER UINT64_MAX

struct envme_deadline {
    uint64_t when;
    uint32_t slot;              /* place in the heap + 1; 0: not in it */
    void (*fn)(struct envme_deadline *d);
};

struct envme_deadlines {
    struct envme_deadline **node;
    uint32_t n, cap;
};

/* Puts a node in, or moves it to another time. */
void envme_deadline_set(struct envme_deadlines *h, struct envme_deadline *d,
                        uint64_t when);
/* Takes it out; nothing happens if it isn't in. */
void envme_deadline_clear(struct envme_deadlines *h,
                          struct envme_deadline *d);
/* When the earliest is, or NEVER. */
uint64_t envme_deadline_first(const struct envme_deadlines *h);
/* Takes out the earliest that is due, or returns NULL. */
struct envme_deadline *envme_deadline_due(struct envme_deadlines *h,
                                          uint64_t now);
/* Frees the heap's own memory; it is empty. */
void envme_deadlines_free(struct envme_deadlines *h);

#endif
