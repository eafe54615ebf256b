/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Little-endian wire integers and bit fields.
 *
 * Everything that crosses the PCIe bus is little-endian. The wrapper structs
 * make the compiler refuse a value that was not converted. Pure functions,
 * any thread.
 */
#ifndef ENVME_BYTES_H
#define ENVME_BYTES_H

#include <stdint.h>

typedef struct { uint16_t raw; } le16_t;
typedef struct { uint32_t raw; } le32_t;
typedef struct { uint64_t raw; } le64_t;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ENVME_SWAP16(x) (x)
#define ENVME_SWAP32(x) (x)
#define ENVME_SWAP64(x) (x)
#else
#define ENVME_SWAP16(x) __builtin_bswap16(x)
#define ENVME_SWAP32(x) __builtin_bswap32(x)
#define ENVME_SWAP64(x) __builtin_bswap64(x)
#endif

static inline uint16_t le16_get(le16_t x)
{
    return ENVME_SWAP16(x.raw);
}

static inline uint32_t le32_get(le32_t x)
{
    return ENVME_SWAP32(x.raw);
}

static inline uint64_t le64_get(le64_t x)
{
    return ENVME_SWAP64(x.raw);
}

static inline le16_t le16(uint16_t v)
{
    return (le16_t){ ENVME_SWAP16(v) };
}

static inline le32_t le32(uint32_t v)
{
    return (le32_t){ ENVME_SWAP32(v) };
}

static inline le64_t le64(uint64_t v)
{
    return (le64_t){ ENVME_SWAP64(v) };
}

/*
 * A field is named by its mask in place, 64 bits wide at most. Shifts happen
 * after the mask and in 64 bits, so neither can lose bits.
 */
#define FIELD_SHIFT(mask) __builtin_ctzll(mask)
#define FIELD_MAX(mask)   ((uint64_t)(mask) >> FIELD_SHIFT(mask))
#define FIELD_GET(mask, v) \
    (((uint64_t)(v) & (uint64_t)(mask)) >> FIELD_SHIFT(mask))
#define FIELD_SET(mask, v) \
    (((uint64_t)(v) << FIELD_SHIFT(mask)) & (uint64_t)(mask))

#define ENVME_MIN(a, b) ((a) < (b) ? (a) : (b))
#define ENVME_MAX(a, b) ((a) > (b) ? (a) : (b))
#define ENVME_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ENVME_IS_POW2(v) ((v) && !((v) & ((v) - 1)))

#endif
