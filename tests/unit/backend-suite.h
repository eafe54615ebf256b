/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conformance of a backend to hw/ns/backend.h, for any implementation that
 * can be made by a factory. The tests run under GLib's test framework.
 */
#ifndef ENVME_TESTS_BACKEND_SUITE_H
#define ENVME_TESTS_BACKEND_SUITE_H

#include <stdbool.h>
#include <stdint.h>

#include "hw/ns/backend.h"

struct backend_factory {
    const char *name;
    /* A backend of that size, all zeroes. It is closed by ops->close. */
    struct envme_backend *(*open)(const struct backend_factory *f,
                                  uint64_t size, bool read_only);
    /* Makes progress, on the thread that submitted; it may sleep a little.
     * NULL when nothing is ever pending. */
    void (*poll)(struct envme_backend *be);
    /* May other threads than this one submit? They poll for themselves. */
    bool threads;
    const void *opaque;
};

/* f must stay. Tests are named /backend/<name>/... */
void backend_suite_add(const struct backend_factory *f);

#endif
