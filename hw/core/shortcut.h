/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt messages that skip lane 0: a vector that lanes signal gets a way of
 * its own to whoever delivers it (KVM's irqfd), and any thread uses that
 * without a lock. The way is closed while the message must not be sent (masked,
 * Bus Master off), and what was signalled just then goes the long way.
 *
 * Owner: the interrupt port. Threads: send on any, the rest on lane 0. A vector
 * has a way only once somebody has asked for it with send().
 */
#ifndef ENVME_CORE_SHORTCUT_H
#define ENVME_CORE_SHORTCUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct envme_shortcut_ops {
    /* Lane 0. Messages signalled from when it returns are delivered. False:
     * there can be none for this vector, ever. */
    bool (*open)(void *opaque, unsigned vector);
    /* Lane 0. What is signalled from when it returns, and what was before and
     * not delivered, comes the long way: each at least once. */
    void (*close)(void *opaque, unsigned vector);
    /* Any thread, as long as the table exists; also while the way is being
     * closed, or is closed already. */
    void (*signal)(void *opaque, unsigned vector);
};

struct envme_shortcuts {
    const struct envme_shortcut_ops *ops;
    void *opaque;
    unsigned n;                 /* vectors; 0: nobody has a shortcut */
    uint32_t nopen;             /* lane 0 */
    _Atomic unsigned char *state;
};

/* The ops are valid until fini. */
void envme_shortcut_init(struct envme_shortcuts *t, unsigned n,
                         const struct envme_shortcut_ops *ops, void *opaque);
/* Closes what is open; nobody sends any more. All zero is fine. */
void envme_shortcut_fini(struct envme_shortcuts *t);

/* True: signalled. False: the caller sends the message itself; lane 0 should
 * look() then. */
bool envme_shortcut_send(struct envme_shortcuts *t, unsigned vector);
/* May the message be sent now? Opens or closes the way, if there is to be
 * one. */
void envme_shortcut_look(struct envme_shortcuts *t, unsigned vector, bool may);

#endif
