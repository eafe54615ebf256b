/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespace: a format (how logical blocks lie on a backend), its identifiers
 * and its state. Base 2.1, 3.2.1; NVM Command Set 1.1, 4.1.5.
 *
 * Owner: whoever called envme_ns_new(); a subsystem only points at it, and
 * envme_subsys_remove_ns() comes before envme_ns_free(). Threads: made and
 * changed on lane 0 while every lane of every controller that has it attached
 * is parked; read by all lanes in between. `lock` is a leaf lock for what
 * changes while I/O runs. Calls the backend; never a controller.
 */
#ifndef ENVME_NS_NS_H
#define ENVME_NS_NS_H

#include <glib.h>
#include <stdatomic.h>

#include "envme/cmd.h"
#include "hw/core/pi.h"
#include "hw/core/rangelock.h"
#include "hw/core/rangeset.h"
#include "hw/ns/backend.h"
#include "hw/ns/pool.h"

#define ENVME_MAX_LBAF 64

/* One LBA format (NVM 1.1, LBA Format data structure). */
struct envme_ns_lbaf {
    uint8_t lbads;              /* logical block size is 2^lbads bytes */
    uint8_t rp;
    uint16_t ms;                /* metadata bytes per logical block */
    /* What protection information looks like if it is turned on: an entry of
     * ELBAF (NVM 1.1, 4.1.5.3). */
    uint32_t elbaf;
};

struct envme_ns_params {
    uint32_t nsid;              /* 0: the lowest free one */
    uint8_t csi;
    uint8_t uuid[16];           /* all zeroes: none */
    uint8_t nguid[16];
    bool nguid_auto;            /* made up: what the state has is as good */
    uint64_t eui64;             /* 0: none */
    bool shared;                /* may be attached to several controllers */
    bool detached;              /* not attached when it is added */
    uint32_t logical_block;     /* bytes, 2^9 .. 2^16 */
    uint32_t physical_block;    /* bytes, 0: as logical_block */
    uint32_t min_io;            /* bytes, 0: not told (NPWG) */
    uint32_t opt_io;            /* bytes, 0: not told (NOWS) */
    uint32_t discard_granularity; /* bytes; 0: physical_block or 4 KiB,
                                   * what is more (NPDG) */
    uint16_t ms;                /* metadata bytes per block */
    bool mset;                  /* metadata at the end of each block's data */
    uint8_t pi;                 /* protection information type, 0: none */
    uint8_t pil;                /* 1: in the first bytes of the metadata */
    uint8_t pif;                /* ENVME_PIF_16B, _32B or _64B */
    uint8_t pi_sts;             /* storage tag bits; 0: the fewest there are */
    uint16_t mssrl;             /* logical blocks; Copy */
    uint32_t mcl;
    uint8_t msrc;
    bool write_cache;           /* the volatile write cache starts enabled */
    /* Atomicity: logical blocks, as in Identify; 0: nothing of its own. */
    uint16_t nawun, nawupf;     /* 0's based */
    uint16_t nabsn, nabo, nabspf;
};

/* Its identifiers, as in the parameters. */
struct envme_ns_ids {
    uint8_t uuid[16], nguid[16];
    uint64_t eui64;
};

/* What a namespace is to be formatted to. */
struct envme_ns_format {
    unsigned index;             /* into lbaf */
    bool extended, pi_first;
    bool may_unmap;             /* zeroes by deallocating, where possible */
    uint8_t pi_type;            /* 0: none */
};

/* How far that is. */
enum envme_ns_formatting {
    ENVME_NS_FORMAT_NONE,
    ENVME_NS_FORMAT_BEGUN,      /* no I/O any more; nothing is erased yet */
    ENVME_NS_FORMAT_ERASING,
    ENVME_NS_FORMAT_ERASED,     /* it has it; before I/O goes on, what the
                                 * state says of that is written */
};

struct envme_subsys;
struct envme_iocs;
struct envme_ns_erase;          /* erase.c */

enum envme_hostdata {
    ENVME_HOSTDATA_LABEL,
    ENVME_HOSTDATA_RANGES,
    ENVME_HOSTDATA_MAX,
};

struct envme_ns {
    struct envme_subsys *subsys;
    struct envme_ns_params params;
    uint32_t nsid;
    struct envme_backend *be;
    /* Where requests go: be, or what stands in front of it now (sick.h). Lane 0
     * changes it while lanes use it. */
    _Atomic(struct envme_backend *) io;
    struct envme_ns_sick *sick; /* lane 0; NULL until there was a fault */
    const struct envme_iocs *iocs;      /* set by the composition root */

    /* The format in use; see layout.h for where a block lies. */
    struct envme_ns_lbaf lbaf[ENVME_MAX_LBAF];
    unsigned nlbaf;
    unsigned flbas;             /* index into lbaf */
    bool extended;              /* metadata interleaved with the data */
    uint8_t lbads;
    uint16_t ms;
    struct envme_pi pi;         /* type 0: none */
    _Atomic uint64_t nsze;      /* logical blocks */
    /* Lane 0: what a fault shows instead of the truth, and that. */
    bool nsze_faked;
    uint64_t nsze_true;
    const struct envme_ns_ids *ids_faked;
    uint64_t moff;              /* byte offset of the metadata area */
    struct envme_geometry geo;

    atomic_bool read_only;      /* the medium cannot be written */
    bool ro_faked;              /* because a fault says so; lane 0 */
    /* What a write then ends with: the status field; 0: Namespace is Write
     * Protected. */
    _Atomic uint16_t ro_sf;
    /* Why I/O commands are refused now (Format In Progress, Namespace Not
     * Ready ...): the status field, 0 when they are not. Lane 0 sets it. */
    _Atomic uint16_t gate_sf;
    atomic_bool wce;            /* volatile write cache enabled */
    _Atomic uint64_t nuse_hint;

    GMutex lock;
    /*
     * Who may go through which blocks now (under the lock), in use once
     * somebody has asked for more than the backend gives: from then on `serial`
     * stays set. `loose` counts the writes that began without; those who
     * wait for them to end are in `settling`, linked by go_next.
     */
    struct envme_rangelock ranges;
    struct envme_rangelock_entry *settling;
    atomic_bool serial;
    _Atomic uint32_t loose;
    /* Blocks that cannot be read until they are written, and those of which the
     * medium could not be read (under the lock); and how many intervals they
     * are. */
    struct envme_rangeset bad, suspect;
    _Atomic uint32_t nbad;
    atomic_bool lost;           /* there are new ones, which lane 0 is to hear */
    /* Some controller has had DULBE on: its feature is worth a look. */
    atomic_bool dulbe;
    /* Which controllers have it attached, by CNTLID. Lane 0. */
    uint64_t attached[4];
    /* Which are to have it as soon as they are there, once a host has chosen;
     * until then that follows from params. */
    uint64_t want[4];
    bool chosen;
    /* Background requests that use it; lane 0. See subsys.h. */
    unsigned holds;
    void (*unheld)(void *arg);
    void *unheld_arg;

    /* What it has of the subsystem's capacity (capacity.h). Lane 0. */
    struct envme_extent *extent;
    unsigned nextents;
    bool made;                  /* by a host: the subsystem owns it */
    /* The number of the medium that it came with, 1 .. nn; 0: made. */
    uint32_t medium;
    bool closing;               /* that medium is on its way out */
    bool kept;                  /* the state has a record of it: roster.h */
    enum envme_ns_formatting formatting;        /* reformat.h */
    struct envme_ns_format format;      /* what to */
    bool leaving, gone;         /* being deleted; deleted, but not made */
    GSList *leave_waiters;      /* subsys.c */
    struct envme_ns_erase *erase;   /* erase.c: under way */
    uint8_t erase_left;         /* percent that it had left when it ended */
    uint8_t format_left;        /* that a format had; 255: it never began */
    void (*erased)(void *arg);  /* subsys.c: when that is over; once */
    void *erased_arg;
    uint8_t wps;                /* Namespace Write Protection Config. Lane 0 */
    uint8_t wps_old;            /* before the command that is under way */
    bool wps_loaded;
    GBytes *hostdata[ENVME_HOSTDATA_MAX];       /* hostdata.h. Lane 0 */
    unsigned hostdata_loaded;   /* a bit each */
};

/*
 * Makes a namespace on a backend, which it borrows. NULL and *err (a sentence
 * to show the user, naming the property; g_free) when the parameters do not
 * fit together or the backend is too small.
 */
struct envme_ns *envme_ns_new(const struct envme_ns_params *params,
                              struct envme_backend *be, char **err);
void envme_ns_free(struct envme_ns *ns);

/*
 * A fault shows another number of blocks: what is beyond the medium's end fails
 * in the backend. 0: the truth again, whatever that has become. False: with
 * metadata a namespace cannot seem larger than it is. Lane 0; I/O may be
 * running.
 */
bool envme_ns_fake_size(struct envme_ns *ns, uint64_t nsze);
/* How many blocks there are, whatever is shown. Lane 0. */
uint64_t envme_ns_true_size(const struct envme_ns *ns);
/* A fault makes it read-only; sf: the status field that writes end with, 0:
 * Namespace is Write Protected. Lane 0. */
void envme_ns_fake_read_only(struct envme_ns *ns, bool on, uint16_t sf);
/* read_only follows from the backend, wps and faults. Lane 0. */
void envme_ns_update_read_only(struct envme_ns *ns);

/* Looks at the backend's size and read-only state again. Lane 0; I/O may be
 * running: what is beyond a new end fails in the backend.
 * Returns whether anything that a host can see has changed. */
bool envme_ns_refresh(struct envme_ns *ns);

/*
 * Another of its formats; extended: metadata with the data; protection
 * information as in envme_ns_set_pi(). What is on the medium means nothing
 * afterwards. False, and nothing has changed, when there is no such format, it
 * has no room for protection information, or there is none for a block. Lane
 * 0; no I/O command uses the namespace.
 */
bool envme_ns_set_format(struct envme_ns *ns, unsigned index, bool extended,
                         uint8_t pi_type, bool pi_first);
bool envme_ns_can_format(const struct envme_ns *ns, unsigned index,
                         uint8_t pi_type);
/* The index of such a format, which it has afterwards if it didn't; -1 when
 * its backend cannot hold that, or there is no room for one more. */
int envme_ns_find_format(struct envme_ns *ns, const struct envme_ns_lbaf *f);
/* How many blocks there are and where their metadata lies, as it was before:
 * false when the backend is too small for that. Of a backend that has grown,
 * what the format can use is used. */
bool envme_ns_set_layout(struct envme_ns *ns, uint64_t nsze, uint64_t moff);

/* Protection information of this type (0: none) for the format in use, in the
 * first or the last bytes of the metadata. False, and nothing has changed,
 * when the format has no room for it. Like a change of format. */
bool envme_ns_set_pi(struct envme_ns *ns, uint8_t type, bool first);

/*
 * ---- blocks that cannot be read; any thread ------------------------------
 *
 * The bad ones fail because a host wants it so (Write Uncorrectable). Suspect
 * are those whose medium has failed: they are tried again with each read. Both
 * end when they are written.
 */

/* They are put in the subsystem's state; whoever tells the host that it is so
 * sees to it that this is written. False: too many intervals. */
bool envme_ns_set_bad(struct envme_ns *ns, uint64_t slba, uint64_t nlb);
/* They are written, so they are neither bad nor suspect. Whether that has
 * changed anything in the state. */
bool envme_ns_clear_bad(struct envme_ns *ns, uint64_t slba, uint64_t nlb);
/* All: the namespace is formatted, sanitized or deleted. */
void envme_ns_forget_bad(struct envme_ns *ns);
/* It has come to its subsystem: what the state says. */
void envme_ns_load_bad(struct envme_ns *ns);
/* The first of them in this range. */
bool envme_ns_find_bad(struct envme_ns *ns, uint64_t slba, uint64_t nlb,
                       uint64_t *lba);

/* These bytes of the backend, of data or metadata, could not be read. Whether
 * that makes any block suspect that was not. */
bool envme_ns_suspect(struct envme_ns *ns, uint64_t offset, uint64_t bytes);
/* They have been read again. */
void envme_ns_unsuspect(struct envme_ns *ns, uint64_t slba, uint64_t nlb);

struct envme_ns_lost {
    uint64_t slba, nlb;
    bool uncor;                 /* bad, else suspect */
};

/* The first bad or suspect ones from lba on and below end. Neighbours of
 * another kind come next. */
bool envme_ns_next_lost(struct envme_ns *ns, uint64_t lba, uint64_t end,
                        struct envme_ns_lost *lost);

static inline uint64_t envme_ns_blocks_to_bytes(const struct envme_ns *ns,
                                                uint64_t blocks)
{
    return blocks << ns->lbads;
}

/* Bytes that one logical block takes in a host's data buffer. */
static inline uint32_t envme_ns_host_block(const struct envme_ns *ns)
{
    return (1u << ns->lbads) + (ns->extended ? ns->ms : 0);
}

/* slba + nlb within the namespace, without overflow. */
static inline bool envme_ns_range_ok(const struct envme_ns *ns, uint64_t slba,
                                     uint64_t nlb)
{
    uint64_t nsze = atomic_load_explicit(&ns->nsze, memory_order_relaxed);

    return slba <= nsze && nlb <= nsze - slba;
}

#endif
