/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Service times: when commands end, what delays don't hold up, and what ends
 * a delay. The model itself has tests/unit/test-timing.c.
 */
#include "th.h"

#include "hw/ctrl/pace.h"

#define US 1000ull
#define MS 1000000ull
#define S  1000000000ull

static const char *model[ENVME_TIME_COUNT];
static struct envme_timing_params extra;
static unsigned places;

static void tweak(struct envme_ctrl_params *p)
{
    p->timing = extra;
    p->max_inflight = places;
    p->wrr = true;
    p->awun = 7;
    for (unsigned i = 0; i < ENVME_TIME_COUNT; i++) {
        g_autofree char *err = model[i] ? envme_dist_parse(model[i],
                                                   &p->timing.latency[i])
                                        : NULL;

        g_assert_null(err);
    }
}

/* Back to what a test begins with. */
static void plain(void)
{
    memset(model, 0, sizeof(model));
    memset(&extra, 0, sizeof(extra));
    places = 0;
}

/* Where commands begin. */
struct watch {
    struct envme_cmd *cmd;
    uint64_t t0;
    unsigned n;
};

static void watch_fetched(void *opaque, struct envme_cmd *cmd)
{
    cmd->fault = opaque;
}

static bool watch_pre(void *opaque, struct envme_cmd *cmd,
                      struct envme_status *st)
{
    struct watch *w = opaque;

    (void)st;
    if (!cmd->is_admin) {
        w->cmd = cmd;
        w->t0 = envme_now(cmd->ctrl);
        w->n++;
    }
    return true;
}

static void watch_gone(void *opaque, struct envme_cmd *cmd)
{
    g_assert_true(cmd->fault == opaque);
}

static struct th *host(unsigned lanes, uint64_t seed, struct watch *w)
{
    struct th *h = th_new(.lanes = lanes, .seed = seed, .tweak = tweak,
                          .ns = { { .size = 16 * MIB } });

    if (w) {
        h->ctrl->hooks = (struct envme_hooks){
            .opaque = w, .fetched = watch_fetched, .pre = watch_pre,
            .gone = watch_gone,
        };
        h->ctrl->watch = ENVME_WATCH_CMD;
    }
    th_enable(h);
    th_queues(h, 2, 64);
    return h;
}

static void run_to(struct th *h, uint64_t t)
{
    if (atomic_load(&h->clock) < t) {
        th_advance(h, t - atomic_load(&h->clock));
    }
}

static bool is_done(struct th *h, uint16_t qid, uint16_t cid)
{
    struct envme_cqe c;

    th_reap(h, qid);
    return th_done(h, qid, cid, &c);
}

/* The command that w saw takes `ns` from when it began, and ends well. */
static void expect_time(struct th *h, struct watch *w, uint16_t cid,
                        uint64_t ns)
{
    struct envme_cmd *cmd = w->cmd;
    struct envme_cqe c;

    g_assert_cmpuint(cmd->due.slot, !=, 0);
    g_assert_cmpuint(cmd->due.when - w->t0, ==, ns);
    run_to(h, cmd->due.when - 20 * US);
    th_reap(h, 1);
    if (atomic_load(&h->clock) < cmd->due.when) {
        g_assert_false(th_done(h, 1, cid, &c));
    }
    run_to(h, w->t0 + ns);
    th_reap(h, 1);
    g_assert_true(th_done(h, 1, cid, &c));
    th_assert_sc(c, SUCCESS);
}

/* Each class has its own time. */
static void test_classes(void)
{
    static const struct {
        uint8_t opc;
        enum envme_time_class kind;
    } cmds[] = {
        { ENVME_NVM_READ, ENVME_TIME_READ },
        { ENVME_NVM_WRITE, ENVME_TIME_WRITE },
        { ENVME_NVM_COMPARE, ENVME_TIME_READ },
        { ENVME_NVM_VERIFY, ENVME_TIME_READ },
        { ENVME_NVM_WRITE_ZEROES, ENVME_TIME_ZEROES },
        { ENVME_NVM_FLUSH, ENVME_TIME_FLUSH },
        { ENVME_NVM_DSM, ENVME_TIME_DSM },
        { ENVME_NVM_COPY, ENVME_TIME_COPY },
        { ENVME_NVM_WRITE_UNCOR, ENVME_TIME_ZEROES },
    };
    static const uint64_t ns[ENVME_TIME_COUNT] = {
        0, 2 * MS, 3 * MS, 5 * MS, 7 * MS, 11 * MS, 13 * MS,
    };

    plain();
    model[ENVME_TIME_READ] = "2ms";
    model[ENVME_TIME_WRITE] = "3ms";
    model[ENVME_TIME_ZEROES] = "5ms";
    model[ENVME_TIME_FLUSH] = "7ms";
    model[ENVME_TIME_DSM] = "11ms";
    model[ENVME_TIME_COPY] = "13ms";
    for (unsigned lanes = 0; lanes < 3; lanes++) {
        for (unsigned later = 0; later < 2; later++) {
            struct watch w = { 0 };
            struct th *h = host(lanes, lanes + 1, &w);
            struct th_buf *b = th_buf_new(h, 512, TH_PRP);

            h->be[0]->later = later;
            for (unsigned i = 0; i < G_N_ELEMENTS(cmds); i++) {
                struct envme_sqe s = th_sqe_rw(cmds[i].opc, 1, 8, 1);
                uint16_t cid;

                th_buf_fill(b, 0);
                th_buf_attach(b, &s);
                if (cmds[i].opc == ENVME_NVM_DSM ||
                    cmds[i].opc == ENVME_NVM_COPY) {
                    s.cdw11 = le32(cmds[i].opc == ENVME_NVM_DSM ? 4 : 0);
                    s.cdw12 = le32(0);
                }
                if (cmds[i].opc == ENVME_NVM_DSM) {
                    s.cdw10 = le32(0);
                } else if (cmds[i].opc == ENVME_NVM_FLUSH) {
                    s.cdw10 = s.cdw12 = le32(0);
                }
                cid = th_submit(h, 1, &s);
                th_run(h);
                expect_time(h, &w, cid, ns[cmds[i].kind]);
            }
            th_buf_free(b);
            th_free(h);
        }
    }
}

/* No time: what has none, admin commands, and what is refused. */
static void test_no_time(void)
{
    struct envme_sqe f = th_sqe(ENVME_NVM_FLUSH, 1);
    struct th *h;
    uint32_t v;

    plain();
    model[ENVME_TIME_READ] = "10s";
    h = host(1, 1, NULL);
    th_assert_sc(th_io(h, 1, &f), SUCCESS);
    th_assert_sc(th_write(h), SUCCESS);
    th_assert_sc(th_get_feature(h, ENVME_FID_ARBITRATION, 0, 0, &v), SUCCESS);
    th_assert_sc(th_read(h, .slba = 1u << 30), LBA_RANGE);
    th_assert_sc(th_read(h, .nsid = 9), INVALID_FIELD);
    g_assert_cmpuint(atomic_load(&h->clock), <, 2 * S);
    th_free(h);
}

static uint16_t start(struct th *h, uint16_t qid, uint8_t opc, uint64_t slba,
                      uint32_t nlb, struct th_buf *b)
{
    struct envme_sqe s = th_sqe_rw(opc, 1, slba, nlb);
    uint16_t cid;

    th_buf_attach(b, &s);
    cid = th_submit(h, qid, &s);
    th_run(h);
    return cid;
}

/* Commands queue for a channel, and only for that; bytes and commands are
 * counted. Durations to the nanosecond. */
static void test_queueing(void)
{
    struct watch w = { 0 };
    uint64_t first;
    struct th_buf *b;
    struct th *h;

    plain();
    model[ENVME_TIME_READ] = "5ms";
    extra.channels = 4;
    extra.stripe = 4096;
    h = host(1, 1, &w);
    b = th_buf_new(h, 8192, TH_PRP);
    start(h, 1, ENVME_NVM_READ, 0, 8, b);
    first = w.t0;
    g_assert_cmpuint(w.cmd->due.when, ==, first + 5 * MS);
    start(h, 1, ENVME_NVM_READ, 8 * 4, 8, b);       /* the same channel */
    g_assert_cmpuint(w.cmd->due.when, ==, first + 10 * MS);
    start(h, 2, ENVME_NVM_READ, 8, 8, b);           /* another */
    g_assert_cmpuint(w.cmd->due.when, ==, w.t0 + 5 * MS);
    start(h, 2, ENVME_NVM_READ, 24, 16, b);         /* 3 and 0 */
    g_assert_cmpuint(w.cmd->due.when, ==, first + 15 * MS);
    /* A reset forgets them. */
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);
    th_queues(h, 1, 8);
    start(h, 1, ENVME_NVM_READ, 0, 8, b);
    g_assert_cmpuint(w.cmd->due.when, ==, w.t0 + 5 * MS);
    th_buf_free(b);
    th_free(h);

    plain();
    extra.rate[ENVME_RATE_WRITE_BYTES] = 4096 * 10;
    extra.rate[ENVME_RATE_CMDS] = 2;
    h = host(0, 1, &w);
    b = th_buf_new(h, 4096, TH_PRP);
    start(h, 1, ENVME_NVM_WRITE, 0, 8, b);
    first = w.t0;
    g_assert_cmpuint(w.cmd->due.when, ==, first + S / 10);
    start(h, 1, ENVME_NVM_WRITE, 0, 4, b);
    g_assert_cmpuint(w.cmd->due.when, ==, first + S / 2 + S / 20);
    start(h, 1, ENVME_NVM_VERIFY, 0, 8, b);
    g_assert_cmpuint(w.cmd->due.when, ==, first + S);
    th_buf_free(b);
    th_free(h);
}

/* What a Copy moves, its ranges say; no more than it may have. */
static void test_copy(void)
{
    struct envme_copy_range_f0 r[2] = {
        { .slba = le64(100), .nlb = le16(9) },
        { .slba = le64(200), .nlb = le16(19) },
    };
    struct watch w = { 0 };
    struct envme_sqe s = th_sqe(ENVME_NVM_COPY, 1);
    struct th_buf *b;
    struct th *h;
    uint16_t cid;

    plain();
    extra.rate[ENVME_RATE_READ_BYTES] = 512 * 1000;
    h = host(1, 1, &w);
    b = th_buf_new(h, sizeof(r), TH_PRP);
    th_buf_put(b, r);
    th_buf_attach(b, &s);
    s.cdw12 = le32(1);
    cid = th_submit(h, 1, &s);
    th_run(h);
    expect_time(h, &w, cid, 30 * MS);
    r[0].nlb = r[1].nlb = le16(0xffff);
    th_buf_put(b, r);
    th_submit(h, 1, &s);
    th_run(h);
    g_assert_cmpuint(w.cmd->t_end - w.t0, ==, 128 * MS);
    th_buf_free(b);
    th_free(h);
}

/* A slow command does not hold up a fast one, on the same queue or another,
 * nor the backend's work: the data has long been written. */
static void test_others(void)
{
    for (unsigned lanes = 0; lanes < 2; lanes++) {
        uint8_t data[512];
        struct th_buf *b;
        struct th *h;
        uint16_t cid;

        plain();
        model[ENVME_TIME_WRITE] = "60s";
        model[ENVME_TIME_FLUSH] = "1ms";
        h = host(lanes, 1, NULL);
        b = th_buf_new(h, 512, TH_PRP);
        memset(data, 0x5a, 512);
        th_buf_put(b, data);
        cid = start(h, 1, ENVME_NVM_WRITE, 3, 1, b);
        memset(data, 0, 512);
        th_assert_sc(th_read(h, .slba = 3, .data = data), SUCCESS);
        g_assert_cmphex(data[17], ==, 0x5a);
        th_assert_sc(th_read(h, .qid = 2, .slba = 3, .data = data), SUCCESS);
        /* Nothing is mapped for it, and no change of shape waits for it:
         * neither one that parks the lanes, nor one that drains them. */
        g_assert_true(envme_ctrl_quiet(h->ctrl));
        th_assert_code(th_create_cq(h, .qid = 3, .size = 8), SUCCESS);
        th_assert_code(th_create_sq(h, .qid = 3, .size = 8), SUCCESS);
        {
            struct envme_sqe s = th_sqe(ENVME_ADM_FORMAT, 1);

            th_assert_sc(th_admin(h, &s), SUCCESS);
        }
        g_assert_cmpuint(atomic_load(&h->clock), <, 3 * S);
        g_assert_false(is_done(h, 1, cid));
        th_advance(h, 60 * S);
        g_assert_true(is_done(h, 1, cid));
        th_buf_free(b);
        th_free(h);
    }
}

static void test_abort(void)
{
    for (unsigned lanes = 0; lanes < 3; lanes++) {
        struct envme_log_error e;
        struct envme_cqe c;
        struct th_buf *b;
        struct th *h;
        uint16_t cid[3];

        plain();
        model[ENVME_TIME_WRITE] = "60s";
        h = host(lanes, lanes + 1, NULL);
        b = th_buf_new(h, 512, TH_PRP);
        for (unsigned i = 0; i < 3; i++) {
            cid[i] = start(h, 1, ENVME_NVM_WRITE, i, 1, b);
        }
        c = th_abort(h, 1, cid[1]);
        th_assert_sc(c, SUCCESS);
        g_assert_cmphex(le32_get(c.dw0), ==, 0);
        c = th_wait(h, 1, cid[1]);
        th_assert_sc(c, ABORT_REQUESTED);
        g_assert_true(cqe_more(&c));
        th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, &e,
                                sizeof(e), false), SUCCESS);
        g_assert_cmpuint(le16_get(e.cid), ==, cid[1]);
        g_assert_cmpuint(le16_get(e.sqid), ==, 1);
        /* Twice: it is gone. */
        c = th_abort(h, 1, cid[1]);
        g_assert_cmphex(le32_get(c.dw0), ==, ENVME_ABORT_IANP);
        g_assert_cmpuint(atomic_load(&h->clock), <, 3 * S);
        g_assert_false(is_done(h, 1, cid[0]));
        th_advance(h, 60 * S);
        th_assert_sc(th_wait(h, 1, cid[0]), SUCCESS);
        th_assert_sc(th_wait(h, 1, cid[2]), SUCCESS);
        th_buf_free(b);
        th_free(h);
    }
}

/* The backend has it when it is to go, and lets go of it late: no time is
 * waited for after that. */
static void test_too_late(void)
{
    for (unsigned i = 0; i < 4; i++) {
        struct envme_sqe s = th_sqe(i & 1 ? ENVME_ADM_DELETE_SQ
                                          : ENVME_ADM_ABORT, 0);
        struct envme_cqe c;
        struct th_buf *b;
        struct th *h;
        uint16_t cid, admin;

        plain();
        model[ENVME_TIME_WRITE] = "60s";
        h = host(i / 2, i + 1, NULL);
        b = th_buf_new(h, 512, TH_PRP);
        h->be[0]->hold = true;
        h->be[0]->cancel_completes = false;
        cid = start(h, 1, ENVME_NVM_WRITE, 0, 1, b);
        s.cdw10 = le32((uint32_t)(i & 1 ? 0 : cid) << 16 | 1);
        admin = th_submit(h, 0, &s);
        th_run(h);
        h->be[0]->hold = false;
        th_be_release_all(h->be[0], 0);
        th_assert_sc(th_wait(h, 1, cid), SUCCESS);
        c = th_wait(h, 0, admin);
        th_assert_sc(c, SUCCESS);
        g_assert_cmphex(le32_get(c.dw0), ==, i & 1 ? 0 : ENVME_ABORT_IANP);
        g_assert_cmpuint(atomic_load(&h->clock), <, 3 * S);
        th_buf_free(b);
        th_free(h);
    }
}

/* The queue goes at once; what was carried out is told before. */
static void test_delete(void)
{
    for (unsigned lanes = 0; lanes < 3; lanes++) {
        struct envme_sqe s = th_sqe(ENVME_ADM_DELETE_SQ, 0);
        struct th_buf *b;
        struct th *h;
        uint16_t cid[4], other;

        plain();
        model[ENVME_TIME_WRITE] = "60s";
        h = host(lanes, lanes + 1, NULL);
        b = th_buf_new(h, 512, TH_PRP);
        for (unsigned i = 0; i < 4; i++) {
            cid[i] = start(h, 1, ENVME_NVM_WRITE, i, 1, b);
        }
        other = start(h, 2, ENVME_NVM_WRITE, 9, 1, b);
        s.cdw10 = le32(1);
        th_assert_sc(th_admin(h, &s), SUCCESS);
        for (unsigned i = 0; i < 4; i++) {
            th_assert_sc(th_wait(h, 1, cid[i]), SUCCESS);
        }
        g_assert_cmpuint(atomic_load(&h->clock), <, 3 * S);
        g_assert_false(is_done(h, 2, other));
        th_buf_free(b);
        th_free(h);
    }
}

/* th_reset() sees to it that the controller is idle without time going by. */
static void test_reset(void)
{
    static const enum envme_reset kinds[] = {
        ENVME_RESET_CC, ENVME_RESET_FUNCTION, ENVME_RESET_NSSR,
    };

    for (unsigned i = 0; i < 9; i++) {
        struct envme_cqe c;
        struct th_buf *b;
        struct th *h;
        uint16_t cid;

        plain();
        model[ENVME_TIME_WRITE] = "60s";
        places = i % 2 ? 40 : 0;
        h = host(i % 3, i + 1, NULL);
        b = th_buf_new(h, 512, TH_PRP);
        h->be[0]->later = i & 2;
        for (unsigned k = 0; k < 40; k++) {
            cid = start(h, 1 + k % 2, ENVME_NVM_WRITE, k, 1, b);
        }
        if (kinds[i / 3] == ENVME_RESET_CC) {
            th_disable(h);
        } else {
            th_reset(h, kinds[i / 3]);
        }
        g_assert_cmpuint(atomic_load(&h->clock), <, 3 * S);
        th_enable(h);
        th_queues(h, 1, 8);
        cid = start(h, 1, ENVME_NVM_WRITE, 0, 1, b);
        th_advance(h, 60 * S);
        g_assert_true(th_try_wait(h, 1, cid, &c));
        th_assert_sc(c, SUCCESS);
        th_buf_free(b);
        th_free(h);
    }
}

/* Off: quiet at once. On: what came due meanwhile is posted, the rest when it
 * is due. */
static void test_bme(void)
{
    for (unsigned lanes = 0; lanes < 2; lanes++) {
        struct th_buf *b;
        struct th *h;
        uint16_t quick, slow;

        plain();
        model[ENVME_TIME_WRITE] = "1s";
        model[ENVME_TIME_ZEROES] = "60s";
        h = host(lanes, 1, NULL);
        b = th_buf_new(h, 512, TH_PRP);
        quick = start(h, 1, ENVME_NVM_WRITE, 0, 1, b);
        slow = start(h, 1, ENVME_NVM_WRITE_ZEROES, 0, 1, b);
        th_bme(h, false);
        g_assert_true(envme_ctrl_quiet(h->ctrl));
        th_advance(h, 2 * S);
        g_assert_false(is_done(h, 1, quick));
        th_bme(h, true);
        th_run(h);
        g_assert_true(is_done(h, 1, quick));
        g_assert_false(is_done(h, 1, slow));
        th_advance(h, 60 * S);
        g_assert_true(is_done(h, 1, slow));
        th_buf_free(b);
        th_free(h);
    }
}

/* One at a time: they take their times one after the other. */
static void test_one_at_a_time(void)
{
    struct watch w = { 0 };
    struct th_buf *b;
    uint64_t due = 0;
    struct th *h;

    plain();
    model[ENVME_TIME_READ] = "uniform:1ms:9ms";
    extra.seed = 5;
    places = 1;
    h = host(2, 1, &w);
    b = th_buf_new(h, 512, TH_PRP);
    for (unsigned i = 0; i < 20; i++) {
        start(h, 1 + i % 2, ENVME_NVM_READ, i, 1, b);
    }
    for (unsigned i = 1; i <= 20; i++) {
        g_assert_cmpuint(w.n, ==, i);
        g_assert_cmpuint(w.t0, >=, due);
        due = w.cmd->due.when;
        g_assert_cmpuint(due - w.t0, >=, MS);
        g_assert_cmpuint(due - w.t0, <=, 9 * MS);
        run_to(h, due);
        th_run(h);
    }
    th_buf_free(b);
    th_free(h);
}

/* The same seed, the same times. */
static void test_seed(void)
{
    uint64_t took[3][10];

    plain();
    model[ENVME_TIME_READ] = "lognormal:1ms:0.5";
    for (unsigned run = 0; run < 3; run++) {
        struct watch w = { 0 };
        struct th_buf *b;
        struct th *h;

        extra.seed = run / 2;
        h = host(1, run + 1, &w);
        b = th_buf_new(h, 512, TH_PRP);
        for (unsigned i = 0; i < 10; i++) {
            start(h, 1, ENVME_NVM_READ, i, 1, b);
            took[run][i] = w.cmd->due.when - w.t0;
        }
        th_buf_free(b);
        th_free(h);
    }
    g_assert_cmpmem(took[0], sizeof(took[0]), took[1], sizeof(took[1]));
    g_assert_cmpint(memcmp(took[0], took[2], sizeof(took[0])), !=, 0);
}

static void test_scale(void)
{
    struct watch w = { 0 };
    struct th_buf *b;
    struct th *h;

    plain();
    model[ENVME_TIME_READ] = "4ms";
    h = host(1, 1, &w);
    b = th_buf_new(h, 512, TH_PRP);
    envme_pace_scale(h->ctrl, 2500);
    expect_time(h, &w, start(h, 1, ENVME_NVM_READ, 0, 1, b), 10 * MS);
    envme_pace_scale(h->ctrl, ENVME_TIMING_FULL);
    expect_time(h, &w, start(h, 1, ENVME_NVM_READ, 0, 1, b), 4 * MS);
    th_buf_free(b);
    th_free(h);
    /* Without a model it does nothing. */
    plain();
    h = host(1, 1, NULL);
    envme_pace_scale(h->ctrl, 2500);
    th_assert_sc(th_read(h), SUCCESS);
    th_free(h);
}

/* The blocks of a pair are its own until the second has ended; so the first
 * does not wait, and the second waits for both. */
static void test_fused(void)
{
    struct watch w = { 0 };
    struct envme_sqe first = th_sqe_rw(ENVME_NVM_COMPARE, 1, 4, 1);
    struct envme_sqe second = th_sqe_rw(ENVME_NVM_WRITE, 1, 4, 1);
    struct th_buf *b;
    struct th *h;
    uint16_t a, z;

    plain();
    model[ENVME_TIME_READ] = "9ms";
    model[ENVME_TIME_WRITE] = "2ms";
    h = host(1, 1, &w);
    b = th_buf_new(h, 512, TH_PRP);
    th_buf_attach(b, &first);
    th_buf_attach(b, &second);
    first.flags |= ENVME_FUSE_FIRST;
    second.flags |= ENVME_FUSE_SECOND;
    a = th_put(h, 1, &first);
    z = th_put(h, 1, &second);
    th_ring(h, 1);
    th_run(h);
    th_assert_sc(th_wait(h, 1, a), SUCCESS);
    g_assert_cmpuint(w.n, ==, 2);
    g_assert_cmpuint(w.cmd->due.when - w.t0, >, 8 * MS);
    g_assert_cmpuint(w.cmd->due.when - w.t0, <=, 9 * MS);
    g_assert_false(is_done(h, 1, z));
    th_advance(h, 10 * MS);
    g_assert_true(is_done(h, 1, z));
    th_buf_free(b);
    th_free(h);
}

/* Memory that only lane 0 may touch. */
static void test_moved(void)
{
    struct watch w = { 0 };
    struct th_buf *b;
    struct th *h;
    struct envme_cqe c;
    uint16_t cid;

    plain();
    model[ENVME_TIME_READ] = "4ms";
    h = host(2, 1, &w);
    b = th_buf_new(h, 512, TH_MMIO);
    expect_time(h, &w, start(h, 1, ENVME_NVM_READ, 0, 1, b), 4 * MS);
    cid = start(h, 1, ENVME_NVM_READ, 0, 1, b);
    c = th_abort(h, 1, cid);
    g_assert_cmphex(le32_get(c.dw0), ==, 0);
    th_assert_sc(th_wait(h, 1, cid), ABORT_REQUESTED);
    th_buf_free(b);
    th_free(h);
}

/* A command that fails on the medium takes its time too. */
static void test_failed(void)
{
    struct watch w = { 0 };
    struct th_buf *b;
    struct th *h;
    uint16_t cid;

    plain();
    model[ENVME_TIME_READ] = "4ms";
    h = host(1, 1, &w);
    b = th_buf_new(h, 512, TH_PRP);
    h->be[0]->fail_errno = EIO;
    h->be[0]->fail_op = ENVME_BIO_READ;
    cid = start(h, 1, ENVME_NVM_READ, 0, 1, b);
    g_assert_cmpuint(w.cmd->due.when - w.t0, ==, 4 * MS);
    g_assert_false(is_done(h, 1, cid));
    th_advance(h, 4 * MS);
    th_assert_sc(th_wait(h, 1, cid), UNRECOVERED_READ);
    th_buf_free(b);
    th_free(h);
}

/* Real threads: delays of 0 to 400 us on three lanes that share two channels,
 * while queues go, commands are aborted, Bus Master is off, resets come. */
static void test_threads(void)
{
    struct th *h;
    struct th_buf *b[3];

    plain();
    model[ENVME_TIME_READ] = "uniform:0us:400us";
    model[ENVME_TIME_WRITE] = "lognormal:20us:1";
    extra.channels = 2;
    extra.rate[ENVME_RATE_CMDS] = 200000;
    places = 16;
    h = th_new(.lanes = 3, .threads = true, .tweak = tweak);
    for (unsigned q = 0; q < 3; q++) {
        b[q] = th_buf_new(h, 512, TH_PRP);
    }
    for (unsigned round = 0; round < 40; round++) {
        uint16_t cid[3][20];

        th_enable(h);
        th_queues(h, 3, 64);
        h->be[0]->later = round % 2;
        for (unsigned k = 0; k < 20; k++) {
            for (unsigned q = 0; q < 3; q++) {
                struct envme_sqe s = th_sqe_rw(k % 2 ? ENVME_NVM_READ
                                                     : ENVME_NVM_WRITE, 1,
                                               (k * 3 + q) * 8, 1);

                th_buf_attach(b[q], &s);
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
            for (unsigned k = 0; k < 20; k += 3) {
                th_abort(h, 1, cid[0][k]);
            }
            envme_pace_scale(h->ctrl, 500 + round * 10);
            break;
        case 4:
            th_reset(h, ENVME_RESET_FUNCTION);
            continue;
        }
        for (unsigned k = 0; k < 20; k++) {
            for (unsigned q = 0; q < 3; q++) {
                if (round % 5 != 2 || q != 1) {
                    th_wait(h, q + 1, cid[q][k]);
                }
            }
        }
        th_disable(h);
    }
    for (unsigned q = 0; q < 3; q++) {
        th_buf_free(b[q]);
    }
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/timing/classes", test_classes);
    g_test_add_func("/timing/no-time", test_no_time);
    g_test_add_func("/timing/queueing", test_queueing);
    g_test_add_func("/timing/copy", test_copy);
    g_test_add_func("/timing/others", test_others);
    g_test_add_func("/timing/abort", test_abort);
    g_test_add_func("/timing/too-late", test_too_late);
    g_test_add_func("/timing/delete", test_delete);
    g_test_add_func("/timing/reset", test_reset);
    g_test_add_func("/timing/bme", test_bme);
    g_test_add_func("/timing/one-at-a-time", test_one_at_a_time);
    g_test_add_func("/timing/seed", test_seed);
    g_test_add_func("/timing/scale", test_scale);
    g_test_add_func("/timing/fused", test_fused);
    g_test_add_func("/timing/moved", test_moved);
    g_test_add_func("/timing/failed", test_failed);
    g_test_add_func("/timing/threads", test_threads);
    return g_test_run();
}
