/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bus Master Enable off and on in the middle of everything: no DMA, no
 * completion, no interrupt while it is off, nothing lost, every byte right.
 * regressions 7.4.1: a write fetched while it goes off must not become zeroes.
 */
#include "th.h"

#define QD 32
#define IO (16 * 512)

struct slot {
    struct th_buf *b;
    uint16_t cid, qid;
    bool busy, is_write;
    uint64_t slba, seed;
};

/* Each slot has its own blocks, so that what a read sees is known. */
static void start(struct th *h, struct slot *s, unsigned i, uint64_t *now)
{
    struct envme_sqe sqe;
    uint8_t data[IO];

    s->is_write = !*now || th_random(h, 2);
    s->qid = 1 + i % 3;
    sqe = th_sqe_rw(s->is_write ? ENVME_NVM_WRITE : ENVME_NVM_READ, 1,
                    s->slba, 16);
    if (s->is_write) {
        *now += 1 + i;
        s->seed = *now * 1000 + i;
        th_pattern(data, IO, s->seed);
        th_buf_put(s->b, data);
    } else {
        th_buf_fill(s->b, 0xee);
    }
    th_buf_attach(s->b, &sqe);
    s->cid = th_submit(h, s->qid, &sqe);
    s->busy = true;
}

static void finish(struct th *h, struct slot *s, bool wait)
{
    struct envme_cqe c;
    uint8_t data[IO];

    if (!th_done(h, s->qid, s->cid, &c)) {
        if (!wait) {
            return;
        }
        c = th_wait(h, s->qid, s->cid);
    }
    th_assert_sc(c, SUCCESS);
    s->busy = false;
    if (!s->is_write && s->seed) {
        th_buf_get(s->b, data);
        g_assert_true(th_pattern_ok(data, IO, s->seed));
    }
}

static void toggle(unsigned lanes, unsigned rounds, uint64_t seed, bool mmio)
{
    struct th *h = th_new(.lanes = lanes, .seed = seed);
    struct slot s[QD] = { 0 };
    uint64_t now = 0;
    unsigned i, n, ops;

    th_enable(h);
    th_queues(h, 3, 16);
    h->be[0]->later = true;
    for (i = 0; i < QD; i++) {
        unsigned shape = i % 3 == 0 ? TH_SGL : i % 3 == 1 ? TH_OFFSET : 0;

        s[i].b = th_buf_new(h, IO, mmio && i == 0 ? TH_MMIO : shape);
        s[i].slba = i * 64;
    }
    for (n = 0; n < rounds; n++) {
        for (i = 0; i < QD; i++) {
            if (!s[i].busy && th_random(h, 4)) {
                start(h, &s[i], i, &now);
            }
        }
        for (i = th_random(h, 60); i; i--) {
            th_step(h);
        }
        th_bme(h, false);
        ops = h->dma_ops;
        /* The backend goes on, doorbells may be rung, registers work. */
        th_ring(h, 1);
        th_run(h);
        g_assert_cmpuint(h->dma_ops, ==, ops);
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
        if (n % 3 == 0) {
            /* What was posted before may be taken. */
            th_reap(h, 1);
            th_reap(h, 2);
            th_run(h);
        }
        th_bme(h, true);
        for (i = th_random(h, 60); i; i--) {
            th_step(h);
        }
        for (i = 1; i <= 3; i++) {
            th_reap(h, i);
        }
        for (i = 0; i < QD; i++) {
            if (s[i].busy) {
                finish(h, &s[i], false);
            }
        }
    }
    for (i = 0; i < QD; i++) {
        if (s[i].busy) {
            finish(h, &s[i], true);
        }
        s[i].is_write = false;
        if (s[i].seed) {
            uint8_t data[IO];

            th_assert_sc(th_read(h, .slba = s[i].slba, .nlb = 16,
                                 .data = data), SUCCESS);
            g_assert_true(th_pattern_ok(data, IO, s[i].seed));
        }
        th_buf_free(s[i].b);
    }
    th_run(h);
    for (i = 1; i <= 3; i++) {
        g_assert_cmpuint(th_cq_slots_free(h, i), ==, 15);
        g_assert_cmpuint(h->vec[i].raised, ==, h->vec[i].lowered);
    }
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    th_free(h);
}

static void test_toggle(void)
{
    toggle(0, 400, 1, false);
    toggle(2, 400, 2, false);
    toggle(3, 400, 3, false);
}

static void test_toggle_mmio(void)
{
    toggle(0, 300, 4, true);
    toggle(2, 300, 5, true);
}

/* Admin commands over it: Create, Delete, Identify, AER, Abort */
static void test_admin(void)
{
    unsigned n, i, op;

    for (n = 0; n < 240; n++) {
        struct th *h = th_new(.lanes = n % 3, .seed = n + 1);
        struct envme_sqe s;
        uint64_t a = th_alloc(h, 8192);
        uint16_t cid;
        struct envme_cqe c;

        th_enable(h);
        th_queues(h, 1, 16);
        op = n % 6;
        switch (op) {
        case 0:
            s = th_sqe(ENVME_ADM_CREATE_CQ, 0);
            s.cdw10 = le32(15 << 16 | 2);
            s.cdw11 = le32(3);
            break;
        case 1:
            s = th_sqe(ENVME_ADM_CREATE_SQ, 0);
            s.cdw10 = le32(15 << 16 | 2);
            s.cdw11 = le32(1 << 16 | 1);
            break;
        case 2:
            s = th_sqe(ENVME_ADM_DELETE_SQ, 0);
            s.cdw10 = le32(1);
            break;
        case 3:
            s = th_sqe(ENVME_ADM_ABORT, 0);
            s.cdw10 = le32(9 << 16 | 1);
            break;
        case 4:
            /* a page list */
            s = th_sqe(ENVME_ADM_CREATE_CQ, 0);
            s.cdw10 = le32(300u << 16 | 2);
            s.cdw11 = le32(2);
            th_mem_put64(h, a, a + 4096);
            th_mem_put64(h, a + 8, a + 4096);
            break;
        default:
            s = th_sqe(ENVME_ADM_IDENTIFY, 0);
            s.cdw10 = le32(1);
            break;
        }
        s.dptr.prp1 = le64(a);
        s.dptr.prp2 = le64(op == 5 ? a + 4096 : 0);
        cid = th_submit(h, 0, &s);
        for (i = n / 6 % 20; i; i--) {
            th_step(h);
        }
        th_bme(h, false);
        th_run(h);
        th_bme(h, true);
        c = th_wait(h, 0, cid);
        th_assert_sc(c, SUCCESS);
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
        th_free(h);
    }
}

/* An event while it is off is told when it is on. */
static void test_aer(void)
{
    struct th *h = th_new();
    uint16_t a;
    struct envme_cqe c;

    th_enable(h);
    a = th_aer(h);
    th_bme(h, false);
    th_db(h, false, 30, 1);
    th_run(h);
    th_bme(h, true);
    c = th_wait(h, 0, a);
    th_assert_sc(c, SUCCESS);
    g_assert_cmphex(le32_get(c.dw0) & 7, ==, ENVME_AEN_TYPE_ERROR);
    th_free(h);
}

/* CC.EN to 0 needs no DMA; nor does enabling again. */
static void test_reset_while_off(void)
{
    unsigned n, i, kind;

    for (n = 0; n < 200; n++) {
        struct th *h = th_new(.lanes = n % 3, .seed = n + 1);
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);
        struct th_buf *b = th_buf_new(h, 4096, n % 7 ? 0 : TH_MMIO);

        th_enable(h);
        th_queues(h, 2, 16);
        th_buf_attach(b, &s);
        h->be[0]->later = n & 1;
        for (i = 0; i < 20; i++) {
            th_submit(h, 1 + i % 2, &s);
        }
        for (i = th_random(h, 50); i; i--) {
            th_step(h);
        }
        th_bme(h, false);
        for (i = th_random(h, 10); i; i--) {
            th_step(h);
        }
        kind = n / 3 % 3;
        if (kind) {
            th_reset(h, kind == 1 ? ENVME_RESET_FUNCTION : ENVME_RESET_NSSR);
        } else {
            th_disable(h);
        }
        if (n % 5 == 0) {
            g_assert_true(th_enable_as(h, TH_CC_DEFAULT, 16, 16));
            th_run(h);
            g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ~ENVME_CSTS_NSSRO, ==,
                            ENVME_CSTS_RDY);
            th_bme(h, true);
        } else {
            th_bme(h, true);
            th_run(h);
            th_enable(h);
        }
        th_queues(h, 2, 16);
        h->be[0]->later = false;
        th_assert_sc(th_read(h), SUCCESS);
        th_buf_free(b);
        th_free(h);
    }
}

/* Namespaces change while it is off. */
static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void test_detach_while_off(void)
{
    unsigned n, i;

    for (n = 0; n < 40; n++) {
        struct th *h = th_new(.lanes = n % 3, .seed = n + 1,
                              .ns = { { .size = MIB }, { .size = MIB } });
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);
        struct th_buf *b = th_buf_new(h, 4096, 0);
        bool done = false;
        uint16_t cid[10];

        th_enable(h);
        th_queues(h, 1, 16);
        th_buf_attach(b, &s);
        h->be[0]->later = true;
        for (i = 0; i < 10; i++) {
            cid[i] = th_submit(h, 1, &s);
        }
        for (i = n; i; i--) {
            th_step(h);
        }
        th_bme(h, false);
        envme_subsys_attach(h->subsys, h->ns[0], h->ctrl->cntlid, false,
                            set_flag, &done);
        th_run(h);
        th_bme(h, true);
        for (i = 0; i < 10; i++) {
            struct envme_cqe c = th_wait(h, 1, cid[i]);

            g_assert_true(!cqe_sc(&c) ||
                          cqe_sc(&c) == ENVME_SC_INVALID_FIELD);
        }
        th_run(h);
        g_assert_true(done);
        th_assert_sc(th_read(h, .nsid = 2), SUCCESS);
        th_buf_free(b);
        th_free(h);
    }
}

/* Off and on again at once, many times, without a pause */
static void test_flicker(void)
{
    struct th *h = th_new(.lanes = 2, .seed = 8);
    struct slot s[QD] = { 0 };
    uint64_t now = 0;
    unsigned n, i;

    th_enable(h);
    th_queues(h, 3, 16);
    h->be[0]->later = true;
    for (i = 0; i < QD; i++) {
        s[i].b = th_buf_new(h, IO, TH_OFFSET);
        s[i].slba = i * 64;
    }
    for (n = 0; n < 5000; n++) {
        i = th_random(h, QD);
        if (!s[i].busy) {
            start(h, &s[i], i, &now);
        }
        /* The port's own switch and the controller's, no waiting. */
        atomic_store(&h->bme, false);
        envme_ctrl_set_bme(h->ctrl, false);
        for (i = th_random(h, 4); i; i--) {
            th_step(h);
        }
        atomic_store(&h->bme, true);
        envme_ctrl_set_bme(h->ctrl, true);
        for (i = th_random(h, 4); i; i--) {
            th_step(h);
        }
        for (i = 1; i <= 3; i++) {
            th_reap(h, i);
        }
        for (i = 0; i < QD; i++) {
            if (s[i].busy) {
                finish(h, &s[i], false);
            }
        }
    }
    for (i = 0; i < QD; i++) {
        if (s[i].busy) {
            finish(h, &s[i], true);
        }
        th_buf_free(s[i].b);
    }
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bme/regression-7.4.1-toggle", test_toggle);
    g_test_add_func("/bme/toggle-mmio", test_toggle_mmio);
    g_test_add_func("/bme/admin", test_admin);
    g_test_add_func("/bme/aer", test_aer);
    g_test_add_func("/bme/reset-while-off", test_reset_while_off);
    g_test_add_func("/bme/detach-while-off", test_detach_while_off);
    g_test_add_func("/bme/flicker", test_flicker);
    return g_test_run();
}
