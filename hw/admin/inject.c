/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults from inside the guest: the OCP Error Injection feature, and Fault
 * Injection Send and Receive, which are this controller's own. What they do is
 * whoever's who set ctrl->inject. docs/faults.md.
 */
#include <string.h>

#include "envme/ocp.h"
#include "hw/admin/admin.h"

/* Rules, or a piece of the report: more than anybody needs at once. */
#define INJECT_MAX (1u << 20)

bool envme_inject_there(const struct envme_ctrl *ctrl)
{
    return ctrl->params.fault_injection && ctrl->inject.opaque;
}

/* ---- feature C0h ------------------------------------------------------- */

uint16_t envme_feat_len_inject(const struct envme_cmd *cmd)
{
    if (cmd->sqe.opc == ENVME_ADM_GET_FEATURES) {
        return ENVME_OCP_ERRORS * sizeof(struct envme_ocp_error);
    }
    return FIELD_GET(ENVME_OCP_ERROR_NUME, envme_cmd_cdw(cmd, 11)) *
           sizeof(struct envme_ocp_error);
}

struct envme_status envme_feat_set_inject(struct envme_cmd *cmd,
                                          struct envme_ns *ns,
                                          uint32_t *value, const void *data,
                                          uint32_t *dw0)
{
    const struct envme_inject *in = &cmd->ctrl->inject;
    unsigned bad;

    (void)ns;
    (void)dw0;
    if (*value & ~ENVME_OCP_ERROR_NUME) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, cdw11));
    }
    if (!in->set_errors(in->opaque, data, *value, &bad)) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                              offsetof(struct envme_sqe, dptr));
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_feat_get_inject(struct envme_cmd *cmd,
                                          struct envme_ns *ns, uint32_t *dw0,
                                          void *data)
{
    const struct envme_inject *in = &cmd->ctrl->inject;

    (void)ns;
    *dw0 = in->get_errors(in->opaque, data);
    return ENVME_ST(SUCCESS);
}

/* ---- Fault Injection Send, Receive ------------------------------------- */

struct envme_status envme_admin_fault_len(struct envme_cmd *cmd, uint64_t *len)
{
    *len = (uint64_t)envme_cmd_cdw(cmd, 10) * 4;
    return *len <= INJECT_MAX ? ENVME_ST(SUCCESS)
                              : envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                                               offsetof(struct envme_sqe,
                                                        cdw10));
}

static struct envme_status inject_bad_op(struct envme_cmd *cmd)
{
    return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                          offsetof(struct envme_sqe, cdw12));
}

/* The text that the host sent, up to its first NUL. NULL: no memory. */
static char *inject_text(struct envme_cmd *cmd)
{
    size_t len = cmd->data.bytes;
    char *text = g_try_malloc(len + 1);

    if (text) {
        text[envme_cmd_from_host(cmd, 0, text, len)] = 0;
    }
    return text;
}

struct envme_status envme_admin_fault_send(struct envme_cmd *cmd)
{
    const struct envme_inject *in = &cmd->ctrl->inject;
    unsigned op = FIELD_GET(ENVME_FAULT_OP, envme_cmd_cdw(cmd, 12));
    bool ok = true;
    char *text;

    if (op > ENVME_FAULT_DEACTIVATE) {
        return inject_bad_op(cmd);
    }
    if (op >= ENVME_FAULT_ACTIVATE) {
        in->activate(in->opaque, op == ENVME_FAULT_ACTIVATE);
        return ENVME_ST(SUCCESS);
    }
    text = inject_text(cmd);
    if (!text) {
        return ENVME_ST(INTERNAL);
    }
    if (op == ENVME_FAULT_LOAD) {
        ok = in->load(in->opaque, text);
    } else {
        ok = in->arm(in->opaque, text, op == ENVME_FAULT_ARM);
    }
    g_free(text);
    return ok ? ENVME_ST(SUCCESS)
              : envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD),
                               offsetof(struct envme_sqe, dptr));
}

/* DW0 is the length of the whole text; what is beyond it reads as zeroes. */
struct envme_status envme_admin_fault_receive(struct envme_cmd *cmd)
{
    const struct envme_inject *in = &cmd->ctrl->inject;
    size_t off = envme_cmd_cdw(cmd, 13), room = cmd->data.bytes, len, done;
    static const uint8_t zeroes[512];
    char *text;

    switch (FIELD_GET(ENVME_FAULT_OP, envme_cmd_cdw(cmd, 12))) {
    case ENVME_FAULT_REPORT:
        text = in->report(in->opaque);
        break;
    case ENVME_FAULT_RULES:
        text = in->rules(in->opaque);
        break;
    case ENVME_FAULT_ERROR:
        text = g_strdup(in->error(in->opaque));
        break;
    default:
        return inject_bad_op(cmd);
    }
    len = strlen(text);
    cmd->dw0 = ENVME_MIN(len, UINT32_MAX);
    done = off < len ? envme_cmd_to_host(cmd, 0, text + off,
                                         ENVME_MIN(len - off, room)) : 0;
    for (; done < room; done += sizeof(zeroes)) {
        envme_cmd_to_host(cmd, done, zeroes,
                          ENVME_MIN(room - done, sizeof(zeroes)));
    }
    g_free(text);
    return ENVME_ST(SUCCESS);
}
