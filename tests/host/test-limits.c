/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The edges of what admin commands accept, and what else they have to do
 * besides answering. Base 2.1, 5.1.13, 5.1.25 and 5.2.
 */
#include "th.h"

static void eight_queues(struct envme_ctrl_params *p)
{
    p->max_ioqpairs = 8;
}

/* ---- queues ------------------------------------------------------------ */

/* Identifiers end where Number of Queues says, for CQID too. */
static void test_allocated(void)
{
    struct th *h = th_new(.tweak = eight_queues);
    struct envme_sqe s = th_sqe(ENVME_ADM_CREATE_SQ, 0);
    uint32_t v;

    th_enable(h);
    th_assert_sc(th_set_feature(h, ENVME_FID_NUM_QUEUES, 0, 3 << 16 | 1,
                                false), SUCCESS);
    th_assert_sc(th_get_feature(h, ENVME_FID_NUM_QUEUES, 0, 0, &v), SUCCESS);
    g_assert_cmphex(v, ==, 3 << 16 | 1);
    th_assert_code(th_create_cq(h, .qid = 5, .size = 4), QID_INVALID);
    th_assert_code(th_create_cq(h, .qid = 4, .size = 4), SUCCESS);
    th_assert_code(th_create_sq(h, .qid = 3, .cqid = 4, .size = 4),
                   QID_INVALID);
    /* CQID: cannot exist, does not exist, exists */
    s.cdw10 = le32(3 << 16 | 2);
    s.cdw11 = le32(1);          /* CQID 0 */
    th_assert_sc(th_admin(h, &s), QID_INVALID);
    th_assert_code(th_create_sq(h, .qid = 2, .cqid = 5, .size = 4),
                   QID_INVALID);
    th_assert_code(th_create_sq(h, .qid = 2, .cqid = 0xffff, .size = 4),
                   QID_INVALID);
    th_assert_code(th_create_sq(h, .qid = 2, .cqid = 3, .size = 4),
                   CQ_INVALID);
    th_assert_code(th_create_sq(h, .qid = 2, .cqid = 4, .size = 4), SUCCESS);
    /* A reset gives all of them back. */
    th_disable(h);
    th_enable(h);
    th_assert_code(th_create_cq(h, .qid = 8, .size = 4), SUCCESS);
    th_assert_code(th_create_cq(h, .qid = 9, .size = 4), QID_INVALID);
    th_free(h);
}

/* A completion queue alone is enough to be too late. */
static void test_too_late(void)
{
    struct th *h = th_new();

    th_enable(h);
    th_assert_code(th_create_cq(h, .qid = 1, .size = 4), SUCCESS);
    th_assert_sc(th_set_feature(h, ENVME_FID_NUM_QUEUES, 0, 0, false),
                 SEQUENCE_ERROR);
    th_assert_code(th_delete_cq(h, 1), SUCCESS);
    th_assert_sc(th_set_feature(h, ENVME_FID_NUM_QUEUES, 0, 0, false),
                 SUCCESS);
    th_free(h);
}

/* regressions 7.4.16: no I/O queues before the host says how big entries are */
static void test_entry_sizes(void)
{
    struct th *h = th_new();
    uint32_t cc = ENVME_CC_EN;

    g_assert_true(th_enable_as(h, cc, 16, 16));
    th_assert_code(th_create_cq(h, .qid = 1, .size = 4), QUEUE_SIZE_INVALID);
    cc |= FIELD_SET(ENVME_CC_IOCQES, 4);
    th_w32(h, ENVME_REG_CC, cc);
    th_assert_code(th_create_cq(h, .qid = 1, .size = 4), SUCCESS);
    th_assert_code(th_create_sq(h, .qid = 1, .cqid = 1, .size = 4),
                   QUEUE_SIZE_INVALID);
    cc |= FIELD_SET(ENVME_CC_IOSQES, 6);
    th_w32(h, ENVME_REG_CC, cc);
    th_assert_code(th_create_sq(h, .qid = 1, .cqid = 1, .size = 4), SUCCESS);
    th_assert_sc(th_read(h), SUCCESS);
    th_free(h);
}

/* ---- the write cache --------------------------------------------------- */

static unsigned flushes(struct th *h, unsigned ns)
{
    return atomic_load(&h->be[ns]->nops[ENVME_BIO_FLUSH]);
}

/* Turning it off flushes what it has, wherever there is one. */
static void test_cache_off(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .write_cache = true },
                                  { .size = MIB },
                                  { .size = MIB, .write_cache = true } });
    unsigned fua;

    for (unsigned later = 0; later < 2; later++) {
        h->be[0]->later = h->be[2]->later = later;
        th_enable(h);
        th_queues(h, 1, 8);
        th_assert_sc(th_write(h), SUCCESS);
        th_assert_sc(th_set_feature(h, ENVME_FID_VWC, 0, 1, false), SUCCESS);
        g_assert_cmpuint(flushes(h, 0), ==, later);
        th_assert_sc(th_set_feature(h, ENVME_FID_VWC, 0, 0, false), SUCCESS);
        g_assert_cmpuint(flushes(h, 0), ==, later + 1);
        g_assert_cmpuint(flushes(h, 1), ==, 0);
        g_assert_cmpuint(flushes(h, 2), ==, later + 1);
        g_assert_false(h->be[0]->cache_on);
        fua = h->be[0]->nfua;
        th_assert_sc(th_write(h), SUCCESS);
        th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES), SUCCESS);
        g_assert_cmpuint(h->be[0]->nfua, ==, fua + 2);
        /* A reset turns it on again, as it was made. */
        th_disable(h);
        g_assert_true(h->be[0]->cache_on);
    }
    th_enable(h);
    th_queues(h, 1, 8);
    /* One that fails to flush is not said to be off. */
    th_fail_nth(h, TH_AT_DONE, 1, -EIO);
    th_assert_sc(th_set_feature(h, ENVME_FID_VWC, 0, 0, false), WRITE_FAULT);
    th_assert_sc(th_set_feature(h, ENVME_FID_VWC, 0, 2, false),
                 INVALID_FIELD);
    th_free(h);
}

/* Read with FUA: what it returns is on stable storage. */
static void test_read_fua(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .write_cache = true },
                                  { .size = MIB } });
    uint8_t data[8 * 512];

    th_enable(h);
    th_queues(h, 1, 8);
    for (unsigned later = 0; later < 2; later++) {
        h->be[0]->later = later;
        th_pattern(data, sizeof(data), later);
        th_assert_sc(th_write(h, .nlb = 8, .data = data), SUCCESS);
        memset(data, 0, sizeof(data));
        th_assert_sc(th_read(h, .nlb = 8, .data = data), SUCCESS);
        g_assert_cmpuint(flushes(h, 0), ==, later);
        th_assert_sc(th_read(h, .nlb = 8, .data = data,
                             .cdw12 = ENVME_RW_FUA), SUCCESS);
        g_assert_cmpuint(flushes(h, 0), ==, later + 1);
        g_assert_true(th_pattern_ok(data, sizeof(data), later));
    }
    th_assert_sc(th_read(h, .nsid = 2, .cdw12 = ENVME_RW_FUA), SUCCESS);
    g_assert_cmpuint(flushes(h, 1), ==, 0);
    th_free(h);
}

/* ---- what a backend is asked for --------------------------------------- */

static struct envme_backend_ops spy_ops;
static const struct envme_backend_ops *spied;
static unsigned spy_zeroes, spy_flags;

static int spy_submit(struct envme_backend *be, struct envme_bio *bio)
{
    if (bio->op == ENVME_BIO_WRITE_ZEROES) {
        spy_zeroes++;
        spy_flags = bio->flags;
    }
    g_assert_cmpint(bio->op, !=, ENVME_BIO_DISCARD);
    return spied->submit(be, bio);
}

static void dsm(struct th *h)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_DSM, 1);
    struct envme_dsm_range r = { .slba = le64(8), .nlb = le32(8) };

    s.cdw11 = le32(ENVME_DSM_AD);
    th_assert_sc(th_cmd_data(h, 1, &s, &r, sizeof(r), TH_PRP), SUCCESS);
}

/*
 * Deallocating is writing zeroes in a way that may free; without the host's
 * or the backend's consent nothing is freed.
 */
static void test_deallocate(void)
{
    struct th *h = th_new();
    struct envme_ns *ns = h->ns[0];
    struct envme_id_ns *id = g_malloc(4096);
    uint8_t data[4096];

    spied = ns->be->ops;
    spy_ops = *spied;
    spy_ops.submit = spy_submit;
    ns->be->ops = &spy_ops;
    spy_zeroes = 0;
    th_enable(h);
    th_queues(h, 1, 8);
    g_assert_true(ns->geo.discard);
    dsm(h);
    g_assert_cmpuint(spy_zeroes, ==, 1);
    g_assert_cmphex(spy_flags, ==, ENVME_BIO_MAY_UNMAP);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES), SUCCESS);
    g_assert_cmphex(spy_flags, ==, 0);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .cdw12 = ENVME_RW_DEAC),
                 SUCCESS);
    g_assert_cmphex(spy_flags, ==, ENVME_BIO_MAY_UNMAP);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    g_assert_cmphex(id->dlfeat, ==, ENVME_DLFEAT_WZDS | ENVME_DLFEAT_DRB_00);

    /* discard=ignore */
    ns->geo.discard = false;
    spy_zeroes = 0;
    th_pattern(data, sizeof(data), 3);
    th_assert_sc(th_write(h, .slba = 8, .nlb = 8, .data = data), SUCCESS);
    dsm(h);
    g_assert_cmpuint(spy_zeroes, ==, 0);
    th_assert_sc(th_read(h, .slba = 8, .nlb = 8, .data = data), SUCCESS);
    g_assert_true(th_pattern_ok(data, sizeof(data), 3));
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .slba = 8, .nlb = 8,
                       .cdw12 = ENVME_RW_DEAC), SUCCESS);
    g_assert_cmphex(spy_flags, ==, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    g_assert_cmphex(id->dlfeat, ==, ENVME_DLFEAT_WZDS | ENVME_DLFEAT_DRB_00);
    ns->be->ops = spied;
    g_free(id);
    th_free(h);
}

/* ---- Identify ---------------------------------------------------------- */

static void test_geometry(void)
{
    struct th *h = th_new(.ns = { { .size = MIB }, { .size = MIB, .ms = 8,
                                                     .mset = true } });
    struct envme_ns_params *p = &h->ns[0]->params;
    struct envme_id_ns *id = g_malloc(4096);
    struct envme_id_ns_nvm *nvm = g_malloc(4096);

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    g_assert_cmpuint(FIELD_GET(ENVME_NSFEAT_OPTPERF, id->nsfeat), ==,
                     ENVME_OPTPERF_ALL);
    g_assert_true(id->nsfeat & ENVME_NSFEAT_OPTRPERF);
    g_assert_cmpuint(le16_get(id->npwg), ==, 0);
    g_assert_cmpuint(le16_get(id->nows), ==, 0);
    /* As for -device ...,physical_block_size=4096,opt_io_size=64k */
    p->physical_block = 4096;
    p->opt_io = 65536;
    p->discard_granularity = 1u << 31;
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    g_assert_cmpuint(le16_get(id->npwg), ==, 7);
    g_assert_cmpuint(le16_get(id->npwa), ==, 7);
    g_assert_cmpuint(le16_get(id->nows), ==, 127);
    g_assert_cmpuint(le16_get(id->npdg), ==, 0xffff);
    th_assert_sc(th_identify(h, ENVME_CNS_CS_NS, 1, nvm), SUCCESS);
    g_assert_cmpuint(le32_get(nvm->npdgl), ==, 1u << 22);
    g_assert_cmpuint(le32_get(nvm->npdal), ==, 1u << 22);
    g_assert_cmpuint(le32_get(nvm->nprg), ==, 7);
    g_assert_cmpuint(le32_get(nvm->npra), ==, 7);
    g_assert_cmpuint(le32_get(nvm->nors), ==, 127);
    g_assert_cmpuint(le32_get(nvm->tlbaag), ==, 1);
    p->min_io = 16384;
    p->opt_io = 0;
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, id), SUCCESS);
    g_assert_cmpuint(le16_get(id->npwg), ==, 31);
    g_assert_cmpuint(le16_get(id->nows), ==, 31);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 2, id), SUCCESS);
    g_assert_true(id->flbas & ENVME_FLBAS_MTELBA);
    g_assert_cmpuint(le16_get(id->lbaf[id->flbas & 0xf].ms), ==, 8);
    g_assert_cmpuint(id->lbaf[id->flbas & 0xf].ds, ==, 9);
    g_assert_cmpuint(le64_get(id->nsze), ==, MIB / 520);
    g_free(id);
    g_free(nvm);
    th_free(h);
}

/* Controller lists, command sets, and what names a wrong controller or set. */
static void test_lists(void)
{
    struct th *h = th_new(.ns = { { .size = MIB },
                                  { .size = MIB, .detached = true } });
    struct envme_ctrl_list *list = g_malloc(4096);
    struct envme_id_iocs *iocs = g_malloc(4096);

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL_LIST, 0, list), SUCCESS);
    g_assert_cmpuint(le16_get(list->num), ==, 1);
    g_assert_cmpuint(le16_get(list->cntlid[0]), ==, 0);
    th_assert_sc(th_identify_csi(h, ENVME_CNS_CTRL_LIST, 0, 1, 0, list),
                 SUCCESS);
    g_assert_cmpuint(le16_get(list->num), ==, 0);
    th_assert_sc(th_identify_csi(h, ENVME_CNS_CTRL_LIST, 0, 0xffff, 0, list),
                 SUCCESS);
    g_assert_cmpuint(le16_get(list->num), ==, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_CTRL_LIST, 1, list), SUCCESS);
    g_assert_cmpuint(le16_get(list->num), ==, 1);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_CTRL_LIST, 2, list), SUCCESS);
    g_assert_cmpuint(le16_get(list->num), ==, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_CTRL_LIST, 3, list),
                 INVALID_FIELD);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_CTRL_LIST, 0, list), INVALID_NS);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_CTRL_LIST, UINT32_MAX, list),
                 INVALID_FIELD);

    th_assert_sc(th_identify_csi(h, ENVME_CNS_IOCS, 0, 0xffff, 0, iocs),
                 SUCCESS);
    g_assert_cmphex(le64_get(iocs->iocsc[0]), ==, ENVME_IOCSC(ENVME_CSI_NVM));
    g_assert_cmphex(le64_get(iocs->iocsc[1]), ==, 0);
    th_assert_sc(th_identify_csi(h, ENVME_CNS_IOCS, 0, 0, 0, iocs), SUCCESS);
    th_assert_sc(th_identify_csi(h, ENVME_CNS_IOCS, 0, 1, 0, iocs),
                 INVALID_FIELD);
    th_assert_sc(th_identify_csi(h, ENVME_CNS_CS_CTRL, 0, 0, 0x77, iocs),
                 IOCS_INVALID);
    th_assert_sc(th_identify_csi(h, ENVME_CNS_CS_NS, 1, 0, 0x77, iocs),
                 IOCS_INVALID);
    th_assert_sc(th_identify_csi(h, ENVME_CNS_CS_NS_LIST, 0, 0, 0x77, iocs),
                 IOCS_INVALID);
    g_free(list);
    g_free(iocs);
    th_free(h);
}

/* The tables are what Identify and the logs say, and nothing besides. */
static void test_effects(void)
{
    struct th *h = th_new();
    struct envme_log_effects *log = g_malloc(4096);
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, 0);

    th_enable(h);
    th_queues(h, 1, 8);
    th_assert_sc(th_get_log(h, ENVME_LID_EFFECTS, 0, 0, log, 4096, false),
                 SUCCESS);
    for (unsigned i = 0; i < 256; i++) {
        struct envme_sqe io = th_sqe(i, 1);
        bool there = le32_get(log->iocs[i]) & ENVME_EFF_CSUPP;
        struct envme_cqe c;

        if (!(i & ENVME_OPC_DIR)) {
            c = th_io(h, 1, &io);
            g_assert_cmpint(cqe_sc(&c) != ENVME_SC_INVALID_OPCODE, ==, there);
        }
    }
    /* Another command set is not asked for: CC.CSS is not 110b. */
    s.cdw10 = le32(1023u << 16 | ENVME_LID_EFFECTS);
    s.cdw14 = le32(0x77u << 24);
    th_assert_sc(th_cmd_data(h, 0, &s, log, 4096, TH_PRP), SUCCESS);
    g_free(log);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/limits/allocated", test_allocated);
    g_test_add_func("/limits/too-late", test_too_late);
    g_test_add_func("/limits/regression-7.4.16-entry-sizes",
                    test_entry_sizes);
    g_test_add_func("/limits/cache-off", test_cache_off);
    g_test_add_func("/limits/read-fua", test_read_fua);
    g_test_add_func("/limits/deallocate", test_deallocate);
    g_test_add_func("/limits/geometry", test_geometry);
    g_test_add_func("/limits/lists", test_lists);
    g_test_add_func("/limits/effects", test_effects);
    return g_test_run();
}
