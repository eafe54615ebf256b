/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service-time model: when a command that begins now is over, on a medium
 * with latencies, channels, and limits in bytes and commands per second.
 *
 * Owner: the controller. Threads: none of its own and no lock: the caller sees
 * to it that one thread at a time is in envme_timing_end() and _idle();
 * _scale() is for any thread. Pure: the same seed and calls give the same
 * times. Times in ns of the caller's clock; durations are cut at
 * ENVME_TIMING_MAX. docs/timing.md is the model in words.
 */
#ifndef ENVME_CORE_TIMING_H
#define ENVME_CORE_TIMING_H

#include <stdbool.h>
#include <stdint.h>

#define ENVME_TIMING_MAX    UINT64_C(3600000000000)     /* an hour */
#define ENVME_TIMING_FULL   1000u       /* scale: full speed */

/* What kind of work a command is. NONE: it takes no time of the medium. */
enum envme_time_class {
    ENVME_TIME_NONE,
    ENVME_TIME_READ,            /* Read, Compare, Verify */
    ENVME_TIME_WRITE,
    ENVME_TIME_ZEROES,          /* blocks written without data */
    ENVME_TIME_FLUSH,
    ENVME_TIME_DSM,
    ENVME_TIME_COPY,
    ENVME_TIME_COUNT,
};

/* ---- distributions ----------------------------------------------------- */

enum envme_dist_kind {
    ENVME_DIST_FIXED,           /* ns[0] */
    ENVME_DIST_UNIFORM,         /* ns[0] to ns[1], both included */
    ENVME_DIST_LOGNORMAL,       /* median ns[0], sigma of the logarithm */
    ENVME_DIST_TABLE,           /* points, straight lines between them */
};

#define ENVME_DIST_POINTS 16

struct envme_dist {             /* all zero: fixed, 0 */
    enum envme_dist_kind kind;
    double sigma;
    unsigned n;                 /* table: points */
    uint32_t ppm[ENVME_DIST_POINTS];    /* of all: at most ns[]; ascending,
                                           the last is 1000000 */
    uint64_t ns[ENVME_DIST_POINTS];     /* ascending */
};

/*
 * "80us", "uniform:60us:100us", "lognormal:80us:0.4", or percentiles
 * "table:0=60us:50=80us:99.9=1ms:100=5ms". Units ns, us, ms, s. NULL, or what
 * is wrong with the text and the nearest that is right (g_free).
 */
char *envme_dist_parse(const char *text, struct envme_dist *d);
/* The next value, ns. rng: any number to begin with. */
uint64_t envme_dist_draw(const struct envme_dist *d, uint64_t *rng);

/* ---- the model --------------------------------------------------------- */

/* Limits per second. */
enum envme_rate {
    ENVME_RATE_BYTES,           /* read and written, together */
    ENVME_RATE_READ_BYTES,
    ENVME_RATE_WRITE_BYTES,
    ENVME_RATE_CMDS,            /* of every class */
    ENVME_RATE_READ_CMDS,
    ENVME_RATE_WRITE_CMDS,      /* writes, zeroes, copies */
    ENVME_RATE_COUNT,
};

#define ENVME_TIMING_CHANNELS 4096      /* most */
#define ENVME_TIMING_STRIPE_MIN 512     /* bytes */

struct envme_timing_params {
    struct envme_dist latency[ENVME_TIME_COUNT];
    uint64_t seed;
    uint64_t rate[ENVME_RATE_COUNT];    /* 0: no limit */
    uint32_t channels;          /* 0: commands don't queue for any */
    uint32_t stripe;            /* bytes in one channel, then the next;
                                   0: 4096 */
};

struct envme_timing;

/* Is there anything to model? */
bool envme_timing_wanted(const struct envme_timing_params *p);
/* Sets latencies, rates, channels and stripe as the profile has them; the seed
 * stays. False: there is none of that name. */
bool envme_timing_profile(const char *name, struct envme_timing_params *p);
/* "optane, tlc, ..." */
const char *envme_timing_profiles(void);

struct envme_timing *envme_timing_new(const struct envme_timing_params *p);
void envme_timing_free(struct envme_timing *t);

/*
 * A command of that class begins now on `bytes` bytes at offset (none for
 * FLUSH and DSM). Returns when it is over; not before now.
 */
uint64_t envme_timing_end(struct envme_timing *t, enum envme_time_class kind,
                          uint64_t now, uint64_t offset, uint64_t bytes);
/* Nothing is under way any more. The random numbers go on. */
void envme_timing_idle(struct envme_timing *t);
/*
 * How long everything that begins from here on takes, in thousandths:
 * ENVME_TIMING_FULL, or more for a power state that is slower. Any thread.
 */
void envme_timing_scale(struct envme_timing *t, uint32_t per_mille);

#endif
