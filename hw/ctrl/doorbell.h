/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells: PCIe Transport 1.1, 3.1.2. A write stores its value and has the
 * queue's lane look; every way a doorbell can come in ends in
 * envme_sq_set_tail() or envme_cq_set_head() there.
 *
 * Threads: writes on any thread without a lock; the slots are made on lane 0
 * and stay until the controller is freed.
 */
#ifndef ENVME_CTRL_DOORBELL_H
#define ENVME_CTRL_DOORBELL_H

#include "hw/ctrl/ctrl.h"

void envme_doorbell_init(struct envme_ctrl *ctrl);
void envme_doorbell_fini(struct envme_ctrl *ctrl);

/* The slot of a queue, made if need be. Lane 0. */
struct envme_db *envme_doorbell_slot(struct envme_ctrl *ctrl, uint16_t qid,
                                     bool is_cq);
/* Opens it for a queue; and when that is gone. Lane 0, that lane parked. */
void envme_doorbell_open(struct envme_ctrl *ctrl, struct envme_db *db,
                         void *queue, uint32_t size, unsigned lane);
void envme_doorbell_close(struct envme_ctrl *ctrl, struct envme_db *db);
/* Is there a queue for the doorbell at this offset from 1000h? Any thread. */
bool envme_doorbell_is_open(const struct envme_ctrl *ctrl, uint64_t off);
/* What the host wrote last, be it as it may. Any thread. */
static inline uint32_t envme_doorbell_value(const struct envme_db *db)
{
    return ENVME_SWAP32(atomic_load(db->at)) & 0xffff;
}

/* A write that somebody has held back arrives, and is not looked at again.
 * Lane 0. */
void envme_doorbell_late(struct envme_ctrl *ctrl, unsigned qid, bool is_cq,
                         uint32_t val);

/*
 * Shadow doorbells: Base 2.1, 8.2.5 (Doorbell Buffer Config) and its event
 * index.
 * The host writes a doorbell to memory, and to the register only when it
 * passes the event index that the controller has left there.
 *
 * config: lane 0 with the lanes parked; db and ei are page aligned. attach: a
 * queue that has just been made. Data Transfer Error when the memory cannot
 * be written.
 */
struct envme_status envme_shadow_config(struct envme_ctrl *ctrl, uint64_t db,
                                        uint64_t ei);
void envme_shadow_attach_sq(struct envme_ctrl *ctrl, struct envme_sq *sq);
void envme_shadow_attach_cq(struct envme_ctrl *ctrl, struct envme_cq *cq);
/* All lanes look at all of them, soon. Any thread. */
void envme_shadow_look_all(struct envme_ctrl *ctrl);
/* What the host has written; the queue's lane. False: it is no tail of this
 * queue, or cannot be read. */
bool envme_shadow_look_sq(struct envme_sq *sq);
void envme_shadow_look_cq(struct envme_cq *cq);
/* The queue has nothing to do before the next doorbell: from here on the
 * host has to ring. */
void envme_shadow_arm_sq(struct envme_sq *sq);
void envme_shadow_arm_cq(struct envme_cq *cq);
/* As arm_sq, but the host rings only when more than n commands wait, n less
 * than the queue holds: somebody looks by himself before long. */
void envme_shadow_ask_sq(struct envme_sq *sq, uint32_t n);

enum { ENVME_BAD_DB_REGISTER, ENVME_BAD_DB_VALUE };

/* Remembers an invalid doorbell write for lane 0. Any thread. */
void envme_doorbell_bad(struct envme_ctrl *ctrl, int what, uint32_t qid);
/* Are there any? */
bool envme_doorbell_has_bad(const struct envme_ctrl *ctrl);
/* Error log and event for those. Lane 0. */
void envme_doorbell_report_bad(struct envme_ctrl *ctrl);

#endif
