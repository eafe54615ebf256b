/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespace Write Protection, feature 84h: Base 2.1, 8.1.16. */
#include <glib/gstdio.h>
#include <unistd.h>

#include "nsm.h"

static struct envme_cqe set(struct th *h, uint32_t nsid, uint32_t wps)
{
    return th_set_feature(h, ENVME_FID_WRITE_PROTECT, nsid, wps, false);
}

static void is(struct th *h, uint32_t wps)
{
    uint32_t v = 99;

    th_assert_sc(th_get_feature(h, ENVME_FID_WRITE_PROTECT, 1, 0, &v),
                 SUCCESS);
    g_assert_cmpuint(v, ==, wps);
    g_assert_cmpuint(nsm_id(h, 1).nsattr & ENVME_NSATTR_CWP, ==, wps != 0);
    if (wps) {
        uint8_t ranges[16] = { [4] = 1 };
        struct envme_sqe s = th_sqe(ENVME_NVM_DSM, 1), f;

        s.cdw11 = le32(4);
        th_assert_sc(th_cmd_data(h, 1, &s, ranges, 16, 0),
                     NS_WRITE_PROTECTED);
        th_assert_sc(th_write(h), NS_WRITE_PROTECTED);
        th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES), NS_WRITE_PROTECTED);
        th_assert_sc(th_rw(h, ENVME_NVM_WRITE_UNCOR), NS_WRITE_PROTECTED);
        th_assert_sc(nsm_delete(h, 1), NS_WRITE_PROTECTED);
        f = th_sqe(ENVME_ADM_FORMAT, 1);
        th_assert_sc(th_admin(h, &f), NS_WRITE_PROTECTED);
        th_assert_sc(th_write(h, .nsid = 2), SUCCESS);
    } else {
        th_assert_sc(th_write(h), SUCCESS);
    }
    th_assert_sc(th_read(h), SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_FLUSH), SUCCESS);
}

static struct th *host(const char *state)
{
    struct th *h = th_new(.multi = true, .state = state,
                          .ns = { { .size = MIB }, { .size = MIB } });

    th_enable(h);
    th_queues(h, 1, 32);
    return h;
}

static void test_states(void)
{
    struct th *h = host(NULL), *b;
    struct envme_id_ctrl *c = g_malloc(4096);

    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, c), SUCCESS);
    g_assert_cmphex(c->nwpc, ==, ENVME_NWPC_NWPWPS | ENVME_NWPC_WPUPCS);
    is(h, 0);
    th_assert_sc(set(h, 1, 1), SUCCESS);
    is(h, 1);
    /* a reset leaves it, the other controller sees it and may change it */
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);
    th_queues(h, 1, 32);
    is(h, 1);
    b = th_new(.peer = h);
    th_enable(b);
    th_queues(b, 1, 32);
    is(b, 1);
    th_assert_sc(set(b, 1, 0), SUCCESS);
    is(h, 0);
    th_free(b);
    for (unsigned v = 3; v < 9; v++) {
        th_assert_sc(set(h, 1, v), INVALID_FIELD);
    }
    th_assert_sc(set(h, 1, 0x80000000u), INVALID_FIELD);
    th_assert_sc(set(h, 0, 1), INVALID_NS);
    th_assert_sc(set(h, 9, 1), INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_WRITE_PROTECT, 1, 1, true),
                 FID_NOT_SAVEABLE);
    is(h, 0);
    /* until the power goes: nothing changes it */
    th_assert_sc(set(h, 1, 2), SUCCESS);
    is(h, 2);
    for (unsigned v = 0; v < 3; v++) {
        th_assert_sc(set(h, 1, v), FEAT_NOT_CHANGEABLE);
    }
    th_reset(h, ENVME_RESET_NSSR);
    th_enable(h);
    th_queues(h, 1, 32);
    is(h, 2);
    th_be_resize(h->be[0], 2 * MIB);
    th_run(h);
    is(h, 2);
    g_free(c);
    th_free(h);
}

/* What was written before is on the medium; if that fails, nothing changes. */
static void test_flush(void)
{
    struct th *h = host(NULL);
    unsigned n = atomic_load(&h->be[0]->nops[ENVME_BIO_FLUSH]);

    th_assert_sc(set(h, 1, 1), SUCCESS);
    g_assert_cmpuint(atomic_load(&h->be[0]->nops[ENVME_BIO_FLUSH]), ==, n + 1);
    th_assert_sc(set(h, 1, 0), SUCCESS);
    h->be[0]->fail_op = ENVME_BIO_FLUSH;
    h->be[0]->fail_errno = -EIO;
    th_assert_sc(set(h, 1, 1), WRITE_FAULT);
    h->be[0]->fail_op = -1;
    is(h, 0);
    th_free(h);
}

/* All that are attached, or none. */
static void test_broadcast(void)
{
    struct th *h = host(NULL);
    uint32_t v;

    for (unsigned i = 0; i < 2; i++) {
        unsigned flushes[2] = { atomic_load(&h->be[0]->nops[ENVME_BIO_FLUSH]),
                                atomic_load(&h->be[1]->nops[ENVME_BIO_FLUSH]) };

        h->be[0]->later = h->be[1]->later = i;
        th_assert_sc(set(h, UINT32_MAX, 1), SUCCESS);
        for (unsigned k = 0; k < 2; k++) {
            th_assert_sc(th_write(h, .nsid = k + 1), NS_WRITE_PROTECTED);
            g_assert_cmpuint(atomic_load(&h->be[k]->nops[ENVME_BIO_FLUSH]), ==,
                             flushes[k] + 1);
        }
        th_assert_sc(set(h, UINT32_MAX, 0), SUCCESS);
        th_assert_sc(th_write(h, .nsid = 1), SUCCESS);
        th_assert_sc(th_write(h, .nsid = 2), SUCCESS);
        /* the second one cannot be flushed: neither is */
        h->be[1]->fail_op = ENVME_BIO_FLUSH;
        h->be[1]->fail_errno = -EIO;
        th_assert_sc(set(h, UINT32_MAX, 1), WRITE_FAULT);
        h->be[1]->fail_op = -1;
        th_assert_sc(th_write(h, .nsid = 1), SUCCESS);
        th_assert_sc(th_write(h, .nsid = 2), SUCCESS);
    }
    th_assert_sc(set(h, UINT32_MAX, 3), INVALID_FIELD);
    th_assert_sc(th_get_feature(h, ENVME_FID_WRITE_PROTECT, UINT32_MAX, 0, &v),
                 INVALID_NS);
    /* the second one cannot be changed: neither is */
    th_assert_sc(set(h, 2, 2), SUCCESS);
    th_assert_sc(set(h, UINT32_MAX, 1), FEAT_NOT_CHANGEABLE);
    th_assert_sc(th_write(h, .nsid = 1), SUCCESS);
    th_free(h);
    h = th_new(.no_ns = true);
    th_enable(h);
    th_assert_sc(set(h, UINT32_MAX, 1), SUCCESS);
    th_free(h);
}

/* The power goes and comes back. */
static void test_kept(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    static const uint8_t after[] = { 0, 1, 0, 3 };
    g_autofree char *lock = g_strconcat(path, ".lock", NULL);

    for (unsigned v = 0; v < 4; v++) {
        struct th *h = host(path);

        th_assert_sc(set(h, 1, v), SUCCESS);
        is(h, v);
        th_free(h);
        h = host(path);
        is(h, after[v]);
        if (v == 3) {
            th_assert_sc(set(h, 1, 0), FEAT_NOT_CHANGEABLE);
        } else {
            th_assert_sc(set(h, 1, 0), SUCCESS);
        }
        th_free(h);
    }
    g_remove(path);
    g_remove(lock);
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/protect/states", test_states);
    g_test_add_func("/protect/flush", test_flush);
    g_test_add_func("/protect/broadcast", test_broadcast);
    g_test_add_func("/protect/kept", test_kept);
    return g_test_run();
}
