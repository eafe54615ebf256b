/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many commands are worth a turn: against hosts of each kind, whose
 * commands come one at a time and which stop when they have `depth` waiting. And
 * who ends the waiting, in whatever order it comes.
 */
#include <glib.h>

#include "hw/core/gather.h"

struct host {
    struct envme_gather g;
    unsigned turns, waits;      /* and how many of them were in vain */
};

/* As the caller does it. */
static bool waits(struct envme_gather *g, uint32_t n, uint64_t now)
{
    if (!envme_gather_wait(g, n)) {
        return false;
    }
    if (!g->holding) {
        envme_gather_hold(g, now);
    }
    return true;
}

/* One turn: as many as are wanted, or all that the host has. */
static unsigned turn(struct host *h, unsigned depth)
{
    unsigned want = h->g.want, n = MIN(want, depth);

    h->turns++;
    g_assert_cmpuint(want, >=, 1);
    g_assert_cmpuint(want, <=, h->g.most);
    for (unsigned i = 1; i <= n; i++) {
        envme_gather_rung(&h->g, 3);
        g_assert_true(waits(&h->g, i, 0) == (i < want));
    }
    if (n < want) {
        h->waits++;
        g_assert_true(envme_gather_idle(&h->g, 3));
    }
    envme_gather_turn(&h->g, n < want ? n : 0);
    g_assert_false(h->g.holding);
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
        g_assert_false(waits(&g, 1, 0));
        envme_gather_turn(&g, 0);
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

/* Wants 4. */
static void learned(struct envme_gather *g)
{
    struct host h = { 0 };

    envme_gather_init(&h.g, 4);
    per_turn(&h, 64, 100);
    g_assert_cmpuint(h.g.want, ==, 4);
    *g = h.g;
}

/* Only who has rung since the last turn ends it, once. */
static void test_idle(void)
{
    struct envme_gather g;

    learned(&g);
    envme_gather_rung(&g, 1);
    g_assert_true(waits(&g, 1, 0));
    g_assert_false(envme_gather_idle(&g, 0));
    g_assert_false(g.over);
    /* Modulo 64. */
    g_assert_true(envme_gather_idle(&g, 65));
    g_assert_true(g.over);
    /* Others go on ringing: they do not prolong it. */
    envme_gather_rung(&g, 0);
    g_assert_false(waits(&g, 2, 0));
    envme_gather_turn(&g, 2);
    g_assert_cmpuint(g.want, ==, 2);
    g_assert_false(envme_gather_idle(&g, 0));
    g_assert_false(envme_gather_idle(&g, 1));
    g_assert_false(g.over);
}

/* Idle before its doorbell has been looked at, along with another's. */
static void test_idle_before(void)
{
    struct envme_gather g;

    learned(&g);
    envme_gather_rung(&g, 0);
    envme_gather_rung(&g, 1);
    g_assert_false(envme_gather_idle(&g, 1));
    g_assert_false(waits(&g, 2, 0));
    g_assert_false(g.holding);
    envme_gather_turn(&g, 0);
    /* Nobody has been made to wait, so nothing has been learned. */
    g_assert_cmpuint(g.want, ==, 4);
    envme_gather_rung(&g, 0);
    g_assert_true(waits(&g, 1, 0));
}

/* Time: for each command that is wanted, from the first; and again, as long as
 * there has been no turn. */
static void test_late(void)
{
    struct envme_gather g;
    uint64_t first;

    learned(&g);
    g_assert_false(envme_gather_late(&g, UINT64_MAX));
    g_assert_true(waits(&g, 1, 1000));
    first = g.until;
    g_assert_cmpuint(first, >, 1000);
    g_assert_true(waits(&g, 2, 2000));
    g_assert_cmpuint(g.until, ==, first);
    g_assert_false(envme_gather_late(&g, first - 1));
    g_assert_true(envme_gather_late(&g, first));
    g_assert_cmpuint(g.until - first, ==, first - 1000);
    g_assert_false(waits(&g, 3, first));
    g_assert_true(envme_gather_late(&g, g.until));
    envme_gather_turn(&g, 1);
    g_assert_cmpuint(g.want, ==, 2);
    g_assert_false(envme_gather_late(&g, UINT64_MAX));
    /* Half as many, half the time. */
    g_assert_true(waits(&g, 1, 1000));
    g_assert_cmpuint(g.until - 1000, ==, (first - 1000) / 2);
}

/* A turn that came for another reason says nothing about the host. */
static void test_other(void)
{
    struct envme_gather g;

    learned(&g);
    for (unsigned i = 0; i < 100; i++) {
        g_assert_true(waits(&g, 1, 0));
        envme_gather_turn(&g, 1);
        g_assert_cmpuint(g.want, ==, 4);
        g_assert_false(g.holding || g.over);
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
    g_test_add_func("/gather/idle", test_idle);
    g_test_add_func("/gather/idle-before", test_idle_before);
    g_test_add_func("/gather/late", test_late);
    g_test_add_func("/gather/other", test_other);
    return g_test_run();
}
