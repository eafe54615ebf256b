/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Write Zeroes and Dataset Management: NVM 1.1, 3.3.8 and 3.3.3.
 *
 * Deallocated blocks read as zeroes, which DLFEAT promises, and so does their
 * metadata. A backend's DISCARD promises nothing; writing zeroes in a way that
 * may deallocate does. Where the backend cannot free anything, nothing is
 * deallocated: that is a host's hint, and the blocks keep what is in them.
 */
#include "hw/iocs/nvm/nvm.h"

#include "envme/nvm.h"

#define ZEROES_DSM_MAX 256

struct zeroes_state {
    struct envme_nvm_loop loop;
    struct envme_nvm_area area;
    uint64_t now;
    unsigned flags;
    unsigned range, nranges;    /* DSM: in cmd->mem */
};

static bool zeroes_next_range(struct envme_cmd *cmd, struct zeroes_state *s)
{
    const struct envme_dsm_range *r = cmd->mem;

    if (s->range >= s->nranges) {
        return false;
    }
    envme_nvm_area_init(&s->area, le64_get(r[s->range].slba),
                        le32_get(r[s->range].nlb));
    s->range++;
    return true;
}

static struct envme_status zeroes_step(struct envme_cmd *cmd, int err)
{
    struct zeroes_state *s = ENVME_CMD_STATE(cmd, struct zeroes_state);
    bool turned;

    if (err) {
        return envme_cmd_io_status(cmd, err);
    }
    while (!envme_nvm_area_next(&s->area, cmd->ns, s->now, &turned)) {
        s->now = 0;
        if (s->nranges && s->range) {
            s->loop.keep |= envme_ns_clear_bad(cmd->ns, s->area.slba,
                                               s->area.nlb);
        }
        if (!zeroes_next_range(cmd, s)) {
            return ENVME_ST(SUCCESS);
        }
    }
    s->now = ENVME_MIN(s->area.left, ENVME_NVM_ZERO_CHUNK);
    cmd->bio = (struct envme_bio){
        .op = ENVME_BIO_WRITE_ZEROES,
        .flags = s->flags | envme_nvm_area_flags(&s->area, cmd->ns, s->now),
        .offset = s->area.off, .bytes = s->now,
    };
    return ENVME_ST_PENDING;
}

/* ---- Write Zeroes ------------------------------------------------------ */

struct envme_status envme_nvm_write_zeroes_len(struct envme_cmd *cmd,
                                               uint64_t *len)
{
    struct envme_status st = envme_nvm_check_range(cmd, true);

    *len = 0;
    return envme_st_err(st) ? st : envme_nvm_check_pi(cmd, true);
}

struct envme_status envme_nvm_write_zeroes(struct envme_cmd *cmd)
{
    struct zeroes_state *s = ENVME_CMD_STATE(cmd, struct zeroes_state);

    if (cmd->ns->pi.type && envme_nvm_prinfo(cmd) & ENVME_PRINFO_PRACT) {
        return envme_nvm_pi_zeroes(cmd);
    }
    /* Without PRACT protection information is as in deallocated blocks. */
    s->now = 0;
    s->range = s->nranges = 0;
    s->flags = envme_nvm_write_flags(cmd);
    if (FIELD_GET(ENVME_RW_DEAC, envme_cmd_cdw(cmd, 12)) &&
        cmd->ns->geo.discard) {
        s->flags |= ENVME_BIO_MAY_UNMAP;
    }
    envme_nvm_area_init(&s->area, envme_nvm_slba(cmd), envme_nvm_nlb(cmd));
    return envme_nvm_loop(cmd, cmd->ns, zeroes_step);
}

/* ---- Dataset Management ------------------------------------------------ */

struct envme_status envme_nvm_dsm_len(struct envme_cmd *cmd, uint64_t *len)
{
    *len = (FIELD_GET(ENVME_DSM_NR, envme_cmd_cdw(cmd, 10)) + 1) *
           sizeof(struct envme_dsm_range);
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_nvm_dsm(struct envme_cmd *cmd)
{
    struct zeroes_state *s = ENVME_CMD_STATE(cmd, struct zeroes_state);
    struct envme_dsm_range *r;
    size_t bytes = cmd->len;

    _Static_assert(ZEROES_DSM_MAX == FIELD_MAX(ENVME_DSM_NR) + 1, "");
    /* Copied once; all are checked before anything happens. */
    r = cmd->mem = g_malloc0(bytes);
    envme_cmd_from_host(cmd, 0, r, bytes);
    s->nranges = bytes / sizeof(*r);
    for (unsigned i = 0; i < s->nranges; i++) {
        if (!envme_ns_range_ok(cmd->ns, le64_get(r[i].slba),
                               le32_get(r[i].nlb))) {
            cmd->err_lba = le64_get(r[i].slba);
            return envme_cmd_fail(cmd, ENVME_ST(LBA_RANGE),
                                  offsetof(struct envme_sqe, dptr));
        }
    }
    if (!FIELD_GET(ENVME_DSM_AD, envme_cmd_cdw(cmd, 11)) ||
        !cmd->ns->geo.discard) {
        return ENVME_ST(SUCCESS);
    }
    s->now = 0;
    s->range = 0;
    s->flags = ENVME_BIO_MAY_UNMAP;
    /* An area at its end: the first step takes the first range. */
    s->area = (struct envme_nvm_area){ .phase = ENVME_NVM_END };
    return envme_nvm_loop(cmd, cmd->ns, zeroes_step);
}
