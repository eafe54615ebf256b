/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces: parameters, formats, layout, sizes that change. */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "hw/ns/layout.h"
#include "hw/ns/ns.h"

#define MIB (1ull << 20)

/* A backend with no medium: only its geometry counts here. */
struct fake {
    struct envme_backend be;
    struct envme_geometry geo;
    int cache;                  /* -1: never told */
    int cache_err;
};

static void fake_geometry(struct envme_backend *be, struct envme_geometry *geo)
{
    *geo = ((struct fake *)be)->geo;
}

static int fake_set_cache(struct envme_backend *be, bool on)
{
    struct fake *f = (struct fake *)be;

    if (!f->cache_err) {
        f->cache = on;
    }
    return f->cache_err;
}

static const struct envme_backend_ops fake_ops = {
    .name = "fake", .geometry = fake_geometry, .set_cache = fake_set_cache,
};

static const struct envme_backend_ops fake_ops_no_cache = {
    .name = "fake", .geometry = fake_geometry,
};

static struct fake fake_of(uint64_t size)
{
    return (struct fake){ .be.ops = &fake_ops, .cache = -1,
                          .geo = { .size = size, .align = 1,
                                   .volatile_cache = true } };
}

static struct envme_ns_params params(uint32_t lbs, uint16_t ms)
{
    return (struct envme_ns_params){
        .logical_block = lbs, .ms = ms, .mssrl = 128, .mcl = 128,
        .write_cache = true,
    };
}

static struct envme_ns *make(struct fake *f, struct envme_ns_params p)
{
    char *err = NULL;
    struct envme_ns *ns = envme_ns_new(&p, &f->be, &err);

    g_assert_cmpstr(err, ==, NULL);
    g_assert_nonnull(ns);
    return ns;
}

/* It is refused with a sentence that has all these words. */
static void refused(struct fake *f, struct envme_ns_params p,
                    const char *const *words)
{
    char *err = NULL;

    g_assert_null(envme_ns_new(&p, &f->be, &err));
    g_assert_nonnull(err);
    for (; *words; words++) {
        if (!strstr(err, *words)) {
            g_error("\"%s\" is not in \"%s\"", *words, err);
        }
    }
    g_assert_null(strchr(err, '\n'));
    g_free(err);
}

#define REFUSED(f, p, ...) \
    refused(f, p, (const char *const[]){ __VA_ARGS__, NULL })

static void test_params(void)
{
    struct fake f = fake_of(MIB);
    struct envme_ns_params p = params(512, 0);

    REFUSED(&f, params(511, 0), "logical_block_size=511", "is 512");
    REFUSED(&f, params(0, 0), "logical_block_size=0", "is 512");
    REFUSED(&f, params(3000, 0), "logical_block_size=3000", "is 2048");
    REFUSED(&f, params(3100, 0), "logical_block_size=3100", "is 4096");
    REFUSED(&f, params(1 << 17, 0), "logical_block_size=131072", "is 65536");
    REFUSED(&f, params(UINT32_MAX, 0), "logical_block_size=4294967295",
            "is 65536");
    p.physical_block = 256;
    REFUSED(&f, p, "physical_block_size=256", "is 512");
    p.physical_block = 5000;
    REFUSED(&f, p, "physical_block_size=5000", "is 4096");
    p = params(4096, 0);
    p.physical_block = 512;
    REFUSED(&f, p, "physical_block_size=512", "is 4096");
    p = params(512, 0);
    p.min_io = 700;
    REFUSED(&f, p, "min_io_size=700", "logical_block_size=512", "is 512");
    p.min_io = 0;
    p.opt_io = 800;
    REFUSED(&f, p, "opt_io_size=800", "is 1024");
    p.opt_io = 0;
    p.discard_granularity = UINT32_MAX;
    REFUSED(&f, p, "discard_granularity=4294967295", "is 4294966784");
    p = params(512, 0);
    p.mset = true;
    REFUSED(&f, p, "mset=on", "is off");
    p = params(512, 8);
    p.mcl = 100;
    REFUSED(&f, p, "mcl=100", "mssrl=128", "is 128");
    f.geo.align = 4096;
    REFUSED(&f, params(512, 0), "logical_block_size=512", "is 4096");
    REFUSED(&f, params(4096, 64), "ms=64", "4096", "is 0");
    f = fake_of(511);
    REFUSED(&f, params(512, 0), "511", "logical_block_size=512");
    f = fake_of(519);
    REFUSED(&f, params(512, 8), "519", "ms=8");
}

static void test_defaults(void)
{
    struct fake f = fake_of(10 * 512 + 100);
    struct envme_ns *ns = make(&f, params(512, 0));

    g_assert_cmpuint(ns->nsze, ==, 10);
    g_assert_cmpuint(ns->lbads, ==, 9);
    g_assert_cmpuint(ns->params.physical_block, ==, 512);
    g_assert_cmpuint(ns->params.discard_granularity, ==, 4096);
    g_assert_cmpuint(envme_ns_host_block(ns), ==, 512);
    g_assert_false(ns->read_only);
    envme_ns_free(ns);
    envme_ns_free(NULL);
}

static void test_formats(void)
{
    struct fake f = fake_of(MIB);
    struct envme_ns *ns;

    for (unsigned lbs = 512; lbs <= 65536; lbs *= 2) {
        static const uint16_t ms[] = { 0, 8, 16, 24, 64, 4096 };

        for (unsigned i = 0; i < G_N_ELEMENTS(ms); i++) {
            bool usual = (lbs == 512 || lbs == 4096) && ms[i] <= 64 &&
                         ms[i] != 24;

            ns = make(&f, params(lbs, ms[i]));
            g_assert_cmpuint(ns->nlbaf, ==, usual ? 18 : 19);
            g_assert_cmpuint(ns->flbas, <, ns->nlbaf);
            g_assert_cmpuint(1u << ns->lbaf[ns->flbas].lbads, ==, lbs);
            g_assert_cmpuint(ns->lbaf[ns->flbas].ms, ==, ms[i]);
            for (unsigned a = 0; a < ns->nlbaf; a++) {
                for (unsigned b = 0; b < a; b++) {
                    g_assert_true(ns->lbaf[a].lbads != ns->lbaf[b].lbads ||
                                  ns->lbaf[a].ms != ns->lbaf[b].ms ||
                                  ns->lbaf[a].elbaf != ns->lbaf[b].elbaf);
                }
            }
            envme_ns_free(ns);
        }
    }
    /* Only what the backend can hold. */
    f.geo.align = 4096;
    ns = make(&f, params(4096, 0));
    g_assert_cmpuint(ns->nlbaf, ==, 1);
    envme_ns_free(ns);
    f.geo.align = 8;
    ns = make(&f, params(512, 8));
    g_assert_cmpuint(ns->nlbaf, ==, 18);
    envme_ns_free(ns);
    f.geo.align = 16;
    ns = make(&f, params(512, 16));
    g_assert_cmpuint(ns->nlbaf, ==, 16);
    envme_ns_free(ns);
}

/* No block lies on another, nor beyond the end, for any size. */
static void test_layout(void)
{
    for (uint64_t size = 520; size < 100000; size += 37) {
        struct envme_layout l = envme_layout_fit(size, 9, 8);
        struct envme_ns ns = { .lbads = 9, .ms = 8, .moff = l.moff };

        g_assert_cmpuint(l.nsze, >, 0);
        g_assert_cmpuint(envme_layout_data(&ns, l.nsze), <=, l.moff);
        g_assert_cmpuint(envme_layout_md(&ns, l.nsze), <=, size);
        g_assert_cmpuint(l.nsze, ==, size / 520);
        g_assert_cmpuint(envme_layout_data(&ns, 1), ==, 512);
        g_assert_cmpuint(envme_layout_md(&ns, 1) - envme_layout_md(&ns, 0),
                         ==, 8);
    }
}

static void test_refresh(void)
{
    struct fake f = fake_of(100 * 512);
    struct envme_ns *ns = make(&f, params(512, 0));

    g_assert_false(envme_ns_refresh(ns));
    f.geo.size = 200 * 512 + 511;
    g_assert_true(envme_ns_refresh(ns));
    g_assert_cmpuint(ns->nsze, ==, 200);
    f.geo.size--;
    g_assert_false(envme_ns_refresh(ns));
    f.geo.size = 50 * 512;
    g_assert_true(envme_ns_refresh(ns));
    g_assert_cmpuint(ns->nsze, ==, 50);
    f.geo.size = 0;
    g_assert_true(envme_ns_refresh(ns));
    g_assert_cmpuint(ns->nsze, ==, 0);
    g_assert_false(envme_ns_range_ok(ns, 0, 1));
    f.geo.read_only = true;
    g_assert_true(envme_ns_refresh(ns));
    g_assert_true(ns->read_only);
    envme_ns_free(ns);
}

/* With metadata the metadata area stays where it is. */
static void test_refresh_md(void)
{
    struct fake f = fake_of(100 * 520);
    struct envme_ns *ns = make(&f, params(512, 8));
    uint64_t moff = ns->moff;

    g_assert_cmpuint(ns->nsze, ==, 100);
    f.geo.size *= 2;
    g_assert_false(envme_ns_refresh(ns));
    g_assert_cmpuint(ns->nsze, ==, 100);
    f.geo.size = moff + 7 * 8 + 7;
    g_assert_true(envme_ns_refresh(ns));
    g_assert_cmpuint(ns->nsze, ==, 7);
    f.geo.size = moff;
    g_assert_true(envme_ns_refresh(ns));
    g_assert_cmpuint(ns->nsze, ==, 0);
    g_assert_cmpuint(ns->moff, ==, moff);
    envme_ns_free(ns);
}

static void test_range(void)
{
    struct fake f = fake_of(100 * 512);
    struct envme_ns *ns = make(&f, params(512, 0));

    g_assert_true(envme_ns_range_ok(ns, 0, 100));
    g_assert_true(envme_ns_range_ok(ns, 99, 1));
    g_assert_true(envme_ns_range_ok(ns, 100, 0));
    g_assert_false(envme_ns_range_ok(ns, 0, 101));
    g_assert_false(envme_ns_range_ok(ns, 100, 1));
    g_assert_false(envme_ns_range_ok(ns, 101, 0));
    g_assert_false(envme_ns_range_ok(ns, UINT64_MAX, 1));
    g_assert_false(envme_ns_range_ok(ns, UINT64_MAX, 2));
    g_assert_false(envme_ns_range_ok(ns, 1, UINT64_MAX));
    envme_ns_free(ns);
}

static void test_cache(void)
{
    struct fake f = fake_of(MIB);
    struct envme_ns_params p = params(512, 0);
    struct envme_ns *ns = make(&f, p);

    g_assert_cmpint(f.cache, ==, 1);
    g_assert_true(ns->wce);
    envme_ns_free(ns);
    p.write_cache = false;
    ns = make(&f, p);
    g_assert_cmpint(f.cache, ==, 0);
    g_assert_false(ns->wce);
    envme_ns_free(ns);
    /* One that cannot be turned off is on. */
    f.cache_err = -EIO;
    ns = make(&f, p);
    g_assert_true(ns->wce);
    envme_ns_free(ns);
    f.be.ops = &fake_ops_no_cache;
    f.geo.volatile_cache = false;
    p.write_cache = true;
    ns = make(&f, p);
    g_assert_false(ns->wce);
    envme_ns_free(ns);
}

static void test_host_block(void)
{
    struct fake f = fake_of(MIB);
    struct envme_ns_params p = params(4096, 64);
    struct envme_ns *ns = make(&f, p);

    g_assert_cmpuint(envme_ns_host_block(ns), ==, 4096);
    envme_ns_free(ns);
    p.mset = true;
    ns = make(&f, p);
    g_assert_cmpuint(envme_ns_host_block(ns), ==, 4096 + 64);
    envme_ns_free(ns);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ns/params", test_params);
    g_test_add_func("/ns/defaults", test_defaults);
    g_test_add_func("/ns/formats", test_formats);
    g_test_add_func("/ns/layout", test_layout);
    g_test_add_func("/ns/refresh", test_refresh);
    g_test_add_func("/ns/refresh-md", test_refresh_md);
    g_test_add_func("/ns/range", test_range);
    g_test_add_func("/ns/cache", test_cache);
    g_test_add_func("/ns/host-block", test_host_block);
    return g_test_run();
}
