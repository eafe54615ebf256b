/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that must not be read: NVM 1.1, 3.3.3.2.1 (deallocated or unwritten
 * ones) and 3.3.7 (Write Uncorrectable).
 *
 * A block is deallocated when all of its data is. What of it the medium gives
 * back may be less, or more, than a block: a block that is partly there counts
 * as written, and so do all that share something with it which the medium can
 * only have as a whole.
 */
#include "envme/feat.h"
#include "hw/ctrl/feature.h"
#include "hw/iocs/nvm/nvm.h"
#include "hw/ns/layout.h"

#define PROBE_NONE UINT64_MAX

struct envme_status envme_nvm_check_bad(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint64_t slba,
                                        uint64_t nlb)
{
    if (envme_ns_find_bad(ns, slba, nlb, &cmd->err_lba)) {
        atomic_fetch_add(&cmd->ctrl->media_errors, 1);
        return ENVME_ST(UNRECOVERED_READ);
    }
    return ENVME_ST(SUCCESS);
}

bool envme_nvm_dulbe(const struct envme_cmd *cmd, const struct envme_ns *ns)
{
    return atomic_load(&ns->dulbe) && ns->geo.status &&
           FIELD_GET(ENVME_FEAT_ER_DULBE,
                     envme_feature_value(cmd->ctrl, ENVME_FID_ERROR_RECOVERY,
                                         ns));
}

/* ---- the search -------------------------------------------------------- */

void envme_nvm_probe_start(struct envme_nvm_probe *p,
                           const struct envme_ns *ns, uint64_t slba,
                           uint64_t nlb)
{
    *p = (struct envme_nvm_probe){
        .off = envme_layout_data(ns, slba),
        .end = envme_layout_data(ns, slba + nlb), .hole = PROBE_NONE,
    };
}

bool envme_nvm_probe_request(const struct envme_nvm_probe *p,
                             struct envme_bio *bio)
{
    if (p->off >= p->end) {
        return false;
    }
    *bio = (struct envme_bio){
        .op = ENVME_BIO_STATUS, .offset = p->off, .bytes = p->end - p->off,
    };
    return true;
}

bool envme_nvm_probe_answer(struct envme_nvm_probe *p,
                            const struct envme_ns *ns,
                            const struct envme_bio *bio, uint64_t *lba)
{
    uint64_t block = 1u << ns->lbads, first;

    if (!bio->hole) {
        p->hole = PROBE_NONE;
    } else if (p->hole == PROBE_NONE) {
        p->hole = p->off;
    }
    p->off += bio->same;
    if (!bio->hole) {
        return false;
    }
    first = (p->hole + block - 1) & ~(block - 1);
    if (first + block > p->off) {
        return false;
    }
    *lba = first >> ns->lbads;
    return true;
}

struct envme_status envme_nvm_deallocated(struct envme_cmd *cmd)
{
    return envme_cmd_fail(cmd, ENVME_ST(DEALLOCATED_BLOCK),
                          offsetof(struct envme_sqe, cdw10));
}

/* ---- commands that read their range ------------------------------------ */

struct probe_state {
    struct envme_nvm_probe probe;
    envme_run_fn *run;
};

static void probe_cont(struct envme_cmd *cmd, int err)
{
    struct probe_state *s = ENVME_CMD_STATE(cmd, struct probe_state);
    struct envme_status st;

    if (err) {
        envme_cmd_done(cmd, envme_cmd_io_status(cmd, err));
        return;
    }
    if (envme_nvm_probe_answer(&s->probe, cmd->ns, &cmd->bio,
                               &cmd->err_lba)) {
        envme_cmd_done(cmd, envme_nvm_deallocated(cmd));
        return;
    }
    if (envme_nvm_probe_request(&s->probe, &cmd->bio)) {
        envme_cmd_io(cmd, cmd->ns, probe_cont);
        return;
    }
    st = s->run(cmd);
    if (!envme_st_pending(st)) {
        envme_cmd_done(cmd, st);
    }
}

struct envme_status envme_nvm_guard_slow(struct envme_cmd *cmd,
                                         envme_run_fn *run)
{
    struct probe_state *s = ENVME_CMD_STATE(cmd, struct probe_state);
    uint64_t slba = envme_nvm_slba(cmd);
    uint32_t nlb = envme_nvm_nlb(cmd);
    struct envme_status st = envme_nvm_check_bad(cmd, cmd->ns, slba, nlb);

    if (envme_st_err(st)) {
        return st;
    }
    if (!envme_nvm_dulbe(cmd, cmd->ns)) {
        return run(cmd);
    }
    s->run = run;
    envme_nvm_probe_start(&s->probe, cmd->ns, slba, nlb);
    envme_nvm_probe_request(&s->probe, &cmd->bio);
    return envme_cmd_io(cmd, cmd->ns, probe_cont);
}
