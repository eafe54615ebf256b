/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt coalescing (features 08h and 09h): MSI-X messages that arrive,
 * counted against completions. Base 2.1, 5.1.25.
 *
 * Counted vectors write to a pci-testdev, which counts what is written to it;
 * or to memory, where an IOThread stores them itself, and where two that come
 * between two looks are seen as one. The clock only moves when a test says so,
 * and a namespace in memory completes its commands in the turn that fetches
 * them, so nothing depends on how fast anything is.
 */
#include "qnvme.h"

#include "envme/feat.h"

#define QUEUE_SIZE  512         /* no test comes around */
#define VEC         1
#define VEC_PROBE   2
#define UNIT        100000ll    /* ns in one of feature 08h's TIME */

/* pci-testdev, BAR 0: its first test, "mmio-no-eventfd", counts the bytes of
 * this value that are written to that place. */
#define COUNTER_SELECT  0
#define COUNTER_COUNT   12
#define COUNTER_PLACE   2048
#define COUNTER_DATA    0xfa

struct mode {
    const char *name;
    const char *props, *extra;
    bool memory;                /* of the counted vectors */
};

static const struct mode modes[] = {
    { .name = "main-loop", .props = "memdev=m0", .extra = "" },
    { .name = "iothread", .props = "memdev=m0,iothread=io0",
      .extra = "-object iothread,id=io0" },
    { .name = "iothread-store", .props = "memdev=m0,iothread=io0",
      .extra = "-object iothread,id=io0", .memory = true },
};

typedef struct Coal {
    QNvme *q;
    QPCIDevice *counter;
    QPCIBar bar;
    bool memory;
    unsigned vec;               /* the one that is counted */
    uint64_t buf;
    QnSq *sq;                   /* its completions are counted */
    QnSq *probe;                /* its never wait */
    uint32_t seen;              /* of the counter */
} Coal;

/* ---- without the clock ------------------------------------------------- */

/* qn_msix_wait() moves it. */
static void await_message(Coal *c, unsigned vec)
{
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;

    while (!qn_msix_take(c->q, vec)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(50);
    }
}

static void admin(Coal *c, struct envme_sqe sqe)
{
    struct envme_cqe cqe;

    qn_push(c->q, c->q->asq, sqe);
    qn_ring_sq(c->q, c->q->asq);
    cqe = qn_await_still(c->q, c->q->acq);
    qn_assert_ok(cqe);
    qn_ring_cq(c->q, c->q->acq);
}

/* n commands with one doorbell; all completions are there, the head stays. */
static void complete(Coal *c, QnSq *sq, unsigned n)
{
    struct envme_cqe cqe;
    unsigned i;

    for (i = 0; i < n; i++) {
        qn_push(c->q, sq, qn_rw(c->q, ENVME_NVM_READ, 0, 1, c->buf));
    }
    qn_ring_sq(c->q, sq);
    for (i = 0; i < n; i++) {
        cqe = qn_await_still(c->q, sq->cq);
        qn_assert_ok(cqe);
    }
}

/*
 * Waits until all is sent that was to be sent for the completions that are
 * there. The lane has ended the turn that posted them when it serves a command
 * that was submitted after the message of another one; and what it has asked
 * the main loop to send goes before that takes the test's next but one read.
 */
static void settle(Coal *c)
{
    unsigned i;

    for (i = 0; i < 2; i++) {
        complete(c, c->probe, 1);
        qn_ring_cq(c->q, c->probe->cq);
        await_message(c, VEC_PROBE);
    }
    for (i = 0; i < 3; i++) {
        qtest_readb(c->q->qts, 0);
    }
}

/* ---- counting ---------------------------------------------------------- */

static uint32_t messages(Coal *c)
{
    uint32_t now, n;

    if (c->memory) {
        return qn_msix_take(c->q, c->vec);
    }
    now = qpci_io_readl(c->counter, c->bar, COUNTER_COUNT);
    n = now - c->seen;
    c->seen = now;
    return n;
}

/* As many as that since the last time, and no more. */
static void expect(Coal *c, uint32_t n)
{
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;
    uint32_t got = messages(c);

    while (got < n && g_get_monotonic_time() < end) {
        g_usleep(50);
        got += messages(c);
    }
    settle(c);
    got += messages(c);
    g_assert_cmpuint(got, ==, n);
}

static void step(Coal *c, unsigned completions, uint32_t n)
{
    complete(c, c->sq, completions);
    expect(c, n);
}

static void advance(Coal *c, int64_t ns, uint32_t n)
{
    qtest_clock_step(c->q->qts, ns);
    expect(c, n);
}

/* The host has seen them all, and the lane knows it. */
static void reap(Coal *c)
{
    qn_ring_cq(c->q, c->sq->cq);
    settle(c);
}

/* ---- setting up -------------------------------------------------------- */

/* thr: 0's based, as it is in the feature. */
static void coalesce(Coal *c, unsigned thr, unsigned time)
{
    admin(c, qn_feature(true, ENVME_FID_IRQ_COALESCE,
                        FIELD_SET(ENVME_FEAT_IRQC_THR, thr) |
                        FIELD_SET(ENVME_FEAT_IRQC_TIME, time)));
}

static void coalesce_vector(Coal *c, unsigned vec, bool on)
{
    admin(c, qn_feature(true, ENVME_FID_IRQ_CONFIG,
                        FIELD_SET(ENVME_FEAT_IVC_IV, vec) |
                        (on ? 0 : ENVME_FEAT_IVC_CD)));
}

static void count_vector(Coal *c, unsigned vec)
{
    uint64_t entry = c->q->msix_table + vec * PCI_MSIX_ENTRY_SIZE;

    c->vec = vec;
    if (!c->memory) {
        qn_msix_mask(c->q, vec, true);
        qtest_writel(c->q->qts, entry + PCI_MSIX_ENTRY_LOWER_ADDR,
                     c->bar.addr + COUNTER_PLACE);
        qtest_writel(c->q->qts, entry + PCI_MSIX_ENTRY_DATA, COUNTER_DATA);
        qn_msix_mask(c->q, vec, false);
    }
    messages(c);
}

static void coal_open(Coal *c, const struct mode *mode, unsigned vec)
{
    g_autofree char *extra = g_strdup_printf(
        "-object memory-backend-ram,id=m0,size=16M "
        "-device pci-testdev,addr=5 %s", mode->extra);

    *c = (Coal) { .memory = mode->memory };
    c->q = qn_open(&(QnConf) { .no_drive = true, .props = mode->props,
                               .extra = extra });
    c->counter = qpci_device_find(c->q->bus, QPCI_DEVFN(5, 0));
    g_assert_nonnull(c->counter);
    qpci_device_enable(c->counter);
    c->bar = qpci_iomap(c->counter, 0, NULL);
    qpci_io_writeb(c->counter, c->bar, COUNTER_SELECT, 0);
    qn_msix_enable(c->q);
    qn_enable(c->q);
    c->buf = qn_alloc(c->q, QN_PAGE);
    c->sq = qn_io_queue(c->q, 1, QUEUE_SIZE, vec);
    c->probe = qn_io_queue(c->q, 2, QUEUE_SIZE, VEC_PROBE);
    coalesce_vector(c, VEC_PROBE, false);
    count_vector(c, vec);
    expect(c, 0);
}

static void coal_close(Coal *c)
{
    qn_queue_free(c->sq);
    qn_queue_free(c->probe);
    g_free(c->counter);
    qn_close(c->q);
}

/* ---- tests ------------------------------------------------------------- */

/* The counter counts what it is said to, by itself. */
static void test_counter(const void *mode)
{
    Coal c;

    coal_open(&c, mode, VEC);
    for (unsigned i = 0; i < 5; i++) {
        qtest_writel(c.q->qts, c.bar.addr + COUNTER_PLACE, COUNTER_DATA);
    }
    g_assert_cmpuint(messages(&c), ==, 5);
    coal_close(&c);
}

/* Nothing is set: one for what a turn completes. */
static void test_batch(const void *mode)
{
    static const unsigned n[] = { 1, 2, 16, 40, 1, 1, 40 };
    Coal c;

    coal_open(&c, mode, VEC);
    for (unsigned i = 0; i < ARRAY_SIZE(n); i++) {
        step(&c, n[i], 1);
        if (i % 2) {
            reap(&c);
        }
    }
    advance(&c, 1000 * UNIT, 0);
    coal_close(&c);
}

/* As many completions as the threshold says, whatever doorbells they had. */
static void test_threshold(const void *mode)
{
    unsigned i, k;
    Coal c;

    coal_open(&c, mode, VEC);
    coalesce(&c, 7, 255);
    for (i = 0; i < 3; i++) {
        for (k = 0; k < 7; k++) {
            step(&c, 1, 0);
        }
        step(&c, 1, 1);
        if (i != 1) {
            reap(&c);
        }
    }
    step(&c, 5, 0);
    step(&c, 2, 0);
    step(&c, 1, 1);
    /* Those above the threshold have been told of, too. */
    step(&c, 5, 0);
    step(&c, 6, 1);
    step(&c, 7, 0);
    step(&c, 20, 1);
    step(&c, 8, 1);
    advance(&c, 1000 * UNIT, 0);
    /* The largest. */
    coalesce(&c, 255, 255);
    step(&c, 50, 0);
    step(&c, 50, 0);
    step(&c, 50, 0);
    step(&c, 50, 0);
    step(&c, 55, 0);
    step(&c, 1, 1);
    advance(&c, 1000 * UNIT, 0);
    coal_close(&c);
}

/* Fewer than that: when the first has waited long enough, not before. */
static void test_time(const void *mode)
{
    Coal c;

    coal_open(&c, mode, VEC);
    coalesce(&c, 199, 5);
    step(&c, 3, 0);
    advance(&c, 5 * UNIT - 1, 0);
    advance(&c, 1, 1);
    advance(&c, 1000 * UNIT, 0);
    /* It is the first one's time that counts. */
    step(&c, 1, 0);
    advance(&c, 3 * UNIT, 0);
    step(&c, 1, 0);
    advance(&c, 2 * UNIT - 1, 0);
    advance(&c, 1, 1);
    /* Another one begins anew. */
    step(&c, 1, 0);
    advance(&c, 5 * UNIT - 1, 0);
    advance(&c, 1, 1);
    advance(&c, 1000 * UNIT, 0);
    /* The threshold ends it. */
    coalesce(&c, 2, 255);
    step(&c, 2, 0);
    advance(&c, 254 * UNIT, 0);
    step(&c, 1, 1);
    advance(&c, UNIT, 0);
    step(&c, 1, 0);
    advance(&c, 255 * UNIT - 1, 0);
    advance(&c, 1, 1);
    coal_close(&c);
}

/* Either of the two 0: as if there were none. */
static void test_off(const void *mode)
{
    static const struct {
        unsigned thr, time;
    } off[] = { { 0, 255 }, { 255, 0 }, { 0, 0 } };
    Coal c;

    coal_open(&c, mode, VEC);
    for (unsigned i = 0; i < ARRAY_SIZE(off); i++) {
        coalesce(&c, 3, 255);
        step(&c, 3, 0);
        step(&c, 1, 1);
        coalesce(&c, off[i].thr, off[i].time);
        step(&c, 1, 1);
        step(&c, 9, 1);
        step(&c, 1, 1);
        advance(&c, 1000 * UNIT, 0);
    }
    coal_close(&c);
}

/* Coalescing Disable, of this vector and of another. */
static void test_vector(const void *mode)
{
    Coal c;

    coal_open(&c, mode, VEC);
    coalesce(&c, 9, 255);
    coalesce_vector(&c, 3, false);
    step(&c, 4, 0);
    /* With the next completion, which tells of the first four as well. */
    coalesce_vector(&c, VEC, false);
    expect(&c, 0);
    step(&c, 1, 1);
    step(&c, 1, 1);
    step(&c, 12, 1);
    advance(&c, 1000 * UNIT, 0);
    coalesce_vector(&c, VEC, true);
    step(&c, 9, 0);
    step(&c, 1, 1);
    coal_close(&c);
}

/* Queues that share a vector are counted each for itself. */
static void test_shared(const void *mode)
{
    QnSq *first, *second;
    Coal c;

    coal_open(&c, mode, VEC);
    first = c.sq;
    second = qn_io_queue(c.q, 3, QUEUE_SIZE, VEC);
    coalesce(&c, 4, 50);
    step(&c, 3, 0);
    advance(&c, 20 * UNIT, 0);
    c.sq = second;
    step(&c, 4, 0);
    step(&c, 1, 1);
    step(&c, 1, 0);
    c.sq = first;
    advance(&c, 30 * UNIT - 1, 0);
    advance(&c, 1, 1);
    advance(&c, 20 * UNIT - 1, 0);
    advance(&c, 1, 1);
    advance(&c, 1000 * UNIT, 0);
    qn_queue_free(second);
    coal_close(&c);
}

/* The admin queue does not wait, not even beside one that does. */
static void test_admin(const void *mode)
{
    Coal c;

    coal_open(&c, mode, 0);
    coalesce(&c, 255, 255);
    expect(&c, 1);
    for (unsigned i = 0; i < 4; i++) {
        step(&c, 2, 0);
        admin(&c, qn_identify(1, 0, c.buf));
        expect(&c, 1);
    }
    advance(&c, 255 * UNIT - 1, 0);
    advance(&c, 1, 1);
    advance(&c, 1000 * UNIT, 0);
    coal_close(&c);
}

/* Features that change while completions are held back. */
static void test_change(const void *mode)
{
    Coal c;

    coal_open(&c, mode, VEC);
    /* A lower threshold: with the next completion ... */
    coalesce(&c, 9, 255);
    step(&c, 4, 0);
    coalesce(&c, 2, 255);
    expect(&c, 0);
    step(&c, 1, 1);
    step(&c, 2, 0);
    step(&c, 1, 1);
    /* ... or none: the time goes on. */
    coalesce(&c, 9, 20);
    step(&c, 4, 0);
    advance(&c, 10 * UNIT, 0);
    coalesce(&c, 2, 20);
    advance(&c, 10 * UNIT - 1, 0);
    advance(&c, 1, 1);
    advance(&c, 1000 * UNIT, 0);
    /* A higher one. */
    coalesce(&c, 4, 255);
    step(&c, 4, 0);
    coalesce(&c, 6, 255);
    step(&c, 2, 0);
    step(&c, 1, 1);
    /* Off. */
    coalesce(&c, 9, 20);
    step(&c, 4, 0);
    coalesce(&c, 0, 0);
    expect(&c, 0);
    step(&c, 1, 1);
    step(&c, 1, 1);
    coalesce(&c, 9, 20);
    step(&c, 4, 0);
    coalesce(&c, 0, 0);
    advance(&c, 20 * UNIT - 1, 0);
    advance(&c, 1, 1);
    /* Less time, from the next completion. */
    coalesce(&c, 9, 200);
    step(&c, 1, 0);
    advance(&c, UNIT, 0);
    coalesce(&c, 9, 5);
    advance(&c, 10 * UNIT, 0);
    step(&c, 1, 0);
    advance(&c, 5 * UNIT - 1, 0);
    advance(&c, 1, 1);
    /* More time is for those that come after. */
    step(&c, 1, 0);
    coalesce(&c, 9, 200);
    step(&c, 1, 0);
    advance(&c, 5 * UNIT - 1, 0);
    advance(&c, 1, 1);
    step(&c, 1, 0);
    advance(&c, 200 * UNIT - 1, 0);
    advance(&c, 1, 1);
    advance(&c, 1000 * UNIT, 0);
    coal_close(&c);
}

/* What was held back is told of at once when lanes stop, and not at all when
 * the host has found it by itself. */
static void test_end(const void *mode)
{
    QnCq *cq;
    Coal c;

    coal_open(&c, mode, VEC);
    coalesce(&c, 9, 50);
    step(&c, 4, 0);
    reap(&c);
    advance(&c, 1000 * UNIT, 0);
    /* They don't count for the next ones either. */
    step(&c, 4, 0);
    reap(&c);
    step(&c, 9, 0);
    step(&c, 1, 1);
    step(&c, 4, 0);
    cq = qn_cq_new(c.q, 3, 16, 3);
    admin(&c, qn_create_cq(cq, true));
    expect(&c, 1);
    advance(&c, 1000 * UNIT, 0);
    step(&c, 9, 0);
    step(&c, 1, 1);
    g_free(cq);
    coal_close(&c);
}

static const struct {
    const char *name;
    void (*fn)(const void *mode);
    unsigned flags;
    bool once;                  /* the mode does not matter */
} tests[] = {
    { .name = "counter", .fn = test_counter, .once = true },
    { .name = "batch", .fn = test_batch, .flags = QN_SMOKE },
    { .name = "threshold", .fn = test_threshold, .flags = QN_SMOKE },
    { .name = "time", .fn = test_time, .flags = QN_SMOKE },
    { .name = "off", .fn = test_off },
    { .name = "vector", .fn = test_vector },
    { .name = "shared", .fn = test_shared },
    { .name = "admin", .fn = test_admin },
    { .name = "change", .fn = test_change },
    { .name = "end", .fn = test_end },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
        for (unsigned t = 0; t < ARRAY_SIZE(tests); t++) {
            g_autofree char *path = g_strdup_printf(
                "/coalesce/%s/%s", tests[t].name, modes[m].name);

            if (m == 0 || !tests[t].once) {
                qn_add_data(path, &modes[m], tests[t].fn, tests[t].flags);
            }
        }
    }
    return g_test_run();
}
