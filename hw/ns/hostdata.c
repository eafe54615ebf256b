/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ns/hostdata.h"

#include <stdio.h>

#include "hw/ns/subsys.h"

static void hostdata_name(char name[32], const struct envme_ns *ns,
                          enum envme_hostdata what)
{
    static const char *const names[ENVME_HOSTDATA_MAX] = {
        [ENVME_HOSTDATA_LABEL] = "label", [ENVME_HOSTDATA_RANGES] = "ranges",
    };

    snprintf(name, 32, "ns/%u/%s", ns->nsid, names[what]);
}

static struct envme_state *hostdata_state(const struct envme_ns *ns)
{
    return ns->subsys ? ns->subsys->state : NULL;
}

GBytes *envme_ns_hostdata(struct envme_ns *ns, enum envme_hostdata what)
{
    char name[32];

    if (!(ns->hostdata_loaded & 1u << what)) {
        hostdata_name(name, ns, what);
        ns->hostdata[what] = envme_state_get(hostdata_state(ns), name);
        ns->hostdata_loaded |= 1u << what;
    }
    return ns->hostdata[what];
}

void envme_ns_set_hostdata(struct envme_ns *ns, enum envme_hostdata what,
                           const void *buf, size_t len)
{
    char name[32];

    g_clear_pointer(&ns->hostdata[what], g_bytes_unref);
    ns->hostdata_loaded |= 1u << what;
    hostdata_name(name, ns, what);
    if (len) {
        ns->hostdata[what] = g_bytes_new(buf, len);
        envme_state_put(hostdata_state(ns), name, buf, len);
    } else {
        envme_state_remove(hostdata_state(ns), name);
    }
}

void envme_ns_forget_hostdata(struct envme_ns *ns)
{
    for (unsigned i = 0; i < ENVME_HOSTDATA_MAX; i++) {
        envme_ns_set_hostdata(ns, i, NULL, 0);
    }
}

void envme_ns_free_hostdata(struct envme_ns *ns)
{
    for (unsigned i = 0; i < ENVME_HOSTDATA_MAX; i++) {
        g_clear_pointer(&ns->hostdata[i], g_bytes_unref);
    }
    ns->hostdata_loaded = 0;
}
