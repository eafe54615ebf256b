/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Persistent Event log: a bounded list of events, the record that keeps
 * it, and the reporting context through which hosts read it. Base 2.1,
 * 5.1.12.1.14.
 *
 * There is one port, 0, and one context for all who come through it. It is a
 * copy of the log as it was when it was established: what happens afterwards is
 * not in it. It goes when it is released, or when the controller that
 * established it is reset.
 */
#include <string.h>

#include "hw/admin/pel.h"

#include "hw/ctrl/keep.h"

#define PEL_MAX (ENVME_PEL_PELS * 65536u)
#define PEL_LREV 3
#define PEL_PORT 1              /* RCPIT, PIT: an NVM subsystem port */
#define PEL_RECORD "pel"
#define PEL_RECORD_VERSION 1

struct envme_pel {
    GQueue events;              /* GBytes as they are reported, newest first */
    size_t bytes;               /* of all of them */
    uint16_t gnum;
    bool fresh;                 /* something has come since gnum changed */
    /* The context. */
    uint8_t *ctx;               /* NULL: there is none */
    size_t ctx_len;
    const struct envme_ctrl *owner;
    bool existed;               /* before the command that is being carried
                                 * out */
};

/* Revision of each event type that can occur here; 0: it cannot. */
static const uint8_t pel_rev[256] = {
    [ENVME_PEL_SMART]           = 1,
    [ENVME_PEL_FW_COMMIT]       = 1,
    [ENVME_PEL_TIMESTAMP]       = 1,
    [ENVME_PEL_POWER_ON]        = 1,
    [ENVME_PEL_HW_ERROR]        = 2,
    [ENVME_PEL_CHANGE_NS]       = 2,
    [ENVME_PEL_FORMAT_START]    = 1,
    [ENVME_PEL_FORMAT_DONE]     = 2,
    [ENVME_PEL_SANITIZE_START]  = 1,
    [ENVME_PEL_SANITIZE_DONE]   = 1,
    [ENVME_PEL_SET_FEATURE]     = 1,
    [ENVME_PEL_TELEMETRY]       = 1,
    [ENVME_PEL_THERMAL]         = 1,
};

static struct envme_pel *pel_of(const struct envme_ctrl *ctrl)
{
    return envme_shared(ctrl)->pel;
}

static const struct envme_pel_event *pel_event(GBytes *b, size_t *len)
{
    gsize n;
    const void *p = g_bytes_get_data(b, &n);

    if (len) {
        *len = n;
    }
    return p;
}

/* ---- the record -------------------------------------------------------- */

struct pel_record {             /* then the events, newest first */
    le32_t version;
    le16_t gnum;
    uint8_t rsvd6[2];
};
_Static_assert(sizeof(struct pel_record) == 8, "on disk");

/* Events, one after the other, to p. */
static void pel_copy(const struct envme_pel *pel, uint8_t *p)
{
    for (GList *l = pel->events.head; l; l = l->next) {
        size_t n;
        const void *e = pel_event(l->data, &n);

        memcpy(p, e, n);
        p += n;
    }
}

static void pel_put(const struct envme_shared *sh)
{
    const struct envme_pel *pel = sh->pel;
    struct pel_record *r;

    if (!sh->subsys->state) {
        return;
    }
    r = g_malloc0(sizeof(*r) + pel->bytes);
    r->version = le32(PEL_RECORD_VERSION);
    r->gnum = le16(pel->gnum);
    pel_copy(pel, (uint8_t *)(r + 1));
    envme_state_put(sh->subsys->state, PEL_RECORD, r, sizeof(*r) + pel->bytes);
    g_free(r);
}

/* The length of the event that begins here, or 0 when there is none. */
static size_t pel_event_len(const uint8_t *p, size_t left)
{
    struct envme_pel_event e;

    if (left < sizeof(e)) {
        return 0;
    }
    memcpy(&e, p, sizeof(e));
    if (e.ehl + 3u != sizeof(e) || le16_get(e.el) > left - sizeof(e) ||
        le16_get(e.vsil) > le16_get(e.el)) {
        return 0;
    }
    return sizeof(e) + le16_get(e.el);
}

static void pel_restore(struct envme_pel *pel, const uint8_t *p, size_t left)
{
    struct pel_record r;
    size_t n;

    if (left < sizeof(r)) {
        return;
    }
    memcpy(&r, p, sizeof(r));
    if (le32_get(r.version) != PEL_RECORD_VERSION) {
        return;
    }
    pel->gnum = le16_get(r.gnum);
    p += sizeof(r);
    left -= sizeof(r);
    while ((n = pel_event_len(p, left)) &&
           pel->bytes + n <= PEL_MAX - sizeof(struct envme_log_pel)) {
        g_queue_push_tail(&pel->events, g_bytes_new(p, n));
        pel->bytes += n;
        p += n;
        left -= n;
    }
}

void envme_pel_load(struct envme_shared *sh)
{
    struct envme_pel *pel = g_new0(struct envme_pel, 1);
    g_autoptr(GBytes) b = envme_state_get(sh->subsys->state, PEL_RECORD);

    g_queue_init(&pel->events);
    pel->fresh = true;
    sh->pel = pel;
    if (b) {
        gsize len;
        const uint8_t *p = g_bytes_get_data(b, &len);

        pel_restore(pel, p, len);
    }
}

void envme_pel_free(struct envme_shared *sh)
{
    g_queue_clear_full(&sh->pel->events, (GDestroyNotify)g_bytes_unref);
    g_free(sh->pel->ctx);
    g_free(sh->pel);
    sh->pel = NULL;
}

/* ---- events ------------------------------------------------------------ */

static void pel_make_room(struct envme_pel *pel)
{
    while (pel->bytes > PEL_MAX - sizeof(struct envme_log_pel)) {
        GBytes *oldest = g_queue_pop_tail(&pel->events);

        pel->bytes -= g_bytes_get_size(oldest);
        g_bytes_unref(oldest);
    }
}

void envme_pel_add(struct envme_ctrl *ctrl, uint8_t type, const void *data,
                   size_t len)
{
    struct envme_shared *sh = envme_shared(ctrl);
    struct envme_pel *pel = sh->pel;
    struct envme_pel_event *e = g_malloc0(sizeof(*e) + len);

    g_assert(pel_rev[type] && len <= UINT16_MAX);
    e->et = type;
    e->etr = pel_rev[type];
    e->ehl = sizeof(*e) - 3;
    e->ehai = FIELD_SET(ENVME_PEL_EHAI_PIT, PEL_PORT);
    e->cntlid = le16(ctrl->cntlid);
    envme_admin_timestamp(ctrl, &e->ets);
    e->el = le16(len);
    memcpy(e + 1, data, len);
    g_queue_push_head(&pel->events, g_bytes_new_take(e, sizeof(*e) + len));
    pel->bytes += sizeof(*e) + len;
    pel->fresh = true;
    pel_make_room(pel);
    pel_put(sh);
    envme_state_commit_async(sh->subsys->state);
}

const void *envme_pel_last(const struct envme_ctrl *ctrl, uint8_t type,
                           size_t *len)
{
    for (GList *l = pel_of(ctrl)->events.head; l; l = l->next) {
        const struct envme_pel_event *e = pel_event(l->data, len);

        if (e->et == type && le16_get(e->cntlid) == ctrl->cntlid) {
            *len = le16_get(e->el) - le16_get(e->vsil);
            return (const uint8_t *)(e + 1) + le16_get(e->vsil);
        }
    }
    return NULL;
}

/* ---- the context ------------------------------------------------------- */

static void pel_release(struct envme_pel *pel)
{
    g_free(pel->ctx);
    pel->ctx = NULL;
    pel->ctx_len = 0;
    pel->owner = NULL;
}

void envme_pel_stop(struct envme_ctrl *ctrl)
{
    struct envme_pel *pel = pel_of(ctrl);

    if (pel->owner == ctrl) {
        pel_release(pel);
    }
}

static void pel_text(char *dst, size_t len, const char *src)
{
    memset(dst, ' ', len);
    memcpy(dst, src, strnlen(src, len));
}

static void pel_header(struct envme_ctrl *ctrl, struct envme_log_pel *log)
{
    const struct envme_pel *pel = pel_of(ctrl);
    struct envme_health_totals t;
    uint64_t hours;

    envme_health_totals(ctrl, &t);
    hours = t.on_ms / (3600 * 1000);
    log->lid = ENVME_LID_PERSISTENT_EVENT;
    log->tnev = le32(g_queue_get_length((GQueue *)&pel->events));
    log->tll = le64(sizeof(*log) + pel->bytes);
    log->rv = PEL_LREV;
    log->lhl = le16(sizeof(*log) - 20);
    envme_admin_timestamp(ctrl, &log->ts);
    for (unsigned i = 0; i < 8; i++) {
        log->poh[i] = hours >> (8 * i);
    }
    log->pcc = le64(ctrl->power_cycles);
    log->vid = le16(ctrl->params.vid);
    log->ssvid = le16(ctrl->params.ssvid);
    pel_text(log->sn, sizeof(log->sn), ctrl->params.serial);
    pel_text(log->mn, sizeof(log->mn), ctrl->params.model);
    memcpy(log->subnqn, ctrl->subsys->nqn, sizeof(ctrl->subsys->nqn));
    log->gnum = le16(pel->gnum);
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(pel_rev); i++) {
        log->seb[i / 8] |= (pel_rev[i] != 0) << i % 8;
    }
}

static void pel_establish(struct envme_ctrl *ctrl)
{
    struct envme_pel *pel = pel_of(ctrl);

    if (pel->fresh) {
        pel->gnum++;
        pel->fresh = false;
        pel_put(envme_shared(ctrl));
    }
    pel->ctx_len = sizeof(struct envme_log_pel) + pel->bytes;
    pel->ctx = g_malloc0(pel->ctx_len);
    pel->owner = ctrl;
    pel_header(ctrl, (struct envme_log_pel *)pel->ctx);
    pel_copy(pel, pel->ctx + sizeof(struct envme_log_pel));
}

/* ---- Get Log Page ------------------------------------------------------ */

static unsigned pel_action(const struct envme_cmd *cmd)
{
    return FIELD_GET(ENVME_GETLOG_LSP, envme_cmd_cdw(cmd, 10)) &
           ENVME_LSP_PEL_ACTION;
}

bool envme_pel_log_fixed(const struct envme_cmd *cmd, uint64_t *len)
{
    switch (pel_action(cmd)) {
    case ENVME_PEL_RELEASE:
        *len = 0;
        return true;
    case ENVME_PEL_ESTABLISH_512:
        *len = sizeof(struct envme_log_pel);
        return true;
    default:
        return false;
    }
}

/* Establishing one for a read that is out of it would be to no use. */
static bool pel_is_within(const struct envme_cmd *cmd, size_t len)
{
    uint64_t lpo = envme_cmd_cdw(cmd, 12) |
                   (uint64_t)envme_cmd_cdw(cmd, 13) << 32;

    return lpo <= len && !(lpo & 3);
}

struct envme_status envme_pel_log_begin(const struct envme_log_req *req)
{
    struct envme_ctrl *ctrl = req->cmd->ctrl;
    struct envme_pel *pel = pel_of(ctrl);
    unsigned action = pel_action(req->cmd);
    unsigned loc = offsetof(struct envme_sqe, cdw10) + 1;

    if (req->lsp & ~ENVME_LSP_PEL_ACTION) {
        return envme_cmd_fail_bit(req->cmd, ENVME_ST(INVALID_FIELD), loc,
                                  __builtin_ctz(req->lsp &
                                                ~ENVME_LSP_PEL_ACTION));
    }
    pel->existed = pel->ctx;
    switch (action) {
    case ENVME_PEL_READ:
        if (!pel->ctx) {
            return envme_cmd_fail(req->cmd, ENVME_ST(SEQUENCE_ERROR), loc);
        }
        break;
    case ENVME_PEL_ESTABLISH_READ:
        if (pel->ctx) {
            return envme_cmd_fail(req->cmd, ENVME_ST(SEQUENCE_ERROR), loc);
        }
        if (!pel_is_within(req->cmd, sizeof(struct envme_log_pel) +
                                     pel->bytes)) {
            return envme_cmd_fail(req->cmd, ENVME_ST(INVALID_FIELD),
                                  offsetof(struct envme_sqe, cdw12));
        }
        pel_establish(ctrl);
        break;
    case ENVME_PEL_RELEASE:
        pel_release(pel);
        break;
    default:
        if (!pel->ctx) {
            pel_establish(ctrl);
        }
        break;
    }
    return ENVME_ST(SUCCESS);
}

size_t envme_pel_log_size(const struct envme_log_req *req)
{
    uint64_t len = pel_of(req->cmd->ctrl)->ctx_len;

    envme_pel_log_fixed(req->cmd, &len);
    return len;
}

struct envme_status envme_pel_log(const struct envme_log_req *req, void *buf)
{
    const struct envme_pel *pel = pel_of(req->cmd->ctrl);
    size_t len = envme_pel_log_size(req);
    struct envme_log_pel *log = buf;

    if (len) {
        memcpy(buf, pel->ctx, len);
        /* Whether it was there before this command came; by port 0. */
        log->rci = le32(pel->existed ? ENVME_PEL_RCI_RCE |
                        (uint32_t)FIELD_SET(ENVME_PEL_RCI_RCPIT, PEL_PORT)
                                     : 0);
    }
    return ENVME_ST(SUCCESS);
}
