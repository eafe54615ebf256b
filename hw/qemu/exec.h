/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exec port: lane 0 in QEMU's main loop, further lanes in IOThreads.
 *
 * Owner: the PCI device. Threads: kick and defer on any, arm on the lane's.
 * A lane is one AioContext with one bottom half, which carries deferred calls
 * out in order and then gives the controller one turn, and one timer. Bottom
 * halves are not guarded against re-entrancy: QEMU's guard is one flag for
 * the whole device, and an IOThread that holds it would make a vCPU's
 * register access fail. A turn that gets into another one of its own lane
 * (another device's callback that polls) returns and is made up for later.
 *
 * Block requests of a turn are submitted together at its end (defer_call).
 *
 * With vcpu_turns a doorbell of a vCPU that lane 0 is to look at has that vCPU
 * give it the turn, with the BQL, as soon as it has left the guest for that: no
 * thread is woken. What such a turn leaves over is the main loop's. When commands
 * are in flight after it, so that a thread has to be woken anyway, the next
 * doorbells are for the main loop, and then it is tried again.
 *
 * An IOThread that polls (its poll-max-ns) calls envme_lane_poll() by way of a
 * handler of `poll`, which nobody but the lane itself signals: a context polls
 * what has been ready once, and forgets it when it has not been for long.
 */
#ifndef ENVME_QEMU_EXEC_H
#define ENVME_QEMU_EXEC_H

#include "block/aio.h"
#include "qemu/event_notifier.h"
#include "system/iothread.h"

#include "hw/core/gather.h"
#include "hw/core/ports.h"

struct envme_ctrl;

struct exec_call {
    QSIMPLEQ_ENTRY(exec_call) next;
    envme_exec_fn *fn;
    void *arg;
};

struct envme_qlane {
    struct envme_ctrl **ctrl;
    unsigned index;
    IOThread *iothread;         /* NULL: the main loop; a reference */
    AioContext *ctx;
    QEMUBH *bh;
    QEMUTimer *timer;
    gatomicrefcount ref;        /* the port's; and each vCPU's that will run it */
    bool kicked;                /* atomic */
    bool running;               /* the lane's thread */
    /* Doorbells that vCPUs still leave to the main loop, and how many they will
     * the next time. Lane 0's; atomic. */
    unsigned skip, skip_next;
    /* Commands that vCPUs hold back for a turn with more of them; BQL, lane 0. */
    struct envme_gather gather;
    bool holding;
    bool hold_over;             /* the host does not go on */
    bool hold_armed;            /* hold_timer is */
    uint64_t hold_cpus;         /* vCPUs that have rung, by index modulo 64 */
    int64_t hold_until;         /* ns, QEMU_CLOCK_VIRTUAL */
    QEMUTimer *hold_timer;
    QLIST_ENTRY(envme_qlane) hold_next;
    bool stopped;               /* atomic */
    bool pollable;              /* `poll` is there */
    bool polling;               /* between its begin and its end */
    /* Turns that wanted to be polled for; after how many the context is asked
     * to. */
    unsigned unpolled, ask_after;
    EventNotifier poll;
    GMutex lock;                /* of calls */
    QSIMPLEQ_HEAD(, exec_call) calls;
};

struct envme_qexec {
    struct envme_ctrl *ctrl;    /* from envme_qexec_start() on */
    unsigned nlanes;
    bool vcpu_turns;            /* vCPUs give turns ... */
    uint32_t nvcpu_turns;       /* ... and so many so far; BQL */
    struct envme_qlane **lane;
};

/* iothreads: n of them, for lanes 1 .. n. Takes references. */
void envme_qexec_init(struct envme_qexec *e, IOThread *const *iothreads,
                      unsigned n, struct envme_exec *port);
/* A vCPU of that index has nothing to do. BQL. */
void envme_qexec_idle(unsigned cpu);
/* Between begin and end this thread, if it is a vCPU, is in a doorbell's
 * handler. */
void envme_qexec_ring_begin(struct envme_qexec *e);
void envme_qexec_ring_end(struct envme_qexec *e);
/* Before the first kick, and once. BQL. */
void envme_qexec_start(struct envme_qexec *e, struct envme_ctrl *ctrl);
/*
 * Gives every lane a turn and then calls fn(opaque) once for each I/O lane, on
 * it. Lane 0's turn is over when this returns. BQL.
 */
void envme_qexec_turn(struct envme_qexec *e, envme_exec_fn *fn, void *opaque);
/* Every turn that has begun on another thread is over when this returns. Polls
 * the main loop. BQL. */
void envme_qexec_sync(struct envme_qexec *e);
/*
 * No turn begins any more and none is under way when this returns; kicks are
 * harmless. Polls the main loop. BQL.
 */
void envme_qexec_stop(struct envme_qexec *e);
/* Background work of a subsystem takes turns with the main loop. */
void envme_qexec_subsys(struct envme_subsys *subsys);
/* After a stop, or before the first kick. BQL. */
void envme_qexec_free(struct envme_qexec *e);

#endif
