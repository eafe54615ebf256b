/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The properties of the service-time model: a profile, and what differs. */
#include "hw/qemu/compat.h"

#include "qapi/error.h"

#include "hw/qemu/dev.h"

static const char *const timing_names[ENVME_TIME_COUNT] = {
    [ENVME_TIME_READ] = "latency.read",
    [ENVME_TIME_WRITE] = "latency.write",
    [ENVME_TIME_ZEROES] = "latency.zeroes",
    [ENVME_TIME_FLUSH] = "latency.flush",
    [ENVME_TIME_DSM] = "latency.dsm",
    [ENVME_TIME_COPY] = "latency.copy",
};

bool envme_timing_props(const struct envme_timing_props *props,
                        struct envme_timing_params *p, Error **errp)
{
    *p = (struct envme_timing_params) { .seed = props->seed };
    if (props->profile && !envme_timing_profile(props->profile, p)) {
        error_setg(errp, "profile=%s is none of the profiles, which are %s",
                   props->profile, envme_timing_profiles());
        return false;
    }
    for (unsigned i = 0; i < ENVME_TIME_COUNT; i++) {
        g_autofree char *why = NULL;

        if (props->latency[i]) {
            why = envme_dist_parse(props->latency[i], &p->latency[i]);
        }
        if (why) {
            error_setg(errp, "%s=%s: %s", timing_names[i], props->latency[i],
                       why);
            return false;
        }
    }
    for (unsigned i = 0; i < ENVME_RATE_COUNT; i++) {
        p->rate[i] = props->rate[i] ?: p->rate[i];
    }
    p->channels = props->channels ?: p->channels;
    p->stripe = props->stripe ?: p->stripe;
    if (p->stripe && p->stripe < ENVME_TIMING_STRIPE_MIN) {
        error_setg(errp, "channel-stripe=%u is out of range; the nearest valid "
                   "value is %u", p->stripe, ENVME_TIMING_STRIPE_MIN);
        return false;
    }
    return true;
}
