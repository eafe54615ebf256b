/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many commands are worth a turn: learned from how a host goes on after it
 * has been made to wait.
 *
 * Owner: what embeds it. Threads: one at a time. Pure; calls nothing.
 *
 * A turn for each doorbell gives the host an interrupt for each command. Where
 * it has more to submit anyway, a turn for several is better for both; where it
 * waits for the one, any delay is a loss. So now and then twice as many as last
 * are waited for. If they come, that is the new number; if not, the number is
 * what came, and it takes twice as many turns before more is tried again.
 */
#ifndef ENVME_CORE_GATHER_H
#define ENVME_CORE_GATHER_H

#include <stdbool.h>
#include <stdint.h>

struct envme_gather {
    uint32_t most;              /* commands for a turn, at least 1 */
    uint32_t want;              /* 1 .. most */
    uint32_t full;              /* turns since the number has changed ... */
    uint32_t patience;          /* ... and after how many it may grow */
    bool trying;                /* the number is a guess */
};

/* One command for a turn, until it is known better. */
void envme_gather_init(struct envme_gather *g, uint32_t most);
/* A turn begins with as many as are wanted. */
void envme_gather_full(struct envme_gather *g);
/* The host has stopped submitting after n, fewer than are wanted. */
void envme_gather_short(struct envme_gather *g, uint32_t n);

#endif
