/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/keep.h"

#include <stdio.h>

void envme_keep_name(char name[ENVME_KEEP_NAME],
                     const struct envme_ctrl *ctrl, const char *what)
{
    snprintf(name, ENVME_KEEP_NAME, "ctrl/%u/%s", ctrl->cntlid, what);
}

/* ---- commands ---------------------------------------------------------- */

struct keep_cmd {
    struct envme_status st;
    int err;
};

/* On the thread where run() ran. */
static void keep_cmd_over(void *arg)
{
    struct envme_cmd *cmd = arg;
    struct keep_cmd *k = ENVME_CMD_STATE(cmd, struct keep_cmd);

    envme_cmd_done(cmd, k->err ? ENVME_ST(INTERNAL) : k->st);
}

/* The state's thread. The command is ours until it is deferred. */
static void keep_cmd_written(void *arg, int err)
{
    struct envme_cmd *cmd = arg;
    struct keep_cmd *k = ENVME_CMD_STATE(cmd, struct keep_cmd);

    k->err = err;
    envme_defer(cmd->ctrl, cmd->moved ? 0 : cmd->lane->index, keep_cmd_over,
                cmd);
}

struct envme_status envme_cmd_keep(struct envme_cmd *cmd,
                                   struct envme_status st)
{
    struct envme_state *state = cmd->ctrl->subsys->state;

    if (!state) {
        return st;
    }
    *ENVME_CMD_STATE(cmd, struct keep_cmd) = (struct keep_cmd){ .st = st };
    envme_state_flush(state, keep_cmd_written, cmd);
    return ENVME_ST_PENDING;
}

void envme_cmd_keep_done(struct envme_cmd *cmd, struct envme_status st)
{
    if (cmd->ctrl->subsys->state) {
        envme_cmd_keep(cmd, st);
    } else {
        envme_cmd_done(cmd, st);
    }
}

/* ---- others ------------------------------------------------------------ */

struct keep_flush {
    struct envme_ctrl *ctrl;
    void (*fn)(void *arg, int err);
    void *arg;
    int err;
};

static void keep_flush_over(void *arg)
{
    struct keep_flush *k = arg;

    k->fn(k->arg, k->err);
    g_free(k);
}

static void keep_flush_written(void *arg, int err)
{
    struct keep_flush *k = arg;

    k->err = err;
    envme_defer(k->ctrl, 0, keep_flush_over, k);
}

void envme_keep_flush(struct envme_ctrl *ctrl,
                      void (*fn)(void *arg, int err), void *arg)
{
    struct keep_flush *k = g_new(struct keep_flush, 1);

    *k = (struct keep_flush){ .ctrl = ctrl, .fn = fn, .arg = arg };
    envme_state_flush(ctrl->subsys->state, keep_flush_written, k);
}
