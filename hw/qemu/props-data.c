/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Properties of the controller that are files or lists: bp0, bp1, uuids. */
#include "hw/qemu/compat.h"

#include <glib/gstdio.h>

#include "qapi/error.h"
#include "qemu/uuid.h"

#include "envme/ocp.h"
#include "hw/qemu/dev.h"

static bool data_file(const char *name, const char *path, uint32_t units,
                      const void **buf, size_t *len, Error **errp)
{
    g_autoptr(GError) err = NULL;
    GStatBuf st;
    char *text;

    if (!path) {
        return true;
    }
    if (!units) {
        error_setg(errp, "%s=%s needs bp-size=, the size of the boot "
                   "partitions in 128 KiB", name, path);
        return false;
    }
    /* Looked at first: it could be a device without an end. */
    if (g_stat(path, &st)) {
        error_setg_errno(errp, errno, "%s=%s cannot be read", name, path);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        error_setg(errp, "%s=%s is not a regular file", name, path);
        return false;
    }
    if ((uint64_t)st.st_size > (uint64_t)units * ENVME_BOOTPART_UNIT) {
        error_setg(errp, "%s=%s has %" PRIu64 " bytes, which do not fit into "
                   "bp-size=%u; they need bp-size=%" PRIu64, name, path,
                   (uint64_t)st.st_size, units,
                   DIV_ROUND_UP((uint64_t)st.st_size, ENVME_BOOTPART_UNIT));
        return false;
    }
    if (!g_file_get_contents(path, &text, len, &err)) {
        error_setg(errp, "%s=%s: %s", name, path, err->message);
        return false;
    }
    *buf = text;
    return true;
}

static bool data_uuids(const char *list, struct envme_ctrl_params *p,
                       Error **errp)
{
    g_auto(GStrv) ids = g_strsplit(list, ":", -1);

    for (unsigned i = 0; ids[i]; i++) {
        QemuUUID uuid;

        if (i == ARRAY_SIZE(p->uuid)) {
            error_setg(errp, "uuids= has more than %zu entries; the most is "
                       "%zu", ARRAY_SIZE(p->uuid), ARRAY_SIZE(p->uuid));
            return false;
        }
        if (qemu_uuid_parse(ids[i], &uuid) || qemu_uuid_is_null(&uuid)) {
            error_setg(errp, "uuids: '%s' is not a UUID; give a list such as "
                       "00112233-4455-6677-8899-aabbccddeeff:UUID", ids[i]);
            return false;
        }
        memcpy(p->uuid[i], uuid.data, sizeof(p->uuid[i]));
        p->nuuids = i + 1;
    }
    return true;
}

/* Where the guest may inject faults, tools find the feature by this one. */
static void data_ocp_uuid(struct envme_ctrl_params *p)
{
    static const uint8_t ocp[16] = ENVME_OCP_UUID;

    for (unsigned i = 0; i < p->nuuids; i++) {
        if (memcmp(p->uuid[i], ocp, sizeof(ocp)) == 0) {
            return;
        }
    }
    if (p->nuuids < ARRAY_SIZE(p->uuid)) {
        memcpy(p->uuid[p->nuuids++], ocp, sizeof(ocp));
    }
}

bool envme_props_data(const EnvmeState *s, struct envme_ctrl_params *p,
                      Error **errp)
{
    const struct envme_ctrl_props *pr = &s->props;

    if (!data_file("bp0", pr->bp[0], p->bp_units, &p->bp_init[0],
                   &p->bp_init_len[0], errp) ||
        !data_file("bp1", pr->bp[1], p->bp_units, &p->bp_init[1],
                   &p->bp_init_len[1], errp) ||
        (pr->uuids && !data_uuids(pr->uuids, p, errp))) {
        return false;
    }
    if (p->fault_injection) {
        data_ocp_uuid(p);
    }
    return true;
}

void envme_props_data_free(struct envme_ctrl_params *p)
{
    for (unsigned i = 0; i < 2; i++) {
        g_free((void *)p->bp_init[i]);
        p->bp_init[i] = NULL;
    }
}
