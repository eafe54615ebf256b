/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NVM Command Set: its table, and what its handlers share.
 * NVM Command Set 1.1.
 *
 * Threads: the lane of the command. Calls the engine (hw/ctrl) and the
 * layout (hw/ns); never hw/admin. A command set that builds on this one
 * (.base = &envme_iocs_nvm) overrides rows and check_rw.
 */
#ifndef ENVME_IOCS_NVM_NVM_H
#define ENVME_IOCS_NVM_NVM_H

#include "hw/ctrl/cmd.h"
#include "hw/ctrl/ctrl.h"

extern const struct envme_iocs envme_iocs_nvm;

/* ---- rows -------------------------------------------------------------- */

envme_run_fn envme_nvm_read, envme_nvm_write, envme_nvm_flush;
envme_run_fn envme_nvm_compare, envme_nvm_write_zeroes, envme_nvm_dsm;
envme_run_fn envme_nvm_verify, envme_nvm_write_uncor;
envme_run_fn envme_nvm_copy;

/* What has to wait for others, and what others have to wait for. */
envme_enter_fn envme_nvm_enter_read, envme_nvm_enter_write;
envme_enter_fn envme_nvm_enter_compare, envme_nvm_enter_copy;
envme_enter_fn envme_nvm_enter_zeroes;
/* The first of a fused pair against the second. */
struct envme_status envme_nvm_check_fused(struct envme_cmd *cmd);
/* For a command with its own idea of which blocks it may write. */
struct envme_status envme_nvm_enter(struct envme_cmd *cmd, uint64_t slba,
                                    uint64_t nlb);

/* Read, Write, Compare: check the command, then say what it moves. */
envme_len_fn envme_nvm_read_len, envme_nvm_write_len, envme_nvm_md_len;
envme_len_fn envme_nvm_compare_len;
/* Write Zeroes, Verify: check, move nothing. */
envme_len_fn envme_nvm_write_zeroes_len, envme_nvm_verify_len;
envme_len_fn envme_nvm_uncor_len;
envme_len_fn envme_nvm_dsm_len, envme_nvm_copy_len;

/* The blocks from CDW10 to 12; those that a Copy's ranges have. */
envme_work_fn envme_nvm_work, envme_nvm_copy_work;

struct envme_status envme_nvm_check_rw(struct envme_cmd *cmd, uint64_t slba,
                                       uint32_t nlb, bool is_write);
void envme_nvm_identify_ns(struct envme_ctrl *ctrl, struct envme_ns *ns,
                           void *buf);
void envme_nvm_identify_format(struct envme_ctrl *ctrl, struct envme_ns *ns,
                               unsigned format, void *buf);
void envme_nvm_identify_ctrl(struct envme_ctrl *ctrl, void *buf);

/* ---- the LBA range of a command ---------------------------------------- */

static inline uint64_t envme_nvm_slba(const struct envme_cmd *cmd)
{
    return (uint64_t)envme_cmd_cdw(cmd, 11) << 32 | envme_cmd_cdw(cmd, 10);
}

static inline uint32_t envme_nvm_nlb(const struct envme_cmd *cmd)
{
    return FIELD_GET(ENVME_RW_NLB, envme_cmd_cdw(cmd, 12)) + 1;
}

/* ---- what the SMART log counts ------------------------------------------ */

/* Others read it at any time; one thread writes it. */
static inline void envme_nvm_add(_Atomic uint64_t *counter, uint64_t n)
{
    uint64_t v = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, v + n, memory_order_relaxed);
}

/* Of the lane on whose thread the command runs. */
static inline struct envme_lane_stats *envme_nvm_stats(struct envme_cmd *cmd)
{
    return cmd->moved ? &cmd->ctrl->lane[0].stats : &cmd->lane->stats;
}

static inline void envme_nvm_count_read(struct envme_cmd *cmd,
                                        unsigned commands)
{
    struct envme_lane_stats *stats = envme_nvm_stats(cmd);

    envme_nvm_add(&stats->reads, commands);
    envme_nvm_add(&stats->read_bytes,
                  envme_ns_blocks_to_bytes(cmd->ns, envme_nvm_nlb(cmd)));
}

static inline void envme_nvm_count_write(struct envme_cmd *cmd)
{
    struct envme_lane_stats *stats = envme_nvm_stats(cmd);

    envme_nvm_add(&stats->writes, 1);
    envme_nvm_add(&stats->written_bytes,
                  envme_ns_blocks_to_bytes(cmd->ns, envme_nvm_nlb(cmd)));
}

/* ---- checks ------------------------------------------------------------- */

/* Write, Write Zeroes: what is written. */
void envme_nvm_write_range(const struct envme_cmd *cmd, uint64_t *slba,
                           uint64_t *nlb);

/* slba and nlb of cmd against the namespace and its command set. */
struct envme_status envme_nvm_check_range(struct envme_cmd *cmd,
                                          bool is_write);
/* Does the host name a directive? Is it one that is enabled? */
struct envme_status envme_nvm_check_directive(struct envme_cmd *cmd);
/* The write belongs to a stream: it is counted there. */
void envme_nvm_stream(struct envme_cmd *cmd);
/* WRITE and WRITE_ZEROES: must it be on stable storage when it is done? */
unsigned envme_nvm_write_flags(const struct envme_cmd *cmd);

/* Read, Compare, Verify with FUA: what is cached goes to stable storage before
 * it is read. */
static inline bool envme_nvm_read_flushes(const struct envme_cmd *cmd)
{
    return FIELD_GET(ENVME_RW_FUA, envme_cmd_cdw(cmd, 12)) &&
           cmd->ns->geo.volatile_cache;
}

/* ---- blocks that must not be read: probe.c ----------------------------- */

/* Unrecovered Read Error after Write Uncorrectable. */
struct envme_status envme_nvm_check_bad(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint64_t slba,
                                        uint64_t nlb);
/* Is reading deallocated blocks of it an error for this host? */
bool envme_nvm_dulbe(const struct envme_cmd *cmd, const struct envme_ns *ns);

/*
 * Looks for deallocated blocks in a range, one STATUS after the other: as long
 * as request() has one for the backend, answer() is shown the result, and
 * says whether there is such a block: then *lba is the first.
 */
struct envme_nvm_probe {
    uint64_t off, end;          /* bytes; off: what has been looked at */
    uint64_t hole;              /* from here to off it is deallocated */
};

void envme_nvm_probe_start(struct envme_nvm_probe *p,
                           const struct envme_ns *ns, uint64_t slba,
                           uint64_t nlb);
bool envme_nvm_probe_request(const struct envme_nvm_probe *p,
                             struct envme_bio *bio);
bool envme_nvm_probe_answer(struct envme_nvm_probe *p,
                            const struct envme_ns *ns,
                            const struct envme_bio *bio, uint64_t *lba);
struct envme_status envme_nvm_deallocated(struct envme_cmd *cmd);

struct envme_status envme_nvm_guard_slow(struct envme_cmd *cmd,
                                         envme_run_fn *run);

/* run(cmd), if all blocks of the command may be read. The handler's state is
 * run()'s only from then on. */
static inline struct envme_status envme_nvm_guard(struct envme_cmd *cmd,
                                                  envme_run_fn *run)
{
    const struct envme_ns *ns = cmd->ns;

    if (!atomic_load_explicit(&ns->nbad, memory_order_acquire) &&
        !atomic_load_explicit(&ns->dulbe, memory_order_acquire)) {
        return run(cmd);
    }
    return envme_nvm_guard_slow(cmd, run);
}

/* ---- protection information -------------------------------------------- */

static inline uint8_t envme_nvm_prinfo(const struct envme_cmd *cmd)
{
    return FIELD_GET(ENVME_RW_PRINFO, envme_cmd_cdw(cmd, 12));
}

/* Metadata bytes per block that the host has in its buffers. */
static inline uint16_t envme_nvm_host_ms(const struct envme_cmd *cmd)
{
    const struct envme_ns *ns = cmd->ns;

    return ns->pi.type ? envme_pi_host_ms(&ns->pi, envme_nvm_prinfo(cmd) &
                                          ENVME_PRINFO_PRACT) : ns->ms;
}

/* Invalid Protection Information; pract: may PRACT be set? */
struct envme_status envme_nvm_check_pi(struct envme_cmd *cmd, bool pract);

/* The commands on a namespace that has it. */
envme_run_fn envme_nvm_pi_read, envme_nvm_pi_write, envme_nvm_pi_compare;
envme_run_fn envme_nvm_pi_verify, envme_nvm_pi_zeroes;

/* Turns the tuples in the metadata of nlb blocks from what lies on the medium
 * into what they are, or back: see layout.h. */
void envme_nvm_pi_flip(const struct envme_pi *pi, uint8_t *md, uint64_t nlb);

/* Checks or generates the tuples of nlb blocks that lie one after the other in
 * memory of ours. */
struct envme_status envme_nvm_pi_run(const struct envme_ns *ns,
                                     struct envme_pi_run *run, uint64_t nlb,
                                     uint8_t *data, uint8_t *md,
                                     bool generate);

/* ---- several backend requests, one after the other --------------------- */

/*
 * The step function of a handler. Called with err 0 first, then with the
 * result of each request. It returns ENVME_ST_PENDING with the next request
 * in cmd->bio, or the status that ends the command.
 *
 * The loop stands at the beginning of the handler's state (cmd->u).
 */
typedef struct envme_status envme_nvm_step_fn(struct envme_cmd *cmd, int err);

struct envme_nvm_loop {
    envme_nvm_step_fn *step;
    struct envme_ns *ns;        /* whose backend; a step may change it */
    bool keep;                  /* bad blocks were written: see below */
};

/*
 * A write has been carried out: blocks that could not be read can be again,
 * and that has to be on the disk before the host hears of it, or an old mark
 * would come back after a power cut. Says whether it has to be kept so.
 */
bool envme_nvm_written(struct envme_cmd *cmd);

/* The rest of the state has been set up. For the handler to return. */
struct envme_status envme_nvm_loop(struct envme_cmd *cmd, struct envme_ns *ns,
                                   envme_nvm_step_fn *step);

/* ---- host memory in pieces --------------------------------------------- */

/*
 * A place in a command's vector that goes through `take` bytes, leaves out
 * `skip`, and so on: the data or the metadata of interleaved blocks. take 0:
 * everything.
 */
struct envme_nvm_cursor {
    const struct iovec *iov;
    unsigned niov, i;
    uint32_t take, skip, in;    /* in: bytes gone through of this take */
    size_t off;                 /* in iov[i] */
};

void envme_nvm_cursor_data(struct envme_nvm_cursor *c,
                           const struct envme_cmd *cmd);
void envme_nvm_cursor_md(struct envme_nvm_cursor *c,
                         const struct envme_cmd *cmd);
/*
 * The next piece, of at most *len bytes, and on; NULL at the end. *len is
 * how long it is.
 */
void *envme_nvm_cursor_next(struct envme_nvm_cursor *c, size_t *len);
/*
 * The next `bytes` bytes, or fewer when that takes more than max elements:
 * then a multiple of align, maybe 0. Returns the elements, *bytes how many.
 */
unsigned envme_nvm_cursor_slice(struct envme_nvm_cursor *c, struct iovec *iov,
                                unsigned max, uint32_t align,
                                uint64_t *bytes);

/* ---- the areas of a range on the backend ------------------------------- */

enum envme_nvm_phase {
    ENVME_NVM_START,
    ENVME_NVM_DATA,
    ENVME_NVM_MD,
    ENVME_NVM_END,
};

/* First the data of the blocks, then their metadata if they have any. */
struct envme_nvm_area {
    uint64_t slba;
    uint64_t nlb;
    enum envme_nvm_phase phase;
    uint64_t off, left;         /* bytes on the backend, of this phase */
};

void envme_nvm_area_init(struct envme_nvm_area *a, uint64_t slba,
                         uint64_t nlb);
/* `done` bytes of the phase are through; on to the next when none is left.
 * False at the end. *turned: a phase has begun. */
bool envme_nvm_area_next(struct envme_nvm_area *a, const struct envme_ns *ns,
                         uint64_t done, bool *turned);
/* ENVME_BIO_MORE and _CONT for a request of `now` bytes that comes next. */
unsigned envme_nvm_area_flags(const struct envme_nvm_area *a,
                              const struct envme_ns *ns, uint64_t now);

/* What is read into our own memory at once. */
#define ENVME_NVM_CHUNK (128u << 10)
/* Zeroed at once. A multiple of every alignment. */
#define ENVME_NVM_ZERO_CHUNK (1ull << 30)

#endif
