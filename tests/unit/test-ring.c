/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings against a queue of plain counters that never wrap. */
#include "hw/core/ring.h"

#include <glib.h>

static const uint32_t sizes[] = { 2, 3, 4, 7, 16, 65535, 65536 };

static void test_init(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        struct envme_ring r;

        envme_ring_init(&r, sizes[i]);
        g_assert_true(envme_ring_empty(&r));
        g_assert_false(envme_ring_full(&r));
        g_assert_cmpuint(envme_ring_used(&r), ==, 0);
        g_assert_cmpuint(envme_ring_free(&r), ==, sizes[i] - 1);
        g_assert_cmpuint(envme_ring_next(&r, sizes[i] - 1), ==, 0);
        g_assert_cmpuint(envme_ring_next(&r, 0), ==, 1);
    }
}

/* head and tail count entries ever taken and put; index = count % size. */
static void test_model(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        uint32_t size = sizes[i];
        /* Not far from the wrap, so that the large ones meet it. */
        uint64_t head = size - 1, tail = size - 1;
        struct envme_ring r = { size, size - 1, size - 1 };

        for (int step = 0; step < 20000; step++) {
            /* Long runs one way, so that full and empty are met. */
            bool push = (step / size) % 2 ? g_test_rand_int_range(0, 4) == 0
                                          : g_test_rand_int_range(0, 4) != 0;

            if (push && tail - head < size - 1) {
                g_assert_cmpuint(envme_ring_push(&r), ==, tail++ % size);
            } else if (!push && tail > head) {
                g_assert_cmpuint(envme_ring_pop(&r), ==, head++ % size);
            }
            g_assert_cmpuint(r.head, ==, head % size);
            g_assert_cmpuint(r.tail, ==, tail % size);
            g_assert_cmpuint(envme_ring_used(&r), ==, tail - head);
            g_assert_cmpuint(envme_ring_free(&r), ==, size - 1 - (tail - head));
            g_assert_true(envme_ring_empty(&r) == (tail == head));
            g_assert_true(envme_ring_full(&r) == (tail - head == size - 1));
        }
    }
}

/* Every head, tail and doorbell value of every small ring. */
static void test_set(void)
{
    for (uint32_t size = 2; size <= 9; size++) {
        for (uint32_t head = 0; head < size; head++) {
            for (uint32_t used = 0; used < size; used++) {
                uint32_t tail = (head + used) % size;

                for (uint32_t v = 0; v < size + 3; v++) {
                    struct envme_ring r = { size, head, tail };
                    bool in = false;

                    g_assert_true(envme_ring_set_tail(&r, v) == (v < size));
                    g_assert_cmpuint(r.tail, ==, v < size ? v : tail);
                    g_assert_cmpuint(r.head, ==, head);

                    for (uint32_t k = 0; k <= used; k++) {
                        in = in || (head + k) % size == v;
                    }
                    r.tail = tail;
                    g_assert_true(envme_ring_set_head(&r, v) == in);
                    g_assert_cmpuint(r.head, ==, in ? v : head);
                    g_assert_cmpuint(r.tail, ==, tail);
                }
            }
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        static const uint32_t big[] = { 65536, 1u << 31, UINT32_MAX - 1,
                                        UINT32_MAX };
        struct envme_ring r = { 65536, 5, 4 };

        g_assert_false(envme_ring_set_tail(&r, big[i]));
        g_assert_false(envme_ring_set_head(&r, big[i]));
    }
}

/*
 * A completion queue with a host that knows new entries by their phase tag
 * alone.
 */
static void test_cring(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        uint32_t size = sizes[i], host = 0;
        uint64_t posted = 0, seen = 0, freed = 0, reserved = 0;
        bool *slot = g_new0(bool, size);
        bool host_phase = true;
        struct envme_cring c;

        envme_cring_init(&c, size);
        for (int step = 0; step < 200000; step++) {
            bool phase = false;
            uint32_t at;

            switch (g_test_rand_int_range(0, 5)) {
            case 0:
            case 1:
                g_assert_true(envme_cring_reserve(&c) ==
                              (posted - freed + reserved < size - 1));
                reserved = c.reserved;
                break;
            case 2:
                if (reserved && g_test_rand_int_range(0, 8) == 0) {
                    envme_cring_unreserve(&c);
                    reserved--;
                } else if (reserved) {
                    at = envme_cring_post(&c, &phase);
                    g_assert_cmpuint(at, ==, posted % size);
                    g_assert_true(slot[at] != phase);
                    slot[at] = phase;
                    posted++;
                    reserved--;
                }
                break;
            case 3:
                while (slot[host] == host_phase) {
                    seen++;
                    if (++host == size) {
                        host = 0;
                        host_phase = !host_phase;
                    }
                }
                g_assert_cmpuint(seen, ==, posted);
                break;
            default:
                freed += g_test_rand_int_range(0, 3);
                freed = MIN(freed, seen);
                g_assert_true(envme_cring_set_head(&c, freed % size));
                if (posted - freed < size - 1) {
                    g_assert_false(
                        envme_cring_set_head(&c, (posted + 1) % size));
                }
                break;
            }
            g_assert_cmpuint(c.reserved, ==, reserved);
            g_assert_cmpuint(posted - freed + reserved, <, size);
        }
        g_assert_cmpuint(posted, >, 0);
        if (size <= 16) {
            g_assert_cmpuint(posted, >, 4 * size);
        }
        g_free(slot);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ring/init", test_init);
    g_test_add_func("/ring/model", test_model);
    g_test_add_func("/ring/set", test_set);
    g_test_add_func("/ring/cring", test_cring);
    return g_test_run();
}
