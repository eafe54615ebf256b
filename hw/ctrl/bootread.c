/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/bootread.h"

#include <errno.h>

#include "hw/ctrl/life.h"

#define BOOT_PAGE  4096u        /* the unit of BPROF and BPRSZ */
#define BOOT_PIECE (64u << 10)  /* bytes per deferred call */

static void boot_set_status(struct envme_ctrl *ctrl, unsigned brs)
{
    ctrl->bpinfo &= ~ENVME_BPINFO_BRS;
    ctrl->bpinfo |= FIELD_SET(ENVME_BPINFO_BRS, brs);
}

static void boot_step(void *arg);

static void boot_go_on(struct envme_ctrl *ctrl)
{
    if (!ctrl->boot.due) {
        ctrl->boot.due = true;
        envme_life_background(ctrl, true);
        envme_defer(ctrl, 0, boot_step, ctrl);
    }
}

static void boot_piece(struct envme_ctrl *ctrl)
{
    const struct envme_bootpart *bp = ctrl->subsys->bp;
    const struct envme_dma *dma = envme_dma(ctrl);
    uint32_t sel = ctrl->boot.sel;
    uint64_t from = FIELD_GET(ENVME_BPRSEL_BPROF, sel) * (uint64_t)BOOT_PAGE;
    uint64_t size = FIELD_GET(ENVME_BPRSEL_BPRSZ, sel) * (uint64_t)BOOT_PAGE;
    size_t len = ENVME_MIN(size - ctrl->boot.done, (uint64_t)BOOT_PIECE);
    unsigned seq = ctrl->boot.seq;
    int err = 0;

    if (from + size > bp->size || ctrl->boot.addr + size < ctrl->boot.addr) {
        err = -EINVAL;
    } else if (len) {
        err = dma->write(dma->opaque, ctrl->boot.addr + ctrl->boot.done,
                         bp->data[FIELD_GET(ENVME_BPRSEL_BPID, sel)] +
                         from + ctrl->boot.done, len);
    }
    /* The write may have come to our own registers, by way of another device:
     * this is no longer the read that is wanted. */
    if (seq != ctrl->boot.seq) {
        return;
    }
    if (err == -EBUSY) {
        ctrl->boot.held = true;
        return;
    }
    ctrl->boot.done += len;
    if (err || ctrl->boot.done == size) {
        ctrl->boot.on = false;
        boot_set_status(ctrl, err ? ENVME_BPINFO_BRS_ERROR
                                  : ENVME_BPINFO_BRS_DONE);
    } else {
        boot_go_on(ctrl);
    }
}

/* It may have been given up, or begun anew, since it was deferred. */
static void boot_step(void *arg)
{
    struct envme_ctrl *ctrl = arg;

    ctrl->boot.due = false;
    if (ctrl->boot.on) {
        boot_piece(ctrl);
    }
    envme_life_background(ctrl, false);
}

void envme_bootread_select(struct envme_ctrl *ctrl, uint32_t bprsel)
{
    if (!envme_bootread_there(ctrl)) {
        return;
    }
    ctrl->bprsel = bprsel;
    ctrl->boot.on = true;
    ctrl->boot.held = false;
    ctrl->boot.seq++;
    ctrl->boot.sel = bprsel;
    ctrl->boot.addr = ctrl->bpmbl[0] | (uint64_t)ctrl->bpmbl[1] << 32;
    ctrl->boot.done = 0;
    boot_set_status(ctrl, ENVME_BPINFO_BRS_BUSY);
    boot_go_on(ctrl);
}

void envme_bootread_buffer(struct envme_ctrl *ctrl, unsigned half,
                           uint32_t val)
{
    if (envme_bootread_there(ctrl)) {
        ctrl->bpmbl[half] = val;
    }
}

void envme_bootread_resume(struct envme_ctrl *ctrl)
{
    if (ctrl->boot.held) {
        ctrl->boot.held = false;
        boot_go_on(ctrl);
    }
}

void envme_bootread_refresh(struct envme_ctrl *ctrl)
{
    if (envme_bootread_there(ctrl)) {
        const struct envme_bootpart *bp = ctrl->subsys->bp;

        ctrl->bpinfo &= ENVME_BPINFO_BRS;
        ctrl->bpinfo |= FIELD_SET(ENVME_BPINFO_BPSZ, bp->units) |
                        FIELD_SET(ENVME_BPINFO_ABPID, bp->active);
    }
}

void envme_bootread_reset(struct envme_ctrl *ctrl)
{
    ctrl->boot.on = ctrl->boot.held = false;
    ctrl->boot.seq++;
    ctrl->bprsel = ctrl->bpmbl[0] = ctrl->bpmbl[1] = 0;
    boot_set_status(ctrl, ENVME_BPINFO_BRS_NONE);
}

void envme_bootread_init(struct envme_ctrl *ctrl)
{
    struct envme_ctrl_params *p = &ctrl->params;

    if (p->bp_units && !ctrl->subsys->bp) {
        ctrl->subsys->bp = envme_bootpart_new(ctrl->subsys->state,
                                              p->bp_units, p->bp_init,
                                              p->bp_init_len);
    }
    p->bp_init[0] = p->bp_init[1] = NULL;       /* were the caller's */
    envme_bootread_refresh(ctrl);
}
