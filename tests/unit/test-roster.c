/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the state says of namespaces against the media that are there: what is
 * refused, with which sentence, and that nothing has changed then. */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "hw/ns/backend-mem.h"
#include "hw/ns/capacity.h"
#include "hw/ns/roster.h"

#define NN 4
#define SIZE 65536

/* Places in a record. */
#define AT_VERSION  0
#define AT_ALIGN    128
#define AT_NEXTENTS 132
#define AT_MEDIUM   136
#define AT_OFFSET   144

static char *path;

static struct envme_subsys *subsys_new(uint32_t nn, char **err)
{
    struct envme_state_opts o = { .is_inline = true };
    struct envme_subsys *s = envme_subsys_new("nqn.x", nn, false);

    s->state = envme_state_open(path, "nqn.x", &o, err);
    g_assert_nonnull(s->state);
    if (!envme_roster_open(s, err)) {
        envme_state_close(s->state);
        envme_subsys_free(s);
        return NULL;
    }
    return s;
}

static struct envme_ns *ns_new(uint32_t nsid, uint64_t size)
{
    struct envme_ns_params p = {
        .nsid = nsid, .logical_block = 512, .shared = true,
        .mssrl = 1, .mcl = 1,
    };
    struct envme_backend *be = envme_backend_mem_new(NULL, size, true, false);
    char *err = NULL;

    return envme_ns_new(&p, be, &err);
}

static void ns_free(struct envme_ns *ns)
{
    struct envme_backend *be = ns->be;

    envme_ns_free(ns);
    be->ops->close(be);
}

static struct envme_ns *ns_add(struct envme_subsys *s, uint32_t nsid,
                               uint64_t size)
{
    struct envme_ns *ns = ns_new(nsid, size);
    char *err = NULL;

    g_assert_true(envme_subsys_add_ns(s, ns, &err));
    return ns;
}

static void ns_refuse(struct envme_subsys *s, uint32_t nsid, uint64_t size,
                      const char *want)
{
    struct envme_ns *ns = ns_new(nsid, size);
    g_autofree char *err = NULL;

    g_assert_false(envme_subsys_add_ns(s, ns, &err));
    if (!strstr(err, want) || !strstr(err, path)) {
        g_error("'%s' is not in: %s", want, err);
    }
    g_assert_null(ns->subsys);
    ns_free(ns);
}

static void ns_remove(struct envme_subsys *s, struct envme_ns *ns)
{
    envme_subsys_remove_ns(s, ns, NULL, NULL);
    g_assert_null(ns->subsys);
    ns_free(ns);
}

static void subsys_close(struct envme_subsys *s)
{
    envme_state_close(s->state);
    envme_subsys_free(s);
}

static struct envme_ns *make(struct envme_subsys *s, uint64_t nsze)
{
    struct envme_capacity_req req = { .nsze = nsze };
    struct envme_ns *ns;
    char *err = NULL;
    uint64_t need;

    g_assert_cmpint(envme_capacity_make(s, &req, &ns, &need), ==, 0);
    g_assert_true(envme_subsys_add_ns(s, ns, &err));
    return ns;
}

/* Medium 1 has its own namespace, formatted to 4096 + 8 bytes; of medium 2 the
 * host has made NSIDs 2 and 3. */
static void factory(void)
{
    char *err = NULL;
    struct envme_subsys *s = subsys_new(NN, &err);
    struct envme_ns *a = ns_add(s, 0, SIZE), *b = ns_add(s, 0, SIZE);

    g_assert_true(envme_ns_set_format(a, 5, false, 0, false));
    envme_roster_put(a);
    envme_subsys_delete_ns(s, b, NULL, NULL);
    make(s, 60);
    make(s, 60);
    g_assert_cmpuint(envme_capacity_unused(s), ==, SIZE - 120 * 512);
    ns_remove(s, b);
    ns_remove(s, a);
    subsys_close(s);
}

static void test_back(void)
{
    char *err = NULL;
    struct envme_subsys *s;
    struct envme_ns *a, *b;

    factory();
    s = subsys_new(NN, &err);
    g_assert_nonnull(err = envme_roster_missing(s));
    g_assert_nonnull(strstr(err, "medium 2"));
    g_clear_pointer(&err, g_free);
    a = ns_add(s, 0, SIZE);
    g_assert_cmpuint(a->flbas, ==, 5);
    g_assert_cmpuint(envme_capacity_unused(s), ==, 0);
    g_assert_true(envme_roster_reserved(s, 2));
    b = ns_add(s, 0, 2 * SIZE);             /* it may have grown */
    g_assert_true(b->gone);
    g_assert_nonnull(s->ns[2]);
    g_assert_nonnull(s->ns[3]);
    g_assert_null(envme_roster_missing(s));
    g_assert_cmpuint(envme_capacity_unused(s), ==, 2 * SIZE - 120 * 512);
    ns_remove(s, b);
    ns_remove(s, a);
    subsys_close(s);
    g_remove(path);
}

static void test_refused(void)
{
    char *err = NULL;
    struct envme_subsys *s;
    struct envme_ns *a, *b;

    factory();
    s = subsys_new(NN, &err);
    ns_refuse(s, 1, SIZE - 4104, "record ns/1/namespace: the namespace has 15 "
              "blocks of 2^12 bytes and 8 of metadata");
    a = ns_add(s, 1, SIZE + 4104 * 3);
    /* its metadata lies where it lay */
    g_assert_cmpuint(atomic_load(&a->nsze), ==, 15);
    ns_refuse(s, 2, SIZE - 4096, "medium 2, of which it has bytes up to "
              "63488");
    ns_refuse(s, 3, SIZE, "made by the guest");
    b = ns_add(s, 0, SIZE);
    g_assert_cmpuint(b->medium, ==, 2);
    ns_remove(s, b);
    ns_remove(s, a);
    subsys_close(s);
    g_remove(path);
}

/* ---- records that cannot be -------------------------------------------- */

static void spoil(const char *name, size_t at, uint32_t v, const char *want)
{
    struct envme_state_opts o = { .is_inline = true };
    struct envme_state *state;
    g_autofree char *err = NULL;
    g_autofree uint8_t *copy = NULL;
    const void *data;
    GBytes *b;
    gsize len;

    factory();
    state = envme_state_open(path, "nqn.x", &o, &err);
    b = envme_state_get(state, name);
    g_assert_nonnull(b);
    data = g_bytes_get_data(b, &len);
    copy = g_memdup2(data, len);
    for (unsigned i = 0; i < 4; i++) {
        copy[at + i] = v >> (8 * i);
    }
    envme_state_put(state, name, copy, len);
    g_bytes_unref(b);
    envme_state_close(state);
    g_assert_null(subsys_new(NN, &err));
    if (!strstr(err, want) || !strstr(err, path) || !strstr(err, name)) {
        g_error("'%s' is not in: %s", want, err);
    }
    g_remove(path);
}

static void test_records(void)
{
    g_autofree char *err = NULL;

    spoil("ns/1/namespace", AT_VERSION, 2, "version");
    spoil("ns/2/namespace", AT_NEXTENTS, 2, "wrong length");
    spoil("ns/2/namespace", AT_NEXTENTS, 0, "wrong length");
    spoil("ns/2/namespace", AT_MEDIUM, 0, "a piece that cannot be");
    spoil("ns/2/namespace", AT_ALIGN, 3, "a piece that cannot be");
    spoil("ns/3/namespace", AT_OFFSET, 512, "capacity of another one");
    factory();
    g_assert_null(subsys_new(2, &err));
    g_assert_nonnull(strstr(err, "the least that fits is 3"));
    g_remove(path);
}

/* Held back, nothing is written, however it is asked for. */
static void flushed(void *arg, int err)
{
    g_assert_cmpint(err, ==, 0);
    ++*(unsigned *)arg;
}

static void test_hold(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct envme_state_opts o = { .is_inline = !i };
        g_autofree char *err = NULL;
        struct envme_state *s = envme_state_open(path, "nqn.x", &o, &err);
        g_autofree char *before = NULL, *now = NULL;
        unsigned n = 0;
        gsize len, len2;

        g_assert_true(g_file_get_contents(path, &before, &len, NULL));
        envme_state_hold(s);
        envme_state_hold(s);
        envme_state_put(s, "a", "1", 1);
        envme_state_flush(s, flushed, &n);
        envme_state_release(s);
        envme_state_commit_async(s);
        g_usleep(i * 20000);
        g_assert_cmpuint(n, ==, 0);
        g_assert_true(g_file_get_contents(path, &now, &len2, NULL));
        g_assert_cmpmem(before, len, now, len2);
        envme_state_put(s, "b", "1", 1);
        envme_state_release(s);
        envme_state_sync(s);
        g_assert_cmpuint(n, ==, 1);
        envme_state_close(s);
        s = envme_state_open(path, "nqn.x", &o, &err);
        for (const char *p = "ab"; *p; p++) {
            char name[2] = { *p };
            GBytes *b = envme_state_get(s, name);

            g_assert_nonnull(b);
            g_bytes_unref(b);
        }
        envme_state_close(s);
        g_remove(path);
    }
}

int main(int argc, char **argv)
{
    g_autofree char *dir = g_dir_make_tmp("envme-XXXXXX", NULL);
    int ret;

    g_test_init(&argc, &argv, NULL);
    path = g_build_filename(dir, "state", NULL);
    g_test_add_func("/roster/back", test_back);
    g_test_add_func("/roster/refused", test_refused);
    g_test_add_func("/roster/records", test_records);
    g_test_add_func("/roster/hold", test_hold);
    ret = g_test_run();
    g_rmdir(dir);
    g_free(path);
    return ret;
}
