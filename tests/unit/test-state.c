/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a subsystem: records, the file's format, damage of every kind,
 * crashes and power cuts at every point, the lock, and the thread that writes.
 */
#include "state-ops.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/wait.h>

#include "hw/core/crc.h"
#include "hw/ns/state-file.h"

#define NQN "nqn.2019-08.org.example:a"

static char *folder;

static char *fresh(void)
{
    static unsigned n;

    return g_strdup_printf("%s/s%u", folder, n++);
}

static void clean(char *path)
{
    g_autofree char *tmp = g_strconcat(path, ".tmp", NULL);

    g_assert_cmpint(g_access(tmp, F_OK), ==, -1);
    g_remove(path);
    g_free(path);
}

static struct envme_state *open_with(const char *path, const char *nqn,
                                     struct so *o, bool is_inline)
{
    struct envme_state_opts opts = {
        .ops = o ? &o->ops : NULL, .is_inline = is_inline,
    };
    char *err = NULL;
    struct envme_state *s = envme_state_open(path, nqn, &opts, &err);

    if (!s) {
        g_test_message("%s", err);
        g_free(err);
    }
    return s;
}

/* Without waiting for the disk: that is for the tests which need it. */
static struct so quick;

static struct envme_state *open_ok(const char *path)
{
    struct envme_state *s = open_with(path, NQN, &quick, true);

    g_assert_nonnull(s);
    return s;
}

/* It is refused, with that in the sentence, and stays as it is. */
static void refused(const char *path, const char *nqn, const char *want)
{
    g_autoptr(GBytes) before = so_contents(path), after = NULL;
    char *err = NULL;
    struct envme_state *s = envme_state_open(path, nqn, NULL, &err);

    g_assert_null(s);
    if (!g_str_has_prefix(err, "state=") || !strstr(err, path) ||
        !strstr(err, want) || !strstr(err, "; ")) {
        g_error("'%s' is not in: %s", want, err);
    }
    g_free(err);
    after = so_contents(path);
    g_assert(!before == !after);
    g_assert(!before || g_bytes_equal(before, after));
}

static void put_str(struct envme_state *s, const char *name, const char *v)
{
    envme_state_put(s, name, v, strlen(v));
}

static void has_str(struct envme_state *s, const char *name, const char *v)
{
    g_autoptr(GBytes) b = envme_state_get(s, name);
    gsize len;

    g_assert(!b == !v);
    if (v) {
        const char *p = g_bytes_get_data(b, &len);

        g_assert_cmpmem(p, len, v, strlen(v));
    }
}

/* ---- records ----------------------------------------------------------- */

static void collect(void *arg, const char *name, GBytes *data)
{
    g_string_append_printf(arg, "%s=%.*s ", name,
                           (int)g_bytes_get_size(data),
                           (const char *)g_bytes_get_data(data, NULL));
}

static void all(struct envme_state *s, const char *prefix, const char *want)
{
    g_autoptr(GString) got = g_string_new(NULL);

    envme_state_foreach(s, prefix, collect, got);
    g_assert_cmpstr(got->str, ==, want);
}

static void test_records(void)
{
    char *path = fresh();
    struct envme_state *s = open_ok(path);
    char buf[8];

    all(s, "", "");
    put_str(s, "ns/2", "two");
    put_str(s, "ns/1", "one");
    put_str(s, "fw", "1.0");
    put_str(s, "nsx", "?");
    all(s, "", "fw=1.0 ns/1=one ns/2=two nsx=? ");
    all(s, "ns/", "ns/1=one ns/2=two ");
    put_str(s, "ns/1", "uno");
    has_str(s, "ns/1", "uno");
    envme_state_remove(s, "nsx");
    envme_state_remove(s, "not there");
    memset(buf, 0xee, sizeof(buf));
    g_assert_cmpuint(envme_state_read(s, "fw", buf, sizeof(buf)), ==, 3);
    g_assert_cmpmem(buf, 8, "1.0\0\0\0\0\0", 8);
    g_assert_cmpuint(envme_state_read(s, "fw", buf, 2), ==, 3);
    g_assert_cmpuint(envme_state_read(s, "none", buf, sizeof(buf)), ==, 0);
    g_assert_cmpmem(buf, 8, "\0\0\0\0\0\0\0\0", 8);
    g_assert_cmpint(envme_state_close(s), ==, 0);

    s = open_ok(path);
    all(s, "", "fw=1.0 ns/1=uno ns/2=two ");
    envme_state_remove_all(s, "ns/");
    all(s, "", "fw=1.0 ");
    g_assert_cmpint(envme_state_close(s), ==, 0);
    s = open_ok(path);
    all(s, "", "fw=1.0 ");
    envme_state_close(s);
    clean(path);
}

static void count_done(void *arg, int err)
{
    g_assert_cmpint(err, ==, 0);
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static void test_null(void)
{
    atomic_uint n = 0;
    char c = 'x';

    put_str(NULL, "a", "b");
    has_str(NULL, "a", NULL);
    g_assert_cmpuint(envme_state_read(NULL, "a", &c, 1), ==, 0);
    g_assert_cmpint(c, ==, 0);
    envme_state_remove(NULL, "a");
    envme_state_remove_all(NULL, "");
    all(NULL, "", "");
    envme_state_commit_async(NULL);
    envme_state_flush(NULL, count_done, &n);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmpint(envme_state_sync(NULL), ==, 0);
    g_assert_cmpint(envme_state_close(NULL), ==, 0);
}

/* Nothing is written when nothing has changed. */
static void test_unchanged(void)
{
    char *path = fresh();
    struct envme_state *s;
    struct so o;
    unsigned before;

    so_init(&o, path);
    s = open_with(path, NQN, &o, true);
    put_str(s, "a", "1");
    g_assert_cmpint(envme_state_sync(s), ==, 0);
    before = o.calls;
    put_str(s, "a", "1");
    envme_state_remove(s, "b");
    envme_state_commit_async(s);
    g_assert_cmpint(envme_state_sync(s), ==, 0);
    g_assert_cmpuint(o.calls, ==, before);
    put_str(s, "a", "2");
    g_assert_cmpuint(o.calls, ==, before);
    envme_state_commit_async(s);
    g_assert_cmpuint(o.calls, >, before);
    before = o.calls;
    envme_state_close(s);
    g_assert_cmpuint(o.calls, ==, before);
    so_fini(&o);
    clean(path);
}

static void test_big(void)
{
    char *path = fresh();
    g_autofree char *big = g_malloc(ENVME_STATE_RECORD_MAX);
    g_autofree char *name = g_strnfill(ENVME_STATE_NAME_MAX, 'n');
    struct envme_state *s = open_ok(path);
    g_autoptr(GBytes) b = NULL;
    gsize len;

    for (size_t i = 0; i < ENVME_STATE_RECORD_MAX; i++) {
        big[i] = i * 2654435761u >> 13;
    }
    envme_state_put(s, name, big, ENVME_STATE_RECORD_MAX);
    put_str(s, "small", "x");
    g_assert_cmpint(envme_state_close(s), ==, 0);
    s = open_ok(path);
    b = envme_state_get(s, name);
    g_assert_nonnull(b);
    g_assert_cmpint(memcmp(g_bytes_get_data(b, &len), big,
                           ENVME_STATE_RECORD_MAX), ==, 0);
    g_assert_cmpuint(len, ==, ENVME_STATE_RECORD_MAX);
    has_str(s, "small", "x");
    envme_state_close(s);
    clean(path);
}

/* ---- the bytes --------------------------------------------------------- */

/* docs/state.md, by hand. */
static void test_format(void)
{
    char *path = fresh(), *data;
    struct envme_state *s = open_ok(path);
    uint8_t want[272 + 16 + 24] = "ENVMSTAT";
    uint8_t *p = want;
    uint32_t crc;
    gsize len;

    put_str(s, "b", "12345");
    put_str(s, "a", "x");
    g_assert_cmpint(envme_state_close(s), ==, 0);
    g_assert(g_file_get_contents(path, &data, &len, NULL));
    p[8] = 1;                   /* version */
    p[12] = 272 & 0xff;
    p[13] = 272 >> 8;
    p[16] = 2;                  /* made, and written once */
    p[24] = sizeof(want) & 0xff;
    p[25] = sizeof(want) >> 8;
    p[32] = 2;                  /* records */
    memcpy(p + 40, NQN, strlen(NQN));
    p = want + 272;
    memcpy(p + 4, "\1\0\0\0\1\0\0\0ax", 10);
    crc = GUINT32_TO_LE(envme_crc32c(0, p + 4, 12));
    memcpy(p, &crc, 4);
    p += 16;
    memcpy(p + 4, "\1\0\0\0\5\0\0\0b12345", 14);
    crc = GUINT32_TO_LE(envme_crc32c(0, p + 4, 20));
    memcpy(p, &crc, 4);
    crc = GUINT32_TO_LE(envme_crc32c(0, want + 272, 40));
    memcpy(want + 264, &crc, 4);
    crc = GUINT32_TO_LE(envme_crc32c(0, want, 268));
    memcpy(want + 268, &crc, 4);
    g_assert_cmpmem(data, len, want, sizeof(want));
    g_free(data);
    clean(path);
}

/* A valid file with some records. */
static uint8_t *sample(const char *path, gsize *len)
{
    struct envme_state *s = open_ok(path);
    char *data;

    put_str(s, "ns/1", "a namespace");
    put_str(s, "fw", "firmware");
    put_str(s, "ctrl/0/smart", "counters");
    g_assert_cmpint(envme_state_close(s), ==, 0);
    g_assert(g_file_get_contents(path, &data, len, NULL));
    return (uint8_t *)data;
}

static void store(const char *path, const void *data, gsize len)
{
    FILE *f = fopen(path, "w");

    g_assert(f && fwrite(data, 1, len, f) == len && !fclose(f));
}

static void test_damage(void)
{
    char *path = fresh();
    gsize len;
    g_autofree uint8_t *good = sample(path, &len);
    g_autofree uint8_t *bad = g_malloc0(len + 64);

    for (gsize i = 0; i < len; i++) {
        for (unsigned k = 0; k < 3; k++) {
            memcpy(bad, good, len);
            bad[i] ^= k == 0 ? 0xff : k == 1 ? 0x01 : 0x80;
            store(path, bad, len);
            refused(path, NQN, i < 8 ? "is not a state file" : "is damaged");
        }
    }
    for (gsize i = 0; i < len; i++) {
        store(path, good, i);
        refused(path, NQN, "is damaged");
        /* The length is there, the contents are not. */
        memcpy(bad, good, len);
        memset(bad + i, 0, len - i);
        if (memcmp(bad, good, len)) {
            store(path, bad, len);
            refused(path, NQN, i < 8 ? "is not a state file" : "is damaged");
        }
    }
    memcpy(bad, good, len);
    for (gsize i = 1; i <= 64; i++) {
        store(path, bad, len + i);
        refused(path, NQN, "is damaged");
    }
    store(path, good, len);
    envme_state_close(open_ok(path));
    clean(path);
}

static void put32(uint8_t *p, uint32_t v)
{
    v = GUINT32_TO_LE(v);
    memcpy(p, &v, 4);
}

static void seal(uint8_t *p, gsize len)
{
    put32(p + 264, envme_crc32c(0, p + 272, len - 272));
    put32(p + 268, envme_crc32c(0, p, 268));
}

static uint8_t *record(uint8_t *p, const char *name, uint32_t nlen,
                       uint32_t dlen)
{
    size_t all_bytes = (12 + strlen(name) + 4 + 7) / 8 * 8;

    memset(p, 0, all_bytes);
    put32(p + 4, nlen);
    put32(p + 8, dlen);
    memcpy(p + 12, name, strlen(name));
    put32(p, envme_crc32c(0, p + 4, all_bytes - 4));
    return p + all_bytes;
}

/* Right checksums, wrong contents. */
static void test_forged(void)
{
    static const struct {
        const char *a, *b;
        uint32_t alen, blen, adata, bdata, count;
    } t[] = {
        { "a", "b", 1, 1, 4, 4, 1 },
        { "a", "b", 1, 1, 4, 4, 3 },
        { "a", "b", 1, 1, 4, 4, UINT32_MAX },
        { "b", "a", 1, 1, 4, 4, 2 },
        { "a", "a", 1, 1, 4, 4, 2 },
        { "a", "b", 1, 0, 4, 5, 2 },
        { "a", "b", 1, 1, 4, 0, 2 },
        { "a", "b", 1, 1, 4, 400, 2 },
        { "a", "b", 1, 1, 4, UINT32_MAX, 2 },
        { "a", "b", 1, 200, 4, 4, 2 },
        { "a", "b", 1, UINT32_MAX, 4, 4, 2 },
        { "a b", "c", 3, 1, 4, 4, 2 },
        { "\x7f", "\x80", 1, 1, 4, 4, 2 },
    };
    char *path = fresh();
    gsize len;
    g_autofree uint8_t *good = sample(path, &len);

    for (unsigned i = 0; i < G_N_ELEMENTS(t); i++) {
        uint8_t bad[512], *end;

        memcpy(bad, good, 272);
        end = record(bad + 272, t[i].a, t[i].alen, t[i].adata);
        end = record(end, t[i].b, t[i].blen, t[i].bdata);
        put32(bad + 32, t[i].count);
        put32(bad + 24, end - bad);
        seal(bad, end - bad);
        store(path, bad, end - bad);
        refused(path, NQN, "is damaged");
    }
    /* The header's own length, and a version to come. */
    put32(good + 12, 280);
    put32(good + 276, envme_crc32c(0, good, 276));
    store(path, good, len);
    refused(path, NQN, "is damaged");
    put32(good + 8, 2);
    put32(good + 276, envme_crc32c(0, good, 276));
    store(path, good, len);
    refused(path, NQN, "version 2");
    put32(good + 12, 272);
    seal(good, len);
    store(path, good, len);
    refused(path, NQN, "version 2");
    clean(path);
}

static void test_ident(void)
{
    char *path = fresh();
    gsize len;

    g_free(sample(path, &len));
    refused(path, NQN "b", NQN);
    refused(path, "nqn.2019-08.org.example:", "belongs to");
    envme_state_close(open_ok(path));
    clean(path);
}

/* ---- paths ------------------------------------------------------------- */

static void test_paths(void)
{
    g_autofree char *dir = g_strconcat(folder, "/d", NULL);
    g_autofree char *sub = g_strconcat(folder, "/missing/s", NULL);
    g_autofree char *slash = g_strconcat(folder, "/s/", NULL);
    g_autofree char *fifo = g_strconcat(folder, "/fifo", NULL);
    g_autofree char *link = g_strconcat(folder, "/link", NULL);
    g_autofree char *cwd = g_get_current_dir();
    g_autofree char *tmp = NULL;
    struct envme_state *s;
    struct stat st;
    char *path = fresh();

    g_assert_cmpint(mkdir(dir, 0700), ==, 0);
    refused(dir, NQN, "directory");
    g_assert_cmpint(rmdir(dir), ==, 0);
    refused(sub, NQN, "directory");
    refused(slash, NQN, "name");
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    refused(fifo, NQN, "regular file");
    g_remove(fifo);
    refused("/dev/null", NQN, "regular file");
    g_assert_cmpint(symlink(path, link), ==, 0);
    refused(link, NQN, "link to nothing");
    store(path, "", 0);
    refused(path, NQN, "empty");
    g_remove(path);

    /* A link stays one, permissions stay, what was left over goes. */
    envme_state_close(open_ok(path));
    g_assert_cmpint(chmod(path, 0640), ==, 0);
    tmp = g_strconcat(path, ".tmp", NULL);
    store(tmp, "left over", 9);
    s = open_ok(link);
    put_str(s, "a", "1");
    g_assert_cmpint(envme_state_close(s), ==, 0);
    g_assert(!lstat(link, &st) && S_ISLNK(st.st_mode));
    g_assert(!lstat(path, &st) && S_ISREG(st.st_mode));
    g_assert_cmpuint(st.st_mode & 07777, ==, 0640);
    g_remove(link);
    clean(path);

    /* The same with one that is not there yet; relative, after a chdir. */
    g_assert_cmpint(chdir(folder), ==, 0);
    store("rel.tmp", "left over", 9);
    s = open_ok("rel");
    g_assert_cmpint(chdir("/"), ==, 0);
    put_str(s, "a", "1");
    g_assert_cmpint(envme_state_close(s), ==, 0);
    g_assert_cmpint(chdir(cwd), ==, 0);
    path = g_strconcat(folder, "/rel", NULL);
    s = open_ok(path);
    has_str(s, "a", "1");
    envme_state_close(s);
    clean(path);
}

/* ---- the lock ---------------------------------------------------------- */

static void other_process(const char *path, bool is_free)
{
    pid_t pid = fork();
    int status;

    if (!pid) {
        char *err = NULL;
        struct envme_state_opts opts = { .is_inline = true };
        struct envme_state *s = envme_state_open(path, NQN, &opts, &err);

        _exit(s ? 0 : strstr(err, "in use") ? 1 : 2);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, is_free ? 0 : 1);
}

static void test_lock(void)
{
    char *path = fresh();
    struct envme_state *s = open_ok(path);

    for (unsigned i = 0; i < 4; i++) {
        char v[] = { 'a' + i, 0 };

        refused(path, NQN, "in use");
        other_process(path, false);
        put_str(s, "a", v);
        g_assert_cmpint(envme_state_sync(s), ==, 0);
    }
    has_str(s, "a", "d");
    envme_state_close(s);
    other_process(path, true);
    envme_state_close(open_ok(path));
    clean(path);
}

/* Somebody has moved it away and put another there: that one stays. */
static void test_replaced(void)
{
    char *path = fresh();
    g_autofree char *away = g_strconcat(path, ".away", NULL);
    struct envme_state *s = open_ok(path), *t;

    put_str(s, "a", "mine");
    g_assert_cmpint(envme_state_sync(s), ==, 0);
    g_assert_cmpint(rename(path, away), ==, 0);
    t = open_ok(path);
    put_str(t, "a", "theirs");
    g_assert_cmpint(envme_state_sync(t), ==, 0);
    put_str(s, "a", "mine again");
    g_assert_cmpint(envme_state_sync(s), ==, -ESTALE);
    envme_state_close(t);
    g_assert_cmpint(envme_state_close(s), ==, -ESTALE);
    s = open_ok(path);
    has_str(s, "a", "theirs");
    envme_state_close(s);
    /* One that was removed comes back. */
    s = open_ok(away);
    has_str(s, "a", "mine");
    g_remove(away);
    put_str(s, "a", "back");
    g_assert_cmpint(envme_state_close(s), ==, 0);
    s = open_ok(away);
    has_str(s, "a", "back");
    envme_state_close(s);
    g_remove(away);
    clean(path);
}

/* ---- crashes ----------------------------------------------------------- */

/*
 * One run: open (or make), change two records and a third, sync. Says whether
 * the sync said that it is durable.
 */
static bool run(struct so *o, const char *path, bool close_it, int *ret)
{
    struct envme_state *s = open_with(path, NQN, o, true);
    int err;

    *ret = -1;
    if (!s) {
        return false;
    }
    put_str(s, "a", "new");
    put_str(s, "b", "new");
    envme_state_remove(s, "c");
    err = *ret = envme_state_sync(s);
    if (close_it) {
        int again = envme_state_close(s);

        /* The next try went well, unless nothing goes any more. */
        g_assert(!again || o->fail_from);
        return !again;
    }
    /* After a crash nothing is closed; but the lock goes. */
    envme_state_close(s);
    return !err;
}

static void old_or_new(const char *path, bool must_be_new, bool may_be_none)
{
    struct envme_state *s = open_ok(path);

    if (must_be_new) {
        all(s, "", "a=new b=new ");
    } else {
        g_autoptr(GString) got = g_string_new(NULL);

        envme_state_foreach(s, "", collect, got);
        if (strcmp(got->str, "a=new b=new ") &&
            strcmp(got->str, may_be_none ? "" : "a=old b=old c=old ")) {
            g_error("neither old nor new: %s", got->str);
        }
    }
    envme_state_close(s);
}

static void make_old(const char *path)
{
    struct envme_state *s = open_ok(path);

    put_str(s, "a", "old");
    put_str(s, "b", "old");
    put_str(s, "c", "old");
    g_assert_cmpint(envme_state_close(s), ==, 0);
}

/* mode 0: the nth call fails; 1: it is the last of the process; 2: of the
 * machine. Returns false when there is no nth. */
static bool nth(unsigned n, unsigned mode, bool is_there, int errnum,
                size_t torn, size_t write_max)
{
    char *path = fresh();
    bool is_new, hit;
    struct so o;
    int ret;

    if (is_there) {
        make_old(path);
    }
    so_init(&o, path);
    o.fail_errno = errnum;
    o.torn = torn;
    o.write_max = write_max;
    o.crash = mode;
    *(mode ? &o.fail_from : &o.fail_at) = n;
    is_new = run(&o, path, !mode, &ret);
    hit = o.was_hit;
    g_assert(hit || !ret);
    if (mode == 2) {
        so_power_cut(&o);
    }
    so_fini(&o);
    old_or_new(path, is_new, !is_there);
    clean(path);
    return hit;
}

static void test_nth(void)
{
    static const int errs[] = { EIO, ENOSPC };

    for (unsigned mode = 0; mode < 3; mode++) {
        for (unsigned is_there = 0; is_there < 2; is_there++) {
            for (unsigned e = 0; e < 2; e++) {
                unsigned n = 1;

                while (nth(n, mode, is_there, errs[e], 20, 0)) {
                    n++;
                }
                /* All the calls that there are. */
                g_assert_cmpuint(n, ==, 1 + (is_there ? 4 + 7 : 6 + 7));
            }
        }
    }
}

/* The write is torn after every byte; and comes in every size. */
static void test_torn(void)
{
    unsigned len = 272 + 2 * 16, write_call;
    char *path = fresh();
    struct so o;
    int ret;

    make_old(path);
    so_init(&o, path);
    g_assert(run(&o, path, true, &ret));
    write_call = o.write_at;
    so_fini(&o);
    clean(path);
    for (unsigned torn = 0; torn <= len; torn++) {
        g_assert(nth(write_call, 1, true, EIO, torn, 0));
        g_assert(nth(write_call, 0, true, ENOSPC, torn, 0));
    }
    for (unsigned max = 1; max <= 64; max++) {
        nth(1000, 0, true, EIO, 0, max);
        nth(write_call + 1, 2, true, EIO, 1, max);
    }
}

/* A failure is said once, and the callbacks get it; then it goes on. */
static void said(void *opaque, const char *text)
{
    g_assert(strstr(text, "state="));
    (*(unsigned *)opaque)++;
}

static void take_err(void *arg, int err)
{
    *(int *)arg = err;
}

static void test_failing(void)
{
    char *path = fresh(), *err = NULL;
    g_autofree char *tmp = g_strconcat(path, ".tmp", NULL);
    unsigned nsaid = 0;
    struct so o;
    struct envme_state_opts opts = {
        .ops = &o.ops, .is_inline = true, .say = said, .opaque = &nsaid,
    };
    struct envme_state *s;
    int got = 1;

    so_init(&o, path);
    s = envme_state_open(path, NQN, &opts, &err);
    g_assert_nonnull(s);
    o.fail_errno = ENOSPC;
    o.fail_from = o.calls + 1;
    for (unsigned i = 0; i < 3; i++) {
        char v[] = { '0' + i, 0 };

        put_str(s, "a", v);
        envme_state_flush(s, take_err, &got);
        g_assert_cmpint(got, ==, -ENOSPC);
        g_assert_cmpuint(nsaid, ==, 1);
        has_str(s, "a", v);
    }
    o.fail_from = 0;
    envme_state_flush(s, take_err, &got);
    g_assert_cmpint(got, ==, 0);
    /* A write that fails half-way leaves nothing behind. */
    for (unsigned i = 2; i <= 5; i++) {
        o.fail_at = o.calls + i;
        put_str(s, "a", i & 1 ? "y" : "z");
        g_assert_cmpint(envme_state_sync(s), ==, -ENOSPC);
        g_assert_cmpint(g_access(tmp, F_OK), ==, -1);
    }
    put_str(s, "a", "2");
    g_assert_cmpint(envme_state_sync(s), ==, 0);
    nsaid = 1;
    o.fail_from = o.calls + 1;
    put_str(s, "a", "x");
    g_assert_cmpint(envme_state_close(s), ==, -ENOSPC);
    g_assert_cmpuint(nsaid, ==, 2);
    so_fini(&o);
    s = open_ok(path);
    has_str(s, "a", "2");
    envme_state_close(s);
    clean(path);
}

/* A process that is killed: what it was told is durable is there. */
static void test_kill(void)
{
    char *path = fresh();
    uint32_t last = 0;

    for (unsigned i = 0; i < 15; i++) {
        int pipes[2];
        uint32_t v, seen = last;
        struct envme_state *s;
        pid_t pid;

        g_assert_cmpint(pipe(pipes), ==, 0);
        pid = fork();
        if (!pid) {
            close(pipes[0]);
            s = envme_state_open(path, NQN, NULL, (char *[]){ NULL });
            for (v = last + 1;; v++) {
                envme_state_put(s, "a", &v, sizeof(v));
                envme_state_put(s, "b", &v, sizeof(v));
                if (envme_state_sync(s) ||
                    write(pipes[1], &v, sizeof(v)) != sizeof(v)) {
                    _exit(1);
                }
            }
        }
        close(pipes[1]);
        g_assert_cmpint(read(pipes[0], &seen, sizeof(seen)), ==,
                        sizeof(seen));
        g_usleep(g_random_int_range(0, 3000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (read(pipes[0], &seen, sizeof(seen)) == sizeof(seen)) {
        }
        close(pipes[0]);
        s = open_ok(path);
        g_assert_cmpuint(envme_state_read(s, "a", &v, sizeof(v)), ==, 4);
        g_assert_cmpuint(v, >=, seen);
        g_assert_cmpuint(v, <=, seen + 1);
        envme_state_read(s, "b", &last, sizeof(last));
        g_assert_cmpuint(v, ==, last);
        envme_state_close(s);
    }
    clean(path);
}

/* ---- the thread -------------------------------------------------------- */

static void test_async(void)
{
    char *path = fresh();
    atomic_uint done = 0;
    struct envme_state *s;
    struct so o;
    unsigned before;

    so_init(&o, path);
    s = open_with(path, NQN, &o, false);
    before = o.fsyncs;
    pthread_mutex_lock(&o.lock);
    o.hold = true;
    pthread_mutex_unlock(&o.lock);
    put_str(s, "a", "first");
    envme_state_commit_async(s);
    pthread_mutex_lock(&o.lock);
    while (!o.held) {
        pthread_cond_wait(&o.cond, &o.lock);
    }
    pthread_mutex_unlock(&o.lock);
    /* It is in fsync() now. Nothing of this waits for it. */
    for (uint32_t i = 0; i < 1000; i++) {
        envme_state_put(s, "n", &i, sizeof(i));
        envme_state_flush(s, count_done, &done);
        envme_state_commit_async(s);
    }
    has_str(s, "a", "first");
    g_assert_cmpuint(done, ==, 0);
    pthread_mutex_lock(&o.lock);
    o.hold = false;
    pthread_cond_broadcast(&o.cond);
    pthread_mutex_unlock(&o.lock);
    g_assert_cmpint(envme_state_sync(s), ==, 0);
    g_assert_cmpuint(done, ==, 1000);
    /* Two writes, of the file and the directory each. */
    g_assert_cmpuint(o.fsyncs - before, ==, 4);
    put_str(s, "z", "at the end");
    g_assert_cmpint(envme_state_close(s), ==, 0);
    so_fini(&o);
    s = open_ok(path);
    has_str(s, "z", "at the end");
    envme_state_close(s);
    clean(path);
}

struct many {
    struct envme_state *s;
    unsigned index;
    atomic_uint *done;
};

static gpointer many_run(gpointer opaque)
{
    struct many *m = opaque;
    char name[16];

    for (uint32_t i = 0; i < 300; i++) {
        g_snprintf(name, sizeof(name), "t%u/%u", m->index, i % 7);
        envme_state_put(m->s, name, &i, sizeof(i));
        if (i % 3 == 0) {
            envme_state_flush(m->s, count_done, m->done);
        } else if (i % 3 == 1) {
            envme_state_commit_async(m->s);
        } else {
            g_bytes_unref(envme_state_get(m->s, name));
        }
        if (i % 100 == 99) {
            g_assert_cmpint(envme_state_sync(m->s), ==, 0);
        }
    }
    return NULL;
}

static void test_threads(void)
{
    char *path = fresh();
    struct envme_state *s = open_with(path, NQN, &quick, false);
    atomic_uint done = 0;
    struct many m[4];
    GThread *t[4];

    for (unsigned i = 0; i < 4; i++) {
        m[i] = (struct many){ s, i, &done };
        t[i] = g_thread_new("many", many_run, &m[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        g_thread_join(t[i]);
    }
    g_assert_cmpint(envme_state_close(s), ==, 0);
    g_assert_cmpuint(done, ==, 400);
    s = open_ok(path);
    for (unsigned i = 0; i < 28; i++) {
        uint32_t v;
        char name[16];

        g_snprintf(name, sizeof(name), "t%u/%u", i / 7, i % 7);
        g_assert_cmpuint(envme_state_read(s, name, &v, sizeof(v)), ==, 4);
        g_assert_cmpuint(v, ==, 299 - (299 - i % 7) % 7);
    }
    envme_state_close(s);
    clean(path);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("envme-state-XXXXXX", NULL);
    so_init(&quick, "");
    g_test_add_func("/state/records", test_records);
    g_test_add_func("/state/null", test_null);
    g_test_add_func("/state/unchanged", test_unchanged);
    g_test_add_func("/state/big", test_big);
    g_test_add_func("/state/format", test_format);
    g_test_add_func("/state/damage", test_damage);
    g_test_add_func("/state/forged", test_forged);
    g_test_add_func("/state/ident", test_ident);
    g_test_add_func("/state/paths", test_paths);
    g_test_add_func("/state/lock", test_lock);
    g_test_add_func("/state/replaced", test_replaced);
    g_test_add_func("/state/nth", test_nth);
    g_test_add_func("/state/torn", test_torn);
    g_test_add_func("/state/failing", test_failing);
    g_test_add_func("/state/kill", test_kill);
    g_test_add_func("/state/async", test_async);
    g_test_add_func("/state/threads", test_threads);
    ret = g_test_run();
    so_fini(&quick);
    g_assert_cmpint(rmdir(folder), ==, 0);
    g_free(folder);
    return ret;
}
