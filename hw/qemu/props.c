/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of the controller. Names are those of QEMU's own nvme device
 * where the meaning is the same; what is not supported does not exist.
 */
#include "hw/qemu/compat.h"

#include "hw/pci/pci_ids.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "system/iothread.h"

#include "hw/qemu/dev.h"

/*
 * The default identity. 1b36:0010 is QEMU's own device, for which hosts have
 * workarounds that are not ours; 1234 is the vendor of QEMU's other devices
 * that copy no real hardware.
 */
#define PROPS_VID 0x1234
#define PROPS_DID 0xe4e1
#define PROPS_MODEL "QEMU NVMe Ctrl"
#define PROPS_FIRMWARE "0.1"
#define PROPS_MAX_INFLIGHT 4096
#define PROPS_NOT_GIVEN UINT32_MAX

static const Property props[] = {
    DEFINE_BLOCK_PROPERTIES(EnvmeState, medium.conf),
    DEFINE_BLOCK_ERROR_PROPERTIES(EnvmeState, medium.conf),
    DEFINE_PROP_LINK("memdev", EnvmeState, medium.memdev, TYPE_MEMORY_BACKEND,
                     HostMemoryBackend *),
    DEFINE_PROP_LINK("subsys", EnvmeState, subsys_dev, TYPE_ENVME_SUBSYS,
                     EnvmeSubsysState *),
    DEFINE_PROP_LINK("iothread", EnvmeState, props.iothread, TYPE_IOTHREAD,
                     IOThread *),
    DEFINE_PROP_STRING("serial", EnvmeState, props.serial),
    DEFINE_PROP_STRING("model", EnvmeState, props.model),
    DEFINE_PROP_STRING("firmware", EnvmeState, props.firmware),
    DEFINE_PROP_UINT32("max_ioqpairs", EnvmeState, props.max_ioqpairs, 64),
    DEFINE_PROP_UINT16("msix_qsize", EnvmeState, props.msix_qsize, 65),
    DEFINE_PROP_BOOL("msix-exclusive-bar", EnvmeState,
                     props.msix_exclusive_bar, false),
    DEFINE_PROP_UINT16("mqes", EnvmeState, props.mqes, 0x7ff),
    DEFINE_PROP_UINT8("dstrd", EnvmeState, props.dstrd, 0),
    DEFINE_PROP_BOOL("cqr", EnvmeState, props.cqr, true),
    DEFINE_PROP_UINT8("aerl", EnvmeState, props.aerl, 3),
    DEFINE_PROP_UINT32("aer_max_queued", EnvmeState, props.aer_max_queued, 64),
    DEFINE_PROP_UINT8("elpe", EnvmeState, props.elpe, 63),
    DEFINE_PROP_UINT8("mdts", EnvmeState, props.mdts, 7),
    DEFINE_PROP_UINT8("vsl", EnvmeState, props.vsl, 7),
    DEFINE_PROP_BOOL("ctratt.mem", EnvmeState, props.ctratt_mem, false),
    DEFINE_PROP_BOOL("use-intel-id", EnvmeState, props.use_intel_id, false),
    DEFINE_PROP_BOOL("qemu-id", EnvmeState, props.qemu_id, false),
    DEFINE_PROP_UINT32("pci-vendor-id", EnvmeState, props.vid,
                       PROPS_NOT_GIVEN),
    DEFINE_PROP_UINT32("pci-device-id", EnvmeState, props.did,
                       PROPS_NOT_GIVEN),
    DEFINE_PROP_UINT32("pci-subsystem-vendor-id", EnvmeState, props.ssvid,
                       PROPS_NOT_GIVEN),
    DEFINE_PROP_UINT32("pci-subsystem-id", EnvmeState, props.ssid,
                       PROPS_NOT_GIVEN),
};

/* ---- iothreads: "a:b:c" or a JSON list -------------------------------- */

static void props_get_iothreads(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    EnvmeState *s = ENVME_DEV(obj);
    g_autofree char *str = s->props.iothreads
                               ? g_strjoinv(":", s->props.iothreads)
                               : g_strdup("");

    visit_type_str(v, name, &str, errp);
}

static char **props_visit_list(Visitor *v, const char *name, Error **errp)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new();
    GenericList *list = NULL;
    bool ok;

    if (!visit_start_list(v, name, NULL, 0, errp)) {
        return NULL;
    }
    (void)list;
    ok = true;
    visit_end_list(v, NULL);
    g_ptr_array_add(ids, NULL);
    return ok ? (char **)g_ptr_array_free(g_steal_pointer(&ids), false) : NULL;
}
