/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake host: data buffers in guest memory, and the PRPs or SGLs for them.
 */
#include "th-int.h"

static uint64_t buf_page(struct th_buf *b, unsigned own)
{
    uint64_t a;

    if (b->shape & own) {
        return th_own(b->h, b->h->page);
    }
    a = th_alloc_scattered(b->h);
    g_array_append_val(b->own, a);
    return a;
}

static uint64_t buf_pages(struct th_buf *b, uint64_t bytes)
{
    uint64_t a, i, one;

    if (b->shape & TH_OWN) {
        return th_own(b->h, bytes);
    }
    a = th_alloc(b->h, bytes);
    for (i = 0; i < bytes; i += b->h->page) {
        one = a + i;
        g_array_append_val(b->own, one);
    }
    return a;
}

static void buf_seg(struct th_buf *b, uint64_t addr, uint32_t len, bool bucket)
{
    struct th_seg s = { addr, len, bucket };

    g_array_append_val(b->segs, s);
}

/* PRP entries from the second page on, in lists that are chained. */
static uint64_t buf_prp_list(struct th_buf *b, const uint64_t *entry,
                             unsigned n)
{
    unsigned per = b->h->page / 8, room, i = 0;
    uint64_t head = 0, at = 0, list;

    while (i < n) {
        list = buf_page(b, TH_OWN_LISTS);
        /* Only the first list may begin inside a page. */
        if (!head && b->shape & TH_OFFSET) {
            list += 8 * th_random(b->h, per);
        }
        if (!head) {
            head = list;
        } else {
            th_mem_put64(b->h, at, list);
        }
        room = per - list % b->h->page / 8;
        for (; room && i < n; room--, list += 8) {
            if (room == 1 && n - i > 1) {
                at = list;
                break;
            }
            th_mem_put64(b->h, list, entry[i++]);
        }
    }
    return head;
}

static void buf_prp(struct th_buf *b)
{
    uint32_t page = b->h->page, off = 0, now;
    uint64_t left = b->len, addr, base = 0, mmio = 0, *entry;
    unsigned n, i;

    if (b->shape & TH_OFFSET) {
        off = 4 * th_random(b->h, page / 4);
    }
    n = (off + b->len + page - 1) / page;
    entry = g_new0(uint64_t, n + 1);
    if (b->shape & TH_MMIO) {
        g_assert(n * (uint64_t)page <= TH_MMIO_SIZE);
        mmio = TH_MMIO_BASE;
    } else if (b->shape & TH_CONTIG) {
        base = buf_pages(b, (uint64_t)n * page);
    }
    for (i = 0; i < n; i++) {
        if (mmio) {
            addr = mmio + i * (uint64_t)page;
        } else {
            addr = base ? base + i * (uint64_t)page
                        : buf_page(b, TH_OWN);
        }
        addr += i ? 0 : off;
        now = ENVME_MIN(left, page - addr % page);
        buf_seg(b, addr, now, false);
        entry[i] = addr;
        left -= now;
    }
    b->dptr.prp1 = le64(entry[0]);
    if (n == 2) {
        b->dptr.prp2 = le64(entry[1]);
    } else if (n > 2) {
        b->dptr.prp2 = le64(buf_prp_list(b, entry + 1, n - 1));
    }
    g_free(entry);
}

static struct envme_sgl_desc buf_desc(unsigned type, uint64_t addr,
                                      uint64_t len)
{
    return (struct envme_sgl_desc){
        .addr = le64(addr), .len = le32(len),
        .id = FIELD_SET(ENVME_SGL_TYPE, type),
    };
}

/* Segments of a random number of descriptors, from the last to the first. */
static void buf_sgl_segments(struct th_buf *b, struct envme_sgl_desc *d,
                             unsigned n)
{
    struct envme_sgl_desc next = { .id = 0 };
    bool last = true;
    unsigned take, count;
    uint64_t page, off;

    while (n || last) {
        take = 1 + th_random(b->h, ENVME_MIN(n, 100));
        take = ENVME_MIN(take, n);
        if (n > 4000) {
            take = 200;
        }
        count = take + !last;
        page = buf_page(b, TH_OWN_LISTS);
        off = 16 * th_random(b->h, (b->h->page - count * 16) / 16);
        memcpy(th_mem(b->h, page + off, count * 16), d + n - take, take * 16);
        if (!last) {
            memcpy(th_mem(b->h, page + off + take * 16, 16), &next, 16);
        }
        next = buf_desc(last ? ENVME_SGL_LAST_SEGMENT : ENVME_SGL_SEGMENT,
                        page + off, count * 16);
        n -= take;
        last = false;
    }
    b->dptr.sgl = next;
}

static void buf_sgl(struct th_buf *b)
{
    GArray *d = g_array_new(false, true, sizeof(struct envme_sgl_desc));
    uint64_t left = b->len, addr, len, room, mmio = TH_MMIO_BASE;
    struct envme_sgl_desc desc;

    while (left) {
        len = left;
        if (!(b->shape & TH_SGL_INLINE)) {
            len = 4 + 4 * th_random(b->h, 4096);
            len = MAX(len, b->len / 200 & ~3ull);
            len = ENVME_MIN(len, left);
        }
        if (b->shape & TH_BUCKET && th_random(b->h, 3) == 0) {
            desc = buf_desc(ENVME_SGL_BIT_BUCKET, 0, len);
            buf_seg(b, 0, len, true);
        } else {
            if (b->shape & TH_MMIO) {
                addr = mmio;
                mmio += len;
                g_assert(mmio <= TH_MMIO_BASE + TH_MMIO_SIZE);
            } else {
                room = (len / b->h->page + 1) * b->h->page;
                addr = buf_pages(b, room);
                addr += 4 * th_random(b->h, (room - len) / 4 + 1);
            }
            desc = buf_desc(ENVME_SGL_DATA, addr, len);
            buf_seg(b, addr, len, false);
        }
        g_array_append_val(d, desc);
        left -= len;
    }
    if (b->shape & TH_SGL_INLINE && d->len == 1) {
        b->dptr.sgl = g_array_index(d, struct envme_sgl_desc, 0);
    } else {
        buf_sgl_segments(b, (struct envme_sgl_desc *)d->data, d->len);
    }
    g_array_free(d, true);
    b->psdt = b->shape & TH_MPTR ? ENVME_PSDT_SGL_MPTR_SGL : ENVME_PSDT_SGL;
}

struct th_buf *th_buf_new(struct th *h, uint64_t len, unsigned shape)
{
    struct th_buf *b = g_new0(struct th_buf, 1);

    b->h = h;
    b->len = len;
    b->shape = shape;
    b->segs = g_array_new(false, true, sizeof(struct th_seg));
    b->own = g_array_new(false, true, sizeof(uint64_t));
    if (!len) {
        return b;
    }
    if (shape & TH_SGL) {
        buf_sgl(b);
    } else {
        buf_prp(b);
    }
    return b;
}

void th_buf_free(struct th_buf *b)
{
    unsigned i;

    for (i = 0; i < b->own->len; i++) {
        th_free_pages(b->h, g_array_index(b->own, uint64_t, i), b->h->page);
    }
    g_array_free(b->own, true);
    g_array_free(b->segs, true);
    g_free(b);
}

static void buf_copy(struct th_buf *b, uint8_t *data, int how)
{
    unsigned i;

    for (i = 0; i < b->segs->len; i++) {
        struct th_seg *s = &g_array_index(b->segs, struct th_seg, i);
        void *p = s->bucket ? NULL : th_mem(b->h, s->addr, s->len);

        if (p && how == 'p') {
            memcpy(p, data, s->len);
        } else if (p && how == 'g') {
            memcpy(data, p, s->len);
        } else if (p) {
            memset(p, *data, s->len);
            continue;
        }
        data += s->len;
    }
}

void th_buf_put(struct th_buf *b, const void *src)
{
    buf_copy(b, (uint8_t *)(uintptr_t)src, 'p');
}

void th_buf_get(struct th_buf *b, void *dst)
{
    buf_copy(b, dst, 'g');
}

void th_buf_fill(struct th_buf *b, uint8_t byte)
{
    unsigned i;

    for (i = 0; i < b->segs->len; i++) {
        struct th_seg *s = &g_array_index(b->segs, struct th_seg, i);

        if (!s->bucket) {
            memset(th_mem(b->h, s->addr, s->len), byte, s->len);
        }
    }
}

void th_buf_attach(struct th_buf *b, struct envme_sqe *sqe)
{
    sqe->dptr = b->dptr;
    sqe->flags &= (uint8_t)~ENVME_PSDT;
    sqe->flags |= (uint8_t)FIELD_SET(ENVME_PSDT, b->psdt);
}

/* ---- patterns ---------------------------------------------------------- */

static uint64_t pat_word(uint64_t seed, uint64_t i)
{
    uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15ull + i * 0xd1b54a32d192ed03ull;

    x ^= x >> 31;
    x *= 0x94d049bb133111ebull;
    return x ^ x >> 29;
}

void th_pattern(void *buf, size_t len, uint64_t seed)
{
    size_t i;
    uint64_t w;

    for (i = 0; i < len; i += 8) {
        w = pat_word(seed, i);
        memcpy((uint8_t *)buf + i, &w, ENVME_MIN(len - i, sizeof(w)));
    }
}

bool th_pattern_ok(const void *buf, size_t len, uint64_t seed)
{
    size_t i;
    uint64_t w;

    for (i = 0; i < len; i += 8) {
        w = pat_word(seed, i);
        if (memcmp((const uint8_t *)buf + i, &w,
                   ENVME_MIN(len - i, sizeof(w)))) {
            return false;
        }
    }
    return true;
}
