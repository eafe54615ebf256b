/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "hw/ns/state-file.h"

struct state_flush {
    uint64_t seq;               /* durable when this has been written */
    void (*done)(void *arg, int err);
    void *arg;
};

struct envme_state {
    struct envme_state_file file;       /* whoever writes */
    struct envme_state_opts opts;
    GThread *thread;                    /* NULL: inline */
    /* Not GLib's: those are futexes, which ThreadSanitizer does not see. */
    pthread_mutex_t lock;                      /* all below; a leaf */
    pthread_cond_t work, synced;
    GTree *records;                     /* name -> GBytes */
    uint64_t seq;                       /* changes */
    uint64_t written;                   /* seq that the file has */
    uint64_t want;                      /* seq that is to be written */
    GQueue flushes;                     /* struct state_flush */
    unsigned held;                      /* nothing is written meanwhile */
    bool writing, stop, failing;
};

/* ---- writing ----------------------------------------------------------- */

static void state_say(struct envme_state *s, int err)
{
    g_autofree char *text = NULL;

    if (!s->opts.say) {
        return;
    }
    text = g_strdup_printf("state=%s cannot be written: %s; it keeps what it "
                           "had until it can", s->file.path,
                           err == -ESTALE ? "it is another file now" :
                           g_strerror(-err));
    s->opts.say(s->opts.opaque, text);
}

/* Flushes that this write has decided. Takes the lock off and on. */
static void state_tell(struct envme_state *s, uint64_t seq, int err)
{
    GQueue over = G_QUEUE_INIT;
    struct state_flush *f;

    while ((f = g_queue_peek_head(&s->flushes)) && f->seq <= seq) {
        g_queue_push_tail(&over, g_queue_pop_head(&s->flushes));
    }
    pthread_mutex_unlock(&s->lock);
    while ((f = g_queue_pop_head(&over))) {
        f->done(f->arg, err);
        g_free(f);
    }
    pthread_mutex_lock(&s->lock);
}

/* One write of all there is. Locked, unlocked while it takes. */
static void state_write(struct envme_state *s)
{
    uint64_t seq = s->seq;
    GByteArray *buf = envme_state_encode(s->records, s->file.ident,
                                         s->file.writes + 1);
    bool was_failing = s->failing;
    int err = -EFBIG;

    s->writing = true;
    pthread_mutex_unlock(&s->lock);
    if (buf) {
        err = envme_state_file_write(&s->file, buf);
        g_byte_array_unref(buf);
    }
    if (err && !was_failing) {
        state_say(s, err);
    }
    pthread_mutex_lock(&s->lock);
    s->writing = false;
    s->failing = err;
    if (!err) {
        s->file.writes++;
        s->written = seq;
    } else if (s->want <= seq) {
        /* With the next commit, not again and again. */
        s->want = s->written;
    }
    state_tell(s, seq, err);
}

static gpointer state_worker(gpointer opaque)
{
    struct envme_state *s = opaque;

    pthread_mutex_lock(&s->lock);
    for (;;) {
        if (s->want > s->written && !s->held) {
            state_write(s);
        } else if (s->stop) {
            break;
        } else {
            pthread_cond_wait(&s->work, &s->lock);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Locked. */
static void state_go(struct envme_state *s)
{
    if (s->thread) {
        pthread_cond_signal(&s->work);
        return;
    }
    /* A callback of the flush that is being told may ask for more. */
    while (s->want > s->written && !s->writing && !s->held) {
        state_write(s);
    }
}

static void state_request(struct envme_state *s)
{
    s->want = s->seq;
    state_go(s);
}

void envme_state_hold(struct envme_state *s)
{
    if (s) {
        pthread_mutex_lock(&s->lock);
        s->held++;
        pthread_mutex_unlock(&s->lock);
    }
}

void envme_state_release(struct envme_state *s)
{
    if (!s) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    g_assert(s->held);
    if (!--s->held) {
        state_go(s);
    }
    pthread_mutex_unlock(&s->lock);
}

const char *envme_state_path(const struct envme_state *s)
{
    return s ? s->file.path : NULL;
}

void envme_state_commit_async(struct envme_state *s)
{
    if (!s) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    if (s->seq != s->written) {
        state_request(s);
    }
    pthread_mutex_unlock(&s->lock);
}

void envme_state_flush(struct envme_state *s,
                       void (*done)(void *arg, int err), void *arg)
{
    struct state_flush *f;

    if (!s) {
        done(arg, 0);
        return;
    }
    pthread_mutex_lock(&s->lock);
    if (s->seq == s->written) {
        pthread_mutex_unlock(&s->lock);
        done(arg, 0);
        return;
    }
    f = g_new(struct state_flush, 1);
    *f = (struct state_flush){ .seq = s->seq, .done = done, .arg = arg };
    g_queue_push_tail(&s->flushes, f);
    state_request(s);
    pthread_mutex_unlock(&s->lock);
}

struct state_sync {
    struct envme_state *s;
    bool is_over;
    int err;
};

static void state_synced(void *arg, int err)
{
    struct state_sync *y = arg;

    pthread_mutex_lock(&y->s->lock);
    y->err = err;
    y->is_over = true;
    pthread_cond_broadcast(&y->s->synced);
    pthread_mutex_unlock(&y->s->lock);
}

int envme_state_sync(struct envme_state *s)
{
    struct state_sync y = { .s = s };

    if (!s) {
        return 0;
    }
    envme_state_flush(s, state_synced, &y);
    pthread_mutex_lock(&s->lock);
    while (!y.is_over) {
        pthread_cond_wait(&s->synced, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return y.err;
}

/* ---- records ----------------------------------------------------------- */

GBytes *envme_state_get(struct envme_state *s, const char *name)
{
    GBytes *b;

    if (!s) {
        return NULL;
    }
    pthread_mutex_lock(&s->lock);
    b = g_tree_lookup(s->records, name);
    if (b) {
        g_bytes_ref(b);
    }
    pthread_mutex_unlock(&s->lock);
    return b;
}

size_t envme_state_read(struct envme_state *s, const char *name, void *buf,
                        size_t len)
{
    g_autoptr(GBytes) b = envme_state_get(s, name);
    size_t there = 0;
    const void *data = b ? g_bytes_get_data(b, &there) : NULL;

    memset(buf, 0, len);
    if (data) {
        memcpy(buf, data, there < len ? there : len);
    }
    return there;
}

void envme_state_put(struct envme_state *s, const char *name, const void *buf,
                     size_t len)
{
    GBytes *b, *old;

    g_assert(*name && strlen(name) <= ENVME_STATE_NAME_MAX);
    g_assert(len && len <= ENVME_STATE_RECORD_MAX);
    if (!s) {
        return;
    }
    b = g_bytes_new(buf, len);
    pthread_mutex_lock(&s->lock);
    old = g_tree_lookup(s->records, name);
    if (old && g_bytes_equal(old, b)) {
        g_bytes_unref(b);
    } else {
        g_tree_replace(s->records, g_strdup(name), b);
        s->seq++;
    }
    pthread_mutex_unlock(&s->lock);
}

void envme_state_remove(struct envme_state *s, const char *name)
{
    if (!s) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    if (g_tree_remove(s->records, name)) {
        s->seq++;
    }
    pthread_mutex_unlock(&s->lock);
}

struct state_item {
    char *name;
    GBytes *data;
};

struct state_list {
    const char *prefix;
    GArray *items;
};

static gboolean state_collect(gpointer key, gpointer value, gpointer opaque)
{
    struct state_list *l = opaque;
    struct state_item item;

    if (g_str_has_prefix(key, l->prefix)) {
        item = (struct state_item){ g_strdup(key), g_bytes_ref(value) };
        g_array_append_val(l->items, item);
    }
    return false;
}

void envme_state_foreach(struct envme_state *s, const char *prefix,
                         envme_state_fn *fn, void *arg)
{
    struct state_list l = { .prefix = prefix };

    if (!s) {
        return;
    }
    l.items = g_array_new(false, false, sizeof(struct state_item));
    pthread_mutex_lock(&s->lock);
    g_tree_foreach(s->records, state_collect, &l);
    pthread_mutex_unlock(&s->lock);
    for (guint i = 0; i < l.items->len; i++) {
        struct state_item *item = &g_array_index(l.items, struct state_item,
                                                 i);

        fn(arg, item->name, item->data);
        g_free(item->name);
        g_bytes_unref(item->data);
    }
    g_array_free(l.items, true);
}

static void state_remove_one(void *arg, const char *name, GBytes *data)
{
    (void)data;
    envme_state_remove(arg, name);
}

void envme_state_remove_all(struct envme_state *s, const char *prefix)
{
    envme_state_foreach(s, prefix, state_remove_one, s);
}

/* ---- opened and closed ------------------------------------------------- */

/* Signals are for the process's own threads. */
static GThread *state_thread(struct envme_state *s)
{
    sigset_t all, old;
    GThread *t;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    t = g_thread_new("envme-state", state_worker, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return t;
}

static void state_free(struct envme_state *s)
{
    g_assert(g_queue_is_empty(&s->flushes));
    envme_state_file_close(&s->file);
    g_tree_unref(s->records);
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->synced);
    pthread_mutex_destroy(&s->lock);
    g_free(s);
}

struct envme_state *envme_state_open(const char *path, const char *ident,
                                     const struct envme_state_opts *opts,
                                     char **err)
{
    struct envme_state *s = g_new0(struct envme_state, 1);

    if (opts) {
        s->opts = *opts;
    }
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    pthread_cond_init(&s->synced, NULL);
    g_queue_init(&s->flushes);
    s->records = envme_state_tree_new();
    if (!envme_state_file_open(&s->file, path, ident, s->opts.ops, s->records,
                               err)) {
        state_free(s);
        return NULL;
    }
    if (!s->opts.is_inline) {
        s->thread = state_thread(s);
    }
    return s;
}

int envme_state_close(struct envme_state *s)
{
    int err = envme_state_sync(s);

    if (!s) {
        return 0;
    }
    if (s->thread) {
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        pthread_cond_signal(&s->work);
        pthread_mutex_unlock(&s->lock);
        g_thread_join(s->thread);
    }
    state_free(s);
    return err;
}
