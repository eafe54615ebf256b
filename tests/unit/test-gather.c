/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many commands are worth a turn: against hosts of each kind, whose
 * commands come one at a time and which stop when they have `depth` waiting.
 */
#include <glib.h>

#include "hw/core/gather.h"

struct host {
    struct envme_gather g;
    unsigned turns, waits;      /* and how many of them were in vain */
};

/* One turn: as many as are wanted, or all that the host has. */
static unsigned turn(struct host *h, unsigned depth)
{
    unsigned want = h->g.want, n = MIN(want, depth);

    h->turns++;
    g_assert_cmpuint(want, >=, 1);
    g_assert_cmpuint(want, <=, h->g.most);
    if (n < want) {
        h->waits++;
        envme_gather_short(&h->g, n);
    } else {
        envme_gather_full(&h->g);
    }
    return n;
}

static double per_turn(struct host *h, unsigned depth, unsigned turns)
{
    unsigned n = 0;

    h->turns = h->waits = 0;
    for (unsigned i = 0; i < turns; i++) {
        n += turn(h, depth);
    }
    return (double)n / turns;
}

static void test_begins(void)
{
    struct envme_gather g;

    envme_gather_init(&g, 16);
    g_assert_cmpuint(g.want, ==, 1);
    envme_gather_init(&g, 0);
    for (unsigned i = 0; i < 1000; i++) {
        envme_gather_full(&g);
        g_assert_cmpuint(g.want, ==, 1);
    }
}

/* One command at a time: hardly ever is one made to wait. */
static void test_lonely(void)
{
    struct host h = { 0 };

    envme_gather_init(&h.g, 16);
    per_turn(&h, 1, 10000);
    per_turn(&h, 1, 100000);
    g_assert_cmpuint(h.waits, >, 0);
    g_assert_cmpuint(h.waits, <, 100000 / 1000);
}

/* Any depth: soon about as many as the host gives, and few waits. */
static void test_depths(void)
{
    for (unsigned depth = 2; depth < 70; depth++) {
        struct host h = { 0 };
        double n;

        envme_gather_init(&h.g, 32);
        per_turn(&h, depth, 200);
        n = per_turn(&h, depth, 10000);
        g_assert_cmpfloat(n, >, MIN(depth, 32) * 0.98);
        g_assert_cmpuint(h.waits, <, 100);
    }
}

/* The host changes: at most a handful of waits, or turns that are too small. */
static void test_change(void)
{
    struct host h = { 0 };

    envme_gather_init(&h.g, 16);
    per_turn(&h, 1, 100000);
    /* It takes as long as it takes until more is tried. */
    per_turn(&h, 64, 1200);
    g_assert_cmpuint(h.g.want, ==, 16);
    per_turn(&h, 1, 5);
    g_assert_cmpuint(h.g.want, ==, 1);
    g_assert_cmpuint(h.waits, <=, 4);
    /* It was right the last time, so it is tried again soon. */
    per_turn(&h, 64, 4 * 16 + 4);
    g_assert_cmpuint(h.g.want, ==, 16);
    /* Stopping once costs half. */
    turn(&h, 1);
    g_assert_cmpuint(h.g.want, ==, 8);
}

static void test_random(void)
{
    struct host h = { 0 };

    for (unsigned most = 1; most <= 64; most++) {
        envme_gather_init(&h.g, most);
        for (unsigned i = 0; i < 10000; i++) {
            turn(&h, g_random_int_range(1, 100));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gather/begins", test_begins);
    g_test_add_func("/gather/lonely", test_lonely);
    g_test_add_func("/gather/depths", test_depths);
    g_test_add_func("/gather/change", test_change);
    g_test_add_func("/gather/random", test_random);
    return g_test_run();
}
