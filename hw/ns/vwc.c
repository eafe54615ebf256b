/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/vwc.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "envme/bytes.h"
#include "hw/ns/vwc-index.h"

enum vwc_kind {
    VWC_READ,                   /* and what only passes through */
    VWC_FLUSH,
    VWC_THROUGH,                /* a write that has to get to the medium */
    VWC_ROOM,                   /* a write that finds the cache full */
    VWC_CUT,
};

/* A write of several requests that has not ended. */
struct vwc_group {
    uint64_t id;
};

struct vwc {
    struct envme_backend be;
    struct envme_backend *inner;
    struct envme_vwc_exec exec;
    uint64_t size;
    atomic_bool on;
    GMutex lock;                /* of all that follows */
    struct envme_vwc_index index;
    uint64_t groups;
    GHashTable *open;           /* opaque of a request -> struct vwc_group */
    bool busy;                  /* somebody writes out */
    GQueue waiting;             /* struct vwc_req */
};

/* A request under way. */
struct vwc_req {
    struct vwc *v;
    enum vwc_kind kind;
    struct envme_bio *bio;      /* the submitter's; CUT: none */
    struct envme_bio inner;
    struct iovec iov;
    void *where;
    GPtrArray *recs;            /* counted: to overlay, or to write out */
    unsigned at;
    bool submitting, over, inner_pending, last;
    int err;
    /* CUT */
    GArray *(*choose)(void *arg, const struct envme_vwc_view *view);
    void (*done)(void *arg, int err);
    void *arg;
};

static struct vwc *vwc_of(struct envme_backend *be)
{
    return (void *)((char *)be - offsetof(struct vwc, be));
}

/* ---- into the cache ---------------------------------------------------- */

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

static struct envme_vwc_item *rec_new(const struct envme_bio *bio)
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

/* Under the lock. */
static void vwc_insert(struct vwc *v, struct envme_vwc_item *r,
                       const struct envme_bio *bio)
{
    r->group = vwc_group(v, bio);
    envme_vwc_add(&v->index, r);
}

static uint64_t bio_weight(const struct envme_bio *bio)
{
    return ENVME_VWC_WEIGHT + (bio->op == ENVME_BIO_WRITE ? bio->bytes : 0);
}

/* ---- requests ---------------------------------------------------------- */

static struct vwc_req *req_new(struct vwc *v, struct envme_bio *bio,
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

/* It has ended, with q->err. */
static void req_over(struct vwc_req *q)
{
    struct envme_bio *bio = q->bio;
    void (*done)(void *, int) = q->done;
    void *arg = q->arg;
    int err = q->err;

    q->over = true;
    if (q->submitting) {
        return;                 /* req_submitted() says so */
    }
    req_free(q);
    if (bio) {
        bio->done(bio, err);
    } else {
        done(arg, err);
    }
}

/* At the end of a submit(). */
static int req_submitted(struct vwc_req *q)
{
    int err = q->err;

    q->submitting = false;
    if (!q->over) {
        return ENVME_BIO_PENDING;
    }
    req_free(q);
    return err;
}

static int req_inner(struct vwc_req *q, void (*done)(struct envme_bio *, int))
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
    req_over(q);
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
    struct vwc_req *q = req_new(v, bio, VWC_READ);
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
    ret = covered ? bio_check_iov(bio) : req_inner(q, read_inner_done);
    if (ret != ENVME_BIO_PENDING) {
        read_over(q, ret);
    }
    return req_submitted(q);
}

/* ---- writing out ------------------------------------------------------- */

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
    req_over(q);
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
        r = rec_new(q->bio);
        if (!r) {
            q->err = -ENOMEM;
            return false;
        }
        g_mutex_lock(&v->lock);
        vwc_insert(v, r, q->bio);
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
        ret = req_inner(q, out_inner_done);
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

static GPtrArray *out_all(struct vwc *v)
{
    GPtrArray *recs = g_ptr_array_new();

    for (GList *l = v->index.recs.head; l; l = l->next) {
        g_ptr_array_add(recs, l->data);
    }
    return recs;
}

static void cut_choose(struct vwc_req *q);

/* Its turn has come. */
static void out_begin(struct vwc_req *q)
{
    struct vwc *v = q->v;

    if (q->kind == VWC_CUT) {
        cut_choose(q);
    }
    g_mutex_lock(&v->lock);
    switch (q->kind) {
    case VWC_ROOM:
        q->recs = out_room(v, bio_weight(q->bio));
        break;
    case VWC_THROUGH:
        q->recs = envme_vwc_closure(&v->index, q->bio->offset, q->bio->bytes);
        break;
    default:
        q->recs = out_all(v);
        break;
    }
    envme_vwc_count(q->recs);
    g_mutex_unlock(&v->lock);
    out_run(q);
}

/* Now, or when whoever writes out has ended. */
static void out_ask(struct vwc_req *q)
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

static int vwc_out(struct vwc *v, struct envme_bio *bio, enum vwc_kind kind)
{
    struct vwc_req *q = req_new(v, bio, kind);

    out_ask(q);
    return req_submitted(q);
}

/* ---- power loss -------------------------------------------------------- */

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

static void cut_choose(struct vwc_req *q)
{
    struct vwc *v = q->v;
    struct envme_vwc_view view = { 0 };
    struct envme_vwc_rec *rec;
    struct envme_crash_rec *crash;
    GPtrArray *old;
    GArray *pieces;

    g_mutex_lock(&v->lock);
    old = out_all(v);
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
    struct vwc_req *q = req_new(vwc_of(be), NULL, VWC_CUT);

    q->submitting = false;
    q->choose = choose;
    q->done = done;
    q->arg = arg;
    out_ask(q);
}

/* ---- the backend ------------------------------------------------------- */

static void vwc_geometry(struct envme_backend *be, struct envme_geometry *geo)
{
    struct vwc *v = vwc_of(be);

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
        bio_weight(bio) > v->size) {
        /* Without the queue, if there is nothing that has to go first. */
        return vwc_any(v, bio) ? vwc_out(v, bio, VWC_THROUGH)
                                    : vwc_pass(v, bio, bio->bytes);
    }
    err = bio->op == ENVME_BIO_WRITE ? bio_check_iov(bio) : 0;
    if (err) {
        return err;
    }
    r = rec_new(bio);
    if (!r) {
        return -ENOMEM;
    }
    g_mutex_lock(&v->lock);
    room = v->index.bytes + envme_vwc_weight(r) <= v->size;
    if (room) {
        vwc_insert(v, r, bio);
    }
    g_mutex_unlock(&v->lock);
    if (room) {
        return 0;
    }
    g_free(r->data);
    g_free(r);
    return vwc_out(v, bio, VWC_ROOM);
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
    struct vwc *v = vwc_of(be);
    int err;

    if (bio->op == ENVME_BIO_FLUSH) {
        return vwc_out(v, bio, VWC_FLUSH);
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
    struct vwc *v = vwc_of(be);
    struct vwc_req *q = bio->priv;

    if (q && q->inner_pending && v->inner->ops->cancel &&
        (q->kind == VWC_READ || q->last)) {
        v->inner->ops->cancel(v->inner, &q->inner);
    }
}

static int vwc_set_cache(struct envme_backend *be, bool on)
{
    atomic_store(&vwc_of(be)->on, on);
    return 0;
}

static void vwc_close(struct envme_backend *be)
{
    struct vwc *v = vwc_of(be);

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
    struct vwc *v = vwc_of(be);
    uint64_t bytes;

    g_mutex_lock(&v->lock);
    bytes = v->index.bytes;
    g_mutex_unlock(&v->lock);
    return bytes;
}
