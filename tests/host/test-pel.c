/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Persistent Event log: header, contexts, every type of event, what is
 * kept and what is dropped. Base 2.1, 5.1.12.1.14.
 */
#include "pelog.h"

#include <glib/gstdio.h>

#include "envme/id-ns.h"
#include "hw/admin/pel.h"

#define MS   (1000ull * 1000)
#define HOUR (3600ull * 1000 * MS)

static char *state_path(void)
{
    static unsigned n;

    return g_strdup_printf("%s/envme-pel-%d-%u", g_get_tmp_dir(),
                           (int)getpid(), n++);
}

/* ---- contexts ---------------------------------------------------------- */

static void test_header(void)
{
    struct th *h = th_new();
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    g_autofree struct envme_log_supported *sup = g_malloc(sizeof(*sup));
    struct pelog *log;
    static const uint8_t types[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                                     13 };
    uint8_t seb[32] = { 0 };

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(id->lpa & ENVME_LPA_PES, !=, 0);
    g_assert_cmpuint(le32_get(id->pels), ==, 2);
    th_assert_sc(th_get_log(h, ENVME_LID_SUPPORTED, 0, 0, sup, sizeof(*sup),
                            true), SUCCESS);
    g_assert_cmphex(le32_get(sup->lids[ENVME_LID_PERSISTENT_EVENT]), ==,
                    ENVME_LIDS_LSUPP | ENVME_LIDS_PEL_EC512);
    th_advance(h, 5 * HOUR);
    log = pel_read(h);
    g_assert_cmpuint(log->h.rv, ==, 3);
    g_assert_cmpuint(le16_get(log->h.lhl), ==, 492);
    g_assert_cmpuint(pel_ms(&log->h.ts), ==, 5 * HOUR / MS);
    g_assert_cmphex(log->h.ts.attr, ==, 0);
    g_assert_cmpuint(log->h.poh[0], ==, 5);
    g_assert_cmpuint(le64_get(log->h.pcc), ==, 1);
    g_assert_cmpmem(&log->h.vid, 2, &id->vid, 2);
    g_assert_cmpmem(&log->h.ssvid, 2, &id->ssvid, 2);
    g_assert_cmpmem(log->h.sn, 20, id->sn, 20);
    g_assert_cmpmem(log->h.mn, 40, id->mn, 40);
    g_assert_cmpmem(log->h.subnqn, 256, id->subnqn, 256);
    for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
        seb[types[i] / 8] |= 1 << types[i] % 8;
    }
    g_assert_cmpmem(log->h.seb, 32, seb, 32);
    g_assert_cmpuint(le32_get(log->h.tnev), ==, 2);     /* SMART, power on */
    g_free(log);
    th_free(h);
}

static void set_ts(struct th *h, uint64_t ms)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);
    struct envme_timestamp ts = { 0 };

    s.cdw10 = le32(ENVME_FID_TIMESTAMP);
    for (unsigned i = 0; i < 6; i++) {
        ts.timestamp[i] = ms >> (8 * i);
    }
    th_assert_sc(th_cmd_data(h, 0, &s, &ts, sizeof(ts), TH_PRP), SUCCESS);
}

static void test_context(void)
{
    struct th *h = th_new();
    g_autofree struct pelog *a = g_malloc0(sizeof(*a));
    g_autofree struct pelog *b = g_malloc0(sizeof(*b));
    uint64_t tll;
    unsigned gnum;

    th_enable(h);
    th_assert_sc(pel_get(h, ENVME_PEL_READ, 0, a, 512), SEQUENCE_ERROR);
    pel_release(h);             /* none there is no error */
    pel_release(h);
    th_assert_sc(pel_get(h, ENVME_PEL_ESTABLISH_READ, 0, a, 4096), SUCCESS);
    g_assert_cmphex(le32_get(a->h.rci), ==, 0);
    tll = le64_get(a->h.tll);
    gnum = le16_get(a->h.gnum);
    g_assert_cmpuint(tll, <, 4096);
    /* There is one; also for who asks for the header, who is told. */
    th_assert_sc(pel_get(h, ENVME_PEL_ESTABLISH_READ, 0, b, 512),
                 SEQUENCE_ERROR);
    th_assert_sc(pel_get(h, ENVME_PEL_ESTABLISH_512, 0, b, 512), SUCCESS);
    g_assert_cmphex(le32_get(b->h.rci), ==, ENVME_PEL_RCI_RCE | 1 << 16);
    b->h.rci = le32(0);
    g_assert_cmpmem(&a->h, 512, &b->h, 512);
    /* What happens now is not in it, however often it is read. */
    set_ts(h, 1000);
    memset(b, 0xee, 8192);
    th_assert_sc(pel_get(h, ENVME_PEL_READ, 0, b, 4096), SUCCESS);
    g_assert_cmphex(le32_get(b->h.rci), ==, ENVME_PEL_RCI_RCE | 1 << 16);
    b->h.rci = le32(0);
    g_assert_cmpmem(a, 4096, b, 4096);
    for (uint64_t i = tll; i < 4096; i++) {
        g_assert_cmphex(((uint8_t *)b)[i], ==, 0);
    }
    pel_release(h);
    th_assert_sc(pel_get(h, ENVME_PEL_READ, 0, b, 512), SEQUENCE_ERROR);
    th_assert_sc(pel_get(h, ENVME_PEL_ESTABLISH_READ, 0, b, 4096), SUCCESS);
    g_assert_cmpuint(le64_get(b->h.tll), ==, tll + 24 + 16);
    g_assert_cmpuint(le16_get(b->h.gnum), ==, gnum + 1);
    pel_release(h);
    /* Nothing new: the same generation. */
    th_assert_sc(pel_get(h, ENVME_PEL_ESTABLISH_READ, 0, b, 4096), SUCCESS);
    g_assert_cmpuint(le16_get(b->h.gnum), ==, gnum + 1);
    /* A reset of who established it releases it. */
    th_disable(h);
    th_enable(h);
    th_assert_sc(pel_get(h, ENVME_PEL_READ, 0, b, 512), SEQUENCE_ERROR);
    th_free(h);
}

/* It is the subsystem's: whoever comes reads and releases it. */
static void test_two(void)
{
    struct th *h = th_new(.multi = true);
    struct th *g = th_new(.peer = h);
    g_autofree struct pelog *a = g_malloc0(sizeof(*a));
    struct pelog *log;

    th_enable(h);
    th_enable(g);
    th_assert_sc(pel_get(h, ENVME_PEL_ESTABLISH_READ, 0, a, 512), SUCCESS);
    th_assert_sc(pel_get(g, ENVME_PEL_ESTABLISH_READ, 0, a, 512),
                 SEQUENCE_ERROR);
    th_assert_sc(pel_get(g, ENVME_PEL_READ, 0, a, 512), SUCCESS);
    th_disable(g);              /* not its own */
    th_assert_sc(pel_get(h, ENVME_PEL_READ, 0, a, 512), SUCCESS);
    th_enable(g);
    pel_release(g);
    th_assert_sc(pel_get(h, ENVME_PEL_READ, 0, a, 512), SEQUENCE_ERROR);
    log = pel_read(g);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_POWER_ON), ==, 3);
    g_assert_cmpuint(le16_get(pel_find(log, ENVME_PEL_POWER_ON, 0)->cntlid),
                     ==, 1);
    g_assert_cmpuint(le16_get(pel_find(log, ENVME_PEL_POWER_ON, 2)->cntlid),
                     ==, 0);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_SMART), ==, 2);
    g_free(log);
    th_free(g);
    th_free(h);
}

static void test_bad(void)
{
    struct th *h = th_new();
    g_autofree struct pelog *a = g_malloc0(sizeof(*a));
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, 1);
    uint64_t tll, end;

    th_enable(h);
    for (unsigned bit = 2; bit < 7; bit++) {
        th_assert_sc(pel_get(h, 1u << bit | ENVME_PEL_ESTABLISH_READ, 0, a,
                             512), INVALID_FIELD);
    }
    th_assert_sc(pel_get(h, ENVME_PEL_ESTABLISH_READ, 1 << 20, a, 512),
                 INVALID_FIELD);
    th_assert_sc(pel_get(h, ENVME_PEL_ESTABLISH_READ, 2, a, 512),
                 INVALID_FIELD);
    th_assert_sc(pel_get(h, ENVME_PEL_ESTABLISH_READ, 1ull << 63, a, 512),
                 INVALID_FIELD);
    /* The subsystem's: no namespace; no index offset. */
    s.cdw10 = le32(ENVME_LID_PERSISTENT_EVENT | 1 << 8 | 127 << 16);
    th_assert_sc(th_cmd_data(h, 0, &s, a, 512, TH_PRP), INVALID_FIELD);
    s.nsid = le32(0);
    s.cdw14 = le32(ENVME_GETLOG_OT);
    th_assert_sc(th_cmd_data(h, 0, &s, a, 512, TH_PRP), INVALID_FIELD);
    /* None of that has established a context. */
    th_assert_sc(pel_get(h, ENVME_PEL_READ, 0, a, 512), SEQUENCE_ERROR);
    /* The header is 512 bytes from the start, whatever else was asked for. */
    memset(a, 0xee, 8192);
    th_assert_sc(pel_get(h, ENVME_PEL_ESTABLISH_512, 1ull << 40 | 3, a, 4096),
                 SUCCESS);
    g_assert_cmphex(a->h.lid, ==, ENVME_LID_PERSISTENT_EVENT);
    g_assert_cmphex(a->data[0], ==, 0xee);
    tll = le64_get(a->h.tll);
    end = (tll + 3) & ~3ull;
    th_assert_sc(pel_get(h, ENVME_PEL_READ, end > tll ? end - 4 : tll, a, 64),
                 SUCCESS);
    th_assert_sc(pel_get(h, ENVME_PEL_READ, (tll & ~3ull) + 4, a, 4),
                 INVALID_FIELD);
    /* Release ignores them, too. */
    th_assert_sc(pel_get(h, ENVME_PEL_RELEASE, 1ull << 40 | 3, a, 512),
                 SUCCESS);
    th_assert_sc(pel_get(h, ENVME_PEL_READ, 0, a, 512), SEQUENCE_ERROR);
    th_free(h);
}

/* ---- events ------------------------------------------------------------ */

static void test_power_on(void)
{
    struct th *h = th_new();
    struct {
        struct envme_pel_power_on e;
        struct envme_pel_power_on_ctrl c;
    } __attribute__((packed)) const *p;
    const struct envme_pel_timestamp *t;
    struct pelog *log;

    th_enable(h);
    th_advance(h, 70 * MS);
    set_ts(h, 1234567);
    th_advance(h, 30 * MS);
    th_disable(h);
    th_advance(h, 10 * MS);
    th_enable(h);
    log = pel_read(h);
    t = pel_data(log, ENVME_PEL_TIMESTAMP, 0, 16, 1);
    g_assert_cmpuint(pel_ms(&t->pts), ==, 70);
    g_assert_cmphex(t->pts.attr, ==, 0);
    g_assert_cmpuint(le64_get(t->msr), ==, 70);
    g_assert_cmpuint(pel_ms(&pel_find(log, ENVME_PEL_TIMESTAMP, 0)->ets), ==,
                     1234567);
    g_assert_cmphex(pel_find(log, ENVME_PEL_TIMESTAMP, 0)->ets.attr, ==,
                    FIELD_SET(ENVME_TIMESTAMP_TO, ENVME_TIMESTAMP_TO_HOST));
    g_assert_cmpuint(pel_count(log, ENVME_PEL_POWER_ON), ==, 2);
    p = pel_data(log, ENVME_PEL_POWER_ON, 0, sizeof(*p), 1);
    g_assert_cmpmem(p->e.fr, 8, "1.0     ", 8);
    g_assert_cmpuint(le16_get(p->c.cntlid), ==, 0);
    g_assert_cmpuint(p->c.fa, ==, 0);
    g_assert_cmpuint(p->c.oip, ==, 0);
    g_assert_cmpuint(le32_get(p->c.cpc), ==, 1);
    g_assert_cmpuint(le64_get(p->c.pom), ==, 110);
    g_assert_cmpuint(pel_ms(&p->c.cts), ==, 10);     /* since the reset */
    /* The newest comes first; Set Features (0Eh) has its own event. */
    g_assert_true(pel_find(log, ENVME_PEL_POWER_ON, 0) ==
                  (const void *)log->data);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_SET_FEATURE), ==, 0);
    g_free(log);
    th_free(h);
}

/* One at the start, and one in every 24 hours. */
static void test_smart(void)
{
    struct th *h = th_new();
    struct envme_log_smart now;
    struct pelog *log;

    th_enable(h);
    th_queues(h, 1, 8);
    th_assert_sc(th_write(h), SUCCESS);
    for (unsigned i = 0; i < 24 * 10; i++) {
        th_advance(h, HOUR);
    }
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_SMART), >=, 11);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_SMART), <=, 12);
    for (unsigned i = 0; i + 1 < pel_count(log, ENVME_PEL_SMART); i++) {
        const struct envme_log_smart *a = pel_data(log, 1, i, 512, 1);
        const struct envme_log_smart *b = pel_data(log, 1, i + 1, 512, 1);

        g_assert_cmpuint(a->poh[0] - b->poh[0], >, 0);
        g_assert_cmpuint(a->poh[0] - b->poh[0], <=, 24);
        g_assert_cmpuint(a->hwc[0], ==, 1);
    }
    g_free(log);
    th_advance(h, 24 * HOUR);
    log = pel_read(h);
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, 0, 0, &now, 512, true),
                 SUCCESS);
    now.poh[0] = ((const struct envme_log_smart *)
                  pel_data(log, 1, 0, 512, 1))->poh[0];
    g_assert_cmpmem(&now, 512, pel_data(log, 1, 0, 512, 1), 512);
    g_free(log);
    th_free(h);
}

static struct envme_cqe fw_commit(struct th *h, unsigned ca, unsigned slot)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_FW_COMMIT, 0);

    s.cdw10 = le32(ca << 3 | slot);
    return th_admin(h, &s);
}

static void test_firmware(void)
{
    struct th *h = th_new();
    const struct envme_pel_fw_commit *e;
    struct pelog *log;

    th_enable(h);
    th_assert_sc(fw_commit(h, 1, 2), FW_IMAGE_INVALID);
    th_assert_sc(fw_commit(h, 2, 1), SUCCESS);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_FW_COMMIT), ==, 2);
    e = pel_data(log, ENVME_PEL_FW_COMMIT, 1, 22, 1);
    g_assert_cmpmem(e->ofr, 8, "1.0     ", 8);
    g_assert_cmpmem(e->nfr, 8, "\0\0\0\0\0\0\0\0", 8);
    g_assert_cmpuint(e->fca, ==, 1);
    g_assert_cmpuint(e->fs, ==, 2);
    g_assert_cmphex(e->sct, ==, 1);
    g_assert_cmphex(e->sc, ==, 7);
    e = pel_data(log, ENVME_PEL_FW_COMMIT, 0, 22, 1);
    g_assert_cmpmem(e->nfr, 8, "1.0     ", 8);
    g_assert_cmpuint(e->fca, ==, 2);
    g_assert_cmpuint(e->fs, ==, 1);
    g_assert_cmphex(e->sct | e->sc, ==, 0);
    g_free(log);
    /* The reset that follows activates it. */
    th_disable(h);
    th_enable(h);
    log = pel_read(h);
    g_assert_cmpuint(((const uint8_t *)pel_data(log, ENVME_PEL_POWER_ON, 0, 44,
                                                1))[8 + 2], ==, 1);
    g_assert_cmpuint(((const uint8_t *)pel_data(log, ENVME_PEL_POWER_ON, 1, 44,
                                                1))[8 + 2], ==, 0);
    g_free(log);
    /* Without a reset: when it is over. */
    {
        struct envme_sqe s = th_sqe(ENVME_ADM_FW_COMMIT, 0);
        uint16_t cid;

        s.cdw10 = le32(3 << 3 | 1);
        cid = th_submit(h, 0, &s);
        th_run(h);
        th_advance(h, 100 * MS);
        th_wait(h, 0, cid);
    }
    log = pel_read(h);
    e = pel_data(log, ENVME_PEL_FW_COMMIT, 0, 22, 1);
    g_assert_cmpuint(e->fca, ==, 3);
    g_assert_cmphex(e->sct | e->sc, ==, 0);
    g_free(log);
    th_free(h);
}

static void test_namespaces(void)
{
    struct th *h = th_new(.multi = true, .ns = { { .size = 4 * MIB } });
    struct envme_sqe s = th_sqe(ENVME_ADM_NS_MGMT, 1);
    struct envme_ns_mgmt_create c = {
        .nsze = le64(1000), .ncap = le64(1000), .nmic = 1, .endgid = le16(1),
    };
    const struct envme_pel_change_ns *e;
    struct pelog *log;

    th_enable(h);
    s.cdw10 = le32(1);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    s.nsid = le32(0);
    s.cdw10 = le32(0);
    th_assert_sc(th_cmd_data(h, 0, &s, &c, sizeof(c), TH_PRP), SUCCESS);
    c.ncap = le64(1001);
    th_assert_sc(th_cmd_data(h, 0, &s, &c, sizeof(c), TH_PRP), INVALID_FIELD);
    s.nsid = le32(UINT32_MAX);
    s.cdw10 = le32(1);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_CHANGE_NS), ==, 3);
    e = pel_data(log, ENVME_PEL_CHANGE_NS, 2, 48, 2);
    g_assert_cmpuint(le32_get(e->nsmgmt_cdw10), ==, 1);
    g_assert_cmpuint(le32_get(e->nsid), ==, 1);
    g_assert_cmpuint(le64_get(e->nsze), ==, 8192);
    g_assert_cmpuint(le64_get(e->ncap), ==, 8192);
    g_assert_cmpuint(le16_get(e->endgid), ==, 1);
    e = pel_data(log, ENVME_PEL_CHANGE_NS, 1, 48, 2);
    g_assert_cmpuint(le32_get(e->nsmgmt_cdw10), ==, 0);
    g_assert_cmpuint(le32_get(e->nsid), ==, 1);
    g_assert_cmpuint(le64_get(e->nsze), ==, 1000);
    g_assert_cmpuint(le64_get(e->ncap), ==, 1000);
    g_assert_cmpuint(e->nmic, ==, 1);
    g_assert_cmpuint(le16_get(e->endgid), ==, 1);
    e = pel_data(log, ENVME_PEL_CHANGE_NS, 0, 48, 2);
    g_assert_cmphex(le32_get(e->nsid), ==, UINT32_MAX);
    g_assert_cmpuint(le64_get(e->nsze), ==, 0);
    g_free(log);
    th_free(h);
}

static bool settled(void *arg)
{
    struct th *h = arg;

    return !atomic_load(&h->subsys->ns[1]->gate_sf);
}

static void test_format(void)
{
    struct th *h = th_new();
    struct envme_sqe s = th_sqe(ENVME_ADM_FORMAT, 1);
    const struct envme_pel_format_start *b;
    const struct envme_pel_format_done *d;
    struct pelog *log;
    uint16_t cid;

    th_enable(h);
    s.cdw10 = le32(1 << 9);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    s.nsid = le32(UINT32_MAX);
    h->be[0]->fail_op = ENVME_BIO_WRITE_ZEROES;
    h->be[0]->fail_errno = -EIO;
    th_assert_sc(th_admin(h, &s), WRITE_FAULT);
    h->be[0]->fail_op = -1;
    s.nsid = le32(1);
    s.cdw10 = le32(0xf);
    th_assert_sc(th_admin(h, &s), FORMAT_INVALID);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_FORMAT_START), ==, 2);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_FORMAT_DONE), ==, 2);
    b = pel_data(log, ENVME_PEL_FORMAT_START, 1, 12, 1);
    g_assert_cmphex(le32_get(b->nsid), ==, 1);
    g_assert_cmphex(b->fna, ==, ENVME_FNA_CRYES);
    g_assert_cmphex(le32_get(b->cdw10), ==, 1 << 9);
    d = pel_data(log, ENVME_PEL_FORMAT_DONE, 1, 12, 2);
    g_assert_cmphex(le32_get(d->nsid), ==, 1);
    g_assert_cmpuint(d->sfpi, ==, 0);
    g_assert_cmphex(d->fns, ==, 0);
    g_assert_cmphex(le32_get(d->sf), ==, 0);
    d = pel_data(log, ENVME_PEL_FORMAT_DONE, 0, 12, 2);
    g_assert_cmphex(le32_get(d->nsid), ==, UINT32_MAX);
    g_assert_cmpuint(d->sfpi, ==, 0);           /* of all of them: always */
    g_assert_cmphex(d->fns, ==, 3);
    g_assert_cmphex(le32_get(d->sf) >> 1, ==, ENVME_SC_WRITE_FAULT);
    g_free(log);
    /* A reset in the middle says so, and the format ends by itself. */
    s.cdw10 = le32(1 << 9);
    atomic_store(&h->be[0]->hold, true);
    cid = th_submit(h, 0, &s);
    th_run(h);
    th_abandon(h, 0, cid);
    th_disable(h);
    th_enable(h);
    log = pel_read(h);
    g_assert_cmpuint(((const uint8_t *)pel_data(log, ENVME_PEL_POWER_ON, 0, 44,
                                                1))[8 + 3], ==, 1);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_FORMAT_DONE), ==, 2);
    g_free(log);
    atomic_store(&h->be[0]->hold, false);
    th_be_release_all(h->be[0], -EIO);
    g_assert_true(th_until(h, settled, h));
    log = pel_read(h);
    d = pel_data(log, ENVME_PEL_FORMAT_DONE, 0, 12, 2);
    g_assert_cmpuint(d->sfpi, ==, 100);
    g_assert_cmphex(d->fns, ==, 3);
    g_free(log);
    th_free(h);
}

static void test_sanitize(void)
{
    struct th *h = th_new();
    struct envme_sqe s = th_sqe(ENVME_ADM_SANITIZE, 0);
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    const struct envme_pel_sanitize_start *b;
    const struct envme_pel_sanitize_done *d;
    struct pelog *log;

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    s.cdw10 = le32(ENVME_SANITIZE_OVERWRITE | 2 << 4 | ENVME_SANITIZE_AUSE);
    s.cdw11 = le32(0xdeadbeef);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    log = pel_read(h);          /* it may be read meanwhile */
    b = pel_data(log, ENVME_PEL_SANITIZE_START, 0, 12, 1);
    g_assert_cmphex(le32_get(b->sanicap), ==, le32_get(id->sanicap));
    g_assert_cmphex(le32_get(b->cdw10), ==, le32_get(s.cdw10));
    g_assert_cmphex(le32_get(b->cdw11), ==, 0xdeadbeef);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_SANITIZE_DONE), ==, 0);
    g_free(log);
    for (unsigned i = 0; i < 40; i++) {
        th_advance(h, 30 * MS);
    }
    log = pel_read(h);
    d = pel_data(log, ENVME_PEL_SANITIZE_DONE, 0, 8, 1);
    g_assert_cmphex(le16_get(d->sprog), ==, 0xffff);
    g_assert_cmphex(le16_get(d->sstat), ==, ENVME_SSTAT_GDE | 2 << 3 |
                    ENVME_SOS_SUCCESS);
    g_free(log);
    s.cdw10 = le32(ENVME_SANITIZE_BLOCK_ERASE | ENVME_SANITIZE_AUSE);
    envme_sanitize_fail_next(h->subsys);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    for (unsigned i = 0; i < 40; i++) {
        th_advance(h, 30 * MS);
    }
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_SANITIZE_START), ==, 2);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_SANITIZE_DONE), ==, 2);
    d = pel_data(log, ENVME_PEL_SANITIZE_DONE, 0, 8, 1);
    g_assert_cmphex(le16_get(d->sstat), ==, ENVME_SOS_FAILED);
    g_free(log);
    th_free(h);
}

static void check_features(const char *path)
{
    struct th *h = th_new(.state = path, .ns = { { .size = MIB }, { .size = MIB } });
    struct envme_feat_host_behavior hb = { .lbafee = 1 };
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);
    struct pelog *log;
    const le32_t *dw;

    th_enable(h);
    th_assert_sc(th_set_feature(h, ENVME_FID_ARBITRATION, 0, 3, false),
                 SUCCESS);
    th_assert_sc(th_set_feature(h, ENVME_FID_ARBITRATION, 0, 3, false),
                 SUCCESS);                      /* as it is */
    th_assert_sc(th_set_feature(h, ENVME_FID_ARBITRATION, 0, 0x18, false),
                 INVALID_FIELD);
    th_assert_sc(th_set_feature(h, ENVME_FID_TEMP_THRESH, 0, 350, true),
                 SUCCESS);
    /* Not to be in the log, or not recommended. */
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, 1, false), SUCCESS);
    th_assert_sc(th_set_feature(h, ENVME_FID_POWER_MGMT, 0, 0x40, false),
                 SUCCESS);
    /* Several namespaces are one command. */
    th_assert_sc(th_set_feature(h, ENVME_FID_ERROR_RECOVERY, UINT32_MAX, 7,
                                false), SUCCESS);
    th_assert_sc(th_set_feature(h, ENVME_FID_NUM_QUEUES, 0, 0x00030003,
                                false), SUCCESS);
    s.cdw10 = le32(ENVME_FID_HOST_BEHAVIOR);
    th_assert_sc(th_cmd_data(h, 0, &s, &hb, sizeof(hb), TH_PRP), SUCCESS);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_SET_FEATURE), ==, 5);
    dw = pel_data(log, ENVME_PEL_SET_FEATURE, 4, 12, 1);
    g_assert_cmphex(le32_get(dw[0]), ==, 2);
    g_assert_cmphex(le32_get(dw[1]), ==, ENVME_FID_ARBITRATION);
    g_assert_cmphex(le32_get(dw[2]), ==, 3);
    dw = pel_data(log, ENVME_PEL_SET_FEATURE, 3, 12, 1);
    g_assert_cmphex(le32_get(dw[1]), ==, ENVME_FID_TEMP_THRESH | 1u << 31);
    g_assert_cmphex(le32_get(dw[2]), ==, 350);
    dw = pel_data(log, ENVME_PEL_SET_FEATURE, 2, 12, 1);
    g_assert_cmphex(le32_get(dw[1]), ==, ENVME_FID_ERROR_RECOVERY);
    dw = pel_data(log, ENVME_PEL_SET_FEATURE, 1, 16, 1);
    g_assert_cmphex(le32_get(dw[0]), ==, 2 | ENVME_PEL_SFEL_LCCDW0);
    g_assert_cmphex(le32_get(dw[1]), ==, ENVME_FID_NUM_QUEUES);
    g_assert_cmphex(le32_get(dw[3]), ==, 0x00030003);
    dw = pel_data(log, ENVME_PEL_SET_FEATURE, 0, 12 + 512, 1);
    g_assert_cmphex(le32_get(dw[0]), ==, 2 | 512 << 16);
    g_assert_cmpmem(&dw[3], 512, &hb, 512);
    g_free(log);
    /* What its row keeps itself is in it, too. */
    {
        struct envme_feat_ns_label label = { 0 };

        s = th_sqe(ENVME_ADM_SET_FEATURES, 2);
        s.cdw10 = le32(ENVME_FID_NS_ADMIN_LABEL | ENVME_FEAT_SV);
        memcpy(&label, "a label", 7);
        th_assert_sc(th_cmd_data(h, 0, &s, &label, sizeof(label), TH_PRP),
                     SUCCESS);
        log = pel_read(h);
        dw = pel_data(log, ENVME_PEL_SET_FEATURE, 0, 12 + sizeof(label), 1);
        g_assert_cmphex(le32_get(dw[0]), ==, 2 | sizeof(label) << 16);
        g_assert_cmpmem(&dw[3], sizeof(label), &label, sizeof(label));
        g_free(log);
    }
    th_free(h);
}

static void test_features(void)
{
    g_autofree char *path = state_path();

    check_features(NULL);
    check_features(path);
    g_unlink(path);
}

/* Boot partitions are written and made active by Firmware Commit. */
static void with_bp(struct envme_ctrl_params *p)
{
    p->bp_units = 1;
}

static void check_bootpart(const char *path)
{
    struct th *h = th_new(.multi = true, .state = path, .tweak = with_bp);
    const struct envme_pel_fw_commit *e;
    struct pelog *log;

    th_enable(h);
    th_assert_sc(fw_commit(h, ENVME_FWCOMMIT_BP_REPLACE, 0), BP_WRITE_PROHIBITED);
    th_assert_sc(fw_commit(h, ENVME_FWCOMMIT_BP_ACTIVATE, 0), SUCCESS);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_FW_COMMIT), ==, 2);
    e = pel_data(log, ENVME_PEL_FW_COMMIT, 1, 22, 1);
    g_assert_cmpuint(e->fca, ==, ENVME_FWCOMMIT_BP_REPLACE);
    g_assert_cmphex(e->sct << 8 | e->sc, ==, ENVME_SC_BP_WRITE_PROHIBITED);
    e = pel_data(log, ENVME_PEL_FW_COMMIT, 0, 22, 1);
    g_assert_cmpuint(e->fca, ==, ENVME_FWCOMMIT_BP_ACTIVATE);
    g_assert_cmphex(e->sct << 8 | e->sc, ==, 0);
    g_assert_cmpmem(e->ofr, 8, "1.0     ", 8);
    g_free(log);
    th_free(h);
}

static void test_bootpart(void)
{
    g_autofree char *path = state_path();

    check_bootpart(NULL);
    check_bootpart(path);
    g_unlink(path);
}

static void test_telemetry(void)
{
    struct th *h = th_new();
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, 0);
    struct envme_log_telemetry host, ctrl;
    struct pelog *log;

    th_enable(h);
    s.cdw10 = le32(ENVME_LID_TELEMETRY_HOST | 1 << 8 | 127 << 16);
    th_assert_sc(th_cmd_data(h, 0, &s, &host, 512, TH_PRP), SUCCESS);
    envme_telemetry_report(h->ctrl, "a reason");
    s.cdw10 = le32(ENVME_LID_TELEMETRY_CTRL | 1 << 15 | 127 << 16);
    th_assert_sc(th_cmd_data(h, 0, &s, &ctrl, 512, TH_PRP), SUCCESS);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_TELEMETRY), ==, 2);
    g_assert_cmpmem(pel_data(log, ENVME_PEL_TELEMETRY, 1, 512, 1), 512, &host,
                    512);
    g_assert_cmpmem(pel_data(log, ENVME_PEL_TELEMETRY, 0, 512, 1), 512, &ctrl,
                    512);
    g_free(log);
    th_free(h);
}

static void check_hw(const struct pelog *log, unsigned n, unsigned code,
                     size_t len, const void *info)
{
    const struct envme_pel_hw_error *e =
        pel_data(log, ENVME_PEL_HW_ERROR, n, 4 + len, 2);

    g_assert_cmphex(le16_get(e->nheec), ==, code);
    g_assert_cmpmem(e + 1, len, info, len);
}

static void test_warnings(void)
{
    struct th *h = th_new();
    const struct envme_pel_thermal *t;
    struct pelog *log;
    static const uint8_t want[][2] = {  /* newest first: kelvin, threshold */
        { 43, ENVME_PEL_TH_NORMAL }, { 27, ENVME_PEL_TH_CCTEMP },
        { 57, ENVME_PEL_TH_WCTEMP }, { 1, ENVME_PEL_TH_NORMAL },
        { 2, ENVME_PEL_TH_WCTEMP },
    };

    th_enable(h);
    envme_health_set_warning(h->ctrl, ENVME_SMART_CW_NDR);
    envme_health_set_warning(h->ctrl, ENVME_SMART_CW_NDR);
    envme_health_set_warning(h->ctrl, ENVME_SMART_CW_NDR |
                                      ENVME_SMART_CW_AMRO);
    envme_health_set_warning(h->ctrl, 0);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_HW_ERROR), ==, 2);
    check_hw(log, 1, 6, 4, "\4\0\0\0");
    check_hw(log, 0, 6, 4, "\14\0\0\0");
    g_free(log);
    envme_health_set_temperature(h->ctrl, ENVME_ADMIN_WCTEMP + 2);
    envme_health_set_temperature(h->ctrl, ENVME_ADMIN_WCTEMP + 3);
    envme_health_set_temperature(h->ctrl, ENVME_ADMIN_WCTEMP - 1);
    envme_health_set_temperature(h->ctrl, 400);
    envme_health_set_temperature(h->ctrl, 300);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_THERMAL), ==, 5);
    for (unsigned i = 0; i < G_N_ELEMENTS(want); i++) {
        t = pel_data(log, ENVME_PEL_THERMAL, i, 2, 1);
        g_assert_cmpuint(t->ot, ==, want[i][0]);
        g_assert_cmphex(t->th, ==, want[i][1]);
    }
    g_free(log);
    th_free(h);
}

/* Thermal management that the host controls (feature 10h): what begins and
 * ends, below WCTEMP and above it. */
static void test_throttling(void)
{
    struct th *h = th_new();
    const struct envme_pel_thermal *t;
    struct pelog *log;
    static const uint8_t want[][2] = {  /* newest first: kelvin, threshold */
        { 43, ENVME_PEL_TH_NORMAL }, { 7, ENVME_PEL_TH_WCTEMP },
        { 30, ENVME_PEL_TH_TMT2 }, { 0, ENVME_PEL_TH_TM_STOPPED },
        { 0, ENVME_PEL_TH_TMT2 }, { 5, ENVME_PEL_TH_TMT1 },
    };

    th_enable(h);
    th_assert_sc(th_set_feature(h, ENVME_FID_HCTM, 0, 310 << 16 | 320, false),
                 SUCCESS);
    envme_health_set_temperature(h->ctrl, 315);
    envme_health_set_temperature(h->ctrl, 316);
    envme_health_set_temperature(h->ctrl, 320);
    envme_health_set_temperature(h->ctrl, 312);
    envme_health_set_temperature(h->ctrl, 300);
    envme_health_set_temperature(h->ctrl, 350);
    envme_health_set_temperature(h->ctrl, 300);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_THERMAL), ==, 6);
    for (unsigned i = 0; i < G_N_ELEMENTS(want); i++) {
        t = pel_data(log, ENVME_PEL_THERMAL, i, 2, 1);
        g_assert_cmphex(t->th, ==, want[i][1]);
        g_assert_cmpuint(t->ot, ==, want[i][0]);
    }
    g_assert_cmpuint(pel_count(log, ENVME_PEL_SET_FEATURE), ==, 1);
    g_free(log);
    th_free(h);
}

static void test_errors(void)
{
    struct th *h = th_new(.lanes = 2, .ns = { { .size = MIB } });
    struct envme_cqe c, seen;
    struct pelog *log;
    uint8_t buf[512];

    th_enable(h);
    th_queues(h, 2, 16);
    h->be[0]->fail_op = ENVME_BIO_READ;
    h->be[0]->fail_errno = -EIO;
    c = th_read(h, .data = buf, .qid = 2);
    th_assert_sc(c, UNRECOVERED_READ);
    th_run(h);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_HW_ERROR), ==, 1);
    g_assert_cmpuint(le16_get(pel_find(log, ENVME_PEL_HW_ERROR, 0)->el), ==,
                     20);
    memcpy(&seen, (const uint8_t *)
           (pel_find(log, ENVME_PEL_HW_ERROR, 0) + 1) + 4, 16);
    g_assert_cmpuint(le16_get(seen.sqid), ==, 2);
    g_assert_cmpuint(le16_get(seen.cid), ==, le16_get(c.cid));
    g_assert_cmphex(cqe_sc(&seen), ==, ENVME_SC_UNRECOVERED_READ);
    g_free(log);
    /* Many are told of as a few. */
    for (unsigned i = 0; i < 50; i++) {
        th_assert_sc(th_read(h, .data = buf), UNRECOVERED_READ);
        th_run(h);
    }
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_HW_ERROR), ==, 8);
    g_free(log);
    th_advance(h, HOUR);
    th_assert_sc(th_read(h, .data = buf), UNRECOVERED_READ);
    th_run(h);
    h->be[0]->fail_op = -1;
    /* What the host does itself is no error of the medium. */
    memset(buf, 0x77, sizeof(buf));
    th_assert_sc(th_rw(h, ENVME_NVM_COMPARE, .data = buf), COMPARE_FAILURE);
    th_run(h);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_HW_ERROR), ==, 9);
    g_free(log);
    th_free(h);
}

/* From lanes of their own, at once; a reset while one is told. */
static void test_errors_threads(void)
{
    struct th *h = th_new(.lanes = 2, .threads = true,
                          .ns = { { .size = MIB } });
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);
    struct th_buf *b[16];
    struct pelog *log;
    uint16_t cid[2][8];

    th_enable(h);
    th_queues(h, 2, 16);
    h->be[0]->fail_op = ENVME_BIO_READ;
    h->be[0]->fail_errno = -EIO;
    for (unsigned i = 0; i < 16; i++) {
        b[i] = th_buf_new(h, 512, TH_PRP);
    }
    for (unsigned n = 0; n < 20; n++) {
        for (unsigned i = 0; i < 16; i++) {
            th_buf_attach(b[i], &s);
            cid[i % 2][i / 2] = th_submit(h, 1 + i % 2, &s);
        }
        if (n % 5 == 4) {
            th_disable(h);
            th_enable(h);
            th_queues(h, 2, 16);
            continue;
        }
        for (unsigned i = 0; i < 16; i++) {
            th_assert_sc(th_wait(h, 1 + i % 2, cid[i % 2][i / 2]),
                         UNRECOVERED_READ);
        }
    }
    th_run(h);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_HW_ERROR), ==, 8);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_POWER_ON), ==, 5);
    g_free(log);
    for (unsigned i = 0; i < 16; i++) {
        th_buf_free(b[i]);
    }
    th_free(h);
}

static void test_fatal(void)
{
    struct th *h = th_new();
    struct pelog *log;

    g_assert_false(th_enable_as(h, TH_CC_DEFAULT | 9u << 7, 8, 8));
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ENVME_CSTS_CFS, !=, 0);
    th_disable(h);
    th_enable(h);
    log = pel_read(h);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_HW_ERROR), ==, 1);
    check_hw(log, 0, 9, 0, NULL);
    g_free(log);
    th_free(h);
}

/* ---- what is kept, what is dropped ------------------------------------- */

static void test_ring(void)
{
    struct th *h = th_new();
    struct pelog *log;
    unsigned n;

    th_enable(h);
    for (unsigned i = 1; i <= 4000; i++) {
        set_ts(h, i * 1000000);
    }
    log = pel_read(h);
    g_assert_cmpuint(le64_get(log->h.tll), <=, 128 * 1024);
    g_assert_cmpuint(le64_get(log->h.tll), >, 128 * 1024 - 40);
    n = pel_count(log, ENVME_PEL_TIMESTAMP);
    g_assert_cmpuint(n, ==, (128 * 1024 - 512) / 40);
    /* The newest stay; what was at the start is gone. */
    g_assert_cmpuint(pel_ms(&pel_find(log, ENVME_PEL_TIMESTAMP, 0)->ets), ==,
                     4000 * 1000000ull);
    g_assert_cmpuint(pel_ms(&pel_find(log, ENVME_PEL_TIMESTAMP, n - 1)->ets),
                     ==, (4001 - n) * 1000000ull);
    g_assert_cmpuint(pel_count(log, ENVME_PEL_POWER_ON), ==, 0);
    g_free(log);
    th_free(h);
}

static char *cut(const char *path)
{
    char *copy = state_path(), *data;
    gsize len;

    g_assert(g_file_get_contents(path, &data, &len, NULL));
    g_assert(g_file_set_contents(copy, data, len, NULL));
    g_free(data);
    return copy;
}

static bool is_shut(void *arg)
{
    return FIELD_GET(ENVME_CSTS_SHST, th_r32(arg, ENVME_REG_CSTS)) ==
           ENVME_CSTS_SHST_COMPLETE;
}

static void test_state(void)
{
    g_autofree char *path = state_path();
    g_autofree char *copy = NULL;
    struct th *h = th_new(.state = path);
    static const uint8_t upl[17] = { 1 };
    struct pelog *a, *b;
    size_t len;

    th_enable(h);
    set_ts(h, 5000);
    a = pel_read(h);
    copy = cut(path);           /* the power fails here */
    th_w32(h, ENVME_REG_CC, th_r32(h, ENVME_REG_CC) |
                            (uint32_t)FIELD_SET(ENVME_CC_SHN, 1));
    g_assert(th_until(h, is_shut, h));
    th_free(h);
    /* The power goes off and comes back. */
    h = th_new(.state = path);
    th_enable(h);
    b = pel_read(h);
    len = le64_get(a->h.tll) - 512;
    g_assert_cmpuint(le32_get(b->h.tnev), ==, le32_get(a->h.tnev) + 1);
    g_assert_cmpmem(b->data + 24 + 44, len, a->data, len);
    g_assert_cmpuint(le32_get(((const struct envme_pel_power_on_ctrl *)
        ((const uint8_t *)pel_data(b, ENVME_PEL_POWER_ON, 0, 44, 1) + 8))->cpc),
        ==, 2);
    g_assert_cmpuint(le64_get(b->h.pcc), ==, 2);
    g_assert_cmpuint(le16_get(b->h.gnum), ==, le16_get(a->h.gnum) + 1);
    g_free(b);
    th_free(h);
    /* What a power cut left: the same events, and one of it. */
    h = th_new(.state = copy);
    th_enable(h);
    b = pel_read(h);
    g_assert_cmpuint(le32_get(b->h.tnev), ==, le32_get(a->h.tnev) + 2);
    check_hw(b, 0, 8, 17, upl);
    g_assert_cmpmem(b->data + 24 + 44 + 24 + 21, len, a->data, len);
    g_free(b);
    th_disable(h);
    th_enable(h);
    b = pel_read(h);            /* told once */
    g_assert_cmpuint(pel_count(b, ENVME_PEL_HW_ERROR), ==, 1);
    g_free(b);
    g_free(a);
    th_free(h);
    g_unlink(path);
    g_unlink(copy);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pel/header", test_header);
    g_test_add_func("/pel/context", test_context);
    g_test_add_func("/pel/two-controllers", test_two);
    g_test_add_func("/pel/bad", test_bad);
    g_test_add_func("/pel/power-on", test_power_on);
    g_test_add_func("/pel/smart", test_smart);
    g_test_add_func("/pel/firmware", test_firmware);
    g_test_add_func("/pel/bootpart", test_bootpart);
    g_test_add_func("/pel/namespaces", test_namespaces);
    g_test_add_func("/pel/format", test_format);
    g_test_add_func("/pel/sanitize", test_sanitize);
    g_test_add_func("/pel/features", test_features);
    g_test_add_func("/pel/telemetry", test_telemetry);
    g_test_add_func("/pel/warnings", test_warnings);
    g_test_add_func("/pel/throttling", test_throttling);
    g_test_add_func("/pel/errors", test_errors);
    g_test_add_func("/pel/errors-threads", test_errors_threads);
    g_test_add_func("/pel/fatal", test_fatal);
    g_test_add_func("/pel/ring", test_ring);
    g_test_add_func("/pel/state", test_state);
    return g_test_run();
}
