/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timed job: keeps qd commands outstanding on each of its queues. Per pass
 * and queue one reading of the phase tags, one CQ doorbell, as many commands
 * as have ended, one SQ doorbell: what a polling driver does.
 */
#include "tests/perf/gen.h"

#include <sched.h>

struct load {
    struct gen *g;
    const struct gen_job *job;
    struct gen_result *r;       /* of the window, or NULL outside of it */
    uint64_t nextents;          /* of bs bytes each */
    unsigned blocks;            /* of one I/O */
    uint64_t last;              /* time of the last completion */
    unsigned inflight;
    bool stopping;
};

uint64_t gen_random(struct gen *g)
{
    g->rng ^= g->rng >> 12;
    g->rng ^= g->rng << 25;
    g->rng ^= g->rng >> 27;
    return g->rng * 0x2545f4914f6cdd1dull;
}

static uint64_t load_lba(struct load *l, struct gen_queue *q)
{
    uint64_t at;

    if (l->job->rw == GEN_READ || l->job->rw == GEN_WRITE) {
        at = q->next++ % l->nextents;
    } else {
        at = (unsigned __int128)gen_random(l->g) * l->nextents >> 64;
    }
    return at * l->blocks;
}

static bool load_is_write(struct load *l)
{
    switch (l->job->rw) {
    case GEN_WRITE:
    case GEN_RANDWRITE:
        return true;
    case GEN_RANDRW:
        return gen_random(l->g) >> 63;
    default:
        return false;
    }
}

static void load_submit(struct load *l, struct gen_queue *q)
{
    unsigned n = q->nfree;
    uint64_t now;

    if (!n || l->stopping) {
        return;
    }
    now = gen_now();
    while (q->nfree) {
        unsigned slot = q->free[--q->nfree];

        q->slot[slot].submitted = now;
        gen_queue_io(l->g, q, slot, load_is_write(l), load_lba(l, q),
                     l->job->bs, 0);
    }
    l->inflight += n;
    gen_db_write(&q->sqdb, q->sq_tail, l->r);
}

static bool load_reap(struct load *l, struct gen_queue *q)
{
    uint64_t now;
    uint16_t cid, status;
    unsigned n = 0;

    if (q->irq && *q->irq) {
        *q->irq = 0;
        if (l->r) {
            l->r->irqs++;
        }
    } else if (l->g->o.wait_irq) {
        return true;
    }
    if (!gen_queue_has(q)) {
        return true;
    }
    now = gen_now();
    do {
        gen_queue_take(q, &cid, &status);
        if (status || cid >= q->nslots) {
            return gen_fail(l->g, "job %s: command %u of queue %u ended with "
                            "status %04xh", l->job->name, cid, q->id, status);
        }
        if (l->r) {
            gen_hist_add(l->r->hist, now - q->slot[cid].submitted);
        }
        q->free[q->nfree++] = cid;
        n++;
    } while (gen_queue_has(q));
    l->inflight -= n;
    l->last = now;
    gen_db_write(&q->cqdb, q->cq_head, l->r);
    return true;
}

static bool load_pass(struct load *l)
{
    for (unsigned i = 0; i < l->job->queues; i++) {
        struct gen_queue *q = &l->g->q[i];

        if (!load_reap(l, q)) {
            return false;
        }
        if (!l->job->lump || q->nfree == q->nslots) {
            load_submit(l, q);
        }
    }
    if (l->r) {
        l->r->passes++;
    }
    return true;
}

/* Has the job had as many I/Os as it was to have? */
static bool load_enough(const struct load *l)
{
    return l->r && l->job->ios && l->r->hist->n >= l->job->ios;
}

/* Passes until the time is there, or nothing is in flight any more. */
static bool load_until(struct load *l, uint64_t end)
{
    l->last = gen_now();
    for (unsigned n = 1;; n++) {
        if (!load_pass(l)) {
            return false;
        }
        if (l->stopping ? !l->inflight : l->last >= end || load_enough(l)) {
            return true;
        }
        if (n % 256 == 0) {
            uint64_t now = gen_now();

            if (now > l->last + GEN_STALL_NS) {
                return gen_fail(l->g, "job %s: no completion for %u s, %u "
                                "commands in flight", l->job->name,
                                (unsigned)(GEN_STALL_NS / 1000000000),
                                l->inflight);
            }
            if (now >= end && !l->stopping) {
                return true;
            }
        }
        if (l->g->o.yield) {
            sched_yield();
        } else {
            gen_relax();
        }
    }
}

static void load_mark(struct gen_result *r, int sign)
{
    uint64_t t = gen_now();
    uint64_t thread = gen_cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t process = gen_cpu_ns(CLOCK_PROCESS_CPUTIME_ID);

    r->window_ns += sign * t;
    r->thread_ns += sign * thread;
    r->process_ns += sign * process;
}

bool gen_load_run(struct gen *g, const struct gen_job *job)
{
    struct gen_result *r = &g->res[g->nres];
    struct load l = { .g = g, .job = job };

    l.blocks = job->bs >> g->lba_shift;
    if (!l.blocks || job->bs % (1u << g->lba_shift) ||
        job->bs > g->mdts_bytes || g->nblocks < l.blocks) {
        return gen_fail(g, "job %s: bs=%u does not go with this namespace",
                        job->name, job->bs);
    }
    l.nextents = g->nblocks / l.blocks;
    for (unsigned i = 0; i < job->queues; i++) {
        struct gen_queue *q = &g->q[i];

        q->nfree = 0;
        q->next = l.nextents / job->queues * i;
        for (unsigned s = 0; s < job->qd; s++) {
            q->free[q->nfree++] = s;
        }
    }
    r->hist = g_new0(struct gen_hist, 1);
    g->nres++;
    if (!load_until(&l, gen_now() + job->warm_ms * 1000000ull)) {
        return false;
    }
    l.r = r;
    load_mark(r, -1);
    if (!load_until(&l, gen_now() + job->time_ms * 1000000ull)) {
        return false;
    }
    load_mark(r, 1);
    r->ios = r->hist->n;
    r->bytes = r->ios * job->bs;
    l.r = NULL;
    l.stopping = true;
    return load_until(&l, UINT64_MAX);
}
