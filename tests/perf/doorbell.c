/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A doorbell write as a vCPU does it. Where registers are mapped it leaves
 * for the device, with the BQL taken as QEMU's MMIO path takes it for that
 * region. Where RAM is mapped it is a plain store, and as with a hypervisor
 * nobody can still be storing once the mapping is gone: the listener waits.
 */
#include "tests/perf/gen.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include "qemu/main-loop.h"
#include "qemu/rcu.h"

static struct {
    uint64_t first, last;
    uint8_t *ram;               /* of first, or NULL */
    bool storing;
    MemoryListener listener;
} db_window;

static void db_barrier(void)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

static bool db_covers(const MemoryRegionSection *s)
{
    uint64_t first = s->offset_within_address_space;

    return memory_region_is_ram(s->mr) && first <= db_window.first &&
           first + int128_get64(s->size) - 1 >= db_window.last;
}

static void db_region_add(MemoryListener *l, MemoryRegionSection *s)
{
    uint8_t *p;

    if (!db_covers(s)) {
        return;
    }
    p = memory_region_get_ram_ptr(s->mr);
    p += s->offset_within_region;
    p += db_window.first - s->offset_within_address_space;
    qatomic_set(&db_window.ram, p);
}

static void db_region_del(MemoryListener *l, MemoryRegionSection *s)
{
    if (!db_covers(s)) {
        return;
    }
    qatomic_set(&db_window.ram, NULL);
    db_barrier();
    while (qatomic_load_acquire(&db_window.storing)) {
        gen_relax();
    }
}

void gen_db_watch(uint64_t addr, uint64_t bytes)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
    db_window.first = addr;
    db_window.last = addr + bytes - 1;
    db_window.listener = (MemoryListener) {
        .name = "envme-perf",
        .region_add = db_region_add,
        .region_del = db_region_del,
    };
    bql_lock();
    memory_listener_register(&db_window.listener, &address_space_memory);
    bql_unlock();
}

static bool db_store(uint64_t addr, uint32_t val)
{
    uint8_t *ram;

    qatomic_set(&db_window.storing, true);
    barrier();                          /* db_barrier() does the rest */
    ram = qatomic_read(&db_window.ram);
    if (ram) {
        qatomic_store_release((uint32_t *)(ram + (addr - db_window.first)),
                              cpu_to_le32(val));
    }
    qatomic_store_release(&db_window.storing, false);
    return ram;
}

/* False: the registers have just become RAM. */
static bool db_trap(uint64_t addr, uint32_t val)
{
    RCU_READ_LOCK_GUARD();
    hwaddr len = 4, off;
    MemoryRegion *mr = address_space_translate(&address_space_memory, addr,
                                               &off, &len, true,
                                               MEMTXATTRS_UNSPECIFIED);
    bool locked;

    if (memory_region_is_ram(mr)) {
        return false;
    }
    locked = prepare_mmio_access(mr);
    memory_region_dispatch_write(mr, off, val, MO_LEUL,
                                 MEMTXATTRS_UNSPECIFIED);
    if (locked) {
        bql_unlock();
    }
    return true;
}

/* True: the device wants to hear of it. */
static bool db_shadow(const struct gen_db *db, uint32_t val)
{
    uint32_t old, event;

    smp_wmb();
    old = *db->shadow;
    *db->shadow = val;
    smp_mb();
    event = *db->event;
    return (uint16_t)(val - event - 1) < (uint16_t)(val - old);
}

void gen_db_write(const struct gen_db *db, uint32_t val, struct gen_result *r)
{
    if (db->shadow && !db_shadow(db, val)) {
        if (r) {
            r->skipped++;
        }
        return;
    }
    for (;;) {
        if (db_store(db->addr, val)) {
            if (r) {
                r->mapped++;
            }
            return;
        }
        if (db_trap(db->addr, val)) {
            if (r) {
                r->doorbells++;
            }
            return;
        }
        gen_relax();
    }
}
