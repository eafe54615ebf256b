/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt coalescing: when a vector's completions are worth an interrupt.
 *
 * Owner: the vector (or CQ) that embeds it; the admin queue's has none.
 * Threads: its lane's. Pure; calls nothing. Time is whatever scale the caller
 * uses, in ns. Spec: Base 2.1, 5.1.25, features 08h and 09h.
 *
 * Completions gather until there are as many as the threshold says, or until
 * the first of them has waited for the aggregation time. With either of the
 * two 0, or with coalescing disabled for the vector, each is signalled at
 * once.
 */
#ifndef ENVME_CORE_COALESCE_H
#define ENVME_CORE_COALESCE_H

#include <stdbool.h>
#include <stdint.h>

#define ENVME_COALESCE_NEVER UINT64_MAX

struct envme_coalesce {
    uint64_t time;              /* ns; 0: off */
    uint32_t threshold;         /* completions, at least 1 */
    bool disabled;              /* CD of feature 09h */
    uint32_t pending;           /* completions not yet signalled */
    uint64_t deadline;          /* for them; ENVME_COALESCE_NEVER: none */
};

/* Nothing pending, no coalescing. */
void envme_coalesce_init(struct envme_coalesce *c);

/*
 * The features as the host set them: time in units of 100 us, thr 0's based.
 * True when completions are pending that are to be signalled now (nothing is
 * pending any more then); what stays pending keeps its deadline, or gets an
 * earlier one.
 */
bool envme_coalesce_config(struct envme_coalesce *c, uint8_t time, uint8_t thr,
                           bool disabled, uint64_t now);

/*
 * n more completions have been posted. True: signal now; nothing is pending
 * any more. *deadline: when to ask due(), ENVME_COALESCE_NEVER for never.
 */
bool envme_coalesce_add(struct envme_coalesce *c, uint32_t n, uint64_t now,
                        uint64_t *deadline);

/* Is it time? True: signal now; nothing is pending any more. */
bool envme_coalesce_due(struct envme_coalesce *c, uint64_t now);

/*
 * Signal what is pending, now: for a completion with an error, which should
 * not wait. True when something was.
 */
bool envme_coalesce_flush(struct envme_coalesce *c);

#endif
