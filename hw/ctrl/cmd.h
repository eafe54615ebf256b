/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The funnel: every command comes in through envme_cmd_start() and leaves
 * through envme_cmd_done(). Base 2.1, 3.4 and 4.
 *
 * Threads: the lane of the command's queue; a command that needs memory which
 * only lane 0 may touch is moved there whole (cmd->moved) and comes back to
 * be posted. cmd_start is the only caller of row->run, cmd_done the only way
 * to a completion. A handler sees no queue.
 */
#ifndef ENVME_CTRL_CMD_H
#define ENVME_CTRL_CMD_H

#include "hw/ctrl/ctrl.h"

void envme_cmd_start(struct envme_cmd *cmd);
/* A command that has just been fetched: it may be half of a fused pair. */
void envme_cmd_start_fetched(struct envme_cmd *cmd);

/*
 * The command is over: copies bounced data out, unmaps, writes the error log,
 * sets DNR, posts the completion. The thread on which run() ran.
 */
void envme_cmd_done(struct envme_cmd *cmd, struct envme_status st);

/* Finds the command's row and namespace, and looks at all that the row says:
 * what it may be refused for before it runs. Its lengths. */
struct envme_status envme_cmd_gates(struct envme_cmd *cmd);

/* What row->enter() waited for is there, or envme_cmd_cancel() came first. The
 * lane of the command. */
void envme_cmd_entered(struct envme_cmd *cmd);

/* Hints to the backend that the command need not be carried out; it ends all
 * the same. The thread on which it runs. */
void envme_cmd_cancel(struct envme_cmd *cmd);

/*
 * Where a failure is: byte offset into the SQE of the offending field, bit 0
 * unless said. Returns st, so that a handler can
 *   return envme_cmd_fail(cmd, ENVME_ST(LBA_RANGE), offsetof(...));
 */
struct envme_status envme_cmd_fail(struct envme_cmd *cmd,
                                   struct envme_status st, unsigned offset);
struct envme_status envme_cmd_fail_bit(struct envme_cmd *cmd,
                                       struct envme_status st, unsigned offset,
                                       unsigned bit);

/*
 * One backend request for a command; cmd->bio's op, flags, offset, bytes, iov
 * and niov are filled in by the caller. When it is over, cont(cmd, err) runs
 * on the same lane, and calls envme_cmd_done() or envme_cmd_io() again. Always
 * returns ENVME_ST_PENDING except when the request is over at once: then it
 * returns what envme_cmd_io_status() makes of it if cont is NULL. With a NULL
 * cont the command is done with that status.
 */
struct envme_status envme_cmd_io(struct envme_cmd *cmd, struct envme_ns *ns,
                                 void (*cont)(struct envme_cmd *cmd, int err));
/* In a continuation, instead of the next request: cont(cmd, 0) is called on the
 * same lane after others have had their turn. */
void envme_cmd_yield(struct envme_cmd *cmd,
                     void (*cont)(struct envme_cmd *cmd, int err));
/* The status that a backend's errno means for this command. */
struct envme_status envme_cmd_io_status(struct envme_cmd *cmd, int err);

/* Did the medium fail, and not something around it? */
bool envme_cmd_is_media_error(int err);
/* The namespace has lost blocks: its controllers are told, on lane 0. The
 * thread of the command, which is in flight. */
void envme_cmd_lost(struct envme_cmd *cmd, struct envme_ns *ns);

/* Is a command with this status code (SCT and SC) to be sent again, and when?
 * As the list in envme/status.h has it; not again, if it is not there. */
enum envme_retry envme_status_retry(uint16_t code);
/* DNR and CRD for a status that has none yet. */
uint16_t envme_status_retry_bits(const struct envme_ctrl *ctrl,
                                 struct envme_status st);
/* Says so in the error log and the user's; returns the status with More. */
struct envme_status envme_cmd_log(struct envme_cmd *cmd,
                                  struct envme_status st);

/* Copies between the command's data buffer (mapped by cmd_start) and memory.
 * Short when the buffer is shorter; returns the bytes copied. */
size_t envme_cmd_to_host(struct envme_cmd *cmd, size_t off, const void *buf,
                         size_t len);
size_t envme_cmd_from_host(struct envme_cmd *cmd, size_t off, void *buf,
                           size_t len);

static inline uint32_t envme_cmd_nsid(const struct envme_cmd *cmd)
{
    return le32_get(cmd->sqe.nsid);
}

/* CDW10 .. CDW15: n = 10 .. 15. */
static inline uint32_t envme_cmd_cdw(const struct envme_cmd *cmd, unsigned n)
{
    const le32_t *cdw = &cmd->sqe.cdw10;

    assert(n >= 10 && n <= 15);
    return le32_get(cdw[n - 10]);
}

/* The handler's own state in cmd->u. */
#define ENVME_CMD_STATE(cmd, type)                                            \
    ({                                                                        \
        _Static_assert(sizeof(type) <= ENVME_CMD_SCRATCH, "state too big");   \
        (type *)(cmd)->u.raw;                                                 \
    })

#endif
