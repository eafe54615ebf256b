/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines, bad ones above all: one sentence that names the property and
 * the value, exit status 1, no crash. And how the module is loaded.
 */
#include "qnvme.h"

/* Of missing option ROMs, and of a sanitizer about itself. */
static bool is_noise(const char *line)
{
    return g_str_has_prefix(line, "rom: ") || strstr(line, "WARNING: ASan") ||
           g_str_has_prefix(line, "False positive error") ||
           strstr(line, "github.com/google/sanitizers");
}

/* The other lines of stderr. */
static char *own_lines(const char *err, unsigned *n)
{
    g_auto(GStrv) lines = g_strsplit(err, "\n", -1);
    GString *s = g_string_new(NULL);
    unsigned i;

    *n = 0;
    for (i = 0; lines[i]; i++) {
        if (*lines[i] && !is_noise(lines[i])) {
            g_string_append_printf(s, "%s\n", lines[i]);
            (*n)++;
        }
    }
    return g_string_free(s, FALSE);
}

#define MAP(rest) "-object iothread,id=io0 -object iothread,id=io1 "           \
    "-device '{\"driver\":\"envme\",\"serial\":\"a\","                         \
    "\"iothread-map\":" rest "}'"

typedef struct Bad {
    const char *args;       /* %I: an image */
    const char *want[3];    /* each in the sentence */
} Bad;

#define DRIVE "-drive if=none,id=d0,format=raw,file=%I "
#define MEM   "-object memory-backend-ram,id=m0,size=1M "

static const Bad bad[] = {
    { "-device envme", { "serial" } },
    { "-device envme,serial=123456789012345678901",
      { "serial=123456789012345678901" } },
    { "-device envme,serial=a,model=12345678901234567890123456789012345678901",
      { "model=1234" } },
    { "-device envme,serial=a,firmware=123456789", { "firmware=123456789" } },
    { "-device envme,serial=a,mdts=21", { "mdts=21", "20" } },
    { "-device envme,serial=a,power-states=8W:9W",
      { "power-states", "9W", "more power" } },
    { "-device envme,serial=a,power-states=8", { "power-states", "'8'" } },
    { "-device envme,serial=a,temperature-sensors=9",
      { "temperature-sensors=9", "8" } },
    { "-device envme,serial=a,temperature-hysteresis=8",
      { "temperature-hysteresis=8", "7" } },
    { "-device envme,serial=a,temperature=0", { "temperature=0", "Kelvin" } },
    { "-device envme,serial=a,temperature5=300",
      { "temperature5", "temperature-sensors=2" } },
    { "-device envme,serial=a,streams=1025", { "streams=1025", "1024" } },
    { "-device envme,serial=a,bp-size=128", { "bp-size=128", "127" } },
    { "-device envme,serial=a,bp0=%I", { "bp0=", "needs bp-size=" } },
    { "-device envme,serial=a,bp-size=1,bp1=%I", { "bp1=", "bp-size=8" } },
    { "-device envme,serial=a,bp-size=1,bp0=/nowhere/at/all",
      { "bp0=/nowhere/at/all", "No such file" } },
    { "-device envme,serial=a,bp-size=1,bp0=/dev/zero",
      { "bp0=/dev/zero", "regular" } },
    { "-device envme-subsys,id=s0 -device envme,serial=a,subsys=s0,bp-size=2 "
      "-device envme,serial=a,subsys=s0,bp-size=3",
      { "bp-size=3", "bp-size=2" } },
    { "-device envme,serial=a,hmpre=65537", { "hmpre=65537", "65536" } },
    { "-device envme,serial=a,hmmin=1", { "hmmin=1", "hmpre=0" } },
    { "-device envme,serial=a,uuids=a:b", { "uuids", "'a'" } },
    { "-device envme,serial=a,uuids=00000000-0000-0000-0000-000000000000",
      { "uuids", "00000000" } },
    { "-device envme,serial=a,mqes=0", { "mqes=0", "1" } },
    { "-device envme,serial=a,mqes=65536", { "mqes", "65536" } },
    { "-device envme,serial=a,max_ioqpairs=0", { "max_ioqpairs=0", "1" } },
    { "-device envme,serial=a,max_ioqpairs=65536",
      { "max_ioqpairs=65536", "65535" } },
    { "-device envme,serial=a,max_ioqpairs=-1", { "max_ioqpairs" } },
    { "-device envme,serial=a,msix_qsize=0", { "msix_qsize=0", "1" } },
    { "-device envme,serial=a,msix_qsize=2049", { "msix_qsize=2049",
                                                  "2048" } },
    { "-device envme,serial=a,dstrd=16", { "dstrd=16" } },
    { "-device envme,serial=a,mapped-rate=0", { "mapped-rate=0", "is 1" } },
    { "-device envme,serial=a,mapped-rate=1000001",
      { "mapped-rate=1000001", "is 1000000" } },
    { "-device envme,serial=a,vcpu-gather=0", { "vcpu-gather=0", "is 1" } },
    { "-device envme,serial=a,vcpu-gather=65", { "vcpu-gather=65", "is 64" } },
    { "-device envme,serial=a,pci-vendor-id=0x12345",
      { "pci-vendor-id=0x12345", "0xffff" } },
    { "-device envme,serial=a,profile=tape", { "profile=tape", "hdd" } },
    { "-device envme,serial=a,latency.read=fast", { "latency.read=fast",
                                                    "nearest valid" } },
    { "-device envme,serial=a,profile=tlc,latency.copy=uniform:9us:3us",
      { "latency.copy=uniform:9us:3us", "uniform:9us:9us" } },
    { "-device envme,serial=a,channels=4097", { "channels=4097", "4096" } },
    { "-device envme,serial=a,channel-stripe=511", { "channel-stripe=511",
                                                     "512" } },
    { "-device envme,serial=a,max-inflight=-1", { "max-inflight" } },
    { "-device envme,serial=a,use-intel-id=on,qemu-id=on",
      { "use-intel-id", "qemu-id" } },
    { "-device envme,serial=a,sriov_max_vfs=1", { "sriov_max_vfs" } },
    { "-device envme,serial=a,cmb-size=5000", { "cmb-size=5000", "8192" } },
    { "-device envme,serial=a,cmb-size=1M,cmb_size_mb=1",
      { "cmb-size", "cmb_size_mb" } },
    { "-device envme,serial=a,cmb_size_mb=1,cmb.sqs=off",
      { "cmb.lists", "cmb.sqs" } },
    { "-device envme,serial=a,pmrdev=nowhere", { "nowhere" } },
    { MEM "-device envme,serial=a,pmrdev=m0,memdev=m0", { "m0", "in use" } },
    { "-object memory-backend-ram,id=p0,size=3M "
      "-device envme,serial=a,pmrdev=p0", { "pmrdev=p0", "4194304" } },
    { MEM "-device envme,serial=a,pmrdev=m0,cmb_size_mb=1,"
      "msix-exclusive-bar=on", { "pmrdev=m0", "msix-exclusive-bar" } },
    { "-device envme,serial=a,no-such-thing=1", { "no-such-thing" } },
    { "-device envme,serial=a,drive=nowhere", { "nowhere" } },
    { "-device envme,serial=a,memdev=nowhere", { "nowhere" } },
    { "-device envme,serial=a,subsys=nowhere", { "nowhere" } },
    { "-device envme,serial=a,iothread=nowhere", { "nowhere" } },
    { "-device envme,serial=a,iothreads=nowhere", { "iothreads",
                                                    "nowhere" } },
    { "-object iothread,id=io0 -device envme,serial=a,iothreads=io0:io0",
      { "iothreads", "io0" } },
    { "-object iothread,id=io0 "
      "-device envme,serial=a,iothread=io0,iothreads=io0",
      { "iothread", "iothreads" } },
    { MAP("[]"), { "iothread-map", "no iothread" } },
    { MAP("\"io0\""), { "iothread-map", "list" } },
    { MAP("[1]"), { "iothread-map", "no \"iothread\"" } },
    { MAP("[{\"queues\":[1]}]"), { "iothread-map", "no \"iothread\"" } },
    { MAP("[{\"iothread\":\"io7\"}]"), { "iothread-map", "'io7'" } },
    { MAP("[{\"iothread\":\"io0\"},{\"iothread\":\"io0\"}]"),
      { "iothread-map", "'io0' twice" } },
    { MAP("[{\"iothread\":\"io0\",\"vqs\":[1]}]"), { "vqs", "queues" } },
    { MAP("[{\"iothread\":\"io0\",\"queues\":[1]},{\"iothread\":\"io1\"}]"),
      { "'io1' has no \"queues\"", "all or" } },
    { MAP("[{\"iothread\":\"io0\"},{\"iothread\":\"io1\",\"queues\":[1]}]"),
      { "'io1' has \"queues\"", "all or" } },
    { MAP("[{\"iothread\":\"io0\",\"queues\":[0]}]"), { "queue 0", "is 1" } },
    { MAP("[{\"iothread\":\"io0\",\"queues\":[65]}]"),
      { "queue 65", "is 64" } },
    { MAP("[{\"iothread\":\"io0\",\"queues\":[-1]}]"), { "'io0'", "is 1" } },
    { MAP("[{\"iothread\":\"io0\",\"queues\":[\"1\"]}]"),
      { "'io0'", "is 1" } },
    { MAP("[{\"iothread\":\"io0\",\"queues\":[]}]"), { "'io0'", "list" } },
    { MAP("[{\"iothread\":\"io0\",\"queues\":[2,3,2]}]"),
      { "queue 2", "once" } },
    { MAP("[{\"iothread\":\"io0\",\"queues\":[2]},"
          "{\"iothread\":\"io1\",\"queues\":[1,2]}]"), { "queue 2", "'io1'" } },
    { MAP("[{\"iothread\":\"io0\"}],\"iothreads\":\"io1\""),
      { "iothreads=", "iothread-map=" } },
    { MAP("[{\"iothread\":\"io0\"}],\"iothread\":\"io1\""),
      { "iothread=", "iothread-map=" } },
    { DRIVE "-device envme,serial=a,drive=d0,vwc-size=1M",
      { "vwc-size=1048576", "vwc-model=on" } },
    { DRIVE "-device envme,serial=a,drive=d0,vwc-model=on,vwc-size=1K",
      { "vwc-size=1024", "65536" } },
    { DRIVE MEM "-device envme,serial=a,drive=d0,memdev=m0",
      { "drive", "memdev" } },
    { DRIVE "-device envme-subsys,id=s0 "
      "-device envme,serial=a,subsys=s0,drive=d0", { "drive", "subsys" } },
    { DRIVE "-device envme,serial=a,drive=d0,logical_block_size=100",
      { "logical_block_size", "100" } },
    { DRIVE "-device envme,serial=a,drive=d0 -device envme,serial=b,drive=d0",
      { "d0" } },
    { MEM "-device envme,serial=a,memdev=m0 "
      "-device envme,serial=b,memdev=m0", { "memdev=m0" } },
    { "-device envme-subsys,id=s0 -device envme,serial=a,subsys=s0 "
      "-device envme,serial=b,subsys=s0", { "serial=b", "'a'" } },
    { "-drive if=none,id=e,driver=null-co,size=0 "
      "-device envme,serial=a,drive=e", { "e" } },
    { "-device envme-ns", { "envme-ns" } },
    { "-device envme,serial=a,id=c -device envme-ns,bus=c", { "drive" } },
    { DRIVE "-device envme,serial=a,id=c "
      "-device envme-ns,bus=c,drive=d0,nsid=257", { "nsid=257", "256" } },
    { DRIVE "-device envme,serial=a,id=c "
      "-device envme-ns,bus=c,drive=d0,nsid=4294967295",
      { "nsid=4294967295", "256" } },
    { DRIVE MEM "-device envme,serial=a,id=c,memdev=m0 "
      "-device envme-ns,bus=c,drive=d0,nsid=1", { "nsid=1" } },
    { DRIVE "-device envme,serial=a,id=c "
      "-device envme-ns,bus=c,drive=d0,nguid=abc", { "nguid=abc" } },
    { DRIVE "-device envme,serial=a,id=c "
      "-device envme-ns,bus=c,drive=d0,uuid=abc", { "uuid" } },
    { DRIVE "-device envme,serial=a,id=c "
      "-device envme-ns,bus=c,drive=d0,zoned=on", { "zoned" } },
};

static void test_bad(const void *data)
{
    const Bad *b = data;
    g_autofree char *img = qn_image("d.img", 1 << 20);
    g_auto(GStrv) parts = g_strsplit(b->args, "%I", -1);
    g_autofree char *args = g_strjoinv(img, parts);
    g_autofree char *err = NULL, *own = NULL;
    unsigned n, i;
    int rc = qn_spawn(args, NULL, &err);

    g_assert_cmpint(rc, ==, 1);
    own = own_lines(err, &n);
    g_assert_cmpuint(n, ==, 1);
    for (i = 0; i < G_N_ELEMENTS(b->want) && b->want[i]; i++) {
        if (!strstr(own, b->want[i])) {
            g_test_message("'%s' is not in: %s", b->want[i], own);
        }
        g_assert_nonnull(strstr(own, b->want[i]));
    }
}

static void test_plugin_argument(void)
{
    g_autofree char *args = g_strdup_printf(
        "-display none -machine none -accel qtest -plugin %s,speed=fast",
        g_getenv("ENVME_MODULE"));
    g_autofree char *err = NULL;
    g_autofree char *line = g_strdup_printf("timeout 5 %s %s",
        g_getenv("QTEST_QEMU_BINARY"), args);
    int status;

    g_assert_true(g_spawn_command_line_sync(line, NULL, &err, &status, NULL));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    g_assert_nonnull(strstr(err, "speed=fast"));
}

/* A module that was built for another QEMU: one sentence, and no crash. */
static void test_foreign_module(void)
{
    g_autofree char *line = g_strdup_printf(
        "timeout 5 %s -display none -machine none -plugin %s",
        g_getenv("QTEST_QEMU_BINARY"), g_getenv("ENVME_FOREIGN_MODULE"));
    g_autofree char *err = NULL;
    g_auto(GStrv) lines = NULL;
    int status;

    g_assert_true(g_spawn_command_line_sync(line, NULL, &err, &status, NULL));
    g_test_message("stderr: %s", err);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    lines = g_strsplit(err, "\n", -1);
    g_assert_true(g_str_has_prefix(lines[0], "envme.so cannot be loaded: "));
    g_assert_nonnull(strstr(lines[0], "built for QEMU"));
    /* And QEMU's own line about it. */
    g_assert_cmpuint(g_strv_length(lines), <=, 3);
}

/* LD_PRELOAD comes early enough for the help texts. */
static void test_preload_help(void)
{
    g_autofree char *out = NULL, *list = NULL, *err = NULL, *err2 = NULL;

    g_assert_cmpint(qn_spawn_preload("-device envme,help", &out, &err), ==,
                    0);
    g_assert_nonnull(strstr(out, "serial=<str>"));
    g_assert_nonnull(strstr(out, "iothread=<link<iothread>>"));
    g_assert_cmpint(qn_spawn_preload("-device help", &list, &err2), ==, 0);
    g_assert_nonnull(strstr(list, "name \"envme\""));
    g_assert_nonnull(strstr(list, "name \"envme-ns\""));
    g_assert_nonnull(strstr(list, "name \"envme-subsys\""));
}

/* Both ways at once, and the plugin twice. */
static void test_loaded_twice(void)
{
    const char *m = g_getenv("ENVME_MODULE");
    g_autofree char *args = g_strdup_printf(
        "-display none -machine q35 -nodefaults -accel qtest -plugin %s "
        "-device envme,help", m);
    g_autofree char *args2 = g_strdup_printf("-plugin %s "
        "-machine none -device envme,serial=a,mdts=99", m);
    g_autofree char *out = NULL, *err = NULL, *err2 = NULL;

    g_assert_cmpint(qn_spawn_preload(args, &out, &err), ==, 0);
    g_assert_nonnull(strstr(out, "serial=<str>"));
    g_assert_cmpint(qn_spawn(args2, NULL, &err2), ==, 1);
}

/* In a program that is not QEMU it does nothing. */
static void test_preload_elsewhere(void)
{
    g_auto(GStrv) envp = g_get_environ();
    char *argv[] = { (char *)"true", NULL };
    g_autofree char *err = NULL;
    int status;

    if (qn_sanitized()) {
        g_test_skip("a sanitized library cannot be preloaded alone");
        return;
    }
    envp = g_environ_setenv(envp, "LD_PRELOAD", g_getenv("ENVME_MODULE"),
                            TRUE);
    envp = g_environ_setenv(envp, "LD_BIND_NOW", "", TRUE);
    g_assert_true(g_spawn_sync(NULL, argv, envp, G_SPAWN_SEARCH_PATH, NULL,
                               NULL, NULL, &err, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpstr(err, ==, "");
}

/* QEMU's multi-process server has no interrupt controller to speak of. */
static void test_x_remote(void)
{
    g_autofree char *img = qn_image("d.img", 1 << 20);
    g_autofree char *args = g_strdup_printf(
        "-machine x-remote -drive if=none,id=d0,format=raw,file=%s "
        "-device %s,id=nv,serial=a,drive=d0", img, qn_device());
    g_autofree char *err = NULL;

    g_assert_cmpint(qn_spawn_quit(args, &err), ==, 0);
    g_assert_nonnull(strstr(err, "MSI-X"));
}

/* Places where a PCI device can be. */
static void test_machine(const void *data)
{
    g_autofree char *img = qn_image("d.img", 1 << 20);
    g_autofree char *bios = qn_image("bios", 65536);
    g_autofree char *args = g_strdup_printf(
        "%s -bios %s -drive if=none,id=d0,format=raw,file=%s "
        "-device %s,id=nv,serial=a,drive=d0%s", (const char *)data, bios, img,
        qn_device(), strstr(data, "id=rp") ? ",bus=rp" : "");
    g_autofree char *err = NULL, *own = NULL;
    unsigned n;

    g_assert_cmpint(qn_spawn_quit(args, &err), ==, 0);
    own = own_lines(err, &n);
    g_assert_cmpstr(own, ==, "");
}

/* I/O on i440fx, where the bus is not PCI Express. */
static void test_i440fx_io(void)
{
    QNvme *q = qn_start(&(QnConf){ .machine = "pc" });
    QnSq *sq = qn_io_queue(q, 1, 16, 0);

    g_assert_cmphex(qn_cap_find(q, PCI_CAP_ID_EXP), ==, 0);
    qn_verify_io(q, sq, 0, 64, 1);
    qn_queue_free(sq);
    qn_check_alive(q, true);
    qn_close(q);
}

/* With an IOMMU in the machine, which passes until it is programmed. */
static void test_iommu_io(void)
{
    QNvme *q = qn_start(&(QnConf){
        .extra = "-device intel-iommu", .machine = "q35" });
    QnSq *sq = qn_io_queue(q, 1, 16, 0);

    qn_verify_io(q, sq, 0, 64, 1);
    qn_queue_free(sq);
    qn_check_alive(q, true);
    qn_close(q);
}

/* The identity that properties give. */
static void test_identity(void)
{
    QNvme *q = qn_start(&(QnConf){
        .props = "model=Some,firmware=F1,pci-vendor-id=0x1af4,"
                 "pci-device-id=0x1234,pci-subsystem-vendor-id=0x1111,"
                 "pci-subsystem-id=0x2222" });
    uint64_t buf = qn_alloc(q, QN_PAGE);
    struct envme_cqe c = qn_admin(q, qn_identify(1, 0, buf));
    uint8_t id[80];

    qn_assert_ok(c);
    qn_read(q, buf, id, sizeof(id));
    g_assert_cmpmem(id + 24, 8, "Some    ", 8);
    g_assert_cmpmem(id + 64, 8, "F1      ", 8);
    g_assert_cmphex(qpci_config_readl(q->pdev, 0), ==, 0x12341af4);
    g_assert_cmphex(qpci_config_readl(q->pdev, PCI_SUBSYSTEM_VENDOR_ID), ==,
                    0x22221111);
    qn_close(q);
    q = qn_open(&(QnConf){ .props = "qemu-id=on" });
    g_assert_cmphex(qpci_config_readl(q->pdev, 0), ==, 0x00101b36);
    qn_close(q);
    q = qn_open(&(QnConf){ .props = "use-intel-id=on" });
    g_assert_cmphex(qpci_config_readl(q->pdev, 0), ==, 0x58458086);
    qn_close(q);
    q = qn_start(&(QnConf){ .props = "msix-exclusive-bar=on" });
    qn_msix_enable(q);
    qn_check_alive(q, true);
    g_assert_true(qn_msix_wait(q, 0));
    qn_close(q);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *path = g_strdup_printf("/cmdline/bad/%02u-%s", i,
                                                bad[i].want[0]);

        g_strdelimit(path + strlen("/cmdline/bad/"), "/", '-');
        qn_add_data(path, &bad[i], test_bad, 0);
    }
    qn_add("/cmdline/plugin-argument", test_plugin_argument, 0);
    if (g_getenv("ENVME_FOREIGN_MODULE")) {
        qn_add("/cmdline/foreign-module", test_foreign_module, QN_SMOKE);
    }
    qn_add("/cmdline/preload-help", test_preload_help, QN_SMOKE);
    qn_add("/cmdline/loaded-twice", test_loaded_twice, 0);
    qn_add("/cmdline/preload-elsewhere", test_preload_elsewhere, 0);
    qn_add("/cmdline/x-remote", test_x_remote, QN_SMOKE);
    qn_add_data("/cmdline/machine/q35", "-machine q35", test_machine, 0);
    qn_add_data("/cmdline/machine/pc", "-machine pc", test_machine, 0);
    qn_add_data("/cmdline/machine/root-port",
                "-machine q35 -device pcie-root-port,id=rp,chassis=1",
                test_machine, 0);
    qn_add_data("/cmdline/machine/pci-bridge",
                "-machine q35 -device pcie-pci-bridge,id=rp", test_machine, 0);
    qn_add_data("/cmdline/machine/intel-iommu",
                "-machine q35 -device intel-iommu", test_machine, 0);
    qn_add("/cmdline/i440fx-io", test_i440fx_io, 0);
    qn_add("/cmdline/iommu-io", test_iommu_io, 0);
    qn_add("/cmdline/identity", test_identity, 0);
    return g_test_run();
}
