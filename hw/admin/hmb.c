/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Memory Buffer: Base 2.1, 5.1.25.2.3 and 8.2.4, feature 0Dh.
 *
 * What it is for: a ring of the admin commands that were received, which
 * telemetry shows (docs/bootpart.md). A host may read along; nothing that it
 * writes there is believed. Of each record its CRC is kept here, and what does
 * not match is counted and left out.
 *
 * Lane 0, and only while an admin command is carried out or telemetry is
 * captured: so no access comes after the completion that disabled it, after a
 * reset or a shutdown, or with Bus Master off (the port refuses then).
 */
#include <errno.h>
#include <string.h>

#include "hw/admin/admin.h"

#include "hw/core/crc.h"

#define HMB_UNIT    4096u       /* bytes, of HMPRE, HMMIN, HMMINDS */
#define HMB_MINDS   4u          /* smaller ranges are not used */
#define HMB_MAXD    64u         /* ranges; others are not looked at */
#define HMB_RECORDS 65536u      /* in the ring, at most */
#define HMB_SHOWN   256u        /* by telemetry */
#define HMB_CHUNK   64u         /* records read at once */

struct hmb_record {
    le32_t crc;                 /* CRC-32C of the rest */
    uint8_t opc, rsvd5;
    le16_t cid;
    le64_t seq, time_ns;
    le32_t nsid, cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
    uint8_t rsvd52[12];
};
_Static_assert(sizeof(struct hmb_record) == 64, "docs/bootpart.md");

struct hmb_range {
    uint64_t addr;
    uint32_t records;
};

struct envme_hmb {
    bool on;
    struct envme_feat_hmb attr; /* as Get Features shows it */
    uint32_t list_crc;          /* of the descriptors */
    uint32_t page_size;         /* in which they count */
    struct hmb_range range[HMB_MAXD];
    unsigned nranges;
    uint32_t cap;               /* records in the ring */
    uint64_t seq;               /* records ever put in it */
    uint64_t bad;               /* that did not come back as they were */
    uint64_t lost;              /* that could not be written */
    uint32_t *crc;              /* [cap]; 0: none there */
};

bool envme_hmb_there(const struct envme_ctrl *ctrl)
{
    return ctrl->params.hmpre;
}

void envme_hmb_identify(const struct envme_ctrl *ctrl,
                        struct envme_id_ctrl *id)
{
    if (envme_hmb_there(ctrl)) {
        id->hmpre = le32(ctrl->params.hmpre);
        id->hmmin = le32(ctrl->params.hmmin);
        id->hmminds = le32(HMB_MINDS);
        id->hmmaxd = le16(HMB_MAXD);
    }
}

/* ---- the ring ---------------------------------------------------------- */

/* Where record i lies, and how many follow in the same range, itself too. */
static uint64_t hmb_at(const struct envme_hmb *h, uint32_t i, uint32_t *n)
{
    const struct hmb_range *r = h->range;

    while (i >= r->records) {
        i -= r->records;
        r++;
    }
    *n = r->records - i;
    return r->addr + (uint64_t)i * sizeof(struct hmb_record);
}

static uint32_t hmb_crc(const struct hmb_record *r)
{
    uint32_t crc = envme_crc32c(0, (const uint8_t *)r + sizeof(r->crc),
                                sizeof(*r) - sizeof(r->crc));

    return crc ? crc : 1;
}

static bool hmb_usable(const struct envme_ctrl *ctrl)
{
    const struct envme_hmb *h = envme_admin(ctrl)->hmb;

    return h && h->on && ctrl->life == ENVME_LIFE_READY &&
           !atomic_load(&ctrl->stopped);
}

static void hmb_put(struct envme_ctrl *ctrl, struct hmb_record *r)
{
    struct envme_hmb *h = envme_admin(ctrl)->hmb;
    const struct envme_dma *dma = envme_dma(ctrl);
    uint32_t i = h->seq % h->cap, n;
    uint64_t addr = hmb_at(h, i, &n);

    r->seq = le64(h->seq++);
    r->time_ns = le64(envme_now(ctrl));
    h->crc[i] = hmb_crc(r);
    r->crc = le32(h->crc[i]);
    if (dma->write(dma->opaque, addr, r, sizeof(*r))) {
        h->crc[i] = 0;
        h->lost++;
    }
}

void envme_hmb_trace(struct envme_cmd *cmd)
{
    struct hmb_record r;

    if (!envme_admin(cmd->ctrl)->hmb || !hmb_usable(cmd->ctrl)) {
        return;
    }
    r = (struct hmb_record){
        .opc = cmd->sqe.opc, .cid = cmd->sqe.cid, .nsid = cmd->sqe.nsid,
        .cdw10 = cmd->sqe.cdw10, .cdw11 = cmd->sqe.cdw11,
        .cdw12 = cmd->sqe.cdw12, .cdw13 = cmd->sqe.cdw13,
        .cdw14 = cmd->sqe.cdw14, .cdw15 = cmd->sqe.cdw15,
    };
    hmb_put(cmd->ctrl, &r);
}

/* Is it what was put there? Copied once, so the host cannot change it in
 * between. */
static bool hmb_is_ours(const struct envme_hmb *h, const struct hmb_record *r,
                        uint64_t seq)
{
    uint32_t crc = h->crc[seq % h->cap];

    return crc && le32_get(r->crc) == crc && hmb_crc(r) == crc &&
           le64_get(r->seq) == seq;
}

/* Reads the newest ones, oldest first. Returns how many failed. */
static uint64_t hmb_scan(struct envme_ctrl *ctrl, uint64_t most, GString *out)
{
    struct envme_hmb *h = envme_admin(ctrl)->hmb;
    uint64_t n = ENVME_MIN(ENVME_MIN(h->seq, (uint64_t)h->cap), most);
    const struct envme_dma *dma = envme_dma(ctrl);
    struct hmb_record r[HMB_CHUNK];
    uint64_t bad = 0;

    for (uint64_t seq = h->seq - n; seq < h->seq;) {
        uint32_t len, i = seq % h->cap;
        uint64_t addr = hmb_at(h, i, &len);

        int err;

        len = ENVME_MIN(ENVME_MIN(len, HMB_CHUNK), h->seq - seq);
        err = dma->read(dma->opaque, addr, r, len * sizeof(r[0]));
        if (err == -EBUSY) {
            break;              /* Bus Master is off: not to be had now */
        }
        if (err) {
            memset(r, 0, sizeof(r));
        }
        for (uint32_t k = 0; k < len; k++, seq++) {
            if (!hmb_is_ours(h, &r[k], seq)) {
                /* What could not be written is counted already. */
                bad += h->crc[seq % h->cap] != 0;
                h->crc[seq % h->cap] = 0;
            } else if (out) {
                g_string_append_printf(out, "{\"n\":%" G_GUINT64_FORMAT
                                       ",\"ns\":%" G_GUINT64_FORMAT
                                       ",\"opcode\":%u,\"cid\":%u,\"nsid\":%u,"
                                       "\"cdw10\":%u,\"cdw11\":%u},\n",
                                       (guint64)seq,
                                       (guint64)le64_get(r[k].time_ns),
                                       r[k].opc, le16_get(r[k].cid),
                                       le32_get(r[k].nsid),
                                       le32_get(r[k].cdw10),
                                       le32_get(r[k].cdw11));
            }
        }
    }
    h->bad += bad;
    return bad;
}

void envme_hmb_telemetry(struct envme_ctrl *ctrl, GString *s)
{
    struct envme_hmb *h = envme_admin(ctrl)->hmb;
    GString *trace;

    if (!h) {
        return;
    }
    trace = g_string_new(NULL);
    if (hmb_usable(ctrl)) {
        hmb_scan(ctrl, HMB_SHOWN, trace);
    }
    g_string_append_printf(s, "\"hmb_on\":%u,\n\"hmb_records\":%u,\n"
                           "\"hmb_written\":%" G_GUINT64_FORMAT ",\n"
                           "\"hmb_bad\":%" G_GUINT64_FORMAT ",\n"
                           "\"hmb_lost\":%" G_GUINT64_FORMAT ",\n"
                           "\"hmb_trace\":[\n%snull],\n", h->on, h->cap,
                           (guint64)h->seq, (guint64)h->bad, (guint64)h->lost,
                           trace->str);
    g_string_free(trace, TRUE);
}

/* ---- enable and disable ------------------------------------------------ */

static void hmb_forget(struct envme_hmb *h)
{
    g_free(h->crc);
    h->crc = NULL;
    h->cap = 0;
    h->seq = h->bad = h->lost = 0;
}

/* What is there is looked at one last time. */
static void hmb_disable(struct envme_ctrl *ctrl)
{
    struct envme_hmb *h = envme_admin(ctrl)->hmb;
    const struct envme_note *note = &ctrl->ports.note;
    uint64_t bad;

    if (!h || !h->on) {
        return;
    }
    bad = hmb_scan(ctrl, h->cap, NULL);
    if (bad && note->say) {
        char text[96];

        g_snprintf(text, sizeof(text), "host memory buffer: %"
                   G_GUINT64_FORMAT " records are not as they were written",
                   (guint64)bad);
        note->say(note->opaque, text);
    }
    h->on = false;
}

/* The ranges that can be used, out of the list as it was copied. Invalid
 * Field if one of them, or all together, are not as they should be. */
static struct envme_status hmb_ranges(struct envme_cmd *cmd,
                                      const struct envme_hmb_entry *list,
                                      unsigned n, bool all,
                                      struct envme_hmb *h)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    uint64_t page = ctrl->page_size, pages = 0, records = 0, usable = 0;
    unsigned loc = offsetof(struct envme_sqe, cdw13);

    h->nranges = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t addr = le64_get(list[i].badd);
        uint64_t bytes = le32_get(list[i].bsize) * page;

        if (!bytes) {
            continue;
        }
        if (addr % page || addr + bytes - 1 < addr) {
            return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), loc);
        }
        pages += le32_get(list[i].bsize);
        if (bytes < HMB_MINDS * (uint64_t)HMB_UNIT) {
            continue;
        }
        usable += bytes;
        bytes = ENVME_MIN(bytes / sizeof(struct hmb_record),
                          HMB_RECORDS - records);
        if (bytes) {
            h->range[h->nranges++] = (struct hmb_range){
                .addr = addr, .records = bytes,
            };
        }
        records += bytes;
    }
    if ((all && pages != le32_get(h->attr.hsize)) || !usable ||
        usable < ctrl->params.hmmin * (uint64_t)HMB_UNIT) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw12));
    }
    h->cap = records;
    return ENVME_ST(SUCCESS);
}

/* Memory that is not there is found out now, not later. */
static bool hmb_probe(struct envme_ctrl *ctrl, const struct envme_hmb *h,
                      bool keep)
{
    const struct envme_dma *dma = envme_dma(ctrl);
    struct hmb_record r;

    for (unsigned i = 0; i < h->nranges; i++) {
        const uint64_t at[2] = {
            h->range[i].addr,
            h->range[i].addr + (h->range[i].records - 1) * sizeof(r),
        };

        for (unsigned k = 0; k < 2; k++) {
            memset(&r, 0, sizeof(r));
            if ((keep && dma->read(dma->opaque, at[k], &r, sizeof(r))) ||
                dma->write(dma->opaque, at[k], &r, sizeof(r))) {
                return false;
            }
        }
    }
    return true;
}

static struct envme_status hmb_enable(struct envme_cmd *cmd, bool is_returned)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    struct envme_admin *a = ctrl->admin;
    struct envme_hmb *old = a->hmb, new = {
        .on = true,
        .attr = { .hsize = cmd->sqe.cdw12,
                  .hmdlal = le32(envme_cmd_cdw(cmd, 13) & ~15u),
                  .hmdlau = cmd->sqe.cdw14, .hmdlec = cmd->sqe.cdw15 },
    };
    const struct envme_dma *dma = envme_dma(ctrl);
    struct envme_hmb_entry list[HMB_MAXD];
    uint32_t count = envme_cmd_cdw(cmd, 15);
    unsigned n = ENVME_MIN(count, HMB_MAXD);
    struct envme_status st;

    if (old && old->on) {
        return ENVME_ST(SEQUENCE_ERROR);
    }
    if (!count) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw15));
    }
    if (envme_cmd_cdw(cmd, 12) * (uint64_t)ctrl->page_size <
        ctrl->params.hmmin * (uint64_t)HMB_UNIT || !envme_cmd_cdw(cmd, 12)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw12));
    }
    if (dma->read(dma->opaque, le32_get(new.attr.hmdlal) |
                  (uint64_t)le32_get(new.attr.hmdlau) << 32, list,
                  n * sizeof(list[0]))) {
        return ENVME_ST(DATA_XFER_ERROR);
    }
    st = hmb_ranges(cmd, list, n, count <= HMB_MAXD, &new);
    if (envme_st_err(st)) {
        return st;
    }
    new.list_crc = envme_crc32c(0, list, n * sizeof(list[0]));
    new.page_size = ctrl->page_size;
    /* The very same memory comes back: the ring goes on. */
    is_returned = is_returned && old && old->crc && old->cap == new.cap &&
                  old->list_crc == new.list_crc &&
                  old->page_size == new.page_size &&
                  !memcmp(&old->attr, &new.attr, sizeof(new.attr));
    if (!hmb_probe(ctrl, &new, is_returned)) {
        return ENVME_ST(DATA_XFER_ERROR);
    }
    if (is_returned) {
        old->on = true;
        return ENVME_ST(SUCCESS);
    }
    new.crc = g_try_malloc0_n(new.cap, sizeof(*new.crc));
    if (!new.crc) {
        return ENVME_ST(INTERNAL);
    }
    if (!old) {
        old = a->hmb = g_new0(struct envme_hmb, 1);
    }
    hmb_forget(old);
    *old = new;
    return ENVME_ST(SUCCESS);
}

void envme_hmb_stop(struct envme_ctrl *ctrl)
{
    struct envme_hmb *h = envme_admin(ctrl)->hmb;

    if (h) {
        h->on = false;
    }
}

void envme_hmb_fini(struct envme_ctrl *ctrl)
{
    struct envme_hmb *h = envme_admin(ctrl)->hmb;

    if (h) {
        hmb_forget(h);
        g_free(h);
    }
}

/* ---- feature 0Dh ------------------------------------------------------- */

/* Set has the list, which is no data of the command. */
uint16_t envme_feat_len_hmb(const struct envme_cmd *cmd)
{
    return cmd->sqe.opc == ENVME_ADM_GET_FEATURES ?
           sizeof(struct envme_feat_hmb) : 0;
}

struct envme_status envme_feat_set_hmb(struct envme_cmd *cmd,
                                       struct envme_ns *ns, uint32_t *value,
                                       const void *data, uint32_t *dw0)
{
    struct envme_status st = ENVME_ST(SUCCESS);

    (void)ns;
    (void)data;
    (void)dw0;
    /* HMNARE is not offered (CTRATT.HMBR). */
    if (*value & ~(ENVME_FEAT_HMB_EHM | ENVME_FEAT_HMB_MR)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw11));
    }
    if (*value & ENVME_FEAT_HMB_EHM) {
        st = hmb_enable(cmd, *value & ENVME_FEAT_HMB_MR);
    } else {
        hmb_disable(cmd->ctrl);
    }
    *value &= ENVME_FEAT_HMB_EHM;
    return st;
}

struct envme_status envme_feat_get_hmb(struct envme_cmd *cmd,
                                       struct envme_ns *ns, uint32_t *dw0,
                                       void *data)
{
    const struct envme_hmb *h = envme_admin(cmd->ctrl)->hmb;

    (void)ns;
    (void)dw0;
    if (h && h->on) {
        memcpy(data, &h->attr, sizeof(h->attr));
    }
    return ENVME_ST(SUCCESS);
}
