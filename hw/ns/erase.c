/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/erase.h"

#include <errno.h>

#include "envme/bytes.h"
#include "hw/ns/subsys.h"

/* Of a medium that has to write zeroes, this takes a fraction of a second; of
 * memory, which does it on lane 0, some milliseconds. */
#define ERASE_CHUNK (UINT64_C(64) << 20)

struct envme_ns_erase {
    struct envme_bio bio;
    struct envme_ns *ns;
    uint64_t at, size;
    unsigned flags;
    bool stop, flushing, pending;
    void (*done)(void *arg, int err);
    void *arg;
};

static void erase_over(struct envme_ns_erase *e, int err)
{
    void (*done)(void *arg, int err) = e->done;
    void *arg = e->arg;
    void (*erased)(void *arg) = e->ns->erased;
    void *erased_arg = e->ns->erased_arg;

    e->ns->erase_left = err ? envme_ns_erase_left(e->ns) : 0;
    e->ns->erase = NULL;
    e->ns->erased = NULL;
    g_free(e);
    done(arg, err);             /* may free the namespace, unless: */
    if (erased) {
        erased(erased_arg);
    }
}

static void erase_done(struct envme_bio *bio, int err);

static void erase_go(void *arg)
{
    struct envme_ns_erase *e = arg;
    struct envme_backend *be = atomic_load(&e->ns->io);
    const struct envme_subsys *s = e->ns->subsys;
    int err = 0;

    while (!err) {
        bool last = e->at == e->size;

        if (e->stop || (last && e->flushing)) {
            erase_over(e, e->stop ? -ECANCELED : 0);
            return;
        }
        e->flushing = last;
        e->bio = (struct envme_bio){
            .op = last ? ENVME_BIO_FLUSH : ENVME_BIO_WRITE_ZEROES,
            .flags = last ? 0 : e->flags, .offset = last ? 0 : e->at,
            .bytes = ENVME_MIN(ERASE_CHUNK, e->size - e->at),
            .done = erase_done, .opaque = e,
        };
        err = be->ops->submit(be, &e->bio);
        e->pending = err == ENVME_BIO_PENDING;
        if (!err) {
            e->at += e->bio.bytes;
        }
        if (!err && !last && s && s->later) {
            s->later(s->later_opaque, erase_go, e);
            return;
        }
    }
    if (err != ENVME_BIO_PENDING) {
        erase_over(e, err);
    }
}

static void erase_done(struct envme_bio *bio, int err)
{
    struct envme_ns_erase *e = bio->opaque;

    e->pending = false;
    if (err) {
        erase_over(e, err);
        return;
    }
    e->at += bio->bytes;
    erase_go(e);
}

void envme_ns_erase(struct envme_ns *ns, bool may_unmap,
                    void (*done)(void *arg, int err), void *arg)
{
    struct envme_ns_erase *e = g_new0(struct envme_ns_erase, 1);

    g_assert(!ns->erase);
    ns->erase = e;
    e->ns = ns;
    e->size = ns->geo.size - ns->geo.size % ns->geo.align;
    e->flags = may_unmap ? ENVME_BIO_MAY_UNMAP : 0;
    e->done = done;
    e->arg = arg;
    erase_go(e);
}

void envme_ns_erase_stop(struct envme_ns *ns)
{
    struct envme_ns_erase *e = ns->erase;

    if (e) {
        struct envme_backend *be = atomic_load(&ns->io);

        e->stop = true;
        if (e->pending && be->ops->cancel) {
            be->ops->cancel(be, &e->bio);
        }
    }
}

unsigned envme_ns_erase_left(const struct envme_ns *ns)
{
    const struct envme_ns_erase *e = ns->erase;

    /* Until the flush is over there is something to do. */
    return !e ? 0 : ENVME_MAX(1u, (unsigned)((double)(e->size - e->at) * 100 /
                                             e->size));
}
