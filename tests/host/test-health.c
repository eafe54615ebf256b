/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health: thresholds, warnings and their events, the counters of SMART.
 * Base 2.1, 5.1.12.1.3 and 5.1.25.
 */
#include "th.h"

#define MINUTE (60ull * 1000 * 1000 * 1000)

static uint32_t aer_dw0(struct th *h, uint16_t cid)
{
    struct envme_cqe c = th_wait(h, 0, cid);

    th_assert_sc(c, SUCCESS);
    return le32_get(c.dw0);
}

static bool told(struct th *h, uint16_t cid)
{
    th_run(h);
    th_reap(h, 0);
    return th_done(h, 0, cid, NULL);
}

static uint32_t smart_event(uint8_t info)
{
    return ENVME_LID_SMART << 16 | info << 8 | ENVME_AEN_TYPE_SMART;
}

static void smart(struct th *h, struct envme_log_smart *log)
{
    memset(log, 0xee, sizeof(*log));
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 0, log,
                            sizeof(*log), false), SUCCESS);
}

static void set(struct th *h, uint8_t fid, uint32_t v)
{
    th_assert_sc(th_set_feature(h, fid, 0, v, false), SUCCESS);
}

static uint32_t over(uint16_t k)
{
    return k;
}

static uint32_t under(uint16_t k)
{
    return k | FIELD_SET(ENVME_FEAT_TMPTH_THSEL, ENVME_THSEL_UNDER);
}

/* ---- thresholds -------------------------------------------------------- */

static struct envme_cqe get_threshold(struct th *h, unsigned sel,
                                      uint32_t cdw11)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, 0);

    s.cdw10 = le32(ENVME_FID_TEMP_THRESH | sel << 8);
    s.cdw11 = le32(cdw11);
    return th_admin(h, &s);
}

static uint32_t threshold(struct th *h, unsigned sel, uint32_t cdw11)
{
    struct envme_cqe c = get_threshold(h, sel, cdw11);

    th_assert_sc(c, SUCCESS);
    return le32_get(c.dw0);
}

static void test_thresholds(void)
{
    static const uint32_t bad[] = {
        1 << 16, 8 << 16, 14 << 16,             /* sensors that are not */
        2 << 20, 3 << 20,                       /* THSEL */
        1 << 22, 7 << 22,                       /* hysteresis */
        1 << 25, 1u << 31,
    };
    struct th *h = th_new();
    struct envme_id_ctrl *id = g_malloc(4096);
    unsigned dflt = ENVME_FEAT_SEL_DEFAULT;

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmpuint(threshold(h, 0, over(0)), ==, le16_get(id->wctemp));
    g_assert_cmpuint(threshold(h, dflt, over(0)), ==, le16_get(id->wctemp));
    g_assert_cmpuint(threshold(h, 0, under(0)), ==, 0);
    g_assert_cmpuint(threshold(h, dflt, under(0)), ==, 0);
    set(h, ENVME_FID_TEMP_THRESH, over(400));
    set(h, ENVME_FID_TEMP_THRESH, under(280));
    g_assert_cmpuint(threshold(h, 0, over(0)), ==, 400);
    g_assert_cmpuint(threshold(h, 0, under(0)), ==, 280);
    g_assert_cmpuint(threshold(h, dflt, over(0)), ==, le16_get(id->wctemp));
    g_assert_cmpuint(threshold(h, dflt, under(0)), ==, 0);
    /* All sensors: the one that there is. */
    set(h, ENVME_FID_TEMP_THRESH, over(390) | 0xf0000);
    g_assert_cmpuint(threshold(h, 0, over(0)), ==, 390);
    th_assert_sc(get_threshold(h, 0, 0xf0000), INVALID_FIELD);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        th_assert_sc(th_set_feature(h, ENVME_FID_TEMP_THRESH, 0, bad[i],
                                    false), INVALID_FIELD);
    }
    g_assert_cmpuint(threshold(h, 0, over(0)), ==, 390);
    g_assert_cmpuint(threshold(h, 0, under(0)), ==, 280);
    th_disable(h);
    th_enable(h);
    g_assert_cmpuint(threshold(h, 0, over(0)), ==, le16_get(id->wctemp));
    g_assert_cmpuint(threshold(h, 0, under(0)), ==, 0);
    g_free(id);
    th_free(h);
}

static void test_temperature_event(void)
{
    struct envme_log_smart log;
    struct th *h = th_new();
    uint16_t a;

    th_enable(h);
    set(h, ENVME_FID_AEC, ENVME_SMART_CW_TTC);
    a = th_aer(h);
    envme_health_set_temperature(h->ctrl, 342);
    g_assert_false(told(h, a));
    /* At the threshold is over it. */
    envme_health_set_temperature(h->ctrl, 343);
    g_assert_cmphex(aer_dw0(h, a), ==,
                    smart_event(ENVME_AEN_SMART_TEMPERATURE));
    smart(h, &log);
    g_assert_cmphex(log.cw, ==, ENVME_SMART_CW_TTC);
    g_assert_cmpuint(log.ctemp[0] | log.ctemp[1] << 8, ==, 343);
    /* Still over it is nothing new. */
    a = th_aer(h);
    envme_health_set_temperature(h->ctrl, 350);
    g_assert_false(told(h, a));
    envme_health_set_temperature(h->ctrl, 300);
    g_assert_false(told(h, a));
    smart(h, &log);
    g_assert_cmphex(log.cw, ==, 0);
    envme_health_set_temperature(h->ctrl, 343);
    g_assert_cmphex(aer_dw0(h, a), ==,
                    smart_event(ENVME_AEN_SMART_TEMPERATURE));
    smart(h, &log);
    envme_health_set_temperature(h->ctrl, 300);
    /* The threshold comes to the temperature; from below as well. */
    a = th_aer(h);
    set(h, ENVME_FID_TEMP_THRESH, over(300));
    g_assert_cmphex(aer_dw0(h, a), ==,
                    smart_event(ENVME_AEN_SMART_TEMPERATURE));
    set(h, ENVME_FID_TEMP_THRESH, over(400));
    smart(h, &log);
    a = th_aer(h);
    set(h, ENVME_FID_TEMP_THRESH, under(299));
    g_assert_false(told(h, a));
    set(h, ENVME_FID_TEMP_THRESH, under(300));
    g_assert_cmphex(aer_dw0(h, a), ==,
                    smart_event(ENVME_AEN_SMART_TEMPERATURE));
    th_free(h);
}

/* ---- warnings ---------------------------------------------------------- */

static void test_warnings(void)
{
    static const struct { uint8_t bit, info; } t[] = {
        { ENVME_SMART_CW_ASCBT, ENVME_AEN_SMART_SPARE },
        { ENVME_SMART_CW_NDR, ENVME_AEN_SMART_RELIABILITY },
        { ENVME_SMART_CW_AMRO, ENVME_AEN_SMART_RELIABILITY },
        { ENVME_SMART_CW_VMBF, ENVME_AEN_SMART_RELIABILITY },
    };
    struct envme_log_smart log;
    struct th *h = th_new();
    uint16_t a;

    th_enable(h);
    a = th_aer(h);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        /* Only what the host wants, and only once. */
        set(h, ENVME_FID_AEC, 0x1f & ~t[i].bit);
        envme_health_set_warning(h->ctrl, t[i].bit);
        g_assert_false(told(h, a));
        envme_health_set_warning(h->ctrl, 0);
        set(h, ENVME_FID_AEC, t[i].bit);
        g_assert_false(told(h, a));
        envme_health_set_warning(h->ctrl, t[i].bit);
        g_assert_cmphex(aer_dw0(h, a), ==, smart_event(t[i].info));
        smart(h, &log);
        g_assert_cmphex(log.cw, ==, t[i].bit);
        if (t[i].bit == ENVME_SMART_CW_ASCBT) {
            g_assert_cmpuint(log.avsp, <, log.avspt);
        } else {
            g_assert_cmpuint(log.avsp, >, log.avspt);
        }
        a = th_aer(h);
        g_assert_false(told(h, a));
        envme_health_set_warning(h->ctrl, 0);
    }
    /* A condition that is there when its event is enabled, or the controller. */
    set(h, ENVME_FID_AEC, 0);
    envme_health_set_warning(h->ctrl, ENVME_SMART_CW_NDR);
    g_assert_false(told(h, a));
    set(h, ENVME_FID_AEC, ENVME_SMART_CW_NDR);
    aer_dw0(h, a);
    th_disable(h);
    th_enable(h);
    a = th_aer(h);
    g_assert_false(told(h, a));
    set(h, ENVME_FID_AEC, ENVME_SMART_CW_NDR);
    g_assert_cmphex(aer_dw0(h, a), ==,
                    smart_event(ENVME_AEN_SMART_RELIABILITY));
    th_free(h);
}

/* What cannot occur cannot be asked for. */
static void test_aec(void)
{
    struct th *h = th_new();
    struct envme_id_ctrl *id = g_malloc(4096);
    uint32_t oaes;

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    oaes = le32_get(id->oaes);
    for (unsigned i = 0; i < 32; i++) {
        /* Telemetry Log Changed has a bit in LPA instead. */
        bool there = i < 5 || (i > 7 && oaes >> i & 1) ||
                     (i == 10 && id->lpa & ENVME_LPA_TS);
        struct envme_cqe c = th_set_feature(h, ENVME_FID_AEC, 0, 1u << i,
                                            false);

        g_assert_cmphex(cqe_sc(&c), ==, there ? ENVME_SC_SUCCESS
                                               : ENVME_SC_INVALID_FIELD);
    }
    g_free(id);
    th_free(h);
}

/* ---- counters ---------------------------------------------------------- */

static uint64_t counter(const uint8_t c[16])
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 8; i++) {
        v |= (uint64_t)c[i] << (8 * i);
        g_assert_cmpuint(c[8 + i], ==, 0);
    }
    return v;
}

static void test_counters(void)
{
    struct envme_log_smart log;
    struct th *h = th_new(.lanes = 2, .ns = { { .size = 16 * MIB } });

    th_enable(h);
    th_queues(h, 2, 8);
    smart(h, &log);
    g_assert_cmpuint(counter(log.dur), ==, 0);
    g_assert_cmpuint(counter(log.hrc), ==, 0);
    g_assert_cmpuint(counter(log.pwrc), ==, 1);
    th_assert_sc(th_read(h), SUCCESS);
    smart(h, &log);
    g_assert_cmpuint(counter(log.dur), ==, 1);
    g_assert_cmpuint(counter(log.hrc), ==, 1);
    for (unsigned i = 0; i < 10; i++) {
        th_assert_sc(th_write(h, .nlb = 150, .qid = 1 + i % 2), SUCCESS);
        th_assert_sc(th_read(h, .nlb = 100, .qid = 1 + i % 2), SUCCESS);
    }
    /* Not counted: what moves no data or never began. */
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .nlb = 1000), SUCCESS);
    th_assert_sc(th_read(h, .slba = 1 << 30), LBA_RANGE);
    smart(h, &log);
    g_assert_cmpuint(counter(log.dur), ==, 2);      /* 1001 */
    g_assert_cmpuint(counter(log.duw), ==, 2);      /* 1500 */
    g_assert_cmpuint(counter(log.hrc), ==, 11);
    g_assert_cmpuint(counter(log.hwc), ==, 10);
    g_assert_cmpuint(counter(log.neile), ==, 1);
    g_assert_cmpuint(counter(log.mdie), ==, 0);
    th_free(h);
}

static void test_times(void)
{
    struct envme_log_smart log;
    struct th *h = th_new();

    th_enable(h);
    th_advance(h, 119 * MINUTE);
    smart(h, &log);
    g_assert_cmpuint(counter(log.poh), ==, 1);
    g_assert_cmpuint(le32_get(log.wctt), ==, 0);
    envme_health_set_temperature(h->ctrl, ENVME_ADMIN_WCTEMP);
    th_advance(h, 5 * MINUTE);
    envme_health_set_temperature(h->ctrl, ENVME_ADMIN_CCTEMP);
    th_advance(h, 3 * MINUTE);
    smart(h, &log);
    g_assert_cmpuint(le32_get(log.wctt), ==, 5);
    g_assert_cmpuint(le32_get(log.cctt), ==, 3);
    envme_health_set_temperature(h->ctrl, 300);
    th_advance(h, 30 * MINUTE);
    /* A reset doesn't take them back. */
    th_disable(h);
    th_enable(h);
    smart(h, &log);
    g_assert_cmpuint(le32_get(log.wctt), ==, 5);
    g_assert_cmpuint(le32_get(log.cctt), ==, 3);
    g_assert_cmpuint(counter(log.poh), ==, 2);
    th_free(h);
}

/* Per namespace: of what is attached, and the same for all. */
static void test_per_namespace(void)
{
    struct th *h = th_new(.ns = { { .size = MIB },
                                  { .size = MIB, .detached = true } });
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    struct envme_log_smart a, b;

    th_enable(h);
    th_queues(h, 1, 8);
    th_assert_sc(th_write(h), SUCCESS);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(id->lpa & ENVME_LPA_SMARTS, !=, 0);
    smart(h, &a);
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, 0, 0, &b, 512, true), SUCCESS);
    g_assert_cmpmem(&a, 512, &b, 512);
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, 1, 0, &b, 512, true), SUCCESS);
    g_assert_cmpmem(&a, 512, &b, 512);
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, 2, 0, &b, 512, true),
                 INVALID_FIELD);
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, 0x10000, 0, &b, 512, true),
                 INVALID_NS);
    th_free(h);
}

static uint64_t busy(struct th *h)
{
    struct envme_log_smart log;

    smart(h, &log);
    return counter(log.cbt);
}

/* One read that takes a time; several at once are not more. */
static void busy_for(struct th *h, unsigned n, uint64_t ns)
{
    uint16_t cid[4], qid[4];

    atomic_store(&h->be[0]->hold, true);
    for (unsigned i = 0; i < n; i++) {
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_FLUSH, 1, 0, 1);

        qid[i] = 1 + i % 2;
        cid[i] = th_submit(h, qid[i], &s);
    }
    th_run(h);
    th_advance(h, ns);
    atomic_store(&h->be[0]->hold, false);
    th_be_release_all(h->be[0], 0);
    for (unsigned i = 0; i < n; i++) {
        th_assert_sc(th_wait(h, qid[i], cid[i]), SUCCESS);
    }
}

static void check_busy(unsigned lanes)
{
    struct th *h = th_new(.lanes = lanes, .ns = { { .size = MIB,
                                                    .write_cache = true } });
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_FLUSH, 1, 0, 1);
    uint16_t a, b;

    th_enable(h);
    th_queues(h, 2, 8);
    th_advance(h, 10 * MINUTE);
    g_assert_cmpuint(busy(h), ==, 0);
    busy_for(h, 1, 3 * MINUTE);
    g_assert_cmpuint(busy(h), ==, 3);
    th_advance(h, 10 * MINUTE);
    busy_for(h, 4, 2 * MINUTE);
    g_assert_cmpuint(busy(h), ==, 5);
    /* Overlapping, on two lanes; and while it lasts. */
    atomic_store(&h->be[0]->hold, true);
    a = th_submit(h, 1, &s);
    th_run(h);
    th_advance(h, 2 * MINUTE);
    b = th_submit(h, 2, &s);
    th_run(h);
    th_advance(h, 2 * MINUTE);
    g_assert_cmpuint(busy(h), ==, 9);
    th_be_release(h->be[0], 0, 0);
    th_wait(h, 1, a);
    th_advance(h, 2 * MINUTE);
    atomic_store(&h->be[0]->hold, false);
    th_be_release_all(h->be[0], 0);
    th_wait(h, 2, b);
    g_assert_cmpuint(busy(h), ==, 11);
    /* Admin commands don't make it busy: one that waits. */
    th_aer(h);
    th_advance(h, 5 * MINUTE);
    g_assert_cmpuint(busy(h), ==, 11);
    /* Nor does a reset leave it busy. */
    atomic_store(&h->be[0]->hold, true);
    a = th_submit(h, 1, &s);
    th_run(h);
    th_reset_start(h, ENVME_RESET_FUNCTION);
    atomic_store(&h->be[0]->hold, false);
    th_be_release_all(h->be[0], 0);
    th_reset_finish(h);
    th_advance(h, 5 * MINUTE);
    th_enable(h);
    g_assert_cmpuint(busy(h), ==, 11);
    th_free(h);
}

static void test_busy(void)
{
    check_busy(0);
    check_busy(1);
    check_busy(2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/health/thresholds", test_thresholds);
    g_test_add_func("/health/temperature-event", test_temperature_event);
    g_test_add_func("/health/warnings", test_warnings);
    g_test_add_func("/health/aec", test_aec);
    g_test_add_func("/health/counters", test_counters);
    g_test_add_func("/health/times", test_times);
    g_test_add_func("/health/per-namespace", test_per_namespace);
    g_test_add_func("/health/busy", test_busy);
    return g_test_run();
}
