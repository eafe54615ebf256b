/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults that the guest asks for: the OCP Error Injection feature, and Fault
 * Injection Send and Receive. docs/faults.md.
 */
#include "th-fault.h"

#include "envme/ocp.h"
#include "envme/reg.h"

static void offer(struct envme_ctrl_params *p)
{
    p->fault_injection = true;
}

static struct th *host(struct envme_faults **f)
{
    struct th *h = th_new(.lanes = 2, .tweak = offer,
                          .ns = { { .size = 1 * MIB } });

    *f = envme_faults_new(h->ctrl, &tf_world);
    th_enable(h);
    th_queues(h, 2, 16);
    return h;
}

/* ---- what there is ----------------------------------------------------- */

static bool supported(struct th *h, uint8_t opc)
{
    g_autofree struct envme_log_effects *log = g_malloc(sizeof(*log));

    th_assert_sc(th_get_log(h, ENVME_LID_EFFECTS, 0, 0, log, sizeof(*log),
                            false), SUCCESS);
    return le32_get(log->acs[opc]) & ENVME_EFF_CSUPP;
}

static struct envme_cqe get_errors(struct th *h, struct envme_ocp_error *e)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, 0);

    s.cdw10 = le32(ENVME_FID_OCP_ERROR);
    return th_cmd_data(h, 0, &s, e, ENVME_OCP_ERRORS * sizeof(*e), TH_PRP);
}

static struct envme_cqe set_errors(struct th *h, struct envme_ocp_error *e,
                                   unsigned n)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);

    s.cdw10 = le32(ENVME_FID_OCP_ERROR);
    s.cdw11 = le32(n);
    return n ? th_cmd_data(h, 0, &s, e, n * sizeof(*e), TH_PRP)
             : th_admin(h, &s);
}

static struct envme_cqe set_error(struct th *h, unsigned type, unsigned nrtdp,
                                  bool single)
{
    struct envme_ocp_error e = {
        .flags = ENVME_OCP_ERROR_ENABLE |
                 (single ? ENVME_OCP_ERROR_SINGLE : 0),
        .type = le16(type), .nrtdp = le16(nrtdp),
    };

    return set_errors(h, &e, 1);
}

static void test_absent(void)
{
    struct th *h = th_new(.ns = { { .size = 1 * MIB } });
    struct envme_faults *f = envme_faults_new(h->ctrl, &tf_world);
    struct envme_ocp_error e[ENVME_OCP_ERRORS];

    th_enable(h);
    g_assert_false(supported(h, ENVME_ADM_FAULT_SEND));
    g_assert_false(supported(h, ENVME_ADM_FAULT_RECEIVE));
    th_assert_sc(th_admin(h, &(struct envme_sqe){
                     .opc = ENVME_ADM_FAULT_SEND }), INVALID_OPCODE);
    th_assert_sc(th_admin(h, &(struct envme_sqe){
                     .opc = ENVME_ADM_FAULT_RECEIVE }), INVALID_OPCODE);
    th_assert_sc(get_errors(h, e), INVALID_FIELD);
    th_assert_sc(set_error(h, ENVME_OCP_CPU_HANG, 0, true), INVALID_FIELD);
    tf_done(h, f);
    /* Nobody who could carry it out. */
    h = th_new(.tweak = offer, .ns = { { .size = 1 * MIB } });
    f = envme_faults_new(h->ctrl, NULL);
    th_enable(h);
    g_assert_false(supported(h, ENVME_ADM_FAULT_SEND));
    th_assert_sc(get_errors(h, e), INVALID_FIELD);
    tf_done(h, f);
}

/* ---- the feature ------------------------------------------------------- */

static void test_feature(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_ocp_error e[ENVME_OCP_ERRORS], set[3];
    struct envme_cqe c;

    c = get_errors(h, e);
    th_assert_sc(c, SUCCESS);
    g_assert_cmpuint(le32_get(c.dw0), ==, 0);
    memset(set, 0, sizeof(set));
    set[0].flags = ENVME_OCP_ERROR_ENABLE | ENVME_OCP_ERROR_SINGLE;
    set[0].type = le16(ENVME_OCP_NAND_CORRUPT);
    set[0].nrtdp = le16(2);
    set[1].type = le16(ENVME_OCP_CPU_HANG);     /* not enabled */
    set[2].flags = ENVME_OCP_ERROR_ENABLE;
    set[2].type = le16(ENVME_OCP_METADATA);
    set[2].nrtdp = le16(3);
    th_assert_sc(set_errors(h, set, 3), SUCCESS);
    c = get_errors(h, e);
    g_assert_cmpuint(le32_get(c.dw0), ==, 3);
    g_assert_cmpmem(e, sizeof(set), set, sizeof(set));
    for (unsigned i = 1; i <= 12; i++) {
        c = th_read(h);
        if (i == 3) {
            th_assert_sc(c, UNRECOVERED_READ);
            g_assert_true(cqe_dnr(&c));
        } else if (i % 4 == 0) {
            th_assert_sc(c, GUARD_CHECK);
        } else {
            th_assert_sc(c, SUCCESS);
        }
    }
    th_run(h);
    g_assert_cmpuint(envme_health_look(h->ctrl, ENVME_HEALTH_MEDIA_ERRORS),
                     ==, 1);
    /* What was to come once is off now; the other goes on, over a reset. */
    get_errors(h, e);
    g_assert_cmphex(e[0].flags, ==, ENVME_OCP_ERROR_SINGLE);
    g_assert_cmphex(e[2].flags, ==, ENVME_OCP_ERROR_ENABLE);
    th_disable(h);
    th_enable(h);
    th_queues(h, 1, 16);
    c = get_errors(h, e);
    g_assert_cmpuint(le32_get(c.dw0), ==, 3);
    for (unsigned i = 1; i <= 4; i++) {
        c = th_read(h);
        g_assert_cmpint(cqe_sc(&c) != 0, ==, i == 4);
    }
    th_assert_sc(set_errors(h, NULL, 0), SUCCESS);
    c = get_errors(h, e);
    g_assert_cmpuint(le32_get(c.dw0), ==, 0);
    g_assert_cmpuint(h->ctrl->watch, ==, 0);
    for (unsigned i = 1; i <= 8; i++) {
        th_assert_sc(th_read(h), SUCCESS);
    }
    tf_done(h, f);
}

static void test_feature_wrong(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_ocp_error e[ENVME_OCP_ERRORS];
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);
    struct envme_cqe c;

    th_assert_sc(set_error(h, ENVME_OCP_DRAM, 9, true), SUCCESS);
    th_assert_sc(set_error(h, 0, 0, true), INVALID_FIELD);
    th_assert_sc(set_error(h, 23, 0, true), INVALID_FIELD);
    th_assert_sc(set_error(h, ENVME_OCP_DIE_OFFLINE, 0, true), INVALID_FIELD);
    s.cdw10 = le32(ENVME_FID_OCP_ERROR);
    s.cdw11 = le32(0x80);
    th_assert_sc(th_admin(h, &s), INVALID_FIELD);
    s.cdw10 = le32(ENVME_FID_OCP_ERROR | ENVME_FEAT_SV);
    s.cdw11 = le32(0);
    th_assert_sc(th_admin(h, &s), FID_NOT_SAVEABLE);
    c = get_errors(h, e);
    g_assert_cmpuint(le32_get(c.dw0), ==, 1);
    g_assert_cmpuint(le16_get(e[0].nrtdp), ==, 9);
    tf_done(h, f);
}

/* Each type does what the manual says. */
static void test_types(void)
{
    struct envme_faults *f;
    struct th *h;
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_FLUSH, 1, 0, 1);
    struct envme_sqe keep = th_sqe(ENVME_ADM_GET_FEATURES, 0);
    struct envme_cqe c;
    uint16_t cid;
    static const uint8_t fatal[] = {
        ENVME_OCP_FIRMWARE, ENVME_OCP_DRAM_CRITICAL, ENVME_OCP_SRAM_CORRUPT,
        ENVME_OCP_HARDWARE,
    };
    static const struct {
        uint8_t type, warning;
        uint16_t temperature, sc;
    } soft[] = {
        { ENVME_OCP_PLP_DEFECT, ENVME_SMART_CW_VMBF, 302, ENVME_SC_SUCCESS },
        { ENVME_OCP_DRAM, 0, 302, ENVME_SC_INTERNAL },
        { ENVME_OCP_NO_SPARES, ENVME_SMART_CW_ASCBT | ENVME_SMART_CW_AMRO,
          302, ENVME_SC_SUCCESS },
        { ENVME_OCP_GARBAGE, 0, 302, ENVME_SC_CMD_INTERRUPTED },
        { ENVME_OCP_IO_FAILS, 0, 302, ENVME_SC_INTERNAL },
        { ENVME_OCP_THROTTLED, 0, ENVME_ADMIN_WCTEMP, ENVME_SC_SUCCESS },
        { ENVME_OCP_NOT_THROTTLED, 0, 302, ENVME_SC_SUCCESS },
        { ENVME_OCP_TOO_HOT, 0, ENVME_ADMIN_CCTEMP, ENVME_SC_SUCCESS },
    };

    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(soft); i++) {
        h = host(&f);
        th_assert_sc(set_error(h, soft[i].type, 0, true), SUCCESS);
        c = th_read(h);
        g_assert_cmphex(cqe_sc(&c), ==, soft[i].sc);
        th_run(h);
        g_assert_cmphex(h->ctrl->critical_warning, ==, soft[i].warning);
        g_assert_cmpuint(h->ctrl->temperature, ==, soft[i].temperature);
        c = th_write(h);
        g_assert_cmpint(cqe_sc(&c) == ENVME_SC_NS_WRITE_PROTECTED, ==,
                        soft[i].type == ENVME_OCP_NO_SPARES);
        tf_done(h, f);
    }
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(fatal); i++) {
        struct envme_sqe r = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);
        struct th_buf *b;

        h = host(&f);
        th_assert_sc(set_error(h, fatal[i], 1, true), SUCCESS);
        th_assert_sc(th_read(h), SUCCESS);
        th_run(h);
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS, ==, 0);
        b = th_buf_new(h, 512, TH_PRP);
        th_buf_attach(b, &r);
        th_submit(h, 1, &r);
        th_run(h);
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS, !=, 0);
        th_reset(h, ENVME_RESET_FUNCTION);
        th_buf_free(b);
        tf_done(h, f);
    }
    /* Hung until a reset: reads only, or everything. */
    for (unsigned all = 0; all < 2; all++) {
        struct envme_sqe r = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);
        struct th_buf *b;

        h = host(&f);
        b = th_buf_new(h, 512, TH_PRP);
        th_buf_attach(b, &r);
        th_assert_sc(set_error(h, all ? ENVME_OCP_CPU_HANG
                                      : ENVME_OCP_NAND_HANG, 0, true),
                     SUCCESS);
        th_assert_sc(th_io(h, 1, &s), SUCCESS);
        cid = th_submit(h, 1, &r);
        th_run(h);
        g_assert_false(th_try_wait(h, 1, cid, &c));
        cid = th_submit(h, 2, &s);
        th_run(h);
        g_assert_cmpint(th_try_wait(h, 2, cid, &c), ==, !all);
        th_disable(h);
        th_enable(h);
        th_queues(h, 1, 16);
        th_assert_sc(th_read(h), SUCCESS);
        th_buf_free(b);
        tf_done(h, f);
    }
    keep.cdw10 = le32(ENVME_FID_NUM_QUEUES);
    h = host(&f);
    th_assert_sc(set_error(h, ENVME_OCP_ADMIN_FAILS, 0, true), SUCCESS);
    th_assert_sc(th_admin(h, &keep), INTERNAL);
    th_assert_sc(th_admin(h, &keep), SUCCESS);
    th_assert_sc(set_error(h, ENVME_OCP_ADMIN_HANGS, 1, true), SUCCESS);
    th_assert_sc(th_admin(h, &keep), SUCCESS);
    cid = th_submit(h, 0, &keep);
    th_run(h);
    g_assert_false(th_try_wait(h, 0, cid, &c));
    th_assert_sc(set_error(h, ENVME_OCP_LATENCY, 0, true), SUCCESS);
    {
        struct envme_sqe r = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);
        struct th_buf *b = th_buf_new(h, 512, TH_PRP);

        th_buf_attach(b, &r);
        cid = th_submit(h, 1, &r);
        th_run(h);
        g_assert_false(th_try_wait(h, 1, cid, &c));
        th_advance(h, 1000000000);
        th_assert_sc(th_wait(h, 1, cid), SUCCESS);
        th_buf_free(b);
    }
    th_assert_sc(set_error(h, ENVME_OCP_IO_HANGS, 0, true), SUCCESS);
    cid = th_submit(h, 1, &s);
    th_run(h);
    g_assert_false(th_try_wait(h, 1, cid, &c));
    th_assert_sc(set_error(h, ENVME_OCP_SHUTDOWN, 0, true), SUCCESS);
    th_w32(h, ENVME_REG_CC, TH_CC_DEFAULT |
           (uint32_t)FIELD_SET(ENVME_CC_SHN, ENVME_CC_SHN_NORMAL));
    th_run(h);
    g_assert_cmpuint(FIELD_GET(ENVME_CSTS_SHST, th_r32(h, ENVME_REG_CSTS)), ==,
                     ENVME_CSTS_SHST_OCCURRING);
    tf_done(h, f);
}

/* Rules from outside go on beside them; new ones replace all. */
static void test_together(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    struct envme_ocp_error e[ENVME_OCP_ERRORS];
    struct envme_cqe c;

    tf_rules(f, "{'name': 'w', 'match': {'opcode': 'write'}, 'when': "
             "{'nth': 2}, 'do': {'status': 'write-fault'}}");
    th_assert_sc(th_write(h), SUCCESS);
    th_assert_sc(set_error(h, ENVME_OCP_DRAM, 0, true), SUCCESS);
    th_assert_sc(th_read(h), INTERNAL);
    /* Its count has not begun anew. */
    th_assert_sc(th_write(h), WRITE_FAULT);
    g_assert_cmpint(tf_count(f, "ocp:0", "hits"), ==, 1);
    th_assert_sc(set_error(h, ENVME_OCP_DRAM, 0, true), SUCCESS);
    tf_rules(f, "{'name': 'w', 'match': {'opcode': 'write'}, "
             "'do': {'status': 'write-fault'}}");
    th_assert_sc(th_read(h), SUCCESS);
    c = get_errors(h, e);
    g_assert_cmpuint(le32_get(c.dw0), ==, 0);
    tf_done(h, f);
}

/* ---- the commands ------------------------------------------------------ */

static struct envme_cqe fault_send(struct th *h, unsigned op, const char *text)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_FAULT_SEND, 0);
    size_t len = (strlen(text) + 3) & ~3ul;
    g_autofree char *buf = g_malloc0(len + 1);

    for (size_t i = 0; text[i]; i++) {
        buf[i] = text[i] == '\'' ? '"' : text[i];
    }
    s.cdw10 = le32(len / 4);
    s.cdw12 = le32(op);
    return len ? th_cmd_data(h, 0, &s, buf, len, TH_PRP) : th_admin(h, &s);
}

static char *fault_receive(struct th *h, unsigned op)
{
    GString *all = g_string_new(NULL);
    uint32_t total;

    do {
        struct envme_sqe s = th_sqe(ENVME_ADM_FAULT_RECEIVE, 0);
        char buf[129];
        struct envme_cqe c;

        memset(buf, 0xee, sizeof(buf));
        s.cdw10 = le32((sizeof(buf) - 1) / 4);
        s.cdw12 = le32(op);
        s.cdw13 = le32(all->len);
        c = th_cmd_data(h, 0, &s, buf, sizeof(buf) - 1, TH_PRP);
        th_assert_sc(c, SUCCESS);
        total = le32_get(c.dw0);
        buf[sizeof(buf) - 1] = 0;
        g_string_append(all, buf);
    } while (all->len < total);
    g_assert_cmpuint(all->len, ==, total);
    return g_string_free(all, FALSE);
}

static void test_commands(void)
{
    struct envme_faults *f;
    struct th *h = host(&f);
    g_autofree char *report = NULL, *rules = NULL, *err = NULL, *none = NULL;
    g_autofree char *err2 = NULL;
    g_autoptr(GVariant) tree = NULL;
    struct envme_sqe s = th_sqe(ENVME_ADM_FAULT_RECEIVE, 0);

    g_assert_true(supported(h, ENVME_ADM_FAULT_SEND));
    g_assert_true(supported(h, ENVME_ADM_FAULT_RECEIVE));
    none = fault_receive(h, ENVME_FAULT_RULES);
    g_assert_cmpstr(none, ==, "{}");
    th_assert_sc(fault_send(h, ENVME_FAULT_LOAD,
        "{'rules': [{'name': 'r', 'match': {'opcode': 'read'}, 'do': "
        "{'status': 'internal'}}, {'name': 'w', 'armed': false, 'match': "
        "{'opcode': 'write'}, 'do': {'status': 'write-fault'}}]}"), SUCCESS);
    th_assert_sc(th_read(h), INTERNAL);
    th_assert_sc(th_write(h), SUCCESS);
    th_assert_sc(fault_send(h, ENVME_FAULT_ARM, "w"), SUCCESS);
    th_assert_sc(fault_send(h, ENVME_FAULT_DISARM, "r"), SUCCESS);
    th_assert_sc(th_read(h), SUCCESS);
    th_assert_sc(th_write(h), WRITE_FAULT);
    th_assert_sc(fault_send(h, ENVME_FAULT_DEACTIVATE, ""), SUCCESS);
    th_assert_sc(th_write(h), SUCCESS);
    th_assert_sc(fault_send(h, ENVME_FAULT_ACTIVATE, ""), SUCCESS);
    th_assert_sc(th_read(h), INTERNAL);
    report = fault_receive(h, ENVME_FAULT_REPORT);
    tree = tf_json_text(report);
    g_assert_true(g_variant_lookup(tree, "active", "b", NULL));
    rules = fault_receive(h, ENVME_FAULT_RULES);
    g_assert_nonnull(strstr(rules, "write-fault"));
    /* What is wrong is said, and changes nothing. */
    th_assert_sc(fault_send(h, ENVME_FAULT_LOAD, "{'rules': [{'name': 'x', "
                            "'do': {'fly': 1}}]}"), INVALID_FIELD);
    err = fault_receive(h, ENVME_FAULT_ERROR);
    g_assert_nonnull(strstr(err, "there is no action 'fly'"));
    th_assert_sc(fault_send(h, ENVME_FAULT_LOAD, "{'rules"), INVALID_FIELD);
    th_assert_sc(fault_send(h, ENVME_FAULT_LOAD, ""), INVALID_FIELD);
    th_assert_sc(fault_send(h, ENVME_FAULT_ARM, "nobody"), INVALID_FIELD);
    err2 = fault_receive(h, ENVME_FAULT_ERROR);
    g_assert_cmpstr(err2, ==, "there is no rule of this name");
    th_assert_sc(fault_send(h, 5, ""), INVALID_FIELD);
    s.cdw12 = le32(3);
    th_assert_sc(th_admin(h, &s), INVALID_FIELD);
    s.cdw12 = le32(0);
    s.cdw10 = le32(0x40001);
    th_assert_sc(th_admin(h, &s), INVALID_FIELD);
    th_assert_sc(th_read(h), INTERNAL);
    tf_done(h, f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/inject/absent", test_absent);
    g_test_add_func("/inject/feature", test_feature);
    g_test_add_func("/inject/feature-wrong", test_feature_wrong);
    g_test_add_func("/inject/types", test_types);
    g_test_add_func("/inject/together", test_together);
    g_test_add_func("/inject/commands", test_commands);
    return g_test_run();
}
