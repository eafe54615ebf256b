/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a rule has done to the world and what has to be undone some time: a
 * namespace that is gone, blocks that cannot be read, a counter that says
 * something else. It ends when its time is over, with a reset if that was
 * asked for, when other rules are loaded or the rules are switched off, and
 * when the controller goes.
 *
 * Owner: struct envme_faults; end() frees what embeds one. Lane 0.
 */
#ifndef ENVME_FAULT_EFFECT_H
#define ENVME_FAULT_EFFECT_H

#include "hw/fault/rules.h"

struct fault_effect {
    uint64_t until;             /* ns; UINT64_MAX: for ever */
    bool until_reset;
    /* Something is to be done at that time (ns; UINT64_MAX: no). step() sets
     * it again, and returns false when the effect is over. */
    uint64_t next;
    bool (*step)(struct fault_effect *e, struct envme_faults *f);
    /* Undoes it and frees it. It is in no list any more. */
    void (*end)(struct fault_effect *e, struct envme_faults *f);
    GList link;
};

/* How long, as a user says it. */
struct fault_lasting {
    uint64_t time;              /* ns; UINT64_MAX: for ever */
    uint64_t until_reset;
};

#define FAULT_LASTING_INIT { .time = UINT64_MAX }

/* Two rows of an action whose arguments have a struct fault_lasting `last`. */
#define FAULT_LASTING_ROWS(type)                                            \
    { "for", ENVME_SCHEMA_TIME, offsetof(type, last.time),                  \
      .help = "so long; if not given, until the rules are replaced or "     \
              "switched off" },                                             \
    { "until", ENVME_SCHEMA_UINT, offsetof(type, last.until_reset),         \
      .max = 1, .names = fault_until_names, .help = "\"reset\": until then" }

/* step and end are set; the rest is zeroes. */
void fault_effect_add(struct envme_faults *f, struct fault_effect *e,
                      const struct fault_lasting *last);
/* next has been set, other than by step(). */
void fault_effects_again(struct envme_faults *f);
/* Ends it now. */
void fault_effect_end(struct envme_faults *f, struct fault_effect *e);
/* All; only those that a reset ends. */
void fault_effects_end(struct envme_faults *f, bool only_reset);
/* The first whose end is this function and of which same(e, arg). */
struct fault_effect *fault_effect_find(
    struct envme_faults *f,
    void (*end)(struct fault_effect *e, struct envme_faults *f),
    bool (*same)(const struct fault_effect *e, const void *arg),
    const void *arg);

#endif
