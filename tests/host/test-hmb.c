/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Memory Buffer, feature 0Dh: what is refused, what is put into it and
 * comes back by telemetry, and that it is let alone when it is not ours. Base
 * 2.1, 5.1.25.2.3, 8.2.4.
 */
#include "th.h"

#define PAGE   4096u
#define HMPRE  64u
#define HMMIN  8u
#define RECORD 64u

static void with_hmb(struct envme_ctrl_params *p)
{
    p->hmpre = HMPRE;
    p->hmmin = HMMIN;
}

static void tiny(struct envme_ctrl_params *p)
{
    p->hmpre = 4;
    p->hmmin = 0;
}

struct range {
    uint64_t addr;
    uint32_t pages;
};

/* The descriptor list of a test: one page of guest memory. */
struct list {
    uint64_t addr;
    uint32_t n, hsize;
};

static struct list list_of(struct th *h, const struct range *r, unsigned n)
{
    struct list l = { .addr = th_alloc(h, PAGE), .n = n };
    struct envme_hmb_entry *e = th_mem(h, l.addr, PAGE);

    for (unsigned i = 0; i < n; i++) {
        e[i].badd = le64(r[i].addr);
        e[i].bsize = le32(r[i].pages);
        l.hsize += r[i].pages;
    }
    return l;
}

#define LIST(h, ...)                                                          \
    list_of(h, (const struct range[]){ __VA_ARGS__ },                         \
            G_N_ELEMENTS(((const struct range[]){ __VA_ARGS__ })))

static struct envme_cqe set(struct th *h, uint32_t flags, const struct list *l)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);

    s.cdw10 = le32(ENVME_FID_HMB);
    s.cdw11 = le32(flags);
    if (l) {
        s.cdw12 = le32(l->hsize);
        s.cdw13 = le32(l->addr);
        s.cdw14 = le32(l->addr >> 32);
        s.cdw15 = le32(l->n);
    }
    return th_admin(h, &s);
}

static struct envme_cqe enable(struct th *h, const struct list *l)
{
    return set(h, ENVME_FEAT_HMB_EHM, l);
}

static struct envme_cqe disable(struct th *h)
{
    return set(h, 0, NULL);
}

static struct envme_feat_hmb get(struct th *h, uint32_t *dw0)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, 0);
    struct envme_feat_hmb a;
    struct envme_cqe c;

    memset(&a, 0xee, sizeof(a));
    s.cdw10 = le32(ENVME_FID_HMB);
    c = th_cmd_data(h, 0, &s, &a, sizeof(a), TH_PRP);
    th_assert_sc(c, SUCCESS);
    *dw0 = le32_get(c.dw0);
    return a;
}

static void check_off(struct th *h)
{
    static const struct envme_feat_hmb zero;
    struct envme_feat_hmb a;
    uint32_t dw0;

    a = get(h, &dw0);
    g_assert_cmphex(dw0, ==, 0);
    g_assert_cmpmem(&a, sizeof(a), &zero, sizeof(zero));
}

/* ---- telemetry --------------------------------------------------------- */

static struct envme_cqe get_telemetry(struct th *h, uint8_t lid, unsigned lsp,
                                      uint64_t off, void *buf, size_t len)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, 0);

    s.cdw10 = le32(lid | lsp << 8 | 1u << 15 | (uint32_t)(len / 4 - 1) << 16);
    s.cdw12 = le32(off);
    return th_cmd_data(h, 0, &s, buf, len, TH_PRP);
}

/* The text of area 3; a capture is made first. */
static char *telemetry(struct th *h, uint8_t lid)
{
    struct envme_log_telemetry t;
    GString *s = g_string_new(NULL);
    char block[512];

    th_assert_sc(get_telemetry(h, lid, lid == ENVME_LID_TELEMETRY_HOST, 0, &t,
                               512), SUCCESS);
    for (unsigned i = le16_get(t.dalb2); i < le16_get(t.dalb3); i++) {
        th_assert_sc(get_telemetry(h, lid, 0, 512 + i * 512ull, block, 512),
                     SUCCESS);
        g_string_append_len(s, block, strnlen(block, 512));
    }
    return g_string_free(s, FALSE);
}

/* The next report is captured, for the last one has been read. */
static void ready_to_report(struct th *h)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, 0);
    uint8_t buf[512];

    s.cdw10 = le32(ENVME_LID_TELEMETRY_CTRL | 127u << 16);
    th_assert_sc(th_cmd_data(h, 0, &s, buf, 512, TH_PRP), SUCCESS);
}

static uint64_t number(const char *text, const char *name)
{
    g_autofree char *key = g_strdup_printf("\"%s\":", name);
    const char *p = strstr(text, key);

    g_assert_nonnull(p);
    return g_ascii_strtoull(p + strlen(key), NULL, 10);
}

static unsigned traced(const char *text)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, "{\"n\":")); p++) {
        n += strstr(p, "\"cdw10\"") != NULL && strstr(p, "\"ns\":") != NULL;
    }
    return n;
}

/* Entries of the trace with this opcode. */
static unsigned traced_opcode(const char *text, unsigned opc)
{
    g_autofree char *key = g_strdup_printf(",\"opcode\":%u,\"cid\":", opc);
    const char *p = strstr(text, "\"hmb_trace\"");
    unsigned n = 0;

    for (; p && (p = strstr(p, key)); p++) {
        n++;
    }
    return n;
}

static void check(struct th *h, uint64_t bad, unsigned least)
{
    g_autofree char *t = telemetry(h, ENVME_LID_TELEMETRY_HOST);

    g_assert_cmpuint(number(t, "hmb_on"), ==, 1);
    g_assert_cmpuint(number(t, "hmb_bad"), ==, bad);
    g_assert_cmpuint(traced_opcode(t, ENVME_ADM_GET_LOG), >=, least);
}

/* ---- tests ------------------------------------------------------------- */

static void test_identify(void)
{
    struct th *h = th_new(.tweak = with_hmb);
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    struct list l;

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmpuint(le32_get(id->hmpre), ==, HMPRE);
    g_assert_cmpuint(le32_get(id->hmmin), ==, HMMIN);
    g_assert_cmpuint(le32_get(id->hmminds), ==, 4);
    g_assert_cmpuint(le16_get(id->hmmaxd), ==, 64);
    g_assert_cmphex(le32_get(id->ctratt) & ENVME_CTRATT_HMBR, ==, 0);
    check_off(h);
    th_free(h);
    /* Not there. */
    h = th_new();
    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmpuint(le32_get(id->hmpre), ==, 0);
    g_assert_cmpuint(le32_get(id->hmmin), ==, 0);
    g_assert_cmpuint(le32_get(id->hmminds), ==, 0);
    g_assert_cmpuint(le16_get(id->hmmaxd), ==, 0);
    l = LIST(h, { th_alloc(h, 16 * PAGE), 16 });
    th_assert_sc(enable(h, &l), INVALID_FIELD);
    th_assert_sc(disable(h), INVALID_FIELD);
    th_free(h);
}

static void test_use(void)
{
    struct th *h = th_new(.tweak = with_hmb);
    uint64_t a = th_alloc(h, 8 * PAGE), b = th_alloc(h, 4 * PAGE);
    struct list l = LIST(h, { a, 8 }, { b, 4 });
    struct envme_feat_hmb attr;
    struct envme_cqe c;
    uint32_t dw0, v;
    char *t;

    th_enable(h);
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_assert_null(strstr(t, "hmb_on"));
    g_free(t);
    c = enable(h, &l);
    th_assert_sc(c, SUCCESS);
    attr = get(h, &dw0);
    g_assert_cmphex(dw0, ==, ENVME_FEAT_HMB_EHM);
    g_assert_cmpuint(le32_get(attr.hsize), ==, 12);
    g_assert_cmphex(le32_get(attr.hmdlal), ==, l.addr);
    g_assert_cmphex(le32_get(attr.hmdlau), ==, 0);
    g_assert_cmpuint(le32_get(attr.hmdlec), ==, 2);
    for (unsigned i = 0; i < sizeof(attr.rsvd16); i++) {
        g_assert_cmphex(attr.rsvd16[i], ==, 0);
    }
    th_assert_sc(th_get_feature(h, ENVME_FID_HMB, 0, ENVME_FEAT_SEL_CAPS, &v),
                 SUCCESS);
    g_assert_cmphex(v, ==, ENVME_FEAT_CAP_CHANGE);
    /* That Get Features command is the first of the ring. */
    g_assert_cmphex(((uint8_t *)th_mem(h, a, 8))[4], ==,
                    ENVME_ADM_GET_FEATURES);
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_assert_cmpuint(number(t, "hmb_on"), ==, 1);
    g_assert_cmpuint(number(t, "hmb_records"), ==, 12 * PAGE / RECORD);
    g_assert_cmpuint(number(t, "hmb_written"), ==, 3);
    g_assert_cmpuint(number(t, "hmb_bad"), ==, 0);
    g_assert_cmpuint(number(t, "hmb_lost"), ==, 0);
    g_assert_cmpuint(traced(t), >=, 3);
    g_assert_cmpuint(traced_opcode(t, ENVME_ADM_GET_FEATURES), ==, 2);
    g_assert_cmpuint(traced_opcode(t, ENVME_ADM_GET_LOG), ==, 1);
    g_free(t);
    /* Through both ranges, and over the end of the ring. */
    for (unsigned i = 0; i < 2 * 12 * PAGE / RECORD; i++) {
        th_assert_sc(th_get_feature(h, ENVME_FID_ARBITRATION, 0, 0, &v),
                     SUCCESS);
    }
    g_assert_cmphex(((uint8_t *)th_mem(h, b, 8))[4], ==,
                    ENVME_ADM_GET_FEATURES);
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_assert_cmpuint(number(t, "hmb_bad"), ==, 0);
    g_assert_cmpuint(traced_opcode(t, ENVME_ADM_GET_FEATURES) +
                     traced_opcode(t, ENVME_ADM_GET_LOG), ==, 256);
    g_free(t);
    th_assert_sc(disable(h), SUCCESS);
    check_off(h);
    g_assert_cmpuint(atomic_load(&h->notes), ==, 0);
    th_free(h);
}

/* Nobody else's memory: after a refusal, and when it is off. */
static void check_untouched(struct th *h, uint64_t addr, uint64_t len)
{
    uint8_t *m = th_mem(h, addr, len);
    uint32_t v;
    char *t;

    memset(m, 0x5a, len);
    for (unsigned i = 0; i < 20; i++) {
        th_assert_sc(th_get_feature(h, ENVME_FID_ARBITRATION, 0, 0, &v),
                     SUCCESS);
    }
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_free(t);
    ready_to_report(h);
    envme_telemetry_report(h->ctrl, "a test");
    for (uint64_t i = 0; i < len; i++) {
        g_assert_cmphex(m[i], ==, 0x5a);
    }
}

static void test_refused(void)
{
    struct th *h = th_new(.tweak = with_hmb);
    uint64_t m = th_alloc(h, 32 * PAGE);
    struct list ok = LIST(h, { m, 16 }), l;

    th_enable(h);
    /* CDW11: HMNARE, and what is reserved. */
    th_assert_sc(set(h, 5, &ok), INVALID_FIELD);
    th_assert_sc(set(h, 9, &ok), INVALID_FIELD);
    th_assert_sc(set(h, 0x80000001, &ok), INVALID_FIELD);
    th_assert_sc(set(h, 4, NULL), INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_HMB, 0, 0, true),
                 FID_NOT_SAVEABLE);
    th_assert_sc(th_set_feature(h, ENVME_FID_HMB, 1, 0, false), FEAT_NOT_NS);
    /* No descriptors; less than HMMIN; nothing at all. */
    l = ok;
    l.n = 0;
    th_assert_sc(enable(h, &l), INVALID_FIELD);
    l = LIST(h, { m, HMMIN - 1 });
    th_assert_sc(enable(h, &l), INVALID_FIELD);
    l = ok;
    l.hsize = 0;
    th_assert_sc(enable(h, &l), INVALID_FIELD);
    /* HSIZE says something else than the descriptors. */
    l = ok;
    l.hsize++;
    th_assert_sc(enable(h, &l), INVALID_FIELD);
    l.hsize -= 2;
    th_assert_sc(enable(h, &l), INVALID_FIELD);
    /* Not aligned; over the end of the address space. */
    l = LIST(h, { m, 8 }, { m + 8 * PAGE + 16, 8 });
    th_assert_sc(enable(h, &l), INVALID_FIELD);
    l = LIST(h, { m, 8 }, { UINT64_MAX << 12, 8 });
    th_assert_sc(enable(h, &l), INVALID_FIELD);
    /* What can be used is less than HMMIN: the rest is too small. */
    l = LIST(h, { m, 4 }, { m + 4 * PAGE, 3 }, { m + 8 * PAGE, 3 });
    th_assert_sc(enable(h, &l), INVALID_FIELD);
    l = LIST(h, { m, 0 }, { m, 0 });
    l.hsize = 16;
    th_assert_sc(enable(h, &l), INVALID_FIELD);
    /* The list cannot be read. */
    l = ok;
    l.addr = TH_VOID_BASE;
    th_assert_sc(enable(h, &l), DATA_XFER_ERROR);
    l.addr = TH_BAR_BASE;
    th_assert_sc(enable(h, &l), DATA_XFER_ERROR);
    /* What it names is not there, or ourselves: at its begin, at its end. */
    l = LIST(h, { m, 8 }, { TH_VOID_BASE, 8 });
    th_assert_sc(enable(h, &l), DATA_XFER_ERROR);
    l = LIST(h, { TH_HOLE_BASE - 8 * PAGE, 9 });
    th_assert_sc(enable(h, &l), DATA_XFER_ERROR);
    l = LIST(h, { TH_BAR_BASE - 8 * PAGE, 9 });
    th_assert_sc(enable(h, &l), DATA_XFER_ERROR);
    check_off(h);
    check_untouched(h, m, 32 * PAGE);
    th_assert_sc(enable(h, &ok), SUCCESS);
    /* It is on already. */
    th_assert_sc(enable(h, &ok), SEQUENCE_ERROR);
    th_assert_sc(set(h, 3, &ok), SEQUENCE_ERROR);
    check(h, 0, 1);
    /* Twice off is off. */
    th_assert_sc(disable(h), SUCCESS);
    th_assert_sc(disable(h), SUCCESS);
    check_off(h);
    th_free(h);
}

/* Descriptors that are empty, too small, or too many. */
static void test_ignored(void)
{
    struct th *h = th_new(.tweak = with_hmb);
    uint64_t m = th_alloc(h, 32 * PAGE), many = th_alloc(h, 2 * PAGE);
    uint64_t small = th_alloc(h, 3 * PAGE), odd = th_alloc(h, PAGE);
    struct list l = LIST(h, { odd + 1, 0 }, { small, 3 }, { m, 16 });
    struct envme_hmb_entry *e = th_mem(h, many, 2 * PAGE);
    uint8_t *s = th_mem(h, small, 3 * PAGE);
    uint32_t v;
    char *t;

    th_enable(h);
    memset(s, 0x5a, 3 * PAGE);
    /* The low bits of the list's address are as if they were 0. */
    l.addr |= 15;
    th_assert_sc(enable(h, &l), SUCCESS);
    for (unsigned i = 0; i < 16 * PAGE / RECORD + 10; i++) {
        th_assert_sc(th_get_feature(h, ENVME_FID_ARBITRATION, 0, 0, &v),
                     SUCCESS);
    }
    for (unsigned i = 0; i < 3 * PAGE; i++) {
        g_assert_cmphex(s[i], ==, 0x5a);
    }
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_assert_cmpuint(number(t, "hmb_records"), ==, 16 * PAGE / RECORD);
    g_free(t);
    th_assert_sc(disable(h), SUCCESS);
    /* 100 of 4 pages, and of these the first 64; the others are nowhere. */
    for (unsigned i = 0; i < 100; i++) {
        e[i].badd = le64(i < 8 ? m + i * 4 * PAGE : TH_VOID_BASE);
        e[i].bsize = le32(i < 8 || i >= 64 ? 4 : 0);
    }
    l = (struct list){ .addr = many, .n = 100, .hsize = 100 };
    th_assert_sc(enable(h, &l), SUCCESS);
    check(h, 0, 1);
    /* So many that the list would not end in memory. */
    th_assert_sc(disable(h), SUCCESS);
    l.n = UINT32_MAX;
    th_assert_sc(enable(h, &l), SUCCESS);
    th_free(h);
}

static void test_tampered(void)
{
    struct th *h = th_new(.tweak = with_hmb);
    uint64_t m = th_alloc(h, 16 * PAGE);
    struct list l = LIST(h, { m, 16 });
    uint8_t *r = th_mem(h, m, 16 * PAGE);
    uint32_t v;
    char *t;

    th_enable(h);
    th_assert_sc(enable(h, &l), SUCCESS);
    for (unsigned i = 0; i < 8; i++) {
        th_assert_sc(th_get_feature(h, ENVME_FID_ARBITRATION, 0, 0, &v),
                     SUCCESS);
    }
    /* One byte; a record in another's place, with a CRC that fits; zeroes. */
    r[1 * RECORD + 30] ^= 1;
    memcpy(r + 2 * RECORD, r + 3 * RECORD, RECORD);
    memset(r + 4 * RECORD, 0, RECORD);
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_assert_cmpuint(number(t, "hmb_bad"), ==, 3);
    g_assert_cmpuint(traced_opcode(t, ENVME_ADM_GET_FEATURES), ==, 5);
    g_free(t);
    /* Each is counted once. */
    check(h, 3, 1);
    g_assert_cmpuint(atomic_load(&h->notes), ==, 0);
    r[5 * RECORD] ^= 1;
    th_assert_sc(disable(h), SUCCESS);
    g_assert_cmpuint(atomic_load(&h->notes), ==, 1);
    th_free(h);
}

/* A record that could not be written is not asked for. */
static void test_lost(void)
{
    struct th *h = th_new(.tweak = with_hmb);
    struct list l = LIST(h, { th_alloc(h, 16 * PAGE), 16 });
    uint32_t v;
    char *t;

    th_enable(h);
    /* No memory for the CRCs. */
    th_fail_nth(h, TH_AT_ALLOC, 1, -ENOMEM);
    th_assert_sc(enable(h, &l), INTERNAL);
    g_assert_cmpuint(atomic_load(&h->failed[TH_AT_ALLOC]), ==, 1);
    th_fail_clear(h);
    check_off(h);
    th_assert_sc(enable(h, &l), SUCCESS);
    th_fail_nth(h, TH_AT_WRITE, 1, -EIO);
    th_assert_sc(th_get_feature(h, ENVME_FID_ARBITRATION, 0, 0, &v), SUCCESS);
    g_assert_cmpuint(atomic_load(&h->failed[TH_AT_WRITE]), ==, 1);
    th_fail_clear(h);
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_assert_cmpuint(number(t, "hmb_lost"), ==, 1);
    g_assert_cmpuint(number(t, "hmb_bad"), ==, 0);
    g_assert_cmpuint(traced_opcode(t, ENVME_ADM_GET_FEATURES), ==, 0);
    g_free(t);
    /* Cannot be read any more. */
    th_fail_nth(h, TH_AT_READ, 1, -EIO);
    envme_telemetry_report(h->ctrl, "a test");
    g_assert_cmpuint(atomic_load(&h->failed[TH_AT_READ]), ==, 1);
    th_fail_clear(h);
    t = telemetry(h, ENVME_LID_TELEMETRY_CTRL);
    g_assert_cmpuint(number(t, "hmb_bad"), >, 0);
    g_free(t);
    th_free(h);
}

static void test_let_go(void)
{
    struct th *h = th_new(.tweak = with_hmb);
    uint64_t m = th_alloc(h, 16 * PAGE);
    struct list l = LIST(h, { m, 16 });
    uint8_t *r = th_mem(h, m, 16 * PAGE);

    th_enable(h);
    th_assert_sc(enable(h, &l), SUCCESS);
    th_assert_sc(disable(h), SUCCESS);
    check_untouched(h, m, 16 * PAGE);
    /* A reset; the host of the tests looks at the time in between. */
    th_assert_sc(enable(h, &l), SUCCESS);
    ready_to_report(h);
    th_disable(h);
    envme_telemetry_report(h->ctrl, "a test");
    th_enable(h);
    check_off(h);
    check_untouched(h, m, 16 * PAGE);
    th_assert_sc(enable(h, &l), SUCCESS);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);
    check_off(h);
    check_untouched(h, m, 16 * PAGE);
    /* Bus Master off: what is captured meanwhile does without. */
    th_assert_sc(enable(h, &l), SUCCESS);
    ready_to_report(h);
    th_bme(h, false);
    g_assert_cmpuint(atomic_load(&h->refused), ==, 0);
    envme_telemetry_report(h->ctrl, "a test");
    g_assert_cmpuint(atomic_load(&h->refused), ==, 1);
    th_bme(h, true);
    check(h, 0, 1);
    ready_to_report(h);
    /* Shut down. */
    th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT |
           FIELD_SET(ENVME_CC_SHN, ENVME_CC_SHN_NORMAL));
    th_run(h);
    g_assert_cmpuint(FIELD_GET(ENVME_CSTS_SHST, th_r32(h, ENVME_REG_CSTS)),
                     ==, ENVME_CSTS_SHST_COMPLETE);
    memset(r, 0x5a, 16 * PAGE);
    th_close(h, "shut down");
    envme_telemetry_report(h->ctrl, "a test");
    th_run(h);
    th_free(h);
}

static void test_returned(void)
{
    struct th *h = th_new(.tweak = with_hmb);
    uint64_t m = th_alloc(h, 16 * PAGE);
    struct list l = LIST(h, { m, 16 }), other = LIST(h, { m, 16 });
    uint8_t *r = th_mem(h, m, 16 * PAGE);
    char *t;

    th_enable(h);
    /* Nothing of the kind was there before. */
    th_assert_sc(set(h, 3, &l), SUCCESS);
    check(h, 0, 1);
    th_reset(h, ENVME_RESET_FUNCTION);
    th_enable(h);
    th_assert_sc(set(h, 3, &l), SUCCESS);
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_assert_cmpuint(number(t, "hmb_written"), >=, 3);
    g_assert_cmpuint(number(t, "hmb_bad"), ==, 0);
    g_assert_cmpuint(traced_opcode(t, ENVME_ADM_GET_LOG), >=, 2);
    g_free(t);
    /* It says so, but it is not. */
    th_assert_sc(disable(h), SUCCESS);
    memset(r, 0xff, 16 * PAGE);
    th_assert_sc(set(h, 3, &l), SUCCESS);
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_assert_cmpuint(number(t, "hmb_bad"), >, 0);
    g_assert_cmpuint(traced_opcode(t, ENVME_ADM_GET_LOG), ==, 1);
    g_free(t);
    /* Another list, other memory, or no word of it: a new one. */
    th_assert_sc(disable(h), SUCCESS);
    th_assert_sc(set(h, 3, &other), SUCCESS);
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_assert_cmpuint(number(t, "hmb_written"), ==, 1);
    g_assert_cmpuint(number(t, "hmb_bad"), ==, 0);
    g_free(t);
    th_assert_sc(disable(h), SUCCESS);
    th_assert_sc(enable(h, &other), SUCCESS);
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_assert_cmpuint(number(t, "hmb_written"), ==, 1);
    g_free(t);
    th_free(h);
}

/* CC.MPS is the unit of HSIZE, BSIZE and BADD. */
static void test_page_size(void)
{
    struct th *h = th_new(.tweak = tiny);
    uint64_t m = th_alloc(h, 256 * KIB), at = (m + 65535) & ~UINT64_C(65535);
    struct list l;
    char *t;

    g_assert_true(th_enable_as(h, TH_CC_DEFAULT |
                               FIELD_SET(ENVME_CC_MPS, 4), 32, 32));
    l = LIST(h, { at + 4096, 1 });
    th_assert_sc(enable(h, &l), INVALID_FIELD);
    l = LIST(h, { at, 1 });
    th_assert_sc(enable(h, &l), SUCCESS);
    t = telemetry(h, ENVME_LID_TELEMETRY_HOST);
    g_assert_cmpuint(number(t, "hmb_records"), ==, 65536 / RECORD);
    g_free(t);
    th_free(h);
}

static void test_params(void)
{
    struct th *h = th_new(.multi = true);
    struct envme_ctrl_params p = h->params;
    char *err = NULL;

    p.hmpre = 65537;
    g_assert_null(envme_ctrl_new(&p, h->subsys, &h->ports, &envme_tables,
                                 &err));
    g_assert_nonnull(strstr(err, "hmpre=65537"));
    g_free(err);
    p.hmpre = 4;
    p.hmmin = 5;
    g_assert_null(envme_ctrl_new(&p, h->subsys, &h->ports, &envme_tables,
                                 &err));
    g_assert_nonnull(strstr(err, "hmmin=5"));
    g_free(err);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hmb/identify", test_identify);
    g_test_add_func("/hmb/use", test_use);
    g_test_add_func("/hmb/refused", test_refused);
    g_test_add_func("/hmb/ignored", test_ignored);
    g_test_add_func("/hmb/tampered", test_tampered);
    g_test_add_func("/hmb/lost", test_lost);
    g_test_add_func("/hmb/let-go", test_let_go);
    g_test_add_func("/hmb/returned", test_returned);
    g_test_add_func("/hmb/page-size", test_page_size);
    g_test_add_func("/hmb/params", test_params);
    return g_test_run();
}
