/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/queue-fault.h"

#include <errno.h>

#include "hw/ctrl/qmem.h"
#include "hw/ctrl/signal.h"

/* ---- interrupts -------------------------------------------------------- */

/* Lost, twice, or on another vector (which has no level then). */
bool envme_cq_signal_wrong(struct envme_cq *cq)
{
    const struct envme_ctrl *ctrl = cq->lane->ctrl;
    const struct envme_irq *irq = &ctrl->ports.irq;
    unsigned vector = cq->vector;

    switch (ctrl->hooks.signal(ctrl->hooks.opaque, cq, &vector)) {
    case ENVME_IRQ_LOST:
        return true;
    case ENVME_IRQ_TWICE:
        irq->pulse(irq->opaque, vector);
        break;
    case ENVME_IRQ_RAISE:
        break;
    }
    if (vector == cq->vector) {
        return false;
    }
    irq->pulse(irq->opaque, vector);
    return true;
}

void envme_cq_signal_late(struct envme_cq *cq, unsigned vector)
{
    const struct envme_irq *irq = &cq->lane->ctrl->ports.irq;

    /* The host may have emptied the queue by itself: no level then. */
    if (vector != cq->vector || envme_ring_empty(&cq->ring.ring)) {
        irq->pulse(irq->opaque, vector);
    } else {
        envme_cq_signal(cq);
    }
}

/* ---- entries ----------------------------------------------------------- */

int envme_cq_write_torn(struct envme_cq *cq, uint32_t index,
                        const struct envme_cqe *cqe)
{
    const struct envme_dma *dma = envme_dma(cq->lane->ctrl);

    return dma->write(dma->opaque, envme_qmem_addr(&cq->mem, index) + 8,
                      (const uint8_t *)cqe + 8, 8);
}

bool envme_cq_write_more(struct envme_cq *cq, struct envme_cqe *cqe)
{
    struct envme_cring before = cq->ring;
    uint16_t sf = le16_get(cqe->sf) & ~1;
    uint32_t index;
    bool phase;

    if (!envme_cring_reserve(&cq->ring)) {
        return false;
    }
    index = envme_cring_post(&cq->ring, &phase);
    cqe->sf = le16(sf | phase);
    if (envme_cq_write(cq->lane->ctrl, envme_qmem_addr(&cq->mem, index),
                       cqe) == -EBUSY) {
        cq->ring = before;
        return false;
    }
    return true;
}

/* ---- fetching ---------------------------------------------------------- */

void envme_sq_stall(struct envme_sq *sq, bool on)
{
    sq->stalled = on;
    envme_sq_update_ready(sq);
}

bool envme_sq_begins_stalled(struct envme_ctrl *ctrl, uint16_t id)
{
    return envme_watched(ctrl, ENVME_WATCH_QUEUE) &&
           ctrl->hooks.stalled(ctrl->hooks.opaque, id);
}
