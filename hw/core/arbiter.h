/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command arbitration: which submission queue is fetched from next.
 *
 * Owner: the lane; a node is embedded in each of its submission queues.
 * Threads: the lane's. Pure; calls nothing. Each call takes constant time
 * (strict by age: amortised logarithmic), whatever the number of idle queues.
 * Spec: Base 2.1, 3.4.4; feature 01h: 5.1.25.1.1.
 *
 * Round robin: the ready queues, the admin queue as one among them, take
 * turns. A turn is as many commands as the burst allows, or fewer when the
 * queue runs empty. A queue that becomes ready is the last in line.
 *
 * Weighted round robin: admin before urgent before the weighted levels, by
 * command, so that a turn in a lower class is interrupted and then goes on.
 * Inside each class and level: round robin as above. In a round each weighted
 * level has as many credits as its weight, a command costs one, and the
 * highest level that is ready and has credits goes first; a turn ends early
 * with the level's credits. The round is over when no ready level has any:
 * also when all are idle. Nothing is carried over.
 *
 * Vendor specific: strict by age. The queue whose oldest waiting command came
 * first, of any class. Equal ages: the one that was ready first.
 */
#ifndef ENVME_CORE_ARBITER_H
#define ENVME_CORE_ARBITER_H

#include <stdbool.h>
#include <stdint.h>

enum envme_arb_mode {
    ENVME_ARB_RR,
    ENVME_ARB_WRR,
    ENVME_ARB_VS,
};

/* The values of QPRIO, and the admin queue. */
enum envme_prio {
    ENVME_PRIO_URGENT = 0,
    ENVME_PRIO_HIGH   = 1,
    ENVME_PRIO_MEDIUM = 2,
    ENVME_PRIO_LOW    = 3,
    ENVME_PRIO_ADMIN  = 4,
};

#define ENVME_PRIO_COUNT 5

/*
 * All zero, with prio set, is a node that is not ready. The owner of the
 * queue sets prio and since; the rest is the arbiter's.
 */
struct envme_arb_node {
    struct envme_arb_node *next;    /* line: circular; heap: sibling */
    struct envme_arb_node *prev;    /* heap: left sibling, or parent */
    struct envme_arb_node *child;   /* heap only */
    uint64_t seq;
    /*
     * When the queue's oldest waiting command came; only looked at when
     * strict by age. Set it before ready(); when a fetch leaves a younger
     * command the oldest, set it again before fetched().
     */
    uint64_t since;
    enum envme_prio prio;           /* fixed while ready */
    bool ready;
};

struct envme_arb_line {
    struct envme_arb_node *head;    /* whose turn it is */
    uint32_t left;                  /* of the turn; 0: it has not begun */
};

struct envme_arbiter {
    enum envme_arb_mode mode;
    uint32_t burst;
    uint32_t weight[ENVME_PRIO_COUNT];
    uint32_t credit[ENVME_PRIO_COUNT];
    struct envme_arb_line line[ENVME_PRIO_COUNT];
    struct envme_arb_node *oldest;  /* root of the heap */
    uint64_t seq;
};

/* Round robin, burst 1, weights 1; no queue. */
void envme_arb_init(struct envme_arbiter *a);

/*
 * burst: commands per turn, 0 for no limit (AB = 111b), by which a turn still
 * ends after 65,535 commands, a full queue of the largest size, so that
 * nobody starves. hpw, mpw, lpw: commands per round, 1 .. 256. The weights
 * hold from the next round, the burst from the next turn, the mode at once.
 */
void envme_arb_config(struct envme_arbiter *a, enum envme_arb_mode mode,
                      unsigned burst, unsigned hpw, unsigned mpw,
                      unsigned lpw);

/* The queue has a command that can be fetched. No-op when already so. */
void envme_arb_ready(struct envme_arbiter *a, struct envme_arb_node *node);

/* It has none, or can't be fetched from. No-op when already so. */
void envme_arb_unready(struct envme_arbiter *a, struct envme_arb_node *node);

/* The queue to fetch the next command from, or NULL when none is ready. */
struct envme_arb_node *envme_arb_next(struct envme_arbiter *a);

/*
 * One command has been fetched from the queue. Call it before unready(), if
 * that was the last one. It may be another queue than next() gave, or be
 * called again for the second command of a fused pair: the credits are taken
 * as far as there are any.
 */
void envme_arb_fetched(struct envme_arbiter *a, struct envme_arb_node *node);

#endif
