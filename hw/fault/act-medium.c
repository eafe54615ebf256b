/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions on a namespace's medium, behind everything that a controller does
 * with a command: all of its own handling of errors is at work.
 */
#include <errno.h>
#include <string.h>

#include "hw/fault/effect.h"
#include "hw/fault/medium-job.h"
#include "hw/fault/patch.h"
#include "hw/ns/sick.h"

/* Blocks. What is kept in memory, or read and written back at once. */
#define STALE_MAX   1024
#define CORRUPT_MAX 4096

/* ---- faults that last -------------------------------------------------- */

struct act_medium {
    struct fault_lasting last;
    enum envme_sick_kind kind;
    struct envme_schema_range lba;
    uint64_t nsid, ops, err, times, keep, to, seed;
    bool has_lba, has_keep, has_to, flush, fua;
};

#define AT(f) offsetof(struct act_medium, f)

static void medium_init(struct act_medium *a, enum envme_sick_kind kind,
                        uint64_t ops)
{
    *a = (struct act_medium){
        .last = FAULT_LASTING_INIT, .kind = kind, .nsid = 1, .ops = ops,
        .lba = { 0, UINT64_MAX }, .err = EIO,
    };
}

static void error_init(void *args)
{
    medium_init(args, ENVME_SICK_ERROR, ENVME_SICK_READS | ENVME_SICK_WRITES);
}

static void full_init(void *args)
{
    struct act_medium *a = args;

    medium_init(a, ENVME_SICK_ERROR, ENVME_SICK_WRITES);
    a->err = ENOSPC;
}

static void short_init(void *args)
{
    medium_init(args, ENVME_SICK_SHORT, ENVME_SICK_WRITES);
}

static void moved_init(void *args)
{
    medium_init(args, ENVME_SICK_MOVED, ENVME_SICK_WRITES);
}

static void stale_init(void *args)
{
    medium_init(args, ENVME_SICK_STALE, ENVME_SICK_READS);
}

static void garbage_init(void *args)
{
    medium_init(args, ENVME_SICK_GARBAGE, ENVME_SICK_READS);
}

static void lies_init(void *args)
{
    struct act_medium *a = args;

    medium_init(a, ENVME_SICK_LIES, 0);
    a->flush = a->fua = true;
}

static const struct envme_schema_name medium_ops[] = {
    { "reads", ENVME_SICK_READS }, { "writes", ENVME_SICK_WRITES },
    { "all", ENVME_SICK_READS | ENVME_SICK_WRITES },
    { "flush", ENVME_SICK_FLUSH }, { NULL, 0 },
};

static const struct envme_schema_name medium_errnos[] = {
    { "eio", EIO }, { "enospc", ENOSPC }, { "erofs", EROFS },
    { "eacces", EACCES }, { "enomedium", ENOMEDIUM }, { "eagain", EAGAIN },
    { "enomem", ENOMEM }, { "einval", EINVAL }, { "etimedout", ETIMEDOUT },
    { NULL, 0 },
};

#define NSID_ROW { "nsid", ENVME_SCHEMA_UINT, AT(nsid), .min = 1,           \
      .max = UINT32_MAX - 1, .help = "the namespace; 1, if not given" }
#define LBA_ROW { "lba", ENVME_SCHEMA_RANGE, AT(lba), AT(has_lba),          \
      .help = "blocks; one in common is enough; all, if not given" }
#define OPS_ROW(text) { "of", ENVME_SCHEMA_UINT, AT(ops), .min = 1,         \
      .max = 1u << ENVME_BIO_OPS, .names = medium_ops, .help = text }
#define KEEP_ROW(text) { "keep", ENVME_SCHEMA_BYTES, AT(keep),              \
      AT(has_keep), .help = text }

static const struct envme_schema_row error_rows[] = {
    NSID_ROW, LBA_ROW,
    OPS_ROW("which requests to the medium: reads, writes (zeroes too), all, "
            "which it is if not given; or flush"),
    { "errno", ENVME_SCHEMA_UINT, AT(err), .min = 1, .max = 4095,
      .names = medium_errnos, .help = "what the medium's file or disk would "
      "say; eio, if not given" },
    { "times", ENVME_SCHEMA_UINT, AT(times), .min = 1,
      .help = "so many requests, and then no more" },
    KEEP_ROW("so many bytes of each are transferred before, in whole units "
             "of the medium; none, if not given"),
    FAULT_LASTING_ROWS(struct act_medium),
};

static const struct envme_schema_row short_rows[] = {
    NSID_ROW, LBA_ROW,
    OPS_ROW("which requests to the medium: reads, writes (zeroes too), which "
            "it is if not given, or all"),
    KEEP_ROW("so many bytes of each, in whole units of the medium; none, if "
             "not given: lost writes, and reads that leave the host's memory "
             "as it was"),
    { "times", ENVME_SCHEMA_UINT, AT(times), .min = 1,
      .help = "so many requests, and then no more" },
    FAULT_LASTING_ROWS(struct act_medium),
};

static const struct envme_schema_row full_rows[] = {
    NSID_ROW, LBA_ROW,
    FAULT_LASTING_ROWS(struct act_medium),
};

static const struct envme_schema_row moved_rows[] = {
    NSID_ROW,
    { "lba", ENVME_SCHEMA_RANGE, AT(lba), AT(has_lba),
      .help = "blocks; what begins there is moved, whole" },
    { "to", ENVME_SCHEMA_UINT, AT(to), AT(has_to),
      .help = "where the first of them is instead, and so on" },
    OPS_ROW("which requests to the medium: reads, writes (zeroes too), which "
            "it is if not given, or all"),
    { "times", ENVME_SCHEMA_UINT, AT(times), .min = 1,
      .help = "so many requests, and then no more" },
    FAULT_LASTING_ROWS(struct act_medium),
};

static const struct envme_schema_row stale_rows[] = {
    NSID_ROW,
    { "lba", ENVME_SCHEMA_RANGE, AT(lba), AT(has_lba),
      .help = "blocks; 1024 at most" },
    FAULT_LASTING_ROWS(struct act_medium),
};

static const struct envme_schema_row garbage_rows[] = {
    NSID_ROW, LBA_ROW,
    { "seed", ENVME_SCHEMA_UINT, AT(seed), .help = "of what they read as" },
    FAULT_LASTING_ROWS(struct act_medium),
};

static const struct envme_schema_row lies_rows[] = {
    NSID_ROW,
    { "flush", ENVME_SCHEMA_BOOL, AT(flush),
      .help = "false: a flush is honest" },
    { "fua", ENVME_SCHEMA_BOOL, AT(fua), .help = "false: FUA is honest" },
    FAULT_LASTING_ROWS(struct act_medium),
};

static bool medium_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                         void *args)
{
    struct act_medium *a = args;

    (void)f;
    if (a->kind == ENVME_SICK_LIES) {
        a->ops = (a->flush ? ENVME_SICK_FLUSH : 0) |
                 (a->fua ? ENVME_SICK_WRITES : 0);
        return a->ops || envme_schema_fail(ctx, "neither is to lie");
    }
    if (a->ops & ENVME_SICK_FLUSH && a->kind != ENVME_SICK_ERROR) {
        return envme_schema_fail(ctx, "of: a flush has no bytes");
    }
    if (a->kind == ENVME_SICK_MOVED && !(a->has_to && a->has_lba)) {
        return envme_schema_fail(ctx, "\"lba\" and \"to\" are wanted");
    }
    if (a->kind == ENVME_SICK_STALE &&
        (!a->has_lba || a->lba.hi - a->lba.lo >= STALE_MAX)) {
        return envme_schema_fail(ctx, "lba: %u blocks at most are wanted",
                                 STALE_MAX);
    }
    return true;
}

struct medium_effect {
    struct fault_effect e;
    uint32_t nsid;
    uint64_t id;
};

static void medium_end(struct fault_effect *e, struct envme_faults *f)
{
    struct medium_effect *m = (struct medium_effect *)e;
    struct envme_ns *ns = envme_subsys_ns(f->ctrl->subsys, m->nsid);

    if (ns) {
        envme_ns_heal(ns, m->id);
    }
    g_free(m);
}

static void medium_begin(const struct act_medium *a, struct envme_faults *f,
                         struct envme_ns *ns,
                         const struct envme_sick_fault *fault)
{
    uint64_t id = envme_ns_sicken(ns, fault);
    struct medium_effect *m;

    if (!id) {
        fault_note(f, "faults: NSID %u has %u faults of its medium already",
                   ns->nsid, ENVME_SICK_FAULTS);
        return;
    }
    m = g_new0(struct medium_effect, 1);
    m->e.end = medium_end;
    m->nsid = ns->nsid;
    m->id = id;
    fault_effect_add(f, &m->e, &a->last);
}

static struct envme_sick_fault medium_fault(const struct act_medium *a)
{
    return (struct envme_sick_fault){
        .kind = a->kind, .ops = a->ops, .slba = a->lba.lo, .last = a->lba.hi,
        .err = -(int)a->err, .times = a->times, .has_keep = a->has_keep,
        .keep = a->keep, .to = a->to, .seed = a->seed,
    };
}

static void medium_lane0(const void *args, struct envme_faults *f)
{
    const struct act_medium *a = args;
    struct envme_ns *ns = fault_medium_ns(f, a->nsid);
    const struct envme_sick_fault fault = medium_fault(a);

    if (!ns) {
        fault_note(f, "faults: there is no namespace %u", (unsigned)a->nsid);
    } else if (a->kind == ENVME_SICK_GARBAGE && !ns->geo.status) {
        fault_note(f, "faults: the medium of NSID %u cannot say which blocks "
                   "are deallocated", ns->nsid);
    } else {
        medium_begin(a, f, ns, &fault);
    }
}

/* ---- stale ------------------------------------------------------------- */

static bool stale_look(struct medium_job *j)
{
    const struct act_medium *a = j->args;
    struct envme_sick_fault fault = medium_fault(a);

    fault.data = g_steal_pointer(&j->part[0].buf);
    fault.md = g_steal_pointer(&j->part[1].buf);
    medium_begin(a, j->f, j->ns, &fault);
    return false;
}

static void stale_lane0(const void *args, struct envme_faults *f)
{
    const struct act_medium *a = args;
    struct medium_job *j = fault_job_new(f, a, a->nsid, a->lba, stale_look);

    j->data = j->md = true;
}

/* ---- corrupt ----------------------------------------------------------- */

enum { CORRUPT_DATA, CORRUPT_MD };
enum { PI_NONE, PI_GUARD, PI_APP, PI_REF };

struct act_corrupt {
    struct envme_schema_range lba;
    uint64_t nsid, of, flips, seed, pi;
    GArray *patches;
    bool has_lba, zero;
};

#define C_AT(f) offsetof(struct act_corrupt, f)

static void corrupt_init(void *args)
{
    struct act_corrupt *a = args;

    a->nsid = 1;
}

static const struct envme_schema_name corrupt_of[] = {
    { "data", CORRUPT_DATA }, { "metadata", CORRUPT_MD }, { NULL, 0 },
};

static const struct envme_schema_name corrupt_pi[] = {
    { "guard", PI_GUARD }, { "app-tag", PI_APP }, { "ref-tag", PI_REF },
    { NULL, 0 },
};

static const struct envme_schema_row corrupt_rows[] = {
    { "nsid", ENVME_SCHEMA_UINT, C_AT(nsid), .min = 1, .max = UINT32_MAX - 1,
      .help = "the namespace; 1, if not given" },
    { "lba", ENVME_SCHEMA_RANGE, C_AT(lba), C_AT(has_lba),
      .help = "blocks; 4096 at most" },
    { "of", ENVME_SCHEMA_UINT, C_AT(of), .max = CORRUPT_MD,
      .names = corrupt_of, .help = "their data, which it is if not given, or "
      "their metadata" },
    { "patch", ENVME_SCHEMA_CUSTOM, C_AT(patches), .read = fault_patch_read,
      .sub = &fault_patch_schema,
      .help = "one or a list of patch objects; offsets count from the begin "
              "of the first block's data or metadata" },
    { "flip", ENVME_SCHEMA_UINT, C_AT(flips), .max = 1 << 20,
      .help = "so many bits, at random" },
    { "zero", ENVME_SCHEMA_BOOL, C_AT(zero), .help = "all zeroes" },
    { "pi", ENVME_SCHEMA_UINT, C_AT(pi), .min = PI_GUARD, .max = PI_REF,
      .names = corrupt_pi, .help = "a part of the protection information of "
      "each block is inverted" },
    { "seed", ENVME_SCHEMA_UINT, C_AT(seed), .help = "of flip" },
};

static bool corrupt_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                          void *args)
{
    struct act_corrupt *a = args;

    (void)f;
    if (!a->has_lba || a->lba.hi - a->lba.lo >= CORRUPT_MAX) {
        return envme_schema_fail(ctx, "lba: %u blocks at most are wanted",
                                 CORRUPT_MAX);
    }
    if (!a->patches && !a->flips && !a->zero && !a->pi) {
        return envme_schema_fail(ctx, "\"patch\", \"flip\", \"zero\" or "
                                 "\"pi\" is wanted");
    }
    if (a->pi) {
        a->of = CORRUPT_MD;
    }
    return true;
}

static uint8_t *corrupt_byte(void *arg, uint64_t off)
{
    const struct medium_part *p = arg;

    return off < p->bytes ? p->buf + off : NULL;
}

/* Of each tuple; NVM 1.1, 5.3.1: guard, application tag, storage and reference
 * tag, in this order, in all formats. */
static void corrupt_pi_field(const struct envme_ns *ns, struct medium_part *p,
                             uint64_t field)
{
    static const unsigned guard[] = { 2, 4, 8 };
    unsigned size = envme_pi_size(&ns->pi);
    unsigned g = guard[ENVME_MIN(ns->pi.guard, 2)];
    unsigned from = field == PI_GUARD ? 0 : field == PI_APP ? g : size - 1;
    unsigned n = field == PI_GUARD ? g : field == PI_APP ? 2 : 1;

    from += ns->pi.first ? 0 : ns->ms - size;
    for (uint64_t at = 0; at < p->bytes; at += ns->ms) {
        for (unsigned i = 0; i < n; i++) {
            p->buf[at + from + i] ^= 0xff;
        }
    }
}

static bool corrupt_look(struct medium_job *j)
{
    const struct act_corrupt *a = j->args;
    struct medium_part *p = &j->part[a->of == CORRUPT_MD];
    uint64_t rng = a->seed ^ a->lba.lo;

    if (a->pi && !j->ns->pi.type) {
        fault_note(j->f, "faults: NSID %u has no protection information",
                   j->ns->nsid);
        return false;
    }
    if (a->zero) {
        memset(p->buf, 0, p->bytes);
    }
    if (a->pi) {
        corrupt_pi_field(j->ns, p, a->pi);
    }
    for (uint64_t i = 0; i < a->flips; i++) {
        uint64_t bit = envme_rng_below(&rng, p->bytes * 8);

        p->buf[bit / 8] ^= 1u << bit % 8;
    }
    fault_patch_apply(a->patches, corrupt_byte, p);
    return true;
}

static void corrupt_lane0(const void *args, struct envme_faults *f)
{
    const struct act_corrupt *a = args;
    struct medium_job *j = fault_job_new(f, a, a->nsid, a->lba, corrupt_look);

    j->data = a->of == CORRUPT_DATA;
    j->md = a->of == CORRUPT_MD;
}

static void corrupt_free(void *args)
{
    struct act_corrupt *a = args;

    fault_patch_free(a->patches);
}

/* ---- the table --------------------------------------------------------- */

#define MEDIUM(rows, fn) .on = FAULT_ON_ALL,                                \
    .schema = { "", "", ENVME_SCHEMA_ROWS(rows) },                          \
    .size = sizeof(struct act_medium), .check = medium_check, .lane0 = fn

const struct fault_action_row fault_actions_medium[] = {
    {
        .name = "medium-error", .init = error_init,
        .help = "The medium of a namespace fails, as a file or disk does: the "
                "status, the error log, SMART's media errors and the LBA "
                "status are what the controller makes of it.",
        MEDIUM(error_rows, medium_lane0), .plain = true,
    },
    {
        .name = "full", .init = full_init,
        .help = "There is no space on the medium: writes end with Capacity "
                "Exceeded.",
        MEDIUM(full_rows, medium_lane0), .plain = true,
    },
    {
        .name = "short", .init = short_init,
        .help = "Only the first bytes of each request reach the medium, or "
                "come from it, and nobody is told: torn and lost writes.",
        MEDIUM(short_rows, medium_lane0), .plain = true,
    },
    {
        .name = "misdirect", .init = moved_init,
        .help = "Blocks are at other places of the medium: misdirected writes "
                "or reads, protection information and all.",
        MEDIUM(moved_rows, medium_lane0),
    },
    {
        .name = "stale", .init = stale_init,
        .help = "From now on blocks read as they are now, metadata and all, "
                "whatever is written to them. The commands that are in flight "
                "end first; the blocks are kept in memory.",
        MEDIUM(stale_rows, stale_lane0),
    },
    {
        .name = "garbage", .init = garbage_init,
        .help = "Blocks that were never written, or deallocated, read as any "
                "bytes, always the same ones, instead of zeroes. For media "
                "that know which blocks these are.",
        MEDIUM(garbage_rows, medium_lane0), .plain = true,
    },
    {
        .name = "cache-lies", .init = lies_init,
        .help = "A flush ends at once and does nothing, and FUA means "
                "nothing: what was promised is gone when the power is.",
        MEDIUM(lies_rows, medium_lane0), .plain = true,
    },
    {
        .name = "corrupt", .on = FAULT_ON_ALL, .init = corrupt_init,
        .help = "Blocks change on the medium itself, once: whoever reads them "
                "sees it, until they are written. The commands that are in "
                "flight end first.",
        .schema = { "corrupt", "", ENVME_SCHEMA_ROWS(corrupt_rows) },
        .size = sizeof(struct act_corrupt), .check = corrupt_check,
        .free = corrupt_free, .lane0 = corrupt_lane0,
    },
    { 0 },
};
