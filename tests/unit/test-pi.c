/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/pi.h"

#include <glib.h>
#include <string.h>

#include "envme/cmd.h"
#include "envme/id.h"
#include "hw/core/crc.h"

#define ALL  (ENVME_PRINFO_GUARD | ENVME_PRINFO_APP | ENVME_PRINFO_REF)
#define NLB  4

/* By guard: tuple, guard, bits of the Storage and Reference Space. */
static const unsigned tuple_size[] = { 8, 16, 16 };
static const unsigned guard_size[] = { 2, 4, 8 };
static const unsigned space_bits[] = { 32, 80, 48 };

static const struct { unsigned guard, sts; } splits[] = {
    { 0, 0 }, { 0, 1 }, { 0, 8 }, { 0, 16 }, { 0, 31 }, { 0, 32 },
    { 1, 16 }, { 1, 17 }, { 1, 24 }, { 1, 40 }, { 1, 48 }, { 1, 63 }, { 1, 64 },
    { 2, 0 }, { 2, 1 }, { 2, 16 }, { 2, 23 }, { 2, 47 }, { 2, 48 },
};

static uint64_t rand64(void)
{
    return (uint64_t)(uint32_t)g_test_rand_int() << 32 |
           (uint32_t)g_test_rand_int();
}

static uint64_t low_bits(uint64_t v, unsigned bits)
{
    return bits >= 64 ? v : v & ((1ull << bits) - 1);
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* ---- a model ----------------------------------------------------------- */

/* Puts `bits` bits of v, the highest first, where *at says. */
static void put_bits(uint8_t *p, unsigned *at, uint64_t v, unsigned bits)
{
    while (bits--) {
        p[*at / 8] &= ~(0x80 >> *at % 8);
        p[*at / 8] |= (v >> bits & 1) << (7 - *at % 8);
        ++*at;
    }
}

static void model_tuple(const struct envme_pi *pi, uint64_t guard,
                        uint16_t app, uint64_t st, uint64_t rt, uint8_t *p)
{
    unsigned at = 0;

    put_bits(p, &at, guard, guard_size[pi->guard] * 8);
    put_bits(p, &at, app, 16);
    put_bits(p, &at, st, pi->sts);
    put_bits(p, &at, rt, space_bits[pi->guard] - pi->sts);
    g_assert_cmpuint(at, ==, tuple_size[pi->guard] * 8);
}

static uint64_t model_guard(const struct envme_pi *pi, const uint8_t *data,
                            const uint8_t *md)
{
    size_t n = pi->first ? 0 : pi->ms - tuple_size[pi->guard];
    g_autofree uint8_t *all = g_malloc(pi->block + n + 1);

    memcpy(all, data, pi->block);
    memcpy(all + pi->block, md, n);
    switch (pi->guard) {
    case 0: return envme_crc16_t10dif_own(0, all, pi->block + n);
    case 1: return envme_crc32c_own(0, all, pi->block + n);
    default: return envme_crc64_nvme_own(0, all, pi->block + n);
    }
}

/* ---- a medium in memory, fed in random pieces -------------------------- */

struct medium {
    const struct envme_pi *pi;
    uint8_t *buf;
    size_t len;
    bool extended;
};

struct pieces {
    struct envme_pi_flat flat;
    size_t left;
    unsigned max;
};

static void *pieces_next(void *opaque, size_t *len)
{
    struct pieces *p = opaque;
    size_t n = g_test_rand_int_range(1, p->max);
    void *mem;

    *len = MIN(*len, MIN(n, p->left));
    if (!*len) {
        return NULL;
    }
    mem = envme_pi_flat_next(&p->flat, len);
    p->left -= *len;
    return mem;
}

static void medium_init(struct medium *m, const struct envme_pi *pi,
                        bool extended)
{
    m->pi = pi;
    m->extended = extended;
    m->len = NLB * (pi->block + pi->ms);
    m->buf = g_malloc(m->len);
    for (size_t i = 0; i < m->len; i++) {
        m->buf[i] = g_test_rand_int();
    }
}

static uint8_t *data_at(const struct medium *m, unsigned i)
{
    return m->buf + i * (m->pi->block + (m->extended ? m->pi->ms : 0));
}

static uint8_t *md_at(const struct medium *m, unsigned i)
{
    return m->extended ? data_at(m, i) + m->pi->block
                       : m->buf + NLB * m->pi->block + i * m->pi->ms;
}

static uint8_t *tuple_at(const struct medium *m, unsigned i)
{
    return md_at(m, i) +
           (m->pi->first ? 0 : m->pi->ms - tuple_size[m->pi->guard]);
}

struct feeds {
    struct pieces d, m;
    struct envme_pi_feed data, md;
};

static void feeds_init(struct feeds *f, const struct medium *m, unsigned max)
{
    uint32_t both = m->pi->block + m->pi->ms;

    f->d = (struct pieces){
        .flat = { data_at(m, 0), m->pi->block,
                  m->extended ? both : m->pi->block, 0 },
        .left = NLB * m->pi->block, .max = max,
    };
    f->m = (struct pieces){
        .flat = { md_at(m, 0), m->pi->ms, m->extended ? both : m->pi->ms, 0 },
        .left = NLB * m->pi->ms, .max = max,
    };
    f->data = (struct envme_pi_feed){ pieces_next, &f->d };
    f->md = (struct envme_pi_feed){ pieces_next, &f->m };
}

/* Tags that fit type 1 at a random LBA and are no escape. */
static struct envme_pi_tags any_tags(const struct envme_pi *pi)
{
    return (struct envme_pi_tags){
        .prinfo = ALL, .stc = true, .lbat = 0x5aa5, .lbatm = 0xffff,
        .lbst = low_bits(rand64(), pi->sts),
        .lbrt = low_bits(rand64(), space_bits[pi->guard] - pi->sts),
    };
}

static void generate(const struct medium *m, const struct envme_pi_tags *tags)
{
    struct envme_pi_run r;
    struct feeds f;

    feeds_init(&f, m, 200);
    envme_pi_start(&r, m->pi, tags);
    g_assert_true(envme_st_ok(envme_pi_generate(&r, NLB, &f.data, &f.md)));
    g_assert_cmpuint(r.blocks, ==, NLB);
    g_assert_cmpuint(f.d.left, ==, 0);
    g_assert_cmpuint(f.m.left, ==, 0);
}

/* Status of verifying all; *at is where it stopped. */
static uint16_t verify(const struct medium *m,
                       const struct envme_pi_tags *tags, uint64_t *at)
{
    struct envme_pi_run r;
    struct envme_status st;
    struct feeds f;

    feeds_init(&f, m, 5000);
    envme_pi_start(&r, m->pi, tags);
    st = envme_pi_verify(&r, NLB, &f.data, &f.md);
    if (at) {
        *at = r.blocks;
    }
    return envme_st_code(st);
}

/* fn for each split, type, place and three sizes of metadata. */
static void each_format(void (*fn)(const struct envme_pi *pi))
{
    for (unsigned i = 0; i < G_N_ELEMENTS(splits); i++) {
        for (unsigned k = 0; k < 3 * 2 * 3; k++) {
            unsigned size = tuple_size[splits[i].guard];
            struct envme_pi pi = {
                .type = 1 + k % 3, .first = k / 3 % 2,
                .ms = k / 6 == 0 ? size : k / 6 == 1 ? size + 8 : 64,
                .guard = splits[i].guard, .sts = splits[i].sts,
                .block = 512, .lbstm = UINT64_MAX,
            };

            g_assert_true(envme_pi_ok(&pi));
            fn(&pi);
        }
    }
}

/* ---- tests ------------------------------------------------------------- */

static void test_limits(void)
{
    static const struct { unsigned min, max, size; } lim[] = {
        { 0, 32, 8 }, { 16, 64, 16 }, { 0, 48, 16 },
    };

    for (unsigned g = 0; g < 256; g++) {
        for (unsigned sts = 0; sts < 128; sts++) {
            struct envme_pi pi = { .type = 1, .guard = g, .sts = sts,
                                   .ms = 16, .block = 512 };

            g_assert_true(envme_pi_ok(&pi) ==
                          (g < 3 && sts >= lim[g].min && sts <= lim[g].max));
        }
    }
    for (unsigned g = 0; g < 3; g++) {
        struct envme_pi pi = { .guard = g, .sts = lim[g].min, .ms = 64,
                               .block = 512 };

        for (pi.type = 0; pi.type < 8; pi.type++) {
            g_assert_true(envme_pi_ok(&pi) == (pi.type >= 1 && pi.type <= 3));
        }
        pi.type = 1;
        for (pi.ms = 0; pi.ms < 40; pi.ms++) {
            g_assert_true(envme_pi_ok(&pi) == (pi.ms >= lim[g].size));
        }
        pi.block = 0;
        g_assert_false(envme_pi_ok(&pi));
        g_assert_cmpuint(envme_pi_size(&pi), ==, lim[g].size);
        pi.ms = lim[g].size;
        g_assert_cmpuint(envme_pi_host_ms(&pi, true), ==, 0);
        g_assert_cmpuint(envme_pi_host_ms(&pi, false), ==, lim[g].size);
        pi.ms++;
        g_assert_cmpuint(envme_pi_host_ms(&pi, true), ==, lim[g].size + 1);
    }
}

static void test_elbaf(void)
{
    struct envme_pi pi;

    for (unsigned pif = 0; pif < 4; pif++) {
        for (unsigned qpif = 0; qpif < 16; qpif++) {
            unsigned guard = pif == 3 ? qpif : pif;
            uint32_t elbaf = FIELD_SET(ENVME_ELBAF_PIF, pif) |
                             FIELD_SET(ENVME_ELBAF_QPIF, qpif) | 0x2b;

            g_assert_true(envme_pi_from_elbaf(&pi, elbaf) == (guard < 3));
            if (guard < 3) {
                g_assert_cmpuint(pi.guard, ==, guard);
                g_assert_cmpuint(pi.sts, ==, 0x2b);
            }
        }
    }
}

/* Written out by hand. */
static void test_golden(void)
{
    static const struct {
        struct envme_pi pi;
        uint64_t st, rt;
        uint8_t tuple[16];
    } v[] = {
        { { 1, ENVME_PIF_16B, 0, false, 8, 512, 0 }, 0, 0x89abcdef,
          { 0x00, 0x00, 0x12, 0x34, 0x89, 0xab, 0xcd, 0xef } },
        { { 1, ENVME_PIF_16B, 12, true, 8, 4096, 0 }, 0xabc, 0x12345,
          { 0x00, 0x00, 0x12, 0x34, 0xab, 0xc1, 0x23, 0x45 } },
        { { 2, ENVME_PIF_32B, 16, false, 16, 4096, 0 }, 0xabcd,
          0x0123456789abcdefull,
          { 0x98, 0xf9, 0x41, 0x89, 0x12, 0x34, 0xab, 0xcd,
            0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef } },
        { { 2, ENVME_PIF_32B, 64, false, 16, 4096, 0 }, 0xfedcba9876543210ull,
          0x5aa5,
          { 0x98, 0xf9, 0x41, 0x89, 0x12, 0x34, 0xfe, 0xdc,
            0xba, 0x98, 0x76, 0x54, 0x32, 0x10, 0x5a, 0xa5 } },
        { { 3, ENVME_PIF_64B, 0, true, 16, 4096, 0 }, 0, 0x0123456789abull,
          { 0x64, 0x82, 0xd3, 0x67, 0xeb, 0x22, 0xb6, 0x4e,
            0x12, 0x34, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab } },
        { { 3, ENVME_PIF_64B, 20, false, 16, 4096, 0 }, 0xfedcb, 0xa987654ull,
          { 0x64, 0x82, 0xd3, 0x67, 0xeb, 0x22, 0xb6, 0x4e,
            0x12, 0x34, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54 } },
    };
    g_autofree uint8_t *zeroes = g_malloc0(4096);

    for (unsigned i = 0; i < G_N_ELEMENTS(v); i++) {
        const struct envme_pi *pi = &v[i].pi;
        uint8_t md[16] = { 0 };
        struct envme_pi_flat d = { zeroes, pi->block, 0, 0 };
        struct envme_pi_flat m = { md, pi->ms, 0, 0 };
        struct envme_pi_feed data = { envme_pi_flat_next, &d };
        struct envme_pi_feed mdf = { envme_pi_flat_next, &m };
        struct envme_pi_tags tags = { .lbat = 0x1234, .lbst = v[i].st,
                                      .lbrt = v[i].rt };
        struct envme_pi_run r;

        g_assert_true(envme_pi_ok(pi));
        envme_pi_start(&r, pi, &tags);
        g_assert_true(envme_st_ok(envme_pi_generate(&r, 1, &data, &mdf)));
        g_assert_cmpmem(md, pi->ms, v[i].tuple, pi->ms);
    }
}

static void round_trip(const struct envme_pi *pi)
{
    struct envme_pi_tags tags = any_tags(pi);
    unsigned bits = space_bits[pi->guard] - pi->sts;

    g_assert_cmphex(envme_pi_ref_mask(pi), ==, low_bits(UINT64_MAX, bits));
    for (unsigned extended = 0; extended < 2; extended++) {
        g_autofree uint8_t *want = NULL;
        struct envme_pi_run r;
        struct medium m, copy;
        struct feeds f;

        medium_init(&m, pi, extended);
        want = g_memdup2(m.buf, m.len);
        copy = m;
        copy.buf = want;
        for (unsigned i = 0; i < NLB; i++) {
            model_tuple(pi, model_guard(pi, data_at(&m, i), md_at(&m, i)),
                        tags.lbat, tags.lbst,
                        low_bits(tags.lbrt + (pi->type == 3 ? 0 : i), bits),
                        tuple_at(&copy, i));
        }
        generate(&m, &tags);
        g_assert_cmpmem(m.buf, m.len, want, m.len);
        g_assert_cmphex(verify(&m, &tags, NULL), ==, 0);

        /* The blocks in two calls, at each place. */
        for (unsigned cut = 0; cut <= NLB; cut++) {
            feeds_init(&f, &m, 700);
            envme_pi_start(&r, pi, &tags);
            g_assert_true(envme_st_ok(envme_pi_verify(&r, cut, &f.data,
                                                      &f.md)));
            g_assert_cmpuint(r.blocks, ==, cut);
            g_assert_true(envme_st_ok(envme_pi_verify(&r, NLB - cut, &f.data,
                                                      &f.md)));
            g_assert_cmpuint(r.blocks, ==, NLB);
            g_assert_cmpuint(f.d.left + f.m.left, ==, 0);
        }
        g_assert_cmpmem(m.buf, m.len, want, m.len);
        g_free(m.buf);
    }
}

static void test_round_trip(void)
{
    each_format(round_trip);
}

/* What a flipped bit of a block's data (then metadata) makes of it. */
static uint16_t expected(const struct envme_pi *pi, size_t bit)
{
    size_t md = (size_t)pi->block * 8, size = tuple_size[pi->guard] * 8;
    size_t tuple = md + (pi->first ? 0 : pi->ms * 8 - size);

    if (bit < md || (!pi->first && bit < tuple)) {
        return ENVME_SC_GUARD_CHECK;
    }
    if (bit >= tuple + size) {
        return ENVME_SC_SUCCESS;        /* not protected */
    }
    bit -= tuple;
    if (bit < guard_size[pi->guard] * 8) {
        return ENVME_SC_GUARD_CHECK;
    }
    bit -= guard_size[pi->guard] * 8;
    if (bit < 16) {
        return ENVME_SC_APPTAG_CHECK;
    }
    if (bit - 16 < pi->sts) {
        return ENVME_SC_STORTAG_CHECK;
    }
    return pi->type == 3 ? ENVME_SC_SUCCESS : ENVME_SC_REFTAG_CHECK;
}

static void flip_one(const struct medium *m, const struct envme_pi_tags *tags,
                     size_t bit)
{
    static const struct { uint16_t sc; uint8_t prinfo; bool stc; } checks[] = {
        { ENVME_SC_GUARD_CHECK, ENVME_PRINFO_GUARD, false },
        { ENVME_SC_APPTAG_CHECK, ENVME_PRINFO_APP, false },
        { ENVME_SC_REFTAG_CHECK, ENVME_PRINFO_REF, false },
        { ENVME_SC_STORTAG_CHECK, 0, true },
    };
    size_t md = (size_t)m->pi->block * 8;
    unsigned block = bit % NLB;
    uint8_t *p = bit < md ? data_at(m, block) + bit / 8
                          : md_at(m, block) + (bit - md) / 8;
    uint16_t want = expected(m->pi, bit);
    uint64_t at;

    *p ^= 0x80 >> bit % 8;
    g_assert_cmphex(verify(m, tags, &at), ==, want);
    g_assert_cmpuint(at, ==, want ? block : NLB);
    /* Each check alone sees its own bits and no others. */
    for (unsigned i = 0; i < G_N_ELEMENTS(checks); i++) {
        struct envme_pi_tags one = *tags;

        one.prinfo = checks[i].prinfo;
        one.stc = checks[i].stc;
        g_assert_cmphex(verify(m, &one, NULL), ==,
                        checks[i].sc == want ? want : 0);
    }
    *p ^= 0x80 >> bit % 8;
}

static void flip_md(const struct envme_pi *pi)
{
    struct envme_pi_tags tags = any_tags(pi);
    struct medium m;

    medium_init(&m, pi, pi->type & 1);
    generate(&m, &tags);
    for (size_t bit = pi->block * 8; bit < (pi->block + pi->ms) * 8u; bit++) {
        flip_one(&m, &tags, bit);
    }
    g_free(m.buf);
}

static void test_flip_md(void)
{
    each_format(flip_md);
}

static void test_flip_data(void)
{
    for (unsigned g = 0; g < 3; g++) {
        struct envme_pi pi = { .type = 1, .guard = g, .sts = 16, .ms = 24,
                               .block = 512, .lbstm = UINT64_MAX };
        struct envme_pi_tags tags = any_tags(&pi);
        struct medium m;

        medium_init(&m, &pi, g & 1);
        generate(&m, &tags);
        for (size_t bit = 0; bit < pi.block * 8; bit++) {
            flip_one(&m, &tags, bit);
        }
        g_free(m.buf);
    }
}

/* Sets the application tag of block i, and its reference tag if ref >= 0:
 * to all ones (1), or to all but the lowest (0). */
static void set_tags(const struct medium *m, unsigned i, uint16_t app, int ref)
{
    uint8_t *p = tuple_at(m, i);
    unsigned at = (guard_size[m->pi->guard] + 2) * 8 + m->pi->sts;
    unsigned bits = space_bits[m->pi->guard] - m->pi->sts;

    p[guard_size[m->pi->guard]] = app >> 8;
    p[guard_size[m->pi->guard] + 1] = app;
    if (ref >= 0) {
        put_bits(p, &at, ref ? UINT64_MAX : UINT64_MAX - 1, bits);
    }
}

static void escapes(const struct envme_pi *pi)
{
    struct envme_pi_tags tags = any_tags(pi);
    bool has_ref = pi->sts < space_bits[pi->guard];
    struct envme_pi_run r;
    struct medium m;
    struct feeds f;
    uint64_t at;

    medium_init(&m, pi, true);
    generate(&m, &tags);
    data_at(&m, 2)[100] ^= 1;
    g_assert_cmphex(verify(&m, &tags, &at), ==, ENVME_SC_GUARD_CHECK);
    g_assert_cmpuint(at, ==, 2);

    set_tags(&m, 2, 0xffff, 0);
    g_assert_cmphex(verify(&m, &tags, &at), ==, pi->type == 3 && has_ref ?
                    ENVME_SC_GUARD_CHECK : 0);
    set_tags(&m, 2, 0xffff, 1);
    g_assert_cmphex(verify(&m, &tags, &at), ==, 0);
    set_tags(&m, 2, 0xfffe, 1);
    g_assert_cmphex(verify(&m, &tags, &at), ==, ENVME_SC_GUARD_CHECK);
    set_tags(&m, 2, 0x7fff, 1);
    g_assert_cmphex(verify(&m, &tags, &at), ==, ENVME_SC_GUARD_CHECK);

    /* The tags that follow an escaped block count on. */
    set_tags(&m, 2, 0xffff, 1);
    tuple_at(&m, 3)[0] ^= 1;
    g_assert_cmphex(verify(&m, &tags, &at), ==, ENVME_SC_GUARD_CHECK);
    g_assert_cmpuint(at, ==, 3);

    /* Tuples of deallocated blocks, and no byte besides. */
    {
        g_autofree uint8_t *want = g_memdup2(m.buf, m.len);
        struct medium copy = m;

        copy.buf = want;
        for (unsigned i = 0; i < NLB; i++) {
            memset(tuple_at(&copy, i), 0xff, tuple_size[pi->guard]);
        }
        feeds_init(&f, &m, 9);
        envme_pi_start(&r, pi, &tags);
        g_assert_true(envme_st_ok(envme_pi_escape(&r, NLB, &f.md)));
        g_assert_cmpuint(r.blocks, ==, NLB);
        g_assert_cmpmem(m.buf, m.len, want, m.len);
        g_assert_cmphex(verify(&m, &tags, NULL), ==, 0);
    }
    g_free(m.buf);
}

static void test_escapes(void)
{
    each_format(escapes);
}

static void masks(const struct envme_pi *pi_in)
{
    struct envme_pi pi = *pi_in;
    struct envme_pi_tags tags = any_tags(&pi), other;
    struct medium m;

    medium_init(&m, &pi, false);
    generate(&m, &tags);
    for (unsigned bit = 0; bit < 16; bit++) {
        other = tags;
        other.lbat ^= 1u << bit;
        g_assert_cmphex(verify(&m, &other, NULL), ==, ENVME_SC_APPTAG_CHECK);
        other.lbatm = 0xffff ^ 1u << bit;
        g_assert_cmphex(verify(&m, &other, NULL), ==, 0);
        other.lbatm = 1u << bit;
        g_assert_cmphex(verify(&m, &other, NULL), ==, ENVME_SC_APPTAG_CHECK);
        other.prinfo = ALL & ~ENVME_PRINFO_APP;
        g_assert_cmphex(verify(&m, &other, NULL), ==, 0);
    }
    for (unsigned bit = 0; bit < pi.sts; bit++) {
        other = tags;
        other.lbst ^= 1ull << bit;
        pi.lbstm = UINT64_MAX;
        g_assert_cmphex(verify(&m, &other, NULL), ==, ENVME_SC_STORTAG_CHECK);
        pi.lbstm = ~(1ull << bit);
        g_assert_cmphex(verify(&m, &other, NULL), ==, 0);
        pi.lbstm = 1ull << bit;
        g_assert_cmphex(verify(&m, &other, NULL), ==, ENVME_SC_STORTAG_CHECK);
        other.stc = false;
        g_assert_cmphex(verify(&m, &other, NULL), ==, 0);
    }
    /* Bits that the storage tag does not have. */
    if (pi.sts < 64) {
        pi.lbstm = UINT64_MAX;
        other = tags;
        other.lbst ^= 1ull << pi.sts;
        g_assert_cmphex(verify(&m, &other, NULL), ==, 0);
    }
    g_free(m.buf);
}

static void test_masks(void)
{
    each_format(masks);
}

/* More than one difference: the order that pi.h tells. */
static void test_order(void)
{
    struct envme_pi pi = { .type = 2, .guard = ENVME_PIF_64B, .sts = 16,
                           .ms = 16, .block = 4096, .lbstm = UINT64_MAX };
    struct envme_pi_tags tags = any_tags(&pi), other = tags;
    struct medium m;

    medium_init(&m, &pi, false);
    generate(&m, &tags);
    data_at(&m, 0)[0] ^= 1;
    other.lbat ^= 1;
    other.lbrt ^= 1;
    other.lbst ^= 1;
    g_assert_cmphex(verify(&m, &other, NULL), ==, ENVME_SC_GUARD_CHECK);
    other.prinfo &= ~ENVME_PRINFO_GUARD;
    g_assert_cmphex(verify(&m, &other, NULL), ==, ENVME_SC_APPTAG_CHECK);
    other.prinfo &= ~ENVME_PRINFO_APP;
    g_assert_cmphex(verify(&m, &other, NULL), ==, ENVME_SC_REFTAG_CHECK);
    other.prinfo &= ~ENVME_PRINFO_REF;
    g_assert_cmphex(verify(&m, &other, NULL), ==, ENVME_SC_STORTAG_CHECK);
    other.stc = false;
    g_assert_cmphex(verify(&m, &other, NULL), ==, 0);
    g_free(m.buf);
}

static void wraps(const struct envme_pi *pi)
{
    unsigned bits = space_bits[pi->guard] - pi->sts;
    struct envme_pi_tags tags = any_tags(pi);
    struct medium m;

    tags.lbrt = low_bits(UINT64_MAX - 1, bits);
    medium_init(&m, pi, false);
    generate(&m, &tags);
    for (unsigned i = 0; i < NLB; i++) {
        uint8_t want[16];

        model_tuple(pi, model_guard(pi, data_at(&m, i), md_at(&m, i)),
                    tags.lbat, tags.lbst,
                    low_bits(UINT64_MAX - 1 + (pi->type == 3 ? 0 : i), bits),
                    want);
        g_assert_cmpmem(tuple_at(&m, i), tuple_size[pi->guard], want,
                        tuple_size[pi->guard]);
    }
    g_assert_cmphex(verify(&m, &tags, NULL), ==, 0);
    /* Bits above the tag's width don't count. */
    if (bits < 64) {
        tags.lbrt |= 1ull << bits;
        g_assert_cmphex(verify(&m, &tags, NULL), ==, 0);
    }
    g_free(m.buf);
}

static void test_wrap(void)
{
    each_format(wraps);
}

/* The command's fields hold the same bits as the tuple's space. */
static void test_cdw(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(splits); i++) {
        struct envme_pi pi = { .type = 2, .guard = splits[i].guard,
                               .sts = splits[i].sts, .ms = 16, .block = 512 };
        unsigned space = space_bits[pi.guard];

        for (unsigned round = 0; round < 100; round++) {
            uint64_t st = low_bits(rand64(), pi.sts);
            uint64_t rt = low_bits(rand64(), space - pi.sts);
            /* Around it, what is not to be looked at. */
            uint8_t b[12];
            unsigned at = 96 - space;
            struct envme_pi_tags tags = { 0 };

            for (unsigned k = 0; k < sizeof(b); k++) {
                b[k] = g_test_rand_int();
            }
            put_bits(b, &at, st, pi.sts);
            put_bits(b, &at, rt, space - pi.sts);
            g_assert_cmpuint(at, ==, 96);
            envme_pi_tags_cdw(&pi, be32(b), be32(b + 4), be32(b + 8), &tags);
            g_assert_cmphex(tags.lbst, ==, st);
            g_assert_cmphex(tags.lbrt, ==, rt);
            tags = (struct envme_pi_tags){ 0 };
            envme_pi_tags_be(&pi, b + 2, &tags);
            g_assert_cmphex(tags.lbst, ==, st);
            g_assert_cmphex(tags.lbrt, ==, rt);
        }
    }
}

static void test_check_tags(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(splits); i++) {
        unsigned bits = space_bits[splits[i].guard] - splits[i].sts;

        for (unsigned type = 1; type <= 3; type++) {
            struct envme_pi pi = { .type = type, .guard = splits[i].guard,
                                   .sts = splits[i].sts, .ms = 16,
                                   .block = 512 };
            uint64_t slba = rand64();

            for (unsigned bit = 0; bit <= 64; bit++) {
                struct envme_pi_tags tags = { .prinfo = ALL };
                bool bad;

                tags.lbrt = low_bits(slba, bits);
                if (bit < bits) {
                    tags.lbrt ^= 1ull << bit;
                }
                bad = type == 3 || (type == 1 && bit < bits);
                g_assert_cmphex(envme_pi_check_tags(&pi, &tags, slba).sf, ==,
                                bad ? ENVME_SC_PI_INVALID : 0);
                tags.prinfo = ALL & ~ENVME_PRINFO_REF;
                tags.stc = true;
                g_assert_true(envme_st_ok(envme_pi_check_tags(&pi, &tags,
                                                              slba)));
            }
        }
    }
}

/* Feeds that end within each part of the last block. */
static void test_short(void)
{
    for (unsigned k = 0; k < 6; k++) {
        struct envme_pi pi = { .type = 1, .guard = k % 3, .sts = 16,
                               .first = k / 3, .ms = 40, .block = 512,
                               .lbstm = UINT64_MAX };
        struct envme_pi_tags tags = any_tags(&pi);
        struct medium m;

        medium_init(&m, &pi, false);
        generate(&m, &tags);
        for (unsigned cut = 1; cut <= pi.ms + 1u; cut++) {
            for (unsigned op = 0; op < 4; op++) {
                struct envme_pi_run r;
                struct envme_status st;
                struct feeds f;

                feeds_init(&f, &m, 100);
                if (cut <= pi.ms) {
                    f.m.left -= cut;
                } else {
                    f.d.left--;
                }
                tags.prinfo = op == 3 ? ENVME_PRINFO_REF : ALL;
                envme_pi_start(&r, &pi, &tags);
                st = op == 0 ? envme_pi_generate(&r, NLB, &f.data, &f.md) :
                     op == 1 ? envme_pi_escape(&r, NLB, &f.md) :
                               envme_pi_verify(&r, NLB, &f.data, &f.md);
                if (cut > pi.ms && (op == 1 || op == 3)) {
                    g_assert_true(envme_st_ok(st));     /* not needed */
                    continue;
                }
                g_assert_cmphex(st.sf, ==, ENVME_SC_INTERNAL);
                g_assert_cmpuint(r.blocks, ==, NLB - 1);
                g_assert_cmpuint(cut > pi.ms ? f.d.left : f.m.left, ==, 0);
            }
        }
        g_free(m.buf);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pi/limits", test_limits);
    g_test_add_func("/pi/elbaf", test_elbaf);
    g_test_add_func("/pi/golden", test_golden);
    g_test_add_func("/pi/round-trip", test_round_trip);
    g_test_add_func("/pi/flip-md", test_flip_md);
    g_test_add_func("/pi/flip-data", test_flip_data);
    g_test_add_func("/pi/escapes", test_escapes);
    g_test_add_func("/pi/masks", test_masks);
    g_test_add_func("/pi/order", test_order);
    g_test_add_func("/pi/wrap", test_wrap);
    g_test_add_func("/pi/cdw", test_cdw);
    g_test_add_func("/pi/check-tags", test_check_tags);
    g_test_add_func("/pi/short", test_short);
    return g_test_run();
}
