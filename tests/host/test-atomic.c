/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that keep others out: fused Compare and Write, atomic writes; and
 * Write Uncorrectable. NVM 1.1, 2.1.4, 3.2 and 3.3.7.
 */
#include "th.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "envme/id-ctrl.h"
#include "envme/id-ns.h"

#define BS 512

static struct th *host(unsigned queues)
{
    struct th *h = th_new(.lanes = 2);

    th_enable(h);
    th_queues(h, queues, 32);
    return h;
}

static uint64_t err_lba(struct th *h)
{
    struct envme_log_error e[1];

    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, e, sizeof(e),
                            false), SUCCESS);
    return le64_get(e[0].lba);
}

/* A command that is under way. */
struct io {
    struct th_buf *b;
    uint16_t qid, cid;
};

static void io_put(struct th *h, struct io *io, uint16_t qid, uint8_t opc,
                   uint64_t slba, uint32_t nlb, const void *data,
                   uint8_t flags)
{
    struct envme_sqe s = th_sqe_rw(opc, 1, slba, nlb);

    io->b = th_buf_new(h, nlb * BS, TH_PRP);
    if (data) {
        th_buf_put(io->b, data);
    }
    th_buf_attach(io->b, &s);
    s.flags |= flags;
    io->qid = qid;
    io->cid = th_put(h, qid, &s);
}

static struct envme_cqe io_wait(struct th *h, struct io *io, void *data)
{
    struct envme_cqe c = th_wait(h, io->qid, io->cid);

    if (data) {
        th_buf_get(io->b, data);
    }
    th_buf_free(io->b);
    return c;
}

static void put_pair(struct th *h, struct io io[2], uint16_t qid,
                     uint64_t slba, uint32_t nlb, const void *old,
                     const void *data)
{
    io_put(h, &io[0], qid, ENVME_NVM_COMPARE, slba, nlb, old,
           ENVME_FUSE_FIRST);
    io_put(h, &io[1], qid, ENVME_NVM_WRITE, slba, nlb, data,
           ENVME_FUSE_SECOND);
    th_ring(h, qid);
}

static void expect(struct th *h, uint64_t slba, uint8_t byte)
{
    uint8_t got[BS], want[BS];

    memset(want, byte, BS);
    th_assert_sc(th_read(h, .slba = slba, .data = got), SUCCESS);
    g_assert_cmpint(memcmp(got, want, BS), ==, 0);
}

/* ---- Write Uncorrectable ----------------------------------------------- */

static void test_uncor(void)
{
    struct th *h = host(1);
    struct envme_sqe s = th_sqe(ENVME_NVM_DSM, 1);
    struct envme_dsm_range r = { .slba = le64(18), .nlb = le32(1) };
    struct envme_id_ctrl *id = g_malloc(4096);
    uint8_t data[BS * 20] = { 0 };

    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_true(le16_get(id->oncs) & ENVME_ONCS_NVMWUSV);
    g_free(id);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_UNCOR, .slba = 10, .nlb = 10),
                 SUCCESS);
    th_assert_sc(th_read(h, .slba = 5, .nlb = 10), UNRECOVERED_READ);
    g_assert_cmpuint(err_lba(h), ==, 10);
    th_assert_sc(th_read(h, .slba = 15, .nlb = 10), UNRECOVERED_READ);
    g_assert_cmpuint(err_lba(h), ==, 15);
    th_assert_sc(th_rw(h, ENVME_NVM_VERIFY, .slba = 0, .nlb = 30),
                 UNRECOVERED_READ);
    th_assert_sc(th_rw(h, ENVME_NVM_COMPARE, .slba = 19, .data = data),
                 UNRECOVERED_READ);
    th_assert_sc(th_read(h, .slba = 0, .nlb = 10), SUCCESS);
    th_assert_sc(th_read(h, .slba = 20, .nlb = 10), SUCCESS);
    /* Written again, or not: a write that fails writes nothing. */
    th_assert_sc(th_write(h, .slba = 12, .nlb = 2, .data = data), SUCCESS);
    th_fail_nth(h, TH_AT_SUBMIT, 1, -EIO);
    th_assert_sc(th_write(h, .slba = 14, .data = data), WRITE_FAULT);
    th_fail_clear(h);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .slba = 16), SUCCESS);
    s.cdw11 = le32(ENVME_DSM_AD);
    th_assert_sc(th_cmd_data(h, 1, &s, &r, sizeof(r), TH_PRP), SUCCESS);
    for (unsigned i = 0; i < 30; i++) {
        bool bad = i >= 10 && i < 20 && i != 12 && i != 13 && i != 16 &&
                   (i != 18 || !h->ns[0]->geo.discard);

        if (bad) {
            th_assert_sc(th_read(h, .slba = i), UNRECOVERED_READ);
        } else {
            th_assert_sc(th_read(h, .slba = i), SUCCESS);
        }
    }
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_UNCOR, .slba = h->ns[0]->nsze - 1,
                       .nlb = 2), LBA_RANGE);
    th_assert_sc(th_read(h, .slba = h->ns[0]->nsze - 1), SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_UNCOR, .cdw12 = ENVME_RW_FUA),
                 INVALID_FIELD);
    th_free(h);
}

/* Over power cycles, with and without a shutdown: each answer is durable. */
static void test_uncor_kept(void)
{
    char *path = g_build_filename(g_get_tmp_dir(), "envme-atomic-XXXXXX",
                                  NULL);
    int fd = g_mkstemp(path);
    struct envme_sqe s = th_sqe(ENVME_NVM_COPY, 1);
    struct envme_copy_range_f0 r = { .slba = le64(100), .nlb = le16(0) };
    struct th *h;

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    g_assert_cmpint(g_remove(path), ==, 0);
    h = th_new(.state = path);
    th_enable(h);
    th_queues(h, 1, 8);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_UNCOR, .slba = 10, .nlb = 10),
                 SUCCESS);
    th_assert_sc(th_write(h, .slba = 12), SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .slba = 14), SUCCESS);
    s.cdw10 = le32(16);
    th_assert_sc(th_cmd_data(h, 1, &s, &r, sizeof(r), TH_PRP), SUCCESS);
    th_free(h);
    h = th_new(.state = path);
    th_enable(h);
    th_queues(h, 1, 8);
    for (unsigned i = 0; i < 30; i++) {
        if (i >= 10 && i < 20 && i != 12 && i != 14 && i != 16) {
            th_assert_sc(th_read(h, .slba = i), UNRECOVERED_READ);
        } else {
            th_assert_sc(th_read(h, .slba = i), SUCCESS);
        }
    }
    th_assert_sc(th_write(h, .slba = 10, .nlb = 10), SUCCESS);
    th_free(h);
    h = th_new(.state = path);
    g_assert_cmpuint(h->ns[0]->nbad, ==, 0);
    th_free(h);
    g_remove(path);
    g_free(path);
}

/* ---- fused Compare and Write ------------------------------------------- */

static void test_fused(void)
{
    struct th *h = host(1);
    struct envme_id_ctrl *id = g_malloc(4096);
    uint8_t zero[BS * 2] = { 0 }, one[BS * 2], two[BS * 2];
    struct io io[2];

    memset(one, 1, sizeof(one));
    memset(two, 2, sizeof(two));
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_true(le16_get(id->fuses) & ENVME_FUSES_FCWS);
    g_assert_cmpuint(le16_get(id->acwu), ==, 0);
    g_free(id);
    put_pair(h, io, 1, 5, 1, zero, one);
    th_assert_sc(io_wait(h, &io[0], NULL), SUCCESS);
    th_assert_sc(io_wait(h, &io[1], NULL), SUCCESS);
    expect(h, 5, 1);
    put_pair(h, io, 1, 5, 1, zero, two);
    th_assert_sc(io_wait(h, &io[0], NULL), COMPARE_FAILURE);
    th_assert_sc(io_wait(h, &io[1], NULL), ABORT_FAILED_FUSED);
    expect(h, 5, 1);
    /* More than ACWU says. */
    put_pair(h, io, 1, 8, 2, zero, two);
    th_assert_sc(io_wait(h, &io[0], NULL), AWU_EXCEEDED);
    th_assert_sc(io_wait(h, &io[1], NULL), ABORT_FAILED_FUSED);
    expect(h, 8, 0);
    /* Not the same blocks. */
    io_put(h, &io[0], 1, ENVME_NVM_COMPARE, 5, 1, one, ENVME_FUSE_FIRST);
    io_put(h, &io[1], 1, ENVME_NVM_WRITE, 6, 1, two, ENVME_FUSE_SECOND);
    th_ring(h, 1);
    th_assert_sc(io_wait(h, &io[0], NULL), INVALID_FIELD);
    th_assert_sc(io_wait(h, &io[1], NULL), ABORT_FAILED_FUSED);
    io_put(h, &io[0], 1, ENVME_NVM_COMPARE, 5, 1, one, ENVME_FUSE_FIRST);
    io_put(h, &io[1], 1, ENVME_NVM_READ, 5, 1, two, ENVME_FUSE_SECOND);
    th_ring(h, 1);
    th_assert_sc(io_wait(h, &io[0], NULL), INVALID_FIELD);
    th_assert_sc(io_wait(h, &io[1], NULL), ABORT_FAILED_FUSED);
    expect(h, 5, 1);
    expect(h, 6, 0);
    /* The Write fails: the Compare has not. */
    th_fail_nth(h, TH_AT_SUBMIT, 2, -EIO);
    put_pair(h, io, 1, 5, 1, one, two);
    th_assert_sc(io_wait(h, &io[0], NULL), SUCCESS);
    th_assert_sc(io_wait(h, &io[1], NULL), WRITE_FAULT);
    th_fail_clear(h);
    th_assert_sc(th_write(h, .slba = 5, .data = two), SUCCESS);
    expect(h, 5, 2);
    th_free(h);
}

/* Nobody writes between the halves, and the pair waits for who began before. */
static void test_fused_alone(void)
{
    struct th *h = host(2);
    uint8_t zero[BS] = { 0 }, one[BS], two[BS], three[BS];
    struct io io[2], other, far;

    memset(one, 1, BS);
    memset(two, 2, BS);
    memset(three, 3, BS);
    for (unsigned round = 0; round < 2; round++) {
        th_assert_sc(th_write(h, .slba = 7, .data = zero), SUCCESS);
        h->be[0]->hold = true;
        put_pair(h, io, 1, 7, 1, zero, one);
        th_run(h);
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);  /* Compare's read */
        io_put(h, &other, 2, ENVME_NVM_WRITE, 7, 1, two, 0);
        io_put(h, &far, 2, ENVME_NVM_WRITE, 8, 1, two, 0);
        th_ring(h, 2);
        th_run(h);
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 2);  /* and the far one */
        th_be_release(h->be[0], 1, 0);
        th_assert_sc(io_wait(h, &far, NULL), SUCCESS);
        th_be_release(h->be[0], 0, 0);
        th_run(h);
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);  /* Write's write */
        th_assert_sc(io_wait(h, &io[0], NULL), SUCCESS);
        th_be_release(h->be[0], 0, 0);
        th_assert_sc(io_wait(h, &io[1], NULL), SUCCESS);
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);  /* the other's */
        th_be_release(h->be[0], 0, 0);
        th_assert_sc(io_wait(h, &other, NULL), SUCCESS);
        h->be[0]->hold = false;
        expect(h, 7, 2);
    }
    th_free(h);

    h = host(2);
    h->be[0]->hold = true;
    io_put(h, &other, 2, ENVME_NVM_WRITE, 100, 1, three, 0);
    th_ring(h, 2);
    th_run(h);
    put_pair(h, io, 1, 7, 1, zero, one);
    th_run(h);
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
    th_be_release(h->be[0], 0, 0);
    th_assert_sc(io_wait(h, &other, NULL), SUCCESS);
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    th_assert_sc(io_wait(h, &io[0], NULL), SUCCESS);
    th_assert_sc(io_wait(h, &io[1], NULL), SUCCESS);
    expect(h, 7, 1);
    th_free(h);
}

/* What waits can be aborted, deleted with its queue, reset, and parked. */
static void test_waiters(void)
{
    static const enum envme_reset kinds[] = {
        ENVME_RESET_FUNCTION, ENVME_RESET_NSSR,
    };
    uint8_t zero[BS] = { 0 }, one[BS];
    struct io io[2], other[2];
    struct envme_cqe c;

    memset(one, 1, BS);
    for (unsigned what = 0; what < 6; what++) {
        struct th *h = host(2);

        h->be[0]->hold = true;
        put_pair(h, io, 1, 7, 1, zero, one);
        th_run(h);
        for (unsigned i = 0; i < 2; i++) {
            io_put(h, &other[i], 2, ENVME_NVM_WRITE, 7, 1, one, 0);
        }
        th_ring(h, 2);
        th_run(h);
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
        switch (what) {
        case 0:
            c = th_abort(h, 2, other[0].cid);
            g_assert_cmphex(le32_get(c.dw0) & 1, ==, 0);
            th_assert_sc(io_wait(h, &other[0], NULL), ABORT_REQUESTED);
            break;
        case 1:
            th_assert_code(th_delete_sq(h, 2), SUCCESS);
            break;
        case 2:
        case 3:
            /* The pair's read is still out there. */
            th_reset_start(h, kinds[what - 2]);
            th_run(h);
            h->be[0]->hold = false;
            th_be_release_all(h->be[0], 0);
            th_reset_finish(h);
            break;
        case 4:
            /* Lanes park between the halves. */
            h->be[0]->hold = false;
            th_be_release_all(h->be[0], 0);
            th_assert_code(th_create_cq(h, .qid = 3, .size = 4), SUCCESS);
            break;
        default:
            h->be[0]->hold = false;
            th_be_release_all(h->be[0], 0);
            th_bme(h, false);
            th_run(h);
            th_bme(h, true);
        }
        h->be[0]->hold = false;
        th_be_release_all(h->be[0], 0);
        if (what == 2 || what == 3) {
            th_enable(h);
            th_queues(h, 2, 32);
        } else {
            th_assert_sc(io_wait(h, &io[0], NULL), SUCCESS);
            th_assert_sc(io_wait(h, &io[1], NULL), SUCCESS);
        }
        if (what == 0) {
            th_assert_sc(io_wait(h, &other[1], NULL), SUCCESS);
        } else if (what >= 4) {
            th_assert_sc(io_wait(h, &other[0], NULL), SUCCESS);
            th_assert_sc(io_wait(h, &other[1], NULL), SUCCESS);
        } else {
            th_buf_free(other[0].b);
            th_buf_free(other[1].b);
            if (what >= 2) {
                th_buf_free(io[0].b);
                th_buf_free(io[1].b);
            }
        }
        /* The blocks are free again. */
        th_assert_sc(th_write(h, .slba = 7, .data = one), SUCCESS);
        expect(h, 7, 1);
        th_free(h);
    }
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

/* A pause that wants nothing in flight: pairs and those who wait for them go
 * on to their end, and it comes. */
static void test_drain(void)
{
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct th *h = th_new(.lanes = 2, .seed = seed, .multi = true);
        uint8_t zero[BS] = { 0 }, one[BS];
        struct io io[2], other[3];
        bool gone = false;

        memset(one, 1, BS);
        th_enable(h);
        th_queues(h, 2, 32);
        h->be[0]->later = true;
        put_pair(h, io, 1, 7, 1, zero, one);
        for (unsigned i = 0; i < 3; i++) {
            io_put(h, &other[i], 2, ENVME_NVM_WRITE, 7, 1, one, 0);
        }
        th_ring(h, 2);
        for (unsigned i = th_random(h, 20); i; i--) {
            th_step(h);
        }
        envme_subsys_attach(h->subsys, h->ns[0], h->ctrl->cntlid, false,
                            set_flag, &gone);
        th_run(h);
        g_assert_true(gone);
        g_assert_null(h->ns[0]->ranges.head);
        g_assert_cmpuint(h->ns[0]->loose, ==, 0);
        for (unsigned i = 0; i < 3; i++) {
            io_wait(h, &other[i], NULL);
        }
        io_wait(h, &io[0], NULL);
        io_wait(h, &io[1], NULL);
        th_assert_sc(th_read(h, .slba = 7, .block = BS), INVALID_FIELD);
        th_free(h);
    }
}

/* A counter that several queues add to by comparing and swapping. */
static void check_counter(uint64_t seed, bool threads)
{
    enum { Q = 4, ROUNDS = 60 };
    struct th *h = th_new(.lanes = 3, .seed = seed, .threads = threads);
    uint64_t blk[BS / 8] = { 0 }, next[BS / 8] = { 0 }, added = 0;
    unsigned lost = 0;

    th_enable(h);
    th_queues(h, Q, 16);
    h->be[0]->later = true;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct io io[Q][2];

        th_assert_sc(th_read(h, .slba = 3, .data = blk), SUCCESS);
        g_assert_cmpuint(blk[0], ==, added);
        next[0] = blk[0] + 1;
        for (unsigned q = 0; q < Q; q++) {
            put_pair(h, io[q], q + 1, 3, 1, blk, next);
        }
        for (unsigned q = 0; q < Q; q++) {
            struct envme_cqe a = io_wait(h, &io[q][0], NULL);
            struct envme_cqe b = io_wait(h, &io[q][1], NULL);

            if (cqe_sc(&a) == ENVME_SC_COMPARE_FAILURE) {
                th_assert_sc(b, ABORT_FAILED_FUSED);
                lost++;
            } else {
                th_assert_sc(a, SUCCESS);
                th_assert_sc(b, SUCCESS);
                added++;
            }
        }
    }
    g_assert_cmpuint(added, ==, ROUNDS);
    g_assert_cmpuint(lost, ==, ROUNDS * (Q - 1));
    th_free(h);
}

static void test_counter(void)
{
    for (uint64_t seed = 1; seed < 12; seed++) {
        check_counter(seed, false);
    }
    check_counter(1, true);
}

/* ---- atomicity --------------------------------------------------------- */

static void awun_15(struct envme_ctrl_params *p)
{
    p->awun = 15;
    p->awupf = 7;
}

static void awun_15_dn(struct envme_ctrl_params *p)
{
    awun_15(p);
    p->dn = true;
}

static bool same_all(const uint8_t *p, size_t n)
{
    return !memcmp(p, p + 1, n - 1);
}

/* Writes of 16 blocks that go block by block, and reads of them, at once, on
 * several queues. How many reads were of two writes. */
static unsigned torn(uint64_t seed, void (*tweak)(struct envme_ctrl_params *),
                     uint16_t nawun)
{
    enum { Q = 3, N = 16, ROUNDS = 20 };
    struct th *h = th_new(.lanes = 3, .seed = seed, .tweak = tweak,
                          .ns = { { .size = MIB, .max_transfer = BS,
                                    .nawun = nawun } });
    uint8_t data[N * BS];
    unsigned n = 0;

    th_enable(h);
    th_queues(h, Q, 16);
    h->be[0]->later = true;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct io w[Q], r[Q];

        for (unsigned q = 0; q < Q; q++) {
            memset(data, i * Q + q, sizeof(data));
            io_put(h, &w[q], q + 1, ENVME_NVM_WRITE, 32, N, data, 0);
            io_put(h, &r[q], q + 1, ENVME_NVM_READ, 32, N, NULL, 0);
            th_ring(h, q + 1);
        }
        for (unsigned q = 0; q < Q; q++) {
            th_assert_sc(io_wait(h, &w[q], NULL), SUCCESS);
            th_assert_sc(io_wait(h, &r[q], data), SUCCESS);
            n += !same_all(data, sizeof(data));
        }
        th_assert_sc(th_read(h, .slba = 32, .nlb = N, .data = data), SUCCESS);
        n += !same_all(data, sizeof(data));
    }
    th_free(h);
    return n;
}

static void test_torn(void)
{
    unsigned loose = 0;

    for (uint64_t seed = 1; seed < 6; seed++) {
        loose += torn(seed, NULL, 0);
        loose += torn(seed, awun_15_dn, 0);
        g_assert_cmpuint(torn(seed, awun_15, 0), ==, 0);
        g_assert_cmpuint(torn(seed, NULL, 15), ==, 0);
    }
    g_assert_cmpuint(loose, >, 0);
}

static void test_fields(void)
{
    struct th *h = th_new(.tweak = awun_15_dn,
                          .ns = { { .size = MIB, .nawun = 31, .nabsn = 63,
                                    .nabo = 8 } });
    struct envme_id_ctrl *id = g_malloc(4096);
    struct envme_id_ns *ns = g_malloc(4096);
    uint32_t v;

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, ns), SUCCESS);
    g_assert_cmpuint(le16_get(id->awun), ==, 15);
    g_assert_cmpuint(le16_get(id->awupf), ==, 7);
    g_assert_cmpuint(le16_get(id->acwu), ==, 15);
    g_assert_true(ns->nsfeat & ENVME_NSFEAT_NSABP);
    g_assert_cmpuint(le16_get(ns->nawun), ==, 31);
    g_assert_cmpuint(le16_get(ns->nacwu), ==, 31);
    g_assert_cmpuint(le16_get(ns->nabsn), ==, 63);
    g_assert_cmpuint(le16_get(ns->nabo), ==, 8);
    th_assert_sc(th_get_feature(h, ENVME_FID_WRITE_ATOMIC, 0, 0, &v),
                 SUCCESS);
    g_assert_cmphex(v, ==, 1);
    g_free(id);
    g_free(ns);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/atomic/uncor", test_uncor);
    g_test_add_func("/atomic/uncor-kept", test_uncor_kept);
    g_test_add_func("/atomic/fused", test_fused);
    g_test_add_func("/atomic/fused-alone", test_fused_alone);
    g_test_add_func("/atomic/waiters", test_waiters);
    g_test_add_func("/atomic/drain", test_drain);
    g_test_add_func("/atomic/counter", test_counter);
    g_test_add_func("/atomic/torn", test_torn);
    g_test_add_func("/atomic/fields", test_fields);
    return g_test_run();
}
