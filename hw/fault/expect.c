/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a host must do after a fault, or must not. */
#include <string.h>

#include "envme/reg.h"
#include "hw/fault/rules.h"

struct expect_name {
    const char *name;
    enum fault_on on;
    uint64_t what;
};

static const struct expect_name expect_names[] = {
    { "enable", FAULT_ON_STATE, 1 << ENVME_STATE_ENABLE },
    { "reset", FAULT_ON_STATE, 1 << ENVME_STATE_RESET },
    { "shutdown", FAULT_ON_STATE, 1 << ENVME_STATE_SHUTDOWN },
};

static bool expect_parse(struct envme_schema_ctx *ctx, const char *text,
                         struct fault_step *step)
{
    uint64_t what;

    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(expect_names); i++) {
        if (strcmp(expect_names[i].name, text) == 0) {
            step->on = expect_names[i].on;
            step->what = expect_names[i].what;
            return true;
        }
    }
    if (strcmp(text, "admin:any") == 0 || strcmp(text, "io:any") == 0) {
        step->on = FAULT_ON_COMMAND;
        step->is_admin = text[0] == 'a';
        step->any = true;
        return true;
    }
    if (g_str_has_prefix(text, "reg:") &&
        fault_name_register(ctx->arg, text + 4, &what)) {
        step->on = FAULT_ON_REGISTER;
        step->what = what;
        return true;
    }
    if (fault_name_opcode(ctx->arg, text, &what)) {
        step->on = FAULT_ON_COMMAND;
        step->is_admin = what & FAULT_OPC_ADMIN;
        step->what = what & 0xff;
        return true;
    }
    return envme_schema_fail(ctx, "'%s' is nothing that a host can be expected "
                             "to do; \"admin:NAME\", \"io:NAME\" (or any), "
                             "\"reg:NAME\" (a write), \"enable\", \"reset\" "
                             "and \"shutdown\" are", text);
}

static bool expect_one(struct envme_schema_ctx *ctx, GVariant *v, size_t index,
                       void *steps)
{
    struct fault_step step = { 0 };
    const char *text = envme_schema_text(v);

    (void)index;
    if (!text) {
        return envme_schema_fail(ctx, "a string, or a list of strings, is "
                                 "wanted");
    }
    if (!expect_parse(ctx, text, &step)) {
        return false;
    }
    step.text = g_strdup(text);
    g_array_append_vals(steps, &step, 1);
    return true;
}

bool fault_read_steps(struct envme_schema_ctx *ctx, GVariant *v, void *field)
{
    GArray **to = field, *steps = g_array_new(FALSE, FALSE,
                                              sizeof(struct fault_step));
    bool ok;

    if (g_variant_is_of_type(v, G_VARIANT_TYPE_ARRAY) &&
        !g_variant_is_of_type(v, G_VARIANT_TYPE_DICTIONARY)) {
        ok = envme_schema_each(ctx, v, expect_one, steps);
    } else {
        ok = expect_one(ctx, v, 0, steps);
    }
    if (ok && !steps->len) {
        ok = envme_schema_fail(ctx, "the list is empty");
    }
    fault_steps_free(*to);
    *to = ok ? steps : NULL;
    if (!ok) {
        fault_steps_free(steps);
    }
    return ok;
}

void fault_steps_free(GArray *steps)
{
    for (unsigned i = 0; steps && i < steps->len; i++) {
        g_free(g_array_index(steps, struct fault_step, i).text);
    }
    if (steps) {
        g_array_free(steps, TRUE);
    }
}

bool fault_step_is(const struct fault_step *step, const struct fault_event *ev)
{
    if (step->on != ev->on) {
        return false;
    }
    switch (ev->on) {
    case FAULT_ON_COMMAND:
        return ev->cmd->is_admin == step->is_admin &&
               (step->any || ev->cmd->sqe.opc == step->what);
    case FAULT_ON_REGISTER:
        return ev->is_write && ev->reg == step->what;
    case FAULT_ON_STATE:
        return ev->state & step->what;
    default:
        return false;
    }
}
