/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A look ahead in a submission queue: while one command is carried out, the
 * processor's caches fetch the entry after the next one, and what of the medium
 * the next one is about. Nothing depends on it: what it sees a host may still
 * change, and the entry is copied when its turn comes. Only plain memory is
 * looked at. The lane's thread, within a turn.
 */
#ifndef ENVME_CTRL_AHEAD_H
#define ENVME_CTRL_AHEAD_H

#include "hw/ctrl/ctrl.h"

/* sq has just lost its first entry. */
void envme_sq_look_ahead(struct envme_sq *sq, const struct envme_dma *dma);

#endif
