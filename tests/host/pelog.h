/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the Persistent Event log as a host does, for tests. */
#ifndef TESTS_HOST_PELOG_H
#define TESTS_HOST_PELOG_H

#include "envme/pel.h"
#include "th.h"

struct pelog {
    struct envme_log_pel h;
    uint8_t data[256 * 1024];
};

static inline struct envme_cqe pel_get(struct th *h, unsigned lsp,
                                       uint64_t off, void *buf, uint64_t len)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, 0);

    s.cdw10 = le32(ENVME_LID_PERSISTENT_EVENT | lsp << 8 |
                   (uint32_t)((len / 4 - 1) & 0xffff) << 16);
    s.cdw11 = le32((len / 4 - 1) >> 16);
    s.cdw12 = le32(off);
    s.cdw13 = le32(off >> 32);
    return th_cmd_data(h, 0, &s, buf, len, TH_PRP);
}

static inline void pel_release(struct th *h)
{
    uint8_t buf[512];

    memset(buf, 0xee, sizeof(buf));
    th_assert_sc(pel_get(h, ENVME_PEL_RELEASE, 0, buf, sizeof(buf)), SUCCESS);
    g_assert_cmphex(buf[0], ==, 0xee);  /* no data */
}

/* All of it: the header with a new context, the rest in pieces, release. Every
 * event is checked for what all have in common. */
static inline struct pelog *pel_read(struct th *h)
{
    struct pelog *log = g_malloc(sizeof(*log));
    uint64_t at = sizeof(log->h), end;
    unsigned n = 0;

    memset(log, 0xee, sizeof(*log));
    th_assert_sc(pel_get(h, ENVME_PEL_ESTABLISH_512, 0, log, 512), SUCCESS);
    g_assert_cmphex(log->h.lid, ==, ENVME_LID_PERSISTENT_EVENT);
    g_assert_cmphex(le32_get(log->h.rci), ==, 0);
    end = le64_get(log->h.tll);
    g_assert_cmpuint(end, <=, sizeof(*log));
    while (at < end) {
        uint64_t part = MIN(4096, (end - at + 3) & ~3ull);

        th_assert_sc(pel_get(h, ENVME_PEL_READ, at, (uint8_t *)log + at, part),
                     SUCCESS);
        at += part;
    }
    for (at = le16_get(log->h.lhl) + 20; at < end; n++) {
        const struct envme_pel_event *e =
            (const void *)((const uint8_t *)log + at);

        g_assert_cmpuint(end - at, >=, sizeof(*e));
        g_assert_cmpuint(e->ehl, ==, 21);
        g_assert_cmphex(e->ehai, ==, 1);        /* port 0 */
        g_assert_cmpuint(le16_get(e->pelpid), ==, 0);
        g_assert_cmpuint(le16_get(e->vsil), ==, 0);
        g_assert_cmphex(log->h.seb[e->et / 8] & 1 << e->et % 8, !=, 0);
        at += 24 + le16_get(e->el);
    }
    g_assert_cmpuint(at, ==, end);
    g_assert_cmpuint(n, ==, le32_get(log->h.tnev));
    pel_release(h);
    return log;
}

/* The nth event of this type, the newest is 0; NULL. */
static inline const struct envme_pel_event *pel_find(const struct pelog *log,
                                                     uint8_t type, unsigned n)
{
    const uint8_t *p = log->data;

    for (unsigned i = 0; i < le32_get(log->h.tnev); i++) {
        const struct envme_pel_event *e = (const void *)p;

        if (e->et == type && !n--) {
            return e;
        }
        p += 24 + le16_get(e->el);
    }
    return NULL;
}

static inline unsigned pel_count(const struct pelog *log, uint8_t type)
{
    unsigned n = 0;

    while (pel_find(log, type, n)) {
        n++;
    }
    return n;
}

/* A copy, aligned, of the data of the nth event, of that length exactly; and
 * its revision. Good until 16 others. */
static inline const void *pel_data(const struct pelog *log, uint8_t type,
                                   unsigned n, size_t len, unsigned rev)
{
    static uint64_t copy[16][128];
    static unsigned next;
    const struct envme_pel_event *e = pel_find(log, type, n);

    g_assert_nonnull(e);
    g_assert_cmpuint(len, <=, sizeof(copy[0]));
    g_assert_cmpuint(le16_get(e->el), ==, len);
    g_assert_cmpuint(e->etr, ==, rev);
    next = (next + 1) % G_N_ELEMENTS(copy);
    memcpy(copy[next], e + 1, len);
    return copy[next];
}

static inline uint64_t pel_ms(const struct envme_timestamp *ts)
{
    uint64_t ms = 0;

    for (unsigned i = 0; i < 6; i++) {
        ms |= (uint64_t)ts->timestamp[i] << (8 * i);
    }
    return ms;
}

#endif
