/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake host: the exec and time ports, in two flavours (see th.h).
 */
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

/* ---- time -------------------------------------------------------------- */

static uint64_t exec_now(void *opaque)
{
    struct th *h = opaque;

    if (h->opts.threads) {
        return g_get_monotonic_time() * 1000ull / (h->opts.slow + 1);
    }
    return atomic_load_explicit(&h->clock, memory_order_relaxed);
}

static uint64_t exec_wall(void *opaque)
{
    struct th *h = opaque;

    return atomic_load_explicit(&h->wall, memory_order_relaxed) +
           exec_now(h) / 1000000;
}

/* ---- the port ---------------------------------------------------------- */

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

/* ---- polling, as an AioContext does it --------------------------------- */

static void exec_poll_begin(struct th_lane *l)
{
    if (l->h->opts.poll && l->index && !l->polling) {
        l->polling = true;
        envme_lane_poll_begin(l->h->ctrl, l->index);
    }
}

static void exec_poll_end(struct th_lane *l)
{
    if (l->polling) {
        l->polling = false;
        envme_lane_poll_end(l->h->ctrl, l->index);
    }
}

/* ---- putting turns off, as vCPUs do ------------------------------------ */

static void exec_run(struct th_lane *l, bool kicked, GRand *rand)
{
    struct envme_ctrl *ctrl = l->h->ctrl;

    if (l->h->opts.gather && (kicked || !l->holding)) {
        unsigned want = 1 + g_rand_int(rand) % 16;
        unsigned n = envme_lane_gather(ctrl, l->index, want);

        if (n && n < want) {
            l->holding = true;
            return;
        }
    }
    l->holding = false;
    th_in_turn = !l->h->opts.threads;
    envme_lane_run(ctrl, l->index);
    th_in_turn = false;
}

/* ---- one thread plays all lanes ---------------------------------------- */

enum { CAND_KICK, CAND_JOB, CAND_BIO, CAND_POLL };

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

        if (l->kicked || l->holding || l->deadline <= exec_now(h)) {
            c[n++] = (struct cand){ CAND_KICK, h, i, NULL };
        }
        if (!g_queue_is_empty(&l->jobs)) {
            c[n++] = (struct cand){ CAND_JOB, h, i, NULL };
        }
        if (l->polling) {
            c[n++] = (struct cand){ CAND_POLL, h, i, NULL };
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
    bool kicked;

    if (c->kind != CAND_POLL && c->lane < c->h->nlanes && !th_random(c->h, 3)) {
        exec_poll_begin(l);
    }
    switch (c->kind) {
    case CAND_POLL:
        if (envme_lane_poll(l->h->ctrl, l->index)) {
            envme_lane_run(c->h->ctrl, c->lane);
        } else if (!th_random(c->h, 8)) {
            exec_poll_end(l);
        }
        break;
    case CAND_KICK:
        kicked = l->kicked;
        l->kicked = false;
        if (l->deadline <= exec_now(c->h)) {
            l->deadline = UINT64_MAX;
            l->holding = true;  /* no putting off */
            kicked = false;
        }
        exec_run(l, kicked, c->h->rand);
        break;
    case CAND_JOB:
        job = g_queue_pop_head(&l->jobs);
        job->fn(job->arg);
        g_free(job);
        break;
    case CAND_BIO:
        th_be_carry_out(c->bio);
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

/* ---- threads ----------------------------------------------------------- */

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
                th_be_carry_out(tb);
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
    if (kicked || l->holding) {
        exec_run(l, kicked, rand);
        kicked = true;
    }
    return exec_lane_bios(l->h, l->index, rand) || job || kicked;
}

/* True: a host has written a doorbell. False: nobody polls any more. */
static bool exec_poll(struct th_lane *l, GRand *rand)
{
    bool news = false;

    exec_poll_begin(l);
    for (int i = g_rand_int(rand) % 64; i && l->polling && !news; i--) {
        news = envme_lane_poll(l->h->ctrl, l->index);
    }
    if (news) {
        envme_lane_run(l->h->ctrl, l->index);
    } else {
        exec_poll_end(l);
    }
    return news;
}

static void *exec_thread(void *arg)
{
    struct th_lane *l = arg;
    GRand *rand = g_rand_new_with_seed(l->index);

    th_lane_now = l->index;
    for (;;) {
        if (exec_turn(l, rand) || exec_poll(l, rand)) {
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

/* ---- both -------------------------------------------------------------- */

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
