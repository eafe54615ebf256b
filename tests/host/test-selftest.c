/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device Self-test: runs, results, what ends it. Base 2.1, 5.1.5, 8.1.7.
 */
#include "th.h"

#include <glib/gstdio.h>

#define MS (1000ull * 1000)

static struct envme_cqe start(struct th *h, unsigned stc, uint32_t nsid)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SELF_TEST, nsid);

    s.cdw10 = le32(stc);
    return th_admin(h, &s);
}

static struct envme_log_selftest get_log(struct th *h)
{
    struct envme_log_selftest log;

    memset(&log, 0xee, sizeof(log));
    th_assert_sc(th_get_log(h, ENVME_LID_SELF_TEST, 0, 0, &log, sizeof(log),
                            false), SUCCESS);
    return log;
}

/* Until none runs; the percentage never goes back. */
static struct envme_log_selftest finish(struct th *h)
{
    struct envme_log_selftest log;
    unsigned percent = 0, n = 0, moves = 0;

    for (;;) {
        log = get_log(h);
        if (!(log.cdsto & ENVME_CDSTO_DSTS)) {
            break;
        }
        g_assert_cmpuint(log.cdstc, <=, 99);
        g_assert_cmpuint(log.cdstc, >=, percent);
        moves += log.cdstc != percent;
        percent = log.cdstc;
        g_assert_cmpuint(n++, <, 2000);
        th_advance(h, 20 * MS);
    }
    g_assert_cmpuint(log.cdstc, ==, 0);
    g_assert_cmpuint(moves, >, 3);
    return log;
}

static void check(const struct envme_selftest_result *r, unsigned stc,
                  unsigned result)
{
    g_assert_cmphex(r->dsts, ==, result | stc << 4);
}

static void test_runs(void)
{
    struct th *h = th_new(.lanes = 1, .ns = { { .size = 3 * MIB },
                                              { .size = 1 * MIB } });
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    struct envme_log_selftest log;
    unsigned before;

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(le16_get(id->oacs) & ENVME_OACS_DSTS, !=, 0);
    g_assert_cmpuint(le16_get(id->edstt), ==, 1);
    g_assert_cmphex(id->dsto, ==, 0);
    log = get_log(h);
    g_assert_cmphex(log.cdsto, ==, 0);
    for (unsigned i = 0; i < 20; i++) {
        check(&log.result[i], 0, ENVME_DSTR_UNUSED);
    }
    /* The controller alone, one namespace, all. */
    before = h->be[0]->nops[ENVME_BIO_READ];
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 0), SUCCESS);
    g_assert_cmphex(get_log(h).cdsto, ==, ENVME_SELFTEST_SHORT);
    log = finish(h);
    check(&log.result[0], ENVME_SELFTEST_SHORT, ENVME_DSTR_OK);
    check(&log.result[1], 0, ENVME_DSTR_UNUSED);
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_READ], ==, before);
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 1), SUCCESS);
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 1), SELF_TEST_IN_PROGRESS);
    th_assert_sc(start(h, ENVME_SELFTEST_EXTENDED, 1), SELF_TEST_IN_PROGRESS);
    finish(h);
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_READ], >=, before + 34);
    g_assert_cmpuint(h->be[1]->nops[ENVME_BIO_READ], ==, before);
    before = h->be[0]->nops[ENVME_BIO_READ];
    th_assert_sc(start(h, ENVME_SELFTEST_EXTENDED, UINT32_MAX), SUCCESS);
    g_assert_cmphex(get_log(h).cdsto, ==, ENVME_SELFTEST_EXTENDED);
    log = finish(h);
    check(&log.result[0], ENVME_SELFTEST_EXTENDED, ENVME_DSTR_OK);
    check(&log.result[1], ENVME_SELFTEST_SHORT, ENVME_DSTR_OK);
    check(&log.result[2], ENVME_SELFTEST_SHORT, ENVME_DSTR_OK);
    check(&log.result[3], 0, ENVME_DSTR_UNUSED);
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_READ], ==, before + 37);
    g_assert_cmpuint(h->be[1]->nops[ENVME_BIO_READ], >=, 35);
    th_free(h);
}

static void test_bad(void)
{
    struct th *h = th_new();
    struct envme_log_selftest log;

    th_enable(h);
    for (unsigned stc = 0; stc < 16; stc++) {
        if (stc != 1 && stc != 2 && stc != 15) {
            th_assert_sc(start(h, stc, 0), INVALID_FIELD);
        }
    }
    th_assert_sc(start(h, 0x11, 0), INVALID_FIELD);
    th_assert_sc(start(h, 1, 2), INVALID_FIELD);
    th_assert_sc(start(h, 1, 17), INVALID_NS);
    th_assert_sc(start(h, 1, UINT32_MAX - 1), INVALID_NS);
    /* None runs: nothing to abort, nothing to log. */
    th_assert_sc(start(h, ENVME_SELFTEST_ABORT, 0), SUCCESS);
    log = get_log(h);
    check(&log.result[0], 0, ENVME_DSTR_UNUSED);
    th_free(h);
}

static void test_ended(void)
{
    struct th *h = th_new(.ns = { { .size = MIB }, { .size = MIB } });
    struct envme_log_selftest log;

    th_enable(h);
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, UINT32_MAX), SUCCESS);
    th_advance(h, 100 * MS);
    th_assert_sc(start(h, ENVME_SELFTEST_ABORT, 0), SUCCESS);
    log = get_log(h);
    g_assert_cmphex(log.cdsto, ==, 0);
    check(&log.result[0], ENVME_SELFTEST_SHORT, ENVME_DSTR_ABORTED);
    /* A reset ends a short one and not an extended one. */
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 0), SUCCESS);
    th_disable(h);
    th_enable(h);
    log = get_log(h);
    g_assert_cmphex(log.cdsto, ==, 0);
    check(&log.result[0], ENVME_SELFTEST_SHORT, ENVME_DSTR_RESET);
    th_assert_sc(start(h, ENVME_SELFTEST_EXTENDED, UINT32_MAX), SUCCESS);
    th_advance(h, 100 * MS);
    th_disable(h);
    th_advance(h, 100 * MS);
    th_enable(h);
    log = finish(h);
    check(&log.result[0], ENVME_SELFTEST_EXTENDED, ENVME_DSTR_OK);
    /* Format of the namespace that is tested, sanitize. */
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 1), SUCCESS);
    envme_selftest_format(h->subsys, 2);
    g_assert_cmphex(get_log(h).cdsto, !=, 0);
    envme_selftest_format(h->subsys, 1);
    log = get_log(h);
    check(&log.result[0], ENVME_SELFTEST_SHORT, ENVME_DSTR_FORMAT);
    th_assert_sc(start(h, ENVME_SELFTEST_EXTENDED, 0), SUCCESS);
    envme_selftest_sanitize(h->subsys);
    log = get_log(h);
    check(&log.result[0], ENVME_SELFTEST_EXTENDED, ENVME_DSTR_SANITIZE);
    th_free(h);
}

/* The command itself: the test of that namespace ends, and Format goes on. */
static void test_format(void)
{
    struct th *h = th_new(.ns = { { .size = MIB }, { .size = MIB } });
    struct envme_sqe s = th_sqe(ENVME_ADM_FORMAT, 2);
    struct envme_log_selftest log;

    th_enable(h);
    th_assert_sc(start(h, ENVME_SELFTEST_EXTENDED, 1), SUCCESS);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    g_assert_cmphex(get_log(h).cdsto, ==, ENVME_SELFTEST_EXTENDED);
    s.nsid = le32(1);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    log = get_log(h);
    g_assert_cmphex(log.cdsto, ==, 0);
    check(&log.result[0], ENVME_SELFTEST_EXTENDED, ENVME_DSTR_FORMAT);
    th_free(h);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

/* A namespace that goes while it is being read. */
static void test_removed(void)
{
    struct th *h = th_new(.ns = { { .size = MIB } });
    struct envme_log_selftest log;
    bool gone = false;
    char *err = NULL;

    th_enable(h);
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 1), SUCCESS);
    h->be[0]->hold = true;
    for (unsigned i = 0; i < 20 && !th_be_held(h->be[0]); i++) {
        th_advance(h, 20 * MS);
    }
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
    envme_subsys_remove_ns(h->subsys, h->ns[0], set_flag, &gone);
    th_run(h);
    g_assert_false(gone);
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    th_run(h);
    g_assert_true(gone);
    th_advance(h, 20 * MS);
    log = get_log(h);
    check(&log.result[0], ENVME_SELFTEST_SHORT, ENVME_DSTR_NS_REMOVED);
    g_assert_cmphex(log.result[0].vdi, ==, ENVME_DST_VDI_NSID);
    g_assert_cmpuint(le32_get(log.result[0].nsid), ==, 1);
    g_assert_true(envme_subsys_add_ns(h->subsys, h->ns[0], &err));
    th_free(h);
}

/* A reset waits for the read that is under way; a new test too. */
static void test_busy(void)
{
    struct th *h = th_new(.ns = { { .size = MIB } });
    struct envme_log_selftest log;

    th_enable(h);
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 1), SUCCESS);
    h->be[0]->hold = true;
    for (unsigned i = 0; i < 20 && !th_be_held(h->be[0]); i++) {
        th_advance(h, 20 * MS);
    }
    th_assert_sc(start(h, ENVME_SELFTEST_ABORT, 1), SUCCESS);
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 1), SUCCESS);
    th_advance(h, 20 * MS);
    th_advance(h, 20 * MS);
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], -EIO);
    log = finish(h);
    check(&log.result[0], ENVME_SELFTEST_SHORT, ENVME_DSTR_OK);
    check(&log.result[1], ENVME_SELFTEST_SHORT, ENVME_DSTR_ABORTED);
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 1), SUCCESS);
    h->be[0]->hold = true;
    for (unsigned i = 0; i < 20 && !th_be_held(h->be[0]); i++) {
        th_advance(h, 20 * MS);
    }
    th_reset_start(h, ENVME_RESET_FUNCTION);
    th_run(h);
    g_assert_false(h->reset_done);
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    th_reset_finish(h);
    th_free(h);
}

static void test_failures(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .lbs = 4096 } });
    struct envme_log_selftest log;
    struct envme_cqe c;
    uint16_t aer;

    th_enable(h);
    for (unsigned seg = 1; seg <= 9; seg++) {
        envme_selftest_fail_at(h->ctrl, seg);
        th_assert_sc(start(h, ENVME_SELFTEST_EXTENDED, 1), SUCCESS);
        for (unsigned i = 0; i < 200; i++) {
            th_advance(h, 20 * MS);
        }
        log = get_log(h);
        g_assert_cmphex(log.cdsto, ==, 0);
        check(&log.result[0], ENVME_SELFTEST_EXTENDED, ENVME_DSTR_KNOWN_SEG);
        g_assert_cmpuint(log.result[0].seg, ==, seg);
    }
    envme_selftest_fail_at(h->ctrl, 0);
    /* A medium that cannot be read; the event. */
    {
        struct envme_log_error e[16];

        th_assert_sc(th_get_log(h, ENVME_LID_ERROR, 0, 0, e, sizeof(e),
                                false), SUCCESS);
    }
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 1), SUCCESS);
    h->be[0]->fail_op = ENVME_BIO_READ;
    h->be[0]->fail_errno = -EIO;
    for (unsigned i = 0; i < 100; i++) {
        th_advance(h, 20 * MS);
    }
    h->be[0]->fail_op = -1;
    log = get_log(h);
    check(&log.result[0], ENVME_SELFTEST_SHORT, ENVME_DSTR_KNOWN_SEG);
    g_assert_cmpuint(log.result[0].seg, ==, 5);
    g_assert_cmphex(log.result[0].vdi, ==, 0xf);
    g_assert_cmpuint(le32_get(log.result[0].nsid), ==, 1);
    g_assert_cmpuint(le64_get(log.result[0].flba), ==, 0);
    g_assert_cmphex(log.result[0].sct << 8 | log.result[0].sc, ==,
                    ENVME_SC_UNRECOVERED_READ);
    aer = th_aer(h);
    c = th_wait(h, 0, aer);
    g_assert_cmphex(le32_get(c.dw0), ==, ENVME_AEN_ERROR_DIAG << 8 |
                    ENVME_LID_ERROR << 16);
    /* What SMART warns of. */
    envme_health_set_warning(h->ctrl, ENVME_SMART_CW_VMBF);
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 0), SUCCESS);
    for (unsigned i = 0; i < 100; i++) {
        th_advance(h, 20 * MS);
    }
    log = get_log(h);
    g_assert_cmpuint(log.result[0].seg, ==, 3);
    th_free(h);
}

static void test_twenty(void)
{
    struct th *h = th_new();
    struct envme_log_selftest log;

    th_enable(h);
    for (unsigned i = 0; i < 23; i++) {
        th_assert_sc(start(h, 1 + i % 2, 0), SUCCESS);
        th_assert_sc(start(h, ENVME_SELFTEST_ABORT, 0), SUCCESS);
    }
    log = get_log(h);
    for (unsigned i = 0; i < 20; i++) {
        check(&log.result[i], 1 + i % 2, ENVME_DSTR_ABORTED);
    }
    th_free(h);
}

static void test_kept(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    struct th *h = th_new(.state = path);
    struct envme_log_selftest log;

    th_enable(h);
    th_assert_sc(start(h, ENVME_SELFTEST_SHORT, 0), SUCCESS);
    th_assert_sc(start(h, ENVME_SELFTEST_ABORT, 0), SUCCESS);
    th_assert_sc(start(h, ENVME_SELFTEST_EXTENDED, 1), SUCCESS);
    th_advance(h, 20 * MS);
    th_advance(h, 20 * MS);
    th_free(h);
    h = th_new(.state = path);
    th_enable(h);
    log = get_log(h);
    g_assert_cmphex(log.cdsto, ==, ENVME_SELFTEST_EXTENDED);
    check(&log.result[0], ENVME_SELFTEST_SHORT, ENVME_DSTR_ABORTED);
    for (unsigned i = 0; i < 200; i++) {
        th_advance(h, 20 * MS);
    }
    log = get_log(h);
    check(&log.result[0], ENVME_SELFTEST_EXTENDED, ENVME_DSTR_OK);
    th_free(h);
    g_unlink(path);
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/selftest/runs", test_runs);
    g_test_add_func("/selftest/bad", test_bad);
    g_test_add_func("/selftest/ended", test_ended);
    g_test_add_func("/selftest/format", test_format);
    g_test_add_func("/selftest/removed", test_removed);
    g_test_add_func("/selftest/busy", test_busy);
    g_test_add_func("/selftest/failures", test_failures);
    g_test_add_func("/selftest/twenty", test_twenty);
    g_test_add_func("/selftest/kept", test_kept);
    return g_test_run();
}
