/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time port. now() is QEMU's virtual clock: it stands still while the
 * machine is stopped, follows -icount, and a qtest sets it by hand, so time
 * limits and service times do so too. wall_ms() is the host's clock. Any
 * thread.
 */
#ifndef ENVME_QEMU_CLOCK_H
#define ENVME_QEMU_CLOCK_H

#include "hw/core/ports.h"

void envme_qclock_init(struct envme_time *port);

#endif
