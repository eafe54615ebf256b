/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/core/crc.h"

#include <dlfcn.h>
#include <pthread.h>

#include "envme/bytes.h"

#define POLY16 0x8bb7u                  /* the highest bit first */
#define POLY32 0x82f63b78u              /* reflected */
#define POLY64 0x9a6c9329ac4bc9b5ull    /* reflected */

/*
 * Eight bytes at a time: row k has what a byte contributes when k more bytes
 * follow it.
 */
static uint16_t table16[8][256];
static uint32_t table32[8][256];
static uint64_t table64[8][256];

/* As ISA-L declares them. */
typedef uint16_t isal16_fn(uint16_t crc, const unsigned char *buf,
                           uint64_t len);
typedef unsigned isal32_fn(unsigned char *buf, int len, unsigned crc);
typedef uint64_t isal64_fn(uint64_t crc, const unsigned char *buf,
                           uint64_t len);

/* NULL: our own. */
static isal16_fn *isal16;
static isal32_fn *isal32;
static isal64_fn *isal64;

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- from tables ------------------------------------------------------- */

static void make_tables(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint16_t c16 = i << 8;
        uint32_t c32 = i;
        uint64_t c64 = i;

        for (unsigned bit = 0; bit < 8; bit++) {
            c16 = c16 << 1 ^ (c16 & 0x8000 ? POLY16 : 0);
            c32 = c32 >> 1 ^ (c32 & 1 ? POLY32 : 0);
            c64 = c64 >> 1 ^ (c64 & 1 ? POLY64 : 0);
        }
        table16[0][i] = c16;
        table32[0][i] = c32;
        table64[0][i] = c64;
    }
    for (unsigned k = 1; k < 8; k++) {
        for (unsigned i = 0; i < 256; i++) {
            uint16_t c16 = table16[k - 1][i];
            uint32_t c32 = table32[k - 1][i];
            uint64_t c64 = table64[k - 1][i];

            table16[k][i] = c16 << 8 ^ table16[0][c16 >> 8];
            table32[k][i] = c32 >> 8 ^ table32[0][c32 & 0xff];
            table64[k][i] = c64 >> 8 ^ table64[0][c64 & 0xff];
        }
    }
}

static uint16_t own16(uint16_t c, const uint8_t *p, size_t len)
{
    for (; len >= 8; p += 8, len -= 8) {
        c = table16[7][p[0] ^ c >> 8] ^ table16[6][p[1] ^ (c & 0xff)] ^
            table16[5][p[2]] ^ table16[4][p[3]] ^
            table16[3][p[4]] ^ table16[2][p[5]] ^
            table16[1][p[6]] ^ table16[0][p[7]];
    }
    while (len--) {
        c = c << 8 ^ table16[0][*p++ ^ c >> 8];
    }
    return c;
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    __builtin_memcpy(&v, p, sizeof(v));
    return ENVME_SWAP64(v);
}

static uint32_t own32(uint32_t c, const uint8_t *p, size_t len)
{
    c = ~c;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t v = load64(p) ^ c;

        c = table32[7][v & 0xff] ^ table32[6][v >> 8 & 0xff] ^
            table32[5][v >> 16 & 0xff] ^ table32[4][v >> 24 & 0xff] ^
            table32[3][v >> 32 & 0xff] ^ table32[2][v >> 40 & 0xff] ^
            table32[1][v >> 48 & 0xff] ^ table32[0][v >> 56];
    }
    while (len--) {
        c = c >> 8 ^ table32[0][(c ^ *p++) & 0xff];
    }
    return ~c;
}

static uint64_t own64(uint64_t c, const uint8_t *p, size_t len)
{
    c = ~c;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t v = load64(p) ^ c;

        c = table64[7][v & 0xff] ^ table64[6][v >> 8 & 0xff] ^
            table64[5][v >> 16 & 0xff] ^ table64[4][v >> 24 & 0xff] ^
            table64[3][v >> 32 & 0xff] ^ table64[2][v >> 40 & 0xff] ^
            table64[1][v >> 48 & 0xff] ^ table64[0][v >> 56];
    }
    while (len--) {
        c = c >> 8 ^ table64[0][(c ^ *p++) & 0xff];
    }
    return ~c;
}

/* ---- ISA-L ------------------------------------------------------------- */

/*
 * What inverts where has differed between its functions, so each has to
 * compute what ours does before it is used: in whole and in pieces, with
 * lengths that its vector loops, their tails and neither take.
 */
#define PROBE_BYTES 1031

static uint32_t call_isal32(isal32_fn *fn, uint32_t crc, const uint8_t *p,
                            size_t len)
{
    crc = ~crc;
    while (len) {
        int n = ENVME_MIN(len, 1u << 30);

        crc = fn((unsigned char *)p, n, crc);
        p += n;
        len -= n;
    }
    return ~crc;
}

static void find_isal(void)
{
    static const uint16_t cuts[] = { 1, 7, 16, 63, 255, 256, 511, 1030 };
    void *lib = dlopen("libisal.so.2", RTLD_NOW | RTLD_LOCAL);
    uint8_t probe[PROBE_BYTES];
    uint16_t sum16;
    uint32_t sum32;
    uint64_t sum64;

    if (!lib) {
        return;
    }
    for (unsigned i = 0; i < PROBE_BYTES; i++) {
        probe[i] = (i * 2654435761u) >> 23;
    }
    sum16 = own16(0, probe, PROBE_BYTES);
    sum32 = own32(0, probe, PROBE_BYTES);
    sum64 = own64(0, probe, PROBE_BYTES);
    isal16 = (isal16_fn *)dlsym(lib, "crc16_t10dif");
    isal32 = (isal32_fn *)dlsym(lib, "crc32_iscsi");
    isal64 = (isal64_fn *)dlsym(lib, "crc64_rocksoft_refl");
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(cuts); i++) {
        unsigned cut = cuts[i], rest = PROBE_BYTES - cut;

        if (isal16 && isal16(isal16(0, probe, cut), probe + cut, rest) !=
                      sum16) {
            isal16 = NULL;
        }
        if (isal32 && call_isal32(isal32,
                                  call_isal32(isal32, 0, probe, cut),
                                  probe + cut, rest) != sum32) {
            isal32 = NULL;
        }
        if (isal64 && isal64(isal64(0, probe, cut), probe + cut, rest) !=
                      sum64) {
            isal64 = NULL;
        }
    }
    if (!isal16 && !isal32 && !isal64) {
        dlclose(lib);
    }
}

static void init(void)
{
    make_tables();
    find_isal();
}

/* ---- interface --------------------------------------------------------- */

uint16_t envme_crc16_t10dif_own(uint16_t crc, const void *buf, size_t len)
{
    pthread_once(&once, init);
    return own16(crc, buf, len);
}

uint32_t envme_crc32c_own(uint32_t crc, const void *buf, size_t len)
{
    pthread_once(&once, init);
    return own32(crc, buf, len);
}

uint64_t envme_crc64_nvme_own(uint64_t crc, const void *buf, size_t len)
{
    pthread_once(&once, init);
    return own64(crc, buf, len);
}

uint16_t envme_crc16_t10dif(uint16_t crc, const void *buf, size_t len)
{
    pthread_once(&once, init);
    return isal16 && len ? isal16(crc, buf, len) : own16(crc, buf, len);
}

uint32_t envme_crc32c(uint32_t crc, const void *buf, size_t len)
{
    pthread_once(&once, init);
    return isal32 ? call_isal32(isal32, crc, buf, len) : own32(crc, buf, len);
}

uint64_t envme_crc64_nvme(uint64_t crc, const void *buf, size_t len)
{
    pthread_once(&once, init);
    return isal64 && len ? isal64(crc, buf, len) : own64(crc, buf, len);
}

unsigned envme_crc_isal(void)
{
    pthread_once(&once, init);
    return (isal16 ? ENVME_CRC_ISAL_16 : 0) | (isal32 ? ENVME_CRC_ISAL_32 : 0) |
           (isal64 ? ENVME_CRC_ISAL_64 : 0);
}
