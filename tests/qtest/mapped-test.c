/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells that are memory for a while (mapped-doorbells=on): what a host sees
 * of it, and what happens to them when something else does. PCIe Transport 1.1,
 * 3.1.2.
 */
#include "qnvme.h"

#include "envme/log.h"


/* The clock stands still unless a test moves it: the lane looks for ever. */
static void map(QNvme *q, QnSq *sq)
{
    for (int n = 0; n < 300; n++) {
        for (int i = 0; i < 150; i++) {
            qn_ring_sq(q, sq);
        }
        if (qn_mapped(q)) {
            return;
        }
        qn_sleep(q, 5);
    }
    g_error("doorbells are never mapped");
}

static void unmap(QNvme *q)
{
    for (int n = 0; n < 300 && qn_mapped(q); n++) {
        qn_sleep(q, 1);
    }
    g_assert_false(qn_mapped(q));
}

static QNvme *mapped_open(const char *props, QnSq **sq)
{
    g_autofree char *p = g_strdup_printf("mapped-doorbells=on%s", props);
    QNvme *q = qn_start(&(QnConf){ .extra = "-object iothread,id=io0",
                                   .props = p });

    qn_msix_enable(q);
    *sq = qn_io_queue(q, 1, 16, 1);
    return q;
}

static void mapped_close(QNvme *q, QnSq *sq)
{
    qn_queue_free(sq);
    qn_close(q);
}

/* Data, interrupts, and what the register reads, in and out of it. */
static void test_data(const void *props)
{
    QnSq *sq;
    QNvme *q = mapped_open(props, &sq);

    for (int i = 0; i < 6; i++) {
        g_assert_false(qn_mapped(q));
        qn_verify_io(q, sq, 8 * i, 8, i);
        map(q, sq);
        for (int k = 0; k < 20; k++) {
            qn_msix_take(q, 1);
            qn_push(q, sq, qn_sqe(ENVME_NVM_FLUSH, 1));
            qn_ring_sq(q, sq);
            g_assert_true(qn_msix_wait(q, 1));
            qn_reap(q, sq->cq);
            g_assert_cmphex(qn_r4(q, qn_db_off(q, 2)), ==, sq->tail);
            g_assert_cmphex(qn_r4(q, qn_db_off(q, 3)), ==, sq->cq->head);
        }
        qn_sleep(q, 1);
        unmap(q);
        g_assert_cmphex(qn_r4(q, qn_db_off(q, 2)), ==, sq->tail);
    }
    mapped_close(q, sq);
}

/* Written to memory at the last moment: the clock goes on afterwards only. */
static void test_last_moment(const void *props)
{
    QnSq *sq;
    QNvme *q = mapped_open(props, &sq);

    for (int i = 0; i < 10; i++) {
        struct envme_cqe c;

        map(q, sq);
        qn_push(q, sq, qn_sqe(ENVME_NVM_FLUSH, 1));
        qtest_clock_step(q->qts, 1000000);
        qn_ring_sq(q, sq);
        c = qn_reap(q, sq->cq);
        qn_assert_ok(c);
    }
    mapped_close(q, sq);
}

static void expect_event(QNvme *q, uint32_t info)
{
    struct envme_cqe c = qn_reap(q, q->acq);
    uint64_t buf = qn_alloc(q, QN_PAGE);

    qn_assert_ok(c);
    g_assert_cmphex(le32_get(c.dw0), ==,
                    info << 8 | (uint32_t)ENVME_LID_ERROR << 16);
    c = qn_admin(q, qn_getlog(ENVME_LID_ERROR, 0, 64, buf));
    qn_assert_ok(c);
}

static void post_aer(QNvme *q)
{
    qn_push(q, q->asq, qn_sqe(ENVME_ADM_AER, 0));
    qn_ring_sq(q, q->asq);
}

/* The errors are those of registers. */
static void test_bad(const void *props)
{
    static const struct {
        unsigned reg;
        uint32_t val, info;
    } t[] = {
        { 2, 16, 1 }, { 2, 16, 1 }, { 2, 0xffff, 1 }, { 3, 16, 1 },
        { 3, 9, 1 }, { 4, 1, 0 }, { 5, 1, 0 }, { 100, 7, 0 },
    };
    QnSq *sq;
    QNvme *q = mapped_open(props, &sq);

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        map(q, sq);
        post_aer(q);
        qn_w4(q, qn_db_off(q, t[i].reg), t[i].val);
        /* A doorbell of no queue is found when it ends, at the latest. */
        unmap(q);
        expect_event(q, t[i].info);
    }
    qn_verify_io(q, sq, 0, 8, 7);
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
    mapped_close(q, sq);
}

static void do_cc(QNvme *q)
{
    qn_disable(q);
}

static void do_flr(QNvme *q)
{
    uint8_t exp = qn_cap_find(q, PCI_CAP_ID_EXP);
    uint16_t ctl = qpci_config_readw(q->pdev, exp + PCI_EXP_DEVCTL);

    qpci_config_writew(q->pdev, exp + PCI_EXP_DEVCTL,
                       ctl | PCI_EXP_DEVCTL_BCR_FLR);
    qn_sleep(q, 10);
    qn_pci_restore(q);
}

static void do_d3(QNvme *q)
{
    uint8_t pm = qn_cap_find(q, PCI_CAP_ID_PM);

    qpci_config_writew(q->pdev, pm + PCI_PM_CTRL, 3);
    qn_sleep(q, 5);
    qpci_config_writew(q->pdev, pm + PCI_PM_CTRL, 0);
    qn_sleep(q, 5);
    qn_pci_restore(q);
}

static void do_system_reset(QNvme *q)
{
    qtest_system_reset(q->qts);
    qn_pci_restore(q);
}

/* With doorbells rung that no lane has seen. */
static void test_reset(const void *props)
{
    static void (*const kinds[])(QNvme *) = {
        do_cc, do_flr, do_d3, do_system_reset,
    };
    QnSq *sq;
    QNvme *q = mapped_open(props, &sq);

    for (int i = 0; i < 8; i++) {
        map(q, sq);
        for (int k = 0; k < 10; k++) {
            qn_push(q, sq, qn_sqe(ENVME_NVM_FLUSH, 1));
            qn_ring_sq(q, sq);
        }
        kinds[i % 4](q);
        qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, 0);
        unmap(q);
        qn_enable(q);
        qn_msix_enable(q);
        qn_queue_free(sq);
        sq = qn_io_queue(q, 1, 16, 1);
        qn_verify_io(q, sq, 8 * i, 8, i);
    }
    mapped_close(q, sq);
}

static void test_bus_master(const void *props)
{
    QnSq *sq;
    QNvme *q = mapped_open(props, &sq);

    for (int i = 0; i < 4; i++) {
        struct envme_cqe c;

        map(q, sq);
        qn_set_bme(q, false);
        unmap(q);
        qn_push(q, sq, qn_sqe(ENVME_NVM_FLUSH, 1));
        qn_ring_sq(q, sq);
        qn_assert_quiet(q, sq->cq, 2);
        qn_set_bme(q, true);
        c = qn_reap(q, sq->cq);
        qn_assert_ok(c);
    }
    mapped_close(q, sq);
}

/* Queues that go and come again while others ring, and are rung when gone. */
static void test_delete(const void *props)
{
    QnSq *sq;
    QNvme *q = mapped_open(props, &sq);

    for (int i = 0; i < 6; i++) {
        QnSq *other = qn_io_queue(q, 2, 16, 2);
        struct envme_sqe s = qn_sqe(ENVME_ADM_DELETE_SQ, 0);
        struct envme_cqe c;

        map(q, sq);
        for (int k = 0; k < 7; k++) {
            qn_push(q, other, qn_sqe(ENVME_NVM_FLUSH, 1));
        }
        qn_ring_sq(q, other);
        s.cdw10 = le32(2);
        c = qn_admin(q, s);
        qn_assert_ok(c);
        map(q, sq);
        post_aer(q);
        qn_w4(q, qn_db_off(q, 4), 3);
        unmap(q);
        expect_event(q, 0);
        s = qn_sqe(ENVME_ADM_DELETE_CQ, 0);
        s.cdw10 = le32(2);
        c = qn_admin(q, s);
        qn_assert_ok(c);
        qn_queue_free(other);
    }
    qn_verify_io(q, sq, 0, 8, 1);
    mapped_close(q, sq);
}

/* A host that turns to shadow doorbells is done with them; and memory that is
 * not there is no place for those. */
static void test_shadow(const void *props)
{
    QnSq *sq;
    QNvme *q = mapped_open(props, &sq);
    struct envme_sqe s = qn_sqe(ENVME_ADM_DBBUF, 0);
    uint64_t db = qn_alloc(q, QN_PAGE), ei = qn_alloc(q, QN_PAGE);
    struct envme_cqe c;

    map(q, sq);
    s.dptr.prp1 = le64(UINT64_C(1) << 44);
    s.dptr.prp2 = le64(ei);
    c = qn_admin(q, s);
    qn_assert_sc(c, ENVME_SC_DATA_XFER_ERROR);
    s.dptr.prp1 = le64(db);
    s.dptr.prp2 = le64(UINT64_C(1) << 44);
    c = qn_admin(q, s);
    qn_assert_sc(c, ENVME_SC_DATA_XFER_ERROR);
    map(q, sq);
    s.dptr.prp2 = le64(ei);
    c = qn_admin(q, s);
    qn_assert_ok(c);
    unmap(q);
    for (int i = 0; i < 300; i++) {
        qn_push(q, sq, qn_sqe(ENVME_NVM_FLUSH, 1));
        qtest_writel(q->qts, db + 8, sq->tail);
        qn_ring_sq(q, sq);
        c = qn_await(q, sq->cq);
        qtest_writel(q->qts, db + 12, sq->cq->head);
        qn_ring_cq(q, sq->cq);
        qn_assert_ok(c);
    }
    g_assert_false(qn_mapped(q));
    /* A tail that cannot be. */
    post_aer(q);
    qtest_writel(q->qts, db + 8, 16);
    qn_ring_sq(q, sq);
    expect_event(q, 1);
    mapped_close(q, sq);
}

/* With the pin doorbells trap, and without the property always. */
static void test_not(const void *props)
{
    QNvme *q = qn_start(&(QnConf){ .props = props });
    QnSq *sq = qn_io_queue(q, 1, 16, 0);

    for (int i = 0; i < 1000; i++) {
        qn_ring_sq(q, sq);
    }
    qn_sleep(q, 2);
    g_assert_false(qn_mapped(q));
    qn_verify_io(q, sq, 0, 8, 1);
    mapped_close(q, sq);
}

/* Rules on doorbells have to see each of them. */
static void test_rule(void)
{
    g_autofree char *path = qn_tmp("rules.json");
    g_autofree char *props = NULL;
    const char *text =
        "{ \"version\": 1, \"rules\": [ { \"name\": \"late\", "
        "\"on\": \"doorbell\", \"match\": { \"qid\": 1 }, "
        "\"when\": { \"nth\": 1000000 }, \"do\": { \"lose\": true } } ] }";
    QNvme *q;
    QnSq *sq;

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    props = g_strdup_printf(",faults=%s", path);
    q = mapped_open(props, &sq);
    for (int i = 0; i < 1000; i++) {
        qn_ring_sq(q, sq);
    }
    qn_sleep(q, 2);
    g_assert_false(qn_mapped(q));
    qn_verify_io(q, sq, 0, 8, 1);
    mapped_close(q, sq);
}

static const struct {
    const char *name;
    void (*fn)(const void *props);
} both[] = {
    { "data", test_data },
    { "last-moment", test_last_moment },
    { "bad", test_bad },
    { "reset", test_reset },
    { "bus-master", test_bus_master },
    { "delete", test_delete },
    { "shadow", test_shadow },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(both); i++) {
        g_autofree char *a = g_strdup_printf("/mapped/%s", both[i].name);
        g_autofree char *b = g_strdup_printf("/mapped/%s-iothread",
                                             both[i].name);

        qn_add_data(a, "", both[i].fn, i ? 0 : QN_SMOKE);
        qn_add_data(b, ",iothread=io0", both[i].fn, i ? 0 : QN_SMOKE);
    }
    qn_add_data("/mapped/dstrd", ",dstrd=4", test_data, 0);
    qn_add_data("/mapped/not-with-the-pin", "mapped-doorbells=on", test_not, 0);
    qn_add_data("/mapped/not-by-itself", "mapped-doorbells=auto", test_not, 0);
    qn_add("/mapped/not-with-rules", test_rule, 0);
    return g_test_run();
}
