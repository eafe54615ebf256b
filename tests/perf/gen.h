/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A load generator inside QEMU: plays the host's NVMe driver for one PCI
 * function, through the system address space alone, in a thread of its own.
 * So the device is measured without a guest's instructions around it, and
 * every device the same way. docs/performance.md says what is measured.
 *
 * Threads: gen_thread() does everything. The doorbell window's listener
 * (doorbell.c) is called under the BQL by others.
 */
#ifndef ENVME_PERF_GEN_H
#define ENVME_PERF_GEN_H

#include "hw/qemu/compat.h"

#include "envme/cmd.h"
#include "envme/id.h"
#include "envme/id-ctrl.h"
#include "envme/id-ns.h"
#include "envme/reg.h"
#include "tests/perf/hist.h"

#define GEN_PAGE 4096u
#define GEN_BUF_BYTES (128u * 1024)     /* of one slot, the largest I/O */
#define GEN_MAX_QD 1024u
#define GEN_MAX_JOBS 32u
#define GEN_MAX_SNAPS 8u
#define GEN_STALL_NS 20000000000ull     /* no completion for so long: lost */

/* ---- what was asked for ------------------------------------------------ */

enum gen_rw { GEN_READ, GEN_WRITE, GEN_RANDREAD, GEN_RANDWRITE, GEN_RANDRW };

struct gen_job {
    const char *name;
    enum gen_rw rw;
    unsigned bs, qd, queues;
    unsigned warm_ms, time_ms;
    uint64_t ios;               /* ends after so many; 0: by time alone */
    bool lump;                  /* the next when all have ended: qd at once */
    uint64_t verify;            /* I/Os to write, read back and compare */
};

struct gen_opts {
    int slot;                   /* device number on bus 0, -1: the first */
    bool idle;                  /* no controller: memory only */
    unsigned entries;           /* of every I/O queue */
    unsigned nqueues;           /* pairs to create */
    unsigned ams, qprio;
    unsigned aggr;              /* feature 08h, CDW11; 0: as it is */
    bool irq;                   /* CQs with interrupts, written to RAM */
    bool wait_irq;              /* looks at them instead of phase tags */
    bool dbbuf;                 /* shadow doorbells */
    bool yield;                 /* the CPU, when there is nothing to take */
    unsigned prchk;             /* PRCHK of reads, with protection information */
    uint64_t window;            /* no controller: gen_window_check() */
    uint64_t region;            /* bytes of the namespace, 0: all */
    uint64_t seed;
    const char *out;
    struct gen_job job[GEN_MAX_JOBS];
    unsigned njobs;
};

/* ---- state ------------------------------------------------------------- */

struct gen_mem {
    uint8_t *host;              /* of base */
    uint64_t base, bytes, used;
};

/* One doorbell register, and its shadow when there is one. */
struct gen_db {
    uint64_t addr;
    volatile uint32_t *shadow, *event;
};

struct gen_slot {
    uint64_t submitted;         /* ns */
    uint64_t buf;               /* guest address */
    uint64_t list;              /* a page for PRPs */
};

struct gen_queue {
    uint16_t id, entries;
    struct envme_sqe *sq;
    volatile struct envme_cqe *cq;
    uint64_t sq_addr, cq_addr;
    uint32_t sq_tail, cq_head;
    unsigned phase;
    struct gen_db sqdb, cqdb;
    volatile uint32_t *irq;     /* where its vector is written, or NULL */
    struct gen_slot *slot;
    uint16_t *free;             /* slots, a stack */
    unsigned nfree, nslots;
    uint64_t next;              /* block of the next sequential I/O */
};

struct gen_result {
    uint64_t ios, bytes, window_ns;
    uint64_t process_ns, thread_ns;     /* CPU */
    uint64_t passes, doorbells, mapped, skipped, irqs;
    struct gen_hist *hist;
};

/* Memory of the process at one point. */
struct gen_snap {
    const char *label;
    uint64_t heap, dirty;
};

struct gen {
    struct gen_opts o;
    struct gen_mem mem;
    uint64_t bar;
    unsigned devfn;
    uint32_t dev_id, class;     /* as configuration space has them */
    uint64_t cap;
    char model[41];
    uint32_t nsid;
    uint64_t nblocks;
    bool pract;                 /* the namespace has protection information */
    unsigned lba_shift, mdts_bytes;
    unsigned nvectors;
    uint64_t irq_area;          /* one dword per vector */
    uint64_t shadow_area, event_area;
    unsigned nshadow;           /* doorbells that fit in there */
    struct gen_queue admin;
    struct gen_queue *q;        /* I/O queues, by index */
    uint64_t rng;
    uint64_t window_turns;
    uint64_t create_ns;         /* of all I/O queues */
    struct gen_snap snap[GEN_MAX_SNAPS];
    unsigned nsnaps;
    struct gen_result res[GEN_MAX_JOBS];
    unsigned nres;
    char *error;
};

/* Notes the reason, once, and returns false. */
bool gen_fail(struct gen *g, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

static inline uint64_t gen_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static inline uint64_t gen_cpu_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static inline void gen_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* ---- opts.c ------------------------------------------------------------ */

/* The arguments of -plugin; NULL, or what is wrong with them, g_free(). */
char *gen_opts_parse(struct gen_opts *o, int argc, char **argv);

/* ---- host.c: memory, MMIO, configuration space ------------------------- */

bool gen_mem_init(struct gen *g);
/* Zeroed guest memory; 0 when there is no more. align: a power of two. */
uint64_t gen_alloc(struct gen *g, uint64_t bytes, uint64_t align);
static inline void *gen_ptr(struct gen *g, uint64_t addr)
{
    return g->mem.host + (addr - g->mem.base);
}

uint32_t gen_read32(uint64_t addr);
uint64_t gen_read64(uint64_t addr);
void gen_write32(uint64_t addr, uint32_t val);
void gen_write64(uint64_t addr, uint64_t val);

/* Finds the function, places its BARs, turns on memory, Bus Master and
 * MSI-X with every vector's message aimed at g->irq_area. */
bool gen_pci_init(struct gen *g);

/* ---- doorbell.c -------------------------------------------------------- */

/* Begins to follow what is mapped at [addr, addr + bytes). */
void gen_db_watch(uint64_t addr, uint64_t bytes);
/* As a vCPU would write it. Counts into r, which may be NULL. */
void gen_db_write(const struct gen_db *db, uint32_t val,
                  struct gen_result *r);

/* Writes numbers while a page turns from registers into RAM and back,
 * o.window times; false when one was lost. */
bool gen_window_check(struct gen *g);

/* ---- nvme.c ------------------------------------------------------------ */

/* Enables the controller, identifies it and creates the queues. */
bool gen_nvme_init(struct gen *g);
bool gen_nvme_queues(struct gen *g);
void gen_nvme_disable(struct gen *g);
/* Slots with buffers for the first jobs' queues. */
bool gen_nvme_slots(struct gen *g, unsigned queues, unsigned qd);

/* Puts a read or write of bytes at block lba into the SQ; no doorbell.
 * offset: where in its buffer the data begin. */
void gen_queue_io(struct gen *g, struct gen_queue *q, unsigned slot,
                  bool write, uint64_t lba, unsigned bytes, unsigned offset);

static inline bool gen_queue_has(const struct gen_queue *q)
{
    uint16_t sf = qatomic_load_acquire(&q->cq[q->cq_head].sf.raw);

    return (ENVME_SWAP16(sf) & ENVME_CQE_P) == q->phase;
}

/* Takes the entry that gen_queue_has() has seen. */
void gen_queue_take(struct gen_queue *q, uint16_t *cid, uint16_t *status);

/* ---- load.c, verify.c, report.c ---------------------------------------- */

uint64_t gen_random(struct gen *g);
bool gen_load_run(struct gen *g, const struct gen_job *job);
bool gen_verify_run(struct gen *g, const struct gen_job *job);

void gen_snapshot(struct gen *g, const char *label);
/* Writes the JSON result to g->o.out. */
bool gen_report(struct gen *g);

#endif
