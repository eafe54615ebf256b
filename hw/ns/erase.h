/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zeroing all that a namespace has, in the background: no lane waits, and it
 * goes on when the controller that asked for it is reset. Lane 0. While it
 * lasts nobody else uses the backend: the namespace is not attached, or its
 * gate_sf refuses all I/O and what was in flight is over.
 */
#ifndef ENVME_NS_ERASE_H
#define ENVME_NS_ERASE_H

#include "hw/ns/ns.h"

/*
 * Every byte reads as zero when done(arg, 0) is called, and is on stable
 * storage; err: a negative errno, and any mixture. done may come before this
 * returns. may_unmap: by deallocating, where that is possible.
 */
void envme_ns_erase(struct envme_ns *ns, bool may_unmap,
                    void (*done)(void *arg, int err), void *arg);
/* Ends it soon, with -ECANCELED; nothing when there is none. */
void envme_ns_erase_stop(struct envme_ns *ns);
/* Of a hundred, what is still to be done: 0 when there is none. */
unsigned envme_ns_erase_left(const struct envme_ns *ns);

#endif
