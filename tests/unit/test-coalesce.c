/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/coalesce.h"

#include <glib.h>

#define UNIT 100000ull
#define NEVER ENVME_COALESCE_NEVER

static void test_off(void)
{
    static const struct { uint8_t time, thr; bool cd; } off[] = {
        { 0, 0, false }, { 0, 10, false }, { 10, 0, false }, { 10, 10, true },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(off); i++) {
        struct envme_coalesce c;
        uint64_t deadline = 1;

        envme_coalesce_init(&c);
        g_assert_false(envme_coalesce_config(&c, off[i].time, off[i].thr,
                                             off[i].cd, 0));
        for (int k = 0; k < 20; k++) {
            g_assert_true(envme_coalesce_add(&c, 1, k, &deadline));
            g_assert_cmpuint(deadline, ==, NEVER);
            g_assert_false(envme_coalesce_due(&c, NEVER - 1));
        }
        g_assert_false(envme_coalesce_add(&c, 0, 5, &deadline));
        g_assert_cmpuint(deadline, ==, NEVER);
    }
}

static void test_default(void)
{
    struct envme_coalesce c;
    uint64_t deadline;

    envme_coalesce_init(&c);
    g_assert_true(envme_coalesce_add(&c, 1, 0, &deadline));
    g_assert_cmpuint(deadline, ==, NEVER);
}

static void test_threshold(void)
{
    for (int thr = 1; thr < 256; thr++) {
        struct envme_coalesce c;
        uint64_t deadline;

        envme_coalesce_init(&c);
        envme_coalesce_config(&c, 255, thr, false, 0);
        for (int round = 0; round < 3; round++) {
            /* 0's based: thr is one less than what it takes. */
            for (int k = 0; k < thr; k++) {
                g_assert_false(envme_coalesce_add(&c, 1, round * 1000 + k,
                                                  &deadline));
                g_assert_cmpuint(deadline, ==, round * 1000 + 255 * UNIT);
            }
            g_assert_true(envme_coalesce_add(&c, 1, round * 1000, &deadline));
            g_assert_cmpuint(deadline, ==, NEVER);
            g_assert_false(envme_coalesce_due(&c, NEVER - 1));
        }
        g_assert_true(envme_coalesce_add(&c, thr + 1, 0, &deadline));
        g_assert_false(envme_coalesce_add(&c, thr, 0, &deadline));
        g_assert_true(envme_coalesce_add(&c, UINT32_MAX, 0, &deadline));
        g_assert_cmpuint(deadline, ==, NEVER);
    }
}

static void test_time(void)
{
    struct envme_coalesce c;
    uint64_t deadline;

    envme_coalesce_init(&c);
    envme_coalesce_config(&c, 3, 9, false, 0);
    g_assert_false(envme_coalesce_add(&c, 1, 1000, &deadline));
    g_assert_cmpuint(deadline, ==, 1000 + 3 * UNIT);
    /* The first one's wait counts, not the last one's. */
    g_assert_false(envme_coalesce_add(&c, 1, 2000, &deadline));
    g_assert_cmpuint(deadline, ==, 1000 + 3 * UNIT);
    g_assert_false(envme_coalesce_due(&c, deadline - 1));
    g_assert_true(envme_coalesce_due(&c, deadline));
    g_assert_false(envme_coalesce_due(&c, deadline + 1));
    /* Late: the next one finds the time over. */
    g_assert_false(envme_coalesce_add(&c, 1, 0, &deadline));
    g_assert_true(envme_coalesce_add(&c, 1, 3 * UNIT, &deadline));
    g_assert_cmpuint(deadline, ==, NEVER);
    /* The end of time does not wrap. */
    g_assert_false(envme_coalesce_add(&c, 1, NEVER - 5, &deadline));
    g_assert_cmpuint(deadline, ==, NEVER - 1);
    g_assert_true(envme_coalesce_due(&c, NEVER - 1));
}

static void test_config(void)
{
    struct envme_coalesce c;
    uint64_t deadline;

    /* What waits is signalled when there is nothing to wait for any more. */
    for (int how = 0; how < 4; how++) {
        envme_coalesce_init(&c);
        envme_coalesce_config(&c, 100, 100, false, 0);
        g_assert_false(envme_coalesce_add(&c, 5, 0, &deadline));
        g_assert_true(envme_coalesce_config(&c, how == 0 ? 0 : 100,
                                            how == 1 ? 0 : how == 2 ? 4 : 100,
                                            how == 3, 1));
        g_assert_false(envme_coalesce_due(&c, NEVER - 1));
        g_assert_false(envme_coalesce_config(&c, 0, 0, false, 2));
    }
    envme_coalesce_init(&c);
    envme_coalesce_config(&c, 10, 100, false, 0);
    g_assert_false(envme_coalesce_add(&c, 5, 0, &deadline));
    /* More patience does not move what was promised. */
    g_assert_false(envme_coalesce_config(&c, 200, 100, false, 100));
    g_assert_cmpuint(c.deadline, ==, 10 * UNIT);
    g_assert_false(envme_coalesce_config(&c, 2, 100, false, 100));
    g_assert_cmpuint(c.deadline, ==, 100 + 2 * UNIT);
    g_assert_false(envme_coalesce_due(&c, 100 + 2 * UNIT - 1));
    g_assert_true(envme_coalesce_config(&c, 2, 100, false, 100 + 2 * UNIT));
}

static void test_flush(void)
{
    struct envme_coalesce c;
    uint64_t deadline;

    envme_coalesce_init(&c);
    envme_coalesce_config(&c, 10, 10, false, 0);
    g_assert_false(envme_coalesce_flush(&c));
    g_assert_false(envme_coalesce_add(&c, 3, 0, &deadline));
    g_assert_true(envme_coalesce_flush(&c));
    g_assert_false(envme_coalesce_flush(&c));
    g_assert_false(envme_coalesce_add(&c, 10, 7, &deadline));
    g_assert_cmpuint(deadline, ==, 7 + 10 * UNIT);
}

/*
 * No completion waits longer than the time or in a crowd, and no interrupt
 * comes earlier than one of the two says.
 */
static void test_model(void)
{
    for (int run = 0; run < 400; run++) {
        uint8_t time = g_test_rand_int_range(1, 5);
        uint8_t thr = g_test_rand_int_range(1, 20);
        uint64_t now = 0, first = 0, deadline = NEVER;
        uint32_t waiting = 0;
        struct envme_coalesce c;

        envme_coalesce_init(&c);
        envme_coalesce_config(&c, time, thr, false, 0);
        for (int s = 0; s < 500; s++) {
            bool raised;

            now += g_test_rand_int_range(0, UNIT / 2);
            if (g_test_rand_int_range(0, 2)) {
                uint32_t n = g_test_rand_int_range(0, 4);

                first = waiting ? first : now;
                waiting += n;
                raised = envme_coalesce_add(&c, n, now, &deadline);
                g_assert_true(raised ==
                              (n && (waiting >= thr + 1u ||
                                     now >= first + time * UNIT)));
            } else {
                raised = envme_coalesce_due(&c, now);
                g_assert_true(raised ==
                              (waiting && now >= first + time * UNIT));
            }
            waiting = raised ? 0 : waiting;
            g_assert_cmpuint(c.pending, ==, waiting);
            g_assert_cmpuint(c.deadline, ==,
                             waiting ? first + time * UNIT : NEVER);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/coalesce/off", test_off);
    g_test_add_func("/coalesce/default", test_default);
    g_test_add_func("/coalesce/threshold", test_threshold);
    g_test_add_func("/coalesce/time", test_time);
    g_test_add_func("/coalesce/config", test_config);
    g_test_add_func("/coalesce/flush", test_flush);
    g_test_add_func("/coalesce/model", test_model);
    return g_test_run();
}
