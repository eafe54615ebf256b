/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues: create, delete, fetch, post. Base 2.1, 3.3 and 5.2 (I/O queue
 * commands), PCIe Transport 1.1.
 *
 * create and delete: lane 0 with the lanes parked (or the controller not yet
 * ready). fetch and post: the lane of the CQ. A CQ slot is reserved when a
 * command is fetched, so that posting cannot fail.
 */
#ifndef ENVME_CTRL_QUEUE_H
#define ENVME_CTRL_QUEUE_H

#include "hw/ctrl/ctrl.h"

/* The queue that the arbiter has chosen. */
static inline struct envme_sq *envme_sq_of(struct envme_arb_node *node)
{
    return (struct envme_sq *)((char *)node - offsetof(struct envme_sq, node));
}

struct envme_sq *envme_sq_get(const struct envme_ctrl *ctrl, uint32_t id);
struct envme_cq *envme_cq_get(const struct envme_ctrl *ctrl, uint32_t id);

/*
 * size is in entries. prp1 is the base, or with pc false the address of a PRP
 * list of the queue's pages. What the command said has been checked, but for
 * the memory: that may fail (Data Transfer Error, PRP Offset Invalid).
 */
struct envme_status envme_cq_create(struct envme_ctrl *ctrl, uint16_t id,
                                    uint64_t prp1, uint32_t size, bool pc,
                                    bool ien, uint16_t vector);
struct envme_status envme_sq_create(struct envme_ctrl *ctrl, uint16_t id,
                                    uint64_t prp1, uint32_t size, bool pc,
                                    enum envme_prio prio, struct envme_cq *cq);
/* Nothing in flight on it, no SQ posts to it. */
void envme_sq_delete(struct envme_ctrl *ctrl, struct envme_sq *sq);
void envme_cq_delete(struct envme_ctrl *ctrl, struct envme_cq *cq);
/*
 * Delete I/O SQ: stops fetching, gives up what is in flight, and completes
 * cmd when the last of it has completed. Returns PENDING or success.
 */
struct envme_status envme_sq_delete_start(struct envme_cmd *cmd,
                                          struct envme_sq *sq);
/* Abort: carries the whole command out; completes cmd. */
struct envme_status envme_sq_abort(struct envme_cmd *cmd, struct envme_sq *sq,
                                   uint16_t cid);

/* The command just fetched: the Abort that wants it, or NULL. */
struct envme_cmd *envme_sq_take_abort(struct envme_sq *sq, uint32_t index,
                                      uint16_t cid);
/* Delete I/O SQ may go on when nothing is in flight any more. */
void envme_sq_check_drained(struct envme_sq *sq);

/* Answers an Abort whose DW0 is set. Lane 0. */
void envme_abort_answer(void *abort);
/* Gives up what is in flight, and answers the Aborts that wait for commands
 * not fetched yet. Its lane. */
void envme_sq_cancel(struct envme_sq *sq);

/* All queues go. No lane holds a command. */
void envme_queues_destroy(struct envme_ctrl *ctrl);

/* For lane.c and cmd.c: the lane of the queue. */
struct envme_cmd *envme_queue_fetch(struct envme_sq *sq);
/* false: not now, Bus Master is off. */
bool envme_queue_post(struct envme_cmd *cmd);
/* The command leaves its queue, posted or not, and is free. */
void envme_queue_forget(struct envme_cmd *cmd);
/* May it be fetched from? After a change of what decides that. */
void envme_sq_update_ready(struct envme_sq *sq);
/* An entry, counted as touching host memory. 0 or as the dma port has it. */
int envme_cq_write(struct envme_ctrl *ctrl, uint64_t addr,
                   const struct envme_cqe *cqe);
void envme_queue_uncork(struct envme_cq *cq);
/* The host's new tail or head has been taken from the doorbell. */
void envme_sq_set_tail(struct envme_sq *sq, uint32_t tail);
/* False: the host's value is no good. */
bool envme_cq_set_head(struct envme_cq *cq, uint32_t head);

#endif
