/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SGLs laid out by a generator; the walker must find the same memory. */
#include "hw/core/sgl.h"

#include <glib.h>

#include "tests/unit/fakemem.h"

#define SEG_BASE 0x200000000ull

#define DATA    (ENVME_SGL_DATA << 4)
#define BUCKET  (ENVME_SGL_BIT_BUCKET << 4)
#define SEGMENT (ENVME_SGL_SEGMENT << 4)
#define LAST    (ENVME_SGL_LAST_SEGMENT << 4)

struct sgl {
    struct fakemem mem;
    struct envme_walk walk;
    struct envme_sgl_desc first;
    uint64_t seg_end;               /* where the next segment may go */
    struct envme_sg sg;             /* what came out */
};

static struct envme_sgl_desc mkdesc(uint64_t addr, uint32_t len, unsigned id)
{
    return (struct envme_sgl_desc){
        .addr = le64(addr), .len = le32(len), .id = id,
    };
}

static void sgl_init(struct sgl *s)
{
    memset(s, 0, sizeof(*s));
    fakemem_init(&s->mem, 0);
    s->walk = (struct envme_walk){
        .read = fakemem_read, .opaque = &s->mem, .page = 4096, .err = 12345,
    };
    s->seg_end = SEG_BASE;
    envme_sg_init(&s->sg, UINT32_MAX);
}

static void sgl_destroy(struct sgl *s)
{
    envme_sg_free(&s->sg);
    fakemem_destroy(&s->mem);
}

static void put(struct sgl *s, uint64_t at, struct envme_sgl_desc d)
{
    uint64_t second;
    le64_t le;

    memcpy(&le, (char *)&d + 8, sizeof(le));
    second = le64_get(le);
    fakemem_put64(&s->mem, at, le64_get(d.addr));
    fakemem_put64(&s->mem, at + 8, second);
}

/* Room for n descriptors, apart from all others. */
static uint64_t room(struct sgl *s, uint32_t n)
{
    uint64_t at = s->seg_end + g_test_rand_int_range(1, 5) * 8;

    s->seg_end = at + n * 16;
    return at;
}

static uint16_t map(struct sgl *s, uint64_t len, unsigned flags,
                    unsigned fail_at)
{
    envme_sg_clear(&s->sg);
    fakemem_begin(&s->mem, fail_at);
    return envme_sgl_map(&s->walk, &s->first, len, flags, &s->sg).sf;
}

static void expect(struct sgl *s, uint64_t len, unsigned flags,
                   uint16_t status)
{
    s->walk.err = 12345;
    g_assert_cmphex(map(s, len, flags, 0), ==, status);
    g_assert_cmpint(s->walk.err, ==, 0);
    g_assert_cmpuint(s->sg.bytes, <=, len);
    if (status == ENVME_SC_SUCCESS) {
        g_assert_cmpuint(s->sg.bytes, ==, len);
    }
}

/* One descriptor in the command. */
static void expect_one(uint64_t addr, uint32_t dlen, unsigned id, uint64_t len,
                       unsigned flags, uint16_t status)
{
    struct sgl s;

    sgl_init(&s);
    s.first = mkdesc(addr, dlen, id);
    expect(&s, len, flags, status);
    g_assert_cmpuint(s.mem.reads, ==, 0);
    sgl_destroy(&s);
}

/* A last segment of n descriptors. */
static void expect_seg(const struct envme_sgl_desc *d, uint32_t n,
                       uint64_t len, unsigned flags, uint16_t status)
{
    struct sgl s;
    uint64_t at;

    sgl_init(&s);
    at = room(&s, n);
    for (uint32_t i = 0; i < n; i++) {
        put(&s, at + i * 16, d[i]);
    }
    s.first = mkdesc(at, n * 16, LAST);
    expect(&s, len, flags, status);
    sgl_destroy(&s);
}

static void test_single(void)
{
    struct sgl s;

    sgl_init(&s);
    s.first = mkdesc(0x12345, 999, DATA);
    expect(&s, 999, 0, ENVME_SC_SUCCESS);
    g_assert_cmpuint(s.sg.n, ==, 1);
    g_assert_cmphex(s.sg.seg[0].addr, ==, 0x12345);
    /* No data: the descriptor is not looked at. */
    s.first.id = 0xff;
    expect(&s, 0, 0, ENVME_SC_SUCCESS);
    sgl_destroy(&s);
}

static void test_length(void)
{
    expect_one(0x1000, 511, DATA, 512, 0, ENVME_SC_SGL_INVALID_LEN);
    expect_one(0x1000, 513, DATA, 512, 0, ENVME_SC_SGL_INVALID_LEN);
    expect_one(0x1000, 0, DATA, 512, 0, ENVME_SC_SGL_INVALID_LEN);
    expect_one(0x1000, 513, DATA, 512, ENVME_SGL_EXCESS_OK, ENVME_SC_SUCCESS);
    expect_one(0x1000, UINT32_MAX, DATA, 512, ENVME_SGL_EXCESS_OK,
               ENVME_SC_SUCCESS);
    expect_one(0x1000, 511, DATA, 512, ENVME_SGL_EXCESS_OK,
               ENVME_SC_SGL_INVALID_LEN);
    expect_one(0x1000, 511, DATA, 512, ENVME_SGL_METADATA,
               ENVME_SC_SGL_INVALID_MD_LEN);
    expect_one(0x1000, 513, DATA, 512, ENVME_SGL_METADATA,
               ENVME_SC_SGL_INVALID_MD_LEN);
    expect_one(0x1000, 513, DATA, 512,
               ENVME_SGL_METADATA | ENVME_SGL_EXCESS_OK, ENVME_SC_SUCCESS);
    /* More than a descriptor can hold. */
    expect_one(0x1000, UINT32_MAX, DATA, 1ull << 32, 0,
               ENVME_SC_SGL_INVALID_LEN);
}

static void test_length_in_segment(void)
{
    struct envme_sgl_desc d[] = {
        mkdesc(0x1000, 256, DATA), mkdesc(0, 0, DATA),
        mkdesc(0x5000, 256, DATA),
        mkdesc(0x9000, 0, DATA), mkdesc(0x7000, 1, DATA),
    };

    expect_seg(d, 4, 512, 0, ENVME_SC_SUCCESS);
    expect_seg(d, 3, 512, 0, ENVME_SC_SUCCESS);
    expect_seg(d, 2, 512, 0, ENVME_SC_SGL_INVALID_LEN);
    expect_seg(d, 5, 512, 0, ENVME_SC_SGL_INVALID_LEN);
    expect_seg(d, 5, 512, ENVME_SGL_EXCESS_OK, ENVME_SC_SUCCESS);
    expect_seg(d, 5, 511, 0, ENVME_SC_SGL_INVALID_LEN);
    expect_seg(d, 5, 300, ENVME_SGL_EXCESS_OK, ENVME_SC_SUCCESS);
    /* What follows the data matters unless it may be longer. */
    d[4].id = DATA | 1;
    expect_seg(d, 5, 512, 0, ENVME_SC_SGL_INVALID_TYPE);
    expect_seg(d, 5, 512, ENVME_SGL_EXCESS_OK, ENVME_SC_SUCCESS);
}

static void test_bucket(void)
{
    const struct envme_sgl_desc d[] = {
        mkdesc(0x1000, 100, DATA), mkdesc(0xbad, 50, BUCKET),
        mkdesc(0x2000, 100, DATA), mkdesc(0, 0, BUCKET),
    };
    struct sgl s;

    expect_seg(d, 4, 250, ENVME_SGL_C2H, ENVME_SC_SUCCESS);
    expect_seg(d, 4, 200, ENVME_SGL_C2H, ENVME_SC_SGL_INVALID_LEN);
    /* Host to controller: as if its length were 0. */
    expect_seg(d, 4, 200, 0, ENVME_SC_SUCCESS);
    expect_seg(d, 4, 250, 0, ENVME_SC_SGL_INVALID_LEN);
    expect_one(0, 512, BUCKET, 512, ENVME_SGL_C2H, ENVME_SC_SUCCESS);
    expect_one(0, 512, BUCKET, 512, 0, ENVME_SC_SGL_INVALID_LEN);
    expect_one(0, 512, BUCKET | 1, 512, ENVME_SGL_C2H,
               ENVME_SC_SGL_INVALID_TYPE);
    /* Discarding has no address that could wrap. */
    expect_one(UINT64_MAX, 512, BUCKET, 512, ENVME_SGL_C2H, ENVME_SC_SUCCESS);

    sgl_init(&s);
    s.first = mkdesc(room(&s, 4), 64, LAST);
    for (int i = 0; i < 4; i++) {
        put(&s, le64_get(s.first.addr) + i * 16, d[i]);
    }
    expect(&s, 250, ENVME_SGL_C2H, ENVME_SC_SUCCESS);
    g_assert_cmpuint(s.sg.n, ==, 3);
    g_assert_cmpuint(s.sg.seg[1].flags, ==, ENVME_SEG_BUCKET);
    g_assert_cmpuint(s.sg.seg[1].len, ==, 50);
    expect(&s, 200, 0, ENVME_SC_SUCCESS);
    g_assert_cmpuint(s.sg.n, ==, 2);
    sgl_destroy(&s);
}

/* Every type and subtype, in the command and in a segment. */
static void test_type(void)
{
    for (unsigned id = 0; id < 256; id++) {
        bool good = id == DATA || id == BUCKET;
        struct envme_sgl_desc d[] = {
            mkdesc(0x10000, 512, id), mkdesc(0x20000, 0, DATA),
        };
        uint16_t want = good ? ENVME_SC_SUCCESS : ENVME_SC_SGL_INVALID_TYPE;

        if (id == SEGMENT || id == LAST) {
            continue;
        }
        expect_one(0x10000, 512, id, 512, ENVME_SGL_C2H, want);
        expect_seg(d, 2, 512, ENVME_SGL_C2H, want);
    }
}

static void test_segment_descriptor(void)
{
    static const unsigned ids[] = { SEGMENT, LAST };
    static const uint32_t lens[] = { 0, 1, 8, 15, 17, 24, 33, 0xffffffff };

    for (unsigned t = 0; t < 2; t++) {
        struct sgl s;

        for (unsigned i = 0; i < G_N_ELEMENTS(lens); i++) {
            expect_one(SEG_BASE, lens[i], ids[t], 512, 0,
                       ENVME_SC_SGL_INVALID_SEG);
        }
        for (unsigned low = 1; low < 8; low++) {
            expect_one(SEG_BASE + low, 16, ids[t], 512, 0,
                       ENVME_SC_SGL_INVALID_SEG);
        }
        /* Past the end of the address space; up to it is possible. */
        expect_one(UINT64_MAX - 7, 16, ids[t], 512, 0,
                   ENVME_SC_SGL_INVALID_SEG);
        sgl_init(&s);
        put(&s, UINT64_MAX - 15, mkdesc(0x1000, 512, DATA));
        s.first = mkdesc(UINT64_MAX - 15, 16, ids[t]);
        expect(&s, 512, 0, ENVME_SC_SUCCESS);
        sgl_destroy(&s);
    }
}

static void test_segment_position(void)
{
    static const unsigned ids[] = { SEGMENT, LAST };

    for (unsigned t = 0; t < 2; t++) {
        for (int last = 0; last < 2; last++) {
            /* 256 are read at a time. */
            for (uint32_t pos = 0; pos < 300; pos += pos < 2 ? 1 : 11) {
                uint32_t n = pos < 3 ? 3 : 300;
                struct sgl s;
                uint64_t at, more;

                sgl_init(&s);
                at = room(&s, n);
                more = room(&s, 1);
                for (uint32_t i = 0; i < n; i++) {
                    put(&s, at + i * 16, mkdesc(0x1000 * i, 100, DATA));
                }
                put(&s, at + pos * 16, mkdesc(more, 16, ids[t]));
                put(&s, more, mkdesc(0x9000, 100, DATA));
                s.first = mkdesc(at, n * 16, last ? LAST : SEGMENT);
                expect(&s, n * 100, 0, last ? ENVME_SC_SGL_INVALID_SEG
                       : pos < n - 1 ? ENVME_SC_SGL_INVALID_COUNT
                       : ENVME_SC_SUCCESS);
                sgl_destroy(&s);
            }
        }
    }
}

static void test_wrap(void)
{
    expect_one(UINT64_MAX - 511, 512, DATA, 512, 0, ENVME_SC_SUCCESS);
    expect_one(UINT64_MAX - 510, 512, DATA, 512, 0, ENVME_SC_DATA_XFER_ERROR);
    expect_one(UINT64_MAX - 510, 512, DATA, 511, ENVME_SGL_EXCESS_OK,
               ENVME_SC_SUCCESS);
}

/* A segment of nothing, then a pointer to itself, in all variations. */
static void test_loop(void)
{
    for (uint32_t n = 1; n <= 600; n += n < 4 ? 1 : 199) {
        for (uint64_t len = 1; len < 1u << 21; len <<= 10) {
            struct sgl s;
            uint64_t at;

            sgl_init(&s);
            s.mem.reread_ok = true;
            at = room(&s, n);
            for (uint32_t i = 0; i + 1 < n; i++) {
                put(&s, at + i * 16, mkdesc(0, 0, i % 2 ? DATA : BUCKET));
            }
            put(&s, at + (n - 1) * 16, mkdesc(at, n * 16, SEGMENT));
            s.first = mkdesc(at, n * 16, SEGMENT);
            expect(&s, len, ENVME_SGL_C2H, ENVME_SC_SGL_INVALID_COUNT);
            expect(&s, len, ENVME_SGL_EXCESS_OK, ENVME_SC_SGL_INVALID_COUNT);
            g_assert_cmpuint(s.mem.reads, <=, ENVME_SGL_FUEL_MAX);
            sgl_destroy(&s);
        }
    }
}

/* Two segments that point to each other; with data it is an excess. */
static void test_cycle(void)
{
    struct sgl s;
    uint64_t a, b;

    sgl_init(&s);
    s.mem.reread_ok = true;
    a = room(&s, 2);
    b = room(&s, 2);
    put(&s, a, mkdesc(0x1000, 0, DATA));
    put(&s, a + 16, mkdesc(b, 32, SEGMENT));
    put(&s, b, mkdesc(0x1000, 0, DATA));
    put(&s, b + 16, mkdesc(a, 32, SEGMENT));
    s.first = mkdesc(a, 32, SEGMENT);
    expect(&s, 4096, 0, ENVME_SC_SGL_INVALID_COUNT);
    put(&s, b, mkdesc(0x1000, 1024, DATA));
    expect(&s, 4096, 0, ENVME_SC_SGL_INVALID_LEN);
    expect(&s, 4096, ENVME_SGL_EXCESS_OK, ENVME_SC_SUCCESS);
    sgl_destroy(&s);
}

/* A legal list of single bytes, and the last one that fuel is good for. */
static void test_fuel(void)
{
    static const uint64_t lens[] = { 1, 512, 4096, 64512, 70000 };

    for (unsigned i = 0; i < G_N_ELEMENTS(lens); i++) {
        uint32_t fuel = ENVME_SGL_FUEL_FREE + MIN(lens[i], 64512);

        for (int over = 0; over < 2; over++) {
            /* The command's own descriptor is one. */
            uint32_t n = fuel - 1 + over;
            uint64_t pos = 0;
            struct sgl s;
            uint64_t at;

            sgl_init(&s);
            at = room(&s, n);
            for (uint32_t k = 0; k < n; k++) {
                uint32_t left = n - k;
                uint32_t len = lens[i] - pos > left ? 2 : lens[i] > pos;

                put(&s, at + k * 16, mkdesc(0x1000 + pos * 2, len, DATA));
                pos += len;
            }
            g_assert_cmpuint(pos, ==, lens[i]);
            s.first = mkdesc(at, n * 16, LAST);
            expect(&s, lens[i], 0, over ? ENVME_SC_SGL_INVALID_COUNT
                                        : ENVME_SC_SUCCESS);
            sgl_destroy(&s);
        }
    }
}

static int read_zeroes(void *opaque, uint64_t addr, void *buf, size_t len)
{
    unsigned *reads = opaque;

    (void)addr;
    ++*reads;
    memset(buf, 0, len);
    return 0;
}

/* The longest segment there can be, all of it nothing. */
static void test_endless(void)
{
    struct envme_sgl_desc first = mkdesc(SEG_BASE, 0xfffffff0, LAST);
    unsigned reads = 0;
    struct envme_walk w = {
        .read = read_zeroes, .opaque = &reads, .page = 4096,
    };
    struct envme_sg sg;

    envme_sg_init(&sg, 100);
    g_assert_cmphex(envme_sgl_map(&w, &first, UINT64_MAX, 0, &sg).sf, ==,
                    ENVME_SC_SGL_INVALID_COUNT);
    g_assert_cmpuint(reads, ==, ENVME_SGL_FUEL_MAX / 256);
    g_assert_cmpuint(sg.n, ==, 0);
}

static void test_sg_full(void)
{
    struct envme_sgl_desc d[20];
    struct sgl s;
    uint64_t at;

    sgl_init(&s);
    at = room(&s, 20);
    for (int i = 0; i < 20; i++) {
        d[i] = mkdesc(0x1000 * i, 10, DATA);
        put(&s, at + i * 16, d[i]);
    }
    s.first = mkdesc(at, 320, LAST);
    for (uint32_t limit = 0; limit <= 20; limit++) {
        s.sg.limit = limit;
        expect(&s, 200, 0, limit < 20 ? ENVME_SC_SGL_INVALID_COUNT
                                      : ENVME_SC_SUCCESS);
    }
    sgl_destroy(&s);
}

/* No memory at an address: the reader's errno is handed on. */
static void test_unmapped(void)
{
    struct sgl s;

    sgl_init(&s);
    s.first = mkdesc(SEG_BASE, 32, LAST);
    g_assert_cmphex(map(&s, 512, 0, 0), ==, ENVME_SC_DATA_XFER_ERROR);
    g_assert_cmpint(s.walk.err, ==, -EIO);
    sgl_destroy(&s);
}

struct piece {
    uint64_t addr;
    uint32_t len;
    bool bucket;
};

/*
 * Any legal list: segments of random sizes with data, buckets and nothings,
 * linked in any order of addresses. Returns what the walker must find.
 */
static GArray *random_sgl(struct sgl *s, bool c2h, uint64_t *len)
{
    GArray *want = g_array_new(FALSE, FALSE, sizeof(struct piece));
    unsigned nsegs = g_test_rand_int_range(0, 6);
    struct envme_sgl_desc link = { 0 };
    uint64_t link_at = 0;

    *len = 0;
    for (unsigned i = 0; i <= nsegs; i++) {
        bool top = i == 0, last = i == nsegs;
        uint32_t n = top ? 1 : g_test_rand_int_range(0, 8)
                             ? g_test_rand_int_range(1, 10)
                             : g_test_rand_int_range(250, 600);
        uint64_t at = top ? 0 : room(s, n);

        if (i == 1 || (i > 1 && link_at)) {
            link = mkdesc(at, n * 16, last ? LAST : SEGMENT);
            if (i == 1) {
                s->first = link;
            } else {
                put(s, link_at, link);
            }
        }
        link_at = last ? 0 : at + (n - 1) * 16;
        for (uint32_t k = 0; k < n - !last; k++) {
            struct piece p = {
                .addr = g_test_rand_int_range(0, 1 << 24),
                .len = g_test_rand_int_range(0, 3)
                       ? g_test_rand_int_range(0, 5000) : 0,
                .bucket = g_test_rand_int_range(0, 5) == 0,
            };
            struct envme_sgl_desc d = mkdesc(p.addr, p.len,
                                             p.bucket ? BUCKET : DATA);

            if (top) {
                s->first = d;
            } else {
                put(s, at + k * 16, d);
            }
            if (p.len && (c2h || !p.bucket)) {
                g_array_append_val(want, p);
                *len += p.len;
            }
        }
    }
    return want;
}

static void check_pieces(const struct envme_sg *sg, GArray *want, uint64_t len)
{
    uint32_t i = 0, off = 0;

    for (unsigned k = 0; k < want->len && len; k++) {
        struct piece p = g_array_index(want, struct piece, k);
        uint32_t n = MIN(p.len, len);

        g_assert_cmpuint(i, <, sg->n);
        g_assert_cmpuint(sg->seg[i].len - off, >=, n);
        g_assert_cmpuint(sg->seg[i].flags, ==, p.bucket ? ENVME_SEG_BUCKET : 0);
        if (!p.bucket) {
            g_assert_cmphex(sg->seg[i].addr + off, ==, p.addr);
        }
        len -= n;
        off += n;
        if (off == sg->seg[i].len) {
            i++;
            off = 0;
        }
    }
    g_assert_cmpuint(len, ==, 0);
    g_assert_cmpuint(i, ==, sg->n);
}

static void test_random(void)
{
    for (int run = 0; run < 1500; run++) {
        bool c2h = run % 2;
        unsigned flags = c2h ? ENVME_SGL_C2H : 0;
        struct sgl s;
        uint64_t len;
        GArray *want;

        sgl_init(&s);
        want = random_sgl(&s, c2h, &len);
        if (len) {
            uint64_t part = len > 1 ? g_test_rand_int_range(1, len) : 1;
            unsigned reads;

            expect(&s, len, flags, ENVME_SC_SUCCESS);
            check_pieces(&s.sg, want, len);
            /* Every descriptor was read, once. */
            g_assert_cmpuint(g_hash_table_size(s.mem.seen), ==,
                             g_hash_table_size(s.mem.words));
            reads = s.mem.reads;
            for (unsigned i = 1; i <= reads; i++) {
                g_assert_cmphex(map(&s, len, flags, i), ==,
                                ENVME_SC_DATA_XFER_ERROR);
                g_assert_cmpint(s.walk.err, ==, FAKEMEM_ERRNO);
                g_assert_cmpuint(s.mem.reads, ==, i);
            }
            expect(&s, len + 1, flags, ENVME_SC_SGL_INVALID_LEN);
            expect(&s, part, flags | ENVME_SGL_EXCESS_OK, ENVME_SC_SUCCESS);
            check_pieces(&s.sg, want, part);
            if (part < len) {
                expect(&s, part, flags | ENVME_SGL_METADATA,
                       ENVME_SC_SGL_INVALID_MD_LEN);
            }
        }
        g_array_free(want, TRUE);
        sgl_destroy(&s);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sgl/single", test_single);
    g_test_add_func("/sgl/length", test_length);
    g_test_add_func("/sgl/length-in-segment", test_length_in_segment);
    g_test_add_func("/sgl/bucket", test_bucket);
    g_test_add_func("/sgl/type", test_type);
    g_test_add_func("/sgl/segment-descriptor", test_segment_descriptor);
    g_test_add_func("/sgl/segment-position", test_segment_position);
    g_test_add_func("/sgl/wrap", test_wrap);
    g_test_add_func("/sgl/loop", test_loop);
    g_test_add_func("/sgl/cycle", test_cycle);
    g_test_add_func("/sgl/fuel", test_fuel);
    g_test_add_func("/sgl/endless", test_endless);
    g_test_add_func("/sgl/sg-full", test_sg_full);
    g_test_add_func("/sgl/unmapped", test_unmapped);
    g_test_add_func("/sgl/random", test_random);
    return g_test_run();
}
