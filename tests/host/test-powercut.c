/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespaces over power cuts: any sequence of commands, and a cut at any
 * moment leaves what was before a command or what is after it, to the byte.
 */
#include "rig.h"

/* ---- what there ought to be -------------------------------------------- */

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

static struct envme_id_ns id_alloc(struct th *h, uint32_t nsid)
{
    struct envme_id_ns id;

    th_assert_sc(th_identify(h, ENVME_CNS_ALLOC_NS, nsid, &id), SUCCESS);
    return id;
}

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

/* ---- doing something --------------------------------------------------- */

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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/powercut/random", test_random);
    return rig_main();
}
