/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LBA Range Type (03h: NVM 1.1, 4.1.3.1) and Namespace Admin Label (1Fh: Base
 * 2.1, 5.1.25.1.22). They belong to the namespace, whichever controller sets
 * them, and outlast resets and power cycles (hw/ns/hostdata.h). Neither
 * changes what a command does: they are for hosts. Lane 0.
 */
#include <string.h>

#include "hw/admin/admin.h"

#include "hw/ctrl/keep.h"
#include "hw/ns/hostdata.h"

#define NSDATA_VERSION 1

#define AT_CDW11 offsetof(struct envme_sqe, cdw11)
#define AT_DPTR  offsetof(struct envme_sqe, dptr)

static struct envme_status nsdata_broadcast(struct envme_cmd *cmd)
{
    return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                          offsetof(struct envme_sqe, nsid));
}

/* ---- 03h LBA Range Type ------------------------------------------------ */

struct nsdata_ranges {
    le32_t version, num;        /* num: 1 to 64 */
    struct envme_lba_range entry[64];
};
_Static_assert(sizeof(struct nsdata_ranges) == 8 + 4096, "on disk");

#define RANGES_HEAD offsetof(struct nsdata_ranges, entry)

static bool range_ok(const struct envme_lba_range *r)
{
    return !(r->attr & ~(ENVME_LBART_OVERWRITE | ENVME_LBART_HIDE)) &&
           (r->type <= ENVME_LBART_SWAP || r->type >= 0x80);
}

static bool range_overlaps(const struct envme_lba_range *a,
                           const struct envme_lba_range *b)
{
    uint64_t a0 = le64_get(a->slba), b0 = le64_get(b->slba);

    /* Both are within the namespace: no overflow. */
    return a0 <= b0 + le64_get(b->nlb) && b0 <= a0 + le64_get(a->nlb);
}

struct envme_status envme_feat_set_ranges(struct envme_cmd *cmd,
                                          struct envme_ns *ns, uint32_t *value,
                                          const void *data, uint32_t *dw0)
{
    struct nsdata_ranges r = { .version = le32(NSDATA_VERSION) };
    unsigned num = FIELD_GET(ENVME_FEAT_LBART_NUM, *value) + 1;

    (void)dw0;
    if (envme_cmd_nsid(cmd) == UINT32_MAX) {
        return nsdata_broadcast(cmd);
    }
    if (*value & ~ENVME_FEAT_LBART_NUM) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), AT_CDW11);
    }
    r.num = le32(num);
    memcpy(r.entry, data, num * sizeof(r.entry[0]));
    for (unsigned i = 0; i < num; i++) {
        uint64_t nlb = le64_get(r.entry[i].nlb);

        if (!range_ok(&r.entry[i])) {
            return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), AT_DPTR);
        }
        if (nlb == UINT64_MAX ||
            !envme_ns_range_ok(ns, le64_get(r.entry[i].slba), nlb + 1)) {
            return envme_cmd_fail(cmd, ENVME_ST(LBA_RANGE), AT_DPTR);
        }
        for (unsigned k = 0; k < i; k++) {
            if (range_overlaps(&r.entry[i], &r.entry[k])) {
                return envme_cmd_fail(cmd, ENVME_ST(OVERLAPPING_RANGE),
                                      AT_DPTR);
            }
        }
    }
    envme_ns_set_hostdata(ns, ENVME_HOSTDATA_RANGES, &r,
                          RANGES_HEAD + num * sizeof(r.entry[0]));
    return envme_cmd_keep(cmd, ENVME_ST(SUCCESS));
}

/* One range, all of the namespace. */
void envme_feat_reset_ranges(struct envme_ctrl *ctrl, struct envme_ns *ns,
                             void *data)
{
    struct envme_feat_lba_range *r = data;

    (void)ctrl;
    if (ns) {
        uint64_t nsze = atomic_load(&ns->nsze);

        r->entry[0].attr = ENVME_LBART_OVERWRITE;
        r->entry[0].nlb = le64(nsze ? nsze - 1 : 0);
    }
}

struct envme_status envme_feat_get_ranges(struct envme_cmd *cmd,
                                          struct envme_ns *ns, uint32_t *dw0,
                                          void *data)
{
    GBytes *b = envme_ns_hostdata(ns, ENVME_HOSTDATA_RANGES);
    struct nsdata_ranges r = { 0 };
    uint32_t num;

    if (b) {
        memcpy(&r, g_bytes_get_data(b, NULL),
               ENVME_MIN(g_bytes_get_size(b), sizeof(r)));
    }
    num = le32_get(r.num);
    if (!b || le32_get(r.version) != NSDATA_VERSION || !num || num > 64 ||
        g_bytes_get_size(b) != RANGES_HEAD + num * sizeof(r.entry[0])) {
        *dw0 = 0;
        envme_feat_reset_ranges(cmd->ctrl, ns, data);
        return ENVME_ST(SUCCESS);
    }
    *dw0 = FIELD_SET(ENVME_FEAT_LBART_NUM, num - 1);
    memcpy(data, r.entry, sizeof(r.entry));
    return ENVME_ST(SUCCESS);
}

/* ---- 1Fh Namespace Admin Label ----------------------------------------- */

struct nsdata_label {
    le32_t version;
    char label[sizeof(struct envme_feat_ns_label)];
};
_Static_assert(sizeof(struct nsdata_label) == 260, "on disk");

/* Saved and current value are one: a Set without Save is refused. */
struct envme_status envme_feat_set_label(struct envme_cmd *cmd,
                                         struct envme_ns *ns, uint32_t *value,
                                         const void *data, uint32_t *dw0)
{
    struct nsdata_label r = { .version = le32(NSDATA_VERSION) };
    size_t len;

    (void)dw0;
    if (envme_cmd_nsid(cmd) == UINT32_MAX) {
        return nsdata_broadcast(cmd);
    }
    if (!(envme_cmd_cdw(cmd, 10) & ENVME_FEAT_SV)) {
        return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD),
                                  offsetof(struct envme_sqe, cdw10) + 3, 7);
    }
    if (*value) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), AT_CDW11);
    }
    len = strnlen(data, sizeof(r.label));
    if (len == sizeof(r.label) || !g_utf8_validate(data, len, NULL)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), AT_DPTR);
    }
    memcpy(r.label, data, len);
    envme_ns_set_hostdata(ns, ENVME_HOSTDATA_LABEL, &r, len ? sizeof(r) : 0);
    return envme_cmd_keep(cmd, ENVME_ST(SUCCESS));
}

struct envme_status envme_feat_get_label(struct envme_cmd *cmd,
                                         struct envme_ns *ns, uint32_t *dw0,
                                         void *data)
{
    GBytes *b = envme_ns_hostdata(ns, ENVME_HOSTDATA_LABEL);
    const struct nsdata_label *r = b ? g_bytes_get_data(b, NULL) : NULL;

    (void)cmd;
    *dw0 = 0;
    if (r && g_bytes_get_size(b) == sizeof(*r) &&
        le32_get(r->version) == NSDATA_VERSION) {
        memcpy(data, r->label, sizeof(r->label));
    }
    return ENVME_ST(SUCCESS);
}

void envme_nsdata_sanitized(struct envme_subsys *s)
{
    for (uint32_t i = 1; i <= s->nn; i++) {
        if (s->ns[i]) {
            envme_ns_set_hostdata(s->ns[i], ENVME_HOSTDATA_LABEL, NULL, 0);
        }
    }
}
