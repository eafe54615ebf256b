/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/vwc-priv.h"

#include <errno.h>
#include <string.h>

#include "envme/bytes.h"

static bool bio_is_write(const struct envme_bio *bio)
{
    return bio->op == ENVME_BIO_WRITE || bio->op == ENVME_BIO_WRITE_ZEROES;
}

static int bio_check_iov(const struct envme_bio *bio)
{
    uint64_t left = bio->bytes;

    for (int i = 0; i < bio->niov; i++) {
        if (bio->iov[i].iov_len > left) {
            return -EINVAL;
        }
        left -= bio->iov[i].iov_len;
    }
    return left ? -EINVAL : 0;
}

/* ---- reading ----------------------------------------------------------- */

/* Copies a part of a request in the cache into the reader's vector. */
static void read_overlay_one(const struct envme_bio *bio,
                             const struct envme_vwc_item *r)
{
    uint64_t from = ENVME_MAX(bio->offset, r->offset);
    uint64_t to = ENVME_MIN(bio->offset + bio->bytes, r->offset + r->bytes);
    uint64_t at = bio->offset;

    for (int i = 0; i < bio->niov && at < to; i++) {
        const struct iovec *v = &bio->iov[i];
        uint64_t a = ENVME_MAX(at, from), b = ENVME_MIN(at + v->iov_len, to);

        if (a < b && r->data) {
            memcpy((char *)v->iov_base + (a - at), r->data + (a - r->offset),
                   b - a);
        } else if (a < b) {
            memset((char *)v->iov_base + (a - at), 0, b - a);
        }
        at += v->iov_len;
    }
}

static void read_over(struct vwc_req *q, int err)
{
    q->err = err;
    q->bio->hole = q->inner.hole;
    q->bio->same = q->inner.same;
    for (unsigned i = 0; !err && q->recs && i < q->recs->len; i++) {
        read_overlay_one(q->bio, q->recs->pdata[i]);
    }
    envme_vwc_req_over(q);
}

static void read_inner_done(struct envme_bio *bio, int err)
{
    struct vwc_req *q = bio->opaque;

    q->inner_pending = false;
    read_over(q, err);
}

/* Is all of it in the cache, in one request? */
static bool read_is_covered(const struct envme_bio *bio,
                            const GPtrArray *found)
{
    for (unsigned i = 0; i < found->len; i++) {
        const struct envme_vwc_item *r = found->pdata[i];

        if (r->offset <= bio->offset &&
            bio->offset + bio->bytes <= r->offset + r->bytes) {
            return true;
        }
    }
    return false;
}

/* READ, with what was in the cache at its start; anything else, or so many
 * bytes of it, goes by. */
static int vwc_pass(struct vwc *v, struct envme_bio *bio, uint64_t bytes)
{
    struct vwc_req *q = envme_vwc_req_new(v, bio, VWC_READ);
    bool covered = false;
    int ret;

    if (bio->op == ENVME_BIO_READ) {
        g_mutex_lock(&v->lock);
        q->recs = envme_vwc_find(&v->index, bio->offset, bio->bytes);
        envme_vwc_count(q->recs);
        covered = read_is_covered(bio, q->recs);
        g_mutex_unlock(&v->lock);
    }
    q->inner = *bio;
    q->inner.bytes = bytes;
    ret = covered ? bio_check_iov(bio)
                  : envme_vwc_req_inner(q, read_inner_done);
    if (ret != ENVME_BIO_PENDING) {
        read_over(q, ret);
    }
    return envme_vwc_req_submitted(q);
}

/* ---- the backend ------------------------------------------------------- */

static void vwc_geometry(struct envme_backend *be, struct envme_geometry *geo)
{
    struct vwc *v = envme_vwc_of(be);

    v->inner->ops->geometry(v->inner, geo);
    geo->volatile_cache = true;
}

static int vwc_check(struct vwc *v, const struct envme_bio *bio)
{
    struct envme_geometry geo = { 0 };

    v->inner->ops->geometry(v->inner, &geo);
    if (bio->bytes > geo.size || bio->offset > geo.size - bio->bytes) {
        return -EIO;
    }
    return bio->op != ENVME_BIO_READ && geo.read_only ? -EROFS : 0;
}

static bool vwc_any(struct vwc *v, const struct envme_bio *bio)
{
    GPtrArray *found;
    bool any;

    g_mutex_lock(&v->lock);
    found = envme_vwc_find(&v->index, bio->offset, bio->bytes);
    any = found->len;
    g_mutex_unlock(&v->lock);
    g_ptr_array_unref(found);
    return any;
}

static int vwc_write(struct vwc *v, struct envme_bio *bio)
{
    struct envme_vwc_item *r;
    bool room;
    int err;

    if (bio->flags & ENVME_BIO_FUA || !atomic_load(&v->on) ||
        envme_vwc_bio_weight(bio) > v->size) {
        /* Without the queue, if there is nothing that has to go first. */
        return vwc_any(v, bio) ? envme_vwc_out(v, bio, VWC_THROUGH)
                                    : vwc_pass(v, bio, bio->bytes);
    }
    err = bio->op == ENVME_BIO_WRITE ? bio_check_iov(bio) : 0;
    if (err) {
        return err;
    }
    r = envme_vwc_item_new(bio);
    if (!r) {
        return -ENOMEM;
    }
    g_mutex_lock(&v->lock);
    room = v->index.bytes + envme_vwc_weight(r) <= v->size;
    if (room) {
        envme_vwc_insert(v, r, bio);
    }
    g_mutex_unlock(&v->lock);
    if (room) {
        return 0;
    }
    g_free(r->data);
    g_free(r);
    return envme_vwc_out(v, bio, VWC_ROOM);
}

/*
 * STATUS: what is in the cache tells for itself, up to where another request
 * begins or ends; the rest is the inner backend's to know.
 */
static int vwc_status(struct vwc *v, struct envme_bio *bio)
{
    uint64_t at = bio->offset, end = at + bio->bytes;
    const struct envme_vwc_item *top = NULL;
    GPtrArray *found;

    g_mutex_lock(&v->lock);
    found = envme_vwc_find(&v->index, at, bio->bytes);
    for (unsigned i = 0; i < found->len; i++) {
        const struct envme_vwc_item *r = found->pdata[i];

        if (r->offset > at) {
            end = ENVME_MIN(end, r->offset);
        } else {
            end = ENVME_MIN(end, r->offset + r->bytes);
            top = r;
        }
    }
    bio->hole = top && !top->data && top->flags & ENVME_BIO_MAY_UNMAP;
    g_mutex_unlock(&v->lock);
    g_ptr_array_unref(found);
    bio->same = end - at;
    if (top) {
        return 0;
    }
    return vwc_pass(v, bio, end - at);
}

static int vwc_submit(struct envme_backend *be, struct envme_bio *bio)
{
    struct vwc *v = envme_vwc_of(be);
    int err;

    if (bio->op == ENVME_BIO_FLUSH) {
        return envme_vwc_out(v, bio, VWC_FLUSH);
    }
    err = vwc_check(v, bio);
    if (err || !bio->bytes) {
        return err;
    }
    if (bio_is_write(bio)) {
        return vwc_write(v, bio);
    }
    if (bio->op == ENVME_BIO_STATUS) {
        return vwc_status(v, bio);
    }
    /* A hint, which could come before a write that is older. */
    if (bio->op == ENVME_BIO_DISCARD && vwc_any(v, bio)) {
        return 0;
    }
    return vwc_pass(v, bio, bio->bytes);
}

static void vwc_cancel(struct envme_backend *be, struct envme_bio *bio)
{
    struct vwc *v = envme_vwc_of(be);
    struct vwc_req *q = bio->priv;

    if (q && q->inner_pending && v->inner->ops->cancel &&
        (q->kind == VWC_READ || q->last)) {
        v->inner->ops->cancel(v->inner, &q->inner);
    }
}

static int vwc_set_cache(struct envme_backend *be, bool on)
{
    atomic_store(&envme_vwc_of(be)->on, on);
    return 0;
}

static void vwc_close(struct envme_backend *be)
{
    struct vwc *v = envme_vwc_of(be);

    g_assert(!v->busy);
    envme_vwc_index_fini(&v->index);
    v->inner->changed = NULL;
    v->inner->ops->close(v->inner);
    g_hash_table_unref(v->open);
    g_mutex_clear(&v->lock);
    g_free(v);
}

static const struct envme_backend_ops vwc_ops = {
    .name = "vwc", .submit = vwc_submit, .cancel = vwc_cancel,
    .geometry = vwc_geometry, .set_cache = vwc_set_cache, .close = vwc_close,
};

static void vwc_changed(struct envme_backend *inner, void *opaque)
{
    struct vwc *v = opaque;

    (void)inner;
    if (v->be.changed) {
        v->be.changed(&v->be, v->be.changed_opaque);
    }
}

struct envme_backend *envme_vwc_new(struct envme_backend *inner,
                                    uint64_t size,
                                    const struct envme_vwc_exec *exec)
{
    struct vwc *v = g_new0(struct vwc, 1);

    v->be.ops = &vwc_ops;
    v->inner = inner;
    v->exec = *exec;
    v->size = size;
    atomic_init(&v->on, true);
    g_mutex_init(&v->lock);
    envme_vwc_index_init(&v->index);
    g_queue_init(&v->waiting);
    v->open = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    inner->changed = vwc_changed;
    inner->changed_opaque = v;
    return &v->be;
}

bool envme_vwc_is(const struct envme_backend *be)
{
    return be->ops == &vwc_ops;
}

uint64_t envme_vwc_bytes(struct envme_backend *be)
{
    struct vwc *v = envme_vwc_of(be);
    uint64_t bytes;

    g_mutex_lock(&v->lock);
    bytes = v->index.bytes;
    g_mutex_unlock(&v->lock);
    return bytes;
}

uint64_t envme_vwc_unflushed(struct envme_backend *be)
{
    struct vwc *v = envme_vwc_of(be);
    uint64_t bytes;

    g_mutex_lock(&v->lock);
    bytes = v->index.unflushed;
    g_mutex_unlock(&v->lock);
    return bytes;
}
