/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the entries of a queue lie in host memory: PC and PRP1 of Create I/O
 * Completion/Submission Queue, Base 2.1, 5.2.1 and 5.2.2.
 *
 * Owner: the queue that embeds it. Threads: made and freed on lane 0, read by
 * the queue's lane.
 */
#ifndef ENVME_CTRL_QMEM_H
#define ENVME_CTRL_QMEM_H

#include "hw/ctrl/ctrl.h"

#define ENVME_SQE_SHIFT 6
#define ENVME_CQE_SHIFT 4

/*
 * prp1 is the base, or with pc false the address of a PRP list. size in
 * entries of 1 << shift bytes. *plain: no part is another device's registers.
 * *in_cmb: its first entry lies in the Controller Memory Buffer. Fails with
 * what the command is to fail with, and holds nothing then.
 */
struct envme_status envme_qmem_init(struct envme_ctrl *ctrl,
                                    struct envme_qmem *m, uint64_t prp1,
                                    uint32_t size, bool pc, uint8_t shift,
                                    bool is_write, bool *plain, bool *in_cmb);

/* The bus address of an entry. */
static inline uint64_t envme_qmem_addr(const struct envme_qmem *m,
                                       uint32_t index)
{
    uint64_t off = (uint64_t)index << m->shift;

    return m->pages ? m->pages[off / m->page] + off % m->page : m->addr + off;
}

#endif
