/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What SMART / Health Information is made to say: Base 2.1, 5.1.12.1.3.
 *
 * It lies over what the controller counts and changes nothing of that: nothing
 * of it is kept over a power cycle, and taken away, the truth is there again. A
 * counter that was set goes on from there. Lane 0.
 */
#ifndef ENVME_ADMIN_HEALTH_SHOWN_H
#define ENVME_ADMIN_HEALTH_SHOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "envme/log.h"

enum envme_health_field {
    ENVME_HEALTH_SPARE,         /* percent, as the next two */
    ENVME_HEALTH_THRESHOLD,
    ENVME_HEALTH_USED,
    /* Counters from here on, in the log page's units. */
    ENVME_HEALTH_UNITS_READ,
    ENVME_HEALTH_UNITS_WRITTEN,
    ENVME_HEALTH_READS,
    ENVME_HEALTH_WRITES,
    ENVME_HEALTH_BUSY,
    ENVME_HEALTH_POWER_CYCLES,
    ENVME_HEALTH_POWER_ON,
    ENVME_HEALTH_UNSAFE,
    ENVME_HEALTH_MEDIA_ERRORS,
    ENVME_HEALTH_ERRORS,
    ENVME_HEALTH_WARM,
    ENVME_HEALTH_HOT,
    ENVME_HEALTH_TMT1_COUNT,
    ENVME_HEALTH_TMT2_COUNT,
    ENVME_HEALTH_TMT1_TIME,
    ENVME_HEALTH_TMT2_TIME,
    ENVME_HEALTH_FIELDS,
};

struct envme_ctrl;

/* The field has that value now; for counters with `more`, so much more than it
 * has. Reports the events that come of it. */
void envme_health_show(struct envme_ctrl *ctrl, enum envme_health_field field,
                       uint64_t value, bool more);
/* The truth. */
void envme_health_unshow(struct envme_ctrl *ctrl,
                         enum envme_health_field field);
/* What it is shown as now. */
uint64_t envme_health_look(struct envme_ctrl *ctrl,
                           enum envme_health_field field);

/* For the log pages. */
void envme_health_shown_apply(struct envme_ctrl *ctrl,
                              struct envme_log_smart *log);
void envme_health_shown_gauge(const struct envme_ctrl *ctrl,
                              enum envme_health_field field, uint8_t *value);
/* The spare that is shown is below the threshold that is shown. */
bool envme_health_shown_low(const struct envme_ctrl *ctrl);

#endif
