/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware Image Download and Commit: slots, ranges, images, activation at a
 * reset and at once, what is kept. Base 2.1, 3.11, 5.1.8, 5.1.9.
 */
#include "th.h"

#include <glib/gstdio.h>

#include "hw/core/crc.h"

#define MS (1000ull * 1000)

static uint8_t *image(const char *fr, size_t len, size_t padded)
{
    uint8_t *im = g_malloc0(padded);

    th_pattern(im + 32, len - 32, len);
    memcpy(im, "ENVME-FW", 8);
    memset(im + 8, ' ', 8);
    memcpy(im + 8, fr, strlen(fr));
    *(le32_t *)(im + 16) = le32(len);
    *(le32_t *)(im + 20) = le32(0);
    memset(im + 24, 0, 8);
    *(le32_t *)(im + 20) = le32(envme_crc32c(0, im, len));
    return im;
}

static struct envme_cqe download(struct th *h, const void *data, size_t off,
                                 size_t len)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_FW_DOWNLOAD, 0);
    g_autofree void *copy = g_malloc(len);

    memcpy(copy, data, len);
    s.cdw10 = le32(len / 4 - 1);
    s.cdw11 = le32(off / 4);
    return th_cmd_data(h, 0, &s, copy, len, TH_PRP);
}

static uint16_t start_commit(struct th *h, unsigned slot, unsigned ca)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_FW_COMMIT, 0);

    s.cdw10 = le32(slot | ca << 3);
    return th_submit(h, 0, &s);
}

static struct envme_cqe commit(struct th *h, unsigned slot, unsigned ca)
{
    return th_wait(h, 0, start_commit(h, slot, ca));
}

static void load(struct th *h, const char *fr)
{
    g_autofree uint8_t *im = image(fr, 8000, 8192);

    /* Any order will do. */
    th_assert_sc(download(h, im + 4096, 4096, 4096), SUCCESS);
    th_assert_sc(download(h, im, 0, 4096), SUCCESS);
}

static void check_fr(struct th *h, const char *fr)
{
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    char want[9];

    g_snprintf(want, sizeof(want), "%-8s", fr);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmpmem(id->fr, 8, want, 8);
}

static void check_slot(struct th *h, unsigned slot, const char *fr)
{
    struct envme_log_fw log;
    char want[9] = "";

    memset(&log, 0xee, sizeof(log));
    th_assert_sc(th_get_log(h, ENVME_LID_FW_SLOT, 0, 0, &log, sizeof(log),
                            true), SUCCESS);
    if (fr) {
        g_snprintf(want, sizeof(want), "%-8s", fr);
    } else {
        memset(want, 0, sizeof(want));
    }
    g_assert_cmpmem(log.frs[slot - 1], 8, want, 8);
}

static void check_afi(struct th *h, unsigned active, unsigned next)
{
    struct envme_log_fw log;

    th_assert_sc(th_get_log(h, ENVME_LID_FW_SLOT, 0, 0, &log, sizeof(log),
                            true), SUCCESS);
    g_assert_cmphex(log.afi, ==, active | next << 4);
}

/* ---- images ------------------------------------------------------------ */

static void test_identify(void)
{
    struct th *h = th_new();
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(le16_get(id->oacs) & ENVME_OACS_FWDS, !=, 0);
    g_assert_cmphex(le32_get(id->oaes) & ENVME_OAES_FAN, !=, 0);
    g_assert_cmphex(id->frmw, ==, ENVME_FRMW_FAWR | 3 << 1);
    g_assert_cmpuint(id->fwug, ==, 1);
    g_assert_cmpuint(le16_get(id->mtfa), !=, 0);
    check_slot(h, 1, "1.0");
    check_slot(h, 2, NULL);
    check_slot(h, 7, NULL);
    check_afi(h, 1, 0);
    th_free(h);
}

static void test_ranges(void)
{
    struct th *h = th_new();
    g_autofree uint8_t *im = image("2.0", 8000, 12288);

    th_enable(h);
    /* FWUG is 4 KiB. */
    th_assert_sc(download(h, im, 0, 512), INVALID_FIELD);
    th_assert_sc(download(h, im, 512, 4096), INVALID_FIELD);
    th_assert_sc(download(h, im, 16 * MIB, 4096), INVALID_FIELD);
    th_assert_sc(download(h, im, 0, 8192), SUCCESS);
    th_assert_sc(download(h, im, 4096, 4096), OVERLAPPING_RANGE);
    th_assert_sc(download(h, im, 0, 4096), OVERLAPPING_RANGE);
    th_assert_sc(download(h, im, 4096, 8192), OVERLAPPING_RANGE);
    /* What was refused has not been taken. */
    th_assert_sc(download(h, im + 8192, 8192, 4096), SUCCESS);
    th_assert_sc(commit(h, 2, ENVME_FWCOMMIT_REPLACE), SUCCESS);
    check_slot(h, 2, "2.0");
    /* A gap. */
    th_assert_sc(download(h, im, 0, 4096), SUCCESS);
    th_assert_sc(download(h, im + 8192, 8192, 4096), SUCCESS);
    th_assert_sc(commit(h, 3, ENVME_FWCOMMIT_REPLACE), FW_IMAGE_INVALID);
    check_slot(h, 3, NULL);
    /* It is gone now; so is one that a reset came upon. */
    th_assert_sc(commit(h, 3, ENVME_FWCOMMIT_REPLACE), FW_IMAGE_INVALID);
    th_assert_sc(download(h, im, 0, 8192), SUCCESS);
    th_disable(h);
    th_enable(h);
    th_assert_sc(commit(h, 3, ENVME_FWCOMMIT_REPLACE), FW_IMAGE_INVALID);
    check_fr(h, "1.0");
    th_free(h);
}

static void any_dword(struct envme_ctrl_params *p)
{
    p->fwug = 255;
    p->fw_slots = 7;
    p->fw_slot1_ro = true;
}

static void test_dwords(void)
{
    struct th *h = th_new(.tweak = any_dword);
    g_autofree uint8_t *im = image("odd", 1020, 1020);

    th_enable(h);
    th_assert_sc(download(h, im, 0, 4), SUCCESS);
    th_assert_sc(download(h, im + 4, 4, 1016), SUCCESS);
    th_assert_sc(download(h, im, 0, 8), OVERLAPPING_RANGE);
    th_assert_sc(commit(h, 1, ENVME_FWCOMMIT_REPLACE), FW_SLOT_INVALID);
    th_assert_sc(commit(h, 7, ENVME_FWCOMMIT_REPLACE), SUCCESS);
    check_slot(h, 7, "odd");
    th_free(h);
}

static void test_bad_images(void)
{
    static const struct { size_t at; uint8_t to; } t[] = {
        { 0, 'X' }, { 7, 0 }, { 8, 0x1f }, { 15, 0x7f }, { 16, 0x41 },
        { 16, 0x42 }, { 18, 0x10 }, { 20, 0x00 }, { 24, 1 }, { 100, 0xff },
        { 7999, 0x01 },
    };
    struct th *h = th_new();

    th_enable(h);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        g_autofree uint8_t *im = image("2.0", 8000, 8192);

        im[t[i].at] = im[t[i].at] == t[i].to ? t[i].to + 1 : t[i].to;
        th_assert_sc(download(h, im, 0, 8192), SUCCESS);
        th_assert_sc(commit(h, 2, ENVME_FWCOMMIT_REPLACE), FW_IMAGE_INVALID);
        check_slot(h, 2, NULL);
    }
    th_free(h);
}

static void test_bad_commits(void)
{
    struct th *h = th_new();

    th_enable(h);
    load(h, "2.0");
    for (unsigned ca = 4; ca < 8; ca++) {
        th_assert_sc(commit(h, 2, ca), INVALID_FIELD);
    }
    th_assert_sc(commit(h, 4, ENVME_FWCOMMIT_REPLACE), FW_SLOT_INVALID);
    th_assert_sc(commit(h, 7, ENVME_FWCOMMIT_ACTIVATE), FW_SLOT_INVALID);
    th_assert_sc(commit(h, 3, ENVME_FWCOMMIT_ACTIVATE), FW_IMAGE_INVALID);
    check_afi(h, 1, 0);
    /* The image is still there. */
    th_assert_sc(commit(h, 0, ENVME_FWCOMMIT_REPLACE), SUCCESS);
    check_slot(h, 2, "2.0");
    th_assert_sc(commit(h, 3, ENVME_FWCOMMIT_ACTIVATE_NOW), FW_IMAGE_INVALID);
    th_free(h);
}

/* The first download after a commit, of whatever action and result, begins
 * another image. */
static void test_another(void)
{
    static const unsigned ca[] = {
        ENVME_FWCOMMIT_ACTIVATE, ENVME_FWCOMMIT_REPLACE,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(ca); i++) {
        struct th *h = th_new();

        th_enable(h);
        load(h, "2.0");
        /* Slot 7 is not there: what was downloaded still is, until ... */
        th_assert_sc(commit(h, 7, ca[i]), FW_SLOT_INVALID);
        load(h, "3.0");
        th_assert_sc(commit(h, 2, ENVME_FWCOMMIT_REPLACE), SUCCESS);
        check_slot(h, 2, "3.0");
        th_free(h);
    }
}

/* ---- activation -------------------------------------------------------- */

static void test_at_reset(void)
{
    struct th *h = th_new();

    th_enable(h);
    load(h, "2.0");
    th_assert_sc(commit(h, 2, ENVME_FWCOMMIT_REPLACE), SUCCESS);
    check_afi(h, 1, 0);
    th_disable(h);
    th_enable(h);
    check_fr(h, "1.0");
    th_assert_sc(commit(h, 2, ENVME_FWCOMMIT_ACTIVATE), SUCCESS);
    check_afi(h, 1, 2);
    check_fr(h, "1.0");
    th_disable(h);
    th_enable(h);
    check_afi(h, 2, 0);
    check_fr(h, "2.0");
    load(h, "3.0");
    th_assert_sc(commit(h, 3, ENVME_FWCOMMIT_REPLACE_ACTIVATE), SUCCESS);
    check_fr(h, "2.0");
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);
    check_afi(h, 3, 0);
    check_fr(h, "3.0");
    /* Another image in the active slot does not run yet. */
    load(h, "3.1");
    th_assert_sc(commit(h, 3, ENVME_FWCOMMIT_REPLACE), SUCCESS);
    check_slot(h, 3, "3.1");
    check_fr(h, "3.0");
    th_free(h);
}

static bool done(struct th *h, uint16_t cid)
{
    th_run(h);
    th_reap(h, 0);
    return th_done(h, 0, cid, NULL);
}

static void test_now(void)
{
    struct th *h = th_new(.lanes = 2);
    struct envme_log_fw log;
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_FLUSH, 1, 0, 1);
    struct envme_cqe c;
    uint16_t aer, cid, io;

    th_enable(h);
    th_queues(h, 2, 8);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, ENVME_FEAT_AEC_FAN,
                                false), SUCCESS);
    aer = th_aer(h);
    load(h, "2.0");
    cid = start_commit(h, 2, ENVME_FWCOMMIT_ACTIVATE_NOW);
    g_assert_false(done(h, cid));
    c = th_wait(h, 0, aer);
    g_assert_cmphex(le32_get(c.dw0), ==, ENVME_AEN_TYPE_NOTICE |
                    ENVME_AEN_NOTICE_FW_ACT << 8 | ENVME_LID_FW_SLOT << 16);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==,
                    ENVME_CSTS_RDY | ENVME_CSTS_PP);
    /* Nothing is processed while it lasts. */
    s.cdw12 = le32(0);
    s.cdw10 = le32(0);
    io = th_submit(h, 1, &s);
    th_run(h);
    th_reap(h, 1);
    g_assert_false(th_done(h, 1, io, NULL));
    th_advance(h, 100 * MS);
    th_assert_sc(th_wait(h, 0, cid), SUCCESS);
    th_assert_sc(th_wait(h, 1, io), SUCCESS);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    check_fr(h, "2.0");
    check_afi(h, 2, 0);
    /* Masked until the log was read. */
    aer = th_aer(h);
    load(h, "2.1");
    cid = start_commit(h, 2, ENVME_FWCOMMIT_ACTIVATE_NOW);
    th_advance(h, 100 * MS);
    th_advance(h, 100 * MS);
    th_assert_sc(th_wait(h, 0, cid), SUCCESS);
    g_assert_false(done(h, aer));
    th_assert_sc(th_get_log(h, ENVME_LID_FW_SLOT, 0, 0, &log, sizeof(log),
                            false), SUCCESS);
    th_assert_sc(th_wait(h, 0, aer), SUCCESS);
    /* No image: the one in the slot. */
    cid = start_commit(h, 1, ENVME_FWCOMMIT_ACTIVATE_NOW);
    th_run(h);
    th_advance(h, 100 * MS);
    th_assert_sc(th_wait(h, 0, cid), SUCCESS);
    check_fr(h, "1.0");
    th_free(h);
}

static void test_now_and_reset(void)
{
    struct th *h = th_new(.lanes = 2);

    th_enable(h);
    th_queues(h, 2, 8);
    load(h, "2.0");
    /* Before the lanes are parked, and after. */
    th_abandon(h, 0, start_commit(h, 2, ENVME_FWCOMMIT_ACTIVATE_NOW));
    th_step(h);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);
    load(h, "2.1");
    th_abandon(h, 0, start_commit(h, 3, ENVME_FWCOMMIT_ACTIVATE_NOW));
    th_run(h);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_PP, !=, 0);
    th_reset(h, ENVME_RESET_FUNCTION);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, 0);
    th_enable(h);
    check_fr(h, "2.1");
    th_free(h);
}

static void test_two(void)
{
    struct th *a = th_new(.multi = true), *b = th_new(.peer = a);
    uint16_t cid, ev;

    th_enable(a);
    th_enable(b);
    th_assert_sc(th_set_feature(b, ENVME_FID_AEC, 0, ENVME_FEAT_AEC_FAN,
                                false), SUCCESS);
    ev = th_aer(b);
    load(a, "2.0");
    cid = start_commit(a, 2, ENVME_FWCOMMIT_ACTIVATE_NOW);
    th_run(a);
    g_assert_cmphex(th_r32(b, ENVME_REG_CSTS) & ENVME_CSTS_PP, !=, 0);
    th_advance(a, 100 * MS);
    th_assert_sc(th_wait(a, 0, cid), SUCCESS);
    th_assert_sc(th_wait(b, 0, ev), SUCCESS);
    g_assert_cmphex(th_r32(b, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    check_fr(b, "2.0");
    /* One is reset in the middle of it: it has happened, for both. */
    load(b, "2.1");
    cid = start_commit(b, 3, ENVME_FWCOMMIT_ACTIVATE_NOW);
    th_run(a);
    th_reset(a, ENVME_RESET_FUNCTION);
    th_assert_sc(th_wait(b, 0, cid), SUCCESS);
    check_fr(b, "2.1");
    th_free(b);
    th_free(a);
}

/* ---- kept -------------------------------------------------------------- */

static void test_kept(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    struct th *h = th_new(.state = path);

    th_enable(h);
    load(h, "2.0");
    th_assert_sc(commit(h, 3, ENVME_FWCOMMIT_REPLACE_ACTIVATE), SUCCESS);
    check_fr(h, "1.0");
    th_free(h);
    h = th_new(.state = path);
    th_enable(h);
    check_fr(h, "2.0");
    check_afi(h, 3, 0);
    check_slot(h, 1, "1.0");
    check_slot(h, 2, NULL);
    check_slot(h, 3, "2.0");
    th_free(h);
    g_unlink(path);
    g_rmdir(dir);
}

/* The next start offers fewer slots: the image is not there to be loaded, and
 * that is told once. */
static void check_lost(const char *path, bool is_active)
{
    struct th *h = th_new(.tweak = any_dword, .state = path);
    g_autofree uint8_t *im = image("lost", 1024, 1024);
    struct envme_log_error e;
    uint16_t aer;

    th_enable(h);
    th_assert_sc(download(h, im, 0, 1024), SUCCESS);
    th_assert_sc(commit(h, 7, ENVME_FWCOMMIT_REPLACE_ACTIVATE), SUCCESS);
    if (is_active) {
        th_disable(h);
        th_enable(h);
        check_fr(h, "lost");
    }
    th_free(h);
    h = th_new(.state = path);
    th_enable(h);
    check_fr(h, "1.0");
    check_slot(h, 1, "1.0");
    aer = th_aer(h);
    g_assert_cmphex(le32_get(th_wait(h, 0, aer).dw0), ==,
                    ENVME_AEN_TYPE_ERROR | ENVME_AEN_ERROR_FW_LOAD << 8 |
                    ENVME_LID_ERROR << 16);
    th_assert_sc(th_get_log(h, ENVME_LID_ERROR, 0, 0, &e, sizeof(e), false),
                 SUCCESS);
    g_assert_cmphex(le16_get(e.sts) >> 1, ==, ENVME_SC_FW_IMAGE_INVALID);
    g_assert_cmphex(le16_get(e.cid), ==, 0xffff);
    th_disable(h);
    th_enable(h);
    aer = th_aer(h);
    th_run(h);
    th_reap(h, 0);
    g_assert_false(th_done(h, 0, aer, NULL));
    th_free(h);
    g_unlink(path);
}

static void test_lost(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);

    check_lost(path, false);
    check_lost(path, true);
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/firmware/identify", test_identify);
    g_test_add_func("/firmware/ranges", test_ranges);
    g_test_add_func("/firmware/dwords", test_dwords);
    g_test_add_func("/firmware/bad-images", test_bad_images);
    g_test_add_func("/firmware/bad-commits", test_bad_commits);
    g_test_add_func("/firmware/another", test_another);
    g_test_add_func("/firmware/at-reset", test_at_reset);
    g_test_add_func("/firmware/now", test_now);
    g_test_add_func("/firmware/now-and-reset", test_now_and_reset);
    g_test_add_func("/firmware/two-controllers", test_two);
    g_test_add_func("/firmware/kept", test_kept);
    g_test_add_func("/firmware/lost", test_lost);
    return g_test_run();
}
