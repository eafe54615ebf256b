/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to a backend that no command stands for: background operations.
 *
 * Owner: whoever embeds one, of a controller that is not idle while it is
 * busy; the namespace is held. Lane 0.
 */
#ifndef ENVME_ADMIN_BGIO_H
#define ENVME_ADMIN_BGIO_H

#include "hw/ctrl/ctrl.h"

struct envme_bgio {
    struct envme_bio bio;       /* op, flags, offset, bytes: the caller's */
    struct iovec iov;           /* READ, WRITE: iov_base the caller's */
    bool busy;
    struct envme_ctrl *ctrl;
    struct envme_ns *ns;
    void (*fn)(struct envme_bgio *io, int err);
};

/* Not while it is busy. fn may be called before this returns, and starts no
 * other request itself: it sets a deadline for that. */
void envme_bgio_start(struct envme_bgio *io, struct envme_ctrl *ctrl,
                      struct envme_ns *ns,
                      void (*fn)(struct envme_bgio *io, int err));

#endif
