/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ages against one number per entry. */
#include "hw/core/age.h"

#include <glib.h>


/* Random arrivals and fetches on a ring: the oldest entry's age is right. */
static void test_model(void)
{
    for (int run = 0; run < 200; run++) {
        uint32_t size = g_test_rand_int_range(2, 40), head = 0, tail = 0;
        uint64_t since[40] = { 0 }, now = 0;
        struct envme_ages a = { 0 };

        for (int step = 0; step < 500; step++) {
            uint32_t room = (head + size - tail - 1) % size;

            now++;
            if (room && g_test_rand_int_range(0, 2)) {
                uint32_t n = g_test_rand_int_range(1, room + 1);

                for (; n; n--) {
                    since[tail] = now;
                    tail = (tail + 1) % size;
                }
                envme_age_add(&a, tail, now);
            } else if (head != tail) {
                head = (head + 1) % size;
                envme_age_taken(&a, head);
            }
            g_assert_cmpuint(envme_age_first(&a), ==,
                             head == tail ? 0 : since[head]);
        }
        envme_age_free(&a);
        g_assert_null(a.mark);
    }
}

/* More arrivals than marks: the last are taken to be as old as the last mark,
 * and none is lost. */
static void test_full(void)
{
    struct envme_ages a = { 0 };
    uint32_t n = ENVME_AGE_MARKS + 100;

    for (uint32_t i = 1; i <= n; i++) {
        envme_age_add(&a, i, i);
    }
    g_assert_cmpuint(a.cap, ==, ENVME_AGE_MARKS);
    for (uint32_t i = 1; i <= n; i++) {
        g_assert_cmpuint(envme_age_first(&a), ==, MIN(i, ENVME_AGE_MARKS));
        envme_age_taken(&a, i);
    }
    g_assert_cmpuint(envme_age_first(&a), ==, 0);
    envme_age_free(&a);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/age/model", test_model);
    g_test_add_func("/age/full", test_full);
    return g_test_run();
}
