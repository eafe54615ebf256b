/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The endurance group: who has one, its counters, warnings and events. Base
 * 2.1, 3.2.3, 5.1.12.1.10, 5.1.12.1.15 and feature 18h.
 */
#include "pelog.h"

#include <glib/gstdio.h>

#include "envme/id-ns.h"

#define CW_FEATURE(cw) (1u | (uint32_t)(cw) << 16)

static struct envme_cqe get_log(struct th *h, uint8_t lid, unsigned lsi,
                                bool rae, void *buf, size_t len)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, 0);

    s.cdw10 = le32(lid | (uint32_t)rae << 15 | (uint32_t)(len / 4 - 1) << 16);
    s.cdw11 = le32(lsi << 16);
    return th_cmd_data(h, 0, &s, buf, len, TH_PRP);
}

static void group(struct th *h, struct envme_log_endgrp *log, bool rae)
{
    memset(log, 0xee, sizeof(*log));
    th_assert_sc(get_log(h, ENVME_LID_ENDGRP, 1, rae, log, sizeof(*log)),
                 SUCCESS);
}

static unsigned pending(struct th *h, bool rae)
{
    le32_t buf[3];

    memset(buf, 0xee, sizeof(buf));
    th_assert_sc(get_log(h, ENVME_LID_ENDGRP_AGGREGATE, 0, rae, buf, 12),
                 SUCCESS);
    g_assert_cmpuint(le32_get(buf[1]), ==, 0);
    g_assert_cmpuint(le32_get(buf[2]), ==, le32_get(buf[0]) ? 1 : 0);
    return le32_get(buf[0]);
}

static uint64_t counter(const uint8_t c[16])
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 8; i++) {
        v |= (uint64_t)c[i] << (8 * i);
        g_assert_cmpuint(c[8 + i], ==, 0);
    }
    return v;
}

static bool told(struct th *h, uint16_t cid)
{
    th_run(h);
    th_reap(h, 0);
    return th_done(h, 0, cid, NULL);
}

static void want_event(struct th *h, uint16_t cid)
{
    struct envme_cqe c = th_wait(h, 0, cid);

    g_assert_cmphex(le32_get(c.dw0), ==, ENVME_AEN_TYPE_NOTICE |
                    ENVME_AEN_NOTICE_ENDGRP << 8 |
                    ENVME_LID_ENDGRP_AGGREGATE << 16);
}

/* ---- who has one ------------------------------------------------------- */

static void test_identify(void)
{
    struct th *h = th_new(.multi = true);
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    g_autofree struct envme_id_ns *ns = g_malloc(4096);
    g_autofree struct envme_id_ns_indep *in = g_malloc(4096);
    g_autofree struct envme_endgrp_list *list = g_malloc(4096);
    g_autofree struct envme_log_fid_effects *fid = g_malloc(sizeof(*fid));
    struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, 0);
    struct envme_log_endgrp log;

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(le32_get(id->ctratt) & ENVME_CTRATT_EGS, !=, 0);
    g_assert_cmphex(le32_get(id->ctratt) & ENVME_CTRATT_NSETS, ==, 0);
    g_assert_cmphex(le32_get(id->oaes) & ENVME_OAES_EGEALCN, !=, 0);
    g_assert_cmpuint(le16_get(id->endgidmax), ==, 1);
    g_assert_cmpuint(le16_get(id->nsetidmax), ==, 0);
    g_assert_cmpmem(id->megcap, 16, id->tnvmcap, 16);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, ns), SUCCESS);
    g_assert_cmpuint(le16_get(ns->endgid), ==, 1);
    g_assert_cmpuint(le16_get(ns->nvmsetid), ==, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_INDEP, 1, in), SUCCESS);
    g_assert_cmpuint(le16_get(in->endgid), ==, 1);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, UINT32_MAX, ns), SUCCESS);
    g_assert_cmpuint(le16_get(ns->endgid), ==, 0);
    for (unsigned from = 0; from < 4; from++) {
        s.cdw10 = le32(ENVME_CNS_ENDGRP_LIST);
        s.cdw11 = le32(from);
        memset(list, 0xee, 4096);
        th_assert_sc(th_cmd_data(h, 0, &s, list, 4096, TH_PRP), SUCCESS);
        g_assert_cmpuint(le16_get(list->num), ==, from < 2);
        g_assert_cmpuint(le16_get(list->endgid[0]), ==, from < 2);
        g_assert_cmpuint(le16_get(list->endgid[1]), ==, 0);
    }
    /* No NVM sets, no domains. */
    th_assert_sc(th_identify(h, ENVME_CNS_NVMSET_LIST, 0, list), SUCCESS);
    g_assert_cmpuint(le16_get(list->num), ==, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_DOMAIN_LIST, 0, list),
                 INVALID_FIELD);
    th_assert_sc(th_get_log(h, ENVME_LID_FID_EFFECTS, 0, 0, fid, sizeof(*fid),
                            true), SUCCESS);
    g_assert_cmphex(le32_get(fid->fid[ENVME_FID_ENDGRP_EVENT]), ==,
                    ENVME_FIDEFF_FSUPP | ENVME_FIDEFF_FSP_ENDGRP);
    th_assert_sc(get_log(h, ENVME_LID_ENDGRP, 0, true, &log, 512),
                 INVALID_FIELD);
    th_assert_sc(get_log(h, ENVME_LID_ENDGRP, 2, true, &log, 512),
                 INVALID_FIELD);
    th_assert_sc(get_log(h, ENVME_LID_ENDGRP, 0xffff, true, &log, 512),
                 INVALID_FIELD);
    th_free(h);
}

/* A controller of its own has none. */
static void test_none(void)
{
    struct th *h = th_new();
    g_autofree uint8_t *buf = g_malloc(4096);
    g_autofree struct envme_log_supported *sup = g_malloc(sizeof(*sup));
    g_autofree struct envme_log_fid_effects *fid = g_malloc(sizeof(*fid));
    uint32_t v;

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_ENDGRP_LIST, 0, buf),
                 INVALID_FIELD);
    th_assert_sc(get_log(h, ENVME_LID_ENDGRP, 1, true, buf, 512),
                 LOG_PAGE_INVALID);
    th_assert_sc(get_log(h, ENVME_LID_ENDGRP_AGGREGATE, 0, true, buf, 512),
                 LOG_PAGE_INVALID);
    th_assert_sc(th_get_feature(h, ENVME_FID_ENDGRP_EVENT, 0, 0, &v),
                 INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_ENDGRP_EVENT, 0, CW_FEATURE(1),
                                false), INVALID_FIELD);
    th_assert_sc(th_get_log(h, ENVME_LID_SUPPORTED, 0, 0, sup, sizeof(*sup),
                            true), SUCCESS);
    g_assert_cmphex(le32_get(sup->lids[ENVME_LID_ENDGRP]), ==, 0);
    g_assert_cmphex(le32_get(sup->lids[ENVME_LID_ENDGRP_AGGREGATE]), ==, 0);
    th_assert_sc(th_get_log(h, ENVME_LID_FID_EFFECTS, 0, 0, fid, sizeof(*fid),
                            true), SUCCESS);
    g_assert_cmphex(le32_get(fid->fid[ENVME_FID_ENDGRP_EVENT]), ==, 0);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, buf), SUCCESS);
    g_assert_cmpuint(le16_get(((struct envme_id_ns *)buf)->endgid), ==, 0);
    th_free(h);
}

static void test_create(void)
{
    struct th *h = th_new(.multi = true);
    struct envme_sqe s = th_sqe(ENVME_ADM_NS_MGMT, 1);
    struct envme_ns_mgmt_create c = {
        .nsze = le64(100), .ncap = le64(100), .endgid = le16(2),
    };
    g_autofree struct envme_id_ns *ns = g_malloc(4096);

    th_enable(h);
    s.cdw10 = le32(1);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    s = th_sqe(ENVME_ADM_NS_MGMT, 0);
    th_assert_sc(th_cmd_data(h, 0, &s, &c, sizeof(c), TH_PRP), INVALID_FIELD);
    for (unsigned i = 0; i < 2; i++) {
        c.endgid = le16(i);
        th_assert_sc(th_cmd_data(h, 0, &s, &c, sizeof(c), TH_PRP), SUCCESS);
        th_assert_sc(th_identify(h, ENVME_CNS_ALLOC_NS, 1 + i, ns), SUCCESS);
        g_assert_cmpuint(le16_get(ns->endgid), ==, 1);
    }
    th_free(h);
}

/* ---- counters ---------------------------------------------------------- */

static void test_counters(void)
{
    struct th *h = th_new(.multi = true, .ns = { { .size = 4 * MIB } });
    struct th *g = th_new(.peer = h);
    struct envme_log_endgrp log;
    struct envme_log_smart a, b;

    th_enable(h);
    th_enable(g);
    th_queues(h, 1, 8);
    th_queues(g, 1, 8);
    group(h, &log, true);
    g_assert_cmpuint(counter(log.dur), ==, 0);
    g_assert_cmpuint(counter(log.duw), ==, 0);
    g_assert_cmpuint(counter(log.tegcap), ==, 4 * MIB);
    g_assert_cmpuint(counter(log.uegcap), ==, 0);
    g_assert_cmpuint(counter(log.ee), ==, 0);
    g_assert_cmpuint(log.avsp, ==, 100);
    g_assert_cmpuint(log.avspt, ==, 10);
    g_assert_cmpuint(log.pused, ==, 0);
    g_assert_cmpuint(log.egf, ==, 0);
    g_assert_cmpuint(le16_get(log.domainid), ==, 0);
    th_assert_sc(th_write(h, .nlb = 8), SUCCESS);
    th_assert_sc(th_read(h, .nlb = 8), SUCCESS);
    th_assert_sc(th_read(g, .nlb = 8), SUCCESS);
    th_assert_sc(th_read(g, .slba = 1 << 30), LBA_RANGE);
    h->be[0]->fail_op = ENVME_BIO_READ;
    h->be[0]->fail_errno = -EIO;
    th_assert_sc(th_read(g, .nlb = 8), UNRECOVERED_READ);
    h->be[0]->fail_op = -1;
    group(g, &log, true);
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, 0, 0, &a, 512, true), SUCCESS);
    th_assert_sc(th_get_log(g, ENVME_LID_SMART, 0, 0, &b, 512, true), SUCCESS);
    g_assert_cmpuint(counter(log.hrc), ==, counter(a.hrc) + counter(b.hrc));
    g_assert_cmpuint(counter(log.hwc), ==, counter(a.hwc) + counter(b.hwc));
    g_assert_cmpuint(counter(log.mdie), ==, counter(a.mdie) + counter(b.mdie));
    g_assert_cmpuint(counter(log.neile), ==,
                     counter(a.neile) + counter(b.neile));
    g_assert_cmpuint(counter(log.hrc), ==, 3);
    g_assert_cmpuint(counter(log.hwc), ==, 1);
    g_assert_cmpuint(counter(log.mdie), ==, 1);
    g_assert_cmpuint(counter(log.neile), ==, 2);
    g_assert_cmpuint(counter(log.dur), ==, 1);      /* billions, rounded up */
    g_assert_cmpuint(counter(log.duw), ==, 1);
    g_assert_cmpuint(counter(log.muw), ==, 1);
    /* More than a billion bytes. */
    atomic_fetch_add(&h->ctrl->lane[0].stats.written_bytes, 2500000000u);
    atomic_fetch_add(&g->ctrl->lane[0].stats.read_bytes,
                     1000000000u - 3 * 4096);
    group(h, &log, true);
    g_assert_cmpuint(counter(log.duw), ==, 3);
    g_assert_cmpuint(counter(log.muw), ==, 3);
    g_assert_cmpuint(counter(log.dur), ==, 1);
    atomic_fetch_add(&g->ctrl->lane[0].stats.read_bytes, 1);
    group(h, &log, true);
    g_assert_cmpuint(counter(log.dur), ==, 2);
    /* What one has counted stays when it goes. */
    th_free(g);
    group(h, &log, true);
    g_assert_cmpuint(counter(log.hrc), ==, 3);
    g_assert_cmpuint(counter(log.neile), ==, 2);
    g = th_new(.peer = h);
    group(h, &log, true);
    g_assert_cmpuint(counter(log.hrc), ==, 3);
    th_free(g);
    group(h, &log, true);
    g_assert_cmpuint(counter(log.hrc), ==, 3);
    th_free(h);
}

static void test_state(void)
{
    g_autofree char *path = g_strdup_printf("%s/envme-endgrp-%d",
                                            g_get_tmp_dir(), (int)getpid());
    struct th *h = th_new(.multi = true, .state = path);
    struct envme_log_endgrp log;
    uint32_t v;

    th_enable(h);
    th_queues(h, 1, 8);
    th_assert_sc(th_write(h), SUCCESS);
    th_assert_sc(th_set_feature(h, ENVME_FID_ENDGRP_EVENT, 0, CW_FEATURE(4),
                                true), SUCCESS);
    th_free(h);
    h = th_new(.multi = true, .state = path);
    th_enable(h);
    group(h, &log, true);
    g_assert_cmpuint(counter(log.hwc), ==, 1);
    th_assert_sc(th_get_feature(h, ENVME_FID_ENDGRP_EVENT, 0, 0, &v),
                 INVALID_FIELD);                /* group 0 */
    {
        struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, 0);
        struct envme_cqe c;

        s.cdw10 = le32(ENVME_FID_ENDGRP_EVENT);
        s.cdw11 = le32(1);
        c = th_admin(h, &s);
        th_assert_sc(c, SUCCESS);
        g_assert_cmphex(le32_get(c.dw0), ==, CW_FEATURE(4));
    }
    th_free(h);
    g_unlink(path);
}

/* ---- warnings and events ----------------------------------------------- */

static void test_feature(void)
{
    static const uint32_t bad[] = {
        0, 2, 0xffff, CW_FEATURE(2), CW_FEATURE(0x10), CW_FEATURE(0x80),
        1 | 1u << 24, 1 | 1u << 31, 4u << 16,
    };
    struct th *h = th_new(.multi = true);

    th_enable(h);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct envme_cqe c = th_set_feature(h, ENVME_FID_ENDGRP_EVENT, 0,
                                            bad[i], false);

        /* 0: no such group */
        th_assert_sc(c, INVALID_FIELD);
    }
    for (unsigned cw = 0; cw < 16; cw++) {
        if (!(cw & 2)) {
            th_assert_sc(th_set_feature(h, ENVME_FID_ENDGRP_EVENT, 0,
                                        CW_FEATURE(cw), false), SUCCESS);
        }
    }
    th_assert_sc(th_set_feature(h, ENVME_FID_ENDGRP_EVENT, 1, CW_FEATURE(1),
                                false), FEAT_NOT_NS);
    th_free(h);
}

static void test_events(void)
{
    struct th *h = th_new(.multi = true);
    struct th *g = th_new(.peer = h);
    struct envme_log_endgrp log;
    struct envme_log_smart smart;
    struct pelog *pel;
    uint16_t a, b;

    th_enable(h);
    th_enable(g);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, ENVME_FEAT_AEC_EGEALCN,
                                false), SUCCESS);
    a = th_aer(h);
    b = th_aer(g);
    /* A warning that is not enabled. */
    envme_health_set_warning(g->ctrl, ENVME_SMART_CW_NDR);
    g_assert_false(told(h, a));
    g_assert_cmpuint(pending(h, true), ==, 0);
    group(h, &log, true);
    g_assert_cmphex(log.cw, ==, ENVME_EGCW_EGDR);
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, 0, 0, &smart, 512, true),
                 SUCCESS);
    g_assert_cmphex(smart.egcws, ==, ENVME_EGCW_EGDR);
    g_assert_cmphex(smart.cw, ==, 0);   /* the other one's */
    /* It comes when it is enabled: to who wants to hear it. */
    th_assert_sc(th_set_feature(g, ENVME_FID_ENDGRP_EVENT, 0, CW_FEATURE(0xd),
                                false), SUCCESS);
    want_event(h, a);
    g_assert_false(told(g, b));
    g_assert_cmpuint(pending(h, true), ==, 1);
    g_assert_cmpuint(pending(g, false), ==, 1);
    /* Another one while the entry is there is no new event. */
    a = th_aer(h);
    g_assert_cmpuint(pending(h, false), ==, 1);
    envme_health_set_warning(g->ctrl, ENVME_SMART_CW_NDR |
                                      ENVME_SMART_CW_ASCBT);
    g_assert_false(told(h, a));
    group(h, &log, true);               /* RAE: it stays */
    g_assert_cmpuint(pending(h, true), ==, 1);
    g_assert_cmphex(log.cw, ==, ENVME_EGCW_EGDR | ENVME_EGCW_EGASCBT);
    g_assert_cmpuint(log.avsp, <, log.avspt);
    group(h, &log, false);
    g_assert_cmpuint(pending(h, true), ==, 0);
    g_assert_false(told(h, a));
    envme_health_set_warning(h->ctrl, ENVME_SMART_CW_AMRO);
    want_event(h, a);
    /* Not until the aggregate has been read. */
    group(h, &log, false);
    a = th_aer(h);
    envme_health_set_warning(h->ctrl, 0);
    envme_health_set_warning(h->ctrl, ENVME_SMART_CW_AMRO);
    g_assert_cmpuint(pending(h, true), ==, 1);
    g_assert_false(told(h, a));
    pending(h, false);
    want_event(h, a);
    pel = pel_read(h);
    /* Per new warning: the controller's and the group's. */
    g_assert_cmpuint(pel_count(pel, ENVME_PEL_HW_ERROR), ==, 8);
    {
        const struct envme_pel_hw_error *e =
            pel_data(pel, ENVME_PEL_HW_ERROR, 0, 8, 2);
        const uint8_t *info = (const uint8_t *)(e + 1);

        g_assert_cmphex(le16_get(e->nheec), ==, 7);
        g_assert_cmphex(info[0], ==, 0xd);
        g_assert_cmphex(info[2] | info[3] << 8, ==, 1);
    }
    g_free(pel);
    /* One that leaves takes its warnings along. */
    th_free(g);
    group(h, &log, true);
    g_assert_cmphex(log.cw, ==, ENVME_EGCW_EGRO);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/endurance/identify", test_identify);
    g_test_add_func("/endurance/none", test_none);
    g_test_add_func("/endurance/create", test_create);
    g_test_add_func("/endurance/counters", test_counters);
    g_test_add_func("/endurance/state", test_state);
    g_test_add_func("/endurance/feature", test_feature);
    g_test_add_func("/endurance/events", test_events);
    return g_test_run();
}
