/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device Self-test: Base 2.1, 5.1.5, 8.1.7 and log page 06h. One at a time per
 * controller, in the background, in segments that look at what there is to be
 * looked at; those of the medium read it.
 */
#include <stdlib.h>
#include <string.h>

#include "hw/admin/admin.h"
#include "hw/admin/bgio.h"

#include "hw/ctrl/event.h"
#include "hw/ctrl/keep.h"
#include "hw/ctrl/lane.h"

#define TEST_RESULTS 20
#define TEST_STEP_NS (20ull * 1000 * 1000)
#define TEST_SCAN_NS (1ull * 1000 * 1000)
#define TEST_BUF     (1u << 20)
#define TEST_PROBE   (128u << 10)
#define TEST_PROBES  32         /* of segment 7, per namespace */
#define TEST_RATE    (512ull << 20)     /* bytes per second, for EDSTT */
#define TEST_RECORD_VERSION 1

enum {                          /* Base 2.1, 8.1.7, figure of the segments */
    SEG_RAM = 1,
    SEG_SMART,
    SEG_BACKUP,
    SEG_METADATA,
    SEG_INTEGRITY,
    SEG_DATA,                   /* extended only */
    SEG_MEDIA,
    SEG_LIFE,
    SEG_SMART_AGAIN,
    SEG_END,
};

struct envme_selftest {
    struct envme_deadline due;
    struct envme_ctrl *ctrl;
    struct envme_bgio io;
    void *buf;                  /* TEST_BUF bytes while a test runs */
    struct envme_selftest_result result[TEST_RESULTS];
    unsigned fail_seg;          /* 0: none */
    /* the one that runs */
    uint8_t stc;                /* 0: none */
    uint32_t nsid;              /* as in the command */
    bool is_listed;             /* nsids, total are made */
    uint32_t *nsids;
    unsigned nns;
    unsigned seg, at_ns;
    uint64_t at;                /* step within the segment and namespace */
    uint64_t total, done;       /* steps */
};

struct test_record {
    le32_t version;
    uint8_t stc, seg, rsvd6[2];
    le32_t nsid;
    struct envme_selftest_result result[TEST_RESULTS];
};
_Static_assert(sizeof(struct test_record) == 572, "on disk");

static struct envme_selftest *test_of(const struct envme_ctrl *ctrl)
{
    return envme_admin(ctrl)->selftest;
}

/* ---- kept over power cycles -------------------------------------------- */

static void test_put(struct envme_selftest *t)
{
    struct test_record r = { .version = le32(TEST_RECORD_VERSION) };
    char name[ENVME_KEEP_NAME];

    memcpy(r.result, t->result, sizeof(r.result));
    if (t->stc == ENVME_SELFTEST_EXTENDED) {
        r.stc = t->stc;
        r.seg = t->seg;
        r.nsid = le32(t->nsid);
    }
    envme_keep_name(name, t->ctrl, "selftest");
    envme_state_put(t->ctrl->subsys->state, name, &r, sizeof(r));
}

/* ---- the result -------------------------------------------------------- */

struct test_where {             /* of a failure; nsid 0: of no namespace */
    uint32_t nsid;
    bool has_lba;
    uint64_t lba;
};

static void test_finish(struct envme_selftest *t, unsigned result,
                        const struct test_where *w)
{
    struct envme_health_totals totals;
    struct envme_selftest_result *r = &t->result[0];

    envme_health_totals(t->ctrl, &totals);
    memmove(r + 1, r, (TEST_RESULTS - 1) * sizeof(*r));
    *r = (struct envme_selftest_result){
        .dsts = FIELD_SET(ENVME_DSTS_DSTR, result) |
                FIELD_SET(ENVME_DSTS_DSTC, t->stc),
        .poh = le64(totals.on_ms / (3600 * 1000)),
    };
    if (result == ENVME_DSTR_KNOWN_SEG) {
        r->seg = t->seg;
    }
    if (w && w->nsid) {
        r->vdi |= ENVME_DST_VDI_NSID;
        r->nsid = le32(w->nsid);
    }
    if (w && w->has_lba) {
        r->vdi |= ENVME_DST_VDI_FLBA | ENVME_DST_VDI_SCT | ENVME_DST_VDI_SC;
        r->flba = le64(w->lba);
        r->sct = ENVME_SC_UNRECOVERED_READ >> 8;
        r->sc = ENVME_SC_UNRECOVERED_READ & 0xff;
    }
    t->stc = 0;
    envme_lane_not_at(&t->ctrl->lane[0], &t->due);
    test_put(t);
    envme_state_commit_async(t->ctrl->subsys->state);
    if (result == ENVME_DSTR_KNOWN_SEG) {
        envme_event_post(t->ctrl, ENVME_AEN_TYPE_ERROR, ENVME_AEN_ERROR_DIAG,
                         ENVME_LID_ERROR, -1);
        envme_telemetry_report(t->ctrl, "device self-test failed in segment "
                               "%u", t->seg);
    }
}

/* ---- steps ------------------------------------------------------------- */

static bool test_has_seg(const struct envme_selftest *t, unsigned seg)
{
    return seg != SEG_DATA || t->stc == ENVME_SELFTEST_EXTENDED;
}

/* Bytes that one request reads. */
static uint64_t test_chunk(const struct envme_ns *ns)
{
    const struct envme_geometry *geo = &ns->geo;

    if (geo->max_transfer && geo->max_transfer < TEST_BUF) {
        return ENVME_MAX(geo->max_transfer & ~(geo->align - 1), geo->align);
    }
    return TEST_BUF;
}

/* Steps of a segment for one namespace; 0: it looks at none. */
static uint64_t test_ns_steps(unsigned seg, const struct envme_ns *ns)
{
    switch (seg) {
    case SEG_METADATA:
        return 1;
    case SEG_INTEGRITY:
        return 2;
    case SEG_DATA:
        return (ns->geo.size + test_chunk(ns) - 1) / test_chunk(ns);
    case SEG_MEDIA:
        return TEST_PROBES;
    default:
        return 0;
    }
}

static bool test_is_ns_seg(unsigned seg)
{
    return seg >= SEG_METADATA && seg <= SEG_MEDIA;
}

/* What is there when the test begins; a namespace that goes ends it. */
static void test_list(struct envme_selftest *t)
{
    struct envme_ctrl *ctrl = t->ctrl;
    uint32_t first = t->nsid == UINT32_MAX ? 1 : t->nsid;
    uint32_t last = t->nsid == UINT32_MAX ? ctrl->subsys->nn : t->nsid;

    t->is_listed = true;
    t->nns = 0;
    t->nsids = g_renew(uint32_t, t->nsids, ctrl->subsys->nn + 1);
    for (uint32_t i = first; t->nsid && i <= last; i++) {
        if (envme_ctrl_ns(ctrl, i)) {
            t->nsids[t->nns++] = i;
        }
    }
    t->total = t->done = 0;
    for (unsigned seg = 1; seg < SEG_END; seg++) {
        uint64_t n = test_has_seg(t, seg) && !test_is_ns_seg(seg);

        for (unsigned i = 0; i < t->nns && test_has_seg(t, seg); i++) {
            n += test_ns_steps(seg, ctrl->ns[t->nsids[i]]);
        }
        t->total += n;
        t->done += seg < t->seg ? n : 0;
    }
}

static void test_again(struct envme_selftest *t)
{
    uint64_t step = t->seg == SEG_DATA ? TEST_SCAN_NS : TEST_STEP_NS;

    envme_lane_at(&t->ctrl->lane[0], &t->due, envme_now(t->ctrl) + step);
}

static void test_next_seg(struct envme_selftest *t)
{
    do {
        t->seg++;
    } while (!test_has_seg(t, t->seg));
    t->at_ns = 0;
    t->at = 0;
    if (t->seg == SEG_END) {
        test_finish(t, ENVME_DSTR_OK, NULL);
        return;
    }
    if (t->stc == ENVME_SELFTEST_EXTENDED) {
        test_put(t);
    }
    test_again(t);
}

static void test_ns_step_over(struct envme_selftest *t,
                              const struct envme_ns *ns)
{
    t->done++;
    if (++t->at >= test_ns_steps(t->seg, ns)) {
        t->at = 0;
        t->at_ns++;
    }
    test_again(t);
}

static void test_read_over(struct envme_bgio *io, int err)
{
    struct envme_selftest *t = (struct envme_selftest *)
        ((char *)io - offsetof(struct envme_selftest, io));
    struct envme_ns *ns = io->ns;

    if (!t->stc || t->due.slot) {
        return;                 /* aborted meanwhile, maybe begun anew */
    }
    if (err) {
        uint64_t lba = io->bio.offset >> ns->lbads;
        struct test_where w = {
            .nsid = ns->nsid, .lba = lba,
            .has_lba = lba < atomic_load(&ns->nsze),
        };

        atomic_fetch_add(&t->ctrl->media_errors, 1);
        test_finish(t, ENVME_DSTR_KNOWN_SEG, &w);
        return;
    }
    test_ns_step_over(t, ns);
}

/* Reads some bytes from about there on. */
static void test_read(struct envme_selftest *t, struct envme_ns *ns,
                      uint64_t off, uint64_t bytes)
{
    const struct envme_geometry *geo = &ns->geo;
    uint64_t end = geo->size & ~(uint64_t)(geo->align - 1);

    off = ENVME_MIN(off, end) & ~(uint64_t)(geo->align - 1);
    bytes = ENVME_MIN(ENVME_MIN(bytes, end - off), test_chunk(ns));
    bytes &= ~(uint64_t)(geo->align - 1);
    if (!bytes) {
        test_ns_step_over(t, ns);
        return;
    }
    t->io.bio.op = ENVME_BIO_READ;
    t->io.bio.flags = 0;
    t->io.bio.offset = off;
    t->io.bio.bytes = bytes;
    t->io.iov.iov_base = t->buf;
    envme_bgio_start(&t->io, t->ctrl, ns, test_read_over);
}

static void test_ns_step(struct envme_selftest *t)
{
    struct test_where w = { 0 };
    struct envme_ns *ns;
    uint64_t data;

    if (t->at_ns == t->nns) {
        test_next_seg(t);
        return;
    }
    w.nsid = t->nsids[t->at_ns];
    ns = envme_ctrl_ns(t->ctrl, w.nsid);
    if (!ns) {
        test_finish(t, ENVME_DSTR_NS_REMOVED, &w);
        return;
    }
    switch (t->seg) {
    case SEG_METADATA:
        /* The format and where it says that things lie fit the medium. */
        data = atomic_load(&ns->nsze) << ns->lbads;
        if (ns->flbas >= ns->nlbaf || data > ns->geo.size ||
            (ns->ms && (ns->moff < data || ns->moff +
                        atomic_load(&ns->nsze) * ns->ms > ns->geo.size))) {
            test_finish(t, ENVME_DSTR_KNOWN_SEG, &w);
            return;
        }
        test_ns_step_over(t, ns);
        break;
    case SEG_INTEGRITY:
        test_read(t, ns, t->at && ns->geo.size > TEST_PROBE ?
                  ns->geo.size - TEST_PROBE : 0, TEST_PROBE);
        break;
    case SEG_DATA:
        test_read(t, ns, t->at * test_chunk(ns), TEST_BUF);
        break;
    default:
        test_read(t, ns, ns->geo.size / TEST_PROBES * t->at, TEST_PROBE);
        break;
    }
}

static bool test_ram(struct envme_selftest *t)
{
    uint32_t *w = t->buf;

    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < TEST_BUF / 4; i++) {
            w[i] = pass ? ~i : i;
        }
        for (uint32_t i = 0; i < TEST_BUF / 4; i++) {
            if (*(volatile uint32_t *)&w[i] != (pass ? ~i : i)) {
                return false;
            }
        }
    }
    return true;
}

/* A segment of one step, which looks at the controller. */
static bool test_ctrl_seg(struct envme_selftest *t)
{
    uint8_t cw = envme_health_warning(t->ctrl);

    switch (t->seg) {
    case SEG_RAM:
        return test_ram(t);
    case SEG_BACKUP:
        return !(cw & ENVME_SMART_CW_VMBF);
    case SEG_LIFE:
        return !(cw & ENVME_SMART_CW_NDR);
    default:
        return !(cw & (ENVME_SMART_CW_ASCBT | ENVME_SMART_CW_NDR |
                       ENVME_SMART_CW_AMRO));
    }
}

static void test_due(struct envme_deadline *d)
{
    struct envme_selftest *t = (struct envme_selftest *)d;

    if (t->io.busy) {
        test_again(t);          /* of a test before this one */
        return;
    }
    if (!t->is_listed) {
        test_list(t);
    }
    if (t->seg == t->fail_seg) {
        test_finish(t, ENVME_DSTR_KNOWN_SEG, NULL);
    } else if (test_is_ns_seg(t->seg)) {
        test_ns_step(t);
    } else if (!test_ctrl_seg(t)) {
        test_finish(t, ENVME_DSTR_KNOWN_SEG, NULL);
    } else {
        t->done++;
        test_next_seg(t);
    }
}

/* ---- the command ------------------------------------------------------- */

static void test_start(struct envme_selftest *t, uint8_t stc, uint32_t nsid,
                       unsigned seg)
{
    if (!t->buf) {
        t->buf = aligned_alloc(4096, TEST_BUF);
        if (!t->buf) {
            abort();            /* as GLib does */
        }
    }
    t->stc = stc;
    t->nsid = nsid;
    t->seg = seg;
    t->at_ns = 0;
    t->at = 0;
    t->done = 0;
    t->total = 1;
    t->is_listed = false;
    test_again(t);
}

static struct envme_status test_check_ns(struct envme_cmd *cmd)
{
    uint32_t nsid = envme_cmd_nsid(cmd);

    if (nsid == 0 || nsid == UINT32_MAX || envme_ctrl_ns(cmd->ctrl, nsid)) {
        return ENVME_ST(SUCCESS);
    }
    return envme_cmd_fail(cmd, nsid > cmd->ctrl->subsys->nn ?
                          ENVME_ST(INVALID_NS) : ENVME_ST(INVALID_FIELD),
                          offsetof(struct envme_sqe, nsid));
}

struct envme_status envme_admin_selftest(struct envme_cmd *cmd)
{
    struct envme_selftest *t = test_of(cmd->ctrl);
    uint8_t stc = FIELD_GET(ENVME_SELFTEST_STC, envme_cmd_cdw(cmd, 10));
    struct envme_status st;

    switch (stc) {
    case ENVME_SELFTEST_SHORT:
    case ENVME_SELFTEST_EXTENDED:
        break;
    case ENVME_SELFTEST_ABORT:
        if (t->stc) {
            test_finish(t, ENVME_DSTR_ABORTED, NULL);
        }
        return envme_cmd_keep(cmd, ENVME_ST(SUCCESS));
    default:
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10));
    }
    st = test_check_ns(cmd);
    if (envme_st_err(st)) {
        return st;
    }
    if (t->stc) {
        return ENVME_ST(SELF_TEST_IN_PROGRESS);
    }
    test_start(t, stc, envme_cmd_nsid(cmd), 1);
    test_list(t);
    test_put(t);
    return envme_cmd_keep(cmd, ENVME_ST(SUCCESS));
}

/* ---- log page 06h, Identify -------------------------------------------- */

size_t envme_selftest_log_size(const struct envme_log_req *req)
{
    (void)req;
    return sizeof(struct envme_log_selftest);
}

struct envme_status envme_selftest_log(const struct envme_log_req *req,
                                       void *buf)
{
    const struct envme_selftest *t = test_of(req->cmd->ctrl);
    struct envme_log_selftest *log = buf;

    log->cdsto = FIELD_SET(ENVME_CDSTO_DSTS, t->stc);
    if (t->stc) {
        log->cdstc = ENVME_MIN(t->done * 100 / t->total, UINT64_C(99));
    }
    memcpy(log->result, t->result, sizeof(log->result));
    return ENVME_ST(SUCCESS);
}

uint16_t envme_selftest_minutes(const struct envme_ctrl *ctrl)
{
    uint64_t bytes = 0;

    for (uint32_t i = 1; i <= ctrl->subsys->nn; i++) {
        bytes += ctrl->ns[i] ? ctrl->ns[i]->geo.size : 0;
    }
    return ENVME_MIN(bytes / (TEST_RATE * 60) + 1, UINT64_C(65535));
}

/* ---- from outside ------------------------------------------------------ */

void envme_selftest_fail_at(struct envme_ctrl *ctrl, unsigned seg)
{
    test_of(ctrl)->fail_seg = seg;
}

void envme_selftest_format(struct envme_subsys *s, uint32_t nsid)
{
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_selftest *t = s->ctrl[i].ops ? test_of(s->ctrl[i].ctrl)
                                                  : NULL;

        if (t && t->stc && t->nsid && (nsid == UINT32_MAX ||
                                       t->nsid == UINT32_MAX ||
                                       t->nsid == nsid)) {
            test_finish(t, ENVME_DSTR_FORMAT, NULL);
        }
    }
}

void envme_selftest_sanitize(struct envme_subsys *s)
{
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_selftest *t = s->ctrl[i].ops ? test_of(s->ctrl[i].ctrl)
                                                  : NULL;

        if (t && t->stc) {
            test_finish(t, ENVME_DSTR_SANITIZE, NULL);
        }
    }
}

/* A reset ends the short one; the extended one goes on. */
void envme_selftest_stop(struct envme_ctrl *ctrl)
{
    struct envme_selftest *t = test_of(ctrl);

    if (t->stc == ENVME_SELFTEST_SHORT) {
        test_finish(t, ENVME_DSTR_RESET, NULL);
    }
}

void envme_selftest_init(struct envme_ctrl *ctrl)
{
    struct envme_selftest *t = g_new0(struct envme_selftest, 1);
    char name[ENVME_KEEP_NAME];
    struct test_record r;

    envme_admin(ctrl)->selftest = t;
    t->ctrl = ctrl;
    t->due.fn = test_due;
    for (unsigned i = 0; i < TEST_RESULTS; i++) {
        t->result[i].dsts = ENVME_DSTR_UNUSED;
    }
    envme_keep_name(name, ctrl, "selftest");
    envme_state_read(ctrl->subsys->state, name, &r, sizeof(r));
    if (le32_get(r.version) != TEST_RECORD_VERSION) {
        return;
    }
    memcpy(t->result, r.result, sizeof(t->result));
    if (r.stc == ENVME_SELFTEST_EXTENDED && r.seg >= 1 && r.seg < SEG_END) {
        /* Its namespaces come later: test_due() looks for them. */
        test_start(t, r.stc, le32_get(r.nsid), r.seg);
    }
}

void envme_selftest_leave(struct envme_ctrl *ctrl)
{
    struct envme_selftest *t = test_of(ctrl);

    envme_lane_not_at(&ctrl->lane[0], &t->due);
}

void envme_selftest_fini(struct envme_ctrl *ctrl)
{
    struct envme_selftest *t = test_of(ctrl);

    g_free(t->nsids);
    free(t->buf);
    g_free(t);
}
