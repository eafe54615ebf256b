/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/qmem.h"

#include <errno.h>

#include "hw/core/prp.h"
#include "hw/ctrl/cmem.h"

/*
 * Is the queue's memory fit for use? With Bus Master off nobody can tell, and
 * it is taken as it is. *plain: not another device's registers.
 */
static struct envme_status qmem_probe(struct envme_ctrl *ctrl,
                                      const struct envme_qmem *m,
                                      uint32_t size, bool is_write,
                                      bool *plain)
{
    const struct envme_dma *dma = envme_dma(ctrl);
    uint32_t ends[2] = { 0, size - 1 };

    *plain = true;
    for (unsigned i = 0; i < 2; i++) {
        size_t n = (size_t)1 << m->shift;
        int err = 0;
        void *p = dma->map(dma->opaque, envme_qmem_addr(m, ends[i]), &n,
                           is_write, &err);

        if (p) {
            dma->unmap(dma->opaque, p, n, false);
        } else if (err == -ENXIO || err == -EAGAIN) {
            *plain = false;
        } else if (err != -EBUSY) {
            return ENVME_ST(DATA_XFER_ERROR);
        }
    }
    return ENVME_ST(SUCCESS);
}

static struct envme_status qmem_list(struct envme_ctrl *ctrl,
                                     struct envme_qmem *m, uint64_t prp1,
                                     uint32_t size)
{
    uint64_t bytes = (uint64_t)size << m->shift;
    uint64_t npages = (bytes + m->page - 1) / m->page;
    const struct envme_dma *dma = envme_dma(ctrl);
    struct envme_walk w = {
        .read = dma->read, .opaque = dma->opaque, .page = m->page,
    };
    struct envme_cmem_lists lists = { .ctrl = ctrl };
    struct envme_status st;
    struct envme_sg sg;
    uint64_t n = 0;

    if (ctrl->cmem) {
        lists.sq_in_cmb = ctrl->sq[0]->in_cmb;
        w.read = envme_cmem_read_list;
        w.opaque = &lists;
    }
    envme_sg_init(&sg, npages);
    st = envme_prp_list_map(&w, prp1, npages, &sg);
    st = envme_st_err(lists.st) ? lists.st : st;
    if (envme_st_ok(st)) {
        m->pages = g_new(uint64_t, npages);
        for (unsigned i = 0; i < sg.n; i++) {
            for (uint64_t o = 0; o < sg.seg[i].len; o += m->page) {
                m->pages[n++] = sg.seg[i].addr + o;
            }
        }
        assert(n == npages);
    }
    envme_sg_free(&sg);
    return st;
}

struct envme_status envme_qmem_init(struct envme_ctrl *ctrl,
                                    struct envme_qmem *m, uint64_t prp1,
                                    uint32_t size, bool pc, uint8_t shift,
                                    bool is_write, bool *plain, bool *in_cmb)
{
    uint32_t align = ctrl->page_size;
    struct envme_status st;
    unsigned in = ENVME_IN_HOST;

    *m = (struct envme_qmem){
        .addr = prp1, .page = ctrl->page_size, .shift = shift,
    };
    if (ctrl->cmem && pc) {
        align = envme_cmem_queue_align(ctrl, prp1);
    }
    if (prp1 & (align - 1)) {
        return ENVME_ST(PRP_OFFSET_INVALID);
    }
    if (prp1 > UINT64_MAX - ((uint64_t)size << shift)) {
        return ENVME_ST(DATA_XFER_ERROR);
    }
    if (!pc) {
        st = qmem_list(ctrl, m, prp1, size);
        if (envme_st_err(st)) {
            return st;
        }
    }
    st = ctrl->cmem ? envme_cmem_check_queue(ctrl, m, size, is_write, &in)
                    : ENVME_ST(SUCCESS);
    *in_cmb = in & ENVME_IN_CMB;
    if (!envme_st_err(st)) {
        st = qmem_probe(ctrl, m, size, is_write, plain);
    }
    if (envme_st_err(st)) {
        g_free(m->pages);
        m->pages = NULL;
    }
    return st;
}
