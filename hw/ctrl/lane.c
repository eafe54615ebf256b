/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/lane.h"

#include "envme/feat.h"
#include "hw/ctrl/cmd.h"
#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/mapped.h"
#include "hw/ctrl/pace.h"
#include "hw/ctrl/poll.h"
#include "hw/ctrl/queue.h"
#include "hw/ctrl/signal.h"
#include "hw/ctrl/xfer.h"

/* Commands fetched in one turn, so that one lane can't keep its thread. */
#define LANE_BUDGET 64

void envme_lane_init(struct envme_ctrl *ctrl, unsigned index)
{
    struct envme_lane *lane = &ctrl->lane[index];

    lane->ctrl = ctrl;
    lane->index = index;
    envme_arb_init(&lane->arb);
    g_queue_init(&lane->held);
    g_queue_init(&lane->delayed);
    envme_sg_init(&lane->sg, 1);
    lane->mode = ENVME_LANE_RUN;
    lane->armed = ENVME_DEADLINE_NEVER;
}

void envme_lane_fini(struct envme_lane *lane)
{
    struct envme_cmd *cmd;

    assert(lane->ncmds == 0 && g_queue_is_empty(&lane->held) &&
           g_queue_is_empty(&lane->delayed));
    while ((cmd = lane->free)) {
        lane->free = cmd->next_free;
        envme_xfer_free(&cmd->data);
        envme_xfer_free(&cmd->md);
        g_free(cmd);
        lane->nalloc--;
    }
    assert(lane->nalloc == 0);
    envme_sg_free(&lane->sg);
    envme_mapped_fini(lane);
    envme_deadlines_free(&lane->deadlines);
}

struct envme_cmd *envme_lane_get_cmd(struct envme_lane *lane, bool beyond)
{
    struct envme_cmd *cmd = lane->free;

    if (cmd) {
        lane->free = cmd->next_free;
        return cmd;
    }
    if (lane->nalloc >= lane->ctrl->params.lane_cmds && !beyond) {
        lane->starved = true;
        return NULL;
    }
    cmd = g_new0(struct envme_cmd, 1);
    cmd->ctrl = lane->ctrl;
    cmd->lane = lane;
    cmd->link.data = cmd;
    cmd->held.data = cmd;
    lane->nalloc++;
    return cmd;
}

void envme_lane_put_cmd(struct envme_cmd *cmd)
{
    struct envme_lane *lane = cmd->lane;

    assert(!cmd->slot && cmd->state != ENVME_CMD_RUNNING);
    assert(!cmd->data.mapped && !cmd->aborter);
    if (envme_cmd_hit(cmd)) {
        lane->ctrl->hooks.gone(lane->ctrl->hooks.opaque, cmd);
        cmd->fault = NULL;
    }
    g_free(cmd->mem);
    cmd->mem = NULL;
    cmd->state = ENVME_CMD_FREE;
    cmd->next_free = lane->free;
    lane->free = cmd;
    if (lane->starved) {
        lane->starved = false;
        envme_kick(lane->ctrl, lane->index);
    }
}

/* ---- deadlines --------------------------------------------------------- */

static void lane_arm(struct envme_lane *lane)
{
    const struct envme_exec *exec = &lane->ctrl->ports.exec;
    uint64_t first = envme_deadline_first(&lane->deadlines);

    if (first != lane->armed) {
        lane->armed = first;
        exec->arm(exec->opaque, lane->index, first);
    }
}

void envme_lane_at(struct envme_lane *lane, struct envme_deadline *d,
                   uint64_t when)
{
    envme_deadline_set(&lane->deadlines, d, when);
    lane_arm(lane);
}

void envme_lane_not_at(struct envme_lane *lane, struct envme_deadline *d)
{
    envme_deadline_clear(&lane->deadlines, d);
    lane_arm(lane);
}

static void lane_run_due(struct envme_lane *lane)
{
    uint64_t now = envme_now(lane->ctrl);
    struct envme_deadline *d;

    if (lane->armed > now) {
        return;
    }
    lane->armed = ENVME_DEADLINE_NEVER;
    while ((d = envme_deadline_due(&lane->deadlines, now))) {
        d->fn(d);
    }
    lane_arm(lane);
}

/* ---- stopping and starting --------------------------------------------- */

static bool lane_may_ack(const struct envme_lane *lane)
{
    return !lane->acked && lane->mode != ENVME_LANE_RUN &&
           !((lane->drain || lane->mode == ENVME_LANE_DROP) && lane->ncmds);
}

static void lane_ack_now(void *arg)
{
    struct envme_lane *lane = arg;

    lane->acking = false;
    if (lane_may_ack(lane)) {
        lane->acked = true;
        envme_defer(lane->ctrl, 0, lane->mode == ENVME_LANE_DROP ?
                    envme_life_acked : envme_pause_acked, lane->ctrl);
    }
}

/* By way of its own queue of calls: the caller may be in the middle of a
 * command, and lane 0, on another thread, would not wait for its end. */
static void lane_ack(struct envme_lane *lane)
{
    if (lane_may_ack(lane) && !lane->acking) {
        lane->acking = true;
        envme_defer(lane->ctrl, lane->index, lane_ack_now, lane);
    }
}

/* ---- busy time --------------------------------------------------------- */

/*
 * A controller is busy while there is an I/O command that it has fetched and
 * whose completion is not posted. The clock is looked at when a lane gets its
 * first one or has lost its last one, and the latter not within a turn. The
 * lanes' times are united in one word, which no two of them need at once but
 * when they do.
 */
#define BUSY_LANES 0x3ffu
#define BUSY_SINCE(us) ((us) << 10)

void envme_lane_busy(struct envme_lane *lane)
{
    struct envme_ctrl *ctrl = lane->ctrl;
    uint64_t now = envme_now(ctrl);
    uint64_t old = atomic_load(&ctrl->busy);

    lane->busy = true;
    while (!atomic_compare_exchange_weak(&ctrl->busy, &old, old ? old + 1 :
                                         BUSY_SINCE(now / 1000) + 1)) {
    }
}

void envme_lane_idle(struct envme_lane *lane)
{
    struct envme_ctrl *ctrl = lane->ctrl;
    uint64_t old = atomic_load(&ctrl->busy), us, now;

    lane->busy = false;
    do {
        us = 0;
        if ((old & BUSY_LANES) == 1) {
            now = envme_now(ctrl);
            us = now / 1000 > old >> 10 ? now / 1000 - (old >> 10) : 0;
            /* Before it is seen to be idle. */
            atomic_store(&ctrl->idle_since, now);
        }
    } while (!atomic_compare_exchange_weak(&ctrl->busy, &old,
                                           (old & BUSY_LANES) == 1 ? 0
                                                                   : old - 1));
    if (us) {
        atomic_fetch_add(&ctrl->busy_us, us);
    }
}

bool envme_lanes_idle(const struct envme_ctrl *ctrl, uint64_t *since)
{
    bool idle = atomic_load(&ctrl->busy) == 0;

    *since = atomic_load(&ctrl->idle_since);
    return idle;
}

uint64_t envme_lanes_busy_us(const struct envme_ctrl *ctrl)
{
    uint64_t busy = atomic_load(&ctrl->busy);
    uint64_t now = envme_now(ctrl) / 1000;

    return atomic_load(&ctrl->busy_us) +
           (busy && now > busy >> 10 ? now - (busy >> 10) : 0);
}

/* ---- in flight --------------------------------------------------------- */

void envme_lane_enter(struct envme_cmd *cmd)
{
    struct envme_lane *lane = cmd->lane;

    assert(cmd->state != ENVME_CMD_RUNNING);
    cmd->state = ENVME_CMD_RUNNING;
    lane->ncmds++;
}

void envme_lane_leave(struct envme_cmd *cmd, enum envme_cmd_state state)
{
    assert(cmd->state == ENVME_CMD_RUNNING && cmd->lane->ncmds > 0);
    cmd->state = state;
    cmd->lane->ncmds--;
    lane_ack(cmd->lane);
}

bool envme_lane_in_flight(const struct envme_ctrl *ctrl, unsigned lane)
{
    return ctrl->lane[lane].nio;
}

void envme_lane_hold(struct envme_lane *lane, struct envme_cmd *cmd,
                     void (*resume)(struct envme_cmd *cmd))
{
    assert(cmd->state != ENVME_CMD_RUNNING);
    cmd->state = ENVME_CMD_HELD;
    cmd->resume = resume;
    g_queue_push_tail_link(&lane->held, &cmd->held);
}

static void lane_release(struct envme_lane *lane)
{
    unsigned n = g_queue_get_length(&lane->held);

    /* Only what is there now: a command may have to be held again. */
    while (n--) {
        struct envme_cmd *cmd = g_queue_pop_head_link(&lane->held)->data;

        cmd->resume(cmd);
    }
}

static void lane_park(struct envme_lane *lane, bool drain)
{
    if (lane->mode == ENVME_LANE_DROP) {
        return;
    }
    assert(lane->mode == ENVME_LANE_RUN);
    envme_lane_flush_irqs(lane);
    envme_lane_signal_all(lane);
    envme_poll_arm_all(lane);
    lane->mode = ENVME_LANE_PARK;
    lane->drain = drain;
    lane->acked = false;
    lane_ack(lane);
}

void envme_lane_park(void *arg)
{
    lane_park(arg, false);
}

void envme_lane_drain(void *arg)
{
    lane_park(arg, true);
}

void envme_lane_unpark(void *arg)
{
    struct envme_lane *lane = arg;

    if (lane->mode == ENVME_LANE_PARK) {
        lane->mode = ENVME_LANE_RUN;
        lane->drain = false;
        envme_kick(lane->ctrl, lane->index);
    }
}

static void lane_cancel(struct envme_lane *lane)
{
    struct envme_ctrl *ctrl = lane->ctrl;

    /* Queue arrays don't change: this runs before lane 0 hears of it. */
    for (unsigned i = 0; i < ctrl->nsq_alloc; i++) {
        struct envme_sq *sq = ctrl->sq[i];

        if (sq && sq->cq->lane == lane) {
            envme_sq_cancel(sq);
        }
    }
}

void envme_lane_drop(void *arg)
{
    struct envme_lane *lane = arg;

    lane->mode = ENVME_LANE_DROP;
    lane->drain = false;
    lane->acked = false;
    envme_lane_signal_all(lane);
    envme_poll_forget_all(lane);
    lane_cancel(lane);
    envme_pace_drop(lane);
    lane_release(lane);
    lane_ack(lane);
}

void envme_lane_start(void *arg)
{
    struct envme_lane *lane = arg;

    assert(lane->ncmds == 0 && lane->nio == 0);
    assert(g_queue_is_empty(&lane->held));
    lane->mode = ENVME_LANE_RUN;
    lane->drain = false;
    lane->starved = false;
    envme_kick(lane->ctrl, lane->index);
}

/* ---- arbitration ------------------------------------------------------- */

/* Base 2.1, 3.4.4 and 5.1.25.1.1; AB is a power of two, 7 means no limit. */
static void lane_arbitrate(void *arg)
{
    struct envme_lane *lane = arg;
    uint32_t v = atomic_load(&lane->ctrl->arbitration);
    unsigned ab = FIELD_GET(ENVME_FEAT_ARB_AB, v);
    enum envme_arb_mode mode = ENVME_ARB_RR;

    if (lane->ctrl->ams != ENVME_CC_AMS_RR) {
        mode = lane->ctrl->ams == ENVME_CC_AMS_WRR ? ENVME_ARB_WRR
                                                   : ENVME_ARB_VS;
    }
    envme_arb_config(&lane->arb, mode, ab == 7 ? 0 : 1u << ab,
                     FIELD_GET(ENVME_FEAT_ARB_HPW, v) + 1,
                     FIELD_GET(ENVME_FEAT_ARB_MPW, v) + 1,
                     FIELD_GET(ENVME_FEAT_ARB_LPW, v) + 1);
}

void envme_lanes_arbitrate(struct envme_ctrl *ctrl)
{
    lane_arbitrate(&ctrl->lane[0]);
    for (unsigned i = 1; i < ctrl->nlanes; i++) {
        envme_defer(ctrl, i, lane_arbitrate, &ctrl->lane[i]);
    }
}

/* ---- doorbells --------------------------------------------------------- */

void envme_lane_ring(struct envme_ctrl *ctrl, struct envme_db *db)
{
    struct envme_lane *lane;
    struct envme_db *head;

    /* In a list already: whoever takes it out will read the new value, since
     * it clears `queued` first. */
    if (atomic_exchange(&db->queued, true)) {
        return;
    }
    lane = &ctrl->lane[atomic_load(&db->lane)];
    head = atomic_load(&lane->rung);
    do {
        atomic_store(&db->next, head);
    } while (!atomic_compare_exchange_weak(&lane->rung, &head, db));
    if (!head) {
        envme_kick(ctrl, lane->index);
    }
}

/* Where there is a shadow, the register only says that it is time to look:
 * its value may be older. */
static void lane_doorbell_cq(struct envme_lane *lane, struct envme_cq *cq,
                             uint32_t word, uint32_t value)
{
    if (cq->shadowed) {
        envme_shadow_look_cq(cq);
        envme_cq_watch_pin(cq);
    } else if (!envme_cq_set_head(cq, value)) {
        envme_mapped_refuse(lane, cq->db, word, cq->ring.ring.head);
    }
}

static void lane_doorbell_sq(struct envme_lane *lane, struct envme_sq *sq,
                             uint32_t word, uint32_t value)
{
    if (value >= sq->ring.size) {
        envme_doorbell_bad(lane->ctrl, ENVME_BAD_DB_VALUE, sq->id);
        envme_mapped_refuse(lane, sq->db, word, sq->ring.tail);
    } else if (sq->shadowed) {
        envme_shadow_look_sq(sq);
    } else {
        envme_sq_set_tail(sq, value);
    }
}

void envme_lane_doorbell(struct envme_lane *lane, struct envme_db *db,
                         uint32_t word)
{
    uint32_t value = ENVME_SWAP32(word) & 0xffff;

    if (db->is_cq) {
        lane_doorbell_cq(lane, db->queue, word, value);
    } else {
        lane_doorbell_sq(lane, db->queue, word, value);
    }
}

/* Bus Master was off, and doorbells in memory could not be looked at; or they
 * have just come to lie there. */
static void lane_look_at_shadows(struct envme_lane *lane)
{
    struct envme_ctrl *ctrl = lane->ctrl;

    for (unsigned i = 1; i < ctrl->nsq_alloc; i++) {
        struct envme_sq *sq = ctrl->sq[i];

        if (sq && sq->shadowed && sq->cq->lane == lane) {
            envme_shadow_arm_sq(sq);
            envme_shadow_arm_cq(sq->cq);
        }
    }
}

/* First come, first served: turns the list round. Nobody else has the slots
 * of a list that has been taken, until `queued` is cleared. */
static struct envme_db *lane_first_rung(struct envme_db *db)
{
    struct envme_db *first = NULL;

    while (db) {
        struct envme_db *next = atomic_load(&db->next);

        atomic_store(&db->next, first);
        first = db;
        db = next;
    }
    return first;
}

void envme_lane_take_doorbells(struct envme_lane *lane)
{
    struct envme_db *db = lane_first_rung(atomic_exchange(&lane->rung, NULL));
    struct envme_db *next;

    for (; db; db = next) {
        uint32_t word;

        next = atomic_load(&db->next);
        atomic_store(&db->queued, false);
        if (atomic_load(&db->lane) != lane->index) {
            /* Its queue has been created anew elsewhere. */
            envme_lane_ring(lane->ctrl, db);
            continue;
        }
        word = atomic_load(db->at);
        if (!atomic_load(&db->size) || !db->queue) {
            continue;
        }
        envme_mapped_taken(lane, db, word);
        envme_lane_doorbell(lane, db, word);
    }
}

/* ---- a turn ------------------------------------------------------------ */

/* max-inflight: I/O only where there is a place, but admin always. */
static struct envme_cmd *lane_fetch_paced(struct envme_lane *lane,
                                          struct envme_sq *sq, bool *waits)
{
    struct envme_sq *admin = lane->index ? NULL : lane->ctrl->sq[0];
    struct envme_cmd *cmd;

    *waits = false;
    if (sq->id && !envme_pace_take(lane)) {
        if (!admin || !admin->node.ready) {
            *waits = true;
            return NULL;
        }
        sq = admin;
    }
    cmd = envme_queue_fetch(sq);
    if (sq->id && cmd) {
        cmd->executing = true;
    } else if (sq->id) {
        envme_pace_give_back(lane);
    }
    return cmd;
}

void envme_lane_run(struct envme_ctrl *ctrl, unsigned index)
{
    struct envme_lane *lane = &ctrl->lane[index];
    bool paced = ctrl->params.max_inflight, waits = false, news = false;
    bool may_map = ctrl->ports.doorbells.base;
    unsigned budget = LANE_BUDGET;

    if (lane->deadlines.n) {
        lane_run_due(lane);
    }
    if (index == 0) {
        envme_doorbell_report_bad(ctrl);
    }
    if (!envme_lane_runs(lane)) {
        return;
    }
    envme_lane_touch(lane);
    lane->running = true;
    if (ctrl->has_dbbuf && atomic_exchange(&lane->look, false)) {
        lane_look_at_shadows(lane);
    }
    envme_lane_take_doorbells(lane);
    if (may_map && !envme_mapped_is_off(ctrl)) {
        news = envme_mapped_take(lane);
    }
    lane_release(lane);
    while (budget && envme_lane_runs(lane) && !atomic_load(&ctrl->stopped)) {
        struct envme_arb_node *node = envme_arb_next(&lane->arb);
        struct envme_cmd *cmd;
        struct envme_sq *sq;

        if (!node) {
            break;
        }
        sq = envme_sq_of(node);
        cmd = paced ? lane_fetch_paced(lane, sq, &waits)
                    : envme_queue_fetch(sq);
        if (!cmd) {
            if (waits || lane->starved || !atomic_load(&ctrl->bme)) {
                break;
            }
            continue;           /* the queue is no longer ready */
        }
        budget--;
        envme_cmd_start_fetched(cmd);
    }
    if (paced && budget && !waits) {
        envme_pace_pass_on(lane);
    }
    if (index == 0) {
        envme_event_pump(ctrl);
    }
    lane->running = false;
    if (lane->busy && !lane->nio) {
        envme_lane_idle(lane);
    }
    envme_lane_untouch(lane);
    envme_lane_flush_irqs(lane);
    if (!budget) {
        envme_kick(ctrl, index);
    }
    if (may_map) {
        envme_mapped_turn(lane, news);
    }
}
