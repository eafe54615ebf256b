/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "qemu/atomic.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"

#include "hw/qemu/dev.h"
#include "hw/qemu/irq.h"
#include "hw/qemu/irqfd.h"
#include "hw/qemu/irqmem.h"

static bool irq_is_masked(const struct envme_qirq *q, unsigned vector)
{
    return vector < 32 && (q->intms >> vector & 1);
}

static void irq_post(struct envme_qirq *q, unsigned vector)
{
    qatomic_or(&q->pending[BIT_WORD(vector)], BIT_MASK(vector));
}

/* ---- MSI-X without the BQL --------------------------------------------- */

static void irq_look(struct envme_qirq *q, unsigned vector)
{
    envme_shortcut_look(&q->cuts, vector, q->on && msix_enabled(q->dev) &&
                        !msix_is_masked(q->dev, vector));
}

static void irq_look_all(struct envme_qirq *q)
{
    for (unsigned i = 0; i < q->cuts.n; i++) {
        irq_look(q, i);
    }
}

static int irq_unmasked(PCIDevice *dev, unsigned vector, MSIMessage msg)
{
    (void)msg;
    irq_look(&ENVME_DEV(dev)->irq, vector);
    return 0;
}

static void irq_masked(PCIDevice *dev, unsigned vector)
{
    irq_look(&ENVME_DEV(dev)->irq, vector);
}

/* ---- messages ---------------------------------------------------------- */

/* Sends one message; false when it has to wait. */
static bool irq_send(struct envme_qirq *q, unsigned vector, bool msix)
{
    if (msix) {
        msix_notify(q->dev, vector);
        /* Whose thread cannot do that has a better way from now on. */
        irq_look(q, vector);
        return true;
    }
    /* Interrupt Mask Set is for MSI and the pin only. */
    if (irq_is_masked(q, vector)) {
        return false;
    }
    /* The host may have enabled fewer messages than there are vectors. */
    msi_notify(q->dev, vector % msi_nr_vectors_allocated(q->dev));
    return true;
}

static void irq_send_pending(struct envme_qirq *q, bool msix)
{
    for (unsigned i = 0; i < q->nwords; i++) {
        unsigned long word;

        if (!qatomic_read(&q->pending[i])) {
            continue;
        }
        word = qatomic_xchg(&q->pending[i], 0);
        while (word) {
            unsigned vector = i * BITS_PER_LONG + ctzl(word);

            word &= word - 1;
            if (!irq_send(q, vector, msix)) {
                irq_post(q, vector);
            }
        }
    }
}

static void irq_drive_pin(struct envme_qirq *q, bool msg)
{
    bool level = false;

    if (qatomic_read(&q->mute)) {
        msg = true;
    }
    for (unsigned v = 0; !msg && !level && v < q->nvectors; v++) {
        level = qatomic_read(&q->raised[v]) && !irq_is_masked(q, v);
    }
    if (q->stuck != ENVME_PIN_FREE && !msg) {
        level = q->stuck == ENVME_PIN_HIGH;
    }
    qatomic_set(&q->up, level);
    pci_set_irq(q->dev, level);
}

static void irq_service(struct envme_qirq *q)
{
    bool msix = msix_enabled(q->dev);
    bool msg = msix || msi_enabled(q->dev);

    /* What is marked from now on needs another look. */
    qatomic_set_mb(&q->due, false);

    if (!msg) {
        /* Nobody to send them to: what is there shows on the pin. */
        for (unsigned i = 0; i < q->nwords; i++) {
            qatomic_set(&q->pending[i], 0);
        }
    } else if (q->on) {
        irq_send_pending(q, msix);
    }
    irq_drive_pin(q, msg);
}

static void irq_bh(void *opaque)
{
    struct envme_qirq *q = opaque;

    if (!q->over) {
        irq_service(q);
    }
}

static void irq_on_cpu(CPUState *cpu, run_on_cpu_data data)
{
    EnvmeState *s = data.host_ptr;

    (void)cpu;
    irq_bh(&s->irq);
    object_unref(OBJECT(s));
}

/*
 * Somebody who holds the BQL has to look. The vCPU that rang last is about to be
 * interrupted anyway; the main loop would be one more thread to wake.
 */
static void irq_kick(struct envme_qirq *q)
{
    CPUState *cpu;
    bool was_due;

    if (bql_locked()) {
        irq_service(q);
        return;
    }
    was_due = qatomic_xchg(&q->due, true);
    RCU_READ_LOCK_GUARD();
    cpu = qatomic_read(&q->cpu) < 0 ? NULL : qemu_get_cpu(qatomic_read(&q->cpu));
    if (!cpu) {
        /* Also when it has been unplugged with that still to do. */
        qemu_bh_schedule(q->bh);
    } else if (!was_due) {
        object_ref(OBJECT(q->dev));
        async_run_on_cpu(cpu, irq_on_cpu, RUN_ON_CPU_HOST_PTR(q->dev));
    }
}

static void irq_pulse(void *opaque, unsigned vector)
{
    struct envme_qirq *q = opaque;

    assert(vector < q->nvectors);
    if (bql_locked() || !envme_shortcut_send(&q->cuts, vector)) {
        irq_post(q, vector);
        irq_kick(q);
    }
}

static void irq_raise(void *opaque, unsigned vector)
{
    struct envme_qirq *q = opaque;

    assert(vector < q->nvectors);
    qatomic_inc(&q->raised[vector]);
    irq_pulse(q, vector);
}

/* One that KVM was to send, and could not any more. */
static void irq_late(void *opaque, unsigned vector)
{
    irq_post(opaque, vector);
    irq_service(opaque);
}

static void irq_lower(void *opaque, unsigned vector)
{
    struct envme_qirq *q = opaque;

    assert(vector < q->nvectors);
    /* Only a pin has to be told. */
    if (qatomic_fetch_dec(&q->raised[vector]) == 1 &&
        !qatomic_read(&q->msg)) {
        irq_kick(q);
    }
}

static void irq_mask(void *opaque, uint32_t intms)
{
    struct envme_qirq *q = opaque;

    q->intms = intms;
    irq_service(q);
}

static bool irq_is_level(void *opaque)
{
    struct envme_qirq *q = opaque;

    return !qatomic_read(&q->msg);
}

static void irq_reset(void *opaque)
{
    struct envme_qirq *q = opaque;

    memset(q->raised, 0, q->nvectors * sizeof(*q->raised));
    memset(q->pending, 0, q->nwords * sizeof(*q->pending));
    q->intms = 0;
    irq_service(q);
}

static void irq_stick(void *opaque, enum envme_pin pin)
{
    struct envme_qirq *q = opaque;

    q->stuck = pin;
    irq_service(q);
}

static void irq_force(void *opaque, unsigned vector)
{
    struct envme_qirq *q = opaque;
    MSIMessage msg;

    if (!q->on || !msix_enabled(q->dev)) {
        return;
    }
    msg = msix_get_message(q->dev, vector);
    /* Where the host has written no address there is nothing to send to. */
    if (msg.address) {
        msi_send_message(q->dev, msg);
    }
}

/* Entries that are there already: one message too many is harmless, one too
 * few is a lost interrupt. */
static void irq_post_raised(struct envme_qirq *q)
{
    for (unsigned v = 0; v < q->nvectors; v++) {
        if (qatomic_read(&q->raised[v])) {
            irq_post(q, v);
        }
    }
}

bool envme_qirq_is_up(struct envme_qirq *q)
{
    return qatomic_read(&q->up) &&
           !(pci_get_word(q->dev->config + PCI_COMMAND) &
             PCI_COMMAND_INTX_DISABLE);
}

void envme_qirq_mute(struct envme_qirq *q, unsigned n)
{
    qatomic_add(&q->mute, n);
    irq_service(q);
}

void envme_qirq_unmute(void *opaque)
{
    struct envme_qirq *q = opaque;

    if (qatomic_fetch_dec(&q->mute) == 1) {
        irq_kick(q);
    }
}

void envme_qirq_config(struct envme_qirq *q)
{
    bool was = q->msg;

    qatomic_set(&q->msg, msix_enabled(q->dev) || msi_enabled(q->dev));
    if (q->msg && !was) {
        irq_post_raised(q);
    }
    irq_look_all(q);
    irq_service(q);
}

void envme_qirq_set(struct envme_qirq *q, bool on)
{
    q->on = on;
    irq_look_all(q);
    if (on) {
        /* QEMU drops what is unmasked while Bus Master is off. */
        irq_post_raised(q);
        irq_service(q);
    }
}

void envme_qirq_init(struct envme_qirq *q, PCIDevice *dev, unsigned nvectors,
                     const struct envme_dma *dma, struct envme_irq *port)
{
    *q = (struct envme_qirq) {
        .dev = dev,
        .nvectors = nvectors,
        .raised = g_new0(uint32_t, nvectors),
        .pending = g_new0(unsigned long, BITS_TO_LONGS(nvectors)),
        .nwords = BITS_TO_LONGS(nvectors),
        .cpu = -1,
        /* Not guarded against re-entrancy: it only sends interrupts, and the
         * guard would refuse a vCPU's register access meanwhile. */
        .bh = aio_bh_new(qemu_get_aio_context(), irq_bh, q),
    };
    if (msix_present(dev)) {
        envme_shortcut_init(&q->cuts, nvectors);
        q->irqmem = envme_qirqmem_new(dev, nvectors, dma, &q->cuts);
        q->irqfd = envme_qirqfd_new(dev, nvectors, &q->cuts, irq_late, q);
        msix_set_vector_notifiers(dev, irq_unmasked, irq_masked, NULL);
    }
    *port = (struct envme_irq) {
        .opaque = q,
        .raise = irq_raise,
        .pulse = irq_pulse,
        .lower = irq_lower,
        .mask = irq_mask,
        .is_level = irq_is_level,
        .reset = irq_reset,
        .stick = irq_stick,
        .force = irq_force,
    };
}

void envme_qirq_fini(struct envme_qirq *q)
{
    if (q->cuts.n) {
        msix_unset_vector_notifiers(q->dev);
    }
    envme_shortcut_fini(&q->cuts);
    envme_qirqfd_free(q->irqfd);
    q->irqfd = NULL;
    g_clear_pointer(&q->irqmem, envme_qirqmem_free);
    q->over = true;
}

void envme_qirq_free(struct envme_qirq *q)
{
    if (q->bh) {
        qemu_bh_delete(q->bh);
    }
    g_free(q->raised);
    g_free(q->pending);
    *q = (struct envme_qirq) { 0 };
}
