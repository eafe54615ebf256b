/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/xfer.h"

#include <errno.h>
#include <string.h>

#include "hw/core/prp.h"
#include "hw/core/sgl.h"
#include "hw/ctrl/cmem.h"
#include "hw/ctrl/lane.h"

/* Bounced bytes per command: what is not plain memory is small or slow. */
#define XFER_BOUNCE_MAX (16u << 20)
#define XFER_MAX_SEGS   (64u << 10)

enum xfer_kind { XFER_MAPPED, XFER_BOUNCED, XFER_BUCKET };

struct envme_xseg {
    uint64_t addr;
    enum xfer_kind kind;
};

static bool xfer_grow(struct envme_xfer *x)
{
    unsigned cap = x->cap ? x->cap * 2 : 8;
    struct iovec *iov = g_try_renew(struct iovec, x->iov, cap);
    struct envme_xseg *seg;

    if (!iov) {
        return false;
    }
    x->iov = iov;
    seg = g_try_renew(struct envme_xseg, x->seg, cap);
    if (!seg) {
        return false;
    }
    x->seg = seg;
    x->cap = cap;
    return true;
}

static bool xfer_add(struct envme_xfer *x, void *base, size_t len,
                     uint64_t addr, enum xfer_kind kind)
{
    if (x->niov == x->cap && !xfer_grow(x)) {
        return false;
    }
    x->iov[x->niov] = (struct iovec){ .iov_base = base, .iov_len = len };
    x->seg[x->niov] = (struct envme_xseg){ .addr = addr, .kind = kind };
    x->niov++;
    x->bytes += len;
    return true;
}

static void xfer_unmap(const struct envme_dma *dma, struct envme_xfer *x)
{
    for (unsigned i = 0; i < x->niov; i++) {
        if (x->seg[i].kind == XFER_MAPPED && x->iov[i].iov_base) {
            dma->unmap(dma->opaque, x->iov[i].iov_base, x->iov[i].iov_len,
                       x->to_host);
            x->iov[i].iov_base = NULL;
        }
    }
}

static void xfer_clear(struct envme_xfer *x)
{
    if (x->bounce) {
        g_free(x->bounce);
        x->bounce = NULL;
    }
    x->niov = 0;
    x->bytes = 0;
}

/* One segment that may be plain memory in parts. The bounced parts get their
 * addresses once their sum is known. */
static int xfer_seg(const struct envme_dma *dma, struct envme_xfer *x,
                    const struct envme_seg *seg, bool lane0)
{
    uint64_t addr = seg->addr;
    uint64_t left = seg->len;

    if (seg->flags & ENVME_SEG_BUCKET) {
        return xfer_add(x, NULL, left, 0, XFER_BUCKET) ? 0 : -ENOMEM;
    }
    while (left) {
        size_t n = left;
        int err = 0;
        void *p = dma->map(dma->opaque, addr, &n, x->to_host, &err);

        if (p) {
            if (!xfer_add(x, p, n, addr, XFER_MAPPED)) {
                dma->unmap(dma->opaque, p, n, false);
                return -ENOMEM;
            }
        } else if (err != -ENXIO) {
            return err;
        } else if (!lane0) {
            return -EAGAIN;
        } else {
            /* Not plain memory here; how far, nobody says: page by page. */
            n = ENVME_MIN(left, 4096 - (addr & 4095));
            if (!xfer_add(x, NULL, n, addr, XFER_BOUNCED)) {
                return -ENOMEM;
            }
        }
        addr += n;
        left -= n;
    }
    return 0;
}

static int xfer_bounce(const struct envme_dma *dma, struct envme_xfer *x)
{
    uint64_t sum = 0;
    uint8_t *p;

    for (unsigned i = 0; i < x->niov; i++) {
        sum += x->seg[i].kind != XFER_MAPPED ? x->iov[i].iov_len : 0;
    }
    if (!sum) {
        return 0;
    }
    if (sum > XFER_BOUNCE_MAX) {
        return -E2BIG;
    }
    x->bounce = g_try_malloc0(sum);
    if (!x->bounce) {
        return -ENOMEM;
    }
    p = x->bounce;
    for (unsigned i = 0; i < x->niov; i++) {
        if (x->seg[i].kind == XFER_MAPPED) {
            continue;
        }
        x->iov[i].iov_base = p;
        p += x->iov[i].iov_len;
        if (x->seg[i].kind == XFER_BOUNCED && !x->to_host) {
            int err = dma->read(dma->opaque, x->seg[i].addr,
                                x->iov[i].iov_base, x->iov[i].iov_len);
            if (err) {
                return err;
            }
        }
    }
    return 0;
}

static struct envme_status xfer_build(struct envme_cmd *cmd,
                                      struct envme_xfer *x,
                                      const struct envme_sg *sg, int *err)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    const struct envme_dma *dma = envme_dma(ctrl);
    bool lane0 = cmd->moved || cmd->lane->index == 0;

    for (unsigned i = 0; i < sg->n && !*err; i++) {
        *err = xfer_seg(dma, x, &sg->seg[i], lane0);
    }
    if (!*err) {
        *err = xfer_bounce(dma, x);
    }
    if (!*err) {
        return ENVME_ST(SUCCESS);
    }
    return *err == -ENOMEM || *err == -E2BIG ? ENVME_ST(INTERNAL)
                                             : ENVME_ST(DATA_XFER_ERROR);
}

static struct envme_status xfer_data(struct envme_cmd *cmd,
                                     struct envme_walk *w, struct envme_sg *sg)
{
    unsigned psdt = FIELD_GET(ENVME_PSDT, cmd->sqe.flags);

    if (psdt == ENVME_PSDT_PRP) {
        return envme_prp_map(w, le64_get(cmd->sqe.dptr.prp1),
                             le64_get(cmd->sqe.dptr.prp2), cmd->len, sg);
    }
    return envme_sgl_map(w, &cmd->sqe.dptr.sgl, cmd->len,
                         cmd->data.to_host ? ENVME_SGL_C2H : 0, sg);
}

static struct envme_status xfer_md(struct envme_cmd *cmd,
                                   struct envme_walk *w, struct envme_sg *sg)
{
    unsigned psdt = FIELD_GET(ENVME_PSDT, cmd->sqe.flags);
    uint64_t mptr = le64_get(cmd->sqe.mptr);
    struct envme_sgl_desc desc;
    int err;

    if (psdt != ENVME_PSDT_SGL_MPTR_SGL) {
        if (mptr & 3) {
            return ENVME_ST(INVALID_FIELD);
        }
        return cmd->mdlen <= UINT32_MAX &&
               envme_sg_add(sg, mptr, cmd->mdlen, 0) ?
               ENVME_ST(SUCCESS) : ENVME_ST(DATA_XFER_ERROR);
    }
    /* MPTR points at one descriptor: Base 2.1, 4.2.1, figure 92. */
    if (mptr & 7) {
        return ENVME_ST(INVALID_FIELD);
    }
    err = w->read(w->opaque, mptr, &desc, sizeof(desc));
    if (err) {
        w->err = err;
        return ENVME_ST(DATA_XFER_ERROR);
    }
    return envme_sgl_map(w, &desc, cmd->mdlen,
                         ENVME_SGL_METADATA |
                         (cmd->md.to_host ? ENVME_SGL_C2H : 0), sg);
}

/* The one on whose thread it is mapped and unmapped. */
static struct envme_lane *xfer_lane(const struct envme_cmd *cmd)
{
    return cmd->moved ? &cmd->ctrl->lane[0] : cmd->lane;
}

static uint32_t xfer_limit(uint64_t bytes)
{
    return ENVME_MIN(bytes + 1, XFER_MAX_SEGS);
}

/* One of the two pointers: found, looked at, mapped. *in: envme_cmem_*(). */
static struct envme_status xfer_one(struct envme_cmd *cmd,
                                    struct envme_xfer *x, bool is_md,
                                    unsigned *in, int *err)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_lane *lane = xfer_lane(cmd);
    const struct envme_dma *dma = envme_dma(ctrl);
    struct envme_walk w = {
        .read = dma->read, .opaque = dma->opaque, .page = ctrl->page_size,
    };
    struct envme_cmem_lists lists = {
        .ctrl = ctrl, .sq_in_cmb = cmd->sq->in_cmb,
    };
    struct envme_status st;

    if (ctrl->cmem) {
        w.read = envme_cmem_read_list;
        w.opaque = &lists;
    }
    lane->sg.limit = xfer_limit(is_md ? cmd->mdlen : cmd->len);
    envme_sg_clear(&lane->sg);
    st = is_md ? xfer_md(cmd, &w, &lane->sg) : xfer_data(cmd, &w, &lane->sg);
    *err = w.err;
    if (envme_st_err(lists.st)) {
        st = lists.st;
    } else if (ctrl->cmem && envme_st_ok(st)) {
        st = envme_cmem_check_data(ctrl, &lane->sg, x->to_host, in);
    }
    return envme_st_ok(st) ? xfer_build(cmd, x, &lane->sg, err) : st;
}

/*
 * The way of most commands: PRP1 alone, and plain memory. False: it is
 * another, and nothing is mapped.
 */
static bool xfer_page(struct envme_cmd *cmd, struct envme_status *st, int *err)
{
    const struct envme_ctrl *ctrl = cmd->ctrl;
    const struct envme_dma *dma = envme_dma(ctrl);
    struct envme_xfer *x = &cmd->data;
    uint64_t prp1 = le64_get(cmd->sqe.dptr.prp1);
    size_t n = cmd->len;
    void *p;

    if (cmd->sqe.flags & ENVME_PSDT || cmd->mdlen || ctrl->cmem || prp1 & 3 ||
        cmd->len > ctrl->page_size - (prp1 & (ctrl->page_size - 1))) {
        return false;
    }
    p = dma->map(dma->opaque, prp1, &n, x->to_host, err);
    if (p && n == cmd->len && xfer_add(x, p, n, prp1, XFER_MAPPED)) {
        *st = ENVME_ST(SUCCESS);
        return true;
    }
    if (p) {
        dma->unmap(dma->opaque, p, n, false);
    } else if (*err != -ENXIO) {
        *st = ENVME_ST(DATA_XFER_ERROR);
        return true;
    }
    *err = 0;
    return false;
}

struct envme_status envme_xfer_map(struct envme_cmd *cmd, int *err)
{
    bool to_host = FIELD_GET(ENVME_OPC_DIR, cmd->sqe.opc) == ENVME_DIR_TO_HOST;
    struct envme_status st = ENVME_ST(SUCCESS);
    unsigned loc = offsetof(struct envme_sqe, dptr);
    unsigned in = 0;

    *err = 0;
    cmd->data.to_host = cmd->md.to_host = to_host;
    envme_lane_touch(xfer_lane(cmd));
    cmd->data.mapped = true;
    if (cmd->len && !xfer_page(cmd, &st, err)) {
        st = xfer_one(cmd, &cmd->data, false, &in, err);
    }
    if (envme_st_ok(st) && cmd->mdlen) {
        loc = offsetof(struct envme_sqe, mptr);
        st = xfer_one(cmd, &cmd->md, true, &in, err);
    }
    if (!envme_st_ok(st)) {
        envme_xfer_end(cmd, false);
        cmd->err_loc = loc;
    }
    return st;
}

static int xfer_copy_out(const struct envme_dma *dma, struct envme_xfer *x)
{
    if (!x->bounce || !x->to_host) {
        return 0;
    }
    for (unsigned i = 0; i < x->niov; i++) {
        if (x->seg[i].kind == XFER_BOUNCED) {
            int err = dma->write(dma->opaque, x->seg[i].addr,
                                 x->iov[i].iov_base, x->iov[i].iov_len);
            if (err) {
                return err;
            }
        }
    }
    return 0;
}

int envme_xfer_end(struct envme_cmd *cmd, bool copy)
{
    const struct envme_dma *dma = envme_dma(cmd->ctrl);
    int err = 0;

    if (copy && (cmd->data.bounce || cmd->md.bounce)) {
        err = xfer_copy_out(dma, &cmd->data);
        err = err ? err : xfer_copy_out(dma, &cmd->md);
    }
    if (cmd->data.mapped) {
        xfer_unmap(dma, &cmd->data);
        xfer_unmap(dma, &cmd->md);
        cmd->data.mapped = false;
        envme_lane_untouch(xfer_lane(cmd));
    }
    if (err != -EBUSY) {
        xfer_clear(&cmd->data);
        xfer_clear(&cmd->md);
    }
    return err;
}

bool envme_xfer_at(const struct envme_xfer *x, unsigned i, uint64_t *addr)
{
    *addr = x->seg[i].addr;
    return x->seg[i].kind != XFER_BUCKET;
}

void envme_xfer_keep_back(struct envme_xfer *x)
{
    g_free(x->bounce);
    x->bounce = NULL;
}

void envme_xfer_free(struct envme_xfer *x)
{
    g_free(x->bounce);
    g_free(x->iov);
    g_free(x->seg);
    *x = (struct envme_xfer){ 0 };
}
