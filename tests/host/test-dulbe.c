/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deallocated or Unwritten Logical Block: feature 05h, and what makes a block
 * be one. NVM 1.1, 3.3.3.2.1 and 4.1.3.2.
 */
#include "th.h"

#define DULBE ENVME_FEAT_ER_DULBE

static void dulbe(struct th *h, uint32_t nsid, bool on)
{
    th_assert_sc(th_set_feature(h, ENVME_FID_ERROR_RECOVERY, nsid,
                                on ? DULBE : 0, false), SUCCESS);
}

static struct envme_cqe dsm(struct th *h, uint64_t slba, uint32_t nlb)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_DSM, 1);
    struct envme_dsm_range r = { .slba = le64(slba), .nlb = le32(nlb) };

    s.cdw11 = le32(ENVME_DSM_AD);
    return th_cmd_data(h, 1, &s, &r, sizeof(r), TH_PRP);
}

static struct envme_cqe copy(struct th *h, uint16_t fmt, uint32_t snsid,
                             uint64_t slba, unsigned nlb, uint64_t to)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_COPY, 1);
    struct envme_copy_range_f2 r = {
        .snsid = le32(fmt ? snsid : 0), .slba = le64(slba),
        .nlb = le16(nlb - 1),
    };

    s.cdw10 = le32(to);
    s.cdw12 = le32(FIELD_SET(ENVME_COPY_DESFMT, fmt));
    return th_cmd_data(h, 1, &s, &r, sizeof(r), TH_PRP);
}

static uint64_t err_lba(struct th *h)
{
    struct envme_log_error e;

    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, &e, sizeof(e),
                            false), SUCCESS);
    return le64_get(e.lba);
}

static struct th *host(bool later)
{
    struct th *h = th_new(.ns = { { .size = MIB }, { .size = MIB } });

    th_enable(h);
    th_queues(h, 1, 32);
    h->be[0]->later = h->be[1]->later = later;
    return h;
}

/* All commands that read; off by default, and per namespace. */
static void check_commands(bool later)
{
    static const uint8_t ops[] = {
        ENVME_NVM_READ, ENVME_NVM_COMPARE, ENVME_NVM_VERIFY,
    };
    struct th *h = host(later);
    struct envme_id_ns id;
    struct envme_cqe c;
    unsigned before;

    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, &id), SUCCESS);
    g_assert_true(id.nsfeat & ENVME_NSFEAT_DAE);
    for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
        th_assert_sc(th_rw(h, ops[i], .slba = 10, .nlb = 8), SUCCESS);
    }
    /* Nothing looks at the allocation as long as nobody wants it. */
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_STATUS], ==, 0);
    th_assert_sc(th_write(h, .slba = 8, .nlb = 8), SUCCESS);
    dulbe(h, 1, true);
    for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
        before = h->be[0]->nops[ENVME_BIO_READ];
        th_assert_sc(th_rw(h, ops[i], .slba = 8, .nlb = 8), SUCCESS);
        g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_READ], >, before);
        before = h->be[0]->nops[ENVME_BIO_READ];
        c = th_rw(h, ops[i], .slba = 0);
        th_assert_sc(c, DEALLOCATED_BLOCK);
        g_assert_true(cqe_dnr(&c));
        th_assert_sc(th_rw(h, ops[i], .slba = 7, .nlb = 2), DEALLOCATED_BLOCK);
        g_assert_cmpuint(err_lba(h), ==, 7);
        th_assert_sc(th_rw(h, ops[i], .slba = 8, .nlb = 9), DEALLOCATED_BLOCK);
        g_assert_cmpuint(err_lba(h), ==, 16);
        g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_READ], ==, before);
        /* The range comes first. */
        th_assert_sc(th_rw(h, ops[i], .slba = MIB / 512), LBA_RANGE);
        th_assert_sc(th_rw(h, ops[i], .nsid = 2), SUCCESS);
    }
    g_assert_cmpuint(h->be[1]->nops[ENVME_BIO_STATUS], ==, 0);
    /* Reading and verifying leave it as it is. */
    th_assert_sc(th_read(h, .slba = 0), DEALLOCATED_BLOCK);
    th_assert_sc(copy(h, 0, 0, 8, 8, 100), SUCCESS);
    th_assert_sc(th_read(h, .slba = 100, .nlb = 8), SUCCESS);
    th_assert_sc(copy(h, 0, 0, 8, 9, 200), DEALLOCATED_BLOCK);
    g_assert_cmpuint(err_lba(h), ==, 16);
    th_assert_sc(th_read(h, .slba = 200), DEALLOCATED_BLOCK);
    dulbe(h, 1, false);
    th_assert_sc(th_read(h, .slba = 0), SUCCESS);
    /* For all namespaces. */
    dulbe(h, UINT32_MAX, true);
    th_assert_sc(th_read(h, .slba = 0), DEALLOCATED_BLOCK);
    th_assert_sc(th_read(h, .nsid = 2), DEALLOCATED_BLOCK);
    th_disable(h);
    th_enable(h);
    th_queues(h, 1, 32);
    th_assert_sc(th_read(h, .slba = 0), SUCCESS);
    th_free(h);
}

static void test_commands(void)
{
    check_commands(false);
}

static void test_commands_later(void)
{
    check_commands(true);
}

/* A Copy obeys the source's setting. */
static void test_copy_across(void)
{
    struct th *h = host(false);
    struct envme_feat_host_behavior b = { .cdfe = le16(ENVME_CDFE_CDF2E) };
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);

    s.cdw10 = le32(ENVME_FID_HOST_BEHAVIOR);
    th_assert_sc(th_cmd_data(h, 0, &s, &b, sizeof(b), TH_PRP), SUCCESS);
    dulbe(h, 1, true);
    th_assert_sc(copy(h, 2, 2, 0, 4, 0), SUCCESS);
    dulbe(h, 2, true);
    th_assert_sc(copy(h, 2, 2, 0, 4, 0), DEALLOCATED_BLOCK);
    th_assert_sc(th_write(h, .nsid = 2, .nlb = 4), SUCCESS);
    th_assert_sc(copy(h, 2, 2, 0, 4, 8), SUCCESS);
    th_assert_sc(th_read(h, .slba = 8, .nlb = 4), SUCCESS);
    /* What refuses the source's commands refuses this one. */
    atomic_store(&h->ns[1]->gate_sf, ENVME_ST(FORMAT_IN_PROGRESS).sf);
    th_assert_sc(copy(h, 2, 2, 0, 4, 8), FORMAT_IN_PROGRESS);
    atomic_store(&h->ns[1]->gate_sf, 0);
    th_assert_sc(copy(h, 2, 3, 0, 4, 8), INVALID_FIELD);
    th_assert_sc(copy(h, 2, 99, 0, 4, 8), INVALID_NS);
    th_free(h);
}

/* What deallocates, and what writes. */
static void test_allocation(void)
{
    struct th *h = host(false);
    uint8_t data[4096];

    dulbe(h, 1, true);
    th_pattern(data, sizeof(data), 1);
    th_assert_sc(th_write(h, .slba = 0, .nlb = 8, .data = data), SUCCESS);
    th_assert_sc(dsm(h, 2, 3), SUCCESS);
    th_assert_sc(th_read(h, .slba = 0, .nlb = 2), SUCCESS);
    th_assert_sc(th_read(h, .slba = 5, .nlb = 3), SUCCESS);
    for (unsigned i = 2; i < 5; i++) {
        th_assert_sc(th_read(h, .slba = i), DEALLOCATED_BLOCK);
    }
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .slba = 2), SUCCESS);
    th_assert_sc(th_read(h, .slba = 2), SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .slba = 2,
                       .cdw12 = ENVME_RW_DEAC), SUCCESS);
    th_assert_sc(th_read(h, .slba = 2), DEALLOCATED_BLOCK);
    /* Zeroes that a host has written are written. */
    memset(data, 0, 512);
    th_assert_sc(th_write(h, .slba = 3, .data = data), SUCCESS);
    th_assert_sc(th_read(h, .slba = 3), SUCCESS);
    /* Write Uncorrectable is a write: its own error comes first. */
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_UNCOR, .slba = 4), SUCCESS);
    th_assert_sc(th_read(h, .slba = 4), UNRECOVERED_READ);
    th_assert_sc(th_read(h, .slba = 2, .nlb = 3), UNRECOVERED_READ);
    th_assert_sc(dsm(h, 4, 1), SUCCESS);
    th_assert_sc(th_read(h, .slba = 4), DEALLOCATED_BLOCK);
    /* The whole namespace at once. */
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_UNCOR, .slba = 700), SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .slba = 5,
                       .cdw12 = ENVME_RW_NSZ), INVALID_FIELD);
    {
        struct envme_cqe c = th_rw(h, ENVME_NVM_WRITE_ZEROES,
                                   .slba = UINT64_MAX,
                                   .cdw12 = ENVME_RW_NSZ | ENVME_RW_DEAC);

        th_assert_sc(c, SUCCESS);
        g_assert_cmpuint(le32_get(c.dw0), ==, 1);
        c = th_rw(h, ENVME_NVM_WRITE_ZEROES, .cdw12 = ENVME_RW_DEAC);
        g_assert_cmpuint(le32_get(c.dw0), ==, 0);
    }
    th_assert_sc(th_read(h, .slba = 0), DEALLOCATED_BLOCK);
    th_assert_sc(th_read(h, .slba = 700), DEALLOCATED_BLOCK);
    dulbe(h, 1, false);
    memset(data, 0xee, sizeof(data));
    th_assert_sc(th_read(h, .slba = 0, .nlb = 8, .data = data), SUCCESS);
    for (unsigned i = 0; i < sizeof(data); i++) {
        g_assert_cmphex(data[i], ==, 0);
    }
    th_free(h);
}

/* Blocks of which the medium has only a part. */
static void test_partial(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .lbs = 4096 } });
    struct envme_bio bio = { .op = ENVME_BIO_WRITE, .bytes = 512 };
    uint8_t data[512] = { 1 };
    struct iovec iov = { data, sizeof(data) };

    th_enable(h);
    th_queues(h, 1, 8);
    dulbe(h, 1, true);
    bio.iov = &iov;
    bio.niov = 1;
    for (unsigned i = 0; i < 3; i++) {
        /* First, in the middle, last: of blocks 1, 3 and 5. */
        bio.offset = 4096 * (2 * i + 1) + (i == 0 ? 0 : i == 1 ? 2048 : 3584);
        g_assert_cmpint(h->be[0]->inner->ops->submit(h->be[0]->inner, &bio),
                        ==, 0);
    }
    for (unsigned i = 0; i < 7; i++) {
        struct envme_cqe c = th_read(h, .slba = i);

        if (i & 1) {
            th_assert_sc(c, SUCCESS);
        } else {
            th_assert_sc(c, DEALLOCATED_BLOCK);
        }
        c = th_read(h, .slba = i, .nlb = 2);
        th_assert_sc(c, DEALLOCATED_BLOCK);
        g_assert_cmpuint(err_lba(h), ==, i & 1 ? i + 1 : i);
    }
    th_free(h);
}

/* Metadata and protection information: the data alone says what a block is. */
static void test_metadata(void)
{
    static const struct th_ns_opts ns[] = {
        { .size = MIB, .ms = 8 },
        { .size = MIB, .ms = 16, .mset = true, .max_transfer = 1024 },
        { .size = MIB, .ms = 8, .pi = 1 },
        { .size = MIB, .ms = 16, .mset = true, .pi = 3, .pil = 1 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ns); i++) {
        static const uint8_t ops[] = {
            ENVME_NVM_READ, ENVME_NVM_COMPARE, ENVME_NVM_VERIFY,
        };
        struct th *h = th_new(.ns = { ns[i] });
        uint32_t pract = ns[i].pi ? ENVME_RW_PRACT : 0;
        uint8_t data[1100] = { 0 }, md[64] = { 0 };

        th_enable(h);
        th_queues(h, 1, 8);
        h->be[0]->later = true;
        dulbe(h, 1, true);
        for (unsigned k = 0; k < G_N_ELEMENTS(ops); k++) {
            th_assert_sc(th_rw(h, ops[k], .slba = 4, .nlb = 2,
                               .cdw14 = 4), DEALLOCATED_BLOCK);
        }
        th_assert_sc(th_write(h, .slba = 4, .nlb = 2, .cdw12 = pract,
                              .cdw14 = 4), SUCCESS);
        th_assert_sc(th_read(h, .slba = 4, .nlb = 2, .data = data, .md = md,
                             .cdw14 = 4), SUCCESS);
        th_assert_sc(th_rw(h, ENVME_NVM_COMPARE, .slba = 4, .nlb = 2,
                           .data = data, .md = md, .cdw14 = 4), SUCCESS);
        th_assert_sc(th_rw(h, ENVME_NVM_VERIFY, .slba = 4, .nlb = 2,
                           .cdw14 = 4), SUCCESS);
        th_assert_sc(dsm(h, 5, 1), SUCCESS);
        th_assert_sc(th_read(h, .slba = 4, .nlb = 2, .cdw14 = 4),
                     DEALLOCATED_BLOCK);
        g_assert_cmpuint(err_lba(h), ==, 5);
        th_free(h);
    }
}

/* Fused Compare and Write: the Write goes with the Compare. */
static void test_fused(void)
{
    struct th *h = host(true);
    struct envme_sqe s;
    uint16_t cid[2];
    uint64_t a = th_alloc(h, 4096);

    dulbe(h, 1, true);
    for (unsigned written = 0; written < 2; written++) {
        s = th_sqe_rw(ENVME_NVM_COMPARE, 1, 20, 1);
        s.flags = FIELD_SET(ENVME_FUSE, ENVME_FUSE_FIRST);
        s.dptr.prp1 = le64(a);
        cid[0] = th_put(h, 1, &s);
        s = th_sqe_rw(ENVME_NVM_WRITE, 1, 20, 1);
        s.flags = FIELD_SET(ENVME_FUSE, ENVME_FUSE_SECOND);
        s.dptr.prp1 = le64(a);
        cid[1] = th_put(h, 1, &s);
        th_ring(h, 1);
        if (written) {
            th_assert_sc(th_wait(h, 1, cid[0]), SUCCESS);
            th_assert_sc(th_wait(h, 1, cid[1]), SUCCESS);
        } else {
            th_assert_sc(th_wait(h, 1, cid[0]), DEALLOCATED_BLOCK);
            th_assert_sc(th_wait(h, 1, cid[1]), ABORT_FAILED_FUSED);
            th_assert_sc(th_read(h, .slba = 20), DEALLOCATED_BLOCK);
            th_assert_sc(th_write(h, .slba = 20), SUCCESS);
        }
    }
    th_free_pages(h, a, 4096);
    th_free(h);
}

/* A backend that can't tell, errors on the way, aborts and resets. */
static void test_backend(void)
{
    struct th *h = host(false);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);
    struct envme_id_ns id;
    struct envme_cqe c;
    uint16_t cid;

    s.dptr.prp1 = le64(th_alloc(h, 4096));
    dulbe(h, 1, true);
    th_assert_sc(th_write(h), SUCCESS);
    h->be[0]->fail_op = ENVME_BIO_STATUS;
    h->be[0]->fail_errno = -EIO;
    th_assert_sc(th_read(h), UNRECOVERED_READ);
    h->be[0]->later = true;
    th_assert_sc(th_read(h), UNRECOVERED_READ);
    h->be[0]->fail_op = -1;
    th_assert_sc(th_read(h), SUCCESS);
    /* While it waits for the answer. */
    h->be[0]->hold = true;
    cid = th_submit(h, 1, &s);
    th_run(h);
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
    g_assert_false(th_done(h, 1, cid, &c));
    th_assert_sc(th_abort(h, 1, cid), SUCCESS);
    th_assert_sc(th_wait(h, 1, cid), ABORT_REQUESTED);
    th_submit(h, 1, &s);
    th_run(h);
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
    th_reset(h, ENVME_RESET_FUNCTION);
    h->be[0]->hold = false;
    th_enable(h);
    th_queues(h, 1, 8);
    h->be[0]->geo.status = h->ns[0]->geo.status = false;
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, &id), SUCCESS);
    g_assert_false(id.nsfeat & ENVME_NSFEAT_DAE);
    th_assert_sc(th_set_feature(h, ENVME_FID_ERROR_RECOVERY, 1, DULBE, false),
                 INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_ERROR_RECOVERY, UINT32_MAX, 7,
                                false), SUCCESS);
    th_assert_sc(th_read(h, .slba = 5), SUCCESS);
    th_free_pages(h, le64_get(s.dptr.prp1), 4096);
    th_free(h);
}

/* Saved, it is there after a power cycle. */
static void test_saved(void)
{
    g_autofree char *path = g_strdup_printf("%s/dulbe-%d.state",
                                            g_get_tmp_dir(), getpid());

    for (unsigned i = 0; i < 2; i++) {
        struct th *h = th_new(.ns = { { .size = MIB } }, .state = path);

        th_enable(h);
        th_queues(h, 1, 8);
        if (i == 0) {
            th_assert_sc(th_set_feature(h, ENVME_FID_ERROR_RECOVERY, 1, DULBE,
                                        true), SUCCESS);
        }
        th_assert_sc(th_read(h), DEALLOCATED_BLOCK);
        th_free(h);
    }
    unlink(path);
}

/* Four lanes: each writes and gives back blocks between the others'. */
static void test_threads(void)
{
    struct th *h = th_new(.lanes = 4, .threads = true,
                          .ns = { { .size = MIB } });
    uint8_t data[512];

    th_enable(h);
    th_queues(h, 4, 32);
    dulbe(h, 1, true);
    memset(data, 0x5a, sizeof(data));
    for (unsigned round = 0; round < 20; round++) {
        uint16_t cid[4][8];
        uint64_t a = th_alloc(h, 32 * 4096);

        for (unsigned step = 0; step < 3; step++) {
            for (unsigned q = 0; q < 4; q++) {
                for (unsigned i = 0; i < 8; i++) {
                    bool odd = (i + round) & 1;
                    struct envme_sqe s = th_sqe_rw(
                        step == 1 || step == 2 ? ENVME_NVM_READ :
                        odd ? ENVME_NVM_WRITE : ENVME_NVM_WRITE_ZEROES, 1,
                        i * 4 + q, 1);

                    s.dptr.prp1 = le64(a + (q * 8 + i) * 4096);
                    if (step == 0 && !odd) {
                        s.dptr.prp1 = le64(0);
                        s.cdw12 = le32(ENVME_RW_DEAC);
                    }
                    cid[q][i] = th_submit(h, q + 1, &s);
                }
            }
            for (unsigned q = 0; q < 4; q++) {
                for (unsigned i = 0; i < 8; i++) {
                    struct envme_cqe c = th_wait(h, q + 1, cid[q][i]);

                    if (step && !((i + round) & 1)) {
                        th_assert_sc(c, DEALLOCATED_BLOCK);
                    } else {
                        th_assert_sc(c, SUCCESS);
                    }
                }
            }
        }
        th_free_pages(h, a, 32 * 4096);
    }
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dulbe/commands", test_commands);
    g_test_add_func("/dulbe/commands-later", test_commands_later);
    g_test_add_func("/dulbe/copy-across", test_copy_across);
    g_test_add_func("/dulbe/allocation", test_allocation);
    g_test_add_func("/dulbe/partial", test_partial);
    g_test_add_func("/dulbe/metadata", test_metadata);
    g_test_add_func("/dulbe/fused", test_fused);
    g_test_add_func("/dulbe/regression-7.4.9-status-async", test_backend);
    g_test_add_func("/dulbe/saved", test_saved);
    g_test_add_func("/dulbe/threads", test_threads);
    return g_test_run();
}
