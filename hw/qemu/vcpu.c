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

#define VCPU_WAIT_NS    500000  /* for each command */

static QLIST_HEAD(, envme_qvcpu) vcpu_holding =
    QLIST_HEAD_INITIALIZER(vcpu_holding);
/* vCPUs tell when they are idle. */
static bool vcpu_tells;

/* The vCPU in whose doorbell handler this thread is. */
static __thread CPUState *vcpu_ringing;

static struct envme_qlane *vcpu_lane(struct envme_qvcpu *v)
{
    return container_of(v, struct envme_qlane, vcpu);
}

static struct envme_qexec *vcpu_exec(struct envme_qvcpu *v)
{
    return container_of(vcpu_lane(v)->ctrl, struct envme_qexec, ctrl);
}

/* ---- holding back ------------------------------------------------------ */

static unsigned vcpu_gather(struct envme_qvcpu *v, unsigned want)
{
    struct envme_qlane *l = vcpu_lane(v);

    RCU_READ_LOCK_GUARD();
    return envme_lane_gather(*l->ctrl, l->index, want);
}

static void vcpu_hold(struct envme_qvcpu *v)
{
    v->holding = true;
    v->over = false;
    v->cpus = 0;
    vcpu_exec(v)->nvcpu_gathers++;
    v->until = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
               v->gather.want * VCPU_WAIT_NS;
    QLIST_INSERT_HEAD(&vcpu_holding, v, next);
    if (!v->armed) {
        v->armed = true;
        timer_mod(v->timer, v->until);
    }
}

static void vcpu_let_go(struct envme_qvcpu *v)
{
    if (v->holding) {
        QLIST_REMOVE(v, next);
        v->holding = false;
    }
}

/* Armed as long as commands are held back now and then: a timer that a vCPU
 * arms wakes the main loop. */
static void vcpu_timer(void *opaque)
{
    struct envme_qvcpu *v = opaque;
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    v->armed = v->holding;
    if (v->holding && now >= v->until) {
        v->over = true;
        v->until = now + v->gather.want * VCPU_WAIT_NS;
        envme_qexec_kick(vcpu_lane(v));
    }
    if (v->armed) {
        timer_mod(v->timer, v->until);
    }
}

/* Are the commands that wait too few for a turn? */
static bool vcpu_waits(struct envme_qvcpu *v, CPUState *cpu)
{
    struct envme_qlane *l = vcpu_lane(v);
    unsigned want = v->gather.want, n = want;

    if (!vcpu_tells || l->running || qatomic_read(&l->stopped)) {
        return false;
    }
    if (want > 1) {
        if (!qatomic_xchg(&l->kicked, false)) {
            return false;
        }
        n = vcpu_gather(v, want);
        if (n && n < want) {
            if (!v->holding) {
                vcpu_hold(v);
            }
            v->cpus |= UINT64_C(1) << cpu->cpu_index % 64;
            return true;
        }
        qatomic_set(&l->kicked, true);
    }
    if (n && n != UINT_MAX) {
        v->over = false;
        envme_gather_full(&v->gather);
    }
    return false;
}

void envme_qvcpu_turn(struct envme_qvcpu *v)
{
    if (v->holding) {
        vcpu_let_go(v);
        if (v->over) {
            unsigned n = vcpu_gather(v, v->gather.want);

            if (n && n < v->gather.want) {
                envme_gather_short(&v->gather, n);
            }
        }
    }
}

void envme_qvcpu_idle(unsigned cpu)
{
    struct envme_qvcpu *v;

    vcpu_tells = true;
    QLIST_FOREACH(v, &vcpu_holding, next) {
        if (v->cpus >> cpu % 64 & 1) {
            v->over = true;
            /* Not here: the vCPU goes to sleep after this, whatever comes. */
            envme_qexec_kick(vcpu_lane(v));
        }
    }
}

/* ---- turns ------------------------------------------------------------- */

static void vcpu_turn(CPUState *cpu, run_on_cpu_data data)
{
    struct envme_qlane *l = data.host_ptr;
    struct envme_qvcpu *v = &l->vcpu;

    if (!vcpu_waits(v, cpu)) {
        envme_qexec_lane_turn(l);
        if (!qatomic_read(&l->stopped)) {
            bool slow = envme_lane_in_flight(*l->ctrl, l->index);

            qatomic_set(&v->skip_next, !slow ? VCPU_SKIP_FIRST
                                             : MIN(2 * v->skip_next,
                                                   VCPU_SKIP_MOST));
            qatomic_set(&v->skip, slow ? v->skip_next : 0);
            vcpu_exec(v)->nvcpu_turns++;
        }
    }
    envme_qexec_lane_unref(l);
}

void envme_qvcpu_ring_begin(void)
{
    vcpu_ringing = current_cpu;
}

void envme_qvcpu_ring_end(void)
{
    vcpu_ringing = NULL;
}

bool envme_qvcpu_take(struct envme_qlane *l)
{
    struct envme_qvcpu *v = &l->vcpu;
    unsigned skip;

    if (!vcpu_ringing || l->index) {
        return false;
    }
    skip = qatomic_read(&v->skip);
    if (skip) {
        /* Two vCPUs at once may count as one. */
        qatomic_set(&v->skip, skip - 1);
        return false;
    }
    envme_qexec_lane_ref(l);
    async_run_on_cpu(vcpu_ringing, vcpu_turn, RUN_ON_CPU_HOST_PTR(l));
    return true;
}

void envme_qvcpu_init(struct envme_qvcpu *v)
{
    v->skip_next = VCPU_SKIP_FIRST;
    envme_gather_init(&v->gather, 1);
    v->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, vcpu_timer, v);
}

void envme_qvcpu_set_most(struct envme_qvcpu *v, unsigned most)
{
    envme_gather_init(&v->gather, most);
}

void envme_qvcpu_stop(struct envme_qvcpu *v)
{
    timer_del(v->timer);
    v->armed = false;
    vcpu_let_go(v);
}

void envme_qvcpu_free(struct envme_qvcpu *v)
{
    timer_free(v->timer);
}
