/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/gather.h"

/* Turns before more is tried: at first, and where it was in vain each time. */
#define GATHER_PATIENCE_FIRST 16
#define GATHER_PATIENCE_MOST  1024

void envme_gather_init(struct envme_gather *g, uint32_t most)
{
    *g = (struct envme_gather) {
        .most = most ? most : 1, .want = 1, .patience = GATHER_PATIENCE_FIRST,
    };
}

void envme_gather_full(struct envme_gather *g)
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

void envme_gather_short(struct envme_gather *g, uint32_t n)
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
