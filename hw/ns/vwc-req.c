/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/vwc-priv.h"

#include <errno.h>
#include <string.h>

/* ---- into the cache ---------------------------------------------------- */

struct envme_vwc_item *envme_vwc_item_new(const struct envme_bio *bio)
{
    struct envme_vwc_item *r = g_new0(struct envme_vwc_item, 1);
    uint64_t at = 0;

    r->offset = bio->offset;
    r->bytes = bio->bytes;
    r->flags = bio->flags & ENVME_BIO_MAY_UNMAP;
    if (bio->op == ENVME_BIO_WRITE_ZEROES) {
        return r;
    }
    r->data = g_try_malloc(bio->bytes);
    if (!r->data) {
        g_free(r);
        return NULL;
    }
    for (int i = 0; i < bio->niov; i++) {
        if (bio->iov[i].iov_len) {
            memcpy(r->data + at, bio->iov[i].iov_base, bio->iov[i].iov_len);
        }
        at += bio->iov[i].iov_len;
    }
    return r;
}

static void *bio_unit(const struct envme_bio *bio)
{
    return bio->unit ? bio->unit : bio->opaque;
}

/* Which write this is a part of; under the lock. */
static uint64_t vwc_group(struct vwc *v, const struct envme_bio *bio)
{
    void *unit = bio_unit(bio);
    struct vwc_group *g = g_hash_table_size(v->open)
                          ? g_hash_table_lookup(v->open, unit) : NULL;
    uint64_t id;

    if (g && bio->flags & ENVME_BIO_CONT) {
        id = g->id;
        if (!(bio->flags & ENVME_BIO_MORE)) {
            g_hash_table_remove(v->open, unit);
        }
        return id;
    }
    id = ++v->groups;
    if (bio->flags & ENVME_BIO_MORE) {
        g = g_new(struct vwc_group, 1);
        *g = (struct vwc_group){ id };
        g_hash_table_replace(v->open, unit, g);
    } else if (g) {
        g_hash_table_remove(v->open, unit);
    }
    return id;
}

void envme_vwc_insert(struct vwc *v, struct envme_vwc_item *r,
                      const struct envme_bio *bio)
{
    r->group = vwc_group(v, bio);
    envme_vwc_add(&v->index, r);
}

uint64_t envme_vwc_bio_weight(const struct envme_bio *bio)
{
    return ENVME_VWC_WEIGHT + (bio->op == ENVME_BIO_WRITE ? bio->bytes : 0);
}

/* ---- requests ---------------------------------------------------------- */

struct vwc_req *envme_vwc_req_new(struct vwc *v, struct envme_bio *bio,
                                  enum vwc_kind kind)
{
    struct vwc_req *q = g_new0(struct vwc_req, 1);

    q->v = v;
    q->bio = bio;
    q->kind = kind;
    q->where = v->exec.here(v->exec.opaque);
    q->submitting = true;
    if (bio) {
        bio->priv = q;
    }
    return q;
}

/* Lets go of the requests from `at` on. */
static void req_drop_recs(struct vwc_req *q)
{
    if (!q->recs) {
        return;
    }
    g_mutex_lock(&q->v->lock);
    for (unsigned i = 0; i < q->recs->len; i++) {
        envme_vwc_unref(q->recs->pdata[i]);
    }
    g_mutex_unlock(&q->v->lock);
    g_ptr_array_unref(q->recs);
    q->recs = NULL;
}

static void req_free(struct vwc_req *q)
{
    req_drop_recs(q);
    if (q->bio) {
        q->bio->priv = NULL;
    }
    g_free(q);
}

void envme_vwc_req_over(struct vwc_req *q)
{
    struct envme_bio *bio = q->bio;
    void (*done)(void *, int) = q->done;
    void *arg = q->arg;
    int err = q->err;

    q->over = true;
    if (q->submitting) {
        return;                 /* envme_vwc_req_submitted() says so */
    }
    req_free(q);
    if (bio) {
        bio->done(bio, err);
    } else {
        done(arg, err);
    }
}

int envme_vwc_req_submitted(struct vwc_req *q)
{
    int err = q->err;

    q->submitting = false;
    if (!q->over) {
        return ENVME_BIO_PENDING;
    }
    req_free(q);
    return err;
}

int envme_vwc_req_inner(struct vwc_req *q,
                        void (*done)(struct envme_bio *bio, int err))
{
    struct envme_backend *inner = q->v->inner;
    int ret;

    q->inner.done = done;
    q->inner.opaque = q;
    q->inner_pending = true;
    ret = inner->ops->submit(inner, &q->inner);
    if (ret != ENVME_BIO_PENDING) {
        q->inner_pending = false;
    }
    return ret;
}
