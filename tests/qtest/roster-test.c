/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespaces over power cycles: QEMU is killed at any moment, and the next
 * one finds what was completed. What the command line says against the state.
 */
#include "qnvme.h"

#include <sys/wait.h>

#include "envme/feat.h"
#include "envme/id.h"
#include "envme/id-ns.h"

#define NN      8
#define MEDIUM  (4u << 20)
#define ROUNDS  32
#define UNKNOWN UINT32_MAX      /* of a block that is just being written */

typedef struct Model {
    struct {
        uint32_t there, nsze, bytes, lbads, attached, wps, seed;
    } ns[NN + 1];
    uint32_t saved;             /* arbitration */
} Model;

typedef struct Rig {
    char *state, *image[2];
    char *extra, *after;
} Rig;

static char *fresh(const char *what)
{
    static unsigned n;
    g_autofree char *name = g_strdup_printf("%s%d.%u", what, getpid(), n++);

    return qn_tmp(name);
}

static void rig_init(Rig *r)
{
    *r = (Rig){ .state = fresh("roster") };
    for (unsigned i = 0; i < 2; i++) {
        g_autofree char *name = g_strdup_printf("medium%d.%u", getpid(), i);

        r->image[i] = qn_image(name, MEDIUM);
    }
    r->extra = g_strdup_printf(
        "-device envme-subsys,id=s0,max-namespaces=%u,state=%s "
        "-drive if=none,id=m0,format=raw,discard=unmap,file=%s "
        "-drive if=none,id=m1,format=raw,discard=unmap,file=%s",
        NN, r->state, r->image[0], r->image[1]);
    r->after = g_strdup("-device envme-ns,drive=m0,bus=nv "
                        "-device envme-ns,drive=m1,bus=nv");
}

static void rig_free(Rig *r)
{
    unlink(r->state);
    for (unsigned i = 0; i < 2; i++) {
        unlink(r->image[i]);
        g_free(r->image[i]);
    }
    g_free(r->state);
    g_free(r->extra);
    g_free(r->after);
}

static uint64_t scratch;        /* a page of guest memory */

static QNvme *power_on(const Rig *r)
{
    scratch = 0;
    return qn_start(&(QnConf){
        .extra = r->extra, .after = r->after, .props = "subsys=s0",
        .no_drive = true,
    });
}

static struct envme_cqe with_data(QNvme *q, struct envme_sqe s,
                                  const void *data, size_t len)
{
    uint64_t buf = qn_alloc(q, QN_PAGE);
    static const uint8_t zero[QN_PAGE];

    qn_write(q, buf, zero, QN_PAGE);
    qn_write(q, buf, data, len);
    s.dptr.prp1 = le64(buf);
    return qn_admin(q, s);
}

static uint64_t page(QNvme *q)
{
    if (!scratch) {
        scratch = qn_alloc(q, QN_PAGE);
    }
    return scratch;
}

static struct envme_id_ns id_ns(QNvme *q, uint8_t cns, uint32_t nsid)
{
    struct envme_cqe c = qn_admin(q, qn_identify(cns, nsid, page(q)));
    struct envme_id_ns id;

    qn_assert_ok(c);
    qn_read(q, page(q), &id, sizeof(id));
    return id;
}

static uint64_t unused(QNvme *q)
{
    struct envme_cqe c = qn_admin(q, qn_identify(ENVME_CNS_CTRL, 0, page(q)));
    le64_t cap;                 /* its lower half */

    qn_assert_ok(c);
    qn_read(q, page(q) + 296, &cap, sizeof(cap));       /* UNVMCAP */
    return le64_get(cap);
}

static uint32_t get_feature(QNvme *q, uint32_t nsid, uint32_t cdw10)
{
    struct envme_sqe s = qn_feature(false, 0, 0);
    struct envme_cqe c;

    s.nsid = le32(nsid);
    s.cdw10 = le32(cdw10);
    c = qn_admin(q, s);
    qn_assert_ok(c);
    return le32_get(c.dw0);
}

static struct envme_cqe block_io(QNvme *q, QnSq *sq, uint8_t opc,
                                 uint32_t nsid, uint64_t buf)
{
    struct envme_sqe s = qn_sqe(opc, nsid);

    s.dptr.prp1 = le64(buf);
    return qn_cmd(q, sq, s);
}

/* ---- is it as it ought to be? ------------------------------------------ */

static const char *differs_ns(QNvme *q, QnSq *sq, const Model *m, uint32_t i)
{
    struct envme_id_ns id = id_ns(q, ENVME_CNS_ALLOC_NS, i);
    uint64_t nsze = le64_get(id.nsze);
    struct envme_cqe c;

    if (!nsze != !m->ns[i].there) {
        return "namespaces";
    }
    if (!nsze) {
        return NULL;
    }
    if (nsze != m->ns[i].nsze ||
        id.lbaf[id.flbas & 15].ds != m->ns[i].lbads) {
        return "format";
    }
    id = id_ns(q, ENVME_CNS_NS, i);
    if (!le64_get(id.nsze) != !m->ns[i].attached) {
        return "attachment";
    }
    if (!m->ns[i].attached) {
        return NULL;
    }
    if (get_feature(q, i, ENVME_FID_WRITE_PROTECT) != m->ns[i].wps) {
        return "protection";
    }
    c = block_io(q, sq, ENVME_NVM_READ, i, page(q));
    qn_assert_ok(c);
    if (m->ns[i].seed == 0) {
        uint8_t zero[4096] = { 0 }, data[4096];

        qn_read(q, page(q), data, 1u << m->ns[i].lbads);
        return memcmp(data, zero, 1u << m->ns[i].lbads) ? "zeroes" : NULL;
    }
    return m->ns[i].seed != UNKNOWN &&
           !qn_matches(q, page(q), 1u << m->ns[i].lbads, m->ns[i].seed)
           ? "data" : NULL;
}

/* A format that was interrupted goes on by itself. */
static void await_formats(QNvme *q)
{
    unsigned n = 0;

    for (uint32_t i = 1; i <= NN; i++) {
        while (id_ns(q, ENVME_CNS_ALLOC_NS, i).fpi & ENVME_FPI_PER) {
            g_assert_cmpuint(++n, <, 100000);
            qn_beat(q);
        }
    }
    g_test_message("waited %u times for a format", n);
}

static const char *differs(QNvme *q, QnSq *sq, const Model *m)
{
    uint64_t sum = 0;

    for (uint32_t i = 1; i <= NN; i++) {
        const char *what = differs_ns(q, sq, m, i);

        if (what) {
            return what;
        }
        sum += m->ns[i].there ? m->ns[i].bytes : 0;
    }
    if (unused(q) != 2 * MEDIUM - sum) {
        return "capacity";
    }
    return get_feature(q, 0, ENVME_FID_ARBITRATION |
                             ENVME_FEAT_SEL_SAVED << 8) != m->saved ?
           "saved feature" : NULL;
}

/* ---- one command ------------------------------------------------------- */

typedef struct Step {
    struct envme_sqe sqe;
    uint8_t data[4096];
    bool has_data;
    uint32_t write;             /* NSID: this instead */
    Model after;
} Step;

static void plan_create(Step *s, GRand *rand, uint32_t nsid)
{
    unsigned lbads = g_rand_int_range(rand, 0, 2) ? 12 : 9;
    struct envme_ns_mgmt_create *c = (void *)s->data;
    uint32_t nsze = g_rand_int_range(rand, 1, 200);

    s->sqe = qn_sqe(ENVME_ADM_NS_MGMT, 0);
    s->sqe.cdw10 = le32(ENVME_NSMGMT_CREATE);
    s->has_data = true;
    c->nsze = c->ncap = le64(nsze);
    c->flbas = lbads == 9 ? 0 : 4;
    memset(&s->after.ns[nsid], 0, sizeof(s->after.ns[nsid]));
    s->after.ns[nsid].there = 1;
    s->after.ns[nsid].nsze = nsze;
    s->after.ns[nsid].bytes = nsze << lbads;
    s->after.ns[nsid].lbads = lbads;
}

static bool plan(Step *s, GRand *rand, const Model *m, uint64_t free)
{
    uint32_t nsid = g_rand_int_range(rand, 1, NN + 1), low = 1;
    struct envme_ctrl_list *list = (void *)s->data;
    unsigned lbads = g_rand_boolean(rand) ? 12 : 9;

    *s = (Step){ .after = *m };
    while (low <= NN && m->ns[low].there) {
        low++;
    }
    if (!m->ns[nsid].there) {
        if (free < 200 * 4096) {
            return false;
        }
        plan_create(s, rand, low);
        return true;
    }
    switch (g_rand_int_range(rand, 0, 10)) {
    case 0:
        s->after.saved = g_rand_int_range(rand, 0, 8);
        s->sqe = qn_feature(true, 0, s->after.saved);
        s->sqe.cdw10 = le32(ENVME_FID_ARBITRATION | ENVME_FEAT_SV);
        return true;
    case 1:
        if (m->ns[nsid].wps) {
            return false;
        }
        s->sqe = qn_sqe(ENVME_ADM_NS_MGMT, nsid);
        s->sqe.cdw10 = le32(ENVME_NSMGMT_DELETE);
        memset(&s->after.ns[nsid], 0, sizeof(s->after.ns[nsid]));
        return true;
    case 2:
        s->sqe = qn_feature(true, ENVME_FID_WRITE_PROTECT, !m->ns[nsid].wps);
        s->sqe.nsid = le32(nsid);
        s->after.ns[nsid].wps = !m->ns[nsid].wps;
        return m->ns[nsid].attached;
    case 3:
    case 4:
        s->sqe = qn_sqe(ENVME_ADM_NS_ATTACH, nsid);
        s->sqe.cdw10 = le32(m->ns[nsid].attached ? ENVME_NSATTACH_DETACH
                                                 : ENVME_NSATTACH_ATTACH);
        s->has_data = true;
        list->num = le16(1);
        s->after.ns[nsid].attached = !m->ns[nsid].attached;
        return true;
    case 5:
    case 6:
        s->write = nsid;
        s->after.ns[nsid].seed = g_rand_int_range(rand, 1, 1000000);
        return m->ns[nsid].attached && !m->ns[nsid].wps;
    default:
        s->sqe = qn_sqe(ENVME_ADM_FORMAT, nsid);
        s->sqe.cdw10 = le32(lbads == 9 ? 0 : 4);
        s->after.ns[nsid].lbads = lbads;
        s->after.ns[nsid].nsze = m->ns[nsid].bytes >> lbads;
        s->after.ns[nsid].seed = 0;
        return m->ns[nsid].attached && !m->ns[nsid].wps &&
               s->after.ns[nsid].nsze;
    }
}

static void carry_out(QNvme *q, QnSq *sq, const Step *s)
{
    struct envme_cqe c;

    if (s->write) {
        qn_fill(q, page(q), 1u << s->after.ns[s->write].lbads,
                s->after.ns[s->write].seed);
        c = block_io(q, sq, ENVME_NVM_WRITE, s->write, page(q));
    } else if (s->has_data) {
        struct envme_sqe sqe = s->sqe;

        qn_write(q, page(q), s->data, sizeof(s->data));
        sqe.dptr.prp1 = le64(page(q));
        c = qn_admin(q, sqe);
    } else {
        c = qn_admin(q, s->sqe);
    }
    qn_assert_ok(c);
}

/* ---- killed again and again -------------------------------------------- */

typedef struct Report {
    pid_t qemu;
    enum { BEGUN, CHECKED, PLANNED, ACKED } what;
    Model m;
} Report;

static void tell(int to, QNvme *q, int what, const Model *m)
{
    Report r = { .qemu = qtest_pid(q->qts), .what = what, .m = *m };

    if (write(to, &r, sizeof(r)) != sizeof(r)) {
        _exit(0);
    }
}

/* Looks whether all is as in one of the two; then does something, saying so
 * before and after, until it is killed. */
static void child_lives(const Rig *r, const Model *acked, const Model *planned,
                        uint32_t seed, int to)
{
    GRand *rand = g_rand_new_with_seed(seed);
    QNvme *q = power_on(r);
    QnSq *sq = qn_io_queue(q, 1, 8, -1);
    const char *what;
    Model m = *planned;
    Step s;

    tell(to, q, BEGUN, &m);
    await_formats(q);
    what = differs(q, sq, planned);
    if (what) {
        m = *acked;
        g_test_message("not as planned: %s", what);
        what = differs(q, sq, acked);
        if (what) {
            g_error("not the same: %s", what);
        }
    }
    tell(to, q, CHECKED, &m);
    for (;;) {
        Model during;

        while (!plan(&s, rand, &m, unused(q))) {
        }
        during = s.after;
        if (s.write) {
            during.ns[s.write].seed = UNKNOWN;
        }
        tell(to, q, PLANNED, &during);
        carry_out(q, sq, &s);
        m = s.after;
        tell(to, q, ACKED, &m);
    }
}

static bool is_gone(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
    g_autofree char *text = NULL;

    return !g_file_get_contents(path, &text, NULL, NULL) ||
           strstr(text, "State:\tZ");
}

static bool hear(int from, Report *r)
{
    return read(from, r, sizeof(*r)) == sizeof(*r);
}

static Model factory(void)
{
    Model m = { .saved = 6 };

    for (unsigned i = 1; i <= 2; i++) {
        m.ns[i].there = m.ns[i].attached = 1;
        m.ns[i].nsze = MEDIUM >> 9;
        m.ns[i].bytes = MEDIUM;
        m.ns[i].lbads = 9;
    }
    return m;
}

/* One life. What it told before it ended is in *acked and *planned. */
static unsigned live_once(const Rig *r, Model *acked, Model *planned,
                          uint32_t seed, unsigned us)
{
    unsigned n = 0;
    int pipes[2];
    Report rep;
    pid_t child, qemu;

    g_assert_cmpint(pipe(pipes), ==, 0);
    child = fork();
    if (!child) {
        close(pipes[0]);
        child_lives(r, acked, planned, seed, pipes[1]);
        _exit(1);
    }
    close(pipes[1]);
    g_assert_true(hear(pipes[0], &rep));
    qemu = rep.qemu;
    if (!hear(pipes[0], &rep)) {
        g_error("what was acknowledged is not there");
    }
    *acked = *planned = rep.m;
    g_usleep(us);
    kill(qemu, SIGKILL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (hear(pipes[0], &rep)) {
        *planned = rep.m;
        if (rep.what == ACKED) {
            *acked = rep.m;
            n++;
        }
    }
    close(pipes[0]);
    while (!is_gone(qemu)) {
        g_usleep(1000);
    }
    return n;
}

static void test_kill_loop(void)
{
    Model acked = factory(), planned = acked;
    uint32_t seed = g_test_rand_int();
    unsigned n = 0;
    Rig r;

    rig_init(&r);
    g_test_message("seed %u", seed);
    for (unsigned i = 0; i < ROUNDS; i++) {
        n += live_once(&r, &acked, &planned, seed + i,
                       g_random_int_range(0, 80000));
    }
    g_test_message("%u commands acknowledged", n);
    g_assert_cmpuint(n, >, ROUNDS);
    rig_free(&r);
}

/* ---- against the command line ------------------------------------------ */

static void refuse(const char *args, const char *want)
{
    g_autofree char *err = NULL;

    g_assert_cmpint(qn_spawn(args, NULL, &err), ==, 1);
    if (!strstr(err, want)) {
        g_test_message("'%s' is not in: %s", want, err);
        g_test_fail();
    }
}

static void create(QNvme *q, uint64_t nsze)
{
    struct envme_ns_mgmt_create *c = g_new0(struct envme_ns_mgmt_create, 1);
    struct envme_sqe s = qn_sqe(ENVME_ADM_NS_MGMT, 0);
    struct envme_cqe cqe;

    s.cdw10 = le32(ENVME_NSMGMT_CREATE);
    c->nsze = c->ncap = le64(nsze);
    cqe = with_data(q, s, c, sizeof(*c));
    qn_assert_ok(cqe);
    g_free(c);
}

static void test_refused(void)
{
    struct envme_sqe s = qn_sqe(ENVME_ADM_NS_MGMT, UINT32_MAX);
    g_autofree char *one = NULL, *few = NULL, *small = NULL, *same = NULL;
    struct envme_cqe c;
    QNvme *q;
    Rig r;

    rig_init(&r);
    q = power_on(&r);
    s.cdw10 = le32(ENVME_NSMGMT_DELETE);
    c = qn_admin(q, s);
    qn_assert_ok(c);
    for (unsigned i = 0; i < 4; i++) {
        create(q, (MEDIUM >> 9) / 2 - 1);       /* two on each */
    }
    g_assert_cmpuint(unused(q), ==, 4 * 512);
    qn_close(q);
    one = g_strdup_printf("%s -device envme,id=nv,serial=qtest,subsys=s0 "
                          "-device envme-ns,drive=m0,bus=nv", r.extra);
    refuse(one, "medium 2, which is not there");
    few = g_strdup_printf("-device envme-subsys,id=s0,max-namespaces=3,"
                          "state=%s", r.state);
    refuse(few, "above max-namespaces=3");
    g_assert_cmpint(truncate(r.image[1], MEDIUM / 2), ==, 0);
    small = g_strdup_printf("%s -device envme,id=nv,serial=qtest,subsys=s0 %s",
                            r.extra, r.after);
    refuse(small, "is smaller");
    g_assert_cmpint(truncate(r.image[1], MEDIUM), ==, 0);
    same = g_strdup_printf("%s -device envme,id=nv,serial=qtest,subsys=s0 "
                           "-device envme-ns,drive=m1,bus=nv,nsid=1 "
                           "-device envme-ns,drive=m0,bus=nv,nsid=1", r.extra);
    refuse(same, "nsid=1 is that of a drive");
    q = power_on(&r);
    g_assert_cmpuint(unused(q), ==, 4 * 512);
    qn_close(q);
    rig_free(&r);
}

/* max-namespaces and max-attached are told and kept. */
static void test_limits(void)
{
    QNvme *q = qn_start(&(QnConf){ .props = "max-namespaces=32,"
                                            "max-attached=1" });
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c = qn_admin(q, qn_identify(ENVME_CNS_CTRL, 0, buf));
    le32_t nn, mnan, maxcna;

    qn_assert_ok(c);
    qn_read(q, buf + 516, &nn, 4);
    qn_read(q, buf + 540, &mnan, 4);
    qn_read(q, buf + 560, &maxcna, 4);
    g_assert_cmpuint(le32_get(nn), ==, 32);
    g_assert_cmpuint(le32_get(mnan), ==, 32);
    g_assert_cmpuint(le32_get(maxcna), ==, 1);
    qn_close(q);
    refuse("-device envme,serial=a,max-namespaces=5000",
           "max-namespaces=5000 is out of range; the nearest valid value is "
           "4096");
    refuse("-device envme,serial=a,max-namespaces=4,max-attached=5",
           "max-attached=5 is out of range; the nearest valid value is 4");
    refuse("-device envme-subsys,id=s0 "
           "-device envme,serial=a,subsys=s0,max-namespaces=4",
           "max-namespaces= and subsys= exclude each other");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (qn_is_envme()) {
        qn_add("/roster/kill-loop", test_kill_loop, 0);
        qn_add("/roster/refused", test_refused, 0);
        qn_add("/roster/limits", test_limits, QN_SMOKE);
    }
    return g_test_run();
}
