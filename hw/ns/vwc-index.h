/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in a volatile write cache (vwc.c), by age and by place. Its owner
 * brings the lock.
 */
#ifndef ENVME_NS_VWC_INDEX_H
#define ENVME_NS_VWC_INDEX_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What a request weighs without its data. */
#define ENVME_VWC_WEIGHT 512

/* A request in the cache. Counted under the lock. */
struct envme_vwc_item {
    unsigned ref;
    uint64_t seq, group;
    uint64_t offset, bytes;
    unsigned flags;             /* of a write of zeroes */
    bool pinned;                /* power was lost since, and it was kept */
    bool in_cache;
    uint8_t *data;              /* NULL: zeroes */
    GList link;                 /* vwc.recs */
};

struct envme_vwc_index {
    GQueue recs;                /* oldest first */
    GHashTable *chunks;         /* number -> GPtrArray of the items in it */
    GPtrArray *wide;            /* those over many chunks */
    uint64_t bytes;             /* of memory, by weight */
    uint64_t unflushed, seq;    /* bytes that they are of */
};

void envme_vwc_index_init(struct envme_vwc_index *v);
/* Forgets all that is in it. */
void envme_vwc_index_fini(struct envme_vwc_index *v);

void envme_vwc_unref(struct envme_vwc_item *r);
uint64_t envme_vwc_weight(const struct envme_vwc_item *r);
bool envme_vwc_overlaps(const struct envme_vwc_item *r, uint64_t offset,
                        uint64_t bytes);
/* As the newest; counts it once more. */
void envme_vwc_add(struct envme_vwc_index *v, struct envme_vwc_item *r);
/* Nothing if it is not there any more. */
void envme_vwc_remove(struct envme_vwc_index *v, struct envme_vwc_item *r);

/* What overlaps, oldest first, each once. Not counted. May be empty. */
GPtrArray *envme_vwc_find(struct envme_vwc_index *v, uint64_t offset,
                          uint64_t bytes);
/*
 * What overlaps, and what older overlaps that, and so on: these are written in
 * their order, so that nothing old comes on top later.
 */
GPtrArray *envme_vwc_closure(struct envme_vwc_index *v, uint64_t offset,
                             uint64_t bytes);
/* Counts each once more. */
void envme_vwc_count(GPtrArray *items);

#endif
