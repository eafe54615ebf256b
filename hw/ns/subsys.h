/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NVM subsystem: the namespaces and controllers that belong together.
 * Base 2.1, 3.1 and 3.2.
 *
 * Owner: the composition root, which frees it after its controllers and
 * namespaces are gone. Threads: lane 0; the namespace map changes only while
 * the lanes of the controllers concerned are parked. Reaches controllers
 * through the callbacks that they register.
 */
#ifndef ENVME_NS_SUBSYS_H
#define ENVME_NS_SUBSYS_H

#include "hw/ns/bootpart.h"
#include "hw/ns/ns.h"
#include "hw/ns/state.h"
#include "hw/ns/streams.h"

#define ENVME_MAX_CTRLS 256     /* CNTLID 0 .. 255 */

/* What a subsystem asks of a controller. Lane 0. */
struct envme_subsys_ctrl_ops {
    /*
     * Attach or detach: the controller parks its lanes, changes its map,
     * resumes, tells the host (Namespace Attribute Changed) and calls done.
     * done may come before this returns.
     */
    void (*set_ns)(void *ctrl, uint32_t nsid, struct envme_ns *ns,
                   void (*done)(void *arg), void *arg);
    /* Something about an attached namespace changed (size, format). */
    void (*ns_changed)(void *ctrl, uint32_t nsid);
    /* Something about a namespace of the subsystem changed, or it was created
     * or deleted. May be NULL. */
    void (*alloc_changed)(void *ctrl, uint32_t nsid);
    /* Blocks of an attached namespace cannot be read any more. */
    void (*ns_lost)(void *ctrl, uint32_t nsid);
    /* A namespace is deleted: what is known of it goes. May be NULL. */
    void (*ns_deleted)(void *ctrl, uint32_t nsid);
    /* Calls done when no command that is in flight now is so any more; it may
     * be before this returns. */
    void (*drain)(void *ctrl, void (*done)(void *arg), void *arg);
    /* Writes what was put in the state, then calls done, not before this
     * returns; the controller is there until then. May be NULL. */
    void (*flush)(void *ctrl, void (*done)(void *arg, int err), void *arg);
    /* NVM Subsystem Reset. */
    void (*nssr)(void *ctrl);
};

struct envme_subsys_slot {
    const struct envme_subsys_ctrl_ops *ops;
    void *ctrl;
};

struct envme_subsys {
    char nqn[224];              /* as on the wire: NUL padded */
    bool single;                /* made for one controller: CMIC 0 */
    uint32_t nn;                /* highest NSID */
    struct envme_ns **ns;       /* [1 .. nn] */
    /* Why commands are refused (Sanitize In Progress, Sanitize Failed), but
     * for the rows that say ENVME_GATE_IN_SANITIZE. Lane 0 sets it. */
    _Atomic uint16_t gate_sf;
    struct envme_subsys_slot ctrl[ENVME_MAX_CTRLS];
    /* What is kept over power cycles. NULL: nothing is. The composition root
     * sets it before the first controller is made, and closes it. */
    struct envme_state *state;
    /* The Streams directive; NULL: there is none. The first controller that
     * has it makes it. */
    struct envme_streams *streams;
    /* Boot partitions, once a controller has some. */
    struct envme_bootpart *bp;
    /* What the admin commands share between its controllers: hw/admin makes
     * it with the first one and has it freed with the subsystem. */
    void *shared;
    void (*shared_free)(void *shared);

    /* Command sets, for namespaces that come out of the state: a controller
     * sets it. */
    const struct envme_iocs *(*find_iocs)(const void *arg, uint8_t csi);
    const void *find_iocs_arg;

    /* Capacity: capacity.c. */
    struct envme_pool *pool;
    GPtrArray *media;           /* struct envme_ns that came with one; it may
                                 * be deleted, its medium is in the pool */
    GPtrArray *away;            /* roster.c */
    struct envme_ns_params made_like;
    uint64_t nmade;
    GPtrArray *unlisted;        /* struct envme_ns without an NSID: being made,
                                 * or deleted */
    uint32_t maxcna;            /* namespaces per controller; 0: no limit */
    uint32_t mnan;              /* namespaces in all; 0: nn */

    /* Has fn(arg) called on lane 0, not before this returns: background work
     * that would take the lane for too long. NULL: it goes on at once. */
    void (*later)(void *opaque, void (*fn)(void *arg), void *arg);
    void *later_opaque;
};

struct envme_subsys *envme_subsys_new(const char *nqn, uint32_t nn,
                                      bool single);
void envme_subsys_free(struct envme_subsys *s);

/* CNTLID for a new controller, or -1 when all are taken. */
int envme_subsys_add_ctrl(struct envme_subsys *s,
                          const struct envme_subsys_ctrl_ops *ops, void *ctrl);
void envme_subsys_remove_ctrl(struct envme_subsys *s, uint16_t cntlid);

/*
 * Adds a namespace. One that came with a medium: under params.nsid or the
 * lowest free NSID, attached to all controllers (a shared one) or to the first
 * (a private one), unless it is detached; or all that as the state says, by
 * which it may be deleted. One that was made: under the lowest free NSID. false
 * and *err (g_free): there is no such NSID, or the state doesn't fit it.
 */
bool envme_subsys_add_ns(struct envme_subsys *s, struct envme_ns *ns,
                         char **err);
/* The lowest NSID that a host can have for a new one, or 0. */
uint32_t envme_subsys_free_nsid(const struct envme_subsys *s);
/*
 * A namespace that came with a medium goes, and the medium with it: detaches it
 * everywhere and deletes all others that were made of its medium, then calls
 * done; both may then be freed. It may have been deleted already.
 */
void envme_subsys_remove_ns(struct envme_subsys *s, struct envme_ns *ns,
                            void (*done)(void *arg), void *arg);
/*
 * Background work, which no command in flight stands for, holds a namespace
 * while it has a request at its backend: removing it waits for the last one.
 * Lane 0.
 */
void envme_ns_hold(struct envme_ns *ns);
void envme_ns_unhold(struct envme_ns *ns);
/*
 * A host deletes it: detaches it everywhere, gives its capacity back, then
 * calls done; it may be before this returns. One that was made is freed, one
 * that came with a medium stays its owner's.
 */
void envme_subsys_delete_ns(struct envme_subsys *s, struct envme_ns *ns,
                            void (*done)(void *arg), void *arg);
/* Calls done when no controller has a command in flight that uses it and was
 * started before. */
void envme_subsys_drain_ns(struct envme_subsys *s, struct envme_ns *ns,
                           void (*done)(void *arg), void *arg);
/* Tells all who have it attached. */
void envme_subsys_ns_changed(struct envme_subsys *s, struct envme_ns *ns);
void envme_subsys_ns_lost(struct envme_subsys *s, struct envme_ns *ns);
/* Attaches or detaches at one controller. */
void envme_subsys_attach(struct envme_subsys *s, struct envme_ns *ns,
                         uint16_t cntlid, bool attach,
                         void (*done)(void *arg), void *arg);
/*
 * A host chooses: from now on these controllers (CNTLIDs that exist) are to
 * have the namespace, or not to have it, in the state as well. Then they are
 * to be attached, or detached.
 */
void envme_subsys_choose(struct envme_ns *ns, const uint16_t *cntlids,
                         unsigned n, bool attach);
/* What was put in the state is durable (0), or cannot be written: then done is
 * called, at once without a state. For what goes on without a command. */
void envme_subsys_flush(struct envme_subsys *s,
                        void (*done)(void *arg, int err), void *arg);
/* For roster.c: one that was made is back. It has its NSID and all. */
void envme_subsys_list(struct envme_subsys *s, struct envme_ns *ns);
bool envme_subsys_is_attached(const struct envme_ns *ns, uint16_t cntlid);
/* A new controller: attaches what is there for it. */
void envme_subsys_attach_all(struct envme_subsys *s, uint16_t cntlid);

/* The backend of this namespace changed its size or state (lane 0). */
void envme_subsys_ns_resized(struct envme_subsys *s, struct envme_ns *ns);

/* How many namespaces that controller has. */
unsigned envme_subsys_count_attached(const struct envme_subsys *s,
                                     uint16_t cntlid);
/* A UUID of our own making, the same for the same id. */
void envme_subsys_make_uuid(const struct envme_subsys *s, const void *id,
                            size_t len, uint8_t uuid[16]);

/* NVM Subsystem Reset: all controllers. */
void envme_subsys_reset(struct envme_subsys *s);

static inline struct envme_ns *envme_subsys_ns(const struct envme_subsys *s,
                                               uint32_t nsid)
{
    return nsid && nsid <= s->nn ? s->ns[nsid] : NULL;
}

#endif
