/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespaces over power cycles: what a host has made, deleted, attached,
 * formatted and protected is there again, whatever comes in between; and what
 * is sanitized. Any sequence: test-powercut.c.
 */
#include "hw/ns/roster.h"
#include "rig.h"

static void restart(struct rig *r)
{
    rig_stop(r);
    rig_start(r);
}

static void finish(struct rig *r)
{
    rig_stop(r);
    rig_drop(r);
}

static void attach(struct rig *r, uint32_t nsid, bool on)
{
    static const uint16_t both[] = { 0, 1 };

    th_assert_sc(nsm_attach_list(r->h[0], nsid, on, 2, both, 2), SUCCESS);
}

static struct envme_cqe save(struct th *h, uint32_t nsid, uint32_t v)
{
    return th_set_feature(h, ENVME_FID_ERROR_RECOVERY, nsid, v, true);
}

static uint32_t saved(struct th *h, uint32_t nsid)
{
    uint32_t v;

    th_assert_sc(th_get_feature(h, ENVME_FID_ERROR_RECOVERY, nsid,
                                ENVME_FEAT_SEL_SAVED, &v), SUCCESS);
    return v;
}

/* What belongs to a namespace that a host has made is kept like another's;
 * when it is deleted, its successor has none of it. */
static void test_belongings(void)
{
    struct rig r = { 0 };
    struct envme_ns_mgmt_create c = { 0 };
    uint8_t data[4096] = { 0 };
    struct envme_ns *ns;

    rig_new(&r);
    th_assert_sc(nsm_delete(r.h[0], 1), SUCCESS);
    c.nsze = c.ncap = le64(100);
    c.flbas = 1;                /* 512 + 8 */
    c.dps = 1 | ENVME_DPS_PIP;
    c.nmic = ENVME_NMIC_SHRNS;
    th_assert_sc(nsm_create_raw(r.h[0], &c), SUCCESS);
    attach(&r, 1, true);
    nsm_use_pi(r.h[0], 1);
    th_assert_sc(th_rw(r.h[0], ENVME_NVM_WRITE_UNCOR, .slba = 50), SUCCESS);
    th_assert_sc(save(r.h[1], 1, 0x77), SUCCESS);
    restart(&r);
    ns = envme_subsys_ns(r.h[0]->subsys, 1);
    g_assert_true(ns->made && ns->params.shared);
    g_assert_cmpuint(ns->pi.type, ==, 1);
    g_assert_true(ns->pi.first);
    th_assert_sc(th_read(r.h[0], .block = 512, .data = data, .cdw12 =
                         ENVME_RW_PRACT | ENVME_RW_PRCHK_GUARD), SUCCESS);
    g_assert_true(th_pattern_ok(data, 512, 7));
    th_assert_sc(th_read(r.h[0], .slba = 50, .block = 512, .data = data,
                         .cdw12 = ENVME_RW_PRACT), UNRECOVERED_READ);
    g_assert_cmphex(saved(r.h[1], 1), ==, 0x77);
    g_assert_cmphex(saved(r.h[0], 1), ==, 0);
    /* its successor, made while one controller is not there */
    th_free(r.h[1]);
    th_assert_sc(nsm_delete(r.h[0], 1), SUCCESS);
    th_assert_sc(nsm_create_raw(r.h[0], &c), SUCCESS);
    r.h[1] = th_new(.peer = r.h[0]);
    th_enable(r.h[1]);
    th_queues(r.h[1], 1, 16);
    attach(&r, 1, true);
    th_assert_sc(th_read(r.h[0], .slba = 50, .block = 512, .data = data,
                         .cdw12 = ENVME_RW_PRACT), SUCCESS);
    g_assert_cmphex(saved(r.h[1], 1), ==, 0);
    /* for ever, although nobody has it attached when the power comes on */
    th_assert_sc(th_set_feature(r.h[0], ENVME_FID_WRITE_PROTECT, 1, 3, false),
                 SUCCESS);
    attach(&r, 1, false);
    restart(&r);
    g_assert_cmpuint(attached(r.h[0], 1), ==, 0);
    th_assert_sc(nsm_delete(r.h[0], 1), NS_WRITE_PROTECTED);
    attach(&r, 1, true);
    th_assert_sc(th_write(r.h[0], .block = 512, .data = data,
                          .cdw12 = ENVME_RW_PRACT), NS_WRITE_PROTECTED);
    finish(&r);
}

/* Which bits of the storage tag are compared. */
static void test_tags(void)
{
    struct rig r = { 0 };
    struct envme_ns_mgmt_create c = { 0 };
    struct envme_ns *ns;
    unsigned f = 0;

    rig_new(&r);
    nsm_all_formats(r.h[0]);
    ns = envme_subsys_ns(r.h[0]->subsys, 1);
    while (FIELD_GET(ENVME_ELBAF_STS, ns->lbaf[f].elbaf) != 16) {
        f++;
    }
    th_assert_sc(nsm_delete(r.h[0], 1), SUCCESS);
    c.nsze = c.ncap = le64(100);
    c.flbas = (f & 15) | f >> 4 << 5;
    c.dps = 1;
    c.lbstm = le64(0x00ff);
    th_assert_sc(nsm_create_raw(r.h[0], &c), SUCCESS);
    for (unsigned i = 0; i < 2; i++) {
        ns = envme_subsys_ns(r.h[0]->subsys, 1);
        g_assert_cmpuint(ns->flbas, ==, f);
        g_assert_cmpuint(ns->pi.sts, ==, 16);
        g_assert_cmphex(ns->pi.lbstm, ==, 0xff);
        g_assert_false(ns->params.shared);
        restart(&r);
    }
    finish(&r);
}

/* The command line has the format of the factory, the host has chosen another;
 * a made up identifier stays. */
static void test_command_line(void)
{
    struct rig r = { .nguid_auto = true };
    uint8_t nguid[16];
    struct envme_sqe s = th_sqe(ENVME_ADM_FORMAT, 2);
    struct envme_id_ns id;

    rig_new(&r);
    id = nsm_id(r.h[0], 2);
    memcpy(nguid, id.nguid, 16);
    g_assert_false(nsm_zero(nguid, 16));
    s.cdw10 = le32(5);          /* 4096 + 8 */
    th_assert_sc(th_admin(r.h[0], &s), SUCCESS);
    data_write(r.h[0], 2, 33);
    for (unsigned i = 0; i < 2; i++) {
        restart(&r);
        id = nsm_id(r.h[1], 2);
        g_assert_cmpmem(id.nguid, 16, nguid, 16);
        g_assert_cmpuint(id.flbas, ==, 5);
        g_assert_cmpuint(le64_get(id.nsze), ==, MEDIUM / 4104);
        g_assert_true(data_ok(r.h[1], 2, 33));
        g_assert_cmpuint(attached(r.h[0], 2), ==, 3);
    }
    finish(&r);
}

/* Gone for good, whatever becomes of its medium meanwhile. */
static void test_deleted(void)
{
    struct rig r = { 0 };
    char *err = NULL;
    struct th *h;

    rig_new(&r);
    th_assert_sc(nsm_delete(r.h[0], 2), SUCCESS);
    for (unsigned i = 0; i < 2; i++) {
        restart(&r);
        h = r.h[0];
        g_assert_null(envme_subsys_ns(h->subsys, 2));
        g_assert_cmpuint(nsm_unused(h), ==, MEDIUM);
        envme_subsys_remove_ns(h->subsys, h->ns[1], NULL, NULL);
        g_assert_cmpuint(nsm_unused(h), ==, 0);
        g_assert_true(envme_subsys_add_ns(h->subsys, h->ns[1], &err));
        g_assert_null(envme_subsys_ns(h->subsys, 2));
        g_assert_cmpuint(nsm_unused(h), ==, MEDIUM);
    }
    finish(&r);
}

/* Of one that lies on two media, one is unplugged: what it had stays its own
 * until both are there again. */
static void test_unplugged(void)
{
    struct rig r = { 0 };
    struct th *h;
    char *err = NULL;
    uint32_t nsid;

    rig_new(&r);
    h = r.h[0];
    th_assert_sc(nsm_delete(h, UINT32_MAX), SUCCESS);
    th_assert_sc(nsm_create(h, MEDIUM / 512 + 100, 0, true, &nsid), SUCCESS);
    attach(&r, 1, true);
    data_write(h, 1, 5);
    th_assert_sc(th_write(h, .slba = MEDIUM / 512 + 92, .nlb = 8), SUCCESS);
    for (unsigned i = 0; i < 2; i++) {
        h = r.h[0];
        envme_subsys_remove_ns(h->subsys, h->ns[i], NULL, NULL);
        th_run(h);
        g_assert_null(envme_subsys_ns(h->subsys, 1));
        th_assert_sc(th_read(r.h[1]), INVALID_FIELD);
        g_assert_cmpuint(nsm_unused(h), ==, 2 * MEDIUM -
                         (i ? MEDIUM : 100 * 512));
        g_assert_nonnull(err = envme_roster_missing(h->subsys));
        g_assert_nonnull(strstr(err, i ? "medium 2" : "medium 1"));
        g_clear_pointer(&err, g_free);
        /* neither its NSID nor its bytes are given away */
        th_assert_sc(nsm_create(h, 10, 0, true, &nsid), SUCCESS);
        g_assert_cmpuint(nsid, ==, 2);
        th_assert_sc(nsm_delete(h, 2), SUCCESS);
        g_assert_true(envme_subsys_add_ns(h->subsys, h->ns[i], &err));
        th_run(h);
        g_assert_null(envme_roster_missing(h->subsys));
        g_assert_true(data_ok(h, 1, 5));
        g_assert_true(data_ok(r.h[1], 1, 5));
        restart(&r);
        g_assert_true(data_ok(r.h[0], 1, 5));
    }
    finish(&r);
}

/* A controller goes and comes back to what it was given. */
static void test_controller(void)
{
    struct rig r = { 0 };
    static const uint16_t b = 1;

    rig_new(&r);
    th_assert_sc(nsm_attach_list(r.h[0], 1, false, 1, &b, 1), SUCCESS);
    th_assert_sc(nsm_attach_list(r.h[0], 2, true, 1, &b, 1),
                 NS_ALREADY_ATTACHED);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpuint(attached(r.h[0], 1), ==, 1);
        g_assert_cmpuint(attached(r.h[0], 2), ==, 3);
        th_free(r.h[1]);
        g_assert_cmpuint(attached(r.h[0], 2), ==, 1);
        r.h[1] = th_new(.peer = r.h[0]);
        g_assert_cmpuint(attached(r.h[0], 1), ==, 1);
        g_assert_cmpuint(attached(r.h[0], 2), ==, 3);
        th_enable(r.h[1]);
        restart(&r);
    }
    finish(&r);
}

/* With the state's own thread, and I/O under way. */
static void test_threads(void)
{
    char *path = g_strdup_printf("%s/r%u", folder, serial++);
    uint8_t *mem = g_malloc0(MEDIUM);
    uint32_t nsid;

    for (unsigned i = 0; i < 6; i++) {
        struct th *h = th_new(.threads = true, .lanes = 2, .state = path,
                              .ns = { { .size = MEDIUM, .mem = mem } });
        struct envme_sqe s = th_sqe(ENVME_ADM_FORMAT, 1);
        struct th_buf *b;
        struct envme_sqe w = th_sqe_rw(ENVME_NVM_WRITE, 2, 0, 8);
        uint16_t cid[16];

        th_enable(h);
        th_queues(h, 2, 32);
        if (i) {
            g_assert_cmpuint(nsm_unused(h), ==, MEDIUM - 2 * 51200);
            g_assert_true(data_ok(h, 1, 4));
            g_assert_true(data_ok(h, 2, 6 + i));
        }
        b = th_buf_new(h, 4096, 0);
        th_buf_attach(b, &w);
        for (unsigned k = 0; i && k < 16; k++) {
            cid[k] = th_submit(h, 1 + k % 2, &w);
        }
        th_assert_sc(i ? th_admin(h, &s) : nsm_delete(h, 1), SUCCESS);
        for (unsigned k = 0; i && k < 16; k++) {
            th_assert_sc(th_wait(h, 1 + k % 2, cid[k]), SUCCESS);
        }
        for (unsigned k = 1; k <= 2; k++) {
            if (i) {
                th_assert_sc(nsm_delete(h, k), SUCCESS);
            }
            th_assert_sc(nsm_create(h, 100, 0, true, &nsid), SUCCESS);
            g_assert_cmpuint(nsid, ==, k);
            th_assert_sc(nsm_attach(h, k, true), SUCCESS);
        }
        data_write(h, 1, 4);
        data_write(h, 2, 7 + i);
        th_buf_free(b);
        th_free(h);
    }
    g_free(mem);
    g_assert_cmpint(g_remove(path), ==, 0);
    g_free(path);
}

/* ---- formats ----------------------------------------------------------- */

static void test_format_goes_on(void)
{
    for (unsigned n = 0; n < 3; n++) {
        struct rig r = { 0 };
        struct envme_sqe s = th_sqe(ENVME_ADM_FORMAT, 1);
        struct envme_id_ns id;
        uint16_t cid;

        rig_new(&r);
        data_write(r.h[0], 1, 9);
        r.h[0]->be[0]->hold = true;
        s.cdw10 = le32(1);
        cid = th_submit(r.h[0], 0, &s);
        th_run(r.h[0]);
        g_assert_cmpuint(th_be_held(r.h[0]->be[0]), ==, 1);
        th_abandon(r.h[0], 0, cid);
        r.hold = true;
        rig_cut(&r);
        id = nsm_id(r.h[0], 1);
        g_assert_cmphex(id.flbas, ==, 0);
        g_assert_cmpuint(id.fpi & ENVME_FPI_PER, >, 0);
        th_assert_sc(th_read(r.h[0]), FORMAT_IN_PROGRESS);
        th_assert_sc(th_write(r.h[1]), FORMAT_IN_PROGRESS);
        th_assert_sc(th_admin(r.h[0], &s), FORMAT_IN_PROGRESS);
        th_assert_sc(nsm_delete(r.h[0], 1), FORMAT_IN_PROGRESS);
        if (n == 2) {           /* and once more */
            rig_cut(&r);
        }
        r.hold = false;
        for (unsigned i = 0; i < NMEDIA; i++) {
            r.h[0]->be[i]->hold = false;
            th_be_release_all(r.h[0]->be[i], n == 1 ? -EIO : 0);
        }
        th_run(r.h[0]);
        for (unsigned i = 0; i < 2; i++) {
            id = nsm_id(r.h[0], 1);
            g_assert_cmphex(id.fpi, ==, ENVME_FPI_FPII);
            g_assert_cmphex(id.flbas, ==, n != 1);
            g_assert_true(data_ok(r.h[1], 1, n == 1 ? 9 : 0));
            restart(&r);
        }
        finish(&r);
    }
}

/* What cannot be told to the state is not done to the medium. */
static void test_cannot_write(void)
{
    struct rig r = { .ops = &th_state_bad };
    struct envme_sqe s = th_sqe(ENVME_ADM_FORMAT, 1);
    uint32_t nsid;

    rig_new(&r);
    data_write(r.h[0], 1, 9);
    data_write(r.h[0], 2, 8);
    th_state_broken = true;
    th_assert_sc(th_admin(r.h[0], &s), INTERNAL);
    g_assert_true(data_ok(r.h[0], 1, 9));
    g_assert_cmpuint(atomic_load(
        &r.h[0]->be[0]->nops[ENVME_BIO_WRITE_ZEROES]), ==, 0);
    th_assert_sc(nsm_delete(r.h[0], 2), INTERNAL);
    /* its bytes are not anybody's before that is told */
    th_assert_sc(nsm_create(r.h[0], 100, 0, true, &nsid), INTERNAL);
    g_assert_cmpuint(nsm_unused(r.h[0]), ==, MEDIUM);
    g_assert_cmpuint(atomic_load(
        &r.h[0]->be[1]->nops[ENVME_BIO_WRITE_ZEROES]), ==, 0);
    th_state_broken = false;
    rig_cut(&r);
    g_assert_true(data_ok(r.h[0], 1, 9));
    g_assert_true(data_ok(r.h[0], 2, 8));
    th_assert_sc(th_admin(r.h[0], &s), SUCCESS);
    g_assert_true(data_ok(r.h[0], 1, 0));
    finish(&r);
}

/* ---- sanitize ---------------------------------------------------------- */

static struct envme_log_sanitize san_log(struct th *h)
{
    struct envme_log_sanitize log;

    th_assert_sc(th_get_log(h, ENVME_LID_SANITIZE, 0, 0, &log, sizeof(log),
                            false), SUCCESS);
    return log;
}

static void san_finish(struct th *h)
{
    for (unsigned i = 0; i < 2000; i++) {
        if (FIELD_GET(ENVME_SSTAT_SOS, le16_get(san_log(h).sstat)) !=
            ENVME_SOS_IN_PROGRESS) {
            return;
        }
        th_advance(h, 20 * 1000 * 1000);
    }
    g_assert_not_reached();
}

/* All bytes of all media: of namespaces that came with them, of those that
 * were made, and what is free; the power goes in between, too. */
static void test_sanitize(void)
{
    for (unsigned n = 0; n < 3; n++) {
        struct rig r = { 0 };
        struct envme_sqe s = th_sqe(ENVME_ADM_SANITIZE, 0);
        uint32_t nsid;

        rig_new(&r);
        th_assert_sc(nsm_delete(r.h[0], 2), SUCCESS);
        th_assert_sc(nsm_delete(r.h[0], 3), SUCCESS);
        th_assert_sc(nsm_create(r.h[0], MEDIUM / 512 + 30, 0, true, &nsid),
                     SUCCESS);
        for (unsigned i = 0; i < NMEDIA; i++) {
            memset(r.mem[i], 0xaa + i, MEDIUM);
        }
        s.cdw10 = le32(n ? ENVME_SANITIZE_BLOCK_ERASE :
                       ENVME_SANITIZE_OVERWRITE | ENVME_SANITIZE_NDAS |
                       (uint32_t)FIELD_SET(ENVME_SANITIZE_OWPASS, 1));
        s.cdw11 = le32(0x5a5a5a5a);
        th_assert_sc(th_admin(r.h[0], &s), SUCCESS);
        if (n == 2) {
            r.h[0]->be[1]->later = r.h[0]->be[2]->later = true;
            th_advance(r.h[0], 21 * 1000 * 1000);
            rig_cut(&r);
            g_assert_nonnull(envme_subsys_ns(r.h[0]->subsys, 2));
        }
        san_finish(r.h[1]);
        for (unsigned i = 0; i < NMEDIA; i++) {
            for (unsigned k = 0; k < MEDIUM; k++) {
                g_assert_cmphex(r.mem[i][k], ==, n ? 0 : 0x5a);
            }
        }
        restart(&r);
        g_assert_cmpuint(nsm_unused(r.h[0]), ==, MEDIUM - 30 * 512);
        finish(&r);
    }
}

/* A medium that is free goes while it is sanitized, and comes back. */
static void test_sanitize_unplugged(void)
{
    struct rig r = { 0 };
    struct envme_sqe s = th_sqe(ENVME_ADM_SANITIZE, 0);
    char *err = NULL;
    struct th *h;

    rig_new(&r);
    h = r.h[0];
    th_assert_sc(nsm_delete(h, 1), SUCCESS);
    s.cdw10 = le32(ENVME_SANITIZE_BLOCK_ERASE);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    h->be[0]->hold = true;
    while (!th_be_held(h->be[0])) {
        th_advance(h, 1000 * 1000);
    }
    envme_subsys_remove_ns(h->subsys, h->ns[0], NULL, NULL);
    th_run(h);
    g_assert_nonnull(h->ns[0]->subsys);         /* it is waited for */
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    th_run(h);
    g_assert_null(h->ns[0]->subsys);
    san_finish(h);
    g_assert_true(envme_subsys_add_ns(h->subsys, h->ns[0], &err));
    finish(&r);
}

/* ---- nothing there ----------------------------------------------------- */

static void test_nothing(void)
{
    struct th *h = th_new(.no_ns = true);
    struct envme_id_ns id, common;

    th_enable(h);
    common = nsm_id(h, UINT32_MAX);
    for (unsigned i = 0; i <= common.nlbaf; i++) {
        struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);

        for (unsigned cns = ENVME_CNS_NS_UDF; cns <= ENVME_CNS_CS_NS_UDF;
             cns++) {
            s.cdw10 = le32(cns);
            s.cdw11 = le32(i);
            memset(&id, 0xee, sizeof(id));
            th_assert_sc(th_cmd_data(h, 0, &s, &id, sizeof(id), 0), SUCCESS);
            if (cns == ENVME_CNS_NS_UDF) {
                g_assert_cmpmem(id.lbaf, sizeof(id.lbaf), common.lbaf,
                                sizeof(common.lbaf));
            }
            s.cdw11 = le32(common.nlbaf + 1);
            th_assert_sc(th_cmd_data(h, 0, &s, &id, sizeof(id), 0),
                         INVALID_FIELD);
        }
    }
    th_assert_sc(nsm_create(h, 1, 0, true, NULL), NS_INSUFFICIENT_CAP);
    th_free(h);
}

static void test_limits(void)
{
    struct th *h = th_new();

    th_enable(h);
    h->subsys->mnan = 3;
    h->subsys->maxcna = 2;
    th_assert_sc(nsm_delete(h, 1), SUCCESS);
    for (unsigned i = 1; i <= 3; i++) {
        th_assert_sc(nsm_create(h, 8, 0, true, NULL), SUCCESS);
        if (i < 3) {
            th_assert_sc(nsm_attach(h, i, true), SUCCESS);
        } else {
            th_assert_sc(nsm_attach(h, i, true), NS_ATTACH_LIMIT);
        }
    }
    th_assert_sc(nsm_create(h, 8, 0, true, NULL), NSID_UNAVAILABLE);
    th_assert_sc(nsm_delete(h, 2), SUCCESS);
    th_assert_sc(nsm_create(h, 8, 0, true, NULL), SUCCESS);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/roster/belongings", test_belongings);
    g_test_add_func("/roster/tags", test_tags);
    g_test_add_func("/roster/command-line", test_command_line);
    g_test_add_func("/roster/deleted", test_deleted);
    g_test_add_func("/roster/unplugged", test_unplugged);
    g_test_add_func("/roster/controller", test_controller);
    g_test_add_func("/roster/threads", test_threads);
    g_test_add_func("/roster/format-goes-on", test_format_goes_on);
    g_test_add_func("/roster/cannot-write", test_cannot_write);
    g_test_add_func("/roster/sanitize", test_sanitize);
    g_test_add_func("/roster/sanitize-unplugged", test_sanitize_unplugged);
    g_test_add_func("/roster/nothing", test_nothing);
    g_test_add_func("/roster/limits", test_limits);
    return rig_main();
}
