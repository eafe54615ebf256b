/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include "block/accounting.h"
#include "block/aio.h"
#include "block/block-io.h"
#include "qapi/error.h"
#include "qemu/atomic.h"
#include "qemu/iov.h"
#include "qemu/main-loop.h"
#include "qemu/memalign.h"
#include "qemu/queue.h"
#include "system/block-backend.h"
#include "system/runstate.h"

#include "hw/qemu/blk.h"

/* What one call to the block layer may carry. */
#define BLK_MAX_IOV 1024
#define BLK_MAX_BYTES (1u << 30)
/* When so many elements do not even make a block, they are gathered. */
#define BLK_ALIGN 4096
#define BLK_BOUNCE (256 * 1024)

struct blk_backend {
    struct envme_backend be;
    BlockBackend *blk;
    VMChangeStateEntry *vmstate;
    unsigned refs;              /* atomic: requests and bottom halves */
    GMutex lock;                /* of what follows */
    struct envme_geometry geo;
    QSIMPLEQ_HEAD(, blk_req) stopped;   /* wait for the machine to resume */
    bool abandoned;
};

/* A request on its way. Its own thread's, but for the list. */
struct blk_req {
    QSIMPLEQ_ENTRY(blk_req) next;
    struct blk_backend *b;
    struct envme_bio *bio;
    AioContext *ctx;
    BlockAIOCB *aiocb;
    BlockAcctCookie acct;
    uint64_t done;              /* bytes that are over */
    uint64_t chunk;             /* bytes under way */
    unsigned iov;               /* where `done` is in bio->iov */
    size_t iov_off;
    QEMUIOVector qiov;
    bool have_qiov;
    void *bounce;
    bool waits;                 /* in b->stopped; under the lock */
    bool cancelled;
    bool entering;              /* its coroutine has not yielded yet */
    int ret;                    /* of that coroutine */
    int err;
};

static void blk_backend_unref(struct blk_backend *b)
{
    if (qatomic_fetch_dec(&b->refs) == 1) {
        g_mutex_clear(&b->lock);
        g_free(b);
    }
}

static bool blk_req_is_read(const struct blk_req *r)
{
    return r->bio->op == ENVME_BIO_READ;
}

static bool blk_req_has_data(const struct blk_req *r)
{
    return r->bio->op == ENVME_BIO_READ || r->bio->op == ENVME_BIO_WRITE;
}

/* ---- cutting a request into calls -------------------------------------- */

/* Moves on by `bytes` in the caller's vector. */
static void blk_req_advance(struct blk_req *r, uint64_t bytes)
{
    r->done += bytes;
    while (blk_req_has_data(r) && bytes) {
        size_t here = r->bio->iov[r->iov].iov_len - r->iov_off;

        if (bytes < here) {
            r->iov_off += bytes;
            return;
        }
        bytes -= here;
        r->iov++;
        r->iov_off = 0;
    }
}

static void blk_req_chunk_end(struct blk_req *r)
{
    if (r->have_qiov) {
        qemu_iovec_destroy(&r->qiov);
        r->have_qiov = false;
    }
    if (r->bounce) {
        qemu_vfree(r->bounce);
        r->bounce = NULL;
    }
}

/* Copies between the bounce buffer and the caller's vector. */
static void blk_req_copy(struct blk_req *r, bool to_bounce)
{
    unsigned i = r->iov;
    size_t off = r->iov_off;

    for (uint64_t at = 0; at < r->chunk; i++, off = 0) {
        const struct iovec *v = &r->bio->iov[i];
        size_t n = MIN(v->iov_len - off, r->chunk - at);
        char *mem = (char *)v->iov_base + off;

        if (to_bounce) {
            memcpy((char *)r->bounce + at, mem, n);
        } else {
            memcpy(mem, (char *)r->bounce + at, n);
        }
        at += n;
    }
}

/* The next chunk of data as r->qiov. */
static bool blk_req_chunk_data(struct blk_req *r)
{
    const struct envme_bio *bio = r->bio;
    uint64_t left = MIN(bio->bytes - r->done, BLK_MAX_BYTES);
    uint64_t got = 0;
    unsigned n = 0, i = r->iov;
    size_t off = r->iov_off;

    if (!r->done && bio->niov <= BLK_MAX_IOV && bio->bytes <= BLK_MAX_BYTES) {
        qemu_iovec_init_external(&r->qiov, (struct iovec *)bio->iov,
                                 bio->niov);
        r->chunk = bio->bytes;
        return true;
    }
    for (; n < BLK_MAX_IOV && got < left; n++, i++, off = 0) {
        got += MIN(bio->iov[i].iov_len - off, left - got);
    }
    if (got < bio->bytes - r->done) {
        got = QEMU_ALIGN_DOWN(got, BLK_ALIGN);
    }
    if (!got) {
        r->chunk = MIN(left, BLK_BOUNCE);
        r->bounce = qemu_try_memalign(BLK_ALIGN, r->chunk);
        if (!r->bounce) {
            return false;
        }
        if (!blk_req_is_read(r)) {
            blk_req_copy(r, true);
        }
        qemu_iovec_init_buf(&r->qiov, r->bounce, r->chunk);
        return true;
    }
    r->chunk = got;
    qemu_iovec_init(&r->qiov, n);
    r->have_qiov = true;
    for (i = r->iov, off = r->iov_off; got; i++, off = 0) {
        size_t len = MIN(bio->iov[i].iov_len - off, got);

        qemu_iovec_add(&r->qiov, (char *)bio->iov[i].iov_base + off, len);
        got -= len;
    }
    return true;
}

/* ---- used again --------------------------------------------------------- */

/* Requests of a thread that are over: where a host keeps its queues busy nothing is
 * allocated. What ends on another thread than it began is that one's. */
#define BLK_SPARE 256

struct blk_spares {
    struct blk_req *first;
    unsigned n;
};

static void blk_spares_free(void *opaque)
{
    struct blk_spares *s = opaque;

    while (s->first) {
        struct blk_req *r = s->first;

        s->first = QSIMPLEQ_NEXT(r, next);
        g_free(r);
    }
    g_free(s);
}

static GPrivate blk_spares = G_PRIVATE_INIT(blk_spares_free);

static struct blk_spares *blk_spares_here(void)
{
    struct blk_spares *s = g_private_get(&blk_spares);

    if (!s) {
        s = g_new0(struct blk_spares, 1);
        g_private_set(&blk_spares, s);
    }
    return s;
}

static struct blk_req *blk_req_new(void)
{
    struct blk_spares *s = blk_spares_here();
    struct blk_req *r = s->first;

    if (!r) {
        return g_new(struct blk_req, 1);
    }
    s->first = QSIMPLEQ_NEXT(r, next);
    s->n--;
    return r;
}

static void blk_req_put(struct blk_req *r)
{
    struct blk_spares *s = blk_spares_here();

    if (s->n == BLK_SPARE) {
        g_free(r);
        return;
    }
    QSIMPLEQ_NEXT(r, next) = s->first;
    s->first = r;
    s->n++;
}

/* ---- the course of a request ------------------------------------------- */

static bool blk_req_go(struct blk_req *r, int *err);

static void blk_req_free(struct blk_req *r)
{
    struct blk_backend *b = r->b;

    blk_req_chunk_end(r);
    r->bio->priv = NULL;
    blk_req_put(r);
    blk_backend_unref(b);
}

static void blk_req_finish(struct blk_req *r, int err)
{
    struct envme_bio *bio = r->bio;
    struct blk_backend *b = r->b;

    qatomic_inc(&b->refs);
    blk_req_free(r);
    bio->done(bio, err);
    blk_backend_unref(b);
}

static void blk_req_finish_bh(void *opaque)
{
    struct blk_req *r = opaque;

    blk_req_finish(r, r->err);
}

/* True when the request waits for the machine to be resumed. */
static bool blk_req_stop(struct blk_req *r)
{
    struct blk_backend *b = r->b;
    bool waits = false;

    g_mutex_lock(&b->lock);
    if (!b->abandoned && !r->cancelled) {
        waits = r->waits = true;
        QSIMPLEQ_INSERT_TAIL(&b->stopped, r, next);
    }
    g_mutex_unlock(&b->lock);
    return waits;
}

/*
 * Once a call has ended in an error. True: the request is over with *err;
 * false: it waits for the machine to be resumed.
 */
static bool blk_req_failed(struct blk_req *r, int *err)
{
    BlockBackend *blk = r->b->blk;
    bool is_read = blk_req_is_read(r);
    BlockErrorAction action;

    block_acct_failed(blk_get_stats(blk), &r->acct);
    blk_req_chunk_end(r);
    if (r->cancelled || r->bio->op == ENVME_BIO_DISCARD) {
        /* Discarding is a hint. */
        return true;
    }
    action = blk_get_error_action(blk, is_read, -*err);
    if (action == BLOCK_ERROR_ACTION_STOP && !blk_req_stop(r)) {
        action = BLOCK_ERROR_ACTION_REPORT;
    }
    blk_error_action(blk, action, is_read, -*err);
    if (action == BLOCK_ERROR_ACTION_IGNORE) {
        *err = 0;
    }
    return action != BLOCK_ERROR_ACTION_STOP;
}

/* A call has ended with ret. True: the request is over with *err; *more:
 * there is another call to make. */
static bool blk_req_called(struct blk_req *r, int ret, int *err, bool *more)
{
    r->aiocb = NULL;
    *more = false;
    *err = ret < 0 ? ret : 0;
    if (ret < 0) {
        return blk_req_failed(r, err);
    }
    if (r->bounce && blk_req_is_read(r)) {
        blk_req_copy(r, false);
    }
    block_acct_done(blk_get_stats(r->b->blk), &r->acct);
    blk_req_chunk_end(r);
    blk_req_advance(r, r->chunk);
    if (r->done == r->bio->bytes || r->bio->op == ENVME_BIO_FLUSH) {
        return true;
    }
    if (r->cancelled) {
        *err = -ECANCELED;
        return true;
    }
    *more = true;
    return false;
}

static void blk_req_cb(void *opaque, int ret)
{
    struct blk_req *r = opaque;
    bool more;
    int err;

    if (blk_req_called(r, ret, &err, &more) || (more && blk_req_go(r, &err))) {
        blk_req_finish(r, err);
    }
}

/*
 * What is read as zeroes without being looked up is deallocated, whatever node
 * of a chain says so. A node that can't tell is as good as one that has data.
 */
static int coroutine_fn blk_req_status(BlockBackend *blk,
                                       struct envme_bio *bio)
{
    int64_t n = 0;
    int ret;

    blk_inc_in_flight(blk);
    ret = blk_co_block_status_above(blk, NULL, bio->offset,
                                    MIN(bio->bytes, BLK_MAX_BYTES), &n, NULL,
                                    NULL);
    blk_dec_in_flight(blk);
    if (ret < 0 || n <= 0) {
        bio->hole = false;
        bio->same = bio->bytes;
    } else {
        bio->hole = ret & BDRV_BLOCK_ZERO;
        bio->same = n;
    }
    return 0;
}

/*
 * Reads and writes go straight into the block layer. What it can answer at
 * once (a cache, memory, null-co) is over before we return, with no bottom
 * half in between.
 */
static void coroutine_fn blk_req_co(void *opaque)
{
    struct blk_req *r = opaque;
    struct envme_bio *bio = r->bio;
    BlockBackend *blk = r->b->blk;
    uint64_t off = bio->offset + r->done;
    int ret;

    if (bio->op == ENVME_BIO_STATUS) {
        ret = blk_req_status(blk, bio);
    } else if (blk_req_is_read(r)) {
        ret = blk_co_preadv(blk, off, r->chunk, &r->qiov, 0);
    } else {
        ret = blk_co_pwritev(blk, off, r->chunk, &r->qiov,
                             bio->flags & ENVME_BIO_FUA ? BDRV_REQ_FUA : 0);
    }
    if (r->entering) {
        r->ret = ret;
        r->entering = false;
    } else {
        blk_req_cb(r, ret);
    }
}

/* True: the call has ended with *ret. False: blk_req_cb() comes later. */
static bool blk_req_enter(struct blk_req *r, int *ret)
{
    Coroutine *co;

    r->entering = true;
    co = qemu_coroutine_create(blk_req_co, r);
    aio_co_enter(r->ctx, co);
    if (!r->entering) {
        *ret = r->ret;
        return true;
    }
    r->entering = false;
    return false;
}

static bool blk_req_go_data(struct blk_req *r, int *ret)
{
    BlockBackend *blk = r->b->blk;

    block_acct_start(blk_get_stats(blk), &r->acct, 0,
                     blk_req_is_read(r) ? BLOCK_ACCT_READ : BLOCK_ACCT_WRITE);
    if (!blk_req_chunk_data(r)) {
        *ret = -ENOMEM;
        return true;
    }
    r->acct.bytes = r->chunk;
    return blk_req_enter(r, ret);
}

/* True: the call has ended with *ret. False: blk_req_cb() comes later. */
static bool blk_req_call(struct blk_req *r, int *ret)
{
    const struct envme_bio *bio = r->bio;
    BlockBackend *blk = r->b->blk;
    uint64_t off = bio->offset + r->done;
    int flags = 0;

    switch (bio->op) {
    case ENVME_BIO_READ:
    case ENVME_BIO_WRITE:
        return blk_req_go_data(r, ret);
    case ENVME_BIO_FLUSH:
        r->chunk = 0;
        block_acct_start(blk_get_stats(blk), &r->acct, 0, BLOCK_ACCT_FLUSH);
        r->aiocb = blk_aio_flush(blk, blk_req_cb, r);
        return false;
    case ENVME_BIO_WRITE_ZEROES:
        r->chunk = MIN(bio->bytes - r->done, BLK_MAX_BYTES);
        flags |= bio->flags & ENVME_BIO_FUA ? BDRV_REQ_FUA : 0;
        flags |= bio->flags & ENVME_BIO_MAY_UNMAP ? BDRV_REQ_MAY_UNMAP : 0;
        block_acct_start(blk_get_stats(blk), &r->acct, r->chunk,
                         BLOCK_ACCT_WRITE);
        r->aiocb = blk_aio_pwrite_zeroes(blk, off, r->chunk, flags,
                                         blk_req_cb, r);
        return false;
    case ENVME_BIO_DISCARD:
        r->chunk = MIN(bio->bytes - r->done, BLK_MAX_BYTES);
        block_acct_start(blk_get_stats(blk), &r->acct, r->chunk,
                         BLOCK_ACCT_UNMAP);
        r->aiocb = blk_aio_pdiscard(blk, off, r->chunk, blk_req_cb, r);
        return false;
    case ENVME_BIO_STATUS:
        r->chunk = bio->bytes;
        block_acct_start(blk_get_stats(blk), &r->acct, 0, BLOCK_ACCT_NONE);
        return blk_req_enter(r, ret);
    case ENVME_BIO_OPS:
        break;
    }
    g_assert_not_reached();
}

/* Starts what is left. True: the request is over with *err. False: it will
 * be, and blk_req_finish() called. */
static bool blk_req_go(struct blk_req *r, int *err)
{
    bool more;
    int ret;

    do {
        if (!blk_req_call(r, &ret)) {
            return false;
        }
        if (blk_req_called(r, ret, err, &more)) {
            return true;
        }
    } while (more);
    return false;
}

/* ---- rerror=stop, werror=stop ------------------------------------------ */

/* One that waits on this thread, or NULL. */
static struct blk_req *blk_stopped_take(struct blk_backend *b,
                                        struct blk_req *which)
{
    AioContext *ctx = qemu_get_current_aio_context();
    struct blk_req *r;

    g_mutex_lock(&b->lock);
    QSIMPLEQ_FOREACH(r, &b->stopped, next) {
        if (which ? r == which : r->ctx == ctx) {
            QSIMPLEQ_REMOVE(&b->stopped, r, blk_req, next);
            r->waits = false;
            break;
        }
    }
    g_mutex_unlock(&b->lock);
    return r;
}

static void blk_resume_bh(void *opaque)
{
    struct blk_backend *b = opaque;
    QSIMPLEQ_HEAD(, blk_req) list = QSIMPLEQ_HEAD_INITIALIZER(list);
    struct blk_req *r;
    int err;

    /* All first: one that fails again waits for the next resume. */
    while ((r = blk_stopped_take(b, NULL))) {
        QSIMPLEQ_INSERT_TAIL(&list, r, next);
    }
    while ((r = QSIMPLEQ_FIRST(&list))) {
        QSIMPLEQ_REMOVE_HEAD(&list, next);
        if (b->abandoned) {
            blk_req_finish(r, -EIO);
        } else if (blk_req_go(r, &err)) {
            blk_req_finish(r, err);
        }
    }
    blk_backend_unref(b);
}

/* Has every thread look at its requests that wait. */
static void blk_stopped_kick(struct blk_backend *b)
{
    struct blk_req *r;

    g_mutex_lock(&b->lock);
    QSIMPLEQ_FOREACH(r, &b->stopped, next) {
        qatomic_inc(&b->refs);
        aio_bh_schedule_oneshot(r->ctx, blk_resume_bh, b);
    }
    g_mutex_unlock(&b->lock);
}

static void blk_vm_state(void *opaque, bool running, RunState state)
{
    (void)state;
    if (running) {
        blk_stopped_kick(opaque);
    }
}

void envme_blk_abandon(struct envme_backend *be)
{
    struct blk_backend *b = container_of(be, struct blk_backend, be);

    g_mutex_lock(&b->lock);
    b->abandoned = true;
    g_mutex_unlock(&b->lock);
    blk_stopped_kick(b);
}

/* ---- the backend ------------------------------------------------------- */

static int blk_be_submit(struct envme_backend *be, struct envme_bio *bio)
{
    struct blk_backend *b = container_of(be, struct blk_backend, be);
    struct blk_req *r;
    int err;

    if (bio->op != ENVME_BIO_FLUSH && !bio->bytes) {
        return 0;
    }
    r = blk_req_new();
    *r = (struct blk_req) {
        .b = b, .bio = bio, .ctx = qemu_get_current_aio_context(),
    };
    qatomic_inc(&b->refs);
    bio->priv = r;
    if (blk_req_go(r, &err)) {
        blk_req_free(r);
        return err;
    }
    return ENVME_BIO_PENDING;
}

static void blk_be_cancel(struct envme_backend *be, struct envme_bio *bio)
{
    struct blk_backend *b = container_of(be, struct blk_backend, be);
    struct blk_req *r = bio->priv;

    if (!r || r->cancelled) {
        return;
    }
    r->cancelled = true;
    if (blk_stopped_take(b, r)) {
        r->err = -ECANCELED;
        aio_bh_schedule_oneshot(r->ctx, blk_req_finish_bh, r);
    } else if (r->aiocb) {
        blk_aio_cancel_async(r->aiocb);
    }
}

static void blk_be_geometry(struct envme_backend *be,
                            struct envme_geometry *geo)
{
    struct blk_backend *b = container_of(be, struct blk_backend, be);

    g_mutex_lock(&b->lock);
    *geo = b->geo;
    g_mutex_unlock(&b->lock);
}

static int blk_be_set_cache(struct envme_backend *be, bool on)
{
    struct blk_backend *b = container_of(be, struct blk_backend, be);

    blk_set_enable_write_cache(b->blk, on);
    return 0;
}

static void blk_be_close(struct envme_backend *be)
{
    struct blk_backend *b = container_of(be, struct blk_backend, be);

    blk_drain(b->blk);
    blk_set_dev_ops(b->blk, NULL, NULL);
    qemu_del_vm_change_state_handler(b->vmstate);
    b->be.changed = NULL;
    blk_backend_unref(b);
}

static const struct envme_backend_ops blk_ops = {
    .name = "block",
    .submit = blk_be_submit,
    .cancel = blk_be_cancel,
    .geometry = blk_be_geometry,
    .set_cache = blk_be_set_cache,
    .close = blk_be_close,
};

/* ---- size -------------------------------------------------------------- */

static int blk_measure(struct blk_backend *b)
{
    int64_t size = blk_getlength(b->blk);

    if (size < 0) {
        return size;
    }
    g_mutex_lock(&b->lock);
    b->geo.size = size;
    g_mutex_unlock(&b->lock);
    return 0;
}

static void blk_resize_bh(void *opaque)
{
    struct blk_backend *b = opaque;

    /* be.changed is gone when it has been closed meanwhile. */
    if (b->be.changed && blk_measure(b) == 0) {
        b->be.changed(&b->be, b->be.changed_opaque);
    }
    blk_backend_unref(b);
}

/* May come on any thread. */
static void blk_resized(void *opaque)
{
    struct blk_backend *b = opaque;

    qatomic_inc(&b->refs);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), blk_resize_bh, b);
}

static const BlockDevOps blk_dev_ops = {
    .resize_cb = blk_resized,
};

/* A format that keeps its data in clusters frees whole ones. */
static uint32_t blk_granularity(BlockBackend *blk)
{
    BlockDriverInfo bdi;

    return bdrv_get_info(blk_bs(blk), &bdi) < 0 ? 0 : MAX(bdi.cluster_size, 0);
}

struct envme_backend *envme_blk_new(BlockConf *conf, Error **errp)
{
    struct blk_backend *b = g_new0(struct blk_backend, 1);
    int err;

    b->be.ops = &blk_ops;
    b->blk = conf->blk;
    b->refs = 1;
    g_mutex_init(&b->lock);
    QSIMPLEQ_INIT(&b->stopped);
    b->geo = (struct envme_geometry) {
        .align = 1,             /* the block layer aligns */
        .read_only = !blk_supports_write_perm(b->blk),
        .discard = blk_get_flags(b->blk) & BDRV_O_UNMAP,
        .volatile_cache = true,
        .status = true,
        .granularity = blk_granularity(b->blk),
    };
    err = blk_measure(b);
    if (err) {
        error_setg_errno(errp, -err, "drive=%s has no size",
                         blk_name(b->blk));
        blk_backend_unref(b);
        return NULL;
    }
    b->vmstate = qemu_add_vm_change_state_handler(blk_vm_state, b);
    blk_set_dev_ops(b->blk, &blk_dev_ops, b);
    blk_iostatus_enable(b->blk);
    return &b->be;
}
