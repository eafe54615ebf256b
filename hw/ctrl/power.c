/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/power.h"

#include "hw/ctrl/cmd.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/pace.h"
#include "hw/ctrl/pause.h"

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull

/* A Set Features command that waits for its state. */
struct power_req {
    struct envme_cmd *cmd;      /* NULL: a reset has ended it */
    unsigned state;
    void (*done)(struct envme_cmd *cmd);
};

struct envme_power {
    struct envme_ctrl *ctrl;
    unsigned state, target, last_op;
    bool moving;
    bool wake;                  /* I/O waits */
    uint64_t since;             /* ns: in this state since then */
    struct envme_deadline due;  /* the end of a transition */
    struct envme_deadline idle;
    GQueue reqs;                /* struct power_req; the first is served */
    bool autonomous;
    uint32_t ms[ENVME_PSTATES];
    uint8_t to[ENVME_PSTATES];
    uint32_t throttle;
};

static void power_next(struct envme_ctrl *ctrl);

/* ---- what others see --------------------------------------------------- */

static void power_watch(struct envme_ctrl *ctrl)
{
    const struct envme_power *p = ctrl->power;
    const struct envme_pstates *t = &ctrl->params.pstates;
    uint8_t watch = 0;

    if (p->moving || envme_pstate_nops(t, p->state)) {
        watch |= ENVME_POWER_HOLD;
    }
    atomic_store(&ctrl->power_watch, watch);
}

static void power_rescale(struct envme_ctrl *ctrl)
{
    const struct envme_power *p = ctrl->power;
    const struct envme_pstates *t = &ctrl->params.pstates;
    unsigned speed = p->state < t->n ? t->s[p->state].speed : 100;

    uint32_t scale;

    /* In a non-operational state nothing goes on that could be slow. */
    scale = p->throttle * 100 / (speed ? speed : 100);
    atomic_store(&ctrl->power_scale, scale);
    envme_pace_scale(ctrl, scale);
}

static void power_kick_all(struct envme_ctrl *ctrl)
{
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        envme_kick(ctrl, i);
    }
}

/* ---- idleness ---------------------------------------------------------- */

/* Since when no lane has had I/O; false: one has. */
static bool power_is_idle(struct envme_ctrl *ctrl, uint64_t *since)
{
    bool idle = envme_lanes_idle(ctrl, since);

    *since = ENVME_MAX(*since, ctrl->power->since);
    return idle;
}

static void power_arm_idle(struct envme_ctrl *ctrl)
{
    struct envme_power *p = ctrl->power;
    uint64_t since;

    if (!p->autonomous || p->moving || !p->ms[p->state] ||
        ctrl->life != ENVME_LIFE_READY) {
        envme_lane_not_at(&ctrl->lane[0], &p->idle);
        return;
    }
    if (!power_is_idle(ctrl, &since)) {
        since = envme_now(ctrl);
    }
    envme_lane_at(&ctrl->lane[0], &p->idle,
                  since + p->ms[p->state] * NS_PER_MS);
}

/* ---- transitions ------------------------------------------------------- */

static void power_enter(struct envme_ctrl *ctrl)
{
    struct envme_power *p = ctrl->power;

    p->moving = false;
    p->state = p->target;
    p->since = envme_now(ctrl);
    if (!envme_pstate_nops(&ctrl->params.pstates, p->state)) {
        p->last_op = p->state;
        p->wake = false;
    }
    power_watch(ctrl);
    power_rescale(ctrl);
    if (!(atomic_load(&ctrl->power_watch) & ENVME_POWER_HOLD)) {
        power_kick_all(ctrl);
    }
    power_arm_idle(ctrl);
}

static void power_go(struct envme_ctrl *ctrl, unsigned target)
{
    const struct envme_pstates *t = &ctrl->params.pstates;
    struct envme_power *p = ctrl->power;
    uint64_t us = (uint64_t)t->s[p->state].exlat + t->s[target].enlat;

    p->target = target;
    p->moving = true;
    if (!us || target == p->state) {
        power_enter(ctrl);
        return;
    }
    power_watch(ctrl);
    envme_lane_not_at(&ctrl->lane[0], &p->idle);
    envme_lane_at(&ctrl->lane[0], &p->due, envme_now(ctrl) + us * NS_PER_US);
}

/* What the host wants comes first, then what its commands need. */
static void power_next(struct envme_ctrl *ctrl)
{
    struct envme_power *p = ctrl->power;
    struct power_req *req;

    while (!p->moving && (req = g_queue_peek_head(&p->reqs))) {
        if (req->cmd && p->state != req->state) {
            power_go(ctrl, req->state);
            if (p->moving) {
                return;
            }
        }
        g_queue_pop_head(&p->reqs);
        if (req->cmd) {
            req->done(envme_cmd_wait_over(&req->cmd));
        }
        g_free(req);
    }
    if (!p->moving && p->wake) {
        power_go(ctrl, p->last_op);
    }
}

static struct envme_power *power_of(struct envme_deadline *d, size_t off)
{
    return (struct envme_power *)((char *)d - off);
}

static void power_due(struct envme_deadline *d)
{
    struct envme_power *p = power_of(d, offsetof(struct envme_power, due));

    power_enter(p->ctrl);
    power_next(p->ctrl);
}

static void power_idle_due(struct envme_deadline *d)
{
    struct envme_power *p = power_of(d, offsetof(struct envme_power, idle));
    struct envme_ctrl *ctrl = p->ctrl;
    uint64_t now = envme_now(ctrl), since;

    if (power_is_idle(ctrl, &since) &&
        now >= since + p->ms[p->state] * NS_PER_MS) {
        power_go(ctrl, p->to[p->state]);
        power_next(ctrl);
    } else {
        power_arm_idle(ctrl);
    }
}

/* Lane 0: a lane holds a command. */
static void power_wake(void *arg)
{
    struct envme_ctrl *ctrl = arg;
    struct envme_power *p = ctrl->power;

    atomic_store(&ctrl->power_wanted, false);
    if (ctrl->life != ENVME_LIFE_READY) {
        return;
    }
    if (!(atomic_load(&ctrl->power_watch) & ENVME_POWER_HOLD)) {
        power_kick_all(ctrl);   /* it came too late */
        return;
    }
    p->wake = true;
    power_next(ctrl);
}

bool envme_power_hold(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_lane *lane = cmd->lane;
    uint8_t watch = atomic_load(&ctrl->power_watch);

    if (!(watch & ENVME_POWER_HOLD) || cmd->aborted || cmd->sq->deleting) {
        return false;
    }
    if (!atomic_exchange(&ctrl->power_wanted, true)) {
        envme_defer(ctrl, 0, power_wake, ctrl);
    }
    envme_lane_hold(lane, cmd, envme_cmd_start);
    return true;
}

/* ---- requests ---------------------------------------------------------- */

unsigned envme_power_state(const struct envme_ctrl *ctrl)
{
    return ctrl->power->state;
}

bool envme_power_set(struct envme_cmd *cmd, unsigned state,
                     void (*done)(struct envme_cmd *cmd))
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_power *p = ctrl->power;
    struct power_req *req;

    if (!p->moving && g_queue_is_empty(&p->reqs)) {
        if (state != p->state) {
            power_go(ctrl, state);
        }
        if (!p->moving) {
            return true;
        }
    }
    req = g_new(struct power_req, 1);
    *req = (struct power_req){ .cmd = cmd, .state = state, .done = done };
    g_queue_push_tail(&p->reqs, req);
    envme_cmd_wait(&req->cmd);
    return false;
}

void envme_power_autonomous(struct envme_ctrl *ctrl, bool on,
                            const uint32_t ms[ENVME_PSTATES],
                            const uint8_t to[ENVME_PSTATES])
{
    struct envme_power *p = ctrl->power;
    bool was_on = p->autonomous;

    p->autonomous = on;
    for (unsigned i = 0; i < ENVME_PSTATES; i++) {
        p->ms[i] = ms[i];
        p->to[i] = to[i];
    }
    power_watch(ctrl);
    if (on && !was_on && ctrl->life == ENVME_LIFE_READY) {
        envme_power_start(ctrl);
    } else {
        power_arm_idle(ctrl);
    }
}

void envme_power_throttle(struct envme_ctrl *ctrl, uint32_t per_mille)
{
    ctrl->power->throttle = per_mille;
    power_rescale(ctrl);
}

/* ---- life -------------------------------------------------------------- */

void envme_power_start(struct envme_ctrl *ctrl)
{
    struct envme_power *p = ctrl->power;

    p->since = envme_now(ctrl);
    power_arm_idle(ctrl);
}

void envme_power_stop(struct envme_ctrl *ctrl)
{
    struct envme_power *p = ctrl->power;

    envme_lane_not_at(&ctrl->lane[0], &p->due);
    envme_lane_not_at(&ctrl->lane[0], &p->idle);
}

static void power_set_now(struct envme_ctrl *ctrl, unsigned state)
{
    struct envme_power *p = ctrl->power;

    p->moving = p->wake = false;
    p->state = p->target = state;
    p->since = envme_now(ctrl);
    if (!envme_pstate_nops(&ctrl->params.pstates, state)) {
        p->last_op = state;
    }
    power_watch(ctrl);
    power_rescale(ctrl);
}

void envme_power_restore(struct envme_ctrl *ctrl, unsigned state)
{
    if (state < ENVME_MAX(ctrl->params.pstates.n, 1u)) {
        power_set_now(ctrl, state);
    }
}

void envme_power_reset(struct envme_ctrl *ctrl)
{
    struct envme_power *p = ctrl->power;
    struct power_req *req;

    envme_power_stop(ctrl);
    while ((req = g_queue_pop_head(&p->reqs))) {
        assert(!req->cmd);
        g_free(req);
    }
    p->autonomous = false;
    p->last_op = 0;
    power_set_now(ctrl, 0);
}

void envme_power_init(struct envme_ctrl *ctrl)
{
    struct envme_power *p = g_new0(struct envme_power, 1);

    ctrl->power = p;
    p->ctrl = ctrl;
    p->due.fn = power_due;
    p->idle.fn = power_idle_due;
    p->throttle = ENVME_POWER_FULL;
    g_queue_init(&p->reqs);
    power_set_now(ctrl, 0);
}

void envme_power_fini(struct envme_ctrl *ctrl)
{
    envme_power_reset(ctrl);
    g_free(ctrl->power);
}
