/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The irq port over MSI-X, MSI and INTx of a PCI device.
 *
 * Owner: the PCI device. Threads: raise, pulse and lower on any; the rest
 * under the BQL. QEMU sends messages and drives the pin under the BQL only, so
 * whoever holds it does that at once; an IOThread has KVM send an MSI-X message
 * (irqfd.h) or, where that is not to be had, one bottom half in the main loop
 * send all that have come together. While Bus Master is off messages are
 * remembered; a message that is masked in MSI-X's table or MSI's mask register
 * waits in QEMU's own pending bits, and KVM has none of it then.
 * Calls QEMU's PCI functions; never the controller. PCIe Transport 1.1, 3.5.
 */
#ifndef ENVME_QEMU_IRQ_H
#define ENVME_QEMU_IRQ_H

#include "hw/core/ports.h"
#include "hw/core/shortcut.h"
#include "hw/pci/pci_device.h"

struct envme_qirqfd;

struct envme_qirq {
    PCIDevice *dev;
    unsigned nvectors;
    uint32_t *raised;           /* queues not empty, by vector; atomic */
    unsigned long *pending;     /* messages to send, a bitmap; atomic */
    unsigned nwords;
    QEMUBH *bh;
    uint32_t intms;             /* BQL */
    bool on;                    /* Bus Master Enable; BQL */
    bool msg;                   /* a message-signalled kind is enabled; atomic */
    unsigned mute;              /* the pin stays down; atomic */
    bool up;                    /* the pin is up; atomic */
    struct envme_shortcuts cuts;        /* vectors that KVM sends; may be 0 */
    struct envme_qirqfd *irqfd;         /* ... by this */
};

void envme_qirq_init(struct envme_qirq *q, PCIDevice *dev, unsigned nvectors,
                     struct envme_irq *port);
/* Nobody raises any more. */
void envme_qirq_fini(struct envme_qirq *q);
void envme_qirq_free(struct envme_qirq *q);
void envme_qirq_set(struct envme_qirq *q, bool on);
/* The pin is up and interrupts the host. Any thread. */
bool envme_qirq_is_up(struct envme_qirq *q);
/*
 * The pin stays down until as many unmute as mute calls have come, whatever
 * is raised: see pci_flush_pin(). mute: BQL; unmute: any thread.
 */
void envme_qirq_mute(struct envme_qirq *q, unsigned n);
void envme_qirq_unmute(void *q);
/* The configuration space has been written to. */
void envme_qirq_config(struct envme_qirq *q);

#endif
