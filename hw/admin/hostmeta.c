/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Features in which hosts leave something for each other: Host Metadata (7Dh,
 * 7Eh, 7Fh), Software Progress Marker (80h), Host Identifier (81h). Base 2.1,
 * 5.1.25.1.26 to 5.1.25.1.28. Lane 0.
 */
#include <string.h>

#include "hw/admin/shared.h"

#include "hw/ctrl/feature.h"

#define AT_CDW11 offsetof(struct envme_sqe, cdw11)
#define AT_DPTR  offsetof(struct envme_sqe, dptr)

#define META_ET 0x1fu           /* of a descriptor's first byte */
#define META_ER 0x0fu           /* of its second */
#define META_HEAD offsetof(struct envme_feat_meta, med)

/* ---- Host Metadata ----------------------------------------------------- */

struct meta_desc {
    const uint8_t *at;          /* all of it, the head too */
    size_t len;
    struct envme_meta_element head;
};

/* The descriptor at *off, which moves behind it; false when it does not end
 * within the structure. */
static bool meta_next(const struct envme_feat_meta *m, size_t *off,
                      struct meta_desc *d)
{
    size_t left = sizeof(m->med) - *off;

    if (left < sizeof(d->head)) {
        return false;
    }
    d->at = m->med + *off;
    memcpy(&d->head, d->at, sizeof(d->head));
    d->len = sizeof(d->head) + le16_get(d->head.elen);
    *off += d->len;
    return d->len <= left;
}

static uint8_t meta_type(const struct meta_desc *d)
{
    return d->head.et & META_ET;
}

/* Which types it names, a bit each. False: it is not as the action wants. */
static bool meta_check(const struct envme_feat_meta *m, unsigned ea,
                       uint32_t *types)
{
    size_t off = 0;

    *types = 0;
    for (unsigned i = 0; i < m->nmed; i++) {
        struct meta_desc d;

        if (!meta_next(m, &off, &d) || d.head.et & ~META_ET ||
            d.head.er & ~META_ER || !meta_type(&d) ||
            (ea == ENVME_META_DELETE) != !le16_get(d.head.elen) ||
            (ea == ENVME_META_ADD_REPLACE && *types & 1u << meta_type(&d))) {
            return false;
        }
        *types |= 1u << meta_type(&d);
    }
    return true;
}

/* Appends the descriptors of from but those of these types. */
static bool meta_append(struct envme_feat_meta *to, size_t *end,
                        const struct envme_feat_meta *from, uint32_t without)
{
    size_t off = 0;

    for (unsigned i = 0; i < from->nmed; i++) {
        struct meta_desc d;

        if (!meta_next(from, &off, &d)) {
            return false;
        }
        if (without & 1u << meta_type(&d)) {
            continue;
        }
        if (d.len > sizeof(to->med) - *end || to->nmed == UINT8_MAX) {
            return false;
        }
        memcpy(to->med + *end, d.at, d.len);
        *end += d.len;
        to->nmed++;
    }
    return true;
}

static bool meta_action_ok(uint8_t fid, unsigned ea)
{
    return ea == ENVME_META_DELETE ||
           ea == (fid == ENVME_FID_ENH_CTRL_META ? ENVME_META_ADD
                                                 : ENVME_META_ADD_REPLACE);
}

/* All of it or nothing. */
struct envme_status envme_feat_set_meta(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0)
{
    static const struct envme_feat_meta none;
    uint8_t fid = FIELD_GET(ENVME_FEAT_FID, envme_cmd_cdw(cmd, 10));
    unsigned ea = FIELD_GET(ENVME_FEAT_META_EA, *value);
    const struct envme_feat_meta *add = data;
    const struct envme_feat_meta *old = envme_feature_data(cmd->ctrl, fid, ns);
    struct envme_feat_meta now = { 0 };
    uint32_t types;
    size_t end = 0;

    (void)dw0;
    if (*value & ~ENVME_FEAT_META_EA || !meta_action_ok(fid, ea)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), AT_CDW11);
    }
    if (!meta_check(add, ea, &types) ||
        !meta_append(&now, &end, old ? old : &none,
                     ea == ENVME_META_ADD ? 0 : types) ||
        (ea != ENVME_META_DELETE && !meta_append(&now, &end, add, 0))) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), AT_DPTR);
    }
    envme_feature_set_data(cmd->ctrl, fid, ns, &now);
    *value = 0;
    return ENVME_ST(SUCCESS);
}

/* GDHM asks for defaults; there are none to generate. */
struct envme_status envme_feat_get_meta(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *dw0,
                                        void *data)
{
    uint8_t fid = FIELD_GET(ENVME_FEAT_FID, envme_cmd_cdw(cmd, 10));
    const void *now = envme_feature_data(cmd->ctrl, fid, ns);

    (void)dw0;
    if (now) {
        memcpy(data, now, sizeof(struct envme_feat_meta));
    }
    return ENVME_ST(SUCCESS);
}

_Static_assert(META_HEAD == 2, "bytes 0 and 1: NMED and reserved");

/* ---- Software Progress Marker ------------------------------------------ */

struct envme_status envme_feat_set_progress(struct envme_cmd *cmd,
                                            struct envme_ns *ns,
                                            uint32_t *value, const void *data,
                                            uint32_t *dw0)
{
    (void)ns;
    (void)data;
    (void)dw0;
    if (*value & ~ENVME_FEAT_SPM_PBSLC) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), AT_CDW11);
    }
    return ENVME_ST(SUCCESS);
}

/* ---- Host Identifier --------------------------------------------------- */

#define HOSTID_SHORT 8u

static unsigned hostid_len(bool is_long)
{
    return is_long ? ENVME_HOST_ID_BYTES : HOSTID_SHORT;
}

static bool hostid_is_zero(const uint8_t *id)
{
    static const uint8_t zero[ENVME_HOST_ID_BYTES];

    return !memcmp(id, zero, sizeof(zero));
}

const uint8_t *envme_host_id(const struct envme_ctrl *ctrl, bool *is_long)
{
    const struct envme_admin *a = envme_admin(ctrl);

    *is_long = a->host_id_long;
    return hostid_is_zero(a->host_id) ? NULL : a->host_id;
}

void envme_host_id_reset(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = ctrl->admin;

    memset(a->host_id, 0, sizeof(a->host_id));
    a->host_id_long = false;
}

uint16_t envme_feat_len_hostid(const struct envme_cmd *cmd)
{
    return hostid_len(envme_cmd_cdw(cmd, 11) & ENVME_FEAT_HOSTID_EXHID);
}

/* Does another controller go by identifiers of the other size? */
static bool hostid_clashes(const struct envme_ctrl *ctrl, bool is_long)
{
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        const struct envme_ctrl *c = envme_shared_ctrl(ctrl->subsys, i);
        bool other;

        if (c && c != ctrl && envme_host_id(c, &other) && other != is_long) {
            return true;
        }
    }
    return false;
}

struct envme_status envme_feat_set_hostid(struct envme_cmd *cmd,
                                          struct envme_ns *ns, uint32_t *value,
                                          const void *data, uint32_t *dw0)
{
    bool is_long = *value & ENVME_FEAT_HOSTID_EXHID, now;
    struct envme_admin *a = cmd->ctrl->admin;

    (void)ns;
    (void)dw0;
    if (*value & ~ENVME_FEAT_HOSTID_EXHID) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), AT_CDW11);
    }
    if (envme_host_id(cmd->ctrl, &now)) {
        return ENVME_ST(SEQUENCE_ERROR);
    }
    if (hostid_clashes(cmd->ctrl, is_long)) {
        return envme_cmd_fail(cmd, ENVME_ST(HOSTID_FORMAT), AT_CDW11);
    }
    memcpy(a->host_id, data, hostid_len(is_long));
    a->host_id_long = is_long;
    return ENVME_ST(SUCCESS);
}

/* As many bytes of it as the command asks for. */
struct envme_status envme_feat_get_hostid(struct envme_cmd *cmd,
                                          struct envme_ns *ns, uint32_t *dw0,
                                          void *data)
{
    const struct envme_admin *a = envme_admin(cmd->ctrl);

    (void)ns;
    *dw0 = FIELD_SET(ENVME_FEAT_HOSTID_EXHID, a->host_id_long);
    memcpy(data, a->host_id, sizeof(a->host_id));
    return ENVME_ST(SUCCESS);
}
