/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the NVM handlers share: cursors over host memory, areas of a range. */
#include <glib.h>
#include <string.h>

#include "hw/iocs/nvm/nvm.h"
#include "hw/ns/layout.h"

/* ---- cursors ----------------------------------------------------------- */

#define BYTES 3000

struct world {
    uint8_t mem[BYTES];
    struct iovec iov[BYTES];
    unsigned niov;
};

/* Bytes 0, 1, 2 ... cut at random places. */
static void world_cut(struct world *w, GRand *rand)
{
    size_t at = 0;

    w->niov = 0;
    while (at < BYTES) {
        size_t n = g_rand_int_range(rand, 0, 40);

        n = MIN(n, BYTES - at);
        w->iov[w->niov++] = (struct iovec){ w->mem + at, n };
        at += n;
    }
}

/* The nth byte that a cursor with this pattern goes through. */
static size_t pattern_at(uint32_t take, uint32_t skip, size_t first, size_t n)
{
    return take ? first + n / take * (take + skip) + n % take : n;
}

static void check_slices(struct world *w, GRand *rand, uint32_t take,
                         uint32_t skip, size_t first, size_t total)
{
    struct envme_nvm_cursor c = { .iov = w->iov, .niov = w->niov,
                                  .take = take, .skip = skip };
    uint32_t align = 1u << g_rand_int_range(rand, 0, 6);
    struct iovec out[16];
    size_t done = 0;

    for (size_t left = first; left; ) {
        size_t n = left;

        /* The way to the first byte, with the public function. */
        struct envme_nvm_cursor plain = c;

        plain.take = 0;
        g_assert_nonnull(envme_nvm_cursor_next(&plain, &n));
        c.i = plain.i;
        c.off = plain.off;
        left -= n;
    }
    while (done < total) {
        uint64_t want = MIN(total - done, (size_t)g_rand_int_range(rand, 1, 64)
                            * align);
        uint64_t bytes = want;
        unsigned n = envme_nvm_cursor_slice(&c, out, G_N_ELEMENTS(out), align,
                                            &bytes);
        size_t sum = 0;

        g_assert_cmpuint(n, <=, G_N_ELEMENTS(out));
        g_assert_cmpuint(bytes, <=, want);
        g_assert_cmpuint(bytes % align, ==, 0);
        for (unsigned i = 0; i < n; i++) {
            for (size_t k = 0; k < out[i].iov_len; k++) {
                g_assert_true((uint8_t *)out[i].iov_base + k == w->mem +
                              pattern_at(take, skip, first, done + sum + k));
            }
            sum += out[i].iov_len;
        }
        g_assert_cmpuint(sum, ==, bytes);
        done += bytes;
        if (!bytes) {
            return;             /* too small pieces for this alignment */
        }
    }
}

static void test_cursor(void)
{
    struct world *w = g_new0(struct world, 1);
    GRand *rand = g_rand_new_with_seed(1);

    for (unsigned i = 0; i < 300; i++) {
        world_cut(w, rand);
        check_slices(w, rand, 0, 0, 0, BYTES);
        check_slices(w, rand, 64, 8, 0, BYTES / 72 * 64);
        check_slices(w, rand, 8, 64, 64, BYTES / 72 * 8);
        check_slices(w, rand, 1, 7, 7, BYTES / 8);
    }
    g_rand_free(rand);
    g_free(w);
}

/* It ends, and doesn't run over the end. */
static void test_cursor_end(void)
{
    uint8_t mem[10];
    struct iovec iov[] = { { mem, 0 }, { mem, 10 }, { mem, 0 } }, out[4];
    struct envme_nvm_cursor c = { .iov = iov, .niov = 3 };
    uint64_t bytes = 100;
    size_t len = 5;

    g_assert_cmpuint(envme_nvm_cursor_slice(&c, out, 4, 1, &bytes), ==, 1);
    g_assert_cmpuint(bytes, ==, 10);
    g_assert_null(envme_nvm_cursor_next(&c, &len));
    g_assert_cmpuint(len, ==, 0);
    c = (struct envme_nvm_cursor){ .iov = iov, .niov = 3 };
    bytes = 100;
    g_assert_cmpuint(envme_nvm_cursor_slice(&c, out, 4, 8, &bytes), ==, 1);
    g_assert_cmpuint(bytes, ==, 8);
    bytes = 100;
    g_assert_cmpuint(envme_nvm_cursor_slice(&c, out, 4, 8, &bytes), ==, 0);
    g_assert_cmpuint(bytes, ==, 0);
    /* and what was left is still there */
    bytes = 2;
    g_assert_cmpuint(envme_nvm_cursor_slice(&c, out, 4, 1, &bytes), ==, 1);
    g_assert_true(out[0].iov_base == mem + 8);
}

/* ---- areas ------------------------------------------------------------- */

static void check_area(const struct envme_ns *ns, uint64_t slba, uint64_t nlb,
                       uint64_t step)
{
    struct envme_nvm_area a;
    uint64_t done = 0, data = 0, md = 0;
    bool turned;

    envme_nvm_area_init(&a, slba, nlb);
    while (envme_nvm_area_next(&a, ns, done, &turned)) {
        bool is_md = a.phase == ENVME_NVM_MD;

        g_assert_cmpint(turned, ==, is_md ? md == 0 : data == 0);
        g_assert_cmpuint(a.off, ==, is_md ? envme_layout_md(ns, slba) + md
                                          : envme_layout_data(ns, slba) + data);
        done = MIN(step, a.left);
        g_assert_cmpuint(done, >, 0);
        *(is_md ? &md : &data) += done;
    }
    g_assert_cmpuint(data, ==, nlb << ns->lbads);
    g_assert_cmpuint(md, ==, nlb * ns->ms);
    g_assert_false(envme_nvm_area_next(&a, ns, 0, &turned));
}

static void test_area(void)
{
    struct envme_ns plain = { .lbads = 9 };
    struct envme_ns ms = { .lbads = 12, .ms = 16, .moff = 1 << 24 };

    for (uint64_t nlb = 0; nlb < 20; nlb++) {
        for (uint64_t step = 100; step < 9000; step += 611) {
            check_area(&plain, 7, nlb, step);
            check_area(&ms, 7, nlb, step);
        }
    }
    check_area(&ms, 1ull << 40, UINT32_MAX, 1ull << 40);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nvm-io/cursor", test_cursor);
    g_test_add_func("/nvm-io/cursor-end", test_cursor_end);
    g_test_add_func("/nvm-io/area", test_area);
    return g_test_run();
}
