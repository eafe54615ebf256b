/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where logical blocks and their metadata lie on a backend: all data first,
 * then all metadata. What a host sees (metadata with the data or apart) does
 * not change it. Protection information lies there with all its bits inverted,
 * so that zeroes, as in blocks never written or deallocated, are the FFh that
 * a host has to see then, and can't be taken for a tuple that was written.
 * Pure functions, any thread.
 */
#ifndef ENVME_NS_LAYOUT_H
#define ENVME_NS_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/ns/ns.h"

struct envme_layout {
    uint64_t nsze;              /* logical blocks that fit */
    uint64_t moff;              /* byte offset of the metadata area */
};

/* lbads and ms are a valid format; size is the backend's, in bytes. */
struct envme_layout envme_layout_fit(uint64_t size, uint8_t lbads,
                                     uint16_t ms);

/*
 * How many blocks a namespace has when its backend's size changes. The
 * metadata area stays where it is, or blocks would get the metadata of
 * others: with metadata a namespace can shrink but not grow.
 */
uint64_t envme_layout_refit(uint64_t size, uint8_t lbads, uint16_t ms,
                            uint64_t moff, uint64_t nsze);

/* Can a backend with this alignment hold that format? */
static inline bool envme_layout_align_ok(uint32_t align, uint8_t lbads,
                                         uint16_t ms)
{
    return (1u << lbads) % align == 0 && ms % align == 0;
}

static inline uint64_t envme_layout_data(const struct envme_ns *ns,
                                         uint64_t slba)
{
    return slba << ns->lbads;
}

static inline uint64_t envme_layout_md(const struct envme_ns *ns,
                                       uint64_t slba)
{
    return ns->moff + slba * ns->ms;
}

#endif
