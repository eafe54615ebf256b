/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/backend-mem.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "envme/bytes.h"

/*
 * What has been written is kept as a bit for each 512 bytes: the pages of a
 * mapping would not say so, since reading makes them, too. Bits are set after
 * data was copied, and cleared before it is zeroed: whatever races, data that
 * is there is never told to be none.
 */
#define MEM_UNIT_SHIFT 9
#define MEM_WORD_SHIFT (MEM_UNIT_SHIFT + 6)     /* bytes of 64 bits */

struct mem_backend {
    struct envme_backend be;
    uint8_t *mem;
    uint64_t size;
    bool owned;
    bool read_only;
    /* Giving memory back: NULL when it can't be. */
    int (*discard)(void *opaque, uint64_t offset, uint64_t bytes);
    void *discard_opaque;
    uint64_t page;
    _Atomic uint64_t *written;  /* NULL: not known, all counts as written */
};

static struct mem_backend *mem_of(struct envme_backend *be)
{
    return (void *)((char *)be - offsetof(struct mem_backend, be));
}

/* ---- what has been written --------------------------------------------- */

/* Of the units from..to-1, those of word w. */
static uint64_t mem_mask(uint64_t w, uint64_t from, uint64_t to)
{
    uint64_t lo = ENVME_MAX(from, w * 64), hi = ENVME_MIN(to, w * 64 + 64);

    return UINT64_MAX >> (64 - (hi - lo)) << (lo - w * 64);
}

/* All units that the bytes touch. */
static void mem_mark(struct mem_backend *m, uint64_t offset, uint64_t bytes)
{
    uint64_t from = offset >> MEM_UNIT_SHIFT;
    uint64_t to = ((offset + bytes - 1) >> MEM_UNIT_SHIFT) + 1;

    if (!m->written) {
        return;
    }
    for (uint64_t w = from / 64; w <= (to - 1) / 64; w++) {
        uint64_t mask = mem_mask(w, from, to);

        if (mask & ~atomic_load_explicit(&m->written[w],
                                         memory_order_relaxed)) {
            atomic_fetch_or(&m->written[w], mask);
        }
    }
}

/* The units that lie within the bytes. */
static void mem_unmark(struct mem_backend *m, uint64_t offset, uint64_t bytes)
{
    uint64_t unit = 1u << MEM_UNIT_SHIFT;
    uint64_t from = (offset + unit - 1) >> MEM_UNIT_SHIFT;
    uint64_t to = (offset + bytes) >> MEM_UNIT_SHIFT;

    if (!m->written || from >= to) {
        return;
    }
    for (uint64_t w = from / 64; w <= (to - 1) / 64; w++) {
        uint64_t mask = mem_mask(w, from, to);

        if (mask & atomic_load_explicit(&m->written[w],
                                        memory_order_relaxed)) {
            atomic_fetch_and(&m->written[w], ~mask);
        }
    }
}

/* From that unit on, how many are alike; at most `most`, which is not 0. */
static uint64_t mem_alike(const struct mem_backend *m, uint64_t unit,
                          uint64_t most, bool *hole)
{
    uint64_t at = unit, end = unit + most;

    *hole = !(atomic_load(&m->written[unit / 64]) >> unit % 64 & 1);
    while (at < end) {
        uint64_t v = atomic_load(&m->written[at / 64]);
        uint64_t other = (*hole ? v : ~v) >> at % 64;

        if (other) {
            at += __builtin_ctzll(other);
            break;
        }
        at = (at / 64 + 1) * 64;
    }
    /* It may have become the other kind at once. */
    return ENVME_MAX(ENVME_MIN(at, end) - unit, 1);
}

static void mem_status(const struct mem_backend *m, struct envme_bio *bio)
{
    uint64_t unit = bio->offset >> MEM_UNIT_SHIFT;
    uint64_t last = (bio->offset + bio->bytes - 1) >> MEM_UNIT_SHIFT;
    uint64_t n, end;

    bio->hole = false;
    bio->same = bio->bytes;
    if (m->written) {
        n = mem_alike(m, unit, last - unit + 1, &bio->hole);
        end = (unit + n) << MEM_UNIT_SHIFT;
        bio->same = ENVME_MIN(end - bio->offset, bio->bytes);
    }
}

/* ---- requests ---------------------------------------------------------- */

/*
 * Hosts may race with themselves over the medium, so these two are known to
 * tests/host/tsan.supp. memmove: a host may well name this very memory as its
 * buffer.
 */
static void mem_move(void *to, const void *from, size_t len)
{
    memmove(to, from, len);
}

static void mem_wipe(void *at, size_t len)
{
    memset(at, 0, len);
}

static int mem_copy(struct mem_backend *m, struct envme_bio *bio)
{
    uint8_t *p = m->mem + bio->offset;
    uint64_t left = bio->bytes;

    for (int i = 0; i < bio->niov; i++) {
        const struct iovec *v = &bio->iov[i];

        if (v->iov_len > left) {
            return -EINVAL;
        }
        left -= v->iov_len;
    }
    if (left) {
        return -EINVAL;
    }
    for (int i = 0; i < bio->niov; i++) {
        const struct iovec *v = &bio->iov[i];

        if (!v->iov_len) {
            continue;
        }
        if (bio->op == ENVME_BIO_READ) {
            mem_move(v->iov_base, p, v->iov_len);
        } else {
            mem_move(p, v->iov_base, v->iov_len);
        }
        p += v->iov_len;
    }
    if (bio->op == ENVME_BIO_WRITE) {
        mem_mark(m, bio->offset, bio->bytes);
    }
    return 0;
}

/*
 * Zeroes, by giving back the whole pages in between if that is possible. A
 * discard that can't give them back does nothing: zeroing a large one by hand
 * would take the memory that it was to free.
 */
static int mem_zero(struct mem_backend *m, const struct envme_bio *bio)
{
    uint64_t offset = bio->offset, end = offset + bio->bytes;
    bool hint = bio->op == ENVME_BIO_DISCARD;
    bool unmap = m->discard && (hint || (bio->flags & ENVME_BIO_MAY_UNMAP));

    if (unmap && !hint) {
        /* A hint may be ignored, below. */
        mem_unmark(m, offset, bio->bytes);
    }
    if (unmap) {
        uint64_t mask = m->page - 1;
        uint64_t from = offset & mask ? (offset | mask) + 1 : offset;
        uint64_t to = end & ~mask;

        if (from < to) {
            int err = m->discard(m->discard_opaque, from, to - from);

            if (!err) {
                mem_wipe(m->mem + offset, from - offset);
                mem_wipe(m->mem + to, end - to);
                return 0;
            }
            if (hint) {
                return 0;
            }
        }
    }
    mem_wipe(m->mem + offset, bio->bytes);
    if (!unmap) {
        mem_mark(m, offset, bio->bytes);
    }
    return 0;
}

static int mem_submit(struct envme_backend *be, struct envme_bio *bio)
{
    struct mem_backend *m = mem_of(be);

    if (bio->op == ENVME_BIO_FLUSH) {
        return 0;
    }
    if (bio->bytes > m->size || bio->offset > m->size - bio->bytes) {
        return -EIO;
    }
    if (!bio->bytes) {
        return 0;
    }
    if (bio->op == ENVME_BIO_STATUS) {
        mem_status(m, bio);
        return 0;
    }
    if (bio->op != ENVME_BIO_READ && m->read_only) {
        return -EROFS;
    }
    switch (bio->op) {
    case ENVME_BIO_READ:
    case ENVME_BIO_WRITE:
        return mem_copy(m, bio);
    case ENVME_BIO_WRITE_ZEROES:
        return mem_zero(m, bio);
    case ENVME_BIO_DISCARD:
        return m->discard ? mem_zero(m, bio) : 0;
    default:
        return -ENOTSUP;
    }
}

static void mem_geometry(struct envme_backend *be, struct envme_geometry *geo)
{
    struct mem_backend *m = mem_of(be);

    *geo = (struct envme_geometry){
        .size = m->size,
        .align = 1,
        .read_only = m->read_only,
        .discard = m->discard && !m->read_only,
        .status = m->written,
        .granularity = m->discard ? m->page : 0,
    };
}

/* A mapping, too: of a large memory, only what is used takes any. */
static size_t mem_written_bytes(const struct mem_backend *m)
{
    return ((m->size - 1) >> MEM_WORD_SHIFT) * sizeof(*m->written) +
           sizeof(*m->written);
}

static void mem_forget(struct mem_backend *m)
{
    if (m->written) {
        munmap((void *)m->written, mem_written_bytes(m));
        m->written = NULL;
    }
}

static void mem_close(struct envme_backend *be)
{
    struct mem_backend *m = mem_of(be);

    if (m->owned && m->mem) {
        munmap(m->mem, m->size);
    }
    mem_forget(m);
    g_free(m);
}

/* A block of 512 bytes; where more is wanted the processor goes on by itself. */
static void mem_expect(struct envme_backend *be, uint64_t offset)
{
    const struct mem_backend *m = mem_of(be);

    if (offset >= m->size) {
        return;
    }
    for (unsigned i = 0; i < 512; i += 64) {
        __builtin_prefetch(m->mem + offset + i);
    }
}

static const struct envme_backend_ops mem_ops = {
    .name = "mem",
    .expect = mem_expect,
    .submit = mem_submit,
    .geometry = mem_geometry,
    .close = mem_close,
};

static int mem_discard_owned(void *opaque, uint64_t offset, uint64_t bytes)
{
    struct mem_backend *m = opaque;

    return madvise(m->mem + offset, bytes, MADV_DONTNEED) ? -errno : 0;
}

void envme_backend_mem_track(struct envme_backend *be)
{
    struct mem_backend *m = mem_of(be);
    void *p;

    if (!m->size || m->written) {
        return;
    }
    p = mmap(NULL, mem_written_bytes(m), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    /* Without it, nothing is told to be deallocated. */
    m->written = p == MAP_FAILED ? NULL : p;
}

void envme_backend_mem_mark(struct envme_backend *be, uint64_t offset,
                            uint64_t bytes)
{
    if (bytes) {
        mem_mark(mem_of(be), offset, bytes);
    }
}

struct envme_backend *envme_backend_mem_new(void *mem, uint64_t size,
                                            bool owned, bool read_only)
{
    bool fresh = !mem;
    struct mem_backend *m;

    assert(mem || owned || !size);
    if (size > SIZE_MAX) {
        return NULL;
    }
    if (!mem && size) {
        mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mem == MAP_FAILED) {
            return NULL;
        }
    }
    m = g_new0(struct mem_backend, 1);
    m->be.ops = &mem_ops;
    m->mem = mem;
    m->size = size;
    m->owned = owned;
    m->read_only = read_only;
    if (owned) {
        m->page = sysconf(_SC_PAGESIZE);
        m->discard = mem_discard_owned;
        m->discard_opaque = m;
    }
    if (fresh) {
        envme_backend_mem_track(&m->be);
    }
    return &m->be;
}

void envme_backend_mem_set_discard(struct envme_backend *be, uint64_t page,
                                   int (*fn)(void *opaque, uint64_t offset,
                                             uint64_t bytes),
                                   void *opaque)
{
    struct mem_backend *m = mem_of(be);

    assert(ENVME_IS_POW2(page));
    m->page = page;
    m->discard = fn;
    m->discard_opaque = opaque;
}
