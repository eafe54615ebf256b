/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Submission and completion queue entries, SGL descriptors, opcodes and the
 * command dwords of the Admin command set and of the common I/O commands.
 *
 * Spec: NVMe Base 2.1, 4.1 and 4.2 (queue entries), 4.3 (data layouts),
 * 5 (Admin command set), 7 (I/O commands); NVM Command Set 1.1, 3 (opcodes).
 *
 * The masks of a command are named ENVME_<COMMAND>_<FIELD>; the comment above
 * them says which dword they belong to.
 */
#ifndef ENVME_CMD_H
#define ENVME_CMD_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define ENVME_NSID_NONE         0u
#define ENVME_NSID_ALL          0xffffffffu

/* Command set identifiers */
enum {
    ENVME_CSI_NVM               = 0x00,
    ENVME_CSI_KV                = 0x01,
    ENVME_CSI_ZNS               = 0x02,
    ENVME_CSI_SLM               = 0x03,
    ENVME_CSI_CP                = 0x04,
};

/* SGL descriptor: Base 2.1, 4.3.2 */
struct envme_sgl_desc {
    le64_t  addr;
    le32_t  len;
    uint8_t rsvd12[3];
    uint8_t id;
};
_Static_assert(sizeof(struct envme_sgl_desc) == 16, "");
_Static_assert(offsetof(struct envme_sgl_desc, id) == 15, "");

/* Keyed SGL data block (fabrics) */
struct envme_sgl_keyed {
    le64_t  addr;
    uint8_t len[3];
    uint8_t key[4];
    uint8_t id;
};
_Static_assert(sizeof(struct envme_sgl_keyed) == 16, "");
_Static_assert(offsetof(struct envme_sgl_keyed, id) == 15, "");

#define ENVME_SGL_SUBTYPE       0x0fu       /* of id */
#define ENVME_SGL_TYPE          0xf0u

enum {                                      /* ENVME_SGL_TYPE */
    ENVME_SGL_DATA              = 0x0,
    ENVME_SGL_BIT_BUCKET        = 0x1,
    ENVME_SGL_SEGMENT           = 0x2,
    ENVME_SGL_LAST_SEGMENT      = 0x3,
    ENVME_SGL_KEYED_DATA        = 0x4,
    ENVME_SGL_TRANSPORT_DATA    = 0x5,
    ENVME_SGL_VENDOR            = 0xf,
};

enum {                                      /* ENVME_SGL_SUBTYPE */
    ENVME_SGL_ADDRESS           = 0x0,
    ENVME_SGL_OFFSET            = 0x1,
    ENVME_SGL_TRANSPORT_A       = 0xa,
};

/* Data pointer */
union envme_dptr {
    struct {
        le64_t prp1;
        le64_t prp2;
    };
    struct envme_sgl_desc sgl;
};
_Static_assert(sizeof(union envme_dptr) == 16, "");

/* Submission queue entry, the common format */
struct envme_sqe {
    uint8_t opc;
    uint8_t flags;
    le16_t  cid;
    le32_t  nsid;
    le32_t  cdw2;
    le32_t  cdw3;
    le64_t  mptr;
    union envme_dptr dptr;
    le32_t  cdw10;
    le32_t  cdw11;
    le32_t  cdw12;
    le32_t  cdw13;
    le32_t  cdw14;
    le32_t  cdw15;
};
_Static_assert(sizeof(struct envme_sqe) == 64, "");
_Static_assert(offsetof(struct envme_sqe, nsid) == 4, "");
_Static_assert(offsetof(struct envme_sqe, mptr) == 16, "");
_Static_assert(offsetof(struct envme_sqe, dptr) == 24, "");
_Static_assert(offsetof(struct envme_sqe, cdw10) == 40, "");
_Static_assert(offsetof(struct envme_sqe, cdw15) == 60, "");

#define ENVME_FUSE              0x03u       /* of flags */
#define ENVME_PSDT              0xc0u

enum {                                      /* ENVME_FUSE */
    ENVME_FUSE_NORMAL           = 0,
    ENVME_FUSE_FIRST            = 1,
    ENVME_FUSE_SECOND           = 2,
};

enum {                                      /* ENVME_PSDT */
    ENVME_PSDT_PRP              = 0,
    ENVME_PSDT_SGL              = 1,        /* MPTR: one contiguous buffer */
    ENVME_PSDT_SGL_MPTR_SGL     = 2,        /* MPTR: an SGL descriptor */
};

/* Direction of the data, in the low bits of every standard opcode */
#define ENVME_OPC_DIR           0x03u

enum {                                      /* ENVME_OPC_DIR */
    ENVME_DIR_NONE              = 0,
    ENVME_DIR_TO_CTRL           = 1,
    ENVME_DIR_TO_HOST           = 2,
    ENVME_DIR_BOTH              = 3,
};

#define ENVME_OPC_VENDOR_FIRST  0xc0u       /* Admin; I/O: 0x80 */

/* Completion queue entry */
struct envme_cqe {
    le32_t  dw0;
    le32_t  dw1;
    le16_t  sqhd;
    le16_t  sqid;
    le16_t  cid;
    le16_t  sf;                             /* phase tag and status */
};
_Static_assert(sizeof(struct envme_cqe) == 16, "");
_Static_assert(offsetof(struct envme_cqe, sf) == 14, "");

#define ENVME_CQE_P             0x0001u     /* of sf */
#define ENVME_CQE_STATUS        0xfffeu
#define ENVME_CQE_SC            0x01feu
#define ENVME_CQE_SCT           0x0e00u
#define ENVME_CQE_CRD           0x3000u
#define ENVME_CQE_M             0x4000u
#define ENVME_CQE_DNR           0x8000u

/* Admin opcodes: Base 2.1, 5 */
enum {
    ENVME_ADM_DELETE_SQ         = 0x00,
    ENVME_ADM_CREATE_SQ         = 0x01,
    ENVME_ADM_GET_LOG           = 0x02,
    ENVME_ADM_DELETE_CQ         = 0x04,
    ENVME_ADM_CREATE_CQ         = 0x05,
    ENVME_ADM_IDENTIFY          = 0x06,
    ENVME_ADM_ABORT             = 0x08,
    ENVME_ADM_SET_FEATURES      = 0x09,
    ENVME_ADM_GET_FEATURES      = 0x0a,
    ENVME_ADM_AER               = 0x0c,
    ENVME_ADM_NS_MGMT           = 0x0d,
    ENVME_ADM_FW_COMMIT         = 0x10,
    ENVME_ADM_FW_DOWNLOAD       = 0x11,
    ENVME_ADM_SELF_TEST         = 0x14,
    ENVME_ADM_NS_ATTACH         = 0x15,
    ENVME_ADM_KEEP_ALIVE        = 0x18,
    ENVME_ADM_DIRECTIVE_SEND    = 0x19,
    ENVME_ADM_DIRECTIVE_RECV    = 0x1a,
    ENVME_ADM_VIRT_MGMT         = 0x1c,
    ENVME_ADM_MI_SEND           = 0x1d,
    ENVME_ADM_MI_RECV           = 0x1e,
    ENVME_ADM_CAPACITY_MGMT     = 0x20,
    ENVME_ADM_DISC_INFO_MGMT    = 0x21,
    ENVME_ADM_FZ_RECV           = 0x22,     /* Fabric Zoning */
    ENVME_ADM_LOCKDOWN          = 0x24,
    ENVME_ADM_FZ_LOOKUP         = 0x25,
    ENVME_ADM_CLEAR_EXPORTED    = 0x28,     /* Exported NVM Resource Config */
    ENVME_ADM_FZ_SEND           = 0x29,
    ENVME_ADM_CREATE_EXPORTED   = 0x2a,     /* Exported NVM Subsystem */
    ENVME_ADM_MANAGE_EXPORTED   = 0x2d,
    ENVME_ADM_MANAGE_EXP_NS     = 0x31,
    ENVME_ADM_MANAGE_EXP_PORT   = 0x35,
    ENVME_ADM_SEND_DISC_LOG     = 0x39,
    ENVME_ADM_TRACK_SEND        = 0x3d,
    ENVME_ADM_TRACK_RECV        = 0x3e,
    ENVME_ADM_MIGRATION_SEND    = 0x41,
    ENVME_ADM_MIGRATION_RECV    = 0x42,
    ENVME_ADM_CDQ               = 0x45,     /* Controller Data Queue */
    ENVME_ADM_DBBUF             = 0x7c,     /* Doorbell Buffer Config */
    ENVME_ADM_FABRICS           = 0x7f,
    ENVME_ADM_FORMAT            = 0x80,
    ENVME_ADM_SECURITY_SEND     = 0x81,
    ENVME_ADM_SECURITY_RECV     = 0x82,
    ENVME_ADM_SANITIZE          = 0x84,
    ENVME_ADM_LOAD_PROGRAM      = 0x85,
    ENVME_ADM_GET_LBA_STATUS    = 0x86,
    ENVME_ADM_PROGRAM_ACT_MGMT  = 0x88,
    ENVME_ADM_MEM_RANGE_MGMT    = 0x89,
};

/* NVM command set and common I/O opcodes; ZNS and KV are in their headers. */
enum {
    ENVME_NVM_FLUSH             = 0x00,
    ENVME_NVM_WRITE             = 0x01,
    ENVME_NVM_READ              = 0x02,
    ENVME_NVM_WRITE_UNCOR       = 0x04,
    ENVME_NVM_COMPARE           = 0x05,
    ENVME_NVM_WRITE_ZEROES      = 0x08,
    ENVME_NVM_DSM               = 0x09,
    ENVME_NVM_VERIFY            = 0x0c,
    ENVME_NVM_RESV_REGISTER     = 0x0d,
    ENVME_NVM_RESV_REPORT       = 0x0e,
    ENVME_NVM_RESV_ACQUIRE      = 0x11,
    ENVME_NVM_IO_MGMT_RECV      = 0x12,
    ENVME_NVM_RESV_RELEASE      = 0x15,
    ENVME_NVM_CANCEL            = 0x18,
    ENVME_NVM_COPY              = 0x19,
    ENVME_NVM_IO_MGMT_SEND      = 0x1d,
    ENVME_NVM_FABRICS           = 0x7f,
};

/* CDW14 of Identify, Get Log Page, Get/Set Features, Lockdown: UUID Index */
#define ENVME_UIDX              0x0000007fu

/* Delete I/O SQ/CQ CDW10; Create I/O SQ/CQ CDW10 (QSIZE is 0's based) */
#define ENVME_DELETE_SQ_QID     0x0000ffffu
#define ENVME_DELETE_CQ_QID     0x0000ffffu
#define ENVME_CREATE_SQ_QID     0x0000ffffu
#define ENVME_CREATE_SQ_QSIZE   0xffff0000u
#define ENVME_CREATE_CQ_QID     0x0000ffffu
#define ENVME_CREATE_CQ_QSIZE   0xffff0000u
/* Create I/O SQ CDW11, CDW12 */
#define ENVME_CREATE_SQ_PC      0x00000001u
#define ENVME_CREATE_SQ_QPRIO   0x00000006u
#define ENVME_CREATE_SQ_CQID    0xffff0000u
#define ENVME_CREATE_SQ_NVMSETID 0x0000ffffu
/* Create I/O CQ CDW11 */
#define ENVME_CREATE_CQ_PC      0x00000001u
#define ENVME_CREATE_CQ_IEN     0x00000002u
#define ENVME_CREATE_CQ_IV      0xffff0000u

enum {                                      /* ENVME_CREATE_SQ_QPRIO */
    ENVME_QPRIO_URGENT          = 0,
    ENVME_QPRIO_HIGH            = 1,
    ENVME_QPRIO_MEDIUM          = 2,
    ENVME_QPRIO_LOW             = 3,
};

/* Get Log Page CDW10; NUMD is 0's based; CDW12/13 are the log page offset */
#define ENVME_GETLOG_LID        0x000000ffu
#define ENVME_GETLOG_LSP        0x00007f00u
#define ENVME_GETLOG_RAE        0x00008000u
#define ENVME_GETLOG_NUMDL      0xffff0000u
/* Get Log Page CDW11 */
#define ENVME_GETLOG_NUMDU      0x0000ffffu
#define ENVME_GETLOG_LSI        0xffff0000u
/* Get Log Page CDW14 */
#define ENVME_GETLOG_UIDX       0x0000007fu
#define ENVME_GETLOG_OT         0x00800000u /* the offset is an index */
#define ENVME_GETLOG_CSI        0xff000000u

/* Identify CDW10, CDW11, CDW14 */
#define ENVME_IDENTIFY_CNS      0x000000ffu
#define ENVME_IDENTIFY_CNTID    0xffff0000u
#define ENVME_IDENTIFY_CNSSID   0x0000ffffu /* CNS specific identifier */
#define ENVME_IDENTIFY_CSI      0xff000000u
#define ENVME_IDENTIFY_UIDX     0x0000007fu

/* Abort CDW10 and completion DW0 */
#define ENVME_ABORT_SQID        0x0000ffffu
#define ENVME_ABORT_CID         0xffff0000u
#define ENVME_ABORT_IANP        0x00000001u /* DW0: 1 = not aborted */

/* Cancel (I/O) CDW10, CDW11 */
#define ENVME_CANCEL_SQID       0x0000ffffu
#define ENVME_CANCEL_CID        0xffff0000u
#define ENVME_CANCEL_ACODE      0x00000003u
#define ENVME_CANCEL_CID_ALL    0xffffu

enum {                                      /* ENVME_CANCEL_ACODE */
    ENVME_CANCEL_ONE            = 0,
    ENVME_CANCEL_MULTIPLE       = 1,
};

/* Set/Get Features CDW10, CDW14; CDW11 onwards: feat.h */
#define ENVME_FEAT_FID          0x000000ffu
#define ENVME_FEAT_SEL          0x00000700u /* Get */
#define ENVME_FEAT_SV           0x80000000u /* Set */
#define ENVME_FEAT_UIDX         0x0000007fu

enum {                                      /* ENVME_FEAT_SEL */
    ENVME_FEAT_SEL_CURRENT      = 0,
    ENVME_FEAT_SEL_DEFAULT      = 1,
    ENVME_FEAT_SEL_SAVED        = 2,
    ENVME_FEAT_SEL_CAPS         = 3,
};

/* Completion DW0 of Get Features with SEL_CAPS */
#define ENVME_FEAT_CAP_SAVEABLE 0x00000001u
#define ENVME_FEAT_CAP_NS       0x00000002u
#define ENVME_FEAT_CAP_CHANGE   0x00000004u

/* Asynchronous Event Request, completion DW0; types and codes: log.h */
#define ENVME_AER_TYPE          0x00000007u
#define ENVME_AER_INFO          0x0000ff00u
#define ENVME_AER_LID           0x00ff0000u

/* Namespace Management CDW10, CDW11; Namespace Attachment CDW10 */
#define ENVME_NSMGMT_SEL        0x0000000fu
#define ENVME_NSMGMT_CSI        0xff000000u
#define ENVME_NSATTACH_SEL      0x0000000fu

enum {                                      /* ENVME_NSMGMT_SEL */
    ENVME_NSMGMT_CREATE         = 0,
    ENVME_NSMGMT_DELETE         = 1,
};

enum {                                      /* ENVME_NSATTACH_SEL */
    ENVME_NSATTACH_ATTACH       = 0,
    ENVME_NSATTACH_DETACH       = 1,
};

/* Firmware Commit CDW10, completion DW0; Image Download: NUMD CDW10, OFST 11 */
#define ENVME_FWCOMMIT_FS       0x00000007u
#define ENVME_FWCOMMIT_CA       0x00000038u
#define ENVME_FWCOMMIT_BPID     0x80000000u
#define ENVME_FWCOMMIT_MUD      0x00000003u

enum {                                      /* ENVME_FWCOMMIT_CA */
    ENVME_FWCOMMIT_REPLACE          = 0,
    ENVME_FWCOMMIT_REPLACE_ACTIVATE = 1,    /* at the next reset */
    ENVME_FWCOMMIT_ACTIVATE         = 2,    /* at the next reset */
    ENVME_FWCOMMIT_ACTIVATE_NOW     = 3,
    ENVME_FWCOMMIT_BP_REPLACE       = 6,
    ENVME_FWCOMMIT_BP_ACTIVATE      = 7,
};

/* Device Self-test CDW10, CDW15 */
#define ENVME_SELFTEST_STC      0x0000000fu
#define ENVME_SELFTEST_DSTP     0x0000ffffu

enum {                                      /* ENVME_SELFTEST_STC */
    ENVME_SELFTEST_SHORT        = 0x1,
    ENVME_SELFTEST_EXTENDED     = 0x2,
    ENVME_SELFTEST_HOST         = 0x3,
    ENVME_SELFTEST_VENDOR       = 0xe,
    ENVME_SELFTEST_ABORT        = 0xf,
};

/* Directive Send/Receive CDW11 (CDW10 is NUMD, 0's based) */
#define ENVME_DIRECTIVE_DOPER   0x000000ffu
#define ENVME_DIRECTIVE_DTYPE   0x0000ff00u
#define ENVME_DIRECTIVE_DSPEC   0xffff0000u
/* CDW12 of Identify: Enable Directive; of Streams: Allocate Resources */
#define ENVME_DIRECTIVE_ENDIR   0x00000001u
#define ENVME_DIRECTIVE_TDTYPE  0x0000ff00u
#define ENVME_DIRECTIVE_NSR     0x0000ffffu

enum {                                      /* ENVME_DIRECTIVE_DTYPE, DTYPE */
    ENVME_DTYPE_IDENTIFY        = 0x00,
    ENVME_DTYPE_STREAMS         = 0x01,
    ENVME_DTYPE_PLACEMENT       = 0x02,
};

enum {                                      /* ENVME_DIRECTIVE_DOPER */
    ENVME_DOPER_SEND_ID_ENABLE          = 0x01,
    ENVME_DOPER_RECV_ID_PARAMS          = 0x01,
    ENVME_DOPER_SEND_STREAMS_RELEASE_ID = 0x01,
    ENVME_DOPER_SEND_STREAMS_RELEASE    = 0x02,
    ENVME_DOPER_RECV_STREAMS_PARAMS     = 0x01,
    ENVME_DOPER_RECV_STREAMS_STATUS     = 0x02,
    ENVME_DOPER_RECV_STREAMS_ALLOC      = 0x03,
};

/* Virtualization Management CDW10, CDW11, completion DW0 */
#define ENVME_VIRT_ACT          0x0000000fu
#define ENVME_VIRT_RT           0x00000700u
#define ENVME_VIRT_CNTLID       0xffff0000u
#define ENVME_VIRT_NR           0x0000ffffu
#define ENVME_VIRT_NRM          0x0000ffffu

enum {                                      /* ENVME_VIRT_ACT */
    ENVME_VIRT_PRIMARY_ALLOC    = 0x1,
    ENVME_VIRT_OFFLINE          = 0x7,
    ENVME_VIRT_ASSIGN           = 0x8,
    ENVME_VIRT_ONLINE           = 0x9,
};

enum {                                      /* ENVME_VIRT_RT */
    ENVME_VIRT_RT_VQ            = 0,
    ENVME_VIRT_RT_VI            = 1,
};

/* Capacity Management CDW10, completion DW0 (CDW11/12 are the capacity) */
#define ENVME_CAPMGMT_OPER      0x0000000fu
#define ENVME_CAPMGMT_ELID      0xffff0000u
#define ENVME_CAPMGMT_CELID     0x0000ffffu

enum {                                      /* ENVME_CAPMGMT_OPER */
    ENVME_CAPMGMT_SELECT_CONFIG = 0,
    ENVME_CAPMGMT_CREATE_ENDGRP = 1,
    ENVME_CAPMGMT_DELETE_ENDGRP = 2,
    ENVME_CAPMGMT_CREATE_NVMSET = 3,
    ENVME_CAPMGMT_DELETE_NVMSET = 4,
};

/* Lockdown CDW10 */
#define ENVME_LOCKDOWN_SCP      0x0000000fu
#define ENVME_LOCKDOWN_PRHBT    0x00000010u
#define ENVME_LOCKDOWN_IFC      0x00000060u
#define ENVME_LOCKDOWN_OFI      0x0000ff00u

enum {                          /* ENVME_LOCKDOWN_SCP; also the lockdown log */
    ENVME_LOCKDOWN_SCP_ADMIN    = 0x0,
    ENVME_LOCKDOWN_SCP_FID      = 0x2,
    ENVME_LOCKDOWN_SCP_MI       = 0x3,
    ENVME_LOCKDOWN_SCP_PCIE     = 0x4,
};

enum {                                      /* ENVME_LOCKDOWN_IFC */
    ENVME_LOCKDOWN_IFC_ADMIN_SQ     = 0,
    ENVME_LOCKDOWN_IFC_ADMIN_SQ_OOB = 1,
    ENVME_LOCKDOWN_IFC_OOB          = 2,
};

/* Format NVM CDW10 */
#define ENVME_FORMAT_LBAFL      0x0000000fu
#define ENVME_FORMAT_MSET       0x00000010u
#define ENVME_FORMAT_PI         0x000000e0u
#define ENVME_FORMAT_PIL        0x00000100u
#define ENVME_FORMAT_SES        0x00000e00u
#define ENVME_FORMAT_LBAFU      0x00003000u

enum {                                      /* ENVME_FORMAT_SES */
    ENVME_FORMAT_SES_NONE       = 0,
    ENVME_FORMAT_SES_USER       = 1,
    ENVME_FORMAT_SES_CRYPTO     = 2,
};

/* Security Send/Receive CDW10 (CDW11 is the length in bytes) */
#define ENVME_SECURITY_NSSF     0x000000ffu
#define ENVME_SECURITY_SPSP0    0x0000ff00u
#define ENVME_SECURITY_SPSP1    0x00ff0000u
#define ENVME_SECURITY_SPSP     0x00ffff00u
#define ENVME_SECURITY_SECP     0xff000000u

/* Sanitize CDW10 (CDW11 is the overwrite pattern) */
#define ENVME_SANITIZE_SANACT   0x00000007u
#define ENVME_SANITIZE_AUSE     0x00000008u
#define ENVME_SANITIZE_OWPASS   0x000000f0u /* 0 means 16 */
#define ENVME_SANITIZE_OIPBP    0x00000100u
#define ENVME_SANITIZE_NDAS     0x00000200u
#define ENVME_SANITIZE_EMVS     0x00000400u

enum {                                      /* ENVME_SANITIZE_SANACT */
    ENVME_SANITIZE_EXIT_FAILURE = 1,
    ENVME_SANITIZE_BLOCK_ERASE  = 2,
    ENVME_SANITIZE_OVERWRITE    = 3,
    ENVME_SANITIZE_CRYPTO_ERASE = 4,
    ENVME_SANITIZE_EXIT_VERIFY  = 5,        /* exit media verification */
};

/* Get LBA Status CDW13 (CDW10/11 SLBA, CDW12 MNDW) */
#define ENVME_LBAST_RL          0x0000ffffu
#define ENVME_LBAST_ATYPE       0xff000000u

enum {                                      /* ENVME_LBAST_ATYPE */
    ENVME_LBAST_ALLOCATED       = 0x02,
    ENVME_LBAST_UNTRACKED       = 0x10,     /* scan and report */
    ENVME_LBAST_TRACKED         = 0x11,
};

/* Select (SEL) and Management Operation Specific: Track, Migration, CDQ */
#define ENVME_LM_SEL            0x000000ffu
#define ENVME_LM_MOS            0xffff0000u
/* CDW11 of the same */
#define ENVME_LM_CNTLID         0x0000ffffu
#define ENVME_LM_CDQID          0x0000ffffu
#define ENVME_LM_STYPE          0x00ff0000u /* Suspend */
#define ENVME_LM_DUDMQ          0x80000000u /* Suspend */
#define ENVME_LM_SET_CSVI       0x00ff0000u /* Set Controller State */
#define ENVME_LM_SET_CSUUIDI    0xff000000u
#define ENVME_LM_GET_CSUUIDI    0x00ff0000u /* Get Controller State */
#define ENVME_LM_GET_CSUIDXP    0xff000000u
#define ENVME_LM_CDQ_PC         0x00000001u /* Create CDQ */
#define ENVME_LM_CDQ_MOS_CNTLID 0xffff0000u
/* CDW10.MOS of Set Controller State; of Track Send: Log User Data Changes */
#define ENVME_LM_SEQIND         0x00030000u
#define ENVME_LM_LACT           0x000f0000u
/* Completion DW0 of Get Controller State */
#define ENVME_LM_CSUP           0x00000001u

enum {                                      /* ENVME_LM_SEL */
    ENVME_TRACK_SEND_LOG_USER       = 0,
    ENVME_TRACK_SEND_MEMORY         = 1,
    ENVME_TRACK_RECV_MEMORY         = 0,
    ENVME_MIGRATION_SEND_SUSPEND    = 0,
    ENVME_MIGRATION_SEND_RESUME     = 1,
    ENVME_MIGRATION_SEND_SET_STATE  = 2,
    ENVME_MIGRATION_RECV_GET_STATE  = 0,
    ENVME_CDQ_CREATE                = 0,
    ENVME_CDQ_DELETE                = 1,
};

enum {                                      /* ENVME_LM_STYPE */
    ENVME_LM_STYPE_NOTIFY       = 0,
    ENVME_LM_STYPE_SUSPEND      = 1,
};

/* I/O Management Send/Receive CDW10 (Receive: CDW11 is NUMD, 0's based) */
#define ENVME_IOMGMT_MO         0x000000ffu
#define ENVME_IOMGMT_MOS        0xffff0000u

/* Read, Write, Compare, Write Zeroes, Verify, Write Uncorrectable, Copy */
/* CDW12; NLB is 0's based (Copy: NR, see nvm.h) */
#define ENVME_RW_NLB            0x0000ffffu
#define ENVME_RW_CETYPE         0x000f0000u
#define ENVME_RW_DTYPE          0x00f00000u /* Write, Write Uncorrectable */
#define ENVME_RW_NSZ            0x00800000u /* Write Zeroes */
#define ENVME_RW_STC            0x01000000u
#define ENVME_RW_DEAC           0x02000000u /* Write Zeroes */
#define ENVME_RW_PRINFO         0x3c000000u
#define ENVME_RW_PRCHK          0x1c000000u
#define ENVME_RW_PRCHK_REF      0x04000000u
#define ENVME_RW_PRCHK_APP      0x08000000u
#define ENVME_RW_PRCHK_GUARD    0x10000000u
#define ENVME_RW_PRACT          0x20000000u
#define ENVME_RW_FUA            0x40000000u
#define ENVME_RW_LR             0x80000000u
/* CDW13; CEV takes the place of DSM when CETYPE is not 0 */
#define ENVME_RW_DSM_AF         0x0000000fu
#define ENVME_RW_DSM_AL         0x00000030u
#define ENVME_RW_DSM_SR         0x00000040u
#define ENVME_RW_DSM_INCPRS     0x00000080u
#define ENVME_RW_CEV            0x0000ffffu
#define ENVME_RW_DSPEC          0xffff0000u
/* CDW15 (CDW14, CDW2 and CDW3 hold LBST and ILBRT/EILBRT, by PI format) */
#define ENVME_RW_LBAT           0x0000ffffu
#define ENVME_RW_LBATM          0xffff0000u

/* A PRINFO field once extracted (Read/Write, Copy's PRINFOR and PRINFOW) */
#define ENVME_PRINFO_REF        0x1u
#define ENVME_PRINFO_APP        0x2u
#define ENVME_PRINFO_GUARD      0x4u
#define ENVME_PRINFO_PRCHK      0x7u
#define ENVME_PRINFO_PRACT      0x8u

/* Dataset Management CDW10 (0's based), CDW11 */
#define ENVME_DSM_NR            0x000000ffu
#define ENVME_DSM_IDR           0x00000001u
#define ENVME_DSM_IDW           0x00000002u
#define ENVME_DSM_AD            0x00000004u

#endif
