/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/gather.h"

/* Turns before more is tried: at first, and where it was in vain each time. */
#define GATHER_PATIENCE_FIRST 16
#define GATHER_PATIENCE_MOST  1024

#define GATHER_NS UINT64_C(500000) /* for each command that is wanted */

void envme_gather_init(struct envme_gather *g, uint32_t most)
{
    *g = (struct envme_gather) {
        .most = most ? most : 1, .want = 1, .patience = GATHER_PATIENCE_FIRST,
    };
}

/* A turn begins with as many as are wanted. */
static void gather_full(struct envme_gather *g)
{
    if (g->trying) {
        g->trying = false;
        g->patience = GATHER_PATIENCE_FIRST;
    }
    if (g->want < g->most && ++g->full >= g->patience) {
        g->want = 2 * g->want < g->most ? 2 * g->want : g->most;
        g->full = 0;
        g->trying = true;
    }
}

/* The host has stopped submitting after n, fewer than are wanted. */
static void gather_short(struct envme_gather *g, uint32_t n)
{
    if (g->trying) {
        g->trying = false;
        g->patience = 2 * g->patience < GATHER_PATIENCE_MOST
                      ? 2 * g->patience : GATHER_PATIENCE_MOST;
    }
    /* By half at most: it may have been for once. */
    g->want = 2 * n > g->want ? n : g->want / 2;
    g->full = 0;
}

void envme_gather_rung(struct envme_gather *g, unsigned who)
{
    uint64_t bit = UINT64_C(1) << who % 64;

    if (!(atomic_load(&g->rung) & bit)) {
        atomic_fetch_or(&g->rung, bit);
    }
}

bool envme_gather_wait(struct envme_gather *g, uint32_t n)
{
    if (n >= g->want) {
        gather_full(g);
        return false;
    }
    return !g->over;
}

void envme_gather_hold(struct envme_gather *g, uint64_t now)
{
    g->holding = true;
    g->until = now + g->want * GATHER_NS;
}

bool envme_gather_idle(struct envme_gather *g, unsigned who)
{
    if (!(atomic_load(&g->rung) >> who % 64 & 1)) {
        return false;
    }
    /* Where nothing waits yet it has been heard of, and will not wait. */
    g->over = true;
    return g->holding;
}

bool envme_gather_late(struct envme_gather *g, uint64_t now)
{
    if (!g->holding || now < g->until) {
        return false;
    }
    g->over = true;
    g->until = now + g->want * GATHER_NS;
    return true;
}

void envme_gather_turn(struct envme_gather *g, uint32_t n)
{
    if (g->holding && g->over && n && n < g->want) {
        gather_short(g, n);
    }
    g->holding = false;
    g->over = false;
    atomic_store(&g->rung, 0);
}
