/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A literal model of the rules in arbiter.h: no lists, no heap, just a search
 * through all queues for each decision. The prio and since of a queue stand in
 * its node, as for the real one.
 */
#ifndef TESTS_UNIT_ARB_MODEL_H
#define TESTS_UNIT_ARB_MODEL_H

#include <string.h>

#include "hw/core/arbiter.h"

#define MAX_QUEUES 12

struct model_queue {
    bool ready;
    uint64_t place;             /* in line: the lowest is first */
    uint64_t ready_order;
    uint32_t turn;              /* fetched in the turn that goes on */
};

struct model {
    enum envme_arb_mode mode;
    uint32_t burst;             /* of turns that begin now */
    uint32_t turn_burst[ENVME_PRIO_COUNT];  /* of those that go on */
    uint32_t weight[ENVME_PRIO_COUNT];
    uint32_t spent[ENVME_PRIO_COUNT];       /* in this round */
    uint32_t round_weight[ENVME_PRIO_COUNT];
    uint64_t clock;
    int n;
    struct model_queue q[MAX_QUEUES];
    struct envme_arb_node node[MAX_QUEUES]; /* the real thing's */
    struct envme_arbiter arb;
};

/* Which line a queue stands in. */
static inline int model_line(const struct model *m, int i)
{
    return m->mode == ENVME_ARB_RR ? 0 : (int)m->node[i].prio;
}

static inline bool model_is_weighted(const struct model *m, int i)
{
    return m->mode == ENVME_ARB_WRR && m->node[i].prio >= ENVME_PRIO_HIGH &&
           m->node[i].prio <= ENVME_PRIO_LOW;
}

/* First in a line, or -1. */
static inline int model_first(const struct model *m, int line)
{
    int best = -1;

    for (int i = 0; i < m->n; i++) {
        if (m->q[i].ready && model_line(m, i) == line &&
            (best < 0 || m->q[i].place < m->q[best].place)) {
            best = i;
        }
    }
    return best;
}

static inline void model_new_round(struct model *m)
{
    memset(m->spent, 0, sizeof(m->spent));
    memcpy(m->round_weight, m->weight, sizeof(m->weight));
}

static inline void model_check_idle(struct model *m)
{
    if (model_first(m, ENVME_PRIO_HIGH) < 0 &&
        model_first(m, ENVME_PRIO_MEDIUM) < 0 &&
        model_first(m, ENVME_PRIO_LOW) < 0) {
        model_new_round(m);
    }
}

static inline int model_next(struct model *m)
{
    static const enum envme_prio levels[] = {
        ENVME_PRIO_HIGH, ENVME_PRIO_MEDIUM, ENVME_PRIO_LOW,
    };
    int best = -1;

    switch (m->mode) {
    case ENVME_ARB_RR:
        return model_first(m, 0);
    case ENVME_ARB_VS:
        for (int i = 0; i < m->n; i++) {
            uint64_t mine = m->node[i].since;

            if (!m->q[i].ready) {
                continue;
            }
            if (best < 0 || mine < m->node[best].since ||
                (mine == m->node[best].since &&
                 m->q[i].ready_order < m->q[best].ready_order)) {
                best = i;
            }
        }
        return best;
    default:
        break;
    }
    best = model_first(m, ENVME_PRIO_ADMIN);
    if (best < 0) {
        best = model_first(m, ENVME_PRIO_URGENT);
    }
    for (int round = 0; round < 2 && best < 0; round++) {
        for (int k = 0; k < 3 && best < 0; k++) {
            if (m->spent[levels[k]] < m->round_weight[levels[k]]) {
                best = model_first(m, levels[k]);
            }
        }
        if (best < 0) {
            model_new_round(m);
        }
    }
    return best;
}

static inline void model_fetched(struct model *m, int i)
{
    int line = model_line(m, i);
    bool out_of_credit = false;

    if (model_is_weighted(m, i)) {
        m->spent[line]++;
        out_of_credit = m->spent[line] >= m->round_weight[line];
    }
    if (m->mode == ENVME_ARB_VS || model_first(m, line) != i) {
        return;
    }
    if (m->q[i].turn == 0) {
        m->turn_burst[line] = m->burst;
    }
    if (++m->q[i].turn >= m->turn_burst[line] || out_of_credit) {
        m->q[i].turn = 0;
        m->q[i].place = m->clock++;     /* to the end of the line */
    }
}

static inline void model_ready(struct model *m, int i)
{
    if (!m->q[i].ready) {
        m->q[i].ready = true;
        m->q[i].turn = 0;
        m->q[i].place = m->clock++;
        m->q[i].ready_order = m->q[i].place;
    }
}

static inline void model_unready(struct model *m, int i)
{
    if (m->q[i].ready) {
        m->q[i].ready = false;
        if (model_is_weighted(m, i)) {
            model_check_idle(m);
        }
    }
}

static inline void model_config(struct model *m, enum envme_arb_mode mode,
                                uint32_t burst, uint32_t h, uint32_t me,
                                uint32_t l)
{
    m->mode = mode;
    m->burst = burst ? burst : 65535;
    m->weight[ENVME_PRIO_HIGH] = h;
    m->weight[ENVME_PRIO_MEDIUM] = me;
    m->weight[ENVME_PRIO_LOW] = l;
    model_check_idle(m);
}

static inline void model_init(struct model *m, int n)
{
    memset(m, 0, sizeof(*m));
    m->n = n;
    m->burst = 1;
    for (int i = 1; i <= 3; i++) {
        m->weight[i] = 1;
    }
    model_new_round(m);
}

#endif
