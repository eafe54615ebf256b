/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IOThreads: which queues they serve, and what they see without being told.
 */
#include "qnvme.h"

#define THREADS "-object iothread,id=io0,poll-max-ns=0 "                      \
                "-object iothread,id=io1,poll-max-ns=0 "                      \
                "-object iothread,id=io2,poll-max-ns=0 "

/* One read. Not qn_cmd(): while that waits it sets the clock, for which every
 * thread wakes up. */
static void one_io(QNvme *q, QnSq *sq, uint64_t buf)
{
    struct envme_cqe c;

    qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
    qn_ring_sq(q, sq);
    c = qn_await_still(q, sq->cq);
    qn_assert_ok(c);
    qn_ring_cq(q, sq->cq);
}

/* How often each of the IOThreads has slept. */
static void sleeps(QNvme *q, uint64_t n[3])
{
    QDict *r = qtest_qmp(q->qts, "{'execute': 'query-iothreads'}");
    QListEntry *e;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(r, "return"), e) {
        QDict *t = qobject_to(QDict, qlist_entry_obj(e));
        g_autofree char *text = NULL, *path = g_strdup_printf(
            "/proc/%d/task/%d/status", (int)qtest_pid(q->qts),
            (int)qdict_get_int(t, "thread-id"));
        const char *id = qdict_get_str(t, "id"), *line;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        line = strstr(text, "\nvoluntary_ctxt_switches:");
        g_assert_nonnull(line);
        n[id[2] - '0'] = g_ascii_strtoull(strchr(line, ':') + 1, NULL, 10);
    }
    qobject_unref(r);
}

/* A thread that serves commands one by one sleeps between them. */
static void check_served(QNvme *q, unsigned qid, unsigned by)
{
    uint64_t buf = qn_alloc(q, QN_PAGE), before[3], after[3];
    QnSq *sq = qn_io_queue(q, qid, 16, -1);

    for (unsigned i = 0; i < 50; i++) {
        one_io(q, sq, buf);
    }
    sleeps(q, before);
    for (unsigned i = 0; i < 400; i++) {
        one_io(q, sq, buf);
    }
    sleeps(q, after);
    for (unsigned i = 0; i < 3; i++) {
        g_test_message("queue %u, io%u: %" PRIu64, qid, i,
                       after[i] - before[i]);
        if (i == by) {
            g_assert_cmpuint(after[i] - before[i], >=, 200);
        } else {
            g_assert_cmpuint(after[i] - before[i], <=, 100);
        }
    }
    qn_queue_free(sq);
}

static QNvme *map_open(const char *map)
{
    g_autofree char *after = g_strdup_printf(
        "-device '{\"driver\":\"envme\",\"id\":\"nv\",\"serial\":\"a\","
        "\"addr\":\"%d\",\"drive\":\"d0\",\"iothread-map\":%s}'", QN_SLOT,
        map);
    QNvme *q = qn_open(&(QnConf) {
        .bare = true, .after = after,
        .extra = "-drive if=none,id=d0," QN_NULL " " THREADS });
    QNvme *n = qn_attach(q, q->devfn);

    n->owns_qts = true;
    qn_enable(n);
    return n;
}

static void map_close(QNvme *n)
{
    QTestState *qts = n->qts;

    qn_detach(n);
    qtest_quit(qts);
}

/* Named ones go where they are named; the others are dealt out. */
static void test_map_queues(void)
{
    QNvme *q = map_open("[{\"iothread\":\"io2\",\"queues\":[1,5]},"
                        "{\"iothread\":\"io0\",\"queues\":[2]},"
                        "{\"iothread\":\"io1\",\"queues\":[3,64]}]");
    QDict *r;
    QList *l;

    check_served(q, 1, 2);
    check_served(q, 2, 0);
    check_served(q, 3, 1);
    check_served(q, 4, 2);
    check_served(q, 5, 2);
    check_served(q, 64, 1);
    check_served(q, 6, 1);
    r = qtest_qmp(q->qts, "{'execute': 'qom-get', 'arguments': {'path': "
                  "'/machine/peripheral/nv', 'property': 'iothread-map'}}");
    l = qdict_get_qlist(r, "return");
    g_assert_cmpuint(qlist_size(l), ==, 3);
    qobject_unref(r);
    map_close(q);
}

static void test_map_deal(void)
{
    QNvme *q = map_open("[{\"iothread\":\"io1\"},{\"iothread\":\"io0\"}]");

    check_served(q, 1, 1);
    check_served(q, 2, 0);
    check_served(q, 3, 1);
    check_served(q, 4, 0);
    map_close(q);
}

/* ---- polling ----------------------------------------------------------- */

#define POLL_SIZE 1024

/* A driver that has its doorbells in memory. */
struct shadow {
    QNvme *q;
    QnSq *sq;
    uint64_t db, ei, buf;
    unsigned rings;
};

/* One read; true when the register had to be written: the tail has passed the
 * event index. */
static bool shadow_io(struct shadow *s)
{
    uint64_t slot = 8 * s->sq->id;
    uint16_t old = s->sq->tail, new, ei;
    struct envme_cqe c;
    bool rings;

    qn_push(s->q, s->sq, qn_rw(s->q, ENVME_NVM_READ, 0, 1, s->buf));
    new = s->sq->tail;
    qtest_writel(s->q->qts, s->db + slot, new);
    ei = qtest_readl(s->q->qts, s->ei + slot);
    rings = (uint16_t)(new - ei - 1) < (uint16_t)(new - old);
    if (rings) {
        qn_ring_sq(s->q, s->sq);
        s->rings++;
    }
    c = qn_await(s->q, s->sq->cq);
    qn_assert_ok(c);
    qtest_writel(s->q->qts, s->db + slot + 4, s->sq->cq->head);
    qn_ring_cq(s->q, s->sq->cq);
    return rings;
}

static void shadow_config(struct shadow *s)
{
    struct envme_sqe sqe = qn_sqe(ENVME_ADM_DBBUF, 0);
    struct envme_cqe c;

    sqe.dptr.prp1 = le64(s->db);
    sqe.dptr.prp2 = le64(s->ei);
    c = qn_admin(s->q, sqe);
    qn_assert_ok(c);
}

static void shadow_begin(struct shadow *s, const char *iothread)
{
    *s = (struct shadow) { 0 };
    s->q = qn_start(&(QnConf) { .drive = QN_NULL, .props = "iothread=io0",
                                .extra = iothread });
    s->sq = qn_io_queue(s->q, 1, POLL_SIZE, -1);
    s->db = qn_alloc(s->q, QN_PAGE);
    s->ei = qn_alloc(s->q, QN_PAGE);
    s->buf = qn_alloc(s->q, QN_PAGE);
    shadow_config(s);
}

static void shadow_end(struct shadow *s)
{
    qn_queue_free(s->sq);
    qn_close(s->q);
}

static void wait_armed(struct shadow *s)
{
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;

    while (qtest_readl(s->q->qts, s->ei + 8) != s->sq->tail) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        qn_beat(s->q);
    }
}

/*
 * While the thread polls nobody rings; when it has been told not to any more,
 * everybody does. Each time it polls for seconds, much longer than this needs
 * from one command to the next.
 */
static void test_poll(void)
{
    struct shadow s;
    unsigned i, quiet = 0;

    shadow_begin(&s, "-object iothread,id=io0,poll-max-ns=5000000000,"
                 "poll-grow=1000000000");
    for (i = 0; quiet < 10; i++) {
        quiet = shadow_io(&s) ? 0 : quiet + 1;
        g_assert_cmpuint(i, <, 500);
    }
    for (i = 0; i < 200; i++) {
        g_assert_false(shadow_io(&s));
    }
    qtest_qmp_assert_success(s.q->qts, "{'execute': 'qom-set', 'arguments': {"
        "'path': '/objects/io0', 'property': 'poll-max-ns', 'value': 0}}");
    wait_armed(&s);
    for (i = 0; i < 50; i++) {
        g_assert_true(shadow_io(&s));
        wait_armed(&s);
    }
    shadow_end(&s);
}

/* A thread that must not poll is rung for, and asked no more than it costs. */
static void test_no_poll(void)
{
    struct shadow s;

    shadow_begin(&s, "-object iothread,id=io0,poll-max-ns=0");
    for (unsigned i = 0; i < 300; i++) {
        wait_armed(&s);
        g_assert_true(shadow_io(&s));
    }
    shadow_end(&s);
}

/* Resets, deletion and Bus Master while it polls; then it goes on. */
static void test_poll_gone(void)
{
    struct shadow s;
    struct envme_sqe del = qn_sqe(ENVME_ADM_DELETE_SQ, 0);
    struct envme_cqe c;
    unsigned i, k;

    shadow_begin(&s, "-object iothread,id=io0,poll-max-ns=1000000000,"
                 "poll-grow=1000000000");
    del.cdw10 = le32(1);
    for (i = 0; i < 6; i++) {
        for (k = 0; k < 60; k++) {
            shadow_io(&s);
        }
        if (i % 3 == 0) {
            qn_set_bme(s.q, false);
            qn_sleep(s.q, 1);
            qn_set_bme(s.q, true);
            continue;
        }
        if (i % 3 == 1) {
            c = qn_admin(s.q, del);
            qn_assert_ok(c);
        }
        qn_disable(s.q);
        qn_enable(s.q);
        qn_queue_free(s.sq);
        qtest_memset(s.q->qts, s.db, 0, QN_PAGE);
        qtest_memset(s.q->qts, s.ei, 0, QN_PAGE);
        s.sq = qn_io_queue(s.q, 1, POLL_SIZE, -1);
        shadow_config(&s);
    }
    shadow_end(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add("/iothread/map-queues", test_map_queues, QN_SMOKE);
    qn_add("/iothread/map-deal", test_map_deal, 0);
    qn_add("/iothread/poll", test_poll, QN_SMOKE);
    qn_add("/iothread/no-poll", test_no_poll, 0);
    qn_add("/iothread/poll-gone", test_poll_gone, 0);
    return g_test_run();
}
