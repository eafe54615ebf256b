/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/sg.h"

#include <glib.h>

#include "envme/bytes.h"

void envme_sg_init(struct envme_sg *sg, uint32_t limit)
{
    sg->seg = sg->inl;
    sg->n = 0;
    sg->cap = ENVME_SG_INLINE;
    sg->limit = limit;
    sg->bytes = 0;
}

static bool sg_grow(struct envme_sg *sg)
{
    uint64_t cap = (uint64_t)sg->cap * 2;
    struct envme_seg *seg;

    cap = ENVME_MIN(cap, sg->limit);
    if (cap > SIZE_MAX / sizeof(*seg)) {
        return false;
    }
    /* The size comes from the guest: failing is better than aborting. */
    seg = g_try_realloc(sg->seg == sg->inl ? NULL : sg->seg,
                        cap * sizeof(*seg));
    if (!seg) {
        return false;
    }
    if (sg->seg == sg->inl) {
        for (uint32_t i = 0; i < sg->n; i++) {
            seg[i] = sg->inl[i];
        }
    }
    sg->seg = seg;
    sg->cap = cap;
    return true;
}

static bool sg_merge(struct envme_seg *last, uint64_t addr, uint32_t len,
                     uint32_t flags)
{
    if (last->flags != flags || len > UINT32_MAX - last->len) {
        return false;
    }
    /* A segment that ends at 2^64 is not followed by address 0. */
    if (!(flags & ENVME_SEG_BUCKET) &&
        (addr == 0 || last->addr + last->len != addr)) {
        return false;
    }
    last->len += len;
    return true;
}

bool envme_sg_add(struct envme_sg *sg, uint64_t addr, uint32_t len,
                  uint32_t flags)
{
    if (!len) {
        return true;
    }
    if (flags & ENVME_SEG_BUCKET) {
        addr = 0;
    } else if (addr + (len - 1) < addr) {
        return false;
    }
    if (sg->n && sg_merge(&sg->seg[sg->n - 1], addr, len, flags)) {
        sg->bytes += len;
        return true;
    }
    if (sg->n >= sg->limit || (sg->n == sg->cap && !sg_grow(sg))) {
        return false;
    }
    sg->seg[sg->n++] = (struct envme_seg){
        .addr = addr, .len = len, .flags = flags,
    };
    sg->bytes += len;
    return true;
}

void envme_sg_clear(struct envme_sg *sg)
{
    sg->n = 0;
    sg->bytes = 0;
}

void envme_sg_free(struct envme_sg *sg)
{
    if (sg->seg != sg->inl) {
        g_free(sg->seg);
    }
    envme_sg_init(sg, sg->limit);
}
