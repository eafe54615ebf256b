/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_HOST_FUZZ_RULES_H
#define TESTS_HOST_FUZZ_RULES_H

#include "th-rules.h"

/* Rules of a host that stays until fuzz_rules_free(). */
struct envme_faults *fuzz_rules_new(void);
void fuzz_rules_free(void);

/* Loads a tree. NULL: it was taken; else the sentence (g_free), and it has
 * been seen that nothing has changed. */
char *fuzz_rules_load(GVariant *tree);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
