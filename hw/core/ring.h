/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queue indices: the only place that wraps one.
 *
 * A ring of size entries holds size - 1 of them at most: it is empty when
 * head and tail are equal and full when tail is right behind head. The head
 * is where the next entry is taken out, the tail where the next is put in.
 *
 * Owner: the queue that embeds it. Threads: the queue's lane only. Pure; calls
 * nothing. Spec: Base 2.1, 3.3.1 (memory-based queues), 4.2.4 (phase tag).
 */
#ifndef ENVME_CORE_RING_H
#define ENVME_CORE_RING_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct envme_ring {
    uint32_t size;              /* entries, at least 2 */
    uint32_t head;
    uint32_t tail;
};

static inline void envme_ring_init(struct envme_ring *r, uint32_t size)
{
    assert(size >= 2);
    r->size = size;
    r->head = 0;
    r->tail = 0;
}

static inline uint32_t envme_ring_next(const struct envme_ring *r, uint32_t i)
{
    return i + 1 == r->size ? 0 : i + 1;
}

/* The index n steps after the head, n below size. */
static inline uint32_t envme_ring_add(const struct envme_ring *r, uint32_t n)
{
    return n < r->size - r->head ? r->head + n : n - (r->size - r->head);
}

/* Steps forward from one index to another, both below size. */
static inline uint32_t envme_ring_dist(const struct envme_ring *r,
                                       uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + (r->size - from);
}

static inline uint32_t envme_ring_used(const struct envme_ring *r)
{
    return envme_ring_dist(r, r->head, r->tail);
}

static inline uint32_t envme_ring_free(const struct envme_ring *r)
{
    return r->size - 1 - envme_ring_used(r);
}

static inline bool envme_ring_empty(const struct envme_ring *r)
{
    return r->head == r->tail;
}

static inline bool envme_ring_full(const struct envme_ring *r)
{
    return envme_ring_next(r, r->tail) == r->head;
}

/* Returns the index to fill. Not when full. */
static inline uint32_t envme_ring_push(struct envme_ring *r)
{
    uint32_t i = r->tail;

    assert(!envme_ring_full(r));
    r->tail = envme_ring_next(r, i);
    return i;
}

/* Returns the index to take. Not when empty. */
static inline uint32_t envme_ring_pop(struct envme_ring *r)
{
    uint32_t i = r->head;

    assert(!envme_ring_empty(r));
    r->head = envme_ring_next(r, i);
    return i;
}

/*
 * The tail that the host wrote. False, and nothing changed, when there is no
 * such entry. Any tail below size is possible: what the host had submitted
 * before is not known to be still there.
 */
static inline bool envme_ring_set_tail(struct envme_ring *r, uint32_t tail)
{
    if (tail >= r->size) {
        return false;
    }
    r->tail = tail;
    return true;
}

/*
 * The head that the host wrote. False, and nothing changed, when there is no
 * such entry or when it would free entries that were never posted.
 */
static inline bool envme_ring_set_head(struct envme_ring *r, uint32_t head)
{
    if (head >= r->size ||
        envme_ring_dist(r, r->head, head) > envme_ring_used(r)) {
        return false;
    }
    r->head = head;
    return true;
}

/*
 * The ring of a completion queue. A slot is reserved when a command is
 * fetched, so that posting its completion can't fail.
 */
struct envme_cring {
    struct envme_ring ring;
    uint32_t reserved;
    bool phase;                 /* phase tag of the next entry */
};

static inline void envme_cring_init(struct envme_cring *c, uint32_t size)
{
    envme_ring_init(&c->ring, size);
    c->reserved = 0;
    c->phase = true;
}

static inline bool envme_cring_reserve(struct envme_cring *c)
{
    if (c->reserved >= envme_ring_free(&c->ring)) {
        return false;
    }
    c->reserved++;
    return true;
}

static inline void envme_cring_unreserve(struct envme_cring *c)
{
    assert(c->reserved > 0);
    c->reserved--;
}

/* Turns a reserved slot into an entry. Returns its index and phase tag. */
static inline uint32_t envme_cring_post(struct envme_cring *c, bool *phase)
{
    uint32_t i;

    envme_cring_unreserve(c);
    i = envme_ring_push(&c->ring);
    *phase = c->phase;
    if (c->ring.tail == 0) {
        c->phase = !c->phase;
    }
    return i;
}

static inline bool envme_cring_set_head(struct envme_cring *c, uint32_t head)
{
    return envme_ring_set_head(&c->ring, head);
}

#endif
