/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake host: the backend decorator. Its completions are work of the lane that
 * submitted, done by the scheduler (th-exec.c).
 */
#include <errno.h>

#include "th-int.h"

static struct th_be *be_of(struct envme_backend *be)
{
    return (struct th_be *)be;
}

static void be_check(struct th_be *be, const struct envme_bio *bio)
{
    uint64_t sum = 0;
    int i;

    if (bio->op == ENVME_BIO_FLUSH) {
        return;
    }
    if (bio->offset > be->geo.size || bio->bytes > be->geo.size - bio->offset) {
        g_error("bio beyond the medium");
    }
    if (bio->op == ENVME_BIO_STATUS) {
        g_assert(be->geo.status && bio->bytes);
        return;
    }
    if (bio->op == ENVME_BIO_DISCARD) {
        g_assert((bio->offset | bio->bytes) % 512 == 0);
        return;
    }
    g_assert((bio->offset | bio->bytes) % be->geo.align == 0);
    if (bio->op != ENVME_BIO_READ && be->geo.read_only) {
        g_error("bio writes to a read-only medium");
    }
    if (bio->op == ENVME_BIO_WRITE_ZEROES) {
        return;
    }
    for (i = 0; i < bio->niov; i++) {
        sum += bio->iov[i].iov_len;
    }
    g_assert(sum == bio->bytes);
    g_assert(!be->geo.max_transfer || bio->bytes <= be->geo.max_transfer);
    g_assert(!be->geo.max_iov || (unsigned)bio->niov <= be->geo.max_iov);
}

static void be_over(struct th_bio *tb, int err)
{
    struct envme_bio *bio = tb->bio;

    bio->hole = tb->inner.hole;
    bio->same = tb->inner.same;
    g_queue_unlink(&tb->be->bios[tb->lane], &tb->link);
    atomic_fetch_sub(&tb->be->nbios, 1);
    bio->priv = NULL;
    g_free(tb);
    bio->done(bio, err);
}

static void be_inner_done(struct envme_bio *inner, int err)
{
    be_over(inner->opaque, err);
}

/* On its lane, from the scheduler. */
void th_be_carry_out(struct th_bio *tb)
{
    int ret = tb->err;

    if (!ret) {
        tb->inner = *tb->bio;
        tb->inner.done = be_inner_done;
        tb->inner.opaque = tb;
        tb->inner_busy = true;
        ret = tb->be->inner->ops->submit(tb->be->inner, &tb->inner);
    }
    if (ret != ENVME_BIO_PENDING) {
        be_over(tb, ret);
    }
}

/* Carried out later; with no regard to what that takes. */
static void be_queue(struct th_be *be, struct envme_bio *bio, int err)
{
    bool in_turn = th_in_turn;
    struct th_bio *tb;

    th_in_turn = false;
    tb = g_new0(struct th_bio, 1);
    th_in_turn = in_turn;
    tb->be = be;
    tb->bio = bio;
    tb->lane = th_lane_now;
    tb->err = err;
    tb->ready = !be->hold;
    tb->link.data = tb;
    bio->priv = tb;
    g_queue_push_tail_link(&be->bios[tb->lane], &tb->link);
    atomic_fetch_add(&be->nbios, 1);
}

static int be_submit(struct envme_backend *b, struct envme_bio *bio)
{
    struct th_be *be = be_of(b);
    int err;

    g_assert(th_lane_now >= 0 && th_lane_now < TH_MAX_LANES);
    g_assert(!be->closed);
    be_check(be, bio);
    atomic_fetch_add(&be->nsubmitted, 1);
    atomic_fetch_add(&be->nops[bio->op], 1);
    if (bio->flags & ENVME_BIO_FUA) {
        atomic_fetch_add(&be->nfua, 1);
    }
    err = th_hit(be->h, TH_AT_SUBMIT);
    if (err) {
        return err;
    }
    err = th_hit(be->h, TH_AT_DONE);
    if (!err && be->fail_op == (int)bio->op) {
        err = be->fail_errno;
    }
    if (!err && !be->hold && !be->later) {
        return be->inner->ops->submit(be->inner, bio);
    }
    be_queue(be, bio, err);
    return ENVME_BIO_PENDING;
}

static void be_cancel(struct envme_backend *b, struct envme_bio *bio)
{
    struct th_be *be = be_of(b);
    struct th_bio *tb = bio->priv;

    g_assert(tb && tb->bio == bio && tb->be == be);
    g_assert((int)tb->lane == th_lane_now);
    atomic_fetch_add(&be->ncancelled, 1);
    tb->cancelled = true;
    if (be->cancel_completes && !tb->inner_busy) {
        tb->ready = true;
        tb->err = tb->err ? tb->err : -ECANCELED;
    }
}

static void be_geometry(struct envme_backend *b, struct envme_geometry *geo)
{
    *geo = be_of(b)->geo;
}

static int be_set_cache(struct envme_backend *b, bool on)
{
    struct th_be *be = be_of(b);

    if (!be->geo.volatile_cache) {
        return -ENOTSUP;
    }
    be->cache_on = on;
    return 0;
}

static void be_close(struct envme_backend *b)
{
    struct th_be *be = be_of(b);

    g_assert(!be->closed && !be->nbios);
    be->closed = true;
    be->inner->ops->close(be->inner);
    g_free(be);
}

static void be_expect(struct envme_backend *b, uint64_t offset)
{
    struct th_be *be = be_of(b);

    atomic_store(&be->expected, offset);
    atomic_fetch_add(&be->nexpected, 1);
    if (be->inner->ops->expect) {
        be->inner->ops->expect(be->inner, offset);
    }
}

static const struct envme_backend_ops be_ops = {
    .name = "test", .submit = be_submit, .cancel = be_cancel,
    .expect = be_expect, .geometry = be_geometry, .set_cache = be_set_cache,
    .close = be_close,
};

struct th_be *th_be_new(struct th *h, const struct th_ns_opts *o)
{
    struct th_be *be = g_new0(struct th_be, 1);
    unsigned i;

    /* Room to grow. */
    be->inner = o->mem ? envme_backend_mem_new(o->mem, o->size, false, false)
                       : envme_backend_mem_new(NULL, o->size * 2, true, false);
    g_assert(be->inner);
    be->be.ops = &be_ops;
    be->h = h;
    be->inner->ops->geometry(be->inner, &be->geo);
    be->geo.size = o->size;
    be->hold = o->hold;
    /* Metadata is smaller than a block. */
    be->geo.align = o->align ? o->align : o->ms ? 1 : 512;
    be->geo.max_transfer = o->max_transfer;
    be->geo.max_iov = o->max_iov;
    be->geo.read_only = o->read_only;
    be->geo.volatile_cache = o->write_cache;
    be->cancel_completes = true;
    be->fail_op = -1;
    for (i = 0; i < TH_MAX_LANES; i++) {
        g_queue_init(&be->bios[i]);
    }
    return be;
}

unsigned th_be_held(struct th_be *be)
{
    return be->nbios;
}

void th_be_release(struct th_be *be, unsigned n, int err)
{
    GList *l;
    unsigned i;

    for (i = 0; i < TH_MAX_LANES; i++) {
        for (l = be->bios[i].head; l; l = l->next) {
            struct th_bio *tb = l->data;

            if (!tb->ready && n-- == 0) {
                tb->ready = true;
                tb->err = err;
                return;
            }
        }
    }
    g_error("no such bio is held");
}

void th_be_release_all(struct th_be *be, int err)
{
    GList *l;
    unsigned i;

    for (i = 0; i < TH_MAX_LANES; i++) {
        for (l = be->bios[i].head; l; l = l->next) {
            struct th_bio *tb = l->data;

            if (!tb->ready) {
                tb->ready = true;
                tb->err = err;
            }
        }
    }
}

void th_be_release_random(struct th_be *be)
{
    struct th_bio *held[4096];
    unsigned i, n = 0, lane;
    GList *l;

    for (lane = 0; lane < TH_MAX_LANES; lane++) {
        for (l = be->bios[lane].head; l; l = l->next) {
            struct th_bio *tb = l->data;

            if (!tb->ready && n < G_N_ELEMENTS(held)) {
                held[n++] = tb;
            }
        }
    }
    while (n) {
        i = th_random(be->h, n);
        held[i]->ready = true;
        held[i] = held[--n];
        th_run(be->h);
    }
}

void th_be_resize(struct th_be *be, uint64_t size)
{
    be->geo.size = size;
    if (be->be.changed) {
        be->be.changed(&be->be, be->be.changed_opaque);
    }
}
