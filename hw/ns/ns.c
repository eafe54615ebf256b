/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "envme/bytes.h"
#include "hw/ns/layout.h"
#include "hw/ns/ns.h"

/* ---- parameters ------------------------------------------------------ */

static uint32_t ns_pow2_near(uint32_t v, uint32_t min, uint32_t max)
{
    uint32_t p = min;

    while (p < max && p < v) {
        p <<= 1;
    }
    /* Between p / 2 and p: whichever is nearer. */
    if (p > min && v < p && p - v > v - p / 2) {
        p >>= 1;
    }
    return p;
}

static uint32_t ns_multiple_near(uint32_t v, uint32_t unit)
{
    uint32_t down = v - v % unit;

    if (down == 0 || (v - down >= unit - v % unit &&
                      down <= UINT32_MAX - unit)) {
        return down + unit;
    }
    return down;
}

/* A size in bytes that has to be a multiple of unit; 0 is "not told". */
static bool ns_check_multiple(const char *prop, uint32_t v, uint32_t unit,
                              const char *unit_prop, char **err)
{
    if (v % unit == 0) {
        return true;
    }
    *err = g_strdup_printf("%s=%u is not a multiple of %s=%u; the nearest "
                           "valid value is %u", prop, v, unit_prop, unit,
                           ns_multiple_near(v, unit));
    return false;
}

static bool ns_check_sizes(const struct envme_ns_params *p, char **err)
{
    uint32_t lb = p->logical_block;

    if (!ENVME_IS_POW2(lb) || lb < 512 || lb > 65536) {
        *err = g_strdup_printf("logical_block_size=%u is not a power of two "
                               "from 512 to 65536; the nearest valid value is "
                               "%u", lb, ns_pow2_near(lb, 512, 65536));
        return false;
    }
    if (p->physical_block && (!ENVME_IS_POW2(p->physical_block) ||
                              p->physical_block < lb ||
                              p->physical_block > 1u << 21)) {
        *err = g_strdup_printf("physical_block_size=%u is not a power of two "
                               "from logical_block_size=%u to 2097152; the "
                               "nearest valid value is %u", p->physical_block,
                               lb, ns_pow2_near(p->physical_block, lb,
                                                1u << 21));
        return false;
    }
    return ns_check_multiple("min_io_size", p->min_io, lb,
                             "logical_block_size", err) &&
           ns_check_multiple("opt_io_size", p->opt_io, lb,
                             "logical_block_size", err) &&
           ns_check_multiple("discard_granularity", p->discard_granularity,
                             lb, "logical_block_size", err);
}

static bool ns_check(const struct envme_ns_params *p,
                     const struct envme_geometry *geo, char **err)
{
    if (!ns_check_sizes(p, err)) {
        return false;
    }
    if (p->logical_block % geo->align) {
        *err = g_strdup_printf("logical_block_size=%u is below what the "
                               "backend can address; the nearest valid value "
                               "is %u", p->logical_block, geo->align);
        return false;
    }
    if (p->ms % geo->align) {
        *err = g_strdup_printf("ms=%u needs a backend that can address less "
                               "than %u bytes; the nearest valid value is %u",
                               p->ms, geo->align,
                               p->ms / geo->align * geo->align);
        return false;
    }
    if (p->mset && !p->ms) {
        *err = g_strdup("mset=on without metadata; the nearest valid value "
                        "is off (or give ms, for example ms=8)");
        return false;
    }
    if (p->mcl < p->mssrl) {
        *err = g_strdup_printf("mcl=%u is below mssrl=%u; the nearest valid "
                               "value is %u", p->mcl, p->mssrl, p->mssrl);
        return false;
    }
    return true;
}

/* ---- formats --------------------------------------------------------- */

static void ns_add_lbaf(struct envme_ns *ns, uint8_t lbads, uint16_t ms)
{
    for (unsigned i = 0; i < ns->nlbaf; i++) {
        if (ns->lbaf[i].lbads == lbads && ns->lbaf[i].ms == ms) {
            return;
        }
    }
    if (envme_layout_align_ok(ns->geo.align, lbads, ms)) {
        g_assert(ns->nlbaf < ENVME_MAX_LBAF);
        ns->lbaf[ns->nlbaf++] = (struct envme_ns_lbaf){
            .lbads = lbads, .ms = ms };
    }
}

/* The usual formats, then the one asked for if it is none of them. */
static void ns_make_formats(struct envme_ns *ns, uint8_t lbads, uint16_t ms)
{
    static const uint8_t sizes[] = { 9, 12 };
    static const uint16_t metas[] = { 0, 8, 16, 64 };

    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(sizes); i++) {
        for (unsigned j = 0; j < ENVME_ARRAY_SIZE(metas); j++) {
            ns_add_lbaf(ns, sizes[i], metas[j]);
        }
    }
    ns_add_lbaf(ns, lbads, ms);
    for (unsigned i = 0; i < ns->nlbaf; i++) {
        if (ns->lbaf[i].lbads == lbads && ns->lbaf[i].ms == ms) {
            ns->flbas = i;
        }
    }
}

/* ---- namespace ------------------------------------------------------- */

struct envme_ns *envme_ns_new(const struct envme_ns_params *params,
                              struct envme_backend *be, char **err)
{
    struct envme_geometry geo = { 0 };
    struct envme_layout layout;
    struct envme_ns *ns;
    uint8_t lbads;

    be->ops->geometry(be, &geo);
    g_assert(ENVME_IS_POW2(geo.align) && geo.align <= 65536);
    if (!ns_check(params, &geo, err)) {
        return NULL;
    }
    lbads = __builtin_ctz(params->logical_block);
    layout = envme_layout_fit(geo.size, lbads, params->ms);
    if (!layout.nsze) {
        *err = g_strdup_printf("the backend has %" G_GUINT64_FORMAT " bytes, "
                               "too few for one block of "
                               "logical_block_size=%u and ms=%u", geo.size,
                               params->logical_block, params->ms);
        return NULL;
    }

    ns = g_new0(struct envme_ns, 1);
    ns->params = *params;
    if (!ns->params.physical_block) {
        ns->params.physical_block = params->logical_block;
    }
    if (!ns->params.discard_granularity) {
        /* Files are rarely made holes in below this. */
        ns->params.discard_granularity = ENVME_MAX(ns->params.physical_block,
                                                   4096);
    }
    ns->nsid = params->nsid;
    ns->be = be;
    ns->geo = geo;
    ns->lbads = lbads;
    ns->ms = params->ms;
    ns->extended = params->mset;
    ns->moff = layout.moff;
    atomic_init(&ns->nsze, layout.nsze);
    atomic_init(&ns->nuse_hint, layout.nsze);
    atomic_init(&ns->read_only, geo.read_only);
    atomic_init(&ns->wce, geo.volatile_cache);
    ns_make_formats(ns, lbads, params->ms);
    g_mutex_init(&ns->lock);

    /* A cache that cannot be turned off stays on. */
    if (be->ops->set_cache &&
        be->ops->set_cache(be, params->write_cache) == 0) {
        atomic_store(&ns->wce, geo.volatile_cache && params->write_cache);
    }
    return ns;
}

void envme_ns_free(struct envme_ns *ns)
{
    if (!ns) {
        return;
    }
    g_assert(!ns->subsys && !ns->erase && !ns->nextents);
    g_mutex_clear(&ns->lock);
    g_free(ns);
}

bool envme_ns_refresh(struct envme_ns *ns)
{
    struct envme_geometry geo = { 0 };
    uint64_t old = ns->nsze, nsze;
    bool was_ro = ns->read_only;

    ns->be->ops->geometry(ns->be, &geo);
    nsze = envme_layout_refit(geo.size, ns->lbads, ns->ms, ns->moff, old);
    ns->geo.size = geo.size;
    atomic_store(&ns->nsze, nsze);
    atomic_store(&ns->nuse_hint, nsze);
    atomic_store(&ns->read_only, geo.read_only);
    return nsze != old || was_ro != geo.read_only;
}

bool envme_ns_set_format(struct envme_ns *ns, unsigned index, bool extended)
{
    const struct envme_ns_lbaf *f;
    struct envme_layout layout;

    if (index >= ns->nlbaf) {
        return false;
    }
    f = &ns->lbaf[index];
    layout = envme_layout_fit(ns->geo.size, f->lbads, f->ms);
    if (!layout.nsze) {
        return false;
    }
    ns->flbas = index;
    ns->lbads = f->lbads;
    ns->ms = f->ms;
    ns->extended = extended && f->ms;
    ns->moff = layout.moff;
    atomic_store(&ns->nsze, layout.nsze);
    atomic_store(&ns->nuse_hint, layout.nsze);
    return true;
}
