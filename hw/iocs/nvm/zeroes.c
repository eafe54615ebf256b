/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Write Zeroes and Dataset Management: NVM 1.1, 3.3.8 and 3.3.3.
 *
 * Deallocated blocks read as zeroes, which DLFEAT promises, and so does their
 * metadata; their protection information reads as FFh. A backend's DISCARD
 * promises nothing; writing zeroes in a way that may deallocate does. Where the
 * backend cannot free anything, Write Zeroes with DEAC leaves zeroes all the
 * same, and Dataset Management nothing: that is a hint.
 *
 * Dataset Management does not wait for others, and nobody for it: it is no
 * write command, so nothing says that it is atomic (NVM 1.1, 2.1.4).
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
            /* LBACZ: all of the namespace. */
            cmd->dw0 = cmd->sqe.opc == ENVME_NVM_WRITE_ZEROES &&
                       envme_cmd_cdw(cmd, 12) & ENVME_RW_NSZ;
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
    uint32_t cdw12 = envme_cmd_cdw(cmd, 12);
    struct envme_status st;

    *len = 0;
    if (cdw12 & ENVME_RW_NSZ) {
        /* All of the namespace, whatever SLBA and NLB say. */
        return cdw12 & ENVME_RW_DEAC ? ENVME_ST(SUCCESS) :
               envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD),
                                  offsetof(struct envme_sqe, cdw12) + 2, 7);
    }
    st = envme_nvm_check_range(cmd, true);
    if (envme_st_ok(st) && cmd->ns->pi.type &&
        cdw12 & (ENVME_RW_PRCHK | ENVME_RW_STC)) {
        /* There is nothing that could be checked. */
        st = envme_cmd_fail(cmd, ENVME_ST(PI_INVALID),
                            offsetof(struct envme_sqe, cdw12) + 3);
    }
    return envme_st_err(st) ? st : envme_nvm_check_pi(cmd, true);
}

struct envme_status envme_nvm_enter_zeroes(struct envme_cmd *cmd)
{
    uint64_t slba, nlb;

    envme_nvm_write_range(cmd, &slba, &nlb);
    return envme_nvm_enter(cmd, slba, nlb);
}

struct envme_status envme_nvm_write_zeroes(struct envme_cmd *cmd)
{
    struct zeroes_state *s = ENVME_CMD_STATE(cmd, struct zeroes_state);

    bool deac = FIELD_GET(ENVME_RW_DEAC, envme_cmd_cdw(cmd, 12));
    uint64_t slba, nlb;

    if (cmd->ns->pi.type && !deac) {
        return envme_nvm_pi_zeroes(cmd);
    }
    s->now = 0;
    s->range = s->nranges = 0;
    s->flags = envme_nvm_write_flags(cmd);
    if (deac && cmd->ns->geo.discard) {
        s->flags |= ENVME_BIO_MAY_UNMAP;
    }
    envme_nvm_write_range(cmd, &slba, &nlb);
    envme_nvm_area_init(&s->area, slba, nlb);
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
