/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two calls that every command makes on a GQueue of links that somebody
 * else owns, without the calls. Pure, any thread that owns the queue.
 */
#ifndef ENVME_CORE_GLINK_H
#define ENVME_CORE_GLINK_H

#include <glib.h>

/* As g_queue_push_tail_link(). */
static inline void envme_glink_push(GQueue *q, GList *link)
{
    link->prev = q->tail;
    link->next = NULL;
    if (q->tail) {
        q->tail->next = link;
    } else {
        q->head = link;
    }
    q->tail = link;
    q->length++;
}

/* As g_queue_unlink(). */
static inline void envme_glink_remove(GQueue *q, GList *link)
{
    if (link->prev) {
        link->prev->next = link->next;
    } else {
        q->head = link->next;
    }
    if (link->next) {
        link->next->prev = link->prev;
    } else {
        q->tail = link->prev;
    }
    link->prev = link->next = NULL;
    q->length--;
}

#endif
