/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Says in the file itself which QEMU the module was built for, so that
 * scripts/doctor can tell without loading it.
 */
#include "qemu/osdep.h"

extern const char envme_built_for[];

__attribute__((used, visibility("default")))
const char envme_built_for[] = "envme-built-for-qemu=" QEMU_VERSION;
