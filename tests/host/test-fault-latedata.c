/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault rules of "late-data": the completion is there and the host's buffer is
 * as it was, whatever it looks like; then the data come, or never do.
 */
#include "th-fault.h"

#define MS (1000ull * 1000)
#define LEN 8192u
#define OLD 0x5a
#define SEED 7

#define RULE "{'name': 'late', 'match': {'opcode': 'read'}, 'do': " \
             "{'late-data': '10ms'}}"

static struct th *host_as(struct envme_faults **f, bool direct, uint64_t seed)
{
    struct th *h = th_new(.lanes = 3, .map_direct = direct, .seed = seed,
                          .ns = { { .size = 4 * MIB } });
    uint8_t a[LEN];

    *f = envme_faults_new(h->ctrl, NULL);
    th_enable(h);
    th_queues(h, 2, 16);
    th_pattern(a, LEN, SEED);
    th_assert_sc(th_write(h, .nlb = LEN / 512, .data = a), SUCCESS);
    return h;
}

static struct th *host(struct envme_faults **f, bool direct)
{
    return host_as(f, direct, 0);
}

static void done(struct th *h, struct envme_faults *f)
{
    th_reset(h, ENVME_RESET_FUNCTION);
    g_assert_cmpuint(h->ctrl->watch & ENVME_WATCH_STATE, ==, 0);
    tf_free(h, f);
    th_run(h);
    th_free(h);
}

/* A read into a buffer that is full of something else; it has ended. */
static struct th_buf *read_into(struct th *h, unsigned shape)
{
    struct th_buf *b = th_buf_new(h, LEN, shape);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, LEN / 512);

    th_buf_fill(b, OLD);
    th_buf_attach(b, &s);
    th_assert_sc(th_wait(h, 1, th_submit(h, 1, &s)), SUCCESS);
    return b;
}

static bool is_old(struct th_buf *b)
{
    uint8_t m[LEN];

    memset(m, OLD, LEN);
    th_buf_get(b, m);
    for (unsigned i = 0; i < LEN; i++) {
        if (m[i] != OLD) {
            return false;
        }
    }
    return true;
}

/* Bytes of bit buckets are nowhere: they are as they are on the medium. */
static bool is_new(struct th_buf *b)
{
    uint8_t m[LEN];

    th_pattern(m, LEN, SEED);
    th_buf_get(b, m);
    return th_pattern_ok(m, LEN, SEED);
}

/* ---- it comes late ----------------------------------------------------- */

static void test_shapes(void)
{
    static const unsigned shapes[] = {
        TH_PRP, TH_OFFSET, TH_SGL, TH_SGL | TH_BUCKET, TH_CONTIG, TH_MMIO,
        TH_SGL | TH_MMIO,
    };

    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(shapes); i++) {
        struct envme_faults *f;
        struct th *h = host(&f, i & 1);
        struct th_buf *b;

        tf_rules(f, RULE);
        b = read_into(h, shapes[i / 2]);
        g_assert_true(is_old(b));
        th_advance(h, 9 * MS);
        g_assert_true(is_old(b));
        th_advance(h, 2 * MS);
        g_assert_true(is_new(b));
        /* Once, and no more. */
        th_buf_fill(b, OLD);
        th_advance(h, 1000 * MS);
        g_assert_true(is_old(b));
        th_buf_free(b);
        done(h, f);
    }
}

static void test_admin(void)
{
    struct envme_faults *f;
    struct th *h = host(&f, true);
    uint64_t page = th_alloc(h, 4096);
    uint8_t *mem = th_mem(h, page, 4096);
    struct envme_id_ctrl want;

    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, &want), SUCCESS);
    tf_rules(f, "{'name': 'late', 'match': {'queue': 'admin'}, 'do': "
             "{'late-data': {}}}");
    for (unsigned log = 0; log < 2; log++) {
        struct envme_sqe s = th_sqe(log ? ENVME_ADM_GET_LOG
                                        : ENVME_ADM_IDENTIFY, 0);

        s.cdw10 = le32(log ? 127u << 16 | ENVME_LID_SMART : ENVME_CNS_CTRL);
        s.dptr.prp1 = le64(page);
        memset(mem, OLD, 4096);
        th_assert_sc(th_wait(h, 0, th_submit(h, 0, &s)), SUCCESS);
        g_assert_cmpuint(mem[0], ==, OLD);
        g_assert_cmpuint(mem[511], ==, OLD);
        th_advance(h, 2 * MS);
        if (log) {
            /* Composite temperature, and the end of what was asked for. */
            g_assert_cmpuint(mem[1] | mem[2] << 8, !=, OLD | OLD << 8);
            g_assert_cmpuint(mem[511], ==, 0);
            g_assert_cmpuint(mem[512], ==, OLD);
        } else {
            g_assert_cmpmem(mem, 4096, &want, sizeof(want));
        }
    }
    done(h, f);
}

/* The time begins with the completion; other actions find the data. */
static void test_others(void)
{
    for (unsigned first = 0; first < 2; first++) {
        struct envme_faults *f;
        struct th *h = host(&f, true);
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, LEN / 512);
        struct th_buf *b = th_buf_new(h, LEN, TH_PRP);
        g_autofree char *both = NULL;
        struct envme_cqe cqe;
        uint8_t m[LEN];
        uint16_t cid;

        /* Two of them are one. */
        both = g_strconcat(first ? RULE "," : "",
                           "{'name': 'bad', 'match': {'opcode': 'read'}, "
                           "'do': {'data': {'patch': {'offset': 5000, "
                           "'xor': 255}}, 'delay': '50ms'}},"
                           "{'name': 'again', 'match': {'opcode': 'read'}, "
                           "'do': {'late-data': '10ms'}}", NULL);
        tf_rules(f, both);
        th_buf_fill(b, OLD);
        th_buf_attach(b, &s);
        cid = th_submit(h, 1, &s);
        th_run(h);
        th_advance(h, 45 * MS);
        g_assert_false(th_try_wait(h, 1, cid, &cqe));
        th_advance(h, 6 * MS);
        th_assert_sc(th_wait(h, 1, cid), SUCCESS);
        g_assert_true(is_old(b));
        th_advance(h, 11 * MS);
        th_buf_get(b, m);
        m[5000] ^= 255;
        g_assert_true(th_pattern_ok(m, LEN, SEED));
        th_buf_free(b);
        done(h, f);
    }
}

/* ---- it never comes ---------------------------------------------------- */

enum { BY_RESET, BY_CC, BY_RULES, BY_OFF, BY_MASTER, BY_END };

static void test_never(void)
{
    for (unsigned how = BY_RESET; how <= BY_END; how++) {
        struct envme_faults *f;
        struct th *h = host(&f, true);
        struct th_buf *b;

        tf_rules(f, RULE);
        b = read_into(h, TH_PRP);
        th_advance(h, 5 * MS);
        switch (how) {
        case BY_RESET:
        case BY_END:
            th_reset(h, ENVME_RESET_FUNCTION);
            break;
        case BY_CC:
            th_disable(h);
            th_enable(h);
            th_queues(h, 2, 16);
            break;
        case BY_RULES:
            tf_rules(f, "");
            break;
        case BY_OFF:
            envme_faults_activate(f, false);
            break;
        default:
            th_bme(h, false);
            break;
        }
        if (how != BY_END) {
            th_advance(h, 50 * MS);
        }
        g_assert_true(is_old(b));
        if (how == BY_MASTER) {
            th_bme(h, true);
            th_advance(h, 50 * MS);
            g_assert_true(is_old(b));
        }
        th_buf_free(b);
        done(h, f);
    }
}

/* Other rules come while the command is under way. */
static void test_replaced(void)
{
    struct envme_faults *f;
    struct th *h = host(&f, true);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, LEN / 512);
    struct th_buf *b = th_buf_new(h, LEN, TH_PRP);
    uint16_t cid;

    tf_rules(f, "{'name': 'late', 'match': {'opcode': 'read'}, 'do': "
             "{'delay': '20ms', 'late-data': '10ms'}}");
    th_buf_fill(b, OLD);
    th_buf_attach(b, &s);
    cid = th_submit(h, 1, &s);
    th_advance(h, 5 * MS);
    tf_rules(f, "");
    th_advance(h, 20 * MS);
    th_assert_sc(th_wait(h, 1, cid), SUCCESS);
    th_advance(h, 50 * MS);
    g_assert_true(is_old(b));
    th_buf_free(b);
    done(h, f);
}

/* The lanes hear of the reset at any moment, also when a command has ended
 * that they did not know to be of the past. */
static void test_reset_order(void)
{
    for (unsigned seed = 1; seed <= 100; seed++) {
        struct envme_faults *f;
        struct th *h = host_as(&f, true, seed);
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, LEN / 512);
        struct th_buf *b = th_buf_new(h, LEN, TH_PRP);

        tf_rules(f, RULE);
        th_buf_attach(b, &s);
        th_submit(h, 1, &s);
        for (unsigned i = 0; i < seed % 8; i++) {
            th_step(h);
        }
        th_disable(h);
        th_buf_fill(b, OLD);
        th_enable(h);
        th_queues(h, 2, 16);
        th_advance(h, 50 * MS);
        g_assert_true(is_old(b));
        th_buf_free(b);
        done(h, f);
    }
}

/* What fails or has no data; what is too long; what goes to the medium. */
static void test_alone(void)
{
    struct envme_faults *f;
    struct th *h = host(&f, true);
    g_autofree uint8_t *big = g_malloc(2 * MIB);
    uint8_t a[LEN];

    tf_rules(f, "{'name': 'late', 'match': {'queue': 'io'}, 'do': "
             "{'late-data': '10ms'}}");
    h->ctrl->params.mdts = 0;
    th_pattern(big, 2 * MIB, 9);
    th_assert_sc(th_write(h, .nlb = 2 * MIB / 512, .data = big), SUCCESS);
    memset(big, 0, 2 * MIB);
    th_assert_sc(th_read(h, .nlb = 2 * MIB / 512, .data = big), SUCCESS);
    g_assert_true(th_pattern_ok(big, 2 * MIB, 9));
    th_assert_sc(th_read(h, .slba = 4 * MIB / 512, .nlb = 1, .data = a),
                 LBA_RANGE);
    g_assert_cmpuint(tf_count(f, "late", "hits"), ==, 3);
    /* The most that waits; those are in time that there is no room for. */
    for (unsigned i = 0; i < 1030; i++) {
        memset(a, OLD, LEN);
        th_assert_sc(th_read(h, .slba = 16, .data = a), SUCCESS);
        g_assert_true((a[0] == OLD && a[511] == OLD) == (i < 1024));
    }
    /* And there is room again. */
    th_advance(h, 11 * MS);
    memset(a, OLD, LEN);
    th_assert_sc(th_read(h, .slba = 16, .data = a), SUCCESS);
    g_assert_true(a[0] == OLD && a[511] == OLD);
    done(h, f);
}

/* ---- with threads ------------------------------------------------------ */

static void test_threads(void)
{
    struct th *h = th_new(.lanes = 3, .threads = true, .map_direct = true,
                          .ns = { { .size = 1 * MIB } });
    struct envme_faults *f = envme_faults_new(h->ctrl, NULL);
    struct th_buf *b[2][12];

    th_enable(h);
    for (unsigned q = 0; q < 2; q++) {
        for (unsigned i = 0; i < 12; i++) {
            b[q][i] = th_buf_new(h, LEN, TH_PRP);
        }
    }
    for (unsigned round = 0; round < 30; round++) {
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, LEN / 512);
        uint16_t cid[2][12];

        th_queues(h, 2, 64);
        tf_rules(f, "{'name': 'late', 'match': {'opcode': 'read'}, 'do': "
                 "{'late-data': '5ms'}}");
        for (unsigned i = 0; i < 12; i++) {
            for (unsigned q = 0; q < 2; q++) {
                th_buf_fill(b[q][i], OLD);
                th_buf_attach(b[q][i], &s);
                cid[q][i] = th_submit(h, q + 1, &s);
            }
        }
        th_ring(h, 1);
        th_ring(h, 2);
        /* In the midst of it, or after all have ended, or have come. */
        for (unsigned i = 0; round % 3 && i < 12; i++) {
            th_assert_sc(th_wait(h, 1, cid[0][i]), SUCCESS);
            th_assert_sc(th_wait(h, 2, cid[1][i]), SUCCESS);
        }
        if (round % 3 == 2) {
            th_advance(h, 10 * MS);
        }
        th_disable(h);
        for (unsigned i = 0; i < 12; i++) {
            for (unsigned q = 0; q < 2; q++) {
                th_buf_fill(b[q][i], OLD);
            }
        }
        th_enable(h);
        th_advance(h, 20 * MS);
        for (unsigned i = 0; i < 12; i++) {
            g_assert_true(is_old(b[0][i]) && is_old(b[1][i]));
        }
    }
    for (unsigned q = 0; q < 2; q++) {
        for (unsigned i = 0; i < 12; i++) {
            th_buf_free(b[q][i]);
        }
    }
    done(h, f);
}

static void test_wrong(void)
{
    struct envme_faults *f;
    struct th *h = host(&f, true);
    g_autofree char *on = tf_wrong(f, "{'rules': [{'name': 'r', 'on': 'time', "
                                   "'do': {'late-data': '1ms'}}]}");
    g_autofree char *none = tf_wrong(f, "{'rules': [{'name': 'r', "
                                     "'do': {'late-data': 0}}]}");

    g_assert_nonnull(strstr(on, "cannot be done on \"time\""));
    g_assert_nonnull(strstr(none, "for"));
    done(h, f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fault-latedata/shapes", test_shapes);
    g_test_add_func("/fault-latedata/admin", test_admin);
    g_test_add_func("/fault-latedata/others", test_others);
    g_test_add_func("/fault-latedata/never", test_never);
    g_test_add_func("/fault-latedata/replaced", test_replaced);
    g_test_add_func("/fault-latedata/reset-order", test_reset_order);
    g_test_add_func("/fault-latedata/alone", test_alone);
    g_test_add_func("/fault-latedata/threads", test_threads);
    g_test_add_func("/fault-latedata/wrong", test_wrong);
    return g_test_run();
}
