/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake host: guest memory with the dma port, and the irq port.
 *
 * A map is a heap copy by default, with the guest's bytes in it, and what is
 * written comes back at unmap: a sanitizer then sees each access before the
 * map, after the unmap or outside of it. In threads mode everything here must
 * not order one lane after another, or it would hide the controller's own
 * races: so no locks, and relaxed counters.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "th-int.h"

#define MAP_MAGIC 0x6d61704562656576ull

struct map_hdr {
    uint64_t magic;
    uint64_t addr;
    uint64_t len;
    uint64_t is_write;
};

/* The n-th call fails. */
static int mem_hit(struct th *h, enum th_at at)
{
    unsigned n = atomic_fetch_add_explicit(&h->calls[at], 1,
                                           memory_order_relaxed) + 1;

    if (atomic_load_explicit(&h->fail_at[at], memory_order_relaxed) == n) {
        atomic_fetch_add_explicit(&h->failed[at], 1, memory_order_relaxed);
        return atomic_load_explicit(&h->fail_err[at], memory_order_relaxed);
    }
    return 0;
}

int th_hit(struct th *h, enum th_at at)
{
    return mem_hit(h, at);
}

static bool mem_in(uint64_t addr, uint64_t len, uint64_t base, uint64_t size)
{
    return addr >= base && addr - base < size && len <= size - (addr - base);
}

static bool mem_overlaps(uint64_t addr, uint64_t len, uint64_t base,
                         uint64_t size)
{
    return addr < base + size && (addr >= base || len > base - addr);
}

static uint64_t mem_bar_size(struct th *h)
{
    uint64_t n = ENVME_REG_DBS + envme_ctrl_doorbell_bytes(&h->params);

    return (n + 4095) & ~4095ull;
}

/* Plain memory at addr: a pointer, and up to *len bytes of it. */
static uint8_t *mem_ram(struct th *h, uint64_t addr, uint64_t *len)
{
    uint64_t end;
    uint8_t *p;

    if (addr < TH_HOLE_BASE) {
        end = TH_HOLE_BASE;
        p = h->ram + addr;
    } else if (addr >= TH_HOLE_BASE + TH_HOLE_SIZE && addr < TH_RAM_SIZE) {
        end = TH_RAM_SIZE;
        p = h->ram + addr;
    } else if (addr >= TH_LOW_BASE && addr < TH_LOW_BASE + TH_LOW_SIZE) {
        end = TH_LOW_BASE + TH_LOW_SIZE;
        p = h->low + (addr - TH_LOW_BASE);
    } else {
        return NULL;
    }
    *len = ENVME_MIN(*len, end - addr);
    return p;
}

/* The device's own memory: what the CPU sees at an address. */
static uint8_t *mem_own(struct th *h, uint64_t addr, uint64_t len)
{
    if (mem_in(addr, len, TH_CMB_BASE, h->opts.cmb)) {
        return h->cmb + (addr - TH_CMB_BASE);
    }
    if (h->cmb_at && mem_in(addr, len, h->cmb_at, h->opts.cmb)) {
        return h->cmb + (addr - h->cmb_at);
    }
    if (mem_in(addr, len, TH_PMR_BASE, h->opts.pmr)) {
        return h->pmr + (addr - TH_PMR_BASE);
    }
    return NULL;
}

void *th_mem(struct th *h, uint64_t addr, uint64_t len)
{
    uint64_t n = len;
    uint8_t *p = mem_own(h, addr, len);

    if (p) {
        return p;
    }
    p = mem_ram(h, addr, &n);
    if (!p && mem_in(addr, len, TH_MMIO_BASE, TH_MMIO_SIZE)) {
        return h->mmio + (addr - TH_MMIO_BASE);
    }
    if (!p || n != len) {
        g_error("the test looks at %" PRIx64 " + %" PRIx64 ": not memory",
                addr, len);
    }
    return p;
}

void th_mem_put64(struct th *h, uint64_t addr, uint64_t v)
{
    le64_t x = le64(v);

    memcpy(th_mem(h, addr, 8), &x, 8);
}

static void mem_mark(struct th *h, uint64_t addr, uint64_t len)
{
    uint64_t a;

    if (!h->track_hits || addr >= TH_RAM_SIZE || !len) {
        return;
    }
    for (a = addr >> 12; a <= (addr + len - 1) >> 12; a++) {
        h->hit[a] = 1;
    }
}

/* What any access has to pass. */
static int mem_gate(struct th *h, const char *what, uint64_t addr,
                    uint64_t len)
{
    const char *why = atomic_load_explicit(&h->closed, memory_order_relaxed);

    if (why) {
        g_error("DMA %s at %" PRIx64 " + %" PRIx64 " %s", what, addr, len,
                why);
    }
    if (!len) {
        g_error("DMA %s of nothing at %" PRIx64, what, addr);
    }
    /* The order matters: see envme_ctrl_quiet(). */
    if (!atomic_load(&h->bme)) {
        atomic_fetch_add_explicit(&h->refused, 1, memory_order_relaxed);
        return -EBUSY;
    }
    if (addr + len < addr) {
        atomic_fetch_add_explicit(&h->bad_addr, 1, memory_order_relaxed);
        return -EIO;
    }
    if (h->window_hi && addr < TH_RAM_SIZE && len != 16 && len != 64 &&
        !mem_in(addr, len, h->window_lo, h->window_hi - h->window_lo)) {
        return -EIO;
    }
    if (mem_overlaps(addr, len, TH_BAR_BASE, mem_bar_size(h)) ||
        (h->cmb && mem_overlaps(addr, len, TH_CMB_BASE, h->opts.cmb)) ||
        (h->pmr && mem_overlaps(addr, len, TH_PMR_BASE, h->opts.pmr))) {
        atomic_fetch_add_explicit(&h->self_dma, 1, memory_order_relaxed);
        return -EACCES;
    }
    return 0;
}

/* The copy in and out of other devices and memory: all of it or nothing. */
static int mem_find(struct th *h, uint64_t addr, uint64_t len, uint8_t **p)
{
    uint64_t n = len;

    *p = mem_ram(h, addr, &n);
    if (*p && n == len) {
        return 0;
    }
    if (mem_in(addr, len, TH_MMIO_BASE, TH_MMIO_SIZE)) {
        if (th_lane_now != 0) {
            return -EAGAIN;
        }
        atomic_fetch_add_explicit(&h->mmio_ops, 1, memory_order_relaxed);
        *p = h->mmio + (addr - TH_MMIO_BASE);
        return 0;
    }
    atomic_fetch_add_explicit(&h->bad_addr, 1, memory_order_relaxed);
    return -EIO;
}

/* Time for the other side to do something after all: every n-th time. */
static void mem_dawdle(struct th *h, unsigned n, unsigned us)
{
    unsigned i = atomic_fetch_add_explicit(&h->loads, 1, memory_order_relaxed);

    if (i % (h->opts.brisk ? n * 64 : n) == 0) {
        g_usleep(us);
    }
}

/* Shadow doorbells are single dwords, and both sides look at them at will. */
static void mem_load(struct th *h, void *dst, const void *src, size_t len)
{
    uint32_t v;

    if (h->opts.threads && len == 4 && (uintptr_t)src % 4 == 0) {
        v = __atomic_load_n((const uint32_t *)src, __ATOMIC_SEQ_CST);
        memcpy(dst, &v, 4);
        mem_dawdle(h, 8, 10);
    } else {
        memcpy(dst, src, len);
    }
}

/* The host polls phase tags: the second half of a CQE is a release. */
static void mem_store(struct th *h, void *dst, const void *src, size_t len)
{
    uint64_t w[2];
    uint32_t v;

    if (h->opts.threads && len == 4 && (uintptr_t)dst % 4 == 0) {
        memcpy(&v, src, 4);
        __atomic_store_n((uint32_t *)dst, v, __ATOMIC_SEQ_CST);
        return;
    }
    if (!h->opts.threads || len != 16 || (uintptr_t)dst % 16) {
        memcpy(dst, src, len);
        return;
    }
    memcpy(w, src, 16);
    __atomic_store_n((uint64_t *)dst, w[0], __ATOMIC_RELAXED);
    __atomic_store_n((uint64_t *)dst + 1, w[1], __ATOMIC_RELEASE);
}

static int mem_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
    struct th *h = opaque;
    uint8_t *p;
    int err = mem_gate(h, "read", addr, len);

    if (!err) {
        err = mem_hit(h, TH_AT_READ);
    }
    if (!err) {
        err = mem_find(h, addr, len, &p);
    }
    if (err) {
        return err;
    }
    mem_load(h, buf, p, len);
    atomic_fetch_add_explicit(&h->dma_ops, 1, memory_order_relaxed);
    return 0;
}

static int mem_write(void *opaque, uint64_t addr, const void *buf, size_t len)
{
    struct th *h = opaque;
    uint8_t *p;
    int err = mem_gate(h, "write", addr, len);

    if (!err) {
        err = mem_hit(h, TH_AT_WRITE);
    }
    if (!err) {
        err = mem_find(h, addr, len, &p);
    }
    if (err) {
        return err;
    }
    mem_store(h, p, buf, len);
    mem_mark(h, addr, len);
    atomic_fetch_add_explicit(&h->dma_ops, 1, memory_order_relaxed);
    return 0;
}

/* Sum over what is mapped: 0 when each map had its own unmap. */
static uint64_t mem_hash(const void *ptr, uint64_t len)
{
    uint64_t x = (uintptr_t)ptr * 0x9e3779b97f4a7c15ull ^ len;

    x ^= x >> 29;
    return x * 0xbf58476d1ce4e5b9ull;
}

/* No memory of its own, as with map: whoever would depend on what he sees here
 * has to be found in some other way. */
static const void *mem_peek(void *opaque, uint64_t addr, size_t len)
{
    uint64_t n = len;
    const void *p = mem_ram(opaque, addr, &n);

    return n == len ? p : NULL;
}

static void *mem_map(void *opaque, uint64_t addr, size_t *len, bool is_write,
                     int *err)
{
    struct th *h = opaque;
    struct map_hdr *hdr;
    uint64_t n = *len;
    uint8_t *p;

    /* One byte is enough to be there; the length is cut. */
    *err = mem_gate(h, "map", addr, n > 64 ? 1 : n);
    if (!*err) {
        *err = mem_hit(h, TH_AT_MAP);
    }
    if (*err) {
        return NULL;
    }
    p = mem_ram(h, addr, &n);
    if (!p) {
        *err = mem_in(addr, 1, TH_MMIO_BASE, TH_MMIO_SIZE) ? -ENXIO : -EIO;
        return NULL;
    }
    if (h->opts.map_max) {
        n = ENVME_MIN(n, h->opts.map_max);
    }
    if (!h->opts.map_direct) {
        hdr = malloc(sizeof(*hdr) + n);
        g_assert(hdr);
        *hdr = (struct map_hdr){ MAP_MAGIC, addr, n, is_write };
        memcpy(hdr + 1, p, n);
        p = (uint8_t *)(hdr + 1);
    }
    if (h->opts.threads && n == 16) {
        /* A completion entry: Bus Master goes off in the midst. */
        mem_dawdle(h, 64, 20);
    }
    *len = n;
    atomic_fetch_add_explicit(&h->maps, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->map_sum, mem_hash(p, n),
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&h->dma_ops, 1, memory_order_relaxed);
    return p;
}

static void mem_unmap(void *opaque, void *ptr, size_t len, bool dirty)
{
    struct th *h = opaque;
    struct map_hdr *hdr;
    const char *why = atomic_load_explicit(&h->closed, memory_order_relaxed);
    uint64_t n = len;
    uint8_t *p;

    if (why) {
        g_error("unmap %s", why);
    }
    if (atomic_load_explicit(&h->bme_quiet, memory_order_relaxed)) {
        g_error("unmap while Bus Master is off and the controller quiet");
    }
    if (!atomic_fetch_sub_explicit(&h->maps, 1, memory_order_relaxed)) {
        g_error("unmap of what is not mapped");
    }
    atomic_fetch_sub_explicit(&h->map_sum, mem_hash(ptr, len),
                              memory_order_relaxed);
    if (h->opts.map_direct) {
        return;
    }
    hdr = (struct map_hdr *)ptr - 1;
    if (hdr->magic != MAP_MAGIC || hdr->len != len) {
        g_error("unmap of what was not mapped like this");
    }
    if (dirty && !hdr->is_write) {
        g_error("a read-only map was written");
    }
    if (dirty) {
        p = mem_ram(h, hdr->addr, &n);
        g_assert(p && n == len);
        mem_store(h, p, ptr, len);
        mem_mark(h, hdr->addr, len);
    }
    hdr->magic = 0;
    free(hdr);
}

/* ---- its own memory ---------------------------------------------------- */

static void own_show(void *opaque, bool on)
{
    struct th *h = opaque;

    g_assert_cmpuint(th_lane_now, ==, 0);
    h->pmr_shown = on;
}

static int own_sync(void *opaque)
{
    struct th *h = opaque;

    h->syncs++;
    return h->pmr_err;
}

static void own_flush(void *opaque, void (*done)(void *arg, int err),
                      void *arg)
{
    struct th *h = opaque;

    g_assert(!h->flush_done);
    h->flushes++;
    if (!h->flush_hold) {
        done(arg, h->pmr_err);
        return;
    }
    h->flush_done = done;
    h->flush_arg = arg;
}

void th_pmr_flushed(struct th *h)
{
    void (*done)(void *arg, int err) = h->flush_done;

    g_assert(done);
    h->flush_done = NULL;
    done(h->flush_arg, h->pmr_err);
}

uint64_t th_own(struct th *h, uint64_t bytes)
{
    uint64_t at = h->own_at;

    h->own_at += (MAX(bytes, 1) + h->page - 1) / h->page * h->page;
    memset(th_mem(h, at, h->own_at - at), 0, h->own_at - at);
    return at;
}

static bool own_is(struct th *h, uint64_t addr)
{
    return addr >= TH_RAM_SIZE && mem_own(h, addr, 1);
}

static void own_init(struct th *h)
{
    if (h->opts.cmb) {
        h->cmb = g_malloc0(h->opts.cmb);
        h->ports.cmb = (struct envme_region){
            .opaque = h, .base = h->cmb, .size = h->opts.cmb,
        };
    }
    if (h->opts.pmr) {
        h->pmr = g_malloc0(h->opts.pmr);
        h->ports.pmr = (struct envme_region){
            .opaque = h, .base = h->pmr, .size = h->opts.pmr,
            .read_only = h->opts.pmr_read_only, .show = own_show,
            .sync = own_sync, .flush = own_flush,
        };
    }
}

/* ---- irq --------------------------------------------------------------- */

static struct th_vec *irq_vec(struct th *h, unsigned vector, const char *what)
{
    const char *why = atomic_load_explicit(&h->closed, memory_order_relaxed);

    if (vector >= h->params.nvectors) {
        g_error("irq %s: vector %u", what, vector);
    }
    if (why && strcmp(what, "lower")) {
        g_error("irq %s %s", what, why);
    }
    return &h->vec[vector];
}

static void irq_raise(void *opaque, unsigned vector)
{
    atomic_fetch_add_explicit(&irq_vec(opaque, vector, "raise")->raised, 1,
                              memory_order_relaxed);
}

static void irq_pulse(void *opaque, unsigned vector)
{
    atomic_fetch_add_explicit(&irq_vec(opaque, vector, "pulse")->pulsed, 1,
                              memory_order_relaxed);
}

static void irq_lower(void *opaque, unsigned vector)
{
    struct th_vec *v = irq_vec(opaque, vector, "lower");

    if (atomic_fetch_add_explicit(&v->lowered, 1, memory_order_relaxed) >=
        atomic_load_explicit(&v->raised, memory_order_relaxed)) {
        g_error("vector %u lowered more often than raised", vector);
    }
}

static void irq_mask(void *opaque, uint32_t intms)
{
    struct th *h = opaque;

    atomic_store(&h->intms, intms);
    atomic_fetch_add(&h->irq_masks, 1);
}

static bool irq_is_level(void *opaque)
{
    return ((struct th *)opaque)->opts.intx;
}

static void irq_reset(void *opaque)
{
    struct th *h = opaque;
    unsigned i;

    for (i = 0; i < h->params.nvectors; i++) {
        atomic_store(&h->vec[i].raised, 0);
        atomic_store(&h->vec[i].lowered, 0);
    }
    atomic_fetch_add(&h->irq_resets, 1);
}

static void irq_stick(void *opaque, enum envme_pin pin)
{
    atomic_store(&((struct th *)opaque)->pin, pin);
}

static void irq_force(void *opaque, unsigned vector)
{
    atomic_fetch_add(&irq_vec(opaque, vector, "force")->forced, 1);
}

/* ---- pages ------------------------------------------------------------- */

void th_mem_init(struct th *h)
{
    h->ram = mmap(NULL, TH_RAM_SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    g_assert(h->ram != MAP_FAILED);
    h->mmio = g_malloc0(TH_MMIO_SIZE);
    h->low = g_malloc0(TH_LOW_SIZE);
    h->used = g_malloc0(TH_RAM_SIZE / 4096);
    memset(h->used + TH_HOLE_BASE / 4096, 2, TH_HOLE_SIZE / 4096);
    h->used[0] = 2;             /* address 0 is never a buffer by chance */
    h->page_hint = 1;
    own_init(h);
    h->ports.dma = (struct envme_dma){
        .opaque = h, .read = mem_read, .write = mem_write,
        .map = mem_map, .unmap = mem_unmap, .peek = mem_peek,
    };
    h->ports.irq = (struct envme_irq){
        .opaque = h, .raise = irq_raise, .pulse = irq_pulse,
        .lower = irq_lower, .mask = irq_mask, .reset = irq_reset,
        .is_level = irq_is_level, .stick = irq_stick, .force = irq_force,
    };
}

void th_mem_fini(struct th *h)
{
    munmap(h->ram, TH_RAM_SIZE);
    g_free(h->mmio);
    g_free(h->low);
    g_free(h->cmb);
    g_free(h->pmr);
    g_free(h->used);
}

static bool mem_free_run(struct th *h, unsigned first, unsigned n)
{
    unsigned i;

    if (first + n > TH_RAM_SIZE / 4096) {
        return false;
    }
    for (i = 0; i < n; i++) {
        if (h->used[first + i]) {
            return false;
        }
    }
    return true;
}

static uint64_t mem_take(struct th *h, unsigned first, unsigned n)
{
    memset(h->used + first, 1, n);
    memset(h->ram + first * 4096ull, 0, n * 4096ull);
    return first * 4096ull;
}

uint64_t th_alloc(struct th *h, uint64_t bytes)
{
    unsigned align = h->page / 4096, n, i, round;

    n = (MAX(bytes, 1) + h->page - 1) / h->page * align;
    for (round = 0; round < 2; round++) {
        for (i = (h->page_hint + align - 1) / align * align;
             i + n <= TH_RAM_SIZE / 4096; i += align) {
            if (mem_free_run(h, i, n)) {
                h->page_hint = i + n;
                return mem_take(h, i, n);
            }
        }
        h->page_hint = 1;
    }
    g_error("guest memory is full");
}

uint64_t th_alloc_scattered(struct th *h)
{
    unsigned align = h->page / 4096, i, tries;

    for (tries = 0; tries < 64; tries++) {
        i = th_random(h, TH_RAM_SIZE / h->page) * align;
        if (mem_free_run(h, i, align)) {
            return mem_take(h, i, align);
        }
    }
    return th_alloc(h, h->page);
}

void th_free_pages(struct th *h, uint64_t addr, uint64_t bytes)
{
    uint64_t n = (MAX(bytes, 1) + h->page - 1) / h->page * (h->page / 4096);
    uint64_t i;

    if (own_is(h, addr)) {
        return;
    }
    g_assert(addr % 4096 == 0 && addr / 4096 + n <= TH_RAM_SIZE / 4096);
    for (i = addr / 4096; i < addr / 4096 + n; i++) {
        g_assert(h->used[i] == 1);
        h->used[i] = 0;
    }
}

unsigned th_pages_used(struct th *h)
{
    unsigned i, n = 0;

    for (i = 0; i < TH_RAM_SIZE / 4096; i++) {
        n += h->used[i] == 1;
    }
    return n;
}
