/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/fault/schema.h"

#include <inttypes.h>
#include <string.h>

#include "envme/bytes.h"

/* ---- where we are ------------------------------------------------------ */

void envme_schema_begin(struct envme_schema_ctx *ctx, void *arg)
{
    *ctx = (struct envme_schema_ctx){ .path = g_string_new(NULL), .arg = arg };
}

void envme_schema_end(struct envme_schema_ctx *ctx)
{
    g_string_free(ctx->path, TRUE);
    ctx->path = NULL;
}

bool envme_schema_fail(struct envme_schema_ctx *ctx, const char *fmt, ...)
{
    va_list ap;
    char *text;

    if (ctx->err) {
        return false;
    }
    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    ctx->err = g_strdup_printf("%s: %s", ctx->path->str, text);
    g_free(text);
    return false;
}

size_t envme_schema_push(struct envme_schema_ctx *ctx, const char *fmt, ...)
{
    size_t len = ctx->path->len;
    va_list ap;

    va_start(ap, fmt);
    g_string_append_vprintf(ctx->path, fmt, ap);
    va_end(ap);
    return len;
}

void envme_schema_pop(struct envme_schema_ctx *ctx, size_t len)
{
    g_string_truncate(ctx->path, len);
}

/* ---- single values ----------------------------------------------------- */

GVariant *envme_schema_unwrap(GVariant *v)
{
    v = g_variant_ref(v);
    while (g_variant_is_of_type(v, G_VARIANT_TYPE_VARIANT)) {
        GVariant *inner = g_variant_get_variant(v);

        g_variant_unref(v);
        v = inner;
    }
    return v;
}

bool envme_schema_each(struct envme_schema_ctx *ctx, GVariant *list,
                       bool (*one)(struct envme_schema_ctx *ctx, GVariant *v,
                                   size_t index, void *arg), void *arg)
{
    bool ok = true;

    for (size_t i = 0; ok && i < g_variant_n_children(list); i++) {
        GVariant *c = g_variant_get_child_value(list, i);
        GVariant *inner = envme_schema_unwrap(c);

        ok = one(ctx, inner, i, arg);
        g_variant_unref(inner);
        g_variant_unref(c);
    }
    return ok;
}

const char *envme_schema_text(GVariant *v)
{
    return g_variant_is_of_type(v, G_VARIANT_TYPE_STRING)
           ? g_variant_get_string(v, NULL) : NULL;
}

static bool schema_number(GVariant *v, uint64_t *to)
{
    if (g_variant_is_of_type(v, G_VARIANT_TYPE_INT64)) {
        gint64 n = g_variant_get_int64(v);

        *to = n;
        return n >= 0;
    }
    if (g_variant_is_of_type(v, G_VARIANT_TYPE_UINT64)) {
        *to = g_variant_get_uint64(v);
        return true;
    }
    return false;
}

static bool schema_real(GVariant *v, double *to)
{
    uint64_t n;

    if (g_variant_is_of_type(v, G_VARIANT_TYPE_DOUBLE)) {
        *to = g_variant_get_double(v);
        return true;
    }
    if (schema_number(v, &n)) {
        *to = n;
        return true;
    }
    return false;
}

static char *schema_names(const struct envme_schema_row *row)
{
    GString *s = g_string_new(NULL);

    for (unsigned i = 0; row->names && row->names[i].name; i++) {
        g_string_append_printf(s, ", '%s'", row->names[i].name);
    }
    if (row->lookup) {
        g_string_append(s, ", a name as nvme-cli and docs/faults.md have it");
    }
    return g_string_free(s, FALSE);
}

static bool schema_named(struct envme_schema_ctx *ctx,
                         const struct envme_schema_row *row, const char *text,
                         uint64_t *to)
{
    char *end;

    for (unsigned i = 0; row->names && row->names[i].name; i++) {
        if (strcmp(text, row->names[i].name) == 0) {
            *to = row->names[i].value;
            return true;
        }
    }
    if (row->lookup && row->lookup(ctx->arg, text, to)) {
        return true;
    }
    if (!g_ascii_isdigit(text[0])) {
        return false;
    }
    *to = g_ascii_strtoull(text, &end, 0);
    return *end == '\0';
}

bool envme_schema_uint(struct envme_schema_ctx *ctx,
                       const struct envme_schema_row *row, GVariant *v,
                       uint64_t *to)
{
    const char *text = envme_schema_text(v);
    uint64_t n = 0;
    bool ok = text ? schema_named(ctx, row, text, &n) : schema_number(v, &n);

    if (!ok) {
        char *names = schema_names(row), *was = g_variant_print(v, FALSE);

        envme_schema_fail(ctx, "%s is not allowed here; a number%s is", was,
                          names);
        g_free(names);
        g_free(was);
        return false;
    }
    if (n < row->min || (row->max && n > row->max)) {
        return envme_schema_fail(ctx, "%" PRIu64 " is not between %" PRIu64
                                 " and %" PRIu64, n, row->min,
                                 row->max ? row->max : UINT64_MAX);
    }
    *to = n;
    return true;
}

struct schema_unit {
    const char *name;
    double factor;
};

static const struct schema_unit schema_times[] = {
    { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "min", 6e10 },
    { "h", 3.6e12 }, { NULL, 0 },
};

static const struct schema_unit schema_sizes[] = {
    { "", 1 }, { "k", 1024.0 }, { "K", 1024.0 }, { "M", 1048576.0 },
    { "G", 1073741824.0 }, { "T", 1099511627776.0 }, { NULL, 0 },
};

static bool schema_scaled(const char *text, const struct schema_unit *units,
                          uint64_t *to)
{
    char *end;
    double d = g_ascii_strtod(text, &end);

    if (end == text || !(d >= 0)) {
        return false;
    }
    for (; units->name; units++) {
        if (strcmp(end, units->name) == 0) {
            d *= units->factor;
            if (!(d < 9e18)) {
                return false;
            }
            *to = d + 0.5;
            return true;
        }
    }
    return false;
}

bool envme_schema_time(struct envme_schema_ctx *ctx, GVariant *v, uint64_t *ns)
{
    const char *text = envme_schema_text(v);

    if (text && strcmp(text, "forever") == 0) {
        *ns = UINT64_MAX;
        return true;
    }
    if (text ? schema_scaled(text, schema_times, ns) : schema_number(v, ns)) {
        return true;
    }
    return envme_schema_fail(ctx, "a time is wanted: \"500ms\", \"1.5s\", "
                             "\"2min\", or ns as a number");
}

static bool schema_bytes(struct envme_schema_ctx *ctx, GVariant *v,
                         uint64_t *to)
{
    const char *text = envme_schema_text(v);

    if (text && g_str_has_prefix(text, "0x")) {
        char *end;

        *to = g_ascii_strtoull(text, &end, 16);
        if (*end == '\0') {
            return true;
        }
    } else if (text ? schema_scaled(text, schema_sizes, to)
                    : schema_number(v, to)) {
        return true;
    }
    return envme_schema_fail(ctx, "a number of bytes is wanted: 4096, \"4k\", "
                             "\"0x1000\"");
}

static bool schema_range(struct envme_schema_ctx *ctx,
                         const struct envme_schema_row *row, GVariant *v,
                         struct envme_schema_range *to)
{
    uint64_t n[2];

    if (!g_variant_is_container(v)) {
        if (!envme_schema_uint(ctx, row, v, &n[0])) {
            return false;
        }
        to->lo = to->hi = n[0];
        return true;
    }
    if (!g_variant_is_of_type(v, G_VARIANT_TYPE_ARRAY) ||
        g_variant_is_of_type(v, G_VARIANT_TYPE_DICTIONARY) ||
        g_variant_n_children(v) != 2) {
        return envme_schema_fail(ctx, "a number, or [first, last], is wanted");
    }
    for (unsigned i = 0; i < 2; i++) {
        GVariant *c = g_variant_get_child_value(v, i);
        GVariant *inner = envme_schema_unwrap(c);
        bool ok = envme_schema_uint(ctx, row, inner, &n[i]);

        g_variant_unref(inner);
        g_variant_unref(c);
        if (!ok) {
            return false;
        }
    }
    if (n[0] > n[1]) {
        return envme_schema_fail(ctx, "the range ends before it begins");
    }
    to->lo = n[0];
    to->hi = n[1];
    return true;
}

bool envme_schema_hex(struct envme_schema_ctx *ctx, GVariant *v,
                      GByteArray **to)
{
    const char *text = envme_schema_text(v);
    GByteArray *bytes;

    if (!text || strlen(text) % 2) {
        return envme_schema_fail(ctx, "an even number of hexadecimal digits is "
                                 "wanted");
    }
    bytes = g_byte_array_new();
    for (; *text; text += 2) {
        int hi = g_ascii_xdigit_value(text[0]);
        int lo = g_ascii_xdigit_value(text[1]);
        guint8 b;

        if (hi < 0 || lo < 0) {
            g_byte_array_unref(bytes);
            return envme_schema_fail(ctx, "'%.2s' is not hexadecimal", text);
        }
        b = hi << 4 | lo;
        g_byte_array_append(bytes, &b, 1);
    }
    if (*to) {
        g_byte_array_unref(*to);
    }
    *to = bytes;
    return true;
}

/* ---- structures -------------------------------------------------------- */

static bool schema_unit(struct envme_schema_ctx *ctx, GVariant *v, double *to)
{
    double d;

    if (!schema_real(v, &d) || !(d >= 0 && d <= 1)) {
        return envme_schema_fail(ctx, "a number from 0 to 1 is wanted");
    }
    *to = d;
    return true;
}

static bool schema_limits(struct envme_schema_ctx *ctx,
                          const struct envme_schema_row *row, uint64_t n)
{
    if (n < row->min || (row->max && n > row->max)) {
        return envme_schema_fail(ctx, "it is not between %" PRIu64 " and %"
                                 PRIu64, row->min,
                                 row->max ? row->max : UINT64_MAX);
    }
    return true;
}

static bool schema_field(struct envme_schema_ctx *ctx,
                         const struct envme_schema_row *row, GVariant *v,
                         void *field)
{
    const char *text;

    switch (row->type) {
    case ENVME_SCHEMA_BOOL:
        if (!g_variant_is_of_type(v, G_VARIANT_TYPE_BOOLEAN)) {
            return envme_schema_fail(ctx, "true or false is wanted");
        }
        *(bool *)field = g_variant_get_boolean(v);
        return true;
    case ENVME_SCHEMA_UINT:
        return envme_schema_uint(ctx, row, v, field);
    case ENVME_SCHEMA_UNIT:
        return schema_unit(ctx, v, field);
    case ENVME_SCHEMA_TIME:
        return envme_schema_time(ctx, v, field) &&
               schema_limits(ctx, row, *(uint64_t *)field);
    case ENVME_SCHEMA_BYTES:
        return schema_bytes(ctx, v, field) &&
               schema_limits(ctx, row, *(uint64_t *)field);
    case ENVME_SCHEMA_STRING:
        text = envme_schema_text(v);
        if (!text) {
            return envme_schema_fail(ctx, "a string is wanted");
        }
        g_free(*(char **)field);
        *(char **)field = g_strdup(text);
        return true;
    case ENVME_SCHEMA_RANGE:
        return schema_range(ctx, row, v, field);
    case ENVME_SCHEMA_HEX:
        return envme_schema_hex(ctx, v, field);
    case ENVME_SCHEMA_CUSTOM:
        return row->read(ctx, v, field);
    }
    g_assert_not_reached();
}

static bool schema_unknown(struct envme_schema_ctx *ctx,
                           const struct envme_schema *schema, const char *name)
{
    GString *all = g_string_new(NULL);

    for (unsigned i = 0; i < schema->n; i++) {
        g_string_append_printf(all, "%s%s", i ? ", " : "",
                               schema->row[i].name);
    }
    envme_schema_fail(ctx, "'%s' is not known here; these are: %s", name,
                      all->str);
    g_string_free(all, TRUE);
    return false;
}

bool envme_schema_read(struct envme_schema_ctx *ctx,
                       const struct envme_schema *schema, GVariant *tree,
                       void *to)
{
    GVariantIter it;
    GVariant *v;
    char *name;
    bool ok = true;

    if (!g_variant_is_of_type(tree, G_VARIANT_TYPE_VARDICT)) {
        return envme_schema_fail(ctx, "an object { } is wanted");
    }
    g_variant_iter_init(&it, tree);
    while (ok && g_variant_iter_next(&it, "{sv}", &name, &v)) {
        const struct envme_schema_row *row = NULL;

        for (unsigned i = 0; i < schema->n && !row; i++) {
            row = strcmp(schema->row[i].name, name) == 0 ? &schema->row[i]
                                                         : NULL;
        }
        if (!row) {
            ok = schema_unknown(ctx, schema, name);
        } else {
            GVariant *inner = envme_schema_unwrap(v);
            size_t len = envme_schema_push(ctx, ctx->path->len ? ".%s" : "%s",
                                           name);

            ok = schema_field(ctx, row, inner, (char *)to + row->offset);
            if (ok && row->given) {
                *(bool *)((char *)to + row->given) = true;
            }
            envme_schema_pop(ctx, len);
            g_variant_unref(inner);
        }
        g_free(name);
        g_variant_unref(v);
    }
    return ok;
}

void envme_schema_free(const struct envme_schema *schema, void *of)
{
    for (unsigned i = 0; i < schema->n; i++) {
        const struct envme_schema_row *row = &schema->row[i];
        void *field = (char *)of + row->offset;

        if (row->type == ENVME_SCHEMA_STRING) {
            g_free(*(char **)field);
            *(char **)field = NULL;
        } else if (row->type == ENVME_SCHEMA_HEX && *(GByteArray **)field) {
            g_byte_array_unref(*(GByteArray **)field);
            *(GByteArray **)field = NULL;
        }
    }
}
