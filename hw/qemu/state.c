/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include "qapi/error.h"
#include "qemu/error-report.h"
#include "system/system.h"

#include "hw/admin/admin.h"
#include "hw/ns/roster.h"
#include "hw/qemu/state.h"

/* The thread that writes. */
static void qstate_say(void *opaque, const char *text)
{
    (void)opaque;
    warn_report("envme: %s", text);
}

static void qstate_exit(Notifier *n, void *data)
{
    struct envme_qstate *q = container_of(n, struct envme_qstate, exit);

    (void)data;
    for (unsigned i = 0; i < ENVME_MAX_CTRLS; i++) {
        if (q->subsys->ctrl[i].ops) {
            envme_admin_keep_sample(q->subsys->ctrl[i].ctrl, true);
        }
    }
    envme_state_sync(q->subsys->state);
}

static void qstate_ready(Notifier *n, void *data)
{
    struct envme_qstate *q = container_of(n, struct envme_qstate, ready);
    g_autofree char *err = envme_roster_missing(q->subsys);

    (void)data;
    if (err) {
        error_report("envme: %s", err);
        exit(1);
    }
}

bool envme_qstate_open(struct envme_qstate *q, struct envme_subsys *subsys,
                       Error **errp)
{
    const struct envme_state_opts opts = { .say = qstate_say };
    g_autofree char *err = NULL;

    if (!q->path) {
        return true;
    }
    subsys->state = envme_state_open(q->path, subsys->nqn, &opts, &err);
    if (!subsys->state) {
        error_setg(errp, "%s", err);
        return false;
    }
    if (!envme_roster_open(subsys, &err)) {
        error_setg(errp, "%s", err);
        envme_state_close(subsys->state);
        subsys->state = NULL;
        return false;
    }
    q->subsys = subsys;
    q->ready.notify = qstate_ready;
    /* What is plugged later brings its namespaces when it comes. */
    if (!phase_check(PHASE_MACHINE_READY)) {
        qemu_add_machine_init_done_notifier(&q->ready);
    }
    q->exit.notify = qstate_exit;
    qemu_add_exit_notifier(&q->exit);
    return true;
}

void envme_qstate_close(struct envme_qstate *q)
{
    if (!q->subsys) {
        return;
    }
    qemu_remove_exit_notifier(&q->exit);
    if (q->ready.node.le_prev) {
        qemu_remove_machine_init_done_notifier(&q->ready);
    }
    envme_state_close(q->subsys->state);
    q->subsys->state = NULL;
    q->subsys = NULL;
}
