/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns of lane 0 that vCPUs give: a doorbell that lane 0 is to look at has the
 * vCPU that rings give it the turn, with the BQL, as soon as it has left the
 * guest's code for that. No thread is woken.
 *
 * Not each doorbell is worth a turn. Where the host goes on submitting when it is
 * made to wait, commands are held back until there are as many as came before
 * (hw/core/gather.h): until the doorbell of the last of them, until a vCPU that has
 * rung is idle, or for half a millisecond of each command that is waited for, of
 * QEMU_CLOCK_VIRTUAL. And where commands are in flight after a turn, so that a
 * thread has to be woken anyway, the next doorbells are for the main loop.
 *
 * Owner: the lane, struct envme_qlane, that embeds it. Threads: `skip` and
 * `skip_next` are lane 0's, other vCPUs count `skip` down, atomics; the rest is
 * lane 0's, with the BQL. Nothing is held back before a vCPU has once told that
 * it is idle, which QEMU only lets those know that it has loaded with -plugin.
 */
#ifndef ENVME_QEMU_VCPU_H
#define ENVME_QEMU_VCPU_H

#include "qemu/queue.h"
#include "qemu/timer.h"

#include "hw/core/gather.h"

struct envme_qlane;

struct envme_qvcpu {
    /* Doorbells that vCPUs still leave to the main loop, and how many they will
     * the next time. */
    unsigned skip, skip_next;
    struct envme_gather gather;
    bool holding;               /* is in the list of those that hold back */
    bool over;                  /* the host does not go on */
    bool armed;                 /* the timer is */
    uint64_t cpus;              /* have rung, by index modulo 64 */
    int64_t until;              /* ns */
    QEMUTimer *timer;
    QLIST_ENTRY(envme_qvcpu) next;
};

void envme_qvcpu_init(struct envme_qvcpu *v);
/* Nothing is held back when this returns, nor will be: the lane is stopped. */
void envme_qvcpu_stop(struct envme_qvcpu *v);
void envme_qvcpu_free(struct envme_qvcpu *v);

/* Commands for a turn at most, 1 .. 64; before the first doorbell. */
void envme_qvcpu_set_most(struct envme_qvcpu *v, unsigned most);
/* Between begin and end this thread, if it is a vCPU, is in a doorbell's
 * handler. */
void envme_qvcpu_ring_begin(void);
void envme_qvcpu_ring_end(void);
/* The lane has been kicked. True: this vCPU will see to it. Any thread. */
bool envme_qvcpu_take(struct envme_qlane *l);
/* A turn of the lane begins: nothing is held back any more. */
void envme_qvcpu_turn(struct envme_qvcpu *v);
/* A vCPU has nothing to do. BQL. */
void envme_qvcpu_idle(unsigned cpu);

#endif
