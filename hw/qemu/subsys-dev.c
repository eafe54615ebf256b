/* SPDX-License-Identifier: GPL-2.0-or-later */
/* envme-subsys, and the bus that namespaces sit on. */
#include "hw/qemu/compat.h"

#include "hw/hotplug.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"

#include "hw/ns/capacity.h"
#include "hw/qemu/dev.h"
#include "hw/qemu/exec.h"

/* ---- bus --------------------------------------------------------------- */

static void bus_unplug_done(void *opaque)
{
    DeviceState *dev = opaque;
    HotplugHandler *handler = qdev_get_hotplug_handler(dev);

    hotplug_handler_unplug(handler, dev, NULL);
    object_unparent(OBJECT(dev));
    object_unref(OBJECT(dev));
}

/* The lanes that have it attached let go of it first; then it goes. */
static void bus_unplug_done_soon(void *opaque)
{
    aio_bh_schedule_oneshot(qemu_get_aio_context(), bus_unplug_done, opaque);
}

static void bus_unplug_request(HotplugHandler *handler, DeviceState *dev,
                               Error **errp)
{
    EnvmeNsState *s = ENVME_NS_DEV(dev);
    unsigned users;

    (void)handler;
    if (s->medium.removing) {
        error_setg(errp, "%s is already being unplugged", dev->id ?: "it");
        return;
    }
    users = envme_capacity_users(s->medium.subsys, s->medium.ns);
    if (users) {
        error_setg(errp, "%s cannot be unplugged: the guest has created "
                   "%u namespace(s) on its medium; have the guest delete them "
                   "first", dev->id ?: "it", users);
        return;
    }
    object_ref(OBJECT(dev));
    envme_medium_remove(&s->medium, bus_unplug_done_soon, dev);
}

static void bus_class_init(ObjectClass *oc, envme_class_data *data)
{
    HotplugHandlerClass *hc = HOTPLUG_HANDLER_CLASS(oc);

    (void)data;
    hc->unplug_request = bus_unplug_request;
    hc->unplug = qdev_simple_device_unplug_cb;
}

static envme_interface bus_interfaces[] = {
    { TYPE_HOTPLUG_HANDLER },
    { }
};

static const TypeInfo bus_info = {
    .name = TYPE_ENVME_BUS,
    .parent = TYPE_BUS,
    .instance_size = sizeof(EnvmeBus),
    .class_init = bus_class_init,
    .interfaces = bus_interfaces,
};

void envme_bus_register(void)
{
    type_register_static(&bus_info);
}

bool envme_bus_init(EnvmeBus *bus, DeviceState *dev, Error **errp)
{
    /* The bus becomes a property of the device; a second one of a name aborts. */
    if (dev->id && object_property_find(OBJECT(dev), dev->id)) {
        error_setg(errp, "id=%s is the name of one of this device's properties: "
                   "give it another id", dev->id);
        return false;
    }
    qbus_init(bus, sizeof(*bus), TYPE_ENVME_BUS, dev, dev->id);
    qbus_set_bus_hotplug_handler(BUS(bus));
    return true;
}

/* ---- subsystem --------------------------------------------------------- */

static void subsys_realize(DeviceState *dev, Error **errp)
{
    EnvmeSubsysState *s = ENVME_SUBSYS_DEV(dev);
    const char *name = s->nqn ?: dev->id ?: "envme-subsys";
    g_autofree char *nqn = NULL;

    if (g_str_has_prefix(name, "nqn.")) {
        nqn = g_strdup(name);
    } else {
        nqn = g_strconcat(ENVME_NQN_PREFIX, name, NULL);
    }
    if (strlen(nqn) > 223) {
        error_setg(errp, "nqn=%s is %zu characters long, the longest is 223",
                   name, strlen(nqn));
        return;
    }
    s->subsys = envme_props_subsys(&s->props, nqn, false, errp);
    if (!s->subsys || !envme_qstate_open(&s->state, s->subsys, errp)) {
        return;
    }
    /* When this fails, finalize frees the subsystem. */
    envme_bus_init(&s->bus, dev, errp);
}

static void subsys_finalize(Object *obj)
{
    EnvmeSubsysState *s = ENVME_SUBSYS_DEV(obj);

    envme_qstate_close(&s->state);
    if (s->subsys) {
        envme_subsys_free(s->subsys);
    }
    g_free(s->serial);
}

static const Property subsys_props[] = {
    DEFINE_PROP_STRING("nqn", EnvmeSubsysState, nqn),
    DEFINE_PROP_STRING("state", EnvmeSubsysState, state.path),
    DEFINE_PROP_UINT32("max-namespaces", EnvmeSubsysState,
                       props.max_namespaces, 0),
    DEFINE_PROP_UINT32("max-attached", EnvmeSubsysState, props.max_attached,
                       0),
};

static void subsys_class_init(ObjectClass *oc, envme_class_data *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);

    (void)data;
    set_bit(DEVICE_CATEGORY_STORAGE, dc->categories);
    dc->desc = "envme NVM subsystem";
    dc->realize = subsys_realize;
    /* Its controllers and namespaces stand on it. */
    dc->hotpluggable = false;
    device_class_set_props(dc, subsys_props);
}

static const TypeInfo subsys_info = {
    .name = TYPE_ENVME_SUBSYS,
    .parent = TYPE_DEVICE,
    .instance_size = sizeof(EnvmeSubsysState),
    .instance_finalize = subsys_finalize,
    .class_init = subsys_class_init,
};

void envme_subsys_dev_register(void)
{
    type_register_static(&subsys_info);
}
