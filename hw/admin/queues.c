/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Create and Delete I/O Submission and Completion Queue: Base 2.1, 5.2. What
 * the command says is checked here; the memory by the engine.
 */
#include "hw/admin/admin.h"
#include "hw/ctrl/queue.h"

#define QUEUES_IOSQES 6
#define QUEUES_IOCQES 4

#define AT(field) offsetof(struct envme_sqe, field)

/* CDW10: identifier and size, common to both. max: identifiers that Number
 * of Queues has allocated. */
static struct envme_status queues_check(struct envme_cmd *cmd, unsigned max,
                                        bool taken, bool entry_size_ok)
{
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10);
    unsigned qid = FIELD_GET(ENVME_CREATE_CQ_QID, cdw10);
    unsigned qsize = FIELD_GET(ENVME_CREATE_CQ_QSIZE, cdw10);

    if (qid == 0 || qid > max || taken) {
        return envme_cmd_fail(cmd, ENVME_ST(QID_INVALID), AT(cdw10));
    }
    /* Also while CC.IOSQES or CC.IOCQES has not been set yet. */
    if (qsize == 0 || qsize > cmd->ctrl->params.mqes || !entry_size_ok) {
        return envme_cmd_fail(cmd, ENVME_ST(QUEUE_SIZE_INVALID),
                              AT(cdw10) + 2);
    }
    return ENVME_ST(SUCCESS);
}

/* PC, of both kinds. */
static struct envme_status queues_check_pc(struct envme_cmd *cmd)
{
    if (cmd->ctrl->params.cqr &&
        !FIELD_GET(ENVME_CREATE_CQ_PC, envme_cmd_cdw(cmd, 11))) {
        return envme_cmd_fail(cmd, ENVME_ST(INVALID_FIELD), AT(cdw11));
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_admin_create_cq(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10), cdw11 = envme_cmd_cdw(cmd, 11);
    unsigned qid = FIELD_GET(ENVME_CREATE_CQ_QID, cdw10);
    unsigned iv = FIELD_GET(ENVME_CREATE_CQ_IV, cdw11);
    struct envme_status st;

    st = queues_check(cmd, ctrl->ncqa + 1u, envme_cq_get(ctrl, qid),
                      FIELD_GET(ENVME_CC_IOCQES, ctrl->cc) == QUEUES_IOCQES);
    if (envme_st_err(st)) {
        return st;
    }
    if (iv >= ctrl->params.nvectors) {
        return envme_cmd_fail(cmd, ENVME_ST(VECTOR_INVALID), AT(cdw11) + 2);
    }
    st = queues_check_pc(cmd);
    if (envme_st_err(st)) {
        return st;
    }
    st = envme_cq_create(ctrl, qid, le64_get(cmd->sqe.dptr.prp1),
                         FIELD_GET(ENVME_CREATE_CQ_QSIZE, cdw10) + 1,
                         FIELD_GET(ENVME_CREATE_CQ_PC, cdw11),
                         FIELD_GET(ENVME_CREATE_CQ_IEN, cdw11), iv);
    return envme_cmd_fail(cmd, st, AT(dptr));
}

/* CQID: Base 2.1, 5.2.2. One that cannot exist is a wrong identifier, one
 * that could but does not is a wrong completion queue. */
static struct envme_status queues_check_cqid(struct envme_cmd *cmd,
                                             unsigned cqid,
                                             struct envme_cq **cq)
{
    if (cqid == 0 || cqid > cmd->ctrl->ncqa + 1u) {
        return envme_cmd_fail(cmd, ENVME_ST(QID_INVALID), AT(cdw11) + 2);
    }
    *cq = envme_cq_get(cmd->ctrl, cqid);
    if (!*cq) {
        return envme_cmd_fail(cmd, ENVME_ST(CQ_INVALID), AT(cdw11) + 2);
    }
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_admin_create_sq(struct envme_cmd *cmd)
{
    struct envme_ctrl *ctrl = cmd->ctrl;
    uint32_t cdw10 = envme_cmd_cdw(cmd, 10), cdw11 = envme_cmd_cdw(cmd, 11);
    unsigned qid = FIELD_GET(ENVME_CREATE_SQ_QID, cdw10);
    struct envme_cq *cq = NULL;
    struct envme_status st;

    st = queues_check(cmd, ctrl->nsqa + 1u, envme_sq_get(ctrl, qid),
                      FIELD_GET(ENVME_CC_IOSQES, ctrl->cc) == QUEUES_IOSQES);
    if (envme_st_err(st)) {
        return st;
    }
    st = queues_check_cqid(cmd, FIELD_GET(ENVME_CREATE_SQ_CQID, cdw11), &cq);
    if (envme_st_err(st)) {
        return st;
    }
    st = queues_check_pc(cmd);
    if (envme_st_err(st)) {
        return st;
    }
    /* QPRIO has no meaning to round robin; NVMSETID none without NVM Sets. */
    st = envme_sq_create(ctrl, qid, le64_get(cmd->sqe.dptr.prp1),
                         FIELD_GET(ENVME_CREATE_SQ_QSIZE, cdw10) + 1,
                         FIELD_GET(ENVME_CREATE_SQ_PC, cdw11),
                         FIELD_GET(ENVME_CREATE_SQ_QPRIO, cdw11), cq);
    return envme_cmd_fail(cmd, st, AT(dptr));
}

struct envme_status envme_admin_delete_cq(struct envme_cmd *cmd)
{
    unsigned qid = FIELD_GET(ENVME_DELETE_CQ_QID, envme_cmd_cdw(cmd, 10));
    struct envme_cq *cq = qid ? envme_cq_get(cmd->ctrl, qid) : NULL;

    if (!cq) {
        return envme_cmd_fail(cmd, ENVME_ST(QID_INVALID), AT(cdw10));
    }
    if (cq->nsq) {
        return envme_cmd_fail(cmd, ENVME_ST(QUEUE_DELETION), AT(cdw10));
    }
    envme_cq_delete(cmd->ctrl, cq);
    return ENVME_ST(SUCCESS);
}

struct envme_status envme_admin_delete_sq(struct envme_cmd *cmd)
{
    unsigned qid = FIELD_GET(ENVME_DELETE_SQ_QID, envme_cmd_cdw(cmd, 10));
    struct envme_sq *sq = qid ? envme_sq_get(cmd->ctrl, qid) : NULL;

    if (!sq) {
        return envme_cmd_fail(cmd, ENVME_ST(QID_INVALID), AT(cdw10));
    }
    return envme_cmd_fail(cmd, envme_sq_delete_start(cmd, sq), AT(cdw10));
}
