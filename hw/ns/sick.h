/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backend: in front of a namespace's own, a medium that fails as it is told:
 * errors, writes that are torn or lost, old data, data of other blocks.
 *
 * It takes the place of the namespace's backend (ns->io) with the first fault,
 * and gives it back when there is no fault any more and no request that one
 * has changed: others pay nothing. Requests that no fault concerns are passed
 * on as they are. A request meets the first fault that concerns it, and no
 * other.
 *
 * Owner: the namespace. Threads: faults come and go on lane 0; requests as the
 * backend interface says. A leaf lock.
 */
#ifndef ENVME_NS_SICK_H
#define ENVME_NS_SICK_H

#include "hw/ns/ns.h"

/* Bytes that ENVME_SICK_STALE may keep: data and metadata. */
#define ENVME_SICK_STALE_MAX (4u << 20)
#define ENVME_SICK_FAULTS 64    /* of one namespace at once */

#define ENVME_SICK_READS  (1u << ENVME_BIO_READ)
#define ENVME_SICK_WRITES (1u << ENVME_BIO_WRITE | 1u << ENVME_BIO_WRITE_ZEROES)
#define ENVME_SICK_FLUSH  (1u << ENVME_BIO_FLUSH)

enum envme_sick_kind {
    ENVME_SICK_ERROR,           /* ends with err; with has_keep, `keep` bytes
                                 * are transferred before */
    ENVME_SICK_SHORT,           /* only the first `keep` bytes; no error */
    ENVME_SICK_MOVED,           /* block slba + n is to + n */
    ENVME_SICK_STALE,           /* reads have data and md */
    ENVME_SICK_GARBAGE,         /* reads of deallocated blocks: any bytes */
    ENVME_SICK_LIES,            /* FLUSH does nothing, FUA means nothing */
};

struct envme_sick_fault {
    enum envme_sick_kind kind;
    unsigned ops;               /* 1 << ENVME_BIO_* */
    uint64_t slba, last;        /* blocks, both included */
    int err;                    /* negative errno */
    uint64_t times;             /* and then no more; 0: always */
    bool has_keep;
    uint64_t keep;              /* bytes, rounded down to geo.align */
    uint64_t to;
    uint64_t seed;
    /* Of slba to last; g_malloc'd, whoever heals it frees them. */
    uint8_t *data, *md;
};

/* Takes over *fault. Returns a number for healing it, or 0: there are too many
 * faults already. Lane 0. */
uint64_t envme_ns_sicken(struct envme_ns *ns,
                         const struct envme_sick_fault *fault);
/* Nothing, if there is no such one. Lane 0. */
void envme_ns_heal(struct envme_ns *ns, uint64_t id);
/* With the namespace: no request is pending. */
void envme_ns_free_sick(struct envme_ns *ns);

#endif
