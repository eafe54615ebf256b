/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/vwc-index.h"

#include <string.h>

/* Requests are found by where they are: by chunk, or, if they are over many
 * chunks, one by one. */
#define VWC_CHUNK   (UINT64_C(64) << 10)
#define VWC_CHUNKS  64

void envme_vwc_unref(struct envme_vwc_item *r)
{
    if (--r->ref == 0) {
        g_free(r->data);
        g_free(r);
    }
}

uint64_t envme_vwc_weight(const struct envme_vwc_item *r)
{
    return ENVME_VWC_WEIGHT + (r->data ? r->bytes : 0);
}

bool envme_vwc_overlaps(const struct envme_vwc_item *r, uint64_t offset,
                        uint64_t bytes)
{
    return r->offset < offset + bytes && offset < r->offset + r->bytes;
}

static bool rec_is_wide(const struct envme_vwc_item *r)
{
    return r->bytes > VWC_CHUNK * VWC_CHUNKS;
}

void envme_vwc_add(struct envme_vwc_index *v, struct envme_vwc_item *r)
{
    uint64_t chunk = r->offset / VWC_CHUNK;

    r->ref++;
    r->in_cache = true;
    r->seq = ++v->seq;
    r->link.data = r;
    g_queue_push_tail_link(&v->recs, &r->link);
    v->bytes += envme_vwc_weight(r);
    v->unflushed += r->bytes;
    if (rec_is_wide(r)) {
        g_ptr_array_add(v->wide, r);
        return;
    }
    for (; chunk * VWC_CHUNK < r->offset + r->bytes; chunk++) {
        GPtrArray *list = g_hash_table_lookup(v->chunks, &chunk);

        if (!list) {
            list = g_ptr_array_new();
            g_hash_table_insert(v->chunks, g_memdup2(&chunk, sizeof(chunk)),
                                list);
        }
        g_ptr_array_add(list, r);
    }
}

void envme_vwc_remove(struct envme_vwc_index *v, struct envme_vwc_item *r)
{
    uint64_t chunk = r->offset / VWC_CHUNK;

    if (!r->in_cache) {
        return;
    }
    r->in_cache = false;
    g_queue_unlink(&v->recs, &r->link);
    v->bytes -= envme_vwc_weight(r);
    v->unflushed -= r->bytes;
    if (rec_is_wide(r)) {
        g_ptr_array_remove(v->wide, r);
    }
    for (; !rec_is_wide(r) && chunk * VWC_CHUNK < r->offset + r->bytes;
         chunk++) {
        GPtrArray *list = g_hash_table_lookup(v->chunks, &chunk);

        g_ptr_array_remove(list, r);
        if (!list->len) {
            g_hash_table_remove(v->chunks, &chunk);
        }
    }
    envme_vwc_unref(r);
}

static int rec_cmp(gconstpointer a, gconstpointer b)
{
    const struct envme_vwc_item *x = *(struct envme_vwc_item *const *)a;
    const struct envme_vwc_item *y = *(struct envme_vwc_item *const *)b;

    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void found_add(GPtrArray *to, const GPtrArray *from, uint64_t offset,
                      uint64_t bytes)
{
    for (unsigned i = 0; from && i < from->len; i++) {
        struct envme_vwc_item *r = from->pdata[i];

        if (envme_vwc_overlaps(r, offset, bytes)) {
            g_ptr_array_add(to, r);
        }
    }
}

GPtrArray *envme_vwc_find(struct envme_vwc_index *v, uint64_t offset,
                          uint64_t bytes)
{
    GPtrArray *found = g_ptr_array_new();
    uint64_t chunk = offset / VWC_CHUNK;
    unsigned n = 0;

    if (bytes / VWC_CHUNK > g_hash_table_size(v->chunks)) {
        for (GList *l = v->recs.head; l; l = l->next) {
            if (envme_vwc_overlaps(l->data, offset, bytes)) {
                g_ptr_array_add(found, l->data);
            }
        }
        return found;
    }
    found_add(found, v->wide, offset, bytes);
    for (; chunk * VWC_CHUNK < offset + bytes; chunk++) {
        found_add(found, g_hash_table_lookup(v->chunks, &chunk), offset,
                  bytes);
    }
    g_ptr_array_sort(found, rec_cmp);
    for (unsigned i = 0; i < found->len; i++) {
        if (!n || found->pdata[n - 1] != found->pdata[i]) {
            found->pdata[n++] = found->pdata[i];
        }
    }
    g_ptr_array_set_size(found, n);
    return found;
}

void envme_vwc_count(GPtrArray *recs)
{
    for (unsigned i = 0; i < recs->len; i++) {
        ((struct envme_vwc_item *)recs->pdata[i])->ref++;
    }
}

GPtrArray *envme_vwc_closure(struct envme_vwc_index *v, uint64_t offset,
                             uint64_t bytes)
{
    GPtrArray *set = envme_vwc_find(v, offset, bytes);
    GHashTable *seen = g_hash_table_new(NULL, NULL);

    for (unsigned i = 0; i < set->len; i++) {
        g_hash_table_add(seen, set->pdata[i]);
    }
    for (unsigned i = 0; i < set->len; i++) {
        struct envme_vwc_item *r = set->pdata[i];
        GPtrArray *under = envme_vwc_find(v, r->offset, r->bytes);

        for (unsigned k = 0; k < under->len; k++) {
            struct envme_vwc_item *u = under->pdata[k];

            if (u->seq < r->seq && g_hash_table_add(seen, u)) {
                g_ptr_array_add(set, u);
            }
        }
        g_ptr_array_unref(under);
    }
    g_hash_table_unref(seen);
    g_ptr_array_sort(set, rec_cmp);
    return set;
}

void envme_vwc_index_init(struct envme_vwc_index *v)
{
    g_queue_init(&v->recs);
    v->chunks = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                      (GDestroyNotify)g_ptr_array_unref);
    v->wide = g_ptr_array_new();
}

void envme_vwc_index_fini(struct envme_vwc_index *v)
{
    while (v->recs.head) {
        envme_vwc_remove(v, v->recs.head->data);
    }
    g_hash_table_unref(v->chunks);
    g_ptr_array_unref(v->wide);
}
