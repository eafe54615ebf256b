/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two controllers in one subsystem: shared and private namespaces, events at
 * both, resets of one and of all. Base 2.1, 3.1, 3.2, 3.7.1.
 */
#include "th.h"

struct pair {
    struct th *a, *b;
};

static struct pair pair_new(unsigned lanes, uint64_t seed)
{
    struct pair p;

    p.a = th_new(.lanes = lanes, .seed = seed, .multi = true,
                 .ns = { { .size = MIB }, { .size = MIB, .priv = true },
                         { .size = MIB, .detached = true } });
    p.b = th_new(.peer = p.a, .lanes = lanes, .seed = seed);
    th_enable(p.a);
    th_enable(p.b);
    th_queues(p.a, 2, 32);
    th_queues(p.b, 2, 32);
    return p;
}

static void pair_free(struct pair *p)
{
    th_free(p->b);
    th_free(p->a);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void attach(struct th *h, struct envme_ns *ns, bool on)
{
    bool done = false;

    envme_subsys_attach(h->subsys, ns, h->ctrl->cntlid, on, set_flag, &done);
    th_run(h);
    g_assert_true(done);
}

static void test_identity(void)
{
    struct pair p = pair_new(0, 0);
    struct envme_id_ctrl *a = g_malloc(4096), *b = g_malloc(4096);
    le16_t *list = g_malloc(4096);

    th_assert_sc(th_identify(p.a, ENVME_CNS_CTRL, 0, a), SUCCESS);
    th_assert_sc(th_identify(p.b, ENVME_CNS_CTRL, 0, b), SUCCESS);
    g_assert_cmphex(a->cmic & ENVME_CMIC_MCTRS, !=, 0);
    g_assert_cmpuint(le16_get(a->cntlid), !=, le16_get(b->cntlid));
    g_assert_cmpmem(a->subnqn, 256, b->subnqn, 256);
    /* controllers of the subsystem, and of a namespace */
    th_assert_sc(th_identify(p.a, ENVME_CNS_CTRL_LIST, 0, list), SUCCESS);
    g_assert_cmpuint(le16_get(list[0]), ==, 2);
    g_assert_cmpuint(le16_get(list[1]), ==, 0);
    g_assert_cmpuint(le16_get(list[2]), ==, 1);
    th_assert_sc(th_identify(p.a, ENVME_CNS_NS_CTRL_LIST, 1, list), SUCCESS);
    g_assert_cmpuint(le16_get(list[0]), ==, 2);
    th_assert_sc(th_identify(p.a, ENVME_CNS_NS_CTRL_LIST, 2, list), SUCCESS);
    g_assert_cmpuint(le16_get(list[0]), ==, 1);
    g_assert_cmpuint(le16_get(list[1]), ==, le16_get(a->cntlid));
    th_assert_sc(th_identify_csi(p.a, ENVME_CNS_CTRL_LIST, 0, 1, 0, list),
                 SUCCESS);
    g_assert_cmpuint(le16_get(list[0]), ==, 1);
    g_assert_cmpuint(le16_get(list[1]), ==, 1);
    g_free(a);
    g_free(b);
    g_free(list);
    pair_free(&p);
}

static void test_shared(void)
{
    struct pair p = pair_new(2, 3);
    uint8_t data[4096];
    unsigned i;

    for (i = 0; i < 50; i++) {
        th_pattern(data, 4096, i);
        th_assert_sc(th_write(p.a, .slba = i, .nlb = 8, .data = data),
                     SUCCESS);
        memset(data, 0, 4096);
        th_assert_sc(th_read(p.b, .qid = 2, .slba = i, .nlb = 8,
                             .data = data), SUCCESS);
        g_assert_true(th_pattern_ok(data, 4096, i));
    }
    /* the private one is the first's */
    th_assert_sc(th_read(p.a, .nsid = 2), SUCCESS);
    th_assert_sc(th_read(p.b, .nsid = 2), INVALID_FIELD);
    /* the detached one is nobody's, until it is attached to one */
    th_assert_sc(th_read(p.a, .nsid = 3), INVALID_FIELD);
    attach(p.b, p.a->ns[2], true);
    th_assert_sc(th_read(p.a, .nsid = 3), INVALID_FIELD);
    th_assert_sc(th_read(p.b, .nsid = 3), SUCCESS);
    /* regressions 7.2 (10.0.3): detaching from one leaves the other alone */
    attach(p.a, p.a->ns[2], true);
    attach(p.b, p.a->ns[2], false);
    th_assert_sc(th_read(p.a, .nsid = 3), SUCCESS);
    th_assert_sc(th_read(p.b, .nsid = 3), INVALID_FIELD);
    pair_free(&p);
}

/* A resize is told to both. */
static void test_resize(void)
{
    struct pair p = pair_new(1, 4);
    struct th *h[2] = { p.a, p.b };
    uint16_t aer[2];
    unsigned i;
    uint8_t id[4096];

    for (i = 0; i < 2; i++) {
        th_assert_sc(th_get_log(h[i], ENVME_LID_CHANGED_NS, UINT32_MAX, 0, id,
                                4096, false), SUCCESS);
        th_assert_sc(th_set_feature(h[i], ENVME_FID_AEC, 0,
                                    ENVME_FEAT_AEC_NSAN, false), SUCCESS);
        aer[i] = th_aer(h[i]);
    }
    th_be_resize(p.a->be[0], 2 * MIB);
    th_run(p.a);
    for (i = 0; i < 2; i++) {
        struct envme_cqe c = th_wait(h[i], 0, aer[i]);

        th_assert_sc(c, SUCCESS);
        g_assert_cmphex(le32_get(c.dw0) & 7, ==, ENVME_AEN_TYPE_NOTICE);
        th_assert_sc(th_identify(h[i], ENVME_CNS_NS, 1, id), SUCCESS);
        g_assert_cmpuint(le64_get(*(le64_t *)id), ==, 4096);
        th_assert_sc(th_read(h[i], .slba = 4095), SUCCESS);
    }
    pair_free(&p);
}

static void fill(struct th *h, struct th_buf *b)
{
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);
    unsigned i;

    th_buf_attach(b, &s);
    for (i = 0; i < 40; i++) {
        th_submit(h, 1 + i % 2, &s);
    }
}

/* One is reset under load, the other does not notice. */
static void test_reset_one(void)
{
    struct pair p = pair_new(2, 5);
    struct th_buf *b = th_buf_new(p.a, 4096, 0);
    uint8_t data[512];
    unsigned n, i;

    p.a->be[0]->later = true;
    for (n = 0; n < 150; n++) {
        fill(p.a, b);
        for (i = th_random(p.a, 100); i; i--) {
            th_step(p.a);
        }
        if (n & 1) {
            th_disable(p.a);
        } else {
            th_reset(p.a, ENVME_RESET_FUNCTION);
        }
        th_pattern(data, 512, n);
        th_assert_sc(th_write(p.b, .slba = 100 + n, .data = data), SUCCESS);
        memset(data, 0, 512);
        th_assert_sc(th_read(p.b, .slba = 100 + n, .data = data), SUCCESS);
        g_assert_true(th_pattern_ok(data, 512, n));
        th_enable(p.a);
        th_queues(p.a, 2, 32);
    }
    th_buf_free(b);
    pair_free(&p);
}

/* NSSR at one resets both, wherever they are. */
static void test_nssr(void)
{
    unsigned n, i, k;

    for (n = 0; n < 60; n++) {
        struct pair p = pair_new(n % 3, n + 1);
        struct th *h[2] = { p.a, p.b };
        struct th_buf *b[2] = { th_buf_new(p.a, 4096, 0),
                                th_buf_new(p.b, 4096, 0) };

        p.a->be[0]->later = true;
        fill(p.a, b[0]);
        fill(p.b, b[1]);
        for (i = th_random(p.a, 80); i; i--) {
            th_step(p.a);
        }
        th_w32(h[n & 1], ENVME_REG_NSSR, ENVME_NSSR_KEY);
        th_run(p.a);
        for (k = 0; k < 2; k++) {
            th_check_at_rest(h[k], "after a subsystem reset");
            th_close(h[k], "after a subsystem reset");
            th_forget(h[k]);
            g_assert_cmphex(th_r32(h[k], ENVME_REG_CSTS), ==,
                            ENVME_CSTS_NSSRO);
        }
        for (k = 0; k < 2; k++) {
            th_enable(h[k]);
            th_queues(h[k], 2, 32);
            th_assert_sc(th_read(h[k]), SUCCESS);
            th_buf_free(b[k]);
        }
        pair_free(&p);
    }
}

/* A namespace is removed while both use it, and one of them is reset. */
static void test_remove_busy(void)
{
    unsigned n, i;

    for (n = 0; n < 60; n++) {
        struct pair p = pair_new(n % 3, n + 1);
        struct th_buf *ba = th_buf_new(p.a, 4096, 0);
        struct th_buf *bb = th_buf_new(p.b, 4096, 0);
        bool done = false;
        char *err = NULL;

        p.a->be[0]->later = true;
        fill(p.a, ba);
        fill(p.b, bb);
        for (i = th_random(p.a, 60); i; i--) {
            th_step(p.a);
        }
        envme_subsys_remove_ns(p.a->subsys, p.a->ns[0], set_flag, &done);
        for (i = th_random(p.a, 20); i; i--) {
            th_step(p.a);
        }
        if (n & 1) {
            th_reset(p.b, ENVME_RESET_FUNCTION);
        }
        th_run(p.a);
        g_assert_true(done);
        g_assert_cmpuint(p.a->be[0]->nbios, ==, 0);
        th_reap(p.a, 1);
        th_reap(p.a, 2);
        th_run(p.a);
        th_assert_sc(th_read(p.a, .nsid = 1), INVALID_FIELD);
        th_assert_sc(th_read(p.a, .nsid = 2), SUCCESS);
        /* back again */
        g_assert_true(envme_subsys_add_ns(p.a->subsys, p.a->ns[0], &err));
        th_run(p.a);
        th_assert_sc(th_read(p.a, .nsid = 1), SUCCESS);
        th_buf_free(ba);
        th_buf_free(bb);
        pair_free(&p);
    }
}

/* Controllers come and go while the others work (regressions 7.3). */
static void test_hotplug(void)
{
    struct th *a = th_new(.multi = true, .seed = 6, .lanes = 1,
                          .ns = { { .size = MIB }, { .size = MIB } });
    struct th_buf *b = th_buf_new(a, 4096, 0);
    unsigned n;

    th_enable(a);
    th_queues(a, 2, 64);
    a->be[0]->later = true;
    for (n = 0; n < 40; n++) {
        struct th *c = th_new(.peer = a, .lanes = n % 3, .seed = n + 1);
        struct th_buf *cb = th_buf_new(c, 4096, 0);

        fill(a, b);
        th_enable(c);
        th_queues(c, 2, 64);
        fill(c, cb);
        for (unsigned i = th_random(a, 80); i; i--) {
            th_step(a);
        }
        th_buf_free(cb);
        th_free(c);
        th_run(a);
        th_reap(a, 1);
        th_reap(a, 2);
        th_assert_sc(th_read(a), SUCCESS);
    }
    th_buf_free(b);
    th_free(a);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/multi/identity", test_identity);
    g_test_add_func("/multi/regression-10.0.3-shared", test_shared);
    g_test_add_func("/multi/resize", test_resize);
    g_test_add_func("/multi/reset-one", test_reset_one);
    g_test_add_func("/multi/nssr", test_nssr);
    g_test_add_func("/multi/remove-busy", test_remove_busy);
    g_test_add_func("/multi/regression-7.3-hotplug", test_hotplug);
    return g_test_run();
}
