/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's side of the machine: RAM, MMIO and the configuration ports of a
 * PC. No firmware has run, so the BARs are placed here.
 */
#include "tests/perf/gen.h"

#include "hw/pci/pci_regs.h"

#define HOST_RAM_BASE 0x1000000ull      /* above all that a PC has below */
#define HOST_RAM_MAX (1792ull << 20)
#define HOST_BAR 0xc0000000u            /* in q35's hole below 4 GiB */
#define HOST_BAR_NEXT 0x08000000u
#define HOST_CF8 0xcf8
#define HOST_CFC 0xcfc
#define HOST_CLASS_NVME 0x010802u

bool gen_mem_init(struct gen *g)
{
    hwaddr len = HOST_RAM_MAX;
    void *p = address_space_map(&address_space_memory, HOST_RAM_BASE, &len,
                                true, MEMTXATTRS_UNSPECIFIED);

    if (!p || len < (64ull << 20)) {
        return gen_fail(g, "there is no RAM at 16 MiB: use q35 and at least "
                        "-m 128");
    }
    g->mem = (struct gen_mem) {
        .host = p, .base = HOST_RAM_BASE, .bytes = len,
    };
    return true;
}

uint64_t gen_alloc(struct gen *g, uint64_t bytes, uint64_t align)
{
    struct gen_mem *m = &g->mem;
    uint64_t at = ROUND_UP(m->base + m->used, align);

    if (at + bytes > m->base + m->bytes) {
        gen_fail(g, "the machine's RAM is too small: give it more than "
                 "-m %" PRIu64, m->bytes >> 20);
        return 0;
    }
    m->used = at + bytes - m->base;
    return at;
}

uint32_t gen_read32(uint64_t addr)
{
    return address_space_ldl_le(&address_space_memory, addr,
                                MEMTXATTRS_UNSPECIFIED, NULL);
}

uint64_t gen_read64(uint64_t addr)
{
    return gen_read32(addr) | (uint64_t)gen_read32(addr + 4) << 32;
}

void gen_write32(uint64_t addr, uint32_t val)
{
    address_space_stl_le(&address_space_memory, addr, val,
                         MEMTXATTRS_UNSPECIFIED, NULL);
}

void gen_write64(uint64_t addr, uint64_t val)
{
    gen_write32(addr, val);
    gen_write32(addr + 4, val >> 32);
}

/* ---- configuration space ----------------------------------------------- */

static void host_conf_select(unsigned devfn, unsigned reg)
{
    address_space_stl_le(&address_space_io, HOST_CF8,
                         0x80000000u | devfn << 8 | (reg & 0xfc),
                         MEMTXATTRS_UNSPECIFIED, NULL);
}

static uint32_t host_conf_read(unsigned devfn, unsigned reg)
{
    host_conf_select(devfn, reg);
    return address_space_ldl_le(&address_space_io, HOST_CFC,
                                MEMTXATTRS_UNSPECIFIED, NULL);
}

static void host_conf_write(unsigned devfn, unsigned reg, uint32_t val)
{
    host_conf_select(devfn, reg);
    address_space_stl_le(&address_space_io, HOST_CFC, val,
                         MEMTXATTRS_UNSPECIFIED, NULL);
}

static bool host_find(struct gen *g)
{
    for (unsigned slot = 0; slot < 32; slot++) {
        unsigned devfn = slot << 3;

        if (g->o.slot >= 0 && (unsigned)g->o.slot != slot) {
            continue;
        }
        g->dev_id = host_conf_read(devfn, PCI_VENDOR_ID);
        g->class = host_conf_read(devfn, PCI_CLASS_REVISION) >> 8;
        if (g->dev_id != UINT32_MAX && g->class == HOST_CLASS_NVME) {
            g->devfn = devfn;
            return true;
        }
    }
    return gen_fail(g, "there is no NVMe function on bus 0%s",
                    g->o.slot >= 0 ? " in this slot" : "");
}

/* Where BAR n is, after placing all of them. */
static void host_place_bars(struct gen *g, uint64_t *bar)
{
    uint32_t at = HOST_BAR;

    for (unsigned i = 0; i < 6; i++) {
        unsigned reg = PCI_BASE_ADDRESS_0 + 4 * i;
        uint32_t size;

        bar[i] = 0;
        host_conf_write(g->devfn, reg, UINT32_MAX);
        size = host_conf_read(g->devfn, reg);
        if (!size || (size & PCI_BASE_ADDRESS_SPACE_IO)) {
            continue;
        }
        bar[i] = at;
        host_conf_write(g->devfn, reg, at);
        if (size & PCI_BASE_ADDRESS_MEM_TYPE_64) {
            host_conf_write(g->devfn, reg + 4, 0);
            i++;
            bar[i] = 0;
        }
        at += HOST_BAR_NEXT;
    }
}

static unsigned host_find_cap(struct gen *g, unsigned id)
{
    unsigned at = host_conf_read(g->devfn, PCI_CAPABILITY_LIST) & 0xfc;

    for (unsigned n = 0; at && n < 48; n++) {
        uint32_t head = host_conf_read(g->devfn, at);

        if ((head & 0xff) == id) {
            return at;
        }
        at = head >> 8 & 0xfc;
    }
    return 0;
}

/* Vector n writes n + 1 to the nth dword of irq_area. */
static bool host_init_msix(struct gen *g, const uint64_t *bar)
{
    unsigned cap = host_find_cap(g, PCI_CAP_ID_MSIX);
    uint32_t ctrl, where;

    if (!cap) {
        return gen_fail(g, "the function has no MSI-X");
    }
    ctrl = host_conf_read(g->devfn, cap);
    g->nvectors = (ctrl >> 16 & PCI_MSIX_FLAGS_QSIZE) + 1;
    g->irq_area = gen_alloc(g, ROUND_UP(g->nvectors * 4, GEN_PAGE), GEN_PAGE);
    if (!g->irq_area) {
        return false;
    }
    host_conf_write(g->devfn, cap,
                    ctrl | (uint32_t)PCI_MSIX_FLAGS_ENABLE << 16);
    where = host_conf_read(g->devfn, cap + PCI_MSIX_TABLE);
    for (unsigned i = 0; i < g->nvectors; i++) {
        uint64_t entry = bar[where & PCI_MSIX_FLAGS_BIRMASK] +
                         (where & ~PCI_MSIX_FLAGS_BIRMASK) +
                         i * PCI_MSIX_ENTRY_SIZE;

        gen_write64(entry, g->irq_area + 4 * i);
        gen_write32(entry + PCI_MSIX_ENTRY_DATA, i + 1);
        gen_write32(entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
    }
    return true;
}

bool gen_pci_init(struct gen *g)
{
    uint64_t bar[6];
    uint32_t command;

    if (!host_find(g)) {
        return false;
    }
    host_place_bars(g, bar);
    command = host_conf_read(g->devfn, PCI_COMMAND) & 0xffff;
    host_conf_write(g->devfn, PCI_COMMAND,
                    command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    g->bar = bar[0];
    if (!g->bar) {
        return gen_fail(g, "the function has no memory BAR0");
    }
    return host_init_msix(g, bar);
}
