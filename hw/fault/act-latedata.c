/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data that come after the completion: what goes to the host is put aside
 * until then. From begin to end of the command its I/O vector is memory of
 * our own, so the host's buffer does not change; after the completion lane 0
 * writes to the bus addresses that the buffer had.
 *
 * What is put aside is bounded, per command and in all; a command that there
 * is no room for is left alone. It is written to host memory only in the life
 * of the controller, and under the rules, in which the command came.
 */
#include <errno.h>
#include <string.h>

#include "hw/ctrl/lane.h"
#include "hw/ctrl/xfer.h"
#include "hw/fault/rules.h"

#define MS UINT64_C(1000000)

/* Bytes: of one command, and of all. */
#define ASIDE_MAX (1u << 20)
#define ASIDE_ALL (64u << 20)
/* A small one counts so much: that bounds how many there are. */
#define ASIDE_LEAST (64u << 10)

struct act_aside {
    uint64_t time;
};

static void aside_init(void *args)
{
    struct act_aside *a = args;

    a->time = MS;
}

static const struct envme_schema_row aside_rows[] = {
    { "for", ENVME_SCHEMA_TIME, offsetof(struct act_aside, time), .min = 1,
      .max = 3600 * 1000 * MS,
      .help = "so long after the completion; 1ms, if not given" },
};

struct aside_seg {
    uint64_t addr;              /* on the bus */
    size_t off, len;            /* in mem */
};

/* Owner: the command, then the list of what comes later. */
struct aside {
    struct envme_faults *f;
    struct iovec *iov, one;     /* the command's, and what it has instead */
    unsigned niov;
    uint8_t *mem;
    struct aside_seg *seg;
    unsigned nseg;
    uint64_t charge;            /* of f->aside, bytes */
    unsigned life, round;       /* in which it came */
    bool taken;                 /* the host is to get it */
};

static void aside_free(struct aside *s)
{
    atomic_fetch_sub(&s->f->aside, s->charge);
    g_free(s->seg);
    g_free(s->mem);
    g_free(s);
}

static bool aside_charge(struct envme_faults *f, uint64_t charge)
{
    if (atomic_fetch_add(&f->aside, charge) + charge > ASIDE_ALL) {
        atomic_fetch_sub(&f->aside, charge);
        return false;
    }
    return true;
}

/* ---- the command ------------------------------------------------------- */

static struct aside *aside_new(struct envme_faults *f,
                               const struct envme_xfer *x)
{
    struct aside *s;
    size_t off = 0;

    if (!x->bytes || x->bytes > ASIDE_MAX ||
        !aside_charge(f, ENVME_MAX(x->bytes, ASIDE_LEAST))) {
        return NULL;
    }
    s = g_new0(struct aside, 1);
    s->f = f;
    s->charge = ENVME_MAX(x->bytes, ASIDE_LEAST);
    s->mem = g_try_malloc(x->bytes);
    s->seg = g_try_new(struct aside_seg, x->niov);
    if (!s->mem || !s->seg) {
        aside_free(s);
        return NULL;
    }
    for (unsigned i = 0; i < x->niov; i++) {
        size_t len = x->iov[i].iov_len;
        uint64_t addr;

        /* A command may fill less than all of it. */
        memcpy(s->mem + off, x->iov[i].iov_base, len);
        if (envme_xfer_at(x, i, &addr)) {
            s->seg[s->nseg++] = (struct aside_seg){ addr, off, len };
        }
        off += len;
    }
    return s;
}

/* Its vector is changed by another such rule already. */
static bool aside_is_there(const struct envme_cmd *cmd,
                           const struct fault_action_row *row)
{
    const struct fault_cmd *fc = cmd->fault;

    for (unsigned i = 0; i < fc->n; i++) {
        if (fc->fired[i].action->row == row && fc->fired[i].mem) {
            return true;
        }
    }
    return false;
}

static bool aside_pre(const void *args, struct fault_fired *fired,
                      struct envme_cmd *cmd, struct envme_status *st)
{
    struct envme_faults *f = cmd->ctrl->hooks.opaque;
    struct envme_xfer *x = &cmd->data;
    struct aside *s;

    (void)args;
    (void)st;
    if (!x->to_host || aside_is_there(cmd, fired->action->row) ||
        !(s = aside_new(f, x))) {
        return true;
    }
    s->life = cmd->ctrl->lives;
    s->round = atomic_load(&f->late_round);
    s->iov = x->iov;
    s->niov = x->niov;
    s->one = (struct iovec){ s->mem, x->bytes };
    x->iov = &s->one;
    x->niov = 1;
    fired->mem = s;
    return true;
}

static void aside_ended(const void *args, struct fault_fired *fired,
                        struct envme_cmd *cmd, struct envme_status st)
{
    struct aside *s = fired->mem;

    (void)args;
    if (!s) {
        return;
    }
    cmd->data.iov = s->iov;
    cmd->data.niov = s->niov;
    if (!envme_st_err(st)) {
        envme_xfer_keep_back(&cmd->data);
        s->taken = true;
    }
}

/* ---- then -------------------------------------------------------------- */

struct aside_late {
    struct fault_late late;
    struct aside *s;
};

static bool aside_due(struct fault_late *l)
{
    const struct aside *s = ((struct aside_late *)l)->s;
    struct envme_ctrl *ctrl = l->f->ctrl;
    const struct envme_dma *dma = envme_dma(ctrl);
    int err = 0;

    if (ctrl->life != ENVME_LIFE_READY || s->life != ctrl->lives ||
        s->round != atomic_load(&l->f->late_round)) {
        return false;
    }
    envme_lane_touch(&ctrl->lane[0]);
    /* -EBUSY: Bus Master is off, and so nothing more arrives. */
    for (unsigned i = 0; i < s->nseg && err != -EBUSY; i++) {
        err = dma->write(dma->opaque, s->seg[i].addr, s->mem + s->seg[i].off,
                         s->seg[i].len);
    }
    envme_lane_untouch(&ctrl->lane[0]);
    return false;
}

static void aside_over(struct fault_late *l)
{
    aside_free(((struct aside_late *)l)->s);
}

static const struct fault_late_kind aside_kind = {
    .size = sizeof(struct aside_late), .due = aside_due, .over = aside_over,
};

/* The completion has been posted, or never will be. */
static void aside_gone(struct fault_fired *fired, struct envme_cmd *cmd)
{
    const struct act_aside *a = fired->action->args;
    struct aside *s = fired->mem;
    struct aside_late *l;

    if (!s) {
        return;
    }
    if (!s->taken || cmd->lane->mode == ENVME_LANE_DROP) {
        aside_free(s);
        return;
    }
    l = fault_late_new(s->f, &aside_kind, a->time);
    l->late.is_charged = true;
    l->s = s;
    fault_late_add(&l->late);
}

/* ---- the table --------------------------------------------------------- */

const struct fault_action_row fault_actions_latedata[] = {
    {
        .name = "late-data", .on = FAULT_BIT(FAULT_ON_COMMAND),
        .scalar = "for", .plain = true,
        .help = "What is transferred to the host arrives after the completion: "
                "blocks, Identify structures, log pages; until then the "
                "host's buffer is as it was. A reset, or other rules, and it "
                "never arrives; nor does it while Bus Master is off. Separate "
                "metadata is in time. Commands with more than 1 MiB are left "
                "alone, and so are all while 64 MiB, or 1024 commands, wait.",
        .schema = { "late-data", "", ENVME_SCHEMA_ROWS(aside_rows) },
        .size = sizeof(struct act_aside), .init = aside_init,
        .pre = aside_pre, .ended_last = aside_ended, .gone = aside_gone,
    },
    { 0 },
};
