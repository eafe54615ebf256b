/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every log page, Identify structure and feature, of the tables and beyond, at
 * every edge of offset and length: what comes back is initialised, in its
 * place, and the same in pieces. Base 2.1, 5.1.11, 5.1.12, 5.1.13, 5.1.25.
 */
#include "walk.h"

#include "envme/pel.h"
#include "hw/ctrl/logpage.h"

#define AT(field) offsetof(struct envme_sqe, field)

/* ---- log pages --------------------------------------------------------- */

/* How a page is asked for. */
struct form {
    uint8_t lid, lsp, csi, uidx;
    uint16_t lsi;
    uint32_t nsid;
    bool rae, ot;
};

static struct envme_sqe log_sqe(const struct form *f, uint64_t off,
                                uint64_t len)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, f->nsid);
    uint64_t numd = len / 4 - 1;

    s.cdw10 = le32(f->lid | FIELD_SET(ENVME_GETLOG_LSP, f->lsp) |
                   (f->rae ? ENVME_GETLOG_RAE : 0) |
                   FIELD_SET(ENVME_GETLOG_NUMDL, numd & 0xffff));
    s.cdw11 = le32(FIELD_SET(ENVME_GETLOG_NUMDU, numd >> 16) |
                   FIELD_SET(ENVME_GETLOG_LSI, f->lsi));
    s.cdw12 = le32(off);
    s.cdw13 = le32(off >> 32);
    s.cdw14 = le32(f->uidx | (f->ot ? ENVME_GETLOG_OT : 0) |
                   FIELD_SET(ENVME_GETLOG_CSI, f->csi));
    return s;
}

static uint16_t log_read(struct walk *w, const struct form *f, uint64_t off,
                         uint64_t len, unsigned loc)
{
    struct envme_cqe c = walk_read(w, log_sqe(f, off, len), off % 64 * 4, len,
                                   loc);

    return cqe_sc(&c);
}

/* Does LSP make it another number of bytes than NUMD says? */
static bool log_is_fixed(const struct envme_log_row *row, const struct form *f)
{
    const struct envme_cmd cmd = { .sqe = log_sqe(f, 0, 512) };
    uint64_t len;

    return row->fixed && row->fixed(&cmd, &len);
}

/* A way of asking that brings the first block; false: there is none. */
static bool log_find(struct walk *w, const struct envme_log_row *row,
                     struct form *f)
{
    static const uint32_t nsid[] = { UINT32_MAX, 0, WALK_NS };

    if (row->lid == ENVME_LID_PERSISTENT_EVENT) {
        *f = (struct form){ .lid = row->lid, .lsp = ENVME_PEL_ESTABLISH_512 };
        log_read(w, f, 0, 512, WALK_ANYWHERE);
    }
    for (unsigned lsp = 0; lsp < 128; lsp++) {
        for (unsigned i = 0; i < 2 * G_N_ELEMENTS(nsid); i++) {
            *f = (struct form){ .lid = row->lid, .lsp = lsp, .rae = true,
                                .lsi = i / G_N_ELEMENTS(nsid),
                                .nsid = nsid[i % G_N_ELEMENTS(nsid)] };
            if (log_read(w, f, 0, 512, WALK_ANYWHERE) == 0) {
                /* What made it (a context, a capture) is there now. */
                f->lsp = 0;
                if (lsp && log_read(w, f, 0, 512, WALK_ANYWHERE)) {
                    f->lsp = lsp;
                }
                return true;
            }
        }
    }
    return false;
}

/* The last offset that is none too many. */
static uint64_t log_size(struct walk *w, const struct form *f, unsigned gran)
{
    uint64_t lo = 0, hi = UINT64_C(1) << 32;

    while (hi - lo > gran) {
        uint64_t mid = (lo + hi) / 2 / gran * gran;

        if (log_read(w, f, mid, gran, WALK_ANYWHERE) == 0) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static uint8_t *log_whole(struct walk *w, const struct form *f, uint64_t size,
                          unsigned gran)
{
    uint8_t *buf = g_malloc(size + gran);

    for (uint64_t at = 0; at < size; at += 64 * KIB) {
        uint64_t len = MIN(size - at, 64 * KIB);

        g_assert_cmphex(log_read(w, f, at, len, 0), ==, 0);
        memcpy(buf + at, th_mem(w->h, w->mem + at % 64 * 4, len), len);
    }
    return buf;
}

/* Pieces of a page that stays as it is are pieces of it. */
static void log_pieces(struct walk *w, const struct form *f, uint64_t size,
                       unsigned gran)
{
    g_autofree uint8_t *whole = log_whole(w, f, size, gran);
    g_autofree uint8_t *again = log_whole(w, f, size, gran);

    if (memcmp(whole, again, size)) {
        return;
    }
    for (unsigned i = 0; i < 40; i++) {
        uint64_t off = th_random(w->h, size / gran + 1) * (uint64_t)gran;
        uint64_t len = (1 + th_random(w->h, 2048 / gran)) * (uint64_t)gran;
        const uint8_t *at;

        g_assert_cmphex(log_read(w, f, off, len, 0), ==, 0);
        at = th_mem(w->h, w->mem + off % 64 * 4, len);
        g_assert_cmpint(memcmp(at, whole + off, MIN(len, size - off)), ==, 0);
    }
}

static void log_edges(struct walk *w, const struct form *f, uint64_t size,
                      unsigned gran)
{
    const uint64_t off[] = {
        0, 1, 2, 3, 4, 511, 512, size - 4, size - gran, size, size + 4,
        size + gran, UINT64_C(1) << 40, UINT64_C(1) << 63, UINT64_MAX - 3,
    };
    const uint64_t len[] = {
        4, 8, 512, MAX(size, gran), size + 4, size + gran,
        envme_ctrl_mdts_bytes(w->h->ctrl),
        envme_ctrl_mdts_bytes(w->h->ctrl) + 4, UINT64_C(1) << 34,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(off); i++) {
        for (unsigned k = 0; k < G_N_ELEMENTS(len); k++) {
            bool bad_off = off[i] > size || off[i] % gran;
            bool too_long = len[k] > envme_ctrl_mdts_bytes(w->h->ctrl);
            uint16_t sc = log_read(w, f, off[i], len[k], WALK_ANYWHERE);

            g_assert_cmphex(sc, ==, bad_off || too_long || len[k] % gran ?
                                    ENVME_SC_INVALID_FIELD : 0);
        }
    }
    /* The field that is wrong. */
    log_read(w, f, size + gran, gran, AT(cdw12));
    log_read(w, f, 2, gran, AT(cdw12));
    log_read(w, f, 0, UINT64_C(1) << 34, AT(cdw10) + 2);
}

static void log_others(struct walk *w, const struct envme_log_row *row,
                       struct form f, unsigned gran)
{
    const struct form good = f;

    for (unsigned i = 0; i < G_N_ELEMENTS(walk_nsids); i++) {
        bool all = walk_nsids[i] == 0 || walk_nsids[i] == UINT32_MAX;
        uint16_t sc;

        f.nsid = walk_nsids[i];
        sc = log_read(w, &f, 0, gran, all ? WALK_ANYWHERE : AT(nsid));
        if (f.nsid == good.nsid) {
            g_assert_cmphex(sc, ==, 0);
        } else if (f.nsid > WALK_NN && !all) {
            g_assert_cmphex(sc, ==, ENVME_SC_INVALID_NS);
        } else if (f.nsid == WALK_NS && row->scope == ENVME_LOG_NS) {
            g_assert_cmphex(sc, ==, 0);
        } else if (!all) {
            g_assert_cmphex(sc, ==, ENVME_SC_INVALID_FIELD);
        }
    }
    f = good;
    f.ot = true;
    if (!(row->lid_support & 1)) {
        g_assert_cmphex(log_read(w, &f, 0, gran, WALK_ANYWHERE), ==,
                        ENVME_SC_INVALID_FIELD);
    }
    f = good;
    /* Ignored: CC.CSS is not 110b. */
    for (unsigned csi = 0; csi < 256; csi++) {
        f.csi = csi;
        g_assert_cmphex(log_read(w, &f, 0, gran, WALK_ANYWHERE), ==, 0);
    }
    f = good;
    for (f.uidx = 1; f.uidx < 128; f.uidx++) {
        log_read(w, &f, 0, gran, WALK_ANYWHERE);
    }
    f = good;
    for (f.lsp = 127; f.lsp; f.lsp--) {
        if (!log_is_fixed(row, &f)) {
            log_read(w, &f, 0, gran, WALK_ANYWHERE);
        }
    }
    for (f.lsp = 0, f.lsi = 1; f.lsi; f.lsi <<= 1) {
        log_read(w, &f, 0, gran, WALK_ANYWHERE);
    }
    f = good;
    f.rae = false;
    log_read(w, &f, 0, gran, WALK_ANYWHERE);
}

static void test_logs(void)
{
    for (unsigned i = 0; i < envme_tables.logs->n; i++) {
        const struct envme_log_row *row = &envme_tables.logs->row[i];
        struct walk w = walk_new();
        unsigned gran;
        struct form f;
        uint64_t size;

        if (log_find(&w, row, &f)) {
            gran = log_read(&w, &f, 0, 4, WALK_ANYWHERE) ? 512 : 4;
            size = log_size(&w, &f, gran);
            g_test_message("LID %02x LSP %02x NSID %x: %" G_GUINT64_FORMAT
                           " bytes by %u", f.lid, f.lsp, f.nsid, size, gran);
            g_assert_cmpuint(size, >=, 4);
            log_pieces(&w, &f, size, gran);
            log_edges(&w, &f, size, gran);
            log_others(&w, row, f, gran);
        } else {
            g_test_message("LID %02x: not without a context", row->lid);
        }
        walk_free(&w);
    }
}

static void test_logs_unknown(void)
{
    struct walk w = walk_new();
    struct form f = { .nsid = UINT32_MAX };

    for (unsigned lid = 0; lid < 256; lid++) {
        f.lid = lid;
        if (envme_logpage_row(w.h->ctrl, lid)) {
            continue;
        }
        for (uint64_t len = 4; len <= 4096; len *= 4) {
            g_assert_cmphex(log_read(&w, &f, 0, len, AT(cdw10)), ==,
                            ENVME_SC_LOG_PAGE_INVALID);
            g_assert_cmphex(log_read(&w, &f, 3, len, AT(cdw10)), ==,
                            ENVME_SC_LOG_PAGE_INVALID);
        }
        f.nsid ^= UINT32_MAX;
    }
    walk_free(&w);
}

/* ---- Identify ---------------------------------------------------------- */

static void test_identify(void)
{
    static const uint16_t id[] = { 0, 1, 63, 0xfffe, 0xffff };
    static const uint8_t csi[] = { 0, 1, 2, 3, 0x30, 0xff };
    struct walk w = walk_new();
    unsigned n = 0, good;

    for (unsigned cns = 0; cns < 256; cns++) {
        bool there = envme_tables.cns[cns].there;

        good = 0;
        for (unsigned i = 0; i < G_N_ELEMENTS(walk_nsids) *
             G_N_ELEMENTS(id) * G_N_ELEMENTS(csi); i++) {
            uint32_t nsid = walk_nsids[i % G_N_ELEMENTS(walk_nsids)];
            unsigned k = i / G_N_ELEMENTS(walk_nsids);
            struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, nsid);
            struct envme_cqe c;

            if (!there && k) {
                break;
            }
            /* CNTID and CNSSID: no structure takes both. */
            s.cdw10 = le32(cns | FIELD_SET(ENVME_IDENTIFY_CNTID,
                                           id[k % G_N_ELEMENTS(id)]));
            s.cdw11 = le32(id[k % G_N_ELEMENTS(id)] |
                           FIELD_SET(ENVME_IDENTIFY_CSI,
                                     csi[k / G_N_ELEMENTS(id)]));
            s.cdw14 = le32(there ? i % 128 : 0);
            c = walk_read(&w, s, 4 * (++n % 1024), 4096,
                          there ? WALK_ANYWHERE : AT(cdw10));
            good += !cqe_sc(&c);
            if (!there) {
                th_assert_sc(c, INVALID_FIELD);
            }
        }
        g_assert_cmpint(good > 0, ==, there);
    }
    walk_free(&w);
}

/* ---- features ---------------------------------------------------------- */

static const struct envme_feat_row *feat_row(struct walk *w, unsigned fid)
{
    for (unsigned i = 0; i < envme_tables.feats->n; i++) {
        const struct envme_feat_row *row = &envme_tables.feats->row[i];

        if (row->fid == fid) {
            return row->there && !row->there(w->h->ctrl) ? NULL : row;
        }
    }
    return NULL;
}

static uint64_t feat_len(const struct envme_feat_row *row,
                         const struct envme_sqe *s, unsigned sel)
{
    const struct envme_cmd cmd = { .sqe = *s };

    if (!row || sel == ENVME_FEAT_SEL_CAPS) {
        return 0;
    }
    return row->len ? row->len(&cmd) : row->data_len;
}

static struct envme_cqe feat_get(struct walk *w, unsigned fid, unsigned sel,
                                 uint32_t nsid, uint32_t cdw11, unsigned loc)
{
    const struct envme_feat_row *row = feat_row(w, fid);
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, nsid);

    s.cdw10 = le32(fid | FIELD_SET(ENVME_FEAT_SEL, sel));
    /* It is about a group: there is one. */
    s.cdw11 = le32(cdw11 | (fid == ENVME_FID_ENDGRP_EVENT));
    return walk_read(w, s, 4 * fid, feat_len(row, &s, sel), loc);
}

/* With what Get Features has left at its place in the buffer. */
static struct envme_cqe feat_set(struct walk *w, unsigned fid, bool save,
                                 uint32_t nsid, uint32_t cdw11, unsigned loc)
{
    uint64_t before = envme_errlog_count(w->h->ctrl);
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, nsid);
    struct envme_cqe c;

    s.cdw10 = le32(fid | (save ? ENVME_FEAT_SV : 0));
    s.cdw11 = le32(cdw11);
    walk_point(w, &s, 4 * fid, 4096);
    c = th_admin(w->h, &s);
    walk_check(w, 0, &s, &c, before, loc);
    return c;
}

static uint32_t feat_nsid(const struct envme_feat_row *row)
{
    return row->scope == ENVME_FEAT_NS ? WALK_NS : 0;
}

static void test_features_get(void)
{
    struct walk w = walk_new();

    for (unsigned fid = 0; fid < 256; fid++) {
        const struct envme_feat_row *row = feat_row(&w, fid);

        for (unsigned sel = 0; sel < 8; sel++) {
            for (unsigned i = 0; i < G_N_ELEMENTS(walk_nsids); i++) {
                uint32_t nsid = walk_nsids[i];
                bool bad_ns = row && row->scope == ENVME_FEAT_NS &&
                              nsid != WALK_NS && sel != ENVME_FEAT_SEL_CAPS;
                struct envme_cqe c = feat_get(&w, fid, sel, nsid, 0,
                                              WALK_ANYWHERE);

                if (!row || (sel > ENVME_FEAT_SEL_CAPS && !bad_ns)) {
                    th_assert_sc(c, INVALID_FIELD);
                } else if (bad_ns && nsid && nsid <= WALK_NN) {
                    th_assert_sc(c, INVALID_FIELD);
                } else if (bad_ns) {
                    th_assert_sc(c, INVALID_NS);
                } else {
                    th_assert_sc(c, SUCCESS);
                }
                if (row && sel == ENVME_FEAT_SEL_CAPS) {
                    g_assert_cmphex(le32_get(c.dw0), ==,
                        (row->saveable ? ENVME_FEAT_CAP_SAVEABLE : 0) |
                        (row->changeable ? ENVME_FEAT_CAP_CHANGE : 0) |
                        (row->scope == ENVME_FEAT_NS ? ENVME_FEAT_CAP_NS : 0));
                }
            }
        }
        if (!row) {
            feat_get(&w, fid, 0, 0, 0, AT(cdw10));
        } else {
            feat_get(&w, fid, 7, feat_nsid(row), 0, AT(cdw10) + 1);
        }
    }
    walk_free(&w);
}

/* What is refused, and has changed nothing. */
static void test_features_refused(void)
{
    struct walk w = walk_new();

    for (unsigned fid = 0; fid < 256; fid++) {
        const struct envme_feat_row *row = feat_row(&w, fid);
        struct envme_cqe before, c;

        if (!row) {
            for (unsigned i = 0; i < G_N_ELEMENTS(walk_nsids); i++) {
                th_assert_sc(feat_set(&w, fid, i & 1, walk_nsids[i], i,
                                      AT(cdw10)), INVALID_FIELD);
            }
            continue;
        }
        before = feat_get(&w, fid, 0, feat_nsid(row), 0, 0);
        if (!row->saveable) {
            th_assert_sc(feat_set(&w, fid, true, feat_nsid(row),
                                  le32_get(before.dw0),
                                  (AT(cdw10) + 3) | 7 << 8),
                         FID_NOT_SAVEABLE);
        }
        if (!row->changeable) {
            th_assert_sc(feat_set(&w, fid, false, feat_nsid(row),
                                  le32_get(before.dw0), AT(cdw10)),
                         FEAT_NOT_CHANGEABLE);
            continue;
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(walk_nsids); i++) {
            uint32_t nsid = walk_nsids[i];

            if (row->scope != ENVME_FEAT_NS && nsid && nsid != UINT32_MAX) {
                th_assert_sc(feat_set(&w, fid, false, nsid,
                                      le32_get(before.dw0), AT(nsid)),
                             FEAT_NOT_NS);
            } else if (row->scope == ENVME_FEAT_NS && nsid != WALK_NS &&
                       nsid != UINT32_MAX) {
                c = feat_set(&w, fid, false, nsid, le32_get(before.dw0),
                             AT(nsid));
                g_assert_cmphex(cqe_sc(&c), ==, nsid && nsid <= WALK_NN ?
                                ENVME_SC_INVALID_FIELD : ENVME_SC_INVALID_NS);
            }
        }
        c = feat_get(&w, fid, 0, feat_nsid(row), 0, 0);
        if (fid != ENVME_FID_TIMESTAMP) {
            g_assert_cmphex(le32_get(c.dw0), ==, le32_get(before.dw0));
        }
    }
    walk_free(&w);
}

/* Each bit of CDW11: what succeeds is what Get Features says next, unless it
 * selects something; what fails changes nothing. Returns a value that was
 * taken and differs from the first. */
static bool feat_other(struct walk *w, const struct envme_feat_row *row,
                       uint32_t first, uint32_t *other)
{
    bool found = false;

    for (unsigned bit = 0; bit < 32; bit++) {
        uint32_t v = first ^ 1u << bit, now;
        struct envme_cqe old = feat_get(w, row->fid, 0, feat_nsid(row), 0, 0);
        struct envme_cqe c = feat_set(w, row->fid, false, feat_nsid(row), v,
                                      WALK_ANYWHERE);

        now = le32_get(feat_get(w, row->fid, 0, feat_nsid(row), 0, 0).dw0);
        if (cqe_sc(&c)) {
            g_assert_cmphex(now, ==, le32_get(old.dw0));
        } else if (now == v && !found) {
            found = true;
            *other = v;
        }
    }
    return found;
}

static void feat_reset(struct walk *w)
{
    th_disable(w->h);
    th_enable(w->h);
}

static uint32_t feat_value(struct walk *w, const struct envme_feat_row *row,
                           unsigned sel, uint32_t nsid)
{
    struct envme_cqe c = feat_get(w, row->fid, sel, nsid, 0, WALK_ANYWHERE);

    th_assert_sc(c, SUCCESS);
    return le32_get(c.dw0);
}

/* Whose value is a state of the namespace or medium, which a reset leaves. */
static bool feat_is_state(const struct envme_feat_row *row)
{
    return row->own || row->fid == ENVME_FID_WRITE_PROTECT ||
           row->fid == ENVME_FID_BP_WRITE_PROTECT;
}

static void walk_feature(struct walk *w, const struct envme_feat_row *row)
{
    uint32_t nsid = feat_nsid(row);
    uint32_t first = feat_value(w, row, ENVME_FEAT_SEL_CURRENT, nsid);
    uint32_t dflt = feat_value(w, row, ENVME_FEAT_SEL_DEFAULT, nsid);
    uint32_t other = first, there = 0;
    struct envme_cqe c;

    /* What it has, it takes; data is what was read. */
    feat_get(w, row->fid, 0, nsid, 0, 0);
    c = feat_set(w, row->fid, false, nsid, first, WALK_ANYWHERE);
    if (row->data_len && cqe_sc(&c)) {
        /* What is set is not what is got: commands, addresses and the like,
         * for which there are tests by themselves. */
        g_test_message("FID %02x: %s", row->fid, th_sc_name(cqe_sc(&c)));
        return;
    }
    th_assert_sc(c, SUCCESS);
    if (!feat_other(w, row, first, &other) || feat_is_state(row) ||
        (row->data_len && !row->saveable)) {
        return;
    }
    g_test_message("FID %02x: %x, default %x, takes %x", row->fid, first, dflt,
                   other);
    if (row->scope == ENVME_FEAT_NS) {
        there = feat_value(w, row, ENVME_FEAT_SEL_CURRENT, WALK_OTHER);
    }
    feat_get(w, row->fid, 0, nsid, 0, 0);
    th_assert_sc(feat_set(w, row->fid, false, nsid, other, WALK_ANYWHERE),
                 SUCCESS);
    g_assert_cmphex(feat_value(w, row, ENVME_FEAT_SEL_CURRENT, nsid), ==,
                    other);
    g_assert_cmphex(feat_value(w, row, ENVME_FEAT_SEL_DEFAULT, nsid), ==,
                    dflt);
    g_assert_cmphex(feat_value(w, row, ENVME_FEAT_SEL_SAVED, nsid), ==, dflt);
    if (row->scope == ENVME_FEAT_NS) {
        g_assert_cmphex(feat_value(w, row, ENVME_FEAT_SEL_CURRENT,
                                   WALK_OTHER), ==, there);
    }
    /* What is not saved does not survive. */
    feat_reset(w);
    g_assert_cmphex(feat_value(w, row, ENVME_FEAT_SEL_CURRENT, nsid), ==,
                    first);
    if (!row->saveable) {
        return;
    }
    th_assert_sc(feat_set(w, row->fid, true, nsid, other, WALK_ANYWHERE),
                 SUCCESS);
    th_assert_sc(feat_set(w, row->fid, false, nsid, first, WALK_ANYWHERE),
                 SUCCESS);
    g_assert_cmphex(feat_value(w, row, ENVME_FEAT_SEL_CURRENT, nsid), ==,
                    first);
    g_assert_cmphex(feat_value(w, row, ENVME_FEAT_SEL_SAVED, nsid), ==, other);
    feat_reset(w);
    g_assert_cmphex(feat_value(w, row, ENVME_FEAT_SEL_CURRENT, nsid), ==,
                    other);
    g_assert_cmphex(feat_value(w, row, ENVME_FEAT_SEL_DEFAULT, nsid), ==,
                    dflt);
}

static void test_features_set(void)
{
    for (unsigned i = 0; i < envme_tables.feats->n; i++) {
        const struct envme_feat_row *row = &envme_tables.feats->row[i];
        struct walk w;

        w = walk_new();
        if (row->changeable && feat_row(&w, row->fid)) {
            walk_feature(&w, row);
        }
        walk_free(&w);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walk-pages/logs", test_logs);
    g_test_add_func("/walk-pages/logs-unknown", test_logs_unknown);
    g_test_add_func("/walk-pages/identify", test_identify);
    g_test_add_func("/walk-pages/features-get", test_features_get);
    g_test_add_func("/walk-pages/features-refused", test_features_refused);
    g_test_add_func("/walk-pages/features-set", test_features_set);
    return g_test_run();
}
