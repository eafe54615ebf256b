/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Get LBA Status, log page 0Eh, feature 15h and the alert. NVM 1.1, 4.1.3.5,
 * 4.1.4.5, 4.2.1 and 5.2.1.
 */
#include "th.h"

#include <unistd.h>

#include "envme/id-ctrl.h"
#include "envme/id-ns.h"

#define MS (1000ull * 1000)
#define POLL ((uint64_t)ENVME_LBAS_LSIPI * 100 * MS)   /* the poll interval */

#define MAYBE     ENVME_LBARS_MAYBE
#define ALLOCATED ENVME_LBARS_ALLOCATED
#define UNCOR     ENVME_LBARS_WRITE_UNCOR

struct status {
    struct envme_lba_status h;
    struct envme_lba_status_desc d[64];
};

struct ask {
    uint32_t nsid;              /* 0: 1 */
    uint8_t atype;
    uint64_t slba;
    uint32_t rl;
    unsigned max;               /* descriptors; 0: 64 */
};

static struct envme_sqe ask_sqe(const struct ask *a, size_t len)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LBA_STATUS,
                                a->nsid ? a->nsid : 1);

    s.cdw10 = le32(a->slba);
    s.cdw11 = le32(a->slba >> 32);
    s.cdw12 = le32(len / 4 - 1);
    s.cdw13 = le32(a->rl | (uint32_t)a->atype << 24);
    return s;
}

#define ask(h, st, ...) ask_(h, st, &(struct ask){ __VA_ARGS__ })
static struct envme_cqe ask_(struct th *h, struct status *st,
                             const struct ask *a)
{
    size_t len = sizeof(st->h) + (a->max ? a->max : 64) * sizeof(st->d[0]);
    struct envme_sqe s = ask_sqe(a, len);

    memset(st, 0xee, sizeof(*st));
    return th_cmd_data(h, 0, &s, st, len, TH_PRP);
}

static void check_head(const struct status *st, unsigned n, uint8_t cmpc)
{
    static const uint8_t zeroes[3];

    g_assert_cmpuint(le32_get(st->h.nlsd), ==, n);
    g_assert_cmpuint(st->h.cmpc, ==, cmpc);
    g_assert_cmpmem(st->h.rsvd5, 3, zeroes, 3);
}

static void check_desc(const struct status *st, unsigned i, uint64_t slba,
                       uint64_t nlb, uint8_t lbars)
{
    g_assert_cmpuint(le64_get(st->d[i].dslba), ==, slba);
    g_assert_cmpuint(le32_get(st->d[i].nlb), ==, nlb - 1);
    g_assert_cmpuint(st->d[i].status, ==, lbars);
    g_assert_cmpuint(st->d[i].rsvd12, ==, 0);
}

static struct th *host(void)
{
    struct th *h = th_new(.ns = { { .size = MIB }, { .size = MIB },
                                  { .size = MIB, .detached = true } });

    th_enable(h);
    th_queues(h, 1, 32);
    return h;
}

static struct envme_cqe uncor(struct th *h, uint64_t slba, uint32_t nlb)
{
    return th_rw(h, ENVME_NVM_WRITE_UNCOR, .slba = slba, .nlb = nlb);
}

/* The medium fails for one read. */
static void lose(struct th *h, uint64_t slba, uint32_t nlb)
{
    th_fail_nth(h, TH_AT_DONE, 1, -EIO);
    th_assert_sc(th_read(h, .slba = slba, .nlb = nlb), UNRECOVERED_READ);
    th_fail_clear(h);
}

/* ---- the command ------------------------------------------------------- */

static void test_identify(void)
{
    struct th *h = host();
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    g_autofree struct envme_id_ctrl_nvm *nvm = g_malloc(4096);

    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_true(le16_get(id->oacs) & ENVME_OACS_GLSS);
    g_assert_true(le32_get(id->oaes) & ENVME_OAES_LBASIAN);
    g_assert_true(le16_get(id->oncs) & ENVME_ONCS_NSZS);
    g_assert_true(id->lpa & ENVME_LPA_LPEDS);
    th_assert_sc(th_identify(h, ENVME_CNS_CS_CTRL, 0, nvm), SUCCESS);
    g_assert_cmphex(le16_get(nvm->aocs), ==, ENVME_AOCS_RALBAS);
    th_free(h);
}

static void test_errors(void)
{
    static const uint8_t atypes[] = { 0, 1, 3, 0xf, 0x12, 0xff };
    struct th *h = host();
    uint64_t end = MIB / 512;
    struct status st;
    struct envme_sqe s;

    for (unsigned i = 0; i < G_N_ELEMENTS(atypes); i++) {
        th_assert_sc(ask(h, &st, .atype = atypes[i]), INVALID_FIELD);
    }
    for (unsigned i = 0; i < 3; i++) {
        uint8_t atype = i == 0 ? 2 : i == 1 ? 0x10 : 0x11;

        th_assert_sc(ask(h, &st, .atype = atype), SUCCESS);
        th_assert_sc(ask(h, &st, .atype = atype, .slba = end - 1), SUCCESS);
        th_assert_sc(ask(h, &st, .atype = atype, .slba = end - 1, .rl = 1),
                     SUCCESS);
        th_assert_sc(ask(h, &st, .atype = atype, .slba = end), LBA_RANGE);
        th_assert_sc(ask(h, &st, .atype = atype, .slba = end - 1, .rl = 2),
                     LBA_RANGE);
        th_assert_sc(ask(h, &st, .atype = atype, .slba = UINT64_MAX, .rl = 2),
                     LBA_RANGE);
        th_assert_sc(ask(h, &st, .nsid = 3, .atype = atype), INVALID_FIELD);
        th_assert_sc(ask(h, &st, .nsid = 17, .atype = atype), INVALID_NS);
        th_assert_sc(ask(h, &st, .nsid = UINT32_MAX, .atype = atype),
                     INVALID_FIELD);
        atomic_store(&h->ns[0]->gate_sf, ENVME_ST(FORMAT_IN_PROGRESS).sf);
        th_assert_sc(ask(h, &st, .atype = atype), FORMAT_IN_PROGRESS);
        th_assert_sc(ask(h, &st, .nsid = 2, .atype = atype), SUCCESS);
        atomic_store(&h->ns[0]->gate_sf, 0);
        atomic_store(&h->subsys->gate_sf,
                     ENVME_ST(SANITIZE_IN_PROGRESS).sf);
        th_assert_sc(ask(h, &st, .atype = atype), SANITIZE_IN_PROGRESS);
        atomic_store(&h->subsys->gate_sf, 0);
    }
    /* Reserved bits; more than MDTS (2^7 pages) allows. */
    s = ask_sqe(&(struct ask){ .atype = 0x11 }, 64);
    s.cdw13 = le32(le32_get(s.cdw13) | 1 << 16);
    th_assert_sc(th_cmd_data(h, 0, &s, &st, 64, TH_PRP), INVALID_FIELD);
    s = ask_sqe(&(struct ask){ .atype = 0x11 }, 64);
    s.cdw12 = le32((4096 << 7) / 4);
    th_assert_sc(th_cmd_data(h, 0, &s, &st, 64, TH_PRP), INVALID_FIELD);
    th_free(h);
}

/* Few dwords: part of the header, no descriptor, and what is left is zero. */
static void test_short(void)
{
    struct th *h = host();
    uint8_t buf[64];

    th_assert_sc(uncor(h, 5, 2), SUCCESS);
    th_assert_sc(uncor(h, 9, 1), SUCCESS);
    for (unsigned len = 4; len <= 60; len += 4) {
        struct envme_sqe s = ask_sqe(&(struct ask){ .atype = 0x11 }, len);
        unsigned fit = len < 24 ? 0 : len < 40 ? 1 : 2;

        memset(buf, 0xee, sizeof(buf));
        th_assert_sc(th_cmd_data(h, 0, &s, buf, len, TH_PRP), SUCCESS);
        g_assert_cmpuint(buf[0], ==, fit);
        if (len >= 8) {
            g_assert_cmpuint(buf[4], ==, fit == 2 ? ENVME_LBAST_CMPC_COMPLETE
                                         : ENVME_LBAST_CMPC_INCOMPLETE);
        }
        for (unsigned i = 8 + 16 * fit; i < len; i++) {
            g_assert_cmphex(buf[i], ==, 0);
        }
    }
    th_free(h);
}

static void check_allocated(bool later)
{
    struct th *h = host();
    uint64_t end = MIB / 512;
    struct status st;

    h->be[0]->later = later;
    th_assert_sc(ask(h, &st, .atype = 2), SUCCESS);
    check_head(&st, 0, ENVME_LBAST_CMPC_COMPLETE);
    th_assert_sc(th_write(h, .slba = 0, .nlb = 3), SUCCESS);
    th_assert_sc(th_write(h, .slba = 3, .nlb = 5), SUCCESS);
    th_assert_sc(th_write(h, .slba = 100), SUCCESS);
    th_assert_sc(th_write(h, .slba = end - 2, .nlb = 2), SUCCESS);
    th_assert_sc(ask(h, &st, .atype = 2), SUCCESS);
    check_head(&st, 3, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 0, 8, ALLOCATED);
    check_desc(&st, 1, 100, 1, ALLOCATED);
    check_desc(&st, 2, end - 2, 2, ALLOCATED);
    /* Cut to the range. */
    th_assert_sc(ask(h, &st, .atype = 2, .slba = 5, .rl = 95), SUCCESS);
    check_head(&st, 1, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 5, 3, ALLOCATED);
    th_assert_sc(ask(h, &st, .atype = 2, .slba = 8, .rl = 93), SUCCESS);
    check_head(&st, 1, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 100, 1, ALLOCATED);
    /* Not all fit: go on behind the last. */
    th_assert_sc(ask(h, &st, .atype = 2, .max = 2), SUCCESS);
    check_head(&st, 2, ENVME_LBAST_CMPC_INCOMPLETE);
    th_assert_sc(ask(h, &st, .atype = 2, .slba = 101, .max = 1), SUCCESS);
    check_head(&st, 1, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, end - 2, 2, ALLOCATED);
    /* A block that is written as unreadable is written. */
    th_assert_sc(uncor(h, 50, 2), SUCCESS);
    th_assert_sc(ask(h, &st, .atype = 2, .slba = 8, .rl = 100), SUCCESS);
    check_head(&st, 2, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 50, 2, ALLOCATED);
    check_desc(&st, 1, 100, 1, ALLOCATED);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .slba = 2, .nlb = 60,
                       .cdw12 = ENVME_RW_DEAC), SUCCESS);
    th_assert_sc(ask(h, &st, .atype = 2, .rl = 100), SUCCESS);
    check_head(&st, 1, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 0, 2, ALLOCATED);
    /* Who can't tell has all of it. */
    h->ns[0]->geo.status = false;
    th_assert_sc(ask(h, &st, .atype = 2), SUCCESS);
    check_head(&st, 1, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 0, end, ALLOCATED);
    th_free(h);
}

static void test_allocated(void)
{
    check_allocated(false);
}

static void test_allocated_later(void)
{
    check_allocated(true);
}

static void test_tracked(void)
{
    struct th *h = host();
    struct status st;

    for (unsigned i = 0; i < 2; i++) {
        uint8_t atype = 0x10 + i;

        th_assert_sc(ask(h, &st, .atype = atype), SUCCESS);
        check_head(&st, 0, ENVME_LBAST_CMPC_COMPLETE);
    }
    th_assert_sc(th_write(h, .slba = 0, .nlb = 64), SUCCESS);
    th_assert_sc(uncor(h, 10, 4), SUCCESS);
    lose(h, 20, 8);
    lose(h, 40, 1);
    th_assert_sc(uncor(h, 41, 1), SUCCESS);
    th_assert_sc(ask(h, &st, .atype = 0x11), SUCCESS);
    check_head(&st, 4, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 10, 4, UNCOR);
    check_desc(&st, 1, 20, 8, MAYBE);
    check_desc(&st, 2, 40, 1, MAYBE);
    check_desc(&st, 3, 41, 1, UNCOR);
    th_assert_sc(ask(h, &st, .atype = 0x11, .slba = 12, .rl = 10), SUCCESS);
    check_head(&st, 2, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 12, 2, UNCOR);
    check_desc(&st, 1, 20, 2, MAYBE);
    th_assert_sc(ask(h, &st, .nsid = 2, .atype = 0x11), SUCCESS);
    check_head(&st, 0, ENVME_LBAST_CMPC_COMPLETE);
    /* A suspect is tried again; written, it is none any more. */
    th_assert_sc(th_read(h, .slba = 20, .nlb = 8), SUCCESS);
    th_assert_sc(th_write(h, .slba = 22, .nlb = 2), SUCCESS);
    th_assert_sc(th_write(h, .slba = 10, .nlb = 1), SUCCESS);
    /* And the last write counts. */
    th_assert_sc(uncor(h, 40, 1), SUCCESS);
    th_assert_sc(ask(h, &st, .atype = 0x11), SUCCESS);
    check_head(&st, 4, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 11, 3, UNCOR);
    check_desc(&st, 1, 20, 2, MAYBE);
    check_desc(&st, 2, 24, 4, MAYBE);
    check_desc(&st, 3, 40, 2, UNCOR);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .nlb = 64), SUCCESS);
    th_assert_sc(ask(h, &st, .atype = 0x11), SUCCESS);
    check_head(&st, 0, ENVME_LBAST_CMPC_COMPLETE);
    th_free(h);
}

/* More pieces than are kept: none gets lost, others come with them. */
static void test_many(void)
{
    struct th *h = th_new(.ns = { { .size = 4 * MIB } });
    struct status st;
    uint64_t at = 0;
    unsigned n = 0;

    th_enable(h);
    th_queues(h, 1, 32);
    for (unsigned i = 0; i < 1200; i++) {
        lose(h, i * 6, 1);
    }
    do {
        th_assert_sc(ask(h, &st, .atype = 0x11, .slba = at), SUCCESS);
        for (unsigned i = 0; i < le32_get(st.h.nlsd); i++, n++) {
            uint64_t slba = le64_get(st.d[i].dslba);

            g_assert_cmpuint(slba, ==, n * 6);
            g_assert_cmpuint(slba, >=, at);
            at = slba + le32_get(st.d[i].nlb) + 1;
        }
    } while (st.h.cmpc == ENVME_LBAST_CMPC_INCOMPLETE);
    g_assert_cmpuint(st.h.cmpc, ==, ENVME_LBAST_CMPC_COMPLETE);
    g_assert_cmpuint(n, ==, 1024);
    g_assert_cmpuint(at, ==, 1199 * 6 + 1);
    th_free(h);
}

/* ---- a scan ------------------------------------------------------------ */

struct broken {
    struct envme_backend_ops ops;
    const struct envme_backend_ops *real;
    uint64_t bad[4];            /* bytes */
    unsigned n;
} broken;

/* Reads of some blocks fail. */
static int broken_submit(struct envme_backend *be, struct envme_bio *bio)
{
    for (unsigned i = 0; i < broken.n && bio->op == ENVME_BIO_READ; i++) {
        if (broken.bad[i] >= bio->offset &&
            broken.bad[i] < bio->offset + bio->bytes) {
            return -EIO;
        }
    }
    return broken.real->submit(be, bio);
}

static void break_blocks(struct th *h, unsigned n, const uint64_t *lba)
{
    struct envme_backend *be = h->ns[0]->be;

    if (be->ops != &broken.ops) {
        broken.real = be->ops;
        broken.ops = *be->ops;
        broken.ops.submit = broken_submit;
        be->ops = &broken.ops;
    }
    broken.n = n;
    for (unsigned i = 0; i < n; i++) {
        broken.bad[i] = lba[i] * 512;
    }
}

static void mend(struct th *h)
{
    h->ns[0]->be->ops = broken.real;
}

static void test_scan(void)
{
    struct th *h = host();
    struct status st;
    uint8_t *data = g_malloc0(256 * KIB);

    th_assert_sc(th_write(h, .slba = 0, .nlb = 512, .data = data), SUCCESS);
    th_assert_sc(th_write(h, .slba = 512, .nlb = 512, .data = data), SUCCESS);
    break_blocks(h, 4, (uint64_t[]){ 3, 4, 600, 1500 });
    th_assert_sc(ask(h, &st, .atype = 0x11), SUCCESS);
    check_head(&st, 0, ENVME_LBAST_CMPC_COMPLETE);
    th_assert_sc(ask(h, &st, .atype = 0x10), SUCCESS);
    check_head(&st, 2, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 3, 2, MAYBE);
    check_desc(&st, 1, 600, 1, MAYBE);  /* 1500 has never been written */
    th_assert_sc(ask(h, &st, .atype = 0x11), SUCCESS);
    check_head(&st, 2, ENVME_LBAST_CMPC_COMPLETE);
    /* A scan finds out which of what was suspected is so. */
    lose(h, 10, 8);
    th_assert_sc(ask(h, &st, .atype = 0x11), SUCCESS);
    check_head(&st, 3, ENVME_LBAST_CMPC_COMPLETE);
    break_blocks(h, 1, (uint64_t[]){ 12 });
    th_assert_sc(ask(h, &st, .atype = 0x10, .slba = 4, .rl = 100), SUCCESS);
    check_head(&st, 1, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 12, 1, MAYBE);
    th_assert_sc(ask(h, &st, .atype = 0x11), SUCCESS);
    check_head(&st, 3, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 3, 1, MAYBE);
    check_desc(&st, 2, 600, 1, MAYBE);
    /* Of one that can't tell what is allocated, all is read. */
    h->ns[0]->geo.status = false;
    break_blocks(h, 1, (uint64_t[]){ 1500 });
    th_assert_sc(ask(h, &st, .atype = 0x10), SUCCESS);
    check_head(&st, 1, ENVME_LBAST_CMPC_COMPLETE);
    check_desc(&st, 0, 1500, 1, MAYBE);
    mend(h);
    g_free(data);
    th_free(h);
}

/* What comes between: errors of another kind, Abort, a reset, a drain. */
static void test_scan_stops(void)
{
    struct th *h = th_new(.ns = { { .size = 4 * MIB }, { .size = MIB } });
    struct th_buf *b = th_buf_new(h, 1024, TH_PRP);
    struct envme_sqe s = ask_sqe(&(struct ask){ .atype = 0x10 }, 1024);
    struct envme_lba_status head;
    uint8_t out[1024];
    struct envme_cqe c;
    struct status st;
    uint16_t cid, fid;

    th_enable(h);
    th_queues(h, 1, 32);
    for (unsigned i = 0; i < 16; i++) {
        th_assert_sc(th_write(h, .slba = i * 512, .nlb = 512), SUCCESS);
    }
    h->be[0]->fail_op = ENVME_BIO_READ;
    h->be[0]->fail_errno = -ENOMEM;
    th_assert_sc(ask(h, &st, .atype = 0x10), INTERNAL);
    h->be[0]->fail_op = -1;
    th_fail_nth(h, TH_AT_ALLOC, 1, -ENOMEM);
    th_assert_sc(ask(h, &st, .atype = 0x10), INTERNAL);
    th_fail_clear(h);

    th_buf_attach(b, &s);
    h->be[0]->hold = true;
    cid = th_submit(h, 0, &s);
    th_run(h);
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
    th_assert_sc(th_abort(h, 0, cid), SUCCESS);
    th_assert_sc(th_wait(h, 0, cid), ABORT_REQUESTED);
    th_submit(h, 0, &s);
    th_run(h);
    g_assert_cmpuint(th_be_held(h->be[0]), ==, 1);
    th_reset(h, ENVME_RESET_FUNCTION);
    h->be[0]->hold = false;
    th_enable(h);
    th_queues(h, 1, 32);

    /* Format has to wait for the request alone that is under way. */
    h->be[0]->hold = true;
    cid = th_submit(h, 0, &s);
    th_run(h);
    s = th_sqe(ENVME_ADM_FORMAT, 2);
    fid = th_submit(h, 0, &s);
    th_run(h);
    g_assert_false(th_done(h, 0, cid, &c));
    h->be[0]->hold = false;
    th_be_release(h->be[0], 0, 0);
    th_run(h);
    th_assert_sc(th_wait(h, 0, cid), SUCCESS);
    th_assert_sc(th_wait(h, 0, fid), SUCCESS);
    th_buf_get(b, out);
    memcpy(&head, out, sizeof(head));
    g_assert_cmpuint(head.cmpc, ==, ENVME_LBAST_CMPC_NONE);
    g_assert_cmpuint(le32_get(head.nlsd), ==, 0);
    th_buf_free(b);
    th_free(h);
}

/* ---- the log ----------------------------------------------------------- */

struct lbas_log {
    struct envme_log_lba_status h;
    struct envme_lbas_ns ns;
    struct envme_lbas_range r[30];
};

static struct lbas_log get_log(struct th *h, bool rae)
{
    struct lbas_log log;

    memset(&log, 0xee, sizeof(log));
    th_assert_sc(th_get_log(h, ENVME_LID_LBA_STATUS, 0, 0, &log, sizeof(log),
                            rae), SUCCESS);
    return log;
}

static void check_log(const struct lbas_log *log, unsigned nns, unsigned n,
                      uint32_t blocks, uint16_t lsgc)
{
    g_assert_cmpuint(le32_get(log->h.lslplen), ==,
                     16 + (nns ? 16 * (nns + n) : 0));
    g_assert_cmpuint(le32_get(log->h.nlslne), ==, nns);
    g_assert_cmpuint(le32_get(log->h.estulb), ==, blocks);
    g_assert_cmpuint(le16_get(log->h.lsgc), ==, lsgc);
    g_assert_cmpuint(le32_get(log->ns.nlrd), ==, nns == 1 ? n : 0);
    if (nns) {
        g_assert_cmpuint(le32_get(log->ns.neid), ==, 1);
        g_assert_cmphex(log->ns.ratype, ==, ENVME_LBAST_TRACKED);
    }
}

static void test_log(void)
{
    struct th *h = host();
    struct lbas_log log = get_log(h, false);
    uint8_t part[32];

    check_log(&log, 0, 0, 0, 0);
    th_assert_sc(uncor(h, 10, 4), SUCCESS);
    lose(h, 14, 2);
    lose(h, 100, 1);
    log = get_log(h, true);
    check_log(&log, 1, 2, 7, 1);
    g_assert_cmpuint(le64_get(log.r[0].rslba), ==, 10);
    g_assert_cmpuint(le32_get(log.r[0].rnlb), ==, 5);
    g_assert_cmpuint(le64_get(log.r[1].rslba), ==, 100);
    g_assert_cmpuint(le32_get(log.r[1].rnlb), ==, 0);
    /* It stays as it is until it is read without RAE. */
    lose(h, 200, 1);
    th_assert_sc(th_write(h, .slba = 10), SUCCESS);
    log = get_log(h, true);
    check_log(&log, 1, 2, 7, 1);
    th_assert_sc(th_get_log(h, ENVME_LID_LBA_STATUS, 0, 16, part, 32, true),
                 SUCCESS);
    g_assert_cmpmem(part, 32, &log.ns, 32);
    log = get_log(h, false);
    check_log(&log, 1, 3, 7, 2);
    /* Read: nothing new, no new generation. */
    log = get_log(h, false);
    check_log(&log, 1, 3, 7, 2);
    lose(h, 200, 1);            /* is known */
    log = get_log(h, false);
    check_log(&log, 1, 3, 7, 2);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .cdw12 = ENVME_RW_NSZ |
                       ENVME_RW_DEAC), SUCCESS);
    log = get_log(h, false);
    check_log(&log, 0, 0, 0, 2);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_UNCOR, .nsid = 2, .slba = 1),
                 SUCCESS);
    log = get_log(h, false);
    g_assert_cmpuint(le32_get(log.ns.neid), ==, 2);
    g_assert_cmpuint(le16_get(log.h.lsgc), ==, 3);
    /* Offsets: up to the end, not beyond. */
    th_assert_sc(th_get_log(h, ENVME_LID_LBA_STATUS, 0, 48, part, 4, false),
                 SUCCESS);
    th_assert_sc(th_get_log(h, ENVME_LID_LBA_STATUS, 0, 52, part, 4, false),
                 INVALID_FIELD);
    th_assert_sc(th_get_log(h, ENVME_LID_LBA_STATUS, 1, 0, part, 4, false),
                 INVALID_FIELD);
    th_free(h);
}

/* More intervals than the log has room for. */
static void test_log_many(void)
{
    struct th *h = th_new(.ns = { { .size = 4 * MIB } });
    g_autofree struct envme_lbas_range *r = g_malloc(2000 * 16);
    struct envme_log_lba_status head;
    struct envme_lbas_ns ns;
    unsigned n;

    th_enable(h);
    th_queues(h, 1, 32);
    for (unsigned i = 0; i < 3000; i++) {
        th_assert_sc(uncor(h, i * 2, 1), SUCCESS);
    }
    th_assert_sc(th_get_log(h, ENVME_LID_LBA_STATUS, 0, 0, r, 32, true),
                 SUCCESS);
    memcpy(&head, &r[0], 16);
    memcpy(&ns, &r[1], 16);
    n = le32_get(ns.nlrd);
    g_assert_cmpuint(n, ==, 1000);
    g_assert_cmpuint(le32_get(head.estulb), ==, 3000);
    g_assert_cmpuint(le32_get(head.lslplen), ==, 32 + 16 * n);
    th_assert_sc(th_get_log(h, ENVME_LID_LBA_STATUS, 0, 32, r, 16 * n, true),
                 SUCCESS);
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmpuint(le64_get(r[i].rslba), ==, 6 * i);
        g_assert_cmpuint(le32_get(r[i].rnlb), ==, 4);
    }
    th_free(h);
}

/* ---- feature 15h, the alert -------------------------------------------- */

static void test_feature(void)
{
    struct th *h = host();
    uint32_t lsipi = ENVME_LBAS_LSIPI << 16, v;
    struct envme_cqe c;

    th_assert_sc(th_get_feature(h, ENVME_FID_LBA_STATUS, 0, 0, &v), SUCCESS);
    g_assert_cmphex(v, ==, lsipi | ENVME_LBAS_LSIPI);
    c = th_set_feature(h, ENVME_FID_LBA_STATUS, 0, 0xabcd0064, false);
    th_assert_sc(c, SUCCESS);
    g_assert_cmphex(le32_get(c.dw0), ==, lsipi | 100);
    th_assert_sc(th_get_feature(h, ENVME_FID_LBA_STATUS, 0, 0, &v), SUCCESS);
    g_assert_cmphex(v, ==, lsipi | 100);
    c = th_set_feature(h, ENVME_FID_LBA_STATUS, 0, 1, false);
    th_assert_sc(c, SUCCESS);
    g_assert_cmphex(le32_get(c.dw0), ==, lsipi | ENVME_LBAS_LSIPI);
    th_assert_sc(th_set_feature(h, ENVME_FID_LBA_STATUS, 1, 1, false),
                 FEAT_NOT_NS);
    th_free(h);
}

static bool got(struct th *h, uint16_t cid)
{
    struct envme_cqe c;

    th_run(h);
    th_reap(h, 0);
    if (!th_done(h, 0, cid, &c)) {
        return false;
    }
    th_assert_sc(c, SUCCESS);
    g_assert_cmphex(le32_get(c.dw0), ==, ENVME_LID_LBA_STATUS << 16 |
                    ENVME_AEN_NOTICE_LBA_STATUS << 8 | ENVME_AEN_TYPE_NOTICE);
    return true;
}

static void want(struct th *h, bool on)
{
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0,
                                on ? ENVME_FEAT_AEC_LBASIAN : 0, false),
                 SUCCESS);
}

static void test_alert(void)
{
    struct th *h = host();
    uint16_t a = th_aer(h);

    /* Nobody wants it; and then it comes at once, the interval is over. */
    th_assert_sc(uncor(h, 1, 1), SUCCESS);
    th_advance(h, 2 * POLL);
    g_assert_false(got(h, a));
    want(h, true);
    g_assert_true(got(h, a));
    /* Only once for each reading. */
    a = th_aer(h);
    lose(h, 10, 1);
    th_advance(h, 5 * POLL);
    g_assert_false(got(h, a));
    get_log(h, true);
    lose(h, 20, 1);
    th_advance(h, 5 * POLL);
    g_assert_false(got(h, a));
    get_log(h, false);
    g_assert_false(got(h, a));
    /* From now on the interval counts. */
    lose(h, 30, 1);
    th_advance(h, POLL - MS);
    g_assert_false(got(h, a));
    th_advance(h, 2 * MS);
    g_assert_true(got(h, a));
    get_log(h, false);
    a = th_aer(h);
    /* A longer one, while it runs. */
    lose(h, 40, 1);
    th_assert_sc(th_set_feature(h, ENVME_FID_LBA_STATUS, 0,
                                3 * ENVME_LBAS_LSIPI, false), SUCCESS);
    th_advance(h, 3 * POLL - 2 * MS);
    g_assert_false(got(h, a));
    th_advance(h, 4 * MS);
    g_assert_true(got(h, a));
    get_log(h, false);
    /* What is no longer there is not told. */
    a = th_aer(h);
    lose(h, 50, 1);
    th_assert_sc(th_rw(h, ENVME_NVM_WRITE_ZEROES, .nlb = 100), SUCCESS);
    th_advance(h, 5 * POLL);
    g_assert_false(got(h, a));
    lose(h, 60, 1);
    g_assert_true(got(h, a));
    /* After a reset it is told again, as nobody has read the log. */
    th_disable(h);
    th_enable(h);
    want(h, true);
    a = th_aer(h);
    g_assert_false(got(h, a));
    th_advance(h, POLL + MS);
    g_assert_true(got(h, a));
    th_free(h);
}

/* Two controllers: who has the namespace is told, and no one else. */
static void test_multi(void)
{
    struct th *a = th_new(.multi = true, .ns = { { .size = MIB },
                                                 { .size = MIB,
                                                   .priv = true } });
    struct th *b = th_new(.peer = a);
    struct lbas_log log;
    uint16_t x, y;

    th_enable(a);
    th_enable(b);
    th_queues(a, 1, 32);
    th_queues(b, 1, 32);
    want(a, true);
    want(b, true);
    x = th_aer(a);
    y = th_aer(b);
    th_advance(a, POLL + MS);
    th_advance(b, POLL + MS);
    th_assert_sc(uncor(b, 7, 1), SUCCESS);
    g_assert_true(got(a, x));
    g_assert_true(got(b, y));
    get_log(a, false);
    log = get_log(b, false);
    check_log(&log, 1, 1, 1, 1);
    th_advance(a, POLL + MS);
    th_advance(b, POLL + MS);
    x = th_aer(a);
    y = th_aer(b);
    th_assert_sc(th_rw(a, ENVME_NVM_WRITE_UNCOR, .nsid = 2, .slba = 9),
                 SUCCESS);
    g_assert_true(got(a, x));
    g_assert_false(got(b, y));
    log = get_log(b, false);
    check_log(&log, 1, 1, 1, 1);
    th_free(b);
    th_free(a);
}

/* The generation is kept over power cycles. */
static void test_kept(void)
{
    g_autofree char *path = g_strdup_printf("%s/lbas-%d.state",
                                            g_get_tmp_dir(), getpid());

    for (unsigned i = 0; i < 3; i++) {
        struct th *h = th_new(.ns = { { .size = MIB } }, .state = path);
        struct lbas_log log;

        th_enable(h);
        th_queues(h, 1, 8);
        log = get_log(h, false);
        g_assert_cmpuint(le16_get(log.h.lsgc), ==, i);
        g_assert_cmpuint(le32_get(log.h.estulb), ==, i);
        th_assert_sc(uncor(h, 5 * i, 1), SUCCESS);
        log = get_log(h, false);
        g_assert_cmpuint(le16_get(log.h.lsgc), ==, i + 1);
        th_free(h);
    }
    unlink(path);
}

/* Four lanes lose and write blocks while the admin queue asks. */
static void test_threads(void)
{
    struct th *h = th_new(.lanes = 4, .threads = true,
                          .ns = { { .size = MIB } });
    uint64_t a = th_alloc(h, 36 * 4096);
    struct status st;

    th_enable(h);
    th_queues(h, 4, 32);
    want(h, true);
    for (unsigned round = 0; round < 15; round++) {
        uint16_t cid[4][9];

        h->be[0]->fail_op = round % 3 == 0 ? ENVME_BIO_READ : -1;
        h->be[0]->fail_errno = -EIO;
        for (unsigned q = 0; q < 4; q++) {
            for (unsigned i = 0; i < 9; i++) {
                static const uint8_t ops[] = {
                    ENVME_NVM_READ, ENVME_NVM_WRITE, ENVME_NVM_WRITE_UNCOR,
                };
                struct envme_sqe s = th_sqe_rw(ops[(i + round) % 3], 1,
                                               i * 8 + q, 1);

                s.dptr.prp1 = le64(a + (q * 9 + i) * 4096);
                cid[q][i] = th_submit(h, q + 1, &s);
            }
        }
        for (unsigned k = 0; k < 3; k++) {
            struct envme_cqe c = ask(h, &st, .atype = k == 0 ? 2 : 0x10 + k -
                                                                1);

            g_assert_true(cqe_sc(&c) == ENVME_SC_SUCCESS ||
                          cqe_sc(&c) == ENVME_SC_UNRECOVERED_READ);
            get_log(h, k & 1);
        }
        for (unsigned q = 0; q < 4; q++) {
            for (unsigned i = 0; i < 9; i++) {
                th_wait(h, q + 1, cid[q][i]);
            }
        }
    }
    th_free_pages(h, a, 36 * 4096);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lbastatus/identify", test_identify);
    g_test_add_func("/lbastatus/errors", test_errors);
    g_test_add_func("/lbastatus/short", test_short);
    g_test_add_func("/lbastatus/allocated", test_allocated);
    g_test_add_func("/lbastatus/allocated-later", test_allocated_later);
    g_test_add_func("/lbastatus/tracked", test_tracked);
    g_test_add_func("/lbastatus/many", test_many);
    g_test_add_func("/lbastatus/scan", test_scan);
    g_test_add_func("/lbastatus/scan-stops", test_scan_stops);
    g_test_add_func("/lbastatus/log", test_log);
    g_test_add_func("/lbastatus/log-many", test_log_many);
    g_test_add_func("/lbastatus/feature", test_feature);
    g_test_add_func("/lbastatus/alert", test_alert);
    g_test_add_func("/lbastatus/multi", test_multi);
    g_test_add_func("/lbastatus/kept", test_kept);
    g_test_add_func("/lbastatus/threads", test_threads);
    return g_test_run();
}
