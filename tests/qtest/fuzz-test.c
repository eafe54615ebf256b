/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that has lost its mind: random registers, doorbells, configuration
 * space, commands and addresses for a few seconds. QEMU must survive it, and
 * the controller must work after a reset. ENVME_QTEST_SEED gives another
 * seed, ENVME_QTEST_SECONDS another time.
 */
#include "qnvme.h"

#include "qemu/host-utils.h"

enum { NQ = 4, QSIZE = 32 };

typedef struct Fuzz {
    QNvme *q;
    GRand *r;
    uint64_t mem;           /* 1 MiB that commands point to */
    QnSq *sq[NQ + 1];       /* [0]: admin */
    unsigned ops, starts;
} Fuzz;

static uint32_t pick(Fuzz *f, uint32_t n)
{
    return g_rand_int(f->r) % n;
}

/* Small, huge, or near a power of two. */
static uint32_t odd_value(Fuzz *f)
{
    switch (pick(f, 6)) {
    case 0:
        return pick(f, 16);
    case 1:
        return 0xffffffff - pick(f, 4);
    case 2:
        return (1u << pick(f, 32)) - 1 + pick(f, 3);
    case 3:
        return pick(f, 16) << 16 | pick(f, 16);
    default:
        return g_rand_int(f->r);
    }
}

static uint64_t odd_address(Fuzz *f)
{
    uint64_t in_mem = f->mem + pick(f, 256) * QN_PAGE;

    switch (pick(f, 12)) {
    case 0:
        return f->q->bar[0].addr + pick(f, 0x3000);
    case 1:
        return in_mem + pick(f, QN_PAGE);
    case 2:
        return (uint64_t)odd_value(f) << 32 | odd_value(f);
    case 3:
        return (256ull << 20) - pick(f, 3) * 0x800;
    case 4:
        return f->q->msix_table + pick(f, 64) * 4;
    case 5:
        return in_mem + pick(f, 512) * 8;
    default:
        return in_mem;
    }
}

/*
 * Legal ones of these delete the namespace, give it another format or forbid
 * commands, and the I/O that is verified afterwards would fail as it should.
 */
static bool changes_the_drive(uint8_t opc)
{
    switch (opc) {
    case ENVME_ADM_NS_MGMT:
    case ENVME_ADM_NS_ATTACH:
    case ENVME_ADM_FORMAT:
    case ENVME_ADM_SANITIZE:
    case ENVME_ADM_LOCKDOWN:
        return true;
    default:
        return false;
    }
}

static struct envme_sqe odd_command(Fuzz *f, bool admin)
{
    static const uint8_t admin_opcs[] = {
        0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 0x0d, 0x15, 0x19, 0x1a, 0x7c, 0x80,
    };
    static const uint8_t io_opcs[] = { 0, 1, 2, 4, 5, 8, 9, 0x0c, 0x12, 0x19 };
    struct envme_sqe s;
    uint32_t *words = (uint32_t *)&s;
    unsigned i, end = pick(f, 2) ? 12 : 16;

    memset(&s, 0, sizeof(s));
    s.opc = pick(f, 10) == 0 ? pick(f, 256) :
            admin ? admin_opcs[pick(f, G_N_ELEMENTS(admin_opcs))] :
            io_opcs[pick(f, G_N_ELEMENTS(io_opcs))];
    if (admin && changes_the_drive(s.opc)) {
        s.opc = ENVME_ADM_IDENTIFY;
    }
    s.flags = pick(f, 4) ? 0 : pick(f, 2) ? 0x40 : pick(f, 256);
    /* Half of the admin commands use none, and are refused with one. */
    s.nsid = le32(!pick(f, 8) ? odd_value(f) : admin && pick(f, 2) ? 0 : 1);
    s.dptr.prp1 = le64(odd_address(f));
    s.dptr.prp2 = le64(odd_address(f));
    if (s.flags & 0x40) {
        s.dptr.sgl.len = le32(pick(f, 2) ? pick(f, 64) * 16 : odd_value(f));
        s.dptr.sgl.id = pick(f, 2) ? pick(f, 4) << 4 : pick(f, 256);
    }
    if (!admin && pick(f, 3)) {
        s.cdw10 = le32(pick(f, 4096));
        s.cdw12 = le32(pick(f, 64));
        s.cdw11 = le32(s.opc == ENVME_NVM_DSM ? pick(f, 8) : 0);
        return s;
    }
    if (admin && (s.opc == 1 || s.opc == 5) && pick(f, 3)) {
        s.cdw10 = le32(pick(f, 80) | pick(f, 64) << 16);
        s.cdw11 = le32(pick(f, 4) | pick(f, 8) << 16);
        return s;
    }
    for (i = 10; i < end; i++) {
        words[i] = pick(f, 2) ? odd_value(f) : pick(f, 8);
    }
    return s;
}

/* Queue memory and the rest of what commands point to gets rubbish. */
static void scribble(Fuzz *f)
{
    uint64_t at = f->mem + pick(f, 256) * QN_PAGE + pick(f, 32) * 16;
    uint8_t buf[64];
    unsigned i;

    for (i = 0; i < sizeof(buf); i += 16) {
        struct envme_sgl_desc d = {
            .addr = le64(odd_address(f)),
            .len = le32(pick(f, 2) ? pick(f, 8192) : odd_value(f)),
            .id = pick(f, 4) << 4,
        };

        memcpy(buf + i, &d, sizeof(d));
    }
    qn_write(f->q, at, buf, sizeof(buf));
}

static void fresh_queues(Fuzz *f)
{
    QNvme *q = f->q;
    unsigned i;

    f->starts++;
    qn_pci_restore(q);
    qn_w4(q, ENVME_REG_CC, 0);
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, 0);
    q->ram = f->mem + (1 << 20);        /* the last ones are forgotten */
    qn_enable(q);
    qn_msix_enable(q);
    f->sq[0] = q->asq;
    for (i = 1; i <= NQ; i++) {
        if (f->sq[i]) {
            qn_queue_free(f->sq[i]);
        }
        f->sq[i] = qn_io_queue(q, i, QSIZE, i);
    }
}

static void fuzz_commands(Fuzz *f)
{
    unsigned i = pick(f, NQ + 1), n = 1 + pick(f, 6);
    QnSq *sq = f->sq[i];

    while (n--) {
        qn_push(f->q, sq, odd_command(f, i == 0));
    }
    qn_ring_sq(f->q, sq);
    /* The completions are not looked at, only passed over. */
    sq->cq->head = sq->tail % sq->cq->size;
    if (pick(f, 4)) {
        qn_ring_cq(f->q, sq->cq);
    }
}

static void fuzz_register(Fuzz *f)
{
    QNvme *q = f->q;
    uint64_t off = pick(f, 8) ? pick(f, 0x1c) * 4 : pick(f, 0x2000);
    uint64_t addr = q->bar[0].addr + off;

    if (off == ENVME_REG_CC && pick(f, 4)) {
        return;                 /* not too often: the rest needs life */
    }
    switch (pick(f, 5)) {
    case 0:
        qtest_writeb(q->qts, addr, odd_value(f));
        break;
    case 1:
        qtest_writew(q->qts, addr, odd_value(f));
        break;
    case 2:
        qtest_writeq(q->qts, addr, odd_address(f));
        break;
    case 3:
        qtest_readq(q->qts, addr);
        break;
    default:
        qtest_writel(q->qts, addr, odd_value(f));
        break;
    }
}

static void fuzz_config(Fuzz *f)
{
    QNvme *q = f->q;
    uint8_t off = 0x40 + pick(f, 0xc0);

    switch (pick(f, 6)) {
    case 0:
        qn_set_bme(q, false);
        break;
    case 1:
        qpci_config_writew(q->pdev, PCI_COMMAND, odd_value(f));
        break;
    case 2:
        qpci_config_writel(q->pdev, off & ~3, odd_value(f));
        break;
    case 3:
        qpci_config_writeb(q->pdev, off, odd_value(f));
        break;
    default:
        break;
    }
    qn_pci_restore(q);
}

static void fuzz_one(Fuzz *f)
{
    QNvme *q = f->q;

    f->ops++;
    switch (pick(f, 16)) {
    case 0:
        fuzz_register(f);
        break;
    case 1:
        qn_w4(q, qn_db_off(q, pick(f, 12)), pick(f, 2) ? pick(f, QSIZE) :
              odd_value(f));
        break;
    case 2:
        fuzz_config(f);
        break;
    case 3:
        qtest_writel(q->qts, q->msix_table + pick(f, 256) * 4, odd_value(f));
        break;
    case 4:
    case 5:
    case 6:
        scribble(f);
        break;
    case 7:
        if (!pick(f, 20)) {
            fresh_queues(f);
        }
        break;
    case 8:
        if (qn_csts(q) & ENVME_CSTS_CFS ||
            !(qn_csts(q) & ENVME_CSTS_RDY)) {
            fresh_queues(f);
        }
        break;
    default:
        fuzz_commands(f);
        break;
    }
}

static void test_fuzz(const void *data)
{
    const char *seed = g_getenv("ENVME_QTEST_SEED");
    const char *secs = g_getenv("ENVME_QTEST_SECONDS");
    Fuzz f = { .r = g_rand_new_with_seed(seed ? atoi(seed) : 20) };
    gint64 end;
    unsigned i;

    f.q = qn_open(&(QnConf){
        .props = data, .extra = "-object iothread,id=io0 "
        "-object iothread,id=io1 -object iothread,id=io2" });
    qn_msix_enable(f.q);
    f.mem = qn_alloc(f.q, 1 << 20);
    fresh_queues(&f);
    end = g_get_monotonic_time() + (secs ? atoi(secs) : 5) * 1000000ll;
    while (g_get_monotonic_time() < end) {
        fuzz_one(&f);
    }
    g_test_message("%u operations, %u starts", f.ops, f.starts);
    fresh_queues(&f);
    qn_verify_io(f.q, f.sq[1], 0, 64, 1);
    for (i = 1; i <= NQ; i++) {
        qn_queue_free(f.sq[i]);
    }
    g_rand_free(f.r);
    qn_close(f.q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add_data("/fuzz/main-loop", NULL, test_fuzz, 0);
    qn_add_data("/fuzz/iothreads", "iothreads=io0:io1:io2", test_fuzz, 0);
    return g_test_run();
}
