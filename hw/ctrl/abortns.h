/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving up what is in flight for a namespace. Lane 0. */
#ifndef ENVME_CTRL_ABORTNS_H
#define ENVME_CTRL_ABORTNS_H

#include "hw/ctrl/ctrl.h"

/*
 * I/O commands of that namespace that are in flight end with Command Abort
 * Requested, where the backend can give them up; others end as they would.
 * done is called when all have been asked, perhaps before this returns. The
 * namespace may be gone by then.
 */
void envme_ctrl_abort_ns(struct envme_ctrl *ctrl, uint32_t nsid,
                         void (*done)(void *arg), void *arg);

#endif
