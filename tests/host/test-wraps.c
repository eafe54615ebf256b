/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Doorbell stress: real threads ring at rings that wrap with every few of their
 * doorbells, idle at random, and no doorbell may be lost.
 *
 * Each run goes on for an hour's worth of wraps: a controller that carries out
 * 50,000 commands a second, on rings of 1,024 entries, wraps its SQs 175,781
 * times in an hour, all of them together, and its CQs as often. Rings of 2 to 8
 * entries wrap that often in seconds. ENVME_WRAP_MINUTES: how many minutes'
 * worth instead of 60; meson.build has fewer for builds with sanitizers.
 *
 * Mapped doorbells turn into registers and back meanwhile, as often as is said
 * below. Shadow doorbells keep doorbells from being mapped, so with them there
 * is no such switch: what races there is the event index.
 *
 * Nothing here is decided by time: a run ends when it has counted enough of
 * each, and fails when that takes TOO_MANY times as many wraps as are asked
 * for, or when no command completes for a minute.
 */
#include "th.h"

#include <inttypes.h>

#define HOUR_WRAPS (UINT64_C(50000) * 3600 / 1024)
#define TOO_MANY   20
/* Times that doorbells turned into memory and back, with vCPUs ringing in just
 * that moment. */
#define SWITCHES   50
/* Each vCPU has so many of its own, on all lanes. */
#define QUEUES     8
#define MAX_VCPUS  4

struct run {
    const char *name;
    unsigned lanes, nvcpu;
    bool shadow, poll, gather;
};

struct queue {
    unsigned qid;
    /* Its vCPU writes them. */
    atomic_uint put, done, sq_wraps, cq_wraps;
};

struct vcpu {
    struct wraps *w;
    GThread *thread;
    GRand *rand;
    struct queue q[QUEUES];
    atomic_uint busy;           /* commands that have not come back */
    unsigned race;              /* the last one that it took part in */
    atomic_bool ended;
};

/* What vCPUs do: all, nothing, or nothing but ring once while doorbells turn
 * into registers. */
enum mode { GO, IDLE, RACE, STOP };

struct wraps {
    struct th *h;
    const struct run *run;
    struct vcpu v[MAX_VCPUS];
    atomic_int mode;
    uint64_t want;              /* wraps of SQs, and of CQs */
    unsigned turns;             /* into memory, before vCPUs run */
    atomic_uint races;
};

/* Entries of SQ and CQ. */
static const struct {
    uint32_t sq, cq;
} rings[QUEUES] = {
    { 2, 2 }, { 3, 2 }, { 2, 3 }, { 4, 3 }, { 3, 8 }, { 8, 2 }, { 5, 5 },
    { 2, 4 },
};

/* ---- a vCPU ------------------------------------------------------------ */

static unsigned queue_submit(struct vcpu *v, struct queue *q)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
    struct th *h = v->w->h;
    struct th_sq *sq = h->sq[q->qid];
    unsigned max = 1 + g_rand_int(v->rand) % 4, n = 0;

    for (; n < max && (sq->tail + 1) % sq->size != sq->head; n++) {
        th_abandon(h, q->qid, th_put(h, q->qid, &s));
        q->sq_wraps += sq->tail == 0;
    }
    if (n) {
        th_ring(h, q->qid);
        q->put += n;
    }
    return n;
}

/* No more than is free in a CQ that was empty: once round at most. */
static unsigned queue_reap(struct vcpu *v, struct queue *q)
{
    struct th_cq *cq = v->w->h->cq[q->qid];
    bool phase = cq->phase;
    unsigned n = th_reap(v->w->h, q->qid);

    g_assert_cmpuint(n, <, cq->size);
    if (n) {
        q->cq_wraps += cq->phase != phase;
        q->done += n;
    }
    return n;
}

/* Once, on any of its queues: a second ring might tell of the first. */
static bool vcpu_race(struct vcpu *v)
{
    struct wraps *w = v->w;
    struct queue *q = &v->q[g_rand_int(v->rand) % QUEUES];
    unsigned race = atomic_load(&w->races);

    if (v->race == race ||
        atomic_load(&w->h->ctrl->mapped.state) != ENVME_MAPPED_HIDING) {
        return false;
    }
    v->race = race;
    atomic_fetch_add(&v->busy, queue_submit(v, q));
    return true;
}

/* Submits if it may, and takes what has come. False: there was nothing. */
static bool vcpu_turn(struct vcpu *v, enum mode mode)
{
    bool any = mode == RACE && vcpu_race(v);

    for (unsigned i = 0; i < QUEUES; i++) {
        unsigned put = mode == GO ? queue_submit(v, &v->q[i]) : 0;
        unsigned got = queue_reap(v, &v->q[i]);

        any |= put || got;
        if (put != got) {
            atomic_fetch_add(&v->busy, put - got);
        }
    }
    return any;
}

static void *vcpu_main(void *arg)
{
    struct vcpu *v = arg;
    enum mode mode;

    th_lane_now = -1;
    while ((mode = atomic_load(&v->w->mode)) != STOP || v->busy) {
        bool any = vcpu_turn(v, mode);

        if (mode == GO && g_rand_int(v->rand) % 4096 == 0) {
            /* Around the time after which lanes stop to look. */
            g_usleep(g_rand_int(v->rand) % 20000);
        } else if (!any && mode != GO && !v->busy) {
            g_usleep(20);
        } else if (!any) {
            g_thread_yield();
        }
    }
    atomic_store(&v->ended, true);
    return NULL;
}

static bool vcpu_ended(void *arg)
{
    return atomic_load(&((struct vcpu *)arg)->ended);
}

/* ---- a run ------------------------------------------------------------- */

struct count {
    uint64_t done, sq_wraps, cq_wraps;
    uint64_t least;             /* wraps of the ring that has wrapped least */
};

static struct count count(struct wraps *w)
{
    struct count c = { .least = UINT64_MAX };

    for (unsigned i = 0; i < w->run->nvcpu * QUEUES; i++) {
        struct queue *q = &w->v[i / QUEUES].q[i % QUEUES];

        c.done += q->done;
        c.sq_wraps += q->sq_wraps;
        c.cq_wraps += q->cq_wraps;
        c.least = MIN(c.least, MIN(q->sq_wraps, q->cq_wraps));
    }
    return c;
}

static bool enough(struct wraps *w, const struct count *c)
{
    struct th *h = w->h;

    if (MIN(c->sq_wraps, c->cq_wraps) < w->want ||
        c->least < w->want / (16 * w->run->nvcpu * QUEUES)) {
        return false;
    }
    /* Each way to ring, and none of them seldom. */
    return w->run->shadow
           ? MIN(h->rings, h->unrung) >= w->want / 8
           : MIN(h->db_stores, h->db_traps) >= w->want / 8 &&
             w->races >= SWITCHES;
}

static bool wraps_trapped(void *arg)
{
    struct wraps *w = arg;

    return atomic_load(&w->h->ctrl->mapped.state) == ENVME_MAPPED_OFF;
}

static void wraps_start(struct wraps *w)
{
    for (unsigned i = 0; i < w->run->nvcpu * QUEUES; i++) {
        struct queue *q = &w->v[i / QUEUES].q[i % QUEUES];

        q->qid = i + 1;
        th_assert_code(th_create_cq(w->h, .qid = q->qid,
                                    .size = rings[i % QUEUES].cq,
                                    .vector = q->qid), SUCCESS);
        th_assert_code(th_create_sq(w->h, .qid = q->qid,
                                    .size = rings[i % QUEUES].sq), SUCCESS);
    }
    if (w->run->shadow) {
        th_assert_code(th_shadow(w->h), SUCCESS);
        /* The admin queue's may have been mapped until then. */
        g_assert_true(th_until(w->h, wraps_trapped, w));
    }
    w->turns = w->h->db_turns;
    for (unsigned i = 0; i < w->run->nvcpu; i++) {
        w->v[i].w = w;
        w->v[i].rand = g_rand_new_with_seed(i);
        w->v[i].thread = g_thread_new("vcpu", vcpu_main, &w->v[i]);
    }
}

static bool wraps_quiet(void *arg)
{
    struct wraps *w = arg;

    for (unsigned i = 0; i < w->run->nvcpu; i++) {
        if (atomic_load(&w->v[i].busy)) {
            return false;
        }
    }
    return true;
}

/* All vCPUs are idle until doorbells cease to be memory, and ring in that
 * moment. Each is heard, although nobody rings after it. */
static void wraps_race(struct wraps *w)
{
    atomic_fetch_add(&w->races, 1);
    atomic_store(&w->mode, RACE);
    g_assert_true(th_until(w->h, wraps_trapped, w));
    atomic_store(&w->mode, IDLE);
    g_assert_true(th_until(w->h, wraps_quiet, w));
}

/* All of them are idle for about as long as it takes. */
static void wraps_idle(struct wraps *w)
{
    gint64 end = g_get_monotonic_time() + th_random(w->h, 20000);

    atomic_store(&w->mode, IDLE);
    while (g_get_monotonic_time() < end) {
        th_run(w->h);
        g_usleep(200);
    }
}

static void wraps_pause(struct wraps *w)
{
    if (th_random(w->h, 4) &&
        atomic_load(&w->h->ctrl->mapped.state) == ENVME_MAPPED_ON) {
        wraps_race(w);
    } else {
        wraps_idle(w);
    }
    atomic_store(&w->mode, GO);
}

static void wraps_go_on(struct wraps *w)
{
    struct count c = count(w);
    uint64_t done = 0, next = 0;
    gint64 since = g_get_monotonic_time();

    while (!enough(w, &c)) {
        gint64 now = g_get_monotonic_time();

        if (c.done != done) {
            done = c.done;
            since = now;
        } else if (now - since > G_USEC_PER_SEC * 60) {
            g_error("%s: stands still after %" PRIu64 " commands",
                    w->run->name, done);
        }
        g_assert_cmpuint(c.sq_wraps, <, w->want * TOO_MANY);
        th_db_again(w->h);
        th_run(w->h);
        g_usleep(200);
        if (c.sq_wraps >= next) {
            wraps_pause(w);
            next = c.sq_wraps + w->want / (SWITCHES * 2);
        }
        c = count(w);
    }
}

/* What was counted is what the rings say. */
static void queue_check(struct wraps *w, struct queue *q)
{
    struct th_sq *sq = w->h->sq[q->qid];
    struct th_cq *cq = w->h->cq[q->qid];

    g_assert_cmpuint(q->done, ==, q->put);
    g_assert_cmpuint(q->sq_wraps * sq->size + sq->tail, ==, q->put);
    g_assert_cmpuint(q->cq_wraps * cq->size + cq->head, ==, q->done);
    g_assert_cmpuint(sq->tail, ==, sq->head);
}

/* All that was submitted completes. */
static void wraps_end(struct wraps *w)
{
    atomic_store(&w->mode, STOP);
    for (unsigned i = 0; i < w->run->nvcpu; i++) {
        struct vcpu *v = &w->v[i];

        g_assert_true(th_until(w->h, vcpu_ended, v));
        g_thread_join(v->thread);
        g_rand_free(v->rand);
        for (unsigned k = 0; k < QUEUES; k++) {
            queue_check(w, &v->q[k]);
        }
    }
}

static void wraps_run(const void *arg)
{
    const struct run *run = arg;
    const char *minutes = g_getenv("ENVME_WRAP_MINUTES");
    struct wraps w = { .run = run };
    struct count c;
    struct th *h;

    w.want = HOUR_WRAPS * (minutes ? atoi(minutes) : 60) / 60;
    g_assert_cmpuint(w.want, >, 0);
    h = w.h = th_new(.lanes = run->lanes, .threads = true, .seed = run->lanes,
                     .map_direct = true, .mapped = 4096, .slow = 31,
                     .brisk = true, .poll = run->poll, .gather = run->gather);
    th_enable(h);
    wraps_start(&w);
    wraps_go_on(&w);
    wraps_end(&w);
    c = count(&w);
    g_test_message("%u lanes, %u vCPUs: %" PRIu64 " wraps of SQs, %" PRIu64
                   " of CQs, %" PRIu64 " or more each, %" PRIu64 " commands; "
                   "mapped %u times, %u races, %u stores, %u traps, %u not "
                   "rung, %u put off",
                   run->lanes, run->nvcpu, c.sq_wraps, c.cq_wraps, c.least,
                   c.done, h->db_turns, w.races, h->db_stores, h->db_traps,
                   h->unrung, h->held);
    g_assert_cmpuint(c.sq_wraps, >=, w.want);
    g_assert_cmpuint(c.cq_wraps, >=, w.want);
    g_assert_cmpuint(h->held > 0, ==, run->gather);
    if (run->shadow) {
        g_assert_cmpuint(h->db_turns, ==, w.turns);
        g_assert_cmpuint(h->unrung, >=, w.want / 8);
    } else {
        g_assert_cmpuint(w.races, >=, SWITCHES);
        g_assert_cmpuint(h->db_turns, >=, w.races);
        g_assert_cmpuint(h->unrung, ==, 0);
    }
    th_free(h);
}

static const struct run runs[] = {
    { "/wraps/mapped-1", 1, 2, false, false, false },
    { "/wraps/mapped-4", 4, 4, false, false, false },
    { "/wraps/mapped-gather", 1, 2, false, false, true },
    { "/wraps/shadow-1", 1, 2, true, false, false },
    { "/wraps/shadow-4", 4, 4, true, false, false },
    { "/wraps/shadow-poll", 4, 4, true, true, false },
    { "/wraps/shadow-gather", 1, 2, true, false, true },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(runs); i++) {
        g_test_add_data_func(runs[i].name, &runs[i], wraps_run);
    }
    return g_test_run();
}
