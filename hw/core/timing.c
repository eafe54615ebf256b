/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/core/timing.h"

#include <glib.h>
#include <math.h>
#include <stdatomic.h>

#include "envme/bytes.h"

#define TIMING_STRIPE 4096u
#define TIMING_NEVER (UINT64_MAX - 1)
#define NS_PER_S 1000000000u

__extension__ typedef unsigned __int128 timing_wide;

/* Who has to wait: busy until free. */
struct timing_pacer {
    uint64_t rate;              /* units a second; 0: not there */
    uint64_t free;
    uint64_t rest;              /* of the last division, so that none is lost */
};

struct envme_timing {
    struct envme_timing_params p;
    uint64_t rng[ENVME_TIME_COUNT];     /* one each: classes don't mix */
    struct timing_pacer pacer[ENVME_RATE_COUNT];
    uint64_t *channel;          /* when it is free */
    _Atomic uint32_t scale;
};

/* ---- random numbers ---------------------------------------------------- */

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", 2014. */
static uint64_t timing_random(uint64_t *rng)
{
    uint64_t z = *rng += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* In [0, 1). */
static double timing_unit(uint64_t *rng)
{
    return (timing_random(rng) >> 11) * 0x1p-53;
}

/* Box and Muller's; always two numbers, so that a draw is a fixed step. */
static double timing_normal(uint64_t *rng)
{
    double u = 1.0 - timing_unit(rng), v = timing_unit(rng);

    return sqrt(-2.0 * log(u)) * cos(2.0 * G_PI * v);
}

static uint64_t dist_table(const struct envme_dist *d, double ppm)
{
    unsigned i = 0;
    double below;

    while (i < d->n - 1 && ppm > d->ppm[i]) {
        i++;
    }
    if (i == 0) {
        return d->ns[0];
    }
    below = (ppm - d->ppm[i - 1]) / (d->ppm[i] - d->ppm[i - 1]);
    return d->ns[i - 1] + (uint64_t)(below * (d->ns[i] - d->ns[i - 1]));
}

uint64_t envme_dist_draw(const struct envme_dist *d, uint64_t *rng)
{
    double v;

    switch (d->kind) {
    case ENVME_DIST_UNIFORM:
        return d->ns[0] + (uint64_t)((timing_wide)timing_random(rng) *
                                     (d->ns[1] - d->ns[0] + 1) >> 64);
    case ENVME_DIST_LOGNORMAL:
        v = d->ns[0] * exp(d->sigma * timing_normal(rng));
        return v < ENVME_TIMING_MAX ? (uint64_t)v : ENVME_TIMING_MAX;
    case ENVME_DIST_TABLE:
        return dist_table(d, timing_unit(rng) * 1e6);
    default:
        return d->ns[0];
    }
}

/* ---- made and freed ---------------------------------------------------- */

static bool timing_has_latency(const struct envme_dist *d)
{
    return d->kind != ENVME_DIST_FIXED || d->ns[0];
}

bool envme_timing_wanted(const struct envme_timing_params *p)
{
    for (unsigned i = 0; i < ENVME_TIME_COUNT; i++) {
        if (timing_has_latency(&p->latency[i])) {
            return true;
        }
    }
    for (unsigned i = 0; i < ENVME_RATE_COUNT; i++) {
        if (p->rate[i]) {
            return true;
        }
    }
    return false;
}

struct envme_timing *envme_timing_new(const struct envme_timing_params *p)
{
    struct envme_timing *t = g_new0(struct envme_timing, 1);
    uint64_t seed = p->seed;

    t->p = *p;
    t->p.stripe = p->stripe ? p->stripe : TIMING_STRIPE;
    for (unsigned i = 0; i < ENVME_TIME_COUNT; i++) {
        t->rng[i] = timing_random(&seed);
    }
    for (unsigned i = 0; i < ENVME_RATE_COUNT; i++) {
        t->pacer[i].rate = p->rate[i];
    }
    t->channel = g_new0(uint64_t, p->channels);
    atomic_store(&t->scale, ENVME_TIMING_FULL);
    return t;
}

void envme_timing_free(struct envme_timing *t)
{
    if (t) {
        g_free(t->channel);
        g_free(t);
    }
}

void envme_timing_idle(struct envme_timing *t)
{
    for (unsigned i = 0; i < ENVME_RATE_COUNT; i++) {
        t->pacer[i].free = t->pacer[i].rest = 0;
    }
    for (unsigned i = 0; i < t->p.channels; i++) {
        t->channel[i] = 0;
    }
}

void envme_timing_scale(struct envme_timing *t, uint32_t per_mille)
{
    atomic_store(&t->scale, per_mille);
}

/* ---- the model --------------------------------------------------------- */

static uint64_t timing_add(uint64_t a, uint64_t b)
{
    return b > TIMING_NEVER - a ? TIMING_NEVER : a + b;
}

/* Which limits a class is under, as bits of enum envme_rate. */
static unsigned timing_limits(enum envme_time_class kind)
{
    static const unsigned limits[ENVME_TIME_COUNT] = {
        [ENVME_TIME_READ] = 1 << ENVME_RATE_BYTES |
                            1 << ENVME_RATE_READ_BYTES |
                            1 << ENVME_RATE_CMDS | 1 << ENVME_RATE_READ_CMDS,
        [ENVME_TIME_WRITE] = 1 << ENVME_RATE_BYTES |
                             1 << ENVME_RATE_WRITE_BYTES |
                             1 << ENVME_RATE_CMDS | 1 << ENVME_RATE_WRITE_CMDS,
        [ENVME_TIME_ZEROES] = 1 << ENVME_RATE_CMDS |
                              1 << ENVME_RATE_WRITE_CMDS,
        [ENVME_TIME_FLUSH] = 1 << ENVME_RATE_CMDS,
        [ENVME_TIME_DSM] = 1 << ENVME_RATE_CMDS,
        [ENVME_TIME_COPY] = 1 << ENVME_RATE_BYTES |
                            1 << ENVME_RATE_READ_BYTES |
                            1 << ENVME_RATE_WRITE_BYTES |
                            1 << ENVME_RATE_CMDS | 1 << ENVME_RATE_WRITE_CMDS,
    };

    return limits[kind];
}

/* How long `units` take, of which the pacer gives `rate` a second. */
static uint64_t pacer_cost(struct timing_pacer *p, uint64_t units,
                           uint32_t scale)
{
    timing_wide sum = (timing_wide)units * (NS_PER_S / ENVME_TIMING_FULL) *
                      scale + p->rest;
    timing_wide cost = sum / p->rate;

    p->rest = (uint64_t)(sum % p->rate);
    return cost < TIMING_NEVER ? (uint64_t)cost : TIMING_NEVER;
}

/*
 * The command goes in when every limit that it is under lets it, and keeps
 * each from the next for as long as its share takes. Its bytes take their
 * time; that it is one command does not, it only spaces commands out.
 */
static uint64_t timing_pace(struct envme_timing *t, enum envme_time_class kind,
                            uint64_t now, uint64_t bytes, uint32_t scale)
{
    unsigned limits = timing_limits(kind);
    uint64_t start = now, transfer = 0;

    for (unsigned i = 0; i < ENVME_RATE_COUNT; i++) {
        if (limits & 1u << i && t->pacer[i].rate) {
            start = ENVME_MAX(start, t->pacer[i].free);
        }
    }
    for (unsigned i = 0; i < ENVME_RATE_COUNT; i++) {
        struct timing_pacer *p = &t->pacer[i];
        bool counts_bytes = i < ENVME_RATE_CMDS;
        uint64_t cost;

        if (!(limits & 1u << i) || !p->rate) {
            continue;
        }
        /* A copy goes over the common limit twice. */
        cost = pacer_cost(p, !counts_bytes ? 1 :
                          kind == ENVME_TIME_COPY && i == ENVME_RATE_BYTES ?
                          timing_add(bytes, bytes) : bytes, scale);
        p->free = timing_add(start, cost);
        if (counts_bytes) {
            transfer = ENVME_MAX(transfer, cost);
        }
    }
    return timing_add(start, transfer);
}

static void timing_occupy(uint64_t *channel, uint64_t ready, uint64_t latency)
{
    *channel = timing_add(ENVME_MAX(*channel, ready), latency);
}

uint64_t envme_timing_end(struct envme_timing *t, enum envme_time_class kind,
                          uint64_t now, uint64_t offset, uint64_t bytes)
{
    uint32_t scale = atomic_load(&t->scale), n = t->p.channels;
    uint64_t latency, ready, end, stripe;

    latency = envme_dist_draw(&t->p.latency[kind], &t->rng[kind]);
    latency = (uint64_t)((timing_wide)ENVME_MIN(latency, ENVME_TIMING_MAX) *
                         scale / ENVME_TIMING_FULL);
    ready = timing_pace(t, kind, now, bytes, scale);
    if (kind == ENVME_TIME_FLUSH) {
        /* After all that the channels have to do. */
        for (unsigned i = 0; i < n; i++) {
            ready = ENVME_MAX(ready, t->channel[i]);
        }
    }
    if (!n || !bytes) {
        return timing_add(ready, latency);
    }
    stripe = offset / t->p.stripe;
    n = ENVME_MIN(n, (offset % t->p.stripe + bytes - 1) / t->p.stripe + 1);
    end = ready;
    for (unsigned i = 0; i < n; i++) {
        uint64_t *channel = &t->channel[(stripe + i) % t->p.channels];

        timing_occupy(channel, ready, latency);
        end = ENVME_MAX(end, *channel);
    }
    return end;
}
