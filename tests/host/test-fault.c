/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault rules: matches, triggers, actions, expectations, reports.
 */
#include "th-fault.h"

#include "envme/reg.h"
#include "hw/fault/rules.h"

#define MS (1000ull * 1000)

static struct th *host(struct envme_faults **f)
{
    struct th *h = th_new(.lanes = 2, .ns = { { .size = 1 * MIB },
                                              { .size = 1 * MIB, .ms = 8 } });

    *f = envme_faults_new(h->ctrl, NULL);
    th_enable(h);
    th_queues(h, 2, 16);
    return h;
}

/* ---- matches and triggers ---------------------------------------------- */

static void test_status(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_cqe c;
    unsigned n;

    g_assert_cmpuint(h->ctrl->watch, ==, 0);
    tf_rules(f, "{'name': 'w', 'match': {'opcode': 'write', 'nsid': 1, "
             "'lba': [100, 103]}, 'when': {'nth': 3}, "
             "'do': {'status': 'write-fault'}}");
    g_assert_cmpuint(h->ctrl->watch, !=, 0);
    th_assert_sc(th_write(h, .slba = 96, .nlb = 4), SUCCESS);
    th_assert_sc(th_write(h, .slba = 104, .nlb = 4), SUCCESS);
    th_assert_sc(th_write(h, .slba = 96, .nlb = 5), SUCCESS);
    th_assert_sc(th_write(h, .nsid = 2, .slba = 100), SUCCESS);
    th_assert_sc(th_read(h, .slba = 100), SUCCESS);
    th_assert_sc(th_write(h, .slba = 103, .nlb = 5), SUCCESS);
    n = h->be[0]->nops[ENVME_BIO_WRITE];
    c = th_write(h, .slba = 90, .nlb = 30);
    th_assert_sc(c, WRITE_FAULT);
    g_assert_false(cqe_dnr(&c));
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_WRITE], ==, n);
    th_assert_sc(th_write(h, .slba = 100), SUCCESS);
    /* It cannot fire any more, so nobody is asked. */
    g_assert_cmpuint(h->ctrl->watch, ==, 0);
    g_assert_cmpint(tf_count(f, "w", "matches"), ==, 3);
    g_assert_cmpint(tf_count(f, "w", "hits"), ==, 1);
    tf_done(h, f);
}

static void test_status_bits(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_cqe c;
    unsigned n;

    tf_rules(f, "{'name': 'a', 'match': {'opcode': 'read'}, 'do': "
             "{'status': {'code': 'cmd-interrupted', 'crd': 2}}},"
             "{'name': 'b', 'match': {'opcode': 'write'}, 'do': "
             "{'status': {'code': '0x281', 'dnr': true, 'late': true}}},"
             "{'name': 'c', 'match': {'queue': 'admin', 'opcode': 153}, "
             "'do': {'status': 0}}");
    c = th_read(h);
    th_assert_sc(c, CMD_INTERRUPTED);
    g_assert_cmphex(le16_get(c.sf) >> 1 & ENVME_SF_CRD, ==,
                    FIELD_SET(ENVME_SF_CRD, 2));
    g_assert_false(cqe_dnr(&c));
    n = h->be[0]->nops[ENVME_BIO_WRITE];
    c = th_write(h);
    th_assert_sc(c, UNRECOVERED_READ);
    g_assert_true(cqe_dnr(&c));
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_WRITE], ==, n + 1);
    /* An opcode that does not exist. */
    th_assert_sc(th_admin(h, &(struct envme_sqe){ .opc = 153 }), SUCCESS);
    tf_done(h, f);
}

static void test_triggers(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    unsigned hits = 0, again = 0;
    uint64_t which = 0, which2 = 0;

    tf_rules(f, "{'name': 'every', 'match': {'opcode': 'read', 'qid': 1}, "
             "'when': {'every': 3, 'times': 2}, 'do': {'status': 'internal'}},"
             "{'name': 'first', 'match': {'opcode': 'read', 'qid': 2}, "
             "'when': {'first': 2}, 'do': {'status': 'internal'}}");
    for (unsigned i = 1; i <= 12; i++) {
        struct envme_cqe c = th_read(h);

        if (i == 3 || i == 6) {
            th_assert_sc(c, INTERNAL);
        } else {
            th_assert_sc(c, SUCCESS);
        }
    }
    for (unsigned i = 1; i <= 4; i++) {
        struct envme_cqe c = th_read(h, .qid = 2);

        g_assert_cmpint(cqe_sc(&c) != 0, ==, i <= 2);
    }
    for (unsigned round = 0; round < 2; round++) {
        tf_rules(f, "{'name': 'p', 'match': {'opcode': 'read'}, "
                 "'when': {'probability': 0.25}, 'do': {'status': 6}}");
        for (unsigned i = 0; i < 60; i++) {
            struct envme_cqe c = th_read(h);
            bool hit = cqe_sc(&c);

            *(round ? &again : &hits) += hit;
            *(round ? &which2 : &which) |= (uint64_t)hit << i;
        }
    }
    /* Seeded: the same ones again. */
    g_assert_cmphex(which, ==, which2);
    g_assert_cmpuint(hits, ==, again);
    g_assert_cmpuint(hits, >, 5);
    g_assert_cmpuint(hits, <, 30);
    tf_done(h, f);
}

static void test_time(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    tf_rules(f, "{'name': 'late', 'match': {'opcode': 'read'}, "
             "'when': {'from': '10ms', 'to': '20ms'}, "
             "'do': {'status': 'internal'}},"
             "{'name': 'fatal', 'on': 'time', 'when': {'from': '50ms'}, "
             "'do': {'fatal': true}}");
    th_assert_sc(th_read(h), SUCCESS);
    th_advance(h, 10 * MS);
    th_assert_sc(th_read(h), INTERNAL);
    th_advance(h, 10 * MS);
    th_assert_sc(th_read(h), SUCCESS);
    th_advance(h, 29 * MS);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS, ==, 0);
    th_advance(h, 2 * MS);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS, !=, 0);
    g_assert_cmpint(tf_count(f, "fatal", "hits"), ==, 1);
    tf_done(h, f);
}

static void test_chain(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    tf_rules(f, "{'name': 'a', 'match': {'opcode': 'flush'}, "
             "'when': {'nth': 2}, 'do': {'arm': 'c'}},"
             "{'name': 'b', 'match': {'opcode': 'read'}, "
             "'when': {'after': 'a', 'until': 'reset'}, "
             "'do': {'status': 'internal'}},"
             "{'name': 'c', 'armed': false, 'match': {'opcode': 'write'}, "
             "'do': {'status': 'internal', 'disarm': 'c'}}");
    th_assert_sc(th_rw(h, ENVME_NVM_FLUSH), SUCCESS);
    th_assert_sc(th_read(h), SUCCESS);
    th_assert_sc(th_write(h), SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_FLUSH), SUCCESS);
    th_assert_sc(th_read(h), INTERNAL);
    th_run(h);
    th_assert_sc(th_write(h), INTERNAL);
    th_run(h);
    th_assert_sc(th_write(h), SUCCESS);
    th_disable(h);
    th_enable(h);
    th_queues(h, 1, 16);
    th_assert_sc(th_read(h), SUCCESS);
    tf_done(h, f);
}

static void test_active(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    g_autoptr(GVariant) tree =
        tf_json("{'active': false, 'rules': [{'name': 'r', 'match': "
                "{'opcode': 'read'}, 'do': {'status': 'internal'}}]}");
    g_autoptr(GVariant) got = NULL;
    char *err = NULL;

    g_assert_true(envme_faults_load(f, tree, &err));
    g_assert_false(envme_faults_active(f));
    g_assert_cmpuint(h->ctrl->watch, ==, 0);
    th_assert_sc(th_read(h), SUCCESS);
    envme_faults_activate(f, true);
    th_assert_sc(th_read(h), INTERNAL);
    envme_faults_activate(f, false);
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmpint(tf_count(f, "r", "hits"), ==, 1);
    got = envme_faults_tree(f);
    g_assert_true(g_variant_equal(got, tree));
    tf_done(h, f);
}

/* ---- completions ------------------------------------------------------- */

/* The nth entry of CQ 1, whatever the driver thinks of it. */
static const struct envme_cqe *entry(struct th *h, unsigned n)
{
    return th_mem(h, h->cq[1]->base + n * sizeof(struct envme_cqe),
                  sizeof(struct envme_cqe));
}

static uint16_t send_read(struct th *h)
{
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);
    struct th_buf *b = th_buf_new(h, 512, TH_PRP);
    uint16_t cid;

    h->cq[1]->manual = true;
    th_buf_attach(b, &s);
    cid = th_submit(h, 1, &s);
    th_run(h);
    th_buf_free(b);
    return cid;
}

static void test_completion(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    uint16_t cid;

    tf_rules(f, "{'name': 'x', 'match': {'opcode': 'read'}, 'when': "
             "{'nth': 1}, 'do': {'completion': {'cid-xor': '0x5a', "
             "'sqid': 9, 'sqhd': 7, 'dw0': 77}}},"
             "{'name': 'inv', 'match': {'opcode': 'read'}, 'when': "
             "{'nth': 2}, 'do': {'completion': 'wrong-phase'}},"
             "{'name': 'lost', 'match': {'opcode': 'read'}, 'when': "
             "{'nth': 3}, 'do': {'completion': 'lost'}},"
             "{'name': 'torn', 'match': {'opcode': 'read'}, 'when': "
             "{'nth': 4}, 'do': {'completion': {'how': 'torn', "
             "'dw0': 5}}},"
             "{'name': 'twice', 'match': {'opcode': 'read'}, 'when': "
             "{'nth': 5}, 'do': {'completion': 'twice'}}");
    cid = send_read(h);
    g_assert_cmphex(le16_get(entry(h, 0)->cid), ==, cid ^ 0x5a);
    g_assert_cmpuint(le16_get(entry(h, 0)->sqid), ==, 9);
    g_assert_cmpuint(le16_get(entry(h, 0)->sqhd), ==, 7);
    g_assert_cmpuint(le32_get(entry(h, 0)->dw0), ==, 77);
    g_assert_cmpuint(le16_get(entry(h, 0)->sf), ==, 1);
    cid = send_read(h);
    g_assert_cmpuint(le16_get(entry(h, 1)->cid), ==, cid);
    g_assert_cmpuint(le16_get(entry(h, 1)->sf), ==, 0);
    /* The lost one takes no entry, and is forgotten. */
    send_read(h);
    g_assert_cmpuint(le16_get(entry(h, 2)->sf), ==, 0);
    g_assert_cmpuint(th_inflight(h), ==, 0);
    cid = send_read(h);
    g_assert_cmpuint(le16_get(entry(h, 2)->cid), ==, cid);
    g_assert_cmpuint(le32_get(entry(h, 2)->dw0), ==, 0);
    g_assert_cmpuint(le16_get(entry(h, 2)->sf), ==, 1);
    cid = send_read(h);
    for (unsigned i = 3; i < 5; i++) {
        g_assert_cmpuint(le16_get(entry(h, i)->cid), ==, cid);
        g_assert_cmpuint(le16_get(entry(h, i)->sf), ==, 1);
    }
    g_assert_cmpuint(le16_get(entry(h, 5)->sf), ==, 0);
    tf_done(h, f);
}

static void test_delay(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_FLUSH, 1, 0, 1);
    struct envme_cqe c;
    uint16_t cid;

    s.cdw12 = le32(0);
    tf_rules(f, "{'name': 'd', 'match': {'opcode': 'flush', 'qid': 1}, "
             "'when': {'nth': 1}, 'do': {'delay': '50ms'}},"
             "{'name': 'hang', 'match': {'opcode': 'flush', 'qid': 1}, "
             "'when': {'nth': 2}, 'do': {'delay': 'forever'}}");
    cid = th_submit(h, 1, &s);
    th_run(h);
    th_advance(h, 49 * MS);
    g_assert_false(th_try_wait(h, 1, cid, &c));
    /* Nobody else waits. */
    th_assert_sc(th_read(h), SUCCESS);
    th_advance(h, 2 * MS);
    th_assert_sc(th_wait(h, 1, cid), SUCCESS);
    cid = th_submit(h, 1, &s);
    th_run(h);
    th_advance(h, 3600 * 1000 * MS);
    g_assert_false(th_try_wait(h, 1, cid, &c));
    c = th_abort(h, 1, cid);
    th_assert_sc(c, SUCCESS);
    g_assert_cmpuint(le32_get(c.dw0), ==, 0);
    th_assert_sc(th_wait(h, 1, cid), ABORT_REQUESTED);
    /* A reset ends one as well: done() does it. */
    tf_rules(f, "{'name': 'hang', 'match': {'opcode': 'flush'}, "
             "'do': {'delay': 'forever'}}");
    th_submit(h, 1, &s);
    th_run(h);
    tf_done(h, f);
}

static void test_interrupt(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    unsigned n;

    tf_rules(f, "{'name': 'lost', 'on': 'interrupt', 'match': {'qid': 1}, "
             "'when': {'nth': 1}, 'do': {'interrupt': 'lost'}},"
             "{'name': 'twice', 'on': 'interrupt', 'match': {'vector': 1}, "
             "'when': {'nth': 2}, 'do': {'interrupt': 'twice'}},"
             "{'name': 'wrong', 'on': 'interrupt', 'match': {'qid': 1}, "
             "'when': {'nth': 3}, 'do': {'interrupt': {'vector': 5}}}");
#define IRQS(v) (h->vec[v].raised + h->vec[v].pulsed)
    n = IRQS(1);
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmpuint(IRQS(1), ==, n);
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmpuint(IRQS(1), ==, n + 2);
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmpuint(IRQS(1), ==, n + 2);
    g_assert_cmpuint(IRQS(5), ==, 1);
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmpuint(IRQS(1), ==, n + 3);
    tf_done(h, f);
}

/* ---- data -------------------------------------------------------------- */

static void test_data(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    uint8_t a[4096], b[4096];
    unsigned wrong = 0;

    th_pattern(a, sizeof(a), 1);
    th_assert_sc(th_write(h, .nlb = 8, .data = a), SUCCESS);
    tf_rules(f, "{'name': 'r', 'match': {'opcode': 'read', 'lba': 0}, 'when': "
             "{'nth': 1}, 'do': {'data': {'flip': 3}}},"
             "{'name': 'r2', 'match': {'opcode': 'read'}, 'when': "
             "{'nth': 2}, 'do': {'data': {'patch': [{'offset': 1000, "
             "'hex': 'c0ffee'}, {'offset': 0, 'as': 'le32', 'xor': 1}]}}},"
             "{'name': 'short', 'match': {'opcode': 'read'}, 'when': "
             "{'nth': 3}, 'do': {'data': {'keep': 1024}}},"
             "{'name': 'w', 'match': {'opcode': 'write', 'lba': 64}, "
             "'do': {'data': {'patch': {'offset': 5, 'xor': 255}}}},"
             "{'name': 'lost', 'match': {'opcode': 'write', 'lba': 80}, "
             "'do': {'skip': true}},"
             "{'name': 'mis', 'match': {'opcode': 'write', 'lba': 96}, "
             "'do': {'sqe': {'patch': {'offset': 40, 'value': 112}}}}");
    for (unsigned s = 0; s < 2; s++) {
        memset(b, 0, sizeof(b));
        if (s == 1) {
            th_assert_sc(th_read(h, .nlb = 8, .data = b, .shape = TH_OFFSET),
                         SUCCESS);
            break;
        }
        th_assert_sc(th_read(h, .nlb = 8, .data = b), SUCCESS);
        for (unsigned i = 0; i < sizeof(a); i++) {
            wrong += __builtin_popcount(a[i] ^ b[i]);
        }
    }
    g_assert_cmpuint(wrong, >=, 1);
    g_assert_cmpuint(wrong, <=, 3);
    g_assert_cmpuint(b[1000], ==, 0xc0);
    g_assert_cmpuint(b[1002], ==, 0xee);
    g_assert_cmpuint(b[0], ==, a[0] ^ 1);
    b[0] ^= 1;
    memcpy(b + 1000, a + 1000, 3);
    g_assert_cmpmem(a, sizeof(a), b, sizeof(b));
    th_assert_sc(th_read(h, .nlb = 8, .data = b), SUCCESS);
    g_assert_cmpmem(a, 1024, b, 1024);
    for (unsigned i = 1024; i < 4096; i++) {
        g_assert_cmpuint(b[i], ==, 0);
    }
    /* At rest: the host's own memory is as it was. */
    th_assert_sc(th_write(h, .slba = 64, .nlb = 8, .data = a), SUCCESS);
    g_assert_true(th_pattern_ok(a, sizeof(a), 1));
    th_assert_sc(th_read(h, .slba = 64, .nlb = 8, .data = b), SUCCESS);
    g_assert_cmpuint(b[5], ==, a[5] ^ 0xff);
    b[5] ^= 0xff;
    g_assert_cmpmem(a, sizeof(a), b, sizeof(b));
    th_assert_sc(th_write(h, .slba = 80, .nlb = 8, .data = a), SUCCESS);
    th_assert_sc(th_read(h, .slba = 80, .nlb = 8, .data = b), SUCCESS);
    g_assert_cmpuint(b[77], ==, 0);
    th_assert_sc(th_write(h, .slba = 96, .nlb = 8, .data = a), SUCCESS);
    th_assert_sc(th_read(h, .slba = 96, .nlb = 8, .data = b), SUCCESS);
    g_assert_cmpuint(b[77], ==, 0);
    th_assert_sc(th_read(h, .slba = 112, .nlb = 8, .data = b), SUCCESS);
    g_assert_true(th_pattern_ok(b, sizeof(b), 1));
    tf_done(h, f);
}

static void test_structures(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    g_autofree struct envme_id_ns *ns = g_malloc(4096);
    uint8_t smart[512];

    tf_rules(f, "{'name': 'id', 'match': {'cns': 'id-ctrl'}, 'do': {'data': "
             "{'patch': {'offset': 77, 'value': 1}}}},"
             "{'name': 'shrink', 'match': {'cns': 0, 'nsid': 1}, 'do': "
             "{'data': {'patch': {'offset': 0, 'as': 'le64', 'value': 5}}}},"
             "{'name': 'log', 'match': {'lid': 2}, 'do': {'data': {'patch': "
             "{'offset': 200, 'value': 99}}}},"
             "{'name': 'feat', 'match': {'opcode': 'get-feature', "
             "'fid': 7}, 'do': {'completion': {'dw0': 0}}}");
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmpuint(id->mdts, ==, 1);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, ns), SUCCESS);
    g_assert_cmpuint(le64_get(ns->nsze), ==, 5);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 2, ns), SUCCESS);
    g_assert_cmpuint(le64_get(ns->nsze), !=, 5);
    /* A piece of a log page is patched where the whole would be. */
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 192, smart, 64,
                            true), SUCCESS);
    g_assert_cmpuint(smart[8], ==, 99);
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 256, smart, 64,
                            true), SUCCESS);
    tf_done(h, f);
}

/* ---- registers, states ------------------------------------------------- */

static void test_registers(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    uint32_t vs = th_r32(h, ENVME_REG_VS);

    tf_rules(f, "{'name': 'vs', 'on': 'register', 'match': {'register': 'vs', "
             "'access': 'read'}, 'when': {'nth': 2}, 'do': {'value': "
             "'0x12345'}},"
             "{'name': 'cap', 'on': 'time', 'do': {'override': {'register': "
             "'cap', 'clear': '0xffff', 'set': 1}}},"
             "{'name': 'aqa', 'on': 'register', 'match': {'register': 'intms',"
             "'access': 'write'}, 'do': {'lose': true}}");
    g_assert_cmphex(th_r32(h, ENVME_REG_VS), ==, vs);
    g_assert_cmphex(th_r32(h, ENVME_REG_VS), ==, 0x12345);
    g_assert_cmphex(th_r32(h, ENVME_REG_VS), ==, vs);
    g_assert_cmphex(th_r64(h, ENVME_REG_CAP) & 0xffff, ==, 1);
    g_assert_cmphex(th_r32(h, ENVME_REG_CAP) & 0xffff, ==, 1);
    g_assert_cmphex(th_r32(h, ENVME_REG_CAP + 4), ==, h->ctrl->cap >> 32);
    th_w32(h, ENVME_REG_INTMS, 4);
    g_assert_cmphex(th_r32(h, ENVME_REG_INTMS), ==, 0);
    tf_done(h, f);
}

static void test_ready(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    tf_rules(f, "{'name': 'slow', 'on': 'state', 'match': {'state': 'enable'}, "
             "'do': {'override': {'register': 'csts', 'clear': 1, "
             "'for': '300ms', 'until': 'reset'}}}");
    th_disable(h);
    g_assert_false(th_enable_as(h, TH_CC_DEFAULT, 16, 16));
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & 1, ==, 0);
    th_advance(h, 299 * MS);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & 1, ==, 0);
    th_advance(h, 2 * MS);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & 1, ==, 1);
    tf_done(h, f);
}

static void test_doorbell(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_FLUSH, 1, 0, 1);
    struct envme_cqe c;
    uint16_t cid;

    s.cdw12 = le32(0);
    tf_rules(f, "{'name': 'db', 'on': 'doorbell', 'match': {'qid': 1}, 'when': "
             "{'nth': 1}, 'do': {'lose': true}}");
    cid = th_submit(h, 1, &s);
    th_run(h);
    g_assert_false(th_try_wait(h, 1, cid, &c));
    th_ring(h, 1);
    th_assert_sc(th_wait(h, 1, cid), SUCCESS);
    tf_done(h, f);
}

/* ---- expectations ------------------------------------------------------ */

static void test_expect(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    const char *rules =
        "{'name': 'x', 'match': {'opcode': 'read'}, 'when': {'nth': 1}, "
        "'do': {'status': 'internal'}, 'expect': {'next': ['admin:abort', "
        "'reset'], 'within': '1s'}}";
    g_autofree char *v = NULL;

    tf_rules(f, rules);
    tf_assert_text(f, "x", "verdict", "unmet");
    th_assert_sc(th_read(h), INTERNAL);
    tf_assert_text(f, "x", "verdict", "open");
    th_assert_sc(th_abort(h, 1, 99), SUCCESS);
    tf_assert_text(f, "x", "verdict", "open");
    th_disable(h);
    tf_assert_text(f, "x", "verdict", "passed");
    g_assert_cmpint(tf_count(f, "x", "met"), ==, 1);
    th_enable(h);
    th_queues(h, 1, 16);
    /* The wrong order, and then the time is over. */
    tf_rules(f, rules);
    th_assert_sc(th_read(h), INTERNAL);
    th_disable(h);
    th_enable(h);
    th_queues(h, 1, 16);
    th_assert_sc(th_abort(h, 1, 99), SUCCESS);
    th_advance(h, 1001 * MS);
    tf_assert_text(f, "x", "verdict", "failed");
    tf_assert_text(f, "x", "why", "the host did not: reset");
    v = tf_verdict(f);
    g_assert_cmpstr(v, ==, "failed");
    tf_done(h, f);
}

static void test_never(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    tf_rules(f, "{'name': 'x', 'match': {'opcode': 'read'}, 'when': {'nth': "
             "1}, 'expect': {'never': ['reset', 'admin:any'], 'within': "
             "'1s'}}, {'name': 'no', 'match': {'opcode': 'write-uncor'}, "
             "'forbid': 'nobody does that'}");
    th_assert_sc(th_read(h), SUCCESS);
    th_assert_sc(th_read(h), SUCCESS);
    th_advance(h, 1001 * MS);
    tf_assert_text(f, "x", "verdict", "passed");
    tf_assert_text(f, "no", "verdict", "passed");
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_UNCOR), SUCCESS);
    tf_assert_text(f, "no", "verdict", "failed");
    tf_assert_text(f, "no", "why", "nobody does that");
    tf_rules(f, "{'name': 'x', 'match': {'opcode': 'read'}, 'when': {'nth': "
             "1}, 'expect': {'never': 'admin:identify', 'within': '1s'}}");
    th_assert_sc(th_read(h, .slba = 1), SUCCESS);
    {
        g_autofree void *id = g_malloc(4096);

        th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    }
    tf_assert_text(f, "x", "verdict", "failed");
    tf_done(h, f);
}

/* ---- bad input --------------------------------------------------------- */

static void wrong(struct envme_faults *f, const char *file, const char *want)
{
    g_autofree char *err = tf_wrong(f, file);

    if (!strstr(err, want)) {
        g_error("'%s' is not in '%s'", want, err);
    }
}

#define RULE(x) "{'rules': [{'name': 'r', " x "}]}"

static void test_wrong(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    tf_rules(f, "{'name': 'keep', 'match': {'opcode': 'read'}, 'do': "
             "{'status': 'internal'}}");
    wrong(f, "{'rule': []}", "'rule' is not known here; these are: version");
    wrong(f, "{'version': 2}", "version: 2 is not between 1 and 1");
    wrong(f, "{'rules': {}}", "a list");
    wrong(f, "{'rules': [{'do': {'skip': true}}]}", "rule 0: \"name\"");
    wrong(f, RULE("'x': 1"), "rule 'r': 'x' is not known");
    wrong(f, RULE("'armed': true"), "it does nothing");
    wrong(f, RULE("'do': {'statu': 1}"), "rule 'r'.do.statu: there is no "
          "action");
    wrong(f, RULE("'do': {'status': 'nonsense'}"),
          "rule 'r'.do.status.code: 'nonsense' is not allowed");
    wrong(f, RULE("'do': {'status': 99999}"), "not between 0 and 2047");
    wrong(f, RULE("'do': {'status': {}}"), "\"code\" is missing");
    wrong(f, RULE("'do': {'skip': 3}"), "true is wanted");
    wrong(f, RULE("'do': {'lose': true}"), "cannot be done on \"command\"");
    wrong(f, RULE("'do': {'link': 'down'}"), "cannot be changed");
    wrong(f, RULE("'do': {'data': {'patch': {'offset': 0}}}"),
          "\"value\", \"xor\" or \"hex\"");
    wrong(f, RULE("'do': {'data': {'patch': {'offset': 0, 'hex': 'abc'}}}"),
          "hexadecimal");
    wrong(f, RULE("'do': {'skip': true}, 'match': {'opcode': 'fly'}"),
          "rule 'r'.match.opcode: 'fly'");
    wrong(f, RULE("'do': {'skip': true}, 'match': {'lba': [5, 2]}"),
          "ends before it begins");
    wrong(f, RULE("'do': {'skip': true}, 'match': {'register': 'cc'}"),
          "wants \"on\": \"register\"");
    wrong(f, RULE("'do': {'skip': true}, 'when': {'from': '5 fortnights'}"),
          "a time is wanted");
    wrong(f, RULE("'do': {'skip': true}, 'when': {'nth': 0}"), "between 1");
    wrong(f, RULE("'do': {'skip': true}, 'when': {'probability': 1.5}"),
          "from 0 to 1");
    wrong(f, RULE("'do': {'skip': true}, 'when': {'after': 'nobody'}"),
          "no other rule 'nobody'");
    wrong(f, RULE("'do': {'skip': true}, 'expect': {'next': ['fly']}"),
          "'fly' is nothing");
    wrong(f, RULE("'do': {'skip': true}, 'expect': {'next': []}"), "empty");
    wrong(f, "{'rules': [{'name': 'a', 'do': {'skip': true}}, "
          "{'name': 'a', 'do': {'skip': true}}]}", "another rule of this name");
    /* Nothing of the old set has changed. */
    th_assert_sc(th_read(h), INTERNAL);
    g_assert_cmpint(tf_count(f, "keep", "hits"), ==, 1);
    tf_done(h, f);
}

static void test_reference(void)
{
    g_autofree char *text = envme_faults_reference();

    g_assert_nonnull(strstr(text, "### `status`"));
    g_assert_nonnull(strstr(text, "### `link`"));
    g_assert_nonnull(strstr(text, "`probability`"));
}

/* ---- regressions ------------------------------------------------------- */

/* Two actions that change what is written shared a copy that one freed. */
static void test_data_twice(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    uint8_t a[512], b[512], want[512];

    tf_rules(f, "{'name': 'a', 'match': {'opcode': 'write'}, 'do': "
             "{'data': {'patch': {'offset': 1, 'value': 7}}}},"
             "{'name': 'b', 'match': {'opcode': 'write'}, 'do': ["
             "{'data': {'patch': {'offset': 2, 'value': 8}}},"
             "{'data': {'patch': {'offset': 3, 'value': 9}}}]}");
    th_pattern(a, sizeof(a), 3);
    memcpy(want, a, sizeof(a));
    want[1] = 7;
    want[2] = 8;
    want[3] = 9;
    th_assert_sc(th_write(h, .slba = 5, .data = a), SUCCESS);
    th_assert_sc(th_read(h, .slba = 5, .data = b), SUCCESS);
    g_assert_cmpmem(b, sizeof(b), want, sizeof(want));
    tf_done(h, f);
}

static void test_for_ever(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    /* It was over at once. */
    tf_rules(f, "{'name': 'e', 'match': {'opcode': 'read'}, 'when': {'nth': "
             "1}, 'do': {'status': 6}, 'expect': {'any': 'reset', 'within': "
             "'forever'}},"
             "{'name': 'p', 'on': 'time', 'when': {'period': 'forever'}, "
             "'do': {'health': {'media-errors': 1}}},"
             "{'name': 'd', 'match': {'qid': 2}, 'do': {'delay': {'for': "
             "9200000000000000000, 'jitter': '1h'}}}");
    th_assert_sc(th_read(h), INTERNAL);
    th_abandon(h, 2, th_submit(h, 2, &(struct envme_sqe){
        .opc = ENVME_NVM_FLUSH, .nsid = le32(1),
    }));
    th_advance(h, 3600 * 1000 * MS);
    tf_assert_text(f, "e", "verdict", "open");
    g_assert_cmpint(tf_count(f, "p", "hits"), ==, 0);
    th_disable(h);
    tf_assert_text(f, "e", "verdict", "passed");
    th_enable(h);
    tf_done(h, f);
}

/* Rules that arm each other, at once: not more often than each millisecond. */
static void test_chase(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    tf_rules(f, "{'name': 'a', 'on': 'time', 'do': {'arm': 'b', "
             "'health': {'media-errors': 1}}},"
             "{'name': 'b', 'on': 'time', 'do': {'arm': 'a'}, "
             "'armed': false}");
    for (unsigned i = 0; i < 40; i++) {
        th_advance(h, MS / 2);
    }
    g_assert_cmpuint(envme_health_look(h->ctrl, ENVME_HEALTH_MEDIA_ERRORS),
                     >=, 5);
    g_assert_cmpuint(envme_health_look(h->ctrl, ENVME_HEALTH_MEDIA_ERRORS),
                     <=, 22);
    /* They do not pile up. */
    g_assert_cmpuint(f->effects.length, ==, 1);
    tf_done(h, f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fault/status", test_status);
    g_test_add_func("/fault/status-bits", test_status_bits);
    g_test_add_func("/fault/triggers", test_triggers);
    g_test_add_func("/fault/time", test_time);
    g_test_add_func("/fault/chain", test_chain);
    g_test_add_func("/fault/active", test_active);
    g_test_add_func("/fault/completion", test_completion);
    g_test_add_func("/fault/delay", test_delay);
    g_test_add_func("/fault/interrupt", test_interrupt);
    g_test_add_func("/fault/data", test_data);
    g_test_add_func("/fault/structures", test_structures);
    g_test_add_func("/fault/registers", test_registers);
    g_test_add_func("/fault/ready", test_ready);
    g_test_add_func("/fault/doorbell", test_doorbell);
    g_test_add_func("/fault/expect", test_expect);
    g_test_add_func("/fault/never", test_never);
    g_test_add_func("/fault/wrong", test_wrong);
    g_test_add_func("/fault/reference", test_reference);
    g_test_add_func("/fault/data-twice", test_data_twice);
    g_test_add_func("/fault/for-ever", test_for_ever);
    g_test_add_func("/fault/chase", test_chase);
    return g_test_run();
}
