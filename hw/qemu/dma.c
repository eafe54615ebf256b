/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"

#include "hw/qemu/dma.h"

enum dma_kind {
    DMA_RAM,                    /* *ptr, a reference to *mr is held */
    DMA_MMIO,                   /* another device's registers */
};

struct dma_piece {
    enum dma_kind kind;
    void *ptr;
    hwaddr len;
};

/* What lies at addr: at most len bytes of one kind. */
static int dma_look(struct envme_qdma *d, uint64_t addr, hwaddr len,
                    bool is_write, struct dma_piece *p)
{
    const MemTxAttrs attrs = MEMTXATTRS_UNSPECIFIED;
    hwaddr xlat, l = len;
    MemoryRegion *mr;

    if (!qatomic_read(&d->on)) {
        return -EBUSY;
    }
    RCU_READ_LOCK_GUARD();
    mr = flatview_translate(address_space_to_flatview(d->as), addr, &xlat, &l,
                            is_write, attrs);
    if (envme_ramview_is_own(&d->ram, mr)) {
        return -EACCES;
    }
    if (memory_access_is_direct(mr, is_write, attrs)) {
        memory_region_ref(mr);
        p->kind = DMA_RAM;
        p->ptr = (char *)memory_region_get_ram_ptr(mr) + xlat;
        p->len = l;
        return 0;
    }
    if (mr->ops == &unassigned_mem_ops) {
        /* Nothing decodes when Bus Master has just been turned off. */
        return qatomic_read(&d->on) ? -EIO : -EBUSY;
    }
    p->kind = DMA_MMIO;
    p->ptr = NULL;
    p->len = l;
    return 0;
}

static void dma_release(struct envme_qdma *d, void *ptr, hwaddr len,
                        bool dirty)
{
    /* Marks the memory dirty, drops code translated from it and the
     * reference. */
    address_space_unmap(d->as, ptr, len, dirty, dirty ? len : 0);
}

/*
 * A host that polls a completion queue may look at any moment: the second
 * half of an entry, with the phase tag, must not be seen before the first.
 */
static void dma_copy_out(void *to, const void *from, size_t len)
{
    if (len == 16 && QEMU_PTR_IS_ALIGNED(to, 8)) {
        uint64_t half[2];

        memcpy(half, from, sizeof(half));
        qatomic_set((uint64_t *)to, half[0]);
        smp_wmb();
        qatomic_set((uint64_t *)to + 1, half[1]);
    } else {
        memcpy(to, from, len);
    }
}

static int dma_rw(struct envme_qdma *d, uint64_t addr, void *buf, size_t len,
                  bool is_write)
{
    while (len) {
        struct dma_piece p;
        int err = dma_look(d, addr, len, is_write, &p);

        if (err) {
            return err;
        }
        if (p.kind == DMA_RAM) {
            if (is_write) {
                dma_copy_out(p.ptr, buf, p.len);
            } else {
                memcpy(buf, p.ptr, p.len);
            }
            dma_release(d, p.ptr, p.len, is_write);
        } else {
            MemTxResult res;

            if (!bql_locked()) {
                return -EAGAIN;
            }
            d->busy++;
            res = address_space_rw(d->as, addr, MEMTXATTRS_UNSPECIFIED, buf,
                                   p.len, is_write);
            d->busy--;
            if (res != MEMTX_OK) {
                return qatomic_read(&d->on) ? -EIO : -EBUSY;
            }
        }
        buf = (char *)buf + p.len;
        addr += p.len;
        len -= p.len;
    }
    return 0;
}

/*
 * The way of nearly all transfers: plain memory, in one piece. NULL when it
 * isn't. RCU section.
 */
static inline QEMU_ALWAYS_INLINE const struct envme_ram *
dma_ram(struct envme_qdma *d, uint64_t addr, size_t len)
{
    const struct envme_ram *r = NULL;

    if (qatomic_read(&d->on)) {
        r = envme_ramview_find(&d->ram, addr);
    }
    return r && len - 1 <= r->last - addr ? r : NULL;
}

static int dma_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
    struct envme_qdma *d = opaque;

    WITH_RCU_READ_LOCK_GUARD() {
        const struct envme_ram *r = dma_ram(d, addr, len);

        if (r) {
            memcpy(buf, r->host + (addr - r->start), len);
            return 0;
        }
    }
    return dma_rw(d, addr, buf, len, false);
}

static int dma_write(void *opaque, uint64_t addr, const void *buf, size_t len)
{
    struct envme_qdma *d = opaque;

    WITH_RCU_READ_LOCK_GUARD() {
        const struct envme_ram *r = dma_ram(d, addr, len);

        if (r) {
            dma_copy_out(r->host + (addr - r->start), buf, len);
            if (envme_ram_written(r, addr - r->start, len)) {
                return 0;
            }
            /* Somebody has to be told of it: the same again, QEMU's way. */
        }
    }
    return dma_rw(d, addr, (void *)buf, len, true);
}

static const void *dma_peek(void *opaque, uint64_t addr, size_t len)
{
    const struct envme_ram *r = dma_ram(opaque, addr, len);

    return r ? r->host + (addr - r->start) : NULL;
}

static void *dma_map(void *opaque, uint64_t addr, size_t *len, bool is_write,
                     int *err)
{
    struct envme_qdma *d = opaque;
    struct dma_piece p;

    WITH_RCU_READ_LOCK_GUARD() {
        const struct envme_ram *r = dma_ram(d, addr, *len);

        if (r) {
            envme_ram_ref(r);
            *err = 0;
            return r->host + (addr - r->start);
        }
    }

    *err = dma_look(opaque, addr, *len, is_write, &p);
    if (*err) {
        return NULL;
    }
    if (p.kind != DMA_RAM) {
        *err = -ENXIO;
        return NULL;
    }
    *len = p.len;
    return p.ptr;
}

static void dma_unmap(void *opaque, void *ptr, size_t len, bool dirty)
{
    struct envme_qdma *d = opaque;

    WITH_RCU_READ_LOCK_GUARD() {
        const struct envme_ram *r = envme_ramview_find_host(&d->ram, ptr, len);

        if (r && (!dirty ||
                  envme_ram_written(r, (char *)ptr - r->host, len))) {
            envme_ram_unref(r);
            return;
        }
    }
    dma_release(opaque, ptr, len, dirty);
}

void envme_qdma_init(struct envme_qdma *d, AddressSpace *as, Object *owner,
                     const MemoryRegion *own, struct envme_dma *port)
{
    *d = (struct envme_qdma) { .as = as };
    envme_ramview_init(&d->ram, as, owner, own);
    *port = (struct envme_dma) {
        .opaque = d,
        .read = dma_read,
        .write = dma_write,
        .map = dma_map,
        .unmap = dma_unmap,
        .peek = dma_peek,
    };
}

void envme_qdma_fini(struct envme_qdma *d)
{
    envme_ramview_fini(&d->ram);
}

void envme_qdma_set(struct envme_qdma *d, bool on)
{
    qatomic_set(&d->on, on);
}
