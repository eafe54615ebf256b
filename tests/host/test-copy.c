/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copy, all descriptor formats, and what lets it use them. NVM 1.1, 3.3.2. */
#include "th.h"

#include "envme/id-ctrl.h"
#include "envme/id-ns.h"

#define BS 512

struct range {
    uint32_t nsid;
    uint64_t slba;
    unsigned nlb;
    uint32_t rt;
    uint16_t at, atm, sopt;
};

struct copy {
    uint32_t nsid;              /* 0: 1 */
    uint64_t sdlba;
    unsigned fmt, n;
    struct range r[4];
    uint32_t cdw12, cdw14, cdw15;
};

static struct envme_cqe copy_n(struct th *h, const struct copy *c, unsigned n)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_COPY, c->nsid ? c->nsid : 1);
    uint8_t *buf = g_malloc0(n * 40), *p = buf;
    unsigned size = c->fmt & 1 ? 40 : 32;
    struct envme_cqe cqe;

    for (unsigned i = 0; i < n; i++, p += size) {
        const struct range *r = &c->r[MIN(i, 3)];
        struct envme_copy_range_f2 f2 = {
            .snsid = le32(c->fmt >= 2 ? r->nsid : 0), .slba = le64(r->slba),
            .nlb = le16(r->nlb - 1), .sopt = le16(r->sopt),
            .elbrt = le32(r->rt), .elbat = le16(r->at), .elbatm = le16(r->atm),
        };
        struct envme_copy_range_f3 f3 = {
            .snsid = f2.snsid, .slba = f2.slba, .nlb = f2.nlb,
            .sopt = f2.sopt, .elbat = f2.elbat, .elbatm = f2.elbatm,
        };

        for (unsigned j = 0; j < 4; j++) {
            f3.elbt[9 - j] = r->rt >> (8 * j);
        }
        if (c->fmt & 1) {
            memcpy(p, &f3, size);
        } else {
            memcpy(p, &f2, size);
        }
    }
    s.cdw10 = le32(c->sdlba);
    s.cdw11 = le32(c->sdlba >> 32);
    s.cdw12 = le32((n - 1) | c->fmt << 8 | c->cdw12);
    s.cdw14 = le32(c->cdw14);
    s.cdw15 = le32(c->cdw15);
    cqe = th_cmd_data(h, 1, &s, buf, n * size, TH_PRP);
    g_free(buf);
    return cqe;
}

#define copy(h, ...) copy_(h, &(struct copy){ __VA_ARGS__ })
static struct envme_cqe copy_(struct th *h, const struct copy *c)
{
    return copy_n(h, c, c->n ? c->n : 1);
}

static struct envme_cqe behavior(struct th *h, uint8_t lbafee, uint16_t cdfe)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);
    struct envme_feat_host_behavior b = { .lbafee = lbafee,
                                          .cdfe = le16(cdfe) };

    s.cdw10 = le32(ENVME_FID_HOST_BEHAVIOR);
    return th_cmd_data(h, 0, &s, &b, sizeof(b), TH_PRP);
}

static void fill(struct th *h, uint32_t nsid, uint64_t slba, unsigned nlb,
                 uint64_t seed)
{
    uint8_t *p = g_malloc(nlb * BS);

    for (unsigned i = 0; i < nlb; i++) {
        th_pattern(p + i * BS, BS, seed + i);
    }
    th_assert_sc(th_write(h, .nsid = nsid, .slba = slba, .nlb = nlb,
                          .data = p, .block = BS,
                          .cdw12 = ENVME_RW_PRACT, .cdw14 = slba,
                          .cdw15 = 0x4321), SUCCESS);
    g_free(p);
}

static void expect(struct th *h, uint32_t nsid, uint64_t slba, unsigned nlb,
                   uint64_t seed)
{
    uint8_t *p = g_malloc(nlb * BS);

    th_assert_sc(th_read(h, .nsid = nsid, .slba = slba, .nlb = nlb,
                         .data = p, .block = BS, .cdw12 = ENVME_RW_PRACT),
                 SUCCESS);
    for (unsigned i = 0; i < nlb; i++) {
        g_assert_true(th_pattern_ok(p + i * BS, BS, seed + i));
    }
    g_free(p);
}

static struct th *host(const struct th_ns_opts *a, const struct th_ns_opts *b)
{
    struct th *h = th_new(.ns = { *a, *b });

    th_enable(h);
    th_queues(h, 1, 8);
    return h;
}

static const struct th_ns_opts plain = { .size = MIB };

/* ---- one namespace ----------------------------------------------------- */

static void test_simple(void)
{
    static const struct th_ns_opts small = { .size = MIB,
                                             .max_transfer = 1024 };

    for (unsigned i = 0; i < 4; i++) {
        struct th *h = host(i & 1 ? &small : &plain, &plain);

        h->be[0]->later = i & 2;
        fill(h, 1, 10, 50, 100);
        th_assert_sc(copy(h, .sdlba = 200, .n = 3, .fmt = i & 1,
                          .r = { { .slba = 10, .nlb = 20 },
                                 { .slba = 50, .nlb = 1 },
                                 { .slba = 40, .nlb = 10 } }), SUCCESS);
        expect(h, 1, 200, 20, 100);
        expect(h, 1, 220, 1, 140);
        expect(h, 1, 221, 10, 130);
        expect(h, 1, 10, 50, 100);
        /* All there may be. */
        fill(h, 1, 10, 128, 500);
        th_assert_sc(copy(h, .sdlba = 300, .r = { { .slba = 10,
                                                    .nlb = 128 } }), SUCCESS);
        expect(h, 1, 300, 128, 500);
        th_assert_sc(copy_n(h, &(struct copy){ .sdlba = 500, .r = {
                     { .slba = 10, .nlb = 1 }, { .slba = 20, .nlb = 1 },
                     { .slba = 30, .nlb = 1 }, { .slba = 40, .nlb = 1 } } },
                            128), SUCCESS);
        expect(h, 1, 500, 1, 500);
        expect(h, 1, 502, 1, 520);
        expect(h, 1, 627, 1, 530);
        th_free(h);
    }
}

static void test_limits(void)
{
    struct th *h = host(&plain, &plain);
    uint64_t end = h->ns[0]->nsze;
    struct envme_cqe c;
    struct envme_id_ns *id = g_malloc(4096);
    struct envme_id_ctrl *ctrl = g_malloc(4096);

    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    g_assert_cmpuint(le16_get(id->mssrl), ==, 128);
    g_assert_cmpuint(le32_get(id->mcl), ==, 128);
    g_assert_cmpuint(id->msrc, ==, 127);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, ctrl), SUCCESS);
    g_assert_cmphex(le16_get(ctrl->ocfs), ==, 0xf);
    g_assert_true(le16_get(ctrl->oncs) & ENVME_ONCS_NVMCPYS);
    g_free(id);
    g_free(ctrl);
    fill(h, 1, 0, 100, 1);
    th_assert_sc(copy(h, .sdlba = 500, .r = { { .nlb = 129 } }),
                 CMD_SIZE_LIMIT);
    c = copy(h, .sdlba = 500, .n = 2, .r = { { .nlb = 100 },
                                             { .slba = 200, .nlb = 29 } });
    th_assert_sc(c, CMD_SIZE_LIMIT);
    th_assert_sc(copy_n(h, &(struct copy){ .sdlba = 500, .r = {
                 { .nlb = 1 }, { .nlb = 1 }, { .nlb = 1 }, { .nlb = 1 } } },
                        129), CMD_SIZE_LIMIT);
    c = copy(h, .sdlba = 500, .n = 2, .r = { { .nlb = 10 },
                                             { .slba = end, .nlb = 1 } });
    th_assert_sc(c, LBA_RANGE);
    g_assert_cmpuint(le32_get(c.dw0), ==, 0);   /* nothing was written */
    /* One range is wrong: none is copied. */
    expect(h, 1, 0, 100, 1);
    th_assert_sc(th_rw(h, ENVME_NVM_COMPARE, .slba = 500, .nlb = 10),
                 SUCCESS);
    th_assert_sc(copy(h, .sdlba = end - 5, .r = { { .nlb = 6 } }), LBA_RANGE);
    th_assert_sc(copy(h, .sdlba = end, .r = { { .nlb = 1 } }), LBA_RANGE);
    th_assert_sc(copy(h, .sdlba = UINT64_MAX, .r = { { .nlb = 1 } }),
                 LBA_RANGE);
    th_assert_sc(copy(h, .sdlba = end - 5, .r = { { .nlb = 5 } }), SUCCESS);
    c = copy(h, .sdlba = 50, .n = 2, .r = { { .slba = 200, .nlb = 10 },
                                            { .slba = 45, .nlb = 6 } });
    th_assert_sc(c, OVERLAPPING_IO_RANGE);
    g_assert_cmpuint(le32_get(c.dw0), ==, 0);
    th_assert_sc(copy(h, .fmt = 4, .r = { { .nlb = 1 } }), INVALID_FIELD);
    th_assert_sc(copy(h, .sdlba = 500, .cdw12 = 1 << 16,
                      .r = { { .nlb = 1 } }), INVALID_FIELD);
    th_free(h);
}

static void test_errors(void)
{
    struct th *h = host(&plain, &plain);
    struct envme_cqe c;

    fill(h, 1, 0, 100, 1);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_UNCOR, .slba = 50, .nlb = 2),
                 SUCCESS);
    c = copy(h, .sdlba = 500, .n = 2, .r = { { .slba = 0, .nlb = 10 },
                                             { .slba = 45, .nlb = 10 } });
    th_assert_sc(c, UNRECOVERED_READ);
    g_assert_cmpuint(le32_get(c.dw0), ==, 1);
    th_assert_sc(copy(h, .sdlba = 49, .r = { { .nlb = 4 } }), SUCCESS);
    expect(h, 1, 49, 4, 1);
    for (unsigned n = 1; n <= 4; n++) {
        th_fail_nth(h, n & 1 ? TH_AT_SUBMIT : TH_AT_DONE, n, -EIO);
        c = copy(h, .sdlba = 500, .n = 2, .r = { { .nlb = 10 },
                                                 { .slba = 20, .nlb = 5 } });
        g_assert_cmpuint(le32_get(c.dw0), ==, n > 2);
        if (n & 1) {
            th_assert_sc(c, UNRECOVERED_READ);
        } else {
            th_assert_sc(c, WRITE_FAULT);
        }
        th_fail_clear(h);
    }
    for (unsigned n = 1; n <= 2; n++) {
        th_fail_nth(h, TH_AT_ALLOC, n, -ENOMEM);
        th_assert_sc(copy(h, .sdlba = 500, .r = { { .nlb = 10 } }), INTERNAL);
        th_fail_clear(h);
    }
    th_free(h);
}

/* ---- two namespaces ---------------------------------------------------- */

static void test_across(void)
{
    static const struct th_ns_opts big = { .size = 4 * MIB, .lbs = 4096 };
    struct th *h = host(&plain, &plain);

    fill(h, 1, 10, 20, 1);
    fill(h, 2, 10, 20, 100);
    /* Only for a host that knows the format. */
    th_assert_sc(copy(h, .sdlba = 50, .fmt = 2,
                      .r = { { .nsid = 2, .slba = 10, .nlb = 5 } }),
                 INVALID_FIELD);
    th_assert_sc(behavior(h, 0, ENVME_CDFE_CDF2E), SUCCESS);
    th_assert_sc(copy(h, .sdlba = 50, .fmt = 3,
                      .r = { { .nsid = 2, .slba = 10, .nlb = 5 } }),
                 INVALID_FIELD);
    th_assert_sc(behavior(h, 0, ENVME_CDFE_CDF2E | ENVME_CDFE_CDF3E),
                 SUCCESS);
    for (unsigned fmt = 2; fmt < 4; fmt++) {
        th_assert_sc(copy(h, .sdlba = 50, .fmt = fmt, .n = 2,
                          .r = { { .nsid = 2, .slba = 10, .nlb = 20 },
                                 { .nsid = 1, .slba = 10, .nlb = 20 } }),
                     SUCCESS);
        expect(h, 1, 50, 20, 100);
        expect(h, 1, 70, 20, 1);
        fill(h, 1, 50, 40, 9);
    }
    /* The same numbers elsewhere are no overlap. */
    th_assert_sc(copy(h, .sdlba = 10, .fmt = 2,
                      .r = { { .nsid = 2, .slba = 10, .nlb = 20 } }), SUCCESS);
    expect(h, 1, 10, 20, 100);
    th_assert_sc(copy(h, .fmt = 2, .r = { { .nsid = 0, .nlb = 1 } }),
                 INVALID_NS);
    th_assert_sc(copy(h, .fmt = 2, .r = { { .nsid = UINT32_MAX, .nlb = 1 } }),
                 INVALID_NS);
    th_assert_sc(copy(h, .fmt = 2, .r = { { .nsid = 7, .nlb = 1 } }),
                 INVALID_FIELD);
    th_assert_sc(copy(h, .fmt = 2, .r = { { .nsid = 2, .nlb = 1,
                                            .sopt = 0x8000 } }),
                 FAST_COPY_IMPOSSIBLE);
    th_free(h);
    h = host(&plain, &big);
    th_assert_sc(behavior(h, 0, ENVME_CDFE_CDF2E), SUCCESS);
    th_assert_sc(copy(h, .fmt = 2, .r = { { .nsid = 2, .nlb = 1 } }),
                 INCOMPATIBLE_NS);
    th_free(h);
}

static void test_behavior(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .align = 8 } });
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, 0);
    struct envme_feat_host_behavior b;
    struct envme_id_ns *id = g_malloc(4096);

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    g_assert_cmpuint(id->nlbaf, ==, 15);
    th_assert_sc(behavior(h, 2, 0), INVALID_FIELD);
    th_assert_sc(behavior(h, 0, ENVME_CDFE_CDF4E), INVALID_FIELD);
    th_assert_sc(behavior(h, 1, ENVME_CDFE_CDF3E), SUCCESS);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    g_assert_cmpuint(id->nlbaf, ==, 17);
    s.cdw10 = le32(ENVME_FID_HOST_BEHAVIOR);
    memset(&b, 0xee, sizeof(b));
    th_assert_sc(th_cmd_data(h, 0, &s, &b, sizeof(b), TH_PRP), SUCCESS);
    g_assert_cmpuint(b.lbafee, ==, 1);
    g_assert_cmphex(le16_get(b.cdfe), ==, ENVME_CDFE_CDF3E);
    g_assert_cmphex(b.rsvd6[505], ==, 0);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    g_assert_cmpuint(id->nlbaf, ==, 15);
    g_free(id);
    th_free(h);
}

/* ---- protection information -------------------------------------------- */

#define R_PRACT (8u << 12)
#define R_CHECK (7u << 12)
#define W_PRACT (8u << 26)
#define W_CHECK (7u << 26)

/* Reads everything that can be checked. */
static void verify(struct th *h, uint32_t nsid, uint64_t slba, unsigned nlb,
                   uint16_t at)
{
    th_assert_sc(th_rw(h, ENVME_NVM_VERIFY, .nsid = nsid, .slba = slba,
                       .nlb = nlb, .cdw12 = ENVME_RW_PRCHK, .cdw14 = slba,
                       .cdw15 = 0xffff0000u | at), SUCCESS);
}

static void test_pi(void)
{
    static const struct th_ns_opts pi = { .size = MIB, .ms = 8, .pi = 1 };
    struct th *h = host(&pi, &pi);
    struct envme_cqe c;

    th_assert_sc(behavior(h, 0, ENVME_CDFE_CDF2E), SUCCESS);
    for (uint32_t nsid = 1; nsid <= 2; nsid++) {
        fill(h, nsid, 10, 50, 100);
        verify(h, nsid, 10, 50, 0x4321);
        /* Taken off and made anew. */
        th_assert_sc(copy(h, .sdlba = 200, .fmt = 2, .n = 2,
                          .cdw12 = R_PRACT | R_CHECK | W_PRACT, .cdw14 = 200,
                          .cdw15 = 0x5555,
                          .r = { { .nsid = nsid, .slba = 10, .nlb = 20,
                                   .rt = 10, .at = 0x4321, .atm = 0xffff },
                                 { .nsid = nsid, .slba = 40, .nlb = 20,
                                   .rt = 40, .at = 0x4321, .atm = 0xffff } }),
                     SUCCESS);
        expect(h, 1, 200, 20, 100);
        expect(h, 1, 220, 20, 130);
        verify(h, 1, 200, 40, 0x5555);
    }
    /* As it is: the reference tags are those of the source. */
    th_assert_sc(copy(h, .sdlba = 300, .cdw12 = R_CHECK, .cdw14 = 300,
                      .r = { { .slba = 10, .nlb = 20, .rt = 10,
                               .at = 0x4321, .atm = 0xffff } }), SUCCESS);
    expect(h, 1, 300, 20, 100);
    th_assert_sc(th_rw(h, ENVME_NVM_VERIFY, .slba = 300, .nlb = 20,
                       .cdw12 = ENVME_RW_PRCHK, .cdw14 = 300,
                       .cdw15 = 0xffff4321), REFTAG_CHECK);
    th_assert_sc(copy(h, .sdlba = 400, .cdw12 = W_CHECK, .cdw14 = 400,
                      .cdw15 = 0xffff4321,
                      .r = { { .slba = 10, .nlb = 20, .rt = 10 } }),
                 REFTAG_CHECK);
    c = copy(h, .sdlba = 400, .n = 2, .cdw12 = R_CHECK, .cdw14 = 400,
             .r = { { .slba = 10, .nlb = 2, .rt = 10 },
                    { .slba = 20, .nlb = 2, .rt = 20, .at = 1,
                      .atm = 0xffff } });
    th_assert_sc(c, APPTAG_CHECK);
    g_assert_cmpuint(le32_get(c.dw0), ==, 1);
    th_assert_sc(copy(h, .sdlba = 400, .cdw12 = R_CHECK,
                      .r = { { .slba = 10, .nlb = 2, .rt = 11 } }),
                 PI_INVALID);
    th_assert_sc(copy(h, .sdlba = 400, .cdw12 = W_CHECK, .cdw14 = 1,
                      .r = { { .slba = 10, .nlb = 2, .rt = 10 } }),
                 PI_INVALID);
    th_assert_sc(copy(h, .sdlba = 400, .cdw12 = W_PRACT, .cdw14 = 400,
                      .r = { { .slba = 10, .nlb = 2 } }), INVALID_FIELD);
    th_assert_sc(copy(h, .sdlba = 400, .fmt = 1, .r = { { .nlb = 1 } }),
                 INVALID_NS);
    th_free(h);
}

/* From blocks without to blocks with it, and back. */
static void test_pi_across(void)
{
    static const struct th_ns_opts pi = { .size = MIB, .ms = 8, .pi = 1,
                                          .mset = true };
    static const struct th_ns_opts pi64 = { .size = MIB, .ms = 16, .pi = 2,
                                            .pif = 2 };
    struct th *h = host(&plain, &pi);

    th_assert_sc(behavior(h, 0, 0xc), SUCCESS);
    fill(h, 1, 10, 50, 1);
    th_assert_sc(copy(h, .nsid = 2, .sdlba = 100, .fmt = 2, .cdw12 = W_PRACT,
                      .cdw14 = 100, .cdw15 = 0x77,
                      .r = { { .nsid = 1, .slba = 10, .nlb = 50 } }), SUCCESS);
    expect(h, 2, 100, 50, 1);
    verify(h, 2, 100, 50, 0x77);
    th_assert_sc(copy(h, .nsid = 1, .sdlba = 200, .fmt = 2,
                      .cdw12 = R_PRACT | R_CHECK,
                      .r = { { .nsid = 2, .slba = 100, .nlb = 50,
                               .rt = 100 } }), SUCCESS);
    expect(h, 1, 200, 50, 1);
    th_assert_sc(copy(h, .nsid = 2, .sdlba = 100, .fmt = 2,
                      .r = { { .nsid = 1, .nlb = 1 } }), INCOMPATIBLE_NS);
    th_assert_sc(copy(h, .nsid = 1, .sdlba = 100, .fmt = 2,
                      .r = { { .nsid = 2, .nlb = 1 } }), INCOMPATIBLE_NS);
    th_free(h);
    h = host(&plain, &pi64);
    th_assert_sc(behavior(h, 0, 0xc), SUCCESS);
    fill(h, 1, 10, 50, 1);
    th_assert_sc(copy(h, .nsid = 2, .sdlba = 100, .fmt = 3, .cdw12 = W_PRACT,
                      .cdw14 = 9000,
                      .r = { { .nsid = 1, .slba = 10, .nlb = 50 } }), SUCCESS);
    expect(h, 2, 100, 50, 1);
    th_assert_sc(th_rw(h, ENVME_NVM_VERIFY, .nsid = 2, .slba = 100, .nlb = 50,
                       .cdw12 = ENVME_RW_PRCHK, .cdw14 = 9000,
                       .cdw15 = 0xffff0000u), SUCCESS);
    th_assert_sc(copy(h, .nsid = 1, .sdlba = 300, .fmt = 3,
                      .cdw12 = R_PRACT | R_CHECK,
                      .r = { { .nsid = 2, .slba = 110, .nlb = 10,
                               .rt = 9010 } }), SUCCESS);
    expect(h, 1, 300, 10, 11);
    th_assert_sc(copy(h, .nsid = 1, .sdlba = 300, .fmt = 3,
                      .cdw12 = R_PRACT | R_CHECK,
                      .r = { { .nsid = 2, .slba = 110, .nlb = 10,
                               .rt = 9011 } }), REFTAG_CHECK);
    th_assert_sc(copy(h, .nsid = 2, .sdlba = 100, .fmt = 2, .cdw12 = W_PRACT,
                      .r = { { .nsid = 1, .nlb = 1 } }), INVALID_NS);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/copy/simple", test_simple);
    g_test_add_func("/copy/limits", test_limits);
    g_test_add_func("/copy/errors", test_errors);
    g_test_add_func("/copy/across", test_across);
    g_test_add_func("/copy/behavior", test_behavior);
    g_test_add_func("/copy/pi", test_pi);
    g_test_add_func("/copy/pi-across", test_pi_across);
    return g_test_run();
}
