/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host memory as rules of "dma" see it: a decorator of the dma port, which the
 * controller uses only while such a rule is armed (envme_dma()). Any lane.
 *
 * An access that finds Bus Master off, or the wrong thread, comes again and is
 * not looked at. What is slow is the command: the memory itself answers at
 * once, and the command's completion comes so much later.
 */
#include <errno.h>

#include "hw/fault/engine.h"

/* How slow the accesses of the command were that this thread maps now, ns. */
static _Thread_local uint64_t dma_slow;

static int dma_look(struct envme_faults *f, uint64_t addr, size_t len,
                    bool is_write)
{
    const struct fault_event ev = {
        .on = FAULT_ON_DMA, .ctrl = f->ctrl, .addr = addr,
        .last = addr + (len - 1), .is_write = is_write,
    };
    struct fault_change c = { 0 };

    fault_change_of(fault_event_seen(f, &ev), &ev, &c);
    dma_slow += ENVME_MIN(c.slow, UINT64_MAX - dma_slow);
    return c.lost ? -EIO : 0;
}

static int dma_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
    struct envme_faults *f = opaque;
    const struct envme_dma *in = &f->ctrl->ports.dma;
    int err = in->read(in->opaque, addr, buf, len);

    return err ? err : dma_look(f, addr, len, false);
}

/* The others can be undone, this one cannot. */
static int dma_write(void *opaque, uint64_t addr, const void *buf, size_t len)
{
    struct envme_faults *f = opaque;
    const struct envme_dma *in = &f->ctrl->ports.dma;
    int err = dma_look(f, addr, len, true);

    return err ? err : in->write(in->opaque, addr, buf, len);
}

static void *dma_map(void *opaque, uint64_t addr, size_t *len, bool is_write,
                     int *err)
{
    struct envme_faults *f = opaque;
    const struct envme_dma *in = &f->ctrl->ports.dma;
    void *p = in->map(in->opaque, addr, len, is_write, err);

    if (p && (*err = dma_look(f, addr, *len, is_write))) {
        in->unmap(in->opaque, p, *len, false);
        p = NULL;
    }
    return p;
}

static void dma_unmap(void *opaque, void *ptr, size_t len, bool dirty)
{
    struct envme_faults *f = opaque;
    const struct envme_dma *in = &f->ctrl->ports.dma;

    in->unmap(in->opaque, ptr, len, dirty);
}

void fault_dma_init(struct envme_faults *f)
{
    f->dma = (struct envme_dma){
        .opaque = f, .read = dma_read, .write = dma_write, .map = dma_map,
        .unmap = dma_unmap,
    };
}

void fault_dma_watch(struct envme_faults *f, bool on)
{
    atomic_store_explicit(&f->ctrl->dma, on ? &f->dma : &f->ctrl->ports.dma,
                          memory_order_release);
}

/* ---- slow -------------------------------------------------------------- */

bool fault_may_slow(const struct fault_rule *r)
{
    bool slows = false;

    for (unsigned i = 0; r->actions && i < r->actions->len; i++) {
        slows |= g_array_index(r->actions, struct fault_action, i).row->slows;
    }
    return slows && r->on == FAULT_ON_DMA && r->is_armed;
}

struct fault_rule *fault_dma_slows(struct envme_faults *f)
{
    struct fault_rule *slow = NULL;

    /* What this thread has transferred before is not its affair. */
    dma_slow = 0;
    if (!atomic_load(&f->may_slow)) {
        return NULL;
    }
    g_mutex_lock(&f->lock);
    for (unsigned i = 0; f->active && f->set && i < f->set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        if (!slow && fault_may_slow(r)) {
            slow = fault_rule_ref(r);
        }
    }
    g_mutex_unlock(&f->lock);
    return slow;
}

/* Its data have just been mapped, by this thread. */
static bool dma_slowed_pre(const void *args, struct fault_fired *fired,
                           struct envme_cmd *cmd, struct envme_status *st)
{
    (void)args;
    (void)cmd;
    (void)st;
    fired->slow = dma_slow;
    dma_slow = 0;
    return true;
}

static void dma_slowed_ended(const void *args, struct fault_fired *fired,
                             struct envme_cmd *cmd, struct envme_status st)
{
    uint64_t now = envme_now(cmd->ctrl);

    (void)args;
    (void)st;
    if (fired->slow) {
        uint64_t end = now + ENVME_MIN(fired->slow, UINT64_MAX - 1 - now);

        cmd->t_end = ENVME_MAX(cmd->t_end, end);
    }
}

static const struct fault_action_row dma_slowed_row = {
    .name = "slow", .pre = dma_slowed_pre, .ended = dma_slowed_ended,
};

const struct fault_action fault_dma_slowed = { .row = &dma_slowed_row };
