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

/* With the lock held, after any change. */
static void bad_count(struct envme_ns *ns)
{
    atomic_store(&ns->nbad, ns->bad.n + ns->suspect.n);
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

    bad_count(ns);
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
    bad_count(ns);
    g_mutex_unlock(&ns->lock);
    g_bytes_unref(b);
}

/* With the lock held. Of one that can't be made two all goes: it was a guess. */
static void bad_unsuspect(struct envme_ns *ns, uint64_t slba, uint64_t nlb)
{
    uint64_t lba;

    if (!envme_rangeset_remove(&ns->suspect, slba, nlb)) {
        while (envme_rangeset_first(&ns->suspect, slba, nlb, &lba)) {
            envme_rangeset_drop(&ns->suspect, lba);
        }
    }
    bad_count(ns);
}

bool envme_ns_set_bad(struct envme_ns *ns, uint64_t slba, uint64_t nlb)
{
    bool ok;

    g_mutex_lock(&ns->lock);
    ok = envme_rangeset_add(&ns->bad, slba, nlb);
    if (ok) {
        envme_rangeset_remove(&ns->suspect, slba, nlb);
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
    bad_unsuspect(ns, slba, nlb);
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
    envme_rangeset_clear(&ns->suspect);
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

/* ---- blocks that the medium has lost ----------------------------------- */

/* With the lock held: all of them are in the set already. */
static bool suspect_known(const struct envme_ns *ns, uint64_t slba,
                          uint64_t end)
{
    struct envme_range r;

    return envme_rangeset_next(&ns->suspect, slba, &r) && r.start == slba &&
           r.end >= end;
}

/* With the lock held, and no room for another interval: up to the nearest. */
static void suspect_widen(struct envme_ns *ns, uint64_t slba, uint64_t end)
{
    const struct envme_rangeset *s = &ns->suspect;
    size_t i = 0;

    while (i < s->n && s->r[i].end <= slba) {
        i++;
    }
    /* i is behind it, i - 1 before it. */
    if (i == s->n || (i && slba - s->r[i - 1].end < s->r[i].start - end)) {
        slba = s->r[i - 1].end;
    } else {
        end = s->r[i].start;
    }
    envme_rangeset_add(&ns->suspect, slba, end - slba);
}

bool envme_ns_suspect(struct envme_ns *ns, uint64_t offset, uint64_t bytes)
{
    bool md = ns->ms && offset >= ns->moff, fresh;
    uint32_t unit = md ? ns->ms : 1u << ns->lbads;
    uint64_t slba, end;

    offset -= md ? ns->moff : 0;
    slba = offset / unit;
    end = (offset + bytes + unit - 1) / unit;
    if (!bytes || !envme_ns_range_ok(ns, slba, end - slba)) {
        return false;
    }
    g_mutex_lock(&ns->lock);
    fresh = !suspect_known(ns, slba, end);
    if (fresh && !envme_rangeset_add(&ns->suspect, slba, end - slba) &&
        ns->suspect.n) {
        suspect_widen(ns, slba, end);
    }
    bad_count(ns);
    g_mutex_unlock(&ns->lock);
    return fresh;
}

void envme_ns_unsuspect(struct envme_ns *ns, uint64_t slba, uint64_t nlb)
{
    uint64_t lba;

    if (!atomic_load(&ns->nbad)) {
        return;
    }
    g_mutex_lock(&ns->lock);
    if (envme_rangeset_first(&ns->suspect, slba, nlb, &lba)) {
        /* What can't be taken out stays: it may be read successfully. */
        envme_rangeset_remove(&ns->suspect, slba, nlb);
        bad_count(ns);
    }
    g_mutex_unlock(&ns->lock);
}

bool envme_ns_next_lost(struct envme_ns *ns, uint64_t lba, uint64_t end,
                        struct envme_ns_lost *lost)
{
    struct envme_range bad, suspect;
    bool is_bad, is_suspect;

    if (!atomic_load(&ns->nbad)) {
        return false;
    }
    g_mutex_lock(&ns->lock);
    is_bad = envme_rangeset_next(&ns->bad, lba, &bad) && bad.start < end;
    is_suspect = envme_rangeset_next(&ns->suspect, lba, &suspect) &&
                 suspect.start < end;
    g_mutex_unlock(&ns->lock);
    if (!is_bad && !is_suspect) {
        return false;
    }
    lost->uncor = is_bad && (!is_suspect || bad.start <= suspect.start);
    if (!lost->uncor && is_bad) {
        suspect.end = ENVME_MIN(suspect.end, bad.start);
    }
    if (lost->uncor) {
        suspect = bad;
    }
    lost->slba = suspect.start;
    lost->nlb = ENVME_MIN(suspect.end, end) - suspect.start;
    return true;
}
