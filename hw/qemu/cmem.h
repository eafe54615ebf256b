/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The controller's own memory in QEMU: Controller Memory Buffer and Persistent
 * Memory Region, each with a BAR to itself. BAR2 is the buffer's, BAR4 the
 * region's, or BAR2 when MSI-X has BAR4.
 *
 * Owner: the PCI device. Threads: the BQL, but for the region ports' written().
 */
#ifndef ENVME_QEMU_CMEM_H
#define ENVME_QEMU_CMEM_H

#include "hw/core/ports.h"
#include "hw/qemu/compat.h"
#include "system/hostmem.h"

struct EnvmeState;

struct envme_qregion {
    MemoryRegion bar;           /* what is registered with PCI */
    MemoryRegion off;           /* shows while the memory does not */
    MemoryRegion own;           /* RAM, or an alias of the backend's */
    MemoryRegion *mr;           /* the memory; NULL: there is none */
    HostMemoryBackend *backend;
    unsigned bir;
    AddressSpace *as;           /* any will do: see qcmem_written() */
    bool is_shared_file;        /* there is something to sync */
};

/* Properties to regions, BARs and ports. */
bool envme_qcmem_init(struct EnvmeState *s, Error **errp);
void envme_qcmem_fini(struct EnvmeState *s);
/* BARs may have moved. */
void envme_qcmem_bars(struct EnvmeState *s);

#endif
