/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a subsystem keeps across power cycles: named records, held in memory
 * and written to a file as a whole. The file's format is in docs/state.md.
 *
 * Owner: the composition root, which opens it before the subsystem's
 * controllers are made, hands it over as subsys->state and closes it after
 * they are gone. Threads: any; nothing here blocks on the disk but open, sync
 * and close. One worker thread writes: it takes what there is when it starts,
 * so that puts which come while it writes become one write. An inner leaf
 * lock. A crash at any point leaves the records of one write or of the next,
 * never a mixture.
 *
 * Every function takes NULL for the state: nothing is kept, nothing is there,
 * and what is to be flushed is at once.
 */
#ifndef ENVME_NS_STATE_H
#define ENVME_NS_STATE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ENVME_STATE_NAME_MAX   127              /* characters of a name */
#define ENVME_STATE_RECORD_MAX (16u << 20)      /* bytes of a record */
#define ENVME_STATE_FILE_MAX   (256u << 20)     /* bytes of all of it */

struct envme_state;

/*
 * The system calls that change something, to be replaced by tests. Each is as
 * the call of that name, with errno; -1 or 0, a descriptor, a length.
 */
struct envme_state_ops {
    void *opaque;
    int (*create)(void *opaque, int dir, const char *name, mode_t mode);
    int (*lock)(void *opaque, int fd);          /* EAGAIN: somebody else */
    ssize_t (*write)(void *opaque, int fd, const void *buf, size_t len);
    int (*fsync)(void *opaque, int fd);
    int (*rename)(void *opaque, int dir, const char *from, const char *to);
    int (*unlink)(void *opaque, int dir, const char *name);
};

struct envme_state_opts {
    const struct envme_state_ops *ops;  /* NULL: the system's */
    /* No thread: a commit or flush writes before it returns. For tests that
     * want a fixed order. */
    bool is_inline;
    /* A write failed: a sentence. The worker's thread; once until a write
     * succeeds again. May be NULL. */
    void (*say)(void *opaque, const char *text);
    void *opaque;
};

/*
 * Opens the file, or makes it if there is none. ident: the NQN of the
 * subsystem whose state it is. NULL and *err (a sentence that names the file
 * and says what to do; g_free) when it is somebody else's, damaged, of a newer
 * version, in use, or cannot be written; it is left as it is then. opts may be
 * NULL.
 */
struct envme_state *envme_state_open(const char *path, const char *ident,
                                     const struct envme_state_opts *opts,
                                     char **err);
/* Writes what has not been written and lets go of the file. 0, or a negative
 * errno when that failed. Callbacks of flushes have run when it returns. */
int envme_state_close(struct envme_state *s);

/* A record's bytes, to be unreferenced; NULL: there is none. */
GBytes *envme_state_get(struct envme_state *s, const char *name);
/*
 * Copies a record into a structure: what the record lacks is zeroed, what it
 * has too much is left out. Returns the record's length, 0 if there is none
 * (buf is zeroed then).
 */
size_t envme_state_read(struct envme_state *s, const char *name, void *buf,
                        size_t len);
/* Replaces a record; the bytes are copied. In memory until a commit. The same
 * bytes as before are no change. len from 1 to ENVME_STATE_RECORD_MAX. */
void envme_state_put(struct envme_state *s, const char *name, const void *buf,
                     size_t len);
void envme_state_remove(struct envme_state *s, const char *name);
/* Records whose name begins so. */
void envme_state_remove_all(struct envme_state *s, const char *prefix);

typedef void envme_state_fn(void *arg, const char *name, GBytes *data);
/* Each record whose name begins so, in the order of the names. fn may put and
 * remove: it is called with what there was. */
void envme_state_foreach(struct envme_state *s, const char *prefix,
                         envme_state_fn *fn, void *arg);

/*
 * Changes that belong together: nothing is written between hold and the
 * release that ends it. Short, nested, and no sync in between.
 */
void envme_state_hold(struct envme_state *s);
void envme_state_release(struct envme_state *s);

/* The file, as it was named. NULL without a state. */
const char *envme_state_path(const struct envme_state *s);

/* Has what was put so far written soon. Nothing happens if nothing changed. */
void envme_state_commit_async(struct envme_state *s);
/*
 * The same, and calls done(arg, err) when it is durable or has failed (a
 * negative errno; it is tried again with the next commit). On the worker's
 * thread, or before this returns. Commands: use envme_cmd_keep().
 */
void envme_state_flush(struct envme_state *s,
                       void (*done)(void *arg, int err), void *arg);
/* The same, and waits for it. 0 or a negative errno. */
int envme_state_sync(struct envme_state *s);

#endif
