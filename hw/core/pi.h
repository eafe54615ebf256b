/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protection information: NVM 1.1, 5.3 (End-to-end Data Protection).
 *
 * Owner and threads: the caller's. Calls nothing but the feeds.
 *
 * A run goes through the logical blocks of a command in order, as many at a
 * time as the caller has at hand. It takes whole blocks; the pieces in which
 * their bytes lie in memory are the feeds' business. Data and metadata are
 * fed apart, also where they interleave: then both feeds go through the same
 * memory.
 *
 * Read:                 envme_pi_verify() over what has been read. With PRACT
 *                       the host gets envme_pi_host_ms() bytes of metadata.
 * Write without PRACT:  envme_pi_verify() over what the host sent.
 * Write with PRACT:     envme_pi_generate() into a copy of the metadata, which
 *                       holds the host's bytes if envme_pi_host_ms() isn't 0.
 * Before any of them:   envme_pi_check_tags().
 */
#ifndef ENVME_CORE_PI_H
#define ENVME_CORE_PI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "envme/status.h"

/* ---- the format -------------------------------------------------------- */

/* How a namespace is formatted. */
struct envme_pi {
    uint8_t type;               /* 1 to 3 (DPS); 0: no protection */
    uint8_t guard;              /* ENVME_PIF_16B, _32B or _64B */
    uint8_t sts;                /* bits of the storage tag */
    bool first;                 /* first bytes of the metadata, else last */
    uint16_t ms;                /* metadata bytes per block */
    uint32_t block;             /* data bytes per block */
    uint64_t lbstm;             /* storage tag mask; 1: compared */
};

/*
 * guard and sts from an entry of ELBAF, QPIF looked at where PIF says so.
 * False when that names none of the three formats.
 */
bool envme_pi_from_elbaf(struct envme_pi *pi, uint32_t elbaf);

/* Do the fields fit together: type 1 to 3, sts in its limits, ms enough? The
 * other functions want a format that passes. */
bool envme_pi_ok(const struct envme_pi *pi);

/* Bytes of the tuple: 8 or 16. */
unsigned envme_pi_size(const struct envme_pi *pi);
/* Ones in the bits that a reference tag has: 0 to 64 of them. */
uint64_t envme_pi_ref_mask(const struct envme_pi *pi);

/* Metadata bytes that go between host and controller with each block: none
 * with PRACT when the tuple is all there is. */
static inline unsigned envme_pi_host_ms(const struct envme_pi *pi, bool pract)
{
    return pract && pi->ms == envme_pi_size(pi) ? 0 : pi->ms;
}

/* ---- what a command says ----------------------------------------------- */

struct envme_pi_tags {
    uint8_t prinfo;             /* ENVME_PRINFO_*; PRACT has no meaning here */
    bool stc;                   /* compare the storage tag */
    uint16_t lbat, lbatm;       /* mask: 1: compared */
    uint64_t lbst;
    uint64_t lbrt;              /* of the first block, ILBRT or EILBRT */
};

/* lbst and lbrt from CDW2, CDW3 and CDW14 (of which a format may not use
 * all), or from a field that holds the same, big-endian: Copy's ELBT. */
void envme_pi_tags_cdw(const struct envme_pi *pi, uint32_t cdw2,
                       uint32_t cdw3, uint32_t cdw14,
                       struct envme_pi_tags *tags);
void envme_pi_tags_be(const struct envme_pi *pi, const uint8_t field[10],
                      struct envme_pi_tags *tags);

/*
 * Invalid Protection Information when the reference tag is to be compared and
 * cannot be: type 1 and it isn't slba's low bits, or type 3.
 */
struct envme_status envme_pi_check_tags(const struct envme_pi *pi,
                                        const struct envme_pi_tags *tags,
                                        uint64_t slba);

/* ---- feeds ------------------------------------------------------------- */

/*
 * The next piece, of at most *len bytes, and on; *len is how long it is.
 * NULL when there is no more.
 */
struct envme_pi_feed {
    void *(*next)(void *opaque, size_t *len);
    void *opaque;
};

/* Memory of our own: `take` bytes at p, then at p + stride, and so on without
 * an end. With stride 0 always the same. */
struct envme_pi_flat {
    uint8_t *p;
    uint32_t take, stride;
    uint32_t in;                /* 0 at first */
};

void *envme_pi_flat_next(void *flat, size_t *len);

/* ---- runs -------------------------------------------------------------- */

struct envme_pi_run {
    const struct envme_pi *pi;
    struct envme_pi_tags tags;  /* lbrt: the next block's */
    uint64_t blocks;            /* so many are through */
};

void envme_pi_start(struct envme_pi_run *r, const struct envme_pi *pi,
                    const struct envme_pi_tags *tags);

/*
 * Compares what tags says, in the order guard, application tag, reference
 * tag, storage tag. A block whose tags hold the escape is not compared at
 * all: application tag FFFFh, and for type 3 a reference tag of all ones.
 * The status of the first difference; r->blocks is then the block's index.
 *
 * The data is looked at, and its feed moved, only when tags.prinfo has the
 * guard compared. Metadata is read once.
 */
struct envme_status envme_pi_verify(struct envme_pi_run *r, uint64_t nlb,
                                    const struct envme_pi_feed *data,
                                    const struct envme_pi_feed *md);

/* Writes the tuples into the metadata, whose other bytes stay as they are
 * (and count for the guard where they come before it). */
struct envme_status envme_pi_generate(struct envme_pi_run *r, uint64_t nlb,
                                      const struct envme_pi_feed *data,
                                      const struct envme_pi_feed *md);

/* Writes FFh into the tuples, as deallocated blocks show them: nothing is
 * compared then. */
struct envme_status envme_pi_escape(struct envme_pi_run *r, uint64_t nlb,
                                    const struct envme_pi_feed *md);

/*
 * All of these: Internal Error when a feed ends early.
 */

#endif
