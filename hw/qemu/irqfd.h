/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X messages that KVM delivers by itself: an eventfd per vector that a lane
 * signals without the main loop (KVM_IRQFD), where the machine has that
 * (kvm_msi_via_irqfd_enabled). While it is closed the eventfd belongs to the
 * main loop. PCIe Transport 1.1, 3.5; PCI Express Base, MSI-X.
 *
 * Owner: the irq port. Threads: envme_shortcut_send() on any; the rest under
 * the BQL. Lock-free for senders, but for the kernel's eventfd.
 */
#ifndef ENVME_QEMU_IRQFD_H
#define ENVME_QEMU_IRQFD_H

#include "hw/core/shortcut.h"
#include "hw/pci/pci_device.h"

struct envme_qirqfd;

/*
 * n vectors, as one of t's ways; nothing, and NULL, where KVM cannot. late(opaque, vector): a
 * message has come that is to be sent some other way; under the BQL.
 */
struct envme_qirqfd *envme_qirqfd_new(PCIDevice *dev, unsigned n,
                                      struct envme_shortcuts *t,
                                      void (*late)(void *opaque, unsigned v),
                                      void *opaque);
/* With the lanes stopped and the shortcuts ended. NULL is fine. */
void envme_qirqfd_free(struct envme_qirqfd *f);

#endif
