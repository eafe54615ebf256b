/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "envme/feat.h"
#include "hw/ctrl/errlog.h"
#include "hw/ctrl/feature.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/pace.h"
#include "hw/ctrl/pause.h"
#include "hw/ctrl/power.h"
#include "hw/ctrl/queue.h"
#include "hw/ctrl/xfer.h"

static void cmd_post(struct envme_cmd *cmd);
static void cmd_finish(struct envme_cmd *cmd);
static void cmd_restart(struct envme_cmd *cmd);

static void cmd_over(struct envme_cmd *cmd, struct envme_status st)
{
    void (*over)(struct envme_cmd *, struct envme_status) = cmd->over;

    cmd->over = NULL;
    if (over) {
        over(cmd, st);
    }
}

/* ---- in ---------------------------------------------------------------- */

const struct envme_row *envme_iocs_row(const struct envme_iocs *iocs,
                                       uint8_t opc)
{
    for (; iocs; iocs = iocs->base) {
        if (iocs->rows[opc].run) {
            return &iocs->rows[opc];
        }
    }
    return NULL;
}

/* NSID rules: Base 2.1, 3.2.1.5 and 4.1. FFFFFFFFh is a value that the command
 * does not take, no invalid namespace. */
static struct envme_status cmd_find_ns(struct envme_cmd *cmd)
{
    uint32_t nsid = envme_cmd_nsid(cmd);

    cmd->ns = envme_ctrl_ns(cmd->ctrl, nsid);
    if (cmd->ns) {
        return ENVME_ST(SUCCESS);
    }
    if (nsid == 0 ||
        (nsid > cmd->ctrl->subsys->nn && nsid != UINT32_MAX)) {
        return ENVME_ST(INVALID_NS);
    }
    return ENVME_ST(INVALID_FIELD);
}

static struct envme_status cmd_gate_ns(struct envme_cmd *cmd)
{
    unsigned loc = offsetof(struct envme_sqe, nsid);

    switch (cmd->row->gate & ENVME_GATE_NS_MASK) {
    case ENVME_GATE_NS_OR_ALL:
        if (envme_cmd_nsid(cmd) == UINT32_MAX) {
            return ENVME_ST(SUCCESS);
        }
        /* fall through */
    case ENVME_GATE_NS_ACTIVE:
        return envme_cmd_fail(cmd, cmd_find_ns(cmd), loc);
    case ENVME_GATE_NS_UNUSED:
        return envme_cmd_nsid(cmd) ?
               envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc) :
               ENVME_ST(SUCCESS);
    default:
        return ENVME_ST(SUCCESS);
    }
}

/* The row is that of the namespace's command set; where there is no such
 * namespace, that of the first set which knows the opcode. */
static struct envme_status cmd_find_io_row(struct envme_cmd *cmd)
{
    const struct envme_tables *t = cmd->ctrl->tables;
    struct envme_ns *ns = envme_ctrl_ns(cmd->ctrl, envme_cmd_nsid(cmd));

    if (ns) {
        cmd->row = envme_iocs_row(ns->iocs, cmd->sqe.opc);
    } else {
        for (unsigned i = 0; i < t->niocs && !cmd->row; i++) {
            cmd->row = envme_iocs_row(t->iocs[i], cmd->sqe.opc);
        }
    }
    return cmd->row ? ENVME_ST(SUCCESS) : ENVME_ST(INVALID_OPCODE);
}

/* Base 2.1, 3.4.2: which commands may be fused is the command set's. */
static bool cmd_fuse_ok(const struct envme_cmd *cmd)
{
    switch (FIELD_GET(ENVME_FUSE, cmd->sqe.flags)) {
    case ENVME_FUSE_NORMAL:
        return true;
    case ENVME_FUSE_FIRST:
        return cmd->row->gate & ENVME_GATE_FUSED_1;
    case ENVME_FUSE_SECOND:
        return cmd->row->gate & ENVME_GATE_FUSED_2;
    default:
        return false;
    }
}

/* CDW0[15:08]: which are reserved, FUSE, PSDT. */
static struct envme_status cmd_gate_flags(struct envme_cmd *cmd)
{
    unsigned extra = cmd->sqe.flags & ~(ENVME_FUSE | ENVME_PSDT);
    unsigned psdt = FIELD_GET(ENVME_PSDT, cmd->sqe.flags);
    unsigned loc = offsetof(struct envme_sqe, flags);

    if (!cmd_fuse_ok(cmd)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
    }
    if (extra) {
        return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD), loc,
                                  __builtin_ctz(extra));
    }
    if (psdt == 3 || (psdt && (cmd->row->gate & ENVME_GATE_NO_SGL ||
                               cmd->is_admin))) {
        /* Base 2.1, 4.2.1: admin commands use PRPs on PCIe. */
        return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD), loc, 6);
    }
    return ENVME_ST(SUCCESS);
}

/* Format, sanitize and the like, which refuse commands while they last. */
static struct envme_status cmd_gate_busy(const struct envme_cmd *cmd)
{
    unsigned gate = cmd->row->gate;
    uint16_t sf = 0;

    if (!(gate & ENVME_GATE_IN_SANITIZE)) {
        sf = atomic_load(&cmd->ctrl->subsys->gate_sf);
        if (sf && cmd->is_admin) {
            /* Base 2.1, 8.1.24.4: after a failure, too. */
            sf = ENVME_SC_SANITIZE_IN_PROGRESS;
        }
    }
    if (!sf && cmd->ns && !cmd->is_admin && !(gate & ENVME_GATE_IN_FORMAT)) {
        sf = atomic_load(&cmd->ns->gate_sf);
    }
    return (struct envme_status){ sf };
}

static struct envme_status cmd_gates(struct envme_cmd *cmd)
{
    const struct envme_row *row;
    struct envme_status st;

    if (cmd->is_admin) {
        row = &cmd->ctrl->tables->admin[cmd->sqe.opc];
        cmd->row = envme_row_there(row, cmd->ctrl) ? row : NULL;
        st = cmd->row ? ENVME_ST(SUCCESS) : ENVME_ST(INVALID_OPCODE);
        if (cmd->row && cmd->ctrl->tables->admin_gate) {
            struct envme_status gate = cmd->ctrl->tables->admin_gate(cmd);

            if (envme_st_err(gate)) {
                return gate;
            }
        }
    } else {
        st = cmd_find_io_row(cmd);
    }
    if (envme_st_err(st)) {
        return envme_cmd_fail(cmd, st, offsetof(struct envme_sqe, opc));
    }
    row = cmd->row;
    if (cmd->sqe.flags) {
        st = cmd_gate_flags(cmd);
        if (envme_st_err(st)) {
            return st;
        }
    }
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(row->cdw); i++) {
        uint32_t extra = envme_cmd_cdw(cmd, 10 + i) & ~row->cdw[i];

        if (extra) {
            unsigned bit = __builtin_ctz(extra);

            return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD),
                                      offsetof(struct envme_sqe, cdw10) +
                                      4 * i + bit / 8, bit % 8);
        }
    }
    st = cmd_gate_ns(cmd);
    if (envme_st_err(st)) {
        return st;
    }
    st = cmd_gate_busy(cmd);
    if (envme_st_err(st)) {
        return st;
    }
    if (row->gate & ENVME_GATE_WRITES && cmd->ns && cmd->ns->read_only) {
        return envme_cmd_fail(cmd, ENVME_ST(NS_WRITE_PROTECTED),
                              offsetof(struct envme_sqe, nsid));
    }
    if (row->len) {
        st = row->len(cmd, &cmd->len);
    }
    if (!envme_st_err(st) && row->mdlen) {
        st = row->mdlen(cmd, &cmd->mdlen);
    }
    return st;
}

static void cmd_run_moved(void *arg)
{
    cmd_restart(arg);
}

static void cmd_restart_moved(struct envme_cmd *cmd)
{
    cmd->state = ENVME_CMD_RUNNING;
    cmd_restart(cmd);
}

/* Bus Master is off: from the start again when it is on. */
static void cmd_hold_start(struct envme_cmd *cmd)
{
    if (cmd->moved) {
        /* Its own lane goes on counting it. */
        cmd->state = ENVME_CMD_HELD;
        envme_lane_hold(&cmd->ctrl->lane[0], cmd, cmd_restart_moved);
        return;
    }
    if (cmd->paused) {
        cmd->paused = false;
        envme_resume(cmd->ctrl);
    } else {
        /* While it is held it does not keep its namespace. */
        cmd_over(cmd, ENVME_ST(ABORT_REQUESTED));
        envme_lane_leave(cmd, ENVME_CMD_ENDED);
    }
    envme_lane_hold(cmd->lane, cmd, envme_cmd_start);
}

static bool cmd_pre(struct envme_cmd *cmd, struct envme_status *st)
{
    const struct envme_hooks *h = &cmd->ctrl->hooks;

    return !h->pre || h->pre(h->opaque, cmd, st);
}

/* Gates are passed and lanes are as they have to be. */
static void cmd_run(struct envme_cmd *cmd)
{
    struct envme_status st = ENVME_ST(SUCCESS);
    int err = 0;

    /* A command that has been moved entered, or need not, on its own lane. */
    if (cmd->row->enter && !cmd->over && !cmd->moved) {
        st = cmd->row->enter(cmd);
        if (envme_st_pending(st)) {
            return;
        }
        if (envme_st_err(st)) {
            envme_cmd_done(cmd, st);
            return;
        }
    }
    if ((cmd->len || cmd->mdlen) && !(cmd->row->gate & ENVME_GATE_NO_DATA)) {
        st = envme_xfer_map(cmd, &err);
    }
    if (err == -EAGAIN && !cmd->moved && cmd->lane->index) {
        /* Memory that only lane 0 may touch: the command goes there whole,
         * before it has had any effect. */
        cmd->moved = true;
        envme_defer(cmd->ctrl, 0, cmd_run_moved, cmd);
        return;
    }
    if (err == -EBUSY) {
        cmd_hold_start(cmd);
        return;
    }
    if (envme_st_ok(st)) {
        if (cmd->ctrl->timing) {
            envme_pace_begin(cmd);
        }
        if (!cmd->fault || cmd_pre(cmd, &st)) {
            st = cmd->row->run(cmd);
        }
    }
    if (cmd->paused && envme_st_is(st, ENVME_SC_DATA_XFER_ERROR) &&
        !atomic_load(&cmd->ctrl->bme)) {
        /* Create I/O CQ/SQ could not read its page list, and has done
         * nothing yet. */
        cmd_hold_start(cmd);
        return;
    }
    if (!envme_st_pending(st)) {
        envme_cmd_done(cmd, st);
    }
}

static void cmd_look_again(struct envme_cmd *cmd)
{
    struct envme_status st;

    cmd->len = cmd->mdlen = 0;
    cmd->row = NULL;
    cmd->ns = NULL;
    st = cmd_gates(cmd);
    if (envme_st_err(st)) {
        envme_cmd_done(cmd, st);
    } else {
        cmd_run(cmd);
    }
}

void envme_cmd_entered(struct envme_cmd *cmd)
{
    const struct envme_lane *lane = cmd->moved ? &cmd->ctrl->lane[0]
                                               : cmd->lane;

    cmd->unwait = NULL;
    if (cmd->sq->deleting) {
        envme_cmd_done(cmd, ENVME_ST(ABORT_SQ_DELETED));
    } else if (lane->mode == ENVME_LANE_DROP || cmd->aborted) {
        envme_cmd_done(cmd, ENVME_ST(ABORT_REQUESTED));
    } else {
        cmd_look_again(cmd);
    }
}

/* On lane 0, for a command of another lane. That lane is not parked while it
 * counts this command, unless just to stop fetching: look it up again. */
static void cmd_restart(struct envme_cmd *cmd)
{
    if (cmd->ctrl->lane[0].mode == ENVME_LANE_DROP) {
        envme_cmd_done(cmd, ENVME_ST(ABORT_REQUESTED));
    } else {
        cmd_look_again(cmd);
    }
}

static void cmd_run_paused(struct envme_ctrl *ctrl, void *arg)
{
    struct envme_cmd *cmd = arg;

    assert(cmd->ctrl == ctrl);
    cmd->paused = true;
    /* The wait may have been long: what the gates saw may be gone. */
    cmd_restart(cmd);
}

static void cmd_begin(struct envme_cmd *cmd)
{
    cmd->row = NULL;
    cmd->ns = NULL;
    cmd->len = cmd->mdlen = 0;
    cmd->dw0 = cmd->dw1 = 0;
    cmd->err_loc = UINT16_MAX;
    cmd->err_lba = 0;
    cmd->err_info = 0;
    cmd->moved = cmd->paused = cmd->io_pending = false;
    cmd->cont = NULL;
    cmd->loop = NULL;
    cmd->t_start = envme_now(cmd->ctrl);
    cmd->t_end = 0;
    envme_lane_enter(cmd);
}

static void cmd_fail_missing(struct envme_cmd *cmd)
{
    cmd_begin(cmd);
    envme_cmd_done(cmd, envme_cmd_fail(cmd, ENVME_ST(ABORT_MISSING_FUSED),
                                       offsetof(struct envme_sqe, flags)));
}

/*
 * Fused pairs: Base 2.1, 3.4.2. Both halves are in the queue when the host
 * rings, so a first one with nothing behind it (or with a CQ that has no room
 * for two: no slot was kept) has no second. The first waits
 * in its queue and is not counted until the second has been fetched. True: the
 * command need not be started now.
 */
static bool cmd_pair(struct envme_cmd *cmd)
{
    struct envme_sq *sq = cmd->sq;
    struct envme_cmd *first = sq->fused;
    unsigned fuse = FIELD_GET(ENVME_FUSE, cmd->sqe.flags);

    if (first) {
        sq->fused = NULL;
        if (fuse == ENVME_FUSE_SECOND) {
            first->partner = cmd;
            envme_cmd_start(first);
            return true;
        }
        cmd_fail_missing(first);
    }
    if (fuse == ENVME_FUSE_FIRST && sq->second_slot) {
        sq->fused = cmd;
        /* The pair counts when the second is there, and once. */
        envme_pace_leave(cmd);
        return true;
    }
    if (fuse == ENVME_FUSE_FIRST || fuse == ENVME_FUSE_SECOND) {
        cmd_fail_missing(cmd);
        return true;
    }
    return false;
}

void envme_cmd_start_fetched(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;

    if (atomic_load_explicit(&ctrl->watch, memory_order_relaxed) &
        ENVME_WATCH_CMD) {
        ctrl->hooks.fetched(ctrl->hooks.opaque, cmd);
    }
    if (cmd->is_admin || !cmd->ctrl->fuses || !(cmd->sq->fused ||
                           FIELD_GET(ENVME_FUSE, cmd->sqe.flags)) ||
        !cmd_pair(cmd)) {
        envme_cmd_start(cmd);
    }
}

/*
 * The second counts before the first does no more: in between, what the pair
 * holds would be held by nobody that a pause has to wait for. For the same
 * reason the first does not wait for its time, the second does for both.
 */
static void cmd_begin_partner(struct envme_cmd *cmd)
{
    struct envme_cmd *second = cmd->partner;

    if (second && cmd->lane->mode != ENVME_LANE_DROP) {
        cmd_begin(second);
        second->begun = true;
        second->t_end = cmd->t_end;
        cmd->t_end = 0;
    }
}

/* The first of a pair has ended: the second runs, or goes with it. */
static void cmd_start_partner(struct envme_cmd *cmd, struct envme_status st)
{
    struct envme_cmd *second = cmd->partner;

    cmd->partner = NULL;
    if (second && envme_st_err(st)) {
        if (!second->begun) {
            cmd_begin(second);
        }
        second->begun = false;
        envme_cmd_done(second, ENVME_ST(ABORT_FAILED_FUSED));
    } else if (second) {
        envme_cmd_start(second);
    }
}

void envme_cmd_start(struct envme_cmd *cmd)
{
    struct envme_status st;

    if (cmd->begun) {
        cmd->begun = false;
    } else if (cmd->lane->mode == ENVME_LANE_DROP) {
        cmd_post(cmd);
        return;
    } else if (atomic_load_explicit(&cmd->ctrl->power_watch,
                                    memory_order_relaxed) &&
               !cmd->is_admin && envme_power_hold(cmd)) {
        return;
    } else {
        cmd_begin(cmd);
    }
    st = cmd->aborted ? ENVME_ST(ABORT_REQUESTED) : cmd_gates(cmd);
    if (envme_st_err(st)) {
        envme_cmd_done(cmd, st);
    } else if (cmd->row->gate & (ENVME_GATE_PARK | ENVME_GATE_DRAIN)) {
        assert(cmd->lane->index == 0);
        envme_lane_leave(cmd, ENVME_CMD_WAITING);
        envme_pause(cmd->ctrl, cmd->row->gate & ENVME_GATE_DRAIN, cmd,
                    cmd_run_paused, cmd);
    } else {
        cmd_run(cmd);
    }
}

/* ---- out --------------------------------------------------------------- */

enum envme_retry envme_status_retry(uint16_t code)
{
    switch (code) {
#define CMD_RETRY_CASE_(name, sct, sc, retry, text) \
    case ENVME_SC_##name:                           \
        return ENVME_RETRY_##retry;
    ENVME_STATUS_LIST(CMD_RETRY_CASE_)
#undef CMD_RETRY_CASE_
    default:
        return ENVME_RETRY_1;
    }
}

/* DNR, or how long the host is to wait before it tries again: Base 2.1,
 * 4.2.3.1. What a handler has set stays. */
static uint16_t status_retry_bits(const struct envme_ctrl *ctrl,
                                  struct envme_status st)
{
    enum envme_retry retry = envme_status_retry(envme_st_code(st));
    unsigned crd = retry - ENVME_RETRY_1;

    if (retry == ENVME_RETRY_0 || st.sf & ENVME_SF_CRD) {
        return 0;
    }
    if (retry == ENVME_RETRY_1) {
        return ENVME_SF_DNR;
    }
    return ctrl->params.crdt[crd - 1] &&
           envme_feature_value(ctrl, ENVME_FID_HOST_BEHAVIOR, NULL) &
           ENVME_HBS_ACRE ? FIELD_SET(ENVME_SF_CRD, crd) : 0;
}

static const char *status_text(uint16_t code)
{
    switch (code) {
#define CMD_TEXT_CASE_(name, sct, sc, retry, text) \
    case ENVME_SC_##name:                          \
        return text;
    ENVME_STATUS_LIST(CMD_TEXT_CASE_)
#undef CMD_TEXT_CASE_
    default:
        return "unknown status";
    }
}

static void cmd_note(struct envme_cmd *cmd, struct envme_status st)
{
    const struct envme_note *note = &cmd->ctrl->ports.note;
    char text[160];

    if (note->say) {
        snprintf(text, sizeof(text), "queue %u CID %u: %s (opcode %02xh) "
                 "NSID %xh: %s", cmd->sq->id, le16_get(cmd->sqe.cid),
                 cmd->row ? cmd->row->name : "?", cmd->sqe.opc,
                 envme_cmd_nsid(cmd), status_text(envme_st_code(st)));
        note->say(note->opaque, text);
    }
}

/* The command that an Abort wanted gone has ended. DW0 bit 0: it was not
 * aborted. */
static void cmd_tell_aborter(struct envme_cmd *cmd, struct envme_status st)
{
    struct envme_cmd *abort = cmd->aborter;

    if (abort) {
        cmd->aborter = NULL;
        abort->dw0 = !envme_st_is(st, ENVME_SC_ABORT_REQUESTED);
        envme_defer(cmd->ctrl, 0, envme_abort_answer, abort);
    }
}

/* Held until Bus Master is on again; the host has not seen its data yet. */
static void cmd_finish_again(struct envme_cmd *cmd)
{
    cmd->state = cmd->moved ? ENVME_CMD_RUNNING : ENVME_CMD_ENDED;
    cmd_finish(cmd);
}

/* More in the error log. */
static struct envme_status cmd_log(struct envme_cmd *cmd,
                                   struct envme_status st)
{
    st.sf |= ENVME_SF_M;
    envme_errlog_add(cmd->ctrl, cmd, st);
    cmd_note(cmd, st);
    return st;
}

/* Carried out, and its time is over; or an Abort came before that was. */
static void cmd_end_delayed(struct envme_cmd *cmd)
{
    if (cmd->aborted && !envme_st_err(cmd->status) &&
        cmd->lane->mode != ENVME_LANE_DROP) {
        cmd->status = cmd_log(cmd, ENVME_ST(ABORT_REQUESTED));
    }
    cmd_post(cmd);
}

/* Its own lane. */
static void cmd_land(void *arg)
{
    struct envme_cmd *cmd = arg;

    if (cmd->state == ENVME_CMD_RUNNING) {
        cmd_begin_partner(cmd);
        envme_lane_leave(cmd, ENVME_CMD_ENDED);
    }
    if (!cmd->t_end || !envme_pace_delay(cmd, cmd_end_delayed)) {
        cmd_post(cmd);
    }
}

/* The thread on which it ran. */
static void cmd_finish(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_lane *lane = cmd->moved ? &ctrl->lane[0] : cmd->lane;
    struct envme_status st = cmd->status;
    bool drop = lane->mode == ENVME_LANE_DROP;
    int err;

    if (cmd->fault && ctrl->hooks.ended) {
        ctrl->hooks.ended(ctrl->hooks.opaque, cmd, st);
    }
    err = envme_xfer_end(cmd, !envme_st_err(st) && !drop);
    if (err == -EBUSY) {
        if (cmd->moved) {
            cmd->state = ENVME_CMD_HELD;
        } else if (cmd->state == ENVME_CMD_RUNNING) {
            envme_lane_leave(cmd, ENVME_CMD_ENDED);
        }
        envme_lane_hold(lane, cmd, cmd_finish_again);
        return;
    }
    if (err) {
        st = envme_cmd_fail(cmd, ENVME_ST(DATA_XFER_ERROR),
                            offsetof(struct envme_sqe, dptr));
    }
    if (envme_st_err(st)) {
        st.sf |= status_retry_bits(ctrl, st);
    }
    if (cmd->fault && ctrl->hooks.post) {
        st = ctrl->hooks.post(ctrl->hooks.opaque, cmd, st);
    }
    if (envme_st_err(st) && !drop) {
        st = cmd_log(cmd, st);
        if (FIELD_GET(ENVME_SF_SCT, st.sf) == ENVME_SCT_MEDIA &&
            ctrl->tables->media_error) {
            ctrl->tables->media_error(cmd, st);
        }
    }
    cmd->status = st;
    if (cmd->moved && cmd->lane->index) {
        envme_defer(ctrl, cmd->lane->index, cmd_land, cmd);
    } else {
        cmd_land(cmd);
    }
}

void envme_cmd_done(struct envme_cmd *cmd, struct envme_status st)
{
    assert(cmd->state == ENVME_CMD_RUNNING || cmd->state == ENVME_CMD_WAITING);
    assert(!envme_st_pending(st));
    cmd->status = st;
    cmd->loop = NULL;
    cmd->unwait = NULL;
    cmd_over(cmd, st);
    if (cmd->paused) {
        /* Its shape has changed: the others may go on. It counts again, for
         * the reset that might be waiting for it. */
        cmd->paused = false;
        cmd->state = ENVME_CMD_ENDED;
        envme_lane_enter(cmd);
        envme_resume(cmd->ctrl);
    } else if (cmd->state == ENVME_CMD_WAITING) {
        cmd->state = ENVME_CMD_ENDED;
        envme_lane_enter(cmd);
    }
    cmd_finish(cmd);
}

static void cmd_post_again(struct envme_cmd *cmd)
{
    cmd->state = ENVME_CMD_ENDED;
    cmd_post(cmd);
}

/* A fault: the completion comes later, or never. */
static bool cmd_withheld(struct envme_cmd *cmd)
{
    const struct envme_hooks *h = &cmd->ctrl->hooks;
    uint64_t until = ENVME_DEADLINE_NEVER;

    switch (h->may_post(h->opaque, cmd, &until)) {
    case ENVME_POST_NOW:
        return false;
    case ENVME_POST_NEVER:
        cmd_tell_aborter(cmd, cmd->status);
        cmd_start_partner(cmd, cmd->status);
        envme_queue_forget(cmd);
        return true;
    case ENVME_POST_LATER:
        break;
    }
    cmd_tell_aborter(cmd, cmd->status);
    envme_pace_hold(cmd, until, cmd_post_again);
    cmd_start_partner(cmd, cmd->status);
    return true;
}

/* Its own lane, not counted any more, no host memory held. */
static void cmd_post(struct envme_cmd *cmd)
{
    struct envme_lane *lane = cmd->lane;

    if (lane->mode == ENVME_LANE_DROP) {
        cmd->state = ENVME_CMD_ENDED;
        cmd_over(cmd, ENVME_ST(ABORT_REQUESTED));
        envme_xfer_end(cmd, false);
        cmd_tell_aborter(cmd, ENVME_ST(ABORT_REQUESTED));
        cmd_start_partner(cmd, ENVME_ST(ABORT_REQUESTED));
        envme_queue_forget(cmd);
        return;
    }
    if (cmd->fault && cmd_withheld(cmd)) {
        return;
    }
    if (lane->mode == ENVME_LANE_PARK || !atomic_load(&cmd->ctrl->bme) ||
        !envme_queue_post(cmd)) {
        envme_lane_hold(lane, cmd, cmd_post_again);
        /* What the second posts is held behind it. */
        cmd_start_partner(cmd, cmd->status);
        return;
    }
    cmd_tell_aborter(cmd, cmd->status);
    cmd_start_partner(cmd, cmd->status);
    envme_queue_forget(cmd);
}

/* ---- helpers for handlers ---------------------------------------------- */

struct envme_status envme_cmd_fail(struct envme_cmd *cmd,
                                   struct envme_status st, unsigned offset)
{
    return envme_cmd_fail_bit(cmd, st, offset, 0);
}

/* Parameter Error Location: Base 2.1, figure 206: byte in 7:0, bit in 10:8. */
struct envme_status envme_cmd_fail_bit(struct envme_cmd *cmd,
                                       struct envme_status st, unsigned offset,
                                       unsigned bit)
{
    if (envme_st_err(st)) {
        cmd->err_loc = offset | bit << 8;
    }
    return st;
}

uint32_t envme_cmd_cdw(const struct envme_cmd *cmd, unsigned n)
{
    const le32_t *cdw = &cmd->sqe.cdw10;

    assert(n >= 10 && n <= 15);
    return le32_get(cdw[n - 10]);
}

/*
 * Continuations that start requests which are over at once would nest as deep
 * as the guest's transfer has chunks: the innermost leaves its result here,
 * and the outermost goes round.
 */
struct envme_cmd_loop {
    bool again;
    int err;
};

static void cmd_bio_over(struct envme_cmd *cmd, int err)
{
    struct envme_cmd_loop loop;

    do {
        void (*cont)(struct envme_cmd *, int) = cmd->cont;

        cmd->cont = NULL;
        if (!cont) {
            envme_cmd_done(cmd, envme_cmd_io_status(cmd, err));
            return;
        }
        loop.again = false;
        cmd->loop = &loop;
        cont(cmd, err);
        /* Without `again`, cmd may be gone. */
        err = loop.err;
    } while (loop.again);
}

static void cmd_bio_done(struct envme_bio *bio, int err)
{
    struct envme_cmd *cmd = bio->opaque;

    cmd->io_pending = false;
    cmd_bio_over(cmd, err);
}

struct envme_status envme_cmd_io(struct envme_cmd *cmd, struct envme_ns *ns,
                                 void (*cont)(struct envme_cmd *cmd, int err))
{
    int ret;

    cmd->bio.done = cmd_bio_done;
    cmd->bio.opaque = cmd;
    cmd->cont = cont;
    cmd->io_ns = ns;
    cmd->io_pending = true;
    if (cmd->aborted || cmd->sq->deleting) {
        ret = -ECANCELED;
    } else {
        ret = ns->be->ops->submit(ns->be, &cmd->bio);
    }
    if (ret == ENVME_BIO_PENDING) {
        cmd->loop = NULL;
        return ENVME_ST_PENDING;
    }
    cmd->io_pending = false;
    if (cmd->loop) {
        cmd->loop->again = true;
        cmd->loop->err = ret;
        cmd->loop = NULL;
        return ENVME_ST_PENDING;
    }
    if (!cont) {
        return envme_cmd_io_status(cmd, ret);
    }
    cmd_bio_over(cmd, ret);
    return ENVME_ST_PENDING;
}

static void cmd_yielded(void *arg)
{
    cmd_bio_over(arg, 0);
}

void envme_cmd_yield(struct envme_cmd *cmd,
                     void (*cont)(struct envme_cmd *cmd, int err))
{
    cmd->loop = NULL;           /* which goes round no more */
    cmd->cont = cont;
    envme_defer(cmd->ctrl, cmd->moved ? 0 : cmd->lane->index, cmd_yielded,
                cmd);
}

void envme_cmd_cancel(struct envme_cmd *cmd)
{
    struct envme_backend *be;

    if (cmd->due.slot) {
        envme_pace_hurry(cmd);
        return;
    }
    if (cmd->moved) {
        /* Lane 0 has it, and what it waits for ends by itself. */
        return;
    }
    if (cmd->unwait) {
        cmd->unwait(cmd);
        return;
    }
    if (cmd->state == ENVME_CMD_HELD) {
        /* If it has not begun, it need not wait to hear of it. */
        envme_kick(cmd->ctrl, cmd->lane->index);
        return;
    }
    if (!cmd->io_pending) {
        return;
    }
    be = cmd->io_ns->be;
    if (be->ops->cancel) {
        be->ops->cancel(be, &cmd->bio);
    }
}

size_t envme_cmd_to_host(struct envme_cmd *cmd, size_t off, const void *buf,
                         size_t len)
{
    size_t done = 0;

    for (unsigned i = 0; i < cmd->data.niov && done < len; i++) {
        const struct iovec *v = &cmd->data.iov[i];
        size_t n;

        if (off >= v->iov_len) {
            off -= v->iov_len;
            continue;
        }
        n = ENVME_MIN(v->iov_len - off, len - done);
        memcpy((char *)v->iov_base + off, (const char *)buf + done, n);
        done += n;
        off = 0;
    }
    return done;
}

size_t envme_cmd_from_host(struct envme_cmd *cmd, size_t off, void *buf,
                           size_t len)
{
    size_t done = 0;

    for (unsigned i = 0; i < cmd->data.niov && done < len; i++) {
        const struct iovec *v = &cmd->data.iov[i];
        size_t n;

        if (off >= v->iov_len) {
            off -= v->iov_len;
            continue;
        }
        n = ENVME_MIN(v->iov_len - off, len - done);
        memcpy((char *)buf + done, (const char *)v->iov_base + off, n);
        done += n;
        off = 0;
    }
    return done;
}
