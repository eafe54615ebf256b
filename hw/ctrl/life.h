/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life cycle: CC.EN, CC.SHN, NSSR, CSTS. Base 2.1, 3.5 and 3.6. Lane 0.
 *
 * Nothing here waits: disabling and shutting down go on in the background,
 * and CSTS tells when they are over.
 */
#ifndef ENVME_CTRL_LIFE_H
#define ENVME_CTRL_LIFE_H

#include "hw/ctrl/ctrl.h"

/* CC was written. */
void envme_life_cc(struct envme_ctrl *ctrl, uint32_t cc);
/* NSSR was written with its key. */
void envme_life_nssr(struct envme_ctrl *ctrl);
/* A power cut: CC.EN has no effect before the power is on again, when what the
 * media have lost is gone. */
void envme_life_power(struct envme_ctrl *ctrl, bool on);
/* A reset goes on if nothing holds it up any more. */
void envme_life_check(struct envme_ctrl *ctrl);
/* A request to a backend that no command stands for begins or ends: the
 * controller is not idle in between. */
void envme_life_background(struct envme_ctrl *ctrl, bool begin);
/* Its subsystem was reset: envme_subsys_ctrl_ops.nssr. */
void envme_life_subsys_reset(void *ctrl);

#endif
