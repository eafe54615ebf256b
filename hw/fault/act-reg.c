/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actions on accesses to registers, on doorbells, and on interrupts. */
#include "hw/fault/rules.h"

/* ---- value ------------------------------------------------------------- */

struct act_value {
    uint64_t value, set, clear;
    bool has_value;
};

static const struct envme_schema_row value_rows[] = {
    { "value", ENVME_SCHEMA_UINT, offsetof(struct act_value, value),
      offsetof(struct act_value, has_value),
      .help = "instead of the right one" },
    { "set", ENVME_SCHEMA_UINT, offsetof(struct act_value, set),
      .help = "bits that are 1" },
    { "clear", ENVME_SCHEMA_UINT, offsetof(struct act_value, clear),
      .help = "bits that are 0" },
};

static void value_change(const void *args, const struct fault_event *ev,
                         struct fault_change *c)
{
    const struct act_value *a = args;

    (void)ev;
    c->value = a->has_value ? a->value : c->value;
    c->value = (c->value & ~a->clear) | a->set;
}

/* ---- lose -------------------------------------------------------------- */

static void lose_change(const void *args, const struct fault_event *ev,
                        struct fault_change *c)
{
    (void)args;
    (void)ev;
    c->lost = true;
}

/* ---- interrupt --------------------------------------------------------- */

struct act_irq {
    uint64_t how, vector;
    bool has_vector;
};

static const struct envme_schema_name irq_hows[] = {
    { "right", ENVME_IRQ_RAISE }, { "lost", ENVME_IRQ_LOST },
    { "twice", ENVME_IRQ_TWICE }, { NULL, 0 },
};

static const struct envme_schema_row irq_rows[] = {
    { "how", ENVME_SCHEMA_UINT, offsetof(struct act_irq, how),
      .max = ENVME_IRQ_TWICE, .names = irq_hows, .help = "what becomes of it" },
    { "vector", ENVME_SCHEMA_UINT, offsetof(struct act_irq, vector),
      offsetof(struct act_irq, has_vector), .max = 2047,
      .help = "on which it comes" },
};

static void irq_change(const void *args, const struct fault_event *ev,
                       struct fault_change *c)
{
    const struct act_irq *a = args;

    (void)ev;
    c->how = a->how;
    c->vector = a->has_vector ? a->vector : c->vector;
}

/* ---- the table --------------------------------------------------------- */

const struct fault_action_row fault_actions_reg[] = {
    {
        .name = "value", .scalar = "value",
        .on = FAULT_BIT(FAULT_ON_REGISTER) | FAULT_BIT(FAULT_ON_DOORBELL),
        .help = "Another value is read or written.",
        .schema = { "value", "", ENVME_SCHEMA_ROWS(value_rows) },
        .size = sizeof(struct act_value), .change = value_change,
    },
    {
        .name = "lose",
        .on = FAULT_BIT(FAULT_ON_REGISTER) | FAULT_BIT(FAULT_ON_DOORBELL),
        .help = "The write never arrives.",
        .change = lose_change,
    },
    {
        .name = "interrupt", .scalar = "how",
        .on = FAULT_BIT(FAULT_ON_INTERRUPT),
        .help = "The interrupt is lost, comes twice, or on another vector.",
        .schema = { "interrupt", "", ENVME_SCHEMA_ROWS(irq_rows) },
        .size = sizeof(struct act_irq), .change = irq_change,
    },
    { 0 },
};
