/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault rules of the bus: DMA that fails or is slow, by address, and what is
 * asked of the world for how long.
 */
#include <inttypes.h>

#include "th-fault.h"

#include "envme/reg.h"

#define MS (1000ull * 1000)
#define IO (16 * 512)

/* What the world was told. */
static unsigned told_wrong, told_n;
static uint64_t told_error;

static void told_bus(void *opaque, unsigned wrong)
{
    (void)opaque;
    told_wrong = wrong;
    told_n++;
}

static bool told_bus_error(void *opaque, bool correctable, uint32_t status)
{
    (void)opaque;
    told_error = status | (uint64_t)correctable << 32;
    return true;
}

static const struct envme_fault_world world = {
    .bus_can = ENVME_BUS_LINK | ENVME_BUS_HANG | ENVME_BUS_MASTER,
    .bus = told_bus, .bus_error = told_bus_error,
};

static struct th *host_of(struct envme_faults **f, bool has_bus)
{
    struct th *h = th_new(.lanes = 2, .ns = { { .size = 1 * MIB } });

    told_wrong = told_n = 0;
    told_error = 0;
    *f = envme_faults_new(h->ctrl, has_bus ? &world : NULL);
    th_enable(h);
    th_queues(h, 2, 16);
    return h;
}

static struct th *host(struct envme_faults **f)
{
    return host_of(f, true);
}

/* A buffer of its own, so that its address is known. */
static uint16_t submit(struct th *h, struct th_buf *b, uint8_t opc,
                       uint64_t slba)
{
    struct envme_sqe sqe = th_sqe_rw(opc, 1, slba, IO / 512);

    th_buf_attach(b, &sqe);
    return th_submit(h, 1, &sqe);
}

static struct envme_cqe io(struct th *h, struct th_buf *b, uint8_t opc,
                           uint64_t slba)
{
    return th_wait(h, 1, submit(h, b, opc, slba));
}

static uint64_t seg(const struct th_buf *b, unsigned i)
{
    return g_array_index(b->segs, struct th_seg, i).addr;
}

static void rule_at(struct envme_faults *f, uint64_t lo, uint64_t hi,
                    const char *more, const char *what)
{
    g_autofree char *text = g_strdup_printf(
        "{'name': 'r', 'on': 'dma', 'match': {'address': ['0x%" PRIx64 "', "
        "'0x%" PRIx64 "']%s}, 'do': {'dma': %s}}", lo, hi, more, what);

    tf_rules(f, text);
}

/* ---- dma: errors ------------------------------------------------------- */

static void test_error(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct th_buf *b = th_buf_new(h, IO, TH_PRP), *o = th_buf_new(h, IO,
                                                                  TH_PRP);
    const struct envme_dma *dma = envme_dma(h->ctrl);
    unsigned reads, writes;
    uint8_t data[IO];

    g_assert_true(dma == &h->ctrl->ports.dma);
    g_assert_cmpuint(b->segs->len, >, 1);
    th_pattern(data, IO, 1);
    th_buf_put(b, data);
    th_assert_sc(io(h, b, ENVME_NVM_WRITE, 0), SUCCESS);
    /* One byte of the second page is enough. */
    rule_at(f, seg(b, 1) + 7, seg(b, 1) + 7, "", "'error'");
    g_assert_true(envme_dma(h->ctrl) != &h->ctrl->ports.dma);
    reads = h->be[0]->nops[ENVME_BIO_READ];
    writes = h->be[0]->nops[ENVME_BIO_WRITE];
    th_buf_fill(b, 0xee);
    th_assert_sc(io(h, b, ENVME_NVM_READ, 0), DATA_XFER_ERROR);
    th_assert_sc(io(h, b, ENVME_NVM_WRITE, 0), DATA_XFER_ERROR);
    /* Nothing of it was done. */
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_READ], ==, reads);
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_WRITE], ==, writes);
    th_buf_get(b, data);
    g_assert_cmphex(data[0], ==, 0xee);
    /* Elsewhere all is well, and what is on the medium is as it was. */
    th_assert_sc(io(h, o, ENVME_NVM_READ, 0), SUCCESS);
    th_buf_get(o, data);
    g_assert_true(th_pattern_ok(data, IO, 1));
    g_assert_cmpint(tf_count(f, "r", "hits"), ==, 2);
    /* Only what the device reads from there; only the second time. */
    rule_at(f, seg(b, 1), seg(b, 1) + 4095, ", 'access': 'read'", "'error'");
    th_assert_sc(io(h, b, ENVME_NVM_READ, 0), SUCCESS);
    th_assert_sc(io(h, b, ENVME_NVM_WRITE, 0), DATA_XFER_ERROR);
    rule_at(f, seg(b, 1), seg(b, 1), ", 'access': 'write'", "'error'");
    th_assert_sc(io(h, b, ENVME_NVM_WRITE, 0), SUCCESS);
    th_assert_sc(io(h, b, ENVME_NVM_READ, 0), DATA_XFER_ERROR);
    tf_rules(f, "");
    g_assert_true(envme_dma(h->ctrl) == &h->ctrl->ports.dma);
    th_assert_sc(io(h, b, ENVME_NVM_READ, 0), SUCCESS);
    th_buf_free(b);
    th_buf_free(o);
    tf_done(h, f);
}

/* The list of a command, and memory that is bounced. */
static void test_lists(void)
{
    static const unsigned shapes[] = { TH_SGL, TH_PRP, TH_PRP | TH_MMIO };

    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(shapes); i++) {
        struct envme_faults *f;
        struct th *h = host(&f);
        struct th_buf *b = th_buf_new(h, 8 * IO, shapes[i]);
        struct envme_sqe sqe = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8 * IO / 512);
        uint64_t at = shapes[i] & TH_MMIO ? seg(b, 0)
                      : shapes[i] & TH_SGL ? le64_get(b->dptr.sgl.addr)
                                           : le64_get(b->dptr.prp2);

        rule_at(f, at, at, ", 'access': 'read'", "{'how': 'error'}");
        th_buf_attach(b, &sqe);
        th_assert_sc(th_wait(h, 1, th_submit(h, 1, &sqe)), DATA_XFER_ERROR);
        th_buf_free(b);
        tf_done(h, f);
    }
}

/* What a queue lies in: CSTS.CFS, and a reset mends it. */
static void test_queue(void)
{
    for (unsigned is_cq = 0; is_cq < 2; is_cq++) {
        struct envme_faults *f;
        struct th *h = host(&f);
        struct envme_sqe sqe = th_sqe(ENVME_NVM_FLUSH, 1);
        uint64_t at = is_cq ? h->cq[1]->base : h->sq[1]->base;
        uint16_t cid;

        rule_at(f, at, at + 4095, is_cq ? ", 'access': 'write'"
                                        : ", 'access': 'read'", "'error'");
        cid = th_submit(h, 1, &sqe);
        th_run(h);
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS, !=, 0);
        g_assert_cmpint(tf_count(f, "r", "hits"), >=, 1);
        th_abandon(h, 1, cid);
        tf_rules(f, "");
        th_reset(h, ENVME_RESET_FUNCTION);
        th_enable(h);
        th_queues(h, 2, 16);
        th_assert_sc(th_read(h), SUCCESS);
        tf_done(h, f);
    }
}

/* Counted as other rules are, and on whichever lane. */
static void test_counted(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct th_buf *b = th_buf_new(h, 4096, TH_PRP | TH_CONTIG);
    struct envme_sqe sqe = th_sqe_rw(ENVME_NVM_READ, 1, 0, 8);
    g_autofree char *text = g_strdup_printf(
        "{'name': 'r', 'on': 'dma', 'match': {'address': ['0x%" PRIx64 "', "
        "'0x%" PRIx64 "']}, 'when': {'nth': 5}, 'do': {'dma': 'error'}}",
        seg(b, 0), seg(b, 0));

    tf_rules(f, text);
    th_buf_attach(b, &sqe);
    for (unsigned i = 1; i <= 8; i++) {
        struct envme_cqe c = th_wait(h, 1 + i % 2,
                                     th_submit(h, 1 + i % 2, &sqe));

        g_assert_cmpint(cqe_sc(&c) != 0, ==, i == 5);
    }
    /* It cannot fire any more: the port is the right one again. */
    g_assert_true(envme_dma(h->ctrl) == &h->ctrl->ports.dma);
    th_buf_free(b);
    tf_done(h, f);
}

/* ---- dma: slow --------------------------------------------------------- */

static void test_slow(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct th_buf *b = th_buf_new(h, IO, TH_PRP), *o = th_buf_new(h, IO,
                                                                  TH_PRP);
    struct envme_cqe c;
    uint16_t slow, quick;

    rule_at(f, seg(b, 1), seg(b, 1), "", "{'slow': '20ms'}");
    slow = submit(h, b, ENVME_NVM_READ, 0);
    quick = submit(h, o, ENVME_NVM_READ, 0);
    th_run(h);
    /* The other one does not wait for it. */
    g_assert_true(th_try_wait(h, 1, quick, &c));
    th_assert_sc(c, SUCCESS);
    g_assert_false(th_try_wait(h, 1, slow, &c));
    th_advance(h, 19 * MS);
    g_assert_false(th_try_wait(h, 1, slow, &c));
    th_advance(h, 2 * MS);
    g_assert_true(th_try_wait(h, 1, slow, &c));
    th_assert_sc(c, SUCCESS);
    th_buf_free(b);
    th_buf_free(o);
    tf_done(h, f);
}

/* ---- dma: real threads ------------------------------------------------- */

/* Rules come and go while lanes transfer. */
static void test_threads(void)
{
    static const char *const rules[] = {
        "", "{'name': 'r', 'on': 'dma', 'match': {'access': 'write'}, 'when': "
        "{'every': 3}, 'do': {'dma': {'slow': '1us'}}}",
        "{'name': 'r', 'on': 'dma', 'match': {'address': 1}, "
        "'do': {'dma': 'error'}}",
    };
    struct th *h = th_new(.lanes = 3, .threads = true,
                          .ns = { { .size = 1 * MIB } });
    struct envme_faults *f = envme_faults_new(h->ctrl, &world);
    struct th_buf *b[2];

    th_enable(h);
    th_queues(h, 2, 16);
    for (unsigned q = 0; q < 2; q++) {
        b[q] = th_buf_new(h, IO, TH_PRP);
    }
    for (unsigned i = 0; i < 400; i++) {
        uint16_t cid[2];
        struct envme_cqe c;

        for (unsigned q = 0; q < 2; q++) {
            struct envme_sqe sqe = th_sqe_rw(ENVME_NVM_READ, 1, 16 * i,
                                             IO / 512);

            sqe.cdw10 = le32(i % 64 * 16);
            th_buf_attach(b[q], &sqe);
            cid[q] = th_submit(h, q + 1, &sqe);
        }
        tf_rules(f, rules[i % ENVME_ARRAY_SIZE(rules)]);
        for (unsigned q = 0; q < 2; q++) {
            while (!th_done(h, q + 1, cid[q], &c)) {
                th_advance(h, 1000);
                th_reap(h, q + 1);
                g_usleep(20);
            }
            th_assert_sc(c, SUCCESS);
        }
    }
    th_buf_free(b[0]);
    th_buf_free(b[1]);
    tf_done(h, f);
}

/* ---- the world --------------------------------------------------------- */

static void test_link(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    tf_rules(f, "{'name': 'd', 'match': {'opcode': 'read'}, 'when': {'nth': 2},"
             " 'do': {'link': {'state': 'down', 'for': '5s'}}}");
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmpuint(told_n, ==, 0);
    th_assert_sc(th_read(h), SUCCESS);
    th_run(h);
    g_assert_cmphex(told_wrong, ==, ENVME_BUS_LINK);
    th_advance(h, 4999 * MS);
    g_assert_cmphex(told_wrong, ==, ENVME_BUS_LINK);
    th_advance(h, 2 * MS);
    g_assert_cmphex(told_wrong, ==, 0);
    g_assert_cmpuint(told_n, ==, 2);
    tf_rules(f, "{'name': 'd', 'match': {'opcode': 'read'}, "
             "'do': {'link': {'presence': true}}},"
             "{'name': 'u', 'match': {'opcode': 'write'}, "
             "'do': {'link': 'up'}}");
    th_read(h);
    th_run(h);
    g_assert_cmphex(told_wrong, ==, ENVME_BUS_LINK | ENVME_BUS_KEPT);
    th_write(h);
    th_run(h);
    g_assert_cmphex(told_wrong, ==, 0);
    /* For ever is until there are other rules. */
    th_read(h);
    th_run(h);
    g_assert_cmphex(told_wrong, !=, 0);
    tf_rules(f, "");
    g_assert_cmphex(told_wrong, ==, 0);
    tf_done(h, f);
}

/* Each for itself. */
static void test_several(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    tf_rules(f, "{'name': 'f', 'on': 'state', 'match': {'state': 'flr'}, "
             "'do': {'hang': '3s'}},"
             "{'name': 'd', 'on': 'state', 'match': {'state': 'd0'}, "
             "'do': {'bus-master': {'for': '1s'}}}");
    th_reset(h, ENVME_RESET_FLR);
    g_assert_cmphex(told_wrong, ==, 0);
    envme_ctrl_entered(h->ctrl, ENVME_STATE_FLR);
    /* At once: before the host can look. */
    g_assert_cmphex(told_wrong, ==, ENVME_BUS_HANG);
    envme_ctrl_entered(h->ctrl, ENVME_STATE_D0);
    g_assert_cmphex(told_wrong, ==, ENVME_BUS_HANG | ENVME_BUS_MASTER);
    th_advance(h, 1001 * MS);
    g_assert_cmphex(told_wrong, ==, ENVME_BUS_HANG);
    th_advance(h, 2000 * MS);
    g_assert_cmphex(told_wrong, ==, 0);
    g_assert_cmpint(tf_count(f, "f", "hits"), ==, 1);
    envme_faults_activate(f, false);
    envme_ctrl_entered(h->ctrl, ENVME_STATE_FLR);
    g_assert_cmphex(told_wrong, ==, 0);
    tf_done(h, f);
}

static void test_pcie_error(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    tf_rules(f, "{'name': 'a', 'match': {'opcode': 'read'}, "
             "'do': {'pcie-error': 'receiver-error'}},"
             "{'name': 'b', 'match': {'opcode': 'write'}, "
             "'do': {'pcie-error': 'completion-timeout'}}");
    th_read(h);
    th_run(h);
    g_assert_cmphex(told_error, ==, UINT64_C(0x100000001));
    th_write(h);
    th_run(h);
    g_assert_cmphex(told_error, ==, 0x4000);
    tf_done(h, f);
}

static void wrong(struct envme_faults *f, const char *rule, const char *want)
{
    g_autofree char *file = g_strdup_printf("{'rules': [{'name': 'r', %s}]}",
                                            rule);
    g_autofree char *err = tf_wrong(f, file);

    if (!strstr(err, want)) {
        g_error("'%s' is not in '%s'", want, err);
    }
}

static void test_wrong(void)
{
    struct envme_faults *f;
    struct th *h = host_of(&f, false);

    wrong(f, "'do': {'link': 'down'}", "link cannot be changed");
    wrong(f, "'do': {'hang': '1s'}", "no function");
    wrong(f, "'do': {'bus-master': 'off'}", "no Bus Master");
    wrong(f, "'do': {'pcie-error': 'bad-tlp'}", "no AER");
    tf_done(h, f);
    h = host(&f);
    wrong(f, "'do': {'dma': 'error'}", "cannot be done on \"command\"");
    wrong(f, "'on': 'dma', 'do': {'dma': 'often'}", "not allowed");
    wrong(f, "'do': {'link': 'sideways'}", "not allowed");
    wrong(f, "'do': {'pcie-error': 'bad-luck'}", "not allowed");
    wrong(f, "'do': {'pcie-error': 3}", "a name is wanted");
    wrong(f, "'match': {'address': 5}, 'do': {'skip': true}", "\"on\": "
          "\"dma\"");
    wrong(f, "'on': 'dma', 'match': {'opcode': 'read'}, 'do': {'dma': 'error'}",
          "no command to match");
    wrong(f, "'on': 'state', 'match': {'access': 'read'}, 'do': {'fatal': true}",
          "\"register\" or \"dma\"");
    tf_done(h, f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bus/dma/error", test_error);
    g_test_add_func("/bus/dma/lists", test_lists);
    g_test_add_func("/bus/dma/queue", test_queue);
    g_test_add_func("/bus/dma/counted", test_counted);
    g_test_add_func("/bus/dma/slow", test_slow);
    g_test_add_func("/bus/dma/threads", test_threads);
    g_test_add_func("/bus/link", test_link);
    g_test_add_func("/bus/several", test_several);
    g_test_add_func("/bus/pcie-error", test_pcie_error);
    g_test_add_func("/bus/wrong", test_wrong);
    return g_test_run();
}
