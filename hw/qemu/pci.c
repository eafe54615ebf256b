/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * envme as a PCI device: BARs, capabilities, and the coming and going of a
 * controller. PCIe Transport 1.1, 3.
 *
 * BAR0 is registers, from 1000h on doorbells, then MSI-X's table and pending
 * bits unless they have BAR4 to themselves. cmem.c has the other BARs.
 */
#include "hw/qemu/compat.h"

#include "block/aio-wait.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci.h"
#include "hw/pci/pcie.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/units.h"

#include "hw/admin/admin.h"
#include "hw/qemu/clock.h"
#include "hw/qemu/dev.h"

#define PCI_REGS_BYTES 0x1000

/* ---- BAR0 -------------------------------------------------------------- */

static uint64_t pci_regs_read(void *opaque, hwaddr off, unsigned size)
{
    EnvmeState *s = opaque;

    return envme_qlink_is_gone(s) ? UINT64_MAX
                                  : envme_ctrl_reg_read(s->ctrl, off, size);
}

static void pci_regs_write(void *opaque, hwaddr off, uint64_t val,
                           unsigned size)
{
    EnvmeState *s = opaque;

    if (!envme_qlink_is_gone(s)) {
        envme_ctrl_reg_write(s->ctrl, off, val, size);
    }
}

static uint64_t pci_doorbell_read(void *opaque, hwaddr off, unsigned size)
{
    EnvmeState *s = opaque;

    return envme_ctrl_doorbell_read(s->ctrl, off, size);
}

/*
 * A host that uses the pin expects it to fall when it has emptied its queue,
 * and not some time later: it would be interrupted again at once, and Linux
 * turns an interrupt off that nobody wants. So the lanes look at the doorbell
 * now, and until those in other threads have, the pin is kept down.
 */
static void pci_flush_pin(EnvmeState *s)
{
    bool locked = bql_locked();

    if (!locked) {
        bql_lock();
    }
    envme_qirq_mute(&s->irq, s->exec.nlanes - 1);
    envme_qexec_turn(&s->exec, envme_qirq_unmute, &s->irq);
    if (!locked) {
        bql_unlock();
    }
}

/* Any vCPU, without the BQL where QEMU can. */
static void pci_doorbell_write(void *opaque, hwaddr off, uint64_t val,
                               unsigned size)
{
    EnvmeState *s = opaque;

    envme_qirq_rung(&s->irq);
    envme_qvcpu_ring_begin(&s->exec.vcpu);
    envme_ctrl_doorbell(s->ctrl, off, val, size);
    envme_qvcpu_ring_end(&s->exec.vcpu);
    if (envme_qirq_is_up(&s->irq) && (off >> (2 + s->props.dstrd) & 1)) {
        pci_flush_pin(s);
    }
}

/* All sizes and offsets come as they are: the controller knows which ones
 * the specification lets have an effect. */
#define PCI_ANY_ACCESS { .min_access_size = 1, .max_access_size = 8,          \
                         .unaligned = true }

static const MemoryRegionOps pci_regs_ops = {
    .read = pci_regs_read,
    .write = pci_regs_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = PCI_ANY_ACCESS,
    .impl = PCI_ANY_ACCESS,
};

static const MemoryRegionOps pci_doorbell_ops = {
    .read = pci_doorbell_read,
    .write = pci_doorbell_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = PCI_ANY_ACCESS,
    .impl = PCI_ANY_ACCESS,
};

/* ---- realize ----------------------------------------------------------- */

static bool pci_init_caps(EnvmeState *s, Error **errp)
{
    PCIDevice *dev = &s->parent_obj;
    uint8_t *conf = dev->config;

    conf[PCI_INTERRUPT_PIN] = 1;
    pci_config_set_prog_interface(conf, 0x02);
    if (pci_pm_init(dev, 0, errp) < 0) {
        return false;
    }
    pci_set_word(conf + dev->pm_cap + PCI_PM_PMC, PCI_PM_CAP_VER_1_2);
    pci_set_word(dev->wmask + dev->pm_cap + PCI_PM_CTRL,
                 PCI_PM_CTRL_STATE_MASK);
    if (pci_is_express(dev)) {
        int err = pcie_endpoint_cap_init(dev, 0);

        if (err < 0) {
            error_setg_errno(errp, -err, "no room for the PCI Express "
                             "capability");
            return false;
        }
        pcie_cap_flr_init(dev);
        pcie_cap_deverr_init(dev);
        return envme_qlink_aer_init(s, errp);
    }
    return true;
}

/* What the platform cannot do (no MSI controller, QEMU's remote machine) is
 * done without, with a word about it. */
static bool pci_msi_result(int err, Error *local_err, const char *what,
                           OnOffAuto wanted, Error **errp)
{
    if (err == -ENOTSUP && wanted == ON_OFF_AUTO_AUTO) {
        warn_report("envme: this machine has no %s, going on without it",
                    what);
        error_free(local_err);
        return true;
    }
    if (err < 0) {
        error_propagate(errp, local_err);
        return false;
    }
    return true;
}

static bool pci_init_msi(EnvmeState *s, uint64_t table, uint64_t pba,
                         Error **errp)
{
    PCIDevice *dev = &s->parent_obj;
    unsigned n = s->props.msix_qsize;
    Error *local_err = NULL;
    int err;

    if (s->props.msix == ON_OFF_AUTO_OFF) {
        err = 0;
    } else if (s->props.msix_exclusive_bar) {
        err = msix_init_exclusive_bar(dev, n, 4, &local_err);
    } else {
        err = msix_init(dev, n, &s->bar0, 0, table, &s->bar0, 0, pba, 0,
                        &local_err);
    }
    if (!pci_msi_result(err, local_err, "MSI-X", s->props.msix, errp)) {
        return false;
    }
    for (unsigned i = 0; msix_present(dev) && i < n; i++) {
        msix_vector_use(dev, i);
    }
    if (s->props.msi == ON_OFF_AUTO_OFF) {
        return true;
    }
    local_err = NULL;
    err = msi_init(dev, 0, MIN(32, pow2floor(n)), true, true, &local_err);
    return pci_msi_result(err, local_err, "MSI", s->props.msi, errp);
}

static bool pci_init_bar(EnvmeState *s, const struct envme_ctrl_params *p,
                         Error **errp)
{
    PCIDevice *dev = &s->parent_obj;
    Object *owner = OBJECT(s);
    uint64_t doorbells = ROUND_UP(envme_ctrl_doorbell_bytes(p), 0x1000);
    uint64_t end = PCI_REGS_BYTES + doorbells;
    uint64_t table = end, pba;

    end = ROUND_UP(table + s->props.msix_qsize * PCI_MSIX_ENTRY_SIZE, 0x1000);
    pba = end;
    end += QEMU_ALIGN_UP(s->props.msix_qsize, 64) / 8;
    if (s->props.msix_exclusive_bar) {
        end = table;
    }
    memory_region_init(&s->bar0, owner, "envme-bar0",
                       MAX(pow2ceil(end), 16 * KiB));
    memory_region_init_io(&s->regs, owner, &pci_regs_ops, s, "envme-regs",
                          PCI_REGS_BYTES);
    memory_region_add_subregion(&s->bar0, 0, &s->regs);
    memory_region_init_io(&s->doorbells, owner, &pci_doorbell_ops, s,
                          "envme-doorbells", doorbells);
    envme_compat_lockless(&s->doorbells);
    memory_region_add_subregion(&s->bar0, PCI_REGS_BYTES, &s->doorbells);
    if (!envme_qdoorbells_init(&s->mapped, owner, &s->ctrl,
                               s->props.mapped_doorbells, &s->bar0,
                               PCI_REGS_BYTES, envme_ctrl_doorbell_bytes(p),
                               &s->ports.doorbells, errp)) {
        return false;
    }
    pci_register_bar(dev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY |
                             PCI_BASE_ADDRESS_MEM_TYPE_64, &s->bar0);
    return pci_init_msi(s, table, pba, errp);
}

static void pci_set_ids(EnvmeState *s, const struct envme_ctrl_params *p)
{
    uint8_t *conf = s->parent_obj.config;

    pci_config_set_vendor_id(conf, p->vid);
    pci_config_set_device_id(conf, envme_props_did(s));
    pci_set_word(conf + PCI_SUBSYSTEM_VENDOR_ID, p->ssvid);
    pci_set_word(conf + PCI_SUBSYSTEM_ID, envme_props_ssid(s));
}

static bool pci_init_subsys(EnvmeState *s, Error **errp)
{
    EnvmeSubsysState *sd = s->subsys_dev;

    if (!sd) {
        g_autofree char *nqn = g_strconcat(ENVME_NQN_PREFIX, s->props.serial,
                                           NULL);

        s->subsys = envme_props_subsys(&s->subsys_props, nqn, true, errp);
        if (!s->subsys) {
            return false;
        }
        s->own_subsys = true;
        return envme_qstate_open(&s->state, s->subsys, errp);
    }
    if (!sd->subsys) {
        error_setg(errp, "subsys=%s is not there yet", DEVICE(sd)->id);
        return false;
    }
    if (sd->serial && !g_str_equal(sd->serial, s->props.serial)) {
        error_setg(errp, "serial=%s is not the one of the other controllers "
                   "of subsys=%s, which is '%s'", s->props.serial,
                   DEVICE(sd)->id, sd->serial);
        return false;
    }
    if (!sd->serial) {
        sd->serial = g_strdup(s->props.serial);
    }
    s->subsys = sd->subsys;
    return true;
}

static bool pci_init_ports(EnvmeState *s, Error **errp)
{
    PCIDevice *dev = &s->parent_obj;
    g_autofree IOThread **threads = NULL;
    unsigned n, nvectors = 1;

    if (!envme_props_iothreads(s, &threads, &n, errp)) {
        return false;
    }
    if (msix_present(dev)) {
        nvectors = s->props.msix_qsize;
    } else if (msi_present(dev)) {
        nvectors = MIN(32, pow2floor(s->props.msix_qsize));
    }
    envme_qdma_init(&s->dma, pci_get_address_space(dev), OBJECT(s), s->pmr.mr,
                    &s->ports.dma);
    envme_qirq_init(&s->irq, dev, nvectors, &s->ports.dma, &s->ports.irq);
    envme_qexec_init(&s->exec, threads, n, &s->ports.exec);
    envme_qvcpu_init(&s->exec.vcpu, envme_props_vcpu_turns(s),
                     s->props.vcpu_gather);
    envme_qclock_init(&s->ports.time);
    return true;
}

static bool pci_init_ctrl(EnvmeState *s, struct envme_ctrl_params *p,
                          Error **errp)
{
    g_autofree char *err = NULL;

    p->nvectors = s->irq.nvectors;
    p->cq_lane = s->props.cq_lane;
    p->cmbloc |= s->cmb.bir;
    p->pmrcap |= FIELD_SET(ENVME_PMRCAP_BIR, s->pmr.bir);
    if (!envme_props_data(s, p, errp)) {
        envme_props_data_free(p);
        return false;
    }
    s->ctrl = envme_ctrl_new(p, s->subsys, &s->ports, &envme_tables, &err);
    envme_props_data_free(p);
    if (!s->ctrl) {
        error_setg(errp, "%s", err);
        return false;
    }
    envme_qexec_start(&s->exec, s->ctrl);
    envme_config_init(s);
    envme_qlink_init(s);
    return envme_qfaults_init(s, errp);
}

static bool pci_ctrl_idle(const EnvmeState *s)
{
    return envme_ctrl_idle(s->ctrl) && g_queue_is_empty(&s->ctrl->pauses);
}

static bool pci_init_ns(EnvmeState *s, Error **errp)
{
    struct envme_ns_params p = { .nsid = 1, .mssrl = 128, .mcl = 128,
                                 .msrc = 127 };

    return !envme_medium_given(&s->medium) ||
           envme_medium_open(&s->medium, &p, s->subsys, errp);
}

/*
 * Takes down what there is, in any state of construction. The controller and
 * its lanes stay in memory until finalize: a vCPU may just be in a doorbell
 * write that began before the BAR went.
 */
static void pci_teardown(EnvmeState *s)
{
    PCIDevice *dev = &s->parent_obj;

    if (s->ctrl) {
        envme_qlink_fini(s);
        envme_config_fini(s);
        envme_medium_close(&s->medium);
        AIO_WAIT_WHILE_UNLOCKED(NULL, !pci_ctrl_idle(s));
        envme_ctrl_leave(s->ctrl);
        envme_qfaults_stop(s);
        envme_qexec_stop(&s->exec);
    }
    envme_qstate_close(&s->state);
    envme_qdma_fini(&s->dma);
    envme_qirq_fini(&s->irq);
    if (msix_present(dev)) {
        msix_unuse_all_vectors(dev);
        if (s->props.msix_exclusive_bar) {
            msix_uninit_exclusive_bar(dev);
        } else {
            msix_uninit(dev, &s->bar0, &s->bar0);
        }
    }
    if (msi_present(dev)) {
        msi_uninit(dev);
    }
    envme_qlink_aer_fini(s);
    if (pci_is_express(dev) && dev->exp.exp_cap) {
        pcie_cap_exit(dev);
    }
    envme_qcmem_fini(s);
    /* A subregion holds a reference to us. */
    if (s->doorbells.container) {
        envme_qdoorbells_stop(&s->mapped, &s->bar0);
        memory_region_del_subregion(&s->bar0, &s->regs);
        memory_region_del_subregion(&s->bar0, &s->doorbells);
    }
}

static void pci_realize(PCIDevice *dev, Error **errp)
{
    EnvmeState *s = ENVME_DEV(dev);
    struct envme_ctrl_params p;

    if (!envme_props_check(s, errp)) {
        return;
    }
    envme_props_to_params(s, &p);
    pci_set_ids(s, &p);
    if (!pci_init_caps(s, errp) || !pci_init_bar(s, &p, errp) ||
        !envme_qcmem_init(s, errp) || !pci_init_ports(s, errp) ||
        !pci_init_subsys(s, errp) || !pci_init_ctrl(s, &p, errp) ||
        !envme_qthermal_start(s, errp)) {
        pci_teardown(s);
        return;
    }
    if (!envme_bus_init(&s->bus, DEVICE(s), errp) || !pci_init_ns(s, errp)) {
        pci_teardown(s);
    }
}

static void pci_exit(PCIDevice *dev)
{
    pci_teardown(ENVME_DEV(dev));
}

/* ---- class ------------------------------------------------------------- */

static DeviceRealize pci_parent_realize;

/* One device for both kinds of bus: it is PCI Express where the bus is. */
static void pci_device_realize(DeviceState *qdev, Error **errp)
{
    PCIDevice *dev = PCI_DEVICE(qdev);

    if (pci_bus_is_express(pci_get_bus(dev))) {
        dev->cap_present |= QEMU_PCI_CAP_EXPRESS;
    }
    pci_parent_realize(qdev, errp);
}

static void pci_instance_init(Object *obj)
{
    envme_props_instance_init(ENVME_DEV(obj));
}

static void pci_finalize(Object *obj)
{
    EnvmeState *s = ENVME_DEV(obj);

    if (s->ctrl) {
        envme_ctrl_free(s->ctrl);
    }
    if (s->own_subsys && s->subsys) {
        envme_subsys_free(s->subsys);
    }
    if (s->exec.nlanes) {
        envme_qexec_free(&s->exec);
    }
    envme_qdoorbells_free(&s->mapped);
    envme_qirq_free(&s->irq);
    envme_qfaults_finalize(s);
    envme_props_finalize(s);
}

static const VMStateDescription pci_vmstate = {
    .name = TYPE_ENVME,
    .unmigratable = 1,
};

static void pci_class_init(ObjectClass *oc, envme_class_data *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(oc);

    (void)data;
    pc->realize = pci_realize;
    pc->exit = pci_exit;
    pc->config_read = envme_config_read;
    pc->config_write = envme_config_write;
    pc->class_id = PCI_CLASS_STORAGE_EXPRESS;
    /* The rest of the identity depends on properties: pci_set_ids(). */
    pc->vendor_id = 0x1234;
    pc->device_id = 0xe4e1;
    pc->revision = 1;
    set_bit(DEVICE_CATEGORY_STORAGE, dc->categories);
    dc->desc = "envme NVM Express controller";
    dc->vmsd = &pci_vmstate;
    device_class_set_legacy_reset(dc, envme_config_reset);
    device_class_set_parent_realize(dc, pci_device_realize,
                                    &pci_parent_realize);
    envme_props_class_init(oc);
    envme_qfaults_class_init(oc);
}

static envme_interface pci_interfaces[] = {
    { INTERFACE_PCIE_DEVICE },
    { INTERFACE_CONVENTIONAL_PCI_DEVICE },
    { }
};

static const TypeInfo pci_info = {
    .name = TYPE_ENVME,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(EnvmeState),
    .instance_init = pci_instance_init,
    .instance_finalize = pci_finalize,
    .class_init = pci_class_init,
    .interfaces = pci_interfaces,
};

void envme_pci_register(void)
{
    type_register_static(&pci_info);
}
