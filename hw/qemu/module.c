/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the module comes into QEMU, and what it looks at before it registers
 * its types.
 *
 * -plugin: QEMU loads it before the board and the -device options, and calls
 * qemu_plugin_install(). LD_PRELOAD: the constructor queues itself among the
 * registrations of QEMU's own types, which is early enough for -device help;
 * in any other program it does nothing. Both at once register once.
 *
 * A mismatch is one sentence on stderr, and no type is registered: deriving
 * from a type of another size would be an assertion in QEMU, or worse.
 */
#include "hw/qemu/compat.h"

#include <dlfcn.h>
#include "hw/pci/pci_device.h"
#include "qapi/qapi-commands-control.h"
#include "qapi/qapi-types-control.h"
#include "qemu/module.h"
#include "qemu/qemu-plugin.h"
#include "qom/object.h"
#include "system/hostmem.h"

#include "hw/qemu/dev.h"
#include "hw/qemu/symbols.h"
#include "hw/qemu/vcpu.h"

/* Of the plugin API only what all versions of it have is used; what must match is
 * checked below, with a better message than QEMU's. */
QEMU_PLUGIN_EXPORT int qemu_plugin_version = 2;

static bool module_registered, module_refused;

/* The first members of QEMU's struct TypeImpl, the same in all versions that
 * module_check_version() lets pass. */
struct module_type {
    const char *name;
    size_t class_size;
    size_t instance_size;
};

static const struct {
    const char *name;
    size_t instance_size, class_size;
} module_types[] = {
    { TYPE_OBJECT, sizeof(Object), sizeof(ObjectClass) },
    { TYPE_DEVICE, sizeof(DeviceState), sizeof(DeviceClass) },
    { TYPE_PCI_DEVICE, sizeof(PCIDevice), sizeof(PCIDeviceClass) },
    { TYPE_BUS, sizeof(BusState), sizeof(BusClass) },
    { TYPE_MEMORY_REGION, sizeof(MemoryRegion), sizeof(MemoryRegionClass) },
    { TYPE_HOTPLUG_HANDLER, 0, sizeof(HotplugHandlerClass) },
};

static char *module_check_version(void)
{
    VersionInfo *v = qmp_query_version(NULL);
    char *err = NULL;

    if (!v || !v->qemu) {
        err = g_strdup("this QEMU does not tell its version");
    } else if (v->qemu->major != QEMU_VERSION_MAJOR ||
               v->qemu->minor != QEMU_VERSION_MINOR) {
        err = g_strdup_printf("it was built for QEMU %d.%d, and this is QEMU "
                              "%" PRId64 ".%" PRId64 ".%" PRId64
                              ": build it with the headers of this version",
                              QEMU_VERSION_MAJOR, QEMU_VERSION_MINOR,
                              v->qemu->major, v->qemu->minor, v->qemu->micro);
    }
    qapi_free_VersionInfo(v);
    return err;
}

static char *module_check_type(unsigned i)
{
    const char *name = module_types[i].name;
    ObjectClass *oc = object_class_by_name(name);
    const struct module_type *t;
    size_t instance = module_types[i].instance_size;
    size_t class = module_types[i].class_size;

    if (!oc) {
        return g_strdup_printf("this QEMU has no type '%s'", name);
    }
    t = (const struct module_type *)*(void **)oc;
    if (!g_str_equal(object_class_get_name(oc), name) ||
        t->name != object_class_get_name(oc)) {
        return g_strdup_printf("this QEMU describes its type '%s' in a way "
                               "that is not known", name);
    }
    if (t->instance_size != instance || t->class_size != class) {
        return g_strdup_printf("QEMU's type '%s' has %zu bytes (class %zu) "
                               "here, and %zu (class %zu) in the headers that "
                               "it was built with: build it with the headers "
                               "of this QEMU", name, t->instance_size,
                               t->class_size, instance, class);
    }
    return NULL;
}

/* NULL, or why it cannot be loaded here; g_free(). */
static char *module_check(void)
{
    const char *missing;
    char *err = NULL;

    /* The version first: it is the better explanation. */
    if (dlsym(RTLD_DEFAULT, "qmp_query_version") &&
        dlsym(RTLD_DEFAULT, "qapi_free_VersionInfo")) {
        err = module_check_version();
    }
    missing = envme_symbols_missing();
    if (!err && missing) {
        err = g_strdup_printf("this QEMU has no symbol '%s' for modules: it "
                              "must be built with --enable-modules and "
                              "--enable-plugins", missing);
    }
    for (unsigned i = 0; !err && i < ARRAY_SIZE(module_types); i++) {
        err = module_check_type(i);
    }
    return err;
}

static bool module_register(void)
{
    g_autofree char *err = NULL;

    if (module_registered) {
        return true;
    }
    if (module_refused) {
        return false;
    }
    err = module_check();
    if (err) {
        fprintf(stderr, "envme.so cannot be loaded: %s.\n", err);
        module_refused = true;
        return false;
    }
    /* Another copy of this file may have been preloaded. */
    if (!object_class_by_name(TYPE_ENVME)) {
        envme_pci_register();
        envme_bus_register();
        envme_ns_dev_register();
        envme_subsys_dev_register();
    }
    module_registered = true;
    return true;
}

/* ---- -plugin ----------------------------------------------------------- */

static void module_vcpu_idle(qemu_plugin_id_t id, unsigned int vcpu)
{
    (void)id;
    envme_qvcpu_idle(vcpu);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info, int argc,
                                           char **argv)
{
    if (argc > 0) {
        fprintf(stderr, "envme.so cannot be loaded: it takes no argument "
                "'%s', use the properties of -device envme.\n", argv[0]);
        return -1;
    }
    if (!info->system_emulation) {
        fprintf(stderr, "envme.so cannot be loaded: user-mode emulation has "
                "no devices.\n");
        return -1;
    }
    if (!module_register()) {
        return -1;
    }
    qemu_plugin_register_vcpu_idle_cb(id, module_vcpu_idle);
    return 0;
}

/* ---- LD_PRELOAD -------------------------------------------------------- */

typedef void module_init_fn(void (*fn)(void), module_init_type type);

static module_init_fn *module_init_call;

static void module_init_last(void)
{
    module_register();
}

/* Runs before QEMU's own types are registered, so it queues behind them. */
static void module_init_first(void)
{
    module_init_call(module_init_last, MODULE_INIT_QOM);
}

__attribute__((constructor)) static void module_preloaded(void)
{
    /* Bound by -plugin, long after that moment, the queue is not looked at
     * again and qemu_plugin_install() does it. */
    *(void **)&module_init_call = dlsym(RTLD_DEFAULT, "register_module_init");
    if (module_init_call && dlsym(RTLD_DEFAULT, "qmp_query_version") &&
        dlsym(RTLD_DEFAULT, "msix_init")) {
        module_init_call(module_init_first, MODULE_INIT_QOM);
    }
}
