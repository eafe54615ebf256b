/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/prp.h"

#include <assert.h>

#include "envme/bytes.h"

/* Entries copied at a time: a list page of 4 KiB, on the stack. */
#define PRP_CHUNK 512

static uint32_t prp_offset(const struct envme_walk *w, uint64_t entry)
{
    return entry & (w->page - 1);
}

/* Adds a page, or as much of it as is still wanted. */
static struct envme_status prp_add(struct envme_walk *w, uint64_t entry,
                                   uint64_t *len, struct envme_sg *sg)
{
    uint32_t n = ENVME_MIN(*len, w->page);

    if (prp_offset(w, entry)) {
        return ENVME_ST(PRP_OFFSET_INVALID);
    }
    if (!envme_sg_add(sg, entry, n, 0)) {
        return ENVME_ST(INTERNAL);
    }
    *len -= n;
    return ENVME_ST(SUCCESS);
}

/*
 * One page of a list, from addr to the page's end or to the last entry that
 * len needs. *next becomes the pointer to the following list page; it is not
 * touched if there is none.
 */
static struct envme_status prp_list_page(struct envme_walk *w, uint64_t addr,
                                         uint64_t *len, struct envme_sg *sg,
                                         uint64_t *next)
{
    uint64_t pages = *len / w->page + (*len % w->page != 0);
    uint32_t slots = (w->page - prp_offset(w, addr)) / sizeof(le64_t);
    bool chained = pages > slots;
    uint32_t left = chained ? slots : pages;
    le64_t buf[PRP_CHUNK];

    while (left) {
        uint32_t n = ENVME_MIN(left, PRP_CHUNK);
        struct envme_status st;

        w->err = w->read(w->opaque, addr, buf, n * sizeof(buf[0]));
        if (w->err) {
            return ENVME_ST(DATA_XFER_ERROR);
        }
        addr += n * sizeof(buf[0]);
        left -= n;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t entry = le64_get(buf[i]);

            if (chained && !left && i == n - 1) {
                *next = entry;
                break;
            }
            st = prp_add(w, entry, len, sg);
            if (envme_st_err(st)) {
                return st;
            }
        }
    }
    return ENVME_ST(SUCCESS);
}

/* addr is aligned to 8 bytes, so that no entry crosses the page's end. */
static struct envme_status prp_list(struct envme_walk *w, uint64_t addr,
                                    uint64_t len, struct envme_sg *sg)
{
    while (len) {
        struct envme_status st;

        st = prp_list_page(w, addr, &len, sg, &addr);
        if (envme_st_err(st)) {
            return st;
        }
        /* Only the first list pointer, the command's, may have an offset. */
        if (len && prp_offset(w, addr)) {
            return ENVME_ST(PRP_OFFSET_INVALID);
        }
    }
    return ENVME_ST(SUCCESS);
}

static void prp_begin(struct envme_walk *w)
{
    assert(ENVME_IS_POW2(w->page) && w->page >= 4096);
    w->err = 0;
}

struct envme_status envme_prp_map(struct envme_walk *w, uint64_t prp1,
                                  uint64_t prp2, uint64_t len,
                                  struct envme_sg *sg)
{
    uint32_t n;

    prp_begin(w);
    if (!len) {
        return ENVME_ST(SUCCESS);
    }
    if (prp1 & 3) {
        return ENVME_ST(PRP_OFFSET_INVALID);
    }
    n = ENVME_MIN(len, w->page - prp_offset(w, prp1));
    if (!envme_sg_add(sg, prp1, n, 0)) {
        return ENVME_ST(INTERNAL);
    }
    len -= n;
    if (!len) {
        return ENVME_ST(SUCCESS);
    }
    if (len <= w->page) {
        return prp_add(w, prp2, &len, sg);
    }
    if (prp2 & 7) {
        return ENVME_ST(PRP_OFFSET_INVALID);
    }
    return prp_list(w, prp2, len, sg);
}

struct envme_status envme_prp_list_map(struct envme_walk *w,
                                       uint64_t list_addr, uint64_t npages,
                                       struct envme_sg *sg)
{
    prp_begin(w);
    if (npages > UINT64_MAX / w->page) {
        return ENVME_ST(INTERNAL);
    }
    if (prp_offset(w, list_addr)) {
        return ENVME_ST(PRP_OFFSET_INVALID);
    }
    return prp_list(w, list_addr, npages * w->page, sg);
}
