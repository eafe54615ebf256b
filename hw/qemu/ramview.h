/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plain memory of an address space, as a small sorted table that lanes
 * can look at without QEMU's translation.
 *
 * Owner: the dma port. Threads: made anew under the BQL whenever QEMU's view
 * of the address space changes; read by any thread in an RCU section. What is
 * behind a virtual IOMMU, read-only or another device's is not in it: for
 * that the caller goes QEMU's way.
 */
#ifndef ENVME_QEMU_RAMVIEW_H
#define ENVME_QEMU_RAMVIEW_H

#include "hw/qemu/compat.h"

#include "qemu/atomic.h"
#include "qemu/rcu.h"

struct envme_ram {
    uint64_t start, last;       /* bus addresses */
    char *host;                 /* of start */
    MemoryRegion *mr;
    Object *owner;              /* whom a reference to mr refers to */
    ram_addr_t at;              /* QEMU's own number of start */
};

struct envme_ramtable {
    struct rcu_head rcu;
    unsigned n, cap;
    struct envme_ram *ram;      /* ascending */
    /* The two largest: nearly all that is looked for lies in one of them. */
    const struct envme_ram *big[2];
};

struct envme_ramview {
    MemoryListener listener;
    struct envme_ramtable *table;   /* RCU */
    struct envme_ramtable *next;    /* being made, BQL */
    bool changed;
    Object *owner;
    const MemoryRegion *own;
};

/* owner: whose own BARs are left out, memory in them too; own: that he shows
 * there without being its owner, or NULL. */
void envme_ramview_init(struct envme_ramview *v, AddressSpace *as,
                        Object *owner, const MemoryRegion *own);
bool envme_ramview_is_own(const struct envme_ramview *v, MemoryRegion *mr);
void envme_ramview_fini(struct envme_ramview *v);

const struct envme_ram *envme_ramtable_search(const struct envme_ramtable *t,
                                              uint64_t addr);
const struct envme_ram *envme_ramtable_search_host(
    const struct envme_ramtable *t, const void *ptr, size_t len);

/* All of these bytes of our memory are there. */
static inline bool envme_ram_has_host(const struct envme_ram *r,
                                      const void *ptr, size_t len)
{
    uint64_t off = (const char *)ptr - r->host;

    return (const char *)ptr >= r->host && off <= r->last - r->start &&
           len - 1 <= r->last - r->start - off;
}

/*
 * As memory_region_ref() and _unref(), which QEMU does not inline: every
 * mapping has one. The last reference is QEMU's to take.
 */
static inline void envme_ram_ref(const struct envme_ram *r)
{
    if (r->owner) {
        qatomic_inc(&r->owner->ref);
    }
}

static inline void envme_ram_unref(const struct envme_ram *r)
{
    uint32_t n = r->owner ? qatomic_read(&r->owner->ref) : 0;

    while (n > 1) {
        uint32_t was = qatomic_cmpxchg(&r->owner->ref, n, n - 1);

        if (was == n) {
            return;
        }
        n = was;
    }
    memory_region_unref(r->mr);
}

/* What lies at this bus address, or at this place in our memory, or NULL. RCU
 * section; the answer is good until its end. */
static inline const struct envme_ram *
envme_ramview_find(const struct envme_ramview *v, uint64_t addr)
{
    const struct envme_ramtable *t = qatomic_rcu_read(&v->table);

    if (!t) {
        return NULL;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(t->big); i++) {
        if (addr >= t->big[i]->start && addr <= t->big[i]->last) {
            return t->big[i];
        }
    }
    return envme_ramtable_search(t, addr);
}

static inline const struct envme_ram *
envme_ramview_find_host(const struct envme_ramview *v, const void *ptr,
                        size_t len)
{
    const struct envme_ramtable *t = qatomic_rcu_read(&v->table);

    if (!t) {
        return NULL;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(t->big); i++) {
        if (envme_ram_has_host(t->big[i], ptr, len)) {
            return t->big[i];
        }
    }
    return envme_ramtable_search_host(t, ptr, len);
}

/* Dirty already for everybody who asks: no code translated from it, and
 * migration knows. False: QEMU has to be told in its own way. RCU section. */
static inline bool envme_ram_written(const struct envme_ram *r, uint64_t off,
                                     size_t len)
{
    return envme_compat_is_told(r->mr, r->at + off, len);
}

#endif
