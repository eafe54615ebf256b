/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backend: a volatile write cache in front of another one, as a drive has it.
 * Base 2.1, 5.1.25.1.4 (Volatile Write Cache) and 7.2 (Flush).
 *
 * Writes stay in memory, request by request, until a Flush; reads see them.
 * What is written with FUA, or while the cache is off, is on the inner backend
 * before it ends, and so is whatever older of it overlaps. When the cache is
 * full the oldest requests are written out. envme_vwc_cut() is the power loss.
 *
 * Owner: whoever makes it closes it, and the inner backend with it; what has
 * not been flushed is gone then. Threads: as the backend interface says; a
 * lock, since all lanes share the cache. Only one request at a time writes
 * out; the others that have to wait for it.
 */
#ifndef ENVME_NS_VWC_H
#define ENVME_NS_VWC_H

#include <glib.h>

#include "hw/ns/backend.h"
#include "hw/ns/crash.h"

#define ENVME_VWC_SIZE_MIN (64u << 10)

/* Who waited goes on on its own thread. */
struct envme_vwc_exec {
    void *opaque;
    /* The thread that we are on, as go() wants it. */
    void *(*here)(void *opaque);
    /* Calls fn(arg) there, not before this has returned. Any thread. */
    void (*go)(void *opaque, void *where, void (*fn)(void *arg), void *arg);
};

/* size: bytes that it holds. exec is copied. */
struct envme_backend *envme_vwc_new(struct envme_backend *inner,
                                    uint64_t size,
                                    const struct envme_vwc_exec *exec);

bool envme_vwc_is(const struct envme_backend *be);
/* Bytes in the cache, requests' own weight included; any thread. */
uint64_t envme_vwc_bytes(struct envme_backend *be);
/* Bytes that a Flush would write; what was written twice counts twice. Any
 * thread. */
uint64_t envme_vwc_unflushed(struct envme_backend *be);

/* ---- power loss -------------------------------------------------------- */

/* What is in the cache. data: of zeroes, NULL. */
struct envme_vwc_rec {
    uint64_t offset, bytes;
    const uint8_t *data;
};

struct envme_vwc_view {
    unsigned n;
    const struct envme_vwc_rec *rec;    /* oldest first */
    const struct envme_crash_rec *crash;        /* the same */
};

/*
 * Power is lost: choose(arg, view) says what is left of the cache, as pieces
 * of the view's requests, which is then written out; all else is gone. done
 * comes when it has been written, with an error if it could not be: what is
 * left of that stays in the cache. choose may come before this returns, done
 * too. No request of a host is pending. Lane 0.
 */
void envme_vwc_cut(struct envme_backend *be,
                   GArray *(*choose)(void *arg,
                                     const struct envme_vwc_view *view),
                   void (*done)(void *arg, int err), void *arg);

#endif
