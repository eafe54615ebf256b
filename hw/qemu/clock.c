/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include "qemu/timer.h"

#include "hw/qemu/clock.h"

static uint64_t clock_now(void *opaque)
{
    (void)opaque;
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static uint64_t clock_wall_ms(void *opaque)
{
    (void)opaque;
    return qemu_clock_get_ms(QEMU_CLOCK_HOST);
}

void envme_qclock_init(struct envme_time *port)
{
    *port = (struct envme_time) {
        .now = clock_now,
        .wall_ms = clock_wall_ms,
    };
}
