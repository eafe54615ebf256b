/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt messages that skip lane 0: a vector that lanes signal gets a way of
 * its own to whoever takes it (KVM's irqfd, memory), and any thread uses that
 * without a lock. The way is closed while the message must not be sent (masked,
 * Bus Master off), and what was signalled just then goes the long way.
 *
 * Owner: the interrupt port. Threads: send on any, the rest on lane 0. A vector
 * has a way only once somebody has asked for it with send(): the first of those
 * there are that opens.
 */
#ifndef ENVME_CORE_SHORTCUT_H
#define ENVME_CORE_SHORTCUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct envme_shortcut_ops {
    /* Lane 0. Messages signalled from when it returns are delivered. False:
     * not this message. If none of the ways opens, the vector is not tried
     * again. */
    bool (*open)(void *opaque, unsigned vector);
    /* Lane 0. What is signalled from when it returns, and what was before and
     * not delivered, comes the long way: each at least once. */
    void (*close)(void *opaque, unsigned vector);
    /* Any thread, as long as the table exists; also while the way is being
     * closed, or is closed already. False: the caller takes the long way. */
    bool (*signal)(void *opaque, unsigned vector);
};

#define ENVME_SHORTCUT_WAYS 2

struct envme_shortcuts {
    struct envme_shortcut_way {
        const struct envme_shortcut_ops *ops;
        void *opaque;
        uint32_t nopen;         /* vectors that go this way; lane 0 */
    } way[ENVME_SHORTCUT_WAYS];
    unsigned nways;
    unsigned n;                 /* vectors; 0: nobody has a shortcut */
    _Atomic unsigned char *state;
};

void envme_shortcut_init(struct envme_shortcuts *t, unsigned n);
/* After those that are there already, before anybody looks. The ops are valid
 * until fini. */
void envme_shortcut_add(struct envme_shortcuts *t,
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
