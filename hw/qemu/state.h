/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state=: the file in which a subsystem keeps what outlives the power. Owner:
 * the device that has the subsystem. Under the BQL.
 */
#ifndef ENVME_QEMU_STATE_H
#define ENVME_QEMU_STATE_H

#include "qemu/notify.h"

#include "hw/ns/subsys.h"

struct envme_qstate {
    char *path;                 /* property; NULL: nothing is kept */
    struct envme_subsys *subsys;
    Notifier exit;              /* QEMU ends without unrealizing devices */
    Notifier ready;             /* all devices of the command line are there */
};

/* Before the first controller of the subsystem is made. Devices that the
 * records need and the command line lacks end QEMU when it is ready. */
bool envme_qstate_open(struct envme_qstate *q, struct envme_subsys *subsys,
                       Error **errp);
/* When its controllers have left. Nothing happens if it isn't open. */
void envme_qstate_close(struct envme_qstate *q);

#endif
