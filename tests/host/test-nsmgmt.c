/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespace Management and Attachment: Base 2.1, 5.1.20, 5.1.21, 8.1.15. What
 * is counted, what is refused, what others see, and what is left when a reset
 * or the loss of a medium comes in between.
 */
#include "nsm.h"

static struct th *one(uint64_t size, uint32_t align)
{
    struct th *h = th_new(.ns = { { .size = size, .align = align } });

    th_enable(h);
    th_queues(h, 1, 32);
    return h;
}

/* All that can be asked of it: written and read, all of it, from the start
 * zero. */
static void use_all(struct th *h, uint32_t nsid, uint64_t seed)
{
    struct envme_ns *ns = envme_subsys_ns(h->subsys, nsid);
    uint32_t block = envme_ns_host_block(ns), chunk = 65536 / block;
    uint64_t nsze = atomic_load(&ns->nsze);
    uint8_t *data = g_malloc(65536);
    bool sep = ns->ms && !ns->extended;
    uint8_t *md = sep ? g_malloc((size_t)chunk * ns->ms) : NULL;

    for (unsigned pass = 0; pass < 3; pass++) {
        for (uint64_t lba = 0; lba < nsze; lba += chunk) {
            uint32_t n = MIN(chunk, nsze - lba);
            size_t mlen = sep ? (size_t)n * ns->ms : 0;

            if (pass == 1) {
                th_pattern(data, n * block, seed + lba);
                th_pattern(md, mlen, seed + lba + 1);
                th_assert_sc(th_write(h, .nsid = nsid, .slba = lba, .nlb = n,
                                      .data = data, .md = md), SUCCESS);
                continue;
            }
            memset(data, 0x77, 65536);
            th_assert_sc(th_read(h, .nsid = nsid, .slba = lba, .nlb = n,
                                 .data = data, .md = md), SUCCESS);
            if (pass) {
                g_assert_true(th_pattern_ok(data, n * block, seed + lba));
                g_assert_true(th_pattern_ok(md, mlen, seed + lba + 1));
            } else {
                g_assert_true(nsm_zero(data, n * block));
                g_assert_true(nsm_zero(md, mlen));
            }
        }
    }
    th_assert_sc(th_read(h, .nsid = nsid, .slba = nsze), LBA_RANGE);
    g_free(data);
    g_free(md);
}

/* What a client's test suite does before and after each test. */
static void test_client(void)
{
    struct th *h = one(MIB, 0);
    uint64_t total, unused;
    struct envme_id_ns id;
    struct envme_id_ctrl *c = g_malloc(4096);
    uint32_t nsid, log[1024];
    uint16_t aer;

    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, c), SUCCESS);
    g_assert_cmphex(le16_get(c->oacs) & ENVME_OACS_NMS, ==, ENVME_OACS_NMS);
    g_assert_cmphex(le32_get(c->ctratt) & ENVME_CTRATT_NG, !=, 0);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, ENVME_FEAT_AEC_NSAN,
                                false), SUCCESS);
    for (unsigned n = 0; n < 20; n++) {
        nsm_capacity(h, &total, &unused);
        g_assert_cmpuint(total, ==, MIB);
        g_assert_cmpuint(unused, ==, 0);
        th_assert_sc(th_get_log(h, ENVME_LID_CHANGED_NS, UINT32_MAX, 0, log,
                                4096, false), SUCCESS);
        th_assert_sc(nsm_delete(h, UINT32_MAX), SUCCESS);
        nsm_capacity(h, &total, &unused);
        g_assert_cmpuint(total, ==, MIB);
        g_assert_cmpuint(unused, ==, MIB);
        g_assert_cmpuint(nsm_list(h, ENVME_CNS_ALLOC_NS_LIST, NULL), ==, 0);
        g_assert_cmpuint(nsm_list(h, ENVME_CNS_NS_LIST, NULL), ==, 0);
        th_assert_sc(th_read(h, .nsid = 1), INVALID_FIELD);
        th_assert_sc(nsm_create(h, total / 512, 0, true, &nsid), SUCCESS);
        g_assert_cmpuint(nsid, ==, 1);
        /* allocated, but not active */
        id = nsm_id(h, 1);
        g_assert_true(nsm_zero(&id, sizeof(id)));
        th_assert_sc(th_identify(h, ENVME_CNS_ALLOC_NS, 1, &id), SUCCESS);
        g_assert_cmpuint(le64_get(id.nsze), ==, 2048);
        g_assert_cmpuint(nsm_le(id.nvmcap), ==, MIB);
        g_assert_cmphex(id.nmic, ==, ENVME_NMIC_SHRNS);
        g_assert_cmpuint(nsm_list(h, ENVME_CNS_ALLOC_NS_LIST, &nsid), ==, 1);
        g_assert_cmpuint(nsm_list(h, ENVME_CNS_NS_LIST, NULL), ==, 0);
        th_assert_sc(th_get_log(h, ENVME_LID_CHANGED_NS, UINT32_MAX, 0, log,
                                4096, false), SUCCESS);
        aer = th_aer(h);
        th_assert_sc(nsm_attach(h, 1, true), SUCCESS);
        g_assert_cmphex(le32_get(th_wait(h, 0, aer).dw0), ==,
                        ENVME_AEN_TYPE_NOTICE | ENVME_LID_CHANGED_NS << 16);
        g_assert_cmpuint(nsm_list(h, ENVME_CNS_NS_LIST, &nsid), ==, 1);
        use_all(h, 1, n);
        if (n == 10) {
            th_reset(h, ENVME_RESET_FUNCTION);
            th_enable(h);
            th_queues(h, 1, 32);
            th_assert_sc(th_read(h), SUCCESS);
            th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0,
                                        ENVME_FEAT_AEC_NSAN, false), SUCCESS);
        }
    }
    g_free(c);
    th_free(h);
}

/* As many as there are identifiers; each NSID the lowest that is free. */
static void test_max(void)
{
    struct th *h = one(MIB, 0);
    uint32_t nsid, nn = h->subsys->nn;

    for (unsigned round = 0; round < 2; round++) {
        th_assert_sc(nsm_delete(h, UINT32_MAX), SUCCESS);
        for (unsigned i = 1; i <= nn; i++) {
            th_assert_sc(nsm_create(h, MIB / 512 / nn / 2, 0, true, &nsid),
                         SUCCESS);
            g_assert_cmpuint(nsid, ==, i);
            th_assert_sc(nsm_attach(h, i, true), SUCCESS);
            use_all(h, i, i);
        }
        th_assert_sc(nsm_create(h, 1, 0, true, NULL), NSID_UNAVAILABLE);
        g_assert_cmpuint(nsm_unused(h), ==, MIB / 2);
        th_assert_sc(nsm_delete(h, 7), SUCCESS);
        th_assert_sc(nsm_delete(h, 3), SUCCESS);
        th_assert_sc(nsm_delete(h, 3), INVALID_FIELD);
        th_assert_sc(nsm_create(h, 1, 0, true, &nsid), SUCCESS);
        g_assert_cmpuint(nsid, ==, 3);
        th_assert_sc(nsm_create(h, 1, 0, true, &nsid), SUCCESS);
        g_assert_cmpuint(nsid, ==, 7);
    }
    th_free(h);
}

/* Each format that is told can be created, both ways of metadata. */
static void test_formats(void)
{
    struct th *h = one(MIB, 1);
    struct envme_id_ns all;
    uint32_t nsid;

    th_assert_sc(nsm_delete(h, UINT32_MAX), SUCCESS);
    all = nsm_id(h, UINT32_MAX);
    g_assert_cmpuint(le64_get(all.nsze), ==, 0);
    g_assert_cmpuint(all.nlbaf, >=, 7);
    for (unsigned i = 0; i <= all.nlbaf; i++) {
        for (unsigned ext = 0; ext < 2; ext++) {
            uint32_t bytes = (1u << all.lbaf[i].ds) + le16_get(all.lbaf[i].ms);
            uint64_t nsze = MIB / bytes;
            struct envme_id_ns id;

            th_assert_sc(nsm_create(h, nsze, (i & 15) | ext << 4 |
                                    i >> 4 << 5, true, &nsid), SUCCESS);
            g_assert_cmpuint(nsm_unused(h), ==, MIB - nsze * bytes);
            th_assert_sc(nsm_attach(h, nsid, true), SUCCESS);
            id = nsm_id(h, nsid);
            g_assert_cmpuint(le64_get(id.nsze), ==, nsze);
            g_assert_cmpuint(nsm_le(id.nvmcap), ==, nsze * bytes);
            g_assert_cmpuint(id.flbas & 15, ==, i & 15);
            g_assert_cmpmem(id.lbaf, sizeof(id.lbaf), all.lbaf,
                            sizeof(all.lbaf));
            use_all(h, nsid, i);
            th_assert_sc(nsm_delete(h, nsid), SUCCESS);
        }
    }
    th_assert_sc(nsm_create(h, 1, ((all.nlbaf + 1) & 15) |
                            (all.nlbaf + 1) >> 4 << 5, true, NULL),
                 FORMAT_INVALID);
    th_assert_sc(nsm_create(h, 1, 0x6f, true, NULL), FORMAT_INVALID);
    th_free(h);
}

/* Each format that has room for it takes each type, at either end. */
static void test_protected(void)
{
    struct th *h = one(MIB, 1);
    struct envme_id_ns all;
    unsigned done = 0;
    uint32_t nsid;

    nsm_all_formats(h);
    th_assert_sc(nsm_delete(h, UINT32_MAX), SUCCESS);
    all = nsm_id(h, UINT32_MAX);
    g_assert_cmpuint(all.nlbaf, >, 16);
    for (unsigned i = 0; i <= all.nlbaf; i++) {
        for (unsigned k = 0; k < 16; k++) {
            struct envme_ns_mgmt_create *c = g_new0(
                struct envme_ns_mgmt_create, 1);
            bool room = le16_get(all.lbaf[i].ms) >= 8;
            struct envme_cqe cqe;

            c->nsze = c->ncap = le64(16);
            c->flbas = (i & 15) | i >> 4 << 5 | (k >> 2 & 1) << 4;
            c->dps = (k & 3) | (k >> 3) << 3;
            cqe = nsm_create_raw(h, c);
            nsid = le32_get(cqe.dw0);
            g_free(c);
            if ((k & 3) && !room) {
                th_assert_sc(cqe, FORMAT_INVALID);
                continue;
            }
            th_assert_sc(cqe, SUCCESS);
            th_assert_sc(nsm_attach(h, nsid, true), SUCCESS);
            g_assert_cmphex(nsm_id(h, nsid).dps & ENVME_DPS_PIT, ==, k & 3);
            if (k & 3) {
                g_assert_cmphex(nsm_id(h, nsid).dps >> 3, ==, k >> 3);
                nsm_use_pi(h, nsid);
                done++;
            }
            th_assert_sc(nsm_delete(h, nsid), SUCCESS);
        }
    }
    g_assert_cmpuint(done, >, 100);
    th_free(h);
}

/* Any sequence: counted to the byte, and nobody reads another's data. */
static void test_random(void)
{
    for (unsigned seed = 1; seed <= 4; seed++) {
        struct th *h = th_new(.seed = seed, .lanes = seed % 3,
                              .ns = { { .size = 300000, .align = 1 },
                                      { .size = 200000, .align = 1 },
                                      { .size = 131072, .align = seed & 1 ?
                                        512 : 1 } });
        uint64_t took[17] = { 0 }, sum = 0, total, unused;

        th_enable(h);
        th_queues(h, 1, 32);
        for (unsigned i = 1; i <= 3; i++) {
            struct envme_id_ns id = nsm_id(h, i);

            sum += took[i] = nsm_le(id.nvmcap);
        }
        nsm_capacity(h, &total, &unused);
        for (unsigned n = 0; n < 120; n++) {
            struct envme_id_ns all = nsm_id(h, UINT32_MAX);
            unsigned i = 1 + th_random(h, 16);
            uint32_t nsid;

            if (took[i]) {
                th_assert_sc(nsm_delete(h, i), SUCCESS);
                sum -= took[i];
                took[i] = 0;
            } else {
                unsigned f = th_random(h, all.nlbaf + 1);
                uint64_t bytes = (1u << all.lbaf[f].ds) +
                                 le16_get(all.lbaf[f].ms);
                uint64_t nsze = 1 + th_random(h, 250000 / bytes);
                struct envme_cqe c = nsm_create(h, nsze, f, true, &nsid);

                if (cqe_sc(&c)) {
                    th_assert_sc(c, NS_INSUFFICIENT_CAP);
                    /* what is left of blocks that are too odd for one */
                    g_assert_cmpuint(nsze * bytes + (seed & 1 ? 20 * 512 : 0),
                                     >, unused);
                } else {
                    for (i = 1; took[i]; i++) {
                    }
                    g_assert_cmpuint(nsid, ==, i);
                    sum += took[i] = nsze * bytes;
                    th_assert_sc(nsm_attach(h, i, true), SUCCESS);
                    use_all(h, i, n);
                }
            }
            nsm_capacity(h, &total, &unused);
            g_assert_cmpuint(total, ==, 631072);
            g_assert_cmpuint(unused, ==, total - sum);
        }
        th_free(h);
    }
}

/* All of three media at once: in pieces, with requests over their edges. */
static void test_pieces(void)
{
    struct th *h = th_new(.ns = { { .size = 100 * KIB }, { .size = 60 * KIB },
                                  { .size = 30 * KIB } });
    uint8_t *data = g_malloc(100 * KIB);
    struct envme_ns *ns;
    unsigned flushes;
    uint32_t nsid;

    th_enable(h);
    th_queues(h, 1, 32);
    th_assert_sc(nsm_delete(h, UINT32_MAX), SUCCESS);
    th_assert_sc(nsm_create(h, 380, 0, false, &nsid), SUCCESS);
    ns = envme_subsys_ns(h->subsys, nsid);
    g_assert_cmpuint(ns->nextents, ==, 3);
    g_assert_cmpuint(nsm_unused(h), ==, 0);
    th_assert_sc(nsm_attach(h, nsid, true), SUCCESS);
    use_all(h, nsid, 9);
    th_pattern(data, 70 * KIB, 5);
    th_assert_sc(th_write(h, .slba = 195, .nlb = 140, .data = data), SUCCESS);
    memset(data, 0, 70 * KIB);
    th_assert_sc(th_read(h, .slba = 195, .nlb = 140, .data = data), SUCCESS);
    g_assert_true(th_pattern_ok(data, 70 * KIB, 5));
    /* a flush is one for each; an error in one is an error */
    flushes = atomic_load(&h->be[2]->nops[ENVME_BIO_FLUSH]);
    th_assert_sc(th_rw(h, ENVME_NVM_FLUSH, .nsid = 1), SUCCESS);
    g_assert_cmpuint(atomic_load(&h->be[2]->nops[ENVME_BIO_FLUSH]), >,
                     flushes);
    h->be[1]->fail_op = ENVME_BIO_READ;
    h->be[1]->fail_errno = -EIO;
    th_assert_sc(th_read(h, .slba = 195, .nlb = 140, .data = data),
                 UNRECOVERED_READ);
    th_assert_sc(th_read(h, .slba = 0, .nlb = 100, .data = data), SUCCESS);
    h->be[1]->fail_op = -1;
    g_free(data);
    th_free(h);
}

/* ---- refusals ---------------------------------------------------------- */

static void test_create_statuses(void)
{
    static const struct {
        uint16_t at;
        uint8_t byte;
        uint16_t sc;
    } bad[] = {
        { 16, 1, ENVME_SC_INVALID_FIELD }, { 26, 0x80, ENVME_SC_INVALID_FIELD },
        { 27, 1, ENVME_SC_INVALID_FIELD }, { 29, 1, ENVME_SC_FORMAT_INVALID }, { 29, 0x10, ENVME_SC_INVALID_FIELD },
        { 30, 2, ENVME_SC_INVALID_FIELD }, { 30, 0x80, ENVME_SC_INVALID_FIELD },
        { 31, 1, ENVME_SC_INVALID_FIELD },
        { 92, 1, ENVME_SC_ANA_GROUP_INVALID },
        { 100, 1, ENVME_SC_INVALID_FIELD }, { 102, 1, ENVME_SC_INVALID_FIELD },
        { 0, 0, ENVME_SC_INVALID_FIELD }, { 8, 1, ENVME_SC_INVALID_FIELD },
        { 8, 0xff, ENVME_SC_THIN_PROV_UNSUPPORTED },
    };
    struct th *h = one(MIB, 0);
    struct envme_sqe s;
    struct envme_log_error e;
    uint8_t buf[4096];

    th_assert_sc(nsm_delete(h, UINT32_MAX), SUCCESS);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct envme_ns_mgmt_create c = { 0 };
        struct envme_cqe cqe;

        c.nsze = c.ncap = le64(bad[i].byte == 0xff ? 4 : 0x100);
        ((uint8_t *)&c)[bad[i].at] = bad[i].byte;
        if (bad[i].byte == 0xff) {
            c.ncap = le64(3);
        } else if (bad[i].at == 0) {
            c.nsze = c.ncap = le64(0);
        }
        cqe = nsm_create_raw(h, &c);
        if (cqe_sc(&cqe) != bad[i].sc) {
            g_error("byte %u: %s", bad[i].at, th_sc_name(cqe_sc(&cqe)));
        }
        g_assert_true(cqe_dnr(&cqe));
    }
    th_assert_sc(nsm_create(h, MIB / 512 + 1, 0, true, NULL),
                 NS_INSUFFICIENT_CAP);
    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, &e, sizeof(e),
                            true), SUCCESS);
    g_assert_cmpuint(le64_get(e.csinfo), ==, MIB + 512);
    th_assert_sc(nsm_create(h, UINT64_MAX, 0, true, NULL),
                 NS_INSUFFICIENT_CAP);
    th_assert_sc(nsm_create(h, UINT64_MAX / 512, 0, true, NULL),
                 NS_INSUFFICIENT_CAP);
    /* the command itself */
    memset(buf, 0, sizeof(buf));
    buf[0] = buf[8] = 8;
    for (unsigned i = 0; i < 4; i++) {
        static const uint16_t sc[] = {
            ENVME_SC_INVALID_FIELD, ENVME_SC_IOCS_UNSUPPORTED,
            ENVME_SC_INVALID_FIELD, ENVME_SC_INVALID_FIELD,
        };
        struct envme_cqe cqe;

        s = th_sqe(ENVME_ADM_NS_MGMT, i == 0);
        s.cdw10 = le32(i == 2 ? 2 : i == 3 ? 0x10 : 0);
        s.cdw11 = le32(i == 1 ? 0x07000000 : 0);
        cqe = th_cmd_data(h, 0, &s, buf, 4096, 0);
        g_assert_cmphex(cqe_sc(&cqe), ==, sc[i]);
    }
    g_assert_cmpuint(nsm_list(h, ENVME_CNS_ALLOC_NS_LIST, NULL), ==, 0);
    g_assert_cmpuint(nsm_unused(h), ==, MIB);
    th_assert_sc(nsm_delete(h, 0), INVALID_NS);
    th_assert_sc(nsm_delete(h, 1), INVALID_FIELD);
    th_assert_sc(nsm_delete(h, 17), INVALID_NS);
    /* none to delete is no error */
    th_assert_sc(nsm_delete(h, UINT32_MAX), SUCCESS);
    th_free(h);
}

/* One that is write protected is not deleted, and no other with it. */
static void test_read_only(void)
{
    struct th *h = th_new(.ns = { { .size = MIB },
                                  { .size = MIB, .read_only = true } });
    uint64_t total, unused;

    th_enable(h);
    th_assert_sc(nsm_delete(h, 2), NS_WRITE_PROTECTED);
    th_assert_sc(nsm_delete(h, UINT32_MAX), NS_WRITE_PROTECTED);
    g_assert_cmpuint(nsm_list(h, ENVME_CNS_NS_LIST, NULL), ==, 2);
    nsm_capacity(h, &total, &unused);
    g_assert_cmpuint(total, ==, 2 * MIB);
    g_assert_cmpuint(unused, ==, 0);
    th_assert_sc(nsm_delete(h, 1), SUCCESS);
    th_free(h);
}

static void test_attach_statuses(void)
{
    struct th *a = th_new(.multi = true, .ns = { { .size = MIB } });
    struct th *b = th_new(.peer = a);
    static const uint16_t both[] = { 0, 1 }, wrong[] = { 1, 0 };
    static const uint16_t twice[] = { 1, 1 }, missing[] = { 0, 2 };
    static const uint16_t far[] = { 0, 0xffff }, a0 = 0, b0 = 1;
    struct envme_sqe s;
    uint32_t priv, shared;

    th_enable(a);
    th_enable(b);
    th_queues(a, 1, 32);
    th_queues(b, 1, 32);
    th_assert_sc(nsm_delete(a, UINT32_MAX), SUCCESS);
    th_assert_sc(nsm_create(a, 100, 0, false, &priv), SUCCESS);
    th_assert_sc(nsm_create(b, 100, 0, true, &shared), SUCCESS);
    /* lists; a bad entry changes nothing */
    th_assert_sc(nsm_attach_list(a, shared, true, 0, both, 2),
                 CTRL_LIST_INVALID);
    th_assert_sc(nsm_attach_list(a, shared, true, 2048, both, 2),
                 CTRL_LIST_INVALID);
    th_assert_sc(nsm_attach_list(a, shared, true, 2, wrong, 2),
                 CTRL_LIST_INVALID);
    th_assert_sc(nsm_attach_list(a, shared, true, 2, twice, 2),
                 CTRL_LIST_INVALID);
    th_assert_sc(nsm_attach_list(a, shared, true, 2, missing, 2),
                 CTRL_LIST_INVALID);
    th_assert_sc(nsm_attach_list(a, shared, true, 2, far, 2),
                 CTRL_LIST_INVALID);
    th_assert_sc(nsm_attach_list(a, shared, false, 2, both, 2),
                 NS_NOT_ATTACHED);
    g_assert_cmpuint(nsm_list(a, ENVME_CNS_NS_LIST, NULL), ==, 0);
    g_assert_cmpuint(nsm_list(b, ENVME_CNS_NS_LIST, NULL), ==, 0);
    /* one of two is attached already, or not yet */
    th_assert_sc(nsm_attach_list(a, shared, true, 1, &b0, 1), SUCCESS);
    th_assert_sc(nsm_attach_list(a, shared, true, 2, both, 2),
                 NS_ALREADY_ATTACHED);
    th_assert_sc(th_read(a, .nsid = shared), INVALID_FIELD);
    th_assert_sc(th_read(b, .nsid = shared), SUCCESS);
    th_assert_sc(nsm_attach_list(a, shared, false, 2, both, 2),
                 NS_NOT_ATTACHED);
    th_assert_sc(th_read(b, .nsid = shared), SUCCESS);
    th_assert_sc(nsm_attach_list(a, shared, true, 1, &a0, 1), SUCCESS);
    th_assert_sc(nsm_attach_list(b, shared, false, 2, both, 2), SUCCESS);
    th_assert_sc(th_read(a, .nsid = shared), INVALID_FIELD);
    /* private */
    th_assert_sc(nsm_attach_list(a, priv, true, 2, both, 2), NS_PRIVATE);
    th_assert_sc(nsm_attach_list(a, priv, true, 1, &a0, 1), SUCCESS);
    th_assert_sc(nsm_attach_list(a, priv, true, 1, &b0, 1), NS_PRIVATE);
    th_assert_sc(nsm_attach_list(a, priv, true, 1, &a0, 1),
                 NS_ALREADY_ATTACHED);
    /* as many as there may be */
    a->subsys->maxcna = 1;
    th_assert_sc(nsm_attach_list(a, shared, true, 2, both, 2),
                 NS_ATTACH_LIMIT);
    th_assert_sc(nsm_attach_list(a, shared, true, 1, &b0, 1), SUCCESS);
    /* the rest */
    th_assert_sc(nsm_attach(a, 0, true), INVALID_NS);
    th_assert_sc(nsm_attach(a, 9, true), INVALID_FIELD);
    th_assert_sc(nsm_attach(a, 17, true), INVALID_NS);
    th_assert_sc(nsm_attach(a, UINT32_MAX, true), INVALID_FIELD);
    s = th_sqe(ENVME_ADM_NS_ATTACH, priv);
    s.cdw10 = le32(2);
    {
        uint8_t buf[4096] = { 1 };

        th_assert_sc(th_cmd_data(a, 0, &s, buf, 4096, 0), INVALID_FIELD);
        s.cdw10 = le32(0x10);
        th_assert_sc(th_cmd_data(a, 0, &s, buf, 4096, 0), INVALID_FIELD);
    }
    th_free(b);
    th_free(a);
}

/* ---- others ------------------------------------------------------------ */

/* The other controller hears of each change of its own namespaces. */
static void test_events(void)
{
    struct th *a = th_new(.multi = true, .ns = { { .size = MIB } });
    struct th *b = th_new(.peer = a);
    static const uint16_t both[] = { 0, 1 };
    uint32_t nsid, log[1024];
    uint16_t aer;

    th_enable(a);
    th_enable(b);
    th_queues(b, 1, 32);
    th_assert_sc(th_set_feature(b, ENVME_FID_AEC, 0, ENVME_FEAT_AEC_NSAN,
                                false), SUCCESS);
    for (unsigned step = 0; step < 5; step++) {
        struct envme_cqe c;

        th_assert_sc(th_get_log(b, ENVME_LID_CHANGED_NS, UINT32_MAX, 0, log,
                                4096, false), SUCCESS);
        aer = th_aer(b);
        switch (step) {
        case 0:
            th_assert_sc(nsm_delete(a, 1), SUCCESS);
            break;
        case 1:
            th_assert_sc(nsm_create(a, 100, 0, true, &nsid), SUCCESS);
            th_run(a);
            g_assert_false(th_try_wait(b, 0, aer, &c));
            th_assert_sc(nsm_attach_list(a, nsid, true, 2, both, 2), SUCCESS);
            break;
        case 2:
            th_assert_sc(nsm_attach_list(a, 1, false, 2, both, 2), SUCCESS);
            break;
        case 3:
            th_assert_sc(nsm_attach_list(a, 1, true, 1, both + 1, 1), SUCCESS);
            break;
        default:
            th_assert_sc(nsm_delete(a, UINT32_MAX), SUCCESS);
            break;
        }
        th_run(a);
        g_assert_true(th_try_wait(b, 0, aer, &c));
        th_assert_sc(th_get_log(b, ENVME_LID_CHANGED_NS, UINT32_MAX, 0, log,
                                4096, true), SUCCESS);
        g_assert_cmpuint(log[0], ==, 1);
        g_assert_cmpuint(log[1], ==, 0);
        if (step & 1) {
            th_assert_sc(th_read(b), SUCCESS);
        } else {
            th_assert_sc(th_read(b), INVALID_FIELD);
        }
    }
    th_free(b);
    th_free(a);
}

static void fill(struct th *h, struct th_buf *b)
{
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 0, 8);

    th_buf_attach(b, &s);
    for (unsigned i = 0; i < 30; i++) {
        th_submit(h, 1 + i % 2, &s);
    }
}

static void forget_io(struct th *h)
{
    for (unsigned i = 0; i < 20; i++) {
        th_reap(h, 1);
        th_reap(h, 2);
        th_run(h);
    }
}

/* Deleted by both at once, under load; now and then one is reset. */
static void test_delete_busy(void)
{
    for (unsigned n = 0; n < 90; n++) {
        struct th *a = th_new(.multi = true, .lanes = n % 3, .seed = n + 1,
                              .ns = { { .size = MIB } });
        struct th *b = th_new(.peer = a, .lanes = n % 3, .seed = n + 1);
        struct th_buf *ba, *bb;
        struct envme_sqe s = nsm_sqe_delete(n & 1 ? 1 : UINT32_MAX);
        uint64_t total, unused;
        uint16_t ca, cb;
        uint32_t nsid;

        th_enable(a);
        th_enable(b);
        th_queues(a, 2, 32);
        th_queues(b, 2, 32);
        if (n & 4) {
            th_assert_sc(nsm_delete(a, 1), SUCCESS);
            th_assert_sc(nsm_create(a, 512, 0, true, &nsid), SUCCESS);
            th_assert_sc(nsm_attach(a, 1, true), SUCCESS);
            th_assert_sc(nsm_attach(b, 1, true), SUCCESS);
        }
        ba = th_buf_new(a, 4096, 0);
        bb = th_buf_new(b, 4096, 0);
        a->be[0]->later = true;
        fill(a, ba);
        fill(b, bb);
        ca = th_submit(a, 0, &s);
        cb = th_submit(b, 0, &s);
        for (unsigned i = th_random(a, 60); i; i--) {
            th_step(a);
        }
        if (n % 5 == 1) {
            th_reset(a, ENVME_RESET_FUNCTION);
            th_enable(a);
            th_queues(a, 2, 32);
        } else if (n % 5 == 2) {
            th_w32(b, ENVME_REG_NSSR, ENVME_NSSR_KEY);
            th_run(a);
            th_forget(a);
            th_forget(b);
            th_enable(a);
            th_enable(b);
        } else {
            th_run(a);
            forget_io(a);
            forget_io(b);
            th_wait(a, 0, ca);
            th_wait(b, 0, cb);
        }
        th_run(a);
        nsm_capacity(a, &total, &unused);
        g_assert_cmpuint(total, ==, MIB);
        /* with a reset it may have come too early */
        if (n % 5 != 1 && n % 5 != 2) {
            g_assert_cmpuint(unused, ==, MIB);
        }
        if (nsm_list(a, ENVME_CNS_ALLOC_NS_LIST, NULL)) {
            g_assert_cmpuint(unused, ==, n & 4 ? MIB - 512 * 512 : 0);
        } else {
            g_assert_cmpuint(unused, ==, MIB);
        }
        th_buf_free(ba);
        th_buf_free(bb);
        th_free(b);
        th_free(a);
    }
}

/* A reset while a namespace is being zeroed: there is none, or all of it. */
static void test_reset_creating(void)
{
    for (unsigned n = 0; n < 3; n++) {
        struct th *h = one(MIB, 0);
        struct envme_ns_mgmt_create *c = g_new0(struct envme_ns_mgmt_create,
                                                1);
        struct envme_sqe s = th_sqe(ENVME_ADM_NS_MGMT, 0);
        struct th_buf *b = th_buf_new(h, 4096, 0);
        uint16_t cid;
        uint32_t nsid;

        th_assert_sc(nsm_delete(h, 1), SUCCESS);
        h->be[0]->hold = true;
        h->be[0]->cancel_completes = true;
        c->nsze = c->ncap = le64(100);
        th_buf_put(b, c);
        th_buf_attach(b, &s);
        cid = th_submit(h, 0, &s);
        th_run(h);
        g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
        g_assert_cmpuint(nsm_list(h, ENVME_CNS_ALLOC_NS_LIST, NULL), ==, 0);
        g_assert_cmpuint(nsm_unused(h), ==, MIB - 51200);
        if (n == 0) {
            th_reset(h, ENVME_RESET_FUNCTION);
        } else if (n == 1) {
            th_disable(h);
        } else {
            /* the medium goes under it */
            envme_subsys_remove_ns(h->subsys, h->ns[0], NULL, NULL);
        }
        h->be[0]->hold = false;
        th_be_release_all(h->be[0], 0);
        th_run(h);
        if (n < 2) {
            th_enable(h);
        } else {
            th_assert_sc(th_wait(h, 0, cid), INTERNAL);
        }
        g_assert_cmpuint(nsm_list(h, ENVME_CNS_ALLOC_NS_LIST, NULL), ==, 0);
        g_assert_cmpuint(nsm_unused(h), ==, n < 2 ? MIB : 0);
        if (n == 2) {
            char *err = NULL;

            g_assert_true(envme_subsys_add_ns(h->subsys, h->ns[0], &err));
        } else {
            th_assert_sc(nsm_create(h, 2048, 0, true, &nsid), SUCCESS);
        }
        th_buf_free(b);
        g_free(c);
        th_free(h);
    }
}

/* A medium goes: with it what was made of it, and only that. */
static void test_medium_goes(void)
{
    for (unsigned n = 0; n < 40; n++) {
        struct th *h = th_new(.lanes = n % 3, .seed = n + 1,
                              .ns = { { .size = 64 * KIB },
                                      { .size = 64 * KIB } });
        struct th_buf *b;
        uint32_t nsid;
        char *err = NULL;

        th_enable(h);
        th_queues(h, 2, 32);
        b = th_buf_new(h, 4096, 0);
        th_assert_sc(nsm_delete(h, UINT32_MAX), SUCCESS);
        th_assert_sc(nsm_create(h, 100, 0, true, &nsid), SUCCESS);
        th_assert_sc(nsm_create(h, 100, 0, true, &nsid), SUCCESS);
        th_assert_sc(nsm_create(h, 50, 0, true, &nsid), SUCCESS);
        th_assert_sc(nsm_create(h, 5, 0, true, &nsid), SUCCESS);
        for (unsigned i = 1; i <= 4; i++) {
            th_assert_sc(nsm_attach(h, i, true), SUCCESS);
        }
        g_assert_cmpuint(envme_capacity_users(h->subsys, h->ns[0]), ==, 2);
        g_assert_cmpuint(envme_capacity_users(h->subsys, h->ns[1]), ==, 3);
        h->be[0]->later = h->be[1]->later = true;
        fill(h, b);
        for (unsigned i = th_random(h, 40); i; i--) {
            th_step(h);
        }
        envme_subsys_remove_ns(h->subsys, h->ns[0], NULL, NULL);
        th_run(h);
        forget_io(h);
        g_assert_null(h->ns[0]->subsys);
        g_assert_cmpuint(nsm_unused(h), ==, 64 * KIB - 105 * 512);
        g_assert_cmpuint(nsm_list(h, ENVME_CNS_NS_LIST, &nsid), ==, 2);
        g_assert_cmpuint(nsid, ==, 2);
        th_assert_sc(th_read(h, .nsid = 4), SUCCESS);
        g_assert_true(envme_subsys_add_ns(h->subsys, h->ns[0], &err));
        th_run(h);
        th_assert_sc(th_read(h, .nsid = 1), SUCCESS);
        th_buf_free(b);
        th_free(h);
    }
}

/* The medium of deleted namespaces grows, or can be written no more. */
static void test_medium_changes(void)
{
    struct th *h = one(MIB, 0);
    uint64_t total, unused;
    uint32_t nsid;

    th_be_resize(h->be[0], 2 * MIB);
    th_run(h);
    nsm_capacity(h, &total, &unused);
    g_assert_cmpuint(total, ==, 2 * MIB);
    g_assert_cmpuint(unused, ==, 0);
    th_assert_sc(nsm_delete(h, 1), SUCCESS);
    th_assert_sc(nsm_create(h, 4096, 0, true, &nsid), SUCCESS);
    th_assert_sc(nsm_attach(h, 1, true), SUCCESS);
    th_be_resize(h->be[0], 3 * MIB);
    th_run(h);
    nsm_capacity(h, &total, &unused);
    g_assert_cmpuint(total, ==, 3 * MIB);
    g_assert_cmpuint(unused, ==, MIB);
    use_all(h, 1, 3);
    h->be[0]->geo.read_only = true;
    th_be_resize(h->be[0], 3 * MIB);
    th_run(h);
    th_assert_sc(th_write(h), NS_WRITE_PROTECTED);
    th_assert_sc(nsm_create(h, 8, 0, true, &nsid), NS_INSUFFICIENT_CAP);
    th_assert_sc(nsm_delete(h, 1), NS_WRITE_PROTECTED);
    th_free(h);
}

/* Identifiers are never given twice. */
static void test_uuid(void)
{
    struct th *h = one(MIB, 0);
    GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                             NULL);
    uint8_t buf[4096];

    for (unsigned n = 0; n < 20; n++) {
        uint32_t nsid;
        char *hex;

        th_assert_sc(nsm_delete(h, UINT32_MAX), SUCCESS);
        th_assert_sc(nsm_create(h, 8, 0, true, &nsid), SUCCESS);
        th_assert_sc(nsm_attach(h, 1, true), SUCCESS);
        th_assert_sc(th_identify(h, ENVME_CNS_NS_DESCS, 1, buf), SUCCESS);
        g_assert_cmpuint(buf[0], ==, ENVME_NIDT_UUID);
        hex = g_compute_checksum_for_data(G_CHECKSUM_MD5, buf + 4, 16);
        g_assert_true(g_hash_table_add(seen, hex));
    }
    g_hash_table_unref(seen);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nsmgmt/client", test_client);
    g_test_add_func("/nsmgmt/max", test_max);
    g_test_add_func("/nsmgmt/formats", test_formats);
    g_test_add_func("/nsmgmt/protected", test_protected);
    g_test_add_func("/nsmgmt/random", test_random);
    g_test_add_func("/nsmgmt/pieces", test_pieces);
    g_test_add_func("/nsmgmt/create-statuses", test_create_statuses);
    g_test_add_func("/nsmgmt/read-only", test_read_only);
    g_test_add_func("/nsmgmt/attach-statuses", test_attach_statuses);
    g_test_add_func("/nsmgmt/events", test_events);
    g_test_add_func("/nsmgmt/delete-busy", test_delete_busy);
    g_test_add_func("/nsmgmt/reset-creating", test_reset_creating);
    g_test_add_func("/nsmgmt/medium-goes", test_medium_goes);
    g_test_add_func("/nsmgmt/medium-changes", test_medium_changes);
    g_test_add_func("/nsmgmt/uuid", test_uuid);
    return g_test_run();
}
