/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ctrl/powercut.h"

#include "hw/ctrl/life.h"

struct power {
    struct envme_ctrl *ctrl;    /* who asked; not idle until it is over */
    struct envme_power_opts opts;
    struct envme_power_result res;
    GPtrArray *shut;            /* controllers that had been shut down */
    unsigned left;              /* controllers, then media; and us */
    unsigned medium;
    void (*done)(void *arg, const struct envme_power_result *res);
    void *arg;
};

struct power_medium {
    struct power *p;
    struct envme_ns *ns;        /* that came with it; held */
    unsigned index;
};

static void power_each_ctrl(struct power *p,
                            void (*fn)(struct power *p,
                                       struct envme_ctrl *ctrl))
{
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        if (p->ctrl->subsys->ctrl[i].ctrl) {
            fn(p, p->ctrl->subsys->ctrl[i].ctrl);
        }
    }
}

/* ---- what writes on a medium are made of ------------------------------- */

static uint64_t power_atomic(const struct power *p, const struct envme_ns *ns)
{
    uint64_t most = ns->params.nawupf;

    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        const struct envme_ctrl *c = p->ctrl->subsys->ctrl[i].ctrl;

        most = c ? ENVME_MAX(most, c->params.awupf) : most;
    }
    return envme_ns_blocks_to_bytes(ns, most + 1);
}

/* One that a host has made lies in pieces: writes with metadata are not torn
 * there, which is always allowed. */
static void power_zones_made(const struct power *p, const struct envme_ns *ns,
                             const struct envme_backend *be, GArray *zones)
{
    for (unsigned i = 0; i < ns->nextents; i++) {
        const struct envme_extent *e = &ns->extent[i];
        struct envme_crash_zone z = {
            .offset = e->offset, .bytes = e->len,
            .block = ns->ms ? 0 : 1u << ns->lbads,
            .atomic = power_atomic(p, ns),
        };

        if (e->member == be) {
            g_array_append_val(zones, z);
        }
    }
}

static void power_zones(const struct power *p, const struct envme_ns *ns,
                        const struct envme_backend *be, GArray *zones)
{
    struct envme_crash_zone z = {
        .bytes = envme_ns_blocks_to_bytes(ns, envme_ns_true_size(ns)),
        .block = 1u << ns->lbads, .ms = ns->ms, .moff = ns->moff,
        .atomic = power_atomic(p, ns),
    };

    if (ns->be != be) {
        power_zones_made(p, ns, be, zones);
        return;
    }
    if (ns->params.nabspf) {
        z.boundary = envme_ns_blocks_to_bytes(ns, ns->params.nabspf + 1u);
        z.boundary_at = envme_ns_blocks_to_bytes(ns, ns->params.nabo);
    }
    g_array_append_val(zones, z);
}

static GArray *power_all_zones(const struct power *p,
                               const struct envme_backend *be)
{
    const struct envme_subsys *s = p->ctrl->subsys;
    GArray *zones = g_array_new(FALSE, FALSE,
                                sizeof(struct envme_crash_zone));

    for (uint32_t i = 1; i <= s->nn; i++) {
        if (s->ns[i]) {
            power_zones(p, s->ns[i], be, zones);
        }
    }
    return zones;
}

/* ---- media ------------------------------------------------------------- */

static GArray *power_choose(void *arg, const struct envme_vwc_view *view)
{
    struct power_medium *m = arg;
    struct power *p = m->p;
    struct envme_power_image img = {
        .be = m->ns->be, .view = view, .nsid = m->ns->nsid,
    };
    GArray *zones = power_all_zones(p, m->ns->be), *pieces;
    struct envme_crash_opts opts = p->opts.crash;
    uint64_t seed = p->opts.seed + m->index;
    struct envme_geometry geo = { 0 };
    struct envme_crash *c;
    uint8_t *kept;

    /* Nothing finer than this can be written. */
    m->ns->be->ops->geometry(m->ns->be, &geo);
    if (opts.tear_size) {
        opts.tear_size = ENVME_MAX(opts.tear_size, geo.align);
    }
    c = envme_crash_new(view->crash, view->n,
                        (struct envme_crash_zone *)zones->data, zones->len,
                        &opts);

    if (p->opts.enumerate) {
        GPtrArray *all = envme_crash_enumerate(c, p->opts.enumerate, seed);

        for (; img.index < all->len; img.index++) {
            pieces = envme_crash_outcome(c, all->pdata[img.index]);
            img.pieces = pieces;
            p->opts.image(p->opts.opaque, &img);
            g_array_unref(pieces);
        }
        p->res.images += all->len;
        g_ptr_array_unref(all);
    }
    kept = envme_crash_choose(c, p->opts.lose, seed);
    pieces = envme_crash_outcome(c, kept);
    p->res.media++;
    p->res.requests += view->n;
    p->res.pieces += pieces->len;
    g_free(kept);
    g_array_unref(zones);
    envme_crash_free(c);
    return pieces;
}

static void power_ctrl_on(struct power *p, struct envme_ctrl *ctrl)
{
    ctrl->csts &= ~ENVME_CSTS_NSSRO;
    if (ctrl->tables->ctrl_power) {
        ctrl->tables->ctrl_power(ctrl, g_ptr_array_find(p->shut, ctrl, NULL));
    }
}

static void power_ctrl_back(struct power *p, struct envme_ctrl *ctrl)
{
    (void)p;
    envme_life_power(ctrl, true);
}

static void power_medium_over(struct power *p)
{
    struct envme_ctrl *ctrl = p->ctrl;

    if (--p->left) {
        return;
    }
    p->done(p->arg, &p->res);
    power_each_ctrl(p, power_ctrl_back);
    g_ptr_array_unref(p->shut);
    g_free(p);
    envme_life_background(ctrl, false);
}

static void power_medium_cut(void *arg, int err)
{
    struct power_medium *m = arg;
    struct power *p = m->p;

    p->res.err = p->res.err ? p->res.err : err;
    envme_ns_unhold(m->ns);
    g_free(m);
    power_medium_over(p);
}

static void power_media(void *arg)
{
    struct power *p = arg;
    const GPtrArray *media = p->ctrl->subsys->media;

    power_each_ctrl(p, power_ctrl_on);
    p->left = 1;
    for (unsigned i = 0; i < media->len; i++) {
        struct envme_ns *ns = media->pdata[i];
        struct power_medium *m;

        if (!envme_vwc_is(ns->be)) {
            continue;
        }
        m = g_new(struct power_medium, 1);
        *m = (struct power_medium){ .p = p, .ns = ns, .index = i };
        envme_ns_hold(ns);
        p->left++;
        envme_vwc_cut(ns->be, power_choose, power_medium_cut, m);
    }
    power_medium_over(p);
}

/* ---- controllers ------------------------------------------------------- */

static void power_ctrl_down(void *arg)
{
    struct power *p = arg;

    if (--p->left == 0) {
        envme_life_background(p->ctrl, true);
        if (p->opts.when_able) {
            p->opts.when_able(p->opts.opaque, power_media, p);
        } else {
            power_media(p);
        }
    }
}

static void power_note_shut(struct power *p, struct envme_ctrl *ctrl)
{
    if (FIELD_GET(ENVME_CSTS_SHST, ctrl->csts) == ENVME_CSTS_SHST_COMPLETE) {
        g_ptr_array_add(p->shut, ctrl);
    }
}

static void power_ctrl_off(struct power *p, struct envme_ctrl *ctrl)
{
    p->left++;
    envme_life_power(ctrl, false);
    envme_ctrl_reset(ctrl, ENVME_RESET_FUNCTION, power_ctrl_down, p);
}

void envme_power_cut(struct envme_ctrl *ctrl,
                     const struct envme_power_opts *opts,
                     void (*done)(void *arg,
                                  const struct envme_power_result *res),
                     void *arg)
{
    struct power *p = g_new0(struct power, 1);

    p->ctrl = ctrl;
    p->opts = *opts;
    p->shut = g_ptr_array_new();
    p->done = done;
    p->arg = arg;
    p->left = 1;
    power_each_ctrl(p, power_note_shut);
    power_each_ctrl(p, power_ctrl_off);
    power_ctrl_down(p);
}
