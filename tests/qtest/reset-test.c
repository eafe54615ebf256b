/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every kind of reset, and unplug, with I/O in flight: no crash, no late
 * completion, no late DMA, no leak; and life goes on afterwards. QEMU 10.0.2's
 * own device ends in freed memory here (fixed in 10.0.13).
 */
#include "qnvme.h"

enum { N = 64, LEN = 4096, BLOCKS = LEN / 512 };

typedef struct Load {
    QnSq *sq;
    uint64_t buf;
} Load;

static Load load_new(QNvme *q)
{
    Load l;

    l.sq = qn_io_queue(q, 1, 2 * N, 1);
    l.buf = qn_alloc(q, N * LEN);
    return l;
}

static void load_free(Load *l)
{
    qn_queue_free(l->sq);
}

/* 64 commands; with all set, others than reads and writes too. */
static void load_start(QNvme *q, Load *l, bool all)
{
    int i;

    for (i = 0; i < N; i++) {
        struct envme_sqe s = qn_rw(q, i & 1 ? ENVME_NVM_WRITE :
                                   ENVME_NVM_READ, i * BLOCKS, BLOCKS,
                                   l->buf + i * LEN);

        if (all && i % 8 == 0) {
            s = qn_sqe(ENVME_NVM_FLUSH, 1);
        } else if (all && i % 8 == 3) {
            s = qn_rw(q, ENVME_NVM_COMPARE, i, 1, l->buf);
        } else if (all && i % 8 == 5) {
            s = qn_rw(q, ENVME_NVM_WRITE_ZEROES, i, 1, 0);
        } else if (all && i % 8 == 7) {
            s = qn_rw(q, ENVME_NVM_VERIFY, i, 1, 0);
        } else if (all && i % 8 == 2) {
            /* One range of what lies in the buffer: any will do. */
            s = qn_sqe(ENVME_NVM_DSM, 1);
            s.cdw11 = le32(ENVME_DSM_AD);
            s.dptr.prp1 = le64(l->buf);
        }
        qn_push(q, l->sq, s);
    }
    qn_ring_sq(q, l->sq);
}

/* What the host gets back after the reset must not change any more. */
static void check_still(QNvme *q, Load *l, unsigned ms)
{
    size_t cq_len = l->sq->cq->size * 16;
    g_autofree char *buf0 = qn_sum(q, l->buf, N * LEN);
    g_autofree char *cq0 = qn_sum(q, l->sq->cq->addr, cq_len);
    g_autofree char *buf1 = NULL, *cq1 = NULL;

    qn_sleep(q, ms);
    buf1 = qn_sum(q, l->buf, N * LEN);
    cq1 = qn_sum(q, l->sq->cq->addr, cq_len);
    g_assert_cmpstr(buf0, ==, buf1);
    g_assert_cmpstr(cq0, ==, cq1);
}

static void do_cc(QNvme *q)
{
    qn_disable(q);
}

static void do_nssr(QNvme *q)
{
    qn_w4(q, ENVME_REG_NSSR, ENVME_NSSR_KEY);
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY | ENVME_CSTS_NSSRO,
            ENVME_CSTS_NSSRO);
    qn_w4(q, ENVME_REG_CSTS, ENVME_CSTS_NSSRO);
}

static void do_flr(QNvme *q)
{
    uint8_t cap = qn_cap_find(q, PCI_CAP_ID_EXP);
    uint16_t ctl = qpci_config_readw(q->pdev, cap + PCI_EXP_DEVCTL);

    qpci_config_writew(q->pdev, cap + PCI_EXP_DEVCTL,
                       ctl | PCI_EXP_DEVCTL_BCR_FLR);
    /* The function may take 100 ms; it says nothing until it is done. */
    qn_sleep(q, 10);
    qn_pci_restore(q);
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, 0);
    g_assert_cmphex(qn_r4(q, ENVME_REG_AQA), ==, 0);
    g_assert_cmphex(qn_r8(q, ENVME_REG_ASQ), ==, 0);
}

/* D3hot and back: a reset, or with No_Soft_Reset everything is kept. */
static void do_d3(QNvme *q)
{
    uint8_t pm = qn_cap_find(q, PCI_CAP_ID_PM);
    uint16_t ctl = qpci_config_readw(q->pdev, pm + PCI_PM_CTRL);

    qpci_config_writew(q->pdev, pm + PCI_PM_CTRL,
                       (ctl & ~PCI_PM_CTRL_STATE_MASK) | 3);
    qn_sleep(q, 10);
    g_assert_cmphex(qpci_config_readw(q->pdev, pm + PCI_PM_CTRL) &
                    PCI_PM_CTRL_STATE_MASK, ==, 3);
    qpci_config_writew(q->pdev, pm + PCI_PM_CTRL,
                       ctl & ~PCI_PM_CTRL_STATE_MASK);
    qn_sleep(q, 10);
    qn_pci_restore(q);
    if (!(ctl & PCI_PM_CTRL_NO_SOFT_RESET)) {
        qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, 0);
    } else {
        g_assert_cmphex(qn_csts(q) & ENVME_CSTS_CFS, ==, 0);
        qn_disable(q);
    }
}

static void do_system_reset(QNvme *q)
{
    qtest_system_reset(q->qts);
    qn_pci_restore(q);
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, 0);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CC), ==, 0);
    g_assert_cmphex(qn_r8(q, ENVME_REG_ASQ), ==, 0);
}

static void do_shutdown(QNvme *q)
{
    qn_w4(q, ENVME_REG_CC, QN_CC | ENVME_CC_EN |
          FIELD_SET(ENVME_CC_SHN, ENVME_CC_SHN_NORMAL));
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_SHST,
            FIELD_SET(ENVME_CSTS_SHST, ENVME_CSTS_SHST_COMPLETE));
    qn_disable(q);
}

static const struct {
    const char *name;
    void (*fn)(QNvme *);
} kinds[] = {
    { "cc", do_cc },
    { "nssr", do_nssr },
    { "flr", do_flr },
    { "d3hot", do_d3 },
    { "system-reset", do_system_reset },
    { "shutdown", do_shutdown },
};

/* Which kind, how many threads. */
typedef struct Case {
    unsigned kind, iothreads;
} Case;

static QNvme *reset_open(unsigned iothreads, const char *drive)
{
    QNvme *q = qn_open(&(QnConf){
        .drive = drive, .extra = "-object iothread,id=io0",
        .props = iothreads ? "iothread=io0" : NULL });

    qn_msix_enable(q);
    qn_enable(q);
    return q;
}

static void test_in_flight(const void *data)
{
    const Case *t = data;
    QNvme *q = reset_open(t->iothreads, QN_SLOW(15000000));
    Load l;
    int round;

    for (round = 0; round < 4; round++) {
        l = load_new(q);
        load_start(q, &l, round & 1);
        if (round & 2) {
            qn_sleep(q, 5);
        }
        kinds[t->kind].fn(q);
        check_still(q, &l, 30);
        load_free(&l);
        qn_msix_enable(q);
        qn_enable(q);
    }
    qn_check_alive(q, true);
    qn_close(q);
}

/* What was acknowledged before the reset is there after it. */
static void test_data_kept(const void *data)
{
    const Case *t = data;
    QNvme *q = reset_open(t->iothreads, QN_RAW);
    uint64_t buf = qn_alloc(q, N * LEN);
    struct envme_cqe c;
    int round;

    for (round = 0; round < 3; round++) {
        Load l = load_new(q);

        qn_verify_io(q, l.sq, 8192, N * BLOCKS, round);
        load_start(q, &l, false);
        kinds[t->kind].fn(q);
        load_free(&l);
        qn_msix_enable(q);
        qn_enable(q);
        l = load_new(q);
        qn_fill(q, buf, N * LEN, 55);
        c = qn_cmd(q, l.sq, qn_rw(q, ENVME_NVM_READ, 8192, N * BLOCKS, buf));
        qn_assert_ok(c);
        g_assert_true(qn_matches(q, buf, N * LEN, round));
        load_free(&l);
        qn_disable(q);
        qn_enable(q);
    }
    qn_close(q);
}

/* Thousands of resets: nothing accumulates. */
static void test_thousands(const void *data)
{
    const Case *t = data;
    QNvme *q = reset_open(t->iothreads, QN_SLOW(1000000));
    uint64_t mark = 0;
    GRand *rnd = g_rand_new_with_seed(9);
    int round;

    for (round = 0; round < 1000; round++) {
        uint64_t ram = q->ram;
        Load l = load_new(q);

        load_start(q, &l, round & 1);
        g_usleep(g_rand_int_range(rnd, 0, 1500));
        qn_disable(q);
        load_free(&l);
        q->ram = ram;
        qn_enable(q);
        q->ram = ram;
        if (round == 200) {
            mark = qn_rss_kib(q);
        }
    }
    qn_assert_no_growth(q, mark);
    qn_check_alive(q, true);
    g_rand_free(rnd);
    qn_close(q);
}

/* A reset in the middle of a reset. */
static void test_nested(void)
{
    QNvme *q = reset_open(1, QN_SLOW(10000000));
    int round;

    for (round = 0; round < 12; round++) {
        Load l = load_new(q);

        load_start(q, &l, true);
        qn_w4(q, ENVME_REG_CC, 0);
        switch (round % 4) {
        case 0:
            qn_w4(q, ENVME_REG_NSSR, ENVME_NSSR_KEY);
            break;
        case 1:
            qn_w4(q, ENVME_REG_CC, QN_CC | ENVME_CC_EN);
            qn_w4(q, ENVME_REG_CC, 0);
            break;
        case 2:
            do_flr(q);
            break;
        case 3:
            do_system_reset(q);
            break;
        }
        qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, 0);
        check_still(q, &l, 15);
        load_free(&l);
        qn_w4(q, ENVME_REG_CSTS, ENVME_CSTS_NSSRO);
        qn_msix_enable(q);
        qn_enable(q);
    }
    qn_check_alive(q, true);
    qn_close(q);
}

/* QEMU itself ends while there is I/O. */
static void test_quit(const void *data)
{
    const Case *t = data;
    int round;

    for (round = 0; round < 3; round++) {
        QNvme *q = reset_open(t->iothreads, QN_SLOW(20000000));
        Load l = load_new(q);

        load_start(q, &l, true);
        if (round) {
            qn_sleep(q, round);
        }
        load_free(&l);
        qn_close(q);
    }
}

/* Delete I/O SQ with everything in flight. */
static void test_delete_sq(const void *data)
{
    const Case *t = data;
    QNvme *q = reset_open(t->iothreads, QN_SLOW(10000000));
    int round;

    for (round = 0; round < 5; round++) {
        Load l = load_new(q);
        struct envme_sqe s = qn_sqe(ENVME_ADM_DELETE_SQ, 0);
        struct envme_cqe c;
        unsigned n = 0;

        load_start(q, &l, true);
        s.cdw10 = le32(1);
        c = qn_admin(q, s);
        qn_assert_ok(c);
        /* Each command that was fetched has completed by now, and none
         * comes later. */
        while (qn_peek(q, l.sq->cq, &c)) {
            n++;
        }
        g_assert_cmpuint(n, <=, N);
        check_still(q, &l, 25);
        s.opc = ENVME_ADM_DELETE_CQ;
        c = qn_admin(q, s);
        qn_assert_ok(c);
        load_free(&l);
    }
    qn_check_alive(q, true);
    qn_close(q);
}

/* The machine is stopped with I/O in flight, and goes on. */
static void test_stop_cont(const void *data)
{
    const Case *t = data;
    QNvme *q = reset_open(t->iothreads, QN_SLOW(5000000));
    Load l = load_new(q);
    struct envme_cqe c;
    int i, round;

    for (round = 0; round < 3; round++) {
        load_start(q, &l, false);
        qtest_qmp_assert_success(q->qts, "{'execute': 'stop'}");
        check_still(q, &l, 10);
        qtest_qmp_assert_success(q->qts, "{'execute': 'cont'}");
        for (i = 0; i < N; i++) {
            c = qn_reap(q, l.sq->cq);
            qn_assert_ok(c);
        }
    }
    load_free(&l);
    qn_close(q);
}

int main(int argc, char **argv)
{
    static Case cases[G_N_ELEMENTS(kinds)][2];
    unsigned k, i;

    g_test_init(&argc, &argv, NULL);
    for (k = 0; k < G_N_ELEMENTS(kinds); k++) {
        for (i = 0; i < 2; i++) {
            g_autofree char *a = g_strdup_printf("/reset/%s/in-flight/%s",
                kinds[k].name, i ? "iothread" : "main-loop");
            g_autofree char *b = g_strdup_printf("/reset/%s/data-kept/%s",
                kinds[k].name, i ? "iothread" : "main-loop");

            cases[k][i] = (Case){ .kind = k, .iothreads = i };
            qn_add_data(a, &cases[k][i], test_in_flight,
                        k <= 2 ? QN_SMOKE : 0);
            qn_add_data(b, &cases[k][i], test_data_kept, 0);
        }
    }
    for (i = 0; i < 2; i++) {
        static const struct {
            const char *name;
            void (*fn)(const void *);
        } more[] = {
            { "thousands", test_thousands },
            { "quit", test_quit },
            { "delete-sq", test_delete_sq },
            { "stop-cont", test_stop_cont },
        };

        for (k = 0; k < G_N_ELEMENTS(more); k++) {
            g_autofree char *path = g_strdup_printf("/reset/%s/%s",
                more[k].name, i ? "iothread" : "main-loop");

            qn_add_data(path, &cases[0][i], more[k].fn, 0);
        }
    }
    qn_add("/reset/nested", test_nested, 0);
    return g_test_run();
}
