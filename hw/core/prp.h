/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical Region Pages: from PRP entries to a segment list.
 *
 * Owner and threads: the caller's (walk.h). Calls the walk's read and sg.
 * Spec: Base 2.1, 4.3.1; PRP lists of queues: 5.2.1, 5.2.2.
 *
 * The work is bounded by len (npages): a list page gives at least one entry
 * for each two pages of data, so a list that points to itself is no danger.
 *
 * Segments are appended to sg. When a status other than success comes back,
 * some may have been; the caller clears or frees.
 *   PRP Offset Invalid     an offset where none may be, or one unaligned
 *   Data Transfer Error    a list could not be read: w->err says why
 *   Internal Error         sg is full
 */
#ifndef ENVME_CORE_PRP_H
#define ENVME_CORE_PRP_H

#include <stdint.h>

#include "envme/status.h"
#include "hw/core/sg.h"
#include "hw/core/walk.h"

struct envme_status envme_prp_map(struct envme_walk *w, uint64_t prp1,
                                  uint64_t prp2, uint64_t len,
                                  struct envme_sg *sg);

/*
 * The pages of a queue that is not physically contiguous, whole ones.
 * list_addr is the PRP1 of the create command, aligned to a page.
 */
struct envme_status envme_prp_list_map(struct envme_walk *w,
                                       uint64_t list_addr, uint64_t npages,
                                       struct envme_sg *sg);

#endif
