/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/ahead.h"

#include "hw/ctrl/qmem.h"

static uint32_t ahead_dword(const struct envme_sqe *sqe, unsigned n)
{
    const uint32_t *word = (const uint32_t *)sqe;

    return ENVME_SWAP32(__atomic_load_n(&word[n], __ATOMIC_RELAXED));
}

/* What a Read or Write of the NVM command set is about; whatever else has these
 * opcodes does no harm. */
static void ahead_data(const struct envme_ctrl *ctrl,
                       const struct envme_sqe *sqe)
{
    unsigned opc = ahead_dword(sqe, 0) & 0xff;
    const struct envme_ns *ns;
    struct envme_backend *be;
    uint64_t slba;

    if (opc != ENVME_NVM_READ && opc != ENVME_NVM_WRITE) {
        return;
    }
    ns = envme_ctrl_ns(ctrl, ahead_dword(sqe, 1));
    be = ns ? atomic_load_explicit(&ns->io, memory_order_acquire) : NULL;
    if (be && be->ops->expect) {
        slba = ahead_dword(sqe, 10) | (uint64_t)ahead_dword(sqe, 11) << 32;
        /* The command does not keep a Format out yet. */
        be->ops->expect(be, slba << __atomic_load_n(&ns->lbads,
                                                    __ATOMIC_RELAXED));
    }
}

void envme_sq_look_ahead(struct envme_sq *sq, const struct envme_dma *dma)
{
    uint64_t addr = envme_qmem_addr(&sq->mem, sq->ring.head);
    const struct envme_sqe *sqe;

    if (!dma->peek || envme_ring_empty(&sq->ring)) {
        return;
    }
    sqe = dma->peek(dma->opaque, addr, sizeof(*sqe));
    /* Aligned, as each entry of a queue is. */
    if (sqe) {
        __builtin_prefetch(sqe + 1);
        ahead_data(sq->cq->lane->ctrl, sqe);
    }
}
