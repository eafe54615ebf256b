/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts of the tests' NVMe driver: messages go to guest memory, where
 * they can be read. See qnvme.h.
 */
#include "qnvme.h"

#include "qemu/host-utils.h"

#define MSIX_DATA 0x4d580000u
#define MSI_DATA  0x4d00u

static uint8_t msix_cap(QNvme *q)
{
    uint8_t cap = qn_cap_find(q, PCI_CAP_ID_MSIX);

    g_assert_cmphex(cap, !=, 0);
    return cap;
}

static uint64_t msix_locate(QNvme *q, uint32_t reg)
{
    QPCIBar bar = qn_bar(q, reg & PCI_MSIX_TABLE_BIR);

    return bar.addr + (reg & PCI_MSIX_TABLE_OFFSET);
}

void qn_msix_enable(QNvme *q)
{
    uint8_t cap = msix_cap(q);
    uint16_t ctl = qpci_config_readw(q->pdev, cap + PCI_MSIX_FLAGS);
    unsigned i;

    q->msix_table = msix_locate(q, qpci_config_readl(q->pdev,
                                                     cap + PCI_MSIX_TABLE));
    q->msix_pba = msix_locate(q, qpci_config_readl(q->pdev,
                                                   cap + PCI_MSIX_PBA));
    q->msix_n = MIN((ctl & PCI_MSIX_FLAGS_QSIZE) + 1, QN_MSIX_MAX);
    if (!q->msix_msg) {
        q->msix_msg = qn_alloc(q, QN_MSIX_MAX * 4);
    }
    qtest_memset(q->qts, q->msix_msg, 0, QN_MSIX_MAX * 4);
    for (i = 0; i < q->msix_n; i++) {
        uint64_t entry = q->msix_table + i * PCI_MSIX_ENTRY_SIZE;

        qtest_writel(q->qts, entry + PCI_MSIX_ENTRY_LOWER_ADDR,
                     q->msix_msg + 4 * i);
        qtest_writel(q->qts, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
        qtest_writel(q->qts, entry + PCI_MSIX_ENTRY_DATA, MSIX_DATA + i);
        qtest_writel(q->qts, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
    }
    qpci_config_writew(q->pdev, cap + PCI_MSIX_FLAGS,
                       (ctl | PCI_MSIX_FLAGS_ENABLE) &
                       ~PCI_MSIX_FLAGS_MASKALL);
}

void qn_msix_disable(QNvme *q)
{
    uint8_t cap = msix_cap(q);
    uint16_t ctl = qpci_config_readw(q->pdev, cap + PCI_MSIX_FLAGS);

    qpci_config_writew(q->pdev, cap + PCI_MSIX_FLAGS,
                       ctl & ~PCI_MSIX_FLAGS_ENABLE);
}

void qn_msix_mask(QNvme *q, unsigned vec, bool masked)
{
    qtest_writel(q->qts, q->msix_table + vec * PCI_MSIX_ENTRY_SIZE +
                 PCI_MSIX_ENTRY_VECTOR_CTRL,
                 masked ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0);
}

void qn_msix_function_mask(QNvme *q, bool masked)
{
    uint8_t cap = msix_cap(q);
    uint16_t ctl = qpci_config_readw(q->pdev, cap + PCI_MSIX_FLAGS);

    ctl = masked ? ctl | PCI_MSIX_FLAGS_MASKALL :
                   ctl & ~PCI_MSIX_FLAGS_MASKALL;
    qpci_config_writew(q->pdev, cap + PCI_MSIX_FLAGS, ctl);
}

bool qn_msix_pending(QNvme *q, unsigned vec)
{
    uint32_t word = qtest_readl(q->qts, q->msix_pba + vec / 32 * 4);

    return word >> (vec % 32) & 1;
}

bool qn_msix_take(QNvme *q, unsigned vec)
{
    uint64_t addr = q->msix_msg + 4 * vec;
    uint32_t data = qtest_readl(q->qts, addr);

    if (!data) {
        return false;
    }
    g_assert_cmphex(data, ==, MSIX_DATA + vec);
    qtest_writel(q->qts, addr, 0);
    return true;
}

bool qn_msix_wait(QNvme *q, unsigned vec)
{
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;

    while (!qn_msix_take(q, vec)) {
        if (g_get_monotonic_time() > end) {
            return false;
        }
        qn_beat(q);
    }
    return true;
}

bool qn_msi_enable(QNvme *q, unsigned n, unsigned *granted)
{
    uint8_t cap = qn_cap_find(q, PCI_CAP_ID_MSI);
    uint16_t ctl;
    unsigned max;

    if (!cap) {
        return false;
    }
    ctl = qpci_config_readw(q->pdev, cap + PCI_MSI_FLAGS);
    max = 1u << ((ctl & PCI_MSI_FLAGS_QMASK) >> 1);
    *granted = MIN(n, max);
    if (!q->msix_msg) {
        q->msix_msg = qn_alloc(q, QN_MSIX_MAX * 4);
    }
    qtest_memset(q->qts, q->msix_msg, 0, QN_MSIX_MAX * 4);
    qpci_config_writel(q->pdev, cap + PCI_MSI_ADDRESS_LO, q->msix_msg);
    if (ctl & PCI_MSI_FLAGS_64BIT) {
        qpci_config_writel(q->pdev, cap + PCI_MSI_ADDRESS_HI, 0);
        qpci_config_writew(q->pdev, cap + PCI_MSI_DATA_64, MSI_DATA);
        if (ctl & PCI_MSI_FLAGS_MASKBIT) {
            qpci_config_writel(q->pdev, cap + PCI_MSI_MASK_64, 0);
        }
    } else {
        qpci_config_writew(q->pdev, cap + PCI_MSI_DATA_32, MSI_DATA);
        if (ctl & PCI_MSI_FLAGS_MASKBIT) {
            qpci_config_writel(q->pdev, cap + PCI_MSI_MASK_32, 0);
        }
    }
    ctl &= ~PCI_MSI_FLAGS_QSIZE;
    ctl |= ctz32(*granted) << 4 | PCI_MSI_FLAGS_ENABLE;
    qpci_config_writew(q->pdev, cap + PCI_MSI_FLAGS, ctl);
    return true;
}

/* All vectors of MSI write to one address: the last one is seen. */
bool qn_msi_take(QNvme *q, unsigned *vec)
{
    uint32_t data = qtest_readl(q->qts, q->msix_msg);

    if (!data) {
        return false;
    }
    *vec = data - MSI_DATA;
    qtest_writel(q->qts, q->msix_msg, 0);
    return true;
}

bool qn_intx(QNvme *q)
{
    return qpci_config_readw(q->pdev, PCI_STATUS) & PCI_STATUS_INTERRUPT;
}

bool qn_intx_ioapic(QNvme *q)
{
    bool level = false;
    int i;

    for (i = 16; i < 24; i++) {
        level |= qtest_get_irq(q->qts, i);
    }
    return level;
}
