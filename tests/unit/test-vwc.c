/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The volatile write cache: the conformance suite with caches of several
 * sizes, on inner backends that complete at once and later; and what is on
 * the medium at which time.
 */
#include <errno.h>
#include <string.h>

#include "hw/core/trigger.h"
#include "hw/ns/backend-mem.h"
#include "hw/ns/vwc.h"
#include "tests/unit/backend-suite.h"

#define SIZE (1u << 20)

/* ---- threads: each has a queue of calls -------------------------------- */

struct call {
    void (*fn)(void *arg);
    void *arg;
};

static void queue_free(gpointer q)
{
    g_async_queue_unref(q);
}

static GPrivate here_queue = G_PRIVATE_INIT(queue_free);

static void *exec_here(void *opaque)
{
    GAsyncQueue *q = g_private_get(&here_queue);

    (void)opaque;
    if (!q) {
        q = g_async_queue_new();
        g_private_set(&here_queue, q);
    }
    return q;
}

static void exec_go(void *opaque, void *where, void (*fn)(void *), void *arg)
{
    struct call *c = g_new(struct call, 1);

    (void)opaque;
    *c = (struct call){ fn, arg };
    g_async_queue_push(where, c);
}

static const struct envme_vwc_exec exec = { NULL, exec_here, exec_go };

static bool exec_run(void)
{
    struct call *c = g_async_queue_try_pop(exec_here(NULL));

    if (!c) {
        return false;
    }
    c->fn(c->arg);
    g_free(c);
    return true;
}

/* ---- an inner backend that ends later, the newest first ---------------- */

struct late {
    struct envme_backend be;
    struct envme_backend *inner;
    GPtrArray *queue;
    unsigned flushes, fua, writes;
    bool inline_too;
    int fail;                   /* the next write fails with it */
};

static struct late *late_now;

static struct late *late_of(struct envme_backend *be)
{
    return (struct late *)((char *)be - offsetof(struct late, be));
}

static int late_submit(struct envme_backend *be, struct envme_bio *bio)
{
    struct late *l = late_of(be);
    int fail = l->fail;

    l->flushes += bio->op == ENVME_BIO_FLUSH;
    l->writes += bio->op == ENVME_BIO_WRITE;
    l->fua += bio->op == ENVME_BIO_WRITE && bio->flags & ENVME_BIO_FUA;
    if (fail && bio->op == ENVME_BIO_WRITE) {
        l->fail = 0;
        return fail;
    }
    if (l->inline_too) {
        return l->inner->ops->submit(l->inner, bio);
    }
    g_ptr_array_add(l->queue, bio);
    return ENVME_BIO_PENDING;
}

static bool late_step(struct late *l)
{
    struct envme_bio *bio;

    if (!l->queue->len) {
        return false;
    }
    bio = g_ptr_array_remove_index(l->queue, l->queue->len - 1);
    bio->done(bio, l->inner->ops->submit(l->inner, bio));
    return true;
}

static void late_geometry(struct envme_backend *be, struct envme_geometry *geo)
{
    struct late *l = late_of(be);

    l->inner->ops->geometry(l->inner, geo);
    geo->align = 512;
    geo->max_transfer = 65536;
    geo->max_iov = 16;
}

static void late_close(struct envme_backend *be)
{
    struct late *l = late_of(be);

    g_assert_cmpuint(l->queue->len, ==, 0);
    l->inner->ops->close(l->inner);
    g_ptr_array_free(l->queue, TRUE);
    g_free(l);
}

static struct late *late_new(uint64_t size, bool read_only)
{
    static const struct envme_backend_ops ops = {
        .name = "late", .submit = late_submit, .geometry = late_geometry,
        .close = late_close,
    };
    struct late *l = g_new0(struct late, 1);

    l->be.ops = &ops;
    l->inner = envme_backend_mem_new(NULL, size, true, read_only);
    l->queue = g_ptr_array_new();
    late_now = l;
    return l;
}

/* ---- the suite --------------------------------------------------------- */

static struct envme_backend *open_mem(const struct backend_factory *f,
                                      uint64_t size, bool read_only)
{
    return envme_vwc_new(envme_backend_mem_new(NULL, size, true, read_only),
                         *(const uint64_t *)f->opaque, &exec);
}

static struct envme_backend *open_late(const struct backend_factory *f,
                                       uint64_t size, bool read_only)
{
    return envme_vwc_new(&late_new(size, read_only)->be,
                         *(const uint64_t *)f->opaque, &exec);
}

static void poll_mem(struct envme_backend *be)
{
    (void)be;
    if (!exec_run()) {
        g_thread_yield();
    }
}

static void poll_late(struct envme_backend *be)
{
    (void)be;
    if (!exec_run()) {
        late_step(late_now);
    }
}

static const uint64_t large = 64u << 20, small = ENVME_VWC_SIZE_MIN;

static const struct backend_factory factories[] = {
    { .name = "vwc-mem", .open = open_mem, .poll = poll_mem, .threads = true,
      .opaque = &large },
    { .name = "vwc-mem-small", .open = open_mem, .poll = poll_mem,
      .threads = true, .opaque = &small },
    { .name = "vwc-late", .open = open_late, .poll = poll_late,
      .opaque = &large },
    { .name = "vwc-late-small", .open = open_late, .poll = poll_late,
      .opaque = &small },
};

/* ---- what is where ----------------------------------------------------- */

struct rig {
    struct late *late;
    struct envme_backend *be;
};

static struct rig rig_new(uint64_t cache)
{
    struct rig r = { .late = late_new(SIZE, false) };

    r.late->inline_too = true;
    r.be = envme_vwc_new(&r.late->be, cache, &exec);
    return r;
}

static void rig_free(struct rig *r)
{
    r->be->ops->close(r->be);
}

static void over(struct envme_bio *bio, int err)
{
    *(int *)bio->opaque = err;
}

static int run(struct rig *r, struct envme_backend *be, enum envme_bio_op op,
               unsigned flags, uint64_t offset, uint64_t bytes, void *buf)
{
    struct iovec iov = { buf, bytes };
    int err = 1;
    struct envme_bio bio = {
        .op = op, .flags = flags, .offset = offset, .bytes = bytes,
        .iov = buf ? &iov : NULL, .niov = buf != NULL, .done = over,
        .opaque = &err,
    };
    int ret = be->ops->submit(be, &bio);

    if (ret != ENVME_BIO_PENDING) {
        return ret;
    }
    while (err == 1) {
        g_assert_true(exec_run() || late_step(r->late));
    }
    return err;
}

static void put(struct rig *r, unsigned flags, uint64_t offset,
                uint64_t bytes, uint8_t v)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, v, bytes);
    g_assert_cmpint(run(r, r->be, ENVME_BIO_WRITE, flags, offset, bytes, buf),
                    ==, 0);
}

static uint8_t at(struct rig *r, struct envme_backend *be, uint64_t offset)
{
    uint8_t buf[512];

    g_assert_cmpint(run(r, be, ENVME_BIO_READ, 0, offset - offset % 512, 512,
                        buf), ==, 0);
    return buf[offset % 512];
}

#define SEEN(r, off)   at(r, (r)->be, off)
#define MEDIUM(r, off) at(r, (r)->late->inner, off)

static void flush(struct rig *r)
{
    g_assert_cmpint(run(r, r->be, ENVME_BIO_FLUSH, 0, 0, 0, NULL), ==, 0);
}

static void test_flush(void)
{
    struct rig r = rig_new(large);
    unsigned flushes;

    put(&r, 0, 4096, 4096, 1);
    put(&r, 0, 4608, 512, 2);
    g_assert_cmpint(run(&r, r.be, ENVME_BIO_WRITE_ZEROES, 0, 5120, 512, NULL),
                    ==, 0);
    g_assert_cmpuint(SEEN(&r, 4096), ==, 1);
    g_assert_cmpuint(SEEN(&r, 4608), ==, 2);
    g_assert_cmpuint(SEEN(&r, 5120), ==, 0);
    g_assert_cmpuint(MEDIUM(&r, 4096), ==, 0);
    g_assert_cmpuint(r.late->writes, ==, 0);
    g_assert_cmpuint(envme_vwc_bytes(r.be), >=, 4608);
    flushes = r.late->flushes;
    flush(&r);
    g_assert_cmpuint(r.late->flushes, ==, flushes + 1);
    g_assert_cmpuint(MEDIUM(&r, 4096), ==, 1);
    g_assert_cmpuint(MEDIUM(&r, 4608), ==, 2);
    g_assert_cmpuint(MEDIUM(&r, 5120), ==, 0);
    g_assert_cmpuint(MEDIUM(&r, 5632), ==, 1);
    g_assert_cmpuint(envme_vwc_bytes(r.be), ==, 0);
    rig_free(&r);
}

/* FUA takes what is under it with it, and nothing else. */
static void test_fua(void)
{
    struct rig r = rig_new(large);

    put(&r, 0, 0, 1024, 1);             /* under the next */
    put(&r, 0, 512, 1024, 2);           /* under the FUA */
    put(&r, 0, 65536, 512, 3);          /* elsewhere */
    put(&r, ENVME_BIO_FUA, 1024, 512, 4);
    g_assert_cmpuint(r.late->fua, ==, 1);
    g_assert_cmpuint(MEDIUM(&r, 0), ==, 1);
    g_assert_cmpuint(MEDIUM(&r, 512), ==, 2);
    g_assert_cmpuint(MEDIUM(&r, 1024), ==, 4);
    g_assert_cmpuint(MEDIUM(&r, 65536), ==, 0);
    g_assert_cmpuint(SEEN(&r, 65536), ==, 3);
    g_assert_cmpuint(SEEN(&r, 1024), ==, 4);
    put(&r, 0, 1024, 512, 5);
    flush(&r);
    g_assert_cmpuint(MEDIUM(&r, 1024), ==, 5);
    rig_free(&r);
}

static void test_off(void)
{
    struct rig r = rig_new(large);

    put(&r, 0, 0, 512, 1);
    g_assert_cmpint(r.be->ops->set_cache(r.be, false), ==, 0);
    put(&r, 0, 512, 512, 2);
    g_assert_cmpuint(MEDIUM(&r, 512), ==, 2);
    g_assert_cmpuint(MEDIUM(&r, 0), ==, 0);
    flush(&r);
    g_assert_cmpuint(MEDIUM(&r, 0), ==, 1);
    g_assert_cmpint(r.be->ops->set_cache(r.be, true), ==, 0);
    put(&r, 0, 0, 512, 3);
    g_assert_cmpuint(MEDIUM(&r, 0), ==, 1);
    rig_free(&r);
}

/* When it is full the oldest goes out first; what is too large goes by. */
static void test_full(void)
{
    struct rig r = rig_new(ENVME_VWC_SIZE_MIN);
    unsigned out = 0;

    for (unsigned i = 0; i < 64; i++) {
        put(&r, 0, i * 4096, 4096, i + 1);
        g_assert_cmpuint(envme_vwc_bytes(r.be), <=, ENVME_VWC_SIZE_MIN);
    }
    while (out < 64 && MEDIUM(&r, out * 4096) == out + 1) {
        out++;
    }
    g_assert_cmpuint(out, >, 40);
    g_assert_cmpuint(out, <, 64);
    for (unsigned i = 0; i < 64; i++) {
        g_assert_cmpuint(SEEN(&r, i * 4096), ==, i + 1);
        g_assert_true(i < out || MEDIUM(&r, i * 4096) == 0);
    }
    put(&r, 0, 0, ENVME_VWC_SIZE_MIN, 99);
    g_assert_cmpuint(MEDIUM(&r, 0), ==, 99);
    rig_free(&r);
}

static void test_errors(void)
{
    struct rig r = rig_new(large);

    put(&r, 0, 0, 512, 1);
    r.late->fail = -EIO;
    g_assert_cmpint(run(&r, r.be, ENVME_BIO_FLUSH, 0, 0, 0, NULL), ==, -EIO);
    g_assert_cmpuint(MEDIUM(&r, 0), ==, 0);
    g_assert_cmpuint(SEEN(&r, 0), ==, 1);
    flush(&r);
    g_assert_cmpuint(MEDIUM(&r, 0), ==, 1);
    rig_free(&r);
}

/* Several at once that write out: one after the other, none is forgotten. */
static void test_queue(void)
{
    struct rig r = rig_new(large);
    struct envme_bio bio[8];
    uint8_t buf[512];
    struct iovec iov = { buf, 512 };
    int err[8];

    memset(buf, 7, sizeof(buf));
    r.late->inline_too = false;
    for (unsigned i = 0; i < 8; i++) {
        put(&r, 0, i * 512, 512, i + 1);
    }
    for (unsigned i = 0; i < 8; i++) {
        err[i] = 1;
        bio[i] = (struct envme_bio){
            .op = i % 2 ? ENVME_BIO_WRITE : ENVME_BIO_FLUSH,
            .flags = i % 2 ? ENVME_BIO_FUA : 0, .offset = 0,
            .bytes = i % 2 ? 512 : 0, .iov = &iov, .niov = 1, .done = over,
            .opaque = &err[i],
        };
        g_assert_cmpint(r.be->ops->submit(r.be, &bio[i]), ==,
                        ENVME_BIO_PENDING);
    }
    while (exec_run() || late_step(r.late)) {
        ;
    }
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmpint(err[i], ==, 0);
        g_assert_cmpuint(MEDIUM(&r, i * 512), ==, i ? i + 1 : 7);
    }
    rig_free(&r);
}

/* STATUS: what is in the cache, and in between what the medium says. */
static void test_status(void)
{
    struct rig r = rig_new(large);
    struct envme_bio bio = { .op = ENVME_BIO_STATUS, .done = over };
    static const struct {
        uint64_t at, same;
        bool hole;
    } want[] = {
        { 0, 4096, true }, { 4096, 4096, false }, { 8192, 4096, true },
        { 12288, SIZE - 12288, true },
    };
    struct envme_geometry geo;

    r.be->ops->geometry(r.be, &geo);
    g_assert_true(geo.status);
    put(&r, 0, 4096, 8192, 1);
    g_assert_cmpint(run(&r, r.be, ENVME_BIO_WRITE_ZEROES, ENVME_BIO_MAY_UNMAP,
                        8192, 4096, NULL), ==, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(want); i++) {
        bio.offset = want[i].at;
        bio.bytes = SIZE - want[i].at;
        g_assert_cmpint(r.be->ops->submit(r.be, &bio), ==, 0);
        g_assert_true(bio.hole == want[i].hole);
        g_assert_cmpuint(bio.same, ==, want[i].same);
        g_assert_cmpuint(bio.bytes, ==, SIZE - want[i].at);
    }
    rig_free(&r);
}

/* ---- power loss -------------------------------------------------------- */

struct cut {
    struct envme_crash_zone zone;
    enum envme_crash_lose lose;
    uint64_t seed;
    unsigned n, open, pinned;
    int err;
};

static GArray *cut_choose(void *arg, const struct envme_vwc_view *view)
{
    struct cut *cut = arg;
    struct envme_crash_opts o = { .tear = true };
    struct envme_crash *c = envme_crash_new(view->crash, view->n, &cut->zone,
                                            1, &o);
    g_autofree uint8_t *kept = envme_crash_choose(c, cut->lose, cut->seed);
    GArray *out = envme_crash_outcome(c, kept);

    cut->n = view->n;
    cut->open = cut->pinned = 0;
    for (unsigned i = 0; i < view->n; i++) {
        cut->open += view->crash[i].open;
        cut->pinned += view->crash[i].pinned;
    }
    envme_crash_free(c);
    return out;
}

static void cut_done(void *arg, int err)
{
    ((struct cut *)arg)->err = err;
}

static struct cut cut(struct rig *r, enum envme_crash_lose lose,
                      uint64_t seed)
{
    struct cut c = {
        .zone = { .bytes = SIZE, .block = 512, .atomic = 1024 },
        .lose = lose, .seed = seed, .err = 1,
    };

    envme_vwc_cut(r->be, cut_choose, cut_done, &c);
    while (c.err == 1) {
        g_assert_true(exec_run() || late_step(r->late));
    }
    return c;
}

static void test_cut(void)
{
    struct rig r = rig_new(large);
    struct cut c;

    put(&r, 0, 0, 512, 1);
    flush(&r);
    put(&r, 0, 512, 512, 2);
    put(&r, ENVME_BIO_FUA, 1024, 512, 3);
    c = cut(&r, ENVME_CRASH_LOSE_UNFLUSHED, 0);
    g_assert_cmpint(c.err, ==, 0);
    g_assert_cmpuint(c.n, ==, 1);
    g_assert_cmpuint(SEEN(&r, 0), ==, 1);
    g_assert_cmpuint(SEEN(&r, 512), ==, 0);
    g_assert_cmpuint(SEEN(&r, 1024), ==, 3);
    put(&r, 0, 0, 512, 4);
    put(&r, 0, 0, 512, 5);
    r.late->inline_too = false;
    c = cut(&r, ENVME_CRASH_LOSE_NONE, 0);
    g_assert_cmpuint(c.n, ==, 2);
    g_assert_cmpuint(MEDIUM(&r, 0), ==, 5);
    g_assert_cmpuint(envme_vwc_bytes(r.be), ==, 0);
    rig_free(&r);
}

/* What a loss has kept but could not write, the next one does not lose. */
static void test_cut_twice(void)
{
    struct rig r = rig_new(large);
    struct cut c;

    put(&r, 0, 0, 512, 1);
    r.late->fail = -EIO;
    c = cut(&r, ENVME_CRASH_LOSE_NONE, 0);
    g_assert_cmpint(c.err, ==, -EIO);
    put(&r, 0, 512, 512, 2);
    c = cut(&r, ENVME_CRASH_LOSE_UNFLUSHED, 0);
    g_assert_cmpint(c.err, ==, 0);
    g_assert_cmpuint(c.pinned, ==, 1);
    g_assert_cmpuint(MEDIUM(&r, 0), ==, 1);
    g_assert_cmpuint(SEEN(&r, 512), ==, 0);
    rig_free(&r);
}

/* Requests of one write stay together, and one that has not ended is lost. */
static void test_cut_groups(void)
{
    unsigned both = 0, none = 0;

    for (unsigned seed = 0; seed < 40; seed++) {
        struct rig r = rig_new(large);
        struct cut c;
        uint8_t buf[512] = { 9 };
        struct iovec iov = { buf, 512 };
        int err, unit;

        for (unsigned i = 0; i < 3; i++) {
            struct envme_bio bio = {
                .op = ENVME_BIO_WRITE, .offset = i < 2 ? i * 512 : 16384,
                .bytes = 512,
                .flags = (i ? ENVME_BIO_CONT : 0) |
                         (i < 1 ? ENVME_BIO_MORE : 0),
                .iov = &iov, .niov = 1, .done = over, .opaque = &err,
                .unit = i < 2 ? &unit : NULL,
            };

            bio.flags |= i == 2 ? ENVME_BIO_MORE : 0;
            g_assert_cmpint(r.be->ops->submit(r.be, &bio), ==, 0);
        }
        put(&r, 0, 64 * 512, 512, 1);
        c = cut(&r, ENVME_CRASH_LOSE_RANDOM, seed);
        g_assert_cmpuint(c.n, ==, 4);
        g_assert_cmpuint(c.open, ==, 1);
        g_assert_cmpuint(SEEN(&r, 0), ==, SEEN(&r, 512));
        g_assert_cmpuint(SEEN(&r, 16384), ==, 0);
        both += SEEN(&r, 0) == 9;
        none += SEEN(&r, 0) == 0;
        rig_free(&r);
    }
    g_assert_cmpuint(both, >, 0);
    g_assert_cmpuint(none, >, 0);
}

/*
 * Any traffic, then a loss: each block is one of the versions that it has had
 * since it was last made durable, and a write of two blocks is whole.
 */
static void test_model(void)
{
    enum { N = 64 };

    for (unsigned round = 0; round < 200; round++) {
        struct rig r = rig_new(round % 2 ? large : ENVME_VWC_SIZE_MIN);
        bool may[N][256] = { { false } };
        uint8_t pair[256] = { 0 };      /* version -> its first block + 1 */
        unsigned version = 0;

        r.late->inline_too = round % 4 < 2;
        for (unsigned b = 0; b < N; b++) {
            may[b][0] = true;
        }
        while (version < 120) {
            unsigned b = g_test_rand_int_range(0, N - 1);
            unsigned n = g_test_rand_int_range(1, 3);
            unsigned how = g_test_rand_int_range(0, 12);
            unsigned flags = how == 0 ? ENVME_BIO_FUA : 0;

            if (how == 1) {
                flush(&r);
                for (unsigned i = 0; i < N; i++) {
                    uint8_t now = SEEN(&r, i * 512);

                    memset(may[i], 0, sizeof(may[i]));
                    may[i][now] = true;
                }
                continue;
            }
            put(&r, flags, b * 512, n * 512, ++version);
            pair[version] = n == 2 ? b + 1 : 0;
            for (unsigned i = b; i < b + n; i++) {
                if (flags) {
                    memset(may[i], 0, sizeof(may[i]));
                }
                may[i][version] = true;
            }
        }
        cut(&r, ENVME_CRASH_LOSE_RANDOM, round);
        for (unsigned i = 0; i < N; i++) {
            uint8_t v = SEEN(&r, i * 512);
            unsigned first = pair[v] - 1;
            uint8_t o;

            g_assert_cmpuint(v, ==, MEDIUM(&r, i * 512));
            g_assert_true(may[i][v]);
            if (v && pair[v]) {
                /* The other half, unless something newer lies on it. */
                o = SEEN(&r, (i == first ? first + 1 : first) * 512);
                g_assert_cmpuint(o, >=, v);
            }
        }
        rig_free(&r);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(factories); i++) {
        backend_suite_add(&factories[i]);
    }
    g_test_add_func("/vwc/flush", test_flush);
    g_test_add_func("/vwc/fua", test_fua);
    g_test_add_func("/vwc/off", test_off);
    g_test_add_func("/vwc/full", test_full);
    g_test_add_func("/vwc/errors", test_errors);
    g_test_add_func("/vwc/queue", test_queue);
    g_test_add_func("/vwc/status", test_status);
    g_test_add_func("/vwc/cut", test_cut);
    g_test_add_func("/vwc/cut/twice", test_cut_twice);
    g_test_add_func("/vwc/cut/groups", test_cut_groups);
    g_test_add_func("/vwc/model", test_model);
    return g_test_run();
}
