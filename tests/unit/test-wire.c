/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire format against libnvme's definitions, which were written by others
 * from the same specifications: sizes, offsets, values and masks. Without
 * libnvme's headers those tests are skipped and only the fixed facts, counted
 * by hand from the specification's figures, are tested.
 */
#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "envme/bytes.h"
#include "envme/cmd.h"
#include "envme/directive.h"
#include "envme/fdp.h"
#include "envme/feat.h"
#include "envme/id.h"
#include "envme/kv.h"
#include "envme/log.h"
#include "envme/nvm.h"
#include "envme/pel.h"
#include "envme/reg.h"
#include "envme/resv.h"
#include "envme/status.h"
#include "envme/zns.h"

#ifdef LIBNVME_VERSION
#include <nvme/types.h>

struct place {
    const char *ours, *theirs, *field;
    size_t our_off, our_size, their_off, their_size;
};

struct value {
    const char *ours, *theirs;
    uint64_t our, their;
};

#define STR_(x) #x
#define STR(x)  STR_(x)

/* A field of which both sides know the size, and one that is open-ended. */
#define PLACE_(o, t, f, g) \
    { STR(o), STR(t), #f, offsetof(struct o, f), \
      sizeof(((struct o *)0)->f), offsetof(struct t, g), \
      sizeof(((struct t *)0)->g) },
#define OPEN_(o, t, f, g) \
    { STR(o), STR(t), #f, offsetof(struct o, f), 0, \
      offsetof(struct t, g), 0 },
#define SIZE_(o, t) \
    { STR(o), STR(t), "sizeof", 0, sizeof(struct o), 0, sizeof(struct t) },
#define PLACE(o, t, f, g) PLACE_(o, t, f, g)
#define OPEN(o, t, f, g)  OPEN_(o, t, f, g)
#define SIZE(o, t)        SIZE_(o, t)

#define S()      SIZE(OURS, THEIRS)
#define F(f)     PLACE(OURS, THEIRS, f, f)
#define F2(f, g) PLACE(OURS, THEIRS, f, g)
#define E(f)     OPEN(OURS, THEIRS, f, f)
#define E2(f, g) OPEN(OURS, THEIRS, f, g)

static const struct place places_id[] = {
#include "wire-fields-id.h"
};

static const struct place places[] = {
#include "wire-fields.h"
};

#undef S
#undef F
#undef F2
#undef E
#undef E2

/* V: value; M: mask and shift; H: upper half of CDW12; Sn: status of type n */
#define V(o, t) { "ENVME_" #o, #t, ENVME_##o, (uint32_t)t },
#define M(o, t) \
    { "ENVME_" #o, #t, ENVME_##o, (uint64_t)t##_MASK << t##_SHIFT },
#define H(o, t) { "ENVME_" #o, #t, ENVME_##o, (uint64_t)t << 16 },
#define ST(n, o, t) \
    { "ENVME_SC_" #o, #t, ENVME_SC_##o, (n) << 8 | NVME_SC_##t },
#define S0(o, t) ST(0, o, t)
#define S1(o, t) ST(1, o, t)
#define S2(o, t) ST(2, o, t)
#define S3(o, t) ST(3, o, t)

static const struct value values[] = {
#include "wire-values.h"
};

static void check_places(const struct place *p, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (p[i].our_off != p[i].their_off ||
            p[i].our_size != p[i].their_size) {
            g_test_message("%s.%s is %zu bytes at %zu, in %s %zu at %zu",
                           p[i].ours, p[i].field, p[i].our_size, p[i].our_off,
                           p[i].theirs, p[i].their_size, p[i].their_off);
            g_test_fail();
        }
    }
    g_test_message("%zu sizes and fields compared", n);
}

static void test_identify(void)
{
    check_places(places_id, G_N_ELEMENTS(places_id));
}

static void test_structs(void)
{
    check_places(places, G_N_ELEMENTS(places));
}

static void test_values(void)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(values); i++) {
        if (values[i].our != values[i].their) {
            g_test_message("%s is %#" G_GINT64_MODIFIER "x, %s %#"
                           G_GINT64_MODIFIER "x", values[i].ours,
                           values[i].our, values[i].theirs, values[i].their);
            g_test_fail();
        }
    }
    g_test_message("%zu values compared", G_N_ELEMENTS(values));
}
#else
static void test_identify(void)
{
    g_test_skip("built without libnvme's headers");
}

static void test_structs(void)
{
    g_test_skip("built without libnvme's headers");
}

static void test_values(void)
{
    g_test_skip("built without libnvme's headers");
}
#endif

/* Bytes as they lie in guest memory, not as the compiler sees them. */
static void test_sqe_bytes(void)
{
    static const uint8_t raw[64] = {
        [0] = 0x01, [1] = 0x42, [2] = 0x34, [3] = 0x12, [4] = 0x01,
        [16] = 0x11, [24] = 0x00, [25] = 0x10, [32] = 0x00, [33] = 0x20,
        [40] = 0x88, [47] = 0x77, [48] = 0x07, [51] = 0x40,
        [60] = 0xcd, [61] = 0xab, [62] = 0xff, [63] = 0xee,
    };
    struct envme_sqe s;
    struct envme_sqe_rw rw;

    memcpy(&s, raw, sizeof(s));
    memcpy(&rw, raw, sizeof(rw));
    g_assert_cmpuint(s.opc, ==, ENVME_NVM_WRITE);
    g_assert_cmpuint(FIELD_GET(ENVME_FUSE, s.flags), ==, ENVME_FUSE_SECOND);
    g_assert_cmpuint(FIELD_GET(ENVME_PSDT, s.flags), ==, ENVME_PSDT_SGL);
    g_assert_cmphex(le16_get(s.cid), ==, 0x1234);
    g_assert_cmpuint(le32_get(s.nsid), ==, 1);
    g_assert_cmphex(le64_get(s.mptr), ==, 0x11);
    g_assert_cmphex(le64_get(s.dptr.prp1), ==, 0x1000);
    g_assert_cmphex(le64_get(s.dptr.prp2), ==, 0x2000);
    g_assert_cmphex(le32_get(s.cdw12), ==, 0x40000007);
    g_assert_cmpuint(FIELD_GET(ENVME_RW_NLB, le32_get(s.cdw12)), ==, 7);
    g_assert_cmpuint(FIELD_GET(ENVME_RW_FUA, le32_get(s.cdw12)), ==, 1);
    g_assert_cmphex(le32_get(s.cdw15), ==, 0xeeffabcd);

    g_assert_cmphex(le64_get(rw.slba), ==, UINT64_C(0x7700000000000088));
    g_assert_cmpuint(le16_get(rw.nlb), ==, 7);
    g_assert_cmphex(le16_get(rw.control), ==, ENVME_RW_FUA >> 16);
    g_assert_cmphex(le16_get(rw.lbat), ==, 0xabcd);
    g_assert_cmphex(le16_get(rw.lbatm), ==, 0xeeff);
}

static void test_cqe_bytes(void)
{
    const struct envme_cqe c = {
        .dw0 = le32(0x04030201), .sqhd = le16(0x0a09), .sqid = le16(0x0c0b),
        .cid = le16(0x0e0d),
        .sf = le16(FIELD_SET(ENVME_CQE_STATUS, ENVME_SC_COMPARE_FAILURE |
                             ENVME_SF_DNR) | ENVME_CQE_P),
    };
    static const uint8_t raw[16] = {
        1, 2, 3, 4, 0, 0, 0, 0, 9, 10, 11, 12, 13, 14, 0x0b, 0x85,
    };

    g_assert_cmpmem(&c, sizeof(c), raw, sizeof(raw));
    g_assert_cmphex(FIELD_GET(ENVME_CQE_SC, le16_get(c.sf)), ==, 0x85);
    g_assert_cmpuint(FIELD_GET(ENVME_CQE_SCT, le16_get(c.sf)), ==, 2);
    g_assert_cmphex(ENVME_CQE_DNR, ==, ENVME_SF_DNR << 1);
    g_assert_cmphex(ENVME_CQE_M, ==, ENVME_SF_M << 1);
    g_assert_cmphex(ENVME_CQE_CRD, ==, ENVME_SF_CRD << 1);
}

static void test_sgl_bytes(void)
{
    static const uint8_t raw[16] = {
        0, 0x10, 0, 0, 0, 0, 0, 0x80, 0x30, 0, 0, 0, 0, 0, 0, 0x31,
    };
    struct envme_sgl_desc d;

    memcpy(&d, raw, sizeof(d));
    g_assert_cmphex(le64_get(d.addr), ==, UINT64_C(0x8000000000001000));
    g_assert_cmpuint(le32_get(d.len), ==, 0x30);
    g_assert_cmpuint(FIELD_GET(ENVME_SGL_TYPE, d.id), ==,
                     ENVME_SGL_LAST_SEGMENT);
    g_assert_cmpuint(FIELD_GET(ENVME_SGL_SUBTYPE, d.id), ==, ENVME_SGL_OFFSET);
}

/* Fields of one word must not overlap, and the gaps are the reserved bits. */
static void check_word(const uint64_t *mask, size_t n, uint64_t all)
{
    uint64_t seen = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        g_assert_cmphex(seen & mask[i], ==, 0);
        seen |= mask[i];
    }
    g_assert_cmphex(seen, ==, all);
}

#define CHECK_WORD(all, ...) do { \
        const uint64_t m_[] = { __VA_ARGS__ }; \
        check_word(m_, G_N_ELEMENTS(m_), all); \
    } while (0)

static void test_words(void)
{
    CHECK_WORD(UINT64_C(0x3fffffffff07ffff), ENVME_CAP_MQES, ENVME_CAP_CQR,
               ENVME_CAP_AMS, ENVME_CAP_TO, ENVME_CAP_DSTRD, ENVME_CAP_NSSRS,
               ENVME_CAP_CSS, ENVME_CAP_BPS, ENVME_CAP_CPS, ENVME_CAP_MPSMIN,
               ENVME_CAP_MPSMAX, ENVME_CAP_PMRS, ENVME_CAP_CMBS,
               ENVME_CAP_NSSS, ENVME_CAP_CRMS, ENVME_CAP_NSSES);
    CHECK_WORD(0x01fffff1, ENVME_CC_EN, ENVME_CC_CSS, ENVME_CC_MPS,
               ENVME_CC_AMS, ENVME_CC_SHN, ENVME_CC_IOSQES, ENVME_CC_IOCQES,
               ENVME_CC_CRIME);
    CHECK_WORD(0x0000007f, ENVME_CSTS_RDY, ENVME_CSTS_CFS, ENVME_CSTS_SHST,
               ENVME_CSTS_NSSRO, ENVME_CSTS_PP, ENVME_CSTS_ST);
    CHECK_WORD(0xffffffff, ENVME_GETLOG_LID, ENVME_GETLOG_LSP,
               ENVME_GETLOG_RAE, ENVME_GETLOG_NUMDL);
    CHECK_WORD(0xffff0007, ENVME_CREATE_SQ_PC, ENVME_CREATE_SQ_QPRIO,
               ENVME_CREATE_SQ_CQID);
    CHECK_WORD(0xffff0003, ENVME_CREATE_CQ_PC, ENVME_CREATE_CQ_IEN,
               ENVME_CREATE_CQ_IV);
    CHECK_WORD(0x00003fff, ENVME_FORMAT_LBAFL, ENVME_FORMAT_MSET,
               ENVME_FORMAT_PI, ENVME_FORMAT_PIL, ENVME_FORMAT_SES,
               ENVME_FORMAT_LBAFU);
    CHECK_WORD(0x000007ff, ENVME_SANITIZE_SANACT, ENVME_SANITIZE_AUSE,
               ENVME_SANITIZE_OWPASS, ENVME_SANITIZE_OIPBP,
               ENVME_SANITIZE_NDAS, ENVME_SANITIZE_EMVS);
    CHECK_WORD(0xfdffffff, ENVME_RW_NLB, ENVME_RW_CETYPE, ENVME_RW_DTYPE,
               ENVME_RW_STC, ENVME_RW_PRINFO, ENVME_RW_FUA, ENVME_RW_LR);
    /* FRMW[3:1], where libnvme has [2:1] */
    CHECK_WORD(0x3f, ENVME_FRMW_FFSRO, ENVME_FRMW_NOFS, ENVME_FRMW_FAWR,
               ENVME_FRMW_SMUD);
    CHECK_WORD(ENVME_RW_PRINFO, ENVME_RW_PRACT, ENVME_RW_PRCHK);
    CHECK_WORD(ENVME_RW_PRCHK, ENVME_RW_PRCHK_REF, ENVME_RW_PRCHK_APP,
               ENVME_RW_PRCHK_GUARD);
    CHECK_WORD(0xffffffff, ENVME_COPY_NR, ENVME_COPY_DESFMT,
               ENVME_COPY_PRINFOR, ENVME_COPY_CETYPE, ENVME_COPY_DTYPE,
               ENVME_COPY_STCW, ENVME_COPY_STCR, ENVME_COPY_PRINFOW,
               ENVME_COPY_FUA, ENVME_COPY_LR);
}

static void test_kv_bytes(void)
{
    g_assert_cmpuint(offsetof(struct envme_sqe_kv, key_lo), ==,
                     offsetof(struct envme_sqe, cdw2));
    g_assert_cmpuint(offsetof(struct envme_sqe_kv, key_hi), ==,
                     offsetof(struct envme_sqe, cdw14));
    g_assert_cmpuint(offsetof(struct envme_sqe_kv, size), ==,
                     offsetof(struct envme_sqe, cdw10));
    g_assert_cmpuint(offsetof(struct envme_id_ns_kv, kvf[15]), ==, 312);
    g_assert_cmpuint(offsetof(struct envme_id_ns_kv, eui64), ==,
                     offsetof(struct envme_id_ns_kv, kvf) - 8);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wire/libnvme/identify", test_identify);
    g_test_add_func("/wire/libnvme/structs", test_structs);
    g_test_add_func("/wire/libnvme/values", test_values);
    g_test_add_func("/wire/sqe", test_sqe_bytes);
    g_test_add_func("/wire/cqe", test_cqe_bytes);
    g_test_add_func("/wire/sgl", test_sgl_bytes);
    g_test_add_func("/wire/words", test_words);
    g_test_add_func("/wire/kv", test_kv_bytes);
    return g_test_run();
}
