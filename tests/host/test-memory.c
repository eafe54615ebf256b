/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where data pointers lead: memory of other devices and of this one, metadata,
 * and not a byte too many. Base 2.1, 4.3.
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

static struct envme_cqe prp_read(struct th *h, uint32_t nlb, uint64_t prp1,
                                 uint64_t prp2)
{
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, nlb);

    s.dptr.prp1 = le64(prp1);
    s.dptr.prp2 = le64(prp2);
    return th_io(h, 1, &s);
}

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

/* ---- the controller's own registers ------------------------------------ */

/* regressions 7.1 CVE-2021-3929, each pointer of 7.6 (a) at the BAR */
static void test_self_dma(void)
{
    static const uint64_t off[] = { 0, 0x14, 0x1000, 0x1008, 0x1ffc };
    struct th *h = data_host(2, 8);
    uint64_t a = th_alloc(h, 64 * KIB), list = th_alloc(h, 4096), seg;
    uint64_t bar;
    struct envme_sqe s;
    unsigned i;

    seg = list + 2048;
    for (i = 0; i < G_N_ELEMENTS(off); i++) {
        bar = TH_BAR_BASE + off[i];
        /* data */
        th_assert_sc(prp_read(h, 1, bar, 0), DATA_XFER_ERROR);
        th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 1,
                             sgl(ENVME_SGL_DATA, bar, 512)), DATA_XFER_ERROR);
        th_assert_sc(sgl_cmd(h, ENVME_NVM_WRITE, 1,
                             sgl(ENVME_SGL_DATA, bar, 512)), DATA_XFER_ERROR);
        /* admin data */
        s = th_sqe(ENVME_ADM_IDENTIFY, 0);
        s.cdw10 = le32(1);
        s.dptr.prp1 = le64(bar & ~3ull);
        s.dptr.prp2 = le64((bar & ~0xfffull) + 4096);
        th_assert_sc(th_admin(h, &s), DATA_XFER_ERROR);
        /* segments, lists */
        th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 1,
                             sgl(ENVME_SGL_LAST_SEGMENT, bar & ~15ull, 16)),
                     DATA_XFER_ERROR);
        th_assert_sc(prp_read(h, 64, a, bar & ~7ull), DATA_XFER_ERROR);
        put_desc(h, seg, sgl(ENVME_SGL_LAST_SEGMENT, bar & ~15ull, 16));
        th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 1,
                             sgl(ENVME_SGL_SEGMENT, seg, 16)),
                     DATA_XFER_ERROR);
    }
    /* second page, a page of a list */
    th_assert_sc(prp_read(h, 16, a, TH_BAR_BASE), DATA_XFER_ERROR);
    th_mem_put64(h, list, a);
    th_mem_put64(h, list + 8, TH_BAR_BASE);
    th_assert_sc(prp_read(h, 24, a, list), DATA_XFER_ERROR);
    /* a block that begins below and runs into it */
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                         sgl(ENVME_SGL_DATA, TH_BAR_BASE - 2048, 4096)),
                 DATA_XFER_ERROR);
    th_assert_sc(sgl_cmd(h, ENVME_NVM_READ, 8,
                         sgl(ENVME_SGL_DATA, TH_BAR_BASE - 4096, 4096)),
                 SUCCESS);
    g_assert_cmpuint(h->self_dma, >, 0);
    g_assert_cmpuint(atomic_load(&h->maps), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    th_run(h);
    g_assert_cmpuint(th_cq_slots_free(h, 1), ==, 63);
    th_free(h);
}

/* A transfer that is half memory, half another device; and then nothing */
static void test_mixed_memory(void)
{
    struct th *h = data_host(2, 6);
    uint64_t a = th_alloc(h, 8192), list = th_alloc(h, 4096);
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 24);
    uint8_t data[24 * 512];

    th_pattern(data, sizeof(data), 5);
    th_assert_sc(th_write(h, .nlb = 24, .data = data), SUCCESS);
    th_mem_put64(h, list, TH_MMIO_BASE);
    th_mem_put64(h, list + 8, a + 4096);
    s.dptr.prp1 = le64(a);
    s.dptr.prp2 = le64(list);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    g_assert_cmpmem(th_mem(h, a, 4096), 4096, data, 4096);
    g_assert_cmpmem(th_mem(h, TH_MMIO_BASE, 4096), 4096, data + 4096, 4096);
    g_assert_cmpmem(th_mem(h, a + 4096, 4096), 4096, data + 8192, 4096);
    /* written from there as well */
    s.opc = ENVME_NVM_WRITE;
    s.cdw10 = le32(100);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    memset(data, 0, sizeof(data));
    th_assert_sc(th_read(h, .slba = 100, .nlb = 24, .data = data), SUCCESS);
    g_assert_true(th_pattern_ok(data, sizeof(data), 5));
    /* over the end of the other device */
    s.opc = ENVME_NVM_READ;
    s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL);
    s.dptr.sgl = sgl(ENVME_SGL_DATA, TH_MMIO_BASE + TH_MMIO_SIZE - 4096,
                     24 * 512);
    th_assert_sc(th_io(h, 1, &s), DATA_XFER_ERROR);
    g_assert_cmpuint(atomic_load(&h->maps), ==, 0);
    th_free(h);
}

/* ---- metadata ---------------------------------------------------------- */

static void test_metadata(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .ms = 8 },
                                  { .size = MIB, .ms = 16, .lbs = 4096 },
                                  { .size = MIB, .ms = 8, .mset = true } },
                          .seed = 12);
    uint8_t *data = g_malloc(256 * KIB), md[64 * 16];
    static const unsigned sh[] = { TH_PRP, TH_SGL, TH_SGL | TH_MPTR };
    unsigned i, n, nlb;

    th_enable(h);
    th_queues(h, 1, 16);
    for (n = 0; n < 20; n++) {
        for (i = 0; i < 2; i++) {
            size_t len, mdlen;

            nlb = 1 + th_random(h, 40);
            len = (size_t)nlb << h->ns[i]->lbads;
            mdlen = nlb * h->ns[i]->ms;
            th_pattern(data, len, n);
            th_pattern(md, mdlen, n + 1000);
            th_assert_sc(th_write(h, .nsid = i + 1, .slba = n, .nlb = nlb,
                                  .data = data, .md = md,
                                  .shape = sh[n % 3]), SUCCESS);
            memset(data, 0, len);
            memset(md, 0, mdlen);
            th_assert_sc(th_read(h, .nsid = i + 1, .slba = n, .nlb = nlb,
                                 .data = data, .md = md,
                                 .shape = sh[n / 3 % 3]), SUCCESS);
            g_assert_true(th_pattern_ok(data, len, n));
            g_assert_true(th_pattern_ok(md, mdlen, n + 1000));
        }
        /* interleaved */
        nlb = 1 + th_random(h, 40);
        th_pattern(data, nlb * 520, n);
        th_assert_sc(th_write(h, .nsid = 3, .slba = n, .nlb = nlb,
                              .data = data, .shape = sh[n % 2]), SUCCESS);
        memset(data, 0, nlb * 520);
        th_assert_sc(th_read(h, .nsid = 3, .slba = n, .nlb = nlb,
                             .data = data, .shape = TH_OFFSET), SUCCESS);
        g_assert_true(th_pattern_ok(data, nlb * 520, n));
    }
    g_free(data);
    th_free(h);
}

static void test_bad_mptr(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .ms = 8 } });
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 8);
    uint64_t a = th_alloc(h, 4096), m = th_alloc(h, 4096);
    struct envme_sgl_desc d = sgl(ENVME_SGL_DATA, a, 4096);

    th_enable(h);
    th_queues(h, 1, 8);
    s.dptr.prp1 = le64(a);
    s.mptr = le64(m);
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    for (unsigned i = 1; i < 4; i++) {
        s.mptr = le64(m + i);
        th_assert_sc(th_io(h, 1, &s), INVALID_FIELD);
    }
    s.mptr = le64(TH_VOID_BASE);
    th_assert_sc(th_io(h, 1, &s), DATA_XFER_ERROR);
    s.mptr = le64(TH_BAR_BASE);
    th_assert_sc(th_io(h, 1, &s), DATA_XFER_ERROR);
    /* as an SGL: length, place */
    s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL_MPTR_SGL);
    s.dptr.sgl = d;
    s.mptr = le64(m);
    put_desc(h, m, sgl(ENVME_SGL_DATA, m + 64, 64));
    th_assert_sc(th_io(h, 1, &s), SUCCESS);
    put_desc(h, m, sgl(ENVME_SGL_DATA, m + 64, 63));
    th_assert_sc(th_io(h, 1, &s), SGL_INVALID_MD_LEN);
    put_desc(h, m, sgl(ENVME_SGL_DATA, TH_VOID_BASE, 64));
    th_assert_sc(th_io(h, 1, &s), DATA_XFER_ERROR);
    s.mptr = le64(TH_BAR_BASE);
    th_assert_sc(th_io(h, 1, &s), DATA_XFER_ERROR);
    g_assert_cmpuint(atomic_load(&h->maps), ==, 0);
    th_free(h);
}

/* Every read's guest buffer is written to its last byte and no byte more. */
static void test_exact_bytes(void)
{
    struct th *h = data_host(0, 21);
    uint64_t a = th_alloc(h, 64 * KIB);
    uint8_t *p = th_mem(h, a, 64 * KIB), *data = g_malloc(16 * KIB);
    struct envme_sqe s;
    unsigned nlb, off, i;

    for (nlb = 1; nlb < 20; nlb += 3) {
        for (off = 0; off < 4096; off += 1020) {
            th_pattern(data, nlb * 512, nlb);
            th_assert_sc(th_write(h, .nlb = nlb, .data = data), SUCCESS);
            memset(p, 0x77, 64 * KIB);
            s = th_sqe_rw(ENVME_NVM_READ, 1, 0, nlb);
            s.flags = FIELD_SET(ENVME_PSDT, ENVME_PSDT_SGL);
            s.dptr.sgl = sgl(ENVME_SGL_DATA, a + 8192 + off, nlb * 512);
            th_assert_sc(th_io(h, 1, &s), SUCCESS);
            g_assert_cmpmem(p + 8192 + off, nlb * 512, data, nlb * 512);
            for (i = 0; i < 64 * KIB; i++) {
                if (i < 8192 + off || i >= 8192 + off + nlb * 512) {
                    g_assert_cmphex(p[i], ==, 0x77);
                }
            }
        }
    }
    g_free(data);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/regression-CVE-2021-3929-self-dma", test_self_dma);
    g_test_add_func("/memory/mixed-memory", test_mixed_memory);
    g_test_add_func("/memory/metadata", test_metadata);
    g_test_add_func("/memory/bad-mptr", test_bad_mptr);
    g_test_add_func("/memory/exact-bytes", test_exact_bytes);
    return g_test_run();
}
