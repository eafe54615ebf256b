/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns of lane 0 that vCPUs give: a doorbell that lane 0 is to look at has the
 * vCPU that rings give it the turn, with the BQL, as soon as it has left the
 * guest's code for that. No thread is woken.
 *
 * Not each doorbell is worth a turn: where the host goes on submitting when it is
 * made to wait, such a turn waits for several (hw/core/gather.h), until a vCPU that
 * has rung is idle, or for a while. And where commands are in flight after a turn, so
 * that a thread has to be woken anyway, the next doorbells are for the main loop.
 *
 * Whatever else kicks the lane is the main loop's at once, also when a vCPU has been
 * asked to give a turn: that one may wait.
 *
 * Owner: struct envme_qexec, one for each controller. Threads: lane 0's, with the
 * BQL, but for what is called atomic. Nothing waits before a vCPU has once told that
 * it is idle, which QEMU only lets those know that it has loaded with -plugin.
 */
#ifndef ENVME_QEMU_VCPU_H
#define ENVME_QEMU_VCPU_H

#include "qemu/queue.h"
#include "qemu/timer.h"

#include "hw/core/gather.h"

struct envme_qlane;

struct envme_qvcpu {
    bool on;                    /* vCPUs give turns ... */
    uint32_t nturns;            /* ... and so many so far */
    uint32_t nwaits;            /* times that commands waited for others */
    /* Doorbells that vCPUs still leave to the main loop, and how many they will
     * the next time; atomic. */
    unsigned skip, skip_next;
    struct envme_gather gather;
    bool armed;                 /* the timer is */
    QEMUTimer *timer;           /* ns, QEMU_CLOCK_VIRTUAL */
    QLIST_ENTRY(envme_qvcpu) next;
};

/* on: whether vCPUs give turns at all; most: commands for one of them, at least
 * 1. BQL. */
void envme_qvcpu_init(struct envme_qvcpu *v, bool on, unsigned most);
/* The lane is stopped: nothing waits when this returns, nor will. BQL. */
void envme_qvcpu_stop(struct envme_qvcpu *v);
void envme_qvcpu_free(struct envme_qvcpu *v);

/* Between begin and end this thread, if it is a vCPU, is in a doorbell's
 * handler. */
void envme_qvcpu_ring_begin(struct envme_qvcpu *v);
void envme_qvcpu_ring_end(struct envme_qvcpu *v);
/* This lane is kicked, and nobody has been since its last turn unless again. True:
 * a vCPU will see to it. Any thread. */
bool envme_qvcpu_kicked(struct envme_qvcpu *v, struct envme_qlane *l,
                        bool again);
/* A turn begins: nothing waits any more. */
void envme_qvcpu_turn(struct envme_qvcpu *v);
/* A vCPU has nothing to do. BQL. */
void envme_qvcpu_idle(unsigned cpu);

#endif
