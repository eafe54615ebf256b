/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "hw/ns/subsys.h"

#include "hw/ns/capacity.h"
#include "hw/ns/erase.h"
#include "hw/ns/hostdata.h"
#include "hw/ns/reformat.h"
#include "hw/ns/roster.h"

#define SUBSYS_NN_DEFAULT 256

static bool subsys_bit(const struct envme_ns *ns, uint16_t cntlid)
{
    return ns->attached[cntlid / 64] >> (cntlid % 64) & 1;
}

static void subsys_set_bit(struct envme_ns *ns, uint16_t cntlid, bool on)
{
    uint64_t bit = 1ull << (cntlid % 64);

    if (on) {
        ns->attached[cntlid / 64] |= bit;
    } else {
        ns->attached[cntlid / 64] &= ~bit;
    }
}

static bool subsys_attached_anywhere(const struct envme_ns *ns)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(ns->attached); i++) {
        if (ns->attached[i]) {
            return true;
        }
    }
    return false;
}

struct envme_subsys *envme_subsys_new(const char *nqn, uint32_t nn,
                                      bool single)
{
    struct envme_subsys *s = g_new0(struct envme_subsys, 1);

    g_strlcpy(s->nqn, nqn, sizeof(s->nqn));
    s->single = single;
    s->nn = nn ? nn : SUBSYS_NN_DEFAULT;
    s->ns = g_new0(struct envme_ns *, (size_t)s->nn + 1);
    s->pool = envme_pool_new();
    s->media = g_ptr_array_new();
    s->unlisted = g_ptr_array_new();
    envme_roster_init(s);
    envme_capacity_init(s);
    return s;
}

void envme_subsys_free(struct envme_subsys *s)
{
    if (!s) {
        return;
    }
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        g_assert(!s->ctrl[i].ops);
    }
    for (uint32_t i = 1; i <= s->nn; i++) {
        g_assert(!s->ns[i]);
    }
    if (s->shared_free) {
        s->shared_free(s->shared);
    }
    g_assert(!s->media->len && !s->unlisted->len);
    envme_roster_free(s);
    g_ptr_array_free(s->unlisted, TRUE);
    g_ptr_array_free(s->media, TRUE);
    envme_pool_free(s->pool);
    envme_streams_free(s->streams);
    envme_bootpart_free(s->bp);
    g_free(s->ns);
    g_free(s);
}

/* ---- controllers ------------------------------------------------------- */

int envme_subsys_add_ctrl(struct envme_subsys *s,
                          const struct envme_subsys_ctrl_ops *ops, void *ctrl)
{
    unsigned max = s->single ? 1 : ENVME_MAX_CTRLS;

    for (unsigned i = 0; i < max; i++) {
        if (!s->ctrl[i].ops) {
            s->ctrl[i].ops = ops;
            s->ctrl[i].ctrl = ctrl;
            return i;
        }
    }
    return -1;
}

void envme_subsys_remove_ctrl(struct envme_subsys *s, uint16_t cntlid)
{
    g_assert(cntlid < ENVME_MAX_CTRLS && s->ctrl[cntlid].ops);
    for (uint32_t i = 1; i <= s->nn; i++) {
        if (s->ns[i]) {
            subsys_set_bit(s->ns[i], cntlid, false);
        }
    }
    s->ctrl[cntlid] = (struct envme_subsys_slot){ 0 };
}

/* ---- attaching --------------------------------------------------------- */

struct subsys_op {
    struct envme_ns *ns;
    uint16_t cntlid;
    bool attach;
    void (*done)(void *arg);
    void *arg;
};

static void subsys_op_done(void *opaque)
{
    struct subsys_op *op = opaque;
    void (*done)(void *arg) = op->done;
    void *arg = op->arg;

    if (!op->attach) {
        subsys_set_bit(op->ns, op->cntlid, false);
    }
    g_free(op);
    if (done) {
        done(arg);
    }
}

/*
 * The bit is set as soon as an attachment is asked for and cleared when the
 * controller has let go: whoever detaches everywhere then waits for each
 * controller that has the namespace, is about to have it or still has it.
 */
void envme_subsys_attach(struct envme_subsys *s, struct envme_ns *ns,
                         uint16_t cntlid, bool attach,
                         void (*done)(void *arg), void *arg)
{
    struct envme_subsys_slot *slot = &s->ctrl[cntlid];
    struct subsys_op *op;

    g_assert(cntlid < ENVME_MAX_CTRLS && slot->ops);
    if (subsys_bit(ns, cntlid) == attach && attach) {
        if (done) {
            done(arg);
        }
        return;
    }
    op = g_new(struct subsys_op, 1);
    *op = (struct subsys_op){ .ns = ns, .cntlid = cntlid, .attach = attach,
                              .done = done, .arg = arg };
    if (attach) {
        subsys_set_bit(ns, cntlid, true);
    }
    slot->ops->set_ns(slot->ctrl, ns->nsid, attach ? ns : NULL,
                      subsys_op_done, op);
}

bool envme_subsys_is_attached(const struct envme_ns *ns, uint16_t cntlid)
{
    return cntlid < ENVME_MAX_CTRLS && subsys_bit(ns, cntlid);
}

/* A private namespace goes to one controller at most. */
static bool subsys_wants(const struct envme_ns *ns, uint16_t cntlid)
{
    const struct envme_subsys *s = ns->subsys;

    if (s->maxcna && envme_subsys_count_attached(s, cntlid) >= s->maxcna) {
        return false;
    }
    if (ns->chosen) {
        return ns->want[cntlid / 64] >> (cntlid % 64) & 1;
    }
    return !ns->params.detached &&
           (ns->params.shared || !subsys_attached_anywhere(ns));
}

void envme_subsys_choose(struct envme_ns *ns, const uint16_t *cntlids,
                         unsigned n, bool attach)
{
    if (!ns->chosen) {
        memcpy(ns->want, ns->attached, sizeof(ns->want));
        ns->chosen = true;
    }
    for (unsigned i = 0; i < n; i++) {
        uint64_t bit = 1ull << (cntlids[i] % 64);

        if (attach) {
            ns->want[cntlids[i] / 64] |= bit;
        } else {
            ns->want[cntlids[i] / 64] &= ~bit;
        }
    }
    envme_roster_put(ns);
}

static void subsys_attach_wanted(struct envme_subsys *s, struct envme_ns *ns)
{
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        if (s->ctrl[i].ops && subsys_wants(ns, i)) {
            envme_subsys_attach(s, ns, i, true, NULL, NULL);
        }
    }
}

void envme_subsys_attach_all(struct envme_subsys *s, uint16_t cntlid)
{
    for (uint32_t i = 1; i <= s->nn; i++) {
        if (s->ns[i] && subsys_wants(s->ns[i], cntlid)) {
            envme_subsys_attach(s, s->ns[i], cntlid, true, NULL, NULL);
        }
    }
}

/* ---- namespaces -------------------------------------------------------- */

static void subsys_alloc_changed(const struct envme_subsys *s, uint32_t nsid)
{
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        const struct envme_subsys_slot *c = &s->ctrl[i];

        if (c->ops && c->ops->alloc_changed) {
            c->ops->alloc_changed(c->ctrl, nsid);
        }
    }
}

/* One that is made gets the lowest that is nobody's. */
static bool subsys_pick_nsid(const struct envme_subsys *s,
                             struct envme_ns *ns, char **err)
{
    ns->nsid = envme_subsys_free_nsid(s);
    if (!ns->nsid) {
        *err = g_strdup_printf("all %u namespace identifiers are taken",
                               s->nn);
    }
    return ns->nsid;
}

uint32_t envme_subsys_free_nsid(const struct envme_subsys *s)
{
    unsigned n = s->away->len;

    for (uint32_t i = 1; i <= s->nn; i++) {
        n += s->ns[i] != NULL;
    }
    for (uint32_t i = 1; i <= s->nn && (!s->mnan || n < s->mnan); i++) {
        if (!s->ns[i] && !envme_roster_reserved(s, i)) {
            return i;
        }
    }
    return 0;
}

static bool subsys_all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i]) {
            return false;
        }
    }
    return true;
}

/*
 * Every namespace has to have an identifier. One without gets a UUID (of
 * version 8: contents of our own making) that is the same each time for the
 * same subsystem and NSID.
 */
static void subsys_give_uuid(const struct envme_subsys *s,
                             struct envme_ns *ns)
{
    struct envme_ns_params *p = &ns->params;
    uint8_t id[4];

    if (p->eui64 || !subsys_all_zero(p->uuid, sizeof(p->uuid)) ||
        !subsys_all_zero(p->nguid, sizeof(p->nguid))) {
        return;
    }
    for (unsigned i = 0; i < sizeof(id); i++) {
        id[i] = ns->nsid >> (8 * i);
    }
    envme_subsys_make_uuid(s, id, sizeof(id), p->uuid);
}

void envme_subsys_make_uuid(const struct envme_subsys *s, const void *id,
                            size_t len, uint8_t uuid[16])
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    uint8_t digest[32];
    gsize n = sizeof(digest);

    g_checksum_update(sum, (const guchar *)s->nqn, sizeof(s->nqn));
    g_checksum_update(sum, id, len);
    g_checksum_get_digest(sum, digest, &n);
    g_checksum_free(sum);
    memcpy(uuid, digest, 16);
    uuid[6] = 0x80 | (uuid[6] & 0x0f);
    uuid[8] = 0x80 | (uuid[8] & 0x3f);
}

void envme_subsys_list(struct envme_subsys *s, struct envme_ns *ns)
{
    s->ns[ns->nsid] = ns;
    subsys_alloc_changed(s, ns->nsid);
    subsys_give_uuid(s, ns);
    g_ptr_array_remove(s->unlisted, ns);
    envme_ns_load_bad(ns);
    subsys_attach_wanted(s, ns);
    envme_ns_format_go_on(ns);
}

static void subsys_add_made(struct envme_subsys *s, struct envme_ns *ns)
{
    s->ns[ns->nsid] = ns;
    subsys_alloc_changed(s, ns->nsid);
    g_ptr_array_remove(s->unlisted, ns);
    ns->chosen = true;          /* nobody has it until a host attaches it */
    envme_roster_put(ns);
}

static void subsys_add_medium(struct envme_subsys *s, struct envme_ns *ns)
{
    ns->subsys = s;
    ns->gone = !ns->nsid;
    envme_capacity_join(s, ns);
    if (!ns->gone) {
        envme_subsys_list(s, ns);
        if (ns->params.nguid_auto && !ns->kept) {
            envme_roster_put(ns);
        }
    }
    envme_roster_restore(s);
    envme_state_commit_async(s->state);
}

bool envme_subsys_add_ns(struct envme_subsys *s, struct envme_ns *ns,
                         char **err)
{
    g_assert(ns->made ? ns->subsys == s && !ns->leaving : !ns->subsys);
    if (!(ns->made ? subsys_pick_nsid(s, ns, err)
                   : envme_roster_meet(s, ns, err))) {
        return false;
    }
    if (ns->made) {
        subsys_add_made(s, ns);
    } else {
        subsys_add_medium(s, ns);
    }
    return true;
}

/* ---- going ------------------------------------------------------------- */

/* Whatever waits for several things; or one that waits for another. */
struct subsys_wait {
    struct envme_subsys *s;
    struct envme_ns *ns;
    unsigned left;
    void (*done)(void *arg);
    void *arg;
};

static struct subsys_wait *subsys_wait_new(struct envme_subsys *s,
                                           struct envme_ns *ns,
                                           void (*done)(void *arg), void *arg)
{
    struct subsys_wait *w = g_new(struct subsys_wait, 1);

    *w = (struct subsys_wait){ .s = s, .ns = ns, .left = 1, .done = done,
                               .arg = arg };
    return w;
}

static void subsys_wait_free(struct subsys_wait *w)
{
    void (*done)(void *arg) = w->done;
    void *arg = w->arg;

    g_free(w);
    if (done) {
        done(arg);
    }
}

/* No controller has it any more. */
static void subsys_left(struct envme_subsys *s, struct envme_ns *ns)
{
    GSList *waiters = g_slist_reverse(ns->leave_waiters);

    g_ptr_array_remove(s->unlisted, ns);
    ns->leave_waiters = NULL;
    ns->leaving = false;
    ns->gone = true;
    envme_capacity_give(s, ns);         /* may free it */
    for (GSList *l = waiters; l; l = l->next) {
        subsys_wait_free(l->data);
    }
    g_slist_free(waiters);
}

static void subsys_leave_step(void *opaque)
{
    struct subsys_wait *w = opaque;

    if (--w->left) {
        return;
    }
    subsys_left(w->s, w->ns);
    g_free(w);
}

/* It leaves the map first: nobody finds it any more to attach it again. */
static void subsys_start_leaving(struct envme_subsys *s, struct envme_ns *ns,
                                 bool is_deleted)
{
    struct subsys_wait *w = subsys_wait_new(s, ns, NULL, NULL);

    ns->leaving = true;
    envme_state_hold(s->state);
    if (is_deleted && ns->nsid) {
        envme_ns_forget_bad(ns);
        envme_ns_forget_hostdata(ns);
        envme_roster_forget(ns);
    }
    envme_streams_forget_ns(s->streams, ns->nsid, ENVME_STREAMS_DELETE);
    if (ns->nsid && s->ns[ns->nsid] == ns) {
        s->ns[ns->nsid] = NULL;
        g_ptr_array_add(s->unlisted, ns);
        subsys_alloc_changed(s, ns->nsid);
    }
    if (ns->erase) {
        w->left++;
        ns->erased = subsys_leave_step;
        ns->erased_arg = w;
        envme_ns_erase_stop(ns);
    }
    if (ns->holds) {
        w->left++;
        ns->unheld = subsys_leave_step;
        ns->unheld_arg = w;
    }
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        struct envme_subsys_slot *c = &s->ctrl[i];

        if (is_deleted && c->ops && c->ops->ns_deleted && ns->nsid) {
            c->ops->ns_deleted(c->ctrl, ns->nsid);
        }
        if (c->ops && subsys_bit(ns, i)) {
            w->left++;
            envme_subsys_attach(s, ns, i, false, subsys_leave_step, w);
        }
    }
    envme_state_release(s->state);
    subsys_leave_step(w);
}

/* is_deleted: what controllers have saved of it goes, too. */
static void subsys_leave(struct envme_subsys *s, struct envme_ns *ns,
                         bool is_deleted, void (*done)(void *arg), void *arg)
{
    g_assert(ns->subsys == s && !ns->gone);
    ns->leave_waiters = g_slist_prepend(ns->leave_waiters,
                                        subsys_wait_new(s, ns, done, arg));
    if (!ns->leaving) {
        subsys_start_leaving(s, ns, is_deleted);
    }
}

void envme_subsys_delete_ns(struct envme_subsys *s, struct envme_ns *ns,
                            void (*done)(void *arg), void *arg)
{
    subsys_leave(s, ns, true, done, arg);
}

/* The namespaces that were made of the medium of this one. */
static GPtrArray *subsys_users(struct envme_subsys *s, struct envme_ns *ns)
{
    GPtrArray *list = g_ptr_array_new();

    for (uint32_t i = 1; i <= s->nn; i++) {
        if (s->ns[i] && envme_capacity_uses(s->ns[i], ns)) {
            g_ptr_array_add(list, s->ns[i]);
        }
    }
    for (unsigned i = 0; i < s->unlisted->len; i++) {
        if (envme_capacity_uses(s->unlisted->pdata[i], ns)) {
            g_ptr_array_add(list, s->unlisted->pdata[i]);
        }
    }
    return list;
}

static void subsys_removal_step(void *opaque)
{
    struct subsys_wait *w = opaque;

    if (--w->left) {
        return;
    }
    envme_capacity_leave(w->s, w->ns);
    w->ns->subsys = NULL;
    w->ns->gone = false;
    subsys_wait_free(w);
}

void envme_subsys_remove_ns(struct envme_subsys *s, struct envme_ns *ns,
                            void (*done)(void *arg), void *arg)
{
    struct subsys_wait *w = subsys_wait_new(s, ns, done, arg);
    g_autoptr(GPtrArray) users = subsys_users(s, ns);

    g_assert(ns->subsys == s && !ns->made);
    envme_capacity_close(s, ns);
    if (!ns->gone) {
        w->left++;
        subsys_leave(s, ns, false, subsys_removal_step, w);
    } else if (ns->holds) {
        w->left++;
        ns->unheld = subsys_removal_step;
        ns->unheld_arg = w;
    }
    /* What the state has of them comes back with the medium. */
    for (unsigned i = 0; i < users->len; i++) {
        struct envme_ns *user = users->pdata[i];

        w->left++;
        subsys_leave(s, user, !user->kept, subsys_removal_step, w);
    }
    subsys_removal_step(w);
}

void envme_ns_hold(struct envme_ns *ns)
{
    ns->holds++;
}

void envme_ns_unhold(struct envme_ns *ns)
{
    void (*fn)(void *arg) = ns->unheld;

    g_assert(ns->holds);
    if (!--ns->holds && fn) {
        ns->unheld = NULL;
        fn(ns->unheld_arg);
    }
}

/* ---- others ------------------------------------------------------------ */

void envme_subsys_flush(struct envme_subsys *s,
                        void (*done)(void *arg, int err), void *arg)
{
    for (unsigned i = 0; s->state && i < ENVME_MAX_CTRLS; i++) {
        if (s->ctrl[i].ops && s->ctrl[i].ops->flush) {
            s->ctrl[i].ops->flush(s->ctrl[i].ctrl, done, arg);
            return;
        }
    }
    /* No controller, no host who could be told. */
    envme_state_commit_async(s->state);
    done(arg, 0);
}

static void subsys_drain_step(void *opaque)
{
    struct subsys_wait *w = opaque;

    if (!--w->left) {
        subsys_wait_free(w);
    }
}

void envme_subsys_drain_ns(struct envme_subsys *s, struct envme_ns *ns,
                           void (*done)(void *arg), void *arg)
{
    struct subsys_wait *w = subsys_wait_new(s, ns, done, arg);

    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        if (s->ctrl[i].ops && subsys_bit(ns, i)) {
            w->left++;
            s->ctrl[i].ops->drain(s->ctrl[i].ctrl, subsys_drain_step, w);
        }
    }
    subsys_drain_step(w);
}

void envme_subsys_ns_changed(struct envme_subsys *s, struct envme_ns *ns)
{
    subsys_alloc_changed(s, ns->nsid);
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        if (s->ctrl[i].ops && subsys_bit(ns, i)) {
            s->ctrl[i].ops->ns_changed(s->ctrl[i].ctrl, ns->nsid);
        }
    }
}

void envme_subsys_ns_lost(struct envme_subsys *s, struct envme_ns *ns)
{
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        if (s->ctrl[i].ops && subsys_bit(ns, i)) {
            s->ctrl[i].ops->ns_lost(s->ctrl[i].ctrl, ns->nsid);
        }
    }
}

void envme_subsys_ns_resized(struct envme_subsys *s, struct envme_ns *ns)
{
    g_autoptr(GPtrArray) users = subsys_users(s, ns);

    if (envme_ns_refresh(ns) && !ns->gone) {
        envme_subsys_ns_changed(s, ns);
    }
    envme_capacity_resized(s, ns);
    if (ns->kept && !ns->gone && !ns->leaving) {
        envme_roster_put(ns);
        envme_state_commit_async(s->state);
    }
    for (unsigned i = 0; i < users->len; i++) {
        if (envme_ns_refresh(users->pdata[i])) {
            envme_subsys_ns_changed(s, users->pdata[i]);
        }
    }
}

unsigned envme_subsys_count_attached(const struct envme_subsys *s,
                                     uint16_t cntlid)
{
    unsigned n = 0;

    for (uint32_t i = 1; i <= s->nn; i++) {
        n += s->ns[i] && subsys_bit(s->ns[i], cntlid);
    }
    return n;
}

void envme_subsys_reset(struct envme_subsys *s)
{
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        if (s->ctrl[i].ops) {
            s->ctrl[i].ops->nssr(s->ctrl[i].ctrl);
        }
    }
}
