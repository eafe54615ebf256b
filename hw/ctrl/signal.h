/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of completion queues: raised once per queue and turn of a lane,
 * put off where features 08h and 09h say so, lowered with the last entry. Base
 * 2.1, 5.1.25.1.6; PCIe Transport 1.1, 3.1.
 *
 * Threads: the lane of the queue.
 */
#ifndef ENVME_CTRL_SIGNAL_H
#define ENVME_CTRL_SIGNAL_H

#include "hw/ctrl/ctrl.h"

/* A queue that is being made. */
void envme_signal_init(struct envme_cq *cq);
/* With a shadow doorbell and a level-triggered pin that is up: the pin goes
 * down when the host's head says so, so the host has to ring. */
void envme_cq_watch_pin(struct envme_cq *cq);
/* Interrupts that are put off, now. */
void envme_lane_signal_all(struct envme_lane *lane);
/* Interrupts for the CQs posted to in this turn. */
void envme_lane_flush_irqs(struct envme_lane *lane);

#endif
