/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Subsystems: identifiers, who has what attached, and taking things away. */
#include <glib.h>
#include <string.h>

#include "hw/ns/backend-mem.h"
#include "hw/ns/subsys.h"

#define NN 8

/* A controller that does as it is told, at once or when asked to. */
struct ctrl {
    int cntlid;
    bool later;
    struct envme_ns *ns[NN + 1];
    unsigned nset, nchanged, nnssr;
    GQueue todo;                /* struct order */
};

struct order {
    uint32_t nsid;
    struct envme_ns *ns;
    void (*done)(void *arg);
    void *arg;
};

static void ctrl_obey(struct ctrl *c, struct order o)
{
    c->ns[o.nsid] = o.ns;
    o.done(o.arg);
}

static void ctrl_set_ns(void *ctrl, uint32_t nsid, struct envme_ns *ns,
                        void (*done)(void *arg), void *arg)
{
    struct ctrl *c = ctrl;
    struct order o = { nsid, ns, done, arg };

    g_assert_cmpuint(nsid, >, 0);
    g_assert_cmpuint(nsid, <=, NN);
    c->nset++;
    if (c->later) {
        g_queue_push_tail(&c->todo, g_memdup2(&o, sizeof(o)));
    } else {
        ctrl_obey(c, o);
    }
}

static void ctrl_changed(void *ctrl, uint32_t nsid)
{
    struct ctrl *c = ctrl;

    g_assert_nonnull(c->ns[nsid]);
    c->nchanged++;
}

static void ctrl_nssr(void *ctrl)
{
    ((struct ctrl *)ctrl)->nnssr++;
}

static const struct envme_subsys_ctrl_ops ops = {
    .set_ns = ctrl_set_ns, .ns_changed = ctrl_changed, .nssr = ctrl_nssr,
};

static void ctrl_catch_up(struct ctrl *c)
{
    struct order *o;

    while ((o = g_queue_pop_head(&c->todo))) {
        ctrl_obey(c, *o);
        g_free(o);
    }
}

static void ctrl_add(struct ctrl *c, struct envme_subsys *s)
{
    g_queue_init(&c->todo);
    c->cntlid = envme_subsys_add_ctrl(s, &ops, c);
    g_assert_cmpint(c->cntlid, >=, 0);
    envme_subsys_attach_all(s, c->cntlid);
}

static struct envme_ns *ns_new(uint32_t nsid, bool shared, bool detached)
{
    struct envme_ns_params p = {
        .nsid = nsid, .logical_block = 512, .shared = shared,
        .detached = detached, .mssrl = 1, .mcl = 1,
    };
    struct envme_backend *be = envme_backend_mem_new(NULL, 65536, true, false);
    char *err = NULL;
    struct envme_ns *ns = envme_ns_new(&p, be, &err);

    g_assert_nonnull(ns);
    return ns;
}

static struct envme_ns *ns_add(struct envme_subsys *s, uint32_t nsid,
                               bool shared, bool detached)
{
    struct envme_ns *ns = ns_new(nsid, shared, detached);
    char *err = NULL;

    g_assert_true(envme_subsys_add_ns(s, ns, &err));
    g_assert_cmpstr(err, ==, NULL);
    return ns;
}

static void ns_free(struct envme_ns *ns)
{
    struct envme_backend *be = ns->be;

    envme_ns_free(ns);
    be->ops->close(be);
}

static void count(void *arg)
{
    ++*(unsigned *)arg;
}

static void ns_take(struct envme_subsys *s, struct envme_ns *ns)
{
    unsigned done = 0;

    envme_subsys_remove_ns(s, ns, count, &done);
    g_assert_cmpuint(done, ==, 1);
    ns_free(ns);
}

static void test_nsids(void)
{
    struct envme_subsys *s = envme_subsys_new("nqn.test", NN, false);
    struct envme_ns *ns[NN + 1] = { 0 }, *extra;
    char *err = NULL;

    ns[2] = ns_add(s, 2, true, false);
    ns[NN] = ns_add(s, NN, true, false);
    g_assert_cmpuint(ns[NN]->nsid, ==, NN);
    /* The lowest free ones, in the gaps. */
    for (unsigned i = 1; i < NN; i++) {
        if (i != 2) {
            ns[i] = ns_add(s, 0, true, false);
            g_assert_cmpuint(ns[i]->nsid, ==, i);
        }
    }
    extra = ns_new(0, true, false);
    g_assert_false(envme_subsys_add_ns(s, extra, &err));
    g_assert_nonnull(strstr(err, "8"));
    g_clear_pointer(&err, g_free);
    ns_take(s, ns[3]);
    extra->params.nsid = 4;
    g_assert_false(envme_subsys_add_ns(s, extra, &err));
    g_assert_nonnull(strstr(err, "nsid=4"));
    g_assert_nonnull(strstr(err, "is 3"));
    g_clear_pointer(&err, g_free);
    extra->params.nsid = NN + 1;
    g_assert_false(envme_subsys_add_ns(s, extra, &err));
    g_assert_nonnull(strstr(err, "nsid=9"));
    g_assert_nonnull(strstr(err, "is 3"));
    g_clear_pointer(&err, g_free);
    g_assert_null(envme_subsys_ns(s, 3));
    g_assert_null(envme_subsys_ns(s, 0));
    g_assert_null(envme_subsys_ns(s, NN + 1));
    g_assert_null(envme_subsys_ns(s, UINT32_MAX));
    ns_free(extra);
    for (unsigned i = 1; i <= NN; i++) {
        if (i != 3) {
            ns_take(s, ns[i]);
        }
    }
    envme_subsys_free(s);

    s = envme_subsys_new("nqn.test", 0, true);
    g_assert_cmpuint(s->nn, ==, 256);
    envme_subsys_free(s);
}

static void test_attach(void)
{
    struct envme_subsys *s = envme_subsys_new("nqn.test", NN, false);
    struct envme_ns *shared = ns_add(s, 1, true, false);
    struct envme_ns *own = ns_add(s, 2, false, false);
    struct envme_ns *detached = ns_add(s, 3, true, true);
    struct envme_ns *more, *more_own;
    struct ctrl a = { 0 }, b = { 0 };
    unsigned done = 0;

    ctrl_add(&a, s);
    ctrl_add(&b, s);
    g_assert_cmpint(a.cntlid, !=, b.cntlid);
    g_assert_true(a.ns[1] == shared && b.ns[1] == shared);
    g_assert_true(a.ns[2] == own && !b.ns[2]);
    g_assert_true(!a.ns[3] && !b.ns[3]);
    g_assert_true(envme_subsys_is_attached(own, a.cntlid));
    g_assert_false(envme_subsys_is_attached(own, b.cntlid));
    g_assert_false(envme_subsys_is_attached(own, ENVME_MAX_CTRLS));
    g_assert_false(envme_subsys_is_attached(own, 0xffff));

    /* Those that come later go the same way. */
    more = ns_add(s, 0, true, false);
    more_own = ns_add(s, 0, false, false);
    g_assert_true(a.ns[4] == more && b.ns[4] == more);
    g_assert_true(a.ns[5] == more_own && !b.ns[5]);

    envme_subsys_attach(s, detached, b.cntlid, true, count, &done);
    g_assert_true(!a.ns[3] && b.ns[3] == detached);
    envme_subsys_attach(s, shared, b.cntlid, false, count, &done);
    g_assert_true(a.ns[1] == shared && !b.ns[1]);
    g_assert_false(envme_subsys_is_attached(shared, b.cntlid));
    g_assert_cmpuint(done, ==, 2);

    /* A controller that leaves takes nothing with it. */
    envme_subsys_remove_ctrl(s, b.cntlid);
    g_assert_false(envme_subsys_is_attached(detached, b.cntlid));
    ns_take(s, shared);
    ns_take(s, own);
    ns_take(s, detached);
    ns_take(s, more);
    ns_take(s, more_own);
    g_assert_null(a.ns[1]);
    envme_subsys_remove_ctrl(s, a.cntlid);
    envme_subsys_free(s);
}

/* The namespace is there until the last controller has let go. */
static void test_remove_later(void)
{
    struct envme_subsys *s = envme_subsys_new("nqn.test", NN, false);
    struct envme_ns *ns = ns_add(s, 1, true, false), *next;
    struct ctrl a = { 0 }, b = { .later = true };
    unsigned done = 0;

    ctrl_add(&a, s);
    ctrl_add(&b, s);            /* its attachment has not happened yet */
    envme_subsys_remove_ns(s, ns, count, &done);
    g_assert_cmpuint(done, ==, 0);
    g_assert_null(a.ns[1]);
    g_assert_null(envme_subsys_ns(s, 1));
    /* Its NSID is free, and the next is not taken for it. */
    next = ns_add(s, 1, true, false);
    ctrl_catch_up(&b);
    g_assert_cmpuint(done, ==, 1);
    g_assert_true(a.ns[1] == next && b.ns[1] == next);
    ns_free(ns);
    envme_subsys_remove_ns(s, next, count, &done);
    g_assert_cmpuint(done, ==, 1);
    ctrl_catch_up(&b);
    g_assert_cmpuint(done, ==, 2);
    ns_free(next);
    envme_subsys_remove_ctrl(s, a.cntlid);
    envme_subsys_remove_ctrl(s, b.cntlid);
    envme_subsys_free(s);
}

static void test_ctrls(void)
{
    struct envme_subsys *s = envme_subsys_new("nqn.test", NN, false);
    static struct ctrl c[ENVME_MAX_CTRLS];
    struct ctrl one = { 0 };

    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        ctrl_add(&c[i], s);
        g_assert_cmpint(c[i].cntlid, ==, i);
    }
    g_assert_cmpint(envme_subsys_add_ctrl(s, &ops, &one), ==, -1);
    envme_subsys_remove_ctrl(s, 77);
    g_assert_cmpint(envme_subsys_add_ctrl(s, &ops, &one), ==, 77);
    envme_subsys_reset(s);
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        g_assert_cmpuint(c[i].nnssr, ==, i != 77);
        envme_subsys_remove_ctrl(s, i);
    }
    g_assert_cmpuint(one.nnssr, ==, 1);
    envme_subsys_free(s);

    s = envme_subsys_new("nqn.test", NN, true);
    g_assert_cmpint(envme_subsys_add_ctrl(s, &ops, &one), ==, 0);
    g_assert_cmpint(envme_subsys_add_ctrl(s, &ops, &c[0]), ==, -1);
    envme_subsys_remove_ctrl(s, 0);
    envme_subsys_free(s);
}

/* A namespace without any identifier gets one, always the same. */
static void test_uuid(void)
{
    uint8_t first[16], zero[16] = { 0 };

    for (unsigned i = 0; i < 4; i++) {
        struct envme_subsys *s = envme_subsys_new(i == 3 ? "nqn.b" : "nqn.a",
                                                  NN, true);
        struct envme_ns *ns = ns_new(i == 2 ? 2 : 1, true, false);
        char *err = NULL;

        g_assert_cmpmem(ns->params.uuid, 16, zero, 16);
        g_assert_true(envme_subsys_add_ns(s, ns, &err));
        g_assert_cmpuint(ns->params.uuid[6] >> 4, ==, 8);
        g_assert_cmpuint(ns->params.uuid[8] >> 6, ==, 2);
        if (i == 0) {
            memcpy(first, ns->params.uuid, 16);
        } else {
            g_assert_cmpint(!memcmp(first, ns->params.uuid, 16), ==, i == 1);
        }
        ns_take(s, ns);
        envme_subsys_free(s);
    }
}

static void test_own_id(void)
{
    struct envme_subsys *s = envme_subsys_new("nqn.a", NN, true);
    struct envme_ns *ns = ns_new(1, true, false);
    uint8_t zero[16] = { 0 };
    char *err = NULL;

    ns->params.eui64 = 0x1122334455667788ull;
    g_assert_true(envme_subsys_add_ns(s, ns, &err));
    g_assert_cmpmem(ns->params.uuid, 16, zero, 16);
    ns_take(s, ns);
    envme_subsys_free(s);
}

static void test_resized(void)
{
    struct envme_subsys *s = envme_subsys_new("nqn.test", NN, false);
    struct envme_ns *ns = ns_add(s, 1, true, false);
    struct ctrl a = { 0 }, b = { 0 };

    ctrl_add(&a, s);
    ctrl_add(&b, s);
    envme_subsys_attach(s, ns, b.cntlid, false, NULL, NULL);
    envme_subsys_ns_resized(s, ns);
    g_assert_cmpuint(a.nchanged, ==, 0);
    ns->nsze = 1;               /* so that looking again finds a difference */
    envme_subsys_ns_resized(s, ns);
    g_assert_cmpuint(a.nchanged, ==, 1);
    g_assert_cmpuint(b.nchanged, ==, 0);
    ns_take(s, ns);
    envme_subsys_remove_ctrl(s, a.cntlid);
    envme_subsys_remove_ctrl(s, b.cntlid);
    envme_subsys_free(s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/subsys/nsids", test_nsids);
    g_test_add_func("/subsys/attach", test_attach);
    g_test_add_func("/subsys/remove-later", test_remove_later);
    g_test_add_func("/subsys/ctrls", test_ctrls);
    g_test_add_func("/subsys/uuid", test_uuid);
    g_test_add_func("/subsys/own-id", test_own_id);
    g_test_add_func("/subsys/resized", test_resized);
    return g_test_run();
}
