/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The boot partitions of a subsystem: two pieces of storage of equal size
 * that all its controllers share, which one is active, and who may write
 * them. Base 2.1, 8.1.3.
 *
 * Owner: the subsystem (subsys->bp), which frees it; the first controller
 * that has boot partitions has it made. Lane 0. What a host has changed is
 * kept in the subsystem's state: records "bp", "bp/0" and "bp/1"; write
 * protection is not, a power cycle ends it.
 */
#ifndef ENVME_NS_BOOTPART_H
#define ENVME_NS_BOOTPART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/ns/state.h"

#define ENVME_BOOTPART_UNIT (128u << 10)        /* bytes, of BPINFO.BPSZ */
/* Units that there may be: an image is one record of the state. */
#define ENVME_BOOTPART_MAX  127

struct envme_bootpart {
    struct envme_state *state;
    uint32_t units;
    size_t size;                /* bytes, of each */
    uint8_t *data[2];           /* size bytes */
    uint8_t active;             /* 0 or 1 */
    uint8_t wps[2];             /* ENVME_BPWP_* */
};

/*
 * Two partitions of that many units, with what the state says, or else with
 * the bytes given (at most size; NULL: none) and zeroes behind them.
 */
struct envme_bootpart *envme_bootpart_new(struct envme_state *state,
                                          uint32_t units,
                                          const void *const init[2],
                                          const size_t len[2]);
void envme_bootpart_free(struct envme_bootpart *bp);

/* Both are put into the state; whoever tells the host waits for it. len is at
 * most size; zeroes follow. */
void envme_bootpart_write(struct envme_bootpart *bp, unsigned id,
                          const void *buf, size_t len);
void envme_bootpart_activate(struct envme_bootpart *bp, unsigned id);

#endif
