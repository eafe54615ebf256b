/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Format NVM: Base 2.1, 5.1.10. All formats, what is refused, what others see
 * while it lasts, and what is left when something ends it early.
 */
#include "nsm.h"

#include "hw/ns/erase.h"

static struct envme_sqe sqe(uint32_t nsid, unsigned lbaf, bool mset,
                            unsigned ses)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_FORMAT, nsid);

    s.cdw10 = le32((lbaf & 15) | (lbaf >> 4) << 12 | mset << 4 | ses << 9);
    return s;
}

static struct envme_cqe format(struct th *h, uint32_t nsid, unsigned lbaf,
                               bool mset, unsigned ses)
{
    struct envme_sqe s = sqe(nsid, lbaf, mset, ses);

    return th_admin(h, &s);
}

/* All of it reads as zero; then all of it is written. */
static void check_and_fill(struct th *h, uint32_t nsid, uint8_t with)
{
    struct envme_ns *ns = envme_subsys_ns(h->subsys, nsid);
    uint32_t block = envme_ns_host_block(ns), chunk = 65536 / block;
    uint64_t nsze = atomic_load(&ns->nsze);
    uint8_t *data = g_malloc(65536), *md = NULL;

    if (ns->ms && !ns->extended) {
        md = g_malloc((size_t)chunk * ns->ms);
    }
    for (uint64_t lba = 0; lba < nsze; lba += chunk) {
        uint32_t n = MIN(chunk, nsze - lba);

        memset(data, 0x77, 65536);
        th_assert_sc(th_read(h, .nsid = nsid, .slba = lba, .nlb = n,
                             .data = data, .md = md), SUCCESS);
        g_assert_true(nsm_zero(data, n * block));
        g_assert_true(!md || nsm_zero(md, n * ns->ms));
        memset(data, with, n * block);
        if (md) {
            memset(md, with, n * ns->ms);
        }
        th_assert_sc(th_write(h, .nsid = nsid, .slba = lba, .nlb = n,
                              .data = data, .md = md), SUCCESS);
    }
    th_assert_sc(th_read(h, .nsid = nsid, .slba = nsze), LBA_RANGE);
    g_free(data);
    g_free(md);
}

/* From each format to the next, by every kind of erase; one that came with
 * its medium and one that the host made. */
static void test_all(void)
{
    for (unsigned made = 0; made < 2; made++) {
        struct th *h = th_new(.ns = { { .size = 300001, .align = 1 } });
        struct envme_id_ns id;
        uint64_t unused, bytes;
        uint32_t nsid = 1;

        th_enable(h);
        th_queues(h, 1, 32);
        if (made) {
            th_assert_sc(nsm_delete(h, 1), SUCCESS);
            th_assert_sc(nsm_create(h, 500, 1, true, &nsid), SUCCESS);
            th_assert_sc(nsm_attach(h, nsid, true), SUCCESS);
        }
        unused = nsm_unused(h);
        bytes = 300001 - unused;
        check_and_fill(h, 1, 0xee);
        id = nsm_id(h, 1);
        for (unsigned i = 0; i <= id.nlbaf; i++) {
            for (unsigned k = 0; k < 6; k++) {
                uint32_t block = (1u << id.lbaf[i].ds) +
                                 le16_get(id.lbaf[i].ms);
                struct envme_id_ns now;

                th_assert_sc(format(h, 1, i, k & 1, k / 2), SUCCESS);
                now = nsm_id(h, 1);
                g_assert_cmpuint(le64_get(now.nsze), ==, bytes / block);
                g_assert_cmpuint(le64_get(now.ncap), ==, bytes / block);
                g_assert_cmphex(now.flbas & 0x0f, ==, i & 15);
                g_assert_cmphex(now.flbas & 0x60, ==, i >> 4 << 5);
                g_assert_cmpuint(!!(now.flbas & ENVME_FLBAS_MTELBA), ==,
                                 (k & 1) && le16_get(id.lbaf[i].ms));
                g_assert_cmphex(now.fpi, ==, ENVME_FPI_FPII);
                g_assert_cmpuint(nsm_le(now.nvmcap), ==, bytes);
                g_assert_cmpuint(nsm_unused(h), ==, unused);
                check_and_fill(h, 1, i + k + 1);
            }
        }
        th_free(h);
    }
}

/* With protection information of each type, and without it again. */
static void test_protected(void)
{
    struct th *h = th_new(.ns = { { .size = 100000, .align = 1 } });
    struct envme_id_ns id;
    struct envme_sqe s;

    th_enable(h);
    th_queues(h, 1, 32);
    id = nsm_id(h, 1);
    g_assert_cmpuint(id.nlbaf, ==, 15);
    th_assert_sc(format(h, 1, 16, false, 0), FORMAT_INVALID);
    nsm_all_formats(h);
    id = nsm_id(h, 1);
    g_assert_cmpuint(id.nlbaf, >, 15);
    for (unsigned i = 0; i <= id.nlbaf; i++) {
        for (unsigned k = 0; k < 16; k++) {
            struct envme_cqe c;

            s = sqe(1, i, k & 4, 0);
            s.cdw10 = le32(le32_get(s.cdw10) | (k & 3) << 5 | (k >> 3) << 8);
            c = th_admin(h, &s);
            if ((k & 3) && le16_get(id.lbaf[i].ms) < 8) {
                th_assert_sc(c, FORMAT_INVALID);
                continue;
            }
            th_assert_sc(c, SUCCESS);
            g_assert_cmphex(nsm_id(h, 1).dps, ==, k & 3 ?
                            (k & 3) | (k >> 3) << 3 : 0);
            if (k & 3) {
                nsm_use_pi(h, 1);
            } else {
                check_and_fill(h, 1, 0x3c);
            }
        }
    }
    th_free(h);
}

/* What could not be read can be: it is all new. */
static void test_unreadable(void)
{
    struct th *h = th_new(.ns = { { .size = MIB } });

    th_enable(h);
    th_queues(h, 1, 32);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_UNCOR, .slba = 3, .nlb = 2),
                 SUCCESS);
    th_assert_sc(th_read(h, .slba = 4), UNRECOVERED_READ);
    th_assert_sc(format(h, 1, 0, false, 0), SUCCESS);
    th_assert_sc(th_read(h, .slba = 4), SUCCESS);
    check_and_fill(h, 1, 1);
    th_free(h);
}

static void test_statuses(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .align = 1 },
                                  { .size = MIB, .align = 1,
                                    .read_only = true },
                                  { .size = 2048, .align = 1 } });
    struct envme_id_ctrl *c = g_malloc(4096);
    struct envme_sqe s;
    struct envme_id_ns id;
    uint8_t data[512];

    th_enable(h);
    th_queues(h, 1, 32);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, c), SUCCESS);
    g_assert_cmphex(le16_get(c->oacs) & ENVME_OACS_FNVMS, !=, 0);
    g_assert_cmphex(c->fna, ==, ENVME_FNA_CRYES);
    th_pattern(data, 512, 1);
    th_assert_sc(th_write(h, .data = data), SUCCESS);
    id = nsm_id(h, 1);
    th_assert_sc(format(h, 1, id.nlbaf + 1, false, 0), FORMAT_INVALID);
    th_assert_sc(format(h, 1, 63, false, 0), FORMAT_INVALID);
    th_assert_sc(format(h, 1, 1, false, 3), INVALID_FIELD);
    th_assert_sc(format(h, 1, 1, false, 7), INVALID_FIELD);
    th_assert_sc(format(h, 0, 1, false, 0), INVALID_NS);
    th_assert_sc(format(h, 9, 1, false, 0), INVALID_FIELD);
    th_assert_sc(format(h, 17, 1, false, 0), INVALID_NS);
    th_assert_sc(format(h, 2, 1, false, 0), NS_WRITE_PROTECTED);
    /* too small for a block */
    th_assert_sc(format(h, 3, 4, false, 0), FORMAT_INVALID);
    /* all or none */
    th_assert_sc(format(h, UINT32_MAX, 1, false, 0), NS_WRITE_PROTECTED);
    /* no room, or no such type */
    for (unsigned pi = 1; pi < 8; pi++) {
        s = sqe(1, pi < 4 ? 0 : 1, false, 0);
        s.cdw10 = le32(le32_get(s.cdw10) | pi << 5);
        th_assert_sc(th_admin(h, &s), FORMAT_INVALID);
    }
    for (unsigned bit = 14; bit < 32; bit++) {
        s = sqe(1, 0, false, 0);
        s.cdw10 = le32(1u << bit);
        th_assert_sc(th_admin(h, &s), INVALID_FIELD);
    }
    g_assert_cmpmem(&id, sizeof(id), &(struct envme_id_ns[]){ nsm_id(h, 1) },
                    sizeof(id));
    memset(data, 0, 512);
    th_assert_sc(th_read(h, .data = data), SUCCESS);
    g_assert_true(th_pattern_ok(data, 512, 1));
    g_free(c);
    th_free(h);
}

/* While it lasts: the percentage, and who is refused what. */
static void test_progress(void)
{
    static const uint8_t left[] = { 100, 68, 36, 4, 1 };
    struct th *a = th_new(.multi = true, .ns = { { .size = 200 * MIB,
                                                   .align = 1 },
                                                 { .size = MIB } });
    struct th *b = th_new(.peer = a);
    struct envme_sqe s = sqe(1, 1, false, 0);
    struct envme_id_ns_indep in;
    struct envme_cqe c;
    uint16_t cid;

    th_enable(a);
    th_enable(b);
    th_queues(a, 1, 32);
    th_queues(b, 1, 32);
    a->be[0]->hold = true;
    cid = th_submit(a, 0, &s);
    th_run(a);
    for (unsigned i = 0; i < G_N_ELEMENTS(left); i++) {
        struct envme_id_ns id = nsm_id(i & 1 ? a : b, 1);

        g_assert_cmpuint(th_be_held(a->be[0]), ==, 1);
        g_assert_cmphex(id.fpi, ==, ENVME_FPI_FPII | left[i]);
        th_assert_sc(th_identify_csi(a, ENVME_CNS_NS_INDEP, 1, 0, 0, &in),
                     SUCCESS);
        g_assert_cmphex(in.fpi, ==, id.fpi);
        g_assert_cmpuint(le64_get(id.nsze), ==, 200 * MIB / 512);
        c = th_read(a);
        th_assert_sc(c, FORMAT_IN_PROGRESS);
        g_assert_false(cqe_dnr(&c));
        th_assert_sc(th_write(b), FORMAT_IN_PROGRESS);
        th_assert_sc(th_rw(b, ENVME_NVM_FLUSH, .nsid = 1), FORMAT_IN_PROGRESS);
        th_assert_sc(th_read(b, .nsid = 2), SUCCESS);
        th_assert_sc(format(b, 1, 0, false, 0), FORMAT_IN_PROGRESS);
        th_assert_sc(format(a, UINT32_MAX, 0, false, 0), FORMAT_IN_PROGRESS);
        th_assert_sc(nsm_delete(a, 1), FORMAT_IN_PROGRESS);
        th_assert_sc(nsm_delete(a, UINT32_MAX), FORMAT_IN_PROGRESS);
        g_assert_false(th_done(a, 0, cid, &c));
        th_be_release(a->be[0], 0, 0);
        th_run(a);
    }
    th_assert_sc(th_wait(a, 0, cid), SUCCESS);
    a->be[0]->hold = false;
    g_assert_cmphex(nsm_id(b, 1).fpi, ==, ENVME_FPI_FPII);
    g_assert_cmpuint(le64_get(nsm_id(b, 1).nsze), ==, 200 * MIB / 520);
    th_assert_sc(th_read(b), SUCCESS);
    th_free(b);
    th_free(a);
}

/* All that are attached, at once; others are left alone. */
static void test_broadcast(void)
{
    struct th *h = th_new(.multi = true,
                          .ns = { { .size = MIB }, { .size = MIB },
                                  { .size = MIB, .detached = true },
                                  { .size = MIB } });
    uint8_t ones[512], got[512];

    memset(ones, 1, 512);
    th_enable(h);
    th_queues(h, 1, 32);
    th_assert_sc(nsm_attach(h, 3, true), SUCCESS);
    for (unsigned i = 1; i <= 4; i++) {
        th_assert_sc(th_write(h, .nsid = i, .data = ones), SUCCESS);
    }
    th_assert_sc(nsm_attach(h, 3, false), SUCCESS);
    /* 4096 bytes: the second of those without metadata */
    th_assert_sc(format(h, UINT32_MAX, 1, false, 1), SUCCESS);
    th_assert_sc(nsm_attach(h, 3, true), SUCCESS);
    for (unsigned i = 1; i <= 4; i++) {
        g_assert_cmpuint(le64_get(nsm_id(h, i).nsze), ==,
                         i == 3 ? 2048 : 256);
        if (i != 3) {
            check_and_fill(h, i, 5);
        }
    }
    th_assert_sc(th_read(h, .nsid = 3, .data = got), SUCCESS);
    g_assert_cmpmem(got, 512, ones, 512);
    th_free(h);
}

static void fill(struct th *h, struct th_buf *b, bool two)
{
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);

    th_buf_attach(b, &s);
    for (unsigned i = 0; i < 30; i++) {
        s.cdw10 = le32(i * 8);
        th_submit(h, two ? 1 + i % 2 : 1, &s);
    }
}

static void reap(struct th *h)
{
    for (unsigned i = 0; i < 20; i++) {
        th_reap(h, 1);
        th_reap(h, 2);
        th_run(h);
    }
}

/* Under load of two controllers: what was written before is gone, and nothing
 * is written by the old format; with resets of either. */
static void test_busy(void)
{
    for (unsigned n = 0; n < 120; n++) {
        struct th *a = th_new(.multi = true, .lanes = n % 3, .seed = n + 1,
                              .ns = { { .size = 256 * KIB, .align = 1 } });
        struct th *b = th_new(.peer = a, .lanes = n % 3, .seed = n + 1);
        struct envme_sqe s = sqe(n & 1 ? 1 : UINT32_MAX, 5, n & 2, n % 3);
        struct th_buf *ba, *bb;
        struct envme_ns *ns = a->ns[0];
        uint16_t cid;

        th_enable(a);
        th_enable(b);
        th_queues(a, 2, 64);
        th_queues(b, 2, 64);
        ba = th_buf_new(a, 4096, 0);
        bb = th_buf_new(b, 4096, 0);
        th_buf_fill(ba, 0xaa);
        th_buf_fill(bb, 0xbb);
        /* All are with the backend when it begins: what comes after it is
         * written by the new format. */
        a->be[0]->later = a->be[0]->hold = true;
        fill(a, ba, true);
        fill(b, bb, true);
        th_run(a);
        g_assert_cmpuint(th_be_held(a->be[0]), ==, 60);
        a->be[0]->hold = false;
        cid = th_submit(a, 0, &s);
        for (unsigned i = th_random(a, 30); i; i--) {
            th_step(a);
        }
        g_assert_cmpuint(ns->flbas, ==, 0);
        th_be_release_all(a->be[0], 0);
        for (unsigned i = th_random(a, 40); i; i--) {
            th_step(a);
        }
        switch (n % 4) {
        case 0:
            th_run(a);
            reap(a);
            reap(b);
            th_assert_sc(th_wait(a, 0, cid), SUCCESS);
            g_assert_cmpuint(ns->flbas, ==, 5);
            break;
        case 1:
            th_reset(a, ENVME_RESET_FUNCTION);
            th_enable(a);
            th_queues(a, 2, 64);
            break;
        case 2:
            th_disable(b);
            th_enable(b);
            th_queues(b, 2, 64);
            break;
        default:
            th_w32(b, ENVME_REG_NSSR, ENVME_NSSR_KEY);
            th_run(a);
            th_forget(a);
            th_forget(b);
            th_enable(a);
            th_enable(b);
            th_queues(a, 2, 64);
            th_queues(b, 2, 64);
            break;
        }
        th_run(a);
        reap(a);
        reap(b);
        g_assert_null(ns->erase);
        g_assert_cmphex(atomic_load(&ns->gate_sf), ==, 0);
        if (n % 4 == 2) {
            th_assert_sc(th_wait(a, 0, cid), SUCCESS);
        }
        /* It was done, or had not begun. */
        g_assert_true(ns->flbas == 5 || (ns->flbas == 0 && (n & 1)));
        if (ns->flbas == 5) {
            g_assert_cmpuint(atomic_load(&ns->nsze), ==, 256 * KIB / 4104);
            check_and_fill(b, 1, 3);
        }
        th_assert_sc(th_read(a), SUCCESS);
        th_buf_free(ba);
        th_buf_free(bb);
        th_free(b);
        th_free(a);
    }
}

/* A reset in the middle: it goes on, and is told to be under way. */
static void test_reset(void)
{
    for (unsigned n = 0; n < 3; n++) {
        struct th *h = th_new(.ns = { { .size = MIB, .align = 1 } });
        struct envme_sqe s = sqe(1, 1, true, 0);

        th_enable(h);
        th_queues(h, 1, 32);
        h->be[0]->hold = true;
        th_submit(h, 0, &s);
        th_run(h);
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
        if (n == 0) {
            th_disable(h);
        } else if (n == 1) {
            th_reset(h, ENVME_RESET_FUNCTION);
        } else {
            th_reset(h, ENVME_RESET_NSSR);
        }
        th_enable(h);
        th_queues(h, 1, 32);
        g_assert_cmphex(nsm_id(h, 1).fpi, >, ENVME_FPI_FPII);
        th_assert_sc(th_read(h), FORMAT_IN_PROGRESS);
        h->be[0]->hold = false;
        th_be_release_all(h->be[0], 0);
        th_run(h);
        g_assert_cmphex(nsm_id(h, 1).fpi, ==, ENVME_FPI_FPII);
        g_assert_cmpuint(le64_get(nsm_id(h, 1).nsze), ==, MIB / 520);
        check_and_fill(h, 1, 4);
        th_free(h);
    }
}

/* The medium fails: the old format, and commands again. The medium goes. */
static void test_failing(void)
{
    static const struct {
        int err;
        uint16_t sc;
    } cases[] = {
        { -EIO, ENVME_SC_WRITE_FAULT }, { -ENOSPC, ENVME_SC_CAP_EXCEEDED },
        { -EROFS, ENVME_SC_NS_WRITE_PROTECTED }, { -ENOMEM, ENVME_SC_INTERNAL },
    };
    struct th *h = th_new(.ns = { { .size = MIB, .align = 1 } });
    struct envme_sqe s = sqe(1, 2, false, 0);
    struct envme_cqe c;
    char *err = NULL;
    uint16_t cid;

    th_enable(h);
    th_queues(h, 1, 32);
    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        h->be[0]->later = i & 1;
        h->be[0]->fail_op = ENVME_BIO_WRITE_ZEROES;
        h->be[0]->fail_errno = cases[i / 2].err;
        c = format(h, 1, 1, false, 0);
        g_assert_cmphex(cqe_sc(&c), ==, cases[i / 2].sc);
        h->be[0]->fail_op = ENVME_BIO_FLUSH;
        c = format(h, 1, 1, false, 0);
        g_assert_cmphex(cqe_sc(&c), ==, cases[i / 2].sc);
        h->be[0]->fail_op = -1;
        g_assert_cmpuint(le64_get(nsm_id(h, 1).nsze), ==, MIB / 512);
        th_assert_sc(th_read(h), SUCCESS);
    }
    h->be[0]->hold = true;
    h->be[0]->cancel_completes = true;
    cid = th_submit(h, 0, &s);
    th_run(h);
    envme_subsys_remove_ns(h->subsys, h->ns[0], NULL, NULL);
    th_run(h);
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    th_run(h);
    th_assert_sc(th_wait(h, 0, cid), INTERNAL);
    g_assert_null(h->ns[0]->subsys);
    g_assert_true(envme_subsys_add_ns(h->subsys, h->ns[0], &err));
    th_run(h);
    th_assert_sc(th_read(h), SUCCESS);
    th_free(h);
}

/* Who has it attached hears of it; of a format that changes nothing, nobody. */
static void test_events(void)
{
    struct th *a = th_new(.multi = true, .ns = { { .size = MIB, .align = 1 } });
    struct th *b = th_new(.peer = a);
    uint32_t log[1024];
    struct envme_cqe c;
    uint16_t aer;

    th_enable(a);
    th_enable(b);
    th_assert_sc(th_get_log(b, ENVME_LID_CHANGED_NS, UINT32_MAX, 0, log, 4096,
                            false), SUCCESS);
    th_assert_sc(th_set_feature(b, ENVME_FID_AEC, 0, ENVME_FEAT_AEC_NSAN,
                                false), SUCCESS);
    aer = th_aer(b);
    th_assert_sc(format(a, 1, 0, false, 0), SUCCESS);
    th_assert_sc(format(a, 1, 0, true, 0), SUCCESS);
    th_run(a);
    g_assert_false(th_try_wait(b, 0, aer, &c));
    th_assert_sc(format(a, 1, 1, false, 0), SUCCESS);
    th_run(a);
    g_assert_true(th_try_wait(b, 0, aer, &c));
    th_assert_sc(th_get_log(b, ENVME_LID_CHANGED_NS, UINT32_MAX, 0, log, 4096,
                            false), SUCCESS);
    g_assert_cmpuint(log[0], ==, 1);
    aer = th_aer(b);
    th_assert_sc(format(a, 1, 1, true, 0), SUCCESS);
    th_run(a);
    g_assert_true(th_try_wait(b, 0, aer, &c));
    th_free(b);
    th_free(a);
}

/* With real threads, while two controllers' worth of lanes do I/O. */
static void test_threads(void)
{
    struct th *h = th_new(.threads = true, .lanes = 2,
                          .ns = { { .size = MIB, .align = 1 } });
    struct th_buf *b = th_buf_new(h, 4096, 0);

    th_enable(h);
    th_queues(h, 2, 64);
    for (unsigned n = 0; n < 60; n++) {
        struct envme_sqe s = sqe(1, n & 1 ? 4 : 0, false, n % 3);
        uint16_t cid;

        fill(h, b, true);
        cid = th_submit(h, 0, &s);
        th_assert_sc(th_wait(h, 0, cid), SUCCESS);
        for (unsigned i = 0; i < 1000 && (h->sq[1]->nout || h->sq[2]->nout);
             i++) {
            th_reap(h, 1);
            th_reap(h, 2);
            th_run(h);
            g_usleep(100);
        }
        g_assert_cmpuint(h->sq[1]->nout + h->sq[2]->nout, ==, 0);
        th_assert_sc(th_read(h), SUCCESS);
    }
    th_buf_free(b);
    th_free(h);
}

/* Memory is zeroed at once, but not in one go: others get their turns. */
static void test_turns(void)
{
    struct th *h = th_new(.ns = { { .size = 300 * MIB, .align = 1 } });
    struct envme_sqe s = sqe(1, 1, false, 0);
    unsigned last = 101, seen = 0;
    uint16_t cid;

    th_enable(h);
    cid = th_submit(h, 0, &s);
    while (th_step(h)) {
        unsigned left = envme_ns_erase_left(h->ns[0]);

        if (left && left != last) {
            g_assert_cmpuint(left, <, last);
            last = left;
            seen++;
        }
    }
    g_assert_cmpuint(seen, >=, 4);
    th_assert_sc(th_wait(h, 0, cid), SUCCESS);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/format/all", test_all);
    g_test_add_func("/format/protected", test_protected);
    g_test_add_func("/format/unreadable", test_unreadable);
    g_test_add_func("/format/statuses", test_statuses);
    g_test_add_func("/format/turns", test_turns);
    g_test_add_func("/format/progress", test_progress);
    g_test_add_func("/format/broadcast", test_broadcast);
    g_test_add_func("/format/busy", test_busy);
    g_test_add_func("/format/reset", test_reset);
    g_test_add_func("/format/failing", test_failing);
    g_test_add_func("/format/events", test_events);
    g_test_add_func("/format/threads", test_threads);
    return g_test_run();
}
