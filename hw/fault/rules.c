/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a tree to rules. */
#include <string.h>

#include "hw/fault/rules.h"

/* ---- actions ----------------------------------------------------------- */

static const struct fault_action_row *const rules_tables[] = {
    fault_actions_cmd, fault_actions_data, fault_actions_reg,
    fault_actions_ctrl, fault_actions_bus, fault_actions_irq,
    fault_actions_latedata, fault_actions_post, fault_actions_queue,
    fault_actions_medium, fault_actions_ns, fault_actions_health,
    fault_actions_power,
};

const struct fault_action_row *fault_action_next(
    const struct fault_action_row *row)
{
    unsigned i;

    if (!row) {
        return rules_tables[0];
    }
    if (row[1].name) {
        return row + 1;
    }
    for (i = 0; i < ENVME_ARRAY_SIZE(rules_tables); i++) {
        const struct fault_action_row *r = rules_tables[i];

        while (r->name && r != row) {
            r++;
        }
        if (r == row) {
            return i + 1 < ENVME_ARRAY_SIZE(rules_tables)
                   ? rules_tables[i + 1] : NULL;
        }
    }
    return NULL;
}

static const struct fault_action_row *rules_action(const char *name)
{
    const struct fault_action_row *row = NULL;

    while ((row = fault_action_next(row))) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }
    return NULL;
}

static void rules_free_actions(GArray *actions)
{
    for (unsigned i = 0; actions && i < actions->len; i++) {
        struct fault_action *a = &g_array_index(actions, struct fault_action,
                                                i);

        if (a->row->free) {
            a->row->free(a->args);
        }
        envme_schema_free(&a->row->schema, a->args);
        g_free(a->args);
    }
    if (actions) {
        g_array_free(actions, TRUE);
    }
}

/* { "status": "write-fault" } is { "status": { "code": "write-fault" } }. */
static bool rules_args(struct envme_schema_ctx *ctx,
                       const struct fault_action_row *row, GVariant *v,
                       void *args)
{
    GVariantDict dict;
    GVariant *tree;
    bool ok;

    if (g_variant_is_of_type(v, G_VARIANT_TYPE_VARDICT)) {
        return envme_schema_read(ctx, &row->schema, v, args);
    }
    if (!row->scalar) {
        if (g_variant_is_of_type(v, G_VARIANT_TYPE_BOOLEAN) &&
            g_variant_get_boolean(v) && (!row->schema.n || row->plain)) {
            return true;
        }
        return envme_schema_fail(ctx, row->plain ? "true, or an object { }, is "
                                                   "wanted"
                                 : row->schema.n ? "an object { } is wanted"
                                                 : "true is wanted");
    }
    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert_value(&dict, row->scalar, v);
    tree = g_variant_ref_sink(g_variant_dict_end(&dict));
    ok = envme_schema_read(ctx, &row->schema, tree, args);
    g_variant_unref(tree);
    return ok;
}

static bool rules_unknown_action(struct envme_schema_ctx *ctx,
                                 const char *name)
{
    const struct fault_action_row *row = NULL;
    GString *all = g_string_new(NULL);

    while ((row = fault_action_next(row))) {
        g_string_append_printf(all, "%s%s", all->len ? ", " : "", row->name);
    }
    envme_schema_fail(ctx, "there is no action '%s'; these are: %s", name,
                      all->str);
    g_string_free(all, TRUE);
    return false;
}

static bool rules_add_action(struct envme_schema_ctx *ctx, const char *name,
                             GVariant *v, GArray *to)
{
    struct fault_action a = { .row = rules_action(name) };

    if (!a.row) {
        return rules_unknown_action(ctx, name);
    }
    a.args = g_malloc0(ENVME_MAX(a.row->size, 1));
    if (a.row->init) {
        a.row->init(a.args);
    }
    g_array_append_val(to, a);
    return rules_args(ctx, a.row, v, a.args);
}

static bool rules_read_object(struct envme_schema_ctx *ctx, GVariant *v,
                              GArray *to)
{
    GVariantIter it;
    GVariant *value;
    char *name;
    bool ok = true;

    if (!g_variant_is_of_type(v, G_VARIANT_TYPE_VARDICT)) {
        return envme_schema_fail(ctx, "an object { } of actions, or a list of "
                                 "them, is wanted");
    }
    g_variant_iter_init(&it, v);
    while (ok && g_variant_iter_next(&it, "{sv}", &name, &value)) {
        GVariant *inner = envme_schema_unwrap(value);
        size_t len = envme_schema_push(ctx, ".%s", name);

        ok = rules_add_action(ctx, name, inner, to);
        envme_schema_pop(ctx, len);
        g_variant_unref(inner);
        g_variant_unref(value);
        g_free(name);
    }
    return ok;
}

static bool rules_read_nth(struct envme_schema_ctx *ctx, GVariant *v,
                           size_t index, void *to)
{
    size_t len = envme_schema_push(ctx, "[%zu]", index);
    bool ok = rules_read_object(ctx, v, to);

    envme_schema_pop(ctx, len);
    return ok;
}

static bool rules_read_do(struct envme_schema_ctx *ctx, GVariant *v,
                          void *field)
{
    GArray **to = field;

    if (*to) {
        rules_free_actions(*to);
    }
    *to = g_array_new(FALSE, FALSE, sizeof(struct fault_action));
    if (!g_variant_is_of_type(v, G_VARIANT_TYPE("av"))) {
        return rules_read_object(ctx, v, *to);
    }
    return envme_schema_each(ctx, v, rules_read_nth, *to);
}

/* ---- the parts of a rule ----------------------------------------------- */

/* Reads into the rule itself: "when" has fields of the trigger and others. */
#define AT(f) .offset = offsetof(struct fault_rule, f)

const struct envme_schema_name fault_until_names[] = {
    { "reset", 1 }, { NULL, 0 },
};

static const struct envme_schema_row when_rows[] = {
    { "nth", ENVME_SCHEMA_UINT, AT(when.nth), .min = 1,
      .help = "the nth match only" },
    { "every", ENVME_SCHEMA_UINT, AT(when.every), .min = 1,
      .help = "each match whose number this divides" },
    { "first", ENVME_SCHEMA_UINT, AT(when.first), .min = 1,
      .help = "the first so many matches" },
    { "times", ENVME_SCHEMA_UINT, AT(when.times), .min = 1,
      .help = "so often, and then no more" },
    { "probability", ENVME_SCHEMA_UNIT, AT(when.probability),
      .help = "0 to 1, of those that the others let through; the same for the "
              "same seed" },
    { "from", ENVME_SCHEMA_TIME, AT(when.from),
      .help = "not before this time since the rule was armed; matches are "
              "counted from then on" },
    { "to", ENVME_SCHEMA_TIME, AT(when.to), .help = "not after this time" },
    { "period", ENVME_SCHEMA_TIME, AT(period), .min = 1000000,
      .help = "of \"on\": \"time\": again and again" },
    { "after", ENVME_SCHEMA_STRING, AT(after_rule),
      .help = "armed when the rule of that name fires" },
    { "until", ENVME_SCHEMA_UINT, AT(until_reset), .max = 1,
      .names = fault_until_names,
      .help = "disarmed when the controller is reset" },
};

static const struct envme_schema when_schema = {
    "when", "Which matches fire. All that is given has to be so.", when_rows,
    ENVME_ARRAY_SIZE(when_rows),
};

static const struct envme_schema_row expect_rows[] = {
    { "next", ENVME_SCHEMA_CUSTOM, AT(expect.next), .read = fault_read_steps,
      .help = "all of these, in this order; others may come in between" },
    { "any", ENVME_SCHEMA_CUSTOM, AT(expect.any), .read = fault_read_steps,
      .help = "one of these" },
    { "never", ENVME_SCHEMA_CUSTOM, AT(expect.never),
      .read = fault_read_steps, .help = "none of these" },
    { "within", ENVME_SCHEMA_TIME, AT(expect.within), .min = 1,
      .help = "the time for it; 30s if not given" },
};

static const struct envme_schema expect_schema = {
    "expect", "What the host must do after each hit.", expect_rows,
    ENVME_ARRAY_SIZE(expect_rows),
};

/* The CUSTOM readers of parts get a pointer to some field of the rule. */
#define RULE_OF(field, member) \
    ((struct fault_rule *)((char *)(field) - offsetof(struct fault_rule, \
                                                      member)))

static bool rules_read_match(struct envme_schema_ctx *ctx, GVariant *v,
                             void *field)
{
    return envme_schema_read(ctx, &fault_match_schema, v, field);
}

static bool rules_read_when(struct envme_schema_ctx *ctx, GVariant *v,
                            void *field)
{
    return envme_schema_read(ctx, &when_schema, v, RULE_OF(field, when));
}

static bool rules_read_expect(struct envme_schema_ctx *ctx, GVariant *v,
                              void *field)
{
    return envme_schema_read(ctx, &expect_schema, v, RULE_OF(field, expect));
}

static const struct envme_schema_name rules_on[] = {
    { "command", FAULT_ON_COMMAND }, { "register", FAULT_ON_REGISTER },
    { "doorbell", FAULT_ON_DOORBELL }, { "interrupt", FAULT_ON_INTERRUPT },
    { "state", FAULT_ON_STATE }, { "time", FAULT_ON_TIME },
    { "dma", FAULT_ON_DMA }, { NULL, 0 },
};

static const struct envme_schema_row rule_rows[] = {
    { "name", ENVME_SCHEMA_STRING, AT(name),
      .help = "of its own; seeds the rule's random numbers, too" },
    { "description", ENVME_SCHEMA_STRING, AT(description),
      .help = "for people; the report repeats it" },
    { "on", ENVME_SCHEMA_UINT, AT(on), .max = FAULT_NON - 1,
      .names = rules_on, .help = "what it looks at; command, if not given" },
    { "match", ENVME_SCHEMA_CUSTOM, AT(match), .read = rules_read_match,
      .sub = &fault_match_schema, .help = "see below; all of them, if not given" },
    { "when", ENVME_SCHEMA_CUSTOM, AT(when), .read = rules_read_when,
      .sub = &when_schema, .help = "see below; each match, if not given" },
    { "do", ENVME_SCHEMA_CUSTOM, AT(actions), .read = rules_read_do,
      .help = "an object of actions, or a list of such" },
    { "expect", ENVME_SCHEMA_CUSTOM, AT(expect), .given =
      offsetof(struct fault_rule, has_expect), .read = rules_read_expect,
      .sub = &expect_schema, .help = "what the host must do then" },
    { "forbid", ENVME_SCHEMA_STRING, AT(forbid),
      .help = "a sentence: the verdict has failed when this rule fires" },
    { "armed", ENVME_SCHEMA_BOOL, AT(armed),
      .help = "false: another rule, or an action, arms it" },
};

static const struct envme_schema rule_schema = {
    "rule", "One rule.", rule_rows, ENVME_ARRAY_SIZE(rule_rows),
};

/* ---- a rule ------------------------------------------------------------ */

struct fault_rule *fault_rule_ref(struct fault_rule *r)
{
    g_atomic_ref_count_inc(&r->ref);
    return r;
}

void fault_rule_unref(struct fault_rule *r)
{
    if (!g_atomic_ref_count_dec(&r->ref)) {
        return;
    }
    envme_schema_free(&fault_match_schema, &r->match);
    envme_schema_free(&when_schema, r);
    envme_schema_free(&rule_schema, r);
    rules_free_actions(r->actions);
    fault_steps_free(r->expect.next);
    fault_steps_free(r->expect.any);
    fault_steps_free(r->expect.never);
    g_free(r->why);
    g_free(r);
}

static bool rules_check_actions(struct envme_schema_ctx *ctx,
                                struct envme_faults *f,
                                const struct fault_rule *r)
{
    for (unsigned i = 0; r->actions && i < r->actions->len; i++) {
        const struct fault_action *a = &g_array_index(r->actions,
                                                      struct fault_action, i);
        size_t len = envme_schema_push(ctx, ".do.%s", a->row->name);

        if (!(a->row->on & FAULT_BIT(r->on))) {
            return envme_schema_fail(ctx, "it cannot be done on \"%s\"",
                                     rules_on[r->on].name);
        }
        if (a->row->check && !a->row->check(ctx, f, a->args)) {
            return false;
        }
        envme_schema_pop(ctx, len);
    }
    return true;
}

static bool rules_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                        const struct fault_rule *r)
{
    size_t len;

    if (!r->name || !*r->name) {
        return envme_schema_fail(ctx, "\"name\" is missing");
    }
    if (!r->actions && !r->forbid && !r->has_expect) {
        return envme_schema_fail(ctx, "it does nothing: \"do\", \"expect\" or "
                                 "\"forbid\" is wanted");
    }
    if (r->has_expect && !r->expect.next && !r->expect.any &&
        !r->expect.never) {
        return envme_schema_fail(ctx, "expect: \"next\", \"any\" or \"never\" "
                                 "is wanted");
    }
    if (r->period && r->on != FAULT_ON_TIME) {
        return envme_schema_fail(ctx, "when.period: wants \"on\": \"time\"");
    }
    if (r->when.from >= r->when.to) {
        return envme_schema_fail(ctx, "when: \"to\" is not after \"from\"");
    }
    len = envme_schema_push(ctx, ".match");
    if (!fault_match_check(ctx, r->on, &r->match)) {
        return false;
    }
    envme_schema_pop(ctx, len);
    return rules_check_actions(ctx, f, r);
}

static struct fault_rule *rules_read(struct envme_schema_ctx *ctx,
                                     struct envme_faults *f, GVariant *v,
                                     size_t index)
{
    struct fault_rule *r = g_new0(struct fault_rule, 1);
    GVariant *name = NULL;

    g_atomic_ref_count_init(&r->ref);
    r->armed = true;
    r->expect.within = UINT64_C(30000000000);
    envme_when_init(&r->when);
    if (g_variant_is_of_type(v, G_VARIANT_TYPE_VARDICT)) {
        name = g_variant_lookup_value(v, "name", G_VARIANT_TYPE_STRING);
    }
    g_string_truncate(ctx->path, 0);
    if (name) {
        envme_schema_push(ctx, "rule '%s'", g_variant_get_string(name, NULL));
        g_variant_unref(name);
    } else {
        envme_schema_push(ctx, "rule %zu", index);
    }
    if (!envme_schema_read(ctx, &rule_schema, v, r) ||
        !rules_check(ctx, f, r)) {
        fault_rule_unref(r);
        return NULL;
    }
    return r;
}

bool envme_faults_do(struct envme_faults *f, GVariant *actions, char **err)
{
    struct fault_rule *r = g_new0(struct fault_rule, 1);
    GVariant *inner = envme_schema_unwrap(actions);
    struct envme_schema_ctx ctx;
    bool ok;

    g_atomic_ref_count_init(&r->ref);
    r->on = FAULT_ON_TIME;
    envme_schema_begin(&ctx, f->ctrl);
    envme_schema_push(&ctx, "do");
    ok = rules_read_do(&ctx, inner, &r->actions);
    if (ok) {
        g_string_truncate(ctx.path, 0);
        ok = rules_check_actions(&ctx, f, r);
    }
    f->doing = r;
    for (unsigned i = 0; ok && i < r->actions->len; i++) {
        const struct fault_action *a = &g_array_index(r->actions,
                                                      struct fault_action, i);

        a->row->lane0(a->args, f);
    }
    f->doing = NULL;
    *err = ctx.err;
    envme_schema_end(&ctx);
    g_variant_unref(inner);
    fault_rule_unref(r);
    return ok;
}

/* ---- a set ------------------------------------------------------------- */

struct rules_file {
    char *description;
    uint64_t version, seed;
    bool active, has_active;
    GVariant *rules;
};

static bool rules_read_list(struct envme_schema_ctx *ctx, GVariant *v,
                            void *field)
{
    GVariant **to = field;

    if (!g_variant_is_of_type(v, G_VARIANT_TYPE("av"))) {
        return envme_schema_fail(ctx, "a list [ ] of rules is wanted");
    }
    if (*to) {
        g_variant_unref(*to);
    }
    *to = g_variant_ref(v);
    return true;
}

static const struct envme_schema_row file_rows[] = {
    { "version", ENVME_SCHEMA_UINT, offsetof(struct rules_file, version),
      .min = 1, .max = 1, .help = "1, and may be left out" },
    { "description", ENVME_SCHEMA_STRING,
      offsetof(struct rules_file, description),
      .help = "for people: what is tested, and what a good driver does" },
    { "seed", ENVME_SCHEMA_UINT, offsetof(struct rules_file, seed),
      .help = "of all random numbers" },
    { "active", ENVME_SCHEMA_BOOL, offsetof(struct rules_file, active),
      .given = offsetof(struct rules_file, has_active),
      .help = "false: nothing matches until faults-active is set; true, if not "
              "given" },
    { "rules", ENVME_SCHEMA_CUSTOM, offsetof(struct rules_file, rules),
      .read = rules_read_list, .sub = &rule_schema,
      .help = "the rules, in their order" },
};

const struct envme_schema fault_file_schema = {
    "file", "The whole.", file_rows, ENVME_ARRAY_SIZE(file_rows),
};

static struct fault_rule *rules_find(struct fault_set *set, const char *name)
{
    for (unsigned i = 0; i < set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(set->rules, i);

        if (strcmp(r->name, name) == 0) {
            return r;
        }
    }
    return NULL;
}

static bool rules_link(struct envme_schema_ctx *ctx, struct fault_set *set)
{
    for (unsigned i = 0; i < set->rules->len; i++) {
        struct fault_rule *r = g_ptr_array_index(set->rules, i);

        g_string_printf(ctx->path, "rule '%s'", r->name);
        if (rules_find(set, r->name) != r) {
            return envme_schema_fail(ctx, "there is another rule of this name");
        }
        if (!r->after_rule) {
            continue;
        }
        r->after = rules_find(set, r->after_rule);
        if (!r->after || r->after == r) {
            return envme_schema_fail(ctx, "when.after: there is no other rule "
                                     "'%s'", r->after_rule);
        }
    }
    return true;
}

struct rules_to {
    struct envme_faults *f;
    struct fault_set *set;
};

static bool rules_add(struct envme_schema_ctx *ctx, GVariant *v, size_t index,
                      void *arg)
{
    struct rules_to *to = arg;
    struct fault_rule *r = rules_read(ctx, to->f, v, index);

    if (r) {
        g_ptr_array_add(to->set->rules, r);
    }
    return r;
}

struct fault_set *fault_set_parse(struct envme_faults *f, GVariant *tree,
                                  char **err)
{
    struct fault_set *set = g_new0(struct fault_set, 1);
    struct rules_to to = { f, set };
    struct rules_file file = { .active = true };
    struct envme_schema_ctx ctx;
    GVariant *top = envme_schema_unwrap(tree);
    bool ok;

    envme_schema_begin(&ctx, f->ctrl);
    set->rules = g_ptr_array_new_with_free_func((GDestroyNotify)
                                                fault_rule_unref);
    g_string_assign(ctx.path, "");
    ok = envme_schema_read(&ctx, &fault_file_schema, top, &file) &&
         (!file.rules || envme_schema_each(&ctx, file.rules, rules_add, &to)) &&
         rules_link(&ctx, set);
    set->seed = file.seed;
    set->active = file.active;
    *err = ctx.err;
    envme_schema_end(&ctx);
    envme_schema_free(&fault_file_schema, &file);
    if (file.rules) {
        g_variant_unref(file.rules);
    }
    g_variant_unref(top);
    if (!ok) {
        fault_set_free(set);
        return NULL;
    }
    return set;
}

void fault_set_free(struct fault_set *set)
{
    if (set) {
        g_ptr_array_unref(set->rules);
        g_free(set);
    }
}

/* ---- the manual -------------------------------------------------------- */

static void rules_describe(GString *s, const struct envme_schema *schema)
{
    g_string_append(s, "\n| Field | |\n|---|---|\n");
    for (unsigned i = 0; i < schema->n; i++) {
        const struct envme_schema_row *row = &schema->row[i];

        g_string_append_printf(s, "| `%s` | %s", row->name, row->help);
        for (unsigned k = 0; row->names && row->names[k].name; k++) {
            g_string_append_printf(s, "%s`%s`", k ? ", " : ": ",
                                   row->names[k].name);
        }
        g_string_append(s, " |\n");
    }
}

static void rules_section(GString *s, const struct envme_schema *schema)
{
    g_string_append_printf(s, "\n### `%s`\n\n%s\n", schema->name,
                           schema->help);
    rules_describe(s, schema);
}

char *envme_faults_reference(void)
{
    GString *s = g_string_new(NULL);
    const struct fault_action_row *row = NULL;

    rules_section(s, &fault_file_schema);
    rules_section(s, &rule_schema);
    rules_section(s, &fault_match_schema);
    rules_section(s, &when_schema);
    rules_section(s, &expect_schema);
    g_string_append(s, "\n## Actions\n");
    while ((row = fault_action_next(row))) {
        const char *sep = "";

        g_string_append_printf(s, "\n### `%s`\n\n%s On: ", row->name,
                               row->help);
        for (unsigned i = 0; i < FAULT_NON; i++) {
            if (row->on & FAULT_BIT(i)) {
                g_string_append_printf(s, "%s%s", sep, rules_on[i].name);
                sep = ", ";
            }
        }
        g_string_append(s, ".");
        if (row->scalar) {
            g_string_append_printf(s, " A plain value is its `%s`.",
                                   row->scalar);
        }
        if (row->plain) {
            g_string_append(s, " Or just `true`.");
        }
        g_string_append(s, "\n");
        if (row->schema.n) {
            rules_describe(s, &row->schema);
        }
    }
    return g_string_free(s, FALSE);
}
