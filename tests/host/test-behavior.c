/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Behavior Support (feature 16h): retry delays in completions (ACRE) and
 * telemetry's data area 4 (ETDAS). Base 2.1, 4.2.3.1, 5.1.25 and 8.1.27.
 */
#include "th.h"

static void tweak(struct envme_ctrl_params *p)
{
    p->crdt[0] = 10;
    p->crdt[1] = 0;
    p->crdt[2] = 30;
}

static void behave(struct th *h, bool acre, bool etdas)
{
    struct envme_feat_host_behavior b = { .acre = acre, .etdas = etdas };
    struct envme_feat_host_behavior r;
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);

    s.cdw10 = le32(ENVME_FID_HOST_BEHAVIOR);
    th_assert_sc(th_cmd_data(h, 0, &s, &b, sizeof(b), 0), SUCCESS);
    s = th_sqe(ENVME_ADM_GET_FEATURES, 0);
    s.cdw10 = le32(ENVME_FID_HOST_BEHAVIOR);
    memset(&r, 0xee, sizeof(r));
    th_assert_sc(th_cmd_data(h, 0, &s, &r, sizeof(r), 0), SUCCESS);
    g_assert_cmpmem(&r, sizeof(r), &b, sizeof(b));
}

static void mark(void *opaque, struct envme_cmd *cmd)
{
    cmd->fault = cmd->is_admin ? NULL : opaque;
}

static bool fail_with(void *opaque, struct envme_cmd *cmd,
                      struct envme_status *st)
{
    (void)cmd;
    *st = *(struct envme_status *)opaque;
    return false;
}

static void gone(void *opaque, struct envme_cmd *cmd)
{
    g_assert_true(cmd->fault == opaque);
}

static uint16_t sf_of(struct th *h)
{
    struct envme_cqe c = th_rw(h, ENVME_NVM_WRITE_ZEROES, .nlb = 1);

    return le16_get(c.sf) >> 1;
}

static void test_retry_delay(void)
{
    static const struct {
        struct envme_status st;
        uint8_t crd;            /* with ACRE */
        bool dnr;
    } t[] = {
        { ENVME_ST(CMD_INTERRUPTED), 1, false },
        { ENVME_ST(NS_NOT_READY), 0, false },       /* CRDT2 is 0 */
        { ENVME_ST(FORMAT_IN_PROGRESS), 3, false },
        { ENVME_ST(SANITIZE_IN_PROGRESS), 3, false },
        { ENVME_ST(INTERNAL), 0, false },
        { ENVME_ST(INVALID_FIELD), 0, true },
    };
    g_autofree struct envme_id_ctrl *id = g_malloc(sizeof(*id));
    struct th *h = th_new(.tweak = tweak);
    struct envme_status st;

    th_enable(h);
    th_queues(h, 1, 16);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmpuint(le16_get(id->crdt1), ==, 10);
    g_assert_cmpuint(le16_get(id->crdt2), ==, 0);
    g_assert_cmpuint(le16_get(id->crdt3), ==, 30);
    h->ctrl->hooks = (struct envme_hooks){
        .opaque = &st, .fetched = mark, .pre = fail_with, .gone = gone,
    };
    h->ctrl->watch = ENVME_WATCH_CMD;
    for (unsigned acre = 0; acre < 2; acre++) {
        behave(h, acre, false);
        for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
            uint16_t sf;

            st = t[i].st;
            sf = sf_of(h);
            g_assert_cmphex(sf & (ENVME_SF_SCT | ENVME_SF_SC), ==, st.sf);
            g_assert_cmpuint(FIELD_GET(ENVME_SF_CRD, sf), ==,
                             acre ? t[i].crd : 0);
            g_assert_cmpuint(!!(sf & ENVME_SF_DNR), ==, t[i].dnr);
        }
    }
    /* A reset: the host has to say so again. */
    h->ctrl->watch = 0;
    th_disable(h);
    th_enable(h);
    th_queues(h, 1, 16);
    h->ctrl->watch = ENVME_WATCH_CMD;
    st = ENVME_ST(FORMAT_IN_PROGRESS);
    g_assert_cmpuint(FIELD_GET(ENVME_SF_CRD, sf_of(h)), ==, 0);
    th_free(h);
}

static uint32_t telemetry(struct th *h, bool create, struct
                          envme_log_telemetry *log, char *area4, size_t max)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, 0);
    uint32_t from, to;

    s.cdw10 = le32(ENVME_LID_TELEMETRY_HOST | (uint32_t)create << 8 |
                   (512 / 4 - 1) << 16);
    th_assert_sc(th_cmd_data(h, 0, &s, log, 512, TH_PRP), SUCCESS);
    from = le16_get(log->dalb3);
    to = le32_get(log->dalb4);
    if (to) {
        g_assert_cmpuint((to - from) * 512, <=, max);
        th_assert_sc(th_get_log(h, ENVME_LID_TELEMETRY_HOST, 0,
                                512 + from * 512, area4, (to - from) * 512,
                                true), SUCCESS);
    }
    return to;
}

static void test_area4(void)
{
    g_autofree struct envme_id_ctrl *id = g_malloc(sizeof(*id));
    struct th *h = th_new();
    struct envme_log_telemetry log;
    char text[8192], past[512];

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_true(id->lpa & ENVME_LPA_DA4S);
    behave(h, false, false);
    g_assert_cmpuint(telemetry(h, true, &log, text, sizeof(text)), ==, 0);
    /* The same capture, for a host that knows of it. */
    behave(h, false, true);
    g_assert_cmpuint(telemetry(h, false, &log, text, sizeof(text)), >,
                     le16_get(log.dalb3));
    g_assert_nonnull(strstr(text, "\"area\":4,"));
    g_assert_nonnull(strstr(text, "\"power_state\":0,"));
    g_assert_nonnull(strstr(text, "\"temperatures\":["));
    g_assert_nonnull(strstr(text, "\"streams\":["));
    behave(h, false, false);
    g_assert_cmpuint(telemetry(h, false, &log, text, sizeof(text)), ==, 0);
    th_assert_sc(th_get_log(h, ENVME_LID_TELEMETRY_HOST, 0,
                            1024 + le16_get(log.dalb3) * 512, past, 512, true),
                 INVALID_FIELD);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/behavior/retry-delay", test_retry_delay);
    g_test_add_func("/behavior/area4", test_area4);
    return g_test_run();
}
