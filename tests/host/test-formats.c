/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Formats: every NVM command on blocks with and without metadata, apart and
 * interleaved, over backends with every kind of limit. A plain array says
 * what has to come back. NVM Command Set 1.1.
 */
#include "th.h"

#define BLOCKS 128

struct model {
    struct th *h;
    uint32_t nsid, bs, ms;
    bool extended;
    uint8_t *data, *md;         /* of all blocks */
};

static void model_init(struct model *m, struct th *h, uint32_t nsid)
{
    const struct envme_ns *ns = h->ns[nsid - 1];

    *m = (struct model){ .h = h, .nsid = nsid, .bs = 1u << ns->lbads,
                         .ms = ns->ms, .extended = ns->extended };
    g_assert_cmpuint(ns->nsze, >=, BLOCKS);
    m->data = g_malloc0(BLOCKS * m->bs);
    m->md = g_malloc0(BLOCKS * m->ms + 1);
}

static void model_free(struct model *m)
{
    g_free(m->data);
    g_free(m->md);
}

/* The blocks as a host has them in its buffers. */
static void model_to_host(const struct model *m, uint64_t slba, unsigned nlb,
                          uint8_t *buf, uint8_t *md)
{
    for (unsigned i = 0; i < nlb; i++) {
        memcpy(buf, m->data + (slba + i) * m->bs, m->bs);
        buf += m->bs;
        if (m->extended) {
            memcpy(buf, m->md + (slba + i) * m->ms, m->ms);
            buf += m->ms;
        }
    }
    if (!m->extended && m->ms) {
        memcpy(md, m->md + slba * m->ms, (size_t)nlb * m->ms);
    }
}

static void model_fill(struct model *m, uint64_t slba, unsigned nlb,
                       uint64_t seed)
{
    th_pattern(m->data + slba * m->bs, (size_t)nlb * m->bs, seed);
    th_pattern(m->md + slba * m->ms, (size_t)nlb * m->ms, seed + 7777);
}

static void model_zero(struct model *m, uint64_t slba, unsigned nlb)
{
    memset(m->data + slba * m->bs, 0, (size_t)nlb * m->bs);
    memset(m->md + slba * m->ms, 0, (size_t)nlb * m->ms);
}

struct bufs {
    size_t len, mdlen;
    uint8_t *buf, *md;
};

static void bufs_init(struct bufs *b, const struct model *m, unsigned nlb)
{
    b->len = (size_t)nlb * (m->bs + (m->extended ? m->ms : 0));
    b->mdlen = m->extended ? 0 : (size_t)nlb * m->ms;
    b->buf = g_malloc(b->len);
    b->md = b->mdlen ? g_malloc(b->mdlen) : NULL;
}

static void bufs_free(struct bufs *b)
{
    g_free(b->buf);
    g_free(b->md);
}

static struct envme_cqe model_rw(struct model *m, uint8_t opc, uint64_t slba,
                                 unsigned nlb, struct bufs *b, unsigned shape)
{
    return th_rw(m->h, opc, .nsid = m->nsid, .slba = slba, .nlb = nlb,
                 .data = b->buf, .md = b->md, .shape = shape);
}

static void model_write(struct model *m, uint64_t slba, unsigned nlb,
                        uint64_t seed, unsigned shape)
{
    struct bufs b;

    bufs_init(&b, m, nlb);
    model_fill(m, slba, nlb, seed);
    model_to_host(m, slba, nlb, b.buf, b.md);
    th_assert_sc(model_rw(m, ENVME_NVM_WRITE, slba, nlb, &b, shape), SUCCESS);
    bufs_free(&b);
}

/* Read and Compare agree with the model. */
static void model_check(struct model *m, uint64_t slba, unsigned nlb,
                        unsigned shape)
{
    struct bufs got, want;

    bufs_init(&got, m, nlb);
    bufs_init(&want, m, nlb);
    memset(got.buf, 0xee, got.len);
    if (got.md) {
        memset(got.md, 0xee, got.mdlen);
    }
    model_to_host(m, slba, nlb, want.buf, want.md);
    th_assert_sc(model_rw(m, ENVME_NVM_READ, slba, nlb, &got, shape), SUCCESS);
    g_assert_cmpint(memcmp(got.buf, want.buf, got.len), ==, 0);
    if (got.md) {
        g_assert_cmpint(memcmp(got.md, want.md, got.mdlen), ==, 0);
    }
    th_assert_sc(model_rw(m, ENVME_NVM_COMPARE, slba, nlb, &want, shape),
                 SUCCESS);
    bufs_free(&got);
    bufs_free(&want);
}

/* One wrong byte, anywhere, fails Compare, and the error log says where. */
static void model_compare_fails(struct model *m, uint64_t slba, unsigned nlb,
                                unsigned shape)
{
    struct envme_log_error e[2];
    struct bufs b;
    uint32_t at, block = m->bs + (m->extended ? m->ms : 0);
    bool in_md;

    bufs_init(&b, m, nlb);
    model_to_host(m, slba, nlb, b.buf, b.md);
    in_md = b.md && th_random(m->h, 2);
    if (in_md) {
        at = th_random(m->h, b.mdlen);
        b.md[at] ^= 0x10;
        at /= m->ms;
    } else {
        at = th_random(m->h, b.len);
        b.buf[at] ^= 0x10;
        at /= block;
    }
    th_assert_sc(model_rw(m, ENVME_NVM_COMPARE, slba, nlb, &b, shape),
                 COMPARE_FAILURE);
    th_assert_sc(th_get_log(m->h, ENVME_LID_ERROR, UINT32_MAX, 0, e, sizeof(e),
                            false), SUCCESS);
    g_assert_cmpuint(le64_get(e[0].lba), ==, slba + at);
    bufs_free(&b);
}

static void model_dsm(struct model *m, uint64_t slba, unsigned nlb)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_DSM, m->nsid);
    struct envme_dsm_range r[3] = {
        { .slba = le64(slba), .nlb = le32(nlb / 2) },
        { .slba = le64(BLOCKS) },               /* of no length */
        { .slba = le64(slba + nlb / 2), .nlb = le32(nlb - nlb / 2) },
    };

    s.cdw10 = le32(2);
    s.cdw11 = le32(ENVME_DSM_AD);
    th_assert_sc(th_cmd_data(m->h, 1, &s, r, sizeof(r), TH_PRP), SUCCESS);
}

static void model_random(struct model *m, unsigned rounds)
{
    static const unsigned shapes[] = {
        TH_PRP, TH_SGL, TH_PRP | TH_OFFSET, TH_SGL | TH_MPTR,
        TH_PRP | TH_CONTIG,
    };
    struct th *h = m->h;
    unsigned most = MIN(40, 256 * KIB / m->bs);     /* below MDTS */

    for (unsigned i = 0; i < rounds; i++) {
        unsigned nlb = 1 + th_random(h, most);
        uint64_t slba = th_random(h, BLOCKS - nlb + 1);
        unsigned shape = shapes[th_random(h, G_N_ELEMENTS(shapes))];

        switch (th_random(h, 6)) {
        case 0:
        case 1:
            model_write(m, slba, nlb, i, shape);
            break;
        case 2:
            model_zero(m, slba, nlb);
            th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .nsid = m->nsid,
                               .slba = slba, .nlb = nlb,
                               .cdw12 = i % 2 ? ENVME_RW_DEAC : 0), SUCCESS);
            break;
        case 3:
            model_zero(m, slba, nlb);
            model_dsm(m, slba, nlb);
            break;
        case 4:
            model_compare_fails(m, slba, nlb, shape);
            break;
        default:
            th_assert_sc(th_rw(h, ENVME_NVM_VERIFY, .nsid = m->nsid,
                               .slba = slba, .nlb = nlb), SUCCESS);
        }
        nlb = 1 + th_random(h, most);
        model_check(m, th_random(h, BLOCKS - nlb + 1), nlb, shape);
    }
}

/* ---- every format, every kind of backend ------------------------------- */

static void check_format(uint32_t lbs, uint16_t ms, bool mset, bool later,
                         uint32_t max_transfer, uint32_t max_iov)
{
    struct th *h = th_new(.ns = { { .size = BLOCKS * (lbs + ms), .lbs = lbs,
                                    .ms = ms, .mset = mset,
                                    .max_transfer = max_transfer,
                                    .max_iov = max_iov } },
                          .seed = lbs + ms + mset + max_iov);
    struct model m;

    th_enable(h);
    th_queues(h, 1, 8);
    h->be[0]->later = later;
    model_init(&m, h, 1);
    model_random(&m, 25);
    model_free(&m);
    th_free(h);
}

static void test_formats(void)
{
    static const uint16_t ms[] = { 0, 8, 16, 64, 13 };
    static const uint32_t lbs[] = { 512, 4096, 16384 };

    for (unsigned l = 0; l < G_N_ELEMENTS(lbs); l++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(ms); i++) {
            for (unsigned mset = 0; mset < (ms[i] ? 2 : 1); mset++) {
                check_format(lbs[l], ms[i], mset, false, 0, 0);
                check_format(lbs[l], ms[i], mset, true, 0, 0);
            }
        }
    }
}

static void test_limits(void)
{
    static const uint16_t ms[] = { 0, 8, 64 };

    for (unsigned i = 0; i < G_N_ELEMENTS(ms); i++) {
        for (unsigned mset = 0; mset < (ms[i] ? 2 : 1); mset++) {
            check_format(512, ms[i], mset, i % 2, 4096, 0);
            check_format(512, ms[i], mset, i % 2, 0, 1);
            check_format(4096, ms[i], mset, i % 2, 8192, 3);
        }
    }
}

/* ---- pieces smaller than the backend's unit ---------------------------- */

/*
 * A block in more pieces than the backend takes at once, each far below what
 * it can address: no cut would be a whole unit.
 */
static void test_crumbs(void)
{
    enum { LBS = 4096, PIECE = 4, N = LBS / PIECE };
    struct th *h = th_new(.ns = { { .size = MIB, .lbs = LBS, .align = LBS,
                                    .max_iov = 16 } });
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 3, 1);
    uint64_t list = th_alloc(h, (N + 1) * 16), buf = th_alloc(h, 2 * LBS);
    uint8_t want[LBS];

    th_enable(h);
    th_queues(h, 1, 8);
    th_pattern(want, LBS, 5);
    /* With gaps in between, so that they don't join. */
    for (unsigned i = 0; i < N; i++) {
        struct envme_sgl_desc d = {
            .addr = le64(buf + 2 * i * PIECE), .len = le32(PIECE),
            .id = FIELD_SET(ENVME_SGL_TYPE, ENVME_SGL_DATA),
        };

        memcpy(th_mem(h, list + i * 16, 16), &d, 16);
        memcpy(th_mem(h, buf + 2 * i * PIECE, PIECE), want + i * PIECE, PIECE);
    }
    s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL);
    s.dptr.sgl = (struct envme_sgl_desc){
        .addr = le64(list), .len = le32(N * 16),
        .id = FIELD_SET(ENVME_SGL_TYPE, ENVME_SGL_LAST_SEGMENT),
    };
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    memset(th_mem(h, buf, 2 * LBS), 0xee, 2 * LBS);
    s.opc = ENVME_NVM_READ;
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    for (unsigned i = 0; i < 2 * LBS; i++) {
        uint8_t gap = 0xee, *p = th_mem(h, buf + i, 1);

        g_assert_cmphex(*p, ==, i / PIECE % 2 ? gap : want[i / PIECE / 2 *
                                                           PIECE + i % PIECE]);
    }
    th_free_pages(h, list, (N + 1) * 16);
    th_free_pages(h, buf, 2 * LBS);
    th_free(h);
}

/* ---- sizes ------------------------------------------------------------- */

static void mdts_5(struct envme_ctrl_params *p)
{
    p->mdts = 5;                /* 128 KiB */
}

static void mdts_5_mem(struct envme_ctrl_params *p)
{
    p->mdts = 5;
    p->ctratt_mem = true;
}

/* MDTS has the interleaved metadata in it, unless CTRATT.MEM says not. */
static void test_mdts(void)
{
    for (unsigned mem = 0; mem < 2; mem++) {
        struct th *h = th_new(.ns = { { .size = MIB, .ms = 8, .mset = true },
                                      { .size = MIB, .ms = 8 },
                                      { .size = MIB } },
                              .tweak = mem ? mdts_5_mem : mdts_5);

        th_enable(h);
        th_queues(h, 1, 8);
        th_assert_sc(th_read(h, .nlb = 252), SUCCESS);
        if (mem) {
            th_assert_sc(th_read(h, .nlb = 256), SUCCESS);
        } else {
            th_assert_sc(th_read(h, .nlb = 253), INVALID_FIELD);
        }
        th_assert_sc(th_read(h, .nlb = 257), INVALID_FIELD);
        th_assert_sc(th_write(h, .nsid = 3, .nlb = 256), SUCCESS);
        th_assert_sc(th_write(h, .nsid = 3, .nlb = 257), INVALID_FIELD);
        th_assert_sc(th_rw(h, ENVME_NVM_COMPARE, .nsid = 3, .nlb = 257),
                     INVALID_FIELD);
        th_free(h);
    }
}

static void vsl_1(struct envme_ctrl_params *p)
{
    p->vsl = 1;
}

static void test_vsl(void)
{
    struct th *h = th_new(.tweak = vsl_1);
    struct envme_id_ctrl_nvm *id = g_malloc(4096);

    th_enable(h);
    th_queues(h, 1, 8);
    th_assert_sc(th_identify(h, ENVME_CNS_CS_CTRL, 0, id), SUCCESS);
    g_assert_cmpuint(id->vsl, ==, 1);
    th_assert_sc(th_rw(h, ENVME_NVM_VERIFY, .nlb = 16), SUCCESS);
    th_assert_sc(th_rw(h, ENVME_NVM_VERIFY, .nlb = 17), INVALID_FIELD);
    g_free(id);
    th_free(h);
}

/* ---- fields that are not there ----------------------------------------- */

static void test_fields(void)
{
    static const struct { uint8_t opc; uint32_t cdw12; } bad[] = {
        { ENVME_NVM_READ, 1 << 16 },            /* CETYPE */
        { ENVME_NVM_READ, 1 << 20 },
        { ENVME_NVM_WRITE, 1 << 16 },
        { ENVME_NVM_WRITE, 1 << 20 },           /* DTYPE */
        { ENVME_NVM_WRITE, ENVME_RW_DEAC },
        { ENVME_NVM_WRITE_ZEROES, ENVME_RW_NSZ },
        { ENVME_NVM_COMPARE, ENVME_RW_DEAC },
        { ENVME_NVM_VERIFY, 1 << 19 },
    };
    struct th *h = th_new();

    th_enable(h);
    th_queues(h, 1, 8);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        th_assert_sc(th_rw(h, bad[i].opc, .cdw12 = bad[i].cdw12),
                     INVALID_FIELD);
        th_assert_sc(th_rw(h, bad[i].opc), SUCCESS);
        /* No meaning without protection information; hints. */
        th_assert_sc(th_rw(h, bad[i].opc, .cdw12 = ENVME_RW_PRINFO |
                           ENVME_RW_LR | ENVME_RW_FUA), SUCCESS);
    }
    th_free(h);
}

/* Each range is checked before any has an effect. */
static void test_dsm_all_or_nothing(void)
{
    struct th *h = th_new();
    struct envme_sqe s = th_sqe(ENVME_NVM_DSM, 1);
    struct envme_dsm_range r[256];
    struct model m;

    th_enable(h);
    th_queues(h, 1, 8);
    model_init(&m, h, 1);
    model_write(&m, 0, 100, 1, TH_PRP);
    memset(r, 0, sizeof(r));
    for (unsigned i = 0; i < 256; i++) {
        r[i].slba = le64(i % 100);
        r[i].nlb = le32(1);
    }
    s.cdw10 = le32(255);
    s.cdw11 = le32(ENVME_DSM_AD);
    r[255].slba = le64(h->ns[0]->nsze);
    th_assert_sc(th_cmd_data(h, 1, &s, r, sizeof(r), TH_PRP), LBA_RANGE);
    r[255].slba = le64(UINT64_MAX);
    th_assert_sc(th_cmd_data(h, 1, &s, r, sizeof(r), TH_PRP), LBA_RANGE);
    model_check(&m, 0, 100, TH_PRP);
    r[255].slba = le64(0);
    /* A hint for nothing but reads changes nothing. */
    s.cdw11 = le32(ENVME_DSM_IDR);
    th_assert_sc(th_cmd_data(h, 1, &s, r, sizeof(r), TH_PRP), SUCCESS);
    model_check(&m, 0, 100, TH_PRP);
    s.cdw11 = le32(ENVME_DSM_AD);
    th_assert_sc(th_cmd_data(h, 1, &s, r, sizeof(r), TH_PRP), SUCCESS);
    model_zero(&m, 0, 100);
    model_check(&m, 0, 100, TH_PRP);
    model_free(&m);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/formats/all", test_formats);
    g_test_add_func("/formats/limits", test_limits);
    g_test_add_func("/formats/crumbs", test_crumbs);
    g_test_add_func("/formats/mdts", test_mdts);
    g_test_add_func("/formats/vsl", test_vsl);
    g_test_add_func("/formats/fields", test_fields);
    g_test_add_func("/formats/dsm-all-or-nothing", test_dsm_all_or_nothing);
    return g_test_run();
}
