/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions on namespaces: Base 2.1, 3.2.1, 5.1.13.2 and 8.1.15. What is changed
 * is shown, and nothing of it is written into the state.
 */
#include <errno.h>
#include <string.h>

#include "hw/ctrl/abortns.h"
#include "hw/fault/effect.h"
#include "hw/ns/sick.h"

enum { VANISH_FINISH, VANISH_ABORT };
enum { VANISH_HERE, VANISH_EVERYWHERE };

struct act_ns {
    struct fault_lasting last;
    uint64_t nsid, blocks, sf, eui64, inflight, from;
    GByteArray *nguid, *uuid;
    bool has_blocks, has_sf, has_eui64, dnr, has_dnr;
};

#define AT(f) offsetof(struct act_ns, f)

static void ns_init(void *args)
{
    *(struct act_ns *)args = (struct act_ns){
        .last = FAULT_LASTING_INIT, .nsid = 1,
    };
}

#define NSID_ROW { "nsid", ENVME_SCHEMA_UINT, AT(nsid), .min = 1,           \
      .max = UINT32_MAX - 1, .help = "the namespace; 1, if not given" }

static struct envme_ns *ns_find(struct envme_faults *f, uint32_t nsid)
{
    struct envme_ns *ns = envme_subsys_ns(f->ctrl->subsys, nsid);

    return ns && !ns->leaving ? ns : NULL;
}

static struct envme_ns *ns_of(const struct act_ns *a, struct envme_faults *f)
{
    struct envme_ns *ns = ns_find(f, a->nsid);

    if (!ns) {
        fault_note(f, "faults: there is no namespace %u", (unsigned)a->nsid);
    }
    return ns;
}

/* ---- what all of them leave behind ------------------------------------- */

struct ns_effect {
    struct fault_effect e;
    uint32_t nsid;
    uint64_t sick;              /* size: what is beyond the medium's end */
    uint16_t sf;                /* not ready: what it has set */
    uint64_t gone[ENVME_MAX_CTRLS / 64];        /* vanish: who had it */
    struct envme_ns_ids ids;
};

static bool ns_same(const struct fault_effect *e, const void *arg)
{
    return ((const struct ns_effect *)e)->nsid == *(const uint32_t *)arg;
}

/* One of a kind for a namespace: the last one counts. */
static void ns_begin(const struct act_ns *a, struct envme_faults *f,
                     struct ns_effect *n,
                     void (*end)(struct fault_effect *e,
                                 struct envme_faults *f))
{
    n->e.end = end;
    n->nsid = a->nsid;
    fault_effect_add(f, &n->e, &a->last);
}

static void ns_undo(struct envme_faults *f, uint32_t nsid,
                    void (*end)(struct fault_effect *e,
                                struct envme_faults *f))
{
    struct fault_effect *e = fault_effect_find(f, end, ns_same, &nsid);

    if (e) {
        fault_effect_end(f, e);
    }
}

/* ---- vanish, return ---------------------------------------------------- */

static const struct envme_schema_name vanish_inflight[] = {
    { "finish", VANISH_FINISH }, { "abort", VANISH_ABORT }, { NULL, 0 },
};

static const struct envme_schema_name vanish_from[] = {
    { "controller", VANISH_HERE }, { "subsystem", VANISH_EVERYWHERE },
    { NULL, 0 },
};

static const struct envme_schema_row vanish_rows[] = {
    NSID_ROW,
    { "in-flight", ENVME_SCHEMA_UINT, AT(inflight), .max = VANISH_ABORT,
      .names = vanish_inflight, .help = "what becomes of commands: they "
      "finish first, which they do if it is not given, or end with Command "
      "Abort Requested where the backend can give them up" },
    { "from", ENVME_SCHEMA_UINT, AT(from), .max = VANISH_EVERYWHERE,
      .names = vanish_from, .help = "from this controller, or from all that "
      "have it attached" },
    { "status", ENVME_SCHEMA_UINT, AT(sf), AT(has_sf), .min = 1,
      .max = 0x7ff, .lookup = fault_name_status,
      .help = "what commands for it end with then; invalid-field, if not "
              "given, as the specification has it" },
    FAULT_LASTING_ROWS(struct act_ns),
};

static void vanish_attach(struct envme_faults *f, const struct ns_effect *n)
{
    struct envme_subsys *s = f->ctrl->subsys;
    struct envme_ns *ns = ns_find(f, n->nsid);

    for (unsigned i = 0; ns && i < ENVME_MAX_CTRLS; i++) {
        if (n->gone[i / 64] >> i % 64 & 1 && s->ctrl[i].ops) {
            envme_subsys_attach(s, ns, i, true, NULL, NULL);
        }
    }
}

static void vanish_end(struct fault_effect *e, struct envme_faults *f)
{
    struct ns_effect *n = (struct ns_effect *)e;

    atomic_store(&f->ctrl->inactive_sf, 0);
    vanish_attach(f, n);
    g_free(n);
}

/* Until all have let go. It counts as an effect from then on. */
struct vanish {
    struct envme_faults *f;     /* counted */
    struct act_ns a;            /* but for what is allocated */
    struct ns_effect *n;
    unsigned round, left;
};

static void vanish_step(void *arg)
{
    struct vanish *v = arg;
    struct envme_faults *f = v->f;

    if (--v->left) {
        return;
    }
    if (f->dead || v->round != f->round) {
        if (!f->dead) {
            vanish_attach(f, v->n);
        }
        g_free(v->n);
    } else {
        atomic_store(&f->ctrl->inactive_sf, v->a.has_sf ? v->a.sf : 0);
        ns_begin(&v->a, f, v->n, vanish_end);
    }
    fault_faults_unref(f);
    g_free(v);
}

static void vanish_detach(void *arg)
{
    struct vanish *v = arg;
    struct envme_faults *f = v->f;
    struct envme_subsys *s = f->ctrl->subsys;
    bool off = f->dead || v->round != f->round;
    struct envme_ns *ns = off ? NULL : ns_find(f, v->a.nsid);

    v->left = 1;
    for (unsigned i = 0; ns && i < ENVME_MAX_CTRLS; i++) {
        if ((v->a.from == VANISH_HERE && i != f->ctrl->cntlid) ||
            !s->ctrl[i].ops || !envme_subsys_is_attached(ns, i)) {
            continue;
        }
        v->n->gone[i / 64] |= UINT64_C(1) << i % 64;
        v->left++;
        envme_subsys_attach(s, ns, i, false, vanish_step, v);
    }
    vanish_step(v);
}

static void vanish_run(void *arg)
{
    struct vanish *v = arg;

    if (v->a.inflight == VANISH_ABORT && !v->f->dead) {
        envme_ctrl_abort_ns(v->f->ctrl, v->a.nsid, vanish_detach, v);
    } else {
        vanish_detach(v);
    }
}

/* Later: we may be in the middle of a reset or of an enable. */
static void vanish_lane0(const void *args, struct envme_faults *f)
{
    const struct act_ns *a = args;
    struct envme_ns *ns = ns_find(f, a->nsid);
    struct vanish *v;

    /* Also when it is on its way back. */
    if (!ns || !envme_subsys_is_attached(ns, f->ctrl->cntlid)) {
        fault_note(f, "faults: NSID %u is not attached", (unsigned)a->nsid);
        return;
    }
    v = g_new0(struct vanish, 1);
    v->f = fault_faults_ref(f);
    v->a = *a;
    v->n = g_new0(struct ns_effect, 1);
    v->n->nsid = a->nsid;
    v->round = f->round;
    envme_defer(f->ctrl, 0, vanish_run, v);
}

static const struct envme_schema_row return_rows[] = { NSID_ROW };

static void return_lane0(const void *args, struct envme_faults *f)
{
    const struct act_ns *a = args;

    ns_undo(f, a->nsid, vanish_end);
}

/* ---- resize ------------------------------------------------------------ */

static const struct envme_schema_row resize_rows[] = {
    NSID_ROW,
    { "blocks", ENVME_SCHEMA_UINT, AT(blocks), AT(has_blocks), .min = 1,
      .max = UINT64_C(1) << 55, .help = "so many are shown. I/O beyond them is "
      "out of range; what is beyond the medium's end fails there. With "
      "metadata there cannot be more than there are" },
    FAULT_LASTING_ROWS(struct act_ns),
};

static bool resize_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                         void *args)
{
    const struct act_ns *a = args;

    (void)f;
    return a->has_blocks || envme_schema_fail(ctx, "\"blocks\" is missing");
}

static void resize_end(struct fault_effect *e, struct envme_faults *f)
{
    struct ns_effect *n = (struct ns_effect *)e;
    struct envme_ns *ns = ns_find(f, n->nsid);

    if (ns) {
        envme_ns_fake_size(ns, 0);
        envme_ns_heal(ns, n->sick);
        envme_subsys_ns_changed(f->ctrl->subsys, ns);
    }
    g_free(n);
}

static void resize_lane0(const void *args, struct envme_faults *f)
{
    const struct act_ns *a = args;
    struct envme_ns *ns = ns_of(a, f);
    struct envme_sick_fault beyond = {
        .kind = ENVME_SICK_ERROR, .err = -EIO, .last = UINT64_MAX,
        .ops = ENVME_SICK_READS | ENVME_SICK_WRITES,
    };
    struct ns_effect *n;

    if (!ns) {
        return;
    }
    ns_undo(f, a->nsid, resize_end);
    beyond.slba = envme_ns_true_size(ns);
    n = g_new0(struct ns_effect, 1);
    /* Before anybody can get there. */
    n->sick = a->blocks > beyond.slba ? envme_ns_sicken(ns, &beyond) : 0;
    if ((a->blocks > beyond.slba && !n->sick) ||
        !envme_ns_fake_size(ns, a->blocks)) {
        fault_note(f, "faults: NSID %u cannot seem larger than it is",
                   ns->nsid);
        envme_ns_heal(ns, n->sick);
        g_free(n);
        return;
    }
    ns_begin(a, f, n, resize_end);
    envme_subsys_ns_changed(f->ctrl->subsys, ns);
}

/* ---- read-only --------------------------------------------------------- */

static const struct envme_schema_row read_only_rows[] = {
    NSID_ROW,
    { "status", ENVME_SCHEMA_UINT, AT(sf), AT(has_sf), .min = 1,
      .max = 0x7ff, .lookup = fault_name_status,
      .help = "what writes end with; ns-write-protected, if not given" },
    FAULT_LASTING_ROWS(struct act_ns),
};

static void read_only_set(struct envme_faults *f, struct envme_ns *ns, bool on,
                          uint16_t sf)
{
    envme_ns_fake_read_only(ns, on, sf);
    envme_subsys_ns_changed(f->ctrl->subsys, ns);
}

static void read_only_end(struct fault_effect *e, struct envme_faults *f)
{
    struct ns_effect *n = (struct ns_effect *)e;
    struct envme_ns *ns = ns_find(f, n->nsid);

    if (ns) {
        read_only_set(f, ns, false, 0);
    }
    g_free(n);
}

static void read_only_lane0(const void *args, struct envme_faults *f)
{
    const struct act_ns *a = args;
    struct envme_ns *ns = ns_of(a, f);

    if (ns) {
        ns_undo(f, a->nsid, read_only_end);
        read_only_set(f, ns, true, a->has_sf ? a->sf : 0);
        ns_begin(a, f, g_new0(struct ns_effect, 1), read_only_end);
    }
}

/* ---- not-ready --------------------------------------------------------- */

static const struct envme_schema_row not_ready_rows[] = {
    NSID_ROW,
    { "dnr", ENVME_SCHEMA_BOOL, AT(dnr), AT(has_dnr),
      .help = "true: with Do Not Retry" },
    FAULT_LASTING_ROWS(struct act_ns),
};

/* A format that has begun meanwhile has its own status there. */
static void not_ready_end(struct fault_effect *e, struct envme_faults *f)
{
    struct ns_effect *n = (struct ns_effect *)e;
    struct envme_ns *ns = ns_find(f, n->nsid);

    if (ns && atomic_load(&ns->gate_sf) == n->sf) {
        atomic_store(&ns->gate_sf, 0);
    }
    g_free(n);
}

static void not_ready_lane0(const void *args, struct envme_faults *f)
{
    const struct act_ns *a = args;
    struct envme_ns *ns = ns_of(a, f);
    struct ns_effect *n;

    if (!ns) {
        return;
    }
    ns_undo(f, a->nsid, not_ready_end);
    if (atomic_load(&ns->gate_sf)) {
        fault_note(f, "faults: NSID %u is being formatted", ns->nsid);
        return;
    }
    n = g_new0(struct ns_effect, 1);
    n->sf = ENVME_SC_NS_NOT_READY | (a->dnr ? ENVME_SF_DNR : 0);
    atomic_store(&ns->gate_sf, n->sf);
    ns_begin(a, f, n, not_ready_end);
}

/* ---- identifiers ------------------------------------------------------- */

static const struct envme_schema_row ids_rows[] = {
    NSID_ROW,
    { "nguid", ENVME_SCHEMA_HEX, AT(nguid),
      .help = "up to 32 hexadecimal digits, zeroes behind them; all zeroes: "
      "it has none" },
    { "uuid", ENVME_SCHEMA_HEX, AT(uuid),
      .help = "the same, without dashes" },
    { "eui64", ENVME_SCHEMA_UINT, AT(eui64), AT(has_eui64),
      .help = "a number; 0: it has none" },
    FAULT_LASTING_ROWS(struct act_ns),
};

static bool ids_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                      void *args)
{
    const struct act_ns *a = args;

    (void)f;
    if ((a->nguid && a->nguid->len > 16) || (a->uuid && a->uuid->len > 16)) {
        return envme_schema_fail(ctx, "nguid, uuid: 32 digits at most are "
                                 "wanted");
    }
    return a->nguid || a->uuid || a->has_eui64 ||
           envme_schema_fail(ctx, "\"nguid\", \"uuid\" or \"eui64\" is "
                             "wanted");
}

static void ids_end(struct fault_effect *e, struct envme_faults *f)
{
    struct ns_effect *n = (struct ns_effect *)e;
    struct envme_ns *ns = ns_find(f, n->nsid);

    if (ns && ns->ids_faked == &n->ids) {
        ns->ids_faked = NULL;
    }
    g_free(n);
}

static void ids_take(uint8_t to[16], const GByteArray *from,
                     const uint8_t was[16])
{
    memset(to, 0, 16);
    memcpy(to, from ? from->data : was, from ? from->len : 16);
}

static void ids_lane0(const void *args, struct envme_faults *f)
{
    const struct act_ns *a = args;
    struct envme_ns *ns = ns_of(a, f);
    struct ns_effect *n;

    if (!ns) {
        return;
    }
    ns_undo(f, a->nsid, ids_end);
    n = g_new0(struct ns_effect, 1);
    n->ids.eui64 = a->has_eui64 ? a->eui64 : ns->params.eui64;
    ids_take(n->ids.nguid, a->nguid, ns->params.nguid);
    ids_take(n->ids.uuid, a->uuid, ns->params.uuid);
    ns->ids_faked = &n->ids;
    ns_begin(a, f, n, ids_end);
}

/* ---- the table --------------------------------------------------------- */

#define NS(rows, fn) .on = FAULT_ON_ALL,                                    \
    .schema = { "", "", ENVME_SCHEMA_ROWS(rows) },                          \
    .size = sizeof(struct act_ns), .init = ns_init, .lane0 = fn

const struct fault_action_row fault_actions_ns[] = {
    {
        .name = "vanish",
        .help = "A namespace is not attached any more: its host is told by an "
                "event, and commands for it are refused.",
        NS(vanish_rows, vanish_lane0), .plain = true,
    },
    {
        .name = "return", .scalar = "nsid",
        .help = "One that has vanished is back, and its host is told.",
        NS(return_rows, return_lane0),
    },
    {
        .name = "resize",
        .help = "A namespace has another size, and its host is told.",
        NS(resize_rows, resize_lane0), .check = resize_check,
    },
    {
        .name = "read-only",
        .help = "A namespace cannot be written; Identify says so, and its "
                "host is told.",
        NS(read_only_rows, read_only_lane0), .plain = true,
    },
    {
        .name = "not-ready",
        .help = "I/O commands end with Namespace Not Ready.",
        NS(not_ready_rows, not_ready_lane0), .plain = true,
    },
    {
        .name = "identifiers",
        .help = "A namespace has other identifiers: another disk, as the host "
                "sees it when it looks again.",
        NS(ids_rows, ids_lane0), .check = ids_check,
    },
    { 0 },
};
