/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults from inside the guest: what an entry of the OCP Error Injection
 * feature comes to is one or two rules, written as anybody would write them.
 * Lane 0.
 */
#include <string.h>

#include "envme/ocp.h"
#include "hw/fault/rules.h"

struct fault_inject {
    struct envme_ocp_error error[ENVME_OCP_ERRORS];
    unsigned n;
    char *err;                  /* of the last load or arm; or NULL */
};

/* ---- the entries ------------------------------------------------------- */

/*
 * `first` fires once NRTDP of what it counts (reads, if it is NULL) have gone
 * by, and does `act`; from that very command on, `then` does its own, if there
 * is one. ' stands for ".
 */
struct inject_row {
    uint16_t type;
    const char *first, *act, *then;
};

static const struct inject_row inject_rows[] = {
    { .type = ENVME_OCP_CPU_HANG, .act = "",
      .then = "'match': {}, 'do': {'completion': 'lost'}" },
    { .type = ENVME_OCP_NAND_HANG, .act = "",
      .then = "'match': {'opcode': 'io:read'}, 'do': {'completion': 'lost'}" },
    { .type = ENVME_OCP_PLP_DEFECT,
      .act = "'health': {'critical-warning': 16}" },
    { .type = ENVME_OCP_FIRMWARE, .act = "'fatal': true" },
    { .type = ENVME_OCP_DRAM_CRITICAL, .act = "'fatal': true" },
    { .type = ENVME_OCP_DRAM, .act = "'status': 'internal'" },
    { .type = ENVME_OCP_NAND_CORRUPT,
      .act = "'status': {'code': 'unrecovered-read', 'dnr': true}, "
             "'health': {'media-errors': 1}" },
    { .type = ENVME_OCP_SRAM_CORRUPT, .act = "'fatal': true" },
    { .type = ENVME_OCP_HARDWARE,
      .act = "'health': {'critical-warning': 4}, 'fatal': true" },
    { .type = ENVME_OCP_NO_SPARES,
      .act = "'health': {'critical-warning': 9}",
      .then = "'match': {'opcode': 'io:write'}, "
              "'do': {'status': 'ns-write-protected'}" },
    { .type = ENVME_OCP_SHUTDOWN,
      .first = "'on': 'state', 'match': {'state': 'shutdown'}",
      .act = "'override': {'register': 'csts', 'set': 4, 'clear': 8, "
             "'until': 'reset'}" },
    { .type = ENVME_OCP_METADATA, .act = "'status': 'guard-check'" },
    { .type = ENVME_OCP_GARBAGE, .act = "'status': 'cmd-interrupted'" },
    { .type = ENVME_OCP_LATENCY, .act = "'delay': '1s'" },
    { .type = ENVME_OCP_IO_FAILS, .first = "'match': {'queue': 'io'}",
      .act = "'status': {'code': 'internal', 'dnr': true}" },
    { .type = ENVME_OCP_IO_HANGS, .first = "'match': {'queue': 'io'}",
      .act = "'completion': 'lost'" },
    { .type = ENVME_OCP_ADMIN_FAILS, .first = "'match': {'queue': 'admin'}",
      .act = "'status': {'code': 'internal', 'dnr': true}" },
    { .type = ENVME_OCP_ADMIN_HANGS, .first = "'match': {'queue': 'admin'}",
      .act = "'completion': 'lost'" },
    /* WCTEMP, what it was made with, CCTEMP. */
    { .type = ENVME_OCP_THROTTLED, .act = "'health': {'temperature': 343}" },
    { .type = ENVME_OCP_NOT_THROTTLED,
      .act = "'health': {'temperature': 302}" },
    { .type = ENVME_OCP_TOO_HOT, .act = "'health': {'temperature': 373}" },
};

static const struct inject_row *inject_row(uint16_t type)
{
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(inject_rows); i++) {
        if (inject_rows[i].type == type) {
            return &inject_rows[i];
        }
    }
    return NULL;
}

static char *inject_name(unsigned i)
{
    return g_strdup_printf("ocp:%u", i);
}

static void inject_print(GString *s, unsigned i,
                         const struct envme_ocp_error *e)
{
    const struct inject_row *row = inject_row(le16_get(e->type));
    bool single = e->flags & ENVME_OCP_ERROR_SINGLE;

    g_string_append_printf(s, "%s{'name': 'ocp:%u', %s, 'when': {'%s': %u}, "
                           "'do': {%s}}", s->str[s->len - 1] == '[' ? "" : ", ",
                           i, row->first ? row->first
                              : "'match': {'opcode': 'io:read'}",
                           single ? "nth" : "every", le16_get(e->nrtdp) + 1u,
                           row->act);
    if (row->then) {
        g_string_append_printf(s, ", {'name': 'ocp:%u then', %s, 'when': "
                               "{'after': 'ocp:%u', 'until': 'reset'}}", i,
                               row->then, i);
    }
}

static struct fault_set *inject_parse(struct envme_faults *f,
                                      const struct envme_ocp_error *e,
                                      unsigned n)
{
    GString *s = g_string_new("{'rules': [");
    struct fault_set *set = NULL;
    GVariant *tree;
    char *err = NULL;

    for (unsigned i = 0; i < n; i++) {
        if (e[i].flags & ENVME_OCP_ERROR_ENABLE) {
            inject_print(s, i, &e[i]);
        }
    }
    g_string_append(s, "]}");
    g_strdelimit(s->str, "'", '"');
    tree = f->world.parse(f->world.opaque, s->str, &err);
    if (tree) {
        g_variant_ref_sink(tree);
        set = fault_set_parse(f, tree, &err);
        g_variant_unref(tree);
    }
    if (!set) {
        g_error("fault injection: %s in %s", err, s->str);
    }
    g_string_free(s, TRUE);
    return set;
}

static bool inject_set_errors(void *opaque, const struct envme_ocp_error *e,
                              unsigned n, unsigned *bad)
{
    struct envme_faults *f = opaque;

    for (unsigned i = 0; i < n; i++) {
        if (e[i].flags & ENVME_OCP_ERROR_ENABLE &&
            !inject_row(le16_get(e[i].type))) {
            *bad = i;
            return false;
        }
    }
    memcpy(f->inject->error, e, n * sizeof(*e));
    f->inject->n = n;
    fault_splice(f, inject_parse(f, e, n));
    return true;
}

static unsigned inject_get_errors(void *opaque, struct envme_ocp_error *e)
{
    struct envme_faults *f = opaque;
    struct fault_inject *in = f->inject;

    for (unsigned i = 0; i < in->n; i++) {
        char *name = inject_name(i);

        e[i] = in->error[i];
        if (e[i].flags & ENVME_OCP_ERROR_SINGLE && fault_hits(f, name)) {
            e[i].flags &= ~ENVME_OCP_ERROR_ENABLE;
        }
        g_free(name);
    }
    return in->n;
}

/* ---- the commands ------------------------------------------------------ */

static bool inject_fails(struct envme_faults *f, char *err)
{
    g_free(f->inject->err);
    f->inject->err = err;
    return !err;
}

static bool inject_load(void *opaque, const char *text)
{
    struct envme_faults *f = opaque;
    char *err = NULL;
    GVariant *tree = f->world.parse(f->world.opaque, text, &err);

    if (tree) {
        g_variant_ref_sink(tree);
        envme_faults_load(f, tree, &err);
        g_variant_unref(tree);
    }
    return inject_fails(f, err);
}

static bool inject_arm(void *opaque, const char *rule, bool on)
{
    struct envme_faults *f = opaque;

    return inject_fails(f, fault_arm(f, rule, on) ? NULL :
                           g_strdup("there is no rule of this name"));
}

static void inject_activate(void *opaque, bool on)
{
    envme_faults_activate(opaque, on);
}

static char *inject_report(void *opaque)
{
    struct envme_faults *f = opaque;
    GVariant *report = envme_faults_report(f);
    char *text = f->world.print(f->world.opaque, report);

    g_variant_unref(report);
    return text;
}

static char *inject_rules_text(void *opaque)
{
    struct envme_faults *f = opaque;

    return f->tree ? f->world.print(f->world.opaque, f->tree)
                   : g_strdup("{}");
}

static const char *inject_error(void *opaque)
{
    struct envme_faults *f = opaque;

    return f->inject->err ? f->inject->err : "";
}

/* ---- made and freed ---------------------------------------------------- */

void fault_inject_new(struct envme_faults *f)
{
    if (!f->ctrl->params.fault_injection || !f->world.parse ||
        !f->world.print) {
        return;
    }
    f->inject = g_new0(struct fault_inject, 1);
    f->ctrl->inject = (struct envme_inject){
        .opaque = f, .set_errors = inject_set_errors,
        .get_errors = inject_get_errors, .load = inject_load,
        .arm = inject_arm, .activate = inject_activate,
        .report = inject_report, .rules = inject_rules_text,
        .error = inject_error,
    };
}

void fault_inject_free(struct envme_faults *f)
{
    if (f->inject) {
        f->ctrl->inject = (struct envme_inject){ 0 };
        g_free(f->inject->err);
        g_free(f->inject);
        f->inject = NULL;
    }
}

void fault_inject_forget(struct envme_faults *f)
{
    if (f->inject) {
        f->inject->n = 0;
    }
}
