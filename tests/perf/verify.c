/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Not a measurement: writes extents of several sizes and alignments, each
 * block stamped with its address, reads them back and compares. It tells
 * that the generator and the device mean the same by what is measured.
 */
#include "tests/perf/gen.h"

#define VERIFY_EXTENT GEN_BUF_BYTES

static const struct {
    unsigned bytes, offset;     /* offset in the first page */
} verify_shape[] = {
    { 4096, 0 }, { 512, 1024 }, { 4096, 512 }, { 8192, 0 }, { 12288, 0 },
    { 65536, 2048 }, { GEN_BUF_BYTES, 0 },
};

struct verify {
    struct gen *g;
    const struct gen_job *job;
    bool write;
    uint64_t done;
    uint64_t *which;            /* I/O number, by slot */
};

static void verify_shape_of(struct gen *g, uint64_t io, unsigned *bytes,
                            unsigned *offset)
{
    unsigned i = io % G_N_ELEMENTS(verify_shape);

    *bytes = MIN(verify_shape[i].bytes, g->mdts_bytes);
    *bytes = MAX(*bytes, 1u << g->lba_shift);
    *offset = verify_shape[i].offset;
}

static uint64_t verify_word(struct gen *g, uint64_t io, unsigned i)
{
    return (g->o.seed + io) * 0x9e3779b97f4a7c15ull + i;
}

static void verify_fill(struct gen *g, uint64_t *p, uint64_t io,
                        unsigned bytes)
{
    for (unsigned i = 0; i < bytes / 8; i++) {
        p[i] = verify_word(g, io, i);
    }
}

static bool verify_compare(struct verify *v, const uint64_t *p, uint64_t io,
                           unsigned bytes)
{
    for (unsigned i = 0; i < bytes / 8; i++) {
        if (p[i] != verify_word(v->g, io, i)) {
            return gen_fail(v->g, "job %s: I/O %" PRIu64 ": byte %u of %u is "
                            "not what was written", v->job->name, io, i * 8,
                            bytes);
        }
    }
    return true;
}

static void verify_submit(struct verify *v, struct gen_queue *q, uint64_t io)
{
    struct gen *g = v->g;
    unsigned slot = q->free[--q->nfree], bytes, offset;
    uint64_t *p;

    verify_shape_of(g, io, &bytes, &offset);
    v->which[slot] = io;
    p = gen_ptr(g, q->slot[slot].buf + offset);
    if (v->write) {
        verify_fill(g, p, io, bytes);
    } else {
        memset(p, 0xa5, bytes);
    }
    gen_queue_io(g, q, slot, v->write, io * (VERIFY_EXTENT >> g->lba_shift),
                 bytes, offset);
}

static bool verify_reap(struct verify *v, struct gen_queue *q)
{
    unsigned bytes, offset;
    uint16_t cid, status;

    gen_queue_take(q, &cid, &status);
    if (status || cid >= q->nslots) {
        return gen_fail(v->g, "job %s: command %u ended with status %04xh",
                        v->job->name, cid, status);
    }
    verify_shape_of(v->g, v->which[cid], &bytes, &offset);
    if (!v->write &&
        !verify_compare(v, gen_ptr(v->g, q->slot[cid].buf + offset),
                        v->which[cid], bytes)) {
        return false;
    }
    q->free[q->nfree++] = cid;
    v->done++;
    return true;
}

/* One phase on one queue: I/Os i, i + queues, i + 2 * queues ... */
static bool verify_queue(struct verify *v, struct gen_queue *q, uint64_t io)
{
    uint64_t n = v->job->verify, last = gen_now();

    q->nfree = 0;
    for (unsigned s = 0; s < v->job->qd; s++) {
        q->free[q->nfree++] = s;
    }
    while (io < n || q->nfree < v->job->qd) {
        bool some = false;

        while (io < n && q->nfree) {
            verify_submit(v, q, io);
            io += v->job->queues;
            some = true;
        }
        if (some) {
            gen_db_write(&q->sqdb, q->sq_tail, NULL);
        }
        some = false;
        while (gen_queue_has(q)) {
            if (!verify_reap(v, q)) {
                return false;
            }
            some = true;
        }
        if (some) {
            gen_db_write(&q->cqdb, q->cq_head, NULL);
            last = gen_now();
        } else if (gen_now() > last + GEN_STALL_NS) {
            return gen_fail(v->g, "job %s: queue %u stands still",
                            v->job->name, q->id);
        } else {
            gen_relax();
        }
    }
    return true;
}

bool gen_verify_run(struct gen *g, const struct gen_job *job)
{
    g_autofree uint64_t *which = g_new0(uint64_t, job->qd);
    struct gen_result *r = &g->res[g->nres];
    struct verify v = { .g = g, .job = job, .which = which };

    if (job->verify * VERIFY_EXTENT > g->nblocks << g->lba_shift) {
        return gen_fail(g, "job %s: the namespace has room for %" PRIu64
                        " extents only", job->name,
                        (g->nblocks << g->lba_shift) / VERIFY_EXTENT);
    }
    g->nres++;
    for (v.write = true;; v.write = false) {
        for (unsigned i = 0; i < job->queues; i++) {
            if (!verify_queue(&v, &g->q[i], i)) {
                return false;
            }
        }
        if (!v.write) {
            r->ios = v.done;
            return v.done == 2 * job->verify;
        }
    }
}
