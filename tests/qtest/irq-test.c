/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts: MSI-X, MSI and INTx. PCIe Transport 1.1, 3.5; Base 2.1,
 * 3.1.4.3 and 3.1.4.4.
 */
#include "qnvme.h"

/* One read, its completion seen and its head rung. */
static void one_io(QNvme *q, QnSq *sq, uint64_t buf)
{
    struct envme_cqe c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));

    qn_assert_ok(c);
}

/* One read whose completion is waited for, but the head is not rung. */
static void one_io_unseen(QNvme *q, QnSq *sq, uint64_t buf)
{
    struct envme_cqe c;

    qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
    qn_ring_sq(q, sq);
    c = qn_await(q, sq->cq);
    qn_assert_ok(c);
}

static void test_msix(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    QnSq *sq[3];
    int i, k;

    qn_msix_enable(q);
    qn_enable(q);
    for (i = 0; i < 3; i++) {
        sq[i] = qn_io_queue(q, i + 1, 16, 2 * i + 1);
    }
    g_assert_true(qn_msix_wait(q, 0));          /* admin CQ */
    for (k = 0; k < 40; k++) {
        i = k % 3;
        one_io(q, sq[i], buf);
        g_assert_true(qn_msix_wait(q, 2 * i + 1));
        g_assert_false(qn_msix_take(q, 2 * ((i + 1) % 3) + 1));
        g_assert_false(qn_msix_take(q, 2 * ((i + 2) % 3) + 1));
    }
    g_assert_false(qn_intx(q));
    for (i = 0; i < 3; i++) {
        qn_queue_free(sq[i]);
    }
    qn_close(q);
}

/* IEN 0: silent. */
static void test_msix_ien(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    QnSq *sq;
    int i;

    qn_msix_enable(q);
    qn_enable(q);
    sq = qn_io_queue(q, 1, 16, -1);
    qn_msix_take(q, 0);
    for (i = 0; i < 20; i++) {
        one_io(q, sq, buf);
    }
    qn_sleep(q, 5);
    g_assert_false(qn_msix_take(q, 0));
    g_assert_false(qn_msix_take(q, 1));
    qn_queue_free(sq);
    qn_close(q);
}

static void check_mask(void (*mask)(QNvme *, bool))
{
    QNvme *q = qn_open(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    QnSq *sq;

    qn_msix_enable(q);
    qn_enable(q);
    sq = qn_io_queue(q, 1, 16, 5);
    one_io(q, sq, buf);
    g_assert_true(qn_msix_wait(q, 5));
    g_assert_false(qn_msix_pending(q, 5));
    mask(q, true);
    one_io(q, sq, buf);
    qn_sleep(q, 5);
    g_assert_false(qn_msix_take(q, 5));
    g_assert_true(qn_msix_pending(q, 5));
    g_assert_false(qn_msix_pending(q, 6));
    mask(q, false);
    g_assert_true(qn_msix_wait(q, 5));
    g_assert_false(qn_msix_pending(q, 5));
    one_io(q, sq, buf);
    g_assert_true(qn_msix_wait(q, 5));
    qn_queue_free(sq);
    qn_close(q);
}

static void mask_vector_5(QNvme *q, bool masked)
{
    qn_msix_mask(q, 5, masked);
}

static void test_msix_mask(void)
{
    check_mask(mask_vector_5);
}

static void test_msix_function_mask(void)
{
    check_mask(qn_msix_function_mask);
}

/* QEMU 10.0.10: MSI-X enabled only after the controller. */
static void test_msix_after_enable(void)
{
    QNvme *q = qn_start(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c;
    QnSq *sq;
    int i;

    for (i = 0; i < 3; i++) {
        qn_msix_enable(q);
        c = qn_admin(q, qn_identify(1, 0, buf));
        qn_assert_ok(c);
        g_assert_true(qn_msix_wait(q, 0));
        sq = qn_io_queue(q, 1, 16, 3);
        one_io(q, sq, buf);
        g_assert_true(qn_msix_wait(q, 3));
        /* Off with the queues there, then they go. */
        qn_msix_disable(q);
        {
            struct envme_sqe s = qn_sqe(ENVME_ADM_DELETE_SQ, 0);

            s.cdw10 = le32(1);
            c = qn_admin(q, s);
            qn_assert_ok(c);
            s.opc = ENVME_ADM_DELETE_CQ;
            c = qn_admin(q, s);
            qn_assert_ok(c);
        }
        qn_queue_free(sq);
    }
    qn_check_alive(q, true);
    qn_close(q);
}

/* Two queues, one vector. */
static void test_msix_shared(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_sqe s;
    struct envme_cqe c;
    QnSq *a, *b;

    qn_msix_enable(q);
    qn_enable(q);
    a = qn_io_queue(q, 1, 16, 2);
    b = qn_io_queue(q, 2, 16, 2);
    one_io(q, a, buf);
    g_assert_true(qn_msix_wait(q, 2));
    one_io(q, b, buf);
    g_assert_true(qn_msix_wait(q, 2));
    s = qn_sqe(ENVME_ADM_DELETE_SQ, 0);
    s.cdw10 = le32(1);
    c = qn_admin(q, s);
    qn_assert_ok(c);
    s.opc = ENVME_ADM_DELETE_CQ;
    c = qn_admin(q, s);
    qn_assert_ok(c);
    one_io(q, b, buf);
    g_assert_true(qn_msix_wait(q, 2));
    qn_queue_free(a);
    qn_queue_free(b);
    qn_close(q);
}

static void test_msi(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    unsigned n = 0, vec = 0, i;
    QnSq *sq;

    if (!qn_msi_enable(q, 4, &n)) {
        g_test_skip("no MSI capability");
        qn_close(q);
        return;
    }
    qn_enable(q);
    sq = qn_io_queue(q, 1, 16, n > 1 ? 1 : 0);
    for (i = 0; i < 5; i++) {
        gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;

        qn_msi_take(q, &vec);
        one_io(q, sq, buf);
        while (!qn_msi_take(q, &vec)) {
            g_assert_cmpint(g_get_monotonic_time(), <, end);
            qn_beat(q);
        }
        g_assert_cmpuint(vec, ==, n > 1 ? 1 : 0);
    }
    g_assert_false(qn_intx(q));
    qn_queue_free(sq);
    qn_close(q);
}

/* INTMS and INTMC work for MSI too. */
static void test_msi_intms(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    unsigned n = 0, vec = 0;
    gint64 end;
    QnSq *sq;

    if (!qn_msi_enable(q, 1, &n)) {
        g_test_skip("no MSI capability");
        qn_close(q);
        return;
    }
    qn_enable(q);
    sq = qn_io_queue(q, 1, 16, 0);
    qn_sleep(q, 2);
    qn_msi_take(q, &vec);
    qn_w4(q, ENVME_REG_INTMS, 1);
    g_assert_cmphex(qn_r4(q, ENVME_REG_INTMS), ==, 1);
    one_io_unseen(q, sq, buf);
    qn_sleep(q, 5);
    g_assert_false(qn_msi_take(q, &vec));
    qn_w4(q, ENVME_REG_INTMC, 1);
    g_assert_cmphex(qn_r4(q, ENVME_REG_INTMC), ==, 0);
    end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;
    while (!qn_msi_take(q, &vec)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        qn_beat(q);
    }
    qn_ring_cq(q, sq->cq);
    qn_queue_free(sq);
    qn_close(q);
}

static void wait_intx(QNvme *q, bool level)
{
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;

    while (qn_intx(q) != level) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        qn_beat(q);
    }
}

static void test_intx(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    QnSq *a, *b;
    int i;

    qtest_irq_intercept_in(q->qts, "ioapic");
    qn_enable(q);
    g_assert_false(qn_intx(q));
    a = qn_io_queue(q, 1, 16, 0);
    b = qn_io_queue(q, 2, 16, 0);
    wait_intx(q, false);
    for (i = 0; i < 20; i++) {
        one_io_unseen(q, a, buf);
        wait_intx(q, true);
        g_assert_true(qn_intx_ioapic(q));
        /* Level: it stays until both queues are empty. */
        one_io_unseen(q, b, buf);
        qn_ring_cq(q, a->cq);
        qn_sleep(q, 1);
        g_assert_true(qn_intx(q));
        qn_ring_cq(q, b->cq);
        wait_intx(q, false);
        g_assert_false(qn_intx_ioapic(q));
    }
    qn_queue_free(a);
    qn_queue_free(b);
    qn_close(q);
}

static void test_intx_mask(void)
{
    QNvme *q = qn_start(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    QnSq *sq = qn_io_queue(q, 1, 16, 0);
    uint16_t cmd;

    wait_intx(q, false);
    /* Masked before. */
    qn_w4(q, ENVME_REG_INTMS, 1);
    one_io_unseen(q, sq, buf);
    qn_sleep(q, 2);
    g_assert_false(qn_intx(q));
    qn_w4(q, ENVME_REG_INTMC, 1);
    wait_intx(q, true);
    /* Masked while it is asserted, and back. */
    qn_w4(q, ENVME_REG_INTMS, 1);
    wait_intx(q, false);
    g_assert_cmphex(qn_r4(q, ENVME_REG_INTMS), ==, 1);
    g_assert_cmphex(qn_r4(q, ENVME_REG_INTMC), ==, 1);
    qn_w4(q, ENVME_REG_INTMC, 0);           /* zeroes do nothing */
    qn_w4(q, ENVME_REG_INTMS, 0);
    qn_sleep(q, 1);
    g_assert_false(qn_intx(q));
    qn_w4(q, ENVME_REG_INTMC, 1);
    wait_intx(q, true);
    /* Emptied while masked: nothing to say when it ends. */
    qn_w4(q, ENVME_REG_INTMS, 1);
    qn_ring_cq(q, sq->cq);
    qn_w4(q, ENVME_REG_INTMC, 1);
    qn_sleep(q, 2);
    g_assert_false(qn_intx(q));
    /* The function's own switch. */
    cmd = qpci_config_readw(q->pdev, PCI_COMMAND);
    qtest_irq_intercept_in(q->qts, "ioapic");
    qpci_config_writew(q->pdev, PCI_COMMAND, cmd | PCI_COMMAND_INTX_DISABLE);
    one_io_unseen(q, sq, buf);
    qn_sleep(q, 2);
    g_assert_false(qn_intx_ioapic(q));
    qpci_config_writew(q->pdev, PCI_COMMAND, cmd & ~PCI_COMMAND_INTX_DISABLE);
    qn_sleep(q, 1);
    g_assert_true(qn_intx_ioapic(q));
    /* A reset takes it down. */
    qn_disable(q);
    g_assert_false(qn_intx(q));
    g_assert_false(qn_intx_ioapic(q));
    qn_queue_free(sq);
    qn_close(q);
}

/* Vectors that there cannot be, without MSI-X and with it. */
static void test_vector_range(void)
{
    QNvme *q = qn_start(NULL);
    QnCq *cq = qn_cq_new(q, 1, 16, 0xffff);
    struct envme_cqe c = qn_admin(q, qn_create_cq(cq, true));

    qn_assert_sc(c, ENVME_SC_VECTOR_INVALID);
    qn_msix_enable(q);
    c = qn_admin(q, qn_create_cq(cq, true));
    qn_assert_sc(c, ENVME_SC_VECTOR_INVALID);
    cq->vector = 2048;
    c = qn_admin(q, qn_create_cq(cq, true));
    qn_assert_sc(c, ENVME_SC_VECTOR_INVALID);
    g_free(cq);
    qn_check_alive(q, true);
    qn_close(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add("/irq/msix", test_msix, QN_SMOKE);
    qn_add("/irq/msix-ien", test_msix_ien, 0);
    qn_add("/irq/msix-mask", test_msix_mask, QN_SMOKE);
    qn_add("/irq/msix-function-mask", test_msix_function_mask, 0);
    qn_add("/irq/msix-after-enable", test_msix_after_enable, 0);
    qn_add("/irq/msix-shared", test_msix_shared, 0);
    qn_add("/irq/msi", test_msi, QN_SMOKE);
    qn_add("/irq/msi-intms", test_msi_intms, 0);
    qn_add("/irq/intx", test_intx, QN_SMOKE);
    qn_add("/irq/intx-mask", test_intx_mask, 0);
    qn_add("/irq/vector-range", test_vector_range, 0);
    return g_test_run();
}
