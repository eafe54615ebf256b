/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints what the tables have, and the bits of Identify Controller that are
 * derived from them, for scripts/coverage: a line each, fields separated by
 * tabs.
 *
 *   kind  code  name  specification  handler
 *
 * The handler is how far it lies from main() in memory.
 */
#include <inttypes.h>
#include <stdio.h>

#include "walk.h"

#include "hw/ctrl/regs.h"

int main(int argc, char **argv);

static void row(const char *kind, unsigned code, const char *name,
                const char *spec, uintptr_t handler)
{
    printf("%s\t%x\t%s\t%s\t", kind, code, name, spec);
    if (handler) {
        printf("%" PRIdPTR, (intptr_t)(handler - (uintptr_t)main));
    }
    putchar('\n');
}

static void rows(const char *kind, const struct envme_row rows[256])
{
    for (unsigned i = 0; i < 256; i++) {
        if (rows[i].run) {
            row(kind, i, rows[i].name, rows[i].spec, (uintptr_t)rows[i].run);
        }
    }
}

static void tables(const struct envme_tables *t)
{
    const char *reg, *last = NULL;
    unsigned off;

    rows("admin", t->admin);
    for (unsigned i = 0; i < t->niocs; i++) {
        g_autofree char *kind = g_strdup_printf("io-%x", t->iocs[i]->csi);

        row("iocs", t->iocs[i]->csi, t->iocs[i]->name, "",
            (uintptr_t)t->iocs[i]->identify_ns);
        rows(kind, t->iocs[i]->rows);
    }
    for (unsigned i = 0; i < t->feats->n; i++) {
        const struct envme_feat_row *f = &t->feats->row[i];

        row("fid", f->fid, f->name, f->spec,
            f->set ? (uintptr_t)f->set : (uintptr_t)f->get);
    }
    for (unsigned i = 0; i < t->logs->n; i++) {
        row("lid", t->logs->row[i].lid, t->logs->row[i].name,
            t->logs->row[i].spec, (uintptr_t)t->logs->row[i].fill);
    }
    for (unsigned i = 0; i < 256; i++) {
        if (t->cns[i].there) {
            row("cns", i, t->cns[i].name, t->cns[i].spec,
                (uintptr_t)t->cns[i].fill);
        }
    }
    for (unsigned i = 0; (reg = envme_regs_name(i, &off)); i++) {
        /* One may have a row for each half. */
        if (g_strcmp0(reg, last)) {
            row("reg", off, reg, "", (uintptr_t)envme_regs_name);
        }
        last = reg;
    }
}

static void bits(const char *kind, uint32_t value)
{
    for (unsigned i = 0; i < 32; i++) {
        if (value & 1u << i) {
            row(kind, i, "", "", 0);
        }
    }
}

static void identify(void)
{
    struct th *h = th_new(.multi = true, .tweak = walk_all_on,
                          .ns = { { .size = MIB } });
    struct envme_id_ctrl *id = g_malloc(4096);

    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    bits("oacs", le16_get(id->oacs));
    bits("oncs", le16_get(id->oncs));
    bits("ctratt", le32_get(id->ctratt));
    bits("oaes", le32_get(id->oaes));
    bits("lpa", id->lpa);
    g_free(id);
    th_free(h);
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    tables(&envme_tables);
    identify();
    return 0;
}
