/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/sick.h"

#include <string.h>

#include "envme/bytes.h"
#include "hw/core/trigger.h"
#include "hw/ns/layout.h"

struct sick_fault {
    struct envme_sick_fault f;
    uint64_t id;
    uint64_t hits;              /* under the lock */
    gatomicrefcount ref;        /* requests that it concerns have one */
};

struct envme_ns_sick {
    struct envme_backend be;
    struct envme_ns *ns;
    GMutex lock;
    GPtrArray *faults;          /* under the lock: struct sick_fault */
    GHashTable *reqs;           /* under the lock: outer bio -> sick_req */
};

/* Of all namespaces: no two faults have the same number. */
static _Atomic uint64_t sick_ids;

/* A request that a fault has changed. */
struct sick_req {
    struct envme_bio bio;       /* to the namespace's own backend */
    struct envme_bio *outer;
    struct envme_ns_sick *s;
    struct sick_fault *fault;   /* counted */
    struct iovec *iov;
    bool asking;                /* GARBAGE: bio is a STATUS */
    uint64_t at;                /* GARBAGE: looked at up to here */
};

/* ---- where a request is ------------------------------------------------ */

struct sick_span {
    bool md;
    uint64_t base;              /* bytes of the area's begin */
    uint32_t unit;              /* bytes of a block there */
};

static struct sick_span sick_area(const struct envme_ns *ns, uint64_t offset)
{
    bool md = ns->ms && offset >= ns->moff;

    return (struct sick_span){
        .md = md, .base = md ? ns->moff : 0,
        .unit = md ? ns->ms : 1u << ns->lbads,
    };
}

/* Blocks that it concerns; requests lie in one area. */
static void sick_blocks(const struct envme_ns *ns, const struct envme_bio *bio,
                        uint64_t *first, uint64_t *last)
{
    struct sick_span a = sick_area(ns, bio->offset);
    uint64_t off = bio->offset - a.base;

    *first = off / a.unit;
    *last = (off + ENVME_MAX(bio->bytes, 1) - 1) / a.unit;
}

/* ---- faults ------------------------------------------------------------ */

static void sick_fault_unref(struct sick_fault *x)
{
    if (g_atomic_ref_count_dec(&x->ref)) {
        g_free(x->f.data);
        g_free(x->f.md);
        g_free(x);
    }
}

/* The bytes of the medium that a moved request goes to, or false. */
static bool sick_move(const struct envme_ns *ns,
                      const struct envme_sick_fault *f,
                      const struct envme_bio *bio, uint64_t *offset)
{
    struct sick_span a = sick_area(ns, bio->offset);
    uint64_t off = bio->offset - a.base;
    uint64_t nsze = atomic_load(&ns->nsze), end = nsze * a.unit, from, to;

    if (f->slba >= nsze || f->to >= nsze || off < f->slba * a.unit) {
        return false;
    }
    from = f->slba * a.unit;
    to = f->to * a.unit;
    off -= from;
    if (off > end - to || bio->bytes > end - to - off) {
        return false;
    }
    *offset = a.base + to + off;
    return true;
}

static bool sick_concerns(const struct envme_ns *ns,
                          const struct envme_sick_fault *f,
                          const struct envme_bio *bio)
{
    uint64_t first, last;

    if (!(f->ops & 1u << bio->op)) {
        return false;
    }
    if (bio->op == ENVME_BIO_FLUSH) {
        return true;
    }
    if (f->kind == ENVME_SICK_LIES) {
        return bio->flags & ENVME_BIO_FUA;
    }
    if (f->kind == ENVME_SICK_GARBAGE && sick_area(ns, bio->offset).md) {
        return false;           /* what zeroes are there means something */
    }
    sick_blocks(ns, bio, &first, &last);
    if (f->kind == ENVME_SICK_MOVED) {
        uint64_t offset;

        return first >= f->slba && first <= f->last &&
               sick_move(ns, f, bio, &offset);
    }
    return first <= f->last && last >= f->slba;
}

/* With the lock held. */
static struct sick_fault *sick_find(struct envme_ns_sick *s,
                                    const struct envme_bio *bio)
{
    for (unsigned i = 0; i < s->faults->len; i++) {
        struct sick_fault *x = g_ptr_array_index(s->faults, i);

        if ((x->f.times && x->hits >= x->f.times) ||
            !sick_concerns(s->ns, &x->f, bio)) {
            continue;
        }
        x->hits++;
        g_atomic_ref_count_inc(&x->ref);
        return x;
    }
    return NULL;
}

/* With the lock held: nothing is to be done here any more. Whoever has looked
 * just before still comes through, and is passed on. */
static void sick_settle(struct envme_ns_sick *s)
{
    if (!s->faults->len && !g_hash_table_size(s->reqs)) {
        atomic_store(&s->ns->io, s->ns->be);
    }
}

/* ---- what becomes of data that were read ------------------------------- */

/* Copies into the request's memory, from its offset `at` on. */
static void sick_fill(const struct envme_bio *bio, uint64_t at,
                      const uint8_t *from, uint64_t bytes)
{
    for (int i = 0; i < bio->niov && bytes; i++) {
        size_t len = bio->iov[i].iov_len, n;

        if (at >= len) {
            at -= len;
            continue;
        }
        n = ENVME_MIN(len - at, bytes);
        memcpy((char *)bio->iov[i].iov_base + at, from, n);
        from += n;
        bytes -= n;
        at = 0;
    }
}

static void sick_stale(const struct sick_req *r)
{
    const struct envme_sick_fault *f = &r->fault->f;
    const struct envme_bio *bio = r->outer;
    struct sick_span a = sick_area(r->s->ns, bio->offset);
    const uint8_t *old = a.md ? f->md : f->data;
    uint64_t lo = a.base + f->slba * a.unit;
    uint64_t hi = a.base + (f->last + 1) * a.unit;
    uint64_t from = ENVME_MAX(lo, bio->offset);
    uint64_t to = ENVME_MIN(hi, bio->offset + bio->bytes);

    if (old && from < to) {
        sick_fill(bio, from - bio->offset, old + (from - lo), to - from);
    }
}

/* The same bytes each time, for the same seed and place. */
static void sick_garbage(const struct sick_req *r, uint64_t offset,
                         uint64_t bytes)
{
    const struct envme_bio *bio = r->outer;

    while (bytes) {
        uint64_t word = offset / 8, rng = r->fault->f.seed ^ word;
        uint8_t buf[8];
        unsigned skip = offset % 8, n = ENVME_MIN(8 - skip, bytes);
        uint64_t v = envme_rng_next(&rng);

        for (unsigned i = 0; i < 8; i++) {
            buf[i] = v >> i * 8;
        }
        sick_fill(bio, offset - bio->offset, buf + skip, n);
        offset += n;
        bytes -= n;
    }
}

/* ---- requests ---------------------------------------------------------- */

static void sick_free_req(struct sick_req *r)
{
    struct envme_ns_sick *s = r->s;

    g_mutex_lock(&s->lock);
    g_hash_table_remove(s->reqs, r->outer);
    sick_settle(s);
    g_mutex_unlock(&s->lock);
    sick_fault_unref(r->fault);
    g_free(r->iov);
    g_free(r);
}

static int sick_ask(struct sick_req *r)
{
    struct envme_backend *inner = r->s->ns->be;
    const struct envme_bio *o = r->outer;
    uint64_t end = o->offset + o->bytes;
    int err = 0;

    while (!err && r->at < end) {
        if (r->bio.op == ENVME_BIO_STATUS) {
            uint64_t same = ENVME_MIN(ENVME_MAX(r->bio.same, 1), end - r->at);

            if (r->bio.hole) {
                sick_garbage(r, r->at, same);
            }
            r->at += same;
        }
        if (r->at == end) {
            break;
        }
        r->bio.op = ENVME_BIO_STATUS;
        r->bio.offset = r->at;
        r->bio.bytes = end - r->at;
        err = inner->ops->submit(inner, &r->bio);
    }
    return err;
}

/* The inner request is over. */
static int sick_after(struct sick_req *r, int err)
{
    const struct envme_sick_fault *f = &r->fault->f;

    if (err) {
        return err;
    }
    switch (f->kind) {
    case ENVME_SICK_ERROR:
        return f->err;
    case ENVME_SICK_STALE:
        sick_stale(r);
        return 0;
    case ENVME_SICK_GARBAGE:
        return sick_ask(r);
    default:
        return 0;
    }
}

static void sick_done(struct envme_bio *bio, int err)
{
    struct sick_req *r = bio->opaque;
    struct envme_bio *outer = r->outer;

    err = sick_after(r, err);
    if (err != ENVME_BIO_PENDING) {
        sick_free_req(r);
        outer->done(outer, err);
    }
}

/* The first so many bytes of its memory. */
static void sick_trim(struct sick_req *r, uint64_t bytes)
{
    const struct envme_bio *o = r->outer;
    uint64_t left = bytes;
    int n = 0;

    r->bio.bytes = bytes;
    if (!o->iov) {
        return;
    }
    r->iov = g_new(struct iovec, o->niov);
    while (left) {
        r->iov[n] = o->iov[n];
        r->iov[n].iov_len = ENVME_MIN(r->iov[n].iov_len, left);
        left -= r->iov[n].iov_len;
        n++;
    }
    r->bio.iov = r->iov;
    r->bio.niov = n;
}

/* Makes the inner request. False: there is none. */
static bool sick_prepare(struct sick_req *r)
{
    const struct envme_sick_fault *f = &r->fault->f;
    const struct envme_bio *o = r->outer;
    uint64_t keep = f->keep - f->keep % r->s->ns->geo.align;

    r->bio = *o;
    r->bio.unit = o->unit ? o->unit : o->opaque;
    r->bio.opaque = r;
    r->bio.done = sick_done;
    r->at = o->offset;
    switch (f->kind) {
    case ENVME_SICK_ERROR:
    case ENVME_SICK_SHORT:
        keep = f->has_keep && o->op != ENVME_BIO_FLUSH ? keep : 0;
        keep = ENVME_MIN(keep, o->bytes);
        if (keep) {
            sick_trim(r, keep);
        }
        return keep;
    case ENVME_SICK_MOVED:
        return sick_move(r->s->ns, f, o, &r->bio.offset);
    case ENVME_SICK_LIES:
        r->bio.flags &= ~ENVME_BIO_FUA;
        return o->op != ENVME_BIO_FLUSH;
    default:
        return true;
    }
}

static int sick_submit(struct envme_backend *be, struct envme_bio *bio)
{
    struct envme_ns_sick *s = (struct envme_ns_sick *)be;
    struct envme_backend *inner = s->ns->be;
    struct sick_fault *x;
    struct sick_req *r;
    int err;

    g_mutex_lock(&s->lock);
    x = sick_find(s, bio);
    if (!x) {
        g_mutex_unlock(&s->lock);
        return inner->ops->submit(inner, bio);
    }
    r = g_new0(struct sick_req, 1);
    *r = (struct sick_req){ .s = s, .outer = bio, .fault = x };
    g_hash_table_insert(s->reqs, bio, r);
    g_mutex_unlock(&s->lock);
    err = sick_prepare(r) ? inner->ops->submit(inner, &r->bio) : 0;
    if (err != ENVME_BIO_PENDING) {
        err = sick_after(r, err);
    }
    if (err != ENVME_BIO_PENDING) {
        sick_free_req(r);
    }
    return err;
}

/* On the thread that submitted it, so that it does not end meanwhile. */
static void sick_cancel(struct envme_backend *be, struct envme_bio *bio)
{
    struct envme_ns_sick *s = (struct envme_ns_sick *)be;
    struct envme_backend *inner = s->ns->be;
    struct sick_req *r;

    g_mutex_lock(&s->lock);
    r = g_hash_table_lookup(s->reqs, bio);
    g_mutex_unlock(&s->lock);
    if (inner->ops->cancel) {
        inner->ops->cancel(inner, r ? &r->bio : bio);
    }
}

static void sick_geometry(struct envme_backend *be, struct envme_geometry *geo)
{
    struct envme_backend *inner = ((struct envme_ns_sick *)be)->ns->be;

    inner->ops->geometry(inner, geo);
}

static void sick_close(struct envme_backend *be)
{
    struct envme_ns_sick *s = (struct envme_ns_sick *)be;

    for (unsigned i = 0; i < s->faults->len; i++) {
        sick_fault_unref(g_ptr_array_index(s->faults, i));
    }
    g_ptr_array_free(s->faults, TRUE);
    g_hash_table_destroy(s->reqs);
    g_mutex_clear(&s->lock);
    g_free(s);
}

static const struct envme_backend_ops sick_ops = {
    .name = "sick", .submit = sick_submit, .cancel = sick_cancel,
    .geometry = sick_geometry, .close = sick_close,
};

/* ---- coming and going -------------------------------------------------- */

uint64_t envme_ns_sicken(struct envme_ns *ns,
                         const struct envme_sick_fault *fault)
{
    struct envme_ns_sick *s = ns->sick;
    struct sick_fault *x;

    if (!s) {
        s = ns->sick = g_new0(struct envme_ns_sick, 1);
        s->be.ops = &sick_ops;
        s->ns = ns;
        g_mutex_init(&s->lock);
        s->faults = g_ptr_array_new();
        s->reqs = g_hash_table_new(NULL, NULL);
    }
    x = g_new0(struct sick_fault, 1);
    x->f = *fault;
    x->id = ++sick_ids;
    g_atomic_ref_count_init(&x->ref);
    g_mutex_lock(&s->lock);
    if (s->faults->len == ENVME_SICK_FAULTS) {
        g_mutex_unlock(&s->lock);
        sick_fault_unref(x);
        return 0;
    }
    g_ptr_array_add(s->faults, x);
    atomic_store(&ns->io, &s->be);
    g_mutex_unlock(&s->lock);
    return x->id;
}

void envme_ns_heal(struct envme_ns *ns, uint64_t id)
{
    struct envme_ns_sick *s = ns->sick;
    struct sick_fault *x = NULL;

    if (!s) {
        return;
    }
    g_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->faults->len && !x; i++) {
        struct sick_fault *y = g_ptr_array_index(s->faults, i);

        if (y->id == id) {
            x = y;
            g_ptr_array_remove_index(s->faults, i);
        }
    }
    sick_settle(s);
    g_mutex_unlock(&s->lock);
    if (x) {
        sick_fault_unref(x);
    }
}

void envme_ns_free_sick(struct envme_ns *ns)
{
    if (ns->sick) {
        ns->sick->be.ops->close(&ns->sick->be);
        ns->sick = NULL;
    }
}
