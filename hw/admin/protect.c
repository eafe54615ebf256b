/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespace Write Protection: Base 2.1, 5.1.25.1.32 and 8.1.16. The state is
 * the namespace's, whichever controller sets it; a reset leaves it alone. What
 * outlasts a power cycle needs a state file: record "ns/N/protect". Without
 * one, permanent protection is not offered.
 */
#include <stdio.h>

#include "hw/admin/admin.h"

#include "hw/ctrl/keep.h"

#define PROTECT_VERSION 1

struct protect_record {
    le32_t version, wps;
};

static void protect_name(char name[ENVME_KEEP_NAME], const struct envme_ns *ns)
{
    snprintf(name, ENVME_KEEP_NAME, "ns/%u/protect", ns->nsid);
}

uint8_t envme_admin_nwpc(const struct envme_ctrl *ctrl)
{
    if (!envme_admin_feat(ctrl, ENVME_FID_WRITE_PROTECT)) {
        return 0;
    }
    return ENVME_NWPC_NWPWPS | ENVME_NWPC_WPUPCS |
           (ctrl->subsys->state ? ENVME_NWPC_PWPS : 0);
}

static void protect_apply(struct envme_ns *ns, uint8_t wps)
{
    ns->wps = wps;
    atomic_store(&ns->read_only, ns->geo.read_only || wps);
}

/* Asked for when the namespace is attached: time to see what is kept of it. */
uint32_t envme_feat_reset_protect(struct envme_ctrl *ctrl, struct envme_ns *ns)
{
    char name[ENVME_KEEP_NAME];
    struct protect_record r;

    if (!ns || ns->made || ns->wps_loaded) {
        return 0;
    }
    ns->wps_loaded = true;
    protect_name(name, ns);
    envme_state_read(ctrl->subsys->state, name, &r, sizeof(r));
    if (le32_get(r.version) == PROTECT_VERSION &&
        (le32_get(r.wps) == ENVME_NSWP_WRITE_PROTECT ||
         le32_get(r.wps) == ENVME_NSWP_PERMANENT)) {
        protect_apply(ns, le32_get(r.wps));
    }
    return 0;
}

/* One that was made here does not outlast a power cycle itself. */
static void protect_keep(struct envme_ns *ns)
{
    struct protect_record r = { .version = le32(PROTECT_VERSION),
                                .wps = le32(ns->wps) };
    char name[ENVME_KEEP_NAME];

    protect_name(name, ns);
    if (ns->made || !ns->wps || ns->wps == ENVME_NSWP_POWER_CYCLE) {
        envme_state_remove(ns->subsys->state, name);
    } else {
        envme_state_put(ns->subsys->state, name, &r, sizeof(r));
    }
}

/* What was cached is on the medium. */
static void protect_flushed(struct envme_cmd *cmd, int err)
{
    struct envme_ns *ns = cmd->io_ns;

    if (err) {
        protect_apply(ns, 0);
        envme_cmd_done(cmd, envme_cmd_io_status(cmd, err));
        return;
    }
    protect_keep(ns);
    if (ns->wps) {
        envme_streams_forget_ns(ns->subsys->streams, ns->nsid,
                                ENVME_STREAMS_RELEASE);
    }
    envme_subsys_ns_changed(ns->subsys, ns);
    envme_cmd_keep_done(cmd, ENVME_ST(SUCCESS));
}

struct envme_status envme_feat_set_protect(struct envme_cmd *cmd,
                                           struct envme_ns *ns,
                                           uint32_t *value, const void *data,
                                           uint32_t *dw0)
{
    unsigned loc = offsetof(struct envme_sqe, cdw11);
    bool permanent = envme_admin_nwpc(cmd->ctrl) & ENVME_NWPC_PWPS;
    uint8_t old = ns->wps;

    (void)data;
    (void)dw0;
    if (envme_cmd_nsid(cmd) == UINT32_MAX) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, nsid));
    }
    if (*value > ENVME_NSWP_PERMANENT ||
        (*value == ENVME_NSWP_PERMANENT && (!permanent || ns->made))) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
    }
    if (old == ENVME_NSWP_POWER_CYCLE || old == ENVME_NSWP_PERMANENT) {
        return envme_cmd_fail(cmd, ENVME_ST(FEAT_NOT_CHANGEABLE), loc);
    }
    if (atomic_load(&ns->gate_sf)) {
        return (struct envme_status){ atomic_load(&ns->gate_sf) };
    }
    protect_apply(ns, *value);
    if (*value && !old && !ns->geo.read_only) {
        cmd->bio = (struct envme_bio){ .op = ENVME_BIO_FLUSH };
        return envme_cmd_io(cmd, ns, protect_flushed);
    }
    cmd->io_ns = ns;
    protect_flushed(cmd, 0);
    return ENVME_ST_PENDING;
}

struct envme_status envme_feat_get_protect(struct envme_cmd *cmd,
                                           struct envme_ns *ns, uint32_t *dw0,
                                           void *data)
{
    (void)cmd;
    (void)data;
    *dw0 = ns->wps;
    return ENVME_ST(SUCCESS);
}
