/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Read and Write: NVM 1.1, 3.3.4 and 3.3.6.
 *
 * What the backend takes in one request and in place is passed on as it is;
 * the rest (metadata, more bytes or elements than the backend takes, Read
 * with FUA) goes request by request through rw_step().
 */
#include <string.h>

#include "hw/ctrl/keep.h"
#include "hw/iocs/nvm/nvm.h"

/* Elements of one request at most. */
#define RW_IOV 1024

struct rw_state {
    struct envme_nvm_loop loop;
    struct envme_nvm_area area;
    struct envme_nvm_cursor cur;
    uint64_t now;               /* bytes of the request under way; 0: flush */
};

/* In cmd->mem. */
struct rw_mem {
    struct iovec iov[RW_IOV];
    bool bounced;
    uint8_t bounce[];           /* geo.align bytes, if need be */
};

/* ---- lengths ----------------------------------------------------------- */

static struct envme_status rw_len(struct envme_cmd *cmd, bool is_write,
                                  bool pract, uint64_t *len)
{
    const struct envme_ns *ns = cmd->ns;
    uint32_t nlb = envme_nvm_nlb(cmd);
    struct envme_status st;

    *len = envme_ns_blocks_to_bytes(ns, nlb);
    if (ns->extended) {
        *len += (uint64_t)nlb * envme_nvm_host_ms(cmd);
    }
    if ((cmd->ctrl->params.ctratt_mem ? envme_ns_blocks_to_bytes(ns, nlb)
                                      : *len) >
        envme_ctrl_mdts_bytes(cmd->ctrl)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw12));
    }
    st = envme_nvm_check_range(cmd, is_write);
    return envme_st_err(st) ? st : envme_nvm_check_pi(cmd, pract);
}

struct envme_status envme_nvm_read_len(struct envme_cmd *cmd, uint64_t *len)
{
    return rw_len(cmd, false, true, len);
}

struct envme_status envme_nvm_write_len(struct envme_cmd *cmd, uint64_t *len)
{
    struct envme_status st = rw_len(cmd, true, true, len);

    if (!envme_st_err(st) && envme_cmd_cdw(cmd, 12) & ENVME_RW_DTYPE) {
        st = envme_nvm_check_directive(cmd);
    }
    return st;
}

struct envme_status envme_nvm_compare_len(struct envme_cmd *cmd, uint64_t *len)
{
    struct envme_status st = rw_len(cmd, false, false, len);

    return envme_st_err(st) ? st : envme_nvm_check_fused(cmd);
}

struct envme_status envme_nvm_md_len(struct envme_cmd *cmd, uint64_t *len)
{
    const struct envme_ns *ns = cmd->ns;

    *len = ns->extended ? 0 : (uint64_t)envme_nvm_nlb(cmd) *
                              envme_nvm_host_ms(cmd);
    return ENVME_ST(SUCCESS);
}

/* ---- request by request ------------------------------------------------ */

static bool rw_is_read(const struct envme_cmd *cmd)
{
    return cmd->data.to_host;
}

/* Copies between the bounce buffer and the host. */
static void rw_bounce(struct envme_nvm_cursor *c, uint8_t *buf, uint64_t bytes,
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

static struct envme_status rw_prepare(struct envme_cmd *cmd,
                                      struct rw_state *s)
{
    const struct envme_geometry *geo = &cmd->ns->geo;
    struct envme_bio *bio = &cmd->bio;
    struct rw_mem *m = cmd->mem;
    unsigned max = RW_IOV;

    if (!m) {
        m = cmd->mem = g_try_malloc(sizeof(*m) + geo->align);
        if (!m) {
            return ENVME_ST(INTERNAL);
        }
        m->bounced = false;
    }
    if (geo->max_iov) {
        max = ENVME_MIN(max, geo->max_iov);
    }
    s->now = s->area.left;
    if (geo->max_transfer) {
        s->now = ENVME_MIN(s->now, geo->max_transfer);
    }
    *bio = (struct envme_bio){
        .op = rw_is_read(cmd) ? ENVME_BIO_READ : ENVME_BIO_WRITE,
        .flags = rw_is_read(cmd) ? 0 : envme_nvm_write_flags(cmd),
        .offset = s->area.off, .iov = m->iov,
    };
    bio->niov = envme_nvm_cursor_slice(&s->cur, m->iov, max, geo->align,
                                       &s->now);
    m->bounced = !s->now;
    if (m->bounced) {
        /* So many so small pieces that they don't add up to a unit. */
        s->now = geo->align;
        if (!rw_is_read(cmd)) {
            rw_bounce(&s->cur, m->bounce, s->now, false);
        }
        m->iov[0] = (struct iovec){ .iov_base = m->bounce,
                                    .iov_len = s->now };
        bio->niov = 1;
    }
    bio->bytes = s->now;
    if (!rw_is_read(cmd)) {
        bio->flags |= envme_nvm_area_flags(&s->area, cmd->ns, s->now);
    }
    return ENVME_ST_PENDING;
}

static struct envme_status rw_step(struct envme_cmd *cmd, int err)
{
    struct rw_state *s = ENVME_CMD_STATE(cmd, struct rw_state);
    struct rw_mem *m = cmd->mem;
    bool turned;

    if (err) {
        return envme_cmd_io_status(cmd, err);
    }
    if (m && m->bounced && rw_is_read(cmd)) {
        rw_bounce(&s->cur, m->bounce, s->now, true);
    }
    if (!envme_nvm_area_next(&s->area, cmd->ns, s->now, &turned)) {
        return ENVME_ST(SUCCESS);
    }
    if (turned && s->area.phase == ENVME_NVM_DATA) {
        envme_nvm_cursor_data(&s->cur, cmd);
    } else if (turned) {
        envme_nvm_cursor_md(&s->cur, cmd);
    }
    return rw_prepare(cmd, s);
}

/* What was cached has to be on stable storage before it is read. */
static struct envme_status rw_flush_step(struct envme_cmd *cmd, int err)
{
    struct rw_state *s = ENVME_CMD_STATE(cmd, struct rw_state);

    s->loop.step = rw_step;
    cmd->bio = (struct envme_bio){ .op = ENVME_BIO_FLUSH };
    return err ? envme_cmd_io_status(cmd, err) : ENVME_ST_PENDING;
}

static struct envme_status rw_start(struct envme_cmd *cmd, bool flush)
{
    struct rw_state *s = ENVME_CMD_STATE(cmd, struct rw_state);

    envme_nvm_area_init(&s->area, envme_nvm_slba(cmd), envme_nvm_nlb(cmd));
    s->now = 0;
    return envme_nvm_loop(cmd, cmd->ns, flush ? rw_flush_step : rw_step);
}

/* ---- the commands ------------------------------------------------------ */

static bool rw_fits(const struct envme_cmd *cmd)
{
    const struct envme_geometry *geo = &cmd->ns->geo;

    return !cmd->ns->ms &&
           (!geo->max_transfer || cmd->len <= geo->max_transfer) &&
           (!geo->max_iov || cmd->data.niov <= geo->max_iov);
}

static void rw_simple(struct envme_cmd *cmd, enum envme_bio_op op,
                      unsigned flags)
{
    cmd->bio = (struct envme_bio){
        .op = op, .flags = flags,
        .offset = envme_ns_blocks_to_bytes(cmd->ns, envme_nvm_slba(cmd)),
        .bytes = cmd->len, .iov = cmd->data.iov, .niov = cmd->data.niov,
    };
}

static struct envme_status rw_read(struct envme_cmd *cmd)
{
    bool flush = envme_nvm_read_flushes(cmd);

    envme_nvm_count_read(cmd, 1);
    if (cmd->ns->pi.type) {
        return envme_nvm_pi_read(cmd);
    }
    if (!rw_fits(cmd) || flush) {
        return rw_start(cmd, flush);
    }
    rw_simple(cmd, ENVME_BIO_READ, 0);
    return envme_cmd_io(cmd, cmd->ns, NULL);
}

struct envme_status envme_nvm_read(struct envme_cmd *cmd)
{
    return envme_nvm_guard(cmd, rw_read);
}

/* Where there are blocks that cannot be read. */
static void rw_written(struct envme_cmd *cmd, int err)
{
    if (!err && envme_nvm_written(cmd)) {
        envme_cmd_keep_done(cmd, ENVME_ST(SUCCESS));
    } else {
        envme_cmd_done(cmd, envme_cmd_io_status(cmd, err));
    }
}

struct envme_status envme_nvm_write(struct envme_cmd *cmd)
{
    envme_nvm_count_write(cmd);
    if (envme_cmd_cdw(cmd, 12) & ENVME_RW_DTYPE) {
        envme_nvm_stream(cmd);
    }
    if (cmd->ns->pi.type) {
        return envme_nvm_pi_write(cmd);
    }
    if (!rw_fits(cmd)) {
        return rw_start(cmd, false);
    }
    rw_simple(cmd, ENVME_BIO_WRITE, envme_nvm_write_flags(cmd));
    return envme_cmd_io(cmd, cmd->ns, atomic_load(&cmd->ns->nbad) ?
                                      rw_written : NULL);
}
