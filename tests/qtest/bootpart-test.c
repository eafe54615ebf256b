/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot partitions in a real machine, as firmware reads them: no queues, the
 * controller not enabled. Contents from files, kept in state=; the host memory
 * buffer and the UUID list as properties. Base 2.1, 8.1.3, 8.2.4.
 */
#include "qnvme.h"

#include "envme/feat.h"
#include "envme/id-ctrl.h"
#include "envme/id.h"
#include "envme/log.h"

#define UNIT (128u << 10)
#define SIZE (2 * UNIT)
#define READ (64u << 10)        /* bytes at once here */

static char *file_with(const char *name, size_t len, uint32_t seed)
{
    g_autofree char *unique = g_strdup_printf("%s%d", name, getpid());
    char *path = qn_tmp(unique);
    g_autofree uint8_t *buf = g_malloc(len);

    qn_pattern(buf, len, seed);
    g_assert_true(g_file_set_contents(path, (char *)buf, len, NULL));
    return path;
}

static unsigned brs(QNvme *q)
{
    return FIELD_GET(ENVME_BPINFO_BRS, qn_r4(q, ENVME_REG_BPINFO));
}

static unsigned read_part(QNvme *q, uint64_t to, unsigned id, unsigned off,
                          unsigned pages)
{
    unsigned i;

    qn_w8(q, ENVME_REG_BPMBL, to);
    qn_w4(q, ENVME_REG_BPRSEL, (uint32_t)id << 31 | off << 10 | pages);
    for (i = 0; brs(q) == ENVME_BPINFO_BRS_BUSY && i < QN_TIMEOUT_MS; i++) {
        qn_beat(q);
    }
    return brs(q);
}

/* Has partition id that pattern in its first len bytes, then zeroes? */
static void check_part(QNvme *q, unsigned id, size_t len, uint32_t seed)
{
    g_autofree uint8_t *want = g_malloc0(SIZE), *got = g_malloc(SIZE);
    uint64_t buf = qn_alloc(q, READ);
    unsigned off;

    qn_pattern(want, len, seed);
    for (off = 0; off < SIZE; off += READ) {
        g_assert_cmpuint(read_part(q, buf, id, off / 4096, READ / 4096), ==,
                         ENVME_BPINFO_BRS_DONE);
        qn_read(q, buf, got + off, READ);
    }
    g_assert_cmpmem(got, SIZE, want, SIZE);
}

static void test_registers(void)
{
    g_autofree char *bp0 = file_with("bp0.", SIZE, 1);
    g_autofree char *bp1 = file_with("bp1.", 3000, 2);
    g_autofree char *props = g_strdup_printf("bp-size=2,bp0=%s,bp1=%s", bp0,
                                             bp1);
    QNvme *q = qn_open(&(QnConf){ .props = props });

    g_assert_cmphex(q->cap & ENVME_CAP_BPS, !=, 0);
    g_assert_cmphex(qn_r4(q, ENVME_REG_BPINFO), ==, 2);
    g_assert_cmphex(qn_csts(q), ==, 0);
    check_part(q, 0, SIZE, 1);
    check_part(q, 1, 3000, 2);
    /* Beyond the end; a buffer that is not memory, and the own BAR. */
    g_assert_cmpuint(read_part(q, qn_alloc(q, 8192), 0, SIZE / 4096 - 1, 2),
                     ==, ENVME_BPINFO_BRS_ERROR);
    g_assert_cmpuint(read_part(q, UINT64_C(0xffffffff000), 0, 0, 1), ==,
                     ENVME_BPINFO_BRS_ERROR);
    g_assert_cmpuint(read_part(q, q->bar[0].addr, 0, 0, 1), ==,
                     ENVME_BPINFO_BRS_ERROR);
    qn_enable(q);
    check_part(q, 0, SIZE, 1);
    qn_check_alive(q, true);
    qn_disable(q);
    g_assert_cmphex(qn_r4(q, ENVME_REG_BPINFO), ==, 2);
    g_assert_cmphex(qn_r4(q, ENVME_REG_BPRSEL), ==, 0);
    g_assert_cmphex(qn_r8(q, ENVME_REG_BPMBL), ==, 0);
    check_part(q, 1, 3000, 2);
    qn_close(q);
    unlink(bp0);
    unlink(bp1);
}

/* Bus Master off: it waits. A function level reset ends it. */
static void test_bus_master(void)
{
    g_autofree char *bp0 = file_with("bm.", SIZE, 3);
    g_autofree char *props = g_strdup_printf("bp-size=2,bp0=%s", bp0);
    QNvme *q = qn_open(&(QnConf){ .props = props });
    uint64_t buf = qn_alloc(q, READ);
    uint8_t exp;

    qn_set_bme(q, false);
    qn_w8(q, ENVME_REG_BPMBL, buf);
    qn_w4(q, ENVME_REG_BPRSEL, READ / 4096);
    qn_sleep(q, 20);
    g_assert_cmpuint(brs(q), ==, ENVME_BPINFO_BRS_BUSY);
    qn_set_bme(q, true);
    qn_wait(q, ENVME_REG_BPINFO, ENVME_BPINFO_BRS,
            FIELD_SET(ENVME_BPINFO_BRS, ENVME_BPINFO_BRS_DONE));
    g_assert_true(qn_matches(q, buf, READ, 3));
    qn_set_bme(q, false);
    qn_w4(q, ENVME_REG_BPRSEL, READ / 4096);
    exp = qn_cap_find(q, PCI_CAP_ID_EXP);
    qpci_config_writew(q->pdev, exp + PCI_EXP_DEVCTL,
                       PCI_EXP_DEVCTL_BCR_FLR);
    qn_pci_restore(q);
    g_assert_cmphex(qn_r4(q, ENVME_REG_BPINFO), ==, 2);
    qn_enable(q);
    qn_check_alive(q, true);
    qn_close(q);
    unlink(bp0);
}

static void firmware_commit(QNvme *q, unsigned ca, unsigned id)
{
    struct envme_sqe s = qn_sqe(ENVME_ADM_FW_COMMIT, 0);
    struct envme_cqe c;

    s.cdw10 = le32((uint32_t)id << 31 | ca << 3);
    c = qn_admin(q, s);
    qn_assert_ok(c);
}

/* What a host has put there outlasts QEMU; the lock is back. */
static void test_kept(void)
{
    g_autofree char *unique = g_strdup_printf("bpstate%d", getpid());
    g_autofree char *path = qn_tmp(unique);
    g_autofree char *bp = file_with("kept.", SIZE, 4);
    g_autofree char *props = g_strdup_printf("bp-size=2,bp0=%s,bp1=%s,"
                                             "state=%s", bp, bp, path);
    QNvme *q = qn_start(&(QnConf){ .props = props });
    uint64_t buf = qn_alloc(q, 8192);
    struct envme_sqe s = qn_sqe(ENVME_ADM_FW_DOWNLOAD, 0);
    struct envme_cqe c;

    c = qn_admin(q, qn_feature(true, ENVME_FID_BP_WRITE_PROTECT,
                               ENVME_BPWP_UNLOCKED << 3));
    qn_assert_ok(c);
    qn_fill(q, buf, 8192, 5);
    s.cdw10 = le32(8192 / 4 - 1);
    qn_set_prps(q, &s, buf, 8192);
    c = qn_admin(q, s);
    qn_assert_ok(c);
    firmware_commit(q, ENVME_FWCOMMIT_BP_REPLACE, 1);
    firmware_commit(q, ENVME_FWCOMMIT_BP_ACTIVATE, 1);
    check_part(q, 1, 8192, 5);
    qn_close(q);
    q = qn_open(&(QnConf){ .props = props });
    g_assert_cmphex(qn_r4(q, ENVME_REG_BPINFO), ==, 0x80000002);
    check_part(q, 1, 8192, 5);
    check_part(q, 0, SIZE, 4);
    qn_enable(q);
    c = qn_admin(q, qn_feature(false, ENVME_FID_BP_WRITE_PROTECT, 0));
    qn_assert_ok(c);
    g_assert_cmphex(le32_get(c.dw0), ==, ENVME_BPWP_LOCKED |
                    ENVME_BPWP_LOCKED << 3);
    qn_close(q);
    unlink(bp);
    unlink(path);
}

/* A buffer of 64 KiB is given, seen to be used, and taken back. */
static void test_hmb(void)
{
    QNvme *q = qn_start(&(QnConf){ .props = "hmpre=16,hmmin=4" });
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    uint64_t hmb = qn_alloc(q, 64 << 10), list = qn_alloc(q, 4096);
    uint64_t buf = qn_alloc(q, 4096);
    const struct envme_hmb_entry e = { .badd = le64(hmb), .bsize = le32(16) };
    struct envme_sqe s = qn_feature(true, ENVME_FID_HMB, ENVME_FEAT_HMB_EHM);
    g_autofree char *before = NULL, *used = NULL, *after = NULL;
    struct envme_cqe c;

    c = qn_admin(q, qn_identify(ENVME_CNS_CTRL, 0, buf));
    qn_assert_ok(c);
    qn_read(q, buf, id, 4096);
    g_assert_cmpuint(le32_get(id->hmpre), ==, 16);
    g_assert_cmpuint(le32_get(id->hmmin), ==, 4);
    qn_write(q, list, &e, sizeof(e));
    s.cdw12 = le32(16);
    s.cdw13 = le32(list);
    s.cdw14 = le32(list >> 32);
    s.cdw15 = le32(1);
    before = qn_sum(q, hmb, 64 << 10);
    c = qn_admin(q, s);
    qn_assert_ok(c);
    c = qn_admin(q, qn_feature(false, ENVME_FID_ARBITRATION, 0));
    qn_assert_ok(c);
    used = qn_sum(q, hmb, 64 << 10);
    g_assert_cmpstr(used, !=, before);
    c = qn_admin(q, qn_feature(true, ENVME_FID_HMB, 0));
    qn_assert_ok(c);
    g_free(used);
    used = qn_sum(q, hmb, 64 << 10);
    c = qn_admin(q, qn_feature(false, ENVME_FID_ARBITRATION, 0));
    qn_assert_ok(c);
    after = qn_sum(q, hmb, 64 << 10);
    g_assert_cmpstr(used, ==, after);
    qn_check_alive(q, true);
    qn_close(q);
}

static void test_uuids(void)
{
    QNvme *q = qn_start(&(QnConf){
        .props = "uuids=00112233-4455-6677-8899-aabbccddeeff:"
                 "11111111-2222-3333-4444-555555555555" });
    static const uint8_t first[16] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                                       0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
                                       0xcc, 0xdd, 0xee, 0xff };
    g_autofree struct envme_uuid_list *list = g_malloc(4096);
    uint64_t buf = qn_alloc(q, 4096);
    struct envme_cqe c = qn_admin(q, qn_identify(ENVME_CNS_UUID_LIST, 0, buf));
    struct envme_sqe s = qn_identify(ENVME_CNS_CTRL, 0, buf);

    qn_assert_ok(c);
    qn_read(q, buf, list, 4096);
    g_assert_cmpmem(list->entry[0].uuid, 16, first, 16);
    g_assert_cmphex(list->entry[1].uuid[15], ==, 0x55);
    g_assert_cmphex(list->entry[2].uuid[15], ==, 0);
    s.cdw14 = le32(3);
    c = qn_admin(q, s);
    qn_assert_sc(c, ENVME_SC_INVALID_FIELD);
    qn_close(q);
}

/* Two controllers of a subsystem have the same partitions. */
static void test_shared(void)
{
    g_autofree char *bp = file_with("shared.", SIZE, 6);
    g_autofree char *props = g_strdup_printf("bp-size=2,bp0=%s,subsys=s0", bp);
    QNvme *q = qn_open(&(QnConf){
        .no_drive = true, .props = props,
        .extra = "-device envme-subsys,id=s0",
        .after = "-device envme,serial=qtest,subsys=s0,bp-size=2,addr=5 "
                 "-device envme,serial=qtest,subsys=s0,addr=6" });
    QNvme *b = qn_attach(q, QPCI_DEVFN(5, 0));
    QNvme *c = qn_attach(q, QPCI_DEVFN(6, 0));

    check_part(q, 0, SIZE, 6);
    check_part(b, 0, SIZE, 6);
    g_assert_cmphex(qn_r4(c, ENVME_REG_BPINFO), ==, 0);
    qn_enable(q);
    firmware_commit(q, ENVME_FWCOMMIT_BP_ACTIVATE, 1);
    g_assert_cmphex(qn_r4(b, ENVME_REG_BPINFO) & ENVME_BPINFO_ABPID, !=, 0);
    g_assert_cmphex(qn_r4(c, ENVME_REG_BPINFO), ==, 0);
    qn_detach(c);
    qn_detach(b);
    qn_close(q);
    unlink(bp);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (qn_is_envme()) {
        qn_add("/bootpart/registers", test_registers, QN_SMOKE);
        qn_add("/bootpart/bus-master", test_bus_master, 0);
        qn_add("/bootpart/kept", test_kept, 0);
        qn_add("/bootpart/hmb", test_hmb, 0);
        qn_add("/bootpart/uuids", test_uuids, 0);
        qn_add("/bootpart/shared", test_shared, 0);
    }
    return g_test_run();
}
