/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Status field of a completion queue entry: Base 2.1, 4.2.3 (figures 97 to
 * 105), and the command set specifications' own values.
 *
 * One row per status code: name, SCT, SC, retry, text. Retry: 1 is DNR, the
 * same command, sent again, would fail again; 0, it might not; R1 to R3, it
 * may well not, and after Command Retry Delay Time 1 to 3 rather than at once,
 * for a host that knows of these (feature 16h, ACRE). cmd_done() sets DNR and
 * CRD from this table and nobody else does. A status is a struct, so that an
 * errno or a boolean cannot be taken for one. Pure functions, any thread.
 */
#ifndef ENVME_STATUS_H
#define ENVME_STATUS_H

#include <stdbool.h>
#include <stdint.h>

/* Bits of the status field, DW3[31:17] shifted down by one (no phase tag). */
#define ENVME_SF_SC   0x00ff
#define ENVME_SF_SCT  0x0700
#define ENVME_SF_CRD  0x1800
#define ENVME_SF_M    0x2000
#define ENVME_SF_DNR  0x4000
/* Never on the wire: the command will complete later. */
#define ENVME_SF_PENDING 0x8000

#define ENVME_SCT_GENERIC 0
#define ENVME_SCT_CMD     1
#define ENVME_SCT_MEDIA   2
#define ENVME_SCT_PATH    3
#define ENVME_SCT_VENDOR  7

struct envme_status {
    uint16_t sf;
};

/* The retry column, as a number. */
enum envme_retry {
    ENVME_RETRY_0,
    ENVME_RETRY_1,              /* DNR */
    ENVME_RETRY_R1,
    ENVME_RETRY_R2,
    ENVME_RETRY_R3,
};

#define ENVME_STATUS_LIST(X)                                                  \
    /* generic */                                                             \
    X(SUCCESS,              0, 0x00, 0, "Successful Completion")              \
    X(INVALID_OPCODE,       0, 0x01, 1, "Invalid Command Opcode")             \
    X(INVALID_FIELD,        0, 0x02, 1, "Invalid Field in Command")           \
    X(CID_CONFLICT,         0, 0x03, 1, "Command ID Conflict")                \
    X(DATA_XFER_ERROR,      0, 0x04, 0, "Data Transfer Error")                \
    X(POWER_LOSS,           0, 0x05, 0, "Aborted due to Power Loss")          \
    X(INTERNAL,             0, 0x06, 0, "Internal Error")                     \
    X(ABORT_REQUESTED,      0, 0x07, 0, "Command Abort Requested")            \
    X(ABORT_SQ_DELETED,     0, 0x08, 0, "Aborted due to SQ Deletion")         \
    X(ABORT_FAILED_FUSED,   0, 0x09, 0, "Aborted due to Failed Fused")        \
    X(ABORT_MISSING_FUSED,  0, 0x0a, 1, "Aborted due to Missing Fused")       \
    X(INVALID_NS,           0, 0x0b, 1, "Invalid Namespace or Format")        \
    X(SEQUENCE_ERROR,       0, 0x0c, 1, "Command Sequence Error")             \
    X(SGL_INVALID_SEG,      0, 0x0d, 1, "Invalid SGL Segment Descriptor")     \
    X(SGL_INVALID_COUNT,    0, 0x0e, 1, "Invalid Number of SGL Descriptors")  \
    X(SGL_INVALID_LEN,      0, 0x0f, 1, "Data SGL Length Invalid")            \
    X(SGL_INVALID_MD_LEN,   0, 0x10, 1, "Metadata SGL Length Invalid")        \
    X(SGL_INVALID_TYPE,     0, 0x11, 1, "SGL Descriptor Type Invalid")        \
    X(INVALID_USE_OF_CMB,   0, 0x12, 1, "Invalid Use of CMB")                 \
    X(PRP_OFFSET_INVALID,   0, 0x13, 1, "PRP Offset Invalid")                 \
    X(AWU_EXCEEDED,         0, 0x14, 1, "Atomic Write Unit Exceeded")         \
    X(OP_DENIED,            0, 0x15, 1, "Operation Denied")                   \
    X(SGL_INVALID_OFFSET,   0, 0x16, 1, "SGL Offset Invalid")                 \
    X(HOSTID_FORMAT,        0, 0x18, 1, "Host Identifier Inconsistent Format")\
    X(KEEP_ALIVE_EXPIRED,   0, 0x19, 0, "Keep Alive Timer Expired")           \
    X(KEEP_ALIVE_INVALID,   0, 0x1a, 1, "Keep Alive Timeout Invalid")         \
    X(ABORT_PREEMPTED,      0, 0x1b, 1, "Aborted due to Preempt and Abort")   \
    X(SANITIZE_FAILED,      0, 0x1c, 0, "Sanitize Failed")                    \
    X(SANITIZE_IN_PROGRESS, 0, 0x1d, R3, "Sanitize In Progress")              \
    X(SGL_GRANULARITY,      0, 0x1e, 1, "SGL Data Block Granularity Invalid") \
    X(CMD_NOT_IN_CMB,       0, 0x1f, 1, "Command Not Supported in CMB Queue") \
    X(NS_WRITE_PROTECTED,   0, 0x20, 1, "Namespace is Write Protected")       \
    X(CMD_INTERRUPTED,      0, 0x21, R1, "Command Interrupted")               \
    X(TRANSIENT_TRANSPORT,  0, 0x22, 0, "Transient Transport Error")          \
    X(LOCKDOWN_PROHIBITED,  0, 0x23, 1, "Prohibited by Lockdown")             \
    X(ADMIN_MEDIA_NOT_READY, 0, 0x24, R2, "Admin Command Media Not Ready")    \
    X(FDP_DISABLED,         0, 0x29, 1, "FDP Disabled")                       \
    X(INVALID_PID_LIST,     0, 0x2a, 1, "Invalid Placement Handle List")      \
    X(LBA_RANGE,            0, 0x80, 1, "LBA Out of Range")                   \
    X(CAP_EXCEEDED,         0, 0x81, 0, "Capacity Exceeded")                  \
    X(NS_NOT_READY,         0, 0x82, R2, "Namespace Not Ready")               \
    X(RESV_CONFLICT,        0, 0x83, 1, "Reservation Conflict")               \
    X(FORMAT_IN_PROGRESS,   0, 0x84, R3, "Format In Progress")                \
    X(INVALID_VALUE_SIZE,   0, 0x85, 1, "Invalid Value Size")                 \
    X(INVALID_KEY_SIZE,     0, 0x86, 1, "Invalid Key Size")                   \
    X(KEY_NOT_EXIST,        0, 0x87, 1, "KV Key Does Not Exist")              \
    X(KV_UNRECOVERED,       0, 0x88, 1, "KV Unrecovered Error")               \
    X(KEY_EXISTS,           0, 0x89, 1, "KV Key Exists")                      \
    /* command specific */                                                    \
    X(CQ_INVALID,           1, 0x00, 1, "Completion Queue Invalid")           \
    X(QID_INVALID,          1, 0x01, 1, "Invalid Queue Identifier")           \
    X(QUEUE_SIZE_INVALID,   1, 0x02, 1, "Invalid Queue Size")                 \
    X(ABORT_LIMIT,          1, 0x03, 0, "Abort Command Limit Exceeded")       \
    X(AER_LIMIT,            1, 0x05, 1, "AER Limit Exceeded")                 \
    X(FW_SLOT_INVALID,      1, 0x06, 1, "Invalid Firmware Slot")              \
    X(FW_IMAGE_INVALID,     1, 0x07, 1, "Invalid Firmware Image")             \
    X(VECTOR_INVALID,       1, 0x08, 1, "Invalid Interrupt Vector")           \
    X(LOG_PAGE_INVALID,     1, 0x09, 1, "Invalid Log Page")                   \
    X(FORMAT_INVALID,       1, 0x0a, 1, "Invalid Format")                     \
    X(FW_NEED_CONV_RESET,   1, 0x0b, 0, "Firmware Requires Conventional Reset") \
    X(QUEUE_DELETION,       1, 0x0c, 1, "Invalid Queue Deletion")             \
    X(FID_NOT_SAVEABLE,     1, 0x0d, 1, "Feature Not Saveable")               \
    X(FEAT_NOT_CHANGEABLE,  1, 0x0e, 1, "Feature Not Changeable")             \
    X(FEAT_NOT_NS,          1, 0x0f, 1, "Feature Not Namespace Specific")     \
    X(FW_NEED_NSSR,         1, 0x10, 0, "Firmware Requires NVM Subsystem Reset") \
    X(FW_NEED_RESET,        1, 0x11, 0, "Firmware Requires Controller Reset") \
    X(FW_NEED_MAX_TIME,     1, 0x12, 0, "Firmware Requires Maximum Time Violation") \
    X(FW_PROHIBITED,        1, 0x13, 1, "Firmware Activation Prohibited")     \
    X(OVERLAPPING_RANGE,    1, 0x14, 1, "Overlapping Range")                  \
    X(NS_INSUFFICIENT_CAP,  1, 0x15, 1, "Namespace Insufficient Capacity")    \
    X(NSID_UNAVAILABLE,     1, 0x16, 1, "Namespace Identifier Unavailable")   \
    X(NS_ALREADY_ATTACHED,  1, 0x18, 1, "Namespace Already Attached")         \
    X(NS_PRIVATE,           1, 0x19, 1, "Namespace Is Private")               \
    X(NS_NOT_ATTACHED,      1, 0x1a, 1, "Namespace Not Attached")             \
    X(THIN_PROV_UNSUPPORTED, 1, 0x1b, 1, "Thin Provisioning Not Supported")   \
    X(CTRL_LIST_INVALID,    1, 0x1c, 1, "Controller List Invalid")            \
    X(SELF_TEST_IN_PROGRESS, 1, 0x1d, 0, "Device Self-test In Progress")      \
    X(BP_WRITE_PROHIBITED,  1, 0x1e, 1, "Boot Partition Write Prohibited")    \
    X(CTRL_ID_INVALID,      1, 0x1f, 1, "Invalid Controller Identifier")      \
    X(SC_STATE_INVALID,     1, 0x20, 1, "Invalid Secondary Controller State") \
    X(NUM_RES_INVALID,      1, 0x21, 1, "Invalid Number of Resources")        \
    X(RES_ID_INVALID,       1, 0x22, 1, "Invalid Resource Identifier")        \
    X(SANITIZE_PMR,         1, 0x23, 1, "Sanitize Prohibited While PMR Enabled") \
    X(ANA_GROUP_INVALID,    1, 0x24, 1, "ANA Group Identifier Invalid")       \
    X(ANA_ATTACH_FAILED,    1, 0x25, 0, "ANA Attach Failed")                  \
    X(INSUFFICIENT_CAP,     1, 0x26, 1, "Insufficient Capacity")              \
    X(NS_ATTACH_LIMIT,      1, 0x27, 1, "Namespace Attachment Limit Exceeded") \
    X(LOCKDOWN_UNSUPPORTED, 1, 0x28, 1, "Prohibition of Command Not Supported") \
    X(IOCS_UNSUPPORTED,     1, 0x29, 1, "I/O Command Set Not Supported")      \
    X(IOCS_NOT_ENABLED,     1, 0x2a, 1, "I/O Command Set Not Enabled")        \
    X(IOCS_COMBINATION,     1, 0x2b, 1, "I/O Command Set Combination Rejected") \
    X(IOCS_INVALID,         1, 0x2c, 1, "Invalid I/O Command Set")            \
    X(ID_UNAVAILABLE,       1, 0x2d, 1, "Identifier Unavailable")             \
    X(CONFLICTING_ATTRS,    1, 0x80, 1, "Conflicting Attributes")             \
    X(PI_INVALID,           1, 0x81, 1, "Invalid Protection Information")     \
    X(READ_ONLY_RANGE,      1, 0x82, 1, "Attempted Write to Read Only Range") \
    X(CMD_SIZE_LIMIT,       1, 0x83, 1, "Command Size Limit Exceeded")        \
    X(INCOMPATIBLE_NS,      1, 0x85, 1, "Incompatible Namespace or Format")   \
    X(FAST_COPY_IMPOSSIBLE, 1, 0x86, 1, "Fast Copy Not Possible")             \
    X(OVERLAPPING_IO_RANGE, 1, 0x87, 1, "Overlapping I/O Range")              \
    X(INSUFFICIENT_RES,     1, 0x89, 0, "Insufficient Resources")             \
    X(ZONE_INVALID_FORMAT,  1, 0x7f, 1, "Invalid Format Operation")           \
    X(ZONE_BOUNDARY,        1, 0xb8, 1, "Zoned Boundary Error")               \
    X(ZONE_FULL,            1, 0xb9, 1, "Zone Is Full")                       \
    X(ZONE_READ_ONLY,       1, 0xba, 1, "Zone Is Read Only")                  \
    X(ZONE_OFFLINE,         1, 0xbb, 1, "Zone Is Offline")                    \
    X(ZONE_INVALID_WRITE,   1, 0xbc, 1, "Zone Invalid Write")                 \
    X(ZONE_TOO_MANY_ACTIVE, 1, 0xbd, 0, "Too Many Active Zones")              \
    X(ZONE_TOO_MANY_OPEN,   1, 0xbe, 0, "Too Many Open Zones")                \
    X(ZONE_TRANSITION,      1, 0xbf, 1, "Invalid Zone State Transition")      \
    /* media and data integrity */                                            \
    X(WRITE_FAULT,          2, 0x80, 0, "Write Fault")                        \
    X(UNRECOVERED_READ,     2, 0x81, 0, "Unrecovered Read Error")             \
    X(GUARD_CHECK,          2, 0x82, 1, "End-to-end Guard Check Error")       \
    X(APPTAG_CHECK,         2, 0x83, 1, "End-to-end Application Tag Check Error") \
    X(REFTAG_CHECK,         2, 0x84, 1, "End-to-end Reference Tag Check Error") \
    X(COMPARE_FAILURE,      2, 0x85, 1, "Compare Failure")                    \
    X(ACCESS_DENIED,        2, 0x86, 1, "Access Denied")                      \
    X(DEALLOCATED_BLOCK,    2, 0x87, 1, "Deallocated or Unwritten Logical Block") \
    X(STORTAG_CHECK,        2, 0x88, 1, "End-to-end Storage Tag Check Error") \
    /* path related */                                                        \
    X(PATH_INTERNAL,        3, 0x00, 0, "Internal Path Error")                \
    X(ANA_PERSISTENT_LOSS,  3, 0x01, 1, "Asymmetric Access Persistent Loss")  \
    X(ANA_INACCESSIBLE,     3, 0x02, 0, "Asymmetric Access Inaccessible")     \
    X(ANA_TRANSITION,       3, 0x03, 0, "Asymmetric Access Transition")

/* The SCT and SC of each status, for switch labels and tests. */
enum {
#define ENVME_STATUS_SC_(name, sct, sc, retry, text) \
    ENVME_SC_##name = (sct) << 8 | (sc),
    ENVME_STATUS_LIST(ENVME_STATUS_SC_)
#undef ENVME_STATUS_SC_
    /* The same code, of another command: a directive's. */
    ENVME_SC_STREAM_ALLOC_FAILED = ENVME_SC_ZONE_INVALID_FORMAT,
};

#define ENVME_ST(name)  ((struct envme_status){ ENVME_SC_##name })
#define ENVME_ST_PENDING ((struct envme_status){ ENVME_SF_PENDING })

static inline bool envme_st_ok(struct envme_status st)
{
    return st.sf == 0;
}

static inline bool envme_st_pending(struct envme_status st)
{
    return st.sf == ENVME_SF_PENDING;
}

/* An error, as opposed to success and to pending. */
static inline bool envme_st_err(struct envme_status st)
{
    return st.sf != 0 && st.sf != ENVME_SF_PENDING;
}

/* SCT and SC without CRD, M and DNR: what ENVME_SC_* names. */
static inline uint16_t envme_st_code(struct envme_status st)
{
    return st.sf & (ENVME_SF_SCT | ENVME_SF_SC);
}

static inline bool envme_st_is(struct envme_status st, uint16_t code)
{
    return envme_st_code(st) == code;
}

#endif
