/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Crash states as images: qcow2 over the medium's own node, holding what is
 * different. docs/power-cut.md.
 *
 * The image is not opened with the medium behind it, which a device has for
 * itself; so clusters are made whole here, from what the medium has now.
 */
#include "hw/qemu/compat.h"

#include "block/block.h"
#include "block/block_int.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "qemu/main-loop.h"
#include "qemu/memalign.h"
#include "qobject/qdict.h"
#include "system/block-backend.h"

#include "hw/qemu/dev.h"

#define CRASH_CLUSTER 4096u

struct crash_image {
    BlockBackend *base, *over;
    int64_t size;
    uint8_t *buf;               /* a cluster */
    int64_t at;                 /* where it is from; -1: none */
};

static int crash_put(struct crash_image *c)
{
    if (c->at < 0) {
        return 0;
    }
    return blk_pwrite(c->over, c->at, MIN(CRASH_CLUSTER, c->size - c->at),
                      c->buf, 0);
}

/* buf becomes the cluster that has this byte. */
static int crash_get(struct crash_image *c, int64_t offset)
{
    int64_t at = QEMU_ALIGN_DOWN(offset, CRASH_CLUSTER);
    int ret;

    if (c->at == at) {
        return 0;
    }
    ret = crash_put(c);
    if (ret < 0) {
        return ret;
    }
    c->at = at;
    return blk_pread(c->base, at, MIN(CRASH_CLUSTER, c->size - at), c->buf, 0);
}

static int crash_piece(struct crash_image *c,
                       const struct envme_crash_piece *p,
                       const struct envme_vwc_rec *rec)
{
    for (uint64_t at = p->offset; at < p->offset + p->bytes; ) {
        uint64_t in = at % CRASH_CLUSTER;
        uint64_t n = MIN(CRASH_CLUSTER - in, p->offset + p->bytes - at);
        int ret = crash_get(c, at);

        if (ret < 0) {
            return ret;
        }
        if (rec->data) {
            memcpy(c->buf + in, rec->data + (at - rec->offset), n);
        } else {
            memset(c->buf + in, 0, n);
        }
        at += n;
    }
    return 0;
}

static bool crash_fill(struct crash_image *c,
                       const struct envme_power_image *img, Error **errp)
{
    int ret = 0;

    c->buf = blk_blockalign(c->over, CRASH_CLUSTER);
    c->at = -1;
    for (unsigned i = 0; ret >= 0 && i < img->pieces->len; i++) {
        const struct envme_crash_piece *p =
            &g_array_index(img->pieces, struct envme_crash_piece, i);

        ret = crash_piece(c, p, &img->view->rec[p->rec]);
    }
    if (ret >= 0) {
        ret = crash_put(c);
    }
    if (ret >= 0) {
        ret = blk_flush(c->over);
    }
    qemu_vfree(c->buf);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "cannot write the image");
    }
    return ret >= 0;
}

/* How another program would name the medium, from anywhere. */
static char *crash_base_name(BlockDriverState *bs, const char **format,
                             Error **errp)
{
    GRAPH_RDLOCK_GUARD_MAINLOOP();
    bdrv_refresh_filename(bs);
    if (!bs->filename[0]) {
        error_setg(errp, "the drive has no name that an image could have");
        return NULL;
    }
    *format = bdrv_get_format_name(bs);
    return path_has_protocol(bs->filename)
           ? g_strdup(bs->filename)
           : g_canonicalize_filename(bs->filename, NULL);
}

static bool crash_create(BlockBackend *base, const char *name, int64_t size,
                         Error **errp)
{
    g_autofree char *options = g_strdup_printf("cluster_size=%u",
                                               CRASH_CLUSTER);
    const char *format;
    g_autofree char *base_name = crash_base_name(blk_bs(base), &format, errp);
    Error *err = NULL;

    if (!base_name) {
        return false;
    }
    /* The size is given, so that the base is not opened for it. */
    bdrv_img_create(name, "qcow2", base_name, format, options, size,
                    BDRV_O_NO_BACKING, true, &err);
    error_propagate(errp, err);
    return !err;
}

bool envme_crash_image(const char *dir, const struct envme_power_image *img,
                       Error **errp)
{
    const struct envme_medium *m = envme_medium_of(img->be);
    g_autofree char *leaf = g_strdup_printf("ns%u-%04u.qcow2", img->nsid,
                                            img->index);
    g_autofree char *name = g_build_filename(dir, leaf, NULL);
    struct crash_image c = { .base = m ? m->conf.blk : NULL };
    QDict *options;
    bool ok;

    if (!c.base) {
        error_setg(errp, "images are made of drive=, not of memory");
        return false;
    }
    c.size = blk_getlength(c.base);
    if (!crash_create(c.base, name, c.size, errp)) {
        return false;
    }
    options = qdict_new();
    qdict_put_str(options, "driver", "qcow2");
    /* There may be thousands, and the machine waits: they are complete, but
     * nobody needs them after a crash of the host. */
    c.over = blk_new_open(name, NULL, options, BDRV_O_RDWR |
                          BDRV_O_NO_BACKING | BDRV_O_NO_FLUSH, errp);
    if (!c.over) {
        return false;
    }
    ok = crash_fill(&c, img, errp);
    blk_unref(c.over);
    return ok;
}

/* ---- when -------------------------------------------------------------- */

struct crash_wait {
    QEMUTimer timer;
    void (*fn)(void *arg);
    void *arg;
};

/* Somebody may wait just now for all requests to end, in a loop of his own
 * that has called us; one that we made then would not begin before he is done. */
static bool crash_drained(void)
{
    for (BlockDriverState *bs = NULL; (bs = bdrv_next_node(bs)); ) {
        if (qatomic_read(&bs->quiesce_counter)) {
            return true;
        }
    }
    return false;
}

static void crash_try(void *opaque)
{
    struct crash_wait *w = opaque;

    if (crash_drained()) {
        timer_mod(&w->timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + 1);
        return;
    }
    w->fn(w->arg);
    timer_deinit(&w->timer);
    g_free(w);
}

void envme_crash_when_able(void (*fn)(void *arg), void *arg)
{
    struct crash_wait *w = g_new(struct crash_wait, 1);

    w->fn = fn;
    w->arg = arg;
    aio_timer_init(qemu_get_aio_context(), &w->timer, QEMU_CLOCK_REALTIME,
                   SCALE_MS, crash_try, w);
    timer_mod(&w->timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME));
}
