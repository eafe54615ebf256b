/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/sg.h"

#include <glib.h>

static void assert_seg(const struct envme_sg *sg, uint32_t i, uint64_t addr,
                       uint32_t len, uint32_t flags)
{
    g_assert_cmpuint(i, <, sg->n);
    g_assert_cmphex(sg->seg[i].addr, ==, addr);
    g_assert_cmpuint(sg->seg[i].len, ==, len);
    g_assert_cmpuint(sg->seg[i].flags, ==, flags);
}

static void test_merge(void)
{
    struct envme_sg sg;

    envme_sg_init(&sg, 100);
    g_assert_true(envme_sg_add(&sg, 0x1000, 0x1000, 0));
    g_assert_true(envme_sg_add(&sg, 0x2000, 0x800, 0));
    g_assert_cmpuint(sg.n, ==, 1);
    assert_seg(&sg, 0, 0x1000, 0x1800, 0);
    /* A gap, an overlap, and the same again are segments of their own. */
    g_assert_true(envme_sg_add(&sg, 0x2801, 1, 0));
    g_assert_true(envme_sg_add(&sg, 0x2801, 1, 0));
    g_assert_cmpuint(sg.n, ==, 3);
    /* No length: nothing, and contiguity goes on past it. */
    g_assert_true(envme_sg_add(&sg, 0x9999, 0, 0));
    g_assert_true(envme_sg_add(&sg, 0x2802, 1, 0));
    g_assert_cmpuint(sg.n, ==, 3);
    assert_seg(&sg, 2, 0x2801, 2, 0);
    g_assert_cmpuint(sg.bytes, ==, 0x1800 + 3);
    envme_sg_free(&sg);
    g_assert_cmpuint(sg.n, ==, 0);
    g_assert_cmpuint(sg.bytes, ==, 0);
}

static void test_bucket(void)
{
    struct envme_sg sg;

    envme_sg_init(&sg, 100);
    g_assert_true(envme_sg_add(&sg, 0x1000, 16, 0));
    /* Contiguous by address, but not of a kind. */
    g_assert_true(envme_sg_add(&sg, 0x1010, 16, ENVME_SEG_BUCKET));
    g_assert_true(envme_sg_add(&sg, 0x7777, 16, ENVME_SEG_BUCKET));
    g_assert_cmpuint(sg.n, ==, 2);
    assert_seg(&sg, 1, 0, 32, ENVME_SEG_BUCKET);
    g_assert_true(envme_sg_add(&sg, 32, 4, 0));
    assert_seg(&sg, 2, 32, 4, 0);
    g_assert_cmpuint(sg.bytes, ==, 52);
    envme_sg_free(&sg);
}

static void test_extremes(void)
{
    struct envme_sg sg;

    envme_sg_init(&sg, 100);
    /* The last bytes there are; nothing follows them. */
    g_assert_true(envme_sg_add(&sg, UINT64_MAX - 15, 16, 0));
    g_assert_true(envme_sg_add(&sg, 0, 16, 0));
    g_assert_cmpuint(sg.n, ==, 2);
    g_assert_false(envme_sg_add(&sg, UINT64_MAX - 15, 17, 0));
    g_assert_false(envme_sg_add(&sg, UINT64_MAX, UINT32_MAX, 0));
    g_assert_cmpuint(sg.n, ==, 2);
    g_assert_cmpuint(sg.bytes, ==, 32);
    /* The sum of the lengths fits, and then does not. */
    g_assert_true(envme_sg_add(&sg, 1ull << 40, UINT32_MAX - 1, 0));
    g_assert_true(envme_sg_add(&sg, (1ull << 40) + UINT32_MAX - 1, 1, 0));
    assert_seg(&sg, 2, 1ull << 40, UINT32_MAX, 0);
    g_assert_true(envme_sg_add(&sg, (1ull << 40) + UINT32_MAX, 1, 0));
    g_assert_cmpuint(sg.n, ==, 4);
    g_assert_true(envme_sg_add(&sg, 0, UINT32_MAX, ENVME_SEG_BUCKET));
    g_assert_true(envme_sg_add(&sg, 0, UINT32_MAX, ENVME_SEG_BUCKET));
    g_assert_cmpuint(sg.n, ==, 6);
    g_assert_cmpuint(sg.bytes, ==, 32 + 3ull * UINT32_MAX + 1);
    envme_sg_free(&sg);
}

/* Every limit: exactly so many, then refused and unchanged; merging goes on. */
static void test_limit(void)
{
    for (uint32_t limit = 0; limit < 70; limit++) {
        struct envme_sg sg;

        envme_sg_init(&sg, limit);
        for (int round = 0; round < 3; round++) {
            for (uint32_t i = 0; i < limit; i++) {
                g_assert_true(envme_sg_add(&sg, i * 0x100, 4, 0));
            }
            g_assert_false(envme_sg_add(&sg, 0x100000, 4, 0));
            g_assert_false(envme_sg_add(&sg, 0, 4, ENVME_SEG_BUCKET));
            g_assert_cmpuint(sg.n, ==, limit);
            g_assert_cmpuint(sg.bytes, ==, 4 * limit);
            g_assert_cmpuint(sg.cap, <=, MAX(limit, ENVME_SG_INLINE));
            for (uint32_t i = 0; i < limit; i++) {
                assert_seg(&sg, i, i * 0x100, 4, 0);
            }
            if (limit) {
                g_assert_true(envme_sg_add(&sg, (limit - 1) * 0x100 + 4, 1, 0));
            }
            if (round == 0) {
                uint32_t cap = sg.cap;

                envme_sg_clear(&sg);
                g_assert_cmpuint(sg.cap, ==, cap);
            } else {
                envme_sg_free(&sg);
                g_assert_true(sg.seg == sg.inl);
            }
            g_assert_cmpuint(sg.n, ==, 0);
            g_assert_cmpuint(sg.bytes, ==, 0);
        }
        envme_sg_free(&sg);
    }
}

/* Whatever is added, the same bytes come out in the same order. */
static void test_random(void)
{
    for (int run = 0; run < 300; run++) {
        g_autoptr(GArray) want = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        unsigned at = 0;
        struct envme_sg sg;

        envme_sg_init(&sg, 1000);
        for (int i = g_test_rand_int_range(0, 60); i > 0; i--) {
            uint32_t len = g_test_rand_int_range(0, 5);
            uint64_t addr = g_test_rand_int_range(0, 12);
            uint32_t flags = g_test_rand_int_range(0, 5) == 0;

            g_assert_true(envme_sg_add(&sg, addr, len, flags));
            for (uint32_t k = 0; k < len; k++) {
                uint64_t b = flags ? UINT64_MAX : addr + k;

                g_array_append_val(want, b);
            }
        }
        g_assert_cmpuint(sg.bytes, ==, want->len);
        for (uint32_t i = 0; i < sg.n; i++) {
            const struct envme_seg *s = &sg.seg[i];

            g_assert_cmpuint(s->len, >, 0);
            for (uint32_t k = 0; k < s->len; k++) {
                g_assert_cmphex(g_array_index(want, uint64_t, at++), ==,
                                s->flags ? UINT64_MAX : s->addr + k);
            }
            /* Nothing left apart that could be joined. */
            if (i) {
                const struct envme_seg *p = s - 1;

                g_assert_false(p->flags == s->flags &&
                               (s->flags || p->addr + p->len == s->addr) &&
                               s->addr);
            }
        }
        g_assert_cmpuint(at, ==, want->len);
        envme_sg_free(&sg);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sg/merge", test_merge);
    g_test_add_func("/sg/bucket", test_bucket);
    g_test_add_func("/sg/extremes", test_extremes);
    g_test_add_func("/sg/limit", test_limit);
    g_test_add_func("/sg/random", test_random);
    return g_test_run();
}
