/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/backend-suite.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define SIZE (1u << 20)
#define POISON 0xa5

struct job {
    struct envme_bio bio;
    bool submitting;
    bool over;
    int err;
};

struct rig {
    const struct backend_factory *f;
    struct envme_backend *be;
    struct envme_geometry geo;
    uint8_t *model;             /* what must be there */
};

static void rig_open(struct rig *r, gconstpointer factory, bool read_only)
{
    r->f = factory;
    r->be = r->f->open(r->f, SIZE, read_only);
    g_assert_nonnull(r->be);
    r->be->ops->geometry(r->be, &r->geo);
    r->model = g_malloc0(SIZE);
}

static void rig_close(struct rig *r)
{
    r->be->ops->close(r->be);
    g_free(r->model);
}

static void job_done(struct envme_bio *bio, int err)
{
    struct job *job = bio->opaque;

    g_assert_true(&job->bio == bio);
    g_assert_false(job->submitting);
    g_assert_false(job->over);
    g_assert_cmpint(err, <=, 0);
    job->over = true;
    job->err = err;
}

static void job_start(struct rig *r, struct job *job)
{
    int rc;

    job->bio.done = job_done;
    job->bio.opaque = job;
    job->over = false;
    job->submitting = true;
    rc = r->be->ops->submit(r->be, &job->bio);
    job->submitting = false;
    g_assert_false(job->over);
    g_assert_cmpint(rc, <=, ENVME_BIO_PENDING);
    if (rc != ENVME_BIO_PENDING) {
        job->over = true;
        job->err = rc;
    }
}

static int job_wait(struct rig *r, struct job *job)
{
    while (!job->over) {
        g_assert_nonnull(r->f->poll);
        r->f->poll(r->be);
    }
    return job->err;
}

static int run(struct rig *r, enum envme_bio_op op, unsigned flags,
               uint64_t offset, uint64_t bytes, const struct iovec *iov,
               int niov)
{
    struct job job = {
        .bio = {
            .op = op, .flags = flags, .offset = offset, .bytes = bytes,
            .iov = iov, .niov = niov,
        },
    };

    job_start(r, &job);
    return job_wait(r, &job);
}

static int rw(struct rig *r, enum envme_bio_op op, uint64_t offset, void *buf,
              uint64_t bytes)
{
    struct iovec iov = { buf, bytes };

    return run(r, op, 0, offset, bytes, &iov, 1);
}

static uint32_t rig_max_transfer(const struct rig *r)
{
    uint32_t max = r->geo.max_transfer ? r->geo.max_transfer : SIZE;

    return MIN(max, SIZE) / r->geo.align * r->geo.align;
}

/* All that is there, against the model. */
static void rig_check(struct rig *r)
{
    uint32_t step = rig_max_transfer(r);
    uint8_t *buf = g_malloc(SIZE);

    memset(buf, POISON, SIZE);
    for (uint32_t at = 0; at < SIZE; at += step) {
        g_assert_cmpint(rw(r, ENVME_BIO_READ, at, buf + at,
                           MIN(step, SIZE - at)), ==, 0);
    }
    g_assert_cmpmem(buf, SIZE, r->model, SIZE);
    g_free(buf);
}

static void fill(uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf[i] = g_test_rand_int();
    }
}

/* Writes random data, to backend and model. */
static void rig_scribble(struct rig *r)
{
    uint32_t step = rig_max_transfer(r);

    fill(r->model, SIZE);
    for (uint32_t at = 0; at < SIZE; at += step) {
        g_assert_cmpint(rw(r, ENVME_BIO_WRITE, at, r->model + at,
                           MIN(step, SIZE - at)), ==, 0);
    }
}

/* A place that can be asked for; biased to the ends of the medium. */
static void pick(struct rig *r, uint32_t max, uint64_t *offset,
                 uint64_t *bytes)
{
    uint32_t align = r->geo.align, units = SIZE / align;
    uint32_t n = g_test_rand_int_range(1, MIN(max / align, units) + 1);
    uint32_t at = g_test_rand_int_range(0, units - n + 1);

    switch (g_test_rand_int_range(0, 8)) {
    case 0:
        at = 0;
        break;
    case 1:
        at = units - n;
        break;
    default:
        break;
    }
    *offset = (uint64_t)at * align;
    *bytes = (uint64_t)n * align;
}

static void test_geometry(gconstpointer f)
{
    struct rig r;

    rig_open(&r, f, false);
    g_assert_nonnull(r.be->ops->name);
    g_assert_cmpuint(r.geo.size, ==, SIZE);
    g_assert_cmpuint(r.geo.align, >=, 1);
    g_assert_cmpuint(r.geo.align, <=, 65536);
    g_assert_cmpuint(r.geo.align & (r.geo.align - 1), ==, 0);
    g_assert_true(!r.geo.max_transfer || r.geo.max_transfer >= r.geo.align);
    g_assert_false(r.geo.read_only);
    rig_check(&r);
    rig_close(&r);
}

static void test_random(gconstpointer f)
{
    uint8_t *buf = g_malloc(SIZE);
    struct rig r;
    uint64_t offset, bytes;

    rig_open(&r, f, false);
    rig_scribble(&r);
    rig_check(&r);
    for (int i = 0; i < 2000; i++) {
        pick(&r, MIN(rig_max_transfer(&r), i % 50 ? 20000 : SIZE), &offset,
             &bytes);
        switch (g_test_rand_int_range(0, 5)) {
        case 0:
        case 1:
            memset(buf, POISON, bytes);
            g_assert_cmpint(rw(&r, ENVME_BIO_READ, offset, buf, bytes), ==, 0);
            g_assert_cmpmem(buf, bytes, r.model + offset, bytes);
            break;
        case 2:
            fill(buf, bytes);
            g_assert_cmpint(rw(&r, ENVME_BIO_WRITE, offset, buf, bytes), ==, 0);
            memcpy(r.model + offset, buf, bytes);
            break;
        case 3:
            g_assert_cmpint(run(&r, ENVME_BIO_WRITE_ZEROES,
                                g_test_rand_int_range(0, 2)
                                ? ENVME_BIO_MAY_UNMAP : 0,
                                offset, bytes, NULL, 0), ==, 0);
            memset(r.model + offset, 0, bytes);
            break;
        default:
            g_assert_cmpint(run(&r, ENVME_BIO_FLUSH, 0, 0, 0, NULL, 0), ==, 0);
            break;
        }
    }
    rig_check(&r);
    rig_close(&r);
    g_free(buf);
}

/* Buffers in many pieces of any size, some of none, at odd addresses. */
static void test_iov(gconstpointer f)
{
    uint8_t *buf = g_malloc(SIZE * 2), *flat = g_malloc(SIZE);
    struct rig r;

    rig_open(&r, f, false);
    rig_scribble(&r);
    for (int i = 0; i < 300; i++) {
        uint32_t max_iov = MIN(r.geo.max_iov ? r.geo.max_iov : 1024, 1024);
        g_autoptr(GArray) iov = g_array_new(FALSE, TRUE, sizeof(struct iovec));
        bool write = g_test_rand_int_range(0, 2);
        uint64_t offset, bytes, left, at = 0;

        pick(&r, MIN(rig_max_transfer(&r), 65536), &offset, &bytes);
        left = bytes;
        fill(flat, bytes);
        memset(buf, POISON, SIZE * 2);
        while (left) {
            bool last = iov->len + 1 >= max_iov;
            uint64_t n = g_test_rand_int_range(0, i % 2 ? 3000 : 64);
            struct iovec v;

            n = last ? left : MIN(n, left);
            at += g_test_rand_int_range(0, 3);      /* a gap in the buffer */
            v = (struct iovec){ buf + at, n };
            if (write) {
                memcpy(buf + at, flat + bytes - left, n);
            }
            g_array_append_val(iov, v);
            at += n;
            left -= n;
        }
        g_assert_cmpint(run(&r, write ? ENVME_BIO_WRITE : ENVME_BIO_READ, 0,
                            offset, bytes, (struct iovec *)iov->data,
                            iov->len), ==, 0);
        if (write) {
            memcpy(r.model + offset, flat, bytes);
            continue;
        }
        /* The pieces hold the data, and between them nothing changed. */
        at = 0;
        left = bytes;
        for (unsigned k = 0; k < iov->len; k++) {
            struct iovec v = g_array_index(iov, struct iovec, k);

            while (buf + at < (uint8_t *)v.iov_base) {
                g_assert_cmphex(buf[at++], ==, POISON);
            }
            g_assert_cmpmem(v.iov_base, v.iov_len,
                            r.model + offset + bytes - left, v.iov_len);
            at += v.iov_len;
            left -= v.iov_len;
        }
        g_assert_cmphex(buf[at], ==, POISON);
    }
    rig_check(&r);
    rig_close(&r);
    g_free(buf);
    g_free(flat);
}

/* Beyond the end, by a little, by far, by wrapping: refused, nothing done. */
static void test_range(gconstpointer f)
{
    static const enum envme_bio_op ops[] = {
        ENVME_BIO_READ, ENVME_BIO_WRITE, ENVME_BIO_WRITE_ZEROES,
        ENVME_BIO_DISCARD,
    };
    struct rig r;

    rig_open(&r, f, false);
    rig_scribble(&r);
    for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
        uint64_t unit = MAX(r.geo.align, 512);
        uint64_t top = UINT64_MAX - (UINT64_MAX % unit);
        struct { uint64_t offset, bytes; } bad[] = {
            { SIZE, unit }, { SIZE - unit, 2 * unit }, { 2 * SIZE, unit },
            { top - unit, unit }, { top - unit, 2 * unit }, { top, 4 * unit },
            { 1ull << 63, unit }, { 0, SIZE + unit },
        };

        for (unsigned k = 0; k < G_N_ELEMENTS(bad); k++) {
            uint8_t *buf = g_malloc(bad[k].bytes);
            struct iovec iov = { buf, bad[k].bytes };
            bool rdwr = ops[i] == ENVME_BIO_READ || ops[i] == ENVME_BIO_WRITE;

            if (rdwr && bad[k].bytes > rig_max_transfer(&r) + unit) {
                g_free(buf);
                continue;
            }
            memset(buf, POISON, bad[k].bytes);
            g_assert_cmpint(run(&r, ops[i], 0, bad[k].offset, bad[k].bytes,
                                rdwr ? &iov : NULL, rdwr), <, 0);
            if (ops[i] == ENVME_BIO_READ) {
                for (uint64_t b = 0; b < bad[k].bytes; b++) {
                    g_assert_cmphex(buf[b], ==, POISON);
                }
            }
            g_free(buf);
        }
    }
    /* Lengths that no buffer could have. */
    g_assert_cmpint(run(&r, ENVME_BIO_WRITE_ZEROES, 0, 0, UINT64_MAX - 65535,
                        NULL, 0), <, 0);
    g_assert_cmpint(run(&r, ENVME_BIO_DISCARD, 0, 65536, UINT64_MAX - 65535,
                        NULL, 0), <, 0);
    rig_check(&r);
    rig_close(&r);
}

static void test_fua(gconstpointer f)
{
    struct rig r;
    uint64_t offset, bytes;
    uint8_t *buf = g_malloc(65536);
    struct iovec iov;

    rig_open(&r, f, false);
    for (int i = 0; i < 50; i++) {
        pick(&r, MIN(rig_max_transfer(&r), 65536), &offset, &bytes);
        fill(buf, bytes);
        iov = (struct iovec){ buf, bytes };
        g_assert_cmpint(run(&r, ENVME_BIO_WRITE, ENVME_BIO_FUA, offset, bytes,
                            &iov, 1), ==, 0);
        memcpy(r.model + offset, buf, bytes);
        pick(&r, 4096 + r.geo.align, &offset, &bytes);
        g_assert_cmpint(run(&r, ENVME_BIO_WRITE_ZEROES,
                            ENVME_BIO_FUA | ENVME_BIO_MAY_UNMAP, offset, bytes,
                            NULL, 0), ==, 0);
        memset(r.model + offset, 0, bytes);
    }
    rig_check(&r);
    rig_close(&r);
    g_free(buf);
}

/*
 * A hint: inside, each byte is as before or zero; outside, as before; it can
 * be written again.
 */
static void test_discard(gconstpointer f)
{
    uint8_t *buf = g_malloc(SIZE);
    struct rig r;

    rig_open(&r, f, false);
    for (int i = 0; i < 60; i++) {
        uint32_t at, n;

        if (i % 10 == 0) {
            rig_scribble(&r);
        }
        n = g_test_rand_int_range(1, i % 3 ? 64 : SIZE / 512 + 1);
        at = g_test_rand_int_range(0, SIZE / 512 - n + 1);
        g_assert_cmpint(run(&r, ENVME_BIO_DISCARD, 0, at * 512, n * 512, NULL,
                            0), ==, 0);
        for (uint32_t k = 0; k < SIZE; ) {
            uint32_t step = MIN(rig_max_transfer(&r), SIZE - k);

            g_assert_cmpint(rw(&r, ENVME_BIO_READ, k, buf + k, step), ==, 0);
            k += step;
        }
        for (uint32_t k = at * 512; k < (at + n) * 512; k++) {
            if (buf[k] == 0) {
                r.model[k] = 0;
            }
        }
        g_assert_cmpmem(buf, SIZE, r.model, SIZE);
    }
    rig_scribble(&r);
    rig_check(&r);
    rig_close(&r);
    g_free(buf);
}

static void test_read_only(gconstpointer f)
{
    uint8_t *buf = g_malloc0(65536);
    uint32_t n;
    struct rig r;

    rig_open(&r, f, true);
    n = MAX(r.geo.align, 4096);
    g_assert_true(r.geo.read_only);
    g_assert_false(r.geo.discard);
    rig_check(&r);
    memset(buf, POISON, n);
    g_assert_cmpint(rw(&r, ENVME_BIO_WRITE, 0, buf, n), <, 0);
    g_assert_cmpint(run(&r, ENVME_BIO_WRITE_ZEROES, 0, 0, n, NULL, 0), <, 0);
    g_assert_cmpint(run(&r, ENVME_BIO_DISCARD, 0, 0, n, NULL, 0), <, 0);
    g_assert_cmpint(run(&r, ENVME_BIO_FLUSH, 0, 0, 0, NULL, 0), ==, 0);
    rig_check(&r);
    rig_close(&r);
    g_free(buf);
}

/* Many at once from one thread, and half of those asked to be cancelled. */
static void test_many(gconstpointer f)
{
    enum { N = 64, EACH = SIZE / N };
    struct job *jobs = g_new0(struct job, N);
    struct iovec iov[N];
    struct rig r;

    rig_open(&r, f, false);
    fill(r.model, SIZE);
    for (int write = 1; write >= 0; write--) {
        uint8_t *buf = g_malloc0(SIZE);

        if (write) {
            memcpy(buf, r.model, SIZE);
        }
        for (int i = 0; i < N; i++) {
            iov[i] = (struct iovec){ buf + i * EACH, EACH };
            jobs[i].bio = (struct envme_bio){
                .op = write ? ENVME_BIO_WRITE : ENVME_BIO_READ,
                .offset = i * EACH, .bytes = EACH, .iov = &iov[i], .niov = 1,
            };
            job_start(&r, &jobs[i]);
        }
        for (int i = 1; i < N && !write; i += 2) {
            if (r.be->ops->cancel && !jobs[i].over) {
                r.be->ops->cancel(r.be, &jobs[i].bio);
            }
        }
        for (int i = 0; i < N; i++) {
            int err = job_wait(&r, &jobs[i]);

            if (write || i % 2 == 0 || !r.be->ops->cancel) {
                g_assert_cmpint(err, ==, 0);
            }
            if (err == 0) {
                g_assert_cmpmem(buf + i * EACH, EACH, r.model + i * EACH, EACH);
            }
        }
        g_free(buf);
    }
    rig_check(&r);
    rig_close(&r);
    g_free(jobs);
}

#define THREADS 4

struct worker {
    struct rig *rig;
    unsigned index;
    uint32_t seed;
};

/*
 * Each thread has every THREADS-th block to itself, so that neighbours are
 * always another's.
 */
static gpointer worker_run(gpointer arg)
{
    struct worker *w = arg;
    struct rig *r = w->rig;
    uint32_t block = MAX(r->geo.align, 512);
    uint32_t blocks = SIZE / block;
    g_autoptr(GRand) rand = g_rand_new_with_seed(w->seed);
    uint8_t *buf = g_malloc(block);

    for (int i = 0; i < 3000; i++) {
        uint32_t b = g_rand_int_range(rand, 0, blocks / THREADS) * THREADS +
                     w->index;
        uint64_t at = (uint64_t)b * block;
        struct iovec iov[2] = {
            { buf, block / 2 }, { buf + block / 2, block - block / 2 },
        };
        int op = g_rand_int_range(rand, 0, 8);

        if (op < 4) {
            memset(buf, POISON, block);
            g_assert_cmpint(run(r, ENVME_BIO_READ, 0, at, block, iov, 2), ==,
                            0);
            g_assert_cmpmem(buf, block, r->model + at, block);
        } else if (op < 7) {
            memset(buf, g_rand_int(rand), block);
            g_assert_cmpint(run(r, ENVME_BIO_WRITE, op == 6 ? ENVME_BIO_FUA : 0,
                                at, block, iov, 2), ==, 0);
            memcpy(r->model + at, buf, block);
        } else {
            g_assert_cmpint(run(r, ENVME_BIO_WRITE_ZEROES, ENVME_BIO_MAY_UNMAP,
                                at, block, NULL, 0), ==, 0);
            memset(r->model + at, 0, block);
        }
        if (i % 100 == 0) {
            g_assert_cmpint(run(r, ENVME_BIO_FLUSH, 0, 0, 0, NULL, 0), ==, 0);
        }
    }
    g_free(buf);
    return NULL;
}

static void test_threads(gconstpointer f)
{
    struct worker w[THREADS];
    GThread *t[THREADS];
    struct rig r;

    rig_open(&r, f, false);
    for (unsigned i = 0; i < THREADS; i++) {
        w[i] = (struct worker){ &r, i, g_test_rand_int() };
        t[i] = g_thread_new("worker", worker_run, &w[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        g_thread_join(t[i]);
    }
    rig_check(&r);
    rig_close(&r);
}

/* One STATUS; where the next one has to begin. */
static uint64_t status_check(struct rig *r, uint64_t at, uint64_t bytes,
                             bool full)
{
    struct job job = {
        .bio = { .op = ENVME_BIO_STATUS, .offset = at, .bytes = bytes },
    };

    job_start(r, &job);
    g_assert_cmpint(job_wait(r, &job), ==, 0);
    g_assert_cmpuint(job.bio.same, >, 0);
    g_assert_cmpuint(job.bio.same, <=, bytes);
    for (uint64_t i = at; job.bio.hole && i < at + job.bio.same; i++) {
        g_assert_cmpuint(r->model[i], ==, 0);
    }
    g_assert_false(job.bio.hole && full);
    return at + job.bio.same;
}

/* Where holes are told, they are there: zeroes, and never over real data. */
static void test_holes(gconstpointer f)
{
    struct rig r;

    rig_open(&r, f, false);
    if (!r.geo.status) {
        rig_close(&r);
        return;
    }
    for (int full = 0; full < 2; full++) {
        uint64_t at = 0;

        if (full) {
            rig_scribble(&r);
        }
        while (at < SIZE) {
            at = status_check(&r, at, SIZE - at, full);
        }
    }
    /* Pieces written and given back, at odd places too. */
    for (int i = 0; i < 500; i++) {
        uint64_t at, bytes;

        pick(&r, 20000, &at, &bytes);
        if (i & 1) {
            fill(r.model + at, bytes);
            g_assert_cmpint(rw(&r, ENVME_BIO_WRITE, at, r.model + at, bytes),
                            ==, 0);
        } else {
            memset(r.model + at, 0, bytes);
            g_assert_cmpint(run(&r, ENVME_BIO_WRITE_ZEROES, i & 2 ?
                                ENVME_BIO_MAY_UNMAP : 0, at, bytes, NULL, 0),
                            ==, 0);
        }
        at = g_test_rand_int_range(0, SIZE);
        while (at < SIZE) {
            at = status_check(&r, at, SIZE - at, false);
        }
    }
    rig_close(&r);
}

void backend_suite_add(const struct backend_factory *f)
{
    static const struct {
        const char *name;
        GTestDataFunc fn;
    } tests[] = {
        { "geometry", test_geometry },
        { "random", test_random },
        { "iov", test_iov },
        { "range", test_range },
        { "fua", test_fua },
        { "discard", test_discard },
        { "read-only", test_read_only },
        { "many", test_many },
        { "threads", test_threads },
        { "holes", test_holes },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/backend/%s/%s", f->name,
                                                tests[i].name);

        if (tests[i].fn == test_threads && !f->threads) {
            continue;
        }
        g_test_add_data_func(path, f, tests[i].fn);
    }
}
