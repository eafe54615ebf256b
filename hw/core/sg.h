/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segment list: the pieces of host memory that a command moves.
 *
 * Owner: the command. Threads: whoever owns the command. Pure. The struct
 * points into itself while the list is short: don't copy or move it.
 */
#ifndef ENVME_CORE_SG_H
#define ENVME_CORE_SG_H

#include <stdbool.h>
#include <stdint.h>

/* Nothing is there: what would go here is discarded. addr has no meaning. */
#define ENVME_SEG_BUCKET 1u

#define ENVME_SG_INLINE 8

struct envme_seg {
    uint64_t addr;
    uint32_t len;
    uint32_t flags;
};

struct envme_sg {
    struct envme_seg *seg;
    uint32_t n;
    uint32_t cap;
    uint32_t limit;             /* n never exceeds it */
    uint64_t bytes;             /* the sum, buckets included */
    struct envme_seg inl[ENVME_SG_INLINE];
};

void envme_sg_init(struct envme_sg *sg, uint32_t limit);

/*
 * Appends; joins with the last segment when that ends where this begins.
 * A length of 0 does nothing. False when that would be more than limit
 * segments, when memory is short, or when the range wraps at 2^64: the list
 * is then as it was.
 */
bool envme_sg_add(struct envme_sg *sg, uint64_t addr, uint32_t len,
                  uint32_t flags);

/* Empty, memory kept. */
void envme_sg_clear(struct envme_sg *sg);

/* Empty, memory given back. Good for use again, as after init. */
void envme_sg_free(struct envme_sg *sg);

#endif
