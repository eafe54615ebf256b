/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Service times from the outside: what the properties of docs/timing.md
 * promise, on QEMU's virtual clock, which goes on only when the test says so.
 * A command begins at the time that it has when its doorbell is rung and is to
 * end at one nanosecond: that of the pure model (hw/core/timing.h), or one that
 * the test has in so many words. Nothing depends on how long anything takes.
 */
#include "qnvme.h"

#include "envme/feat.h"
#include "envme/nvm.h"
#include "hw/core/timing.h"

#define US 1000ull
#define BLOCK 512u
#define MAX_OPS 32              /* at once */

/* Of every controller here: a second power state of 40 percent, and cool. */
#define POWER "power-states=9W:4W/0/0/40,temperature=310,"
#define TMT1 320u               /* Kelvin: 1.5 times as long */
#define TMT2 330u               /* four times */

/* One command, and when it is to end. */
typedef struct Op {
    enum envme_time_class kind;
    uint64_t slba;
    uint32_t nlb;
    uint64_t end;               /* ns */
    uint16_t cid;
} Op;

/* A controller with commands under way. */
typedef struct Run {
    QNvme *q;
    QnSq *sq;
    Op op[MAX_OPS];
    unsigned n;
    uint64_t now;               /* ns */
} Run;

static void pass(QNvme *q, int64_t ns)
{
    qtest_clock_step(q->qts, ns);
    qtest_readb(q->qts, 0);         /* a turn of QEMU's main loop */
}

/* ---- without the clock -------------------------------------------------- */

/* The next completion; the clock stands still meanwhile. */
static struct envme_cqe reap_still(QNvme *q, QnCq *cq)
{
    struct envme_cqe c = qn_await_still(q, cq);

    qn_ring_cq(q, cq);
    return c;
}

/* What was rung before has been fetched, what was due has been posted: lane 0
 * has taken an admin command after it. */
static void fence(QNvme *q)
{
    struct envme_cqe c;

    qn_push(q, q->asq, qn_feature(false, ENVME_FID_ARBITRATION, 0));
    qn_ring_sq(q, q->asq);
    c = reap_still(q, q->acq);
    qn_assert_ok(c);
}

/* ---- the machine -------------------------------------------------------- */

/* ps: power state; kelvin: 0 leaves it cool. */
static void begin(Run *r, const char *props, unsigned ps, unsigned kelvin)
{
    g_autofree char *all = g_strdup_printf(
        "memdev=m0,mapped-doorbells=off," POWER "%s", props);
    struct envme_cqe c;

    *r = (Run){ .q = qn_start(&(QnConf){
        .props = all, .no_drive = true,
        .extra = "-object memory-backend-ram,id=m0,size=64M",
    }) };
    r->sq = qn_io_queue(r->q, 1, 2 * MAX_OPS, -1);
    c = qn_admin(r->q, qn_feature(true, ENVME_FID_HCTM, TMT1 << 16 | TMT2));
    qn_assert_ok(c);
    c = qn_admin(r->q, qn_feature(true, ENVME_FID_POWER_MGMT, ps));
    qn_assert_ok(c);
    if (kelvin) {
        QDict *d = qtest_qmp(r->q->qts, "{'execute': 'qom-set', 'arguments':"
                             "{'path': '/machine/peripheral/nv', 'property':"
                             "'temperature', 'value': %u}}", kelvin);

        g_assert_true(qdict_haskey(d, "return"));
        qobject_unref(d);
    }
    r->now = qtest_clock_step(r->q->qts, 1);
}

static void finish(Run *r)
{
    qn_queue_free(r->sq);
    qn_close(r->q);
}

/* ---- commands ----------------------------------------------------------- */

static struct envme_sqe sqe_of(QNvme *q, const Op *op)
{
    static const uint8_t opc[ENVME_TIME_COUNT] = {
        [ENVME_TIME_READ] = ENVME_NVM_READ,
        [ENVME_TIME_WRITE] = ENVME_NVM_WRITE,
        [ENVME_TIME_ZEROES] = ENVME_NVM_WRITE_ZEROES,
        [ENVME_TIME_FLUSH] = ENVME_NVM_FLUSH,
        [ENVME_TIME_DSM] = ENVME_NVM_DSM,
        [ENVME_TIME_COPY] = ENVME_NVM_COPY,
    };
    uint64_t buf = qn_alloc(q, 2 * QN_PAGE);
    struct envme_dsm_range range = {
        .nlb = le32(op->nlb), .slba = le64(op->slba),
    };
    struct envme_copy_range_f0 from = {
        .slba = le64(op->slba + 65536), .nlb = le16(op->nlb - 1),
    };
    struct envme_sqe s;

    switch (op->kind) {
    case ENVME_TIME_FLUSH:
        return qn_sqe(ENVME_NVM_FLUSH, 1);
    case ENVME_TIME_DSM:
        s = qn_sqe(ENVME_NVM_DSM, 1);
        s.cdw11 = le32(ENVME_DSM_AD);
        qn_write(q, buf, &range, sizeof(range));
        s.dptr.prp1 = le64(buf);
        return s;
    case ENVME_TIME_COPY:
        s = qn_sqe(ENVME_NVM_COPY, 1);
        s.cdw10 = le32(op->slba);
        qn_write(q, buf, &from, sizeof(from));
        s.dptr.prp1 = le64(buf);
        return s;
    default:
        return qn_rw(q, opc[op->kind], op->slba, op->nlb, buf);
    }
}

/* It begins now, when the doorbell is rung. */
static Op *add(Run *r, enum envme_time_class kind, uint64_t slba, uint32_t nlb)
{
    Op *op = &r->op[r->n++];

    g_assert_cmpuint(r->n, <=, MAX_OPS);
    *op = (Op){ .kind = kind, .slba = slba, .nlb = nlb };
    op->cid = qn_push(r->q, r->sq, sqe_of(r->q, op));
    return op;
}

static void ring(Run *r)
{
    qn_ring_sq(r->q, r->sq);
    fence(r->q);
}

/* One has ended that was to end now. */
static void take(Run *r, uint64_t end)
{
    struct envme_cqe c = reap_still(r->q, r->sq->cq);
    unsigned i = 0;

    qn_assert_ok(c);
    while (i < r->n && r->op[i].cid != le16_get(c.cid)) {
        i++;
    }
    g_assert_cmpuint(i, <, r->n);
    g_assert_cmpuint(r->op[i].end, ==, end);
    r->op[i] = r->op[--r->n];
}

/* On to the next that ends: none does before its nanosecond, and then those do
 * whose nanosecond it is. */
static void pass_next(Run *r)
{
    uint64_t end = UINT64_MAX;
    struct envme_cqe c;
    unsigned same = 0;

    for (unsigned i = 0; i < r->n; i++) {
        same = r->op[i].end < end ? 1 : same + (r->op[i].end == end);
        end = MIN(end, r->op[i].end);
    }
    if (end > r->now) {
        if (end - r->now > 1) {
            pass(r->q, end - 1 - r->now);
        }
        fence(r->q);
        g_assert_false(qn_peek(r->q, r->sq->cq, &c));
        r->now = qtest_clock_step(r->q->qts, 1);
        g_assert_cmpuint(r->now, ==, end);
    }
    while (same--) {
        take(r, end);
    }
    fence(r->q);
    g_assert_false(qn_peek(r->q, r->sq->cq, &c));
}

static void pass_until(Run *r, unsigned left)
{
    while (r->n > left) {
        pass_next(r);
    }
}

/* ---- against the model -------------------------------------------------- */

/* What is given as properties and to the model alike. */
typedef struct Row {
    const char *name, *profile;
    const char *latency[ENVME_TIME_COUNT];
    uint64_t rate[ENVME_RATE_COUNT];
    uint64_t seed;
    uint32_t channels, stripe;
    unsigned ps, kelvin;
    uint32_t scale;             /* per mille, by these two; 0: 1000 */
} Row;

#define LOGNORMAL "lognormal:80us:0.4"
#define UNIFORM "uniform:60us:100us"
#define TABLE "table:0=60us:50=80us:99.9=1ms:100=5ms"

static const Row rows[] = {
    { "fixed", .latency = { [ENVME_TIME_READ] = "80us",
                            [ENVME_TIME_WRITE] = "20us",
                            [ENVME_TIME_ZEROES] = "3us",
                            [ENVME_TIME_FLUSH] = "1ms",
                            [ENVME_TIME_DSM] = "2ms",
                            [ENVME_TIME_COPY] = "150ns" } },
    { "uniform", .latency = { [ENVME_TIME_READ] = UNIFORM,
                              [ENVME_TIME_WRITE] = UNIFORM,
                              [ENVME_TIME_FLUSH] = UNIFORM } },
    { "lognormal", .seed = 7, .latency = { [ENVME_TIME_READ] = LOGNORMAL,
                                           [ENVME_TIME_WRITE] = LOGNORMAL,
                                           [ENVME_TIME_COPY] = LOGNORMAL } },
    { "table", .seed = UINT64_MAX, .latency = { [ENVME_TIME_READ] = TABLE,
                                                [ENVME_TIME_DSM] = TABLE,
                                                [ENVME_TIME_ZEROES] = TABLE } },
    { "iops", .rate = { [ENVME_RATE_CMDS] = 30000 } },
    { "iops-each", .rate = { [ENVME_RATE_READ_CMDS] = 9000,
                             [ENVME_RATE_WRITE_CMDS] = 7000 } },
    { "bandwidth", .rate = { [ENVME_RATE_BYTES] = 30000000 } },
    { "bandwidth-each", .rate = { [ENVME_RATE_READ_BYTES] = 11000000,
                                  [ENVME_RATE_WRITE_BYTES] = 7000000 } },
    { "all-limits", .rate = { 30000000, 20000000, 15000000, 20000, 15000,
                              9000 },
      .latency = { [ENVME_TIME_READ] = UNIFORM } },
    { "channels", .channels = 4,
      .latency = { [ENVME_TIME_READ] = UNIFORM, [ENVME_TIME_WRITE] = LOGNORMAL,
                   [ENVME_TIME_COPY] = TABLE, [ENVME_TIME_FLUSH] = "5us" } },
    { "stripe", .channels = 3, .stripe = 512,
      .latency = { [ENVME_TIME_READ] = "80us", [ENVME_TIME_WRITE] = "20us",
                   [ENVME_TIME_FLUSH] = "5us" } },
    { "optane", .profile = "optane" },
    { "tlc", .profile = "tlc", .seed = 3 },
    { "qlc", .profile = "qlc", .seed = 4 },
    { "hdd", .profile = "hdd" },
    { "profile-and-more", .profile = "tlc", .channels = 2,
      .rate = { [ENVME_RATE_CMDS] = 10000 },
      .latency = { [ENVME_TIME_FLUSH] = "77us" } },
    { "power-state", .ps = 1, .scale = 2500, .profile = "tlc" },
    { "warm", .kelvin = TMT1, .scale = 1500, .profile = "optane" },
    { "hot", .kelvin = TMT2, .scale = 4000, .profile = "qlc" },
    { "warm-power-state", .ps = 1, .kelvin = TMT1, .scale = 3750,
      .latency = { [ENVME_TIME_READ] = UNIFORM },
      .rate = { [ENVME_RATE_BYTES] = 30000000 } },
};

static const char *const latency_names[ENVME_TIME_COUNT] = {
    NULL, "read", "write", "zeroes", "flush", "dsm", "copy",
};
static const char *const rate_names[ENVME_RATE_COUNT] = {
    "bandwidth", "bandwidth.read", "bandwidth.write", "iops", "iops.read",
    "iops.write",
};

static char *row_props(const Row *r)
{
    GString *s = g_string_new(NULL);

    g_string_append_printf(s, "latency.seed=%" PRIu64, r->seed);
    if (r->profile) {
        g_string_append_printf(s, ",profile=%s", r->profile);
    }
    for (unsigned i = 0; i < ENVME_TIME_COUNT; i++) {
        if (r->latency[i]) {
            g_string_append_printf(s, ",latency.%s=%s", latency_names[i],
                                   r->latency[i]);
        }
    }
    for (unsigned i = 0; i < ENVME_RATE_COUNT; i++) {
        if (r->rate[i]) {
            g_string_append_printf(s, ",%s=%" PRIu64, rate_names[i],
                                   r->rate[i]);
        }
    }
    if (r->channels) {
        g_string_append_printf(s, ",channels=%u", r->channels);
    }
    if (r->stripe) {
        g_string_append_printf(s, ",channel-stripe=%u", r->stripe);
    }
    return g_string_free(s, FALSE);
}

static struct envme_timing *row_model(const Row *r)
{
    struct envme_timing_params p = { .seed = r->seed };
    struct envme_timing *t;

    g_assert_true(!r->profile || envme_timing_profile(r->profile, &p));
    for (unsigned i = 0; i < ENVME_TIME_COUNT; i++) {
        if (r->latency[i]) {
            g_assert_null(envme_dist_parse(r->latency[i], &p.latency[i]));
        }
    }
    for (unsigned i = 0; i < ENVME_RATE_COUNT; i++) {
        p.rate[i] = r->rate[i] ? r->rate[i] : p.rate[i];
    }
    p.channels = r->channels ? r->channels : p.channels;
    p.stripe = r->stripe ? r->stripe : p.stripe;
    g_assert_true(envme_timing_wanted(&p));
    t = envme_timing_new(&p);
    envme_timing_scale(t, r->scale ? r->scale : ENVME_TIMING_FULL);
    return t;
}

/* Commands of all kinds, some more while half of them are under way, and some
 * after a pause. */
static void test_model(const void *data)
{
    const Row *row = data;
    g_autofree char *props = row_props(row);
    struct envme_timing *model = row_model(row);
    GRand *rand = g_rand_new_with_seed(1);
    Run r;

    begin(&r, props, row->ps, row->kelvin);
    for (unsigned batch = 0; batch < 4; batch++) {
        for (unsigned i = 0; i < 8; i++) {
            /* No two in the same blocks. */
            Op *op = add(&r, g_rand_int_range(rand, ENVME_TIME_READ,
                                              ENVME_TIME_COUNT),
                         (batch * 8 + i) * 64 + g_rand_int_range(rand, 0, 32),
                         g_rand_int_range(rand, 1, 17));
            bool blocks = op->kind != ENVME_TIME_FLUSH &&
                          op->kind != ENVME_TIME_DSM;

            op->end = envme_timing_end(model, op->kind, r.now,
                                       blocks ? op->slba * BLOCK : 0,
                                       blocks ? op->nlb * BLOCK : 0);
        }
        ring(&r);
        pass_until(&r, batch < 2 ? r.n / 2 : 0);
        if (batch == 2) {
            r.now = qtest_clock_step(r.q->qts, 12345678);
        }
    }
    finish(&r);
    g_rand_free(rand);
    envme_timing_free(model);
}

/* ---- in so many words --------------------------------------------------- */

typedef struct Said {
    const char *name, *props;
    unsigned ps, kelvin;
    Op op[4];                   /* all at once; end: microseconds from then */
} Said;

#define OP(k, at, n, us) \
    { .kind = ENVME_TIME_##k, .slba = at, .nlb = n, .end = us }
#define READ(...)   OP(READ, __VA_ARGS__)
#define WRITE(...)  OP(WRITE, __VA_ARGS__)
#define ZEROES(...) OP(ZEROES, __VA_ARGS__)
#define COPY(...)   OP(COPY, __VA_ARGS__)
#define DSM(...)    OP(DSM, __VA_ARGS__)
#define FLUSH(us)   OP(FLUSH, 0, 0, us)

static const Said said[] = {
    /* Commands don't wait for each other. */
    { "latency", "latency.read=100us,latency.write=30us", 0, 0,
      { READ(0, 1, 100), READ(0, 8, 100), WRITE(8, 1, 30),
        FLUSH(0) } },
    { "table", "latency.read=table:100=50us", 0, 0,
      { READ(0, 1, 50), READ(0, 1, 50) } },
    /* One in a millisecond, and the first at once. */
    { "iops", "iops=1000", 0, 0,
      { READ(0, 1, 0), WRITE(1, 9, 1000), DSM(16, 1, 2000),
        FLUSH(3000) } },
    { "iops-read", "iops.read=1000,latency.read=100us", 0, 0,
      { READ(0, 1, 100), READ(0, 1, 1100), WRITE(8, 1, 0),
        READ(0, 1, 2100) } },
    { "iops-write", "iops.write=1000", 0, 0,
      { WRITE(0, 1, 0), ZEROES(8, 1, 1000), READ(16, 1, 0),
        COPY(24, 1, 2000) } },
    /* A microsecond for a byte. */
    { "bandwidth", "bandwidth=1000000", 0, 0,
      { READ(0, 1, 512), WRITE(8, 2, 1536), ZEROES(16, 8, 0),
        COPY(24, 1, 2560) } },
    { "bandwidth-read", "bandwidth.read=1000000", 0, 0,
      { READ(0, 2, 1024), WRITE(8, 2, 0), COPY(24, 1, 1536) } },
    { "bandwidth-write", "bandwidth.write=1000000,latency.write=10us", 0, 0,
      { READ(0, 2, 0), WRITE(8, 2, 1034), WRITE(24, 1, 1546) } },
    /* Block n lies in channel n mod 2. */
    { "channels", "channels=2,channel-stripe=512,latency.read=100us", 0, 0,
      { READ(0, 1, 100), READ(2, 1, 200), READ(1, 1, 100),
        READ(4, 2, 300) } },
    { "one-stripe", "channels=2,latency.read=100us", 0, 0,
      { READ(0, 8, 100), READ(8, 8, 100), READ(4, 8, 200),
        READ(16, 1, 300) } },
    /* A head, and a turn of the disk when it has nothing to do. */
    { "hdd", "profile=hdd", 0, 0,
      { ZEROES(0, 1, 12400), ZEROES(8, 1, 24800),
        FLUSH(33100), DSM(16, 1, 1000) } },
    { "optane", "profile=optane", 0, 0,
      { ZEROES(0, 1, 10), DSM(8, 1, 10), FLUSH(11) } },
    { "tlc", "profile=tlc", 0, 0, { FLUSH(5), DSM(0, 1, 50) } },
    { "qlc", "profile=qlc", 0, 0, { FLUSH(10), DSM(0, 1, 100) } },
    /* What is given beside it takes its place; the rest stays. */
    { "beside", "profile=hdd,latency.zeroes=1ms,channels=2", 0, 0,
      { ZEROES(0, 1, 1000), ZEROES(2048, 1, 1000),
        FLUSH(9300) } },
    /* 40 percent of full speed. */
    { "power-state", "latency.read=100us,iops.read=1000", 1, 0,
      { READ(0, 1, 250), READ(0, 1, 2750) } },
    { "warm", "latency.read=100us,bandwidth.write=1000000", 0, TMT1,
      { READ(0, 1, 150), WRITE(8, 1, 768) } },
    { "hot", "latency.read=100us,channels=1", 0, TMT2,
      { READ(0, 1, 400), READ(0, 1, 800) } },
    { "hot-power-state", "latency.read=100us", 1, TMT2,
      { READ(0, 1, 1000) } },
};

static void test_said(const void *data)
{
    const Said *s = data;
    Run r;

    begin(&r, s->props, s->ps, s->kelvin);
    for (unsigned i = 0; i < G_N_ELEMENTS(s->op) && s->op[i].kind; i++) {
        Op *op = add(&r, s->op[i].kind, s->op[i].slba, s->op[i].nlb);

        op->end = r.now + s->op[i].end * US;
    }
    ring(&r);
    pass_until(&r, 0);
    finish(&r);
}

/* ---- the seed ----------------------------------------------------------- */

#define DRAWS 12
#define LONGEST 400             /* us, of the distributions below */

static const char *const random_ones[] = {
    "uniform:60us:100us", "lognormal:80us:0.2",
    "table:0=60us:50=80us:99=100us:100=400us",
};

/* After how many microseconds each of some reads has ended, as a host sees
 * it. */
static void observe(const char *dist, unsigned seed, unsigned us[DRAWS])
{
    g_autofree char *props = g_strdup_printf("latency.seed=%u,latency.read=%s",
                                             seed, dist);
    unsigned ended = 0;
    uint16_t first;
    Run r;

    begin(&r, props, 0, 0);
    first = add(&r, ENVME_TIME_READ, 0, 1)->cid;
    while (r.n < DRAWS) {
        add(&r, ENVME_TIME_READ, 0, 1);
    }
    ring(&r);
    for (unsigned t = 0; ended < DRAWS; t++) {
        struct envme_cqe c;

        g_assert_cmpuint(t, <=, LONGEST);
        while (qn_peek(r.q, r.sq->cq, &c)) {
            qn_assert_ok(c);
            qn_ring_cq(r.q, r.sq->cq);
            us[(uint16_t)(le16_get(c.cid) - first)] = t;
            ended++;
        }
        pass(r.q, US);
        fence(r.q);
    }
    finish(&r);
}

/* The same seed gives the same times, and another one others. */
static void test_seed(const void *data)
{
    unsigned a[DRAWS], b[DRAWS], other[DRAWS], least = LONGEST, most = 0;

    observe(data, 7, a);
    observe(data, 7, b);
    observe(data, 8, other);
    g_assert_cmpmem(a, sizeof(a), b, sizeof(b));
    g_assert_cmpint(memcmp(a, other, sizeof(a)), !=, 0);
    for (unsigned i = 0; i < DRAWS; i++) {
        least = MIN(least, a[i]);
        most = MAX(most, a[i]);
    }
    g_assert_cmpuint(least, >=, 20);
    g_assert_cmpuint(most, >, least);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strdup_printf("/timing/model/%s",
                                                rows[i].name);

        qn_add_data(path, &rows[i], test_model, 0);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(said); i++) {
        g_autofree char *path = g_strdup_printf("/timing/said/%s",
                                                said[i].name);

        qn_add_data(path, &said[i], test_said, 0);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(random_ones); i++) {
        g_autofree char *path = g_strdup_printf(
            "/timing/seed/%.*s", (int)strcspn(random_ones[i], ":"),
            random_ones[i]);

        qn_add_data(path, random_ones[i], test_seed, 0);
    }
    return g_test_run();
}
