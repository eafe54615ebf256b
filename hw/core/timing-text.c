/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service-time model in words: distributions, and named profiles. */
#include "hw/core/timing.h"

#include <glib.h>
#include <string.h>

#define TEXT_SIGMA_MAX 4.0
#define TEXT_PPM 1000000u

/* ---- distributions ----------------------------------------------------- */

/* A number with a unit; false if it is none, *over: more than there may be. */
static bool text_time(const char *s, uint64_t *ns, bool *over)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
    char *end;
    double v;

    if (!g_ascii_isdigit(s[0])) {
        return false;
    }
    v = g_ascii_strtod(s, &end);
    for (unsigned i = 0; i < G_N_ELEMENTS(units); i++) {
        if (!strcmp(end, units[i].name)) {
            v = v * units[i].ns + 0.5;
            *over = *over || !(v < (double)ENVME_TIMING_MAX + 1);
            *ns = *over ? ENVME_TIMING_MAX : (uint64_t)v;
            return true;
        }
    }
    return end != s && v == 0 && !*end ? (*ns = 0, true) : false;
}

static char *text_check_time(const char *s, uint64_t *ns)
{
    bool over = false;

    if (!text_time(s, ns, &over)) {
        return g_strdup_printf("'%s' is no time; a number and its unit (ns, "
                               "us, ms or s) is one, as in 80us", s);
    }
    if (over) {
        return g_strdup_printf("'%s' is too long; the nearest valid value is "
                               "3600s", s);
    }
    return NULL;
}

static char *text_uniform(char **word, unsigned n, struct envme_dist *d)
{
    char *err;

    if (n != 3) {
        return g_strdup("uniform takes two times, as in uniform:60us:100us");
    }
    err = text_check_time(word[1], &d->ns[0]);
    err = err ? err : text_check_time(word[2], &d->ns[1]);
    if (!err && d->ns[1] < d->ns[0]) {
        err = g_strdup_printf("the most is below the least; the nearest valid "
                              "value is uniform:%s:%s", word[1], word[1]);
    }
    return err;
}

static char *text_lognormal(char **word, unsigned n, struct envme_dist *d)
{
    char *err, *end;

    if (n != 3) {
        return g_strdup("lognormal takes a median and a sigma, as in "
                        "lognormal:80us:0.4");
    }
    err = text_check_time(word[1], &d->ns[0]);
    if (err) {
        return err;
    }
    d->sigma = g_ascii_strtod(word[2], &end);
    if (end == word[2] || *end || !(d->sigma >= 0)) {
        return g_strdup_printf("sigma '%s' is not a number from 0 to 4; the "
                               "nearest valid value is 0", word[2]);
    }
    if (d->sigma > TEXT_SIGMA_MAX) {
        return g_strdup_printf("sigma %s is too much; the nearest valid value "
                               "is 4", word[2]);
    }
    return NULL;
}

static char *text_point(const char *word, struct envme_dist *d)
{
    unsigned i = d->n;
    double percent;
    char *end, *err;

    percent = g_ascii_strtod(word, &end);
    if (end == word || *end != '=' || !(percent >= 0 && percent <= 100)) {
        return g_strdup_printf("'%s' is no point; a percentage from 0 to 100 "
                               "and a time is one, as in 99=200us", word);
    }
    err = text_check_time(end + 1, &d->ns[i]);
    if (err) {
        return err;
    }
    d->ppm[i] = (uint32_t)(percent * 1e4 + 0.5);
    if (i && (d->ppm[i] <= d->ppm[i - 1] || d->ns[i] < d->ns[i - 1])) {
        return g_strdup_printf("'%s' is not above the point before it", word);
    }
    d->n++;
    return NULL;
}

static char *text_table(char **word, unsigned n, struct envme_dist *d)
{
    char *err;

    if (n < 2 || n > ENVME_DIST_POINTS + 1) {
        return g_strdup_printf("a table has from 1 to %u points",
                               ENVME_DIST_POINTS);
    }
    for (unsigned i = 1; i < n; i++) {
        err = text_point(word[i], d);
        if (err) {
            return err;
        }
    }
    if (d->ppm[d->n - 1] != TEXT_PPM) {
        return g_strdup_printf("the last point is not that of 100 percent; "
                               "the nearest valid value has %s behind a "
                               "100=", strchr(word[n - 1], '=') + 1);
    }
    return NULL;
}

char *envme_dist_parse(const char *text, struct envme_dist *d)
{
    static const struct {
        const char *name;
        enum envme_dist_kind kind;
        char *(*parse)(char **word, unsigned n, struct envme_dist *d);
    } kinds[] = {
        { "uniform", ENVME_DIST_UNIFORM, text_uniform },
        { "lognormal", ENVME_DIST_LOGNORMAL, text_lognormal },
        { "table", ENVME_DIST_TABLE, text_table },
    };
    g_auto(GStrv) word = g_strsplit(text, ":", -1);
    unsigned n = g_strv_length(word);

    *d = (struct envme_dist){ .kind = ENVME_DIST_FIXED };
    for (unsigned i = 0; n && i < G_N_ELEMENTS(kinds); i++) {
        if (!strcmp(word[0], kinds[i].name)) {
            d->kind = kinds[i].kind;
            return kinds[i].parse(word, n, d);
        }
    }
    if (n != 1 || !g_ascii_isdigit(word[0][0])) {
        return g_strdup("it is neither a time nor uniform:, lognormal: or "
                        "table:; the nearest valid value is 0");
    }
    return text_check_time(word[0], &d->ns[0]);
}

/* ---- profiles ---------------------------------------------------------- */

/* Where the numbers come from stands in docs/timing.md. */
static const struct {
    const char *name;
    const char *latency[ENVME_TIME_COUNT];
    uint64_t rate[ENVME_RATE_COUNT];
    uint32_t channels, stripe;
} profiles[] = {
    {
        .name = "optane",
        .latency = {
            [ENVME_TIME_READ] =
                "table:0=8us:50=9us:99=10us:99.999=37us:100=60us",
            [ENVME_TIME_WRITE] =
                "table:0=8us:50=9us:99=10us:99.999=100us:100=100us",
            [ENVME_TIME_ZEROES] = "10us", [ENVME_TIME_COPY] = "10us",
            [ENVME_TIME_FLUSH] = "1us", [ENVME_TIME_DSM] = "10us",
        },
        .rate = {
            [ENVME_RATE_READ_BYTES] = 2400000000,
            [ENVME_RATE_WRITE_BYTES] = 2000000000,
            [ENVME_RATE_READ_CMDS] = 550000,
            [ENVME_RATE_WRITE_CMDS] = 500000,
        },
        .channels = 7, .stripe = 4096,
    }, {
        .name = "tlc",
        .latency = {
            [ENVME_TIME_READ] = "lognormal:85us:0.12",
            [ENVME_TIME_WRITE] = "lognormal:20us:0.2",
            [ENVME_TIME_ZEROES] = "20us", [ENVME_TIME_COPY] = "100us",
            [ENVME_TIME_FLUSH] = "5us", [ENVME_TIME_DSM] = "50us",
        },
        .rate = {
            [ENVME_RATE_READ_BYTES] = 3200000000,
            [ENVME_RATE_WRITE_BYTES] = 1050000000,
            [ENVME_RATE_READ_CMDS] = 490000,
            [ENVME_RATE_WRITE_CMDS] = 38000,
        },
        .channels = 64, .stripe = 4096,
    }, {
        .name = "qlc",
        .latency = {
            [ENVME_TIME_READ] = "lognormal:120us:0.3",
            [ENVME_TIME_WRITE] = "lognormal:30us:0.3",
            [ENVME_TIME_ZEROES] = "30us", [ENVME_TIME_COPY] = "200us",
            [ENVME_TIME_FLUSH] = "10us", [ENVME_TIME_DSM] = "100us",
        },
        .rate = {
            [ENVME_RATE_READ_BYTES] = 7400000000,
            [ENVME_RATE_WRITE_BYTES] = 3200000000,
            [ENVME_RATE_READ_CMDS] = 930000,
            [ENVME_RATE_WRITE_CMDS] = 19000,
        },
        .channels = 128, .stripe = 65536,
    }, {
        .name = "hdd",
        .latency = {
            /* A seek and a part of a turn. */
            [ENVME_TIME_READ] =
                "table:0=1ms:50=11.6ms:90=17ms:99=20ms:100=24ms",
            [ENVME_TIME_WRITE] =
                "table:0=1ms:50=12.4ms:90=18ms:99=21ms:100=25ms",
            [ENVME_TIME_ZEROES] = "12.4ms", [ENVME_TIME_COPY] = "24ms",
            [ENVME_TIME_FLUSH] = "8.3ms", [ENVME_TIME_DSM] = "1ms",
        },
        .rate = { [ENVME_RATE_BYTES] = 250000000 },
        .channels = 1, .stripe = 1u << 20,
    },
};

bool envme_timing_profile(const char *name, struct envme_timing_params *p)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(profiles); i++) {
        if (strcmp(profiles[i].name, name)) {
            continue;
        }
        for (unsigned k = 0; k < ENVME_TIME_COUNT; k++) {
            const char *text = profiles[i].latency[k];
            g_autofree char *err = envme_dist_parse(text ? text : "0",
                                                    &p->latency[k]);

            g_assert(!err);
        }
        memcpy(p->rate, profiles[i].rate, sizeof(p->rate));
        p->channels = profiles[i].channels;
        p->stripe = profiles[i].stripe;
        return true;
    }
    return false;
}

const char *envme_timing_profiles(void)
{
    return "optane, tlc, qlc, hdd";
}
