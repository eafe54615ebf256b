/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/queue.h"

/* More busy queues than that make a turn worth it. */
#define GATHER_QUEUES 8

/* The host is to ring when `want` commands wait; there may be as many
 * already. */
static unsigned gather_ask(struct envme_sq *sq, unsigned want)
{
    unsigned enough = ENVME_MIN(want, sq->ring.size - 1);

    if (sq->shadowed && envme_ring_used(&sq->ring) < enough) {
        envme_shadow_ask_sq(sq, enough - 1);
    }
    return envme_ring_full(&sq->ring) ? UINT_MAX : envme_ring_used(&sq->ring);
}

static unsigned gather_all(struct envme_lane *lane, unsigned want)
{
    struct envme_arb_node *first = lane->arb.line[0].head, *node = first;
    struct envme_sq *sq[GATHER_QUEUES];
    unsigned deepest = 0, n = 0;

    if (!first) {
        return 0;
    }
    /* A look at a doorbell may take its queue out of the line. */
    do {
        if (n == GATHER_QUEUES || !envme_sq_of(node)->id) {
            return UINT_MAX;
        }
        sq[n++] = envme_sq_of(node);
        node = node->next;
    } while (node != first);
    for (unsigned i = 0; i < n && deepest < want; i++) {
        unsigned depth = gather_ask(sq[i], want);

        deepest = ENVME_MAX(deepest, depth);
    }
    return deepest;
}

/*
 * Doorbells are taken, as a turn does, and nothing else of it: no command is
 * fetched, so what the host was promised about order and weights holds. Only for
 * round robin, whose ready queues are in one line.
 */
unsigned envme_lane_gather(struct envme_ctrl *ctrl, unsigned index,
                           unsigned want)
{
    struct envme_lane *lane = &ctrl->lane[index];
    unsigned deepest;

    if (!envme_lane_runs(lane) || lane->arb.mode != ENVME_ARB_RR ||
        lane->running ||
        (ctrl->has_dbbuf && atomic_load(&lane->look)) ||
        (index == 0 && envme_doorbell_has_bad(ctrl))) {
        return UINT_MAX;
    }
    envme_lane_touch(lane);
    lane->running = true;
    envme_lane_take_doorbells(lane);
    deepest = gather_all(lane, want);
    lane->running = false;
    envme_lane_untouch(lane);
    return deepest;
}
