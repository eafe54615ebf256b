/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault rules made at random from the tables that read them: a new action,
 * field or trigger is in them by being a row. And the same, spoilt.
 */
#ifndef TESTS_HOST_TH_RULES_H
#define TESTS_HOST_TH_RULES_H

#include "hw/fault/rules.h"
#include "th-fault.h"

struct tr_gen {
    struct envme_faults *f;     /* whose controller the names are of */
    uint64_t rng;
    unsigned made;              /* rules: names, and what is due next */
    GHashTable *seen;           /* "do.status", "match.lba" -> how often */
};

void tr_gen_init(struct tr_gen *g, uint64_t seed);
void tr_gen_fini(struct tr_gen *g);
uint64_t tr_below(struct tr_gen *g, uint64_t n);

/*
 * Up to n rules that are taken, a full reference. In turn, each action, match
 * field, trigger and expectation there is comes with some rule; tr_check_seen()
 * ends the test if one never did.
 */
GVariant *tr_set(struct tr_gen *g, unsigned n);
/* What none has had yet, or NULL; g_free. */
char *tr_unseen(struct tr_gen *g);
void tr_check_seen(struct tr_gen *g);
/* Of n sets so many are done: is another one due? Rare fields may need more
 * than n, but not three times as many. */
bool tr_more(struct tr_gen *g, uint64_t done, uint64_t n);

/* What tr_spoil() has done. */
struct tr_spoilt {
    char *rule, *field;         /* where; or NULL */
    bool certain;               /* nobody may take that */
    const char *how;
};

/* That set with one thing wrong; a full reference. */
GVariant *tr_spoil(struct tr_gen *g, GVariant *set, struct tr_spoilt *s);
void tr_spoilt_clear(struct tr_spoilt *s);

/* All that can be seen of the rules from outside, to compare; g_free. */
char *tr_state(struct envme_faults *f);

/* For rules that need more of the world: it all goes nowhere. */
extern const struct envme_fault_world tr_world;

#endif
