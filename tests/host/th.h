/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fake host: a composition root that runs the whole controller in a plain
 * process. Guest memory, interrupts, a clock, lanes, a backend that does what
 * the test wants, and a small NVMe driver on top.
 *
 * Two ways to run lanes. By default one thread plays them all, one piece of
 * work after the other, and th_run() goes on until nothing is left to do; with
 * a seed the order between lanes is random but the same each time. With
 * .threads there is a real thread per lane, and the test thread is lane 0.
 *
 * What is always checked, at once and fatally: every map is unmapped once with
 * its own length; no DMA and no interrupt between the end of a reset and the
 * next enable; no unmap while Bus Master is off and the controller said to be
 * quiet (all else the port then refuses, and holds interrupts back); nothing is
 * read before it was mapped or after it was unmapped (a map is a heap copy, so
 * AddressSanitizer sees it); every completion belongs to a command that is
 * outstanding on the queue that it names, with the phase tag in order.
 *
 * A failed check of the host's own kind ends the test program (g_error).
 */
#ifndef TESTS_HOST_TH_H
#define TESTS_HOST_TH_H

#include <errno.h>
#include <glib.h>
#include <stdatomic.h>
#include <string.h>

#include "envme/feat.h"
#include "envme/id.h"
#include "envme/log.h"
#include "envme/nvm.h"
#include "hw/admin/admin.h"
#include "hw/ctrl/cmd.h"
#include "hw/ctrl/ctrl.h"
#include "hw/ctrl/errlog.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/feature.h"
#include "hw/ctrl/pause.h"
#include "hw/ctrl/queue.h"
#include "hw/ns/backend-mem.h"
#include "hw/ns/vwc.h"

#define KIB (1024ull)
#define MIB (1024ull * 1024)

#define TH_MAX_LANES 8
#define TH_MAX_NS    8

/* ---- the bus ----------------------------------------------------------- */

#define TH_RAM_SIZE   (64 * MIB)        /* from address 0 */
/* In the middle of RAM, so that buffers and queues can run into it. */
#define TH_HOLE_BASE  (48 * MIB)
#define TH_HOLE_SIZE  (1 * MIB)
/* Another device's registers: lane 0 only, no map. */
#define TH_MMIO_BASE  0x0000000440000000ull
#define TH_MMIO_SIZE  (1 * MIB)
/* This controller's BAR0. */
#define TH_BAR_BASE   0x00000000febf0000ull
/* A little RAM right below it, so that a buffer can run into the BAR. */
#define TH_LOW_SIZE   (64 * KIB)
#define TH_LOW_BASE   (TH_BAR_BASE - TH_LOW_SIZE)
/* Its own memory, as the CPU sees it. The device has to find it by itself: the
 * bus refuses it, as it does BAR0. */
#define TH_CMB_BASE   0x0000000500000000ull
#define TH_PMR_BASE   0x0000000600000000ull
/* Nothing there at all. */
#define TH_VOID_BASE  0x0000001000000000ull

/* What can be made to fail, and is counted. */
enum th_at {
    TH_AT_READ,                 /* dma.read */
    TH_AT_WRITE,                /* dma.write */
    TH_AT_MAP,                  /* dma.map */
    TH_AT_SUBMIT,               /* backend submit: refused at once */
    TH_AT_DONE,                 /* backend submit: fails when it completes */
    TH_AT_ALLOC,                /* g_try_malloc() and its kin */
    TH_AT_MAX,
};

/* ---- backend ----------------------------------------------------------- */

struct th_be;

struct th_bio {
    struct th_be *be;
    struct envme_bio *bio;      /* the controller's */
    struct envme_bio inner;     /* ours, to the inner backend */
    unsigned lane;              /* where it was submitted */
    bool ready, cancelled, inner_busy;
    int err;                    /* fail with it */
    GList link;
};

/* A decorator: holds requests back, fails them, changes the geometry. */
struct th_be {
    struct envme_backend be;
    struct envme_backend *inner;
    struct th *h;
    struct envme_geometry geo;  /* what it says; geometry() returns this */
    /* Test thread, or before the lanes run. */
    atomic_bool hold;           /* bios wait for th_be_release() */
    atomic_bool later;          /* bios complete from the scheduler */
    bool cancel_completes;      /* a cancelled bio becomes ready (-ECANCELED) */
    bool cache_on;
    int fail_errno;             /* with fail_op: all of this kind fail */
    int fail_op;                /* -1: none */
    GQueue bios[TH_MAX_LANES];  /* struct th_bio; that lane's thread */
    atomic_uint nbios;
    atomic_uint ncancelled, nsubmitted, nops[8], nfua;
    atomic_uint nexpected;
    _Atomic uint64_t expected;  /* the last offset that was */
    bool closed;
};

/* Holds the newest one too. Returns how many are held. */
unsigned th_be_held(struct th_be *be);
/* Lets the nth oldest held bio complete, with err (0: carry it out). */
void th_be_release(struct th_be *be, unsigned n, int err);
void th_be_release_all(struct th_be *be, int err);
/* In an order that the host's random numbers give. */
void th_be_release_random(struct th_be *be);
/* The size changes under the namespace's feet, as with a resized file. */
void th_be_resize(struct th_be *be, uint64_t size);

/* ---- the host ---------------------------------------------------------- */

struct th_ns_opts {
    uint64_t size;              /* bytes; 0: no such namespace */
    uint32_t lbs;               /* 0: 512 */
    uint16_t ms;
    uint8_t pi, pil, pif, pi_sts;
    uint16_t nawun, nabsn, nabo;
    bool mset, detached, priv, read_only, write_cache;
    uint32_t nsid;              /* 0: next */
    uint32_t align;             /* backend's, 0: 512 */
    uint32_t max_transfer, max_iov;
    uint8_t csi;
    void *mem;                  /* that many bytes; NULL: its own, which may
                                 * grow */
    bool nguid_auto;            /* no identifiers but a made up NGUID */
    bool hold;                  /* th_be.hold from the start */
    uint64_t vwc;               /* a volatile write cache of that size */
    uint16_t nawupf, nabspf;
};

struct th_opts {
    unsigned lanes;             /* I/O lanes; 0: I/O on lane 0 as well */
    bool threads;
    uint64_t seed;              /* 0: fixed order */
    struct th_ns_opts ns[TH_MAX_NS];
    unsigned nn;                /* 0: 16 */
    struct th *peer;            /* in this one's subsystem */
    const char *state;          /* file; written inline without .threads */
    const struct envme_state_ops *state_ops;    /* NULL: the system's */
    void (*tweak)(struct envme_ctrl_params *p);
    bool map_direct;            /* maps are guest memory itself */
    size_t map_max;             /* bytes per map, 0: any */
    bool no_ns;                 /* none at all; else a 1 MiB one by default */
    bool multi;                 /* a subsystem for several controllers */
    bool intx;                  /* interrupts show as a level */
    uint64_t mapped;            /* bytes of doorbells that may be memory */
    unsigned slow;              /* with threads: time goes by so much slower */
    bool brisk;                 /* with threads: seldom made to wait, and the
                                 * processor is given up between turns */
    bool poll;                  /* I/O lanes' threads poll, now and then */
    bool gather;                /* turns are put off, now and then */
    uint64_t cmb, pmr;          /* bytes of its own memory; 0: none */
    bool pmr_read_only;
    const struct envme_tables *tables;  /* NULL: the product's own */
};

/* A command that the driver has submitted. */
struct th_cmd {
    struct envme_sqe sqe;
    struct envme_cqe cqe;
    bool done;
    bool abandoned;             /* nobody waits: dropped when it completes */
};

struct th_cq {
    uint16_t id, vector;
    uint64_t base;              /* contiguous or, with pages, not */
    uint64_t *pages;
    uint32_t size, head;
    bool phase, live;
    bool manual;                /* th_wait() doesn't reap it */
    uint64_t list;              /* PRP list page of a scattered queue */
};

struct th_sq {
    uint16_t id, cqid;
    uint64_t base;
    uint64_t *pages;
    uint32_t size, tail, head;
    uint16_t next_cid;
    bool live;
    GHashTable *cmds;           /* cid -> struct th_cmd */
    unsigned nout;              /* outstanding */
    uint64_t list;
};

struct th_vec {
    atomic_uint raised, pulsed, lowered;
    atomic_uint forced;         /* although masked */
};

#define TH_NVEC 2048

struct th_lane {
    struct th *h;
    unsigned index;
    GMutex lock;                /* threads mode: all below */
    GCond cond;
    GQueue jobs;                /* struct th_job */
    bool kicked, stop;
    uint64_t deadline;
    GThread *thread;
    bool polling;               /* its own thread */
    bool holding;               /* its own thread: a turn has been put off */
};

struct th {
    struct th_opts opts;
    struct envme_ctrl_params params;
    struct envme_ctrl *ctrl;
    struct envme_subsys *subsys;
    struct envme_ports ports;
    struct th *next;            /* ring of hosts that run together */
    bool owns_subsys;

    struct envme_ns *ns[TH_MAX_NS];
    struct th_be *be[TH_MAX_NS];
    struct envme_backend *vwc[TH_MAX_NS];       /* in front of it, or NULL */
    unsigned nns;

    /* memory */
    uint8_t *ram;               /* RAM, hole included */
    uint8_t *mmio, *low;
    uint8_t *used;              /* per page: allocated by the driver */
    unsigned page_hint;
    GRand *rand;                /* test thread */
    atomic_uint maps;           /* outstanding */
    _Atomic uint64_t map_sum;   /* of their addresses, lengths: 0 at rest */
    atomic_uint calls[TH_AT_MAX];
    atomic_uint fail_at[TH_AT_MAX];     /* fails when calls reaches it */
    atomic_int fail_err[TH_AT_MAX];
    atomic_uint failed[TH_AT_MAX];
    _Atomic(const char *) closed;       /* no DMA, no interrupt: why */
    atomic_bool bme;            /* the port's */
    atomic_bool bme_quiet;      /* off, and nothing is mapped any more */
    atomic_uint refused;        /* with -EBUSY */
    atomic_uint dma_ops;        /* that went through */
    atomic_uint loads;          /* by which threads are slowed down */
    /* When set: other than for queue entries, there is memory only here. */
    uint64_t window_lo, window_hi;
    atomic_uint self_dma, mmio_ops, bad_addr;
    uint8_t hit[TH_RAM_SIZE / 4096];    /* pages written by the device; */
    bool track_hits;                    /* single-thread only */

    /* its own memory */
    uint8_t *cmb, *pmr;
    uint64_t cmb_at;            /* where th_mem() finds the CMB, too */
    uint64_t own_at;            /* next page for TH_OWN and the like */
    bool own_admin;             /* the admin queues come from there */
    bool pmr_shown;             /* to the CPU */
    int pmr_err;                /* syncing fails with it */
    bool flush_hold;            /* a flush waits for th_pmr_flushed() */
    unsigned syncs, flushes;
    void (*flush_done)(void *arg, int err);
    void *flush_arg;

    /* irq */
    struct th_vec vec[TH_NVEC];
    atomic_uint irq_resets, irq_masks;
    _Atomic uint32_t intms;
    atomic_int pin;             /* enum envme_pin */

    /* doorbells as memory: th-db.c */
    atomic_uint db_state, db_storing, db_coin;
    atomic_uint db_stores, db_traps, db_turns;  /* times that it was memory */

    /* time */
    _Atomic uint64_t clock, wall;

    /* exec */
    unsigned nlanes;
    struct th_lane *lane;
    uint64_t steps;
    atomic_uint held;           /* turns that were put off */

    /* driver */
    struct th_cq **cq;          /* [65536] by identifier, 0: the admin CQ */
    struct th_sq **sq;
    unsigned max_qid;           /* highest that there is or was */
    uint32_t page;              /* CC.MPS as enabled */
    atomic_bool reset_done;
    /* Shadow doorbells: the driver uses them when they are on. */
    atomic_bool shadow;
    uint64_t shadow_db, shadow_ei;
    atomic_uint rings, unrung;  /* doorbell writes, and those saved */
    atomic_uint notes;          /* sentences of the note port */
};

/* Allocations in turns of lanes, the controller's own and calls that it defers;
 * not with .threads. */
extern unsigned th_nallocs;
extern __thread bool th_in_turn;

#define th_new(...) th_new_(&(struct th_opts){ __VA_ARGS__ })
struct th *th_new_(const struct th_opts *opts);
/* Resets, checks for leaks, frees. Peers first, then the one they joined. */
void th_free(struct th *h);

/* Runs until nothing is left to do (threads: until lane 0 has nothing). */
void th_run(struct th *h);
/* One piece of work; false when there was none. */
bool th_step(struct th *h);
void th_advance(struct th *h, uint64_t ns);
/* Runs, in threads mode waits, until cond; false after some seconds. */
bool th_until(struct th *h, bool (*cond)(void *arg), void *arg);
/* The n-th call from now on fails, once; n counts from 1. */
void th_fail_nth(struct th *h, enum th_at at, unsigned n, int err);
void th_fail_clear(struct th *h);
uint32_t th_random(struct th *h, uint32_t below);
/* The thread is a vCPU, no lane, until th_lane_set(). */
extern __thread int th_lane_now;

/* No DMA, no interrupt from here on, said why; NULL: allowed again. */
void th_close(struct th *h, const char *why);

/* ---- guest memory ------------------------------------------------------ */

uint64_t th_alloc(struct th *h, uint64_t bytes);        /* zeroed pages */
uint64_t th_alloc_scattered(struct th *h);      /* one page, anywhere */
void th_free_pages(struct th *h, uint64_t addr, uint64_t bytes);
void *th_mem(struct th *h, uint64_t addr, uint64_t len);
void th_mem_put64(struct th *h, uint64_t addr, uint64_t v);
/* Pages that the driver has allocated: leaks of the tests themselves. */
unsigned th_pages_used(struct th *h);

/* The next page at h->own_at; th_free_pages() ignores it. */
uint64_t th_own(struct th *h, uint64_t bytes);
/* The flush that is held ends. */
void th_pmr_flushed(struct th *h);

/* How a data buffer is described. */
enum {
    TH_PRP        = 0,
    TH_SGL        = 1 << 0,     /* data block descriptors */
    TH_SGL_INLINE = 1 << 1,     /* with TH_SGL: one block, in the SQE */
    TH_OFFSET     = 1 << 2,     /* starts inside a page (dword aligned) */
    TH_CONTIG     = 1 << 3,     /* contiguous in guest memory */
    TH_BUCKET     = 1 << 4,     /* with TH_SGL: has bit buckets */
    TH_MMIO       = 1 << 5,     /* lies in the other device */
    TH_MPTR       = 1 << 6,     /* with TH_SGL: PSDT 2 */
    TH_OWN        = 1 << 7,     /* lies at h->own_at */
    TH_OWN_LISTS  = 1 << 8,     /* its lists do */
};

struct th_seg {
    uint64_t addr;
    uint32_t len;
    bool bucket;
};

struct th_buf {
    struct th *h;
    uint64_t len;
    unsigned shape;
    union envme_dptr dptr;
    uint8_t psdt;
    GArray *segs;               /* struct th_seg */
    GArray *own;                /* pages to give back, uint64_t */
};

struct th_buf *th_buf_new(struct th *h, uint64_t len, unsigned shape);
void th_buf_free(struct th_buf *b);
void th_buf_put(struct th_buf *b, const void *src);
/* Bytes in bit buckets come back as they were in dst. */
void th_buf_get(struct th_buf *b, void *dst);
void th_buf_fill(struct th_buf *b, uint8_t byte);
void th_buf_attach(struct th_buf *b, struct envme_sqe *sqe);

/* ---- registers --------------------------------------------------------- */

uint32_t th_r32(struct th *h, uint64_t off);
uint64_t th_r64(struct th *h, uint64_t off);
void th_w32(struct th *h, uint64_t off, uint32_t v);
void th_w64(struct th *h, uint64_t off, uint64_t v);
/* Doorbell of SQ (or CQ) qid; the shadow first, where there is one. */
void th_db(struct th *h, bool cq, uint32_t qid, uint32_t value);
/* As a CPU writes at this offset from 1000h: register or memory. */
void th_db_write(struct th *h, uint64_t off, uint32_t value);
/* Doorbells may be mapped again at once. Lane 0. */
void th_db_again(struct th *h);
/* The register, whatever the shadow says. */
void th_db_raw(struct th *h, bool cq, uint32_t qid, uint32_t value);

/* ---- the driver -------------------------------------------------------- */

#define TH_CC_DEFAULT (ENVME_CC_EN | (uint32_t)FIELD_SET(ENVME_CC_IOSQES, 6) \
                       | (uint32_t)FIELD_SET(ENVME_CC_IOCQES, 4))

/* Admin queues, CC.EN, waits for RDY: all of it has to work. */
void th_enable(struct th *h);
/* With these queue sizes and this CC. Returns whether RDY came. */
bool th_enable_as(struct th *h, uint32_t cc, uint32_t asqs, uint32_t acqs);
/* CC.EN to 0 and waits. The driver forgets its queues. */
void th_disable(struct th *h);
/* Starts one; the host runs until it is over and checks that all is given
 * back. The driver forgets its queues. */
void th_reset(struct th *h, enum envme_reset kind);
/* The same in two steps; while it goes on, th_run() does not wait for it. */
void th_reset_start(struct th *h, enum envme_reset kind);
void th_reset_finish(struct th *h);
void th_forget(struct th *h);
void th_check_at_rest(struct th *h, const char *when);

/* Bus Master as the PCI layer does it: the port first. */
void th_bme(struct th *h, bool on);

/* Puts an SQE (its CID is set) in the queue; no doorbell. Returns the CID. */
uint16_t th_put(struct th *h, uint16_t qid, struct envme_sqe *sqe);
void th_ring(struct th *h, uint16_t qid);
/* put and ring */
uint16_t th_submit(struct th *h, uint16_t qid, const struct envme_sqe *sqe);
/* A Flush that nobody waits for; true if the driver had to ring for it. */
bool th_flush_rings(struct th *h, uint16_t qid);
/* Takes all completions that are there; the doorbell is rung if any. */
unsigned th_reap(struct th *h, uint16_t cqid);
unsigned th_reap_max(struct th *h, uint16_t cqid, unsigned max);
bool th_done(struct th *h, uint16_t qid, uint16_t cid, struct envme_cqe *cqe);
/* Waits for it; fatal when it doesn't come. */
struct envme_cqe th_wait(struct th *h, uint16_t qid, uint16_t cid);
/* Runs and reaps; true when it came (and is taken). */
bool th_try_wait(struct th *h, uint16_t qid, uint16_t cid,
                 struct envme_cqe *cqe);
/* Nobody will ask for it. */
void th_abandon(struct th *h, uint16_t qid, uint16_t cid);

struct envme_cqe th_admin(struct th *h, const struct envme_sqe *sqe);
struct envme_cqe th_io(struct th *h, uint16_t qid,
                       const struct envme_sqe *sqe);
/* With a data buffer of that shape, filled from and copied back to data. */
struct envme_cqe th_cmd_data(struct th *h, uint16_t qid, struct envme_sqe *sqe,
                             void *data, uint64_t len, unsigned shape);

struct th_q_opts {
    uint16_t qid, cqid, vector;
    uint32_t size;
    bool scattered;             /* PC 0 */
    bool no_ien;
    uint8_t prio;
    bool own, own_list;         /* at h->own_at: entries, the list of pages */
};

/* Doorbell Buffer Config with pages of the driver's; the status code. */
uint16_t th_shadow(struct th *h);

#define th_create_cq(h, ...) \
    th_create_cq_(h, &(struct th_q_opts){ __VA_ARGS__ })
#define th_create_sq(h, ...) \
    th_create_sq_(h, &(struct th_q_opts){ __VA_ARGS__ })
/* Return the status code; the driver knows the queue when it is 0. */
uint16_t th_create_cq_(struct th *h, const struct th_q_opts *o);
uint16_t th_create_sq_(struct th *h, const struct th_q_opts *o);
uint16_t th_delete_cq(struct th *h, uint16_t qid);
uint16_t th_delete_sq(struct th *h, uint16_t qid);
/* n pairs of that size, CQ i on vector i; identifiers 1 .. n. */
void th_queues(struct th *h, unsigned n, uint32_t size);

struct th_rw {
    uint8_t opc;                /* 0 in th_read and th_write: theirs */
    uint16_t qid;               /* 0: 1 */
    uint32_t nsid;              /* 0: 1 */
    uint64_t slba;
    uint32_t nlb;               /* 1's based; 0: 1 */
    void *data;                 /* may be NULL */
    void *md;                   /* separate metadata */
    uint32_t cdw12;             /* or-ed in */
    uint32_t cdw2, cdw3, cdw13, cdw14, cdw15;
    unsigned shape;
    uint32_t block;             /* bytes; 0: the namespace's */
};

#define th_read(h, ...) \
    th_rw_(h, ENVME_NVM_READ, &(struct th_rw){ __VA_ARGS__ })
#define th_write(h, ...) \
    th_rw_(h, ENVME_NVM_WRITE, &(struct th_rw){ __VA_ARGS__ })
#define th_rw(h, op, ...) \
    th_rw_(h, op, &(struct th_rw){ __VA_ARGS__ })
struct envme_cqe th_rw_(struct th *h, uint8_t opc, const struct th_rw *rw);
/* Only builds the SQE; the buffer is the caller's. */
struct envme_sqe th_sqe_rw(uint8_t opc, uint32_t nsid, uint64_t slba,
                           uint32_t nlb);

static inline uint16_t cqe_sc(const struct envme_cqe *c)
{
    return le16_get(c->sf) >> 1 & (ENVME_SF_SCT | ENVME_SF_SC);
}

static inline bool cqe_dnr(const struct envme_cqe *c)
{
    return le16_get(c->sf) & ENVME_CQE_DNR;
}

static inline bool cqe_more(const struct envme_cqe *c)
{
    return le16_get(c->sf) & ENVME_CQE_M;
}

const char *th_sc_name(uint16_t sc);

/* sc: without the prefix, as in th_assert_sc(th_read(...), LBA_RANGE). */
#define th_assert_sc(cqe, sc) \
    do { \
        struct envme_cqe th_c_ = (cqe); \
        g_assert_cmpstr(th_sc_name(cqe_sc(&th_c_)), ==, \
                        th_sc_name(ENVME_SC_##sc)); \
    } while (0)
#define th_assert_code(code, sc) \
    g_assert_cmpstr(th_sc_name(code), ==, th_sc_name(ENVME_SC_##sc))

uint32_t th_cq_slots_free(struct th *h, uint16_t cqid);
uint32_t th_cq_size(struct th *h, uint16_t cqid);
/* Commands that the controller has in hand, over all lanes. */
unsigned th_inflight(struct th *h);

/* ---- admin commands ---------------------------------------------------- */

struct envme_sqe th_sqe(uint8_t opc, uint32_t nsid);
struct envme_cqe th_identify(struct th *h, uint8_t cns, uint32_t nsid,
                             void *buf);
struct envme_cqe th_identify_csi(struct th *h, uint8_t cns, uint32_t nsid,
                                 uint16_t cntid, uint8_t csi, void *buf);
struct envme_cqe th_get_log(struct th *h, uint8_t lid, uint32_t nsid,
                            uint64_t off, void *buf, uint64_t len, bool rae);
struct envme_cqe th_set_feature(struct th *h, uint8_t fid, uint32_t nsid,
                                uint32_t v, bool save);
struct envme_cqe th_get_feature(struct th *h, uint8_t fid, uint32_t nsid,
                                unsigned sel, uint32_t *v);
struct envme_cqe th_abort(struct th *h, uint16_t sqid, uint16_t cid);
/* Parks an AER; returns its CID. */
uint16_t th_aer(struct th *h);

/* A state file on a disk that is full while th_state_broken is set. */
extern atomic_bool th_state_broken;
extern const struct envme_state_ops th_state_bad;

/* Fills with something that depends on place and seed. */
void th_pattern(void *buf, size_t len, uint64_t seed);
bool th_pattern_ok(const void *buf, size_t len, uint64_t seed);

#endif
