/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BAR0 registers and PCI configuration space. Base 2.1, 3.1.4; PCIe
 * Transport 1.1, 3.
 */
#include "qnvme.h"

static void test_cap(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t cap = q->cap;
    uint32_t crto = qn_r4(q, ENVME_REG_CRTO);
    unsigned css = FIELD_GET(ENVME_CAP_CSS, cap);

    g_assert_cmphex(cap & ~(ENVME_CAP_MQES | ENVME_CAP_CQR | ENVME_CAP_AMS |
        ENVME_CAP_TO | ENVME_CAP_DSTRD | ENVME_CAP_NSSRS | ENVME_CAP_CSS |
        ENVME_CAP_BPS | ENVME_CAP_CPS | ENVME_CAP_MPSMIN | ENVME_CAP_MPSMAX |
        ENVME_CAP_PMRS | ENVME_CAP_CMBS | ENVME_CAP_NSSS | ENVME_CAP_CRMS |
        ENVME_CAP_NSSES), ==, 0);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_MQES, cap), >=, 1);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_TO, cap), >, 0);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_DSTRD, cap), ==, 0);
    g_assert_cmphex(css & ENVME_CAP_CSS_NCSS, !=, 0);
    /* 4 KiB pages are what every driver asks for. */
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_MPSMIN, cap), ==, 0);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_MPSMAX, cap), >=,
                     FIELD_GET(ENVME_CAP_MPSMIN, cap));
    /* 2.0 and later: at least one ready mode, with its time in CRTO. */
    g_assert_cmphex(FIELD_GET(ENVME_CAP_CRMS, cap) & ENVME_CAP_CRMS_CRWMS,
                    !=, 0);
    g_assert_cmpuint(FIELD_GET(ENVME_CRTO_CRWMT, crto), >, 0);
    if (FIELD_GET(ENVME_CAP_CRMS, cap) & ENVME_CAP_CRMS_CRIMS) {
        g_assert_cmpuint(FIELD_GET(ENVME_CRTO_CRIMT, crto), >, 0);
    }
    /* What is not there has zeroed registers. */
    if (!(cap & ENVME_CAP_CMBS)) {
        g_assert_cmphex(qn_r4(q, ENVME_REG_CMBLOC), ==, 0);
        g_assert_cmphex(qn_r4(q, ENVME_REG_CMBSZ), ==, 0);
        g_assert_cmphex(qn_r8(q, ENVME_REG_CMBMSC), ==, 0);
    }
    if (!(cap & ENVME_CAP_PMRS)) {
        g_assert_cmphex(qn_r4(q, ENVME_REG_PMRCAP), ==, 0);
    }
    if (!(cap & ENVME_CAP_BPS)) {
        g_assert_cmphex(qn_r4(q, ENVME_REG_BPINFO), ==, 0);
    }
    qn_close(q);
}

static void test_reset_values(void)
{
    QNvme *q = qn_open(NULL);

    g_assert_cmphex(qn_r4(q, ENVME_REG_VS), ==, ENVME_VS_2_1);
    g_assert_cmphex(qn_r4(q, ENVME_REG_INTMS), ==, 0);
    g_assert_cmphex(qn_r4(q, ENVME_REG_INTMC), ==, 0);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CC) & ENVME_CC_EN, ==, 0);
    g_assert_cmphex(qn_csts(q), ==, 0);
    g_assert_cmphex(qn_r4(q, ENVME_REG_NSSR), ==, 0);
    g_assert_cmphex(qn_r4(q, ENVME_REG_AQA), ==, 0);
    g_assert_cmphex(qn_r8(q, ENVME_REG_ASQ), ==, 0);
    g_assert_cmphex(qn_r8(q, ENVME_REG_ACQ), ==, 0);
    qn_close(q);
}

static void test_read_only(void)
{
    static const uint16_t regs[] = {
        ENVME_REG_CAP, ENVME_REG_CAP + 4, ENVME_REG_VS, 0x18, ENVME_REG_CSTS,
        ENVME_REG_NSSR, ENVME_REG_CMBLOC, ENVME_REG_CMBSZ, ENVME_REG_BPINFO,
        ENVME_REG_CMBSTS, ENVME_REG_CMBEBS, ENVME_REG_CMBSWTP,
        ENVME_REG_NSSD, ENVME_REG_CRTO, 0x6c, 0x100, ENVME_REG_PMRCAP,
        ENVME_REG_PMRSTS, ENVME_REG_PMREBS, ENVME_REG_PMRSWTP, 0xffc,
    };
    QNvme *q = qn_open(NULL);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(regs); i++) {
        uint32_t old = qn_r4(q, regs[i]);

        qn_w4(q, regs[i], ~old & 0xffffffef);
        g_assert_cmphex(qn_r4(q, regs[i]), ==, old);
        qn_w4(q, regs[i], 0);
        g_assert_cmphex(qn_r4(q, regs[i]), ==, old);
    }
    /* Reserved bits of the writable ones. */
    qn_w4(q, ENVME_REG_AQA, 0xffffffff);
    g_assert_cmphex(qn_r4(q, ENVME_REG_AQA), ==,
                    ENVME_AQA_ASQS | ENVME_AQA_ACQS);
    qn_w8(q, ENVME_REG_ASQ, UINT64_MAX);
    g_assert_cmphex(qn_r8(q, ENVME_REG_ASQ), ==, ENVME_ASQ_ASQB);
    qn_w8(q, ENVME_REG_ACQ, UINT64_MAX);
    g_assert_cmphex(qn_r8(q, ENVME_REG_ACQ), ==, ENVME_ACQ_ACQB);
    qn_check_alive(q, false);
    qn_close(q);
}

/* Halves, bytes and anything between compose the same value. */
static void test_access_sizes(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t base = q->bar[0].addr;
    uint8_t whole[0x40], part[0x40];
    unsigned i, size;

    qn_w8(q, ENVME_REG_ASQ, 0x1122334455667000);
    qn_w8(q, ENVME_REG_ACQ, 0x99aabbccddeef000);
    for (i = 0; i < sizeof(whole); i += 4) {
        uint32_t v = qn_r4(q, i);

        memcpy(whole + i, &v, 4);
    }
    for (i = 0; i < sizeof(whole); i++) {
        g_assert_cmphex(qtest_readb(q->qts, base + i), ==, whole[i]);
    }
    for (size = 2; size <= 8; size *= 2) {
        for (i = 0; i + size <= sizeof(whole); i++) {
            uint64_t v = size == 2 ? qtest_readw(q->qts, base + i) :
                         size == 4 ? qtest_readl(q->qts, base + i) :
                         qtest_readq(q->qts, base + i);

            g_assert_cmpmem(&v, size, whole + i, size);
        }
    }
    qtest_memread(q->qts, base + 1, part, sizeof(part) - 3);
    g_assert_cmpmem(part, sizeof(part) - 3, whole + 1, sizeof(part) - 3);
    qn_close(q);
}

static void test_wide_registers(void)
{
    static const uint16_t regs[] = { ENVME_REG_ASQ, ENVME_REG_ACQ };
    QNvme *q = qn_open(NULL);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(regs); i++) {
        uint16_t r = regs[i];

        qn_w8(q, r, 0x0123456789abc000);
        g_assert_cmphex(qn_r8(q, r), ==, 0x0123456789abc000);
        g_assert_cmphex(qn_r4(q, r), ==, 0x89abc000);
        g_assert_cmphex(qn_r4(q, r + 4), ==, 0x01234567);
        qn_w4(q, r, 0x11112000);
        g_assert_cmphex(qn_r8(q, r), ==, 0x0123456711112000);
        qn_w4(q, r + 4, 0xfedcba98);
        g_assert_cmphex(qn_r8(q, r), ==, 0xfedcba9811112000);
        /* Neighbours are not touched. */
        g_assert_cmphex(qn_r4(q, ENVME_REG_AQA), ==, 0);
    }
    /* One 8-byte write over two 4-byte registers. */
    qn_w8(q, ENVME_REG_NSSR, 0x001f001f00000000);
    g_assert_cmphex(qn_r4(q, ENVME_REG_AQA), ==, 0x001f001f);
    qn_close(q);
}

/* Narrow and misaligned writes: undefined results, but no harm. */
static void test_odd_writes(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t base = q->bar[0].addr;
    uint32_t csts;
    unsigned i;

    for (i = 0; i < 0x70; i++) {
        qtest_writeb(q->qts, base + i, 0xff);
        qtest_writew(q->qts, base + i, 0xffff);
        if (i & 3) {
            qtest_writel(q->qts, base + i, 0xffffffff);
        }
        if (i & 7) {
            qtest_writeq(q->qts, base + i, 0x1234567812345678);
        }
    }
    for (i = 0; i < 16; i++) {
        qtest_writeb(q->qts, base + ENVME_REG_DBS + i, 1);
        qtest_writew(q->qts, base + ENVME_REG_DBS + i, 1);
        qtest_writeq(q->qts, base + ENVME_REG_DBS + i, 1);
    }
    csts = qn_csts(q);
    g_assert_cmphex(csts & ENVME_CSTS_SHST, !=, ENVME_CSTS_SHST);
    g_assert_cmphex(q->cap, ==, qn_r8(q, ENVME_REG_CAP));
    qn_w4(q, ENVME_REG_CC, 0);
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, 0);
    qn_check_alive(q, true);
    qn_close(q);
}

/* Reads past the last register, of doorbells, and at the BAR's end. */
static void test_read_beyond(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t base = q->bar[0].addr, end = base + q->bar_size[0];
    uint8_t buf[256];
    unsigned i;

    for (i = 0x6c; i < 0xe00; i += 4) {
        g_assert_cmphex(qn_r4(q, i), ==, 0);
    }
    for (i = 0xe1c; i < 0x1000; i += 4) {
        g_assert_cmphex(qn_r4(q, i), ==, 0);
    }
    /* Across the edges of what is there. */
    qtest_memread(q->qts, base + 0xff1, buf, sizeof(buf));
    for (i = 0; i < 8; i++) {
        qtest_readq(q->qts, base + 0xff8 + i);
        qtest_readq(q->qts, end - 8 + i);
        qtest_readl(q->qts, end - 4 + i);
    }
    qtest_memread(q->qts, end - 100, buf, sizeof(buf));
    g_assert_cmphex(qn_r8(q, ENVME_REG_CAP), ==, q->cap);
    qn_close(q);
}

/* AQA, ASQ and ACQ can be read while the controller is enabled. */
static void test_admin_regs_enabled(void)
{
    QNvme *q = qn_start(NULL);

    g_assert_cmphex(qn_r8(q, ENVME_REG_ASQ), ==, q->asq->addr);
    g_assert_cmphex(qn_r8(q, ENVME_REG_ACQ), ==, q->acq->addr);
    g_assert_cmphex(qn_r4(q, ENVME_REG_AQA), ==, 0x001f001f);
    qn_close(q);
}

/* ---- PCI configuration space ------------------------------------------- */

static void test_pci_ids(void)
{
    QNvme *q = qn_open(NULL);
    uint32_t id = qpci_config_readl(q->pdev, PCI_VENDOR_ID);
    uint32_t class = qpci_config_readl(q->pdev, PCI_CLASS_REVISION);

    g_assert_cmphex(class >> 8, ==, 0x010802);
    /* Linux and SPDK single QEMU's own id out. */
    g_assert_cmphex(id, !=, 0x00101b36);
    g_assert_cmphex(id & 0xffff, !=, 0);
    g_assert_cmphex(id & 0xffff, !=, 0xffff);
    g_assert_cmphex(qpci_config_readb(q->pdev, PCI_HEADER_TYPE) & 0x7f, ==,
                    0);
    g_assert_cmphex(qpci_config_readb(q->pdev, PCI_INTERRUPT_PIN), ==, 1);
    /* BAR0: 64-bit memory. */
    g_assert_cmphex(qpci_config_readl(q->pdev, PCI_BASE_ADDRESS_0) & 0xf, ==,
                    PCI_BASE_ADDRESS_MEM_TYPE_64);
    g_assert_cmphex(q->bar_size[0], >=, 0x2000);
    qn_close(q);
}

static void test_pci_capabilities(void)
{
    QNvme *q = qn_open(NULL);
    uint8_t pcie = qn_cap_find(q, PCI_CAP_ID_EXP);
    uint8_t pm = qn_cap_find(q, PCI_CAP_ID_PM);
    uint8_t msi = qn_cap_find(q, PCI_CAP_ID_MSI);
    uint8_t msix = qn_cap_find(q, PCI_CAP_ID_MSIX);
    uint32_t devcap, table, pba;
    unsigned n;

    g_assert_cmphex(pcie, !=, 0);
    g_assert_cmphex(pm, !=, 0);
    g_assert_cmphex(msi, !=, 0);
    g_assert_cmphex(msix, !=, 0);
    devcap = qpci_config_readl(q->pdev, pcie + PCI_EXP_DEVCAP);
    g_assert_cmphex(devcap & PCI_EXP_DEVCAP_FLR, !=, 0);
    n = (qpci_config_readw(q->pdev, msix + PCI_MSIX_FLAGS) &
         PCI_MSIX_FLAGS_QSIZE) + 1;
    g_assert_cmpuint(n, >=, 2);
    g_assert_cmpuint(n, <=, 2048);
    table = qpci_config_readl(q->pdev, msix + PCI_MSIX_TABLE);
    pba = qpci_config_readl(q->pdev, msix + PCI_MSIX_PBA);
    /* Neither lies in registers or doorbells, nor in each other. */
    if ((table & 7) == 0) {
        g_assert_cmphex(table & ~7, >=, 0x2000);
        g_assert_cmphex((table & ~7) + n * 16, <=, q->bar_size[0]);
    }
    if ((table & 7) == (pba & 7)) {
        g_assert_true((pba & ~7) >= (table & ~7) + n * 16 ||
                      (table & ~7) >= (pba & ~7) + ROUND_UP(n, 64) / 8);
    }
    g_assert_cmphex(qpci_config_readw(q->pdev, pm + PCI_PM_CTRL) &
                    PCI_PM_CTRL_STATE_MASK, ==, 0);
    qn_close(q);
}

/* 2,048 vectors, and a table that the BAR holds. */
static void test_msix_max(void)
{
    QNvme *q = qn_open(&(QnConf){ .props = "msix_qsize=2048" });
    uint8_t msix = qn_cap_find(q, PCI_CAP_ID_MSIX);
    uint32_t table = qpci_config_readl(q->pdev, msix + PCI_MSIX_TABLE);
    QPCIBar bar = qn_bar(q, table & 7);
    uint64_t last = bar.addr + (table & ~7) + 2047 * 16;

    g_assert_cmpuint((qpci_config_readw(q->pdev, msix + PCI_MSIX_FLAGS) &
                      PCI_MSIX_FLAGS_QSIZE) + 1, ==, 2048);
    qtest_writel(q->qts, last, 0x12345678);
    g_assert_cmphex(qtest_readl(q->qts, last), ==, 0x12345678);
    qn_check_alive(q, true);
    qn_close(q);
}

/* With the memory space off there is nothing to read or write. */
static void test_pci_memory_off(void)
{
    QNvme *q = qn_start(NULL);

    qpci_config_writew(q->pdev, PCI_COMMAND, PCI_COMMAND_MASTER);
    qn_w4(q, ENVME_REG_CC, 0);
    qpci_device_enable(q->pdev);
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
    qn_close(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add("/regs/cap", test_cap, QN_SMOKE);
    qn_add("/regs/reset-values", test_reset_values, QN_SMOKE);
    qn_add("/regs/read-only", test_read_only, QN_SMOKE);
    qn_add("/regs/access-sizes", test_access_sizes, QN_SMOKE);
    qn_add("/regs/wide-registers", test_wide_registers, 0);
    qn_add("/regs/odd-writes", test_odd_writes, 0);
    qn_add("/regs/read-beyond", test_read_beyond, 0);
    qn_add("/regs/admin-regs-enabled", test_admin_regs_enabled, 0);
    qn_add("/pci/ids", test_pci_ids, QN_SMOKE);
    qn_add("/pci/capabilities", test_pci_capabilities, QN_SMOKE);
    qn_add("/pci/msix-max", test_msix_max, 0);
    qn_add("/pci/memory-off", test_pci_memory_off, 0);
    return g_test_run();
}
