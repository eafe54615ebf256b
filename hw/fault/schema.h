/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a tree of names and values into structures, by tables: a field is one
 * row, and the rows are what the manual's reference is made of.
 *
 * The tree is a GVariant as JSON gives it: dictionaries a{sv}, arrays, x (or
 * t), d, b, s. Who parses the text is the composition root's affair. Lane 0.
 */
#ifndef ENVME_FAULT_SCHEMA_H
#define ENVME_FAULT_SCHEMA_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct envme_schema_name {
    const char *name;
    uint64_t value;
};

enum envme_schema_type {
    ENVME_SCHEMA_BOOL,          /* bool */
    ENVME_SCHEMA_UINT,          /* uint64_t: number, "0x.." or a name */
    ENVME_SCHEMA_UNIT,          /* double, 0 to 1 */
    ENVME_SCHEMA_TIME,          /* uint64_t, ns: "10ms", "1.5s", ns as number */
    ENVME_SCHEMA_BYTES,         /* uint64_t: "4k", "1M" or a number */
    ENVME_SCHEMA_STRING,        /* char *, g_free */
    ENVME_SCHEMA_RANGE,         /* struct envme_schema_range: [a, b] or a */
    ENVME_SCHEMA_HEX,           /* GByteArray *: "0a1b.." */
    ENVME_SCHEMA_CUSTOM,        /* row->read */
};

/* Both ends belong to it. */
struct envme_schema_range {
    uint64_t lo, hi;
};

/* Where we are, for the sentence that says what is wrong. */
struct envme_schema_ctx {
    char *err;                  /* first error; g_free */
    GString *path;              /* "rule 'x': do.status" */
    void *arg;                  /* of the CUSTOM readers and name look-ups */
};

struct envme_schema;

struct envme_schema_row {
    const char *name;
    enum envme_schema_type type;
    size_t offset;              /* into the structure */
    size_t given;               /* offset of a bool that says it was there; 0:
                                   none (a structure never begins with one) */
    uint64_t min, max;          /* UINT, BYTES, TIME; max 0: no limit */
    const struct envme_schema_name *names;  /* UINT; ends with NULL */
    /* More names, from elsewhere; NULL when name is NULL ends a walk. */
    bool (*lookup)(void *arg, const char *name, uint64_t *value);
    bool (*read)(struct envme_schema_ctx *ctx, GVariant *v, void *field);
    const char *help;           /* one line for the manual */
    /* CUSTOM: of the object that it reads, or of each in a list; NULL: it
     * reads something else. For who makes trees by the tables. */
    const struct envme_schema *sub;
};

struct envme_schema {
    const char *name, *help;
    const struct envme_schema_row *row;
    unsigned n;
};

/* The last two of it. */
#define ENVME_SCHEMA_ROWS(r) r, ENVME_ARRAY_SIZE(r)

void envme_schema_begin(struct envme_schema_ctx *ctx, void *arg);
/* Frees what is in it but err. */
void envme_schema_end(struct envme_schema_ctx *ctx);

/* Fails with a sentence: path, then the text. Always false. */
bool envme_schema_fail(struct envme_schema_ctx *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* ".name" or "[3]" for what comes; returns the length to go back to. */
size_t envme_schema_push(struct envme_schema_ctx *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void envme_schema_pop(struct envme_schema_ctx *ctx, size_t len);

/* A dictionary into a structure that has its defaults already. Unknown names
 * are refused with those that are allowed. */
bool envme_schema_read(struct envme_schema_ctx *ctx,
                       const struct envme_schema *schema, GVariant *tree,
                       void *to);
/* Frees the strings and byte arrays. */
void envme_schema_free(const struct envme_schema *schema, void *of);

/* Single values, for CUSTOM readers. */
bool envme_schema_uint(struct envme_schema_ctx *ctx,
                       const struct envme_schema_row *row, GVariant *v,
                       uint64_t *to);
bool envme_schema_time(struct envme_schema_ctx *ctx, GVariant *v,
                       uint64_t *ns);
bool envme_schema_hex(struct envme_schema_ctx *ctx, GVariant *v,
                      GByteArray **to);
/* Calls one() with each value of a list, unwrapped, until one is refused. */
bool envme_schema_each(struct envme_schema_ctx *ctx, GVariant *list,
                       bool (*one)(struct envme_schema_ctx *ctx, GVariant *v,
                                   size_t index, void *arg), void *arg);
/* The inner value of variants in variants; the result is a reference. */
GVariant *envme_schema_unwrap(GVariant *v);
/* The text of a string, or NULL. */
const char *envme_schema_text(GVariant *v);

#endif
