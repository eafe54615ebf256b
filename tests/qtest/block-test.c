/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is behind the namespaces: drives of several kinds, memory, threads,
 * failing backends, resizing.
 */
#include "envme/id.h"
#include "qnvme.h"

#include "envme/log.h"

/* Every I/O command on a good drive, and the data seen through each. */
static void exercise(QNvme *q, unsigned nqueues)
{
    QnSq *sq[8];
    struct envme_cqe c;
    uint64_t buf = qn_alloc(q, 32 * 512), zero = qn_alloc(q, 32 * 512);
    uint64_t range = qn_alloc(q, QN_PAGE);
    unsigned i, k;

    g_assert_cmpuint(nqueues, <=, G_N_ELEMENTS(sq));
    qtest_memset(q->qts, zero, 0, 32 * 512);
    for (i = 0; i < nqueues; i++) {
        sq[i] = qn_io_queue(q, i + 1, 16, -1);
    }
    for (k = 0; k < 3; k++) {
        for (i = 0; i < nqueues; i++) {
            struct envme_sqe s;
            uint64_t lba = 4096 * i + 32 * k;

            qn_verify_io(q, sq[i], lba, 32, i + 100 * k);
            /* Seen by the next queue, which may be of another thread. */
            c = qn_cmd(q, sq[(i + 1) % nqueues],
                       qn_rw(q, ENVME_NVM_READ, lba, 32, buf));
            qn_assert_ok(c);
            g_assert_true(qn_matches(q, buf, 32 * 512, i + 100 * k));
            c = qn_cmd(q, sq[i], qn_rw(q, ENVME_NVM_COMPARE, lba, 32, buf));
            qn_assert_ok(c);
            c = qn_cmd(q, sq[i], qn_rw(q, ENVME_NVM_COMPARE, lba, 32, zero));
            qn_assert_sc(c, ENVME_SC_COMPARE_FAILURE);
            c = qn_cmd(q, sq[i], qn_sqe(ENVME_NVM_FLUSH, 1));
            qn_assert_ok(c);
            s = qn_rw(q, ENVME_NVM_WRITE, lba, 32, buf);
            s.cdw12 = le32(le32_get(s.cdw12) | ENVME_RW_FUA);
            c = qn_cmd(q, sq[i], s);
            qn_assert_ok(c);
            c = qn_cmd(q, sq[i], qn_rw(q, ENVME_NVM_VERIFY, lba, 32, 0));
            qn_assert_ok(c);
            c = qn_cmd(q, sq[i], qn_rw(q, ENVME_NVM_WRITE_ZEROES, lba, 16,
                                       0));
            qn_assert_ok(c);
            c = qn_cmd(q, sq[i], qn_rw(q, ENVME_NVM_COMPARE, lba, 16, zero));
            qn_assert_ok(c);
            /* Deallocate the rest: done or not, it must be taken. */
            qtest_writel(q->qts, range, 0);
            qtest_writel(q->qts, range + 4, 16);
            qtest_writeq(q->qts, range + 8, lba + 16);
            s = qn_sqe(ENVME_NVM_DSM, 1);
            s.cdw11 = le32(ENVME_DSM_AD);
            s.dptr.prp1 = le64(range);
            c = qn_cmd(q, sq[i], s);
            qn_assert_ok(c);
        }
    }
    for (i = 0; i < nqueues; i++) {
        qn_queue_free(sq[i]);
    }
}

static void run_with(const char *drive, const char *props, unsigned nqueues)
{
    QNvme *q = qn_start(&(QnConf){
        .drive = drive, .props = props,
        .extra = "-object iothread,id=io0 -object iothread,id=io1 "
                 "-object iothread,id=io2 -object iothread,id=io3" });

    exercise(q, nqueues);
    qn_check_alive(q, true);
    qn_close(q);
}

static void test_raw(const void *data)
{
    run_with(QN_RAW, data, 8);
}

static char *make_image(const char *name, const char *format)
{
    char *path = qn_tmp(name);
    g_autofree char *line = g_strdup_printf("%s create -q -f %s %s 64M",
        g_getenv("QTEST_QEMU_IMG"), format, path);
    int status;

    g_assert_true(g_spawn_command_line_sync(line, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    return path;
}

static void test_qcow2(const void *data)
{
    g_autofree char *img = make_image("d.qcow2", "qcow2");
    g_autofree char *drive = g_strdup_printf("format=qcow2,file=%s,"
                                             "discard=unmap", img);

    run_with(drive, data, 3);
}

static void test_aio(const void *data)
{
    g_autofree char *img = qn_image("d.raw", QN_DRIVE_SIZE);
    g_autofree char *drive = g_strdup_printf("format=raw,file=%s,aio=%s", img,
                                             (const char *)data);

    run_with(drive, NULL, 2);
    run_with(drive, "iothread=io0", 2);
}

static void test_memdev(const void *data)
{
    const char *iothread = data;
    g_autofree char *props = g_strdup_printf("memdev=m0%s", iothread);
    QNvme *q = qn_start(&(QnConf){
        .no_drive = true, .props = props,
        .extra = "-object memory-backend-ram,id=m0,size=64M "
                 "-object iothread,id=io0" });

    exercise(q, 3);
    qn_check_alive(q, true);
    qn_close(q);
}

/* MDTS 0: one command moves as much as its NLB can say, in and out. */
static void test_no_mdts(const void *data)
{
    static const uint32_t nlb = 65536;      /* 32 MiB */
    const QnConf *conf = data;
    QNvme *q = qn_start(conf);
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t out = qn_alloc(q, nlb * 512ull), in = qn_alloc(q, nlb * 512ull);
    uint64_t id = qn_alloc(q, QN_PAGE), rss;
    struct envme_cqe c;

    c = qn_cmd(q, q->asq, qn_identify(ENVME_CNS_CTRL, 0, id));
    qn_assert_ok(c);
    g_assert_cmpuint(qtest_readb(q->qts, id + 77), ==, 0);
    for (uint32_t at = 0; at < nlb * 512; at += 1 << 20) {
        qtest_memset(q->qts, out + at, at >> 20 | 0x80, 1 << 20);
        qn_fill(q, out + at, 512, at);
    }
    rss = qn_rss_kib(q);
    for (unsigned i = 0; i < 3; i++) {
        qtest_memset(q->qts, in, 0, nlb * 512ull);
        c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_WRITE, i, nlb, out));
        qn_assert_ok(c);
        c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, i, nlb, in));
        qn_assert_ok(c);
        for (uint32_t at = 0; at < nlb * 512; at += 1 << 20) {
            uint8_t page[4096];

            g_assert_true(qn_matches(q, in + at, 512, at));
            qtest_memread(q->qts, in + at + (1 << 20) - 4096, page, 4096);
            for (unsigned k = 0; k < 4096; k++) {
                g_assert_cmphex(page[k], ==, at >> 20 | 0x80);
            }
        }
    }
    /* What it moves is not kept. The media's own memory may have grown. */
    g_assert_cmpuint(qn_rss_kib(q), <, rss + 160 * 1024);
    qn_queue_free(sq);
    qn_close(q);
}

/* Stores nothing: only the statuses are of interest. */
static void test_null(void)
{
    QNvme *q = qn_start(&(QnConf){ .drive = QN_NULL });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, QN_PAGE), zero = qn_alloc(q, QN_PAGE);
    struct envme_cqe c;

    qn_fill(q, buf, QN_PAGE, 1);
    qtest_memset(q->qts, zero, 0, QN_PAGE);
    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 8, buf));
    qn_assert_ok(c);
    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_COMPARE, 0, 8, zero));
    qn_assert_ok(c);
    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_WRITE, 0, 8, buf));
    qn_assert_ok(c);
    qn_queue_free(sq);
    qn_close(q);
}

static void test_read_only(void)
{
    g_autofree char *img = qn_image("ro.raw", QN_DRIVE_SIZE);
    g_autofree char *drive = g_strdup_printf("format=raw,file=%s,"
                                             "readonly=on", img);
    static const uint8_t writes[] = {
        ENVME_NVM_WRITE, ENVME_NVM_WRITE_ZEROES,
    };
    QNvme *q = qn_start(&(QnConf){ .drive = drive });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c;
    unsigned i;

    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 8, buf));
    qn_assert_ok(c);
    for (i = 0; i < G_N_ELEMENTS(writes); i++) {
        c = qn_cmd(q, sq, qn_rw(q, writes[i], 0, 8, buf));
        qn_assert_sc(c, ENVME_SC_NS_WRITE_PROTECTED);
    }
    c = qn_cmd(q, sq, qn_sqe(ENVME_NVM_FLUSH, 1));
    qn_assert_ok(c);
    /* NSATTR, bit 0. */
    c = qn_admin(q, qn_identify(0, 1, buf));
    qn_assert_ok(c);
    g_assert_cmphex(qtest_readb(q->qts, buf + 99) & 1, ==, 1);
    qn_queue_free(sq);
    qn_close(q);
}

static void test_block_size(const void *data)
{
    unsigned bs = atoi(data);
    g_autofree char *props = g_strdup_printf(
        "logical_block_size=%u,physical_block_size=%u", bs, bs);
    QNvme *q = qn_start(&(QnConf){ .props = props });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, 4 * bs), back = qn_alloc(q, 4 * bs);
    uint64_t id = qn_alloc(q, QN_PAGE), n = QN_DRIVE_SIZE / bs;
    struct envme_sqe s;
    struct envme_cqe c;
    unsigned lbaf;

    c = qn_admin(q, qn_identify(0, 1, id));
    qn_assert_ok(c);
    g_assert_cmphex(qtest_readq(q->qts, id), ==, n);
    lbaf = qtest_readb(q->qts, id + 26) & 0xf;
    g_assert_cmpuint(1u << qtest_readb(q->qts, id + 128 + 4 * lbaf + 2), ==,
                     bs);
    qn_fill(q, buf, 4 * bs, bs);
    s = qn_sqe(ENVME_NVM_WRITE, 1);
    s.cdw10 = le32(n - 4);
    s.cdw12 = le32(3);
    qn_set_prps(q, &s, buf, 4 * bs);
    c = qn_cmd(q, sq, s);
    qn_assert_ok(c);
    s.opc = ENVME_NVM_READ;
    qn_set_prps(q, &s, back, 4 * bs);
    c = qn_cmd(q, sq, s);
    qn_assert_ok(c);
    g_assert_true(qn_matches(q, back, 4 * bs, bs));
    s.cdw10 = le32(n - 3);
    c = qn_cmd(q, sq, s);
    qn_assert_sc(c, ENVME_SC_LBA_RANGE);
    qn_queue_free(sq);
    qn_close(q);
}

/* ---- resize ------------------------------------------------------------ */

static void resize(QNvme *q, uint64_t size)
{
    qtest_qmp_assert_success(q->qts, "{'execute': 'block_resize',"
        " 'arguments': {'device': 'd0', 'size': %" PRIu64 "}}", size);
}

static void test_resize(const void *data)
{
    QNvme *q = qn_start(&(QnConf){
        .props = data, .extra = "-object iothread,id=io0" });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, QN_PAGE), n = QN_DRIVE_SIZE / 512;
    struct envme_cqe c;
    uint32_t dw0;

    c = qn_admin(q, qn_feature(true, 0x0b, 1u << 8));
    qn_assert_ok(c);
    qn_push(q, q->asq, qn_sqe(ENVME_ADM_AER, 0));
    qn_ring_sq(q, q->asq);
    qn_assert_quiet(q, q->acq, 2);
    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, n, 8, buf));
    qn_assert_sc(c, ENVME_SC_LBA_RANGE);
    resize(q, 2 * QN_DRIVE_SIZE);
    c = qn_reap(q, q->acq);
    qn_assert_ok(c);
    dw0 = le32_get(c.dw0);
    g_assert_cmphex(FIELD_GET(ENVME_AER_TYPE, dw0), ==,
                    ENVME_AEN_TYPE_NOTICE);
    g_assert_cmphex(FIELD_GET(ENVME_AER_INFO, dw0), ==, 0);
    g_assert_cmphex(FIELD_GET(ENVME_AER_LID, dw0), ==, ENVME_LID_CHANGED_NS);
    c = qn_admin(q, qn_getlog(ENVME_LID_CHANGED_NS, 0, 4096, buf));
    qn_assert_ok(c);
    g_assert_cmphex(qtest_readq(q->qts, buf), ==, 1);
    c = qn_admin(q, qn_identify(0, 1, buf));
    qn_assert_ok(c);
    g_assert_cmphex(qtest_readq(q->qts, buf), ==, 2 * n);
    qn_verify_io(q, sq, 2 * n - 8, 8, 7);
    /* And smaller again. */
    qn_push(q, q->asq, qn_sqe(ENVME_ADM_AER, 0));
    qn_ring_sq(q, q->asq);
    resize(q, QN_DRIVE_SIZE / 2);
    c = qn_reap(q, q->acq);
    qn_assert_ok(c);
    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, n - 8, 8, buf));
    qn_assert_sc(c, ENVME_SC_LBA_RANGE);
    qn_verify_io(q, sq, n / 2 - 8, 8, 8);
    qn_queue_free(sq);
    qn_close(q);
}

/* ---- backends that fail ------------------------------------------------ */

static char *failing_drive(const char *iotype, int err, bool once)
{
    g_autofree char *img = qn_image("f.raw", QN_DRIVE_SIZE);

    return g_strdup_printf(
        "driver=blkdebug,image.driver=file,image.filename=%s,"
        "inject-error.0.event=none,inject-error.0.iotype=%s,"
        "inject-error.0.errno=%d,inject-error.0.sector=2048,"
        "inject-error.0.once=%s", img, iotype, err, once ? "on" : "off");
}

typedef struct Fail {
    const char *iotype, *props;
    int err;
    uint8_t opc;
    uint16_t status;
} Fail;

static void test_report(const void *data)
{
    const Fail *f = data;
    g_autofree char *drive = failing_drive(f->iotype, f->err, false);
    QNvme *q = qn_start(&(QnConf){
        .drive = drive, .props = f->props,
        .extra = "-object iothread,id=io0" });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, QN_PAGE), log = qn_alloc(q, QN_PAGE);
    struct envme_cqe c;

    qn_verify_io(q, sq, 0, 8, 3);
    c = qn_cmd(q, sq, qn_rw(q, f->opc, 2048, 8, buf));
    qn_assert_sc(c, f->status);
    c = qn_admin(q, qn_getlog(ENVME_LID_ERROR, 0, 64, log));
    qn_assert_ok(c);
    g_assert_cmpuint(qtest_readw(q->qts, log + 8), ==, 1);  /* SQID */
    g_assert_cmphex(qtest_readq(q->qts, log + 16), ==, 2048);   /* LBA */
    /* What was acknowledged stays. */
    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 8, buf));
    qn_assert_ok(c);
    g_assert_true(qn_matches(q, buf, QN_PAGE, 3));
    qn_queue_free(sq);
    qn_close(q);
}

/* What the machine does while it is stopped for an error. */
static void check_stop(const char *iothread, int then)
{
    g_autofree char *drive = failing_drive("write", ENOSPC, true);
    g_autofree char *props = g_strdup_printf("werror=stop,rerror=stop%s",
                                             iothread);
    QNvme *q = qn_start(&(QnConf){
        .drive = drive, .props = props,
        .extra = "-object iothread,id=io0" });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c;

    qn_fill(q, buf, QN_PAGE, 4);
    qn_push(q, sq, qn_rw(q, ENVME_NVM_WRITE, 2048, 8, buf));
    qn_ring_sq(q, sq);
    qtest_qmp_eventwait(q->qts, "STOP");
    qn_assert_quiet(q, sq->cq, 10);
    if (then == 0) {
        qtest_qmp_assert_success(q->qts, "{'execute': 'cont'}");
        c = qn_reap(q, sq->cq);
        qn_assert_ok(c);
        qtest_memset(q->qts, buf, 0, QN_PAGE);
        c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, 2048, 8, buf));
        qn_assert_ok(c);
        g_assert_true(qn_matches(q, buf, QN_PAGE, 4));
    } else if (then == 1) {
        qtest_system_reset(q->qts);
        qtest_qmp_assert_success(q->qts, "{'execute': 'cont'}");
        qn_check_alive(q, true);
    }                                   /* else QEMU quits */
    qn_queue_free(sq);
    qn_close(q);
}

static void test_stop_cont(const void *data)
{
    check_stop(data, 0);
}

static void test_stop_reset(const void *data)
{
    check_stop(data, 1);
}

static void test_stop_quit(const void *data)
{
    check_stop(data, 2);
}

/* A throttled drive and QEMU's block jobs drain the device's requests. */
static void test_drain(const void *data)
{
    QNvme *q = qn_start(&(QnConf){
        .drive = QN_SLOW(3000000), .props = data,
        .extra = "-object iothread,id=io0" });
    QnSq *sq = qn_io_queue(q, 1, 64, -1);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    g_autofree char *snap = qn_tmp("snap.qcow2");
    struct envme_cqe c;
    int i, n;

    for (n = 0; n < 5; n++) {
        for (i = 0; i < 32; i++) {
            qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, i, 8, buf));
        }
        qn_ring_sq(q, sq);
        if (n == 2) {
            qtest_qmp_assert_success(q->qts,
                "{'execute': 'blockdev-snapshot-sync', 'arguments':"
                " {'device': 'd0', 'snapshot-file': %s}}", snap);
        }
        for (i = 0; i < 32; i++) {
            c = qn_reap(q, sq->cq);
            qn_assert_ok(c);
        }
    }
    qn_queue_free(sq);
    qn_close(q);
}

static const QnConf no_mdts[] = {
    { .props = "mdts=0" },
    { .props = "mdts=0,iothread=io0", .extra = "-object iothread,id=io0" },
    { .props = "mdts=0,memdev=m0", .no_drive = true,
      .extra = "-object memory-backend-ram,id=m0,size=64M" },
};

int main(int argc, char **argv)
{
    static const Fail fails[] = {
        { "read", "rerror=report", EIO, ENVME_NVM_READ,
          ENVME_SC_UNRECOVERED_READ },
        { "write", "werror=report", EIO, ENVME_NVM_WRITE,
          ENVME_SC_WRITE_FAULT },
        { "write", "werror=report", ENOSPC, ENVME_NVM_WRITE,
          ENVME_SC_CAP_EXCEEDED },
        { "read", "rerror=report,iothread=io0", EIO, ENVME_NVM_READ,
          ENVME_SC_UNRECOVERED_READ },
    };

    g_test_init(&argc, &argv, NULL);
    qn_add_data("/block/raw/iothreads-0", NULL, test_raw, QN_SMOKE);
    qn_add_data("/block/raw/iothreads-1", "iothread=io0", test_raw, QN_SMOKE);
    qn_add_data("/block/raw/iothreads-4", "iothreads=io0:io1:io2:io3",
                test_raw, QN_SMOKE);
    qn_add_data("/block/qcow2/iothreads-0", NULL, test_qcow2, 0);
    qn_add_data("/block/qcow2/iothreads-4", "iothreads=io0:io1:io2:io3",
                test_qcow2, 0);
    qn_add_data("/block/memdev/main-loop", "", test_memdev, 0);
    qn_add_data("/block/memdev/iothread", ",iothread=io0", test_memdev, 0);
    qn_add_data("/block/aio/native", "native,cache=none", test_aio, 0);
    qn_add_data("/block/aio/io_uring", "io_uring", test_aio, 0);
    qn_add_data("/block/no-mdts/raw", &no_mdts[0], test_no_mdts, 0);
    qn_add_data("/block/no-mdts/iothread", &no_mdts[1], test_no_mdts, 0);
    qn_add_data("/block/no-mdts/memdev", &no_mdts[2], test_no_mdts, 0);
    qn_add("/block/null", test_null, 0);
    qn_add("/block/read-only", test_read_only, 0);
    qn_add_data("/block/size-4096", "4096", test_block_size, 0);
    qn_add_data("/block/size-65536", "65536", test_block_size, 0);
    qn_add_data("/block/resize/main-loop", NULL, test_resize, 0);
    qn_add_data("/block/resize/iothread", "iothread=io0", test_resize, 0);
    qn_add_data("/block/report/read-eio", &fails[0], test_report, 0);
    qn_add_data("/block/report/write-eio", &fails[1], test_report, 0);
    qn_add_data("/block/report/write-enospc", &fails[2], test_report, 0);
    qn_add_data("/block/report/read-eio-iothread", &fails[3], test_report, 0);
    qn_add_data("/block/stop-cont/main-loop", "", test_stop_cont, 0);
    qn_add_data("/block/stop-cont/iothread", ",iothread=io0", test_stop_cont,
                0);
    qn_add_data("/block/stop-reset/main-loop", "", test_stop_reset, 0);
    qn_add_data("/block/stop-reset/iothread", ",iothread=io0",
                test_stop_reset, 0);
    qn_add_data("/block/stop-quit/main-loop", "", test_stop_quit, 0);
    qn_add_data("/block/stop-quit/iothread", ",iothread=io0", test_stop_quit,
                0);
    qn_add_data("/block/drain/main-loop", NULL, test_drain, 0);
    qn_add_data("/block/drain/iothread", "iothread=io0", test_drain, 0);
    return g_test_run();
}
