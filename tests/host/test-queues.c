/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues: creation and deletion with each error, sizes and identifiers up to
 * the maximum, full completion queues. Base 2.1, 3.3, 5.2.1 to 5.2.4.
 */
#include "th.h"

/* A create command as it comes, without the driver's help. */
static uint16_t raw_create(struct th *h, uint8_t opc, uint16_t qid,
                           uint32_t qsize0, uint32_t cdw11, uint64_t prp1)
{
    struct envme_sqe s = th_sqe(opc, 0);
    struct envme_cqe c;

    s.cdw10 = le32(qsize0 << 16 | qid);
    s.cdw11 = le32(cdw11);
    s.dptr.prp1 = le64(prp1);
    c = th_admin(h, &s);
    return cqe_sc(&c);
}

#define CQ_OK (ENVME_CREATE_CQ_PC | ENVME_CREATE_CQ_IEN)

static void tweak_limits(struct envme_ctrl_params *p)
{
    p->mqes = 1023;
    p->max_ioqpairs = 8;
    p->nvectors = 4;
}

static void test_create_cq_errors(void)
{
    struct th *h = th_new(.tweak = tweak_limits);
    uint64_t mem = TH_RAM_SIZE - 64 * KIB;

    th_enable(h);
    th_create_cq(h, .qid = 1, .size = 16);
    /* identifiers: 0, in use, above the limit */
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 0, 15, CQ_OK, mem),
                   QID_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 1, 15, CQ_OK, mem),
                   QID_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 9, 15, CQ_OK, mem),
                   QID_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 0xffff, 15, CQ_OK, mem),
                   QID_INVALID);
    /* sizes: one entry; one above MQES; the maximum of the field */
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 2, 0, CQ_OK, mem),
                   QUEUE_SIZE_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 2, 1024, CQ_OK, mem),
                   QUEUE_SIZE_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 2, 0xffff, CQ_OK, mem),
                   QUEUE_SIZE_INVALID);
    /* vectors: first that is not there, and far off */
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 2, 15, CQ_OK | 4 << 16,
                              mem), VECTOR_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 2, 15,
                              CQ_OK | 0xffffu << 16, mem), VECTOR_INVALID);
    /* base: offset in the page */
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 2, 15, CQ_OK, mem + 8),
                   PRP_OFFSET_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 2, 15,
                              ENVME_CREATE_CQ_IEN, mem + 8),
                   PRP_OFFSET_INVALID);
    /* and memory that is none */
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 2, 15,
                              ENVME_CREATE_CQ_IEN, TH_VOID_BASE),
                   DATA_XFER_ERROR);
    /* the limits themselves */
    th_assert_code(th_create_cq(h, .qid = 8, .size = 1024, .vector = 3),
                   SUCCESS);
    th_assert_code(th_create_cq(h, .qid = 2, .size = 2), SUCCESS);
    th_free(h);
}

static void test_create_sq_errors(void)
{
    struct th *h = th_new(.tweak = tweak_limits);
    uint64_t mem = TH_RAM_SIZE - 64 * KIB;
    uint32_t ok = ENVME_CREATE_SQ_PC | 1 << 16;

    th_enable(h);
    th_create_cq(h, .qid = 1, .size = 16);
    th_create_sq(h, .qid = 1, .size = 16);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_SQ, 0, 15, ok, mem),
                   QID_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_SQ, 1, 15, ok, mem),
                   QID_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_SQ, 9, 15, ok, mem),
                   QID_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_SQ, 2, 0, ok, mem),
                   QUEUE_SIZE_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_SQ, 2, 1024, ok, mem),
                   QUEUE_SIZE_INVALID);
    /* CQID: 0 is Invalid Queue Identifier's, absent is CQ Invalid */
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_SQ, 2, 15,
                              ENVME_CREATE_SQ_PC | 2 << 16, mem), CQ_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_SQ, 2, 15,
                              ENVME_CREATE_SQ_PC, mem), QID_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_SQ, 2, 15, ok, mem + 64),
                   PRP_OFFSET_INVALID);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_SQ, 2, 15, 1 << 16,
                              TH_VOID_BASE), DATA_XFER_ERROR);
    th_assert_code(th_create_sq(h, .qid = 8, .cqid = 1, .size = 1024),
                   SUCCESS);
    th_free(h);
}

/* CAP.CQR: a queue has to be contiguous. */
static void tweak_cqr(struct envme_ctrl_params *p)
{
    p->cqr = true;
}

static void test_cqr(void)
{
    struct th *h = th_new(.tweak = tweak_cqr);

    th_enable(h);
    th_assert_code(th_create_cq(h, .qid = 1, .size = 16, .scattered = true),
                   INVALID_FIELD);
    th_queues(h, 1, 16);
    th_assert_code(th_create_sq(h, .qid = 2, .cqid = 1, .size = 16,
                                .scattered = true), INVALID_FIELD);
    th_free(h);
}

static void test_delete_errors(void)
{
    struct th *h = th_new(.tweak = tweak_limits);

    th_enable(h);
    th_queues(h, 2, 16);
    th_assert_code(th_delete_cq(h, 0), QID_INVALID);
    th_assert_code(th_delete_sq(h, 0), QID_INVALID);
    th_assert_code(th_delete_cq(h, 3), QID_INVALID);
    th_assert_code(th_delete_sq(h, 3), QID_INVALID);
    th_assert_code(th_delete_cq(h, 9), QID_INVALID);
    th_assert_code(th_delete_sq(h, 0xffff), QID_INVALID);
    th_assert_code(th_delete_cq(h, 0xffff), QID_INVALID);
    /* A CQ with an SQ */
    th_assert_code(th_delete_cq(h, 1), QUEUE_DELETION);
    th_assert_sc(th_read(h, .qid = 1), SUCCESS);
    th_assert_code(th_delete_sq(h, 1), SUCCESS);
    th_assert_code(th_delete_sq(h, 1), QID_INVALID);
    th_assert_code(th_delete_cq(h, 1), SUCCESS);
    th_assert_code(th_delete_cq(h, 1), QID_INVALID);
    th_assert_sc(th_read(h, .qid = 2), SUCCESS);
    /* And again, many times. */
    for (unsigned i = 0; i < 100; i++) {
        th_assert_code(th_create_cq(h, .qid = 1, .size = 2 + i), SUCCESS);
        th_assert_code(th_create_sq(h, .qid = 1, .size = 102 - i), SUCCESS);
        th_assert_sc(th_read(h, .qid = 1), SUCCESS);
        th_assert_code(th_delete_sq(h, 1), SUCCESS);
        th_assert_code(th_delete_cq(h, 1), SUCCESS);
    }
    th_free(h);
}

/* Several SQs on one CQ, on 0 and 3 I/O lanes, in any order. */
static void shared_cq(unsigned lanes, uint64_t seed)
{
    struct th *h = th_new(.lanes = lanes, .seed = seed);
    struct envme_sqe s;
    unsigned i, n, q;

    th_enable(h);
    for (q = 1; q <= 3; q++) {
        th_assert_code(th_create_cq(h, .qid = q, .size = 97, .vector = q),
                       SUCCESS);
    }
    for (q = 1; q <= 9; q++) {
        th_assert_code(th_create_sq(h, .qid = q, .cqid = 1 + q % 3,
                                    .size = 10 + q), SUCCESS);
    }
    for (n = 0; n < 40; n++) {
        for (q = 1; q <= 9; q++) {
            for (i = 0; i < 9; i++) {
                s = th_sqe(ENVME_NVM_FLUSH, 1);
                th_abandon(h, q, th_put(h, q, &s));
            }
            th_ring(h, q);
        }
        th_run(h);
        for (q = 1; q <= 3; q++) {
            g_assert_cmpuint(th_reap(h, q), ==, 27);
        }
        for (q = 1; q <= 9; q++) {
            g_assert_cmpuint(h->sq[q]->nout, ==, 0);
            g_assert_cmpuint(h->sq[q]->head, ==, h->sq[q]->tail);
        }
    }
    for (q = 1; q <= 3; q++) {
        th_run(h);
        g_assert_cmpuint(th_cq_slots_free(h, q), ==, 96);
        g_assert_cmpuint(h->vec[q].raised, ==, h->vec[q].lowered);
        g_assert_cmpuint(h->vec[q].raised, >, 0);
    }
    th_free(h);
}

static void test_shared_cq(void)
{
    shared_cq(0, 0);
    shared_cq(1, 2);
    shared_cq(3, 3);
}

/* The CQ is smaller than what its SQs have: slots are reserved at fetch, SQs
 * that find none are corked, and go on when the host makes room. */
static void cq_full(unsigned lanes, uint32_t cqsize, bool hold)
{
    struct th *h = th_new(.lanes = lanes, .seed = cqsize);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE_ZEROES, 1, 0, 1);
    unsigned q, i, got, total = 0, n;

    th_enable(h);
    th_create_cq(h, .qid = 1, .size = cqsize, .vector = 1);
    for (q = 1; q <= 3; q++) {
        th_create_sq(h, .qid = q, .cqid = 1, .size = 64);
        for (i = 0; i < 63; i++) {
            th_abandon(h, q, th_put(h, q, &s));
        }
    }
    h->be[0]->hold = hold;
    for (q = 1; q <= 3; q++) {
        th_ring(h, q);
    }
    th_run(h);
    g_assert_cmpuint(th_cq_slots_free(h, 1), ==, 0);
    if (hold) {
        g_assert_cmpuint(th_be_held(h->be[0]), ==, cqsize - 1);
        h->be[0]->hold = false;
        th_be_release_all(h->be[0], 0);
        th_run(h);
    }
    for (n = 0; total < 3 * 63; n++) {
        g_assert_cmpuint(n, <, 1000);
        /* One at a time now and then. */
        got = th_reap_max(h, 1, n % 3 ? UINT_MAX : 1);
        g_assert_cmpuint(got, >, 0);
        g_assert_cmpuint(got, <, cqsize);
        total += got;
        th_run(h);
    }
    g_assert_cmpuint(total, ==, 3 * 63);
    g_assert_cmpuint(th_reap(h, 1), ==, 0);
    g_assert_cmpuint(th_cq_slots_free(h, 1), ==, cqsize - 1);
    g_assert_cmpuint(h->vec[1].raised, ==, h->vec[1].lowered);
    th_free(h);
}

static void test_cq_full(void)
{
    static const uint32_t sizes[] = { 2, 3, 7, 64, 100, 190 };
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(sizes); i++) {
        cq_full(0, sizes[i], false);
        cq_full(0, sizes[i], true);
        cq_full(2, sizes[i], true);
    }
}

/* 65,536 entries: every one is used, twice round. */
static void test_huge_queues(void)
{
    struct th *h = th_new(.lanes = 1);
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
    unsigned i, n, done = 0;

    th_enable(h);
    th_queues(h, 1, 65536);
    g_assert_cmpuint(th_cq_size(h, 1), ==, 65536);
    for (n = 0; n < 65536 * 2 + 10; n += i) {
        for (i = 0; i < 30000; i++) {
            th_abandon(h, 1, th_put(h, 1, &s));
        }
        th_ring(h, 1);
        th_run(h);
        done += th_reap(h, 1);
        g_assert_cmpuint(done, ==, n + i);
    }
    th_run(h);
    g_assert_cmpuint(th_cq_slots_free(h, 1), ==, 65535);
    th_free(h);
}

static void tweak_all_ids(struct envme_ctrl_params *p)
{
    p->max_ioqpairs = 65534;
}

/* Identifiers up to the end. */
static void test_high_ids(void)
{
    static const uint16_t ids[] = { 1, 63, 64, 65, 4095, 32768, 65533, 65534 };
    struct th *h = th_new(.lanes = 2, .tweak = tweak_all_ids, .seed = 4);
    unsigned i, round;

    th_enable(h);
    for (round = 0; round < 3; round++) {
        for (i = 0; i < G_N_ELEMENTS(ids); i++) {
            th_assert_code(th_create_cq(h, .qid = ids[i], .size = 8,
                                        .vector = i), SUCCESS);
            th_assert_code(th_create_sq(h, .qid = ids[i], .size = 8), SUCCESS);
        }
        for (i = 0; i < G_N_ELEMENTS(ids) * 10; i++) {
            th_assert_sc(th_read(h, .qid = ids[i % G_N_ELEMENTS(ids)]),
                         SUCCESS);
        }
        for (i = 0; i < G_N_ELEMENTS(ids); i++) {
            th_assert_code(th_delete_sq(h, ids[i]), SUCCESS);
            th_assert_code(th_delete_cq(h, ids[i]), SUCCESS);
        }
    }
    th_assert_code(th_create_cq(h, .qid = 65535, .size = 8), QID_INVALID);
    th_free(h);
}

/* Queues whose pages are not contiguous, of sizes that end anywhere. */
static void test_scattered(void)
{
    static const uint32_t sizes[] = { 2, 63, 64, 65, 255, 256, 257, 1000,
                                      5000 };
    struct th *h = th_new();
    uint8_t data[512];
    unsigned i, n;

    th_enable(h);
    for (i = 0; i < G_N_ELEMENTS(sizes); i++) {
        th_assert_code(th_create_cq(h, .qid = 1, .size = sizes[i],
                                    .scattered = true), SUCCESS);
        th_assert_code(th_create_sq(h, .qid = 1, .size = sizes[i],
                                    .scattered = true), SUCCESS);
        for (n = 0; n < sizes[i] + 5; n++) {
            th_pattern(data, 512, n);
            th_assert_sc(th_write(h, .slba = n % 100, .data = data), SUCCESS);
        }
        memset(data, 0, 512);
        th_assert_sc(th_read(h, .slba = (n - 1) % 100, .data = data), SUCCESS);
        g_assert_true(th_pattern_ok(data, 512, n - 1));
        th_assert_code(th_delete_sq(h, 1), SUCCESS);
        th_assert_code(th_delete_cq(h, 1), SUCCESS);
    }
    th_free(h);
}

/* The page list of such a queue: in the void, in the BAR, bad entries. */
static void test_scattered_errors(void)
{
    struct th *h = th_new();
    uint64_t list;

    th_enable(h);
    list = th_alloc(h, 4096);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 1, 600,
                              ENVME_CREATE_CQ_IEN, TH_BAR_BASE),
                   DATA_XFER_ERROR);
    th_mem_put64(h, list, 0x100000);
    th_mem_put64(h, list + 8, 0x200010);
    th_mem_put64(h, list + 16, 0x300000);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 1, 600,
                              ENVME_CREATE_CQ_IEN, list), PRP_OFFSET_INVALID);
    th_mem_put64(h, list + 8, 0x200000);
    th_assert_code(raw_create(h, ENVME_ADM_CREATE_CQ, 1, 600,
                              ENVME_CREATE_CQ_IEN, list), SUCCESS);
    th_free(h);
}

/* regressions 7.1 CVE-2021-3929: a CQ in the controller's own BAR */
static void test_queue_in_bar(void)
{
    struct th *h = th_new();
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);
    struct envme_cqe cqe;
    uint16_t sc, cid;

    th_enable(h);
    sc = raw_create(h, ENVME_ADM_CREATE_CQ, 1, 15, CQ_OK, TH_BAR_BASE);
    if (!sc) {
        th_create_sq(h, .qid = 1, .size = 8);
        cid = th_submit(h, 1, &s);
        th_run(h);
        (void)cid;
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS, !=, 0);
        th_disable(h);
        th_enable(h);
    } else {
        th_assert_code(sc, DATA_XFER_ERROR);
    }
    th_create_cq(h, .qid = 1, .size = 8);
    sc = raw_create(h, ENVME_ADM_CREATE_SQ, 2, 15,
                    ENVME_CREATE_SQ_PC | 1 << 16, TH_BAR_BASE + 0x1000);
    if (!sc) {
        th_db(h, false, 2, 1);
        th_run(h);
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS, !=, 0);
    } else {
        th_assert_code(sc, DATA_XFER_ERROR);
        cqe = th_identify(h, 1, 0, NULL);
        th_assert_sc(cqe, SUCCESS);
    }
    th_free(h);
}

/* Queues in the memory of another device */
static void test_queue_in_mmio(void)
{
    static const unsigned lanes[] = { 0, 2 };
    uint8_t data[512];
    unsigned i, n;

    for (i = 0; i < 2; i++) {
        struct th *h = th_new(.lanes = lanes[i], .seed = i);
        uint16_t sc;

        th_enable(h);
        sc = raw_create(h, ENVME_ADM_CREATE_CQ, 1, 15, CQ_OK, TH_MMIO_BASE);
        if (sc) {
            th_assert_code(sc, INVALID_FIELD);
            th_free(h);
            continue;
        }
        /* The driver knows it from now on. */
        h->cq[1] = g_new0(struct th_cq, 1);
        *h->cq[1] = (struct th_cq){ .id = 1, .size = 16, .phase = true,
                                    .live = true, .base = TH_MMIO_BASE };
        h->max_qid = 1;
        th_assert_code(th_create_sq(h, .qid = 1, .size = 8), SUCCESS);
        for (n = 0; n < 50; n++) {
            th_pattern(data, 512, n);
            th_assert_sc(th_write(h, .slba = n, .data = data), SUCCESS);
            memset(data, 0, 512);
            th_assert_sc(th_read(h, .slba = n, .data = data), SUCCESS);
            g_assert_true(th_pattern_ok(data, 512, n));
        }
        g_assert_cmpuint(h->mmio_ops, >, 0);
        /* Its memory is not the driver's to free. */
        h->cq[1]->base = th_alloc(h, 16 * 16);
        th_free(h);
    }
}

/* ---- deletion with I/O in flight --------------------------------------- */

static void delete_busy(unsigned lanes, uint64_t seed, bool cancel)
{
    struct th *h = th_new(.lanes = lanes, .seed = seed);
    struct envme_sqe s = th_sqe(ENVME_ADM_DELETE_SQ, 0);
    struct th_buf *b = th_buf_new(h, 64 * KIB, TH_PRP);
    struct envme_sqe w = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 128);
    struct envme_cqe cqe;
    unsigned i, done;
    uint16_t cid, cids[30];

    th_enable(h);
    th_queues(h, 2, 32);
    th_buf_attach(b, &w);
    h->be[0]->hold = true;
    h->be[0]->cancel_completes = cancel;
    for (i = 0; i < 30; i++) {
        cids[i] = th_submit(h, 1, &w);
    }
    for (i = th_random(h, 40); i; i--) {
        th_step(h);
    }
    s.cdw10 = le32(1);
    cid = th_submit(h, 0, &s);
    th_run(h);
    if (!cancel) {
        /* It waits for what the backend has. */
        if (th_be_held(h->be[0])) {
            th_reap(h, 0);
            g_assert_false(th_done(h, 0, cid, NULL));
        }
        h->be[0]->hold = false;
        th_be_release_all(h->be[0], 0);
    }
    /* The commands come before the deletion. */
    cqe = th_wait(h, 0, cid);
    th_assert_sc(cqe, SUCCESS);
    h->be[0]->hold = false;
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 0);
    th_reap(h, 1);
    for (i = done = 0; i < 30; i++) {
        if (th_done(h, 1, cids[i], &cqe)) {
            done++;
            if (cqe_sc(&cqe)) {
                th_assert_sc(cqe, ABORT_SQ_DELETED);
            }
        }
    }
    g_assert_cmpuint(atomic_load(&h->maps), ==, 0);
    th_run(h);
    g_assert_cmpuint(th_cq_slots_free(h, 1), ==, 31);
    g_assert_null(envme_sq_get(h->ctrl, 1));
    th_assert_sc(th_read(h, .qid = 2), SUCCESS);
    th_assert_code(th_delete_cq(h, 1), SUCCESS);
    th_buf_free(b);
    th_free(h);
}

static void test_delete_busy(void)
{
    uint64_t seed;

    for (seed = 1; seed < 60; seed++) {
        delete_busy(seed % 3, seed, seed & 1);
    }
}

/* A CQ without interrupts raises none. */
static void test_no_ien(void)
{
    struct th *h = th_new();

    th_enable(h);
    th_create_cq(h, .qid = 1, .size = 8, .vector = 5, .no_ien = true);
    th_create_sq(h, .qid = 1, .size = 8);
    for (unsigned i = 0; i < 20; i++) {
        th_assert_sc(th_read(h), SUCCESS);
    }
    g_assert_cmpuint(h->vec[5].raised + h->vec[5].pulsed, ==, 0);
    th_free(h);
}

/* All queues that can be, created and deleted in random order, with I/O. */
static void test_storm(void)
{
    struct th *h = th_new(.lanes = 3, .seed = 77);
    bool cq[65] = { 0 }, sq[65] = { 0 };
    unsigned nsq[65] = { 0 }, of[65] = { 0 }, i, q;

    th_enable(h);
    for (i = 0; i < 3000; i++) {
        q = 1 + th_random(h, 64);
        switch (th_random(h, 5)) {
        case 0:
            if (!cq[q]) {
                th_assert_code(th_create_cq(h, .qid = q, .vector = q,
                                            .size = 2 + th_random(h, 60),
                                            .scattered = th_random(h, 2)),
                               SUCCESS);
                cq[q] = true;
            }
            break;
        case 1:
            of[0] = 1 + th_random(h, 64);
            if (!sq[q] && cq[of[0]]) {
                of[q] = of[0];
                th_assert_code(th_create_sq(h, .qid = q, .cqid = of[q],
                                            .size = 2 + th_random(h, 60)),
                               SUCCESS);
                sq[q] = true;
                nsq[of[q]]++;
            }
            break;
        case 2:
            if (sq[q]) {
                th_assert_code(th_delete_sq(h, q), SUCCESS);
                sq[q] = false;
                nsq[of[q]]--;
            }
            break;
        case 3:
            if (cq[q] && nsq[q]) {
                th_assert_code(th_delete_cq(h, q), QUEUE_DELETION);
            } else if (cq[q]) {
                th_assert_code(th_delete_cq(h, q), SUCCESS);
                cq[q] = false;
            }
            break;
        default:
            if (sq[q]) {
                th_assert_sc(th_read(h, .qid = q, .slba = q, .nlb = 3),
                             SUCCESS);
            }
            break;
        }
    }
    th_free(h);
}

/* Queues to threads as the user wants it; the others are dealt out. One lane
 * has them all where one place has to decide. */
static const uint16_t lane_map[] = { 0, 3, 1, 1, 0, 2, 0, 0, 3 };

static void tweak_lane_map(struct envme_ctrl_params *p)
{
    p->max_ioqpairs = G_N_ELEMENTS(lane_map) - 1;
    p->wrr = true;
    p->cq_lane = lane_map;
}

static void test_lane_map(void)
{
    static const unsigned dealt[] = { 0, 3, 1, 1, 1, 2, 3, 1, 3 };
    struct th *h = th_new(.lanes = 3, .tweak = tweak_lane_map);
    unsigned i, wrr;

    for (wrr = 0; wrr < 2; wrr++) {
        g_assert_true(th_enable_as(h, TH_CC_DEFAULT | (wrr ?
            (uint32_t)FIELD_SET(ENVME_CC_AMS, ENVME_CC_AMS_WRR) : 0), 32,
            32));
        th_queues(h, 8, 16);
        for (i = 1; i <= 8; i++) {
            g_assert_cmpuint(h->ctrl->cq[i]->lane->index, ==,
                             wrr ? 1 : dealt[i]);
            th_assert_sc(th_read(h, .qid = i), SUCCESS);
        }
        g_assert_cmpuint(h->ctrl->cq[0]->lane->index, ==, 0);
        th_disable(h);
    }
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/queues/create-cq-errors", test_create_cq_errors);
    g_test_add_func("/queues/create-sq-errors", test_create_sq_errors);
    g_test_add_func("/queues/cqr", test_cqr);
    g_test_add_func("/queues/delete-errors", test_delete_errors);
    g_test_add_func("/queues/shared-cq", test_shared_cq);
    g_test_add_func("/queues/cq-full", test_cq_full);
    g_test_add_func("/queues/huge", test_huge_queues);
    g_test_add_func("/queues/high-ids", test_high_ids);
    g_test_add_func("/queues/scattered", test_scattered);
    g_test_add_func("/queues/scattered-errors", test_scattered_errors);
    g_test_add_func("/queues/regression-CVE-2021-3929-queue-in-bar",
                    test_queue_in_bar);
    g_test_add_func("/queues/in-mmio", test_queue_in_mmio);
    g_test_add_func("/queues/delete-busy", test_delete_busy);
    g_test_add_func("/queues/no-ien", test_no_ien);
    g_test_add_func("/queues/storm", test_storm);
    g_test_add_func("/queues/lane-map", test_lane_map);
    return g_test_run();
}
