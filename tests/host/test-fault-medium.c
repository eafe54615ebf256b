/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault actions on media: errors, torn, lost, misdirected and stale blocks,
 * corruption at rest. What the host sees, and what of it is seen when the
 * medium is well again.
 */
#include "th-fault.h"

#include "hw/ns/sick.h"

#define MS (1000ull * 1000)
#define NSID_PI "'nsid': 2, "

struct rig {
    struct th *h;
    struct envme_faults *f;
    uint8_t a[4096], b[4096], got[4096];
};

static struct rig *rig(bool later)
{
    struct rig *r = g_new0(struct rig, 1);

    r->h = th_new(.lanes = 2, .ns = { { .size = 1 * MIB },
                                      { .size = 1 * MIB, .ms = 8, .pi = 1 },
                                      { .size = 1 * MIB,
                                        .write_cache = true } });
    r->f = envme_faults_new(r->h->ctrl, NULL);
    th_enable(r->h);
    th_queues(r->h, 2, 32);
    for (unsigned i = 0; i < 3; i++) {
        r->h->be[i]->later = later;
    }
    th_pattern(r->a, sizeof(r->a), 1);
    th_pattern(r->b, sizeof(r->b), 2);
    return r;
}

static void done(struct rig *r)
{
    struct th *h = r->h;

    th_reset(h, ENVME_RESET_FUNCTION);
    tf_free(h, r->f);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_true(atomic_load(&h->ns[i]->io) == h->ns[i]->be);
    }
    th_free(h);
    g_free(r);
}

/* A rule that does it now. */
static void now(struct rig *r, const char *todo)
{
    tf_now(r->h, r->f, todo);
}

static bool well(const struct rig *r, unsigned i)
{
    return atomic_load(&r->h->ns[i]->io) == r->h->ns[i]->be;
}

static struct envme_cqe get(struct rig *r, uint64_t lba, unsigned n)
{
    memset(r->got, 0xee, sizeof(r->got));
    return th_read(r->h, .slba = lba, .nlb = n, .data = r->got);
}

#define SAME(x, y, n) g_assert_cmpmem(x, n, y, n)

/* ---- errors ------------------------------------------------------------ */

static void check_errors(bool later)
{
    struct rig *r = rig(later);
    struct envme_log_error e;
    uint64_t before;
    unsigned n;

    g_assert_null(r->h->ns[0]->sick);
    th_assert_sc(th_write(r->h, .slba = 0, .nlb = 8, .data = r->a), SUCCESS);
    now(r, "'medium-error': {'lba': [100, 103]}");
    g_assert_false(well(r, 0));
    g_assert_true(well(r, 1));
    before = atomic_load(&r->h->ctrl->media_errors);
    th_assert_sc(get(r, 96, 4), SUCCESS);
    th_assert_sc(get(r, 104, 4), SUCCESS);
    n = r->h->be[0]->nops[ENVME_BIO_READ];
    th_assert_sc(get(r, 96, 5), UNRECOVERED_READ);
    th_assert_sc(th_write(r->h, .slba = 103, .nlb = 4), WRITE_FAULT);
    g_assert_cmpuint(r->h->be[0]->nops[ENVME_BIO_READ], ==, n);
    /* All that a medium's error means. */
    g_assert_cmpuint(atomic_load(&r->h->ctrl->media_errors), ==, before + 2);
    th_assert_sc(th_get_log(r->h, ENVME_LID_ERROR, UINT32_MAX, 0, &e,
                            sizeof(e), false), SUCCESS);
    g_assert_cmpuint(le64_get(e.lba), ==, 103);
    g_assert_cmpuint(atomic_load(&r->h->ns[0]->nbad), >, 0);
    th_assert_sc(th_rw(r->h, ENVME_NVM_WRITE_ZEROES, .slba = 102),
                 WRITE_FAULT);
    th_assert_sc(th_rw(r->h, ENVME_NVM_FLUSH), SUCCESS);
    /* Each errno is its status; `of`, `times`. */
    now(r, "'full': {'lba': [0, 100]}");
    th_assert_sc(th_write(r->h, .slba = 99), CAP_EXCEEDED);
    th_assert_sc(th_write(r->h, .slba = 101), SUCCESS);
    th_assert_sc(get(r, 0, 8), SUCCESS);
    SAME(r->got, r->a, 4096);
    now(r, "'medium-error': {'errno': 'erofs', 'of': 'writes', 'times': 2}");
    th_assert_sc(get(r, 0, 1), SUCCESS);
    th_assert_sc(th_write(r->h, .slba = 9), NS_WRITE_PROTECTED);
    th_assert_sc(th_write(r->h, .slba = 9), NS_WRITE_PROTECTED);
    th_assert_sc(th_write(r->h, .slba = 9), SUCCESS);
    now(r, "'medium-error': {'of': 'flush', 'errno': 5, 'nsid': 3}");
    th_assert_sc(th_rw(r->h, ENVME_NVM_FLUSH, .nsid = 3), WRITE_FAULT);
    th_assert_sc(th_rw(r->h, ENVME_NVM_FLUSH, .nsid = 1), SUCCESS);
    /* With something done before. */
    now(r, "'medium-error': {'of': 'writes', 'lba': 0, 'keep': 1500}");
    th_assert_sc(th_write(r->h, .slba = 0, .nlb = 8, .data = r->b),
                 WRITE_FAULT);
    now(r, "'medium-error': {'lba': 500, 'for': '10ms'}");
    g_assert_true(well(r, 2));
    th_assert_sc(get(r, 0, 8), SUCCESS);
    SAME(r->got, r->b, 1024);
    SAME(r->got + 1024, r->a + 1024, 3072);
    th_assert_sc(get(r, 500, 1), UNRECOVERED_READ);
    th_advance(r->h, 11 * MS);
    g_assert_true(well(r, 0));
    th_assert_sc(get(r, 500, 1), SUCCESS);
    done(r);
}

static void test_errors(void)
{
    check_errors(false);
    check_errors(true);
}

/* ---- bytes that do not get there --------------------------------------- */

static void check_bytes(bool later)
{
    struct rig *r = rig(later);
    unsigned n;

    th_assert_sc(th_write(r->h, .slba = 0, .nlb = 8, .data = r->a), SUCCESS);
    now(r, "'short': {'lba': [0, 7], 'keep': 1536}");
    th_assert_sc(th_write(r->h, .slba = 0, .nlb = 8, .data = r->b,
                          .shape = TH_OFFSET), SUCCESS);
    th_assert_sc(get(r, 0, 8), SUCCESS);
    SAME(r->got, r->b, 1536);
    SAME(r->got + 1536, r->a + 1536, 2560);
    /* Lost. */
    now(r, "'short': true");
    n = r->h->be[0]->nops[ENVME_BIO_WRITE];
    th_assert_sc(th_write(r->h, .slba = 0, .nlb = 8, .data = r->b), SUCCESS);
    g_assert_cmpuint(r->h->be[0]->nops[ENVME_BIO_WRITE], ==, n);
    th_assert_sc(get(r, 0, 8), SUCCESS);
    SAME(r->got + 1536, r->a + 1536, 2560);
    /* Reads: the host's memory stays. */
    now(r, "'short': {'of': 'reads', 'keep': 512}");
    th_assert_sc(get(r, 0, 8), SUCCESS);
    SAME(r->got, r->b, 512);
    for (unsigned i = 512; i < 4096; i++) {
        g_assert_cmphex(r->got[i], ==, 0xee);
    }
    /* Elsewhere: there and back. */
    now(r, "'misdirect': {'lba': [16, 23], 'to': 40}");
    th_assert_sc(th_write(r->h, .slba = 16, .nlb = 4, .data = r->b), SUCCESS);
    th_assert_sc(th_write(r->h, .slba = 20, .nlb = 4, .data = r->b + 2048),
                 SUCCESS);
    th_assert_sc(get(r, 16, 8), SUCCESS);
    for (unsigned i = 0; i < 4096; i++) {
        g_assert_cmphex(r->got[i], ==, 0);
    }
    th_assert_sc(get(r, 40, 8), SUCCESS);
    SAME(r->got, r->b, 4096);
    now(r, "'misdirect': {'lba': [16, 23], 'to': 40, 'of': 'reads'}");
    th_assert_sc(get(r, 16, 8), SUCCESS);
    SAME(r->got, r->b, 4096);
    /* The end of the namespace is where it is. */
    now(r, "'misdirect': {'lba': [16, 23], 'to': 2047}");
    th_assert_sc(th_write(r->h, .slba = 16, .nlb = 2, .data = r->a), SUCCESS);
    th_assert_sc(get(r, 16, 2), SUCCESS);
    SAME(r->got, r->a, 1024);
    /* With protection information it is noticed: block 40 has another tag. */
    tf_rules(r->f, "{'name': 'x', 'armed': false, 'do': {'skip': true}}");
    th_assert_sc(th_write(r->h, .nsid = 2, .slba = 40, .cdw12 = ENVME_RW_PRACT,
                          .cdw14 = 40), SUCCESS);
    now(r, "'misdirect': {" NSID_PI "'lba': [16, 23], 'to': 40, "
        "'of': 'reads'}");
    th_assert_sc(th_read(r->h, .nsid = 2, .slba = 16,
                         .cdw12 = ENVME_RW_PRACT | ENVME_RW_PRCHK_REF,
                         .cdw14 = 16), REFTAG_CHECK);
    done(r);
}

static void test_bytes(void)
{
    check_bytes(false);
    check_bytes(true);
}

/* ---- old data, any data ------------------------------------------------ */

static void check_stale(bool later)
{
    struct rig *r = rig(later);
    const uint32_t pi = ENVME_RW_PRACT | ENVME_RW_PRCHK;
    uint8_t again[4096];

    th_assert_sc(th_write(r->h, .slba = 8, .nlb = 8, .data = r->a), SUCCESS);
    th_assert_sc(th_write(r->h, .nsid = 2, .slba = 8, .nlb = 8, .data = r->a,
                          .cdw12 = ENVME_RW_PRACT, .cdw14 = 8), SUCCESS);
    now(r, "'stale': {'lba': [10, 12]}");
    th_assert_sc(th_write(r->h, .slba = 8, .nlb = 8, .data = r->b), SUCCESS);
    th_assert_sc(get(r, 8, 8), SUCCESS);
    SAME(r->got, r->b, 1024);
    SAME(r->got + 1024, r->a + 1024, 1536);
    SAME(r->got + 2560, r->b + 2560, 1536);
    th_assert_sc(get(r, 12, 4), SUCCESS);
    SAME(r->got, r->a + 2048, 512);
    SAME(r->got + 512, r->b + 2560, 1536);
    /* The metadata are old, too: nothing notices. */
    now(r, "'stale': {" NSID_PI "'lba': [8, 15]}");
    th_assert_sc(get(r, 8, 8), SUCCESS);
    SAME(r->got, r->b, 4096);
    th_assert_sc(th_write(r->h, .nsid = 2, .slba = 8, .nlb = 8, .data = r->b,
                          .cdw12 = ENVME_RW_PRACT, .cdw14 = 8), SUCCESS);
    th_assert_sc(th_read(r->h, .nsid = 2, .slba = 8, .nlb = 8, .data = r->got,
                         .cdw12 = pi, .cdw14 = 8), SUCCESS);
    SAME(r->got, r->a, 4096);
    envme_faults_activate(r->f, false);
    th_assert_sc(th_read(r->h, .nsid = 2, .slba = 8, .nlb = 8, .data = r->got,
                         .cdw12 = pi, .cdw14 = 8), SUCCESS);
    SAME(r->got, r->b, 4096);
    envme_faults_activate(r->f, true);
    th_run(r->h);
    /* Rules that go before it has begun: nothing comes of it. */
    tf_rules(r->f, "{'name': 'x', 'on': 'time', 'do': {'stale': "
             "{'lba': [8, 15]}}}");
    envme_faults_activate(r->f, false);
    th_run(r->h);
    g_assert_true(well(r, 0));
    /* Deallocated ones; the rest is right, and the same each time. */
    now(r, "'garbage': {'lba': [0, 2000], 'seed': 5}");
    th_assert_sc(get(r, 6, 8), SUCCESS);
    g_assert_cmpuint(r->got[0] | r->got[1] | r->got[2] | r->got[3] |
                     r->got[600], !=, 0);
    SAME(r->got + 1024, r->b, 3072);
    memcpy(again, r->got, sizeof(again));
    th_assert_sc(get(r, 6, 8), SUCCESS);
    SAME(r->got, again, 4096);
    th_assert_sc(th_write(r->h, .slba = 0, .nlb = 8, .data = r->a), SUCCESS);
    th_assert_sc(get(r, 0, 8), SUCCESS);
    SAME(r->got, r->a, 4096);
    done(r);
}

static void test_stale(void)
{
    check_stale(false);
    check_stale(true);
}

/* ---- corruption at rest ------------------------------------------------ */

static void check_corrupt(bool later)
{
    static const struct {
        const char *pi;
        uint16_t sc;
    } tag[] = {
        { "guard", ENVME_SC_GUARD_CHECK }, { "app-tag", ENVME_SC_APPTAG_CHECK },
        { "ref-tag", ENVME_SC_REFTAG_CHECK },
    };
    struct rig *r = rig(later);
    unsigned wrong = 0;

    th_assert_sc(th_write(r->h, .slba = 8, .nlb = 8, .data = r->a), SUCCESS);
    now(r, "'corrupt': {'lba': [9, 10], 'patch': {'offset': 5, 'xor': 255}}");
    g_assert_true(well(r, 0));
    for (unsigned i = 0; i < 2; i++) {
        th_assert_sc(get(r, 8, 8), SUCCESS);
        g_assert_cmphex(r->got[517], ==, r->a[517] ^ 0xff);
        r->got[517] ^= 0xff;
        SAME(r->got, r->a, 4096);
        tf_rules(r->f, "");     /* it is there whatever the rules are */
    }
    th_assert_sc(th_write(r->h, .slba = 8, .nlb = 8, .data = r->a), SUCCESS);
    th_assert_sc(get(r, 8, 8), SUCCESS);
    SAME(r->got, r->a, 4096);
    now(r, "'corrupt': {'lba': [8, 15], 'flip': 5}");
    th_assert_sc(get(r, 8, 8), SUCCESS);
    for (unsigned i = 0; i < 4096; i++) {
        wrong += __builtin_popcount(r->got[i] ^ r->a[i]);
    }
    g_assert_cmpuint(wrong, >=, 1);
    g_assert_cmpuint(wrong, <=, 5);
    /* After the command that fires it. */
    tf_rules(r->f, "{'name': 'w', 'match': {'opcode': 'write', 'lba': 8}, "
             "'do': {'corrupt': {'lba': 8, 'zero': true}}}");
    th_assert_sc(th_write(r->h, .slba = 8, .nlb = 8, .data = r->a), SUCCESS);
    th_run(r->h);
    th_assert_sc(get(r, 8, 8), SUCCESS);
    g_assert_cmpuint(r->got[0] | r->got[511], ==, 0);
    SAME(r->got + 512, r->a + 512, 3584);
    /* Protection information. */
    for (unsigned i = 0; i < G_N_ELEMENTS(tag); i++) {
        g_autofree char *text = g_strdup_printf(
            "'corrupt': {" NSID_PI "'lba': [17, 18], 'pi': '%s'}", tag[i].pi);
        struct envme_cqe c;

        th_assert_sc(th_write(r->h, .nsid = 2, .slba = 16, .nlb = 8,
                              .data = r->a, .cdw12 = ENVME_RW_PRACT,
                              .cdw14 = 16, .cdw15 = 77), SUCCESS);
        now(r, text);
        c = th_read(r->h, .nsid = 2, .slba = 16, .nlb = 8, .data = r->got,
                    .cdw12 = ENVME_RW_PRACT | ENVME_RW_PRCHK, .cdw14 = 16,
                    .cdw15 = 77 | 0xffffu << 16);
        g_assert_cmphex(cqe_sc(&c), ==, tag[i].sc);
        c = th_read(r->h, .nsid = 2, .slba = 19, .nlb = 5, .data = r->got,
                    .cdw12 = ENVME_RW_PRACT | ENVME_RW_PRCHK, .cdw14 = 19,
                    .cdw15 = 77 | 0xffffu << 16);
        th_assert_sc(c, SUCCESS);
    }
    /* Under commands, which end first; behind a cache. */
    now(r, "'corrupt': {'nsid': 3, 'lba': 0, 'patch': {'offset': 0, "
        "'value': 9}}");
    th_assert_sc(th_read(r->h, .nsid = 3, .data = r->got), SUCCESS);
    g_assert_cmpuint(r->got[0], ==, 9);
    /* Nothing there to be spoilt: nothing happens. */
    now(r, "'corrupt': {'lba': 2048, 'zero': true}");
    now(r, "'corrupt': {'lba': 8, 'pi': 'guard'}");
    now(r, "'corrupt': {'nsid': 9, 'lba': 8, 'zero': true}");
    th_assert_sc(get(r, 9, 7), SUCCESS);
    SAME(r->got, r->a + 512, 3584);
    done(r);
}

static void test_corrupt(void)
{
    check_corrupt(false);
    check_corrupt(true);
}

/* ---- lies -------------------------------------------------------------- */

static void test_lies(void)
{
    struct rig *r = rig(true);
    unsigned n, fua;

    th_assert_sc(th_set_feature(r->h, ENVME_FID_VWC, 0, 1, false), SUCCESS);
    now(r, "'cache-lies': {'nsid': 3}");
    n = r->h->be[2]->nops[ENVME_BIO_FLUSH];
    fua = r->h->be[2]->nfua;
    th_assert_sc(th_rw(r->h, ENVME_NVM_FLUSH, .nsid = 3), SUCCESS);
    th_assert_sc(th_write(r->h, .nsid = 3, .cdw12 = ENVME_RW_FUA,
                          .data = r->a), SUCCESS);
    g_assert_cmpuint(r->h->be[2]->nops[ENVME_BIO_FLUSH], ==, n);
    g_assert_cmpuint(r->h->be[2]->nfua, ==, fua);
    th_assert_sc(th_read(r->h, .nsid = 3, .data = r->got), SUCCESS);
    SAME(r->got, r->a, 512);
    now(r, "'cache-lies': {'nsid': 3, 'fua': false}");
    th_assert_sc(th_rw(r->h, ENVME_NVM_FLUSH, .nsid = 3), SUCCESS);
    th_assert_sc(th_write(r->h, .nsid = 3, .cdw12 = ENVME_RW_FUA), SUCCESS);
    g_assert_cmpuint(r->h->be[2]->nops[ENVME_BIO_FLUSH], ==, n);
    g_assert_cmpuint(r->h->be[2]->nfua, ==, fua + 1);
    done(r);
}

/* ---- under I/O --------------------------------------------------------- */

/* Faults come and go while commands are held, are given up and end. */
static void test_flight(void)
{
    struct rig *r = rig(false);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);
    struct th_buf *b = th_buf_new(r->h, 512, TH_PRP);
    struct envme_cqe c;
    uint16_t cid;

    th_buf_attach(b, &s);
    r->h->be[0]->hold = true;
    cid = th_submit(r->h, 1, &s);
    th_run(r->h);
    now(r, "'short': {'of': 'reads', 'keep': 512}");
    /* It was there before: its end and its cancelling are its own. */
    c = th_abort(r->h, 1, cid);
    th_assert_sc(c, SUCCESS);
    th_assert_sc(th_wait(r->h, 1, cid), ABORT_REQUESTED);
    /* One that is changed, and the fault goes. */
    cid = th_submit(r->h, 1, &s);
    th_run(r->h);
    tf_rules(r->f, "");
    g_assert_false(well(r, 0));
    c = th_abort(r->h, 1, cid);
    th_assert_sc(c, SUCCESS);
    th_assert_sc(th_wait(r->h, 1, cid), ABORT_REQUESTED);
    g_assert_true(well(r, 0));
    /* What is done at rest waits for it; a reset ends both. */
    cid = th_submit(r->h, 1, &s);
    th_run(r->h);
    now(r, "'corrupt': {'lba': 0, 'zero': true}");
    th_be_release_all(r->h->be[0], 0);
    th_run(r->h);
    g_assert_false(th_try_wait(r->h, 1, cid, &c));
    g_assert_cmpuint(th_be_held(r->h->be[0]), ==, 1);
    th_be_release_all(r->h->be[0], -EIO);
    th_assert_sc(th_wait(r->h, 1, cid), SUCCESS);
    r->h->be[0]->hold = false;
    th_assert_sc(get(r, 0, 1), SUCCESS);
    /* A reset finds it at work. */
    r->h->be[0]->hold = true;
    now(r, "'corrupt': {'lba': 0, 'zero': true}");
    th_reset_start(r->h, ENVME_RESET_FUNCTION);
    th_run(r->h);
    th_be_release_all(r->h->be[0], 0);
    r->h->be[0]->hold = false;
    th_be_release_all(r->h->be[0], 0);
    th_run(r->h);
    th_be_release_all(r->h->be[0], 0);
    th_reset_finish(r->h);
    th_buf_free(b);
    done(r);
}

/* Random ones, with a thread for each lane: what no fault names is right. */
static void test_threads(void)
{
    struct rig *r = g_new0(struct rig, 1);
    struct th *h = th_new(.lanes = 3, .threads = true,
                          .ns = { { .size = 1 * MIB } });
    static const char *const todo[] = {
        "'medium-error': {'lba': [0, 63]}", "'short': {'lba': [0, 63]}",
        "'corrupt': {'lba': [0, 63], 'flip': 9}", "'stale': {'lba': [0, 63]}",
        "'misdirect': {'lba': [0, 31], 'to': 32}",
        "'garbage': {'lba': [0, 63]}",
    };

    r->h = h;
    r->f = envme_faults_new(h->ctrl, NULL);
    th_enable(h);
    th_queues(h, 3, 32);
    th_pattern(r->a, sizeof(r->a), 3);
    h->be[0]->later = true;
    for (unsigned i = 0; i < 120; i++) {
        g_autofree char *text = g_strdup_printf(
            "{'name': 'x', 'on': 'time', 'do': {%s}}",
            todo[th_random(h, G_N_ELEMENTS(todo))]);
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);
        uint16_t cid[3];
        struct th_buf *b[3];

        for (unsigned q = 0; q < 3; q++) {
            b[q] = th_buf_new(h, 4096, TH_PRP);
            th_buf_put(b[q], r->a);
            s = th_sqe_rw(i % 2 ? ENVME_NVM_WRITE : ENVME_NVM_READ, 1,
                          th_random(h, 64), 8);
            th_buf_attach(b[q], &s);
            cid[q] = th_submit(h, q + 1, &s);
        }
        tf_rules(r->f, text);
        for (unsigned q = 0; q < 3; q++) {
            th_wait(h, q + 1, cid[q]);
            th_buf_free(b[q]);
        }
        th_assert_sc(th_write(h, .qid = 2, .slba = 128, .nlb = 8,
                              .data = r->a), SUCCESS);
        memset(r->got, 0, sizeof(r->got));
        th_assert_sc(th_read(h, .qid = 3, .slba = 128, .nlb = 8,
                             .data = r->got), SUCCESS);
        SAME(r->got, r->a, 4096);
    }
    tf_done(h, r->f);
    g_free(r);
}

/* ---- what is refused --------------------------------------------------- */

static void test_refused(void)
{
    static const struct {
        const char *todo, *err;
    } t[] = {
        { "'corrupt': {'lba': 5}", "is wanted" },
        { "'corrupt': {'zero': true}", "4096 blocks at most" },
        { "'corrupt': {'lba': [0, 4096], 'zero': true}",
          "4096 blocks at most" },
        { "'corrupt': {'lba': 1, 'pi': 'tag'}", "guard" },
        { "'stale': {'lba': [0, 1024]}", "1024 blocks at most" },
        { "'stale': true", "an object { } is wanted" },
        { "'misdirect': {'lba': 1}", "are wanted" },
        { "'misdirect': {'to': 1}", "are wanted" },
        { "'medium-error': {'errno': 'eoops'}", "enospc" },
        { "'medium-error': {'errno': 0}", "is not between" },
        { "'medium-error': {'nsid': 0}", "is not between" },
        { "'medium-error': {'for': 'long'}", "for" },
        { "'medium-error': {'until': 'tea'}", "reset" },
        { "'short': {'of': 'flush'}", "a flush has no bytes" },
        { "'cache-lies': {'flush': false, 'fua': false}",
          "neither is to lie" },
        { "'garbage': {'keep': 1}", "seed" },
    };
    struct rig *r = rig(false);

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        g_autofree char *file = g_strdup_printf(
            "{'rules': [{'name': 'n', 'on': 'time', 'do': {%s}}]}",
            t[i].todo);
        g_autofree char *err = tf_wrong(r->f, file);

        if (!strstr(err, t[i].err) || !strstr(err, "rule 'n'")) {
            g_error("%s: %s", t[i].todo, err);
        }
    }
    /* More than there is room for. */
    for (unsigned i = 0; i <= ENVME_SICK_FAULTS; i++) {
        g_autoptr(GVariant) go = tf_json("{'medium-error': {'lba': 5}}");
        char *err = NULL;

        g_assert_true(envme_faults_do(r->f, go, &err));
    }
    g_assert_cmpuint(r->h->notes, ==, 1);
    done(r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fault-medium/errors", test_errors);
    g_test_add_func("/fault-medium/bytes", test_bytes);
    g_test_add_func("/fault-medium/stale", test_stale);
    g_test_add_func("/fault-medium/corrupt", test_corrupt);
    g_test_add_func("/fault-medium/lies", test_lies);
    g_test_add_func("/fault-medium/flight", test_flight);
    g_test_add_func("/fault-medium/threads", test_threads);
    g_test_add_func("/fault-medium/refused", test_refused);
    return g_test_run();
}
