/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/fault/medium-job.h"

#include <string.h>

#include "hw/ctrl/life.h"
#include "hw/ctrl/pause.h"
#include "hw/ns/layout.h"

struct envme_ns *fault_medium_ns(struct envme_faults *f, uint64_t nsid)
{
    struct envme_ns *ns = envme_subsys_ns(f->ctrl->subsys,
                                          ENVME_MIN(nsid, UINT32_MAX));

    return ns && !ns->leaving ? ns : NULL;
}

static bool job_is_off(const struct medium_job *j)
{
    return j->f->dead || j->round != j->f->round;
}

static void job_free(struct medium_job *j)
{
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(j->part); i++) {
        g_free(j->part[i].buf);
    }
    fault_rule_unref(j->rule);
    fault_faults_unref(j->f);
    g_free(j);
}

static void job_over(struct medium_job *j, int err)
{
    struct envme_ctrl *ctrl = j->ctrl;

    if (err && !j->f->dead) {
        fault_note(j->f, "faults: blocks of NSID %u cannot be %s: %s",
                   j->ns->nsid, j->writing ? "written" : "read",
                   strerror(-err));
    }
    envme_resume(ctrl);
    envme_ns_unhold(j->ns);
    job_free(j);
    /* Last: somebody may wait for it to free the controller. */
    envme_life_background(ctrl, false);
}

static void job_done(struct envme_bio *bio, int err);

static int job_submit(struct medium_job *j)
{
    struct medium_part *p = &j->part[j->at];
    struct envme_backend *be = j->ns->be;

    if (!p->bytes) {
        return 0;
    }
    j->iov = (struct iovec){ p->buf, p->bytes };
    j->bio = (struct envme_bio){
        .op = j->writing ? ENVME_BIO_WRITE : ENVME_BIO_READ,
        .flags = j->writing && j->ns->geo.volatile_cache ? ENVME_BIO_FUA : 0,
        .offset = p->offset, .bytes = p->bytes, .iov = &j->iov, .niov = 1,
        .done = job_done, .opaque = j,
    };
    return be->ops->submit(be, &j->bio);
}

static void job_go(struct medium_job *j)
{
    int err = 0;

    while (!err) {
        if (j->at == ENVME_ARRAY_SIZE(j->part)) {
            if (j->writing || job_is_off(j) || !j->look(j)) {
                job_over(j, 0);
                return;
            }
            j->writing = true;
            j->at = 0;
        }
        err = job_submit(j);
        j->at++;
    }
    if (err != ENVME_BIO_PENDING) {
        job_over(j, err);
    }
}

static void job_done(struct envme_bio *bio, int err)
{
    struct medium_job *j = bio->opaque;

    if (err) {
        job_over(j, err);
    } else {
        job_go(j);
    }
}

static bool job_part(struct medium_part *p, uint64_t offset, uint64_t bytes)
{
    p->offset = offset;
    p->bytes = bytes;
    p->buf = g_try_malloc(bytes);
    return p->buf;
}

/* The blocks as they are now, or a sentence and false. */
static bool job_find(struct medium_job *j)
{
    struct envme_ns *ns = job_is_off(j) ? NULL : fault_medium_ns(j->f, j->nsid);
    uint64_t n = j->lba.hi - j->lba.lo + 1;

    if (!ns) {
        return false;
    }
    if (!envme_ns_range_ok(ns, j->lba.lo, n) ||
        j->lba.hi >= envme_ns_true_size(ns) || (!j->data && !ns->ms)) {
        fault_note(j->f, "faults: NSID %u has no such blocks%s", ns->nsid,
                   ns->ms ? "" : ", or no metadata");
        return false;
    }
    j->ns = ns;
    return (!j->data || job_part(&j->part[0], envme_layout_data(ns, j->lba.lo),
                                 envme_ns_blocks_to_bytes(ns, n))) &&
           (!j->md || !ns->ms || job_part(&j->part[1],
                                          envme_layout_md(ns, j->lba.lo),
                                          n * ns->ms));
}

static void job_drained(struct envme_ctrl *ctrl, void *arg)
{
    struct medium_job *j = arg;

    if (!job_find(j)) {
        envme_resume(ctrl);
        job_free(j);
        return;
    }
    envme_life_background(ctrl, true);
    envme_ns_hold(j->ns);
    job_go(j);
}

static void job_run(void *arg)
{
    struct medium_job *j = arg;

    if (j->f->dead) {
        job_free(j);
    } else {
        envme_pause(j->ctrl, true, NULL, job_drained, j);
    }
}

struct medium_job *fault_job_new(struct envme_faults *f, const void *args,
                                 uint64_t nsid, struct envme_schema_range lba,
                                 bool (*look)(struct medium_job *j))
{
    struct medium_job *j = g_new0(struct medium_job, 1);

    *j = (struct medium_job){
        .f = fault_faults_ref(f), .ctrl = f->ctrl,
        .rule = fault_rule_ref(f->doing), .args = args, .round = f->round,
        .nsid = nsid, .lba = lba, .look = look,
    };
    envme_defer(f->ctrl, 0, job_run, j);
    return j;
}
