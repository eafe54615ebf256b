/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers and the life cycle: enable, disable, failure, shutdown, resets.
 * Base 2.1, 3.1.4, 3.5, 3.6, 3.7.
 */
#include "th.h"

static void tweak_small(struct envme_ctrl_params *p)
{
    p->mqes = 255;
    p->cqr = true;
    p->dstrd = 2;
    p->mpsmax = 1;
    p->to = 7;
}

static void test_cap(void)
{
    struct th *h = th_new();
    uint64_t cap = th_r64(h, ENVME_REG_CAP);

    g_assert_cmphex(FIELD_GET(ENVME_CAP_MQES, cap), ==, 65535);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_CQR, cap), ==, 0);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_TO, cap), ==, 15);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_DSTRD, cap), ==, 0);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_MPSMIN, cap), ==, 0);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_MPSMAX, cap), ==, 4);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_NSSRS, cap), ==, 1);
    /* No WRR was asked for; no CMB, no PMR. */
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_AMS, cap), ==, 0);
    g_assert_cmpuint(cap & (ENVME_CAP_CMBS | ENVME_CAP_PMRS | ENVME_CAP_BPS),
                     ==, 0);
    g_assert_cmphex(FIELD_GET(ENVME_CAP_CSS, cap) & ENVME_CAP_CSS_NCSS, !=, 0);
    /* Ready with media is what a controller of version 2 has to offer. */
    g_assert_cmphex(FIELD_GET(ENVME_CAP_CRMS, cap) & ENVME_CAP_CRMS_CRWMS, !=,
                    0);
    g_assert_cmphex(th_r32(h, ENVME_REG_VS), ==, ENVME_VS_2_1);
    g_assert_cmpuint(FIELD_GET(ENVME_CRTO_CRWMT, th_r32(h, ENVME_REG_CRTO)),
                     >, 0);
    th_free(h);

    h = th_new(.tweak = tweak_small);
    cap = th_r64(h, ENVME_REG_CAP);
    g_assert_cmphex(FIELD_GET(ENVME_CAP_MQES, cap), ==, 255);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_CQR, cap), ==, 1);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_TO, cap), ==, 7);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_DSTRD, cap), ==, 2);
    g_assert_cmpuint(FIELD_GET(ENVME_CAP_MPSMAX, cap), ==, 1);
    /* The doorbells are where CAP.DSTRD says. */
    th_enable(h);
    th_queues(h, 2, 16);
    th_assert_sc(th_read(h, .qid = 2), SUCCESS);
    th_free(h);
}

static void test_widths(void)
{
    struct th *h = th_new();
    uint64_t cap = th_r64(h, ENVME_REG_CAP), v;
    unsigned i;

    g_assert_cmphex(th_r32(h, ENVME_REG_CAP), ==, cap & 0xffffffff);
    g_assert_cmphex(th_r32(h, ENVME_REG_CAP + 4), ==, cap >> 32);
    for (i = 0; i < 8; i++) {
        g_assert_cmphex(envme_ctrl_reg_read(h->ctrl, i, 1), ==,
                        cap >> (8 * i) & 0xff);
    }
    g_assert_cmphex(envme_ctrl_reg_read(h->ctrl, 2, 2), ==, cap >> 16 & 0xffff);
    /* Misaligned, over the end of a register. */
    v = envme_ctrl_reg_read(h->ctrl, 6, 4);
    g_assert_cmphex(v, ==, (cap >> 48) |
                    (uint64_t)(th_r32(h, ENVME_REG_VS) & 0xffff) << 16);

    /* ASQ whole and in halves; the low bits don't exist. */
    th_w64(h, ENVME_REG_ASQ, 0x123456789abcdfffull);
    g_assert_cmphex(th_r64(h, ENVME_REG_ASQ), ==, 0x123456789abcd000ull);
    th_w32(h, ENVME_REG_ASQ, 0x55555fff);
    g_assert_cmphex(th_r64(h, ENVME_REG_ASQ), ==, 0x1234567855555000ull);
    th_w32(h, ENVME_REG_ASQ + 4, 0xaaaaaaaa);
    g_assert_cmphex(th_r64(h, ENVME_REG_ASQ), ==, 0xaaaaaaaa55555000ull);
    th_w32(h, ENVME_REG_ACQ, 0x1000);
    th_w32(h, ENVME_REG_ACQ + 4, 7);
    g_assert_cmphex(th_r64(h, ENVME_REG_ACQ), ==, 0x700001000ull);
    /* Bytes, words and misaligned writes do nothing. */
    envme_ctrl_reg_write(h->ctrl, ENVME_REG_ACQ, 0xffff, 2);
    envme_ctrl_reg_write(h->ctrl, ENVME_REG_ACQ + 1, 0xff, 1);
    envme_ctrl_reg_write(h->ctrl, ENVME_REG_ACQ + 2, 0xffffffff, 4);
    envme_ctrl_reg_write(h->ctrl, ENVME_REG_ACQ + 4, ~0ull, 8);
    g_assert_cmphex(th_r32(h, ENVME_REG_ACQ), ==, 0x1000);
    /* 8 bytes over two registers are two writes. */
    th_w64(h, ENVME_REG_NSSR, (uint64_t)0x001f001f << 32);
    g_assert_cmphex(th_r32(h, ENVME_REG_AQA), ==, 0x001f001f);
    /* AQA's reserved bits */
    th_w32(h, ENVME_REG_AQA, 0xffffffff);
    g_assert_cmphex(th_r32(h, ENVME_REG_AQA), ==, 0x0fff0fff);
    /* Read-only registers */
    th_w64(h, ENVME_REG_CAP, ~0ull);
    th_w32(h, ENVME_REG_VS, 0);
    th_w32(h, ENVME_REG_CRTO, 0xffffffff);
    g_assert_cmphex(th_r64(h, ENVME_REG_CAP), ==, cap);
    g_assert_cmphex(th_r32(h, ENVME_REG_VS), ==, ENVME_VS_2_1);
    th_free(h);
}

/* regressions 7.3: reads beyond the last register, unaligned, every width */
static void test_every_offset(void)
{
    static const unsigned sizes[] = { 1, 2, 4, 8 };
    struct th *h = th_new();
    unsigned s;
    uint64_t off, v, part;

    th_enable(h);
    for (s = 0; s < 4; s++) {
        for (off = 0; off <= 0x1000 - sizes[s]; off++) {
            v = envme_ctrl_reg_read(h->ctrl, off, sizes[s]);
            if (sizes[s] < 8) {
                g_assert_cmphex(v >> (8 * sizes[s]), ==, 0);
            }
            part = envme_ctrl_reg_read(h->ctrl, off, 1);
            g_assert_cmphex(v & 0xff, ==, part);
        }
    }
    /* Writes where nothing is, or to what is read-only, change nothing. */
    for (off = 0x3c; off < 0x1000; off += 4) {
        th_w32(h, off, 0xffffffff);
    }
    for (off = 0; off < 0x1000; off++) {
        envme_ctrl_reg_write(h->ctrl, off, ~0ull, 1);
        envme_ctrl_reg_write(h->ctrl, off, ~0ull, 2);
    }
    th_run(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
    th_free(h);
}

static void test_intms(void)
{
    struct th *h = th_new();

    th_enable(h);
    th_w32(h, ENVME_REG_INTMS, 0x5);
    g_assert_cmphex(th_r32(h, ENVME_REG_INTMS), ==, 0x5);
    g_assert_cmphex(th_r32(h, ENVME_REG_INTMC), ==, 0x5);
    g_assert_cmphex(atomic_load(&h->intms), ==, 0x5);
    th_w32(h, ENVME_REG_INTMS, 0x8);
    th_w32(h, ENVME_REG_INTMC, 0x1);
    g_assert_cmphex(th_r32(h, ENVME_REG_INTMS), ==, 0xc);
    g_assert_cmphex(atomic_load(&h->intms), ==, 0xc);
    th_disable(h);
    th_enable(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_INTMS), ==, 0);
    th_free(h);
}

static void test_enable_disable(void)
{
    struct th *h = th_new();
    uint64_t asq;
    unsigned i;

    g_assert_cmphex(th_r32(h, ENVME_REG_CC), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
    for (i = 0; i < 50; i++) {
        th_enable(h);
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
        th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
        th_queues(h, 2, 32);
        th_assert_sc(th_read(h, .qid = 2, .nlb = 16), SUCCESS);
        asq = h->sq[0]->base;
        th_disable(h);
        /* AQA, ASQ, ACQ survive; all else is as at the start. */
        g_assert_cmphex(th_r64(h, ENVME_REG_ASQ), ==, asq);
        g_assert_cmphex(th_r32(h, ENVME_REG_AQA), ==, 63 << 16 | 63);
        g_assert_cmphex(th_r32(h, ENVME_REG_CC) & ENVME_CC_EN, ==, 0);
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
    }
    th_free(h);
}

/* Windows reads them; writes while enabled are ignored. */
static void test_aqa_while_enabled(void)
{
    struct th *h = th_new();
    uint64_t asq, acq;

    th_enable(h);
    asq = th_r64(h, ENVME_REG_ASQ);
    acq = th_r64(h, ENVME_REG_ACQ);
    g_assert_cmphex(asq, ==, h->sq[0]->base);
    g_assert_cmphex(acq, ==, h->cq[0]->base);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
    /* Whether they take a new value or not, the queues stay where they are. */
    th_w32(h, ENVME_REG_AQA, 0x00010001);
    th_w64(h, ENVME_REG_ASQ, TH_VOID_BASE);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
    th_free(h);
}

static void expect_cfs(uint32_t cc, uint32_t asqs, uint32_t acqs)
{
    struct th *h = th_new();
    uint32_t csts;

    if (th_enable_as(h, cc, asqs, acqs)) {
        g_error("CC %08x with queues of %u and %u is accepted", cc, asqs,
                acqs);
    }
    csts = th_r32(h, ENVME_REG_CSTS);
    g_assert_cmphex(csts, ==, ENVME_CSTS_CFS);
    /* And it can be had out of it. */
    th_w32(h, ENVME_REG_CC, cc & ~ENVME_CC_EN);
    th_run(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
    th_forget(h);
    th_close(h, "while disabled");
    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
    th_free(h);
}

static void test_bad_cc(void)
{
    unsigned i;

    /* Command sets: 1 .. 5 are reserved. */
    for (i = 1; i < 6; i++) {
        expect_cfs(TH_CC_DEFAULT | FIELD_SET(ENVME_CC_CSS, i), 32, 32);
    }
    /* Page sizes above MPSMAX (64 KiB here). */
    for (i = 5; i < 16; i++) {
        expect_cfs(TH_CC_DEFAULT | FIELD_SET(ENVME_CC_MPS, i), 32, 32);
    }
    /* Arbitration that is not offered */
    for (i = 1; i < 8; i++) {
        expect_cfs(TH_CC_DEFAULT | FIELD_SET(ENVME_CC_AMS, i), 32, 32);
    }
    /* Admin queues of one entry */
    expect_cfs(TH_CC_DEFAULT, 1, 32);
    expect_cfs(TH_CC_DEFAULT, 32, 1);
}

/* regressions 7.5, bhyve: ASQ or ACQ outside RAM */
static void test_bad_admin_base(void)
{
    static const uint64_t bad[] = {
        TH_VOID_BASE, TH_BAR_BASE, TH_BAR_BASE + 0x1000, TH_HOLE_BASE,
        0xfffffffffffff000ull,
    };
    unsigned i, which;
    struct th *h;
    uint32_t csts;

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        for (which = 0; which < 2; which++) {
            struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);

            h = th_new();
            th_close(h, NULL);
            th_w32(h, ENVME_REG_AQA, 31 << 16 | 31);
            th_w64(h, ENVME_REG_ASQ, which ? bad[i] : 0x10000);
            th_w64(h, ENVME_REG_ACQ, which ? 0x20000 : bad[i]);
            s.cdw10 = le32(1);
            s.dptr.prp1 = le64(0x30000);
            memcpy(th_mem(h, 0x10000, 64), &s, 64);
            th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT);
            th_run(h);
            /* At once, or when it is used. */
            th_db(h, false, 0, 1);
            th_run(h);
            csts = th_r32(h, ENVME_REG_CSTS);
            g_assert_cmphex(csts & ENVME_CSTS_CFS, !=, 0);
            th_w32(h, ENVME_REG_CC, 0);
            th_run(h);
            th_close(h, "while disabled");
            g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
            th_enable(h);
            th_free(h);
        }
    }
}

/* regressions 7.4.2: CFS must not wipe RDY and the rest */
static void test_cfs_keeps_bits(void)
{
    struct th *h = th_new();
    uint16_t aer, cid;
    struct envme_cqe cqe;
    struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);

    th_enable(h);
    aer = th_aer(h);
    envme_ctrl_fatal(h->ctrl, "the test wants it");
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==,
                    ENVME_CSTS_RDY | ENVME_CSTS_CFS);
    /* The admin queues are still there: the host is told. */
    g_assert_cmphex(le32_get(th_wait(h, 0, aer).dw0), ==,
                    ENVME_AEN_TYPE_ERROR | ENVME_AEN_ERROR_PERSISTENT << 8 |
                    ENVME_LID_ERROR << 16);
    /* Nothing is fetched any more. */
    cid = th_submit(h, 0, &s);
    g_assert_false(th_try_wait(h, 0, cid, &cqe));
    th_disable(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
    th_free(h);
}

/* A queue's memory goes away while it is used. */
static void test_fetch_fails(void)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);
    struct th *h = th_new();
    struct envme_cqe cqe;
    uint16_t cid;

    th_enable(h);
    th_fail_nth(h, TH_AT_READ, 1, -EIO);
    cid = th_submit(h, 0, &s);
    g_assert_false(th_try_wait(h, 0, cid, &cqe));
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==,
                    ENVME_CSTS_RDY | ENVME_CSTS_CFS);
    th_disable(h);
    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
    th_free(h);
}

static void shutdown_one(unsigned shn, bool io)
{
    struct th *h = th_new(.ns = { { .size = MIB, .write_cache = true } });
    uint8_t data[512];
    struct envme_cqe cqe;
    uint16_t cid;
    struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);
    uint32_t csts;

    th_enable(h);
    th_queues(h, 1, 32);
    if (io) {
        th_pattern(data, sizeof(data), shn);
        th_assert_sc(th_write(h, .slba = 3, .data = data), SUCCESS);
    }
    th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT | FIELD_SET(ENVME_CC_SHN, shn));
    th_run(h);
    csts = th_r32(h, ENVME_REG_CSTS);
    g_assert_cmpuint(FIELD_GET(ENVME_CSTS_SHST, csts), ==,
                     ENVME_CSTS_SHST_COMPLETE);
    g_assert_cmphex(csts & ENVME_CSTS_CFS, ==, 0);
    if (io && shn == ENVME_CC_SHN_NORMAL) {
        /* The volatile cache was flushed. */
        g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_FLUSH], >, 0);
    }
    /* No command is taken any more until the next enable. */
    cid = th_submit(h, 0, &s);
    if (th_try_wait(h, 0, cid, &cqe)) {
        g_assert_cmpuint(cqe_sc(&cqe), !=, ENVME_SC_SUCCESS);
    }
    th_disable(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
    th_enable(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    th_queues(h, 1, 32);
    if (io) {
        memset(data, 0, sizeof(data));
        th_assert_sc(th_read(h, .slba = 3, .data = data), SUCCESS);
        g_assert_true(th_pattern_ok(data, sizeof(data), shn));
    }
    th_free(h);
}

static void test_shutdown(void)
{
    shutdown_one(ENVME_CC_SHN_NORMAL, false);
    shutdown_one(ENVME_CC_SHN_NORMAL, true);
    shutdown_one(ENVME_CC_SHN_ABRUPT, false);
    shutdown_one(ENVME_CC_SHN_ABRUPT, true);
}

/* Shutdown may be asked of a controller that is not enabled. */
static void test_shutdown_disabled(void)
{
    struct th *h = th_new();

    th_w32(h, ENVME_REG_CC, FIELD_SET(ENVME_CC_SHN, ENVME_CC_SHN_NORMAL));
    th_run(h);
    g_assert_cmpuint(FIELD_GET(ENVME_CSTS_SHST, th_r32(h, ENVME_REG_CSTS)),
                     ==, ENVME_CSTS_SHST_COMPLETE);
    th_w32(h, ENVME_REG_CC, 0);
    th_enable(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    th_free(h);
}

static void test_nssr(void)
{
    struct th *h = th_new();

    th_enable(h);
    th_w32(h, ENVME_REG_NSSR, 0x12345678);
    th_run(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    g_assert_cmphex(th_r32(h, ENVME_REG_NSSR), ==, 0);
    th_w32(h, ENVME_REG_NSSR, ENVME_NSSR_KEY);
    th_run(h);
    th_check_at_rest(h, "after a subsystem reset");
    th_close(h, "after a subsystem reset");
    th_forget(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_NSSRO);
    g_assert_cmphex(th_r32(h, ENVME_REG_CC), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_AQA), ==, 0);
    g_assert_cmphex(th_r64(h, ENVME_REG_ASQ), ==, 0);
    /* It says so until it is told that it has been seen. */
    th_enable(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==,
                    ENVME_CSTS_NSSRO | ENVME_CSTS_RDY);
    th_w32(h, ENVME_REG_CSTS, ~ENVME_CSTS_NSSRO);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==,
                    ENVME_CSTS_NSSRO | ENVME_CSTS_RDY);
    th_w32(h, ENVME_REG_CSTS, ENVME_CSTS_NSSRO);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    th_free(h);
}

static void test_function_reset(void)
{
    struct th *h = th_new();

    th_enable(h);
    th_queues(h, 1, 8);
    th_reset(h, ENVME_RESET_FUNCTION);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_CC), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_AQA), ==, 0);
    g_assert_cmphex(th_r64(h, ENVME_REG_ASQ), ==, 0);
    g_assert_cmphex(th_r64(h, ENVME_REG_ACQ), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_INTMS), ==, 0);
    th_enable(h);
    th_queues(h, 1, 8);
    th_assert_sc(th_read(h, .nlb = 8), SUCCESS);
    th_free(h);
}

/* regressions 7.5: Linux 5.19 writes CC without EN first, then with it. */
static void test_split_cc_write(void)
{
    struct th *h = th_new();

    th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT & ~ENVME_CC_EN);
    th_run(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_CC), ==, TH_CC_DEFAULT & ~ENVME_CC_EN);
    th_enable(h);
    th_queues(h, 1, 8);
    th_assert_sc(th_read(h, .nlb = 8), SUCCESS);
    th_free(h);
}

static void test_page_sizes(void)
{
    uint8_t *data = g_malloc(128 * KIB);
    unsigned mps, shape;

    for (mps = 0; mps <= 4; mps++) {
        struct th *h = th_new();

        g_assert_true(th_enable_as(h, TH_CC_DEFAULT |
                                   FIELD_SET(ENVME_CC_MPS, mps), 64, 64));
        th_queues(h, 1, 2048);
        th_create_cq(h, .qid = 2, .size = 9000, .scattered = true);
        th_create_sq(h, .qid = 2, .size = 3000, .scattered = true);
        for (shape = 0; shape < 2; shape++) {
            th_pattern(data, 128 * KIB, mps * 2 + shape);
            th_assert_sc(th_write(h, .nlb = 256, .data = data,
                                  .shape = shape ? TH_OFFSET : 0), SUCCESS);
            memset(data, 0, 128 * KIB);
            th_assert_sc(th_read(h, .qid = 2, .nlb = 256, .data = data,
                                 .shape = shape ? 0 : TH_OFFSET), SUCCESS);
            g_assert_true(th_pattern_ok(data, 128 * KIB, mps * 2 + shape));
        }
        th_free(h);
    }
    g_free(data);
}

/* Admin queues of every size that is allowed work, and wrap. */
static void test_admin_queue_sizes(void)
{
    static const uint32_t sizes[] = { 2, 3, 5, 64, 4096 };
    unsigned i, j, n;

    for (i = 0; i < G_N_ELEMENTS(sizes); i++) {
        for (j = 0; j < G_N_ELEMENTS(sizes); j++) {
            struct th *h = th_new();

            g_assert_true(th_enable_as(h, TH_CC_DEFAULT, sizes[i], sizes[j]));
            for (n = 0; n < 150; n++) {
                th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
            }
            th_free(h);
        }
    }
}

/* IOSQES and IOCQES may be set after enabling, before the first I/O queue. */
static void test_entry_sizes(void)
{
    struct th *h = th_new();
    uint16_t sc;

    g_assert_true(th_enable_as(h, ENVME_CC_EN, 16, 16));
    sc = th_create_cq(h, .qid = 1, .size = 16);
    th_assert_code(sc, QUEUE_SIZE_INVALID);
    th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT);
    th_run(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    th_queues(h, 1, 16);
    th_assert_sc(th_read(h), SUCCESS);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/life/cap", test_cap);
    g_test_add_func("/life/widths", test_widths);
    g_test_add_func("/life/regression-7.3-every-offset", test_every_offset);
    g_test_add_func("/life/intms", test_intms);
    g_test_add_func("/life/enable-disable", test_enable_disable);
    g_test_add_func("/life/aqa-while-enabled", test_aqa_while_enabled);
    g_test_add_func("/life/regression-7.4.16-bad-cc", test_bad_cc);
    g_test_add_func("/life/regression-7.5-bad-admin-base",
                    test_bad_admin_base);
    g_test_add_func("/life/regression-7.4.2-cfs-keeps-bits",
                    test_cfs_keeps_bits);
    g_test_add_func("/life/fetch-fails", test_fetch_fails);
    g_test_add_func("/life/shutdown", test_shutdown);
    g_test_add_func("/life/shutdown-disabled", test_shutdown_disabled);
    g_test_add_func("/life/nssr", test_nssr);
    g_test_add_func("/life/function-reset", test_function_reset);
    g_test_add_func("/life/regression-7.5-split-cc-write",
                    test_split_cc_write);
    g_test_add_func("/life/page-sizes", test_page_sizes);
    g_test_add_func("/life/admin-queue-sizes", test_admin_queue_sizes);
    g_test_add_func("/life/entry-sizes", test_entry_sizes);
    return g_test_run();
}
