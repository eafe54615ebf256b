/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a rule fires: counted first, random second, and always the same for the
 * same seed and the same sequence of matches. Pure bookkeeping.
 *
 * Threads: the owner's lock. Times are ns of the owner's clock.
 */
#ifndef ENVME_CORE_TRIGGER_H
#define ENVME_CORE_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#define ENVME_TRIGGER_EVER UINT64_MAX

/* What is asked for. All that is given has to be true at once. */
struct envme_when {
    uint64_t nth;               /* only the nth match; 0: any */
    uint64_t every;             /* each match that it divides; 0: any */
    uint64_t first;             /* one of the first so many matches; 0: any */
    uint64_t times;             /* fires at most so often; 0: no limit */
    double probability;         /* of what all else lets through, 0..1 */
    uint64_t from, to;          /* ns since it was armed, [from, to) */
};

struct envme_trigger {
    struct envme_when when;
    uint64_t armed_at;
    uint64_t matches;           /* since it was armed */
    uint64_t hits;
    uint64_t rng;
};

/* A random number generator of 64 bits (SplitMix64), for all who need one
 * that a seed determines. */
uint64_t envme_rng_next(uint64_t *state);
/* Uniform in [0, 1), and in [0, n) for n > 0. */
double envme_rng_unit(uint64_t *state);
uint64_t envme_rng_below(uint64_t *state, uint64_t n);
/* A state of its own for each name under one seed. */
uint64_t envme_rng_seed(uint64_t seed, const char *name);

/* Any match fires, with no limits. */
void envme_when_init(struct envme_when *when);

/* Counts begin at 0. */
void envme_trigger_arm(struct envme_trigger *t, const struct envme_when *when,
                       uint64_t seed, uint64_t now);
/* Something has matched: does the rule fire? */
bool envme_trigger_match(struct envme_trigger *t, uint64_t now);
/* It cannot fire any more, whatever comes. */
bool envme_trigger_is_spent(const struct envme_trigger *t, uint64_t now);

#endif
