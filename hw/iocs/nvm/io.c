/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "hw/ctrl/keep.h"
#include "hw/iocs/nvm/nvm.h"
#include "hw/ns/layout.h"

/* ---- checks ------------------------------------------------------------ */

struct envme_status envme_nvm_check_rw(struct envme_cmd *cmd, uint64_t slba,
                                       uint32_t nlb, bool is_write)
{
    (void)is_write;
    cmd->err_lba = slba;        /* for the error log, whatever goes wrong */
    if (!envme_ns_range_ok(cmd->ns, slba, nlb)) {
        return envme_cmd_fail(cmd, ENVME_ST(LBA_RANGE),
                              offsetof(struct envme_sqe, cdw10));
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_nvm_check_range(struct envme_cmd *cmd, bool is_write)
{
    const struct envme_iocs *iocs = cmd->ns->iocs;

    while (iocs->base && !iocs->check_rw) {
        iocs = iocs->base;
    }
    return iocs->check_rw(cmd, envme_nvm_slba(cmd), envme_nvm_nlb(cmd),
                          is_write);
}

void envme_nvm_write_range(const struct envme_cmd *cmd, uint64_t *slba,
                           uint64_t *nlb)
{
    bool all = cmd->sqe.opc == ENVME_NVM_WRITE_ZEROES &&
               envme_cmd_cdw(cmd, 12) & ENVME_RW_NSZ;

    *slba = all ? 0 : envme_nvm_slba(cmd);
    *nlb = all ? atomic_load(&cmd->ns->nsze) : envme_nvm_nlb(cmd);
}

void envme_nvm_work(struct envme_cmd *cmd, struct envme_work *work)
{
    uint64_t slba, nlb;

    envme_nvm_write_range(cmd, &slba, &nlb);
    work->offset = envme_ns_blocks_to_bytes(cmd->ns, slba);
    work->bytes = envme_ns_blocks_to_bytes(cmd->ns, nlb);
}

/* With the cache off every write is written through; a backend that has no
 * switch for it is told each time. */
unsigned envme_nvm_write_flags(const struct envme_cmd *cmd)
{
    const struct envme_ns *ns = cmd->ns;

    if (!ns->geo.volatile_cache) {
        return 0;
    }
    return FIELD_GET(ENVME_RW_FUA, envme_cmd_cdw(cmd, 12)) ||
           !atomic_load(&ns->wce) ? ENVME_BIO_FUA : 0;
}

/* ---- the loop ---------------------------------------------------------- */

static void loop_cont(struct envme_cmd *cmd, int err)
{
    struct envme_nvm_loop *l = ENVME_CMD_STATE(cmd, struct envme_nvm_loop);
    struct envme_status st = l->step(cmd, err);

    if (envme_st_pending(st)) {
        envme_cmd_io(cmd, l->ns, loop_cont);
        return;
    }
    if (envme_st_ok(st) && (l->keep || envme_nvm_written(cmd))) {
        envme_cmd_keep_done(cmd, st);
    } else {
        envme_cmd_done(cmd, st);
    }
}

bool envme_nvm_written(struct envme_cmd *cmd)
{
    uint64_t slba, nlb;

    envme_nvm_write_range(cmd, &slba, &nlb);
    return (cmd->sqe.opc == ENVME_NVM_WRITE ||
            cmd->sqe.opc == ENVME_NVM_WRITE_ZEROES) &&
           envme_ns_clear_bad(cmd->ns, slba, nlb);
}

struct envme_status envme_nvm_loop(struct envme_cmd *cmd, struct envme_ns *ns,
                                   envme_nvm_step_fn *step)
{
    struct envme_nvm_loop *l = ENVME_CMD_STATE(cmd, struct envme_nvm_loop);
    struct envme_status st;

    *l = (struct envme_nvm_loop){ .step = step, .ns = ns };
    st = step(cmd, 0);
    return envme_st_pending(st) ? envme_cmd_io(cmd, l->ns, loop_cont) : st;
}

/* ---- cursors ----------------------------------------------------------- */

void envme_nvm_cursor_data(struct envme_nvm_cursor *c,
                           const struct envme_cmd *cmd)
{
    const struct envme_ns *ns = cmd->ns;

    *c = (struct envme_nvm_cursor){ .iov = cmd->data.iov,
                                    .niov = cmd->data.niov };
    if (ns->extended && envme_nvm_host_ms(cmd)) {
        c->take = 1u << ns->lbads;
        c->skip = ns->ms;
    }
}

static void cursor_skip(struct envme_nvm_cursor *c, size_t n)
{
    while (n && c->i < c->niov) {
        size_t here = c->iov[c->i].iov_len - c->off;

        if (n < here) {
            c->off += n;
            return;
        }
        n -= here;
        c->i++;
        c->off = 0;
    }
}

void envme_nvm_cursor_md(struct envme_nvm_cursor *c,
                         const struct envme_cmd *cmd)
{
    const struct envme_ns *ns = cmd->ns;

    if (!ns->extended) {
        *c = (struct envme_nvm_cursor){ .iov = cmd->md.iov,
                                        .niov = cmd->md.niov };
        return;
    }
    *c = (struct envme_nvm_cursor){ .iov = cmd->data.iov,
                                    .niov = cmd->data.niov,
                                    .take = ns->ms,
                                    .skip = 1u << ns->lbads };
    cursor_skip(c, c->skip);
}

void *envme_nvm_cursor_next(struct envme_nvm_cursor *c, size_t *len)
{
    size_t n;
    char *p;

    while (c->i < c->niov && c->off == c->iov[c->i].iov_len) {
        c->i++;
        c->off = 0;
    }
    if (c->i == c->niov) {
        *len = 0;
        return NULL;
    }
    n = ENVME_MIN(*len, c->iov[c->i].iov_len - c->off);
    if (c->take) {
        n = ENVME_MIN(n, c->take - c->in);
    }
    p = (char *)c->iov[c->i].iov_base + c->off;
    c->off += n;
    c->in += n;
    if (c->take && c->in == c->take) {
        c->in = 0;
        cursor_skip(c, c->skip);
    }
    *len = n;
    return p;
}

/* Up to max elements of at most `bytes` bytes. */
static unsigned cursor_fill(struct envme_nvm_cursor *c, struct iovec *iov,
                            unsigned max, uint64_t *bytes)
{
    uint64_t want = *bytes;
    unsigned n = 0;

    *bytes = 0;
    while (n < max && *bytes < want) {
        size_t len = ENVME_MIN(want - *bytes, SIZE_MAX);
        void *p = envme_nvm_cursor_next(c, &len);

        if (!p) {
            break;
        }
        if (iov) {
            iov[n] = (struct iovec){ .iov_base = p, .iov_len = len };
        }
        n++;
        *bytes += len;
    }
    return n;
}

unsigned envme_nvm_cursor_slice(struct envme_nvm_cursor *c, struct iovec *iov,
                                unsigned max, uint32_t align, uint64_t *bytes)
{
    struct envme_nvm_cursor try = *c;
    uint64_t got = *bytes;

    /* How far max elements reach, then again with what is left of that after
     * rounding it down. */
    cursor_fill(&try, NULL, max, &got);
    *bytes = got - got % align;
    return cursor_fill(c, iov, max, bytes);
}

/* ---- areas ------------------------------------------------------------- */

void envme_nvm_area_init(struct envme_nvm_area *a, uint64_t slba, uint64_t nlb)
{
    *a = (struct envme_nvm_area){ .slba = slba, .nlb = nlb };
}

bool envme_nvm_area_next(struct envme_nvm_area *a, const struct envme_ns *ns,
                         uint64_t done, bool *turned)
{
    a->off += done;
    a->left -= done;
    *turned = false;
    while (!a->left && a->phase != ENVME_NVM_END) {
        *turned = true;
        a->phase++;
        if (a->phase == ENVME_NVM_DATA) {
            a->off = envme_layout_data(ns, a->slba);
            a->left = envme_ns_blocks_to_bytes(ns, a->nlb);
        } else if (a->phase == ENVME_NVM_MD) {
            a->off = envme_layout_md(ns, a->slba);
            a->left = a->nlb * ns->ms;
        }
    }
    return a->phase != ENVME_NVM_END;
}

unsigned envme_nvm_area_flags(const struct envme_nvm_area *a,
                              const struct envme_ns *ns, uint64_t now)
{
    bool first = a->phase == ENVME_NVM_DATA &&
                 a->off == envme_layout_data(ns, a->slba);
    bool last = now == a->left && (a->phase == ENVME_NVM_MD || !ns->ms);

    return (first ? 0 : ENVME_BIO_CONT) | (last ? 0 : ENVME_BIO_MORE);
}
