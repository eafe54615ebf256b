/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pcie.h"
#include "qemu/main-loop.h"

#include "hw/fault/fault.h"
#include "hw/qemu/dev.h"

/* Above whatever else is in a BAR. */
#define LINK_GONE_PRIORITY 100
#define LINK_GONE (ENVME_BUS_LINK | ENVME_BUS_HANG)

/* ---- gone -------------------------------------------------------------- */

static uint64_t link_gone_read(void *opaque, hwaddr off, unsigned size)
{
    (void)opaque;
    (void)off;
    (void)size;
    return UINT64_MAX;
}

static void link_gone_write(void *opaque, hwaddr off, uint64_t val,
                            unsigned size)
{
    (void)opaque;
    (void)off;
    (void)val;
    (void)size;
}

static const MemoryRegionOps link_gone_ops = {
    .read = link_gone_read,
    .write = link_gone_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static void link_cover(EnvmeState *s, unsigned i)
{
    struct envme_qlink *l = &s->link;
    PCIIORegion *bar = &s->parent_obj.io_regions[i];

    if (!bar->size || !bar->memory || l->gone[i].container) {
        return;
    }
    if (!l->is_made[i]) {
        memory_region_init_io(&l->gone[i], OBJECT(s), &link_gone_ops, NULL,
                              "envme-gone", bar->size);
        l->is_made[i] = true;
    }
    memory_region_add_subregion_overlap(bar->memory, 0, &l->gone[i],
                                        LINK_GONE_PRIORITY);
}

static void link_uncover(EnvmeState *s, unsigned i)
{
    MemoryRegion *gone = &s->link.gone[i];

    if (gone->container) {
        memory_region_del_subregion(gone->container, gone);
    }
}

static void link_set_gone(EnvmeState *s, bool on)
{
    memory_region_transaction_begin();
    for (unsigned i = 0; i < PCI_ROM_SLOT; i++) {
        if (on) {
            link_cover(s, i);
        } else {
            link_uncover(s, i);
        }
    }
    memory_region_transaction_commit();
}

bool envme_qlink_is_gone(const EnvmeState *s)
{
    return (s->link.wrong | s->link.done) & LINK_GONE;
}

bool envme_qlink_is_mute(const EnvmeState *s)
{
    return s->link.wrong | s->link.done;
}

/* ---- the port above ---------------------------------------------------- */

static PCIDevice *link_port(const EnvmeState *s)
{
    PCIDevice *port = pci_bridge_get_device(pci_get_bus(&s->parent_obj));
    unsigned type;

    if (!port || !pci_is_express(port) || !port->exp.exp_cap) {
        return NULL;
    }
    type = pcie_cap_get_type(port);
    return type == PCI_EXP_TYPE_ROOT_PORT || type == PCI_EXP_TYPE_DOWNSTREAM
           ? port : NULL;
}

/*
 * A host that cares for hot-plug events has enabled the port's interrupt.
 * Which of the events it wants is not asked: ports of QEMU have no enable bit
 * for changes of the link, and hosts that handle the attention button leave
 * the one for presence alone.
 */
static void link_interrupt(PCIDevice *port)
{
    if (msix_enabled(port)) {
        msix_notify(port, pcie_cap_flags_get_vector(port));
    } else if (msi_enabled(port)) {
        msi_notify(port, pcie_cap_flags_get_vector(port));
    } else if (pci_get_byte(port->config + PCI_INTERRUPT_PIN)) {
        /* It falls when the host clears the event. */
        pci_set_irq(port, 1);
    }
}

static void link_set_bits(uint8_t *reg, uint16_t bits, bool on)
{
    uint16_t v = pci_get_word(reg);

    pci_set_word(reg, on ? v | bits : v & ~bits);
}

static void link_tell_port(EnvmeState *s, bool up, bool is_kept)
{
    PCIDevice *port = link_port(s);
    uint16_t events = 0;
    uint8_t *exp;

    if (!port) {
        return;
    }
    exp = port->config + port->exp.exp_cap;
    if (pci_get_long(exp + PCI_EXP_LNKCAP) & PCI_EXP_LNKCAP_DLLLARC) {
        link_set_bits(exp + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_DLLLA, up);
        events |= PCI_EXP_SLTSTA_DLLSC;
    }
    if (!(pci_get_word(exp + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_SLOT)) {
        return;
    }
    if (!is_kept) {
        link_set_bits(exp + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_PDS, up);
        events |= PCI_EXP_SLTSTA_PDC;
    }
    if (!(pci_get_long(exp + PCI_EXP_SLTCAP) & PCI_EXP_SLTCAP_HPC)) {
        return;
    }
    /* The host has to be able to clear what it is told. */
    link_set_bits(port->w1cmask + port->exp.exp_cap + PCI_EXP_SLTSTA, events,
                  true);
    link_set_bits(exp + PCI_EXP_SLTSTA, events, true);
    if (pci_get_word(exp + PCI_EXP_SLTCTL) & PCI_EXP_SLTCTL_HPIE) {
        link_interrupt(port);
    }
}

/* ---- doing it ---------------------------------------------------------- */

/* What outlives a reset, but not the loss of power. */
static void link_aer_reset(EnvmeState *s)
{
    PCIDevice *dev = &s->parent_obj;
    uint8_t *aer = dev->config + dev->exp.aer_cap;

    if (!dev->exp.aer_cap) {
        return;
    }
    pci_set_long(aer + PCI_ERR_UNCOR_STATUS, 0);
    pci_set_long(aer + PCI_ERR_COR_STATUS, 0);
    pci_set_long(aer + PCI_ERR_UNCOR_MASK, PCI_ERR_UNC_MASK_DEFAULT);
    pci_set_long(aer + PCI_ERR_UNCOR_SEVER, PCI_ERR_UNC_SEVERITY_DEFAULT);
    pci_set_long(aer + PCI_ERR_COR_MASK, PCI_ERR_COR_MASK_DEFAULT);
    /* Nothing is logged any more: as after a write that clears it all. */
    dev->exp.aer_log.log_num = 0;
    pcie_aer_write_config(dev, dev->exp.aer_cap + PCI_ERR_UNCOR_STATUS, 0, 4);
}

static void link_do(EnvmeState *s)
{
    struct envme_qlink *l = &s->link;
    unsigned was = l->done, wrong = l->wrong;
    bool up = !(wrong & ENVME_BUS_LINK);

    if (was & ENVME_BUS_LINK && up) {
        /* Nobody can see it before it has been reset. */
        pci_device_reset(&s->parent_obj);
        if (!l->bh) {
            return;             /* unplugged meanwhile */
        }
        link_aer_reset(s);
    }
    l->done = wrong;
    link_set_gone(s, wrong & LINK_GONE);
    envme_config_update(s);
    if ((was ^ wrong) & ENVME_BUS_LINK) {
        if (!up) {
            envme_config_lost(s);
        }
        if (!l->bh) {
            return;
        }
        link_tell_port(s, up, (up ? was : wrong) & ENVME_BUS_KEPT);
    }
    /* Resets poll: something else may be wanted by now. */
    if (l->wrong != l->done) {
        qemu_bh_schedule(l->bh);
    }
}

static void link_bh(void *opaque)
{
    EnvmeState *s = opaque;

    object_ref(OBJECT(s));
    link_do(s);
    object_unref(OBJECT(s));
}

void envme_qlink_set(void *opaque, unsigned wrong)
{
    EnvmeState *s = opaque;

    if (s->link.bh) {
        s->link.wrong = wrong;
        qemu_bh_schedule(s->link.bh);
    }
}

void envme_qlink_init(EnvmeState *s)
{
    s->link.bh = aio_bh_new(qemu_get_aio_context(), link_bh, s);
}

void envme_qlink_fini(EnvmeState *s)
{
    if (s->link.bh) {
        qemu_bh_delete(s->link.bh);
        s->link.bh = NULL;
    }
    link_set_gone(s, false);
    s->link.wrong = s->link.done = 0;
}

/* ---- errors ------------------------------------------------------------ */

bool envme_qlink_error(void *opaque, bool correctable, uint32_t status)
{
    EnvmeState *s = opaque;
    PCIDevice *dev = &s->parent_obj;
    const PCIEAERErr err = {
        .status = status, .source_id = pci_requester_id(dev),
        .flags = correctable ? PCIE_AER_ERR_IS_CORRECTABLE : 0,
    };

    return !envme_qlink_is_gone(s) && !pcie_aer_inject_error(dev, &err);
}

bool envme_qlink_aer_init(EnvmeState *s, Error **errp)
{
    PCIDevice *dev = &s->parent_obj;

    if (!s->props.aer) {
        return true;
    }
    dev->exp.aer_log.log_max = PCIE_AER_LOG_MAX_DEFAULT;
    return pcie_aer_init(dev, PCI_ERR_VER, PCI_CONFIG_SPACE_SIZE,
                         PCI_ERR_SIZEOF, errp) >= 0;
}

void envme_qlink_aer_fini(EnvmeState *s)
{
    PCIDevice *dev = &s->parent_obj;

    if (dev->exp.aer_cap) {
        pcie_aer_exit(dev);
        dev->exp.aer_cap = 0;
    }
}
