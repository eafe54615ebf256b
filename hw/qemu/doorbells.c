/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/doorbells.h"

#include "block/aio.h"
#include "hw/core/cpu.h"
#include "qapi/error.h"
#include "qemu/accel.h"
#include "qemu/main-loop.h"
#include "qemu/memalign.h"
#include "qemu/rcu.h"
#include "qemu/units.h"

#include "hw/ctrl/ctrl.h"

/* More than that is for queues that few hosts have: they trap. */
#define QDB_MAX (64 * KiB)

/*
 * Bottom halves of the I/O handlers' context run in the main loop and nowhere
 * else: others may also run inside of a vCPU's register access that polls,
 * which is no place to change the memory map.
 */
static void qdb_in_main_loop(QEMUBHFunc *fn, struct envme_qdoorbells *d)
{
    aio_bh_schedule_oneshot(iohandler_get_aio_context(), fn, d);
}

static void qdb_switch(struct envme_qdoorbells *d)
{
    if (!d->gone) {
        memory_region_set_enabled(&d->ram, d->on);
    }
}

/* ---- hiding ------------------------------------------------------------ */

struct qdb_grace {
    struct rcu_head rcu;
    struct envme_qdoorbells *d;
};

static void qdb_over(void *opaque)
{
    struct envme_qdoorbells *d = opaque;

    if (!d->gone) {
        envme_ctrl_doorbells_hidden(*d->ctrl, true);
    }
    object_unref(d->owner);
}

/* Called with the BQL, in a thread of QEMU's. */
static void qdb_grace_over(struct qdb_grace *g)
{
    qdb_in_main_loop(qdb_over, g->d);
    g_free(g);
}

/*
 * No vCPU stores there any more: see qdb_show(). What is left are other devices
 * and QEMU itself, which look an address up and store in one RCU section.
 */
static void qdb_hidden(struct envme_qdoorbells *d)
{
    struct qdb_grace *g = g_new0(struct qdb_grace, 1);

    if (!d->gone) {
        envme_ctrl_doorbells_hidden(*d->ctrl, false);
    }
    g->d = d;
    call_rcu(g, qdb_grace_over, rcu);
}

/* ---- both -------------------------------------------------------------- */

static void qdb_done(void *opaque)
{
    struct envme_qdoorbells *d = opaque;

    if (!d->on) {
        qdb_hidden(d);
        return;
    }
    if (!d->gone) {
        d->times++;
        envme_ctrl_doorbells_shown(*d->ctrl);
    }
    object_unref(d->owner);
}

static void qdb_switch_bh(void *opaque)
{
    qdb_switch(opaque);
    qdb_done(opaque);
}

/* On a vCPU's thread, without the BQL, and no vCPU executes. */
static void qdb_switch_exclusive(CPUState *cpu, run_on_cpu_data data)
{
    struct envme_qdoorbells *d = data.host_ptr;

    (void)cpu;
    bql_lock();
    qdb_switch(d);
    qdb_in_main_loop(qdb_done, d);
    bql_unlock();
}

/*
 * With KVM the change is over when memory_region_set_enabled() returns: the
 * kernel has had all vCPUs leave the old mapping. TCG's vCPUs keep what they
 * have looked up, as numbers of places in the map that was, until they get to
 * an errand to forget it. So the map is changed while none of them executes;
 * before they do again they run that errand.
 */
static void qdb_show(void *opaque, bool on)
{
    struct envme_qdoorbells *d = opaque;
    CPUState *cpu = d->is_tcg ? qemu_get_cpu(0) : NULL;

    d->on = on;
    object_ref(d->owner);
    if (cpu) {
        async_safe_run_on_cpu(cpu, qdb_switch_exclusive,
                              RUN_ON_CPU_HOST_PTR(d));
    } else {
        qdb_in_main_loop(qdb_switch_bh, d);
    }
}

/* ---- made and freed ---------------------------------------------------- */

bool envme_qdoorbells_init(struct envme_qdoorbells *d, Object *owner,
                           struct envme_ctrl **ctrl, OnOffAuto wanted,
                           MemoryRegion *bar, uint64_t at, uint64_t bytes,
                           struct envme_doorbells *port, Error **errp)
{
    const char *accel = current_accel_name();
    /* A trap is what costs so much with KVM, and little with TCG. */
    bool is_worth_it = !g_ascii_strcasecmp(accel, "kvm") &&
                       qemu_real_host_page_size() <= 4 * KiB;

    bytes = MIN(ROUND_UP(bytes, 4 * KiB), QDB_MAX);
    if (wanted == ON_OFF_AUTO_OFF ||
        (wanted == ON_OFF_AUTO_AUTO && !is_worth_it)) {
        return true;
    }
    d->owner = owner;
    d->ctrl = ctrl;
    d->is_tcg = !g_ascii_strcasecmp(accel, "tcg");
    d->base = qemu_try_memalign(qemu_real_host_page_size(),
                                ROUND_UP(bytes, qemu_real_host_page_size()));
    if (!d->base) {
        error_setg(errp, "no memory for mapped-doorbells");
        return false;
    }
    memset(d->base, 0, bytes);
    /* Not memory that others would keep a pointer to, or copy. */
    memory_region_init_ram_device_ptr(&d->ram, owner, "envme-doorbells-mapped",
                                      bytes, d->base);
    memory_region_set_enabled(&d->ram, false);
    memory_region_add_subregion_overlap(bar, at, &d->ram, 1);
    *port = (struct envme_doorbells) {
        .opaque = d, .base = d->base, .size = bytes, .show = qdb_show,
    };
    return true;
}

void envme_qdoorbells_stop(struct envme_qdoorbells *d, MemoryRegion *bar)
{
    d->gone = true;
    if (d->base && d->ram.container) {
        memory_region_del_subregion(bar, &d->ram);
    }
}

void envme_qdoorbells_free(struct envme_qdoorbells *d)
{
    qemu_vfree(d->base);
    d->base = NULL;
}
