/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What queues do only when somebody has set the hooks (fault injection) and
 * wants them to do it wrong. Base 2.1, 3.3 and 4.2.
 *
 * Threads: the queue's lane, or lane 0 while the lanes are parked.
 */
#ifndef ENVME_CTRL_QUEUE_FAULT_H
#define ENVME_CTRL_QUEUE_FAULT_H

#include "hw/ctrl/queue.h"

/* An interrupt is due, and somebody watches. True: nothing is left to do. */
bool envme_cq_signal_wrong(struct envme_cq *cq);
/* An interrupt that was held back comes now. The lanes are parked. */
void envme_cq_signal_late(struct envme_cq *cq, unsigned vector);
/* The phase tag is there, and the rest of the entry is not. As
 * envme_cq_write(). */
int envme_cq_write_torn(struct envme_cq *cq, uint32_t index,
                        const struct envme_cqe *cqe);
/* One entry more than there are commands, with the right phase tag, where the
 * queue has room for it. Whether it has. */
bool envme_cq_write_more(struct envme_cq *cq, struct envme_cqe *cqe);
/* Nothing is fetched any more, or again. The lanes are parked. */
void envme_sq_stall(struct envme_sq *sq, bool on);
/* Lane 0. */
bool envme_sq_begins_stalled(struct envme_ctrl *ctrl, uint16_t id);

#endif
