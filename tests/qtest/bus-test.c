/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fault rules do to the bus: link down and up, a function that does not
 * answer, Bus Master taken away, FLR and D3hot to D0 that do not finish, PCIe
 * errors in the AER registers and at the root port.
 */
#include "qnvme.h"

#include "qapi/error.h"
#include "qobject/qjson.h"

#define PATH "/machine/peripheral/nv"
#define BUS1 (1 << 8)

/* ---- extended configuration space -------------------------------------- */

#define ECAM UINT64_C(0xb0000000)
#define MCH_PCIEXBAR 0x60

/* libqos has the first 256 bytes only; q35 shows all of it in memory when it is
 * asked to. */
static uint64_t ext(QNvme *q, int devfn, unsigned reg)
{
    QPCIDevice *mch = qpci_device_find(q->bus, 0);

    g_assert_nonnull(mch);
    qpci_config_writel(mch, MCH_PCIEXBAR + 4, 0);
    qpci_config_writel(mch, MCH_PCIEXBAR, ECAM | 1);
    g_free(mch);
    return ECAM + ((uint64_t)devfn << 12) + PCI_CFG_SPACE_SIZE + reg;
}

static uint32_t aer_read(QNvme *q, unsigned reg)
{
    return qtest_readl(q->qts, ext(q, q->devfn, reg));
}

static void aer_write(QNvme *q, unsigned reg, uint32_t val)
{
    qtest_writel(q->qts, ext(q, q->devfn, reg), val);
}

/* ---- rules ------------------------------------------------------------- */

static QDict *set(QNvme *q, const char *property, const char *value)
{
    g_autofree char *text = g_strdup_printf(
        "{'path': '" PATH "', 'property': '%s', 'value': %s}", property,
        value);

    return qtest_qmp(q->qts, "{'execute': 'qom-set', 'arguments': %p}",
                     qobject_from_json(text, &error_abort));
}

static void set_ok(QNvme *q, const char *property, const char *value)
{
    QDict *answer = set(q, property, value);

    g_assert_false(qdict_haskey(answer, "error"));
    qobject_unref(answer);
}

#define now(q, actions) set_ok(q, "faults-do", actions)

static uint32_t vendor(QNvme *q)
{
    return qpci_config_readl(q->pdev, PCI_VENDOR_ID);
}

/* What is asked for has been done to the BARs and the controller, too. */
static void until_csts(QNvme *q, bool gone)
{
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * G_TIME_SPAN_MILLISECOND;

    while ((qn_csts(q) == UINT32_MAX) != gone) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        qn_beat(q);
    }
}

static void until_vendor(QNvme *q, uint32_t want)
{
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * G_TIME_SPAN_MILLISECOND;

    while (vendor(q) != want) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        qn_beat(q);
    }
}

static void push_read(QNvme *q, QnSq *sq, uint64_t buf)
{
    qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
    qn_ring_sq(q, sq);
}

/* ---- link -------------------------------------------------------------- */

static void test_link(void)
{
    QNvme *q = qn_start(&(QnConf){
        .props = "cmb_size_mb=1,msix-exclusive-bar=on" });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint32_t id = vendor(q);
    uint64_t buf = qn_alloc(q, 4096);

    now(q, "{'link': 'down'}");
    until_csts(q, true);
    g_assert_cmphex(vendor(q), ==, UINT32_MAX);
    g_assert_cmphex(qn_r8(q, ENVME_REG_CAP), ==, UINT64_MAX);
    g_assert_cmphex(qpci_io_readl(q->pdev, q->bar[0], ENVME_REG_DBS), ==,
                    UINT32_MAX);
    /* The buffer, MSI-X's table. */
    g_assert_cmphex(qpci_io_readl(q->pdev, qn_bar(q, 2), 64), ==, UINT32_MAX);
    g_assert_cmphex(qpci_io_readl(q->pdev, qn_bar(q, 4), 0), ==, UINT32_MAX);
    /* Nothing hears of a write. */
    qpci_config_writew(q->pdev, PCI_COMMAND, 0);
    qn_w4(q, ENVME_REG_CC, 0);
    push_read(q, sq, buf);
    qn_assert_quiet(q, sq->cq, 50);
    now(q, "{'link': 'up'}");
    until_vendor(q, id);
    /* As after power on. */
    g_assert_cmphex(qpci_config_readw(q->pdev, PCI_COMMAND), ==, 0);
    g_assert_cmphex(qpci_config_readl(q->pdev, PCI_BASE_ADDRESS_0) & ~0xfu, ==,
                    0);
    qn_pci_restore(q);
    until_csts(q, false);
    g_assert_cmphex(qn_csts(q), ==, 0);
    qn_queue_free(sq);
    qn_check_alive(q, true);
    qn_close(q);
}

/* Commands that the medium has in hand are never completed. */
static void test_link_loaded(void)
{
    QNvme *q = qn_start(&(QnConf){ .drive = QN_SLOW(200000000),
                                   .props = "iothread=io0",
                                   .extra = "-object iothread,id=io0" });
    QnSq *sq = qn_io_queue(q, 1, 64, -1);
    uint64_t buf = qn_alloc(q, 32 * 4096);

    for (unsigned i = 0; i < 32; i++) {
        qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, i * 8, 8, buf + i * 4096));
    }
    qn_ring_sq(q, sq);
    now(q, "{'link': {'state': 'down', 'for': '1s'}}");
    until_csts(q, true);
    qn_assert_quiet(q, sq->cq, 500);
    qn_sleep(q, 600);
    until_vendor(q, 0xe4e11234);
    qn_pci_restore(q);
    qn_queue_free(sq);
    qn_check_alive(q, true);
    qn_close(q);
}

/* Other rules, and the link is up again. */
static void test_link_rules(void)
{
    QNvme *q = qn_start(&(QnConf){
        .props = "fault-injection=on" });
    uint32_t id = vendor(q);

    set_ok(q, "faults", "{'rules': [{'name': 'a', 'on': 'register', 'match': "
           "{'register': 'intms', 'access': 'write'}, 'do': {'link': "
           "'down'}}]}");
    qn_w4(q, ENVME_REG_INTMS, 1);
    until_csts(q, true);
    set_ok(q, "faults", "{}");
    until_vendor(q, id);
    qn_pci_restore(q);
    qn_check_alive(q, true);
    /* Again and again, and QEMU ends with the link down. */
    for (unsigned i = 0; i < 20; i++) {
        now(q, "{'link': 'down'}");
        now(q, "{'link': 'up'}");
    }
    until_vendor(q, id);
    qn_pci_restore(q);
    qn_check_alive(q, true);
    now(q, "{'link': 'down'}");
    until_csts(q, true);
    qn_close(q);
}

/* ---- hang, bus-master -------------------------------------------------- */

static void test_hang(void)
{
    QNvme *q = qn_start(&(QnConf){ 0 });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, 4096);
    struct envme_cqe c;

    now(q, "{'hang': '1s'}");
    until_csts(q, true);
    g_assert_cmphex(vendor(q), ==, UINT32_MAX);
    qn_w4(q, ENVME_REG_CC, 0);
    push_read(q, sq, buf);
    qn_assert_quiet(q, sq->cq, 50);
    qn_sleep(q, 1100);
    until_csts(q, false);
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
    /* The doorbell was lost; the next one brings both along. */
    qn_assert_quiet(q, sq->cq, 50);
    push_read(q, sq, buf);
    c = qn_reap(q, sq->cq);
    qn_assert_ok(c);
    c = qn_reap(q, sq->cq);
    qn_assert_ok(c);
    qn_queue_free(sq);
    qn_close(q);
}

static void test_bus_master(void)
{
    QNvme *q = qn_start(&(QnConf){ .drive = QN_SLOW(50000000) });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, 4096);
    struct envme_cqe c;

    push_read(q, sq, buf);
    now(q, "{'bus-master': 'off'}");
    push_read(q, sq, buf);
    /* In flight and new: neither is posted, and the host sees no reason. */
    qn_assert_quiet(q, sq->cq, 300);
    g_assert_cmphex(qpci_config_readw(q->pdev, PCI_COMMAND) &
                    PCI_COMMAND_MASTER, !=, 0);
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
    now(q, "{'bus-master': 'on'}");
    c = qn_reap(q, sq->cq);
    qn_assert_ok(c);
    c = qn_reap(q, sq->cq);
    qn_assert_ok(c);
    /* The host's own bit is there as well. */
    now(q, "{'bus-master': 'off'}");
    qn_set_bme(q, false);
    now(q, "{'bus-master': 'on'}");
    push_read(q, sq, buf);
    qn_assert_quiet(q, sq->cq, 100);
    qn_set_bme(q, true);
    c = qn_reap(q, sq->cq);
    qn_assert_ok(c);
    qn_queue_free(sq);
    qn_close(q);
}

/* ---- FLR, D3 ----------------------------------------------------------- */

static void test_flr(void)
{
    QNvme *q = qn_start(&(QnConf){ 0 });
    uint32_t id = vendor(q);
    uint8_t exp = qn_cap_find(q, PCI_CAP_ID_EXP);
    uint16_t ctl = qpci_config_readw(q->pdev, exp + PCI_EXP_DEVCTL);

    set_ok(q, "faults", "{'rules': [{'name': 'f', 'on': 'state', 'match': "
           "{'state': 'flr'}, 'when': {'nth': 2}, 'do': {'hang': '1s'}}]}");
    for (unsigned i = 1; i <= 3; i++) {
        qpci_config_writew(q->pdev, exp + PCI_EXP_DEVCTL,
                           ctl | PCI_EXP_DEVCTL_BCR_FLR);
        if (i == 2) {
            /* From the first look on. */
            g_assert_cmphex(vendor(q), ==, UINT32_MAX);
            qn_sleep(q, 500);
            g_assert_cmphex(vendor(q), ==, UINT32_MAX);
            qn_sleep(q, 600);
            until_vendor(q, id);
        }
        g_assert_cmphex(vendor(q), ==, id);
        qn_pci_restore(q);
        qn_check_alive(q, true);
    }
    qn_close(q);
}

static void test_d3(void)
{
    QNvme *q = qn_start(&(QnConf){ 0 });
    uint32_t id = vendor(q);
    uint8_t pm = qn_cap_find(q, PCI_CAP_ID_PM);

    set_ok(q, "faults", "{'rules': [{'name': 'd', 'on': 'state', 'match': "
           "{'state': 'd0'}, 'do': {'hang': '1s'}}]}");
    qpci_config_writew(q->pdev, pm + PCI_PM_CTRL, 3);
    g_assert_cmphex(vendor(q), ==, id);
    qpci_config_writew(q->pdev, pm + PCI_PM_CTRL, 0);
    g_assert_cmphex(vendor(q), ==, UINT32_MAX);
    qn_sleep(q, 1100);
    until_vendor(q, id);
    qn_pci_restore(q);
    qn_check_alive(q, true);
    qn_close(q);
}

/* ---- AER --------------------------------------------------------------- */

static void test_aer(void)
{
    QNvme *q = qn_start(&(QnConf){ 0 });
    uint8_t exp = qn_cap_find(q, PCI_CAP_ID_EXP);
    uint16_t sta;

    g_assert_cmphex(aer_read(q, 0) & 0xfffff, ==,
                    PCI_EXT_CAP_ID_ERR | 2 << 16);
    g_assert_cmphex(aer_read(q, PCI_ERR_UNCOR_STATUS), ==,
                    0);
    now(q, "{'pcie-error': 'bad-tlp'}");
    now(q, "{'pcie-error': 'poisoned-tlp'}");
    g_assert_cmphex(aer_read(q, PCI_ERR_COR_STATUS), ==,
                    PCI_ERR_COR_BAD_TLP);
    g_assert_cmphex(aer_read(q, PCI_ERR_UNCOR_STATUS), ==,
                    PCI_ERR_UNC_POISON_TLP);
    sta = qpci_config_readw(q->pdev, exp + PCI_EXP_DEVSTA);
    g_assert_cmphex(sta & PCI_EXP_DEVSTA_CED, !=, 0);
    g_assert_cmphex(sta & PCI_EXP_DEVSTA_NFED, !=, 0);
    /* By the host's choice it is fatal. */
    aer_write(q, PCI_ERR_UNCOR_SEVER, PCI_ERR_UNC_COMP_TIME);
    now(q, "{'pcie-error': 'completion-timeout'}");
    sta = qpci_config_readw(q->pdev, exp + PCI_EXP_DEVSTA);
    g_assert_cmphex(sta & PCI_EXP_DEVSTA_FED, !=, 0);
    /* Write 1 to clear. */
    aer_write(q, PCI_ERR_UNCOR_STATUS, UINT32_MAX);
    aer_write(q, PCI_ERR_COR_STATUS, UINT32_MAX);
    g_assert_cmphex(aer_read(q, PCI_ERR_COR_STATUS), ==,
                    0);
    g_assert_cmphex(aer_read(q, PCI_ERR_UNCOR_STATUS), ==,
                    0);
    /* They outlive an FLR, but not the loss of the link. */
    now(q, "{'pcie-error': 'bad-dllp'}");
    qpci_config_writew(q->pdev, exp + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR);
    g_assert_cmphex(aer_read(q, PCI_ERR_COR_STATUS), ==,
                    PCI_ERR_COR_BAD_DLLP);
    qn_pci_restore(q);
    now(q, "{'link': {'for': '10ms'}}");
    g_assert_cmphex(vendor(q), ==, UINT32_MAX);
    qn_sleep(q, 20);
    until_vendor(q, 0xe4e11234);
    g_assert_cmphex(aer_read(q, PCI_ERR_COR_STATUS), ==,
                    0);
    qn_pci_restore(q);
    qn_check_alive(q, true);
    qn_close(q);
}

/* Without the capability rules that want it are refused. */
static void test_no_aer(const void *data)
{
    QNvme *q = qn_start(data);
    QDict *answer = set(q, "faults-do", "{'pcie-error': 'bad-tlp'}");

    g_assert_nonnull(strstr(qdict_get_str(qdict_get_qdict(answer, "error"),
                                          "desc"), "no AER"));
    qobject_unref(answer);
    /* The link is one there, too. */
    now(q, "{'link': {'for': '10ms'}}");
    g_assert_cmphex(vendor(q), ==, UINT32_MAX);
    qn_sleep(q, 20);
    until_vendor(q, 0xe4e11234);
    qn_pci_restore(q);
    qn_check_alive(q, true);
    qn_close(q);
}

/* ---- behind a root port ------------------------------------------------ */

typedef struct Port {
    QNvme *q, *n;
    QPCIDevice *rp;
    uint8_t cap;
} Port;

static Port port_open(const char *more)
{
    g_autofree char *args = g_strdup_printf(
        QN_ROOT_PORT "%s "
        "-blockdev driver=null-co,node-name=n0,read-zeroes=on,size=67108864 "
        "-device %s,id=nv,serial=a,drive=n0,bus=rp0", more, qn_device());
    Port p = { .q = qn_open(&(QnConf){ .bare = true, .extra = args }) };

    p.rp = qn_root_port(p.q);
    p.cap = qpci_find_capability(p.rp, PCI_CAP_ID_EXP, 0);
    p.n = qn_attach(p.q, BUS1);
    return p;
}

static void port_close(Port *p)
{
    qn_detach(p->n);
    g_free(p->rp);
    qn_close(p->q);
}

static uint16_t slot(Port *p)
{
    return qpci_config_readw(p->rp, p->cap + PCI_EXP_SLTSTA);
}

static bool active(Port *p)
{
    return qpci_config_readw(p->rp, p->cap + PCI_EXP_LNKSTA) &
           PCI_EXP_LNKSTA_DLLLA;
}

static void until_active(Port *p, bool want)
{
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * G_TIME_SPAN_MILLISECOND;

    while (active(p) != want) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        qn_beat(p->n);
    }
}

enum { EVENTS = PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC };

static void clear_events(Port *p)
{
    qpci_config_writew(p->rp, p->cap + PCI_EXP_SLTSTA, slot(p) & EVENTS);
}

/* The card is pulled out and put in again. */
static void test_port(void)
{
    Port p = port_open("");

    qn_check_alive(p.n, true);
    /* The pin, as no message is enabled: the bridge's own status shows it. */
    qpci_config_writew(p.rp, p.cap + PCI_EXP_SLTCTL,
                       PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_PWR_IND_ON);
    g_assert_true(active(&p));
    clear_events(&p);
    qpci_config_writew(p.rp, p.cap + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_CC);
    g_assert_cmphex(slot(&p) & PCI_EXP_SLTSTA_PDS, !=, 0);
    g_assert_cmphex(qpci_config_readw(p.rp, PCI_STATUS) &
                    PCI_STATUS_INTERRUPT, ==, 0);
    now(p.n, "{'link': 'down'}");
    until_active(&p, false);
    g_assert_cmphex(slot(&p) & (PCI_EXP_SLTSTA_PDS | EVENTS), ==, EVENTS);
    g_assert_cmphex(qpci_config_readw(p.rp, PCI_STATUS) &
                    PCI_STATUS_INTERRUPT, !=, 0);
    g_assert_cmphex(vendor(p.n), ==, UINT32_MAX);
    clear_events(&p);
    g_assert_cmphex(slot(&p) & EVENTS, ==, 0);
    g_assert_cmphex(qpci_config_readw(p.rp, PCI_STATUS) &
                    PCI_STATUS_INTERRUPT, ==, 0);
    now(p.n, "{'link': 'up'}");
    until_active(&p, true);
    g_assert_cmphex(slot(&p) & (PCI_EXP_SLTSTA_PDS | EVENTS), ==,
                    PCI_EXP_SLTSTA_PDS | EVENTS);
    clear_events(&p);
    qn_pci_restore(p.n);
    qn_check_alive(p.n, true);
    /* The cable alone. */
    now(p.n, "{'link': {'presence': true}}");
    until_active(&p, false);
    g_assert_cmphex(slot(&p) & (PCI_EXP_SLTSTA_PDS | EVENTS), ==,
                    PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_DLLSC);
    now(p.n, "{'link': 'up'}");
    until_active(&p, true);
    qn_pci_restore(p.n);
    qn_check_alive(p.n, true);
    port_close(&p);
}

/* Whoever has pulled it out does not put it in again. */
static void test_port_unplug(void)
{
    Port p = port_open("");
    uint64_t ram = p.q->ram, end = p.q->ram_end;

    now(p.n, "{'link': 'down'}");
    until_active(&p, false);
    qpci_config_writew(p.rp, p.cap + PCI_EXP_SLTCTL,
                       PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PWR_IND_OFF);
    qtest_qmp_device_del_send(p.q->qts, "nv");
    qtest_qmp_eventwait(p.q->qts, "DEVICE_DELETED");
    qn_detach(p.n);
    p.q->ram = ram;
    p.q->ram_end = end;
    qtest_qmp_device_add(p.q->qts, qn_device(), "nv",
                         "{'bus': 'rp0', 'serial': 'a', 'drive': 'n0'}");
    qpci_config_writew(p.rp, p.cap + PCI_EXP_SLTCTL,
                       PCI_EXP_SLTCTL_PWR_IND_ON);
    p.n = qn_attach(p.q, BUS1);
    qn_check_alive(p.n, true);
    port_close(&p);
}

/* A slot that nobody is told about. */
static void test_port_dumb(void)
{
    Port p = port_open(",hotplug=off");

    now(p.n, "{'link': 'down'}");
    until_csts(p.n, true);
    g_assert_cmphex(slot(&p) & EVENTS, ==, 0);
    now(p.n, "{'link': 'up'}");
    until_vendor(p.n, 0xe4e11234);
    qn_pci_restore(p.n);
    qn_check_alive(p.n, true);
    port_close(&p);
}

static uint32_t root_read(Port *p, unsigned reg)
{
    return qtest_readl(p->q->qts, ext(p->q, QPCI_DEVFN(3, 0), reg));
}

static void test_port_aer(void)
{
    Port p = port_open("");
    uint8_t exp = qn_cap_find(p.n, PCI_CAP_ID_EXP);
    uint16_t all = PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE |
                   PCI_EXP_DEVCTL_FERE;

    qpci_config_writew(p.rp, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_SERR);
    qpci_config_writew(p.rp, p.cap + PCI_EXP_DEVCTL, all);
    now(p.n, "{'pcie-error': 'bad-tlp'}");
    /* The host has not enabled it. */
    g_assert_cmphex(root_read(&p, PCI_ERR_ROOT_STATUS) & 0x7f,
                    ==, 0);
    qpci_config_writew(p.n->pdev, exp + PCI_EXP_DEVCTL, all);
    now(p.n, "{'pcie-error': 'bad-dllp'}");
    g_assert_cmphex(root_read(&p, PCI_ERR_ROOT_STATUS) & 0x7f,
                    ==, PCI_ERR_ROOT_COR_RCV);
    now(p.n, "{'pcie-error': 'data-link-protocol'}");
    g_assert_cmphex(root_read(&p, PCI_ERR_ROOT_STATUS) & 0x7f,
                    ==, PCI_ERR_ROOT_COR_RCV | PCI_ERR_ROOT_UNCOR_RCV |
                    PCI_ERR_ROOT_FIRST_FATAL | PCI_ERR_ROOT_FATAL_RCV);
    /* Who it was: bus 1, device 0. */
    g_assert_cmphex(root_read(&p, PCI_ERR_ROOT_ERR_SRC), ==,
                    0x01000100);
    port_close(&p);
}

int main(int argc, char **argv)
{
    static const QnConf off = { .props = "aer=off" };
    static const QnConf conventional = { .machine = "pc" };

    g_test_init(&argc, &argv, NULL);
    if (qn_is_envme()) {
        qn_add("/bus/link/down-up", test_link, QN_SMOKE);
        qn_add("/bus/link/loaded", test_link_loaded, 0);
        qn_add("/bus/link/rules", test_link_rules, 0);
        qn_add("/bus/hang", test_hang, 0);
        qn_add("/bus/bus-master", test_bus_master, 0);
        qn_add("/bus/flr", test_flr, 0);
        qn_add("/bus/d3", test_d3, 0);
        qn_add("/bus/aer/on", test_aer, QN_SMOKE);
        qn_add_data("/bus/aer/off", &off, test_no_aer, 0);
        qn_add_data("/bus/aer/conventional", &conventional, test_no_aer, 0);
        qn_add("/bus/port/hotplug", test_port, 0);
        qn_add("/bus/port/unplug", test_port_unplug, 0);
        qn_add("/bus/port/no-hotplug", test_port_dumb, 0);
        qn_add("/bus/port/aer", test_port_aer, 0);
    }
    return g_test_run();
}
