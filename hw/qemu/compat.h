/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the QEMU versions that envme builds against, and how
 * QEMU's data symbols are referred to. Every file of hw/qemu includes this
 * first; nothing else in hw/qemu mentions a QEMU version.
 *
 * Data and functions whose address is stored are weak: a program that is not
 * QEMU and has the module preloaded must still start. symbols.c says at load
 * whether one of them is missing in a QEMU. Plain calls need nothing, they
 * are bound when they are first made (preloaded) or at load (-plugin).
 */
#ifndef ENVME_QEMU_COMPAT_H
#define ENVME_QEMU_COMPAT_H

#include "qemu/osdep.h"

#define ENVME_QEMU_VERSION(major, minor) ((major) * 100 + (minor))
#define ENVME_QEMU_BUILT_FOR                                                  \
    ENVME_QEMU_VERSION(QEMU_VERSION_MAJOR, QEMU_VERSION_MINOR)

#if ENVME_QEMU_BUILT_FOR < ENVME_QEMU_VERSION(10, 0)
#error "envme needs the headers of QEMU 10.0 or later"
#endif

#include "block/aio-wait.h"

/* Headers that have moved. */
#if __has_include("system/memory.h")
#include "system/memory.h"
#include "system/address-spaces.h"
#else
#include "exec/memory.h"
#include "exec/address-spaces.h"
#endif
#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/qdev-properties.h"
#include "hw/core/qdev-properties-system.h"
#else
#include "hw/qdev-properties.h"
#include "hw/qdev-properties-system.h"
#endif

/* Who of `mask` does not know yet that these bytes have been written. */
#if ENVME_QEMU_BUILT_FOR >= ENVME_QEMU_VERSION(10, 2)
#include "system/physmem.h"
#define envme_compat_includes_clean physical_memory_range_includes_clean
#else
#include "exec/ramlist.h"
#include "exec/target_page.h"
#include "qemu/bitops.h"

/* The header that has this belongs to one target there. RCU section. */
static inline bool envme_compat_is_clean(ram_addr_t at, size_t len,
                                         unsigned client)
{
    unsigned bits = qemu_target_page_bits();
    DirtyMemoryBlocks *b = qatomic_rcu_read(&ram_list.dirty_memory[client]);

    for (ram_addr_t p = at >> bits; p <= (at + len - 1) >> bits; p++) {
        if (!test_bit(p % DIRTY_MEMORY_BLOCK_SIZE,
                      b->blocks[p / DIRTY_MEMORY_BLOCK_SIZE])) {
            return true;
        }
    }
    return false;
}

static inline uint8_t envme_compat_includes_clean(ram_addr_t at, size_t len,
                                                  uint8_t mask)
{
    for (; mask; mask &= mask - 1) {
        if (envme_compat_is_clean(at, len, ctz32(mask))) {
            return mask;
        }
    }
    return 0;
}
#endif

/* Renamed in 10.2. */
#include "chardev/char-fe.h"
#if ENVME_QEMU_BUILT_FOR >= ENVME_QEMU_VERSION(10, 2)
typedef CharFrontend envme_chardev;
#else
typedef CharBackend envme_chardev;
#endif

/* Does everybody who asks for it know that these bytes of a memory region, at
 * this ram_addr_t, have been written? RCU section. */
static inline bool envme_compat_is_told(MemoryRegion *mr, ram_addr_t at,
                                        size_t len)
{
    uint8_t mask = memory_region_get_dirty_log_mask(mr);

    return !mask || !envme_compat_includes_clean(at, len, mask);
}

/* class_init()'s second argument became const in 10.1. */
#if ENVME_QEMU_BUILT_FOR >= ENVME_QEMU_VERSION(10, 1)
typedef const void envme_class_data;
typedef const InterfaceInfo envme_interface;
#else
typedef void envme_class_data;
typedef InterfaceInfo envme_interface;
#endif

/*
 * Two vCPUs may ring doorbells at once, so the region must be exempt from the
 * guard against re-entrancy, which takes the second for a loop. From 10.2 on
 * QEMU can also dispatch it without taking the BQL; 10.0 and 10.1 have no way
 * to.
 */
static inline void envme_compat_lockless(MemoryRegion *mr)
{
#if ENVME_QEMU_BUILT_FOR >= ENVME_QEMU_VERSION(10, 2)
    /* As memory_region_enable_lockless_io(), which a QEMU of another version
     * does not have: it shall say which version is wanted, and not which
     * symbol is missing. */
    mr->lockless_io = true;
#endif
    mr->disable_reentrancy_guard = true;
}

/* QEMU's own declaration is in a header that cannot be included here. */
extern const MemoryRegionOps unassigned_mem_ops;

#define ENVME_WEAK(name) ENVME_WEAK_(weak name)
#define ENVME_WEAK_(text) _Pragma(#text)

ENVME_WEAK(qdev_prop_bit)
ENVME_WEAK(qdev_prop_bool)
ENVME_WEAK(qdev_prop_chr)
ENVME_WEAK(qdev_prop_int32)
ENVME_WEAK(qdev_prop_uint8)
ENVME_WEAK(qdev_prop_uint16)
ENVME_WEAK(qdev_prop_uint32)
ENVME_WEAK(qdev_prop_uint64)
ENVME_WEAK(qdev_prop_size)
ENVME_WEAK(qdev_prop_size32)
ENVME_WEAK(qdev_prop_string)
ENVME_WEAK(qdev_prop_link)
ENVME_WEAK(qdev_prop_uuid)
ENVME_WEAK(qdev_prop_array)
ENVME_WEAK(qdev_prop_drive)
ENVME_WEAK(qdev_prop_blocksize)
ENVME_WEAK(qdev_prop_on_off_auto)
ENVME_WEAK(qdev_prop_blockdev_on_error)
ENVME_WEAK(qdev_simple_device_unplug_cb)
ENVME_WEAK(unassigned_mem_ops)
ENVME_WEAK(rcu_gp_ctr)
ENVME_WEAK(current_cpu)
ENVME_WEAK(rcu_gp_event)
ENVME_WEAK(global_aio_wait)
#if ENVME_QEMU_BUILT_FOR < ENVME_QEMU_VERSION(10, 2)
ENVME_WEAK(ram_list)
ENVME_WEAK(target_page)
#endif

#endif
