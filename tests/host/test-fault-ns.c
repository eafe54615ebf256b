/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault actions on namespaces: gone and back, of another size, read-only, not
 * ready, with other identifiers.
 */
#include "th-fault.h"

#include "envme/id-ns.h"

#define MS (1000ull * 1000)
#define BLOCKS 2048

static struct th *host(struct envme_faults **f)
{
    struct th *h = th_new(.lanes = 2, .ns = { { .size = 1 * MIB },
                                              { .size = 1 * MIB, .ms = 8 } });

    *f = envme_faults_new(h->ctrl, NULL);
    th_enable(h);
    th_queues(h, 2, 32);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0,
                                ENVME_FEAT_AEC_NSAN, false), SUCCESS);
    return h;
}

/* The host has been told of that namespace, and reads so. */
static void told(struct th *h, uint16_t aer, uint32_t nsid)
{
    struct envme_cqe c = th_wait(h, 0, aer);
    le32_t list[1024];

    th_assert_sc(c, SUCCESS);
    g_assert_cmphex(le32_get(c.dw0), ==, ENVME_LID_CHANGED_NS << 16 |
                    ENVME_AEN_NOTICE_NS_ATTR << 8 | ENVME_AEN_TYPE_NOTICE);
    th_assert_sc(th_get_log(h, ENVME_LID_CHANGED_NS, UINT32_MAX, 0, list,
                            sizeof(list), false), SUCCESS);
    g_assert_cmpuint(le32_get(list[0]), ==, nsid);
    g_assert_cmpuint(le32_get(list[1]), ==, 0);
}

static unsigned active(struct th *h)
{
    struct envme_ns_list list;
    unsigned n = 0;

    th_assert_sc(th_identify(h, ENVME_CNS_NS_LIST, 0, &list), SUCCESS);
    while (le32_get(list.nsid[n])) {
        n++;
    }
    return n;
}

/* ---- vanish, return ---------------------------------------------------- */

static void test_vanish(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_id_ns id;
    uint16_t aer = th_aer(h);

    g_assert_cmpuint(active(h), ==, 2);
    tf_now(h, f, "'vanish': true");
    told(h, aer, 1);
    g_assert_cmpuint(active(h), ==, 1);
    th_assert_sc(th_read(h), INVALID_FIELD);
    th_assert_sc(th_read(h, .nsid = 2), SUCCESS);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, &id), SUCCESS);
    g_assert_cmpuint(le64_get(id.nsze), ==, 0);
    aer = th_aer(h);
    tf_more(h, f, "{'return': 1}");
    told(h, aer, 1);
    g_assert_cmpuint(active(h), ==, 2);
    th_assert_sc(th_read(h), SUCCESS);
    /* For a time, with another status. */
    aer = th_aer(h);
    tf_now(h, f, "'vanish': {'nsid': 2, 'for': '10ms', "
                 "'status': 'invalid-ns'}");
    told(h, aer, 2);
    th_assert_sc(th_read(h, .nsid = 2), INVALID_NS);
    th_assert_sc(th_read(h), SUCCESS);
    aer = th_aer(h);
    th_advance(h, 11 * MS);
    told(h, aer, 2);
    th_assert_sc(th_read(h, .nsid = 2), SUCCESS);
    th_assert_sc(th_read(h, .nsid = 3), INVALID_FIELD);
    /* Until a reset; until the rules are off. */
    tf_now(h, f, "'vanish': {'until': 'reset'}");
    th_assert_sc(th_read(h), INVALID_FIELD);
    th_disable(h);
    th_enable(h);
    th_queues(h, 1, 16);
    th_assert_sc(th_read(h), SUCCESS);
    tf_now(h, f, "'vanish': true");
    th_assert_sc(th_read(h), INVALID_FIELD);
    envme_faults_activate(f, false);
    th_run(h);
    th_assert_sc(th_read(h), SUCCESS);
    /* Off before it has begun; one that is not there. */
    envme_faults_activate(f, true);
    envme_faults_activate(f, false);
    th_run(h);
    th_assert_sc(th_read(h), SUCCESS);
    tf_now(h, f, "'vanish': {'nsid': 7}");
    tf_more(h, f, "{'return': 7}");
    g_assert_cmpuint(active(h), ==, 2);
    tf_done(h, f);
}

static void check_in_flight(const char *how, unsigned sc)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);
    struct th_buf *b[8];
    uint16_t cid[8];
    struct envme_cqe c;
    g_autofree char *todo = g_strdup_printf("'vanish': {'in-flight': '%s'}",
                                            how);

    h->be[0]->hold = true;
    for (unsigned i = 0; i < 8; i++) {
        b[i] = th_buf_new(h, 512, TH_PRP);
        th_buf_attach(b[i], &s);
        cid[i] = th_submit(h, 1 + i % 2, &s);
    }
    th_run(h);
    tf_now(h, f, todo);
    if (!sc) {
        g_assert_false(th_try_wait(h, 1, cid[0], &c));
        th_be_release_all(h->be[0], 0);
    }
    for (unsigned i = 0; i < 8; i++) {
        c = th_wait(h, 1 + i % 2, cid[i]);
        g_assert_cmphex(cqe_sc(&c), ==, sc);
        th_buf_free(b[i]);
    }
    th_run(h);
    th_assert_sc(th_read(h), INVALID_FIELD);
    h->be[0]->hold = false;
    envme_faults_activate(f, false);
    th_run(h);
    th_assert_sc(th_read(h), SUCCESS);
    tf_done(h, f);
}

static void test_in_flight(void)
{
    check_in_flight("finish", ENVME_SC_SUCCESS);
    check_in_flight("abort", ENVME_SC_ABORT_REQUESTED);
}

/* Detached under I/O, with threads, again and again. */
static void test_threads(void)
{
    struct th *h = th_new(.lanes = 3, .threads = true,
                          .ns = { { .size = 1 * MIB }, { .size = 1 * MIB } });
    struct envme_faults *f = envme_faults_new(h->ctrl, NULL);

    th_enable(h);
    th_queues(h, 3, 64);
    h->be[0]->later = true;
    for (unsigned i = 0; i < 60; i++) {
        uint16_t cid[3][4];

        for (unsigned k = 0; k < 12; k++) {
            struct envme_sqe s = th_sqe_rw(ENVME_NVM_FLUSH, k % 4 ? 1 : 2, 0,
                                           1);

            s.cdw10 = s.cdw11 = s.cdw12 = le32(0);
            cid[k % 3][k / 3] = th_submit(h, k % 3 + 1, &s);
        }
        tf_rules(f, i % 3 == 2 ? "" :
                 i % 3 ? "{'name': 'x', 'on': 'time', 'do': {'vanish': "
                         "{'in-flight': 'abort'}}}"
                       : "{'name': 'x', 'on': 'time', 'do': {'vanish': true}}");
        for (unsigned k = 0; k < 12; k++) {
            struct envme_cqe c = th_wait(h, k % 3 + 1, cid[k % 3][k / 3]);
            uint16_t sc = cqe_sc(&c);

            g_assert_true(sc == ENVME_SC_SUCCESS ||
                          (k % 4 && (sc == ENVME_SC_INVALID_FIELD ||
                                     sc == ENVME_SC_ABORT_REQUESTED)));
        }
    }
    tf_done(h, f);
}

/* Two controllers: the other one keeps it, or not. */
static void test_everywhere(void)
{
    struct th *a = th_new(.multi = true, .ns = { { .size = 1 * MIB } });
    struct th *b = th_new(.peer = a);
    struct envme_faults *f = envme_faults_new(a->ctrl, NULL);

    th_enable(a);
    th_enable(b);
    th_queues(a, 1, 16);
    th_queues(b, 1, 16);
    tf_now(a, f, "'vanish': true");
    th_assert_sc(th_read(a), INVALID_FIELD);
    th_assert_sc(th_read(b), SUCCESS);
    tf_now(a, f, "'vanish': {'from': 'subsystem'}");
    th_assert_sc(th_read(a), INVALID_FIELD);
    th_assert_sc(th_read(b), INVALID_FIELD);
    tf_more(a, f, "{'return': 1}");
    th_assert_sc(th_read(a), SUCCESS);
    th_assert_sc(th_read(b), SUCCESS);
    /* What one controller has done goes with it. */
    tf_now(a, f, "'read-only': true, 'vanish': {'from': 'subsystem'}");
    th_assert_sc(th_read(b), INVALID_FIELD);
    th_reset(a, ENVME_RESET_FUNCTION);
    tf_free(a, f);
    th_run(a);
    th_assert_sc(th_write(b), SUCCESS);
    th_free(b);
    th_free(a);
}

/* ---- size -------------------------------------------------------------- */

static uint64_t nsze(struct th *h, uint32_t nsid)
{
    struct envme_id_ns id;

    th_assert_sc(th_identify(h, ENVME_CNS_NS, nsid, &id), SUCCESS);
    g_assert_cmpuint(le64_get(id.nsze), ==, le64_get(id.ncap));
    return le64_get(id.nsze);
}

static void test_resize(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    uint64_t size2 = nsze(h, 2);
    uint16_t aer = th_aer(h);

    g_assert_cmpuint(nsze(h, 1), ==, BLOCKS);
    tf_now(h, f, "'resize': {'blocks': 1000}");
    told(h, aer, 1);
    g_assert_cmpuint(nsze(h, 1), ==, 1000);
    th_assert_sc(th_read(h, .slba = 999), SUCCESS);
    th_assert_sc(th_read(h, .slba = 1000), LBA_RANGE);
    /* The medium changes meanwhile. */
    th_be_resize(h->be[0], 512 * 1024);
    th_run(h);
    g_assert_cmpuint(nsze(h, 1), ==, 1000);
    th_be_resize(h->be[0], MIB);
    th_run(h);
    th_assert_sc(th_get_log(h, ENVME_LID_CHANGED_NS, UINT32_MAX, 0,
                            (le32_t[1024]){ 0 }, 4096, false), SUCCESS);
    aer = th_aer(h);
    envme_faults_activate(f, false);
    told(h, aer, 1);
    g_assert_cmpuint(nsze(h, 1), ==, BLOCKS);
    th_assert_sc(th_read(h, .slba = 1000), SUCCESS);
    /* Larger than it is: what is not there fails. */
    aer = th_aer(h);
    tf_now(h, f, "'resize': {'blocks': 4096, 'for': '10ms'}");
    told(h, aer, 1);
    g_assert_cmpuint(nsze(h, 1), ==, 4096);
    th_assert_sc(th_write(h, .slba = BLOCKS - 1), SUCCESS);
    th_assert_sc(th_write(h, .slba = BLOCKS), WRITE_FAULT);
    th_assert_sc(th_read(h, .slba = BLOCKS - 1, .nlb = 2), UNRECOVERED_READ);
    th_assert_sc(th_read(h, .slba = 4096), LBA_RANGE);
    tf_more(h, f, "{'resize': {'blocks': 10}}");
    g_assert_cmpuint(nsze(h, 1), ==, 10);
    tf_more(h, f, "{'resize': {'blocks': 5000, 'for': '10ms'}}");
    g_assert_cmpuint(nsze(h, 1), ==, 5000);
    th_advance(h, 11 * MS);
    g_assert_cmpuint(nsze(h, 1), ==, BLOCKS);
    th_assert_sc(th_read(h, .slba = BLOCKS), LBA_RANGE);
    g_assert_true(atomic_load(&h->ns[0]->io) == h->ns[0]->be);
    /* With metadata it can only shrink. */
    tf_now(h, f, "'resize': {'nsid': 2, 'blocks': 1048576}");
    g_assert_cmpuint(nsze(h, 2), ==, size2);
    tf_now(h, f, "'resize': {'nsid': 2, 'blocks': 7}");
    g_assert_cmpuint(nsze(h, 2), ==, 7);
    tf_done(h, f);
}

/* ---- read-only, not ready ---------------------------------------------- */

static void test_read_only(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_id_ns id;
    uint16_t aer = th_aer(h);
    struct envme_cqe c;

    tf_now(h, f, "'read-only': true");
    told(h, aer, 1);
    c = th_write(h);
    th_assert_sc(c, NS_WRITE_PROTECTED);
    g_assert_true(cqe_dnr(&c));
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES), NS_WRITE_PROTECTED);
    th_assert_sc(th_read(h), SUCCESS);
    th_assert_sc(th_write(h, .nsid = 2), SUCCESS);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, &id), SUCCESS);
    g_assert_cmphex(id.nsattr & ENVME_NSATTR_CWP, !=, 0);
    aer = th_aer(h);
    tf_now(h, f, "'read-only': {'status': 'read-only-range', "
                 "'until': 'reset'}");
    told(h, aer, 1);
    th_assert_sc(th_write(h), READ_ONLY_RANGE);
    th_disable(h);
    th_enable(h);
    th_queues(h, 1, 16);
    th_assert_sc(th_write(h), SUCCESS);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, &id), SUCCESS);
    g_assert_cmphex(id.nsattr & ENVME_NSATTR_CWP, ==, 0);
    tf_done(h, f);
}

static uint8_t nstat(struct th *h)
{
    struct envme_id_ns_indep id;

    th_assert_sc(th_identify(h, ENVME_CNS_NS_INDEP, 1, &id), SUCCESS);
    return id.nstat;
}

static void test_not_ready(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_cqe c;

    g_assert_cmphex(nstat(h), ==, ENVME_NSTAT_NRDY);
    tf_now(h, f, "'not-ready': {'for': '50ms'}");
    c = th_read(h);
    th_assert_sc(c, NS_NOT_READY);
    g_assert_false(cqe_dnr(&c));
    g_assert_cmphex(nstat(h), ==, 0);
    th_assert_sc(th_read(h, .nsid = 2), SUCCESS);
    th_advance(h, 51 * MS);
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmphex(nstat(h), ==, ENVME_NSTAT_NRDY);
    tf_now(h, f, "'not-ready': {'dnr': true}");
    c = th_write(h);
    th_assert_sc(c, NS_NOT_READY);
    g_assert_true(cqe_dnr(&c));
    envme_faults_activate(f, false);
    th_assert_sc(th_write(h), SUCCESS);
    tf_done(h, f);
}

/* ---- identifiers ------------------------------------------------------- */

static void test_identifiers(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_id_ns id, was;
    uint8_t descs[4096], descs_was[4096];
    static const uint8_t nguid[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                                       13, 14, 15, 16 };

    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, &was), SUCCESS);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_DESCS, 1, descs_was), SUCCESS);
    /* At the next reset, until the one after that. */
    tf_rules(f, "{'name': 'x', 'on': 'state', 'match': {'state': 'reset'}, "
             "'when': {'times': 1}, 'do': {'identifiers': {"
             "'nguid': '0102030405060708090a0b0c0d0e0f10', "
             "'eui64': 81985529216486895, "
             "'uuid': '00000000000000000000000000000000', "
             "'until': 'reset'}}}");
    th_run(h);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, &id), SUCCESS);
    g_assert_cmpmem(&id, sizeof(id), &was, sizeof(was));
    th_disable(h);
    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, &id), SUCCESS);
    g_assert_cmpmem(id.nguid, 16, nguid, 16);
    g_assert_cmphex(id.eui64[0], ==, 0x01);
    g_assert_cmphex(id.eui64[7], ==, 0xef);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_DESCS, 1, descs), SUCCESS);
    g_assert_cmpuint(descs[0], ==, ENVME_NIDT_EUI64);
    g_assert_cmpuint(descs[12], ==, ENVME_NIDT_NGUID);
    g_assert_cmpmem(descs + 16, 16, nguid, 16);
    g_assert_cmpuint(descs[32], ==, ENVME_NIDT_CSI);
    th_disable(h);
    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, &id), SUCCESS);
    g_assert_cmpmem(&id, sizeof(id), &was, sizeof(was));
    th_assert_sc(th_identify(h, ENVME_CNS_NS_DESCS, 1, descs), SUCCESS);
    g_assert_cmpmem(descs, 4096, descs_was, 4096);
    tf_done(h, f);
}

/* ---- what is refused --------------------------------------------------- */

static void test_refused(void)
{
    static const struct {
        const char *todo, *err;
    } t[] = {
        { "'resize': {'nsid': 1}", "\"blocks\" is missing" },
        { "'resize': {'blocks': 0}", "is not between" },
        { "'vanish': {'in-flight': 'burn'}", "finish" },
        { "'vanish': {'from': 'everybody'}", "subsystem" },
        { "'vanish': {'status': 'whatever'}", "status" },
        { "'vanish': {'nsid': 4294967295}", "is not between" },
        { "'return': 'one'", "return" },
        { "'identifiers': {'nguid': '0102030405060708090a0b0c0d0e0f1011'}",
          "32 digits" },
        { "'identifiers': {'nsid': 1}", "is wanted" },
        { "'not-ready': {'dnr': 3}", "dnr" },
        { "'read-only': {'status': 0}", "is not between" },
    };
    struct envme_faults *f;
    struct th *h = host(&f);

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        g_autofree char *file = g_strdup_printf(
            "{'rules': [{'name': 'n', 'on': 'time', 'do': {%s}}]}",
            t[i].todo);
        g_autofree char *err = tf_wrong(f, file);

        if (!strstr(err, t[i].err) || !strstr(err, "rule 'n'")) {
            g_error("%s: %s", t[i].todo, err);
        }
    }
    tf_done(h, f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fault-ns/vanish", test_vanish);
    g_test_add_func("/fault-ns/in-flight", test_in_flight);
    g_test_add_func("/fault-ns/threads", test_threads);
    g_test_add_func("/fault-ns/everywhere", test_everywhere);
    g_test_add_func("/fault-ns/resize", test_resize);
    g_test_add_func("/fault-ns/read-only", test_read_only);
    g_test_add_func("/fault-ns/not-ready", test_not_ready);
    g_test_add_func("/fault-ns/identifiers", test_identifiers);
    g_test_add_func("/fault-ns/refused", test_refused);
    return g_test_run();
}
