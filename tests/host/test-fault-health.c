/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault actions on health: every field of SMART with its event, ramps, ageing,
 * the end of a drive's life; and what was counted is as it was afterwards.
 */
#include "th-fault.h"

#include <glib/gstdio.h>

#include "envme/id-ns.h"

#define MS (1000ull * 1000)
#define S  (1000 * MS)

static void tweak(struct envme_ctrl_params *p)
{
    p->temp_sensors = 3;
    p->temperature = 310;
}

static struct th *host_with(struct envme_faults **f, const char *state)
{
    struct th *h = th_new(.tweak = tweak, .state = state, .pmr = 64 * KIB,
                          .ns = { { .size = 1 * MIB }, { .size = MIB } });

    *f = envme_faults_new(h->ctrl, NULL);
    th_enable(h);
    th_queues(h, 1, 16);
    return h;
}

static void smart(struct th *h, struct envme_log_smart *log)
{
    memset(log, 0xee, sizeof(*log));
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 0, log,
                            sizeof(*log), false), SUCCESS);
}

static uint64_t at(const struct envme_log_smart *log, unsigned off,
                   unsigned width)
{
    const uint8_t *p = (const uint8_t *)log + off;
    uint64_t v = 0;

    for (unsigned i = 0; i < MIN(width, 8); i++) {
        v |= (uint64_t)p[i] << i * 8;
    }
    for (unsigned i = 8; i < width; i++) {
        g_assert_cmpuint(p[i], ==, 0);
    }
    return v;
}

static uint64_t count(struct th *h, unsigned off)
{
    struct envme_log_smart log;

    smart(h, &log);
    return at(&log, off, 16);
}

/* ---- fields ------------------------------------------------------------ */

#define OFF(f) offsetof(struct envme_log_smart, f)

static const struct {
    const char *name;
    unsigned off, width;
    uint64_t value;
} fields[] = {
    { "temperature", OFF(ctemp), 2, 320 },
    { "sensor-1", OFF(tsen[0]), 2, 333 },
    { "sensor-3", OFF(tsen[2]), 2, 301 },
    { "critical-warning", OFF(cw), 1, 0x14 },
    { "available-spare", OFF(avsp), 1, 42 },
    { "spare-threshold", OFF(avspt), 1, 20 },
    { "percentage-used", OFF(pused), 1, 255 },
    { "data-units-read", OFF(dur), 16, 0x123456789abc },
    { "data-units-written", OFF(duw), 16, 77 },
    { "reads", OFF(hrc), 16, 1ull << 40 },
    { "writes", OFF(hwc), 16, 5 },
    { "busy-time", OFF(cbt), 16, 6 },
    { "power-cycles", OFF(pwrc), 16, 7 },
    { "power-on-hours", OFF(poh), 16, 8 },
    { "unsafe-shutdowns", OFF(upl), 16, 9 },
    { "media-errors-total", OFF(mdie), 16, 10 },
    { "media-errors", OFF(mdie), 16, 11 },
    { "error-entries", OFF(neile), 16, 12 },
    { "warning-time", OFF(wctt), 4, 13 },
    { "critical-time", OFF(cctt), 4, 14 },
    { "thermal-1-count", OFF(tmt1tc), 4, 15 },
    { "thermal-2-count", OFF(tmt2tc), 4, 16 },
    { "thermal-1-time", OFF(tttmt1), 4, 17 },
    { "thermal-2-time", OFF(tttmt2), 4, 18 },
};

static void test_fields(void)
{
    struct envme_faults *f;
    struct th *h = host_with(&f, NULL);
    struct envme_log_smart was, log;

    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++) {
        g_autofree char *todo = g_strdup_printf(
            "'health': {'%s': %" G_GUINT64_FORMAT ", 'for': '1s'}",
            fields[i].name, fields[i].value);

        smart(h, &was);
        tf_now(h, f, todo);
        smart(h, &log);
        g_assert_cmpuint(at(&log, fields[i].off, fields[i].width), ==,
                         fields[i].value);
        th_advance(h, 2 * S);
        smart(h, &log);
        g_assert_cmpmem(&log, sizeof(log), &was, sizeof(was));
    }
    tf_done(h, f);
}

/* Counters go on from where they were set; the truth has gone on, too. */
static void test_counters(void)
{
    struct envme_faults *f;
    struct th *h = host_with(&f, NULL);
    uint64_t was = count(h, OFF(hrc));

    tf_now(h, f, "'health': {'reads': 1000, 'media-errors': 3}");
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmpuint(count(h, OFF(hrc)), ==, 1001);
    tf_more(h, f, "{'health': {'media-errors': 4}}");
    g_assert_cmpuint(count(h, OFF(mdie)), ==, 7);
    h->be[0]->fail_op = ENVME_BIO_READ;
    h->be[0]->fail_errno = EIO;
    th_assert_sc(th_read(h), UNRECOVERED_READ);
    h->be[0]->fail_op = -1;
    g_assert_cmpuint(count(h, OFF(mdie)), ==, 8);
    /* A fault that takes a field over keeps it as long as it lasts. */
    tf_more(h, f, "{'health': {'reads': 50, 'for': '1s'}}");
    g_assert_cmpuint(count(h, OFF(hrc)), ==, 50);
    th_advance(h, 2 * S);
    g_assert_cmpuint(count(h, OFF(hrc)), ==, was + 2);
    envme_faults_activate(f, false);
    g_assert_cmpuint(count(h, OFF(mdie)), ==, 1);
    tf_done(h, f);
}

/* ---- events ------------------------------------------------------------ */

static uint8_t event_info(struct th *h, uint16_t aer)
{
    struct envme_cqe c = th_wait(h, 0, aer);

    th_assert_sc(c, SUCCESS);
    g_assert_cmpuint(le32_get(c.dw0) & 7, ==, ENVME_AEN_TYPE_SMART);
    g_assert_cmpuint(le32_get(c.dw0) >> 16, ==, ENVME_LID_SMART);
    return le32_get(c.dw0) >> 8;
}

static void test_events(void)
{
    static const struct {
        const char *todo;
        uint8_t info, cw;
    } t[] = {
        { "'health': {'available-spare': 9}", ENVME_AEN_SMART_SPARE,
          ENVME_SMART_CW_ASCBT },
        { "'health': {'available-spare': 90, 'spare-threshold': 91}",
          ENVME_AEN_SMART_SPARE, ENVME_SMART_CW_ASCBT },
        { "'health': {'temperature': 350}", ENVME_AEN_SMART_TEMPERATURE,
          ENVME_SMART_CW_TTC },
        { "'health': {'critical-warning': 4}", ENVME_AEN_SMART_RELIABILITY,
          ENVME_SMART_CW_NDR },
        { "'health': {'critical-warning': 8}", ENVME_AEN_SMART_RELIABILITY,
          ENVME_SMART_CW_AMRO },
        { "'health': {'critical-warning': 16}", ENVME_AEN_SMART_RELIABILITY,
          ENVME_SMART_CW_VMBF },
        { "'health': {'critical-warning': 32}", ENVME_AEN_SMART_RELIABILITY,
          ENVME_SMART_CW_PMRRO },
        { "'age': 115", ENVME_AEN_SMART_SPARE, ENVME_SMART_CW_ASCBT },
    };
    struct envme_faults *f;
    struct th *h = host_with(&f, NULL);
    struct envme_log_smart log;

    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, 0x3f, false),
                 SUCCESS);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        uint16_t aer = th_aer(h);

        tf_now(h, f, t[i].todo);
        g_assert_cmpuint(event_info(h, aer), ==, t[i].info);
        smart(h, &log);
        g_assert_cmphex(log.cw, ==, t[i].cw);
        tf_rules(f, "");
        smart(h, &log);
        g_assert_cmphex(log.cw, ==, 0);
    }
    tf_done(h, f);
}

/* ---- ramps ------------------------------------------------------------- */

static unsigned kelvin_now(struct th *h)
{
    struct envme_log_smart log;

    smart(h, &log);
    return log.ctemp[0] | log.ctemp[1] << 8;
}

static void test_ramp(void)
{
    struct envme_faults *f;
    struct th *h = host_with(&f, NULL);
    struct envme_log_smart log;
    uint16_t aer;

    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, 2, false),
                 SUCCESS);
    aer = th_aer(h);
    tf_now(h, f, "'ramp': {'to': 350, 'over': '40s'}");
    g_assert_cmpuint(kelvin_now(h), ==, 310);
    th_advance(h, 10 * S + MS);
    g_assert_cmpuint(kelvin_now(h), ==, 320);
    th_advance(h, 22 * S);
    g_assert_cmpuint(kelvin_now(h), ==, 342);
    th_reap(h, 0);
    g_assert_false(th_done(h, 0, aer, NULL));
    th_advance(h, S);
    g_assert_cmpuint(event_info(h, aer), ==, ENVME_AEN_SMART_TEMPERATURE);
    th_advance(h, 3600 * S);
    g_assert_cmpuint(kelvin_now(h), ==, 350);
    /* Down, from there; another takes over; then the truth. */
    tf_more(h, f, "{'ramp': {'to': 300, 'over': '50s', 'for': '100s'}}");
    th_advance(h, 5 * S + MS);
    g_assert_cmpuint(kelvin_now(h), ==, 345);
    tf_more(h, f, "{'health': {'temperature': 280, 'for': '1s'}}");
    th_advance(h, MS);
    g_assert_cmpuint(kelvin_now(h), ==, 280);
    th_advance(h, 10 * S);
    g_assert_cmpuint(kelvin_now(h), ==, 310);
    th_advance(h, 200 * S);
    g_assert_cmpuint(kelvin_now(h), ==, 310);
    /* A sensor of its own. */
    tf_now(h, f, "'ramp': {'sensor': 2, 'to': 305, 'over': '5s'}");
    th_advance(h, 2 * S + MS);
    smart(h, &log);
    g_assert_cmpuint(le16_get(log.tsen[1]), ==, 308);
    g_assert_cmpuint(le16_get(log.tsen[0]), ==, 310);
    tf_now(h, f, "'ramp': {'to': 400}");
    g_assert_cmpuint(kelvin_now(h), ==, 400);
    tf_done(h, f);
}

/* ---- age --------------------------------------------------------------- */

static void test_age(void)
{
    struct envme_faults *f;
    struct th *h = host_with(&f, NULL);
    struct envme_log_smart log;
    uint64_t units;

    tf_now(h, f, "'age': {'years': 2}");
    smart(h, &log);
    g_assert_cmpuint(log.pused, ==, 40);
    g_assert_cmpuint(log.avsp, ==, 64);
    g_assert_cmpuint(log.cw, ==, 0);
    g_assert_cmpuint(at(&log, OFF(poh), 16), ==, 2 * 365 * 24);
    g_assert_cmpuint(at(&log, OFF(pwrc), 16), ==, 2 * 365 + 1);
    /* 2 MiB each day for two years. */
    units = at(&log, OFF(duw), 16);
    g_assert_cmpuint(units, ==, 2ull * MIB * 730 / 512000);
    /* It goes on from there, a percent in each second. */
    tf_more(h, f, "{'age': {'percent': 120, 'over': '80s'}}");
    smart(h, &log);
    g_assert_cmpuint(log.pused, ==, 40);
    th_advance(h, 10 * S + MS);
    smart(h, &log);
    g_assert_cmpuint(log.pused, ==, 50);
    g_assert_cmpuint(at(&log, OFF(poh), 16), ==, 438 * 50);
    g_assert_cmpuint(at(&log, OFF(duw), 16), >, units);
    th_advance(h, 80 * S);
    smart(h, &log);
    g_assert_cmpuint(log.pused, ==, 120);
    g_assert_cmpuint(log.avsp, ==, 0);
    g_assert_cmphex(log.cw, ==, ENVME_SMART_CW_ASCBT);
    envme_faults_activate(f, false);
    smart(h, &log);
    g_assert_cmpuint(log.pused, ==, 0);
    g_assert_cmpuint(log.avsp, ==, 100);
    g_assert_cmpuint(at(&log, OFF(pwrc), 16), ==, 1);
    tf_done(h, f);
}

/* ---- the end ----------------------------------------------------------- */

static void test_end(void)
{
    struct envme_faults *f;
    struct th *h = host_with(&f, NULL);
    struct envme_log_smart log;
    struct envme_id_ns id;
    struct envme_cqe c;

    tf_now(h, f, "'end-of-life': {'for': '5s'}");
    smart(h, &log);
    g_assert_cmphex(log.cw, ==, ENVME_SMART_CW_ASCBT | ENVME_SMART_CW_AMRO);
    g_assert_cmpuint(log.avsp, ==, 0);
    g_assert_cmpuint(log.pused, ==, 100);
    for (unsigned i = 1; i <= 2; i++) {
        c = th_write(h, .nsid = i);
        th_assert_sc(c, READ_ONLY_RANGE);
        g_assert_true(cqe_dnr(&c));
        th_assert_sc(th_read(h, .nsid = i), SUCCESS);
        th_assert_sc(th_identify(h, ENVME_CNS_NS, i, &id), SUCCESS);
        g_assert_cmphex(id.nsattr & ENVME_NSATTR_CWP, !=, 0);
    }
    th_advance(h, 6 * S);
    th_assert_sc(th_write(h), SUCCESS);
    smart(h, &log);
    g_assert_cmphex(log.cw, ==, 0);
    g_assert_cmpuint(log.pused, ==, 0);
    tf_now(h, f, "'end-of-life': true");
    th_assert_sc(th_write(h), READ_ONLY_RANGE);
    tf_done(h, f);
}

/* ---- the truth --------------------------------------------------------- */

/* What faults show is not what is kept. */
static void test_kept(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-health-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    struct envme_faults *f;
    struct th *h = host_with(&f, path);
    struct envme_log_smart log;

    th_assert_sc(th_write(h), SUCCESS);
    tf_now(h, f, "'age': 90, 'health': {'writes': 5000, 'media-errors': 9, "
           "'unsafe-shutdowns': 77}, 'resize': {'blocks': 9}, "
           "'identifiers': {'nguid': '0102030405060708090a0b0c0d0e0f10'}");
    smart(h, &log);
    g_assert_cmpuint(at(&log, OFF(hwc), 16), ==, 5000);
    th_advance(h, 400 * S);
    tf_done(h, f);
    h = host_with(&f, path);
    smart(h, &log);
    g_assert_cmpuint(at(&log, OFF(hwc), 16), ==, 1);
    g_assert_cmpuint(at(&log, OFF(mdie), 16), ==, 0);
    g_assert_cmpuint(at(&log, OFF(upl), 16), <=, 1);
    g_assert_cmpuint(at(&log, OFF(pwrc), 16), ==, 2);
    g_assert_cmpuint(log.pused, ==, 0);
    th_assert_sc(th_read(h, .slba = 2047), SUCCESS);
    tf_done(h, f);
    g_unlink(path);
    g_rmdir(dir);
}

static void test_refused(void)
{
    static const struct {
        const char *todo, *err;
    } t[] = {
        { "'health': {'critical-warning': 2}", "bit 1 is the temperature's" },
        { "'health': {'critical-warning': 64}", "is not between" },
        { "'health': {'sensor-4': 300}", "has 3 sensors" },
        { "'health': {'sensor-9': 300}", "sensor-9" },
        { "'health': {'spare-threshold': 101}", "is not between" },
        { "'health': {'percentage-used': 256}", "is not between" },
        { "'health': {'thermal-1-count': 4294967296}", "is not between" },
        { "'ramp': {'over': '5s'}", "\"to\" is missing" },
        { "'ramp': {'to': 300, 'sensor': 5}", "has 3" },
        { "'age': {'over': '5s'}", "is wanted" },
        { "'age': {'percent': 5, 'years': 5}", "is wanted" },
        { "'age': 256", "is not between" },
        { "'end-of-life': 5", "true, or an object" },
    };
    struct envme_faults *f;
    struct th *h = host_with(&f, NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        g_autofree char *file = g_strdup_printf(
            "{'rules': [{'name': 'n', 'on': 'time', 'do': {%s}}]}",
            t[i].todo);
        g_autofree char *err = tf_wrong(f, file);

        if (!strstr(err, t[i].err) || !strstr(err, "rule 'n'")) {
            g_error("%s: %s", t[i].todo, err);
        }
    }
    tf_done(h, f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fault-health/fields", test_fields);
    g_test_add_func("/fault-health/counters", test_counters);
    g_test_add_func("/fault-health/events", test_events);
    g_test_add_func("/fault-health/ramp", test_ramp);
    g_test_add_func("/fault-health/age", test_age);
    g_test_add_func("/fault-health/end", test_end);
    g_test_add_func("/fault-health/kept", test_kept);
    g_test_add_func("/fault-health/refused", test_refused);
    return g_test_run();
}
