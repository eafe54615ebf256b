/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "th-rules.h"

#include <inttypes.h>
#include <math.h>

void tr_gen_init(struct tr_gen *g, uint64_t seed)
{
    g->rng = seed;
    g->made = 0;
    g->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void tr_gen_fini(struct tr_gen *g)
{
    g_hash_table_unref(g->seen);
}

uint64_t tr_below(struct tr_gen *g, uint64_t n)
{
    return n ? envme_rng_below(&g->rng, n) : 0;
}

static bool gen_one_in(struct tr_gen *g, unsigned n)
{
    return tr_below(g, n) == 0;
}

/* ---- values ------------------------------------------------------------ */

/* Words that some look-up or reader may know. */
static const char *const gen_words[] = {
    "read", "write", "flush", "compare", "write-zeroes", "dsm", "verify",
    "io:read", "io:write", "admin:identify", "identify", "get-log",
    "get-feature", "set-feature", "get-features", "set-features", "abort",
    "create-sq", "delete-sq", "format", "async-event", "admin:abort",
    "admin:any", "io:any", "reset", "enable", "shutdown", "reg:cc", "reg:aqa",
    "cap", "cc", "csts", "aqa", "asq", "acq", "intms", "smart", "error",
    "fw-log", "smart-log", "error-log", "id-ctrl", "id-ns", "ns-list",
    "internal", "write-fault", "cmd-interrupted", "unrecovered-read",
    "success", "lba-range", "invalid-field", "arbitration", "power",
    "temp-thresh", "vwc", "number-of-queues", "async-event-config",
};

static const char *gen_word(struct tr_gen *g)
{
    return gen_words[tr_below(g, G_N_ELEMENTS(gen_words))];
}

static GVariant *gen_number(struct tr_gen *g, uint64_t n)
{
    if (n > INT64_MAX) {
        return g_variant_new_uint64(n);
    }
    if (gen_one_in(g, 8)) {
        g_autofree char *hex = g_strdup_printf("0x%" PRIx64, n);

        return g_variant_new_string(hex);
    }
    return g_variant_new_int64(n);
}

/* Small ones, as they are what hits something. */
static uint64_t gen_between(struct tr_gen *g, uint64_t lo, uint64_t hi)
{
    uint64_t span = hi - lo, n;

    if (gen_one_in(g, 16)) {
        return gen_one_in(g, 2) ? lo : hi;
    }
    n = tr_below(g, UINT64_C(1) << (gen_one_in(g, 8) ? tr_below(g, 64)
                                                     : tr_below(g, 7)));
    return lo + (span == UINT64_MAX ? n : n % (span + 1));
}

static uint64_t gen_uint(struct tr_gen *g, const struct envme_schema_row *row)
{
    return gen_between(g, row->min, row->max ? row->max : UINT64_MAX);
}

static GVariant *gen_named(struct tr_gen *g,
                           const struct envme_schema_row *row)
{
    uint64_t n;

    if (row->names && !gen_one_in(g, 4)) {
        for (n = 0; row->names[n].name; n++) {
        }
        return g_variant_new_string(row->names[tr_below(g, n)].name);
    }
    for (unsigned i = 0; row->lookup && i < 8; i++) {
        const char *word = gen_word(g);

        if (row->lookup(g->f->ctrl, word, &n)) {
            return g_variant_new_string(word);
        }
    }
    return gen_number(g, gen_uint(g, row));
}

static GVariant *gen_time(struct tr_gen *g, const struct envme_schema_row *row)
{
    static const char *const units[] = { "ns", "us", "ms", "s", "min", "h" };
    g_autofree char *text = NULL;

    if (!row->max && gen_one_in(g, 12)) {
        return g_variant_new_string("forever");
    }
    if (gen_one_in(g, 4)) {
        return gen_number(g, gen_between(g, MAX(row->min, 1000),
                                         row->max ? row->max : UINT64_MAX));
    }
    text = g_strdup_printf("%u%s%s", (unsigned)tr_below(g, 100) + 1,
                           gen_one_in(g, 4) ? ".5" : "",
                           units[gen_one_in(g, 4)
                                 ? tr_below(g, G_N_ELEMENTS(units)) : 2]);
    return g_variant_new_string(text);
}

static GVariant *gen_bytes(struct tr_gen *g,
                           const struct envme_schema_row *row)
{
    if (gen_one_in(g, 4)) {
        g_autofree char *k = g_strdup_printf("%uk",
                                             (unsigned)tr_below(g, 8));

        return g_variant_new_string(k);
    }
    return gen_number(g, gen_uint(g, row));
}

static GVariant *gen_hex(struct tr_gen *g)
{
    unsigned n = tr_below(g, gen_one_in(g, 4) ? 64 : 4) + 1;
    GString *s = g_string_new(NULL);
    GVariant *v;

    for (unsigned i = 0; i < n; i++) {
        g_string_append_printf(s, "%02x", (unsigned)tr_below(g, 256));
    }
    v = g_variant_new_string(s->str);
    g_string_free(s, TRUE);
    return v;
}

static GVariant *gen_range(struct tr_gen *g,
                           const struct envme_schema_row *row)
{
    GVariant *pair[2];
    uint64_t a, b;

    if (gen_one_in(g, 3)) {
        return gen_named(g, row);
    }
    a = gen_uint(g, row);
    b = gen_one_in(g, 2) ? gen_uint(g, row)
                         : (row->max ? row->max : UINT64_MAX);
    pair[0] = g_variant_new_variant(gen_number(g, MIN(a, b)));
    pair[1] = g_variant_new_variant(gen_number(g, MAX(a, b)));
    return g_variant_new_array(G_VARIANT_TYPE_VARIANT, pair, 2);
}

static GVariant *gen_object(struct tr_gen *g, const struct envme_schema *s,
                            const char *due);

/* What a reader of its own takes: an object, a word, some words. */
static GVariant *gen_custom(struct tr_gen *g,
                            const struct envme_schema_row *row)
{
    GVariant *v[3];
    unsigned n = tr_below(g, 3) + 1;

    if (row->sub && gen_one_in(g, 2)) {
        return gen_object(g, row->sub, NULL);
    }
    if (!row->sub && gen_one_in(g, 2)) {
        return gen_one_in(g, 4) ? gen_number(g, tr_below(g, 8))
                                : g_variant_new_string(gen_word(g));
    }
    for (unsigned i = 0; i < n; i++) {
        v[i] = g_variant_new_variant(row->sub ? gen_object(g, row->sub, NULL)
                                     : g_variant_new_string(gen_word(g)));
    }
    return g_variant_new_array(G_VARIANT_TYPE_VARIANT, v, n);
}

static GVariant *gen_string(struct tr_gen *g,
                            const struct envme_schema_row *row)
{
    g_autofree char *name = NULL;

    /* Another rule's, more or less. */
    if (strcmp(row->name, "after") == 0 || strcmp(row->name, "rule") == 0) {
        name = g_strdup_printf("r%u", g->made - (unsigned)tr_below(g, 4));
        return g_variant_new_string(name);
    }
    return g_variant_new_string(gen_one_in(g, 8) ? "" : "some \xc3\xa9 text");
}

static GVariant *gen_value(struct tr_gen *g,
                           const struct envme_schema_row *row)
{
    switch (row->type) {
    case ENVME_SCHEMA_BOOL:
        return g_variant_new_boolean(gen_one_in(g, 2));
    case ENVME_SCHEMA_UINT:
        return gen_named(g, row);
    case ENVME_SCHEMA_UNIT:
        return gen_one_in(g, 4) ? g_variant_new_int64(tr_below(g, 2))
               : g_variant_new_double(envme_rng_unit(&g->rng));
    case ENVME_SCHEMA_TIME:
        return gen_time(g, row);
    case ENVME_SCHEMA_BYTES:
        return gen_bytes(g, row);
    case ENVME_SCHEMA_STRING:
        return gen_string(g, row);
    case ENVME_SCHEMA_RANGE:
        return gen_range(g, row);
    case ENVME_SCHEMA_HEX:
        return gen_hex(g);
    case ENVME_SCHEMA_CUSTOM:
        return gen_custom(g, row);
    }
    g_assert_not_reached();
}

/* ---- objects ----------------------------------------------------------- */

/* Some of its fields, and the one that is due. */
static GVariant *gen_object(struct tr_gen *g, const struct envme_schema *s,
                            const char *due)
{
    unsigned sparse = s->n > 6 ? 8 : 2;
    GVariantDict d;

    g_variant_dict_init(&d, NULL);
    for (unsigned i = 0; i < s->n; i++) {
        if ((due && strcmp(due, s->row[i].name) == 0) ||
            gen_one_in(g, sparse)) {
            g_variant_dict_insert_value(&d, s->row[i].name,
                                        gen_value(g, &s->row[i]));
        }
    }
    return g_variant_dict_end(&d);
}

static const struct envme_schema *gen_sub(const struct envme_schema *s,
                                          const char *name)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (strcmp(s->row[i].name, name) == 0) {
            return s->row[i].sub;
        }
    }
    g_error("no field '%s' in '%s'", name, s->name);
}

static const struct envme_schema *gen_rule_schema(void)
{
    return gen_sub(&fault_file_schema, "rules");
}

static unsigned gen_nactions(void)
{
    const struct fault_action_row *row = NULL;
    unsigned n = 0;

    while ((row = fault_action_next(row))) {
        n++;
    }
    return n;
}

static const struct fault_action_row *gen_action(unsigned i)
{
    const struct fault_action_row *row = NULL;

    do {
        row = fault_action_next(row);
    } while (i--);
    return row;
}

static GVariant *gen_args(struct tr_gen *g, const struct fault_action_row *a,
                          const char *due)
{
    if (!a->schema.n) {
        return g_variant_new_boolean(true);
    }
    if (a->scalar && !due && gen_one_in(g, 2)) {
        for (unsigned i = 0; i < a->schema.n; i++) {
            if (strcmp(a->schema.row[i].name, a->scalar) == 0) {
                return gen_value(g, &a->schema.row[i]);
            }
        }
    }
    return gen_object(g, &a->schema, due);
}

/* What a rule of "on" can have most simply: enough to try the next time. */
static const char *const gen_ons[FAULT_NON] = {
    "command", "register", "doorbell", "interrupt", "state", "time", "dma",
};

static const char *gen_field(const struct envme_schema *s, unsigned i)
{
    return s->row[i % s->n].name;
}

static void gen_do(struct tr_gen *g, GVariantDict *rule,
                   const struct fault_action_row *a, unsigned on)
{
    const char *due = a->schema.n && gen_one_in(g, 2)
                      ? gen_field(&a->schema, tr_below(g, a->schema.n)) : NULL;
    GVariantDict d;

    g_variant_dict_init(&d, NULL);
    g_variant_dict_insert_value(&d, a->name, gen_args(g, a, due));
    while (gen_one_in(g, 3)) {
        const struct fault_action_row *more =
            gen_action(tr_below(g, gen_nactions()));

        if (more->on & FAULT_BIT(on)) {
            g_variant_dict_insert_value(&d, more->name,
                                        gen_args(g, more, NULL));
        }
    }
    if (gen_one_in(g, 4)) {
        GVariant *one = g_variant_new_variant(g_variant_dict_end(&d));

        g_variant_dict_insert_value(rule, "do",
            g_variant_new_array(G_VARIANT_TYPE_VARIANT, &one, 1));
    } else {
        g_variant_dict_insert_value(rule, "do", g_variant_dict_end(&d));
    }
}

/* Which parts a rule gets that a try may drop again, when it is refused. */
enum { PART_MATCH = 1, PART_WHEN = 2, PART_EXPECT = 4 };

static GVariant *gen_rule(struct tr_gen *g, unsigned parts)
{
    const struct envme_schema *rule = gen_rule_schema();
    const struct envme_schema *match = gen_sub(rule, "match");
    const struct envme_schema *when = gen_sub(rule, "when");
    const struct envme_schema *expect = gen_sub(rule, "expect");
    const struct fault_action_row *a =
        gen_action(g->made % gen_nactions());
    g_autofree char *name = g_strdup_printf("r%u", g->made);
    GVariantDict d;
    unsigned on;

    do {
        on = gen_one_in(g, 2) ? FAULT_ON_COMMAND : tr_below(g, FAULT_NON);
    } while (!(a->on & FAULT_BIT(on)));
    g_variant_dict_init(&d, NULL);
    g_variant_dict_insert(&d, "name", "s", name);
    if (on || gen_one_in(g, 2)) {
        g_variant_dict_insert(&d, "on", "s", gen_ons[on]);
    }
    if (parts & PART_MATCH) {
        g_variant_dict_insert_value(&d, "match", gen_object(g, match,
            gen_one_in(g, 2) ? gen_field(match, g->made) : NULL));
    }
    if (parts & PART_WHEN) {
        g_variant_dict_insert_value(&d, "when", gen_object(g, when,
            gen_field(when, tr_below(g, when->n))));
    }
    if (parts & PART_EXPECT) {
        g_variant_dict_insert_value(&d, "expect", gen_object(g, expect,
            gen_field(expect, tr_below(g, expect->n))));
    }
    if (gen_one_in(g, 16)) {
        g_variant_dict_insert(&d, "armed", "b", false);
    }
    if (gen_one_in(g, 8)) {
        g_variant_dict_insert(&d, "forbid", "s", "never");
    }
    if (gen_one_in(g, 8)) {
        g_variant_dict_insert(&d, "description", "s", "some text");
    }
    gen_do(g, &d, a, on);
    return g_variant_dict_end(&d);
}

/* ---- sets -------------------------------------------------------------- */

static void gen_count(struct tr_gen *g, const char *prefix, GVariant *v,
                      bool deep)
{
    GVariantIter it;
    GVariant *inner = envme_schema_unwrap(v), *value;
    char *name;

    if (g_variant_is_of_type(inner, G_VARIANT_TYPE("av"))) {
        for (gsize i = 0; i < g_variant_n_children(inner); i++) {
            g_autoptr(GVariant) c = g_variant_get_child_value(inner, i);

            gen_count(g, prefix, c, deep);
        }
    } else if (g_variant_is_of_type(inner, G_VARIANT_TYPE_VARDICT)) {
        g_variant_iter_init(&it, inner);
        while (g_variant_iter_next(&it, "{sv}", &name, &value)) {
            g_autofree char *key = g_strdup_printf("%s%s%s", prefix,
                                                   *prefix ? "." : "", name);

            if (deep) {
                gen_count(g, key, value, strcmp(key, "do") == 0);
            }
            g_hash_table_insert(g->seen, g_steal_pointer(&key),
                                GINT_TO_POINTER(1));
            g_variant_unref(value);
            g_free(name);
        }
    }
    g_variant_unref(inner);
}

static GVariant *gen_file(struct tr_gen *g, GPtrArray *rules)
{
    GVariant **v = g_new(GVariant *, rules->len + 1);
    GVariantDict d;

    g_variant_dict_init(&d, NULL);
    for (unsigned i = 0; i < rules->len; i++) {
        v[i] = g_variant_new_variant(g_ptr_array_index(rules, i));
    }
    g_variant_dict_insert(&d, "seed", "x", (gint64)tr_below(g, 1000));
    g_variant_dict_insert_value(&d, "rules", g_variant_new_array(
        G_VARIANT_TYPE_VARIANT, v, rules->len));
    g_free(v);
    return g_variant_ref_sink(g_variant_dict_end(&d));
}

/* Is that set taken? It does not take effect. */
static bool gen_taken(struct tr_gen *g, GVariant *tree)
{
    char *err = NULL;
    struct fault_set *set = fault_set_parse(g->f, tree, &err);

    g_free(err);
    fault_set_free(set);
    return set;
}

#define TRIES 60

GVariant *tr_set(struct tr_gen *g, unsigned n)
{
    GPtrArray *rules = g_ptr_array_new_with_free_func((GDestroyNotify)
                                                      g_variant_unref);
    GVariant *tree = NULL;

    for (unsigned i = 0; i < n; i++) {
        unsigned parts = (gen_one_in(g, 4) ? 0 : PART_MATCH) |
                         (gen_one_in(g, 2) ? 0 : PART_WHEN) |
                         (gen_one_in(g, 4) ? PART_EXPECT : 0);
        bool taken = false;

        for (unsigned try = 0; !taken && try < TRIES; try++) {
            /* What does not fit together is left out in the end. */
            GVariant *rule = gen_rule(g, try < TRIES / 2 ? parts : 0);
            g_autoptr(GVariant) all = NULL;

            g_ptr_array_add(rules, g_variant_ref_sink(rule));
            all = gen_file(g, rules);
            taken = gen_taken(g, all);
            if (taken) {
                gen_count(g, "", rule, true);
            } else {
                g_ptr_array_remove_index(rules, rules->len - 1);
            }
        }
        g->made++;
    }
    tree = gen_file(g, rules);
    g_ptr_array_unref(rules);
    return tree;
}

/* The first of a table that no rule had; g_free. */
static char *gen_unseen(struct tr_gen *g, const char *prefix,
                        const struct envme_schema *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        g_autofree char *key = g_strdup_printf("%s.%s", prefix,
                                               s->row[i].name);

        if (!g_hash_table_contains(g->seen, key)) {
            return g_steal_pointer(&key);
        }
    }
    return NULL;
}

char *tr_unseen(struct tr_gen *g)
{
    static const char *const parts[] = { "match", "when", "expect" };
    const struct envme_schema *rule = gen_rule_schema();
    const struct fault_action_row *row = NULL;
    char *missing = NULL;

    for (unsigned i = 0; !missing && i < G_N_ELEMENTS(parts); i++) {
        missing = gen_unseen(g, parts[i], gen_sub(rule, parts[i]));
    }
    while (!missing && (row = fault_action_next(row))) {
        g_autofree char *key = g_strdup_printf("do.%s", row->name);

        if (!g_hash_table_contains(g->seen, key)) {
            return g_steal_pointer(&key);
        }
        missing = gen_unseen(g, key, &row->schema);
    }
    return missing;
}

bool tr_more(struct tr_gen *g, uint64_t done, uint64_t n)
{
    g_autofree char *missing = NULL;

    if (done < n || n < 1000 || done >= 3 * n) {
        return done < n;
    }
    missing = tr_unseen(g);
    return missing;
}

void tr_check_seen(struct tr_gen *g)
{
    g_autofree char *missing = tr_unseen(g);

    if (missing) {
        g_error("no rule that was taken has '%s'", missing);
    }
}

/* ---- spoilt ------------------------------------------------------------ */

void tr_spoilt_clear(struct tr_spoilt *s)
{
    g_free(s->rule);
    g_free(s->field);
    *s = (struct tr_spoilt){ 0 };
}

/* What may stand nowhere, and what hardly anywhere. */
static GVariant *spoil_value(struct tr_gen *g)
{
    GVariant *v;

    switch (tr_below(g, 10)) {
    case 0:
        return g_variant_new_int64(-1 - (gint64)tr_below(g, INT64_MAX));
    case 1:
        return g_variant_new_double(tr_below(g, 2) ? INFINITY : NAN);
    case 2:
        return g_variant_new_string("no-such-thing");
    case 3:
        return g_variant_new_uint64(UINT64_MAX - tr_below(g, 4));
    case 4:
        return g_variant_new_boolean(gen_one_in(g, 2));
    case 5:
        return g_variant_new_array(G_VARIANT_TYPE_VARIANT, NULL, 0);
    case 6:
        return g_variant_new_string("");
    case 7:
        v = g_variant_new_int64(3);
        for (unsigned i = tr_below(g, 20); i; i--) {
            v = g_variant_new_variant(v);
        }
        return v;
    case 8:
        return g_variant_new_maybe(G_VARIANT_TYPE_INT64, NULL);
    default:
        return g_variant_new_bytestring("bytes");
    }
}

/* Counts objects: the at-th is spoilt. */
struct spoil {
    struct tr_gen *g;
    struct tr_spoilt *s;
    unsigned at, n;
};

static GVariant *spoil_walk(struct spoil *sp, GVariant *v, const char *rule);

static GVariant *spoil_object(struct spoil *sp, GVariant *v, const char *rule)
{
    bool here = sp->n++ == sp->at;
    unsigned which = tr_below(sp->g, MAX(g_variant_n_children(v), 1));
    unsigned how = tr_below(sp->g, 4), i = 0;
    GVariantBuilder b;
    GVariantIter it;
    GVariant *value;
    const char *name;

    g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
    g_variant_iter_init(&it, v);
    while (g_variant_iter_next(&it, "{&sv}", &name, &value)) {
        if (here && i++ == which && how < 3) {
            g_free(sp->s->field);
            sp->s->field = g_strdup(name);
            if (how == 0) {
                sp->s->how = "another value";
                g_variant_builder_add(&b, "{sv}", name, spoil_value(sp->g));
            } else if (how == 1) {
                sp->s->how = "left out";
                g_clear_pointer(&sp->s->field, g_free);
            } else {
                /* As no JSON reader would give it. */
                sp->s->how = "twice";
                g_variant_builder_add(&b, "{sv}", name, value);
                g_variant_builder_add(&b, "{sv}", name, spoil_value(sp->g));
            }
        } else {
            g_variant_builder_add(&b, "{sv}", name,
                                  here ? value : spoil_walk(sp, value, rule));
        }
        g_variant_unref(value);
    }
    if (here) {
        sp->s->rule = g_strdup(rule);
        if (how == 3 || !i) {
            sp->s->how = "a field that is not known";
            sp->s->field = g_strdup("no-such-field");
            sp->s->certain = true;
            g_variant_builder_add(&b, "{sv}", "no-such-field",
                                  g_variant_new_boolean(true));
        }
    }
    return g_variant_builder_end(&b);
}

static GVariant *spoil_walk(struct spoil *sp, GVariant *v, const char *rule)
{
    if (g_variant_is_of_type(v, G_VARIANT_TYPE_VARIANT)) {
        g_autoptr(GVariant) inner = g_variant_get_variant(v);

        return g_variant_new_variant(spoil_walk(sp, inner, rule));
    }
    if (g_variant_is_of_type(v, G_VARIANT_TYPE_VARDICT)) {
        g_autoptr(GVariant) name = g_variant_lookup_value(
            v, "name", G_VARIANT_TYPE_STRING);
        const char *inside = name && !rule ? g_variant_get_string(name, NULL)
                                           : rule;

        return spoil_object(sp, v, inside);
    }
    if (g_variant_is_of_type(v, G_VARIANT_TYPE("av"))) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE("av"));
        for (gsize i = 0; i < g_variant_n_children(v); i++) {
            g_autoptr(GVariant) c = g_variant_get_child_value(v, i);

            g_variant_builder_add_value(&b, spoil_walk(sp, c, rule));
        }
        return g_variant_builder_end(&b);
    }
    return v;
}

GVariant *tr_spoil(struct tr_gen *g, GVariant *set, struct tr_spoilt *s)
{
    struct spoil sp = { .g = g, .s = s, .at = UINT_MAX };
    struct tr_spoilt none = { 0 };
    uint64_t rng = g->rng;
    GVariant *v;

    /* How many objects are there? */
    sp.s = &none;
    v = g_variant_ref_sink(spoil_walk(&sp, set, NULL));
    g_variant_unref(v);
    g->rng = rng + 1;
    sp = (struct spoil){ .g = g, .s = s, .at = tr_below(g, sp.n) };
    v = g_variant_ref_sink(spoil_walk(&sp, set, NULL));
    return v;
}

/* ---- the owner --------------------------------------------------------- */

char *tr_state(struct envme_faults *f)
{
    g_autoptr(GVariant) report = envme_faults_report(f);
    g_autoptr(GVariant) tree = envme_faults_tree(f);
    g_autofree char *a = g_variant_print(report, FALSE);
    g_autofree char *b = tree ? g_variant_print(tree, FALSE) : NULL;

    return g_strdup_printf("%s %s watch %x overrides %u todo %u set %p", a,
                           b ? b : "-", atomic_load(&f->ctrl->watch),
                           f->overrides->len, f->todo.length, (void *)f->set);
}

/* ---- a world ----------------------------------------------------------- */

static void world_bus(void *opaque, unsigned wrong)
{
    (void)opaque;
    (void)wrong;
}

static bool world_bus_error(void *opaque, bool correctable, uint32_t status)
{
    (void)opaque;
    (void)correctable;
    (void)status;
    return true;
}

static void world_machine(void *opaque, const char *what)
{
    (void)opaque;
    (void)what;
}

static void world_image(void *opaque, const char *dir,
                        const struct envme_power_image *img)
{
    (void)opaque;
    (void)dir;
    (void)img;
}

const struct envme_fault_world tr_world = {
    .bus_can = ENVME_BUS_LINK | ENVME_BUS_HANG | ENVME_BUS_MASTER,
    .bus = world_bus, .bus_error = world_bus_error,
    .machine = world_machine, .image = world_image,
};
