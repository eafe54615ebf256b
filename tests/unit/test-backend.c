/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backends that need no QEMU pass the conformance suite, and the memory
 * backend does what it alone can. A wrapper that completes later, in another
 * order, shows that the suite is not for inline completion only.
 */
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "envme/bytes.h"
#include "hw/ns/backend-mem.h"
#include "tests/unit/backend-suite.h"

static struct envme_backend *open_owned(const struct backend_factory *f,
                                        uint64_t size, bool read_only)
{
    (void)f;
    return envme_backend_mem_new(NULL, size, true, read_only);
}

/* Borrowed memory, and no way to discard. */
static uint8_t *borrowed;

static struct envme_backend *open_borrowed(const struct backend_factory *f,
                                           uint64_t size, bool read_only)
{
    (void)f;
    g_free(borrowed);
    borrowed = g_malloc0(size);
    return envme_backend_mem_new(borrowed, size, false, read_only);
}

static const struct backend_factory owned_factory = {
    .name = "mem-owned", .open = open_owned, .threads = true,
};

static const struct backend_factory borrowed_factory = {
    .name = "mem-borrowed", .open = open_borrowed, .threads = true,
};

/* Holds an inner backend; one thread; the last submitted is done first. */
struct late {
    struct envme_backend be;
    struct envme_backend *inner;
    GPtrArray *queue;
};

static struct late *late_of(struct envme_backend *be)
{
    return (struct late *)((char *)be - offsetof(struct late, be));
}

static int late_submit(struct envme_backend *be, struct envme_bio *bio)
{
    g_ptr_array_add(late_of(be)->queue, bio);
    return ENVME_BIO_PENDING;
}

static void late_cancel(struct envme_backend *be, struct envme_bio *bio)
{
    (void)be;
    bio->priv = bio;
}

static void late_poll(struct envme_backend *be)
{
    struct late *l = late_of(be);
    struct envme_bio *bio;
    int rc = -ECANCELED;

    if (!l->queue->len) {
        return;
    }
    bio = g_ptr_array_remove_index(l->queue, l->queue->len - 1);
    if (bio->priv != bio) {
        rc = l->inner->ops->submit(l->inner, bio);
    }
    bio->done(bio, rc);
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

static struct envme_backend *open_late(const struct backend_factory *f,
                                       uint64_t size, bool read_only)
{
    static const struct envme_backend_ops ops = {
        .name = "late", .submit = late_submit, .cancel = late_cancel,
        .geometry = late_geometry,
        .close = late_close,
    };
    struct late *l = g_new0(struct late, 1);

    (void)f;
    l->be.ops = &ops;
    l->inner = envme_backend_mem_new(NULL, size, true, read_only);
    l->queue = g_ptr_array_new();
    return &l->be;
}

static const struct backend_factory late_factory = {
    .name = "late", .open = open_late, .poll = late_poll,
};

static int simple(struct envme_backend *be, enum envme_bio_op op,
                  unsigned flags, uint64_t offset, uint64_t bytes,
                  const struct iovec *iov, int niov)
{
    struct envme_bio bio = {
        .op = op, .flags = flags, .offset = offset, .bytes = bytes,
        .iov = iov, .niov = niov,
    };

    return be->ops->submit(be, &bio);
}

/* The iov must be as long as the request says. */
static void test_iov_sum(void)
{
    struct envme_backend *be = envme_backend_mem_new(NULL, 8192, true, false);
    uint8_t buf[64] = { 1 }, out[64];
    struct iovec shrt[2] = { { buf, 30 }, { buf, 33 } };
    struct iovec lng[3] = { { buf, 60 }, { buf, 5 }, { buf, SIZE_MAX } };
    struct iovec huge[2] = { { buf, SIZE_MAX }, { buf, 65 } };
    struct iovec all = { out, 64 };

    g_assert_cmpint(simple(be, ENVME_BIO_WRITE, 0, 0, 64, shrt, 2), ==,
                    -EINVAL);
    g_assert_cmpint(simple(be, ENVME_BIO_WRITE, 0, 0, 64, lng, 3), ==,
                    -EINVAL);
    g_assert_cmpint(simple(be, ENVME_BIO_WRITE, 0, 0, 64, huge, 2), ==,
                    -EINVAL);
    g_assert_cmpint(simple(be, ENVME_BIO_WRITE, 0, 0, 64, NULL, 0), ==,
                    -EINVAL);
    g_assert_cmpint(simple(be, ENVME_BIO_READ, 0, 0, 64, &all, 1), ==, 0);
    for (int i = 0; i < 64; i++) {
        g_assert_cmphex(out[i], ==, 0);
    }
    g_assert_cmpint(simple(be, ENVME_BIO_READ, 0, 8192, 0, NULL, 0), ==, 0);
    g_assert_cmpint(simple(be, 77, 0, 0, 64, NULL, 0), ==, -ENOTSUP);
    be->ops->close(be);
}

/* A host that names the medium itself as its buffer. */
static void test_overlap(void)
{
    uint8_t mem[256], want[256];
    struct envme_backend *be = envme_backend_mem_new(mem, 256, false, false);
    struct iovec iov = { mem + 10, 100 };

    for (int i = 0; i < 256; i++) {
        mem[i] = want[i] = i;
    }
    memmove(want + 20, want + 10, 100);
    g_assert_cmpint(simple(be, ENVME_BIO_WRITE, 0, 20, 100, &iov, 1), ==, 0);
    g_assert_cmpmem(mem, 256, want, 256);
    memmove(want + 10, want + 7, 100);
    g_assert_cmpint(simple(be, ENVME_BIO_READ, 0, 7, 100, &iov, 1), ==, 0);
    g_assert_cmpmem(mem, 256, want, 256);
    be->ops->close(be);
}

struct discards {
    uint8_t *mem;
    int rc;
    unsigned calls;
    uint64_t offset, bytes;     /* of the last */
};

static int record_discard(void *opaque, uint64_t offset, uint64_t bytes)
{
    struct discards *d = opaque;

    d->calls++;
    d->offset = offset;
    d->bytes = bytes;
    if (!d->rc) {
        memset(d->mem + offset, 0, bytes);
    }
    return d->rc;
}

/* The callback is given whole pages inside the range, the rest is zeroed. */
static void test_discard_callback(void)
{
    enum { SIZE = 64 * 1024, PAGE = 4096 };
    static const struct { uint32_t offset, bytes, from, to; } cases[] = {
        { 0, SIZE, 0, SIZE }, { 4096, 4096, 4096, 8192 },
        { 1, 8191, 4096, 8192 }, { 4095, 4098, 4096, 8192 },
        { 1, 8190, 0, 0 }, { 4097, 4096, 0, 0 }, { 100, 50, 0, 0 },
        { SIZE - 4096, 4096, SIZE - 4096, SIZE },
        { SIZE - 4097, 4097, SIZE - 4096, SIZE },
        { 512, SIZE - 1024, 4096, SIZE - 4096 }, { 0, 0, 0, 0 },
    };
    uint8_t *mem = g_malloc(SIZE), *want = g_malloc(SIZE);

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (int how = 0; how < 4; how++) {
            struct discards d = { .mem = mem, .rc = how & 1 ? -EIO : 0 };
            bool expected = cases[i].to > cases[i].from;
            struct envme_backend *be;
            struct envme_geometry geo;

            be = envme_backend_mem_new(mem, SIZE, false, false);
            envme_backend_mem_set_discard(be, PAGE, record_discard, &d);
            be->ops->geometry(be, &geo);
            g_assert_true(geo.discard);
            memset(mem, 0x55, SIZE);
            memset(want, 0x55, SIZE);
            /* A discard that fails leaves all as it was. */
            if (how != 3 || !expected) {
                memset(want + cases[i].offset, 0, cases[i].bytes);
            }
            g_assert_cmpint(
                simple(be, how & 2 ? ENVME_BIO_DISCARD : ENVME_BIO_WRITE_ZEROES,
                       ENVME_BIO_MAY_UNMAP, cases[i].offset, cases[i].bytes,
                       NULL, 0), ==, 0);
            g_assert_cmpmem(mem, SIZE, want, SIZE);
            g_assert_cmpuint(d.calls, ==, expected);
            g_assert_cmpuint(d.offset, ==, cases[i].from);
            g_assert_cmpuint(d.bytes, ==, cases[i].to - cases[i].from);
            /* Not when it was not allowed. */
            d.calls = 0;
            g_assert_cmpint(simple(be, ENVME_BIO_WRITE_ZEROES, 0,
                                   cases[i].offset, cases[i].bytes, NULL, 0),
                            ==, 0);
            g_assert_cmpuint(d.calls, ==, 0);
            be->ops->close(be);
        }
    }
    g_free(mem);
    g_free(want);
}

/* Owned memory goes back to the system: asked of the kernel. */
static void test_discard_owned(void)
{
    const size_t page = sysconf(_SC_PAGESIZE), size = 16 * page;
    uint8_t *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct envme_backend *be;
    struct envme_geometry geo;
    unsigned char resident[16];

    g_assert_true(mem != MAP_FAILED);
    madvise(mem, size, MADV_NOHUGEPAGE);
    be = envme_backend_mem_new(mem, size, true, false);
    be->ops->geometry(be, &geo);
    g_assert_true(geo.discard);
    memset(mem, 0x55, size);
    g_assert_cmpint(simple(be, ENVME_BIO_DISCARD, 0, 512, 8 * page, NULL, 0),
                    ==, 0);
    g_assert_cmpint(mincore(mem, size, resident), ==, 0);
    for (unsigned i = 0; i < 16; i++) {
        g_assert_cmpint(resident[i] & 1, ==, i == 0 || i >= 8);
    }
    for (size_t i = 0; i < size; i++) {
        g_assert_cmphex(mem[i], ==, i < 512 || i >= 512 + 8 * page ? 0x55 : 0);
    }
    be->ops->close(be);
}

static void test_no_discard(void)
{
    uint8_t mem[4096];
    struct envme_backend *be = envme_backend_mem_new(mem, 4096, false, false);
    struct envme_geometry geo;

    be->ops->geometry(be, &geo);
    g_assert_false(geo.discard);
    g_assert_false(geo.volatile_cache);
    g_assert_cmpuint(geo.align, ==, 1);
    memset(mem, 0x55, sizeof(mem));
    g_assert_cmpint(simple(be, ENVME_BIO_DISCARD, 0, 0, 4096, NULL, 0), ==, 0);
    for (unsigned i = 0; i < sizeof(mem); i++) {
        g_assert_cmphex(mem[i], ==, 0x55);
    }
    be->ops->close(be);
}

/* Nothing happens, wherever it is. */
static void test_expect(void)
{
    uint8_t mem[1024] = { 1 };
    struct envme_backend *be = envme_backend_mem_new(mem, 1024, false, false);

    for (unsigned i = 0; i < 64; i++) {
        be->ops->expect(be, UINT64_MAX >> i);
    }
    be->ops->expect(be, 1023);
    g_assert_cmpint(mem[0], ==, 1);
    be->ops->close(be);
}

static void test_sizes(void)
{
    struct envme_backend *be = envme_backend_mem_new(NULL, 0, true, false);
    struct envme_geometry geo;
    uint8_t b = 7;
    struct iovec iov = { &b, 1 };

    g_assert_nonnull(be);
    be->ops->geometry(be, &geo);
    g_assert_cmpuint(geo.size, ==, 0);
    g_assert_cmpint(simple(be, ENVME_BIO_READ, 0, 0, 1, &iov, 1), <, 0);
    g_assert_cmpint(simple(be, ENVME_BIO_READ, 0, 0, 0, NULL, 0), ==, 0);
    be->ops->close(be);
    /* More than there is room for: an answer, no crash. */
    g_assert_null(envme_backend_mem_new(NULL, UINT64_MAX - 65535, true, false));
    /* A large one costs what is used of it. */
    be = envme_backend_mem_new(NULL, 1ull << 36, true, false);
    g_assert_nonnull(be);
    g_assert_cmpint(simple(be, ENVME_BIO_WRITE, 0, (1ull << 36) - 1, 1, &iov,
                           1), ==, 0);
    b = 0;
    g_assert_cmpint(simple(be, ENVME_BIO_READ, 0, (1ull << 36) - 1, 1, &iov,
                           1), ==, 0);
    g_assert_cmpint(b, ==, 7);
    be->ops->close(be);
}

int main(int argc, char **argv)
{
    int rc;

    g_test_init(&argc, &argv, NULL);
    backend_suite_add(&owned_factory);
    backend_suite_add(&borrowed_factory);
    backend_suite_add(&late_factory);
    g_test_add_func("/backend-mem/iov-sum", test_iov_sum);
    g_test_add_func("/backend-mem/overlap", test_overlap);
    g_test_add_func("/backend-mem/discard-callback", test_discard_callback);
    g_test_add_func("/backend-mem/discard-owned", test_discard_owned);
    g_test_add_func("/backend-mem/no-discard", test_no_discard);
    g_test_add_func("/backend-mem/expect", test_expect);
    g_test_add_func("/backend-mem/sizes", test_sizes);
    rc = g_test_run();
    g_free(borrowed);
    return rc;
}
