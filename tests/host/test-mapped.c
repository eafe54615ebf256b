/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapped doorbells: none is lost, whenever registers turn into memory and back,
 * and what is wrong with one is said as it is with registers. With real threads:
 * test-wraps.c.
 */
#include "th.h"

#include "hw/ctrl/doorbell.h"

static struct envme_sqe flush(void)
{
    return th_sqe(ENVME_NVM_FLUSH, 1);
}

static bool is_mapped(struct th *h)
{
    return atomic_load(&h->ctrl->mapped.state) == ENVME_MAPPED_ON;
}

/* Rings until doorbells are memory; they stay so for the next 200 steps. */
static void map(struct th *h, unsigned qid)
{
    struct envme_sqe s = flush();

    th_db_again(h);
    for (unsigned i = 0; !is_mapped(h); i++) {
        g_assert_cmpuint(i, <, 10000);
        if ((h->sq[qid]->tail + 1) % h->sq[qid]->size != h->sq[qid]->head) {
            th_abandon(h, qid, th_put(h, qid, &s));
            th_ring(h, qid);
        }
        th_step(h);
        th_reap(h, qid);
    }
}

/* ---- nothing is lost --------------------------------------------------- */

struct pump {
    unsigned lanes, queues;
    uint32_t sq, cq;
    uint8_t dstrd;
    uint64_t mapped, seed;
    bool shadow;
};

static uint8_t pump_dstrd;

static void tweak_dstrd(struct envme_ctrl_params *p)
{
    p->dstrd = pump_dstrd;
}

/* Bursts with pauses between them that end before, at and after the time at
 * which the lanes stop to look. */
static void pump_queues(struct th *h, unsigned queues, unsigned n)
{
    struct envme_sqe s = flush();
    unsigned put[8] = { 0 }, got = 0, idle = 0, q, i;

    while (got < n * queues) {
        q = 1 + th_random(h, queues);
        for (i = 1 + th_random(h, 6); i && put[q] < n; i--) {
            struct th_sq *sq = h->sq[q];

            if ((sq->tail + 1) % sq->size == sq->head) {
                break;
            }
            th_abandon(h, q, th_put(h, q, &s));
            put[q]++;
            if (th_random(h, 3) == 0) {
                th_ring(h, q);
            }
        }
        th_ring(h, q);
        for (i = th_random(h, 40); i && th_step(h); i--) {
        }
        if (th_random(h, 100) == 0) {
            th_db_again(h);
            for (i = th_random(h, 800); i && th_step(h); i--) {
            }
        }
        i = th_reap_max(h, q, 1 + th_random(h, 8));
        if (i == 0 && ++idle > 1000) {
            th_run(h);
            i = th_reap(h, q);
            if (idle > 5000) {
                g_error("queue %u stands still: %u of %u", q, got,
                        n * queues);
            }
        } else if (i) {
            idle = 0;
        }
        got += i;
    }
}

static void pump_one(const struct pump *p, unsigned n)
{
    struct th *h;
    unsigned q;

    pump_dstrd = p->dstrd;
    h = th_new(.lanes = p->lanes, .seed = p->seed, .mapped = p->mapped,
               .tweak = tweak_dstrd);
    th_enable(h);
    for (q = 1; q <= p->queues; q++) {
        th_assert_code(th_create_cq(h, .qid = q, .size = p->cq, .vector = q),
                       SUCCESS);
        th_assert_code(th_create_sq(h, .qid = q, .size = p->sq), SUCCESS);
    }
    if (p->shadow) {
        /* They come while doorbells are memory. */
        map(h, 1);
        th_assert_code(th_shadow(h), SUCCESS);
    }
    pump_queues(h, p->queues, n);
    g_test_message("%u lanes, %u queues of %u and %u: mapped %u times, %u "
                   "stores, %u traps", p->lanes, p->queues, p->sq, p->cq,
                   h->db_turns, h->db_stores, h->db_traps);
    if (p->shadow) {
        g_assert_cmpuint(h->db_turns, ==, 1);
    } else {
        g_assert_cmpuint(h->db_turns, >, 5);
        g_assert_cmpuint(h->db_stores, >, n / 16);
        g_assert_cmpuint(h->db_traps, >, n / 16);
    }
    th_free(h);
}

static void test_pump(void)
{
    static const struct pump t[] = {
        { 0, 1, 2, 2, 0, 4096, 1, false }, { 0, 2, 16, 3, 0, 4096, 2, false },
        { 1, 2, 7, 16, 0, 4096, 3, false }, { 1, 1, 256, 5, 1, 4096, 4, false },
        { 4, 4, 5, 5, 0, 4096, 5, false }, { 4, 7, 16, 16, 4, 16384, 6, false },
        /* Some doorbells are in the pages, and some are not. */
        { 4, 7, 16, 16, 8, 4096, 7, false }, { 2, 4, 8, 8, 8, 8192, 8, false },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        pump_one(&t[i], 3000);
    }
}

static void test_pump_shadow(void)
{
    static const struct pump t[] = {
        { 0, 2, 2, 2, 0, 4096, 0, true }, { 4, 4, 16, 3, 0, 4096, 0, true },
    };

    for (unsigned i = 0; i < 20; i++) {
        struct pump p = t[i % 2];

        p.seed = i + 1;
        pump_one(&p, 500);
    }
}

/* ---- while it is mapped ------------------------------------------------ */

/* Straight into the memory. */
static void store(struct th *h, bool cq, unsigned qid, uint32_t value)
{
    uint32_t *at = h->ports.doorbells.base;

    g_assert_true(is_mapped(h));
    at[qid * 2 + cq] = ENVME_SWAP32(value);
}

static struct th *mapped_host(unsigned lanes)
{
    struct th *h = th_new(.lanes = lanes, .seed = 3, .mapped = 4096);

    th_enable(h);
    th_queues(h, 4, 16);
    map(h, 1);
    return h;
}

/* An admin doorbell, and those of queues on lanes that sleep, while one lane
 * polls; and a doorbell without a change of the queue is none. */
static void test_others(void)
{
    struct th *h = mapped_host(4);
    struct envme_sqe s = flush();

    for (unsigned i = 0; i < 50; i++) {
        unsigned q = th_random(h, 5);
        struct envme_sqe id = th_sqe(ENVME_ADM_IDENTIFY, 0);
        struct envme_cqe c;
        uint16_t cid;

        map(h, 1);
        if (!q) {
            id.cdw10 = le32(ENVME_CNS_CTRL);
            id.dptr.prp1 = le64(th_alloc(h, 4096));
        }
        cid = th_put(h, q, q ? &s : &id);
        store(h, false, q, h->sq[q]->tail);
        g_assert_true(th_try_wait(h, q, cid, &c));
        th_assert_sc(c, SUCCESS);
        if (!q) {
            th_free_pages(h, le64_get(id.dptr.prp1), 4096);
        }
    }
    th_run(h);
    g_assert_false(is_mapped(h));
    th_free(h);
}

static void expect_bad(struct th *h, uint16_t aer, uint8_t info)
{
    struct envme_log_error *log = g_malloc0(64 * 16);
    struct envme_cqe c = th_wait(h, 0, aer);

    th_assert_sc(c, SUCCESS);
    g_assert_cmpuint(FIELD_GET(ENVME_AER_INFO, le32_get(c.dw0)), ==, info);
    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, log, 64 * 16,
                            false), SUCCESS);
    g_assert_cmpuint(le64_get(*(le64_t *)log), >, 0);
    g_free(log);
}

static void test_bad(void)
{
    static const struct {
        bool cq;
        unsigned qid;
        uint32_t value;
        uint8_t info;
    } t[] = {
        { false, 1, 16, ENVME_AEN_ERROR_DB_VALUE },
        { false, 1, 16, ENVME_AEN_ERROR_DB_VALUE },     /* once more */
        { false, 2, 0xffff, ENVME_AEN_ERROR_DB_VALUE },
        { true, 2, 16, ENVME_AEN_ERROR_DB_VALUE },
        { true, 3, 15, ENVME_AEN_ERROR_DB_VALUE },  /* was never posted */
        { true, 3, 15, ENVME_AEN_ERROR_DB_VALUE },
        { false, 0, 0x7fff, ENVME_AEN_ERROR_DB_VALUE },
        { false, 9, 1, ENVME_AEN_ERROR_DB_REG },    /* no such queue */
        { true, 9, 1, ENVME_AEN_ERROR_DB_REG },
        { true, 400, 1, ENVME_AEN_ERROR_DB_REG },   /* there cannot be one */
    };

    for (unsigned lanes = 0; lanes < 5; lanes += 4) {
        struct th *h = mapped_host(lanes);

        for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
            uint16_t aer = th_aer(h);

            map(h, 4);
            store(h, t[i].cq, t[i].qid, t[i].value);
            expect_bad(h, aer, t[i].info);
            for (unsigned q = 1; q <= 4; q++) {
                th_assert_sc(th_read(h, .qid = q), SUCCESS);
            }
        }
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
        th_free(h);
    }
}

/* A reserved upper half is ignored, as it is in a register. */
static void test_reserved(void)
{
    struct th *h = mapped_host(1);
    struct envme_sqe s = flush();
    struct envme_cqe c;
    uint16_t cid;

    cid = th_put(h, 2, &s);
    store(h, false, 2, h->sq[2]->tail | 0xabcd0000);
    g_assert_true(th_try_wait(h, 2, cid, &c));
    th_assert_sc(c, SUCCESS);
    th_free(h);
}

/* What is read is the same in both states: the last write. */
static void test_reads(void)
{
    struct th *h = mapped_host(1);

    g_assert_cmphex(envme_ctrl_doorbell_read(h->ctrl, 8, 4), ==,
                    h->sq[1]->tail);
    th_run(h);
    g_assert_false(is_mapped(h));
    g_assert_cmphex(envme_ctrl_doorbell_read(h->ctrl, 8, 4), ==,
                    h->sq[1]->tail);
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmphex(envme_ctrl_doorbell_read(h->ctrl, 8, 4), ==,
                    h->sq[1]->tail);
    g_assert_cmphex(envme_ctrl_doorbell_read(h->ctrl, 12, 4), ==,
                    h->cq[1]->head);
    g_assert_cmphex(envme_ctrl_doorbell_read(h->ctrl, 4094, 4), ==, 0);
    g_assert_cmphex(envme_ctrl_doorbell_read(h->ctrl, UINT64_MAX, 8), ==, 0);
    th_free(h);
    /* Without: as for registers that are there to be written. */
    h = th_new(0);
    th_enable(h);
    g_assert_cmphex(envme_ctrl_doorbell_read(h->ctrl, 0, 4), ==, 0);
    th_free(h);
}

/* ---- what ends it ------------------------------------------------------ */

static void test_reset(void)
{
    static const enum envme_reset kinds[] = {
        ENVME_RESET_CC, ENVME_RESET_FLR, ENVME_RESET_FUNCTION,
        ENVME_RESET_NSSR,
    };
    struct envme_sqe s = flush();

    for (unsigned lanes = 0; lanes < 5; lanes += 4) {
        struct th *h = mapped_host(lanes);

        for (unsigned i = 0; i < 40; i++) {
            for (unsigned q = 1; q <= 4; q++) {
                th_abandon(h, q, th_put(h, q, &s));
                store(h, false, q, h->sq[q]->tail);
            }
            for (unsigned n = th_random(h, 40); n; n--) {
                th_step(h);
            }
            if (kinds[i % 4] == ENVME_RESET_CC) {
                th_disable(h);
            } else {
                th_reset(h, kinds[i % 4]);
            }
            th_enable(h);
            th_queues(h, 4, 16);
            map(h, 1);
        }
        th_free(h);
    }
}

static void test_delete(void)
{
    struct th *h = mapped_host(4);
    struct envme_sqe s = flush();

    for (unsigned i = 0; i < 40; i++) {
        unsigned q = 2 + th_random(h, 3);
        uint16_t aer;

        map(h, 1);
        for (unsigned n = th_random(h, 10); n; n--) {
            th_abandon(h, q, th_put(h, q, &s));
            store(h, false, q, h->sq[q]->tail);
            th_step(h);
            map(h, 1);
        }
        th_assert_code(th_delete_sq(h, q), SUCCESS);
        aer = th_aer(h);
        map(h, 1);
        store(h, false, q, 3);
        expect_bad(h, aer, ENVME_AEN_ERROR_DB_REG);
        th_assert_code(th_delete_cq(h, q), SUCCESS);
        th_create_cq(h, .qid = q, .size = 16, .vector = q);
        th_create_sq(h, .qid = q, .size = 16);
        th_assert_sc(th_read(h, .qid = q), SUCCESS);
    }
    th_free(h);
}

static void test_bus_master(void)
{
    struct th *h = mapped_host(4);
    struct envme_sqe s = flush();

    for (unsigned i = 0; i < 40; i++) {
        struct envme_cqe c;
        uint16_t cid[5];

        map(h, 1);
        for (unsigned q = 1; q <= 4; q++) {
            cid[q] = th_put(h, q, &s);
            store(h, false, q, h->sq[q]->tail);
        }
        for (unsigned n = th_random(h, 20); n; n--) {
            th_step(h);
        }
        th_bme(h, false);
        th_run(h);
        g_assert_false(is_mapped(h));
        th_bme(h, true);
        for (unsigned q = 1; q <= 4; q++) {
            g_assert_true(th_try_wait(h, q, cid[q], &c));
            th_assert_sc(c, SUCCESS);
        }
    }
    th_free(h);
}

static unsigned hooked;

static bool hook_doorbell(void *opaque, unsigned qid, bool is_cq,
                          uint32_t *val)
{
    (void)opaque;
    (void)val;
    hooked += qid == 2 && !is_cq;
    return true;
}

/* A rule on doorbells sees those too that are in memory just then. */
static void test_rule(void)
{
    struct th *h = mapped_host(1);
    struct envme_sqe s = flush();
    struct envme_cqe c;
    uint16_t cid;

    hooked = 0;
    h->ctrl->hooks.doorbell = hook_doorbell;
    atomic_store(&h->ctrl->watch, ENVME_WATCH_DB);
    cid = th_put(h, 2, &s);
    store(h, false, 2, h->sq[2]->tail);
    g_assert_true(th_try_wait(h, 2, cid, &c));
    g_assert_cmpuint(hooked, ==, 1);
    th_run(h);
    g_assert_false(is_mapped(h));
    /* And keeps them from it. */
    th_db_again(h);
    for (unsigned i = 0; i < 500; i++) {
        th_assert_sc(th_io(h, 2, &s), SUCCESS);
    }
    g_assert_cmpuint(hooked, ==, 501);
    g_assert_cmpuint(h->db_turns, ==, 1);
    atomic_store(&h->ctrl->watch, 0);
    map(h, 2);
    th_free(h);
}

/* The pin has to fall at once when the host has emptied its queue. */
static void test_pin(void)
{
    struct th *h = th_new(.mapped = 4096, .intx = true);
    struct envme_sqe s = flush();

    th_enable(h);
    th_queues(h, 1, 16);
    for (unsigned i = 0; i < 500; i++) {
        th_assert_sc(th_io(h, 1, &s), SUCCESS);
    }
    g_assert_cmpuint(h->db_turns, ==, 0);
    h->opts.intx = false;
    map(h, 1);
    h->opts.intx = true;
    envme_ctrl_doorbells_check(h->ctrl);
    g_assert_false(is_mapped(h));
    th_free(h);
}

/* A host that stops each time gets less of it. */
static void test_cool(void)
{
    struct th *h = th_new(.mapped = 4096);
    struct envme_sqe s = flush();
    uint64_t last = 0;

    th_enable(h);
    th_queues(h, 1, 16);
    for (unsigned i = 0; i < 5; i++) {
        unsigned turns = h->db_turns;
        uint64_t since = h->clock;

        while (h->db_turns == turns) {
            uint16_t cid = th_submit(h, 1, &s);
            struct envme_cqe c;

            g_assert_true(th_try_wait(h, 1, cid, &c));
        }
        th_run(h);
        g_assert_false(is_mapped(h));
        if (i > 1) {
            g_assert_cmpuint(h->clock - since, >, last * 3 / 2);
        }
        last = h->clock - since;
    }
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mapped/pump", test_pump);
    g_test_add_func("/mapped/pump-shadow", test_pump_shadow);
    g_test_add_func("/mapped/others", test_others);
    g_test_add_func("/mapped/bad", test_bad);
    g_test_add_func("/mapped/reserved", test_reserved);
    g_test_add_func("/mapped/reads", test_reads);
    g_test_add_func("/mapped/reset", test_reset);
    g_test_add_func("/mapped/delete", test_delete);
    g_test_add_func("/mapped/bus-master", test_bus_master);
    g_test_add_func("/mapped/rule", test_rule);
    g_test_add_func("/mapped/pin", test_pin);
    g_test_add_func("/mapped/cool", test_cool);
    return g_test_run();
}
