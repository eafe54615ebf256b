/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the waiting entries of a queue came: one mark per arrival, for
 * arbitration strict by age (arbiter.h, ENVME_ARB_VS).
 *
 * Owner: the submission queue that embeds it. Threads: its lane's. Pure. All
 * zero is an empty one, which has no memory. At most ENVME_AGE_MARKS marks are
 * kept: what comes while they are full is taken to be as old as the last one.
 */
#ifndef ENVME_CORE_AGE_H
#define ENVME_CORE_AGE_H

#include <stdint.h>

#define ENVME_AGE_MARKS 1024

struct envme_age_mark {
    uint32_t tail;              /* index after its last entry */
    uint64_t since;
};

struct envme_ages {
    struct envme_age_mark *mark;    /* a ring of cap, the oldest at first */
    unsigned first, n, cap;
};

/* Entries up to the index tail have come now; since does not go back. */
void envme_age_add(struct envme_ages *a, uint32_t tail, uint64_t since);
/* The entry before the index head has been taken out. */
void envme_age_taken(struct envme_ages *a, uint32_t head);
/* When the oldest that is left came; 0 when none is. */
uint64_t envme_age_first(const struct envme_ages *a);
void envme_age_free(struct envme_ages *a);

#endif
