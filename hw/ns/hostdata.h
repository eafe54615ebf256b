/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hosts leave with a namespace for each other: its admin label and its
 * LBA range types. Bytes that mean nothing to the namespace; whichever
 * controller sets them, all see them.
 *
 * Owner: the namespace. Lane 0. Kept in the subsystem's state, as records
 * "ns/N/label" and "ns/N/ranges"; whoever tells the host waits for it. Each
 * begins with a version, which is its user's to look at.
 */
#ifndef ENVME_NS_HOSTDATA_H
#define ENVME_NS_HOSTDATA_H

#include "hw/ns/ns.h"

/* NULL: nothing was left. Borrowed. */
GBytes *envme_ns_hostdata(struct envme_ns *ns, enum envme_hostdata what);
/* Copies; len 0: there is nothing any more. */
void envme_ns_set_hostdata(struct envme_ns *ns, enum envme_hostdata what,
                           const void *buf, size_t len);
/* A host deletes the namespace; it is freed (the state keeps it). */
void envme_ns_forget_hostdata(struct envme_ns *ns);
void envme_ns_free_hostdata(struct envme_ns *ns);

#endif
