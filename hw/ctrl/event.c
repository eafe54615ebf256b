/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/event.h"

#include "envme/feat.h"
#include "hw/ctrl/cmd.h"
#include "hw/ctrl/feature.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/queue.h"

#define EVENT_TYPES 8

struct event_item {
    uint8_t type, info, lid;
    int8_t mask_bit;            /* of Feature 0Bh, or -1 */
};

struct envme_event {
    GQueue aers;                /* parked commands, oldest first */
    GQueue waiting;             /* struct event_item */
    uint8_t masked;             /* types reported and not yet cleared */
    uint8_t masked_lid[EVENT_TYPES];
    /* A bit per NSID: attached namespaces, allocated ones. */
    uint32_t *changed, *alloc_changed;
};

/* Does the host want it? It may have changed its mind while it waited. */
static bool event_wanted(const struct envme_ctrl *ctrl, int mask_bit)
{
    return mask_bit < 0 ||
           envme_feature_value(ctrl, ENVME_FID_AEC, NULL) & 1u << mask_bit;
}

void envme_event_init(struct envme_ctrl *ctrl)
{
    ctrl->event = g_new0(struct envme_event, 1);
    g_queue_init(&ctrl->event->aers);
    g_queue_init(&ctrl->event->waiting);
    ctrl->event->changed = g_new0(uint32_t, ctrl->subsys->nn / 32 + 1);
    ctrl->event->alloc_changed = g_new0(uint32_t, ctrl->subsys->nn / 32 + 1);
}

void envme_event_reset(struct envme_ctrl *ctrl)
{
    struct envme_event *e = ctrl->event;
    GList *link;

    /* Not failed but forgotten: some drivers send a failed AER again at once,
     * for ever. */
    while ((link = g_queue_pop_head_link(&e->aers))) {
        struct envme_cmd *cmd = link->data;

        cmd->state = ENVME_CMD_ENDED;
        envme_lane_put_cmd(cmd);
    }
    g_queue_clear_full(&e->waiting, g_free);
    e->masked = 0;
}

void envme_event_fini(struct envme_ctrl *ctrl)
{
    envme_event_reset(ctrl);
    g_free(ctrl->event->changed);
    g_free(ctrl->event->alloc_changed);
    g_free(ctrl->event);
}

struct envme_status envme_event_park(struct envme_cmd *cmd)
{
    struct envme_event *e = cmd->ctrl->event;
    struct envme_sq *sq = cmd->sq;

    if (g_queue_get_length(&e->aers) > cmd->ctrl->params.aerl) {
        return ENVME_ST(AER_LIMIT);
    }
    envme_lane_leave(cmd, ENVME_CMD_PARKED);
    g_queue_unlink(&sq->inflight, &cmd->link);
    cmd->slot = false;
    envme_cring_unreserve(&sq->cq->ring);
    g_queue_push_tail_link(&e->aers, &cmd->link);
    if (sq->cq->corked) {
        envme_queue_uncork(sq->cq);
    }
    return ENVME_ST_PENDING;
}

/* An AER gets its slot back and ends; false when there is no slot. */
static bool event_complete(struct envme_cmd *cmd, struct envme_status st)
{
    struct envme_event *e = cmd->ctrl->event;

    if (!envme_cring_reserve(&cmd->sq->cq->ring)) {
        return false;
    }
    cmd->slot = true;
    g_queue_unlink(&e->aers, &cmd->link);
    g_queue_push_tail_link(&cmd->sq->inflight, &cmd->link);
    envme_lane_enter(cmd);
    envme_cmd_done(cmd, st);
    return true;
}

void envme_event_pump(struct envme_ctrl *ctrl)
{
    struct envme_event *e = ctrl->event;
    GList *l, *next;

    if (ctrl->life != ENVME_LIFE_READY ||
        ctrl->lane[0].mode != ENVME_LANE_RUN) {
        return;
    }
    for (l = e->aers.head; l; l = next) {
        struct envme_cmd *cmd = l->data;

        next = l->next;
        if (atomic_load(&cmd->aborted) &&
            !event_complete(cmd, ENVME_ST(ABORT_REQUESTED))) {
            return;
        }
    }
    for (l = e->waiting.head; l && e->aers.head; l = next) {
        struct event_item *item = l->data;
        struct envme_cmd *cmd = e->aers.head->data;

        next = l->next;
        if (!event_wanted(ctrl, item->mask_bit)) {
            g_free(item);
            g_queue_delete_link(&e->waiting, l);
            continue;
        }
        if (e->masked & 1u << item->type) {
            continue;
        }
        cmd->dw0 = item->type | item->info << 8 | item->lid << 16;
        if (!event_complete(cmd, ENVME_ST(SUCCESS))) {
            return;
        }
        /* Immediate and one-shot events have nothing to be cleared by. */
        if (item->type != ENVME_AEN_TYPE_IMMEDIATE &&
            item->type != ENVME_AEN_TYPE_ONE_SHOT) {
            e->masked |= 1u << item->type;
            e->masked_lid[item->type] = item->lid;
        }
        g_free(item);
        g_queue_delete_link(&e->waiting, l);
    }
}

bool envme_event_abort(struct envme_ctrl *ctrl, uint16_t cid)
{
    for (GList *l = ctrl->event->aers.head; l; l = l->next) {
        struct envme_cmd *cmd = l->data;

        if (le16_get(cmd->sqe.cid) == cid && !atomic_load(&cmd->aborted)) {
            atomic_store(&cmd->aborted, true);
            envme_kick(ctrl, 0);
            return true;
        }
    }
    return false;
}

void envme_event_post(struct envme_ctrl *ctrl, uint8_t type, uint8_t info,
                      uint8_t lid, int mask_bit)
{
    struct envme_event *e = ctrl->event;
    struct event_item *item;

    if (ctrl->life != ENVME_LIFE_READY || !event_wanted(ctrl, mask_bit)) {
        return;
    }
    for (GList *l = e->waiting.head; l; l = l->next) {
        item = l->data;
        if (item->type == type && item->info == info && item->lid == lid) {
            return;
        }
    }
    if (g_queue_get_length(&e->waiting) >= ctrl->params.aer_max_queued) {
        return;
    }
    item = g_new(struct event_item, 1);
    *item = (struct event_item){ .type = type, .info = info, .lid = lid,
                                 .mask_bit = mask_bit };
    g_queue_push_tail(&e->waiting, item);
    envme_kick(ctrl, 0);
}

void envme_event_clear(struct envme_ctrl *ctrl, uint8_t types, uint8_t lid)
{
    struct envme_event *e = ctrl->event;

    for (unsigned t = 0; t < EVENT_TYPES; t++) {
        if (types & e->masked & 1u << t && e->masked_lid[t] == lid) {
            e->masked &= ~(1u << t);
            envme_kick(ctrl, 0);
        }
    }
}

void envme_event_ns_changed(struct envme_ctrl *ctrl, uint32_t nsid)
{
    if (ctrl->life != ENVME_LIFE_READY) {
        return;                 /* the host looks for itself when it starts */
    }
    ctrl->event->changed[nsid / 32] |= 1u << nsid % 32;
    envme_event_post(ctrl, ENVME_AEN_TYPE_NOTICE, ENVME_AEN_NOTICE_NS_ATTR,
                     ENVME_LID_CHANGED_NS, 8);
}

void envme_event_alloc_changed(struct envme_ctrl *ctrl, uint32_t nsid)
{
    if (ctrl->life != ENVME_LIFE_READY) {
        return;
    }
    ctrl->event->alloc_changed[nsid / 32] |= 1u << nsid % 32;
    envme_event_post(ctrl, ENVME_AEN_TYPE_NOTICE, ENVME_AEN_NOTICE_ALLOC_NS,
                     ENVME_LID_CHANGED_ALLOC_NS, 19);
}

void envme_event_changed_list(struct envme_ctrl *ctrl, uint8_t lid,
                              uint32_t list[1024], bool clear)
{
    uint32_t *changed = lid == ENVME_LID_CHANGED_NS
                        ? ctrl->event->changed : ctrl->event->alloc_changed;
    unsigned n = 0;

    for (uint32_t nsid = 1; nsid <= ctrl->subsys->nn; nsid++) {
        if (!(changed[nsid / 32] & 1u << nsid % 32)) {
            continue;
        }
        if (n == 1024) {
            for (n = 1; n < 1024; n++) {
                list[n] = 0;
            }
            list[0] = UINT32_MAX;
            break;
        }
        list[n++] = nsid;
    }
    for (uint32_t i = 0; clear && i < ctrl->subsys->nn / 32 + 1; i++) {
        changed[i] = 0;
    }
}
