/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dma port over a PCI device's bus master address space, so a virtual
 * IOMMU and Bus Master Enable are respected.
 *
 * Owner: the PCI device. Threads: any lane; set() under the BQL. Plain memory
 * is used in place and never through QEMU's bounce buffers, which turn a
 * failed read into zeroes. Calls QEMU's memory API; never the controller.
 */
#ifndef ENVME_QEMU_DMA_H
#define ENVME_QEMU_DMA_H

#include "hw/core/ports.h"
#include "hw/qemu/ramview.h"

struct envme_qdma {
    AddressSpace *as;
    struct envme_ramview ram;
    bool on;                    /* Bus Master Enable; atomic */
    unsigned busy;              /* in another device's registers; BQL */
};

/* What owner's own BARs show, registers and memory, is refused; own: memory
 * among it that is another's, or NULL. */
void envme_qdma_init(struct envme_qdma *d, AddressSpace *as, Object *owner,
                     const MemoryRegion *own, struct envme_dma *port);
void envme_qdma_fini(struct envme_qdma *d);
/* Off: nothing is read, written or mapped any more; what is mapped stays. */
void envme_qdma_set(struct envme_qdma *d, bool on);

#endif
