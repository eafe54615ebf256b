/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake host: allocations that may fail do so when the test wants it. The
 * linker puts these in the way of GLib's (--wrap); GLib's own calls, and those
 * that cannot fail, are left alone.
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

static bool alloc_fails(void)
{
    struct th *h = atomic_load(&th_alloc_host);

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
