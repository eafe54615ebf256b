/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbells that are taken without a turn, so that it comes when there are more
 * commands: what is counted, who rings meanwhile, and that nothing is lost. At
 * random: test-dbbuf.c; with real threads: test-lanes.c.
 */
#include "th.h"

#define SIZE 16

static struct th *gather_host(bool shadow)
{
    struct th *h = th_new(.lanes = 1);

    th_enable(h);
    th_queues(h, 2, SIZE);
    if (shadow) {
        th_assert_code(th_shadow(h), SUCCESS);
    }
    return h;
}

static unsigned gather(struct th *h, unsigned lane, unsigned want)
{
    unsigned n;

    th_lane_now = lane;
    n = envme_lane_gather(h->ctrl, lane, want);
    th_lane_now = 0;
    return n;
}

/* Nothing runs until it has been kicked; here it has. */
static unsigned reap(struct th *h, unsigned qid)
{
    unsigned n;

    envme_kick(h->ctrl, 1);
    th_run(h);
    n = th_reap(h, qid);
    th_run(h);
    return n;
}

/* Without shadows each rings, and all are counted. */
static void test_count(void)
{
    struct th *h = gather_host(false);

    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 1; i < 8; i++) {
            g_assert_true(th_flush_rings(h, 1));
            g_assert_cmpuint(gather(h, 1, 10), ==, i);
        }
        g_assert_true(th_flush_rings(h, 2));
        g_assert_cmpuint(gather(h, 1, 10), ==, 7);
        g_assert_cmpuint(gather(h, 1, 7), >=, 7);
        g_assert_cmpuint(reap(h, 1), ==, 7);
        g_assert_cmpuint(reap(h, 2), ==, 1);
        g_assert_cmpuint(gather(h, 1, 10), ==, 0);
    }
    th_free(h);
}

/* With them the first rings, and the one that makes as many as are wanted,
 * wherever in the ring that is; and the next one after the turn. */
static void test_asks(void)
{
    struct th *h = gather_host(true);

    for (unsigned round = 0; round < 60; round++) {
        unsigned want = 2 + round % 12;

        g_assert_true(th_flush_rings(h, 1));
        g_assert_cmpuint(gather(h, 1, want), ==, 1);
        for (unsigned i = 2; i < want; i++) {
            g_assert_false(th_flush_rings(h, 1));
            /* Seen by whoever looks. */
            if (round % 2) {
                g_assert_cmpuint(gather(h, 1, want), ==, i);
            }
        }
        g_assert_true(th_flush_rings(h, 1));
        g_assert_cmpuint(gather(h, 1, want), ==, want);
        g_assert_cmpuint(reap(h, 1), ==, want);
    }
    th_free(h);
}

/* The host stops before: a turn that nobody rang for finds them all, and each
 * rings after it. */
static void test_stops(void)
{
    struct th *h = gather_host(true);

    for (unsigned round = 0; round < 60; round++) {
        unsigned n = 1 + round % 5;

        g_assert_true(th_flush_rings(h, 1));
        g_assert_cmpuint(gather(h, 1, 8), ==, 1);
        for (unsigned i = 1; i < n; i++) {
            g_assert_false(th_flush_rings(h, 1));
        }
        g_assert_cmpuint(reap(h, 1), ==, n);
        g_assert_true(th_flush_rings(h, 1));
        g_assert_cmpuint(reap(h, 1), ==, 1);
    }
    th_free(h);
}

/* More are wanted than the queue holds: a full one is enough. */
static void test_full(void)
{
    struct th *h = gather_host(true);

    g_assert_true(th_flush_rings(h, 1));
    g_assert_cmpuint(gather(h, 1, 64), ==, 1);
    for (unsigned i = 2; i < SIZE - 1; i++) {
        g_assert_false(th_flush_rings(h, 1));
    }
    g_assert_true(th_flush_rings(h, 1));
    g_assert_cmpuint(gather(h, 1, 64), ==, UINT_MAX);
    g_assert_cmpuint(reap(h, 1), ==, SIZE - 1);
    th_free(h);
}

/* What is not to wait, and what only a turn can tell. */
static void test_due(void)
{
    struct th *h = th_new(.lanes = 0);
    struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);

    th_enable(h);
    th_queues(h, 10, SIZE);
    th_flush_rings(h, 1);
    g_assert_cmpuint(gather(h, 0, 8), ==, 1);
    /* An admin command. */
    s.cdw10 = le32(ENVME_CNS_CTRL);
    th_abandon(h, 0, th_put(h, 0, &s));
    th_ring(h, 0);
    g_assert_cmpuint(gather(h, 0, 8), ==, UINT_MAX);
    th_run(h);
    g_assert_cmpuint(th_reap(h, 0), ==, 1);
    g_assert_cmpuint(th_reap(h, 1), ==, 1);
    th_run(h);
    /* Many queues. */
    for (unsigned q = 1; q <= 9; q++) {
        th_flush_rings(h, q);
    }
    g_assert_cmpuint(gather(h, 0, 8), ==, UINT_MAX);
    th_run(h);
    for (unsigned q = 1; q <= 9; q++) {
        g_assert_cmpuint(th_reap(h, q), ==, 1);
    }
    th_run(h);
    /* Bus Master is off. */
    th_flush_rings(h, 1);
    th_bme(h, false);
    g_assert_cmpuint(gather(h, 0, 8), ==, UINT_MAX);
    th_bme(h, true);
    th_run(h);
    g_assert_cmpuint(th_reap(h, 1), ==, 1);
    th_free(h);
}

/* The queue goes while it is waited for more. */
static void test_gone(void)
{
    struct th *h = gather_host(true);

    for (unsigned i = 0; i < 20; i++) {
        th_flush_rings(h, 1);
        g_assert_cmpuint(gather(h, 1, 8), ==, 1);
        g_assert_false(th_flush_rings(h, 1));
        if (i % 2) {
            th_assert_code(th_delete_sq(h, 1), SUCCESS);
            th_assert_code(th_delete_cq(h, 1), SUCCESS);
            th_assert_code(th_create_cq(h, .qid = 1, .size = SIZE), SUCCESS);
            th_assert_code(th_create_sq(h, .qid = 1, .size = SIZE), SUCCESS);
        } else {
            th_disable(h);
            th_enable(h);
            th_queues(h, 2, SIZE);
            th_assert_code(th_shadow(h), SUCCESS);
        }
        g_assert_cmpuint(gather(h, 1, 8), ==, 0);
        g_assert_true(th_flush_rings(h, 1));
        g_assert_cmpuint(reap(h, 1), ==, 1);
    }
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gather/count", test_count);
    g_test_add_func("/gather/asks", test_asks);
    g_test_add_func("/gather/stops", test_stops);
    g_test_add_func("/gather/full", test_full);
    g_test_add_func("/gather/due", test_due);
    g_test_add_func("/gather/gone", test_gone);
    return g_test_run();
}
