/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Streams directive: Base 2.1, 8.1.8.3. */
#include "th.h"

#include "envme/directive.h"
#include "nsm.h"

#define ALL UINT32_MAX
#define MSL 8

static void tweak_streams(struct envme_ctrl_params *p)
{
    p->streams = MSL;
}

static struct th *host(void)
{
    struct th *h = th_new(.tweak = tweak_streams, .lanes = 1,
                          .ns = { { .size = MIB }, { .size = MIB } });

    th_enable(h);
    th_queues(h, 1, 16);
    return h;
}

static struct envme_cqe recv(struct th *h, uint32_t nsid, unsigned type,
                             unsigned oper, uint32_t cdw12, void *buf,
                             size_t len)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_DIRECTIVE_RECV, nsid);

    s.cdw10 = le32(len ? len / 4 - 1 : 0);
    s.cdw11 = le32(type << 8 | oper);
    s.cdw12 = le32(cdw12);
    return len ? th_cmd_data(h, 0, &s, buf, len, TH_PRP) : th_admin(h, &s);
}

static struct envme_cqe send_(struct th *h, uint32_t nsid, uint32_t cdw11,
                              uint32_t cdw12)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_DIRECTIVE_SEND, nsid);

    s.cdw11 = le32(cdw11);
    s.cdw12 = le32(cdw12);
    return th_admin(h, &s);
}

static struct envme_cqe enable(struct th *h, uint32_t nsid, bool on)
{
    return send_(h, nsid, ENVME_DOPER_SEND_ID_ENABLE,
                 ENVME_DTYPE_STREAMS << 8 | on);
}

static bool is_enabled(struct th *h, uint32_t nsid)
{
    struct envme_directive_params p;

    th_assert_sc(recv(h, nsid, ENVME_DTYPE_IDENTIFY, 1, 0, &p, sizeof(p)),
                 SUCCESS);
    g_assert_cmphex(p.supported[0], ==, 3);
    g_assert_cmphex(p.enabled[0] & ~2, ==, 1);
    g_assert_cmphex(p.persistent[0], ==, 0);
    return p.enabled[0] & 2;
}

static struct envme_cqe allocate(struct th *h, uint32_t nsid, unsigned n)
{
    return recv(h, nsid, ENVME_DTYPE_STREAMS, ENVME_DOPER_RECV_STREAMS_ALLOC,
                n, NULL, 0);
}

static struct envme_cqe release(struct th *h, uint32_t nsid, uint16_t sid)
{
    return send_(h, nsid, (uint32_t)sid << 16 | ENVME_DTYPE_STREAMS << 8 |
                 ENVME_DOPER_SEND_STREAMS_RELEASE_ID, 0);
}

static struct envme_cqe release_all(struct th *h, uint32_t nsid)
{
    return send_(h, nsid, ENVME_DTYPE_STREAMS << 8 |
                 ENVME_DOPER_SEND_STREAMS_RELEASE, 0);
}

static struct envme_cqe put(struct th *h, uint32_t nsid, uint32_t dtype,
                            uint16_t sid)
{
    return th_write(h, .nsid = nsid, .nlb = 2, .cdw12 = dtype << 20,
                    .cdw13 = (uint32_t)sid << 16);
}

static void stream(struct th *h, uint32_t nsid, uint16_t sid)
{
    th_assert_sc(put(h, nsid, ENVME_DTYPE_STREAMS, sid), SUCCESS);
}

static void check(struct th *h, uint32_t nsid, unsigned nssa, unsigned nsso,
                  unsigned nsa, unsigned nso)
{
    struct envme_streams_params p;

    th_assert_sc(recv(h, nsid, ENVME_DTYPE_STREAMS,
                      ENVME_DOPER_RECV_STREAMS_PARAMS, 0, &p, sizeof(p)),
                 SUCCESS);
    g_assert_cmpuint(le16_get(p.msl), ==, MSL);
    g_assert_cmpuint(p.nssc, ==, 0);
    g_assert_cmpuint(le16_get(p.nssa), ==, nssa);
    g_assert_cmpuint(le16_get(p.nsso), ==, nsso);
    g_assert_cmpuint(le16_get(p.nsa), ==, nsa);
    g_assert_cmpuint(le16_get(p.nso), ==, nso);
    g_assert_cmpuint(le32_get(p.sws), ==, nsid == ALL ? 0 : 128);
    g_assert_cmpuint(le16_get(p.sgs), ==, nsid == ALL ? 0 : 16);
}

/* The open ones, as "1 5 7 ". */
static void check_open(struct th *h, uint32_t nsid, const char *want)
{
    GString *s = g_string_new(NULL);
    le16_t buf[64];

    memset(buf, 0xee, sizeof(buf));
    th_assert_sc(recv(h, nsid, ENVME_DTYPE_STREAMS,
                      ENVME_DOPER_RECV_STREAMS_STATUS, 0, buf, sizeof(buf)),
                 SUCCESS);
    g_assert_cmpuint(le16_get(buf[0]), <=, MSL);
    for (unsigned i = 1; i < G_N_ELEMENTS(buf); i++) {
        if (i <= le16_get(buf[0])) {
            g_string_append_printf(s, "%u ", le16_get(buf[i]));
        } else {
            g_assert_cmpuint(le16_get(buf[i]), ==, 0);
        }
    }
    g_assert_cmpstr(s->str, ==, want);
    g_string_free(s, TRUE);
}

/* ---- enabling ---------------------------------------------------------- */

static void test_enable(void)
{
    struct th *h = host();
    uint8_t buf[64];

    g_assert_false(is_enabled(h, 1));
    /* Nothing of it goes before. */
    th_assert_sc(recv(h, 1, 1, 1, 0, buf, 32), INVALID_FIELD);
    th_assert_sc(recv(h, 1, 1, 2, 0, buf, 32), INVALID_FIELD);
    th_assert_sc(allocate(h, 1, 1), INVALID_FIELD);
    th_assert_sc(release(h, 1, 1), INVALID_FIELD);
    th_assert_sc(release_all(h, 1), INVALID_FIELD);
    th_assert_sc(put(h, 1, 1, 1), INVALID_FIELD);
    /* The subsystem may be asked. */
    check(h, ALL, MSL, 0, 0, 0);

    th_assert_sc(enable(h, 1, true), SUCCESS);
    g_assert_true(is_enabled(h, 1));
    g_assert_false(is_enabled(h, 2));
    th_assert_sc(put(h, 2, 1, 1), INVALID_FIELD);
    th_assert_sc(put(h, 1, 0, 9), SUCCESS);     /* DSPEC means nothing */
    th_assert_sc(put(h, 1, 2, 1), INVALID_FIELD);
    th_assert_sc(put(h, 1, 15, 1), INVALID_FIELD);
    check(h, 1, MSL, 0, 0, 0);
    th_assert_sc(put(h, 1, 1, 0), SUCCESS);     /* a write like any other */
    check(h, 1, MSL, 0, 0, 0);
    stream(h, 1, 0xffff);
    check(h, 1, MSL, 1, 0, 1);
    th_assert_sc(enable(h, 1, false), SUCCESS);
    g_assert_false(is_enabled(h, 1));
    check(h, ALL, MSL, 0, 0, 0);
    th_assert_sc(enable(h, 1, true), SUCCESS);
    check(h, 1, MSL, 0, 0, 0);

    /* All. */
    th_assert_sc(enable(h, ALL, true), SUCCESS);
    g_assert_true(is_enabled(h, 2));
    stream(h, 2, 1);
    th_assert_sc(enable(h, 2, false), SUCCESS);
    g_assert_false(is_enabled(h, 2));
    g_assert_true(is_enabled(h, 1));
    th_assert_sc(enable(h, ALL, false), SUCCESS);
    g_assert_false(is_enabled(h, 1));

    /* What is not a directive, an operation, a namespace. */
    th_assert_sc(send_(h, 1, 1, 0x0001), INVALID_FIELD);
    th_assert_sc(send_(h, 1, 1, 0x0201), INVALID_FIELD);
    th_assert_sc(send_(h, 1, 1, 0x0103), INVALID_FIELD);
    th_assert_sc(send_(h, 1, 1, 0x10101), INVALID_FIELD);
    th_assert_sc(send_(h, 1, 2, 0x101), INVALID_FIELD);
    th_assert_sc(send_(h, 99, 1, 0x101), INVALID_NS);
    th_assert_sc(send_(h, 9, 1, 0x101), INVALID_FIELD);
    th_assert_sc(recv(h, ALL, 0, 1, 0, buf, 64), INVALID_FIELD);
    th_assert_sc(enable(h, 1, true), SUCCESS);
    th_assert_sc(recv(h, 1, 1, 0, 0, buf, 64), INVALID_FIELD);
    th_assert_sc(recv(h, 1, 1, 4, 0, buf, 64), INVALID_FIELD);
    th_assert_sc(recv(h, 1, 2, 1, 0, buf, 64), INVALID_FIELD);
    th_assert_sc(send_(h, 1, 0x100, 0), INVALID_FIELD);
    th_assert_sc(send_(h, 1, 0x103, 0), INVALID_FIELD);
    th_free(h);

    /* Without streams= there is no such directive. */
    h = th_new();
    th_enable(h);
    th_queues(h, 1, 16);
    th_assert_sc(enable(h, 1, true), INVALID_FIELD);
    th_assert_sc(recv(h, ALL, 1, 1, 0, buf, 32), INVALID_FIELD);
    th_assert_sc(put(h, 1, 1, 1), INVALID_FIELD);
    th_free(h);
}

/* What was written to each: telemetry shows it. */
struct find {
    uint32_t nsid;
    uint16_t sid;
    uint64_t writes, bytes;
};

static void find_one(void *opaque, const struct envme_stream *st)
{
    struct find *f = opaque;

    if (st->nsid == f->nsid && st->sid == f->sid) {
        f->writes += st->writes;
        f->bytes += st->bytes;
    }
}

static void test_counts(void)
{
    struct find f = { .nsid = 1, .sid = 5 };
    struct th *h = host();

    th_assert_sc(enable(h, 1, true), SUCCESS);
    stream(h, 1, 5);
    stream(h, 1, 6);
    stream(h, 1, 5);
    /* One that fails before it begins is not one. */
    th_assert_sc(th_write(h, .slba = 1u << 30, .cdw12 = 1 << 20,
                          .cdw13 = 5u << 16), LBA_RANGE);
    envme_streams_foreach(h->subsys->streams, find_one, &f);
    g_assert_cmpuint(f.writes, ==, 2);
    g_assert_cmpuint(f.bytes, ==, 2 * 2 * 512);
    th_free(h);
}

/* ---- streams of the subsystem's resources ------------------------------ */

static void test_open(void)
{
    struct th *h = host();
    uint8_t buf[8];

    th_assert_sc(enable(h, ALL, true), SUCCESS);
    check_open(h, 1, "");
    stream(h, 1, 7);
    stream(h, 1, 3);
    stream(h, 1, 7);
    stream(h, 1, 0xffff);
    stream(h, 2, 3);
    check_open(h, 1, "3 7 65535 ");
    check_open(h, 2, "3 ");
    check_open(h, ALL, "3 7 65535 ");       /* 3 once */
    check(h, 1, MSL, 4, 0, 3);
    check(h, 2, MSL, 4, 0, 1);
    check(h, ALL, MSL, 4, 0, 0);
    /* As much of the list as there is room for. */
    memset(buf, 0xee, sizeof(buf));
    th_assert_sc(recv(h, 1, 1, 2, 0, buf, 4), SUCCESS);
    g_assert_cmphex(buf[0], ==, 3);
    g_assert_cmphex(buf[2], ==, 3);
    g_assert_cmphex(buf[4], ==, 0xee);

    th_assert_sc(release(h, 1, 7), SUCCESS);
    th_assert_sc(release(h, 1, 7), SUCCESS);
    th_assert_sc(release(h, 1, 100), SUCCESS);
    th_assert_sc(release(h, ALL, 3), INVALID_FIELD);
    check_open(h, 1, "3 65535 ");
    /* Exhausted: the one that was not used for longest goes. */
    for (unsigned i = 10; i < 15; i++) {
        stream(h, 1, i);
    }
    check(h, ALL, MSL, 8, 0, 0);
    stream(h, 1, 3);
    stream(h, 1, 20);
    check(h, ALL, MSL, 8, 0, 0);
    check_open(h, 1, "3 10 11 12 13 14 20 ");   /* not 65535 */
    check_open(h, 2, "3 ");
    stream(h, 2, 30);
    check_open(h, 2, "30 ");
    /* Nothing allocated that could be released. */
    th_assert_sc(release_all(h, 1), SUCCESS);
    check(h, 1, MSL, 8, 0, 7);
    th_free(h);
}

/* ---- a namespace's own resources --------------------------------------- */

static void test_allocate(void)
{
    struct th *h = host();
    struct envme_cqe c;

    th_assert_sc(enable(h, ALL, true), SUCCESS);
    th_assert_sc(allocate(h, 1, 0), INVALID_FIELD);
    th_assert_sc(allocate(h, 1, 0x10001), INVALID_FIELD);
    th_assert_sc(allocate(h, ALL, 1), INVALID_FIELD);
    th_assert_sc(release_all(h, ALL), INVALID_FIELD);
    for (unsigned i = 1; i <= 5; i++) {
        stream(h, 2, i);
    }
    stream(h, 1, 50);
    c = allocate(h, 1, 5);
    th_assert_sc(c, SUCCESS);
    g_assert_cmpuint(le32_get(c.dw0), ==, 5);
    /* What it had open was the subsystem's; which has fewer now. */
    check_open(h, 1, "");
    check_open(h, 2, "3 4 5 ");
    check(h, 1, 3, 3, 5, 0);
    check(h, 2, 3, 3, 0, 3);
    th_assert_sc(allocate(h, 1, 1), INVALID_FIELD);
    for (unsigned i = 1; i <= 7; i++) {
        stream(h, 1, i);
    }
    check_open(h, 1, "3 4 5 6 7 ");
    check_open(h, 2, "3 4 5 ");
    check_open(h, ALL, "3 4 5 ");
    check(h, 1, 3, 3, 5, 5);
    th_assert_sc(release(h, 1, 4), SUCCESS);
    check(h, 1, 3, 3, 5, 4);
    stream(h, 1, 8);
    check_open(h, 1, "3 5 6 7 8 ");

    /* As many as are left; then none. */
    c = allocate(h, 2, 100);
    th_assert_sc(c, SUCCESS);
    g_assert_cmpuint(le32_get(c.dw0), ==, 3);
    check(h, 2, 0, 0, 3, 0);
    th_assert_sc(release_all(h, 1), SUCCESS);
    check(h, 1, 5, 0, 0, 0);
    check_open(h, 1, "");
    th_assert_sc(release_all(h, 2), SUCCESS);
    c = allocate(h, 2, MSL);
    g_assert_cmpuint(le32_get(c.dw0), ==, MSL);
    c = allocate(h, 1, 1);
    th_assert_code(cqe_sc(&c), STREAM_ALLOC_FAILED);
    /* A write without resources is a write like any other. */
    stream(h, 1, 9);
    check_open(h, 1, "");
    check(h, 1, 0, 0, 0, 0);
    th_assert_sc(enable(h, 2, false), SUCCESS);
    check(h, 1, MSL, 0, 0, 0);
    th_free(h);
}

/* ---- what ends them ---------------------------------------------------- */

static void test_ends(void)
{
    struct th *h = host();
    struct envme_sqe s;

    th_assert_sc(enable(h, ALL, true), SUCCESS);
    th_assert_sc(allocate(h, 1, 3), SUCCESS);
    stream(h, 1, 1);
    stream(h, 2, 2);
    /* Format: identifiers. */
    s = th_sqe(ENVME_ADM_FORMAT, 1);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    check(h, 1, 5, 1, 3, 0);
    s = th_sqe(ENVME_ADM_FORMAT, 2);
    th_assert_sc(th_admin(h, &s), SUCCESS);
    check(h, 2, 5, 0, 0, 0);
    /* Write protection: resources, too. */
    stream(h, 1, 1);
    th_assert_sc(th_set_feature(h, ENVME_FID_WRITE_PROTECT, 1,
                                ENVME_NSWP_WRITE_PROTECT, false), SUCCESS);
    check(h, 1, MSL, 0, 0, 0);
    th_assert_sc(th_set_feature(h, ENVME_FID_WRITE_PROTECT, 1, 0, false),
                 SUCCESS);
    g_assert_true(is_enabled(h, 1));
    /* The namespace goes. */
    th_assert_sc(allocate(h, 2, 3), SUCCESS);
    stream(h, 2, 1);
    check(h, 1, 5, 0, 0, 0);
    th_assert_sc(nsm_delete(h, 2), SUCCESS);
    check(h, 1, MSL, 0, 0, 0);
    /* A reset: nothing is enabled any more. */
    th_assert_sc(allocate(h, 1, 3), SUCCESS);
    stream(h, 1, 1);
    th_disable(h);
    th_enable(h);
    g_assert_false(is_enabled(h, 1));
    check(h, ALL, MSL, 0, 0, 0);
    th_assert_sc(enable(h, 1, true), SUCCESS);
    check(h, 1, MSL, 0, 0, 0);
    th_free(h);
}

/* ---- several controllers ----------------------------------------------- */

/* Each is a host of its own. */
static void test_controllers(void)
{
    struct th *a = th_new(.tweak = tweak_streams, .multi = true);
    struct th *b = th_new(.tweak = tweak_streams, .peer = a, .no_ns = true);

    th_enable(a);
    th_enable(b);
    th_queues(a, 1, 16);
    th_queues(b, 1, 16);
    th_assert_sc(enable(a, 1, true), SUCCESS);
    g_assert_false(is_enabled(b, 1));
    th_assert_sc(enable(b, 1, true), SUCCESS);
    stream(a, 1, 1);
    stream(b, 1, 1);
    stream(b, 1, 2);
    check_open(a, 1, "1 ");
    check_open(b, 1, "1 2 ");
    check(a, 1, MSL, 3, 0, 1);
    th_assert_sc(allocate(a, 1, 4), SUCCESS);
    check(b, 1, 4, 2, 0, 2);
    th_disable(a);
    th_run(b);
    check(b, 1, MSL, 2, 0, 2);
    g_assert_true(is_enabled(b, 1));
    th_free(b);
    th_free(a);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/streams/enable", test_enable);
    g_test_add_func("/streams/counts", test_counts);
    g_test_add_func("/streams/open", test_open);
    g_test_add_func("/streams/allocate", test_allocate);
    g_test_add_func("/streams/ends", test_ends);
    g_test_add_func("/streams/controllers", test_controllers);
    return g_test_run();
}
