/* SPDX-License-Identifier: GPL-2.0-or-later */
/* envme-ns: a namespace on the bus of a controller or a subsystem. */
#include "hw/qemu/compat.h"

#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qemu/guest-random.h"
#include "qemu/module.h"
#include "system/system.h"

#include "hw/qemu/dev.h"

/* 32 hexadecimal digits, with dashes where one likes, or "auto". */
static bool ns_parse_nguid(const char *str, uint8_t nguid[16], bool *is_auto,
                           Error **errp)
{
    unsigned n = 0;

    if (!str) {
        return true;
    }
    if (g_str_equal(str, "auto")) {
        qemu_guest_getrandom_nofail(nguid, 16);
        *is_auto = true;
        return true;
    }
    memset(nguid, 0, 16);
    for (const char *p = str; *p; p++) {
        int digit = g_ascii_xdigit_value(*p);

        if (*p == '-') {
            continue;
        }
        if (digit < 0 || n == 32) {
            n = 33;
            break;
        }
        nguid[n / 2] |= digit << (n % 2 ? 0 : 4);
        n++;
    }
    if (n != 32) {
        error_setg(errp, "nguid=%s is not 32 hexadecimal digits: leave it "
                   "out, or write nguid=auto", str);
        return false;
    }
    return true;
}

/* What the bus belongs to. */
static struct envme_subsys *ns_find_subsys(EnvmeNsState *s, Error **errp)
{
    DeviceState *parent = qdev_get_parent_bus(DEVICE(s))->parent;
    Object *obj = OBJECT(parent);

    if (object_dynamic_cast(obj, TYPE_ENVME)) {
        EnvmeState *ctrl = ENVME_DEV(obj);

        if (!ctrl->subsys_dev) {
            return ctrl->subsys;
        }
        /* It belongs to the subsystem and outlives this controller. */
        if (!qdev_set_parent_bus(DEVICE(s), BUS(&ctrl->subsys_dev->bus),
                                 errp)) {
            return NULL;
        }
        s->subsys_dev = ctrl->subsys_dev;
    } else {
        s->subsys_dev = ENVME_SUBSYS_DEV(obj);
    }
    object_ref(OBJECT(s->subsys_dev));
    return s->subsys_dev->subsys;
}

static void ns_unref_subsys(EnvmeNsState *s)
{
    if (s->subsys_dev) {
        object_unref(OBJECT(s->subsys_dev));
        s->subsys_dev = NULL;
    }
}

static void ns_realize(DeviceState *dev, Error **errp)
{
    EnvmeNsState *s = ENVME_NS_DEV(dev);
    struct envme_ns_params p = s->params;
    struct envme_subsys *subsys;
    g_autofree char *suffix = NULL;
    Error *err = NULL;

    if (!envme_medium_given(&s->medium)) {
        error_setg(errp, "drive= or memdev= is missing");
        return;
    }
    if (!ns_parse_nguid(s->nguid, p.nguid, &p.nguid_auto, errp)) {
        return;
    }
    if (s->mset > 1) {
        error_setg(errp, "mset=%u is neither 0 (metadata in a buffer of its "
                   "own) nor 1 (after each block's data); the nearest valid "
                   "value is 1", s->mset);
        return;
    }
    p.mset = s->mset;
    memcpy(p.uuid, s->uuid.data, sizeof(p.uuid));
    if (s->medium.conf.bootindex >= 0) {
        check_boot_index(s->medium.conf.bootindex, &err);
        if (err) {
            error_propagate(errp, err);
            return;
        }
    }
    subsys = ns_find_subsys(s, errp);
    if (!subsys) {
        return;
    }
    if (!s->subsys_dev) {
        if (p.detached) {
            error_setg(errp, "detached=on needs an envme-subsys: it leaves "
                       "the namespace to no controller");
            return;
        }
        p.shared = false;
    }
    if (!envme_medium_open(&s->medium, &p, subsys, errp)) {
        ns_unref_subsys(s);
        return;
    }
    suffix = g_strdup_printf("/namespace@%x,0", s->medium.ns->nsid);
    add_boot_device_path(s->medium.conf.bootindex, dev, suffix);
}

static void ns_unrealize(DeviceState *dev)
{
    EnvmeNsState *s = ENVME_NS_DEV(dev);
    g_autofree char *suffix = NULL;

    if (s->medium.ns) {
        suffix = g_strdup_printf("/namespace@%x,0", s->medium.ns->nsid);
        del_boot_device_path(dev, suffix);
    }
    envme_medium_close(&s->medium);
    ns_unref_subsys(s);
}

static const Property ns_props[] = {
    DEFINE_BLOCK_PROPERTIES(EnvmeNsState, medium.conf),
    DEFINE_BLOCK_ERROR_PROPERTIES(EnvmeNsState, medium.conf),
    DEFINE_PROP_INT32("bootindex", EnvmeNsState, medium.conf.bootindex, -1),
    DEFINE_PROP_BOOL("vwc-model", EnvmeNsState, medium.vwc_model, false),
    DEFINE_PROP_SIZE("vwc-size", EnvmeNsState, medium.vwc_size, 0),
    DEFINE_PROP_LINK("memdev", EnvmeNsState, medium.memdev,
                     TYPE_MEMORY_BACKEND, HostMemoryBackend *),
    DEFINE_PROP_UINT32("nsid", EnvmeNsState, params.nsid, 0),
    DEFINE_PROP_BOOL("shared", EnvmeNsState, params.shared, true),
    DEFINE_PROP_BOOL("detached", EnvmeNsState, params.detached, false),
    DEFINE_PROP_UUID_NODEFAULT("uuid", EnvmeNsState, uuid),
    DEFINE_PROP_STRING("nguid", EnvmeNsState, nguid),
    DEFINE_PROP_UINT64("eui64", EnvmeNsState, params.eui64, 0),
    DEFINE_PROP_UINT16("ms", EnvmeNsState, params.ms, 0),
    DEFINE_PROP_UINT8("mset", EnvmeNsState, mset, 0),
    DEFINE_PROP_UINT8("pi", EnvmeNsState, params.pi, 0),
    DEFINE_PROP_UINT8("pil", EnvmeNsState, params.pil, 0),
    DEFINE_PROP_UINT8("pif", EnvmeNsState, params.pif, 0),
    DEFINE_PROP_UINT16("mssrl", EnvmeNsState, params.mssrl, 128),
    DEFINE_PROP_UINT32("mcl", EnvmeNsState, params.mcl, 128),
    DEFINE_PROP_UINT8("msrc", EnvmeNsState, params.msrc, 127),
    DEFINE_PROP_UINT16("atomic.nawun", EnvmeNsState, params.nawun, 0),
    DEFINE_PROP_UINT16("atomic.nawupf", EnvmeNsState, params.nawupf, 0),
    DEFINE_PROP_UINT16("atomic.nabsn", EnvmeNsState, params.nabsn, 0),
    DEFINE_PROP_UINT16("atomic.nabo", EnvmeNsState, params.nabo, 0),
    DEFINE_PROP_UINT16("atomic.nabspf", EnvmeNsState, params.nabspf, 0),
    DEFINE_PROP_UINT8("pi.sts", EnvmeNsState, params.pi_sts, 0),
};

static const VMStateDescription ns_vmstate = {
    .name = TYPE_ENVME_NS,
    .unmigratable = 1,
};

static void ns_class_init(ObjectClass *oc, envme_class_data *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);

    (void)data;
    set_bit(DEVICE_CATEGORY_STORAGE, dc->categories);
    dc->bus_type = TYPE_ENVME_BUS;
    dc->desc = "envme namespace";
    dc->realize = ns_realize;
    dc->unrealize = ns_unrealize;
    dc->vmsd = &ns_vmstate;
    device_class_set_props(dc, ns_props);
}

static const TypeInfo ns_info = {
    .name = TYPE_ENVME_NS,
    .parent = TYPE_DEVICE,
    .instance_size = sizeof(EnvmeNsState),
    .class_init = ns_class_init,
};

void envme_ns_dev_register(void)
{
    type_register_static(&ns_info);
}
