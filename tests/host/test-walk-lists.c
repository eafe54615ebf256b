/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the controller says that it has is what it does: the lists of commands,
 * features and log pages, and the bits of Identify Controller, against the
 * commands themselves. Base 2.1, 5.1.12.1.1, 5.1.12.1.6, 5.1.13.2.1.
 */
#include "walk.h"

#include "hw/ctrl/logpage.h"

struct lists {
    struct walk w;
    struct envme_id_ctrl id;
    struct envme_log_supported lids;
    struct envme_log_effects cmds;
    struct envme_log_fid_effects fids;
    struct envme_log_mi_effects mi;
};

static void lists_log(struct lists *l, uint8_t lid, void *buf, size_t len)
{
    th_assert_sc(th_get_log(l->w.h, lid, UINT32_MAX, 0, buf, len, true),
                 SUCCESS);
}

static struct lists *lists_new(void)
{
    struct lists *l = g_new0(struct lists, 1);

    l->w = walk_new();
    th_queues(l->w.h, 1, 64);
    th_assert_sc(th_identify(l->w.h, ENVME_CNS_CTRL, 0, &l->id), SUCCESS);
    lists_log(l, ENVME_LID_SUPPORTED, &l->lids, sizeof(l->lids));
    lists_log(l, ENVME_LID_EFFECTS, &l->cmds, sizeof(l->cmds));
    lists_log(l, ENVME_LID_FID_EFFECTS, &l->fids, sizeof(l->fids));
    lists_log(l, ENVME_LID_MI_EFFECTS, &l->mi, sizeof(l->mi));
    return l;
}

static void lists_free(struct lists *l)
{
    walk_free(&l->w);
    g_free(l);
}

/* Anything but Invalid Command Opcode; all bits that are reserved somewhere
 * are set, so that nothing happens. */
static bool has_opcode(struct walk *w, uint16_t qid, uint8_t opc)
{
    struct envme_sqe s = th_sqe(opc, WALK_NS);
    struct envme_cqe c;

    s.flags = 0x3c;
    c = walk_cmd(w, qid, s, WALK_ANYWHERE);
    g_assert_cmphex(cqe_sc(&c), !=, 0);
    return cqe_sc(&c) != ENVME_SC_INVALID_OPCODE;
}

static bool has_log(struct walk *w, uint8_t lid)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, UINT32_MAX);
    struct envme_cqe c;

    /* At an offset that no page has, so that nothing is read. */
    s.cdw10 = le32(lid);
    s.cdw12 = le32(2);
    c = walk_cmd(w, 0, s, WALK_ANYWHERE);
    return cqe_sc(&c) != ENVME_SC_LOG_PAGE_INVALID;
}

static bool has_feature(struct walk *w, uint8_t fid)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, 0);
    struct envme_cqe c;

    s.cdw10 = le32(fid | FIELD_SET(ENVME_FEAT_SEL, ENVME_FEAT_SEL_CAPS));
    c = walk_cmd(w, 0, s, WALK_ANYWHERE);
    return !cqe_sc(&c);
}

static bool has_cns(struct walk *w, uint8_t cns)
{
    return w->h->ctrl->tables->cns[cns].there;
}

/* ---- lists of 256 ------------------------------------------------------ */

static void test_logs(void)
{
    struct lists *l = lists_new();

    for (unsigned i = 0; i < 256; i++) {
        uint32_t v = le32_get(l->lids.lids[i]);

        g_assert_cmpint(!!(v & ENVME_LIDS_LSUPP), ==, has_log(&l->w, i));
        if (!(v & ENVME_LIDS_LSUPP)) {
            g_assert_cmphex(v, ==, 0);
        }
    }
    lists_free(l);
}

static void test_commands(void)
{
    struct lists *l = lists_new();

    for (unsigned i = 0; i < 256; i++) {
        uint32_t a = le32_get(l->cmds.acs[i]), io = le32_get(l->cmds.iocs[i]);

        g_assert_cmpint(!!(a & ENVME_EFF_CSUPP), ==,
                        has_opcode(&l->w, 0, i));
        g_assert_cmpint(!!(io & ENVME_EFF_CSUPP), ==,
                        has_opcode(&l->w, 1, i));
        if (!(a & ENVME_EFF_CSUPP)) {
            g_assert_cmphex(a, ==, 0);
        }
        if (!(io & ENVME_EFF_CSUPP)) {
            g_assert_cmphex(io, ==, 0);
        }
    }
    lists_free(l);
}

static void test_features(void)
{
    struct lists *l = lists_new();

    for (unsigned i = 0; i < 256; i++) {
        uint32_t v = le32_get(l->fids.fid[i]);
        bool ns;

        g_assert_cmpint(!!(v & ENVME_FIDEFF_FSUPP), ==,
                        has_feature(&l->w, i));
        if (!(v & ENVME_FIDEFF_FSUPP)) {
            g_assert_cmphex(v, ==, 0);
            continue;
        }
        /* One scope, the one that the capability has. */
        ns = v & ENVME_FIDEFF_FSP_NS;
        g_assert_cmpint(ns + !!(v & ENVME_FIDEFF_FSP_CTRL) +
                        !!(v & ENVME_FIDEFF_FSP_SUBSYS) +
                        !!(v & ENVME_FIDEFF_FSP_ENDGRP), ==, 1);
        th_get_feature(l->w.h, i, 0, ENVME_FEAT_SEL_CAPS, &v);
        g_assert_cmpint(!!(v & ENVME_FEAT_CAP_NS), ==, ns);
    }
    lists_free(l);
}

/* No Management Interface: none of its commands, and nothing to send them. */
static void test_mi(void)
{
    struct lists *l = lists_new();
    bool has = has_opcode(&l->w, 0, ENVME_ADM_MI_SEND);

    for (unsigned i = 0; i < 256 && !has; i++) {
        g_assert_cmphex(le32_get(l->mi.cmd[i]), ==, 0);
    }
    lists_free(l);
}

/* ---- bits of Identify Controller --------------------------------------- */

struct bit {
    uint32_t mask;
    enum { ADM, IO, LID, FID, CNS } kind;
    uint8_t id;
};

static bool bit_has(struct walk *w, const struct bit *b)
{
    switch (b->kind) {
    case ADM:
        return has_opcode(w, 0, b->id);
    case IO:
        return has_opcode(w, 1, b->id);
    case LID:
        return has_log(w, b->id);
    case FID:
        return has_feature(w, b->id);
    default:
        return has_cns(w, b->id);
    }
}

/* Each bit that has something behind it is set where that is there, and no
 * others are set but those in rest. */
static void check_bits(struct walk *w, const char *name, uint32_t value,
                       const struct bit *b, unsigned n, uint32_t rest)
{
    for (unsigned i = 0; i < n; i++) {
        if (!(value & b[i].mask) != !bit_has(w, &b[i])) {
            g_error("%s is %x, bit %x does not fit %02x", name, value,
                    b[i].mask, b[i].id);
        }
        rest |= b[i].mask;
    }
    if (value & ~rest) {
        g_error("%s is %x: nothing is known of %x", name, value,
                value & ~rest);
    }
}

#define CHECK_BITS(w, value, rest, ...) do { \
        const struct bit b_[] = { __VA_ARGS__ }; \
        check_bits(w, #value, value, b_, G_N_ELEMENTS(b_), rest); \
    } while (0)

static void test_bits(void)
{
    struct lists *l = lists_new();
    struct walk *w = &l->w;
    uint32_t oacs = le16_get(l->id.oacs), oncs = le16_get(l->id.oncs);
    uint32_t lpa = l->id.lpa, ctratt = le32_get(l->id.ctratt);
    uint32_t nwpc = l->id.nwpc, apsta = l->id.apsta;
    uint32_t hctma = le16_get(l->id.hctma);

    CHECK_BITS(w, oacs, 0,
               { ENVME_OACS_SSRS, ADM, ENVME_ADM_SECURITY_SEND },
               { ENVME_OACS_SSRS, ADM, ENVME_ADM_SECURITY_RECV },
               { ENVME_OACS_FNVMS, ADM, ENVME_ADM_FORMAT },
               { ENVME_OACS_FWDS, ADM, ENVME_ADM_FW_COMMIT },
               { ENVME_OACS_FWDS, ADM, ENVME_ADM_FW_DOWNLOAD },
               { ENVME_OACS_NMS, ADM, ENVME_ADM_NS_MGMT },
               { ENVME_OACS_NMS, ADM, ENVME_ADM_NS_ATTACH },
               { ENVME_OACS_DSTS, ADM, ENVME_ADM_SELF_TEST },
               { ENVME_OACS_DSTS, LID, ENVME_LID_SELF_TEST },
               { ENVME_OACS_DIRS, ADM, ENVME_ADM_DIRECTIVE_SEND },
               { ENVME_OACS_DIRS, ADM, ENVME_ADM_DIRECTIVE_RECV },
               { ENVME_OACS_NSRS, ADM, ENVME_ADM_MI_SEND },
               { ENVME_OACS_NSRS, ADM, ENVME_ADM_MI_RECV },
               { ENVME_OACS_VMS, ADM, ENVME_ADM_VIRT_MGMT },
               { ENVME_OACS_VMS, CNS, ENVME_CNS_PRIMARY_CTRL },
               { ENVME_OACS_VMS, CNS, ENVME_CNS_SECONDARY_LIST },
               { ENVME_OACS_DBCS, ADM, ENVME_ADM_DBBUF },
               { ENVME_OACS_GLSS, ADM, ENVME_ADM_GET_LBA_STATUS },
               { ENVME_OACS_CFLS, ADM, ENVME_ADM_LOCKDOWN },
               { ENVME_OACS_CFLS, LID, ENVME_LID_LOCKDOWN },
               { ENVME_OACS_HMLMS, ADM, ENVME_ADM_MIGRATION_SEND },
               { ENVME_OACS_HMLMS, ADM, ENVME_ADM_MIGRATION_RECV });
    CHECK_BITS(w, oncs, ENVME_ONCS_SSFS | ENVME_ONCS_NVMCSA |
               ENVME_ONCS_NVMAFC | ENVME_ONCS_MAXWZD | ENVME_ONCS_NSZS,
               { ENVME_ONCS_NVMCMPS, IO, ENVME_NVM_COMPARE },
               { ENVME_ONCS_NVMWUSV, IO, ENVME_NVM_WRITE_UNCOR },
               { ENVME_ONCS_NVMDSMSV, IO, ENVME_NVM_DSM },
               { ENVME_ONCS_NVMWZSV, IO, ENVME_NVM_WRITE_ZEROES },
               { ENVME_ONCS_RESERVS, IO, ENVME_NVM_RESV_REGISTER },
               { ENVME_ONCS_RESERVS, IO, ENVME_NVM_RESV_REPORT },
               { ENVME_ONCS_RESERVS, IO, ENVME_NVM_RESV_ACQUIRE },
               { ENVME_ONCS_RESERVS, IO, ENVME_NVM_RESV_RELEASE },
               { ENVME_ONCS_RESERVS, LID, ENVME_LID_RESV_NOTIFICATION },
               { ENVME_ONCS_TSS, FID, ENVME_FID_TIMESTAMP },
               { ENVME_ONCS_NVMVFYS, IO, ENVME_NVM_VERIFY },
               { ENVME_ONCS_NVMCPYS, IO, ENVME_NVM_COPY });
    CHECK_BITS(w, lpa, ENVME_LPA_SMARTS | ENVME_LPA_LPEDS | ENVME_LPA_DA4S,
               { ENVME_LPA_CSES, LID, ENVME_LID_EFFECTS },
               { ENVME_LPA_TS, LID, ENVME_LID_TELEMETRY_HOST },
               { ENVME_LPA_TS, LID, ENVME_LID_TELEMETRY_CTRL },
               { ENVME_LPA_PES, LID, ENVME_LID_PERSISTENT_EVENT },
               { ENVME_LPA_MLPS, LID, ENVME_LID_SUPPORTED },
               { ENVME_LPA_MLPS, LID, ENVME_LID_FID_EFFECTS },
               { ENVME_LPA_MLPS, LID, ENVME_LID_MI_EFFECTS });
    CHECK_BITS(w, ctratt, ENVME_CTRATT_HIDS | ENVME_CTRATT_NOPSPM |
               ENVME_CTRATT_TBKAS | ENVME_CTRATT_MDS | ENVME_CTRATT_ELBAS |
               ENVME_CTRATT_MEM | ENVME_CTRATT_RHII | ENVME_CTRATT_HMBR,
               { ENVME_CTRATT_RRLVLS, FID, ENVME_FID_RRL },
               { ENVME_CTRATT_EGS, LID, ENVME_LID_ENDGRP },
               { ENVME_CTRATT_EGS, CNS, ENVME_CNS_ENDGRP_LIST },
               { ENVME_CTRATT_PLM, FID, ENVME_FID_PLM_CONFIG },
               { ENVME_CTRATT_NG, CNS, ENVME_CNS_NS_GRANULARITY },
               { ENVME_CTRATT_ULIST, CNS, ENVME_CNS_UUID_LIST },
               { ENVME_CTRATT_FDPS, FID, ENVME_FID_FDP },
               { ENVME_CTRATT_FDPS, LID, ENVME_LID_FDP_CONFIGS });
    CHECK_BITS(w, nwpc, ENVME_NWPC_WPUPCS | ENVME_NWPC_PWPS,
               { ENVME_NWPC_NWPWPS, FID, ENVME_FID_WRITE_PROTECT });
    CHECK_BITS(w, apsta, 0, { ENVME_APSTA_APSTA, FID, ENVME_FID_APST });
    CHECK_BITS(w, hctma, 0, { ENVME_HCTMA_HCTMAS, FID, ENVME_FID_HCTM });
    g_assert_cmpint(le32_get(l->id.sanicap) != 0, ==,
                    has_opcode(w, 0, ENVME_ADM_SANITIZE));
    g_assert_cmpint(le32_get(l->id.sanicap) != 0, ==,
                    has_log(w, ENVME_LID_SANITIZE));
    g_assert_cmpint(l->id.hmpre.raw != 0, ==, has_feature(w, ENVME_FID_HMB));
    g_assert_cmpint(l->id.kas.raw != 0, ==, has_feature(w, ENVME_FID_KATO));
    lists_free(l);
}

/* Whether an event may be turned on is in OAES; SMART's and telemetry's have
 * no bit there. */
static void test_events(void)
{
    struct lists *l = lists_new();
    uint32_t oaes = le32_get(l->id.oaes), v;
    const uint32_t free = ENVME_FEAT_AEC_SHCW | ENVME_FEAT_AEC_TLN;

    for (unsigned bit = 0; bit < 32; bit++) {
        struct envme_cqe c = th_set_feature(l->w.h, ENVME_FID_AEC, 0,
                                            1u << bit, false);

        if (1u << bit & ~free) {
            g_assert_cmpint(!cqe_sc(&c), ==, !!(oaes & 1u << bit));
        }
    }
    th_assert_sc(th_set_feature(l->w.h, ENVME_FID_AEC, 0, oaes, false),
                 SUCCESS);
    th_assert_sc(th_get_feature(l->w.h, ENVME_FID_AEC, 0, 0, &v), SUCCESS);
    g_assert_cmphex(v, ==, oaes);
    lists_free(l);
}

static uint16_t cmd(struct lists *l, uint16_t qid, uint8_t opc, uint32_t nsid,
                    uint32_t cdw10, uint32_t cdw12)
{
    struct envme_sqe s = th_sqe(opc, nsid);
    struct envme_cqe c;

    s.cdw10 = le32(cdw10);
    s.cdw12 = le32(cdw12);
    c = walk_cmd(&l->w, qid, s, WALK_ANYWHERE);
    return cqe_sc(&c);
}

/* Copy Descriptor Formats, of which some have to be enabled by the host. */
static void test_copy(void)
{
    struct lists *l = lists_new();
    struct envme_feat_host_behavior b = { 0 };
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);
    uint16_t ocfs = le16_get(l->id.ocfs);

    b.cdfe = le16(ocfs & (ENVME_CDFE_CDF2E | ENVME_CDFE_CDF3E));
    s.cdw10 = le32(ENVME_FID_HOST_BEHAVIOR);
    th_assert_sc(th_cmd_data(l->w.h, 0, &s, &b, sizeof(b), TH_PRP), SUCCESS);
    for (unsigned fmt = 0; fmt < 16; fmt++) {
        bool bad = cmd(l, 1, ENVME_NVM_COPY, WALK_NS, 0,
                       FIELD_SET(ENVME_COPY_DESFMT, fmt)) ==
                   ENVME_SC_INVALID_FIELD;

        g_assert_cmpint(bad, ==, !(ocfs & ENVME_OCFS_COPY(fmt)));
    }
    lists_free(l);
}

/* Sanitize takes the operations that SANICAP has. */
static void test_sanitize(void)
{
    static const uint32_t cap[8] = {
        [ENVME_SANITIZE_BLOCK_ERASE] = ENVME_SANICAP_BES,
        [ENVME_SANITIZE_OVERWRITE] = ENVME_SANICAP_OWS,
        [ENVME_SANITIZE_CRYPTO_ERASE] = ENVME_SANICAP_CES,
        [ENVME_SANITIZE_EXIT_VERIFY] = ENVME_SANICAP_VERS,
    };

    for (unsigned act = 0; act < 8; act++) {
        struct lists *l = lists_new();
        uint32_t has = le32_get(l->id.sanicap) & cap[act];

        if (act != ENVME_SANITIZE_EXIT_FAILURE &&
            act != ENVME_SANITIZE_EXIT_VERIFY) {
            g_assert_cmphex(cmd(l, 0, ENVME_ADM_SANITIZE, 0, act, 0), ==,
                            has ? 0 : ENVME_SC_INVALID_FIELD);
        }
        lists_free(l);
    }
}

/* The limits are where they are said to be. */
static void test_limits(void)
{
    struct lists *l = lists_new();
    struct th *h = l->w.h;
    uint32_t most = (4096u << l->id.mdts) / 512 - 1;
    struct envme_cqe c;
    uint16_t cid;

    g_assert_cmpuint(l->id.mdts, >, 0);
    g_assert_cmphex(cmd(l, 1, ENVME_NVM_READ, WALK_NS, 0, most), ==, 0);
    g_assert_cmphex(cmd(l, 1, ENVME_NVM_READ, WALK_NS, 0, most + 1), ==,
                    ENVME_SC_INVALID_FIELD);
    g_assert_cmphex(cmd(l, 1, ENVME_NVM_READ, le32_get(l->id.nn), 0, 0), ==,
                    ENVME_SC_INVALID_FIELD);
    g_assert_cmphex(cmd(l, 1, ENVME_NVM_READ, le32_get(l->id.nn) + 1, 0, 0),
                    ==, ENVME_SC_INVALID_NS);
    for (unsigned i = 0; i <= l->id.aerl; i++) {
        cid = th_aer(h);
        g_assert_false(th_try_wait(h, 0, cid, &c));
        th_abandon(h, 0, cid);
    }
    cid = th_aer(h);
    th_assert_sc(th_wait(h, 0, cid), AER_LIMIT);
    g_assert_cmpuint(th_r64(h, ENVME_REG_CAP) & ENVME_CAP_CSS, !=, 0);
    g_assert_cmphex(th_r32(h, ENVME_REG_VS), ==, le32_get(l->id.ver));
    lists_free(l);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walk-lists/logs", test_logs);
    g_test_add_func("/walk-lists/commands", test_commands);
    g_test_add_func("/walk-lists/features", test_features);
    g_test_add_func("/walk-lists/mi", test_mi);
    g_test_add_func("/walk-lists/bits", test_bits);
    g_test_add_func("/walk-lists/events", test_events);
    g_test_add_func("/walk-lists/copy", test_copy);
    g_test_add_func("/walk-lists/sanitize", test_sanitize);
    g_test_add_func("/walk-lists/limits", test_limits);
    return g_test_run();
}
