/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/core/age.h"

#include <glib.h>

#include "envme/bytes.h"

#define AGE_FIRST_CAP 8

static void age_grow(struct envme_ages *a)
{
    unsigned cap = a->cap ? ENVME_MIN(a->cap * 2, ENVME_AGE_MARKS)
                          : AGE_FIRST_CAP;
    struct envme_age_mark *mark = g_new(struct envme_age_mark, cap);

    for (unsigned i = 0; i < a->n; i++) {
        mark[i] = a->mark[(a->first + i) % a->cap];
    }
    g_free(a->mark);
    a->mark = mark;
    a->cap = cap;
    a->first = 0;
}

void envme_age_add(struct envme_ages *a, uint32_t tail, uint64_t since)
{
    if (a->n == ENVME_AGE_MARKS) {
        a->mark[(a->first + a->n - 1) % a->cap].tail = tail;
        return;
    }
    if (a->n == a->cap) {
        age_grow(a);
    }
    a->mark[(a->first + a->n++) % a->cap] = (struct envme_age_mark){
        .tail = tail, .since = since,
    };
}

void envme_age_taken(struct envme_ages *a, uint32_t head)
{
    if (a->n && a->mark[a->first].tail == head) {
        a->first = (a->first + 1) % a->cap;
        a->n--;
    }
}

uint64_t envme_age_first(const struct envme_ages *a)
{
    return a->n ? a->mark[a->first].since : 0;
}

void envme_age_free(struct envme_ages *a)
{
    g_free(a->mark);
    *a = (struct envme_ages){ 0 };
}
