/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sanitize: Base 2.1, 5.1.22, 8.1.24, log page 81h and feature 17h. An
 * operation is the subsystem's: it goes on through resets, with another
 * controller's clock when its own goes, and anew after a power cycle. It goes
 * through the media, whole: through what is a namespace and what is free.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/admin/pel.h"

#include "hw/ctrl/cmem.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/keep.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/life.h"
#include "hw/ctrl/pause.h"
#include "hw/ns/capacity.h"

#define SAN_FIRST_NS (20ull * 1000 * 1000)
#define SAN_STEP_NS  (1ull * 1000 * 1000)
#define SAN_BUF      (1u << 20)
#define SAN_ZERO     (64u << 20)
#define SAN_PMR_ZERO (4u << 20)     /* of our own memory, at once */
#define SAN_RECORD_VERSION 1
#define SAN_RECORD "sanitize"
#define SAN_NO_PROGRESS 0xffffu /* SPROG: none is under way */

enum { SAN_OVERWRITE, SAN_ERASE, SAN_FLUSH, SAN_PMR };

static unsigned san_action(const struct envme_sanitize_state *st)
{
    return FIELD_GET(ENVME_SANITIZE_SANACT, st->cdw10);
}

static bool san_is_running(const struct envme_sanitize *san)
{
    return san->st.sans == ENVME_SANS_RESTRICTED ||
           san->st.sans == ENVME_SANS_UNRESTRICTED;
}

static bool san_keeps_blocks(const struct envme_sanitize *san)
{
    return san->st.cdw10 & ENVME_SANITIZE_NDAS && !san->ndi;
}

static unsigned san_passes(const struct envme_sanitize_state *st)
{
    unsigned n = FIELD_GET(ENVME_SANITIZE_OWPASS, st->cdw10);

    if (san_action(st) != ENVME_SANITIZE_OVERWRITE) {
        return 0;
    }
    return n ? n : 16;
}

/* ---- kept over power cycles -------------------------------------------- */

struct san_record {
    le32_t version;
    uint8_t sans, fails, sos, opc;
    le32_t cdw10, pattern;
};
_Static_assert(sizeof(struct san_record) == 16, "on disk");

static void san_put(const struct envme_shared *sh,
                    const struct envme_sanitize_state *st)
{
    struct san_record r = {
        .version = le32(SAN_RECORD_VERSION), .sans = st->sans,
        .fails = st->fails, .sos = st->sos, .opc = st->opc,
        .cdw10 = le32(st->cdw10), .pattern = le32(st->pattern),
    };

    envme_state_put(sh->subsys->state, SAN_RECORD, &r, sizeof(r));
}

/* Which commands are refused, from the state. */
static void san_gate(struct envme_shared *sh)
{
    uint16_t sf = 0;

    switch (sh->san.st.sans) {
    case ENVME_SANS_RESTRICTED:
    case ENVME_SANS_UNRESTRICTED:
        sf = ENVME_SC_SANITIZE_IN_PROGRESS;
        break;
    case ENVME_SANS_RESTRICTED_FAIL:
    case ENVME_SANS_UNRESTRICTED_FAIL:
        sf = ENVME_SC_SANITIZE_FAILED;
        break;
    default:
        break;
    }
    atomic_store(&sh->subsys->gate_sf, sf);
    for (unsigned i = 0; !sf && i < ENVME_MAX_CTRLS; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(sh->subsys, i);

        if (c) {
            envme_pmr_update(c);
        }
    }
}

/* ---- the end ----------------------------------------------------------- */

static uint64_t san_writes(const struct envme_shared *sh)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(sh->subsys, i);

        for (unsigned l = 0; c && l < c->nlanes; l++) {
            n += atomic_load(&c->lane[l].stats.writes);
        }
    }
    return n;
}

static void san_over(void *arg, int err)
{
    struct envme_shared *sh = arg;
    struct envme_sanitize *san = &sh->san;
    struct envme_ctrl *ctrl = san->ctrl;

    (void)err;                  /* it would begin anew, if power failed now */
    san->st = san->end;
    san->gde = san->st.sos != ENVME_SOS_FAILED;
    san->writes = san_writes(sh);
    san->ending = false;
    san->ctrl = NULL;
    free(san->buf);
    san->buf = NULL;
    san_gate(sh);
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(sh->subsys, i);

        if (c && san->st.sos == ENVME_SOS_FAILED) {
            envme_telemetry_report(c, "sanitize failed: CDW10 %08x",
                                   san->st.cdw10);
        }
        if (c) {
            envme_event_post(c, ENVME_AEN_TYPE_IOCS,
                             san->st.sos == ENVME_SOS_SUCCESS_DEALLOC ?
                             ENVME_AEN_IOCS_SANITIZE_DEALLOC :
                             ENVME_AEN_IOCS_SANITIZE, ENVME_LID_SANITIZE, -1);
        }
    }
    envme_life_background(ctrl, false);
}

static uint16_t san_sstat(const struct envme_sanitize_state *st, bool gde)
{
    return FIELD_SET(ENVME_SSTAT_SOS, st->sos) |
           FIELD_SET(ENVME_SSTAT_OPC, st->opc) | (gde ? ENVME_SSTAT_GDE : 0);
}

/* What the log is going to say is written first. */
static void san_finish(struct envme_shared *sh, bool ok)
{
    struct envme_sanitize *san = &sh->san;
    struct envme_sanitize_state *end = &san->end;

    *end = san->st;
    for (uint32_t i = 1; ok && i <= sh->subsys->nn; i++) {
        if (sh->subsys->ns[i]) {
            envme_ns_forget_bad(sh->subsys->ns[i]);
        }
    }
    if (ok) {
        envme_nsdata_sanitized(sh->subsys);
        end->sans = ENVME_SANS_IDLE;
        end->fails = 0;
        end->sos = san->ndi && san->st.cdw10 & ENVME_SANITIZE_NDAS ?
                   ENVME_SOS_SUCCESS_DEALLOC : ENVME_SOS_SUCCESS;
    } else {
        end->fails = san->st.sans;
        end->sans = san->st.sans == ENVME_SANS_RESTRICTED ?
                    ENVME_SANS_RESTRICTED_FAIL : ENVME_SANS_UNRESTRICTED_FAIL;
        end->sos = ENVME_SOS_FAILED;
        san->fail_next = false;
    }
    san->ending = true;
    san_put(sh, end);
    envme_pel_sanitize_done(san->ctrl, SAN_NO_PROGRESS, san_sstat(end, ok));
    envme_life_background(san->ctrl, true);
    envme_keep_flush(san->ctrl, san_over, sh);
}

/* ---- steps ------------------------------------------------------------- */

static void san_again(struct envme_sanitize *san, uint64_t in)
{
    envme_lane_at(&san->ctrl->lane[0], &san->due, envme_now(san->ctrl) + in);
}

static uint64_t san_size(const struct envme_ns *ns)
{
    return ns->geo.size & ~(uint64_t)(ns->geo.align - 1);
}

/* A namespace that stands for its medium. One whose medium is on its way out
 * is left alone. */
static struct envme_ns *san_next(const struct envme_shared *sh,
                                 uint32_t medium)
{
    struct envme_ns *ns = envme_capacity_next_medium(sh->subsys, medium);

    while (ns && ns->closing) {
        ns = envme_capacity_next_medium(sh->subsys, ns->medium + 1);
    }
    return ns;
}

/* Bytes that all passes write. Namespaces come after controllers, when the
 * power comes on: not before the first step. */
static uint64_t san_total(const struct envme_shared *sh)
{
    const struct envme_sanitize *san = &sh->san;
    unsigned passes = san_passes(&san->st);
    uint64_t n = 0;

    for (struct envme_ns *m = san_next(sh, 1); m;
         m = san_next(sh, m->medium + 1)) {
        n += san_size(m);
    }
    return passes ? n * (passes + !san_keeps_blocks(san)) : n;
}

static void san_fill(struct envme_sanitize *san)
{
    uint32_t v = san->st.pattern;
    le32_t *w = san->buf;

    if (san->st.cdw10 & ENVME_SANITIZE_OIPBP && san->pass & 1) {
        v = ~v;
    }
    for (unsigned i = 0; i < SAN_BUF / 4; i++) {
        w[i] = le32(v);
    }
}

static void san_begin(struct envme_shared *sh)
{
    struct envme_sanitize *san = &sh->san;

    san->pass = 0;
    san->at_medium = 1;
    san->at = 0;
    san->done = 0;
    san->phase = SAN_ERASE;
    if (san_passes(&san->st)) {
        san->phase = SAN_OVERWRITE;
        if (!san->buf) {
            san->buf = aligned_alloc(4096, SAN_BUF);
            if (!san->buf) {
                abort();        /* as GLib does */
            }
        }
        san_fill(san);
    }
    san_again(san, SAN_FIRST_NS);
}

/* All media have been through a pass. */
static void san_pass_over(struct envme_shared *sh)
{
    struct envme_sanitize *san = &sh->san;

    san->at_medium = 1;
    san->at = 0;
    switch (san->phase) {
    case SAN_OVERWRITE:
        san->st.opc = ++san->pass;
        if (san->pass < san_passes(&san->st)) {
            san_fill(san);
        } else {
            san->phase = san_keeps_blocks(san) ? SAN_FLUSH : SAN_ERASE;
        }
        break;
    case SAN_ERASE:
        san->phase = SAN_FLUSH;
        break;
    default:
        san->phase = SAN_PMR;
        san->at_ctrl = 0;
        break;
    }
    san_again(san, SAN_STEP_NS);
}

static struct envme_shared *san_shared(const struct envme_sanitize *san)
{
    return (struct envme_shared *)
        ((char *)san - offsetof(struct envme_shared, san));
}

static void san_io_over(struct envme_bgio *io, int err)
{
    struct envme_sanitize *san = (struct envme_sanitize *)
        ((char *)io - offsetof(struct envme_sanitize, io));
    struct envme_shared *sh = san_shared(san);

    if (err || san->fail_next) {
        san_finish(sh, false);
        return;
    }
    san->at += io->bio.bytes;
    san->done += io->bio.bytes;
    if (san->phase == SAN_FLUSH || san->at >= san_size(io->ns)) {
        san->at_medium++;
        san->at = 0;
    }
    san_again(san, SAN_STEP_NS);
}

static void san_step(struct envme_shared *sh, struct envme_ns *ns)
{
    struct envme_sanitize *san = &sh->san;
    struct envme_bio *bio = &san->io.bio;
    uint64_t max = san->phase == SAN_ERASE ? SAN_ZERO : SAN_BUF;

    if (san->phase == SAN_OVERWRITE && ns->geo.max_transfer) {
        max = ENVME_MIN(max, (uint64_t)ENVME_MAX(
            ns->geo.max_transfer & ~(ns->geo.align - 1), ns->geo.align));
    }
    bio->flags = 0;
    bio->offset = san->at;
    bio->bytes = ENVME_MIN(max, san_size(ns) - san->at);
    switch (san->phase) {
    case SAN_OVERWRITE:
        bio->op = ENVME_BIO_WRITE;
        san->io.iov.iov_base = san->buf;
        break;
    case SAN_ERASE:
        bio->op = ENVME_BIO_WRITE_ZEROES;
        bio->flags = san_keeps_blocks(san) ? 0 : ENVME_BIO_MAY_UNMAP;
        break;
    default:
        bio->op = ENVME_BIO_FLUSH;
        bio->bytes = bio->offset = 0;
        break;
    }
    envme_bgio_start(&san->io, san->ctrl, ns, san_io_over);
}

static void san_pmr_flushed(void *arg, int err)
{
    struct envme_shared *sh = arg;
    struct envme_sanitize *san = &sh->san;
    struct envme_ctrl *ctrl = envme_shared_ctrl(sh->subsys, san->at_ctrl);

    if (err) {
        san_finish(sh, false);
    } else {
        san->at_ctrl++;
        san->at = 0;
        san_again(san, SAN_STEP_NS);
    }
    envme_life_background(ctrl, false);
}

/* A Persistent Memory Region, which nobody can enable meanwhile, has user data
 * too. */
static void san_pmr_step(struct envme_shared *sh)
{
    struct envme_sanitize *san = &sh->san;

    for (; san->at_ctrl < ENVME_MAX_CTRLS; san->at_ctrl++) {
        struct envme_ctrl *c = envme_shared_ctrl(sh->subsys, san->at_ctrl);

        if (c && envme_pmr_erase(c, &san->at, SAN_PMR_ZERO)) {
            san_again(san, SAN_STEP_NS);
            return;
        }
        if (c && san->at) {
            envme_life_background(c, true);
            envme_pmr_flush(c, san_pmr_flushed, sh);
            return;
        }
        san->at = 0;
    }
    san_finish(sh, true);
}

static void san_due(struct envme_deadline *d)
{
    struct envme_sanitize *san = (struct envme_sanitize *)d;
    struct envme_shared *sh = san_shared(san);
    struct envme_ns *ns;

    if (san->phase == SAN_PMR) {
        san_pmr_step(sh);
        return;
    }
    if (!san->done) {
        san->total = san_total(sh);
    }
    while ((ns = san_next(sh, san->at_medium))) {
        if (ns->medium != san->at_medium) {
            san->at_medium = ns->medium;
            san->at = 0;
        }
        if (san->phase == SAN_FLUSH || san->at < san_size(ns)) {
            san_step(sh, ns);
            return;
        }
        san->at_medium++;
        san->at = 0;
    }
    san_pass_over(sh);
}

/* ---- the start --------------------------------------------------------- */

static void san_take(struct envme_shared *sh, struct envme_ctrl *not_this)
{
    for (unsigned i = 0; i < ENVME_MAX_CTRLS && !sh->san.ctrl; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(sh->subsys, i);

        sh->san.ctrl = c != not_this ? c : NULL;
    }
}

/* No command that began before is left at this controller. */
static void san_drained(struct envme_ctrl *ctrl, void *arg)
{
    struct envme_shared *sh = arg;

    envme_resume(ctrl);
    if (--sh->san.draining) {
        return;
    }
    san_take(sh, NULL);
    if (sh->san.ctrl) {
        san_begin(sh);
    }
}

static void san_start(struct envme_cmd *cmd)
{
    struct envme_shared *sh = envme_shared(cmd->ctrl);
    struct envme_sanitize *san = &sh->san;
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10);

    san->st = (struct envme_sanitize_state){
        .sans = cdw10 & ENVME_SANITIZE_AUSE ? ENVME_SANS_UNRESTRICTED
                                            : ENVME_SANS_RESTRICTED,
        .sos = ENVME_SOS_IN_PROGRESS, .cdw10 = cdw10,
        .pattern = envme_cmd_cdw(cmd, 11),
    };
    san->ctrl = cmd->ctrl;
    san->gde = false;
    san->done = 0;
    san->total = 1;
    san_gate(sh);
    envme_selftest_sanitize(sh->subsys);
    san_put(sh, &san->st);
    envme_pel_sanitize_start(cmd->ctrl, cdw10, san->st.pattern);
    san->draining = 1;
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(sh->subsys, i);

        if (c && c->life == ENVME_LIFE_READY) {
            san->draining++;
            envme_pause(c, true, NULL, san_drained, sh);
        }
    }
    san->draining--;            /* at least this one's comes later */
}

static struct envme_status san_check_media(struct envme_cmd *cmd)
{
    const struct envme_subsys *s = cmd->ctrl->subsys;
    const struct envme_shared *sh = envme_shared(cmd->ctrl);

    for (uint32_t i = 1; i <= s->nn; i++) {
        uint16_t sf = s->ns[i] ? atomic_load(&s->ns[i]->gate_sf) : 0;

        if (sf) {
            return (struct envme_status){ sf };
        }
        if (s->ns[i]) {
            envme_protect_load(s->ns[i]);
        }
        if (s->ns[i] && s->ns[i]->read_only) {
            return ENVME_ST(NS_WRITE_PROTECTED);
        }
    }
    for (struct envme_ns *m = san_next(sh, 1); m;
         m = san_next(sh, m->medium + 1)) {
        if (m->geo.read_only) {
            return ENVME_ST(NS_WRITE_PROTECTED);
        }
    }
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(s, i);

        if (c && c->ports.pmr.base && c->ports.pmr.read_only) {
            /* The nearest there is: it cannot be erased. */
            return ENVME_ST(NS_WRITE_PROTECTED);
        }
    }
    return ENVME_ST(SUCCESS);
}

static bool san_pmr_is_enabled(const struct envme_subsys *s)
{
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(s, i);

        if (c && envme_pmr_is_enabled(c)) {
            return true;
        }
    }
    return false;
}

static struct envme_status san_exit_failure(struct envme_cmd *cmd)
{
    struct envme_shared *sh = envme_shared(cmd->ctrl);

    switch (sh->san.st.sans) {
    case ENVME_SANS_RESTRICTED_FAIL:
        return ENVME_ST(SANITIZE_FAILED);
    case ENVME_SANS_UNRESTRICTED_FAIL:
        sh->san.st.sans = ENVME_SANS_IDLE;
        sh->san.st.fails = 0;
        san_gate(sh);
        san_put(sh, &sh->san.st);
        return envme_cmd_keep(cmd, ENVME_ST(SUCCESS));
    default:
        return ENVME_ST(SUCCESS);
    }
}

struct envme_status envme_admin_sanitize(struct envme_cmd *cmd)
{
    struct envme_sanitize *san = &envme_shared(cmd->ctrl)->san;
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10);
    unsigned act = FIELD_GET(ENVME_SANITIZE_SANACT, cdw10);
    unsigned loc = offsetof(struct envme_sqe, cdw10);
    struct envme_status st;

    if (act < ENVME_SANITIZE_EXIT_FAILURE ||
        act > ENVME_SANITIZE_CRYPTO_ERASE) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
    }
    if (san_is_running(san)) {
        return ENVME_ST(SANITIZE_IN_PROGRESS);
    }
    if (san_pmr_is_enabled(cmd->ctrl->subsys)) {
        return ENVME_ST(SANITIZE_PMR);
    }
    if (act == ENVME_SANITIZE_EXIT_FAILURE) {
        return san_exit_failure(cmd);
    }
    if (san->st.sans == ENVME_SANS_RESTRICTED_FAIL &&
        cdw10 & ENVME_SANITIZE_AUSE) {
        return envme_cmd_fail_bit(cmd, ENVME_ST(SANITIZE_FAILED), loc, 3);
    }
    if (cdw10 & ENVME_SANITIZE_NDAS && san->ndi && !san->nodrm) {
        return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD), loc + 1, 1);
    }
    if (envme_fw_is_pending(cmd->ctrl)) {
        return ENVME_ST(FW_NEED_RESET);
    }
    st = san_check_media(cmd);
    if (envme_st_err(st)) {
        return st;
    }
    san_start(cmd);
    return envme_cmd_keep(cmd, ENVME_ST(SUCCESS));
}

/* ---- log page 81h, feature 17h, Identify ------------------------------- */

size_t envme_sanitize_log_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_log_sanitize);
}

struct envme_status envme_sanitize_log(const struct envme_log_req *req,
                                       void *buf)
{
    const struct envme_shared *sh = envme_shared(req->cmd->ctrl);
    const struct envme_sanitize *san = &sh->san;
    struct envme_log_sanitize *log = buf;
    uint32_t progress = SAN_NO_PROGRESS;
    bool gde = san->gde && san_writes(sh) == san->writes;

    if (san_is_running(san)) {
        progress = san->total ? (double)san->done / san->total * 65536 : 0;
        progress = ENVME_MIN(progress, 0xfffeu);
    }
    log->sprog = le16(progress);
    log->sstat = le16(san_sstat(&san->st, gde));
    log->scdw10 = le32(san->st.cdw10);
    /* No times are told. */
    log->eto = log->etbe = log->etce = le32(UINT32_MAX);
    log->etond = log->etbend = log->etcend = le32(UINT32_MAX);
    log->etpvds = le32(UINT32_MAX);
    log->ssi = FIELD_SET(ENVME_SSI_SANS, san->st.sans) |
               FIELD_SET(ENVME_SSI_FAILS, san->st.fails);
    return ENVME_ST(SUCCESS);
}

uint32_t envme_sanitize_cap(const struct envme_ctrl *ctrl)
{
    return ENVME_SANICAP_CES | ENVME_SANICAP_BES | ENVME_SANICAP_OWS |
           (envme_shared(ctrl)->san.ndi ? ENVME_SANICAP_NDI : 0) |
           (uint32_t)FIELD_SET(ENVME_SANICAP_NODMMAS,
                               ENVME_SANICAP_NODMMAS_NOT);
}

struct envme_status envme_sanitize_config_set(struct envme_cmd *cmd,
                                              struct envme_ns *ns,
                                              uint32_t *value,
                                              const void *data, uint32_t *dw0)
{
    (void)ns;
    (void)data;
    (void)dw0;
    if (*value & ~ENVME_FEAT_SANITIZE_NODRM) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw11));
    }
    envme_shared(cmd->ctrl)->san.nodrm = *value;
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_sanitize_config_get(struct envme_cmd *cmd,
                                              struct envme_ns *ns,
                                              uint32_t *dw0, void *data)
{
    (void)ns;
    (void)data;
    *dw0 = envme_shared(cmd->ctrl)->san.nodrm;
    return ENVME_ST(SUCCESS);
}

void envme_sanitize_config_restore(struct envme_ctrl *ctrl,
                                   struct envme_ns *ns, uint32_t value,
                                   const void *data)
{
    (void)ns;
    (void)data;
    envme_shared(ctrl)->san.nodrm = value & ENVME_FEAT_SANITIZE_NODRM;
}

/* ---- life -------------------------------------------------------------- */

void envme_sanitize_fail_next(struct envme_subsys *s)
{
    ((struct envme_shared *)s->shared)->san.fail_next = true;
}

void envme_sanitize_load(struct envme_shared *sh, struct envme_ctrl *ctrl)
{
    struct envme_sanitize *san = &sh->san;
    struct san_record r;

    san->due.fn = san_due;
    san->ndi = ctrl->params.sanitize_ndi;
    envme_state_read(sh->subsys->state, SAN_RECORD, &r, sizeof(r));
    if (le32_get(r.version) != SAN_RECORD_VERSION ||
        r.sans > ENVME_SANS_UNRESTRICTED_FAIL) {
        return;
    }
    san->st = (struct envme_sanitize_state){
        .sans = r.sans, .fails = r.fails, .sos = r.sos, .opc = r.opc,
        .cdw10 = le32_get(r.cdw10), .pattern = le32_get(r.pattern),
    };
    san_gate(sh);
}

/* A controller is there: one that an operation has to go on with? */
void envme_sanitize_join(struct envme_ctrl *ctrl)
{
    struct envme_shared *sh = envme_shared(ctrl);

    if (san_is_running(&sh->san) && !sh->san.ctrl && !sh->san.draining) {
        sh->san.ctrl = ctrl;
        sh->san.st.opc = 0;
        san_begin(sh);
    }
}

void envme_sanitize_leave(struct envme_ctrl *ctrl)
{
    struct envme_shared *sh = envme_shared(ctrl);
    struct envme_sanitize *san = &sh->san;
    bool armed = san->due.slot;

    if (san->ctrl != ctrl) {
        return;
    }
    envme_lane_not_at(&ctrl->lane[0], &san->due);
    san->ctrl = NULL;
    san_take(sh, ctrl);
    if (armed && san->ctrl) {
        san_again(san, SAN_STEP_NS);
    }
}
