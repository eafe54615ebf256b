/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of this room share: a rule, what it matches, what it does,
 * and the tables of both.
 *
 * A rule is made on lane 0 and constant then, but for what is under the
 * owner's lock (trigger, verdict). It is counted, because commands that it has
 * fired on may outlive it.
 */
#ifndef ENVME_FAULT_RULES_H
#define ENVME_FAULT_RULES_H

#include "hw/core/deadline.h"
#include "hw/core/trigger.h"
#include "hw/ctrl/cmd.h"
#include "hw/fault/fault.h"
#include "hw/fault/schema.h"

/* ---- what a rule looks at ---------------------------------------------- */

/* "on" */
enum fault_on {
    FAULT_ON_COMMAND,
    FAULT_ON_REGISTER,
    FAULT_ON_DOORBELL,
    FAULT_ON_INTERRUPT,
    FAULT_ON_STATE,
    FAULT_ON_TIME,
    FAULT_ON_DMA,
    FAULT_NON,
};

#define FAULT_BIT(on) (1u << (on))
/* For actions that any of them can start. */
#define FAULT_ON_ALL ((1u << FAULT_NON) - 1)

/* UINT64_MAX is never, and so is what comes after it. ns. */
static inline uint64_t fault_after(uint64_t at, uint64_t ns)
{
    return at > UINT64_MAX - ns ? UINT64_MAX : at + ns;
}

/* Values of "until": "reset" is 1. */
extern const struct envme_schema_name fault_until_names[];

enum fault_queue { FAULT_QUEUE_ANY, FAULT_QUEUE_ADMIN, FAULT_QUEUE_IO };

/* An opcode by name says which queue, too. */
#define FAULT_OPC_ADMIN 0x100
#define FAULT_OPC_IO    0x200

struct fault_match {
    uint64_t queue;             /* enum fault_queue */
    struct envme_schema_range qid, nsid, lba, cid, prp;
    uint64_t opcode, fid, lid, cns;
    GByteArray *sqe, *mask;     /* up to 64 bytes each */
    uint64_t reg, access, state;
    struct envme_schema_range value, vector, address, unflushed;
    bool has_address, has_unflushed, has_qid, has_nsid, has_lba, has_cid, has_prp, has_opcode, has_fid;
    bool has_lid, has_cns, has_reg, has_state, has_value, has_vector;
};

/* ---- something that happens -------------------------------------------- */

struct fault_event {
    enum fault_on on;
    struct envme_ctrl *ctrl;
    struct envme_cmd *cmd;      /* COMMAND */
    uint64_t reg, value;        /* REGISTER, DOORBELL (value) */
    uint64_t addr, last;        /* DMA: bus addresses, both belong to it */
    bool is_write;              /* REGISTER; DMA: host memory is written */
    unsigned qid;               /* DOORBELL, INTERRUPT */
    bool is_cq;
    unsigned vector;            /* INTERRUPT */
    unsigned state;             /* STATE: 1 << enum envme_ctrl_state */
};

/* ---- what a rule does -------------------------------------------------- */

struct fault_rule;
struct fault_fired;

/* What REGISTER, DOORBELL, INTERRUPT and DMA actions change. */
struct fault_change {
    uint64_t value;
    bool lost;
    enum envme_irq_how how;
    unsigned vector;
    uint64_t delay;             /* ns; UINT64_MAX: for ever */
    uint64_t slow;              /* DMA: ns */
};

struct fault_action_row {
    const char *name, *help;
    unsigned on;                /* FAULT_BIT()s: where it may stand */
    struct envme_schema schema; /* of an object; n 0: takes none */
    const char *scalar;         /* the field that a plain value stands for */
    bool plain;                 /* true stands for an object with nothing in */
    size_t size;                /* of args */
    void (*init)(void *args);   /* defaults; may be NULL: zeroes */
    bool (*check)(struct envme_schema_ctx *ctx, struct envme_faults *f,
                  void *args);  /* may be NULL */
    void (*free)(void *args);   /* what the schema does not free */
    /* Any may be NULL. Lane of the command, without the lock. */
    void (*fetched)(const void *args, struct envme_cmd *cmd);
    bool (*pre)(const void *args, struct fault_fired *fired,
                struct envme_cmd *cmd, struct envme_status *st);
    void (*ended)(const void *args, struct fault_fired *fired,
                  struct envme_cmd *cmd, struct envme_status st);
    /* Like ended, after that of all others: they find the data there. */
    void (*ended_last)(const void *args, struct fault_fired *fired,
                       struct envme_cmd *cmd, struct envme_status st);
    struct envme_status (*post)(const void *args, struct envme_cmd *cmd,
                                struct envme_status st);
    /* Is its completion kept back, until when? Asked again then, or when the
     * command has to go. */
    bool (*keep)(const void *args, struct fault_fired *fired,
                 struct envme_cmd *cmd, uint64_t *until);
    bool (*may_post)(const void *args, struct envme_cmd *cmd);
    enum envme_cqe_how (*cqe)(const void *args, struct envme_cmd *cmd,
                              struct envme_cqe *cqe);
    /* Frees what pre left in fired->mem. The entry has been posted, if it is
     * to be. */
    void (*gone)(struct fault_fired *fired, struct envme_cmd *cmd);
    void (*change)(const void *args, const struct fault_event *ev,
                   struct fault_change *c);
    /* DMA: change() may make it slow, and so a command late. */
    bool slows;
    /* Anything else, once per hit, on lane 0 soon after. */
    void (*lane0)(const void *args, struct envme_faults *f);
    /* The rule is disarmed or replaced: lets go of what it keeps. Lane 0. */
    void (*drop)(const void *args, struct fault_rule *r,
                 struct envme_faults *f);
};

struct fault_action {
    const struct fault_action_row *row;
    void *args;
};

/* The tables, by the files that have them; each ends with a NULL name. */
extern const struct fault_action_row fault_actions_cmd[];
extern const struct fault_action_row fault_actions_data[];
extern const struct fault_action_row fault_actions_reg[];
extern const struct fault_action_row fault_actions_ctrl[];
extern const struct fault_action_row fault_actions_health[];
extern const struct fault_action_row fault_actions_medium[];
extern const struct fault_action_row fault_actions_ns[];
extern const struct fault_action_row fault_actions_bus[];
extern const struct fault_action_row fault_actions_power[];
extern const struct fault_action_row fault_actions_irq[];
extern const struct fault_action_row fault_actions_latedata[];
extern const struct fault_action_row fault_actions_post[];
extern const struct fault_action_row fault_actions_queue[];
/* Goes round all of them: NULL starts, NULL ends. */
const struct fault_action_row *fault_action_next(
    const struct fault_action_row *row);

/* ---- what the host must do then ---------------------------------------- */

/* One thing that a host can do. */
struct fault_step {
    enum fault_on on;           /* COMMAND, REGISTER (writes), STATE */
    bool is_admin;
    bool any;                   /* of that kind */
    uint64_t what;              /* opcode, offset, 1 << state */
    char *text;
};

struct fault_expect {
    GArray *next, *any, *never; /* struct fault_step, or NULL */
    uint64_t within;            /* ns */
};

/* ---- a rule ------------------------------------------------------------ */

struct fault_rule {
    gatomicrefcount ref;
    char *name;
    uint64_t on;                /* enum fault_on */
    struct fault_match match;
    struct envme_when when;
    char *after_rule;           /* name; or NULL */
    struct fault_rule *after;   /* looked up when all are there; not counted */
    uint64_t until_reset;       /* or 0 */
    uint64_t period;            /* TIME: ns; 0: once */
    bool armed;                 /* at the start */
    bool injected;              /* by feature C0h */
    char *description;          /* or NULL */
    GArray *actions;            /* struct fault_action */
    struct fault_expect expect;
    bool has_expect;
    char *forbid;               /* text; or NULL */

    /* Under the owner's lock. */
    bool is_armed;
    struct envme_trigger trigger;
    struct envme_sqe first_sqe, last_sqe;
    uint16_t first_qid, last_qid;
    uint64_t first_at, last_at; /* ns since activation */
    bool has_sqe;
    unsigned step;              /* of expect.next */
    bool open;                  /* an expectation waits since open_at */
    uint64_t open_at;
    bool ticked;                /* TIME: has fired, the last time then */
    uint64_t ticked_at;
    uint64_t met, failed;
    char *why;                  /* of the first failure */
};

struct fault_rule *fault_rule_ref(struct fault_rule *r);
void fault_rule_unref(struct fault_rule *r);

/* What a file says. */
struct fault_set {
    GPtrArray *rules;           /* struct fault_rule, counted */
    uint64_t seed;
    bool active;
};

/* NULL: *err. */
struct fault_set *fault_set_parse(struct envme_faults *f, GVariant *tree,
                                  char **err);
void fault_set_free(struct fault_set *set);

/* The whole of a file; all others are its parts (.sub), but the actions. */
extern const struct envme_schema fault_file_schema;

/* match.c */
extern const struct envme_schema fault_match_schema;
bool fault_match_check(struct envme_schema_ctx *ctx, uint64_t on,
                       const struct fault_match *m);
bool fault_matches(const struct fault_match *m, const struct fault_event *ev);
/* Adds the commands that may match to `looks` of the owner. */
void fault_match_looks(const struct fault_match *m,
                       uint64_t looks[2][256 / 64]);
/* Names of commands, log pages, features, CNS values, registers. arg: the
 * controller. */
bool fault_name_opcode(void *arg, const char *name, uint64_t *value);
bool fault_name_register(void *arg, const char *name, uint64_t *value);
bool fault_name_status(void *arg, const char *name, uint64_t *value);
/* A status's name, from those that fault_name_status() knows; g_free. */
char *fault_status_name(unsigned index);

/* expect.c */
bool fault_read_steps(struct envme_schema_ctx *ctx, GVariant *v, void *field);
void fault_steps_free(GArray *steps);
bool fault_step_is(const struct fault_step *step,
                   const struct fault_event *ev);

/* ---- one hit on a command ---------------------------------------------- */

struct fault_fired {
    struct fault_rule *rule;    /* counted */
    const struct fault_action *action;
    void *mem;                  /* the action's own */
    uint64_t slow;              /* ns; of dma.c */
    bool done;                  /* ended(), ended_last() have been */
};

/* cmd->fault */
struct fault_cmd {
    unsigned n;
    struct fault_fired fired[];
};

/* ---- the bus ----------------------------------------------------------- */

enum fault_bus_what { FAULT_BUS_LINK, FAULT_BUS_HANG, FAULT_BUS_MASTER,
                      FAULT_NBUS };

/* act-bus.c. Lane 0. */
struct fault_bus {
    /* Something is wrong until then, ns; 0: nothing is, UINT64_MAX: for ever. */
    uint64_t until[FAULT_NBUS];
    unsigned bits[FAULT_NBUS];  /* ENVME_BUS_*, what it is */
};

/* ---- the owner --------------------------------------------------------- */

struct envme_faults {
    gatomicrefcount ref;        /* who was deferred to lane 0 has one */
    bool dead;                  /* lane 0: the controller is gone */
    bool dying;                 /* lane 0: it is about to be */
    struct fault_rule *doing;   /* lane 0: whose lane0() runs now */
    struct envme_ctrl *ctrl;
    struct envme_fault_world world;
    GMutex lock;
    struct fault_set *set;      /* under the lock; or NULL */
    GVariant *tree;
    bool active;
    uint64_t active_at;
    /* By I/O or admin, and opcode: may a rule look at such a command? Set
     * under the lock, read without it. */
    _Atomic uint64_t looks[2][256 / 64];
    GQueue todo;                /* under the lock: struct fault_todo */
    struct envme_deadline due;  /* lane 0: expectations and TIME rules */
    struct envme_dma dma;       /* dma.c's decorator */
    _Atomic bool may_slow;      /* some rule may make DMA slow */
    struct fault_bus bus;       /* lane 0 */
    GArray *overrides;          /* under the lock: struct fault_override */
    GQueue effects;             /* lane 0: struct fault_effect */
    unsigned round;             /* lane 0: grows when all effects end */
    struct envme_deadline effects_due;
    bool effects_reset;         /* under the lock: some end with a reset */
    GQueue lates;               /* under the lock: struct fault_late, by at */
    atomic_uint late_round;     /* grows when other rules end some */
    _Atomic uint64_t aside;     /* act-latedata.c: bytes that it holds */
    struct fault_inject *inject;    /* lane 0; or NULL */
    void (*event)(void *opaque, GVariant *ev);
    void *event_opaque;
};

/* A register reads differently for a time. */
struct fault_override {
    uint64_t reg;
    uint64_t set, clear;
    uint64_t until;             /* ns; UINT64_MAX: for ever */
    bool until_reset;
};

/* ---- what comes later -------------------------------------------------- */

struct fault_late;

struct fault_late_kind {
    size_t size;
    unsigned watch;             /* ENVME_WATCH_..: while there is one */
    /* Its time has come. true: it stays, with a later `at`. */
    bool (*due)(struct fault_late *l);
    /* It is over, or given up, and is freed next. */
    void (*over)(struct fault_late *l);
};

/* Something that happens later, or ends then. Owner: the list. Lane 0, but for
 * making one. */
struct fault_late {
    const struct fault_late_kind *kind;
    struct envme_faults *f;
    uint64_t at;                /* ns; UINT64_MAX: when something ends it */
    bool past_reset, past_rules;    /* those do not end it */
    bool is_charged;            /* its maker bounds how many there are */
};

/* late.c. Any thread. In `delay` ns (UINT64_MAX: never); its kind's own is
 * zero. */
void *fault_late_new(struct envme_faults *f,
                     const struct fault_late_kind *kind, uint64_t delay);
/* false: there are too many, and it has been freed. */
bool fault_late_add(struct fault_late *l);
/* A doorbell write or the interrupt of a CQ is held back. false: it is not. */
bool fault_late_doorbell(struct envme_faults *f, unsigned qid, bool is_cq,
                         uint32_t val, uint64_t delay);
bool fault_late_irq(struct envme_faults *f, const struct envme_cq *cq,
                    unsigned vector, uint64_t delay);
/* fn(l) with the lanes parked, for a copy of l. Lane 0. */
void fault_late_parked(struct fault_late *l, void (*fn)(struct fault_late *l));

enum fault_late_end {
    FAULT_LATE_RESET, FAULT_LATE_RULES, FAULT_LATE_ALL,
};
/* For set.c. next, watch: under the lock. run, end: without; lane 0. */
uint64_t fault_late_next(struct envme_faults *f);
unsigned fault_late_watch(struct envme_faults *f);
void fault_late_run(struct envme_faults *f);
void fault_late_end(struct envme_faults *f, enum fault_late_end why);

/* What is watched has changed; lane 0 is to look. Any thread, no lock. */
void fault_look_again(struct envme_faults *f);

/* act-queue.c: is nothing fetched from this SQ? No lock. */
bool fault_stalled(struct envme_faults *f, unsigned qid);

/* What has fired on a command for these arguments. Its lane. */
struct fault_fired *fault_fired_of(const struct envme_cmd *cmd,
                                   const void *args);

/* For what outlives them; see `dead`. */
struct envme_faults *fault_faults_ref(struct envme_faults *f);
void fault_faults_unref(struct envme_faults *f);
/* A sentence for whoever runs the machine. Lane 0. */
void fault_note(struct envme_faults *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Lane 0. */
void fault_override_add(struct envme_faults *f,
                        const struct fault_override *o);
/* effect.c: is there something that ends with a reset? And what comes when
 * the time of one has come. Lane 0. */
void fault_watch_resets(struct envme_faults *f, bool on);
void fault_effects_due(struct envme_deadline *d);
/* Arms or disarms the rule of that name. Lane 0. */
bool fault_arm(struct envme_faults *f, const char *name, bool on);
/* The rules of this set take the place of the injected ones; frees it. Lane 0. */
void fault_splice(struct envme_faults *f, struct fault_set *set);
/* How often the rule of that name has fired. */
uint64_t fault_hits(struct envme_faults *f, const char *name);

/* inject.c. Lane 0. */
void fault_inject_new(struct envme_faults *f);
void fault_inject_free(struct envme_faults *f);
/* Other rules are loaded: nothing is injected any more. */
void fault_inject_forget(struct envme_faults *f);

#endif
