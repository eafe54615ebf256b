/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actions on what a command carries: its entry, data and metadata. */
#include <string.h>

#include "hw/fault/patch.h"

#define ON_CMD FAULT_BIT(FAULT_ON_COMMAND)
/* A write whose data are changed is copied first; longer ones are left. */
#define DATA_MAX (64u << 20)

/* ---- sqe --------------------------------------------------------------- */

struct act_sqe {
    GArray *patches;
};

static const struct envme_schema_row sqe_rows[] = {
    { "patch", ENVME_SCHEMA_CUSTOM, offsetof(struct act_sqe, patches),
      .read = fault_patch_read, .sub = &fault_patch_schema,
      .help = "one or a list; see the patch object" },
};

static uint8_t *sqe_byte(void *arg, uint64_t off)
{
    return off < sizeof(struct envme_sqe) ? (uint8_t *)arg + off : NULL;
}

static void sqe_fetched(const void *args, struct envme_cmd *cmd)
{
    const struct act_sqe *a = args;
    le16_t cid = cmd->sqe.cid;

    fault_patch_apply(a->patches, sqe_byte, &cmd->sqe);
    /* What the completion says of it is another action's. */
    cmd->sqe.cid = cid;
}

static void sqe_free(void *args)
{
    struct act_sqe *a = args;

    fault_patch_free(a->patches);
}

/* ---- data, metadata ---------------------------------------------------- */

struct act_data {
    GArray *patches;
    uint64_t flips, from, seed;
    bool zero, has_from;
};

static const struct envme_schema_row data_rows[] = {
    { "patch", ENVME_SCHEMA_CUSTOM, offsetof(struct act_data, patches),
      .read = fault_patch_read, .sub = &fault_patch_schema,
      .help = "one or a list of objects with offset, and hex or (as and) value "
              "or xor; offsets count from the begin of the structure that is "
              "read, whatever piece of it" },
    { "flip", ENVME_SCHEMA_UINT, offsetof(struct act_data, flips),
      .max = 1 << 20, .help = "so many bits, at random" },
    { "zero", ENVME_SCHEMA_BOOL, offsetof(struct act_data, zero),
      .help = "all zeroes" },
    { "keep", ENVME_SCHEMA_BYTES, offsetof(struct act_data, from),
      offsetof(struct act_data, has_from),
      .help = "only the first so many bytes are right: the rest of what is "
              "read are zeroes, the rest of what is written is inverted" },
    { "seed", ENVME_SCHEMA_UINT, offsetof(struct act_data, seed),
      .help = "of flip" },
};

struct data_at {
    const struct envme_xfer *x;
    uint64_t base;              /* what offset 0 of the transfer is */
};

static uint8_t *data_byte(void *arg, uint64_t off)
{
    const struct data_at *d = arg;

    if (off < d->base) {
        return NULL;
    }
    off -= d->base;
    for (unsigned i = 0; i < d->x->niov; i++) {
        if (off < d->x->iov[i].iov_len) {
            return (uint8_t *)d->x->iov[i].iov_base + off;
        }
        off -= d->x->iov[i].iov_len;
    }
    return NULL;
}

static void data_spoil(const struct act_data *a, const struct envme_xfer *x,
                       uint64_t base, uint64_t salt)
{
    struct data_at at = { x, base };
    uint64_t rng = a->seed ^ salt, done = 0;

    for (unsigned i = 0; i < x->niov; i++) {
        uint8_t *p = x->iov[i].iov_base;
        size_t n = x->iov[i].iov_len;

        if (a->zero) {
            memset(p, 0, n);
        } else if (a->has_from && done + n > a->from) {
            size_t k = done < a->from ? a->from - done : 0;

            for (; k < n; k++) {
                p[k] = x->to_host ? 0 : ~p[k];
            }
        }
        done += n;
    }
    for (uint64_t i = 0; i < a->flips && x->bytes; i++) {
        uint64_t bit = envme_rng_below(&rng, x->bytes * 8);
        uint8_t *b = data_byte(&at, base + bit / 8);

        if (b) {
            *b ^= 1u << bit % 8;
        }
    }
    fault_patch_apply(a->patches, data_byte, &at);
}

/* Log pages are read in pieces: CDW12 and 13 say which. Base 2.1, 5.1.12. */
static uint64_t data_base(const struct envme_cmd *cmd)
{
    if (!cmd->is_admin || cmd->sqe.opc != ENVME_ADM_GET_LOG) {
        return 0;
    }
    return le32_get(cmd->sqe.cdw12) |
           (uint64_t)le32_get(cmd->sqe.cdw13) << 32;
}

/* What the host writes is copied, because its memory must not change. */
struct data_copy {
    struct iovec *iov, one;
    unsigned niov;
    void *mem;
};

static bool data_swap(struct fault_fired *fired, struct envme_xfer *x)
{
    struct data_copy *c;
    char *p;

    if (!x->bytes || x->bytes > DATA_MAX || !(p = g_try_malloc(x->bytes))) {
        return false;
    }
    c = g_new0(struct data_copy, 1);
    c->iov = x->iov;
    c->niov = x->niov;
    c->mem = p;
    for (unsigned i = 0; i < x->niov; i++) {
        memcpy(p, x->iov[i].iov_base, x->iov[i].iov_len);
        p += x->iov[i].iov_len;
    }
    c->one = (struct iovec){ c->mem, x->bytes };
    x->iov = &c->one;
    x->niov = 1;
    fired->mem = c;
    return true;
}

static void data_swap_back(struct fault_fired *fired, struct envme_xfer *x)
{
    struct data_copy *c = fired->mem;

    if (c) {
        x->iov = c->iov;
        x->niov = c->niov;
        g_free(c->mem);
        g_free(c);
        fired->mem = NULL;
    }
}

/* Has an action of the same kind before this one made a copy? */
static bool data_is_copy(const struct fault_fired *fired,
                         const struct envme_cmd *cmd)
{
    const struct fault_cmd *fc = cmd->fault;

    for (const struct fault_fired *it = fc->fired; it < fired; it++) {
        if (it->action->row->pre == fired->action->row->pre && it->mem) {
            return true;
        }
    }
    return false;
}

static bool data_before(const struct act_data *a, struct fault_fired *fired,
                        struct envme_cmd *cmd, struct envme_xfer *x)
{
    if (!x->to_host && (data_is_copy(fired, cmd) || data_swap(fired, x))) {
        data_spoil(a, x, 0, le16_get(cmd->sqe.cid));
    }
    return true;
}

static void data_after(const struct act_data *a, struct fault_fired *fired,
                       struct envme_cmd *cmd, struct envme_xfer *x,
                       struct envme_status st)
{
    if (!x->to_host) {
        data_swap_back(fired, x);
    } else if (!envme_st_err(st)) {
        data_spoil(a, x, data_base(cmd), le16_get(cmd->sqe.cid));
    }
}

static bool data_pre(const void *args, struct fault_fired *fired,
                     struct envme_cmd *cmd, struct envme_status *st)
{
    (void)st;
    return data_before(args, fired, cmd, &cmd->data);
}

static void data_ended(const void *args, struct fault_fired *fired,
                       struct envme_cmd *cmd, struct envme_status st)
{
    data_after(args, fired, cmd, &cmd->data, st);
}

static bool md_pre(const void *args, struct fault_fired *fired,
                   struct envme_cmd *cmd, struct envme_status *st)
{
    (void)st;
    return data_before(args, fired, cmd, &cmd->md);
}

static void md_ended(const void *args, struct fault_fired *fired,
                     struct envme_cmd *cmd, struct envme_status st)
{
    data_after(args, fired, cmd, &cmd->md, st);
}

static void data_free(void *args)
{
    struct act_data *a = args;

    fault_patch_free(a->patches);
}

/* ---- the table --------------------------------------------------------- */

const struct fault_action_row fault_actions_data[] = {
    {
        .name = "sqe", .on = ON_CMD, .scalar = NULL,
        .help = "The command that the controller carries out is another than "
                "the one which the host sent: misdirected, shorter, without "
                "FUA.",
        .schema = { "sqe", "", ENVME_SCHEMA_ROWS(sqe_rows) },
        .size = sizeof(struct act_sqe), .free = sqe_free,
        .fetched = sqe_fetched,
    },
    {
        .name = "data", .on = ON_CMD,
        .help = "What is transferred is spoilt, on its way to the host or to "
                "the medium: blocks, Identify structures, log pages, features. "
                "Writes longer than 64 MiB are left alone.",
        .schema = { "data", "", ENVME_SCHEMA_ROWS(data_rows) },
        .size = sizeof(struct act_data), .free = data_free, .pre = data_pre,
        .ended = data_ended,
    },
    {
        .name = "metadata", .on = ON_CMD,
        .help = "The same for separate metadata: guard, tags.",
        .schema = { "metadata", "", ENVME_SCHEMA_ROWS(data_rows) },
        .size = sizeof(struct act_data), .free = data_free, .pre = md_pre,
        .ended = md_ended,
    },
    { 0 },
};
