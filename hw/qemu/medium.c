/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A namespace made from properties: medium, format, place in a subsystem. */
#include "hw/qemu/compat.h"

#include "block/aio-wait.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/units.h"
#include "system/block-backend.h"

#include "hw/admin/admin.h"
#include "hw/ns/vwc.h"
#include "hw/qemu/blk.h"
#include "hw/qemu/dev.h"

static void medium_changed(struct envme_backend *be, void *opaque)
{
    struct envme_medium *m = opaque;

    (void)be;
    if (!m->removing) {
        envme_subsys_ns_resized(m->subsys, m->ns);
    }
}

struct envme_medium *envme_medium_of(const struct envme_backend *be)
{
    return be->changed == medium_changed ? be->changed_opaque : NULL;
}

/* QEMU would take 512 for the physical size where the backend tells nothing,
 * and then say that the logical one is too large. */
static bool medium_block_sizes(BlockConf *conf, Error **errp)
{
    if (conf->logical_block_size > 512 && !conf->physical_block_size) {
        conf->physical_block_size = MAX(conf->logical_block_size, 4096);
    }
    if (conf->physical_block_size &&
        conf->physical_block_size < conf->logical_block_size) {
        error_setg(errp, "physical_block_size=%u is below "
                   "logical_block_size=%u; the nearest valid value is %u",
                   conf->physical_block_size, conf->logical_block_size,
                   conf->logical_block_size);
        return false;
    }
    return true;
}

static bool medium_open_drive(struct envme_medium *m,
                              struct envme_ns_params *p, Error **errp)
{
    BlockConf *conf = &m->conf;

    if (!blk_is_inserted(conf->blk)) {
        error_setg(errp, "drive=%s has no medium: give it a file or a node",
                   blk_name(conf->blk));
        return false;
    }
    if (!medium_block_sizes(conf, errp) || !blkconf_blocksizes(conf, errp) ||
        !blkconf_apply_backend_options(conf,
                                       !blk_supports_write_perm(conf->blk),
                                       true, errp)) {
        return false;
    }
    m->low = envme_blk_new(conf, errp);
    p->write_cache = blk_enable_write_cache(conf->blk);
    return m->low;
}

static bool medium_open_memdev(struct envme_medium *m,
                               struct envme_ns_params *p, Error **errp)
{
    BlockConf *conf = &m->conf;

    if (conf->rerror != BLOCKDEV_ON_ERROR_AUTO ||
        conf->werror != BLOCKDEV_ON_ERROR_AUTO ||
        conf->wce != ON_OFF_AUTO_AUTO || conf->share_rw) {
        error_setg(errp, "rerror, werror, write-cache and share-rw are for "
                   "drive=, memory given with memdev= has none of them");
        return false;
    }
    if (!medium_block_sizes(conf, errp)) {
        return false;
    }
    conf->logical_block_size = conf->logical_block_size ?: 512;
    conf->physical_block_size = conf->physical_block_size ?: 4096;
    m->low = envme_memdev_new(m->memdev, errp);
    p->write_cache = m->vwc_model;
    return m->low;
}

/* ---- the volatile write cache ------------------------------------------ */

#define VWC_SIZE (64u * MiB)

static void *vwc_here(void *opaque)
{
    (void)opaque;
    return qemu_get_current_aio_context();
}

static void vwc_go(void *opaque, void *where, void (*fn)(void *), void *arg)
{
    (void)opaque;
    aio_bh_schedule_oneshot(where, fn, arg);
}

static bool medium_check_vwc(const struct envme_medium *m, Error **errp)
{
    if (m->vwc_size && !m->vwc_model) {
        error_setg(errp, "vwc-size=%" PRIu64 " is for vwc-model=on",
                   m->vwc_size);
        return false;
    }
    if (m->vwc_size && m->vwc_size < ENVME_VWC_SIZE_MIN) {
        error_setg(errp, "vwc-size=%" PRIu64 " is too small; the nearest valid "
                   "value is %u", m->vwc_size, ENVME_VWC_SIZE_MIN);
        return false;
    }
    return true;
}

static void medium_add_vwc(struct envme_medium *m)
{
    const struct envme_vwc_exec exec = { NULL, vwc_here, vwc_go };

    m->be = m->vwc_model ? envme_vwc_new(m->low, m->vwc_size ?: VWC_SIZE,
                                         &exec)
                         : m->low;
}

static void medium_close_backend(struct envme_medium *m)
{
    m->be->ops->close(m->be);
    m->be = m->low = NULL;
    if (m->memdev) {
        envme_memdev_release(m->memdev);
    }
}

static const struct envme_iocs *medium_iocs(uint8_t csi)
{
    for (unsigned i = 0; i < envme_tables.niocs; i++) {
        if (envme_tables.iocs[i]->csi == csi) {
            return envme_tables.iocs[i];
        }
    }
    return NULL;
}

bool envme_medium_open(struct envme_medium *m, struct envme_ns_params *params,
                       struct envme_subsys *subsys, Error **errp)
{
    g_autofree char *err = NULL;

    m->removing = m->removed = false;
    if (m->conf.blk && m->memdev) {
        error_setg(errp, "drive= and memdev= exclude each other");
        return false;
    }
    if (!medium_check_vwc(m, errp) ||
        !(m->memdev ? medium_open_memdev(m, params, errp)
                    : medium_open_drive(m, params, errp))) {
        return false;
    }
    medium_add_vwc(m);
    params->logical_block = m->conf.logical_block_size;
    params->physical_block = m->conf.physical_block_size;
    params->min_io = m->conf.min_io_size;
    params->opt_io = m->conf.opt_io_size;
    if (m->conf.discard_granularity != UINT32_MAX) {
        params->discard_granularity = m->conf.discard_granularity;
    }
    m->ns = envme_ns_new(params, m->be, &err);
    if (m->ns) {
        m->ns->iocs = medium_iocs(params->csi);
        m->subsys = subsys;
        m->be->changed = medium_changed;
        m->be->changed_opaque = m;
        if (envme_subsys_add_ns(subsys, m->ns, &err)) {
            return true;
        }
        envme_ns_free(m->ns);
        m->ns = NULL;
    }
    error_setg(errp, "%s", err);
    medium_close_backend(m);
    return false;
}

static void medium_removed(void *arg)
{
    struct envme_medium *m = arg;

    m->removed = true;
    if (m->removed_fn) {
        m->removed_fn(m->removed_opaque);
    }
}

void envme_medium_remove(struct envme_medium *m, void (*fn)(void *opaque),
                         void *opaque)
{
    assert(!m->removing);
    m->removing = true;
    m->removed_fn = fn;
    m->removed_opaque = opaque;
    envme_subsys_remove_ns(m->subsys, m->ns, medium_removed, m);
}

void envme_medium_close(struct envme_medium *m)
{
    if (!m->ns) {
        return;
    }
    if (!m->removed && m->conf.blk) {
        /* Nobody will resume a machine that waits for us. */
        envme_blk_abandon(m->low);
    }
    m->removed_fn = NULL;
    if (!m->removing) {
        envme_medium_remove(m, NULL, NULL);
    }
    AIO_WAIT_WHILE_UNLOCKED(NULL, !m->removed);
    envme_ns_free(m->ns);
    m->ns = NULL;
    medium_close_backend(m);
}
