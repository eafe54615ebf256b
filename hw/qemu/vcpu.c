/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include "hw/core/cpu.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"

#include "hw/ctrl/ctrl.h"
#include "hw/qemu/exec.h"
#include "hw/qemu/vcpu.h"

/* Doorbells that vCPUs leave to the main loop; more and more, if it does not
 * change. */
#define VCPU_SKIP_FIRST 64
#define VCPU_SKIP_MOST  4096

/* Of controllers that have `on`; BQL. */
static QLIST_HEAD(, envme_qvcpu) vcpu_all = QLIST_HEAD_INITIALIZER(vcpu_all);
/* vCPUs tell when they are idle. */
static bool vcpu_tells;

/* The vCPU in whose doorbell handler this thread is. */
static __thread CPUState *vcpu_ringing;

static struct envme_qexec *vcpu_exec(struct envme_qvcpu *v)
{
    return container_of(v, struct envme_qexec, vcpu);
}

static struct envme_qlane *vcpu_lane(struct envme_qvcpu *v)
{
    return vcpu_exec(v)->lane[0];
}

/* ---- waiting for more commands ----------------------------------------- */

/* How many commands wait, as envme_lane_gather(); what kicks the lane meanwhile
 * makes a turn due, as within one. */
static unsigned vcpu_count(struct envme_qvcpu *v)
{
    struct envme_qlane *l = vcpu_lane(v);
    unsigned n;

    l->running = true;
    WITH_RCU_READ_LOCK_GUARD() {
        n = envme_lane_gather(*l->ctrl, 0, v->gather.want);
    }
    l->running = false;
    return qatomic_read(&l->kicked) ? UINT_MAX : n;
}

/* The timer is armed as long as commands wait now and then: where a vCPU arms it,
 * the main loop wakes up. */
static void vcpu_hold(struct envme_qvcpu *v)
{
    uint64_t until;

    envme_gather_hold(&v->gather, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL));
    v->nwaits++;
    until = v->gather.until;
    if (!v->armed || until < timer_expire_time_ns(v->timer)) {
        v->armed = true;
        timer_mod(v->timer, until);
    }
}

static void vcpu_timer(void *opaque)
{
    struct envme_qvcpu *v = opaque;

    v->armed = v->gather.holding;
    if (envme_gather_late(&v->gather, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL))) {
        qemu_bh_schedule(vcpu_lane(v)->bh);
    }
    if (v->armed) {
        timer_mod(v->timer, v->gather.until);
    }
}

/* A vCPU's work: true if there is no turn to give, yet. */
static bool vcpu_waits(struct envme_qvcpu *v)
{
    struct envme_qlane *l = vcpu_lane(v);
    unsigned n;

    if (l->running || !qatomic_xchg(&l->kicked, false)) {
        return true;            /* somebody else is at it, or was */
    }
    if (vcpu_tells && !envme_lane_in_flight(*l->ctrl, 0)) {
        n = v->gather.want == 1 ? 1 : vcpu_count(v);
        if (n && n != UINT_MAX && envme_gather_wait(&v->gather, n)) {
            if (!v->gather.holding) {
                vcpu_hold(v);
            }
            return true;
        }
    }
    qatomic_set(&l->kicked, true);
    return false;
}

void envme_qvcpu_turn(struct envme_qvcpu *v)
{
    unsigned n = 0;

    if (v->gather.holding && v->gather.over) {
        n = vcpu_count(v);
    }
    envme_gather_turn(&v->gather, n);
}

void envme_qvcpu_idle(unsigned cpu)
{
    struct envme_qvcpu *v;

    vcpu_tells = true;
    QLIST_FOREACH(v, &vcpu_all, next) {
        if (envme_gather_idle(&v->gather, cpu)) {
            /* Not here: the vCPU goes to sleep after this, whatever comes. */
            qemu_bh_schedule(vcpu_lane(v)->bh);
        }
    }
}

/* ---- turns ------------------------------------------------------------- */

static void vcpu_work(CPUState *cpu, run_on_cpu_data data)
{
    struct envme_qlane *l = data.host_ptr;

    (void)cpu;
    /* Once it is, the controller may be gone. */
    if (!qatomic_read(&l->stopped)) {
        struct envme_qvcpu *v = &envme_qexec_of(l)->vcpu;

        if (!vcpu_waits(v)) {
            bool slow;

            envme_qexec_lane_turn(l);
            slow = envme_lane_in_flight(*l->ctrl, 0);
            qatomic_set(&v->skip_next, !slow ? VCPU_SKIP_FIRST
                                             : MIN(2 * v->skip_next,
                                                   VCPU_SKIP_MOST));
            qatomic_set(&v->skip, slow ? v->skip_next : 0);
            v->nturns++;
        }
    }
    envme_qexec_lane_unref(l);
}

void envme_qvcpu_ring_begin(struct envme_qvcpu *v)
{
    if (v->on) {
        vcpu_ringing = current_cpu;
    }
}

void envme_qvcpu_ring_end(struct envme_qvcpu *v)
{
    if (vcpu_ringing) {
        envme_gather_rung(&v->gather, vcpu_ringing->cpu_index);
        vcpu_ringing = NULL;
    }
}

bool envme_qvcpu_kicked(struct envme_qvcpu *v, struct envme_qlane *l,
                        bool again)
{
    unsigned skip;

    if (!vcpu_ringing) {
        return false;
    }
    skip = qatomic_read(&v->skip);
    if (skip) {
        /* Two vCPUs at once may count as one. */
        qatomic_set(&v->skip, skip - 1);
        return false;
    }
    if (!again) {
        envme_qexec_lane_ref(l);
        async_run_on_cpu(vcpu_ringing, vcpu_work, RUN_ON_CPU_HOST_PTR(l));
    }
    return true;
}

void envme_qvcpu_init(struct envme_qvcpu *v, bool on, unsigned most)
{
    v->on = on;
    v->skip_next = VCPU_SKIP_FIRST;
    envme_gather_init(&v->gather, most);
    v->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, vcpu_timer, v);
    if (on) {
        QLIST_INSERT_HEAD(&vcpu_all, v, next);
    }
}

void envme_qvcpu_stop(struct envme_qvcpu *v)
{
    timer_del(v->timer);
    if (v->on) {
        QLIST_REMOVE(v, next);
        v->on = false;
    }
}

void envme_qvcpu_free(struct envme_qvcpu *v)
{
    timer_free(v->timer);
}
