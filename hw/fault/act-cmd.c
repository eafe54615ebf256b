/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Actions on a command and its completion. */
#include "hw/fault/rules.h"

#define ON_CMD FAULT_BIT(FAULT_ON_COMMAND)

/* ---- status ------------------------------------------------------------ */

struct act_status {
    uint64_t code, crd;
    bool dnr, more, late, has_dnr, has_code;
};

static const struct envme_schema_row status_rows[] = {
    { "code", ENVME_SCHEMA_UINT, offsetof(struct act_status, code),
      offsetof(struct act_status, has_code), .max = 0x7ff,
      .lookup = fault_name_status,
      .help = "a name (write-fault, cmd-interrupted ...) or SCT * 100h + SC" },
    { "dnr", ENVME_SCHEMA_BOOL, offsetof(struct act_status, dnr),
      offsetof(struct act_status, has_dnr),
      .help = "Do Not Retry; if not given, as the status has it" },
    { "more", ENVME_SCHEMA_BOOL, offsetof(struct act_status, more),
      .help = "the More bit (errors have it anyway)" },
    { "crd", ENVME_SCHEMA_UINT, offsetof(struct act_status, crd), .max = 3,
      .help = "Command Retry Delay: 1 to 3" },
    { "late", ENVME_SCHEMA_BOOL, offsetof(struct act_status, late),
      .help = "true: the command is carried out first" },
};

static bool status_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                         void *args)
{
    const struct act_status *a = args;

    (void)f;
    return a->has_code || envme_schema_fail(ctx, "\"code\" is missing");
}

static struct envme_status status_of(const struct act_status *a)
{
    bool dnr = a->has_dnr ? a->dnr
               : a->code && !a->crd &&
                 envme_status_retry(a->code) == ENVME_RETRY_1;

    return (struct envme_status){
        a->code | FIELD_SET(ENVME_SF_CRD, a->crd) |
        (a->more ? ENVME_SF_M : 0) | (dnr ? ENVME_SF_DNR : 0),
    };
}

static bool status_pre(const void *args, struct fault_fired *fired,
                       struct envme_cmd *cmd, struct envme_status *st)
{
    const struct act_status *a = args;

    (void)fired;
    (void)cmd;
    *st = status_of(a);
    return a->late;
}

static struct envme_status status_post(const void *args,
                                       struct envme_cmd *cmd,
                                       struct envme_status st)
{
    const struct act_status *a = args;

    (void)cmd;
    if (envme_st_code(st) != a->code || a->has_dnr || a->crd || a->more) {
        return status_of(a);
    }
    /* With what the controller makes of it: DNR, CRD as the host wants it. */
    return st;
}

/* ---- skip -------------------------------------------------------------- */

static bool skip_pre(const void *args, struct fault_fired *fired,
                     struct envme_cmd *cmd, struct envme_status *st)
{
    (void)args;
    (void)fired;
    (void)cmd;
    *st = ENVME_ST(SUCCESS);
    return false;
}

/* ---- delay ------------------------------------------------------------- */

struct act_delay {
    uint64_t time, jitter;
};

static const struct envme_schema_row delay_rows[] = {
    { "for", ENVME_SCHEMA_TIME, offsetof(struct act_delay, time),
      .help = "so long; \"forever\": until the host aborts it, deletes its "
              "queue or resets the controller; of doorbells and interrupts: "
              "never" },
    { "jitter", ENVME_SCHEMA_TIME, offsetof(struct act_delay, jitter),
      .max = UINT64_C(3600000000000), .help = "and up to so much more" },
};

/* Its completion waits as those of the service-time model do: nothing else
 * waits for it. */
static struct envme_status delay_post(const void *args, struct envme_cmd *cmd,
                                      struct envme_status st)
{
    const struct act_delay *a = args;
    uint64_t now = envme_now(cmd->ctrl), end;
    uint64_t rng = now ^ le16_get(cmd->sqe.cid);
    uint64_t more = now + (a->jitter ? envme_rng_below(&rng, a->jitter) : 0);

    end = a->time >= UINT64_MAX - more ? UINT64_MAX - 1 : a->time + more;
    cmd->t_end = ENVME_MAX(cmd->t_end, end);
    return st;
}

static void delay_change(const void *args, const struct fault_event *ev,
                         struct fault_change *c)
{
    const struct act_delay *a = args;
    uint64_t rng = envme_now(ev->ctrl) ^ ev->value;
    uint64_t more = a->jitter ? envme_rng_below(&rng, a->jitter) : 0;

    c->delay = fault_after(a->time, more);
}

/* ---- completion -------------------------------------------------------- */

enum { CPL_LOST, CPL_TWICE, CPL_TORN, CPL_INVERTED };

struct act_cqe {
    uint64_t how, cid, cid_xor, sqid, sqhd, dw0, dw1;
    bool has_how, has_cid, has_sqid, has_sqhd, has_dw0, has_dw1;
};

static const struct envme_schema_name cqe_hows[] = {
    { "lost", CPL_LOST }, { "twice", CPL_TWICE }, { "torn", CPL_TORN },
    { "wrong-phase", CPL_INVERTED }, { NULL, 0 },
};

#define CQE_AT(f) offsetof(struct act_cqe, f), offsetof(struct act_cqe, has_##f)

static const struct envme_schema_row cqe_rows[] = {
    { "how", ENVME_SCHEMA_UINT, CQE_AT(how), .max = CPL_INVERTED,
      .names = cqe_hows,
      .help = "never posted; posted two times; only its second half; with the "
              "phase tag inverted" },
    { "cid", ENVME_SCHEMA_UINT, CQE_AT(cid), .max = 0xffff,
      .help = "another command identifier" },
    { "cid-xor", ENVME_SCHEMA_UINT, offsetof(struct act_cqe, cid_xor),
      .max = 0xffff, .help = "bits of the command identifier to be inverted" },
    { "sqid", ENVME_SCHEMA_UINT, CQE_AT(sqid), .max = 0xffff,
      .help = "another submission queue identifier" },
    { "sqhd", ENVME_SCHEMA_UINT, CQE_AT(sqhd), .max = 0xffff,
      .help = "another submission queue head" },
    { "dw0", ENVME_SCHEMA_UINT, CQE_AT(dw0), .max = UINT32_MAX,
      .help = "another DW0" },
    { "dw1", ENVME_SCHEMA_UINT, CQE_AT(dw1), .max = UINT32_MAX,
      .help = "another DW1" },
};

static bool cqe_may_post(const void *args, struct envme_cmd *cmd)
{
    const struct act_cqe *a = args;

    (void)cmd;
    return !(a->has_how && a->how == CPL_LOST);
}

static enum envme_cqe_how cqe_change(const void *args, struct envme_cmd *cmd,
                                     struct envme_cqe *cqe)
{
    const struct act_cqe *a = args;

    (void)cmd;
    if (a->has_cid) {
        cqe->cid = le16(a->cid);
    }
    cqe->cid = le16(le16_get(cqe->cid) ^ a->cid_xor);
    if (a->has_sqid) {
        cqe->sqid = le16(a->sqid);
    }
    if (a->has_sqhd) {
        cqe->sqhd = le16(a->sqhd);
    }
    if (a->has_dw0) {
        cqe->dw0 = le32(a->dw0);
    }
    if (a->has_dw1) {
        cqe->dw1 = le32(a->dw1);
    }
    if (!a->has_how) {
        return ENVME_CQE_POST;
    }
    if (a->how == CPL_INVERTED) {
        cqe->sf = le16(le16_get(cqe->sf) ^ 1);
    }
    return a->how == CPL_TWICE ? ENVME_CQE_TWICE
           : a->how == CPL_TORN ? ENVME_CQE_TORN : ENVME_CQE_POST;
}

/* ---- the table --------------------------------------------------------- */

const struct fault_action_row fault_actions_cmd[] = {
    {
        .name = "status", .on = ON_CMD, .scalar = "code",
        .help = "The command ends with this status, and is not carried out.",
        .schema = { "status", "", ENVME_SCHEMA_ROWS(status_rows) },
        .size = sizeof(struct act_status), .check = status_check,
        .pre = status_pre, .post = status_post,
    },
    {
        .name = "skip", .on = ON_CMD,
        .help = "The command succeeds without having been carried out: a lost "
                "write, a flush that lies, data that were never transferred.",
        .pre = skip_pre,
    },
    {
        .name = "delay", .scalar = "for",
        .on = ON_CMD | FAULT_BIT(FAULT_ON_DOORBELL) |
              FAULT_BIT(FAULT_ON_INTERRUPT),
        .help = "The completion, the doorbell write or the interrupt comes so "
                "much later. Others do not wait for it: different delays "
                "change the order. A doorbell write that a later one has "
                "overtaken is lost.",
        .schema = { "delay", "", ENVME_SCHEMA_ROWS(delay_rows) },
        .size = sizeof(struct act_delay), .post = delay_post,
        .change = delay_change,
    },
    {
        .name = "completion", .on = ON_CMD, .scalar = "how",
        .help = "What becomes of the completion queue entry.",
        .schema = { "completion", "", ENVME_SCHEMA_ROWS(cqe_rows) },
        .size = sizeof(struct act_cqe), .may_post = cqe_may_post,
        .cqe = cqe_change,
    },
    { 0 },
};
