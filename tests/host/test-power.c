/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power states: transitions and their latencies, commands that wait for them,
 * autonomous transitions, what is kept. And Keep Alive. Base 2.1, 3.9 and
 * 8.1.19.
 */
#include "th.h"

#include <glib/gstdio.h>

#include "hw/ctrl/errlog.h"
#include "hw/ctrl/power.h"

#define US 1000ull
#define MS 1000000ull
/* The fake host's clock goes on a little with everything that happens. */
#define EARLY (200 * US)

/* State 3: 2 ms in, 1 ms out; state 4: 4 ms in, 6 ms out. */
static void tweak_five(struct envme_ctrl_params *p)
{
    g_assert_null(envme_pstates_parse("on", &p->pstates));
    g_assert_cmpuint(p->pstates.n, ==, 5);
}

static struct th *five(unsigned lanes, bool threads)
{
    struct th *h = th_new(.tweak = tweak_five, .lanes = lanes,
                          .threads = threads);

    th_enable(h);
    th_queues(h, 2, 16);
    return h;
}

static uint32_t power(struct th *h)
{
    uint32_t v;

    th_assert_sc(th_get_feature(h, ENVME_FID_POWER_MGMT, 0, 0, &v), SUCCESS);
    return v;
}

static bool is_done(struct th *h, uint16_t qid, uint16_t cid, uint16_t *sc)
{
    struct envme_cqe c;

    th_run(h);
    th_reap(h, qid);
    if (!th_done(h, qid, cid, &c)) {
        return false;
    }
    *sc = cqe_sc(&c);
    return true;
}

#define assert_waits(h, qid, cid) \
    do { \
        uint16_t sc_ = 0; \
        g_assert_false(is_done(h, qid, cid, &sc_)); \
    } while (0)
#define assert_done(h, qid, cid, sc) \
    do { \
        uint16_t sc_ = 0; \
        g_assert_true(is_done(h, qid, cid, &sc_)); \
        th_assert_code(sc_, sc); \
    } while (0)

static uint16_t start_set(struct th *h, uint32_t v)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);

    uint16_t cid;

    s.cdw10 = le32(ENVME_FID_POWER_MGMT);
    s.cdw11 = le32(v);
    cid = th_submit(h, 0, &s);
    th_run(h);
    return cid;
}

static uint16_t start_io(struct th *h, uint16_t qid)
{
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_VERIFY, 1, 0, 1);
    uint16_t cid = th_submit(h, qid, &s);

    th_run(h);
    return cid;
}

/* To a state, whatever it takes. */
static void go(struct th *h, uint32_t ps)
{
    uint16_t cid = start_set(h, ps);

    th_run(h);
    th_advance(h, 100 * MS);
    assert_done(h, 0, cid, SUCCESS);
    g_assert_cmpuint(power(h), ==, ps);
}

/* ---- the table --------------------------------------------------------- */

static void test_parse(void)
{
    static const char *const bad[] = {
        "", ":", "8", "8W/", "8W/1", "8W/1/2/101", "8W/1/2/0", "8W/1/2/x",
        "8W:9W", "8W/0/0/idle", "8W/-1/0", "8W/0/60000001", "8kW", "700W",
        "8W/0/0/50/1W/1W/1", "8W/0/0/50/z", "8W:", "W", "8W/1/2/idle:5W",
    };
    struct envme_pstates t;
    GString *many = g_string_new("8W");

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *err = envme_pstates_parse(bad[i], &t);

        if (!err || !strstr(err, "power-states")) {
            g_error("%s: %s", bad[i], err ? err : "fits");
        }
    }
    g_assert_null(envme_pstates_parse("off", &t));
    g_assert_cmpuint(t.n, ==, 0);
    g_assert_null(envme_pstates_parse("1", &t));
    g_assert_cmpuint(t.n, ==, 0);
    g_assert_null(envme_pstates_parse("on", &t));
    g_assert_cmpuint(t.n, ==, 5);
    g_assert_null(envme_pstates_parse("655W/1/2/80/3W/4W:7mW/5/6/idle", &t));
    g_assert_cmpuint(t.n, ==, 2);
    g_assert_cmpuint(t.s[0].mw, ==, 655000);
    g_assert_cmpuint(t.s[0].enlat, ==, 1);
    g_assert_cmpuint(t.s[0].exlat, ==, 2);
    g_assert_cmpuint(t.s[0].speed, ==, 80);
    g_assert_cmpuint(t.s[0].idle_mw, ==, 3000);
    g_assert_cmpuint(t.s[0].active_mw, ==, 4000);
    g_assert_true(envme_pstate_nops(&t, 1) && !envme_pstate_nops(&t, 0));
    for (unsigned i = 1; i < 32; i++) {
        g_string_append(many, ":8W");
    }
    g_assert_null(envme_pstates_parse(many->str, &t));
    g_assert_cmpuint(t.n, ==, 32);
    g_string_append(many, ":8W");
    g_free(envme_pstates_parse(many->str, &t));
    g_assert_cmpuint(t.n, ==, 32);
    g_string_free(many, TRUE);
}

static void test_identify(void)
{
    static const struct {
        uint16_t mp;
        uint8_t flags;
        uint32_t enlat, exlat;
        uint8_t rank;
    } want[] = {
        { 800, 0, 0, 0, 0 },
        { 45000, ENVME_PSD_MXPS, 0, 0, 1 },
        { 30000, ENVME_PSD_MXPS, 0, 0, 2 },
        { 500, ENVME_PSD_MXPS | ENVME_PSD_NOPS, 2000, 1000, 3 },
        { 50, ENVME_PSD_MXPS | ENVME_PSD_NOPS, 4000, 6000, 3 },
    };
    g_autofree struct envme_id_ctrl *id = g_malloc(sizeof(*id));
    struct th *h = five(0, false);
    uint32_t v;

    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmpuint(id->npss, ==, 4);
    g_assert_cmpuint(id->apsta, ==, 1);
    g_assert_true(le32_get(id->ctratt) & ENVME_CTRATT_NOPSPM);
    g_assert_cmpuint(le32_get(id->rtd3r), >, 0);
    g_assert_cmpuint(le32_get(id->rtd3e), >, 0);
    for (unsigned i = 0; i < 5; i++) {
        const struct envme_psd *p = &id->psd[i];

        g_assert_cmpuint(le16_get(p->mp), ==, want[i].mp);
        g_assert_cmphex(p->flags, ==, want[i].flags);
        g_assert_cmpuint(le32_get(p->enlat), ==, want[i].enlat);
        g_assert_cmpuint(le32_get(p->exlat), ==, want[i].exlat);
        g_assert_cmpuint(p->rrt, ==, want[i].rank);
        g_assert_cmpuint(p->rrl, ==, want[i].rank);
        g_assert_cmpuint(p->rwt, ==, want[i].rank);
        g_assert_cmpuint(p->rwl, ==, want[i].rank);
    }
    th_free(h);

    /* One state: nothing of all that is there. */
    h = th_new();
    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmpuint(id->npss, ==, 0);
    g_assert_cmpuint(id->apsta, ==, 0);
    g_assert_cmpuint(le16_get(id->psd[0].mp), ==, 0);
    g_assert_false(le32_get(id->ctratt) & ENVME_CTRATT_NOPSPM);
    th_assert_sc(th_get_feature(h, ENVME_FID_APST, 0, 0, &v), INVALID_FIELD);
    th_assert_sc(th_get_feature(h, ENVME_FID_NOPSC, 0, 0, &v), INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_POWER_MGMT, 0, 1, false),
                 INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_POWER_MGMT, 0, 0x20, false),
                 SUCCESS);
    g_assert_cmphex(power(h), ==, 0x20);
    th_free(h);
}

/* ---- Set Features 02h -------------------------------------------------- */

static void test_set(void)
{
    static const uint32_t bad[] = { 5, 31, 0x60, 0xe0, 0x100, 1u << 31 };
    struct th *h = five(0, false);
    uint16_t cid;

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        th_assert_sc(th_set_feature(h, ENVME_FID_POWER_MGMT, 0, bad[i], false),
                     INVALID_FIELD);
        g_assert_cmpuint(power(h), ==, 0);
    }
    /* Without latencies: at once. */
    th_assert_sc(th_set_feature(h, ENVME_FID_POWER_MGMT, 0, 0x41, false),
                 SUCCESS);
    g_assert_cmphex(power(h), ==, 0x41);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, 100000 / 60);
    th_assert_sc(th_set_feature(h, ENVME_FID_POWER_MGMT, 0, 2, false),
                 SUCCESS);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, 2500);

    cid = start_set(h, 3);
    assert_waits(h, 0, cid);
    g_assert_cmpuint(power(h), ==, 2);
    th_advance(h, 2 * MS - EARLY);
    assert_waits(h, 0, cid);
    th_advance(h, 2 * EARLY);
    assert_done(h, 0, cid, SUCCESS);
    g_assert_cmpuint(power(h), ==, 3);
    /* Exit latency of the one, entry latency of the other. */
    cid = start_set(h, 4);
    th_advance(h, 5 * MS - EARLY);
    assert_waits(h, 0, cid);
    th_advance(h, 2 * EARLY);
    assert_done(h, 0, cid, SUCCESS);
    g_assert_cmpuint(power(h), ==, 4);
    /* The same again: it is there. */
    th_assert_sc(th_set_feature(h, ENVME_FID_POWER_MGMT, 0, 4, false),
                 SUCCESS);
    cid = start_set(h, 0);
    th_advance(h, 6 * MS - EARLY);
    assert_waits(h, 0, cid);
    g_assert_cmpuint(power(h), ==, 4);
    th_advance(h, 2 * EARLY);
    assert_done(h, 0, cid, SUCCESS);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, 1000);
    th_free(h);
}

/* To the nanosecond: what the lane has armed, and nothing before. */
static void test_exact(void)
{
    struct th *h = five(0, false);
    uint64_t start = atomic_load(&h->clock), due;
    uint16_t cid = start_set(h, 4);

    th_run(h);
    due = h->ctrl->lane[0].armed;
    g_assert_cmpuint(due, >=, start + 4 * MS);
    g_assert_cmpuint(due, <=, start + 4 * MS + EARLY);
    atomic_store(&h->clock, due - 1);
    assert_waits(h, 0, cid);
    g_assert_cmpuint(atomic_load(&h->clock), ==, due - 1);
    atomic_store(&h->clock, due);
    assert_done(h, 0, cid, SUCCESS);
    th_free(h);
}

/* Several, one after the other, in their order. */
static void test_set_queue(void)
{
    struct th *h = five(0, false);
    uint16_t a = start_set(h, 3), b = start_set(h, 4), c = start_set(h, 1);

    th_run(h);
    th_advance(h, 2 * MS - EARLY);
    assert_waits(h, 0, a);
    th_advance(h, 2 * EARLY);
    assert_done(h, 0, a, SUCCESS);
    th_advance(h, 5 * MS - EARLY);
    assert_waits(h, 0, b);
    th_advance(h, 2 * EARLY);
    assert_done(h, 0, b, SUCCESS);
    th_advance(h, 6 * MS - EARLY);
    assert_waits(h, 0, c);
    th_advance(h, 2 * EARLY);
    assert_done(h, 0, c, SUCCESS);
    g_assert_cmpuint(power(h), ==, 1);
    th_free(h);
}

/* ---- commands in a non-operational state ------------------------------- */

static void check_wake(unsigned lanes)
{
    struct th *h = five(lanes, false);
    uint16_t a, b, c;

    go(h, 2);
    go(h, 4);
    /* Admin commands don't wake it. */
    th_assert_sc(th_set_feature(h, ENVME_FID_ARBITRATION, 0, 1, false),
                 SUCCESS);
    g_assert_cmpuint(power(h), ==, 4);
    a = start_io(h, 1);
    assert_waits(h, 1, a);
    th_advance(h, 3 * MS);
    b = start_io(h, 2);
    assert_waits(h, 2, b);
    g_assert_cmpuint(power(h), ==, 4);
    th_advance(h, 3 * MS - EARLY);
    assert_waits(h, 1, a);
    assert_waits(h, 2, b);
    th_advance(h, 2 * EARLY);
    assert_done(h, 1, a, SUCCESS);
    assert_done(h, 2, b, SUCCESS);
    /* To the last operational one. */
    g_assert_cmpuint(power(h), ==, 2);
    c = start_io(h, 1);
    assert_done(h, 1, c, SUCCESS);

    /* While it goes to sleep: it gets there, then wakes up. */
    a = start_set(h, 3);
    th_run(h);
    th_advance(h, 1 * MS);
    b = start_io(h, 1);
    assert_waits(h, 1, b);
    assert_waits(h, 0, a);
    th_advance(h, 1 * MS);
    assert_done(h, 0, a, SUCCESS);
    g_assert_cmpuint(power(h), ==, 3);
    th_advance(h, 1 * MS - EARLY);
    assert_waits(h, 1, b);
    th_advance(h, 2 * EARLY);
    assert_done(h, 1, b, SUCCESS);
    g_assert_cmpuint(power(h), ==, 2);
    th_free(h);
}

static void test_wake(void)
{
    check_wake(0);
    check_wake(1);
    check_wake(2);
}

/* What is held is aborted, deleted with its queue, or reset away. */
static void test_held(void)
{
    struct th *h = five(1, false);
    struct envme_cqe c;
    uint16_t a, b;

    go(h, 4);
    a = start_io(h, 1);
    assert_waits(h, 1, a);
    c = th_abort(h, 1, a);
    th_assert_sc(c, SUCCESS);
    g_assert_cmpuint(le32_get(c.dw0), ==, 0);
    assert_done(h, 1, a, ABORT_REQUESTED);
    g_assert_cmpuint(power(h), ==, 4);
    th_advance(h, 6 * MS);
    g_assert_cmpuint(power(h), ==, 0);

    go(h, 4);
    a = start_io(h, 1);
    b = start_io(h, 2);
    assert_waits(h, 1, a);
    assert_waits(h, 2, b);
    th_assert_code(th_delete_sq(h, 1), SUCCESS);
    th_reap(h, 1);
    th_advance(h, 6 * MS);
    assert_done(h, 2, b, SUCCESS);

    go(h, 4);
    a = start_io(h, 2);
    assert_waits(h, 2, a);
    th_disable(h);
    th_enable(h);
    th_queues(h, 2, 16);
    g_assert_cmpuint(power(h), ==, 0);
    a = start_io(h, 2);
    assert_done(h, 2, a, SUCCESS);

    /* A reset in the middle of a transition that somebody waits for. */
    start_set(h, 3);
    start_set(h, 4);
    start_io(h, 1);
    th_run(h);
    th_advance(h, 1 * MS);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_advance(h, 100 * MS);
    th_enable(h);
    g_assert_cmpuint(power(h), ==, 0);
    th_free(h);
}

/* A fused pair waits as one. */
static void test_fused(void)
{
    struct th *h = five(1, false);
    struct th_buf *b[2];
    uint8_t zero[512] = { 0 };
    uint16_t cid[2];

    go(h, 3);
    for (unsigned i = 0; i < 2; i++) {
        struct envme_sqe s = th_sqe_rw(i ? ENVME_NVM_WRITE : ENVME_NVM_COMPARE,
                                       1, 0, 1);

        b[i] = th_buf_new(h, 512, 0);
        th_buf_put(b[i], zero);
        s.flags = FIELD_SET(ENVME_FUSE, i ? ENVME_FUSE_SECOND
                                          : ENVME_FUSE_FIRST);
        th_buf_attach(b[i], &s);
        cid[i] = th_put(h, 1, &s);
    }
    th_ring(h, 1);
    assert_waits(h, 1, cid[0]);
    assert_waits(h, 1, cid[1]);
    th_advance(h, 1 * MS);
    assert_done(h, 1, cid[0], SUCCESS);
    assert_done(h, 1, cid[1], SUCCESS);
    th_buf_free(b[0]);
    th_buf_free(b[1]);
    th_free(h);
}

/* Namespaces come and go while commands are held. */
static void test_pause(void)
{
    struct th *h = five(1, false);
    uint16_t a;

    go(h, 3);
    a = start_io(h, 1);
    assert_waits(h, 1, a);
    th_assert_code(th_create_cq(h, .qid = 5, .size = 4), SUCCESS);
    assert_waits(h, 1, a);
    th_advance(h, 1 * MS);
    assert_done(h, 1, a, SUCCESS);

    go(h, 3);
    a = start_io(h, 1);
    th_run(h);
    th_bme(h, false);
    th_advance(h, 5 * MS);
    assert_waits(h, 1, a);
    th_bme(h, true);
    assert_done(h, 1, a, SUCCESS);
    th_free(h);
}

/* ---- autonomous transitions -------------------------------------------- */

static struct envme_cqe set_apst(struct th *h, uint32_t on, const uint64_t *e,
                                 unsigned n, bool save)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);
    struct envme_feat_apst apst = { 0 };

    for (unsigned i = 0; i < n; i++) {
        apst.entry[i] = le64(e[i]);
    }
    s.cdw10 = le32(ENVME_FID_APST | (save ? ENVME_FEAT_SV : 0));
    s.cdw11 = le32(on);
    return th_cmd_data(h, 0, &s, &apst, sizeof(apst), 0);
}

static uint32_t get_apst(struct th *h, struct envme_feat_apst *apst)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, 0);
    struct envme_cqe c;

    memset(apst, 0xee, sizeof(*apst));
    s.cdw10 = le32(ENVME_FID_APST);
    c = th_cmd_data(h, 0, &s, apst, sizeof(*apst), 0);
    th_assert_sc(c, SUCCESS);
    return le32_get(c.dw0);
}

#define APST(ms, to) ((uint64_t)(ms) << 8 | (to) << 3)

/* As Linux has it: from 0 to 2 to state 3 first, from there to 4. */
static const uint64_t apst_table[] = {
    APST(100, 3), APST(100, 3), APST(100, 3), APST(400, 4),
};

static void check_apst(unsigned lanes)
{
    struct envme_feat_apst apst;
    struct th *h = five(lanes, false);
    uint16_t a;

    g_assert_cmpuint(get_apst(h, &apst), ==, 0);
    g_assert_cmpuint(le64_get(apst.entry[0]), ==, 0);
    th_assert_sc(set_apst(h, 1, apst_table, 4, false), SUCCESS);
    g_assert_cmpuint(get_apst(h, &apst), ==, 1);
    for (unsigned i = 0; i < 32; i++) {
        g_assert_cmphex(le64_get(apst.entry[i]), ==,
                        i < 4 ? apst_table[i] : 0);
    }
    /* Idle since it was set. */
    th_advance(h, 100 * MS - EARLY);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, 1000);
    th_advance(h, 2 * EARLY);           /* goes */
    th_advance(h, 2 * MS - EARLY);
    g_assert_cmpuint(power(h), ==, 0);
    th_advance(h, 2 * EARLY);
    g_assert_cmpuint(power(h), ==, 3);
    /* Further, from when it got there; admin commands don't count. */
    for (unsigned i = 0; i < 4; i++) {
        th_advance(h, 100 * MS - (i == 3) * EARLY);
        g_assert_cmpuint(power(h), ==, 3);
    }
    th_advance(h, 2 * EARLY);
    th_advance(h, 5 * MS - EARLY);
    g_assert_cmpuint(power(h), ==, 3);
    th_advance(h, 2 * EARLY);
    g_assert_cmpuint(power(h), ==, 4);
    /* There it stays. */
    th_advance(h, 10000 * MS);
    g_assert_cmpuint(power(h), ==, 4);

    /* A command wakes it, and it takes as long again. */
    a = start_io(h, 2);
    assert_waits(h, 2, a);
    th_advance(h, 6 * MS);
    assert_done(h, 2, a, SUCCESS);
    g_assert_cmpuint(power(h), ==, 0);
    th_advance(h, 60 * MS);
    a = start_io(h, 1);
    assert_done(h, 1, a, SUCCESS);
    th_advance(h, 100 * MS - EARLY);
    g_assert_cmpuint(power(h), ==, 0);
    th_advance(h, 2 * EARLY);
    th_advance(h, 2 * MS);
    g_assert_cmpuint(power(h), ==, 3);

    /* One that takes long: idle is when it is over. */
    go(h, 1);
    atomic_store(&h->be[0]->hold, true);
    a = start_io(h, 1);
    assert_waits(h, 1, a);
    th_advance(h, 5000 * MS);
    assert_waits(h, 1, a);
    g_assert_cmpuint(power(h), ==, 1);
    atomic_store(&h->be[0]->hold, false);
    th_be_release_all(h->be[0], 0);
    assert_done(h, 1, a, SUCCESS);
    th_advance(h, 100 * MS - EARLY);
    g_assert_cmpuint(power(h), ==, 1);
    th_advance(h, 2 * EARLY);
    th_advance(h, 2 * MS);
    g_assert_cmpuint(power(h), ==, 3);

    /* Off: never again. */
    go(h, 0);
    th_assert_sc(set_apst(h, 0, apst_table, 4, false), SUCCESS);
    th_advance(h, 100000 * MS);
    g_assert_cmpuint(power(h), ==, 0);
    /* It is enabled while a command is under way. */
    atomic_store(&h->be[0]->hold, true);
    a = start_io(h, 1);
    assert_waits(h, 1, a);
    th_assert_sc(set_apst(h, 1, apst_table, 4, false), SUCCESS);
    th_advance(h, 1000 * MS);
    g_assert_cmpuint(power(h), ==, 0);
    atomic_store(&h->be[0]->hold, false);
    th_be_release_all(h->be[0], 0);
    assert_done(h, 1, a, SUCCESS);
    /* A reset turns it off. */
    th_disable(h);
    th_enable(h);
    g_assert_cmpuint(get_apst(h, &apst), ==, 0);
    g_assert_cmphex(le64_get(apst.entry[0]), ==, 0);
    th_advance(h, 100000 * MS);
    g_assert_cmpuint(power(h), ==, 0);
    th_free(h);
}

static void test_apst(void)
{
    check_apst(0);
    check_apst(1);
    check_apst(2);
}

static void test_apst_bad(void)
{
    static const uint64_t bad[] = {
        APST(1, 0), APST(1, 2), APST(1, 5), APST(1, 31), APST(1, 3) | 1,
        APST(1, 3) | 4, APST(1, 3) | 1ull << 32, 1ull << 63,
    };
    uint64_t e[32] = { 0 };
    struct th *h = five(0, false);
    uint32_t v;

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        e[4] = bad[i];
        th_assert_sc(set_apst(h, 1, e, 32, false), INVALID_FIELD);
    }
    /* States that there are not, and times that are none. */
    e[4] = APST(0, 1);
    e[5] = UINT64_MAX;
    th_assert_sc(set_apst(h, 1, e, 32, false), SUCCESS);
    th_assert_sc(set_apst(h, 2, e, 32, false), INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_NOPSC, 0, 2, false),
                 INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_NOPSC, 0, 1, false), SUCCESS);
    th_assert_sc(th_get_feature(h, ENVME_FID_NOPSC, 0, 0, &v), SUCCESS);
    g_assert_cmpuint(v, ==, 1);
    th_free(h);
}

/* ---- speed ------------------------------------------------------------- */

static void tweak_timing(struct envme_ctrl_params *p)
{
    tweak_five(p);
    g_assert_null(envme_dist_parse("1ms", &p->timing.latency[ENVME_TIME_READ]));
}

/* With a model of service times, slower states and heat are slower. */
static void test_speed(void)
{
    static const struct {
        unsigned ps;
        uint16_t k;
        uint64_t us;
    } t[] = {
        { 0, 300, 1000 }, { 1, 300, 1666 }, { 2, 300, 2500 },
        { 0, 340, 1500 }, { 0, 350, 4000 }, { 2, 350, 10000 }, { 0, 300, 1000 },
    };

    for (unsigned lanes = 0; lanes < 2; lanes++) {
        struct th *h = th_new(.tweak = tweak_timing, .lanes = lanes);
        uint16_t cid;

        th_enable(h);
        th_queues(h, 1, 16);
        th_assert_sc(th_set_feature(h, ENVME_FID_HCTM, 0, 340 << 16 | 350,
                                    false), SUCCESS);
        for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
            go(h, t[i].ps);
            envme_health_set_temperature(h->ctrl, t[i].k);
            cid = start_io(h, 1);
            th_advance(h, t[i].us * US - EARLY);
            assert_waits(h, 1, cid);
            th_advance(h, 2 * EARLY);
            assert_done(h, 1, cid, SUCCESS);
        }
        th_free(h);
    }
}

/* ---- saved values ------------------------------------------------------ */

static void test_saved(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-power-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "s", NULL);
    struct th *h = th_new(.tweak = tweak_five, .state = path);
    struct envme_feat_apst apst;
    uint16_t a;

    th_enable(h);
    th_queues(h, 1, 16);
    th_assert_sc(th_set_feature(h, ENVME_FID_POWER_MGMT, 0, 0x22, true),
                 SUCCESS);
    th_assert_sc(set_apst(h, 1, apst_table, 4, true), SUCCESS);
    go(h, 1);
    th_disable(h);
    th_advance(h, 1000 * MS);
    th_enable(h);
    g_assert_cmphex(power(h), ==, 0x22);
    th_free(h);

    h = th_new(.tweak = tweak_five, .state = path);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, 2500);
    th_advance(h, 1000 * MS);
    th_enable(h);
    th_queues(h, 1, 16);
    g_assert_cmphex(power(h), ==, 0x22);
    g_assert_cmpuint(get_apst(h, &apst), ==, 1);
    g_assert_cmphex(le64_get(apst.entry[3]), ==, apst_table[3]);
    th_advance(h, 100 * MS);
    th_advance(h, 2 * MS);
    g_assert_cmphex(power(h), ==, 0x23);
    a = start_io(h, 1);
    assert_waits(h, 1, a);
    th_advance(h, 1 * MS);
    assert_done(h, 1, a, SUCCESS);
    g_assert_cmphex(power(h), ==, 0x22);
    th_free(h);

    /* Another command line: states that there are not are not entered. */
    h = th_new(.state = path);
    th_enable(h);
    th_advance(h, 1000 * MS);
    g_assert_cmphex(power(h) & ENVME_FEAT_PM_PS, ==, 0);
    th_free(h);
    g_remove(path);
    g_rmdir(dir);
}

/* ---- threads ----------------------------------------------------------- */

/* Lanes go to sleep and wake up while commands come from both sides. */
static void test_threads(void)
{
    static const uint64_t quick[] = { APST(1, 3), 0, 0, APST(1, 4) };
    struct th *h = five(2, true);
    struct envme_cqe c;

    th_assert_sc(set_apst(h, 1, quick, 4, false), SUCCESS);
    for (unsigned i = 0; i < 300; i++) {
        uint16_t cid[2] = { start_io(h, 1), start_io(h, 2) };

        for (unsigned q = 1; q <= 2; q++) {
            while (!th_done(h, q, cid[q - 1], &c)) {
                th_advance(h, 500 * US);
                th_reap(h, q);
                g_usleep(50);
            }
            th_assert_sc(c, SUCCESS);
        }
        th_advance(h, th_random(h, 4) * MS);
    }
    th_free(h);
}

/* ---- Keep Alive -------------------------------------------------------- */

static void tweak_kas(struct envme_ctrl_params *p)
{
    p->kas = 5;
}

static struct envme_cqe keep_alive(struct th *h)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_KEEP_ALIVE, 0);

    return th_admin(h, &s);
}

static uint32_t kato(struct th *h)
{
    uint32_t v;

    th_assert_sc(th_get_feature(h, ENVME_FID_KATO, 0, 0, &v), SUCCESS);
    return v;
}

static bool is_fatal(struct th *h)
{
    return th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS;
}

static void test_keep_alive(void)
{
    g_autofree struct envme_id_ctrl *id = g_malloc(sizeof(*id));
    struct envme_log_error log[4];
    struct th *h = th_new(.tweak = tweak_kas);

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmpuint(le16_get(id->kas), ==, 5);
    g_assert_cmpuint(kato(h), ==, 0);
    th_assert_sc(keep_alive(h), SUCCESS);
    th_advance(h, 1000000 * MS);
    g_assert_false(is_fatal(h));
    th_assert_sc(th_set_feature(h, ENVME_FID_KATO, 0, 1, true),
                 FID_NOT_SAVEABLE);
    th_assert_sc(th_set_feature(h, ENVME_FID_KATO, 0, UINT32_MAX, false),
                 KEEP_ALIVE_INVALID);
    /* Rounded up to 500 ms. */
    th_assert_sc(th_set_feature(h, ENVME_FID_KATO, 0, 1001, false), SUCCESS);
    g_assert_cmpuint(kato(h), ==, 1500);
    for (unsigned i = 0; i < 3; i++) {
        th_advance(h, 1500 * MS - EARLY);
        g_assert_false(is_fatal(h));
        th_assert_sc(keep_alive(h), SUCCESS);
    }
    /* Other commands don't count. */
    th_advance(h, 1000 * MS);
    g_assert_cmpuint(kato(h), ==, 1500);
    th_advance(h, 500 * MS - EARLY);
    g_assert_false(is_fatal(h));
    th_advance(h, 2 * EARLY);
    g_assert_true(is_fatal(h));
    th_disable(h);
    g_assert_false(is_fatal(h));
    th_enable(h);
    g_assert_cmpuint(kato(h), ==, 0);
    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, 0, 0, log, sizeof(log), false),
                 SUCCESS);
    g_assert_cmphex(le16_get(log[0].sts) >> 1 & 0x7ff, ==,
                    ENVME_SC_KEEP_ALIVE_EXPIRED);
    g_assert_cmphex(le16_get(log[0].sqid), ==, 0xffff);
    th_advance(h, 100000 * MS);
    g_assert_false(is_fatal(h));

    /* Turned off; and shut down. */
    th_assert_sc(th_set_feature(h, ENVME_FID_KATO, 0, 500, false), SUCCESS);
    th_assert_sc(th_set_feature(h, ENVME_FID_KATO, 0, 0, false), SUCCESS);
    th_advance(h, 100000 * MS);
    g_assert_false(is_fatal(h));
    th_assert_sc(th_set_feature(h, ENVME_FID_KATO, 0, 500, false), SUCCESS);
    th_w32(h, ENVME_REG_CC, th_r32(h, ENVME_REG_CC) |
                            (uint32_t)FIELD_SET(ENVME_CC_SHN, 1));
    th_run(h);
    th_advance(h, 100000 * MS);
    g_assert_false(is_fatal(h));
    th_free(h);
}

/* Without kas there is neither the command nor the feature. */
static void test_no_keep_alive(void)
{
    g_autofree struct envme_log_effects *eff = g_malloc(sizeof(*eff));
    g_autofree struct envme_log_fid_effects *fid = g_malloc(sizeof(*fid));

    for (unsigned there = 0; there < 2; there++) {
        struct th *h = th_new(.tweak = there ? tweak_kas : NULL);
        uint32_t v;

        th_enable(h);
        th_assert_sc(th_get_log(h, ENVME_LID_EFFECTS, 0, 0, eff, sizeof(*eff),
                                false), SUCCESS);
        th_assert_sc(th_get_log(h, ENVME_LID_FID_EFFECTS, 0, 0, fid,
                                sizeof(*fid), false), SUCCESS);
        g_assert_cmpuint(le32_get(eff->acs[ENVME_ADM_KEEP_ALIVE]) & 1, ==,
                         there);
        g_assert_cmpuint(le32_get(fid->fid[ENVME_FID_KATO]) & 1, ==, there);
        if (there) {
            th_assert_sc(keep_alive(h), SUCCESS);
        } else {
            th_assert_sc(keep_alive(h), INVALID_OPCODE);
            th_assert_sc(th_get_feature(h, ENVME_FID_KATO, 0, 0, &v),
                         INVALID_FIELD);
            th_assert_sc(th_set_feature(h, ENVME_FID_KATO, 0, 1, false),
                         INVALID_FIELD);
        }
        th_free(h);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/power/parse", test_parse);
    g_test_add_func("/power/identify", test_identify);
    g_test_add_func("/power/set", test_set);
    g_test_add_func("/power/exact", test_exact);
    g_test_add_func("/power/set-queue", test_set_queue);
    g_test_add_func("/power/wake", test_wake);
    g_test_add_func("/power/held", test_held);
    g_test_add_func("/power/fused", test_fused);
    g_test_add_func("/power/pause", test_pause);
    g_test_add_func("/power/apst", test_apst);
    g_test_add_func("/power/apst-bad", test_apst_bad);
    g_test_add_func("/power/speed", test_speed);
    g_test_add_func("/power/saved", test_saved);
    g_test_add_func("/power/threads", test_threads);
    g_test_add_func("/power/keep-alive", test_keep_alive);
    g_test_add_func("/power/no-keep-alive", test_no_keep_alive);
    return g_test_run();
}
