/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lane's thread that looks at doorbells in memory by itself: no host rings
 * meanwhile, each one does afterwards, and nothing is lost between the two.
 * Base 2.1, 8.2.5. With real threads: test-lanes.c; at random: test-dbbuf.c.
 */
#include "th.h"

#define SIZE 64

static struct th *poll_host(void)
{
    struct th *h = th_new(.lanes = 1);

    th_enable(h);
    th_queues(h, 2, SIZE);
    th_assert_code(th_shadow(h), SUCCESS);
    return h;
}

/* What the lane's thread does. */
static void begin(struct th *h)
{
    th_lane_now = 1;
    envme_lane_poll_begin(h->ctrl, 1);
    th_lane_now = 0;
}

static void end(struct th *h)
{
    th_lane_now = 1;
    envme_lane_poll_end(h->ctrl, 1);
    th_lane_now = 0;
}

static bool look(struct th *h)
{
    bool news;

    th_lane_now = 1;
    news = envme_lane_poll(h->ctrl, 1);
    if (news) {
        envme_lane_run(h->ctrl, 1);
    }
    th_lane_now = 0;
    return news;
}

static unsigned reap(struct th *h, unsigned qid)
{
    unsigned n;

    th_run(h);
    n = th_reap(h, qid);
    th_run(h);
    return n;
}

/* Rung once, it is looked at from then on. */
static void warm(struct th *h, unsigned qid)
{
    g_assert_true(th_flush_rings(h, qid));
    g_assert_cmpuint(reap(h, qid), ==, 1);
}

static uint32_t *slot(struct th *h, uint64_t base, unsigned qid)
{
    return th_mem(h, base + 8 * qid, 4);
}

static void test_unrung(void)
{
    struct th *h = poll_host();
    unsigned i, n;

    warm(h, 1);
    g_assert_false(look(h));
    begin(h);
    g_assert_false(look(h));
    warm(h, 1);
    for (i = 0; i < 200; i++) {
        bool wraps = h->sq[1]->tail + 4 >= SIZE;

        /* A ring now and then, where the index that stays behind is passed
         * in the next round, is the price; it does no harm. */
        for (n = 1; n <= 1 + i % 3; n++) {
            bool rung = th_flush_rings(h, 1);

            g_assert_true(!rung || wraps || h->sq[1]->tail < 6);
        }
        look(h);
        g_assert_cmpuint(reap(h, 1), ==, 1 + i % 3);
        g_assert_false(look(h));
    }
    g_assert_cmpuint(h->unrung, >, 350);
    end(h);
    /* From here on the host has to ring for each. */
    for (i = 0; i < 10; i++) {
        g_assert_cmpuint(*slot(h, h->shadow_ei, 1), ==, h->sq[1]->tail);
        warm(h, 1);
    }
    th_free(h);
}

/* Nothing comes by itself: it is the look that finds it. */
static void test_look(void)
{
    struct th *h = poll_host();

    begin(h);
    warm(h, 1);
    g_assert_false(th_flush_rings(h, 1));
    g_assert_cmpuint(reap(h, 1), ==, 0);
    g_assert_true(look(h));
    g_assert_cmpuint(reap(h, 1), ==, 1);
    th_free(h);
}

/* Written just before polling ends: the end itself finds it. */
static void test_end(void)
{
    struct th *h = poll_host();
    unsigned i;

    for (i = 0; i < 150; i++) {
        begin(h);
        warm(h, 1);
        th_flush_rings(h, 1);
        th_flush_rings(h, 1);
        end(h);
        g_assert_false(look(h));
        g_assert_cmpuint(reap(h, 1), ==, 2);
        warm(h, 2);
    }
    th_free(h);
}

/* A queue that was idle before is not looked at, and rings. */
static void test_idle_queue(void)
{
    struct th *h = poll_host();

    begin(h);
    warm(h, 1);
    g_assert_null(h->ctrl->sq[1]->watch_next);
    g_assert_false(h->ctrl->sq[2]->watched);
    g_assert_true(th_flush_rings(h, 2));
    g_assert_cmpuint(reap(h, 2), ==, 1);
    g_assert_false(th_flush_rings(h, 2));
    g_assert_false(th_flush_rings(h, 1));
    g_assert_true(look(h));
    g_assert_cmpuint(reap(h, 1) + reap(h, 2), ==, 2);
    end(h);
    g_assert_false(h->ctrl->sq[1]->watched || h->ctrl->sq[2]->watched);
    th_free(h);
}

/* What is no tail is told once, and the queue left to its register. */
static void test_bad_value(void)
{
    static const uint32_t bad[] = { SIZE, SIZE + 1, 0xffff, UINT32_MAX };
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct th *h = poll_host();
        uint16_t aer = th_aer(h);
        struct envme_cqe c;

        begin(h);
        warm(h, 1);
        *slot(h, h->shadow_db, 1) = bad[i];
        look(h);
        th_run(h);
        c = th_wait(h, 0, aer);
        g_assert_cmpuint(FIELD_GET(ENVME_AER_INFO, le32_get(c.dw0)), ==,
                         ENVME_AEN_ERROR_DB_VALUE);
        g_assert_false(h->ctrl->sq[1]->watched);
        g_assert_false(look(h));
        *slot(h, h->shadow_db, 1) = h->sq[1]->tail;
        warm(h, 1);
        g_assert_false(th_flush_rings(h, 1));
        g_assert_true(look(h));
        g_assert_cmpuint(reap(h, 1), ==, 1);
        th_free(h);
    }
}

/* Queues go, in every way, while they are looked at. */
static void test_gone(void)
{
    struct th *h = poll_host();
    unsigned i;

    begin(h);
    for (i = 0; i < 30; i++) {
        warm(h, 1);
        warm(h, 2);
        switch (i % 5) {
        case 0:
            th_assert_code(th_delete_sq(h, 1), SUCCESS);
            th_assert_code(th_delete_cq(h, 1), SUCCESS);
            g_assert_false(look(h));
            th_assert_code(th_create_cq(h, .qid = 1, .size = SIZE), SUCCESS);
            th_assert_code(th_create_sq(h, .qid = 1, .size = SIZE), SUCCESS);
            break;
        case 1:
            th_disable(h);
            g_assert_false(look(h));
            break;
        case 2:
            th_reset(h, ENVME_RESET_FUNCTION);
            g_assert_false(look(h));
            break;
        case 3:
            th_reset(h, ENVME_RESET_NSSR);
            break;
        default:
            /* Elsewhere from now on. */
            th_assert_code(th_shadow(h), SUCCESS);
            look(h);
            break;
        }
        if (i % 5 >= 1 && i % 5 <= 3) {
            end(h);
            begin(h);
            th_enable(h);
            th_queues(h, 2, SIZE);
            th_assert_code(th_shadow(h), SUCCESS);
        }
    }
    th_free(h);
}

/* Bus Master off: not looked at; on: what was written counts, whether the
 * thread polls still or has stopped meanwhile. */
static void test_bme(void)
{
    unsigned i;

    for (i = 0; i < 4; i++) {
        struct th *h = poll_host();

        begin(h);
        warm(h, 1);
        th_bme(h, false);
        th_flush_rings(h, 1);
        g_assert_false(look(h));
        if (i & 1) {
            end(h);
        }
        if (i & 2) {
            th_flush_rings(h, 1);
        }
        g_assert_cmpuint(reap(h, 1), ==, 0);
        th_bme(h, true);
        g_assert_cmpuint(reap(h, 1), ==, i & 2 ? 2 : 1);
        th_free(h);
    }
}

/* Wanted: a queue ran empty that will be rung for. */
static void test_wanted(void)
{
    struct th *h = poll_host();

    envme_lane_poll_wanted(h->ctrl, 1);
    g_assert_false(envme_lane_poll_wanted(h->ctrl, 1));
    warm(h, 1);
    g_assert_true(envme_lane_poll_wanted(h->ctrl, 1));
    g_assert_false(envme_lane_poll_wanted(h->ctrl, 1));
    begin(h);
    warm(h, 1);
    g_assert_false(envme_lane_poll_wanted(h->ctrl, 1));
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/poll/unrung", test_unrung);
    g_test_add_func("/poll/look", test_look);
    g_test_add_func("/poll/end", test_end);
    g_test_add_func("/poll/idle-queue", test_idle_queue);
    g_test_add_func("/poll/bad-value", test_bad_value);
    g_test_add_func("/poll/gone", test_gone);
    g_test_add_func("/poll/bme", test_bme);
    g_test_add_func("/poll/wanted", test_wanted);
    return g_test_run();
}
