/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sparse memory with a read callback for the walkers: keeps what was read,
 * refuses to be read twice in one place, or across a boundary, and can fail
 * the nth read.
 */
#ifndef ENVME_TESTS_FAKEMEM_H
#define ENVME_TESTS_FAKEMEM_H

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "envme/bytes.h"

#define FAKEMEM_ERRNO (-EBUSY)  /* no errno that a walker would make up */

struct fakemem {
    GHashTable *words;          /* address -> 8 bytes, both boxed */
    GHashTable *seen;           /* words read since fakemem_begin() */
    bool reread_ok;             /* for lists that point to themselves */
    uint64_t boundary;          /* no read crosses a multiple; 0: any may */
    size_t max_read;            /* bytes at once */
    unsigned reads;             /* since fakemem_begin() */
    unsigned fail_at;           /* that read fails, 1 is the first; 0: none */
};

static inline void fakemem_init(struct fakemem *m, uint64_t boundary)
{
    *m = (struct fakemem){
        .words = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                       g_free),
        .seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                      NULL),
        .boundary = boundary,
        .max_read = 4096,
    };
}

static inline void fakemem_destroy(struct fakemem *m)
{
    g_hash_table_destroy(m->words);
    g_hash_table_destroy(m->seen);
}

static inline void fakemem_begin(struct fakemem *m, unsigned fail_at)
{
    g_hash_table_remove_all(m->seen);
    m->reads = 0;
    m->fail_at = fail_at;
}

static inline gpointer fakemem_box(uint64_t v)
{
    uint64_t *p = g_new(uint64_t, 1);

    *p = v;
    return p;
}

/* Little-endian, as the guest would; addr a multiple of 8. */
static inline void fakemem_put64(struct fakemem *m, uint64_t addr, uint64_t v)
{
    le64_t le = le64(v);
    uint64_t raw;

    memcpy(&raw, &le, sizeof(raw));
    g_assert_cmpuint(addr % 8, ==, 0);
    g_hash_table_replace(m->words, fakemem_box(addr), fakemem_box(raw));
}

static inline uint64_t fakemem_get64(struct fakemem *m, uint64_t addr)
{
    uint64_t *p = g_hash_table_lookup(m->words, &addr);
    le64_t le;

    g_assert_nonnull(p);
    memcpy(&le, p, sizeof(le));
    return le64_get(le);
}

static inline bool fakemem_has(struct fakemem *m, uint64_t addr)
{
    return g_hash_table_contains(m->words, &addr);
}

/* Memory that was never put reads as an error: nobody had business there. */
static inline int fakemem_read(void *opaque, uint64_t addr, void *buf,
                               size_t len)
{
    struct fakemem *m = opaque;

    g_assert_cmpuint(len, >, 0);
    g_assert_cmpuint(len, <=, m->max_read);
    g_assert_cmpuint(len % 8, ==, 0);
    g_assert_cmpuint(addr % 8, ==, 0);
    if (m->boundary) {
        g_assert_cmphex(addr / m->boundary, ==, (addr + len - 1) / m->boundary);
    }
    if (++m->reads == m->fail_at) {
        return FAKEMEM_ERRNO;
    }
    for (size_t i = 0; i < len; i += 8) {
        uint64_t at = addr + i;
        uint64_t *p = g_hash_table_lookup(m->words, &at);

        if (!p) {
            return -EIO;
        }
        g_assert_true(g_hash_table_add(m->seen, fakemem_box(at)) ||
                      m->reread_ok);
        memcpy((char *)buf + i, p, 8);
    }
    return 0;
}

#endif
