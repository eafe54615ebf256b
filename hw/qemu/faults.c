/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault rules from outside: properties, JSON, the chardev for events.
 * docs/faults.md.
 *
 * Threads: the BQL, but for events, which come from any lane and go to the
 * main loop one by one.
 */
#include "hw/qemu/compat.h"

#include "chardev/char-fe.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/main-loop.h"
#include "qobject/qbool.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "qobject/qlist.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"
#include "qemu/error-report.h"
#include "system/runstate.h"

#include "hw/fault/fault.h"
#include "hw/qemu/dev.h"

/* ---- JSON: QEMU's objects and GLib's ----------------------------------- */

static GVariant *faults_to_variant(const QObject *obj);

static GVariant *faults_number(const QNum *n)
{
    int64_t i;
    uint64_t u;

    if (qnum_get_try_int(n, &i)) {
        return g_variant_new_int64(i);
    }
    if (qnum_get_try_uint(n, &u)) {
        return g_variant_new_uint64(u);
    }
    return g_variant_new_double(qnum_get_double((QNum *)n));
}

static GVariant *faults_dict(const QDict *dict)
{
    GVariantBuilder b;

    g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
    for (const QDictEntry *e = qdict_first(dict); e; e = qdict_next(dict, e)) {
        g_variant_builder_add(&b, "{sv}", qdict_entry_key(e),
                              faults_to_variant(qdict_entry_value(e)));
    }
    return g_variant_builder_end(&b);
}

static GVariant *faults_list(const QList *list)
{
    GVariantBuilder b;
    const QListEntry *e;

    g_variant_builder_init(&b, G_VARIANT_TYPE("av"));
    QLIST_FOREACH_ENTRY(list, e) {
        g_variant_builder_add(&b, "v",
                              faults_to_variant(qlist_entry_obj(e)));
    }
    return g_variant_builder_end(&b);
}

/* Floating. QEMU's reader has bounded the depth. */
static GVariant *faults_to_variant(const QObject *obj)
{
    switch (qobject_type(obj)) {
    case QTYPE_QDICT:
        return faults_dict(qobject_to(QDict, obj));
    case QTYPE_QLIST:
        return faults_list(qobject_to(QList, obj));
    case QTYPE_QNUM:
        return faults_number(qobject_to(QNum, obj));
    case QTYPE_QBOOL:
        return g_variant_new_boolean(qbool_get_bool(qobject_to(QBool, obj)));
    case QTYPE_QSTRING:
        return g_variant_new_string(qstring_get_str(qobject_to(QString,
                                                               obj)));
    default:
        return g_variant_new_maybe(G_VARIANT_TYPE_VARIANT, NULL);
    }
}

static QObject *faults_from_variant(GVariant *v)
{
    GVariant *child;
    QObject *obj;

    if (g_variant_is_of_type(v, G_VARIANT_TYPE_VARIANT)) {
        child = g_variant_get_variant(v);
        obj = faults_from_variant(child);
        g_variant_unref(child);
        return obj;
    }
    if (g_variant_is_of_type(v, G_VARIANT_TYPE_VARDICT)) {
        QDict *dict = qdict_new();
        GVariantIter it;
        char *key;

        g_variant_iter_init(&it, v);
        while (g_variant_iter_next(&it, "{sv}", &key, &child)) {
            qdict_put_obj(dict, key, faults_from_variant(child));
            g_variant_unref(child);
            g_free(key);
        }
        return QOBJECT(dict);
    }
    if (g_variant_is_of_type(v, G_VARIANT_TYPE("av"))) {
        QList *list = qlist_new();

        for (size_t i = 0; i < g_variant_n_children(v); i++) {
            child = g_variant_get_child_value(v, i);
            qlist_append_obj(list, faults_from_variant(child));
            g_variant_unref(child);
        }
        return QOBJECT(list);
    }
    if (g_variant_is_of_type(v, G_VARIANT_TYPE_BOOLEAN)) {
        return QOBJECT(qbool_from_bool(g_variant_get_boolean(v)));
    }
    if (g_variant_is_of_type(v, G_VARIANT_TYPE_STRING)) {
        return QOBJECT(qstring_from_str(g_variant_get_string(v, NULL)));
    }
    if (g_variant_is_of_type(v, G_VARIANT_TYPE_UINT64)) {
        return QOBJECT(qnum_from_uint(g_variant_get_uint64(v)));
    }
    if (g_variant_is_of_type(v, G_VARIANT_TYPE_DOUBLE)) {
        return QOBJECT(qnum_from_double(g_variant_get_double(v)));
    }
    return QOBJECT(qnum_from_int(g_variant_get_int64(v)));
}

/* For rules that come from the guest. */
static GVariant *faults_parse(void *opaque, const char *text, char **err)
{
    Error *local = NULL;
    QObject *obj = qobject_from_json(text, &local);
    GVariant *tree;

    (void)opaque;
    if (!obj) {
        *err = g_strdup(local ? error_get_pretty(local) : "nothing is there");
        error_free(local);
        return NULL;
    }
    tree = faults_to_variant(obj);
    qobject_unref(obj);
    return tree;
}

static char *faults_print(void *opaque, GVariant *tree)
{
    QObject *obj = faults_from_variant(tree);
    char *text = g_string_free(qobject_to_json(obj), false);

    (void)opaque;
    qobject_unref(obj);
    return text;
}

/* ---- rules ------------------------------------------------------------- */

static bool faults_load(EnvmeState *s, Error **errp)
{
    g_autoptr(GVariant) tree = NULL;
    g_autofree char *err = NULL;

    if (!s->faults.rules) {
        return true;
    }
    tree = g_variant_ref_sink(faults_to_variant(s->faults.rules));
    if (!envme_faults_load(s->faults.f, tree, &err)) {
        error_setg(errp, "faults: %s", err);
        return false;
    }
    return true;
}

/* A string is a file's name. */
static QObject *faults_read_file(const char *name, Error **errp)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) gerr = NULL;
    QObject *obj;

    if (g_str_has_prefix(name, "file:")) {
        name += 5;
    }
    if (!g_file_get_contents(name, &text, NULL, &gerr)) {
        error_setg(errp, "faults: %s", gerr->message);
        return NULL;
    }
    obj = qobject_from_json(text, errp);
    if (!obj) {
        error_prepend(errp, "faults: %s: ", name);
    }
    return obj;
}

static void faults_set(Object *o, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    EnvmeState *s = ENVME_DEV(o);
    QObject *obj = NULL, *old;

    (void)opaque;
    if (!visit_type_any(v, name, &obj, errp)) {
        return;
    }
    if (qobject_type(obj) == QTYPE_QSTRING) {
        QObject *file = faults_read_file(
            qstring_get_str(qobject_to(QString, obj)), errp);

        qobject_unref(obj);
        obj = file;
        if (!obj) {
            return;
        }
    }
    old = s->faults.rules;
    s->faults.rules = obj;
    if (s->faults.f && !faults_load(s, errp)) {
        s->faults.rules = old;
        qobject_unref(obj);
        return;
    }
    qobject_unref(old);
}

static void faults_get(Object *o, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    EnvmeState *s = ENVME_DEV(o);
    g_autoptr(GVariant) tree = s->faults.f ? envme_faults_tree(s->faults.f)
                                           : NULL;
    QObject *obj = tree ? faults_from_variant(tree)
                   : s->faults.rules ? qobject_ref(s->faults.rules)
                                     : QOBJECT(qdict_new());

    (void)opaque;
    visit_type_any(v, name, &obj, errp);
    qobject_unref(obj);
}

static void faults_get_report(Object *o, Visitor *v, const char *name,
                              void *opaque, Error **errp)
{
    EnvmeState *s = ENVME_DEV(o);
    QObject *obj;

    (void)opaque;
    if (s->faults.f) {
        g_autoptr(GVariant) report = envme_faults_report(s->faults.f);

        obj = faults_from_variant(report);
    } else {
        obj = QOBJECT(qdict_new());
    }
    visit_type_any(v, name, &obj, errp);
    qobject_unref(obj);
}

static bool faults_get_active(Object *o, Error **errp)
{
    EnvmeState *s = ENVME_DEV(o);

    (void)errp;
    return s->faults.f && envme_faults_active(s->faults.f);
}

static void faults_set_active(Object *o, bool on, Error **errp)
{
    EnvmeState *s = ENVME_DEV(o);

    if (!s->faults.f) {
        error_setg(errp, "faults-active can be set when the device is there; "
                   "put \"active\": false into the rules to begin without");
        return;
    }
    envme_faults_activate(s->faults.f, on);
}

static void faults_arm(Object *o, const char *rule, bool on, Error **errp)
{
    EnvmeState *s = ENVME_DEV(o);

    if (!s->faults.f) {
        error_setg(errp, "rules can be armed when the device is there; put "
                   "\"armed\" into a rule to begin otherwise");
    } else if (!envme_faults_arm(s->faults.f, rule, on)) {
        error_setg(errp, "there is no rule '%s'", rule);
    }
}

static void faults_set_arm(Object *o, const char *rule, Error **errp)
{
    faults_arm(o, rule, true, errp);
}

static void faults_set_disarm(Object *o, const char *rule, Error **errp)
{
    faults_arm(o, rule, false, errp);
}

/* ---- events ------------------------------------------------------------ */

static void faults_write_event(EnvmeState *s, GVariant *ev)
{
    QObject *obj = faults_from_variant(ev);
    GString *line = qobject_to_json(obj);

    g_string_append_c(line, '\n');
    if (qemu_chr_fe_backend_connected(&s->faults.events)) {
        qemu_chr_fe_write_all(&s->faults.events, (uint8_t *)line->str,
                              line->len);
    }
    g_string_free(line, true);
    qobject_unref(obj);
}

/* Main loop. Bottom halves run in any order; the queue has the right one, and
 * the first of them takes all. */
static void faults_write_events(void *opaque)
{
    EnvmeState *s = opaque;
    GVariant *ev;

    while ((ev = g_async_queue_try_pop(s->faults.queue))) {
        faults_write_event(s, ev);
        g_variant_unref(ev);
    }
    object_unref(OBJECT(s));
}

/* Any lane; one after the other. */
static void faults_event(void *opaque, GVariant *ev)
{
    EnvmeState *s = opaque;

    g_async_queue_push(s->faults.queue, ev);
    object_ref(OBJECT(s));
    aio_bh_schedule_oneshot(qemu_get_aio_context(), faults_write_events, s);
}

/* ---- power ------------------------------------------------------------- */

/* Not here and now: we may be deep inside the controller. */
static void faults_machine(void *opaque, const char *what)
{
    (void)opaque;
    if (g_str_equal(what, "machine-reset")) {
        qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
        return;
    }
    qemu_system_vmstop_request_prepare();
    qemu_system_vmstop_request(RUN_STATE_PAUSED);
    if (g_str_equal(what, "quit")) {
        qemu_system_shutdown_request(SHUTDOWN_CAUSE_HOST_QMP_QUIT);
    }
}

static void faults_image(void *opaque, const char *dir,
                         const struct envme_power_image *img)
{
    Error *err = NULL;

    (void)opaque;
    if (!envme_crash_image(dir, img, &err)) {
        error_reportf_err(err, "envme: crash state %u of namespace %u: ",
                          img->index, img->nsid);
    }
}

static void faults_when_able(void *opaque, void (*fn)(void *arg), void *arg)
{
    (void)opaque;
    envme_crash_when_able(fn, arg);
}

static void faults_do(Object *o, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    EnvmeState *s = ENVME_DEV(o);
    g_autoptr(GVariant) tree = NULL;
    g_autofree char *err = NULL;
    QObject *obj = NULL;

    (void)opaque;
    if (!s->faults.f) {
        error_setg(errp, "faults-do can be set when the device is there");
        return;
    }
    if (!visit_type_any(v, name, &obj, errp)) {
        return;
    }
    tree = g_variant_ref_sink(faults_to_variant(obj));
    qobject_unref(obj);
    if (!envme_faults_do(s->faults.f, tree, &err)) {
        error_setg(errp, "faults-do: %s", err);
    }
}

/* ---- life -------------------------------------------------------------- */

bool envme_qfaults_init(EnvmeState *s, Error **errp)
{
    const struct envme_fault_world world = {
        .opaque = s, .parse = faults_parse, .print = faults_print,
        .machine = faults_machine, .image = faults_image,
        .when_able = faults_when_able,
        .bus_can = ENVME_BUS_LINK | ENVME_BUS_KEPT | ENVME_BUS_HANG |
                   ENVME_BUS_MASTER,
        .bus = envme_qlink_set,
        .bus_error = s->parent_obj.exp.aer_cap ? envme_qlink_error : NULL,
    };

    s->faults.f = envme_faults_new(s->ctrl, &world);
    if (qemu_chr_fe_backend_connected(&s->faults.events)) {
        if (!s->faults.queue) {
            s->faults.queue = g_async_queue_new_full((GDestroyNotify)
                                                     g_variant_unref);
        }
        envme_faults_listen(s->faults.f, faults_event, s);
    }
    return faults_load(s, errp);
}

void envme_qfaults_stop(EnvmeState *s)
{
    if (s->faults.f) {
        envme_faults_free(s->faults.f);
        s->faults.f = NULL;
    }
}

void envme_qfaults_finalize(EnvmeState *s)
{
    qobject_unref(s->faults.rules);
    if (s->faults.queue) {
        g_async_queue_unref(s->faults.queue);
    }
}

void envme_qfaults_class_init(ObjectClass *oc)
{
    object_class_property_add(oc, "faults", "any", faults_get, faults_set,
                              NULL, NULL);
    object_class_property_set_description(oc, "faults", "Fault rules: an "
                                          "object, or the name of a JSON file");
    object_class_property_add_bool(oc, "faults-active", faults_get_active,
                                   faults_set_active);
    object_class_property_set_description(oc, "faults-active",
                                          "Do the rules match?");
    object_class_property_add_str(oc, "faults-arm", NULL, faults_set_arm);
    object_class_property_set_description(oc, "faults-arm", "Name of a rule: "
                                          "it is armed, and counts from 0");
    object_class_property_add_str(oc, "faults-disarm", NULL,
                                  faults_set_disarm);
    object_class_property_set_description(oc, "faults-disarm",
                                          "Name of a rule: it is disarmed");
    object_class_property_add(oc, "faults-do", "any", NULL, faults_do, NULL,
                              NULL);
    object_class_property_set_description(oc, "faults-do", "Written: actions "
                                          "that are done now");
    object_class_property_add(oc, "faults-report", "any", faults_get_report,
                              NULL, NULL, NULL);
    object_class_property_set_description(oc, "faults-report",
                                          "What has come of the rules");
}
