/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lockdown and its log, Directives, Security Receive and Send. Base 2.1,
 * 5.1.6, 5.1.7, 5.1.15, 5.1.23, 5.1.24, 8.1.5.
 */
#include "th.h"

#include "envme/directive.h"

static struct envme_cqe lockdown(struct th *h, uint32_t cdw10)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_LOCKDOWN, 0);

    s.cdw10 = le32(cdw10);
    return th_admin(h, &s);
}

static uint32_t opcode(uint8_t opc, bool prohibit)
{
    return (uint32_t)opc << 8 | (prohibit ? ENVME_LOCKDOWN_PRHBT : 0);
}

static uint32_t feature(uint8_t fid, bool prohibit)
{
    return opcode(fid, prohibit) | ENVME_LOCKDOWN_SCP_FID;
}

static struct envme_cqe get_log(struct th *h, unsigned lsp,
                                struct envme_log_lockdown *log)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, 0);

    memset(log, 0xee, sizeof(*log));
    s.cdw10 = le32(ENVME_LID_LOCKDOWN | lsp << 8 | 127 << 16);
    return th_cmd_data(h, 0, &s, log, sizeof(*log), TH_PRP);
}

static bool listed(struct th *h, unsigned scope, unsigned what, uint8_t id)
{
    struct envme_log_lockdown log;
    bool found = false;

    th_assert_sc(get_log(h, scope | what << 4, &log), SUCCESS);
    g_assert_cmphex(log.cfila, ==, scope | what << 4);
    for (unsigned i = 0; i < log.lngth; i++) {
        g_assert_true(!i || log.cfil[i] > log.cfil[i - 1]);
        found |= log.cfil[i] == id;
    }
    for (unsigned i = log.lngth; i < sizeof(log.cfil); i++) {
        g_assert_cmphex(log.cfil[i], ==, 0);
    }
    return found;
}

static void test_opcodes(void)
{
    struct th *a = th_new(.multi = true), *b = th_new(.peer = a);
    struct envme_sqe s = th_sqe(ENVME_ADM_SELF_TEST, 0);
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    struct envme_log_error e[16];

    th_enable(a);
    th_enable(b);
    th_assert_sc(th_identify(a, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(le16_get(id->oacs) & ENVME_OACS_CFLS, !=, 0);
    s.cdw10 = le32(ENVME_SELFTEST_ABORT);
    th_assert_sc(th_admin(a, &s), SUCCESS);
    g_assert_true(listed(a, 0, 0, ENVME_ADM_SELF_TEST));
    g_assert_false(listed(a, 0, 1, ENVME_ADM_SELF_TEST));
    th_assert_sc(lockdown(a, opcode(ENVME_ADM_SELF_TEST, true)), SUCCESS);
    g_assert_true(listed(b, 0, 1, ENVME_ADM_SELF_TEST));
    g_assert_false(listed(b, 0, 2, ENVME_ADM_SELF_TEST));
    /* At all controllers, and after a reset. */
    th_assert_sc(th_admin(a, &s), LOCKDOWN_PROHIBITED);
    th_assert_sc(th_get_log(a, ENVME_LID_ERROR, 0, 0, e, sizeof(e), false),
                 SUCCESS);
    g_assert_cmphex(le16_get(e[0].pel), ==, 0);
    th_assert_sc(th_admin(b, &s), LOCKDOWN_PROHIBITED);
    th_disable(a);
    th_enable(a);
    th_assert_sc(th_admin(a, &s), LOCKDOWN_PROHIBITED);
    th_assert_sc(lockdown(b, opcode(ENVME_ADM_SELF_TEST, false)), SUCCESS);
    th_assert_sc(th_admin(a, &s), SUCCESS);
    g_assert_false(listed(a, 0, 1, ENVME_ADM_SELF_TEST));
    th_free(b);
    th_free(a);
}

static void test_features(void)
{
    struct th *h = th_new();
    uint32_t v;

    th_enable(h);
    g_assert_true(listed(h, 2, 0, ENVME_FID_AEC));
    th_assert_sc(lockdown(h, feature(ENVME_FID_AEC, true)), SUCCESS);
    g_assert_true(listed(h, 2, 1, ENVME_FID_AEC));
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, 0x100, false),
                 LOCKDOWN_PROHIBITED);
    th_assert_sc(th_get_feature(h, ENVME_FID_AEC, 0, 0, &v), SUCCESS);
    g_assert_cmphex(v, ==, 0);
    th_assert_sc(th_set_feature(h, ENVME_FID_TEMP_THRESH, 0, 350, false),
                 SUCCESS);
    th_assert_sc(lockdown(h, feature(ENVME_FID_AEC, false)), SUCCESS);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, 0x100, false), SUCCESS);
    /* All of them */
    th_assert_sc(lockdown(h, opcode(ENVME_ADM_SET_FEATURES, true)), SUCCESS);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, 0x100, false),
                 LOCKDOWN_PROHIBITED);
    th_free(h);
    /* A power cycle ends it. */
    h = th_new();
    th_enable(h);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, 0x100, false), SUCCESS);
    th_free(h);
}

static void test_bad(void)
{
    static const uint8_t never[] = {
        ENVME_ADM_LOCKDOWN, ENVME_ADM_GET_LOG, ENVME_ADM_IDENTIFY,
        ENVME_ADM_CREATE_SQ, ENVME_ADM_AER, 0x03, 0xff,
    };
    struct envme_log_lockdown log;
    struct th *h = th_new();

    th_enable(h);
    for (unsigned i = 0; i < G_N_ELEMENTS(never); i++) {
        g_assert_false(listed(h, 0, 0, never[i]));
        th_assert_sc(lockdown(h, opcode(never[i], true)),
                     LOCKDOWN_UNSUPPORTED);
    }
    th_assert_sc(lockdown(h, feature(0x12, true)), LOCKDOWN_UNSUPPORTED);
    th_assert_sc(lockdown(h, feature(0xff, false)), LOCKDOWN_UNSUPPORTED);
    th_assert_sc(lockdown(h, 3 | ENVME_LOCKDOWN_PRHBT), LOCKDOWN_UNSUPPORTED);
    th_assert_sc(lockdown(h, 1), INVALID_FIELD);
    th_assert_sc(lockdown(h, 5), INVALID_FIELD);
    for (unsigned ifc = 1; ifc < 4; ifc++) {
        th_assert_sc(lockdown(h, opcode(ENVME_ADM_SELF_TEST, true) |
                              ifc << 5), INVALID_FIELD);
    }
    g_assert_false(listed(h, 0, 1, ENVME_ADM_SELF_TEST));
    th_assert_sc(get_log(h, 1, &log), INVALID_FIELD);
    th_assert_sc(get_log(h, 5, &log), INVALID_FIELD);
    th_assert_sc(get_log(h, 0x30, &log), INVALID_FIELD);
    th_assert_sc(get_log(h, 0x40, &log), INVALID_FIELD);
    g_assert_false(listed(h, 3, 0, 0));
    g_assert_false(listed(h, 4, 1, 0));
    th_free(h);
}

/* ---- directives -------------------------------------------------------- */

static struct envme_cqe directive(struct th *h, uint8_t opc, uint32_t nsid,
                                  uint32_t cdw11, uint32_t cdw12, void *buf,
                                  size_t len)
{
    struct envme_sqe s = th_sqe(opc, nsid);

    s.cdw10 = le32(len / 4 - 1);
    s.cdw11 = le32(cdw11);
    s.cdw12 = le32(cdw12);
    return th_cmd_data(h, 0, &s, buf, len, TH_PRP);
}

static void test_directives(void)
{
    struct th *h = th_new();
    g_autofree uint8_t *buf = g_malloc(8192);
    uint8_t in = ENVME_ADM_DIRECTIVE_RECV, out = ENVME_ADM_DIRECTIVE_SEND;

    th_enable(h);
    memset(buf, 0xee, 8192);
    th_assert_sc(directive(h, in, 1, 1, 0, buf, 8192), SUCCESS);
    for (unsigned i = 0; i < 8192; i++) {
        g_assert_cmphex(buf[i], ==, i == 0 || i == 32);
    }
    memset(buf, 0xee, 8192);
    th_assert_sc(directive(h, in, 1, 1, 0, buf, 64), SUCCESS);
    g_assert_cmphex(buf[32], ==, 1);
    g_assert_cmphex(buf[64], ==, 0xee);
    th_assert_sc(directive(h, in, 1, 2, 0, buf, 64), INVALID_FIELD);
    th_assert_sc(directive(h, in, 1, 0x101, 0, buf, 64), INVALID_FIELD);
    th_assert_sc(directive(h, in, 2, 1, 0, buf, 64), INVALID_FIELD);
    th_assert_sc(directive(h, in, 99, 1, 0, buf, 64), INVALID_NS);
    th_assert_sc(directive(h, in, UINT32_MAX, 1, 0, buf, 64), INVALID_FIELD);
    th_assert_sc(directive(h, out, 1, 1, 0, buf, 64), INVALID_FIELD);
    th_assert_sc(directive(h, out, 1, 1, 0x101, buf, 64), INVALID_FIELD);
    th_assert_sc(directive(h, out, 1, 2, 0, buf, 64), INVALID_FIELD);
    th_assert_sc(directive(h, out, 1, 0x101, 0, buf, 64), INVALID_FIELD);
    th_free(h);
}

/* ---- security ---------------------------------------------------------- */

static struct envme_cqe security(struct th *h, uint8_t opc, uint32_t cdw10,
                                 void *buf, size_t len)
{
    struct envme_sqe s = th_sqe(opc, 0);

    s.cdw10 = le32(cdw10);
    s.cdw11 = le32(len);
    return th_cmd_data(h, 0, &s, buf, len, TH_PRP);
}

static void test_security(void)
{
    static const uint8_t want[9] = { 0, 0, 0, 0, 0, 0, 0, 1, 0 };
    struct th *h = th_new();
    uint8_t buf[1024], in = ENVME_ADM_SECURITY_RECV;

    th_enable(h);
    memset(buf, 0xee, sizeof(buf));
    th_assert_sc(security(h, in, 0, buf, 1024), SUCCESS);
    g_assert_cmpmem(buf, 9, want, 9);
    for (unsigned i = 9; i < 1024; i++) {
        g_assert_cmphex(buf[i], ==, 0);
    }
    memset(buf, 0xee, sizeof(buf));
    th_assert_sc(security(h, in, 0, buf, 8), SUCCESS);
    g_assert_cmpmem(buf, 8, want, 8);
    g_assert_cmphex(buf[8], ==, 0xee);
    th_assert_sc(security(h, in, 0x100, buf, 16), SUCCESS);
    for (unsigned i = 0; i < 16; i++) {
        g_assert_cmphex(buf[i], ==, 0);
    }
    th_assert_sc(security(h, in, 0x200, buf, 16), INVALID_FIELD);
    th_assert_sc(security(h, in, 0x10000, buf, 16), INVALID_FIELD);
    th_assert_sc(security(h, in, 0x01000100, buf, 16), INVALID_FIELD);
    th_assert_sc(security(h, in, 0xef000000, buf, 16), INVALID_FIELD);
    th_assert_sc(security(h, ENVME_ADM_SECURITY_SEND, 0, buf, 16),
                 INVALID_FIELD);
    th_assert_sc(security(h, ENVME_ADM_SECURITY_SEND, 0x01000100, buf, 16),
                 INVALID_FIELD);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lockdown/opcodes", test_opcodes);
    g_test_add_func("/lockdown/features", test_features);
    g_test_add_func("/lockdown/bad", test_bad);
    g_test_add_func("/directive/identify", test_directives);
    g_test_add_func("/security/protocols", test_security);
    return g_test_run();
}
