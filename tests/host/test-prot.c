/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * End-to-end protection: every type, guard and place of the tuple, metadata
 * apart and interleaved. The tuples are made here by hand. NVM 1.1, 5.3.
 */
#include "th.h"

#include "envme/id-ns.h"
#include "hw/core/crc.h"

#define ALL (ENVME_RW_PRCHK | ENVME_RW_STC)
#define BLOCKS 600

struct prot {
    struct th *h;
    uint8_t type, pil, pif, sts;
    uint32_t bs, ms, size;
    bool ext;
    /* Tags of the command under way. */
    uint64_t st, rt;
    uint16_t at;
};

struct buf {
    uint8_t *data, *md;         /* as the host has them */
    uint8_t *flat, *fmd;        /* apart, whatever the layout */
};

static uint64_t mask(unsigned bits)
{
    return bits ? UINT64_MAX >> (64 - bits) : 0;
}

static unsigned space(const struct prot *p)
{
    return p->pif == 0 ? 32 : p->pif == 1 ? 80 : 48;
}

static unsigned rt_bits(const struct prot *p)
{
    return space(p) - p->sts;
}

static void put_be(uint8_t *p, unsigned n, uint64_t v)
{
    for (unsigned i = 0; i < n; i++) {
        p[i] = v >> (8 * (n - 1 - i));
    }
}

/* st and rt as one number of space() bits, big-endian. */
static void put_space(const struct prot *p, uint8_t *to, uint64_t st,
                      uint64_t rt)
{
    unsigned __int128 v = (unsigned __int128)(st & mask(p->sts)) <<
                          rt_bits(p) | (rt & mask(MIN(rt_bits(p), 64)));

    for (unsigned i = 0; i < space(p) / 8; i++) {
        to[i] = v >> (space(p) - 8 * (i + 1));
    }
}

static uint8_t *tuple_at(const struct prot *p, uint8_t *md)
{
    return md + (p->pil ? 0 : p->ms - p->size);
}

static void make_tuple(const struct prot *p, const uint8_t *data, uint8_t *md,
                       uint64_t rt)
{
    uint8_t *t = tuple_at(p, md);
    size_t before = t - md;

    switch (p->pif) {
    case 0:
        put_be(t, 2, envme_crc16_t10dif_own(
            envme_crc16_t10dif_own(0, data, p->bs), md, before));
        put_be(t + 2, 2, p->at);
        put_space(p, t + 4, p->st, rt);
        break;
    case 1:
        put_be(t, 4, envme_crc32c_own(envme_crc32c_own(0, data, p->bs), md,
                                      before));
        put_be(t + 4, 2, p->at);
        put_space(p, t + 6, p->st, rt);
        break;
    default:
        put_be(t, 8, envme_crc64_nvme_own(envme_crc64_nvme_own(0, data, p->bs),
                                          md, before));
        put_be(t + 8, 2, p->at);
        put_space(p, t + 10, p->st, rt);
    }
}

/* The tags of the command, as they go into it. */
static void tags(const struct prot *p, struct th_rw *rw)
{
    uint8_t f[10] = { 0 };

    put_space(p, f + 10 - space(p) / 8, p->st, p->rt);
    rw->cdw2 = f[0] << 8 | f[1];
    rw->cdw3 = (uint32_t)f[2] << 24 | f[3] << 16 | f[4] << 8 | f[5];
    rw->cdw14 = (uint32_t)f[6] << 24 | f[7] << 16 | f[8] << 8 | f[9];
    rw->cdw15 = 0xffff0000u | p->at;
}

static void buf_new(const struct prot *p, struct buf *b, unsigned nlb)
{
    b->data = g_malloc0((size_t)nlb * (p->bs + p->ms));
    b->md = g_malloc0((size_t)nlb * p->ms);
    b->flat = g_malloc0((size_t)nlb * p->bs);
    b->fmd = g_malloc0((size_t)nlb * p->ms);
}

static void buf_free(struct buf *b)
{
    g_free(b->data);
    g_free(b->md);
    g_free(b->flat);
    g_free(b->fmd);
}

static bool stripped(const struct prot *p, uint32_t cdw12)
{
    return cdw12 & ENVME_RW_PRACT && p->ms == p->size;
}

static struct envme_cqe go(const struct prot *p, uint8_t opc, uint64_t slba,
                           unsigned nlb, struct buf *b, uint32_t cdw12)
{
    bool strip = stripped(p, cdw12), to = opc != ENVME_NVM_READ;
    uint32_t block = p->bs + (p->ext && !strip ? p->ms : 0);
    struct th_rw rw = { .slba = slba, .nlb = nlb, .cdw12 = cdw12,
                        .block = block };
    struct envme_cqe c;

    tags(p, &rw);
    if (!b) {
        return th_rw_(p->h, opc, &rw);
    }
    rw.data = b->data;
    rw.md = p->ext || strip ? NULL : b->md;
    for (unsigned i = 0; i < nlb && to; i++) {
        memcpy(b->data + i * block, b->flat + i * p->bs, p->bs);
        memcpy(p->ext && !strip ? b->data + i * block + p->bs
                                : b->md + i * p->ms,
               b->fmd + i * p->ms, p->ms);
    }
    c = th_rw_(p->h, opc, &rw);
    for (unsigned i = 0; i < nlb && !to; i++) {
        memcpy(b->flat + i * p->bs, b->data + i * block, p->bs);
        memcpy(b->fmd + i * p->ms, p->ext && !strip ?
               b->data + i * block + p->bs : b->md + i * p->ms, p->ms);
    }
    return c;
}

/* What is compared that can be: no reference tag with type 3. */
static uint32_t checks(const struct prot *p)
{
    return p->type == 3 ? ALL & ~ENVME_RW_PRCHK_REF : ALL;
}

static void aim(struct prot *p, uint64_t slba)
{
    p->at = 0x1234;
    p->st = 0x0123456789abcdefull & mask(p->sts);
    p->rt = (p->type == 1 ? slba : 0xfffffff0u + slba) &
            mask(MIN(rt_bits(p), 64));
}

static void fill(const struct prot *p, struct buf *b, unsigned nlb,
                 uint64_t seed)
{
    th_pattern(b->flat, (size_t)nlb * p->bs, seed);
    th_pattern(b->fmd, (size_t)nlb * p->ms, seed + 1);
    for (unsigned i = 0; i < nlb; i++) {
        make_tuple(p, b->flat + i * p->bs, b->fmd + i * p->ms,
                   p->rt + (p->type == 3 ? 0 : i));
    }
}

static uint64_t err_lba(struct th *h)
{
    struct envme_log_error e[1];

    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, e, sizeof(e),
                            false), SUCCESS);
    return le64_get(e[0].lba);
}

/* Zeroes, and a tuple that keeps everything from being compared. */
static void check_empty(struct prot *p, uint64_t slba, unsigned nlb)
{
    struct buf b;

    buf_new(p, &b, nlb);
    memset(b.data, 0xee, (size_t)nlb * p->bs);
    aim(p, slba);
    th_assert_sc(go(p, ENVME_NVM_READ, slba, nlb, &b, checks(p)), SUCCESS);
    for (unsigned i = 0; i < nlb; i++) {
        uint8_t *md = b.fmd + i * p->ms, *t = tuple_at(p, md);

        for (unsigned j = 0; j < p->bs; j++) {
            g_assert_cmphex(b.flat[i * p->bs + j], ==, 0);
        }
        for (unsigned j = 0; j < p->ms; j++) {
            bool in = md + j >= t && md + j < t + p->size;

            g_assert_cmphex(md[j], ==, in ? 0xff : 0);
        }
    }
    th_assert_sc(go(p, ENVME_NVM_VERIFY, slba, nlb, NULL, checks(p)), SUCCESS);
    buf_free(&b);
}

static void check_as(struct prot *p, uint64_t slba, unsigned nlb,
                     const struct buf *want, uint32_t flags)
{
    struct buf b;

    buf_new(p, &b, nlb);
    memset(b.data, 0xee, (size_t)nlb * p->bs);
    th_assert_sc(go(p, ENVME_NVM_READ, slba, nlb, &b, flags), SUCCESS);
    g_assert_cmpint(memcmp(b.flat, want->flat, nlb * p->bs), ==, 0);
    g_assert_cmpint(memcmp(b.fmd, want->fmd, nlb * p->ms), ==, 0);
    th_assert_sc(go(p, ENVME_NVM_VERIFY, slba, nlb, NULL, flags), SUCCESS);
    buf_free(&b);
}

static void check_same(struct prot *p, uint64_t slba, unsigned nlb,
                       const struct buf *want)
{
    check_as(p, slba, nlb, want, checks(p));
}

static void check_pract(struct prot *p, uint64_t slba, unsigned nlb)
{
    struct buf b, r;

    buf_new(p, &b, nlb);
    buf_new(p, &r, nlb);
    aim(p, slba);
    fill(p, &b, nlb, slba);
    if (!stripped(p, ENVME_RW_PRACT)) {
        /* What the host has in the tuple's place is replaced. */
        for (unsigned i = 0; i < nlb; i++) {
            memset(tuple_at(p, b.fmd + i * p->ms), 0x5a, p->size);
        }
    }
    th_assert_sc(go(p, ENVME_NVM_WRITE, slba, nlb, &b, ENVME_RW_PRACT),
                 SUCCESS);
    for (unsigned i = 0; i < nlb; i++) {
        make_tuple(p, b.flat + i * p->bs, b.fmd + i * p->ms,
                   p->rt + (p->type == 3 ? 0 : i));
    }
    check_same(p, slba, nlb, &b);
    th_assert_sc(go(p, ENVME_NVM_READ, slba, nlb, &r,
                    ENVME_RW_PRACT | checks(p)), SUCCESS);
    g_assert_cmpint(memcmp(b.flat, r.flat, nlb * p->bs), ==, 0);
    buf_free(&b);
    buf_free(&r);
}

static void check_tags(struct prot *p, uint64_t slba, unsigned nlb)
{
    uint8_t ops[] = { ENVME_NVM_READ, ENVME_NVM_VERIFY };
    struct buf b, r;

    buf_new(p, &b, nlb);
    buf_new(p, &r, nlb);
    aim(p, slba);
    fill(p, &b, nlb, slba + 5);
    th_assert_sc(go(p, ENVME_NVM_WRITE, slba, nlb, &b, checks(p)), SUCCESS);
    check_same(p, slba, nlb, &b);
    for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
        struct buf *d = ops[i] == ENVME_NVM_READ ? &r : NULL;

        p->at ^= 1;
        th_assert_sc(go(p, ops[i], slba, nlb, d, ENVME_RW_PRCHK_APP),
                     APPTAG_CHECK);
        g_assert_cmpuint(err_lba(p->h), ==, slba);
        p->at ^= 1;
        if (rt_bits(p)) {
            p->rt ^= 1;
            if (p->type == 2) {
                th_assert_sc(go(p, ops[i], slba, nlb, d, ENVME_RW_PRCHK_REF),
                             REFTAG_CHECK);
            } else {
                th_assert_sc(go(p, ops[i], slba, nlb, d, ENVME_RW_PRCHK_REF),
                             PI_INVALID);
            }
            th_assert_sc(go(p, ops[i], slba, nlb, d, ENVME_RW_PRCHK_APP |
                            ENVME_RW_PRCHK_GUARD), SUCCESS);
            p->rt ^= 1;
        }
        if (p->sts) {
            p->st ^= 1;
            th_assert_sc(go(p, ops[i], slba, nlb, d, ENVME_RW_STC),
                         STORTAG_CHECK);
            th_assert_sc(go(p, ops[i], slba, nlb, d, ENVME_RW_PRCHK_GUARD),
                         SUCCESS);
            p->st ^= 1;
        }
    }
    if (p->type == 3) {
        th_assert_sc(go(p, ENVME_NVM_WRITE, slba, nlb, &b, ALL), PI_INVALID);
    }
    buf_free(&b);
    buf_free(&r);
}

/* A wrong guard in the last block: nothing is written; without the check it
 * is, and comes up when somebody looks. */
static void check_guard(struct prot *p, uint64_t slba, unsigned nlb)
{
    struct buf old, b, r;

    buf_new(p, &old, nlb);
    buf_new(p, &b, nlb);
    buf_new(p, &r, nlb);
    aim(p, slba);
    fill(p, &old, nlb, 1);
    th_assert_sc(go(p, ENVME_NVM_WRITE, slba, nlb, &old, checks(p)), SUCCESS);
    fill(p, &b, nlb, 2);
    tuple_at(p, b.fmd + (nlb - 1) * p->ms)[1] ^= 0x80;
    th_assert_sc(go(p, ENVME_NVM_WRITE, slba, nlb, &b, checks(p)),
                 GUARD_CHECK);
    g_assert_cmpuint(err_lba(p->h), ==, slba + nlb - 1);
    check_same(p, slba, nlb, &old);
    th_assert_sc(go(p, ENVME_NVM_WRITE, slba, nlb, &b, 0), SUCCESS);
    th_assert_sc(go(p, ENVME_NVM_READ, slba, nlb, &r, ENVME_RW_PRCHK_GUARD),
                 GUARD_CHECK);
    g_assert_cmpuint(err_lba(p->h), ==, slba + nlb - 1);
    th_assert_sc(go(p, ENVME_NVM_VERIFY, slba, nlb, NULL,
                    ENVME_RW_PRCHK_GUARD), GUARD_CHECK);
    th_assert_sc(go(p, ENVME_NVM_COMPARE, slba, nlb, &b,
                    ENVME_RW_PRCHK_GUARD), GUARD_CHECK);
    th_assert_sc(go(p, ENVME_NVM_READ, slba, nlb, &r, 0), SUCCESS);
    g_assert_cmpint(memcmp(r.fmd, b.fmd, nlb * p->ms), ==, 0);
    buf_free(&old);
    buf_free(&b);
    buf_free(&r);
}

static void check_compare(struct prot *p, uint64_t slba, unsigned nlb)
{
    struct buf b;

    buf_new(p, &b, nlb);
    aim(p, slba);
    fill(p, &b, nlb, 9);
    th_assert_sc(go(p, ENVME_NVM_WRITE, slba, nlb, &b, checks(p)), SUCCESS);
    th_assert_sc(go(p, ENVME_NVM_COMPARE, slba, nlb, &b, checks(p)), SUCCESS);
    th_assert_sc(go(p, ENVME_NVM_COMPARE, slba, nlb, &b, ENVME_RW_PRACT),
                 PI_INVALID);
    th_assert_sc(go(p, ENVME_NVM_VERIFY, slba, nlb, NULL, ENVME_RW_PRACT),
                 INVALID_FIELD);
    /* The tuple isn't compared, only checked where that is asked for. */
    memset(tuple_at(p, b.fmd + (nlb - 1) * p->ms), 0x77, p->size);
    th_assert_sc(go(p, ENVME_NVM_COMPARE, slba, nlb, &b, 0), SUCCESS);
    th_assert_sc(go(p, ENVME_NVM_COMPARE, slba, nlb, &b,
                    ENVME_RW_PRCHK_GUARD), GUARD_CHECK);
    if (p->ms > p->size) {
        b.fmd[p->pil ? p->ms - 1 : 0] ^= 1;
        th_assert_sc(go(p, ENVME_NVM_COMPARE, slba, nlb, &b, 0),
                     COMPARE_FAILURE);
        g_assert_cmpuint(err_lba(p->h), ==, slba);
        b.fmd[p->pil ? p->ms - 1 : 0] ^= 1;
    }
    b.flat[nlb * p->bs - 1] ^= 1;
    th_assert_sc(go(p, ENVME_NVM_COMPARE, slba, nlb, &b, 0), COMPARE_FAILURE);
    g_assert_cmpuint(err_lba(p->h), ==, slba + nlb - 1);
    buf_free(&b);
}

static void check_zeroes(struct prot *p, uint64_t slba, unsigned nlb)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_DSM, 1);
    struct envme_dsm_range r = { .slba = le64(slba), .nlb = le32(nlb) };
    struct buf b;

    buf_new(p, &b, nlb);
    aim(p, slba);
    fill(p, &b, nlb, 3);
    th_assert_sc(go(p, ENVME_NVM_WRITE, slba, nlb, &b, 0), SUCCESS);
    th_assert_sc(go(p, ENVME_NVM_WRITE_ZEROES, slba, nlb, NULL,
                    ENVME_RW_PRCHK_GUARD), PI_INVALID);
    th_assert_sc(go(p, ENVME_NVM_WRITE_ZEROES, slba, nlb, NULL,
                    ENVME_RW_STC), PI_INVALID);
    check_same(p, slba, nlb, &b);
    /* Without PRACT it is all zeroes, which is no valid tuple. */
    th_assert_sc(go(p, ENVME_NVM_WRITE_ZEROES, slba, nlb, NULL, 0), SUCCESS);
    memset(b.flat, 0, nlb * p->bs);
    memset(b.fmd, 0, nlb * p->ms);
    check_as(p, slba, nlb, &b, 0);
    /* Deallocated, it is all ones, with and without PRACT. */
    th_assert_sc(go(p, ENVME_NVM_WRITE_ZEROES, slba, nlb, NULL,
                    ENVME_RW_DEAC), SUCCESS);
    check_empty(p, slba, nlb);
    aim(p, slba);
    fill(p, &b, nlb, 3);
    th_assert_sc(go(p, ENVME_NVM_WRITE, slba, nlb, &b, 0), SUCCESS);
    th_assert_sc(go(p, ENVME_NVM_WRITE_ZEROES, slba, nlb, NULL,
                    ENVME_RW_DEAC | ENVME_RW_PRACT), SUCCESS);
    check_empty(p, slba, nlb);
    aim(p, slba);
    th_assert_sc(go(p, ENVME_NVM_WRITE_ZEROES, slba, nlb, NULL,
                    ENVME_RW_PRACT), SUCCESS);
    memset(b.flat, 0, nlb * p->bs);
    memset(b.fmd, 0, nlb * p->ms);
    for (unsigned i = 0; i < nlb; i++) {
        make_tuple(p, b.flat, b.fmd + i * p->ms,
                   p->rt + (p->type == 3 ? 0 : i));
    }
    check_same(p, slba, nlb, &b);
    s.cdw11 = le32(ENVME_DSM_AD);
    th_assert_sc(th_cmd_data(p->h, 1, &s, &r, sizeof(r), TH_PRP), SUCCESS);
    check_empty(p, slba, nlb);
    buf_free(&b);
}

static void check_one(struct prot *p, uint32_t max_transfer, bool later)
{
    uint64_t size = (uint64_t)BLOCKS * (p->bs + p->ms);

    p->size = p->pif ? 16 : 8;
    p->h = th_new(.ns = { { .size = size, .lbs = p->bs, .ms = p->ms,
                            .mset = p->ext, .pi = p->type, .pil = p->pil,
                            .pif = p->pif, .pi_sts = p->sts,
                            .max_transfer = max_transfer } });
    th_enable(p->h);
    th_queues(p->h, 1, 8);
    p->h->be[0]->later = later;
    check_empty(p, 0, 3);
    check_empty(p, 500, 100);
    /* All tags zero, zeroes in the block: written is not unwritten. */
    p->at = 0;
    p->st = p->rt = 0;
    th_assert_sc(go(p, ENVME_NVM_WRITE_ZEROES, 0, 1, NULL, ENVME_RW_PRACT),
                 SUCCESS);
    p->at = 1;
    th_assert_sc(go(p, ENVME_NVM_VERIFY, 0, 1, NULL, ENVME_RW_PRCHK_APP),
                 APPTAG_CHECK);
    for (unsigned i = 0; i < 3; i++) {
        unsigned nlb = i == 0 ? 1 : i == 1 ? 7 : MIN(300, 480 * KIB / p->bs);

        check_pract(p, 10 + i, nlb);
        check_tags(p, 20 + i, nlb);
        check_guard(p, 30 + i, nlb);
        check_compare(p, 40 + i, nlb);
        check_zeroes(p, 50 + i, nlb);
    }
    th_free(p->h);
}

static void test_all(void)
{
    static const struct { uint8_t pif, sts; uint16_t ms; } f[] = {
        { 0, 0, 8 }, { 0, 0, 16 }, { 0, 8, 8 }, { 0, 32, 64 },
        { 1, 16, 16 }, { 1, 64, 16 }, { 1, 32, 64 },
        { 2, 0, 16 }, { 2, 48, 16 }, { 2, 20, 64 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(f); i++) {
        for (unsigned v = 0; v < 12; v++) {
            struct prot p = { .type = 1 + v % 3, .pil = v / 3 % 2,
                              .ext = v / 6, .pif = f[i].pif,
                              .sts = f[i].sts, .ms = f[i].ms,
                              .bs = v % 2 ? 4096 : 512 };

            check_one(&p, i % 3 == 0 ? 8192 : 0, i % 2);
        }
    }
}

static void test_identify(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .ms = 16, .pi = 2, .pil = 1,
                                    .pif = 2, .pi_sts = 16 } });
    struct envme_id_ns *id = g_malloc(4096);
    struct envme_id_ns_nvm *nvm = g_malloc(4096);
    uint32_t e;
    unsigned i;

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    th_assert_sc(th_identify(h, ENVME_CNS_CS_NS, 1, nvm), SUCCESS);
    g_assert_cmphex(id->dpc, ==, 0x1f);
    g_assert_cmphex(id->dps, ==, 0x0a);
    g_assert_cmphex(id->mc, ==, 3);
    i = (id->flbas & 0xf) | (id->flbas & 0x60) >> 1;
    g_assert_cmpuint(le16_get(id->lbaf[i].ms), ==, 16);
    e = le32_get(nvm->elbaf[i]);
    g_assert_cmphex(e, ==, 2 << 7 | 16);
    g_assert_cmphex(le64_get(nvm->lbstm), ==, 0xffff);
    g_assert_cmphex(nvm->pic, ==, 0xf);
    g_free(id);
    g_free(nvm);
    th_free(h);
}

/* CNS 09h and 0Ah: of each format, the same tables, nothing of a namespace. */
static void test_identify_format(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .ms = 8, .pi = 1,
                                    .align = 8 } });
    struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);
    struct envme_id_ns *id = g_malloc(4096), *f = g_malloc(4096);
    struct envme_id_ns_nvm *nvm = g_malloc(4096), *g = g_malloc(4096);

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    th_assert_sc(th_identify(h, ENVME_CNS_CS_NS, 1, nvm), SUCCESS);
    for (unsigned i = 0; i <= 16u; i++) {
        s.cdw11 = le32(i);
        s.cdw10 = le32(ENVME_CNS_NS_UDF);
        if (i > id->nlbaf) {
            th_assert_sc(th_cmd_data(h, 0, &s, f, 4096, TH_PRP),
                         INVALID_FIELD);
            s.cdw10 = le32(ENVME_CNS_CS_NS_UDF);
            th_assert_sc(th_cmd_data(h, 0, &s, g, 4096, TH_PRP),
                         INVALID_FIELD);
            continue;
        }
        memset(f, 0xee, 4096);
        th_assert_sc(th_cmd_data(h, 0, &s, f, 4096, TH_PRP), SUCCESS);
        g_assert_cmpuint(f->nlbaf, ==, id->nlbaf);
        g_assert_cmpint(memcmp(f->lbaf, id->lbaf, sizeof(f->lbaf)), ==, 0);
        g_assert_cmphex(f->dpc, ==, id->dpc);
        g_assert_cmpuint(f->dps | f->flbas | le64_get(f->nsze), ==, 0);
        /* 4 KiB, in blocks of this format. */
        g_assert_cmpuint(le16_get(f->npdg), ==,
                         id->lbaf[i].ds == 9 ? 7 : 0);
        s.cdw10 = le32(ENVME_CNS_CS_NS_UDF);
        memset(g, 0xee, 4096);
        th_assert_sc(th_cmd_data(h, 0, &s, g, 4096, TH_PRP), SUCCESS);
        g_assert_cmpint(memcmp(g->elbaf, nvm->elbaf, sizeof(g->elbaf)), ==, 0);
    }
    s.cdw11 = le32(2u << 24);
    th_assert_sc(th_cmd_data(h, 0, &s, g, 4096, TH_PRP), IOCS_INVALID);
    g_free(id);
    g_free(f);
    g_free(nvm);
    g_free(g);
    th_free(h);
}

/* The limit is of what goes through the data pointer. */
static void test_strip_mdts(void)
{
    struct th *h = th_new(.ns = { { .size = 4 * MIB, .ms = 8, .mset = true,
                                    .pi = 1 } });

    th_enable(h);
    th_queues(h, 1, 8);
    th_assert_sc(th_write(h, .nlb = 1024, .block = 512,
                          .cdw12 = ENVME_RW_PRACT), SUCCESS);
    th_assert_sc(th_write(h, .nlb = 1024), INVALID_FIELD);
    th_assert_sc(th_read(h, .nlb = 1024, .block = 512,
                         .cdw12 = ENVME_RW_PRACT | ENVME_RW_PRCHK), SUCCESS);
    th_assert_sc(th_read(h, .nlb = 1008, .cdw12 = ENVME_RW_PRCHK), SUCCESS);
    th_free(h);
}

/* An error of the medium in any request, and memory that isn't there. */
static void test_failures(void)
{
    struct th *h = th_new(.ns = { { .size = 4 * MIB, .ms = 8, .pi = 1 } });
    uint8_t ops[] = { ENVME_NVM_READ, ENVME_NVM_WRITE, ENVME_NVM_VERIFY,
                      ENVME_NVM_WRITE_ZEROES };

    th_enable(h);
    th_queues(h, 1, 8);
    for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
        for (unsigned n = 1; n <= 4; n++) {
            struct envme_cqe c;

            th_fail_nth(h, n % 2 ? TH_AT_SUBMIT : TH_AT_DONE, n, -EIO);
            c = th_rw(h, ops[i], .nlb = 1000, .cdw12 = ENVME_RW_PRACT *
                      (ops[i] != ENVME_NVM_VERIFY));
            if (atomic_load(&h->failed[n % 2 ? TH_AT_SUBMIT : TH_AT_DONE])) {
                g_assert_cmphex(cqe_sc(&c), ==, i % 2 ? ENVME_SC_WRITE_FAULT
                                                : ENVME_SC_UNRECOVERED_READ);
            } else {
                g_assert_cmphex(cqe_sc(&c), ==, 0);
            }
            th_fail_clear(h);
        }
        th_fail_nth(h, TH_AT_ALLOC, 1, -ENOMEM);
        th_assert_sc(th_rw(h, ops[i], .nlb = 10, .cdw12 = ENVME_RW_PRACT *
                           (ops[i] != ENVME_NVM_VERIFY)), INTERNAL);
        th_fail_clear(h);
    }
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/prot/all", test_all);
    g_test_add_func("/prot/identify", test_identify);
    g_test_add_func("/prot/identify-format", test_identify_format);
    g_test_add_func("/prot/strip-mdts", test_strip_mdts);
    g_test_add_func("/prot/failures", test_failures);
    return g_test_run();
}
