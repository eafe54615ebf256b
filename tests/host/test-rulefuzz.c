/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader of fault rules under inputs that are wrong: trees made by its own
 * tables and spoilt in one place, and the text of the files in faults/ with
 * bytes changed. Whatever is refused is refused whole, with a sentence that
 * names the rule and the field.
 *
 * ENVME_RULE_FUZZ: how many inputs (of each kind); ENVME_RULE_SEED: others.
 */
#include <inttypes.h>

#include "fuzz-rules.h"

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = g_getenv(name);

    return text ? g_ascii_strtoull(text, NULL, 0) : otherwise;
}

static uint64_t inputs(void)
{
    return number("ENVME_RULE_FUZZ", 2000);
}

static uint64_t seed(void)
{
    return number("ENVME_RULE_SEED", 1);
}

/* The same tree as bytes: its parts live only as long as somebody has them. */
static GVariant *serialized(GVariant *tree)
{
    g_autoptr(GBytes) bytes = g_variant_get_data_as_bytes(tree);

    return g_variant_ref_sink(g_variant_new_from_bytes(
        g_variant_get_type(tree), bytes, FALSE));
}

static void test_trees(void)
{
    struct tr_gen g;
    uint64_t refused = 0, n = inputs(), i;

    tr_gen_init(&g, seed());
    g.f = fuzz_rules_new();
    for (i = 0; tr_more(&g, i, n); i++) {
        g_autoptr(GVariant) set = tr_set(&g, 1 + tr_below(&g, 3)), bad = NULL;
        g_autoptr(GVariant) bytes = NULL;
        struct tr_spoilt s = { 0 };
        g_autofree char *err = NULL, *same = NULL;

        err = fuzz_rules_load(set);
        g_assert_cmpstr(err, ==, NULL);
        bad = tr_spoil(&g, set, &s);
        err = fuzz_rules_load(bad);
        bytes = serialized(bad);
        same = fuzz_rules_load(bytes);
        g_assert_cmpstr(err, ==, same);
        if (s.certain && !err) {
            g_error("taken, with %s '%s' in rule '%s'", s.how, s.field,
                    s.rule);
        }
        if (err && s.field && strcmp(s.field, "name") &&
            !strstr(err, s.field)) {
            g_error("%s: '%s': the sentence does not name it: %s", s.how,
                    s.field, err);
        }
        if (err && s.rule && s.field && strcmp(s.field, "name")) {
            g_autofree char *quoted = g_strdup_printf("'%s'", s.rule);

            if (!strstr(err, quoted)) {
                g_error("%s: nothing of rule '%s': %s", s.how, s.rule, err);
            }
        }
        refused += err != NULL;
        tr_spoilt_clear(&s);
    }
    g_test_message("%" PRIu64 " of %" PRIu64 " refused", refused, i);
    g_assert_cmpuint(refused, >, i / 4);
    g_assert_cmpuint(refused, <, i);
    if (n >= 1000) {
        tr_check_seen(&g);
    }
    tr_gen_fini(&g);
    fuzz_rules_free();
}

/* ---- text -------------------------------------------------------------- */

static GPtrArray *corpus(void)
{
    const char *top = g_getenv("ENVME_SOURCE");
    g_autofree char *folder = g_build_filename(top ? top : ".", "faults",
                                               NULL);
    GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        char *text;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_ptr_array_add(all, text);
    }
    g_dir_close(dir);
    return all;
}

static void change_text(struct tr_gen *g, GString *s, GPtrArray *all)
{
    static const char *const bits[] = {
        "{", "}", "[", "]", ":", ",", "\"", "-", "1", "0x", "null", "true",
        "1e999", "99999999999999999999", "\\u0000", "forever", "\"\"",
    };
    const char *other = g_ptr_array_index(all, tr_below(g, all->len));
    gsize at = tr_below(g, s->len + 1), len = tr_below(g, 12), from;

    switch (tr_below(g, 4)) {
    case 0:
        g_string_erase(s, at, MIN(len, s->len - at));
        break;
    case 1:
        g_string_insert(s, at, bits[tr_below(g, G_N_ELEMENTS(bits))]);
        break;
    case 2:
        if (at < s->len) {
            s->str[at] = 32 + tr_below(g, 95);
        }
        break;
    default:
        from = tr_below(g, strlen(other));
        g_string_insert_len(s, at, other + from,
                            MIN(len * 4, strlen(other) - from));
        break;
    }
}

static void test_text(void)
{
    GPtrArray *all = corpus();
    uint64_t n = inputs() * 4;
    struct tr_gen g;

    tr_gen_init(&g, seed() + 1);
    g.f = fuzz_rules_new();
    for (unsigned i = 0; i < all->len; i++) {
        const char *text = g_ptr_array_index(all, i);

        LLVMFuzzerTestOneInput((const uint8_t *)text, strlen(text));
    }
    for (uint64_t i = 0; i < n; i++) {
        GString *s = g_string_new(g_ptr_array_index(all, tr_below(&g,
                                                                  all->len)));

        for (unsigned k = tr_below(&g, 4) + 1; k; k--) {
            change_text(&g, s, all);
        }
        LLVMFuzzerTestOneInput((const uint8_t *)s->str, s->len);
        g_string_free(s, TRUE);
    }
    tr_gen_fini(&g);
    g_ptr_array_unref(all);
    fuzz_rules_free();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rulefuzz/trees", test_trees);
    g_test_add_func("/rulefuzz/text", test_text);
    return g_test_run();
}
