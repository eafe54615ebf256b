/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telemetry logs: captures, areas, generation numbers, the event. Base 2.1,
 * 5.1.12.1.8, 5.1.12.1.9, 8.1.27.
 */
#include "th.h"

#include <glib/gstdio.h>

struct log {
    struct envme_log_telemetry h;
    char data[600 * 1024];
};

static struct envme_cqe get(struct th *h, uint8_t lid, unsigned lsp, bool rae,
                            uint64_t off, void *buf, uint64_t len)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, 0);

    s.cdw10 = le32(lid | lsp << 8 | (uint32_t)rae << 15 |
                   (uint32_t)((len / 4 - 1) & 0xffff) << 16);
    s.cdw11 = le32((len / 4 - 1) >> 16);
    s.cdw12 = le32(off);
    return th_cmd_data(h, 0, &s, buf, len, TH_PRP);
}

/* The header, then the blocks, as a driver does. */
static struct log *read_all(struct th *h, uint8_t lid, unsigned lsp, bool rae)
{
    struct log *log = g_malloc(sizeof(*log));
    size_t len;

    memset(log, 0xee, sizeof(*log));
    th_assert_sc(get(h, lid, lsp, true, 0, log, 512), SUCCESS);
    g_assert_cmphex(log->h.lid, ==, lid);
    g_assert_cmpuint(le16_get(log->h.dalb1), <=, le16_get(log->h.dalb2));
    g_assert_cmpuint(le16_get(log->h.dalb2), <=, le16_get(log->h.dalb3));
    len = le16_get(log->h.dalb3) * 512;
    g_assert_cmpuint(len, <=, sizeof(log->data));
    for (size_t at = 0; at < len; at += 512) {
        th_assert_sc(get(h, lid, 0, rae, 512 + at, log->data + at, 512),
                     SUCCESS);
    }
    return log;
}

/* Text with balanced brackets, NULs at its end only. */
static const char *area(const struct log *log, unsigned n)
{
    const le16_t *last[] = { NULL, &log->h.dalb1, &log->h.dalb2,
                             &log->h.dalb3 };
    const char *from = log->data + (n > 1 ? le16_get(*last[n - 1]) : 0) * 512;
    size_t max = log->data + le16_get(*last[n]) * 512 - from;
    size_t len = strnlen(from, max);
    char want[32];
    int depth = 0;

    g_assert_cmpuint(max, >, 0);
    for (size_t i = len; i < max; i++) {
        g_assert_cmphex(from[i], ==, 0);
    }
    for (size_t i = 0; i < len; i++) {
        depth += from[i] == '{' || from[i] == '[';
        depth -= from[i] == '}' || from[i] == ']';
        g_assert_cmpint(depth, >=, 0);
        g_assert_true(depth || i >= len - 2);
    }
    g_assert_cmpint(depth, ==, 0);
    g_snprintf(want, sizeof(want), "\"area\":%u,", n);
    g_assert_nonnull(g_strstr_len(from, len, want));
    return from;
}

static void has(const char *text, const char *what)
{
    if (!strstr(text, what)) {
        g_error("no %s in %s", what, text);
    }
}

static void test_host(void)
{
    struct th *h = th_new(.lanes = 2);
    g_autofree struct envme_id_ctrl *id = g_malloc(4096);
    struct log *a, *b;
    uint8_t sector[512] = { 0 };

    th_enable(h);
    th_queues(h, 2, 16);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    g_assert_cmphex(id->lpa & ENVME_LPA_TS, !=, 0);
    /* None yet. */
    a = read_all(h, ENVME_LID_TELEMETRY_HOST, 0, true);
    g_assert_cmpuint(le16_get(a->h.dalb3), ==, 0);
    g_assert_cmpuint(a->h.hostdgn, ==, 0);
    g_assert_cmpuint(a->h.tcda, ==, 0);
    g_free(a);
    th_assert_sc(th_read(h, .data = sector), SUCCESS);
    th_assert_sc(th_read(h, .data = sector, .slba = 1ull << 40), LBA_RANGE);
    a = read_all(h, ENVME_LID_TELEMETRY_HOST, 1, true);
    g_assert_cmpuint(a->h.hostdgn, ==, 1);
    g_assert_cmpuint(a->h.ths, ==, 1);
    g_assert_cmpmem(a->h.ieee, 3, id->ieee, 3);
    has(area(a, 1), "\"serial\":\"HOST0001\"");
    has(area(a, 1), "\"reads\":1,");
    has(area(a, 2), "{\"sq\":2,\"size\":16,\"tail\":0,\"cq\":2}");
    has(area(a, 2), "{\"sq\":1,\"size\":16,\"tail\":2,\"cq\":1}");
    has(area(a, 3), "\"lba\":1099511627776");
    has(area(a, 3), "\"nsid\":1,\"blocks\":2048,\"lbads\":9");
    /* It stays as it is until another is asked for. */
    th_assert_sc(th_read(h, .data = sector), SUCCESS);
    b = read_all(h, ENVME_LID_TELEMETRY_HOST, 0, true);
    g_assert_cmpmem(a, sizeof(*a), b, sizeof(*b));
    g_free(b);
    b = read_all(h, ENVME_LID_TELEMETRY_HOST, 1, true);
    g_assert_cmpuint(b->h.hostdgn, ==, 2);
    has(area(b, 1), "\"reads\":2,");
    g_free(a);
    g_free(b);
    th_free(h);
}

/* regression: nvme-cli names the areas that it wants (MCDA). */
static void test_areas(void)
{
    struct th *h = th_new();

    th_enable(h);
    for (unsigned n = 0; n <= 4; n++) {
        struct log *log = read_all(h, ENVME_LID_TELEMETRY_HOST, 1 | n << 1,
                                   true);

        g_assert_cmpuint(le16_get(log->h.dalb1), >, 0);
        g_assert_cmpint(le16_get(log->h.dalb2) > le16_get(log->h.dalb1), ==,
                        n != 1);
        g_assert_cmpint(le16_get(log->h.dalb3) > le16_get(log->h.dalb2), ==,
                        n != 1 && n != 2);
        area(log, n >= 1 && n <= 3 ? n : 3);
        g_free(log);
    }
    th_free(h);
}

static void test_bad(void)
{
    struct th *h = th_new();
    struct log *log = g_malloc(sizeof(*log));
    uint8_t lid = ENVME_LID_TELEMETRY_HOST;

    th_enable(h);
    th_assert_sc(get(h, lid, 1, true, 0, log, 256), INVALID_FIELD);
    th_assert_sc(get(h, lid, 1, true, 4, log, 512), INVALID_FIELD);
    th_assert_sc(get(h, lid, 1 | 5 << 1, true, 0, log, 512), INVALID_FIELD);
    th_assert_sc(get(h, lid + 1, 1, true, 0, log, 512), INVALID_FIELD);
    th_assert_sc(get(h, lid, 0, true, 1024, log, 512), INVALID_FIELD);
    /* Nothing of that has made a capture. */
    th_assert_sc(get(h, lid, 0, true, 0, log, 512), SUCCESS);
    g_assert_cmpuint(log->h.hostdgn, ==, 0);
    g_free(log);
    th_free(h);
}

static void test_ctrl(void)
{
    g_autofree char *dir = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "state", NULL);
    struct th *h = th_new(.state = path);
    uint8_t lid = ENVME_LID_TELEMETRY_CTRL;
    struct log *log;
    uint16_t aer;

    th_enable(h);
    log = read_all(h, lid, 0, true);
    g_assert_cmpuint(le16_get(log->h.dalb3), ==, 0);
    g_assert_cmpuint(log->h.tcda, ==, 0);
    g_free(log);
    th_assert_sc(th_set_feature(h, ENVME_FID_AEC, 0, ENVME_FEAT_AEC_TLN,
                                false), SUCCESS);
    aer = th_aer(h);
    envme_health_set_warning(h->ctrl, ENVME_SMART_CW_NDR);
    g_assert_cmphex(le32_get(th_wait(h, 0, aer).dw0), ==,
                    ENVME_AEN_TYPE_NOTICE | ENVME_AEN_NOTICE_TELEMETRY << 8 |
                    lid << 16);
    /* Another reason does not take its place while it is unread. */
    envme_telemetry_report(h->ctrl, "another");
    log = read_all(h, lid, 0, true);
    g_assert_cmpuint(log->h.tcda, ==, 1);
    g_assert_cmpuint(log->h.tcdgn, ==, 1);
    g_assert_cmpuint(log->h.hostdgn, ==, 1);    /* here: the scope */
    g_assert_cmpstr((char *)log->h.rsnid, ==, "critical warning, bit 2");
    has(area(log, 1), "\"critical_warning\":4");
    g_free(log);
    /* The host's log tells of it too. */
    log = read_all(h, ENVME_LID_TELEMETRY_HOST, 0, true);
    g_assert_cmpuint(log->h.tcda, ==, 1);
    g_assert_cmpuint(log->h.tcdgn, ==, 1);
    g_free(log);
    /* It is there after a power cycle. */
    th_free(h);
    h = th_new(.state = path);
    th_enable(h);
    log = read_all(h, lid, 0, false);
    g_assert_cmpuint(log->h.tcda, ==, 1);
    has(area(log, 3), "\"reason\":\"critical warning, bit 2\"");
    g_free(log);
    log = read_all(h, lid, 0, true);
    g_assert_cmpuint(log->h.tcda, ==, 0);
    g_assert_cmpuint(log->h.tcdgn, ==, 1);
    area(log, 2);
    g_free(log);
    envme_telemetry_report(h->ctrl, "another");
    log = read_all(h, lid, 0, true);
    g_assert_cmpuint(log->h.tcdgn, ==, 2);
    g_assert_cmpuint(log->h.tcda, ==, 1);
    g_free(log);
    th_free(h);
    g_unlink(path);
    g_rmdir(dir);
}

static void test_sanitize(void)
{
    struct th *h = th_new();
    struct envme_sqe s = th_sqe(ENVME_ADM_SANITIZE, 0);
    struct log *log = g_malloc(sizeof(*log));

    th_enable(h);
    s.cdw10 = le32(ENVME_SANITIZE_BLOCK_ERASE | ENVME_SANITIZE_AUSE);
    envme_sanitize_fail_next(h->subsys);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    th_assert_sc(get(h, ENVME_LID_TELEMETRY_HOST, 1, true, 0, log, 512),
                 SANITIZE_IN_PROGRESS);
    for (unsigned i = 0; i < 10; i++) {
        th_advance(h, 30000000);
    }
    th_assert_sc(get(h, ENVME_LID_TELEMETRY_CTRL, 0, true, 0, log, 512),
                 SANITIZE_IN_PROGRESS);
    s.cdw10 = le32(ENVME_SANITIZE_EXIT_FAILURE);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    th_assert_sc(get(h, ENVME_LID_TELEMETRY_CTRL, 0, true, 0, log, 512),
                 SUCCESS);
    g_assert_cmpuint(log->h.tcda, ==, 1);
    g_assert_true(g_str_has_prefix((char *)log->h.rsnid, "sanitize failed"));
    g_assert_cmpuint(log->h.tcdgn, ==, 1);
    g_free(log);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/telemetry/host", test_host);
    g_test_add_func("/telemetry/areas", test_areas);
    g_test_add_func("/telemetry/bad", test_bad);
    g_test_add_func("/telemetry/controller", test_ctrl);
    g_test_add_func("/telemetry/sanitize", test_sanitize);
    return g_test_run();
}
