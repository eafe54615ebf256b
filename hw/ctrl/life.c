/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/life.h"

#include <stdio.h>

#include "envme/feat.h"
#include "hw/ctrl/bootread.h"
#include "hw/ctrl/cmem.h"
#include "hw/ctrl/errlog.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/feature.h"
#include "hw/ctrl/keep.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/pace.h"
#include "hw/ctrl/pause.h"
#include "hw/ctrl/queue.h"
#include "hw/ctrl/regs.h"

/* log2 of the entry sizes: the only ones there are. */
#define LIFE_IOSQES 6
#define LIFE_IOCQES 4

struct life_waiter {
    void (*done)(void *arg);
    void *arg;
};

static void life_note(struct envme_ctrl *ctrl, const char *text)
{
    const struct envme_note *note = &ctrl->ports.note;

    if (note->say) {
        note->say(note->opaque, text);
    }
}

void envme_ctrl_fatal(struct envme_ctrl *ctrl, const char *why)
{
    char text[160];

    atomic_store(&ctrl->stopped, true);
    if (ctrl->csts & ENVME_CSTS_CFS) {
        return;
    }
    ctrl->csts |= ENVME_CSTS_CFS;
    if (ctrl->life == ENVME_LIFE_READY) {
        /* It gets through where the admin queues are still there. */
        envme_errlog_add_async(ctrl, ENVME_ST(INTERNAL), UINT16_MAX);
        envme_event_post(ctrl, ENVME_AEN_TYPE_ERROR,
                         ENVME_AEN_ERROR_PERSISTENT, ENVME_LID_ERROR, -1);
    }
    if (ctrl->tables->ctrl_fatal) {
        ctrl->tables->ctrl_fatal(ctrl);
    }
    snprintf(text, sizeof(text), "fatal (CSTS.CFS): %s", why);
    life_note(ctrl, text);
}

/* ---- enable ------------------------------------------------------------ */

/* What is wrong with CC, AQA, ASQ and ACQ, or NULL. Base 2.1, 3.5.1. */
static const char *life_check_cc(const struct envme_ctrl *ctrl)
{
    unsigned css = FIELD_GET(ENVME_CC_CSS, ctrl->cc);
    unsigned mps = FIELD_GET(ENVME_CC_MPS, ctrl->cc);
    unsigned ams = FIELD_GET(ENVME_CC_AMS, ctrl->cc);
    unsigned sqes = FIELD_GET(ENVME_CC_IOSQES, ctrl->cc);
    unsigned cqes = FIELD_GET(ENVME_CC_IOCQES, ctrl->cc);
    unsigned ams_cap = FIELD_GET(ENVME_CAP_AMS, ctrl->cap);
    unsigned css_cap = FIELD_GET(ENVME_CAP_CSS, ctrl->cap);
    uint64_t page_mask = (UINT64_C(1) << (12 + mps)) - 1;

    if (!(css_cap & 1u << css)) {
        return "CC.CSS selects a command set that CAP.CSS does not offer";
    }
    if (mps < FIELD_GET(ENVME_CAP_MPSMIN, ctrl->cap) ||
        mps > FIELD_GET(ENVME_CAP_MPSMAX, ctrl->cap)) {
        return "CC.MPS is not between CAP.MPSMIN and CAP.MPSMAX";
    }
    if (ams != ENVME_CC_AMS_RR &&
        !(ams == ENVME_CC_AMS_WRR && ams_cap & ENVME_CAP_AMS_WRR) &&
        !(ams == ENVME_CC_AMS_VS && ams_cap & ENVME_CAP_AMS_VS)) {
        return "CC.AMS selects an arbitration that CAP.AMS does not offer";
    }
    /* 0 is what a host has there that sets them later. */
    if (sqes && sqes != LIFE_IOSQES) {
        return "CC.IOSQES is not 6 (64 bytes)";
    }
    if (cqes && cqes != LIFE_IOCQES) {
        return "CC.IOCQES is not 4 (16 bytes)";
    }
    if (!FIELD_GET(ENVME_AQA_ASQS, ctrl->aqa) ||
        !FIELD_GET(ENVME_AQA_ACQS, ctrl->aqa)) {
        return "AQA: an admin queue has less than 2 entries";
    }
    if (ctrl->asq & page_mask) {
        return "ASQ is not aligned to the memory page size";
    }
    if (ctrl->acq & page_mask) {
        return "ACQ is not aligned to the memory page size";
    }
    return NULL;
}

static const char *life_admin_queues(struct envme_ctrl *ctrl)
{
    struct envme_status st;

    st = envme_cq_create(ctrl, 0, ctrl->acq,
                         FIELD_GET(ENVME_AQA_ACQS, ctrl->aqa) + 1, true, true,
                         0);
    if (envme_st_err(st)) {
        return "the admin CQ's memory (ACQ) cannot be written";
    }
    st = envme_sq_create(ctrl, 0, ctrl->asq,
                         FIELD_GET(ENVME_AQA_ASQS, ctrl->aqa) + 1, true,
                         ENVME_PRIO_ADMIN, ctrl->cq[0]);
    if (envme_st_err(st)) {
        return "the admin SQ's memory (ASQ) cannot be read";
    }
    return NULL;
}

static void life_tell(struct envme_ctrl *ctrl, enum envme_ctrl_state state)
{
    if (envme_watched(ctrl, ENVME_WATCH_STATE)) {
        ctrl->hooks.state(ctrl->hooks.opaque, state);
    }
}

void envme_ctrl_entered(struct envme_ctrl *ctrl, enum envme_ctrl_state state)
{
    life_tell(ctrl, state);
}

static void life_enable(struct envme_ctrl *ctrl)
{
    const char *wrong = life_check_cc(ctrl);

    life_tell(ctrl, ENVME_STATE_ENABLE);
    if (!wrong) {
        ctrl->page_size = 4096u << FIELD_GET(ENVME_CC_MPS, ctrl->cc);
        ctrl->css = FIELD_GET(ENVME_CC_CSS, ctrl->cc);
        ctrl->ams = FIELD_GET(ENVME_CC_AMS, ctrl->cc);
        ctrl->io_lanes = ctrl->ams == ENVME_CC_AMS_RR ? ctrl->nlanes - 1 : 1;
        ctrl->csts &= ENVME_CSTS_NSSRO;
        atomic_store(&ctrl->coalescing,
                     envme_feature_value(ctrl, ENVME_FID_IRQ_COALESCE, NULL));
        atomic_store(&ctrl->arbitration,
                     envme_feature_value(ctrl, ENVME_FID_ARBITRATION, NULL));
        envme_lanes_arbitrate(ctrl);
        atomic_store(&ctrl->stopped, false);
        atomic_store(&ctrl->bad_doorbells[0], 0);
        atomic_store(&ctrl->bad_doorbells[1], 0);
        wrong = life_admin_queues(ctrl);
    }
    if (wrong) {
        envme_queues_destroy(ctrl);
        envme_ctrl_fatal(ctrl, wrong);
        return;
    }
    ctrl->life = ENVME_LIFE_READY;
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        if (i == 0) {
            envme_lane_start(&ctrl->lane[0]);
        } else {
            envme_defer(ctrl, i, envme_lane_start, &ctrl->lane[i]);
        }
    }
    ctrl->csts |= ENVME_CSTS_RDY;
    life_tell(ctrl, ENVME_STATE_READY);
    if (ctrl->tables->ctrl_start) {
        ctrl->tables->ctrl_start(ctrl);
    }
}

/* ---- reset ------------------------------------------------------------- */

bool envme_ctrl_idle(const struct envme_ctrl *ctrl)
{
    return ctrl->life == ENVME_LIFE_DISABLED && !ctrl->flushes &&
           !ctrl->background;
}

static void life_tell_waiters(struct envme_ctrl *ctrl)
{
    struct life_waiter *w;

    while (envme_ctrl_idle(ctrl) &&
           (w = g_queue_pop_head(&ctrl->idle_waiters))) {
        w->done(w->arg);
        g_free(w);
    }
}

void envme_life_background(struct envme_ctrl *ctrl, bool begin)
{
    if (begin) {
        ctrl->background++;
        return;
    }
    assert(ctrl->background);
    ctrl->background--;
    life_tell_waiters(ctrl);
}

static void life_disabled(struct envme_ctrl *ctrl)
{
    assert(envme_ctrl_quiet(ctrl));
    envme_queues_destroy(ctrl);
    envme_pace_reset(ctrl);
    envme_feature_reset(ctrl);
    for (unsigned i = 0; i < ctrl->params.nvectors; i++) {
        atomic_store(&ctrl->vector_cd[i], false);
    }
    ctrl->nsqa = ctrl->ncqa = ctrl->params.max_ioqpairs - 1;
    ctrl->has_dbbuf = false;
    ctrl->intms = 0;
    ctrl->ports.irq.reset(ctrl->ports.irq.opaque);
    ctrl->life = ENVME_LIFE_DISABLED;
    ctrl->lives++;
    ctrl->csts &= ENVME_CSTS_NSSRO;
    atomic_store(&ctrl->stopped, false);
    envme_cmem_settle(ctrl);
    envme_pause_flush(ctrl);
    if (ctrl->starting && !ctrl->no_power) {
        ctrl->starting = false;
        life_enable(ctrl);
    }
    life_tell_waiters(ctrl);
}

void envme_life_power(struct envme_ctrl *ctrl, bool on)
{
    if (!on) {
        ctrl->no_power++;
        return;
    }
    /* It may have joined in the middle of one. */
    ctrl->no_power -= ctrl->no_power > 0;
    if (!ctrl->no_power && ctrl->starting &&
        ctrl->life == ENVME_LIFE_DISABLED) {
        ctrl->starting = false;
        life_enable(ctrl);
    }
}

void envme_life_check(struct envme_ctrl *ctrl)
{
    if (ctrl->life == ENVME_LIFE_DISABLING && !ctrl->drops_left &&
        !ctrl->pause_active) {
        life_disabled(ctrl);
    }
}

void envme_life_acked(void *arg)
{
    struct envme_ctrl *ctrl = arg;

    assert(ctrl->life == ENVME_LIFE_DISABLING && ctrl->drops_left);
    ctrl->drops_left--;
    envme_life_check(ctrl);
}

static void life_disable(struct envme_ctrl *ctrl)
{
    life_tell(ctrl, ENVME_STATE_RESET);
    ctrl->life = ENVME_LIFE_DISABLING;
    ctrl->drops_left = ctrl->nlanes;
    envme_ctrl_doorbells_check(ctrl);
    envme_event_reset(ctrl);
    /* Lane 0 first: what is given up below then ends without a completion. */
    envme_lane_drop(&ctrl->lane[0]);
    for (unsigned i = 1; i < ctrl->nlanes; i++) {
        envme_defer(ctrl, i, envme_lane_drop, &ctrl->lane[i]);
    }
    if (ctrl->tables->ctrl_stop) {
        ctrl->tables->ctrl_stop(ctrl);
    }
    envme_pause_reset(ctrl);
}

static void life_wait(struct envme_ctrl *ctrl, void (*done)(void *arg),
                      void *arg)
{
    struct life_waiter *w;

    if (!done) {
        return;
    }
    if (envme_ctrl_idle(ctrl)) {
        done(arg);
        return;
    }
    w = g_new(struct life_waiter, 1);
    *w = (struct life_waiter){ .done = done, .arg = arg };
    g_queue_push_tail(&ctrl->idle_waiters, w);
}

void envme_ctrl_reset(struct envme_ctrl *ctrl, enum envme_reset kind,
                      void (*done)(void *arg), void *arg)
{
    if (kind != ENVME_RESET_CC) {
        envme_regs_reset(ctrl);
        envme_cmem_reset(ctrl, kind);
        ctrl->starting = false;
        if (kind == ENVME_RESET_NSSR) {
            ctrl->csts |= ENVME_CSTS_NSSRO;
        }
    }
    envme_bootread_reset(ctrl);
    if (ctrl->life == ENVME_LIFE_READY) {
        life_disable(ctrl);
    } else if (ctrl->life == ENVME_LIFE_DISABLED) {
        /* There may be a CFS from a failed start. */
        ctrl->csts &= ENVME_CSTS_NSSRO;
        ctrl->intms = 0;
        ctrl->ports.irq.reset(ctrl->ports.irq.opaque);
        envme_feature_reset(ctrl);
        atomic_store(&ctrl->stopped, false);
    }
    life_wait(ctrl, done, arg);
}

void envme_life_subsys_reset(void *arg)
{
    envme_ctrl_reset(arg, ENVME_RESET_NSSR, NULL, NULL);
}

void envme_life_nssr(struct envme_ctrl *ctrl)
{
    envme_subsys_reset(ctrl->subsys);
}

/* ---- shutdown ---------------------------------------------------------- */

struct life_flush {
    struct envme_ctrl *ctrl;
    struct envme_bio bio;
};

static void life_shut(struct envme_ctrl *ctrl)
{
    if (FIELD_GET(ENVME_CSTS_SHST, ctrl->csts) == ENVME_CSTS_SHST_OCCURRING) {
        ctrl->csts &= ~ENVME_CSTS_SHST;
        ctrl->csts |= FIELD_SET(ENVME_CSTS_SHST, ENVME_CSTS_SHST_COMPLETE);
    }
}

static void life_kept(void *arg, int err)
{
    struct envme_ctrl *ctrl = arg;

    if (err) {
        life_note(ctrl, "shutdown: the state file could not be written");
    }
    ctrl->flushes--;
    life_shut(ctrl);
    life_tell_waiters(ctrl);
}

/* The media first: a state that says all went well has to be right. */
static void life_flushed_one(struct envme_ctrl *ctrl)
{
    if (--ctrl->flushes) {
        return;
    }
    if (ctrl->subsys->state && ctrl->tables->ctrl_shutdown &&
        FIELD_GET(ENVME_CSTS_SHST, ctrl->csts) == ENVME_CSTS_SHST_OCCURRING) {
        ctrl->tables->ctrl_shutdown(ctrl);
        ctrl->flushes++;
        envme_keep_flush(ctrl, life_kept, ctrl);
        return;
    }
    life_shut(ctrl);
    life_tell_waiters(ctrl);
}

static void life_flushed(struct envme_bio *bio, int err)
{
    struct life_flush *f = bio->opaque;
    struct envme_ctrl *ctrl = f->ctrl;

    if (err) {
        life_note(ctrl, "shutdown: a namespace could not be flushed");
    }
    g_free(f);
    life_flushed_one(ctrl);
}

static void life_flush_all(struct envme_ctrl *ctrl)
{
    ctrl->flushes++;
    for (uint32_t nsid = 1; nsid <= ctrl->subsys->nn; nsid++) {
        struct envme_ns *ns = ctrl->ns[nsid];
        struct envme_backend *be;
        struct life_flush *f;
        int ret;

        if (!ns || ns->read_only) {
            continue;
        }
        f = g_new0(struct life_flush, 1);
        f->ctrl = ctrl;
        f->bio.op = ENVME_BIO_FLUSH;
        f->bio.done = life_flushed;
        f->bio.opaque = f;
        ctrl->flushes++;
        be = atomic_load(&ns->io);
        ret = be->ops->submit(be, &f->bio);
        if (ret != ENVME_BIO_PENDING) {
            life_flushed(&f->bio, ret);
        }
    }
    life_flushed_one(ctrl);
}

static void life_shutdown_parked(struct envme_ctrl *ctrl, void *arg)
{
    (void)arg;
    /* A reset may have come in between. */
    if (FIELD_GET(ENVME_CSTS_SHST, ctrl->csts) == ENVME_CSTS_SHST_OCCURRING) {
        atomic_store(&ctrl->stopped, true);
        life_flush_all(ctrl);
    }
    envme_resume(ctrl);
}

static void life_shutdown(struct envme_ctrl *ctrl)
{
    if (FIELD_GET(ENVME_CSTS_SHST, ctrl->csts) != ENVME_CSTS_SHST_NORMAL) {
        return;
    }
    life_tell(ctrl, ENVME_STATE_SHUTDOWN);
    ctrl->csts |= FIELD_SET(ENVME_CSTS_SHST, ENVME_CSTS_SHST_OCCURRING);
    /* Commands in flight end first, so that the flush has them in it. */
    envme_pause(ctrl, true, NULL, life_shutdown_parked, NULL);
}

/* ---- CC ---------------------------------------------------------------- */

void envme_life_cc(struct envme_ctrl *ctrl, uint32_t cc)
{
    uint32_t old = ctrl->cc;

    ctrl->cc = cc;
    if (cc & ENVME_CC_EN && !(old & ENVME_CC_EN)) {
        if (ctrl->life == ENVME_LIFE_DISABLED && !ctrl->no_power) {
            life_enable(ctrl);
        } else {
            ctrl->starting = true;
        }
    } else if (!(cc & ENVME_CC_EN) && old & ENVME_CC_EN) {
        ctrl->starting = false;
        envme_ctrl_reset(ctrl, ENVME_RESET_CC, NULL, NULL);
    }
    if (FIELD_GET(ENVME_CC_SHN, cc) && !FIELD_GET(ENVME_CC_SHN, old)) {
        life_shutdown(ctrl);
    }
}
