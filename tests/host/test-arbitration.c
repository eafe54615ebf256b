/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arbitration as a host sees it: with one command at a time (max-inflight=1)
 * the order of completions is the order of fetches. Base 2.1, 3.4.4 and
 * 5.1.25.1.1. And that number of commands itself.
 */
#include "th.h"

#include "tests/unit/arb-model.h"

#define CQ_SIZE 8192

static unsigned places;         /* max-inflight of the hosts made here */

static void tweak(struct envme_ctrl_params *p)
{
    p->wrr = p->ams_vs = true;
    p->max_inflight = places;
}

static uint32_t cc_ams(unsigned ams)
{
    return TH_CC_DEFAULT | (uint32_t)FIELD_SET(ENVME_CC_AMS, ams);
}

/* Enabled, with one big completion queue (1) for everybody. */
static struct th *host(unsigned lanes, uint64_t seed, unsigned ams,
                       unsigned max)
{
    struct th *h;

    places = max;
    h = th_new(.lanes = lanes, .seed = seed, .tweak = tweak);
    g_assert_true(th_enable_as(h, cc_ams(ams), 32, 32));
    th_assert_code(th_create_cq(h, .qid = 1, .size = CQ_SIZE), SUCCESS);
    h->cq[1]->manual = true;
    return h;
}

static void add_sq(struct th *h, unsigned qid, enum envme_prio prio)
{
    th_assert_code(th_create_sq(h, .qid = qid, .cqid = 1, .size = 2048,
                                .prio = prio), SUCCESS);
}

static void put(struct th *h, unsigned qid, unsigned n)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);

    while (n--) {
        th_abandon(h, qid, th_put(h, qid, &s));
    }
}

/* A command that executes until release(), so that others have to wait. */
static void block(struct th *h, unsigned qid)
{
    h->be[0]->hold = true;
    put(h, qid, 1);
    th_ring(h, qid);
    th_run(h);
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
}

static void release(struct th *h)
{
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    th_run(h);
}

/* Of entry i in the completion queue. */
static unsigned sq_of(struct th *h, unsigned i)
{
    const struct envme_cqe *c = th_mem(h, h->cq[1]->base +
                                       i * sizeof(struct envme_cqe),
                                       sizeof(struct envme_cqe));

    return le16_get(c->sf) & 1 ? le16_get(c->sqid) : 0;
}

/* Completions so far, one letter each: a for queue 1. */
static char *order(struct th *h)
{
    GString *s = g_string_new(NULL);
    unsigned q;

    while ((q = sq_of(h, s->len))) {
        g_string_append_c(s, 'a' + q - 1);
    }
    return g_string_free(s, FALSE);
}

static void expect_order(struct th *h, const char *want)
{
    g_autofree char *got = order(h);

    g_assert_cmpstr(got, ==, want);
}

static void set_arb(struct th *h, unsigned ab, unsigned hpw, unsigned mpw,
                    unsigned lpw)
{
    th_assert_sc(th_set_feature(h, ENVME_FID_ARBITRATION, 0,
                                (hpw - 1) << 24 | (mpw - 1) << 16 |
                                (lpw - 1) << 8 | ab, false), SUCCESS);
}

/* ---- what is offered --------------------------------------------------- */

static bool offer_wrr, offer_vs;

static void tweak_offer(struct envme_ctrl_params *p)
{
    p->wrr = offer_wrr;
    p->ams_vs = offer_vs;
}

static void test_cap(void)
{
    for (unsigned i = 0; i < 4; i++) {
        static const uint8_t ams[] = { ENVME_CC_AMS_RR, ENVME_CC_AMS_WRR,
                                       2, 6, ENVME_CC_AMS_VS };
        struct th *h;

        offer_wrr = i & 1;
        offer_vs = i & 2;
        h = th_new(.tweak = tweak_offer);
        g_assert_cmpuint(FIELD_GET(ENVME_CAP_AMS, th_r64(h, ENVME_REG_CAP)),
                         ==, i);
        for (unsigned k = 0; k < G_N_ELEMENTS(ams); k++) {
            bool ok = ams[k] == ENVME_CC_AMS_RR ||
                      (ams[k] == ENVME_CC_AMS_WRR && offer_wrr) ||
                      (ams[k] == ENVME_CC_AMS_VS && offer_vs);

            g_assert_true(th_enable_as(h, cc_ams(ams[k]), 4, 4) == ok);
            g_assert_true(!!(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS) ==
                          !ok);
            th_disable(h);
        }
        th_free(h);
    }
}

/* All four priorities are right whatever CC.AMS says; without weighted round
 * robin they mean nothing. */
static void test_qprio(void)
{
    struct th *h = host(0, 0, ENVME_CC_AMS_RR, 1);

    set_arb(h, 0, 9, 5, 2);
    for (unsigned i = 0; i < 4; i++) {
        add_sq(h, i + 1, 3 - i);
    }
    block(h, 1);
    for (unsigned i = 1; i <= 4; i++) {
        put(h, i, 3);
        th_ring(h, i);
    }
    release(h);
    expect_order(h, "a" "abcdabcdabcd");
    th_free(h);
}

/* ---- the order --------------------------------------------------------- */

/* Random queues, weights, bursts and arrivals against the model: all that
 * waits when the one place comes free goes in the order of the rules; the
 * weights change half way, with the commands waiting. */
static void order_run(unsigned ams, unsigned lanes, unsigned seed)
{
    struct th *h = host(lanes, seed, ams, 1);
    enum envme_arb_mode mode = ams == ENVME_CC_AMS_RR ? ENVME_ARB_RR
                               : ams == ENVME_CC_AMS_WRR ? ENVME_ARB_WRR
                                                         : ENVME_ARB_VS;
    GRand *rand = g_rand_new_with_seed(seed);
    unsigned n = g_rand_int_range(rand, 4, MAX_QUEUES - 1), seen = 0, q;
    unsigned left[MAX_QUEUES] = { 0 }, phase;
    uint64_t age = 0, since[MAX_QUEUES][64];
    struct model m;

    model_init(&m, MAX_QUEUES);
    for (unsigned i = 1; i <= n; i++) {
        /* One of each class, and then any. */
        m.node[i].prio = i <= 4 ? i - 1 : (unsigned)g_rand_int_range(rand, 0,
                                                                     4);
        add_sq(h, i, m.node[i].prio);
    }
    for (phase = 0; phase < 2; phase++) {
        unsigned w[3], ab = g_rand_int_range(rand, 0, 8), all = 0;

        for (unsigned i = 0; i < 3; i++) {
            w[i] = g_rand_int_range(rand, 1, 9);
        }
        set_arb(h, ab, w[0], w[1], w[2]);
        model_config(&m, mode, ab == 7 ? 0 : 1u << ab, w[0], w[1], w[2]);
        /* The blocker takes its turn too. */
        q = g_rand_int_range(rand, 1, n + 1);
        model_ready(&m, q);
        model_fetched(&m, q);
        model_unready(&m, q);
        block(h, q);
        g_assert_cmpuint(sq_of(h, seen), ==, 0);
        for (unsigned i = 0; i < 3 * n; i++) {
            unsigned who = g_rand_int_range(rand, 1, n + 1);
            unsigned many = g_rand_int_range(rand, 1, 6);

            age++;
            put(h, who, many);
            th_ring(h, who);
            th_run(h);
            while (many--) {
                since[who][left[who]++] = age;
                all++;
            }
            m.node[who].since = since[who][0];
            model_ready(&m, who);
        }
        if (g_rand_boolean(rand)) {
            /* While they wait: the round goes on with the old weights. */
            set_arb(h, ab, w[2], w[0], w[1]);
            model_config(&m, mode, ab == 7 ? 0 : 1u << ab, w[2], w[0], w[1]);
        }
        release(h);
        g_assert_cmpuint(sq_of(h, seen++), ==, q);
        while (all--) {
            int want = model_next(&m);

            g_assert_cmpint(want, >, 0);
            g_assert_cmpuint(sq_of(h, seen++), ==, want);
            left[want]--;
            memmove(since[want], since[want] + 1,
                    left[want] * sizeof(since[0][0]));
            m.node[want].since = since[want][0];
            model_fetched(&m, want);
            if (!left[want]) {
                model_unready(&m, want);
            }
        }
        g_assert_cmpuint(sq_of(h, seen), ==, 0);
    }
    g_rand_free(rand);
    th_free(h);
}

static void test_order(gconstpointer arg)
{
    for (unsigned i = 0; i < 60; i++) {
        order_run(GPOINTER_TO_UINT(arg), i % 3, i + 1);
    }
}

/* The same in so many words. */
static void test_four_classes(void)
{
    for (unsigned lanes = 0; lanes < 3; lanes++) {
        struct th *h = host(lanes, 0, ENVME_CC_AMS_WRR, 1);

        set_arb(h, 0, 3, 2, 1);
        for (unsigned i = 0; i < 4; i++) {
            add_sq(h, i + 1, i);
        }
        block(h, 4);
        for (unsigned i = 4; i >= 1; i--) {
            put(h, i, 6);
            th_ring(h, i);
        }
        release(h);
        expect_order(h, "d" "aaaaaa" "bbbccd" "bbbccd" "ccd" "ddd");
        th_free(h);
    }
}

/* The queue of each command, in the order in which they are fetched: A is the
 * admin queue, a queue 1. */
static void note_fetch(void *opaque, struct envme_cmd *cmd)
{
    g_string_append_c(opaque, cmd->is_admin ? 'A' : 'a' + cmd->sq->id - 1);
}

/* Admin commands before urgent ones before the weighted three, on lane 0, the
 * one that has them all: everything waits when Bus Master comes on, and what is
 * lowest was rung first. Round robin and strict by age make no such difference,
 * to the admin queue neither. */
static void test_admin_first(void)
{
    static const struct {
        unsigned ams;
        const char *want;
    } cases[] = {
        { ENVME_CC_AMS_WRR, "AAAAAA" "aaaaaa" "bbbccd" "bbbccd" "ccd" "ddd" },
        { ENVME_CC_AMS_RR, "dcbaA" "dcbaA" "dcbaA" "dcbaA" "dcbaA" "dcbaA" },
        { ENVME_CC_AMS_VS, "dddddd" "cccccc" "bbbbbb" "aaaaaa" "AAAAAA" },
    };
    struct envme_sqe get = th_sqe(ENVME_ADM_GET_FEATURES, 0);

    get.cdw10 = le32(ENVME_FID_ARBITRATION);
    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        /* With one place a command at a time, without any limit. */
        struct th *h = host(0, 0, cases[i / 2].ams, i % 2);
        g_autoptr(GString) got = g_string_new(NULL);

        set_arb(h, 0, 3, 2, 1);
        for (unsigned k = 0; k < 4; k++) {
            add_sq(h, k + 1, k);
        }
        h->ctrl->hooks = (struct envme_hooks){
            .opaque = got, .fetched = note_fetch,
        };
        h->ctrl->watch = ENVME_WATCH_CMD;
        th_bme(h, false);
        for (unsigned k = 4; k >= 1; k--) {
            put(h, k, 6);
            th_ring(h, k);
        }
        for (unsigned k = 0; k < 6; k++) {
            th_abandon(h, 0, th_put(h, 0, &get));
        }
        th_ring(h, 0);
        th_run(h);
        g_assert_cmpstr(got->str, ==, "");
        th_bme(h, true);
        th_run(h);
        g_assert_cmpstr(got->str, ==, cases[i / 2].want);
        h->ctrl->watch = 0;
        th_free(h);
    }
}

/* The burst is what a queue may have in one turn, and no more. */
static void test_burst(void)
{
    static const struct {
        unsigned ab;
        const char *want;
    } cases[] = {
        { 0, "b" "ababababababbbbb" }, { 1, "b" "aabbaabbaabbbbbb" },
        { 2, "b" "aaaabbbbaabbbbbb" }, { 7, "b" "aaaaaabbbbbbbbbb" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (unsigned ams = 0; ams < 2; ams++) {
            struct th *h = host(1, 0, ams, 1);

            set_arb(h, cases[i].ab, 200, 200, 200);
            add_sq(h, 1, ENVME_PRIO_MEDIUM);
            add_sq(h, 2, ENVME_PRIO_MEDIUM);
            block(h, 2);
            put(h, 1, 6);
            put(h, 2, 10);
            th_ring(h, 1);
            th_ring(h, 2);
            release(h);
            expect_order(h, cases[i].want);
            th_free(h);
        }
    }
}

static void test_shares(void)
{
    struct th *h = host(1, 3, ENVME_CC_AMS_WRR, 1);
    unsigned n[5] = { 0 };

    set_arb(h, 0, 16, 4, 1);
    for (unsigned i = 1; i <= 4; i++) {
        add_sq(h, i, i - 1);
    }
    block(h, 4);
    for (unsigned i = 2; i <= 4; i++) {
        put(h, i, 1600);
        th_ring(h, i);
    }
    release(h);
    /* As long as all have some: 2100 of them are 100 rounds. */
    for (unsigned i = 1; i <= 2100; i++) {
        n[sq_of(h, i)]++;
    }
    g_assert_cmpuint(n[2], >=, 1600 * 98 / 100);
    g_assert_cmpuint(n[2], <=, 1600 * 102 / 100);
    g_assert_cmpuint(n[3], >=, 400 * 98 / 100);
    g_assert_cmpuint(n[3], <=, 400 * 102 / 100);
    g_assert_cmpuint(n[4], >=, 100 * 98 / 100);
    g_assert_cmpuint(n[4], <=, 100 * 102 / 100);
    th_free(h);
}

/* As long as there is something urgent, nothing else is fetched; also when it
 * comes late and again. */
static void test_urgent(void)
{
    struct th *h = host(0, 0, ENVME_CC_AMS_WRR, 1);
    g_autofree char *got = NULL;
    unsigned fed = 0;

    set_arb(h, 0, 256, 256, 256);
    add_sq(h, 1, ENVME_PRIO_URGENT);
    add_sq(h, 2, ENVME_PRIO_HIGH);
    block(h, 2);
    put(h, 2, 5);
    th_ring(h, 2);
    put(h, 1, 2);
    th_ring(h, 1);
    th_run(h);
    /* One at a time, each time with another urgent one behind it. */
    while (fed < 50) {
        th_be_release(h->be[0], 0, 0);
        th_run(h);
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
        put(h, 1, 1);
        th_ring(h, 1);
        fed++;
    }
    release(h);
    got = order(h);
    g_assert_cmpuint(strlen(got), ==, 1 + 5 + 52);
    g_assert_cmpuint(strspn(got + 1, "a"), ==, 52);
    th_free(h);
}

/* The weights change in the middle of a round that is under way. */
static void test_new_weights(void)
{
    struct th *h = host(1, 0, ENVME_CC_AMS_WRR, 1);

    set_arb(h, 0, 3, 2, 1);
    for (unsigned i = 1; i <= 3; i++) {
        add_sq(h, i, i);
    }
    block(h, 1);
    for (unsigned i = 1; i <= 3; i++) {
        put(h, i, 12);
        th_ring(h, i);
    }
    th_run(h);
    /* The blocker ends, and one of the round has begun. */
    th_be_release(h->be[0], 0, 0);
    th_run(h);
    expect_order(h, "a");
    set_arb(h, 0, 1, 1, 4);
    release(h);
    {
        g_autofree char *got = order(h);

        got[1 + 6 + 12] = 0;
        g_assert_cmpstr(got, ==, "a" "aaabbc" "abcccc" "abcccc");
    }
    th_free(h);
}

/* Strict by age: as the doorbells came, whatever the priority. */
static void test_age(void)
{
    for (unsigned shadow = 0; shadow < 2; shadow++) {
        struct th *h = host(1, 0, ENVME_CC_AMS_VS, 1);
        static const char *came = "aabacbbdaac";

        for (unsigned i = 0; i < 4; i++) {
            add_sq(h, i + 1, 3 - i);
        }
        if (shadow) {
            th_assert_code(th_shadow(h), SUCCESS);
        }
        block(h, 4);
        for (unsigned i = 0; came[i]; i++) {
            put(h, came[i] - 'a' + 1, 1);
            th_ring(h, came[i] - 'a' + 1);
            th_run(h);
        }
        release(h);
        if (shadow) {
            /* A host whose doorbell nobody waits for does not ring, and what
             * it put meanwhile is found when the rest has been fetched. */
            g_autofree char *got = order(h);

            g_assert_cmpuint(strlen(got), ==, 12);
        } else {
            expect_order(h, "d" "aabacbbdaac");
        }
        th_free(h);
    }
}

/* Doorbells that the lane takes in one go: the first that was rung is first. */
static void test_first_rung(void)
{
    for (unsigned ams = 0; ams < 2; ams++) {
        struct th *h = host(1, 0, ams ? ENVME_CC_AMS_VS : ENVME_CC_AMS_RR, 1);

        for (unsigned i = 1; i <= 4; i++) {
            add_sq(h, i, ENVME_PRIO_LOW);
        }
        put(h, 3, 1);
        put(h, 1, 1);
        put(h, 4, 1);
        put(h, 2, 1);
        th_ring(h, 3);
        th_ring(h, 1);
        th_ring(h, 4);
        th_ring(h, 2);
        th_run(h);
        expect_order(h, "cadb");
        th_free(h);
    }
}

/* ---- how many at once -------------------------------------------------- */

/* Of all lanes together, never more, and all there may be; each goes on when
 * another ends. */
static void test_places(void)
{
    for (unsigned i = 0; i < 60; i++) {
        unsigned lanes = i % 4, max = 1 + i % 5, done = 0, k;
        struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
        struct th *h;

        places = max;
        h = th_new(.lanes = lanes, .seed = i + 1, .tweak = tweak);
        th_enable(h);
        th_queues(h, 4, 64);
        h->be[0]->hold = true;
        for (k = 0; k < 100; k++) {
            th_submit(h, 1 + k % 4, &s);
        }
        th_run(h);
        while (done < 100) {
            g_assert_cmpuint(th_be_held(h->be[0]), ==,
                             MIN(max, 100 - done));
            g_assert_cmpuint(atomic_load(&h->ctrl->executing), ==,
                             MIN(max, 100 - done));
            if (done == 50) {
                /* Admin commands don't need a place. */
                uint32_t v;

                th_assert_sc(th_get_feature(h, ENVME_FID_NUM_QUEUES, 0, 0,
                                            &v), SUCCESS);
            }
            th_be_release(h->be[0], th_random(h, th_be_held(h->be[0])), 0);
            done++;
            th_run(h);
            for (k = 1; k <= 4; k++) {
                th_reap(h, k);
            }
        }
        g_assert_cmpuint(atomic_load(&h->ctrl->executing), ==, 0);
        for (k = 0; k < 100; k++) {
            th_assert_sc(th_wait(h, 1 + k % 4, k / 4), SUCCESS);
        }
        th_free(h);
    }
}

/* A lane whose commands end at once does not keep the place to itself. */
static void test_fair(void)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
    struct th *h;
    unsigned k, n[3] = { 0 };

    places = 1;
    h = th_new(.lanes = 2, .tweak = tweak);
    th_enable(h);
    th_queues(h, 2, 64);
    h->be[0]->hold = true;
    for (k = 0; k < 60; k++) {
        th_abandon(h, 1, th_submit(h, 1, &s));
        th_abandon(h, 2, th_submit(h, 2, &s));
    }
    th_run(h);
    for (k = 0; k < 60; k++) {
        struct th_bio *tb;

        g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
        tb = g_queue_peek_head(&h->be[0]->bios[1]);
        n[tb ? 1 : 2]++;
        th_be_release(h->be[0], 0, 0);
        th_run(h);
    }
    g_assert_cmpuint(n[1], ==, 30);
    th_free(h);
}

/* Abort and queue deletion get through while the only place is taken, and the
 * place comes back; so it does after a reset. */
static void test_freed(void)
{
    for (unsigned lanes = 0; lanes < 2; lanes++) {
        struct th *h = host(lanes, 0, ENVME_CC_AMS_RR, 1);
        struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
        struct envme_cqe c;
        uint16_t cid, aer;

        add_sq(h, 1, 0);
        add_sq(h, 2, 0);
        aer = th_aer(h);
        h->be[0]->hold = true;
        cid = th_submit(h, 1, &s);
        th_run(h);
        put(h, 2, 3);
        th_ring(h, 2);
        th_run(h);
        c = th_abort(h, 1, cid);
        th_assert_sc(c, SUCCESS);
        g_assert_cmphex(le32_get(c.dw0), ==, 0);
        expect_order(h, "a");
        /* The next has it, and its queue goes, and with it two that wait. */
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
        th_assert_code(th_delete_sq(h, 2), SUCCESS);
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 0);
        g_assert_cmpuint(atomic_load(&h->ctrl->executing), ==, 0);
        block(h, 1);
        th_reset(h, ENVME_RESET_FUNCTION);
        g_assert_cmpuint(atomic_load(&h->ctrl->executing), ==, 0);
        (void)aer;
        h->be[0]->hold = false;
        g_assert_true(th_enable_as(h, cc_ams(0), 32, 32));
        th_queues(h, 2, 8);
        th_assert_sc(th_io(h, 2, &s), SUCCESS);
        th_assert_sc(th_io(h, 1, &s), SUCCESS);
        th_free(h);
    }
}

/* Fused pairs need one place, and do not wait for each other's. */
static void tweak_fused(struct envme_ctrl_params *p)
{
    tweak(p);
    p->awun = 7;
}

static void test_fused(void)
{
    for (unsigned i = 0; i < 40; i++) {
        struct envme_sqe first = th_sqe_rw(ENVME_NVM_COMPARE, 1, 4, 1);
        struct envme_sqe second = th_sqe_rw(ENVME_NVM_WRITE, 1, 4, 1);
        struct th_buf *b;
        uint16_t cid[2][10];
        struct th *h;

        places = 1 + i % 2;
        h = th_new(.lanes = i % 3, .seed = i + 1, .tweak = tweak_fused);
        th_enable(h);
        th_queues(h, 2, 64);
        h->be[0]->later = true;
        b = th_buf_new(h, 512, TH_PRP);
        th_buf_attach(b, &first);
        th_buf_attach(b, &second);
        first.flags |= ENVME_FUSE_FIRST;
        second.flags |= ENVME_FUSE_SECOND;
        for (unsigned k = 0; k < 5; k++) {
            for (unsigned q = 0; q < 2; q++) {
                cid[q][2 * k] = th_put(h, q + 1, &first);
                cid[q][2 * k + 1] = th_put(h, q + 1, &second);
            }
        }
        th_ring(h, 1);
        th_ring(h, 2);
        for (unsigned k = 0; k < 10; k++) {
            th_assert_sc(th_wait(h, 1, cid[0][k]), SUCCESS);
            th_assert_sc(th_wait(h, 2, cid[1][k]), SUCCESS);
        }
        g_assert_cmpuint(atomic_load(&h->ctrl->executing), ==, 0);
        th_buf_free(b);
        th_free(h);
    }
}

/* Real threads, few places; resets, aborts, deletion, Bus Master in between. */
static void test_threads(void)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
    struct th *h;

    places = 2;
    h = th_new(.lanes = 3, .threads = true, .tweak = tweak);
    for (unsigned round = 0; round < 30; round++) {
        uint16_t cid[3][40];

        th_enable(h);
        th_queues(h, 3, 64);
        h->be[0]->later = round % 2;
        for (unsigned k = 0; k < 40; k++) {
            for (unsigned q = 0; q < 3; q++) {
                cid[q][k] = th_submit(h, q + 1, &s);
            }
        }
        switch (round % 5) {
        case 1:
            th_bme(h, false);
            th_bme(h, true);
            break;
        case 2:
            th_delete_sq(h, 2);
            break;
        case 3:
            th_abort(h, 1, cid[0][39]);
            break;
        case 4:
            th_reset(h, ENVME_RESET_FUNCTION);
            g_assert_cmpuint(atomic_load(&h->ctrl->executing), ==, 0);
            continue;
        }
        for (unsigned k = 0; k < 40; k++) {
            for (unsigned q = 0; q < 3; q++) {
                if (round % 5 != 2 || q != 1) {
                    th_wait(h, q + 1, cid[q][k]);
                }
            }
        }
        th_disable(h);
        g_assert_cmpuint(atomic_load(&h->ctrl->executing), ==, 0);
    }
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/arbitration/cap", test_cap);
    g_test_add_func("/arbitration/qprio", test_qprio);
    g_test_add_data_func("/arbitration/order/rr",
                         GUINT_TO_POINTER(ENVME_CC_AMS_RR), test_order);
    g_test_add_data_func("/arbitration/order/wrr",
                         GUINT_TO_POINTER(ENVME_CC_AMS_WRR), test_order);
    g_test_add_data_func("/arbitration/order/vs",
                         GUINT_TO_POINTER(ENVME_CC_AMS_VS), test_order);
    g_test_add_func("/arbitration/four-classes", test_four_classes);
    g_test_add_func("/arbitration/admin-first", test_admin_first);
    g_test_add_func("/arbitration/burst", test_burst);
    g_test_add_func("/arbitration/shares", test_shares);
    g_test_add_func("/arbitration/urgent", test_urgent);
    g_test_add_func("/arbitration/new-weights", test_new_weights);
    g_test_add_func("/arbitration/age", test_age);
    g_test_add_func("/arbitration/first-rung", test_first_rung);
    g_test_add_func("/arbitration/places", test_places);
    g_test_add_func("/arbitration/fair", test_fair);
    g_test_add_func("/arbitration/freed", test_freed);
    g_test_add_func("/arbitration/fused", test_fused);
    g_test_add_func("/arbitration/threads", test_threads);
    return g_test_run();
}
