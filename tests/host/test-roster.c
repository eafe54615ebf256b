/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespaces over power cycles: what a host has made, deleted, attached,
 * formatted and protected is there again, to the byte, and a power cut at any
 * moment leaves what was before a command or what is after it. A power cut is
 * a new subsystem with copies of the state file and of the media.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "hw/ns/roster.h"
#include "nsm.h"

#define NMEDIA 3
#define MEDIUM (256 * KIB)
#define NN 16
#define BLOCKS 8                /* of each namespace that are written */

static char *folder;
static unsigned serial;

struct rig {
    struct th *h[2];            /* controllers 0 and 1 */
    uint8_t *mem[NMEDIA];
    char *path;
    bool coarse;                /* one medium addresses sectors only */
    bool hold;                  /* the media are slow from the start */
    bool nguid_auto;
    const struct envme_state_ops *ops;
};

static void rig_start(struct rig *r)
{
    struct th_opts o = { .multi = true, .state = r->path, .nn = NN,
                         .state_ops = r->ops };

    for (unsigned i = 0; i < NMEDIA; i++) {
        o.ns[i] = (struct th_ns_opts){ .size = MEDIUM, .mem = r->mem[i],
                                       .hold = r->hold,
                                       .nguid_auto = r->nguid_auto,
                                       .align = i == 2 && r->coarse ?
                                                512 : 1 };
    }
    r->h[0] = th_new_(&o);
    r->h[1] = th_new(.peer = r->h[0]);
    for (unsigned i = 0; i < 2; i++) {
        th_enable(r->h[i]);
        th_queues(r->h[i], 1, 16);
    }
}

static void rig_stop(struct rig *r)
{
    th_free(r->h[1]);
    th_free(r->h[0]);
}

static void rig_new(struct rig *r)
{
    r->path = g_strdup_printf("%s/r%u", folder, serial++);
    for (unsigned i = 0; i < NMEDIA; i++) {
        r->mem[i] = g_malloc0(MEDIUM);
    }
    rig_start(r);
}

static void rig_drop(struct rig *r)
{
    g_assert_cmpint(g_remove(r->path), ==, 0);
    g_free(r->path);
    for (unsigned i = 0; i < NMEDIA; i++) {
        g_free(r->mem[i]);
    }
}

/* The power goes now: what was on its way is gone. */
static void rig_cut(struct rig *r)
{
    struct rig old = *r;
    gsize len;
    char *data;

    g_assert(g_file_get_contents(old.path, &data, &len, NULL));
    r->path = g_strdup_printf("%s/r%u", folder, serial++);
    g_assert(g_file_set_contents(r->path, data, len, NULL));
    g_free(data);
    for (unsigned i = 0; i < NMEDIA; i++) {
        r->mem[i] = g_memdup2(old.mem[i], MEDIUM);
    }
    rig_stop(&old);
    rig_drop(&old);
    rig_start(r);
}

/* ---- what there ought to be ------------------------------------------------- */

struct model {
    struct {
        bool there;
        uint64_t nsze, bytes;   /* 0: not known yet */
        uint8_t flbas, dps, wps;
        uint32_t attached;      /* a bit for each controller */
        uint64_t seed;          /* of its first blocks; 0: zeroes */
        uint8_t uuid[16];
        bool has_uuid;
    } ns[NN + 1];
};

static struct model fresh(void)
{
    struct model m = { 0 };

    for (unsigned i = 1; i <= NMEDIA; i++) {
        m.ns[i].there = true;
        m.ns[i].nsze = MEDIUM / 512;
        m.ns[i].bytes = MEDIUM;
        m.ns[i].attached = 3;
    }
    return m;
}

static struct envme_id_ns id_alloc(struct th *h, uint32_t nsid)
{
    struct envme_id_ns id;

    th_assert_sc(th_identify(h, ENVME_CNS_ALLOC_NS, nsid, &id), SUCCESS);
    return id;
}

static uint32_t attached(struct th *h, uint32_t nsid)
{
    struct envme_ctrl_list *list = g_malloc(4096);
    uint32_t bits = 0;

    th_assert_sc(th_identify(h, ENVME_CNS_NS_CTRL_LIST, nsid, list), SUCCESS);
    for (unsigned i = 0; i < le16_get(list->num); i++) {
        bits |= 1u << le16_get(list->cntlid[i]);
    }
    g_free(list);
    return bits;
}

static void pattern(void *buf, size_t len, uint64_t seed)
{
    if (seed) {
        th_pattern(buf, len, seed);
    } else {
        memset(buf, 0, len);
    }
}

/* Where the metadata is not told apart, it is part of a block. */
static bool data_ok(struct th *h, uint32_t nsid, uint64_t seed)
{
    struct envme_ns *ns = envme_subsys_ns(h->subsys, nsid);
    size_t len = (size_t)BLOCKS * envme_ns_host_block(ns);
    size_t mlen = ns->extended ? 0 : (size_t)BLOCKS * ns->ms;
    uint8_t *data = g_malloc0(len), *md = g_malloc0(mlen + 1);
    uint8_t *want = g_malloc(MAX(len, mlen) + 1);
    bool ok;

    th_assert_sc(th_read(h, .nsid = nsid, .nlb = BLOCKS, .data = data,
                         .md = mlen ? md : NULL), SUCCESS);
    pattern(want, len, seed);
    ok = !memcmp(data, want, len);
    pattern(want, mlen, seed + !!seed);
    ok = ok && !memcmp(md, want, mlen);
    g_free(data);
    g_free(md);
    g_free(want);
    return ok;
}

static void data_write(struct th *h, uint32_t nsid, uint64_t seed)
{
    struct envme_ns *ns = envme_subsys_ns(h->subsys, nsid);
    size_t len = (size_t)BLOCKS * envme_ns_host_block(ns);
    size_t mlen = ns->extended ? 0 : (size_t)BLOCKS * ns->ms;
    uint8_t *data = g_malloc(len), *md = g_malloc(mlen + 1);

    pattern(data, len, seed);
    pattern(md, mlen, seed + 1);
    th_assert_sc(th_write(h, .nsid = nsid, .nlb = BLOCKS, .data = data,
                          .md = mlen ? md : NULL), SUCCESS);
    g_free(data);
    g_free(md);
}

/* NULL, or what is different. */
static const char *differs_ns(struct rig *r, struct model *m, uint32_t nsid)
{
    struct envme_id_ns id = id_alloc(r->h[0], nsid);
    struct envme_ns *ns = envme_subsys_ns(r->h[0]->subsys, nsid);
    uint32_t v;

    if (le64_get(id.nsze) != m->ns[nsid].nsze ||
        nsm_le(id.nvmcap) != m->ns[nsid].bytes) {
        g_test_message("NSID %u: %lu blocks, %lu bytes for %lu, %lu", nsid,
                       le64_get(id.nsze), nsm_le(id.nvmcap), m->ns[nsid].nsze,
                       m->ns[nsid].bytes);
        return "size";
    }
    if (id.flbas != m->ns[nsid].flbas || id.dps != m->ns[nsid].dps) {
        return "format";
    }
    if (attached(r->h[0], nsid) != m->ns[nsid].attached) {
        return "attachment";
    }
    if (m->ns[nsid].has_uuid &&
        memcmp(m->ns[nsid].uuid, ns->params.uuid, 16)) {
        return "UUID";
    }
    memcpy(m->ns[nsid].uuid, ns->params.uuid, 16);
    m->ns[nsid].has_uuid = true;
    for (unsigned i = 0; i < 2; i++) {
        if (!(m->ns[nsid].attached >> i & 1)) {
            continue;
        }
        if (!data_ok(r->h[i], nsid, m->ns[nsid].seed)) {
            return "data";
        }
        th_assert_sc(th_get_feature(r->h[i], ENVME_FID_WRITE_PROTECT, nsid, 0,
                                    &v), SUCCESS);
        if (v != m->ns[nsid].wps) {
            return "protection";
        }
    }
    return NULL;
}

static const char *differs(struct rig *r, struct model *m)
{
    uint64_t total, unused, sum = 0;

    for (uint32_t i = 1; i <= NN; i++) {
        const char *what;

        if (!envme_subsys_ns(r->h[0]->subsys, i) != !m->ns[i].there) {
            return "namespaces";
        }
        sum += m->ns[i].there ? m->ns[i].bytes : 0;
        what = m->ns[i].there ? differs_ns(r, m, i) : NULL;
        if (what) {
            return what;
        }
    }
    nsm_capacity(r->h[1], &total, &unused);
    return total != NMEDIA * MEDIUM || unused != total - sum ? "capacity"
                                                             : NULL;
}

static void check(struct rig *r, struct model *m)
{
    const char *what = differs(r, m);

    if (what) {
        g_error("not the same: %s", what);
    }
}

/* ---- doing something --------------------------------------------------------- */

/* A command, and what is there when it has succeeded. */
struct step {
    struct envme_sqe sqe;
    struct th_buf *buf;
    unsigned at;                /* which controller */
    struct model after;
};

static void step_data(struct step *s, struct th *h, const void *data,
                      size_t len)
{
    s->buf = th_buf_new(h, 4096, 0);
    th_buf_fill(s->buf, 0);
    if (len < 4096) {
        uint8_t all[4096] = { 0 };

        memcpy(all, data, len);
        th_buf_put(s->buf, all);
    } else {
        th_buf_put(s->buf, data);
    }
    th_buf_attach(s->buf, &s->sqe);
}

static uint32_t lowest(const struct model *m)
{
    for (uint32_t i = 1; i <= NN; i++) {
        if (!m->ns[i].there) {
            return i;
        }
    }
    return 0;
}

static unsigned some_format(struct rig *r, const struct envme_id_ns *id,
                            uint32_t *block)
{
    unsigned f = th_random(r->h[0], id->nlbaf + 1);

    *block = (1u << id->lbaf[f].ds) + le16_get(id->lbaf[f].ms);
    return f;
}

static bool plan_create(struct step *s, struct rig *r)
{
    struct envme_id_ns all = nsm_id(r->h[0], UINT32_MAX);
    struct envme_ns_mgmt_create c = { 0 };
    uint32_t block, nsid = lowest(&s->after);
    unsigned f = some_format(r, &all, &block);
    uint64_t nsze = BLOCKS + th_random(r->h[0], MEDIUM / 2 / block);
    bool ext = th_random(r->h[0], 2) && block & (block - 1);

    if (!nsid || nsze * block > nsm_unused(r->h[0])) {
        return false;
    }
    s->sqe = th_sqe(ENVME_ADM_NS_MGMT, 0);
    s->sqe.cdw10 = le32(ENVME_NSMGMT_CREATE);
    c.nsze = c.ncap = le64(nsze);
    c.flbas = (f & 15) | ext << 4;
    c.nmic = ENVME_NMIC_SHRNS;
    step_data(s, r->h[s->at], &c, sizeof(c));
    s->after.ns[nsid] = (typeof(s->after.ns[nsid])){
        .there = true, .nsze = nsze, .bytes = nsze * block, .flbas = c.flbas,
    };
    return true;
}

static bool plan_delete(struct step *s, struct rig *r, uint32_t nsid)
{
    if (th_random(r->h[0], 8) == 0) {
        nsid = UINT32_MAX;
    }
    for (uint32_t i = 1; i <= NN; i++) {
        if ((i == nsid || nsid == UINT32_MAX) && s->after.ns[i].wps) {
            return false;
        }
    }
    s->sqe = nsm_sqe_delete(nsid);
    for (uint32_t i = 1; i <= NN; i++) {
        if (i == nsid || nsid == UINT32_MAX) {
            memset(&s->after.ns[i], 0, sizeof(s->after.ns[i]));
        }
    }
    return true;
}

static bool plan_attach(struct step *s, struct rig *r, uint32_t nsid)
{
    struct envme_ctrl_list *list = g_new0(struct envme_ctrl_list, 1);
    uint32_t now = s->after.ns[nsid].attached, pick;
    bool on = th_random(r->h[0], 2);
    unsigned n = 0;

    pick = 1 + th_random(r->h[0], 3);
    pick &= on ? ~now : now;
    for (unsigned i = 0; i < 2; i++) {
        if (pick >> i & 1) {
            list->cntlid[n++] = le16(i);
        }
    }
    list->num = le16(n);
    s->sqe = th_sqe(ENVME_ADM_NS_ATTACH, nsid);
    s->sqe.cdw10 = le32(on ? ENVME_NSATTACH_ATTACH : ENVME_NSATTACH_DETACH);
    if (n) {
        step_data(s, r->h[s->at], list, sizeof(*list));
    }
    g_free(list);
    s->after.ns[nsid].attached ^= pick;
    return n;
}

static bool plan_format(struct step *s, struct rig *r, uint32_t nsid)
{
    uint32_t block, now = s->after.ns[nsid].attached;
    struct envme_id_ns id = id_alloc(r->h[0], nsid);
    unsigned f = some_format(r, &id, &block);
    uint64_t nsze = s->after.ns[nsid].bytes / block;
    bool ext = th_random(r->h[0], 2) && block & (block - 1);

    if (!(now >> s->at & 1) || nsze < BLOCKS || s->after.ns[nsid].wps) {
        return false;
    }
    s->sqe = th_sqe(ENVME_ADM_FORMAT, nsid);
    s->sqe.cdw10 = le32((f & 15) | ext << 4 | th_random(r->h[0], 3) << 9);
    s->after.ns[nsid].nsze = nsze;
    s->after.ns[nsid].flbas = (f & 15) | ext << 4;
    s->after.ns[nsid].seed = 0;
    return true;
}

static bool plan_protect(struct step *s, struct rig *r, uint32_t nsid)
{
    uint32_t v = th_random(r->h[0], 3) == 0;

    if (!(s->after.ns[nsid].attached >> s->at & 1)) {
        return false;
    }
    s->sqe = th_sqe(ENVME_ADM_SET_FEATURES, nsid);
    s->sqe.cdw10 = le32(ENVME_FID_WRITE_PROTECT);
    s->sqe.cdw11 = le32(v);
    s->after.ns[nsid].wps = v;
    return true;
}

static bool plan(struct step *s, struct rig *r, const struct model *m)
{
    uint32_t nsid = 1 + th_random(r->h[0], 6);

    *s = (struct step){ .at = th_random(r->h[0], 2), .after = *m };
    if (!m->ns[nsid].there) {
        return plan_create(s, r);
    }
    switch (th_random(r->h[0], 8)) {
    case 0:
        return plan_create(s, r);
    case 1:
        return plan_delete(s, r, nsid);
    case 2:
    case 3:
        return plan_attach(s, r, nsid);
    case 4:
        return plan_protect(s, r, nsid);
    default:
        return plan_format(s, r, nsid);
    }
}

static void fill_some(struct rig *r, struct model *m, uint64_t seed)
{
    for (uint32_t i = 1; i <= NN; i++) {
        for (unsigned k = 0; k < 2; k++) {
            if (m->ns[i].there && m->ns[i].attached >> k & 1 &&
                !m->ns[i].wps && th_random(r->h[0], 2)) {
                data_write(r->h[k], i, seed + i * 16);
                m->ns[i].seed = seed + i * 16;
            }
        }
    }
}

/* Goes on without a power cut: it succeeds. */
static void step_finish(struct rig *r, struct step *s, struct model *m)
{
    uint16_t cid = th_submit(r->h[s->at], 0, &s->sqe);
    struct envme_cqe c = th_wait(r->h[s->at], 0, cid);

    /* Capacity may be left in pieces that are too odd for one. */
    if (cqe_sc(&c) != ENVME_SC_NS_INSUFFICIENT_CAP) {
        th_assert_sc(c, SUCCESS);
        *m = s->after;
    }
}

/* The power goes a while after the command was given. */
static void step_cut(struct rig *r, struct step *s, struct model *m)
{
    struct th *h = r->h[s->at];
    struct model before = *m;
    bool done = false;
    struct envme_cqe c;
    uint16_t cid;

    for (unsigned i = 0; i < NMEDIA; i++) {
        r->h[0]->be[i]->later = true;
    }
    cid = th_submit(h, 0, &s->sqe);
    for (unsigned i = th_random(r->h[0], 24); i && th_step(h); i--) {
    }
    th_reap(h, 0);
    if (th_done(h, 0, cid, &c)) {
        done = cqe_sc(&c) == 0;
    } else {
        th_abandon(h, 0, cid);
    }
    if (s->buf) {
        th_buf_free(s->buf);
        s->buf = NULL;
    }
    rig_cut(r);
    if (!differs(r, &s->after)) {
        *m = s->after;
    } else {
        g_assert_false(done);
        check(r, &before);
    }
}

static void test_random(void)
{
    for (unsigned seed = 1; seed <= 6; seed++) {
        struct model m = fresh();
        struct rig r = { .coarse = seed % 2 };
        unsigned before = 0, cuts = 0;

        rig_new(&r);
        g_rand_set_seed(r.h[0]->rand, seed);
        for (unsigned n = 1; n <= 150; n++) {
            struct step s;
            uint32_t go_on;

            while (!plan(&s, &r, &m)) {
            }
            if (n % 2) {
                struct model old = m;

                step_cut(&r, &s, &m);
                cuts++;
                before += !memcmp(&m, &old, sizeof(m));
            } else {
                step_finish(&r, &s, &m);
            }
            if (s.buf) {
                th_buf_free(s.buf);
            }
            check(&r, &m);
            fill_some(&r, &m, (uint64_t)seed << 32 | n << 16);
            go_on = g_rand_int(r.h[0]->rand);
            if (n % 10 == 0) {
                rig_stop(&r);
                rig_start(&r);
            }
            check(&r, &m);
            g_rand_set_seed(r.h[0]->rand, go_on ^ n);
        }
        /* Both kinds of end have been seen. */
        g_assert_cmpuint(cuts, >, 20);
        g_assert_cmpuint(before, >, 0);
        g_assert_cmpuint(before, <, cuts);
        rig_stop(&r);
        rig_drop(&r);
    }
}

/* ---- one thing at a time ------------------------------------------------------ */

static void restart(struct rig *r)
{
    rig_stop(r);
    rig_start(r);
}

static void finish(struct rig *r)
{
    rig_stop(r);
    rig_drop(r);
}

static void attach(struct rig *r, uint32_t nsid, bool on)
{
    static const uint16_t both[] = { 0, 1 };

    th_assert_sc(nsm_attach_list(r->h[0], nsid, on, 2, both, 2), SUCCESS);
}

static struct envme_cqe save(struct th *h, uint32_t nsid, uint32_t v)
{
    return th_set_feature(h, ENVME_FID_ERROR_RECOVERY, nsid, v, true);
}

static uint32_t saved(struct th *h, uint32_t nsid)
{
    uint32_t v;

    th_assert_sc(th_get_feature(h, ENVME_FID_ERROR_RECOVERY, nsid,
                                ENVME_FEAT_SEL_SAVED, &v), SUCCESS);
    return v;
}

/* What belongs to a namespace that a host has made is kept like another's;
 * when it is deleted, its successor has none of it. */
static void test_belongings(void)
{
    struct rig r = { 0 };
    struct envme_ns_mgmt_create c = { 0 };
    uint8_t data[4096] = { 0 };
    struct envme_ns *ns;

    rig_new(&r);
    th_assert_sc(nsm_delete(r.h[0], 1), SUCCESS);
    c.nsze = c.ncap = le64(100);
    c.flbas = 1;                /* 512 + 8 */
    c.dps = 1 | ENVME_DPS_PIP;
    c.nmic = ENVME_NMIC_SHRNS;
    th_assert_sc(nsm_create_raw(r.h[0], &c), SUCCESS);
    attach(&r, 1, true);
    nsm_use_pi(r.h[0], 1);
    th_assert_sc(th_rw(r.h[0], ENVME_NVM_WRITE_UNCOR, .slba = 50), SUCCESS);
    th_assert_sc(save(r.h[1], 1, 0x77), SUCCESS);
    restart(&r);
    ns = envme_subsys_ns(r.h[0]->subsys, 1);
    g_assert_true(ns->made && ns->params.shared);
    g_assert_cmpuint(ns->pi.type, ==, 1);
    g_assert_true(ns->pi.first);
    th_assert_sc(th_read(r.h[0], .block = 512, .data = data, .cdw12 =
                         ENVME_RW_PRACT | ENVME_RW_PRCHK_GUARD), SUCCESS);
    g_assert_true(th_pattern_ok(data, 512, 7));
    th_assert_sc(th_read(r.h[0], .slba = 50, .block = 512, .data = data,
                         .cdw12 = ENVME_RW_PRACT), UNRECOVERED_READ);
    g_assert_cmphex(saved(r.h[1], 1), ==, 0x77);
    g_assert_cmphex(saved(r.h[0], 1), ==, 0);
    /* its successor, made while one controller is not there */
    th_free(r.h[1]);
    th_assert_sc(nsm_delete(r.h[0], 1), SUCCESS);
    th_assert_sc(nsm_create_raw(r.h[0], &c), SUCCESS);
    r.h[1] = th_new(.peer = r.h[0]);
    th_enable(r.h[1]);
    th_queues(r.h[1], 1, 16);
    attach(&r, 1, true);
    th_assert_sc(th_read(r.h[0], .slba = 50, .block = 512, .data = data,
                         .cdw12 = ENVME_RW_PRACT), SUCCESS);
    g_assert_cmphex(saved(r.h[1], 1), ==, 0);
    /* for ever, although nobody has it attached when the power comes on */
    th_assert_sc(th_set_feature(r.h[0], ENVME_FID_WRITE_PROTECT, 1, 3, false),
                 SUCCESS);
    attach(&r, 1, false);
    restart(&r);
    g_assert_cmpuint(attached(r.h[0], 1), ==, 0);
    th_assert_sc(nsm_delete(r.h[0], 1), NS_WRITE_PROTECTED);
    attach(&r, 1, true);
    th_assert_sc(th_write(r.h[0], .block = 512, .data = data,
                          .cdw12 = ENVME_RW_PRACT), NS_WRITE_PROTECTED);
    finish(&r);
}

/* The command line has the format of the factory, the host has chosen another;
 * a made up identifier stays. */
static void test_command_line(void)
{
    struct rig r = { .nguid_auto = true };
    uint8_t nguid[16];
    struct envme_sqe s = th_sqe(ENVME_ADM_FORMAT, 2);
    struct envme_id_ns id;

    rig_new(&r);
    id = nsm_id(r.h[0], 2);
    memcpy(nguid, id.nguid, 16);
    g_assert_false(nsm_zero(nguid, 16));
    s.cdw10 = le32(5);          /* 4096 + 8 */
    th_assert_sc(th_admin(r.h[0], &s), SUCCESS);
    data_write(r.h[0], 2, 33);
    for (unsigned i = 0; i < 2; i++) {
        restart(&r);
        id = nsm_id(r.h[1], 2);
        g_assert_cmpmem(id.nguid, 16, nguid, 16);
        g_assert_cmpuint(id.flbas, ==, 5);
        g_assert_cmpuint(le64_get(id.nsze), ==, MEDIUM / 4104);
        g_assert_true(data_ok(r.h[1], 2, 33));
        g_assert_cmpuint(attached(r.h[0], 2), ==, 3);
    }
    finish(&r);
}

/* Gone for good, whatever becomes of its medium meanwhile. */
static void test_deleted(void)
{
    struct rig r = { 0 };
    char *err = NULL;
    struct th *h;

    rig_new(&r);
    th_assert_sc(nsm_delete(r.h[0], 2), SUCCESS);
    for (unsigned i = 0; i < 2; i++) {
        restart(&r);
        h = r.h[0];
        g_assert_null(envme_subsys_ns(h->subsys, 2));
        g_assert_cmpuint(nsm_unused(h), ==, MEDIUM);
        envme_subsys_remove_ns(h->subsys, h->ns[1], NULL, NULL);
        g_assert_cmpuint(nsm_unused(h), ==, 0);
        g_assert_true(envme_subsys_add_ns(h->subsys, h->ns[1], &err));
        g_assert_null(envme_subsys_ns(h->subsys, 2));
        g_assert_cmpuint(nsm_unused(h), ==, MEDIUM);
    }
    finish(&r);
}

/* Of one that lies on two media, one is unplugged: what it had stays its own
 * until both are there again. */
static void test_unplugged(void)
{
    struct rig r = { 0 };
    struct th *h;
    char *err = NULL;
    uint32_t nsid;

    rig_new(&r);
    h = r.h[0];
    th_assert_sc(nsm_delete(h, UINT32_MAX), SUCCESS);
    th_assert_sc(nsm_create(h, MEDIUM / 512 + 100, 0, true, &nsid), SUCCESS);
    attach(&r, 1, true);
    data_write(h, 1, 5);
    th_assert_sc(th_write(h, .slba = MEDIUM / 512 + 92, .nlb = 8), SUCCESS);
    for (unsigned i = 0; i < 2; i++) {
        h = r.h[0];
        envme_subsys_remove_ns(h->subsys, h->ns[i], NULL, NULL);
        th_run(h);
        g_assert_null(envme_subsys_ns(h->subsys, 1));
        th_assert_sc(th_read(r.h[1]), INVALID_FIELD);
        g_assert_cmpuint(nsm_unused(h), ==, 2 * MEDIUM -
                         (i ? MEDIUM : 100 * 512));
        g_assert_nonnull(err = envme_roster_missing(h->subsys));
        g_assert_nonnull(strstr(err, i ? "medium 2" : "medium 1"));
        g_clear_pointer(&err, g_free);
        /* neither its NSID nor its bytes are given away */
        th_assert_sc(nsm_create(h, 10, 0, true, &nsid), SUCCESS);
        g_assert_cmpuint(nsid, ==, 2);
        th_assert_sc(nsm_delete(h, 2), SUCCESS);
        g_assert_true(envme_subsys_add_ns(h->subsys, h->ns[i], &err));
        th_run(h);
        g_assert_null(envme_roster_missing(h->subsys));
        g_assert_true(data_ok(h, 1, 5));
        g_assert_true(data_ok(r.h[1], 1, 5));
        restart(&r);
        g_assert_true(data_ok(r.h[0], 1, 5));
    }
    finish(&r);
}

/* A controller goes and comes back to what it was given. */
static void test_controller(void)
{
    struct rig r = { 0 };
    static const uint16_t b = 1;

    rig_new(&r);
    th_assert_sc(nsm_attach_list(r.h[0], 1, false, 1, &b, 1), SUCCESS);
    th_assert_sc(nsm_attach_list(r.h[0], 2, true, 1, &b, 1),
                 NS_ALREADY_ATTACHED);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpuint(attached(r.h[0], 1), ==, 1);
        g_assert_cmpuint(attached(r.h[0], 2), ==, 3);
        th_free(r.h[1]);
        g_assert_cmpuint(attached(r.h[0], 2), ==, 1);
        r.h[1] = th_new(.peer = r.h[0]);
        g_assert_cmpuint(attached(r.h[0], 1), ==, 1);
        g_assert_cmpuint(attached(r.h[0], 2), ==, 3);
        th_enable(r.h[1]);
        restart(&r);
    }
    finish(&r);
}

/* ---- formats ---------------------------------------------------------------------- */

static void test_format_goes_on(void)
{
    for (unsigned n = 0; n < 3; n++) {
        struct rig r = { 0 };
        struct envme_sqe s = th_sqe(ENVME_ADM_FORMAT, 1);
        struct envme_id_ns id;
        uint16_t cid;

        rig_new(&r);
        data_write(r.h[0], 1, 9);
        r.h[0]->be[0]->hold = true;
        s.cdw10 = le32(1);
        cid = th_submit(r.h[0], 0, &s);
        th_run(r.h[0]);
        g_assert_cmpuint(th_be_held(r.h[0]->be[0]), ==, 1);
        th_abandon(r.h[0], 0, cid);
        r.hold = true;
        rig_cut(&r);
        id = nsm_id(r.h[0], 1);
        g_assert_cmphex(id.flbas, ==, 0);
        g_assert_cmpuint(id.fpi & ENVME_FPI_PER, >, 0);
        th_assert_sc(th_read(r.h[0]), FORMAT_IN_PROGRESS);
        th_assert_sc(th_write(r.h[1]), FORMAT_IN_PROGRESS);
        th_assert_sc(th_admin(r.h[0], &s), FORMAT_IN_PROGRESS);
        th_assert_sc(nsm_delete(r.h[0], 1), FORMAT_IN_PROGRESS);
        if (n == 2) {           /* and once more */
            rig_cut(&r);
        }
        r.hold = false;
        for (unsigned i = 0; i < NMEDIA; i++) {
            r.h[0]->be[i]->hold = false;
            th_be_release_all(r.h[0]->be[i], n == 1 ? -EIO : 0);
        }
        th_run(r.h[0]);
        for (unsigned i = 0; i < 2; i++) {
            id = nsm_id(r.h[0], 1);
            g_assert_cmphex(id.fpi, ==, ENVME_FPI_FPII);
            g_assert_cmphex(id.flbas, ==, n != 1);
            g_assert_true(data_ok(r.h[1], 1, n == 1 ? 9 : 0));
            restart(&r);
        }
        finish(&r);
    }
}

static bool broken;

static int bad_create(void *opaque, int dir, const char *name, mode_t mode)
{
    (void)opaque;
    if (broken) {
        errno = ENOSPC;
        return -1;
    }
    return openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
}

static int ok_lock(void *opaque, int fd)
{
    (void)opaque;
    (void)fd;
    return 0;
}

static ssize_t ok_write(void *opaque, int fd, const void *buf, size_t len)
{
    (void)opaque;
    return write(fd, buf, len);
}

static int ok_fsync(void *opaque, int fd)
{
    (void)opaque;
    (void)fd;
    return 0;
}

static int ok_rename(void *opaque, int dir, const char *from, const char *to)
{
    (void)opaque;
    return renameat(dir, from, dir, to);
}

static int ok_unlink(void *opaque, int dir, const char *name)
{
    (void)opaque;
    return unlinkat(dir, name, 0);
}

static const struct envme_state_ops bad_ops = {
    .create = bad_create, .lock = ok_lock, .write = ok_write,
    .fsync = ok_fsync, .rename = ok_rename, .unlink = ok_unlink,
};

/* What cannot be told to the state is not done to the medium. */
static void test_cannot_write(void)
{
    struct rig r = { .ops = &bad_ops };
    struct envme_sqe s = th_sqe(ENVME_ADM_FORMAT, 1);
    uint32_t nsid;

    rig_new(&r);
    data_write(r.h[0], 1, 9);
    data_write(r.h[0], 2, 8);
    broken = true;
    th_assert_sc(th_admin(r.h[0], &s), INTERNAL);
    g_assert_true(data_ok(r.h[0], 1, 9));
    g_assert_cmpuint(atomic_load(
        &r.h[0]->be[0]->nops[ENVME_BIO_WRITE_ZEROES]), ==, 0);
    th_assert_sc(nsm_delete(r.h[0], 2), INTERNAL);
    /* its bytes are not anybody's before that is told */
    th_assert_sc(nsm_create(r.h[0], 100, 0, true, &nsid), INTERNAL);
    g_assert_cmpuint(nsm_unused(r.h[0]), ==, MEDIUM);
    g_assert_cmpuint(atomic_load(
        &r.h[0]->be[1]->nops[ENVME_BIO_WRITE_ZEROES]), ==, 0);
    broken = false;
    rig_cut(&r);
    g_assert_true(data_ok(r.h[0], 1, 9));
    g_assert_true(data_ok(r.h[0], 2, 8));
    th_assert_sc(th_admin(r.h[0], &s), SUCCESS);
    g_assert_true(data_ok(r.h[0], 1, 0));
    finish(&r);
}

/* ---- sanitize ------------------------------------------------------------------- */

static struct envme_log_sanitize san_log(struct th *h)
{
    struct envme_log_sanitize log;

    th_assert_sc(th_get_log(h, ENVME_LID_SANITIZE, 0, 0, &log, sizeof(log),
                            false), SUCCESS);
    return log;
}

static void san_finish(struct th *h)
{
    for (unsigned i = 0; i < 2000; i++) {
        if (FIELD_GET(ENVME_SSTAT_SOS, le16_get(san_log(h).sstat)) !=
            ENVME_SOS_IN_PROGRESS) {
            return;
        }
        th_advance(h, 20 * 1000 * 1000);
    }
    g_assert_not_reached();
}

/* All bytes of all media: of namespaces that came with them, of those that
 * were made, and what is free; the power goes in between, too. */
static void test_sanitize(void)
{
    for (unsigned n = 0; n < 3; n++) {
        struct rig r = { 0 };
        struct envme_sqe s = th_sqe(ENVME_ADM_SANITIZE, 0);
        uint32_t nsid;

        rig_new(&r);
        th_assert_sc(nsm_delete(r.h[0], 2), SUCCESS);
        th_assert_sc(nsm_delete(r.h[0], 3), SUCCESS);
        th_assert_sc(nsm_create(r.h[0], MEDIUM / 512 + 30, 0, true, &nsid),
                     SUCCESS);
        for (unsigned i = 0; i < NMEDIA; i++) {
            memset(r.mem[i], 0xaa + i, MEDIUM);
        }
        s.cdw10 = le32(n ? ENVME_SANITIZE_BLOCK_ERASE :
                       ENVME_SANITIZE_OVERWRITE | ENVME_SANITIZE_NDAS |
                       (uint32_t)FIELD_SET(ENVME_SANITIZE_OWPASS, 1));
        s.cdw11 = le32(0x5a5a5a5a);
        th_assert_sc(th_admin(r.h[0], &s), SUCCESS);
        if (n == 2) {
            r.h[0]->be[1]->later = r.h[0]->be[2]->later = true;
            th_advance(r.h[0], 21 * 1000 * 1000);
            rig_cut(&r);
            g_assert_nonnull(envme_subsys_ns(r.h[0]->subsys, 2));
        }
        san_finish(r.h[1]);
        for (unsigned i = 0; i < NMEDIA; i++) {
            for (unsigned k = 0; k < MEDIUM; k++) {
                g_assert_cmphex(r.mem[i][k], ==, n ? 0 : 0x5a);
            }
        }
        restart(&r);
        g_assert_cmpuint(nsm_unused(r.h[0]), ==, MEDIUM - 30 * 512);
        finish(&r);
    }
}

/* A medium that is free goes while it is sanitized, and comes back. */
static void test_sanitize_unplugged(void)
{
    struct rig r = { 0 };
    struct envme_sqe s = th_sqe(ENVME_ADM_SANITIZE, 0);
    char *err = NULL;
    struct th *h;

    rig_new(&r);
    h = r.h[0];
    th_assert_sc(nsm_delete(h, 1), SUCCESS);
    s.cdw10 = le32(ENVME_SANITIZE_BLOCK_ERASE);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    h->be[0]->hold = true;
    while (!th_be_held(h->be[0])) {
        th_advance(h, 1000 * 1000);
    }
    envme_subsys_remove_ns(h->subsys, h->ns[0], NULL, NULL);
    th_run(h);
    g_assert_nonnull(h->ns[0]->subsys);         /* it is waited for */
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    th_run(h);
    g_assert_null(h->ns[0]->subsys);
    san_finish(h);
    g_assert_true(envme_subsys_add_ns(h->subsys, h->ns[0], &err));
    finish(&r);
}

/* ---- nothing there --------------------------------------------------------------- */

static void test_nothing(void)
{
    struct th *h = th_new(.no_ns = true);
    struct envme_id_ns id, common;

    th_enable(h);
    common = nsm_id(h, UINT32_MAX);
    for (unsigned i = 0; i <= common.nlbaf; i++) {
        struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);

        for (unsigned cns = ENVME_CNS_NS_UDF; cns <= ENVME_CNS_CS_NS_UDF;
             cns++) {
            s.cdw10 = le32(cns);
            s.cdw11 = le32(i);
            memset(&id, 0xee, sizeof(id));
            th_assert_sc(th_cmd_data(h, 0, &s, &id, sizeof(id), 0), SUCCESS);
            if (cns == ENVME_CNS_NS_UDF) {
                g_assert_cmpmem(id.lbaf, sizeof(id.lbaf), common.lbaf,
                                sizeof(common.lbaf));
            }
            s.cdw11 = le32(common.nlbaf + 1);
            th_assert_sc(th_cmd_data(h, 0, &s, &id, sizeof(id), 0),
                         INVALID_FIELD);
        }
    }
    th_assert_sc(nsm_create(h, 1, 0, true, NULL), NS_INSUFFICIENT_CAP);
    th_free(h);
}

static void test_limits(void)
{
    struct th *h = th_new();

    th_enable(h);
    h->subsys->mnan = 3;
    h->subsys->maxcna = 2;
    th_assert_sc(nsm_delete(h, 1), SUCCESS);
    for (unsigned i = 1; i <= 3; i++) {
        th_assert_sc(nsm_create(h, 8, 0, true, NULL), SUCCESS);
        if (i < 3) {
            th_assert_sc(nsm_attach(h, i, true), SUCCESS);
        } else {
            th_assert_sc(nsm_attach(h, i, true), NS_ATTACH_LIMIT);
        }
    }
    th_assert_sc(nsm_create(h, 8, 0, true, NULL), NSID_UNAVAILABLE);
    th_assert_sc(nsm_delete(h, 2), SUCCESS);
    th_assert_sc(nsm_create(h, 8, 0, true, NULL), SUCCESS);
    th_free(h);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_assert_nonnull(folder);
    g_test_add_func("/roster/random", test_random);
    g_test_add_func("/roster/belongings", test_belongings);
    g_test_add_func("/roster/command-line", test_command_line);
    g_test_add_func("/roster/deleted", test_deleted);
    g_test_add_func("/roster/unplugged", test_unplugged);
    g_test_add_func("/roster/controller", test_controller);
    g_test_add_func("/roster/format-goes-on", test_format_goes_on);
    g_test_add_func("/roster/cannot-write", test_cannot_write);
    g_test_add_func("/roster/sanitize", test_sanitize);
    g_test_add_func("/roster/sanitize-unplugged", test_sanitize_unplugged);
    g_test_add_func("/roster/nothing", test_nothing);
    g_test_add_func("/roster/limits", test_limits);
    ret = g_test_run();
    g_rmdir(folder);
    g_free(folder);
    return ret;
}
