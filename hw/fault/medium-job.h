/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done to blocks of a medium while no command is in flight. Lane 0. */
#ifndef ENVME_FAULT_MEDIUM_JOB_H
#define ENVME_FAULT_MEDIUM_JOB_H

#include "hw/fault/rules.h"

/* The namespace of that number, or NULL: it is not there, or about to go. */
struct envme_ns *fault_medium_ns(struct envme_faults *f, uint64_t nsid);

struct medium_part {
    uint64_t offset, bytes;
    uint8_t *buf;
};

/*
 * Blocks are read with the lanes drained, looked at, and perhaps written
 * back. The controller is not idle and the namespace is held meanwhile.
 */
struct medium_job {
    struct envme_faults *f;     /* counted */
    struct envme_ctrl *ctrl;
    struct fault_rule *rule;    /* counted: owns args */
    const void *args;
    unsigned round;             /* of the rules: others may be there then */
    uint64_t nsid;
    struct envme_schema_range lba;
    bool data, md;              /* what of them */
    /* True: they are to be written back. */
    bool (*look)(struct medium_job *j);

    struct envme_ns *ns;
    struct medium_part part[2]; /* data, metadata; bytes 0: not wanted */
    unsigned at;
    bool writing;
    struct envme_bio bio;
    struct iovec iov;
};

/* Begins soon: we may be in the middle of a reset or of an enable. args belong
 * to the rule that is being done. The caller sets data and md at once. */
struct medium_job *fault_job_new(struct envme_faults *f, const void *args,
                                 uint64_t nsid, struct envme_schema_range lba,
                                 bool (*look)(struct medium_job *j));

#endif
