/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware Image Download and Firmware Commit: Base 2.1, 3.11, 5.1.8, 5.1.9.
 * The slots belong to the subsystem, an image under way to its controller.
 * docs/firmware.md says what an image is.
 */
#include <string.h>

#include "hw/admin/pel.h"

#include "hw/core/crc.h"
#include "hw/ctrl/errlog.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/keep.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/pause.h"

#define FW_MAX (16u << 20)      /* bytes of an image */
#define FW_ACTIVATE_NS (20ull * 1000 * 1000)
#define FW_RECORD_VERSION 1
#define FW_RECORD "fw"

static const char fw_magic[8] = "ENVME-FW";

struct fw_header {
    char magic[8];
    char fr[8];
    le32_t len;                 /* of all of it, padding left out */
    le32_t crc;                 /* CRC-32C of len bytes, with 0 here */
    uint8_t rsvd24[8];
};
_Static_assert(sizeof(struct fw_header) == 32, "docs/firmware.md");

struct envme_fw_image {
    uint8_t *buf;
    size_t len;                 /* highest byte + 1 */
    size_t cap;
    uint8_t *have;              /* a byte per unit of granularity */
    bool is_old;                /* a Firmware Commit has come since */
};

/* ---- kept over power cycles -------------------------------------------- */

#define FW_KEPT_THERE   1u
#define FW_KEPT_FACTORY 2u

struct fw_record {
    le32_t version;
    uint8_t active, next, rsvd6[2];
    struct {
        char fr[8];
        le32_t flags, len, crc;
    } slot[ENVME_FW_SLOTS];
};
_Static_assert(sizeof(struct fw_record) == 148, "on disk");

static void fw_put(const struct envme_shared *sh)
{
    const struct envme_fw *fw = &sh->fw;
    struct fw_record r = {
        .version = le32(FW_RECORD_VERSION), .active = fw->active,
        .next = fw->next,
    };

    for (unsigned i = 0; i < ENVME_FW_SLOTS; i++) {
        const struct envme_fw_slot *s = &fw->slot[i + 1];

        memcpy(r.slot[i].fr, s->fr, sizeof(s->fr));
        r.slot[i].flags = le32((s->is_there ? FW_KEPT_THERE : 0) |
                               (s->is_factory ? FW_KEPT_FACTORY : 0));
        r.slot[i].len = le32(s->len);
        r.slot[i].crc = le32(s->crc);
    }
    envme_state_put(sh->subsys->state, FW_RECORD, &r, sizeof(r));
}

static bool fw_slot_ok(const struct envme_fw *fw, unsigned slot)
{
    return slot >= 1 && slot <= fw->nslots && fw->slot[slot].is_there;
}

static void fw_restore(struct envme_fw *fw, const struct fw_record *r)
{
    for (unsigned i = 0; i < fw->nslots; i++) {
        uint32_t flags = le32_get(r->slot[i].flags);
        struct envme_fw_slot *s = &fw->slot[i + 1];

        s->is_there = flags & FW_KEPT_THERE;
        s->is_factory = flags & FW_KEPT_FACTORY;
        s->len = le32_get(r->slot[i].len);
        s->crc = le32_get(r->slot[i].crc);
        memcpy(s->fr, r->slot[i].fr, sizeof(s->fr));
    }
    fw->active = r->active;
    /* The power came on: what was to be activated is. */
    if (fw_slot_ok(fw, r->next)) {
        fw->active = r->next;
        fw->at_power_on = ENVME_PEL_FA_DONE;
    } else if (r->next) {
        fw->at_power_on = ENVME_PEL_FA_FAILED;
    }
    /* There may have been more slots when it was written. */
    if (!fw_slot_ok(fw, fw->active)) {
        fw->at_power_on = ENVME_PEL_FA_FAILED;
        fw->active = 1;
        if (!fw->slot[1].is_there) {
            fw->slot[1] = (struct envme_fw_slot){
                .is_there = true, .is_factory = true,
            };
        }
    }
}

void envme_fw_load(struct envme_shared *sh, struct envme_ctrl *ctrl)
{
    struct envme_fw *fw = &sh->fw;
    unsigned n = ctrl->params.fw_slots;
    struct fw_record r;

    fw->nslots = n < 1 ? 1 : ENVME_MIN(n, (unsigned)ENVME_FW_SLOTS);
    fw->slot1_ro = ctrl->params.fw_slot1_ro;
    fw->active = 1;
    fw->slot[1] = (struct envme_fw_slot){
        .is_there = true, .is_factory = true,
    };
    envme_state_read(sh->subsys->state, FW_RECORD, &r, sizeof(r));
    if (le32_get(r.version) == FW_RECORD_VERSION) {
        fw_restore(fw, &r);
        fw_put(sh);
    }
    fw->running = fw->slot[fw->active];
}

/* ---- what is shown ----------------------------------------------------- */

static void fw_text(const struct envme_ctrl *ctrl,
                    const struct envme_fw_slot *s, char fr[8])
{
    const char *given = ctrl->params.firmware;

    if (!s->is_factory) {
        memcpy(fr, s->fr, sizeof(s->fr));
        return;
    }
    memset(fr, ' ', sizeof(s->fr));
    memcpy(fr, given, strnlen(given, sizeof(s->fr)));
}

void envme_fw_revision(const struct envme_ctrl *ctrl, char fr[8])
{
    fw_text(ctrl, &envme_shared(ctrl)->fw.running, fr);
}

uint8_t envme_fw_frmw(const struct envme_ctrl *ctrl)
{
    const struct envme_fw *fw = &envme_shared(ctrl)->fw;

    return (fw->slot1_ro ? ENVME_FRMW_FFSRO : 0) | ENVME_FRMW_FAWR |
           FIELD_SET(ENVME_FRMW_NOFS, fw->nslots);
}

bool envme_fw_is_pending(const struct envme_ctrl *ctrl)
{
    return envme_shared(ctrl)->fw.next;
}

/* Log page 03h. A slot without an image is zeroes. */
struct envme_status envme_fw_log(const struct envme_log_req *req, void *buf)
{
    const struct envme_ctrl *ctrl = req->cmd->ctrl;
    const struct envme_fw *fw = &envme_shared(ctrl)->fw;
    struct envme_log_fw *log = buf;

    log->afi = FIELD_SET(ENVME_AFI_CAFSL, fw->active) |
               FIELD_SET(ENVME_AFI_NCAFSL, fw->next);
    for (unsigned i = 1; i <= fw->nslots; i++) {
        if (fw->slot[i].is_there) {
            fw_text(ctrl, &fw->slot[i], log->frs[i - 1]);
        }
    }
    return ENVME_ST(SUCCESS);
}

/* ---- Firmware Image Download ------------------------------------------- */

/* Bytes that offset and length are multiples of. */
static uint32_t fw_unit(const struct envme_ctrl *ctrl)
{
    uint8_t fwug = ctrl->params.fwug;

    return fwug == 0 || fwug == 0xff ? 4 : fwug * 4096u;
}

static void fw_discard(struct envme_ctrl *ctrl)
{
    struct envme_admin *a = ctrl->admin;

    if (a->fw) {
        g_free(a->fw->buf);
        g_free(a->fw->have);
        g_free(a->fw);
        a->fw = NULL;
    }
}

void envme_fw_fini(struct envme_ctrl *ctrl)
{
    fw_discard(ctrl);
}

struct envme_status envme_admin_fw_len(struct envme_cmd *cmd, uint64_t *len)
{
    *len = ((uint64_t)envme_cmd_cdw(cmd, 10) + 1) * 4;
    if (*len > FW_MAX || *len > envme_ctrl_mdts_bytes(cmd->ctrl) ||
        *len % fw_unit(cmd->ctrl)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10));
    }
    return ENVME_ST(SUCCESS);
}

/* Room for bytes up to end; false when there is no memory for them. */
static bool fw_grow(struct envme_fw_image *im, size_t end)
{
    size_t cap = ENVME_MIN(end + end / 2, (size_t)FW_MAX);
    uint8_t *buf;

    if (end <= im->cap) {
        return true;
    }
    buf = g_try_realloc(im->buf, cap);
    if (!buf) {
        return false;
    }
    im->buf = buf;
    im->cap = cap;
    return true;
}

struct envme_status envme_admin_fw_download(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_admin *a = ctrl->admin;
    uint64_t off = (uint64_t)envme_cmd_cdw(cmd, 11) * 4;
    uint32_t unit = fw_unit(ctrl);
    unsigned loc = offsetof(struct envme_sqe, cdw11);
    struct envme_fw_image *im;
    size_t first, n;

    if (off % unit || off + cmd->len > FW_MAX) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
    }
    if (a->fw && a->fw->is_old) {
        fw_discard(ctrl);       /* Base 2.1, 5.1.9: another image begins */
    }
    if (!a->fw) {
        a->fw = g_new0(struct envme_fw_image, 1);
        a->fw->have = g_malloc0(FW_MAX / unit);
    }
    im = a->fw;
    first = off / unit;
    n = cmd->len / unit;
    if (memchr(im->have + first, 1, n)) {
        return envme_cmd_fail(cmd, ENVME_ST(OVERLAPPING_RANGE), loc);
    }
    if (!fw_grow(im, off + cmd->len)) {
        return ENVME_ST(INTERNAL);
    }
    envme_cmd_from_host(cmd, 0, im->buf + off, cmd->len);
    memset(im->have + first, 1, n);
    im->len = ENVME_MAX(im->len, off + cmd->len);
    return ENVME_ST(SUCCESS);
}

/* ---- Firmware Commit --------------------------------------------------- */

/* Is all of it there, and is it one? */
static bool fw_check(const struct envme_ctrl *ctrl,
                     const struct envme_fw_image *im, struct envme_fw_slot *s)
{
    static const uint8_t zero[4];
    const size_t at = offsetof(struct fw_header, crc);
    struct fw_header hdr;
    uint32_t crc;

    if (!im || im->len < sizeof(hdr) ||
        memchr(im->have, 0, im->len / fw_unit(ctrl))) {
        return false;
    }
    memcpy(&hdr, im->buf, sizeof(hdr));
    s->len = le32_get(hdr.len);
    s->crc = le32_get(hdr.crc);
    if (memcmp(hdr.magic, fw_magic, sizeof(hdr.magic)) ||
        s->len < sizeof(hdr) || s->len > im->len || s->len % 4) {
        return false;
    }
    for (unsigned i = 0; i < sizeof(hdr.fr); i++) {
        if (hdr.fr[i] < 0x20 || hdr.fr[i] > 0x7e) {
            return false;
        }
    }
    crc = envme_crc32c(0, im->buf, at);
    crc = envme_crc32c(crc, zero, sizeof(zero));
    crc = envme_crc32c(crc, im->buf + at + 4, s->len - at - 4);
    memcpy(s->fr, hdr.fr, sizeof(s->fr));
    s->is_there = true;
    s->is_factory = false;
    return crc == s->crc;
}

/* Firmware Slot 0: the controller's choice. An empty slot is best, the active
 * one worst. */
static unsigned fw_pick_write(const struct envme_fw *fw)
{
    unsigned first = fw->slot1_ro ? 2 : 1;

    for (unsigned i = first; i <= fw->nslots; i++) {
        if (!fw->slot[i].is_there) {
            return i;
        }
    }
    for (unsigned i = first; i <= fw->nslots; i++) {
        if (i != fw->active && i != fw->next) {
            return i;
        }
    }
    return fw->nslots >= first ? fw->nslots : 1;
}

static unsigned fw_pick_activate(const struct envme_fw *fw)
{
    for (unsigned i = 1; i <= fw->nslots; i++) {
        unsigned slot = (fw->active + i - 1) % fw->nslots + 1;

        if (fw->slot[slot].is_there && slot != fw->active) {
            return slot;
        }
    }
    return fw->active;
}

static struct envme_status fw_replace(struct envme_cmd *cmd, unsigned *slot)
{
    struct envme_fw *fw = &envme_shared(cmd->ctrl)->fw;
    struct envme_fw_slot s = { 0 };
    unsigned loc = offsetof(struct envme_sqe, cdw10);
    bool ok;

    *slot = *slot ? *slot : fw_pick_write(fw);
    if (*slot == 1 && fw->slot1_ro) {
        return envme_cmd_fail(cmd, ENVME_ST(FW_SLOT_INVALID), loc);
    }
    ok = fw_check(cmd->ctrl, envme_admin(cmd->ctrl)->fw, &s);
    fw_discard(cmd->ctrl);
    if (!ok) {
        return envme_cmd_fail(cmd, ENVME_ST(FW_IMAGE_INVALID), loc);
    }
    fw->slot[*slot] = s;
    return ENVME_ST(SUCCESS);
}

/* 110b and 111b. What was downloaded is kept if the partition is locked: it
 * may be unlocked after the download. */
static struct envme_status fw_bootpart(struct envme_cmd *cmd, unsigned ca)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    const struct envme_fw_image *im = envme_admin(ctrl)->fw;
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10);
    unsigned id = FIELD_GET(ENVME_FWCOMMIT_BPID, cdw10);
    unsigned loc = offsetof(struct envme_sqe, cdw10);
    struct envme_status st;

    if (ca == ENVME_FWCOMMIT_BP_ACTIVATE) {
        return envme_bootpart_make_active(cmd, id);
    }
    if (envme_bootpart_is_locked(ctrl, id)) {
        return envme_cmd_fail_bit(cmd, ENVME_ST(BP_WRITE_PROHIBITED), loc + 3,
                                  7);
    }
    if (!im || im->len > envme_bootpart_size(ctrl) ||
        memchr(im->have, 0, im->len / fw_unit(ctrl))) {
        fw_discard(ctrl);
        return envme_cmd_fail(cmd, ENVME_ST(FW_IMAGE_INVALID), loc);
    }
    st = envme_bootpart_replace(cmd, id, im->buf, im->len);
    fw_discard(ctrl);
    return st;
}

static struct envme_status fw_activate_now(struct envme_cmd *cmd,
                                           unsigned slot);

/* slot: 0 when there was no image to be found. */
static void fw_tell(struct envme_cmd *cmd, const char old[8], unsigned slot,
                    struct envme_status st)
{
    char new[8];

    fw_text(cmd->ctrl, &envme_shared(cmd->ctrl)->fw.slot[slot], new);
    envme_pel_fw_commit(cmd, old, slot ? new : NULL, st);
}

static struct envme_status fw_commit(struct envme_cmd *cmd, unsigned *about)
{
    struct envme_shared *sh = envme_shared(cmd->ctrl);
    struct envme_fw *fw = &sh->fw;
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10);
    unsigned slot = FIELD_GET(ENVME_FWCOMMIT_FS, cdw10);
    unsigned ca = FIELD_GET(ENVME_FWCOMMIT_CA, cdw10);
    unsigned loc = offsetof(struct envme_sqe, cdw10);
    struct envme_status st;

    if (envme_admin(cmd->ctrl)->fw) {
        envme_admin(cmd->ctrl)->fw->is_old = true;
    }
    if (ca > ENVME_FWCOMMIT_ACTIVATE_NOW &&
        (ca < ENVME_FWCOMMIT_BP_REPLACE || !envme_bootpart_there(cmd->ctrl))) {
        /* Reserved, or of a boot partition, which is not there. */
        return envme_cmd_fail_bit(cmd, ENVME_ST(INVALID_FIELD), loc, 3);
    }
    if (ca >= ENVME_FWCOMMIT_BP_REPLACE) {
        return fw->act.on ? ENVME_ST(FW_PROHIBITED) : fw_bootpart(cmd, ca);
    }
    if (slot > fw->nslots) {
        return envme_cmd_fail(cmd, ENVME_ST(FW_SLOT_INVALID), loc);
    }
    if (fw->act.on) {
        return ENVME_ST(FW_PROHIBITED);
    }
    if (ca == ENVME_FWCOMMIT_REPLACE ||
        ca == ENVME_FWCOMMIT_REPLACE_ACTIVATE ||
        (ca == ENVME_FWCOMMIT_ACTIVATE_NOW && envme_admin(cmd->ctrl)->fw)) {
        st = fw_replace(cmd, &slot);
        if (envme_st_err(st)) {
            return st;
        }
    } else {
        slot = slot ? slot : fw_pick_activate(fw);
        if (!fw->slot[slot].is_there) {
            return envme_cmd_fail(cmd, ENVME_ST(FW_IMAGE_INVALID), loc);
        }
    }
    *about = slot;
    if (ca == ENVME_FWCOMMIT_ACTIVATE_NOW) {
        return fw_activate_now(cmd, slot);
    }
    if (ca != ENVME_FWCOMMIT_REPLACE) {
        fw->next = slot;
    }
    fw_put(sh);
    return ENVME_ST(SUCCESS);
}

/* The end of one that waits until a boot partition is kept. */
static void fw_bootpart_over(struct envme_cmd *cmd, struct envme_status st)
{
    char old[8];

    envme_fw_revision(cmd->ctrl, old);
    fw_tell(cmd, old, 0, st);
}

struct envme_status envme_admin_fw_commit(struct envme_cmd *cmd)
{
    unsigned ca = FIELD_GET(ENVME_FWCOMMIT_CA, envme_cmd_cdw(cmd, 10));
    struct envme_status st;
    unsigned slot = 0;
    char old[8];

    envme_fw_revision(cmd->ctrl, old);
    st = fw_commit(cmd, &slot);
    if (envme_st_pending(st)) {
        if (ca != ENVME_FWCOMMIT_ACTIVATE_NOW) {
            cmd->over = fw_bootpart_over;
        }
        return st;
    }
    fw_tell(cmd, old, slot, st);
    return envme_st_ok(st) ? envme_cmd_keep(cmd, st) : st;
}

/* ---- activation -------------------------------------------------------- */

static void fw_become_active(struct envme_shared *sh, unsigned slot)
{
    struct envme_fw *fw = &sh->fw;

    fw->active = slot;
    fw->next = 0;
    fw->running = fw->slot[slot];
    fw_put(sh);
}

/* The end of an activation without reset; of the pauses that there are. */
static void fw_finish(struct envme_shared *sh)
{
    struct envme_fw *fw = &sh->fw;
    struct envme_cmd *cmd = fw->act.cmd;
    char old[8] = { 0 };

    if (fw->act.ctrl) {
        envme_lane_not_at(&fw->act.ctrl->lane[0], &fw->act.due);
        envme_fw_revision(fw->act.ctrl, old);
    }
    fw_become_active(sh, fw->act.slot);
    if (cmd) {
        fw_tell(cmd, old, fw->act.slot, ENVME_ST(SUCCESS));
    }
    fw->act.on = fw->act.granted = false;
    fw->act.ctrl = NULL;
    fw->act.cmd = NULL;
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        if (fw->act.parked[i]) {
            struct envme_ctrl *c = envme_shared_ctrl(sh->subsys, i);

            fw->act.parked[i] = false;
            c->csts &= ~ENVME_CSTS_PP;
            envme_resume(c);
        }
    }
    if (cmd) {
        envme_cmd_keep_done(cmd, ENVME_ST(SUCCESS));
    } else {
        envme_state_commit_async(sh->subsys->state);
    }
}

static struct envme_shared *fw_shared(struct envme_deadline *d)
{
    return (struct envme_shared *)
        ((char *)d - offsetof(struct envme_shared, fw.act.due));
}

static void fw_due(struct envme_deadline *d)
{
    fw_finish(fw_shared(d));
}

static void fw_all_parked(struct envme_shared *sh)
{
    struct envme_fw *fw = &sh->fw;

    fw->act.granted = true;
    if (!fw->act.ctrl) {
        fw_finish(sh);
        return;
    }
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        if (fw->act.parked[i]) {
            envme_shared_ctrl(sh->subsys, i)->csts |= ENVME_CSTS_PP;
        }
    }
    fw->act.due.fn = fw_due;
    envme_lane_at(&fw->act.ctrl->lane[0], &fw->act.due,
                  envme_now(fw->act.ctrl) + FW_ACTIVATE_NS);
}

static void fw_parked(struct envme_ctrl *ctrl, void *arg)
{
    struct envme_shared *sh = arg;

    if (ctrl->life == ENVME_LIFE_READY) {
        sh->fw.act.parked[ctrl->cntlid] = true;
    } else {
        envme_resume(ctrl);     /* a reset came first: nothing to hold up */
    }
    if (!--sh->fw.act.left) {
        fw_all_parked(sh);
    }
}

static void fw_park(void *arg)
{
    struct envme_shared *sh = arg;

    sh->fw.act.left = 1;
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(sh->subsys, i);

        if (c && c->life == ENVME_LIFE_READY) {
            sh->fw.act.left++;
            envme_pause(c, false, NULL, fw_parked, sh);
        }
    }
    if (!--sh->fw.act.left) {
        fw_all_parked(sh);
    }
}

/* The hosts are told first; then no command goes on anywhere while it lasts. */
static struct envme_status fw_activate_now(struct envme_cmd *cmd,
                                           unsigned slot)
{
    struct envme_shared *sh = envme_shared(cmd->ctrl);
    struct envme_fw *fw = &sh->fw;

    fw->act.on = true;
    fw->act.granted = false;
    fw->act.ctrl = cmd->ctrl;
    fw->act.cmd = cmd;
    fw->act.slot = slot;
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_ctrl *c = envme_shared_ctrl(sh->subsys, i);

        if (c && c->life == ENVME_LIFE_READY) {
            envme_event_post(c, ENVME_AEN_TYPE_NOTICE, ENVME_AEN_NOTICE_FW_ACT,
                             ENVME_LID_FW_SLOT, 9);
        }
    }
    envme_defer(cmd->ctrl, 0, fw_park, sh);
    return ENVME_ST_PENDING;
}

void envme_fw_stop(struct envme_ctrl *ctrl)
{
    struct envme_shared *sh = envme_shared(ctrl);
    struct envme_fw *fw = &sh->fw;

    if (!fw->act.on) {
        return;
    }
    if (fw->act.granted) {
        fw_finish(sh);
    } else if (fw->act.ctrl == ctrl) {
        /* Not all are parked: the rest goes on by itself. */
        struct envme_cmd *cmd = fw->act.cmd;
        char old[8];

        envme_fw_revision(ctrl, old);
        fw_tell(cmd, old, fw->act.slot, ENVME_ST(ABORT_REQUESTED));
        fw->act.cmd = NULL;
        fw->act.ctrl = NULL;
        envme_cmd_done(cmd, ENVME_ST(ABORT_REQUESTED));
    }
}

/* A Controller Level Reset: what was to be activated is; a download that was
 * not committed is gone. */
void envme_fw_reset(struct envme_ctrl *ctrl)
{
    struct envme_shared *sh = envme_shared(ctrl);

    fw_discard(ctrl);
    if (sh->fw.next && !sh->fw.act.on) {
        fw_become_active(sh, sh->fw.next);
        envme_admin(ctrl)->pel.fw_activation = ENVME_PEL_FA_DONE;
        envme_state_commit_async(sh->subsys->state);
    }
}

/* An image that should have been there at power-on was not: once. */
void envme_fw_start(struct envme_ctrl *ctrl)
{
    struct envme_fw *fw = &envme_shared(ctrl)->fw;

    if (fw->at_power_on == ENVME_PEL_FA_FAILED && !fw->load_told) {
        fw->load_told = true;
        envme_errlog_add_async(ctrl, ENVME_ST(FW_IMAGE_INVALID), 0xffff);
        envme_event_post(ctrl, ENVME_AEN_TYPE_ERROR, ENVME_AEN_ERROR_FW_LOAD,
                         ENVME_LID_ERROR, -1);
    }
}
