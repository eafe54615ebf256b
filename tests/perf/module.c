/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The generator as a QEMU plugin: waits for the machine to run, does what it
 * was asked to in a thread of its own, writes the result and ends QEMU, with
 * status 0 only if all went well.
 */
#include "tests/perf/gen.h"

#include "qemu/main-loop.h"
#include "qemu/qemu-plugin.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "system/runstate.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = 2;

static struct gen gen;
static bool gen_started;

bool gen_fail(struct gen *g, const char *fmt, ...)
{
    va_list ap;

    if (!g->error) {
        va_start(ap, fmt);
        g->error = g_strdup_vprintf(fmt, ap);
        va_end(ap);
    }
    return false;
}

static bool gen_run(struct gen *g)
{
    unsigned queues = 1, qd = 1;

    gen_snapshot(g, "start");
    if (g->o.idle) {
        return true;
    }
    if (g->o.window) {
        return gen_window_check(g);
    }
    for (unsigned i = 0; i < g->o.njobs; i++) {
        queues = MAX(queues, g->o.job[i].queues);
        qd = MAX(qd, g->o.job[i].qd);
    }
    if (!gen_mem_init(g) || !gen_pci_init(g) || !gen_nvme_init(g) ||
        !gen_nvme_queues(g) || !gen_nvme_slots(g, queues, qd)) {
        return false;
    }
    for (unsigned i = 0; i < g->o.njobs; i++) {
        const struct gen_job *job = &g->o.job[i];

        if (!(job->verify ? gen_verify_run : gen_load_run)(g, job)) {
            return gen_fail(g, "job %s failed", job->name);
        }
    }
    gen_snapshot(g, "end");
    gen_nvme_disable(g);
    return !g->error;
}

static void *gen_thread(void *opaque)
{
    struct gen *g = opaque;
    bool good;

    rcu_register_thread();
    good = gen_run(g);
    if (g->error) {
        fprintf(stderr, "envme-perf.so: %s\n", g->error);
    }
    good &= gen_report(g);
    bql_lock();
    qemu_system_shutdown_request_with_code(SHUTDOWN_CAUSE_HOST_QMP_QUIT,
                                           good ? 0 : 1);
    bql_unlock();
    rcu_unregister_thread();
    return NULL;
}

static void gen_state_change(void *opaque, bool running, RunState state)
{
    QemuThread thread;

    if (running && !gen_started) {
        gen_started = true;
        qemu_thread_create(&thread, "envme-perf", gen_thread, &gen,
                           QEMU_THREAD_DETACHED);
    }
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info, int argc,
                                           char **argv)
{
    g_autofree char *err = gen_opts_parse(&gen.o, argc, argv);

    if (err) {
        fprintf(stderr, "envme-perf.so: %s\n", err);
        return -1;
    }
    gen.rng = gen.o.seed * 0x9e3779b97f4a7c15ull | 1;
    qemu_add_vm_change_state_handler(gen_state_change, NULL);
    return 0;
}
