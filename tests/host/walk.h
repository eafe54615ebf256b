/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the tests that walk through the tables: a command with a data buffer
 * whose surroundings are watched, and what has to be true of every completion.
 */
#ifndef TESTS_HOST_WALK_H
#define TESTS_HOST_WALK_H

#include "th.h"

/* What a buffer is filled with before the two tries of walk_read(). */
#define WALK_POISON_1 0xa5
#define WALK_POISON_2 0x5a

/* NSIDs of walk_new(). */
#define WALK_NS       1                 /* active */
#define WALK_OTHER    2                 /* active as well */
#define WALK_DETACHED 3                 /* allocated, not attached */
#define WALK_NN       16                /* highest valid; not allocated */

static const uint32_t walk_nsids[] = {
    0, WALK_NS, WALK_DETACHED, WALK_NN, WALK_NN + 1, 0xfffffffe, UINT32_MAX,
};

/* Location of a parameter that is not to be compared. */
#define WALK_ANYWHERE 0xfffff

#define WALK_REGION (512 * KIB + 8 * KIB)

struct walk {
    struct th *h;
    uint64_t mem;               /* WALK_REGION bytes, contiguous */
    uint64_t list;              /* PRP list of its pages but the first */
};

static inline void walk_prps(struct walk *w)
{
    for (unsigned i = 0; i < 512 && (i + 1) * 4096u < WALK_REGION; i++) {
        th_mem_put64(w->h, w->list + 8 * i, w->mem + (i + 1) * 4096ull);
    }
}

/* With everything that a property can turn on. */
static inline void walk_all_on(struct envme_ctrl_params *p)
{
    p->ctratt_mem = true;
    p->wrr = true;
    p->hmpre = 64;
    p->hmmin = 16;
    /* Without latencies: nothing waits for a time. */
    g_assert_null(envme_pstates_parse("8W:4W/0/0/50:9mW/0/0/idle",
                                      &p->pstates));
    p->kas = UINT16_MAX;        /* 100 ms: nobody is late */
    p->temp_sensors = 8;
    p->temp_hyst = 7;
    p->streams = 16;
    p->nuuids = 1;
    memset(p->uuid[0], 0x11, sizeof(p->uuid[0]));
}

static inline struct walk walk_new(void)
{
    struct walk w = {
        .h = th_new(.ns = { { .size = MIB }, { .size = MIB },
                            { .size = MIB, .detached = true } },
                    .nn = WALK_NN, .multi = true, .tweak = walk_all_on),
    };

    th_enable(w.h);
    w.mem = th_alloc(w.h, WALK_REGION);
    w.list = th_alloc(w.h, 4096);
    walk_prps(&w);
    return w;
}

static inline void walk_free(struct walk *w)
{
    th_free_pages(w->h, w->list, 4096);
    th_free_pages(w->h, w->mem, WALK_REGION);
    th_free(w->h);
}

/* The list of statuses, but for those that leave no doubt. */
static inline bool walk_dnr(uint16_t code)
{
    switch (code) {
    case ENVME_SC_FORMAT_IN_PROGRESS:
    case ENVME_SC_SANITIZE_IN_PROGRESS:
    case ENVME_SC_SELF_TEST_IN_PROGRESS:
        return false;
    case ENVME_SC_INVALID_FIELD:
    case ENVME_SC_INVALID_NS:
    case ENVME_SC_INVALID_OPCODE:
    case ENVME_SC_LOG_PAGE_INVALID:
    case ENVME_SC_NS_WRITE_PROTECTED:
        return true;
    default:
        break;
    }
    switch (code) {
#define WALK_DNR(name, sct, sc, retry, text) \
    case (sct) << 8 | (sc): \
        return ENVME_RETRY_##retry == ENVME_RETRY_1;
    ENVME_STATUS_LIST(WALK_DNR)
#undef WALK_DNR
    default:
        g_error("no such status: %x", code);
    }
}

/*
 * A completion of s, before which the error log had `before` entries: nothing
 * has gone in there when it succeeded, else exactly one that says the same.
 */
static inline void walk_check(struct walk *w, uint16_t qid,
                              const struct envme_sqe *s,
                              const struct envme_cqe *c, uint64_t before,
                              unsigned loc)
{
    g_autofree struct envme_log_error *e =
        g_new(struct envme_log_error, w->h->params.elpe + 1u);
    uint64_t after = envme_errlog_count(w->h->ctrl);

    if (!cqe_sc(c)) {
        g_assert_cmphex(le16_get(c->sf) & ~ENVME_CQE_P, ==, 0);
        g_assert_cmpuint(after, ==, before);
        return;
    }
    g_assert_cmpint(cqe_dnr(c), ==, walk_dnr(cqe_sc(c)));
    g_assert_true(cqe_more(c));
    g_assert_cmpuint(after, ==, before + 1);
    envme_errlog_read(w->h->ctrl, e);
    g_assert_cmpuint(le64_get(e->ecnt), ==, after);
    g_assert_cmphex(le16_get(e->sts) & ~ENVME_CQE_P, ==,
                    le16_get(c->sf) & ~ENVME_CQE_P);
    g_assert_cmphex(le16_get(e->sqid), ==, qid);
    g_assert_cmphex(le16_get(e->cid), ==, le16_get(c->cid));
    g_assert_cmphex(le32_get(e->nsid), ==, le32_get(s->nsid));
    g_assert_cmphex(e->opc, ==, s->opc);
    if (loc != WALK_ANYWHERE) {
        g_assert_cmphex(le16_get(e->pel), ==, loc);
    }
}

/* With the data pointer at off in the region; *done false: it never ends. */
static inline struct envme_cqe walk_try(struct walk *w, uint16_t qid,
                                        struct envme_sqe s, unsigned off,
                                        unsigned loc, bool *done)
{
    uint64_t before = envme_errlog_count(w->h->ctrl);
    struct envme_cqe c = { 0 };
    uint16_t cid;

    walk_prps(w);
    s.dptr.prp1 = le64(w->mem + off);
    s.dptr.prp2 = le64(w->list);
    cid = th_submit(w->h, qid, &s);
    *done = th_try_wait(w->h, qid, cid, &c);
    if (*done) {
        walk_check(w, qid, &s, &c, before, loc);
    } else {
        th_abandon(w->h, qid, cid);
    }
    return c;
}

static inline struct envme_cqe walk_cmd(struct walk *w, uint16_t qid,
                                        struct envme_sqe s, unsigned loc)
{
    bool done;
    struct envme_cqe c = walk_try(w, qid, s, 0, loc, &done);

    g_assert_true(done);
    return c;
}

/* It fails with this status, here. */
#define walk_fails(w, qid, s, sc, loc) \
    th_assert_sc(walk_cmd(w, qid, s, loc), sc)

/* As a command of len bytes to the host wants it: two pages need no list. */
static inline void walk_point(struct walk *w, struct envme_sqe *s,
                              unsigned off, uint64_t len)
{
    bool list = off % 4096 + len > 8192;

    s->dptr.prp1 = le64(w->mem + off);
    s->dptr.prp2 = le64(list ? w->list : w->mem + 4096);
}

static inline struct envme_cqe walk_read_once(struct walk *w,
                                              struct envme_sqe *s,
                                              unsigned off, uint64_t len,
                                              uint8_t poison, unsigned loc)
{
    uint64_t before = envme_errlog_count(w->h->ctrl);
    uint64_t end = MIN(WALK_REGION, (off + len + 8191) / 4096 * 4096);
    uint8_t *at = th_mem(w->h, w->mem, WALK_REGION);
    struct envme_cqe c;

    memset(at, poison, end);
    walk_point(w, s, off, len);
    c = th_admin(w->h, s);
    walk_check(w, 0, s, &c, before, loc);
    for (unsigned i = 0; i < off; i++) {
        g_assert_cmphex(at[i], ==, poison);
    }
    for (uint64_t i = off + len; i < end; i++) {
        g_assert_cmphex(at[i], ==, poison);
    }
    return c;
}

/*
 * An admin command that brings len bytes (of which no more than the region
 * holds may come), to where off says. Twice, so that a byte which nobody
 * wrote shows. Its data is at w->mem + off.
 */
static inline struct envme_cqe walk_read(struct walk *w, struct envme_sqe s,
                                         unsigned off, uint64_t len,
                                         unsigned loc)
{
    uint64_t n = MIN(len, WALK_REGION - 4096 - off);
    struct envme_cqe c = walk_read_once(w, &s, off, n, WALK_POISON_1, loc);
    g_autofree uint8_t *first = NULL;
    const uint8_t *at = th_mem(w->h, w->mem + off, n);

    if (cqe_sc(&c)) {
        return c;
    }
    g_assert_cmpuint(n, ==, len);
    first = g_memdup2(at, n);
    th_assert_sc(walk_read_once(w, &s, off, n, WALK_POISON_2, loc), SUCCESS);
    for (uint64_t i = 0; i < n; i++) {
        if (first[i] == WALK_POISON_1 && at[i] == WALK_POISON_2) {
            g_error("opcode %02x CDW10 %08x CDW11 %08x CDW12 %08x: byte %"
                    G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " is not "
                    "written", s.opc, le32_get(s.cdw10), le32_get(s.cdw11),
                    le32_get(s.cdw12), i, n);
        }
    }
    return c;
}

#endif
