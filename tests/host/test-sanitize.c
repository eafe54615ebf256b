/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sanitize: its operations and their effect, failures, what is refused
 * meanwhile, resets and power cycles. Base 2.1, 5.1.22, 8.1.24.
 */
#include "th.h"

#include <glib/gstdio.h>

#define MS (1000ull * 1000)

#define AUSE ENVME_SANITIZE_AUSE
#define NDAS ENVME_SANITIZE_NDAS

static struct envme_cqe sanitize(struct th *h, uint32_t cdw10, uint32_t pattern)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SANITIZE, 0);

    s.cdw10 = le32(cdw10);
    s.cdw11 = le32(pattern);
    return th_admin(h, &s);
}

static struct envme_log_sanitize get_log(struct th *h)
{
    struct envme_log_sanitize log;

    memset(&log, 0xee, sizeof(log));
    th_assert_sc(th_get_log(h, ENVME_LID_SANITIZE, 0, 0, &log, sizeof(log),
                            false), SUCCESS);
    return log;
}

static unsigned sos(struct th *h)
{
    struct envme_log_sanitize log = get_log(h);

    return FIELD_GET(ENVME_SSTAT_SOS, le16_get(log.sstat));
}

static struct envme_log_sanitize finish(struct th *h)
{
    struct envme_log_sanitize log;
    unsigned at = 0, n = 0;

    for (;;) {
        log = get_log(h);
        if (FIELD_GET(ENVME_SSTAT_SOS, le16_get(log.sstat)) !=
            ENVME_SOS_IN_PROGRESS) {
            break;
        }
        g_assert_cmpuint(le16_get(log.sprog), >=, at);
        g_assert_cmpuint(le16_get(log.sprog), <, 0xffff);
        at = le16_get(log.sprog);
        g_assert_cmpuint(n++, <, 2000);
        th_advance(h, 20 * MS);
    }
    g_assert_cmphex(le16_get(log.sprog), ==, 0xffff);
    return log;
}

/* Something in all blocks. */
static void fill(struct th *h, unsigned n)
{
    g_autofree uint8_t *buf = g_malloc(64 * KIB);

    for (unsigned i = 0; i < n; i++) {
        for (uint64_t at = 0; at < h->be[i]->geo.size; at += 64 * KIB) {
            th_pattern(buf, 64 * KIB, at + i);
            th_assert_sc(th_write(h, .nsid = i + 1, .slba = at / 512,
                                  .nlb = 128, .data = buf), SUCCESS);
        }
    }
}

static void check_words(struct th *h, uint32_t nsid, uint64_t size,
                        uint32_t want)
{
    g_autofree le32_t *buf = g_malloc(64 * KIB);

    for (uint64_t at = 0; at < size; at += 64 * KIB) {
        th_assert_sc(th_read(h, .nsid = nsid, .slba = at / 512, .nlb = 128,
                             .data = buf), SUCCESS);
        for (unsigned i = 0; i < 64 * KIB / 4; i++) {
            g_assert_cmphex(le32_get(buf[i]), ==, want);
        }
    }
}

static struct th *ready(void)
{
    struct th *h = th_new(.lanes = 2, .ns = { { .size = 3 * MIB },
                                              { .size = MIB } });

    th_enable(h);
    th_queues(h, 2, 16);
    fill(h, 2);
    return h;
}

/* ---- operations -------------------------------------------------------- */

static void test_identify(void)
{
    struct th *h = th_new();
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    struct envme_log_sanitize log;

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(le32_get(id->sanicap), ==, 0x40000007);
    log = get_log(h);
    g_assert_cmphex(le16_get(log.sprog), ==, 0xffff);
    g_assert_cmphex(le16_get(log.sstat), ==, 0);
    g_assert_cmphex(le32_get(log.eto), ==, UINT32_MAX);
    g_assert_cmphex(log.ssi, ==, 0);
    th_free(h);
}

static void test_erase(void)
{
    static const uint32_t t[] = {
        ENVME_SANITIZE_BLOCK_ERASE, ENVME_SANITIZE_CRYPTO_ERASE,
        ENVME_SANITIZE_BLOCK_ERASE | NDAS, ENVME_SANITIZE_BLOCK_ERASE | AUSE,
    };
    struct th *h = ready();
    struct envme_log_sanitize log;
    uint8_t sector[512] = { 1 };

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        unsigned flushes;

        fill(h, 2);
        flushes = h->be[0]->nops[ENVME_BIO_FLUSH];
        th_assert_sc(sanitize(h, t[i], 0), SUCCESS);
        log = get_log(h);
        g_assert_cmphex(le16_get(log.sstat), ==, ENVME_SOS_IN_PROGRESS);
        g_assert_cmphex(log.ssi, ==, t[i] & AUSE ?
                        ENVME_SANS_UNRESTRICTED : ENVME_SANS_RESTRICTED);
        log = finish(h);
        g_assert_cmphex(le16_get(log.sstat), ==,
                        ENVME_SOS_SUCCESS | ENVME_SSTAT_GDE);
        g_assert_cmphex(le32_get(log.scdw10), ==, t[i]);
        g_assert_cmphex(log.ssi, ==, 0);
        g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_FLUSH], ==, flushes + 1);
        check_words(h, 1, 3 * MIB, 0);
        check_words(h, 2, MIB, 0);
    }
    /* Not all is erased any more. */
    th_assert_sc(th_write(h, .data = sector), SUCCESS);
    log = get_log(h);
    g_assert_cmphex(le16_get(log.sstat), ==, ENVME_SOS_SUCCESS);
    th_free(h);
}

static void test_overwrite(void)
{
    struct th *h = ready();
    struct envme_log_sanitize log;
    uint32_t act = ENVME_SANITIZE_OVERWRITE | NDAS;
    unsigned before = h->be[0]->nops[ENVME_BIO_WRITE];

    th_assert_sc(sanitize(h, act | 3 << 4, 0xdeadbeef), SUCCESS);
    log = finish(h);
    g_assert_cmphex(le16_get(log.sstat), ==, ENVME_SOS_SUCCESS |
                    ENVME_SSTAT_GDE | 3 << 3);
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_WRITE], ==, before + 9);
    check_words(h, 1, 3 * MIB, 0xdeadbeef);
    check_words(h, 2, MIB, 0xdeadbeef);
    /* The pattern is inverted in every second pass. */
    th_assert_sc(sanitize(h, act | 2 << 4 | ENVME_SANITIZE_OIPBP, 0xdeadbeef),
                 SUCCESS);
    finish(h);
    check_words(h, 1, 3 * MIB, ~0xdeadbeef);
    th_assert_sc(sanitize(h, act | 3 << 4 | ENVME_SANITIZE_OIPBP, 0xdeadbeef),
                 SUCCESS);
    finish(h);
    check_words(h, 2, MIB, 0xdeadbeef);
    /* 0 is 16; and then the blocks are deallocated. */
    before = h->be[1]->nops[ENVME_BIO_WRITE];
    th_assert_sc(sanitize(h, ENVME_SANITIZE_OVERWRITE, 0x11111111), SUCCESS);
    log = finish(h);
    g_assert_cmpuint(FIELD_GET(ENVME_SSTAT_OPC, le16_get(log.sstat)), ==, 16);
    g_assert_cmpuint(h->be[1]->nops[ENVME_BIO_WRITE], ==, before + 16);
    check_words(h, 1, 3 * MIB, 0);
    th_free(h);
}

/* ---- what is refused --------------------------------------------------- */

static void test_gates(void)
{
    struct th *h = ready();
    struct envme_sqe s;
    uint8_t sector[512] = { 0 };
    g_autofree void *id = g_malloc(4096);
    uint32_t v;
    uint16_t aer;

    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE, 0), SUCCESS);
    th_assert_sc(th_read(h, .data = sector), SANITIZE_IN_PROGRESS);
    th_assert_sc(th_write(h, .data = sector), SANITIZE_IN_PROGRESS);
    s = th_sqe(ENVME_NVM_FLUSH, 1);
    th_assert_sc(th_io(h, 2, &s), SUCCESS);
    s = th_sqe(ENVME_ADM_SELF_TEST, 0);
    s.cdw10 = le32(1);
    th_assert_sc(th_admin(h, &s), SANITIZE_IN_PROGRESS);
    s = th_sqe(ENVME_ADM_FW_COMMIT, 0);
    th_assert_sc(th_admin(h, &s), SANITIZE_IN_PROGRESS);
    for (unsigned act = 1; act <= 4; act++) {
        th_assert_sc(sanitize(h, act, 0), SANITIZE_IN_PROGRESS);
    }
    /* What goes on. */
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    th_assert_sc(th_get_feature(h, ENVME_FID_VWC, 0, 0, &v), SUCCESS);
    g_assert_cmpuint(th_delete_sq(h, 2), ==, 0);
    g_assert_cmpuint(th_delete_cq(h, 2), ==, 0);
    aer = th_aer(h);
    finish(h);
    g_assert_cmphex(le32_get(th_wait(h, 0, aer).dw0), ==,
                    ENVME_AEN_TYPE_IOCS | ENVME_AEN_IOCS_SANITIZE << 8 |
                    ENVME_LID_SANITIZE << 16);
    th_assert_sc(th_read(h, .data = sector), SUCCESS);
    th_free(h);
}

static void read_only(struct th *h)
{
    struct envme_log_sanitize log;

    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE, 0),
                 NS_WRITE_PROTECTED);
    log = get_log(h);
    g_assert_cmphex(le16_get(log.sstat), ==, 0);
}

static void test_bad(void)
{
    struct th *h = th_new();

    th_enable(h);
    th_assert_sc(sanitize(h, 0, 0), INVALID_FIELD);
    th_assert_sc(sanitize(h, 5, 0), INVALID_FIELD);
    th_assert_sc(sanitize(h, 6, 0), INVALID_FIELD);
    th_assert_sc(sanitize(h, 7, 0), INVALID_FIELD);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE |
                          ENVME_SANITIZE_EMVS, 0), INVALID_FIELD);
    th_assert_sc(sanitize(h, 0x802, 0), INVALID_FIELD);
    /* Nothing has failed. */
    th_assert_sc(sanitize(h, ENVME_SANITIZE_EXIT_FAILURE, 0), SUCCESS);
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_NEVER);
    th_free(h);
    h = th_new(.ns = { { .size = MIB }, { .size = MIB, .read_only = true } });
    th_enable(h);
    read_only(h);
    th_free(h);
    /* Write protected by the host. */
    h = th_new(.ns = { { .size = MIB }, { .size = MIB } });
    th_enable(h);
    th_assert_sc(th_set_feature(h, ENVME_FID_WRITE_PROTECT, 2, 1, false),
                 SUCCESS);
    read_only(h);
    th_assert_sc(th_set_feature(h, ENVME_FID_WRITE_PROTECT, 2, 0, false),
                 SUCCESS);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE, 0), SUCCESS);
    finish(h);
    th_free(h);
}

/* ---- failures ---------------------------------------------------------- */

static void fail(struct th *h, uint32_t cdw10)
{
    struct envme_log_sanitize log;
    unsigned ause = cdw10 & AUSE;

    th_assert_sc(sanitize(h, cdw10, 0), SUCCESS);
    h->be[0]->fail_op = ENVME_BIO_WRITE_ZEROES;
    h->be[0]->fail_errno = -EIO;
    log = finish(h);
    h->be[0]->fail_op = -1;
    g_assert_cmphex(le16_get(log.sstat), ==, ENVME_SOS_FAILED);
    g_assert_cmphex(log.ssi, ==, ause ? 4 | 3 << 4 : 2 | 1 << 4);
}

static void test_failed(void)
{
    struct th *h = ready();
    uint8_t sector[512] = { 0 };
    struct envme_sqe s = th_sqe(ENVME_ADM_SELF_TEST, 0);

    fail(h, ENVME_SANITIZE_BLOCK_ERASE);
    th_assert_sc(th_read(h, .data = sector), SANITIZE_FAILED);
    s.cdw10 = le32(1);
    /* Base 2.1, 8.1.24.4: admin commands have another status than I/O, and
     * Flush is none that is refused. */
    th_assert_sc(th_admin(h, &s), SANITIZE_IN_PROGRESS);
    s = th_sqe(ENVME_NVM_FLUSH, 1);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    /* Restricted: only another restricted one gets out of it. */
    th_assert_sc(sanitize(h, ENVME_SANITIZE_EXIT_FAILURE, 0), SANITIZE_FAILED);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE | AUSE, 0),
                 SANITIZE_FAILED);
    th_disable(h);
    th_enable(h);
    th_queues(h, 2, 16);
    th_assert_sc(th_read(h, .data = sector), SANITIZE_FAILED);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_CRYPTO_ERASE, 0), SUCCESS);
    finish(h);
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_SUCCESS);
    th_assert_sc(th_read(h, .data = sector), SUCCESS);
    /* Unrestricted */
    fail(h, ENVME_SANITIZE_BLOCK_ERASE | AUSE);
    th_assert_sc(th_read(h, .data = sector), SANITIZE_FAILED);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_EXIT_FAILURE, 0), SUCCESS);
    th_assert_sc(th_read(h, .data = sector), SUCCESS);
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_FAILED);
    g_assert_cmphex(get_log(h).ssi, ==, 0);
    /* As the fault laboratory does it. */
    envme_sanitize_fail_next(h->subsys);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_OVERWRITE | AUSE, 1), SUCCESS);
    finish(h);
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_FAILED);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE | AUSE, 0), SUCCESS);
    finish(h);
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_SUCCESS);
    th_free(h);
}

/* ---- SANICAP.NDI ------------------------------------------------------- */

static void ndi(struct envme_ctrl_params *p)
{
    p->sanitize_ndi = true;
}

static void test_ndi(void)
{
    struct th *h = th_new(.tweak = ndi);
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    uint32_t act = ENVME_SANITIZE_BLOCK_ERASE | NDAS, v;
    uint16_t aer;

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(le32_get(id->sanicap), ==, 0x60000007);
    th_assert_sc(sanitize(h, act, 0), INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_SANITIZE_CONFIG, 0, 2, false),
                 INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_SANITIZE_CONFIG, 0, 1, false),
                 SUCCESS);
    th_assert_sc(th_get_feature(h, ENVME_FID_SANITIZE_CONFIG, 0, 0, &v),
                 SUCCESS);
    g_assert_cmphex(v, ==, 1);
    aer = th_aer(h);
    th_assert_sc(sanitize(h, act, 0), SUCCESS);
    finish(h);
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_SUCCESS_DEALLOC);
    g_assert_cmphex(le32_get(th_wait(h, 0, aer).dw0), ==,
                    ENVME_AEN_TYPE_IOCS | ENVME_AEN_IOCS_SANITIZE_DEALLOC << 8
                    | ENVME_LID_SANITIZE << 16);
    th_disable(h);
    th_enable(h);
    th_assert_sc(sanitize(h, act, 0), INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_SANITIZE_CONFIG, 0, 1, true),
                 SUCCESS);
    th_disable(h);
    th_enable(h);
    th_assert_sc(sanitize(h, act, 0), SUCCESS);
    finish(h);
    th_free(h);
}

/* ---- resets, power cycles, controllers --------------------------------- */

static void test_reset(void)
{
    struct th *h = ready();

    th_assert_sc(sanitize(h, ENVME_SANITIZE_OVERWRITE | NDAS | 4 << 4, 7),
                 SUCCESS);
    th_advance(h, 30 * MS);
    th_advance(h, 30 * MS);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_advance(h, 30 * MS);
    th_enable(h);
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_IN_PROGRESS);
    finish(h);
    th_queues(h, 2, 16);
    check_words(h, 1, 3 * MIB, 7);
    /* A reset while a request is under way waits for it. */
    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE, 0), SUCCESS);
    h->be[0]->hold = true;
    th_advance(h, 30 * MS);
    th_advance(h, 30 * MS);
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
    th_reset_start(h, ENVME_RESET_FUNCTION);
    th_run(h);
    g_assert_false(h->reset_done);
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    th_reset_finish(h);
    th_enable(h);
    finish(h);
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_SUCCESS);
    th_free(h);
}

static void test_selftest(void)
{
    struct th *h = ready();
    struct envme_sqe s = th_sqe(ENVME_ADM_SELF_TEST, 1);
    struct envme_log_selftest log;

    s.cdw10 = le32(2);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE, 0), SUCCESS);
    th_assert_sc(th_get_log(h, ENVME_LID_SELF_TEST, 0, 0, &log, sizeof(log),
                            false), SUCCESS);
    g_assert_cmphex(log.result[0].dsts, ==, ENVME_DSTR_SANITIZE | 2 << 4);
    finish(h);
    th_free(h);
}

/* Blocks that Write Uncorrectable has marked are blocks like others again. */
static void test_bad_blocks(void)
{
    struct th *h = ready();
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE_UNCOR, 1, 8, 4);
    uint8_t sector[512];

    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    th_assert_sc(th_read(h, .slba = 9, .data = sector), UNRECOVERED_READ);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE, 0), SUCCESS);
    finish(h);
    th_assert_sc(th_read(h, .slba = 9, .data = sector), SUCCESS);
    th_free(h);
}

static void test_firmware(void)
{
    struct th *h = ready();
    struct envme_sqe s = th_sqe(ENVME_ADM_FW_COMMIT, 0);

    s.cdw10 = le32(1 | ENVME_FWCOMMIT_ACTIVATE << 3);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE, 0), FW_NEED_RESET);
    th_disable(h);
    th_enable(h);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE, 0), SUCCESS);
    finish(h);
    th_free(h);
}

/* Commands in flight, here and at another controller, come first. */
static void test_two(void)
{
    struct th *a = th_new(.multi = true, .lanes = 1,
                          .ns = { { .size = MIB } });
    struct th *b = th_new(.peer = a, .lanes = 1);
    uint8_t sector[512];
    struct th_buf *buf;
    struct envme_sqe s;
    uint16_t aer, cid;

    th_enable(a);
    th_enable(b);
    th_queues(a, 1, 16);
    th_queues(b, 1, 16);
    aer = th_aer(b);
    memset(sector, 0x55, sizeof(sector));
    buf = th_buf_new(b, 512, TH_PRP);
    th_buf_put(buf, sector);
    s = th_sqe_rw(ENVME_NVM_WRITE, 1, 9, 1);
    th_buf_attach(buf, &s);
    a->be[0]->hold = true;
    cid = th_submit(b, 1, &s);
    th_run(a);
    th_assert_sc(sanitize(a, ENVME_SANITIZE_BLOCK_ERASE, 0), SUCCESS);
    th_assert_sc(th_read(a, .data = sector, .block = 512),
                 SANITIZE_IN_PROGRESS);
    th_advance(a, 100 * MS);
    th_advance(a, 100 * MS);
    g_assert_cmpuint(th_be_held(a->be[0]), ==, 1);
    g_assert_cmpuint(sos(a), ==, ENVME_SOS_IN_PROGRESS);
    a->be[0]->hold = false;
    th_be_release_all(a->be[0], 0);
    th_assert_sc(th_wait(b, 1, cid), SUCCESS);
    th_buf_free(buf);
    th_assert_sc(th_read(b, .data = sector, .block = 512),
                 SANITIZE_IN_PROGRESS);
    finish(a);
    th_assert_sc(th_wait(b, 0, aer), SUCCESS);
    th_assert_sc(th_read(b, .slba = 9, .data = sector, .block = 512), SUCCESS);
    for (unsigned i = 0; i < 512; i++) {
        g_assert_cmphex(sector[i], ==, 0);
    }
    /* The controller that got the command goes: the other goes on. */
    th_assert_sc(sanitize(b, ENVME_SANITIZE_BLOCK_ERASE, 0), SUCCESS);
    th_advance(a, 10 * MS);
    th_free(b);
    finish(a);
    g_assert_cmpuint(sos(a), ==, ENVME_SOS_SUCCESS);
    th_free(a);
}

static void test_kept(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    uint8_t sector[512] = { 0 };
    struct th *h = th_new(.state = path);

    th_enable(h);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_OVERWRITE | NDAS | AUSE, 5),
                 SUCCESS);
    th_advance(h, 30 * MS);
    th_free(h);
    /* The power came on in the middle of it: another medium, but it is to be
     * as the host wanted it. */
    h = th_new(.state = path);
    th_enable(h);
    th_queues(h, 1, 16);
    th_assert_sc(th_read(h, .data = sector), SANITIZE_IN_PROGRESS);
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_IN_PROGRESS);
    finish(h);
    check_words(h, 1, MIB, 5);
    envme_sanitize_fail_next(h->subsys);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_BLOCK_ERASE | AUSE, 0), SUCCESS);
    finish(h);
    th_free(h);
    h = th_new(.state = path);
    th_enable(h);
    th_queues(h, 1, 16);
    th_assert_sc(th_read(h, .data = sector), SANITIZE_FAILED);
    th_assert_sc(sanitize(h, ENVME_SANITIZE_EXIT_FAILURE, 0), SUCCESS);
    th_free(h);
    h = th_new(.state = path);
    th_enable(h);
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_FAILED);
    th_queues(h, 1, 16);
    th_assert_sc(th_read(h, .data = sector), SUCCESS);
    th_free(h);
    g_unlink(path);
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sanitize/identify", test_identify);
    g_test_add_func("/sanitize/erase", test_erase);
    g_test_add_func("/sanitize/overwrite", test_overwrite);
    g_test_add_func("/sanitize/gates", test_gates);
    g_test_add_func("/sanitize/bad", test_bad);
    g_test_add_func("/sanitize/failed", test_failed);
    g_test_add_func("/sanitize/no-deallocate-inhibited", test_ndi);
    g_test_add_func("/sanitize/reset", test_reset);
    g_test_add_func("/sanitize/selftest", test_selftest);
    g_test_add_func("/sanitize/bad-blocks", test_bad_blocks);
    g_test_add_func("/sanitize/firmware", test_firmware);
    g_test_add_func("/sanitize/two-controllers", test_two);
    g_test_add_func("/sanitize/kept", test_kept);
    return g_test_run();
}
