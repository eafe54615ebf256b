/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Controller Memory Buffer: its registers, and queues, lists and data in it.
 * Base 2.1, 8.2.1, 3.1.4.11 to 3.1.4.19.
 */
#include "th.h"

#include "hw/ctrl/cmem.h"

#define CMB (1 * MIB)

#define USES (ENVME_CMBSZ_SQS | ENVME_CMBSZ_CQS | ENVME_CMBSZ_LISTS | \
              ENVME_CMBSZ_RDS | ENVME_CMBSZ_WDS)
#define LOCS (ENVME_CMBLOC_CQMMS | ENVME_CMBLOC_CQPDS | \
              ENVME_CMBLOC_CDPMLS | ENVME_CMBLOC_CDPCILS | \
              ENVME_CMBLOC_CDMMMS)
#define ON (ENVME_CMBMSC_CRE | ENVME_CMBMSC_CMSE)

/* For the next host. */
static uint32_t uses, locs;
static bool legacy;

static void tweak(struct envme_ctrl_params *p)
{
    p->cmbsz = uses;
    p->cmbloc = locs | 2;
    p->cmb_legacy = legacy;
}

static void all(void)
{
    uses = USES;
    locs = LOCS;
    legacy = false;
}

static struct th *cmb_host_at(unsigned lanes, uint64_t at)
{
    struct th *h = th_new(.cmb = CMB, .lanes = lanes, .seed = lanes + 1,
                          .tweak = tweak,
                          .ns = { { .size = 4 * MIB },
                                  { .size = 1 * MIB, .ms = 8 } });

    if (at < TH_RAM_SIZE) {
        /* In front of memory of the host, which it hides. */
        memset(h->used + at / 4096, 2, CMB / 4096);
    }
    h->cmb_at = at;
    h->own_at = at;
    th_w64(h, ENVME_REG_CMBMSC, at | ON);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, 0);
    th_enable(h);
    return h;
}

static struct th *cmb_host(unsigned lanes)
{
    return cmb_host_at(lanes, TH_CMB_BASE);
}

/* ---- registers --------------------------------------------------------- */

static void test_none(void)
{
    static const uint64_t regs[] = {
        ENVME_REG_CMBLOC, ENVME_REG_CMBSZ, ENVME_REG_CMBMSC,
        ENVME_REG_CMBMSC + 4, ENVME_REG_CMBSTS, ENVME_REG_CMBEBS,
        ENVME_REG_CMBSWTP,
    };
    struct th *h = th_new(.no_ns = true);
    unsigned i;

    g_assert_cmphex(th_r64(h, ENVME_REG_CAP) & ENVME_CAP_CMBS, ==, 0);
    for (i = 0; i < G_N_ELEMENTS(regs); i++) {
        th_w32(h, regs[i], UINT32_MAX);
        g_assert_cmphex(th_r32(h, regs[i]), ==, 0);
    }
    /* What stands first in the controller has not been written. */
    g_assert_cmpstr(h->ctrl->params.serial, ==, "HOST0001");
    g_assert_null(h->ctrl->cmem);
    th_free(h);
}

static void test_registers(void)
{
    struct th *h;
    uint64_t high = UINT64_MAX << 32;

    all();
    h = th_new(.cmb = CMB, .tweak = tweak, .no_ns = true);
    g_assert_cmphex(th_r64(h, ENVME_REG_CAP) & ENVME_CAP_CMBS, ==,
                    ENVME_CAP_CMBS);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBLOC), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSZ), ==, 0);
    /* CMSE has no effect without CRE. */
    th_w64(h, ENVME_REG_CMBMSC, high | ENVME_CMBMSC_CBA | ENVME_CMBMSC_CMSE);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, 0);
    th_w64(h, ENVME_REG_CMBMSC, ENVME_CMBMSC_CRE);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBLOC), ==, LOCS | 2);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSZ), ==,
                    USES | ENVME_CMBSZ_SZU_1M << 8 | 1u << 12);
    /* By halves, as Linux does; reserved bits stay 0. */
    th_w32(h, ENVME_REG_CMBMSC + 4, 0x12345678);
    th_w32(h, ENVME_REG_CMBMSC, 0xabcdefff);
    g_assert_cmphex(th_r64(h, ENVME_REG_CMBMSC), ==,
                    0x12345678abcde000ull | ON);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, 0);
    /* The last address that fits, and the next. */
    th_w64(h, ENVME_REG_CMBMSC, (0 - CMB) | ON);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, 0);
    th_w64(h, ENVME_REG_CMBMSC, (0 - CMB + 4096) | ON);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, ENVME_CMBSTS_CBAI);
    th_w64(h, ENVME_REG_CMBMSC, (0 - CMB + 4096) | ENVME_CMBMSC_CRE);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, 0);
    th_w64(h, ENVME_REG_CMBMSC, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBLOC), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSZ), ==, 0);
    /* Read-only ones. */
    th_w32(h, ENVME_REG_CMBLOC, UINT32_MAX);
    th_w32(h, ENVME_REG_CMBSZ, UINT32_MAX);
    th_w32(h, ENVME_REG_CMBSTS, UINT32_MAX);
    g_assert_cmphex(th_r64(h, ENVME_REG_CMBLOC), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, 0);
    th_free(h);
}

static void test_sizes(void)
{
    static uint8_t byte;
    static const struct {
        uint64_t size;
        unsigned szu;
    } t[] = {
        { 4 * KIB, 0 }, { 12 * KIB, 0 }, { 64 * KIB, 0 }, { MIB, 2 },
        { MIB + 4 * KIB, 0 }, { 3 * MIB, 2 }, { 5ull << 30, 2 },
        { (5ull << 30) + 64 * KIB, 1 }, { 2ull << 40, 3 },
    };
    static const uint64_t bad[] = { 1, 4095, 4097, (4ull << 30) + 4096, };
    struct envme_ports ports = { .cmb = { .base = &byte } };
    struct envme_ctrl_params p = { .cmbsz = USES };
    unsigned i;
    char *err;

    for (i = 0; i < G_N_ELEMENTS(t); i++) {
        struct envme_ctrl *ctrl = g_new0(struct envme_ctrl, 1);

        ports.cmb.size = t[i].size;
        g_assert_null(envme_cmem_check_params(&p, &ports));
        ctrl->ports = ports;
        ctrl->params.cmb_legacy = true;
        envme_cmem_regs_init(ctrl);
        g_assert_cmpuint(FIELD_GET(ENVME_CMBSZ_SZU, ctrl->cmbsz), ==,
                         t[i].szu);
        g_assert_cmpuint((uint64_t)FIELD_GET(ENVME_CMBSZ_SZ, ctrl->cmbsz) *
                         (4 * KIB << 4 * t[i].szu), ==, t[i].size);
        g_free(ctrl);
    }
    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        ports.cmb.size = bad[i];
        err = envme_cmem_check_params(&p, &ports);
        g_assert_nonnull(strstr(err, "cmb-size"));
        g_free(err);
    }
    ports.cmb.size = MIB;
    p.cmbsz = ENVME_CMBSZ_LISTS;
    err = envme_cmem_check_params(&p, &ports);
    g_assert_nonnull(strstr(err, "cmb.sqs"));
    g_free(err);
}

/* CMBMSC goes through a Controller Reset and an FLR, and through nothing
 * else. */
static void test_reset(void)
{
    static const enum envme_reset kinds[] = {
        ENVME_RESET_CC, ENVME_RESET_FLR, ENVME_RESET_FUNCTION,
        ENVME_RESET_NSSR,
    };
    uint64_t msc = TH_CMB_BASE | ON;
    unsigned i, enabled;

    all();
    for (i = 0; i < G_N_ELEMENTS(kinds); i++) {
        for (enabled = 0; enabled < 2; enabled++) {
            bool stays = kinds[i] == ENVME_RESET_CC ||
                         kinds[i] == ENVME_RESET_FLR;
            struct th *h = th_new(.cmb = CMB, .tweak = tweak, .lanes = 1);

            h->own_at = TH_CMB_BASE;
            th_w64(h, ENVME_REG_CMBMSC, msc);
            if (enabled) {
                h->own_admin = true;
                th_enable(h);
                th_assert_code(th_create_cq(h, .qid = 1, .size = 8,
                                            .own = true), SUCCESS);
                th_assert_code(th_create_sq(h, .qid = 1, .size = 8,
                                            .own = true), SUCCESS);
                th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN), SUCCESS);
            }
            if (kinds[i] == ENVME_RESET_CC && enabled) {
                th_disable(h);
            } else {
                th_reset(h, kinds[i]);
            }
            g_assert_cmphex(th_r64(h, ENVME_REG_CMBMSC), ==, stays ? msc : 0);
            g_assert_cmphex(!!th_r32(h, ENVME_REG_CMBSZ), ==, stays);
            g_assert_cmphex(!!th_r32(h, ENVME_REG_CMBLOC), ==, stays);
            g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS, ==, 0);
            /* And so does what they bring about. */
            h->own_at = TH_CMB_BASE;
            h->own_admin = true;
            g_assert_cmpint(th_enable_as(h, TH_CC_DEFAULT, 8, 8), ==, stays);
            if (!stays) {
                th_disable(h);
                h->own_admin = false;
                th_enable(h);
            }
            th_free(h);
        }
    }
}

/* Lanes that have not heard of the reset yet find their queues. */
static void test_reset_loaded(void)
{
    unsigned seed, i;

    all();
    for (seed = 1; seed < 40; seed++) {
        struct th *h = th_new(.cmb = CMB, .tweak = tweak, .lanes = 2,
                              .seed = seed);

        h->own_at = TH_CMB_BASE;
        th_w64(h, ENVME_REG_CMBMSC, TH_CMB_BASE | ON);
        th_enable(h);
        for (i = 1; i < 3; i++) {
            th_assert_code(th_create_cq(h, .qid = i, .size = 8, .own = true),
                           SUCCESS);
            th_assert_code(th_create_sq(h, .qid = i, .size = 8, .own = true),
                           SUCCESS);
        }
        for (i = 0; i < 6; i++) {
            struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);

            s.dptr.prp1 = le64(TH_CMB_BASE + 0x80000);
            th_submit(h, 1 + (i & 1), &s);
        }
        th_reset(h, seed & 1 ? ENVME_RESET_NSSR : ENVME_RESET_FUNCTION);
        g_assert_cmpuint(h->notes, ==, 0);
        g_assert_cmpuint(h->self_dma, ==, 0);
        th_free(h);
    }
}

static void test_reset_status(void)
{
    struct th *h;

    all();
    h = th_new(.cmb = CMB, .tweak = tweak, .no_ns = true);
    th_w64(h, ENVME_REG_CMBMSC, ENVME_CMBMSC_CBA | ON);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, ENVME_CMBSTS_CBAI);
    th_reset(h, ENVME_RESET_FLR);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, ENVME_CMBSTS_CBAI);
    th_reset(h, ENVME_RESET_FUNCTION);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, 0);
    th_free(h);
}

/* ---- everything in it -------------------------------------------------- */

static void roundtrip(struct th *h, uint16_t qid, uint32_t nlb,
                      unsigned wshape, unsigned rshape, uint64_t seed)
{
    size_t len = (size_t)nlb * 512;
    uint8_t *data = g_malloc(len), *got = g_malloc0(len);
    uint64_t own = h->own_at;

    th_pattern(data, len, seed);
    th_assert_sc(th_write(h, .nlb = nlb, .data = data, .shape = wshape,
                          .qid = qid), SUCCESS);
    h->own_at = own;
    th_assert_sc(th_read(h, .nlb = nlb, .data = got, .shape = rshape,
                         .qid = qid), SUCCESS);
    h->own_at = own;
    g_assert_cmpint(memcmp(data, got, len), ==, 0);
    g_free(data);
    g_free(got);
}

static const unsigned shapes[] = {
    TH_PRP | TH_OWN, TH_PRP | TH_OWN_LISTS, TH_PRP | TH_OWN | TH_OWN_LISTS,
    TH_PRP | TH_OFFSET | TH_OWN | TH_OWN_LISTS, TH_SGL | TH_OWN,
    TH_SGL | TH_OWN | TH_OWN_LISTS, TH_SGL | TH_SGL_INLINE | TH_OWN, TH_PRP,
};

static void roundtrips(struct th *h, uint16_t qid)
{
    static const uint32_t nlb[] = { 1, 8, 16, 100, 255 };
    unsigned i, j, k;

    for (i = 0; i < G_N_ELEMENTS(shapes); i++) {
        for (j = 0; j < G_N_ELEMENTS(shapes); j++) {
            for (k = 0; k < G_N_ELEMENTS(nlb); k++) {
                roundtrip(h, qid, nlb[k], shapes[i], shapes[j],
                          i * 100 + j * 10 + k);
            }
        }
    }
}

static void test_all_in_it(void)
{
    unsigned lanes;

    all();
    for (lanes = 0; lanes < 3; lanes++) {
        struct th *h = th_new(.cmb = CMB, .lanes = lanes, .seed = lanes + 1,
                              .tweak = tweak, .ns = { { .size = 4 * MIB } });

        h->own_at = TH_CMB_BASE;
        h->own_admin = true;
        th_w64(h, ENVME_REG_CMBMSC, TH_CMB_BASE | ON);
        th_enable(h);
        /* Both; contiguous and not; the list in it and not. */
        th_assert_code(th_create_cq(h, .qid = 1, .size = 300, .own = true),
                       SUCCESS);
        th_assert_code(th_create_sq(h, .qid = 1, .size = 5, .own = true),
                       SUCCESS);
        th_assert_code(th_create_cq(h, .qid = 2, .size = 300, .own = true,
                                    .scattered = true), SUCCESS);
        th_assert_code(th_create_sq(h, .qid = 2, .size = 70, .own = true,
                                    .scattered = true, .own_list = true),
                       SUCCESS);
        th_assert_code(th_create_sq(h, .qid = 3, .cqid = 1, .size = 70,
                                    .scattered = true, .own_list = true),
                       SUCCESS);
        roundtrips(h, 1);
        roundtrips(h, 2);
        roundtrips(h, 3);
        g_assert_cmpuint(h->self_dma, ==, 0);
        /* Nothing went by way of lane 0. */
        if (lanes) {
            g_assert_cmpuint(h->ctrl->cq[1]->lane->index, !=, 0);
        }
        th_assert_code(th_delete_sq(h, 2), SUCCESS);
        th_assert_code(th_delete_cq(h, 2), SUCCESS);
        th_free(h);
    }
}

/* The controller's addresses are not those of the BAR. */
static void test_elsewhere(void)
{
    static const uint64_t at[] = { 0x0000700000000000ull, 0 - CMB,
                                   TH_MMIO_BASE };
    unsigned i;

    all();
    for (i = 0; i < G_N_ELEMENTS(at); i++) {
        struct th *h = cmb_host_at(1, at[i]);

        th_queues(h, 1, 16);
        roundtrips(h, 1);
        g_assert_cmpuint(h->mmio_ops, ==, 0);
        /* The BAR's addresses are ours, and refused. */
        h->own_at = TH_CMB_BASE;
        th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN), DATA_XFER_ERROR);
        th_assert_sc(th_read(h, .nlb = 100, .shape = TH_OWN_LISTS),
                     DATA_XFER_ERROR);
        th_assert_code(th_create_cq(h, .qid = 5, .size = 8, .own = true),
                       DATA_XFER_ERROR);
        g_assert_cmpuint(h->self_dma, >, 0);
        /* Off: likewise, at both addresses. */
        th_w64(h, ENVME_REG_CMBMSC, TH_CMB_BASE | ENVME_CMBMSC_CRE);
        h->own_at = TH_CMB_BASE;
        th_assert_sc(th_write(h, .nlb = 8, .shape = TH_OWN), DATA_XFER_ERROR);
        h->own_at = at[i];
        if (at[i] != TH_MMIO_BASE) {
            th_assert_sc(th_write(h, .nlb = 8, .shape = TH_OWN),
                         DATA_XFER_ERROR);
        }
        /* Without CRE, CMSE is nothing. */
        th_w64(h, ENVME_REG_CMBMSC, TH_CMB_BASE | ENVME_CMBMSC_CMSE);
        h->own_at = TH_CMB_BASE;
        th_assert_sc(th_write(h, .nlb = 8, .shape = TH_OWN), DATA_XFER_ERROR);
        th_w64(h, ENVME_REG_CMBMSC, TH_CMB_BASE | ON);
        h->own_at = TH_CMB_BASE;
        th_assert_sc(th_write(h, .nlb = 8, .shape = TH_OWN), SUCCESS);
        th_free(h);
    }
}

static void test_legacy(void)
{
    struct th *h;

    all();
    legacy = true;
    h = th_new(.cmb = CMB, .tweak = tweak, .ns = { { .size = 4 * MIB } });
    g_assert_cmphex(th_r64(h, ENVME_REG_CAP) & ENVME_CAP_CMBS, ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBLOC), ==, LOCS | 2);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSZ) & USES, ==, USES);
    th_w64(h, ENVME_REG_CMBMSC, UINT64_MAX);
    g_assert_cmphex(th_r64(h, ENVME_REG_CMBMSC), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSTS), ==, 0);
    th_enable(h);
    th_queues(h, 1, 16);
    h->own_at = TH_CMB_BASE;
    th_assert_sc(th_read(h, .shape = TH_OWN), DATA_XFER_ERROR);
    envme_ctrl_cmb_bar(h->ctrl, TH_CMB_BASE);
    h->own_at = TH_CMB_BASE;
    roundtrips(h, 1);
    /* The BAR moves. */
    h->cmb_at = 0x0000700000000000ull;
    envme_ctrl_cmb_bar(h->ctrl, h->cmb_at);
    h->own_at = h->cmb_at;
    roundtrips(h, 1);
    envme_ctrl_cmb_bar(h->ctrl, UINT64_MAX);
    th_assert_sc(th_read(h, .shape = TH_OWN), DATA_XFER_ERROR);
    envme_ctrl_cmb_bar(h->ctrl, h->cmb_at);
    th_reset(h, ENVME_RESET_FUNCTION);
    g_assert_cmphex(th_r32(h, ENVME_REG_CMBSZ) & USES, ==, USES);
    h->own_at = h->cmb_at;
    h->own_admin = true;
    th_enable(h);
    th_free(h);
}

/* ---- what may not lie there -------------------------------------------- */

static void test_uses(void)
{
    struct th *h;

    all();
    uses &= ~ENVME_CMBSZ_CQS;
    h = cmb_host(1);
    th_assert_code(th_create_cq(h, .qid = 1, .size = 8, .own = true),
                   INVALID_USE_OF_CMB);
    th_assert_code(th_create_cq(h, .qid = 1, .size = 8), SUCCESS);
    th_assert_code(th_create_sq(h, .qid = 1, .size = 8, .own = true), SUCCESS);
    th_free(h);

    uses = USES & ~(ENVME_CMBSZ_SQS | ENVME_CMBSZ_LISTS);
    h = cmb_host(1);
    th_queues(h, 1, 8);
    th_assert_code(th_create_sq(h, .qid = 2, .cqid = 1, .size = 8,
                                .own = true), INVALID_USE_OF_CMB);
    th_assert_sc(th_read(h, .nlb = 100, .shape = TH_OWN_LISTS),
                 INVALID_USE_OF_CMB);
    th_assert_sc(th_read(h, .nlb = 100, .shape = TH_OWN_LISTS | TH_SGL),
                 INVALID_USE_OF_CMB);
    th_assert_code(th_create_sq(h, .qid = 2, .cqid = 1, .size = 70,
                                .scattered = true, .own_list = true),
                   INVALID_USE_OF_CMB);
    /* No list is needed: fine. */
    th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN_LISTS), SUCCESS);
    th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN), SUCCESS);
    th_free(h);

    uses = USES & ~ENVME_CMBSZ_RDS;
    h = cmb_host(1);
    th_queues(h, 1, 8);
    th_assert_sc(th_write(h, .nlb = 8, .shape = TH_OWN), SUCCESS);
    th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN), INVALID_USE_OF_CMB);
    th_assert_sc(th_read(h, .nlb = 100, .shape = TH_OWN | TH_SGL),
                 INVALID_USE_OF_CMB);
    th_free(h);

    uses = USES & ~ENVME_CMBSZ_WDS;
    h = cmb_host(1);
    th_queues(h, 1, 8);
    th_assert_sc(th_read(h, .nlb = 8, .shape = TH_OWN), SUCCESS);
    th_assert_sc(th_write(h, .nlb = 8, .shape = TH_OWN), INVALID_USE_OF_CMB);
    th_free(h);

    /* An admin queue has no command that could fail. */
    all();
    uses &= ~ENVME_CMBSZ_CQS;
    h = th_new(.cmb = CMB, .tweak = tweak);
    h->own_at = TH_CMB_BASE;
    h->own_admin = true;
    th_w64(h, ENVME_REG_CMBMSC, TH_CMB_BASE | ON);
    g_assert_false(th_enable_as(h, TH_CC_DEFAULT, 8, 8));
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS, !=, 0);
    th_free(h);
}

/* CMBLOC: restrictions on what lies together. */
static void test_locations(void)
{
    struct envme_sqe s;
    struct th_buf *b;
    struct th *h;
    uint8_t data[8 * 512];
    uint64_t md, page;

    all();
    locs &= ~ENVME_CMBLOC_CQPDS;
    h = cmb_host(0);
    th_assert_code(th_create_cq(h, .qid = 1, .size = 300, .own = true,
                                .scattered = true), INVALID_USE_OF_CMB);
    th_assert_code(th_create_cq(h, .qid = 1, .size = 300, .scattered = true,
                                .own_list = true), SUCCESS);
    th_free(h);

    /* The end of the buffer comes within the queue. */
    all();
    locs &= ~ENVME_CMBLOC_CQMMS;
    h = cmb_host_at(0, TH_HOLE_BASE);
    s = th_sqe(ENVME_ADM_CREATE_CQ, 0);
    s.cdw10 = le32(511u << 16 | 1);
    s.cdw11 = le32(ENVME_CREATE_CQ_PC);
    s.dptr.prp1 = le64(TH_HOLE_BASE + CMB - 4096);
    th_assert_sc(th_admin(h, &s), INVALID_USE_OF_CMB);
    s.cdw10 = le32(255u << 16 | 1);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    th_free(h);
    all();
    h = cmb_host_at(0, TH_HOLE_BASE);
    s.cdw10 = le32(511u << 16 | 1);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    th_free(h);

    /* Lists: in the buffer only if the command is. */
    all();
    locs &= ~ENVME_CMBLOC_CDPCILS;
    h = cmb_host(1);
    th_queues(h, 1, 8);
    th_assert_code(th_create_sq(h, .qid = 2, .cqid = 1, .size = 8,
                                .own = true), SUCCESS);
    th_assert_sc(th_read(h, .nlb = 100, .shape = TH_OWN_LISTS),
                 INVALID_USE_OF_CMB);
    th_assert_sc(th_read(h, .nlb = 100, .shape = TH_OWN_LISTS | TH_SGL),
                 INVALID_USE_OF_CMB);
    th_assert_sc(th_read(h, .nlb = 100, .shape = TH_OWN_LISTS, .qid = 2),
                 SUCCESS);
    th_assert_sc(th_read(h, .nlb = 100, .shape = TH_OWN_LISTS | TH_SGL,
                         .qid = 2), SUCCESS);
    th_assert_code(th_create_sq(h, .qid = 3, .cqid = 1, .size = 70,
                                .scattered = true, .own_list = true),
                   INVALID_USE_OF_CMB);
    th_free(h);

    /* A list in two places: the first segment is in the buffer, the second is
     * not. */
    for (locs = LOCS & ~ENVME_CMBLOC_CDPMLS;;
         locs = LOCS) {
        struct envme_sgl_desc d[2] = { { .id = 0 } };

        h = cmb_host(1);
        th_queues(h, 1, 8);
        page = th_alloc(h, 8192);
        d[0].addr = le64(page);
        d[0].len = le32(16);
        d[0].id = FIELD_SET(ENVME_SGL_TYPE, ENVME_SGL_LAST_SEGMENT);
        memcpy(th_mem(h, TH_CMB_BASE, 16), d, 16);
        d[1].addr = le64(page + 4096);
        d[1].len = le32(512);
        memcpy(th_mem(h, page, 16), &d[1], 16);
        s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);
        s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL);
        s.dptr.sgl = d[0];
        s.dptr.sgl.addr = le64(TH_CMB_BASE);
        s.dptr.sgl.id = FIELD_SET(ENVME_SGL_TYPE, ENVME_SGL_SEGMENT);
        if (locs == LOCS) {
            th_assert_sc(th_io(h, 1, &s), SUCCESS);
            th_free(h);
            break;
        }
        th_assert_sc(th_io(h, 1, &s), INVALID_USE_OF_CMB);
        th_free(h);
    }

    /* Data and metadata of one command. */
    all();
    locs &= ~ENVME_CMBLOC_CDMMMS;
    h = cmb_host(1);
    th_queues(h, 1, 8);
    th_pattern(data, sizeof(data), 3);
    md = th_own(h, 64);
    b = th_buf_new(h, sizeof(data), TH_OWN);
    th_buf_put(b, data);
    s = th_sqe_rw(ENVME_NVM_WRITE, 2, 0, 8);
    th_buf_attach(b, &s);
    s.mptr = le64(md);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    s.mptr = le64(page = th_alloc(h, 64));
    th_assert_sc(th_io(h, 1, &s), INVALID_USE_OF_CMB);
    th_buf_free(b);
    b = th_buf_new(h, sizeof(data), TH_PRP);
    th_buf_attach(b, &s);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    s.mptr = le64(md);
    th_assert_sc(th_io(h, 1, &s), INVALID_USE_OF_CMB);
    /* PRP1 here, PRP2 there. */
    s.mptr = le64(page);
    s.dptr.prp1 = le64(TH_CMB_BASE + 4092);
    th_assert_sc(th_io(h, 1, &s), INVALID_USE_OF_CMB);
    th_buf_free(b);
    th_free(h);
}

/* Its edges, with memory of the host around it: each byte where it belongs. */
static void check_edges(uint64_t base)
{
    uint8_t data[16 * 512], got[16 * 512];
    uint64_t at[2] = { base - 4096 - 2048, base + CMB - 4096 - 2048 };
    struct envme_sqe s;
    struct th *h;
    unsigned i, sgl;

    h = cmb_host_at(1, base);
    memset(h->used + base / 4096 - 2, 2, 2);
    memset(h->used + (base + CMB) / 4096, 2, 2);
    th_queues(h, 1, 8);
    for (i = 0; i < 2; i++) {
        for (sgl = 0; sgl < 2; sgl++) {
            uint64_t edge = i ? base + CMB : base;
            size_t before = edge - at[i];
            uint64_t list = th_alloc(h, 4096);

            th_pattern(data, sizeof(data), i * 2 + sgl);
            memcpy(th_mem(h, at[i], before), data, before);
            memcpy(th_mem(h, edge, sizeof(data) - before), data + before,
                   sizeof(data) - before);
            s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 16);
            if (sgl) {
                s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL);
                s.dptr.sgl = (struct envme_sgl_desc){
                    .addr = le64(at[i]), .len = le32(sizeof(data)),
                };
            } else {
                s.dptr.prp1 = le64(at[i]);
                s.dptr.prp2 = le64(list);
                th_mem_put64(h, list, edge - 4096);
                th_mem_put64(h, list + 8, edge);
            }
            th_assert_sc(th_io(h, 1, &s), SUCCESS);
            memset(th_mem(h, at[i], before), 0, before);
            memset(th_mem(h, edge, sizeof(data) - before), 0,
                   sizeof(data) - before);
            th_assert_sc(th_read(h, .nlb = 16, .data = got), SUCCESS);
            g_assert_cmpint(memcmp(data, got, sizeof(data)), ==, 0);
            s.opc = ENVME_NVM_READ;
            th_assert_sc(th_io(h, 1, &s), SUCCESS);
            g_assert_cmpint(memcmp(th_mem(h, at[i], before), data, before),
                            ==, 0);
            g_assert_cmpint(memcmp(th_mem(h, edge, sizeof(data) - before),
                                   data + before, sizeof(data) - before),
                            ==, 0);
            th_free_pages(h, list, 4096);
        }
    }
    th_free(h);
}

static void test_edges(void)
{
    struct envme_sqe s;
    struct th *h;

    all();
    check_edges(TH_HOLE_BASE);
    check_edges(40 * MIB);

    /* With nothing after it. */
    h = cmb_host_at(1, 0x0000700000000000ull);
    th_queues(h, 1, 8);
    s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 16);
    s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL);
    s.dptr.sgl = (struct envme_sgl_desc){
        .addr = le64(0x0000700000000000ull + CMB - 512),
        .len = le32(16 * 512),
    };
    th_assert_sc(th_io(h, 1, &s), DATA_XFER_ERROR);
    s.opc = ENVME_NVM_WRITE;
    th_assert_sc(th_io(h, 1, &s), DATA_XFER_ERROR);
    g_assert_cmpuint(h->maps, ==, 0);
    th_free(h);
}

/* CMBLOC.CQDA: contiguous queues need dword alignment only. */
static void test_cqda(void)
{
    struct envme_sqe s;
    struct th *h;
    unsigned pass;

    for (pass = 0; pass < 2; pass++) {
        all();
        locs |= pass ? ENVME_CMBLOC_CQDA : 0;
        h = cmb_host(1);
        h->own_at = TH_CMB_BASE + 0x1004;
        if (!pass) {
            th_assert_code(th_create_cq(h, .qid = 1, .size = 256,
                                        .own = true), PRP_OFFSET_INVALID);
            th_free(h);
            continue;
        }
        th_assert_code(th_create_cq(h, .qid = 1, .size = 256, .own = true),
                       SUCCESS);
        th_assert_code(th_create_sq(h, .qid = 1, .size = 64, .own = true),
                       SUCCESS);
        h->own_at = TH_CMB_BASE + 0x10000;
        roundtrips(h, 1);
        s = th_sqe(ENVME_ADM_CREATE_CQ, 0);
        s.cdw10 = le32(7u << 16 | 2);
        s.cdw11 = le32(ENVME_CREATE_CQ_PC);
        s.dptr.prp1 = le64(TH_CMB_BASE + 0x20002);
        th_assert_sc(th_admin(h, &s), PRP_OFFSET_INVALID);
        s.dptr.prp1 = le64(th_alloc(h, 4096) + 4);
        th_assert_sc(th_admin(h, &s), PRP_OFFSET_INVALID);
        s.dptr.prp1 = le64(TH_CMB_BASE + 0x20004);
        s.cdw11 = le32(0);
        th_assert_sc(th_admin(h, &s), PRP_OFFSET_INVALID);
        th_free(h);
    }
}

/* Real threads; the host moves the buffer while commands use it, which it must
 * not, and nobody gets hurt. */
static void test_moved_meanwhile(void)
{
    struct th *h;
    uint16_t cid[32];
    struct envme_cqe cqe;
    unsigned i, round;

    all();
    h = th_new(.cmb = CMB, .lanes = 2, .threads = true, .tweak = tweak,
               .ns = { { .size = 4 * MIB } });
    th_w64(h, ENVME_REG_CMBMSC, TH_CMB_BASE | ON);
    th_enable(h);
    th_queues(h, 2, 64);
    for (round = 0; round < 50; round++) {
        for (i = 0; i < G_N_ELEMENTS(cid); i++) {
            struct envme_sqe s = th_sqe_rw(i & 2 ? ENVME_NVM_READ
                                                 : ENVME_NVM_WRITE, 1,
                                           i * 64, 16);

            s.dptr.prp1 = le64(TH_CMB_BASE + 16384 * i + 8192);
            s.dptr.prp2 = le64(TH_CMB_BASE + 16384 * i + 4096);
            cid[i] = th_submit(h, 1 + (i & 1), &s);
        }
        th_w64(h, ENVME_REG_CMBMSC, 0x0000700000000000ull | ON);
        th_w64(h, ENVME_REG_CMBMSC, TH_CMB_BASE | ENVME_CMBMSC_CRE);
        th_w64(h, ENVME_REG_CMBMSC, TH_CMB_BASE | ON);
        for (i = 0; i < G_N_ELEMENTS(cid); i++) {
            g_assert_true(th_try_wait(h, 1 + (i & 1), cid[i], &cqe));
            if (cqe_sc(&cqe)) {
                th_assert_sc(cqe, DATA_XFER_ERROR);
            }
        }
    }
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cmb/none", test_none);
    g_test_add_func("/cmb/registers", test_registers);
    g_test_add_func("/cmb/sizes", test_sizes);
    g_test_add_func("/cmb/reset", test_reset);
    g_test_add_func("/cmb/reset-loaded", test_reset_loaded);
    g_test_add_func("/cmb/reset-status", test_reset_status);
    g_test_add_func("/cmb/all-in-it", test_all_in_it);
    g_test_add_func("/cmb/elsewhere", test_elsewhere);
    g_test_add_func("/cmb/legacy", test_legacy);
    g_test_add_func("/cmb/uses", test_uses);
    g_test_add_func("/cmb/locations", test_locations);
    g_test_add_func("/cmb/edges", test_edges);
    g_test_add_func("/cmb/cqda", test_cqda);
    g_test_add_func("/cmb/moved-meanwhile", test_moved_meanwhile);
    return g_test_run();
}
