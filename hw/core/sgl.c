/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/sgl.h"

#include "envme/bytes.h"

/* Descriptors copied at a time: 4 KiB, on the stack. */
#define SGL_CHUNK 256

struct sgl_state {
    struct envme_walk *w;
    struct envme_sg *sg;
    unsigned flags;
    uint32_t fuel;
    uint64_t len;               /* still wanted */
    /* The segment to read next; count is 0 when there is none. */
    uint64_t next;
    uint32_t count;             /* descriptors */
    bool next_is_last;
};

static struct envme_status sgl_length_invalid(const struct sgl_state *s)
{
    return s->flags & ENVME_SGL_METADATA ? ENVME_ST(SGL_INVALID_MD_LEN)
                                         : ENVME_ST(SGL_INVALID_LEN);
}

/* Nothing that follows can make a difference. */
static bool sgl_satisfied(const struct sgl_state *s)
{
    return !s->len && (s->flags & ENVME_SGL_EXCESS_OK);
}

static struct envme_status sgl_add(struct sgl_state *s, uint64_t addr,
                                   uint32_t len, uint32_t seg_flags)
{
    if (len > s->len) {
        if (!(s->flags & ENVME_SGL_EXCESS_OK)) {
            return sgl_length_invalid(s);
        }
        len = s->len;
    }
    if (!len) {
        return ENVME_ST(SUCCESS);
    }
    if (!(seg_flags & ENVME_SEG_BUCKET) && addr + (len - 1) < addr) {
        return ENVME_ST(DATA_XFER_ERROR);
    }
    if (!envme_sg_add(s->sg, addr, len, seg_flags)) {
        return s->sg->n >= s->sg->limit ? ENVME_ST(SGL_INVALID_COUNT)
                                        : ENVME_ST(INTERNAL);
    }
    s->len -= len;
    return ENVME_ST(SUCCESS);
}

/* in_last: this descriptor stands in a last segment; final: nothing follows
 * it in its segment. */
static struct envme_status sgl_follow(struct sgl_state *s, uint64_t addr,
                                      uint32_t len, bool in_last, bool final)
{
    if (in_last) {
        return ENVME_ST(SGL_INVALID_SEG);
    }
    if (!final) {
        return ENVME_ST(SGL_INVALID_COUNT);
    }
    if (!len || len % sizeof(struct envme_sgl_desc) || addr % 8 ||
        addr + (len - 1) < addr) {
        return ENVME_ST(SGL_INVALID_SEG);
    }
    s->next = addr;
    s->count = len / sizeof(struct envme_sgl_desc);
    return ENVME_ST(SUCCESS);
}

static struct envme_status sgl_desc(struct sgl_state *s,
                                    const struct envme_sgl_desc *desc,
                                    bool in_last, bool final)
{
    uint64_t addr = le64_get(desc->addr);
    uint32_t len = le32_get(desc->len);
    unsigned type = FIELD_GET(ENVME_SGL_TYPE, desc->id);

    if (!s->fuel) {
        return ENVME_ST(SGL_INVALID_COUNT);
    }
    s->fuel--;
    if (FIELD_GET(ENVME_SGL_SUBTYPE, desc->id) != ENVME_SGL_ADDRESS) {
        return ENVME_ST(SGL_INVALID_TYPE);
    }
    switch (type) {
    case ENVME_SGL_DATA:
        return sgl_add(s, addr, len, 0);
    case ENVME_SGL_BIT_BUCKET:
        if (!(s->flags & ENVME_SGL_C2H)) {
            return ENVME_ST(SUCCESS);
        }
        return sgl_add(s, 0, len, ENVME_SEG_BUCKET);
    case ENVME_SGL_SEGMENT:
    case ENVME_SGL_LAST_SEGMENT:
        s->next_is_last = type == ENVME_SGL_LAST_SEGMENT;
        return sgl_follow(s, addr, len, in_last, final);
    default:
        return ENVME_ST(SGL_INVALID_TYPE);
    }
}

/* Reads the segment at s->next; leaves there the one that follows it. */
static struct envme_status sgl_segment(struct sgl_state *s)
{
    struct envme_sgl_desc buf[SGL_CHUNK];
    uint64_t addr = s->next;
    uint32_t left = s->count;
    bool in_last = s->next_is_last;

    s->count = 0;
    while (left && !sgl_satisfied(s)) {
        uint32_t n = ENVME_MIN(left, SGL_CHUNK);

        s->w->err = s->w->read(s->w->opaque, addr, buf, n * sizeof(buf[0]));
        if (s->w->err) {
            return ENVME_ST(DATA_XFER_ERROR);
        }
        addr += n * sizeof(buf[0]);
        left -= n;
        for (uint32_t i = 0; i < n && !sgl_satisfied(s); i++) {
            struct envme_status st;

            st = sgl_desc(s, &buf[i], in_last, !left && i == n - 1);
            if (envme_st_err(st)) {
                return st;
            }
        }
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_sgl_map(struct envme_walk *w,
                                  const struct envme_sgl_desc *desc,
                                  uint64_t len, unsigned flags,
                                  struct envme_sg *sg)
{
    struct sgl_state s = {
        .w = w, .sg = sg, .flags = flags, .len = len,
        .fuel = ENVME_SGL_FUEL_FREE +
                ENVME_MIN(len, ENVME_SGL_FUEL_MAX - ENVME_SGL_FUEL_FREE),
    };
    struct envme_status st;

    w->err = 0;
    if (!len) {
        return ENVME_ST(SUCCESS);
    }
    st = sgl_desc(&s, desc, false, true);
    while (!envme_st_err(st) && s.count && !sgl_satisfied(&s)) {
        st = sgl_segment(&s);
    }
    if (envme_st_err(st)) {
        return st;
    }
    return s.len ? sgl_length_invalid(&s) : ENVME_ST(SUCCESS);
}
