/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asynchronous events: Base 2.1, 5.1.2. Parked AERs, events waiting for one,
 * and what is masked until its log page has been read.
 *
 * Lane 0 only. Parked AERs hold no CQ slot; they are never failed on reset,
 * just forgotten. One event type is reported once until it is cleared.
 */
#ifndef ENVME_CTRL_EVENT_H
#define ENVME_CTRL_EVENT_H

#include "hw/ctrl/ctrl.h"

void envme_event_init(struct envme_ctrl *ctrl);
void envme_event_fini(struct envme_ctrl *ctrl);
/* Controller reset: parked AERs and waiting events go. */
void envme_event_reset(struct envme_ctrl *ctrl);

/* Reports what waits, as far as there are AERs and CQ slots. */
void envme_event_pump(struct envme_ctrl *ctrl);

/* The AER command: parks it, or AER Limit Exceeded. */
struct envme_status envme_event_park(struct envme_cmd *cmd);
/* Abort of a parked AER: true if it was one, and is completed as aborted. */
bool envme_event_abort(struct envme_ctrl *ctrl, uint16_t cid);

/*
 * Reports an event. type is ENVME_AEN_TYPE_*, info the event's code, lid the
 * log page to read. Whether the host wants it (Feature 0Bh) is checked here,
 * for every type: mask_bit is the bit of Feature 0Bh, or -1 for events that
 * cannot be turned off.
 */
void envme_event_post(struct envme_ctrl *ctrl, uint8_t type, uint8_t info,
                      uint8_t lid, int mask_bit);
/* The log page was read with RAE 0: types is a mask of 1 << type; lid is
 * which one. */
void envme_event_clear(struct envme_ctrl *ctrl, uint8_t types, uint8_t lid);

/* A namespace was attached, detached or changed: into the changed list, and
 * the event. */
void envme_event_ns_changed(struct envme_ctrl *ctrl, uint32_t nsid);
/* A namespace was created, deleted or changed, attached here or not. */
void envme_event_alloc_changed(struct envme_ctrl *ctrl, uint32_t nsid);
/* A changed namespace list, of log page 04h or 1Ch: fills up to 1024 entries
 * (FFFFFFFFh alone when there were more), in ascending order; with clear,
 * empties it. */
void envme_event_changed_list(struct envme_ctrl *ctrl, uint8_t lid,
                              uint32_t list[1024], bool clear);

#endif
