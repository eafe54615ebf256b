/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions on the bus: the link, an unresponsive function, Bus Master, errors of
 * PCI Express, and transfers to and from host memory. What becomes of the
 * function is the world's affair (struct envme_fault_world); how long it lasts
 * is kept here. Lane 0, but for dma.
 */
#include "hw/fault/engine.h"

#define BUS_FOREVER UINT64_MAX

/* ---- what is wrong, and until when ------------------------------------- */

static void bus_tell(struct envme_faults *f)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < FAULT_NBUS; i++) {
        wrong |= f->bus.until[i] ? f->bus.bits[i] : 0;
    }
    f->world.bus(f->world.opaque, wrong);
}

static void bus_set(struct envme_faults *f, enum fault_bus_what what,
                    unsigned bits, uint64_t time)
{
    f->bus.until[what] = bits ? fault_after(envme_now(f->ctrl), time) : 0;
    f->bus.bits[what] = bits;
    bus_tell(f);
    fault_rearm(f);
}

uint64_t fault_bus_tick(struct envme_faults *f, uint64_t now)
{
    uint64_t next = BUS_FOREVER;
    bool over = false;

    for (unsigned i = 0; i < FAULT_NBUS; i++) {
        uint64_t *until = &f->bus.until[i];

        if (*until && *until != BUS_FOREVER && *until <= now) {
            *until = 0;
            over = true;
        }
        next = *until ? ENVME_MIN(next, *until) : next;
    }
    if (over) {
        bus_tell(f);
    }
    return next;
}

void fault_bus_clear(struct envme_faults *f)
{
    bool any = false;

    for (unsigned i = 0; i < FAULT_NBUS; i++) {
        any |= f->bus.until[i] != 0;
        f->bus.until[i] = 0;
    }
    if (any) {
        bus_tell(f);
    }
}

/* ---- link, hang, bus-master -------------------------------------------- */

struct act_bus {
    uint64_t state, time;
    bool presence;
};

static void bus_init(void *args)
{
    struct act_bus *a = args;

    a->time = BUS_FOREVER;
}

#define BUS_FOR { "for", ENVME_SCHEMA_TIME, offsetof(struct act_bus, time), \
      .min = 1, .help = "so long; for ever, if not given: until other rules " \
      "are loaded, or all are switched off" }

static const struct envme_schema_name link_names[] = {
    { "down", ENVME_BUS_LINK }, { "up", 0 }, { NULL, 0 },
};

static const struct envme_schema_row link_rows[] = {
    { "state", ENVME_SCHEMA_UINT, offsetof(struct act_bus, state), .max = 1,
      .names = link_names, .help = "what it is from now on" },
    BUS_FOR,
    { "presence", ENVME_SCHEMA_BOOL, offsetof(struct act_bus, presence),
      .help = "true: the slot still sees a card; if not given, the card has "
      "been pulled out" },
};

static const struct envme_schema_row hang_rows[] = { BUS_FOR };

static const struct envme_schema_name master_names[] = {
    { "off", ENVME_BUS_MASTER }, { "on", 0 }, { NULL, 0 },
};

static const struct envme_schema_row master_rows[] = {
    { "state", ENVME_SCHEMA_UINT, offsetof(struct act_bus, state),
      .max = ENVME_BUS_MASTER, .names = master_names,
      .help = "what it is from now on" },
    BUS_FOR,
};

static bool bus_can(struct envme_schema_ctx *ctx, const struct envme_faults *f,
                    unsigned what, const char *why)
{
    return (f->world.bus && f->world.bus_can & what) ||
           envme_schema_fail(ctx, "%s", why);
}

static void link_init(void *args)
{
    struct act_bus *a = args;

    bus_init(args);
    a->state = ENVME_BUS_LINK;
}

static bool link_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                       void *args)
{
    (void)args;
    return bus_can(ctx, f, ENVME_BUS_LINK,
                   "this controller's link cannot be changed");
}

static void link_lane0(const void *args, struct envme_faults *f)
{
    const struct act_bus *a = args;

    bus_set(f, FAULT_BUS_LINK,
            a->state | (a->state && a->presence ? ENVME_BUS_KEPT : 0), a->time);
}

static bool hang_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                       void *args)
{
    (void)args;
    return bus_can(ctx, f, ENVME_BUS_HANG, "this controller has no function "
                   "that could hang");
}

static void hang_lane0(const void *args, struct envme_faults *f)
{
    const struct act_bus *a = args;

    bus_set(f, FAULT_BUS_HANG, ENVME_BUS_HANG, a->time);
}

static void master_init(void *args)
{
    struct act_bus *a = args;

    bus_init(args);
    a->state = ENVME_BUS_MASTER;
}

static bool master_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                         void *args)
{
    (void)args;
    return bus_can(ctx, f, ENVME_BUS_MASTER, "this controller has no Bus "
                   "Master Enable");
}

static void master_lane0(const void *args, struct envme_faults *f)
{
    const struct act_bus *a = args;

    bus_set(f, FAULT_BUS_MASTER, a->state, a->time);
}

/* ---- pcie-error -------------------------------------------------------- */

/* Bits of the AER status registers: PCI Express Base 6.0, 7.8.4.2 and
 * 7.8.4.5. The upper half of a value says which of the two. */
#define ERROR_COR (UINT64_C(1) << 32)

static const struct envme_schema_name error_names[] = {
    { "receiver-error", ERROR_COR | 1u << 0 },
    { "bad-tlp", ERROR_COR | 1u << 6 },
    { "bad-dllp", ERROR_COR | 1u << 7 },
    { "replay-num-rollover", ERROR_COR | 1u << 8 },
    { "replay-timer-timeout", ERROR_COR | 1u << 12 },
    { "advisory-non-fatal", ERROR_COR | 1u << 13 },
    { "corrected-internal", ERROR_COR | 1u << 14 },
    { "header-log-overflow", ERROR_COR | 1u << 15 },
    { "data-link-protocol", 1u << 4 }, { "surprise-down", 1u << 5 },
    { "poisoned-tlp", 1u << 12 }, { "flow-control", 1u << 13 },
    { "completion-timeout", 1u << 14 }, { "completer-abort", 1u << 15 },
    { "unexpected-completion", 1u << 16 }, { "receiver-overflow", 1u << 17 },
    { "malformed-tlp", 1u << 18 }, { "ecrc", 1u << 19 },
    { "unsupported-request", 1u << 20 }, { "acs-violation", 1u << 21 },
    { "uncorrectable-internal", 1u << 22 },
    { NULL, 0 },
};

struct act_error {
    uint64_t error;
};

static const struct envme_schema_row error_rows[] = {
    { "error", ENVME_SCHEMA_UINT, offsetof(struct act_error, error),
      .max = ERROR_COR | UINT32_MAX, .names = error_names,
      .help = "which; up to header-log-overflow they are correctable, of the "
      "others the host says which are fatal" },
};

static bool error_check(struct envme_schema_ctx *ctx, struct envme_faults *f,
                        void *args)
{
    const struct act_error *a = args;

    if (!f->world.bus_error) {
        return envme_schema_fail(ctx, "this controller does not report errors "
                                 "of PCI Express: it has no AER (aer=), or is "
                                 "on another bus");
    }
    for (unsigned i = 0; error_names[i].name; i++) {
        if (error_names[i].value == a->error) {
            return true;
        }
    }
    return envme_schema_fail(ctx, "\"error\": a name is wanted");
}

static void error_lane0(const void *args, struct envme_faults *f)
{
    const struct act_error *a = args;

    f->world.bus_error(f->world.opaque, a->error & ERROR_COR,
                       (uint32_t)a->error);
}

/* ---- dma --------------------------------------------------------------- */

struct act_dma {
    uint64_t how, slow;
    bool has_how;
};

static const struct envme_schema_name dma_hows[] = {
    { "error", 1 }, { "right", 0 }, { NULL, 0 },
};

static const struct envme_schema_row dma_rows[] = {
    { "how", ENVME_SCHEMA_UINT, offsetof(struct act_dma, how),
      offsetof(struct act_dma, has_how), .max = 1, .names = dma_hows,
      .help = "what becomes of it; error, if neither of the two is given" },
    { "slow", ENVME_SCHEMA_TIME, offsetof(struct act_dma, slow),
      .help = "the command that it is for ends so much later; others do not "
      "wait. Queues are not slow" },
};

static void dma_change(const void *args, const struct fault_event *ev,
                       struct fault_change *c)
{
    const struct act_dma *a = args;

    (void)ev;
    c->lost |= a->has_how ? a->how : !a->slow;
    c->slow += ENVME_MIN(a->slow, UINT64_MAX - c->slow);
}

/* ---- the table --------------------------------------------------------- */

const struct fault_action_row fault_actions_bus[] = {
    {
        .name = "dma", .on = FAULT_BIT(FAULT_ON_DMA), .scalar = "how",
        .help = "A transfer between controller and host memory fails, as by an "
                "IOMMU or an Unsupported Request, or is slow. A command whose "
                "data or lists fail ends with Data Transfer Error, and nothing "
                "of it has been transferred; the memory of a queue: CSTS.CFS.",
        .schema = { "dma", "", ENVME_SCHEMA_ROWS(dma_rows) },
        .size = sizeof(struct act_dma), .change = dma_change, .slows = true,
    },
    {
        .name = "bus-master", .on = FAULT_ON_ALL, .scalar = "state",
        .help = "Off: as if Bus Master Enable were 0, whatever the host has "
                "set. Nothing is fetched, transferred or signalled; what is "
                "under way waits, and goes on when it is on again.",
        .schema = { "bus-master", "", ENVME_SCHEMA_ROWS(master_rows) },
        .size = sizeof(struct act_bus), .init = master_init,
        .check = master_check, .lane0 = master_lane0,
    },
    {
        .name = "link", .on = FAULT_ON_ALL, .scalar = "state",
        .help = "Down: the device is gone from the bus. Configuration space "
                "and registers read as all ones, writes have no effect, "
                "commands in flight are lost, and the port above says so, with "
                "an interrupt if it can be hot-plugged. Up: it is back, as "
                "after power on.",
        .schema = { "link", "", ENVME_SCHEMA_ROWS(link_rows) },
        .size = sizeof(struct act_bus), .init = link_init,
        .check = link_check, .lane0 = link_lane0,
    },
    {
        .name = "hang", .on = FAULT_ON_ALL, .scalar = "for",
        .help = "The function does not answer: configuration space and "
                "registers read as all ones, writes have no effect, nothing is "
                "fetched or transferred. It goes on then where it was. After "
                "a Function Level Reset or D3hot to D0 (states flr and d0): "
                "they do not finish.",
        .schema = { "hang", "", ENVME_SCHEMA_ROWS(hang_rows) },
        .size = sizeof(struct act_bus), .init = bus_init,
        .check = hang_check, .lane0 = hang_lane0,
    },
    {
        .name = "pcie-error", .on = FAULT_ON_ALL, .scalar = "error",
        .help = "The function reports an error of PCI Express: its AER status, "
                "and a message to the root port, as the host has enabled "
                "them.",
        .schema = { "pcie-error", "", ENVME_SCHEMA_ROWS(error_rows) },
        .size = sizeof(struct act_error), .check = error_check,
        .lane0 = error_lane0,
    },
    { 0 },
};
