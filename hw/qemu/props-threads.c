/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which threads serve the I/O queues: iothread=, iothreads=, iothread-map=.
 * One, several, or several with the completion queues that each has. And
 * vcpu-turns=, which is about lane 0.
 */
#include "hw/qemu/compat.h"

#include "qapi/error.h"
#include "qemu/accel.h"
#include "qapi/qapi-builtin-visit.h"
#include "qapi/visitor-impl.h"
#include "qapi/visitor.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"
#include "system/iothread.h"

#include "hw/qemu/dev.h"

/* ---- iothreads: "a:b:c" or a JSON list --------------------------------- */

static void props_get_iothreads(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    EnvmeState *s = ENVME_DEV(obj);
    g_autofree char *str = s->props.iothreads
                               ? g_strjoinv(":", s->props.iothreads)
                               : g_strdup("");

    (void)opaque;
    visit_type_str(v, name, &str, errp);
}

/* True for a list; visitors that cannot tell have strings only. */
static bool props_is_list(Visitor *v, const char *name, Error **errp)
{
    GenericAlternate *alt = NULL;
    bool is_list;

    if (!v->start_alternate ||
        !visit_start_alternate(v, name, &alt, sizeof(*alt), errp)) {
        return false;
    }
    is_list = alt && alt->type == QTYPE_QLIST;
    visit_end_alternate(v, (void **)&alt);
    g_free(alt);
    return is_list;
}

static void props_set_iothreads(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    EnvmeState *s = ENVME_DEV(obj);
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *str = NULL;
    strList *list = NULL;

    (void)opaque;
    if (DEVICE(obj)->realized) {
        error_setg(errp, "iothreads cannot be changed any more");
        return;
    }
    if (props_is_list(v, name, errp)) {
        if (!visit_type_strList(v, name, &list, errp)) {
            return;
        }
        for (strList *e = list; e; e = e->next) {
            g_ptr_array_add(ids, g_strdup(e->value));
        }
        qapi_free_strList(list);
        g_ptr_array_add(ids, NULL);
        g_strfreev(s->props.iothreads);
        s->props.iothreads =
            (char **)g_ptr_array_free(g_steal_pointer(&ids), false);
        return;
    }
    if (visit_type_str(v, name, &str, errp)) {
        g_strfreev(s->props.iothreads);
        s->props.iothreads = *str ? g_strsplit(str, ":", -1) : NULL;
    }
}

/* ---- iothread-map: [{"iothread": "a", "queues": [1, 2]}, ...] ------------ */

static void props_get_map(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    EnvmeState *s = ENVME_DEV(obj);
    QObject *map = s->props.iothread_map ? qobject_ref(s->props.iothread_map)
                                         : QOBJECT(qlist_new());

    (void)opaque;
    visit_type_any(v, name, &map, errp);
    qobject_unref(map);
}

static void props_set_map(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    EnvmeState *s = ENVME_DEV(obj);
    QObject *map = NULL;

    (void)opaque;
    if (DEVICE(obj)->realized) {
        error_setg(errp, "iothread-map cannot be changed any more");
        return;
    }
    if (!visit_type_any(v, name, &map, errp)) {
        return;
    }
    if (!qobject_to(QList, map)) {
        error_setg(errp, "iothread-map is a list, as in -device "
                   "'{\"driver\": \"envme\", \"iothread-map\": "
                   "[{\"iothread\": \"t0\"}, ...], ...}'");
        qobject_unref(map);
        return;
    }
    qobject_unref(s->props.iothread_map);
    s->props.iothread_map = map;
}

/* One queue of an entry goes to that lane. */
static bool props_map_queue(EnvmeState *s, const char *id, QObject *queue,
                            unsigned lane, Error **errp)
{
    QNum *num = qobject_to(QNum, queue);
    uint64_t q;

    if (!num || !qnum_get_try_uint(num, &q)) {
        error_setg(errp, "iothread-map: a queue of '%s' is not a number; its "
                   "nearest valid value is 1", id);
        return false;
    }
    if (q < 1 || q > s->props.max_ioqpairs) {
        error_setg(errp, "iothread-map: '%s' has queue %" PRIu64 ", which "
                   "there cannot be; the nearest valid value is %u", id, q,
                   q < 1 ? 1 : s->props.max_ioqpairs);
        return false;
    }
    if (s->props.cq_lane[q]) {
        error_setg(errp, "iothread-map: queue %" PRIu64 " of '%s' has a thread "
                   "already; name it once", q, id);
        return false;
    }
    s->props.cq_lane[q] = lane;
    return true;
}

static const char *props_map_id(QDict *entry, Error **errp)
{
    const char *id = entry ? qdict_get_try_str(entry, "iothread") : NULL;

    if (!id) {
        error_setg(errp, "iothread-map: an entry has no \"iothread\"");
        return NULL;
    }
    for (const QDictEntry *e = qdict_first(entry); e;
         e = qdict_next(entry, e)) {
        const char *key = qdict_entry_key(e);

        if (!g_str_equal(key, "iothread") && !g_str_equal(key, "queues")) {
            error_setg(errp, "iothread-map: '%s' has a \"%s\", which there "
                       "is not; the nearest valid one is \"queues\"", id,
                       key);
            return NULL;
        }
    }
    return id;
}

static bool props_map_entry(EnvmeState *s, QDict *entry, unsigned lane,
                            GStrv ids, Error **errp)
{
    const char *id = props_map_id(entry, errp);
    QObject *queues;
    QListEntry *e;

    if (!id) {
        return false;
    }
    ids[lane - 1] = g_strdup(id);
    queues = qdict_get(entry, "queues");
    if (lane == 1) {
        s->props.cq_lane = queues ? g_new0(uint16_t,
                                           s->props.max_ioqpairs + 1) : NULL;
    } else if (!queues != !s->props.cq_lane) {
        error_setg(errp, "iothread-map: '%s' has %s, unlike the first one; "
                   "give them to all or to none", id,
                   queues ? "\"queues\"" : "no \"queues\"");
        return false;
    }
    if (!queues) {
        return true;
    }
    if (!qobject_to(QList, queues) ||
        qlist_empty(qobject_to(QList, queues))) {
        error_setg(errp, "iothread-map: \"queues\" of '%s' is no list of "
                   "completion queues, as in [1, 2]", id);
        return false;
    }
    QLIST_FOREACH_ENTRY(qobject_to(QList, queues), e) {
        if (!props_map_queue(s, id, qlist_entry_obj(e), lane, errp)) {
            return false;
        }
    }
    return true;
}

/* NULL: none, or *errp. */
static GStrv props_map(EnvmeState *s, Error **errp)
{
    QList *map = qobject_to(QList, s->props.iothread_map);
    g_auto(GStrv) ids = NULL;
    unsigned lane = 1;
    QListEntry *e;

    if (!map) {
        return NULL;
    }
    if (qlist_empty(map)) {
        error_setg(errp, "iothread-map names no iothread; leave it out");
        return NULL;
    }
    g_clear_pointer(&s->props.cq_lane, g_free);
    ids = g_new0(char *, qlist_size(map) + 1);
    QLIST_FOREACH_ENTRY(map, e) {
        if (!props_map_entry(s, qobject_to(QDict, qlist_entry_obj(e)), lane++,
                             ids, errp)) {
            return NULL;
        }
    }
    return g_steal_pointer(&ids);
}

/* ---- all of them ------------------------------------------------------- */

static bool props_exclude(const EnvmeState *s, Error **errp)
{
    const struct {
        const char *name;
        bool given;
    } ways[] = {
        { "iothread=", s->props.iothread },
        { "iothreads=", s->props.iothreads },
        { "iothread-map=", s->props.iothread_map },
    };
    const char *first = NULL;

    for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
        if (ways[i].given && first) {
            error_setg(errp, "%s and %s exclude each other: give all of them "
                       "in %s", first, ways[i].name, ways[i].name);
            return false;
        }
        first = ways[i].given ? ways[i].name : first;
    }
    return true;
}

/* The threads of that name. */
static bool props_find_threads(const char *prop, GStrv ids, IOThread **t,
                               Error **errp)
{
    for (unsigned n = 0; ids[n]; n++) {
        t[n] = iothread_by_id(ids[n]);
        if (!t[n]) {
            error_setg(errp, "%s: there is no iothread '%s'; add "
                       "-object iothread,id=%s", prop, ids[n], ids[n]);
            return false;
        }
        for (unsigned i = 0; i < n; i++) {
            if (t[i] == t[n]) {
                error_setg(errp, "%s names '%s' twice; name it once", prop,
                           ids[n]);
                return false;
            }
        }
    }
    return true;
}

bool envme_props_iothreads(EnvmeState *s, IOThread ***list, unsigned *n,
                           Error **errp)
{
    g_autofree IOThread **t = NULL;
    g_auto(GStrv) ids = NULL;

    *n = 0;
    *list = NULL;
    if (!props_exclude(s, errp)) {
        return false;
    }
    if (s->props.iothread) {
        *list = g_new(IOThread *, 1);
        (*list)[(*n)++] = s->props.iothread;
        return true;
    }
    if (s->props.iothread_map) {
        ids = props_map(s, errp);
        if (!ids) {
            return false;
        }
    } else {
        ids = g_strdupv(s->props.iothreads);
    }
    if (!ids) {
        return true;
    }
    t = g_new0(IOThread *, g_strv_length(ids) + 1);
    if (!props_find_threads(s->props.iothread_map ? "iothread-map"
                                                  : "iothreads", ids, t,
                            errp)) {
        return false;
    }
    *n = g_strv_length(ids);
    *list = g_steal_pointer(&t);
    return true;
}

/* With TCG another thread is dear to wake, and a vCPU that has rung is on its way
 * out of the guest's code anyway; with KVM the guest's time is too good for it. */
bool envme_props_vcpu_turns(const EnvmeState *s)
{
    return s->props.vcpu_turns == ON_OFF_AUTO_AUTO
           ? !g_ascii_strcasecmp(current_accel_name(), "tcg")
           : s->props.vcpu_turns == ON_OFF_AUTO_ON;
}

void envme_props_threads_finalize(EnvmeState *s)
{
    g_strfreev(s->props.iothreads);
    qobject_unref(s->props.iothread_map);
    g_free(s->props.cq_lane);
}

void envme_props_threads_class_init(ObjectClass *oc)
{
    object_class_property_add(oc, "iothreads", "list of IOThread ids, a:b:c",
                              props_get_iothreads, props_set_iothreads, NULL,
                              NULL);
    object_class_property_set_description(oc, "iothreads",
                                          "Threads that serve the I/O queues");
    object_class_property_add(oc, "iothread-map", "list of {iothread, queues}",
                              props_get_map, props_set_map, NULL, NULL);
    object_class_property_set_description(oc, "iothread-map",
                                          "Threads, and the completion queues "
                                          "that each serves (JSON)");
}
