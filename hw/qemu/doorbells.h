/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first doorbells of BAR0 as memory: mapped-doorbells=. The region with the
 * registers stays below and comes into view again when the memory is hidden.
 *
 * Owner: the PCI device, which is kept while a change is under way. Threads:
 * BQL, but for what vCPUs do with each other when TCG runs them.
 */
#ifndef ENVME_QEMU_DOORBELLS_H
#define ENVME_QEMU_DOORBELLS_H

#include "hw/qemu/compat.h"

#include "hw/core/ports.h"

struct envme_ctrl;

struct envme_qdoorbells {
    Object *owner;
    struct envme_ctrl **ctrl;
    MemoryRegion ram;
    void *base;                 /* NULL: registers only */
    bool is_tcg;
    bool on;                    /* what is wanted */
    bool gone;                  /* the device is */
    uint32_t times;             /* it was memory; QOM: doorbells-mapped */
};

/*
 * Makes the memory for so many bytes of doorbells at offset at of the BAR,
 * unless wanted says no or the machine is better off without. False and errp
 * when it is wanted and cannot be.
 */
bool envme_qdoorbells_init(struct envme_qdoorbells *d, Object *owner,
                           struct envme_ctrl **ctrl, OnOffAuto wanted,
                           MemoryRegion *bar, uint64_t at, uint64_t bytes,
                           struct envme_doorbells *port, Error **errp);
/* Out of the BAR, for good. The memory stays. BQL. */
void envme_qdoorbells_stop(struct envme_qdoorbells *d, MemoryRegion *bar);
/* The controller is gone. */
void envme_qdoorbells_free(struct envme_qdoorbells *d);

#endif
