/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/queue.h"

/* More busy queues than that make a turn worth it. */
#define GATHER_QUEUES 8

static struct envme_sq *gather_sq(struct envme_arb_node *node)
{
    return (struct envme_sq *)((char *)node - offsetof(struct envme_sq, node));
}

/* The host is to ring when `want` commands wait; there may be as many
 * already. */
static unsigned gather_ask(struct envme_sq *sq, unsigned want)
{
    unsigned most = sq->ring.size - 1;

    if (sq->shadowed && envme_ring_used(&sq->ring) < MIN(want, most)) {
        envme_shadow_ask_sq(sq, MIN(want, most) - 1);
    }
    return envme_ring_full(&sq->ring) ? UINT_MAX : envme_ring_used(&sq->ring);
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
    struct envme_arb_node *first, *node;
    unsigned deepest = 0, n = 0;

    if (lane->mode != ENVME_LANE_RUN || !atomic_load(&ctrl->bme) ||
        lane->arb.mode != ENVME_ARB_RR || lane->running ||
        (ctrl->has_dbbuf && atomic_load(&lane->look))) {
        return UINT_MAX;
    }
    envme_lane_touch(lane);
    lane->running = true;
    envme_lane_take_doorbells(lane);
    first = node = lane->arb.line[0].head;
    while (node && deepest < want) {
        struct envme_sq *sq = gather_sq(node);
        unsigned depth = ++n > GATHER_QUEUES || !sq->id ? UINT_MAX
                                                        : gather_ask(sq, want);

        deepest = MAX(deepest, depth);
        node = node->next == first ? NULL : node->next;
    }
    lane->running = false;
    envme_lane_untouch(lane);
    return deepest;
}
