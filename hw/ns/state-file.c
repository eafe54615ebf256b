/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state file is replaced, never changed: NAME.tmp is written and made
 * durable, renamed to NAME, and the directory is made durable. Whoever uses
 * NAME holds a lock on it; the lock on NAME.tmp, taken before it is renamed,
 * becomes the one on NAME. Nobody makes a NAME that is not there without a
 * lock on NAME.tmp.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hw/ns/state-file.h"

#define FILE_TRIES 16
#define FILE_WRITE_MAX (1u << 20)       /* bytes of one call */

/* ---- the system's calls ------------------------------------------------ */

static int sys_create(void *opaque, int dir, const char *name, mode_t mode)
{
    (void)opaque;
    return openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
                  O_NOFOLLOW, mode);
}

/* Of the open file, not of the process: two devices of one QEMU exclude each
 * other, and closing another descriptor of the file does not unlock it. */
static int sys_lock(void *opaque, int fd)
{
    struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int ret = fcntl(fd, F_OFD_SETLK, &fl);

    (void)opaque;
    if (ret < 0 && errno == EACCES) {
        errno = EAGAIN;
    }
    return ret;
}

static ssize_t sys_write(void *opaque, int fd, const void *buf, size_t len)
{
    (void)opaque;
    return write(fd, buf, len);
}

static int sys_fsync(void *opaque, int fd)
{
    (void)opaque;
    return fsync(fd);
}

static int sys_rename(void *opaque, int dir, const char *from, const char *to)
{
    (void)opaque;
    return renameat(dir, from, dir, to);
}

static int sys_unlink(void *opaque, int dir, const char *name)
{
    (void)opaque;
    return unlinkat(dir, name, 0);
}

static const struct envme_state_ops sys_ops = {
    .create = sys_create, .lock = sys_lock, .write = sys_write,
    .fsync = sys_fsync, .rename = sys_rename, .unlink = sys_unlink,
};

/* ---- helpers ----------------------------------------------------------- */

/* Is this open file what the name stands for now? */
static bool file_is_named(const struct envme_state_file *f, int fd,
                          const char *name)
{
    struct stat a, b;

    return !fstat(fd, &a) && !fstatat(f->dir, name, &b, AT_SYMLINK_NOFOLLOW) &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool file_exists(const struct envme_state_file *f, const char *name)
{
    struct stat st;

    return !fstatat(f->dir, name, &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT;
}

static int file_put(const struct envme_state_file *f, int fd,
                    const GByteArray *buf)
{
    size_t done = 0;

    while (done < buf->len) {
        size_t n = buf->len - done;
        ssize_t ret = f->ops.write(f->ops.opaque, fd, buf->data + done,
                                   n < FILE_WRITE_MAX ? n : FILE_WRITE_MAX);

        if (ret < 0 && errno == EINTR) {
            continue;
        }
        if (ret <= 0) {
            return ret ? -errno : -ENOSPC;
        }
        done += ret;
    }
    return f->ops.fsync(f->ops.opaque, fd) ? -errno : 0;
}

/* NAME.tmp, locked, becomes NAME. On success fd is f->fd. */
static int file_install(struct envme_state_file *f, int fd)
{
    if (f->ops.rename(f->ops.opaque, f->dir, f->tmp, f->name)) {
        return -errno;
    }
    if (f->fd >= 0) {
        close(f->fd);
    }
    f->fd = fd;
    return 0;
}

static int file_sync_dir(const struct envme_state_file *f)
{
    /* EINVAL: not a thing of this file system. */
    if (f->ops.fsync(f->ops.opaque, f->dir) && errno != EINVAL) {
        return -errno;
    }
    return 0;
}

/* ---- replacing --------------------------------------------------------- */

/* As the file that it replaces. The owner as far as we may. */
static int file_like_old(const struct envme_state_file *f, int fd)
{
    struct stat old, new;

    if (fstat(f->fd, &old) || fstat(fd, &new)) {
        return -errno;
    }
    if ((old.st_uid != new.st_uid || old.st_gid != new.st_gid) &&
        fchown(fd, old.st_uid, old.st_gid)) {
        return 0;               /* then not its permissions either */
    }
    return fchmod(fd, old.st_mode & 07777) ? -errno : 0;
}

static int file_replace(struct envme_state_file *f, int fd,
                        const GByteArray *buf)
{
    int ret = file_like_old(f, fd);

    if (!ret && f->ops.lock(f->ops.opaque, fd)) {
        ret = -errno;
    }
    if (!ret) {
        ret = file_put(f, fd, buf);
    }
    /* Not over a file that somebody has put there in the meantime. */
    if (!ret && !file_is_named(f, f->fd, f->name) &&
        file_exists(f, f->name)) {
        ret = -ESTALE;
    }
    return ret ? ret : file_install(f, fd);
}

int envme_state_file_write(struct envme_state_file *f, const GByteArray *buf)
{
    int fd, ret;

    if (f->ops.unlink(f->ops.opaque, f->dir, f->tmp) && errno != ENOENT) {
        return -errno;
    }
    fd = f->ops.create(f->ops.opaque, f->dir, f->tmp, 0600);
    if (fd < 0) {
        return -errno;
    }
    ret = file_replace(f, fd, buf);
    if (ret) {
        close(fd);
        f->ops.unlink(f->ops.opaque, f->dir, f->tmp);
        return ret;
    }
    return file_sync_dir(f);
}

/* ---- opening ----------------------------------------------------------- */

/* Answers of one attempt to open: what is to be done next. */
enum file_try { FILE_OK, FILE_AGAIN, FILE_FAILED };

static enum file_try file_fail(const struct envme_state_file *f, char **err,
                               const char *what, int errnum, const char *advice)
{
    *err = g_strdup_printf("state=%s %s: %s; %s", f->path, what,
                           g_strerror(errnum), advice);
    return FILE_FAILED;
}

static enum file_try file_in_use(const struct envme_state_file *f, char **err)
{
    *err = g_strdup_printf("state=%s is in use by another subsystem, here or "
                           "in another QEMU; give each its own file", f->path);
    return FILE_FAILED;
}

/* What is in NAME.tmp was never finished, unless somebody is at it. */
static enum file_try file_clear_tmp(struct envme_state_file *f, char **err)
{
    int fd = openat(f->dir, f->tmp, O_RDWR | O_CLOEXEC | O_NONBLOCK |
                    O_NOFOLLOW);
    enum file_try ret = FILE_AGAIN;

    if (fd < 0) {
        return errno == ENOENT ? FILE_AGAIN :
               file_fail(f, err, "has an unfinished .tmp beside it that cannot "
                         "be removed", errno, "remove that");
    }
    if (f->ops.lock(f->ops.opaque, fd)) {
        ret = errno == EAGAIN ? file_in_use(f, err) :
              file_fail(f, err, "cannot be locked", errno,
                        "name one on a file system that has locks");
    } else if (file_is_named(f, fd, f->tmp) &&
               f->ops.unlink(f->ops.opaque, f->dir, f->tmp)) {
        ret = file_fail(f, err, "has an unfinished .tmp beside it that cannot "
                        "be removed", errno, "remove that");
    }
    close(fd);
    return ret;
}

static enum file_try file_fill_new(struct envme_state_file *f, int fd,
                                   const GByteArray *buf, char **err)
{
    const char *what = "cannot be made";
    int ret;

    if (f->ops.lock(f->ops.opaque, fd)) {
        return errno == EAGAIN ? file_in_use(f, err) :
               file_fail(f, err, "cannot be locked", errno,
                         "name one on a file system that has locks");
    }
    if (!file_is_named(f, fd, f->tmp)) {
        return FILE_AGAIN;      /* taken for an unfinished one */
    }
    if (file_exists(f, f->name)) {
        f->ops.unlink(f->ops.opaque, f->dir, f->tmp);
        return FILE_AGAIN;      /* somebody was faster */
    }
    ret = file_put(f, fd, buf);
    if (!ret) {
        ret = file_install(f, fd);
    }
    if (ret) {
        f->ops.unlink(f->ops.opaque, f->dir, f->tmp);
        return file_fail(f, err, what, -ret, "make room or name another one");
    }
    ret = file_sync_dir(f);
    return ret ? file_fail(f, err, what, -ret, "name another one") : FILE_OK;
}

static enum file_try file_make(struct envme_state_file *f, char **err)
{
    g_autoptr(GTree) none = envme_state_tree_new();
    g_autoptr(GByteArray) buf = envme_state_encode(none, f->ident, 1);
    enum file_try ret;
    int fd;

    fd = f->ops.create(f->ops.opaque, f->dir, f->tmp, 0600);
    if (fd < 0) {
        return errno == EEXIST ? file_clear_tmp(f, err) :
               file_fail(f, err, "cannot be made", errno,
                         "name one in a directory that can be written");
    }
    ret = file_fill_new(f, fd, buf, err);
    if (f->fd != fd) {
        close(fd);
    }
    f->writes = 1;
    return ret;
}

static enum file_try file_load(struct envme_state_file *f, int fd,
                               GTree *records, char **err)
{
    g_autofree uint8_t *buf = NULL;
    g_autofree char *wrong = NULL;
    struct stat st;
    size_t len = 0;

    if (fstat(fd, &st) || st.st_size > ENVME_STATE_FILE_MAX) {
        return file_fail(f, err, "is not a state file", EFBIG,
                         "name another one");
    }
    buf = g_malloc(st.st_size + 1);
    while (len <= (size_t)st.st_size) {
        ssize_t n = pread(fd, buf + len, st.st_size + 1 - len, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return file_fail(f, err, "cannot be read", errno,
                             "put back a copy of it, or remove it to start "
                             "fresh");
        }
        if (!n) {
            break;
        }
        len += n;
    }
    wrong = envme_state_decode(buf, len, f->ident, records, &f->writes);
    if (wrong) {
        *err = g_strdup_printf("state=%s %s", f->path, wrong);
        return FILE_FAILED;
    }
    return FILE_OK;
}

/* Can it be replaced? Better to know now than with the first write. */
static enum file_try file_probe(struct envme_state_file *f, char **err)
{
    const char *what = "cannot be replaced";
    const char *advice = "the directory that it is in has to be writable";
    int fd;

    if (f->ops.unlink(f->ops.opaque, f->dir, f->tmp) && errno != ENOENT) {
        return file_fail(f, err, what, errno, advice);
    }
    fd = f->ops.create(f->ops.opaque, f->dir, f->tmp, 0600);
    if (fd < 0) {
        return file_fail(f, err, what, errno, advice);
    }
    close(fd);
    f->ops.unlink(f->ops.opaque, f->dir, f->tmp);
    return FILE_OK;
}

static enum file_try file_use(struct envme_state_file *f, int fd,
                              GTree *records, char **err)
{
    enum file_try ret;
    struct stat st;

    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        *err = g_strdup_printf("state=%s is not a regular file; name one, or "
                               "one that is not there yet", f->path);
        return FILE_FAILED;
    }
    if (f->ops.lock(f->ops.opaque, fd)) {
        return errno == EAGAIN ? file_in_use(f, err) :
               file_fail(f, err, "cannot be locked", errno,
                         "name one on a file system that has locks");
    }
    if (!file_is_named(f, fd, f->name)) {
        return FILE_AGAIN;      /* it was replaced by whoever had the lock */
    }
    ret = file_load(f, fd, records, err);
    return ret == FILE_OK ? file_probe(f, err) : ret;
}

static enum file_try file_try_open(struct envme_state_file *f, GTree *records,
                                   char **err)
{
    int fd = openat(f->dir, f->name, O_RDWR | O_CLOEXEC | O_NONBLOCK |
                    O_NOCTTY | O_NOFOLLOW);
    enum file_try ret;

    if (fd < 0 && errno == ENOENT) {
        return file_make(f, err);
    }
    if (fd < 0) {
        return file_fail(f, err, "cannot be opened", errno,
                         "name a file that can be read and written");
    }
    ret = file_use(f, fd, records, err);
    if (ret == FILE_OK) {
        f->fd = fd;
    } else {
        close(fd);
    }
    return ret;
}

/* Links are followed once, here: what is renamed must not be one. */
static bool file_find(struct envme_state_file *f, char **err)
{
    g_autofree char *dir = NULL;
    char *real = realpath(f->path, NULL);
    const char *full = real ? real : f->path;
    struct stat st;

    if (!real && !lstat(f->path, &st)) {
        *err = g_strdup_printf("state=%s is a link to nothing; name a file",
                               f->path);
        return false;
    }
    dir = g_path_get_dirname(full);
    f->name = g_path_get_basename(full);
    f->tmp = g_strconcat(f->name, ".tmp", NULL);
    if (!*f->path || g_str_has_suffix(f->path, "/")) {
        *err = g_strdup_printf("state=%s is not the name of a file; name one",
                               f->path);
        free(real);
        return false;
    }
    free(real);
    f->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->dir < 0) {
        file_fail(f, err, "is in a directory that cannot be opened", errno,
                  "make the directory first");
        return false;
    }
    return true;
}

bool envme_state_file_open(struct envme_state_file *f, const char *path,
                           const char *ident,
                           const struct envme_state_ops *ops, GTree *records,
                           char **err)
{
    enum file_try ret = FILE_AGAIN;

    *f = (struct envme_state_file){
        .ops = ops ? *ops : sys_ops, .path = g_strdup(path), .dir = -1,
        .fd = -1,
    };
    g_strlcpy(f->ident, ident, sizeof(f->ident));
    if (!file_find(f, err)) {
        envme_state_file_close(f);
        return false;
    }
    for (unsigned i = 0; i < FILE_TRIES && ret == FILE_AGAIN; i++) {
        ret = file_try_open(f, records, err);
    }
    if (ret == FILE_AGAIN) {
        file_in_use(f, err);
    }
    if (ret != FILE_OK) {
        envme_state_file_close(f);
    }
    return ret == FILE_OK;
}

void envme_state_file_close(struct envme_state_file *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }
    if (f->dir >= 0) {
        close(f->dir);
    }
    g_free(f->path);
    g_free(f->name);
    g_free(f->tmp);
    *f = (struct envme_state_file){ .dir = -1, .fd = -1 };
}
