/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fault rules do to the function's place on the bus: it is gone, it does
 * not answer, it may not be Bus Master, it reports errors. struct
 * envme_fault_world says what each of them means. PCI Express Base 6.0, 6.2
 * (errors), 6.7.3 (hot-plug events), 7.5.3 and 7.8.4 (registers).
 *
 * Owner: the PCI device. Threads: the BQL. What is asked for shows in the
 * configuration space and in the registers at once; the rest is done by a
 * bottom half, because whoever asks may be deep inside the controller.
 */
#ifndef ENVME_QEMU_LINK_H
#define ENVME_QEMU_LINK_H

#include "hw/pci/pci_device.h"
#include "hw/qemu/compat.h"

struct EnvmeState;

struct envme_qlink {
    unsigned wrong;             /* ENVME_BUS_*: as it was asked for ... */
    unsigned done;              /* ... and as far as it has been done */
    QEMUBH *bh;
    /* All ones, over each BAR, while the function is gone. */
    MemoryRegion gone[PCI_ROM_SLOT];
    bool is_made[PCI_ROM_SLOT];
};

void envme_qlink_init(struct EnvmeState *s);
/* Before what resets need is taken down; nothing is done any more then. */
void envme_qlink_fini(struct EnvmeState *s);
/* All ones are read, and writes are lost. */
bool envme_qlink_is_gone(const struct EnvmeState *s);
/* Nothing is fetched, transferred or signalled. */
bool envme_qlink_is_mute(const struct EnvmeState *s);
/* Of struct envme_fault_world. */
void envme_qlink_set(void *s, unsigned wrong);
bool envme_qlink_error(void *s, bool correctable, uint32_t status);

/* The AER capability. */
bool envme_qlink_aer_init(struct EnvmeState *s, Error **errp);
void envme_qlink_aer_fini(struct EnvmeState *s);

#endif
