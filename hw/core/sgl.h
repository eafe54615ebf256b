/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scatter Gather Lists: from an SGL descriptor to a segment list.
 *
 * Owner and threads: the caller's (walk.h). Calls the walk's read and sg.
 * Spec: Base 2.1, 4.3.2; the statuses: 4.2.3.1.
 *
 * Supported: data block, bit bucket, segment and last segment descriptors
 * with an address. A segment that is followed by none, though not announced
 * as the last, ends the list.
 *
 * Segments are appended to sg. When a status other than success comes back,
 * some may have been; the caller clears or frees.
 *   SGL Descriptor Type Invalid        another type, or a subtype
 *   Invalid SGL Segment Descriptor     the length of a segment is zero or not
 *                                      a multiple of 16, its address not one
 *                                      of 8, it wraps, or the last segment
 *                                      points to a further one
 *   Invalid Number of SGL Descriptors  a segment pointer is not the last
 *                                      descriptor of its segment; more
 *                                      descriptors than fuel; sg is full
 *   Data / Metadata SGL Length Invalid too short, or too long
 *   Data Transfer Error                a segment could not be read (w->err
 *                                      says why), or a data block wraps
 *   Internal Error                     no memory
 *
 * Descriptors may have no length and segments may point to themselves, so the
 * data does not bound the work. Fuel does: ENVME_SGL_FUEL_FREE descriptors
 * and one more for each byte of data, but not above ENVME_SGL_FUEL_MAX.
 */
#ifndef ENVME_CORE_SGL_H
#define ENVME_CORE_SGL_H

#include <stdint.h>

#include "envme/cmd.h"
#include "envme/status.h"
#include "hw/core/sg.h"
#include "hw/core/walk.h"

/* Controller to host: bit buckets discard. The other way they are nothing. */
#define ENVME_SGL_C2H       (1u << 0)
/* A wrong length is the metadata's. */
#define ENVME_SGL_METADATA  (1u << 1)
/* A longer list is no error; what follows the data isn't looked at. */
#define ENVME_SGL_EXCESS_OK (1u << 2)

#define ENVME_SGL_FUEL_FREE 1024u
#define ENVME_SGL_FUEL_MAX  65536u

struct envme_status envme_sgl_map(struct envme_walk *w,
                                  const struct envme_sgl_desc *desc,
                                  uint64_t len, unsigned flags,
                                  struct envme_sg *sg);

#endif
