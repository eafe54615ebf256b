/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks the generator's own doorbell path: one thread writes numbers to a
 * page while another turns the page from registers into RAM and back. What
 * a device that maps its doorbells has to be able to count on: once the
 * registers are back, nothing is stored in the RAM any more, and no number
 * is lost on the way.
 */
#include "tests/perf/gen.h"

#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"

#define WINDOW_ADDR 0xe8000000u

static struct {
    MemoryRegion io, ram;
    uint32_t *page;
    uint32_t trapped, seen;     /* the last numbers of either kind */
    uint64_t late, turns;
    bool stop;
} window;

static void window_write(void *opaque, hwaddr off, uint64_t val, unsigned size)
{
    qatomic_set(&window.trapped, val);
}

static uint64_t window_read(void *opaque, hwaddr off, unsigned size)
{
    return 0;
}

static const MemoryRegionOps window_ops = {
    .read = window_read,
    .write = window_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
};

static void window_set_ram(bool on)
{
    bql_lock();
    memory_region_set_enabled(&window.ram, on);
    bql_unlock();
}

static void *window_turn(void *opaque)
{
    rcu_register_thread();
    while (!qatomic_read(&window.stop)) {
        uint32_t last;

        window_set_ram(true);
        g_usleep(50);
        window_set_ram(false);
        last = qatomic_read(window.page);
        qatomic_set(&window.seen, last);
        g_usleep(100);
        window.late += qatomic_read(window.page) != last;
        qatomic_set(&window.turns, window.turns + 1);
    }
    rcu_unregister_thread();
    return NULL;
}

static void window_init(void)
{
    MemoryRegion *root = address_space_memory.root;

    bql_lock();
    memory_region_init_io(&window.io, NULL, &window_ops, NULL, "window-io",
                          GEN_PAGE);
    memory_region_init_ram(&window.ram, NULL, "window-ram", GEN_PAGE,
                           &error_fatal);
    memory_region_set_enabled(&window.ram, false);
    memory_region_add_subregion_overlap(root, WINDOW_ADDR, &window.io, 10);
    memory_region_add_subregion_overlap(root, WINDOW_ADDR, &window.ram, 11);
    window.page = memory_region_get_ram_ptr(&window.ram);
    bql_unlock();
}

bool gen_window_check(struct gen *g)
{
    const struct gen_db db = { .addr = WINDOW_ADDR };
    struct gen_result r = { 0 };
    QemuThread thread;
    uint32_t n = 0, last;

    window_init();
    gen_db_watch(WINDOW_ADDR, GEN_PAGE);
    qemu_thread_create(&thread, "window", window_turn, NULL,
                       QEMU_THREAD_JOINABLE);
    while (qatomic_read(&window.turns) < g->o.window || !r.mapped ||
           !r.doorbells) {
        gen_db_write(&db, ++n, &r);
    }
    qatomic_set(&window.stop, true);
    qemu_thread_join(&thread);
    last = MAX(window.trapped, window.seen);
    if (window.late) {
        return gen_fail(g, "after %" PRIu64 " of %" PRIu64 " turns a number "
                        "was stored in RAM that was not mapped any more",
                        window.late, window.turns);
    }
    if (last != n) {
        return gen_fail(g, "number %u was written last, and %u arrived", n,
                        last);
    }
    g->window_turns = window.turns;
    return true;
}
