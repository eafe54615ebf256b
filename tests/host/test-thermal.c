/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Temperatures: sensors, thresholds with hysteresis, their events, Host
 * Controlled Thermal Management. Base 2.1, 5.1.25.1.3 and 8.1.18.
 */
#include "th.h"

#include <glib/gstdio.h>

#include "hw/ctrl/power.h"

#define SECOND (1000ull * 1000 * 1000)

#define UNDER ((uint32_t)FIELD_SET(ENVME_FEAT_TMPTH_THSEL, ENVME_THSEL_UNDER))
#define SENSOR(n) ((uint32_t)(n) << 16)
#define HYST(n)   ((uint32_t)(n) << 22)

static void tweak_sensors(struct envme_ctrl_params *p)
{
    p->temp_sensors = 3;
    p->temp_hyst = 5;
    p->temperature = 310;
}

static struct th *host(const char *state)
{
    struct th *h = th_new(.tweak = tweak_sensors, .state = state);

    th_enable(h);
    return h;
}

static void smart(struct th *h, struct envme_log_smart *log)
{
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 0, log,
                            sizeof(*log), false), SUCCESS);
}

static uint8_t warning(struct th *h)
{
    struct envme_log_smart log;

    smart(h, &log);
    return log.cw;
}

static void set(struct th *h, uint8_t fid, uint32_t v)
{
    th_assert_sc(th_set_feature(h, fid, 0, v, false), SUCCESS);
}

static void set_th(struct th *h, uint32_t v)
{
    set(h, ENVME_FID_TEMP_THRESH, v);
}

static uint32_t get_th(struct th *h, unsigned sel, uint32_t cdw11)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, 0);
    struct envme_cqe c;

    s.cdw10 = le32(ENVME_FID_TEMP_THRESH | sel << 8);
    s.cdw11 = le32(cdw11);
    c = th_admin(h, &s);
    th_assert_sc(c, SUCCESS);
    return le32_get(c.dw0);
}

static void temp(struct th *h, unsigned sensor, uint16_t k)
{
    if (sensor) {
        g_assert_true(envme_thermal_set_sensor(h->ctrl, sensor, k));
    } else {
        envme_health_set_temperature(h->ctrl, k);
    }
    th_run(h);
}

static bool event_came(struct th *h, uint16_t cid, uint32_t *dw0)
{
    struct envme_cqe c;

    th_run(h);
    th_reap(h, 0);
    if (!th_done(h, 0, cid, &c)) {
        return false;
    }
    *dw0 = le32_get(c.dw0);
    return true;
}

#define TOO_WARM (ENVME_LID_SMART << 16 | ENVME_AEN_SMART_TEMPERATURE << 8 | \
                  ENVME_AEN_TYPE_SMART)
#define RECOVERED (ENVME_LID_SMART << 16 | \
                   ENVME_AEN_IMMEDIATE_TEMP_RECOVERED << 8 | \
                   ENVME_AEN_TYPE_IMMEDIATE)

/* ---- sensors ----------------------------------------------------------- */

static void test_sensors(void)
{
    g_autofree struct envme_id_ctrl *id = g_malloc(sizeof(*id));
    struct envme_log_smart log;
    struct th *h = host(NULL);

    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmpuint(id->tmpthha, ==, 5);
    g_assert_true(le32_get(id->oaes) & ENVME_OAES_TTHR);
    smart(h, &log);
    g_assert_cmpuint(log.ctemp[0] | log.ctemp[1] << 8, ==, 310);
    /* They show the composite temperature until they are set. */
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmpuint(le16_get(log.tsen[i]), ==, i < 3 ? 310 : 0);
    }
    temp(h, 2, 350);
    temp(h, 0, 320);
    smart(h, &log);
    g_assert_cmpuint(le16_get(log.tsen[0]), ==, 320);
    g_assert_cmpuint(le16_get(log.tsen[1]), ==, 350);
    g_assert_cmpuint(le16_get(log.tsen[2]), ==, 320);
    /* Only its own threshold counts, and that is not there yet. */
    g_assert_cmphex(log.cw, ==, 0);
    temp(h, 2, 0);
    smart(h, &log);
    g_assert_cmpuint(le16_get(log.tsen[1]), ==, 320);
    g_assert_false(envme_thermal_set_sensor(h->ctrl, 4, 300));
    g_assert_false(envme_thermal_set_sensor(h->ctrl, 0, 300));
    th_free(h);
}

/* ---- feature 04h ------------------------------------------------------- */

static void test_thresholds(void)
{
    static const uint32_t bad[] = {
        SENSOR(4), SENSOR(9), SENSOR(14), 2u << 20, HYST(6), HYST(7), 1u << 25,
    };
    struct th *h = host(NULL);
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, 0);

    for (unsigned i = 0; i <= 3; i++) {
        uint32_t over = i ? 0xffff : ENVME_ADMIN_WCTEMP;

        g_assert_cmphex(get_th(h, 0, SENSOR(i)), ==, over);
        g_assert_cmphex(get_th(h, 1, SENSOR(i)), ==, over);
        g_assert_cmphex(get_th(h, 2, SENSOR(i)), ==, over);
        g_assert_cmphex(get_th(h, 0, SENSOR(i) | UNDER), ==, 0);
    }
    set_th(h, SENSOR(2) | 340 | HYST(3));
    set_th(h, SENSOR(3) | UNDER | 280 | HYST(5));
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        th_assert_sc(th_set_feature(h, ENVME_FID_TEMP_THRESH, 0, bad[i], false),
                     INVALID_FIELD);
    }
    g_assert_cmphex(get_th(h, 0, SENSOR(2)), ==, 340 | HYST(3));
    g_assert_cmphex(get_th(h, 0, SENSOR(2) | UNDER), ==, 0);
    g_assert_cmphex(get_th(h, 0, SENSOR(3) | UNDER), ==, 280 | HYST(5));
    g_assert_cmphex(get_th(h, 1, SENSOR(2)), ==, 0xffff);
    g_assert_cmphex(get_th(h, 0, SENSOR(1)), ==, 0xffff);
    /* All at once. */
    set_th(h, SENSOR(15) | 345);
    for (unsigned i = 0; i <= 3; i++) {
        g_assert_cmphex(get_th(h, 0, SENSOR(i)), ==, 345);
    }
    s.cdw10 = le32(ENVME_FID_TEMP_THRESH);
    for (unsigned i = 4; i < 16; i++) {
        s.cdw11 = le32(SENSOR(i));
        th_assert_sc(th_admin(h, &s), INVALID_FIELD);
    }
    th_disable(h);
    th_enable(h);
    g_assert_cmphex(get_th(h, 0, SENSOR(2)), ==, 0xffff);
    g_assert_cmphex(get_th(h, 0, 0), ==, ENVME_ADMIN_WCTEMP);
    th_free(h);
}

static void test_edges(void)
{
    struct th *h = host(NULL);

    set_th(h, 330);
    set_th(h, UNDER | 300);
    set_th(h, SENSOR(1) | 340);
    set_th(h, SENSOR(1) | UNDER | 290);
    static const struct {
        unsigned sensor;
        uint16_t k;
        bool warns;
    } t[] = {
        { 0, 329, false }, { 0, 330, true }, { 0, 400, true },
        { 0, 329, false }, { 0, 301, false }, { 0, 300, true },
        { 0, 1, true }, { 0, 310, false }, { 1, 339, false },
        { 1, 340, true }, { 1, 339, false }, { 1, 290, true },
        { 1, 291, false }, { 3, 400, false }, { 3, 1, false },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        temp(h, t[i].sensor, t[i].k);
        g_assert_cmphex(warning(h), ==,
                        t[i].warns ? ENVME_SMART_CW_TTC : 0);
    }
    th_free(h);
}

static void test_hysteresis(void)
{
    struct th *h = host(NULL);
    uint32_t dw0 = 0;
    uint16_t a;

    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, ENVME_SMART_CW_TTC |
                                ENVME_FEAT_AEC_TTHR, false), SUCCESS);
    set_th(h, 330 | HYST(4));
    a = th_aer(h);
    temp(h, 0, 329);
    g_assert_false(event_came(h, a, &dw0));
    temp(h, 0, 330);
    g_assert_true(event_came(h, a, &dw0));
    g_assert_cmphex(dw0, ==, TOO_WARM);
    g_assert_cmphex(warning(h), ==, ENVME_SMART_CW_TTC);    /* clears it */
    a = th_aer(h);
    /* Not over until it is 4 K below; not another event in between. */
    temp(h, 0, 327);
    g_assert_cmphex(warning(h), ==, ENVME_SMART_CW_TTC);
    temp(h, 0, 331);
    temp(h, 0, 327);
    g_assert_false(event_came(h, a, &dw0));
    temp(h, 0, 326);
    g_assert_true(event_came(h, a, &dw0));
    g_assert_cmphex(dw0, ==, RECOVERED);
    g_assert_cmphex(warning(h), ==, 0);
    a = th_aer(h);
    temp(h, 0, 329);
    g_assert_cmphex(warning(h), ==, 0);
    g_assert_false(event_came(h, a, &dw0));
    temp(h, 0, 330);
    g_assert_true(event_came(h, a, &dw0));
    g_assert_cmphex(dw0, ==, TOO_WARM);
    temp(h, 0, 310);
    g_assert_cmphex(warning(h), ==, 0);

    /* The other way round. */
    set_th(h, SENSOR(1) | UNDER | 280 | HYST(2));
    temp(h, 1, 281);
    g_assert_cmphex(warning(h), ==, 0);
    temp(h, 1, 280);
    g_assert_cmphex(warning(h), ==, ENVME_SMART_CW_TTC);
    temp(h, 1, 281);
    g_assert_cmphex(warning(h), ==, ENVME_SMART_CW_TTC);
    temp(h, 1, 282);
    g_assert_cmphex(warning(h), ==, 0);
    /* A new threshold begins anew. */
    temp(h, 1, 280);
    temp(h, 1, 281);
    g_assert_cmphex(warning(h), ==, ENVME_SMART_CW_TTC);
    set_th(h, SENSOR(1) | UNDER | 280 | HYST(5));
    g_assert_cmphex(warning(h), ==, 0);
    th_free(h);

    /* Without hysteresis its event cannot be asked for. */
    h = th_new();
    th_enable(h);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, ENVME_FEAT_AEC_TTHR,
                                false), INVALID_FIELD);
    th_free(h);
}

/* Who did not ask for it is not told; each sensor has its event. */
static void test_events(void)
{
    struct th *h = host(NULL);
    uint32_t dw0 = 0;
    uint16_t a;

    set(h, ENVME_FID_AEC, ENVME_SMART_CW_TTC);
    set_th(h, 330 | HYST(4));
    set_th(h, SENSOR(2) | 350);
    a = th_aer(h);
    temp(h, 0, 330);
    g_assert_true(event_came(h, a, &dw0));
    warning(h);
    a = th_aer(h);
    temp(h, 2, 350);
    g_assert_true(event_came(h, a, &dw0));
    g_assert_cmphex(dw0, ==, TOO_WARM);
    warning(h);
    a = th_aer(h);
    temp(h, 0, 310);            /* recovered, but who wants to know */
    temp(h, 2, 349);
    g_assert_false(event_came(h, a, &dw0));
    temp(h, 2, 350);
    g_assert_true(event_came(h, a, &dw0));
    th_free(h);
}

/* With hysteresis, WCTT goes on until it is over. */
static void test_warm_time(void)
{
    struct envme_log_smart log;
    struct th *h = host(NULL);

    set_th(h, ENVME_ADMIN_WCTEMP | HYST(5));
    temp(h, 0, ENVME_ADMIN_WCTEMP);
    th_advance(h, 60 * SECOND);
    temp(h, 0, ENVME_ADMIN_WCTEMP - 4);
    th_advance(h, 60 * SECOND);
    temp(h, 0, ENVME_ADMIN_WCTEMP - 5);
    th_advance(h, 60 * SECOND);
    smart(h, &log);
    g_assert_cmpuint(le32_get(log.wctt), ==, 2);
    th_free(h);
}

/* ---- feature 10h ------------------------------------------------------- */

static uint32_t hctm(uint16_t tmt1, uint16_t tmt2)
{
    return (uint32_t)tmt1 << 16 | tmt2;
}

static void test_hctm_set(void)
{
    g_autofree struct envme_id_ctrl *id = g_malloc(sizeof(*id));
    struct th *h = host(NULL);
    uint16_t min, max;
    uint32_t v;

    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmpuint(le16_get(id->hctma), ==, 1);
    min = le16_get(id->mntmt);
    max = le16_get(id->mxtmt);
    g_assert_cmpuint(min, <, max);
    const struct {
        uint16_t a, b;
        bool ok;
    } t[] = {
        { 0, 0, true }, { min, 0, true }, { 0, max, true }, { max, 0, true },
        { min, max, true }, { max - 1, max, true }, { min - 1, 0, false },
        { 0, min - 1, false }, { max + 1, 0, false }, { 0, max + 1, false },
        { max, max, false }, { max, min, false }, { 1, 2, false },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        struct envme_cqe c = th_set_feature(h, ENVME_FID_HCTM, 0,
                                            hctm(t[i].a, t[i].b), false);

        g_assert_cmpuint(cqe_sc(&c), ==, t[i].ok ? 0 : ENVME_SC_INVALID_FIELD);
        th_assert_sc(th_get_feature(h, ENVME_FID_HCTM, 0, 0, &v), SUCCESS);
        if (t[i].ok) {
            g_assert_cmphex(v, ==, hctm(t[i].a, t[i].b));
        }
    }
    th_free(h);
}

static void check_tmt(struct th *h, unsigned n1, unsigned s1, unsigned n2,
                      unsigned s2)
{
    struct envme_log_smart log;

    smart(h, &log);
    g_assert_cmpuint(le32_get(log.tmt1tc), ==, n1);
    g_assert_cmpuint(le32_get(log.tttmt1), ==, s1);
    g_assert_cmpuint(le32_get(log.tmt2tc), ==, n2);
    g_assert_cmpuint(le32_get(log.tttmt2), ==, s2);
}

static void test_hctm(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-thermal-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "s", NULL);
    struct th *h = host(path);
    uint32_t light, heavy;

    check_tmt(h, 0, 0, 0, 0);
    temp(h, 0, 360);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, 1000);
    temp(h, 0, 310);
    th_assert_sc(th_set_feature(h, ENVME_FID_HCTM, 0, hctm(340, 350), true),
                 SUCCESS);
    temp(h, 0, 339);
    th_advance(h, 10 * SECOND);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, 1000);
    temp(h, 0, 340);
    light = envme_power_scale(h->ctrl);
    g_assert_cmpuint(light, >, 1000);
    th_advance(h, 10 * SECOND);
    temp(h, 0, 349);
    th_advance(h, 5 * SECOND);
    check_tmt(h, 1, 15, 0, 0);
    temp(h, 0, 350);
    heavy = envme_power_scale(h->ctrl);
    g_assert_cmpuint(heavy, >, light);
    th_advance(h, 7 * SECOND);
    check_tmt(h, 1, 15, 1, 7);
    temp(h, 0, 345);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, light);
    th_advance(h, 1 * SECOND);
    check_tmt(h, 2, 16, 1, 7);
    temp(h, 0, 310);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, 1000);
    th_advance(h, 100 * SECOND);
    check_tmt(h, 2, 16, 1, 7);
    /* The other sensors have no part in it. */
    temp(h, 1, 400);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, 1000);
    temp(h, 1, 0);
    /* A threshold that comes down to the temperature; one that goes. */
    set(h, ENVME_FID_HCTM, hctm(305, 0));
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, light);
    set(h, ENVME_FID_HCTM, 0);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, 1000);
    check_tmt(h, 3, 16, 1, 7);
    /* A reset brings the saved ones back. */
    temp(h, 0, 355);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, 1000);
    th_disable(h);
    th_enable(h);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, heavy);
    temp(h, 0, 310);
    th_free(h);

    /* Counts and thresholds are there after a power cycle. */
    h = host(path);
    check_tmt(h, 3, 16, 2, 7);
    temp(h, 0, 340);
    g_assert_cmpuint(envme_power_scale(h->ctrl), ==, light);
    check_tmt(h, 4, 16, 2, 7);
    th_free(h);
    g_remove(path);
    g_rmdir(dir);
}

/* Each threshold of each sensor is saved by itself. */
static void test_saved(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-thermal-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "s", NULL);
    struct th *h = host(path);

    th_assert_sc(th_set_feature(h, ENVME_FID_TEMP_THRESH, 0,
                                SENSOR(2) | 345 | HYST(3), true), SUCCESS);
    th_assert_sc(th_set_feature(h, ENVME_FID_TEMP_THRESH, 0,
                                SENSOR(3) | UNDER | 290, true), SUCCESS);
    set_th(h, SENSOR(1) | 333);
    g_assert_cmphex(get_th(h, 2, SENSOR(2)), ==, 345 | HYST(3));
    g_assert_cmphex(get_th(h, 2, SENSOR(3) | UNDER), ==, 290);
    g_assert_cmphex(get_th(h, 2, SENSOR(1)), ==, 0xffff);
    th_free(h);
    h = host(path);
    g_assert_cmphex(get_th(h, 0, SENSOR(2)), ==, 345 | HYST(3));
    g_assert_cmphex(get_th(h, 0, SENSOR(3) | UNDER), ==, 290);
    g_assert_cmphex(get_th(h, 0, SENSOR(1)), ==, 0xffff);
    g_assert_cmphex(get_th(h, 0, 0), ==, ENVME_ADMIN_WCTEMP);
    temp(h, 2, 345);
    g_assert_cmphex(warning(h), ==, ENVME_SMART_CW_TTC);
    th_free(h);
    g_remove(path);
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/thermal/sensors", test_sensors);
    g_test_add_func("/thermal/thresholds", test_thresholds);
    g_test_add_func("/thermal/edges", test_edges);
    g_test_add_func("/thermal/hysteresis", test_hysteresis);
    g_test_add_func("/thermal/events", test_events);
    g_test_add_func("/thermal/warm-time", test_warm_time);
    g_test_add_func("/thermal/hctm-set", test_hctm_set);
    g_test_add_func("/thermal/hctm", test_hctm);
    g_test_add_func("/thermal/saved", test_saved);
    return g_test_run();
}
