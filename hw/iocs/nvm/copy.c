/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copy: NVM 1.1, 3.3.2. As a Read of each source range and a Write of all of
 * them, one after the other, through memory of our own a chunk at a time; all
 * ranges are checked before anything is written.
 */
#include <string.h>

#include "envme/feat.h"
#include "envme/id-ns.h"
#include "envme/nvm.h"
#include "hw/ctrl/feature.h"
#include "hw/iocs/nvm/nvm.h"
#include "hw/ns/layout.h"

struct copy_range {
    struct envme_ns *ns;
    uint64_t slba;
    uint32_t nlb;
    struct envme_pi_tags tags;
};

enum copy_phase {
    COPY_BEGIN, COPY_PROBE, COPY_READ, COPY_READ_MD, COPY_WRITE,
    COPY_WRITE_MD,
};

struct copy_state {
    struct envme_nvm_loop loop;
    enum copy_phase phase;
    uint64_t at;                /* bytes of the phase are through */
    uint64_t dlba;              /* of the chunk under way */
    uint32_t done;              /* blocks of the range, before the chunk */
    uint32_t n;                 /* blocks of the chunk */
    unsigned range;
    struct envme_nvm_probe probe;
};

/* In cmd->mem. */
struct copy_mem {
    struct envme_pi_run in, out;
    struct iovec iov;
    uint32_t chunk;             /* blocks at most */
    unsigned nranges;
    uint8_t *buf, *in_md, *out_md;
    struct copy_range range[256];
};

/* ---- what the command says --------------------------------------------- */

static bool copy_wide(unsigned fmt)
{
    return fmt & 1;             /* tags of 32b and 64b guards */
}

static bool copy_across(unsigned fmt)
{
    return fmt >= 2;            /* each range has a namespace */
}

static uint8_t copy_prinfo(const struct envme_cmd *cmd, bool out)
{
    uint32_t cdw12 = envme_cmd_cdw(cmd, 12);

    return out ? FIELD_GET(ENVME_COPY_PRINFOW, cdw12)
               : FIELD_GET(ENVME_COPY_PRINFOR, cdw12);
}

static bool copy_pract(const struct envme_cmd *cmd, bool out)
{
    return copy_prinfo(cmd, out) & ENVME_PRINFO_PRACT;
}

/* Metadata per block between the Read and the Write that it is. */
static uint16_t copy_ms(const struct envme_ns *ns, bool pract)
{
    return ns->pi.type ? envme_pi_host_ms(&ns->pi, pract) : ns->ms;
}

static void copy_out_tags(const struct envme_cmd *cmd,
                          struct envme_pi_tags *tags)
{
    uint32_t cdw15 = envme_cmd_cdw(cmd, 15);

    *tags = (struct envme_pi_tags){
        .prinfo = copy_prinfo(cmd, true),
        .stc = FIELD_GET(ENVME_COPY_STCW, envme_cmd_cdw(cmd, 12)),
        .lbat = FIELD_GET(ENVME_RW_LBAT, cdw15),
        .lbatm = FIELD_GET(ENVME_RW_LBATM, cdw15),
    };
    envme_pi_tags_cdw(&cmd->ns->pi, le32_get(cmd->sqe.cdw2),
                      le32_get(cmd->sqe.cdw3), envme_cmd_cdw(cmd, 14), tags);
}

struct envme_status envme_nvm_copy_len(struct envme_cmd *cmd, uint64_t *len)
{
    const struct envme_ns *ns = cmd->ns;
    unsigned fmt = FIELD_GET(ENVME_COPY_DESFMT, envme_cmd_cdw(cmd, 12));
    unsigned nr = FIELD_GET(ENVME_COPY_NR, envme_cmd_cdw(cmd, 12)) + 1;
    uint32_t hbs = envme_feature_value(cmd->ctrl, ENVME_FID_HOST_BEHAVIOR,
                                       NULL);
    struct envme_pi_tags tags;

    *len = nr * (copy_wide(fmt) ? sizeof(struct envme_copy_range_f1)
                                : sizeof(struct envme_copy_range_f0));
    if (fmt > 3 || (copy_across(fmt) &&
                    !(FIELD_GET(ENVME_HBS_CDFE, hbs) & 1u << fmt))) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw12) + 1);
    }
    if (ns->pi.type &&
        copy_wide(fmt) != (ns->pi.guard != ENVME_PIF_16B)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_NS),
                              offsetof(struct envme_sqe, cdw12) + 1);
    }
    if (nr > ns->params.msrc + 1u) {
        return envme_cmd_fail(cmd, ENVME_ST(CMD_SIZE_LIMIT),
                              offsetof(struct envme_sqe, cdw12));
    }
    cmd->err_lba = envme_nvm_slba(cmd);
    if (!envme_ns_range_ok(ns, envme_nvm_slba(cmd), 1)) {
        return envme_cmd_fail(cmd, ENVME_ST(LBA_RANGE),
                              offsetof(struct envme_sqe, cdw10));
    }
    if (!ns->pi.type) {
        return ENVME_ST(SUCCESS);
    }
    copy_out_tags(cmd, &tags);
    return envme_cmd_fail(cmd, envme_pi_check_tags(&ns->pi, &tags,
                                                   envme_nvm_slba(cmd)),
                          offsetof(struct envme_sqe, cdw14));
}

/*
 * How long it takes, not what it does: the ranges are read for that, and looked
 * at again by whoever goes by them. More blocks than it may have, it refuses.
 */
void envme_nvm_copy_work(struct envme_cmd *cmd, struct envme_work *work)
{
    const struct envme_ns *ns = cmd->ns;
    uint32_t cdw12 = envme_cmd_cdw(cmd, 12);
    unsigned nr = FIELD_GET(ENVME_COPY_NR, cdw12) + 1;
    size_t step = copy_wide(FIELD_GET(ENVME_COPY_DESFMT, cdw12))
                  ? sizeof(struct envme_copy_range_f1)
                  : sizeof(struct envme_copy_range_f0);
    uint64_t blocks = 0;

    _Static_assert(offsetof(struct envme_copy_range_f0, nlb) ==
                   offsetof(struct envme_copy_range_f1, nlb), "same place");
    for (unsigned i = 0; i < nr; i++) {
        le16_t nlb = le16(0);

        envme_cmd_from_host(cmd, i * step +
                            offsetof(struct envme_copy_range_f0, nlb), &nlb,
                            sizeof(nlb));
        blocks += le16_get(nlb) + 1u;
    }
    work->offset = envme_ns_blocks_to_bytes(ns, envme_nvm_slba(cmd));
    work->bytes = envme_ns_blocks_to_bytes(ns, ENVME_MIN(blocks,
                                                         ns->params.mcl));
}

/* How many blocks, only the ranges say, which have not been read yet. */
struct envme_status envme_nvm_enter_copy(struct envme_cmd *cmd)
{
    uint64_t slba = envme_nvm_slba(cmd);

    return envme_nvm_enter(cmd, slba, ENVME_MIN(cmd->ns->params.mcl,
                                                cmd->ns->nsze - slba));
}

/* ---- the ranges -------------------------------------------------------- */

static struct envme_status copy_parse(struct envme_cmd *cmd, unsigned fmt,
                                      const uint8_t *p, struct copy_range *r)
{
    /* All formats begin alike and end alike. */
    const struct envme_copy_range_f2 *f2 = (const void *)p;
    const struct envme_copy_range_f3 *f3 = (const void *)p;
    bool wide = copy_wide(fmt);

    r->ns = cmd->ns;
    if (copy_across(fmt)) {
        uint32_t nsid = le32_get(f2->snsid);
        uint16_t sf;

        r->ns = envme_ctrl_ns(cmd->ctrl, nsid);
        if (!r->ns) {
            return nsid == 0 || nsid > cmd->ctrl->subsys->nn ?
                   ENVME_ST(INVALID_NS) : ENVME_ST(INVALID_FIELD);
        }
        if (le16_get(f2->sopt) & ENVME_COPY_SOPT_FCO) {
            return ENVME_ST(FAST_COPY_IMPOSSIBLE);
        }
        if (envme_iocs_row(r->ns->iocs, ENVME_NVM_COPY) != cmd->row) {
            return ENVME_ST(INCOMPATIBLE_NS);
        }
        sf = atomic_load(&r->ns->gate_sf);
        if (sf) {
            return (struct envme_status){ sf };
        }
    }
    r->slba = le64_get(f2->slba);
    r->nlb = le16_get(f2->nlb) + 1;
    r->tags = (struct envme_pi_tags){
        .prinfo = copy_prinfo(cmd, false),
        .stc = FIELD_GET(ENVME_COPY_STCR, envme_cmd_cdw(cmd, 12)),
        .lbat = le16_get(wide ? f3->elbat : f2->elbat),
        .lbatm = le16_get(wide ? f3->elbatm : f2->elbatm),
    };
    if (!r->ns->pi.type) {
        return ENVME_ST(SUCCESS);
    }
    if (wide != (r->ns->pi.guard != ENVME_PIF_16B)) {
        return ENVME_ST(INVALID_NS);
    }
    if (wide) {
        envme_pi_tags_be(&r->ns->pi, f3->elbt, &r->tags);
    } else {
        envme_pi_tags_cdw(&r->ns->pi, 0, 0, le32_get(f2->elbrt), &r->tags);
    }
    return envme_pi_check_tags(&r->ns->pi, &r->tags, r->slba);
}

/* Can what is read from one be written to the other? */
static struct envme_status copy_fits(const struct envme_cmd *cmd,
                                     const struct envme_ns *from)
{
    const struct envme_ns *to = cmd->ns;
    const struct envme_pi *a = &from->pi, *b = &to->pi;

    if (a->type && b->type) {
        if (copy_pract(cmd, false) != copy_pract(cmd, true)) {
            return ENVME_ST(INVALID_FIELD);
        }
        if (a->guard != b->guard || a->sts != b->sts ||
            a->first != b->first) {
            return ENVME_ST(INCOMPATIBLE_NS);
        }
    }
    if (from->lbads != to->lbads ||
        copy_ms(from, copy_pract(cmd, false)) !=
        copy_ms(to, copy_pract(cmd, true))) {
        return ENVME_ST(INCOMPATIBLE_NS);
    }
    return ENVME_ST(SUCCESS);
}

static struct envme_status copy_check_range(struct envme_cmd *cmd,
                                            const struct copy_range *r)
{
    struct envme_status st;

    if (r->nlb > cmd->ns->params.mssrl) {
        return ENVME_ST(CMD_SIZE_LIMIT);
    }
    st = copy_fits(cmd, r->ns);
    if (envme_st_err(st)) {
        return st;
    }
    cmd->err_lba = r->slba;
    return envme_ns_range_ok(r->ns, r->slba, r->nlb) ? ENVME_ST(SUCCESS)
                                                     : ENVME_ST(LBA_RANGE);
}

/* All ranges together, and against where they go. */
static struct envme_status copy_check_all(struct envme_cmd *cmd,
                                          const struct copy_mem *m,
                                          uint64_t total)
{
    uint64_t to = envme_nvm_slba(cmd);

    if (total > cmd->ns->params.mcl) {
        return ENVME_ST(CMD_SIZE_LIMIT);
    }
    if (!envme_ns_range_ok(cmd->ns, to, total)) {
        cmd->err_lba = to;
        return envme_cmd_fail(cmd, ENVME_ST(LBA_RANGE),
                              offsetof(struct envme_sqe, cdw10));
    }
    for (unsigned i = 0; i < m->nranges; i++) {
        const struct copy_range *r = &m->range[i];

        if (r->ns == cmd->ns && r->slba < to + total &&
            to < r->slba + r->nlb) {
            return ENVME_ST(OVERLAPPING_IO_RANGE);
        }
    }
    return ENVME_ST(SUCCESS);
}

/* DW0 says which range failed once something has been written; until then it
 * is 0. */
static struct envme_status copy_ranges(struct envme_cmd *cmd,
                                       struct copy_mem *m)
{
    unsigned fmt = FIELD_GET(ENVME_COPY_DESFMT, envme_cmd_cdw(cmd, 12));
    size_t size = copy_wide(fmt) ? sizeof(struct envme_copy_range_f1)
                                 : sizeof(struct envme_copy_range_f0);
    uint64_t total = 0;

    m->nranges = cmd->len / size;
    for (unsigned i = 0; i < m->nranges; i++) {
        _Alignas(8) uint8_t desc[sizeof(struct envme_copy_range_f1)] = { 0 };
        struct envme_status st;

        envme_cmd_from_host(cmd, i * size, desc, size);
        st = copy_parse(cmd, fmt, desc, &m->range[i]);
        if (envme_st_ok(st)) {
            st = copy_check_range(cmd, &m->range[i]);
        }
        if (envme_st_err(st)) {
            return st;
        }
        total += m->range[i].nlb;
    }
    return copy_check_all(cmd, m, total);
}

/* ---- chunk by chunk ---------------------------------------------------- */

/* The metadata of a chunk, as it has been read, becomes what is written. */
static struct envme_status copy_turn(struct envme_cmd *cmd)
{
    const struct copy_state *s = ENVME_CMD_STATE(cmd, struct copy_state);
    struct copy_mem *m = cmd->mem;
    const struct copy_range *r = &m->range[s->range];
    const struct envme_ns *from = r->ns, *to = cmd->ns;
    uint16_t ms = copy_ms(to, copy_pract(cmd, true));
    struct envme_status st = ENVME_ST(SUCCESS);

    if (from->pi.type) {
        envme_nvm_pi_flip(&from->pi, m->in_md, s->n);
        st = envme_nvm_pi_run(from, &m->in, s->n, m->buf, m->in_md, false);
        if (envme_st_err(st)) {
            cmd->err_lba = r->slba + m->in.blocks;
            atomic_fetch_add(&cmd->ctrl->media_errors, 1);
            return st;
        }
    }
    if (ms) {
        memcpy(m->out_md, m->in_md, (size_t)s->n * ms);
    } else {
        memset(m->out_md, 0, (size_t)s->n * to->ms);
    }
    if (to->pi.type) {
        st = envme_nvm_pi_run(to, &m->out, s->n, m->buf, m->out_md,
                              copy_pract(cmd, true));
        envme_nvm_pi_flip(&to->pi, m->out_md, s->n);
        cmd->err_lba = envme_nvm_slba(cmd) + m->out.blocks;
    }
    return st;
}

/* The phase's whole length, where its memory is, and where it goes. */
static uint64_t copy_place(struct envme_cmd *cmd, uint8_t **p, uint64_t *off)
{
    struct copy_state *s = ENVME_CMD_STATE(cmd, struct copy_state);
    struct copy_mem *m = cmd->mem;
    const struct copy_range *r = &m->range[s->range];
    bool out = s->phase >= COPY_WRITE;
    struct envme_ns *ns = out ? cmd->ns : r->ns;
    uint64_t lba = out ? s->dlba : r->slba + s->done;

    s->loop.ns = ns;
    if (s->phase == COPY_READ || s->phase == COPY_WRITE) {
        *p = m->buf;
        *off = envme_layout_data(ns, lba);
        return envme_ns_blocks_to_bytes(ns, s->n);
    }
    *p = out ? m->out_md : m->in_md;
    *off = envme_layout_md(ns, lba);
    return (uint64_t)s->n * ns->ms;
}

/* The next request of the phase; false when there is none left. */
static bool copy_request(struct envme_cmd *cmd)
{
    struct copy_state *s = ENVME_CMD_STATE(cmd, struct copy_state);
    struct copy_mem *m = cmd->mem;
    bool out = s->phase >= COPY_WRITE;
    uint64_t off, bytes, total;
    uint8_t *p;

    if (s->phase == COPY_PROBE) {
        return envme_nvm_probe_request(&s->probe, &cmd->bio);
    }
    total = bytes = copy_place(cmd, &p, &off);
    if (s->at >= bytes) {
        return false;
    }
    bytes -= s->at;
    if (s->loop.ns->geo.max_transfer) {
        bytes = ENVME_MIN(bytes, s->loop.ns->geo.max_transfer);
    }
    m->iov = (struct iovec){ .iov_base = p + s->at, .iov_len = bytes };
    cmd->bio = (struct envme_bio){
        .op = out ? ENVME_BIO_WRITE : ENVME_BIO_READ,
        .flags = out ? envme_nvm_write_flags(cmd) : 0,
        .offset = off + s->at, .bytes = bytes, .iov = &m->iov, .niov = 1,
    };
    /* A chunk's data and metadata are one write. */
    if (out && (s->at || s->phase == COPY_WRITE_MD)) {
        cmd->bio.flags |= ENVME_BIO_CONT;
    }
    if (out && (s->at + bytes < total ||
                (s->phase == COPY_WRITE && cmd->ns->ms))) {
        cmd->bio.flags |= ENVME_BIO_MORE;
    }
    return true;
}

static struct envme_status copy_begin(struct envme_cmd *cmd)
{
    struct copy_state *s = ENVME_CMD_STATE(cmd, struct copy_state);
    struct copy_mem *m = cmd->mem;
    const struct copy_range *r = &m->range[s->range];

    s->n = ENVME_MIN(r->nlb - s->done, m->chunk);
    s->loop.ns = r->ns;
    s->probe = (struct envme_nvm_probe){ 0 };
    if (s->done) {
        return ENVME_ST(SUCCESS);
    }
    if (envme_nvm_dulbe(cmd, r->ns)) {
        envme_nvm_probe_start(&s->probe, r->ns, r->slba, r->nlb);
    }
    if (r->ns->pi.type) {
        envme_pi_start(&m->in, &r->ns->pi, &r->tags);
    }
    return envme_nvm_check_bad(cmd, r->ns, r->slba, r->nlb);
}

static bool copy_next_chunk(struct envme_cmd *cmd)
{
    struct copy_state *s = ENVME_CMD_STATE(cmd, struct copy_state);
    const struct copy_mem *m = cmd->mem;

    s->dlba += s->n;
    s->done += s->n;
    if (s->done == m->range[s->range].nlb) {
        s->range++;
        s->done = 0;
    }
    return s->range < m->nranges;
}

static struct envme_status copy_phase(struct envme_cmd *cmd)
{
    struct copy_state *s = ENVME_CMD_STATE(cmd, struct copy_state);

    switch (s->phase) {
    case COPY_PROBE:
        return copy_begin(cmd);
    case COPY_WRITE:
        return copy_turn(cmd);
    default:
        return ENVME_ST(SUCCESS);
    }
}

static struct envme_status copy_step(struct envme_cmd *cmd, int err)
{
    struct copy_state *s = ENVME_CMD_STATE(cmd, struct copy_state);
    const struct copy_mem *m = cmd->mem;
    struct envme_status st;

    if (err) {
        cmd->dw0 = s->range;
        return envme_cmd_io_status(cmd, err);
    }
    if (s->phase == COPY_PROBE) {
        if (envme_nvm_probe_answer(&s->probe, s->loop.ns, &cmd->bio,
                                   &cmd->err_lba)) {
            cmd->dw0 = s->range;
            return envme_nvm_deallocated(cmd);
        }
    } else if (s->phase != COPY_BEGIN) {
        s->at += m->iov.iov_len;
    }
    while (s->phase == COPY_BEGIN || !copy_request(cmd)) {
        if (s->phase == COPY_WRITE_MD && !copy_next_chunk(cmd)) {
            s->loop.keep |= envme_ns_clear_bad(cmd->ns, envme_nvm_slba(cmd),
                                               s->dlba - envme_nvm_slba(cmd));
            return ENVME_ST(SUCCESS);
        }
        s->phase = s->phase == COPY_WRITE_MD ? COPY_PROBE : s->phase + 1;
        s->at = 0;
        st = copy_phase(cmd);
        if (envme_st_err(st)) {
            cmd->dw0 = s->range;
            return st;
        }
    }
    return ENVME_ST_PENDING;
}

/* ---- the command ------------------------------------------------------- */

static bool copy_alloc(struct envme_cmd *cmd)
{
    const struct envme_ns *ns = cmd->ns;
    struct copy_mem *m = cmd->mem;
    uint32_t in_ms = ns->ms, bs = 1u << ns->lbads, most = 0;
    uint8_t *p;

    for (unsigned i = 0; i < m->nranges; i++) {
        in_ms = ENVME_MAX(in_ms, m->range[i].ns->ms);
        most = ENVME_MAX(most, m->range[i].nlb);
    }
    m->chunk = ENVME_MIN(ENVME_MAX(ENVME_NVM_CHUNK / (bs + in_ms), 1), most);
    p = g_try_malloc(sizeof(*m) +
                     (size_t)m->chunk * (bs + in_ms + ns->ms));
    if (!p) {
        return false;
    }
    memcpy(p, m, sizeof(*m));
    g_free(m);
    cmd->mem = m = (void *)p;
    m->buf = p + sizeof(*m);
    m->in_md = m->buf + (size_t)m->chunk * bs;
    m->out_md = m->in_md + (size_t)m->chunk * in_ms;
    return true;
}

struct envme_status envme_nvm_copy(struct envme_cmd *cmd)
{
    struct copy_state *s = ENVME_CMD_STATE(cmd, struct copy_state);
    struct copy_mem *m = g_try_malloc0(sizeof(*m));
    struct envme_pi_tags tags;
    struct envme_status st;

    cmd->mem = m;
    if (!m) {
        return ENVME_ST(INTERNAL);
    }
    st = copy_ranges(cmd, m);
    if (envme_st_err(st)) {
        return cmd->err_loc == UINT16_MAX ?
               envme_cmd_fail(cmd, st, offsetof(struct envme_sqe, dptr)) : st;
    }
    if (!copy_alloc(cmd)) {
        return ENVME_ST(INTERNAL);
    }
    m = cmd->mem;
    *s = (struct copy_state){ .dlba = envme_nvm_slba(cmd) };
    if (cmd->ns->pi.type) {
        copy_out_tags(cmd, &tags);
        envme_pi_start(&m->out, &cmd->ns->pi, &tags);
    }
    return envme_nvm_loop(cmd, cmd->ns, copy_step);
}
