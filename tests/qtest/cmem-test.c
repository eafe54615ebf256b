/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The controller's own memory: Controller Memory Buffer and Persistent Memory
 * Region as BARs, used by the CPU and by commands. Base 2.1, 8.2.1, 8.2.4.
 */
#include "qnvme.h"

#define MIB (1024u * 1024)
#define CMB (4 * MIB)
#define PMR (2 * MIB)
#define ON (ENVME_CMBMSC_CRE | ENVME_CMBMSC_CMSE)
#define RAM_PMR "-object memory-backend-ram,id=p0,size=2M "

enum { LEN = 8192, BLOCKS = LEN / 512 };

static QNvme *cmem_open(const char *props, const char *extra)
{
    g_autofree char *more = g_strconcat("-object iothread,id=t0 ", extra,
                                        NULL);

    return qn_open(&(QnConf){ .props = props, .extra = more });
}

/* Its address, as the CPU and the bus have it. */
static uint64_t bar(QNvme *q, int n)
{
    return qn_bar(q, n).addr;
}

static void cmb_on(QNvme *q, uint64_t at)
{
    qn_w8(q, ENVME_REG_CMBMSC, at | ON);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CMBSTS), ==, 0);
}

static void pmr_ready(QNvme *q)
{
    qn_w4(q, ENVME_REG_PMRCTL, ENVME_PMRCTL_EN);
    qn_wait(q, ENVME_REG_PMRSTS, ENVME_PMRSTS_NRDY, 0);
}

static void pmr_space(QNvme *q, uint64_t at)
{
    qn_w4(q, ENVME_REG_PMRMSCU, at >> 32);
    qn_w4(q, ENVME_REG_PMRMSCL, (uint32_t)at | ENVME_PMRMSCL_CMSE);
    g_assert_cmphex(qn_r4(q, ENVME_REG_PMRSTS) & ENVME_PMRSTS_CBAI, ==, 0);
}

static uint16_t rw(QNvme *q, QnSq *sq, uint8_t opc, uint64_t buf)
{
    struct envme_cqe c = qn_cmd(q, sq, qn_rw(q, opc, 64, BLOCKS, buf));

    return qn_status(&c);
}

/* Out of one place and back to another; the CPU looks at them at cpu_*. */
static void verify(QNvme *q, QnSq *sq, uint64_t from, uint64_t cpu_from,
                   uint64_t to, uint64_t cpu_to, uint32_t seed)
{
    qn_fill(q, cpu_from, LEN, seed);
    g_assert_cmphex(rw(q, sq, ENVME_NVM_WRITE, from), ==, ENVME_SC_SUCCESS);
    qn_fill(q, cpu_to, LEN, seed + 1);
    g_assert_cmphex(rw(q, sq, ENVME_NVM_READ, to), ==, ENVME_SC_SUCCESS);
    g_assert_true(qn_matches(q, cpu_to, LEN, seed));
}

/* ---- BARs -------------------------------------------------------------- */

static void check_bar(QNvme *q, int n, uint64_t size)
{
    uint32_t v = qpci_config_readl(q->pdev, PCI_BASE_ADDRESS_0 + 4 * n);

    g_assert_cmphex(v & 0xf, ==, PCI_BASE_ADDRESS_MEM_TYPE_64 |
                                 PCI_BASE_ADDRESS_MEM_PREFETCH);
    qn_bar(q, n);
    g_assert_cmphex(q->bar_size[n], ==, size);
}

static void test_bars(void)
{
    QNvme *q = cmem_open("cmb-size=12k,pmrdev=p0", RAM_PMR);
    uint64_t at;

    g_assert_cmphex(q->cap & ENVME_CAP_CMBS, !=, 0);
    g_assert_cmphex(q->cap & ENVME_CAP_PMRS, !=, 0);
    check_bar(q, 2, 16384);
    check_bar(q, 4, PMR);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CMBSZ), ==, 0);
    qn_w8(q, ENVME_REG_CMBMSC, ENVME_CMBMSC_CRE);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CMBLOC) & ENVME_CMBLOC_BIR, ==, 2);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CMBSZ), ==, 3 << 12 | 0x1f);
    g_assert_cmpuint(FIELD_GET(ENVME_PMRCAP_BIR,
                               qn_r4(q, ENVME_REG_PMRCAP)), ==, 4);
    /* What is left of the BAR is nothing. */
    at = bar(q, 2);
    qtest_writel(q->qts, at + 12284, 0x12345678);
    qtest_writel(q->qts, at + 12288, 0x12345678);
    g_assert_cmphex(qtest_readl(q->qts, at + 12284), ==, 0x12345678);
    g_assert_cmphex(qtest_readl(q->qts, at + 12288), ==, UINT32_MAX);
    qn_enable(q);
    qn_check_alive(q, true);
    qn_close(q);

    q = cmem_open("pmrdev=p0,msix-exclusive-bar=on,cmb.cqs=off", RAM_PMR);
    g_assert_cmphex(q->cap & ENVME_CAP_CMBS, ==, 0);
    g_assert_cmpuint(FIELD_GET(ENVME_PMRCAP_BIR,
                               qn_r4(q, ENVME_REG_PMRCAP)), ==, 2);
    check_bar(q, 2, PMR);
    pmr_ready(q);
    qtest_writel(q->qts, bar(q, 2), 0x12345678);
    g_assert_cmphex(qtest_readl(q->qts, bar(q, 2)), ==, 0x12345678);
    qn_close(q);

    q = cmem_open("cmb_size_mb=4,msix-exclusive-bar=on,cmb.cqs=off", "");
    check_bar(q, 2, CMB);
    qn_w8(q, ENVME_REG_CMBMSC, ENVME_CMBMSC_CRE);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CMBSZ), ==, 4 << 12 | 0x21d);
    qn_close(q);
}

/* ---- CMB --------------------------------------------------------------- */

static void test_cmb(const void *iothread)
{
    g_autofree char *props = g_strconcat("cmb_size_mb=4", iothread, NULL);
    uint64_t far = 0x700000000000;
    QNvme *q = cmem_open(props, "");
    uint64_t at = bar(q, 2), ram, cq_ram, sq_ram;
    struct envme_cqe c;
    QnSq *sq, *own;
    QnCq *cq;

    cmb_on(q, at);
    qn_enable(q);
    sq = qn_io_queue(q, 1, 16, -1);
    ram = qn_alloc(q, LEN);
    verify(q, sq, at, at, ram, ram, 1);
    verify(q, sq, ram, ram, at + LEN, at + LEN, 2);
    verify(q, sq, at + CMB - LEN, at + CMB - LEN, at, at, 3);

    /* Queues in it. */
    cq = qn_cq_new(q, 2, 16, 0);
    own = qn_sq_new(q, 2, 16, cq);
    cq_ram = cq->addr;
    sq_ram = own->addr;
    cq->addr = at + MIB;
    own->addr = at + MIB + QN_PAGE;
    qtest_memset(q->qts, cq->addr, 0, 2 * QN_PAGE);
    c = qn_admin(q, qn_create_cq(cq, false));
    qn_assert_ok(c);
    c = qn_admin(q, qn_create_sq(own));
    qn_assert_ok(c);
    for (unsigned i = 0; i < 40; i++) {
        verify(q, own, at, at, at + LEN, at + LEN, i);
    }
    /* It moves (while nobody uses it): where the BAR is, it is not. */
    c = qn_admin(q, (struct envme_sqe){ .opc = ENVME_ADM_DELETE_SQ,
                                        .cdw10 = le32(2) });
    qn_assert_ok(c);
    c = qn_admin(q, (struct envme_sqe){ .opc = ENVME_ADM_DELETE_CQ,
                                        .cdw10 = le32(2) });
    qn_assert_ok(c);
    cq->addr = cq_ram;
    own->addr = sq_ram;
    qn_queue_free(own);
    cmb_on(q, far);
    verify(q, sq, far, at, far + LEN, at + LEN, 5);
    g_assert_cmphex(rw(q, sq, ENVME_NVM_READ, at), ==,
                    ENVME_SC_DATA_XFER_ERROR);
    qn_w8(q, ENVME_REG_CMBMSC, at | ENVME_CMBMSC_CRE);
    g_assert_cmphex(rw(q, sq, ENVME_NVM_READ, at), ==,
                    ENVME_SC_DATA_XFER_ERROR);
    g_assert_cmphex(rw(q, sq, ENVME_NVM_WRITE, far), ==,
                    ENVME_SC_DATA_XFER_ERROR);
    cmb_on(q, at);
    verify(q, sq, at, at, at + LEN, at + LEN, 6);
    qn_queue_free(sq);
    qn_check_alive(q, true);
    qn_close(q);
}

static void move_bar(QNvme *q, int n, uint64_t to)
{
    qpci_config_writel(q->pdev, PCI_BASE_ADDRESS_0 + 4 * n, to);
    q->bar[n].addr = to;
}

static void test_legacy(const void *iothread)
{
    g_autofree char *props = g_strconcat("cmb_size_mb=4,legacy-cmb=on",
                                         iothread, NULL);
    QNvme *q = cmem_open(props, "");
    uint64_t at, old, ram;
    QnSq *sq;

    g_assert_cmphex(q->cap & ENVME_CAP_CMBS, ==, 0);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CMBSZ), ==, 4 << 12 | 0x21f);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CMBLOC) & ENVME_CMBLOC_BIR, ==, 2);
    at = bar(q, 2);
    qn_enable(q);
    sq = qn_io_queue(q, 1, 16, -1);
    ram = qn_alloc(q, LEN);
    verify(q, sq, at, at, ram, ram, 1);
    verify(q, sq, ram, ram, at + LEN, at + LEN, 2);
    /* The BAR goes elsewhere, and goes away. */
    old = at;
    at = ROUND_UP(at + 64 * MIB, 64 * MIB);
    move_bar(q, 2, at);
    verify(q, sq, at, at, ram, ram, 3);
    g_assert_cmphex(rw(q, sq, ENVME_NVM_READ, old), ==,
                    ENVME_SC_DATA_XFER_ERROR);
    qn_queue_free(sq);
    qn_check_alive(q, true);
    qn_close(q);
}

/* ---- PMR --------------------------------------------------------------- */

static void do_flr(QNvme *q)
{
    uint8_t exp = qn_cap_find(q, PCI_CAP_ID_EXP);
    uint16_t ctl = qpci_config_readw(q->pdev, exp + PCI_EXP_DEVCTL);

    qpci_config_writew(q->pdev, exp + PCI_EXP_DEVCTL,
                       ctl | PCI_EXP_DEVCTL_BCR_FLR);
    qn_pci_restore(q);
}

static void do_d3(QNvme *q)
{
    uint8_t pm = qn_cap_find(q, PCI_CAP_ID_PM);

    qpci_config_writew(q->pdev, pm + PCI_PM_CTRL, 3);
    qpci_config_writew(q->pdev, pm + PCI_PM_CTRL, 0);
    qn_pci_restore(q);
}

static void do_nssr(QNvme *q)
{
    qn_w4(q, ENVME_REG_NSSR, ENVME_NSSR_KEY);
}

static void do_cc(QNvme *q)
{
    qn_disable(q);
}

static const struct {
    const char *name;
    void (*reset)(QNvme *q);
    bool cmb_stays, pmr_stays;
} resets[] = {
    { "cc", do_cc, true, true },
    { "flr", do_flr, true, false },
    { "d3hot", do_d3, false, false },
    { "nssr", do_nssr, false, false },
};

static void test_resets(void)
{
    QNvme *q = cmem_open("cmb_size_mb=4,pmrdev=p0", RAM_PMR);
    uint64_t cmb = bar(q, 2), pmr = bar(q, 4);
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(resets); i++) {
        g_test_message("%s", resets[i].name);
        qn_enable(q);
        cmb_on(q, cmb);
        pmr_ready(q);
        pmr_space(q, 0x600000000000);
        qtest_writel(q->qts, pmr + 4096, 0x55aa0000 + i);
        resets[i].reset(q);
        g_assert_cmphex(qn_r8(q, ENVME_REG_CMBMSC), ==,
                        resets[i].cmb_stays ? cmb | ON : 0);
        g_assert_cmphex(qn_r4(q, ENVME_REG_PMRCTL), ==, resets[i].pmr_stays);
        g_assert_cmphex(qn_r4(q, ENVME_REG_PMRMSCU), ==,
                        resets[i].pmr_stays ? 0x6000 : 0);
        if (!resets[i].pmr_stays) {
            g_assert_cmphex(qtest_readl(q->qts, pmr + 4096), ==, UINT32_MAX);
            pmr_ready(q);
        }
        g_assert_cmphex(qtest_readl(q->qts, pmr + 4096), ==, 0x55aa0000 + i);
        qn_w4(q, ENVME_REG_PMRCTL, 0);
        qn_wait(q, ENVME_REG_PMRSTS, ENVME_PMRSTS_NRDY, ENVME_PMRSTS_NRDY);
        qn_disable(q);
    }
    qn_close(q);
}

/* While it is disabled reads are undefined and writes change nothing. */
static void test_disabled(void)
{
    QNvme *q = cmem_open("pmrdev=p0", RAM_PMR);
    uint64_t at = bar(q, 4);
    unsigned i;

    qtest_writel(q->qts, at, 0x11111111);
    g_assert_cmphex(qtest_readl(q->qts, at), ==, UINT32_MAX);
    pmr_ready(q);
    for (i = 0; i < 3; i++) {
        g_assert_cmphex(qtest_readl(q->qts, at), ==, i * 3);
        qtest_writel(q->qts, at, i * 3 + 3);
        qn_w4(q, ENVME_REG_PMRCTL, 0);
        qtest_writel(q->qts, at, 0x22222222);
        qtest_writeb(q->qts, at + PMR - 1, 0x22);
        g_assert_cmphex(qtest_readb(q->qts, at + PMR - 1), ==, 0xff);
        qn_wait(q, ENVME_REG_PMRSTS, ENVME_PMRSTS_NRDY, ENVME_PMRSTS_NRDY);
        pmr_ready(q);
        g_assert_cmphex(qtest_readb(q->qts, at + PMR - 1), ==, 0);
    }
    qn_enable(q);
    qn_check_alive(q, true);
    qn_close(q);
}

/* Written by the CPU and by commands, there again with the next QEMU. */
static void test_file(const void *iothread)
{
    g_autofree char *path = qn_image("pmr", PMR);
    g_autofree char *extra = g_strdup_printf(
        "-object memory-backend-file,id=p0,size=2M,share=on,mem-path=%s ",
        path);
    g_autofree char *props = g_strconcat("pmrdev=p0", iothread, NULL);
    uint64_t far = 0x600000000000, at;
    uint8_t want[LEN];
    char *data;
    gsize len;
    QNvme *q;
    QnSq *sq;
    unsigned round;

    for (round = 0; round < 2; round++) {
        q = cmem_open(props, extra);
        at = bar(q, 4);
        pmr_ready(q);
        pmr_space(q, far);
        qn_enable(q);
        sq = qn_io_queue(q, 1, 16, -1);
        if (round) {
            g_assert_true(qn_matches(q, at, LEN, 7));
            g_assert_true(qn_matches(q, at + MIB, LEN, 9));
        }
        qn_fill(q, at, LEN, 7);
        qn_fill(q, at + LEN, LEN, 9);
        g_assert_cmphex(rw(q, sq, ENVME_NVM_WRITE, far + LEN), ==,
                        ENVME_SC_SUCCESS);
        g_assert_cmphex(rw(q, sq, ENVME_NVM_READ, far + MIB), ==,
                        ENVME_SC_SUCCESS);
        /* The barrier, after which it is there whatever happens. */
        g_assert_cmphex(qn_r4(q, ENVME_REG_PMRSTS), ==, 0);
        g_assert_true(g_file_get_contents(path, &data, &len, NULL));
        qn_pattern(want, LEN, 7);
        g_assert_cmpint(memcmp(data, want, LEN), ==, 0);
        qn_pattern(want, LEN, 9);
        g_assert_cmpint(memcmp(data + MIB, want, LEN), ==, 0);
        g_free(data);
        qn_queue_free(sq);
        if (round) {
            qn_check_alive(q, true);
        }
        qn_close(q);
    }
}

static void test_read_only(void)
{
    g_autofree char *path = qn_image("pmr-ro", PMR);
    g_autofree char *extra = g_strdup_printf(
        "-object memory-backend-file,id=p0,size=2M,share=on,readonly=on,"
        "mem-path=%s ", path);
    uint64_t far = 0x600000000000, at, ram;
    QNvme *q = cmem_open("pmrdev=p0", extra);
    QnSq *sq;

    at = bar(q, 4);
    pmr_ready(q);
    pmr_space(q, far);
    g_assert_cmpuint(FIELD_GET(ENVME_PMRSTS_HSTS,
                               qn_r4(q, ENVME_REG_PMRSTS)), ==,
                     ENVME_PMRSTS_HSTS_READ_ONLY);
    qtest_writel(q->qts, at, 0x12345678);
    g_assert_cmphex(qtest_readl(q->qts, at), ==, 0);
    qn_enable(q);
    sq = qn_io_queue(q, 1, 16, -1);
    ram = qn_alloc(q, LEN);
    g_assert_cmphex(rw(q, sq, ENVME_NVM_WRITE, far), ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(rw(q, sq, ENVME_NVM_READ, far), ==,
                    ENVME_SC_DATA_XFER_ERROR);
    g_assert_cmphex(rw(q, sq, ENVME_NVM_READ, ram), ==, ENVME_SC_SUCCESS);
    qn_queue_free(sq);
    qn_check_alive(q, true);
    qn_close(q);
}

/* Another device finds it at the bus: a controller's BAR is memory like any
 * other to its neighbour. */
static void test_peer(void)
{
    QNvme *q = cmem_open("cmb_size_mb=4,pmrdev=p0",
                         RAM_PMR "-device envme,serial=b,addr=5,drive=d1 "
                         "-drive if=none,id=d1,driver=null-co,"
                         "read-zeroes=on,size=1M ");
    QNvme *n = qn_attach(q, QPCI_DEVFN(5, 0));
    uint64_t at = bar(q, 2);
    struct envme_cqe c;

    qn_enable(n);
    qn_fill(q, at, QN_PAGE, 1);
    c = qn_admin(n, qn_identify(1, 0, at));
    qn_assert_ok(c);
    g_assert_cmphex(qtest_readl(q->qts, at + 80), ==, ENVME_VS_2_1);
    pmr_ready(q);
    c = qn_admin(n, qn_identify(1, 0, bar(q, 4)));
    qn_assert_ok(c);
    g_assert_cmphex(qtest_readl(q->qts, bar(q, 4) + 80), ==, ENVME_VS_2_1);
    qn_detach(n);
    qn_close(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add("/cmem/bars", test_bars, QN_SMOKE);
    qn_add_data("/cmem/cmb/main-loop", "", test_cmb, QN_SMOKE);
    qn_add_data("/cmem/cmb/iothread", ",iothread=t0", test_cmb, 0);
    qn_add_data("/cmem/legacy/main-loop", "", test_legacy, 0);
    qn_add_data("/cmem/legacy/iothread", ",iothread=t0", test_legacy, 0);
    qn_add("/cmem/resets", test_resets, 0);
    qn_add("/cmem/pmr/disabled", test_disabled, 0);
    qn_add_data("/cmem/pmr/file/main-loop", "", test_file, QN_SMOKE);
    qn_add_data("/cmem/pmr/file/iothread", ",iothread=t0", test_file, 0);
    qn_add("/cmem/pmr/read-only", test_read_only, 0);
    qn_add("/cmem/peer", test_peer, 0);
    return g_test_run();
}
