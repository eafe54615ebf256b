/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data pointers: PRPs and SGLs of every shape, right and wrong. Base 2.1, 4.3.
 */
#include "th.h"

static struct th *data_host(unsigned lanes, uint64_t seed)
{
    struct th *h = th_new(.lanes = lanes, .seed = seed,
                          .ns = { { .size = 4 * MIB },
                                  { .size = 4 * MIB, .lbs = 4096 } });

    th_enable(h);
    th_queues(h, 2, 64);
    return h;
}

/* Writes in one shape, reads in another, and compares. */
static void roundtrip(struct th *h, uint32_t nsid, uint64_t slba, uint32_t nlb,
                      unsigned wshape, unsigned rshape, uint64_t seed)
{
    uint32_t block = 1u << h->ns[nsid - 1]->lbads;
    size_t len = (size_t)nlb * block;
    uint8_t *data = g_malloc(len), *got = g_malloc(len);
    size_t i, bad = 0;

    th_pattern(data, len, seed);
    th_assert_sc(th_write(h, .nsid = nsid, .slba = slba, .nlb = nlb,
                          .data = data, .shape = wshape), SUCCESS);
    memset(got, 0xee, len);
    th_assert_sc(th_read(h, .nsid = nsid, .slba = slba, .nlb = nlb,
                         .data = got, .shape = rshape, .qid = 2), SUCCESS);
    for (i = 0; i < len; i++) {
        /* What went into a bit bucket is still the poison. */
        if (got[i] != data[i] && !(rshape & TH_BUCKET && got[i] == 0xee)) {
            bad++;
        }
    }
    g_assert_cmpuint(bad, ==, 0);
    g_free(data);
    g_free(got);
}

static const unsigned shapes[] = {
    TH_PRP, TH_PRP | TH_OFFSET, TH_PRP | TH_CONTIG,
    TH_PRP | TH_CONTIG | TH_OFFSET, TH_SGL, TH_SGL | TH_SGL_INLINE,
    TH_PRP | TH_MMIO, TH_PRP | TH_MMIO | TH_OFFSET, TH_SGL | TH_MMIO,
};

static void test_shapes(void)
{
    unsigned lanes, i, j, n;

    for (lanes = 0; lanes < 3; lanes += 2) {
        struct th *h = data_host(lanes, 11 + lanes);

        for (i = 0; i < G_N_ELEMENTS(shapes); i++) {
            for (j = 0; j < G_N_ELEMENTS(shapes); j++) {
                for (n = 0; n < 4; n++) {
                    uint32_t nlb = n == 0 ? 1 : 1 + th_random(h, 1000);

                    roundtrip(h, 1, th_random(h, 7000), nlb, shapes[i],
                              shapes[j], i * 1000 + j * 10 + n);
                }
                roundtrip(h, 2, th_random(h, 800), 1 + th_random(h, 120),
                          shapes[i], shapes[j], i + j);
            }
            roundtrip(h, 1, 5, 300, shapes[i], TH_SGL | TH_BUCKET, i);
        }
        th_run(h);
        g_assert_cmpuint(th_cq_slots_free(h, 1), ==, 63);
        g_assert_cmpuint(h->self_dma, ==, 0);
        th_free(h);
    }
}

/* A map that gives less than asked, each byte count */
static void test_short_maps(void)
{
    static const size_t max[] = { 4096, 512, 1000, 60 };
    unsigned i, j;

    for (i = 0; i < G_N_ELEMENTS(max); i++) {
        struct th *h = th_new(.map_max = max[i], .seed = i + 1);

        th_enable(h);
        th_queues(h, 2, 8);
        for (j = 0; j < G_N_ELEMENTS(shapes); j++) {
            roundtrip(h, 1, j, 64, shapes[j], shapes[(j + 3) % 6], j);
        }
        th_free(h);
    }
}

/* MDTS is honest: the limit works, one more block does not. */
static void tweak_mdts(struct envme_ctrl_params *p)
{
    p->mdts = 3;
}

static void tweak_no_mdts(struct envme_ctrl_params *p)
{
    p->mdts = 0;
}

static void test_mdts(void)
{
    struct th *h = th_new(.tweak = tweak_mdts, .ns = { { .size = 4 * MIB } });
    unsigned i;

    th_enable(h);
    th_queues(h, 2, 8);
    for (i = 0; i < G_N_ELEMENTS(shapes); i++) {
        roundtrip(h, 1, 9, 64, shapes[i], shapes[i], i);
        th_assert_sc(th_read(h, .nlb = 65, .shape = shapes[i] & ~TH_MMIO),
                     INVALID_FIELD);
        th_assert_sc(th_write(h, .nlb = 65, .shape = shapes[i] & ~TH_MMIO),
                     INVALID_FIELD);
    }
    th_free(h);

    /* regressions 7.2 (10.0.3): no limit, and 32 MiB in 4 KiB pieces, which
     * is more than one readv() takes; the backend wants small requests. */
    h = th_new(.tweak = tweak_no_mdts,
               .ns = { { .size = 16 * MIB, .max_transfer = MIB,
                         .max_iov = 1024, .lbs = 4096 } });
    th_enable(h);
    th_queues(h, 2, 8);
    roundtrip(h, 1, 3, 4000, TH_PRP, TH_PRP | TH_OFFSET, 1);
    roundtrip(h, 1, 3, 3000, TH_SGL, TH_PRP, 1);
    th_free(h);
}

/* ---- 64 MiB at once ---------------------------------------------------- */

#define HUGE_BLOCKS 16384u      /* of 4 KiB */
#define HUGE_PAGES  256u        /* of host memory, one after the other again */

/* A PRP list over as many pages as there are blocks. */
static void huge_prps(struct th *h, struct envme_sqe *s, uint64_t mem,
                      uint64_t list)
{
    uint64_t page = list;
    unsigned at = 0;

    s->dptr.prp1 = le64(mem);
    s->dptr.prp2 = le64(list);
    for (unsigned i = 1; i < HUGE_BLOCKS; i++) {
        if (at == 511 && i < HUGE_BLOCKS - 1) {
            th_mem_put64(h, page + 511 * 8, page + 4096);
            page += 4096;
            at = 0;
        }
        th_mem_put64(h, page + at++ * 8, mem + i % HUGE_PAGES * 4096);
    }
}

/* 64 descriptors of 1 MiB, all of the same memory. */
static void huge_sgl(struct th *h, struct envme_sqe *s, uint64_t mem,
                     uint64_t list)
{
    unsigned n = HUGE_BLOCKS / HUGE_PAGES;
    struct envme_sgl_desc d = {
        .addr = le64(mem), .len = le32(HUGE_PAGES * 4096),
    };

    for (unsigned i = 0; i < n; i++) {
        memcpy(th_mem(h, list + i * 16, 16), &d, 16);
    }
    s->flags = FIELD_SET(ENVME_PSDT, 1);
    s->dptr.sgl.addr = le64(list);
    s->dptr.sgl.len = le32(n * 16);
    s->dptr.sgl.id = 0x30;      /* last segment */
}

static void check_huge(const struct th_ns_opts *ns, bool sgl, uint32_t cdw12)
{
    struct th *h = th_new(.tweak = tweak_no_mdts, .map_direct = true,
                          .ns = { *ns });
    uint64_t mem = th_alloc(h, HUGE_PAGES * 4096);
    uint64_t list = th_alloc(h, 40 * 4096);
    uint64_t md = th_alloc(h, HUGE_BLOCKS * 8);
    uint8_t *p = th_mem(h, mem, HUGE_PAGES * 4096);
    g_autofree uint8_t *part = g_malloc(64 * KIB);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 1, 1);

    th_enable(h);
    th_queues(h, 1, 8);
    s.cdw12 = le32((HUGE_BLOCKS - 1) | cdw12);
    s.cdw14 = le32(1);
    s.mptr = le64(ns->ms ? md : 0);
    (sgl ? huge_sgl : huge_prps)(h, &s, mem, list);
    th_pattern(p, HUGE_PAGES * 4096, 5);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    for (unsigned i = 0; i < HUGE_BLOCKS; i += 1000) {
        th_assert_sc(th_read(h, .slba = 1 + i, .nlb = 1, .data = part,
                             .cdw12 = cdw12, .cdw14 = 1 + i), SUCCESS);
        g_assert_cmpmem(part, 4096, p + i % HUGE_PAGES * 4096, 4096);
    }
    memset(p, 0, HUGE_PAGES * 4096);
    s.opc = ENVME_NVM_READ;
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    g_assert_true(th_pattern_ok(p, HUGE_PAGES * 4096, 5));
    s.opc = ENVME_NVM_COMPARE;
    if (!cdw12) {
        th_assert_sc(th_io(h, 1, &s), SUCCESS);
    }
    th_free_pages(h, mem, HUGE_PAGES * 4096);
    th_free_pages(h, list, 40 * 4096);
    th_free_pages(h, md, HUGE_BLOCKS * 8);
    th_free(h);
}

/* No MDTS: memory of our own stays small, whatever the backend takes. */
static void test_huge(void)
{
    static const struct th_ns_opts ns[] = {
        { .size = 80 * MIB, .lbs = 4096 },
        { .size = 80 * MIB, .lbs = 4096, .max_transfer = MIB, .max_iov = 64 },
        { .size = 80 * MIB, .lbs = 4096, .ms = 8 },
        { .size = 80 * MIB, .lbs = 4096, .ms = 8, .pi = 1 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ns); i++) {
        for (unsigned sgl = 0; sgl < 2; sgl++) {
            if (!sgl || !ns[i].ms || ns[i].pi) {
                check_huge(&ns[i], sgl, ns[i].pi ? ENVME_RW_PRACT : 0);
            }
        }
    }
}

/* The backend takes only little at once: requests are cut. */
static void test_split(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .max_transfer = 4096 },
                                  { .size = MIB, .max_iov = 2 },
                                  { .size = MIB, .max_transfer = 8192,
                                    .max_iov = 3 } }, .seed = 3);
    unsigned i, j;

    th_enable(h);
    th_queues(h, 2, 8);
    for (j = 0; j < 2; j++) {
        for (i = 0; i < 3; i++) {
            /* Pages that start at an odd place don't fit these limits. */
            roundtrip(h, i + 1, 1, 255, TH_PRP, TH_PRP, i);
            roundtrip(h, i + 1, 1, 255, TH_PRP | TH_CONTIG, TH_PRP, i);
        }
        for (i = 0; i < 3; i++) {
            h->be[i]->later = true;
        }
    }
    g_assert_cmpuint(h->be[0]->nsubmitted, >, 100);
    th_free(h);
}

/* Offsets and fragments that cross the limits anywhere */
static void test_split_offset(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .max_transfer = 8192 },
                                  { .size = MIB, .max_iov = 4 } }, .seed = 9);
    unsigned i, n;

    th_enable(h);
    th_queues(h, 2, 8);
    for (n = 0; n < 30; n++) {
        for (i = 0; i < 2; i++) {
            roundtrip(h, i + 1, n, 1 + th_random(h, 255), TH_PRP | TH_OFFSET,
                      TH_PRP | TH_OFFSET, n);
            roundtrip(h, i + 1, n, 1 + th_random(h, 255), TH_SGL, TH_PRP, n);
        }
    }
    th_free(h);
}

/* ---- PRPs that are wrong ----------------------------------------------- */

static struct envme_cqe prp_read(struct th *h, uint32_t nlb, uint64_t prp1,
                                 uint64_t prp2)
{
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, nlb);

    s.dptr.prp1 = le64(prp1);
    s.dptr.prp2 = le64(prp2);
    return th_io(h, 1, &s);
}

static void test_bad_prps(void)
{
    struct th *h = data_host(0, 0);
    uint64_t a = th_alloc(h, 64 * KIB), list = th_alloc(h, 4096);
    unsigned i;

    /* the first may have an offset of dwords, the others none */
    th_assert_sc(prp_read(h, 1, a + 4, 0), SUCCESS);
    for (i = 1; i < 4; i++) {
        th_assert_sc(prp_read(h, 1, a + i, 0), PRP_OFFSET_INVALID);
    }
    th_assert_sc(prp_read(h, 16, a, a + 4096), SUCCESS);
    for (i = 4; i < 4096; i += 508) {
        th_assert_sc(prp_read(h, 16, a, a + 4096 + i), PRP_OFFSET_INVALID);
    }
    /* regressions 7.4.6: the list pointer has to be a qword's */
    for (i = 0; i < 8; i++) {
        th_mem_put64(h, list + i * 8, a + i * 4096);
    }
    th_assert_sc(prp_read(h, 24, a, list), SUCCESS);
    th_assert_sc(prp_read(h, 24, a, list + 8), SUCCESS);
    for (i = 1; i < 8; i++) {
        th_assert_sc(prp_read(h, 24, a, list + i), PRP_OFFSET_INVALID);
    }
    /* entries of the list with offsets */
    th_mem_put64(h, list + 8, a + 4096 + 4);
    th_assert_sc(prp_read(h, 24, a, list), PRP_OFFSET_INVALID);
    th_mem_put64(h, list + 8, a + 4096 + 2048);
    th_assert_sc(prp_read(h, 24, a, list), PRP_OFFSET_INVALID);
    /* nothing there */
    th_assert_sc(prp_read(h, 8, TH_VOID_BASE, 0), DATA_XFER_ERROR);
    th_assert_sc(prp_read(h, 16, a, TH_VOID_BASE), DATA_XFER_ERROR);
    th_assert_sc(prp_read(h, 24, a, TH_VOID_BASE), DATA_XFER_ERROR);
    th_mem_put64(h, list + 8, TH_HOLE_BASE);
    th_assert_sc(prp_read(h, 24, a, list), DATA_XFER_ERROR);
    /* the end of the address space, and the end of memory */
    th_assert_sc(prp_read(h, 8, 0xfffffffffffff000ull, 0), DATA_XFER_ERROR);
    th_assert_sc(prp_read(h, 16, 0xfffffffffffffe00ull, 0), DATA_XFER_ERROR);
    th_assert_sc(prp_read(h, 8, TH_RAM_SIZE - 4096, 0), SUCCESS);
    th_assert_sc(prp_read(h, 8, TH_RAM_SIZE, 0), DATA_XFER_ERROR);
    /* regressions 7.5, bhyve: PRP1 of 0 is an address like another */
    th_assert_sc(prp_read(h, 8, 0, 0), SUCCESS);
    th_assert_sc(prp_read(h, 16, 0, 0), SUCCESS);
    g_assert_cmpuint(atomic_load(&h->maps), ==, 0);
    th_free(h);
}

/* EXAMPLES: a list pointer in a page's end is chained, not read past it */
static void test_list_at_page_end(void)
{
    struct th *h = data_host(0, 0);
    uint64_t list = th_alloc(h, 4096), list2 = th_alloc(h, 4096), a;
    uint8_t *got;
    unsigned i, first;
    struct envme_sqe s;

    for (first = 1; first <= 4; first++) {
        uint8_t *data = g_malloc(64 * KIB);

        th_pattern(data, 64 * KIB, first);
        th_assert_sc(th_write(h, .nlb = 128, .data = data), SUCCESS);
        /* 16 pages: PRP1, `first` - 1 entries, then a pointer. */
        a = th_alloc(h, 64 * KIB);
        for (i = 0; i < first - 1; i++) {
            th_mem_put64(h, list + 4096 - first * 8 + i * 8,
                         a + (i + 1) * 4096);
        }
        th_mem_put64(h, list + 4088, list2);
        for (i = first; i < 16; i++) {
            th_mem_put64(h, list2 + (i - first) * 8, a + i * 4096);
        }
        s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 128);
        s.dptr.prp1 = le64(a);
        s.dptr.prp2 = le64(list + 4096 - first * 8);
        th_assert_sc(th_io(h, 1, &s), SUCCESS);
        got = th_mem(h, a, 64 * KIB);
        g_assert_true(th_pattern_ok(got, 64 * KIB, first));
        g_free(data);
    }
    th_free(h);
}

/* regressions 7.6 (g): a list page that chains to itself */
static void test_list_loops(void)
{
    struct th *h = data_host(0, 0);
    uint64_t list = th_alloc(h, 4096), a = th_alloc(h, 4096);
    struct envme_cqe cqe;

    /* The last entry is a pointer while more is left: the next list begins
     * with the same entries again. It ends, by success or by error. */
    th_mem_put64(h, list + 4088, list + 4088);
    cqe = prp_read(h, 1024, a, list + 4088);
    g_assert_cmpuint(cqe_sc(&cqe), !=, 0);
    for (unsigned i = 0; i < 511; i++) {
        th_mem_put64(h, list + i * 8, a);
    }
    th_mem_put64(h, list + 4088, list);
    th_assert_sc(prp_read(h, 1024, a, list), SUCCESS);
    th_free(h);
}

/* ---- SGLs that are wrong ----------------------------------------------- */

static struct envme_sgl_desc sgl(unsigned type, uint64_t addr, uint32_t len)
{
    return (struct envme_sgl_desc){
        .addr = le64(addr), .len = le32(len), .id = type << 4,
    };
}

static struct envme_cqe sgl_cmd(struct th *h, uint8_t opc, uint32_t nlb,
                                struct envme_sgl_desc d)
{
    struct envme_sqe s = th_sqe_rw(opc, 1, 0, nlb);

    s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL);
    s.dptr.sgl = d;
    return th_io(h, 1, &s);
}

static void put_desc(struct th *h, uint64_t at, struct envme_sgl_desc d)
{
    memcpy(th_mem(h, at, 16), &d, 16);
}

static void test_bad_sgls(void)
{
    struct th *h = data_host(0, 0);
    uint64_t a = th_alloc(h, 64 * KIB), seg = th_alloc(h, 4096),
             seg2 = th_alloc(h, 4096);
    struct envme_sgl_desc d;
    unsigned i;

    /* descriptor types: all that are not offered, and subtypes */
    for (i = 4; i < 16; i++) {
        th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8, sgl(i, a, 4096)),
                     SGL_INVALID_TYPE);
    }
    for (i = 1; i < 16; i++) {
        d = sgl(ENVME_SGL_DATA, a, 4096);
        d.id |= i;
        th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8, d), SGL_INVALID_TYPE);
    }
    /* lengths of the data */
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8, sgl(ENVME_SGL_DATA, a, 4095)),
                 SGL_INVALID_LEN);
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8, sgl(ENVME_SGL_DATA, a, 0)),
                 SGL_INVALID_LEN);
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8, sgl(ENVME_SGL_DATA, a, 8192)),
                 SGL_INVALID_LEN);
    /* segment lengths: none, not of 16 */
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                         sgl(ENVME_SGL_LAST_SEGMENT, seg, 0)),
                 SGL_INVALID_SEG);
    for (i = 1; i < 16; i++) {
        th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                             sgl(ENVME_SGL_SEGMENT, seg, i)),
                     SGL_INVALID_SEG);
        th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                             sgl(ENVME_SGL_LAST_SEGMENT, seg, 16 + i)),
                     SGL_INVALID_SEG);
    }
    /* a last segment that points on */
    put_desc(h, seg, sgl(ENVME_SGL_DATA, a, 2048));
    put_desc(h, seg + 16, sgl(ENVME_SGL_LAST_SEGMENT, seg2, 16));
    put_desc(h, seg2, sgl(ENVME_SGL_DATA, a, 2048));
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                         sgl(ENVME_SGL_LAST_SEGMENT, seg, 32)),
                 SGL_INVALID_SEG);
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                         sgl(ENVME_SGL_SEGMENT, seg, 32)), SUCCESS);
    /* a segment pointer in the middle */
    put_desc(h, seg, sgl(ENVME_SGL_SEGMENT, seg2, 16));
    put_desc(h, seg + 16, sgl(ENVME_SGL_DATA, a, 2048));
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                         sgl(ENVME_SGL_SEGMENT, seg, 32)), SGL_INVALID_COUNT);
    /* memory that is none, for data and for segments */
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                         sgl(ENVME_SGL_DATA, TH_VOID_BASE, 4096)),
                 DATA_XFER_ERROR);
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                         sgl(ENVME_SGL_LAST_SEGMENT, TH_VOID_BASE, 16)),
                 DATA_XFER_ERROR);
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                         sgl(ENVME_SGL_LAST_SEGMENT, TH_HOLE_BASE - 16, 32)),
                 DATA_XFER_ERROR);
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                         sgl(ENVME_SGL_DATA, UINT64_MAX - 100, 4096)),
                 DATA_XFER_ERROR);
    /* regressions 7.6 (f): the longest lengths there are */
    d = sgl(ENVME_SGL_DATA, a, UINT32_MAX);
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8, d), SGL_INVALID_LEN);
    d = sgl(ENVME_SGL_SEGMENT, seg, 0xfffffff0);
    {
        struct envme_cqe c = sgl_cmd(h, ENVME_NVM_READ, 8, d);

        g_assert_cmpuint(cqe_sc(&c), !=, ENVME_SC_SUCCESS);
    }
    g_assert_cmpuint(atomic_load(&h->maps), ==, 0);
    th_assert_sc(th_read(h), SUCCESS);
    th_free(h);
}

/* regressions 7.2 (10.0.12): chains without an end */
static void test_sgl_loops(void)
{
    struct th *h = data_host(0, 0);
    uint64_t seg = th_alloc(h, 8192), seg2 = th_alloc(h, 8192);
    struct envme_cqe cqe;
    unsigned i;

    /* to itself */
    put_desc(h, seg, sgl(ENVME_SGL_SEGMENT, seg, 16));
    cqe = sgl_cmd(h, ENVME_NVM_READ, 8, sgl(ENVME_SGL_SEGMENT, seg, 16));
    g_assert_cmpuint(cqe_sc(&cqe), !=, 0);
    /* in turns */
    put_desc(h, seg, sgl(ENVME_SGL_SEGMENT, seg2, 16));
    put_desc(h, seg2, sgl(ENVME_SGL_SEGMENT, seg, 16));
    cqe = sgl_cmd(h, ENVME_NVM_READ, 8, sgl(ENVME_SGL_SEGMENT, seg, 16));
    g_assert_cmpuint(cqe_sc(&cqe), !=, 0);
    /* with data blocks of no length before the pointer */
    for (i = 0; i < 255; i++) {
        put_desc(h, seg + i * 16, sgl(ENVME_SGL_DATA, 0, 0));
    }
    put_desc(h, seg + 255 * 16, sgl(ENVME_SGL_SEGMENT, seg, 4096));
    cqe = sgl_cmd(h, ENVME_NVM_WRITE, 8, sgl(ENVME_SGL_SEGMENT, seg, 4096));
    g_assert_cmpuint(cqe_sc(&cqe), !=, 0);
    /* and with bit buckets, which are nothing for a write */
    for (i = 0; i < 255; i++) {
        put_desc(h, seg + i * 16, sgl(ENVME_SGL_BIT_BUCKET, 0, 4096));
    }
    cqe = sgl_cmd(h, ENVME_NVM_WRITE, 8, sgl(ENVME_SGL_SEGMENT, seg, 4096));
    g_assert_cmpuint(cqe_sc(&cqe), !=, 0);
    th_assert_sc(th_read(h), SUCCESS);
    th_free(h);
}

/* A block of length 0 is fine; many blocks too. */
static void test_sgl_empty_blocks(void)
{
    struct th *h = data_host(0, 0);
    uint64_t seg = th_alloc(h, 8192), a = th_alloc(h, 4096);
    uint8_t data[4096];
    unsigned i;

    th_pattern(data, 4096, 4);
    th_assert_sc(th_write(h, .nlb = 8, .data = data), SUCCESS);
    for (i = 0; i < 64; i++) {
        put_desc(h, seg + i * 32, sgl(ENVME_SGL_DATA, TH_VOID_BASE, 0));
        put_desc(h, seg + i * 32 + 16, sgl(ENVME_SGL_DATA, a + i * 64, 64));
    }
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                         sgl(ENVME_SGL_LAST_SEGMENT, seg, 2048)), SUCCESS);
    g_assert_true(th_pattern_ok(th_mem(h, a, 4096), 4096, 4));
    th_free(h);
}

/* PSDT: reserved; SGLs in admin commands (PCIe has PRPs only) */
static void test_psdt(void)
{
    struct th *h = data_host(0, 0);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);
    uint64_t a = th_alloc(h, 4096);

    s.flags = FIELD_SET(ENVME_PSDT, 3);
    s.dptr.prp1 = le64(a);
    th_assert_sc(th_io(h, 1, &s), INVALID_FIELD);
    s = th_sqe(ENVME_ADM_IDENTIFY, 0);
    s.cdw10 = le32(1);
    s.flags = FIELD_SET(ENVME_PSDT, 1);
    s.dptr.sgl = sgl(ENVME_SGL_DATA, a, 4096);
    th_assert_sc(th_admin(h, &s), INVALID_FIELD);
    /* Half a fused pair; what can't be one. */
    s = th_sqe_rw(ENVME_NVM_COMPARE, 1, 0, 1);
    s.dptr.prp1 = le64(a);
    s.flags = ENVME_FUSE_FIRST;
    th_assert_sc(th_io(h, 1, &s), ABORT_MISSING_FUSED);
    s.flags = ENVME_FUSE_SECOND;
    th_assert_sc(th_io(h, 1, &s), ABORT_MISSING_FUSED);
    s.flags = 3;
    th_assert_sc(th_io(h, 1, &s), INVALID_FIELD);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/data/shapes", test_shapes);
    g_test_add_func("/data/short-maps", test_short_maps);
    g_test_add_func("/data/regression-10.0.3-mdts", test_mdts);
    g_test_add_func("/data/huge", test_huge);
    g_test_add_func("/data/split", test_split);
    g_test_add_func("/data/split-offset", test_split_offset);
    g_test_add_func("/data/regression-7.4.6-bad-prps", test_bad_prps);
    g_test_add_func("/data/list-at-page-end", test_list_at_page_end);
    g_test_add_func("/data/list-loops", test_list_loops);
    g_test_add_func("/data/bad-sgls", test_bad_sgls);
    g_test_add_func("/data/regression-10.0.12-sgl-loops", test_sgl_loops);
    g_test_add_func("/data/sgl-empty-blocks", test_sgl_empty_blocks);
    g_test_add_func("/data/psdt", test_psdt);
    return g_test_run();
}
