/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compare and Verify: NVM 1.1, 3.3.1 and 3.3.5. Both read the range into our
 * own memory, a chunk at a time, the data and then the metadata.
 */
#include <string.h>

#include "hw/iocs/nvm/nvm.h"

struct scan_state {
    struct envme_nvm_loop loop;
    struct envme_nvm_area area;
    struct envme_nvm_cursor cur;
    bool compare;
};

/* In cmd->mem. */
struct scan_mem {
    struct iovec iov;
    uint8_t buf[];
};

/* Goes through `bytes` bytes of the host's; where they differ, or `bytes`. */
static uint64_t scan_compare(struct envme_nvm_cursor *c, const uint8_t *buf,
                             uint64_t bytes)
{
    uint64_t done = 0;

    while (done < bytes) {
        size_t n = bytes - done;
        const uint8_t *p = envme_nvm_cursor_next(c, &n);

        if (!p) {
            break;
        }
        if (memcmp(p, buf + done, n)) {
            while (p[0] == buf[done] && --n) {
                p++;
                done++;
            }
            return done;
        }
        done += n;
    }
    return done;
}

static struct envme_status scan_step(struct envme_cmd *cmd, int err)
{
    struct scan_state *s = ENVME_CMD_STATE(cmd, struct scan_state);
    struct envme_ns *ns = cmd->ns;
    struct scan_mem *m = cmd->mem;
    uint64_t n = m->iov.iov_len;
    bool turned;

    if (err) {
        return envme_cmd_io_status(cmd, err);
    }
    if (s->compare && n) {
        uint64_t same = scan_compare(&s->cur, m->buf, n);

        if (same < n) {
            bool md = s->area.phase == ENVME_NVM_MD;
            uint64_t at = s->area.off + same - (md ? ns->moff : 0);

            cmd->err_lba = md ? at / ns->ms : at >> ns->lbads;
            return ENVME_ST(COMPARE_FAILURE);
        }
    }
    if (!envme_nvm_area_next(&s->area, ns, n, &turned)) {
        return ENVME_ST(SUCCESS);
    }
    if (turned && s->compare) {
        if (s->area.phase == ENVME_NVM_DATA) {
            envme_nvm_cursor_data(&s->cur, cmd);
        } else {
            envme_nvm_cursor_md(&s->cur, cmd);
        }
    }
    n = ENVME_MIN(s->area.left, ENVME_NVM_CHUNK);
    if (ns->geo.max_transfer) {
        n = ENVME_MIN(n, ns->geo.max_transfer);
    }
    m->iov = (struct iovec){ .iov_base = m->buf, .iov_len = n };
    cmd->bio = (struct envme_bio){
        .op = ENVME_BIO_READ, .offset = s->area.off, .bytes = n,
        .iov = &m->iov, .niov = 1,
    };
    return ENVME_ST_PENDING;
}

/* With FUA, what was cached has to be on stable storage first. */
static struct envme_status scan_flush_step(struct envme_cmd *cmd, int err)
{
    struct scan_state *s = ENVME_CMD_STATE(cmd, struct scan_state);

    s->loop.step = scan_step;
    cmd->bio = (struct envme_bio){ .op = ENVME_BIO_FLUSH };
    return err ? envme_cmd_io_status(cmd, err) : ENVME_ST_PENDING;
}

static struct envme_status scan_start(struct envme_cmd *cmd, bool compare)
{
    struct scan_state *s = ENVME_CMD_STATE(cmd, struct scan_state);
    struct scan_mem *m;

    m = cmd->mem = g_try_malloc(sizeof(*m) + ENVME_NVM_CHUNK);
    if (!m) {
        return ENVME_ST(INTERNAL);
    }
    m->iov.iov_len = 0;
    s->compare = compare;
    envme_nvm_area_init(&s->area, envme_nvm_slba(cmd), envme_nvm_nlb(cmd));
    return envme_nvm_loop(cmd, cmd->ns, envme_nvm_read_flushes(cmd) ?
                                        scan_flush_step : scan_step);
}

static struct envme_status scan_run_compare(struct envme_cmd *cmd)
{
    envme_nvm_count_read(cmd, 1);
    if (cmd->ns->pi.type) {
        return envme_nvm_pi_compare(cmd);
    }
    return scan_start(cmd, true);
}

struct envme_status envme_nvm_compare(struct envme_cmd *cmd)
{
    return envme_nvm_guard(cmd, scan_run_compare);
}

struct envme_status envme_nvm_verify_len(struct envme_cmd *cmd, uint64_t *len)
{
    unsigned vsl = cmd->ctrl->params.vsl;
    struct envme_status st;

    *len = 0;
    if (vsl && envme_ns_blocks_to_bytes(cmd->ns, envme_nvm_nlb(cmd)) >
               4096ull << vsl) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw12));
    }
    st = envme_nvm_check_range(cmd, false);
    return envme_st_err(st) ? st : envme_nvm_check_pi(cmd, false);
}

static struct envme_status scan_run_verify(struct envme_cmd *cmd)
{
    envme_nvm_count_read(cmd, 0);
    if (cmd->ns->pi.type) {
        return envme_nvm_pi_verify(cmd);
    }
    return scan_start(cmd, false);
}

struct envme_status envme_nvm_verify(struct envme_cmd *cmd)
{
    return envme_nvm_guard(cmd, scan_run_verify);
}
