/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing out: one request at a time, the others that have to wait for it. */
#include "hw/ns/vwc-priv.h"

#include <errno.h>

static void out_run(struct vwc_req *q);
static void out_begin(struct vwc_req *q);

static void out_begin_later(void *arg)
{
    out_begin(arg);
}

/* The next one that waits, on its own thread. */
static void out_end(struct vwc_req *q)
{
    struct vwc *v = q->v;
    struct vwc_req *next;

    g_mutex_lock(&v->lock);
    next = g_queue_pop_head(&v->waiting);
    v->busy = next;
    g_mutex_unlock(&v->lock);
    if (next) {
        v->exec.go(v->exec.opaque, next->where, out_begin_later, next);
    }
    envme_vwc_req_over(q);
}

static void out_wrote(struct vwc_req *q, int err)
{
    struct vwc *v = q->v;

    if (err) {
        q->err = err;
    } else if (!q->last) {
        g_mutex_lock(&v->lock);
        envme_vwc_remove(&v->index, q->recs->pdata[q->at]);
        g_mutex_unlock(&v->lock);
    }
    q->at++;
}

static void out_inner_done(struct envme_bio *bio, int err)
{
    struct vwc_req *q = bio->opaque;

    q->inner_pending = false;
    out_wrote(q, err);
    out_run(q);
}

static void out_prepare(struct vwc_req *q)
{
    const struct envme_vwc_item *r = q->recs->pdata[q->at];

    q->iov = (struct iovec){ r->data, r->bytes };
    q->inner = (struct envme_bio){
        .op = r->data ? ENVME_BIO_WRITE : ENVME_BIO_WRITE_ZEROES,
        .flags = r->flags, .offset = r->offset, .bytes = r->bytes,
        .iov = r->data ? &q->iov : NULL, .niov = r->data != NULL,
    };
}

/* All that had to be written out is: the request itself. */
static bool out_last(struct vwc_req *q)
{
    struct vwc *v = q->v;
    struct envme_vwc_item *r;

    q->last = true;
    switch (q->kind) {
    case VWC_FLUSH:
    case VWC_THROUGH:
        q->inner = *q->bio;
        return true;
    case VWC_CUT:
        q->inner = (struct envme_bio){ .op = ENVME_BIO_FLUSH };
        return true;
    default:
        r = envme_vwc_item_new(q->bio);
        if (!r) {
            q->err = -ENOMEM;
            return false;
        }
        g_mutex_lock(&v->lock);
        envme_vwc_insert(v, r, q->bio);
        g_mutex_unlock(&v->lock);
        return false;
    }
}

/* Goes on until a request of the inner backend is pending or all is over. */
static void out_run(struct vwc_req *q)
{
    int ret;

    for (;;) {
        if (q->err || q->last) {
            break;
        }
        if (q->at < q->recs->len) {
            out_prepare(q);
        } else if (!out_last(q)) {
            break;
        }
        ret = envme_vwc_req_inner(q, out_inner_done);
        if (ret == ENVME_BIO_PENDING) {
            return;
        }
        out_wrote(q, ret);
    }
    out_end(q);
}

/* The oldest, until there is room for a write; under the lock. */
static GPtrArray *out_room(struct vwc *v, uint64_t weight)
{
    GPtrArray *recs = g_ptr_array_new();
    uint64_t left = v->index.bytes;

    for (GList *l = v->index.recs.head; l && left + weight > v->size;
         l = l->next) {
        g_ptr_array_add(recs, l->data);
        left -= envme_vwc_weight(l->data);
    }
    return recs;
}

GPtrArray *envme_vwc_out_all(struct vwc *v)
{
    GPtrArray *recs = g_ptr_array_new();

    for (GList *l = v->index.recs.head; l; l = l->next) {
        g_ptr_array_add(recs, l->data);
    }
    return recs;
}

/* Its turn has come. */
static void out_begin(struct vwc_req *q)
{
    struct vwc *v = q->v;

    if (q->kind == VWC_CUT) {
        envme_vwc_cut_choose(q);
    }
    g_mutex_lock(&v->lock);
    switch (q->kind) {
    case VWC_ROOM:
        q->recs = out_room(v, envme_vwc_bio_weight(q->bio));
        break;
    case VWC_THROUGH:
        q->recs = envme_vwc_closure(&v->index, q->bio->offset, q->bio->bytes);
        break;
    default:
        q->recs = envme_vwc_out_all(v);
        break;
    }
    envme_vwc_count(q->recs);
    g_mutex_unlock(&v->lock);
    out_run(q);
}

void envme_vwc_out_ask(struct vwc_req *q)
{
    struct vwc *v = q->v;
    bool wait;

    g_mutex_lock(&v->lock);
    wait = v->busy;
    v->busy = true;
    if (wait) {
        g_queue_push_tail(&v->waiting, q);
    }
    g_mutex_unlock(&v->lock);
    if (!wait) {
        out_begin(q);
    }
}

int envme_vwc_out(struct vwc *v, struct envme_bio *bio, enum vwc_kind kind)
{
    struct vwc_req *q = envme_vwc_req_new(v, bio, kind);

    envme_vwc_out_ask(q);
    return envme_vwc_req_submitted(q);
}
