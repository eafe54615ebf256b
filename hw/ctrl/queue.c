/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "envme/feat.h"
#include "hw/core/prp.h"
#include "hw/ctrl/cmd.h"
#include "hw/ctrl/cmem.h"
#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/errlog.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/pace.h"
#include "hw/ctrl/pause.h"

#define SQE_SHIFT 6
#define CQE_SHIFT 4

struct envme_sq *envme_sq_get(const struct envme_ctrl *ctrl, uint32_t id)
{
    return id < ctrl->nsq_alloc ? ctrl->sq[id] : NULL;
}

struct envme_cq *envme_cq_get(const struct envme_ctrl *ctrl, uint32_t id)
{
    return id < ctrl->ncq_alloc ? ctrl->cq[id] : NULL;
}

/* ---- memory ------------------------------------------------------------ */

static uint64_t qmem_addr(const struct envme_qmem *m, uint32_t index)
{
    uint64_t off = (uint64_t)index << m->shift;

    return m->pages ? m->pages[off / m->page] + off % m->page : m->addr + off;
}

/*
 * Is the queue's memory fit for use? With Bus Master off nobody can tell, and
 * it is taken as it is. *plain: not another device's registers.
 */
static struct envme_status qmem_probe(struct envme_ctrl *ctrl,
                                      const struct envme_qmem *m,
                                      uint32_t size, bool is_write,
                                      bool *plain)
{
    const struct envme_dma *dma = &ctrl->ports.dma;
    uint32_t ends[2] = { 0, size - 1 };

    *plain = true;
    for (unsigned i = 0; i < 2; i++) {
        size_t n = (size_t)1 << m->shift;
        int err = 0;
        void *p = dma->map(dma->opaque, qmem_addr(m, ends[i]), &n, is_write,
                           &err);

        if (p) {
            dma->unmap(dma->opaque, p, n, false);
        } else if (err == -ENXIO || err == -EAGAIN) {
            *plain = false;
        } else if (err != -EBUSY) {
            return ENVME_ST(DATA_XFER_ERROR);
        }
    }
    return ENVME_ST(SUCCESS);
}

static struct envme_status qmem_list(struct envme_ctrl *ctrl,
                                     struct envme_qmem *m, uint64_t prp1,
                                     uint32_t size)
{
    uint64_t bytes = (uint64_t)size << m->shift;
    uint64_t npages = (bytes + m->page - 1) / m->page;
    struct envme_walk w = {
        .read = ctrl->ports.dma.read, .opaque = ctrl->ports.dma.opaque,
        .page = m->page,
    };
    struct envme_cmem_lists lists = { .ctrl = ctrl };
    struct envme_status st;
    struct envme_sg sg;
    uint64_t n = 0;

    if (ctrl->cmem) {
        lists.sq_in_cmb = ctrl->sq[0]->in_cmb;
        w.read = envme_cmem_read_list;
        w.opaque = &lists;
    }
    envme_sg_init(&sg, npages);
    st = envme_prp_list_map(&w, prp1, npages, &sg);
    st = envme_st_err(lists.st) ? lists.st : st;
    if (envme_st_ok(st)) {
        m->pages = g_new(uint64_t, npages);
        for (unsigned i = 0; i < sg.n; i++) {
            for (uint64_t o = 0; o < sg.seg[i].len; o += m->page) {
                m->pages[n++] = sg.seg[i].addr + o;
            }
        }
        assert(n == npages);
    }
    envme_sg_free(&sg);
    return st;
}

static struct envme_status qmem_init(struct envme_ctrl *ctrl,
                                     struct envme_qmem *m, uint64_t prp1,
                                     uint32_t size, bool pc, uint8_t shift,
                                     bool is_write, bool *plain, bool *in_cmb)
{
    uint32_t align = ctrl->page_size;
    struct envme_status st;
    unsigned in = ENVME_IN_HOST;

    *m = (struct envme_qmem){
        .addr = prp1, .page = ctrl->page_size, .shift = shift,
    };
    if (ctrl->cmem && pc) {
        align = envme_cmem_queue_align(ctrl, prp1);
    }
    if (prp1 & (align - 1)) {
        return ENVME_ST(PRP_OFFSET_INVALID);
    }
    if (prp1 > UINT64_MAX - ((uint64_t)size << shift)) {
        return ENVME_ST(DATA_XFER_ERROR);
    }
    if (!pc) {
        st = qmem_list(ctrl, m, prp1, size);
        if (envme_st_err(st)) {
            return st;
        }
    }
    st = ctrl->cmem ? envme_cmem_check_queue(ctrl, m, size, is_write, &in)
                    : ENVME_ST(SUCCESS);
    *in_cmb = in & ENVME_IN_CMB;
    if (!envme_st_err(st)) {
        st = qmem_probe(ctrl, m, size, is_write, plain);
    }
    if (envme_st_err(st)) {
        g_free(m->pages);
        m->pages = NULL;
    }
    return st;
}

/* ---- interrupts -------------------------------------------------------- */

void envme_cq_watch_pin(struct envme_cq *cq)
{
    const struct envme_irq *irq = &cq->lane->ctrl->ports.irq;

    if (cq->raised && cq->shadow.on && irq->is_level &&
        irq->is_level(irq->opaque)) {
        envme_shadow_arm_cq(cq);
    }
}

/* A fault: lost, twice, or on another vector (which has no level then). True:
 * nothing is left to do. */
static bool cq_signal_wrong(struct envme_cq *cq)
{
    const struct envme_ctrl *ctrl = cq->lane->ctrl;
    const struct envme_irq *irq = &ctrl->ports.irq;
    unsigned vector = cq->vector;

    switch (ctrl->hooks.signal(ctrl->hooks.opaque, cq, &vector)) {
    case ENVME_IRQ_LOST:
        return true;
    case ENVME_IRQ_TWICE:
        irq->pulse(irq->opaque, vector);
        break;
    case ENVME_IRQ_RAISE:
        break;
    }
    if (vector == cq->vector) {
        return false;
    }
    irq->pulse(irq->opaque, vector);
    return true;
}

static void cq_signal(struct envme_cq *cq)
{
    const struct envme_ctrl *ctrl = cq->lane->ctrl;
    const struct envme_irq *irq = &ctrl->ports.irq;

    if (atomic_load_explicit(&ctrl->watch, memory_order_relaxed) &
        ENVME_WATCH_IRQ && cq_signal_wrong(cq)) {
        return;
    }
    if (!cq->raised) {
        cq->raised = true;
        irq->raise(irq->opaque, cq->vector);
    } else {
        irq->pulse(irq->opaque, cq->vector);
    }
    envme_cq_watch_pin(cq);
}

static struct envme_cq *cq_of_deadline(struct envme_deadline *d)
{
    return (struct envme_cq *)((char *)d - offsetof(struct envme_cq, due));
}

static void cq_signal_due(struct envme_deadline *d)
{
    struct envme_cq *cq = cq_of_deadline(d);

    if (envme_coalesce_due(&cq->coal, envme_now(cq->lane->ctrl))) {
        cq_signal(cq);
    }
}

/* Before others may touch the lane's queues: nothing is put off any more. */
void envme_lane_signal_all(struct envme_lane *lane)
{
    const struct envme_deadlines *h = &lane->deadlines;
    uint32_t i = 0;

    while (i < h->n) {
        struct envme_deadline *d = h->node[i];

        if (d->fn == cq_signal_due) {
            struct envme_cq *cq = cq_of_deadline(d);

            envme_lane_not_at(lane, d);
            if (envme_coalesce_flush(&cq->coal)) {
                cq_signal(cq);
            }
            i = 0;
        } else {
            i++;
        }
    }
}

/* ---- create and delete ------------------------------------------------- */

static void *queue_array_grow(void *array, unsigned *alloc, uint32_t id)
{
    unsigned n = *alloc;

    if (id < n) {
        return array;
    }
    n = ENVME_MAX(id + 1, n + n / 2);
    n = ENVME_MIN(ENVME_MAX(n, 8), 65536u);
    array = g_realloc_n(array, n, sizeof(void *));
    memset((void **)array + *alloc, 0, (n - *alloc) * sizeof(void *));
    *alloc = n;
    return array;
}

/* SQs of one CQ share its lane. Weighted round robin is defined over all SQs
 * of a controller, so then one lane has them all. */
static struct envme_lane *queue_lane(struct envme_ctrl *ctrl, uint16_t cqid,
                                     bool plain)
{
    if (cqid == 0 || ctrl->nlanes == 1 || !plain) {
        return &ctrl->lane[0];
    }
    return &ctrl->lane[1 + (cqid - 1) % ctrl->io_lanes];
}

struct envme_status envme_cq_create(struct envme_ctrl *ctrl, uint16_t id,
                                    uint64_t prp1, uint32_t size, bool pc,
                                    bool ien, uint16_t vector)
{
    struct envme_cq *cq = g_new0(struct envme_cq, 1);
    struct envme_status st;
    bool plain, in_cmb;

    st = qmem_init(ctrl, &cq->mem, prp1, size, pc, CQE_SHIFT, true, &plain,
                   &in_cmb);
    if (envme_st_err(st)) {
        g_free(cq);
        return st;
    }
    envme_cring_init(&cq->ring, size);
    envme_coalesce_init(&cq->coal);
    cq->due.fn = cq_signal_due;
    cq->id = id;
    cq->ien = ien;
    cq->vector = vector;
    cq->lane = queue_lane(ctrl, id, plain);
    cq->db = envme_doorbell_slot(ctrl, id, true);
    ctrl->cq = queue_array_grow(ctrl->cq, &ctrl->ncq_alloc, id);
    ctrl->cq[id] = cq;
    ctrl->ncq += id != 0;
    envme_shadow_attach_cq(ctrl, cq);
    envme_doorbell_open(ctrl, cq->db, cq, size, cq->lane->index);
    return st;
}

struct envme_status envme_sq_create(struct envme_ctrl *ctrl, uint16_t id,
                                    uint64_t prp1, uint32_t size, bool pc,
                                    enum envme_prio prio, struct envme_cq *cq)
{
    struct envme_sq *sq = g_new0(struct envme_sq, 1);
    struct envme_status st;
    bool plain;

    st = qmem_init(ctrl, &sq->mem, prp1, size, pc, SQE_SHIFT, false, &plain,
                   &sq->in_cmb);
    if (!envme_st_err(st) && !plain && cq->lane->index) {
        /* Another device's registers are lane 0's, and this CQ isn't. */
        g_free(sq->mem.pages);
        st = ENVME_ST(INVALID_FIELD);
    }
    if (envme_st_err(st)) {
        g_free(sq);
        return st;
    }
    envme_ring_init(&sq->ring, size);
    sq->id = id;
    sq->cq = cq;
    sq->node.prio = prio;
    g_queue_init(&sq->inflight);
    cq->nsq++;
    sq->db = envme_doorbell_slot(ctrl, id, false);
    ctrl->sq = queue_array_grow(ctrl->sq, &ctrl->nsq_alloc, id);
    ctrl->sq[id] = sq;
    ctrl->nsq += id != 0;
    envme_shadow_attach_sq(ctrl, sq);
    envme_doorbell_open(ctrl, sq->db, sq, size, cq->lane->index);
    return st;
}

void envme_sq_delete(struct envme_ctrl *ctrl, struct envme_sq *sq)
{
    struct envme_sq **p;

    assert(g_queue_is_empty(&sq->inflight));
    envme_doorbell_close(ctrl, sq->db);
    envme_arb_unready(&sq->cq->lane->arb, &sq->node);
    for (p = &sq->cq->corked; *p; p = &(*p)->cork_next) {
        if (*p == sq) {
            *p = sq->cork_next;
            break;
        }
    }
    sq->cq->nsq--;
    ctrl->sq[sq->id] = NULL;
    ctrl->nsq -= sq->id != 0;
    g_free(sq->aborts);
    envme_age_free(&sq->ages);
    g_free(sq->mem.pages);
    g_free(sq);
}

void envme_cq_delete(struct envme_ctrl *ctrl, struct envme_cq *cq)
{
    struct envme_cq **p;

    assert(cq->nsq == 0);
    envme_doorbell_close(ctrl, cq->db);
    assert(!cq->due.slot);      /* see envme_lane_signal_all() */
    for (p = &cq->lane->batch; *p; p = &(*p)->batch_next) {
        if (*p == cq) {
            *p = cq->batch_next;
            break;
        }
    }
    if (cq->raised) {
        ctrl->ports.irq.lower(ctrl->ports.irq.opaque, cq->vector);
    }
    ctrl->cq[cq->id] = NULL;
    ctrl->ncq -= cq->id != 0;
    g_free(cq->mem.pages);
    g_free(cq);
}

void envme_queues_destroy(struct envme_ctrl *ctrl)
{
    for (unsigned i = 0; i < ctrl->nsq_alloc; i++) {
        if (ctrl->sq[i]) {
            envme_sq_delete(ctrl, ctrl->sq[i]);
        }
    }
    for (unsigned i = 0; i < ctrl->ncq_alloc; i++) {
        if (ctrl->cq[i]) {
            envme_cq_delete(ctrl, ctrl->cq[i]);
        }
    }
    g_free(ctrl->sq);
    g_free(ctrl->cq);
    ctrl->sq = NULL;
    ctrl->cq = NULL;
    ctrl->nsq_alloc = ctrl->ncq_alloc = 0;
}

/* ---- delete with commands in flight ------------------------------------ */

static void sq_delete_parked(struct envme_ctrl *ctrl, void *arg)
{
    struct envme_cmd *cmd = arg;
    struct envme_sq *sq = *ENVME_CMD_STATE(cmd, struct envme_sq *);

    cmd->paused = true;
    envme_sq_delete(ctrl, sq);
    envme_cmd_done(cmd, ENVME_ST(SUCCESS));
}

/* Lane 0: the last command of the queue has ended. */
static void sq_delete_drained(void *arg)
{
    struct envme_cmd *cmd = arg;
    struct envme_ctrl *ctrl = cmd->ctrl;

    if (ctrl->life != ENVME_LIFE_READY) {
        envme_cmd_done(cmd, ENVME_ST(ABORT_REQUESTED));
        return;
    }
    envme_lane_leave(cmd, ENVME_CMD_WAITING);
    envme_pause(ctrl, false, cmd, sq_delete_parked, cmd);
}

static void sq_check_drained(struct envme_sq *sq)
{
    if (sq->deleter && g_queue_is_empty(&sq->inflight)) {
        struct envme_cmd *cmd = sq->deleter;

        sq->deleter = NULL;
        envme_defer(cmd->ctrl, 0, sq_delete_drained, cmd);
    }
}

/* The queue's lane. */
static void sq_delete_on_lane(void *arg)
{
    struct envme_cmd *cmd = arg;
    struct envme_sq *sq = *ENVME_CMD_STATE(cmd, struct envme_sq *);

    sq->deleter = cmd;
    envme_arb_unready(&sq->cq->lane->arb, &sq->node);
    envme_sq_cancel(sq);
    sq_check_drained(sq);
}

struct envme_status envme_sq_delete_start(struct envme_cmd *cmd,
                                          struct envme_sq *sq)
{
    if (atomic_exchange(&sq->deleting, true)) {
        return ENVME_ST(QID_INVALID);
    }
    *ENVME_CMD_STATE(cmd, struct envme_sq *) = sq;
    envme_defer(cmd->ctrl, sq->cq->lane->index, sq_delete_on_lane, cmd);
    return ENVME_ST_PENDING;
}

/* ---- abort ------------------------------------------------------------- */

struct abort_state {
    struct envme_sq *sq;
    uint16_t cid;
};

void envme_abort_answer(void *arg)
{
    envme_cmd_done(arg, ENVME_ST(SUCCESS));
}

/* Not fetched yet: looked for in the host's memory, and marked, so that the
 * fetch ends it. The host may not change entries that it has submitted. */
static bool sq_abort_unfetched(struct envme_sq *sq, uint16_t cid,
                               struct envme_cmd *abort)
{
    const struct envme_dma *dma = &abort->ctrl->ports.dma;
    uint32_t i;

    if (sq->naborts == ENVME_SQ_ABORTS) {
        return false;
    }
    if (!sq->aborts) {
        sq->aborts = g_new0(struct envme_sq_abort, ENVME_SQ_ABORTS);
    }
    for (i = sq->ring.head; i != sq->ring.tail;
         i = envme_ring_next(&sq->ring, i)) {
        struct envme_sqe sqe;

        if (dma->read(dma->opaque, qmem_addr(&sq->mem, i), &sqe,
                      sizeof(sqe))) {
            return false;
        }
        if (le16_get(sqe.cid) == cid) {
            sq->aborts[sq->naborts].index = i;
            sq->aborts[sq->naborts].cid = cid;
            sq->aborts[sq->naborts++].abort = abort;
            return true;
        }
    }
    return false;
}

/* The queue's lane. */
static void sq_abort_on_lane(void *arg)
{
    struct envme_cmd *abort = arg;
    struct abort_state *s = ENVME_CMD_STATE(abort, struct abort_state);

    for (GList *l = s->sq->inflight.head; l; l = l->next) {
        struct envme_cmd *cmd = l->data;

        if (cmd == abort || le16_get(cmd->sqe.cid) != s->cid ||
            cmd->aborter || cmd->state == ENVME_CMD_PARKED) {
            continue;
        }
        cmd->aborter = abort;
        atomic_store(&cmd->aborted, true);
        envme_cmd_cancel(cmd);
        return;
    }
    if (!s->sq->deleting && sq_abort_unfetched(s->sq, s->cid, abort)) {
        return;
    }
    abort->dw0 = 1;             /* not aborted: not found */
    envme_defer(abort->ctrl, 0, envme_abort_answer, abort);
}

struct envme_status envme_sq_abort(struct envme_cmd *cmd, struct envme_sq *sq,
                                   uint16_t cid)
{
    struct abort_state *s = ENVME_CMD_STATE(cmd, struct abort_state);

    s->sq = sq;
    s->cid = cid;
    envme_defer(cmd->ctrl, sq->cq->lane->index, sq_abort_on_lane, cmd);
    return ENVME_ST_PENDING;
}

/* The command just fetched: does an Abort want it? */
static struct envme_cmd *sq_take_abort(struct envme_sq *sq, uint32_t index,
                                       uint16_t cid)
{
    for (unsigned i = 0; i < sq->naborts; i++) {
        if (sq->aborts[i].index == index && sq->aborts[i].cid == cid) {
            struct envme_cmd *abort = sq->aborts[i].abort;

            sq->aborts[i] = sq->aborts[--sq->naborts];
            return abort;
        }
    }
    return NULL;
}

void envme_sq_cancel(struct envme_sq *sq)
{
    struct envme_cmd *first = sq->fused;

    if (first) {
        /* Its second half will not be fetched any more. */
        sq->fused = NULL;
        first->aborted = true;
        envme_cmd_start(first);
    }
    if (sq->second_slot) {
        sq->second_slot = false;
        envme_cring_unreserve(&sq->cq->ring);
        envme_queue_uncork(sq->cq);
    }
    for (GList *l = sq->inflight.head; l; l = l->next) {
        envme_cmd_cancel(l->data);
    }
    while (sq->naborts) {
        struct envme_cmd *abort = sq->aborts[--sq->naborts].abort;

        abort->dw0 = 1;
        envme_defer(abort->ctrl, 0, envme_abort_answer, abort);
    }
}

/* ---- fetch ------------------------------------------------------------- */

static void queue_broken(void *arg)
{
    struct envme_ctrl *ctrl = arg;

    envme_ctrl_fatal(ctrl, "a queue's memory cannot be read or written");
}

static void queue_error(struct envme_ctrl *ctrl)
{
    atomic_store(&ctrl->stopped, true);
    envme_defer(ctrl, 0, queue_broken, ctrl);
}

static void sq_update_ready(struct envme_sq *sq)
{
    struct envme_arbiter *arb = &sq->cq->lane->arb;

    if (envme_ring_empty(&sq->ring) || sq->is_corked || sq->deleting) {
        envme_arb_unready(arb, &sq->node);
    } else {
        envme_arb_ready(arb, &sq->node);
    }
}

static void sq_cork(struct envme_sq *sq)
{
    sq->is_corked = true;
    sq->cork_next = sq->cq->corked;
    sq->cq->corked = sq;
    sq_update_ready(sq);
}

void envme_queue_uncork(struct envme_cq *cq)
{
    struct envme_sq *sq = cq->corked;

    cq->corked = NULL;
    while (sq) {
        struct envme_sq *next = sq->cork_next;

        sq->is_corked = false;
        sq_update_ready(sq);
        sq = next;
    }
}

static bool queue_reserve(struct envme_cq *cq)
{
    if (envme_cring_reserve(&cq->ring)) {
        return true;
    }
    if (cq->shadow.on) {
        envme_shadow_look_cq(cq);
        return envme_cring_reserve(&cq->ring);
    }
    return false;
}

static void queue_wait_for_slot(struct envme_sq *sq)
{
    sq_cork(sq);
    if (sq->cq->shadow.on) {
        envme_shadow_arm_cq(sq->cq);
    }
}

/*
 * The first of a fused pair takes a CQ slot for the second along: pairs that
 * held one slot each, and waited for another, would wait for each other. False:
 * there is none now. Nothing to keep: no second, or it would be the only slot.
 */
static bool queue_keep_second(struct envme_sq *sq, const struct envme_cmd *cmd,
                              bool *keep)
{
    *keep = false;
    if (!sq->cq->lane->ctrl->fuses || sq->id == 0 ||
        FIELD_GET(ENVME_FUSE, cmd->sqe.flags) != ENVME_FUSE_FIRST ||
        envme_ring_used(&sq->ring) < 2) {
        return true;
    }
    *keep = queue_reserve(sq->cq);
    return *keep || sq->second_slot || sq->cq->ring.ring.size <= 2;
}

/* Not fetched after all. */
static void queue_unfetch(struct envme_sq *sq, struct envme_cmd *cmd)
{
    if (!sq->second_slot) {
        envme_cring_unreserve(&sq->cq->ring);
    }
    cmd->state = ENVME_CMD_ENDED;
    envme_lane_put_cmd(cmd);
}

struct envme_cmd *envme_queue_fetch(struct envme_sq *sq)
{
    struct envme_lane *lane = sq->cq->lane;
    struct envme_ctrl *ctrl = lane->ctrl;
    const struct envme_dma *dma = &ctrl->ports.dma;
    struct envme_cmd *cmd;
    uint32_t index;
    bool keep;
    int err;

    if (!sq->second_slot && !queue_reserve(sq->cq)) {
        queue_wait_for_slot(sq);
        return NULL;
    }
    cmd = envme_lane_get_cmd(lane, sq->second_slot);
    if (!cmd) {
        envme_cring_unreserve(&sq->cq->ring);
        return NULL;
    }
    index = sq->ring.head;
    err = dma->read(dma->opaque, qmem_addr(&sq->mem, index), &cmd->sqe,
                    sizeof(cmd->sqe));
    if (err) {
        queue_unfetch(sq, cmd);
        if (err != -EBUSY) {
            envme_arb_unready(&lane->arb, &sq->node);
            queue_error(ctrl);
        }
        return NULL;
    }
    if (!queue_keep_second(sq, cmd, &keep)) {
        queue_unfetch(sq, cmd);
        queue_wait_for_slot(sq);
        return NULL;
    }
    sq->second_slot = keep;
    envme_ring_pop(&sq->ring);
    cmd->sq = sq;
    cmd->slot = true;
    cmd->is_admin = sq->id == 0;
    cmd->state = ENVME_CMD_ENDED;
    g_queue_push_tail_link(&sq->inflight, &cmd->link);
    if (lane->arb.mode == ENVME_ARB_VS) {
        envme_age_taken(&sq->ages, sq->ring.head);
        sq->node.since = envme_age_first(&sq->ages);
    }
    envme_arb_fetched(&lane->arb, &sq->node);
    if (sq->shadow.on && envme_ring_empty(&sq->ring)) {
        envme_shadow_look_sq(sq);
        if (envme_ring_empty(&sq->ring)) {
            envme_shadow_arm_sq(sq);
        }
    }
    sq_update_ready(sq);
    cmd->partner = NULL;
    cmd->aborter = sq->naborts ? sq_take_abort(sq, index,
                                               le16_get(cmd->sqe.cid)) : NULL;
    cmd->aborted = cmd->aborter != NULL;
    return cmd;
}

void envme_sq_set_tail(struct envme_sq *sq, uint32_t tail)
{
    struct envme_lane *lane = sq->cq->lane;

    if (!envme_ring_set_tail(&sq->ring, tail)) {
        return;
    }
    if (lane->arb.mode == ENVME_ARB_VS) {
        envme_age_add(&sq->ages, tail, ++lane->age);
        sq->node.since = envme_age_first(&sq->ages);
    }
    sq_update_ready(sq);
}

/* ---- post -------------------------------------------------------------- */

/*
 * The entry with its phase tag goes last, in one piece: a host on another
 * CPU that sees the tag sees the rest.
 */
static int cq_write(struct envme_ctrl *ctrl, uint64_t addr,
                    const struct envme_cqe *cqe)
{
    const struct envme_dma *dma = &ctrl->ports.dma;
    size_t n = sizeof(*cqe);
    int err = 0;
    uint8_t *p = dma->map(dma->opaque, addr, &n, true, &err);
    uint64_t tail;

    /* With CMBLOC.CQDA entries need not be aligned. */
    if (p && n == sizeof(*cqe) && (uintptr_t)p % sizeof(tail) == 0) {
        memcpy(p, cqe, 8);
        memcpy(&tail, (const uint8_t *)cqe + 8, 8);
        __atomic_store_n((uint64_t *)(void *)(p + 8), tail, __ATOMIC_RELEASE);
        dma->unmap(dma->opaque, p, n, true);
        return 0;
    }
    if (p) {
        dma->unmap(dma->opaque, p, n, false);
    } else if (err != -ENXIO) {
        return err;
    }
    return dma->write(dma->opaque, addr, cqe, sizeof(*cqe));
}

/* A fault: the phase tag is there, and the rest of the entry is not. */
static int cq_write_torn(struct envme_ctrl *ctrl, struct envme_cq *cq,
                         uint32_t index, const struct envme_cqe *cqe)
{
    const struct envme_dma *dma = &ctrl->ports.dma;

    return dma->write(dma->opaque, qmem_addr(&cq->mem, index) + 8,
                      (const uint8_t *)cqe + 8, 8);
}

/* A fault: the same entry a second time. The first one is out already. */
static int cq_write_again(struct envme_cq *cq, struct envme_cqe *cqe)
{
    struct envme_ctrl *ctrl = cq->lane->ctrl;
    struct envme_cring before = cq->ring;
    uint16_t sf = le16_get(cqe->sf) & ~1;
    uint32_t index;
    bool phase;

    if (!envme_cring_reserve(&cq->ring)) {
        return 0;
    }
    index = envme_cring_post(&cq->ring, &phase);
    cqe->sf = le16(sf | phase);
    if (cq_write(ctrl, qmem_addr(&cq->mem, index), cqe) == -EBUSY) {
        cq->ring = before;
    }
    return 0;
}

bool envme_queue_post(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_sq *sq = cmd->sq;
    struct envme_cq *cq = sq->cq;
    struct envme_cring before = cq->ring;
    struct envme_cqe cqe;
    enum envme_cqe_how how = ENVME_CQE_POST;
    uint32_t index;
    bool phase;
    int err;

    assert(cmd->slot);
    index = envme_cring_post(&cq->ring, &phase);
    cqe.dw0 = le32(cmd->dw0);
    cqe.dw1 = le32(cmd->dw1);
    cqe.sqhd = le16(sq->ring.head);
    cqe.sqid = le16(sq->id);
    cqe.cid = cmd->sqe.cid;
    cqe.sf = le16(cmd->status.sf << 1 | phase);
    if (cmd->fault && ctrl->hooks.cqe) {
        how = ctrl->hooks.cqe(ctrl->hooks.opaque, cmd, &cqe);
    }
    /* Whoever turns Bus Master off and sees no count can be sure. */
    atomic_fetch_add(&ctrl->nmapped, 1);
    err = how == ENVME_CQE_TORN ? cq_write_torn(ctrl, cq, index, &cqe)
                                : cq_write(ctrl, qmem_addr(&cq->mem, index),
                                           &cqe);
    if (!err && how == ENVME_CQE_TWICE) {
        err = cq_write_again(cq, &cqe);
    }
    atomic_fetch_sub(&ctrl->nmapped, 1);
    if (err == -EBUSY) {
        cq->ring = before;
        return false;
    }
    cmd->slot = false;
    if (err) {
        queue_error(ctrl);
    }
    cq->posted++;
    if (!cq->batch) {
        cq->batch = true;
        cq->batch_next = cq->lane->batch;
        cq->lane->batch = cq;
        if (!cq->lane->running) {
            envme_kick(ctrl, cq->lane->index);
        }
    }
    return true;
}

void envme_queue_forget(struct envme_cmd *cmd)
{
    struct envme_sq *sq = cmd->sq;

    if (cmd->slot) {
        envme_cring_unreserve(&sq->cq->ring);
        cmd->slot = false;
    }
    g_queue_unlink(&sq->inflight, &cmd->link);
    envme_pace_leave(cmd);
    envme_lane_put_cmd(cmd);
    sq_check_drained(sq);
}

/* Features 08h and 09h; the admin CQ is never put off. */
static bool cq_put_off(struct envme_cq *cq, unsigned posted)
{
    struct envme_lane *lane = cq->lane;
    struct envme_ctrl *ctrl = lane->ctrl;
    uint32_t config = atomic_load(&ctrl->coalescing);
    uint64_t now, deadline;

    config |= atomic_load(&ctrl->vector_cd[cq->vector]) << 16;
    if (cq->id == 0 || (config == 0 && cq->coal_config == 0)) {
        return false;
    }
    now = envme_now(ctrl);
    if (config != cq->coal_config) {
        cq->coal_config = config;
        if (envme_coalesce_config(&cq->coal,
                                  FIELD_GET(ENVME_FEAT_IRQC_TIME, config),
                                  FIELD_GET(ENVME_FEAT_IRQC_THR, config),
                                  config & 1u << 16, now)) {
            return false;
        }
    }
    if (envme_coalesce_add(&cq->coal, posted, now, &deadline)) {
        return false;
    }
    envme_lane_at(lane, &cq->due, deadline);
    return true;
}

void envme_lane_flush_irqs(struct envme_lane *lane)
{
    struct envme_cq *cq;

    while ((cq = lane->batch)) {
        unsigned posted = cq->posted;

        lane->batch = cq->batch_next;
        cq->batch = false;
        cq->posted = 0;
        if (cq->ien && !cq_put_off(cq, posted)) {
            cq_signal(cq);
        }
    }
}

bool envme_cq_set_head(struct envme_cq *cq, uint32_t head)
{
    struct envme_ctrl *ctrl = cq->lane->ctrl;

    if (!envme_cring_set_head(&cq->ring, head)) {
        envme_doorbell_bad(ctrl, ENVME_BAD_DB_VALUE, cq->id);
        return false;
    }
    if (cq->due.slot && envme_ring_empty(&cq->ring.ring)) {
        /* The host has found them by itself. */
        envme_coalesce_flush(&cq->coal);
        envme_lane_not_at(cq->lane, &cq->due);
    }
    if (cq->raised && envme_ring_empty(&cq->ring.ring)) {
        cq->raised = false;
        ctrl->ports.irq.lower(ctrl->ports.irq.opaque, cq->vector);
    }
    if (cq->corked) {
        envme_queue_uncork(cq);
    }
    return true;
}
