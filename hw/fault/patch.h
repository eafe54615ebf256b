/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of bytes, as rules give them: of commands, data, blocks at rest. */
#ifndef ENVME_FAULT_PATCH_H
#define ENVME_FAULT_PATCH_H

#include "hw/fault/rules.h"

struct fault_patch {
    uint64_t offset, value, xor;
    uint64_t width;             /* bytes; 0: hex */
    GByteArray *hex;
    bool has_value, has_xor;
};

extern const struct envme_schema fault_patch_schema;
/* A field that is a GArray * of struct fault_patch: reads one, or a list. */
bool fault_patch_read(struct envme_schema_ctx *ctx, GVariant *v, void *field);
void fault_patch_free(GArray *patches);

/* The byte at that offset of what is changed; NULL: it is not here. */
typedef uint8_t *fault_patch_byte_fn(void *arg, uint64_t off);

/* All of them; patches may be NULL. */
void fault_patch_apply(const GArray *patches, fault_patch_byte_fn *at,
                       void *arg);

#endif
