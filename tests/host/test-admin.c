/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identify, Get Log Page, features. Base 2.1, 5.1.
 */
#include "th.h"

static struct th *admin_host(void)
{
    struct th *h = th_new(.ns = { { .size = MIB, .write_cache = true },
                                  { .size = MIB, .lbs = 4096 },
                                  { .size = MIB, .detached = true } });

    th_enable(h);
    th_queues(h, 1, 32);
    return h;
}

/* ---- Identify ---------------------------------------------------------- */

static void test_identify_ctrl(void)
{
    struct th *h = admin_host();
    struct envme_id_ctrl *id = g_malloc(4096);

    memset(id, 0xee, 4096);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(le16_get(id->vid), ==, 0x1234);
    g_assert_cmphex(le16_get(id->ssvid), ==, 0x5678);
    g_assert_cmpmem(id->sn, 20, "HOST0001            ", 20);
    g_assert_cmpmem(id->mn, 40,
                    "envme on the fake host                  ", 40);
    g_assert_cmpmem(id->fr, 8, "1.0     ", 8);
    g_assert_cmpuint(id->mdts, ==, 7);
    g_assert_cmphex(le32_get(id->ver), ==, ENVME_VS_2_1);
    g_assert_cmpuint(id->cntrltype, ==, ENVME_CNTRLTYPE_IO);
    g_assert_cmpuint(id->acl, ==, 3);
    g_assert_cmpuint(id->aerl, ==, 3);
    g_assert_cmpuint(id->elpe, ==, 15);
    g_assert_cmphex(id->sqes, ==, 0x66);
    g_assert_cmphex(id->cqes, ==, 0x44);
    g_assert_cmpuint(le32_get(id->nn), ==, 16);
    g_assert_cmpstr(id->subnqn, ==, "nqn.2019-08.org.example:host");
    g_assert_cmphex(id->vwc & ENVME_VWC_VWCP, !=, 0);
    /* regressions 7.2 (10.0.3): alone in its subsystem */
    g_assert_cmphex(id->cmic, ==, 0);
    g_assert_cmphex(le32_get(id->ctratt) & ENVME_CTRATT_EGS, ==, 0);
    g_assert_cmpuint(le16_get(id->endgidmax), ==, 0);
    /* regressions 7.4.10: what is offered is there, and what is there is
     * offered */
    g_assert_cmphex(le16_get(id->oncs) & ENVME_ONCS_NVMVFYS, !=, 0);
    g_assert_cmphex(le16_get(id->oncs) & ENVME_ONCS_NVMCMPS, !=, 0);
    g_assert_cmphex(le16_get(id->oncs) & ENVME_ONCS_NVMDSMSV, !=, 0);
    g_assert_cmphex(le16_get(id->oncs) & ENVME_ONCS_NVMWZSV, !=, 0);
    g_assert_cmphex(le32_get(id->sgls) & ENVME_SGLS_SGLS, !=, 0);
    g_free(id);
    th_free(h);
}

/* Which optional commands OACS and ONCS promise */
static void test_caps_match(void)
{
    static const struct {
        bool oacs;
        uint16_t bit;
        uint8_t opc;
    } t[] = {
        { true, ENVME_OACS_SSRS, ENVME_ADM_SECURITY_SEND },
        { true, ENVME_OACS_FNVMS, ENVME_ADM_FORMAT },
        { true, ENVME_OACS_FWDS, ENVME_ADM_FW_COMMIT },
        { true, ENVME_OACS_NMS, ENVME_ADM_NS_MGMT },
        { true, ENVME_OACS_NMS, ENVME_ADM_NS_ATTACH },
        { true, ENVME_OACS_DSTS, ENVME_ADM_SELF_TEST },
        { true, ENVME_OACS_DIRS, ENVME_ADM_DIRECTIVE_SEND },
        { true, ENVME_OACS_VMS, ENVME_ADM_VIRT_MGMT },
        { true, ENVME_OACS_DBCS, ENVME_ADM_DBBUF },
        { true, ENVME_OACS_GLSS, ENVME_ADM_GET_LBA_STATUS },
        { true, ENVME_OACS_CFLS, ENVME_ADM_LOCKDOWN },
        { false, ENVME_ONCS_NVMCMPS, ENVME_NVM_COMPARE },
        { false, ENVME_ONCS_NVMWUSV, ENVME_NVM_WRITE_UNCOR },
        { false, ENVME_ONCS_NVMDSMSV, ENVME_NVM_DSM },
        { false, ENVME_ONCS_NVMWZSV, ENVME_NVM_WRITE_ZEROES },
        { false, ENVME_ONCS_RESERVS, ENVME_NVM_RESV_REGISTER },
        { false, ENVME_ONCS_NVMVFYS, ENVME_NVM_VERIFY },
        { false, ENVME_ONCS_NVMCPYS, ENVME_NVM_COPY },
    };
    struct th *h = admin_host();
    struct envme_log_effects *eff = g_malloc(sizeof(*eff));
    struct envme_id_ctrl *id = g_malloc(4096);
    unsigned i;

    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    th_assert_sc(th_get_log(h, ENVME_LID_EFFECTS, 0, 0, eff, sizeof(*eff),
                            false), SUCCESS);
    for (i = 0; i < G_N_ELEMENTS(t); i++) {
        uint16_t caps = le16_get(t[i].oacs ? id->oacs : id->oncs);
        le32_t e = t[i].oacs ? eff->acs[t[i].opc] : eff->iocs[t[i].opc];

        g_assert_cmpuint(!!(caps & t[i].bit), ==,
                         !!(le32_get(e) & ENVME_EFF_CSUPP));
    }
    g_free(eff);
    g_free(id);
    th_free(h);
}

static void test_identify_ns(void)
{
    struct th *h = admin_host();
    le32_t *list = g_malloc(4096);
    uint8_t *buf = g_malloc(4096), zero[4096] = { 0 };

    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, buf), SUCCESS);
    g_assert_cmpuint(le64_get(*(le64_t *)buf), ==, MIB / 512);      /* NSZE */
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 2, buf), SUCCESS);
    g_assert_cmpuint(le64_get(*(le64_t *)buf), ==, MIB / 4096);
    /* inactive: zeroes; none: an error */
    memset(buf, 0xee, 4096);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 3, buf), SUCCESS);
    g_assert_cmpmem(buf, 4096, zero, 4096);
    memset(buf, 0xee, 4096);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 16, buf), SUCCESS);
    g_assert_cmpmem(buf, 4096, zero, 4096);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 17, buf), INVALID_NS);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 0, buf), INVALID_NS);
    /* active NSIDs above the one given */
    th_assert_sc(th_identify(h, ENVME_CNS_NS_LIST, 0, list), SUCCESS);
    g_assert_cmpuint(le32_get(list[0]), ==, 1);
    g_assert_cmpuint(le32_get(list[1]), ==, 2);
    g_assert_cmpuint(le32_get(list[2]), ==, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_LIST, 1, list), SUCCESS);
    g_assert_cmpuint(le32_get(list[0]), ==, 2);
    g_assert_cmpuint(le32_get(list[1]), ==, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_LIST, 0xfffffffd, list), SUCCESS);
    g_assert_cmpuint(le32_get(list[0]), ==, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_LIST, 0xfffffffe, list),
                 INVALID_NS);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_LIST, UINT32_MAX, list),
                 INVALID_NS);
    /* allocated ones: the detached one too */
    th_assert_sc(th_identify(h, ENVME_CNS_ALLOC_NS_LIST, 0, list), SUCCESS);
    g_assert_cmpuint(le32_get(list[2]), ==, 3);
    g_assert_cmpuint(le32_get(list[3]), ==, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_ALLOC_NS, 3, buf), SUCCESS);
    g_assert_cmpuint(le64_get(*(le64_t *)buf), ==, MIB / 512);
    /* descriptors: EUI64, NGUID, UUID, CSI, each once; then nothing */
    memset(buf, 0xee, 4096);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_DESCS, 1, buf), SUCCESS);
    {
        unsigned seen = 0, at = 0;

        while (buf[at + 1]) {
            g_assert_cmpuint(buf[at], >=, 1);
            g_assert_cmpuint(buf[at], <=, 4);
            seen |= 1u << buf[at];
            at += 4 + buf[at + 1];
            g_assert_cmpuint(at, <, 4096 - 4);
        }
        g_assert_cmphex(seen, ==, 0x1e);
        g_assert_cmpmem(buf + at, 4096 - at, zero, 4096 - at);
    }
    th_assert_sc(th_identify(h, ENVME_CNS_NS_DESCS, 3, buf), INVALID_FIELD);
    g_free(list);
    g_free(buf);
    th_free(h);
}

/* Each CNS there is, and each there is not: all bytes come back */
static void test_every_cns(void)
{
    static const uint32_t nsids[] = { 0, 1, 3, 9, 17, UINT32_MAX };
    struct th *h = admin_host();
    uint8_t *a = g_malloc(4096), *b = g_malloc(4096);
    unsigned cns, i, csi, ok = 0;

    for (cns = 0; cns < 256; cns++) {
        for (i = 0; i < G_N_ELEMENTS(nsids); i++) {
            for (csi = 0; csi < 4; csi++) {
                struct envme_cqe c, d;

                memset(a, 0x11, 4096);
                memset(b, 0xee, 4096);
                c = th_identify_csi(h, cns, nsids[i], 0, csi, a);
                d = th_identify_csi(h, cns, nsids[i], 0, csi, b);
                g_assert_cmpuint(cqe_sc(&c), ==, cqe_sc(&d));
                if (cqe_sc(&c)) {
                    /* not a byte written */
                    g_assert_cmphex(a[0], ==, 0x11);
                    continue;
                }
                g_assert_cmpmem(a, 4096, b, 4096);
                ok++;
            }
        }
        if (!envme_tables.cns[cns].there) {
            th_assert_sc(th_identify(h, cns, 1, a), INVALID_FIELD);
        }
    }
    g_assert_cmpuint(ok, >, 10);
    /* The ones that issue 2 asks for */
    for (cns = 0; cns < 9; cns++) {
        g_assert_true(cns == 4 || envme_tables.cns[cns].there);
    }
    g_assert_true(envme_tables.cns[0x10].there && envme_tables.cns[0x11].there
                  && envme_tables.cns[0x12].there &&
                  envme_tables.cns[0x13].there && envme_tables.cns[0x16].there
                  && envme_tables.cns[0x1c].there);
    g_free(a);
    g_free(b);
    th_free(h);
}

/* Its buffer at the end of memory, in pieces, in the void */
static void test_identify_pointers(void)
{
    struct th *h = admin_host();
    struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);
    uint64_t a = th_alloc(h, 4096), b = th_alloc_scattered(h);
    uint8_t *id = g_malloc(4096);

    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    s.cdw10 = le32(ENVME_CNS_CTRL);
    s.dptr.prp1 = le64(a + 2048);
    s.dptr.prp2 = le64(b);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    g_assert_cmpmem(th_mem(h, a + 2048, 2048), 2048, id, 2048);
    g_assert_cmpmem(th_mem(h, b, 2048), 2048, id + 2048, 2048);
    s.dptr.prp2 = le64(TH_VOID_BASE);
    th_assert_sc(th_admin(h, &s), DATA_XFER_ERROR);
    s.dptr.prp2 = le64(b + 4);
    th_assert_sc(th_admin(h, &s), PRP_OFFSET_INVALID);
    s.dptr.prp1 = le64(TH_MMIO_BASE);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    g_assert_cmpmem(th_mem(h, TH_MMIO_BASE, 4096), 4096, id, 4096);
    g_free(id);
    th_free(h);
}

/* ---- Get Log Page ------------------------------------------------------ */

/* regressions 7.1 CVE-2021-3947 and 7.6 (b): every LID, offset, length; every
 * byte that comes back is the log's own. */
static void test_every_log(void)
{
    static const uint64_t far[] = {
        4096, 1ull << 20, (1ull << 32) - 4, 1ull << 32, 1ull << 63,
        UINT64_MAX - 3,
    };
    struct th *h = admin_host();
    uint8_t *a = g_malloc(65536), *b = g_malloc(65536), *all = g_malloc(65536);
    unsigned lid, i, there = 0;
    uint64_t len, off, size;

    for (lid = 0; lid < 256; lid++) {
        struct envme_cqe c = th_get_log(h, lid, UINT32_MAX, 0, a, 4, true);
        static const uint16_t lens[] = { 4, 8, 64, 512, 516, 4096, 4100 };

        if (cqe_sc(&c) == ENVME_SC_LOG_PAGE_INVALID) {
            continue;
        }
        if (lid == ENVME_LID_TELEMETRY_HOST ||
            lid == ENVME_LID_TELEMETRY_CTRL) {
            /* In whole blocks only: test-telemetry.c */
            th_assert_sc(c, INVALID_FIELD);
            there++;
            continue;
        }
        if (lid == ENVME_LID_PERSISTENT_EVENT) {
            /* With a context only: test-pel.c */
            th_assert_sc(c, SEQUENCE_ERROR);
            there++;
            continue;
        }
        th_assert_sc(c, SUCCESS);
        there++;
        /* All of it and more: twice, over other poison. */
        memset(all, 0x11, 65536);
        th_assert_sc(th_get_log(h, lid, UINT32_MAX, 0, all, 65536, true),
                     SUCCESS);
        memset(b, 0xee, 65536);
        th_assert_sc(th_get_log(h, lid, UINT32_MAX, 0, b, 65536, true),
                     SUCCESS);
        /* The error log may have grown by none of this. */
        g_assert_cmpmem(all, 65536, b, 65536);
        for (i = 0; i < G_N_ELEMENTS(lens); i++) {
            len = lens[i];
            for (off = 0; off <= 8192; off += off < 1024 ? 508 : 3072) {
                memset(a, 0xee, 65536);
                c = th_get_log(h, lid, UINT32_MAX, off, a, len, true);
                if (cqe_sc(&c)) {
                    /* beyond the end of the page */
                    th_assert_sc(c, INVALID_FIELD);
                    g_assert_cmphex(a[0], ==, 0xee);
                    /* it changed the error log */
                    th_get_log(h, lid, UINT32_MAX, 0, all, 65536, true);
                    continue;
                }
                g_assert_cmpmem(a, len, all + off, len);
            }
        }
        /* dword offsets only */
        for (i = 1; i < 4; i++) {
            th_assert_sc(th_get_log(h, lid, UINT32_MAX, i, a, 64, true),
                         INVALID_FIELD);
        }
        for (i = 0; i < G_N_ELEMENTS(far); i++) {
            c = th_get_log(h, lid, UINT32_MAX, far[i], a, 4096, true);
            if (far[i] >= 1ull << 20) {
                th_assert_sc(c, INVALID_FIELD);
            }
        }
        /* at the end: where does it end? */
        for (size = 0; size < 65536; size += 4) {
            c = th_get_log(h, lid, UINT32_MAX, size, a, 4, true);
            if (cqe_sc(&c)) {
                break;
            }
            if (size > 8192) {
                size += 4092;
            }
        }
    }
    g_assert_cmpuint(there, >=, 5);
    /* regressions 7.4.11 */
    th_assert_sc(th_get_log(h, 0xee, UINT32_MAX, 0, a, 4, true),
                 LOG_PAGE_INVALID);
    g_free(a);
    g_free(b);
    g_free(all);
    th_free(h);
}

/* EXAMPLES: the length is computed in full width before anything is masked */
static void test_log_lengths(void)
{
    struct th *h = admin_host();
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, UINT32_MAX);
    struct envme_cqe c;
    uint64_t a = th_alloc(h, 4096);

    s.dptr.prp1 = le64(a);
    s.dptr.prp2 = le64(a + 4096);
    /* 16 GiB: an error, or cut; nothing written past the log itself */
    s.cdw10 = le32(0xffff0000u | ENVME_LID_SMART);
    s.cdw11 = le32(0xffff);
    c = th_admin(h, &s);
    g_assert_cmpuint(cqe_sc(&c), !=, 0);
    /* NUMD + 1 wraps 16 bits: 256 KiB, and no list for so much */
    s.cdw10 = le32(0xffff0000u | ENVME_LID_SMART);
    s.cdw11 = le32(0);
    s.dptr.prp2 = le64(TH_VOID_BASE);
    th_assert_sc(th_admin(h, &s), DATA_XFER_ERROR);
    /* 512 KiB is MDTS; 4 bytes more is not. */
    s.cdw10 = le32(0xffff0000u | ENVME_LID_SMART);
    s.cdw11 = le32(1);
    th_assert_sc(th_admin(h, &s), DATA_XFER_ERROR);
    s.cdw10 = le32(ENVME_LID_SMART);
    s.cdw11 = le32(2);
    th_assert_sc(th_admin(h, &s), INVALID_FIELD);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
    th_free(h);
}

static void test_smart(void)
{
    struct th *h = admin_host();
    struct envme_log_smart smart;
    unsigned i;

    for (i = 0; i < 20; i++) {
        th_assert_sc(th_read(h, .nlb = 100), SUCCESS);
        th_assert_sc(th_write(h, .nlb = 50), SUCCESS);
    }
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 0, &smart, 512,
                            false), SUCCESS);
    /* in thousands of 512 bytes, rounded up */
    g_assert_cmpuint(smart.dur[0], ==, 2);
    g_assert_cmpuint(smart.duw[0], ==, 1);
    g_assert_cmpuint(smart.hrc[0], ==, 20);
    g_assert_cmpuint(smart.hwc[0], ==, 20);
    g_assert_cmpuint(smart.cw, ==, 0);
    g_assert_cmpuint(smart.ctemp[0] | smart.ctemp[1] << 8, >, 273);
    /* errors are entries of the log */
    th_assert_sc(th_read(h, .slba = 1ull << 40), LBA_RANGE);
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 0, &smart, 512,
                            false), SUCCESS);
    g_assert_cmpuint(smart.neile[0], ==, 1);
    g_assert_cmpuint(smart.mdie[0], ==, 0);
    th_free(h);
}

/* ---- features ---------------------------------------------------------- */

static void test_features_every(void)
{
    static const uint8_t mandatory[] = {
        ENVME_FID_ARBITRATION, ENVME_FID_POWER_MGMT, ENVME_FID_TEMP_THRESH,
        ENVME_FID_NUM_QUEUES, ENVME_FID_IRQ_COALESCE, ENVME_FID_IRQ_CONFIG,
        ENVME_FID_WRITE_ATOMIC, ENVME_FID_AEC, ENVME_FID_ERROR_RECOVERY,
        ENVME_FID_VWC,
    };
    struct th *h = admin_host();
    uint32_t caps, v, w;
    unsigned fid, i;

    for (i = 0; i < G_N_ELEMENTS(mandatory); i++) {
        fid = mandatory[i];
        th_assert_sc(th_get_feature(h, fid, 1, ENVME_FEAT_SEL_CAPS, &caps),
                     SUCCESS);
    }
    for (fid = 0; fid < 256; fid++) {
        struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, 1);
        struct envme_cqe c;
        uint8_t data[4096];

        s.cdw10 = le32(fid | (uint32_t)FIELD_SET(ENVME_FEAT_SEL,
                                                 ENVME_FEAT_SEL_CAPS));
        c = th_admin(h, &s);
        if (cqe_sc(&c)) {
            th_assert_sc(c, INVALID_FIELD);
            th_assert_sc(th_set_feature(h, fid, 1, 0, false), INVALID_FIELD);
            continue;
        }
        caps = le32_get(c.dw0);
        /* current, default, saved, and a reserved way to ask */
        for (i = 0; i < 3; i++) {
            s.cdw10 = le32(fid | (uint32_t)FIELD_SET(ENVME_FEAT_SEL, i));
            c = th_cmd_data(h, 0, &s, data, 4096, TH_PRP);
            g_assert_cmpuint(cqe_sc(&c), ==, 0);
        }
        for (i = 4; i < 8; i++) {
            s.cdw10 = le32(fid | (uint32_t)FIELD_SET(ENVME_FEAT_SEL, i));
            c = th_cmd_data(h, 0, &s, data, 4096, TH_PRP);
            th_assert_sc(c, INVALID_FIELD);
        }
        if (!(caps & ENVME_FEAT_CAP_SAVEABLE)) {
            th_assert_sc(th_set_feature(h, fid, 1, 0, true), FID_NOT_SAVEABLE);
        }
        if (!(caps & ENVME_FEAT_CAP_CHANGE)) {
            struct envme_sqe set = th_sqe(ENVME_ADM_SET_FEATURES, 1);

            set.cdw10 = le32(fid);
            th_assert_sc(th_cmd_data(h, 0, &set, data, 4096, TH_PRP),
                         FEAT_NOT_CHANGEABLE);
        }
    }
    /* Number of Queues counts in both directions and from 0. */
    th_assert_sc(th_get_feature(h, ENVME_FID_NUM_QUEUES, 0, 0, &v), SUCCESS);
    th_assert_sc(th_get_feature(h, ENVME_FID_NUM_QUEUES, 0, 1, &w), SUCCESS);
    g_assert_cmphex(v, ==, 63u << 16 | 63);
    th_free(h);
}

static void test_num_queues(void)
{
    struct th *h = th_new();
    uint32_t v;
    struct envme_cqe c;

    th_enable(h);
    c = th_set_feature(h, ENVME_FID_NUM_QUEUES, 0, 3u << 16 | 7, false);
    th_assert_sc(c, SUCCESS);
    v = le32_get(c.dw0);
    g_assert_cmpuint(v & 0xffff, >=, 7);
    g_assert_cmpuint(v >> 16, >=, 3);
    g_assert_cmpuint(v & 0xffff, <=, 63);
    /* more than there are: what there is */
    c = th_set_feature(h, ENVME_FID_NUM_QUEUES, 0, 0xfffefffe, false);
    th_assert_sc(c, SUCCESS);
    g_assert_cmphex(le32_get(c.dw0), ==, 63u << 16 | 63);
    /* 65,536 is not a number of queues */
    th_assert_sc(th_set_feature(h, ENVME_FID_NUM_QUEUES, 0, 0xffff, false),
                 INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_NUM_QUEUES, 0, 0xffff0000,
                                false), INVALID_FIELD);
    /* not once there are queues */
    th_queues(h, 1, 8);
    th_assert_sc(th_set_feature(h, ENVME_FID_NUM_QUEUES, 0, 0x00030003,
                                false), SEQUENCE_ERROR);
    th_free(h);
}

/* regressions 7.4.14: values go back to their defaults at a reset */
static void test_features_reset(void)
{
    static const struct {
        uint8_t fid;
        uint32_t nsid, v;
    } t[] = {
        { ENVME_FID_ARBITRATION, 0, 0x01020305 },
        { ENVME_FID_TEMP_THRESH, 0, 0x0150 },
        { ENVME_FID_IRQ_COALESCE, 0, 0x0507 },
        { ENVME_FID_AEC, 0, ENVME_FEAT_AEC_NSAN },
        { ENVME_FID_WRITE_ATOMIC, 0, 1 },
        { ENVME_FID_VWC, 0, 0 },
    };
    static const enum envme_reset kinds[] = {
        ENVME_RESET_CC, ENVME_RESET_FUNCTION, ENVME_RESET_NSSR,
    };
    struct th *h = admin_host();
    uint32_t dflt[G_N_ELEMENTS(t)], v;
    unsigned i, k;

    for (i = 0; i < G_N_ELEMENTS(t); i++) {
        th_assert_sc(th_get_feature(h, t[i].fid, t[i].nsid, 1, &dflt[i]),
                     SUCCESS);
    }
    for (k = 0; k < 3; k++) {
        for (i = 0; i < G_N_ELEMENTS(t); i++) {
            th_assert_sc(th_get_feature(h, t[i].fid, t[i].nsid, 0, &v),
                         SUCCESS);
            g_assert_cmphex(v, ==, dflt[i]);
            th_assert_sc(th_set_feature(h, t[i].fid, t[i].nsid, t[i].v,
                                        false), SUCCESS);
            th_assert_sc(th_get_feature(h, t[i].fid, t[i].nsid, 0, &v),
                         SUCCESS);
            g_assert_cmphex(v, ==, t[i].v);
            th_assert_sc(th_get_feature(h, t[i].fid, t[i].nsid, 1, &v),
                         SUCCESS);
            g_assert_cmphex(v, ==, dflt[i]);
        }
        if (kinds[k] == ENVME_RESET_CC) {
            th_disable(h);
        } else {
            th_reset(h, kinds[k]);
        }
        th_enable(h);
    }
    th_free(h);
}

static void test_timestamp(void)
{
    struct th *h = admin_host();
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, 0);
    struct envme_cqe c;
    uint64_t t[2];
    le64_t raw;

    s.cdw10 = le32(ENVME_FID_TIMESTAMP);
    c = th_cmd_data(h, 0, &s, &t[0], 8, TH_PRP);
    if (cqe_sc(&c)) {
        th_assert_sc(c, INVALID_FIELD);
        g_test_skip("no timestamp feature");
        th_free(h);
        return;
    }
    s.opc = ENVME_ADM_SET_FEATURES;
    raw = le64(0x123456789ab);
    th_assert_sc(th_cmd_data(h, 0, &s, &raw, 8, TH_PRP), SUCCESS);
    th_advance(h, 5 * 1000000000ull);
    s.opc = ENVME_ADM_GET_FEATURES;
    th_assert_sc(th_cmd_data(h, 0, &s, &raw, 8, TH_PRP | TH_OFFSET), SUCCESS);
    g_assert_cmpuint(le64_get(raw) & 0xffffffffffffull, >=,
                     0x123456789ab + 5000);
    g_assert_cmpuint(le64_get(raw) & 0xffffffffffffull, <,
                     0x123456789ab + 5100);
    th_free(h);
}

static void test_vwc(void)
{
    struct th *h = admin_host();
    uint32_t v;

    th_assert_sc(th_get_feature(h, ENVME_FID_VWC, 0, 0, &v), SUCCESS);
    g_assert_cmpuint(v, ==, 1);
    th_assert_sc(th_set_feature(h, ENVME_FID_VWC, 0, 0, false), SUCCESS);
    g_assert_false(h->be[0]->cache_on);
    th_assert_sc(th_set_feature(h, ENVME_FID_VWC, 0, 1, false), SUCCESS);
    g_assert_true(h->be[0]->cache_on);
    th_assert_sc(th_set_feature(h, ENVME_FID_VWC, 0, 2, false),
                 INVALID_FIELD);
    th_free(h);
}

/* Admin commands while all the admin CQ's slots but one are AERs: they hold
 * none (EXAMPLES). */
static void tweak_aerl(struct envme_ctrl_params *p)
{
    p->aerl = 15;
}

static void test_small_admin_queue(void)
{
    struct th *h = th_new(.tweak = tweak_aerl);
    unsigned i;

    g_assert_true(th_enable_as(h, TH_CC_DEFAULT, 4, 2));
    for (i = 0; i < 10; i++) {
        th_aer(h);
        /* The entry is free again as soon as it was fetched, which the host
         * hears from the next completion. */
        th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, NULL), SUCCESS);
    }
    th_run(h);
    g_assert_cmpuint(th_cq_slots_free(h, 0), ==, 1);
    th_free(h);
}

/* regressions 7.6 (i), (h): all bits set everywhere, in each command */
static void test_all_ones(void)
{
    struct th *h = admin_host();
    struct envme_sqe s;
    unsigned opc, i;

    for (opc = 0; opc < 256; opc++) {
        for (i = 0; i < 12; i++) {
            uint32_t v = i & 1 ? UINT32_MAX : 0x80000001u;

            s = th_sqe(opc, i % 3 == 0 ? UINT32_MAX : i % 3);
            s.dptr.prp1 = le64(i & 2 ? UINT64_MAX : TH_BAR_BASE);
            s.dptr.prp2 = le64(i & 4 ? UINT64_MAX : 0);
            s.cdw10 = le32(i & 8 ? v : 0);
            s.cdw11 = s.cdw12 = s.cdw13 = s.cdw14 = s.cdw15 = le32(v);
            s.mptr = le64(UINT64_MAX);
            s.flags = i == 11 ? 0xff : 0;
            if (opc != ENVME_ADM_AER) {
                th_admin(h, &s);
            }
            th_io(h, 1, &s);
        }
    }
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    th_assert_sc(th_read(h), SUCCESS);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/admin/regression-10.0.3-identify-ctrl",
                    test_identify_ctrl);
    g_test_add_func("/admin/regression-7.4.10-caps", test_caps_match);
    g_test_add_func("/admin/identify-ns", test_identify_ns);
    g_test_add_func("/admin/every-cns", test_every_cns);
    g_test_add_func("/admin/identify-pointers", test_identify_pointers);
    g_test_add_func("/admin/regression-CVE-2021-3947-every-log",
                    test_every_log);
    g_test_add_func("/admin/log-lengths", test_log_lengths);
    g_test_add_func("/admin/smart", test_smart);
    g_test_add_func("/admin/features-every", test_features_every);
    g_test_add_func("/admin/num-queues", test_num_queues);
    g_test_add_func("/admin/regression-7.4.14-features-reset",
                    test_features_reset);
    g_test_add_func("/admin/timestamp", test_timestamp);
    g_test_add_func("/admin/vwc", test_vwc);
    g_test_add_func("/admin/small-admin-queue", test_small_admin_queue);
    g_test_add_func("/admin/regression-7.6-all-ones", test_all_ones);
    return g_test_run();
}
