/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/reformat.h"

#include <errno.h>

#include "envme/status.h"
#include "hw/ns/erase.h"
#include "hw/ns/roster.h"

struct reformat {
    struct envme_ns *ns;
    struct envme_subsys *s;
    envme_ns_format_fn *done;   /* NULL: nobody waits */
    void *arg;
    bool changed;               /* a host sees another format */
};

static void reformat_over(struct reformat *f, int err)
{
    struct envme_ns *ns = f->ns;
    envme_ns_format_fn *done = f->done;
    void *arg = f->arg;

    ns->formatting = ENVME_NS_FORMAT_NONE;
    atomic_store(&ns->gate_sf, 0);
    if (f->changed && !ns->leaving) {
        envme_subsys_ns_changed(f->s, ns);
    }
    g_free(f);
    if (done) {
        done(arg, ns, err);
    }
    envme_ns_unhold(ns);        /* last: may free it */
}

/* It has its format, and the state says so or cannot be written. */
static void reformat_told(void *arg, int err)
{
    reformat_over(arg, err ? -ECANCELED : 0);
}

/* Whether it has the old format or the new one. One on its way out keeps the
 * record that says that it is being formatted. */
static void reformat_end(struct reformat *f, int err)
{
    struct envme_ns *ns = f->ns;

    ns->format_left = ns->formatting == ENVME_NS_FORMAT_ERASING
                      ? ns->erase_left : UINT8_MAX;
    ns->formatting = err ? ENVME_NS_FORMAT_NONE : ENVME_NS_FORMAT_ERASED;
    if (!ns->leaving) {
        envme_roster_put(ns);
    }
    envme_state_release(f->s->state);
    if (err || ns->leaving) {
        envme_state_commit_async(f->s->state);
        reformat_over(f, err ? err : -ENODEV);
    } else {
        envme_subsys_flush(f->s, reformat_told, f);
    }
}

static void reformat_erased(void *arg, int err)
{
    struct reformat *f = arg;
    struct envme_ns *ns = f->ns;
    const struct envme_ns_format *to = &ns->format;
    unsigned flbas = ns->flbas;
    struct envme_pi pi = ns->pi;
    bool extended = ns->extended;

    envme_state_hold(f->s->state);
    if (!err && !ns->leaving &&
        !envme_ns_set_format(ns, to->index, to->extended, to->pi_type,
                             to->pi_first)) {
        err = -EINVAL;          /* it has shrunk meanwhile */
    }
    f->changed = flbas != ns->flbas || extended != ns->extended ||
                 pi.type != ns->pi.type || pi.first != ns->pi.first;
    reformat_end(f, err);
}

static void reformat_erase(struct reformat *f)
{
    f->ns->formatting = ENVME_NS_FORMAT_ERASING;
    envme_ns_erase(f->ns, f->ns->format.may_unmap, reformat_erased, f);
}

/* The state says that it is being formatted. */
static void reformat_kept(void *arg, int err)
{
    struct reformat *f = arg;

    if (err || f->ns->leaving) {
        envme_state_hold(f->s->state);
        reformat_end(f, -ECANCELED);
    } else {
        reformat_erase(f);
    }
}

static void reformat_drained(void *arg)
{
    struct reformat *f = arg;

    envme_subsys_flush(f->s, reformat_kept, f);
}

static struct reformat *reformat_new(struct envme_ns *ns)
{
    struct reformat *f = g_new0(struct reformat, 1);

    f->ns = ns;
    f->s = ns->subsys;
    envme_ns_hold(ns);
    return f;
}

void envme_ns_format(struct envme_ns *ns, const struct envme_ns_format *to,
                     envme_ns_format_fn *done, void *arg)
{
    struct reformat *f = reformat_new(ns);

    g_assert(!ns->formatting && !atomic_load(&ns->gate_sf));
    f->done = done;
    f->arg = arg;
    ns->format = *to;
    envme_ns_format_resume(ns);
    envme_roster_put(ns);
    envme_subsys_drain_ns(f->s, ns, reformat_drained, f);
}

void envme_ns_format_resume(struct envme_ns *ns)
{
    ns->formatting = ENVME_NS_FORMAT_BEGUN;
    atomic_store(&ns->gate_sf, ENVME_SC_FORMAT_IN_PROGRESS);
}

void envme_ns_format_go_on(struct envme_ns *ns)
{
    if (ns->formatting == ENVME_NS_FORMAT_BEGUN) {
        reformat_erase(reformat_new(ns));
    }
}

unsigned envme_ns_format_left(const struct envme_ns *ns)
{
    switch (ns->formatting) {
    case ENVME_NS_FORMAT_NONE:
        return 0;
    case ENVME_NS_FORMAT_BEGUN:
        return 100;
    case ENVME_NS_FORMAT_ERASING:
        return MAX(1u, envme_ns_erase_left(ns));
    default:
        return 1;
    }
}
