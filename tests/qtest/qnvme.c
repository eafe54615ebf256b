/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI, registers and life cycle of the tests' NVMe driver. See qnvme.h.
 */
#include "qnvme.h"

#define RAM_START (16ull << 20)
#define RAM_END   (256ull << 20)

/* ---- PCI --------------------------------------------------------------- */

QPCIBar qn_bar(QNvme *q, int n)
{
    if (!q->bar_size[n]) {
        q->bar[n] = qpci_iomap(q->pdev, n, &q->bar_size[n]);
    }
    return q->bar[n];
}

static void dev_setup(QNvme *q)
{
    q->pdev = qpci_device_find(q->bus, q->devfn);
    g_assert_nonnull(q->pdev);
    qpci_device_enable(q->pdev);
    qn_bar(q, 0);
    q->cap = qn_r8(q, ENVME_REG_CAP);
    q->dstrd = FIELD_GET(ENVME_CAP_DSTRD, q->cap);
}

QNvme *qn_attach(QNvme *q, int devfn)
{
    QNvme *n = g_new0(QNvme, 1);

    n->qts = q->qts;
    n->bus = q->bus;
    n->devfn = devfn;
    /* Its own half of what is left. */
    n->ram_end = q->ram_end;
    n->ram = q->ram_end = ROUND_UP(q->ram + (q->ram_end - q->ram) / 2,
                                   QN_PAGE);
    dev_setup(n);
    return n;
}

void qn_detach(QNvme *q)
{
    g_free(q->asq);
    g_free(q->acq);
    g_free(q->pdev);
    g_free(q);
}

QNvme *qn_open(const QnConf *conf)
{
    static const QnConf none;
    g_autofree char *base = NULL, *drive = NULL, *dev = NULL;
    QNvme *q = g_new0(QNvme, 1);

    conf = conf ? conf : &none;
    base = qn_base_args(conf->machine);
    if (conf->no_drive || conf->bare) {
        drive = g_strdup("");
    } else if (conf->drive) {
        drive = g_strdup_printf("-drive if=none,id=d0,%s ", conf->drive);
    } else {
        g_autofree char *img = qn_image("d0.img", QN_DRIVE_SIZE);

        drive = g_strdup_printf("-drive if=none,id=d0,format=raw,"
                                "discard=unmap,file=%s ", img);
    }
    dev = conf->bare ? g_strdup("") : g_strdup_printf(
        "-device %s,id=nv,serial=qtest,addr=%d%s%s%s ", qn_device(), QN_SLOT,
        *drive ? ",drive=d0" : "", conf->props ? "," : "",
        conf->props ? conf->props : "");
    q->runs = conf->kvm;
    q->qts = qtest_initf("%s %s %s %s %s %s", base,
                         conf->kvm ? "-accel kvm" : "", drive,
                         conf->extra ? conf->extra : "", dev,
                         conf->after ? conf->after : "");
    q->owns_qts = true;
    q->bus = qpci_new_pc(q->qts, NULL);
    q->devfn = QPCI_DEVFN(QN_SLOT, 0);
    q->ram = RAM_START;
    q->ram_end = RAM_END;
    if (!conf->bare) {
        dev_setup(q);
    }
    return q;
}

QNvme *qn_start(const QnConf *conf)
{
    QNvme *q = qn_open(conf);

    qn_enable(q);
    return q;
}

void qn_close(QNvme *q)
{
    QTestState *qts = q->qts;

    qpci_free_pc(q->bus);
    qn_detach(q);
    qtest_quit(qts);
}

void qn_pci_restore(QNvme *q)
{
    uint8_t pm = qn_cap_find(q, PCI_CAP_ID_PM);
    int i;

    if (pm) {
        qpci_config_writew(q->pdev, pm + PCI_PM_CTRL, 0);       /* D0 */
    }
    for (i = 0; i < 6; i++) {
        if (q->bar_size[i]) {
            qpci_config_writel(q->pdev, PCI_BASE_ADDRESS_0 + 4 * i,
                               q->bar[i].addr);
        }
    }
    qpci_device_enable(q->pdev);
}

uint8_t qn_cap_find(QNvme *q, uint8_t id)
{
    return qpci_find_capability(q->pdev, id, 0);
}

void qn_set_bme(QNvme *q, bool on)
{
    uint16_t cmd = qpci_config_readw(q->pdev, PCI_COMMAND);

    cmd = on ? cmd | PCI_COMMAND_MASTER : cmd & ~PCI_COMMAND_MASTER;
    qpci_config_writew(q->pdev, PCI_COMMAND, cmd);
}

/* ---- guest memory ------------------------------------------------------ */

uint64_t qn_alloc(QNvme *q, uint64_t size)
{
    uint64_t addr = q->ram;

    q->ram += ROUND_UP(size, QN_PAGE);
    g_assert_cmphex(q->ram, <=, q->ram_end);
    return addr;
}

void qn_read(QNvme *q, uint64_t addr, void *buf, size_t len)
{
    qtest_bufread(q->qts, addr, buf, len);
}

void qn_write(QNvme *q, uint64_t addr, const void *buf, size_t len)
{
    qtest_bufwrite(q->qts, addr, buf, len);
}

void qn_pattern(uint8_t *buf, size_t len, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 1;
    size_t i;

    for (i = 0; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        buf[i] = x >> 24;
    }
}

void qn_fill(QNvme *q, uint64_t addr, size_t len, uint32_t seed)
{
    g_autofree uint8_t *buf = g_malloc(len);

    qn_pattern(buf, len, seed);
    qn_write(q, addr, buf, len);
}

bool qn_matches(QNvme *q, uint64_t addr, size_t len, uint32_t seed)
{
    g_autofree uint8_t *got = g_malloc(len), *want = g_malloc(len);

    qn_read(q, addr, got, len);
    qn_pattern(want, len, seed);
    return !memcmp(got, want, len);
}

char *qn_sum(QNvme *q, uint64_t addr, size_t len)
{
    g_autofree uint8_t *buf = g_malloc(len);

    qn_read(q, addr, buf, len);
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, buf, len);
}

/* ---- registers --------------------------------------------------------- */

uint32_t qn_r4(QNvme *q, uint64_t reg)
{
    return qtest_readl(q->qts, q->bar[0].addr + reg);
}

uint64_t qn_r8(QNvme *q, uint64_t reg)
{
    return qtest_readq(q->qts, q->bar[0].addr + reg);
}

void qn_w4(QNvme *q, uint64_t reg, uint32_t val)
{
    qtest_writel(q->qts, q->bar[0].addr + reg, val);
}

void qn_w8(QNvme *q, uint64_t reg, uint64_t val)
{
    qtest_writeq(q->qts, q->bar[0].addr + reg, val);
}

uint32_t qn_csts(QNvme *q)
{
    return qn_r4(q, ENVME_REG_CSTS);
}

void qn_beat(QNvme *q)
{
    /* Timers on QEMU's virtual clock go on only when the test says so. */
    if (!q->runs) {
        qtest_clock_step(q->qts, 200 * 1000);
    }
    g_usleep(100);
}

void qn_sleep(QNvme *q, unsigned ms)
{
    gint64 end = g_get_monotonic_time() + ms * 1000;

    /* A step of 0 is an error. */
    if (!q->runs) {
        qtest_clock_step(q->qts, ms * 1000000ll + 1);
    }
    do {
        g_usleep(500);
        qtest_readb(q->qts, 0);     /* a turn of QEMU's main loop */
    } while (g_get_monotonic_time() < end);
}

void qn_wait(QNvme *q, uint64_t reg, uint32_t mask, uint32_t val)
{
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;
    uint32_t got;

    while (((got = qn_r4(q, reg)) & mask) != val) {
        if (g_get_monotonic_time() > end) {
            g_test_message("register %#" PRIx64 " is %#x", reg, got);
            g_assert_cmphex(got & mask, ==, val);
        }
        qn_beat(q);
    }
}

uint64_t qn_db_off(QNvme *q, unsigned n)
{
    return ENVME_REG_DBS + (uint64_t)n * (4u << q->dstrd);
}

/* Not the flat view: asking for that leaves references to it behind. */
bool qn_mapped(QNvme *q)
{
    g_autofree char *text = qtest_hmp(q->qts, "info mtree");
    const char *p = text;

    while ((p = strstr(p, "envme-doorbells-mapped"))) {
        p += strcspn(p, "\n[");
        if (*p != '[') {
            return true;
        }
    }
    return false;
}

void qn_ring_sq(QNvme *q, QnSq *sq)
{
    qn_w4(q, qn_db_off(q, 2 * sq->id), sq->tail);
}

void qn_ring_cq(QNvme *q, QnCq *cq)
{
    qn_w4(q, qn_db_off(q, 2 * cq->id + 1), cq->head);
}

/* ---- life cycle -------------------------------------------------------- */

void qn_admin_queues(QNvme *q, uint32_t sq_size, uint32_t cq_size)
{
    g_free(q->acq);
    g_free(q->asq);
    q->acq = qn_cq_new(q, 0, cq_size, 0);
    q->asq = qn_sq_new(q, 0, sq_size, q->acq);
    qn_w4(q, ENVME_REG_AQA, FIELD_SET(ENVME_AQA_ASQS, sq_size - 1) |
                            FIELD_SET(ENVME_AQA_ACQS, cq_size - 1));
    qn_w8(q, ENVME_REG_ASQ, q->asq->addr);
    qn_w8(q, ENVME_REG_ACQ, q->acq->addr);
}

void qn_enable_cc(QNvme *q, uint32_t cc)
{
    qn_w4(q, ENVME_REG_CC, cc | ENVME_CC_EN);
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY | ENVME_CSTS_CFS,
            ENVME_CSTS_RDY);
}

void qn_enable(QNvme *q)
{
    qn_admin_queues(q, 32, 32);
    qn_enable_cc(q, QN_CC);
}

void qn_disable(QNvme *q)
{
    qn_w4(q, ENVME_REG_CC, qn_r4(q, ENVME_REG_CC) & ~ENVME_CC_EN);
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, 0);
}

void qn_check_alive(QNvme *q, bool io_too)
{
    uint64_t buf;
    struct envme_cqe c;

    qn_pci_restore(q);
    qn_disable(q);
    qn_enable(q);
    g_assert_cmphex(qn_csts(q) & ENVME_CSTS_CFS, ==, 0);
    buf = qn_alloc(q, QN_PAGE);
    c = qn_admin(q, qn_identify(1, 0, buf));
    qn_assert_ok(c);
    /* MDTS lies at 77, VER at 80: 2.1. */
    if (qn_is_envme()) {
        g_assert_cmphex(qtest_readl(q->qts, buf + 80), ==, ENVME_VS_2_1);
    }
    if (io_too) {
        QnSq *sq = qn_io_queue(q, 1, 16, -1);

        c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 8, buf));
        qn_assert_ok(c);
        qn_queue_free(sq);
    }
}
