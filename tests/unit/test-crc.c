/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/crc.h"

#include <dlfcn.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>

typedef uint64_t crc_fn(uint64_t crc, const void *buf, size_t len);

#define WRAP(name, type) \
    static uint64_t w_##name(uint64_t crc, const void *buf, size_t len) \
    { \
        return name((type)crc, buf, len); \
    }
WRAP(envme_crc16_t10dif, uint16_t)
WRAP(envme_crc16_t10dif_own, uint16_t)
WRAP(envme_crc32c, uint32_t)
WRAP(envme_crc32c_own, uint32_t)

static const struct {
    const char *name;
    crc_fn *fn, *own;
    unsigned bits, isal;
    uint64_t poly;
    bool reflected;
} kinds[] = {
    { "crc16_t10dif", w_envme_crc16_t10dif, w_envme_crc16_t10dif_own,
      16, ENVME_CRC_ISAL_16, 0x8bb7, false },
    { "crc32_iscsi", w_envme_crc32c, w_envme_crc32c_own,
      32, ENVME_CRC_ISAL_32, 0x1edc6f41, true },
    { "crc64_rocksoft_refl", envme_crc64_nvme, envme_crc64_nvme_own,
      64, ENVME_CRC_ISAL_64, 0xad93d23594c93659ull, true },
};

enum pattern { TEXT, ZEROES, ONES, UP, DOWN };

static size_t fill(uint8_t *buf, enum pattern pattern, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf[i] = pattern == ZEROES ? 0 : pattern == ONES ? 0xff :
                 pattern == UP ? i : 0xff - i;
    }
    if (pattern == TEXT) {
        memcpy(buf, "123456789", 9);
        return 9;
    }
    return len;
}

/*
 * The check value of each CRC's catalogue entry; SBC-3's and RFC 3720's
 * examples; the test cases of the NVM Command Set Specification.
 */
static void test_published(void)
{
    static const struct {
        unsigned kind;
        enum pattern pattern;
        size_t len;
        uint64_t crc;
    } v[] = {
        { 0, TEXT, 9, 0xd0db },
        { 0, ZEROES, 32, 0 },
        { 0, ONES, 32, 0xa293 },
        { 0, UP, 32, 0x0224 },
        { 0, DOWN, 32, 0xa0b7 },
        { 1, TEXT, 9, 0xe3069283 },
        { 1, ZEROES, 32, 0x8a9136aa },
        { 1, ONES, 32, 0x62a8ab43 },
        { 1, UP, 32, 0x46dd794e },
        { 1, ZEROES, 4096, 0x98f94189 },
        { 1, ONES, 4096, 0x25c1fe13 },
        { 1, UP, 4096, 0x9c71fe32 },
        { 1, DOWN, 4096, 0x214941a8 },
        { 2, TEXT, 9, 0xae8b14860a799888ull },
        { 2, ZEROES, 4096, 0x6482d367eb22b64eull },
        { 2, ONES, 4096, 0xc0ddba7302eca3acull },
        { 2, UP, 4096, 0x3e729f5f6750449cull },
        { 2, DOWN, 4096, 0x9a2df64b8e9e517eull },
    };
    uint8_t buf[4096];

    for (unsigned i = 0; i < G_N_ELEMENTS(v); i++) {
        size_t len = fill(buf, v[i].pattern, v[i].len);

        g_assert_cmphex(kinds[v[i].kind].fn(0, buf, len), ==, v[i].crc);
        g_assert_cmphex(kinds[v[i].kind].own(0, buf, len), ==, v[i].crc);
    }
}

/* The definition, a bit at a time. */
static uint64_t slow(unsigned k, const uint8_t *p, size_t len)
{
    uint64_t top = 1ull << (kinds[k].bits - 1);
    uint64_t mask = top | (top - 1);
    uint64_t c = kinds[k].reflected ? mask : 0, r = 0;

    while (len--) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bool in = *p >> (kinds[k].reflected ? bit : 7 - bit) & 1;
            bool out = c & top;

            c = (c << 1 & mask) ^ (in != out ? kinds[k].poly : 0);
        }
        p++;
    }
    if (!kinds[k].reflected) {
        return c;
    }
    for (unsigned bit = 0; bit < kinds[k].bits; bit++) {
        r |= (c >> bit & 1) << (kinds[k].bits - 1 - bit);
    }
    return r ^ mask;
}

/* Each length to 300 at each alignment to 16, exactly to the buffer's end. */
static void test_definition(void)
{
    for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
        for (unsigned len = 0; len <= 300; len++) {
            unsigned at = len * 7 % 16;
            uint8_t *buf = g_malloc(at + len ? at + len : 1);
            uint64_t want;

            for (unsigned i = 0; i < len; i++) {
                buf[at + i] = g_test_rand_int();
            }
            want = slow(k, buf + at, len);
            g_assert_cmphex(kinds[k].fn(0, buf + at, len), ==, want);
            g_assert_cmphex(kinds[k].own(0, buf + at, len), ==, want);
            g_free(buf);
        }
    }
}

static void test_pieces(void)
{
    uint8_t buf[5000];

    for (unsigned i = 0; i < sizeof(buf); i++) {
        buf[i] = g_test_rand_int();
    }
    for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
        uint64_t whole = kinds[k].own(0, buf, sizeof(buf));

        g_assert_cmphex(kinds[k].fn(0, buf, sizeof(buf)), ==, whole);
        for (unsigned round = 0; round < 200; round++) {
            unsigned max = round < 100 ? 20 : 2000;
            uint64_t a = 0, b = 0;
            size_t at = 0;

            while (at < sizeof(buf)) {
                size_t n = g_test_rand_int_range(0, max);

                n = MIN(n, sizeof(buf) - at);
                a = kinds[k].fn(a, buf + at, n);
                b = kinds[k].own(b, buf + at, n);
                g_assert_cmphex(a, ==, b);
                at += n;
            }
            g_assert_cmphex(a, ==, whole);
        }
        g_assert_cmphex(kinds[k].fn(whole, buf, 0), ==, whole);
        g_assert_cmphex(kinds[k].own(whole, NULL, 0), ==, whole);
    }
}

/* Where a library has the function it is the one in use. */
static void test_isal(void)
{
    void *lib = dlopen("libisal.so.2", RTLD_NOW | RTLD_LOCAL);
    unsigned want = 0;

    for (unsigned k = 0; lib && k < G_N_ELEMENTS(kinds); k++) {
        if (dlsym(lib, kinds[k].name)) {
            want |= kinds[k].isal;
        }
    }
    g_assert_cmphex(envme_crc_isal(), ==, want);
    if (!lib) {
        g_test_skip("libisal.so.2 is not on this machine");
        return;
    }
    g_test_message("ISA-L computes %x of 7", want);
    dlclose(lib);
}

/* Only with -m perf --verbose. */
static void test_speed(void)
{
    enum { LEN = 4096, ROUNDS = 4096 };
    uint8_t *buf = g_malloc0(LEN);

    for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
        for (unsigned own = 0; own < 2; own++) {
            crc_fn *fn = own ? kinds[k].own : kinds[k].fn;
            double t = g_get_monotonic_time();
            uint64_t c = 0;

            for (unsigned i = 0; i < ROUNDS; i++) {
                c = fn(c, buf, LEN);
            }
            t = g_get_monotonic_time() - t;
            g_test_maximized_result(LEN * (double)ROUNDS / t,
                                    "%u bits, %s: %.0f MB/s (%" G_GINT64_MODIFIER
                                    "x)", kinds[k].bits, own ? "own" : "in use",
                                    LEN * (double)ROUNDS / t, c);
        }
    }
    g_free(buf);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/crc/published", test_published);
    g_test_add_func("/crc/definition", test_definition);
    g_test_add_func("/crc/pieces", test_pieces);
    g_test_add_func("/crc/isal", test_isal);
    if (g_test_perf()) {
        g_test_add_func("/crc/speed", test_speed);
    }
    return g_test_run();
}
