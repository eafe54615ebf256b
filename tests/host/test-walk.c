/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every opcode of the tables, and every one that is not there, with what a row
 * says: reserved bits, NSIDs, and what holds commands back. A row that is
 * added is walked through by being there. Base 2.1, 3.2.1.5, 4.1.
 */
#include "walk.h"

#define AT(field) offsetof(struct envme_sqe, field)
#define AT_BIT(at, bit) (((at) + (bit) / 8) | (bit) % 8 << 8)

/* One queue and who is asked there. */
struct place {
    uint16_t qid;
    const struct envme_iocs *iocs;      /* NULL: admin */
};

typedef void walk_row_fn(struct walk *w, const struct place *p, uint8_t opc,
                         const struct envme_row *row);

static const struct envme_row *row_of(const struct place *p, uint8_t opc)
{
    const struct envme_row *row = &envme_tables.admin[opc];

    if (p->iocs) {
        return envme_iocs_row(p->iocs, opc);
    }
    /* Those of this vendor come with fault rules, which are not here. */
    return row->run && opc < ENVME_OPC_VENDOR_FIRST ? row : NULL;
}

/* What the row wants there: a namespace, or none. */
static struct envme_sqe sqe_of(uint8_t opc, const struct envme_row *row)
{
    return th_sqe(opc, (row->gate & ENVME_GATE_NS_MASK) ==
                       ENVME_GATE_NS_UNUSED ? 0 : WALK_NS);
}

static void cdw_or(struct envme_sqe *s, unsigned i, uint32_t v)
{
    le32_t *cdw = &s->cdw10 + i;

    *cdw = le32(le32_get(*cdw) | v);
}

/* All opcodes of one place; each that is there on a host of its own. */
static void walk_place(const struct place *p, walk_row_fn *fn)
{
    for (unsigned opc = 0; opc < 256; opc++) {
        const struct envme_row *row = row_of(p, opc);
        struct walk w;

        if (row) {
            w = walk_new();
            th_queues(w.h, 1, 64);
            fn(&w, p, opc, row);
            walk_free(&w);
        }
    }
}

static void walk_rows(walk_row_fn *fn)
{
    const struct place admin = { 0 };

    walk_place(&admin, fn);
    for (unsigned i = 0; i < envme_tables.niocs; i++) {
        const struct place io = {
            .qid = 1, .iocs = envme_tables.iocs[i],
        };

        /* The fake host makes namespaces of the NVM command set. */
        if (io.iocs->csi == ENVME_CSI_NVM) {
            walk_place(&io, fn);
        }
    }
}

/* ---- bits -------------------------------------------------------------- */

static void walk_flags(struct walk *w, const struct place *p, uint8_t opc,
                       const struct envme_row *row)
{
    struct envme_sqe s = sqe_of(opc, row);
    bool pairs = p->iocs && w->h->ctrl->fuses;

    for (unsigned bit = 2; bit < 6; bit++) {
        s.flags = 1u << bit;
        walk_fails(w, p->qid, s, INVALID_FIELD, AT_BIT(AT(flags), bit));
    }
    s.flags = 3;
    walk_fails(w, p->qid, s, INVALID_FIELD, AT(flags));
    /* Alone, half of a pair has no other half. */
    for (unsigned fuse = 1; fuse <= 2; fuse++) {
        s.flags = fuse;
        if (pairs) {
            walk_fails(w, p->qid, s, ABORT_MISSING_FUSED, AT(flags));
        } else {
            walk_fails(w, p->qid, s, INVALID_FIELD, AT(flags));
        }
    }
    for (unsigned psdt = 1; psdt <= 3; psdt++) {
        s.flags = FIELD_SET(ENVME_PSDT, psdt);
        if (psdt == 3 || !p->iocs || row->gate & ENVME_GATE_NO_SGL) {
            walk_fails(w, p->qid, s, INVALID_FIELD, AT_BIT(AT(flags), 6));
        }
    }
}

static void walk_cdw(struct walk *w, const struct place *p, uint8_t opc,
                     const struct envme_row *row)
{
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            struct envme_sqe s = sqe_of(opc, row);

            cdw_or(&s, i, 1u << bit);
            if (!(row->cdw[i] & 1u << bit)) {
                walk_fails(w, p->qid, s, INVALID_FIELD,
                           AT_BIT(AT(cdw10) + 4 * i, bit));
                /* No other error comes first. */
                s.nsid = le32(WALK_NN + 1);
                walk_fails(w, p->qid, s, INVALID_FIELD,
                           AT_BIT(AT(cdw10) + 4 * i, bit));
            } else if (!(row->gate & ENVME_GATE_NO_SLOT)) {
                /* Whatever it means: one completion that is consistent. */
                walk_cmd(w, p->qid, s, WALK_ANYWHERE);
            }
        }
    }
}

static void test_reserved(void)
{
    walk_rows(walk_flags);
    walk_rows(walk_cdw);
}

/* What a command does not use of CDW2, CDW3 and MPTR has no effect; a
 * namespace without metadata has no use for it. */
static void walk_unused(struct walk *w, const struct place *p, uint8_t opc,
                        const struct envme_row *row)
{
    struct envme_sqe base = sqe_of(opc, row);
    uint16_t sc[2];

    if (row->gate & ENVME_GATE_NO_SLOT) {
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        /* What went well once may be an error the second time. */
        struct envme_cqe c = walk_cmd(w, p->qid, base, WALK_ANYWHERE);

        sc[i] = cqe_sc(&c);
    }
    for (unsigned bit = 0; bit < 128; bit += 1 + (bit > 64)) {
        struct envme_sqe s = base;
        struct envme_cqe c;

        if (bit < 64) {
            *(bit < 32 ? &s.cdw2 : &s.cdw3) = le32(1u << bit % 32);
        } else {
            s.mptr = le64(UINT64_C(1) << (bit - 64));
        }
        c = walk_cmd(w, p->qid, s, WALK_ANYWHERE);
        g_assert_true(cqe_sc(&c) == sc[0] || cqe_sc(&c) == sc[1]);
    }
}

static void test_unused(void)
{
    walk_rows(walk_unused);
}

/* ---- opcodes that are not there ---------------------------------------- */

static void test_unknown(void)
{
    struct walk w = walk_new();
    const struct place place[] = {
        { 0 },
        { .qid = 1, .iocs = envme_tables.iocs[0] },
    };

    th_queues(w.h, 1, 64);
    for (unsigned i = 0; i < G_N_ELEMENTS(place); i++) {
        for (unsigned opc = 0; opc < 256; opc++) {
            struct envme_sqe s = th_sqe(opc, WALK_NS);

            if (row_of(&place[i], opc)) {
                continue;
            }
            walk_fails(&w, place[i].qid, s, INVALID_OPCODE, AT(opc));
            s.cdw10 = s.cdw15 = le32(UINT32_MAX);
            s.flags = 0xfc;
            walk_fails(&w, place[i].qid, s, INVALID_OPCODE, AT(opc));
        }
    }
    walk_free(&w);
}

/* ---- NSIDs ------------------------------------------------------------- */

static void walk_nsid(struct walk *w, const struct place *p, uint8_t opc,
                      const struct envme_row *row)
{
    unsigned gate = row->gate & ENVME_GATE_NS_MASK;
    bool looks = gate == ENVME_GATE_NS_ACTIVE || gate == ENVME_GATE_NS_OR_ALL;

    for (unsigned i = 0; i < G_N_ELEMENTS(walk_nsids); i++) {
        uint32_t nsid = walk_nsids[i];
        struct envme_sqe s = th_sqe(opc, nsid);
        struct envme_cqe c;

        if ((gate == ENVME_GATE_NS_UNUSED && nsid) ||
            (looks && (nsid == WALK_DETACHED || nsid == WALK_NN ||
                       (nsid == UINT32_MAX &&
                        gate == ENVME_GATE_NS_ACTIVE)))) {
            walk_fails(w, p->qid, s, INVALID_FIELD, AT(nsid));
            continue;
        }
        if (looks && nsid != WALK_NS && nsid != UINT32_MAX) {
            walk_fails(w, p->qid, s, INVALID_NS, AT(nsid));
            continue;
        }
        if (row->gate & ENVME_GATE_NO_SLOT) {
            continue;
        }
        c = walk_cmd(w, p->qid, s, WALK_ANYWHERE);
        if (looks) {
            g_assert_cmphex(cqe_sc(&c), !=, ENVME_SC_INVALID_NS);
        }
    }
}

static void test_nsid(void)
{
    walk_rows(walk_nsid);
}

/* ---- what holds commands back ------------------------------------------ */

static void walk_protected(struct walk *w, const struct place *p, uint8_t opc,
                           const struct envme_row *row)
{
    struct envme_sqe s = sqe_of(opc, row);

    if (le32_get(s.nsid)) {
        s.nsid = le32(WALK_OTHER);
    }
    th_assert_sc(th_set_feature(w->h, ENVME_FID_WRITE_PROTECT, WALK_OTHER,
                                ENVME_NSWP_WRITE_PROTECT, false), SUCCESS);
    if (row->gate & ENVME_GATE_NO_SLOT) {
        return;
    }
    if (row->gate & ENVME_GATE_WRITES) {
        walk_fails(w, p->qid, s, NS_WRITE_PROTECTED, AT(nsid));
    } else if (p->iocs) {
        struct envme_cqe c = walk_cmd(w, p->qid, s, WALK_ANYWHERE);

        g_assert_cmphex(cqe_sc(&c), !=, ENVME_SC_NS_WRITE_PROTECTED);
    } else {
        walk_cmd(w, p->qid, s, WALK_ANYWHERE);
    }
}

static void test_protected(void)
{
    walk_rows(walk_protected);
}

/* Background work that the backend holds up, of the namespace WALK_NS. The
 * command itself may be over at once, or with the work. */
static uint16_t walk_hold(struct walk *w, uint8_t opc, uint32_t nsid,
                          uint32_t cdw10)
{
    struct envme_sqe s = th_sqe(opc, nsid);
    uint16_t cid;

    s.cdw10 = le32(cdw10);
    w->h->be[0]->hold = true;
    cid = th_submit(w->h, 0, &s);
    for (unsigned i = 0; i < 10; i++) {
        th_advance(w->h, 20 * 1000 * 1000);
    }
    g_assert_cmpuint(th_be_held(w->h->be[0]), >=, 1);
    return cid;
}

static void walk_let_go(struct walk *w, uint16_t cid)
{
    struct envme_cqe c;

    w->h->be[0]->hold = false;
    th_be_release_all(w->h->be[0], 0);
    for (unsigned i = 0; i < 100; i++) {
        th_advance(w->h, 20 * 1000 * 1000);
    }
    c = th_wait(w->h, 0, cid);
    th_assert_sc(c, SUCCESS);
}

static void walk_formatting(struct walk *w, const struct place *p, uint8_t opc,
                            const struct envme_row *row)
{
    struct envme_sqe s = sqe_of(opc, row);
    struct envme_cqe c;
    uint16_t cid;
    bool done;

    cid = walk_hold(w, ENVME_ADM_FORMAT, WALK_NS,
                    FIELD_SET(ENVME_FORMAT_SES, ENVME_FORMAT_SES_USER));
    if (p->iocs && !(row->gate & ENVME_GATE_IN_FORMAT)) {
        walk_fails(w, p->qid, s, FORMAT_IN_PROGRESS, UINT16_MAX);
    } else {
        c = walk_try(w, p->qid, s, 0, WALK_ANYWHERE, &done);
    }
    /* Others are not concerned. */
    if (le32_get(s.nsid)) {
        s.nsid = le32(WALK_OTHER);
    }
    c = walk_try(w, p->qid, s, 0, WALK_ANYWHERE, &done);
    g_assert_cmphex(cqe_sc(&c), !=, ENVME_SC_FORMAT_IN_PROGRESS);
    walk_let_go(w, cid);
    th_reap(w->h, p->qid);
    if (p->iocs) {
        s.nsid = le32(WALK_NS);
        c = walk_cmd(w, p->qid, s, WALK_ANYWHERE);
        g_assert_cmphex(cqe_sc(&c), !=, ENVME_SC_FORMAT_IN_PROGRESS);
    }
}

static void test_formatting(void)
{
    if (envme_tables.admin[ENVME_ADM_FORMAT].run) {
        walk_rows(walk_formatting);
    }
}

static void walk_sanitizing(struct walk *w, const struct place *p, uint8_t opc,
                            const struct envme_row *row)
{
    struct envme_sqe s = sqe_of(opc, row);
    struct envme_cqe c;
    uint16_t cid;
    bool done;

    cid = walk_hold(w, ENVME_ADM_SANITIZE, 0, ENVME_SANITIZE_BLOCK_ERASE);
    if (!(row->gate & ENVME_GATE_IN_SANITIZE)) {
        walk_fails(w, p->qid, s, SANITIZE_IN_PROGRESS, UINT16_MAX);
    } else {
        c = walk_try(w, p->qid, s, 0, WALK_ANYWHERE, &done);
        if (done && opc != ENVME_ADM_SANITIZE) {
            g_assert_cmphex(cqe_sc(&c), !=, ENVME_SC_SANITIZE_IN_PROGRESS);
        }
    }
    walk_let_go(w, cid);
    th_reap(w->h, p->qid);
    if (!(row->gate & ENVME_GATE_NO_SLOT)) {
        c = walk_cmd(w, p->qid, s, WALK_ANYWHERE);
        g_assert_cmphex(cqe_sc(&c), !=, ENVME_SC_SANITIZE_IN_PROGRESS);
    }
}

/* Base 2.1, 8.1.24.4: I/O commands say what has failed, others do not. */
static void walk_sanitize_failed(struct walk *w, const struct place *p,
                                 uint8_t opc, const struct envme_row *row)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SANITIZE, 0);
    struct envme_cqe c;
    bool done;

    s.cdw10 = le32(ENVME_SANITIZE_BLOCK_ERASE);
    envme_sanitize_fail_next(w->h->subsys);
    th_assert_sc(walk_cmd(w, 0, s, WALK_ANYWHERE), SUCCESS);
    for (unsigned i = 0; i < 100; i++) {
        th_advance(w->h, 20 * 1000 * 1000);
    }
    s = sqe_of(opc, row);
    if (row->gate & ENVME_GATE_IN_SANITIZE) {
        c = walk_try(w, p->qid, s, 0, WALK_ANYWHERE, &done);
        g_assert_true(!done || cqe_sc(&c) != ENVME_SC_SANITIZE_IN_PROGRESS);
        g_assert_true(!done || cqe_sc(&c) != ENVME_SC_SANITIZE_FAILED);
    } else if (p->iocs) {
        walk_fails(w, p->qid, s, SANITIZE_FAILED, UINT16_MAX);
    } else {
        walk_fails(w, p->qid, s, SANITIZE_IN_PROGRESS, UINT16_MAX);
    }
}

static void test_sanitizing(void)
{
    if (envme_tables.admin[ENVME_ADM_SANITIZE].run) {
        walk_rows(walk_sanitizing);
        walk_rows(walk_sanitize_failed);
    }
}

/* Nothing is fetched any more: there is no completion at all. */
static void walk_shut_down(struct walk *w, const struct place *p, uint8_t opc,
                           const struct envme_row *row)
{
    struct envme_sqe s = sqe_of(opc, row);
    struct envme_cqe c;
    uint16_t cid;

    (void)row;
    th_w32(w->h, ENVME_REG_CC, TH_CC_DEFAULT |
           FIELD_SET(ENVME_CC_SHN, ENVME_CC_SHN_NORMAL));
    th_run(w->h);
    g_assert_cmpuint(FIELD_GET(ENVME_CSTS_SHST,
                               th_r32(w->h, ENVME_REG_CSTS)), ==,
                     ENVME_CSTS_SHST_COMPLETE);
    s.dptr.prp1 = le64(w->mem);
    cid = th_submit(w->h, p->qid, &s);
    g_assert_false(th_try_wait(w->h, p->qid, cid, &c));
    th_abandon(w->h, p->qid, cid);
    g_assert_cmpuint(th_inflight(w->h), ==, 0);
}

static void test_shut_down(void)
{
    walk_rows(walk_shut_down);
}

static void walk_granted(struct envme_ctrl *ctrl, void *arg)
{
    (void)ctrl;
    *(bool *)arg = true;
}

/* Lanes that are parked take nothing; afterwards all goes on. */
static void walk_parked(struct walk *w, const struct place *p, uint8_t opc,
                        const struct envme_row *row)
{
    struct envme_sqe s = sqe_of(opc, row);
    uint64_t before = envme_errlog_count(w->h->ctrl);
    bool granted = false;
    struct envme_cqe c;
    uint16_t cid;

    envme_pause(w->h->ctrl, false, NULL, walk_granted, &granted);
    th_run(w->h);
    g_assert_true(granted);
    s.dptr.prp1 = le64(w->mem);
    s.dptr.prp2 = le64(w->list);
    cid = th_submit(w->h, p->qid, &s);
    g_assert_false(th_try_wait(w->h, p->qid, cid, &c));
    envme_resume(w->h->ctrl);
    if (row->gate & ENVME_GATE_NO_SLOT) {
        g_assert_false(th_try_wait(w->h, p->qid, cid, &c));
        th_abandon(w->h, p->qid, cid);
        return;
    }
    c = th_wait(w->h, p->qid, cid);
    walk_check(w, p->qid, &s, &c, before, WALK_ANYWHERE);
}

static void test_parked(void)
{
    walk_rows(walk_parked);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walk/reserved", test_reserved);
    g_test_add_func("/walk/unused", test_unused);
    g_test_add_func("/walk/unknown", test_unknown);
    g_test_add_func("/walk/nsid", test_nsid);
    g_test_add_func("/walk/protected", test_protected);
    g_test_add_func("/walk/formatting", test_formatting);
    g_test_add_func("/walk/sanitizing", test_sanitizing);
    g_test_add_func("/walk/shut-down", test_shut_down);
    g_test_add_func("/walk/parked", test_parked);
    return g_test_run();
}
