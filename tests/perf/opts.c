/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments: key=value each. A job is one argument with its own keys, joined
 * by '+' because QEMU takes ',' for itself:
 *
 *   job=name=r32+rw=randread+bs=4096+qd=32+queues=1+time=1000
 */
#include "tests/perf/gen.h"

static const struct {
    const char *name;
    enum gen_rw rw;
} opts_rw[] = {
    { "read", GEN_READ },
    { "write", GEN_WRITE },
    { "randread", GEN_RANDREAD },
    { "randwrite", GEN_RANDWRITE },
    { "randrw", GEN_RANDRW },
};

struct opts_num {
    const char *key;
    uint64_t min, max;
    size_t offset, size;        /* in the struct that is filled */
};

#define OPTS_NUM(type, key, field, min, max) \
    { key, min, max, offsetof(type, field), sizeof(((type *)0)->field) }

static const struct opts_num opts_nums[] = {
    OPTS_NUM(struct gen_opts, "slot", slot, 0, 31),
    OPTS_NUM(struct gen_opts, "idle", idle, 0, 1),
    OPTS_NUM(struct gen_opts, "entries", entries, 2, 65536),
    OPTS_NUM(struct gen_opts, "queues", nqueues, 1, 65535),
    OPTS_NUM(struct gen_opts, "ams", ams, 0, 7),
    OPTS_NUM(struct gen_opts, "qprio", qprio, 0, 3),
    OPTS_NUM(struct gen_opts, "aggr", aggr, 0, 0xffff),
    OPTS_NUM(struct gen_opts, "irq", irq, 0, 1),
    OPTS_NUM(struct gen_opts, "wait-irq", wait_irq, 0, 1),
    OPTS_NUM(struct gen_opts, "dbbuf", dbbuf, 0, 1),
    OPTS_NUM(struct gen_opts, "yield", yield, 0, 1),
    OPTS_NUM(struct gen_opts, "prchk", prchk, 0, ENVME_PRINFO_PRCHK),
    OPTS_NUM(struct gen_opts, "window", window, 1, UINT32_MAX / 2),
    OPTS_NUM(struct gen_opts, "region", region, 0, UINT64_MAX),
    OPTS_NUM(struct gen_opts, "seed", seed, 1, UINT64_MAX),
};

static const struct opts_num opts_job_nums[] = {
    OPTS_NUM(struct gen_job, "bs", bs, 512, GEN_BUF_BYTES),
    OPTS_NUM(struct gen_job, "qd", qd, 1, GEN_MAX_QD),
    OPTS_NUM(struct gen_job, "queues", queues, 1, 65535),
    OPTS_NUM(struct gen_job, "warm", warm_ms, 0, 60000),
    OPTS_NUM(struct gen_job, "time", time_ms, 1, 600000),
    OPTS_NUM(struct gen_job, "ios", ios, 1, UINT64_MAX),
    OPTS_NUM(struct gen_job, "lump", lump, 0, 1),
    OPTS_NUM(struct gen_job, "verify", verify, 1, UINT32_MAX),
};

static char *opts_set(void *to, const struct opts_num *nums, size_t n,
                      const char *key, const char *value)
{
    for (size_t i = 0; i < n; i++) {
        const struct opts_num *o = &nums[i];
        char *field = (char *)to + o->offset;
        guint64 v;

        if (!g_str_equal(key, o->key)) {
            continue;
        }
        if (!g_ascii_string_to_unsigned(value, 10, o->min, o->max, &v, NULL)) {
            return g_strdup_printf("%s=%s is not a number from %" PRIu64
                                   " to %" PRIu64, key, value, o->min,
                                   o->max);
        }
        switch (o->size) {
        case 1:
            *(uint8_t *)field = v;
            break;
        case 4:
            *(uint32_t *)field = v;
            break;
        default:
            *(uint64_t *)field = v;
            break;
        }
        return NULL;
    }
    return g_strdup_printf("there is no '%s='", key);
}

static char *opts_job_key(struct gen_job *job, const char *key,
                          const char *value)
{
    if (g_str_equal(key, "name")) {
        job->name = g_strdup(value);
        return NULL;
    }
    if (!g_str_equal(key, "rw")) {
        return opts_set(job, opts_job_nums, G_N_ELEMENTS(opts_job_nums), key,
                        value);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(opts_rw); i++) {
        if (g_str_equal(value, opts_rw[i].name)) {
            job->rw = opts_rw[i].rw;
            return NULL;
        }
    }
    return g_strdup_printf("there is no rw=%s", value);
}

static char *opts_job(struct gen_opts *o, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, "+", -1);
    struct gen_job *job;

    if (o->njobs == GEN_MAX_JOBS) {
        return g_strdup_printf("more than %u jobs", GEN_MAX_JOBS);
    }
    job = &o->job[o->njobs++];
    *job = (struct gen_job) {
        .name = "job", .rw = GEN_RANDREAD, .bs = 4096, .qd = 1, .queues = 1,
        .warm_ms = 100, .time_ms = 1000,
    };
    for (char **w = words; *w; w++) {
        g_auto(GStrv) kv = g_strsplit(*w, "=", 2);
        char *err = g_strv_length(kv) == 2
                        ? opts_job_key(job, kv[0], kv[1])
                        : g_strdup_printf("'%s' has no '='", *w);

        if (err) {
            return err;
        }
    }
    return NULL;
}

char *gen_opts_parse(struct gen_opts *o, int argc, char **argv)
{
    *o = (struct gen_opts) {
        .slot = -1, .entries = 1024, .nqueues = 1, .irq = true, .seed = 1,
    };
    for (int i = 0; i < argc; i++) {
        g_auto(GStrv) kv = g_strsplit(argv[i], "=", 2);
        char *err = NULL;

        if (g_strv_length(kv) != 2) {
            return g_strdup_printf("'%s' has no '='", argv[i]);
        }
        if (g_str_equal(kv[0], "job")) {
            err = opts_job(o, kv[1]);
        } else if (g_str_equal(kv[0], "out")) {
            o->out = g_strdup(kv[1]);
        } else {
            err = opts_set(o, opts_nums, G_N_ELEMENTS(opts_nums), kv[0],
                           kv[1]);
        }
        if (err) {
            return err;
        }
    }
    if (!o->out) {
        return g_strdup("out= is missing");
    }
    for (unsigned i = 0; i < o->njobs; i++) {
        if (o->job[i].queues > o->nqueues || o->job[i].qd >= o->entries) {
            return g_strdup_printf("job %s wants more than queues= or "
                                   "entries= give", o->job[i].name);
        }
    }
    return NULL;
}
