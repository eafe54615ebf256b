/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The irq port over MSI-X, MSI and INTx of a PCI device.
 *
 * Owner: the PCI device. Threads: raise, pulse and lower on any; the rest
 * under the BQL. QEMU sends messages and drives the pin under the BQL only, so
 * whoever holds it does that at once. An IOThread writes an MSI-X message that
 * goes to memory itself (irqmem.h), or has KVM send it (irqfd.h); else the vCPU
 * that rang last, or one bottom half in the main loop, sends all that have come
 * together. While Bus Master is off messages are
 * remembered; a message that is masked in MSI-X's table or MSI's mask register
 * waits in QEMU's own pending bits, and KVM has none of it then.
 * Calls QEMU's PCI functions; never the controller. PCIe Transport 1.1, 3.5.
 */
#ifndef ENVME_QEMU_IRQ_H
#define ENVME_QEMU_IRQ_H

#include "hw/core/cpu.h"
#include "qemu/atomic.h"

#include "hw/core/ports.h"
#include "hw/core/shortcut.h"
#include "hw/pci/pci_device.h"

struct envme_qirqfd;
struct envme_qirqmem;

/* The ways of a shortcut, in the order in which they are tried. */
enum { ENVME_QIRQ_WAY_MEMORY, ENVME_QIRQ_WAY_KVM };

struct envme_qirq {
    PCIDevice *dev;
    unsigned nvectors;
    uint32_t *raised;           /* queues not empty, by vector; atomic */
    unsigned long *pending;     /* messages to send, a bitmap; atomic */
    unsigned nwords;
    QEMUBH *bh;
    bool due;                   /* bh, or a vCPU, will look at it; atomic */
    int cpu;                    /* the vCPU that rang last, or -1; atomic */
    uint32_t intms;             /* BQL */
    bool on;                    /* Bus Master Enable; BQL */
    bool msg;                   /* a message-signalled kind is enabled; atomic */
    unsigned mute;              /* the pin stays down; atomic */
    bool up;                    /* the pin is up; atomic */
    enum envme_pin stuck;       /* a fault; BQL */
    struct envme_shortcuts cuts;
    struct envme_qirqmem *irqmem;       /* ways of theirs */
    struct envme_qirqfd *irqfd;         /* NULL: without KVM */
    bool over;                  /* nobody raises any more; BQL */
};

/* dma: of the same device. */
void envme_qirq_init(struct envme_qirq *q, PCIDevice *dev, unsigned nvectors,
                     const struct envme_dma *dma, struct envme_irq *port);
/* Nobody raises any more. */
void envme_qirq_fini(struct envme_qirq *q);
void envme_qirq_free(struct envme_qirq *q);
void envme_qirq_set(struct envme_qirq *q, bool on);
/* A vCPU, or whoever else, has rung a doorbell: it will want the interrupt. Any
 * thread. */
static inline void envme_qirq_rung(struct envme_qirq *q)
{
    int cpu = current_cpu ? current_cpu->cpu_index : -1;

    if (qatomic_read(&q->cpu) != cpu) {
        qatomic_set(&q->cpu, cpu);
    }
}
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
