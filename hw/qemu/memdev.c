/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A namespace's medium in a QEMU memory backend: memdev=. */
#include "hw/qemu/compat.h"

#include "qapi/error.h"
#if __has_include("system/ramblock.h")
#include "system/ramblock.h"
#else
#include "exec/ramblock.h"
#endif
#if __has_include("exec/cpu-common.h")
#include "exec/cpu-common.h"
#endif

#include "hw/ns/backend-mem.h"
#include "hw/qemu/blk.h"

static int memdev_discard(void *opaque, uint64_t offset, uint64_t bytes)
{
    return ram_block_discard_range(opaque, offset, bytes);
}

/* Does discarded memory read as zeroes? Not where a private mapping shows
 * its file again. */
static bool memdev_can_discard(RAMBlock *rb)
{
    return qemu_ram_get_fd(rb) < 0 || qemu_ram_is_shared(rb);
}

struct envme_backend *envme_memdev_new(HostMemoryBackend *memdev,
                                       Error **errp)
{
    struct envme_backend *be;
    MemoryRegion *mr;

    if (host_memory_backend_is_mapped(memdev)) {
        error_setg(errp, "memdev=%s is already in use: give each namespace "
                   "its own memory backend",
                   object_get_canonical_path_component(OBJECT(memdev)));
        return NULL;
    }
    mr = host_memory_backend_get_memory(memdev);
    be = envme_backend_mem_new(memory_region_get_ram_ptr(mr),
                               memory_region_size(mr), false,
                               memory_region_is_rom(mr));
    if (!be) {
        error_setg(errp, "memdev=%s: out of memory",
                   object_get_canonical_path_component(OBJECT(memdev)));
        return NULL;
    }
    if (mr->ram_block && memdev_can_discard(mr->ram_block)) {
        envme_backend_mem_set_discard(be, qemu_ram_pagesize(mr->ram_block),
                                      memdev_discard, mr->ram_block);
    }
    host_memory_backend_set_mapped(memdev, true);
    return be;
}

void envme_memdev_release(HostMemoryBackend *memdev)
{
    host_memory_backend_set_mapped(memdev, false);
}
