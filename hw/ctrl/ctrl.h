/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The controller: its owner struct, and the calls that the composition root
 * and the command handlers make. Base 2.1, chapter 3.
 *
 * Owner: the composition root makes and frees it. Threads: written at each
 * function and group of fields. "Lane 0" is the main loop (BQL held in QEMU);
 * I/O lanes only read what belongs to lane 0, and what they read while it may
 * change is atomic. Shape (queues, namespaces) changes only while the lanes
 * are parked: see pause.h. Never includes hw/admin, hw/iocs or QEMU headers.
 */
#ifndef ENVME_CTRL_CTRL_H
#define ENVME_CTRL_CTRL_H

#include <glib.h>
#include <stdatomic.h>

#include "envme/bytes.h"
#include "envme/cmd.h"
#include "envme/log.h"
#include "envme/reg.h"
#include "envme/status.h"
#include "hw/core/age.h"
#include "hw/core/arbiter.h"
#include "hw/core/coalesce.h"
#include "hw/core/deadline.h"
#include "hw/core/ports.h"
#include "hw/core/pstate.h"
#include "hw/core/rangelock.h"
#include "hw/core/ring.h"
#include "hw/core/sg.h"
#include "hw/core/timing.h"
#include "hw/ctrl/row.h"
#include "hw/ns/ns.h"
#include "hw/ns/subsys.h"

struct envme_ctrl;
struct envme_lane;
struct envme_sq;
struct envme_cq;

/* ---- parameters -------------------------------------------------------- */

struct envme_ctrl_params {
    char serial[21], model[41], firmware[9];    /* NUL terminated */
    uint16_t vid, ssvid;        /* PCI vendor and subsystem vendor */
    uint8_t ieee[3];            /* as on the wire: least significant first */
    uint8_t mdts;               /* 2^mdts * 4 KiB; 0: no limit */
    uint8_t vsl;                /* Verify size limit, likewise */
    uint16_t mqes;              /* CAP.MQES, 0's based */
    uint16_t max_ioqpairs;      /* 1 .. 65535: I/O SQs and I/O CQs */
    uint8_t dstrd;              /* CAP.DSTRD, 0 .. 15 */
    bool cqr;                   /* CAP.CQR: queues must be contiguous */
    uint8_t mpsmax;             /* CAP.MPSMAX, 2^(12 + n) */
    uint8_t to;                 /* CAP.TO, 500 ms */
    uint8_t aerl;               /* AER limit, 0's based */
    uint32_t aer_max_queued;    /* events kept while no AER is parked */
    uint8_t acl;                /* Abort limit, 0's based */
    uint8_t elpe;               /* error log entries, 0's based */
    uint16_t nvectors;          /* interrupt vectors, 1 .. 2048 */
    uint16_t awun, awupf;       /* 0's based */
    bool dn;                    /* feature 0Ah starts with DN set */
    uint32_t lane_cmds;         /* commands that one lane has memory for */
    uint32_t max_inflight;      /* I/O commands executing; 0: any number */
    uint32_t mapped_rate;       /* doorbells/s, from which they are mapped */
    /* Lane of each I/O CQ, [max_ioqpairs + 1]; 0, or NULL: they are dealt. The
     * caller's, as long as the controller is there. */
    const uint16_t *cq_lane;
    struct envme_timing_params timing;
    bool wrr;                   /* CAP.AMS: weighted round robin */
    bool ams_vs;                /* CAP.AMS: strict by age */
    bool ctratt_mem;            /* MDTS leaves metadata out */
    uint8_t fw_slots;           /* firmware slots, 1 .. 7 */
    bool fw_slot1_ro;           /* the first one cannot be written */
    uint8_t fwug;               /* FWUG: 4 KiB; 0, 255: a dword will do */
    bool no_dbbuf;              /* no Doorbell Buffer Config */
    bool sanitize_ndi;          /* SANICAP.NDI: sanitize always deallocates */
    struct envme_pstates pstates;
    uint8_t temp_sensors;       /* 0 .. 8, beside the composite temperature */
    uint8_t temp_hyst;          /* TMPTHMH: K, 0 .. 7; 0: none */
    uint16_t temperature;       /* K, at the start; 0: what is usual */
    uint16_t kas;               /* keep alive: 100 ms; 0: not there */
    uint16_t crdt[3];           /* Command Retry Delay Times, 100 ms */
    uint16_t streams;           /* MSL; 0: no Streams directive */
    /* Of ports.cmb and ports.pmr, as the registers have them: BIR and what may
     * lie there. */
    uint32_t cmbloc, cmbsz, pmrcap;
    bool cmb_legacy;            /* as in NVMe 1.3: always there, at the BAR */
    /* Boot partitions: 128 KiB units, 0 for none; what is in them at first,
     * only looked at while the controller is being made. */
    uint32_t bp_units;
    const void *bp_init[2];
    size_t bp_init_len[2];
    uint32_t hmpre, hmmin;      /* host memory buffer: 4 KiB; 0: none */
    uint8_t uuid[127][16];      /* UUID list, the first nuuids of them */
    uint8_t nuuids;
    bool fault_injection;       /* the guest may inject faults: see inject */
};

/* ---- doorbells --------------------------------------------------------- */

/*
 * One doorbell register. Lives from the first time its queue is created until
 * the controller is freed, so that a write may come at any time on any thread
 * without a lock. `at` has what the host wrote last; the lane takes it.
 */
struct envme_db {
    _Atomic uint32_t *at;           /* value, or in ports.doorbells; wire */
    union {
        _Atomic uint32_t value;
        unsigned polled;            /* the latter: place in the lane's list */
    };
    _Atomic uint32_t size;          /* entries; 0: no such queue now */
    atomic_bool queued;             /* is in a lane's list of rung ones */
    bool is_cq;
    _Atomic uint16_t lane;
    uint16_t qid;
    _Atomic(struct envme_db *) next;    /* in that list */
    void *queue;                    /* SQ or CQ; that lane's alone */
};

#define ENVME_DB_CHUNK 64

struct envme_db_chunk {
    struct envme_db db[ENVME_DB_CHUNK * 2];     /* SQ0, CQ0, SQ1, CQ1 ... */
};

/* A doorbell that lies in ports.doorbells, of a queue that there is. */
struct envme_polled {
    _Atomic uint32_t *at;
    _Atomic uint32_t seen;          /* what the lane took last; wire */
    struct envme_db *db;
};

#define ENVME_MAPPED_RATE 16000 /* mapped_rate, where nobody says */

enum envme_mapped_state {
    ENVME_MAPPED_OFF,           /* doorbells are registers */
    ENVME_MAPPED_ASKED,         /* a lane wants them mapped */
    ENVME_MAPPED_SHOWING,       /* may be either from here on */
    ENVME_MAPPED_ON,            /* memory: some lane polls */
    ENVME_MAPPED_HIDING,
};

/* mapped.c */
struct envme_mapped {
    _Atomic unsigned state;     /* lane 0; OFF to ASKED: any lane */
    _Atomic unsigned npolling;  /* lanes */
    _Atomic uint64_t next;      /* ns: not again before */
    uint64_t since, cool;       /* ns; lane 0 */
    struct envme_lane *asked;   /* lane 0: who polls first */
};

/* ---- queues ------------------------------------------------------------ */

/* Where the entries of a queue lie. */
struct envme_qmem {
    uint64_t addr;              /* contiguous: bus address of entry 0 */
    uint64_t *pages;            /* else: one bus address per memory page */
    uint32_t page;              /* bytes */
    uint8_t shift;              /* log2 of the entry size */
};

/* Where a queue's doorbell and event index lie in host memory: Doorbell Buffer
 * Config. */
struct envme_shadow {
    uint64_t db, ei;            /* bus addresses */
};

/* A controller may have 65,535 of each of the next two: no holes. */
struct envme_cq {
    struct envme_cring ring;
    unsigned nsq;               /* SQs that post here; lane 0 */
    struct envme_qmem mem;
    uint16_t id, vector;
    bool ien;
    bool raised;                /* told the irq port that it is not empty */
    bool batch;                 /* in lane->batch: posted in this turn */
    bool shadowed;              /* has a shadow doorbell */
    struct envme_lane *lane;
    struct envme_db *db;
    struct envme_sq *corked;    /* SQs waiting for a slot (sq->cork_next) */
    struct envme_cq *batch_next;
    unsigned posted;            /* entries since the last look at interrupts */
    uint32_t coal_config;       /* what coal was configured with */
    struct envme_coalesce coal;
    struct envme_deadline due;  /* coal's */
    struct envme_shadow shadow;
};

#define ENVME_SQ_ABORTS 8

struct envme_sq_abort {
    uint32_t index;
    uint16_t cid;
    struct envme_cmd *abort;
};

struct envme_sq {
    struct envme_ring ring;
    uint16_t id;
    bool is_corked;
    bool stalled;               /* a fault: nothing is fetched */
    struct envme_arb_node node;
    struct envme_ages ages;     /* strict by age: what node.since says next */
    struct envme_qmem mem;
    _Atomic bool deleting;      /* no fetch; commands finish as aborted */
    bool second_slot;           /* a CQ slot is kept for the one after fused */
    bool watched;               /* is in lane->watched */
    bool in_cmb;                /* its first entry is */
    bool shadowed;              /* has a shadow doorbell */
    uint16_t naborts;
    struct envme_cq *cq;
    struct envme_db *db;
    struct envme_sq *cork_next;
    GQueue inflight;            /* struct envme_cmd, by cmd->link */
    struct envme_cmd *fused;    /* first of a pair: waits for the second */
    struct envme_shadow shadow;
    struct envme_sq *watch_next; /* in lane->watched: poll.h */
    struct envme_cmd *deleter;  /* Delete I/O SQ waiting for inflight */
    /* Commands that an Abort found before they were fetched. */
    struct envme_sq_abort *aborts;  /* [ENVME_SQ_ABORTS], made when needed */
};

/* ---- commands ---------------------------------------------------------- */

/* Host memory of one command as an I/O vector. Segments that are not plain
 * memory lie in a bounce buffer, filled before run() for host to controller
 * and copied out by cmd_done() for controller to host. */
struct envme_xfer {
    struct iovec *iov;
    unsigned niov, cap;
    uint64_t bytes;
    bool to_host;               /* controller to host */
    void *bounce;               /* NULL: none needed */
    struct envme_xseg *seg;     /* what to unmap and copy, one per iov */
    bool mapped;                /* holds host memory */
};

enum envme_cmd_state {
    ENVME_CMD_FREE,
    ENVME_CMD_RUNNING,          /* handler or backend has it: in lane->ncmds */
    ENVME_CMD_WAITING,          /* for a pause, or in one: not counted */
    ENVME_CMD_PARKED,           /* AER: event.c has it, no CQ slot held */
    ENVME_CMD_HELD,             /* in lane->held, to go on with cmd->resume */
    ENVME_CMD_ENDED,            /* to be posted */
};

#define ENVME_CMD_SCRATCH 128

struct envme_cmd {
    struct envme_ctrl *ctrl;
    struct envme_lane *lane;    /* the lane of its queue */
    struct envme_sq *sq;
    struct envme_ns *ns;        /* when the gate looked it up */
    const struct envme_row *row;
    enum envme_cmd_state state;
    bool slot;                  /* holds a CQ slot */
    bool moved;                 /* runs on lane 0 instead of its own */
    bool is_admin;
    _Atomic bool aborted;       /* an Abort wants it gone */
    bool paused;                /* lanes are parked for it: resume at done */
    bool executing;             /* counts in ctrl->executing */
    struct envme_sqe sqe;       /* our copy: the only one that is read */
    uint64_t len, mdlen;        /* bytes of the data, metadata pointer */
    struct envme_xfer data, md; /* data pointer, metadata pointer */
    struct envme_status status;
    uint32_t dw0, dw1;          /* completion DW0, DW1 */
    uint16_t err_loc;           /* error log: parameter error location */
    uint64_t err_lba;
    uint64_t err_info;          /* command specific information */
    uint64_t t_end;             /* not over before: pace.h; 0: any time */
    struct envme_deadline due;  /* t_end's, while that is awaited */
    struct envme_bio bio;
    struct envme_ns *io_ns;     /* whose backend has bio */
    bool io_pending;
    struct envme_cmd *partner;  /* first of a fused pair: the second */
    struct envme_cmd *aborter;  /* the Abort that waits for us */
    GList link;                 /* sq->inflight, or event.c's list */
    void (*resume)(struct envme_cmd *cmd);  /* HELD: what comes next */
    GList held;                 /* lane->held */
    struct envme_cmd *next_free;
    void (*cont)(struct envme_cmd *cmd, int err);   /* after envme_cmd_io() */
    struct envme_cmd_loop *loop;    /* cmd.c: continuations that go round */
    /* Of row->enter(). over: called once, with the status, before the command
     * is posted, or when it is given up. unwait: a hint, like a backend's
     * cancel, that it need not wait any more. */
    void (*over)(struct envme_cmd *cmd, struct envme_status st);
    void (*unwait)(struct envme_cmd *cmd);
    struct envme_rangelock_entry range;
    struct envme_ns *range_ns;
    bool begun;                 /* counts already: second of a fused pair */
    void *mem;                  /* handler's memory: g_free()d by cmd_done */
    void *fault;                /* of whoever set the hooks; or NULL */
    /* The handler's own state. */
    union {
        uint8_t raw[ENVME_CMD_SCRATCH];
        uint64_t align;
    } u;
};

/* ---- lanes ------------------------------------------------------------- */

enum envme_lane_mode {
    ENVME_LANE_RUN,
    ENVME_LANE_PARK,            /* no fetch, no post */
    ENVME_LANE_DROP,            /* reset: commands end without a completion */
};

struct envme_lane_stats {
    _Atomic uint64_t reads, writes;             /* commands */
    _Atomic uint64_t read_bytes, written_bytes;
};

/* Its own thread only, but for the atomics. */
struct envme_lane {
    struct envme_ctrl *ctrl;
    unsigned index;
    struct envme_arbiter arb;
    enum envme_lane_mode mode;
    bool drain;                 /* PARK: acknowledge at inflight == 0 */
    bool running;               /* in a turn: its end raises interrupts */
    bool busy;                  /* counts in ctrl->busy */
    unsigned nio;               /* I/O commands fetched and not posted */
    bool acked;                 /* told lane 0 that it is parked / empty */
    bool acking;                /* is about to look whether it can */
    _Atomic(struct envme_db *) rung;    /* doorbells, last rung first */
    unsigned ncmds;             /* commands that are not FREE or PARKED */
    _Atomic unsigned nmapped;   /* turns and commands: envme_lane_touch() */
    GQueue held;                /* commands done while parked or BME off */
    GQueue delayed;             /* commands done before their t_end */
    struct envme_cmd *free;
    unsigned nalloc;            /* commands allocated */
    bool starved;               /* wants to be run when a command is free */
    struct envme_sg sg;         /* scratch of xfer.c */
    struct envme_cq *batch;     /* CQs posted to since the last interrupt */
    atomic_bool look;           /* at all shadow doorbells */
    /* mapped.c: doorbells that lie in memory; the lanes are parked when the
     * list changes, and others read it. */
    struct envme_polled *polled;
    unsigned npolled, polled_cap;
    atomic_bool polling;
    bool fresh;                 /* there was news since the last look at ... */
    _Atomic uint64_t news_at;   /* ... the clock, ns */
    unsigned polls;             /* turns, while polling */
    unsigned trapped;           /* doorbells taken while OFF ... */
    uint64_t trapped_since;     /* ... since then, ns */
    /* poll.c: its thread calls envme_lane_poll(); would have been of use; SQs
     * whose shadow doorbells that looks at. */
    bool looking, look_wanted;
    struct envme_sq *watched;
    struct envme_deadlines deadlines;
    uint64_t armed;             /* what the exec port was told */
    uint64_t age;               /* doorbells that brought commands */
    /* max-inflight: it wants to fetch; it has been given a place. Any lane. */
    atomic_bool wants;
    _Atomic unsigned granted;
    struct envme_lane_stats stats;
};

/* ---- pause ------------------------------------------------------------- */

typedef void envme_pause_fn(struct envme_ctrl *ctrl, void *arg);

struct envme_pause {
    envme_pause_fn *fn;
    void *arg;
    bool drain;
    struct envme_cmd *cmd;      /* for whom, or NULL */
};

/* ---- life -------------------------------------------------------------- */

enum envme_life {
    ENVME_LIFE_DISABLED,        /* CC.EN 0, nothing in flight */
    ENVME_LIFE_READY,
    ENVME_LIFE_DISABLING,       /* waits for lanes to let go */
};

enum envme_reset {
    ENVME_RESET_CC,             /* CC.EN 1 to 0: AQA, ASQ, ACQ stay */
    ENVME_RESET_FLR,            /* Function Level Reset: CMBMSC stays */
    ENVME_RESET_FUNCTION,       /* conventional reset, D3hot to D0 */
    ENVME_RESET_NSSR,           /* NVM Subsystem Reset */
};

/* ---- fault hooks ------------------------------------------------------- */

/* Who listens: ctrl->watch. */
enum {
    ENVME_WATCH_CMD   = 1 << 0, /* hooks.fetched */
    ENVME_WATCH_REG   = 1 << 1, /* hooks.reg_read, reg_write */
    ENVME_WATCH_DB    = 1 << 2, /* hooks.doorbell */
    ENVME_WATCH_STATE = 1 << 3, /* hooks.state */
    ENVME_WATCH_IRQ   = 1 << 4, /* hooks.signal */
    ENVME_WATCH_QUEUE = 1 << 5, /* hooks.stalled */
};

enum envme_ctrl_state {
    ENVME_STATE_ENABLE,         /* CC.EN was set; it becomes ready next */
    ENVME_STATE_READY,
    ENVME_STATE_RESET,          /* of any kind, and it was ready */
    ENVME_STATE_SHUTDOWN,       /* CC.SHN was set */
    ENVME_STATE_FLR,            /* a Function Level Reset is over */
    ENVME_STATE_D0,             /* it is back from D3hot, and reset by that */
};

/* What becomes of a completion queue entry. */
enum envme_cqe_how {
    ENVME_CQE_POST,
    ENVME_CQE_TWICE,            /* once more, if the queue has a free slot */
    ENVME_CQE_TORN,             /* the last 8 bytes, and the others later */
    ENVME_CQE_QUIET,            /* without an interrupt */
};

/* When a completion is posted. */
enum envme_post_when {
    ENVME_POST_NOW,
    ENVME_POST_NEVER,
    ENVME_POST_LATER,           /* asked again then, or when it has to go */
};

/* What becomes of an interrupt. */
enum envme_irq_how {
    ENVME_IRQ_RAISE,
    ENVME_IRQ_LOST,
    ENVME_IRQ_TWICE,
};

/*
 * Decorators of the funnel, the queues and the registers, for fault injection.
 * Set once, before the controller is enabled; ctrl->watch says which are
 * called. Those of commands: the command's lane (or lane 0, where it was moved
 * to).
 */
struct envme_hooks {
    void *opaque;
    /* A command has been fetched, and nothing has looked at it yet. May set
     * cmd->fault: the next six are called for such commands only. */
    void (*fetched)(void *opaque, struct envme_cmd *cmd);
    /* Before run(). False: *st takes its place. */
    bool (*pre)(void *opaque, struct envme_cmd *cmd, struct envme_status *st);
    /* It has ended, and its data are mapped still. May come again, after Bus
     * Master was off. */
    void (*ended)(void *opaque, struct envme_cmd *cmd,
                  struct envme_status st);
    /* Before posting; returns the status to post. */
    struct envme_status (*post)(void *opaque, struct envme_cmd *cmd,
                                struct envme_status st);
    /* Is its completion to be posted at all, and now? May be asked again.
     * LATER: *until is when; an Abort of it is answered meanwhile. Its lane. */
    enum envme_post_when (*may_post)(void *opaque, struct envme_cmd *cmd,
                                     uint64_t *until);
    enum envme_cqe_how (*cqe)(void *opaque, struct envme_cmd *cmd,
                              struct envme_cqe *cqe);
    /* The command is gone: cmd->fault is to be freed. */
    void (*gone)(void *opaque, struct envme_cmd *cmd);
    /* A register read gives this instead; a write: false loses it. Lane 0. */
    uint64_t (*reg_read)(void *opaque, uint64_t off, unsigned size,
                         uint64_t val);
    bool (*reg_write)(void *opaque, uint64_t off, unsigned size,
                      uint64_t *val);
    /* False loses it. Any thread. */
    bool (*doorbell)(void *opaque, unsigned qid, bool is_cq, uint32_t *val);
    /* Lane 0. */
    void (*state)(void *opaque, enum envme_ctrl_state state);
    /* An interrupt of a CQ is due; the vector may be changed. Its lane. */
    enum envme_irq_how (*signal)(void *opaque, struct envme_cq *cq,
                                 unsigned *vector);
    /* Is nothing to be fetched from an SQ that is being made? Lane 0. */
    bool (*stalled)(void *opaque, unsigned qid);
};

/*
 * What the Error Injection feature and the vendor specific commands of
 * hw/admin/inject.c call. Whoever sets the hooks sets this too, before the
 * controller is enabled, where params.fault_injection says so. Lane 0.
 */
struct envme_ocp_error;

struct envme_inject {
    void *opaque;
    /* Replaces all entries. false: *bad is one that there is no fault for, and
     * nothing has changed. */
    bool (*set_errors)(void *opaque, const struct envme_ocp_error *e,
                       unsigned n, unsigned *bad);
    /* As they are now; returns how many. Room for ENVME_OCP_ERRORS. */
    unsigned (*get_errors)(void *opaque, struct envme_ocp_error *e);
    /* Text that ends with a NUL. false: error() says what is wrong. */
    bool (*load)(void *opaque, const char *text);
    bool (*arm)(void *opaque, const char *rule, bool on);
    void (*activate)(void *opaque, bool on);
    /* JSON; g_free. rules() is what was loaded. */
    char *(*report)(void *opaque);
    char *(*rules)(void *opaque);
    /* A sentence, or "". */
    const char *(*error)(void *opaque);
};

/* ---- features ---------------------------------------------------------- */

struct envme_feat_val {
    _Atomic uint32_t cur;
    uint32_t saved;
    bool has_saved;
    void *saved_data;           /* of the row's data_len, with has_saved */
    void *data;                 /* envme_feature_set_data(), until a reset */
};

/* ---- the controller ---------------------------------------------------- */

struct envme_event;             /* event.c */
struct envme_errlog;            /* errlog.c */
struct envme_power;             /* power.c */

struct envme_ctrl {
    struct envme_ctrl_params params;
    struct envme_ports ports;
    const struct envme_tables *tables;
    struct envme_subsys *subsys;
    uint16_t cntlid;
    struct envme_hooks hooks;
    struct envme_inject inject; /* opaque NULL: none */
    _Atomic unsigned watch;     /* ENVME_WATCH_.. */
    /* &ports.dma, or a decorator of it; see envme_dma(). */
    _Atomic(const struct envme_dma *) dma;
    bool fuses;                 /* some command may be fused */

    /* Registers: lane 0; see regs.c. */
    uint64_t cap;
    uint32_t vs, intms, cc, csts, aqa, crto;
    uint64_t asq, acq;
    uint32_t cmbloc, cmbsz, cmbsts, pmrcap, pmrctl, pmrsts, pmrmscl, pmrmscu;
    uint64_t cmbmsc;
    struct envme_cmem *cmem;    /* cmem.h; NULL: no memory of its own */
    uint32_t bpinfo, bprsel, bpmbl[2];

    /* bootread.c: a read of a boot partition. Lane 0. */
    struct {
        bool on;                /* BRS is 01b */
        bool due;               /* a call is deferred */
        bool held;              /* Bus Master is off */
        unsigned seq;           /* which one it is */
        uint32_t sel;           /* BPRSEL as it began */
        uint64_t addr, done;    /* bus address; bytes */
    } boot;

    /* Life: lane 0. page_size and the rest of what CC says are latched when
     * the controller becomes ready and constant until it is disabled. */
    enum envme_life life;
    unsigned lives;             /* that have ended; while all lanes rest */
    enum envme_reset reset_kind;
    bool starting;              /* CC.EN came while it could not start */
    unsigned no_power;          /* power cuts that are not over yet */
    uint32_t page_size;         /* bytes */
    uint8_t css, ams;
    unsigned io_lanes;          /* lanes that I/O queues are dealt to */
    unsigned lanes_left;        /* of a pause: not yet parked */
    unsigned drops_left;        /* of a reset: not yet empty */
    _Atomic bool stopped;       /* CSTS.CFS or shut down: no fetch */
    _Atomic bool bme;           /* Bus Master Enable */
    _Atomic uint8_t power_watch;        /* ENVME_POWER_*; see power.h */
    GQueue idle_waiters;        /* see envme_ctrl_reset() */
    unsigned flushes;           /* of a shutdown, under way */
    unsigned background;        /* requests of no command; see life.h */

    /* Queues: arrays grow with the highest identifier that exists. Lane 0
     * writes with the lanes parked. */
    struct envme_sq **sq;
    struct envme_cq **cq;
    unsigned nsq_alloc, ncq_alloc;
    unsigned nsq, ncq;          /* I/O queues that exist */
    uint16_t nsqa, ncqa;        /* allocated by Set Features, 0's based */
    _Atomic(struct envme_db_chunk *) *db;   /* [max_ioqpairs / 64 + 1] */
    unsigned db_chunks;
    bool has_dbbuf;
    struct envme_shadow dbbuf;  /* of queue 0, which has none itself */
    struct envme_mapped mapped;
    _Atomic uint32_t bad_doorbells[2];  /* register, value: for event.c */

    /* Namespaces attached, by NSID: [1 .. subsys->nn]. */
    struct envme_ns **ns;
    /* A fault: the status field of commands for one that is not attached; 0:
     * Invalid Field in Command. Lane 0 sets it. */
    _Atomic uint16_t inactive_sf;

    struct envme_lane *lane;
    unsigned nlanes;

    /* pause.c: lane 0. */
    GQueue pauses;              /* struct envme_pause, the first is active */
    bool pause_active, pause_granted;
    unsigned pause_nested;      /* granted while disabled: nothing to undo */
    GSList *waits;              /* struct envme_cmd **: envme_cmd_wait() */

    /* Features: [feats->n], and for namespace scope
     * [feats->n * (nn + 1)]. */
    struct envme_feat_val *feat;
    /* Feature 01h as the lanes take it up. */
    _Atomic uint32_t arbitration;
    /* Features 08h (as CDW11) and 09h (CD by vector) as the lanes see them. */
    _Atomic uint32_t coalescing;
    _Atomic bool *vector_cd;

    /* event.c, lane 0 */
    struct envme_event *event;
    /* errlog.c, its own leaf lock */
    struct envme_errlog *errlog;

    unsigned aborts;            /* Abort commands in flight; lane 0 */

    struct envme_power *power;  /* power.c, lane 0 */
    atomic_bool power_wanted;   /* a lane has asked lane 0 to wake up */
    _Atomic uint32_t power_scale;       /* envme_power_scale() */
    /* pace.c. The model is under its lock, a leaf. */
    struct envme_timing *timing;    /* NULL: commands take no time */
    GMutex timing_lock;
    _Atomic unsigned executing;     /* with max_inflight: I/O commands */
    _Atomic unsigned next_grant;    /* lane that is looked at first */

    /* Health: lane 0. */
    uint16_t temperature;       /* K */
    uint8_t critical_warning;   /* SMART byte 0, as injected or found */
    uint64_t power_on_ms, power_cycles, unsafe_shutdowns;
    _Atomic uint64_t media_errors;
    /* lane.c: lanes with I/O commands in hand in 9:0, since when (us) above; 0
     * when there is none. How long there were any before that; when it ended
     * last, ns. */
    _Atomic uint64_t busy, busy_us, idle_since;
    void *admin;                /* hw/admin's own state, freed by it */
};

/* ---- for the composition root ------------------------------------------ */

/*
 * Makes a controller, disabled, in the subsystem, with everything attached
 * that is there for it. Lane 0. NULL and *err (a sentence that names the
 * property; g_free) when the parameters do not fit.
 */
struct envme_ctrl *envme_ctrl_new(const struct envme_ctrl_params *params,
                                  struct envme_subsys *subsys,
                                  const struct envme_ports *ports,
                                  const struct envme_tables *tables,
                                  char **err);
/* Only when envme_ctrl_idle(), after a reset. Lane 0. */
void envme_ctrl_free(struct envme_ctrl *ctrl);

/*
 * Register accesses below 1000h, lane 0. size 1, 2, 4 or 8. Reads compose
 * bytes at any offset; writes take aligned 4 and 8 bytes (8 over two 4-byte
 * registers is two writes) and ignore others.
 */
uint64_t envme_ctrl_reg_read(struct envme_ctrl *ctrl, uint64_t off,
                             unsigned size);
void envme_ctrl_reg_write(struct envme_ctrl *ctrl, uint64_t off, uint64_t val,
                          unsigned size);
/* Doorbell write; off counts from 1000h. Any thread, no lock. */
void envme_ctrl_doorbell(struct envme_ctrl *ctrl, uint64_t off, uint64_t val,
                         unsigned size);
/* Bytes of BAR0 from 1000h that are doorbells. */
uint64_t envme_ctrl_doorbell_bytes(const struct envme_ctrl_params *params);

/* What a read of that register gives: what was written last, where doorbells
 * may be memory, else 0. Any thread. */
uint64_t envme_ctrl_doorbell_read(const struct envme_ctrl *ctrl, uint64_t off,
                                  unsigned size);
/*
 * ports.doorbells.show() has had its effect. shown: writes may go to memory.
 * hidden: whatever a CPU has stored there is stored; last: and nobody can store
 * there any more, by whatever way. Lane 0.
 */
void envme_ctrl_doorbells_shown(struct envme_ctrl *ctrl);
void envme_ctrl_doorbells_hidden(struct envme_ctrl *ctrl, bool last);
/* Doorbells trap again where they may not be memory any more; for whoever knows
 * that the kind of interrupt that the host uses has changed. Lane 0. */
void envme_ctrl_doorbells_check(struct envme_ctrl *ctrl);

/* One turn of a lane. That lane's thread. */
void envme_lane_run(struct envme_ctrl *ctrl, unsigned lane);
/*
 * Polling between turns. From begin to end the thread promises to call poll
 * again and again; hosts need not ring then where doorbells lie in memory.
 * poll: true when a turn is due, for doorbells that nobody has been told of; no
 * lock, one short look at each queue that is busy. end: from there on hosts
 * ring, and the lane has been kicked where one had written just before. That
 * lane's thread.
 */
void envme_lane_poll_begin(struct envme_ctrl *ctrl, unsigned lane);
bool envme_lane_poll(struct envme_ctrl *ctrl, unsigned lane);
void envme_lane_poll_end(struct envme_ctrl *ctrl, unsigned lane);
/* It would have helped: a queue has run empty meanwhile that a host will have
 * to ring for. Asking clears it. */
bool envme_lane_poll_wanted(struct envme_ctrl *ctrl, unsigned lane);
/*
 * Takes doorbells without a turn. How many commands wait in the queue that has
 * most, if that is fewer than want; UINT_MAX: a turn is due. Otherwise hosts
 * with shadow doorbells ring when there are as many, and somebody has to look
 * before long. That lane's thread, between turns.
 */
unsigned envme_lane_gather(struct envme_ctrl *ctrl, unsigned lane,
                           unsigned want);
/* I/O commands wait for something that is not the lane. That lane's thread. */
bool envme_lane_in_flight(const struct envme_ctrl *ctrl, unsigned lane);

/*
 * Starts a reset: registers have their reset values at once (but for what
 * ENVME_RESET_CC keeps), commands in flight are given up, and when the last
 * has let go of host memory, done(arg) is called (it may be before this
 * returns). Lane 0. done may be NULL.
 */
void envme_ctrl_reset(struct envme_ctrl *ctrl, enum envme_reset kind,
                      void (*done)(void *arg), void *arg);
/* FLR, D0: what only the composition root sees of it. Lane 0, when nothing of
 * the controller is at work. */
void envme_ctrl_entered(struct envme_ctrl *ctrl, enum envme_ctrl_state state);
/* Disabled and no command holds host memory. Lane 0. */
bool envme_ctrl_idle(const struct envme_ctrl *ctrl);

/*
 * Bus Master Enable. Off: nothing is fetched, mapped, posted or signalled
 * until it is on again; nothing is lost. Lane 0.
 */
void envme_ctrl_set_bme(struct envme_ctrl *ctrl, bool on);
/* No command has host memory mapped: with Bus Master off, no DMA can come
 * any more. Lane 0. */
bool envme_ctrl_quiet(struct envme_ctrl *ctrl);

/*
 * With cmb_legacy: the bus address at which the BAR shows the Controller
 * Memory Buffer now; UINT64_MAX: nowhere. Lane 0.
 */
void envme_ctrl_cmb_bar(struct envme_ctrl *ctrl, uint64_t addr);

/* Removes it from its subsystem: no namespaces afterwards. Idle. Lane 0. */
void envme_ctrl_leave(struct envme_ctrl *ctrl);

/* CSTS.CFS, without touching the other bits; nothing is fetched until the
 * controller is reset. Lane 0 (others: defer). */
void envme_ctrl_fatal(struct envme_ctrl *ctrl, const char *why);

/* ---- for everybody in hw/ctrl and above -------------------------------- */

static inline uint64_t envme_now(const struct envme_ctrl *ctrl)
{
    return ctrl->ports.time.now(ctrl->ports.time.opaque);
}

/* Without the hooks there is nothing to compare their cost with: such a module
 * is only for scripts/bench, and rules do nothing in it. */
#ifdef ENVME_NO_HOOKS
#define ENVME_HOOKS 0
#else
#define ENVME_HOOKS 1
#endif

/* Does somebody listen to that? ENVME_WATCH_*. */
static inline bool envme_watched(const struct envme_ctrl *ctrl, unsigned what)
{
    return ENVME_HOOKS &&
           atomic_load_explicit(&ctrl->watch, memory_order_relaxed) & what;
}

/* Are its hooks to be called? */
static inline bool envme_cmd_hit(const struct envme_cmd *cmd)
{
    return ENVME_HOOKS && cmd->fault;
}

/*
 * How host memory is reached. It may be another one the next time: what one of
 * them has mapped, any other can unmap. Any lane.
 */
static inline const struct envme_dma *envme_dma(const struct envme_ctrl *ctrl)
{
    return ENVME_HOOKS ? atomic_load_explicit(&ctrl->dma, memory_order_acquire)
                       : &ctrl->ports.dma;
}

static inline void envme_kick(struct envme_ctrl *ctrl, unsigned lane)
{
    ctrl->ports.exec.kick(ctrl->ports.exec.opaque, lane);
}

static inline void envme_defer(struct envme_ctrl *ctrl, unsigned lane,
                               envme_exec_fn *fn, void *arg)
{
    ctrl->ports.exec.defer(ctrl->ports.exec.opaque, lane, fn, arg);
}

static inline bool envme_on_lane(const struct envme_ctrl *ctrl, unsigned lane)
{
    return ctrl->ports.exec.on_lane(ctrl->ports.exec.opaque, lane);
}

/* Bytes that one command may move: 2^MDTS pages, or all there are. */
static inline uint64_t envme_ctrl_mdts_bytes(const struct envme_ctrl *ctrl)
{
    return ctrl->params.mdts ? UINT64_C(4096) << ctrl->params.mdts
                             : UINT64_MAX;
}

/* The namespace with this NSID if it is attached here, else NULL. */
static inline struct envme_ns *envme_ctrl_ns(const struct envme_ctrl *ctrl,
                                             uint32_t nsid)
{
    return nsid && nsid <= ctrl->subsys->nn ? ctrl->ns[nsid] : NULL;
}

#endif
