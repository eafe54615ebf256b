/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/pool.h"

#include <glib.h>

/* Where a piece starts if that costs nothing: media are fastest so. */
#define POOL_NICE 4096u

struct pool_span {
    uint64_t from, to;
};

struct pool_member {
    void *id;
    uint64_t size;
    bool usable;
    GArray *taken;              /* struct pool_span, ascending, disjoint */
};

struct envme_pool {
    GPtrArray *members;         /* struct pool_member, as they came */
};

static void pool_member_free(void *opaque)
{
    struct pool_member *m = opaque;

    g_array_free(m->taken, TRUE);
    g_free(m);
}

struct envme_pool *envme_pool_new(void)
{
    struct envme_pool *p = g_new(struct envme_pool, 1);

    p->members = g_ptr_array_new_with_free_func(pool_member_free);
    return p;
}

void envme_pool_free(struct envme_pool *p)
{
    g_ptr_array_free(p->members, TRUE);
    g_free(p);
}

/* ---- members ----------------------------------------------------------- */

static struct pool_member *pool_find(const struct envme_pool *p,
                                     const void *member)
{
    for (unsigned i = 0; i < p->members->len; i++) {
        struct pool_member *m = p->members->pdata[i];

        if (m->id == member) {
            return m;
        }
    }
    return NULL;
}

void envme_pool_add(struct envme_pool *p, void *member, uint64_t size)
{
    struct pool_member *m = g_new(struct pool_member, 1);

    g_assert(!pool_find(p, member));
    *m = (struct pool_member){
        .id = member, .size = size, .usable = true,
        .taken = g_array_new(FALSE, FALSE, sizeof(struct pool_span)),
    };
    g_ptr_array_add(p->members, m);
}

void envme_pool_remove(struct envme_pool *p, void *member)
{
    struct pool_member *m = pool_find(p, member);

    g_assert(m && !m->taken->len);
    g_ptr_array_remove(p->members, m);
}

bool envme_pool_has(const struct envme_pool *p, const void *member)
{
    return pool_find(p, member);
}

void envme_pool_set_usable(struct envme_pool *p, void *member, bool usable)
{
    pool_find(p, member)->usable = usable;
}

void envme_pool_resize(struct envme_pool *p, void *member, uint64_t size)
{
    pool_find(p, member)->size = size;
}

/* ---- spans ------------------------------------------------------------- */

static struct pool_span *pool_span(const struct pool_member *m, unsigned i)
{
    return &g_array_index(m->taken, struct pool_span, i);
}

/* The i-th hole: what is before the i-th span, or after the last one. */
static struct pool_span pool_hole(const struct pool_member *m, unsigned i)
{
    struct pool_span h = {
        .from = i ? pool_span(m, i - 1)->to : 0,
        .to = i < m->taken->len ? pool_span(m, i)->from : m->size,
    };

    h.to = MIN(h.to, m->size);
    h.from = MIN(h.from, h.to);
    return h;
}

bool envme_pool_take(struct envme_pool *p, const struct envme_extent *e)
{
    struct pool_member *m = pool_find(p, e->member);
    struct pool_span s = { e->offset, e->offset + e->len };

    if (!e->len || s.to < s.from) {
        return false;
    }
    for (unsigned i = 0; i <= m->taken->len; i++) {
        struct pool_span h = pool_hole(m, i);

        if (s.from >= h.from && s.to <= h.to) {
            g_array_insert_val(m->taken, i, s);
            return true;
        }
    }
    return false;
}

void envme_pool_give(struct envme_pool *p, const struct envme_extent *ext,
                     unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        struct pool_member *m = pool_find(p, ext[k].member);
        bool found = false;

        for (unsigned i = 0; i < m->taken->len && !found; i++) {
            struct pool_span *s = pool_span(m, i);

            if (s->from == ext[k].offset && s->to - s->from == ext[k].len) {
                g_array_remove_index(m->taken, i);
                found = true;
            }
        }
        g_assert(found);
    }
}

/* ---- carving ----------------------------------------------------------- */

/* What of a hole can be had with that alignment; empty: from == to. */
static struct pool_span pool_trim(struct pool_span h, uint64_t start,
                                  uint64_t align)
{
    uint64_t skip = (start - h.from % start) % start;
    struct pool_span s = { h.from + skip, h.to - h.to % align };

    if (skip > h.to - h.from || s.from >= s.to) {
        s.to = s.from;
    }
    return s;
}

static bool pool_carve_one(struct envme_pool *p, uint64_t len, uint64_t start,
                           uint64_t align, struct envme_extent *e)
{
    for (unsigned k = 0; k < p->members->len; k++) {
        struct pool_member *m = p->members->pdata[k];

        for (unsigned i = 0; m->usable && i <= m->taken->len; i++) {
            struct pool_span s = pool_trim(pool_hole(m, i), start, align);

            if (s.to - s.from >= len) {
                *e = (struct envme_extent){ m->id, s.from, len };
                return true;
            }
        }
    }
    return false;
}

/* From the start, whatever there is, until it is enough. */
static GArray *pool_carve_many(struct envme_pool *p, uint64_t len,
                               uint64_t align)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(struct envme_extent));

    for (unsigned k = 0; k < p->members->len && len; k++) {
        struct pool_member *m = p->members->pdata[k];

        for (unsigned i = 0; m->usable && i <= m->taken->len && len; i++) {
            struct pool_span s = pool_trim(pool_hole(m, i), align, align);
            struct envme_extent e = { m->id, s.from,
                                      MIN(s.to - s.from, len) };

            if (e.len) {
                g_array_append_val(list, e);
                len -= e.len;
            }
        }
    }
    if (len) {
        g_array_set_size(list, 0);
    }
    return list;
}

unsigned envme_pool_carve(struct envme_pool *p, uint64_t len, uint32_t align,
                          struct envme_extent **ext)
{
    struct envme_extent one;
    GArray *list;
    unsigned n = 1;

    g_assert(len && align && len % align == 0);
    if (pool_carve_one(p, len, MAX(align, POOL_NICE), align, &one) ||
        pool_carve_one(p, len, align, align, &one)) {
        *ext = g_memdup2(&one, sizeof(one));
    } else {
        list = pool_carve_many(p, len, align);
        n = list->len;
        *ext = (struct envme_extent *)g_array_free(list, n == 0);
    }
    for (unsigned i = 0; i < n; i++) {
        bool taken = envme_pool_take(p, &(*ext)[i]);

        g_assert(taken);
    }
    return n;
}

/* ---- sums -------------------------------------------------------------- */

static uint64_t pool_holes(const struct pool_member *m)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i <= m->taken->len; i++) {
        struct pool_span h = pool_hole(m, i);

        sum += h.to - h.from;
    }
    return sum;
}

uint64_t envme_pool_unused(const struct envme_pool *p)
{
    uint64_t sum = 0;

    for (unsigned k = 0; k < p->members->len; k++) {
        struct pool_member *m = p->members->pdata[k];

        sum += m->usable ? pool_holes(m) : 0;
    }
    return sum;
}

uint64_t envme_pool_total(const struct envme_pool *p)
{
    uint64_t sum = envme_pool_unused(p);

    for (unsigned k = 0; k < p->members->len; k++) {
        struct pool_member *m = p->members->pdata[k];

        for (unsigned i = 0; i < m->taken->len; i++) {
            sum += pool_span(m, i)->to - pool_span(m, i)->from;
        }
    }
    return sum;
}
