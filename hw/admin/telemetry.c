/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telemetry, host-initiated (log page 07h) and controller-initiated (08h):
 * Base 2.1, 5.1.12.1.8, 5.1.12.1.9, 8.1.27. Four data areas of JSON text,
 * filled up with NULs: the controller and its health; queues; errors,
 * namespaces and features; power, temperatures and streams. The last one is
 * shown to hosts that know of it (feature 16h, ETDAS). docs/telemetry.md.
 */
#include <stdarg.h>
#include <string.h>

#include "hw/admin/pel.h"

#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/errlog.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/feature.h"
#include "hw/ctrl/keep.h"
#include "hw/ctrl/power.h"
#include "hw/ns/streams.h"

#define TELE_BLOCK 512u
#define TELE_AREAS 4
#define TELE_AREA_MAX (256u << 10)      /* bytes; ENVME_LOG_MAX is for all */
#define TELE_SCOPE_CTRL 1
#define TELE_RECORD_VERSION 2

struct tele_snap {
    uint8_t *data;              /* NULL: none was made */
    unsigned last[TELE_AREAS];  /* last block of each area, from 1 */
    char reason[128];
};

struct envme_telemetry {
    struct tele_snap host, ctrl;
    uint8_t host_gen, ctrl_gen;
    bool available;             /* of ctrl, and not read yet */
};

static struct envme_telemetry *tele_of(const struct envme_ctrl *ctrl)
{
    return envme_admin(ctrl)->telemetry;
}

/* ---- the areas --------------------------------------------------------- */

static void tele_string(GString *s, const char *name, const char *value,
                        size_t len)
{
    g_string_append_printf(s, "\"%s\":\"", name);
    for (size_t i = 0; i < len && value[i]; i++) {
        if (value[i] == '"' || value[i] == '\\') {
            g_string_append_c(s, '\\');
        }
        g_string_append_c(s, value[i]);
    }
    g_string_append(s, "\",\n");
}

static void tele_number(GString *s, const char *name, uint64_t v)
{
    g_string_append_printf(s, "\"%s\":%" G_GUINT64_FORMAT ",\n", name, v);
}

static void tele_controller(GString *s, struct envme_ctrl *ctrl)
{
    const struct envme_ctrl_params *p = &ctrl->params;
    struct envme_health_totals t;
    char fr[8];

    envme_fw_revision(ctrl, fr);
    envme_health_totals(ctrl, &t);
    tele_string(s, "serial", p->serial, sizeof(p->serial));
    tele_string(s, "model", p->model, sizeof(p->model));
    tele_string(s, "firmware", fr, sizeof(fr));
    tele_string(s, "subnqn", ctrl->subsys->nqn, sizeof(ctrl->subsys->nqn));
    tele_number(s, "cntlid", ctrl->cntlid);
    tele_number(s, "cc", ctrl->cc);
    tele_number(s, "csts", ctrl->csts);
    tele_number(s, "gate", atomic_load(&ctrl->subsys->gate_sf));
    tele_number(s, "temperature", ctrl->temperature);
    tele_number(s, "critical_warning", envme_health_warning(ctrl));
    tele_number(s, "reads", t.reads);
    tele_number(s, "writes", t.writes);
    tele_number(s, "read_bytes", t.read_bytes);
    tele_number(s, "written_bytes", t.written_bytes);
    tele_number(s, "power_on_ms", t.on_ms);
    tele_number(s, "power_cycles", ctrl->power_cycles);
    tele_number(s, "unsafe_shutdowns", ctrl->unsafe_shutdowns);
    tele_number(s, "media_errors", atomic_load(&ctrl->media_errors));
    tele_number(s, "errors", envme_errlog_count(ctrl));
}

/* Rings are their lanes': what the host wrote last is anybody's to read. */
static void tele_queues(GString *s, struct envme_ctrl *ctrl)
{
    tele_number(s, "io_sqs", ctrl->nsq);
    tele_number(s, "io_cqs", ctrl->ncq);
    g_string_append(s, "\"queues\":[\n");
    for (unsigned i = 0; i < ctrl->nsq_alloc && s->len < TELE_AREA_MAX / 2;
         i++) {
        const struct envme_sq *sq = ctrl->sq[i];

        if (sq) {
            g_string_append_printf(s, "{\"sq\":%u,\"size\":%u,\"tail\":%u,"
                                   "\"cq\":%u},\n", sq->id,
                                   atomic_load(&sq->db->size),
                                   envme_doorbell_value(sq->db), sq->cq->id);
        }
    }
    for (unsigned i = 0; i < ctrl->ncq_alloc && s->len < TELE_AREA_MAX - 1024;
         i++) {
        const struct envme_cq *cq = ctrl->cq[i];

        if (cq) {
            g_string_append_printf(s, "{\"cq\":%u,\"size\":%u,\"head\":%u,"
                                   "\"vector\":%u,\"lane\":%u},\n", cq->id,
                                   atomic_load(&cq->db->size),
                                   envme_doorbell_value(cq->db), cq->vector,
                                   cq->lane->index);
        }
    }
    g_string_append(s, "null],\n\"lanes\":[\n");
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        const struct envme_lane_stats *st = &ctrl->lane[i].stats;

        g_string_append_printf(s, "{\"reads\":%" G_GUINT64_FORMAT ",\"writes\""
                               ":%" G_GUINT64_FORMAT "},\n",
                               (guint64)atomic_load(&st->reads),
                               (guint64)atomic_load(&st->writes));
    }
    g_string_append(s, "null],\n");
}

static void tele_errors(GString *s, struct envme_ctrl *ctrl)
{
    unsigned n = ctrl->params.elpe + 1u;
    struct envme_log_error *e = g_new(struct envme_log_error, n);

    envme_errlog_read(ctrl, e);
    g_string_append(s, "\"errors\":[\n");
    for (unsigned i = 0; i < n && le64_get(e[i].ecnt); i++) {
        g_string_append_printf(s, "{\"n\":%" G_GUINT64_FORMAT ",\"sq\":%u,"
                               "\"cid\":%u,\"opcode\":%u,\"status\":%u,"
                               "\"location\":%u,\"nsid\":%u,\"lba\":%"
                               G_GUINT64_FORMAT "},\n",
                               (guint64)le64_get(e[i].ecnt),
                               le16_get(e[i].sqid), le16_get(e[i].cid),
                               e[i].opc, le16_get(e[i].sts) >> 1,
                               le16_get(e[i].pel), le32_get(e[i].nsid),
                               (guint64)le64_get(e[i].lba));
    }
    g_string_append(s, "null],\n");
    g_free(e);
}

static void tele_namespaces(GString *s, struct envme_ctrl *ctrl)
{
    g_string_append(s, "\"namespaces\":[\n");
    for (uint32_t i = 1; i <= ctrl->subsys->nn && s->len < TELE_AREA_MAX / 2;
         i++) {
        const struct envme_ns *ns = ctrl->ns[i];

        if (ns) {
            g_string_append_printf(s, "{\"nsid\":%u,\"blocks\":%"
                                   G_GUINT64_FORMAT ",\"lbads\":%u,\"ms\":%u,"
                                   "\"gate\":%u,\"read_only\":%u},\n", i,
                                   (guint64)atomic_load(&ns->nsze), ns->lbads,
                                   ns->ms, atomic_load(&ns->gate_sf),
                                   ns->read_only);
        }
    }
    g_string_append(s, "null],\n\"features\":[\n");
    for (unsigned i = 0; i < ctrl->tables->feats->n; i++) {
        const struct envme_feat_row *row = &ctrl->tables->feats->row[i];

        if (row->scope != ENVME_FEAT_NS && envme_feat_there(row, ctrl)) {
            g_string_append_printf(s, "{\"fid\":%u,\"value\":%u},\n", row->fid,
                                   envme_feature_value(ctrl, row->fid, NULL));
        }
    }
    g_string_append(s, "null],\n");
    envme_hmb_telemetry(ctrl, s);
}

static void tele_power(GString *s, struct envme_ctrl *ctrl)
{
    const struct envme_thermal *t = &envme_admin(ctrl)->thermal;

    tele_number(s, "power_state", envme_power_state(ctrl));
    tele_number(s, "power_scale", envme_power_scale(ctrl));
    tele_number(s, "throttle", t->level);
    tele_number(s, "thresholds_exceeded", t->out);
    g_string_append(s, "\"temperatures\":[\n");
    for (unsigned i = 0; i <= ctrl->params.temp_sensors; i++) {
        g_string_append_printf(s, "%u,\n", envme_thermal_sensor(ctrl, i));
    }
    g_string_append(s, "null],\n");
}

static void tele_stream(void *opaque, const struct envme_stream *st)
{
    GString *s = opaque;

    if (s->len < TELE_AREA_MAX - 1024) {
        g_string_append_printf(s, "{\"nsid\":%u,\"cntlid\":%u,\"id\":%u,"
                               "\"writes\":%" G_GUINT64_FORMAT ",\"bytes\":%"
                               G_GUINT64_FORMAT "},\n", st->nsid, st->cntlid,
                               st->sid, (guint64)st->writes,
                               (guint64)st->bytes);
    }
}

static void tele_streams(GString *s, struct envme_ctrl *ctrl)
{
    g_string_append(s, "\"streams\":[\n");
    envme_streams_foreach(ctrl->subsys->streams, tele_stream, s);
    g_string_append(s, "null],\n");
}

/* ---- captures ---------------------------------------------------------- */

/* areas: those beyond have no data of their own. */
static void tele_capture(struct envme_ctrl *ctrl, struct tele_snap *snap,
                         unsigned areas, const char *reason)
{
    static void (*const fill[])(GString *s, struct envme_ctrl *ctrl) = {
        tele_controller, tele_queues, tele_errors, tele_power,
    };
    GString *all = g_string_new(NULL);

    for (unsigned area = 0; area < areas; area++) {
        GString *s = g_string_new("{\n");

        tele_number(s, "area", area + 1);
        tele_number(s, "time_ms",
                    ctrl->ports.time.wall_ms(ctrl->ports.time.opaque));
        fill[area](s, ctrl);
        if (area == 2) {
            tele_namespaces(s, ctrl);
        } else if (area == 3) {
            tele_streams(s, ctrl);
        }
        tele_string(s, "reason", reason, strlen(reason));
        g_string_truncate(s, s->len - 2);       /* the comma */
        g_string_append(s, "\n}\n");
        while (s->len % TELE_BLOCK) {
            g_string_append_c(s, '\0');
        }
        g_string_append_len(all, s->str, s->len);
        g_string_free(s, TRUE);
        snap->last[area] = all->len / TELE_BLOCK;
    }
    for (unsigned area = areas; area < TELE_AREAS; area++) {
        snap->last[area] = snap->last[areas - 1];
    }
    g_free(snap->data);
    snap->data = (uint8_t *)g_string_free(all, FALSE);
    g_strlcpy(snap->reason, reason, sizeof(snap->reason));
}

/* ---- kept over power cycles -------------------------------------------- */

struct tele_record {            /* then the blocks */
    le32_t version;
    uint8_t host_gen, ctrl_gen, available, rsvd7;
    le32_t last[TELE_AREAS];
    char reason[128];
};
_Static_assert(sizeof(struct tele_record) == 152, "on disk");

static void tele_put(struct envme_ctrl *ctrl)
{
    const struct envme_telemetry *t = tele_of(ctrl);
    size_t len = t->ctrl.data ? t->ctrl.last[TELE_AREAS - 1] * TELE_BLOCK : 0;
    struct tele_record *r;
    char name[ENVME_KEEP_NAME];

    if (!ctrl->subsys->state) {
        return;
    }
    r = g_malloc0(sizeof(*r) + len);
    r->version = le32(TELE_RECORD_VERSION);
    r->host_gen = t->host_gen;
    r->ctrl_gen = t->ctrl_gen;
    r->available = t->available;
    memcpy(r->reason, t->ctrl.reason, sizeof(r->reason));
    for (unsigned i = 0; i < TELE_AREAS; i++) {
        r->last[i] = le32(t->ctrl.last[i]);
    }
    if (len) {
        memcpy(r + 1, t->ctrl.data, len);
    }
    envme_keep_name(name, ctrl, "telemetry");
    envme_state_put(ctrl->subsys->state, name, r, sizeof(*r) + len);
    g_free(r);
}

static void tele_load(struct envme_telemetry *t, const uint8_t *buf,
                      size_t len)
{
    struct tele_record r;
    unsigned last[TELE_AREAS];

    if (len < sizeof(r)) {
        return;
    }
    memcpy(&r, buf, sizeof(r));
    if (le32_get(r.version) != TELE_RECORD_VERSION) {
        return;
    }
    t->host_gen = r.host_gen;
    t->ctrl_gen = r.ctrl_gen;
    for (unsigned i = 0; i < TELE_AREAS; i++) {
        last[i] = le32_get(r.last[i]);
    }
    for (unsigned i = 1; i < TELE_AREAS; i++) {
        if (last[i - 1] > last[i]) {
            return;
        }
    }
    if (!last[TELE_AREAS - 1] ||
        last[TELE_AREAS - 1] >= ENVME_LOG_MAX / TELE_BLOCK ||
        len != sizeof(r) + last[TELE_AREAS - 1] * TELE_BLOCK) {
        return;                 /* no data, or none of ours */
    }
    t->available = r.available;
    memcpy(t->ctrl.last, last, sizeof(last));
    memcpy(t->ctrl.reason, r.reason, sizeof(r.reason) - 1);
    t->ctrl.data = g_malloc(len - sizeof(r));
    memcpy(t->ctrl.data, buf + sizeof(r), len - sizeof(r));
}

/* ---- the log pages ----------------------------------------------------- */

/* Blocks are read whole. */
static bool tele_is_aligned(const struct envme_cmd *cmd)
{
    return envme_cmd_cdw(cmd, 12) % TELE_BLOCK == 0 &&
           cmd->len % TELE_BLOCK == 0;
}

/* The areas that the host wants to be made (MCDA); 0: all. */
static unsigned tele_mcda(const struct envme_log_req *req)
{
    return FIELD_GET(ENVME_LSP_TELEMETRY_MCDA, req->lsp);
}

static bool tele_lsp_ok(const struct envme_log_req *req)
{
    if (req->lid != ENVME_LID_TELEMETRY_HOST) {
        return !req->lsp;
    }
    return !(req->lsp & ~(ENVME_LSP_TELEMETRY_CREATE |
                          ENVME_LSP_TELEMETRY_MCDA)) &&
           tele_mcda(req) <= TELE_AREAS;
}

static const struct tele_snap *tele_snap(const struct envme_log_req *req)
{
    struct envme_telemetry *t = tele_of(req->cmd->ctrl);

    return req->lid == ENVME_LID_TELEMETRY_HOST ? &t->host : &t->ctrl;
}

/* Bytes of the areas that this host may see. */
static size_t tele_bytes(const struct envme_ctrl *ctrl,
                         const struct tele_snap *snap)
{
    bool all = envme_feature_value(ctrl, ENVME_FID_HOST_BEHAVIOR, NULL) &
               ENVME_HBS_ETDAS;

    return snap->data ? snap->last[TELE_AREAS - (all ? 1 : 2)] * TELE_BLOCK
                      : 0;
}

static void tele_header(const struct envme_ctrl *ctrl, uint8_t lid,
                        struct envme_log_telemetry *log)
{
    const struct envme_telemetry *t = tele_of(ctrl);
    const struct tele_snap *snap =
        lid == ENVME_LID_TELEMETRY_HOST ? &t->host : &t->ctrl;

    memset(log, 0, sizeof(*log));
    log->lid = lid;
    memcpy(log->ieee, ctrl->params.ieee, sizeof(log->ieee));
    log->dalb1 = le16(snap->last[0]);
    log->dalb2 = le16(snap->last[1]);
    log->dalb3 = le16(snap->last[2]);
    if (tele_bytes(ctrl, snap) > snap->last[2] * TELE_BLOCK) {
        log->dalb4 = le32(snap->last[3]);
    }
    if (lid == ENVME_LID_TELEMETRY_HOST) {
        log->ths = TELE_SCOPE_CTRL;
        log->hostdgn = t->host_gen;
    } else {
        log->hostdgn = TELE_SCOPE_CTRL;
    }
    log->tcda = t->available;
    log->tcdgn = t->ctrl_gen;
    memcpy(log->rsnid, snap->reason, sizeof(log->rsnid));
}

static void tele_created(struct envme_ctrl *ctrl, uint8_t lid)
{
    struct envme_log_telemetry header;

    tele_header(ctrl, lid, &header);
    envme_pel_telemetry(ctrl, &header);
}

/* The first look at the command: here the data is made, if it asks for it. */
size_t envme_telemetry_size(const struct envme_log_req *req)
{
    struct envme_ctrl *ctrl = req->cmd->ctrl;
    const struct tele_snap *snap = tele_snap(req);

    if (req->lid == ENVME_LID_TELEMETRY_HOST && tele_lsp_ok(req) &&
        req->lsp & ENVME_LSP_TELEMETRY_CREATE && tele_is_aligned(req->cmd) &&
        !atomic_load(&ctrl->subsys->gate_sf)) {
        struct envme_telemetry *t = tele_of(ctrl);

        tele_capture(ctrl, &t->host, tele_mcda(req) ?: TELE_AREAS,
                     "the host asked for it");
        t->host_gen++;
        tele_put(ctrl);
        tele_created(ctrl, ENVME_LID_TELEMETRY_HOST);
    }
    return sizeof(struct envme_log_telemetry) + tele_bytes(ctrl, snap);
}

struct envme_status envme_telemetry_log(const struct envme_log_req *req,
                                        void *buf)
{
    const struct envme_ctrl *ctrl = req->cmd->ctrl;
    const struct tele_snap *snap = tele_snap(req);
    struct envme_log_telemetry *log = buf;
    uint16_t gate = atomic_load(&ctrl->subsys->gate_sf);

    if (gate) {
        return ENVME_ST(SANITIZE_IN_PROGRESS);
    }
    if (!tele_lsp_ok(req)) {
        return envme_cmd_fail(req->cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10) + 1);
    }
    if (!tele_is_aligned(req->cmd)) {
        return envme_cmd_fail(req->cmd, ENVME_ST(INVALID_FIELD),
                              req->cmd->len % TELE_BLOCK ?
                              offsetof(struct envme_sqe, cdw10) + 2 :
                              offsetof(struct envme_sqe, cdw12));
    }
    tele_header(ctrl, req->lid, log);
    if (snap->data) {
        memcpy(log + 1, snap->data, tele_bytes(ctrl, snap));
    }
    return ENVME_ST(SUCCESS);
}

/* The controller-initiated one was read with RAE 0. */
void envme_telemetry_read(const struct envme_log_req *req)
{
    struct envme_telemetry *t = tele_of(req->cmd->ctrl);

    if (t->available) {
        t->available = false;
        tele_put(req->cmd->ctrl);
        envme_state_commit_async(req->cmd->ctrl->subsys->state);
    }
}

void envme_telemetry_report(struct envme_ctrl *ctrl, const char *fmt, ...)
{
    struct envme_telemetry *t = tele_of(ctrl);
    char reason[128];
    va_list ap;

    if (!t || t->available) {
        return;                 /* the first one is what the host is to see */
    }
    va_start(ap, fmt);
    g_vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    tele_capture(ctrl, &t->ctrl, TELE_AREAS, reason);
    t->ctrl_gen++;
    t->available = true;
    tele_put(ctrl);
    tele_created(ctrl, ENVME_LID_TELEMETRY_CTRL);
    envme_event_post(ctrl, ENVME_AEN_TYPE_NOTICE, ENVME_AEN_NOTICE_TELEMETRY,
                     ENVME_LID_TELEMETRY_CTRL, 10);
}

void envme_telemetry_init(struct envme_ctrl *ctrl)
{
    struct envme_telemetry *t = g_new0(struct envme_telemetry, 1);
    char name[ENVME_KEEP_NAME];
    GBytes *b;

    envme_admin(ctrl)->telemetry = t;
    envme_keep_name(name, ctrl, "telemetry");
    b = envme_state_get(ctrl->subsys->state, name);
    if (b) {
        gsize len;
        const uint8_t *buf = g_bytes_get_data(b, &len);

        tele_load(t, buf, len);
        g_bytes_unref(b);
    }
}

void envme_telemetry_fini(struct envme_ctrl *ctrl)
{
    struct envme_telemetry *t = tele_of(ctrl);

    g_free(t->host.data);
    g_free(t->ctrl.data);
    g_free(t);
}
