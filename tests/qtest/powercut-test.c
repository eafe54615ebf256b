/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vwc-model= and power loss in the real QEMU, with its block layer and threads
 * below, and crash states as images.
 */
#include "qnvme.h"

#include "qapi/error.h"
#include "qobject/qjson.h"

#define PATH "/machine/peripheral/nv"
#define BLK 512u

static void wr(QNvme *q, QnSq *sq, uint64_t lba, uint32_t nlb, uint32_t seed,
               bool fua)
{
    uint64_t buf = qn_alloc(q, nlb * BLK);
    struct envme_sqe s = qn_rw(q, ENVME_NVM_WRITE, lba, nlb, buf);
    struct envme_cqe c;

    qn_fill(q, buf, nlb * BLK, seed);
    if (fua) {
        s.cdw12 = le32(le32_get(s.cdw12) | ENVME_RW_FUA);
    }
    c = qn_cmd(q, sq, s);
    qn_assert_ok(c);
}

/* Are these blocks as wr() left them? Else they are zeroes. */
static bool there(QNvme *q, QnSq *sq, uint64_t lba, uint32_t nlb,
                  uint32_t seed)
{
    uint64_t buf = qn_alloc(q, nlb * BLK);
    g_autofree uint8_t *data = g_malloc(nlb * BLK);
    struct envme_cqe c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, lba, nlb,
                                             buf));

    qn_assert_ok(c);
    if (qn_matches(q, buf, nlb * BLK, seed)) {
        return true;
    }
    qn_read(q, buf, data, nlb * BLK);
    for (unsigned i = 0; i < nlb * BLK; i++) {
        g_assert_cmphex(data[i], ==, 0);
    }
    return false;
}

static void flush(QNvme *q, QnSq *sq)
{
    struct envme_cqe c = qn_cmd(q, sq, qn_sqe(ENVME_NVM_FLUSH, 1));

    qn_assert_ok(c);
}

static void power(QNvme *q, const char *args)
{
    QDict *rsp = qtest_qmp(q->qts, "{'execute': 'qom-set', 'arguments': "
                           "{'path': %s, 'property': 'faults-do', 'value': "
                           "{'power': %p}}}", PATH,
                           qobject_from_json(args, &error_abort));

    g_assert_true(qdict_haskey(rsp, "return"));
    qobject_unref(rsp);
}

static void test_cut(const void *props)
{
    g_autofree char *all = g_strconcat("vwc-model=on", props, NULL);
    QNvme *q = qn_start(&(QnConf){
        .props = all, .extra = "-object iothread,id=io0 "
                               "-object iothread,id=io1" });
    QnSq *a = qn_io_queue(q, 1, 16, -1), *b = qn_io_queue(q, 2, 16, -1);

    wr(q, a, 0, 8, 1, false);
    wr(q, b, 100, 8, 2, false);
    g_assert_true(there(q, b, 0, 8, 1));
    flush(q, b);
    wr(q, a, 8, 8, 3, false);
    wr(q, b, 16, 8, 4, true);
    g_assert_true(there(q, b, 8, 8, 3));
    power(q, "{'lose': 'unflushed'}");
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, 0);
    g_assert_cmphex(qn_r4(q, ENVME_REG_CC), ==, 0);
    qn_queue_free(a);
    qn_queue_free(b);
    qn_enable(q);
    a = qn_io_queue(q, 1, 16, -1);
    g_assert_true(there(q, a, 0, 8, 1));
    g_assert_true(there(q, a, 100, 8, 2));
    g_assert_false(there(q, a, 8, 8, 3));
    g_assert_true(there(q, a, 16, 8, 4));
    wr(q, a, 8, 8, 5, false);
    power(q, "{'lose': 'none'}");
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_RDY, 0);
    qn_queue_free(a);
    qn_enable(q);
    a = qn_io_queue(q, 1, 16, -1);
    g_assert_true(there(q, a, 8, 8, 5));
    qn_queue_free(a);
    qn_check_alive(q, true);
    qn_close(q);
}

/* More than the cache holds: every byte is seen all the same. */
static void test_small(void)
{
    QNvme *q = qn_start(&(QnConf){
        .props = "vwc-model=on,vwc-size=64K,iothread=io0",
        .extra = "-object iothread,id=io0" });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);

    for (unsigned i = 0; i < 100; i++) {
        wr(q, sq, i * 8, 8, i, i % 10 == 0);
    }
    for (unsigned i = 0; i < 100; i++) {
        g_assert_true(there(q, sq, i * 8, 8, i));
    }
    qn_queue_free(sq);
    qn_close(q);
}

static void run_img(const char *fmt, ...)
{
    g_autofree char *args = NULL, *line = NULL, *out = NULL, *err = NULL;
    int status;
    va_list ap;

    va_start(ap, fmt);
    args = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    line = g_strdup_printf("%s %s", g_getenv("QTEST_QEMU_IMG"), args);
    g_assert_true(g_spawn_command_line_sync(line, &out, &err, &status, NULL));
    if (status) {
        g_test_message("%s: %s%s", line, out, err);
    }
    g_assert_cmpint(status, ==, 0);
}

static uint8_t *load(const char *dir, unsigned i)
{
    g_autofree char *raw = g_strdup_printf("%s/%u.raw", dir, i);
    char *data;
    gsize len;

    run_img("check -q %s/ns1-%04u.qcow2", dir, i);
    run_img("convert -O raw %s/ns1-%04u.qcow2 %s", dir, i, raw);
    g_assert_true(g_file_get_contents(raw, &data, &len, NULL));
    g_assert_cmpuint(len, ==, QN_DRIVE_SIZE);
    unlink(raw);
    return (uint8_t *)data;
}

static bool is(const uint8_t *m, uint64_t lba, uint32_t nlb, uint32_t seed)
{
    g_autofree uint8_t *want = g_malloc(nlb * BLK);

    qn_pattern(want, nlb * BLK, seed);
    return memcmp(m + lba * BLK, want, nlb * BLK) == 0;
}

enum { WRITES = 6, IMAGES = 12 };

/*
 * Images over a drive: each is sound, has what was flushed, and of the rest
 * whole blocks; the first nothing, the second all.
 */
static void test_enumerate(const void *format)
{
    g_autofree char *dir = qn_tmp("crash"), *base = qn_tmp("base.img");
    g_autofree char *drive = g_strdup_printf("format=%s,file=%s",
                                             (const char *)format, base);
    g_autofree char *args = g_strdup_printf(
        "{'enumerate': %d, 'dir': '%s', 'seed': 3, 'then': 'stop'}", IMAGES,
        dir);
    g_autofree char *first = g_strdup_printf("%s/ns1-0000.qcow2", dir);
    QNvme *q;
    QnSq *sq;
    unsigned states = 0;

    g_assert_cmpint(mkdir(dir, 0700), ==, 0);
    run_img("create -q -f %s %s 64M", format, base);
    q = qn_start(&(QnConf){ .drive = drive, .props = "vwc-model=on" });
    sq = qn_io_queue(q, 1, 16, -1);
    wr(q, sq, 7, 3, 99, false);
    flush(q, sq);
    for (unsigned i = 0; i < WRITES; i++) {
        wr(q, sq, 1000 * i + 8, 1, i, false);
    }
    power(q, args);
    qtest_qmp_eventwait(q->qts, "STOP");
    qn_queue_free(sq);
    qn_close(q);
    for (unsigned i = 0; i < IMAGES; i++) {
        g_autofree uint8_t *m = load(dir, i);
        unsigned mask = 0;

        /* Block 8 was written again. */
        g_assert_true(is(m, 7, 1, 99));
        for (unsigned w = 0; w < WRITES; w++) {
            bool new = is(m, 1000 * w + 8, 1, w);

            mask |= new << w;
            g_assert_true(new || w == 0 || m[(1000 * w + 8) * BLK] == 0);
        }
        g_assert_true(mask & 1 || is(m, 7, 3, 99));
        g_assert_true(i != 0 || mask == 0);
        g_assert_true(i != 1 || mask == (1 << WRITES) - 1);
        states |= i < 2 ? 0 : mask != 0;
    }
    g_assert_true(states);
    run_img("compare -q %s %s", first, base);
}

/* QEMU ends after the images were made, if nothing else is asked for. */
static void test_quit(void)
{
    g_autofree char *dir = qn_tmp("crashq");
    g_autofree char *args = g_strdup_printf("{'enumerate': 2, 'dir': '%s'}",
                                            dir);
    QNvme *q = qn_start(&(QnConf){ .props = "vwc-model=on" });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);

    g_assert_cmpint(mkdir(dir, 0700), ==, 0);
    wr(q, sq, 0, 8, 1, false);
    power(q, args);
    qtest_qmp_eventwait(q->qts, "SHUTDOWN");
    qn_queue_free(sq);
    qtest_set_expected_status(q->qts, 0);
    qtest_wait_qemu(q->qts);
    for (unsigned i = 0; i < 2; i++) {
        g_autofree uint8_t *m = load(dir, i);

        g_assert_true(is(m, 0, 8, 1) == (i == 1));
    }
    qn_close(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add_data("/powercut/cut/main-loop", "", test_cut, QN_SMOKE);
    qn_add_data("/powercut/cut/iothreads", ",iothreads=io0:io1", test_cut, 0);
    qn_add("/powercut/small", test_small, 0);
    qn_add_data("/powercut/enumerate/raw", "raw", test_enumerate, 0);
    qn_add_data("/powercut/enumerate/qcow2", "qcow2", test_enumerate, 0);
    qn_add("/powercut/quit", test_quit, 0);
    return g_test_run();
}
