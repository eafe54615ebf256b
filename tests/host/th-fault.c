/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "th-fault.h"

#include <json-glib/json-glib.h>

GVariant *tf_json_text(const char *text)
{
    g_autoptr(GError) err = NULL;
    GVariant *v = json_gvariant_deserialize_data(text, -1, NULL, &err);

    if (!v) {
        g_error("JSON of the test: %s in %s", err->message, text);
    }
    return g_variant_ref_sink(v);
}

GVariant *tf_json(const char *text)
{
    g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');

    return tf_json_text(json);
}

static GVariant *tf_parse(void *opaque, const char *text, char **err)
{
    g_autoptr(GError) gerr = NULL;
    GVariant *v = json_gvariant_deserialize_data(text, -1, NULL, &gerr);

    (void)opaque;
    if (!v) {
        *err = g_strdup(gerr->message);
    }
    return v;
}

static char *tf_print(void *opaque, GVariant *tree)
{
    (void)opaque;
    return json_gvariant_serialize_data(tree, NULL);
}

const struct envme_fault_world tf_world = {
    .parse = tf_parse, .print = tf_print,
};

void tf_rules(struct envme_faults *f, const char *rules)
{
    g_autofree char *text = g_strdup_printf("{'seed': 7, 'rules': [%s]}",
                                            rules);
    g_autoptr(GVariant) tree = tf_json(text);
    char *err = NULL;

    if (!envme_faults_load(f, tree, &err)) {
        g_error("%s", err);
    }
}

void tf_now(struct th *h, struct envme_faults *f, const char *todo)
{
    g_autofree char *text = g_strdup_printf("{'name': 'x', 'on': 'time', "
                                            "'do': {%s}}", todo);

    tf_rules(f, text);
    th_run(h);
}

void tf_more(struct th *h, struct envme_faults *f, const char *todo)
{
    g_autoptr(GVariant) go = tf_json(todo);
    char *err = NULL;

    if (!envme_faults_do(f, go, &err)) {
        g_error("%s", err);
    }
    th_run(h);
}

void tf_free(struct th *h, struct envme_faults *f)
{
    envme_faults_free(f);
    h->ctrl->hooks = (struct envme_hooks){ 0 };
}

void tf_done(struct th *h, struct envme_faults *f)
{
    th_reset(h, ENVME_RESET_FUNCTION);
    tf_free(h, f);
    th_free(h);
}

char *tf_wrong(struct envme_faults *f, const char *file)
{
    g_autoptr(GVariant) tree = tf_json(file);
    char *err = NULL;

    g_assert_false(envme_faults_load(f, tree, &err));
    g_assert_nonnull(err);
    return err;
}

static GVariant *tf_field(struct envme_faults *f, const char *rule,
                          const char *field)
{
    g_autoptr(GVariant) report = envme_faults_report(f);
    g_autoptr(GVariant) rules = g_variant_lookup_value(report, "rules", NULL);

    for (size_t i = 0; i < g_variant_n_children(rules); i++) {
        g_autoptr(GVariant) v = g_variant_get_child_value(rules, i);
        g_autoptr(GVariant) r = g_variant_get_variant(v);
        const char *name;

        g_assert_true(g_variant_lookup(r, "name", "&s", &name));
        if (strcmp(name, rule) == 0) {
            return g_variant_lookup_value(r, field, NULL);
        }
    }
    g_error("there is no rule '%s'", rule);
}

gint64 tf_count(struct envme_faults *f, const char *rule, const char *field)
{
    g_autoptr(GVariant) v = tf_field(f, rule, field);

    g_assert_nonnull(v);
    return g_variant_is_of_type(v, G_VARIANT_TYPE_BOOLEAN)
           ? g_variant_get_boolean(v) : g_variant_get_int64(v);
}

char *tf_text(struct envme_faults *f, const char *rule, const char *field)
{
    g_autoptr(GVariant) v = tf_field(f, rule, field);

    return v ? g_variant_dup_string(v, NULL) : NULL;
}

char *tf_verdict(struct envme_faults *f)
{
    g_autoptr(GVariant) report = envme_faults_report(f);
    char *text;

    g_assert_true(g_variant_lookup(report, "verdict", "s", &text));
    return text;
}
