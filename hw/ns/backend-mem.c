/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/backend-mem.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "envme/bytes.h"

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
};

static struct mem_backend *mem_of(struct envme_backend *be)
{
    return (void *)((char *)be - offsetof(struct mem_backend, be));
}

/* memmove: a host may well name this very memory as its buffer. */
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
            memmove(v->iov_base, p, v->iov_len);
        } else {
            memmove(p, v->iov_base, v->iov_len);
        }
        p += v->iov_len;
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

    if (m->discard && (hint || (bio->flags & ENVME_BIO_MAY_UNMAP))) {
        uint64_t mask = m->page - 1;
        uint64_t from = offset & mask ? (offset | mask) + 1 : offset;
        uint64_t to = end & ~mask;

        if (from < to) {
            int err = m->discard(m->discard_opaque, from, to - from);

            if (!err) {
                memset(m->mem + offset, 0, from - offset);
                memset(m->mem + to, 0, end - to);
                return 0;
            }
            if (hint) {
                return 0;
            }
        }
    }
    memset(m->mem + offset, 0, bio->bytes);
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
    if (bio->op != ENVME_BIO_READ && m->read_only) {
        return -EROFS;
    }
    if (!bio->bytes) {
        return 0;
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
    };
}

static void mem_close(struct envme_backend *be)
{
    struct mem_backend *m = mem_of(be);

    if (m->owned && m->mem) {
        munmap(m->mem, m->size);
    }
    g_free(m);
}

static const struct envme_backend_ops mem_ops = {
    .name = "mem",
    .submit = mem_submit,
    .geometry = mem_geometry,
    .close = mem_close,
};

static int mem_discard_owned(void *opaque, uint64_t offset, uint64_t bytes)
{
    struct mem_backend *m = opaque;

    return madvise(m->mem + offset, bytes, MADV_DONTNEED) ? -errno : 0;
}

struct envme_backend *envme_backend_mem_new(void *mem, uint64_t size,
                                            bool owned, bool read_only)
{
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
