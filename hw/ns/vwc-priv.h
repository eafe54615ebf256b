/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the volatile write cache share; the cache itself: vwc.h.
 *
 *   vwc.c       the backend: which way a request takes, and reading
 *   vwc-req.c   a request under way, and how a write gets into the cache
 *   vwc-out.c   writing out, one request at a time
 *   vwc-cut.c   power loss
 *   vwc-index.c what is in the cache
 *
 * Threads: any, as the backend interface says; what is said to be under the
 * lock is under struct vwc's.
 */
#ifndef ENVME_NS_VWC_PRIV_H
#define ENVME_NS_VWC_PRIV_H

#include <stdatomic.h>

#include "hw/ns/vwc-index.h"
#include "hw/ns/vwc.h"

enum vwc_kind {
    VWC_READ,                   /* and what only passes through */
    VWC_FLUSH,
    VWC_THROUGH,                /* a write that has to get to the medium */
    VWC_ROOM,                   /* a write that finds the cache full */
    VWC_CUT,
};

/* A write of several requests that has not ended. */
struct vwc_group {
    uint64_t id;
};

struct vwc {
    struct envme_backend be;
    struct envme_backend *inner;
    struct envme_vwc_exec exec;
    uint64_t size;
    atomic_bool on;
    GMutex lock;                /* of all that follows */
    struct envme_vwc_index index;
    uint64_t groups;
    GHashTable *open;           /* opaque of a request -> struct vwc_group */
    bool busy;                  /* somebody writes out */
    GQueue waiting;             /* struct vwc_req */
};

/* A request under way. */
struct vwc_req {
    struct vwc *v;
    enum vwc_kind kind;
    struct envme_bio *bio;      /* the submitter's; CUT: none */
    struct envme_bio inner;
    struct iovec iov;
    void *where;
    GPtrArray *recs;            /* counted: to overlay, or to write out */
    unsigned at;
    bool submitting, over, inner_pending, last;
    int err;
    /* CUT */
    GArray *(*choose)(void *arg, const struct envme_vwc_view *view);
    void (*done)(void *arg, int err);
    void *arg;
};

static inline struct vwc *envme_vwc_of(struct envme_backend *be)
{
    return (void *)((char *)be - offsetof(struct vwc, be));
}

/* ---- vwc-req.c --------------------------------------------------------- */

/* A copy of a write, not in the cache. NULL: no memory. */
struct envme_vwc_item *envme_vwc_item_new(const struct envme_bio *bio);
/* Into the cache, as a part of the write that it belongs to; under the lock. */
void envme_vwc_insert(struct vwc *v, struct envme_vwc_item *r,
                      const struct envme_bio *bio);
/* Bytes that a write takes there. */
uint64_t envme_vwc_bio_weight(const struct envme_bio *bio);

/* bio: NULL for VWC_CUT. Until envme_vwc_req_submitted() its end is not told
 * to the submitter. */
struct vwc_req *envme_vwc_req_new(struct vwc *v, struct envme_bio *bio,
                                  enum vwc_kind kind);
/* It has ended, with q->err. */
void envme_vwc_req_over(struct vwc_req *q);
/* At the end of a submit(): what that returns. */
int envme_vwc_req_submitted(struct vwc_req *q);
/* q->inner goes to the inner backend; done only if this is pending. */
int envme_vwc_req_inner(struct vwc_req *q,
                        void (*done)(struct envme_bio *bio, int err));

/* ---- vwc-out.c --------------------------------------------------------- */

/* A request that has to write out: what its submit() returns. */
int envme_vwc_out(struct vwc *v, struct envme_bio *bio, enum vwc_kind kind);
/* Now, or when whoever writes out has ended. */
void envme_vwc_out_ask(struct vwc_req *q);
/* All that is in the cache, oldest first, not counted; under the lock. */
GPtrArray *envme_vwc_out_all(struct vwc *v);

/* ---- vwc-cut.c --------------------------------------------------------- */

/* The turn of a VWC_CUT has come: what is lost goes. */
void envme_vwc_cut_choose(struct vwc_req *q);

#endif
