/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/fault/patch.h"

#define PATCH_MAX 64

static const struct envme_schema_name patch_widths[] = {
    { "le8", 1 }, { "le16", 2 }, { "le32", 4 }, { "le64", 8 }, { NULL, 0 },
};

static const struct envme_schema_row patch_rows[] = {
    { "offset", ENVME_SCHEMA_BYTES, offsetof(struct fault_patch, offset),
      .help = "first byte" },
    { "as", ENVME_SCHEMA_UINT, offsetof(struct fault_patch, width), .min = 1,
      .max = 8, .names = patch_widths, .help = "of value and xor" },
    { "value", ENVME_SCHEMA_UINT, offsetof(struct fault_patch, value),
      offsetof(struct fault_patch, has_value), .help = "what to put there" },
    { "xor", ENVME_SCHEMA_UINT, offsetof(struct fault_patch, xor),
      offsetof(struct fault_patch, has_xor), .help = "bits to invert" },
    { "hex", ENVME_SCHEMA_HEX, offsetof(struct fault_patch, hex),
      .help = "bytes to put there" },
};

const struct envme_schema fault_patch_schema = {
    "patch", "One change of bytes.", ENVME_SCHEMA_ROWS(patch_rows),
};

static bool patch_add(struct envme_schema_ctx *ctx, GVariant *v, GArray *to)
{
    struct fault_patch p = { .width = 1 };

    if (!envme_schema_read(ctx, &fault_patch_schema, v, &p)) {
        envme_schema_free(&fault_patch_schema, &p);
        return false;
    }
    g_array_append_val(to, p);
    if (to->len > PATCH_MAX) {
        return envme_schema_fail(ctx, "more than %u patches", PATCH_MAX);
    }
    if (!p.has_value && !p.has_xor && !p.hex) {
        return envme_schema_fail(ctx, "\"value\", \"xor\" or \"hex\" is "
                                 "wanted");
    }
    if (p.width != 1 && p.width != 2 && p.width != 4 && p.width != 8) {
        return envme_schema_fail(ctx, "as: 1, 2, 4 or 8 bytes");
    }
    return true;
}

static bool patch_nth(struct envme_schema_ctx *ctx, GVariant *v, size_t index,
                      void *to)
{
    size_t len = envme_schema_push(ctx, "[%zu]", index);
    bool ok = patch_add(ctx, v, to);

    envme_schema_pop(ctx, len);
    return ok;
}

/* One patch, or a list of them. */
bool fault_patch_read(struct envme_schema_ctx *ctx, GVariant *v, void *field)
{
    GArray **to = field;

    if (!*to) {
        *to = g_array_new(FALSE, FALSE, sizeof(struct fault_patch));
    }
    if (!g_variant_is_of_type(v, G_VARIANT_TYPE("av"))) {
        return patch_add(ctx, v, *to);
    }
    return envme_schema_each(ctx, v, patch_nth, *to);
}

void fault_patch_free(GArray *patches)
{
    for (unsigned i = 0; patches && i < patches->len; i++) {
        envme_schema_free(&fault_patch_schema,
                          &g_array_index(patches, struct fault_patch, i));
    }
    if (patches) {
        g_array_free(patches, TRUE);
    }
}

static void patch_apply(const struct fault_patch *p,
                        fault_patch_byte_fn *at, void *arg)
{
    uint64_t n = p->hex ? p->hex->len : p->width;

    for (uint64_t i = 0; i < n; i++) {
        uint8_t *b = at(arg, p->offset + i);

        if (!b) {
            continue;
        }
        if (p->hex) {
            *b = p->hex->data[i];
        } else if (p->has_value) {
            *b = p->value >> i * 8;
        }
        if (p->has_xor && i < p->width) {
            *b ^= p->xor >> i * 8;
        }
    }
}

void fault_patch_apply(const GArray *patches, fault_patch_byte_fn *at,
                       void *arg)
{
    for (unsigned i = 0; patches && i < patches->len; i++) {
        patch_apply(&g_array_index(patches, struct fault_patch, i), at, arg);
    }
}
