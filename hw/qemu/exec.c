/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include "block/aio-wait.h"
#include "qemu/atomic.h"
#include "qemu/defer-call.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/timer.h"

#include "hw/ctrl/ctrl.h"
#include "hw/qemu/exec.h"

/* Turns after which a context that could poll is asked to; more and more, if it
 * doesn't. */
#define EXEC_ASK_FIRST 16
#define EXEC_ASK_MOST  65536

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

/* ---- polling ----------------------------------------------------------- */

static struct envme_qlane *exec_of_poll(EventNotifier *e)
{
    return container_of(e, struct envme_qlane, poll);
}

/* Has the context poll, for which it must have seen the handler ready. Now and
 * then only: it is a system call, and poll-max-ns may be 0. */
static void exec_ask_for_polling(struct envme_qlane *l)
{
    if (l->polling || !envme_lane_poll_wanted(*l->ctrl, l->index) ||
        ++l->unpolled < l->ask_after) {
        return;
    }
    l->unpolled = 0;
    l->ask_after = MIN(2 * l->ask_after, EXEC_ASK_MOST);
    event_notifier_set(&l->poll);
}

static void exec_poll_read(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
}

static bool exec_poll(void *opaque)
{
    struct envme_qlane *l = exec_of_poll(opaque);

    return !l->running && !qatomic_read(&l->stopped) &&
           envme_lane_poll(*l->ctrl, l->index);
}

static void exec_poll_ready(EventNotifier *e)
{
    struct envme_qlane *l = exec_of_poll(e);

    qatomic_set(&l->kicked, true);
    envme_qexec_lane_turn(l);
}

static void exec_poll_begin(EventNotifier *e)
{
    struct envme_qlane *l = exec_of_poll(e);

    if (!qatomic_read(&l->stopped)) {
        l->polling = true;
        l->unpolled = 0;
        l->ask_after = EXEC_ASK_FIRST;
        envme_lane_poll_begin(*l->ctrl, l->index);
    }
}

static void exec_poll_end(EventNotifier *e)
{
    struct envme_qlane *l = exec_of_poll(e);

    if (l->polling) {
        l->polling = false;
        envme_lane_poll_end(*l->ctrl, l->index);
    }
}

/* Without it, for want of file descriptors, hosts ring. */
static void exec_poll_init(struct envme_qlane *l)
{
    if (event_notifier_init(&l->poll, false)) {
        return;
    }
    l->pollable = true;
    l->ask_after = EXEC_ASK_FIRST;
    aio_set_event_notifier(l->ctx, &l->poll, exec_poll_read, exec_poll,
                           exec_poll_ready);
    aio_set_event_notifier_poll(l->ctx, &l->poll, exec_poll_begin,
                                exec_poll_end);
    /* Now: a context that polls without end does not look at what it does not
     * poll. */
    event_notifier_set(&l->poll);
}

/* The context's thread, which alone may be looking at its handlers. */
static void exec_poll_fini(void *opaque)
{
    struct envme_qlane *l = opaque;

    if (l->pollable) {
        exec_poll_end(&l->poll);
        aio_set_event_notifier(l->ctx, &l->poll, NULL, NULL, NULL);
        event_notifier_cleanup(&l->poll);
        l->pollable = false;
    }
}

/* ---- turns ------------------------------------------------------------- */

static bool exec_is_due(struct envme_qlane *l)
{
    return qatomic_xchg(&l->kicked, false) ||
           (!l->index && envme_qexec_of(l)->vcpu.gather.holding);
}

void envme_qexec_lane_turn(struct envme_qlane *l)
{
    if (l->running || qatomic_read(&l->stopped) ||
        !exec_is_due(l)) {
        return;
    }
    if (!l->index) {
        envme_qvcpu_turn(&envme_qexec_of(l)->vcpu);
    }
    l->running = true;
    /* Each access to host memory is in such a section; within one it is
     * cheaper. */
    WITH_RCU_READ_LOCK_GUARD() {
        bool again;

        defer_call_begin();
        envme_lane_run(*l->ctrl, l->index);
        again = !qatomic_read(&l->kicked);
        defer_call_end();
        /* What has ended as soon as it was submitted. */
        if (again && qatomic_xchg(&l->kicked, false)) {
            envme_lane_run(*l->ctrl, l->index);
        }
    }
    l->running = false;
    if (l->pollable) {
        exec_ask_for_polling(l);
    }
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
    envme_qexec_lane_turn(l);
}

void envme_qexec_lane_ref(struct envme_qlane *l)
{
    g_atomic_ref_count_inc(&l->ref);
}

void envme_qexec_lane_unref(struct envme_qlane *l)
{
    if (g_atomic_ref_count_dec(&l->ref)) {
        g_mutex_clear(&l->lock);
        g_free(l);
    }
}

static bool exec_on_lane(void *opaque, unsigned lane)
{
    struct envme_qexec *e = opaque;

    /* Whoever holds the BQL is the main loop's thread for now. */
    return lane == 0 ? bql_locked()
                     : qemu_get_current_aio_context() == e->lane[lane]->ctx;
}

static void exec_kick(void *opaque, unsigned lane)
{
    struct envme_qexec *e = opaque;
    struct envme_qlane *l = e->lane[lane];
    bool again = qatomic_xchg(&l->kicked, true);

    if (exec_on_lane(e, lane) && l->running) {
        return;                 /* its end looks */
    }
    if (!lane && e->vcpu.on) {
        /* What a vCPU has been asked for may wait: this may not. */
        again = envme_qvcpu_kicked(&e->vcpu, l, again);
    }
    if (!again) {
        qemu_bh_schedule(l->bh);
    }
}

static void exec_timer(void *opaque)
{
    struct envme_qlane *l = opaque;

    exec_kick(envme_qexec_of(l), l->index);
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
        g_atomic_ref_count_init(&l->ref);
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

void envme_qexec_start(struct envme_qexec *e, struct envme_ctrl *ctrl)
{
    e->ctrl = ctrl;
    for (unsigned i = 1; i < e->nlanes; i++) {
        exec_poll_init(e->lane[i]);
    }
}

struct exec_after {
    struct envme_qlane *lane;
    envme_exec_fn *fn;
    void *opaque;
};

static void exec_after_turn(void *arg)
{
    struct exec_after *a = arg;

    envme_qexec_lane_turn(a->lane);
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
    envme_qexec_lane_turn(e->lane[0]);
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
    envme_qvcpu_stop(&e->vcpu);
    for (unsigned i = 0; i < e->nlanes; i++) {
        struct envme_qlane *l = e->lane[i];

        timer_del(l->timer);
        qatomic_set(&l->stopped, true);
        if (i) {
            /* A turn that has begun is over when this has run. */
            aio_wait_bh_oneshot(l->ctx, exec_poll_fini, l);
        }
    }
}

static void exec_lane_free(void *opaque)
{
    envme_qexec_lane_unref(opaque);
}

void envme_qexec_free(struct envme_qexec *e)
{
    envme_qvcpu_free(&e->vcpu);
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
