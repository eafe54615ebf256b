/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fake host with fault rules: JSON comes from json-glib here, as it comes
 * from QEMU's own reader in the product.
 */
#ifndef TESTS_HOST_TH_FAULT_H
#define TESTS_HOST_TH_FAULT_H

#include "hw/fault/fault.h"
#include "th.h"

/* A tree of JSON text, in which ' stands for ". */
GVariant *tf_json(const char *text);
GVariant *tf_json_text(const char *text);
/* JSON for rules that come from the host under test itself. */
extern const struct envme_fault_world tf_world;
/* Loads rules: the text of the list's inside. Has to be right. */
void tf_rules(struct envme_faults *f, const char *rules);
/* Loads a rule that does at once what is inside its "do". */
void tf_now(struct th *h, struct envme_faults *f, const char *todo);
/* Has this done without a rule, beside those that are loaded. */
void tf_more(struct th *h, struct envme_faults *f, const char *todo);
/* Takes the rules off their controller, which goes on; and with a reset
 * before it and the end of the host after it. */
void tf_free(struct th *h, struct envme_faults *f);
void tf_done(struct th *h, struct envme_faults *f);
/* What is wrong with a whole file; g_free. */
char *tf_wrong(struct envme_faults *f, const char *file);
/* A number, string or boolean of a rule in the report; fatal if not there. */
gint64 tf_count(struct envme_faults *f, const char *rule, const char *field);
char *tf_text(struct envme_faults *f, const char *rule, const char *field);
/* The report's own verdict; g_free. */
char *tf_verdict(struct envme_faults *f);

#define tf_assert_text(f, rule, field, want)                \
    do {                                                    \
        g_autofree char *tf_t_ = tf_text(f, rule, field);   \
        g_assert_cmpstr(tf_t_, ==, want);                   \
    } while (0)

#endif
