/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Are all the symbols there that this module takes from the program that has
 * loaded it? Looks only at the module's own dynamic section; calls no QEMU
 * function. Any thread, before anything else is used.
 */
#ifndef ENVME_QEMU_SYMBOLS_H
#define ENVME_QEMU_SYMBOLS_H

/* The name of one that is missing, or NULL. */
const char *envme_symbols_missing(void);

#endif
