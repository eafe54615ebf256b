/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/pi.h"

#include <string.h>

#include "envme/cmd.h"
#include "envme/id.h"
#include "hw/core/crc.h"

#define TUPLE_MAX 16
#define APPTAG_ESCAPE 0xffffu

/* One tuple, in the host's byte order. */
struct pi_tuple {
    uint64_t guard;
    uint16_t app;
    uint64_t st, rt;
};

/*
 * By guard: bytes of the guard; bits of the Storage and Reference Space,
 * which is the storage tag and below it the reference tag; the least and the
 * most that the storage tag may have of it.
 */
static const struct pi_form {
    uint8_t size, guard, space, sts_min, sts_max;
} pi_forms[] = {
    [ENVME_PIF_16B] = { 8, 2, 32, 0, 32 },
    [ENVME_PIF_32B] = { 16, 4, 80, 16, 64 },
    [ENVME_PIF_64B] = { 16, 8, 48, 0, 48 },
};

/* ---- the format -------------------------------------------------------- */

bool envme_pi_from_elbaf(struct envme_pi *pi, uint32_t elbaf)
{
    unsigned pif = FIELD_GET(ENVME_ELBAF_PIF, elbaf);

    if (pif == ENVME_PIF_QUALIFIED) {
        pif = FIELD_GET(ENVME_ELBAF_QPIF, elbaf);
    }
    pi->guard = pif;
    pi->sts = FIELD_GET(ENVME_ELBAF_STS, elbaf);
    return pif <= ENVME_PIF_64B;
}

bool envme_pi_ok(const struct envme_pi *pi)
{
    const struct pi_form *f;

    if (pi->type < 1 || pi->type > 3 || pi->guard > ENVME_PIF_64B) {
        return false;
    }
    f = &pi_forms[pi->guard];
    return pi->sts >= f->sts_min && pi->sts <= f->sts_max &&
           pi->ms >= f->size && pi->block;
}

unsigned envme_pi_size(const struct envme_pi *pi)
{
    return pi_forms[pi->guard].size;
}

static uint64_t ones(unsigned bits)
{
    return bits ? UINT64_MAX >> (64 - bits) : 0;
}

static unsigned ref_bits(const struct envme_pi *pi)
{
    return pi_forms[pi->guard].space - pi->sts;
}

uint64_t envme_pi_ref_mask(const struct envme_pi *pi)
{
    return ones(ref_bits(pi));
}

/* ---- the Storage and Reference Space ----------------------------------- */

/* hi: bits 79:64; only the 32b guard has them. */
static void split(const struct envme_pi *pi, uint16_t hi, uint64_t lo,
                  uint64_t *st, uint64_t *rt)
{
    unsigned bits = ref_bits(pi);

    if (bits == 64) {
        *st = hi;
    } else {
        *st = lo >> bits;
        if (hi) {
            *st |= (uint64_t)hi << (64 - bits);
        }
    }
    *st &= ones(pi->sts);
    *rt = lo & ones(bits);
}

static void join(const struct envme_pi *pi, uint64_t st, uint64_t rt,
                 uint16_t *hi, uint64_t *lo)
{
    unsigned bits = ref_bits(pi);

    st &= ones(pi->sts);
    rt &= ones(bits);
    if (bits == 64) {
        *hi = st;
        *lo = rt;
    } else {
        *hi = pi->guard == ENVME_PIF_32B ? st >> (64 - bits) : 0;
        *lo = st << bits | rt;
    }
}

static uint64_t be_get(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;

    while (n--) {
        v = v << 8 | *p++;
    }
    return v;
}

static void be_put(uint8_t *p, unsigned n, uint64_t v)
{
    while (n--) {
        p[n] = v;
        v >>= 8;
    }
}

static void tuple_get(const struct envme_pi *pi, const uint8_t *p,
                      struct pi_tuple *t)
{
    const struct pi_form *f = &pi_forms[pi->guard];
    uint16_t hi = 0;

    t->guard = be_get(p, f->guard);
    t->app = be_get(p + f->guard, 2);
    p += f->guard + 2;
    if (pi->guard == ENVME_PIF_32B) {
        hi = be_get(p, 2);
        p += 2;
    }
    split(pi, hi, be_get(p, ENVME_MIN(f->space / 8, 8)), &t->st, &t->rt);
}

static void tuple_put(const struct envme_pi *pi, uint8_t *p,
                      const struct pi_tuple *t)
{
    const struct pi_form *f = &pi_forms[pi->guard];
    uint16_t hi;
    uint64_t lo;

    join(pi, t->st, t->rt, &hi, &lo);
    be_put(p, f->guard, t->guard);
    be_put(p + f->guard, 2, t->app);
    p += f->guard + 2;
    if (pi->guard == ENVME_PIF_32B) {
        be_put(p, 2, hi);
        p += 2;
    }
    be_put(p, ENVME_MIN(f->space / 8, 8), lo);
}

/* ---- what a command says ----------------------------------------------- */

void envme_pi_tags_cdw(const struct envme_pi *pi, uint32_t cdw2,
                       uint32_t cdw3, uint32_t cdw14,
                       struct envme_pi_tags *tags)
{
    split(pi, pi->guard == ENVME_PIF_32B ? cdw2 : 0,
          (uint64_t)cdw3 << 32 | cdw14, &tags->lbst, &tags->lbrt);
}

void envme_pi_tags_be(const struct envme_pi *pi, const uint8_t field[10],
                      struct envme_pi_tags *tags)
{
    envme_pi_tags_cdw(pi, be_get(field, 2), be_get(field + 2, 4),
                      be_get(field + 6, 4), tags);
}

struct envme_status envme_pi_check_tags(const struct envme_pi *pi,
                                        const struct envme_pi_tags *tags,
                                        uint64_t slba)
{
    if (!(tags->prinfo & ENVME_PRINFO_REF)) {
        return ENVME_ST(SUCCESS);
    }
    if (pi->type == 3 ||
        (pi->type == 1 &&
         (tags->lbrt ^ slba) & envme_pi_ref_mask(pi))) {
        return ENVME_ST(PI_INVALID);
    }
    return ENVME_ST(SUCCESS);
}

/* ---- feeds ------------------------------------------------------------- */

void *envme_pi_flat_next(void *flat, size_t *len)
{
    struct envme_pi_flat *f = flat;
    uint8_t *p = f->p + f->in;

    *len = ENVME_MIN(*len, f->take - f->in);
    f->in += *len;
    if (f->in == f->take) {
        f->in = 0;
        f->p += f->stride;
    }
    return p;
}

/* The next piece of the `left` bytes that there must be; NULL: there aren't. */
static void *feed_next(const struct envme_pi_feed *feed, size_t left,
                       size_t *len)
{
    void *p;

    *len = left;
    p = feed->next(feed->opaque, len);
    return *len ? p : NULL;
}

static bool feed_skip(const struct envme_pi_feed *feed, size_t left)
{
    size_t n;

    for (; left; left -= n) {
        if (!feed_next(feed, left, &n)) {
            return false;
        }
    }
    return true;
}

static bool feed_crc(const struct envme_pi_feed *feed, size_t left,
                     uint8_t guard, uint64_t *crc)
{
    size_t n;

    for (; left; left -= n) {
        void *p = feed_next(feed, left, &n);

        if (!p) {
            return false;
        }
        switch (guard) {
        case ENVME_PIF_16B:
            *crc = envme_crc16_t10dif(*crc, p, n);
            break;
        case ENVME_PIF_32B:
            *crc = envme_crc32c(*crc, p, n);
            break;
        default:
            *crc = envme_crc64_nvme(*crc, p, n);
            break;
        }
    }
    return true;
}

static bool feed_get(const struct envme_pi_feed *feed, uint8_t *buf,
                     size_t left)
{
    size_t n;

    for (; left; buf += n, left -= n) {
        void *p = feed_next(feed, left, &n);

        if (!p) {
            return false;
        }
        memcpy(buf, p, n);
    }
    return true;
}

static bool feed_put(const struct envme_pi_feed *feed, const uint8_t *buf,
                     size_t left)
{
    size_t n;

    for (; left; buf += n, left -= n) {
        void *p = feed_next(feed, left, &n);

        if (!p) {
            return false;
        }
        memcpy(p, buf, n);
    }
    return true;
}

/* ---- runs -------------------------------------------------------------- */

void envme_pi_start(struct envme_pi_run *r, const struct envme_pi *pi,
                    const struct envme_pi_tags *tags)
{
    *r = (struct envme_pi_run){ .pi = pi, .tags = *tags };
    r->tags.lbrt &= envme_pi_ref_mask(pi);
}

static void run_advance(struct envme_pi_run *r)
{
    r->blocks++;
    if (r->pi->type != 3) {
        r->tags.lbrt = (r->tags.lbrt + 1) & envme_pi_ref_mask(r->pi);
    }
}

/* Metadata bytes before and after the tuple. */
static size_t md_before(const struct envme_pi *pi)
{
    return pi->first ? 0 : pi->ms - envme_pi_size(pi);
}

static size_t md_after(const struct envme_pi *pi)
{
    return pi->first ? pi->ms - envme_pi_size(pi) : 0;
}

static bool escaped(const struct envme_pi *pi, const struct pi_tuple *t)
{
    return t->app == APPTAG_ESCAPE &&
           (pi->type != 3 || t->rt == envme_pi_ref_mask(pi));
}

static struct envme_status compare(const struct envme_pi_run *r,
                                   const struct pi_tuple *t, uint64_t guard)
{
    const struct envme_pi *pi = r->pi;
    const struct envme_pi_tags *want = &r->tags;

    if (escaped(pi, t)) {
        return ENVME_ST(SUCCESS);
    }
    if (want->prinfo & ENVME_PRINFO_GUARD && t->guard != guard) {
        return ENVME_ST(GUARD_CHECK);
    }
    if (want->prinfo & ENVME_PRINFO_APP &&
        (t->app ^ want->lbat) & want->lbatm) {
        return ENVME_ST(APPTAG_CHECK);
    }
    if (want->prinfo & ENVME_PRINFO_REF && pi->type != 3 &&
        t->rt != want->lbrt) {
        return ENVME_ST(REFTAG_CHECK);
    }
    if (want->stc && (t->st ^ want->lbst) & pi->lbstm & ones(pi->sts)) {
        return ENVME_ST(STORTAG_CHECK);
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_pi_verify(struct envme_pi_run *r, uint64_t nlb,
                                    const struct envme_pi_feed *data,
                                    const struct envme_pi_feed *md)
{
    const struct envme_pi *pi = r->pi;
    bool guarded = r->tags.prinfo & ENVME_PRINFO_GUARD;

    while (nlb--) {
        uint8_t buf[TUPLE_MAX];
        struct envme_status st;
        struct pi_tuple t;
        uint64_t crc = 0;
        bool ok;

        ok = guarded ? feed_crc(data, pi->block, pi->guard, &crc) &&
                       feed_crc(md, md_before(pi), pi->guard, &crc)
                     : feed_skip(md, md_before(pi));
        if (!ok || !feed_get(md, buf, envme_pi_size(pi)) ||
            !feed_skip(md, md_after(pi))) {
            return ENVME_ST(INTERNAL);
        }
        tuple_get(pi, buf, &t);
        st = compare(r, &t, crc);
        if (envme_st_err(st)) {
            return st;
        }
        run_advance(r);
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_pi_generate(struct envme_pi_run *r, uint64_t nlb,
                                      const struct envme_pi_feed *data,
                                      const struct envme_pi_feed *md)
{
    const struct envme_pi *pi = r->pi;

    while (nlb--) {
        struct pi_tuple t = {
            .app = r->tags.lbat, .st = r->tags.lbst, .rt = r->tags.lbrt,
        };
        uint8_t buf[TUPLE_MAX];

        if (!feed_crc(data, pi->block, pi->guard, &t.guard) ||
            !feed_crc(md, md_before(pi), pi->guard, &t.guard)) {
            return ENVME_ST(INTERNAL);
        }
        tuple_put(pi, buf, &t);
        if (!feed_put(md, buf, envme_pi_size(pi)) ||
            !feed_skip(md, md_after(pi))) {
            return ENVME_ST(INTERNAL);
        }
        run_advance(r);
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_pi_escape(struct envme_pi_run *r, uint64_t nlb,
                                    const struct envme_pi_feed *md)
{
    const struct envme_pi *pi = r->pi;
    uint8_t buf[TUPLE_MAX];

    memset(buf, 0xff, sizeof(buf));
    while (nlb--) {
        if (!feed_skip(md, md_before(pi)) ||
            !feed_put(md, buf, envme_pi_size(pi)) ||
            !feed_skip(md, md_after(pi))) {
            return ENVME_ST(INTERNAL);
        }
        run_advance(r);
    }
    return ENVME_ST(SUCCESS);
}
