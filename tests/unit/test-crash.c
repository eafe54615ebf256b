/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be on a medium after a power loss, against brute force: all subsets
 * of what may be kept on its own, each applied to a small medium.
 */
#include <string.h>

#include "hw/core/trigger.h"
#include "hw/ns/crash.h"

#define BLK 512u
#define BLOCKS 16u
#define MS 8u
#define MOFF (BLOCKS * BLK)
#define MEDIUM (MOFF + BLOCKS * MS)
#define MAXREC 64

/* A write as a host makes it: blocks, and metadata with them. */
struct wr {
    unsigned slba, nlb;
    bool open, pinned;
};

struct rig {
    struct wr wr[16];
    unsigned n;
    bool md;
    struct envme_crash_zone zone;
    struct envme_crash_rec rec[MAXREC];
    unsigned nrec;
    unsigned of[MAXREC];        /* which write */
};

static void rig_build(struct rig *r)
{
    r->nrec = 0;
    for (unsigned i = 0; i < r->n; i++) {
        const struct wr *w = &r->wr[i];

        r->of[r->nrec] = i;
        r->rec[r->nrec++] = (struct envme_crash_rec){
            .group = i + 1, .offset = w->slba * BLK, .bytes = w->nlb * BLK,
            .open = w->open, .pinned = w->pinned,
        };
        if (r->md) {
            r->of[r->nrec] = i;
            r->rec[r->nrec++] = (struct envme_crash_rec){
                .group = i + 1, .offset = MOFF + w->slba * MS,
                .bytes = w->nlb * MS, .open = w->open, .pinned = w->pinned,
            };
        }
    }
    r->zone = (struct envme_crash_zone){
        .bytes = BLOCKS * BLK, .block = BLK, .ms = r->md ? MS : 0,
        .moff = MOFF, .atomic = r->zone.atomic, .boundary = r->zone.boundary,
        .boundary_at = r->zone.boundary_at,
    };
}

/* A medium is who wrote each byte: 0 nobody, else write + 1. */
static void model_put(uint8_t *m, const struct rig *r, unsigned w,
                      unsigned block)
{
    memset(m + block * BLK, w + 1, BLK);
    if (r->md) {
        memset(m + MOFF + block * MS, w + 1, MS);
    }
}

static bool model_tears(const struct rig *r, const struct wr *w, bool tear)
{
    unsigned first = w->slba * BLK, last = (w->slba + w->nlb) * BLK - 1;
    const struct envme_crash_zone *z = &r->zone;
    bool crosses = false;

    for (unsigned b = z->boundary_at; z->boundary && b <= last;
         b += z->boundary) {
        crosses |= b > first;
    }
    return tear && (w->nlb * BLK > z->atomic || crosses);
}

/* All that is allowed, as a set of media. */
static GHashTable *model_all(const struct rig *r, bool tear)
{
    GHashTable *set = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
                                            (GDestroyNotify)g_bytes_unref,
                                            NULL);
    unsigned bits = 0;

    for (unsigned i = 0; i < r->n; i++) {
        bits += model_tears(r, &r->wr[i], tear) ? r->wr[i].nlb : 1;
    }
    g_assert_cmpuint(bits, <=, 14);
    for (unsigned mask = 0; mask < 1u << bits; mask++) {
        uint8_t *m = g_malloc0(MEDIUM);
        unsigned bit = 0;

        for (unsigned i = 0; i < r->n; i++) {
            bool torn = model_tears(r, &r->wr[i], tear);

            for (unsigned b = 0; b < r->wr[i].nlb; b++) {
                bool keep = mask >> (bit + (torn ? b : 0)) & 1;

                if (r->wr[i].pinned || (keep && !r->wr[i].open)) {
                    model_put(m, r, i, r->wr[i].slba + b);
                }
            }
            bit += torn ? r->wr[i].nlb : 1;
        }
        g_hash_table_add(set, g_bytes_new_take(m, MEDIUM));
    }
    return set;
}

static GBytes *outcome(const struct rig *r, const struct envme_crash *c,
                       const uint8_t *kept)
{
    g_autoptr(GArray) out = envme_crash_outcome(c, kept);
    uint8_t *m = g_malloc0(MEDIUM);
    uint64_t end = 0;

    for (unsigned i = 0; i < out->len; i++) {
        struct envme_crash_piece p =
            g_array_index(out, struct envme_crash_piece, i);
        const struct envme_crash_rec *rec = &r->rec[p.rec];

        g_assert_cmpuint(p.offset, >=, end);
        g_assert_cmpuint(p.bytes, >, 0);
        g_assert_cmpuint(p.offset, >=, rec->offset);
        g_assert_cmpuint(p.offset + p.bytes, <=, rec->offset + rec->bytes);
        end = p.offset + p.bytes;
        memset(m + p.offset, r->of[p.rec] + 1, p.bytes);
    }
    return g_bytes_new_take(m, MEDIUM);
}

static struct envme_crash *plan(const struct rig *r, bool tear,
                                uint32_t tear_size)
{
    const struct envme_crash_opts o = { tear, tear_size };

    return envme_crash_new(r->rec, r->nrec, &r->zone, 1, &o);
}

/* What comes out is what is allowed, all of it, nothing twice. */
static void check(const struct rig *r, bool tear, uint64_t seed)
{
    g_autoptr(GHashTable) allowed = model_all(r, tear);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(
        g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    struct envme_crash *c = plan(r, tear, 0);
    g_autoptr(GPtrArray) all = envme_crash_enumerate(c, 20000, seed);

    for (unsigned i = 0; i < all->len; i++) {
        GBytes *m = outcome(r, c, all->pdata[i]);

        g_assert_true(g_hash_table_contains(allowed, m));
        g_assert_true(g_hash_table_add(seen, m));
    }
    if (envme_crash_units(c) <= 10) {
        g_assert_cmpuint(g_hash_table_size(seen), ==,
                         g_hash_table_size(allowed));
    }
    envme_crash_free(c);
}

static void test_brute_force(void)
{
    for (unsigned round = 0; round < 60; round++) {
        struct rig r = { .md = round & 1 };
        unsigned bits = 0;

        r.zone.atomic = BLK * (unsigned)g_test_rand_int_range(1, 5);
        if (round % 3 == 0) {
            r.zone.boundary = BLK * 4;
            r.zone.boundary_at = BLK * (unsigned)g_test_rand_int_range(0, 4);
        }
        while (r.n < 6) {
            struct wr w = { .nlb = g_test_rand_int_range(1, 7) };

            w.slba = g_test_rand_int_range(0, BLOCKS - w.nlb + 1);
            bits += w.nlb;
            if (bits > 10) {
                break;
            }
            w.open = g_test_rand_int_range(0, 8) == 0;
            w.pinned = !w.open && g_test_rand_int_range(0, 8) == 0;
            /* What is pinned is older than all else. */
            w.pinned = w.pinned && (!r.n || r.wr[r.n - 1].pinned);
            r.wr[r.n++] = w;
        }
        rig_build(&r);
        check(&r, false, round);
        check(&r, true, round);
    }
}

static bool all_are(GBytes *m, unsigned from, unsigned to, uint8_t v)
{
    const uint8_t *p = g_bytes_get_data(m, NULL);

    for (unsigned i = from; i < to; i++) {
        if (p[i] != v) {
            return false;
        }
    }
    return true;
}

/* The three ways to lose, and that a seed is a choice. */
static void test_choose(void)
{
    struct rig r = { .n = 8, .md = true, .zone = { .atomic = BLK } };
    struct envme_crash *c;
    unsigned differ = 0;

    for (unsigned i = 0; i < r.n; i++) {
        r.wr[i] = (struct wr){ .slba = 2 * i, .nlb = 2 };
    }
    rig_build(&r);
    c = plan(&r, true, 0);
    g_assert_cmpuint(envme_crash_units(c), ==, 16);
    for (unsigned seed = 0; seed < 20; seed++) {
        g_autofree uint8_t *none = envme_crash_choose(
            c, ENVME_CRASH_LOSE_UNFLUSHED, seed);
        g_autofree uint8_t *full = envme_crash_choose(
            c, ENVME_CRASH_LOSE_NONE, seed);
        g_autofree uint8_t *a = envme_crash_choose(
            c, ENVME_CRASH_LOSE_RANDOM, seed);
        g_autofree uint8_t *b = envme_crash_choose(
            c, ENVME_CRASH_LOSE_RANDOM, seed);
        g_autofree uint8_t *other = envme_crash_choose(
            c, ENVME_CRASH_LOSE_RANDOM, seed + 1);
        GBytes *m0 = outcome(&r, c, none), *m1 = outcome(&r, c, full);

        g_assert_true(all_are(m0, 0, MEDIUM, 0));
        for (unsigned w = 0; w < r.n; w++) {
            g_assert_true(all_are(m1, w * 2 * BLK, (w + 1) * 2 * BLK, w + 1));
        }
        g_assert_cmpmem(a, 16, b, 16);
        differ += memcmp(a, other, 16) != 0;
        g_bytes_unref(m0);
        g_bytes_unref(m1);
    }
    g_assert_cmpuint(differ, >=, 15);
    envme_crash_free(c);
}

/* Many units: as many as asked for, none twice, first and second as said. */
static void test_many(void)
{
    struct rig r = { .n = 16, .zone = { .atomic = BLK } };
    struct envme_crash *c;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(
        g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    g_autoptr(GPtrArray) a = NULL, b = NULL, few = NULL;

    for (unsigned i = 0; i < r.n; i++) {
        r.wr[i] = (struct wr){ .slba = i, .nlb = 1 };
    }
    rig_build(&r);
    c = plan(&r, true, 0);
    a = envme_crash_enumerate(c, 200, 5);
    b = envme_crash_enumerate(c, 200, 5);
    few = envme_crash_enumerate(c, 1, 5);
    g_assert_cmpuint(a->len, ==, 200);
    g_assert_cmpuint(b->len, ==, 200);
    g_assert_cmpuint(few->len, ==, 1);
    for (unsigned i = 0; i < a->len; i++) {
        GBytes *m = outcome(&r, c, a->pdata[i]);

        g_assert_cmpmem(a->pdata[i], 16, b->pdata[i], 16);
        if (i == 0) {
            g_assert_true(all_are(m, 0, MEDIUM, 0));
        }
        if (i == 1) {
            g_assert_true(all_are(m, 15 * BLK, 16 * BLK, 16));
            g_assert_true(all_are(m, 0, BLK, 1));
        }
        g_assert_true(g_hash_table_add(seen, m));
    }
    envme_crash_free(c);
}

/* Nothing in the cache: one state. */
static void test_empty(void)
{
    struct rig r = { .zone = { .atomic = BLK } };
    struct envme_crash *c;
    g_autoptr(GPtrArray) all = NULL;
    g_autoptr(GArray) out = NULL;

    rig_build(&r);
    c = plan(&r, true, 0);
    all = envme_crash_enumerate(c, 20, 0);
    g_assert_cmpuint(all->len, ==, 1);
    out = envme_crash_outcome(c, all->pdata[0]);
    g_assert_cmpuint(out->len, ==, 0);
    envme_crash_free(c);
}

/* Against the specification: inside a block, and data without metadata. */
static void test_tear_size(void)
{
    struct rig r = { .n = 1, .md = true, .zone = { .atomic = 16 * BLK } };
    struct envme_crash *c;

    r.wr[0] = (struct wr){ .slba = 3, .nlb = 2 };
    rig_build(&r);
    c = plan(&r, true, 0);
    g_assert_cmpuint(envme_crash_units(c), ==, 1);
    envme_crash_free(c);
    c = plan(&r, false, 128);
    /* 1,024 bytes of data, 16 of metadata. */
    g_assert_cmpuint(envme_crash_units(c), ==, 8 + 1);
    for (unsigned i = 0; i < 9; i++) {
        uint8_t kept[10] = { 0 };
        GBytes *m;

        kept[i] = 1;
        m = outcome(&r, c, kept);
        if (i < 8) {
            g_assert_true(all_are(m, 3 * BLK + i * 128,
                                  3 * BLK + i * 128 + 128, 1));
            g_assert_true(all_are(m, 3 * BLK + i * 128 + 128, MEDIUM, 0));
        } else {
            g_assert_true(all_are(m, 0, MOFF + 3 * MS, 0));
            g_assert_true(all_are(m, MOFF + 3 * MS, MOFF + 5 * MS, 1));
        }
        g_bytes_unref(m);
    }
    envme_crash_free(c);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/crash/brute-force", test_brute_force);
    g_test_add_func("/crash/choose", test_choose);
    g_test_add_func("/crash/many", test_many);
    g_test_add_func("/crash/empty", test_empty);
    g_test_add_func("/crash/tear-size", test_tear_size);
    return g_test_run();
}
