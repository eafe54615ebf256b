/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Controllers and namespaces that come and go while QEMU runs, with I/O in
 * flight; several controllers of one subsystem.
 */
#include "qnvme.h"

#include "envme/log.h"

enum { N = 48, LEN = 4096, BLOCKS = LEN / 512, BUS1 = 1 << 8 };

#define NODE(name, ns) "-blockdev driver=null-co,node-name=" name \
    ",read-zeroes=on,size=67108864,latency-ns=" ns " "

/* ---- a controller behind a root port ----------------------------------- */

typedef struct Port {
    QNvme *q;           /* the machine */
    QPCIDevice *rp;
    uint8_t cap;
} Port;

static Port port_open(const char *extra)
{
    g_autofree char *args = g_strdup_printf(
        "-object iothread,id=io0 " QN_ROOT_PORT " %s", extra);
    Port p = { .q = qn_open(&(QnConf){ .bare = true, .extra = args }) };

    p.rp = qn_root_port(p.q);
    p.cap = qpci_find_capability(p.rp, PCI_CAP_ID_EXP, 0);
    return p;
}

static void port_power(Port *p, bool on)
{
    uint16_t ctl = qpci_config_readw(p->rp, p->cap + PCI_EXP_SLTCTL);

    ctl &= ~(PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC);
    ctl |= on ? PCI_EXP_SLTCTL_PWR_IND_ON :
                PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PWR_IND_OFF;
    qpci_config_writew(p->rp, p->cap + PCI_EXP_SLTCTL, ctl);
    /* Write 1 to clear what has happened. */
    qpci_config_writew(p->rp, p->cap + PCI_EXP_SLTSTA,
                       qpci_config_readw(p->rp, p->cap + PCI_EXP_SLTSTA));
}

static void port_close(Port *p)
{
    g_free(p->rp);
    qn_close(p->q);
}

static QNvme *plug(Port *p, const char *iothread)
{
    if (*iothread) {
        qtest_qmp_device_add(p->q->qts, qn_device(), "nv",
            "{'bus': 'rp0', 'serial': 'a', 'drive': 'n0', 'iothread': %s}",
            iothread);
    } else {
        qtest_qmp_device_add(p->q->qts, qn_device(), "nv",
            "{'bus': 'rp0', 'serial': 'a', 'drive': 'n0'}");
    }
    port_power(p, true);
    return qn_attach(p->q, BUS1);
}

static void load(QNvme *n, QnSq *sq, uint64_t buf)
{
    int i;

    for (i = 0; i < N; i++) {
        qn_push(n, sq, qn_rw(n, i & 1 ? ENVME_NVM_WRITE : ENVME_NVM_READ,
                             i * BLOCKS, BLOCKS, buf + i * LEN));
    }
    qn_ring_sq(n, sq);
}

static void test_plug(const void *data)
{
    Port p = port_open(NODE("n0", "0"));
    int i;

    for (i = 0; i < 5; i++) {
        uint64_t ram = p.q->ram, end = p.q->ram_end;
        QNvme *n = plug(&p, data);

        qn_check_alive(n, true);
        qn_detach(n);
        qtest_qmp_device_del_send(p.q->qts, "nv");
        port_power(&p, false);
        qtest_qmp_eventwait(p.q->qts, "DEVICE_DELETED");
        p.q->ram = ram;
        p.q->ram_end = end;
    }
    port_close(&p);
}

/* Pulled out while its doorbells are memory. */
static void test_unplug_mapped(const void *data)
{
    Port p = port_open(NODE("n0", "0")
                       " -global envme.mapped-doorbells=on");
    bool mapped = false;

    for (int i = 0; i < 6; i++) {
        uint64_t ram = p.q->ram, end = p.q->ram_end;
        QNvme *n = plug(&p, data);
        QnSq *sq;

        qn_enable(n);
        qn_msix_enable(n);
        sq = qn_io_queue(n, 1, 16, 1);
        for (int k = 0; !mapped && k < 300; k++) {
            for (int m = 0; m < 150; m++) {
                qn_ring_sq(n, sq);
            }
            mapped = qn_mapped(n);
            /* Every other time while it is being shown or hidden. */
            if (!mapped && i % 2 == 0) {
                qn_sleep(n, 2);
            }
        }
        g_assert_true(mapped || i % 2);
        mapped = false;
        if (i % 3 == 2) {
            qtest_clock_step(p.q->qts, 1000000);
        }
        if (i & 1) {
            qtest_qmp_device_del_send(p.q->qts, "nv");
        }
        port_power(&p, false);
        qtest_qmp_eventwait(p.q->qts, "DEVICE_DELETED");
        qn_queue_free(sq);
        qn_detach(n);
        p.q->ram = ram;
        p.q->ram_end = end;
    }
    port_close(&p);
}

/* Pulled out with I/O in flight, with notice and without. */
static void test_unplug_loaded(const void *data)
{
    Port p = port_open(NODE("n0", "4000000"));
    uint64_t mark = 0;
    int i;

    for (i = 0; i < 40; i++) {
        uint64_t ram = p.q->ram, end = p.q->ram_end, buf;
        QNvme *n = plug(&p, data);
        QnSq *sq;
        QnCq *cq;
        g_autofree char *before = NULL, *after = NULL;

        qn_enable(n);
        sq = qn_io_queue(n, 1, 64, 0);
        cq = sq->cq;
        buf = qn_alloc(n, N * LEN);
        load(n, sq, buf);
        if (i % 4 > 1) {
            g_usleep(i * 100);
        }
        if (i & 1) {
            qtest_qmp_device_del_send(p.q->qts, "nv");
        }
        port_power(&p, false);
        qtest_qmp_eventwait(p.q->qts, "DEVICE_DELETED");
        if (i % 8 == 0) {
            before = qn_sum(p.q, buf, N * LEN);
            qn_sleep(p.q, 8);
            after = qn_sum(p.q, buf, N * LEN);
            g_assert_cmpstr(before, ==, after);
        }
        g_free(cq);
        g_free(sq);
        qn_detach(n);
        p.q->ram = ram;
        p.q->ram_end = end;
        if (i == 15) {
            mark = qn_rss_kib(p.q);
        }
    }
    qn_assert_no_growth(p.q, mark);
    port_close(&p);
}

/* The slot is off already: nobody is asked. */
static void test_add_fails(void)
{
    Port p = port_open(NODE("n0", "0"));
    int i;

    for (i = 0; i < 10; i++) {
        qobject_unref(qtest_qmp_assert_failure_ref(p.q->qts,
            "{'execute': 'device_add', 'arguments': {'driver': %s,"
            " 'id': 'nv', 'bus': 'rp0', 'serial': 'a', 'drive': 'n0',"
            " 'mqes': 0}}", qn_device()));
        qobject_unref(qtest_qmp_assert_failure_ref(p.q->qts,
            "{'execute': 'device_add', 'arguments': {'driver': %s,"
            " 'id': 'nv', 'bus': 'rp0', 'serial': 'a', 'drive': 'n0',"
            " 'logical_block_size': 3}}", qn_device()));
        qobject_unref(qtest_qmp_assert_failure_ref(p.q->qts,
            "{'execute': 'device_add', 'arguments': {'driver': %s,"
            " 'id': 'nv', 'bus': 'rp0', 'serial': 'a', 'drive': 'nope'}}",
            qn_device()));
    }
    {
        QNvme *n = plug(&p, "");

        qn_check_alive(n, true);
        qn_detach(n);
    }
    port_close(&p);
}

/* JSON properties: a list of threads. */
static void test_json_iothreads(void)
{
    Port p = port_open("-object iothread,id=io1 " NODE("n0", "0"));
    QNvme *n;

    qtest_qmp_device_add(p.q->qts, qn_device(), "nv",
        "{'bus': 'rp0', 'serial': 'a', 'drive': 'n0',"
        " 'iothreads': ['io0', 'io1']}");
    port_power(&p, true);
    n = qn_attach(p.q, BUS1);
    qn_check_alive(n, true);
    qn_detach(n);
    port_close(&p);
}

/* ---- namespaces -------------------------------------------------------- */

static void want_events(QNvme *q)
{
    struct envme_cqe c = qn_admin(q, qn_feature(true, 0x0b, 1u << 8));

    qn_assert_ok(c);
}

static void post_aer(QNvme *q)
{
    qn_push(q, q->asq, qn_sqe(ENVME_ADM_AER, 0));
    qn_ring_sq(q, q->asq);
    qn_assert_quiet(q, q->acq, 1);
}

/* The event, the log with just that NSID, and what CNS 2 lists. */
static void expect_changed(QNvme *q, uint32_t nsid, uint32_t first,
                           uint32_t second)
{
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c = qn_reap(q, q->acq);
    uint32_t dw0 = le32_get(c.dw0);

    qn_assert_ok(c);
    g_assert_cmphex(FIELD_GET(ENVME_AER_TYPE, dw0), ==,
                    ENVME_AEN_TYPE_NOTICE);
    g_assert_cmphex(FIELD_GET(ENVME_AER_INFO, dw0), ==, 0);
    g_assert_cmphex(FIELD_GET(ENVME_AER_LID, dw0), ==, ENVME_LID_CHANGED_NS);
    c = qn_admin(q, qn_getlog(ENVME_LID_CHANGED_NS, 0, 4096, buf));
    qn_assert_ok(c);
    g_assert_cmpuint(qtest_readl(q->qts, buf), ==, nsid);
    g_assert_cmpuint(qtest_readl(q->qts, buf + 4), ==, 0);
    c = qn_admin(q, qn_identify(2, 0, buf));
    qn_assert_ok(c);
    g_assert_cmpuint(qtest_readl(q->qts, buf), ==, first);
    g_assert_cmpuint(qtest_readl(q->qts, buf + 4), ==, second);
}

static void test_ns(const void *data)
{
    QNvme *q = qn_start(&(QnConf){
        .props = data, .extra = "-object iothread,id=io0 "
                 NODE("n1", "0") NODE("n2", "2000000") });
    QnSq *sq = qn_io_queue(q, 1, 64, -1);
    uint64_t buf = qn_alloc(q, N * LEN);
    struct envme_cqe c;
    struct envme_sqe s = qn_rw(q, ENVME_NVM_READ, 0, 8, buf);
    int i, round;

    want_events(q);
    /* Valid, but inactive: Base 2.1, 3.2.1.4. */
    s.nsid = le32(5);
    c = qn_cmd(q, sq, s);
    qn_assert_sc(c, ENVME_SC_INVALID_FIELD);
    for (round = 0; round < 6; round++) {
        const char *node = round & 1 ? "n2" : "n1";

        post_aer(q);
        qtest_qmp_device_add(q->qts, "envme-ns", "ns5",
            "{'bus': 'nv', 'drive': %s, 'nsid': 5}", node);
        expect_changed(q, 5, 1, 5);
        c = qn_cmd(q, sq, s);
        qn_assert_ok(c);
        post_aer(q);
        if (round & 1) {
            /* Some of these are in flight when it goes. */
            for (i = 0; i < N; i++) {
                qn_push(q, sq, s);
            }
            qn_ring_sq(q, sq);
        }
        qtest_qmp_device_del_send(q->qts, "ns5");
        qtest_qmp_eventwait(q->qts, "DEVICE_DELETED");
        if (round & 1) {
            for (i = 0; i < N; i++) {
                c = qn_reap(q, sq->cq);
                if (qn_status(&c) != ENVME_SC_SUCCESS) {
                    qn_assert_sc(c, ENVME_SC_INVALID_FIELD);
                }
            }
        }
        expect_changed(q, 5, 1, 0);
        c = qn_cmd(q, sq, s);
        qn_assert_sc(c, ENVME_SC_INVALID_FIELD);
    }
    qn_check_alive(q, true);
    qn_queue_free(sq);
    qn_close(q);
}

static void test_many_ns(void)
{
    GString *after = g_string_new(NULL);
    QNvme *q;
    QnSq *sq;
    uint64_t buf;
    struct envme_cqe c;
    int i;

    for (i = 1; i <= 20; i++) {
        g_string_append_printf(after, "-drive if=none,id=x%d,driver=null-co,"
            "size=%dM,read-zeroes=on -device envme-ns,bus=nv,drive=x%d,"
            "nsid=%d ", i, i, i, i * 12);
    }
    q = qn_start(&(QnConf){ .no_drive = true, .after = after->str });
    buf = qn_alloc(q, QN_PAGE);
    sq = qn_io_queue(q, 1, 16, -1);
    c = qn_admin(q, qn_identify(2, 0, buf));
    qn_assert_ok(c);
    for (i = 1; i <= 20; i++) {
        struct envme_sqe s = qn_rw(q, ENVME_NVM_READ, i * 2048 - 8, 8, buf);

        s.nsid = le32(i * 12);
        g_assert_cmpuint(qtest_readl(q->qts, buf + 4 * (i - 1)), ==, i * 12);
        c = qn_cmd(q, sq, s);
        qn_assert_ok(c);
        s.cdw10 = le32(i * 2048 - 7);
        c = qn_cmd(q, sq, s);
        qn_assert_sc(c, ENVME_SC_LBA_RANGE);
        c = qn_admin(q, qn_identify(2, 0, buf));
    }
    g_assert_cmpuint(qtest_readl(q->qts, buf + 80), ==, 0);
    g_string_free(after, TRUE);
    qn_queue_free(sq);
    qn_close(q);
}

/* ---- subsystems -------------------------------------------------------- */

static void test_subsys(const void *data)
{
    const char *iothread = data;
    g_autofree char *img = qn_image("s.img", QN_DRIVE_SIZE);
    g_autofree char *props = g_strdup_printf("subsys=s0%s", iothread);
    g_autofree char *after = g_strdup_printf(
        "-device %s,id=nv2,serial=qtest,subsys=s0,addr=5%s "
        "-drive if=none,id=shared,format=raw,file=%s "
        "-device envme-ns,bus=nv,drive=shared,nsid=1 "
        "-drive if=none,id=priv,driver=null-co,size=1M "
        "-device envme-ns,bus=nv,drive=priv,nsid=9,shared=off ",
        qn_device(), *iothread ? ",iothread=io1" : "", img);
    QNvme *a = qn_open(&(QnConf){
        .no_drive = true, .props = props, .after = after,
        .extra = "-object iothread,id=io0 -object iothread,id=io1 "
                 "-device envme-subsys,id=s0,nqn=two" });
    QNvme *b = qn_attach(a, QPCI_DEVFN(5, 0));
    uint64_t ida, idb, buf;
    QnSq *sa, *sb;
    struct envme_cqe c;
    int i;

    qn_enable(a);
    qn_enable(b);
    ida = qn_alloc(a, QN_PAGE);
    idb = qn_alloc(b, QN_PAGE);
    c = qn_admin(a, qn_identify(1, 0, ida));
    qn_assert_ok(c);
    c = qn_admin(b, qn_identify(1, 0, idb));
    qn_assert_ok(c);
    /* CNTLID differs, CMIC says several controllers, SUBNQN is one. */
    g_assert_cmphex(qtest_readw(a->qts, ida + 78), !=,
                    qtest_readw(a->qts, idb + 78));
    g_assert_cmphex(qtest_readb(a->qts, ida + 76) & 2, ==, 2);
    {
        g_autofree char *na = qn_sum(a, ida + 768, 256);
        g_autofree char *nb = qn_sum(b, idb + 768, 256);

        g_assert_cmpstr(na, ==, nb);
    }
    sa = qn_io_queue(a, 1, 16, -1);
    sb = qn_io_queue(b, 1, 16, -1);
    buf = qn_alloc(b, 64 * 512);
    for (i = 0; i < 10; i++) {
        qn_verify_io(a, sa, i * 64, 64, i);
        c = qn_cmd(b, sb, qn_rw(b, ENVME_NVM_READ, i * 64, 64, buf));
        qn_assert_ok(c);
        g_assert_true(qn_matches(b, buf, 64 * 512, i));
    }
    /* NMIC.SHRNS of the shared one; the private one is a's alone. */
    c = qn_admin(b, qn_identify(0, 1, idb));
    qn_assert_ok(c);
    g_assert_cmphex(qtest_readb(b->qts, idb + 30) & 1, ==, 1);
    c = qn_admin(a, qn_identify(2, 0, ida));
    g_assert_cmphex(qtest_readq(a->qts, ida), ==, 0x900000001);
    c = qn_admin(b, qn_identify(2, 0, idb));
    g_assert_cmphex(qtest_readq(b->qts, idb), ==, 1);
    /* A reset of one leaves the other alone; NSSR resets both. */
    qn_disable(a);
    c = qn_cmd(b, sb, qn_rw(b, ENVME_NVM_READ, 0, 64, buf));
    qn_assert_ok(c);
    qn_enable(a);
    if (a->cap & ENVME_CAP_NSSRS) {
        qn_w4(a, ENVME_REG_NSSR, ENVME_NSSR_KEY);
        qn_wait(a, ENVME_REG_CSTS, ENVME_CSTS_RDY | ENVME_CSTS_NSSRO,
                ENVME_CSTS_NSSRO);
        qn_wait(b, ENVME_REG_CSTS, ENVME_CSTS_RDY | ENVME_CSTS_NSSRO,
                ENVME_CSTS_NSSRO);
    }
    qn_check_alive(a, true);
    qn_check_alive(b, true);
    qn_queue_free(sa);
    qn_queue_free(sb);
    qn_detach(b);
    qn_close(a);
}

/* With memory of its own: all of it comes back and goes, 12 times, the
 * backend's contents stay. */
static void test_own_memory(void)
{
    Port p = port_open(NODE("n0", "0")
                       "-object memory-backend-ram,id=p0,size=2M ");
    uint64_t mark = 0;
    unsigned i;

    for (i = 0; i < 12; i++) {
        uint64_t ram = p.q->ram, end = p.q->ram_end, cmb, pmr;
        struct envme_cqe c;
        QNvme *n;

        qtest_qmp_device_add(p.q->qts, qn_device(), "nv",
            "{'bus': 'rp0', 'serial': 'a', 'drive': 'n0', 'cmb_size_mb': 1,"
            " 'pmrdev': 'p0', 'iothread': 'io0'}");
        port_power(&p, true);
        n = qn_attach(p.q, BUS1);
        cmb = qn_bar(n, 2).addr;
        pmr = qn_bar(n, 4).addr;
        qn_w8(n, ENVME_REG_CMBMSC,
              cmb | ENVME_CMBMSC_CRE | ENVME_CMBMSC_CMSE);
        qn_w4(n, ENVME_REG_PMRCTL, ENVME_PMRCTL_EN);
        qn_wait(n, ENVME_REG_PMRSTS, ENVME_PMRSTS_NRDY, 0);
        g_assert_cmpuint(qtest_readl(p.q->qts, pmr), ==, i);
        qtest_writel(p.q->qts, pmr, i + 1);
        qtest_memset(p.q->qts, cmb, 0x55, 1 << 20);
        qn_enable(n);
        c = qn_admin(n, qn_identify(1, 0, cmb + 4096));
        qn_assert_ok(c);
        g_assert_cmphex(qtest_readl(p.q->qts, cmb + 4096 + 80), ==,
                        ENVME_VS_2_1);
        if (i & 1) {
            qtest_qmp_device_del_send(p.q->qts, "nv");
        }
        port_power(&p, false);
        qtest_qmp_eventwait(p.q->qts, "DEVICE_DELETED");
        qn_detach(n);
        p.q->ram = ram;
        p.q->ram_end = end;
        if (i == 3) {
            mark = qn_rss_kib(p.q);
        }
    }
    qn_assert_no_growth(p.q, mark);
    port_close(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add_data("/hotplug/controller/main-loop", "", test_plug, QN_SMOKE);
    qn_add_data("/hotplug/controller/iothread", "io0", test_plug, 0);
    qn_add_data("/hotplug/unplug-loaded/main-loop", "", test_unplug_loaded,
                0);
    qn_add_data("/hotplug/unplug-loaded/iothread", "io0", test_unplug_loaded,
                0);
    qn_add_data("/hotplug/unplug-mapped/main-loop", "", test_unplug_mapped, 0);
    qn_add_data("/hotplug/unplug-mapped/iothread", "io0", test_unplug_mapped,
                0);
    qn_add("/hotplug/add-fails", test_add_fails, 0);
    qn_add("/hotplug/own-memory", test_own_memory, 0);
    qn_add("/hotplug/json-iothreads", test_json_iothreads, 0);
    qn_add_data("/hotplug/namespace/main-loop", NULL, test_ns, QN_SMOKE);
    qn_add_data("/hotplug/namespace/iothread", "iothread=io0", test_ns, 0);
    qn_add("/hotplug/many-namespaces", test_many_ns, 0);
    qn_add_data("/subsys/two-controllers/main-loop", "", test_subsys,
                QN_SMOKE);
    qn_add_data("/subsys/two-controllers/iothreads", ",iothread=io0",
                test_subsys, 0);
    return g_test_run();
}
