/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arbitration and service times from the outside. QEMU's virtual clock, by
 * which commands take their times, goes on only when the test says so; so one
 * command at a time (max-inflight=1) leaves all the time in the world to fill
 * the queues behind it. (Not more than 200 ms, all the same: an IOThread that
 * sleeps until a timer is not told by QEMU that a test has moved the clock,
 * and sleeps as long in earnest.)
 */
#include "qnvme.h"

#include "envme/feat.h"

#include "tests/unit/arb-model.h"

#define TURN_NS 200000000
#define PROPS "max-inflight=1,latency.flush=200ms"

static void step(QNvme *q, int64_t ns)
{
    qtest_clock_step(q->qts, ns);
    qtest_readb(q->qts, 0);         /* a turn of QEMU's main loop */
}

static QNvme *open_as(const char *props, const char *extra, unsigned ams)
{
    QnConf conf = { .props = props, .extra = extra };
    QNvme *q = qn_open(&conf);

    qn_admin_queues(q, 32, 32);
    qn_enable_cc(q, QN_CC | FIELD_SET(ENVME_CC_AMS, ams));
    return q;
}

static QnCq *add_cq(QNvme *q, unsigned size)
{
    QnCq *cq = qn_cq_new(q, 1, size, 0);
    struct envme_cqe c = qn_admin(q, qn_create_cq(cq, false));

    qn_assert_ok(c);
    return cq;
}

static QnSq *add_sq(QNvme *q, QnCq *cq, unsigned id, unsigned size,
                    enum envme_prio prio)
{
    QnSq *sq = qn_sq_new(q, id, size, cq);
    struct envme_sqe s = qn_create_sq(sq);
    struct envme_cqe c;

    s.cdw11 = le32(le32_get(s.cdw11) |
                   FIELD_SET(ENVME_CREATE_SQ_QPRIO, prio));
    c = qn_admin(q, s);
    qn_assert_ok(c);
    return sq;
}

static void set_arbitration(QNvme *q, unsigned hpw, unsigned mpw, unsigned lpw,
                            unsigned ab)
{
    struct envme_cqe c = qn_admin(q, qn_feature(true, ENVME_FID_ARBITRATION,
                                                (hpw - 1) << 24 |
                                                (mpw - 1) << 16 |
                                                (lpw - 1) << 8 | ab));

    qn_assert_ok(c);
}

/* Admin commands that park the lanes: what was deferred to one of them before,
 * new weights for instance, has arrived there. */
static void settle(QNvme *q, QnSq *spare)
{
    struct envme_sqe del = qn_sqe(ENVME_ADM_DELETE_SQ, 0);
    struct envme_cqe c = qn_admin(q, qn_create_sq(spare));

    qn_assert_ok(c);
    del.cdw10 = le32(spare->id);
    c = qn_admin(q, del);
    qn_assert_ok(c);
}

static void put(QNvme *q, QnSq *sq, unsigned n)
{
    while (n--) {
        qn_push(q, sq, qn_sqe(ENVME_NVM_FLUSH, 1));
    }
    qn_ring_sq(q, sq);
    qtest_readb(q->qts, 0);
}

/* One command's time later: whose command has ended? */
static unsigned next(QNvme *q, QnCq *cq)
{
    struct envme_cqe c;

    g_assert_false(qn_peek(q, cq, &c));
    step(q, TURN_NS);
    c = qn_reap(q, cq);
    qn_assert_ok(c);
    return le16_get(c.sqid);
}

typedef struct Mode {
    unsigned ams;
    enum envme_arb_mode mode;
    bool iothread;
} Mode;

/* Random arrivals behind a command that executes, against the model of the
 * rules; the weights change in the middle. */
static void test_order(const void *data)
{
    const Mode *mode = data;
    QNvme *q = open_as(mode->iothread ? PROPS ",iothread=t0" : PROPS,
                       mode->iothread ? "-object iothread,id=t0" : NULL,
                       mode->ams);
    QnCq *cq = add_cq(q, 512);
    unsigned left[MAX_QUEUES] = { 0 }, all = 0, w[3];
    uint64_t since[MAX_QUEUES][64], age = 0;
    QnSq *sq[MAX_QUEUES] = { NULL };
    QnSq *spare = qn_sq_new(q, 30, 4, cq);
    struct model m;

    model_init(&m, MAX_QUEUES);
    for (unsigned i = 1; i <= 8; i++) {
        /* Each class twice. */
        m.node[i].prio = i % 4;
        sq[i] = add_sq(q, cq, i, 64, i % 4);
    }
    for (unsigned i = 0; i < 3; i++) {
        w[i] = g_test_rand_int_range(1, 6);
    }
    set_arbitration(q, w[0], w[1], w[2], 1);
    settle(q, spare);
    model_config(&m, mode->mode, 2, w[0], w[1], w[2]);
    model_ready(&m, 5);
    model_fetched(&m, 5);
    model_unready(&m, 5);
    put(q, sq[5], 1);
    qn_beat(q);
    for (unsigned i = 0; i < 20; i++) {
        unsigned who = g_test_rand_int_range(1, 9);
        unsigned many = g_test_rand_int_range(1, 3);

        put(q, sq[who], many);
        /* The lane, which may be a thread of its own, has taken it: it is
         * in the line. */
        settle(q, spare);
        for (unsigned k = 0; k < 20; k++) {
            g_usleep(500);
            qtest_readb(q->qts, 0);
        }
        age++;
        while (many--) {
            since[who][left[who]++] = age;
            all++;
        }
        m.node[who].since = since[who][0];
        model_ready(&m, who);
    }
    set_arbitration(q, w[2], w[0], w[1], 1);
    settle(q, spare);
    model_config(&m, mode->mode, 2, w[2], w[0], w[1]);
    g_assert_cmpuint(next(q, cq), ==, 5);
    while (all--) {
        int want = model_next(&m);

        g_assert_cmpuint(next(q, cq), ==, want);
        left[want]--;
        memmove(since[want], since[want] + 1,
                left[want] * sizeof(since[0][0]));
        m.node[want].since = since[want][0];
        model_fetched(&m, want);
        if (!left[want]) {
            model_unready(&m, want);
        }
    }
    for (unsigned i = 1; i <= 8; i++) {
        g_free(sq[i]);
    }
    g_free(spare);
    g_free(cq);
    qn_close(q);
}

/* Queues of all the weighted classes always have commands: what each is given
 * is its weight. Then an urgent queue gets everything as long as it has any,
 * and the admin queue is served all the while. */
static void test_shares(void)
{
    static const unsigned weight[] = { 0, 16, 4, 1 };   /* by enum envme_prio */
    enum { ROUNDS = 10, SUM = 21, URGENT = 30 };
    QNvme *q = open_as(PROPS, NULL, ENVME_CC_AMS_WRR);
    QnCq *cq = add_cq(q, 512);
    unsigned given[4] = { 0 };
    QnSq *sq[4];

    for (unsigned i = 0; i < 4; i++) {
        sq[i] = add_sq(q, cq, i + 1, 256, i);
    }
    set_arbitration(q, weight[1], weight[2], weight[3], 0);
    put(q, sq[0], 1);
    qn_beat(q);
    for (unsigned i = 1; i < 4; i++) {
        put(q, sq[i], weight[i] * ROUNDS + 8);
    }
    g_assert_cmpuint(next(q, cq), ==, 1);
    for (unsigned i = 0; i < ROUNDS * SUM; i++) {
        given[next(q, cq) - 1]++;
    }
    g_assert_cmpuint(given[0], ==, 0);
    for (unsigned i = 1; i < 4; i++) {
        /* Two percent of the share; only a round's edge may be off. */
        g_assert_cmpfloat(ABS((double)given[i] / (weight[i] * ROUNDS) - 1), <,
                          0.02);
    }

    put(q, sq[0], URGENT);
    next(q, cq);                    /* which executed by then */
    for (unsigned i = 0; i < URGENT; i++) {
        g_assert_cmpuint(next(q, cq), ==, 1);
        if (i % 8 == 0) {
            set_arbitration(q, weight[1], weight[2], weight[3], 0);
        }
    }
    g_assert_cmpuint(next(q, cq), !=, 1);
    for (unsigned i = 0; i < 4; i++) {
        g_free(sq[i]);
    }
    g_free(cq);
    qn_close(q);
}

/* Arbitration Burst: so many commands of a queue in one turn (2 to its power),
 * and all of them when there is no limit. */
static void test_burst(void)
{
    QNvme *q = open_as(PROPS, NULL, ENVME_CC_AMS_RR);
    QnCq *cq = add_cq(q, 512);
    QnSq *sq[3];

    for (unsigned i = 0; i < 3; i++) {
        sq[i] = add_sq(q, cq, i + 1, 64, 0);
    }
    for (unsigned ab = 0; ab <= 3; ab++) {
        unsigned was = 0, run = 0;

        set_arbitration(q, 1, 1, 1, ab);
        put(q, sq[2], 1);
        qn_beat(q);
        put(q, sq[0], 48);
        put(q, sq[1], 48);
        g_assert_cmpuint(next(q, cq), ==, 3);
        for (unsigned i = 0; i < 96; i++) {
            unsigned who = next(q, cq);

            if (who == was) {
                run++;
            } else {
                g_assert_true(!was || run == 1u << ab);
                run = 1;
            }
            g_assert_cmpuint(run, <=, 1u << ab);
            was = who;
        }
    }
    set_arbitration(q, 1, 1, 1, 7);
    put(q, sq[2], 1);
    qn_beat(q);
    put(q, sq[0], 48);
    put(q, sq[1], 48);
    g_assert_cmpuint(next(q, cq), ==, 3);
    for (unsigned i = 0; i < 96; i++) {
        g_assert_cmpuint(next(q, cq), ==, 1 + i / 48);
    }
    for (unsigned i = 0; i < 3; i++) {
        g_free(sq[i]);
    }
    g_free(cq);
    qn_close(q);
}

/* What the controller offers, and that it keeps to it. */
static void test_cap(void)
{
    static const struct {
        const char *props;
        unsigned ams;
    } cases[] = {
        { NULL, 3 }, { "wrr=off", 2 }, { "ams-vs=off", 1 },
        { "wrr=off,ams-vs=off", 0 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        QnConf conf = { .props = cases[i].props };
        QNvme *q = qn_open(&conf);

        g_assert_cmpuint(FIELD_GET(ENVME_CAP_AMS, q->cap), ==, cases[i].ams);
        if (!(cases[i].ams & ENVME_CAP_AMS_WRR)) {
            qn_admin_queues(q, 8, 8);
            qn_w4(q, ENVME_REG_CC, QN_CC | ENVME_CC_EN |
                  FIELD_SET(ENVME_CC_AMS, ENVME_CC_AMS_WRR));
            qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_CFS, ENVME_CSTS_CFS);
        }
        qn_close(q);
    }
}

/* To the nanosecond: nothing before, and then at once. */
static void test_exact(void)
{
    QnConf conf = { .props = "latency.read=3s,latency.write=1s" };
    QNvme *q = qn_start(&conf);
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c;

    qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
    qn_push(q, sq, qn_rw(q, ENVME_NVM_WRITE, 0, 1, buf));
    qn_ring_sq(q, sq);
    /* The clock stands still while the block layer is at work. */
    for (unsigned i = 0; i < 50; i++) {
        qtest_readb(q->qts, 0);
        g_usleep(1000);
    }
    step(q, 999999999);
    g_assert_false(qn_peek(q, sq->cq, &c));
    step(q, 1);
    c = qn_reap(q, sq->cq);
    g_assert_cmpuint(le16_get(c.cid) + 1, ==, q->next_cid);
    step(q, 1900000000);
    g_assert_false(qn_peek(q, sq->cq, &c));
    step(q, 100000000);
    c = qn_reap(q, sq->cq);
    g_assert_cmpuint(le16_get(c.cid) + 2, ==, q->next_cid);
    qn_queue_free(sq);
    qn_close(q);
}

/* A profile, and what is given beside it. */
static void test_profile(void)
{
    QnConf conf = { .props = "profile=hdd,latency.read=0,bandwidth=1G" };
    QNvme *q = qn_start(&conf);
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c;

    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
    qn_assert_ok(c);
    qn_push(q, sq, qn_sqe(ENVME_NVM_FLUSH, 1));
    qn_ring_sq(q, sq);
    for (unsigned i = 0; i < 20; i++) {
        qtest_readb(q->qts, 0);
        g_usleep(1000);
    }
    step(q, 8000000);
    g_assert_false(qn_peek(q, sq->cq, &c));
    step(q, 400000);
    c = qn_reap(q, sq->cq);
    qn_assert_ok(c);
    qn_queue_free(sq);
    qn_close(q);
}

/* Hours are left, and a reset, Bus Master off and the end of QEMU come. */
static void test_gone(void)
{
    QnConf conf = { .props = "latency.read=3600s,max-inflight=3" };
    QNvme *q = qn_start(&conf);
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    gint64 begin = g_get_monotonic_time();

    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < 8; k++) {
            qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
        }
        qn_ring_sq(q, sq);
        qn_sleep(q, 20);
        qn_set_bme(q, false);
        qn_set_bme(q, true);
        qn_queue_free(sq);
        qn_disable(q);
        qn_enable(q);
        sq = qn_io_queue(q, 1, 16, -1);
    }
    qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
    qn_ring_sq(q, sq);
    qn_sleep(q, 20);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 60 * G_USEC_PER_SEC);
    qn_queue_free(sq);
    qn_close(q);
}

int main(int argc, char **argv)
{
    static const Mode modes[] = {
        { ENVME_CC_AMS_RR, ENVME_ARB_RR, false },
        { ENVME_CC_AMS_RR, ENVME_ARB_RR, true },
        { ENVME_CC_AMS_WRR, ENVME_ARB_WRR, false },
        { ENVME_CC_AMS_WRR, ENVME_ARB_WRR, true },
        { ENVME_CC_AMS_VS, ENVME_ARB_VS, false },
        { ENVME_CC_AMS_VS, ENVME_ARB_VS, true },
    };
    static const char *const names[] = { "rr", "wrr", "vs" };

    g_test_init(&argc, &argv, NULL);
    qn_add("/arbitration/cap", test_cap, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autofree char *path = g_strdup_printf(
            "/arbitration/order/%s%s", names[modes[i].mode],
            modes[i].iothread ? "-iothread" : "");

        qn_add_data(path, &modes[i], test_order,
                    modes[i].ams == ENVME_CC_AMS_WRR ? QN_SMOKE : 0);
    }
    qn_add("/arbitration/shares", test_shares, 0);
    qn_add("/arbitration/burst", test_burst, 0);
    qn_add("/timing/exact", test_exact, QN_SMOKE);
    qn_add("/timing/profile", test_profile, 0);
    qn_add("/timing/gone", test_gone, 0);
    return g_test_run();
}
