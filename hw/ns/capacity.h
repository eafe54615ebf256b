/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The capacity of a subsystem, and the namespaces that a host makes of it.
 * Base 2.1, 3.8, 5.1.21 and 8.1.15.
 *
 * Every medium that a namespace came with (drive=, memdev=) belongs to the
 * capacity as long as it is there. A namespace that came with one has all of
 * it and uses it as it is; when the host deletes it, those bytes are free, and
 * namespaces made of them are slices. Capacity is counted in bytes, data and
 * metadata of each logical block, and not rounded. A namespace keeps the bytes
 * that it was made with when it is formatted otherwise.
 *
 * What a deleted namespace held is never to be read through another: a
 * namespace is zeroed when it is made, before a host can see it. Media that
 * can deallocate do so at once.
 *
 * Owner: the subsystem, also of the namespaces made here. Lane 0.
 */
#ifndef ENVME_NS_CAPACITY_H
#define ENVME_NS_CAPACITY_H

#include "hw/ns/subsys.h"

/* ---- for subsys.c ------------------------------------------------------ */

void envme_capacity_init(struct envme_subsys *s);
/* The medium of a namespace that came with one, and all of it is taken, unless
 * the namespace is deleted. */
void envme_capacity_join(struct envme_subsys *s, struct envme_ns *ns);
/* Nothing more is made of it. */
void envme_capacity_close(struct envme_subsys *s, struct envme_ns *ns);
/* No namespace is left on it: it goes. */
void envme_capacity_leave(struct envme_subsys *s, struct envme_ns *ns);
/* A namespace gives back what it had, or leaves it to the roster; one made
 * here is freed. */
void envme_capacity_give(struct envme_subsys *s, struct envme_ns *ns);
/* The medium that this namespace came with changed its size or state; with
 * the namespace's own size if it still has it. */
void envme_capacity_resized(struct envme_subsys *s, struct envme_ns *ns);
/* Was it made of that one's medium, in part? */
bool envme_capacity_uses(const struct envme_ns *made,
                         const struct envme_ns *ns);

/* ---- for everybody ----------------------------------------------------- */

/* The namespace that came with the medium of that number, deleted or not, or
 * NULL. From that number on, the next that there is. */
struct envme_ns *envme_capacity_medium(const struct envme_subsys *s,
                                       uint32_t medium);
struct envme_ns *envme_capacity_next_medium(const struct envme_subsys *s,
                                            uint32_t medium);
/* The namespace that came with that backend. */
struct envme_ns *envme_capacity_owner(const struct envme_subsys *s,
                                      const void *member);

/* For the roster: one that was made in an earlier life, of extents that are
 * its own already; NULL when there is no such command set. */
struct envme_capacity_old {
    uint32_t align;
    uint8_t csi;
    bool shared;
};
struct envme_ns *envme_capacity_revive(struct envme_subsys *s,
                                       const struct envme_capacity_old *old,
                                       const struct envme_extent *ext,
                                       unsigned n);
/* It came to nothing: frees it, the extents stay taken. */
void envme_capacity_bury(struct envme_subsys *s, struct envme_ns *ns);

uint64_t envme_capacity_total(const struct envme_subsys *s);
uint64_t envme_capacity_unused(const struct envme_subsys *s);
/* How many namespaces were made of this one's medium and are on it. */
unsigned envme_capacity_users(const struct envme_subsys *s,
                              const struct envme_ns *ns);

/*
 * What a namespace made now could look like: its formats are those of all that
 * are made here. Not in the subsystem, without a medium; envme_ns_free().
 */
struct envme_ns *envme_capacity_model(const struct envme_subsys *s);

struct envme_capacity_req {
    uint64_t nsze;              /* logical blocks */
    unsigned format;            /* index into the model's formats */
    bool extended, shared;
    uint8_t pi_type;            /* protection information; 0: none */
    bool pi_first;
    uint8_t csi;
    const struct envme_iocs *iocs;
};

/*
 * Makes one: 0 and *ns, or -EINVAL for the format, -ENOSPC with what it would
 * take in *need. It is in the subsystem, but without an NSID, until it is
 * zeroed (erase.h) and envme_subsys_add_ns() or envme_subsys_delete_ns().
 */
int envme_capacity_make(struct envme_subsys *s,
                        const struct envme_capacity_req *req,
                        struct envme_ns **ns, uint64_t *need);

#endif
