/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capacity of a subsystem: which bytes of which media belong to somebody.
 * Base 2.1, 3.8.
 *
 * A member is a medium, named by a pointer that is never followed. Pure
 * bookkeeping in bytes, without rounding: what is taken is exactly what was
 * asked for. Owner: the subsystem. Threads: lane 0.
 */
#ifndef ENVME_NS_POOL_H
#define ENVME_NS_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct envme_extent {
    void *member;
    uint64_t offset, len;
};

struct envme_pool;

struct envme_pool *envme_pool_new(void);
/* Whatever is still in it. */
void envme_pool_free(struct envme_pool *p);

/* A medium without anything on it; not yet a member. */
void envme_pool_add(struct envme_pool *p, void *member, uint64_t size);
/* Nothing is taken on it. */
void envme_pool_remove(struct envme_pool *p, void *member);
bool envme_pool_has(const struct envme_pool *p, const void *member);
/* A medium that is not to be written offers nothing to carve. */
void envme_pool_set_usable(struct envme_pool *p, void *member, bool usable);
/*
 * The medium has another size now. What is taken beyond a new end stays taken
 * and counts as capacity until it is given back.
 */
void envme_pool_resize(struct envme_pool *p, void *member, uint64_t size);

/* Exactly these bytes; false, and nothing is done, when one of them is taken
 * or beyond the end. */
bool envme_pool_take(struct envme_pool *p, const struct envme_extent *e);
/*
 * len bytes: first fit in one piece where that is possible, several pieces
 * otherwise. Each starts and ends at a multiple of align (a power of two, of
 * which len is a multiple). Returns how many, in *ext (g_free); 0 when there
 * are not enough, and nothing is done then.
 */
unsigned envme_pool_carve(struct envme_pool *p, uint64_t len, uint32_t align,
                          struct envme_extent **ext);
/* Gives back what was taken, extent by extent as it was taken. */
void envme_pool_give(struct envme_pool *p, const struct envme_extent *ext,
                     unsigned n);

/* Bytes that there are, and those that nobody has. */
uint64_t envme_pool_total(const struct envme_pool *p);
uint64_t envme_pool_unused(const struct envme_pool *p);

#endif
