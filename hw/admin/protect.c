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
    envme_ns_update_read_only(ns);
}

void envme_protect_load(struct envme_ns *ns)
{
    char name[ENVME_KEEP_NAME];
    struct protect_record r;

    if (ns->wps_loaded) {
        return;
    }
    ns->wps_loaded = true;
    protect_name(name, ns);
    envme_state_read(ns->subsys->state, name, &r, sizeof(r));
    if (le32_get(r.version) == PROTECT_VERSION &&
        (le32_get(r.wps) == ENVME_NSWP_WRITE_PROTECT ||
         le32_get(r.wps) == ENVME_NSWP_PERMANENT)) {
        protect_apply(ns, le32_get(r.wps));
    }
}

/* Asked for when the namespace is attached: time to see what is kept of it. */
uint32_t envme_feat_reset_protect(struct envme_ctrl *ctrl, struct envme_ns *ns)
{
    (void)ctrl;
    if (ns) {
        envme_protect_load(ns);
    }
    return 0;
}

static void protect_keep(struct envme_ns *ns)
{
    struct protect_record r = { .version = le32(PROTECT_VERSION),
                                .wps = le32(ns->wps) };
    char name[ENVME_KEEP_NAME];

    protect_name(name, ns);
    if (!ns->wps || ns->wps == ENVME_NSWP_POWER_CYCLE) {
        envme_state_remove(ns->subsys->state, name);
    } else {
        envme_state_put(ns->subsys->state, name, &r, sizeof(r));
    }
}

/* ---- Set Features ------------------------------------------------------ */

/* A command for one namespace, or (NSID FFFFFFFFh) for all that are attached:
 * all are as it says, or none is. */
struct protect_cmd {
    uint32_t at, last;
};

/* The next one that is still there, or NULL. */
static struct envme_ns *protect_next(struct envme_cmd *cmd)
{
    struct protect_cmd *p = ENVME_CMD_STATE(cmd, struct protect_cmd);

    while (p->at <= p->last) {
        struct envme_ns *ns = cmd->ctrl->ns[p->at++];

        if (ns && !ns->leaving) {
            return ns;
        }
    }
    return NULL;
}

static void protect_rewind(struct envme_cmd *cmd)
{
    uint32_t nsid = envme_cmd_nsid(cmd);
    bool all = nsid == UINT32_MAX;

    *ENVME_CMD_STATE(cmd, struct protect_cmd) = (struct protect_cmd){
        .at = all ? 1 : nsid, .last = all ? cmd->ctrl->subsys->nn : nsid,
    };
}

static void protect_finish(struct envme_cmd *cmd)
{
    struct envme_state *state = cmd->ctrl->subsys->state;
    struct envme_ns *ns;

    protect_rewind(cmd);
    envme_state_hold(state);
    while ((ns = protect_next(cmd))) {
        protect_keep(ns);
        if (ns->wps) {
            envme_streams_forget_ns(ns->subsys->streams, ns->nsid,
                                    ENVME_STREAMS_RELEASE);
        }
        envme_subsys_ns_changed(ns->subsys, ns);
    }
    envme_state_release(state);
    envme_cmd_keep_done(cmd, ENVME_ST(SUCCESS));
}

/* What was cached is on the medium; then of the next one. */
static void protect_flushed(struct envme_cmd *cmd, int err)
{
    struct envme_ns *ns;

    if (err) {
        struct envme_status st = envme_cmd_io_status(cmd, err);

        protect_rewind(cmd);
        while ((ns = protect_next(cmd))) {
            protect_apply(ns, ns->wps_old);
        }
        envme_cmd_done(cmd, st);
        return;
    }
    while ((ns = protect_next(cmd))) {
        if (ns->wps && !ns->wps_old && !ns->geo.read_only) {
            cmd->bio = (struct envme_bio){ .op = ENVME_BIO_FLUSH };
            envme_cmd_io(cmd, ns, protect_flushed);
            return;
        }
    }
    protect_finish(cmd);
}

static struct envme_status protect_check(struct envme_cmd *cmd,
                                         const struct envme_ns *ns)
{
    if (ns->wps == ENVME_NSWP_POWER_CYCLE || ns->wps == ENVME_NSWP_PERMANENT) {
        return envme_cmd_fail(cmd, ENVME_ST(FEAT_NOT_CHANGEABLE),
                              offsetof(struct envme_sqe, cdw11));
    }
    return (struct envme_status){ atomic_load(&ns->gate_sf) };
}

struct envme_status envme_feat_set_protect(struct envme_cmd *cmd,
                                           struct envme_ns *ns,
                                           uint32_t *value, const void *data,
                                           uint32_t *dw0)
{
    bool permanent = envme_admin_nwpc(cmd->ctrl) & ENVME_NWPC_PWPS;
    struct envme_status st = ENVME_ST(SUCCESS);

    (void)data;
    (void)dw0;
    if (*value > ENVME_NSWP_PERMANENT ||
        (*value == ENVME_NSWP_PERMANENT && !permanent)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw11));
    }
    protect_rewind(cmd);
    while (envme_st_ok(st) && (ns = protect_next(cmd))) {
        st = protect_check(cmd, ns);
    }
    if (envme_st_err(st)) {
        return st;
    }
    protect_rewind(cmd);
    while ((ns = protect_next(cmd))) {
        ns->wps_old = ns->wps;
        protect_apply(ns, *value);
    }
    protect_rewind(cmd);
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
