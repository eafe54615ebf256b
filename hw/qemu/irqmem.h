/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X messages that a host wants written to memory, where it polls for them:
 * any thread writes those, as QEMU would under its lock. A message to an
 * interrupt controller is not for this way. PCIe Transport 1.1, 3.5; PCI
 * Express Base, MSI-X.
 *
 * Owner: the irq port. Threads: envme_shortcut_send() on any; the rest under
 * the BQL. No lock.
 */
#ifndef ENVME_QEMU_IRQMEM_H
#define ENVME_QEMU_IRQMEM_H

#include "hw/core/ports.h"
#include "hw/core/shortcut.h"
#include "hw/pci/pci_device.h"

struct envme_qirqmem;

/* n vectors, as one of t's ways. dma is valid until it is freed. */
struct envme_qirqmem *envme_qirqmem_new(PCIDevice *dev, unsigned n,
                                        const struct envme_dma *dma,
                                        struct envme_shortcuts *t);
/* With the lanes stopped and the shortcuts ended. NULL is fine. */
void envme_qirqmem_free(struct envme_qirqmem *m);

#endif
