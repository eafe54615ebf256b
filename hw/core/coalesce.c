/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/coalesce.h"

#define COALESCE_UNIT 100000u   /* ns */

void envme_coalesce_init(struct envme_coalesce *c)
{
    *c = (struct envme_coalesce){
        .threshold = 1, .deadline = ENVME_COALESCE_NEVER,
    };
}

static bool coalesce_active(const struct envme_coalesce *c)
{
    return !c->disabled && c->time && c->threshold > 1;
}

static uint64_t coalesce_deadline(const struct envme_coalesce *c, uint64_t now)
{
    return c->time < ENVME_COALESCE_NEVER - now ? now + c->time
                                                : ENVME_COALESCE_NEVER - 1;
}

bool envme_coalesce_flush(struct envme_coalesce *c)
{
    bool any = c->pending;

    c->pending = 0;
    c->deadline = ENVME_COALESCE_NEVER;
    return any;
}

bool envme_coalesce_config(struct envme_coalesce *c, uint8_t time, uint8_t thr,
                           bool disabled, uint64_t now)
{
    uint64_t deadline;

    c->time = (uint64_t)time * COALESCE_UNIT;
    c->threshold = (uint32_t)thr + 1;
    c->disabled = disabled;
    if (!c->pending) {
        return false;
    }
    if (!coalesce_active(c) || c->pending >= c->threshold) {
        return envme_coalesce_flush(c);
    }
    deadline = coalesce_deadline(c, now);
    if (deadline < c->deadline) {
        c->deadline = deadline;
    }
    return envme_coalesce_due(c, now);
}

bool envme_coalesce_add(struct envme_coalesce *c, uint32_t n, uint64_t now,
                        uint64_t *deadline)
{
    bool raise = false;

    if (n && !coalesce_active(c)) {
        envme_coalesce_flush(c);
        raise = true;
    } else if (n) {
        if (!c->pending) {
            c->deadline = coalesce_deadline(c, now);
        }
        /* A sum that would not fit is beyond any threshold. */
        if (n >= c->threshold || c->pending + n >= c->threshold) {
            envme_coalesce_flush(c);
            raise = true;
        } else {
            c->pending += n;
            raise = envme_coalesce_due(c, now);
        }
    }
    *deadline = c->deadline;
    return raise;
}

bool envme_coalesce_due(struct envme_coalesce *c, uint64_t now)
{
    if (!c->pending || now < c->deadline) {
        return false;
    }
    return envme_coalesce_flush(c);
}
