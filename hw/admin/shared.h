/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the controllers of a subsystem share of the admin commands' state.
 *
 * Owner: the subsystem (subsys->shared); the first controller has it made.
 * Lane 0, which is one thread for all controllers.
 */
#ifndef ENVME_ADMIN_SHARED_H
#define ENVME_ADMIN_SHARED_H

#include "hw/admin/admin.h"
#include "hw/admin/bgio.h"

/* ---- firmware.c -------------------------------------------------------- */

#define ENVME_FW_SLOTS 7

struct envme_fw_slot {
    bool is_there;
    bool is_factory;            /* as the firmware property says */
    char fr[8];
    uint32_t len, crc;
};

struct envme_fw {
    unsigned nslots;
    bool slot1_ro;
    unsigned active, next;      /* 1 .. 7; next 0: none */
    struct envme_fw_slot slot[ENVME_FW_SLOTS + 1];
    struct envme_fw_slot running;
    uint8_t at_power_on;        /* ENVME_PEL_FA_*: what came of it then */
    bool load_told;             /* that it failed */
    /* Activation without a reset. */
    struct {
        bool on, granted;
        struct envme_ctrl *ctrl;    /* whose command it is */
        struct envme_cmd *cmd;      /* NULL: it was given up */
        unsigned slot;
        unsigned left;              /* controllers not parked yet */
        bool parked[ENVME_MAX_CTRLS];
        struct envme_deadline due;
    } act;
};

/* ---- sanitize.c -------------------------------------------------------- */

struct envme_sanitize_state {   /* what is kept and shown */
    uint8_t sans, fails, sos, opc;
    uint32_t cdw10, pattern;
};

struct envme_sanitize {
    struct envme_deadline due;
    struct envme_bgio io;
    struct envme_ctrl *ctrl;    /* whose clock it goes by; NULL: none */
    struct envme_sanitize_state st, end;
    void *buf;                  /* the pattern */
    bool ndi, nodrm;
    bool ending;                /* `end` is being written */
    bool fail_next;
    bool gde;                   /* all erased, unless written to since: */
    uint64_t writes;
    unsigned draining;          /* controllers not drained yet */
    unsigned phase, pass;
    uint32_t at_medium;
    unsigned at_ctrl;           /* whose PMR is being erased */
    uint64_t at, done, total;   /* bytes */
};

/* ---- endgrp.c ---------------------------------------------------------- */

struct envme_endgrp {
    uint8_t enabled;            /* feature 18h */
    uint8_t told, seen;         /* warnings: of those, told; all */
    bool pending;               /* in log page 0Fh */
    const struct envme_ctrl *leaving;
    /* What controllers had counted that have left, by CNTLID. */
    struct envme_health_totals left[ENVME_MAX_CTRLS];
};

struct envme_shared {
    struct envme_subsys *subsys;
    struct envme_fw fw;
    struct envme_sanitize san;
    struct envme_endgrp endgrp;
    struct envme_pel *pel;      /* pel.c */
    uint32_t locked_opc[8], locked_fid[8];      /* lockdown.c: a bit each */
};

void envme_sanitize_load(struct envme_shared *sh, struct envme_ctrl *ctrl);

void envme_shared_init(struct envme_ctrl *ctrl);

static inline struct envme_shared *envme_shared(const struct envme_ctrl *ctrl)
{
    return ctrl->subsys->shared;
}

/* The controller with this CNTLID, or NULL. */
static inline struct envme_ctrl *envme_shared_ctrl(const struct envme_subsys *s,
                                                   unsigned cntlid)
{
    return s->ctrl[cntlid].ops ? s->ctrl[cntlid].ctrl : NULL;
}

#endif
