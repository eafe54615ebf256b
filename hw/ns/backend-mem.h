/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backend: memory. Every request is carried out inside submit().
 *
 * Owner: whoever makes it closes it (ops->close). Threads: submit() on any,
 * several at once; requests that overlap in time and place leave any mix of
 * the two, as with any disk. No volatile cache: FLUSH and FUA mean nothing.
 */
#ifndef ENVME_NS_BACKEND_MEM_H
#define ENVME_NS_BACKEND_MEM_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/ns/backend.h"

/*
 * mem: size bytes of memory.
 *   borrowed (owned false): stays the caller's and must outlive the backend.
 *   owned: a private anonymous mmap(), which close() unmaps, or NULL to have
 *   one made, whose use is tracked. Discarding gives its pages back to the
 *   system.
 * NULL when memory is short.
 */
struct envme_backend *envme_backend_mem_new(void *mem, uint64_t size,
                                            bool owned, bool read_only);

/*
 * How to give back borrowed memory: page is the granularity, a power of two;
 * fn is called with multiples of it, on any lane thread, and returns 0 if the
 * range reads as zeroes afterwards, an error if it was left alone. Before the
 * first request.
 */
void envme_backend_mem_set_discard(struct envme_backend *be, uint64_t page,
                                   int (*fn)(void *opaque, uint64_t offset,
                                             uint64_t bytes),
                                   void *opaque);

/*
 * Keeps track of what is written, for STATUS: as yet nothing has been and all
 * of it is zeroes, but for what mark() names. Before the first request.
 */
void envme_backend_mem_track(struct envme_backend *be);
void envme_backend_mem_mark(struct envme_backend *be, uint64_t offset,
                            uint64_t bytes);

#endif
