/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file behind hw/ns/state.h: its format (docs/state.md), its lock, and
 * how it is replaced. Owner and threads: state.c, one caller at a time.
 */
#ifndef ENVME_NS_STATE_FILE_H
#define ENVME_NS_STATE_FILE_H

#include <sys/stat.h>

#include "hw/ns/state.h"

#define ENVME_STATE_MAGIC   "ENVMSTAT"
#define ENVME_STATE_VERSION 1
#define ENVME_STATE_IDENT   224         /* bytes of an NQN, NUL padded */
#define ENVME_STATE_HEADER  272         /* bytes */
#define ENVME_STATE_RECORD  12          /* bytes before a record's name */

struct envme_state_file {
    struct envme_state_ops ops;
    char *path;                 /* as given: for messages */
    char *name, *tmp;           /* in dir */
    char ident[ENVME_STATE_IDENT];
    int dir;                    /* stays valid after a chroot or chdir */
    int fd;                     /* the file as it is now; holds the lock */
    uint64_t writes;            /* ever, over all power cycles */
};

/* Records: a tree of name to GBytes. */
GTree *envme_state_tree_new(void);

/* All of it as bytes, or NULL when it is above ENVME_STATE_FILE_MAX. */
GByteArray *envme_state_encode(GTree *records, const char *ident,
                               uint64_t writes);
/* Fills records. Otherwise a sentence (g_free) that says what is wrong and
 * what to do, made to follow "state=PATH ". */
char *envme_state_decode(const uint8_t *buf, size_t len, const char *ident,
                         GTree *records, uint64_t *writes);

/* false and *err: as envme_state_open() says. */
bool envme_state_file_open(struct envme_state_file *f, const char *path,
                           const char *ident,
                           const struct envme_state_ops *ops, GTree *records,
                           char **err);
/* Replaces the file. 0 when that is durable, or a negative errno: the old or
 * the new contents are there. */
int envme_state_file_write(struct envme_state_file *f, const GByteArray *buf);
void envme_state_file_close(struct envme_state_file *f);

#endif
