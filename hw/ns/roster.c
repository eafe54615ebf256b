/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envme/bytes.h"
#include "hw/ns/capacity.h"
#include "hw/ns/reformat.h"

#define ROSTER_VERSION 1
#define ROSTER_NAME 40

/* ---- records ----------------------------------------------------------- */

enum {
    RECORD_MADE       = 1 << 0,
    RECORD_SHARED     = 1 << 1,
    RECORD_CHOSEN     = 1 << 2, /* attached: counts */
    RECORD_FORMATTING = 1 << 3, /* next: counts */
};

enum {
    FORMAT_EXTENDED = 1 << 0,
    FORMAT_PI_FIRST = 1 << 1,
    FORMAT_UNMAP    = 1 << 2,
};

struct record_format {
    uint8_t flags, lbads, pi_type, rsvd;
    le16_t ms, rsvd2;
    le32_t elbaf;
};

struct record_extent {
    le32_t medium, rsvd;
    le64_t offset, len;
};

/* "ns/N/namespace" */
struct record_ns {
    le32_t version;
    uint8_t flags, csi, rsvd[2];
    struct record_format now, next;
    le64_t nsze, moff, lbstm, eui64;
    uint8_t uuid[16], nguid[16];
    le64_t attached[4];
    le32_t align, nextents;
    struct record_extent extent[];      /* of one that wasn't made: the medium */
};
_Static_assert(sizeof(struct record_ns) == 136, "on disk");

/* "medium/M" */
struct record_medium {
    le32_t version, nsid;
};

static void roster_ns_name(char name[ROSTER_NAME], uint32_t nsid)
{
    snprintf(name, ROSTER_NAME, "ns/%u/namespace", nsid);
}

static void roster_medium_name(char name[ROSTER_NAME], uint32_t medium)
{
    snprintf(name, ROSTER_NAME, "medium/%u", medium);
}

/* That of an NSID: bytes to be unreferenced, or NULL. What is in the state
 * has been checked. */
static GBytes *roster_get(const struct envme_subsys *s, uint32_t nsid,
                          const struct record_ns **r)
{
    char name[ROSTER_NAME];
    GBytes *b;

    roster_ns_name(name, nsid);
    b = envme_state_get(s->state, name);
    *r = b ? g_bytes_get_data(b, NULL) : NULL;
    return b;
}

bool envme_roster_reserved(const struct envme_subsys *s, uint32_t nsid)
{
    const struct record_ns *r;
    g_autoptr(GBytes) b = roster_get(s, nsid, &r);

    return b && !s->ns[nsid];
}

/* NSID that is kept for a medium; false: nothing is. */
static bool roster_get_medium(const struct envme_subsys *s, uint32_t medium,
                              uint32_t *nsid)
{
    struct record_medium m;
    char name[ROSTER_NAME];

    roster_medium_name(name, medium);
    envme_state_read(s->state, name, &m, sizeof(m));
    *nsid = le32_get(m.nsid);
    return le32_get(m.version) == ROSTER_VERSION;
}

static void roster_put_medium(const struct envme_subsys *s, uint32_t medium,
                              uint32_t nsid)
{
    struct record_medium m = { .version = le32(ROSTER_VERSION),
                               .nsid = le32(nsid) };
    char name[ROSTER_NAME];

    roster_medium_name(name, medium);
    envme_state_put(s->state, name, &m, sizeof(m));
}

static struct record_format roster_format(const struct envme_ns_lbaf *f,
                                          const struct envme_ns_format *to)
{
    return (struct record_format){
        .flags = (to->extended ? FORMAT_EXTENDED : 0) |
                 (to->pi_first ? FORMAT_PI_FIRST : 0) |
                 (to->may_unmap ? FORMAT_UNMAP : 0),
        .lbads = f->lbads, .pi_type = to->pi_type, .ms = le16(f->ms),
        .elbaf = le32(f->elbaf),
    };
}

void envme_roster_put(struct envme_ns *ns)
{
    struct envme_subsys *s = ns->subsys;
    unsigned n = ns->made ? ns->nextents : 1;
    size_t len = offsetof(struct record_ns, extent[n]);
    const struct envme_ns_format now = {
        .extended = ns->extended, .pi_type = ns->pi.type,
        .pi_first = ns->pi.first,
    };
    bool formatting = ns->formatting == ENVME_NS_FORMAT_BEGUN ||
                      ns->formatting == ENVME_NS_FORMAT_ERASING;
    g_autofree struct record_ns *r = NULL;
    char name[ROSTER_NAME];

    if (!s->state || !ns->nsid) {
        return;
    }
    r = g_malloc0(len);
    r->version = le32(ROSTER_VERSION);
    r->flags = (ns->made ? RECORD_MADE : 0) |
               (ns->params.shared ? RECORD_SHARED : 0) |
               (ns->chosen ? RECORD_CHOSEN : 0) |
               (formatting ? RECORD_FORMATTING : 0);
    r->csi = ns->params.csi;
    r->now = roster_format(&ns->lbaf[ns->flbas], &now);
    if (formatting) {
        r->next = roster_format(&ns->lbaf[ns->format.index], &ns->format);
    }
    r->nsze = le64(envme_ns_true_size(ns));
    r->moff = le64(ns->moff);
    r->lbstm = le64(ns->pi.lbstm);
    r->eui64 = le64(ns->params.eui64);
    memcpy(r->uuid, ns->params.uuid, sizeof(r->uuid));
    memcpy(r->nguid, ns->params.nguid, sizeof(r->nguid));
    for (unsigned i = 0; ns->chosen && i < G_N_ELEMENTS(r->attached); i++) {
        r->attached[i] = le64(ns->want[i]);
    }
    r->align = le32(ns->geo.align);
    r->nextents = le32(n);
    for (unsigned i = 0; i < n; i++) {
        r->extent[i].medium = le32(ns->made ?
            envme_capacity_owner(s, ns->extent[i].member)->medium :
            ns->medium);
        r->extent[i].offset = le64(ns->made ? ns->extent[i].offset : 0);
        r->extent[i].len = le64(ns->made ? ns->extent[i].len : ns->geo.size);
    }
    roster_ns_name(name, ns->nsid);
    envme_state_put(s->state, name, r, len);
    ns->kept = true;
}

void envme_roster_forget(struct envme_ns *ns)
{
    struct envme_subsys *s = ns->subsys;
    char prefix[ROSTER_NAME];

    if (!s->state) {
        return;
    }
    snprintf(prefix, sizeof(prefix), "ns/%u/", ns->nsid);
    envme_state_remove_all(s->state, prefix);
    ns->kept = false;
    if (!ns->made) {
        roster_put_medium(s, ns->medium, 0);
    }
}

/* ---- looking through it ------------------------------------------------ */

/* Made by a host, and on media that are not all there. */
struct roster_away {
    uint32_t nsid;
    char *wrong;                /* all are there, but: */
    unsigned n;
    struct roster_piece {
        uint32_t medium;
        uint64_t offset, len;
        void *taken;            /* of which member of the pool */
    } piece[];
};

static void roster_away_free(void *opaque)
{
    struct roster_away *a = opaque;

    g_free(a->wrong);
    g_free(a);
}

struct roster_check {
    struct envme_subsys *s;
    char *err;
};

static char *roster_damaged(const struct envme_subsys *s, const char *name,
                            const char *what)
{
    return g_strdup_printf("state=%s: record %s %s; put back a copy of the "
                           "file, or remove it to start fresh",
                           envme_state_path(s->state), name, what);
}

static bool roster_overlaps(const struct roster_piece *a,
                            const struct roster_piece *b)
{
    return a->medium == b->medium && a->offset < b->offset + b->len &&
           b->offset < a->offset + a->len;
}

/* A piece that lies where another one does. */
static bool roster_is_free(const struct envme_subsys *s,
                           const struct roster_piece *p)
{
    for (unsigned i = 0; i < s->away->len; i++) {
        const struct roster_away *a = s->away->pdata[i];

        for (unsigned k = 0; k < a->n; k++) {
            if (p != &a->piece[k] && roster_overlaps(p, &a->piece[k])) {
                return false;
            }
        }
    }
    return true;
}

static char *roster_check_pieces(const struct envme_subsys *s,
                                 const struct roster_away *a,
                                 const char *name, uint32_t align)
{
    for (unsigned i = 0; i < a->n; i++) {
        const struct roster_piece *p = &a->piece[i];

        if (!p->medium || !p->len ||
            p->offset > UINT64_MAX - p->len || !ENVME_IS_POW2(align) ||
            align > 65536 || (p->offset | p->len) % align) {
            return roster_damaged(s, name, "has a piece that cannot be");
        }
        if (!roster_is_free(s, p)) {
            return roster_damaged(s, name, "has capacity of another one");
        }
    }
    return NULL;
}

static struct roster_away *roster_away_new(uint32_t nsid, unsigned n)
{
    struct roster_away *a = g_malloc0(sizeof(*a) + n * sizeof(a->piece[0]));

    a->nsid = nsid;
    a->n = n;
    return a;
}

static void roster_load(struct roster_check *c, uint32_t nsid,
                        const char *name, const struct record_ns *r)
{
    struct roster_away *a = roster_away_new(nsid, le32_get(r->nextents));

    for (unsigned i = 0; i < a->n; i++) {
        a->piece[i].medium = le32_get(r->extent[i].medium);
        a->piece[i].offset = le64_get(r->extent[i].offset);
        a->piece[i].len = le64_get(r->extent[i].len);
    }
    g_ptr_array_add(c->s->away, a);
    c->err = roster_check_pieces(c->s, a, name, le32_get(r->align));
}

static void roster_look(void *arg, const char *name, GBytes *data)
{
    struct roster_check *c = arg;
    struct envme_subsys *s = c->s;
    const struct record_ns *r;
    uint64_t nsid;
    char *end;
    gsize len;

    nsid = g_ascii_strtoull(name + 3, &end, 10);
    if (c->err || strcmp(end, "/namespace")) {
        return;
    }
    r = g_bytes_get_data(data, &len);
    if (len < sizeof(le32_t) || le32_get(r->version) != ROSTER_VERSION) {
        /* To leave it out would be to give its capacity away. */
        c->err = roster_damaged(s, name, "is of a version that this is not "
                                "for");
    } else if (len < sizeof(*r) || !le32_get(r->nextents) ||
               len != sizeof(*r) + (uint64_t)le32_get(r->nextents) *
                      sizeof(r->extent[0])) {
        c->err = roster_damaged(s, name, "has a wrong length");
    } else if (!nsid || nsid > s->nn) {
        c->err = g_strdup_printf("state=%s: record %s is of a namespace above "
                                 "max-namespaces=%u; the least that fits is "
                                 "%" G_GUINT64_FORMAT,
                                 envme_state_path(s->state), name, s->nn,
                                 nsid);
    } else if (r->flags & RECORD_MADE) {
        roster_load(c, nsid, name, r);
    }
}

bool envme_roster_open(struct envme_subsys *s, char **err)
{
    struct roster_check c = { .s = s };

    envme_state_foreach(s->state, "ns/", roster_look, &c);
    if (c.err) {
        g_ptr_array_set_size(s->away, 0);
        *err = c.err;
    }
    return !c.err;
}

void envme_roster_free(struct envme_subsys *s)
{
    g_ptr_array_free(s->away, true);
}

void envme_roster_init(struct envme_subsys *s)
{
    s->away = g_ptr_array_new_with_free_func(roster_away_free);
}

char *envme_roster_missing(const struct envme_subsys *s)
{
    for (unsigned i = 0; i < s->away->len; i++) {
        const struct roster_away *a = s->away->pdata[i];

        if (a->wrong) {
            return g_strdup(a->wrong);
        }
        for (unsigned k = 0; k < a->n; k++) {
            if (!a->piece[k].taken) {
                return g_strdup_printf(
                    "state=%s: record ns/%u/namespace: the guest has made "
                    "that namespace on medium %u, which is not there; give "
                    "the subsystem its drive back (nsid=%u), or remove the "
                    "file to start fresh", envme_state_path(s->state),
                    a->nsid, a->piece[k].medium, a->piece[k].medium);
            }
        }
    }
    return NULL;
}

/* ---- media come -------------------------------------------------------- */

static bool roster_has_ids(const struct envme_ns_params *p)
{
    static const uint8_t none[16];

    return p->eui64 || memcmp(p->uuid, none, sizeof(none)) ||
           memcmp(p->nguid, none, sizeof(none));
}

/* The command line's identifiers count where it gives some. */
static void roster_apply_ids(struct envme_ns *ns, const struct record_ns *r)
{
    struct envme_ns_params *p = &ns->params;
    static const uint8_t none[16];

    if (p->nguid_auto && memcmp(r->nguid, none, sizeof(none))) {
        memcpy(p->nguid, r->nguid, sizeof(p->nguid));
    }
    if (!roster_has_ids(p)) {
        memcpy(p->uuid, r->uuid, sizeof(p->uuid));
        memcpy(p->nguid, r->nguid, sizeof(p->nguid));
        p->eui64 = le64_get(r->eui64);
    }
}

static int roster_find_format(struct envme_ns *ns,
                              const struct record_format *f)
{
    return envme_ns_find_format(ns, &(struct envme_ns_lbaf){
        .lbads = f->lbads, .ms = le16_get(f->ms),
        .elbaf = le32_get(f->elbaf),
    });
}

/* False: it cannot be so. */
static bool roster_apply(struct envme_ns *ns, const struct record_ns *r)
{
    int i = roster_find_format(ns, &r->now);

    if (i < 0 || !envme_ns_set_format(ns, i, r->now.flags & FORMAT_EXTENDED,
                                      r->now.pi_type,
                                      r->now.flags & FORMAT_PI_FIRST) ||
        !envme_ns_set_layout(ns, le64_get(r->nsze), le64_get(r->moff))) {
        return false;
    }
    ns->pi.lbstm &= le64_get(r->lbstm);
    roster_apply_ids(ns, r);
    ns->chosen = r->flags & RECORD_CHOSEN;
    for (unsigned k = 0; k < G_N_ELEMENTS(ns->want); k++) {
        ns->want[k] = le64_get(r->attached[k]);
    }
    ns->kept = true;
    if (!(r->flags & RECORD_FORMATTING)) {
        return true;
    }
    i = roster_find_format(ns, &r->next);
    if (i < 0) {
        return false;
    }
    ns->format = (struct envme_ns_format){
        .index = i, .extended = r->next.flags & FORMAT_EXTENDED,
        .pi_type = r->next.pi_type,
        .pi_first = r->next.flags & FORMAT_PI_FIRST,
        .may_unmap = r->next.flags & FORMAT_UNMAP,
    };
    envme_ns_format_resume(ns);
    return true;
}

/* The number of its medium; 0 and *err: there is none. */
static uint32_t roster_pick_medium(const struct envme_subsys *s,
                                   const struct envme_ns *ns, char **err)
{
    uint32_t m = ns->params.nsid;

    if (m && s->state && envme_capacity_medium(s, m)) {
        *err = g_strdup_printf("nsid=%u is that of a drive which is there "
                               "already; name another one", m);
        return 0;
    }
    for (m = m && m <= s->nn ? m : 1; envme_capacity_medium(s, m); m++) {
    }
    return m;
}

static bool roster_is_of(const struct record_ns *r, uint32_t medium)
{
    return !(r->flags & RECORD_MADE) &&
           le32_get(r->extent[0].medium) == medium;
}

/* What nobody has told: its own number, the lowest that is free otherwise. */
static uint32_t roster_pick_nsid(const struct envme_subsys *s, uint32_t medium)
{
    const struct record_ns *r;
    g_autoptr(GBytes) b = medium <= s->nn ? roster_get(s, medium, &r) : NULL;

    if (s->state && medium <= s->nn && !s->ns[medium] &&
        (!b || roster_is_of(r, medium))) {
        return medium;
    }
    for (uint32_t i = 1; i <= s->nn; i++) {
        if (!s->ns[i] && !envme_roster_reserved(s, i)) {
            return i;
        }
    }
    return 0;
}

static bool roster_check_nsid(const struct envme_subsys *s,
                              const struct envme_ns *ns, uint32_t nsid,
                              char **err)
{
    uint32_t low = roster_pick_nsid(s, s->nn + 1);

    if (!nsid || (!low && !(nsid <= s->nn && !s->ns[nsid]))) {
        *err = g_strdup_printf("all %u namespace identifiers are taken",
                               s->nn);
        return false;
    }
    if (nsid > s->nn) {
        *err = g_strdup_printf("nsid=%u is above %u, the highest that there "
                               "is; the nearest valid value is %u", nsid,
                               s->nn, s->ns[s->nn] ? low : s->nn);
        return false;
    }
    if (s->ns[nsid]) {
        *err = g_strdup_printf("nsid=%u is taken; the lowest free value is "
                               "%u", ns->params.nsid ? ns->params.nsid : nsid,
                               low);
        return false;
    }
    return true;
}

/* Everything that was made of its medium fits, and nothing if it has its own
 * namespace. */
static bool roster_check_medium(const struct envme_subsys *s,
                                const struct envme_ns *ns, char **err)
{
    uint64_t size = ns->geo.size - ns->geo.size % ns->geo.align;

    for (unsigned i = 0; i < s->away->len; i++) {
        const struct roster_away *a = s->away->pdata[i];

        for (unsigned k = 0; k < a->n; k++) {
            const struct roster_piece *p = &a->piece[k];

            if (p->medium != ns->medium) {
                continue;
            }
            if (!ns->nsid && p->offset + p->len <= size) {
                continue;
            }
            *err = g_strdup_printf(
                "state=%s: record ns/%u/namespace: the guest has made that "
                "namespace on medium %u, of which it has bytes up to %"
                G_GUINT64_FORMAT ", and the one given (nsid=%u) %s; give the "
                "right drive, or remove the file to start fresh",
                envme_state_path(s->state), a->nsid, ns->medium,
                p->offset + p->len, ns->medium,
                ns->nsid ? "has a namespace of its own" : "is smaller");
            return false;
        }
    }
    return true;
}

bool envme_roster_meet(struct envme_subsys *s, struct envme_ns *ns, char **err)
{
    g_autoptr(GBytes) b = NULL;
    const struct record_ns *r;
    uint32_t nsid;
    bool told;

    ns->chosen = ns->kept = ns->closing = false;
    memset(ns->want, 0, sizeof(ns->want));
    ns->medium = roster_pick_medium(s, ns, err);
    if (!ns->medium) {
        return false;
    }
    told = roster_get_medium(s, ns->medium, &nsid);
    if (!told) {
        nsid = ns->params.nsid ? ns->params.nsid
                               : roster_pick_nsid(s, ns->medium);
    }
    ns->nsid = nsid;
    if (!(told && !nsid) && !roster_check_nsid(s, ns, nsid, err)) {
        return false;
    }
    if (!roster_check_medium(s, ns, err)) {
        return false;
    }
    b = nsid ? roster_get(s, nsid, &r) : NULL;
    if (b && !roster_is_of(r, ns->medium)) {
        *err = g_strdup_printf(
            "nsid=%u: state=%s has a namespace of that number, made by the "
            "guest or of another drive (record ns/%u/namespace); name another "
            "one, or remove the file to start fresh", nsid,
            envme_state_path(s->state), nsid);
        return false;
    }
    if (b && !roster_apply(ns, r)) {
        *err = g_strdup_printf(
            "state=%s: record ns/%u/namespace: the namespace has %"
            G_GUINT64_FORMAT " blocks of 2^%u bytes and %u of metadata, and "
            "the drive given for it has %" G_GUINT64_FORMAT " bytes; give the "
            "right drive, or remove the file to start fresh",
            envme_state_path(s->state), nsid, le64_get(r->nsze), r->now.lbads,
            le16_get(r->now.ms), ns->geo.size);
        return false;
    }
    if (!told && nsid != ns->medium) {
        roster_put_medium(s, ns->medium, nsid);
    }
    return true;
}

/* ---- what was made ----------------------------------------------------- */

/* Takes what there is of it; true when that is all. */
static bool roster_take(struct envme_subsys *s, struct roster_away *a)
{
    bool all = true;

    for (unsigned i = 0; i < a->n; i++) {
        struct roster_piece *p = &a->piece[i];
        struct envme_ns *owner = envme_capacity_medium(s, p->medium);

        if (!p->taken && owner && !owner->closing) {
            struct envme_extent e = { owner->be, p->offset, p->len };
            bool ok = envme_pool_take(s->pool, &e);

            g_assert(ok);       /* checked when it came */
            p->taken = owner->be;
        }
        all &= p->taken != NULL;
    }
    return all;
}

static void roster_revive(struct envme_subsys *s, struct roster_away *a)
{
    const struct record_ns *r;
    /* What r lies in. */
    G_GNUC_UNUSED g_autoptr(GBytes) b = roster_get(s, a->nsid, &r);
    struct envme_extent *ext = g_new(struct envme_extent, a->n);
    struct envme_capacity_old old = {
        .align = le32_get(r->align), .csi = r->csi,
        .shared = r->flags & RECORD_SHARED,
    };
    struct envme_ns *ns;

    for (unsigned i = 0; i < a->n; i++) {
        ext[i] = (struct envme_extent){ a->piece[i].taken,
                                        a->piece[i].offset, a->piece[i].len };
    }
    ns = envme_capacity_revive(s, &old, ext, a->n);
    g_free(ext);
    if (ns) {
        /* Without an NSID: its bad blocks are not to be forgotten. */
        if (roster_apply(ns, r)) {
            ns->nsid = a->nsid;
            g_ptr_array_remove(s->away, a);
            envme_subsys_list(s, ns);
            return;
        }
        envme_capacity_bury(s, ns);
    }
    a->wrong = g_strdup_printf("state=%s: record ns/%u/namespace: there is no "
                               "such format or command set; use the file with "
                               "the envme that wrote it, or remove it to start "
                               "fresh", envme_state_path(s->state), a->nsid);
}

void envme_roster_restore(struct envme_subsys *s)
{
    for (unsigned i = s->away->len; i-- > 0; ) {
        struct roster_away *a = s->away->pdata[i];

        if (roster_take(s, a) && !a->wrong) {
            roster_revive(s, a);
        }
    }
}

void envme_roster_close(struct envme_subsys *s, struct envme_ns *ns)
{
    for (unsigned i = 0; i < s->away->len; i++) {
        struct roster_away *a = s->away->pdata[i];

        g_clear_pointer(&a->wrong, g_free);
        for (unsigned k = 0; k < a->n; k++) {
            struct roster_piece *p = &a->piece[k];
            struct envme_extent e = { p->taken, p->offset, p->len };

            if (p->taken && p->taken == ns->be) {
                envme_pool_give(s->pool, &e, 1);
                p->taken = NULL;
            }
        }
    }
}

void envme_roster_part(struct envme_subsys *s, struct envme_ns *ns)
{
    struct roster_away *a = roster_away_new(ns->nsid, ns->nextents);

    for (unsigned i = 0; i < a->n; i++) {
        const struct envme_extent *e = &ns->extent[i];
        const struct envme_ns *owner = envme_capacity_owner(s, e->member);

        a->piece[i] = (struct roster_piece){
            owner->medium, e->offset, e->len, e->member,
        };
        if (owner->closing) {
            envme_pool_give(s->pool, e, 1);
            a->piece[i].taken = NULL;
        }
    }
    g_ptr_array_add(s->away, a);
}
