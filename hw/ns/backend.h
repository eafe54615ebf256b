/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backend: the medium behind a namespace, without a word of NVMe.
 *
 * Owner: the namespace (struct envme_ns) holds one; whoever made it frees it
 * after the namespace is gone. Threads: submit() from any lane thread, several
 * at once; done() comes back on the thread that submitted. Errors are negative
 * errnos. Implementations: backend-mem.c (memory), hw/qemu/blk.c
 * (BlockBackend); tests/unit/test-backend.c is the conformance suite that
 * every one passes. Decorators (fault injection) hold an inner backend.
 */
#ifndef ENVME_NS_BACKEND_H
#define ENVME_NS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum envme_bio_op {
    ENVME_BIO_READ,
    ENVME_BIO_WRITE,
    ENVME_BIO_FLUSH,
    ENVME_BIO_WRITE_ZEROES,
    ENVME_BIO_DISCARD,
    ENVME_BIO_STATUS,           /* where geometry.status is set */
    ENVME_BIO_OPS,
};

enum {
    /* WRITE, WRITE_ZEROES: on stable storage before done(). */
    ENVME_BIO_FUA       = 1 << 0,
    /* WRITE_ZEROES: may deallocate, as long as zeroes are read back. */
    ENVME_BIO_MAY_UNMAP = 1 << 1,
    /*
     * WRITE, WRITE_ZEROES: a part of a write of several requests; MORE: others
     * follow; CONT: it is not the first. They have the same submitter (unit,
     * or else opaque) and come one after the other. What keeps writes together
     * (vwc.h) looks at it.
     */
    ENVME_BIO_MORE      = 1 << 2,
    ENVME_BIO_CONT      = 1 << 3,
};

/*
 * One request. The submitter owns it and everything it points to again when
 * submit() returns other than ENVME_BIO_PENDING, or when done() is called.
 * offset and bytes are multiples of the backend's geometry.align for READ,
 * WRITE, WRITE_ZEROES; DISCARD may be any multiple of 512 and is a hint.
 *
 * STATUS: are the bytes at offset deallocated, that is, never written or given
 * back, and read as zeroes? The answer is in hole, and good for `same` bytes
 * from offset on, 1 to `bytes`; those behind may well be alike. Any offset and
 * length. It reads nothing and changes nothing.
 */
struct envme_bio {
    enum envme_bio_op op;
    unsigned flags;
    uint64_t offset;            /* bytes */
    uint64_t bytes;
    const struct iovec *iov;    /* READ, WRITE: exactly `bytes` in all */
    int niov;
    bool hole;                  /* STATUS: answers */
    uint64_t same;
    void (*done)(struct envme_bio *bio, int err);
    void *opaque;               /* the submitter's */
    void *unit;                 /* who submits; NULL: opaque says so */
    void *priv;                 /* the backend's, while it is pending */
};

#define ENVME_BIO_PENDING 1

struct envme_geometry {
    uint64_t size;              /* bytes */
    uint32_t align;             /* bytes, a power of two, 1 .. 64 KiB */
    uint32_t max_transfer;      /* bytes a READ/WRITE may have; 0: any */
    uint32_t max_iov;           /* elements of iov; 0: any */
    bool read_only;
    bool discard;               /* DISCARD may free something */
    bool status;                /* STATUS tells what is deallocated */
    /* What can be deallocated at once, bytes; 0: not known. */
    uint32_t granularity;
    bool volatile_cache;        /* FLUSH matters */
};

struct envme_backend;

struct envme_backend_ops {
    const char *name;
    /* 0 or -errno when it is over already, ENVME_BIO_PENDING when done() will
     * be called, later and never from inside submit(). */
    int (*submit)(struct envme_backend *be, struct envme_bio *bio);
    /* A hint that a pending request need not be carried out. done() is called
     * all the same, later, never from inside cancel(). Submitting thread only. May be NULL. */
    void (*cancel)(struct envme_backend *be, struct envme_bio *bio);
    /* Something at this offset, in bytes, is likely to be read or written soon.
     * Costs next to nothing, and nothing comes of it. Any offset; any lane
     * thread. May be NULL. */
    void (*expect)(struct envme_backend *be, uint64_t offset);
    /* Any lane thread. */
    void (*geometry)(struct envme_backend *be, struct envme_geometry *geo);
    /* Turn the volatile write cache on or off. Lane 0. 0 or -errno. May be
     * NULL: there is none. */
    int (*set_cache)(struct envme_backend *be, bool on);
    /* Frees it. Nothing pending. Lane 0. */
    void (*close)(struct envme_backend *be);
};

struct envme_backend {
    const struct envme_backend_ops *ops;
    /* Size or read-only state changed (lane 0). Set by the namespace. */
    void (*changed)(struct envme_backend *be, void *opaque);
    void *changed_opaque;
};

#endif
