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

struct envme_ram {
    uint64_t start, last;       /* bus addresses */
    char *host;                 /* of start */
    MemoryRegion *mr;
    uint64_t off;               /* of start, in mr */
};

struct envme_ramtable;

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

/* What lies at this bus address, or at this place in our memory, or NULL. RCU
 * section; the answer is good until its end. */
const struct envme_ram *envme_ramview_find(struct envme_ramview *v,
                                           uint64_t addr);
const struct envme_ram *envme_ramview_find_host(struct envme_ramview *v,
                                                const void *ptr, size_t len);
/* Tells QEMU of a write. False when that needs QEMU's own way. */
bool envme_ram_written(const struct envme_ram *r, uint64_t addr, size_t len);

#endif
