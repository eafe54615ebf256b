/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power loss, when it is its turn to write out: what is kept becomes all there
 * is.
 */
#include "hw/ns/vwc-priv.h"

/* What is kept takes the place of all there is. Under the lock. */
static void cut_replace(struct vwc *v, GPtrArray *old, const GArray *pieces)
{
    for (unsigned i = 0; i < old->len; i++) {
        envme_vwc_remove(&v->index, old->pdata[i]);
    }
    g_hash_table_remove_all(v->open);
    for (unsigned i = 0; i < pieces->len; i++) {
        const struct envme_crash_piece *p =
            &g_array_index(pieces, struct envme_crash_piece, i);
        const struct envme_vwc_item *from = old->pdata[p->rec];
        struct envme_vwc_item *r = g_new0(struct envme_vwc_item, 1);

        r->offset = p->offset;
        r->bytes = p->bytes;
        r->flags = from->flags;
        r->pinned = true;
        r->group = ++v->groups;
        r->data = from->data ? g_memdup2(from->data + (p->offset -
                                                       from->offset),
                                         p->bytes) : NULL;
        envme_vwc_add(&v->index, r);
    }
}

static bool cut_is_open(struct vwc *v, uint64_t group)
{
    GHashTableIter it;
    gpointer g;

    g_hash_table_iter_init(&it, v->open);
    while (g_hash_table_iter_next(&it, NULL, &g)) {
        if (((struct vwc_group *)g)->id == group) {
            return true;
        }
    }
    return false;
}

void envme_vwc_cut_choose(struct vwc_req *q)
{
    struct vwc *v = q->v;
    struct envme_vwc_view view = { 0 };
    struct envme_vwc_rec *rec;
    struct envme_crash_rec *crash;
    GPtrArray *old;
    GArray *pieces;

    g_mutex_lock(&v->lock);
    old = envme_vwc_out_all(v);
    envme_vwc_count(old);
    rec = g_new0(struct envme_vwc_rec, old->len + 1);
    crash = g_new0(struct envme_crash_rec, old->len + 1);
    for (unsigned i = 0; i < old->len; i++) {
        const struct envme_vwc_item *r = old->pdata[i];

        rec[i] = (struct envme_vwc_rec){ r->offset, r->bytes, r->data };
        crash[i] = (struct envme_crash_rec){
            .group = r->group, .offset = r->offset, .bytes = r->bytes,
            .open = cut_is_open(v, r->group), .pinned = r->pinned,
        };
    }
    g_mutex_unlock(&v->lock);
    view.n = old->len;
    view.rec = rec;
    view.crash = crash;
    pieces = q->choose(q->arg, &view);
    g_mutex_lock(&v->lock);
    cut_replace(v, old, pieces);
    for (unsigned i = 0; i < old->len; i++) {
        envme_vwc_unref(old->pdata[i]);
    }
    g_mutex_unlock(&v->lock);
    g_array_unref(pieces);
    g_ptr_array_unref(old);
    g_free(rec);
    g_free(crash);
}

void envme_vwc_cut(struct envme_backend *be,
                   GArray *(*choose)(void *arg,
                                     const struct envme_vwc_view *view),
                   void (*done)(void *arg, int err), void *arg)
{
    struct vwc_req *q = envme_vwc_req_new(envme_vwc_of(be), NULL, VWC_CUT);

    q->submitting = false;
    q->choose = choose;
    q->done = done;
    q->arg = arg;
    envme_vwc_out_ask(q);
}
