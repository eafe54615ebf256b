/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault rules on interrupts, completions that come later, doorbells and
 * queues; and registers of a controller that does not get on.
 */
#include "th-fault.h"

#include "envme/reg.h"

#define MS (1000ull * 1000)

static struct th *host_as(struct envme_faults **f, bool intx)
{
    struct th *h = th_new(.lanes = 3, .intx = intx,
                          .ns = { { .size = 1 * MIB } });

    *f = envme_faults_new(h->ctrl, NULL);
    th_enable(h);
    th_queues(h, 2, 16);
    return h;
}

static struct th *host(struct envme_faults **f)
{
    return host_as(f, false);
}

static void done(struct th *h, struct envme_faults *f)
{
    th_reset(h, ENVME_RESET_FUNCTION);
    tf_free(h, f);
    th_run(h);
    th_free(h);
}

static unsigned irqs(struct th *h, unsigned vector)
{
    return h->vec[vector].raised + h->vec[vector].pulsed;
}

static uint16_t flush(struct th *h, uint16_t qid)
{
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_FLUSH, 1, 0, 1);
    uint16_t cid;

    s.cdw12 = le32(0);
    cid = th_submit(h, qid, &s);
    th_run(h);
    return cid;
}

/* Not answered yet. */
static void assert_waits(struct th *h, uint16_t qid, uint16_t cid)
{
    struct envme_cqe c;

    g_assert_false(th_try_wait(h, qid, cid, &c));
}

/* The nth entry of CQ 1, whatever the driver thinks of it. */
static const struct envme_cqe *entry_at(struct th *h, uint64_t base,
                                        unsigned n)
{
    return th_mem(h, base + n * sizeof(struct envme_cqe),
                  sizeof(struct envme_cqe));
}

/* ---- interrupts -------------------------------------------------------- */

#define LATE_IRQ "{'name': 'late', 'on': 'interrupt', 'match': {'qid': 1}, " \
                 "'when': {'first': 1}, 'do': {'delay': '20ms'}}"

static void test_late(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    unsigned n = irqs(h, 1);

    tf_rules(f, LATE_IRQ);
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmpuint(irqs(h, 1), ==, n);
    /* Others come as they do, and other rules don't change what waits. */
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmpuint(irqs(h, 1), ==, n + 1);
    tf_rules(f, "");
    th_advance(h, 19 * MS);
    g_assert_cmpuint(irqs(h, 1), ==, n + 1);
    th_advance(h, 2 * MS);
    g_assert_cmpuint(irqs(h, 1), ==, n + 2);
    g_assert_cmpuint(h->ctrl->watch, ==, 0);
    /* Nothing of the queues before a reset comes after it. */
    tf_rules(f, LATE_IRQ);
    th_assert_sc(th_read(h), SUCCESS);
    th_disable(h);
    th_enable(h);
    th_queues(h, 1, 16);
    n = irqs(h, 1);
    th_advance(h, 50 * MS);
    g_assert_cmpuint(irqs(h, 1), ==, n);
    /* Never is a time, too; and a queue may be gone by then. */
    tf_rules(f, "{'name': 'never', 'on': 'interrupt', 'match': {'qid': 1}, "
             "'when': {'nth': 1}, 'do': {'delay': 'forever'}},"
             "{'name': 'late', 'on': 'interrupt', 'match': {'qid': 1}, "
             "'when': {'nth': 2}, 'do': {'delay': {'for': '10ms', "
             "'jitter': '5ms'}}}");
    th_assert_sc(th_read(h), SUCCESS);
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmpuint(th_delete_sq(h, 1), ==, 0);
    g_assert_cmpuint(th_delete_cq(h, 1), ==, 0);
    th_advance(h, 3600 * 1000 * MS);
    g_assert_cmpuint(irqs(h, 1), ==, n);
    done(h, f);
}

static void test_late_pin(void)
{
    struct envme_faults *f;
    struct th *h = host_as(&f, true);
    struct th_vec *v = &h->vec[1];
    unsigned n;

    /* The level comes late; and not at all if the queue is empty by then. */
    h->cq[1]->manual = true;
    n = v->raised;
    tf_rules(f, "{'name': 'late', 'on': 'interrupt', 'match': {'qid': 1}, "
             "'when': {'first': 2}, 'do': {'delay': '20ms'}}");
    flush(h, 1);
    g_assert_cmpuint(v->raised, ==, n);
    th_advance(h, 21 * MS);
    g_assert_cmpuint(v->raised, ==, n + 1);
    g_assert_cmpuint(v->lowered, ==, n);
    h->cq[1]->manual = false;
    th_reap(h, 1);
    th_run(h);
    g_assert_cmpuint(v->lowered, ==, n + 1);
    flush(h, 1);
    th_reap(h, 1);
    th_advance(h, 21 * MS);
    g_assert_cmpuint(v->raised, ==, v->lowered);
    done(h, f);
}

static void test_spurious(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    unsigned n = irqs(h, 2);

    tf_rules(f, "{'name': 'one', 'match': {'opcode': 'flush'}, 'do': "
             "{'spurious': {'vector': 2}}},"
             "{'name': 'storm', 'on': 'time', 'when': {'from': '100ms'}, "
             "'do': {'spurious': {'vector': 2, 'count': 500, "
             "'every': '100us'}}}");
    th_assert_sc(th_wait(h, 1, flush(h, 1)), SUCCESS);
    g_assert_cmpuint(irqs(h, 2), ==, n + 1);
    th_advance(h, 101 * MS);
    for (unsigned i = 0; i < 48; i++) {
        th_advance(h, MS);
    }
    g_assert_cmpuint(irqs(h, 2), >, n + 1 + 400);
    g_assert_cmpuint(irqs(h, 2), <, n + 1 + 500);
    for (unsigned i = 0; i < 20; i++) {
        th_advance(h, MS);
    }
    g_assert_cmpuint(irqs(h, 2), ==, n + 1 + 500);
    /* All of them have been a level for no time. */
    g_assert_cmpuint(h->vec[2].raised, ==, h->vec[2].lowered);
    g_assert_cmpuint(h->ctrl->watch & ENVME_WATCH_STATE, ==, 0);
    /* Other rules end one, and so does a reset. */
    for (unsigned how = 0; how < 2; how++) {
        tf_rules(f, "{'name': 'storm', 'match': {'opcode': 'flush'}, 'do': "
                 "{'spurious': {'vector': 2, 'count': 1000}}}");
        th_assert_sc(th_wait(h, 1, flush(h, 1)), SUCCESS);
        th_advance(h, 5 * MS);
        if (how) {
            th_disable(h);
            th_enable(h);
            th_queues(h, 2, 16);
        } else {
            tf_rules(f, "");
        }
        n = irqs(h, 2);
        th_advance(h, 50 * MS);
        g_assert_cmpuint(irqs(h, 2), ==, n);
    }
    done(h, f);
}

static void test_masked(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    tf_rules(f, "{'name': 'm', 'match': {'opcode': 'flush'}, 'do': "
             "{'spurious': {'vector': 2, 'count': 3, 'masked': true}}}");
    th_assert_sc(th_wait(h, 1, flush(h, 1)), SUCCESS);
    th_advance(h, 5 * MS);
    g_assert_cmpuint(h->vec[2].forced, ==, 3);
    g_assert_cmpuint(irqs(h, 2), ==, 0);
    done(h, f);
}

static void test_pin(void)
{
    struct envme_faults *f;
    struct th *h = host_as(&f, true);

    tf_rules(f, "{'name': 'up', 'match': {'opcode': 'flush'}, 'when': "
             "{'nth': 1}, 'do': {'pin': {'stuck': 'high', 'for': '10ms'}}},"
             "{'name': 'down', 'match': {'opcode': 'flush'}, 'when': "
             "{'nth': 2}, 'do': {'pin': 'low'}}");
    th_assert_sc(th_wait(h, 1, flush(h, 1)), SUCCESS);
    g_assert_cmpint(h->pin, ==, ENVME_PIN_HIGH);
    th_advance(h, 9 * MS);
    g_assert_cmpint(h->pin, ==, ENVME_PIN_HIGH);
    th_advance(h, 2 * MS);
    g_assert_cmpint(h->pin, ==, ENVME_PIN_FREE);
    th_assert_sc(th_wait(h, 1, flush(h, 1)), SUCCESS);
    th_advance(h, 3600 * 1000 * MS);
    g_assert_cmpint(h->pin, ==, ENVME_PIN_LOW);
    th_disable(h);
    g_assert_cmpint(h->pin, ==, ENVME_PIN_FREE);
    /* Neither does it outlive its rule. */
    th_enable(h);
    tf_rules(f, "{'name': 'low', 'on': 'time', 'do': {'pin': 'low'}}");
    th_run(h);
    g_assert_cmpint(h->pin, ==, ENVME_PIN_LOW);
    envme_faults_activate(f, false);
    g_assert_cmpint(h->pin, ==, ENVME_PIN_FREE);
    envme_faults_activate(f, true);
    th_run(h);
    g_assert_cmpint(h->pin, ==, ENVME_PIN_LOW);
    done(h, f);
}

static void test_early(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct th_vec *v = &h->vec[1];
    unsigned n = irqs(h, 1);
    uint16_t cid;

    tf_rules(f, "{'name': 'early', 'match': {'opcode': 'flush'}, 'do': "
             "{'early-interrupt': '10ms'}}");
    cid = flush(h, 1);
    g_assert_cmpuint(irqs(h, 1), ==, n + 1);
    assert_waits(h, 1, cid);
    th_assert_sc(th_read(h, .qid = 2), SUCCESS);
    th_advance(h, 9 * MS);
    assert_waits(h, 1, cid);
    th_advance(h, 2 * MS);
    th_assert_sc(th_wait(h, 1, cid), SUCCESS);
    /* There was no other one with the entry. */
    g_assert_cmpuint(irqs(h, 1), ==, n + 1);
    g_assert_cmpuint(v->raised, ==, v->lowered);
    /* An Abort and a reset find it as any other. */
    cid = flush(h, 1);
    th_assert_sc(th_abort(h, 1, cid), SUCCESS);
    th_wait(h, 1, cid);
    flush(h, 1);
    done(h, f);

    /* A pin that is up stays up when the entry comes. */
    h = host_as(&f, true);
    v = &h->vec[1];
    tf_rules(f, "{'name': 'early', 'match': {'opcode': 'flush'}, 'do': "
             "{'early-interrupt': '10ms'}}");
    h->cq[1]->manual = true;
    flush(h, 1);
    g_assert_cmpuint(v->raised, ==, v->lowered + 1);
    th_advance(h, 11 * MS);
    g_assert_cmpuint(v->raised, ==, v->lowered + 1);
    done(h, f);
}

/* ---- completions ------------------------------------------------------- */

/* CIDs in the entries from..to of CQ 1 are those of cid[], as order says. */
static void assert_order(struct th *h, unsigned from, const uint16_t *cid,
                         const unsigned *order, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmpuint(le16_get(entry_at(h, h->cq[1]->base, from + i)->cid),
                         ==, cid[order[i]]);
    }
}

static void test_hold(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    uint16_t cid[5];
    unsigned n = irqs(h, 1);

    tf_rules(f, "{'name': 'hold', 'match': {'opcode': 'flush'}, 'do': "
             "{'hold': {'count': 4, 'order': 'reversed'}}}");
    for (unsigned i = 0; i < 3; i++) {
        cid[i] = flush(h, 1);
        assert_waits(h, 1, cid[i]);
    }
    th_advance(h, 3600 * 1000 * MS);
    assert_waits(h, 1, cid[0]);
    g_assert_cmpuint(irqs(h, 1), ==, n);
    cid[3] = flush(h, 1);
    assert_order(h, 0, cid, (unsigned[]){ 3, 2, 1, 0 }, 4);
    /* A flood: all in one turn, with one interrupt. */
    g_assert_cmpuint(irqs(h, 1), ==, n + 1);
    for (unsigned i = 0; i < 4; i++) {
        th_assert_sc(th_wait(h, 1, cid[i]), SUCCESS);
    }
    /* Anew; reads don't wait meanwhile. One that is aborted goes, and does not
     * count. */
    for (unsigned i = 0; i < 3; i++) {
        cid[i] = flush(h, 1);
    }
    th_assert_sc(th_read(h), SUCCESS);
    th_assert_sc(th_abort(h, 1, cid[1]), SUCCESS);
    th_wait(h, 1, cid[1]);
    cid[3] = flush(h, 1);
    assert_waits(h, 1, cid[3]);
    cid[4] = flush(h, 1);
    th_assert_sc(th_wait(h, 1, cid[4]), SUCCESS);
    th_assert_sc(th_wait(h, 1, cid[0]), SUCCESS);
    th_assert_sc(th_wait(h, 1, cid[2]), SUCCESS);
    th_assert_sc(th_wait(h, 1, cid[3]), SUCCESS);
    /* Other rules, or none, let those go that are held. */
    cid[0] = flush(h, 1);
    tf_rules(f, "{'name': 'hold', 'match': {'opcode': 'flush'}, 'do': "
             "{'hold': {'count': 4}}}");
    th_assert_sc(th_wait(h, 1, cid[0]), SUCCESS);
    cid[0] = flush(h, 1);
    g_assert_true(envme_faults_arm(f, "hold", false));
    th_assert_sc(th_wait(h, 1, cid[0]), SUCCESS);
    g_assert_true(envme_faults_arm(f, "hold", true));
    cid[0] = flush(h, 1);
    envme_faults_activate(f, false);
    th_assert_sc(th_wait(h, 1, cid[0]), SUCCESS);
    done(h, f);
}

static void test_hold_time(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    uint16_t cid[2][6];
    unsigned n = irqs(h, 1);
    bool same = true;

    /* By time, over two queues of two lanes. */
    tf_rules(f, "{'name': 'hold', 'match': {'opcode': 'flush'}, 'do': "
             "{'hold': {'for': '10ms'}}}");
    for (unsigned i = 0; i < 6; i++) {
        cid[i & 1][i / 2] = flush(h, 1 + (i & 1));
        th_advance(h, MS);
    }
    assert_waits(h, 1, cid[0][0]);
    th_advance(h, 5 * MS);
    assert_order(h, 0, cid[0], (unsigned[]){ 0, 1, 2 }, 3);
    g_assert_cmpuint(irqs(h, 1), ==, n + 1);
    for (unsigned i = 0; i < 6; i++) {
        th_assert_sc(th_wait(h, 1 + (i & 1), cid[i & 1][i / 2]), SUCCESS);
    }
    /* Another order, the same for the same seed. */
    h->cq[1]->manual = true;
    for (unsigned round = 0; round < 2; round++) {
        uint32_t from = h->cq[1]->head;

        tf_rules(f, "{'name': 'hold', 'match': {'opcode': 'flush'}, 'do': "
                 "{'hold': {'count': 6, 'order': 'random', 'seed': 5}}}");
        for (unsigned i = 0; i < 6; i++) {
            cid[0][i] = flush(h, 1);
        }
        for (unsigned i = 0; i < 6; i++) {
            uint16_t got = le16_get(entry_at(h, h->cq[1]->base,
                                             (from + i) % 16)->cid);
            unsigned k = 0;

            while (k < 6 && cid[0][k] != got) {
                k++;
            }
            g_assert_cmpuint(k, <, 6);
            same = same && k == i;
            if (round) {
                g_assert_cmpuint(cid[1][i], ==, k);
            }
            cid[1][i] = k;
        }
        h->cq[1]->manual = false;
        for (unsigned i = 0; i < 6; i++) {
            th_assert_sc(th_wait(h, 1, cid[0][i]), SUCCESS);
        }
        h->cq[1]->manual = true;
    }
    g_assert_false(same);
    h->cq[1]->manual = false;
    /* A reset and a queue that is deleted take them along. */
    flush(h, 1);
    cid[0][0] = flush(h, 2);
    g_assert_cmpuint(th_delete_sq(h, 2), ==, 0);
    done(h, f);
}

static void test_late_abort(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_cqe c;
    uint16_t cid;

    tf_rules(f, "{'name': 'late', 'match': {'opcode': 'flush'}, 'do': "
             "{'late': {'after': 'abort', 'for': '10ms'}}}");
    cid = flush(h, 1);
    th_advance(h, 3600 * 1000 * MS);
    assert_waits(h, 1, cid);
    c = th_abort(h, 1, cid);
    th_assert_sc(c, SUCCESS);
    g_assert_cmpuint(le32_get(c.dw0), ==, 1);
    assert_waits(h, 1, cid);
    th_advance(h, 11 * MS);
    th_assert_sc(th_wait(h, 1, cid), SUCCESS);
    /* Nobody aborts it: a deleted queue or a reset ends it. */
    cid = flush(h, 2);
    g_assert_cmpuint(th_delete_sq(h, 2), ==, 0);
    /* A second Abort, and one that comes first. */
    cid = flush(h, 1);
    th_abort(h, 1, cid);
    th_abort(h, 1, cid);
    th_wait(h, 1, cid);
    flush(h, 1);
    done(h, f);
}

static void test_late_reset(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_cqe old;
    uint64_t base = h->cq[1]->base;
    uint16_t cid;

    tf_rules(f, "{'name': 'late', 'match': {'opcode': 'flush'}, 'do': "
             "{'late': {'after': 'reset', 'for': '10ms'}}}");
    th_assert_sc(th_read(h), SUCCESS);
    cid = flush(h, 1);
    assert_waits(h, 1, cid);
    old = *entry_at(h, base, 1);
    g_assert_cmpuint(le16_get(old.sf) & 1, ==, 0);
    th_disable(h);
    th_enable(h);
    /* It goes to where the queue was, although there is none. */
    th_advance(h, 11 * MS);
    g_assert_cmpuint(le16_get(entry_at(h, base, 1)->cid), ==, cid);
    g_assert_cmpuint(le16_get(entry_at(h, base, 1)->sf), ==, 1);
    g_assert_cmpuint(le16_get(entry_at(h, base, 1)->sqid), ==, 1);
    /* Bus Master is off then: it goes nowhere. And what waits when the
     * controller goes, goes with it. */
    th_queues(h, 1, 16);
    base = h->cq[1]->base;
    cid = flush(h, 1);
    th_disable(h);
    th_enable(h);
    th_bme(h, false);
    th_advance(h, 11 * MS);
    g_assert_cmpuint(le16_get(entry_at(h, base, 0)->sf), ==, 0);
    th_bme(h, true);
    th_queues(h, 1, 16);
    flush(h, 1);
    done(h, f);
}

static void test_late_queue(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    uint64_t base = h->cq[1]->base;
    uint16_t cid;
    unsigned n;

    tf_rules(f, "{'name': 'late', 'match': {'opcode': 'flush'}, 'do': "
             "{'late': {'after': 'queue-deleted', 'for': '10ms'}}}");
    h->cq[1]->manual = true;
    cid = flush(h, 1);
    g_assert_cmpuint(th_delete_sq(h, 1), ==, 0);
    g_assert_cmpuint(le16_get(entry_at(h, base, 0)->sf), ==, 0);
    n = irqs(h, 1);
    th_advance(h, 11 * MS);
    /* The CQ is there still: a good entry, of an SQ that is not. */
    g_assert_cmpuint(le16_get(entry_at(h, base, 0)->cid), ==, cid);
    g_assert_cmpuint(le16_get(entry_at(h, base, 0)->sqid), ==, 1);
    g_assert_cmpuint(le16_get(entry_at(h, base, 0)->sf), ==, 1);
    g_assert_cmpuint(irqs(h, 1), ==, n + 1);
    /* The CQ is gone, too: to where it was. */
    base = h->cq[2]->base;
    cid = flush(h, 2);
    g_assert_cmpuint(th_delete_sq(h, 2), ==, 0);
    g_assert_cmpuint(th_delete_cq(h, 2), ==, 0);
    n = irqs(h, 2);
    th_advance(h, 11 * MS);
    g_assert_cmpuint(le16_get(entry_at(h, base, 0)->cid), ==, cid);
    g_assert_cmpuint(le16_get(entry_at(h, base, 0)->sf), ==, 1);
    g_assert_cmpuint(irqs(h, 2), ==, n);
    done(h, f);
}

/* ---- doorbells --------------------------------------------------------- */

static void test_doorbell(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    uint16_t a, b;

    tf_rules(f, "{'name': 'late', 'on': 'doorbell', 'match': {'qid': 1}, "
             "'when': {'first': 2}, 'do': {'delay': '10ms'}}");
    a = flush(h, 1);
    th_advance(h, 5 * MS);
    b = flush(h, 1);
    assert_waits(h, 1, a);
    th_assert_sc(th_read(h, .qid = 2), SUCCESS);
    th_advance(h, 6 * MS);
    /* One behind the other. */
    th_assert_sc(th_wait(h, 1, a), SUCCESS);
    assert_waits(h, 1, b);
    th_advance(h, 6 * MS);
    th_assert_sc(th_wait(h, 1, b), SUCCESS);

    /* A later one overtakes it: the old value does not come back. */
    tf_rules(f, "{'name': 'late', 'on': 'doorbell', 'match': {'qid': 1}, "
             "'when': {'nth': 1}, 'do': {'delay': '10ms'}}");
    a = flush(h, 1);
    b = flush(h, 1);
    th_assert_sc(th_wait(h, 1, a), SUCCESS);
    th_assert_sc(th_wait(h, 1, b), SUCCESS);
    th_advance(h, 11 * MS);
    th_assert_sc(th_read(h), SUCCESS);

    /* A queue that is gone, a reset. */
    tf_rules(f, "{'name': 'late', 'on': 'doorbell', 'match': {'qid': [1, 9]}, "
             "'do': {'delay': '10ms'}}");
    flush(h, 2);
    g_assert_cmpuint(th_delete_sq(h, 2), ==, 0);
    th_advance(h, 11 * MS);
    flush(h, 1);
    th_disable(h);
    th_enable(h);
    tf_rules(f, "");
    th_queues(h, 1, 16);
    th_advance(h, 11 * MS);
    th_assert_sc(th_read(h), SUCCESS);
    done(h, f);
}

/* There is no end to what a host can write, but to what is kept of it. */
static void test_doorbell_many(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    uint16_t cid;

    tf_rules(f, "{'name': 'late', 'on': 'doorbell', 'match': {'qid': 1}, "
             "'do': {'delay': '1h'}}");
    cid = flush(h, 1);
    for (unsigned i = 0; i < 4095; i++) {
        th_ring(h, 1);
    }
    g_assert_cmpint(tf_count(f, "late", "hits"), ==, 4096);
    assert_waits(h, 1, cid);
    th_ring(h, 1);
    th_assert_sc(th_wait(h, 1, cid), SUCCESS);
    done(h, f);
}

/* ---- queues ------------------------------------------------------------ */

static void test_stall(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    uint16_t a, b;

    tf_rules(f, "{'name': 'stall', 'match': {'opcode': 'flush', 'qid': 2}, "
             "'when': {'nth': 1}, 'do': {'stall': {'qid': 1, "
             "'for': '10ms'}}}");
    th_assert_sc(th_wait(h, 2, flush(h, 2)), SUCCESS);
    a = flush(h, 1);
    assert_waits(h, 1, a);
    th_assert_sc(th_read(h, .qid = 2), SUCCESS);
    th_advance(h, 9 * MS);
    assert_waits(h, 1, a);
    th_advance(h, 2 * MS);
    th_assert_sc(th_wait(h, 1, a), SUCCESS);

    /* Until a reset; a deleted queue is gone none the less. */
    tf_rules(f, "{'name': 'stall', 'match': {'opcode': 'flush', 'qid': 2}, "
             "'when': {'nth': 1}, 'do': {'stall': {'qid': [1, 9], "
             "'until': 'reset'}}}");
    th_assert_sc(th_wait(h, 2, flush(h, 2)), SUCCESS);
    a = flush(h, 1);
    b = flush(h, 2);
    th_advance(h, 3600 * 1000 * MS);
    assert_waits(h, 1, a);
    assert_waits(h, 2, b);
    g_assert_cmpuint(th_delete_sq(h, 2), ==, 0);
    th_disable(h);
    th_enable(h);
    th_queues(h, 2, 16);
    th_assert_sc(th_read(h), SUCCESS);

    /* For ever: over a reset, until there are other rules. */
    tf_rules(f, "{'name': 'stall', 'on': 'time', 'do': {'stall': 1}}");
    th_run(h);
    th_disable(h);
    th_enable(h);
    th_queues(h, 2, 16);
    a = flush(h, 1);
    th_assert_sc(th_read(h, .qid = 2), SUCCESS);
    assert_waits(h, 1, a);
    tf_rules(f, "");
    th_assert_sc(th_wait(h, 1, a), SUCCESS);
    g_assert_cmpuint(h->ctrl->watch, ==, 0);

    /* An Abort of what is not fetched waits with it; the admin queue. */
    tf_rules(f, "{'name': 'stall', 'on': 'time', 'do': {'stall': 0}}");
    th_run(h);
    {
        struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);

        a = th_submit(h, 0, &s);
        th_run(h);
        assert_waits(h, 0, a);
        th_assert_sc(th_read(h), SUCCESS);
    }
    envme_faults_activate(f, false);
    th_wait(h, 0, a);
    done(h, f);
}

/* What the other actions give: a queue that is never deleted, that is and
 * nobody says so, that is not made; an Abort that is ignored. */
static void test_admin(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_sqe s = th_sqe(ENVME_ADM_DELETE_SQ, 0);
    struct envme_cqe c;
    uint16_t cid, io;

    tf_rules(f, "{'name': 'keeps', 'match': {'opcode': 'delete-sq'}, 'when': "
             "{'nth': 1}, 'do': {'skip': true, 'completion': 'lost'}},"
             "{'name': 'goes', 'match': {'opcode': 'delete-sq'}, 'when': "
             "{'nth': 2}, 'do': {'delay': 'forever'}},"
             "{'name': 'cq', 'match': {'opcode': 'delete-cq'}, "
             "'do': {'delay': 'forever'}},"
             "{'name': 'no', 'match': {'opcode': 'create-sq'}, 'do': "
             "{'status': 'internal'}},"
             "{'name': 'hang', 'match': {'opcode': 'flush'}, 'do': "
             "{'delay': 'forever'}},"
             "{'name': 'deaf', 'match': {'opcode': 'abort'}, 'do': "
             "{'skip': true}}");
    s.cdw10 = le32(2);
    cid = th_submit(h, 0, &s);
    th_run(h);
    assert_waits(h, 0, cid);
    th_assert_sc(th_read(h, .qid = 2), SUCCESS);
    cid = th_submit(h, 0, &s);
    th_run(h);
    assert_waits(h, 0, cid);
    g_assert_null(envme_sq_get(h->ctrl, 2));
    th_assert_sc(th_read(h), SUCCESS);
    s.opc = ENVME_ADM_DELETE_CQ;
    cid = th_submit(h, 0, &s);
    th_run(h);
    assert_waits(h, 0, cid);
    g_assert_null(envme_cq_get(h->ctrl, 2));
    g_assert_cmpuint(th_create_sq(h, .qid = 3, .cqid = 1, .size = 4), ==,
                     ENVME_SC_INTERNAL);
    io = flush(h, 1);
    c = th_abort(h, 1, io);
    th_assert_sc(c, SUCCESS);
    g_assert_cmpuint(le32_get(c.dw0), ==, 0);
    assert_waits(h, 1, io);
    done(h, f);
}

/* ---- registers --------------------------------------------------------- */

#define REG(reg) th_r32(h, ENVME_REG_##reg)

static void test_csts(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    /* Never ready, and never not ready. */
    tf_rules(f, "{'name': 'never', 'on': 'state', 'match': {'state': "
             "'enable'}, 'when': {'nth': 1}, 'do': {'override': {'register': "
             "'csts', 'clear': 1, 'until': 'reset'}}}");
    th_disable(h);
    g_assert_false(th_enable_as(h, TH_CC_DEFAULT, 16, 16));
    th_advance(h, 3600 * 1000 * MS);
    g_assert_cmphex(REG(CSTS) & ENVME_CSTS_RDY, ==, 0);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);
    tf_rules(f, "{'name': 'stays', 'on': 'state', 'match': {'state': 'reset'},"
             "'do': {'override': {'register': 'csts', 'set': 1, "
             "'for': '200ms'}}}");
    th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT & ~ENVME_CC_EN);
    th_run(h);
    g_assert_cmphex(REG(CSTS) & ENVME_CSTS_RDY, ==, 1);
    th_advance(h, 201 * MS);
    g_assert_cmphex(REG(CSTS) & ENVME_CSTS_RDY, ==, 0);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);

    /* SHST that does not get on; NSSRO that was no reset. */
    tf_rules(f, "{'name': 'shst', 'on': 'state', 'match': {'state': "
             "'shutdown'}, 'do': {'override': {'register': 'csts', "
             "'set': 4, 'clear': 8}}},"
             "{'name': 'nssro', 'on': 'time', 'when': {'from': '5ms'}, 'do': "
             "{'override': {'register': 'csts', 'set': 16}}}");
    g_assert_cmphex(REG(CSTS) & ENVME_CSTS_NSSRO, ==, 0);
    th_advance(h, 6 * MS);
    g_assert_cmphex(REG(CSTS) & ENVME_CSTS_NSSRO, !=, 0);
    th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT |
           (uint32_t)FIELD_SET(ENVME_CC_SHN, 1));
    th_run(h);
    th_advance(h, 3600 * 1000 * MS);
    g_assert_cmpuint(FIELD_GET(ENVME_CSTS_SHST, REG(CSTS)), ==,
                     ENVME_CSTS_SHST_OCCURRING);
    tf_rules(f, "");
    g_assert_cmpuint(FIELD_GET(ENVME_CSTS_SHST, REG(CSTS)), ==,
                     ENVME_CSTS_SHST_COMPLETE);
    g_assert_cmphex(REG(CSTS) & ENVME_CSTS_NSSRO, ==, 0);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);
    th_queues(h, 1, 16);

    /* CFS at a command; at a time: test-fault.c. */
    tf_rules(f, "{'name': 'cfs', 'match': {'opcode': 'read'}, 'when': "
             "{'nth': 2}, 'do': {'fatal': true}}");
    th_assert_sc(th_read(h), SUCCESS);
    g_assert_cmphex(REG(CSTS) & ENVME_CSTS_CFS, ==, 0);
    th_assert_sc(th_read(h), SUCCESS);
    th_run(h);
    g_assert_cmphex(REG(CSTS) & ENVME_CSTS_CFS, !=, 0);
    done(h, f);
}

/* Any field, from the very beginning. */
static void test_at_start(void)
{
    struct th *h = th_new(.lanes = 2);
    struct envme_faults *f = envme_faults_new(h->ctrl, NULL);
    uint64_t cap = h->ctrl->cap;

    tf_rules(f, "{'name': 'a', 'on': 'time', 'do': [{'override': {'register': "
             "'cap', 'clear': '0xff0000ffff', 'set': '0x0000000001000001'}}, "
             "{'override': {'register': 'vs', 'clear': '0xffffffff', "
             "'set': '0x10000'}}, {'override': {'register': 'crto', "
             "'set': 3}}]}");
    g_assert_cmphex(th_r64(h, ENVME_REG_CAP), ==,
                    (cap & ~0xff0000ffffull) | 0x01000001);
    g_assert_cmphex(REG(VS), ==, 0x10000);
    g_assert_cmphex(REG(CRTO) & 3, ==, 3);
    /* It says so, and works as before. */
    th_enable(h);
    done(h, f);
}

/* ---- what is left when all goes ---------------------------------------- */

static void test_free(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    tf_rules(f, "{'name': 'db', 'on': 'doorbell', 'match': {'qid': 2}, "
             "'do': {'delay': '1h'}},"
             "{'name': 'irq', 'on': 'interrupt', 'do': {'delay': '1h'}},"
             "{'name': 'hold', 'match': {'opcode': 'flush'}, 'when': "
             "{'nth': 1}, 'do': {'hold': {'count': 9}, 'pin': 'high', "
             "'stall': 1, 'spurious': {'count': 10000}}},"
             "{'name': 'late', 'match': {'opcode': 'read'}, 'do': "
             "{'late': {'after': 'reset', 'for': '1h'}}}");
    {
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_VERIFY, 1, 0, 1);

        s.opc = ENVME_NVM_READ;
        th_submit(h, 2, &s);
    }
    flush(h, 1);
    g_assert_cmpint(h->pin, ==, ENVME_PIN_HIGH);
    th_advance(h, 3 * MS);
    th_reset(h, ENVME_RESET_FUNCTION);
    envme_faults_free(f);
    g_assert_cmpint(h->pin, ==, ENVME_PIN_FREE);
    h->ctrl->hooks = (struct envme_hooks){ 0 };
    th_advance(h, 3600 * 1000 * MS);
    th_free(h);
}

/* ---- with threads ------------------------------------------------------ */

static void test_threads(void)
{
    struct th *h = th_new(.lanes = 3, .threads = true,
                          .ns = { { .size = 1 * MIB } });
    struct envme_faults *f = envme_faults_new(h->ctrl, NULL);

    th_enable(h);
    th_queues(h, 2, 64);
    for (unsigned round = 0; round < 30; round++) {
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_FLUSH, 1, 0, 1);
        uint16_t cid[2][24];

        s.cdw12 = le32(0);
        tf_rules(f, "{'name': 'irq', 'on': 'interrupt', 'when': {'every': 3},"
                 "'do': {'delay': '5ms'}},"
                 "{'name': 'db', 'on': 'doorbell', 'match': {'qid': [1, 2]}, "
                 "'when': {'every': 5, 'times': 3}, 'do': {'delay': '5ms'}},"
                 "{'name': 'hold', 'match': {'opcode': 'flush'}, 'do': "
                 "{'hold': {'count': 8, 'order': 'random'}}},"
                 "{'name': 'stall', 'match': {'opcode': 'flush'}, 'when': "
                 "{'nth': 20}, 'do': {'stall': {'qid': 2, 'for': '5ms'}}}");
        for (unsigned i = 0; i < 24; i++) {
            cid[0][i] = th_submit(h, 1, &s);
            cid[1][i] = th_submit(h, 2, &s);
        }
        th_ring(h, 1);
        th_ring(h, 2);
        th_advance(h, 6 * MS);
        if (round % 3 == 2) {
            th_disable(h);
            th_enable(h);
            th_queues(h, 2, 64);
            continue;
        }
        tf_rules(f, "");
        for (unsigned i = 0; i < 24; i++) {
            th_assert_sc(th_wait(h, 1, cid[0][i]), SUCCESS);
            th_assert_sc(th_wait(h, 2, cid[1][i]), SUCCESS);
        }
    }
    done(h, f);
}

/* ---- bad input --------------------------------------------------------- */

static void wrong(struct envme_faults *f, const char *on, const char *what,
                  const char *want)
{
    g_autofree char *file =
        g_strdup_printf("{'rules': [{'name': 'r', 'on': '%s', 'do': {%s}}]}",
                        on, what);
    g_autofree char *err = tf_wrong(f, file);

    if (!strstr(err, want)) {
        g_error("'%s' is not in '%s'", want, err);
    }
}

static void test_wrong(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);

    wrong(f, "state", "'delay': '1s'", "cannot be done on \"state\"");
    wrong(f, "time", "'spurious': {'vector': 2047}",
          "rule 'r'.do.spurious: vector: there are");
    wrong(f, "time", "'spurious': {'count': 0}", "between 1 and");
    wrong(f, "time", "'spurious': {'every': '1ns'}", "every");
    wrong(f, "time", "'pin': {}", "\"stuck\" is missing");
    wrong(f, "time", "'pin': 'sideways'", "'sideways' is not allowed");
    wrong(f, "command", "'early-interrupt': {}", "\"by\" is missing");
    wrong(f, "interrupt", "'early-interrupt': '1s'",
          "cannot be done on \"interrupt\"");
    wrong(f, "command", "'hold': {'order': 'same'}",
          "\"count\" or \"for\" is wanted");
    wrong(f, "command", "'hold': {'count': 1}", "between 2 and 65536");
    wrong(f, "command", "'late': {'for': '1s'}", "\"after\" is missing");
    wrong(f, "command", "'late': 'lunch'", "'lunch' is not allowed");
    wrong(f, "time", "'stall': {'for': '1s'}", "\"qid\" is missing");
    wrong(f, "time", "'stall': [7, 5]", "ends before it begins");
    h->ctrl->ports.irq.stick = NULL;
    h->ctrl->ports.irq.force = NULL;
    wrong(f, "time", "'pin': 'low'", "no interrupt pin");
    wrong(f, "time", "'spurious': {'masked': true}", "no messages");
    done(h, f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fault-irq/late", test_late);
    g_test_add_func("/fault-irq/late-pin", test_late_pin);
    g_test_add_func("/fault-irq/spurious", test_spurious);
    g_test_add_func("/fault-irq/masked", test_masked);
    g_test_add_func("/fault-irq/pin", test_pin);
    g_test_add_func("/fault-irq/early", test_early);
    g_test_add_func("/fault-irq/hold", test_hold);
    g_test_add_func("/fault-irq/hold-time", test_hold_time);
    g_test_add_func("/fault-irq/late-abort", test_late_abort);
    g_test_add_func("/fault-irq/late-reset", test_late_reset);
    g_test_add_func("/fault-irq/late-queue", test_late_queue);
    g_test_add_func("/fault-irq/doorbell", test_doorbell);
    g_test_add_func("/fault-irq/doorbell-many", test_doorbell_many);
    g_test_add_func("/fault-irq/stall", test_stall);
    g_test_add_func("/fault-irq/admin", test_admin);
    g_test_add_func("/fault-irq/csts", test_csts);
    g_test_add_func("/fault-irq/at-start", test_at_start);
    g_test_add_func("/fault-irq/free", test_free);
    g_test_add_func("/fault-irq/threads", test_threads);
    g_test_add_func("/fault-irq/wrong", test_wrong);
    return g_test_run();
}
