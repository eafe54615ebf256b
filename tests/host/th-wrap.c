/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake host: functions of GLib that the linker (--wrap) has come here first.
 *
 * Allocations that may fail do so when the test wants it, those that cannot are
 * counted; GLib's own calls are left alone. Mutexes and conditions: GLib's
 * are made of futexes, which ThreadSanitizer does not see, so it is told.
 */
#include "th-int.h"

struct th *_Atomic th_alloc_host;

void *__real_g_try_malloc(gsize n);
void *__real_g_try_malloc0(gsize n);
void *__real_g_try_malloc_n(gsize n, gsize size);
void *__real_g_try_malloc0_n(gsize n, gsize size);
void *__real_g_try_realloc(void *p, gsize n);
void *__real_g_try_realloc_n(void *p, gsize n, gsize size);
void *__wrap_g_try_malloc(gsize n);
void *__wrap_g_try_malloc0(gsize n);
void *__wrap_g_try_malloc_n(gsize n, gsize size);
void *__wrap_g_try_malloc0_n(gsize n, gsize size);
void *__wrap_g_try_realloc(void *p, gsize n);
void *__wrap_g_try_realloc_n(void *p, gsize n, gsize size);

__thread bool th_in_turn;
unsigned th_nallocs;

static void alloc_seen(void)
{
    /* Only where there is one thread. */
    if (th_in_turn) {
        th_nallocs++;
    }
}

/* What they do is GLib's. */
#define WRAP_ALLOC(name, params, args)                                        \
    void *__real_##name params;                                               \
    void *__wrap_##name params;                                               \
    void *__wrap_##name params                                                \
    {                                                                         \
        alloc_seen();                                                         \
        return __real_##name args;                                            \
    }

WRAP_ALLOC(g_malloc, (gsize n), (n))
WRAP_ALLOC(g_malloc0, (gsize n), (n))
WRAP_ALLOC(g_malloc_n, (gsize n, gsize size), (n, size))
WRAP_ALLOC(g_malloc0_n, (gsize n, gsize size), (n, size))
WRAP_ALLOC(g_realloc, (void *p, gsize n), (p, n))
WRAP_ALLOC(g_realloc_n, (void *p, gsize n, gsize size), (p, n, size))

static bool alloc_fails(void)
{
    struct th *h = atomic_load(&th_alloc_host);

    alloc_seen();
    return h && th_hit(h, TH_AT_ALLOC);
}

void *__wrap_g_try_malloc(gsize n)
{
    return alloc_fails() ? NULL : __real_g_try_malloc(n);
}

void *__wrap_g_try_malloc0(gsize n)
{
    return alloc_fails() ? NULL : __real_g_try_malloc0(n);
}

void *__wrap_g_try_malloc_n(gsize n, gsize size)
{
    return alloc_fails() ? NULL : __real_g_try_malloc_n(n, size);
}

void *__wrap_g_try_malloc0_n(gsize n, gsize size)
{
    return alloc_fails() ? NULL : __real_g_try_malloc0_n(n, size);
}

void *__wrap_g_try_realloc(void *p, gsize n)
{
    return alloc_fails() ? NULL : __real_g_try_realloc(p, n);
}

void *__wrap_g_try_realloc_n(void *p, gsize n, gsize size)
{
    return alloc_fails() ? NULL : __real_g_try_realloc_n(p, n, size);
}

/* ---- locks ------------------------------------------------------------- */

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#else
#define __tsan_acquire(addr) ((void)(addr))
#define __tsan_release(addr) ((void)(addr))
#endif

void __real_g_mutex_lock(GMutex *m);
gboolean __real_g_mutex_trylock(GMutex *m);
void __real_g_mutex_unlock(GMutex *m);
void __real_g_cond_wait(GCond *c, GMutex *m);
gboolean __real_g_cond_wait_until(GCond *c, GMutex *m, gint64 end);
gboolean __real_g_atomic_ref_count_dec(gatomicrefcount *ref);
gboolean __wrap_g_atomic_ref_count_dec(gatomicrefcount *ref);
void __wrap_g_mutex_lock(GMutex *m);
gboolean __wrap_g_mutex_trylock(GMutex *m);
void __wrap_g_mutex_unlock(GMutex *m);
void __wrap_g_cond_wait(GCond *c, GMutex *m);
gboolean __wrap_g_cond_wait_until(GCond *c, GMutex *m, gint64 end);

void __wrap_g_mutex_lock(GMutex *m)
{
    __real_g_mutex_lock(m);
    __tsan_acquire(m);
}

gboolean __wrap_g_mutex_trylock(GMutex *m)
{
    gboolean got = __real_g_mutex_trylock(m);

    if (got) {
        __tsan_acquire(m);
    }
    return got;
}

void __wrap_g_mutex_unlock(GMutex *m)
{
    __tsan_release(m);
    __real_g_mutex_unlock(m);
}

void __wrap_g_cond_wait(GCond *c, GMutex *m)
{
    __tsan_release(m);
    __real_g_cond_wait(c, m);
    __tsan_acquire(m);
}

gboolean __wrap_g_cond_wait_until(GCond *c, GMutex *m, gint64 end)
{
    gboolean ret;

    __tsan_release(m);
    ret = __real_g_cond_wait_until(c, m, end);
    __tsan_acquire(m);
    return ret;
}

/* What the others did with it comes before the last one frees it. */
gboolean __wrap_g_atomic_ref_count_dec(gatomicrefcount *ref)
{
    gboolean last;

    __tsan_release(ref);
    last = __real_g_atomic_ref_count_dec(ref);
    if (last) {
        __tsan_acquire(ref);
    }
    return last;
}
