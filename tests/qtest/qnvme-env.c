/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tests' surroundings: command line, files, processes. See qnvme.h.
 */
#include "qnvme.h"

#include <sys/wait.h>

static bool env_smoke(void)
{
    const char *s = g_getenv("ENVME_QTEST_SMOKE");

    return s && *s == '1';
}

void qn_add(const char *path, void (*fn)(void), unsigned flags)
{
    if (!env_smoke() || (flags & QN_SMOKE)) {
        g_test_add_func(path, fn);
    }
}

void qn_add_data(const char *path, const void *data, void (*fn)(const void *),
                 unsigned flags)
{
    if (!env_smoke() || (flags & QN_SMOKE)) {
        g_test_add_data_func(path, data, fn);
    }
}

const char *qn_device(void)
{
    const char *s = g_getenv("ENVME_DEVICE");

    return s && *s ? s : "envme";
}

bool qn_is_envme(void)
{
    return g_str_equal(qn_device(), "envme");
}

bool qn_sanitized(void)
{
    return g_getenv("ENVME_QTEST_SANITIZED");
}

char *qn_tmp(const char *name)
{
    const char *dir = g_getenv("ENVME_QTEST_TMP");

    return g_build_filename(dir && *dir ? dir : g_get_tmp_dir(), name, NULL);
}

char *qn_rom(const uint8_t *code, size_t size)
{
    static const uint8_t jump[] = { 0xe9, 0x0d, 0x80 };     /* to 8000h */
    g_autofree uint8_t *rom = g_malloc(65536);
    char *path = qn_tmp("guest");

    g_assert_cmpuint(size, <=, 0xfff0 - 0x8000);
    memset(rom, 0xf4, 65536);
    memcpy(rom + 0x8000, code, size);
    memcpy(rom + 0xfff0, jump, sizeof(jump));
    g_assert_true(g_file_set_contents(path, (char *)rom, 65536, NULL));
    return path;
}

QPCIDevice *qn_root_port(QNvme *q)
{
    QPCIDevice *rp = qpci_device_find(q->bus, QPCI_DEVFN(3, 0));

    g_assert_nonnull(rp);
    qpci_config_writeb(rp, PCI_PRIMARY_BUS, 0);
    qpci_config_writeb(rp, PCI_SECONDARY_BUS, 1);
    qpci_config_writeb(rp, PCI_SUBORDINATE_BUS, 1);
    /* libqos hands addresses out from E0000000h. */
    qpci_config_writew(rp, PCI_MEMORY_BASE, 0xe000);
    qpci_config_writew(rp, PCI_MEMORY_LIMIT, 0xe7f0);
    qpci_config_writew(rp, PCI_COMMAND,
                       PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    return rp;
}

char *qn_image(const char *name, uint64_t size)
{
    char *path = qn_tmp(name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    close(fd);
    return path;
}

/* The CPU never runs: any firmware image will do, so that none is needed. */
static char *env_bios(void)
{
    return qn_image("bios", 64 << 10);
}

static char *env_plugin(void)
{
    const char *module = g_getenv("ENVME_MODULE");

    return module && *module ? g_strdup_printf("-plugin %s ", module) :
           g_strdup("");
}

char *qn_base_args(const char *machine)
{
    g_autofree char *bios = env_bios(), *plugin = env_plugin();

    return g_strdup_printf("-machine %s -m 256M -nodefaults -bios %s %s",
                           machine ? machine : "q35", bios, plugin);
}

static int env_spawn(char **argv, char **envp, char **out, char **err)
{
    g_autofree char *o = NULL, *e = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_spawn_sync(NULL, argv, envp, G_SPAWN_SEARCH_PATH, NULL, NULL, &o, &e,
                 &status, &error);
    g_assert_no_error(error);
    if (e && *e) {
        g_test_message("stderr: %s", e);
    }
    if (out) {
        *out = g_steal_pointer(&o);
    }
    if (err) {
        *err = g_steal_pointer(&e);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int env_spawn_line(const char *line, char **envp, char **out,
                          char **err)
{
    g_auto(GStrv) argv = NULL;

    g_test_message("running: %s", line);
    g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
    return env_spawn(argv, envp, out, err);
}

/* timeout: a QEMU that starts although it should not is a failure, not a
 * hang; its status is 124 then. */
int qn_spawn(const char *args, char **out, char **err)
{
    g_autofree char *base = qn_base_args(NULL);
    g_autofree char *line = g_strdup_printf(
        "timeout -k 1 5 %s %s -display none -accel qtest %s",
        g_getenv("QTEST_QEMU_BINARY"), base, args);

    return env_spawn_line(line, NULL, out, err);
}

int qn_spawn_quit(const char *args, char **err)
{
    static const char qmp[] = "{\"execute\":\"qmp_capabilities\"}"
                              "{\"execute\":\"quit\"}";
    g_autofree char *plugin = env_plugin();
    g_autofree char *line = g_strdup_printf(
        "printf '%%s' '%s' | timeout -k 1 10 %s %s -display none "
        "-accel qtest -nodefaults -qmp stdio %s",
        qmp, g_getenv("QTEST_QEMU_BINARY"), plugin, args);
    char *argv[] = { (char *)"sh", (char *)"-c", line, NULL };

    g_test_message("running: %s", line);
    return env_spawn(argv, NULL, NULL, err);
}

int qn_spawn_preload(const char *args, char **out, char **err)
{
    g_autofree char *line = g_strdup_printf("timeout -k 1 5 %s %s",
        g_getenv("QTEST_QEMU_BINARY"), args);
    g_auto(GStrv) envp = g_get_environ();

    /* A sanitizer's library has to be loaded before it: "run" does that. */
    envp = g_environ_setenv(envp, qn_sanitized() ? "ENVME_QTEST_PRELOAD" :
                            "LD_PRELOAD", g_getenv("ENVME_MODULE"), TRUE);
    return env_spawn_line(line, envp, out, err);
}

uint64_t qn_rss_kib(QNvme *q)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status",
                                            (int)qtest_pid(q->qts));
    g_autofree char *text = NULL;
    const char *line;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    line = strstr(text, "RssAnon:");
    g_assert_nonnull(line);
    return g_ascii_strtoull(line + strlen("RssAnon:"), NULL, 10);
}

/* A sanitizer keeps freed memory for a while. */
void qn_assert_no_growth(QNvme *q, uint64_t before)
{
    uint64_t now = qn_rss_kib(q);

    g_test_message("RSS %" PRIu64 " -> %" PRIu64 " KiB", before, now);
    g_assert_cmpuint(now, <, before + (qn_sanitized() ? 128 : 2) * 1024);
}
