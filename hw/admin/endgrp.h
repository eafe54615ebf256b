/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Endurance groups: Base 2.1, 3.2.3, 5.1.12.1.10, 5.1.12.1.15 and feature 18h.
 * A subsystem made for several controllers has one, group 1, of all its media
 * and namespaces; a controller of its own has none, as hosts expect it of
 * such. There are no NVM sets in it. Lane 0.
 */
#ifndef ENVME_ADMIN_ENDGRP_H
#define ENVME_ADMIN_ENDGRP_H

#include "hw/admin/shared.h"

/* The group that everything is in, or 0: there are none. */
static inline uint16_t envme_endgrp(const struct envme_ctrl *ctrl)
{
    return !ctrl->subsys->single;
}

/* A controller joins, leaves: what it has counted stays with the group. */
void envme_endgrp_join(struct envme_ctrl *ctrl);
void envme_endgrp_leave(struct envme_ctrl *ctrl);
/* Its critical warnings, ENVME_EGCW_*; SMART's summary. */
uint8_t envme_endgrp_warning(const struct envme_ctrl *ctrl);
/* Critical warnings of a controller may have changed: tells the events. */
void envme_endgrp_check(struct envme_ctrl *ctrl);

#endif
