/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "hw/ctrl/cmd.h"
#include "hw/ctrl/pace.h"

/*
 * Continuations that start requests which are over at once would nest as deep
 * as the guest's transfer has chunks: the innermost leaves its result here,
 * and the outermost goes round.
 */
struct envme_cmd_loop {
    bool again;
    int err;
};

static void cmd_bio_over(struct envme_cmd *cmd, int err)
{
    struct envme_cmd_loop loop;

    do {
        void (*cont)(struct envme_cmd *, int) = cmd->cont;

        cmd->cont = NULL;
        if (!cont) {
            envme_cmd_done(cmd, envme_cmd_io_status(cmd, err));
            return;
        }
        loop.again = false;
        cmd->loop = &loop;
        cont(cmd, err);
        /* Without `again`, cmd may be gone. */
        err = loop.err;
    } while (loop.again);
}

static void cmd_bio_done(struct envme_bio *bio, int err)
{
    struct envme_cmd *cmd = bio->opaque;

    cmd->io_pending = false;
    cmd_bio_over(cmd, err);
}

struct envme_status envme_cmd_io(struct envme_cmd *cmd, struct envme_ns *ns,
                                 void (*cont)(struct envme_cmd *cmd, int err))
{
    struct envme_backend *be;
    int ret;

    cmd->bio.done = cmd_bio_done;
    cmd->bio.opaque = cmd;
    cmd->cont = cont;
    cmd->io_ns = ns;
    cmd->io_pending = true;
    if (cmd->aborted || cmd->sq->deleting) {
        ret = -ECANCELED;
    } else {
        be = atomic_load_explicit(&ns->io, memory_order_acquire);
        ret = be->ops->submit(be, &cmd->bio);
    }
    if (ret == ENVME_BIO_PENDING) {
        cmd->loop = NULL;
        return ENVME_ST_PENDING;
    }
    cmd->io_pending = false;
    if (cmd->loop) {
        cmd->loop->again = true;
        cmd->loop->err = ret;
        cmd->loop = NULL;
        return ENVME_ST_PENDING;
    }
    if (!cont) {
        return envme_cmd_io_status(cmd, ret);
    }
    cmd_bio_over(cmd, ret);
    return ENVME_ST_PENDING;
}

static void cmd_yielded(void *arg)
{
    cmd_bio_over(arg, 0);
}

void envme_cmd_yield(struct envme_cmd *cmd,
                     void (*cont)(struct envme_cmd *cmd, int err))
{
    cmd->loop = NULL;           /* which goes round no more */
    cmd->cont = cont;
    envme_defer(cmd->ctrl, cmd->moved ? 0 : cmd->lane->index, cmd_yielded,
                cmd);
}

void envme_cmd_cancel(struct envme_cmd *cmd)
{
    struct envme_backend *be;

    if (cmd->due.slot) {
        envme_pace_hurry(cmd);
        return;
    }
    if (cmd->moved) {
        /* Lane 0 has it, and what it waits for ends by itself. */
        return;
    }
    if (cmd->unwait) {
        cmd->unwait(cmd);
        return;
    }
    if (cmd->state == ENVME_CMD_HELD) {
        /* If it has not begun, it need not wait to hear of it. */
        envme_kick(cmd->ctrl, cmd->lane->index);
        return;
    }
    if (!cmd->io_pending) {
        return;
    }
    be = atomic_load_explicit(&cmd->io_ns->io, memory_order_acquire);
    if (be->ops->cancel) {
        be->ops->cancel(be, &cmd->bio);
    }
}

static size_t cmd_copy(struct envme_cmd *cmd, size_t off, void *buf, size_t len,
                       bool to_host)
{
    size_t done = 0;

    for (unsigned i = 0; i < cmd->data.niov && done < len; i++) {
        const struct iovec *v = &cmd->data.iov[i];
        char *host = v->iov_base, *ours = (char *)buf + done;
        size_t n;

        if (off >= v->iov_len) {
            off -= v->iov_len;
            continue;
        }
        n = ENVME_MIN(v->iov_len - off, len - done);
        if (to_host) {
            memcpy(host + off, ours, n);
        } else {
            memcpy(ours, host + off, n);
        }
        done += n;
        off = 0;
    }
    return done;
}

size_t envme_cmd_to_host(struct envme_cmd *cmd, size_t off, const void *buf,
                         size_t len)
{
    return cmd_copy(cmd, off, (void *)buf, len, true);
}

size_t envme_cmd_from_host(struct envme_cmd *cmd, size_t off, void *buf,
                           size_t len)
{
    return cmd_copy(cmd, off, buf, len, false);
}
