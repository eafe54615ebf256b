/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/capacity.h"

#include <errno.h>
#include <string.h>

#include "envme/bytes.h"
#include "hw/ns/roster.h"
#include "hw/ns/slice.h"

/* ---- media ------------------------------------------------------------- */

static struct envme_geometry capacity_geometry(struct envme_backend *be)
{
    struct envme_geometry geo = { 0 };

    be->ops->geometry(be, &geo);
    geo.size -= geo.size % geo.align;
    return geo;
}

static void capacity_take_all(struct envme_subsys *s, struct envme_ns *ns,
                              uint64_t size)
{
    struct envme_extent e = { .member = ns->be, .len = size };

    if (size) {
        bool taken = envme_pool_take(s->pool, &e);

        g_assert(taken);
        ns->extent = g_memdup2(&e, sizeof(e));
        ns->nextents = 1;
    }
}

static void capacity_give_extents(struct envme_subsys *s, struct envme_ns *ns)
{
    envme_pool_give(s->pool, ns->extent, ns->nextents);
    g_free(ns->extent);
    ns->extent = NULL;
    ns->nextents = 0;
}

void envme_capacity_init(struct envme_subsys *s)
{
    s->made_like = (struct envme_ns_params){
        .mssrl = 128, .mcl = 128, .msrc = 127,
    };
}

void envme_capacity_join(struct envme_subsys *s, struct envme_ns *ns)
{
    struct envme_geometry geo = capacity_geometry(ns->be);

    if (!s->media->len) {
        s->made_like = ns->params;
    }
    g_ptr_array_add(s->media, ns);
    envme_pool_add(s->pool, ns->be, geo.size);
    envme_pool_set_usable(s->pool, ns->be, !geo.read_only);
    if (!ns->gone) {
        capacity_take_all(s, ns, geo.size);
    }
}

struct envme_ns *envme_capacity_next_medium(const struct envme_subsys *s,
                                            uint32_t medium)
{
    struct envme_ns *next = NULL;

    for (unsigned i = 0; i < s->media->len; i++) {
        struct envme_ns *ns = s->media->pdata[i];

        if (ns->medium >= medium && (!next || ns->medium < next->medium)) {
            next = ns;
        }
    }
    return next;
}

struct envme_ns *envme_capacity_medium(const struct envme_subsys *s,
                                       uint32_t medium)
{
    struct envme_ns *ns = envme_capacity_next_medium(s, medium);

    return ns && ns->medium == medium ? ns : NULL;
}

struct envme_ns *envme_capacity_owner(const struct envme_subsys *s,
                                      const void *member)
{
    for (unsigned i = 0; i < s->media->len; i++) {
        struct envme_ns *ns = s->media->pdata[i];

        if (ns->be == member) {
            return ns;
        }
    }
    g_assert_not_reached();
}

static struct envme_backend *capacity_backend(const struct envme_subsys *s,
                                              unsigned i)
{
    return ((struct envme_ns *)s->media->pdata[i])->be;
}

void envme_capacity_close(struct envme_subsys *s, struct envme_ns *ns)
{
    envme_pool_set_usable(s->pool, ns->be, false);
    ns->closing = true;
    envme_roster_close(s, ns);
}

void envme_capacity_leave(struct envme_subsys *s, struct envme_ns *ns)
{
    envme_pool_remove(s->pool, ns->be);
    g_ptr_array_remove(s->media, ns);
    ns->medium = 0;
}

static void capacity_free(struct envme_ns *ns)
{
    struct envme_backend *be = ns->be;

    g_free(ns->extent);
    ns->nextents = 0;
    ns->subsys = NULL;
    envme_ns_free(ns);
    be->ops->close(be);
}

void envme_capacity_give(struct envme_subsys *s, struct envme_ns *ns)
{
    if (ns->made && ns->kept) {
        envme_roster_part(s, ns);
    } else {
        capacity_give_extents(s, ns);
    }
    if (ns->made) {
        capacity_free(ns);
    }
}

void envme_capacity_resized(struct envme_subsys *s, struct envme_ns *ns)
{
    struct envme_geometry geo = capacity_geometry(ns->be);

    if (!envme_pool_has(s->pool, ns->be)) {
        return;
    }
    if (ns->nextents) {
        capacity_give_extents(s, ns);
        envme_pool_resize(s->pool, ns->be, geo.size);
        capacity_take_all(s, ns, geo.size);
    } else {
        envme_pool_resize(s->pool, ns->be, geo.size);
    }
    envme_pool_set_usable(s->pool, ns->be, !geo.read_only);
}

bool envme_capacity_uses(const struct envme_ns *made,
                         const struct envme_ns *ns)
{
    for (unsigned i = 0; made->made && i < made->nextents; i++) {
        if (made->extent[i].member == ns->be) {
            return true;
        }
    }
    return false;
}

unsigned envme_capacity_users(const struct envme_subsys *s,
                              const struct envme_ns *ns)
{
    unsigned n = 0;

    for (uint32_t i = 1; i <= s->nn; i++) {
        n += s->ns[i] && envme_capacity_uses(s->ns[i], ns);
    }
    for (unsigned i = 0; i < s->unlisted->len; i++) {
        n += envme_capacity_uses(s->unlisted->pdata[i], ns);
    }
    return n;
}

uint64_t envme_capacity_total(const struct envme_subsys *s)
{
    return envme_pool_total(s->pool);
}

uint64_t envme_capacity_unused(const struct envme_subsys *s)
{
    return envme_pool_unused(s->pool);
}

/* ---- what a namespace made here looks like ----------------------------- */

/* Of all media: an index means the same format wherever a namespace lies. */
static uint32_t capacity_align(const struct envme_subsys *s)
{
    uint32_t align = 1;

    for (unsigned i = 0; i < s->media->len; i++) {
        align = ENVME_MAX(align,
                          capacity_geometry(capacity_backend(s, i)).align);
    }
    return align;
}

static uint32_t capacity_multiple(uint32_t v, uint32_t unit)
{
    return v % unit ? 0 : v;
}

/* What stands in params of the namespace that came first, as far as it is a
 * property of the drive. */
static struct envme_ns_params capacity_params(const struct envme_subsys *s,
                                              uint32_t align)
{
    const struct envme_ns_params *like = &s->made_like;
    uint32_t lb = ENVME_MAX(512u, align);

    return (struct envme_ns_params){
        .detached = true, .logical_block = lb,
        .physical_block = ENVME_MAX(lb, like->physical_block),
        .min_io = capacity_multiple(like->min_io, lb),
        .opt_io = capacity_multiple(like->opt_io, lb),
        .discard_granularity = capacity_multiple(like->discard_granularity,
                                                 lb),
        .mssrl = like->mssrl, .mcl = like->mcl, .msrc = like->msrc,
        .write_cache = like->write_cache,
    };
}

static void model_geometry(struct envme_backend *be,
                           struct envme_geometry *geo)
{
    (void)be;
    (void)geo;                  /* of no medium: see below */
}

static const struct envme_backend_ops model_ops = {
    .name = "model", .geometry = model_geometry,
};

struct envme_ns *envme_capacity_model(const struct envme_subsys *s)
{
    static struct envme_backend nothing = { .ops = &model_ops };
    uint32_t align = capacity_align(s);
    struct envme_ns_params p = capacity_params(s, align);
    struct envme_slice_part part = { .be = &nothing, .len = 1u << 20 };
    struct envme_backend *be = envme_slice_new(&part, 1, align);
    struct envme_ns *ns;
    char *err = NULL;

    ns = envme_ns_new(&p, be, &err);
    g_assert(ns);               /* every part of p was made to fit */
    for (unsigned i = 0; i < s->media->len; i++) {
        ns->geo.discard |=
            capacity_geometry(capacity_backend(s, i)).discard;
    }
    ns->be = &nothing;
    atomic_store(&ns->io, &nothing);
    be->ops->close(be);
    return ns;
}

/* ---- making ------------------------------------------------------------ */

static void capacity_give_uuid(struct envme_subsys *s, uint8_t uuid[16])
{
    uint64_t id[2] = { ++s->nmade, g_get_real_time() };

    envme_subsys_make_uuid(s, id, sizeof(id), uuid);
}

static struct envme_backend *capacity_slice(const struct envme_extent *ext,
                                            unsigned n, uint32_t align)
{
    struct envme_slice_part *parts = g_new(struct envme_slice_part, n);
    struct envme_backend *be;

    for (unsigned i = 0; i < n; i++) {
        parts[i] = (struct envme_slice_part){
            ext[i].member, ext[i].offset, ext[i].len,
        };
    }
    be = envme_slice_new(parts, n, align);
    g_free(parts);
    return be;
}

/* Bytes that it takes; false: more than can be said. */
static bool capacity_need(const struct envme_subsys *s,
                          const struct envme_capacity_req *req, uint64_t *need)
{
    struct envme_ns *model = envme_capacity_model(s);
    bool ok = envme_ns_can_format(model, req->format, req->pi_type);
    const struct envme_ns_lbaf *f = &model->lbaf[ok ? req->format : 0];
    uint64_t block = (UINT64_C(1) << f->lbads) + f->ms;

    *need = req->nsze > UINT64_MAX / block ? UINT64_MAX : req->nsze * block;
    envme_ns_free(model);
    return ok;
}

/* On extents that are taken; n > 0. NULL: they are too few bytes. */
static struct envme_ns *capacity_new(struct envme_subsys *s,
                                     const struct envme_ns_params *p,
                                     const struct envme_iocs *iocs,
                                     const struct envme_extent *ext,
                                     unsigned n, uint32_t align)
{
    struct envme_backend *be = capacity_slice(ext, n, align);
    char *err = NULL;
    struct envme_ns *ns = envme_ns_new(p, be, &err);

    if (!ns) {
        g_free(err);            /* too small for a block of 512 bytes */
        be->ops->close(be);
        return NULL;
    }
    ns->iocs = iocs;
    ns->extent = g_memdup2(ext, n * sizeof(*ext));
    ns->nextents = n;
    ns->made = true;
    ns->subsys = s;
    g_ptr_array_add(s->unlisted, ns);
    return ns;
}

struct envme_ns *envme_capacity_revive(struct envme_subsys *s,
                                       const struct envme_capacity_old *old,
                                       const struct envme_extent *ext,
                                       unsigned n)
{
    struct envme_ns_params p = capacity_params(s, old->align);
    const struct envme_iocs *iocs = NULL;

    if (s->find_iocs) {
        iocs = s->find_iocs(s->find_iocs_arg, old->csi);
        if (!iocs) {
            return NULL;
        }
    }
    /* What the media demand now: another driver's may be more. */
    for (unsigned i = 0; i < n; i++) {
        if (capacity_geometry(ext[i].member).align > old->align) {
            return NULL;
        }
    }
    p.csi = old->csi;
    p.shared = old->shared;
    return capacity_new(s, &p, iocs, ext, n, old->align);
}

void envme_capacity_bury(struct envme_subsys *s, struct envme_ns *ns)
{
    g_ptr_array_remove(s->unlisted, ns);
    capacity_free(ns);
}

int envme_capacity_make(struct envme_subsys *s,
                        const struct envme_capacity_req *req,
                        struct envme_ns **ns, uint64_t *need)
{
    uint32_t align = capacity_align(s);
    struct envme_ns_params p = capacity_params(s, align);
    struct envme_extent *ext = NULL;
    unsigned n = 0;
    bool ok;

    if (!capacity_need(s, req, need)) {
        return -EINVAL;
    }
    if (*need <= envme_pool_unused(s->pool)) {
        n = envme_pool_carve(s->pool, *need, align, &ext);
    }
    if (!n) {
        return -ENOSPC;
    }
    p.csi = req->csi;
    p.shared = req->shared;
    capacity_give_uuid(s, p.uuid);
    *ns = capacity_new(s, &p, req->iocs, ext, n, align);
    if (!*ns) {
        envme_pool_give(s->pool, ext, n);
        g_free(ext);
        return -ENOSPC;
    }
    g_free(ext);
    ok = envme_ns_set_format(*ns, req->format, req->extended, req->pi_type,
                             req->pi_first);
    g_assert(ok && atomic_load(&(*ns)->nsze) == req->nsze);
    return 0;
}
