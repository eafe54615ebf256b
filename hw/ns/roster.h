/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the state (state.h) says of namespaces and media: docs/state.md,
 * records "ns/N/namespace" and "medium/M". A namespace has a record once a
 * host has made, formatted or attached it; then the record counts, and not
 * the command line.
 *
 * A medium is known by its number: the NSID that its namespace was asked to
 * have, or the lowest number that no other medium has. A namespace that was
 * made of several media is away until all of them are there; its NSID and its
 * capacity are nobody else's meanwhile.
 *
 * For subsys.c, capacity.c and reformat.c, but for what is said otherwise.
 * Owner: the subsystem. Lane 0. Nothing happens without a state.
 */
#ifndef ENVME_NS_ROSTER_H
#define ENVME_NS_ROSTER_H

#include "hw/ns/subsys.h"

/*
 * Looks through what there is; when the state has just been set, for the
 * composition root. false and *err (a sentence that names file and record and
 * says what to do; g_free): it cannot be used.
 */
bool envme_roster_open(struct envme_subsys *s, char **err);
/*
 * All media that the user has are there: NULL, or a sentence about a namespace
 * that lacks one (g_free). For the composition root.
 */
char *envme_roster_missing(const struct envme_subsys *s);
/* With the subsystem. */
void envme_roster_init(struct envme_subsys *s);
void envme_roster_free(struct envme_subsys *s);

/*
 * A namespace that comes with a medium: gives it its medium's number, its NSID
 * (0: a host has deleted it), its format and its identifiers. false and *err:
 * it cannot be there, and nothing has changed but itself.
 */
bool envme_roster_meet(struct envme_subsys *s, struct envme_ns *ns,
                       char **err);
/* It has joined: what was waiting for its medium comes back. */
void envme_roster_restore(struct envme_subsys *s);
/* The medium of this namespace goes: nothing is taken on it any more. */
void envme_roster_close(struct envme_subsys *s, struct envme_ns *ns);
/* A namespace that was made goes, but is not deleted; its extents do not
 * belong to it any more. */
void envme_roster_part(struct envme_subsys *s, struct envme_ns *ns);

/* Is that NSID one of a namespace that is not there now? */
bool envme_roster_reserved(const struct envme_subsys *s, uint32_t nsid);
/* Puts its record as it is now. Written with the next commit. */
void envme_roster_put(struct envme_ns *ns);
/* It is deleted by a host: nothing of it is left but that. */
void envme_roster_forget(struct envme_ns *ns);

#endif
