/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files in faults/: all of them load, and some are seen at work. And the
 * manual's reference is what the tables say.
 *
 * ENVME_SOURCE is the project's directory. With ENVME_UPDATE_DOCS set, the
 * reference in docs/faults.md is written instead of compared.
 */
#include "th-fault.h"

#include "envme/reg.h"

#define MS (1000ull * 1000)
#define S  (1000 * MS)

static char *source(const char *path)
{
    const char *top = g_getenv("ENVME_SOURCE");

    return g_build_filename(top ? top : ".", path, NULL);
}

static char *read_source(const char *path)
{
    g_autofree char *name = source(path);
    g_autoptr(GError) err = NULL;
    char *text;

    if (!g_file_get_contents(name, &text, NULL, &err)) {
        g_error("%s", err->message);
    }
    return text;
}

/* A bus on which nothing can be seen. */
static void bus(void *opaque, unsigned wrong)
{
    (void)opaque;
    (void)wrong;
}

static bool bus_error(void *opaque, bool correctable, uint32_t status)
{
    (void)opaque;
    (void)correctable;
    (void)status;
    return true;
}

static const struct envme_fault_world world = {
    .bus_can = ENVME_BUS_LINK | ENVME_BUS_HANG | ENVME_BUS_MASTER,
    .bus = bus, .bus_error = bus_error,
};

static struct th *host_with(struct envme_faults **f, const char *scenario)
{
    struct th *h = th_new(.lanes = 2, .ns = { { .size = 16 * MIB },
                                              { .size = 1 * MIB, .ms = 8 } });

    *f = envme_faults_new(h->ctrl, &world);
    th_enable(h);
    th_queues(h, 2, 16);
    if (scenario) {
        g_autofree char *path = g_strdup_printf("faults/%s.json", scenario);
        g_autofree char *text = read_source(path);
        g_autoptr(GVariant) tree = tf_json_text(text);
        char *err = NULL;

        if (!envme_faults_load(*f, tree, &err)) {
            g_error("%s: %s", path, err);
        }
    }
    return h;
}

/* ---- all of them ------------------------------------------------------- */

static void test_load(void)
{
    g_autofree char *folder = source("faults");
    g_autoptr(GError) err = NULL;
    GDir *dir = g_dir_open(folder, 0, &err);
    const char *name;
    unsigned n = 0;

    g_assert_no_error(err);
    while ((name = g_dir_read_name(dir))) {
        struct envme_faults *f;
        g_autofree char *path = g_build_filename("faults", name, NULL);
        g_autofree char *text = NULL, *base = NULL;
        g_autoptr(GVariant) tree = NULL, description = NULL;
        struct th *h;

        if (!g_str_has_suffix(name, ".json")) {
            continue;
        }
        text = read_source(path);
        tree = tf_json_text(text);
        description = g_variant_lookup_value(tree, "description",
                                             G_VARIANT_TYPE_STRING);
        g_assert_nonnull(description);
        base = g_strndup(name, strlen(name) - strlen(".json"));
        h = host_with(&f, base);
        tf_done(h, f);
        n++;
    }
    g_dir_close(dir);
    g_assert_cmpuint(n, >=, 25);
}

/* ---- some at work ------------------------------------------------------ */

static void test_status(void)
{
    struct envme_faults *f;
    struct th *h = host_with(&f, "unrecovered-read");
    struct envme_cqe c = th_read(h, .slba = 2050);

    th_assert_sc(c, UNRECOVERED_READ);
    g_assert_true(cqe_dnr(&c));
    th_assert_sc(th_read(h, .slba = 2056), SUCCESS);
    th_run(h);
    g_assert_cmpuint(envme_health_look(h->ctrl, ENVME_HEALTH_MEDIA_ERRORS),
                     ==, 1);
    tf_assert_text(f, "media", "verdict", "open");
    th_advance(h, 11 * S);
    tf_assert_text(f, "media", "verdict", "passed");
    tf_done(h, f);

    h = host_with(&f, "write-fault");
    th_assert_sc(th_write(h, .slba = 4103), WRITE_FAULT);
    th_assert_sc(th_write(h, .slba = 4104), SUCCESS);
    tf_done(h, f);

    h = host_with(&f, "capacity-exceeded");
    for (unsigned i = 1; i <= 12; i++) {
        c = th_write(h, .slba = i);
        g_assert_cmpint(cqe_sc(&c) != 0, ==, i >= 10);
    }
    th_assert_sc(th_read(h), SUCCESS);
    tf_done(h, f);

    h = host_with(&f, "command-interrupted");
    for (unsigned i = 1; i <= 11; i++) {
        c = th_write(h);
        g_assert_cmpint(cqe_sc(&c) != 0, ==, i % 5 == 0);
    }
    tf_assert_text(f, "interrupted", "verdict", "passed");
    g_assert_cmpint(tf_count(f, "interrupted", "met"), ==, 2);
    tf_done(h, f);
}

static void test_data(void)
{
    struct envme_faults *f;
    struct th *h = host_with(&f, "misdirected-write");
    uint8_t a[512], b[512], zero[512] = { 0 };

    th_pattern(a, sizeof(a), 1);
    th_assert_sc(th_write(h, .slba = 16384, .data = a), SUCCESS);
    th_assert_sc(th_read(h, .slba = 16384, .data = b), SUCCESS);
    g_assert_cmpmem(b, sizeof(b), zero, sizeof(zero));
    th_assert_sc(th_read(h, .slba = 16392, .data = b), SUCCESS);
    g_assert_cmpmem(b, sizeof(b), a, sizeof(a));
    tf_done(h, f);

    h = host_with(&f, "lost-write");
    th_assert_sc(th_write(h, .slba = 20485, .data = a), SUCCESS);
    th_assert_sc(th_read(h, .slba = 20485, .data = b), SUCCESS);
    g_assert_cmpmem(b, sizeof(b), zero, sizeof(zero));
    tf_done(h, f);

    h = host_with(&f, "silent-corruption");
    for (unsigned i = 1; i <= 3; i++) {
        th_assert_sc(th_read(h, .slba = 1024, .data = b), SUCCESS);
        g_assert_cmpint(memcmp(b, zero, sizeof(b)) != 0, ==, i == 3);
    }
    tf_done(h, f);

    h = host_with(&f, "flush-lies");
    th_assert_sc(th_rw(h, ENVME_NVM_FLUSH), SUCCESS);
    g_assert_cmpuint(h->be[0]->nops[ENVME_BIO_FLUSH], ==, 0);
    tf_done(h, f);
}

static void test_structures(void)
{
    struct envme_faults *f;
    struct th *h = host_with(&f, "namespace-shrinks");
    g_autofree struct envme_id_ns *ns = g_malloc(4096);
    g_autofree uint8_t *list = g_malloc(4096);
    uint8_t smart[512];

    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, ns), SUCCESS);
    g_assert_cmpuint(le64_get(ns->nsze), ==, 8192);
    th_assert_sc(th_read(h, .slba = 8192), LBA_RANGE);
    tf_assert_text(f, "tell", "verdict", "passed");
    tf_done(h, f);

    h = host_with(&f, "identifiers-change");
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, ns), SUCCESS);
    g_assert_cmphex(ns->nguid[0], !=, 0xde);
    th_disable(h);
    th_enable(h);
    th_assert_sc(th_identify(h, ENVME_CNS_NS, 1, ns), SUCCESS);
    g_assert_cmphex(ns->nguid[0], ==, 0xde);
    th_assert_sc(th_identify(h, ENVME_CNS_NS_DESCS, 1, list), SUCCESS);
    g_assert_cmpuint(list[0], ==, ENVME_NIDT_NGUID);
    g_assert_cmphex(list[4], ==, 0xde);
    g_assert_cmpuint(list[20], ==, ENVME_NIDT_CSI);
    tf_done(h, f);

    h = host_with(&f, "wrong-log-page");
    th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 0, smart, 512,
                            true), SUCCESS);
    g_assert_cmphex(smart[0], ==, 255);
    g_assert_cmphex(smart[1] | smart[2], ==, 0);
    g_assert_cmphex(smart[5], ==, 255);
    tf_done(h, f);
}

static void test_queues(void)
{
    struct envme_faults *f;
    struct th *h = host_with(&f, "queue-refused");

    th_disable(h);
    th_enable(h);
    for (uint16_t q = 1; q <= 2; q++) {
        th_assert_code(th_create_cq(h, .qid = q, .size = 16), SUCCESS);
    }
    th_assert_code(th_create_sq(h, .qid = 1, .cqid = 1, .size = 16), SUCCESS);
    th_assert_code(th_create_sq(h, .qid = 2, .cqid = 2, .size = 16), INTERNAL);
    th_assert_sc(th_read(h), SUCCESS);
    tf_assert_text(f, "refused", "verdict", "passed");
    tf_done(h, f);
}

static void test_registers(void)
{
    struct envme_faults *f;
    struct th *h = host_with(&f, "slow-ready");

    th_disable(h);
    g_assert_false(th_enable_as(h, TH_CC_DEFAULT, 16, 16));
    th_advance(h, 2999 * MS);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & 1, ==, 0);
    th_advance(h, 2 * MS);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & 1, ==, 1);
    tf_done(h, f);

    h = host_with(&f, "never-ready");
    th_disable(h);
    g_assert_false(th_enable_as(h, TH_CC_DEFAULT, 16, 16));
    th_advance(h, 60 * S);
    g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & 1, ==, 0);
    tf_assert_text(f, "never", "verdict", "passed");
    tf_done(h, f);
}

static void test_verdict(void)
{
    struct envme_faults *f;
    struct th *h = host_with(&f, "no-reset");
    g_autofree char *v = NULL, *w = NULL;

    th_assert_sc(th_read(h), SUCCESS);
    v = tf_verdict(f);
    g_assert_cmpstr(v, ==, "passed");
    th_disable(h);
    w = tf_verdict(f);
    g_assert_cmpstr(w, ==, "failed");
    tf_assert_text(f, "reset", "why", "the host reset the controller");
    th_enable(h);
    tf_done(h, f);
}

/* ---- the manual -------------------------------------------------------- */

#define BEGIN "<!-- reference: begin -->\n"
#define END   "<!-- reference: end -->"

static void test_reference(void)
{
    g_autofree char *doc = read_source("docs/faults.md");
    g_autofree char *want = envme_faults_reference();
    char *begin = strstr(doc, BEGIN), *end = strstr(doc, END);
    g_autofree char *got = NULL;

    g_assert_nonnull(begin);
    g_assert_nonnull(end);
    begin += strlen(BEGIN);
    got = g_strndup(begin, end - begin);
    if (g_getenv("ENVME_UPDATE_DOCS")) {
        g_autofree char *head = g_strndup(doc, begin - doc);
        g_autofree char *new = g_strconcat(head, want, "\n", end, NULL);
        g_autofree char *name = source("docs/faults.md");

        g_assert_true(g_file_set_contents(name, new, -1, NULL));
        return;
    }
    if (strncmp(got, want, strlen(want)) || strcmp(got + strlen(want), "\n")) {
        g_error("docs/faults.md is not what the tables say; ENVME_UPDATE_DOCS=1 "
                "ENVME_SOURCE=. build/tests/host/host-scenarios writes it");
    }
}

/* What this one does is told in the manual, too. */
static void test_listed(void)
{
    g_autofree char *doc = read_source("docs/faults.md");
    g_autofree char *folder = source("faults");
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *word = g_strndup(name, strcspn(name, "."));
        g_autofree char *quoted = g_strdup_printf("`%s`", word);

        if (!strstr(doc, quoted)) {
            g_error("docs/faults.md has nothing on faults/%s", name);
        }
    }
    g_dir_close(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scenarios/load", test_load);
    g_test_add_func("/scenarios/status", test_status);
    g_test_add_func("/scenarios/data", test_data);
    g_test_add_func("/scenarios/structures", test_structures);
    g_test_add_func("/scenarios/queues", test_queues);
    g_test_add_func("/scenarios/registers", test_registers);
    g_test_add_func("/scenarios/verdict", test_verdict);
    g_test_add_func("/scenarios/reference", test_reference);
    g_test_add_func("/scenarios/listed", test_listed);
    return g_test_run();
}
