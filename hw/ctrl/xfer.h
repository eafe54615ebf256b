/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host memory of a command: PSDT to I/O vectors. Base 2.1, 4.3.
 *
 * Threads: the lane on which the command runs. Plain memory is used in place
 * (zero copy); anything else goes through a bounce buffer, on lane 0 only.
 * What is mapped counts in the lane's nmapped, so that others can tell when no
 * DMA can come any more.
 */
#ifndef ENVME_CTRL_XFER_H
#define ENVME_CTRL_XFER_H

#include "hw/ctrl/ctrl.h"

/*
 * Maps cmd->len bytes of the data pointer and cmd->mdlen of the metadata
 * pointer. On an error nothing stays mapped and *err tells more:
 *   -EAGAIN  not for this lane: do it all again on lane 0
 *   -EBUSY   Bus Master is off: do it all again when it is on
 */
struct envme_status envme_xfer_map(struct envme_cmd *cmd, int *err);
/*
 * Ends what map began; with copy, brings bounced data to the host first. 0,
 * or the errno of that: after -EBUSY the bounced part is still there, for a
 * second call.
 */
int envme_xfer_end(struct envme_cmd *cmd, bool copy);
/* Between the two, for to_host: where on the bus segment i lies; false: in a
 * bit bucket. And: what is bounced is not brought to the host. */
bool envme_xfer_at(const struct envme_xfer *x, unsigned i, uint64_t *addr);
void envme_xfer_keep_back(struct envme_xfer *x);
/* The vectors' own memory, when a command is freed for good. */
void envme_xfer_free(struct envme_xfer *x);

#endif
