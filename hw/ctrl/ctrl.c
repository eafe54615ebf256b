/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/ctrl.h"

#include "hw/ctrl/bootread.h"
#include "hw/ctrl/cmem.h"
#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/errlog.h"
#include "hw/ctrl/event.h"
#include "hw/ctrl/feature.h"
#include "hw/ctrl/keep.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/life.h"
#include "hw/ctrl/pace.h"
#include "hw/ctrl/pause.h"
#include "hw/ctrl/power.h"
#include "hw/ctrl/regs.h"

/* 29 C, what a drive has that does nothing. */
#define CTRL_TEMPERATURE_K 302
#define CTRL_HMPRE_MAX 65536u   /* 4 KiB */

/* ---- namespaces -------------------------------------------------------- */

struct ctrl_set_ns {
    uint32_t nsid;
    struct envme_ns *ns;
    void (*done)(void *arg);
    void *arg;
};

static void ctrl_set_ns_parked(struct envme_ctrl *ctrl, void *arg)
{
    struct ctrl_set_ns *s = arg;

    ctrl->ns[s->nsid] = s->ns;
    if (s->ns) {
        envme_feature_reset_ns(ctrl, s->ns);
        envme_feature_restore(ctrl, s->ns);
    }
    envme_resume(ctrl);
    envme_event_ns_changed(ctrl, s->nsid);
    if (s->done) {
        s->done(s->arg);
    }
    g_free(s);
}

static void ctrl_set_ns(void *opaque, uint32_t nsid, struct envme_ns *ns,
                        void (*done)(void *arg), void *arg)
{
    struct ctrl_set_ns *s = g_new(struct ctrl_set_ns, 1);

    *s = (struct ctrl_set_ns){
        .nsid = nsid, .ns = ns, .done = done, .arg = arg,
    };
    /* Drained: no command in flight keeps a pointer to what goes. */
    envme_pause(opaque, true, NULL, ctrl_set_ns_parked, s);
}

static void ctrl_ns_changed(void *opaque, uint32_t nsid)
{
    envme_event_ns_changed(opaque, nsid);
}

static void ctrl_alloc_changed(void *opaque, uint32_t nsid)
{
    envme_event_alloc_changed(opaque, nsid);
}

static void ctrl_ns_lost(void *opaque, uint32_t nsid)
{
    struct envme_ctrl *ctrl = opaque;

    if (ctrl->tables->ns_lost) {
        ctrl->tables->ns_lost(ctrl, nsid);
    }
}

static void ctrl_ns_deleted(void *opaque, uint32_t nsid)
{
    envme_feature_forget_ns(opaque, nsid);
}

struct ctrl_drain {
    void (*done)(void *arg);
    void *arg;
};

static void ctrl_drained(struct envme_ctrl *ctrl, void *arg)
{
    struct ctrl_drain *d = arg;

    envme_resume(ctrl);
    d->done(d->arg);
    g_free(d);
}

static void ctrl_drain(void *opaque, void (*done)(void *arg), void *arg)
{
    struct ctrl_drain *d = g_new(struct ctrl_drain, 1);

    *d = (struct ctrl_drain){ .done = done, .arg = arg };
    envme_pause(opaque, true, NULL, ctrl_drained, d);
}

struct ctrl_flush {
    struct envme_ctrl *ctrl;
    void (*done)(void *arg, int err);
    void *arg;
};

static void ctrl_flushed(void *arg, int err)
{
    struct ctrl_flush *f = arg;
    struct envme_ctrl *ctrl = f->ctrl;

    f->done(f->arg, err);
    g_free(f);
    envme_life_background(ctrl, false);
}

static void ctrl_flush(void *opaque, void (*done)(void *arg, int err),
                       void *arg)
{
    struct ctrl_flush *f = g_new(struct ctrl_flush, 1);

    *f = (struct ctrl_flush){ .ctrl = opaque, .done = done, .arg = arg };
    envme_life_background(f->ctrl, true);
    envme_keep_flush(f->ctrl, ctrl_flushed, f);
}

static const struct envme_iocs *ctrl_find_iocs(const void *arg, uint8_t csi)
{
    const struct envme_tables *t = arg;

    for (unsigned i = 0; i < t->niocs; i++) {
        if (t->iocs[i]->csi == csi) {
            return t->iocs[i];
        }
    }
    return NULL;
}

static const struct envme_subsys_ctrl_ops ctrl_subsys_ops = {
    .set_ns = ctrl_set_ns,
    .ns_changed = ctrl_ns_changed,
    .alloc_changed = ctrl_alloc_changed,
    .ns_lost = ctrl_ns_lost,
    .ns_deleted = ctrl_ns_deleted,
    .drain = ctrl_drain,
    .flush = ctrl_flush,
    .nssr = envme_life_subsys_reset,
};

/* ---- parameters -------------------------------------------------------- */

static char *ctrl_check_bp(const struct envme_ctrl_params *p,
                           const struct envme_subsys *subsys)
{
    const struct envme_bootpart *bp = subsys->bp;

    if (p->bp_units > ENVME_BOOTPART_MAX) {
        return g_strdup_printf("bp-size=%u: the most is %u (128 KiB each)",
                               p->bp_units, ENVME_BOOTPART_MAX);
    }
    if (p->bp_units && bp && bp->units != p->bp_units) {
        return g_strdup_printf("bp-size=%u: the controllers of a subsystem "
                               "share their boot partitions, which are "
                               "bp-size=%u", p->bp_units, bp->units);
    }
    for (unsigned i = 0; i < 2; i++) {
        size_t units = (p->bp_init_len[i] + ENVME_BOOTPART_UNIT - 1) /
                       ENVME_BOOTPART_UNIT;

        if (units > p->bp_units) {
            return g_strdup_printf("bp%u: %zu bytes do not fit into bp-size=%u"
                                   "; they need bp-size=%zu", i,
                                   p->bp_init_len[i], p->bp_units, units);
        }
    }
    return NULL;
}

static char *ctrl_check_params(const struct envme_ctrl_params *p,
                               const struct envme_ports *ports)
{
    if (p->mapped_rate < 1) {
        return g_strdup("mapped-rate=0: the least is 1");
    }
    if (p->max_ioqpairs < 1) {
        return g_strdup("max_ioqpairs=0: the least is 1");
    }
    if (p->mqes < 1) {
        return g_strdup("mqes=0: the least is 1 (queues of 2 entries)");
    }
    if (p->dstrd > 8) {
        return g_strdup_printf("dstrd=%u: the most is 8", p->dstrd);
    }
    if (p->mpsmax > 4) {
        return g_strdup_printf("mpsmax=%u: the most is 4 (64 KiB)", p->mpsmax);
    }
    if (p->nvectors < 1 || p->nvectors > 2048) {
        return g_strdup_printf("msix_qsize=%u: from 1 to 2048", p->nvectors);
    }
    if (p->lane_cmds < 2u * (p->aerl + 1u)) {
        return g_strdup_printf("lane_cmds=%u: the least is %u, twice the AER "
                               "limit", p->lane_cmds, 2u * (p->aerl + 1u));
    }
    if (p->mdts > 20) {
        return g_strdup_printf("mdts=%u: the most is 20 (4 GiB); 0 is no "
                               "limit", p->mdts);
    }
    if (p->awupf > p->awun) {
        return g_strdup_printf("atomic.awupf=%u is above atomic.awun=%u; the "
                               "nearest valid value is %u", p->awupf, p->awun,
                               p->awun);
    }
    if (p->timing.channels > ENVME_TIMING_CHANNELS) {
        return g_strdup_printf("channels=%u is out of range; the nearest valid "
                               "value is %u", p->timing.channels,
                               ENVME_TIMING_CHANNELS);
    }
    if (p->timing.stripe && p->timing.stripe < ENVME_TIMING_STRIPE_MIN) {
        return g_strdup_printf("channel-stripe=%u is out of range; the nearest "
                               "valid value is %u", p->timing.stripe,
                               ENVME_TIMING_STRIPE_MIN);
    }
    if (p->hmpre > CTRL_HMPRE_MAX) {
        return g_strdup_printf("hmpre=%u: the most is %u (256 MiB)", p->hmpre,
                               CTRL_HMPRE_MAX);
    }
    if (p->hmmin > p->hmpre) {
        return g_strdup_printf("hmmin=%u is above hmpre=%u; the nearest valid "
                               "value is %u", p->hmmin, p->hmpre, p->hmpre);
    }
    if (ports->exec.nlanes < 1) {
        return g_strdup("a controller has at least one lane");
    }
    return envme_cmem_check_params(p, ports);
}

/* Does any command set fuse commands? */
static bool ctrl_fuses(const struct envme_tables *t)
{
    for (unsigned i = 0; i < t->niocs; i++) {
        for (unsigned opc = 0; opc < 256; opc++) {
            if (t->iocs[i]->rows[opc].gate & ENVME_GATE_FUSED_1) {
                return true;
            }
        }
    }
    return false;
}

/* ---- made and freed ---------------------------------------------------- */

struct envme_ctrl *envme_ctrl_new(const struct envme_ctrl_params *params,
                                  struct envme_subsys *subsys,
                                  const struct envme_ports *ports,
                                  const struct envme_tables *tables,
                                  char **err)
{
    struct envme_ctrl *ctrl;
    int cntlid;

    *err = ctrl_check_params(params, ports);
    if (!*err) {
        *err = ctrl_check_bp(params, subsys);
    }
    if (*err) {
        return NULL;
    }
    ctrl = g_new0(struct envme_ctrl, 1);
    cntlid = envme_subsys_add_ctrl(subsys, &ctrl_subsys_ops, ctrl);
    if (cntlid < 0) {
        *err = g_strdup_printf("subsys: it has %d controllers, the most there "
                               "can be", ENVME_MAX_CTRLS);
        g_free(ctrl);
        return NULL;
    }
    ctrl->params = *params;
    ctrl->ports = *ports;
    envme_cmem_init(ctrl);
    atomic_init(&ctrl->dma, &ctrl->ports.dma);
    ctrl->tables = tables;
    ctrl->subsys = subsys;
    subsys->find_iocs = ctrl_find_iocs;
    subsys->find_iocs_arg = tables;
    ctrl->cntlid = cntlid;
    ctrl->fuses = ctrl_fuses(tables);
    ctrl->temperature = params->temperature ? params->temperature
                                            : CTRL_TEMPERATURE_K;
    ctrl->power_on_ms = ports->time.wall_ms(ports->time.opaque);
    ctrl->power_cycles = 1;
    ctrl->nsqa = ctrl->ncqa = params->max_ioqpairs - 1;
    ctrl->ns = g_new0(struct envme_ns *, subsys->nn + 1);
    ctrl->nlanes = ports->exec.nlanes;
    ctrl->lane = g_new0(struct envme_lane, ctrl->nlanes);
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        envme_lane_init(ctrl, i);
    }
    ctrl->vector_cd = g_malloc0_n(params->nvectors,
                                  sizeof(*ctrl->vector_cd));
    g_queue_init(&ctrl->pauses);
    g_queue_init(&ctrl->idle_waiters);
    envme_pace_init(ctrl);
    envme_power_init(ctrl);
    envme_doorbell_init(ctrl);
    envme_regs_init(ctrl);
    envme_bootread_init(ctrl);
    envme_errlog_init(ctrl);
    envme_event_init(ctrl);
    envme_feature_init(ctrl);
    if (tables->ctrl_init) {
        tables->ctrl_init(ctrl);
    }
    envme_feature_restore(ctrl, NULL);
    envme_subsys_attach_all(subsys, cntlid);
    return ctrl;
}

void envme_ctrl_leave(struct envme_ctrl *ctrl)
{
    assert(envme_ctrl_idle(ctrl));
    if (ctrl->tables->ctrl_leave) {
        ctrl->tables->ctrl_leave(ctrl);
    }
    envme_subsys_remove_ctrl(ctrl->subsys, ctrl->cntlid);
    for (uint32_t nsid = 1; nsid <= ctrl->subsys->nn; nsid++) {
        ctrl->ns[nsid] = NULL;
    }
}

void envme_ctrl_free(struct envme_ctrl *ctrl)
{
    assert(envme_ctrl_idle(ctrl) && g_queue_is_empty(&ctrl->pauses) &&
           !ctrl->waits);
    if (ctrl->tables->ctrl_fini) {
        ctrl->tables->ctrl_fini(ctrl);
    }
    envme_power_fini(ctrl);
    envme_feature_fini(ctrl);
    envme_event_fini(ctrl);
    envme_errlog_fini(ctrl);
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        envme_lane_fini(&ctrl->lane[i]);
    }
    envme_doorbell_fini(ctrl);
    envme_pace_fini(ctrl);
    envme_cmem_fini(ctrl);
    g_free(ctrl->vector_cd);
    g_free(ctrl->lane);
    g_free(ctrl->ns);
    g_free(ctrl);
}

/* ---- bus mastering ----------------------------------------------------- */

void envme_ctrl_set_bme(struct envme_ctrl *ctrl, bool on)
{
    atomic_store(&ctrl->bme, on);
    if (on) {
        envme_bootread_resume(ctrl);
        envme_shadow_look_all(ctrl);
    } else {
        envme_ctrl_doorbells_check(ctrl);
    }
}

bool envme_ctrl_quiet(struct envme_ctrl *ctrl)
{
    for (unsigned i = 0; i < ctrl->nlanes; i++) {
        if (atomic_load(&ctrl->lane[i].nmapped)) {
            return false;
        }
    }
    return true;
}
