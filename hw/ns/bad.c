/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that cannot be read until they are written again. What is put in the
 * state is put with the lock held, so that the last record is the last set.
 */
#include <stdio.h>
#include <string.h>

#include "envme/bytes.h"
#include "hw/ns/ns.h"
#include "hw/ns/subsys.h"

#define BAD_VERSION 1

/* Record "ns/NSID/bad". */
struct bad_record {
    le32_t version;
    le32_t n;
    struct {
        le64_t slba, nlb;
    } range[];
};
_Static_assert(offsetof(struct bad_record, range) == 8, "");

static void bad_name(const struct envme_ns *ns, char name[32])
{
    snprintf(name, 32, "ns/%u/bad", ns->nsid);
}

/* With the lock held. */
static void bad_changed(struct envme_ns *ns)
{
    /* Until it has an NSID it has no record. */
    struct envme_state *state = ns->subsys && ns->nsid ? ns->subsys->state
                                                       : NULL;
    size_t n = ns->bad.n, len = offsetof(struct bad_record, range[n]);
    struct bad_record *r;
    char name[32];

    atomic_store(&ns->nbad, n);
    if (!state) {
        return;
    }
    bad_name(ns, name);
    if (!n) {
        envme_state_remove(state, name);
        return;
    }
    r = g_malloc(len);
    r->version = le32(BAD_VERSION);
    r->n = le32(n);
    for (size_t i = 0; i < n; i++) {
        r->range[i].slba = le64(ns->bad.r[i].start);
        r->range[i].nlb = le64(ns->bad.r[i].end - ns->bad.r[i].start);
    }
    envme_state_put(state, name, r, len);
    g_free(r);
}

void envme_ns_load_bad(struct envme_ns *ns)
{
    char name[32];
    GBytes *b;
    gsize len;
    const struct bad_record *r;

    bad_name(ns, name);
    b = envme_state_get(ns->subsys->state, name);
    if (!b) {
        return;
    }
    r = g_bytes_get_data(b, &len);
    g_mutex_lock(&ns->lock);
    if (len >= sizeof(*r) && le32_get(r->version) == BAD_VERSION) {
        size_t n = ENVME_MIN(le32_get(r->n),
                             (len - sizeof(*r)) / sizeof(r->range[0]));

        /* What is no longer in the namespace is left out. */
        for (size_t i = 0; i < n; i++) {
            uint64_t slba = le64_get(r->range[i].slba);
            uint64_t nlb = le64_get(r->range[i].nlb);

            if (envme_ns_range_ok(ns, slba, nlb)) {
                envme_rangeset_add(&ns->bad, slba, nlb);
            }
        }
    }
    atomic_store(&ns->nbad, ns->bad.n);
    g_mutex_unlock(&ns->lock);
    g_bytes_unref(b);
}

bool envme_ns_set_bad(struct envme_ns *ns, uint64_t slba, uint64_t nlb)
{
    bool ok;

    g_mutex_lock(&ns->lock);
    ok = envme_rangeset_add(&ns->bad, slba, nlb);
    if (ok) {
        bad_changed(ns);
    }
    g_mutex_unlock(&ns->lock);
    return ok;
}

bool envme_ns_clear_bad(struct envme_ns *ns, uint64_t slba, uint64_t nlb)
{
    uint64_t lba;
    bool found;

    if (!atomic_load(&ns->nbad)) {
        return false;
    }
    g_mutex_lock(&ns->lock);
    found = envme_rangeset_first(&ns->bad, slba, nlb, &lba);
    if (found && !envme_rangeset_remove(&ns->bad, slba, nlb)) {
        /* No room for two of one. What was written has to be readable, so
         * the rest of that interval becomes readable with it. */
        while (envme_rangeset_first(&ns->bad, slba, nlb, &lba)) {
            envme_rangeset_drop(&ns->bad, lba);
        }
    }
    if (found) {
        bad_changed(ns);
    }
    g_mutex_unlock(&ns->lock);
    return found;
}

void envme_ns_forget_bad(struct envme_ns *ns)
{
    g_mutex_lock(&ns->lock);
    envme_rangeset_clear(&ns->bad);
    bad_changed(ns);
    g_mutex_unlock(&ns->lock);
}

bool envme_ns_find_bad(struct envme_ns *ns, uint64_t slba, uint64_t nlb,
                       uint64_t *lba)
{
    bool found;

    if (!atomic_load(&ns->nbad)) {
        return false;
    }
    g_mutex_lock(&ns->lock);
    found = envme_rangeset_first(&ns->bad, slba, nlb, lba);
    g_mutex_unlock(&ns->lock);
    return found;
}
