/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake host: doorbells that are memory for a while. A CPU that has not heard of
 * a change yet still goes the old way: into the registers for as long as the
 * memory is shown, and into the memory until all have been told that it is
 * not. After that only something that is no CPU may store there, until the
 * last of it is over.
 */
#include "th-int.h"

enum { DB_TRAP, DB_MEMORY, DB_LEAVING, DB_LATE };

/* Of 8 writes: so many go to the memory. */
static const unsigned db_share[] = {
    [DB_TRAP] = 0, [DB_MEMORY] = 7, [DB_LEAVING] = 4, [DB_LATE] = 1,
};

static void db_defer(struct th *h, envme_exec_fn *fn)
{
    h->ports.exec.defer(h->ports.exec.opaque, 0, fn, h);
}

static void db_shown(void *arg)
{
    struct th *h = arg;

    atomic_store(&h->db_state, DB_MEMORY);
    atomic_fetch_add(&h->db_turns, 1);
    envme_ctrl_doorbells_shown(h->ctrl);
}

/* Nobody begins to store any more; has everybody ended? */
static bool db_settled(struct th *h)
{
    return atomic_load(&h->db_storing) == 0;
}

static void db_gone(void *arg)
{
    struct th *h = arg;

    atomic_store(&h->db_state, DB_TRAP);
    if (!db_settled(h)) {
        db_defer(h, db_gone);
        return;
    }
    envme_ctrl_doorbells_hidden(h->ctrl, true);
}

static void db_hidden(void *arg)
{
    struct th *h = arg;

    if (h->opts.threads && atomic_load(&h->db_state) == DB_LEAVING) {
        /* It takes a while until the last of them has heard of it. */
        g_usleep(th_random(h, 200));
    }
    atomic_store(&h->db_state, DB_LATE);
    if (!db_settled(h)) {
        db_defer(h, db_hidden);
        return;
    }
    envme_ctrl_doorbells_hidden(h->ctrl, false);
    db_defer(h, db_gone);
}

static void db_show(void *opaque, bool on)
{
    struct th *h = opaque;

    g_assert(th_lane_now == 0);
    g_assert(atomic_load(&h->db_state) == (on ? DB_TRAP : DB_MEMORY));
    if (!on) {
        atomic_store(&h->db_state, DB_LEAVING);
    }
    db_defer(h, on ? db_shown : db_hidden);
}

static bool db_store(struct th *h, uint64_t off, uint32_t value)
{
    const struct envme_doorbells *p = &h->ports.doorbells;
    unsigned coin;
    bool store;

    if (!p->base || off > p->size - 4) {
        return false;
    }
    atomic_fetch_add(&h->db_storing, 1);
    coin = atomic_fetch_add(&h->db_coin, 1) * 2654435761u >> 29;
    store = coin < db_share[atomic_load(&h->db_state)];
    if (store) {
        __atomic_store_n((uint32_t *)((uint8_t *)p->base + off),
                         ENVME_SWAP32(value), __ATOMIC_RELEASE);
        atomic_fetch_add(&h->db_stores, 1);
    }
    atomic_fetch_sub(&h->db_storing, 1);
    return store;
}

void th_db_write(struct th *h, uint64_t off, uint32_t value)
{
    if (!db_store(h, off, value)) {
        atomic_fetch_add(&h->db_traps, 1);
        envme_ctrl_doorbell(h->ctrl, off, value, 4);
    }
}

void th_db_again(struct th *h)
{
    g_assert(th_lane_now == 0);
    h->ctrl->mapped.cool = 0;
    atomic_store(&h->ctrl->mapped.next, 0);
}

void th_db_init(struct th *h)
{
    uint64_t size = h->opts.mapped;

    if (size) {
        h->ports.doorbells = (struct envme_doorbells){
            .opaque = h, .base = g_malloc0(size), .size = size,
            .show = db_show,
        };
    }
}

void th_db_fini(struct th *h)
{
    g_assert_cmpuint(atomic_load(&h->db_state), ==, DB_TRAP);
    g_free(h->ports.doorbells.base);
}
