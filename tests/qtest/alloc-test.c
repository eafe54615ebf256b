/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is allocated, as each kind of medium has it: Get LBA Status, reads of
 * deallocated blocks, and blocks that are given back.
 */
#include "qnvme.h"

#include "envme/feat.h"
#include "envme/nvm.h"

#define NBLOCKS (QN_DRIVE_SIZE / 512)

typedef struct Alloc {
    QNvme *q;
    QnSq *sq;
    uint64_t buf, page;
} Alloc;

static Alloc start(const char *drive, const char *props, const char *extra)
{
    Alloc a = { 0 };
    struct envme_sqe s = qn_feature(true, ENVME_FID_ERROR_RECOVERY,
                                    ENVME_FEAT_ER_DULBE);
    struct envme_cqe c;

    a.q = qn_start(&(QnConf){ .drive = drive, .no_drive = !drive,
                              .props = props, .extra = extra });
    a.sq = qn_io_queue(a.q, 1, 16, -1);
    a.buf = qn_alloc(a.q, 64 * 1024);
    a.page = qn_alloc(a.q, QN_PAGE);
    qn_fill(a.q, a.buf, 64 * 1024, 1);
    s.nsid = le32(1);
    c = qn_admin(a.q, s);
    qn_assert_ok(c);
    return a;
}

static void end(Alloc *a)
{
    qn_queue_free(a->sq);
    qn_close(a->q);
}

static uint16_t rw(Alloc *a, uint8_t opc, uint64_t slba, uint32_t nlb)
{
    struct envme_cqe c = qn_cmd(a->q, a->sq, qn_rw(a->q, opc, slba, nlb,
                                                   a->buf));

    return qn_status(&c);
}

static uint16_t deallocate(Alloc *a, uint64_t slba, uint32_t nlb)
{
    struct envme_sqe s = qn_sqe(ENVME_NVM_DSM, 1);
    struct envme_cqe c;

    qtest_writel(a->q->qts, a->page, 0);
    qtest_writel(a->q->qts, a->page + 4, nlb);
    qtest_writeq(a->q->qts, a->page + 8, slba);
    s.cdw11 = le32(ENVME_DSM_AD);
    s.dptr.prp1 = le64(a->page);
    c = qn_cmd(a->q, a->sq, s);
    return qn_status(&c);
}

/* Descriptors of a range; *first, *last: blocks of the first one. */
static unsigned status(Alloc *a, uint8_t atype, uint64_t slba, uint32_t rl,
                       uint64_t *first, uint64_t *last)
{
    struct envme_sqe s = qn_sqe(ENVME_ADM_GET_LBA_STATUS, 1);
    struct envme_lba_status head;
    struct envme_lba_status_desc d;
    struct envme_cqe c;

    s.cdw10 = le32(slba);
    s.cdw12 = le32(QN_PAGE / 4 - 1);
    s.cdw13 = le32(rl | (uint32_t)atype << 24);
    s.dptr.prp1 = le64(a->page);
    c = qn_admin(a->q, s);
    qn_assert_ok(c);
    qn_read(a->q, a->page, &head, sizeof(head));
    g_assert_cmpuint(head.cmpc, ==, ENVME_LBAST_CMPC_COMPLETE);
    if (le32_get(head.nlsd)) {
        qn_read(a->q, a->page + sizeof(head), &d, sizeof(d));
        *first = le64_get(d.dslba);
        *last = *first + le32_get(d.nlb);
    }
    return le32_get(head.nlsd);
}

static uint16_t npdg(Alloc *a)
{
    struct envme_cqe c = qn_admin(a->q, qn_identify(0, 1, a->page));

    qn_assert_ok(c);
    g_assert_cmphex(qtest_readb(a->q->qts, a->page + 24) & 4, ==, 4);
    return qtest_readw(a->q->qts, a->page + 68);
}

#define IOTHREAD "-object iothread,id=io0"

/* Clusters of 64 KiB, over a backing file that has another one. */
static void test_qcow2(const void *props)
{
    g_autofree char *base = qn_tmp("base.qcow2"), *top = qn_tmp("top.qcow2");
    g_autofree char *line = g_strdup_printf(
        "sh -c '%s create -q -f qcow2 %s 64M && "
        "%s create -q -f qcow2 -b %s -F qcow2 %s'",
        g_getenv("QTEST_QEMU_IMG"), base, g_getenv("QTEST_QEMU_IMG"), base,
        top);
    g_autofree char *drive = g_strdup_printf("format=qcow2,file=%s,"
                                             "discard=unmap", base);
    uint64_t first, last;
    int rc;
    Alloc a;

    g_assert_true(g_spawn_command_line_sync(line, NULL, NULL, &rc, NULL));
    g_assert_cmpint(rc, ==, 0);
    a = start(drive, props, IOTHREAD);
    g_assert_cmpuint(npdg(&a), ==, 127);
    g_assert_cmpuint(status(&a, 2, 0, 0, &first, &last), ==, 0);
    g_assert_cmphex(rw(&a, ENVME_NVM_READ, 0, 8), ==,
                    ENVME_SC_DEALLOCATED_BLOCK);
    g_assert_cmphex(rw(&a, ENVME_NVM_WRITE, 1024, 8), ==, ENVME_SC_SUCCESS);
    g_assert_cmpuint(status(&a, 2, 0, 0, &first, &last), ==, 1);
    g_assert_cmpuint(first, ==, 1024);
    g_assert_cmpuint(last, ==, 1024 + 127);
    g_assert_cmphex(rw(&a, ENVME_NVM_READ, 1024, 128), ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(rw(&a, ENVME_NVM_READ, 1024 + 127, 2), ==,
                    ENVME_SC_DEALLOCATED_BLOCK);
    g_assert_cmphex(rw(&a, ENVME_NVM_VERIFY, 1023, 2), ==,
                    ENVME_SC_DEALLOCATED_BLOCK);
    qn_queue_free(a.sq);
    qn_close(a.q);

    /* The same seen from above it. */
    g_free(drive);
    drive = g_strdup_printf("format=qcow2,file=%s,discard=unmap", top);
    a = start(drive, props, IOTHREAD);
    g_assert_cmpuint(status(&a, 2, 0, 0, &first, &last), ==, 1);
    g_assert_cmpuint(first, ==, 1024);
    g_assert_cmpuint(last, ==, 1024 + 127);
    /* Part of a cluster can't be given back, all of it can. */
    g_assert_cmphex(deallocate(&a, 1024, 8), ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(rw(&a, ENVME_NVM_READ, 1024, 8), ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(deallocate(&a, 1024, 128), ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(rw(&a, ENVME_NVM_READ, 1024, 8), ==,
                    ENVME_SC_DEALLOCATED_BLOCK);
    g_assert_cmpuint(status(&a, 2, 0, 0, &first, &last), ==, 0);
    end(&a);
}

/* A file with holes; how large they are is the file system's business. */
static void test_raw(const void *props)
{
    g_autofree char *img = qn_image("holes.raw", QN_DRIVE_SIZE);
    g_autofree char *drive = g_strdup_printf("format=raw,file=%s,"
                                             "discard=unmap", img);
    Alloc a = start(drive, props, IOTHREAD);
    uint64_t first, last;

    g_assert_cmpuint(npdg(&a), ==, 7);
    g_assert_cmphex(rw(&a, ENVME_NVM_READ, 2048, 8), ==,
                    ENVME_SC_DEALLOCATED_BLOCK);
    g_assert_cmphex(rw(&a, ENVME_NVM_WRITE, 2048, 64), ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(rw(&a, ENVME_NVM_READ, 2048, 64), ==, ENVME_SC_SUCCESS);
    g_assert_cmpuint(status(&a, 2, 0, 0, &first, &last), ==, 1);
    g_assert_cmpuint(first, <=, 2048);
    g_assert_cmpuint(first, >, 1024);
    g_assert_cmpuint(last, >=, 2048 + 63);
    g_assert_cmpuint(last, <, 4096);
    g_assert_cmphex(deallocate(&a, 0, 8192), ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(rw(&a, ENVME_NVM_READ, 2048, 8), ==,
                    ENVME_SC_DEALLOCATED_BLOCK);
    g_assert_cmpuint(status(&a, 2, 0, 0, &first, &last), ==, 0);
    end(&a);
}

/* It keeps nothing, and says so. */
static void test_null(const void *props)
{
    Alloc a = start(QN_NULL, props, IOTHREAD);
    uint64_t first, last;

    g_assert_cmphex(rw(&a, ENVME_NVM_WRITE, 0, 8), ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(rw(&a, ENVME_NVM_READ, 0, 8), ==,
                    ENVME_SC_DEALLOCATED_BLOCK);
    g_assert_cmpuint(status(&a, 2, 0, 0, &first, &last), ==, 0);
    end(&a);
    /* Or it does not say. */
    a = start("driver=null-co,size=64M", props, IOTHREAD);
    g_assert_cmphex(rw(&a, ENVME_NVM_READ, 0, 8), ==, ENVME_SC_SUCCESS);
    g_assert_cmpuint(status(&a, 2, 0, 0, &first, &last), ==, 1);
    g_assert_cmpuint(first, ==, 0);
    g_assert_cmpuint(last, ==, NBLOCKS - 1);
    end(&a);
}

static void check_memdev(Alloc *a, uint64_t written)
{
    uint64_t first, last;

    g_assert_cmpuint(status(a, 2, 0, written, &first, &last), ==, 0);
    g_assert_cmphex(rw(a, ENVME_NVM_WRITE, 5, 3), ==, ENVME_SC_SUCCESS);
    g_assert_cmpuint(status(a, 2, 0, 1000, &first, &last), ==, 1);
    g_assert_cmpuint(first, ==, 5);
    g_assert_cmpuint(last, ==, 7);
    g_assert_cmphex(rw(a, ENVME_NVM_READ, 4, 2), ==,
                    ENVME_SC_DEALLOCATED_BLOCK);
    g_assert_cmphex(deallocate(a, 6, 1), ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(rw(a, ENVME_NVM_READ, 5, 1), ==, ENVME_SC_SUCCESS);
    g_assert_cmphex(rw(a, ENVME_NVM_READ, 6, 1), ==,
                    ENVME_SC_DEALLOCATED_BLOCK);
}

/* Memory, and memory that is a file with data in the middle. */
static void test_memdev(const void *props)
{
    g_autofree char *img = qn_image("mem.raw", QN_DRIVE_SIZE);
    g_autofree char *extra = g_strdup_printf(IOTHREAD
        " -object memory-backend-file,id=m0,size=64M,share=on,mem-path=%s",
        img);
    g_autofree char *all = g_strdup_printf("memdev=m0%s%s", props ? "," : "",
                                           props ? (const char *)props : "");
    Alloc a = start(NULL, all, IOTHREAD
                    " -object memory-backend-ram,id=m0,size=64M");
    uint64_t first, last;
    FILE *f;

    check_memdev(&a, 0);
    end(&a);
    f = fopen(img, "r+");
    g_assert_nonnull(f);
    g_assert_cmpint(fseek(f, 8 << 20, SEEK_SET), ==, 0);
    g_assert_cmpint(fputc('x', f), ==, 'x');
    g_assert_cmpint(fclose(f), ==, 0);
    a = start(NULL, all, extra);
    g_assert_cmpuint(status(&a, 2, 0, 0, &first, &last), ==, 1);
    g_assert_cmpuint(first, <=, 16384);
    g_assert_cmpuint(first, >, 8192);
    g_assert_cmpuint(last, >=, 16384);
    g_assert_cmpuint(last, <, 32768);
    check_memdev(&a, 1000);
    end(&a);
}

/* A read that the medium fails is remembered, and scans find such blocks. */
static void test_errors(const void *props)
{
    g_autofree char *img = qn_image("err.raw", QN_DRIVE_SIZE);
    g_autofree char *drive = g_strdup_printf(
        "driver=blkdebug,inject-error.0.event=none,"
        "inject-error.0.iotype=read,inject-error.0.errno=%d,"
        "inject-error.0.sector=4100,image.driver=raw,"
        "image.file.driver=file,image.file.filename=%s", EIO, img);
    g_autofree char *all = g_strdup_printf("rerror=report%s%s",
                                           props ? "," : "",
                                           props ? (const char *)props : "");
    Alloc a = start(drive, all, IOTHREAD);
    uint64_t first, last;

    g_assert_cmphex(rw(&a, ENVME_NVM_WRITE, 4096, 64), ==, ENVME_SC_SUCCESS);
    g_assert_cmpuint(status(&a, 0x11, 0, 0, &first, &last), ==, 0);
    g_assert_cmpuint(status(&a, 0x10, 0, 0, &first, &last), ==, 1);
    g_assert_cmpuint(first, ==, 4100);
    g_assert_cmpuint(last, ==, 4100);
    g_assert_cmphex(rw(&a, ENVME_NVM_READ, 4096, 64), ==,
                    ENVME_SC_UNRECOVERED_READ);
    g_assert_cmpuint(status(&a, 0x11, 0, 0, &first, &last), ==, 1);
    g_assert_cmpuint(first, ==, 4096);
    g_assert_cmpuint(last, ==, 4096 + 63);
    end(&a);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(const void *props);
    } tests[] = {
        { "qcow2", test_qcow2 }, { "raw", test_raw }, { "null", test_null },
        { "memdev", test_memdev }, { "errors", test_errors },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *here = g_strdup_printf("/alloc/%s/main-loop",
                                                tests[i].name);
        g_autofree char *there = g_strdup_printf("/alloc/%s/iothread",
                                                 tests[i].name);

        qn_add_data(here, NULL, tests[i].fn, 0);
        qn_add_data(there, "iothread=io0", tests[i].fn, 0);
    }
    return g_test_run();
}
