/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/slice.h"

#include <errno.h>
#include <glib.h>
#include <stdatomic.h>

#include "envme/bytes.h"

struct slice {
    struct envme_backend be;
    uint64_t size;
    uint32_t align;
    atomic_bool through;        /* the write cache is off */
    unsigned n;
    struct slice_part {
        struct envme_slice_part p;
        uint64_t at;            /* where it starts in the slice */
        bool again;             /* an earlier part is of the same backend */
    } part[];
};

/* One of the parts of a request. */
struct slice_child {
    struct envme_bio bio;
    struct slice_req *req;
    struct envme_backend *be;
    bool pending;
};

struct slice_req {
    struct envme_bio *parent;
    unsigned left;              /* children, and submit() while it is at it */
    int err;
    bool later;
    unsigned n;
    struct slice_child child[];
};

static struct slice *slice_of(struct envme_backend *be)
{
    return (struct slice *)((char *)be - offsetof(struct slice, be));
}

/* ---- requests ---------------------------------------------------------- */

/* A child has ended. Returns whether all have. */
static bool slice_ended(struct slice_req *r, int err)
{
    if (err && !r->err) {
        r->err = err;
    }
    return --r->left == 0;
}

static void slice_child_done(struct envme_bio *bio, int err)
{
    struct slice_child *c = bio->opaque;
    struct slice_req *r = c->req;

    c->pending = false;
    r->parent->hole = bio->hole;
    r->parent->same = bio->same;
    if (slice_ended(r, err)) {
        struct envme_bio *parent = r->parent;

        err = r->err;
        parent->priv = NULL;
        g_free(r);
        parent->done(parent, err);
    }
}

/* The part of the parent's vector from byte `from` on; out may be NULL. */
static int slice_iov(const struct envme_bio *parent, uint64_t from,
                     uint64_t len, struct iovec *out)
{
    int n = 0;

    for (int i = 0; i < parent->niov && len; i++) {
        const struct iovec *v = &parent->iov[i];
        uint64_t take;

        if (from >= v->iov_len) {
            from -= v->iov_len;
            continue;
        }
        take = ENVME_MIN(v->iov_len - from, len);
        if (out) {
            out[n] = (struct iovec){ (char *)v->iov_base + from, take };
        }
        n++;
        len -= take;
        from = 0;
    }
    return n;
}

/* What of a request falls on a part; false: nothing. */
static bool slice_overlap(const struct slice_part *p,
                          const struct envme_bio *bio, uint64_t *from,
                          uint64_t *len)
{
    uint64_t a = ENVME_MAX(bio->offset, p->at);
    uint64_t b = ENVME_MIN(bio->offset + bio->bytes, p->at + p->p.len);

    if (bio->op == ENVME_BIO_FLUSH) {
        *from = *len = 0;
        return !p->again;
    }
    if (a >= b) {
        return false;
    }
    if (bio->op == ENVME_BIO_STATUS && a != bio->offset) {
        return false;           /* the first part answers */
    }
    *from = a - p->at + p->p.offset;
    *len = b - a;
    if (bio->op == ENVME_BIO_DISCARD) {
        uint64_t skip = (512 - *from % 512) % 512;

        if (skip >= *len) {
            return false;
        }
        *from += skip;
        *len = (*len - skip) / 512 * 512;
    }
    return *len;
}

static struct slice_req *slice_split(const struct slice *s,
                                     struct envme_bio *bio)
{
    bool has_data = bio->op == ENVME_BIO_READ || bio->op == ENVME_BIO_WRITE;
    uint64_t from, len, at = 0;
    struct slice_req *r;
    struct iovec *iov;
    unsigned n = 0;

    for (unsigned i = 0; i < s->n; i++) {
        n += slice_overlap(&s->part[i], bio, &from, &len);
    }
    /* A part that begins inside an element makes one more of it. */
    r = g_try_malloc0(sizeof(*r) + n * sizeof(r->child[0]) +
                      (has_data && n > 1 ? bio->niov + n : 0) * sizeof(*iov));
    if (!r) {
        return NULL;
    }
    r->parent = bio;
    r->left = n + 1;
    iov = (struct iovec *)&r->child[n];
    for (unsigned i = 0; i < s->n; i++) {
        struct slice_child *c = &r->child[r->n];

        if (!slice_overlap(&s->part[i], bio, &from, &len)) {
            continue;
        }
        c->bio = (struct envme_bio){
            .op = bio->op, .flags = bio->flags, .offset = from, .bytes = len,
            .done = slice_child_done, .opaque = c,
            .unit = bio->unit ? bio->unit : bio->opaque,
        };
        c->req = r;
        c->be = s->part[i].p.be;
        if (has_data && n == 1) {
            c->bio.iov = bio->iov;
            c->bio.niov = bio->niov;
        } else if (has_data) {
            c->bio.iov = iov;
            c->bio.niov = slice_iov(bio, at, len, iov);
            iov += c->bio.niov;
            at += len;
        }
        if (atomic_load(&s->through) && (bio->op == ENVME_BIO_WRITE ||
                                         bio->op == ENVME_BIO_WRITE_ZEROES)) {
            c->bio.flags |= ENVME_BIO_FUA;
        }
        r->n++;
    }
    return r;
}

static int slice_submit(struct envme_backend *be, struct envme_bio *bio)
{
    struct slice *s = slice_of(be);
    struct slice_req *r;
    unsigned n;
    int err;

    if (bio->op != ENVME_BIO_FLUSH &&
        (bio->bytes > s->size || bio->offset > s->size - bio->bytes)) {
        return -EIO;
    }
    r = slice_split(s, bio);
    if (!r) {
        return -ENOMEM;
    }
    bio->priv = r;
    n = r->n;
    for (unsigned i = 0; i < n; i++) {
        struct slice_child *c = &r->child[i];

        c->pending = true;
        err = c->be->ops->submit(c->be, &c->bio);
        if (err != ENVME_BIO_PENDING) {
            c->pending = false;
            bio->hole = c->bio.hole;
            bio->same = c->bio.same;
            slice_ended(r, err);
        }
    }
    if (!slice_ended(r, 0)) {
        return ENVME_BIO_PENDING;
    }
    err = r->err;
    bio->priv = NULL;
    g_free(r);
    return err;
}

static void slice_cancel(struct envme_backend *be, struct envme_bio *bio)
{
    struct slice_req *r = bio->priv;

    (void)be;
    for (unsigned i = 0; i < r->n; i++) {
        struct slice_child *c = &r->child[i];

        if (c->pending && c->be->ops->cancel) {
            c->be->ops->cancel(c->be, &c->bio);
        }
    }
}

/* ---- the rest ---------------------------------------------------------- */

static uint32_t slice_least(uint32_t a, uint32_t b)
{
    return !a || (b && b < a) ? b : a;
}

static void slice_geometry(struct envme_backend *be,
                           struct envme_geometry *geo)
{
    const struct slice *s = slice_of(be);

    *geo = (struct envme_geometry){
        .size = s->size, .align = s->align, .status = true,
    };
    for (unsigned i = 0; i < s->n; i++) {
        struct envme_backend *inner = s->part[i].p.be;
        struct envme_geometry g = { 0 };

        inner->ops->geometry(inner, &g);
        geo->max_transfer = slice_least(geo->max_transfer, g.max_transfer);
        geo->max_iov = slice_least(geo->max_iov, g.max_iov);
        geo->read_only |= g.read_only;
        geo->discard |= g.discard;
        geo->status &= g.status;
        geo->granularity = ENVME_MAX(geo->granularity, g.granularity);
        geo->volatile_cache |= g.volatile_cache;
    }
}

static int slice_set_cache(struct envme_backend *be, bool on)
{
    atomic_store(&slice_of(be)->through, !on);
    return 0;
}

static void slice_close(struct envme_backend *be)
{
    g_free(slice_of(be));
}

static const struct envme_backend_ops slice_ops = {
    .name = "slice", .submit = slice_submit, .cancel = slice_cancel,
    .geometry = slice_geometry, .set_cache = slice_set_cache,
    .close = slice_close,
};

struct envme_backend *envme_slice_new(const struct envme_slice_part *parts,
                                      unsigned n, uint32_t align)
{
    struct slice *s = g_malloc0(sizeof(*s) + n * sizeof(s->part[0]));

    g_assert(n && ENVME_IS_POW2(align));
    s->align = align;
    s->n = n;
    for (unsigned i = 0; i < n; i++) {
        g_assert(parts[i].offset % align == 0 && parts[i].len % align == 0);
        s->part[i] = (struct slice_part){ .p = parts[i], .at = s->size };
        for (unsigned k = 0; k < i; k++) {
            s->part[i].again |= parts[k].be == parts[i].be;
        }
        s->size += parts[i].len;
    }
    s->be.ops = &slice_ops;
    return &s->be;
}
