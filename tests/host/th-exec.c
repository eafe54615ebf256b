/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake host: the exec and time ports, in two flavours (see th.h), and the
 * backend decorator, whose completions are work of the lane that submitted.
 */
#include <errno.h>

#include "th-int.h"

__thread int th_lane_now;

struct th_job {
    envme_exec_fn *fn;
    void *arg;
};

uint32_t th_random(struct th *h, uint32_t below)
{
    return below > 1 ? g_rand_int(h->rand) % below : 0;
}

/* ---- time ---------------------------------------------------------------- */

static uint64_t exec_now(void *opaque)
{
    struct th *h = opaque;

    if (h->opts.threads) {
        return g_get_monotonic_time() * 1000ull;
    }
    return atomic_load_explicit(&h->clock, memory_order_relaxed);
}

static uint64_t exec_wall(void *opaque)
{
    struct th *h = opaque;

    return atomic_load_explicit(&h->wall, memory_order_relaxed) +
           exec_now(h) / 1000000;
}

/* ---- the port ------------------------------------------------------------ */

static void exec_kick(void *opaque, unsigned lane)
{
    struct th *h = opaque;
    struct th_lane *l = &h->lane[lane];

    g_assert(lane < h->nlanes);
    if (!h->opts.threads) {
        l->kicked = true;
        return;
    }
    g_mutex_lock(&l->lock);
    if (!l->kicked) {
        l->kicked = true;
        g_cond_signal(&l->cond);
    }
    g_mutex_unlock(&l->lock);
}

static void exec_defer(void *opaque, unsigned lane, envme_exec_fn *fn,
                       void *arg)
{
    struct th *h = opaque;
    struct th_lane *l = &h->lane[lane];
    struct th_job *job = g_new(struct th_job, 1);

    g_assert(lane < h->nlanes);
    *job = (struct th_job){ fn, arg };
    g_mutex_lock(&l->lock);
    g_queue_push_tail(&l->jobs, job);
    g_cond_signal(&l->cond);
    g_mutex_unlock(&l->lock);
}

static void exec_arm(void *opaque, unsigned lane, uint64_t deadline)
{
    struct th *h = opaque;

    g_assert(lane < h->nlanes);
    if (th_lane_now != (int)lane) {
        g_error("arm of lane %u on lane %d", lane, th_lane_now);
    }
    g_mutex_lock(&h->lane[lane].lock);
    h->lane[lane].deadline = deadline;
    g_mutex_unlock(&h->lane[lane].lock);
}

static bool exec_on_lane(void *opaque, unsigned lane)
{
    (void)opaque;
    return th_lane_now == (int)lane;
}

/* ---- backend ------------------------------------------------------------- */

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
static void be_carry_out(struct th_bio *tb)
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

static int be_submit(struct envme_backend *b, struct envme_bio *bio)
{
    struct th_be *be = be_of(b);
    struct th_bio *tb;
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
    tb = g_new0(struct th_bio, 1);
    tb->be = be;
    tb->bio = bio;
    tb->lane = th_lane_now;
    tb->err = err;
    tb->ready = !be->hold;
    tb->link.data = tb;
    bio->priv = tb;
    g_queue_push_tail_link(&be->bios[tb->lane], &tb->link);
    atomic_fetch_add(&be->nbios, 1);
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

static bool be_is_hole(struct envme_backend *b, uint64_t offset,
                       uint64_t bytes, uint64_t *same)
{
    struct th_be *be = be_of(b);

    if (!be->inner->ops->is_hole) {
        *same = bytes;
        return false;
    }
    return be->inner->ops->is_hole(be->inner, offset, bytes, same);
}

static void be_close(struct envme_backend *b)
{
    struct th_be *be = be_of(b);

    g_assert(!be->closed && !be->nbios);
    be->closed = true;
    be->inner->ops->close(be->inner);
    g_free(be);
}

static const struct envme_backend_ops be_ops = {
    .name = "test", .submit = be_submit, .cancel = be_cancel,
    .geometry = be_geometry, .set_cache = be_set_cache,
    .is_hole = be_is_hole, .close = be_close,
};

struct th_be *th_be_new(struct th *h, const struct th_ns_opts *o)
{
    struct th_be *be = g_new0(struct th_be, 1);
    unsigned i;

    /* Room to grow. */
    be->inner = envme_backend_mem_new(NULL, o->size * 2, true, false);
    g_assert(be->inner);
    be->be.ops = &be_ops;
    be->h = h;
    be->inner->ops->geometry(be->inner, &be->geo);
    be->geo.size = o->size;
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

/* ---- one thread plays all lanes ------------------------------------------ */

enum { CAND_KICK, CAND_JOB, CAND_BIO };

struct cand {
    int kind;
    struct th *h;
    unsigned lane;
    struct th_bio *bio;
};

static struct th_bio *exec_ready_bio(struct th *h, struct th_be *be,
                                     unsigned lane)
{
    struct th_bio *pick = NULL;
    unsigned n = 0;
    GList *l;

    for (l = be->bios[lane].head; l; l = l->next) {
        struct th_bio *tb = l->data;

        if (!tb->ready || tb->inner_busy) {
            continue;
        }
        if (!h->opts.seed) {
            return tb;
        }
        /* Each with the same chance. */
        if (th_random(h, ++n) == 0) {
            pick = tb;
        }
        if (n == 16) {
            break;
        }
    }
    return pick;
}

static unsigned exec_cands(struct th *h, struct cand *c, unsigned n)
{
    unsigned i, j;

    for (i = 0; i < h->nlanes; i++) {
        struct th_lane *l = &h->lane[i];

        if (l->kicked || l->deadline <= exec_now(h)) {
            c[n++] = (struct cand){ CAND_KICK, h, i, NULL };
        }
        if (!g_queue_is_empty(&l->jobs)) {
            c[n++] = (struct cand){ CAND_JOB, h, i, NULL };
        }
    }
    for (j = 0; j < h->nns; j++) {
        for (i = 0; h->be[j]->nbios && i < TH_MAX_LANES; i++) {
            struct th_bio *tb = exec_ready_bio(h, h->be[j], i);

            if (tb) {
                c[n++] = (struct cand){ CAND_BIO, h, i, tb };
            }
        }
    }
    return n;
}

static void exec_do(const struct cand *c)
{
    struct th_lane *l = &c->h->lane[c->lane];
    struct th_job *job;

    switch (c->kind) {
    case CAND_KICK:
        l->kicked = false;
        if (l->deadline <= exec_now(c->h)) {
            l->deadline = UINT64_MAX;
        }
        envme_lane_run(c->h->ctrl, c->lane);
        break;
    case CAND_JOB:
        job = g_queue_pop_head(&l->jobs);
        job->fn(job->arg);
        g_free(job);
        break;
    case CAND_BIO:
        be_carry_out(c->bio);
        break;
    }
}

#define MAX_CANDS 512

bool th_step(struct th *h)
{
    struct cand c[MAX_CANDS];
    unsigned n = 0, pick;
    struct th *w = h;

    g_assert(!h->opts.threads && th_lane_now == 0);
    do {
        n = exec_cands(w, c, n);
        w = w->next;
    } while (w != h);
    if (!n) {
        return false;
    }
    g_assert(n < MAX_CANDS / 2);
    h->steps++;
    pick = h->opts.seed ? th_random(h, n) : h->steps % n;
    w = h;
    do {
        atomic_fetch_add_explicit(&w->clock, 1000, memory_order_relaxed);
        w = w->next;
    } while (w != h);
    th_lane_now = c[pick].lane;
    exec_do(&c[pick]);
    th_lane_now = 0;
    return true;
}

/* ---- threads ------------------------------------------------------------- */

static bool exec_lane_bios(struct th *h, unsigned lane, GRand *rand)
{
    bool any = false;
    unsigned j;

    for (j = 0; j < h->nns; j++) {
        struct th_be *be = h->be[j];
        GList *l, *next;

        for (l = be->bios[lane].head; l; l = next) {
            struct th_bio *tb = l->data;

            next = l->next;
            if (tb->inner_busy || (!tb->ready && be->hold)) {
                continue;
            }
            any = true;
            if (g_rand_int(rand) % 4) {
                be_carry_out(tb);
                /* It may have submitted more, and ended others. */
                break;
            }
        }
    }
    return any;
}

/* One turn of a lane's thread. False when there was nothing to do. */
static bool exec_turn(struct th_lane *l, GRand *rand)
{
    struct th_job *job;
    bool kicked;

    g_mutex_lock(&l->lock);
    job = g_queue_pop_head(&l->jobs);
    kicked = l->kicked;
    l->kicked = false;
    if (l->deadline <= exec_now(l->h)) {
        l->deadline = UINT64_MAX;
        kicked = true;
    }
    g_mutex_unlock(&l->lock);
    if (job) {
        job->fn(job->arg);
        g_free(job);
    }
    if (kicked) {
        envme_lane_run(l->h->ctrl, l->index);
    }
    return exec_lane_bios(l->h, l->index, rand) || job || kicked;
}

static void *exec_thread(void *arg)
{
    struct th_lane *l = arg;
    GRand *rand = g_rand_new_with_seed(l->index);

    th_lane_now = l->index;
    for (;;) {
        if (exec_turn(l, rand)) {
            continue;
        }
        g_mutex_lock(&l->lock);
        if (l->stop) {
            g_mutex_unlock(&l->lock);
            break;
        }
        /* Bios that are held have nobody to signal. */
        if (!l->kicked && g_queue_is_empty(&l->jobs)) {
            g_cond_wait_until(&l->cond, &l->lock,
                              g_get_monotonic_time() + 2000);
        }
        g_mutex_unlock(&l->lock);
    }
    g_rand_free(rand);
    return NULL;
}

/* ---- both ---------------------------------------------------------------- */

void th_run(struct th *h)
{
    uint64_t n = 0;

    if (h->opts.threads) {
        while (exec_turn(&h->lane[0], h->rand)) {
            n++;
        }
        return;
    }
    while (th_step(h)) {
        if (++n == 20000000) {
            g_error("the controller never comes to rest");
        }
    }
}

bool th_until(struct th *h, bool (*cond)(void *arg), void *arg)
{
    struct th_lane *l = &h->lane[0];
    int64_t end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (!cond(arg)) {
        if (!h->opts.threads) {
            if (!th_step(h)) {
                return cond(arg);
            }
            continue;
        }
        if (exec_turn(l, h->rand)) {
            continue;
        }
        if (g_get_monotonic_time() > end) {
            return false;
        }
        g_mutex_lock(&l->lock);
        if (!l->kicked && g_queue_is_empty(&l->jobs)) {
            g_cond_wait_until(&l->cond, &l->lock, g_get_monotonic_time() + 200);
        }
        g_mutex_unlock(&l->lock);
    }
    return true;
}

void th_advance(struct th *h, uint64_t ns)
{
    struct th *w = h;

    do {
        atomic_fetch_add(&w->clock, ns);
        w = w->next;
    } while (w != h);
    th_run(h);
}

void th_exec_init(struct th *h)
{
    unsigned i;

    h->nlanes = h->opts.lanes + 1;
    g_assert(h->nlanes <= TH_MAX_LANES);
    h->lane = g_new0(struct th_lane, h->nlanes);
    h->clock = 1000000000;
    h->wall = 1700000000000ull;
    for (i = 0; i < h->nlanes; i++) {
        struct th_lane *l = &h->lane[i];

        l->h = h;
        l->index = i;
        l->deadline = UINT64_MAX;
        g_mutex_init(&l->lock);
        g_cond_init(&l->cond);
        g_queue_init(&l->jobs);
    }
    h->ports.time = (struct envme_time){
        .opaque = h, .now = exec_now, .wall_ms = exec_wall,
    };
    h->ports.exec = (struct envme_exec){
        .opaque = h, .nlanes = h->nlanes, .kick = exec_kick,
        .defer = exec_defer, .arm = exec_arm, .on_lane = exec_on_lane,
    };
}

void th_exec_start(struct th *h)
{
    unsigned i;

    for (i = 1; h->opts.threads && i < h->nlanes; i++) {
        h->lane[i].thread = g_thread_new("lane", exec_thread, &h->lane[i]);
    }
}

void th_exec_stop(struct th *h)
{
    unsigned i;

    for (i = 1; i < h->nlanes; i++) {
        struct th_lane *l = &h->lane[i];

        if (!l->thread) {
            continue;
        }
        g_mutex_lock(&l->lock);
        l->stop = true;
        g_cond_signal(&l->cond);
        g_mutex_unlock(&l->lock);
        g_thread_join(l->thread);
        l->thread = NULL;
    }
    th_run(h);
}

void th_exec_fini(struct th *h)
{
    unsigned i;

    for (i = 0; i < h->nlanes; i++) {
        struct th_lane *l = &h->lane[i];

        if (!g_queue_is_empty(&l->jobs)) {
            g_error("lane %u has a job left", i);
        }
        g_mutex_clear(&l->lock);
        g_cond_clear(&l->cond);
    }
    g_free(h->lane);
}
