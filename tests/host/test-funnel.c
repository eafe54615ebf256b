/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine offers and no table of ours uses yet, by way of tables made
 * up here: fused pairs, saved features, the hooks of the funnel.
 * Base 2.1, 3.4.2, 5.1.25.
 */
#include "th.h"

static struct envme_row rows[256];
static struct envme_feat_row *feats;
static struct envme_feat_table table;
static struct envme_iocs iocs;
static const struct envme_iocs *list[1] = { &iocs };
static struct envme_tables tables;

static void make_tables(void)
{
    unsigned i;

    tables = envme_tables;
    iocs = *envme_tables.iocs[0];
    memcpy(rows, iocs.rows, sizeof(rows));
    iocs.rows = rows;
    tables.iocs = list;
    tables.niocs = 1;
    feats = g_memdup2(envme_tables.feats->row,
                      envme_tables.feats->n * sizeof(*feats));
    for (i = 0; i < tables.feats->n; i++) {
        feats[i].saveable = feats[i].changeable;
    }
    table.row = feats;
    table.n = tables.feats->n;
    tables.feats = &table;
}

/* A fused pair may be as long as an atomic write. */
static void tweak_awun(struct envme_ctrl_params *p)
{
    p->awun = 7;
}

static struct th *fused_host(unsigned lanes, uint64_t seed)
{
    struct th *h = th_new(.lanes = lanes, .seed = seed, .tables = &tables,
                          .tweak = tweak_awun);

    th_enable(h);
    th_queues(h, 2, 32);
    return h;
}

static struct envme_sqe half(uint8_t opc, unsigned fuse, struct th_buf *b)
{
    struct envme_sqe s = th_sqe_rw(opc, 1, 4, 8);

    th_buf_attach(b, &s);
    s.flags |= fuse;
    return s;
}

struct pair {
    struct th_buf *was, *now;
    uint16_t first, second;
};

static struct pair put_pair(struct th *h, unsigned qid, uint64_t was,
                            uint64_t now)
{
    struct pair p = { th_buf_new(h, 4096, 0), th_buf_new(h, 4096, TH_OFFSET),
                      0, 0 };
    uint8_t data[4096];
    struct envme_sqe s;

    th_pattern(data, 4096, was);
    th_buf_put(p.was, data);
    th_pattern(data, 4096, now);
    th_buf_put(p.now, data);
    s = half(ENVME_NVM_COMPARE, ENVME_FUSE_FIRST, p.was);
    p.first = th_put(h, qid, &s);
    s = half(ENVME_NVM_WRITE, ENVME_FUSE_SECOND, p.now);
    p.second = th_put(h, qid, &s);
    return p;
}

static void pair_free(struct pair *p)
{
    th_buf_free(p->was);
    th_buf_free(p->now);
}

static void test_fused(void)
{
    unsigned lanes, i;

    for (lanes = 0; lanes < 3; lanes++) {
        struct th *h = fused_host(lanes, lanes + 1);
        uint8_t data[4096];
        struct pair p;

        th_pattern(data, 4096, 0);
        th_assert_sc(th_write(h, .slba = 4, .nlb = 8, .data = data), SUCCESS);
        h->be[0]->later = lanes == 2;
        for (i = 0; i < 50; i++) {
            p = put_pair(h, 1, i, i + 1);
            th_ring(h, 1);
            th_assert_sc(th_wait(h, 1, p.first), SUCCESS);
            th_assert_sc(th_wait(h, 1, p.second), SUCCESS);
            pair_free(&p);
            /* not what is there: nothing is written */
            p = put_pair(h, 1, 999, 998);
            th_ring(h, 1);
            th_assert_sc(th_wait(h, 1, p.first), COMPARE_FAILURE);
            th_assert_sc(th_wait(h, 1, p.second), ABORT_FAILED_FUSED);
            pair_free(&p);
        }
        th_assert_sc(th_read(h, .slba = 4, .nlb = 8, .data = data), SUCCESS);
        g_assert_true(th_pattern_ok(data, 4096, 50));
        th_run(h);
        g_assert_cmpuint(th_cq_slots_free(h, 1), ==, 31);
        th_free(h);
    }
}

/* Halves without the other */
static void test_missing(void)
{
    struct th *h = fused_host(1, 2);
    struct th_buf *b = th_buf_new(h, 4096, 0);
    struct envme_sqe s, n = th_sqe(ENVME_NVM_FLUSH, 1);
    uint16_t a, c, d;

    /* a first, and nothing behind it */
    s = half(ENVME_NVM_COMPARE, ENVME_FUSE_FIRST, b);
    th_assert_sc(th_io(h, 1, &s), ABORT_MISSING_FUSED);
    /* a second, and nothing before it */
    s = half(ENVME_NVM_WRITE, ENVME_FUSE_SECOND, b);
    th_assert_sc(th_io(h, 1, &s), ABORT_MISSING_FUSED);
    /* a first, and then something else, which is not harmed */
    s = half(ENVME_NVM_COMPARE, ENVME_FUSE_FIRST, b);
    a = th_put(h, 1, &s);
    c = th_put(h, 1, &n);
    th_ring(h, 1);
    th_assert_sc(th_wait(h, 1, a), ABORT_MISSING_FUSED);
    th_assert_sc(th_wait(h, 1, c), SUCCESS);
    /* two firsts and a second: the latter two are a pair */
    a = th_put(h, 1, &s);
    c = th_put(h, 1, &s);
    s = half(ENVME_NVM_WRITE, ENVME_FUSE_SECOND, b);
    d = th_put(h, 1, &s);
    th_ring(h, 1);
    th_assert_sc(th_wait(h, 1, a), ABORT_MISSING_FUSED);
    th_assert_sc(th_wait(h, 1, c), SUCCESS);
    th_assert_sc(th_wait(h, 1, d), SUCCESS);
    /* others in between, on another queue, are no matter */
    s = half(ENVME_NVM_COMPARE, ENVME_FUSE_FIRST, b);
    a = th_put(h, 1, &s);
    s = half(ENVME_NVM_WRITE, ENVME_FUSE_SECOND, b);
    c = th_put(h, 1, &s);
    d = th_put(h, 2, &n);
    th_ring(h, 2);
    th_ring(h, 1);
    th_assert_sc(th_wait(h, 2, d), SUCCESS);
    th_assert_sc(th_wait(h, 1, a), SUCCESS);
    th_assert_sc(th_wait(h, 1, c), SUCCESS);
    /* commands that cannot be fused; the reserved value */
    s = half(ENVME_NVM_READ, ENVME_FUSE_FIRST, b);
    a = th_put(h, 1, &s);
    s = half(ENVME_NVM_WRITE, ENVME_FUSE_SECOND, b);
    c = th_put(h, 1, &s);
    th_ring(h, 1);
    th_assert_sc(th_wait(h, 1, a), INVALID_FIELD);
    th_assert_sc(th_wait(h, 1, c), ABORT_FAILED_FUSED);
    s = half(ENVME_NVM_WRITE, 3, b);
    th_assert_sc(th_io(h, 1, &s), INVALID_FIELD);
    th_assert_sc(th_read(h), SUCCESS);
    th_buf_free(b);
    th_free(h);
}

/* Pairs in the midst of all that happens: resets, deletion, Bus Master, few
 * commands at once */
static void tweak_few(struct envme_ctrl_params *p)
{
    tweak_awun(p);
    p->lane_cmds = 9;
}

static void test_fused_disturbed(void)
{
    unsigned n, i, k;

    for (n = 0; n < 300; n++) {
        struct th *h = th_new(.lanes = n % 3, .seed = n + 1,
                              .tables = &tables,
                              .tweak = n & 1 ? tweak_few : tweak_awun);
        struct pair p[12];
        struct envme_cqe c;

        th_enable(h);
        /* 4 entries: pairs have to wait for each other */
        for (k = 1; k <= 2; k++) {
            th_create_cq(h, .qid = k, .size = 4, .vector = k);
            th_create_sq(h, .qid = k, .size = 16);
        }
        h->be[0]->later = n & 2;
        for (i = 0; i < 12; i++) {
            p[i] = put_pair(h, 1 + i % 2, 0, 0);
        }
        th_ring(h, 1);
        th_ring(h, 2);
        for (i = n / 6; i; i--) {
            th_step(h);
        }
        switch (n % 4) {
        case 0:
            th_reset(h, ENVME_RESET_FUNCTION);
            break;
        case 1:
            th_bme(h, false);
            th_run(h);
            th_bme(h, true);
            break;
        case 2:
            {
                struct envme_sqe s = th_sqe(ENVME_ADM_DELETE_SQ, 0);
                uint16_t cid;
                bool done = false;

                s.cdw10 = le32(1);
                cid = th_submit(h, 0, &s);
                /* It needs room for the ones it gives up. */
                for (i = 0; i < 200 && !done; i++) {
                    th_run(h);
                    th_reap(h, 1);
                    th_reap(h, 2);
                    th_reap(h, 0);
                    done = th_done(h, 0, cid, &c);
                }
                g_assert_true(done);
                th_assert_sc(c, SUCCESS);
            }
            break;
        default:
            /* Not waited for: one that is not fetched yet is aborted when
             * it is, and that takes room in its CQ. */
            for (i = 0; i < 4; i++) {
                struct envme_sqe s = th_sqe(ENVME_ADM_ABORT, 0);

                s.cdw10 = le32((uint32_t)(i & 1 ? p[i / 2 * 2].second
                                                : p[i / 2 * 2].first) << 16 |
                               1);
                th_abandon(h, 0, th_submit(h, 0, &s));
            }
            break;
        }
        if (n % 4 == 1 || n % 4 == 3) {
            for (i = 0; i < 12; i++) {
                bool ok;

                c = th_wait(h, 1 + i % 2, p[i].first);
                ok = !cqe_sc(&c);
                c = th_wait(h, 1 + i % 2, p[i].second);
                if (!ok) {
                    g_assert_cmpuint(cqe_sc(&c), !=, 0);
                }
            }
        }
        for (i = 0; i < 12; i++) {
            pair_free(&p[i]);
        }
        th_free(h);
    }
}

/* Firsts must not take the CQ slots that their seconds need. */
static void test_fused_small_cq(void)
{
    uint32_t size;

    for (size = 2; size < 6; size++) {
        struct th *h = th_new(.tables = &tables);
        struct pair p[4];
        unsigned q, i;

        th_enable(h);
        th_create_cq(h, .qid = 1, .size = size);
        for (q = 1; q <= 4; q++) {
            th_create_sq(h, .qid = q, .cqid = 1, .size = 8);
            p[q - 1] = put_pair(h, q, 0, 0);
        }
        for (q = 1; q <= 4; q++) {
            th_ring(h, q);
        }
        for (i = 0; i < 20; i++) {
            th_run(h);
            th_reap(h, 1);
        }
        for (q = 1; q <= 4; q++) {
            g_assert_cmpuint(h->sq[q]->nout, ==, 0);
            pair_free(&p[q - 1]);
        }
        th_free(h);
    }
}

/* ---- features that can be saved ---------------------------------------- */

static void test_saved(void)
{
    struct th *h = th_new(.tables = &tables);
    uint32_t dflt, v;

    th_enable(h);
    th_assert_sc(th_get_feature(h, ENVME_FID_TEMP_THRESH, 0,
                                ENVME_FEAT_SEL_DEFAULT, &dflt), SUCCESS);
    /* never saved: the saved value is the default */
    th_assert_sc(th_get_feature(h, ENVME_FID_TEMP_THRESH, 0,
                                ENVME_FEAT_SEL_SAVED, &v), SUCCESS);
    g_assert_cmphex(v, ==, dflt);
    th_assert_sc(th_get_feature(h, ENVME_FID_TEMP_THRESH, 0,
                                ENVME_FEAT_SEL_CAPS, &v), SUCCESS);
    g_assert_cmphex(v & ENVME_FEAT_CAP_SAVEABLE, !=, 0);
    th_assert_sc(th_set_feature(h, ENVME_FID_TEMP_THRESH, 0, 0x170, true),
                 SUCCESS);
    th_assert_sc(th_set_feature(h, ENVME_FID_TEMP_THRESH, 0, 0x160, false),
                 SUCCESS);
    th_assert_sc(th_get_feature(h, ENVME_FID_TEMP_THRESH, 0,
                                ENVME_FEAT_SEL_CURRENT, &v), SUCCESS);
    g_assert_cmphex(v, ==, 0x160);
    th_assert_sc(th_get_feature(h, ENVME_FID_TEMP_THRESH, 0,
                                ENVME_FEAT_SEL_SAVED, &v), SUCCESS);
    g_assert_cmphex(v, ==, 0x170);
    th_assert_sc(th_get_feature(h, ENVME_FID_TEMP_THRESH, 0,
                                ENVME_FEAT_SEL_DEFAULT, &v), SUCCESS);
    g_assert_cmphex(v, ==, dflt);
    for (unsigned i = 0; i < 3; i++) {
        if (i == 0) {
            th_disable(h);
        } else {
            th_reset(h, i == 1 ? ENVME_RESET_FUNCTION : ENVME_RESET_NSSR);
        }
        th_enable(h);
        th_assert_sc(th_get_feature(h, ENVME_FID_TEMP_THRESH, 0,
                                    ENVME_FEAT_SEL_CURRENT, &v), SUCCESS);
        g_assert_cmphex(v, ==, 0x170);
        th_assert_sc(th_set_feature(h, ENVME_FID_TEMP_THRESH, 0, 0x160,
                                    false), SUCCESS);
    }
    th_free(h);
}

/* ---- hooks ------------------------------------------------------------- */

static unsigned npre, npost;

static void hook_fetched(void *opaque, struct envme_cmd *cmd)
{
    cmd->fault = opaque;
}

static bool hook_pre(void *opaque, struct envme_cmd *cmd,
                     struct envme_status *st)
{
    (void)opaque;
    npre++;
    *st = ENVME_ST(UNRECOVERED_READ);
    return cmd->is_admin || cmd->sqe.opc != ENVME_NVM_VERIFY;
}

static void hook_gone(void *opaque, struct envme_cmd *cmd)
{
    g_assert_true(cmd->fault == opaque);
}

static struct envme_status hook_post(void *opaque, struct envme_cmd *cmd,
                                     struct envme_status st)
{
    (void)opaque;
    npost++;
    return cmd->sqe.opc == ENVME_NVM_FLUSH && !cmd->is_admin
           ? ENVME_ST(WRITE_FAULT) : st;
}

static void test_hooks(void)
{
    struct th *h = fused_host(2, 3);
    unsigned notes = h->notes, n;

    h->ctrl->hooks = (struct envme_hooks){
        .opaque = &npre, .fetched = hook_fetched, .pre = hook_pre,
        .post = hook_post, .gone = hook_gone,
    };
    h->ctrl->watch = ENVME_WATCH_CMD;
    th_assert_sc(th_read(h), SUCCESS);
    n = h->be[0]->nsubmitted;
    th_assert_sc(th_rw(h, ENVME_NVM_VERIFY), UNRECOVERED_READ);
    g_assert_cmpuint(h->be[0]->nsubmitted, ==, n);
    th_assert_sc(th_rw(h, ENVME_NVM_FLUSH), WRITE_FAULT);
    g_assert_cmpuint(npre, >=, 2);
    g_assert_cmpuint(npost, >=, 3);
    /* What fails is said. */
    g_assert_cmpuint(h->notes, >=, notes + 2);
    th_free(h);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    make_tables();
    g_test_add_func("/funnel/fused", test_fused);
    g_test_add_func("/funnel/missing", test_missing);
    g_test_add_func("/funnel/fused-disturbed", test_fused_disturbed);
    g_test_add_func("/funnel/fused-small-cq", test_fused_small_cq);
    g_test_add_func("/funnel/saved", test_saved);
    g_test_add_func("/funnel/hooks", test_hooks);
    ret = g_test_run();
    g_free(feats);
    return ret;
}
