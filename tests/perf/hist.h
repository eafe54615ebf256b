/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts of nanoseconds in buckets that are 1/64 of a power of two wide, so
 * that a percentile is right to 1.6 %. Pure; any thread, one at a time.
 */
#ifndef ENVME_PERF_HIST_H
#define ENVME_PERF_HIST_H

#include <stdint.h>

#define GEN_HIST_SUB 64u
#define GEN_HIST_BUCKETS (GEN_HIST_SUB * 40)

struct gen_hist {
    uint64_t n, sum, max;
    uint32_t count[GEN_HIST_BUCKETS];
};

static inline unsigned gen_hist_index(uint64_t ns)
{
    unsigned exp, index;

    if (ns < GEN_HIST_SUB) {
        return ns;
    }
    exp = 63 - __builtin_clzll(ns);
    index = (exp - 5) * GEN_HIST_SUB + ((ns >> (exp - 6)) & (GEN_HIST_SUB - 1));
    return index < GEN_HIST_BUCKETS ? index : GEN_HIST_BUCKETS - 1;
}

/* The middle of a bucket. */
static inline uint64_t gen_hist_value(unsigned index)
{
    unsigned exp;
    uint64_t width;

    if (index < GEN_HIST_SUB) {
        return index;
    }
    exp = index / GEN_HIST_SUB + 5;
    width = UINT64_C(1) << (exp - 6);
    return (UINT64_C(1) << exp) + (index % GEN_HIST_SUB) * width + width / 2;
}

static inline void gen_hist_add(struct gen_hist *h, uint64_t ns)
{
    h->n++;
    h->sum += ns;
    h->max = ns > h->max ? ns : h->max;
    h->count[gen_hist_index(ns)]++;
}

/* The value that per_mille of the counts do not exceed. */
static inline uint64_t gen_hist_percentile(const struct gen_hist *h,
                                           unsigned per_mille)
{
    uint64_t want = (h->n * per_mille + 999) / 1000, seen = 0;

    for (unsigned i = 0; i < GEN_HIST_BUCKETS; i++) {
        seen += h->count[i];
        if (seen >= want && seen) {
            return gen_hist_value(i);
        }
    }
    return 0;
}

#endif
