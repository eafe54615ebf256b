/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The irq port over MSI-X, MSI and INTx of a PCI device.
 *
 * Owner: the PCI device. Threads: raise, pulse and lower on any; the rest
 * under the BQL. Messages are sent and the pin is driven under the BQL only:
 * at once by whoever holds it, else by a bottom half in the main loop. While
 * Bus Master is off messages are remembered; a message that is masked in
 * MSI-X's table or MSI's mask register waits in QEMU's own pending bits.
 * Calls QEMU's PCI functions; never the controller. PCIe Transport 1.1, 3.5.
 */
#ifndef ENVME_QEMU_IRQ_H
#define ENVME_QEMU_IRQ_H

#include "hw/core/ports.h"
#include "hw/pci/pci_device.h"

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
    enum envme_pin stuck;       /* a fault; BQL */
};

void envme_qirq_init(struct envme_qirq *q, PCIDevice *dev, unsigned nvectors,
                     struct envme_irq *port);
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
