/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shortcuts of interrupt messages, with a fake of what KVM and the main loop do
 * with an eventfd: no message is lost when the way closes and opens again, and
 * none comes while it may not.
 */
#include <glib.h>
#include <pthread.h>

#include "hw/core/shortcut.h"

#define NVEC 4

/* An eventfd with two readers, one at a time: the host's interrupt controller
 * while the way is open, lane 0 otherwise. */
struct fake {
    struct envme_shortcuts t;
    pthread_mutex_t lock;       /* one of the kernel's */
    struct {
        unsigned count;         /* of the eventfd */
        bool is_open;
        unsigned direct;        /* delivered by the short way */
    } v[NVEC];
    unsigned opens, closes;
    int never;                  /* this one cannot be opened; -1: all can */
};

static bool fake_open(void *opaque, unsigned v)
{
    struct fake *f = opaque;

    if ((int)v == f->never) {
        return false;
    }
    pthread_mutex_lock(&f->lock);
    g_assert_false(f->v[v].is_open);
    f->v[v].is_open = true;
    f->v[v].direct += f->v[v].count;
    f->v[v].count = 0;
    f->opens++;
    pthread_mutex_unlock(&f->lock);
    return true;
}

static void fake_close(void *opaque, unsigned v)
{
    struct fake *f = opaque;

    pthread_mutex_lock(&f->lock);
    g_assert_true(f->v[v].is_open);
    f->v[v].is_open = false;
    f->closes++;
    pthread_mutex_unlock(&f->lock);
}

static bool fake_signal(void *opaque, unsigned v)
{
    struct fake *f = opaque;

    pthread_mutex_lock(&f->lock);
    if (f->v[v].is_open) {
        f->v[v].direct++;
    } else {
        f->v[v].count++;
    }
    pthread_mutex_unlock(&f->lock);
    return true;
}

static const struct envme_shortcut_ops fake_ops = {
    .open = fake_open, .close = fake_close, .signal = fake_signal,
};

static void fake_init(struct fake *f)
{
    *f = (struct fake) { .never = -1 };
    pthread_mutex_init(&f->lock, NULL);
    envme_shortcut_init(&f->t, NVEC);
    envme_shortcut_add(&f->t, &fake_ops, f);
}

static void fake_fini(struct fake *f)
{
    envme_shortcut_fini(&f->t);
    g_assert_cmpuint(f->opens, ==, f->closes);
    pthread_mutex_destroy(&f->lock);
}

/* Made for a vector that is signalled, and for no other. */
static void test_asked(void)
{
    struct fake f;
    unsigned i;

    fake_init(&f);
    for (i = 0; i < NVEC; i++) {
        envme_shortcut_look(&f.t, i, true);
    }
    g_assert_cmpuint(f.opens, ==, 0);
    g_assert_false(envme_shortcut_send(&f.t, 2));
    envme_shortcut_look(&f.t, 2, false);
    g_assert_cmpuint(f.opens, ==, 0);
    g_assert_false(envme_shortcut_send(&f.t, 2));
    for (i = 0; i < NVEC; i++) {
        envme_shortcut_look(&f.t, i, true);
        envme_shortcut_look(&f.t, i, true);
    }
    g_assert_cmpuint(f.opens, ==, 1);
    g_assert_cmpuint(f.t.way[0].nopen, ==, 1);
    g_assert_true(envme_shortcut_send(&f.t, 2));
    g_assert_cmpuint(f.v[2].direct, ==, 1);
    g_assert_false(envme_shortcut_send(&f.t, 1));
    fake_fini(&f);
}

static void test_closed(void)
{
    struct fake f;
    unsigned i;

    fake_init(&f);
    envme_shortcut_send(&f.t, 0);
    for (i = 1; i <= 5; i++) {
        envme_shortcut_look(&f.t, 0, true);
        g_assert_true(envme_shortcut_send(&f.t, 0));
        g_assert_cmpuint(f.v[0].direct, ==, i);
        envme_shortcut_look(&f.t, 0, false);
        envme_shortcut_look(&f.t, 0, false);
        g_assert_false(envme_shortcut_send(&f.t, 0));
        g_assert_cmpuint(f.v[0].direct, ==, i);
        g_assert_cmpuint(f.v[0].count, ==, 0);
        g_assert_cmpuint(f.t.way[0].nopen, ==, 0);
    }
    g_assert_cmpuint(f.opens, ==, 5);
    fake_fini(&f);
}

/* One that cannot be opened is not tried again; others are none the worse. */
static void test_never(void)
{
    struct fake f;
    unsigned i;

    fake_init(&f);
    f.never = 1;
    for (i = 0; i < 5; i++) {
        g_assert_false(envme_shortcut_send(&f.t, 1));
        envme_shortcut_look(&f.t, 1, true);
        f.never = -1;
        envme_shortcut_look(&f.t, 1, false);
    }
    g_assert_cmpuint(f.opens, ==, 0);
    envme_shortcut_send(&f.t, 0);
    envme_shortcut_look(&f.t, 0, true);
    g_assert_true(envme_shortcut_send(&f.t, 0));
    fake_fini(&f);
}

/* Two ways: a message takes the first that opens, and may take another the next
 * time; one that it takes may have to pass it on. */
static bool sometimes_open(void *opaque, unsigned v)
{
    unsigned *mask = opaque;

    return *mask >> v & 1;
}

static void sometimes_close(void *opaque, unsigned v)
{
    (void)opaque;
    (void)v;
}

static bool sometimes_signal(void *opaque, unsigned v)
{
    unsigned *mask = opaque;

    return *mask >> (v + 16) & 1;
}

static void test_ways(void)
{
    static const struct envme_shortcut_ops ops = {
        .open = sometimes_open, .close = sometimes_close,
        .signal = sometimes_signal,
    };
    unsigned first = 0x20002, second = 0x70007;
    struct envme_shortcuts t;

    envme_shortcut_init(&t, 3);
    envme_shortcut_add(&t, &ops, &first);
    envme_shortcut_add(&t, &ops, &second);
    for (unsigned i = 0; i < 3; i++) {
        envme_shortcut_send(&t, i);
        envme_shortcut_look(&t, i, true);
    }
    g_assert_cmpuint(t.way[0].nopen, ==, 1);
    g_assert_cmpuint(t.way[1].nopen, ==, 2);
    g_assert_true(envme_shortcut_send(&t, 1));
    first = 1;
    g_assert_false(envme_shortcut_send(&t, 1));
    envme_shortcut_look(&t, 1, false);
    envme_shortcut_look(&t, 1, true);
    g_assert_cmpuint(t.way[0].nopen, ==, 0);
    g_assert_true(envme_shortcut_send(&t, 1));
    envme_shortcut_look(&t, 0, false);
    envme_shortcut_look(&t, 0, true);
    g_assert_cmpuint(t.way[0].nopen, ==, 1);
    g_assert_cmpuint(t.way[1].nopen, ==, 2);
    g_assert_false(envme_shortcut_send(&t, 0));
    envme_shortcut_fini(&t);
}

/* No table, and vectors beyond it. */
static void test_none(void)
{
    struct envme_shortcuts t = { 0 };
    struct fake f;

    g_assert_false(envme_shortcut_send(&t, 0));
    envme_shortcut_look(&t, 0, true);
    envme_shortcut_fini(&t);
    fake_init(&f);
    g_assert_false(envme_shortcut_send(&f.t, NVEC));
    envme_shortcut_look(&f.t, NVEC, true);
    fake_fini(&f);
}

#define PER_THREAD 20000

struct sender {
    struct fake *f;
    unsigned vector;
    _Atomic unsigned slow;      /* sent the long way */
};

static void *sender_main(void *arg)
{
    struct sender *s = arg;

    for (unsigned i = 0; i < PER_THREAD; i++) {
        if (!envme_shortcut_send(&s->f->t, s->vector)) {
            atomic_fetch_add_explicit(&s->slow, 1, memory_order_relaxed);
        }
    }
    return NULL;
}

/* Lanes send while lane 0 masks and unmasks: each message arrives once, by one
 * way or the other. */
static void test_threads(void)
{
    struct fake f;
    struct sender s[NVEC * 2];
    GThread *t[NVEC * 2];
    unsigned i, rounds = 0, total[NVEC] = { 0 };

    fake_init(&f);
    for (i = 0; i < G_N_ELEMENTS(s); i++) {
        s[i] = (struct sender) { .f = &f, .vector = i % NVEC };
        t[i] = g_thread_new("sender", sender_main, &s[i]);
    }
    for (; rounds < 2000; rounds++) {
        for (i = 0; i < NVEC; i++) {
            envme_shortcut_look(&f.t, i, (rounds + i) % 3);
        }
        g_thread_yield();
    }
    for (i = 0; i < G_N_ELEMENTS(s); i++) {
        g_thread_join(t[i]);
        total[i % NVEC] += atomic_load(&s[i].slow);
    }
    for (i = 0; i < NVEC; i++) {
        total[i] += f.v[i].direct + f.v[i].count;
        g_assert_cmpuint(total[i], ==, 2 * PER_THREAD);
    }
    g_assert_cmpuint(f.opens, >, 0);
    fake_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/shortcut/asked", test_asked);
    g_test_add_func("/shortcut/closed", test_closed);
    g_test_add_func("/shortcut/never", test_never);
    g_test_add_func("/shortcut/ways", test_ways);
    g_test_add_func("/shortcut/none", test_none);
    g_test_add_func("/shortcut/threads", test_threads);
    return g_test_run();
}
