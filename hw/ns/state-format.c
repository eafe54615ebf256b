/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state file's bytes: docs/state.md. */
#include <string.h>

#include "envme/bytes.h"
#include "hw/core/crc.h"
#include "hw/ns/state-file.h"

/* Places in the header. */
#define AT_VERSION 8
#define AT_HEADER  12
#define AT_WRITES  16
#define AT_LENGTH  24
#define AT_COUNT   32
#define AT_ZERO    36
#define AT_IDENT   40
#define AT_BODYCRC 264
#define AT_CRC     268

#define HEADER_MAX 4096         /* of any version */
#define ALIGN      8

/* ---- integers ---------------------------------------------------------- */

static void put32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) {
        p[i] = v >> (8 * i);
    }
}

static void put64(uint8_t *p, uint64_t v)
{
    put32(p, v);
    put32(p + 4, v >> 32);
}

static uint32_t get16(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* ---- records ----------------------------------------------------------- */

static gint tree_compare(gconstpointer a, gconstpointer b, gpointer opaque)
{
    (void)opaque;
    return strcmp(a, b);
}

GTree *envme_state_tree_new(void)
{
    return g_tree_new_full(tree_compare, NULL, g_free,
                           (GDestroyNotify)g_bytes_unref);
}

/* ---- encode ------------------------------------------------------------ */

static size_t record_bytes(size_t name, size_t data)
{
    return (ENVME_STATE_RECORD + name + data + ALIGN - 1) / ALIGN * ALIGN;
}

struct encoder {
    GByteArray *out;
    bool too_big;
};

static gboolean encode_record(gpointer key, gpointer value, gpointer opaque)
{
    struct encoder *e = opaque;
    size_t name = strlen(key), at = e->out->len, len;
    const void *data = g_bytes_get_data(value, &len);
    size_t all = record_bytes(name, len);
    uint8_t *p;

    if (all > ENVME_STATE_FILE_MAX - at) {
        e->too_big = true;
        return true;
    }
    g_byte_array_set_size(e->out, at + all);
    p = e->out->data + at;
    memset(p, 0, all);
    put32(p + 4, name);
    put32(p + 8, len);
    memcpy(p + ENVME_STATE_RECORD, key, name);
    memcpy(p + ENVME_STATE_RECORD + name, data, len);
    put32(p, envme_crc32c(0, p + 4, all - 4));
    return false;
}

GByteArray *envme_state_encode(GTree *records, const char *ident,
                               uint64_t writes)
{
    struct encoder e = { .out = g_byte_array_new() };
    uint8_t *p;

    g_byte_array_set_size(e.out, ENVME_STATE_HEADER);
    memset(e.out->data, 0, ENVME_STATE_HEADER);
    g_tree_foreach(records, encode_record, &e);
    if (e.too_big) {
        g_byte_array_unref(e.out);
        return NULL;
    }
    p = e.out->data;
    memcpy(p, ENVME_STATE_MAGIC, 8);
    put32(p + AT_VERSION, ENVME_STATE_VERSION);
    put32(p + AT_HEADER, ENVME_STATE_HEADER);
    put64(p + AT_WRITES, writes);
    put64(p + AT_LENGTH, e.out->len);
    put32(p + AT_COUNT, g_tree_nnodes(records));
    memcpy(p + AT_IDENT, ident, ENVME_STATE_IDENT);
    put32(p + AT_BODYCRC, envme_crc32c(0, p + ENVME_STATE_HEADER,
                                       e.out->len - ENVME_STATE_HEADER));
    put32(p + AT_CRC, envme_crc32c(0, p, AT_CRC));
    return e.out;
}

/* ---- decode ------------------------------------------------------------ */

static char *damaged(const char *what)
{
    return g_strdup_printf("is damaged (%s); put back a copy of it, or remove "
                           "it to start fresh", what);
}

/* Which record is damaged, for the sentence. */
static char *damaged_record(uint32_t i, const uint8_t *name, size_t len)
{
    g_autofree char *text = g_strndup((const char *)name, len);
    g_autofree char *esc = g_strescape(text, NULL);
    g_autofree char *what = g_strdup_printf("record %u, '%s', has a wrong "
                                            "checksum", i, esc);

    return damaged(what);
}

static bool name_ok(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] <= 0x20 || p[i] > 0x7e) {
            return false;
        }
    }
    return len && len <= ENVME_STATE_NAME_MAX;
}

static char *decode_records(const uint8_t *p, size_t left, uint32_t count,
                            GTree *records)
{
    g_autofree char *last = NULL;

    for (uint32_t i = 0; i < count; i++) {
        size_t name, len, all;
        char *key;

        if (left < ENVME_STATE_RECORD) {
            return damaged("it has fewer records than it says");
        }
        name = get32(p + 4);
        len = get32(p + 8);
        if (name > ENVME_STATE_NAME_MAX || len > ENVME_STATE_RECORD_MAX ||
            (all = record_bytes(name, len)) > left) {
            return damaged("a record is longer than it can be");
        }
        if (get32(p) != envme_crc32c(0, p + 4, all - 4)) {
            return damaged_record(i, p + ENVME_STATE_RECORD, name);
        }
        if (!name_ok(p + ENVME_STATE_RECORD, name) || !len) {
            return damaged("a record has no name or no data");
        }
        key = g_strndup((const char *)p + ENVME_STATE_RECORD, name);
        if (last && strcmp(last, key) >= 0) {
            g_free(key);
            return damaged("its records are not in order");
        }
        g_free(last);
        last = g_strdup(key);
        g_tree_insert(records, key,
                      g_bytes_new(p + ENVME_STATE_RECORD + name, len));
        p += all;
        left -= all;
    }
    return left ? damaged("it has more records than it says") : NULL;
}

/* What every version has in common: magic, version, length of the header,
 * and the header's checksum at its end. */
static char *decode_common(const uint8_t *buf, size_t len)
{
    size_t head = len < 8 ? len : 8;
    uint32_t version;

    if (!len) {
        return damaged("it is empty");
    }
    if (memcmp(buf, ENVME_STATE_MAGIC, head)) {
        return g_strdup("is not a state file, and is left as it is; name "
                        "another one, or remove it");
    }
    if (len < AT_WRITES) {
        return damaged("it is cut off");
    }
    head = get32(buf + AT_HEADER);
    if (head < AT_WRITES + 4 || head > HEADER_MAX) {
        return damaged("its header has a wrong length");
    }
    if (head > len) {
        return damaged("it is cut off");
    }
    if (get32(buf + head - 4) != envme_crc32c(0, buf, head - 4)) {
        return damaged("its header has a wrong checksum");
    }
    version = get32(buf + AT_VERSION);
    if (version != ENVME_STATE_VERSION) {
        return g_strdup_printf("is of version %u, and this is for version %u; "
                               "use it with the envme that wrote it, or remove "
                               "it to start fresh", version,
                               ENVME_STATE_VERSION);
    }
    return head == ENVME_STATE_HEADER ? NULL
                                      : damaged("its header has a wrong "
                                                "length");
}

char *envme_state_decode(const uint8_t *buf, size_t len, const char *ident,
                         GTree *records, uint64_t *writes)
{
    char *err = decode_common(buf, len);

    if (err) {
        return err;
    }
    if (memcmp(buf + AT_IDENT, ident, ENVME_STATE_IDENT)) {
        g_autofree char *other = g_strndup((const char *)buf + AT_IDENT,
                                           ENVME_STATE_IDENT);
        g_autofree char *esc = g_strescape(other, NULL);

        return g_strdup_printf("belongs to the subsystem %s, this one is %s; "
                               "give each its own file, or remove it to start "
                               "fresh", esc, ident);
    }
    if (get64(buf + AT_LENGTH) != len) {
        return damaged(get64(buf + AT_LENGTH) > len ? "it is cut off" :
                       "it is longer than it says");
    }
    err = decode_records(buf + ENVME_STATE_HEADER, len - ENVME_STATE_HEADER,
                         get32(buf + AT_COUNT), records);
    if (err) {
        return err;
    }
    if (get32(buf + AT_BODYCRC) !=
        envme_crc32c(0, buf + ENVME_STATE_HEADER, len - ENVME_STATE_HEADER)) {
        return damaged("its records have a wrong checksum");
    }
    *writes = get64(buf + AT_WRITES);
    return NULL;
}
