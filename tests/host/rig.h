/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two controllers with three media whose power can go. A power cut is a new
 * subsystem with copies of the state file and of the media.
 */
#ifndef TESTS_HOST_RIG_H
#define TESTS_HOST_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "nsm.h"

#define NMEDIA 3
#define MEDIUM (256 * KIB)
#define NN 16
#define BLOCKS 8                /* of each namespace that are written */

static char *folder;
static unsigned serial;

struct rig {
    struct th *h[2];            /* controllers 0 and 1 */
    uint8_t *mem[NMEDIA];
    char *path;
    bool coarse;                /* one medium addresses sectors only */
    bool hold;                  /* the media are slow from the start */
    bool nguid_auto;
    const struct envme_state_ops *ops;
};

static inline void rig_start(struct rig *r)
{
    struct th_opts o = { .multi = true, .state = r->path, .nn = NN,
                         .state_ops = r->ops };

    for (unsigned i = 0; i < NMEDIA; i++) {
        o.ns[i] = (struct th_ns_opts){ .size = MEDIUM, .mem = r->mem[i],
                                       .hold = r->hold,
                                       .nguid_auto = r->nguid_auto,
                                       .align = i == 2 && r->coarse ?
                                                512 : 1 };
    }
    r->h[0] = th_new_(&o);
    r->h[1] = th_new(.peer = r->h[0]);
    for (unsigned i = 0; i < 2; i++) {
        th_enable(r->h[i]);
        th_queues(r->h[i], 1, 16);
    }
}

static inline void rig_stop(struct rig *r)
{
    th_free(r->h[1]);
    th_free(r->h[0]);
}

static inline void rig_new(struct rig *r)
{
    r->path = g_strdup_printf("%s/r%u", folder, serial++);
    for (unsigned i = 0; i < NMEDIA; i++) {
        r->mem[i] = g_malloc0(MEDIUM);
    }
    rig_start(r);
}

static inline void rig_drop(struct rig *r)
{
    g_assert_cmpint(g_remove(r->path), ==, 0);
    g_free(r->path);
    for (unsigned i = 0; i < NMEDIA; i++) {
        g_free(r->mem[i]);
    }
}

/* The power goes now: what was on its way is gone. */
static inline void rig_cut(struct rig *r)
{
    struct rig old = *r;
    gsize len;
    char *data;

    g_assert(g_file_get_contents(old.path, &data, &len, NULL));
    r->path = g_strdup_printf("%s/r%u", folder, serial++);
    g_assert(g_file_set_contents(r->path, data, len, NULL));
    g_free(data);
    for (unsigned i = 0; i < NMEDIA; i++) {
        r->mem[i] = g_memdup2(old.mem[i], MEDIUM);
    }
    rig_stop(&old);
    rig_drop(&old);
    rig_start(r);
}

/* ---- what is on it ----------------------------------------------------- */

static inline uint32_t attached(struct th *h, uint32_t nsid)
{
    struct envme_ctrl_list *list = g_malloc(4096);
    uint32_t bits = 0;

    th_assert_sc(th_identify(h, ENVME_CNS_NS_CTRL_LIST, nsid, list), SUCCESS);
    for (unsigned i = 0; i < le16_get(list->num); i++) {
        bits |= 1u << le16_get(list->cntlid[i]);
    }
    g_free(list);
    return bits;
}

static inline void pattern(void *buf, size_t len, uint64_t seed)
{
    if (seed) {
        th_pattern(buf, len, seed);
    } else {
        memset(buf, 0, len);
    }
}

/* Where the metadata is not told apart, it is part of a block. */
static inline bool data_ok(struct th *h, uint32_t nsid, uint64_t seed)
{
    struct envme_ns *ns = envme_subsys_ns(h->subsys, nsid);
    size_t len = (size_t)BLOCKS * envme_ns_host_block(ns);
    size_t mlen = ns->extended ? 0 : (size_t)BLOCKS * ns->ms;
    uint8_t *data = g_malloc0(len), *md = g_malloc0(mlen + 1);
    uint8_t *want = g_malloc(MAX(len, mlen) + 1);
    bool ok;

    th_assert_sc(th_read(h, .nsid = nsid, .nlb = BLOCKS, .data = data,
                         .md = mlen ? md : NULL), SUCCESS);
    pattern(want, len, seed);
    ok = !memcmp(data, want, len);
    pattern(want, mlen, seed + !!seed);
    ok = ok && !memcmp(md, want, mlen);
    g_free(data);
    g_free(md);
    g_free(want);
    return ok;
}

static inline void data_write(struct th *h, uint32_t nsid, uint64_t seed)
{
    struct envme_ns *ns = envme_subsys_ns(h->subsys, nsid);
    size_t len = (size_t)BLOCKS * envme_ns_host_block(ns);
    size_t mlen = ns->extended ? 0 : (size_t)BLOCKS * ns->ms;
    uint8_t *data = g_malloc(len), *md = g_malloc(mlen + 1);

    pattern(data, len, seed);
    pattern(md, mlen, seed + 1);
    th_assert_sc(th_write(h, .nsid = nsid, .nlb = BLOCKS, .data = data,
                          .md = mlen ? md : NULL), SUCCESS);
    g_free(data);
    g_free(md);
}

/* Runs the tests, with a folder for their files. */
static inline int rig_main(void)
{
    int ret;

    folder = g_dir_make_tmp("envme-XXXXXX", NULL);
    g_assert_nonnull(folder);
    ret = g_test_run();
    g_rmdir(folder);
    g_free(folder);
    return ret;
}

#endif
