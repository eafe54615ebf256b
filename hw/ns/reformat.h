/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another format for a namespace, in the background: Base 2.1, 5.1.10.
 *
 * From the beginning no I/O command reaches it, at no controller (gate_sf).
 * When those in flight are over and the state says that it is being formatted,
 * all of it is zeroed; when it has its new format and the state says that, I/O
 * goes on. So a power cycle in between finds the old format with all its data,
 * or a format to be carried on with, or the new one with all its data. An
 * error leaves the old format, with part of the contents gone.
 *
 * Lane 0. The namespace is held: removing it waits, and ends it.
 */
#ifndef ENVME_NS_REFORMAT_H
#define ENVME_NS_REFORMAT_H

#include "hw/ns/ns.h"

typedef void envme_ns_format_fn(void *arg, struct envme_ns *ns, int err);

/* The namespace can have that format, is in its subsystem, and gate_sf is 0.
 * done(arg, ns, 0 or a negative errno) may come before this returns;
 * ns->format_left says how far it came. */
void envme_ns_format(struct envme_ns *ns, const struct envme_ns_format *to,
                     envme_ns_format_fn *done, void *arg);

/* The power went while it was formatted, to ns->format: refuses I/O. */
void envme_ns_format_resume(struct envme_ns *ns);
/* It is in its subsystem: goes on with that, if so. */
void envme_ns_format_go_on(struct envme_ns *ns);

/* Of a hundred, what is left; 0: it isn't being formatted. */
unsigned envme_ns_format_left(const struct envme_ns *ns);

#endif
