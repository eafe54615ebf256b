/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ports through which the controller sees the world outside: dma (host
 * memory), irq (interrupts), time (clock), exec (threads), note (diagnostics),
 * and the memory of its own that a BAR shows to the host.
 *
 * Owner: the composition root (hw/qemu, tests/host) fills them in before the
 * controller is made and keeps them valid until it is gone.
 * Threads: said at each function. "Lane thread" is the thread that runs the
 * lane in question; lane 0 is the main loop (in QEMU: whoever holds the BQL).
 * Decorators (fault injection) wrap a port by holding an inner one.
 */
#ifndef ENVME_CORE_PORTS_H
#define ENVME_CORE_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Host memory, by bus address. All return 0 or a negative errno:
 *   -EIO     nothing there, or an error on the way
 *   -EACCES  the address is one of this controller's own registers; it is
 *            refused, so that a transfer never re-enters the controller
 *   -EBUSY   Bus Master Enable is off; try again when it is on
 *   -EAGAIN  not plain memory (another device's registers), and this thread
 *            may not touch it: do it again on lane 0
 * Any lane thread.
 */
struct envme_dma {
    void *opaque;
    int (*read)(void *opaque, uint64_t addr, void *buf, size_t len);
    /* 16 bytes, aligned to 8, in plain memory are a completion queue entry:
     * whoever sees the second half, with the phase tag, sees the first. */
    int (*write)(void *opaque, uint64_t addr, const void *buf, size_t len);
    /*
     * Direct access to plain memory. Returns a pointer to *len bytes, *len
     * not above what was asked and not 0, or NULL with *err set: one of the
     * above, or -ENXIO for "not plain memory, use read/write".
     * Each map is followed by exactly one unmap with the same pointer and
     * length, on any lane thread; dirty says that the memory was written.
     */
    void *(*map)(void *opaque, uint64_t addr, size_t *len, bool is_write,
                 int *err);
    void (*unmap)(void *opaque, void *ptr, size_t len, bool dirty);
    /* Plain memory, to have a look at that nothing depends on: good until the
     * end of the lane's turn. NULL: it is not, or not in one piece. May be
     * NULL. Within a turn only. */
    const void *(*peek)(void *opaque, uint64_t addr, size_t len);
};

/*
 * Interrupts by vector. Any lane thread; never blocks. raise(): new entries
 * in a completion queue of this vector. lower(): that queue has been emptied
 * by the host; raise and lower come in pairs per queue, so a level-triggered
 * pin counts them. How a vector reaches the host (MSI-X, MSI, INTx), masks,
 * and holding it back while Bus Master is off are the port's business.
 * pulse(): message-signalled only; raise() implies one.
 */
enum envme_pin { ENVME_PIN_FREE, ENVME_PIN_LOW, ENVME_PIN_HIGH };

struct envme_irq {
    void *opaque;
    void (*raise)(void *opaque, unsigned vector);
    void (*pulse)(void *opaque, unsigned vector);
    void (*lower)(void *opaque, unsigned vector);
    /* INTMS changed (bit per vector). Lane 0. */
    void (*mask)(void *opaque, uint32_t intms);
    /* Do interrupts show as a level now (INTx), so that lower() matters? Any
     * lane thread. */
    bool (*is_level)(void *opaque);
    /* All vectors down, nothing pending: controller reset. Lane 0. */
    void (*reset)(void *opaque);
    /* For faults; each may be NULL. Lane 0. The pin stays as it is said,
     * whatever is raised, until it is free again: */
    void (*stick)(void *opaque, enum envme_pin pin);
    /* A message of MSI-X although the vector is masked: */
    void (*force)(void *opaque, unsigned vector);
};

struct envme_time {
    void *opaque;
    /* Monotonic guest time, ns. Any thread. */
    uint64_t (*now)(void *opaque);
    /* Wall clock, ms since 1970-01-01 UTC. Any thread. */
    uint64_t (*wall_ms)(void *opaque);
};

typedef void envme_exec_fn(void *arg);

/*
 * Threads. Lanes are numbered 0 .. nlanes - 1.
 */
struct envme_exec {
    void *opaque;
    unsigned nlanes;
    /* Have envme_lane_run() called soon on that lane. Any thread. Cheap when
     * it is already due. */
    void (*kick)(void *opaque, unsigned lane);
    /* Run fn(arg) on that lane, not before this call has returned, in the
     * order of the calls from one thread. Any thread. */
    void (*defer)(void *opaque, unsigned lane, envme_exec_fn *fn, void *arg);
    /* Have envme_lane_run() called at that time (now() scale) or soon after;
     * UINT64_MAX disarms. One deadline per lane: the last call counts.
     * That lane's thread only. */
    void (*arm)(void *opaque, unsigned lane, uint64_t deadline);
    /* True on the thread of that lane. For assertions and for going inline. */
    bool (*on_lane)(void *opaque, unsigned lane);
};

/*
 * A sentence for whoever debugs the driver: why a command, a doorbell or the
 * controller failed. Any thread; may be NULL. The text is the caller's.
 */
struct envme_note {
    void *opaque;
    void (*say)(void *opaque, const char *text);
};

/*
 * Doorbells that the host writes to as memory for a while: the first bytes of
 * the doorbell registers, as plain memory. Registers and memory are one: who
 * is told of a write to the register stores it there too.
 *
 * show(): from some time on writes go to the memory and nobody is told (on),
 * or come as register writes again (off). It takes its time; the composition
 * root says when, with envme_ctrl_doorbells_shown() and _hidden(). One at a
 * time. Lane 0.
 */
struct envme_doorbells {
    void *opaque;
    void *base;                 /* NULL: there is none; 8-byte aligned */
    uint64_t size;              /* bytes, a multiple of 4 KiB */
    void (*show)(void *opaque, bool on);
};

/*
 * Memory of the controller's own that the host sees through a BAR: Controller
 * Memory Buffer, Persistent Memory Region. It is plain memory, used in place
 * by any lane; which addresses of the host mean it is the controller's
 * business. Each function may be NULL.
 */
struct envme_region {
    void *opaque;
    uint8_t *base;              /* NULL: there is none */
    uint64_t size;              /* bytes, a multiple of 4 KiB */
    bool read_only;
    /* The controller has written these bytes. Any lane thread. */
    void (*written)(void *opaque, uint64_t off, uint64_t len);
    /* The BAR shows it from now on, or shows nothing. Lane 0. */
    void (*show)(void *opaque, bool on);
    /* All that has been written, by whomever, is persistent when this returns
     * 0; else a negative errno. The only call here that may take its time: the
     * host waits for it. Lane 0. */
    int (*sync)(void *opaque);
    /* The same without waiting: done(arg, err) comes later, on lane 0. */
    void (*flush)(void *opaque, void (*done)(void *arg, int err), void *arg);
};

struct envme_ports {
    struct envme_dma dma;
    struct envme_irq irq;
    struct envme_time time;
    struct envme_exec exec;
    struct envme_note note;
    struct envme_region cmb, pmr;
    struct envme_doorbells doorbells;
};

#endif
