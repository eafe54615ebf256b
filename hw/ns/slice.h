/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backend: pieces of other backends, one after the other.
 *
 * Owner: whoever makes it closes it, before those it is made of. Threads: as
 * theirs; a request's parts are submitted and end on one thread. A request
 * over several pieces is as many requests, and fails when one of them does. The
 * cache is theirs; turned off, every write goes through it.
 */
#ifndef ENVME_NS_SLICE_H
#define ENVME_NS_SLICE_H

#include "hw/ns/backend.h"

struct envme_slice_part {
    struct envme_backend *be;
    uint64_t offset, len;       /* multiples of align */
};

/* parts are copied; n > 0. align: what it demands itself, a power of two, at
 * least what each part demands. */
struct envme_backend *envme_slice_new(const struct envme_slice_part *parts,
                                      unsigned n, uint32_t align);

#endif
