/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts (how many, when, for which vector, coalesced) and arbitration.
 * Base 2.1, 3.4.4, 5.1.25.1.1, 5.1.25.1.6, 5.1.25.1.7; PCIe Transport 1.1, 3.5.
 */
#include "th.h"

static unsigned count(struct th *h, unsigned vector)
{
    return h->vec[vector].raised + h->vec[vector].pulsed;
}

static void flush(struct th *h, unsigned qid, unsigned n)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);

    while (n--) {
        th_abandon(h, qid, th_submit(h, qid, &s));
        th_run(h);
    }
}

static void reap(struct th *h, unsigned qid)
{
    th_reap(h, qid);
    th_run(h);
}

static void coalesce(struct th *h, unsigned thr, unsigned time)
{
    th_assert_sc(th_set_feature(h, ENVME_FID_IRQ_COALESCE, 0, time << 8 | thr,
                                false), SUCCESS);
}

static struct th *irq_host(unsigned lanes)
{
    struct th *h = th_new(.lanes = lanes, .seed = lanes);

    th_enable(h);
    th_queues(h, 3, 64);
    return h;
}

/* One completion, one interrupt; several in a turn, one. */
static void test_plain(void)
{
    struct th *h = irq_host(0);
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
    unsigned i, n = count(h, 1);

    flush(h, 1, 5);
    g_assert_cmpuint(count(h, 1), ==, n + 5);
    g_assert_cmpuint(h->vec[1].raised, ==, h->vec[1].lowered + 1);
    reap(h, 1);
    g_assert_cmpuint(h->vec[1].raised, ==, h->vec[1].lowered);
    for (i = 0; i < 20; i++) {
        th_abandon(h, 1, th_put(h, 1, &s));
    }
    n = count(h, 1);
    th_ring(h, 1);
    th_run(h);
    g_assert_cmpuint(count(h, 1), ==, n + 1);
    /* taken in part: the pin stays up */
    th_reap_max(h, 1, 19);
    th_run(h);
    g_assert_cmpuint(h->vec[1].raised, ==, h->vec[1].lowered + 1);
    reap(h, 1);
    g_assert_cmpuint(h->vec[1].raised, ==, h->vec[1].lowered);
    g_assert_cmpuint(count(h, 2) + count(h, 3), ==, 0);
    th_free(h);
}

/* One interrupt for all that a turn has completed: per CQ, whatever its SQs, on
 * whichever lane. */
static void test_batch(void)
{
    static const struct {
        unsigned sq, cq;
    } q[] = { { 1, 1 }, { 2, 1 }, { 3, 1 }, { 4, 2 }, { 5, 3 } };
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
    unsigned lanes, i, k, round;

    for (lanes = 0; lanes <= 3; lanes++) {
        struct th *h = th_new(.lanes = lanes, .poll = lanes == 2);

        th_enable(h);
        for (i = 1; i <= 3; i++) {
            th_assert_code(th_create_cq(h, .qid = i, .size = 64,
                                        .vector = i), SUCCESS);
        }
        for (i = 0; i < G_N_ELEMENTS(q); i++) {
            th_assert_code(th_create_sq(h, .qid = q[i].sq, .cqid = q[i].cq,
                                        .size = 32), SUCCESS);
        }
        for (round = 1; round <= 5; round++) {
            for (i = 0; i < G_N_ELEMENTS(q); i++) {
                for (k = 0; k < 10; k++) {
                    th_abandon(h, q[i].sq, th_put(h, q[i].sq, &s));
                }
                th_ring(h, q[i].sq);
            }
            th_run(h);
            for (i = 1; i <= 3; i++) {
                g_assert_cmpuint(count(h, i), ==, round);
                g_assert_cmpuint(th_reap(h, i), ==, i == 1 ? 30 : 10);
            }
            th_run(h);
        }
        th_free(h);
    }
}

/* Several CQs on one vector: their levels add up. */
static void test_shared_vector(void)
{
    struct th *h = th_new(.lanes = 2, .seed = 3);
    struct envme_sqe s;
    unsigned q;

    th_enable(h);
    for (q = 1; q <= 3; q++) {
        th_create_cq(h, .qid = q, .size = 16, .vector = 7);
        th_create_sq(h, .qid = q, .size = 16);
    }
    for (q = 1; q <= 3; q++) {
        flush(h, q, 3);
        g_assert_cmpuint(h->vec[7].raised - h->vec[7].lowered, ==, q);
    }
    reap(h, 2);
    g_assert_cmpuint(h->vec[7].raised - h->vec[7].lowered, ==, 2);
    reap(h, 1);
    g_assert_cmpuint(h->vec[7].raised - h->vec[7].lowered, ==, 1);
    /* a queue that goes with entries in it takes its level along */
    s = th_sqe(ENVME_ADM_DELETE_SQ, 0);
    s.cdw10 = le32(3);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    g_assert_cmpuint(h->vec[7].raised - h->vec[7].lowered, ==, 1);
    s.opc = ENVME_ADM_DELETE_CQ;
    th_assert_sc(th_admin(h, &s), SUCCESS);
    g_assert_cmpuint(h->vec[7].raised, ==, h->vec[7].lowered);
    flush(h, 2, 2);
    g_assert_cmpuint(h->vec[7].raised - h->vec[7].lowered, ==, 1);
    th_free(h);
}

/* 8 completions, or 1 ms after the first */
static void test_coalesce(void)
{
    struct th *h = irq_host(1);
    unsigned n;

    coalesce(h, 7, 10);
    n = count(h, 1);
    flush(h, 1, 7);
    g_assert_cmpuint(count(h, 1), ==, n);
    flush(h, 1, 1);
    g_assert_cmpuint(count(h, 1), ==, n + 1);
    reap(h, 1);
    /* by time */
    flush(h, 1, 3);
    g_assert_cmpuint(count(h, 1), ==, n + 1);
    th_advance(h, 800000);
    g_assert_cmpuint(count(h, 1), ==, n + 1);
    th_advance(h, 250000);
    g_assert_cmpuint(count(h, 1), ==, n + 2);
    th_advance(h, 5000000);
    g_assert_cmpuint(count(h, 1), ==, n + 2);
    reap(h, 1);
    /* the admin queue is never kept waiting */
    n = count(h, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
    g_assert_cmpuint(count(h, 0), ==, n + 1);
    /* each queue has its own count */
    n = count(h, 1) + count(h, 2);
    flush(h, 1, 4);
    flush(h, 2, 4);
    g_assert_cmpuint(count(h, 1) + count(h, 2), ==, n);
    flush(h, 1, 4);
    g_assert_cmpuint(count(h, 1) + count(h, 2), ==, n + 1);
    /* a host that looks by itself has nothing more to be told */
    reap(h, 2);
    n = count(h, 2);
    th_advance(h, 5000000);
    g_assert_cmpuint(count(h, 2), ==, n);
    th_free(h);
}

/* Turned off in the midst of it: nothing is forgotten. */
static void test_coalesce_changes(void)
{
    struct th *h = irq_host(1);
    unsigned n;
    uint32_t v;

    coalesce(h, 200, 100);
    n = count(h, 1);
    flush(h, 1, 5);
    g_assert_cmpuint(count(h, 1), ==, n);
    coalesce(h, 0, 0);
    th_run(h);
    /* At once, at the next completion, or when its time comes. */
    th_advance(h, 11000000);
    g_assert_cmpuint(count(h, 1), ==, n + 1);
    reap(h, 1);
    n = count(h, 1);
    flush(h, 1, 3);
    g_assert_cmpuint(count(h, 1), ==, n + 3);
    reap(h, 1);
    /* a lower threshold */
    coalesce(h, 9, 200);
    n = count(h, 1);
    flush(h, 1, 5);
    coalesce(h, 2, 200);
    flush(h, 1, 1);
    g_assert_cmpuint(count(h, 1), ==, n + 1);
    reap(h, 1);
    /* not for this vector (feature 09h) */
    coalesce(h, 9, 200);
    th_assert_sc(th_set_feature(h, ENVME_FID_IRQ_CONFIG, 0,
                                ENVME_FEAT_IVC_CD | 1, false), SUCCESS);
    n = count(h, 1);
    flush(h, 1, 3);
    g_assert_cmpuint(count(h, 1), ==, n + 3);
    n = count(h, 2);
    flush(h, 2, 3);
    g_assert_cmpuint(count(h, 2), ==, n);
    th_assert_sc(th_set_feature(h, ENVME_FID_IRQ_CONFIG, 0, 65, false),
                 INVALID_FIELD);
    (void)v;
    th_free(h);
}

/* Queues, lanes and Bus Master come and go with completions untold. */
static void test_coalesce_ends(void)
{
    unsigned n;

    for (n = 0; n < 60; n++) {
        struct th *h = irq_host(n % 3);
        unsigned was;

        coalesce(h, 50, 10);
        flush(h, 1, 1 + n % 5);
        flush(h, 2, n % 3);
        was = count(h, 1);
        switch (n % 6) {
        case 0:
            th_disable(h);
            th_advance(h, 5000000);
            th_enable(h);
            th_queues(h, 3, 64);
            break;
        case 1:
            th_reset(h, ENVME_RESET_FUNCTION);
            th_advance(h, 5000000);
            th_enable(h);
            th_queues(h, 3, 64);
            break;
        case 2:
            th_assert_code(th_delete_sq(h, 1), SUCCESS);
            th_assert_code(th_delete_cq(h, 1), SUCCESS);
            th_advance(h, 5000000);
            th_create_cq(h, .qid = 1, .size = 16, .vector = 1);
            th_create_sq(h, .qid = 1, .size = 16);
            break;
        case 3:
            th_bme(h, false);
            th_advance(h, 5000000);
            th_bme(h, true);
            th_advance(h, 5000000);
            g_assert_cmpuint(count(h, 1), ==, was + 1);
            break;
        case 4:
            /* Lanes are parked for a namespace; the interrupt still comes. */
            th_be_resize(h->be[0], 2 * MIB);
            th_advance(h, 5000000);
            g_assert_cmpuint(count(h, 1), ==, was + 1);
            break;
        default:
            th_assert_code(th_create_cq(h, .qid = 9, .size = 16, .vector = 9),
                           SUCCESS);
            th_advance(h, 5000000);
            g_assert_cmpuint(count(h, 1), ==, was + 1);
            break;
        }
        flush(h, 1, 1);
        th_advance(h, 5000000);
        reap(h, 1);
        reap(h, 2);
        g_assert_cmpuint(h->vec[1].raised, ==, h->vec[1].lowered);
        th_free(h);
    }
}

/* ---- arbitration ------------------------------------------------------- */

static void tweak_wrr(struct envme_ctrl_params *p)
{
    p->wrr = true;
}

/* Which queues the first n commands came from, as the medium saw them */
static unsigned order(struct th *h, unsigned *qid, unsigned max)
{
    unsigned lane, n = 0;
    GList *l;

    for (lane = 0; lane < TH_MAX_LANES; lane++) {
        for (l = h->be[0]->bios[lane].head; l && n < max; l = l->next) {
            struct th_bio *tb = l->data;

            qid[n++] = tb->bio->offset / 512 / 64;
        }
    }
    return n;
}

static void fill(struct th *h, unsigned qid, unsigned n)
{
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_VERIFY, 1, qid * 64, 1);

    while (n--) {
        th_abandon(h, qid, th_put(h, qid, &s));
    }
}

static void test_wrr(void)
{
    struct th *h = th_new(.lanes = 3, .tweak = tweak_wrr);
    unsigned got[128], seen[5] = { 0 }, i, n, q;

    g_assert_cmpuint(FIELD_GET(ENVME_CAP_AMS, th_r64(h, ENVME_REG_CAP)), ==,
                     ENVME_CAP_AMS_WRR);
    g_assert_true(th_enable_as(h, TH_CC_DEFAULT |
                               FIELD_SET(ENVME_CC_AMS, ENVME_CC_AMS_WRR), 32,
                               32));
    /* high 4, medium 2, low 1 in a round; no burst limit */
    th_assert_sc(th_set_feature(h, ENVME_FID_ARBITRATION, 0, 0x03010007,
                                false), SUCCESS);
    for (q = 1; q <= 4; q++) {
        th_create_cq(h, .qid = q, .size = 64);
        th_create_sq(h, .qid = q, .size = 64, .prio = q - 1);
        fill(h, q, 20);
    }
    h->be[0]->hold = true;
    for (q = 4; q; q--) {
        th_ring(h, q);
    }
    th_run(h);
    n = order(h, got, 128);
    g_assert_cmpuint(n, ==, 80);
    /* urgent goes first, all of it */
    for (i = 0; i < 20; i++) {
        g_assert_cmpuint(got[i], ==, 1);
    }
    /* then rounds of 7 */
    for (i = 20; i < 20 + 35; i++) {
        seen[got[i]]++;
        if ((i - 20) % 7 == 6) {
            g_assert_cmpuint(seen[2], ==, ((i - 20) / 7 + 1) * 4);
            g_assert_cmpuint(seen[3], ==, ((i - 20) / 7 + 1) * 2);
            g_assert_cmpuint(seen[4], ==, (i - 20) / 7 + 1);
        }
    }
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    th_run(h);
    for (q = 1; q <= 4; q++) {
        g_assert_cmpuint(th_reap(h, q), ==, 20);
    }
    th_free(h);
}

/* Round robin with a burst: 2^AB commands, then the next queue */
static void test_rr(void)
{
    unsigned ab;

    for (ab = 0; ab < 4; ab++) {
        struct th *h = th_new(.seed = 0);
        unsigned got[128], i, n, q;

        th_enable(h);
        th_assert_sc(th_set_feature(h, ENVME_FID_ARBITRATION, 0, ab, false),
                     SUCCESS);
        for (q = 1; q <= 3; q++) {
            th_create_cq(h, .qid = q, .size = 64);
            th_create_sq(h, .qid = q, .size = 64);
            fill(h, q, 16);
        }
        h->be[0]->hold = true;
        for (q = 1; q <= 3; q++) {
            th_ring(h, q);
        }
        th_run(h);
        n = order(h, got, 128);
        g_assert_cmpuint(n, ==, 48);
        for (i = 1; i < 48; i++) {
            bool turn = i % (1u << ab) == 0;

            g_assert_cmpuint(got[i] != got[i - 1], ==, turn);
            if (i >= 3u << ab) {
                g_assert_cmpuint(got[i], ==, got[i - (3u << ab)]);
            }
        }
        th_be_release_all(h->be[0], 0);
        h->be[0]->hold = false;
        th_free(h);
    }
}

/* ---- limits ------------------------------------------------------------ */

static void tweak_inflight(struct envme_ctrl_params *p)
{
    p->lane_cmds = 10;
}

/* Fewer commands at once than the queues hold: the rest waits its turn, and
 * the lane goes on when one ends. */
static void test_lane_cmds(void)
{
    unsigned lanes, i, n;

    for (lanes = 0; lanes < 2; lanes++) {
        struct th *h = th_new(.lanes = lanes, .seed = 7 + lanes,
                              .tweak = tweak_inflight);

        th_enable(h);
        th_queues(h, 2, 64);
        h->be[0]->hold = true;
        fill(h, 1, 40);
        fill(h, 2, 40);
        th_ring(h, 1);
        th_ring(h, 2);
        th_run(h);
        g_assert_cmpuint(th_be_held(h->be[0]), <=, 10);
        /* On lane 0 the admin commands share it, with what is left over. */
        for (i = n = 0; n < 80; i++) {
            g_assert_cmpuint(i, <, 1000);
            if (th_be_held(h->be[0])) {
                th_be_release(h->be[0], 0, 0);
            }
            th_run(h);
            g_assert_cmpuint(th_be_held(h->be[0]), <=, 10);
            n += th_reap(h, 1) + th_reap(h, 2);
            th_run(h);
        }
        h->be[0]->hold = false;
        th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
        th_free(h);
    }
}

/* Parameters that cannot be: one sentence, the name in it, no controller */
static void bad(const char *name, size_t off, size_t size, uint32_t v)
{
    struct th *h = th_new();
    struct envme_ctrl_params p = h->params;
    char *err = NULL;
    struct envme_subsys *s = envme_subsys_new("nqn.test", 4, true);

    memcpy((char *)&p + off, &v, size);
    g_assert_null(envme_ctrl_new(&p, s, &h->ports, &envme_tables, &err));
    g_assert_nonnull(err);
    g_assert_nonnull(strstr(err, name));
    g_assert_null(strchr(err, '\n'));
    g_free(err);
    envme_subsys_free(s);
    th_free(h);
}

#define BAD(name, field, v) \
    bad(name, offsetof(struct envme_ctrl_params, field), \
        sizeof(((struct envme_ctrl_params *)0)->field), v)

static void test_bad_params(void)
{
    BAD("max_ioqpairs", max_ioqpairs, 0);
    BAD("mqes", mqes, 0);
    BAD("dstrd", dstrd, 9);
    BAD("mpsmax", mpsmax, 5);
    BAD("msix_qsize", nvectors, 0);
    BAD("msix_qsize", nvectors, 2049);
    BAD("lane_cmds", lane_cmds, 7);
    BAD("mdts", mdts, 21);
    BAD("channels", timing.channels, 4097);
    BAD("channel-stripe", timing.stripe, 511);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/irq/plain", test_plain);
    g_test_add_func("/irq/batch", test_batch);
    g_test_add_func("/irq/shared-vector", test_shared_vector);
    g_test_add_func("/irq/coalesce", test_coalesce);
    g_test_add_func("/irq/coalesce-changes", test_coalesce_changes);
    g_test_add_func("/irq/coalesce-ends", test_coalesce_ends);
    g_test_add_func("/irq/wrr", test_wrr);
    g_test_add_func("/irq/rr", test_rr);
    g_test_add_func("/irq/lane-cmds", test_lane_cmds);
    g_test_add_func("/irq/bad-params", test_bad_params);
    return g_test_run();
}
