/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules in the way of commands, registers, doorbells and interrupts. */
#include "hw/fault/effect.h"
#include "hw/fault/engine.h"

static bool hooks_is_cmd_action(const struct fault_action_row *row)
{
    return row->pre || row->ended || row->ended_last || row->post ||
           row->keep || row->may_post || row->cqe;
}

static void hooks_look_at(struct envme_faults *f, struct envme_cmd *cmd)
{
    const struct fault_event ev = {
        .on = FAULT_ON_COMMAND, .ctrl = f->ctrl, .cmd = cmd,
    };
    GPtrArray *fired = fault_event_seen(f, &ev);
    struct fault_rule *slow = fault_dma_slows(f);
    struct fault_cmd *fc;
    unsigned n = slow != NULL;

    for (unsigned i = 0; fired && i < fired->len; i++) {
        const struct fault_rule *r = g_ptr_array_index(fired, i);

        n += r->actions ? r->actions->len : 0;
    }
    if (!fired && !slow) {
        return;
    }
    fc = g_malloc0(sizeof(*fc) + n * sizeof(fc->fired[0]));
    if (slow) {
        fc->fired[fc->n++] = (struct fault_fired){
            .rule = slow, .action = &fault_dma_slowed,
        };
    }
    for (unsigned i = 0; fired && i < fired->len; i++) {
        struct fault_rule *r = g_ptr_array_index(fired, i);

        for (unsigned k = 0; r->actions && k < r->actions->len; k++) {
            const struct fault_action *a =
                &g_array_index(r->actions, struct fault_action, k);

            if (a->row->fetched) {
                a->row->fetched(a->args, cmd);
            }
            if (hooks_is_cmd_action(a->row)) {
                fc->fired[fc->n++] = (struct fault_fired){
                    .rule = fault_rule_ref(r), .action = a,
                };
            }
        }
    }
    if (fired) {
        g_ptr_array_unref(fired);
    }
    if (fc->n) {
        cmd->fault = fc;
    } else {
        g_free(fc);
    }
}

/* Most rules are about few kinds of commands: the others pay a look at a bit,
 * and no lock. */
static void hooks_fetched(void *opaque, struct envme_cmd *cmd)
{
    struct envme_faults *f = opaque;
    uint8_t opc = cmd->sqe.opc;

    if (atomic_load_explicit(&f->looks[cmd->is_admin][opc / 64],
                             memory_order_relaxed) >> opc % 64 & 1) {
        hooks_look_at(f, cmd);
    }
}

/* The rows of what has fired on a command, which have this callback. */
#define HOOKS_EACH(cmd, callback, it)                                         \
    for (struct fault_fired *it = ((struct fault_cmd *)(cmd)->fault)->fired; \
         it < ((struct fault_cmd *)(cmd)->fault)->fired +                   \
              ((struct fault_cmd *)(cmd)->fault)->n; it++)                  \
        if (it->action->row->callback)

static bool hooks_pre(void *opaque, struct envme_cmd *cmd,
                      struct envme_status *st)
{
    (void)opaque;
    HOOKS_EACH(cmd, pre, it) {
        if (!it->action->row->pre(it->action->args, it, cmd, st)) {
            return false;
        }
    }
    return true;
}

static void hooks_ended(void *opaque, struct envme_cmd *cmd,
                        struct envme_status st)
{
    (void)opaque;
    HOOKS_EACH(cmd, ended, it) {
        if (!it->done) {
            it->done = true;
            it->action->row->ended(it->action->args, it, cmd, st);
        }
    }
    HOOKS_EACH(cmd, ended_last, it) {
        if (!it->done) {
            it->done = true;
            it->action->row->ended_last(it->action->args, it, cmd, st);
        }
    }
}

static struct envme_status hooks_post(void *opaque, struct envme_cmd *cmd,
                                      struct envme_status st)
{
    (void)opaque;
    HOOKS_EACH(cmd, post, it) {
        st = it->action->row->post(it->action->args, cmd, st);
    }
    return st;
}

static enum envme_post_when hooks_may_post(void *opaque,
                                           struct envme_cmd *cmd,
                                           uint64_t *until)
{
    (void)opaque;
    HOOKS_EACH(cmd, keep, it) {
        if (it->action->row->keep(it->action->args, it, cmd, until)) {
            return ENVME_POST_LATER;
        }
    }
    HOOKS_EACH(cmd, may_post, it) {
        if (!it->action->row->may_post(it->action->args, cmd)) {
            return ENVME_POST_NEVER;
        }
    }
    return ENVME_POST_NOW;
}

struct fault_fired *fault_fired_of(const struct envme_cmd *cmd,
                                   const void *args)
{
    struct fault_cmd *fc = cmd->fault;

    for (unsigned i = 0; i < fc->n; i++) {
        if (fc->fired[i].action->args == args) {
            return &fc->fired[i];
        }
    }
    return NULL;
}

static enum envme_cqe_how hooks_cqe(void *opaque, struct envme_cmd *cmd,
                                    struct envme_cqe *cqe)
{
    enum envme_cqe_how how = ENVME_CQE_POST;

    (void)opaque;
    HOOKS_EACH(cmd, cqe, it) {
        enum envme_cqe_how h = it->action->row->cqe(it->action->args, cmd,
                                                    cqe);

        how = h == ENVME_CQE_POST ? how : h;
    }
    return how;
}

static void hooks_gone(void *opaque, struct envme_cmd *cmd)
{
    struct fault_cmd *fc = cmd->fault;

    (void)opaque;
    for (unsigned i = 0; i < fc->n; i++) {
        struct fault_fired *it = &fc->fired[i];

        if (it->action->row->gone) {
            it->action->row->gone(it, cmd);
        }
        fault_rule_unref(it->rule);
    }
    g_free(fc);
}

static uint64_t hooks_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
}

/* An override of a register that the access touches, wherever it begins. */
static uint64_t hooks_override(const struct fault_override *o, uint64_t off,
                               unsigned size, uint64_t val)
{
    uint64_t set = o->set, clear = o->clear;

    if (o->reg >= off + size || off >= o->reg + 8) {
        return val;
    }
    if (off >= o->reg) {
        set >>= (off - o->reg) * 8;
        clear >>= (off - o->reg) * 8;
    } else {
        set <<= (o->reg - off) * 8;
        clear <<= (o->reg - off) * 8;
    }
    return ((val & ~clear) | set) & hooks_mask(size);
}

static uint64_t hooks_reg_read(void *opaque, uint64_t off, unsigned size,
                               uint64_t val)
{
    struct envme_faults *f = opaque;
    const struct fault_event ev = {
        .on = FAULT_ON_REGISTER, .ctrl = f->ctrl, .reg = off, .value = val,
    };
    struct fault_change c = { .value = val };

    fault_change_of(fault_event_seen(f, &ev), &ev, &c);
    g_mutex_lock(&f->lock);
    for (unsigned i = 0; i < f->overrides->len; i++) {
        c.value = hooks_override(&g_array_index(f->overrides,
                                                struct fault_override, i),
                                 off, size, c.value);
    }
    g_mutex_unlock(&f->lock);
    return c.value & hooks_mask(size);
}

static bool hooks_reg_write(void *opaque, uint64_t off, unsigned size,
                            uint64_t *val)
{
    struct envme_faults *f = opaque;
    const struct fault_event ev = {
        .on = FAULT_ON_REGISTER, .ctrl = f->ctrl, .reg = off, .value = *val,
        .is_write = true,
    };
    struct fault_change c = { .value = *val };

    fault_change_of(fault_event_seen(f, &ev), &ev, &c);
    *val = c.value & hooks_mask(size);
    return !c.lost;
}

static bool hooks_doorbell(void *opaque, unsigned qid, bool is_cq,
                           uint32_t *val)
{
    struct envme_faults *f = opaque;
    const struct fault_event ev = {
        .on = FAULT_ON_DOORBELL, .ctrl = f->ctrl, .value = *val, .qid = qid,
        .is_cq = is_cq, .is_write = true,
    };
    struct fault_change c = { .value = *val };

    fault_change_of(fault_event_seen(f, &ev), &ev, &c);
    *val = c.value;
    return !c.lost && !(c.delay && fault_late_doorbell(f, qid, is_cq, c.value,
                                                       c.delay));
}

static enum envme_irq_how hooks_signal(void *opaque, struct envme_cq *cq,
                                       unsigned *vector)
{
    struct envme_faults *f = opaque;
    const struct fault_event ev = {
        .on = FAULT_ON_INTERRUPT, .ctrl = f->ctrl, .qid = cq->id,
        .vector = *vector,
    };
    struct fault_change c = { .vector = *vector, .how = ENVME_IRQ_RAISE };

    fault_change_of(fault_event_seen(f, &ev), &ev, &c);
    *vector = ENVME_MIN(c.vector, f->ctrl->params.nvectors - 1u);
    if (c.delay && c.how != ENVME_IRQ_LOST &&
        fault_late_irq(f, cq, *vector, c.delay)) {
        return ENVME_IRQ_LOST;
    }
    return c.how;
}

static bool hooks_stalled(void *opaque, unsigned qid)
{
    return fault_stalled(opaque, qid);
}

/* Before what rules do at that reset: that lasts until the next one. */
static void hooks_end_with_reset(struct envme_faults *f)
{
    fault_late_end(f, FAULT_LATE_RESET);
    g_mutex_lock(&f->lock);
    for (unsigned i = 0; f->set && i < f->set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(f->set->rules, i);

        if (r->until_reset) {
            r->is_armed = false;
        }
    }
    for (unsigned i = 0; i < f->overrides->len; i++) {
        if (g_array_index(f->overrides, struct fault_override,
                          i).until_reset) {
            g_array_remove_index(f->overrides, i--);
        }
    }
    fault_update_watch(f);
    g_mutex_unlock(&f->lock);
    fault_effects_end(f, true);
}

static void hooks_state(void *opaque, enum envme_ctrl_state state)
{
    struct envme_faults *f = opaque;
    const struct fault_event ev = {
        .on = FAULT_ON_STATE, .ctrl = f->ctrl, .state = 1u << state,
    };
    GPtrArray *fired = fault_event_seen(f, &ev);

    if (fired) {
        g_ptr_array_unref(fired);
    }
    if (state == ENVME_STATE_RESET) {
        hooks_end_with_reset(f);
    }
    /* What a rule asks for at a state is there before the host can look. */
    fault_run_todo(f);
}

void fault_hook(struct envme_faults *f)
{
    f->ctrl->hooks = (struct envme_hooks){
        .opaque = f, .fetched = hooks_fetched, .pre = hooks_pre,
        .ended = hooks_ended, .post = hooks_post,
        .may_post = hooks_may_post, .cqe = hooks_cqe, .gone = hooks_gone,
        .reg_read = hooks_reg_read, .reg_write = hooks_reg_write,
        .doorbell = hooks_doorbell, .state = hooks_state,
        .signal = hooks_signal, .stalled = hooks_stalled,
    };
}
