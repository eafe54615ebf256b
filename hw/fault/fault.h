/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault injection: rules that say what shall go wrong, what the host must then
 * do, and a verdict. docs/faults.md is the manual.
 *
 * One struct envme_faults belongs to each controller, made before it is first
 * enabled and freed after it is disabled for good. It sets ctrl->hooks; as
 * long as no rule is armed, ctrl->watch is 0 and the controller pays one
 * branch at each point.
 *
 * Threads: everything declared here, lane 0. Rules are looked at by all lanes;
 * what they share is under a lock that only controllers with armed rules take.
 * Trees are GVariants as JSON gives them (see schema.h); who parses and prints
 * JSON is the composition root's affair.
 */
#ifndef ENVME_FAULT_FAULT_H
#define ENVME_FAULT_FAULT_H

#include <glib.h>

#include "hw/ctrl/powercut.h"

struct envme_faults;

/* What may be wrong with a controller's place on its bus. */
enum {
    /* The link is down: all ones are read, nothing is fetched or signalled,
     * and commands in flight are gone. A function that comes back has been
     * reset. */
    ENVME_BUS_LINK   = 1 << 0,
    ENVME_BUS_KEPT   = 1 << 1,  /* LINK: the slot still sees a card */
    /* The same, but nothing is reset and the link says nothing. */
    ENVME_BUS_HANG   = 1 << 2,
    ENVME_BUS_MASTER = 1 << 3,  /* as if Bus Master Enable were 0 */
};

/*
 * What a rule may do to the world outside the controller. Any may be NULL:
 * rules that need it are refused. Lane 0.
 */
struct envme_fault_world {
    void *opaque;
    /* The bus: what is wrong with it from now on, of what can be, bits
     * ENVME_BUS_*; and an error that it reports: false, there is none such. */
    unsigned bus_can;
    void (*bus)(void *opaque, unsigned wrong);
    bool (*bus_error)(void *opaque, bool correctable, uint32_t status);
    /* JSON: a tree (floating) or NULL and a sentence (g_free); and text
     * (g_free). Both, or the guest has no way to faults. */
    GVariant *(*parse)(void *opaque, const char *text, char **err);
    char *(*print)(void *opaque, GVariant *tree);
    /* What becomes of the machine after a power loss: "machine-reset",
     * "stop", "quit". */
    void (*machine)(void *opaque, const char *what);
    /* An image of a crash state in that directory. */
    void (*image)(void *opaque, const char *dir,
                  const struct envme_power_image *img);
    /* Calls fn(arg) once, soon, when images can be made. */
    void (*when_able)(void *opaque, void (*fn)(void *arg), void *arg);
};

struct envme_faults *envme_faults_new(struct envme_ctrl *ctrl,
                                      const struct envme_fault_world *world);
void envme_faults_free(struct envme_faults *f);

/*
 * Replaces all rules. On an error nothing has changed, and *err says in one
 * sentence which rule, which field, and what is allowed there (g_free).
 */
bool envme_faults_load(struct envme_faults *f, GVariant *tree, char **err);
/* The tree as it was loaded; a reference, or NULL. */
GVariant *envme_faults_tree(struct envme_faults *f);

/* Switched off, no rule matches and nothing is counted; switching on begins
 * with all counts at 0. */
void envme_faults_activate(struct envme_faults *f, bool on);
bool envme_faults_active(const struct envme_faults *f);

/* One rule; its counts begin at 0. false: there is none of that name. */
bool envme_faults_arm(struct envme_faults *f, const char *rule, bool on);

/*
 * Does something now, once, whatever the rules are: an object as in a rule's
 * "do", of actions that need no command, register or interrupt. As
 * envme_faults_load() on an error.
 */
bool envme_faults_do(struct envme_faults *f, GVariant *actions, char **err);

/* What has come of them: a full reference. */
GVariant *envme_faults_report(struct envme_faults *f);

/* Each event of a rule as one dictionary: any lane's thread, so the listener
 * has to get it to where it wants it. NULL: nobody. */
void envme_faults_listen(struct envme_faults *f,
                         void (*event)(void *opaque, GVariant *ev),
                         void *opaque);

/* The manual's reference, in Markdown; g_free. */
char *envme_faults_reference(void);

#endif
