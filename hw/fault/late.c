/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes later: doorbell writes and interrupts that are held back, and
 * what lasts for a time. The list is bounded: what a rule holds back there is
 * no room for is not held back.
 */
#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/pause.h"
#include "hw/ctrl/queue-fault.h"
#include "hw/fault/rules.h"

#define LATE_MAX 4096u

/* ---- the list ---------------------------------------------------------- */

void *fault_late_new(struct envme_faults *f,
                     const struct fault_late_kind *kind, uint64_t delay)
{
    struct fault_late *l = g_malloc0(kind->size);

    l->kind = kind;
    l->f = f;
    l->at = fault_after(envme_now(f->ctrl), delay);
    return l;
}

/* Behind those of the same time: they stay in their order. Under the lock. */
static void late_insert(struct envme_faults *f, struct fault_late *l)
{
    GList *it = f->lates.tail;

    while (it && ((struct fault_late *)it->data)->at > l->at) {
        it = it->prev;
    }
    if (it) {
        g_queue_insert_after(&f->lates, it, l);
    } else {
        g_queue_push_head(&f->lates, l);
    }
}

bool fault_late_add(struct fault_late *l)
{
    struct envme_faults *f = l->f;
    bool room;

    g_mutex_lock(&f->lock);
    room = l->is_charged || g_queue_get_length(&f->lates) < LATE_MAX;
    if (room) {
        late_insert(f, l);
    }
    g_mutex_unlock(&f->lock);
    if (!room) {
        g_free(l);
        return false;
    }
    fault_look_again(f);
    return true;
}

uint64_t fault_late_next(struct envme_faults *f)
{
    const struct fault_late *l = g_queue_peek_head(&f->lates);

    return l ? l->at : UINT64_MAX;
}

unsigned fault_late_watch(struct envme_faults *f)
{
    unsigned w = f->lates.length ? ENVME_WATCH_STATE : 0;

    for (GList *it = f->lates.head; it; it = it->next) {
        w |= ((const struct fault_late *)it->data)->kind->watch;
    }
    return w;
}

static void late_over(struct fault_late *l)
{
    if (l->kind->over) {
        l->kind->over(l);
    }
    g_free(l);
}

static struct fault_late *late_take_due(struct envme_faults *f, uint64_t now)
{
    struct fault_late *l;

    g_mutex_lock(&f->lock);
    l = g_queue_peek_head(&f->lates);
    if (l && l->at <= now) {
        g_queue_pop_head(&f->lates);
    } else {
        l = NULL;
    }
    g_mutex_unlock(&f->lock);
    return l;
}

void fault_late_run(struct envme_faults *f)
{
    uint64_t now = envme_now(f->ctrl);
    struct fault_late *l;
    bool changed = false;

    while (!f->dead && (l = late_take_due(f, now))) {
        if (l->kind->due && l->kind->due(l)) {
            g_assert(l->at > now);
            g_mutex_lock(&f->lock);
            late_insert(f, l);
            g_mutex_unlock(&f->lock);
        } else {
            late_over(l);
            changed = true;
        }
    }
    if (changed) {
        fault_look_again(f);
    }
}

static bool late_ends(const struct fault_late *l, enum fault_late_end why)
{
    return why == FAULT_LATE_RESET ? !l->past_reset
           : why == FAULT_LATE_RULES ? !l->past_rules : true;
}

void fault_late_end(struct envme_faults *f, enum fault_late_end why)
{
    GQueue gone = G_QUEUE_INIT;
    struct fault_late *l;

    if (why != FAULT_LATE_RESET) {
        atomic_fetch_add(&f->late_round, 1);
    }
    g_mutex_lock(&f->lock);
    for (GList *it = f->lates.head, *next; it; it = next) {
        next = it->next;
        if (late_ends(it->data, why)) {
            g_queue_unlink(&f->lates, it);
            g_queue_push_tail_link(&gone, it);
        }
    }
    g_mutex_unlock(&f->lock);
    if (g_queue_is_empty(&gone)) {
        return;
    }
    while ((l = g_queue_pop_head(&gone))) {
        late_over(l);
    }
    fault_look_again(f);
}

/* ---- with the lanes parked --------------------------------------------- */

struct late_job {
    struct envme_faults *f;     /* counted */
    void (*fn)(struct fault_late *l);
    struct fault_late *l;       /* the copy */
};

static void late_run_job(struct envme_ctrl *ctrl, void *arg)
{
    struct late_job *job = arg;

    if (!job->f->dead) {
        job->fn(job->l);
    }
    envme_resume(ctrl);
    fault_faults_unref(job->f);
    g_free(job->l);
    g_free(job);
}

void fault_late_parked(struct fault_late *l, void (*fn)(struct fault_late *l))
{
    struct late_job *job = g_new(struct late_job, 1);

    *job = (struct late_job){
        .f = fault_faults_ref(l->f), .fn = fn,
        .l = g_memdup2(l, l->kind->size),
    };
    envme_pause(l->f->ctrl, false, NULL, late_run_job, job);
}

/* ---- doorbells --------------------------------------------------------- */

struct late_doorbell {
    struct fault_late late;
    unsigned qid;
    bool is_cq;
    uint32_t val;
    uint32_t before;            /* what the register had; under the lock */
};

static const struct fault_late_kind late_doorbells;

/* It is what those that wait behind it have found there. */
static void late_doorbell_chain(const struct late_doorbell *d)
{
    struct envme_faults *f = d->late.f;

    g_mutex_lock(&f->lock);
    for (GList *it = f->lates.head; it; it = it->next) {
        struct late_doorbell *o = it->data;

        if (o->late.kind == &late_doorbells && o->qid == d->qid &&
            o->is_cq == d->is_cq && o->before == d->before) {
            o->before = d->val;
        }
    }
    g_mutex_unlock(&f->lock);
}

static bool late_doorbell_due(struct fault_late *l)
{
    const struct late_doorbell *d = (const struct late_doorbell *)l;
    struct envme_ctrl *ctrl = l->f->ctrl;

    /* Another write has come since: its value is the newer one. */
    if (ctrl->life == ENVME_LIFE_READY &&
        envme_doorbell_value(envme_doorbell_slot(ctrl, d->qid, d->is_cq)) ==
        d->before) {
        late_doorbell_chain(d);
        envme_doorbell_late(ctrl, d->qid, d->is_cq, d->val);
    }
    return false;
}

static const struct fault_late_kind late_doorbells = {
    .size = sizeof(struct late_doorbell), .due = late_doorbell_due,
};

bool fault_late_doorbell(struct envme_faults *f, unsigned qid, bool is_cq,
                         uint32_t val, uint64_t delay)
{
    struct late_doorbell *d;

    if (delay == UINT64_MAX) {
        return true;
    }
    d = fault_late_new(f, &late_doorbells, delay);
    d->late.past_rules = true;
    d->qid = qid;
    d->is_cq = is_cq;
    d->val = val;
    /* There is a slot: the write has found the queue. */
    d->before = envme_doorbell_value(envme_doorbell_slot(f->ctrl, qid, is_cq));
    return fault_late_add(&d->late);
}

/* ---- interrupts -------------------------------------------------------- */

struct late_irq {
    struct fault_late late;
    unsigned cqid, vector;
};

static void late_irq_signal(struct fault_late *l)
{
    const struct late_irq *i = (const struct late_irq *)l;
    struct envme_cq *cq = envme_cq_get(l->f->ctrl, i->cqid);

    if (cq) {
        envme_cq_signal_late(cq, i->vector);
    }
}

static bool late_irq_due(struct fault_late *l)
{
    if (l->f->ctrl->life == ENVME_LIFE_READY) {
        fault_late_parked(l, late_irq_signal);
    }
    return false;
}

static const struct fault_late_kind late_irqs = {
    .size = sizeof(struct late_irq), .due = late_irq_due,
};

bool fault_late_irq(struct envme_faults *f, const struct envme_cq *cq,
                    unsigned vector, uint64_t delay)
{
    struct late_irq *i;

    if (delay == UINT64_MAX) {
        return true;
    }
    i = fault_late_new(f, &late_irqs, delay);
    i->late.past_rules = true;
    i->cqid = cq->id;
    i->vector = vector;
    return fault_late_add(&i->late);
}
