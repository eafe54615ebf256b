/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include <sys/mman.h>

#include "hw/pci/pci.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "qemu/units.h"
#if __has_include("system/ramblock.h")
#include "system/ramblock.h"
#else
#include "exec/ramblock.h"
#endif
#if __has_include("exec/cpu-common.h")
#include "exec/cpu-common.h"
#endif

#include "hw/qemu/dev.h"

/* ---- the ports --------------------------------------------------------- */

/* Code translated from it has to go, as with any write to memory. */
static void qcmem_written(void *opaque, uint64_t off, uint64_t len)
{
    struct envme_qregion *r = opaque;
    char *host = (char *)memory_region_get_ram_ptr(r->mr) + off;

    RCU_READ_LOCK_GUARD();
    if (!envme_compat_is_told(r->mr, memory_region_get_ram_addr(r->mr) + off,
                              len)) {
        memory_region_ref(r->mr);
        address_space_unmap(r->as, host, len, true, len);
    }
}

static void qcmem_show(void *opaque, bool on)
{
    struct envme_qregion *r = opaque;

    memory_region_set_enabled(&r->own, on);
}

static int qcmem_sync(void *opaque)
{
    struct envme_qregion *r = opaque;

    if (r->is_shared_file &&
        msync(memory_region_get_ram_ptr(r->mr), memory_region_size(r->mr),
              MS_SYNC)) {
        return -errno;
    }
    return 0;
}

struct qcmem_flush {
    struct envme_qregion *r;
    void (*done)(void *arg, int err);
    void *arg;
    int err;
};

static void qcmem_flushed(void *opaque)
{
    struct qcmem_flush *f = opaque;

    f->done(f->arg, f->err);
    g_free(f);
}

static void *qcmem_flush_thread(void *opaque)
{
    struct qcmem_flush *f = opaque;

    f->err = qcmem_sync(f->r);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), qcmem_flushed, f);
    return NULL;
}

static void qcmem_flush(void *opaque, void (*done)(void *arg, int err),
                        void *arg)
{
    struct qcmem_flush *f = g_new(struct qcmem_flush, 1);
    QemuThread thread;

    *f = (struct qcmem_flush) { .r = opaque, .done = done, .arg = arg };
    qemu_thread_create(&thread, "envme-pmr", qcmem_flush_thread, f,
                       QEMU_THREAD_DETACHED);
}

static void qcmem_port(struct envme_qregion *r, struct envme_region *port)
{
    *port = (struct envme_region) {
        .opaque = r,
        .base = memory_region_get_ram_ptr(r->mr),
        .size = memory_region_size(r->mr),
        .read_only = memory_region_is_rom(r->mr) || r->mr->readonly,
        .written = qcmem_written,
    };
}

/* ---- the BARs ---------------------------------------------------------- */

/* What a read returns while nothing is there; nobody hears of a write. */
static uint64_t qcmem_off_read(void *opaque, hwaddr off, unsigned size)
{
    (void)opaque;
    (void)off;
    (void)size;
    return UINT64_MAX;
}

static void qcmem_off_write(void *opaque, hwaddr off, uint64_t val,
                            unsigned size)
{
    (void)opaque;
    (void)off;
    (void)val;
    (void)size;
}

static const MemoryRegionOps qcmem_off_ops = {
    .read = qcmem_off_read,
    .write = qcmem_off_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static void qcmem_add_bar(EnvmeState *s, struct envme_qregion *r,
                          const char *name, unsigned bir)
{
    uint64_t size = pow2ceil(memory_region_size(r->mr));

    memory_region_init(&r->bar, OBJECT(s), name, size);
    memory_region_init_io(&r->off, OBJECT(s), &qcmem_off_ops, r, "envme-off",
                          size);
    memory_region_add_subregion_overlap(&r->bar, 0, &r->off, -1);
    memory_region_add_subregion(&r->bar, 0, &r->own);
    r->bir = bir;
    r->as = pci_get_address_space(&s->parent_obj);
    pci_register_bar(&s->parent_obj, bir,
                     PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64 |
                     PCI_BASE_ADDRESS_MEM_PREFETCH, &r->bar);
}

static bool qcmem_init_cmb(EnvmeState *s, Error **errp)
{
    const struct envme_ctrl_props *p = &s->props;
    uint64_t size = p->cmb_size ? p->cmb_size : (uint64_t)p->cmb_size_mb * MiB;
    struct envme_qregion *r = &s->cmb;

    if (!size) {
        return true;
    }
    if (!QEMU_IS_ALIGNED(size, 4 * KiB)) {
        error_setg(errp, "cmb-size=%" PRIu64 " is not a multiple of 4096; the "
                   "nearest valid value is %" PRIu64, size,
                   ROUND_UP(size, 4 * KiB));
        return false;
    }
    if (!memory_region_init_ram_nomigrate(&r->own, OBJECT(s), "envme-cmb",
                                          size, errp)) {
        return false;
    }
    r->mr = &r->own;
    qcmem_add_bar(s, r, "envme-cmb-bar", 2);
    qcmem_port(r, &s->ports.cmb);
    return true;
}

static bool qcmem_init_pmr(EnvmeState *s, Error **errp)
{
    HostMemoryBackend *be = s->props.pmrdev;
    struct envme_qregion *r = &s->pmr;
    const char *id;
    uint64_t size;
    MemoryRegion *mr;

    if (!be) {
        return true;
    }
    id = object_get_canonical_path_component(OBJECT(be));
    if (host_memory_backend_is_mapped(be)) {
        error_setg(errp, "pmrdev=%s is already in use: give each region its "
                   "own memory backend", id);
        return false;
    }
    mr = host_memory_backend_get_memory(be);
    size = memory_region_size(mr);
    if (!is_power_of_2(size) || size < 4 * KiB) {
        error_setg(errp, "pmrdev=%s has %" PRIu64 " bytes, not a power of two; "
                   "the nearest valid size is %" PRIu64, id, size,
                   pow2ceil(MAX(size, 4 * KiB)));
        return false;
    }
    if (s->props.msix_exclusive_bar && s->cmb.mr) {
        error_setg(errp, "pmrdev=%s and the controller memory buffer have the "
                   "BARs that msix-exclusive-bar=on wants; turn one of them "
                   "off", id);
        return false;
    }
    host_memory_backend_set_mapped(be, true);
    r->backend = be;
    r->mr = mr;
    r->is_shared_file = mr->ram_block && qemu_ram_get_fd(mr->ram_block) >= 0 &&
                        qemu_ram_is_shared(mr->ram_block);
    memory_region_init_alias(&r->own, OBJECT(s), "envme-pmr", mr, 0, size);
    memory_region_set_enabled(&r->own, false);
    qcmem_add_bar(s, r, "envme-pmr-bar", s->props.msix_exclusive_bar ? 2 : 4);
    qcmem_port(r, &s->ports.pmr);
    s->ports.pmr.show = qcmem_show;
    s->ports.pmr.sync = qcmem_sync;
    s->ports.pmr.flush = qcmem_flush;
    return true;
}

bool envme_qcmem_init(EnvmeState *s, Error **errp)
{
    return qcmem_init_cmb(s, errp) && qcmem_init_pmr(s, errp);
}

static void qcmem_fini(struct envme_qregion *r)
{
    /* A subregion holds a reference to us. */
    if (r->off.container) {
        memory_region_del_subregion(&r->bar, &r->own);
        memory_region_del_subregion(&r->bar, &r->off);
    }
    if (r->backend) {
        host_memory_backend_set_mapped(r->backend, false);
        r->backend = NULL;
    }
}

void envme_qcmem_fini(EnvmeState *s)
{
    qcmem_fini(&s->cmb);
    qcmem_fini(&s->pmr);
}

void envme_qcmem_bars(EnvmeState *s)
{
    pcibus_t at;

    if (s->props.legacy_cmb && s->cmb.mr) {
        at = pci_get_bar_addr(&s->parent_obj, s->cmb.bir);
        envme_ctrl_cmb_bar(s->ctrl, at == PCI_BAR_UNMAPPED ? UINT64_MAX : at);
    }
}
