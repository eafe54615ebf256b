/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The controller's own memory: addresses, and what may lie there. */
#include "hw/ctrl/cmem.h"

#include <errno.h>
#include <string.h>

#define CMEM_ALIGN 4096ull

/* ---- addresses --------------------------------------------------------- */

/*
 * The window that addr falls into, or NULL. *len is cut so that all of it lies
 * in the window, or before the next one.
 */
static const struct envme_region *cmem_find(const struct envme_cmem *cm,
                                            uint64_t addr, uint64_t *len,
                                            uint64_t *off, unsigned *which,
                                            unsigned *flags)
{
    for (unsigned i = 0; i < ENVME_NCMEM; i++) {
        const struct envme_region *mem = cm->win[i].mem;
        uint64_t at = atomic_load_explicit(&cm->win[i].at,
                                           memory_order_relaxed);
        uint64_t start = at & ~(CMEM_ALIGN - 1);

        if (!(at & ENVME_WIN_ON)) {
            continue;
        }
        if (addr - start < mem->size) {
            *off = addr - start;
            *len = ENVME_MIN(*len, mem->size - *off);
            *which = i;
            *flags = at & (CMEM_ALIGN - 1);
            return mem;
        }
        if (addr < start) {
            *len = ENVME_MIN(*len, start - addr);
        }
    }
    return NULL;
}

/* ENVME_IN_* of a range. */
static unsigned cmem_where(const struct envme_cmem *cm, uint64_t addr,
                           uint64_t len)
{
    unsigned in = 0, which, flags;
    uint64_t off;

    while (len) {
        uint64_t n = len;

        in |= cmem_find(cm, addr, &n, &off, &which, &flags) ? 1u << which
                                                            : ENVME_IN_HOST;
        addr += n;
        len -= n;
    }
    return in;
}

/* ---- the dma port ------------------------------------------------------ */

/* A host that polls a completion queue sees the first half of an entry before
 * the second, with the phase tag. */
static void cmem_store(uint8_t *to, const void *from, size_t len)
{
    uint64_t half[2];

    if (len != sizeof(half) || (uintptr_t)to % sizeof(half[0])) {
        memcpy(to, from, len);
        return;
    }
    memcpy(half, from, sizeof(half));
    __atomic_store_n((uint64_t *)(void *)to, half[0], __ATOMIC_RELAXED);
    __atomic_store_n((uint64_t *)(void *)to + 1, half[1], __ATOMIC_RELEASE);
}

static void cmem_written(const struct envme_region *mem, uint64_t off,
                         uint64_t len)
{
    if (mem->written) {
        mem->written(mem->opaque, off, len);
    }
}

static int cmem_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
    const struct envme_cmem *cm = opaque;

    while (len) {
        uint64_t n = len, off;
        unsigned which, flags;
        const struct envme_region *mem = cmem_find(cm, addr, &n, &off, &which,
                                                   &flags);

        if (!mem) {
            int err = cm->bus.read(cm->bus.opaque, addr, buf, n);

            if (err) {
                return err;
            }
        } else if (flags & ENVME_WIN_NO_READ) {
            return -EIO;
        } else {
            memcpy(buf, mem->base + off, n);
        }
        buf = (char *)buf + n;
        addr += n;
        len -= n;
    }
    return 0;
}

static int cmem_write(void *opaque, uint64_t addr, const void *buf, size_t len)
{
    const struct envme_cmem *cm = opaque;

    while (len) {
        uint64_t n = len, off;
        unsigned which, flags;
        const struct envme_region *mem = cmem_find(cm, addr, &n, &off, &which,
                                                   &flags);

        if (!mem) {
            int err = cm->bus.write(cm->bus.opaque, addr, buf, n);

            if (err) {
                return err;
            }
        } else if (flags & ENVME_WIN_NO_WRITE) {
            return -EIO;
        } else {
            cmem_store(mem->base + off, buf, n);
            cmem_written(mem, off, n);
        }
        buf = (const char *)buf + n;
        addr += n;
        len -= n;
    }
    return 0;
}

static void *cmem_map(void *opaque, uint64_t addr, size_t *len, bool is_write,
                      int *err)
{
    const struct envme_cmem *cm = opaque;
    uint64_t n = *len, off;
    unsigned which, flags;
    const struct envme_region *mem = cmem_find(cm, addr, &n, &off, &which,
                                               &flags);

    *len = n;
    if (!mem) {
        return cm->bus.map(cm->bus.opaque, addr, len, is_write, err);
    }
    *err = flags & (is_write ? ENVME_WIN_NO_WRITE : ENVME_WIN_NO_READ) ? -EIO
                                                                       : 0;
    return *err ? NULL : mem->base + off;
}

static void cmem_unmap(void *opaque, void *ptr, size_t len, bool dirty)
{
    const struct envme_cmem *cm = opaque;

    for (unsigned i = 0; i < ENVME_NCMEM; i++) {
        const struct envme_region *mem = cm->win[i].mem;
        uint64_t off = (uintptr_t)ptr - (uintptr_t)mem->base;

        if (mem->base && off < mem->size) {
            if (dirty) {
                cmem_written(mem, off, len);
            }
            return;
        }
    }
    cm->bus.unmap(cm->bus.opaque, ptr, len, dirty);
}

void envme_cmem_init(struct envme_ctrl *ctrl)
{
    struct envme_ports *ports = &ctrl->ports;
    struct envme_cmem *cm;

    if (!ports->cmb.base && !ports->pmr.base) {
        return;
    }
    cm = g_new0(struct envme_cmem, 1);
    cm->bus = ports->dma;
    cm->win[ENVME_CMEM_CMB].mem = &ports->cmb;
    cm->win[ENVME_CMEM_PMR].mem = &ports->pmr;
    cm->bar = UINT64_MAX;
    ports->dma = (struct envme_dma){
        .opaque = cm, .read = cmem_read, .write = cmem_write,
        .map = cmem_map, .unmap = cmem_unmap,
    };
    ctrl->cmem = cm;
}

void envme_cmem_fini(struct envme_ctrl *ctrl)
{
    g_free(ctrl->cmem);
    ctrl->cmem = NULL;
}

/* ---- queues ------------------------------------------------------------ */

uint32_t envme_cmem_queue_align(const struct envme_ctrl *ctrl, uint64_t addr)
{
    return ctrl->params.cmbloc & ENVME_CMBLOC_CQDA &&
           cmem_where(ctrl->cmem, addr, 1) == ENVME_IN_CMB ? 4
                                                           : ctrl->page_size;
}

struct envme_status envme_cmem_check_queue(const struct envme_ctrl *ctrl,
                                           const struct envme_qmem *m,
                                           uint32_t size, bool is_cq,
                                           unsigned *in)
{
    uint64_t bytes = (uint64_t)size << m->shift;
    uint32_t loc = ctrl->params.cmbloc;

    *in = m->pages ? 0 : cmem_where(ctrl->cmem, m->addr, bytes);
    for (uint64_t o = 0; m->pages && o < bytes; o += m->page) {
        *in |= cmem_where(ctrl->cmem, m->pages[o / m->page],
                          ENVME_MIN(bytes - o, m->page));
    }
    if (*in & ENVME_IN_PMR) {
        /* The specification knows no queue there. */
        return ENVME_ST(INVALID_FIELD);
    }
    if (!(*in & ENVME_IN_CMB)) {
        return ENVME_ST(SUCCESS);
    }
    if (!(ctrl->params.cmbsz & (is_cq ? ENVME_CMBSZ_CQS : ENVME_CMBSZ_SQS)) ||
        (m->pages && !(loc & ENVME_CMBLOC_CQPDS)) ||
        (*in & ENVME_IN_HOST && !(loc & ENVME_CMBLOC_CQMMS))) {
        return ENVME_ST(INVALID_USE_OF_CMB);
    }
    return ENVME_ST(SUCCESS);
}

/* ---- lists ------------------------------------------------------------- */

static struct envme_status cmem_check_list(const struct envme_cmem_lists *l)
{
    uint32_t loc = l->ctrl->params.cmbloc;

    if (l->in & ENVME_IN_PMR) {
        return ENVME_ST(INVALID_FIELD);
    }
    if (!(l->in & ENVME_IN_CMB)) {
        return ENVME_ST(SUCCESS);
    }
    if (!(l->ctrl->params.cmbsz & ENVME_CMBSZ_LISTS) ||
        (!l->sq_in_cmb && !(loc & ENVME_CMBLOC_CDPCILS)) ||
        (l->in & ENVME_IN_HOST && !(loc & ENVME_CMBLOC_CDPMLS))) {
        return ENVME_ST(INVALID_USE_OF_CMB);
    }
    return ENVME_ST(SUCCESS);
}

int envme_cmem_read_list(void *opaque, uint64_t addr, void *buf, size_t len)
{
    struct envme_cmem_lists *l = opaque;
    const struct envme_dma *dma = envme_dma(l->ctrl);

    l->in |= cmem_where(l->ctrl->cmem, addr, len);
    l->st = cmem_check_list(l);
    return envme_st_err(l->st) ? -EPERM
                               : dma->read(dma->opaque, addr, buf, len);
}

/* ---- data -------------------------------------------------------------- */

struct envme_status envme_cmem_check_data(const struct envme_ctrl *ctrl,
                                          const struct envme_sg *sg,
                                          bool to_host, unsigned *in)
{
    uint32_t cmb = to_host ? ENVME_CMBSZ_RDS : ENVME_CMBSZ_WDS;
    uint32_t pmr = to_host ? ENVME_PMRCAP_RDS : ENVME_PMRCAP_WDS;

    for (uint32_t i = 0; i < sg->n; i++) {
        if (!(sg->seg[i].flags & ENVME_SEG_BUCKET)) {
            *in |= cmem_where(ctrl->cmem, sg->seg[i].addr, sg->seg[i].len);
        }
    }
    /* All of it is there or none. */
    if (*in & ENVME_IN_PMR &&
        (!(ctrl->pmrcap & pmr) || *in & ~ENVME_IN_PMR)) {
        return ENVME_ST(INVALID_FIELD);
    }
    if (*in & ENVME_IN_CMB &&
        (!(ctrl->params.cmbsz & cmb) ||
         (*in & ENVME_IN_HOST &&
          !(ctrl->params.cmbloc & ENVME_CMBLOC_CDMMMS)))) {
        return ENVME_ST(INVALID_USE_OF_CMB);
    }
    return ENVME_ST(SUCCESS);
}
