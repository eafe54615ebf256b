/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/mapped.h"

#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/lane.h"

/* To map: so many doorbells of one lane at the rate that is asked for. A lane that
 * has not seen one in the time of so many stops to poll. */
#define MAPPED_RINGS  64
#define MAPPED_IDLE   5
/* Between two times: changing the map costs far more than a trap, so it is
 * longer each time that the effort was not worth it, up to the most. */
#define MAPPED_WORTH  (10 * UINT64_C(1000000))
#define MAPPED_COOL   UINT64_C(1000000)
#define MAPPED_COOLEST (1000 * UINT64_C(1000000))
/* Turns between looks at the clock, at the lists of other lanes, and at
 * registers that no queue has. Powers of two. */
#define MAPPED_CLOCK  8
#define MAPPED_OTHERS 16
#define MAPPED_SWEEP  1024

static void mapped_hide(struct envme_ctrl *ctrl);

/* ---- the pages --------------------------------------------------------- */

_Atomic uint32_t *envme_mapped_at(const struct envme_ctrl *ctrl, uint16_t qid,
                                  bool is_cq)
{
    const struct envme_doorbells *p = &ctrl->ports.doorbells;
    uint64_t off = (UINT64_C(2) * qid + is_cq) << (2 + ctrl->params.dstrd);

    return p->base && off < p->size
           ? (_Atomic uint32_t *)(void *)((char *)p->base + off) : NULL;
}

uint64_t envme_ctrl_doorbell_read(const struct envme_ctrl *ctrl, uint64_t off,
                                  unsigned size)
{
    const struct envme_doorbells *p = &ctrl->ports.doorbells;
    uint64_t val = 0;

    if (!p->base || off >= p->size || size > p->size - off) {
        return 0;
    }
    for (unsigned i = 0; i < size; i++) {
        const _Atomic uint8_t *b = (const _Atomic uint8_t *)p->base + off + i;

        val |= (uint64_t)atomic_load_explicit(b, memory_order_relaxed) <<
               i * 8;
    }
    return val;
}

void envme_mapped_add(struct envme_ctrl *ctrl, struct envme_db *db)
{
    struct envme_lane *lane = &ctrl->lane[atomic_load(&db->lane)];
    struct envme_polled *e;

    if (db->at == &db->value) {
        return;
    }
    if (lane->npolled == lane->polled_cap) {
        lane->polled_cap = lane->polled_cap ? lane->polled_cap * 2 : 4;
        lane->polled = g_renew(struct envme_polled, lane->polled,
                               lane->polled_cap);
    }
    db->polled = lane->npolled++;
    e = &lane->polled[db->polled];
    e->at = db->at;
    e->db = db;
    atomic_store(&e->seen, atomic_load(db->at));
}

void envme_mapped_remove(struct envme_ctrl *ctrl, struct envme_db *db)
{
    struct envme_lane *lane = &ctrl->lane[atomic_load(&db->lane)];
    struct envme_polled *e, *last;

    if (db->at == &db->value) {
        return;
    }
    e = &lane->polled[db->polled];
    last = &lane->polled[--lane->npolled];
    e->at = last->at;
    e->db = last->db;
    atomic_store(&e->seen, atomic_load(&last->seen));
    e->db->polled = db->polled;
}

void envme_mapped_fini(struct envme_lane *lane)
{
    g_free(lane->polled);
}

/* ---- taking ------------------------------------------------------------ */

static bool polled_is_news(const struct envme_polled *e)
{
    return atomic_load_explicit(e->at, memory_order_acquire) !=
           atomic_load_explicit(&e->seen, memory_order_relaxed);
}

void envme_mapped_taken(struct envme_lane *lane, struct envme_db *db,
                        uint32_t word)
{
    if (db->at != &db->value) {
        atomic_store_explicit(&lane->polled[db->polled].seen, word,
                              memory_order_relaxed);
        lane->trapped++;
    }
}

void envme_mapped_refuse(struct envme_lane *lane, struct envme_db *db,
                         uint32_t word, uint32_t good)
{
    good = ENVME_SWAP32(good);
    if (db->at != &db->value &&
        atomic_compare_exchange_strong(db->at, &word, good)) {
        atomic_store_explicit(&lane->polled[db->polled].seen, good,
                              memory_order_relaxed);
    }
}

/* Rules on doorbells keep them from being mapped, but may come while they
 * are. */
static bool mapped_hook(struct envme_ctrl *ctrl, const struct envme_db *db,
                        uint32_t *word)
{
    uint32_t value = ENVME_SWAP32(*word) & 0xffff;
    bool go_on;

    if (!(atomic_load_explicit(&ctrl->watch, memory_order_relaxed) &
          ENVME_WATCH_DB)) {
        return true;
    }
    go_on = ctrl->hooks.doorbell(ctrl->hooks.opaque, db->qid, db->is_cq,
                                 &value);
    *word = ENVME_SWAP32(value);
    return go_on;
}

bool envme_mapped_take(struct envme_lane *lane)
{
    bool any = false;

    for (unsigned i = 0; i < lane->npolled; i++) {
        struct envme_polled *e = &lane->polled[i];
        uint32_t word;

        if (!polled_is_news(e)) {
            continue;
        }
        any = true;
        word = atomic_load_explicit(e->at, memory_order_acquire);
        atomic_store_explicit(&e->seen, word, memory_order_relaxed);
        if (mapped_hook(lane->ctrl, e->db, &word)) {
            envme_lane_doorbell(lane, e->db, word);
        }
    }
    return any;
}

bool envme_mapped_news(const struct envme_lane *lane)
{
    for (unsigned i = 0; i < lane->npolled; i++) {
        if (polled_is_news(&lane->polled[i])) {
            return true;
        }
    }
    return false;
}

/* Any lane that runs, or lane 0: no list changes meanwhile. */
static void mapped_ring_news(struct envme_ctrl *ctrl,
                             const struct envme_lane *but)
{
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        const struct envme_lane *lane = &ctrl->lane[i];

        for (unsigned k = 0; lane != but && k < lane->npolled; k++) {
            if (polled_is_news(&lane->polled[k])) {
                envme_lane_ring(ctrl, lane->polled[k].db);
            }
        }
    }
}

/* ---- registers that no queue has --------------------------------------- */

static void mapped_sweep_word(struct envme_ctrl *ctrl, uint64_t off)
{
    const struct envme_doorbells *p = &ctrl->ports.doorbells;
    _Atomic uint32_t *at = (void *)((char *)p->base + off);
    uint32_t word = atomic_load_explicit(at, memory_order_relaxed);
    unsigned shift = 2 + ctrl->params.dstrd;
    uint64_t qid = (off >> shift) / 2;

    if (word && !envme_doorbell_is_open(ctrl, off) &&
        atomic_compare_exchange_strong(at, &word, 0)) {
        envme_doorbell_bad(ctrl, ENVME_BAD_DB_REGISTER, qid & 0xffff);
    }
}

/* They hold 0 but for what a host writes that should not. Where no list
 * changes: it must not be a queue that is just being made. */
static void mapped_sweep(struct envme_ctrl *ctrl)
{
    const struct envme_doorbells *p = &ctrl->ports.doorbells;
    const _Atomic uint64_t *at = p->base;

    for (uint64_t i = 0; i < p->size / 8; i++) {
        if (atomic_load_explicit(&at[i], memory_order_relaxed)) {
            mapped_sweep_word(ctrl, i * 8);
            mapped_sweep_word(ctrl, i * 8 + 4);
        }
    }
}

/* ---- showing and hiding: lane 0 ---------------------------------------- */

static bool mapped_may(const struct envme_ctrl *ctrl)
{
    const struct envme_irq *irq = &ctrl->ports.irq;

    /*
     * The pin has to fall before the write of a CQ's doorbell is over. With
     * shadow doorbells a host rings seldom, and maybe the same value twice,
     * which is no news here.
     */
    return ctrl->life == ENVME_LIFE_READY && atomic_load(&ctrl->bme) &&
           !(atomic_load(&ctrl->watch) & ENVME_WATCH_DB) && !ctrl->has_dbbuf &&
           !(irq->is_level && irq->is_level(irq->opaque));
}

static void mapped_off(struct envme_ctrl *ctrl, uint64_t now)
{
    atomic_store(&ctrl->mapped.next, now + ctrl->mapped.cool);
    atomic_store(&ctrl->mapped.state, ENVME_MAPPED_OFF);
}

/* arg: the lane that asks. */
static void mapped_asked(void *arg)
{
    struct envme_lane *lane = arg;
    struct envme_ctrl *ctrl = lane->ctrl;
    struct envme_doorbells *p = &ctrl->ports.doorbells;

    assert(atomic_load(&ctrl->mapped.state) == ENVME_MAPPED_ASKED);
    ctrl->mapped.cool = ENVME_MAX(ctrl->mapped.cool, MAPPED_COOL);
    if (!mapped_may(ctrl)) {
        mapped_off(ctrl, envme_now(ctrl));
        return;
    }
    ctrl->mapped.asked = lane;
    atomic_store(&ctrl->mapped.state, ENVME_MAPPED_SHOWING);
    p->show(p->opaque, true);
}

void envme_ctrl_doorbells_shown(struct envme_ctrl *ctrl)
{
    struct envme_lane *lane = ctrl->mapped.asked;

    assert(atomic_load(&ctrl->mapped.state) == ENVME_MAPPED_SHOWING);
    ctrl->mapped.since = envme_now(ctrl);
    if (!mapped_may(ctrl)) {
        mapped_hide(ctrl);
        return;
    }
    atomic_store(&lane->news_at, ctrl->mapped.since);
    /* In this order: a turn of that lane that has not seen the state yet stops
     * polling, and says so if it sees it then. */
    atomic_store(&ctrl->mapped.state, ENVME_MAPPED_ON);
    if (!atomic_exchange(&lane->polling, true)) {
        atomic_fetch_add(&ctrl->mapped.npolling, 1);
    }
    /* The lanes may have looked before the first store. */
    mapped_ring_news(ctrl, NULL);
    envme_kick(ctrl, lane->index);
}

static void mapped_hide(struct envme_ctrl *ctrl)
{
    struct envme_doorbells *p = &ctrl->ports.doorbells;

    atomic_store(&ctrl->mapped.state, ENVME_MAPPED_HIDING);
    p->show(p->opaque, false);
}

void envme_ctrl_doorbells_hidden(struct envme_ctrl *ctrl, bool last)
{
    uint64_t now = envme_now(ctrl), cool = MAPPED_COOL;

    assert(atomic_load(&ctrl->mapped.state) == ENVME_MAPPED_HIDING);
    mapped_ring_news(ctrl, NULL);
    mapped_sweep(ctrl);
    if (ctrl->has_dbbuf) {
        /* They have come while doorbells were mapped: see mapped_may(). */
        envme_shadow_look_all(ctrl);
    }
    if (!last) {
        return;
    }
    if (now - ctrl->mapped.since < MAPPED_WORTH) {
        cool = ENVME_MIN(ctrl->mapped.cool * 2, MAPPED_COOLEST);
    }
    ctrl->mapped.cool = cool;
    mapped_off(ctrl, now);
}

void envme_ctrl_doorbells_check(struct envme_ctrl *ctrl)
{
    if (atomic_load(&ctrl->mapped.state) == ENVME_MAPPED_ON &&
        !mapped_may(ctrl)) {
        mapped_hide(ctrl);
    }
}

static void mapped_check_call(void *arg)
{
    envme_ctrl_doorbells_check(arg);
}

/* A lane was the last to poll: is it still so? */
static void mapped_idle(void *arg)
{
    struct envme_ctrl *ctrl = arg;

    if (atomic_load(&ctrl->mapped.state) == ENVME_MAPPED_ON &&
        !atomic_load(&ctrl->mapped.npolling)) {
        mapped_hide(ctrl);
    }
}

/* ---- the end of a turn ------------------------------------------------- */

/* ns for n doorbells. */
static uint64_t mapped_time(const struct envme_ctrl *ctrl, unsigned n)
{
    return n * (UINT64_C(1000000000) / ctrl->params.mapped_rate);
}

static void mapped_ask(struct envme_lane *lane)
{
    struct envme_ctrl *ctrl = lane->ctrl;
    uint64_t now;
    unsigned off = ENVME_MAPPED_OFF;

    if (lane->trapped < MAPPED_RINGS) {
        return;
    }
    lane->trapped = 0;
    now = envme_now(ctrl);
    if (now - lane->trapped_since < mapped_time(ctrl, MAPPED_RINGS) &&
        now >= atomic_load(&ctrl->mapped.next) &&
        atomic_compare_exchange_strong(&ctrl->mapped.state, &off,
                                       ENVME_MAPPED_ASKED)) {
        envme_defer(ctrl, 0, mapped_asked, lane);
    }
    lane->trapped_since = now;
}

static void mapped_stop(struct envme_lane *lane)
{
    struct envme_ctrl *ctrl = lane->ctrl;

    if (atomic_exchange(&lane->polling, false) &&
        atomic_fetch_sub(&ctrl->mapped.npolling, 1) == 1 &&
        atomic_load(&ctrl->mapped.state) == ENVME_MAPPED_ON) {
        envme_defer(ctrl, 0, mapped_idle, ctrl);
    }
}

/* False: it is time to stop. */
static bool mapped_clock(struct envme_lane *lane)
{
    struct envme_ctrl *ctrl = lane->ctrl;
    uint64_t now = envme_now(ctrl);

    if (atomic_load(&ctrl->watch) & ENVME_WATCH_DB) {
        envme_defer(ctrl, 0, mapped_check_call, ctrl);
        return false;
    }
    if (lane->fresh) {
        lane->fresh = false;
        atomic_store(&lane->news_at, now);
    }
    return now - atomic_load(&lane->news_at) < mapped_time(ctrl, MAPPED_IDLE);
}

static void mapped_poll(struct envme_lane *lane)
{
    struct envme_ctrl *ctrl = lane->ctrl;
    unsigned n = ++lane->polls;

    if (!(n % MAPPED_CLOCK) && !mapped_clock(lane)) {
        mapped_stop(lane);
        return;
    }
    if (!(n % MAPPED_OTHERS) && ctrl->nlanes > 1) {
        mapped_ring_news(ctrl, lane);
    }
    if (!(n % MAPPED_SWEEP)) {
        mapped_sweep(ctrl);
    }
    envme_kick(ctrl, lane->index);
}

void envme_mapped_turn(struct envme_lane *lane, bool news)
{
    struct envme_ctrl *ctrl = lane->ctrl;
    unsigned state = atomic_load(&ctrl->mapped.state);

    if (state != ENVME_MAPPED_ON) {
        mapped_stop(lane);
        if (state == ENVME_MAPPED_OFF) {
            mapped_ask(lane);
        }
        return;
    }
    if (news) {
        lane->fresh = true;
        if (!atomic_exchange(&lane->polling, true)) {
            atomic_fetch_add(&ctrl->mapped.npolling, 1);
        }
    }
    if (atomic_load(&lane->polling)) {
        mapped_poll(lane);
    }
}
