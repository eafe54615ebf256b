/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "th.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "hw/ns/state.h"

atomic_bool th_state_broken;

static int bad_create(void *opaque, int dir, const char *name, mode_t mode)
{
    (void)opaque;
    if (th_state_broken) {
        errno = ENOSPC;
        return -1;
    }
    return openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
}

static int ok_lock(void *opaque, int fd)
{
    (void)opaque;
    (void)fd;
    return 0;
}

static ssize_t ok_write(void *opaque, int fd, const void *buf, size_t len)
{
    (void)opaque;
    return write(fd, buf, len);
}

static int ok_fsync(void *opaque, int fd)
{
    (void)opaque;
    (void)fd;
    return 0;
}

static int ok_rename(void *opaque, int dir, const char *from, const char *to)
{
    (void)opaque;
    return renameat(dir, from, dir, to);
}

static int ok_unlink(void *opaque, int dir, const char *name)
{
    (void)opaque;
    return unlinkat(dir, name, 0);
}

const struct envme_state_ops th_state_bad = {
    .create = bad_create, .lock = ok_lock, .write = ok_write,
    .fsync = ok_fsync, .rename = ok_rename, .unlink = ok_unlink,
};
