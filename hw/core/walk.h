/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a walker over host data structures (PRP lists, SGL segments) needs.
 *
 * Owner: the caller, for one call; a walk may be used for several, and err is
 * set anew by each. Threads: the caller's. The walkers call nothing but read,
 * read each guest entry once, and go on from their copy of it.
 */
#ifndef ENVME_CORE_WALK_H
#define ENVME_CORE_WALK_H

#include <stddef.h>
#include <stdint.h>

struct envme_walk {
    /* All of it, or a negative errno. The same as envme_dma.read. */
    int (*read)(void *opaque, uint64_t addr, void *buf, size_t len);
    void *opaque;
    uint32_t page;              /* bytes, a power of two, 4 KiB or more */
    int err;                    /* out: why a read failed, else 0 */
};

#endif
