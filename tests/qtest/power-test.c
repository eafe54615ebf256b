/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power states and temperatures as properties: what Identify and SMART say,
 * qom-set while the machine runs, transitions in QEMU's time.
 */
#include "qnvme.h"

#include "qobject/qjson.h"

#include "envme/feat.h"
#include "envme/id-ctrl.h"
#include "envme/log.h"

static struct envme_id_ctrl identify(QNvme *q)
{
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c = qn_admin(q, qn_identify(1, 0, buf));
    struct envme_id_ctrl id;

    qn_assert_ok(c);
    qn_read(q, buf, &id, sizeof(id));
    return id;
}

static struct envme_log_smart smart(QNvme *q)
{
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_log_smart log;
    struct envme_cqe c = qn_admin(q, qn_getlog(ENVME_LID_SMART, 0,
                                               sizeof(log), buf));

    qn_assert_ok(c);
    qn_read(q, buf, &log, sizeof(log));
    return log;
}

static unsigned composite(const struct envme_log_smart *log)
{
    return log->ctemp[0] | log->ctemp[1] << 8;
}

/* Whether it could be done. */
static bool set(QNvme *q, const char *name, unsigned value)
{
    QDict *r = qtest_qmp(q->qts, "{'execute': 'qom-set', 'arguments': {"
                         "'path': '/machine/peripheral/nv', 'property': %s,"
                         "'value': %u}}", name, value);
    bool ok = qdict_haskey(r, "return");

    qobject_unref(r);
    return ok;
}

static unsigned get(QNvme *q, const char *name)
{
    QDict *r = qtest_qmp(q->qts, "{'execute': 'qom-get', 'arguments': {"
                         "'path': '/machine/peripheral/nv', 'property': "
                         "%s}}", name);
    unsigned v = qdict_get_int(r, "return");

    qobject_unref(r);
    return v;
}

static void test_temperature(void)
{
    QNvme *q = qn_start(&(QnConf){
        .props = "temperature=311,temperature2=320",
    });
    struct envme_log_smart log = smart(q);

    g_assert_cmpuint(composite(&log), ==, 311);
    g_assert_cmpuint(le16_get(log.tsen[0]), ==, 311);
    g_assert_cmpuint(le16_get(log.tsen[1]), ==, 320);
    g_assert_cmpuint(le16_get(log.tsen[2]), ==, 0);
    g_assert_cmphex(log.cw, ==, 0);
    g_assert_true(set(q, "temperature", 343));
    g_assert_true(set(q, "temperature1", 300));
    g_assert_cmpuint(get(q, "temperature"), ==, 343);
    g_assert_cmpuint(get(q, "temperature1"), ==, 300);
    log = smart(q);
    g_assert_cmpuint(composite(&log), ==, 343);
    g_assert_cmpuint(le16_get(log.tsen[0]), ==, 300);
    g_assert_cmphex(log.cw, ==, ENVME_SMART_CW_TTC);
    /* No such sensor, no such temperature. */
    g_assert_false(set(q, "temperature3", 300));
    g_assert_false(set(q, "temperature", 0));
    g_assert_false(set(q, "temperature", 65536));
    g_assert_true(set(q, "temperature1", 0));
    g_assert_cmpuint(get(q, "temperature1"), ==, 343);
    qn_close(q);
}

static void test_table(void)
{
    static const struct {
        const char *props;
        unsigned npss;
        bool apst;
    } t[] = {
        { NULL, 0, false },
        { "power-states=on", 4, true },
        { "power-states=off", 0, false },
        { "power-states=9W:4W/0/0/50", 1, false },
        { "power-states=9W:10mW/50/70/idle", 1, true },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        QNvme *q = qn_start(&(QnConf){ .props = t[i].props });
        struct envme_id_ctrl id = identify(q);

        g_assert_cmpuint(id.npss, ==, t[i].npss);
        g_assert_cmpuint(id.apsta, ==, t[i].apst);
        if (t[i].npss == 1) {
            g_assert_cmpuint(le16_get(id.psd[0].mp), ==, 900);
            g_assert_cmphex(id.psd[1].flags & ENVME_PSD_NOPS, ==,
                            t[i].apst ? ENVME_PSD_NOPS : 0);
        }
        qn_close(q);
    }
}

/* The state takes QEMU's time, and a read has it wake up. */
static void test_sleep(void)
{
    QNvme *q = qn_start(&(QnConf){
        .props = "power-states=9W:10mW/50000/70000/idle",
    });
    QnSq *sq = qn_io_queue(q, 1, 16, -1);
    uint64_t buf = qn_alloc(q, QN_PAGE);
    int64_t start = qtest_clock_step(q->qts, 1), end;
    struct envme_cqe c;

    c = qn_admin(q, qn_feature(true, ENVME_FID_POWER_MGMT, 1));
    qn_assert_ok(c);
    end = qtest_clock_step(q->qts, 1);
    g_assert_cmpint(end - start, >=, 50000000);
    c = qn_admin(q, qn_feature(false, ENVME_FID_POWER_MGMT, 0));
    qn_assert_ok(c);
    g_assert_cmpuint(le32_get(c.dw0), ==, 1);
    start = qtest_clock_step(q->qts, 1);
    c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
    qn_assert_ok(c);
    end = qtest_clock_step(q->qts, 1);
    g_assert_cmpint(end - start, >=, 70000000);
    c = qn_admin(q, qn_feature(false, ENVME_FID_POWER_MGMT, 0));
    qn_assert_ok(c);
    g_assert_cmpuint(le32_get(c.dw0), ==, 0);
    qn_close(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add("/power/temperature", test_temperature, 0);
    qn_add("/power/table", test_table, 0);
    qn_add("/power/sleep", test_sleep, 0);
    return g_test_run();
}
