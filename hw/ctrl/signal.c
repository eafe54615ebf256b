/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/signal.h"

#include "envme/feat.h"
#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/queue-fault.h"

void envme_cq_watch_pin(struct envme_cq *cq)
{
    const struct envme_irq *irq = &cq->lane->ctrl->ports.irq;

    if (cq->raised && cq->shadowed && irq->is_level &&
        irq->is_level(irq->opaque)) {
        envme_shadow_arm_cq(cq);
    }
}

void envme_cq_signal(struct envme_cq *cq)
{
    const struct envme_irq *irq = &cq->lane->ctrl->ports.irq;

    if (!cq->raised) {
        cq->raised = true;
        irq->raise(irq->opaque, cq->vector);
    } else {
        irq->pulse(irq->opaque, cq->vector);
    }
    envme_cq_watch_pin(cq);
}

static void cq_signal(struct envme_cq *cq)
{
    if (envme_watched(cq->lane->ctrl, ENVME_WATCH_IRQ) &&
        envme_cq_signal_wrong(cq)) {
        return;
    }
    envme_cq_signal(cq);
}

static struct envme_cq *cq_of_deadline(struct envme_deadline *d)
{
    return (struct envme_cq *)((char *)d - offsetof(struct envme_cq, due));
}

static void cq_signal_due(struct envme_deadline *d)
{
    struct envme_cq *cq = cq_of_deadline(d);

    if (envme_coalesce_due(&cq->coal, envme_now(cq->lane->ctrl))) {
        cq_signal(cq);
    }
}

void envme_signal_init(struct envme_cq *cq)
{
    envme_coalesce_init(&cq->coal);
    cq->due.fn = cq_signal_due;
}

/* Before others may touch the lane's queues: nothing is put off any more. */
void envme_lane_signal_all(struct envme_lane *lane)
{
    const struct envme_deadlines *h = &lane->deadlines;
    uint32_t i = 0;

    while (i < h->n) {
        struct envme_deadline *d = h->node[i];

        if (d->fn == cq_signal_due) {
            struct envme_cq *cq = cq_of_deadline(d);

            envme_lane_not_at(lane, d);
            if (envme_coalesce_flush(&cq->coal)) {
                cq_signal(cq);
            }
            i = 0;
        } else {
            i++;
        }
    }
}

/* Features 08h and 09h; the admin CQ is never put off. */
static bool cq_put_off(struct envme_cq *cq, unsigned posted)
{
    struct envme_lane *lane = cq->lane;
    struct envme_ctrl *ctrl = lane->ctrl;
    uint32_t config = atomic_load(&ctrl->coalescing);
    uint64_t now, deadline;

    config |= atomic_load(&ctrl->vector_cd[cq->vector]) << 16;
    if (cq->id == 0 || (config == 0 && cq->coal_config == 0)) {
        return false;
    }
    now = envme_now(ctrl);
    if (config != cq->coal_config) {
        cq->coal_config = config;
        if (envme_coalesce_config(&cq->coal,
                                  FIELD_GET(ENVME_FEAT_IRQC_TIME, config),
                                  FIELD_GET(ENVME_FEAT_IRQC_THR, config),
                                  config & 1u << 16, now)) {
            return false;
        }
    }
    if (envme_coalesce_add(&cq->coal, posted, now, &deadline)) {
        return false;
    }
    envme_lane_at(lane, &cq->due, deadline);
    return true;
}

void envme_lane_flush_irqs(struct envme_lane *lane)
{
    struct envme_cq *cq;

    while ((cq = lane->batch)) {
        unsigned posted = cq->posted;

        lane->batch = cq->batch_next;
        cq->batch = false;
        cq->posted = 0;
        if (cq->ien && !cq_put_off(cq, posted)) {
            cq_signal(cq);
        }
    }
}
