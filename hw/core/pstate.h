/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of power states as a user writes it: docs/power.md. Base 2.1,
 * 8.1.19 and the Power State Descriptor of 5.1.13.2.1.
 *
 * Pure; any thread.
 */
#ifndef ENVME_CORE_PSTATE_H
#define ENVME_CORE_PSTATE_H

#include <stdbool.h>
#include <stdint.h>

#define ENVME_PSTATES 32

struct envme_pstate {
    uint32_t mw;                /* MP, milliwatts */
    uint32_t enlat, exlat;      /* microseconds */
    uint8_t speed;              /* percent of state 0; 0: non-operational */
    uint32_t idle_mw, active_mw;    /* 0: not told */
};

struct envme_pstates {
    unsigned n;                 /* 0: one state of which nothing is told */
    struct envme_pstate s[ENVME_PSTATES];
};

/* "on": the usual five; NULL, "off": one. Returns NULL, or a sentence that
 * says what is wrong (g_free). */
char *envme_pstates_parse(const char *text, struct envme_pstates *t);

static inline bool envme_pstate_nops(const struct envme_pstates *t,
                                     unsigned i)
{
    return i < t->n && !t->s[i].speed;
}

/* Is there any non-operational state? */
bool envme_pstates_any_nops(const struct envme_pstates *t);
/* RRT, RRL, RWT, RWL: how many states are faster. */
unsigned envme_pstates_rank(const struct envme_pstates *t, unsigned i);

#endif
