/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The n-th call fails, for every n: DMA reads, writes and maps, backend
 * requests, allocations. After each: no crash, no leak, every command that can
 * still be completed is, with a status that fits, and the CQ slots are back.
 */
#include "th.h"



/* Completions of the script: which statuses are in order */
static bool status_fits(enum th_at at, uint16_t sc)
{
    switch (at) {
    case TH_AT_READ:
    case TH_AT_WRITE:
    case TH_AT_MAP:
        return sc == ENVME_SC_DATA_XFER_ERROR;
    case TH_AT_SUBMIT:
    case TH_AT_DONE:
        return sc == ENVME_SC_WRITE_FAULT || sc == ENVME_SC_UNRECOVERED_READ ||
               sc == ENVME_SC_CAP_EXCEEDED;
    default:
        return sc == ENVME_SC_INTERNAL || sc == ENVME_SC_INSUFFICIENT_RES ||
               sc == ENVME_SC_ABORT_REQUESTED;
    }
}

static enum th_at failing;
static unsigned nfailed;        /* commands with an error */

static void note(struct envme_cqe c)
{
    if (cqe_sc(&c)) {
        nfailed++;
        if (!status_fits(failing, cqe_sc(&c))) {
            g_error("%s is not what this failure is", th_sc_name(cqe_sc(&c)));
        }
    }
}

static bool dead(struct th *h)
{
    return th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS;
}

/* One command and its buffer; no answer is fine when CSTS.CFS says why. */
static void one(struct th *h, uint16_t qid, struct envme_sqe s, uint64_t len,
                unsigned shape)
{
    struct th_buf *b;
    struct envme_cqe c;
    uint16_t cid;

    if (dead(h) || !h->sq[qid]) {
        return;
    }
    b = th_buf_new(h, len, shape);
    if (len) {
        th_buf_attach(b, &s);
    }
    cid = th_submit(h, qid, &s);
    if (th_try_wait(h, qid, cid, &c)) {
        note(c);
    } else if (!dead(h)) {
        g_error("opcode %02x on queue %u is never answered", s.opc, qid);
    }
    th_buf_free(b);
}

static void io_script(struct th *h)
{
    static const unsigned shapes[] = {
        TH_PRP, TH_OFFSET, TH_SGL, TH_SGL | TH_SGL_INLINE, TH_MMIO,
        TH_SGL | TH_MMIO,
    };
    struct envme_sqe s;
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(shapes); i++) {
        one(h, 1, th_sqe_rw(ENVME_NVM_WRITE, 1, 3, 40), 40 * 512, shapes[i]);
        one(h, 2, th_sqe_rw(ENVME_NVM_READ, 1, 3, 40), 40 * 512, shapes[i]);
    }
    one(h, 1, th_sqe_rw(ENVME_NVM_VERIFY, 1, 3, 40), 0, 0);
    one(h, 1, th_sqe_rw(ENVME_NVM_WRITE_ZEROES, 1, 3, 40), 0, 0);
    one(h, 1, th_sqe(ENVME_NVM_FLUSH, 1), 0, 0);
    one(h, 1, th_sqe_rw(ENVME_NVM_COMPARE, 1, 3, 40), 40 * 512, TH_SGL);
    s = th_sqe(ENVME_NVM_DSM, 1);
    s.cdw10 = le32(9);
    s.cdw11 = le32(ENVME_DSM_AD);
    one(h, 2, s, 160, TH_OFFSET);
    /* metadata */
    s = th_sqe_rw(ENVME_NVM_WRITE, 2, 1, 8);
    s.mptr = le64(th_alloc(h, 4096));
    one(h, 2, s, 4096, TH_SGL);
    s.opc = ENVME_NVM_READ;
    one(h, 2, s, 4096, TH_PRP);
    th_free_pages(h, le64_get(s.mptr), 4096);
}

static void admin_script(struct th *h)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);
    unsigned i;

    s.cdw10 = le32(1);
    one(h, 0, s, 4096, TH_OFFSET);
    s = th_sqe(ENVME_ADM_GET_LOG, UINT32_MAX);
    s.cdw10 = le32(127u << 16 | ENVME_LID_SMART);
    one(h, 0, s, 512, TH_OFFSET);
    one(h, 0, s, 512, TH_MMIO);
    s = th_sqe(ENVME_ADM_GET_FEATURES, 0);
    s.cdw10 = le32(ENVME_FID_TIMESTAMP);
    one(h, 0, s, 8, 0);
    s.opc = ENVME_ADM_SET_FEATURES;
    one(h, 0, s, 8, 0);
    if (dead(h)) {
        return;
    }
    for (i = 3; i < 5; i++) {
        uint16_t sc = th_create_cq(h, .qid = i, .size = 700,
                                   .scattered = i & 1);

        if (sc && !status_fits(failing, sc)) {
            g_error("Create CQ: %s", th_sc_name(sc));
        }
        nfailed += !!sc;
        if (sc || dead(h)) {
            break;
        }
        sc = th_create_sq(h, .qid = i, .size = 700, .scattered = i & 1);
        if (sc && !status_fits(failing, sc)) {
            g_error("Create SQ: %s", th_sc_name(sc));
        }
        nfailed += !!sc;
        if (sc || dead(h)) {
            break;
        }
        one(h, i, th_sqe_rw(ENVME_NVM_READ, 1, 0, 1), 512, 0);
        if (dead(h)) {
            break;
        }
        th_assert_code(th_delete_sq(h, i), SUCCESS);
        th_assert_code(th_delete_cq(h, i), SUCCESS);
    }
}

/* Many at once, in random order */
static void busy_script(struct th *h)
{
    struct th_buf *b[40];
    uint16_t cid[40];
    struct envme_cqe c;
    unsigned i;

    h->be[0]->later = true;
    for (i = 0; i < 40; i++) {
        struct envme_sqe s = th_sqe_rw(i & 1 ? ENVME_NVM_READ :
                                       ENVME_NVM_WRITE, 1, i * 8, 8);

        b[i] = th_buf_new(h, 4096, i % 3 ? TH_OFFSET : TH_SGL);
        th_buf_attach(b[i], &s);
        cid[i] = th_submit(h, 1 + i % 2, &s);
    }
    for (i = 0; i < 40; i++) {
        if (th_try_wait(h, 1 + i % 2, cid[i], &c)) {
            note(c);
        } else if (!dead(h)) {
            g_error("command %u is never answered", i);
        }
        th_buf_free(b[i]);
    }
}

/* The admin create commands of the driver are fatal without an answer: the
 * queue's entries and the CQ's are left out for them. */
static unsigned run_one(void (*go)(struct th *h), enum th_at at, unsigned n,
                        int err, unsigned lanes)
{
    struct th *h = th_new(.lanes = lanes, .seed = 1 + n % 3,
                          .ns = { { .size = MIB, .write_cache = true,
                                    .max_transfer = 8192 },
                                  { .size = MIB, .ms = 8 } });
    unsigned q, hits;

    th_enable(h);
    th_queues(h, 2, 32);
    failing = at;
    nfailed = 0;
    th_fail_nth(h, at, n, err);
    go(h);
    hits = h->failed[at];
    th_fail_clear(h);
    th_run(h);
    g_assert_cmpuint(atomic_load(&h->maps), ==, 0);
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 0);
    if (!dead(h)) {
        for (q = 0; q <= 2; q++) {
            th_reap(h, q);
            th_run(h);
            g_assert_cmpuint(th_cq_slots_free(h, q), ==, th_cq_size(h, q) - 1);
        }
        g_assert_cmpuint(th_inflight(h), ==, 0);
        /* It works on as if nothing had been. */
        th_assert_sc(th_read(h, .nlb = 8), SUCCESS);
        th_assert_sc(th_read(h, .qid = 2, .nlb = 8, .shape = TH_MMIO),
                     SUCCESS);
        /* An error was reported by whom it hit. */
        if (hits && at != TH_AT_ALLOC) {
            g_assert_cmpuint(nfailed, >=, 1);
        }
        g_assert_cmpuint(nfailed, <=, 1);
    } else {
        th_disable(h);
        th_enable(h);
        th_queues(h, 2, 32);
        th_assert_sc(th_read(h, .nlb = 8), SUCCESS);
    }
    th_free(h);
    return hits;
}

static void every_n(void (*go)(struct th *h), enum th_at at, int err)
{
    unsigned n, lanes, most = 0;

    for (lanes = 0; lanes < 3; lanes += 2) {
        for (n = 1; run_one(go, at, n, err, lanes); n++) {
            g_assert_cmpuint(n, <, 5000);
        }
        most = MAX(most, n - 1);
    }
    g_test_message("%u calls", most);
    g_assert_cmpuint(most, >, 0);
}

static void test_io_read(void)
{
    every_n(io_script, TH_AT_READ, -EIO);
}

static void test_io_map(void)
{
    every_n(io_script, TH_AT_MAP, -EIO);
}

static void test_io_write(void)
{
    every_n(io_script, TH_AT_WRITE, -EIO);
}

static void test_io_submit(void)
{
    every_n(io_script, TH_AT_SUBMIT, -EIO);
}

static void test_io_done(void)
{
    every_n(io_script, TH_AT_DONE, -EIO);
}

static void test_io_alloc(void)
{
    every_n(io_script, TH_AT_ALLOC, -ENOMEM);
}

static void test_busy(void)
{
    every_n(busy_script, TH_AT_READ, -EIO);
    every_n(busy_script, TH_AT_MAP, -EIO);
    every_n(busy_script, TH_AT_SUBMIT, -EIO);
    every_n(busy_script, TH_AT_DONE, -ENOSPC);
}

/* The driver's own commands: it needs their answers, so that only what they
 * move is failed; the first read of each command is its entry. */
static void test_admin_alloc(void)
{
    unsigned n;

    for (n = 1; n < 200 && run_one(admin_script, TH_AT_ALLOC, n, -ENOMEM, 1);
         n++) {
    }
    g_assert_cmpuint(n, <, 200);
}

/* Each read, write, map of one admin command at a time */
static void admin_one(struct th *h, unsigned which)
{
    struct envme_sqe s;
    uint64_t list = th_alloc(h, 4096), q = th_alloc(h, 16 * 4096);
    unsigned i;

    for (i = 0; i < 16; i++) {
        th_mem_put64(h, list + 8 * i, q + i * 4096);
    }
    switch (which) {
    case 0:
        s = th_sqe(ENVME_ADM_IDENTIFY, 0);
        s.cdw10 = le32(1);
        one(h, 0, s, 4096, TH_OFFSET);
        break;
    case 1:
        s = th_sqe(ENVME_ADM_GET_LOG, UINT32_MAX);
        s.cdw10 = le32(127u << 16 | ENVME_LID_SMART);
        one(h, 0, s, 512, TH_MMIO);
        break;
    case 2:
        s = th_sqe(ENVME_ADM_CREATE_CQ, 0);
        s.cdw10 = le32(700u << 16 | 5);
        s.cdw11 = le32(ENVME_CREATE_CQ_IEN);
        s.dptr.prp1 = le64(list);
        one(h, 0, s, 0, 0);
        break;
    case 3:
        s = th_sqe(ENVME_ADM_CREATE_SQ, 0);
        s.cdw10 = le32(700u << 16 | 5);
        s.cdw11 = le32(1 << 16);
        s.dptr.prp1 = le64(list);
        one(h, 0, s, 0, 0);
        break;
    case 4:
        s = th_sqe(ENVME_ADM_SET_FEATURES, 0);
        s.cdw10 = le32(ENVME_FID_TIMESTAMP);
        one(h, 0, s, 8, 0);
        break;
    default:
        s = th_sqe(ENVME_ADM_DELETE_SQ, 0);
        s.cdw10 = le32(2);
        one(h, 0, s, 0, 0);
        break;
    }
    th_free_pages(h, list, 4096);
    th_free_pages(h, q, 16 * 4096);
}

static void test_admin(void)
{
    static const enum th_at ats[] = { TH_AT_READ, TH_AT_WRITE, TH_AT_MAP };
    unsigned which, i, n, hits = 0;

    for (which = 0; which < 6; which++) {
        for (i = 0; i < 3; i++) {
            for (n = 1; n < 50; n++) {
                struct th *h = th_new(.lanes = 1);
                bool hit;

                th_enable(h);
                th_queues(h, 2, 32);
                failing = ats[i];
                th_fail_nth(h, ats[i], n, -EIO);
                admin_one(h, which);
                hit = h->failed[ats[i]];
                hits += hit;
                th_fail_clear(h);
                g_assert_cmpuint(atomic_load(&h->maps), ==, 0);
                if (!dead(h)) {
                    th_run(h);
                    g_assert_cmpuint(th_cq_slots_free(h, 0), ==, 63);
                    th_assert_sc(th_read(h), SUCCESS);
                }
                th_free(h);
                if (!hit) {
                    break;
                }
            }
        }
    }
    g_assert_cmpuint(hits, >, 15);
}

/* While it is enabled */
static void test_enable(void)
{
    static const enum th_at ats[] = { TH_AT_READ, TH_AT_WRITE, TH_AT_MAP };
    unsigned i, n;

    for (i = 0; i < 3; i++) {
        for (n = 1; n < 20; n++) {
            struct th *h = th_new();
            bool hit, ok;

            th_fail_nth(h, ats[i], n, -EIO);
            ok = th_enable_as(h, TH_CC_DEFAULT, 16, 16);
            hit = h->failed[ats[i]];
            th_fail_clear(h);
            g_assert_true(ok || hit);
            th_w32(h, ENVME_REG_CC, 0);
            th_run(h);
            g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
            th_forget(h);
            th_enable(h);
            th_assert_sc(th_identify(h, 1, 0, NULL), SUCCESS);
            th_free(h);
            if (!hit) {
                break;
            }
        }
    }
}

/* EXAMPLES, example 10: the PRP list cannot be read */
static void test_example(void)
{
    struct th *h = th_new(.lanes = 1, .ns = { { .size = MIB } });
    struct envme_cqe c;

    th_enable(h);
    th_queues(h, 1, 32);
    th_fail_nth(h, TH_AT_READ, 2, -EIO);
    c = th_read(h, .nsid = 1, .slba = 0, .nlb = 64);
    g_assert_cmpuint(cqe_sc(&c), ==, ENVME_SC_DATA_XFER_ERROR);
    th_run(h);
    g_assert_cmpuint(th_cq_slots_free(h, 1), ==, th_cq_size(h, 1) - 1);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/failnth/example-10", test_example);
    g_test_add_func("/failnth/enable", test_enable);
    g_test_add_func("/failnth/admin", test_admin);
    g_test_add_func("/failnth/admin-alloc", test_admin_alloc);
    g_test_add_func("/failnth/io-read", test_io_read);
    g_test_add_func("/failnth/io-write", test_io_write);
    g_test_add_func("/failnth/io-map", test_io_map);
    g_test_add_func("/failnth/io-submit", test_io_submit);
    g_test_add_func("/failnth/io-done", test_io_done);
    g_test_add_func("/failnth/io-alloc", test_io_alloc);
    g_test_add_func("/failnth/busy", test_busy);
    return g_test_run();
}
