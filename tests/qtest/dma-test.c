/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every field that holds a bus address, pointed at every kind of address:
 * memory, the function's own registers, other devices, nothing at all.
 * Base 2.1, 4.3.
 */
#include "qnvme.h"

enum { LEN = 8192, BLOCKS = LEN / 512, SLBA = 64, SEED = 4711 };

typedef enum Want { WANT_OK, WANT_ERROR, WANT_ANY } Want;

typedef struct Target {
    const char *name;
    uint64_t addr;
    Want want;
} Target;

typedef struct Dma {
    QNvme *q;
    QnSq *sq;
    Target t[16];
    unsigned n;
    uint64_t ram_bar;       /* of ivshmem: plain memory behind a BAR */
} Dma;

static void add(Dma *d, const char *name, uint64_t addr, Want want)
{
    g_assert_cmpuint(d->n, <, G_N_ELEMENTS(d->t));
    d->t[d->n++] = (Target){ name, addr, want };
}

/* The controller at slot 4; a second one at 5, ivshmem at 6, edu at 7. */
static Dma dma_open(void)
{
    g_autofree char *extra = g_strdup_printf(
        "-object memory-backend-ram,id=shm,size=1M,share=on "
        "-device ivshmem-plain,memdev=shm,addr=6 "
        "-device %s,serial=other,addr=5 -device edu,addr=7", qn_device());
    Dma d = { .q = qn_open(&(QnConf){ .extra = extra }) };
    QNvme *q = d.q;
    QPCIDevice *dev;
    uint64_t bar0 = q->bar[0].addr, other, edu;

    qn_msix_enable(q);
    qn_enable(q);
    d.sq = qn_io_queue(q, 1, 16, 1);
    dev = qpci_device_find(q->bus, QPCI_DEVFN(6, 0));
    qpci_device_enable(dev);
    d.ram_bar = qpci_iomap(dev, 2, NULL).addr;
    g_free(dev);
    dev = qpci_device_find(q->bus, QPCI_DEVFN(5, 0));
    qpci_device_enable(dev);
    other = qpci_iomap(dev, 0, NULL).addr;
    g_free(dev);
    dev = qpci_device_find(q->bus, QPCI_DEVFN(7, 0));
    qpci_device_enable(dev);
    edu = qpci_iomap(dev, 0, NULL).addr;
    g_free(dev);

    add(&d, "own registers", bar0, WANT_ERROR);
    add(&d, "own doorbells", bar0 + 0x1000, WANT_ERROR);
    add(&d, "own MSI-X table", q->msix_table & ~0xfffull, WANT_ERROR);
    add(&d, "another controller", other, WANT_ANY);
    add(&d, "another's doorbells", other + 0x1000, WANT_ANY);
    add(&d, "a BAR of memory", d.ram_bar, WANT_OK);
    add(&d, "a BAR of registers", edu, WANT_ANY);
    add(&d, "past RAM", 512ull << 20, WANT_ERROR);
    add(&d, "high and unmapped", 0x700000000000, WANT_ERROR);
    add(&d, "at 4 GiB", 0x100000000, WANT_ERROR);
    add(&d, "below 4 GiB", 0xfffff000, WANT_ANY);       /* firmware ROM */
    add(&d, "last page", 0xfffffffffffff000, WANT_ERROR);
    return d;
}

static void dma_close(Dma *d)
{
    qn_check_alive(d->q, true);
    g_free(d->sq->cq);
    g_free(d->sq);
    qn_close(d->q);
}

static void check(Dma *d, const Target *t, uint16_t status)
{
    QNvme *q = d->q;

    g_test_message("%s: status %#x", t->name, status);
    if (t->want == WANT_ERROR) {
        g_assert_cmphex(status, !=, ENVME_SC_SUCCESS);
    } else if (t->want == WANT_OK) {
        g_assert_cmphex(status, ==, ENVME_SC_SUCCESS);
    }
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CC), ==, QN_CC | ENVME_CC_EN);
    g_assert_cmphex(qn_r8(q, ENVME_REG_ASQ), ==, q->asq->addr);
    g_assert_cmphex(qn_r4(q, ENVME_REG_INTMS), ==, 0);
    qn_assert_quiet(q, d->sq->cq, 1);
    qn_assert_quiet(q, q->acq, 0);
}

/* Runs a command of the queue that it belongs to. */
static uint16_t run(Dma *d, bool admin, struct envme_sqe s)
{
    struct envme_cqe c = qn_cmd(d->q, admin ? d->q->asq : d->sq, s);

    return qn_status(&c);
}

static void test_prp1(void)
{
    Dma d = dma_open();
    unsigned i;

    for (i = 0; i < d.n; i++) {
        const Target *t = &d.t[i];
        struct envme_sqe s = qn_identify(1, 0, t->addr);

        check(&d, t, run(&d, true, s));
        /* Not page aligned, and short: CC is at 14h. */
        s = qn_getlog(1, 0, 64, t->addr + 0x14);
        check(&d, t, run(&d, true, s));
        s = qn_rw(d.q, ENVME_NVM_READ, SLBA, 1, t->addr + 0x14);
        check(&d, t, run(&d, false, s));
        s = qn_rw(d.q, ENVME_NVM_READ, SLBA, 8, t->addr);
        check(&d, t, run(&d, false, s));
    }
    dma_close(&d);
}

static void test_prp2(void)
{
    Dma d = dma_open();
    uint64_t buf = qn_alloc(d.q, LEN);
    unsigned i;

    for (i = 0; i < d.n; i++) {
        struct envme_sqe s = qn_rw(d.q, ENVME_NVM_READ, SLBA, BLOCKS, buf);

        s.dptr.prp2 = le64(d.t[i].addr);
        check(&d, &d.t[i], run(&d, false, s));
    }
    dma_close(&d);
}

/* The list itself, and an entry of a good list. */
static void test_prp_list(void)
{
    Dma d = dma_open();
    uint64_t buf = qn_alloc(d.q, 3 * QN_PAGE), list = qn_alloc(d.q, QN_PAGE);
    uint32_t blocks = 3 * QN_PAGE / 512;
    unsigned i;

    for (i = 0; i < d.n; i++) {
        const Target *t = &d.t[i];
        Target lt = *t;
        struct envme_sqe s = qn_rw(d.q, ENVME_NVM_READ, SLBA, 8, buf);

        s.cdw12 = le32(blocks - 1);
        s.dptr.prp2 = le64(t->addr);
        /* What is read there is hardly a list. */
        lt.want = t->want == WANT_OK ? WANT_ANY : t->want;
        check(&d, &lt, run(&d, false, s));
        qtest_writeq(d.q->qts, list, t->addr);
        qtest_writeq(d.q->qts, list + 8, buf + 2 * QN_PAGE);
        s.dptr.prp2 = le64(list);
        check(&d, t, run(&d, false, s));
    }
    dma_close(&d);
}

/* Data blocks of SGLs, and their segments. */
static void test_sgl(void)
{
    Dma d = dma_open();
    uint64_t buf = qn_alloc(d.q, LEN), seg = qn_alloc(d.q, QN_PAGE);
    unsigned i;

    for (i = 0; i < d.n; i++) {
        const Target *t = &d.t[i];
        Target st = *t;
        struct envme_sgl_desc desc = {
            .addr = le64(t->addr), .len = le32(LEN),
            .id = ENVME_SGL_DATA << 4,
        };
        struct envme_sqe s = qn_rw(d.q, ENVME_NVM_READ, SLBA, BLOCKS, buf);

        s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL);
        s.dptr.sgl = desc;
        check(&d, t, run(&d, false, s));
        qn_write(d.q, seg, &desc, sizeof(desc));
        s.dptr.sgl = (struct envme_sgl_desc){
            .addr = le64(seg), .len = le32(16),
            .id = ENVME_SGL_LAST_SEGMENT << 4,
        };
        check(&d, t, run(&d, false, s));
        s.dptr.sgl.addr = le64(t->addr);
        st.want = t->want == WANT_OK ? WANT_ERROR : t->want;
        check(&d, &st, run(&d, false, s));
        s.dptr.sgl.id = ENVME_SGL_SEGMENT << 4;
        s.dptr.sgl.len = le32(32);
        check(&d, &st, run(&d, false, s));
        /* A block that begins in memory and runs into the target. */
        if (t->addr == d.q->bar[0].addr) {
            s.dptr.sgl = desc;
            s.dptr.sgl.addr = le64(t->addr - 0x800);
            check(&d, t, run(&d, false, s));
        }
    }
    dma_close(&d);
}

/* To the controller: what cannot be read must not reach the medium. */
static void test_write(void)
{
    Dma d = dma_open();
    uint64_t good = qn_alloc(d.q, LEN), back = qn_alloc(d.q, LEN);
    unsigned i;

    qn_fill(d.q, good, LEN, SEED);
    for (i = 0; i < d.n; i++) {
        const Target *t = &d.t[i];
        struct envme_sqe s = qn_rw(d.q, ENVME_NVM_WRITE, SLBA, BLOCKS, good);
        uint16_t st;

        g_assert_cmphex(run(&d, false, s), ==, 0);
        s.dptr.prp2 = le64(t->addr);
        st = run(&d, false, s);
        check(&d, t, st);
        if (st) {
            s = qn_rw(d.q, ENVME_NVM_READ, SLBA, BLOCKS, back);
            g_assert_cmphex(run(&d, false, s), ==, 0);
            g_assert_true(qn_matches(d.q, back, LEN, SEED));
        }
        s = qn_rw(d.q, ENVME_NVM_COMPARE, SLBA, 8, t->addr);
        st = run(&d, false, s);
        if (t->want == WANT_ERROR) {
            check(&d, t, st);
        }
        s = qn_sqe(ENVME_NVM_DSM, 1);
        s.cdw11 = le32(0);
        s.dptr.prp1 = le64(t->addr);
        st = run(&d, false, s);
        if (t->want == WANT_ERROR) {
            check(&d, t, st);
        }
    }
    dma_close(&d);
}

/* Memory behind a BAR is memory: peer to peer, both ways. */
static void test_peer_memory(void)
{
    Dma d = dma_open();
    QNvme *q = d.q;
    uint64_t back = qn_alloc(q, 32 * QN_PAGE);
    size_t len = 32 * QN_PAGE;
    struct envme_sqe s;

    qn_fill(q, d.ram_bar, len, 99);
    s = qn_rw(q, ENVME_NVM_WRITE, 512, len / 512, d.ram_bar);
    g_assert_cmphex(run(&d, false, s), ==, 0);
    s = qn_rw(q, ENVME_NVM_READ, 512, len / 512, back);
    g_assert_cmphex(run(&d, false, s), ==, 0);
    g_assert_true(qn_matches(q, back, len, 99));
    qn_fill(q, d.ram_bar, len, 5);
    s = qn_rw(q, ENVME_NVM_READ, 512, len / 512, d.ram_bar + 0x10000);
    g_assert_cmphex(run(&d, false, s), ==, 0);
    g_assert_true(qn_matches(q, d.ram_bar + 0x10000, len, 99));
    dma_close(&d);
}

/* Registers of another device by DMA: edu's liveness register inverts. */
static void test_peer_registers(void)
{
    Dma d = dma_open();
    QNvme *q = d.q;
    QPCIDevice *dev = qpci_device_find(q->bus, QPCI_DEVFN(7, 0));
    uint64_t edu = (uint64_t)(qpci_config_readl(dev, PCI_BASE_ADDRESS_0) &
                              ~0xfu);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_sgl_desc list[2] = {
        { .addr = le64(edu + 4), .len = le32(4), .id = 0 },
        { .addr = le64(buf), .len = le32(508), .id = 0 },
    };
    uint64_t seg = qn_alloc(q, QN_PAGE);
    struct envme_sqe s;

    g_free(dev);
    qn_fill(q, buf, 512, 3);
    s = qn_rw(q, ENVME_NVM_WRITE, 0, 1, buf);
    g_assert_cmphex(run(&d, false, s), ==, 0);
    qn_write(q, seg, list, sizeof(list));
    s = qn_rw(q, ENVME_NVM_READ, 0, 1, buf);
    s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL);
    s.dptr.sgl = (struct envme_sgl_desc){
        .addr = le64(seg), .len = le32(sizeof(list)),
        .id = ENVME_SGL_LAST_SEGMENT << 4 };
    if (run(&d, false, s) == ENVME_SC_SUCCESS) {
        uint8_t want[4];
        uint32_t v;

        qn_pattern(want, 4, 3);
        memcpy(&v, want, 4);
        g_assert_cmphex(qtest_readl(q->qts, edu + 4), ==, ~v);
    }
    dma_close(&d);
}

/* Queues in places where none can be. CSTS.CFS is fair; a crash is not. */
static void test_queue_bases(void)
{
    Dma d = dma_open();
    QNvme *q = d.q;
    unsigned i, k;

    for (i = 0; i < d.n; i++) {
        for (k = 0; k < 4; k++) {
            bool admin = k & 2, cq = k & 1;
            QnCq *icq;
            QnSq *isq;
            uint16_t st = 0;

            g_test_message("%s %s at %s", admin ? "admin" : "I/O",
                           cq ? "CQ" : "SQ", d.t[i].name);
            qn_disable(q);
            qn_admin_queues(q, 32, 32);
            if (admin) {
                qn_w8(q, cq ? ENVME_REG_ACQ : ENVME_REG_ASQ, d.t[i].addr);
                qn_w4(q, ENVME_REG_CC, QN_CC | ENVME_CC_EN);
                qn_push(q, q->asq, qn_identify(1, 0, 0x3000000));
                qn_ring_sq(q, q->asq);
            } else {
                qn_enable_cc(q, QN_CC);
                icq = qn_cq_new(q, 1, 16, 0);
                isq = qn_sq_new(q, 1, 16, icq);
                if (cq) {
                    icq->addr = d.t[i].addr;
                } else {
                    isq->addr = d.t[i].addr;
                }
                st = run(&d, true, qn_create_cq(icq, true));
                if (!st) {
                    st = run(&d, true, qn_create_sq(isq));
                }
                if (!st) {
                    isq->addr = isq->addr == d.t[i].addr ? d.ram_bar :
                                isq->addr;
                    qn_push(q, isq, qn_rw(q, ENVME_NVM_READ, 0, 1,
                                          0x3000000));
                    qn_ring_sq(q, isq);
                    qn_w4(q, qn_db_off(q, 2), 15);
                }
                g_free(icq);
                g_free(isq);
            }
            qn_sleep(q, 2);
            g_assert_cmphex(qn_csts(q) & ENVME_CSTS_SHST, ==, 0);
            qn_check_alive(q, false);
        }
    }
    qn_check_alive(q, true);
    dma_close(&d);
}

/* Buffers that run over the end of memory, and of the address space. */
static void test_wrap(void)
{
    Dma d = dma_open();
    QNvme *q = d.q;
    uint64_t seg = qn_alloc(q, QN_PAGE);
    const Target t[] = {
        { "over the end of RAM", (256ull << 20) - 0x1000, WANT_ERROR },
        { "over 4 GiB", 0xfffff800, WANT_ERROR },
        { "around 2^64", 0xfffffffffffff800, WANT_ERROR },
        { "around 2^64 by 4", 0xfffffffffffffffc, WANT_ERROR },
    };
    static const uint32_t lens[] = { LEN, 0xffffffff, 0xfffff000 };
    unsigned i, k;

    for (i = 0; i < G_N_ELEMENTS(t); i++) {
        for (k = 0; k < G_N_ELEMENTS(lens); k++) {
            struct envme_sgl_desc desc = {
                .addr = le64(t[i].addr), .len = le32(lens[k]),
            };
            struct envme_sqe s = qn_rw(q, ENVME_NVM_READ, SLBA, BLOCKS,
                                       q->ram);

            s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL);
            s.dptr.sgl = desc;
            check(&d, &t[i], run(&d, false, s));
            s.opc = ENVME_NVM_WRITE;
            check(&d, &t[i], run(&d, false, s));
            /* As a segment. */
            s.dptr.sgl.id = ENVME_SGL_SEGMENT << 4;
            check(&d, &t[i], run(&d, false, s));
            qn_write(q, seg, &desc, sizeof(desc));
            s.dptr.sgl = (struct envme_sgl_desc){
                .addr = le64(seg), .len = le32(16),
                .id = ENVME_SGL_LAST_SEGMENT << 4 };
            check(&d, &t[i], run(&d, false, s));
        }
        {
            struct envme_sqe s = qn_rw(q, ENVME_NVM_READ, SLBA, BLOCKS,
                                       q->ram);

            s.dptr.prp1 = le64(t[i].addr & ~3ull);
            s.dptr.prp2 = le64(0);
            run(&d, false, s);
            check(&d, &(Target){ t[i].name, 0, WANT_ANY }, 0);
        }
    }
    dma_close(&d);
}

/* Base 2.1, 4.1.1: alignment has its own status. */
static void test_alignment(void)
{
    Dma d = dma_open();
    QNvme *q = d.q;
    uint64_t buf = qn_alloc(q, 4 * QN_PAGE), list = qn_alloc(q, QN_PAGE);
    static const unsigned odd[] = { 1, 2, 3 };
    struct envme_sqe s;
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(odd); i++) {
        s = qn_identify(1, 0, buf + odd[i]);
        g_assert_cmphex(run(&d, true, s), ==, ENVME_SC_PRP_OFFSET_INVALID);
        s = qn_rw(q, ENVME_NVM_READ, 0, 1, buf);
        s.dptr.prp1 = le64(buf + odd[i]);
        g_assert_cmphex(run(&d, false, s), ==, ENVME_SC_PRP_OFFSET_INVALID);
    }
    /* PRP2 as a page: offset 0. */
    s = qn_rw(q, ENVME_NVM_READ, 0, 16, buf);
    s.dptr.prp2 = le64(buf + QN_PAGE + 0x200);
    g_assert_cmphex(run(&d, false, s), ==, ENVME_SC_PRP_OFFSET_INVALID);
    /* PRP2 as a list: qword aligned; its entries: offset 0. */
    qtest_writeq(q->qts, list, buf + QN_PAGE);
    qtest_writeq(q->qts, list + 8, buf + 2 * QN_PAGE);
    s = qn_rw(q, ENVME_NVM_READ, 0, 24, buf);
    s.dptr.prp2 = le64(list + 4);
    g_assert_cmphex(run(&d, false, s), ==, ENVME_SC_PRP_OFFSET_INVALID);
    qtest_writeq(q->qts, list + 8, buf + 2 * QN_PAGE + 8);
    s.dptr.prp2 = le64(list);
    g_assert_cmphex(run(&d, false, s), ==, ENVME_SC_PRP_OFFSET_INVALID);
    dma_close(&d);
}

/* A list that begins with an offset, chained over two pages. */
static void test_list_with_offset(void)
{
    Dma d = dma_open();
    QNvme *q = d.q;
    enum { PAGES = 20 };
    size_t len = PAGES * QN_PAGE;
    uint64_t buf = qn_alloc(q, len), back = qn_alloc(q, len);
    uint64_t l1 = qn_alloc(q, QN_PAGE), l2 = qn_alloc(q, QN_PAGE);
    struct envme_sqe s;
    unsigned i, at = QN_PAGE / 8 - 4;

    qn_fill(q, buf, len, 8);
    s = qn_rw(q, ENVME_NVM_WRITE, 0, len / 512, buf);
    g_assert_cmphex(run(&d, false, s), ==, 0);
    /* Three entries at the end of l1, the fourth chains to l2; pages of the
     * buffer backwards. */
    for (i = 1; i < PAGES; i++) {
        uint64_t page = back + (PAGES - i) * QN_PAGE;

        if (i <= 3) {
            qtest_writeq(q->qts, l1 + (at + i - 1) * 8, page);
        } else {
            qtest_writeq(q->qts, l2 + (i - 4) * 8, page);
        }
    }
    qtest_writeq(q->qts, l1 + QN_PAGE - 8, l2);
    s = qn_rw(q, ENVME_NVM_READ, 0, 1, back);
    s.cdw12 = le32(len / 512 - 1);
    s.dptr.prp2 = le64(l1 + at * 8);
    g_assert_cmphex(run(&d, false, s), ==, 0);
    for (i = 0; i < PAGES; i++) {
        g_autofree char *a = qn_sum(q, buf + i * QN_PAGE, QN_PAGE);
        g_autofree char *b = qn_sum(q, back + (PAGES - i) % PAGES * QN_PAGE,
                                    QN_PAGE);

        g_assert_cmpstr(a, ==, b);
    }
    dma_close(&d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add("/dma/prp1", test_prp1, QN_SMOKE);
    qn_add("/dma/prp2", test_prp2, 0);
    qn_add("/dma/prp-list", test_prp_list, 0);
    qn_add("/dma/sgl", test_sgl, 0);
    qn_add("/dma/write", test_write, 0);
    qn_add("/dma/peer-memory", test_peer_memory, QN_SMOKE);
    qn_add("/dma/peer-registers", test_peer_registers, 0);
    qn_add("/dma/queue-bases", test_queue_bases, 0);
    qn_add("/dma/wrap", test_wrap, 0);
    qn_add("/dma/alignment", test_alignment, 0);
    qn_add("/dma/list-with-offset", test_list_with_offset, 0);
    return g_test_run();
}
