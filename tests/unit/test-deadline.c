/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deadlines against a plain array. */
#include <glib.h>

#include "hw/core/deadline.h"

#define N 200

static uint64_t model_first(const struct envme_deadline *d)
{
    uint64_t first = ENVME_DEADLINE_NEVER;

    for (unsigned i = 0; i < N; i++) {
        if (d[i].slot && d[i].when < first) {
            first = d[i].when;
        }
    }
    return first;
}

static void test_random(void)
{
    struct envme_deadlines h = { 0 };
    struct envme_deadline d[N] = { 0 };
    unsigned in = 0;

    for (unsigned step = 0; step < 50000; step++) {
        unsigned i = g_test_rand_int_range(0, N);
        unsigned what = g_test_rand_int_range(0, 4);

        if (what < 2) {
            in += !d[i].slot;
            envme_deadline_set(&h, &d[i], g_test_rand_int_range(0, 1000));
        } else if (what == 2) {
            in -= d[i].slot != 0;
            envme_deadline_clear(&h, &d[i]);
        } else {
            uint64_t now = g_test_rand_int_range(0, 300);
            uint64_t first = model_first(d);
            struct envme_deadline *got = envme_deadline_due(&h, now);

            g_assert_cmpint(got != NULL, ==, first <= now);
            if (got) {
                g_assert_cmpuint(got->when, ==, first);
                g_assert_cmpuint(got->slot, ==, 0);
                in--;
            }
        }
        g_assert_cmpuint(h.n, ==, in);
        g_assert_cmpuint(envme_deadline_first(&h), ==, model_first(d));
    }
    while (envme_deadline_due(&h, UINT64_MAX - 1)) {
        in--;
    }
    g_assert_cmpuint(in, ==, 0);
    envme_deadlines_free(&h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/deadline/random", test_random);
    return g_test_run();
}
