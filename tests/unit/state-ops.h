/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls of the state file, over the real ones: the nth can be made
 * to fail, or to be the last (a crash), and what a power cut may take is
 * taken: the contents of a file that was renamed before it was synced, and a
 * rename whose directory was not.
 */
#ifndef TESTS_UNIT_STATE_OPS_H
#define TESTS_UNIT_STATE_OPS_H

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hw/ns/state.h"

enum so_call { SO_CREATE, SO_LOCK, SO_WRITE, SO_FSYNC, SO_RENAME, SO_UNLINK,
               SO_CALLS };

struct so {
    struct envme_state_ops ops;
    atomic_uint calls;          /* all kinds */
    unsigned count[SO_CALLS];
    unsigned fail_at;           /* this one fails; 0: none */
    unsigned fail_from;         /* this one and all after it */
    int fail_errno;
    bool crash;                 /* fail_from: nothing happens any more */
    bool was_hit;
    size_t torn;                /* bytes that a write which fails leaves */
    size_t write_max;           /* a write takes no more */
    int synced;                 /* the descriptor, since its last write */
    bool renamed;               /* and the directory not synced since; */
    GBytes *before;             /* the file before that, NULL: none */
    unsigned write_at;          /* which call was the first write */
    char *path;
    /* fsync waits for it. */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool hold;
    atomic_uint held, fsyncs;
};

static inline bool so_fails(struct so *o, enum so_call call)
{
    unsigned n = ++o->calls;

    o->count[call]++;
    if ((o->fail_at && n == o->fail_at) ||
        (o->fail_from && n >= o->fail_from)) {
        o->was_hit = true;
        errno = o->fail_errno;
        return true;
    }
    return false;
}

static inline int so_create(void *opaque, int dir, const char *name,
                            mode_t mode)
{
    struct so *o = opaque;

    if (so_fails(o, SO_CREATE)) {
        return -1;
    }
    return openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
}

static inline int so_lock(void *opaque, int fd)
{
    struct so *o = opaque;
    struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return so_fails(o, SO_LOCK) ? -1 : fcntl(fd, F_OFD_SETLK, &fl);
}

static inline ssize_t so_write(void *opaque, int fd, const void *buf,
                               size_t len)
{
    struct so *o = opaque;
    bool was_crash = o->crash && o->was_hit;

    o->synced = -1;
    if (!o->write_at) {
        o->write_at = o->calls + 1;
    }
    if (so_fails(o, SO_WRITE)) {
        int err = errno;

        if (!was_crash) {
            g_assert_cmpint(write(fd, buf, MIN(len, o->torn)), >=, 0);
        }
        errno = err;
        return -1;
    }
    return write(fd, buf, o->write_max ? MIN(len, o->write_max) : len);
}

static inline int so_fsync(void *opaque, int fd)
{
    struct so *o = opaque;
    struct stat st;

    pthread_mutex_lock(&o->lock);
    while (o->hold) {
        o->held = 1;
        pthread_cond_broadcast(&o->cond);
        pthread_cond_wait(&o->cond, &o->lock);
    }
    pthread_mutex_unlock(&o->lock);
    if (so_fails(o, SO_FSYNC)) {
        return -1;
    }
    o->fsyncs++;
    g_assert(!fstat(fd, &st));
    if (S_ISDIR(st.st_mode)) {
        g_clear_pointer(&o->before, g_bytes_unref);
        o->renamed = false;
    } else {
        o->synced = fd;
    }
    return 0;
}

static inline GBytes *so_contents(const char *path)
{
    char *data;
    gsize len;

    return g_file_test(path, G_FILE_TEST_IS_REGULAR) &&
           g_file_get_contents(path, &data, &len, NULL)
               ? g_bytes_new_take(data, len) : NULL;
}

static inline int so_rename(void *opaque, int dir, const char *from,
                            const char *to)
{
    struct so *o = opaque;
    int fd;

    if (so_fails(o, SO_RENAME)) {
        return -1;
    }
    if (!o->renamed) {
        o->before = so_contents(o->path);
        o->renamed = true;
    }
    if (o->synced < 0) {
        fd = openat(dir, from, O_WRONLY | O_TRUNC);
        close(fd);
    }
    return renameat(dir, from, dir, to);
}

static inline int so_unlink(void *opaque, int dir, const char *name)
{
    struct so *o = opaque;

    return so_fails(o, SO_UNLINK) ? -1 : unlinkat(dir, name, 0);
}

static inline void so_init(struct so *o, const char *path)
{
    memset(o, 0, sizeof(*o));
    o->ops = (struct envme_state_ops){
        .opaque = o, .create = so_create, .lock = so_lock, .write = so_write,
        .fsync = so_fsync, .rename = so_rename, .unlink = so_unlink,
    };
    o->fail_errno = EIO;
    o->synced = -1;
    o->path = g_strdup(path);
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->cond, NULL);
}

/* What was not made durable is lost. */
static inline void so_power_cut(struct so *o)
{
    gsize len;

    if (o->renamed && o->before) {
        const char *p = g_bytes_get_data(o->before, &len);

        g_assert(g_file_set_contents(o->path, p, len, NULL));
    } else if (o->renamed) {
        unlink(o->path);
    }
}

static inline void so_fini(struct so *o)
{
    g_clear_pointer(&o->before, g_bytes_unref);
    pthread_mutex_destroy(&o->lock);
    pthread_cond_destroy(&o->cond);
    g_free(o->path);
}

#endif
