/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Temperatures as properties, in Kelvin as SMART has them: `temperature` is
 * the composite one, `temperature1` to `temperature8` those of the sensors (0:
 * the composite one again). They can be set at any time, with qom-set. And how
 * many there are.
 */
#include "hw/qemu/compat.h"

#include "qapi/error.h"
#include "qapi/visitor.h"

#include "hw/admin/admin.h"
#include "hw/qemu/dev.h"

#define THERMAL_SENSORS (ENVME_TEMP_SENSORS - 1)

static unsigned thermal_index(const char *name)
{
    return name[strlen("temperature")] ? name[strlen("temperature")] - '0' : 0;
}

static void thermal_get(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    EnvmeState *s = ENVME_DEV(obj);
    unsigned i = thermal_index(name);
    uint16_t k = s->props.temperature[i];

    (void)opaque;
    if (s->ctrl) {
        k = envme_thermal_sensor(s->ctrl, i);
    }
    visit_type_uint16(v, name, &k, errp);
}

static bool thermal_apply(EnvmeState *s, unsigned i, Error **errp)
{
    uint16_t k = s->props.temperature[i];

    if (!i) {
        envme_health_set_temperature(s->ctrl, k);
        return true;
    }
    if (envme_thermal_set_sensor(s->ctrl, i, k)) {
        return true;
    }
    error_setg(errp, "temperature%u: there is no such sensor; "
               "temperature-sensors=%u", i, s->props.temperature_sensors);
    return false;
}

static void thermal_set(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    EnvmeState *s = ENVME_DEV(obj);
    unsigned i = thermal_index(name);
    uint16_t k;

    (void)opaque;
    if (!visit_type_uint16(v, name, &k, errp)) {
        return;
    }
    if (!i && !k) {
        error_setg(errp, "temperature=0 is absolute zero; it is in Kelvin, and "
                   "the least is 1");
        return;
    }
    s->props.temperature[i] = k;
    if (s->ctrl) {
        thermal_apply(s, i, errp);
    }
}

bool envme_qthermal_start(EnvmeState *s, Error **errp)
{
    for (unsigned i = 1; i <= THERMAL_SENSORS; i++) {
        if (s->props.temperature[i] && !thermal_apply(s, i, errp)) {
            return false;
        }
    }
    return true;
}

void envme_qthermal_class_init(ObjectClass *oc)
{
    for (unsigned i = 0; i <= THERMAL_SENSORS; i++) {
        g_autofree char *name = i ? g_strdup_printf("temperature%u", i)
                                  : g_strdup("temperature");

        object_class_property_add(oc, name, "uint16", thermal_get, thermal_set,
                                  NULL, NULL);
        object_class_property_set_description(oc, name, i ?
            "Temperature sensor (K); 0: as the composite temperature" :
            "Composite temperature (K)");
    }
}
