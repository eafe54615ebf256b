/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/rangeset.h"

#include <glib.h>
#include <string.h>

void envme_rangeset_init(struct envme_rangeset *s, size_t max)
{
    *s = (struct envme_rangeset){ .max = max };
}

void envme_rangeset_fini(struct envme_rangeset *s)
{
    g_free(s->r);
    *s = (struct envme_rangeset){ .max = s->max };
}

void envme_rangeset_clear(struct envme_rangeset *s)
{
    envme_rangeset_fini(s);
}

/* The first interval whose end is beyond at. */
static size_t set_find(const struct envme_rangeset *s, uint64_t at)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->r[mid].end > at) {
            hi = mid;
        } else {
            lo = mid + 1;
        }
    }
    return lo;
}

/* Intervals from..to-1 are replaced by n at `with`. */
static bool set_replace(struct envme_rangeset *s, size_t from, size_t to,
                        const struct envme_range *with, size_t n)
{
    size_t total = s->n - (to - from) + n;

    if (total > s->max) {
        return false;
    }
    if (total > s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        struct envme_range *r = g_try_renew(struct envme_range, s->r, cap);

        if (!r) {
            return false;
        }
        s->r = r;
        s->cap = cap;
    }
    if (s->n > to) {
        memmove(&s->r[from + n], &s->r[to], (s->n - to) * sizeof(*s->r));
    }
    if (n) {
        memcpy(&s->r[from], with, n * sizeof(*with));
    }
    s->n = total;
    return true;
}

bool envme_rangeset_add(struct envme_rangeset *s, uint64_t start,
                        uint64_t count)
{
    struct envme_range r = { start, start + count };
    size_t from, to;

    if (!count) {
        return true;
    }
    /* Those that touch become part of it. */
    from = start ? set_find(s, start - 1) : 0;
    for (to = from; to < s->n && s->r[to].start <= r.end; to++) {
        if (s->r[to].start < r.start) {
            r.start = s->r[to].start;
        }
        if (s->r[to].end > r.end) {
            r.end = s->r[to].end;
        }
    }
    return set_replace(s, from, to, &r, 1);
}

bool envme_rangeset_remove(struct envme_rangeset *s, uint64_t start,
                           uint64_t count)
{
    uint64_t end = start + count;
    struct envme_range keep[2];
    size_t from = set_find(s, start), to, n = 0;

    for (to = from; to < s->n && s->r[to].start < end; to++) {
        if (s->r[to].start < start) {
            keep[n++] = (struct envme_range){ s->r[to].start, start };
        }
        if (s->r[to].end > end) {
            keep[n++] = (struct envme_range){ end, s->r[to].end };
        }
    }
    return !count || to == from || set_replace(s, from, to, keep, n);
}

void envme_rangeset_drop(struct envme_rangeset *s, uint64_t v)
{
    size_t i = set_find(s, v);

    if (i < s->n && s->r[i].start <= v) {
        set_replace(s, i, i + 1, NULL, 0);
    }
}

bool envme_rangeset_first(const struct envme_rangeset *s, uint64_t start,
                          uint64_t count, uint64_t *found)
{
    size_t i = set_find(s, start);

    if (!count || i == s->n || s->r[i].start >= start + count) {
        return false;
    }
    *found = s->r[i].start > start ? s->r[i].start : start;
    return true;
}

bool envme_rangeset_next(const struct envme_rangeset *s, uint64_t start,
                         struct envme_range *found)
{
    size_t i = set_find(s, start);

    if (i == s->n) {
        return false;
    }
    *found = s->r[i];
    if (found->start < start) {
        found->start = start;
    }
    return true;
}
