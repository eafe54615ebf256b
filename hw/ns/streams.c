/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ns/streams.h"

#include <glib.h>
#include <stdlib.h>

/* A namespace at a controller, once something has been said about it. */
struct streams_user {
    uint64_t key;
    bool on;
    uint16_t nsa, nso;
};

struct envme_streams {
    GMutex lock;
    uint16_t msl;
    uint16_t allocated;         /* of all users' nsa */
    uint16_t nsso;
    uint64_t clock;
    uint32_t on_all[65536 / 32];    /* by CNTLID: where no user says so */
    GHashTable *users;          /* by key */
    unsigned nopen;
    struct envme_stream open[]; /* [msl], in no order */
};

static uint64_t streams_key(uint32_t nsid, uint16_t cntlid)
{
    return (uint64_t)cntlid << 32 | nsid;
}

static struct streams_user *streams_find(const struct envme_streams *s,
                                         uint32_t nsid, uint16_t cntlid)
{
    uint64_t key = streams_key(nsid, cntlid);

    return g_hash_table_lookup(s->users, &key);
}

static bool streams_all_on(const struct envme_streams *s, uint16_t cntlid)
{
    return s->on_all[cntlid / 32] >> cntlid % 32 & 1;
}

static struct streams_user *streams_user(struct envme_streams *s,
                                         uint32_t nsid, uint16_t cntlid)
{
    struct streams_user *u = streams_find(s, nsid, cntlid);

    if (!u) {
        u = g_new0(struct streams_user, 1);
        u->key = streams_key(nsid, cntlid);
        u->on = streams_all_on(s, cntlid);
        g_hash_table_insert(s->users, &u->key, u);
    }
    return u;
}

struct envme_streams *envme_streams_new(uint16_t msl)
{
    struct envme_streams *s = g_malloc0(sizeof(*s) +
                                        msl * sizeof(s->open[0]));

    g_mutex_init(&s->lock);
    s->msl = msl;
    s->users = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
                                     g_free);
    return s;
}

void envme_streams_free(struct envme_streams *s)
{
    if (s) {
        g_hash_table_destroy(s->users);
        g_mutex_clear(&s->lock);
        g_free(s);
    }
}

/* ---- closing ----------------------------------------------------------- */

static void streams_close(struct envme_streams *s, unsigned i)
{
    const struct envme_stream *st = &s->open[i];

    streams_find(s, st->nsid, st->cntlid)->nso--;
    s->nsso -= !st->exclusive;
    s->open[i] = s->open[--s->nopen];
}

static void streams_close_user(struct envme_streams *s, uint32_t nsid,
                               uint16_t cntlid)
{
    for (unsigned i = s->nopen; i-- > 0;) {
        if (s->open[i].nsid == nsid && s->open[i].cntlid == cntlid) {
            streams_close(s, i);
        }
    }
}

static void streams_drop(struct envme_streams *s, struct streams_user *u)
{
    streams_close_user(s, (uint32_t)u->key, u->key >> 32);
    s->allocated -= u->nsa;
    u->nsa = 0;
}

/* The one that was not used for longest, among those of the user's own
 * resources, or (NULL) of the subsystem's. */
static void streams_close_oldest(struct envme_streams *s,
                                 const struct streams_user *u)
{
    unsigned oldest = s->nopen;

    for (unsigned i = 0; i < s->nopen; i++) {
        const struct envme_stream *st = &s->open[i];
        bool match = u ? st->exclusive &&
                         streams_key(st->nsid, st->cntlid) == u->key
                       : !st->exclusive;

        if (match && (oldest == s->nopen || st->used < s->open[oldest].used)) {
            oldest = i;
        }
    }
    streams_close(s, oldest);
}

static uint16_t streams_available(const struct envme_streams *s)
{
    return s->msl - s->allocated;
}

/* ---- enabling ---------------------------------------------------------- */

static void streams_switch(struct envme_streams *s, struct streams_user *u,
                           bool on)
{
    if (!on) {
        streams_drop(s, u);
    }
    u->on = on;
}

void envme_streams_enable(struct envme_streams *s, uint32_t nsid,
                          uint16_t cntlid, bool on)
{
    GHashTableIter it;
    gpointer u;

    g_mutex_lock(&s->lock);
    if (nsid != ENVME_STREAMS_ALL) {
        streams_switch(s, streams_user(s, nsid, cntlid), on);
        g_mutex_unlock(&s->lock);
        return;
    }
    s->on_all[cntlid / 32] &= ~(1u << cntlid % 32);
    s->on_all[cntlid / 32] |= (uint32_t)on << cntlid % 32;
    g_hash_table_iter_init(&it, s->users);
    while (g_hash_table_iter_next(&it, NULL, &u)) {
        if (((struct streams_user *)u)->key >> 32 == cntlid) {
            streams_switch(s, u, on);
        }
    }
    g_mutex_unlock(&s->lock);
}

static bool streams_enabled(const struct envme_streams *s, uint32_t nsid,
                            uint16_t cntlid)
{
    const struct streams_user *u = streams_find(s, nsid, cntlid);

    return u ? u->on : streams_all_on(s, cntlid);
}

bool envme_streams_enabled(struct envme_streams *s, uint32_t nsid,
                           uint16_t cntlid)
{
    bool on;

    if (!s) {
        return false;
    }
    g_mutex_lock(&s->lock);
    on = streams_enabled(s, nsid, cntlid);
    g_mutex_unlock(&s->lock);
    return on;
}

void envme_streams_forget_ns(struct envme_streams *s, uint32_t nsid,
                             enum envme_streams_forget how)
{
    GHashTableIter it;
    gpointer p;

    if (!s) {
        return;
    }
    g_mutex_lock(&s->lock);
    g_hash_table_iter_init(&it, s->users);
    while (g_hash_table_iter_next(&it, NULL, &p)) {
        struct streams_user *u = p;

        if ((uint32_t)u->key != nsid) {
            continue;
        }
        if (how == ENVME_STREAMS_CLOSE) {
            streams_close_user(s, nsid, u->key >> 32);
            continue;
        }
        streams_drop(s, u);
        if (how == ENVME_STREAMS_DELETE) {
            g_hash_table_iter_remove(&it);
        }
    }
    g_mutex_unlock(&s->lock);
}

void envme_streams_forget_ctrl(struct envme_streams *s, uint16_t cntlid)
{
    GHashTableIter it;
    gpointer p;

    if (!s) {
        return;
    }
    g_mutex_lock(&s->lock);
    s->on_all[cntlid / 32] &= ~(1u << cntlid % 32);
    g_hash_table_iter_init(&it, s->users);
    while (g_hash_table_iter_next(&it, NULL, &p)) {
        struct streams_user *u = p;

        if (u->key >> 32 == cntlid) {
            streams_drop(s, u);
            g_hash_table_iter_remove(&it);
        }
    }
    g_mutex_unlock(&s->lock);
}

/* ---- resources --------------------------------------------------------- */

int envme_streams_allocate(struct envme_streams *s, uint32_t nsid,
                           uint16_t cntlid, uint16_t n)
{
    struct streams_user *u;

    g_mutex_lock(&s->lock);
    u = streams_user(s, nsid, cntlid);
    if (u->nsa) {
        g_mutex_unlock(&s->lock);
        return -1;
    }
    n = MIN(n, streams_available(s));
    if (n) {
        /* From now on it has none of the subsystem's. */
        streams_close_user(s, nsid, cntlid);
        u->nsa = n;
        s->allocated += n;
        while (s->nsso > streams_available(s)) {
            streams_close_oldest(s, NULL);
        }
    }
    g_mutex_unlock(&s->lock);
    return n;
}

void envme_streams_release_resources(struct envme_streams *s, uint32_t nsid,
                                     uint16_t cntlid)
{
    struct streams_user *u;

    g_mutex_lock(&s->lock);
    u = streams_find(s, nsid, cntlid);
    if (u && u->nsa) {
        streams_drop(s, u);
    }
    g_mutex_unlock(&s->lock);
}

static struct envme_stream *streams_stream(struct envme_streams *s,
                                           uint32_t nsid, uint16_t cntlid,
                                           uint16_t sid)
{
    for (unsigned i = 0; i < s->nopen; i++) {
        struct envme_stream *st = &s->open[i];

        if (st->sid == sid && st->nsid == nsid && st->cntlid == cntlid) {
            return st;
        }
    }
    return NULL;
}

void envme_streams_release(struct envme_streams *s, uint32_t nsid,
                           uint16_t cntlid, uint16_t sid)
{
    const struct envme_stream *st;

    g_mutex_lock(&s->lock);
    st = streams_stream(s, nsid, cntlid, sid);
    if (st) {
        streams_close(s, st - s->open);
    }
    g_mutex_unlock(&s->lock);
}

/* NULL: all resources are somebody else's own, so it is a write like any
 * other. */
static struct envme_stream *streams_start(struct envme_streams *s,
                                          uint32_t nsid, uint16_t cntlid,
                                          uint16_t sid)
{
    struct streams_user *u = streams_user(s, nsid, cntlid);
    struct envme_stream *st;

    if (!u->nsa && !streams_available(s)) {
        return NULL;
    }
    if (u->nsa ? u->nso >= u->nsa : s->nsso >= streams_available(s)) {
        streams_close_oldest(s, u->nsa ? u : NULL);
    }
    st = &s->open[s->nopen++];
    *st = (struct envme_stream){
        .nsid = nsid, .cntlid = cntlid, .sid = sid, .exclusive = u->nsa,
    };
    u->nso++;
    s->nsso += !st->exclusive;
    return st;
}

void envme_streams_write(struct envme_streams *s, uint32_t nsid,
                         uint16_t cntlid, uint16_t sid, uint64_t bytes)
{
    struct envme_stream *st;

    g_mutex_lock(&s->lock);
    /* It may have been turned off since the command was looked at. */
    if (streams_enabled(s, nsid, cntlid)) {
        st = streams_stream(s, nsid, cntlid, sid);
        if (!st) {
            st = streams_start(s, nsid, cntlid, sid);
        }
        if (st) {
            st->used = ++s->clock;
            st->writes++;
            st->bytes += bytes;
        }
    }
    g_mutex_unlock(&s->lock);
}

/* ---- what there is ----------------------------------------------------- */

void envme_streams_numbers(struct envme_streams *s, uint32_t nsid,
                           uint16_t cntlid, struct envme_streams_numbers *n)
{
    const struct streams_user *u;

    g_mutex_lock(&s->lock);
    u = nsid == ENVME_STREAMS_ALL ? NULL : streams_find(s, nsid, cntlid);
    *n = (struct envme_streams_numbers){
        .msl = s->msl, .nssa = streams_available(s), .nsso = s->nsso,
        .nsa = u ? u->nsa : 0, .nso = u ? u->nso : 0,
    };
    g_mutex_unlock(&s->lock);
}

static int streams_compare(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

unsigned envme_streams_open(struct envme_streams *s, uint32_t nsid,
                            uint16_t cntlid, uint16_t *sid)
{
    unsigned n = 0, k = 0;

    g_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->nopen; i++) {
        const struct envme_stream *st = &s->open[i];

        if (nsid == ENVME_STREAMS_ALL ? !st->exclusive
                                      : st->nsid == nsid &&
                                        st->cntlid == cntlid) {
            sid[n++] = st->sid;
        }
    }
    g_mutex_unlock(&s->lock);
    qsort(sid, n, sizeof(*sid), streams_compare);
    for (unsigned i = 0; i < n; i++) {
        if (!i || sid[i] != sid[i - 1]) {
            sid[k++] = sid[i];
        }
    }
    return k;
}

void envme_streams_foreach(struct envme_streams *s,
                           void (*fn)(void *opaque,
                                      const struct envme_stream *st),
                           void *opaque)
{
    if (!s) {
        return;
    }
    g_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->nopen; i++) {
        fn(opaque, &s->open[i]);
    }
    g_mutex_unlock(&s->lock);
}
