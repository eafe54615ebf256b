/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "envme/bytes.h"
#include "envme/id-ns.h"
#include "hw/ns/sick.h"
#include "hw/ns/layout.h"
#include "hw/ns/hostdata.h"
#include "hw/ns/ns.h"

/* Intervals of unreadable blocks; a guest can make no more of them. */
#define NS_BAD_MAX (64u << 10)
/* Of suspect ones: what is between two of them can be so as well. */
#define NS_SUSPECT_MAX 1024

/* ---- parameters -------------------------------------------------------- */

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

/* Bits of the storage tag in the format that the parameters ask for. */
static uint8_t ns_sts(const struct envme_ns_params *p)
{
    return p->pif == ENVME_PIF_32B ? ENVME_MAX(p->pi_sts, 16) : p->pi_sts;
}

static bool ns_check_pi(const struct envme_ns_params *p, char **err)
{
    static const uint8_t most[] = { 32, 64, 48 };
    unsigned size = p->pif == ENVME_PIF_16B ? 8 : 16;

    if (p->pi > 3) {
        *err = g_strdup_printf("pi=%u is no type of protection information; "
                               "the nearest valid value is 3", p->pi);
        return false;
    }
    if (p->pil > 1) {
        *err = g_strdup_printf("pil=%u is neither 0 (last bytes of the "
                               "metadata) nor 1 (first bytes); the nearest "
                               "valid value is 1", p->pil);
        return false;
    }
    if (p->pif > ENVME_PIF_64B) {
        *err = g_strdup_printf("pif=%u is none of 0 (16b guard), 1 (32b) and "
                               "2 (64b); the nearest valid value is 2",
                               p->pif);
        return false;
    }
    if (p->pi_sts > most[p->pif]) {
        *err = g_strdup_printf("pi.sts=%u is more than a tuple with pif=%u "
                               "has room for; the nearest valid value is %u",
                               p->pi_sts, p->pif, most[p->pif]);
        return false;
    }
    if ((p->pi || p->pif || p->pi_sts) && p->ms < size) {
        *err = g_strdup_printf("ms=%u is too little metadata for protection "
                               "information with pif=%u; the nearest valid "
                               "value is %u", p->ms, p->pif, size);
        return false;
    }
    return true;
}

/* NVM 1.1, 2.1.4: the boundary holds a unit, and starts below its own size. */
static bool ns_check_atomic(const struct envme_ns_params *p, char **err)
{
    const struct {
        const char *prop, *other;
        uint16_t v, least, most;
    } c[] = {
        { "atomic.nawupf", "atomic.nawun", p->nawupf, 0, p->nawun },
        { "atomic.nabsn", "atomic.nawun", p->nabsn,
          p->nabsn ? p->nawun : 0, UINT16_MAX },
        { "atomic.nabspf", "atomic.nawupf", p->nabspf,
          p->nabspf ? p->nawupf : 0, UINT16_MAX },
        { "atomic.nabo", "atomic.nabsn", p->nabo, 0, p->nabsn },
    };

    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(c); i++) {
        if (c[i].v < c[i].least || c[i].v > c[i].most) {
            *err = g_strdup_printf("%s=%u does not fit %s; the nearest valid "
                                   "value is %u", c[i].prop, c[i].v,
                                   c[i].other, c[i].v < c[i].least ?
                                   c[i].least : c[i].most);
            return false;
        }
    }
    return true;
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
    if (!ns_check_pi(p, err) || !ns_check_atomic(p, err)) {
        return false;
    }
    if (!p->mssrl) {
        *err = g_strdup("mssrl=0: Copy takes a block at least; the nearest "
                        "valid value is 1");
        return false;
    }
    if (p->mcl < p->mssrl) {
        *err = g_strdup_printf("mcl=%u is below mssrl=%u; the nearest valid "
                               "value is %u", p->mcl, p->mssrl, p->mssrl);
        return false;
    }
    return true;
}

/* ---- formats ----------------------------------------------------------- */

static uint32_t ns_elbaf(unsigned pif, unsigned sts)
{
    return FIELD_SET(ENVME_ELBAF_PIF, pif) | FIELD_SET(ENVME_ELBAF_STS, sts);
}

static unsigned ns_add_lbaf(struct envme_ns *ns, uint8_t lbads, uint16_t ms,
                            uint32_t elbaf)
{
    for (unsigned i = 0; i < ns->nlbaf; i++) {
        if (ns->lbaf[i].lbads == lbads && ns->lbaf[i].ms == ms &&
            ns->lbaf[i].elbaf == elbaf) {
            return i;
        }
    }
    if (!envme_layout_align_ok(ns->geo.align, lbads, ms)) {
        return 0;
    }
    g_assert(ns->nlbaf < ENVME_MAX_LBAF);
    ns->lbaf[ns->nlbaf] = (struct envme_ns_lbaf){
        .lbads = lbads, .ms = ms, .elbaf = elbaf };
    return ns->nlbaf++;
}

/*
 * The usual formats, then the one asked for if it is none of them, then those
 * whose protection information has a larger guard; last the ones that only a
 * host which enables LBA Format Extensions sees.
 */
static void ns_make_formats(struct envme_ns *ns)
{
    static const uint8_t sizes[] = { 9, 12 };
    static const uint16_t metas[] = { 0, 8, 16, 64 };
    const struct envme_ns_params *p = &ns->params;
    const uint32_t qualified = ns_elbaf(ENVME_PIF_QUALIFIED, 16) |
                               FIELD_SET(ENVME_ELBAF_QPIF, ENVME_PIF_64B);

    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(sizes); i++) {
        for (unsigned j = 0; j < ENVME_ARRAY_SIZE(metas); j++) {
            ns_add_lbaf(ns, sizes[i], metas[j], 0);
        }
    }
    ns->flbas = ns_add_lbaf(ns, ns->lbads, ns->ms,
                            ns_elbaf(p->pif, ns_sts(p)));
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(sizes); i++) {
        for (unsigned j = 2; j < ENVME_ARRAY_SIZE(metas); j++) {
            ns_add_lbaf(ns, sizes[i], metas[j], ns_elbaf(ENVME_PIF_32B, 16));
            ns_add_lbaf(ns, sizes[i], metas[j], ns_elbaf(ENVME_PIF_64B, 0));
        }
    }
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(sizes); i++) {
        ns_add_lbaf(ns, sizes[i], 16, qualified);
    }
}

bool envme_ns_set_pi(struct envme_ns *ns, uint8_t type, bool first)
{
    struct envme_pi pi = {
        .type = type, .first = first, .ms = ns->ms, .block = 1u << ns->lbads,
    };

    if (!type) {
        ns->pi = (struct envme_pi){ 0 };
        return true;
    }
    if (!envme_pi_from_elbaf(&pi, ns->lbaf[ns->flbas].elbaf) ||
        !envme_pi_ok(&pi)) {
        return false;
    }
    pi.lbstm = pi.sts ? UINT64_MAX >> (64 - pi.sts) : 0;
    ns->pi = pi;
    return true;
}

/* ---- namespace --------------------------------------------------------- */

/* Whole blocks, and whole units of the medium. */
static uint32_t ns_granularity(uint32_t block, uint32_t unit)
{
    uint32_t least = ENVME_MAX(block, 4096);

    return unit > least && unit % least == 0 ? unit : least;
}

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
        /* Files are rarely made holes in below 4 KiB. */
        ns->params.discard_granularity =
            ns_granularity(ns->params.physical_block, geo.granularity);
    }
    ns->nsid = params->nsid;
    ns->be = be;
    atomic_init(&ns->io, be);
    ns->geo = geo;
    ns->lbads = lbads;
    ns->ms = params->ms;
    ns->extended = params->mset;
    ns->moff = layout.moff;
    atomic_init(&ns->nsze, layout.nsze);
    atomic_init(&ns->nuse_hint, layout.nsze);
    atomic_init(&ns->read_only, geo.read_only);
    atomic_init(&ns->wce, geo.volatile_cache);
    ns_make_formats(ns);
    if (!envme_ns_set_pi(ns, params->pi, params->pil)) {
        g_assert_not_reached();
    }
    g_mutex_init(&ns->lock);
    envme_rangeset_init(&ns->bad, NS_BAD_MAX);
    envme_rangeset_init(&ns->suspect, NS_SUSPECT_MAX);

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
    g_assert(!ns->ranges.head && !atomic_load(&ns->loose));
    envme_rangeset_fini(&ns->bad);
    envme_rangeset_fini(&ns->suspect);
    envme_ns_free_hostdata(ns);
    envme_ns_free_sick(ns);
    g_mutex_clear(&ns->lock);
    g_free(ns);
}

static void ns_set_size(struct envme_ns *ns, uint64_t nsze)
{
    if (ns->nsze_faked) {
        ns->nsze_true = nsze;
        return;
    }
    atomic_store(&ns->nsze, nsze);
    atomic_store(&ns->nuse_hint, nsze);
}

uint64_t envme_ns_true_size(const struct envme_ns *ns)
{
    return ns->nsze_faked ? ns->nsze_true : atomic_load(&ns->nsze);
}

bool envme_ns_fake_size(struct envme_ns *ns, uint64_t nsze)
{
    uint64_t truth = envme_ns_true_size(ns);

    if (ns->ms && nsze > truth) {
        return false;
    }
    ns->nsze_faked = false;
    ns_set_size(ns, nsze ? nsze : truth);
    ns->nsze_faked = nsze;
    ns->nsze_true = truth;
    return true;
}

void envme_ns_update_read_only(struct envme_ns *ns)
{
    atomic_store(&ns->read_only, ns->geo.read_only || ns->wps ||
                                 ns->ro_faked);
}

void envme_ns_fake_read_only(struct envme_ns *ns, bool on, uint16_t sf)
{
    ns->ro_faked = on;
    atomic_store(&ns->ro_sf, on ? sf : 0);
    envme_ns_update_read_only(ns);
}

bool envme_ns_refresh(struct envme_ns *ns)
{
    struct envme_geometry geo = { 0 };
    uint64_t old = envme_ns_true_size(ns), nsze;
    bool was_ro = ns->read_only;

    ns->be->ops->geometry(ns->be, &geo);
    nsze = envme_layout_refit(geo.size, ns->lbads, ns->ms, ns->moff, old);
    ns->geo.size = geo.size;
    ns_set_size(ns, nsze);
    ns->geo.read_only = geo.read_only;
    envme_ns_update_read_only(ns);
    return nsze != old || was_ro != ns->read_only;
}

/* ---- another format ---------------------------------------------------- */

bool envme_ns_can_format(const struct envme_ns *ns, unsigned index,
                         uint8_t pi_type)
{
    const struct envme_ns_lbaf *f;
    struct envme_pi pi = { .type = pi_type };

    if (index >= ns->nlbaf || pi_type > 3) {
        return false;
    }
    f = &ns->lbaf[index];
    pi.ms = f->ms;
    pi.block = 1u << f->lbads;
    return envme_layout_fit(ns->geo.size, f->lbads, f->ms).nsze &&
           (!pi_type || (envme_pi_from_elbaf(&pi, f->elbaf) &&
                         envme_pi_ok(&pi)));
}

int envme_ns_find_format(struct envme_ns *ns, const struct envme_ns_lbaf *f)
{
    for (unsigned i = 0; i < ns->nlbaf; i++) {
        if (ns->lbaf[i].lbads == f->lbads && ns->lbaf[i].ms == f->ms &&
            ns->lbaf[i].elbaf == f->elbaf) {
            return i;
        }
    }
    if (f->lbads < 9 || f->lbads > 16 || ns->nlbaf == ENVME_MAX_LBAF ||
        !envme_layout_align_ok(ns->geo.align, f->lbads, f->ms)) {
        return -1;
    }
    return ns_add_lbaf(ns, f->lbads, f->ms, f->elbaf);
}

bool envme_ns_set_layout(struct envme_ns *ns, uint64_t nsze, uint64_t moff)
{
    uint64_t fit = envme_layout_refit(ns->geo.size, ns->lbads, ns->ms, moff,
                                      nsze);

    if (fit < nsze || (ns->ms && nsze > moff >> ns->lbads)) {
        return false;
    }
    ns->moff = moff;
    atomic_store(&ns->nsze, fit);
    atomic_store(&ns->nuse_hint, fit);
    return true;
}

bool envme_ns_set_format(struct envme_ns *ns, unsigned index, bool extended,
                         uint8_t pi_type, bool pi_first)
{
    const struct envme_ns_lbaf *f;
    struct envme_layout layout;
    bool ok;

    if (!envme_ns_can_format(ns, index, pi_type)) {
        return false;
    }
    envme_ns_forget_bad(ns);
    f = &ns->lbaf[index];
    layout = envme_layout_fit(ns->geo.size, f->lbads, f->ms);
    ns->flbas = index;
    /* A look ahead in a queue may be at it: hw/ctrl/ahead.c. */
    __atomic_store_n(&ns->lbads, f->lbads, __ATOMIC_RELAXED);
    ns->ms = f->ms;
    ns->extended = extended && f->ms;
    ns->moff = layout.moff;
    ns->nsze_faked = false;     /* all of it is there again */
    ns_set_size(ns, layout.nsze);
    ok = envme_ns_set_pi(ns, pi_type, pi_first);
    g_assert(ok);
    return true;
}
