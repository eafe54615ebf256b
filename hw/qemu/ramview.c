/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/ramview.h"

#include "qemu/int128.h"

static void ramtable_free(struct envme_ramtable *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        memory_region_unref(t->ram[i].mr);
    }
    g_free(t->ram);
    g_free(t);
}

static void ramview_begin(MemoryListener *listener)
{
    struct envme_ramview *v = container_of(listener, struct envme_ramview,
                                           listener);

    v->next = g_new0(struct envme_ramtable, 1);
    v->changed = false;
}

static void ramview_del(MemoryListener *listener, MemoryRegionSection *section)
{
    struct envme_ramview *v = container_of(listener, struct envme_ramview,
                                           listener);

    (void)section;
    v->changed = true;
}

/* Regions come in ascending order, those that have not changed too. */
static void ramview_add(MemoryListener *listener, MemoryRegionSection *section)
{
    struct envme_ramview *v = container_of(listener, struct envme_ramview,
                                           listener);
    struct envme_ramtable *t = v->next;
    MemoryRegion *mr = section->mr;
    struct envme_ram *r;

    v->changed = true;
    if (envme_ramview_is_own(v, mr) || !memory_region_is_ram(mr) ||
        memory_region_is_ram_device(mr) ||
        memory_region_is_rom(mr) || section->readonly || mr->rom_device ||
        !int128_nz(section->size)) {
        return;
    }
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 8;
        t->ram = g_renew(struct envme_ram, t->ram, t->cap);
    }
    r = &t->ram[t->n++];
    r->start = section->offset_within_address_space;
    r->last = r->start + (int128_get64(section->size) - 1);
    r->host = (char *)memory_region_get_ram_ptr(mr) +
              section->offset_within_region;
    r->mr = mr;
    r->owner = mr->owner;
    r->at = memory_region_get_ram_addr(mr) + section->offset_within_region;
    memory_region_ref(mr);
}

static uint64_t ram_size_of(const struct envme_ram *r)
{
    return r->last - r->start;
}

static void ramtable_find_big(struct envme_ramtable *t)
{
    static const struct envme_ram none = { .start = UINT64_MAX };
    const struct envme_ram **big = t->big;

    big[0] = big[1] = &none;
    for (unsigned i = 0; i < t->n; i++) {
        const struct envme_ram *r = &t->ram[i];

        if (big[0] == &none || ram_size_of(r) > ram_size_of(big[0])) {
            big[1] = big[0];
            big[0] = r;
        } else if (big[1] == &none || ram_size_of(r) > ram_size_of(big[1])) {
            big[1] = r;
        }
    }
}

static void ramview_publish(struct envme_ramview *v, struct envme_ramtable *t)
{
    struct envme_ramtable *old = v->table;

    if (t) {
        ramtable_find_big(t);
    }
    qatomic_rcu_set(&v->table, t);
    if (old) {
        call_rcu(old, ramtable_free, rcu);
    }
}

static void ramview_commit(MemoryListener *listener)
{
    struct envme_ramview *v = container_of(listener, struct envme_ramview,
                                           listener);
    struct envme_ramtable *t = v->next;

    v->next = NULL;
    if (!t) {
        return;
    }
    if (v->changed) {
        ramview_publish(v, t);
    } else {
        /* Another address space's affair. */
        ramtable_free(t);
    }
}

bool envme_ramview_is_own(const struct envme_ramview *v, MemoryRegion *mr)
{
    return memory_region_owner(mr) == v->owner || (v->own && mr == v->own);
}

void envme_ramview_init(struct envme_ramview *v, AddressSpace *as,
                        Object *owner, const MemoryRegion *own)
{
    v->owner = owner;
    v->own = own;
    v->listener = (MemoryListener) {
        .begin = ramview_begin,
        .commit = ramview_commit,
        .region_add = ramview_add,
        .region_nop = ramview_add,
        .region_del = ramview_del,
        .name = "envme",
    };
    memory_listener_register(&v->listener, as);
}

void envme_ramview_fini(struct envme_ramview *v)
{
    if (v->listener.begin) {
        memory_listener_unregister(&v->listener);
        ramview_publish(v, NULL);
        v->listener.begin = NULL;
    }
}

const struct envme_ram *envme_ramtable_search(const struct envme_ramtable *t,
                                              uint64_t addr)
{
    unsigned lo = 0, hi = t->n;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        const struct envme_ram *r = &t->ram[mid];

        if (addr < r->start) {
            hi = mid;
        } else if (addr > r->last) {
            lo = mid + 1;
        } else {
            return r;
        }
    }
    return NULL;
}

/* By far most machines have fewer than this. */
#define RAMVIEW_LOOK 16

const struct envme_ram *envme_ramtable_search_host(
    const struct envme_ramtable *t, const void *ptr, size_t len)
{
    for (unsigned i = 0; i < t->n && i < RAMVIEW_LOOK; i++) {
        if (envme_ram_has_host(&t->ram[i], ptr, len)) {
            return &t->ram[i];
        }
    }
    return NULL;
}
