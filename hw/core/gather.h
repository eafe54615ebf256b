/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many commands are worth a turn, learned from how a host goes on after it has
 * been made to wait; and when the waiting is over.
 *
 * Owner: what embeds it. Threads: one at a time, but rung(), which any calls. Pure;
 * calls nothing. Times are ns of the caller's clock.
 *
 * A turn for each doorbell gives the host an interrupt for each command. Where
 * it has more to submit anyway, a turn for several is better for both; where it
 * waits for the one, any delay is a loss. So now and then twice as many as last
 * are waited for. If they come, that is the new number; if not, the number is
 * what came, or half, and it takes twice as many turns before more is tried again.
 *
 * Who rings and then has nothing else to do waits for what it has submitted: that
 * ends the waiting of all. So does a time for each command that is wanted.
 */
#ifndef ENVME_CORE_GATHER_H
#define ENVME_CORE_GATHER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct envme_gather {
    uint32_t most;              /* commands for a turn, at least 1 */
    uint32_t want;              /* 1 .. most */
    uint32_t full;              /* turns since the number has changed ... */
    uint32_t patience;          /* ... and after how many it may grow */
    bool trying;                /* the number is a guess */
    bool holding;               /* commands wait for others */
    bool over;                  /* no more are to be waited for */
    uint64_t until;             /* ns: the longest that they do */
    /* Who has rung since the last turn, by number modulo 64. */
    _Atomic uint64_t rung;
};

/* One command for a turn, until it is known better. */
void envme_gather_init(struct envme_gather *g, uint32_t most);
/* A doorbell has been rung, and can be seen by who gives turns. Any thread. */
void envme_gather_rung(struct envme_gather *g, unsigned who);
/* n commands wait now, at least 1. True: they go on waiting; the caller has them
 * held, unless g->holding. False: a turn is due. */
bool envme_gather_wait(struct envme_gather *g, uint32_t n);
/* They begin to wait, and somebody calls late() at g->until. */
void envme_gather_hold(struct envme_gather *g, uint64_t now);
/* Who has rung has nothing to do. True: a turn is due. */
bool envme_gather_idle(struct envme_gather *g, unsigned who);
/* True: a turn is due, and late() again at g->until if it has not come by then. */
bool envme_gather_late(struct envme_gather *g, uint64_t now);
/* A turn begins, for whatever reason, with n commands; n is only looked at where
 * the host was waited for in vain (holding and over), 0: not known. */
void envme_gather_turn(struct envme_gather *g, uint32_t n);

#endif
