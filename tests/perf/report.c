/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory at a point in time, and the result as JSON. */
#include "tests/perf/gen.h"

#include <malloc.h>
#include "qemu/main-loop.h"
#include "qemu/rcu.h"

/* Sum of the lines of smaps_rollup that begin so, in bytes. */
static uint64_t report_smaps(const char *key)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    uint64_t kib = 0;

    if (!g_file_get_contents("/proc/self/smaps_rollup", &text, NULL, NULL)) {
        return 0;
    }
    lines = g_strsplit(text, "\n", -1);
    for (char **l = lines; *l; l++) {
        if (g_str_has_prefix(*l, key)) {
            kib += g_ascii_strtoull(*l + strlen(key), NULL, 10);
        }
    }
    return kib << 10;
}

void gen_snapshot(struct gen *g, const char *label)
{
    struct mallinfo2 mi;

    /* What is only waiting to be freed does not count. */
    bql_lock();
    drain_call_rcu();
    bql_unlock();
    mi = mallinfo2();
    assert(g->nsnaps < GEN_MAX_SNAPS);
    g->snap[g->nsnaps++] = (struct gen_snap) {
        .label = label,
        .heap = mi.uordblks + mi.hblkhd,
        .dirty = report_smaps("Private_Dirty:"),
    };
}

static void report_job(struct gen *g, GString *s, unsigned n)
{
    static const char *const names[] = {
        [GEN_READ] = "read", [GEN_WRITE] = "write",
        [GEN_RANDREAD] = "randread", [GEN_RANDWRITE] = "randwrite",
        [GEN_RANDRW] = "randrw",
    };
    const struct gen_job *j = &g->o.job[n];
    const struct gen_result *r = &g->res[n];
    uint64_t device = r->process_ns - r->thread_ns;

    g_string_append_printf(s, "%s\n  {\"name\": \"%s\", ", n ? "," : "",
                           j->name);
    if (!r->hist) {
        g_string_append_printf(s, "\"verified\": %" PRIu64 "}", j->verify);
        return;
    }
    g_string_append_printf(s, "\"rw\": \"%s\", \"bs\": %u, \"qd\": %u, "
                           "\"queues\": %u, \"ios\": %" PRIu64 ",\n   ",
                           names[j->rw], j->bs, j->qd, j->queues, r->ios);
    g_string_append_printf(s, "\"seconds\": %.6f, \"iops\": %.1f, "
                           "\"device_cpu_ns_per_io\": %.1f, "
                           "\"generator_cpu_ns_per_io\": %.1f,\n   ",
                           r->window_ns / 1e9,
                           r->ios * 1e9 / MAX(r->window_ns, 1),
                           (double)device / MAX(r->ios, 1),
                           (double)r->thread_ns / MAX(r->ios, 1));
    g_string_append_printf(s, "\"generator_share\": %.4f, ",
                           (double)r->thread_ns / MAX(r->window_ns, 1));
    for (unsigned i = 0; i < 4; i++) {
        static const unsigned mille[] = { 500, 900, 990, 999 };

        g_string_append_printf(s, "\"p%u_ns\": %" PRIu64 ", ",
                               mille[i] % 10 ? mille[i] : mille[i] / 10,
                               gen_hist_percentile(r->hist, mille[i]));
    }
    g_string_append_printf(s, "\"max_ns\": %" PRIu64 ", \"mean_ns\": %.1f,\n"
                           "   ", r->hist->max,
                           (double)r->hist->sum / MAX(r->hist->n, 1));
    g_string_append_printf(s, "\"passes\": %" PRIu64 ", \"doorbells_trapped\":"
                           " %" PRIu64 ", \"doorbells_mapped\": %" PRIu64
                           ", \"doorbells_skipped\": %" PRIu64
                           ", \"interrupts_seen\": %" PRIu64 "}",
                           r->passes, r->doorbells, r->mapped, r->skipped,
                           r->irqs);
}

bool gen_report(struct gen *g)
{
    g_autoptr(GString) s = g_string_new("{\n");
    g_autoptr(GError) err = NULL;

    if (g->error) {
        g_autofree char *quoted = g_strescape(g->error, NULL);

        g_string_append_printf(s, " \"error\": \"%s\",\n", quoted);
    }
    g_string_append_printf(s, " \"pci_id\": \"%04x:%04x\", \"model\": \"%s\","
                           " \"lba_bytes\": %u, \"blocks\": %" PRIu64 ",\n",
                           g->dev_id & 0xffff, g->dev_id >> 16, g->model,
                           1u << g->lba_shift, g->nblocks);
    g_string_append_printf(s, " \"queues\": %u, \"entries\": %u, \"dbbuf\": "
                           "%s, \"irq\": %s, \"wait\": \"%s\", "
                           "\"window_turns\": %" PRIu64 ", \"create_ns\":"
                           " %" PRIu64 ",\n", g->o.nqueues, g->o.entries,
                           g->o.dbbuf ? "true" : "false",
                           g->o.irq ? "true" : "false",
                           g->o.wait_irq ? "irq" : "phase", g->window_turns,
                           g->create_ns);
    g_string_append(s, " \"memory\": {");
    for (unsigned i = 0; i < g->nsnaps; i++) {
        g_string_append_printf(s, "%s\n  \"%s\": {\"heap\": %" PRIu64
                               ", \"private_dirty\": %" PRIu64 "}",
                               i ? "," : "", g->snap[i].label,
                               g->snap[i].heap, g->snap[i].dirty);
    }
    g_string_append(s, "},\n \"jobs\": [");
    for (unsigned i = 0; i < g->nres && !g->error; i++) {
        report_job(g, s, i);
    }
    g_string_append(s, "]\n}\n");
    if (!g_file_set_contents(g->o.out, s->str, s->len, &err)) {
        fprintf(stderr, "envme-perf.so: %s\n", err->message);
        return false;
    }
    return true;
}
