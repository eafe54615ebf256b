/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Read, Write, Compare, Verify and Write Zeroes where blocks have protection
 * information: NVM 1.1, 5.3. What Write Zeroes leaves of it without PRACT is all
 * zeroes, which is not valid, as specified.
 *
 * Whole blocks at a time go through memory of our own: what is checked is what
 * is written, or what the host gets, whatever it does to its buffers meanwhile.
 * A chunk is its data and then its metadata, one backend request after the
 * other.
 */
#include <string.h>

#include "envme/nvm.h"
#include "hw/iocs/nvm/nvm.h"
#include "hw/ns/layout.h"

enum prot_op {
    PROT_READ, PROT_WRITE, PROT_COMPARE, PROT_VERIFY, PROT_ZEROES,
};

struct prot_state {
    struct envme_nvm_loop loop;
    enum prot_op op;
    uint64_t slba;              /* of the chunk under way */
    uint32_t left;              /* blocks, with the chunk under way */
    uint32_t n;                 /* blocks of the chunk; 0: none yet */
    bool in_md;                 /* its metadata, else its data */
    uint64_t at;                /* bytes of that are through */
};

/* In cmd->mem. */
struct prot_mem {
    struct envme_pi_run run;            /* what the medium has, or is to have */
    struct envme_pi_run host_run;       /* Compare: what the host sent */
    struct envme_nvm_cursor data, md;   /* of the host's buffers */
    struct iovec iov;
    uint32_t chunk;             /* blocks at most */
    uint8_t *buf, *mbuf;        /* a chunk's data and metadata */
    uint8_t *hbuf, *hmbuf;      /* Compare: the host's */
    uint8_t mem[];
};

/* ---- tags -------------------------------------------------------------- */

static void prot_tags(const struct envme_cmd *cmd, struct envme_pi_tags *tags)
{
    uint32_t cdw15 = envme_cmd_cdw(cmd, 15);

    *tags = (struct envme_pi_tags){
        .prinfo = envme_nvm_prinfo(cmd),
        .stc = FIELD_GET(ENVME_RW_STC, envme_cmd_cdw(cmd, 12)),
        .lbat = FIELD_GET(ENVME_RW_LBAT, cdw15),
        .lbatm = FIELD_GET(ENVME_RW_LBATM, cdw15),
    };
    envme_pi_tags_cdw(&cmd->ns->pi, le32_get(cmd->sqe.cdw2),
                      le32_get(cmd->sqe.cdw3), envme_cmd_cdw(cmd, 14), tags);
}

struct envme_status envme_nvm_check_pi(struct envme_cmd *cmd, bool pract)
{
    const struct envme_pi *pi = &cmd->ns->pi;
    struct envme_pi_tags tags;

    if (!pi->type) {
        return ENVME_ST(SUCCESS);
    }
    if (!pract && envme_nvm_prinfo(cmd) & ENVME_PRINFO_PRACT) {
        return envme_cmd_fail_bit(cmd, cmd->sqe.opc == ENVME_NVM_VERIFY ?
                                  ENVME_ST(INVALID_FIELD)
                                  : ENVME_ST(PI_INVALID),
                                  offsetof(struct envme_sqe, cdw12) + 3, 5);
    }
    prot_tags(cmd, &tags);
    return envme_cmd_fail(cmd, envme_pi_check_tags(pi, &tags,
                                                   envme_nvm_slba(cmd)),
                          offsetof(struct envme_sqe, cdw14));
}

void envme_nvm_pi_flip(const struct envme_pi *pi, uint8_t *md, uint64_t nlb)
{
    unsigned size = envme_pi_size(pi);

    md += pi->first ? 0 : pi->ms - size;
    for (; nlb--; md += pi->ms) {
        for (unsigned i = 0; i < size; i++) {
            md[i] = ~md[i];
        }
    }
}

/* ---- between the host and us ------------------------------------------- */

static void prot_copy(struct envme_nvm_cursor *c, uint8_t *buf, uint64_t bytes,
                      bool to_host)
{
    while (bytes) {
        size_t n = bytes;
        void *p = envme_nvm_cursor_next(c, &n);

        if (!p) {
            return;
        }
        if (to_host) {
            memcpy(p, buf, n);
        } else {
            memcpy(buf, p, n);
        }
        buf += n;
        bytes -= n;
    }
}

static void prot_host(struct envme_cmd *cmd, uint8_t *buf, uint8_t *mbuf,
                      bool to_host)
{
    const struct prot_state *s = ENVME_CMD_STATE(cmd, struct prot_state);
    struct prot_mem *m = cmd->mem;
    uint16_t ms = envme_nvm_host_ms(cmd);

    prot_copy(&m->data, buf, (uint64_t)s->n << cmd->ns->lbads, to_host);
    if (ms) {
        prot_copy(&m->md, mbuf, (uint64_t)s->n * ms, to_host);
    } else if (!to_host) {
        memset(mbuf, 0, (size_t)s->n * cmd->ns->ms);
    }
}

/* ---- checks ------------------------------------------------------------ */

/* Base 2.1, SMART: CRC and tag mismatches of the medium are media errors. */
static struct envme_status prot_failed(struct envme_cmd *cmd,
                                       const struct envme_pi_run *run,
                                       struct envme_status st, bool medium)
{
    if (envme_st_err(st)) {
        cmd->err_lba = envme_nvm_slba(cmd) + run->blocks;
        if (medium) {
            atomic_fetch_add(&cmd->ctrl->media_errors, 1);
        }
    }
    return st;
}

static struct envme_status pi_run(const struct envme_ns *ns,
                                  struct envme_pi_run *run, uint64_t nlb,
                                  uint8_t *data, uint32_t stride, uint8_t *md,
                                  bool generate)
{
    struct envme_pi_flat d = { .p = data, .take = 1u << ns->lbads,
                               .stride = stride };
    struct envme_pi_flat m = { .p = md, .take = ns->ms, .stride = ns->ms };
    struct envme_pi_feed df = { envme_pi_flat_next, &d };
    struct envme_pi_feed mf = { envme_pi_flat_next, &m };

    return generate ? envme_pi_generate(run, nlb, &df, &mf)
                    : envme_pi_verify(run, nlb, &df, &mf);
}

struct envme_status envme_nvm_pi_run(const struct envme_ns *ns,
                                     struct envme_pi_run *run, uint64_t nlb,
                                     uint8_t *data, uint8_t *md,
                                     bool generate)
{
    return pi_run(ns, run, nlb, data, 1u << ns->lbads, md, generate);
}

static struct envme_status prot_run(struct envme_cmd *cmd,
                                    struct envme_pi_run *run, uint8_t *buf,
                                    uint8_t *mbuf, bool generate)
{
    const struct prot_state *s = ENVME_CMD_STATE(cmd, struct prot_state);
    const struct envme_ns *ns = cmd->ns;

    return pi_run(ns, run, s->n, buf,
                  s->op == PROT_ZEROES ? 0 : 1u << ns->lbads, mbuf, generate);
}

static void *prot_cursor_next(void *cursor, size_t *len)
{
    return envme_nvm_cursor_next(cursor, len);
}

/* All that a Write has sent, so that nothing is written if part is wrong. What
 * is written is checked again: the host may have changed it. */
static struct envme_status prot_check_ahead(struct envme_cmd *cmd)
{
    const struct prot_state *s = ENVME_CMD_STATE(cmd, struct prot_state);
    const struct prot_mem *m = cmd->mem;
    struct envme_nvm_cursor data = m->data, md = m->md;
    struct envme_pi_feed df = { prot_cursor_next, &data };
    struct envme_pi_feed mf = { prot_cursor_next, &md };
    struct envme_pi_run run = m->run;

    return prot_failed(cmd, &run, envme_pi_verify(&run, s->left, &df, &mf),
                       false);
}

/* The part of the metadata that is not protection information. */
static int prot_md_cmp(const struct envme_pi *pi, const uint8_t *a,
                       const uint8_t *b)
{
    unsigned size = envme_pi_size(pi), at = pi->first ? size : 0;

    return memcmp(a + at, b + at, pi->ms - size);
}

static struct envme_status prot_compare(struct envme_cmd *cmd)
{
    const struct prot_state *s = ENVME_CMD_STATE(cmd, struct prot_state);
    const struct envme_ns *ns = cmd->ns;
    struct prot_mem *m = cmd->mem;
    struct envme_status st;

    prot_host(cmd, m->hbuf, m->hmbuf, false);
    st = prot_run(cmd, &m->host_run, m->hbuf, m->hmbuf, false);
    if (envme_st_err(st)) {
        return prot_failed(cmd, &m->host_run, st, false);
    }
    for (uint32_t i = 0; i < s->n; i++) {
        if (memcmp(m->buf + ((size_t)i << ns->lbads),
                   m->hbuf + ((size_t)i << ns->lbads), 1u << ns->lbads) ||
            prot_md_cmp(&ns->pi, m->mbuf + (size_t)i * ns->ms,
                        m->hmbuf + (size_t)i * ns->ms)) {
            cmd->err_lba = s->slba + i;
            return ENVME_ST(COMPARE_FAILURE);
        }
    }
    return ENVME_ST(SUCCESS);
}

/* ---- chunk by chunk ---------------------------------------------------- */

/* A chunk is to be written: it comes from the host. */
static struct envme_status prot_begin(struct envme_cmd *cmd)
{
    const struct prot_state *s = ENVME_CMD_STATE(cmd, struct prot_state);
    bool pract = envme_nvm_prinfo(cmd) & ENVME_PRINFO_PRACT;
    struct prot_mem *m = cmd->mem;
    struct envme_status st = ENVME_ST(SUCCESS);

    if (s->op != PROT_WRITE && s->op != PROT_ZEROES) {
        return ENVME_ST(SUCCESS);
    }
    if (s->op == PROT_WRITE) {
        prot_host(cmd, m->buf, m->mbuf, false);
    } else {
        memset(m->mbuf, 0, (size_t)s->n * cmd->ns->ms);
    }
    if (s->op == PROT_WRITE || pract) {
        st = prot_run(cmd, &m->run, m->buf, m->mbuf, pract);
    }
    envme_nvm_pi_flip(&cmd->ns->pi, m->mbuf, s->n);
    return prot_failed(cmd, &m->run, st, false);
}

/* A chunk has been read or written. */
static struct envme_status prot_end(struct envme_cmd *cmd)
{
    const struct prot_state *s = ENVME_CMD_STATE(cmd, struct prot_state);
    struct prot_mem *m = cmd->mem;
    struct envme_status st;

    if (s->op == PROT_WRITE || s->op == PROT_ZEROES) {
        return ENVME_ST(SUCCESS);
    }
    envme_nvm_pi_flip(&cmd->ns->pi, m->mbuf, s->n);
    st = prot_run(cmd, &m->run, m->buf, m->mbuf, false);
    if (envme_st_err(st)) {
        return prot_failed(cmd, &m->run, st, true);
    }
    if (s->op == PROT_READ) {
        prot_host(cmd, m->buf, m->mbuf, true);
    }
    return s->op == PROT_COMPARE ? prot_compare(cmd) : st;
}

/* The next request: of the data or the metadata of the chunk. */
static struct envme_status prot_request(struct envme_cmd *cmd, uint64_t left)
{
    const struct prot_state *s = ENVME_CMD_STATE(cmd, struct prot_state);
    const struct envme_ns *ns = cmd->ns;
    bool writes = s->op == PROT_WRITE || s->op == PROT_ZEROES;
    struct prot_mem *m = cmd->mem;

    cmd->bio = (struct envme_bio){
        .op = writes ? ENVME_BIO_WRITE : ENVME_BIO_READ,
        .flags = writes ? envme_nvm_write_flags(cmd) : 0,
        .offset = (s->in_md ? envme_layout_md(ns, s->slba)
                            : envme_layout_data(ns, s->slba)) + s->at,
        .iov = &m->iov, .niov = 1,
    };
    if (s->op == PROT_ZEROES && !s->in_md) {
        cmd->bio.op = ENVME_BIO_WRITE_ZEROES;
        cmd->bio.niov = 0;
    } else if (ns->geo.max_transfer) {
        left = ENVME_MIN(left, ns->geo.max_transfer);
    }
    m->iov = (struct iovec){
        .iov_base = (s->in_md ? m->mbuf : m->buf) + s->at, .iov_len = left,
    };
    cmd->bio.bytes = left;
    if (writes && (s->in_md || s->at || s->slba != envme_nvm_slba(cmd))) {
        cmd->bio.flags |= ENVME_BIO_CONT;
    }
    if (writes && !(s->in_md && s->left == s->n &&
                    s->at + left == (uint64_t)s->n * ns->ms)) {
        cmd->bio.flags |= ENVME_BIO_MORE;
    }
    return ENVME_ST_PENDING;
}

static struct envme_status prot_step(struct envme_cmd *cmd, int err)
{
    struct prot_state *s = ENVME_CMD_STATE(cmd, struct prot_state);
    const struct envme_ns *ns = cmd->ns;
    struct prot_mem *m = cmd->mem;
    struct envme_status st;
    uint64_t bytes;

    if (err) {
        cmd->err_lba = s->slba;
        return envme_cmd_io_status(cmd, err);
    }
    if (s->n) {
        s->at += m->iov.iov_len;
        bytes = s->in_md ? (uint64_t)s->n * ns->ms
                         : (uint64_t)s->n << ns->lbads;
        if (s->at < bytes) {
            return prot_request(cmd, bytes - s->at);
        }
        s->at = 0;
        s->in_md = !s->in_md;
        if (s->in_md) {
            return prot_request(cmd, (uint64_t)s->n * ns->ms);
        }
        st = prot_end(cmd);
        if (envme_st_err(st)) {
            return st;
        }
        s->slba += s->n;
        s->left -= s->n;
    }
    s->n = ENVME_MIN(s->left, m->chunk);
    if (!s->n) {
        return ENVME_ST(SUCCESS);
    }
    st = prot_begin(cmd);
    return envme_st_err(st) ? st
                            : prot_request(cmd, (uint64_t)s->n << ns->lbads);
}

/* What was cached has to be on stable storage before it is read with FUA. */
static struct envme_status prot_flush_step(struct envme_cmd *cmd, int err)
{
    struct prot_state *s = ENVME_CMD_STATE(cmd, struct prot_state);

    s->loop.step = prot_step;
    cmd->bio = (struct envme_bio){ .op = ENVME_BIO_FLUSH };
    return err ? envme_cmd_io_status(cmd, err) : ENVME_ST_PENDING;
}

/* ---- the commands ------------------------------------------------------ */

static bool prot_alloc(struct envme_cmd *cmd, enum prot_op op)
{
    const struct envme_ns *ns = cmd->ns;
    uint32_t bs = 1u << ns->lbads, block = bs + ns->ms;
    uint32_t nlb = envme_nvm_nlb(cmd), chunk;
    size_t data, md;
    struct prot_mem *m;

    chunk = ENVME_NVM_CHUNK / (op == PROT_ZEROES ? ns->ms : block);
    chunk = ENVME_MIN(ENVME_MAX(chunk, 1), nlb);
    /* Of zeroes, one block's is all blocks'. */
    data = (size_t)bs * (op == PROT_ZEROES ? 1 : chunk);
    md = (size_t)ns->ms * chunk;
    m = cmd->mem = g_try_malloc(sizeof(*m) +
                                (data + md) * (op == PROT_COMPARE ? 2 : 1));
    if (!m) {
        return false;
    }
    memset(m, 0, sizeof(*m));
    m->chunk = chunk;
    m->buf = m->mem;
    m->mbuf = m->buf + data;
    m->hbuf = m->mbuf + md;
    m->hmbuf = m->hbuf + data;
    if (op == PROT_ZEROES) {
        memset(m->buf, 0, data);
    }
    return true;
}

static struct envme_status prot_start(struct envme_cmd *cmd, enum prot_op op)
{
    struct prot_state *s = ENVME_CMD_STATE(cmd, struct prot_state);
    const struct envme_pi *pi = &cmd->ns->pi;
    uint8_t prinfo = envme_nvm_prinfo(cmd);
    struct envme_pi_tags tags;
    struct envme_status st;
    struct prot_mem *m;
    bool flush;

    if (!prot_alloc(cmd, op)) {
        return ENVME_ST(INTERNAL);
    }
    m = cmd->mem;
    *s = (struct prot_state){ .op = op, .slba = envme_nvm_slba(cmd),
                              .left = envme_nvm_nlb(cmd) };
    prot_tags(cmd, &tags);
    envme_pi_start(&m->run, pi, &tags);
    m->host_run = m->run;
    envme_nvm_cursor_data(&m->data, cmd);
    envme_nvm_cursor_md(&m->md, cmd);
    if (op == PROT_WRITE && !(prinfo & ENVME_PRINFO_PRACT) &&
        s->left > m->chunk) {
        st = prot_check_ahead(cmd);
        if (envme_st_err(st)) {
            return st;
        }
    }
    flush = op != PROT_WRITE && op != PROT_ZEROES &&
            envme_nvm_read_flushes(cmd);
    return envme_nvm_loop(cmd, cmd->ns, flush ? prot_flush_step : prot_step);
}

struct envme_status envme_nvm_pi_read(struct envme_cmd *cmd)
{
    return prot_start(cmd, PROT_READ);
}

struct envme_status envme_nvm_pi_write(struct envme_cmd *cmd)
{
    return prot_start(cmd, PROT_WRITE);
}

struct envme_status envme_nvm_pi_compare(struct envme_cmd *cmd)
{
    return prot_start(cmd, PROT_COMPARE);
}

struct envme_status envme_nvm_pi_verify(struct envme_cmd *cmd)
{
    return prot_start(cmd, PROT_VERIFY);
}

struct envme_status envme_nvm_pi_zeroes(struct envme_cmd *cmd)
{
    return prot_start(cmd, PROT_ZEROES);
}
