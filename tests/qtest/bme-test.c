/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI Bus Master Enable. Off: no DMA and no interrupt; on again: everything
 * goes on where it stopped, and every byte is right.
 */
#include "qnvme.h"

enum { N = 24, LEN = 4096, BLOCKS = LEN / 512 };

/* With and without a thread of its own. */
static QNvme *bme_open(const void *data, const char *drive)
{
    const char *iothread = data;
    g_autofree char *props = *iothread ?
        g_strdup_printf("iothread=%s", iothread) : NULL;
    QNvme *q = qn_open(&(QnConf){
        .drive = drive, .props = props, .extra = "-object iothread,id=io0" });

    qn_msix_enable(q);
    qn_enable(q);
    return q;
}

static void check_ready(QNvme *q)
{
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
}

/* Off before the doorbell: nothing is fetched. */
static void test_no_fetch(const void *data)
{
    QNvme *q = bme_open(data, QN_RAW);
    QnSq *sq = qn_io_queue(q, 1, 64, 1);
    uint64_t buf = qn_alloc(q, LEN);
    g_autofree char *before = NULL, *after = NULL;
    struct envme_cqe c;
    int i;

    qn_fill(q, buf, LEN, 1);
    before = qn_sum(q, buf, LEN);
    qn_msix_take(q, 1);
    qn_set_bme(q, false);
    for (i = 0; i < N; i++) {
        qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, i, BLOCKS, buf));
        qn_ring_sq(q, sq);
    }
    qn_push(q, q->asq, qn_identify(1, 0, buf));
    qn_ring_sq(q, q->asq);
    qn_assert_quiet(q, sq->cq, 30);
    qn_assert_quiet(q, q->acq, 0);
    g_assert_false(qn_msix_take(q, 1));
    after = qn_sum(q, buf, LEN);
    g_assert_cmpstr(before, ==, after);
    check_ready(q);
    qn_set_bme(q, true);
    for (i = 0; i < N; i++) {
        c = qn_reap(q, sq->cq);
        qn_assert_ok(c);
    }
    c = qn_reap(q, q->acq);
    qn_assert_ok(c);
    g_assert_true(qn_msix_wait(q, 1));
    check_ready(q);
    qn_assert_quiet(q, sq->cq, 5);
    qn_queue_free(sq);
    qn_close(q);
}

/* Off while the backend has them: it finishes, nothing comes out. */
static void test_in_flight(const void *data)
{
    QNvme *q = bme_open(data, QN_SLOW(60000000));
    QnSq *sq = qn_io_queue(q, 1, 64, 1);
    uint64_t buf = qn_alloc(q, N * LEN);
    g_autofree char *before = NULL, *after = NULL;
    uint32_t seen = 0;
    struct envme_cqe c;
    int i, n = 0;

    q->next_cid = 0;
    for (i = 0; i < N; i++) {
        qn_push(q, sq, qn_rw(q, i % 2 ? ENVME_NVM_WRITE : ENVME_NVM_READ, i,
                             BLOCKS, buf + i * LEN));
        if (!(i % 2)) {
            qn_fill(q, buf + i * LEN, LEN, 1000 + i);
        }
    }
    qn_ring_sq(q, sq);
    qn_sleep(q, 5);
    qn_set_bme(q, false);
    /* On a busy machine some may have ended by now; none later. */
    while (qn_peek(q, sq->cq, &c)) {
        seen |= 1u << le16_get(c.cid);
        n++;
    }
    g_assert_cmpint(n, <, N);
    qn_msix_take(q, 1);
    before = qn_sum(q, buf, N * LEN);
    qn_assert_quiet(q, sq->cq, 100);
    after = qn_sum(q, buf, N * LEN);
    g_assert_cmpstr(before, ==, after);
    g_assert_false(qn_msix_take(q, 1));
    check_ready(q);
    qn_set_bme(q, true);
    for (; n < N; n++) {
        c = qn_reap(q, sq->cq);
        qn_assert_ok(c);
        g_assert_cmphex(seen & 1u << le16_get(c.cid), ==, 0);
        seen |= 1u << le16_get(c.cid);
    }
    g_assert_true(qn_msix_wait(q, 1));
    /* The reads' zeroes have arrived. */
    for (i = 0; i < N; i += 2) {
        uint8_t got[LEN], zero[LEN] = { 0 };

        qn_read(q, buf + i * LEN, got, LEN);
        g_assert_cmpmem(got, LEN, zero, LEN);
    }
    qn_assert_quiet(q, sq->cq, 5);
    qn_queue_free(sq);
    qn_close(q);
}

/*
 * The hole of QEMU's own device: a write that is mapped while Bus Master is
 * off stores zeroes and says success. Off and on at any moment, 150 times.
 */
static void test_toggle_verify(const void *data)
{
    QNvme *q = bme_open(data, QN_RAW);
    QnSq *sq = qn_io_queue(q, 1, 64, 1);
    uint64_t out = qn_alloc(q, N * LEN), in = qn_alloc(q, N * LEN);
    struct envme_cqe c;
    GRand *rnd = g_rand_new_with_seed(5);
    int round, i;

    for (round = 0; round < 150; round++) {
        bool write = !(round & 1);

        if (write) {
            qn_fill(q, out, N * LEN, round);
        } else {
            qn_fill(q, in, N * LEN, 77);
        }
        /* The lists of PRPs are made once: each command is one page. */
        for (i = 0; i < N; i++) {
            qn_push(q, sq, qn_rw(q, write ? ENVME_NVM_WRITE : ENVME_NVM_READ,
                                 i * BLOCKS, BLOCKS,
                                 (write ? out : in) + i * LEN));
        }
        if (g_rand_boolean(rnd)) {
            qn_set_bme(q, false);
        }
        qn_ring_sq(q, sq);
        if (g_rand_boolean(rnd)) {
            g_usleep(g_rand_int_range(rnd, 0, 300));
        }
        qn_set_bme(q, false);
        if (g_rand_boolean(rnd)) {
            qn_ring_sq(q, sq);
            g_usleep(g_rand_int_range(rnd, 0, 500));
        }
        qn_set_bme(q, true);
        if (g_rand_boolean(rnd)) {
            qn_set_bme(q, false);
            qn_set_bme(q, true);
        }
        for (i = 0; i < N; i++) {
            c = qn_reap(q, sq->cq);
            qn_assert_ok(c);
        }
        if (!write) {
            g_assert_true(qn_matches(q, in, N * LEN, round - 1));
        }
    }
    check_ready(q);
    qn_assert_quiet(q, sq->cq, 5);
    g_rand_free(rnd);
    qn_queue_free(sq);
    qn_close(q);
}

/* Registers and doorbells keep working; a reset needs no DMA. */
static void test_reset_while_off(const void *data)
{
    QNvme *q = bme_open(data, QN_SLOW(5000000));
    QnSq *sq = qn_io_queue(q, 1, 64, 1);
    uint64_t buf = qn_alloc(q, LEN);
    int round, i;

    for (round = 0; round < 8; round++) {
        for (i = 0; i < N; i++) {
            qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, i, BLOCKS, buf));
        }
        qn_ring_sq(q, sq);
        if (round & 1) {
            qn_sleep(q, 1);
        }
        qn_set_bme(q, false);
        if (round & 2) {
            qn_sleep(q, 8);
        }
        qn_disable(q);
        g_assert_cmphex(qn_csts(q), ==, 0);
        if (round & 4) {
            /* Enabled while off: ready, and deaf. */
            qn_admin_queues(q, 32, 32);
            qn_w4(q, ENVME_REG_CC, QN_CC | ENVME_CC_EN);
            qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_CFS, 0);
            qn_push(q, q->asq, qn_identify(1, 0, buf));
            qn_ring_sq(q, q->asq);
            qn_assert_quiet(q, q->acq, 5);
            qn_set_bme(q, true);
            qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, ENVME_CSTS_RDY);
            qn_reap(q, q->acq);
            qn_disable(q);
        }
        qn_set_bme(q, true);
        qn_enable(q);
        qn_queue_free(sq);
        sq = qn_io_queue(q, 1, 64, 1);
    }
    qn_check_alive(q, true);
    qn_queue_free(sq);
    qn_close(q);
}

/* Around the creation and deletion of queues, and an event. */
static void test_admin(const void *data)
{
    QNvme *q = bme_open(data, QN_RAW);
    struct envme_sqe s;
    struct envme_cqe c;
    int i;

    qn_push(q, q->asq, qn_sqe(ENVME_ADM_AER, 0));
    qn_ring_sq(q, q->asq);
    qn_assert_quiet(q, q->acq, 2);
    for (i = 0; i < 10; i++) {
        QnCq *cq = qn_cq_new(q, 1, 16, 1);
        QnSq *sq = qn_sq_new(q, 1, 16, cq);

        qn_push(q, q->asq, qn_create_cq(cq, true));
        if (i & 1) {
            qn_set_bme(q, false);
        }
        qn_push(q, q->asq, qn_create_sq(sq));
        qn_ring_sq(q, q->asq);
        qn_set_bme(q, false);
        qn_sleep(q, 1);
        qn_set_bme(q, true);
        c = qn_reap(q, q->acq);
        qn_assert_ok(c);
        c = qn_reap(q, q->acq);
        qn_assert_ok(c);
        qn_verify_io(q, sq, 0, 16, i);
        s = qn_sqe(ENVME_ADM_DELETE_SQ, 0);
        s.cdw10 = le32(1);
        qn_push(q, q->asq, s);
        qn_ring_sq(q, q->asq);
        qn_set_bme(q, false);
        qn_sleep(q, 1);
        qn_set_bme(q, true);
        c = qn_reap(q, q->acq);
        qn_assert_ok(c);
        s.opc = ENVME_ADM_DELETE_CQ;
        c = qn_admin(q, s);
        qn_assert_ok(c);
        g_free(sq);
        g_free(cq);
    }
    /* An event that happens while it is off. */
    qn_set_bme(q, false);
    qn_w4(q, qn_db_off(q, 2), 1);       /* SQ 1 is gone */
    qn_assert_quiet(q, q->acq, 5);
    qn_set_bme(q, true);
    c = qn_reap(q, q->acq);
    qn_assert_ok(c);
    g_assert_cmphex(FIELD_GET(ENVME_AER_TYPE, le32_get(c.dw0)), ==, 0);
    qn_close(q);
}

/* INTx messages are not requests: PCIe lets them pass either way. What must
 * hold is that the level is right again afterwards. */
static void test_intx(const void *data)
{
    const char *iothread = data;
    g_autofree char *props = *iothread ?
        g_strdup_printf("iothread=%s", iothread) : NULL;
    QNvme *q = qn_start(&(QnConf){
        .props = props, .extra = "-object iothread,id=io0" });
    QnSq *sq = qn_io_queue(q, 1, 16, 0);
    uint64_t buf = qn_alloc(q, LEN);
    struct envme_cqe c;
    gint64 end;

    qn_set_bme(q, false);
    qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
    qn_ring_sq(q, sq);
    qn_sleep(q, 10);
    g_assert_false(qn_intx(q));
    qn_set_bme(q, true);
    end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;
    while (!qn_intx(q)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        qn_beat(q);
    }
    c = qn_reap(q, sq->cq);
    qn_assert_ok(c);
    while (qn_intx(q)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        qn_beat(q);
    }
    qn_queue_free(sq);
    qn_close(q);
}

int main(int argc, char **argv)
{
    static const struct { const char *name, *iothread; } t[] = {
        { "main-loop", "" }, { "iothread", "io0" },
    };
    static const struct {
        const char *name;
        void (*fn)(const void *);
        unsigned flags;
    } tests[] = {
        { "no-fetch", test_no_fetch, QN_SMOKE },
        { "in-flight", test_in_flight, 0 },
        { "toggle-verify", test_toggle_verify, 0 },
        { "reset-while-off", test_reset_while_off, 0 },
        { "admin", test_admin, 0 },
        { "intx", test_intx, 0 },
    };
    unsigned i, k;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(t); i++) {
        for (k = 0; k < G_N_ELEMENTS(tests); k++) {
            g_autofree char *path = g_strdup_printf("/bme/%s/%s", t[i].name,
                                                    tests[k].name);

            qn_add_data(path, t[i].iothread, tests[k].fn, tests[k].flags);
        }
    }
    return g_test_run();
}
