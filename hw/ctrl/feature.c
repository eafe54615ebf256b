/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/feature.h"

#include <string.h>

#include <stdio.h>

#include "hw/ctrl/cmd.h"
#include "hw/ctrl/keep.h"

#define FEATURE_MAX_DATA 4096

static int feature_find(const struct envme_ctrl *ctrl, uint8_t fid)
{
    for (unsigned i = 0; i < ctrl->tables->feats->n; i++) {
        if (ctrl->tables->feats->row[i].fid == fid) {
            return envme_feat_there(&ctrl->tables->feats->row[i], ctrl)
                       ? (int)i : -1;
        }
    }
    return -1;
}

/* Values of namespace scope lie behind those of the controller, by NSID. */
static struct envme_feat_val *feature_slot(const struct envme_ctrl *ctrl,
                                           unsigned i,
                                           const struct envme_ns *ns)
{
    uint32_t nsid = ctrl->tables->feats->row[i].scope == ENVME_FEAT_NS && ns ?
                    ns->nsid : 0;

    return &ctrl->feat[(size_t)nsid * ctrl->tables->feats->n + i];
}

static uint32_t feature_default(struct envme_ctrl *ctrl, unsigned i,
                                struct envme_ns *ns)
{
    const struct envme_feat_row *row = &ctrl->tables->feats->row[i];

    return row->reset ? row->reset(ctrl, ns) : row->dflt;
}

/* ---- saved values ------------------------------------------------------ */

/* Its record: a version, the value, then the data if there is any. */
struct feature_record {
    le32_t version, value;
    uint8_t data[FEATURE_MAX_DATA];
};

#define FEATURE_RECORD_VERSION 1
#define FEATURE_RECORD_HEAD offsetof(struct feature_record, data)

static void feature_name(char name[ENVME_KEEP_NAME],
                         const struct envme_ctrl *ctrl, uint8_t fid,
                         uint32_t nsid)
{
    char what[32];

    snprintf(what, sizeof(what), "feature/%02x/%u", fid, nsid);
    envme_keep_name(name, ctrl, what);
}

/* Bytes that are saved with a value. */
static size_t feature_saved_len(const struct envme_feat_row *row)
{
    return row->keep ? row->keep_len : row->data_len;
}

static void feature_keep_data(struct envme_feat_val *v, const void *data,
                              size_t len)
{
    g_free(v->saved_data);
    v->saved_data = g_malloc(len);
    memcpy(v->saved_data, data, len);
}

static void feature_save(struct envme_ctrl *ctrl, unsigned i, uint32_t nsid,
                         uint32_t value, const void *data)
{
    const struct envme_feat_row *row = &ctrl->tables->feats->row[i];
    struct envme_feat_val *v =
        &ctrl->feat[(size_t)nsid * ctrl->tables->feats->n + i];
    char name[ENVME_KEEP_NAME];
    struct feature_record r = {
        .version = le32(FEATURE_RECORD_VERSION), .value = le32(value),
    };

    v->saved = value;
    v->has_saved = true;
    if (feature_saved_len(row)) {
        memcpy(r.data, data, feature_saved_len(row));
        feature_keep_data(v, r.data, feature_saved_len(row));
    }
    feature_name(name, ctrl, row->fid, nsid);
    envme_state_put(ctrl->subsys->state, name, &r,
                    FEATURE_RECORD_HEAD + feature_saved_len(row));
}

/* What another version has saved, in another form, counts as not saved. */
static void feature_load(struct envme_ctrl *ctrl, unsigned i, uint32_t nsid)
{
    const struct envme_feat_row *row = &ctrl->tables->feats->row[i];
    struct envme_feat_val *v =
        &ctrl->feat[(size_t)nsid * ctrl->tables->feats->n + i];
    char name[ENVME_KEEP_NAME];
    struct feature_record r;
    size_t len;

    if (!row->saveable || row->own || v->has_saved || !ctrl->subsys->state) {
        return;
    }
    feature_name(name, ctrl, row->fid, nsid);
    len = envme_state_read(ctrl->subsys->state, name, &r, sizeof(r));
    if (len != FEATURE_RECORD_HEAD + feature_saved_len(row) ||
        le32_get(r.version) != FEATURE_RECORD_VERSION) {
        return;
    }
    v->saved = le32_get(r.value);
    v->has_saved = true;
    if (feature_saved_len(row)) {
        feature_keep_data(v, r.data, feature_saved_len(row));
    }
}

static void feature_restore(struct envme_ctrl *ctrl, struct envme_ns *ns,
                            bool is_ns_scope)
{
    for (unsigned i = 0; i < ctrl->tables->feats->n; i++) {
        const struct envme_feat_row *row = &ctrl->tables->feats->row[i];
        struct envme_feat_val *v = feature_slot(ctrl, i, ns);

        if (row->restore && v->has_saved && envme_feat_there(row, ctrl) &&
            (row->scope == ENVME_FEAT_NS) == is_ns_scope) {
            row->restore(ctrl, ns, v->saved, v->saved_data);
        }
    }
}

static void feature_forget(struct envme_feat_val *v)
{
    v->has_saved = false;
    g_free(v->saved_data);
    v->saved_data = NULL;
}

struct feature_gone {
    struct envme_state *state;
    char end[16];
};

/* Controllers that are not there now have records, too. */
static void feature_drop(void *arg, const char *name, GBytes *data)
{
    const struct feature_gone *g = arg;

    (void)data;
    if (strstr(name, "/feature/") && g_str_has_suffix(name, g->end)) {
        envme_state_remove(g->state, name);
    }
}

void envme_feature_forget_ns(struct envme_ctrl *ctrl, uint32_t nsid)
{
    struct feature_gone g = { .state = ctrl->subsys->state };

    for (unsigned i = 0; i < ctrl->tables->feats->n; i++) {
        if (ctrl->tables->feats->row[i].scope == ENVME_FEAT_NS) {
            feature_forget(&ctrl->feat[(size_t)nsid * ctrl->tables->feats->n +
                                       i]);
        }
    }
    snprintf(g.end, sizeof(g.end), "/%u", nsid);
    envme_state_foreach(g.state, "ctrl/", feature_drop, &g);
}

/* ---- values ------------------------------------------------------------ */

void envme_feature_init(struct envme_ctrl *ctrl)
{
    ctrl->feat = g_new0(struct envme_feat_val,
                        (size_t)ctrl->tables->feats->n *
                        (ctrl->subsys->nn + 1));
    envme_feature_reset_ns(ctrl, NULL);
}

void envme_feature_fini(struct envme_ctrl *ctrl)
{
    size_t n = (size_t)ctrl->tables->feats->n * (ctrl->subsys->nn + 1);

    for (size_t i = 0; i < n; i++) {
        g_free(ctrl->feat[i].saved_data);
        g_free(ctrl->feat[i].data);
    }
    g_free(ctrl->feat);
}

void envme_feature_restore(struct envme_ctrl *ctrl, struct envme_ns *ns)
{
    feature_restore(ctrl, ns, false);
    if (ns) {
        feature_restore(ctrl, ns, true);
        return;
    }
    for (uint32_t nsid = 1; nsid <= ctrl->subsys->nn; nsid++) {
        if (ctrl->ns[nsid]) {
            feature_restore(ctrl, ctrl->ns[nsid], true);
        }
    }
}

void envme_feature_reset_ns(struct envme_ctrl *ctrl, struct envme_ns *ns)
{
    for (unsigned i = 0; i < ctrl->tables->feats->n; i++) {
        struct envme_feat_val *v = feature_slot(ctrl, i, ns);
        bool is_ns = ctrl->tables->feats->row[i].scope == ENVME_FEAT_NS;

        if (is_ns == (ns != NULL)) {
            feature_load(ctrl, i, ns ? ns->nsid : 0);
            g_clear_pointer(&v->data, g_free);
            v->cur = v->has_saved ? v->saved : feature_default(ctrl, i, ns);
        }
    }
}

void envme_feature_reset(struct envme_ctrl *ctrl)
{
    envme_feature_reset_ns(ctrl, NULL);
    for (uint32_t nsid = 1; nsid <= ctrl->subsys->nn; nsid++) {
        if (ctrl->ns[nsid]) {
            envme_feature_reset_ns(ctrl, ctrl->ns[nsid]);
        }
    }
    if (ctrl->tables->ctrl_reset) {
        ctrl->tables->ctrl_reset(ctrl);
    }
    envme_feature_restore(ctrl, NULL);
}

uint32_t envme_feature_value(const struct envme_ctrl *ctrl, uint8_t fid,
                             const struct envme_ns *ns)
{
    int i = feature_find(ctrl, fid);

    return i < 0 ? 0 : feature_slot(ctrl, i, ns)->cur;
}

const void *envme_feature_saved(const struct envme_ctrl *ctrl, uint8_t fid)
{
    int i = feature_find(ctrl, fid);

    return i < 0 ? NULL : feature_slot(ctrl, i, NULL)->saved_data;
}

void envme_feature_set_value(struct envme_ctrl *ctrl, uint8_t fid,
                             const struct envme_ns *ns, uint32_t value)
{
    int i = feature_find(ctrl, fid);

    if (i >= 0) {
        feature_slot(ctrl, i, ns)->cur = value;
    }
}

const void *envme_feature_data(const struct envme_ctrl *ctrl, uint8_t fid,
                               const struct envme_ns *ns)
{
    int i = feature_find(ctrl, fid);
    const struct envme_feat_val *v = i < 0 ? NULL : feature_slot(ctrl, i, ns);

    if (!v) {
        return NULL;
    }
    return v->data ? v->data : v->has_saved ? v->saved_data : NULL;
}

void envme_feature_set_data(struct envme_ctrl *ctrl, uint8_t fid,
                            const struct envme_ns *ns, const void *data)
{
    int i = feature_find(ctrl, fid);

    if (i >= 0) {
        struct envme_feat_val *v = feature_slot(ctrl, i, ns);

        g_free(v->data);
        v->data = g_memdup2(data, ctrl->tables->feats->row[i].data_len);
    }
}

/* The row of a Get or Set Features command, or NULL. */
static const struct envme_feat_row *feature_row(const struct envme_cmd *cmd)
{
    int i = feature_find(cmd->ctrl, FIELD_GET(ENVME_FEAT_FID,
                                              envme_cmd_cdw(cmd, 10)));

    return i < 0 ? NULL : &cmd->ctrl->tables->feats->row[i];
}

static unsigned feature_sel(const struct envme_cmd *cmd)
{
    return cmd->sqe.opc == ENVME_ADM_GET_FEATURES ?
           FIELD_GET(ENVME_FEAT_SEL, envme_cmd_cdw(cmd, 10)) : 0;
}

struct envme_status envme_feature_len(struct envme_cmd *cmd, uint64_t *len)
{
    const struct envme_feat_row *row = feature_row(cmd);

    if (!row) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10));
    }
    assert(row->data_len <= FEATURE_MAX_DATA);
    *len = feature_sel(cmd) == ENVME_FEAT_SEL_CAPS ? 0 :
           row->len ? row->len(cmd) : row->data_len;
    assert(*len <= row->data_len);
    return ENVME_ST(SUCCESS);
}

static uint32_t feature_caps(const struct envme_feat_row *row)
{
    return (row->saveable ? ENVME_FEAT_CAP_SAVEABLE : 0) |
           (row->scope == ENVME_FEAT_NS ? ENVME_FEAT_CAP_NS : 0) |
           (row->changeable ? ENVME_FEAT_CAP_CHANGE : 0);
}

struct envme_status envme_feature_get(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    const struct envme_feat_row *row = feature_row(cmd);
    unsigned i = row - ctrl->tables->feats->row;
    uint8_t data[FEATURE_MAX_DATA] = { 0 };
    struct envme_status st = ENVME_ST(SUCCESS);
    unsigned sel = feature_sel(cmd);
    struct envme_feat_val *v;
    struct envme_ns *ns = NULL;

    if (row->scope == ENVME_FEAT_NS) {
        ns = envme_ctrl_ns(ctrl, envme_cmd_nsid(cmd));
        if (!ns && sel != ENVME_FEAT_SEL_CAPS) {
            return envme_cmd_fail(cmd, envme_cmd_nsid(cmd) - 1 <
                                  ctrl->subsys->nn ? ENVME_ST(INVALID_FIELD)
                                                   : ENVME_ST(INVALID_NS),
                                  offsetof(struct envme_sqe, nsid));
        }
    }
    v = feature_slot(ctrl, i, ns);
    if (sel == ENVME_FEAT_SEL_SAVED && row->own && row->saveable) {
        sel = ENVME_FEAT_SEL_CURRENT;
    } else if (sel == ENVME_FEAT_SEL_SAVED && !v->has_saved) {
        sel = ENVME_FEAT_SEL_DEFAULT;
    }
    switch (sel) {
    case ENVME_FEAT_SEL_CURRENT:
        cmd->dw0 = v->cur;
        if (row->get) {
            st = row->get(cmd, ns, &cmd->dw0, data);
        }
        break;
    case ENVME_FEAT_SEL_DEFAULT:
        cmd->dw0 = feature_default(ctrl, i, ns);
        if (row->reset_data) {
            row->reset_data(ctrl, ns, data);
        }
        break;
    case ENVME_FEAT_SEL_SAVED:
        cmd->dw0 = v->saved;
        if (v->saved_data && row->data_len) {
            memcpy(data, v->saved_data, row->data_len);
        }
        break;
    case ENVME_FEAT_SEL_CAPS:
        cmd->dw0 = feature_caps(row);
        return st;
    default:
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10) + 1);
    }
    if (envme_st_ok(st) && row->show) {
        st = row->show(cmd, &cmd->dw0);
    }
    if (envme_st_ok(st) && row->data_len) {
        envme_cmd_to_host(cmd, 0, data, row->data_len);
    }
    return st;
}

static bool feature_is_save(const struct envme_cmd *cmd)
{
    return envme_cmd_cdw(cmd, 10) & ENVME_FEAT_SV;
}

/* A value that has been set is the current one, and saved if it is to be. */
static void feature_store(struct envme_cmd *cmd,
                          const struct envme_feat_row *row,
                          struct envme_ns *ns, uint32_t value,
                          const void *data)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    unsigned i = row - ctrl->tables->feats->row;
    struct envme_feat_val *v = feature_slot(ctrl, i, ns);
    uint8_t kept[FEATURE_MAX_DATA] = { 0 };

    if (row->own) {
        return;
    }
    v->cur = value;
    if (!feature_is_save(cmd)) {
        return;
    }
    if (row->keep) {
        assert(row->keep_len <= sizeof(kept) && !row->data_len);
        if (v->saved_data) {
            memcpy(kept, v->saved_data, row->keep_len);
        }
        row->keep(cmd, kept, !v->has_saved);
        data = kept;
    }
    if (row->save) {
        value = row->save(cmd, v->has_saved ? v->saved :
                          feature_default(ctrl, i, ns), value);
    }
    feature_save(ctrl, i, row->scope == ENVME_FEAT_NS ? ns->nsid : 0, value,
                 data);
}

static void feature_tell(struct envme_cmd *cmd,
                         const struct envme_feat_row *row, const void *data,
                         bool is_changed)
{
    if (is_changed && cmd->ctrl->tables->feature_changed) {
        cmd->ctrl->tables->feature_changed(cmd, row, data);
    }
}

void envme_feature_set_done(struct envme_cmd *cmd, struct envme_ns *ns,
                            uint32_t value, const void *data)
{
    const struct envme_feat_row *row = feature_row(cmd);
    bool is_changed = envme_feature_value(cmd->ctrl, row->fid, ns) != value;

    feature_store(cmd, row, ns, value, data);
    feature_tell(cmd, row, data, is_changed);
    if (feature_is_save(cmd)) {
        envme_cmd_keep_done(cmd, ENVME_ST(SUCCESS));
    } else {
        envme_cmd_done(cmd, ENVME_ST(SUCCESS));
    }
}

static struct envme_status feature_set_one(struct envme_cmd *cmd,
                                           const struct envme_feat_row *row,
                                           struct envme_ns *ns,
                                           const void *data, bool *changed)
{
    uint32_t old = envme_feature_value(cmd->ctrl, row->fid, ns);
    uint32_t value = envme_cmd_cdw(cmd, 11);
    struct envme_status st = ENVME_ST(SUCCESS);

    if (row->set) {
        st = row->set(cmd, ns, &value, row->data_len ? data : NULL, &cmd->dw0);
    }
    if (envme_st_ok(st)) {
        feature_store(cmd, row, ns, value, data);
        /* Data, and values that the row keeps, are not compared. */
        *changed |= old != value || row->data_len || row->own;
    }
    return st;
}

/* A row that keeps the value itself has kept it. */
static void feature_own_over(struct envme_cmd *cmd, struct envme_status st)
{
    uint8_t data[FEATURE_MAX_DATA] = { 0 };

    if (envme_st_ok(st)) {
        envme_cmd_from_host(cmd, 0, data, cmd->len);
        feature_tell(cmd, feature_row(cmd), data, true);
    }
}

static struct envme_status feature_set(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    const struct envme_feat_row *row = feature_row(cmd);
    uint32_t nsid = envme_cmd_nsid(cmd);
    uint8_t data[FEATURE_MAX_DATA] = { 0 };
    struct envme_status st = ENVME_ST(SUCCESS);
    unsigned loc = offsetof(struct envme_sqe, nsid);
    uint32_t first = nsid, last = nsid;
    bool changed = false;

    if (feature_is_save(cmd) && !row->saveable) {
        return envme_cmd_fail_bit(cmd, ENVME_ST(FID_NOT_SAVEABLE),
                                  offsetof(struct envme_sqe, cdw10) + 3, 7);
    }
    if (!row->changeable) {
        return envme_cmd_fail(cmd, ENVME_ST(FEAT_NOT_CHANGEABLE),
                              offsetof(struct envme_sqe, cdw10));
    }
    envme_cmd_from_host(cmd, 0, data, row->data_len);
    if (row->scope != ENVME_FEAT_NS) {
        if (nsid && nsid != UINT32_MAX) {
            return envme_cmd_fail(cmd, ENVME_ST(FEAT_NOT_NS), loc);
        }
        st = feature_set_one(cmd, row, NULL, data, &changed);
        first = 1;
        last = 0;
    } else if (nsid == UINT32_MAX) {
        first = 1;
        last = ctrl->subsys->nn;
    } else if (!envme_ctrl_ns(ctrl, nsid)) {
        return envme_cmd_fail(cmd, nsid - 1 < ctrl->subsys->nn ?
                              ENVME_ST(INVALID_FIELD)
                              : ENVME_ST(INVALID_NS), loc);
    }
    for (uint32_t i = first; i <= last && envme_st_ok(st); i++) {
        if (ctrl->ns[i]) {
            st = feature_set_one(cmd, row, ctrl->ns[i], data, &changed);
        }
    }
    feature_tell(cmd, row, data, envme_st_ok(st) && changed);
    if (row->own && envme_st_pending(st)) {
        cmd->over = feature_own_over;
    }
    return st;
}

struct envme_status envme_feature_set(struct envme_cmd *cmd)
{
    struct envme_status st = feature_set(cmd);

    return envme_st_ok(st) && feature_is_save(cmd) ? envme_cmd_keep(cmd, st)
                                                   : st;
}
