/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qemu/processor.h"

#include "hw/qemu/irqmem.h"

struct irqmem_vector {
    uint64_t address;
    uint32_t data;              /* as it is in memory */
    bool is_open;               /* atomic */
    unsigned busy;              /* threads that write it just now; atomic */
};

struct envme_qirqmem {
    PCIDevice *dev;
    const struct envme_dma *dma;
    struct irqmem_vector v[];
};

static bool irqmem_is_memory(const struct envme_dma *dma, uint64_t address)
{
    size_t len = sizeof(uint32_t);
    int err;
    void *ptr = dma->map(dma->opaque, address, &len, true, &err);

    if (ptr) {
        dma->unmap(dma->opaque, ptr, len, false);
    }
    return ptr && len == sizeof(uint32_t);
}

static bool irqmem_open(void *opaque, unsigned vector)
{
    struct envme_qirqmem *m = opaque;
    struct irqmem_vector *v = &m->v[vector];
    MSIMessage msg = msix_get_message(m->dev, vector);

    if (!irqmem_is_memory(m->dma, msg.address)) {
        return false;
    }
    v->address = msg.address;
    v->data = cpu_to_le32(msg.data);
    qatomic_set_mb(&v->is_open, true);
    return true;
}

static void irqmem_close(void *opaque, unsigned vector)
{
    struct envme_qirqmem *m = opaque;
    struct irqmem_vector *v = &m->v[vector];

    qatomic_set_mb(&v->is_open, false);
    /* A store of four bytes. */
    while (qatomic_load_acquire(&v->busy)) {
        cpu_relax();
    }
}

static bool irqmem_signal(void *opaque, unsigned vector)
{
    struct envme_qirqmem *m = opaque;
    struct irqmem_vector *v = &m->v[vector];
    bool ok;

    qatomic_inc(&v->busy);
    ok = qatomic_read(&v->is_open) &&
         m->dma->write(m->dma->opaque, v->address, &v->data,
                       sizeof(v->data)) == 0;
    qatomic_dec(&v->busy);
    return ok;
}

static const struct envme_shortcut_ops irqmem_ops = {
    .open = irqmem_open,
    .close = irqmem_close,
    .signal = irqmem_signal,
};

struct envme_qirqmem *envme_qirqmem_new(PCIDevice *dev, unsigned n,
                                        const struct envme_dma *dma,
                                        struct envme_shortcuts *t)
{
    struct envme_qirqmem *m =
        g_malloc0(sizeof(*m) + n * sizeof(struct irqmem_vector));

    m->dev = dev;
    m->dma = dma;
    envme_shortcut_add(t, &irqmem_ops, m);
    return m;
}

void envme_qirqmem_free(struct envme_qirqmem *m)
{
    g_free(m);
}
