/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service-time model: distributions by their moments and quantiles, for a
 * fixed seed; channels against a brute-force queue; limits by what they let
 * through.
 */
#include "hw/core/timing.h"

#include <glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define S 1000000000ull
#define MS 1000000ull
#define US 1000ull

/* ---- distributions ----------------------------------------------------- */

static struct envme_dist dist(const char *text)
{
    struct envme_dist d;
    g_autofree char *err = envme_dist_parse(text, &d);

    g_assert_cmpstr(err, ==, NULL);
    return d;
}

struct moments {
    double mean, sd, least, most, p50, p99;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static struct moments moments(const char *text)
{
    enum { N = 200000 };
    struct envme_dist d = dist(text);
    uint64_t *v = g_new(uint64_t, N), rng = 42;
    struct moments m = { 0 };

    for (int i = 0; i < N; i++) {
        v[i] = envme_dist_draw(&d, &rng);
        m.mean += (double)v[i] / N;
    }
    for (int i = 0; i < N; i++) {
        m.sd += (v[i] - m.mean) * (v[i] - m.mean) / N;
    }
    m.sd = sqrt(m.sd);
    qsort(v, N, sizeof(*v), by_value);
    m.least = v[0];
    m.most = v[N - 1];
    m.p50 = v[N / 2];
    m.p99 = v[N / 100 * 99];
    g_free(v);
    return m;
}

/* Within that share of what it should be. */
static void near_to(double got, double want, double share)
{
    if (fabs(got - want) > fabs(want) * share) {
        g_error("%f is not within %f of %f", got, share, want);
    }
}

static void test_fixed(void)
{
    struct moments m = moments("80us");

    g_assert_true(m.least == 80000 && m.most == 80000);
    g_assert_cmpuint(dist("0").ns[0], ==, 0);
    g_assert_cmpuint(dist("1.5ms").ns[0], ==, 1500000);
    g_assert_cmpuint(dist("3ns").ns[0], ==, 3);
    g_assert_cmpuint(dist("2s").ns[0], ==, 2 * S);
    g_assert_cmpuint(dist("3600s").ns[0], ==, ENVME_TIMING_MAX);
}

static void test_uniform(void)
{
    struct moments m = moments("uniform:60us:100us");
    struct envme_dist d = dist("uniform:3ns:5ns");
    unsigned seen[6] = { 0 };
    uint64_t rng = 1;

    near_to(m.mean, 80000, 0.005);
    near_to(m.sd, 40000 / sqrt(12), 0.01);
    g_assert_true(m.least >= 60000 && m.least < 60010);
    g_assert_true(m.most <= 100000 && m.most > 99990);
    /* Both ends, each as often as the middle. */
    for (int i = 0; i < 30000; i++) {
        seen[envme_dist_draw(&d, &rng)]++;
    }
    for (int i = 3; i <= 5; i++) {
        near_to(seen[i], 10000, 0.03);
    }
    d = dist("uniform:7us:7us");
    g_assert_cmpuint(envme_dist_draw(&d, &rng), ==, 7000);
}

static void test_lognormal(void)
{
    struct moments m = moments("lognormal:80us:0.4");

    near_to(m.p50, 80000, 0.01);
    near_to(m.mean, 80000 * exp(0.08), 0.01);
    near_to(m.sd, 80000 * exp(0.08) * sqrt(exp(0.16) - 1), 0.02);
    near_to(m.p99, 80000 * exp(0.4 * 2.3263), 0.02);
    m = moments("lognormal:80us:0");
    g_assert_true(m.least == 80000 && m.most == 80000);
    /* Far out, but never beyond an hour. */
    m = moments("lognormal:1000s:4");
    g_assert_true(m.most == (double)ENVME_TIMING_MAX);
}

static void test_table(void)
{
    struct moments m = moments("table:0=60us:50=80us:99=200us:100=5ms");

    g_assert_true(m.least >= 60000 && m.most <= 5000000);
    near_to(m.p50, 80000, 0.01);
    near_to(m.p99, 200000, 0.02);
    /* Means of the straight pieces. */
    near_to(m.mean, 0.5 * 70000 + 0.49 * 140000 + 0.01 * 2600000, 0.02);
    /* Below the first point there is nothing else. */
    m = moments("table:50=10us:100=10us");
    g_assert_true(m.least == 10000 && m.most == 10000);
    m = moments("table:100=10us");
    g_assert_true(m.least == 10000 && m.most == 10000);
}

static void test_bad_text(void)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "", "nearest valid value is 0" },
        { "fast", "nearest valid value is 0" },
        { "-3us", "nearest valid value is 0" },
        { "80", "no time" },
        { "80min", "no time" },
        { "80us:90us", "nearest valid value is 0" },
        { "3601s", "nearest valid value is 3600s" },
        { "1e300s", "nearest valid value is 3600s" },
        { "uniform:1us", "two times" },
        { "uniform:1us:2us:3us", "two times" },
        { "uniform:1us:x", "'x' is no time" },
        { "uniform:9us:3us", "nearest valid value is uniform:9us:9us" },
        { "lognormal:9us", "median and a sigma" },
        { "lognormal:9us:x", "sigma 'x'" },
        { "lognormal:9us:-1", "sigma '-1'" },
        { "lognormal:9us:nan", "sigma 'nan'" },
        { "lognormal:9us:5", "nearest valid value is 4" },
        { "lognormal:nan:1", "'nan' is no time" },
        { "table", "from 1 to 16 points" },
        { "table:0=1us:0=2us:100=3us", "not above" },
        { "table:0=3us:50=2us:100=3us", "not above" },
        { "table:0=1us:50=2us", "2us behind a 100=" },
        { "table:101=1us", "'101=1us' is no point" },
        { "table:x", "'x' is no point" },
        { "table:100", "'100' is no point" },
        { "table:nan=1us", "no point" },
        { "table:100=", "no time" },
        { "table:1=1us:2=1us:3=1us:4=1us:5=1us:6=1us:7=1us:8=1us:9=1us:"
          "10=1us:11=1us:12=1us:13=1us:14=1us:15=1us:16=1us:100=1us",
          "from 1 to 16 points" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct envme_dist d;
        g_autofree char *err = envme_dist_parse(bad[i].text, &d);

        if (!err || !strstr(err, bad[i].says)) {
            g_error("'%s': %s", bad[i].text, err ? err : "taken");
        }
    }
}

/* ---- the model --------------------------------------------------------- */

static void set(struct envme_timing_params *p, enum envme_time_class kind,
                const char *text)
{
    p->latency[kind] = dist(text);
}

static void test_deterministic(void)
{
    struct envme_timing_params p = { .seed = 7, .channels = 4 };
    struct envme_timing *a, *b, *c;
    unsigned differs = 0;

    set(&p, ENVME_TIME_READ, "lognormal:80us:0.4");
    set(&p, ENVME_TIME_WRITE, "uniform:1us:9us");
    a = envme_timing_new(&p);
    b = envme_timing_new(&p);
    p.seed = 8;
    c = envme_timing_new(&p);
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t t = i * 10000, off = i * 4096 * 3;
        uint64_t end = envme_timing_end(a, ENVME_TIME_READ, t, off, 4096);

        g_assert_cmpuint(end, ==, envme_timing_end(b, ENVME_TIME_READ, t, off,
                                                   4096));
        differs += end != envme_timing_end(c, ENVME_TIME_READ, t, off, 4096);
    }
    g_assert_cmpuint(differs, >, 900);
    envme_timing_free(a);
    envme_timing_free(b);
    envme_timing_free(c);
    /* What writes draw does not depend on how many reads there were. */
    p.channels = 0;
    a = envme_timing_new(&p);
    b = envme_timing_new(&p);
    for (uint64_t i = 0; i < 100; i++) {
        envme_timing_end(a, ENVME_TIME_READ, 0, 0, 512);
        g_assert_cmpuint(envme_timing_end(a, ENVME_TIME_WRITE, 0, 0, 512), ==,
                         envme_timing_end(b, ENVME_TIME_WRITE, 0, 0, 512));
    }
    envme_timing_free(a);
    envme_timing_free(b);
}

static void test_wanted(void)
{
    struct envme_timing_params p = { .seed = 1, .channels = 8, .stripe = 512 };

    g_assert_false(envme_timing_wanted(&p));
    p.rate[ENVME_RATE_WRITE_CMDS] = 1;
    g_assert_true(envme_timing_wanted(&p));
    p.rate[ENVME_RATE_WRITE_CMDS] = 0;
    set(&p, ENVME_TIME_DSM, "1ns");
    g_assert_true(envme_timing_wanted(&p));
    set(&p, ENVME_TIME_DSM, "lognormal:0:1");
    g_assert_true(envme_timing_wanted(&p));
}

/*
 * Brute force: a channel is a list of the intervals in which it is busy, and a
 * command goes behind the last one of each channel that one of its bytes falls
 * into.
 */
static void test_channels(void)
{
    for (int run = 0; run < 100; run++) {
        uint32_t n = g_test_rand_int_range(1, 9);
        uint32_t stripe = 512u * g_test_rand_int_range(1, 9);
        struct envme_timing_params p = { .channels = n, .stripe = stripe };
        uint64_t now = 1000, busy_for = 30 * US;
        GArray *busy[8];
        struct envme_timing *t;

        set(&p, ENVME_TIME_READ, "30us");
        set(&p, ENVME_TIME_FLUSH, "5us");
        set(&p, ENVME_TIME_DSM, "4us");
        t = envme_timing_new(&p);
        for (uint32_t c = 0; c < n; c++) {
            busy[c] = g_array_new(false, false, sizeof(uint64_t));
        }
        for (int step = 0; step < 200; step++) {
            uint64_t off = 512ull * g_test_rand_int_range(0, 1000);
            uint64_t bytes = 512ull * g_test_rand_int_range(1, 100);
            uint64_t want = now, all = now;
            bool touched[8] = { false };

            now += g_test_rand_int_range(0, 40000);
            want = all = now;
            for (uint64_t b = off; b < off + bytes; b += 512) {
                touched[b / stripe % n] = true;
            }
            for (uint32_t c = 0; c < n; c++) {
                uint64_t last = busy[c]->len ?
                    g_array_index(busy[c], uint64_t, busy[c]->len - 1) : 0;
                uint64_t end = MAX(last, now) + busy_for;

                all = MAX(all, last);
                if (touched[c] && step % 10) {
                    g_array_append_val(busy[c], end);
                    want = MAX(want, end);
                }
            }
            if (step % 10) {
                g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, now, off,
                                                  bytes), ==, want);
            } else {
                /* After what the channels have to do; and no matter what. */
                g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_FLUSH, now, 0,
                                                  0), ==, all + 5 * US);
                g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_DSM, now, 0,
                                                  0), ==, now + 4 * US);
            }
        }
        for (uint32_t c = 0; c < n; c++) {
            g_array_free(busy[c], true);
        }
        envme_timing_free(t);
    }
}

/* No channels: any number at once. */
static void test_no_channels(void)
{
    struct envme_timing_params p = { .channels = 0 };
    struct envme_timing *t;

    set(&p, ENVME_TIME_READ, "30us");
    t = envme_timing_new(&p);
    for (int i = 0; i < 100; i++) {
        g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, 5, 0, 4096), ==,
                         5 + 30 * US);
    }
    /* A class that has no latency takes none. */
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_WRITE, 5, 0, 4096), ==, 5);
    envme_timing_free(t);
}

/* Commands at once: what is let through in a time is what the limit says, to
 * the unit, also where a second is no multiple of it. */
static void test_iops(void)
{
    struct envme_timing_params p = { .rate = { [ENVME_RATE_CMDS] = 7 } };
    struct envme_timing *t = envme_timing_new(&p);

    /* The first has nobody before it; the nth waits for n - 1 shares. */
    for (uint64_t i = 0; i < 1000; i++) {
        g_assert_cmpuint(envme_timing_end(t, i % 2 ? ENVME_TIME_READ
                                                   : ENVME_TIME_FLUSH, 0, 0,
                                          i % 2 * 512), ==, i * S / 7);
    }
    /* Idle time is not saved up. */
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, 1000 * S, 0, 512),
                     ==, 1000 * S);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, 1000 * S, 0, 512),
                     >=, 1000 * S + S / 7);
    /* A reset: nobody is before one any more. */
    envme_timing_idle(t);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, 5, 0, 512), ==, 5);
    envme_timing_free(t);
}

static void test_bandwidth(void)
{
    struct envme_timing_params p = { .rate = { [ENVME_RATE_BYTES] = 3000001 } };
    struct envme_timing *t = envme_timing_new(&p);
    uint64_t sum = 0;

    for (int i = 0; i < 2000; i++) {
        uint64_t bytes = 512ull * g_test_rand_int_range(1, 300), end;

        sum += bytes;
        end = envme_timing_end(t, i % 3 ? ENVME_TIME_READ : ENVME_TIME_WRITE,
                               0, 0, bytes);
        g_assert_cmpuint(end, ==, (unsigned __int128)sum * S / 3000001);
    }
    envme_timing_free(t);
}

/* Directions have limits of their own; a copy is under both, and twice under
 * the common one. */
static void test_directions(void)
{
    struct envme_timing_params p = {
        .rate = { [ENVME_RATE_READ_BYTES] = 1000000,
                  [ENVME_RATE_WRITE_BYTES] = 500000 },
    };
    struct envme_timing *t = envme_timing_new(&p);

    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, 0, 0, 1000), ==, MS);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_WRITE, 0, 0, 1000), ==,
                     2 * MS);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, 0, 0, 1000), ==,
                     2 * MS);
    /* From when the slower is free, for as long as the slower takes. */
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_COPY, 0, 0, 1000), ==,
                     4 * MS);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, 0, 0, 1000), ==,
                     4 * MS);
    /* Blocks without data are no bytes. */
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_ZEROES, 0, 0, 1000), ==,
                     0);
    envme_timing_free(t);
    p = (struct envme_timing_params){
        .rate = { [ENVME_RATE_BYTES] = 1000000,
                  [ENVME_RATE_WRITE_CMDS] = 100 },
    };
    t = envme_timing_new(&p);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_COPY, 0, 0, 1000), ==,
                     2 * MS);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_ZEROES, 0, 0, 1000), ==,
                     10 * MS);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_WRITE, 0, 0, 1000), ==,
                     21 * MS);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, 0, 0, 1000), ==,
                     22 * MS);
    envme_timing_free(t);
}

static void test_scale(void)
{
    struct envme_timing_params p = {
        .rate = { [ENVME_RATE_BYTES] = 1000000 },
    };
    struct envme_timing *t;

    set(&p, ENVME_TIME_READ, "10us");
    t = envme_timing_new(&p);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, 0, 0, 1000), ==,
                     MS + 10 * US);
    envme_timing_scale(t, 2500);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, 10 * MS, 0, 1000),
                     ==, 10 * MS + 2500 * US + 25 * US);
    envme_timing_scale(t, ENVME_TIMING_FULL);
    g_assert_cmpuint(envme_timing_end(t, ENVME_TIME_READ, 20 * MS, 0, 1000),
                     ==, 20 * MS + MS + 10 * US);
    envme_timing_free(t);
}

/* The end of time is not wrapped round. */
static void test_no_wrap(void)
{
    struct envme_timing_params p = {
        .rate = { [ENVME_RATE_BYTES] = 1, [ENVME_RATE_CMDS] = 1 },
        .channels = 1,
    };
    struct envme_timing *t;
    uint64_t last = 0;

    set(&p, ENVME_TIME_WRITE, "3600s");
    t = envme_timing_new(&p);
    envme_timing_scale(t, UINT32_MAX);
    for (int i = 0; i < 1000; i++) {
        uint64_t end = envme_timing_end(t, ENVME_TIME_WRITE, i, 0,
                                        UINT64_C(1) << 40);

        g_assert_cmpuint(end, >=, last);
        last = end;
    }
    g_assert_cmpuint(last, <, UINT64_MAX);
    envme_timing_free(t);
}

static void test_profiles(void)
{
    g_auto(GStrv) names = g_strsplit(envme_timing_profiles(), ", ", -1);
    double last = 0;

    g_assert_cmpuint(g_strv_length(names), ==, 4);
    /* In the order of how fast they read. */
    for (unsigned i = 0; names[i]; i++) {
        struct envme_timing_params p = { .seed = 3 };
        struct envme_timing *t;
        double sum = 0;

        g_assert_true(envme_timing_profile(names[i], &p));
        g_assert_cmpuint(p.seed, ==, 3);
        g_assert_true(envme_timing_wanted(&p));
        g_assert_cmpuint(p.channels, <=, ENVME_TIMING_CHANNELS);
        t = envme_timing_new(&p);
        for (uint64_t k = 0; k < 10000; k++) {
            uint64_t now = k * S, end;

            end = envme_timing_end(t, ENVME_TIME_READ, now, k * 4096, 4096);
            sum += end - now;
        }
        g_assert_cmpfloat(sum / 10000, >, last);
        last = sum / 10000;
        envme_timing_free(t);
    }
    g_assert_cmpfloat(last, >, 10 * MS);
    g_assert_false(envme_timing_profile("tape",
                                        &(struct envme_timing_params){ 0 }));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/timing/fixed", test_fixed);
    g_test_add_func("/timing/uniform", test_uniform);
    g_test_add_func("/timing/lognormal", test_lognormal);
    g_test_add_func("/timing/table", test_table);
    g_test_add_func("/timing/bad-text", test_bad_text);
    g_test_add_func("/timing/deterministic", test_deterministic);
    g_test_add_func("/timing/wanted", test_wanted);
    g_test_add_func("/timing/channels", test_channels);
    g_test_add_func("/timing/no-channels", test_no_channels);
    g_test_add_func("/timing/iops", test_iops);
    g_test_add_func("/timing/bandwidth", test_bandwidth);
    g_test_add_func("/timing/directions", test_directions);
    g_test_add_func("/timing/scale", test_scale);
    g_test_add_func("/timing/no-wrap", test_no_wrap);
    g_test_add_func("/timing/profiles", test_profiles);
    return g_test_run();
}
