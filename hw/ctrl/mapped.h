/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapped doorbells: while the host rings often, the first pages of the doorbell
 * registers are memory (ports.doorbells), where a write is a store that nobody
 * is told of, and lanes look there. PCIe Transport 1.1, 3.1.2 has the layout.
 *
 * In every state the word in the pages is what the host wrote last, by either
 * way, so the order of a store and a trapped write is that of memory. A lane
 * that takes a doorbell notes the word in its list (struct envme_polled); a
 * word that differs from the note is news.
 *
 *   OFF -> ASKED     a lane has taken MAPPED_RINGS doorbells in a short time
 *   -> SHOWING       lane 0 has agreed; turns look at their lane's list from
 *                    here on, to the end of HIDING
 *   -> ON            at least one lane polls: it has itself called again and
 *                    again, and now and then looks at the lists of the others
 *   -> HIDING        the last lane to poll has seen nothing for a time, or
 *                    doorbells have to trap now (reset, Bus Master, fault
 *                    rules, the interrupt pin)
 *   -> OFF           nobody can store there any more, and lane 0 has looked
 *                    once more: what nobody has taken is rung
 *
 * While ON some lane polls, or lane 0 has been asked to look whether one does.
 * A lane that polls has a turn due, or will get one when it runs again.
 *
 * Threads: the lane's own, but for what says otherwise. All of it costs one
 * branch per turn without ports.doorbells.
 */
#ifndef ENVME_CTRL_MAPPED_H
#define ENVME_CTRL_MAPPED_H

#include "hw/ctrl/ctrl.h"

/* Where that doorbell lies in the pages, or NULL. Any thread. */
_Atomic uint32_t *envme_mapped_at(const struct envme_ctrl *ctrl, uint16_t qid,
                                  bool is_cq);
/* Its queue has been made, or is about to go. Lane 0, that lane parked. */
void envme_mapped_add(struct envme_ctrl *ctrl, struct envme_db *db);
void envme_mapped_remove(struct envme_ctrl *ctrl, struct envme_db *db);
void envme_mapped_fini(struct envme_lane *lane);

static inline bool envme_mapped_is_off(const struct envme_ctrl *ctrl)
{
    return atomic_load_explicit(&ctrl->mapped.state, memory_order_acquire) <
           ENVME_MAPPED_SHOWING;
}

/* A doorbell that was rung is taken. */
void envme_mapped_taken(struct envme_lane *lane, struct envme_db *db,
                        uint32_t word);
/* A doorbell's value was no good: what it stands for instead is put back, so
 * that the same again would be news. */
void envme_mapped_refuse(struct envme_lane *lane, struct envme_db *db,
                         uint32_t word, uint32_t good);
/* Takes what is new; true: there was something. */
bool envme_mapped_take(struct envme_lane *lane);
/* The same without taking it. */
bool envme_mapped_news(const struct envme_lane *lane);
/* At the end of a turn. */
void envme_mapped_turn(struct envme_lane *lane, bool news);

#endif
