/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The controller's own memory: Controller Memory Buffer (CMB) and Persistent
 * Memory Region (PMR). Base 2.1, 8.2.1, 8.2.4; registers: 3.1.4.11 and on.
 *
 * The registers give each a window in the addresses that the host supplies
 * (cmem-regs.c). A decorator of the dma port (cmem.c) sends what falls into a
 * window to the memory and all else to the bus, piece by piece; so queues,
 * lists and data need to know nothing of it, and a controller without such
 * memory has no decorator. What may lie there is looked at separately, by the
 * calls below, where queues are made and data is mapped.
 *
 * Owner: the controller. Threads: windows are atomic, since a host may move one
 * at any time; the memory itself never moves, so that a transfer under way at
 * worst ends where the window was. Registers are lane 0's.
 */
#ifndef ENVME_CTRL_CMEM_H
#define ENVME_CTRL_CMEM_H

#include "hw/ctrl/ctrl.h"

enum { ENVME_CMEM_CMB, ENVME_CMEM_PMR, ENVME_NCMEM };

/* Where bytes lie: or-ed together. */
enum {
    ENVME_IN_CMB  = 1 << ENVME_CMEM_CMB,
    ENVME_IN_PMR  = 1 << ENVME_CMEM_PMR,
    ENVME_IN_HOST = 1 << ENVME_NCMEM,   /* or another device */
};

/* Bits below the address of a window, which is a multiple of 4 KiB. */
enum {
    ENVME_WIN_ON       = 1 << 0,
    ENVME_WIN_NO_READ  = 1 << 1,    /* not ready: -EIO */
    ENVME_WIN_NO_WRITE = 1 << 2,
};

struct envme_window {
    const struct envme_region *mem;
    _Atomic uint64_t at;            /* address, ENVME_WIN_* */
};

struct envme_cmem {
    struct envme_dma bus;           /* the port that is decorated */
    struct envme_window win[ENVME_NCMEM];
    /* Lane 0. */
    uint64_t bar;                   /* envme_ctrl_cmb_bar() */
    bool flushing;                  /* the PMR, which has been disabled */
    bool starting;                  /* envme_pmr_update() is on its way */
    bool stale;                     /* windows do not follow registers yet */
};

/* ---- cmem.c ------------------------------------------------------------ */

/* After ctrl->ports is set. Decorates ctrl->ports.dma if there is a region. */
void envme_cmem_init(struct envme_ctrl *ctrl);
void envme_cmem_fini(struct envme_ctrl *ctrl);

/*
 * May a queue lie where it is? Invalid Use of CMB, Invalid Field (PMR), or
 * success. Lane 0. *in: ENVME_IN_* of all of it. This and what follows: with
 * ctrl->cmem only.
 */
struct envme_status envme_cmem_check_queue(const struct envme_ctrl *ctrl,
                                           const struct envme_qmem *m,
                                           uint32_t size, bool is_cq,
                                           unsigned *in);

/* What PRP1 of a contiguous queue has to be aligned to, in bytes. */
uint32_t envme_cmem_queue_align(const struct envme_ctrl *ctrl, uint64_t addr);

/*
 * Reads PRP lists and SGL segments for a walk, and looks where they lie:
 * w.read = envme_cmem_read_list, w.opaque = the struct. When st is not success
 * after the walk, that is the status to give. One list, one struct.
 */
struct envme_cmem_lists {
    const struct envme_ctrl *ctrl;
    bool sq_in_cmb;                 /* the command's SQ */
    unsigned in;
    struct envme_status st;
};

int envme_cmem_read_list(void *opaque, uint64_t addr, void *buf, size_t len);

/* May data or metadata of a command lie there? *in collects where all of it
 * does; 0 at first. Any lane. */
struct envme_status envme_cmem_check_data(const struct envme_ctrl *ctrl,
                                          const struct envme_sg *sg,
                                          bool to_host, unsigned *in);

/* ---- cmem-regs.c: lane 0 ----------------------------------------------- */

/* The sentence that says why, or NULL. Regions and parameters. */
char *envme_cmem_check_params(const struct envme_ctrl_params *p,
                              const struct envme_ports *ports);
/* CAP and the constant registers; needs ctrl->cap set. */
void envme_cmem_regs_init(struct envme_ctrl *ctrl);
/* Registers as after this reset, which is none by CC.EN. */
void envme_cmem_reset(struct envme_ctrl *ctrl, enum envme_reset kind);
/* No lane uses anything any more: what the reset left to do. */
void envme_cmem_settle(struct envme_ctrl *ctrl);

/* Writes of registers, whole ones. */
void envme_cmem_write_cmbmsc(struct envme_ctrl *ctrl, uint64_t val);
void envme_cmem_write_pmrctl(struct envme_ctrl *ctrl, uint64_t val);
void envme_cmem_write_pmrmscl(struct envme_ctrl *ctrl, uint64_t val);
void envme_cmem_write_pmrmscu(struct envme_ctrl *ctrl, uint64_t val);
/* PMRSTS is about to be read: a write barrier (PMRCAP.PMRWBM). */
void envme_cmem_read_pmrsts(struct envme_ctrl *ctrl);

/* PMRCTL.EN is set: a Sanitize command is not possible. */
bool envme_pmr_is_enabled(const struct envme_ctrl *ctrl);
/* Ready, and read-only or unreliable: SMART says so. */
bool envme_pmr_is_sick(const struct envme_ctrl *ctrl);
/* What kept it from becoming ready (a sanitize operation) may be over. */
void envme_pmr_update(struct envme_ctrl *ctrl);
/*
 * For a sanitize operation, PMR disabled: zeroes up to max bytes from *off on
 * and moves it. False: there is nothing left.
 */
bool envme_pmr_erase(struct envme_ctrl *ctrl, uint64_t *off, uint64_t max);
/* Then makes that persistent; done may come before this returns. */
void envme_pmr_flush(struct envme_ctrl *ctrl,
                     void (*done)(void *arg, int err), void *arg);

#endif
