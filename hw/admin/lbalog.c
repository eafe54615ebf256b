/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LBA Status Information: log page 0Eh, feature 15h and the alert. NVM 1.1,
 * 4.1.3.5, 4.1.4.5 and 5.2.1.
 *
 * In the log are the blocks of the attached namespaces that Write Uncorrectable
 * has marked and those that the medium failed to give. A host that has read
 * some of it with RAE finds it unchanged until it reads without.
 */
#include <string.h>

#include "hw/admin/admin.h"

#include "hw/ctrl/event.h"
#include "hw/ctrl/feature.h"
#include "hw/ctrl/keep.h"
#include "hw/ctrl/lane.h"

#define LBAS_AEC_BIT 13
#define LBAS_UNIT_NS (100ull * 1000 * 1000)
/* Range descriptors in all; they fit in ENVME_LOG_MAX with their elements. */
#define LBAS_RANGES 32768u
#define LBAS_NS_RANGES 1024u
#define LBAS_RANGE_MAX (UINT64_C(1) << 32)      /* blocks */
#define LBAS_NO_LIST UINT32_MAX

#define LBAS_VERSION 1

/* Record "ctrl/CNTLID/lbas". */
struct lbas_record {
    le32_t version;
    le32_t lsgc;
};
_Static_assert(sizeof(struct lbas_record) == 8, "on disk");

/* ---- the alert --------------------------------------------------------- */

static bool lbas_any(const struct envme_ctrl *ctrl)
{
    for (uint32_t nsid = 1; nsid <= ctrl->subsys->nn; nsid++) {
        if (ctrl->ns[nsid] && atomic_load(&ctrl->ns[nsid]->nbad)) {
            return true;
        }
    }
    return false;
}

/*
 * Once for what a host has not been told of, and not before the report interval is
 * over, which begins anew when the log is read without RAE.
 */
void envme_lbas_check(struct envme_ctrl *ctrl)
{
    struct envme_lbas *l = &envme_admin(ctrl)->lbas;
    uint64_t lsiri = FIELD_GET(ENVME_FEAT_LBAS_LSIRI,
                               envme_feature_value(ctrl, ENVME_FID_LBA_STATUS,
                                                   NULL));
    uint64_t when = l->restarted_at + lsiri * LBAS_UNIT_NS;

    envme_lane_not_at(&ctrl->lane[0], &l->due);
    if (ctrl->life != ENVME_LIFE_READY || !l->news || l->alerted ||
        !(envme_feature_value(ctrl, ENVME_FID_AEC, NULL) &
          1u << LBAS_AEC_BIT) || !lbas_any(ctrl)) {
        return;
    }
    if (envme_now(ctrl) < when) {
        envme_lane_at(&ctrl->lane[0], &l->due, when);
        return;
    }
    l->alerted = true;
    envme_event_post(ctrl, ENVME_AEN_TYPE_NOTICE, ENVME_AEN_NOTICE_LBA_STATUS,
                     ENVME_LID_LBA_STATUS, LBAS_AEC_BIT);
}

static void lbas_due(struct envme_deadline *d)
{
    envme_lbas_check(((struct envme_lbas *)d)->ctrl);
}

static void lbas_put(struct envme_ctrl *ctrl)
{
    const struct lbas_record r = {
        .version = le32(LBAS_VERSION),
        .lsgc = le32(envme_admin(ctrl)->lbas.lsgc),
    };
    char name[ENVME_KEEP_NAME];

    envme_keep_name(name, ctrl, "lbas");
    envme_state_put(ctrl->subsys->state, name, &r, sizeof(r));
    envme_state_commit_async(ctrl->subsys->state);
}

void envme_lbas_lost(struct envme_ctrl *ctrl, uint32_t nsid)
{
    struct envme_lbas *l = &envme_admin(ctrl)->lbas;

    (void)nsid;
    if (!l->fresh) {
        l->fresh = l->news = true;
        l->lsgc++;
        lbas_put(ctrl);
    }
    envme_lbas_check(ctrl);
}

void envme_lbas_init(struct envme_ctrl *ctrl)
{
    struct envme_lbas *l = &envme_admin(ctrl)->lbas;
    char name[ENVME_KEEP_NAME];
    struct lbas_record r;

    *l = (struct envme_lbas){ .due = { .fn = lbas_due }, .ctrl = ctrl };
    envme_keep_name(name, ctrl, "lbas");
    envme_state_read(ctrl->subsys->state, name, &r, sizeof(r));
    if (le32_get(r.version) == LBAS_VERSION) {
        l->lsgc = le32_get(r.lsgc);
    }
}

/* Events have been forgotten: what a host has not read is told once more. */
void envme_lbas_start(struct envme_ctrl *ctrl)
{
    struct envme_lbas *l = &envme_admin(ctrl)->lbas;

    l->news |= l->alerted;
    l->alerted = false;
    l->restarted_at = envme_now(ctrl);
    envme_lbas_check(ctrl);
}

void envme_lbas_stop(struct envme_ctrl *ctrl)
{
    struct envme_lbas *l = &envme_admin(ctrl)->lbas;

    envme_lane_not_at(&ctrl->lane[0], &l->due);
    g_clear_pointer(&l->log, g_byte_array_unref);
    l->frozen = false;
}

/* ---- feature 15h ------------------------------------------------------- */

/* LSIPI is not the host's to set. Of LSIRI, what is below it becomes it. */
struct envme_status envme_feat_set_lbas(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0)
{
    uint32_t lsiri = FIELD_GET(ENVME_FEAT_LBAS_LSIRI, *value);

    (void)ns;
    (void)data;
    lsiri = ENVME_MAX(lsiri, ENVME_LBAS_LSIPI);
    *dw0 = *value = FIELD_SET(ENVME_FEAT_LBAS_LSIRI, lsiri) |
                    FIELD_SET(ENVME_FEAT_LBAS_LSIPI, ENVME_LBAS_LSIPI);
    envme_feature_set_value(cmd->ctrl, ENVME_FID_LBA_STATUS, NULL, *value);
    envme_lbas_check(cmd->ctrl);
    return ENVME_ST(SUCCESS);
}

/* ---- the log page ------------------------------------------------------ */

/* Intervals of one namespace, neighbours joined. */
static void lbas_collect(struct envme_ns *ns, GArray *out)
{
    uint64_t at = 0, end = atomic_load(&ns->nsze);
    struct envme_ns_lost lost;

    g_array_set_size(out, 0);
    while (envme_ns_next_lost(ns, at, end, &lost)) {
        struct envme_range r = { lost.slba, lost.slba + lost.nlb };
        struct envme_range *last = out->len ?
            &g_array_index(out, struct envme_range, out->len - 1) : NULL;

        if (last && last->end == r.start) {
            last->end = r.end;
        } else {
            g_array_append_val(out, r);
        }
        at = r.end;
    }
}

/* One range, in pieces that a descriptor can hold. False: too many. */
static bool lbas_add_range(GByteArray *log, uint64_t start, uint64_t end,
                           unsigned *n, unsigned most)
{
    while (start < end) {
        uint64_t nlb = ENVME_MIN(end - start, LBAS_RANGE_MAX);
        struct envme_lbas_range d = {
            .rslba = le64(start), .rnlb = le32(nlb - 1),
        };

        if ((*n)++ == most) {
            return false;
        }
        g_byte_array_append(log, (const uint8_t *)&d, sizeof(d));
        start += nlb;
    }
    return true;
}

/*
 * Of more ranges than there is room for, some are told as one, with what is
 * between them: a host is to ask for what there is in a range anyway.
 */
static void lbas_add_ns(GByteArray *log, uint32_t nsid, const GArray *ranges,
                        unsigned most)
{
    unsigned step = (ranges->len + most - 1) / most, n = 0;
    unsigned head = log->len;
    struct envme_lbas_ns e = {
        .neid = le32(nsid), .ratype = ENVME_LBAST_TRACKED,
    };

    g_byte_array_append(log, (const uint8_t *)&e, sizeof(e));
    for (unsigned i = 0; i < ranges->len; i += step) {
        unsigned last = ENVME_MIN(i + step, ranges->len) - 1;

        if (!lbas_add_range(log,
                            g_array_index(ranges, struct envme_range, i).start,
                            g_array_index(ranges, struct envme_range,
                                          last).end, &n, most)) {
            g_byte_array_set_size(log, head + sizeof(e));
            n = LBAS_NO_LIST;
            break;
        }
    }
    e.nlrd = le32(n);
    memcpy(log->data + head, &e, sizeof(e));
}

static GByteArray *lbas_build(struct envme_ctrl *ctrl)
{
    struct envme_log_lba_status h = {
        .lsgc = le16(envme_admin(ctrl)->lbas.lsgc),
    };
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE,
                                           sizeof(struct envme_range));
    GByteArray *log = g_byte_array_new();
    unsigned nns = 0, nlost = 0, most;
    uint64_t blocks = 0;

    for (uint32_t nsid = 1; nsid <= ctrl->subsys->nn; nsid++) {
        nlost += ctrl->ns[nsid] && atomic_load(&ctrl->ns[nsid]->nbad);
    }
    most = ENVME_MIN(LBAS_NS_RANGES, LBAS_RANGES / ENVME_MAX(nlost, 1u));
    most = ENVME_MAX(most, 1u);
    g_byte_array_append(log, (const uint8_t *)&h, sizeof(h));
    for (uint32_t nsid = 1; nsid <= ctrl->subsys->nn; nsid++) {
        struct envme_ns *ns = ctrl->ns[nsid];

        if (log->len + (most + 1) * sizeof(struct envme_lbas_range) >
            ENVME_LOG_MAX) {
            break;              /* thousands of them */
        }
        if (!ns) {
            continue;
        }
        lbas_collect(ns, ranges);
        if (!ranges->len) {
            continue;
        }
        for (unsigned i = 0; i < ranges->len; i++) {
            const struct envme_range *r = &g_array_index(ranges,
                                                         struct envme_range,
                                                         i);

            blocks += r->end - r->start;
        }
        lbas_add_ns(log, nsid, ranges, most);
        nns++;
    }
    h.lslplen = le32(log->len);
    h.nlslne = le32(nns);
    /* FFFFFFFFh would mean that it is not known. */
    h.estulb = le32(ENVME_MIN(blocks, UINT32_MAX - 1u));
    memcpy(log->data, &h, sizeof(h));
    return log;
}

/* What is sent is made here, once: blocks come and go meanwhile. */
size_t envme_lbas_log_size(const struct envme_log_req *req)
{
    struct envme_lbas *l = &envme_admin(req->cmd->ctrl)->lbas;

    if (!l->frozen || !req->rae) {
        g_clear_pointer(&l->log, g_byte_array_unref);
        l->log = lbas_build(req->cmd->ctrl);
        l->frozen = req->rae;
        l->fresh = false;
    }
    return l->log->len;
}

struct envme_status envme_lbas_log(const struct envme_log_req *req, void *buf)
{
    const struct envme_lbas *l = &envme_admin(req->cmd->ctrl)->lbas;

    memcpy(buf, l->log->data, l->log->len);
    return ENVME_ST(SUCCESS);
}

void envme_lbas_log_read(const struct envme_log_req *req)
{
    struct envme_ctrl *ctrl = req->cmd->ctrl;
    struct envme_lbas *l = &envme_admin(ctrl)->lbas;

    g_clear_pointer(&l->log, g_byte_array_unref);
    l->fresh = l->news = l->alerted = false;
    l->restarted_at = envme_now(ctrl);
    envme_lbas_check(ctrl);
}
