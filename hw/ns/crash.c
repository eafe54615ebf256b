/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/crash.h"

#include <string.h>

#include "envme/bytes.h"
#include "hw/core/trigger.h"

/* Below this many units all choices are looked at, to find what there is. */
#define CRASH_FEW 10
#define CRASH_NEVER UINT_MAX    /* unit of what is always lost */
#define CRASH_ALWAYS (UINT_MAX - 1)

/* A part of a request that is kept or lost as a whole. */
struct crash_part {
    unsigned rec, unit;
    uint64_t start, end;
};

struct envme_crash {
    struct envme_crash_rec *rec;
    struct envme_crash_zone *zone;
    unsigned nrec, nzone;
    struct envme_crash_opts opts;
    GArray *part;               /* struct crash_part, oldest first */
    unsigned nunits;
    /* Every place where a part begins or ends, ascending. */
    uint64_t *edge;
    unsigned nedge;
};

/* ---- from requests to units -------------------------------------------- */

static const struct envme_crash_zone *crash_zone(const struct envme_crash *c,
                                                 uint64_t offset, bool *is_md)
{
    for (unsigned i = 0; i < c->nzone; i++) {
        const struct envme_crash_zone *z = &c->zone[i];

        *is_md = false;
        if (offset >= z->offset && offset - z->offset < z->bytes) {
            return z;
        }
        *is_md = true;
        if (z->block && z->ms && offset >= z->moff &&
            offset - z->moff < z->bytes / z->block * z->ms) {
            return z;
        }
    }
    return NULL;
}

static bool crash_crosses(const struct envme_crash_zone *z, uint64_t start,
                          uint64_t end)
{
    uint64_t a = start - z->offset, b = end - 1 - z->offset;

    if (!z->boundary) {
        return false;
    }
    /* What lies before the first boundary is one stretch. */
    a = a < z->boundary_at ? 0 : 1 + (a - z->boundary_at) / z->boundary;
    b = b < z->boundary_at ? 0 : 1 + (b - z->boundary_at) / z->boundary;
    return a != b;
}

/* The requests of one write: is it torn block by block? */
static bool crash_is_torn(const struct envme_crash *c, const GArray *recs)
{
    const struct envme_crash_zone *zone = NULL;
    uint64_t start = UINT64_MAX, end = 0;

    for (unsigned i = 0; i < recs->len; i++) {
        const struct envme_crash_rec *r =
            &c->rec[g_array_index(recs, unsigned, i)];
        bool is_md;
        const struct envme_crash_zone *z = crash_zone(c, r->offset, &is_md);

        if (!z || !z->block || (zone && z != zone)) {
            return false;
        }
        zone = z;
        if (!is_md) {
            start = ENVME_MIN(start, r->offset);
            end = ENVME_MAX(end, r->offset + r->bytes);
        }
    }
    return c->opts.tear && end > start &&
           (end - start > zone->atomic || crash_crosses(zone, start, end));
}

static void crash_add(struct envme_crash *c, unsigned rec, unsigned unit,
                      uint64_t start, uint64_t end)
{
    struct crash_part p = { rec, unit, start, end };

    g_array_append_val(c->part, p);
}

/* Every stretch of step bytes, aligned to it, is a unit of its own. */
static void crash_chop(struct envme_crash *c, unsigned rec, uint64_t step)
{
    const struct envme_crash_rec *r = &c->rec[rec];
    uint64_t at = r->offset, end = r->offset + r->bytes;

    while (at < end) {
        uint64_t to = ENVME_MIN(end, at - at % step + step);

        crash_add(c, rec, c->nunits++, at, to);
        at = to;
    }
}

/* Block by block, metadata with its block: units by block number. */
static void crash_tear(struct envme_crash *c, const GArray *recs)
{
    GHashTable *units = g_hash_table_new_full(g_int64_hash, g_int64_equal,
                                              g_free, NULL);

    for (unsigned i = 0; i < recs->len; i++) {
        unsigned rec = g_array_index(recs, unsigned, i);
        const struct envme_crash_rec *r = &c->rec[rec];
        bool is_md;
        const struct envme_crash_zone *z = crash_zone(c, r->offset, &is_md);
        uint64_t base = is_md ? z->moff : z->offset;
        uint64_t step = is_md ? z->ms : z->block;
        uint64_t at = r->offset, end = r->offset + r->bytes;

        while (at < end) {
            uint64_t block = (at - base) / step;
            uint64_t to = ENVME_MIN(end, base + (block + 1) * step);
            gpointer unit;

            if (!g_hash_table_lookup_extended(units, &block, NULL, &unit)) {
                unit = GUINT_TO_POINTER(c->nunits++);
                g_hash_table_insert(units, g_memdup2(&block, sizeof(block)),
                                    unit);
            }
            crash_add(c, rec, GPOINTER_TO_UINT(unit), at, to);
            at = to;
        }
    }
    g_hash_table_unref(units);
}

static void crash_whole(struct envme_crash *c, const GArray *recs,
                        unsigned unit)
{
    for (unsigned i = 0; i < recs->len; i++) {
        unsigned rec = g_array_index(recs, unsigned, i);
        const struct envme_crash_rec *r = &c->rec[rec];

        crash_add(c, rec, unit, r->offset, r->offset + r->bytes);
    }
}

static void crash_group(struct envme_crash *c, const GArray *recs)
{
    const struct envme_crash_rec *first =
        &c->rec[g_array_index(recs, unsigned, 0)];
    bool is_open = false;

    for (unsigned i = 0; i < recs->len; i++) {
        is_open |= c->rec[g_array_index(recs, unsigned, i)].open;
    }
    if (first->pinned) {
        crash_whole(c, recs, CRASH_ALWAYS);
    } else if (c->opts.tear_size) {
        for (unsigned i = 0; i < recs->len; i++) {
            crash_chop(c, g_array_index(recs, unsigned, i),
                       c->opts.tear_size);
        }
    } else if (is_open) {
        crash_whole(c, recs, CRASH_NEVER);
    } else if (crash_is_torn(c, recs)) {
        crash_tear(c, recs);
    } else {
        crash_whole(c, recs, c->nunits++);
    }
}

static int crash_part_cmp(gconstpointer a, gconstpointer b)
{
    const struct crash_part *x = a, *y = b;

    if (x->rec != y->rec) {
        return x->rec < y->rec ? -1 : 1;
    }
    return x->start < y->start ? -1 : x->start > y->start;
}

static void crash_groups(struct envme_crash *c)
{
    GHashTable *groups = g_hash_table_new_full(
        g_int64_hash, g_int64_equal, NULL, (GDestroyNotify)g_array_unref);
    GPtrArray *order = g_ptr_array_new();

    for (unsigned i = 0; i < c->nrec; i++) {
        GArray *recs = g_hash_table_lookup(groups, &c->rec[i].group);

        if (!recs) {
            recs = g_array_new(FALSE, FALSE, sizeof(unsigned));
            g_hash_table_insert(groups, &c->rec[i].group, recs);
            g_ptr_array_add(order, recs);
        }
        g_array_append_val(recs, i);
    }
    for (unsigned i = 0; i < order->len; i++) {
        crash_group(c, order->pdata[i]);
    }
    g_ptr_array_unref(order);
    g_hash_table_unref(groups);
    g_array_sort(c->part, crash_part_cmp);
}

/* ---- made and freed ---------------------------------------------------- */

static int crash_edge_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void crash_edges(struct envme_crash *c)
{
    unsigned n = 0;

    c->edge = g_new(uint64_t, 2 * (size_t)c->part->len + 1);
    for (unsigned i = 0; i < c->part->len; i++) {
        const struct crash_part *p = &g_array_index(c->part,
                                                    struct crash_part, i);

        c->edge[n++] = p->start;
        c->edge[n++] = p->end;
    }
    qsort(c->edge, n, sizeof(c->edge[0]), crash_edge_cmp);
    for (unsigned i = 0; i < n; i++) {
        if (!i || c->edge[i] != c->edge[i - 1]) {
            c->edge[c->nedge++] = c->edge[i];
        }
    }
}

struct envme_crash *envme_crash_new(const struct envme_crash_rec *recs,
                                    unsigned n,
                                    const struct envme_crash_zone *zones,
                                    unsigned nzones,
                                    const struct envme_crash_opts *opts)
{
    struct envme_crash *c = g_new0(struct envme_crash, 1);

    c->rec = g_memdup2(recs, n * sizeof(recs[0]));
    c->nrec = n;
    c->zone = g_memdup2(zones, nzones * sizeof(zones[0]));
    c->nzone = nzones;
    c->opts = *opts;
    c->part = g_array_new(FALSE, FALSE, sizeof(struct crash_part));
    crash_groups(c);
    crash_edges(c);
    return c;
}

void envme_crash_free(struct envme_crash *c)
{
    if (c) {
        g_array_unref(c->part);
        g_free(c->edge);
        g_free(c->rec);
        g_free(c->zone);
        g_free(c);
    }
}

unsigned envme_crash_units(const struct envme_crash *c)
{
    return c->nunits;
}

/* ---- outcomes ---------------------------------------------------------- */

static bool crash_is_kept(const struct crash_part *p, const uint8_t *kept)
{
    return p->unit == CRASH_ALWAYS ||
           (p->unit != CRASH_NEVER && kept[p->unit]);
}

static unsigned crash_edge_of(const struct envme_crash *c, uint64_t at)
{
    const uint64_t *e = bsearch(&at, c->edge, c->nedge, sizeof(at),
                                crash_edge_cmp);

    return e - c->edge;
}

/* The first stretch from i on that nobody has painted. */
static unsigned crash_free(unsigned *next, unsigned i)
{
    while (next[i] != i) {
        next[i] = next[next[i]];
        i = next[i];
    }
    return i;
}

/* For each stretch between edges whose it is: record + 1, or 0. The latest
 * comes first and takes what it covers. */
static unsigned *crash_paint(const struct envme_crash *c, const uint8_t *kept)
{
    unsigned *owner = g_new0(unsigned, c->nedge + 1);
    unsigned *next = g_new(unsigned, c->nedge + 1);

    for (unsigned i = 0; i <= c->nedge; i++) {
        next[i] = i;
    }
    for (unsigned k = c->part->len; k--; ) {
        const struct crash_part *p = &g_array_index(c->part,
                                                    struct crash_part, k);
        unsigned end;

        if (!crash_is_kept(p, kept)) {
            continue;
        }
        end = crash_edge_of(c, p->end);
        for (unsigned i = crash_free(next, crash_edge_of(c, p->start));
             i < end; i = crash_free(next, i)) {
            owner[i] = p->rec + 1;
            next[i] = i + 1;
        }
    }
    g_free(next);
    return owner;
}

GArray *envme_crash_outcome(const struct envme_crash *c, const uint8_t *kept)
{
    GArray *out = g_array_new(FALSE, FALSE, sizeof(struct envme_crash_piece));
    unsigned *owner = crash_paint(c, kept);
    struct envme_crash_piece *last = NULL;

    for (unsigned i = 0; i + 1 < c->nedge; i++) {
        struct envme_crash_piece p = {
            owner[i] - 1, c->edge[i], c->edge[i + 1] - c->edge[i],
        };

        if (!owner[i]) {
            continue;
        }
        if (last && last->rec == p.rec &&
            last->offset + last->bytes == p.offset) {
            last->bytes += p.bytes;
            continue;
        }
        g_array_append_val(out, p);
        last = &g_array_index(out, struct envme_crash_piece, out->len - 1);
    }
    g_free(owner);
    return out;
}

/* ---- choices ----------------------------------------------------------- */

/*
 * What drives do, and what finds most: the cache was written in order up to
 * somewhere; nearly all of it, or hardly any; any mix.
 */
static void crash_random(uint8_t *kept, unsigned n, uint64_t *rng)
{
    unsigned kind = envme_rng_below(rng, 4);
    unsigned at = n ? envme_rng_below(rng, n + 1) : 0;
    double p = envme_rng_unit(rng);

    for (unsigned i = 0; i < n; i++) {
        switch (kind) {
        case 0:
            kept[i] = i < at;
            break;
        case 1:
            kept[i] = envme_rng_below(rng, n) >= 2;
            break;
        case 2:
            kept[i] = envme_rng_below(rng, n) < 2;
            break;
        default:
            kept[i] = envme_rng_unit(rng) < p;
            break;
        }
    }
}

uint8_t *envme_crash_choose(const struct envme_crash *c,
                            enum envme_crash_lose lose, uint64_t seed)
{
    uint8_t *kept = g_malloc0(c->nunits + 1);

    if (lose == ENVME_CRASH_LOSE_RANDOM) {
        crash_random(kept, c->nunits, &seed);
    } else if (lose == ENVME_CRASH_LOSE_NONE) {
        memset(kept, 1, c->nunits);
    }
    return kept;
}

/* Adds the choice, which it takes, if its outcome is a new one. */
static void crash_offer(const struct envme_crash *c, GPtrArray *list,
                        GHashTable *seen, uint8_t *kept)
{
    unsigned *owner = crash_paint(c, kept);
    GBytes *key = g_bytes_new_take(owner, (c->nedge + 1) * sizeof(*owner));
    char *sum = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, key);

    g_bytes_unref(key);
    if (g_hash_table_add(seen, sum)) {
        g_ptr_array_add(list, kept);
    } else {
        g_free(kept);
    }
}

/* All there are; then n of them, the first two at their places. */
static void crash_all(const struct envme_crash *c, GPtrArray *list,
                      GHashTable *seen, unsigned n, uint64_t *rng)
{
    for (unsigned mask = 1; mask + 1 < 1u << c->nunits; mask++) {
        uint8_t *kept = g_malloc0(c->nunits + 1);

        for (unsigned i = 0; i < c->nunits; i++) {
            kept[i] = mask >> i & 1;
        }
        crash_offer(c, list, seen, kept);
    }
    for (unsigned i = 2; i < n && i < list->len; i++) {
        unsigned k = i + envme_rng_below(rng, list->len - i);
        gpointer swap = list->pdata[i];

        list->pdata[i] = list->pdata[k];
        list->pdata[k] = swap;
    }
    if (list->len > n) {
        g_ptr_array_set_size(list, n);
    }
}

GPtrArray *envme_crash_enumerate(const struct envme_crash *c, unsigned n,
                                 uint64_t seed)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                             NULL);

    if (n > 0) {
        crash_offer(c, list, seen,
                    envme_crash_choose(c, ENVME_CRASH_LOSE_UNFLUSHED, 0));
    }
    if (n > 1) {
        crash_offer(c, list, seen,
                    envme_crash_choose(c, ENVME_CRASH_LOSE_NONE, 0));
    }
    if (n > 2 && c->nunits <= CRASH_FEW) {
        crash_all(c, list, seen, n, &seed);
    } else {
        /* A bound, because nobody knows how many outcomes there are. */
        for (uint64_t tries = 0; list->len < n && tries < 64ull * n;
             tries++) {
            uint8_t *kept = g_malloc0(c->nunits + 1);

            crash_random(kept, c->nunits, &seed);
            crash_offer(c, list, seen, kept);
        }
    }
    g_hash_table_unref(seen);
    return list;
}
