/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state=: what is kept when QEMU ends in one way or another. A copy of the
 * file is what a QEMU that is killed would leave.
 */
#include "qnvme.h"

#include <sys/wait.h>

#include "qemu/bswap.h"

#include "envme/feat.h"
#include "envme/log.h"

#define FID_SAVED (ENVME_FID_ARBITRATION | ENVME_FEAT_SV)

static char *fresh(void)
{
    static unsigned n;
    g_autofree char *name = g_strdup_printf("state%d.%u", getpid(), n++);

    return qn_tmp(name);
}

static char *cut(const char *path)
{
    char *copy = fresh(), *data;
    gsize len;

    g_assert_true(g_file_get_contents(path, &data, &len, NULL));
    g_assert_true(g_file_set_contents(copy, data, len, NULL));
    g_free(data);
    return copy;
}

static QNvme *power_on(const char *path)
{
    g_autofree char *props = g_strdup_printf("state=%s", path);

    return qn_start(&(QnConf){ .props = props });
}

static void save(QNvme *q, uint32_t v)
{
    struct envme_sqe s = qn_feature(true, ENVME_FID_ARBITRATION, v);
    struct envme_cqe c;

    s.cdw10 = le32(FID_SAVED);
    c = qn_admin(q, s);
    qn_assert_ok(c);
}

static uint32_t saved(QNvme *q)
{
    struct envme_sqe s = qn_feature(false, ENVME_FID_ARBITRATION, 0);
    struct envme_cqe c;

    s.cdw10 = le32(ENVME_FID_ARBITRATION | ENVME_FEAT_SEL_SAVED << 8);
    c = qn_admin(q, s);
    qn_assert_ok(c);
    return le32_get(c.dw0);
}

typedef struct Counters {
    uint64_t cycles, unsafe, writes;
} Counters;

static uint64_t counter(const uint8_t c[16])
{
    return ldq_le_p(c);
}

static Counters counters(QNvme *q)
{
    struct envme_log_smart log;
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c = qn_admin(q, qn_getlog(ENVME_LID_SMART, 0,
                                               sizeof(log), buf));

    qn_assert_ok(c);
    qn_read(q, buf, &log, sizeof(log));
    return (Counters){ counter(log.pwrc), counter(log.upl),
                       counter(log.hwc) };
}

static void check(QNvme *q, uint32_t v, uint64_t cycles, uint64_t unsafe,
                  uint64_t writes)
{
    Counters c = counters(q);

    g_assert_cmphex(saved(q), ==, v);
    g_assert_cmpuint(c.cycles, ==, cycles);
    g_assert_cmpuint(c.unsafe, ==, unsafe);
    g_assert_cmpuint(c.writes, ==, writes);
}

static void do_write(QNvme *q)
{
    QnSq *sq = qn_io_queue(q, 1, 8, -1);
    struct envme_cqe c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_WRITE, 0, 8,
                                             qn_alloc(q, QN_PAGE)));

    qn_assert_ok(c);
    qn_queue_free(sq);
}

static void power_off(QNvme *q)
{
    qn_w4(q, ENVME_REG_CC, qn_r4(q, ENVME_REG_CC) |
          FIELD_SET(ENVME_CC_SHN, ENVME_CC_SHN_NORMAL));
    qn_wait(q, ENVME_REG_CSTS, ENVME_CSTS_SHST,
            FIELD_SET(ENVME_CSTS_SHST, ENVME_CSTS_SHST_COMPLETE));
}

/* QEMU quits: nothing is lost, but nobody shut the controller down. */
static void test_quit(void)
{
    g_autofree char *path = fresh();
    QNvme *q = power_on(path);

    save(q, 0x01020307);
    do_write(q);
    qn_close(q);
    q = power_on(path);
    check(q, 0x01020307, 2, 1, 1);
    power_off(q);
    qn_close(q);
    q = power_on(path);
    check(q, 0x01020307, 3, 1, 1);
    qn_close(q);
    unlink(path);
}

/* QEMU is killed: what was completed is there. */
static void test_killed(void)
{
    g_autofree char *path = fresh();
    g_autofree char *a = NULL, *b = NULL;
    QNvme *q = power_on(path);

    save(q, 2);
    a = cut(path);
    save(q, 3);
    power_off(q);
    b = cut(path);
    qn_close(q);
    q = power_on(a);
    check(q, 2, 2, 1, 0);
    qn_close(q);
    q = power_on(b);
    check(q, 3, 2, 0, 0);
    qn_close(q);
    unlink(a);
    unlink(b);
    unlink(path);
}

/* The child saves values and says which are complete, until it is killed. */
static void child_saves(const char *path, uint32_t v, int to)
{
    QNvme *q = power_on(path);
    pid_t pid = qtest_pid(q->qts);

    if (write(to, &pid, sizeof(pid)) == sizeof(pid)) {
        do {
            save(q, ++v << 8);
        } while (write(to, &v, sizeof(v)) == sizeof(v));
    }
}

/* Or a zombie that nobody waits for. */
static bool is_gone(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
    g_autofree char *text = NULL;

    return !g_file_get_contents(path, &text, NULL, NULL) ||
           strstr(text, "State:\tZ");
}

static void test_kill_loop(void)
{
    g_autofree char *path = fresh();
    uint32_t last = 0;

    for (unsigned i = 0; i < 6; i++) {
        uint32_t acked = last, v;
        int pipes[2];
        pid_t qemu, child;
        QNvme *q;

        g_assert_cmpint(pipe(pipes), ==, 0);
        child = fork();
        if (!child) {
            close(pipes[0]);
            child_saves(path, last, pipes[1]);
            _exit(1);
        }
        close(pipes[1]);
        g_assert_cmpint(read(pipes[0], &qemu, sizeof(qemu)), ==,
                        sizeof(qemu));
        g_assert_cmpint(read(pipes[0], &acked, sizeof(acked)), ==,
                        sizeof(acked));
        g_usleep(g_random_int_range(0, 50000));
        kill(qemu, SIGKILL);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(pipes[0], &v, sizeof(v)) == sizeof(v)) {
            acked = v;
        }
        close(pipes[0]);
        /* The lock goes with the process, which may take a moment. */
        while (!is_gone(qemu)) {
            g_usleep(1000);
        }
        q = power_on(path);
        last = saved(q) >> 8;
        g_assert_cmpuint(last, >=, acked);
        g_assert_cmpuint(last, <=, acked + 1);
        g_assert_cmpuint(counters(q).cycles, ==, 2 * i + 2);
        qn_close(q);
    }
    unlink(path);
}

/* A machine reset is no power cycle, and takes nothing. */
static void test_reset(void)
{
    g_autofree char *path = fresh();
    QNvme *q = power_on(path);

    save(q, 4);
    qtest_system_reset(q->qts);
    qn_pci_restore(q);
    qn_enable(q);
    check(q, 4, 1, 0, 0);
    qn_close(q);
    unlink(path);
}

/* Of a subsystem, for both of its controllers. */
static void test_subsys(void)
{
    g_autofree char *path = fresh();
    g_autofree char *extra = g_strdup_printf(
        "-device envme-subsys,id=s0,state=%s", path);
    const QnConf conf = {
        .extra = extra, .props = "subsys=s0", .no_drive = true,
        .after = "-device envme,serial=qtest,subsys=s0,addr=5",
    };

    for (unsigned i = 0; i < 2; i++) {
        QNvme *q = qn_start(&conf), *p = qn_attach(q, QPCI_DEVFN(5, 0));

        qn_admin_queues(p, 8, 8);
        qn_enable(p);
        if (i == 0) {
            save(q, 1);
            save(p, 2);
        }
        check(q, 1, i + 1, i, 0);
        check(p, 2, i + 1, i, 0);
        qn_detach(p);
        qn_close(q);
    }
    unlink(path);
}

/* A controller that is unplugged has let go of its file when it is gone. */
static void test_unplug(void)
{
    g_autofree char *path = fresh();
    QNvme *q = qn_open(&(QnConf){ .bare = true, .machine = "pc" });

    for (unsigned i = 0; i < 3; i++) {
        qtest_qmp_device_add(q->qts, "envme", "nv",
                             "{'serial': 'qtest', 'addr': '7', 'state': %s}",
                             path);
        qpci_unplug_acpi_device_test(q->qts, "nv", 7);
    }
    qn_close(q);
    q = power_on(path);
    qn_close(q);
    unlink(path);
}

/* ---- refused ----------------------------------------------------------- */

static void refuse(const char *path, const char *args, const char *want)
{
    g_autofree char *err = NULL;

    g_assert_cmpint(qn_spawn(args, NULL, &err), ==, 1);
    if (!strstr(err, path) || !strstr(err, want)) {
        g_test_message("'%s' is not in: %s", want, err);
        g_test_fail();
    }
}

static void test_refused(void)
{
    g_autofree char *path = fresh();
    g_autofree char *one = g_strdup_printf("-device envme,serial=qtest,state=%s",
                                           path);
    g_autofree char *other = g_strdup_printf("-device envme,serial=b,state=%s",
                                             path);
    g_autofree char *two = g_strconcat(one, " ", other, NULL);
    g_autofree char *both = g_strdup_printf(
        "-device envme-subsys,id=s0 "
        "-device envme,serial=qtest,subsys=s0,state=%s", path);
    g_autofree char *subsys = g_strdup_printf(
        "-device envme-subsys,id=s0,state=%s", path);
    QNvme *q;

    refuse(path, both, "exclude each other");
    g_assert_cmpint(access(path, F_OK), ==, -1);
    refuse(path, two, "in use");
    refuse(path, other, "belongs to");
    refuse(path, subsys, "belongs to");
    q = power_on(path);
    qn_close(q);
    g_assert_cmpint(truncate(path, 300), ==, 0);
    refuse(path, one, "damaged");
    g_assert_true(g_file_set_contents(path, "a disk image", -1, NULL));
    refuse(path, one, "not a state file");
    unlink(path);
    refuse("/nowhere/at/all", "-device envme,serial=qtest,state=/nowhere/at/all",
           "directory");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (qn_is_envme()) {
        qn_add("/state/quit", test_quit, QN_SMOKE);
        qn_add("/state/killed", test_killed, 0);
        qn_add("/state/kill-loop", test_kill_loop, 0);
        qn_add("/state/reset", test_reset, 0);
        qn_add("/state/subsys", test_subsys, 0);
        qn_add("/state/unplug", test_unplug, 0);
        qn_add("/state/refused", test_refused, 0);
    }
    return g_test_run();
}
