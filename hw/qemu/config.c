/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration space: Bus Master Enable, power states, reset, and the waits
 * that go with them. PCIe Transport 1.1, 3.8; PCI Express Base, Command
 * register and Power Management Control/Status register.
 */
#include "hw/qemu/compat.h"

#include "hw/pci/pci.h"
#include "hw/pci/pcie.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "system/runstate.h"

#include "hw/qemu/dev.h"

/* How long a configuration write waits for DMA under way to end. */
#define CONFIG_SETTLE_MS 1000

/* ---- waiting ----------------------------------------------------------- */

/*
 * The command that is doing DMA right now has got to our configuration space
 * by way of another device. It is below us on the stack, so waiting for it
 * would be for ever.
 */
static bool config_may_wait(const EnvmeState *s)
{
    return !s->dma.busy && !s->exec.lane[0]->running;
}

static void config_settle_tick(void *opaque)
{
    QEMUTimer **timer = opaque;

    timer_mod(*timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + 1);
}

/*
 * Bus Master has been turned off: when the write returns the guest may take
 * it that no DMA comes any more. Bounded, because a medium that hangs must
 * not hang the guest's vCPU.
 */
static void config_settle(EnvmeState *s)
{
    int64_t end = qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + CONFIG_SETTLE_MS;
    QEMUTimer *timer;

    if (!config_may_wait(s) || envme_ctrl_quiet(s->ctrl)) {
        return;
    }
    /* Wakes the poll up again and again, so that the time is looked at. */
    timer = aio_timer_new(qemu_get_aio_context(), QEMU_CLOCK_REALTIME,
                          SCALE_MS, config_settle_tick, &timer);
    config_settle_tick(&timer);
    AIO_WAIT_WHILE_UNLOCKED(NULL, !envme_ctrl_quiet(s->ctrl) &&
                            qemu_clock_get_ms(QEMU_CLOCK_REALTIME) < end);
    timer_free(timer);
}

/* ---- Bus Master, power, reset ------------------------------------------ */

static bool config_is_d0(uint16_t pmcsr)
{
    return !(pmcsr & PCI_PM_CTRL_STATE_MASK);
}

static uint16_t config_pmcsr(const EnvmeState *s)
{
    const PCIDevice *dev = &s->parent_obj;

    return pci_get_word(dev->config + dev->pm_cap + PCI_PM_CTRL);
}

static void config_set_bme(EnvmeState *s, bool on)
{
    if (s->bme == on) {
        return;
    }
    s->bme = on;
    if (on) {
        envme_qdma_set(&s->dma, true);
        envme_qirq_set(&s->irq, true);
        envme_ctrl_set_bme(s->ctrl, true);
    } else {
        /* The controller first, so that it stops asking. */
        envme_ctrl_set_bme(s->ctrl, false);
        envme_qirq_set(&s->irq, false);
        envme_qdma_set(&s->dma, false);
    }
}

static void config_update_bme(EnvmeState *s)
{
    PCIDevice *dev = &s->parent_obj;
    uint16_t command = pci_get_word(dev->config + PCI_COMMAND);

    config_set_bme(s, (command & PCI_COMMAND_MASTER) && dev->enabled &&
                   config_is_d0(config_pmcsr(s)) && !s->vm_stopped &&
                   !envme_qlink_is_mute(s));
}

/*
 * A stopped machine's memory must not change, and there may be lanes that the
 * main loop does not hold up: the same as for Bus Master. What the media have
 * is drained by QEMU after this, and held here.
 */
static void config_vm_state(void *opaque, bool running, RunState state)
{
    EnvmeState *s = opaque;

    (void)state;
    s->vm_stopped = !running;
    config_update_bme(s);
    if (!running && config_may_wait(s)) {
        envme_qexec_sync(&s->exec);
    }
}

void envme_config_update(EnvmeState *s)
{
    envme_qcmem_bars(s);
    config_update_bme(s);
    envme_qirq_config(&s->irq);
    envme_ctrl_doorbells_check(s->ctrl);
}

static void config_bus_bh(void *opaque)
{
    envme_config_update(opaque);
}

/*
 * QEMU's remote machine changes the configuration space behind our back, and
 * so does what switches a slot's power. The address space of the bus tells.
 * Not the place to poll or to send interrupts.
 */
static void config_bus_changed(MemoryListener *listener)
{
    EnvmeState *s = container_of(listener, EnvmeState, bus_listener);
    PCIDevice *dev = &s->parent_obj;
    bool on = dev->bus_master_enable_region.enabled;

    if (!s->in_config && on != s->bme) {
        if (!on) {
            config_set_bme(s, false);
        }
        qemu_bh_schedule(s->bus_bh);
    }
}

/* What a 16-bit register would be after this write. */
static uint16_t config_peek_word(const PCIDevice *dev, uint32_t reg,
                              uint32_t addr, uint32_t val, int len)
{
    uint16_t word = pci_get_word(dev->config + reg);

    for (int i = 0; i < 2; i++) {
        uint32_t at = reg + i - addr;
        uint8_t mask = dev->wmask[reg + i];

        if (at < (uint32_t)len) {
            word &= ~(mask << i * 8);
            word |= (val >> at * 8 & mask) << i * 8;
        }
    }
    return word;
}

uint32_t envme_config_read(PCIDevice *dev, uint32_t addr, int len)
{
    return envme_qlink_is_gone(ENVME_DEV(dev))
           ? UINT32_MAX : pci_default_read_config(dev, addr, len);
}

void envme_config_write(PCIDevice *dev, uint32_t addr, uint32_t val, int len)
{
    EnvmeState *s = ENVME_DEV(dev);
    uint32_t pm = dev->pm_cap + PCI_PM_CTRL;
    bool was_on = s->bme;
    bool was_d0 = config_is_d0(config_pmcsr(s));

    if (envme_qlink_is_gone(s)) {
        return;
    }
    /* Before QEMU takes the bus away: a lane that found nothing there would
     * take it for an error. */
    if (!(config_peek_word(dev, PCI_COMMAND, addr, val, len) &
          PCI_COMMAND_MASTER) ||
        !config_is_d0(config_peek_word(dev, pm, addr, val, len))) {
        config_set_bme(s, false);
    }
    s->in_config = true;
    pci_default_write_config(dev, addr, val, len);
    s->in_config = false;
    if (pci_is_express(dev)) {
        s->in_flr = true;
        pcie_cap_flr_write_config(dev, addr, val, len);
        s->in_flr = false;
    }
    if (dev->exp.aer_cap) {
        pcie_aer_write_config(dev, addr, val, len);
    }
    envme_qcmem_bars(s);
    if (s->had_flr) {
        s->had_flr = false;
        envme_ctrl_entered(s->ctrl, ENVME_STATE_FLR);
    }
    if (!was_d0 && config_is_d0(config_pmcsr(s))) {
        /* No_Soft_Reset is 0: D3hot to D0 resets the function. */
        pci_device_reset(dev);
        envme_ctrl_entered(s->ctrl, ENVME_STATE_D0);
    }
    config_update_bme(s);
    envme_qirq_config(&s->irq);
    envme_ctrl_doorbells_check(s->ctrl);
    if (was_on && !s->bme) {
        config_settle(s);
    }
}

/*
 * Synchronous: the guest may use its memory for something else as soon as
 * this returns, so every command has to let go of it.
 */
void envme_config_reset(DeviceState *qdev)
{
    EnvmeState *s = ENVME_DEV(qdev);

    s->had_flr = s->in_flr;
    config_set_bme(s, false);
    if (pci_is_express(&s->parent_obj)) {
        pcie_cap_deverr_reset(&s->parent_obj);
    }
    envme_ctrl_reset(s->ctrl, s->in_flr ? ENVME_RESET_FLR
                                        : ENVME_RESET_FUNCTION, NULL, NULL);
    if (config_may_wait(s)) {
        AIO_WAIT_WHILE_UNLOCKED(NULL, !envme_ctrl_idle(s->ctrl));
    }
    /* QEMU clears the Command register after this, without a word. */
    qemu_bh_schedule(s->bus_bh);
}

/* Not synchronous: the medium may take its time, and the guest expects no more
 * than of Bus Master off. */
void envme_config_lost(EnvmeState *s)
{
    envme_ctrl_reset(s->ctrl, ENVME_RESET_FUNCTION, NULL, NULL);
    config_settle(s);
}

/* ---- coming and going -------------------------------------------------- */

void envme_config_init(EnvmeState *s)
{
    s->vm_state = qemu_add_vm_change_state_handler(config_vm_state, s);
    s->bus_bh = aio_bh_new(qemu_get_aio_context(), config_bus_bh, s);
    s->bus_listener = (MemoryListener) {
        .name = TYPE_ENVME,
        .commit = config_bus_changed,
    };
    memory_listener_register(&s->bus_listener,
                             pci_get_address_space(&s->parent_obj));
}

void envme_config_fini(EnvmeState *s)
{
    memory_listener_unregister(&s->bus_listener);
    qemu_del_vm_change_state_handler(s->vm_state);
    qemu_bh_delete(s->bus_bh);
    config_set_bme(s, false);
    envme_ctrl_reset(s->ctrl, ENVME_RESET_FUNCTION, NULL, NULL);
}
