/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slices pass the suite of backends, and touch nothing but their pieces. */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "envme/bytes.h"
#include "hw/ns/backend-mem.h"
#include "hw/ns/slice.h"
#include "tests/unit/backend-suite.h"

#define INNER 3
#define GUARD 4096              /* before, between and after the pieces */

/* Memory that completes later, the last submitted first. */
struct late {
    struct envme_backend be;
    struct envme_backend *mem;
    bool is_late, dead;
    GPtrArray *queue;
    unsigned flushes, fua, cancels;
};

static struct late inner[INNER];

static struct late *late_of(struct envme_backend *be)
{
    return (struct late *)((char *)be - offsetof(struct late, be));
}

static int late_submit(struct envme_backend *be, struct envme_bio *bio)
{
    struct late *l = late_of(be);

    l->flushes += bio->op == ENVME_BIO_FLUSH;
    l->fua += bio->flags & ENVME_BIO_FUA;
    if (l->is_late) {
        g_ptr_array_add(l->queue, bio);
        return ENVME_BIO_PENDING;
    }
    return l->dead ? -EIO : l->mem->ops->submit(l->mem, bio);
}

static void late_cancel(struct envme_backend *be, struct envme_bio *bio)
{
    late_of(be)->cancels++;
    bio->priv = bio;
}

static void late_geometry(struct envme_backend *be, struct envme_geometry *geo)
{
    struct late *l = late_of(be);

    l->mem->ops->geometry(l->mem, geo);
    geo->align = l->is_late ? 512 : 1;
    geo->max_iov = 16;
    geo->volatile_cache = false;
}

static const struct envme_backend_ops late_ops = {
    .name = "late", .submit = late_submit, .cancel = late_cancel,
    .geometry = late_geometry,
};

static void inner_close(void)
{
    for (unsigned i = 0; i < INNER; i++) {
        if (inner[i].mem) {
            inner[i].mem->ops->close(inner[i].mem);
            g_ptr_array_free(inner[i].queue, TRUE);
        }
        inner[i] = (struct late){ 0 };
    }
}

/* Pieces with odd edges where bytes can be addressed. */
static struct envme_backend *slice_open(uint64_t size, bool read_only,
                                        bool is_late, unsigned n)
{
    uint32_t align = is_late ? 512 : 1;
    uint64_t left = size, odd = is_late ? 512 : 77;
    struct envme_slice_part parts[INNER * 2];

    inner_close();
    for (unsigned i = 0; i < n; i++) {
        uint64_t len = i + 1 < n ? size / n / 1024 * 1024 + odd : left;

        parts[i] = (struct envme_slice_part){ .be = &inner[i % INNER].be,
                                              .len = len };
        left -= len;
    }
    for (unsigned i = 0; i < n && i < INNER; i++) {
        uint64_t at = GUARD;

        for (unsigned k = i; k < n; k += INNER) {
            parts[k].offset = at;
            at += parts[k].len + GUARD;
        }
        inner[i].be.ops = &late_ops;
        inner[i].is_late = is_late;
        inner[i].queue = g_ptr_array_new();
        inner[i].mem = envme_backend_mem_new(NULL, at, true, read_only);
    }
    return envme_slice_new(parts, n, align);
}

static void slice_poll(struct envme_backend *be)
{
    (void)be;
    for (unsigned i = 0; i < INNER; i++) {
        GPtrArray *q = inner[i].queue;
        struct envme_bio *bio;

        if (q && q->len) {
            bio = g_ptr_array_remove_index(q, q->len - 1);
            bio->done(bio, bio->priv == bio ? -ECANCELED :
                      inner[i].dead ? -EIO :
                      inner[i].mem->ops->submit(inner[i].mem, bio));
            return;
        }
    }
}

static struct envme_backend *open_one(const struct backend_factory *f,
                                      uint64_t size, bool read_only)
{
    (void)f;
    return slice_open(size, read_only, false, 1);
}

static struct envme_backend *open_many(const struct backend_factory *f,
                                       uint64_t size, bool read_only)
{
    (void)f;
    return slice_open(size, read_only, false, INNER * 2);
}

static struct envme_backend *open_late(const struct backend_factory *f,
                                       uint64_t size, bool read_only)
{
    (void)f;
    return slice_open(size, read_only, true, INNER * 2 - 1);
}

static const struct backend_factory one_factory = {
    .name = "slice-one", .open = open_one, .threads = true,
};
static const struct backend_factory many_factory = {
    .name = "slice-many", .open = open_many, .threads = true,
};
static const struct backend_factory late_factory = {
    .name = "slice-late", .open = open_late, .poll = slice_poll,
};

/* ---- what a slice alone does ------------------------------------------- */

static int over_err;
static bool over;

static void over_done(struct envme_bio *bio, int err)
{
    (void)bio;
    over = true;
    over_err = err;
}

static int go(struct envme_backend *be, enum envme_bio_op op, uint64_t offset,
              uint64_t bytes, void *data)
{
    struct iovec iov = { data, bytes };
    struct envme_bio bio = {
        .op = op, .offset = offset, .bytes = bytes, .iov = data ? &iov : NULL,
        .niov = data != NULL, .done = over_done,
    };
    int err = be->ops->submit(be, &bio);

    over = err != ENVME_BIO_PENDING;
    over_err = over ? err : 0;
    while (!over) {
        slice_poll(be);
    }
    return over_err;
}

/* Whatever is done, the guards between the pieces stay zero. */
static void test_guards(void)
{
    const uint64_t size = 100 * 1024;
    uint8_t *ones = g_malloc(size), *got = g_malloc(size + 16 * GUARD);
    uint64_t sum = 0;

    memset(ones, 0xff, size);
    for (unsigned late = 0; late < 2; late++) {
        struct envme_backend *be = slice_open(size, false, late, INNER * 2);

        g_assert_cmpint(go(be, ENVME_BIO_WRITE, 0, size, ones), ==, 0);
        g_assert_cmpint(go(be, ENVME_BIO_WRITE, 0, size + 512, ones), ==,
                        -EIO);
        g_assert_cmpint(go(be, ENVME_BIO_WRITE_ZEROES, UINT64_MAX - 511, 1024,
                           NULL), ==, -EIO);
        sum = 0;
        for (unsigned i = 0; i < INNER; i++) {
            struct envme_geometry geo;

            inner[i].mem->ops->geometry(inner[i].mem, &geo);
            inner[i].is_late = false;
            g_assert_cmpint(go(&inner[i].be, ENVME_BIO_READ, 0, geo.size, got),
                            ==, 0);
            for (uint64_t k = 0; k < geo.size; k++) {
                sum += got[k] == 0xff;
                g_assert_true(got[k] == 0xff || got[k] == 0);
            }
            for (unsigned k = 0; k < GUARD; k++) {
                g_assert_cmphex(got[k], ==, 0);
                g_assert_cmphex(got[geo.size - 1 - k], ==, 0);
            }
        }
        g_assert_cmpuint(sum, ==, size);
        /* and a discard zeroes nothing that is not its own */
        g_assert_cmpint(go(be, ENVME_BIO_WRITE_ZEROES, 0, size, NULL), ==, 0);
        for (unsigned i = 0; i < INNER; i++) {
            struct envme_geometry geo;

            inner[i].mem->ops->geometry(inner[i].mem, &geo);
            go(&inner[i].be, ENVME_BIO_WRITE, 0, geo.size,
               memset(got, 0x5a, geo.size));
        }
        g_assert_cmpint(go(be, ENVME_BIO_DISCARD, 0, size, NULL), ==, 0);
        for (unsigned i = 0; i < INNER; i++) {
            go(&inner[i].be, ENVME_BIO_READ, 0, GUARD, got);
            for (unsigned k = 0; k < GUARD; k++) {
                g_assert_cmphex(got[k], ==, 0x5a);
            }
        }
        be->ops->close(be);
    }
    g_free(ones);
    g_free(got);
}

/* One flush per medium; with the cache off, every write goes through. */
static void test_cache(void)
{
    struct envme_backend *be = slice_open(64 * 1024, false, false, INNER * 2);
    uint8_t data[512] = { 0 };

    g_assert_cmpint(go(be, ENVME_BIO_FLUSH, 0, 0, NULL), ==, 0);
    g_assert_cmpuint(inner[0].flushes, ==, 1);
    g_assert_cmpuint(inner[2].flushes, ==, 1);
    g_assert_cmpint(go(be, ENVME_BIO_WRITE, 0, 512, data), ==, 0);
    g_assert_cmpuint(inner[0].fua, ==, 0);
    g_assert_cmpint(be->ops->set_cache(be, false), ==, 0);
    g_assert_cmpint(go(be, ENVME_BIO_WRITE, 0, 512, data), ==, 0);
    g_assert_cmpint(go(be, ENVME_BIO_READ, 0, 512, data), ==, 0);
    g_assert_cmpuint(inner[0].fua, ==, 1);
    g_assert_cmpint(be->ops->set_cache(be, true), ==, 0);
    g_assert_cmpint(go(be, ENVME_BIO_WRITE, 0, 512, data), ==, 0);
    g_assert_cmpuint(inner[0].fua, ==, 1);
    be->ops->close(be);
}

/* One part fails, or is cancelled: once, when all have ended. */
static void test_failing(void)
{
    for (unsigned late = 0; late < 2; late++) {
        struct envme_backend *be = slice_open(64 * 1024, false, late, INNER);
        uint8_t *data = g_malloc0(64 * 1024);
        struct iovec iov = { data, 64 * 1024 };
        struct envme_bio bio = {
            .op = ENVME_BIO_READ, .bytes = 64 * 1024, .iov = &iov, .niov = 1,
            .done = over_done,
        };

        inner[1].dead = true;
        g_assert_cmpint(go(be, ENVME_BIO_READ, 0, 64 * 1024, data), ==, -EIO);
        inner[1].dead = false;
        g_assert_cmpint(go(be, ENVME_BIO_READ, 0, 64 * 1024, data), ==, 0);
        if (late) {
            over = false;
            g_assert_cmpint(be->ops->submit(be, &bio), ==, ENVME_BIO_PENDING);
            slice_poll(be);
            be->ops->cancel(be, &bio);
            g_assert_cmpuint(inner[0].cancels, ==, 0);
            g_assert_cmpuint(inner[1].cancels + inner[2].cancels, ==, 2);
            slice_poll(be);
            g_assert_false(over);
            slice_poll(be);
            g_assert_true(over);
            g_assert_cmpint(over_err, ==, -ECANCELED);
        }
        be->ops->close(be);
        g_free(data);
    }
}

int main(int argc, char **argv)
{
    int rc;

    g_test_init(&argc, &argv, NULL);
    backend_suite_add(&one_factory);
    backend_suite_add(&many_factory);
    backend_suite_add(&late_factory);
    g_test_add_func("/slice/guards", test_guards);
    g_test_add_func("/slice/cache", test_cache);
    g_test_add_func("/slice/failing", test_failing);
    rc = g_test_run();
    inner_close();
    return rc;
}
