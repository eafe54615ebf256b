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

/*
 * Memory that QEMU has just made holds nothing; a file says itself where it
 * has data. What others put into the file later is not noticed.
 */
static void memdev_track(struct envme_backend *be, RAMBlock *rb, off_t size)
{
    int fd = qemu_ram_get_fd(rb);
    off_t start = fd < 0 ? 0 : rb->fd_offset, at = start;

    envme_backend_mem_track(be);
    while (fd >= 0 && at < start + size) {
        off_t from = lseek(fd, at, SEEK_DATA), to;

        if (from < 0 && errno == ENXIO) {
            return;             /* a hole up to the end */
        }
        to = from < 0 ? -1 : lseek(fd, from, SEEK_HOLE);
        if (to <= from) {
            from = at;          /* it can't say */
            to = start + size;
        }
        from = MIN(from, start + size);
        at = MIN(to, start + size);
        envme_backend_mem_mark(be, from - start, at - from);
    }
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
    if (mr->ram_block) {
        memdev_track(be, mr->ram_block, memory_region_size(mr));
    }
    host_memory_backend_set_mapped(memdev, true);
    return be;
}

void envme_memdev_release(HostMemoryBackend *memdev)
{
    host_memory_backend_set_mapped(memdev, false);
}
