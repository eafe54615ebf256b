/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One input for the reader of fault rules, as libFuzzer and its kin call it:
 * the text of a file. What is refused leaves everything as it was, and says
 * why in a sentence. The seeds are the files in faults/.
 *
 * test-rulefuzz.c makes inputs without any fuzzer. With clang:
 *   ninja -C BUILD tests/host/fuzz-rules
 *   BUILD/tests/host/fuzz-rules CORPUS faults/
 */
#include "fuzz-rules.h"

#include <json-glib/json-glib.h>

static struct th *fuzz_host;
static struct envme_faults *fuzz_faults;

/* Something to lose. */
#define FUZZ_OLD "{'name': 'old', 'match': {'opcode': 'read'}, " \
                 "'do': {'status': 'internal'}, 'expect': {'any': 'reset'}}"

struct envme_faults *fuzz_rules_new(void)
{
    if (!fuzz_faults) {
        fuzz_host = th_new(.lanes = 2, .ns = { { .size = 1 * MIB } });
        fuzz_faults = envme_faults_new(fuzz_host->ctrl, &tr_world);
        th_enable(fuzz_host);
        tf_rules(fuzz_faults, FUZZ_OLD);
    }
    return fuzz_faults;
}

void fuzz_rules_free(void)
{
    g_autoptr(GVariant) none = g_variant_ref_sink(
        g_variant_new("a{sv}", NULL));
    char *err = NULL;

    g_assert_true(envme_faults_load(fuzz_faults, none, &err));
    if (!atomic_load(&fuzz_host->bme)) {
        th_bme(fuzz_host, true);
    }
    th_reset(fuzz_host, ENVME_RESET_FUNCTION);
    envme_faults_free(fuzz_faults);
    fuzz_host->ctrl->hooks = (struct envme_hooks){ 0 };
    th_free(fuzz_host);
    fuzz_host = NULL;
    fuzz_faults = NULL;
}

char *fuzz_rules_load(GVariant *tree)
{
    struct envme_faults *f = fuzz_rules_new();
    g_autofree char *before = tr_state(f);
    char *err = NULL;

    if (!envme_faults_load(f, tree, &err)) {
        g_autofree char *after = tr_state(f);

        g_assert_nonnull(err);
        if (strcmp(before, after)) {
            g_error("refused (%s), but no longer as it was:\n%s\n%s", err,
                    before, after);
        }
        return err;
    }
    g_assert_null(err);
    /* Back to the old ones, which nothing has hindered. */
    tf_rules(f, FUZZ_OLD);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GVariant) tree = NULL;
    g_autoptr(JsonParser) p = json_parser_new();
    GVariant *v;

    /* The parser itself is another's. */
    if (!g_utf8_validate(text, -1, NULL) ||
        !json_parser_load_from_data(p, text, -1, NULL) ||
        !json_parser_get_root(p) ||
        !(v = json_gvariant_deserialize(json_parser_get_root(p), NULL,
                                        NULL))) {
        return 0;
    }
    tree = g_variant_ref_sink(v);
    g_free(fuzz_rules_load(tree));
    return 0;
}
