/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arbiter against the model of its rules (arb-model.h). */
#include "arb-model.h"

#include <glib.h>
#include <string.h>

static void both_config(struct model *m, enum envme_arb_mode mode,
                        uint32_t burst, uint32_t h, uint32_t me, uint32_t l)
{
    envme_arb_config(&m->arb, mode, burst, h, me, l);
    model_config(m, mode, burst, h, me, l);
}

static void both_init(struct model *m, int n)
{
    model_init(m, n);
    envme_arb_init(&m->arb);
}

static void both_ready(struct model *m, int i)
{
    envme_arb_ready(&m->arb, &m->node[i]);
    model_ready(m, i);
}

static void both_unready(struct model *m, int i)
{
    envme_arb_unready(&m->arb, &m->node[i]);
    model_unready(m, i);
}

/* The index of the next queue; both must agree. */
static int both_next(struct model *m)
{
    struct envme_arb_node *node = envme_arb_next(&m->arb);
    int want = model_next(m);

    g_assert_cmpint(node ? (int)(node - m->node) : -1, ==, want);
    return want;
}

static void both_fetched(struct model *m, int i)
{
    envme_arb_fetched(&m->arb, &m->node[i]);
    model_fetched(m, i);
}

static void random_config(struct model *m)
{
    static const uint32_t bursts[] = { 0, 1, 1, 2, 3, 4, 8, 64 };

    both_config(m, m->mode, bursts[g_test_rand_int_range(0, 8)],
                g_test_rand_int_range(1, 20), g_test_rand_int_range(1, 8),
                g_test_rand_int_range(1, 5));
}

static void random_run(enum envme_arb_mode mode, int queues, int steps,
                       bool busy)
{
    struct model m;
    uint64_t now = 1;
    int q;

    both_init(&m, queues);
    for (int i = 0; i < queues; i++) {
        m.node[i].prio = i == 0 ? ENVME_PRIO_ADMIN
                                : (enum envme_prio)g_test_rand_int_range(0, 4);
    }
    both_config(&m, mode, 1, 1, 1, 1);
    random_config(&m);
    for (int s = 0; s < steps; s++) {
        int op = g_test_rand_int_range(0, 100);

        q = g_test_rand_int_range(0, queues);
        now += g_test_rand_int_range(0, 3);
        if (op < 20) {
            if (!m.node[q].ready) {
                m.node[q].since = now - g_test_rand_int_range(0, 4);
            }
            both_ready(&m, q);
        } else if (op < (busy ? 22 : 35)) {
            both_unready(&m, q);
        } else if (op < 37) {
            random_config(&m);
        } else if (op < 40) {
            q = g_test_rand_int_range(0, queues);
            /* The second of a fused pair, or a caller of its own mind. */
            if (m.node[q].ready) {
                both_fetched(&m, q);
            }
        } else {
            q = both_next(&m);
            if (q >= 0) {
                if (g_test_rand_int_range(0, 2)) {
                    m.node[q].since = now;
                }
                both_fetched(&m, q);
                /* Strict classes run dry often, or no other has a say. */
                if (m.node[q].prio % 4 == 0 && g_test_rand_int_range(0, 3)) {
                    both_unready(&m, q);
                }
            }
        }
        for (int i = 0; i < queues; i++) {
            g_assert_true(m.node[i].ready == m.q[i].ready);
        }
    }
    /* Everybody leaves, and nothing is left behind. */
    for (int i = 0; i < queues; i++) {
        both_unready(&m, i);
        both_next(&m);
    }
    g_assert_null(envme_arb_next(&m.arb));
}

static void test_model(gconstpointer arg)
{
    for (int run = 0; run < 400; run++) {
        random_run(GPOINTER_TO_INT(arg), g_test_rand_int_range(1, MAX_QUEUES),
                   500, run % 2);
    }
}

/* Who is next, n times, each fetched; as a string of letters a, b, c ... */
static char *draw(struct envme_arbiter *a, struct envme_arb_node *nodes, int n)
{
    GString *s = g_string_new(NULL);

    while (n--) {
        struct envme_arb_node *node = envme_arb_next(a);

        if (!node) {
            g_string_append_c(s, '-');
            continue;
        }
        g_string_append_c(s, 'a' + (node - nodes));
        envme_arb_fetched(a, node);
    }
    return g_string_free(s, FALSE);
}

static void expect_draw(struct envme_arbiter *a, struct envme_arb_node *nodes,
                        const char *want)
{
    g_autofree char *got = draw(a, nodes, strlen(want));

    g_assert_cmpstr(got, ==, want);
}

static void make(struct envme_arbiter *a, struct envme_arb_node *nodes,
                 const char *prios)
{
    static const char names[] = "UHMLA";

    envme_arb_init(a);
    for (int i = 0; prios[i]; i++) {
        nodes[i] = (struct envme_arb_node){
            .prio = strchr(names, prios[i]) - names,
        };
        envme_arb_ready(a, &nodes[i]);
    }
}

static void test_empty(void)
{
    struct envme_arb_node n[2] = { { .prio = ENVME_PRIO_ADMIN } };
    struct envme_arbiter a;

    envme_arb_init(&a);
    for (int mode = ENVME_ARB_RR; mode <= ENVME_ARB_VS; mode++) {
        envme_arb_config(&a, mode, 1, 1, 1, 1);
        g_assert_null(envme_arb_next(&a));
        envme_arb_unready(&a, &n[0]);
        envme_arb_ready(&a, &n[0]);
        envme_arb_ready(&a, &n[0]);
        g_assert_true(envme_arb_next(&a) == &n[0]);
        envme_arb_fetched(&a, &n[0]);
        envme_arb_unready(&a, &n[0]);
        envme_arb_unready(&a, &n[0]);
        g_assert_null(envme_arb_next(&a));
        /* Too late, but no harm. */
        envme_arb_fetched(&a, &n[0]);
        g_assert_null(envme_arb_next(&a));
    }
}

/* Round robin: all alike, whatever their priorities, admin included. */
static void test_rr(void)
{
    struct envme_arb_node n[4];
    struct envme_arbiter a;

    make(&a, n, "LUAH");
    expect_draw(&a, n, "abcdabcd");
    envme_arb_config(&a, ENVME_ARB_RR, 2, 256, 1, 1);
    expect_draw(&a, n, "aabbccddaabb");
    /* Who leaves in mid-turn forfeits the rest, and comes back last. */
    expect_draw(&a, n, "c");
    envme_arb_unready(&a, &n[2]);
    expect_draw(&a, n, "dda");
    envme_arb_ready(&a, &n[2]);
    expect_draw(&a, n, "abbddcca");
    /* A new burst is for new turns. */
    envme_arb_config(&a, ENVME_ARB_RR, 1, 1, 1, 1);
    expect_draw(&a, n, "abdca");
}

/* No limit: to the end of the queue, or the size of the largest queue. */
static void test_no_limit(void)
{
    struct envme_arb_node n[2];
    struct envme_arbiter a;

    make(&a, n, "LL");
    envme_arb_config(&a, ENVME_ARB_RR, 0, 1, 1, 1);
    for (int i = 0; i < 65535; i++) {
        g_assert_true(envme_arb_next(&a) == &n[0]);
        envme_arb_fetched(&a, &n[0]);
    }
    expect_draw(&a, n, "bbbb");
    envme_arb_unready(&a, &n[1]);
    expect_draw(&a, n, "aaaa");
}

static void test_wrr(void)
{
    struct envme_arb_node n[6];
    struct envme_arbiter a;

    /* Levels by weight; inside a level, one command each in turn. */
    make(&a, n, "HHMML");
    envme_arb_config(&a, ENVME_ARB_WRR, 1, 4, 3, 1);
    expect_draw(&a, n, "ababcdce" "ababdcde" "ababcdce");
    /* The burst is cut short by the credits. */
    make(&a, n, "HHMML");
    envme_arb_config(&a, ENVME_ARB_WRR, 3, 4, 2, 1);
    expect_draw(&a, n, "aaabcce" "aaabdde");
    /* A level with nobody in it is skipped, its credits with it. */
    make(&a, n, "HML");
    envme_arb_config(&a, ENVME_ARB_WRR, 1, 2, 2, 2);
    envme_arb_unready(&a, &n[1]);
    expect_draw(&a, n, "aaccaacc");
}

static void test_wrr_strict(void)
{
    struct envme_arb_node n[5];
    struct envme_arbiter a;

    make(&a, n, "HUAUL");
    envme_arb_config(&a, ENVME_ARB_WRR, 2, 2, 1, 1);
    expect_draw(&a, n, "cccccccc");
    envme_arb_unready(&a, &n[2]);
    expect_draw(&a, n, "bbddbbdd");
    /* Admin interrupts an urgent turn, which goes on after. */
    expect_draw(&a, n, "b");
    envme_arb_ready(&a, &n[2]);
    expect_draw(&a, n, "cc");
    envme_arb_unready(&a, &n[2]);
    expect_draw(&a, n, "bdd");
    /* The same one class down, and the round's credits with it. */
    envme_arb_unready(&a, &n[1]);
    envme_arb_unready(&a, &n[3]);
    expect_draw(&a, n, "aaea");
    envme_arb_ready(&a, &n[1]);
    expect_draw(&a, n, "bbb");
    envme_arb_unready(&a, &n[1]);
    expect_draw(&a, n, "aeaae");
}

/* New weights hold from the next round. */
static void test_wrr_new_weights(void)
{
    struct envme_arb_node n[3];
    struct envme_arbiter a;

    make(&a, n, "HML");
    envme_arb_config(&a, ENVME_ARB_WRR, 64, 3, 2, 1);
    expect_draw(&a, n, "aa");
    envme_arb_config(&a, ENVME_ARB_WRR, 64, 1, 1, 4);
    expect_draw(&a, n, "abbc" "abcccc" "abcccc");
    /* With all idle the round is over. */
    for (int i = 0; i < 3; i++) {
        envme_arb_unready(&a, &n[i]);
    }
    envme_arb_config(&a, ENVME_ARB_WRR, 64, 2, 1, 1);
    for (int i = 0; i < 3; i++) {
        envme_arb_ready(&a, &n[i]);
    }
    expect_draw(&a, n, "aabc");
    /* Out of range: the nearest. */
    envme_arb_config(&a, ENVME_ARB_WRR, 64, 0, 1000, 1);
    g_assert_cmpuint(a.weight[ENVME_PRIO_HIGH], ==, 1);
    g_assert_cmpuint(a.weight[ENVME_PRIO_MEDIUM], ==, 256);
}

/* Weights are shares, for any of them and any burst. */
static void test_wrr_shares(void)
{
    static const unsigned weights[][3] = {
        { 16, 4, 1 }, { 1, 4, 16 }, { 256, 256, 256 }, { 256, 1, 1 },
        { 7, 5, 3 },
    };

    for (unsigned w = 0; w < G_N_ELEMENTS(weights); w++) {
        for (unsigned burst = 0; burst < 20; burst += 3) {
            unsigned sum = weights[w][0] + weights[w][1] + weights[w][2];
            unsigned count[6] = { 0 };
            struct envme_arb_node n[6];
            struct envme_arbiter a;

            make(&a, n, "HHMMLL");
            envme_arb_config(&a, ENVME_ARB_WRR, burst, weights[w][0],
                             weights[w][1], weights[w][2]);
            for (unsigned i = 0; i < sum * 10; i++) {
                struct envme_arb_node *node = envme_arb_next(&a);

                count[node - n]++;
                envme_arb_fetched(&a, node);
            }
            for (int level = 0; level < 3; level++) {
                unsigned one = count[level * 2], two = count[level * 2 + 1];

                g_assert_cmpuint(one + two, ==, weights[w][level] * 10);
                g_assert_cmpuint(one, >, 0);
                g_assert_cmpuint(two, >, 0);
            }
        }
    }
}

static void test_vs(void)
{
    struct envme_arb_node n[4];
    struct envme_arbiter a;

    make(&a, n, "LAUH");
    for (int i = 0; i < 4; i++) {
        envme_arb_unready(&a, &n[i]);
    }
    envme_arb_config(&a, ENVME_ARB_VS, 1, 1, 1, 1);
    n[0].since = 10;
    n[1].since = 20;
    n[2].since = 5;
    n[3].since = 10;
    for (int i = 3; i >= 0; i--) {
        envme_arb_ready(&a, &n[i]);
    }
    expect_draw(&a, n, "cc");
    /* Fetched, and its next command came later. */
    n[2].since = 15;
    envme_arb_fetched(&a, &n[2]);
    expect_draw(&a, n, "dd");
    envme_arb_unready(&a, &n[3]);
    expect_draw(&a, n, "a");
    n[0].since = 30;
    envme_arb_fetched(&a, &n[0]);
    expect_draw(&a, n, "c");
    envme_arb_unready(&a, &n[2]);
    expect_draw(&a, n, "b");
    envme_arb_unready(&a, &n[1]);
    expect_draw(&a, n, "a");
    envme_arb_unready(&a, &n[0]);
    expect_draw(&a, n, "-");
}

/* A change of mode loses nobody, and the new rules hold. */
static void test_mode_change(void)
{
    for (int from = ENVME_ARB_RR; from <= ENVME_ARB_VS; from++) {
        for (int to = ENVME_ARB_RR; to <= ENVME_ARB_VS; to++) {
            struct envme_arb_node n[5];
            struct envme_arbiter a;
            unsigned served = 0;

            make(&a, n, "HMALU");
            for (int i = 0; i < 5; i++) {
                n[i].since = 100 - i;
            }
            envme_arb_config(&a, from, 1, 1, 1, 1);
            g_free(draw(&a, n, 3));
            envme_arb_config(&a, to, 1, 1, 1, 1);
            for (int i = 0; i < 5; i++) {
                struct envme_arb_node *node = envme_arb_next(&a);

                g_assert_nonnull(node);
                g_assert_true(to != ENVME_ARB_VS || node == &n[4 - i]);
                g_assert_true(to != ENVME_ARB_WRR || i ||
                              node->prio == ENVME_PRIO_ADMIN);
                served |= 1u << (node - n);
                envme_arb_fetched(&a, node);
                envme_arb_unready(&a, node);
            }
            g_assert_cmphex(served, ==, 0x1f);
            g_assert_null(envme_arb_next(&a));
        }
    }
}

/* Many queues: each is served in each cycle. */
static void test_many(void)
{
    enum { N = 65535 };

    for (int mode = ENVME_ARB_RR; mode <= ENVME_ARB_VS; mode++) {
        struct envme_arb_node *n = g_new0(struct envme_arb_node, N);
        uint8_t *count = g_new0(uint8_t, N);
        struct envme_arbiter a;

        envme_arb_init(&a);
        envme_arb_config(&a, mode, 1, 256, 1, 1);
        for (int i = 0; i < N; i++) {
            n[i].prio = ENVME_PRIO_HIGH;
            n[i].since = i * 7919ull % 65521;
            envme_arb_ready(&a, &n[i]);
        }
        for (uint64_t k = 0; k < 3 * N; k++) {
            struct envme_arb_node *node = envme_arb_next(&a);

            count[node - n]++;
            node->since = 100000 + k;
            envme_arb_fetched(&a, node);
        }
        for (int i = 0; i < N; i++) {
            g_assert_cmpuint(count[i], ==, 3);
        }
        g_free(count);
        g_free(n);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/arbiter/model/rr", GINT_TO_POINTER(ENVME_ARB_RR),
                         test_model);
    g_test_add_data_func("/arbiter/model/wrr", GINT_TO_POINTER(ENVME_ARB_WRR),
                         test_model);
    g_test_add_data_func("/arbiter/model/vs", GINT_TO_POINTER(ENVME_ARB_VS),
                         test_model);
    g_test_add_func("/arbiter/empty", test_empty);
    g_test_add_func("/arbiter/rr", test_rr);
    g_test_add_func("/arbiter/no-limit", test_no_limit);
    g_test_add_func("/arbiter/wrr", test_wrr);
    g_test_add_func("/arbiter/wrr-strict", test_wrr_strict);
    g_test_add_func("/arbiter/wrr-new-weights", test_wrr_new_weights);
    g_test_add_func("/arbiter/wrr-shares", test_wrr_shares);
    g_test_add_func("/arbiter/vs", test_vs);
    g_test_add_func("/arbiter/mode-change", test_mode_change);
    g_test_add_func("/arbiter/many", test_many);
    return g_test_run();
}
