/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of intervals, against an array that has a flag per number. */
#include <glib.h>
#include <string.h>

#include "hw/core/rangeset.h"

#define N 200

static void check(const struct envme_rangeset *s, const bool *model)
{
    size_t n = 0;

    for (unsigned i = 0; i < N; i++) {
        n += model[i] && (i == 0 || !model[i - 1]);
    }
    g_assert_cmpuint(s->n, ==, n);
    for (size_t i = 0; i < s->n; i++) {
        g_assert_cmpuint(s->r[i].start, <, s->r[i].end);
        if (i) {
            g_assert_cmpuint(s->r[i - 1].end, <, s->r[i].start);
        }
        for (uint64_t v = s->r[i].start; v < s->r[i].end; v++) {
            g_assert_true(model[v]);
        }
    }
}

static void test_model(void)
{
    struct envme_rangeset s;
    bool model[N] = { false };

    envme_rangeset_init(&s, 1000);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned start = g_test_rand_int_range(0, N);
        unsigned count = g_test_rand_int_range(0, MIN(20, N - start) + 1);
        bool on = g_test_rand_bit(), any = false;
        uint64_t found = 0;

        g_assert_true(on ? envme_rangeset_add(&s, start, count)
                         : envme_rangeset_remove(&s, start, count));
        for (unsigned v = start; v < start + count; v++) {
            model[v] = on;
        }
        check(&s, model);
        start = g_test_rand_int_range(0, N);
        count = g_test_rand_int_range(0, N - start + 1);
        for (unsigned v = start; v < start + count && !any; v++) {
            if (model[v]) {
                any = true;
                g_assert_true(envme_rangeset_first(&s, start, count, &found));
                g_assert_cmpuint(found, ==, v);
            }
        }
        g_assert_cmpint(envme_rangeset_first(&s, start, count, &found), ==,
                        any);
    }
    envme_rangeset_clear(&s);
    memset(model, 0, sizeof(model));
    check(&s, model);
    envme_rangeset_fini(&s);
}

static void test_full(void)
{
    struct envme_rangeset s;
    uint64_t found;

    envme_rangeset_init(&s, 2);
    g_assert_true(envme_rangeset_add(&s, 10, 10));
    g_assert_true(envme_rangeset_add(&s, 30, 10));
    g_assert_false(envme_rangeset_add(&s, 50, 1));
    g_assert_false(envme_rangeset_remove(&s, 15, 1));
    g_assert_true(envme_rangeset_first(&s, 15, 1, &found));
    g_assert_false(envme_rangeset_first(&s, 50, 1, &found));
    envme_rangeset_drop(&s, 25);
    g_assert_cmpuint(s.n, ==, 2);
    envme_rangeset_drop(&s, 39);
    g_assert_cmpuint(s.n, ==, 1);
    g_assert_true(envme_rangeset_add(&s, 30, 10));
    /* What needs no room goes on. */
    g_assert_true(envme_rangeset_remove(&s, 10, 2));
    g_assert_true(envme_rangeset_add(&s, 20, 10));
    g_assert_cmpuint(s.n, ==, 1);
    g_assert_true(envme_rangeset_add(&s, UINT64_MAX - 1, 1));
    g_assert_true(envme_rangeset_first(&s, 40, UINT64_MAX - 41, &found) ==
                  false);
    envme_rangeset_fini(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rangeset/model", test_model);
    g_test_add_func("/rangeset/full", test_full);
    return g_test_run();
}
