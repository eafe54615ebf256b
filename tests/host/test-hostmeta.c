/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hosts leave with a controller or a namespace: Host Metadata (7Dh to
 * 7Fh), Software Progress Marker (80h), Host Identifier (81h), LBA Range Type
 * (03h), Namespace Admin Label (1Fh); and the UUID list.
 */
#include <glib/gstdio.h>

#include "nsm.h"

#define MS (1000ull * 1000)

/* A command of feature fid with a data buffer. */
static struct envme_cqe feat(struct th *h, bool is_set, uint8_t fid,
                             uint32_t nsid, uint32_t cdw10, uint32_t cdw11,
                             void *data, size_t len)
{
    struct envme_sqe s = th_sqe(is_set ? ENVME_ADM_SET_FEATURES
                                       : ENVME_ADM_GET_FEATURES, nsid);

    s.cdw10 = le32(fid | cdw10);
    s.cdw11 = le32(cdw11);
    return th_cmd_data(h, 0, &s, data, len, TH_PRP);
}

static uint32_t caps(struct th *h, uint8_t fid)
{
    uint32_t v = 99;

    th_assert_sc(th_get_feature(h, fid, 1, ENVME_FEAT_SEL_CAPS, &v), SUCCESS);
    return v;
}

/* ---- Host Metadata ----------------------------------------------------- */

struct meta {
    struct envme_feat_meta m;
    size_t end;
};

static void add(struct meta *m, unsigned et, unsigned er, const char *value)
{
    size_t len = value ? strlen(value) : 0;

    m->m.med[m->end] = et;
    m->m.med[m->end + 1] = er;
    m->m.med[m->end + 2] = len;
    m->m.med[m->end + 3] = len >> 8;
    if (len) {
        memcpy(m->m.med + m->end + 4, value, len);
    }
    m->end += 4 + len;
    m->m.nmed++;
}

#define META(...) meta_of((const char *const[]){ __VA_ARGS__, NULL })

/* "1name": type 1, value "name". */
static struct meta meta_of(const char *const *list)
{
    struct meta m = { 0 };

    for (; *list; list++) {
        add(&m, (*list)[0] - '0', 0, *list + 1);
    }
    return m;
}

static struct envme_cqe set_meta(struct th *h, uint8_t fid, uint32_t nsid,
                                 unsigned ea, struct meta m)
{
    return feat(h, true, fid, nsid, 0, ea << 13, &m.m, sizeof(m.m));
}

static void check_meta(struct th *h, uint8_t fid, uint32_t nsid,
                       struct meta want)
{
    for (unsigned gdhm = 0; gdhm < 2; gdhm++) {
        struct envme_feat_meta m;
        struct envme_cqe c;

        memset(&m, 0xee, sizeof(m));
        c = feat(h, false, fid, nsid, 0, gdhm, &m, sizeof(m));
        th_assert_sc(c, SUCCESS);
        g_assert_cmphex(le32_get(c.dw0), ==, 0);
        g_assert_cmpmem(&m, sizeof(m), &want.m, sizeof(want.m));
    }
}

static const struct meta none;

static void test_meta_single(uint8_t fid, uint32_t nsid)
{
    struct th *h = th_new(.ns = { { .size = MIB }, { .size = MIB } });
    struct meta m;

    th_enable(h);
    check_meta(h, fid, nsid, none);
    g_assert_cmphex(caps(h, fid), ==, ENVME_FEAT_CAP_CHANGE |
                    (nsid ? ENVME_FEAT_CAP_NS : 0));
    m = META("1eth0", "2driver");
    th_assert_sc(set_meta(h, fid, nsid, ENVME_META_ADD_REPLACE, m), SUCCESS);
    check_meta(h, fid, nsid, m);
    /* One is replaced, one is new, one stays. */
    th_assert_sc(set_meta(h, fid, nsid, ENVME_META_ADD_REPLACE,
                          META("31.0", "1other")), SUCCESS);
    check_meta(h, fid, nsid, META("2driver", "31.0", "1other"));
    if (nsid) {
        check_meta(h, fid, 2, none);
    }
    /* Delete: what is there, what is not. */
    th_assert_sc(set_meta(h, fid, nsid, ENVME_META_DELETE, META("4")),
                 SUCCESS);
    th_assert_sc(set_meta(h, fid, nsid, ENVME_META_DELETE, META("3", "2")),
                 SUCCESS);
    check_meta(h, fid, nsid, META("1other"));
    th_assert_sc(set_meta(h, fid, nsid, ENVME_META_DELETE, none), SUCCESS);
    check_meta(h, fid, nsid, META("1other"));
    /* Not of this feature; reserved. */
    th_assert_sc(set_meta(h, fid, nsid, ENVME_META_ADD, META("2x")),
                 INVALID_FIELD);
    th_assert_sc(set_meta(h, fid, nsid, 3, META("2x")), INVALID_FIELD);
    th_assert_sc(feat(h, true, fid, nsid, 0, 1, &m.m, 4096), INVALID_FIELD);
    th_assert_sc(feat(h, true, fid, nsid, 0, 0x8000, &m.m, 4096),
                 INVALID_FIELD);
    th_assert_sc(feat(h, true, fid, nsid, ENVME_FEAT_SV, 0, &m.m, 4096),
                 FID_NOT_SAVEABLE);
    /* Twice the same type: neither of them, nor the third. */
    th_assert_sc(set_meta(h, fid, nsid, ENVME_META_ADD_REPLACE,
                          META("5new", "2a", "2b")), INVALID_FIELD);
    check_meta(h, fid, nsid, META("1other"));
    /* A reset forgets. */
    th_disable(h);
    th_enable(h);
    check_meta(h, fid, nsid, none);
    th_free(h);
}

static void test_meta_ctrl(void)
{
    test_meta_single(ENVME_FID_CTRL_META, 0);
}

static void test_meta_ns(void)
{
    struct th *h = th_new(.ns = { { .size = MIB }, { .size = MIB } });
    struct envme_feat_meta m;

    test_meta_single(ENVME_FID_NS_META, 1);
    th_enable(h);
    th_assert_sc(set_meta(h, ENVME_FID_NS_META, 0, 0, META("1x")),
                 INVALID_NS);
    th_assert_sc(set_meta(h, ENVME_FID_NS_META, 9, 0, META("1x")),
                 INVALID_FIELD);
    th_assert_sc(feat(h, false, ENVME_FID_NS_META, 17, 0, 0, &m, 4096),
                 INVALID_NS);
    th_assert_sc(set_meta(h, ENVME_FID_NS_META, UINT32_MAX, 0, META("1x")),
                 SUCCESS);
    check_meta(h, ENVME_FID_NS_META, 1, META("1x"));
    check_meta(h, ENVME_FID_NS_META, 2, META("1x"));
    th_free(h);
}

static void test_meta_enhanced(void)
{
    struct th *h = th_new(.multi = true), *b = th_new(.peer = h);
    const uint8_t fid = ENVME_FID_ENH_CTRL_META;

    th_enable(h);
    th_enable(b);
    th_assert_sc(set_meta(h, fid, 0, ENVME_META_ADD_REPLACE, META("1x")),
                 INVALID_FIELD);
    th_assert_sc(set_meta(h, fid, 1, ENVME_META_ADD, META("1x")), FEAT_NOT_NS);
    th_assert_sc(set_meta(h, fid, 0, ENVME_META_ADD, META("1x", "2y", "1z")),
                 SUCCESS);
    th_assert_sc(set_meta(h, fid, 0, ENVME_META_ADD, META("1w")), SUCCESS);
    check_meta(h, fid, 0, META("1x", "2y", "1z", "1w"));
    /* It is this controller's; 7Eh is something else. */
    check_meta(b, fid, 0, none);
    check_meta(h, ENVME_FID_CTRL_META, 0, none);
    th_assert_sc(set_meta(h, fid, 0, ENVME_META_DELETE, META("1")), SUCCESS);
    check_meta(h, fid, 0, META("2y"));
    th_free(b);
    th_free(h);
}

/* Descriptors that are none, and more than there is room for. */
static void test_meta_bad(void)
{
    struct th *h = th_new();
    const uint8_t fid = ENVME_FID_CTRL_META, enh = ENVME_FID_ENH_CTRL_META;
    g_autofree char *half = g_strnfill(2040, 'h');
    struct meta m = META("1is"), bad;

    th_enable(h);
    th_assert_sc(set_meta(h, fid, 0, 0, m), SUCCESS);
    for (unsigned et = 0; et < 256; et += 32) {
        bad = none;
        add(&bad, et, 0, "reserved");
        th_assert_sc(set_meta(h, fid, 0, 0, bad), INVALID_FIELD);
    }
    bad = none;
    add(&bad, 2, 0x10, "revision");
    th_assert_sc(set_meta(h, fid, 0, 0, bad), INVALID_FIELD);
    bad = none;
    add(&bad, 2, 0, NULL);
    th_assert_sc(set_meta(h, fid, 0, 0, bad), INVALID_FIELD);
    bad = META("2with a value");
    th_assert_sc(set_meta(h, fid, 0, ENVME_META_DELETE, bad), INVALID_FIELD);
    /* One is said to be there that is not: its type is 0. */
    bad = META("2x");
    bad.m.nmed = 2;
    th_assert_sc(set_meta(h, fid, 0, 0, bad), INVALID_FIELD);
    /* Over the end: the value, by one and by much; the descriptor. */
    bad = META("2x");
    bad.m.med[2] = 0xfb;
    bad.m.med[3] = 0x0f;
    th_assert_sc(set_meta(h, fid, 0, 0, bad), INVALID_FIELD);
    bad.m.med[2] = bad.m.med[3] = 0xff;
    th_assert_sc(set_meta(h, fid, 0, 0, bad), INVALID_FIELD);
    bad = none;
    for (unsigned i = 0; i < 255; i++) {
        add(&bad, 1, 0, "0123456789ab");
    }
    bad.m.nmed = 255;
    bad.m.med[254 * 16 + 2] = 26;
    th_assert_sc(set_meta(h, enh, 0, ENVME_META_ADD, bad), SUCCESS);
    check_meta(h, fid, 0, m);
    /* 255 is all there can be. */
    th_assert_sc(set_meta(h, enh, 0, ENVME_META_ADD, META("1x")),
                 INVALID_FIELD);
    check_meta(h, enh, 0, bad);
    /* Together they are 2 + 2 * 2044 + 6 = 4096 bytes, and no more. */
    m = none;
    add(&m, 1, 15, half);
    th_assert_sc(set_meta(h, fid, 0, 0, m), SUCCESS);
    bad = none;
    add(&bad, 2, 0, half);
    th_assert_sc(set_meta(h, fid, 0, 0, bad), SUCCESS);
    add(&m, 2, 0, half);
    th_assert_sc(set_meta(h, fid, 0, 0, META("3abc")), INVALID_FIELD);
    check_meta(h, fid, 0, m);
    th_assert_sc(set_meta(h, fid, 0, 0, META("3ab")), SUCCESS);
    add(&m, 3, 0, "ab");
    check_meta(h, fid, 0, m);
    th_free(h);
}

/* ---- Software Progress Marker ------------------------------------------ */

static uint32_t progress(struct th *h, unsigned select)
{
    uint32_t v = 999;

    th_assert_sc(th_get_feature(h, ENVME_FID_SW_PROGRESS, 0, select, &v),
                 SUCCESS);
    return v;
}

static void test_progress(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    struct th *h = th_new(.state = path);
    const uint8_t fid = ENVME_FID_SW_PROGRESS;

    th_enable(h);
    g_assert_cmphex(caps(h, fid), ==, ENVME_FEAT_CAP_CHANGE |
                    ENVME_FEAT_CAP_SAVEABLE);
    g_assert_cmpuint(progress(h, 0), ==, 0);
    th_assert_sc(th_set_feature(h, fid, 0, 256, true), INVALID_FIELD);
    th_assert_sc(th_set_feature(h, fid, 1, 1, true), FEAT_NOT_NS);
    /* Counting loads: without Save a reset takes it back. */
    th_assert_sc(th_set_feature(h, fid, 0, 1, false), SUCCESS);
    g_assert_cmpuint(progress(h, 0), ==, 1);
    th_disable(h);
    th_enable(h);
    g_assert_cmpuint(progress(h, 0), ==, 0);
    for (unsigned i = 1; i < 4; i++) {
        th_assert_sc(th_set_feature(h, fid, 0, progress(h, 0) + 1, true),
                     SUCCESS);
        th_free(h);
        h = th_new(.state = path);
        th_enable(h);
        g_assert_cmpuint(progress(h, 0), ==, i);
        g_assert_cmpuint(progress(h, ENVME_FEAT_SEL_SAVED), ==, i);
        g_assert_cmpuint(progress(h, ENVME_FEAT_SEL_DEFAULT), ==, 0);
    }
    th_assert_sc(th_set_feature(h, fid, 0, 255, true), SUCCESS);
    g_assert_cmpuint(progress(h, 0), ==, 255);
    th_free(h);
    g_unlink(path);
    g_rmdir(dir);
}

/* ---- Host Identifier --------------------------------------------------- */

static struct envme_cqe set_id(struct th *h, bool is_long, const void *id)
{
    uint8_t buf[16] = { 0 };

    memcpy(buf, id, is_long ? 16 : 8);
    return feat(h, true, ENVME_FID_HOST_ID, 0, 0, is_long, buf,
                is_long ? 16 : 8);
}

static void check_id(struct th *h, bool is_long, const void *id)
{
    uint8_t buf[24];
    struct envme_cqe c;
    unsigned len = is_long ? 16 : 8;

    memset(buf, 0xee, sizeof(buf));
    c = feat(h, false, ENVME_FID_HOST_ID, 0, 0, is_long, buf, len);
    th_assert_sc(c, SUCCESS);
    g_assert_cmphex(le32_get(c.dw0), ==, is_long);
    g_assert_cmpmem(buf, len, id, len);
}

static void test_host_id(void)
{
    static const uint8_t zero[16], id[16] = "0123456789abcdef";
    static const uint8_t high[16] = { [15] = 1 };
    struct th *a = th_new(.multi = true), *b = th_new(.peer = a);
    g_autofree struct envme_id_ctrl *ic = g_malloc(4096);
    uint8_t buf[16] = { 0 };
    bool is_long;

    th_enable(a);
    th_enable(b);
    th_assert_sc(th_identify(a, ENVME_CNS_CTRL, 0, ic), SUCCESS);
    g_assert_cmphex(le32_get(ic->ctratt) & (ENVME_CTRATT_HIDS |
                                            ENVME_CTRATT_RHII), ==,
                    ENVME_CTRATT_HIDS);
    g_assert_cmphex(caps(a, ENVME_FID_HOST_ID), ==, ENVME_FEAT_CAP_CHANGE);
    check_id(a, false, zero);
    g_assert_null(envme_host_id(a->ctrl, &is_long));
    th_assert_sc(feat(a, true, ENVME_FID_HOST_ID, 0, 0, 2, buf, 8),
                 INVALID_FIELD);
    th_assert_sc(feat(a, true, ENVME_FID_HOST_ID, 0, ENVME_FEAT_SV, 0, buf, 8),
                 FID_NOT_SAVEABLE);
    th_assert_sc(feat(a, true, ENVME_FID_HOST_ID, 1, 0, 0, buf, 8),
                 FEAT_NOT_NS);
    /* 0 is none, of either size. */
    th_assert_sc(set_id(a, false, zero), SUCCESS);
    th_assert_sc(set_id(b, true, zero), SUCCESS);
    th_assert_sc(set_id(a, true, high), SUCCESS);
    check_id(a, true, high);
    g_assert_cmpmem(envme_host_id(a->ctrl, &is_long), 16, high, 16);
    g_assert_true(is_long);
    /* There is one: it cannot be changed. */
    th_assert_sc(set_id(a, true, id), SEQUENCE_ERROR);
    th_assert_sc(set_id(a, true, high), SEQUENCE_ERROR);
    th_assert_sc(set_id(a, false, zero), SEQUENCE_ERROR);
    check_id(a, true, high);
    /* The other controller's has to be as long. */
    th_assert_sc(set_id(b, false, id), HOSTID_FORMAT);
    check_id(b, true, zero);
    th_assert_sc(set_id(b, true, id), SUCCESS);
    check_id(b, true, id);
    /* A reset forgets; the other one stays. */
    th_reset(a, ENVME_RESET_FUNCTION);
    th_enable(a);
    check_id(a, false, zero);
    check_id(b, true, id);
    th_assert_sc(set_id(a, false, id), HOSTID_FORMAT);
    th_disable(b);
    th_enable(b);
    th_assert_sc(set_id(a, false, id), SUCCESS);
    check_id(a, false, id);
    th_assert_sc(set_id(b, true, id), HOSTID_FORMAT);
    th_assert_sc(set_id(b, false, id), SUCCESS);
    th_free(b);
    th_free(a);
}

/* ---- LBA Range Type ---------------------------------------------------- */

static struct envme_lba_range range(unsigned type, unsigned attr,
                                    uint64_t slba, uint64_t nlb)
{
    struct envme_lba_range r = { .type = type, .attr = attr,
                                 .slba = le64(slba), .nlb = le64(nlb - 1) };

    memset(r.guid, type + 1, sizeof(r.guid));
    return r;
}

static struct envme_cqe set_ranges(struct th *h, uint32_t nsid, unsigned n,
                                   const struct envme_lba_range *r)
{
    struct envme_feat_lba_range data;

    /* What is not used is ignored. */
    memset(&data, 0xee, sizeof(data));
    memcpy(data.entry, r, n * sizeof(*r));
    return feat(h, true, ENVME_FID_LBA_RANGE, nsid, 0, n - 1, &data, 4096);
}

static void check_ranges(struct th *h, uint32_t nsid, unsigned sel_,
                         unsigned n, const struct envme_lba_range *r)
{
    struct envme_feat_lba_range want = { 0 }, data;
    struct envme_cqe c;

    memcpy(want.entry, r, n * sizeof(*r));
    memset(&data, 0xee, sizeof(data));
    c = feat(h, false, ENVME_FID_LBA_RANGE, nsid, sel_ << 8, 63, &data, 4096);
    th_assert_sc(c, SUCCESS);
    g_assert_cmpuint(le32_get(c.dw0), ==, n - 1);
    g_assert_cmpmem(&data, sizeof(data), &want, sizeof(want));
}

static void test_ranges(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    struct th *h = th_new(.multi = true, .state = path,
                          .ns = { { .size = MIB }, { .size = MIB } });
    struct th *b = th_new(.peer = h);
    struct envme_lba_range r[64], dflt = range(0, 1, 0, 2048);
    uint32_t nsid;

    memset(dflt.guid, 0, sizeof(dflt.guid));
    th_enable(h);
    th_enable(b);
    g_assert_cmphex(caps(h, ENVME_FID_LBA_RANGE), ==, ENVME_FEAT_CAP_CHANGE |
                    ENVME_FEAT_CAP_NS);
    check_ranges(h, 1, 0, 1, &dflt);
    check_ranges(h, 1, ENVME_FEAT_SEL_DEFAULT, 1, &dflt);
    check_ranges(h, 1, ENVME_FEAT_SEL_SAVED, 1, &dflt);
    /* In any order; next to each other; the whole list. */
    for (unsigned i = 0; i < 64; i++) {
        r[i] = range(i < 5 ? i : 0x80 + i, i & 3, (63 - i) * 32, 32);
    }
    th_assert_sc(set_ranges(h, 1, 64, r), SUCCESS);
    check_ranges(h, 1, 0, 64, r);
    check_ranges(b, 1, 0, 64, r);
    check_ranges(h, 2, 0, 1, &dflt);
    check_ranges(h, 1, ENVME_FEAT_SEL_DEFAULT, 1, &dflt);
    /* The last one counts. */
    th_assert_sc(set_ranges(b, 1, 2, r), SUCCESS);
    check_ranges(h, 1, 0, 2, r);
    /* Overlap: by one block, all, one within another. */
    r[2] = range(1, 0, le64_get(r[1].slba) + 31, 1);
    th_assert_sc(set_ranges(h, 1, 3, r), OVERLAPPING_RANGE);
    r[2] = range(1, 0, 0, 2048);
    th_assert_sc(set_ranges(h, 1, 3, r), OVERLAPPING_RANGE);
    r[2] = r[1];
    th_assert_sc(set_ranges(h, 1, 3, r), OVERLAPPING_RANGE);
    /* Beyond the end; so large that it is none. */
    r[2] = range(1, 0, 1, 2048);
    th_assert_sc(set_ranges(h, 1, 3, r), LBA_RANGE);
    r[2] = range(1, 0, 2048, 1);
    th_assert_sc(set_ranges(h, 1, 3, r), LBA_RANGE);
    r[2] = range(1, 0, 0, 0);
    th_assert_sc(set_ranges(h, 1, 3, r), LBA_RANGE);
    r[2] = range(1, 0, UINT64_MAX, UINT64_MAX);
    th_assert_sc(set_ranges(h, 1, 3, r), LBA_RANGE);
    /* Reserved types, attributes, bits of CDW11. */
    r[2] = range(5, 0, 0, 1);
    th_assert_sc(set_ranges(h, 1, 3, r), INVALID_FIELD);
    r[2] = range(0x7f, 0, 0, 1);
    th_assert_sc(set_ranges(h, 1, 3, r), INVALID_FIELD);
    r[2] = range(1, 4, 0, 1);
    th_assert_sc(set_ranges(h, 1, 3, r), INVALID_FIELD);
    th_assert_sc(feat(h, true, ENVME_FID_LBA_RANGE, 1, 0, 64, r, 4096),
                 INVALID_FIELD);
    th_assert_sc(set_ranges(h, UINT32_MAX, 1, r), INVALID_FIELD);
    th_assert_sc(set_ranges(h, 0, 1, r), INVALID_NS);
    th_assert_sc(set_ranges(h, 3, 1, r), INVALID_FIELD);
    th_assert_sc(feat(h, true, ENVME_FID_LBA_RANGE, 1, ENVME_FEAT_SV, 0, r,
                      4096), FID_NOT_SAVEABLE);
    check_ranges(h, 1, 0, 2, r);
    /* A reset, a power cycle. */
    th_disable(h);
    th_enable(h);
    check_ranges(h, 1, 0, 2, r);
    th_free(b);
    th_free(h);
    h = th_new(.multi = true, .state = path,
               .ns = { { .size = MIB }, { .size = MIB } });
    th_enable(h);
    check_ranges(h, 1, 0, 2, r);
    check_ranges(h, 2, 0, 1, &dflt);
    /* With the namespace it goes; what a host makes keeps its own. */
    th_assert_sc(nsm_delete(h, 1), SUCCESS);
    th_free(h);
    h = th_new(.multi = true, .state = path,
               .ns = { { .size = MIB }, { .size = MIB } });
    th_enable(h);
    th_assert_sc(nsm_create(h, 2048, 0, true, &nsid), SUCCESS);
    g_assert_cmpuint(nsid, ==, 1);
    th_assert_sc(nsm_attach(h, 1, true), SUCCESS);
    check_ranges(h, 1, 0, 1, &dflt);
    th_assert_sc(set_ranges(h, 1, 2, r), SUCCESS);
    th_free(h);
    h = th_new(.multi = true, .state = path,
               .ns = { { .size = MIB }, { .size = MIB } });
    th_enable(h);
    check_ranges(h, 1, 0, 2, r);
    th_free(h);
    g_unlink(path);
    g_rmdir(dir);
}

/* ---- Namespace Admin Label --------------------------------------------- */

static struct envme_cqe set_label(struct th *h, uint32_t nsid, bool save,
                                  const char *text)
{
    char buf[256];

    /* What follows the NUL is not kept. */
    memset(buf, 'x', sizeof(buf));
    memcpy(buf, text, ENVME_MIN(strlen(text) + 1, sizeof(buf)));
    return feat(h, true, ENVME_FID_NS_ADMIN_LABEL, nsid,
                save ? ENVME_FEAT_SV : 0, 0, buf, sizeof(buf));
}

static void check_label(struct th *h, uint32_t nsid, const char *text)
{
    static const unsigned sels[] = { ENVME_FEAT_SEL_CURRENT,
                                     ENVME_FEAT_SEL_SAVED,
                                     ENVME_FEAT_SEL_DEFAULT };
    char want[256] = "", buf[256];

    g_strlcpy(want, text, sizeof(want));
    for (unsigned i = 0; i < G_N_ELEMENTS(sels); i++) {
        if (sels[i] == ENVME_FEAT_SEL_DEFAULT) {
            memset(want, 0, sizeof(want));
        }
        memset(buf, 0xee, sizeof(buf));
        th_assert_sc(feat(h, false, ENVME_FID_NS_ADMIN_LABEL, nsid,
                          sels[i] << 8, 0, buf, sizeof(buf)), SUCCESS);
        g_assert_cmpmem(buf, sizeof(buf), want, sizeof(want));
    }
}

static void test_label(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    g_autofree char *most = g_strnfill(255, 'm');
    g_autofree char *more = g_strnfill(256, 'm');
    struct th *h = th_new(.multi = true, .state = path,
                          .ns = { { .size = MIB }, { .size = MIB } });
    struct th *b = th_new(.peer = h);
    struct envme_sqe s = th_sqe(ENVME_ADM_SANITIZE, 0);
    struct envme_log_sanitize log;

    th_enable(h);
    th_enable(b);
    g_assert_cmphex(caps(h, ENVME_FID_NS_ADMIN_LABEL), ==,
                    ENVME_FEAT_CAP_CHANGE | ENVME_FEAT_CAP_NS |
                    ENVME_FEAT_CAP_SAVEABLE);
    check_label(h, 1, "");
    th_assert_sc(set_label(h, 1, false, "not saved"), INVALID_FIELD);
    th_assert_sc(set_label(h, 1, true, more), INVALID_FIELD);
    th_assert_sc(set_label(h, 1, true, "\xc3("), INVALID_FIELD);
    th_assert_sc(set_label(h, UINT32_MAX, true, "all"), INVALID_FIELD);
    th_assert_sc(set_label(h, 5, true, "none"), INVALID_FIELD);
    th_assert_sc(set_label(h, 0, true, "none"), INVALID_NS);
    th_assert_sc(feat(h, true, ENVME_FID_NS_ADMIN_LABEL, 1, ENVME_FEAT_SV, 1,
                      most, 256), INVALID_FIELD);
    check_label(h, 1, "");
    th_assert_sc(set_label(h, 1, true, "B\xc3\xbc" "cher"), SUCCESS);
    th_assert_sc(set_label(b, 2, true, most), SUCCESS);
    check_label(b, 1, "B\xc3\xbc" "cher");
    check_label(h, 2, most);
    th_disable(h);
    th_enable(h);
    check_label(h, 1, "B\xc3\xbc" "cher");
    th_free(b);
    th_free(h);
    h = th_new(.state = path, .multi = true,
               .ns = { { .size = MIB }, { .size = MIB } });
    th_enable(h);
    check_label(h, 1, "B\xc3\xbc" "cher");
    check_label(h, 2, most);
    th_assert_sc(set_label(h, 2, true, ""), SUCCESS);
    check_label(h, 2, "");
    /* Sanitize resets it, and for good. */
    s.cdw10 = le32(ENVME_SANITIZE_BLOCK_ERASE);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    do {
        th_advance(h, 20 * MS);
        th_assert_sc(th_get_log(h, ENVME_LID_SANITIZE, 0, 0, &log,
                                sizeof(log), false), SUCCESS);
    } while (FIELD_GET(ENVME_SSTAT_SOS, le16_get(log.sstat)) ==
             ENVME_SOS_IN_PROGRESS);
    check_label(h, 1, "");
    th_free(h);
    h = th_new(.state = path, .multi = true, .ns = { { .size = MIB } });
    th_enable(h);
    check_label(h, 1, "");
    th_free(h);
    /* Without a state file, a namespace of the host's making. */
    h = th_new();
    th_enable(h);
    th_assert_sc(set_label(h, 1, true, "memory"), SUCCESS);
    check_label(h, 1, "memory");
    th_free(h);
    g_unlink(path);
    g_rmdir(dir);
}

/* ---- the UUID list ----------------------------------------------------- */

static void two_uuids(struct envme_ctrl_params *p)
{
    p->nuuids = 2;
    memset(p->uuid[0], 0x11, 16);
    memset(p->uuid[1], 0x22, 16);
}

static struct envme_cqe with_index(struct th *h, uint8_t opc, uint32_t cdw10,
                                   unsigned uidx)
{
    struct envme_sqe s = th_sqe(opc, 0);
    uint8_t buf[4096];

    s.cdw10 = le32(cdw10);
    s.cdw14 = le32(uidx);
    return th_cmd_data(h, 0, &s, buf, opc == ENVME_ADM_SET_FEATURES ? 0 :
                       opc == ENVME_ADM_GET_LOG ? 512 : 4096, TH_PRP);
}

static uint32_t effects(struct th *h, uint8_t opc)
{
    g_autofree struct envme_log_effects *log = g_malloc(4096);

    th_assert_sc(th_get_log(h, ENVME_LID_EFFECTS, 0, 0, log, 4096, true),
                 SUCCESS);
    return le32_get(log->acs[opc]);
}

static void test_uuids(void)
{
    static const struct { uint8_t opc; uint32_t cdw10; } t[] = {
        { ENVME_ADM_GET_LOG, ENVME_LID_SMART | 127u << 16 },
        { ENVME_ADM_IDENTIFY, ENVME_CNS_CTRL },
        { ENVME_ADM_GET_FEATURES, ENVME_FID_CTRL_META },
        { ENVME_ADM_SET_FEATURES, ENVME_FID_SW_PROGRESS },
    };
    struct th *h = th_new(.tweak = two_uuids);
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    struct envme_uuid_list list, want = { 0 };

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(le32_get(id->ctratt) & ENVME_CTRATT_ULIST, !=, 0);
    memset(&list, 0xee, sizeof(list));
    th_assert_sc(th_identify(h, ENVME_CNS_UUID_LIST, 0, &list), SUCCESS);
    memset(want.entry[0].uuid, 0x11, 16);
    memset(want.entry[1].uuid, 0x22, 16);
    g_assert_cmpmem(&list, 4096, &want, 4096);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        for (unsigned uidx = 0; uidx < 3; uidx++) {
            th_assert_sc(with_index(h, t[i].opc, t[i].cdw10, uidx), SUCCESS);
        }
        th_assert_sc(with_index(h, t[i].opc, t[i].cdw10, 3), INVALID_FIELD);
        th_assert_sc(with_index(h, t[i].opc, t[i].cdw10, 127), INVALID_FIELD);
        g_assert_cmphex(effects(h, t[i].opc) & ENVME_EFF_USS, !=, 0);
    }
    g_assert_cmphex(effects(h, ENVME_ADM_ABORT) & ENVME_EFF_USS, ==, 0);
    th_free(h);
    /* No list: the field is none. */
    h = th_new();
    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(le32_get(id->ctratt) & ENVME_CTRATT_ULIST, ==, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_UUID_LIST, 0, &list), INVALID_FIELD);
    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        th_assert_sc(with_index(h, t[i].opc, t[i].cdw10, 3), SUCCESS);
        g_assert_cmphex(effects(h, t[i].opc) & ENVME_EFF_USS, ==, 0);
    }
    th_free(h);
}

/* ---- other states of the controller ------------------------------------ */

/* Lockdown knows the features; a format and a sanitize operation, which keep
 * I/O out, do not mind what hosts leave. */
static void test_gates(void)
{
    struct th *h = th_new();
    struct envme_sqe s = th_sqe(ENVME_ADM_LOCKDOWN, 0);
    uint8_t buf[4096] = { 0 };
    uint16_t cid;

    th_enable(h);
    s.cdw10 = le32((uint32_t)ENVME_FID_NS_ADMIN_LABEL << 8 |
                   FIELD_SET(ENVME_LOCKDOWN_SCP, ENVME_LOCKDOWN_SCP_FID) |
                   ENVME_LOCKDOWN_PRHBT);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    th_assert_sc(set_label(h, 1, true, "no"), LOCKDOWN_PROHIBITED);
    /* Not there: cannot be prohibited. */
    s.cdw10 = le32((uint32_t)ENVME_FID_BP_WRITE_PROTECT << 8 |
                   FIELD_SET(ENVME_LOCKDOWN_SCP, ENVME_LOCKDOWN_SCP_FID) |
                   ENVME_LOCKDOWN_PRHBT);
    th_assert_sc(th_admin(h, &s), LOCKDOWN_UNSUPPORTED);
    h->be[0]->hold = true;
    s = th_sqe(ENVME_ADM_FORMAT, 1);
    cid = th_submit(h, 0, &s);
    th_run(h);
    th_assert_sc(set_meta(h, ENVME_FID_NS_META, 1, 0, META("1x")), SUCCESS);
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    th_assert_sc(th_wait(h, 0, cid), SUCCESS);
    check_meta(h, ENVME_FID_NS_META, 1, META("1x"));
    h->be[0]->hold = true;
    s = th_sqe(ENVME_ADM_SANITIZE, 0);
    s.cdw10 = le32(ENVME_SANITIZE_BLOCK_ERASE);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    th_assert_sc(feat(h, true, ENVME_FID_HOST_ID, 0, 0, 0, buf, 8), SUCCESS);
    th_assert_sc(set_meta(h, ENVME_FID_CTRL_META, 0, 0, META("1x")), SUCCESS);
    h->be[0]->hold = false;
    th_be_release_all(h->be[0], 0);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hostmeta/controller", test_meta_ctrl);
    g_test_add_func("/hostmeta/namespace", test_meta_ns);
    g_test_add_func("/hostmeta/enhanced", test_meta_enhanced);
    g_test_add_func("/hostmeta/bad", test_meta_bad);
    g_test_add_func("/hostmeta/progress", test_progress);
    g_test_add_func("/hostmeta/host-id", test_host_id);
    g_test_add_func("/hostmeta/ranges", test_ranges);
    g_test_add_func("/hostmeta/label", test_label);
    g_test_add_func("/hostmeta/uuids", test_uuids);
    g_test_add_func("/hostmeta/gates", test_gates);
    return g_test_run();
}
