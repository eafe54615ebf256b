/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files that run rules share: verdict.c, hooks.c, set.c, load.c.
 *
 * Threads: what is said to be under the lock wants faults.lock held; all else
 * takes it itself. Times are ns of the controller's clock.
 */
#ifndef ENVME_FAULT_ENGINE_H
#define ENVME_FAULT_ENGINE_H

#include "hw/fault/rules.h"

/* What a rule that has fired leaves for lane 0. */
struct fault_todo {
    struct fault_rule *rule;    /* counted */
    const struct fault_action *action;
};

/* ---- verdict.c: under the lock ----------------------------------------- */

/* Tells the listener, in the order in which things happen. ev may be NULL. */
void fault_tell(struct envme_faults *f, const char *what,
                const struct fault_rule *r, uint64_t now,
                const struct fault_event *ev);
/* Takes why. */
void fault_failed(struct envme_faults *f, struct fault_rule *r, uint64_t now,
                  const struct fault_event *ev, char *why);
/* The host has done something while r waits for it. */
void fault_observe(struct envme_faults *f, struct fault_rule *r, uint64_t now,
                   const struct fault_event *ev);
/* The time of r's expectation is over. */
void fault_expire(struct envme_faults *f, struct fault_rule *r, uint64_t now);

/* ---- set.c ------------------------------------------------------------- */

/* Under the lock. */
void fault_update_watch(struct envme_faults *f);
void fault_arm_rule(struct envme_faults *f, struct fault_rule *r, bool on,
                    uint64_t now);
/* Lane 0 is to do what there is to do, and to look at the time again. */
void fault_kick(struct envme_faults *f);
/*
 * Something has happened. Returns the rules that fired, counted, or NULL. The
 * expectations see it first: what sets off a rule is not what it waits for.
 */
GPtrArray *fault_event_seen(struct envme_faults *f,
                            const struct fault_event *ev);
/* What the actions of these rules make of it; frees them. */
void fault_change_of(GPtrArray *fired, const struct fault_event *ev,
                     struct fault_change *c);
/* Lane 0. */
void fault_run_todo(struct envme_faults *f);
void fault_rearm(struct envme_faults *f);
void fault_due(struct envme_deadline *d);

/* ---- act-bus.c: lane 0 ------------------------------------------------- */

/* What is over ends; when the next one is: ns, or UINT64_MAX. */
uint64_t fault_bus_tick(struct envme_faults *f, uint64_t now);
/* All of it ends. */
void fault_bus_clear(struct envme_faults *f);

/* ---- dma.c ------------------------------------------------------------- */

/* f->dma is made; which of the two the controller is to use. */
void fault_dma_init(struct envme_faults *f);
void fault_dma_watch(struct envme_faults *f, bool on);
/* The rule may make a command late whose transfers it looks at. */
bool fault_may_slow(const struct fault_rule *r);
/* A command has been fetched. NULL, or a rule, counted, that may make it late:
 * fault_dma_slowed stands for what that does to the command. */
struct fault_rule *fault_dma_slows(struct envme_faults *f);
extern const struct fault_action fault_dma_slowed;

/* ---- hooks.c ----------------------------------------------------------- */

/* The controller's hooks lead here. */
void fault_hook(struct envme_faults *f);

#endif
