/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/admin/bgio.h"

#include "hw/ctrl/life.h"

static void bgio_done(struct envme_bio *bio, int err)
{
    struct envme_bgio *io = bio->opaque;
    struct envme_ctrl *ctrl = io->ctrl;
    struct envme_ns *ns = io->ns;

    io->busy = false;
    io->fn(io, err);
    envme_ns_unhold(ns);
    /* Last: somebody may wait for it to free the controller. */
    envme_life_background(ctrl, false);
}

void envme_bgio_start(struct envme_bgio *io, struct envme_ctrl *ctrl,
                      struct envme_ns *ns,
                      void (*fn)(struct envme_bgio *io, int err))
{
    struct envme_backend *be = atomic_load(&ns->io);
    int ret;

    assert(!io->busy);
    io->busy = true;
    io->ctrl = ctrl;
    io->ns = ns;
    io->fn = fn;
    io->bio.done = bgio_done;
    io->bio.opaque = io;
    if (io->bio.op == ENVME_BIO_READ || io->bio.op == ENVME_BIO_WRITE) {
        io->iov.iov_len = io->bio.bytes;
        io->bio.iov = &io->iov;
        io->bio.niov = 1;
    } else {
        io->bio.iov = NULL;
        io->bio.niov = 0;
    }
    envme_ns_hold(ns);
    envme_life_background(ctrl, true);
    ret = be->ops->submit(be, &io->bio);
    if (ret != ENVME_BIO_PENDING) {
        bgio_done(&io->bio, ret);
    }
}
