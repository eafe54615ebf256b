/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include "block/aio-wait.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/timer.h"

#include "hw/ctrl/ctrl.h"
#include "hw/qemu/exec.h"

static struct exec_call *exec_next_call(struct envme_qlane *l)
{
    struct exec_call *call;

    g_mutex_lock(&l->lock);
    call = QSIMPLEQ_FIRST(&l->calls);
    if (call) {
        QSIMPLEQ_REMOVE_HEAD(&l->calls, next);
        if (!QSIMPLEQ_EMPTY(&l->calls)) {
            /* The call may poll for what the next one does. */
            qemu_bh_schedule(l->bh);
        }
    }
    g_mutex_unlock(&l->lock);
    return call;
}

static void exec_turn(struct envme_qlane *l)
{
    if (l->running || qatomic_read(&l->stopped) ||
        !qatomic_xchg(&l->kicked, false)) {
        return;
    }
    l->running = true;
    /* Each access to host memory is in such a section; within one it is
     * cheaper. */
    WITH_RCU_READ_LOCK_GUARD() {
        envme_lane_run(*l->ctrl, l->index);
    }
    l->running = false;
    if (qatomic_read(&l->kicked)) {
        qemu_bh_schedule(l->bh);
    }
}

static void exec_bh(void *opaque)
{
    struct envme_qlane *l = opaque;
    struct exec_call *call;

    while ((call = exec_next_call(l))) {
        call->fn(call->arg);
        g_free(call);
    }
    exec_turn(l);
}

static void exec_lane_kick(struct envme_qlane *l)
{
    if (!qatomic_xchg(&l->kicked, true)) {
        qemu_bh_schedule(l->bh);
    }
}

static void exec_kick(void *opaque, unsigned lane)
{
    struct envme_qexec *e = opaque;

    exec_lane_kick(e->lane[lane]);
}

static void exec_timer(void *opaque)
{
    exec_lane_kick(opaque);
}

static void exec_defer(void *opaque, unsigned lane, envme_exec_fn *fn,
                       void *arg)
{
    struct envme_qexec *e = opaque;
    struct envme_qlane *l = e->lane[lane];
    struct exec_call *call = g_new(struct exec_call, 1);

    call->fn = fn;
    call->arg = arg;
    g_mutex_lock(&l->lock);
    QSIMPLEQ_INSERT_TAIL(&l->calls, call, next);
    g_mutex_unlock(&l->lock);
    qemu_bh_schedule(l->bh);
}

static void exec_arm(void *opaque, unsigned lane, uint64_t deadline)
{
    struct envme_qexec *e = opaque;
    struct envme_qlane *l = e->lane[lane];

    if (deadline == UINT64_MAX) {
        timer_del(l->timer);
    } else {
        timer_mod(l->timer, MIN(deadline, INT64_MAX));
    }
}

static bool exec_on_lane(void *opaque, unsigned lane)
{
    struct envme_qexec *e = opaque;

    /* Whoever holds the BQL is the main loop's thread for now. */
    return lane == 0 ? bql_locked()
                     : qemu_get_current_aio_context() == e->lane[lane]->ctx;
}

void envme_qexec_init(struct envme_qexec *e, IOThread *const *iothreads,
                      unsigned n, struct envme_exec *port)
{
    e->ctrl = NULL;
    e->nlanes = 1 + n;
    e->lane = g_new0(struct envme_qlane *, e->nlanes);
    for (unsigned i = 0; i < e->nlanes; i++) {
        struct envme_qlane *l = g_new0(struct envme_qlane, 1);

        e->lane[i] = l;
        l->ctrl = &e->ctrl;
        l->index = i;
        l->iothread = i ? iothreads[i - 1] : NULL;
        if (l->iothread) {
            object_ref(OBJECT(l->iothread));
            l->ctx = iothread_get_aio_context(l->iothread);
        } else {
            l->ctx = qemu_get_aio_context();
        }
        g_mutex_init(&l->lock);
        QSIMPLEQ_INIT(&l->calls);
        l->bh = aio_bh_new(l->ctx, exec_bh, l);
        l->timer = aio_timer_new(l->ctx, QEMU_CLOCK_VIRTUAL, SCALE_NS,
                                 exec_timer, l);
    }
    *port = (struct envme_exec) {
        .opaque = e,
        .nlanes = e->nlanes,
        .kick = exec_kick,
        .defer = exec_defer,
        .arm = exec_arm,
        .on_lane = exec_on_lane,
    };
}

struct exec_after {
    struct envme_qlane *lane;
    envme_exec_fn *fn;
    void *opaque;
};

static void exec_after_turn(void *arg)
{
    struct exec_after *a = arg;

    exec_turn(a->lane);
    a->fn(a->opaque);
    g_free(a);
}

void envme_qexec_turn(struct envme_qexec *e, envme_exec_fn *fn, void *opaque)
{
    for (unsigned i = 1; i < e->nlanes; i++) {
        struct exec_after *a = g_new(struct exec_after, 1);

        *a = (struct exec_after) {
            .lane = e->lane[i], .fn = fn, .opaque = opaque,
        };
        exec_defer(e, i, exec_after_turn, a);
    }
    exec_turn(e->lane[0]);
}

static void exec_nothing(void *opaque)
{
    (void)opaque;
}

void envme_qexec_sync(struct envme_qexec *e)
{
    for (unsigned i = 1; i < e->nlanes; i++) {
        aio_wait_bh_oneshot(e->lane[i]->ctx, exec_nothing, NULL);
    }
}

void envme_qexec_stop(struct envme_qexec *e)
{
    for (unsigned i = 0; i < e->nlanes; i++) {
        struct envme_qlane *l = e->lane[i];

        timer_del(l->timer);
        qatomic_set(&l->stopped, true);
        if (i) {
            /* A turn that has begun is over when this has run. */
            aio_wait_bh_oneshot(l->ctx, exec_nothing, NULL);
        }
    }
}

static void exec_lane_free(void *opaque)
{
    struct envme_qlane *l = opaque;

    g_mutex_clear(&l->lock);
    g_free(l);
}

void envme_qexec_free(struct envme_qexec *e)
{
    for (unsigned i = 0; i < e->nlanes; i++) {
        struct envme_qlane *l = e->lane[i];
        IOThread *iothread = l->iothread;

        timer_free(l->timer);
        qemu_bh_delete(l->bh);
        /* Its thread may just be in the bottom half. */
        aio_bh_schedule_oneshot(l->ctx, exec_lane_free, l);
        if (iothread) {
            object_unref(OBJECT(iothread));
        }
    }
    g_free(e->lane);
    *e = (struct envme_qexec) { 0 };
}

static void exec_later(void *opaque, void (*fn)(void *arg), void *arg)
{
    (void)opaque;
    aio_bh_schedule_oneshot(qemu_get_aio_context(), fn, arg);
}

void envme_qexec_subsys(struct envme_subsys *subsys)
{
    subsys->later = exec_later;
}
