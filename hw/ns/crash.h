/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a medium may hold after a power loss: which of the writes that were not
 * flushed are there. NVM 1.1, 2.1.4 (atomic operation, power fail).
 *
 * A write up to the atomic write unit is there as a whole or not at all, with
 * its metadata; a larger one, or one across an atomic boundary, block by block,
 * a block with its metadata. Nothing orders writes but Flush, so any subset may
 * be there; among those that are there, a later one is on top.
 *
 * Pure functions of what they are given; any thread. The same seed makes the
 * same choice.
 */
#ifndef ENVME_NS_CRASH_H
#define ENVME_NS_CRASH_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A request that is in the cache. */
struct envme_crash_rec {
    uint64_t group;             /* requests of one write have the same */
    uint64_t offset, bytes;
    bool open;                  /* its write had not ended: it is lost */
    bool pinned;                /* it is always there */
};

/* A part of the medium, and what writes in it are made of. */
struct envme_crash_zone {
    uint64_t offset, bytes;     /* of the data */
    uint32_t block;             /* bytes; 0: writes in it are never torn */
    uint16_t ms;                /* metadata bytes per block ... */
    uint64_t moff;              /* ... which begin here */
    uint64_t atomic;            /* bytes that are written as a whole */
    /* Writes across multiples of this (bytes; 0: none), counted from
     * boundary_at on, are not. */
    uint64_t boundary, boundary_at;
};

struct envme_crash_opts {
    bool tear;                  /* larger ones may be torn */
    /* Breaks the specification: every write, of any size, may be torn at
     * multiples of this; bytes, 0: none. */
    uint32_t tear_size;
};

struct envme_crash;

/* recs: oldest first; copied, like the zones. */
struct envme_crash *envme_crash_new(const struct envme_crash_rec *recs,
                                    unsigned n,
                                    const struct envme_crash_zone *zones,
                                    unsigned nzones,
                                    const struct envme_crash_opts *opts);
void envme_crash_free(struct envme_crash *c);

/* How many things can be lost or kept on their own. */
unsigned envme_crash_units(const struct envme_crash *c);

enum envme_crash_lose {
    ENVME_CRASH_LOSE_UNFLUSHED, /* all that may be lost */
    ENVME_CRASH_LOSE_RANDOM,
    ENVME_CRASH_LOSE_NONE,
};

/* A choice: a byte per unit, not 0 for what is kept. g_free. */
uint8_t *envme_crash_choose(const struct envme_crash *c,
                            enum envme_crash_lose lose, uint64_t seed);
/*
 * Up to n choices, each with another outcome (by which request each byte comes
 * from): the first keeps nothing, the second everything, the others are as
 * the seed says. Fewer when there are not so many. Elements: as of
 * envme_crash_choose(). g_ptr_array_unref.
 */
GPtrArray *envme_crash_enumerate(const struct envme_crash *c, unsigned n,
                                 uint64_t seed);

/* A part of a request that is on the medium. */
struct envme_crash_piece {
    unsigned rec;               /* index */
    uint64_t offset, bytes;     /* on the medium */
};

/* What a choice leaves: pieces that do not overlap, by offset.
 * g_array_unref. */
GArray *envme_crash_outcome(const struct envme_crash *c, const uint8_t *kept);

#endif
