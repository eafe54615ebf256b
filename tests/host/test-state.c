/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is there again after a power cycle: saved features, the counters of
 * SMART, the error log. A power cycle is a new subsystem with the same file; a
 * power cut is one with a copy of the file from before.
 */
#include "th.h"

#include <glib/gstdio.h>

#define SEC (1000ull * 1000 * 1000)
#define HOUR (3600 * SEC)

static char *folder;

static char *fresh(void)
{
    static unsigned n;

    return g_strdup_printf("%s/s%u", folder, n++);
}

static void drop(char *path)
{
    g_assert_cmpint(g_remove(path), ==, 0);
    g_free(path);
}

/* What a power cut now would leave. */
static char *cut(const char *path)
{
    char *copy = fresh(), *data;
    gsize len;

    g_assert(g_file_get_contents(path, &data, &len, NULL));
    g_assert(g_file_set_contents(copy, data, len, NULL));
    g_free(data);
    return copy;
}

static bool shut(void *arg)
{
    return FIELD_GET(ENVME_CSTS_SHST, th_r32(arg, ENVME_REG_CSTS)) ==
           ENVME_CSTS_SHST_COMPLETE;
}

static void shutdown(struct th *h, unsigned shn)
{
    th_w32(h, ENVME_REG_CC, th_r32(h, ENVME_REG_CC) |
                            (uint32_t)FIELD_SET(ENVME_CC_SHN, shn));
    g_assert(th_until(h, shut, h));
}

static struct th *power_on(const char *path)
{
    struct th *h = th_new(.state = path);

    th_enable(h);
    return h;
}

/* ---- features ---------------------------------------------------------- */

static void set(struct th *h, uint8_t fid, uint32_t nsid, uint32_t v,
                bool save)
{
    th_assert_sc(th_set_feature(h, fid, nsid, v, save), SUCCESS);
}

static uint32_t get_at(struct th *h, uint8_t fid, uint32_t nsid, unsigned sel,
                       uint32_t cdw11)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, nsid);
    struct envme_cqe c;

    s.cdw10 = le32(fid | sel << 8);
    s.cdw11 = le32(cdw11);
    c = th_admin(h, &s);
    th_assert_sc(c, SUCCESS);
    return le32_get(c.dw0);
}

static uint32_t get(struct th *h, uint8_t fid, uint32_t nsid, unsigned sel)
{
    return get_at(h, fid, nsid, sel, 0);
}

struct feat {
    uint8_t fid;
    uint32_t nsid, v, dflt;
};

static const struct feat feats[] = {
    { ENVME_FID_ARBITRATION, 0, 0x01020303, ENVME_ADMIN_AB },
    { ENVME_FID_POWER_MGMT, 0, 0x40, 0 },
    { ENVME_FID_TEMP_THRESH, 0, 333, ENVME_ADMIN_WCTEMP },
    { ENVME_FID_ERROR_RECOVERY, 1, 0x1234, 0 },
    { ENVME_FID_IRQ_COALESCE, 0, 0x0502, 0 },
    { ENVME_FID_WRITE_ATOMIC, 0, 1, 0 },
    { ENVME_FID_AEC, 0, ENVME_FEAT_AEC_NSAN | 2, 0 },
};

static void check_feats(struct th *h, bool is_saved)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(feats); i++) {
        const struct feat *f = &feats[i];
        uint32_t want = is_saved ? f->v : f->dflt;

        g_assert_cmphex(get(h, f->fid, f->nsid, ENVME_FEAT_SEL_CURRENT), ==,
                        want);
        g_assert_cmphex(get(h, f->fid, f->nsid, ENVME_FEAT_SEL_SAVED), ==,
                        want);
        g_assert_cmphex(get(h, f->fid, f->nsid, ENVME_FEAT_SEL_DEFAULT), ==,
                        f->dflt);
        g_assert_cmphex(get(h, f->fid, f->nsid, ENVME_FEAT_SEL_CAPS) &
                        ENVME_FEAT_CAP_SAVEABLE, ==, ENVME_FEAT_CAP_SAVEABLE);
    }
}

static void set_feats(struct th *h, bool save)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(feats); i++) {
        set(h, feats[i].fid, feats[i].nsid, feats[i].v, save);
    }
}

static void test_features(void)
{
    char *path = fresh();
    struct th *h = power_on(path);

    check_feats(h, false);
    set_feats(h, false);
    th_free(h);
    h = power_on(path);
    check_feats(h, false);
    set_feats(h, true);
    check_feats(h, true);
    th_free(h);
    for (unsigned i = 0; i < 2; i++) {
        h = power_on(path);
        check_feats(h, true);
        /* They have their effect, too. */
        g_assert_cmphex(atomic_load(&h->ctrl->arbitration), ==, 0x01020303);
        g_assert_cmphex(atomic_load(&h->ctrl->coalescing), ==, 0x0502);
        g_assert_cmpuint(envme_health_warning(h->ctrl), ==, 0);
        envme_health_set_temperature(h->ctrl, 334);
        g_assert_cmpuint(envme_health_warning(h->ctrl), ==,
                         ENVME_SMART_CW_TTC);
        envme_health_set_temperature(h->ctrl, 300);
        /* What is set without saving goes with a reset. */
        set(h, ENVME_FID_ARBITRATION, 0, 7, false);
        g_assert_cmphex(get(h, ENVME_FID_ARBITRATION, 0,
                            ENVME_FEAT_SEL_SAVED), ==, 0x01020303);
        th_disable(h);
        th_enable(h);
        check_feats(h, true);
        th_free(h);
    }
    drop(path);
}

/* Without a file: until the device goes. */
static void test_no_file(void)
{
    struct th *h = th_new();

    th_enable(h);
    set_feats(h, true);
    th_disable(h);
    th_enable(h);
    check_feats(h, true);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);
    check_feats(h, true);
    th_free(h);
    h = th_new();
    th_enable(h);
    check_feats(h, false);
    th_free(h);
}

/* When the host is told that it is saved, it is. */
static void test_durable(void)
{
    char *path = fresh();
    struct th *h = power_on(path), *g;

    for (unsigned i = 0; i < G_N_ELEMENTS(feats); i++) {
        const struct feat *f = &feats[i];
        char *copy;

        set(h, f->fid, f->nsid, f->v, true);
        copy = cut(path);
        g = power_on(copy);
        g_assert_cmphex(get(g, f->fid, f->nsid, ENVME_FEAT_SEL_SAVED), ==,
                        f->v);
        th_free(g);
        drop(copy);
    }
    th_free(h);
    drop(path);
}

static void test_not_saveable(void)
{
    static const uint8_t fids[] = {
        ENVME_FID_NUM_QUEUES, ENVME_FID_IRQ_CONFIG, ENVME_FID_TIMESTAMP,
    };
    struct th *h = th_new();

    th_enable(h);
    for (unsigned i = 0; i < G_N_ELEMENTS(fids); i++) {
        uint8_t zero[8] = { 0 };
        struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);

        s.cdw10 = le32(fids[i] | ENVME_FEAT_SV);
        th_assert_sc(th_cmd_data(h, 0, &s, zero, sizeof(zero), TH_PRP),
                     FID_NOT_SAVEABLE);
        g_assert_cmphex(get(h, fids[i], 0, ENVME_FEAT_SEL_CAPS) &
                        ENVME_FEAT_CAP_SAVEABLE, ==, 0);
    }
    th_free(h);
}

#define UNDER ((uint32_t)FIELD_SET(ENVME_FEAT_TMPTH_THSEL, ENVME_THSEL_UNDER))

/* Each of the two thresholds is saved by itself. */
static void test_thresholds(void)
{
    char *path = fresh();
    struct th *h = power_on(path);

    set(h, ENVME_FID_TEMP_THRESH, 0, 320, false);
    set(h, ENVME_FID_TEMP_THRESH, 0, 280 | UNDER, true);
    g_assert_cmpuint(get_at(h, ENVME_FID_TEMP_THRESH, 0, 0, 0), ==, 320);
    g_assert_cmpuint(get_at(h, ENVME_FID_TEMP_THRESH, 0, 2, 0), ==,
                     ENVME_ADMIN_WCTEMP);
    g_assert_cmpuint(get_at(h, ENVME_FID_TEMP_THRESH, 0, 2, UNDER), ==, 280);
    th_free(h);
    h = power_on(path);
    g_assert_cmpuint(get_at(h, ENVME_FID_TEMP_THRESH, 0, 0, 0), ==,
                     ENVME_ADMIN_WCTEMP);
    g_assert_cmpuint(get_at(h, ENVME_FID_TEMP_THRESH, 0, 0, UNDER), ==, 280);
    th_free(h);
    drop(path);
}

static struct th *with_cache(const char *path)
{
    struct th *h = th_new(.state = path,
                          .ns = { { .size = MIB, .write_cache = true } });

    return h;
}

/* The cache is off before the first write, and after each reset. */
static void test_cache(void)
{
    char *path = fresh();
    struct th *h = with_cache(path);

    if (!h->ns[0]->geo.volatile_cache) {
        g_error("the test has no write cache to turn off");
    }
    th_enable(h);
    g_assert_cmpuint(get(h, ENVME_FID_VWC, 0, 0), ==, 1);
    set(h, ENVME_FID_VWC, 0, 0, false);
    th_disable(h);
    th_enable(h);
    g_assert_cmpuint(get(h, ENVME_FID_VWC, 0, 0), ==, 1);
    set(h, ENVME_FID_VWC, 0, 0, true);
    th_free(h);
    h = with_cache(path);
    g_assert(!atomic_load(&h->ns[0]->wce));
    g_assert(!h->be[0]->cache_on);
    th_enable(h);
    g_assert_cmpuint(get(h, ENVME_FID_VWC, 0, 0), ==, 0);
    g_assert_cmpuint(get(h, ENVME_FID_VWC, 0, ENVME_FEAT_SEL_SAVED), ==, 0);
    th_disable(h);
    th_enable(h);
    g_assert_cmpuint(get(h, ENVME_FID_VWC, 0, 0), ==, 0);
    g_assert(!h->be[0]->cache_on);
    set(h, ENVME_FID_VWC, 0, 1, true);
    th_free(h);
    h = with_cache(path);
    g_assert(atomic_load(&h->ns[0]->wce));
    th_free(h);
    drop(path);
}

/* FFFFFFFFh saves each; another's is not touched; a deleted one's goes. */
static void test_namespaces(void)
{
    struct th_ns_opts two[TH_MAX_NS] = {
        { .size = MIB }, { .size = MIB, .nsid = 5 },
    };
    struct th_opts o = { .state = fresh() };
    char *path = (char *)o.state;
    struct th *h;

    memcpy(o.ns, two, sizeof(two));
    h = th_new_(&o);
    th_enable(h);
    set(h, ENVME_FID_ERROR_RECOVERY, UINT32_MAX, 7, true);
    set(h, ENVME_FID_ERROR_RECOVERY, 5, 9, true);
    th_free(h);
    h = th_new_(&o);
    th_enable(h);
    g_assert_cmpuint(get(h, ENVME_FID_ERROR_RECOVERY, 1, 0), ==, 7);
    g_assert_cmpuint(get(h, ENVME_FID_ERROR_RECOVERY, 5, 0), ==, 9);
    envme_feature_forget_ns(h->ctrl, 5);
    g_assert_cmpuint(get(h, ENVME_FID_ERROR_RECOVERY, 5,
                         ENVME_FEAT_SEL_SAVED), ==, 0);
    th_free(h);
    h = th_new_(&o);
    th_enable(h);
    g_assert_cmpuint(get(h, ENVME_FID_ERROR_RECOVERY, 1, 0), ==, 7);
    g_assert_cmpuint(get(h, ENVME_FID_ERROR_RECOVERY, 5, 0), ==, 0);
    th_free(h);
    drop(path);
}

/* Two controllers of a subsystem have a value each. */
static void test_two(void)
{
    char *path = fresh();

    for (unsigned i = 0; i < 2; i++) {
        struct th *a = th_new(.state = path, .multi = true);
        struct th *b = th_new(.peer = a);

        th_enable(a);
        th_enable(b);
        if (i == 0) {
            set(a, ENVME_FID_ARBITRATION, 0, 1, true);
            set(b, ENVME_FID_ARBITRATION, 0, 2, true);
        }
        g_assert_cmpuint(get(a, ENVME_FID_ARBITRATION, 0, 0), ==, 1);
        g_assert_cmpuint(get(b, ENVME_FID_ARBITRATION, 0, 0), ==, 2);
        th_free(b);
        th_free(a);
    }
    drop(path);
}

/* ---- a disk that fails ------------------------------------------------- */

static void test_failing(void)
{
    char *path = fresh();
    struct th *h = th_new(.state = path, .state_ops = &th_state_bad);

    th_enable(h);
    th_state_broken = true;
    th_assert_sc(th_set_feature(h, ENVME_FID_ARBITRATION, 0, 3, true),
                 INTERNAL);
    /* Without saving it goes on as ever. */
    set(h, ENVME_FID_ARBITRATION, 0, 2, false);
    /* The shutdown is not held up. */
    shutdown(h, ENVME_CC_SHN_NORMAL);
    th_disable(h);
    th_enable(h);
    th_state_broken = false;
    set(h, ENVME_FID_ARBITRATION, 0, 4, true);
    th_free(h);
    h = power_on(path);
    g_assert_cmpuint(get(h, ENVME_FID_ARBITRATION, 0, 0), ==, 4);
    th_free(h);
    drop(path);
}

/* ---- SMART ------------------------------------------------------------- */

static uint64_t counter(const uint8_t c[16])
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 8; i++) {
        v |= (uint64_t)c[i] << (8 * i);
    }
    return v;
}

static struct envme_log_smart smart(struct th *h)
{
    struct envme_log_smart log;

    th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 0, &log,
                            sizeof(log), false), SUCCESS);
    return log;
}

static void cycles(struct th *h, unsigned power, unsigned unsafe)
{
    struct envme_log_smart log = smart(h);

    g_assert_cmpuint(counter(log.pwrc), ==, power);
    g_assert_cmpuint(counter(log.upl), ==, unsafe);
}

static void test_cycles(void)
{
    char *path = fresh(), *copy;
    struct th *h = power_on(path);

    cycles(h, 1, 0);
    shutdown(h, ENVME_CC_SHN_NORMAL);
    th_free(h);
    h = power_on(path);
    cycles(h, 2, 0);
    th_free(h);                 /* nobody shut it down */
    h = power_on(path);
    cycles(h, 3, 1);
    /* Resets are none of either. */
    th_disable(h);
    th_enable(h);
    th_reset(h, ENVME_RESET_NSSR);
    th_enable(h);
    cycles(h, 3, 1);
    /* The host may be told that it is off: it counts as soon as that. */
    shutdown(h, ENVME_CC_SHN_ABRUPT);
    copy = cut(path);
    /* Used again: not clean any more. */
    th_disable(h);
    th_enable(h);
    th_free(h);
    h = power_on(path);
    cycles(h, 4, 2);
    th_free(h);
    h = power_on(copy);
    cycles(h, 4, 1);
    th_free(h);
    drop(copy);
    drop(path);
}

/* Enabled and cut off at once, or never enabled at all. */
static void test_cut(void)
{
    char *path = fresh(), *copy;
    struct th *h = power_on(path);

    copy = cut(path);
    th_free(h);
    h = power_on(copy);
    cycles(h, 2, 1);
    shutdown(h, ENVME_CC_SHN_NORMAL);
    th_free(h);
    th_free(th_new(.state = copy));
    h = power_on(copy);
    cycles(h, 3, 1);
    shutdown(h, ENVME_CC_SHN_NORMAL);
    th_free(h);
    /* It has been on for some time. */
    h = th_new(.state = copy);
    th_advance(h, 11 * SEC);
    th_free(h);
    h = power_on(copy);
    cycles(h, 5, 1);
    th_free(h);
    drop(copy);
    drop(path);
}

static void test_counters(void)
{
    char *path = fresh();

    for (unsigned i = 1; i <= 3; i++) {
        struct th *h = power_on(path);
        struct envme_log_smart log;

        th_queues(h, 1, 8);
        for (unsigned k = 0; k < 5; k++) {
            th_assert_sc(th_write(h, .nlb = 150), SUCCESS);
            th_assert_sc(th_read(h, .nlb = 250), SUCCESS);
        }
        th_assert_sc(th_read(h), SUCCESS);
        th_assert_sc(th_read(h, .slba = 1 << 30), LBA_RANGE);
        h->be[0]->fail_op = ENVME_BIO_READ;
        h->be[0]->fail_errno = -EIO;
        g_assert_cmpuint(cqe_sc(&(struct envme_cqe[]){ th_read(h) }[0]), !=,
                         0);
        h->be[0]->fail_op = -1;
        envme_health_set_temperature(h->ctrl, ENVME_ADMIN_WCTEMP);
        th_advance(h, 40 * 60 * SEC);
        envme_health_set_temperature(h->ctrl, ENVME_ADMIN_CCTEMP);
        th_advance(h, 20 * 60 * SEC);
        envme_health_set_temperature(h->ctrl, 300);
        log = smart(h);
        g_assert_cmpuint(counter(log.duw), ==, (750 * i + 999) / 1000);
        g_assert_cmpuint(counter(log.dur), ==, (1251 * i + 999) / 1000);
        g_assert_cmpuint(counter(log.hwc), ==, 5 * i);
        g_assert_cmpuint(counter(log.hrc), ==, 7 * i);
        g_assert_cmpuint(counter(log.neile), ==, 2 * i);
        g_assert_cmpuint(counter(log.mdie), ==, i);
        g_assert_cmpuint(counter(log.poh), ==, i);
        g_assert_cmpuint(le32_get(log.wctt), ==, 40 * i);
        g_assert_cmpuint(le32_get(log.cctt), ==, 20 * i);
        th_free(h);
    }
    drop(path);
}

/* A power cut takes no more than the last seconds; an idle drive writes
 * nothing but now and then. */
static void test_sampled(void)
{
    char *path = fresh(), *copy;
    struct th *h = power_on(path), *g;
    struct envme_log_smart log;
    GStatBuf a, b;

    th_queues(h, 1, 8);
    th_assert_sc(th_write(h, .nlb = 100), SUCCESS);
    copy = cut(path);
    g = power_on(copy);
    log = smart(g);
    g_assert_cmpuint(counter(log.hwc), ==, 0);
    th_free(g);
    drop(copy);
    th_advance(h, 11 * SEC);
    copy = cut(path);
    g = power_on(copy);
    log = smart(g);
    g_assert_cmpuint(counter(log.hwc), ==, 1);
    g_assert_cmpuint(counter(log.duw), ==, 1);
    th_free(g);
    drop(copy);
    g_assert_cmpint(g_stat(path, &a), ==, 0);
    for (unsigned i = 0; i < 25; i++) {
        th_advance(h, 11 * SEC);
    }
    g_assert_cmpint(g_stat(path, &b), ==, 0);
    g_assert_cmpuint(a.st_ino, ==, b.st_ino);
    g_assert_cmpint(a.st_mtim.tv_nsec, ==, b.st_mtim.tv_nsec);
    th_advance(h, HOUR);
    copy = cut(path);
    g = power_on(copy);
    log = smart(g);
    g_assert_cmpuint(counter(log.poh), ==, 1);
    th_free(g);
    drop(copy);
    th_free(h);
    drop(path);
}

/* ---- error log --------------------------------------------------------- */

static void read_errors(struct th *h, struct envme_log_error *e, unsigned n)
{
    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, e,
                            n * sizeof(*e), false), SUCCESS);
}

static void tweak_small(struct envme_ctrl_params *p)
{
    p->elpe = 2;
}

static void test_errors(void)
{
    char *path = fresh();
    struct envme_log_error a[16], b[16];
    struct th *h = power_on(path);

    th_queues(h, 1, 8);
    for (unsigned i = 0; i < 5; i++) {
        th_assert_sc(th_read(h, .slba = (1 << 30) + i), LBA_RANGE);
    }
    read_errors(h, a, 16);
    g_assert_cmpuint(le64_get(a[0].ecnt), ==, 5);
    th_free(h);
    h = power_on(path);
    read_errors(h, b, 16);
    g_assert_cmpmem(a, sizeof(a), b, sizeof(b));
    th_queues(h, 1, 8);
    th_assert_sc(th_read(h, .slba = 1 << 30), LBA_RANGE);
    read_errors(h, b, 16);
    g_assert_cmpuint(le64_get(b[0].ecnt), ==, 6);
    g_assert_cmpmem(a, 5 * sizeof(*a), b + 1, 5 * sizeof(*a));
    th_free(h);
    /* A shorter log has the newest. */
    h = th_new(.state = path, .tweak = tweak_small);
    th_enable(h);
    read_errors(h, a, 3);
    g_assert_cmpmem(a, 3 * sizeof(*a), b, 3 * sizeof(*a));
    th_free(h);
    drop(path);
}

/* ---- threads ----------------------------------------------------------- */

/* The worker writes while the lanes run; commands wait for it. */
static void test_threads(void)
{
    char *path = fresh();
    struct th *h = th_new(.state = path, .threads = true, .lanes = 2);

    th_enable(h);
    th_queues(h, 2, 8);
    for (unsigned i = 1; i <= 20; i++) {
        set(h, ENVME_FID_IRQ_COALESCE, 0, i, true);
        th_assert_sc(th_write(h, .nlb = 8, .qid = 1 + i % 2), SUCCESS);
        set(h, ENVME_FID_WRITE_ATOMIC, 0, i & 1, true);
    }
    shutdown(h, ENVME_CC_SHN_NORMAL);
    /* A reset while a command waits for the file. */
    th_disable(h);
    th_enable(h);
    for (unsigned i = 0; i < 5; i++) {
        struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);

        s.cdw10 = le32(ENVME_FID_ARBITRATION | ENVME_FEAT_SV);
        s.cdw11 = le32(i);
        th_submit(h, 0, &s);
        th_disable(h);
        th_enable(h);
    }
    set(h, ENVME_FID_ARBITRATION, 0, 5, true);
    th_free(h);
    h = power_on(path);
    g_assert_cmpuint(get(h, ENVME_FID_IRQ_COALESCE, 0, 0), ==, 20);
    g_assert_cmpuint(get(h, ENVME_FID_WRITE_ATOMIC, 0, 0), ==, 0);
    g_assert_cmpuint(get(h, ENVME_FID_ARBITRATION, 0, 0), ==, 5);
    g_assert_cmpuint(counter(smart(h).hwc), ==, 20);
    cycles(h, 2, 1);
    th_free(h);
    drop(path);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("envme-host-state-XXXXXX", NULL);
    g_test_add_func("/state/features", test_features);
    g_test_add_func("/state/no-file", test_no_file);
    g_test_add_func("/state/durable", test_durable);
    g_test_add_func("/state/not-saveable", test_not_saveable);
    g_test_add_func("/state/thresholds", test_thresholds);
    g_test_add_func("/state/cache", test_cache);
    g_test_add_func("/state/namespaces", test_namespaces);
    g_test_add_func("/state/two-controllers", test_two);
    g_test_add_func("/state/failing", test_failing);
    g_test_add_func("/state/cycles", test_cycles);
    g_test_add_func("/state/cut", test_cut);
    g_test_add_func("/state/counters", test_counters);
    g_test_add_func("/state/sampled", test_sampled);
    g_test_add_func("/state/errors", test_errors);
    g_test_add_func("/state/threads", test_threads);
    ret = g_test_run();
    g_assert_cmpint(g_rmdir(folder), ==, 0);
    g_free(folder);
    return ret;
}
