/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Persistent Memory Region: enabling, health, data in it, resets, sanitize.
 * Base 2.1, 8.2.4, 3.1.4.22 to 3.1.4.28.
 */
#include "th.h"

#include "hw/ctrl/cmem.h"

#define MS (1000ull * 1000)
#define PMR (64 * KIB)
#define CAPS (ENVME_PMRCAP_RDS | ENVME_PMRCAP_WDS | ENVME_PMRCAP_CMSS)

static uint32_t caps;           /* of the next host */

static void tweak(struct envme_ctrl_params *p)
{
    p->pmrcap = caps | FIELD_SET(ENVME_PMRCAP_BIR, 4);
    p->cmbsz = ENVME_CMBSZ_SQS | ENVME_CMBSZ_CQS | ENVME_CMBSZ_LISTS |
               ENVME_CMBSZ_RDS | ENVME_CMBSZ_WDS;
    p->cmbloc = ENVME_CMBLOC_CDMMMS | 2;
}

#define pmr_new(...) \
    th_new(.pmr = PMR, .tweak = tweak, .ns = { { .size = 1 * MIB } }, \
           __VA_ARGS__)

static uint32_t sts(struct th *h)
{
    return th_r32(h, ENVME_REG_PMRSTS);
}

static unsigned hsts(struct th *h)
{
    return FIELD_GET(ENVME_PMRSTS_HSTS, sts(h));
}

static void pmr_on(struct th *h)
{
    th_w32(h, ENVME_REG_PMRCTL, ENVME_PMRCTL_EN);
    g_assert_cmphex(sts(h) & ENVME_PMRSTS_NRDY, ==, ENVME_PMRSTS_NRDY);
    th_run(h);
    g_assert_cmphex(sts(h) & ENVME_PMRSTS_NRDY, ==, 0);
    g_assert_true(h->pmr_shown);
}

static void pmr_space(struct th *h, uint64_t at)
{
    th_w32(h, ENVME_REG_PMRMSCU, at >> 32);
    th_w32(h, ENVME_REG_PMRMSCL, (uint32_t)at | ENVME_PMRMSCL_CMSE);
    h->own_at = at;
}

/* ---- registers --------------------------------------------------------- */

static void test_none(void)
{
    struct th *h = th_new(.no_ns = true);
    uint64_t off;

    g_assert_cmphex(th_r64(h, ENVME_REG_CAP) & ENVME_CAP_PMRS, ==, 0);
    for (off = ENVME_REG_PMRCAP; off <= ENVME_REG_PMRMSCU; off += 4) {
        th_w32(h, off, UINT32_MAX);
        g_assert_cmphex(th_r32(h, off), ==, 0);
    }
    g_assert_cmpstr(h->ctrl->params.serial, ==, "HOST0001");
    th_free(h);
}

static void test_enable(void)
{
    struct th *h;
    uint32_t cap;

    caps = CAPS;
    h = pmr_new();
    g_assert_cmphex(th_r64(h, ENVME_REG_CAP) & ENVME_CAP_PMRS, ==,
                    ENVME_CAP_PMRS);
    cap = th_r32(h, ENVME_REG_PMRCAP);
    g_assert_cmphex(cap & CAPS, ==, CAPS);
    g_assert_cmpuint(FIELD_GET(ENVME_PMRCAP_BIR, cap), ==, 4);
    g_assert_cmpuint(FIELD_GET(ENVME_PMRCAP_PMRWBM, cap), ==,
                     ENVME_PMRCAP_PMRWBM_PMRSTS);
    g_assert_cmpuint(FIELD_GET(ENVME_PMRCAP_PMRTO, cap), >, 0);
    g_assert_cmphex(sts(h), ==, 0);
    g_assert_false(h->pmr_shown);

    /* CC.EN has nothing to do with it. */
    pmr_on(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_PMRCTL), ==, 1);
    g_assert_cmphex(sts(h), ==, 0);
    /* The same again is nothing. */
    th_w32(h, ENVME_REG_PMRCTL, UINT32_MAX);
    g_assert_cmphex(th_r32(h, ENVME_REG_PMRCTL), ==, 1);
    g_assert_cmphex(sts(h), ==, 0);

    /* Off: it may be enabled again when all is written. */
    h->flush_hold = true;
    th_w32(h, ENVME_REG_PMRCTL, 0);
    g_assert_false(h->pmr_shown);
    th_run(h);
    g_assert_cmphex(sts(h), ==, 0);
    th_pmr_flushed(h);
    g_assert_cmphex(sts(h), ==, ENVME_PMRSTS_NRDY);
    g_assert_cmpuint(h->flushes, ==, 1);

    /* Enabled again before that: it waits. */
    pmr_on(h);
    th_w32(h, ENVME_REG_PMRCTL, 0);
    th_w32(h, ENVME_REG_PMRCTL, 1);
    th_run(h);
    g_assert_cmphex(sts(h), ==, ENVME_PMRSTS_NRDY);
    g_assert_false(h->pmr_shown);
    th_pmr_flushed(h);
    th_run(h);
    g_assert_cmphex(sts(h), ==, 0);
    g_assert_true(h->pmr_shown);

    /* Off before it was ready: there is nothing to write. */
    h->flush_hold = false;
    th_w32(h, ENVME_REG_PMRCTL, 0);
    th_w32(h, ENVME_REG_PMRCTL, 1);
    th_w32(h, ENVME_REG_PMRCTL, 0);
    th_run(h);
    g_assert_cmphex(sts(h), ==, ENVME_PMRSTS_NRDY);
    g_assert_cmpuint(h->flushes, ==, 3);
    g_assert_false(h->pmr_shown);
    th_free(h);
}

/* A read of PMRSTS is the write barrier: once, and only when ready. */
static void test_barrier(void)
{
    struct th *h;

    caps = CAPS;
    h = pmr_new();
    sts(h);
    g_assert_cmpuint(h->syncs, ==, 0);
    pmr_on(h);
    h->syncs = 0;
    sts(h);
    g_assert_cmpuint(h->syncs, ==, 1);
    envme_ctrl_reg_read(h->ctrl, ENVME_REG_PMRSTS, 8);
    g_assert_cmpuint(h->syncs, ==, 2);
    envme_ctrl_reg_read(h->ctrl, ENVME_REG_PMRSTS + 3, 1);
    g_assert_cmpuint(h->syncs, ==, 3);
    th_r32(h, ENVME_REG_PMRCTL);
    th_r32(h, ENVME_REG_PMREBS);
    g_assert_cmpuint(h->syncs, ==, 3);
    th_w32(h, ENVME_REG_PMRCTL, 0);
    sts(h);
    g_assert_cmpuint(h->syncs, ==, 3);
    th_free(h);
}

static void test_space(void)
{
    uint64_t last = 0 - PMR;
    struct th *h;

    caps = CAPS;
    h = pmr_new(.cmb = 64 * KIB);
    pmr_space(h, last);
    g_assert_cmphex(sts(h), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_PMRMSCU), ==, UINT32_MAX);
    g_assert_cmphex(th_r32(h, ENVME_REG_PMRMSCL), ==,
                    (uint32_t)last | ENVME_PMRMSCL_CMSE);
    pmr_space(h, last + 4096);
    g_assert_cmphex(sts(h), ==, ENVME_PMRSTS_CBAI);
    th_w32(h, ENVME_REG_PMRMSCL, (uint32_t)last + 4096);
    g_assert_cmphex(sts(h), ==, 0);
    th_w32(h, ENVME_REG_PMRMSCL, UINT32_MAX);
    g_assert_cmphex(th_r32(h, ENVME_REG_PMRMSCL), ==,
                    ENVME_PMRMSCL_CBA | ENVME_PMRMSCL_CMSE);

    /* Neither may overlap the other while that is on. */
    pmr_space(h, TH_PMR_BASE);
    th_w64(h, ENVME_REG_CMBMSC, (TH_PMR_BASE + PMR - 4096) | 3);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, ENVME_CMBSTS_CBAI);
    g_assert_cmphex(sts(h), ==, 0);
    th_w64(h, ENVME_REG_CMBMSC, (TH_PMR_BASE + PMR) | 3);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, 0);
    pmr_space(h, TH_PMR_BASE + 4096);
    g_assert_cmphex(sts(h), ==, ENVME_PMRSTS_CBAI);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, 0);
    /* The other goes away. */
    th_w64(h, ENVME_REG_CMBMSC, 0);
    g_assert_cmphex(sts(h), ==, 0);
    th_free(h);

    /* Without CMSS there is none, and so no data. */
    caps = CAPS & ~ENVME_PMRCAP_CMSS;
    h = pmr_new();
    g_assert_cmphex(th_r32(h, ENVME_REG_PMRCAP) & CAPS, ==, 0);
    pmr_space(h, TH_PMR_BASE);
    g_assert_cmphex(th_r32(h, ENVME_REG_PMRMSCL), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_PMRMSCU), ==, 0);
    th_enable(h);
    th_queues(h, 1, 8);
    pmr_on(h);
    th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN), DATA_XFER_ERROR);
    th_free(h);
}

static void test_params(void)
{
    static uint8_t byte;
    static const uint64_t bad[] = { 0, 2048, 12 * KIB, MIB + 4 * KIB };
    struct envme_ports ports = { .pmr = { .base = &byte, .size = 4 * KIB } };
    struct envme_ctrl_params p = { .cmbsz = 0 };
    unsigned i;
    char *err;

    g_assert_null(envme_cmem_check_params(&p, &ports));
    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        ports.pmr.size = bad[i];
        err = envme_cmem_check_params(&p, &ports);
        g_assert_nonnull(strstr(err, "pmrdev"));
        g_free(err);
    }
}

/* ---- health ------------------------------------------------------------ */

static uint8_t smart(struct th *h)
{
    struct envme_log_smart log;

    th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 0, &log,
                            sizeof(log), false), SUCCESS);
    return log.cw;
}

static void want_event(struct th *h, uint16_t aer)
{
    struct envme_cqe cqe;

    g_assert_true(th_try_wait(h, 0, aer, &cqe));
    g_assert_cmphex(le32_get(cqe.dw0), ==,
                    (uint32_t)ENVME_LID_SMART << 16 |
                    ENVME_AEN_SMART_RELIABILITY << 8 | ENVME_AEN_TYPE_SMART);
}

static void test_sync_fails(void)
{
    struct th *h;
    uint16_t aer;

    caps = CAPS;
    h = pmr_new();
    th_enable(h);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, ENVME_SMART_CW_PMRRO,
                                false), SUCCESS);
    aer = th_aer(h);
    pmr_on(h);
    h->pmr_err = -EIO;
    g_assert_cmphex(sts(h) & ENVME_PMRSTS_ERR, ==, 1);
    g_assert_cmpuint(hsts(h), ==, ENVME_PMRSTS_HSTS_UNRELIABLE);
    g_assert_cmpuint(h->notes, >, 0);
    want_event(h, aer);
    g_assert_cmphex(smart(h) & ENVME_SMART_CW_PMRRO, !=, 0);
    /* It stays, whatever comes, until the function is reset. */
    h->pmr_err = 0;
    g_assert_cmphex(sts(h) & ENVME_PMRSTS_ERR, ==, 1);
    th_disable(h);
    g_assert_cmphex(sts(h) & ENVME_PMRSTS_ERR, ==, 1);
    th_w32(h, ENVME_REG_PMRCTL, 0);
    g_assert_cmphex(sts(h), ==, ENVME_PMRSTS_NRDY | 1);
    pmr_on(h);
    g_assert_cmpuint(hsts(h), ==, ENVME_PMRSTS_HSTS_UNRELIABLE);
    th_reset(h, ENVME_RESET_FLR);
    g_assert_cmphex(sts(h), ==, 0);
    th_enable(h);
    pmr_on(h);
    g_assert_cmphex(sts(h), ==, 0);
    g_assert_cmphex(smart(h), ==, 0);

    /* The same when it is disabled. */
    h->pmr_err = -EIO;
    th_w32(h, ENVME_REG_PMRCTL, 0);
    g_assert_cmphex(sts(h), ==, ENVME_PMRSTS_NRDY | 1);
    th_free(h);
}

static void test_read_only(void)
{
    uint8_t data[8 * 512];
    struct th *h;
    uint16_t aer;

    caps = CAPS;
    h = pmr_new(.pmr_read_only = true);
    th_enable(h);
    th_queues(h, 1, 8);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, ENVME_SMART_CW_PMRRO,
                                false), SUCCESS);
    aer = th_aer(h);
    g_assert_cmphex(smart(h), ==, 0);
    pmr_on(h);
    g_assert_cmpuint(hsts(h), ==, ENVME_PMRSTS_HSTS_READ_ONLY);
    want_event(h, aer);
    g_assert_cmphex(smart(h), ==, ENVME_SMART_CW_PMRRO);
    pmr_space(h, TH_PMR_BASE);
    th_pattern(data, sizeof(data), 1);
    th_assert_sc(th_write(h, .nlb = 8, .data = data, .shape = TH_OWN),
                 SUCCESS);
    h->own_at = TH_PMR_BASE;
    memcpy(data, h->pmr, sizeof(data));
    th_assert_sc(th_read(h, .nlb = 8, .slba = 8, .shape = TH_OWN),
                 DATA_XFER_ERROR);
    g_assert_cmpuint(h->syncs, ==, 0);
    /* Disabled, it is not sick. */
    th_w32(h, ENVME_REG_PMRCTL, 0);
    g_assert_cmphex(smart(h), ==, 0);
    th_free(h);

    /* Without one, the event does not exist. */
    h = th_new();
    th_enable(h);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, ENVME_SMART_CW_PMRRO,
                                false), INVALID_FIELD);
    th_free(h);
}

/* ---- data -------------------------------------------------------------- */

static void test_data(void)
{
    static const unsigned shapes[] = {
        TH_PRP | TH_OWN, TH_PRP | TH_OFFSET | TH_OWN, TH_SGL | TH_OWN,
    };
    uint8_t data[24 * 512], got[24 * 512];
    unsigned lanes, i;
    struct th *h;

    caps = CAPS;
    for (lanes = 0; lanes < 2; lanes++) {
        h = pmr_new(.lanes = lanes);
        th_enable(h);
        th_queues(h, 1, 8);
        /* Its space is on and it is not ready: as if it were not there. */
        pmr_space(h, TH_PMR_BASE);
        th_assert_sc(th_write(h, .nlb = 8, .shape = TH_OWN), DATA_XFER_ERROR);
        th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN), DATA_XFER_ERROR);
        g_assert_cmpuint(h->self_dma, ==, 0);
        pmr_on(h);
        for (i = 0; i < G_N_ELEMENTS(shapes); i++) {
            th_pattern(data, sizeof(data), i);
            h->own_at = TH_PMR_BASE;
            th_assert_sc(th_write(h, .nlb = 24, .data = data,
                                  .shape = shapes[i]), SUCCESS);
            h->own_at = TH_PMR_BASE;
            th_assert_sc(th_read(h, .nlb = 24, .data = got,
                                 .shape = shapes[i]), SUCCESS);
            g_assert_cmpint(memcmp(data, got, sizeof(data)), ==, 0);
        }
        /* Off: refused, at the BAR's address too. */
        th_w32(h, ENVME_REG_PMRMSCL, 0);
        h->own_at = TH_PMR_BASE;
        th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN), DATA_XFER_ERROR);
        g_assert_cmpuint(h->self_dma, >, 0);
        /* Disabled, likewise. */
        pmr_space(h, TH_PMR_BASE);
        th_w32(h, ENVME_REG_PMRCTL, 0);
        th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN), DATA_XFER_ERROR);
        th_free(h);
    }
}

static void test_wrong_uses(void)
{
    struct envme_sqe s;
    struct th *h;

    caps = CAPS & ~ENVME_PMRCAP_RDS;
    h = pmr_new();
    th_enable(h);
    th_queues(h, 1, 8);
    pmr_on(h);
    pmr_space(h, TH_PMR_BASE);
    th_assert_sc(th_write(h, .nlb = 8, .shape = TH_OWN), SUCCESS);
    th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN), INVALID_FIELD);
    th_free(h);

    caps = CAPS & ~ENVME_PMRCAP_WDS;
    h = pmr_new(.cmb = 64 * KIB);
    th_enable(h);
    th_queues(h, 1, 8);
    pmr_on(h);
    pmr_space(h, TH_PMR_BASE);
    th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN), SUCCESS);
    th_assert_sc(th_write(h, .nlb = 8, .shape = TH_OWN), INVALID_FIELD);
    /* Nor queues, nor lists. */
    th_assert_code(th_create_cq(h, .qid = 2, .size = 8, .own = true),
                   INVALID_FIELD);
    th_assert_code(th_create_sq(h, .qid = 2, .cqid = 1, .size = 8,
                                .own = true), INVALID_FIELD);
    th_assert_code(th_create_cq(h, .qid = 2, .size = 300, .scattered = true,
                                .own = true), INVALID_FIELD);
    th_assert_code(th_create_cq(h, .qid = 2, .size = 300, .scattered = true,
                                .own_list = true), INVALID_FIELD);
    th_assert_sc(th_read(h, .nlb = 100, .shape = TH_OWN_LISTS),
                 INVALID_FIELD);
    th_assert_sc(th_read(h, .nlb = 100, .shape = TH_OWN_LISTS | TH_SGL),
                 INVALID_FIELD);
    /* All of a command's data, or none. */
    s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 9);
    s.dptr.prp1 = le64(TH_PMR_BASE);
    s.dptr.prp2 = le64(th_alloc(h, 4096));
    th_assert_sc(th_io(h, 1, &s), INVALID_FIELD);
    th_w64(h, ENVME_REG_CMBMSC, TH_CMB_BASE | 3);
    s.dptr.prp2 = le64(TH_CMB_BASE);
    th_assert_sc(th_io(h, 1, &s), INVALID_FIELD);
    s.dptr.prp2 = le64(TH_PMR_BASE + 4096);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    th_free(h);
}

/* ---- resets, sanitize -------------------------------------------------- */

static void test_reset(void)
{
    static const enum envme_reset kinds[] = {
        ENVME_RESET_CC, ENVME_RESET_FLR, ENVME_RESET_FUNCTION,
        ENVME_RESET_NSSR,
    };
    uint8_t data[8 * 512];
    struct th *h;
    unsigned i;

    caps = CAPS;
    for (i = 0; i < G_N_ELEMENTS(kinds); i++) {
        bool stays = kinds[i] == ENVME_RESET_CC;

        h = pmr_new(.lanes = 1);
        th_enable(h);
        th_queues(h, 1, 8);
        pmr_on(h);
        pmr_space(h, TH_PMR_BASE);
        th_pattern(data, sizeof(data), i);
        th_assert_sc(th_write(h, .nlb = 8, .data = data), SUCCESS);
        th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN | TH_CONTIG),
                     SUCCESS);
        g_assert_cmpint(memcmp(h->pmr, data, sizeof(data)), ==, 0);
        if (stays) {
            th_disable(h);
        } else {
            th_reset(h, kinds[i]);
        }
        g_assert_cmphex(th_r32(h, ENVME_REG_PMRCTL), ==, stays);
        g_assert_cmphex(!!th_r32(h, ENVME_REG_PMRMSCL), ==, stays);
        g_assert_cmphex(!!th_r32(h, ENVME_REG_PMRMSCU), ==, stays);
        g_assert_cmphex(sts(h), ==, 0);
        g_assert_cmpint(h->pmr_shown, ==, stays);
        g_assert_cmphex(th_r32(h, ENVME_REG_PMRCAP) & CAPS, ==, CAPS);
        /* What is in it is what was. */
        g_assert_cmpint(memcmp(h->pmr, data, sizeof(data)), ==, 0);
        th_enable(h);
        th_queues(h, 1, 8);
        h->own_at = TH_PMR_BASE;
        if (!stays) {
            th_assert_sc(th_write(h, .nlb = 8, .shape = TH_OWN),
                         DATA_XFER_ERROR);
            pmr_on(h);
            pmr_space(h, TH_PMR_BASE);
        }
        th_assert_sc(th_write(h, .nlb = 8, .shape = TH_OWN), SUCCESS);
        th_free(h);
    }
}

/* A reset while it is being disabled, and while it becomes ready. */
static void test_reset_between(void)
{
    struct th *h;

    caps = CAPS;
    h = pmr_new();
    pmr_on(h);
    h->flush_hold = true;
    th_w32(h, ENVME_REG_PMRCTL, 0);
    th_reset_start(h, ENVME_RESET_FLR);
    g_assert_cmphex(sts(h), ==, 0);
    th_pmr_flushed(h);
    th_reset_finish(h);
    h->flush_hold = false;
    pmr_on(h);
    th_w32(h, ENVME_REG_PMRCTL, 0);
    th_w32(h, ENVME_REG_PMRCTL, 1);
    th_reset(h, ENVME_RESET_NSSR);
    th_run(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_PMRCTL), ==, 0);
    g_assert_false(h->pmr_shown);
    th_free(h);
}

static unsigned sos(struct th *h)
{
    struct envme_log_sanitize log;

    th_assert_sc(th_get_log(h, ENVME_LID_SANITIZE, 0, 0, &log, sizeof(log),
                            false), SUCCESS);
    return FIELD_GET(ENVME_SSTAT_SOS, le16_get(log.sstat));
}

static void test_sanitize(void)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SANITIZE, 0);
    struct th *h, *b;
    unsigned i;

    caps = CAPS;
    s.cdw10 = le32(ENVME_SANITIZE_BLOCK_ERASE);
    h = pmr_new(.multi = true);
    b = th_new(.peer = h, .pmr = PMR, .tweak = tweak);
    th_enable(h);
    th_enable(b);
    memset(h->pmr, 0x55, PMR);
    memset(b->pmr, 0x55, PMR);
    pmr_on(b);
    th_assert_sc(th_admin(h, &s), SANITIZE_PMR);
    th_w32(b, ENVME_REG_PMRCTL, 0);
    pmr_on(h);
    th_assert_sc(th_admin(h, &s), SANITIZE_PMR);
    th_w32(h, ENVME_REG_PMRCTL, 0);
    h->flushes = b->flushes = 0;
    th_assert_sc(th_admin(h, &s), SUCCESS);
    /* Nobody can enable it until that is over. */
    th_w32(b, ENVME_REG_PMRCTL, 1);
    th_run(b);
    g_assert_cmphex(sts(b), ==, ENVME_PMRSTS_NRDY);
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_IN_PROGRESS);
    for (i = 0; i < 2000 && sos(h) == ENVME_SOS_IN_PROGRESS; i++) {
        g_assert_cmphex(sts(b), ==, ENVME_PMRSTS_NRDY);
        th_advance(h, 20 * MS);
    }
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_SUCCESS);
    th_run(h);
    g_assert_cmphex(sts(b), ==, 0);
    for (i = 0; i < PMR; i++) {
        g_assert_cmphex(h->pmr[i] | b->pmr[i], ==, 0);
    }
    g_assert_cmpuint(h->flushes, ==, 1);
    g_assert_cmpuint(b->flushes, ==, 1);
    th_w32(b, ENVME_REG_PMRCTL, 0);

    /* It cannot be erased durably. */
    h->pmr_err = -EIO;
    th_assert_sc(th_admin(h, &s), SUCCESS);
    for (i = 0; i < 2000 && sos(h) == ENVME_SOS_IN_PROGRESS; i++) {
        th_advance(h, 20 * MS);
    }
    g_assert_cmpuint(sos(h), ==, ENVME_SOS_FAILED);
    /* After a failure neither. */
    th_w32(b, ENVME_REG_PMRCTL, 1);
    th_run(b);
    g_assert_cmphex(sts(b), ==, ENVME_PMRSTS_NRDY);
    th_free(b);
    th_free(h);

    h = pmr_new(.pmr_read_only = true);
    th_enable(h);
    th_assert_sc(th_admin(h, &s), NS_WRITE_PROTECTED);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pmr/none", test_none);
    g_test_add_func("/pmr/enable", test_enable);
    g_test_add_func("/pmr/barrier", test_barrier);
    g_test_add_func("/pmr/space", test_space);
    g_test_add_func("/pmr/params", test_params);
    g_test_add_func("/pmr/sync-fails", test_sync_fails);
    g_test_add_func("/pmr/read-only", test_read_only);
    g_test_add_func("/pmr/data", test_data);
    g_test_add_func("/pmr/wrong-uses", test_wrong_uses);
    g_test_add_func("/pmr/reset", test_reset);
    g_test_add_func("/pmr/reset-between", test_reset_between);
    g_test_add_func("/pmr/sanitize", test_sanitize);
    return g_test_run();
}
