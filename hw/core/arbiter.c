/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/arbiter.h"

#include <stddef.h>

#include "envme/bytes.h"

#define ARB_TURN_MAX 65535
#define ARB_WEIGHT_MAX 256

/* The heap: a pairing heap, of the ready queues when strict by age. */

static bool arb_older(const struct envme_arb_node *a,
                      const struct envme_arb_node *b)
{
    return a->since != b->since ? a->since < b->since : a->seq < b->seq;
}

/* Joins two heaps, either of which may be empty. */
static struct envme_arb_node *arb_meld(struct envme_arb_node *a,
                                       struct envme_arb_node *b)
{
    if (!a || !b) {
        return a ? a : b;
    }
    if (arb_older(b, a)) {
        struct envme_arb_node *t = a;

        a = b;
        b = t;
    }
    b->next = a->child;
    if (b->next) {
        b->next->prev = b;
    }
    b->prev = a;
    a->child = b;
    return a;
}

/*
 * Joins the children of a node that is taken out: in pairs from left to
 * right, then the pairs, kept in a chain, from right to left.
 */
static struct envme_arb_node *arb_meld_children(struct envme_arb_node *node)
{
    struct envme_arb_node *pairs = NULL, *heap = NULL;
    struct envme_arb_node *n = node->child;

    node->child = NULL;
    while (n) {
        struct envme_arb_node *a = n, *b = n->next;

        n = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b) {
            b->next = b->prev = NULL;
        }
        a = arb_meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct envme_arb_node *a = pairs;

        pairs = a->next;
        a->next = NULL;
        heap = arb_meld(heap, a);
    }
    return heap;
}

static void arb_heap_add(struct envme_arbiter *a, struct envme_arb_node *node)
{
    node->next = node->prev = node->child = NULL;
    a->oldest = arb_meld(a->oldest, node);
}

static void arb_heap_remove(struct envme_arbiter *a,
                            struct envme_arb_node *node)
{
    if (node == a->oldest) {
        a->oldest = arb_meld_children(node);
    } else {
        if (node->prev->child == node) {
            node->prev->child = node->next;
        } else {
            node->prev->next = node->next;
        }
        if (node->next) {
            node->next->prev = node->prev;
        }
        a->oldest = arb_meld(a->oldest, arb_meld_children(node));
    }
    node->next = node->prev = NULL;
}

/* The lines: one for all with round robin, else one per class or level. */

static struct envme_arb_line *arb_line(struct envme_arbiter *a,
                                       const struct envme_arb_node *node)
{
    return &a->line[a->mode == ENVME_ARB_RR ? 0 : node->prio];
}

static void arb_line_add(struct envme_arb_line *line,
                         struct envme_arb_node *node)
{
    if (!line->head) {
        node->next = node->prev = node;
        line->head = node;
        return;
    }
    node->next = line->head;
    node->prev = line->head->prev;
    node->prev->next = node;
    node->next->prev = node;
}

static void arb_line_remove(struct envme_arb_line *line,
                            struct envme_arb_node *node)
{
    if (line->head == node) {
        line->head = node->next == node ? NULL : node->next;
        line->left = 0;
    }
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

static bool arb_weighted(const struct envme_arbiter *a,
                         const struct envme_arb_node *node)
{
    return a->mode == ENVME_ARB_WRR && node->prio >= ENVME_PRIO_HIGH &&
           node->prio <= ENVME_PRIO_LOW;
}

static bool arb_weighted_idle(const struct envme_arbiter *a)
{
    return !a->line[ENVME_PRIO_HIGH].head && !a->line[ENVME_PRIO_MEDIUM].head &&
           !a->line[ENVME_PRIO_LOW].head;
}

static void arb_new_round(struct envme_arbiter *a)
{
    for (int i = ENVME_PRIO_HIGH; i <= ENVME_PRIO_LOW; i++) {
        a->credit[i] = a->weight[i];
    }
}

void envme_arb_init(struct envme_arbiter *a)
{
    *a = (struct envme_arbiter){ .mode = ENVME_ARB_RR };
    envme_arb_config(a, ENVME_ARB_RR, 1, 1, 1, 1);
}

/* Everybody queues up again, first the first; no turn survives this. */
static void arb_set_mode(struct envme_arbiter *a, enum envme_arb_mode mode)
{
    struct envme_arb_node *all = NULL, **end = &all, *node;

    for (int i = 0; i < ENVME_PRIO_COUNT; i++) {
        while ((node = a->mode == ENVME_ARB_VS ? a->oldest
                                               : a->line[i].head)) {
            envme_arb_unready(a, node);
            *end = node;
            end = &node->next;
        }
    }
    a->mode = mode;
    while ((node = all)) {
        all = node->next;
        envme_arb_ready(a, node);
    }
}

static uint32_t arb_weight(unsigned weight)
{
    return ENVME_MIN(ENVME_MAX(weight, 1), ARB_WEIGHT_MAX);
}

void envme_arb_config(struct envme_arbiter *a, enum envme_arb_mode mode,
                      unsigned burst, unsigned hpw, unsigned mpw,
                      unsigned lpw)
{
    if (!burst || burst > ARB_TURN_MAX) {
        burst = ARB_TURN_MAX;
    }
    a->burst = burst;
    a->weight[ENVME_PRIO_HIGH] = arb_weight(hpw);
    a->weight[ENVME_PRIO_MEDIUM] = arb_weight(mpw);
    a->weight[ENVME_PRIO_LOW] = arb_weight(lpw);
    if (mode != a->mode) {
        arb_set_mode(a, mode);
        arb_new_round(a);
    } else if (arb_weighted_idle(a)) {
        arb_new_round(a);
    }
}

void envme_arb_ready(struct envme_arbiter *a, struct envme_arb_node *node)
{
    if (node->ready) {
        return;
    }
    node->ready = true;
    node->seq = a->seq++;
    if (a->mode == ENVME_ARB_VS) {
        arb_heap_add(a, node);
    } else {
        arb_line_add(arb_line(a, node), node);
    }
}

void envme_arb_unready(struct envme_arbiter *a, struct envme_arb_node *node)
{
    if (!node->ready) {
        return;
    }
    node->ready = false;
    if (a->mode == ENVME_ARB_VS) {
        arb_heap_remove(a, node);
        return;
    }
    arb_line_remove(arb_line(a, node), node);
    if (arb_weighted(a, node) && arb_weighted_idle(a)) {
        arb_new_round(a);
    }
}

static struct envme_arb_node *arb_next_wrr(struct envme_arbiter *a)
{
    if (a->line[ENVME_PRIO_ADMIN].head) {
        return a->line[ENVME_PRIO_ADMIN].head;
    }
    if (a->line[ENVME_PRIO_URGENT].head) {
        return a->line[ENVME_PRIO_URGENT].head;
    }
    if (arb_weighted_idle(a)) {
        return NULL;
    }
    for (;;) {
        for (int i = ENVME_PRIO_HIGH; i <= ENVME_PRIO_LOW; i++) {
            if (a->line[i].head && a->credit[i]) {
                return a->line[i].head;
            }
        }
        arb_new_round(a);
    }
}

struct envme_arb_node *envme_arb_next(struct envme_arbiter *a)
{
    switch (a->mode) {
    case ENVME_ARB_WRR:
        return arb_next_wrr(a);
    case ENVME_ARB_VS:
        return a->oldest;
    default:
        return a->line[0].head;
    }
}

void envme_arb_fetched(struct envme_arbiter *a, struct envme_arb_node *node)
{
    bool weighted = arb_weighted(a, node);
    struct envme_arb_line *line;

    if (weighted && a->credit[node->prio]) {
        a->credit[node->prio]--;
    }
    if (!node->ready) {
        return;
    }
    if (a->mode == ENVME_ARB_VS) {
        /* Its age may have changed. */
        arb_heap_remove(a, node);
        arb_heap_add(a, node);
        return;
    }
    line = arb_line(a, node);
    if (line->head != node) {
        return;
    }
    if (!line->left) {
        line->left = a->burst;
    }
    line->left--;
    if (!line->left || (weighted && !a->credit[node->prio])) {
        line->head = node->next;
        line->left = 0;
    }
}
