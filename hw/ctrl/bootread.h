/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a boot partition through BPINFO, BPRSEL and BPMBL: Base 2.1,
 * 3.1.4.13 to 3.1.4.15, 8.1.3.1. Works whether the controller is enabled or
 * not. Lane 0.
 *
 * The write of BPRSEL only notes what is asked for. The copying goes on in
 * deferred calls, a piece in each, so that no register write waits; while one
 * is due the controller is not idle. With Bus Master off it stops, and goes on
 * when it is on again.
 */
#ifndef ENVME_CTRL_BOOTREAD_H
#define ENVME_CTRL_BOOTREAD_H

#include "hw/ctrl/ctrl.h"

/* The controller is made: makes the subsystem's partitions if its parameters
 * say so. */
void envme_bootread_init(struct envme_ctrl *ctrl);
/* Any reset: what is under way is given up, the registers are zeroes. */
void envme_bootread_reset(struct envme_ctrl *ctrl);
/* BPRSEL, half of BPMBL (0: the low one) was written. */
void envme_bootread_select(struct envme_ctrl *ctrl, uint32_t bprsel);
void envme_bootread_buffer(struct envme_ctrl *ctrl, unsigned half,
                           uint32_t val);
/* Bus Master is on again. */
void envme_bootread_resume(struct envme_ctrl *ctrl);
/* Another partition is active: BPINFO says so. */
void envme_bootread_refresh(struct envme_ctrl *ctrl);

/* Has the controller boot partitions? */
static inline bool envme_bootread_there(const struct envme_ctrl *ctrl)
{
    return ctrl->params.bp_units;
}

#endif
