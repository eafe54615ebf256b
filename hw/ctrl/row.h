/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables that tell the engine what there is. One row is every fact about
 * one opcode, feature, log page or Identify CNS; everything else (effects
 * log, OACS and ONCS, gates, docs/coverage.md) is derived from the rows.
 *
 * Owner: constant data in hw/admin and hw/iocs, handed to the engine through
 * struct envme_tables by the composition root. Handlers run on the lane of
 * the command (lane 0 for admin commands) and never block.
 */
#ifndef ENVME_CTRL_ROW_H
#define ENVME_CTRL_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "envme/status.h"

struct envme_cmd;
struct envme_ctrl;
struct envme_ns;

/*
 * Carries the command out. Returns its status, or ENVME_ST_PENDING after
 * arranging for envme_cmd_done() to be called later, on the same lane.
 */
typedef struct envme_status envme_run_fn(struct envme_cmd *cmd);
/*
 * How many bytes the command moves through its data pointer, from cmd->sqe
 * (and cmd->ns where the gate looked it up). A status other than success
 * refuses the command. The direction is opcode bits 1:0.
 */
typedef struct envme_status envme_len_fn(struct envme_cmd *cmd, uint64_t *len);

/* What a command has to do on the medium, for the service-time model: bytes of
 * data in blocks, from where on in the namespace. Its data is mapped. */
struct envme_work {
    uint64_t offset, bytes;
};

typedef void envme_work_fn(struct envme_cmd *cmd, struct envme_work *work);

/*
 * Before any host memory is mapped: takes what the command has to have for
 * itself, and sets cmd->over for giving it back. ENVME_ST_PENDING: it has to
 * wait; envme_cmd_entered() is called later, on its lane, and cmd->unwait is
 * set until then. Not called while cmd->over is set.
 */
typedef struct envme_status envme_enter_fn(struct envme_cmd *cmd);

/* Gates: what cmd_start() checks and does before run(). */
enum {
    /* NSID. Exactly one of these. */
    ENVME_GATE_NS_UNUSED  = 0,      /* has to be 0 */
    ENVME_GATE_NS_ACTIVE  = 1,      /* an active namespace: cmd->ns */
    ENVME_GATE_NS_OR_ALL  = 2,      /* active, or FFFFFFFFh (cmd->ns NULL) */
    ENVME_GATE_NS_ANY     = 3,      /* the handler looks at it itself */
    ENVME_GATE_NS_MASK    = 0x3,

    ENVME_GATE_PARK       = 1 << 2, /* run() with all lanes parked */
    ENVME_GATE_DRAIN      = 1 << 3, /* parked, nothing else in flight */
    ENVME_GATE_NO_SLOT    = 1 << 4, /* gives its CQ slot back while it waits
                                       (Asynchronous Event Request) */
    ENVME_GATE_WRITES     = 1 << 5, /* refused on a write-protected medium */
    ENVME_GATE_NO_SGL     = 1 << 6, /* PSDT other than PRP is refused */
    ENVME_GATE_IN_SANITIZE = 1 << 8, /* goes on while subsys->gate_sf is set */
    ENVME_GATE_IN_FORMAT  = 1 << 9, /* I/O: goes on while ns->gate_sf is */
    ENVME_GATE_FUSED_1    = 1 << 10, /* may be the first of a fused pair */
    ENVME_GATE_FUSED_2    = 1 << 11, /* may be the second */
    ENVME_GATE_NO_DATA    = 1 << 7, /* opcode bits 1:0 say data, but the
                                       handler needs none mapped up front */
};

/* Reservation class: Base 2.1, 8.1.22, figure "Command Behavior". */
enum { ENVME_ACCESS_NONE, ENVME_ACCESS_READ, ENVME_ACCESS_WRITE };

struct envme_row {                  /* one opcode */
    const char *name;               /* as nvme-cli spells it */
    const char *spec;               /* "Base 2.1, 5.1.12" */
    envme_run_fn *run;              /* NULL: not there */
    /* Admin: does this controller have it? NULL: all do. */
    bool (*there)(const struct envme_ctrl *ctrl);
    envme_enter_fn *enter;          /* NULL: takes nothing */
    envme_len_fn *len;              /* NULL: moves no data */
    envme_len_fn *mdlen;            /* bytes through the metadata pointer */
    uint32_t effects;               /* ENVME_EFF_*; CSUPP is implied */
    uint16_t gate;
    uint8_t access;
    uint8_t time;                   /* ENVME_TIME_*, of hw/core/timing.h */
    envme_work_fn *work;            /* NULL: no blocks */
    uint16_t cap;                   /* OACS or ONCS bits set by being here */
    /*
     * Bits of CDW10..15 that are defined; the others are reserved and, if
     * set, refused with Invalid Field at that bit. What a command does not
     * use of CDW2, CDW3 and MPTR is not looked at.
     */
    uint32_t cdw[6];
};

/* Identify: Base 2.1, 5.1.13, figure 310. */
struct envme_cns_row {
    const char *name, *spec;
    bool there;
    /* Fills 4096 zeroed bytes. */
    struct envme_status (*fill)(struct envme_cmd *cmd, void *buf);
};

/* Features: Base 2.1, 5.1.25. */
enum envme_feat_scope {
    ENVME_FEAT_CTRL, ENVME_FEAT_NS, ENVME_FEAT_SUBSYS, ENVME_FEAT_ENDGRP,
};

struct envme_feat_row {
    const char *name, *spec;
    uint8_t fid;
    enum envme_feat_scope scope;
    bool saveable, changeable;
    bool logged;                    /* changes are Persistent Events */
    uint32_t dflt;                  /* default of the DW11 value */
    uint16_t data_len;              /* bytes of the data buffer, 0: none */
    /* Is it there? NULL: always. */
    bool (*there)(const struct envme_ctrl *ctrl);
    /* Bytes that this command moves, up to data_len. NULL: data_len. */
    uint16_t (*len)(const struct envme_cmd *cmd);
    /* The default of the data. NULL: zeroes. */
    void (*reset_data)(struct envme_ctrl *ctrl, struct envme_ns *ns,
                       void *data);
    /* The row keeps the value itself, over resets as well: the engine stores
     * nothing, and get answers for what is saved, too. */
    bool own;
    /* The default where it depends on the controller. May be NULL. */
    uint32_t (*reset)(struct envme_ctrl *ctrl, struct envme_ns *ns);
    /*
     * Set: checks cdw11 (and the data) and applies it. On success the engine
     * stores *value, which starts as cdw11, as the current value. data is NULL
     * when data_len is 0. dw0 is the completion's DW0. NULL: just stored.
     */
    struct envme_status (*set)(struct envme_cmd *cmd, struct envme_ns *ns,
                               uint32_t *value, const void *data,
                               uint32_t *dw0);
    /* Get: what the host sees of the value selected (current, default or
     * saved) in *dw0. NULL: the value. */
    struct envme_status (*show)(struct envme_cmd *cmd, uint32_t *dw0);
    /* Get, current value; NULL: the stored one, and no data. */
    struct envme_status (*get)(struct envme_cmd *cmd, struct envme_ns *ns,
                               uint32_t *dw0, void *data);
    /*
     * Saveable ones. save: what is saved when value is set with SV, where a
     * feature has several parts; saved is what was saved (or default) before.
     * NULL: all of it. restore: a saved value has become the current one, by
     * a reset, at the start, or (with ns, for controller scope too) because
     * that namespace was attached; gives it its effect. data: what was saved
     * with it, NULL when data_len is 0. NULL: whoever it matters to looks at
     * the value.
     */
    uint32_t (*save)(struct envme_cmd *cmd, uint32_t saved, uint32_t value);
    /* Where a value says less than is to be saved: changes what was saved
     * before (keep_len bytes; zeroes and fresh: nothing was) to what is saved
     * now. That is what restore gets as its data; data_len is 0 then. */
    uint16_t keep_len;
    void (*keep)(struct envme_cmd *cmd, void *buf, bool fresh);
    void (*restore)(struct envme_ctrl *ctrl, struct envme_ns *ns,
                    uint32_t value, const void *data);
};

/* Log pages: Base 2.1, 5.1.12. */
enum envme_log_scope { ENVME_LOG_CTRL, ENVME_LOG_NS, ENVME_LOG_SUBSYS };

struct envme_log_req {
    struct envme_cmd *cmd;
    struct envme_ns *ns;            /* NULL: the controller or all */
    uint8_t lid, lsp, csi, uuid;
    uint16_t lsi;
    bool rae;
};

struct envme_log_row {
    const char *name, *spec;
    uint8_t lid;
    enum envme_log_scope scope;
    uint8_t lid_support;            /* LID Supported and Effects flags */
    /* Is it there? NULL: always. */
    bool (*there)(const struct envme_ctrl *ctrl);
    /* Where LSP makes it a fixed number of bytes from the start of the page,
     * whatever NUMD and LPO say: true, and how many. May be NULL. */
    bool (*fixed)(const struct envme_cmd *cmd, uint64_t *len);
    /* Refuses the command, or does what LSP asks for, before size() and
     * fill(). May be NULL. */
    struct envme_status (*begin)(const struct envme_log_req *req);
    /* Size in bytes now; bounded by ENVME_LOG_MAX unless there is part. */
    size_t (*size)(const struct envme_log_req *req);
    /* Fills size() zeroed bytes. */
    struct envme_status (*fill)(const struct envme_log_req *req, void *buf);
    /* Instead of fill, for what may be large: len bytes at off, all within
     * size(), into zeroed memory; called for one piece after the other. */
    struct envme_status (*part)(const struct envme_log_req *req, uint64_t off,
                                void *buf, size_t len);
    /* Reading it with RAE 0 re-arms this event type and information; 0 and
     * NULL for none. */
    uint8_t clears;                 /* 1 << ENVME_AEN_TYPE_* */
    void (*read_done)(const struct envme_log_req *req);
};

#define ENVME_LOG_MAX (1u << 20)

static inline bool envme_row_there(const struct envme_row *row,
                                   const struct envme_ctrl *ctrl)
{
    return row->run && (!row->there || row->there(ctrl));
}

static inline bool envme_feat_there(const struct envme_feat_row *row,
                                    const struct envme_ctrl *ctrl)
{
    return !row->there || row->there(ctrl);
}

static inline bool envme_log_there(const struct envme_log_row *row,
                                   const struct envme_ctrl *ctrl)
{
    return !row->there || row->there(ctrl);
}

/* An I/O command set. */
struct envme_iocs {
    uint8_t csi;
    const char *name;
    const struct envme_row *rows;       /* [256] by opcode */
    const struct envme_iocs *base;      /* where an empty row is looked up */
    struct envme_status (*check_rw)(struct envme_cmd *cmd, uint64_t slba,
                                    uint32_t nlb, bool is_write);
    void (*identify_ns)(struct envme_ctrl *ctrl, struct envme_ns *ns,
                        void *buf);     /* CNS 05h */
    /* CNS 0Ah: of one of the formats that ns may have. */
    void (*identify_format)(struct envme_ctrl *ctrl, struct envme_ns *ns,
                            unsigned format, void *buf);
    void (*identify_ctrl)(struct envme_ctrl *ctrl, void *buf);  /* CNS 06h */
};

struct envme_feat_table {
    const struct envme_feat_row *row;
    unsigned n;
};

struct envme_log_table {
    const struct envme_log_row *row;
    unsigned n;
};

struct envme_tables {
    /* hw/admin's own state, ctrl->admin. May be NULL. */
    void (*ctrl_init)(struct envme_ctrl *ctrl);
    void (*ctrl_fini)(struct envme_ctrl *ctrl);
    /* A reset: features have their default values again. */
    void (*ctrl_reset)(struct envme_ctrl *ctrl);
    /* It has become ready; it has been shut down (what is put into
     * subsys->state in here is durable before the host hears of it); it leaves
     * its subsystem, for good. Each may be NULL. */
    void (*ctrl_start)(struct envme_ctrl *ctrl);
    /* A reset begins: commands that wait for a time are to end now. */
    void (*ctrl_stop)(struct envme_ctrl *ctrl);
    void (*ctrl_shutdown)(struct envme_ctrl *ctrl);
    /* CSTS.CFS is set. */
    void (*ctrl_fatal)(struct envme_ctrl *ctrl);
    void (*ctrl_leave)(struct envme_ctrl *ctrl);
    /* What SMART warns of may have changed. May be NULL. */
    void (*ctrl_health)(struct envme_ctrl *ctrl);
    /* Blocks of an attached namespace cannot be read any more. */
    void (*ns_lost)(struct envme_ctrl *ctrl, uint32_t nsid);
    /* Power was lost and is back. May be NULL. */
    void (*ctrl_power)(struct envme_ctrl *ctrl, bool was_shut_down);
    const struct envme_row *admin;      /* [256] by opcode */
    /* A status other than success refuses an admin command. May be NULL. */
    struct envme_status (*admin_gate)(struct envme_cmd *cmd);
    /* A Set Features command has changed something and is going to end with
     * success; data as in envme_feat_row.set. May be NULL. */
    void (*feature_changed)(struct envme_cmd *cmd,
                            const struct envme_feat_row *row,
                            const void *data);
    /* A command fails with a status of the media errors; its thread. May be
     * NULL. */
    void (*media_error)(struct envme_cmd *cmd, struct envme_status st);
    const struct envme_cns_row *cns;    /* [256] by CNS */
    const struct envme_feat_table *feats;
    const struct envme_log_table *logs;
    const struct envme_iocs *const *iocs;
    unsigned niocs;
};

/* The row that answers an I/O opcode, or NULL. */
const struct envme_row *envme_iocs_row(const struct envme_iocs *iocs,
                                       uint8_t opc);

#endif
