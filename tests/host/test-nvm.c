/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The NVM command set: each command, with and without an error.
 * NVM Command Set 1.1, chapter 3; Base 2.1, chapter 7.
 */
#include "th.h"

#define NBLOCKS 2048            /* of 512 bytes: 1 MiB */

static struct th *nvm_host(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .write_cache = true },
                                  { .size = MIB, .lbs = 4096 },
                                  { .size = MIB, .read_only = true },
                                  { .size = MIB, .detached = true } });

    th_enable(h);
    th_queues(h, 1, 32);
    return h;
}

static void test_ranges(void)
{
    static const uint8_t ops[] = {
        ENVME_NVM_READ, ENVME_NVM_WRITE, ENVME_NVM_COMPARE,
        ENVME_NVM_WRITE_ZEROES, ENVME_NVM_VERIFY,
    };
    struct th *h = nvm_host();
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(ops); i++) {
        th_assert_sc(th_rw(h, ops[i], .slba = 0), SUCCESS);
        th_assert_sc(th_rw(h, ops[i], .slba = NBLOCKS - 1), SUCCESS);
        th_assert_sc(th_rw(h, ops[i], .slba = NBLOCKS - 4, .nlb = 4), SUCCESS);
        th_assert_sc(th_rw(h, ops[i], .slba = NBLOCKS), LBA_RANGE);
        th_assert_sc(th_rw(h, ops[i], .slba = NBLOCKS - 3, .nlb = 4),
                     LBA_RANGE);
        /* sums that wrap */
        th_assert_sc(th_rw(h, ops[i], .slba = UINT64_MAX), LBA_RANGE);
        th_assert_sc(th_rw(h, ops[i], .slba = UINT64_MAX, .nlb = 2),
                     LBA_RANGE);
        th_assert_sc(th_rw(h, ops[i], .slba = UINT64_MAX - 3, .nlb = 4),
                     LBA_RANGE);
        th_assert_sc(th_rw(h, ops[i], .slba = 1ull << 55, .nlb = 4),
                     LBA_RANGE);
    }
    th_free(h);
}

/* The error log says which field of which command it was. */
static void test_error_log(void)
{
    struct th *h = nvm_host();
    struct envme_log_error log[16];
    struct envme_cqe cqe;
    unsigned i;

    cqe = th_read(h, .slba = NBLOCKS);
    g_assert_true(cqe_dnr(&cqe));
    g_assert_true(cqe_more(&cqe));
    memset(log, 0xee, sizeof(log));
    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, log,
                            sizeof(log), false), SUCCESS);
    g_assert_cmpuint(le64_get(log[0].ecnt), ==, 1);
    g_assert_cmpuint(le16_get(log[0].sqid), ==, 1);
    g_assert_cmpuint(le16_get(log[0].cid), ==, le16_get(cqe.cid));
    g_assert_cmphex(le16_get(log[0].sts) >> 1, ==, le16_get(cqe.sf) >> 1);
    g_assert_cmphex(le16_get(log[0].pel) & ENVME_PEL_BYTE, ==,
                    offsetof(struct envme_sqe, cdw10));
    g_assert_cmpuint(le32_get(log[0].nsid), ==, 1);
    g_assert_cmpuint(le64_get(log[1].ecnt), ==, 0);
    /* newest first, and only as many as fit */
    for (i = 0; i < 40; i++) {
        th_assert_sc(th_read(h, .slba = NBLOCKS + i), LBA_RANGE);
    }
    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, log,
                            sizeof(log), false), SUCCESS);
    for (i = 0; i < 16; i++) {
        g_assert_cmpuint(le64_get(log[i].ecnt), ==, 41 - i);
    }
    th_free(h);
}

/* NSIDs: none, too high, not attached, the broadcast */
static void test_nsids(void)
{
    struct th *h = nvm_host();
    struct envme_sqe s;
    static const uint8_t ops[] = {
        ENVME_NVM_READ, ENVME_NVM_WRITE, ENVME_NVM_COMPARE,
        ENVME_NVM_WRITE_ZEROES, ENVME_NVM_VERIFY, ENVME_NVM_DSM,
    };
    uint64_t a = th_alloc(h, 4096);
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(ops); i++) {
        struct envme_cqe c;

        s = th_sqe(ops[i], 0);
        s.dptr.prp1 = le64(a);
        th_assert_sc(th_io(h, 1, &s), INVALID_NS);
        s.nsid = le32(17);
        th_assert_sc(th_io(h, 1, &s), INVALID_NS);
        s.nsid = le32(0xfffffffe);
        th_assert_sc(th_io(h, 1, &s), INVALID_NS);
        /* there, but not attached; not there, but could be */
        s.nsid = le32(4);
        th_assert_sc(th_io(h, 1, &s), INVALID_FIELD);
        s.nsid = le32(9);
        th_assert_sc(th_io(h, 1, &s), INVALID_FIELD);
        s.nsid = le32(UINT32_MAX);
        c = th_io(h, 1, &s);
        th_assert_sc(c, INVALID_FIELD);
    }
    s = th_sqe(ENVME_NVM_FLUSH, UINT32_MAX);
    {
        /* As VWC says: all of them, or Invalid Namespace. */
        struct envme_id_ctrl *id = g_malloc(4096);
        struct envme_cqe c = th_io(h, 1, &s);

        th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
        if (FIELD_GET(ENVME_VWC_FB, id->vwc) == ENVME_VWC_FB_YES) {
            th_assert_sc(c, SUCCESS);
            g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_FLUSH], ==, 1);
            g_assert_cmpuint(h->be[1]->nops[ENVME_BIO_FLUSH], ==, 1);
            g_assert_cmpuint(h->be[3]->nops[ENVME_BIO_FLUSH], ==, 0);
        } else {
            g_assert_cmpuint(cqe_sc(&c), !=, 0);
        }
        g_free(id);
    }
    s = th_sqe(ENVME_NVM_FLUSH, 0);
    th_assert_sc(th_io(h, 1, &s), INVALID_NS);
    s = th_sqe(ENVME_NVM_FLUSH, 4);
    th_assert_sc(th_io(h, 1, &s), INVALID_FIELD);
    th_free(h);
}

static void test_opcodes(void)
{
    struct th *h = nvm_host();
    struct envme_log_effects *eff = g_malloc(sizeof(*eff));
    struct envme_sqe s;
    uint64_t a = th_alloc(h, 8192);
    unsigned i, n = 0;

    th_assert_sc(th_get_log(h, ENVME_LID_EFFECTS, 0, 0, eff, sizeof(*eff),
                            false), SUCCESS);
    /* What the log says is there is there, and nothing else. */
    for (i = 0; i < 256; i++) {
        bool there = le32_get(eff->iocs[i]) & ENVME_EFF_CSUPP;
        struct envme_cqe c;

        s = th_sqe(i, 1);
        s.dptr.prp1 = le64(a);
        c = th_io(h, 1, &s);
        if (there) {
            g_assert_cmpuint(cqe_sc(&c), !=, ENVME_SC_INVALID_OPCODE);
        } else {
            th_assert_sc(c, INVALID_OPCODE);
            g_assert_true(cqe_dnr(&c));
        }
        n += there;
        there = le32_get(eff->acs[i]) & ENVME_EFF_CSUPP;
        /* Doorbell Buffer Config would change how the queue is rung. */
        if (i == ENVME_ADM_AER || i == ENVME_ADM_DBBUF || (there && i <= ENVME_ADM_CREATE_CQ)) {
            continue;
        }
        s = th_sqe(i, 0);
        s.dptr.prp1 = le64(a);
        s.dptr.prp2 = le64(a + 4096);
        c = th_admin(h, &s);
        if (there) {
            g_assert_cmpuint(cqe_sc(&c), !=, ENVME_SC_INVALID_OPCODE);
        } else {
            th_assert_sc(c, INVALID_OPCODE);
        }
    }
    /* Flush, Write, Read, Compare, Write Zeroes, DSM, Verify */
    g_assert_cmpuint(n, >=, 7);
    g_free(eff);
    th_free(h);
}

static void test_compare(void)
{
    struct th *h = nvm_host();
    uint8_t *data = g_malloc(64 * 512);
    unsigned i;

    th_pattern(data, 64 * 512, 9);
    th_assert_sc(th_write(h, .slba = 5, .nlb = 64, .data = data), SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_COMPARE, .slba = 5, .nlb = 64,
                       .data = data, .shape = TH_OFFSET), SUCCESS);
    for (i = 0; i < 64 * 512; i += 8191) {
        data[i] ^= 1;
        th_assert_sc(th_rw(h, ENVME_NVM_COMPARE, .slba = 5, .nlb = 64,
                           .data = data), COMPARE_FAILURE);
        data[i] ^= 1;
    }
    data[64 * 512 - 1] ^= 0x80;
    th_assert_sc(th_rw(h, ENVME_NVM_COMPARE, .slba = 5, .nlb = 64,
                       .data = data, .shape = TH_SGL), COMPARE_FAILURE);
    g_free(data);
    th_free(h);
}

static void test_write_zeroes(void)
{
    struct th *h = nvm_host();
    uint8_t *data = g_malloc(MIB);
    unsigned i;

    th_pattern(data, 512 * 512, 1);
    th_assert_sc(th_write(h, .slba = 0, .nlb = 512, .data = data), SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .slba = 7, .nlb = 100),
                 SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .slba = 300, .nlb = 50,
                       .cdw12 = ENVME_RW_DEAC), SUCCESS);
    th_assert_sc(th_read(h, .slba = 0, .nlb = 512, .data = data), SUCCESS);
    for (i = 0; i < 512; i++) {
        uint8_t expect[512] = { 0 }, all[512 * 2];
        bool zero = (i >= 7 && i < 107) || (i >= 300 && i < 350);

        if (!zero) {
            uint8_t *p = g_malloc(512 * 512);

            th_pattern(p, 512 * 512, 1);
            memcpy(expect, p + i * 512, 512);
            g_free(p);
        }
        (void)all;
        g_assert_cmpmem(data + i * 512, 512, expect, 512);
    }
    /* All of the namespace: more than MDTS, since it moves no data. */
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .nlb = NBLOCKS), SUCCESS);
    th_assert_sc(th_read(h, .slba = 0, .nlb = 512, .data = data), SUCCESS);
    for (i = 0; i < 512 * 512; i++) {
        g_assert_cmpuint(data[i], ==, 0);
    }
    g_free(data);
    th_free(h);
}

static void test_fua(void)
{
    struct th *h = nvm_host();
    unsigned before = h->be[0]->nfua + h->be[0]->nops[ENVME_BIO_FLUSH];

    th_assert_sc(th_write(h, .slba = 1), SUCCESS);
    g_assert_cmpuint(h->be[0]->nfua + h->be[0]->nops[ENVME_BIO_FLUSH], ==,
                     before);
    th_assert_sc(th_write(h, .slba = 1, .cdw12 = ENVME_RW_FUA), SUCCESS);
    g_assert_cmpuint(h->be[0]->nfua, ==, 1);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .slba = 1,
                       .cdw12 = ENVME_RW_FUA), SUCCESS);
    g_assert_cmpuint(h->be[0]->nfua, ==, 2);
    /* A read with FUA: what is in a volatile cache gets stable first, or the
     * medium has no such cache; either way it works. */
    th_assert_sc(th_read(h, .slba = 1, .cdw12 = ENVME_RW_FUA), SUCCESS);
    th_assert_sc(th_read(h, .slba = 1, .cdw12 = ENVME_RW_LR), SUCCESS);
    th_free(h);
}

/* ... on each piece of a write that the backend wants in pieces, and of one
 * whose metadata lies elsewhere */
static void test_fua_pieces(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .write_cache = true,
                                    .max_transfer = 4096 },
                                  { .size = MIB, .write_cache = true,
                                    .ms = 8 } });
    uint8_t md[8 * 64] = { 0 };

    th_enable(h);
    th_queues(h, 1, 8);
    th_assert_sc(th_write(h, .nlb = 32, .cdw12 = ENVME_RW_FUA), SUCCESS);
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_WRITE], >=, 4);
    g_assert_cmpuint(h->be[0]->nfua, ==, h->be[0]->nops[ENVME_BIO_WRITE]);
    th_assert_sc(th_write(h, .nsid = 2, .nlb = 64, .md = md,
                          .cdw12 = ENVME_RW_FUA), SUCCESS);
    g_assert_cmpuint(h->be[1]->nops[ENVME_BIO_WRITE], >=, 2);
    g_assert_cmpuint(h->be[1]->nfua, ==, h->be[1]->nops[ENVME_BIO_WRITE]);
    th_free(h);
}

static void test_flush(void)
{
    struct th *h = nvm_host();
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);

    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_FLUSH], ==, 1);
    h->be[0]->fail_op = ENVME_BIO_FLUSH;
    h->be[0]->fail_errno = -EIO;
    th_assert_sc(th_io(h, 1, &s), WRITE_FAULT);
    h->be[0]->fail_op = -1;
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    th_free(h);
}

static void put_range(struct th *h, uint64_t at, uint64_t slba, uint32_t nlb)
{
    struct envme_dsm_range r = { .slba = le64(slba), .nlb = le32(nlb) };

    memcpy(th_mem(h, at, sizeof(r)), &r, sizeof(r));
}

static void test_dsm(void)
{
    struct th *h = nvm_host();
    struct envme_sqe s = th_sqe(ENVME_NVM_DSM, 1);
    uint64_t a = th_alloc(h, 4096);
    unsigned i;

    s.dptr.prp1 = le64(a);
    s.cdw11 = le32(ENVME_DSM_AD);
    /* one, and 256 of them */
    put_range(h, a, 8, 8);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    for (i = 0; i < 256; i++) {
        put_range(h, a + i * 16, i * 8, 8);
    }
    s.cdw10 = le32(255);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    /* a range of no blocks is nothing */
    put_range(h, a, 5, 0);
    s.cdw10 = le32(0);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    /* beyond the end */
    put_range(h, a, NBLOCKS - 3, 4);
    th_assert_sc(th_io(h, 1, &s), LBA_RANGE);
    put_range(h, a, UINT64_MAX, 4);
    th_assert_sc(th_io(h, 1, &s), LBA_RANGE);
    put_range(h, a, 0, UINT32_MAX);
    th_assert_sc(th_io(h, 1, &s), LBA_RANGE);
    /* without AD it is only advice */
    s.cdw11 = le32(ENVME_DSM_IDR);
    put_range(h, a, 0, 8);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    /* the list itself */
    s.cdw11 = le32(ENVME_DSM_AD);
    s.dptr.prp1 = le64(TH_VOID_BASE);
    th_assert_sc(th_io(h, 1, &s), DATA_XFER_ERROR);
    th_free(h);
}

static void test_dsm_reset_busy(void)
{
    struct th *h = nvm_host();
    struct envme_sqe s = th_sqe(ENVME_NVM_DSM, 1);
    uint64_t a = th_alloc(h, 4096);
    unsigned i, n;

    for (n = 0; n < 30; n++) {
        if (n) {
            th_enable(h);
            th_queues(h, 1, 32);
        }
        for (i = 0; i < 256; i++) {
            put_range(h, a + i * 16, i * 8, 8);
        }
        s.dptr.prp1 = le64(a);
        s.cdw10 = le32(255);
        s.cdw11 = le32(ENVME_DSM_AD);
        h->be[0]->later = true;
        th_submit(h, 1, &s);
        for (i = 0; i < n * 4; i++) {
            th_step(h);
        }
        th_reset(h, ENVME_RESET_FUNCTION);
    }
    th_free(h);
}

static void test_read_only(void)
{
    struct th *h = nvm_host();
    struct envme_sqe s;

    th_assert_sc(th_read(h, .nsid = 3), SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_VERIFY, .nsid = 3), SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_COMPARE, .nsid = 3), SUCCESS);
    th_assert_sc(th_write(h, .nsid = 3), NS_WRITE_PROTECTED);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .nsid = 3),
                 NS_WRITE_PROTECTED);
    s = th_sqe(ENVME_NVM_DSM, 3);
    s.cdw11 = le32(ENVME_DSM_AD);
    s.dptr.prp1 = le64(th_alloc(h, 4096));
    th_assert_sc(th_io(h, 1, &s), NS_WRITE_PROTECTED);
    g_assert_cmpuint(h->be[2]->nops[ENVME_BIO_WRITE], ==, 0);
    th_free(h);
}

/* What a backend's errors become: at once and later */
static void test_backend_errors(void)
{
    static const struct {
        uint8_t opc;
        int err;
        uint16_t sc;
    } t[] = {
        { ENVME_NVM_READ, -EIO, ENVME_SC_UNRECOVERED_READ },
        { ENVME_NVM_WRITE, -EIO, ENVME_SC_WRITE_FAULT },
        { ENVME_NVM_WRITE, -ENOSPC, ENVME_SC_CAP_EXCEEDED },
        { ENVME_NVM_WRITE_ZEROES, -EIO, ENVME_SC_WRITE_FAULT },
        { ENVME_NVM_WRITE_ZEROES, -ENOSPC, ENVME_SC_CAP_EXCEEDED },
        { ENVME_NVM_COMPARE, -EIO, ENVME_SC_UNRECOVERED_READ },
        { ENVME_NVM_VERIFY, -EIO, ENVME_SC_UNRECOVERED_READ },
        { ENVME_NVM_WRITE, -EROFS, ENVME_SC_NS_WRITE_PROTECTED },
    };
    struct th *h = nvm_host();
    struct envme_log_smart *smart = g_malloc(512);
    unsigned i, how;

    for (how = 0; how < 3; how++) {
        h->be[0]->later = how == 2;
        for (i = 0; i < G_N_ELEMENTS(t); i++) {
            struct envme_cqe c;

            th_fail_nth(h, how ? TH_AT_DONE : TH_AT_SUBMIT, 1, t[i].err);
            c = th_rw(h, t[i].opc, .slba = 40, .nlb = 8);
            g_assert_cmpstr(th_sc_name(cqe_sc(&c)), ==, th_sc_name(t[i].sc));
            g_assert_cmpuint(h->failed[how ? TH_AT_DONE : TH_AT_SUBMIT], ==,
                             1);
            /* It was an episode, not a state. */
            th_assert_sc(th_rw(h, t[i].opc, .slba = 40, .nlb = 8), SUCCESS);
        }
    }
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 0, smart, 512,
                            false), SUCCESS);
    /* regressions 7.4.7: the medium's errors are counted */
    g_assert_cmpuint(smart->mdie[0], ==, 3 * 5);
    g_free(smart);
    th_free(h);
}

/* Blocks of 4 KiB: units are the namespace's own */
static void test_4k(void)
{
    struct th *h = nvm_host();
    uint8_t *data = g_malloc(8 * 4096);

    th_pattern(data, 8 * 4096, 4);
    th_assert_sc(th_write(h, .nsid = 2, .slba = 248, .nlb = 8, .data = data),
                 SUCCESS);
    th_assert_sc(th_write(h, .nsid = 2, .slba = 249, .nlb = 8, .data = data),
                 LBA_RANGE);
    memset(data, 0, 8 * 4096);
    th_assert_sc(th_read(h, .nsid = 2, .slba = 248, .nlb = 8, .data = data),
                 SUCCESS);
    g_assert_true(th_pattern_ok(data, 8 * 4096, 4));
    th_assert_sc(th_read(h, .nsid = 2, .slba = 256), LBA_RANGE);
    th_free(h);
    g_free(data);
}

/* Random commands against a model, in random order of completion */
static void test_random(void)
{
    struct th *h = th_new(.lanes = 2, .seed = 99,
                          .ns = { { .size = MIB, .write_cache = true } });
    uint8_t *model = g_malloc0(MIB), *data = g_malloc(128 * 512);
    unsigned i, q;

    th_enable(h);
    th_queues(h, 4, 16);
    h->be[0]->later = true;
    for (i = 0; i < 3000; i++) {
        uint32_t nlb = 1 + th_random(h, i % 10 ? 16 : 128);
        uint64_t slba = th_random(h, NBLOCKS - nlb + 1);
        unsigned shape = th_random(h, 4);
        struct envme_cqe c;

        shape = shape == 3 ? TH_SGL | TH_SGL_INLINE : shape;
        shape |= th_random(h, 2) ? TH_OFFSET : 0;
        q = 1 + th_random(h, 4);
        switch (th_random(h, 6)) {
        case 0:
        case 1:
            th_pattern(data, nlb * 512, i);
            memcpy(model + slba * 512, data, nlb * 512);
            th_assert_sc(th_write(h, .qid = q, .slba = slba, .nlb = nlb,
                                  .data = data, .shape = shape), SUCCESS);
            break;
        case 2:
            memset(model + slba * 512, 0, nlb * 512);
            th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .qid = q,
                               .slba = slba, .nlb = nlb,
                               .cdw12 = th_random(h, 2) ? ENVME_RW_DEAC : 0),
                         SUCCESS);
            break;
        case 3:
            memcpy(data, model + slba * 512, nlb * 512);
            if (th_random(h, 2)) {
                data[th_random(h, nlb * 512)] ^= 4;
                th_assert_sc(th_rw(h, ENVME_NVM_COMPARE, .qid = q,
                                   .slba = slba, .nlb = nlb, .data = data,
                                   .shape = shape), COMPARE_FAILURE);
            } else {
                th_assert_sc(th_rw(h, ENVME_NVM_COMPARE, .qid = q,
                                   .slba = slba, .nlb = nlb, .data = data,
                                   .shape = shape), SUCCESS);
            }
            break;
        default:
            memset(data, 0xaa, nlb * 512);
            c = th_read(h, .qid = q, .slba = slba, .nlb = nlb, .data = data,
                        .shape = shape);
            th_assert_sc(c, SUCCESS);
            g_assert_cmpmem(data, nlb * 512, model + slba * 512, nlb * 512);
            break;
        }
    }
    g_free(model);
    g_free(data);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nvm/ranges", test_ranges);
    g_test_add_func("/nvm/regression-7.4.7-error-log", test_error_log);
    g_test_add_func("/nvm/nsids", test_nsids);
    g_test_add_func("/nvm/opcodes", test_opcodes);
    g_test_add_func("/nvm/compare", test_compare);
    g_test_add_func("/nvm/write-zeroes", test_write_zeroes);
    g_test_add_func("/nvm/regression-7.4.10-fua", test_fua);
    g_test_add_func("/nvm/fua-pieces", test_fua_pieces);
    g_test_add_func("/nvm/flush", test_flush);
    g_test_add_func("/nvm/dsm", test_dsm);
    g_test_add_func("/nvm/dsm-reset-busy", test_dsm_reset_busy);
    g_test_add_func("/nvm/read-only", test_read_only);
    g_test_add_func("/nvm/backend-errors", test_backend_errors);
    g_test_add_func("/nvm/4k", test_4k);
    g_test_add_func("/nvm/random", test_random);
    return g_test_run();
}
