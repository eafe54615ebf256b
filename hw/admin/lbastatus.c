/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Get LBA Status: NVM 1.1, 4.2.1. Which blocks are allocated (02h), which ones
 * can perhaps not be read (11h), and the same after reading all that are
 * allocated (10h), which takes its time.
 */
#include <string.h>

#include "envme/nvm.h"
#include "hw/admin/admin.h"
#include "hw/ns/layout.h"

/* Descriptors of one command; the host asks again for what comes after. */
#define LBAST_DESCS 4096u
#define LBAST_RANGE_MAX (UINT64_C(1) << 32)     /* blocks */
#define LBAST_READ (256u << 10)

struct lbast_state {
    uint64_t at, end;           /* blocks: up to at it is done */
    uint64_t limit;             /* 10h: up to here it is not deallocated */
    uint64_t hole;              /* 02h: bytes, deallocated from here to off */
    uint64_t off;               /* 02h: bytes that have been looked at */
    uint32_t n;                 /* 10h: blocks being read; 0: STATUS */
    uint8_t atype;
    bool stopped;
};

/* In cmd->mem. */
struct lbast_mem {
    struct iovec iov;
    uint8_t *buf;               /* 10h */
    unsigned max, n;
    bool more;                  /* than there is room for */
    struct envme_lba_status_desc desc[];
};

static void lbast_go(struct envme_cmd *cmd);

/* ---- descriptors ------------------------------------------------------- */

/* Joins what belongs together. False: there is no room. */
static bool lbast_add(struct lbast_mem *m, uint64_t slba, uint64_t end,
                      uint8_t lbars)
{
    while (slba < end) {
        struct envme_lba_status_desc *d = m->n ? &m->desc[m->n - 1] : NULL;
        uint64_t nlb = ENVME_MIN(end - slba, LBAST_RANGE_MAX), have;

        have = d ? le32_get(d->nlb) + UINT64_C(1) : LBAST_RANGE_MAX;
        if (d && d->status == lbars && have < LBAST_RANGE_MAX &&
            le64_get(d->dslba) + have == slba) {
            nlb = ENVME_MIN(nlb, LBAST_RANGE_MAX - have);
            d->nlb = le32(have + nlb - 1);
        } else if (m->n == m->max) {
            m->more = true;
            return false;
        } else {
            m->desc[m->n++] = (struct envme_lba_status_desc){
                .dslba = le64(slba), .nlb = le32(nlb - 1), .status = lbars,
            };
        }
        slba += nlb;
    }
    return true;
}

static struct envme_status lbast_end(struct envme_cmd *cmd)
{
    const struct lbast_state *s = ENVME_CMD_STATE(cmd, struct lbast_state);
    const struct lbast_mem *m = cmd->mem;
    static const uint8_t zeroes[512];
    struct envme_lba_status h = {
        .nlsd = le32(m->n),
        .cmpc = m->more ? ENVME_LBAST_CMPC_INCOMPLETE :
                s->stopped ? ENVME_LBAST_CMPC_NONE : ENVME_LBAST_CMPC_COMPLETE,
    };
    uint64_t at;

    envme_cmd_to_host(cmd, 0, &h, sizeof(h));
    at = sizeof(h) + envme_cmd_to_host(cmd, sizeof(h), m->desc,
                                       m->n * sizeof(m->desc[0]));
    while (at < cmd->len) {
        at += envme_cmd_to_host(cmd, at, zeroes,
                                ENVME_MIN(cmd->len - at, sizeof(zeroes)));
    }
    return ENVME_ST(SUCCESS);
}

/* ---- 10h, 11h: what can perhaps not be read ---------------------------- */

static void lbast_list(struct envme_cmd *cmd, uint64_t at, uint64_t end)
{
    struct envme_ns_lost lost;

    while (envme_ns_next_lost(cmd->ns, at, end, &lost)) {
        at = lost.slba + lost.nlb;
        if (!lbast_add(cmd->mem, lost.slba, at, lost.uncor ?
                       ENVME_LBARS_WRITE_UNCOR : ENVME_LBARS_MAYBE)) {
            return;
        }
    }
}

/* The request under way has ended. */
static void lbast_scanned(struct envme_cmd *cmd, struct lbast_state *s,
                          int err)
{
    struct envme_ns *ns = cmd->ns;

    if (!s->n) {
        uint64_t blocks = ENVME_MAX(cmd->bio.same >> ns->lbads, 1);

        if (cmd->bio.hole && cmd->bio.same >> ns->lbads) {
            s->at += blocks;
        } else {
            s->limit = s->at + blocks;
        }
    } else if (!err) {
        envme_ns_unsuspect(ns, s->at, s->n);
        s->at += s->n;
        s->n = 0;
    } else if (s->n > 1) {
        s->n /= 2;
        return;                 /* is it in the first half? */
    } else {
        atomic_fetch_add(&cmd->ctrl->media_errors, 1);
        if (envme_ns_suspect(ns, cmd->bio.offset, cmd->bio.bytes)) {
            envme_cmd_lost(cmd, ns);
        }
        s->at++;
        s->n = 0;
    }
}

/* The next request; false: there is none left. */
static bool lbast_scan(struct envme_cmd *cmd, struct lbast_state *s)
{
    struct envme_ns *ns = cmd->ns;
    struct lbast_mem *m = cmd->mem;

    if (s->at >= s->end) {
        return false;
    }
    if (s->at >= s->limit && ns->geo.status) {
        s->n = 0;
        cmd->bio = (struct envme_bio){
            .op = ENVME_BIO_STATUS, .offset = envme_layout_data(ns, s->at),
            .bytes = envme_ns_blocks_to_bytes(ns, s->end - s->at),
        };
        return true;
    }
    if (!s->n) {
        uint64_t to = ns->geo.status ? ENVME_MIN(s->limit, s->end) : s->end;

        s->n = ENVME_MIN(to - s->at, LBAST_READ >> ns->lbads);
    }
    m->iov = (struct iovec){
        m->buf, (size_t)envme_ns_blocks_to_bytes(ns, s->n),
    };
    cmd->bio = (struct envme_bio){
        .op = ENVME_BIO_READ, .offset = envme_layout_data(ns, s->at),
        .bytes = m->iov.iov_len, .iov = &m->iov, .niov = 1,
    };
    return true;
}

/* ---- 02h: what is allocated -------------------------------------------- */

/* Blocks that are written as uncorrectable are written, whatever is there. */
static bool lbast_deallocated(struct envme_cmd *cmd, uint64_t at, uint64_t end)
{
    struct envme_ns_lost lost;

    while (envme_ns_next_lost(cmd->ns, at, end, &lost)) {
        at = lost.slba + lost.nlb;
        if (lost.uncor && !lbast_add(cmd->mem, lost.slba, at,
                                     ENVME_LBARS_ALLOCATED)) {
            return false;
        }
    }
    return true;
}

/* A deallocated piece has come to its end: whole blocks of it. */
static bool lbast_hole_end(struct envme_cmd *cmd, struct lbast_state *s)
{
    unsigned lbads = cmd->ns->lbads;
    uint64_t a = (s->hole + (1u << lbads) - 1) >> lbads, b = s->off >> lbads;

    s->hole = UINT64_MAX;
    if (a >= b) {
        return true;
    }
    if (!lbast_add(cmd->mem, s->at, a, ENVME_LBARS_ALLOCATED) ||
        !lbast_deallocated(cmd, a, b)) {
        return false;
    }
    s->at = b;
    return true;
}

/* False: there is no more room. */
static bool lbast_looked(struct envme_cmd *cmd, struct lbast_state *s)
{
    if (cmd->bio.hole && s->hole == UINT64_MAX) {
        s->hole = s->off;
    } else if (!cmd->bio.hole && s->hole != UINT64_MAX &&
               !lbast_hole_end(cmd, s)) {
        return false;
    }
    s->off += cmd->bio.same;
    return true;
}

static bool lbast_look(struct envme_cmd *cmd, struct lbast_state *s)
{
    uint64_t end = envme_layout_data(cmd->ns, s->end);

    if (s->off < end && cmd->ns->geo.status) {
        cmd->bio = (struct envme_bio){
            .op = ENVME_BIO_STATUS, .offset = s->off, .bytes = end - s->off,
        };
        return true;
    }
    if (s->hole == UINT64_MAX || lbast_hole_end(cmd, s)) {
        lbast_add(cmd->mem, s->at, s->end, ENVME_LBARS_ALLOCATED);
    }
    return false;
}

/* ---- the command ------------------------------------------------------- */

static void lbast_over(struct envme_cmd *cmd)
{
    const struct lbast_state *s = ENVME_CMD_STATE(cmd, struct lbast_state);

    if (s->atype != ENVME_LBAST_ALLOCATED) {
        uint32_t rl = FIELD_GET(ENVME_LBAST_RL, envme_cmd_cdw(cmd, 13));
        uint64_t slba = envme_cmd_cdw(cmd, 10) |
                        (uint64_t)envme_cmd_cdw(cmd, 11) << 32;

        lbast_list(cmd, slba, rl ? slba + rl : s->end);
    }
    envme_cmd_done(cmd, lbast_end(cmd));
}

static void lbast_turn(struct envme_cmd *cmd, int err)
{
    struct lbast_state *s = ENVME_CMD_STATE(cmd, struct lbast_state);
    const struct envme_lane *lane = &cmd->ctrl->lane[0];

    (void)err;
    if (lane->mode == ENVME_LANE_DROP) {
        envme_cmd_done(cmd, ENVME_ST(ABORT_REQUESTED));
        return;
    }
    /* Nobody has to wait long for a scan. */
    if (lane->mode == ENVME_LANE_PARK && lane->drain) {
        s->stopped = true;
        lbast_over(cmd);
        return;
    }
    lbast_go(cmd);
}

static void lbast_cont(struct envme_cmd *cmd, int err)
{
    struct lbast_state *s = ENVME_CMD_STATE(cmd, struct lbast_state);

    if (err && (s->atype == ENVME_LBAST_ALLOCATED || !s->n ||
                !envme_cmd_is_media_error(err))) {
        envme_cmd_done(cmd, envme_cmd_io_status(cmd, err));
        return;
    }
    if (s->atype != ENVME_LBAST_ALLOCATED) {
        lbast_scanned(cmd, s, err);
    } else if (!lbast_looked(cmd, s)) {
        lbast_over(cmd);
        return;
    }
    /* Always from the lane's own loop: what is over at once must not take it
     * for as long as a medium is large. */
    envme_cmd_yield(cmd, lbast_turn);
}

static void lbast_go(struct envme_cmd *cmd)
{
    struct lbast_state *s = ENVME_CMD_STATE(cmd, struct lbast_state);

    if (s->atype == ENVME_LBAST_ALLOCATED ? lbast_look(cmd, s)
                                          : lbast_scan(cmd, s)) {
        envme_cmd_io(cmd, cmd->ns, lbast_cont);
    } else {
        lbast_over(cmd);
    }
}

struct envme_status envme_admin_lba_status_len(struct envme_cmd *cmd,
                                               uint64_t *len)
{
    *len = (envme_cmd_cdw(cmd, 12) + UINT64_C(1)) * 4;
    if (*len > envme_ctrl_mdts_bytes(cmd->ctrl)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw12));
    }
    *len = ENVME_MIN(*len, sizeof(struct envme_lba_status) + LBAST_DESCS *
                           sizeof(struct envme_lba_status_desc));
    return ENVME_ST(SUCCESS);
}

static struct envme_status lbast_check(struct envme_cmd *cmd,
                                       struct lbast_state *s)
{
    uint32_t cdw13 = envme_cmd_cdw(cmd, 13);
    uint64_t nsze = atomic_load(&cmd->ns->nsze);
    uint32_t rl = FIELD_GET(ENVME_LBAST_RL, cdw13);
    uint16_t sf = atomic_load(&cmd->ns->gate_sf);

    if (sf) {
        return (struct envme_status){ sf };
    }
    s->atype = FIELD_GET(ENVME_LBAST_ATYPE, cdw13);
    if (s->atype != ENVME_LBAST_ALLOCATED &&
        s->atype != ENVME_LBAST_UNTRACKED &&
        s->atype != ENVME_LBAST_TRACKED) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw13) + 3);
    }
    s->at = envme_cmd_cdw(cmd, 10) | (uint64_t)envme_cmd_cdw(cmd, 11) << 32;
    if (s->at >= nsze || !envme_ns_range_ok(cmd->ns, s->at, rl)) {
        return envme_cmd_fail(cmd, ENVME_ST(LBA_RANGE),
                              offsetof(struct envme_sqe, cdw10));
    }
    s->end = rl ? s->at + rl : nsze;
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_admin_lba_status(struct envme_cmd *cmd)
{
    struct lbast_state *s = ENVME_CMD_STATE(cmd, struct lbast_state);
    size_t head = sizeof(struct envme_lba_status);
    unsigned max = cmd->len > head ? (cmd->len - head) /
                                     sizeof(struct envme_lba_status_desc) : 0;
    struct envme_status st;
    struct lbast_mem *m;

    *s = (struct lbast_state){ .hole = UINT64_MAX };
    st = lbast_check(cmd, s);
    if (envme_st_err(st)) {
        return st;
    }
    m = cmd->mem = g_try_malloc(sizeof(*m) + max * sizeof(m->desc[0]) +
                                (s->atype == ENVME_LBAST_UNTRACKED ?
                                 LBAST_READ : 0));
    if (!m) {
        return ENVME_ST(INTERNAL);
    }
    *m = (struct lbast_mem){ .max = max, .buf = (uint8_t *)&m->desc[max] };
    if (s->atype == ENVME_LBAST_TRACKED) {
        lbast_list(cmd, s->at, s->end);
        return lbast_end(cmd);
    }
    s->off = envme_layout_data(cmd->ns, s->at);
    s->limit = s->at;
    lbast_go(cmd);
    return ENVME_ST_PENDING;
}
