/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life cycle: enable, ready, fatal, shutdown, NSSR. Base 2.1, 3.5 to 3.7.
 */
#include "qnvme.h"

static void test_enable_disable(void)
{
    QNvme *q = qn_open(NULL);
    int i;

    for (i = 0; i < 5; i++) {
        g_assert_cmphex(qn_csts(q), ==, 0);
        qn_enable(q);
        g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
        qn_disable(q);
    }
    /* The admin queue registers outlive a controller reset. */
    g_assert_cmphex(qn_r8(q, ENVME_REG_ASQ), ==, q->asq->addr);
    g_assert_cmphex(qn_r8(q, ENVME_REG_ACQ), ==, q->acq->addr);
    g_assert_cmphex(qn_r4(q, ENVME_REG_AQA), ==, 0x001f001f);
    g_assert_cmphex(qn_csts(q), ==, 0);
    qn_check_alive(q, true);
    qn_close(q);
}

/* Linux since 5.19 writes the fields first and EN afterwards. */
static void test_cc_in_two_writes(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c;

    qn_admin_queues(q, 32, 32);
    qn_w4(q, ENVME_REG_CC, QN_CC);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CC), ==, QN_CC);
    g_assert_cmphex(qn_csts(q), ==, 0);
    qn_enable_cc(q, QN_CC);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CC), ==, QN_CC | ENVME_CC_EN);
    c = qn_admin(q, qn_identify(1, 0, buf));
    qn_assert_ok(c);
    qn_close(q);
}

/*
 * CC values that no controller can accept: CFS or simply never ready, and
 * the other bits stay as they are; the next enable is good.
 */
static void test_bad_cc(void)
{
    QNvme *q = qn_open(NULL);
    const struct { const char *what; uint32_t cc; } bad[] = {
        { "MPS above MPSMAX", QN_CC | FIELD_SET(ENVME_CC_MPS,
            FIELD_GET(ENVME_CAP_MPSMAX, q->cap) + 1) },
        { "MPS 15", QN_CC | FIELD_SET(ENVME_CC_MPS, 15) },
        { "CSS 1", QN_CC | FIELD_SET(ENVME_CC_CSS, 1) },
        { "CSS 5", QN_CC | FIELD_SET(ENVME_CC_CSS, 5) },
        { "AMS 2", QN_CC | FIELD_SET(ENVME_CC_AMS, 2) },
        { "AMS 6", QN_CC | FIELD_SET(ENVME_CC_AMS, 6) },
        { "IOSQES 5", FIELD_SET(ENVME_CC_IOSQES, 5) |
                      FIELD_SET(ENVME_CC_IOCQES, 4) },
        { "IOSQES 15", FIELD_SET(ENVME_CC_IOSQES, 15) |
                       FIELD_SET(ENVME_CC_IOCQES, 4) },
        { "IOCQES 3", FIELD_SET(ENVME_CC_IOSQES, 6) |
                      FIELD_SET(ENVME_CC_IOCQES, 3) },
        { "IOCQES 7", FIELD_SET(ENVME_CC_IOSQES, 6) |
                      FIELD_SET(ENVME_CC_IOCQES, 7) },
    };
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        uint32_t csts;

        g_test_message("%s", bad[i].what);
        qn_admin_queues(q, 32, 32);
        qn_w4(q, ENVME_REG_CC, bad[i].cc | ENVME_CC_EN);
        qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_CFS, ENVME_CSTS_CFS);
        csts = qn_csts(q);
        g_assert_cmphex(csts & ~ENVME_CSTS_CFS, ==, 0);
        qn_w4(q, ENVME_REG_CC, 0);
        qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_CFS | ENVME_CSTS_RDY, 0);
        qn_check_alive(q, false);
        qn_disable(q);
    }
    qn_close(q);
}

/* Drivers set these only when they know of I/O queues: 0 must enable, and
 * then no I/O queue can be made. */
static void test_zero_entry_sizes(void)
{
    QNvme *q = qn_open(NULL);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    QnCq *cq;
    struct envme_cqe c;

    qn_admin_queues(q, 32, 32);
    qn_enable_cc(q, 0);
    c = qn_admin(q, qn_identify(1, 0, buf));
    qn_assert_ok(c);
    cq = qn_cq_new(q, 1, 16, 0);
    c = qn_admin(q, qn_create_cq(cq, false));
    g_assert_cmphex(qn_status(&c), !=, ENVME_SC_SUCCESS);
    g_free(cq);
    qn_close(q);
}

/* bhyve PR 256319 and others: admin queues that cannot be. */
static void test_bad_admin_queues(void)
{
    QNvme *q = qn_open(NULL);
    static const struct { uint32_t aqa; uint64_t asq, acq; } bad[] = {
        { 0x00000000, 0x1000000, 0x1001000 },       /* sizes of 1 entry */
        { 0x001f0000, 0x1000000, 0x1001000 },
        { 0x0000001f, 0x1000000, 0x1001000 },
        { 0x0fff0fff, 0xfffffffffffff000, 0x1001000 },
        { 0x0fff0fff, 0x1000000, 0xfffffffffffff000 },
        { 0x001f001f, 0x8000000000000000, 0x8000000000001000 },
        { 0x001f001f, 0, 0 },
    };
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        qn_w4(q, ENVME_REG_AQA, bad[i].aqa);
        qn_w8(q, ENVME_REG_ASQ, bad[i].asq);
        qn_w8(q, ENVME_REG_ACQ, bad[i].acq);
        qn_w4(q, ENVME_REG_CC, QN_CC | ENVME_CC_EN);
        qn_w4(q, qn_db_off(q, 0), 1);
        qn_sleep(q, 2);
        if (i >= 3 && i <= 5) {
            uint32_t csts = qn_csts(q);

            /* It cannot fetch or cannot post, whichever comes first. */
            g_assert_cmphex(csts & ENVME_CSTS_SHST, ==, 0);
        }
        qn_w4(q, ENVME_REG_CC, 0);
        qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY | ENVME_CSTS_CFS, 0);
        qn_check_alive(q, false);
        qn_disable(q);
    }
    qn_close(q);
}

static void shutdown_with(uint32_t shn)
{
    QNvme *q = qn_start(NULL);
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, 64 * 512);
    struct envme_cqe c;

    qn_verify_io(q, sq, 0, 64, 7);
    qn_queue_free(sq);
    qn_w4(q, ENVME_REG_CC, QN_CC | ENVME_CC_EN |
          FIELD_SET(ENVME_CC_SHN, shn));
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_SHST,
            FIELD_SET(ENVME_CSTS_SHST, ENVME_CSTS_SHST_COMPLETE));
    g_assert_cmphex(qn_csts(q) & ENVME_CSTS_CFS, ==, 0);
    /* From there a reset leads back to life, and the data is there. */
    qn_disable(q);
    g_assert_cmphex(qn_csts(q) & ENVME_CSTS_SHST, ==, 0);
    qn_check_alive(q, true);
    sq = qn_io_queue(q, 2, 16, -1);
    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 64, buf));
    qn_assert_ok(c);
    g_assert_true(qn_matches(q, buf, 64 * 512, 7));
    qn_queue_free(sq);
    qn_close(q);
}

static void test_shutdown_normal(void)
{
    shutdown_with(ENVME_CC_SHN_NORMAL);
}

static void test_shutdown_abrupt(void)
{
    shutdown_with(ENVME_CC_SHN_ABRUPT);
}

/* Shutdown of a controller that was never enabled. */
static void test_shutdown_disabled(void)
{
    QNvme *q = qn_open(NULL);

    qn_w4(q, ENVME_REG_CC, FIELD_SET(ENVME_CC_SHN, ENVME_CC_SHN_NORMAL));
    qn_sleep(q, 5);
    g_assert_cmphex(qn_csts(q) & (ENVME_CSTS_RDY | ENVME_CSTS_CFS), ==, 0);
    qn_w4(q, ENVME_REG_CC, 0);
    qn_check_alive(q, true);
    qn_close(q);
}

/* Shutdown and disable in one write, as some firmware does. */
static void test_shutdown_and_disable(void)
{
    QNvme *q = qn_start(NULL);

    qn_w4(q, ENVME_REG_CC, QN_CC | FIELD_SET(ENVME_CC_SHN,
                                             ENVME_CC_SHN_NORMAL));
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, 0);
    qn_w4(q, ENVME_REG_CC, 0);
    qn_check_alive(q, true);
    qn_close(q);
}

static void test_nssr(void)
{
    QNvme *q = qn_start(NULL);

    if (!(q->cap & ENVME_CAP_NSSRS)) {
        g_test_skip("CAP.NSSRS is 0");
        qn_close(q);
        return;
    }
    /* Any other value is nothing. */
    qn_w4(q, ENVME_REG_NSSR, 0x12345678);
    qn_sleep(q, 2);
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
    qn_w4(q, ENVME_REG_NSSR, ENVME_NSSR_KEY);
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY | ENVME_CSTS_NSSRO,
            ENVME_CSTS_NSSRO);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CC) & ENVME_CC_EN, ==, 0);
    g_assert_cmphex(qn_r4(q, ENVME_REG_NSSR), ==, 0);
    /* Write 1 to clear; a controller reset alone does not. */
    qn_w4(q, ENVME_REG_CSTS, ~ENVME_CSTS_NSSRO);
    g_assert_cmphex(qn_csts(q) & ENVME_CSTS_NSSRO, !=, 0);
    qn_check_alive(q, true);
    qn_w4(q, ENVME_REG_CSTS, ENVME_CSTS_NSSRO);
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
    qn_close(q);
}

/*
 * CFS from a queue that cannot be posted to: RDY stays, a reset recovers. The
 * admin CQ lies in another device's memory, which goes away.
 */
static void test_cfs_keeps_rdy(void)
{
    QNvme *q = qn_open(&(QnConf){
        .extra = "-object memory-backend-ram,id=shm,size=1M,share=on "
                 "-device ivshmem-plain,memdev=shm,addr=6" });
    QPCIDevice *shm = qpci_device_find(q->bus, QPCI_DEVFN(6, 0));
    struct envme_sqe s = qn_identify(1, 0, 0x2000000);
    struct envme_cqe c;

    qpci_device_enable(shm);
    qn_admin_queues(q, 32, 32);
    q->acq->addr = qpci_iomap(shm, 2, NULL).addr;
    qn_w8(q, ENVME_REG_ACQ, q->acq->addr);
    qn_enable_cc(q, QN_CC);
    c = qn_admin(q, s);
    qn_assert_ok(c);
    qpci_config_writew(shm, PCI_COMMAND, 0);
    qn_push(q, q->asq, s);
    qn_ring_sq(q, q->asq);
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_CFS, ENVME_CSTS_CFS);
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY | ENVME_CSTS_CFS);
    qn_push(q, q->asq, s);
    qn_ring_sq(q, q->asq);
    qn_sleep(q, 2);
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY | ENVME_CSTS_CFS);
    qn_check_alive(q, true);
    g_free(shm);
    qn_close(q);
}

/* A memory page of another size. */
static void test_mps(void)
{
    QNvme *q = qn_open(NULL);
    unsigned max = FIELD_GET(ENVME_CAP_MPSMAX, q->cap), mps;

    for (mps = 0; mps <= max; mps++) {
        uint64_t buf, page = 4096ull << mps;
        struct envme_cqe c;
        struct envme_sqe s;
        g_autofree QnSq *sq = NULL;
        g_autofree QnCq *cq = NULL;

        qn_admin_queues(q, 32, 32);
        /* The driver allocates by 4 KiB: give it aligned room. */
        q->ram = ROUND_UP(q->ram, page);
        qn_w8(q, ENVME_REG_ASQ, q->asq->addr = qn_alloc(q, page));
        qn_w8(q, ENVME_REG_ACQ, q->acq->addr = qn_alloc(q, page));
        qtest_memset(q->qts, q->acq->addr, 0, page);
        qn_enable_cc(q, QN_CC | FIELD_SET(ENVME_CC_MPS, mps));
        buf = qn_alloc(q, 2 * page);
        c = qn_admin(q, qn_identify(1, 0, buf));
        qn_assert_ok(c);
        q->ram = ROUND_UP(q->ram, page);
        cq = qn_cq_new(q, 1, MIN(page / 16, 2048), 0);
        q->ram = ROUND_UP(q->ram, page);
        sq = qn_sq_new(q, 1, MIN(page / 64, 2048), cq);
        q->ram = ROUND_UP(q->ram, page);
        c = qn_admin(q, qn_create_cq(cq, false));
        qn_assert_ok(c);
        c = qn_admin(q, qn_create_sq(sq));
        qn_assert_ok(c);
        /* One page and a bit: PRP2 is the next page. */
        s = qn_sqe(ENVME_NVM_WRITE, 1);
        s.cdw12 = le32(page / 512);
        qn_fill(q, buf, page + 512, mps);
        s.dptr.prp1 = le64(buf);
        s.dptr.prp2 = le64(buf + page);
        c = qn_cmd(q, sq, s);
        qn_assert_ok(c);
        s.opc = ENVME_NVM_READ;
        qn_fill(q, buf, page + 512, 99);
        c = qn_cmd(q, sq, s);
        qn_assert_ok(c);
        g_assert_true(qn_matches(q, buf, page + 512, mps));
        qn_disable(q);
    }
    qn_close(q);
}

/* Features have their defaults again after a reset. */
static void test_features_reset(void)
{
    enum { FID_AEC = 0x0b, FID_COALESCE = 0x08 };
    QNvme *q = qn_start(NULL);
    struct envme_cqe c;
    uint32_t aec, coal;

    c = qn_admin(q, qn_feature(false, FID_AEC, 0));
    qn_assert_ok(c);
    aec = le32_get(c.dw0);
    c = qn_admin(q, qn_feature(false, FID_COALESCE, 0));
    qn_assert_ok(c);
    coal = le32_get(c.dw0);
    c = qn_admin(q, qn_feature(true, FID_AEC, aec ^ 0x1));
    qn_assert_ok(c);
    c = qn_admin(q, qn_feature(true, FID_COALESCE, 0x0a05));
    qn_assert_ok(c);
    c = qn_admin(q, qn_feature(false, FID_AEC, 0));
    g_assert_cmphex(le32_get(c.dw0), ==, aec ^ 0x1);
    qn_disable(q);
    qn_enable(q);
    c = qn_admin(q, qn_feature(false, FID_AEC, 0));
    g_assert_cmphex(le32_get(c.dw0), ==, aec);
    c = qn_admin(q, qn_feature(false, FID_COALESCE, 0));
    g_assert_cmphex(le32_get(c.dw0), ==, coal);
    qn_close(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add("/life/enable-disable", test_enable_disable, QN_SMOKE);
    qn_add("/life/cc-in-two-writes", test_cc_in_two_writes, 0);
    qn_add("/life/bad-cc", test_bad_cc, QN_SMOKE);
    qn_add("/life/zero-entry-sizes", test_zero_entry_sizes, 0);
    qn_add("/life/bad-admin-queues", test_bad_admin_queues, 0);
    qn_add("/life/shutdown-normal", test_shutdown_normal, QN_SMOKE);
    qn_add("/life/shutdown-abrupt", test_shutdown_abrupt, 0);
    qn_add("/life/shutdown-disabled", test_shutdown_disabled, 0);
    qn_add("/life/shutdown-and-disable", test_shutdown_and_disable, 0);
    qn_add("/life/nssr", test_nssr, 0);
    qn_add("/life/cfs-keeps-rdy", test_cfs_keeps_rdy, 0);
    qn_add("/life/mps", test_mps, 0);
    qn_add("/life/features-reset", test_features_reset, 0);
    return g_test_run();
}
