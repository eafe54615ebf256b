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
 * vCPUs may give lane 0 turns (vcpu.h). What such a turn leaves over
 * is the main loop's.
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

#include "hw/core/ports.h"
#include "hw/qemu/vcpu.h"

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
    struct envme_qvcpu vcpu;    /* who else gives lane 0 its turns */
    struct envme_qlane **lane;
};

/* iothreads: n of them, for lanes 1 .. n. Takes references. The owner calls
 * envme_qvcpu_init() for e->vcpu. */
void envme_qexec_init(struct envme_qexec *e, IOThread *const *iothreads,
                      unsigned n, struct envme_exec *port);
/* Whose lane it is; until that is stopped. */
static inline struct envme_qexec *envme_qexec_of(const struct envme_qlane *l)
{
    return container_of(l->ctrl, struct envme_qexec, ctrl);
}

/* A turn, if one is due. The lane's thread. */
void envme_qexec_lane_turn(struct envme_qlane *l);
/* It exists until as many calls of unref. Any thread. */
void envme_qexec_lane_ref(struct envme_qlane *l);
void envme_qexec_lane_unref(struct envme_qlane *l);
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
