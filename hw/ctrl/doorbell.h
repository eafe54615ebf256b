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
/* Opens it for a queue; close with size 0. Lane 0, that lane parked. */
void envme_doorbell_open(struct envme_db *db, void *queue, bool is_cq,
                         uint32_t size, unsigned lane);

enum { ENVME_BAD_DB_REGISTER, ENVME_BAD_DB_VALUE };

/* Remembers an invalid doorbell write for lane 0. Any thread. */
void envme_doorbell_bad(struct envme_ctrl *ctrl, int what, uint32_t qid);
/* Error log and event for those. Lane 0. */
void envme_doorbell_report_bad(struct envme_ctrl *ctrl);

#endif
