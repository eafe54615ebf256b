/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which commands may not go at the same time: NVM 1.1, 2.1.4 (atomicity) and
 * 3.2 (fused Compare and Write); and Write Uncorrectable.
 *
 * As long as nobody asks for more than the backend gives, a write only counts
 * itself (ns->loose). The first command that wants others kept out sets
 * ns->serial, waits until the writes that began before are over, and from then
 * on every write has an entry in ns->ranges; reads have one where atomicity is
 * configured. Whoever waits holds no host memory.
 */
#include "envme/feat.h"
#include "hw/ctrl/feature.h"
#include "hw/ctrl/keep.h"
#include "hw/iocs/nvm/nvm.h"

/* ---- waking ------------------------------------------------------------ */

static struct envme_cmd *serial_cmd(struct envme_rangelock_entry *e)
{
    return (struct envme_cmd *)((char *)e - offsetof(struct envme_cmd, range));
}

static void serial_resume(void *arg)
{
    envme_cmd_entered(arg);
}

static void serial_wake(struct envme_rangelock_entry *e)
{
    while (e) {
        struct envme_cmd *cmd = serial_cmd(e);

        /* It may be gone as soon as it runs. */
        e = e->go_next;
        envme_defer(cmd->ctrl, cmd->lane->index, serial_resume, cmd);
    }
}

/* With the lock held: of those who may go by their range, the ones who needn't
 * wait for loose writes either. */
static struct envme_rangelock_entry *
serial_settle(struct envme_ns *ns, struct envme_rangelock_entry *go)
{
    struct envme_rangelock_entry **end = &ns->settling;

    while (*end) {
        end = &(*end)->go_next;
    }
    *end = go;
    if (atomic_load(&ns->loose)) {
        return NULL;
    }
    go = ns->settling;
    ns->settling = NULL;
    return go;
}

/* With the lock held: it does not wait for loose writes any more. */
static bool serial_unsettle(struct envme_ns *ns,
                            struct envme_rangelock_entry *e)
{
    struct envme_rangelock_entry **p = &ns->settling;

    while (*p && *p != e) {
        p = &(*p)->go_next;
    }
    if (!*p) {
        return false;
    }
    *p = e->go_next;
    return true;
}

static void serial_loose_end(struct envme_ns *ns)
{
    struct envme_rangelock_entry *go;

    if (atomic_fetch_sub(&ns->loose, 1) > 1 || !atomic_load(&ns->serial)) {
        return;
    }
    g_mutex_lock(&ns->lock);
    go = serial_settle(ns, NULL);
    g_mutex_unlock(&ns->lock);
    serial_wake(go);
}

/* ---- leaving ----------------------------------------------------------- */

static void serial_leave(struct envme_cmd *cmd)
{
    struct envme_ns *ns = cmd->range_ns;
    struct envme_rangelock_entry *go;

    if (!cmd->range.queued) {
        serial_loose_end(ns);
        return;
    }
    g_mutex_lock(&ns->lock);
    go = serial_settle(ns, envme_rangelock_leave(&ns->ranges, &cmd->range));
    g_mutex_unlock(&ns->lock);
    serial_wake(go);
}

static void serial_over(struct envme_cmd *cmd, struct envme_status st)
{
    (void)st;
    serial_leave(cmd);
}

/* What the Compare has had to itself, the Write has. */
static void serial_over_fused(struct envme_cmd *cmd, struct envme_status st)
{
    struct envme_cmd *second = cmd->partner;
    struct envme_ns *ns = cmd->range_ns;

    if (envme_st_err(st) || !second) {
        serial_leave(cmd);
        return;
    }
    g_mutex_lock(&ns->lock);
    envme_rangelock_hand_over(&ns->ranges, &cmd->range, &second->range);
    g_mutex_unlock(&ns->lock);
    second->range_ns = ns;
    second->over = serial_over;
}

/* ---- entering ---------------------------------------------------------- */

/* It is to end although it waits: then nobody wakes it but this. */
static void serial_unwait(struct envme_cmd *cmd)
{
    struct envme_ns *ns = cmd->range_ns;
    struct envme_rangelock_entry *go = NULL;
    bool waits;

    g_mutex_lock(&ns->lock);
    waits = cmd->range.blockers;
    waits |= serial_unsettle(ns, &cmd->range);
    if (waits) {
        go = serial_settle(ns, envme_rangelock_leave(&ns->ranges,
                                                     &cmd->range));
    }
    g_mutex_unlock(&ns->lock);
    cmd->unwait = NULL;
    if (waits) {
        cmd->over = NULL;
        serial_wake(go);
        envme_defer(cmd->ctrl, cmd->lane->index, serial_resume, cmd);
    }
}

/* Does anybody count on more than a block at a time? */
static bool serial_configured(const struct envme_cmd *cmd)
{
    return cmd->ctrl->params.awun || cmd->ns->params.nawun;
}

/* With DN only what AWUPF says is kept, which is the backend's business. */
static bool serial_disabled(const struct envme_cmd *cmd)
{
    return FIELD_GET(ENVME_FEAT_WAN_DN,
                     envme_feature_value(cmd->ctrl, ENVME_FID_WRITE_ATOMIC,
                                         NULL));
}

static bool serial_atomic(const struct envme_cmd *cmd)
{
    return serial_configured(cmd) &&
           (atomic_load(&cmd->ns->serial) || !serial_disabled(cmd));
}

static struct envme_status serial_queue(struct envme_cmd *cmd)
{
    struct envme_ns *ns = cmd->ns;
    bool go;

    atomic_store(&ns->serial, true);
    g_mutex_lock(&ns->lock);
    go = envme_rangelock_enter(&ns->ranges, &cmd->range);
    if (go && atomic_load(&ns->loose)) {
        cmd->range.go_next = ns->settling;
        ns->settling = &cmd->range;
        go = false;
    }
    if (!go) {
        cmd->unwait = serial_unwait;
    }
    g_mutex_unlock(&ns->lock);
    return go ? ENVME_ST(SUCCESS) : ENVME_ST_PENDING;
}

static void serial_set(struct envme_cmd *cmd, uint64_t slba, uint64_t nlb,
                       bool shared,
                       void (*over)(struct envme_cmd *, struct envme_status))
{
    cmd->range = (struct envme_rangelock_entry){
        .start = slba, .end = slba + nlb, .shared = shared,
    };
    cmd->range_ns = cmd->ns;
    cmd->over = over;
}

static struct envme_status serial_write(struct envme_cmd *cmd)
{
    struct envme_ns *ns = cmd->ns;

    if (!atomic_load(&ns->serial) && !serial_atomic(cmd)) {
        atomic_fetch_add(&ns->loose, 1);
        if (!atomic_load(&ns->serial)) {
            return ENVME_ST(SUCCESS);
        }
        serial_loose_end(ns);
    }
    return serial_queue(cmd);
}

struct envme_status envme_nvm_enter(struct envme_cmd *cmd, uint64_t slba,
                                    uint64_t nlb)
{
    serial_set(cmd, slba, nlb, false, serial_over);
    return serial_write(cmd);
}

struct envme_status envme_nvm_enter_write(struct envme_cmd *cmd)
{
    return envme_nvm_enter(cmd, envme_nvm_slba(cmd), envme_nvm_nlb(cmd));
}

struct envme_status envme_nvm_enter_read(struct envme_cmd *cmd)
{
    if (!serial_atomic(cmd)) {
        return ENVME_ST(SUCCESS);
    }
    serial_set(cmd, envme_nvm_slba(cmd), envme_nvm_nlb(cmd), true,
               serial_over);
    return serial_queue(cmd);
}

struct envme_status envme_nvm_enter_compare(struct envme_cmd *cmd)
{
    if (!cmd->partner) {
        return envme_nvm_enter_read(cmd);
    }
    serial_set(cmd, envme_nvm_slba(cmd), envme_nvm_nlb(cmd), false,
               serial_over_fused);
    return serial_queue(cmd);
}

/* A fused pair: the same blocks, and no more than are atomic (ACWU). */
struct envme_status envme_nvm_check_fused(struct envme_cmd *cmd)
{
    const struct envme_cmd *second = cmd->partner;

    if (!second) {
        return ENVME_ST(SUCCESS);
    }
    if (second->sqe.opc != ENVME_NVM_WRITE ||
        envme_cmd_nsid(second) != envme_cmd_nsid(cmd)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, flags));
    }
    if (envme_nvm_slba(second) != envme_nvm_slba(cmd) ||
        envme_nvm_nlb(second) != envme_nvm_nlb(cmd)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw10));
    }
    if (envme_nvm_nlb(cmd) > ENVME_MAX(cmd->ctrl->params.awun,
                                       cmd->ns->params.nawun) + 1u) {
        return envme_cmd_fail(cmd, ENVME_ST(AWU_EXCEEDED),
                              offsetof(struct envme_sqe, cdw12));
    }
    return ENVME_ST(SUCCESS);
}

/* ---- Write Uncorrectable: NVM 1.1, 3.3.7 ------------------------------- */

struct envme_status envme_nvm_uncor_len(struct envme_cmd *cmd, uint64_t *len)
{
    *len = 0;
    return envme_nvm_check_range(cmd, true);
}

struct envme_status envme_nvm_write_uncor(struct envme_cmd *cmd)
{
    if (!envme_ns_set_bad(cmd->ns, envme_nvm_slba(cmd), envme_nvm_nlb(cmd))) {
        return ENVME_ST(INTERNAL);
    }
    envme_cmd_lost(cmd, cmd->ns);
    return envme_cmd_keep(cmd, ENVME_ST(SUCCESS));
}
