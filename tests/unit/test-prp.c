/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PRPs laid out by a generator; the walker must find the same memory. */
#include "hw/core/prp.h"

#include <glib.h>

#include "tests/unit/fakemem.h"

#define DATA_BASE  0x100000000ull   /* pages of data, at random places */
#define LIST_BASE  0x200000000ull   /* list pages */

struct layout {
    struct fakemem mem;
    struct envme_walk walk;
    uint64_t prp1, prp2, len;
    uint64_t npages;                /* data pages, the first included */
    unsigned list_pages;
    uint64_t *page;                 /* address of each data page's first byte */
    GArray *entry;                  /* where each list entry stands */
    GArray *chain;                  /* where each pointer to a list stands */
};

static uint64_t rand_page(const struct layout *l, uint64_t base)
{
    return base + (uint64_t)g_test_rand_int_range(0, 1 << 20) * l->walk.page;
}

/* A list page that no other entry is in. */
static uint64_t fresh_list_page(struct layout *l)
{
    uint64_t p;

    do {
        p = rand_page(l, LIST_BASE);
    } while (fakemem_has(&l->mem, p + l->walk.page - 8) ||
             fakemem_has(&l->mem, p));
    return p;
}

static void layout_list(struct layout *l, uint64_t at, uint64_t from)
{
    l->list_pages = 1;
    for (uint64_t i = from; i < l->npages; i++) {
        if (at % l->walk.page == l->walk.page - 8 && i + 1 < l->npages) {
            uint64_t next = fresh_list_page(l);

            fakemem_put64(&l->mem, at, next);
            g_array_append_val(l->chain, at);
            at = next;
            l->list_pages++;
        }
        fakemem_put64(&l->mem, at, l->page[i]);
        g_array_append_val(l->entry, at);
        at += 8;
    }
}

/* prp1_off: offset of the first byte; list_off: of the first list entry. */
static void layout_init(struct layout *l, uint32_t page, uint64_t len,
                        uint32_t prp1_off, uint32_t list_off)
{
    uint64_t first = MIN(len, page - prp1_off);

    memset(l, 0, sizeof(*l));
    fakemem_init(&l->mem, page);
    l->walk = (struct envme_walk){
        .read = fakemem_read, .opaque = &l->mem, .page = page, .err = 12345,
    };
    l->len = len;
    l->entry = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    l->chain = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    l->npages = 1 + (len - first + page - 1) / page;
    l->page = g_new(uint64_t, l->npages);
    for (uint64_t i = 0; i < l->npages; i++) {
        bool follow = i && g_test_rand_int_range(0, 3) == 0;

        l->page[i] = follow ? (l->page[i - 1] & ~(uint64_t)(page - 1)) + page
                            : rand_page(l, DATA_BASE);
    }
    l->page[0] += prp1_off;
    l->prp1 = l->page[0];
    l->prp2 = 0xdeadbeefdeadbeef;
    if (l->npages == 2) {
        l->prp2 = l->page[1];
    } else if (l->npages > 2) {
        l->prp2 = fresh_list_page(l) + list_off;
        layout_list(l, l->prp2, 1);
    }
}

static void layout_destroy(struct layout *l)
{
    fakemem_destroy(&l->mem);
    g_free(l->page);
    g_array_free(l->entry, TRUE);
    g_array_free(l->chain, TRUE);
}

static uint16_t layout_map(struct layout *l, struct envme_sg *sg,
                           unsigned fail_at)
{
    fakemem_begin(&l->mem, fail_at);
    return envme_prp_map(&l->walk, l->prp1, l->prp2, l->len, sg).sf;
}

/* Byte for byte, by comparing piecewise. */
static void layout_check(struct layout *l, const struct envme_sg *sg)
{
    uint64_t left = l->len, page = 0;
    uint32_t i = 0, off = 0;

    g_assert_cmpuint(sg->bytes, ==, l->len);
    while (left) {
        uint64_t addr = l->page[page++];
        uint32_t n = MIN(left, l->walk.page - addr % l->walk.page);

        g_assert_cmpuint(i, <, sg->n);
        g_assert_cmphex(sg->seg[i].addr + off, ==, addr);
        g_assert_cmpuint(sg->seg[i].len - off, >=, n);
        g_assert_cmpuint(sg->seg[i].flags, ==, 0);
        off += n;
        left -= n;
        if (off == sg->seg[i].len) {
            i++;
            off = 0;
        }
    }
    g_assert_cmpuint(i, ==, sg->n);
    g_assert_cmpuint(page, ==, l->npages);
}

static void expect_ok(struct layout *l)
{
    struct envme_sg sg;
    uint32_t reads = 0;

    envme_sg_init(&sg, UINT32_MAX);
    l->walk.err = 12345;
    g_assert_cmphex(layout_map(l, &sg, 0), ==, ENVME_SC_SUCCESS);
    g_assert_cmpint(l->walk.err, ==, 0);
    layout_check(l, &sg);
    /* Each entry was read, and nothing else. */
    g_assert_cmpuint(g_hash_table_size(l->mem.seen), ==,
                     l->entry->len + l->chain->len);
    if (l->walk.page == 4096) {
        g_assert_cmpuint(l->mem.reads, ==, l->list_pages);
    }
    /* Each read failing in its turn. */
    reads = l->mem.reads;
    for (uint32_t i = 1; i <= reads; i++) {
        envme_sg_clear(&sg);
        g_assert_cmphex(layout_map(l, &sg, i), ==, ENVME_SC_DATA_XFER_ERROR);
        g_assert_cmpint(l->walk.err, ==, FAKEMEM_ERRNO);
        g_assert_cmpuint(l->mem.reads, ==, i);
    }
    envme_sg_free(&sg);
}

static void expect_status(struct layout *l, uint16_t status)
{
    struct envme_sg sg;

    envme_sg_init(&sg, UINT32_MAX);
    l->walk.err = 12345;
    g_assert_cmphex(layout_map(l, &sg, 0), ==, status);
    g_assert_cmpint(l->walk.err, ==, 0);
    g_assert_cmpuint(sg.bytes, <=, l->len);
    envme_sg_free(&sg);
}

static void test_edges(void)
{
    static const uint32_t offs[] = { 0, 4, 8, 2048, 4088, 4092 };
    static const uint64_t around[] = { 1, 2, 3, 511, 512, 513, 514, 1022, 1023,
                                       1024, 1025 };

    for (unsigned o = 0; o < G_N_ELEMENTS(offs); o++) {
        for (unsigned a = 0; a < G_N_ELEMENTS(around); a++) {
            for (int d = -4; d <= 4; d += 4) {
                struct layout l;

                layout_init(&l, 4096, around[a] * 4096 - offs[o] + d + 4,
                            offs[o], 0);
                expect_ok(&l);
                layout_destroy(&l);
            }
        }
    }
}

/* The list starts anywhere in its page, at its last slot too. */
static void test_list_offset(void)
{
    for (uint32_t slot = 500; slot < 512; slot++) {
        for (uint64_t pages = 3; pages < 20; pages++) {
            struct layout l;

            layout_init(&l, 4096, pages * 4096, 0, slot * 8);
            g_assert_cmpuint(l.list_pages, ==, 1 + (pages - 1 > 512 - slot));
            expect_ok(&l);
            layout_destroy(&l);
        }
    }
}

/* Pages whose lists are read in several pieces, chained. */
static void test_large_pages(void)
{
    static const uint64_t counts[] = { 513, 1023, 1024, 1025, 1026, 2600 };

    for (unsigned c = 0; c < G_N_ELEMENTS(counts); c++) {
        struct layout l;

        layout_init(&l, 8192, counts[c] * 8192 + 4, 4092, c % 2 ? 4104 : 0);
        expect_ok(&l);
        layout_destroy(&l);
    }
}

static void test_random(void)
{
    static const uint32_t pages[] = { 4096, 4096, 8192, 65536 };

    for (int run = 0; run < 250; run++) {
        uint32_t page = pages[g_test_rand_int_range(0, 4)];
        uint64_t len = g_test_rand_int_range(1, run % 10 ? 40 * page
                                                         : 1400 * 4096);
        struct layout l;

        layout_init(&l, page, len, g_test_rand_int_range(0, page / 4) * 4,
                    g_test_rand_int_range(0, page / 8) * 8);
        expect_ok(&l);
        layout_destroy(&l);
    }
}

static void test_nothing(void)
{
    struct layout l;
    struct envme_sg sg;

    /* No data: not even looked at. */
    layout_init(&l, 4096, 4096, 0, 0);
    l.prp1 = 3;
    l.len = 0;
    envme_sg_init(&sg, 1);
    g_assert_cmphex(layout_map(&l, &sg, 1), ==, ENVME_SC_SUCCESS);
    g_assert_cmpuint(sg.n, ==, 0);
    layout_destroy(&l);
}

static void test_prp1_offset(void)
{
    for (uint32_t bad = 1; bad < 4; bad++) {
        for (uint64_t pages = 1; pages < 5; pages++) {
            struct layout l;

            layout_init(&l, 4096, pages * 4096, 0, 0);
            l.prp1 += bad;
            expect_status(&l, ENVME_SC_PRP_OFFSET_INVALID);
            g_assert_cmpuint(l.mem.reads, ==, 0);
            layout_destroy(&l);
        }
    }
}

static void test_prp2_offset(void)
{
    for (uint32_t bit = 0; bit < 13; bit++) {
        struct layout l;

        /* As a second page: no offset at all. */
        layout_init(&l, 8192, 2 * 8192, 0, 0);
        l.prp2 |= 1u << bit;
        expect_status(&l, ENVME_SC_PRP_OFFSET_INVALID);
        layout_destroy(&l);
        /* As a list: a multiple of 8. */
        layout_init(&l, 8192, 3 * 8192, 0, 0);
        l.prp2 |= 1u << bit;
        if (bit < 3) {
            expect_status(&l, ENVME_SC_PRP_OFFSET_INVALID);
            g_assert_cmpuint(l.mem.reads, ==, 0);
        }
        layout_destroy(&l);
        /* Not needed: not looked at. */
        layout_init(&l, 8192, 8192, 0, 0);
        l.prp2 = 1u << bit;
        expect_ok(&l);
        layout_destroy(&l);
    }
}

/* Each entry of a chained list in turn, and each pointer, with an offset. */
static void test_entry_offset(void)
{
    static const uint32_t bad[] = { 1, 4, 8, 2048 };
    struct layout l;

    layout_init(&l, 4096, 1100 * 4096 + 4, 2048, 4096 - 24);
    g_assert_cmpuint(l.chain->len, ==, 3);
    for (unsigned i = 0; i < l.entry->len + l.chain->len; i++) {
        bool chain = i >= l.entry->len;
        uint64_t at = chain
                      ? g_array_index(l.chain, uint64_t, i - l.entry->len)
                      : g_array_index(l.entry, uint64_t, i);
        uint64_t good = fakemem_get64(&l.mem, at);

        if (!chain && i > 8 && i % 37) {
            continue;
        }
        for (unsigned b = 0; b < G_N_ELEMENTS(bad); b++) {
            fakemem_put64(&l.mem, at, good + bad[b]);
            expect_status(&l, ENVME_SC_PRP_OFFSET_INVALID);
        }
        fakemem_put64(&l.mem, at, good);
    }
    expect_ok(&l);
    layout_destroy(&l);
}

/* A list that points to itself gives as much as was asked for, and ends. */
static void test_loop(void)
{
    struct fakemem m;
    struct envme_walk w = { .read = fakemem_read, .opaque = &m, .page = 4096 };
    const uint64_t list = LIST_BASE, pages = 511 * 20 + 100;
    struct envme_sg sg;

    fakemem_init(&m, 4096);
    m.reread_ok = true;
    for (int i = 0; i < 511; i++) {
        fakemem_put64(&m, list + i * 8, DATA_BASE + i * 0x2000);
    }
    fakemem_put64(&m, list + 511 * 8, list);
    envme_sg_init(&sg, UINT32_MAX);
    fakemem_begin(&m, 0);
    g_assert_true(envme_st_ok(envme_prp_map(&w, DATA_BASE, list, pages * 4096,
                                            &sg)));
    g_assert_cmpuint(sg.bytes, ==, pages * 4096);
    g_assert_cmpuint(m.reads, ==, 21);
    /* Entered at its last slot, which points to the list's own page. */
    envme_sg_clear(&sg);
    fakemem_begin(&m, 0);
    g_assert_true(envme_st_ok(envme_prp_map(&w, DATA_BASE, list + 511 * 8,
                                            3 * 4096, &sg)));
    g_assert_cmpuint(m.reads, ==, 2);
    envme_sg_free(&sg);
    fakemem_destroy(&m);
}

static void test_sg_full(void)
{
    struct layout l;
    struct envme_sg sg;

    layout_init(&l, 4096, 600 * 4096, 0, 0);
    for (uint64_t i = 0; i < l.npages; i++) {
        l.page[i] = DATA_BASE + i * 0x2000;
        if (i) {
            fakemem_put64(&l.mem, g_array_index(l.entry, uint64_t, i - 1),
                          l.page[i]);
        }
    }
    l.prp1 = l.page[0];
    for (uint32_t limit = 0; limit < 600; limit += limit < 4 ? 1 : 119) {
        envme_sg_init(&sg, limit);
        g_assert_cmphex(layout_map(&l, &sg, 0), ==, ENVME_SC_INTERNAL);
        g_assert_cmpuint(sg.n, ==, limit);
        envme_sg_free(&sg);
    }
    envme_sg_init(&sg, 600);
    g_assert_cmphex(layout_map(&l, &sg, 0), ==, ENVME_SC_SUCCESS);
    layout_check(&l, &sg);
    envme_sg_free(&sg);
    layout_destroy(&l);
    /* The second page, as PRP2. */
    layout_init(&l, 4096, 8192, 0, 0);
    l.prp2 = l.page[1] = l.page[0] + 0x10000;
    envme_sg_init(&sg, 1);
    g_assert_cmphex(layout_map(&l, &sg, 0), ==, ENVME_SC_INTERNAL);
    envme_sg_free(&sg);
    layout_destroy(&l);
}

/* The last page of the address space, and page 0 after it. */
static void test_top(void)
{
    const uint64_t top = UINT64_MAX - 4095;
    struct fakemem m;
    struct envme_walk w = { .read = fakemem_read, .opaque = &m, .page = 4096 };
    struct envme_sg sg;

    fakemem_init(&m, 4096);
    fakemem_begin(&m, 0);
    envme_sg_init(&sg, 10);
    g_assert_true(envme_st_ok(envme_prp_map(&w, top + 4, 0, 8188, &sg)));
    g_assert_cmpuint(sg.n, ==, 2);
    g_assert_cmphex(sg.seg[0].addr, ==, top + 4);
    g_assert_cmphex(sg.seg[1].addr, ==, 0);
    /* A list at the very end. */
    fakemem_put64(&m, UINT64_MAX - 15, 0x5000);
    fakemem_put64(&m, UINT64_MAX - 7, top);
    envme_sg_clear(&sg);
    g_assert_true(envme_st_ok(envme_prp_map(&w, 0, UINT64_MAX - 15, 3 * 4096,
                                            &sg)));
    g_assert_cmpuint(sg.bytes, ==, 3 * 4096);
    /* A length that no list can serve. */
    envme_sg_clear(&sg);
    fakemem_begin(&m, 0);
    g_assert_cmphex(envme_prp_map(&w, 0, UINT64_MAX - 15, UINT64_MAX, &sg).sf,
                    ==, ENVME_SC_DATA_XFER_ERROR);
    g_assert_cmpint(w.err, ==, -EIO);
    envme_sg_free(&sg);
    fakemem_destroy(&m);
}

static void test_list_map(void)
{
    static const uint64_t counts[] = { 1, 2, 511, 512, 513, 1023, 1024, 2000 };

    for (unsigned c = 0; c < G_N_ELEMENTS(counts); c++) {
        struct layout l;
        struct envme_status st;
        struct envme_sg sg;
        uint64_t list;

        layout_init(&l, 4096, counts[c] * 4096, 0, 0);
        list = fresh_list_page(&l);
        g_array_set_size(l.entry, 0);
        g_array_set_size(l.chain, 0);
        layout_list(&l, list, 0);
        envme_sg_init(&sg, UINT32_MAX);
        fakemem_begin(&l.mem, 0);
        st = envme_prp_list_map(&l.walk, list, counts[c], &sg);
        g_assert_true(envme_st_ok(st));
        layout_check(&l, &sg);
        g_assert_cmpuint(l.mem.reads, ==, l.list_pages);

        envme_sg_clear(&sg);
        fakemem_begin(&l.mem, l.list_pages);
        st = envme_prp_list_map(&l.walk, list, counts[c], &sg);
        g_assert_cmphex(st.sf, ==, ENVME_SC_DATA_XFER_ERROR);
        g_assert_cmpint(l.walk.err, ==, FAKEMEM_ERRNO);

        envme_sg_clear(&sg);
        fakemem_begin(&l.mem, 0);
        st = envme_prp_list_map(&l.walk, list + 8, counts[c], &sg);
        g_assert_cmphex(st.sf, ==, ENVME_SC_PRP_OFFSET_INVALID);
        g_assert_cmpuint(l.mem.reads, ==, 0);
        st = envme_prp_list_map(&l.walk, list, UINT64_MAX, &sg);
        g_assert_cmphex(st.sf, ==, ENVME_SC_INTERNAL);
        st = envme_prp_list_map(&l.walk, list, 0, &sg);
        g_assert_true(envme_st_ok(st));
        g_assert_cmpuint(l.mem.reads, ==, 0);
        envme_sg_free(&sg);
        layout_destroy(&l);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/prp/edges", test_edges);
    g_test_add_func("/prp/list-offset", test_list_offset);
    g_test_add_func("/prp/large-pages", test_large_pages);
    g_test_add_func("/prp/random", test_random);
    g_test_add_func("/prp/nothing", test_nothing);
    g_test_add_func("/prp/prp1-offset", test_prp1_offset);
    g_test_add_func("/prp/prp2-offset", test_prp2_offset);
    g_test_add_func("/prp/entry-offset", test_entry_offset);
    g_test_add_func("/prp/loop", test_loop);
    g_test_add_func("/prp/sg-full", test_sg_full);
    g_test_add_func("/prp/top", test_top);
    g_test_add_func("/prp/list-map", test_list_map);
    return g_test_run();
}
