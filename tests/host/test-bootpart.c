/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot partitions: read through registers and log page 15h, replaced and made
 * active by Firmware Commit, write protection, what is kept. Base 2.1, 8.1.3.
 */
#include "th.h"

#include <glib/gstdio.h>

#define UNITS 3u
#define SIZE  (UNITS * 128 * KIB)
#define MS    (1000ull * 1000)

#define LOCKED (ENVME_BPWP_LOCKED | ENVME_BPWP_LOCKED << 3)

/* What the properties' files would have: the second is a short one. */
static uint8_t first[SIZE], second[5000];

static void with_bp(struct envme_ctrl_params *p)
{
    th_pattern(first, sizeof(first), 1);
    th_pattern(second, sizeof(second), 2);
    p->bp_units = UNITS;
    p->bp_init[0] = first;
    p->bp_init_len[0] = sizeof(first);
    p->bp_init[1] = second;
    p->bp_init_len[1] = sizeof(second);
}

/* Not enabled; the host allows DMA all the same. */
static struct th *host_with(const char *state, void (*tweak)
                            (struct envme_ctrl_params *p))
{
    struct th *h = th_new(.tweak = tweak, .state = state, .multi = true);

    th_close(h, NULL);
    return h;
}

static struct th *host(void)
{
    return host_with(NULL, with_bp);
}

static uint32_t sel(unsigned id, unsigned off, unsigned pages)
{
    return (uint32_t)id << 31 | off << 10 | pages;
}

static unsigned brs(struct th *h)
{
    return FIELD_GET(ENVME_BPINFO_BRS, th_r32(h, ENVME_REG_BPINFO));
}

static void start(struct th *h, uint64_t addr, uint32_t bprsel)
{
    th_w64(h, ENVME_REG_BPMBL, addr);
    th_w32(h, ENVME_REG_BPRSEL, bprsel);
    g_assert_cmpuint(brs(h), ==, ENVME_BPINFO_BRS_BUSY);
}

static unsigned finish(struct th *h)
{
    th_run(h);
    return brs(h);
}

/* Byte i of a partition as it was made. */
static uint8_t was(unsigned id, size_t i)
{
    return id == 0 ? first[i] : i < sizeof(second) ? second[i] : 0;
}

static void check_read(struct th *h, unsigned id, unsigned off,
                       unsigned pages)
{
    uint64_t addr = th_alloc(h, (pages + 2) * 4096);
    uint8_t *m = th_mem(h, addr, (pages + 2) * 4096);

    memset(m, 0xee, (pages + 2) * 4096);
    start(h, addr + 4096, sel(id, off, pages));
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_DONE);
    g_assert_cmphex(th_r32(h, ENVME_REG_BPRSEL), ==, sel(id, off, pages));
    for (size_t i = 0; i < pages * 4096; i++) {
        g_assert_cmphex(m[4096 + i], ==, was(id, off * 4096 + i));
    }
    g_assert_cmphex(m[4095], ==, 0xee);
    g_assert_cmphex(m[4096 + pages * 4096], ==, 0xee);
    th_free_pages(h, addr, (pages + 2) * 4096);
}

static struct envme_cqe download(struct th *h, const void *data, size_t off,
                                 size_t len)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_FW_DOWNLOAD, 0);
    g_autofree void *copy = g_memdup2(data, len);

    s.cdw10 = le32(len / 4 - 1);
    s.cdw11 = le32(off / 4);
    return th_cmd_data(h, 0, &s, copy, len, TH_PRP);
}

static struct envme_cqe commit(struct th *h, unsigned ca, unsigned id)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_FW_COMMIT, 0);

    s.cdw10 = le32((uint32_t)id << 31 | ca << 3);
    return th_admin(h, &s);
}

/* The whole partition, in pieces. */
static void load(struct th *h, size_t len, uint64_t seed)
{
    g_autofree uint8_t *im = g_malloc(len);

    th_pattern(im, len, seed);
    for (size_t off = 0; off < len; off += 64 * KIB) {
        th_assert_sc(download(h, im + off, off,
                              ENVME_MIN(len - off, 64 * KIB)), SUCCESS);
    }
}

static struct envme_cqe protect(struct th *h, uint32_t v)
{
    return th_set_feature(h, ENVME_FID_BP_WRITE_PROTECT, 0, v, false);
}

static uint32_t protection(struct th *h)
{
    uint32_t v = 0;

    th_assert_sc(th_get_feature(h, ENVME_FID_BP_WRITE_PROTECT, 0,
                                ENVME_FEAT_SEL_CURRENT, &v), SUCCESS);
    return v;
}

static struct envme_cqe get_log(struct th *h, unsigned lsp, uint64_t off,
                                void *buf, size_t len)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, 0);

    s.cdw10 = le32(ENVME_LID_BOOT_PARTITION | lsp << 8 |
                   (uint32_t)(len / 4 - 1) << 16);
    s.cdw12 = le32(off);
    return th_cmd_data(h, 0, &s, buf, len, TH_PRP);
}

/* Has it this pattern, len bytes, then zeroes? */
static void check_image(struct th *h, unsigned id, size_t len, uint64_t seed)
{
    g_autofree uint8_t *buf = g_malloc0(SIZE), *want = g_malloc0(SIZE);

    th_pattern(want, len, seed);
    for (size_t off = 0; off < SIZE; off += 64 * KIB) {
        th_assert_sc(get_log(h, id, 16 + off, buf + off, 64 * KIB), SUCCESS);
    }
    g_assert_cmpmem(buf, SIZE, want, SIZE);
}

/* ---- not there --------------------------------------------------------- */

static void test_absent(void)
{
    struct th *h = host_with(NULL, NULL);
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    g_autofree struct envme_log_fid_effects *fids = g_malloc(1024);
    g_autofree struct envme_log_supported *lids = g_malloc(1024);
    uint8_t buf[16];

    g_assert_cmphex(th_r64(h, ENVME_REG_CAP) & ENVME_CAP_BPS, ==, 0);
    th_w64(h, ENVME_REG_BPMBL, UINT64_MAX);
    th_w32(h, ENVME_REG_BPRSEL, UINT32_MAX);
    th_run(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_BPINFO), ==, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_BPRSEL), ==, 0);
    g_assert_cmphex(th_r64(h, ENVME_REG_BPMBL), ==, 0);
    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(id->bpcap, ==, 0);
    th_assert_sc(get_log(h, 0, 0, buf, 16), LOG_PAGE_INVALID);
    th_assert_sc(protect(h, 1), INVALID_FIELD);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 0), INVALID_FIELD);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_ACTIVATE, 1), INVALID_FIELD);
    th_assert_sc(th_get_log(h, ENVME_LID_FID_EFFECTS, 0, 0, fids, 1024, true),
                 SUCCESS);
    g_assert_cmphex(le32_get(fids->fid[ENVME_FID_BP_WRITE_PROTECT]), ==, 0);
    th_assert_sc(th_get_log(h, ENVME_LID_SUPPORTED, 0, 0, lids, 1024, true),
                 SUCCESS);
    g_assert_cmphex(le32_get(lids->lids[ENVME_LID_BOOT_PARTITION]), ==, 0);
    th_free(h);
}

/* ---- registers --------------------------------------------------------- */

static void test_read(void)
{
    struct th *h = host();
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);

    g_assert_cmphex(th_r64(h, ENVME_REG_CAP) & ENVME_CAP_BPS, !=, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_BPINFO), ==, UNITS);
    th_w32(h, ENVME_REG_BPINFO, UINT32_MAX);
    g_assert_cmphex(th_r32(h, ENVME_REG_BPINFO), ==, UNITS);
    /* All of it, both; the last page; nothing. */
    check_read(h, 0, 0, SIZE / 4096);
    check_read(h, 1, 0, SIZE / 4096);
    check_read(h, 0, SIZE / 4096 - 1, 1);
    check_read(h, 1, 1, 3);
    check_read(h, 0, 7, 0);
    th_enable(h);
    /* A reset has zeroed them; not so CC.EN from 0 to 1. */
    check_read(h, 0, 17, 33);
    g_assert_cmphex(th_r32(h, ENVME_REG_BPINFO), ==, UNITS | 2u << 24);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(id->bpcap, ==, ENVME_BPCAP_SFBPWPS | 1);
    th_disable(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_BPINFO), ==, UNITS);
    g_assert_cmphex(th_r32(h, ENVME_REG_BPRSEL), ==, 0);
    g_assert_cmphex(th_r64(h, ENVME_REG_BPMBL), ==, 0);
    th_close(h, NULL);
    check_read(h, 1, 0, 2);
    th_free(h);
}

static void test_masks(void)
{
    struct th *h = host();

    th_w64(h, ENVME_REG_BPMBL, UINT64_MAX);
    g_assert_cmphex(th_r64(h, ENVME_REG_BPMBL), ==, UINT64_MAX << 12);
    th_w32(h, ENVME_REG_BPMBL, 0x12345fff);
    g_assert_cmphex(th_r64(h, ENVME_REG_BPMBL), ==, 0xffffffff12345000);
    th_w32(h, ENVME_REG_BPMBL + 4, 5);
    g_assert_cmphex(th_r64(h, ENVME_REG_BPMBL), ==, 0x512345000);
    th_w32(h, ENVME_REG_BPRSEL, UINT32_MAX);
    g_assert_cmphex(th_r32(h, ENVME_REG_BPRSEL), ==, 0xbfffffff);
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_ERROR);
    /* Both halves of an aligned 8-byte write: BPINFO does not mind. */
    th_w64(h, ENVME_REG_BPMBL, th_alloc(h, 4096));
    th_w64(h, ENVME_REG_BPINFO, (uint64_t)sel(0, 0, 1) << 32);
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_DONE);
    th_free(h);
}

static void test_errors(void)
{
    const unsigned pages = SIZE / 4096;
    struct th *h = host();
    uint64_t addr = th_alloc(h, 64 * KIB);
    uint8_t *m = th_mem(h, addr, 64 * KIB);
    const struct { uint64_t addr; uint32_t sel; } t[] = {
        { addr, sel(0, pages, 1) }, { addr, sel(1, pages - 1, 2) },
        { addr, sel(0, 0xfffff, 1) }, { addr, sel(0, 0xfffff, 1023) },
        { addr, sel(1, pages + 1, 0) },
        { TH_VOID_BASE, sel(0, 0, 1) }, { TH_HOLE_BASE, sel(0, 0, 1) },
        { TH_BAR_BASE, sel(1, 0, 1) }, { TH_LOW_BASE, sel(0, 0, 17) },
        { UINT64_MAX << 12, sel(0, 0, 2) },
        { TH_HOLE_BASE - 64 * KIB, sel(0, 0, 17) },
    };

    memset(m, 0xee, 64 * KIB);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        start(h, t[i].addr, t[i].sel);
        g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_ERROR);
    }
    for (unsigned i = 0; i < 64 * KIB; i++) {
        g_assert_cmphex(m[i], ==, 0xee);
    }
    /* It works again; another device's memory is memory. */
    check_read(h, 0, 0, 16);
    start(h, TH_MMIO_BASE, sel(0, 0, 2));
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_DONE);
    g_assert_cmpmem(h->mmio, 8192, first, 8192);
    /* An error on the way, in the second piece. */
    th_fail_nth(h, TH_AT_WRITE, 2, -EIO);
    start(h, addr, sel(0, 0, 40));
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_ERROR);
    th_free(h);
}

static void test_bme(void)
{
    struct th *h = host();
    uint64_t addr = th_alloc(h, SIZE);

    th_bme(h, false);
    start(h, addr, sel(0, 0, SIZE / 4096));
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_BUSY);
    th_bme(h, true);
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_DONE);
    g_assert_cmpmem(th_mem(h, addr, SIZE), SIZE, first, SIZE);
    /* In the middle of it. */
    memset(th_mem(h, addr, SIZE), 0, SIZE);
    start(h, addr, sel(0, 0, SIZE / 4096));
    g_assert_true(th_step(h));
    th_bme(h, false);
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_BUSY);
    th_bme(h, true);
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_DONE);
    g_assert_cmpmem(th_mem(h, addr, SIZE), SIZE, first, SIZE);
    /* Held, and then given up by a reset. */
    th_bme(h, false);
    start(h, addr, sel(0, 0, 1));
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_BUSY);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_bme(h, true);
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_NONE);
    th_free(h);
}

/* The host of the tests ends the program if there is DMA after a reset. */
static void test_reset(void)
{
    static const enum envme_reset kinds[] = {
        ENVME_RESET_FUNCTION, ENVME_RESET_NSSR, ENVME_RESET_CC,
    };
    struct th *h = host();
    uint64_t addr = th_alloc(h, SIZE);

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        th_enable(h);
        start(h, addr, sel(0, 0, SIZE / 4096));
        g_assert_true(th_step(h));
        if (kinds[i] == ENVME_RESET_CC) {
            th_disable(h);
        } else {
            th_reset(h, kinds[i]);
        }
        g_assert_cmphex(th_r32(h, ENVME_REG_BPINFO), ==, UNITS);
        g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_NONE);
    }
    /* Not enabled: a function level reset ends it as well. */
    th_close(h, NULL);
    start(h, addr, sel(0, 0, SIZE / 4096));
    th_reset(h, ENVME_RESET_FUNCTION);
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_NONE);
    th_free(h);
}

static void test_again(void)
{
    struct th *h = host();
    uint64_t a = th_alloc(h, SIZE), b = th_alloc(h, SIZE);

    /* Another one before the first is over: the last one counts. */
    start(h, a, sel(0, 0, SIZE / 4096));
    th_step(h);
    start(h, b, sel(1, 0, SIZE / 4096));
    /* BPMBL is as it was when the read began. */
    th_w64(h, ENVME_REG_BPMBL, TH_VOID_BASE);
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_DONE);
    for (size_t i = 0; i < SIZE; i++) {
        g_assert_cmphex(((uint8_t *)th_mem(h, b, SIZE))[i], ==, was(1, i));
    }
    th_free(h);
}

/* Another device passes the write on to our registers. */
static struct {
    struct th *h;
    int (*write)(void *opaque, uint64_t addr, const void *buf, size_t len);
    unsigned calls, at;
    bool reset;
    uint64_t to;
} nested;

static int nested_write(void *opaque, uint64_t addr, const void *buf,
                        size_t len)
{
    int err = nested.write(opaque, addr, buf, len);

    if (++nested.calls == nested.at && nested.reset) {
        envme_ctrl_reset(nested.h->ctrl, ENVME_RESET_FUNCTION, NULL, NULL);
    } else if (nested.calls == nested.at) {
        th_w64(nested.h, ENVME_REG_BPMBL, nested.to);
        th_w32(nested.h, ENVME_REG_BPRSEL, sel(1, 1, 1));
    }
    return err;
}

static void test_nested(void)
{
    struct th *h = host();
    uint64_t a = th_alloc(h, SIZE), b = th_alloc(h, 8192);
    uint8_t *m = th_mem(h, b, 8192);

    nested.h = h;
    nested.write = h->ctrl->ports.dma.write;
    nested.to = b;
    h->ctrl->ports.dma.write = nested_write;
    for (unsigned at = 1; at <= SIZE / (64 * KIB); at++) {
        memset(m, 0xee, 8192);
        nested.calls = 0;
        nested.at = at;
        start(h, a, sel(0, 0, SIZE / 4096));
        g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_DONE);
        g_assert_cmpuint(nested.calls, ==, at + 1);
        g_assert_cmpmem(m, 904, second + 4096, 904);
        g_assert_cmphex(m[904], ==, 0);
        g_assert_cmphex(m[4096], ==, 0xee);
    }
    nested.calls = 0;
    nested.at = 2;
    nested.reset = true;
    start(h, a, sel(0, 0, SIZE / 4096));
    g_assert_cmpuint(finish(h), ==, ENVME_BPINFO_BRS_NONE);
    g_assert_cmpuint(nested.calls, ==, 2);
    h->ctrl->ports.dma.write = nested.write;
    th_free(h);
}

/* ---- replacing --------------------------------------------------------- */

static void test_replace(void)
{
    struct th *h = host(), *b = th_new(.peer = h, .tweak = with_bp);

    th_enable(h);
    th_enable(b);
    /* Locked by default; the image stays for when it is not. */
    load(h, SIZE, 7);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 1), BP_WRITE_PROHIBITED);
    check_image(h, 1, sizeof(second), 2);
    th_assert_sc(protect(h, ENVME_BPWP_UNLOCKED << 3), SUCCESS);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 0), BP_WRITE_PROHIBITED);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 1), SUCCESS);
    check_image(h, 1, SIZE, 7);
    check_image(b, 1, SIZE, 7);
    check_image(h, 0, SIZE, 1);
    /* It is gone now. */
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 1), FW_IMAGE_INVALID);
    /* A short one: what is behind it is zeroes. The other controller. */
    load(b, 12 * KIB, 8);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 1), FW_IMAGE_INVALID);
    th_assert_sc(commit(b, ENVME_FWCOMMIT_BP_REPLACE, 1), SUCCESS);
    check_image(h, 1, 12 * KIB, 8);
    /* A gap; too much. */
    load(h, 4 * KIB, 9);
    th_assert_sc(download(h, first, 8 * KIB, 4 * KIB), SUCCESS);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 1), FW_IMAGE_INVALID);
    load(h, SIZE + 4 * KIB, 9);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 1), FW_IMAGE_INVALID);
    load(h, 4 * KIB, 9);
    th_assert_sc(download(h, first, 0, 4 * KIB), OVERLAPPING_RANGE);
    check_image(h, 1, 12 * KIB, 8);
    /* An image for a firmware slot is not the worse for it. */
    th_assert_sc(commit(h, ENVME_FWCOMMIT_REPLACE, 1), FW_IMAGE_INVALID);
    th_free(b);
    th_free(h);
}

static void check_active(struct th *h, unsigned id)
{
    struct envme_log_boot_partition log;

    g_assert_cmpuint(FIELD_GET(ENVME_BPINFO_ABPID,
                               th_r32(h, ENVME_REG_BPINFO)), ==, id);
    th_assert_sc(get_log(h, 0, 0, &log, sizeof(log)), SUCCESS);
    g_assert_cmphex(le32_get(log.bpinfo), ==, (uint32_t)id << 31 | UNITS);
}

static void test_active(void)
{
    struct th *h = host(), *b = th_new(.peer = h, .tweak = with_bp);

    th_enable(h);
    th_enable(b);
    check_active(h, 0);
    /* Which one is active is not what is locked. */
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_ACTIVATE, 1), SUCCESS);
    check_active(h, 1);
    check_active(b, 1);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);
    check_active(h, 1);
    th_assert_sc(commit(b, ENVME_FWCOMMIT_BP_ACTIVATE, 0), SUCCESS);
    check_active(h, 0);
    for (unsigned ca = 4; ca < 6; ca++) {
        th_assert_sc(commit(h, ca, 1), INVALID_FIELD);
    }
    th_free(b);
    th_free(h);
}

/* ---- write protection -------------------------------------------------- */

static void test_protect(void)
{
    struct th *h = host(), *b = th_new(.peer = h, .tweak = with_bp);
    uint32_t v;

    th_enable(h);
    th_enable(b);
    g_assert_cmphex(protection(h), ==, LOCKED);
    th_assert_sc(th_get_feature(h, ENVME_FID_BP_WRITE_PROTECT, 0,
                                ENVME_FEAT_SEL_DEFAULT, &v), SUCCESS);
    g_assert_cmphex(v, ==, LOCKED);
    th_assert_sc(th_get_feature(h, ENVME_FID_BP_WRITE_PROTECT, 0,
                                ENVME_FEAT_SEL_CAPS, &v), SUCCESS);
    g_assert_cmphex(v, ==, ENVME_FEAT_CAP_CHANGE);
    th_assert_sc(th_set_feature(h, ENVME_FID_BP_WRITE_PROTECT, 0, 1, true),
                 FID_NOT_SAVEABLE);
    th_assert_sc(th_set_feature(h, ENVME_FID_BP_WRITE_PROTECT, 1, 1, false),
                 FEAT_NOT_NS);
    th_assert_sc(protect(h, 0), SUCCESS);
    g_assert_cmphex(protection(h), ==, LOCKED);
    th_assert_sc(protect(h, ENVME_BPWP_UNLOCKED), SUCCESS);
    g_assert_cmphex(protection(h), ==, ENVME_BPWP_UNLOCKED |
                    ENVME_BPWP_LOCKED << 3);
    g_assert_cmphex(protection(b), ==, protection(h));
    /* Neither is changed when one of them is wrong. */
    for (unsigned bad = 4; bad < 8; bad++) {
        th_assert_sc(protect(h, ENVME_BPWP_LOCKED | bad << 3), INVALID_FIELD);
        th_assert_sc(protect(h, bad | ENVME_BPWP_UNLOCKED << 3),
                     INVALID_FIELD);
    }
    th_assert_sc(protect(h, 0x40), INVALID_FIELD);
    th_assert_sc(protect(h, 0x80000000u), INVALID_FIELD);
    g_assert_cmphex(protection(h), ==, ENVME_BPWP_UNLOCKED |
                    ENVME_BPWP_LOCKED << 3);
    /* A reset changes nothing. */
    th_reset(h, ENVME_RESET_NSSR);
    th_enable(h);
    g_assert_cmphex(protection(h), ==, ENVME_BPWP_UNLOCKED |
                    ENVME_BPWP_LOCKED << 3);
    th_assert_sc(protect(b, ENVME_BPWP_POWER_CYCLE), SUCCESS);
    for (unsigned to = 1; to < 4; to++) {
        th_assert_sc(protect(h, to), FEAT_NOT_CHANGEABLE);
        th_assert_sc(protect(h, to | ENVME_BPWP_UNLOCKED << 3),
                     FEAT_NOT_CHANGEABLE);
    }
    g_assert_cmphex(protection(h), ==, ENVME_BPWP_POWER_CYCLE |
                    ENVME_BPWP_LOCKED << 3);
    load(h, 4 * KIB, 3);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 0), BP_WRITE_PROHIBITED);
    /* The other one is still free to change. */
    th_assert_sc(protect(h, ENVME_BPWP_UNLOCKED << 3), SUCCESS);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 1), SUCCESS);
    th_assert_sc(protect(h, ENVME_BPWP_POWER_CYCLE << 3), SUCCESS);
    th_assert_sc(protect(h, ENVME_BPWP_LOCKED << 3), FEAT_NOT_CHANGEABLE);
    th_free(b);
    th_free(h);
}

/* ---- the log page ------------------------------------------------------ */

static void no_limit(struct envme_ctrl_params *p)
{
    with_bp(p);
    p->mdts = 0;
}

static void test_log(void)
{
    struct th *h = host_with(NULL, no_limit);
    g_autofree uint8_t *all = g_malloc(SIZE + 16), *buf = g_malloc(SIZE + 64);
    static const struct { size_t off, len; } t[] = {
        { 0, 16 }, { 0, 4 }, { 4, 8 }, { 12, 8 }, { 16, 4096 }, { 8, 65536 },
        { SIZE, 16 }, { SIZE + 12, 4 }, { 0, 64 * KIB + 4 },
    };

    memcpy(all, "\x15\0\0\0\x3\0\0\0\0\0\0\0\0\0\0\0", 16);
    memcpy(all + 16, first, SIZE);
    th_enable(h);
    memset(buf, 0xee, SIZE + 64);
    th_assert_sc(get_log(h, 0, 0, buf, 64 * KIB), SUCCESS);
    g_assert_cmpmem(buf, 64 * KIB, all, 64 * KIB);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        memset(buf, 0xee, SIZE + 64);
        th_assert_sc(get_log(h, 0, t[i].off, buf, t[i].len), SUCCESS);
        g_assert_cmpmem(buf, t[i].len, all + t[i].off, t[i].len);
    }
    /* At the end, beyond it. */
    memset(buf, 0xee, 64);
    th_assert_sc(get_log(h, 0, SIZE + 12, buf, 16), SUCCESS);
    g_assert_cmpmem(buf, 4, first + SIZE - 4, 4);
    g_assert_cmpmem(buf + 4, 12, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
    th_assert_sc(get_log(h, 0, SIZE + 16, buf, 16), SUCCESS);
    g_assert_cmphex(buf[0], ==, 0);
    th_assert_sc(get_log(h, 0, SIZE + 20, buf, 16), INVALID_FIELD);
    th_assert_sc(get_log(h, 0, 2, buf, 16), INVALID_FIELD);
    /* The other one; other bits. It has no effect on the registers. */
    th_assert_sc(get_log(h, 1, 16, buf, 4096), SUCCESS);
    g_assert_cmpmem(buf, 4096, second, 4096);
    for (unsigned bit = 1; bit < 7; bit++) {
        th_assert_sc(get_log(h, 1u << bit, 0, buf, 16), INVALID_FIELD);
        th_assert_sc(get_log(h, 1u << bit, SIZE + 16, buf, 16),
                     INVALID_FIELD);
    }
    g_assert_cmpuint(brs(h), ==, ENVME_BPINFO_BRS_NONE);
    th_free(h);
}

/* ---- other states of the controller ------------------------------------ */

static void test_gates(void)
{
    struct th *h = host();
    struct envme_sqe s = th_sqe(ENVME_ADM_SANITIZE, 0);
    struct envme_log_sanitize log;

    th_enable(h);
    th_assert_sc(protect(h, ENVME_BPWP_UNLOCKED), SUCCESS);
    load(h, 4 * KIB, 5);
    s.cdw10 = le32(ENVME_SANITIZE_BLOCK_ERASE);
    h->be[0]->hold = true;
    th_assert_sc(th_admin(h, &s), SUCCESS);
    /* Sanitize: nothing is written, everything can be read. */
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 0),
                 SANITIZE_IN_PROGRESS);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_ACTIVATE, 1),
                 SANITIZE_IN_PROGRESS);
    check_read(h, 0, 0, 2);
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    do {
        th_advance(h, 20 * MS);
        th_assert_sc(th_get_log(h, ENVME_LID_SANITIZE, 0, 0, &log,
                                sizeof(log), false), SUCCESS);
    } while (FIELD_GET(ENVME_SSTAT_SOS, le16_get(log.sstat)) ==
             ENVME_SOS_IN_PROGRESS);
    /* It is none of what is sanitized. */
    check_image(h, 0, SIZE, 1);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 0), SUCCESS);
    check_image(h, 0, 4 * KIB, 5);
    /* Shut down: the registers are there. */
    th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT |
           FIELD_SET(ENVME_CC_SHN, ENVME_CC_SHN_NORMAL));
    th_run(h);
    g_assert_cmpuint(FIELD_GET(ENVME_CSTS_SHST, th_r32(h, ENVME_REG_CSTS)),
                     ==, ENVME_CSTS_SHST_COMPLETE);
    check_read(h, 1, 0, 20);
    th_free(h);
}

static void test_params(void)
{
    struct th *h = host();
    struct envme_ctrl_params p = h->params;
    char *err = NULL;

    p.bp_units = UNITS + 1;
    g_assert_null(envme_ctrl_new(&p, h->subsys, &h->ports, &envme_tables,
                                 &err));
    g_assert_nonnull(strstr(err, "bp-size=4"));
    g_free(err);
    p.bp_units = ENVME_BOOTPART_MAX + 1;
    g_assert_null(envme_ctrl_new(&p, h->subsys, &h->ports, &envme_tables,
                                 &err));
    g_assert_nonnull(strstr(err, "bp-size=128"));
    g_free(err);
    p.bp_units = UNITS - 1;
    g_assert_null(envme_ctrl_new(&p, h->subsys, &h->ports, &envme_tables,
                                 &err));
    g_free(err);
    th_free(h);
}

/* ---- kept -------------------------------------------------------------- */

static void smaller(struct envme_ctrl_params *p)
{
    with_bp(p);
    p->bp_units = 1;
    p->bp_init[0] = second;
    p->bp_init_len[0] = sizeof(second);
}

static void test_kept(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    struct th *h = host_with(path, with_bp);
    uint8_t buf[4096];

    th_enable(h);
    th_assert_sc(protect(h, ENVME_BPWP_UNLOCKED << 3 | ENVME_BPWP_POWER_CYCLE),
                 SUCCESS);
    load(h, SIZE, 11);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 1), SUCCESS);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_ACTIVATE, 1), SUCCESS);
    th_free(h);
    /* Once more, from the registers on; a power cycle locks all. */
    h = host_with(path, with_bp);
    g_assert_cmphex(th_r32(h, ENVME_REG_BPINFO), ==, 1u << 31 | UNITS);
    th_enable(h);
    g_assert_cmphex(protection(h), ==, LOCKED);
    check_image(h, 1, SIZE, 11);
    check_image(h, 0, SIZE, 1);
    load(h, 4 * KIB, 12);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 1), BP_WRITE_PROHIBITED);
    th_free(h);
    /* What does not fit is not there: the file's contents instead. */
    h = host_with(path, smaller);
    th_enable(h);
    th_assert_sc(get_log(h, 1, 16, buf, 4096), SUCCESS);
    g_assert_cmpmem(buf, 4096, second, 4096);
    /* All zeroes are kept as well. */
    memset(buf, 0, sizeof(buf));
    th_assert_sc(protect(h, ENVME_BPWP_UNLOCKED), SUCCESS);
    th_assert_sc(download(h, buf, 0, 4096), SUCCESS);
    th_assert_sc(commit(h, ENVME_FWCOMMIT_BP_REPLACE, 0), SUCCESS);
    th_free(h);
    h = host_with(path, smaller);
    th_enable(h);
    memset(buf, 0xee, sizeof(buf));
    th_assert_sc(get_log(h, 0, 16, buf, 4096), SUCCESS);
    for (unsigned i = 0; i < sizeof(buf); i++) {
        g_assert_cmphex(buf[i], ==, 0);
    }
    th_free(h);
    g_unlink(path);
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bootpart/absent", test_absent);
    g_test_add_func("/bootpart/read", test_read);
    g_test_add_func("/bootpart/masks", test_masks);
    g_test_add_func("/bootpart/errors", test_errors);
    g_test_add_func("/bootpart/bus-master", test_bme);
    g_test_add_func("/bootpart/reset", test_reset);
    g_test_add_func("/bootpart/again", test_again);
    g_test_add_func("/bootpart/nested", test_nested);
    g_test_add_func("/bootpart/replace", test_replace);
    g_test_add_func("/bootpart/active", test_active);
    g_test_add_func("/bootpart/protect", test_protect);
    g_test_add_func("/bootpart/log", test_log);
    g_test_add_func("/bootpart/gates", test_gates);
    g_test_add_func("/bootpart/params", test_params);
    g_test_add_func("/bootpart/kept", test_kept);
    return g_test_run();
}
