/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Features: identifiers, dword 11 to 15 fields, attribute structures.
 *
 * Spec: NVMe Base 2.1, 5.1.25 (Set Features) and 5.1.11 (Get Features); NVM
 * Command Set 1.1, 4.1.3; KV Command Set 1.1, 4.1.3.
 *
 * Masks are of CDW11 (and of completion DW0) unless the comment says another
 * dword.
 */
#ifndef ENVME_FEAT_H
#define ENVME_FEAT_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* Feature identifiers */
enum {
    ENVME_FID_ARBITRATION       = 0x01,
    ENVME_FID_POWER_MGMT        = 0x02,
    ENVME_FID_LBA_RANGE         = 0x03,
    ENVME_FID_TEMP_THRESH       = 0x04,
    ENVME_FID_ERROR_RECOVERY    = 0x05,
    ENVME_FID_VWC               = 0x06,
    ENVME_FID_NUM_QUEUES        = 0x07,
    ENVME_FID_IRQ_COALESCE      = 0x08,
    ENVME_FID_IRQ_CONFIG        = 0x09,
    ENVME_FID_WRITE_ATOMIC      = 0x0a,
    ENVME_FID_AEC               = 0x0b,     /* Asynchronous Event Config */
    ENVME_FID_APST              = 0x0c,
    ENVME_FID_HMB               = 0x0d,
    ENVME_FID_TIMESTAMP         = 0x0e,
    ENVME_FID_KATO              = 0x0f,
    ENVME_FID_HCTM              = 0x10,
    ENVME_FID_NOPSC             = 0x11,
    ENVME_FID_RRL               = 0x12,
    ENVME_FID_PLM_CONFIG        = 0x13,
    ENVME_FID_PLM_WINDOW        = 0x14,
    ENVME_FID_LBA_STATUS        = 0x15,
    ENVME_FID_HOST_BEHAVIOR     = 0x16,
    ENVME_FID_SANITIZE_CONFIG   = 0x17,
    ENVME_FID_ENDGRP_EVENT      = 0x18,
    ENVME_FID_IOCS_PROFILE      = 0x19,
    ENVME_FID_SPINUP            = 0x1a,
    ENVME_FID_POWER_LOSS        = 0x1b,
    ENVME_FID_PERF              = 0x1c,
    ENVME_FID_FDP               = 0x1d,
    ENVME_FID_FDP_EVENTS        = 0x1e,
    ENVME_FID_NS_ADMIN_LABEL    = 0x1f,
    ENVME_FID_KV                = 0x20,
    ENVME_FID_CDQ               = 0x21,
    ENVME_FID_EMBEDDED_MGMT     = 0x78,
    ENVME_FID_HOST_MGMT_AGENT   = 0x79,
    ENVME_FID_ENH_CTRL_META     = 0x7d,
    ENVME_FID_CTRL_META         = 0x7e,
    ENVME_FID_NS_META           = 0x7f,
    ENVME_FID_SW_PROGRESS       = 0x80,
    ENVME_FID_HOST_ID           = 0x81,
    ENVME_FID_RESV_NOTIFY       = 0x82,
    ENVME_FID_RESV_PERSIST      = 0x83,
    ENVME_FID_WRITE_PROTECT     = 0x84,
    ENVME_FID_BP_WRITE_PROTECT  = 0x85,
    ENVME_FID_VENDOR_FIRST      = 0xc0,
};

/* 01h Arbitration */
#define ENVME_FEAT_ARB_AB       0x00000007u
#define ENVME_FEAT_ARB_LPW      0x0000ff00u
#define ENVME_FEAT_ARB_MPW      0x00ff0000u
#define ENVME_FEAT_ARB_HPW      0xff000000u
#define ENVME_FEAT_ARB_AB_NONE  7           /* no limit */

/* 02h Power Management */
#define ENVME_FEAT_PM_PS        0x0000001fu
#define ENVME_FEAT_PM_WH        0x000000e0u

/* 03h LBA Range Type (NUM is 0's based) */
#define ENVME_FEAT_LBART_NUM    0x0000003fu

struct envme_lba_range {
    uint8_t type;
    uint8_t attr;
    uint8_t rsvd2[14];
    le64_t  slba;
    le64_t  nlb;                            /* 0's based */
    uint8_t guid[16];
    uint8_t rsvd48[16];
};
_Static_assert(sizeof(struct envme_lba_range) == 64, "");
_Static_assert(offsetof(struct envme_lba_range, guid) == 32, "");

struct envme_feat_lba_range {
    struct envme_lba_range entry[64];
};
_Static_assert(sizeof(struct envme_feat_lba_range) == 4096, "");

#define ENVME_LBART_OVERWRITE   0x01u       /* attr */
#define ENVME_LBART_HIDE        0x02u

enum {                                      /* type */
    ENVME_LBART_GENERAL         = 0,
    ENVME_LBART_FILESYSTEM      = 1,
    ENVME_LBART_RAID            = 2,
    ENVME_LBART_CACHE           = 3,
    ENVME_LBART_SWAP            = 4,
};

/* 04h Temperature Threshold */
#define ENVME_FEAT_TMPTH_TMPTH  0x0000ffffu
#define ENVME_FEAT_TMPTH_TMPSEL 0x000f0000u
#define ENVME_FEAT_TMPTH_THSEL  0x00300000u
#define ENVME_FEAT_TMPTH_TMPTHH 0x01c00000u

enum {                                      /* TMPSEL, THSEL */
    ENVME_TMPSEL_COMPOSITE      = 0,
    ENVME_TMPSEL_SENSOR1        = 1,
    ENVME_TMPSEL_SENSOR8        = 8,
    ENVME_TMPSEL_ALL            = 0xf,
    ENVME_THSEL_OVER            = 0,
    ENVME_THSEL_UNDER           = 1,
};

/* 05h Error Recovery */
#define ENVME_FEAT_ER_TLER      0x0000ffffu
#define ENVME_FEAT_ER_DULBE     0x00010000u

/* 06h Volatile Write Cache */
#define ENVME_FEAT_VWC_WCE      0x00000001u

/* 07h Number of Queues (0's based); DW0 has what was allocated */
#define ENVME_FEAT_NQ_NSQ       0x0000ffffu
#define ENVME_FEAT_NQ_NCQ       0xffff0000u

/* 08h Interrupt Coalescing (TIME in 100 us), 09h Vector Configuration */
#define ENVME_FEAT_IRQC_THR     0x000000ffu
#define ENVME_FEAT_IRQC_TIME    0x0000ff00u
#define ENVME_FEAT_IVC_IV       0x0000ffffu
#define ENVME_FEAT_IVC_CD       0x00010000u

/* 0Ah Write Atomicity Normal */
#define ENVME_FEAT_WAN_DN       0x00000001u

/* 0Bh Asynchronous Event Configuration */
#define ENVME_FEAT_AEC_SHCW     0x000000ffu /* ENVME_SMART_CW_* */
#define ENVME_FEAT_AEC_NSAN     0x00000100u
#define ENVME_FEAT_AEC_FAN      0x00000200u
#define ENVME_FEAT_AEC_TLN      0x00000400u
#define ENVME_FEAT_AEC_ANACN    0x00000800u
#define ENVME_FEAT_AEC_PLEALCN  0x00001000u
#define ENVME_FEAT_AEC_LBASIAN  0x00002000u
#define ENVME_FEAT_AEC_EGEALCN  0x00004000u
#define ENVME_FEAT_AEC_NNVMSS   0x00008000u
#define ENVME_FEAT_AEC_TTHR     0x00010000u
#define ENVME_FEAT_AEC_RASSN    0x00020000u
#define ENVME_FEAT_AEC_RGRP0    0x00040000u
#define ENVME_FEAT_AEC_ANSAN    0x00080000u
#define ENVME_FEAT_AEC_ZDCN     0x08000000u
#define ENVME_FEAT_AEC_PMDRLPCN 0x10000000u
#define ENVME_FEAT_AEC_ADLPCN   0x20000000u
#define ENVME_FEAT_AEC_HDLPCN   0x40000000u
#define ENVME_FEAT_AEC_DLPCN    0x80000000u

/* 0Ch Autonomous Power State Transition */
#define ENVME_FEAT_APST_APSTE   0x00000001u

struct envme_feat_apst {
    le64_t  entry[32];                      /* by power state */
};
_Static_assert(sizeof(struct envme_feat_apst) == 256, "");

#define ENVME_APST_ITPS         UINT64_C(0x000000f8)
#define ENVME_APST_ITPT         UINT64_C(0xffffff00)    /* ms */

/* 0Dh Host Memory Buffer; CDW12 HSIZE, CDW13/14 list address, CDW15 HMDLEC */
#define ENVME_FEAT_HMB_EHM      0x00000001u
#define ENVME_FEAT_HMB_MR       0x00000002u
#define ENVME_FEAT_HMB_HMNARE   0x00000004u
#define ENVME_FEAT_HMB_HMNAR    0x00000008u

struct envme_hmb_entry {
    le64_t  badd;
    le32_t  bsize;                          /* in CC.MPS pages */
    uint8_t rsvd12[4];
};
_Static_assert(sizeof(struct envme_hmb_entry) == 16, "");

struct envme_feat_hmb {
    le32_t  hsize;
    le32_t  hmdlal;
    le32_t  hmdlau;
    le32_t  hmdlec;
    uint8_t rsvd16[4080];
};
_Static_assert(sizeof(struct envme_feat_hmb) == 4096, "");

/* 0Eh Timestamp: milliseconds, 48 bits */
struct envme_timestamp {
    uint8_t timestamp[6];
    uint8_t attr;
    uint8_t rsvd7;
};
_Static_assert(sizeof(struct envme_timestamp) == 8, "");

#define ENVME_TIMESTAMP_SYNCH   0x01u       /* attr: counting was suspended */
#define ENVME_TIMESTAMP_TO      0x0eu

enum {                                      /* TO: origin */
    ENVME_TIMESTAMP_TO_RESET    = 0,
    ENVME_TIMESTAMP_TO_HOST     = 1,
};

/* 0Fh Keep Alive Timer: KATO in ms, all of CDW11 */

/* 10h Host Controlled Thermal Management (Kelvin) */
#define ENVME_FEAT_HCTM_TMT2    0x0000ffffu
#define ENVME_FEAT_HCTM_TMT1    0xffff0000u

/* 11h Non-Operational Power State Config */
#define ENVME_FEAT_NOPSC_NOPPME 0x00000001u

/* 12h Read Recovery Level, 13h/14h Predictable Latency Mode */
#define ENVME_FEAT_NVMSETID     0x0000ffffu
#define ENVME_FEAT_RRL_RRL      0x0000000fu /* CDW12 */
#define ENVME_FEAT_PLM_PLE      0x00000001u /* CDW12 */
#define ENVME_FEAT_PLM_WS       0x00000007u /* CDW12 */

enum {                                      /* ENVME_FEAT_PLM_WS */
    ENVME_PLM_DTWIN             = 1,
    ENVME_PLM_NDWIN             = 2,
};

struct envme_feat_plm {
    le16_t  ee;
    uint8_t rsvd2[30];
    le64_t  dtwinrt;
    le64_t  dtwinwt;
    le64_t  dtwintt;
    uint8_t rsvd56[456];
};
_Static_assert(sizeof(struct envme_feat_plm) == 512, "");

/* 15h LBA Status Information Report Interval (100 ms) */
#define ENVME_FEAT_LBAS_LSIRI   0x0000ffffu
#define ENVME_FEAT_LBAS_LSIPI   0xffff0000u

/* 16h Host Behavior Support */
struct envme_feat_host_behavior {
    uint8_t acre;
    uint8_t etdas;
    uint8_t lbafee;
    uint8_t hdisns;
    le16_t  cdfe;
    uint8_t rsvd6[506];
};
_Static_assert(sizeof(struct envme_feat_host_behavior) == 512, "");

#define ENVME_CDFE_CDF2E        0x0004u     /* Copy descriptor format 2 */
#define ENVME_CDFE_CDF3E        0x0008u
#define ENVME_CDFE_CDF4E        0x0010u

/* 17h Sanitize Config */
#define ENVME_FEAT_SANITIZE_NODRM 0x00000001u

/* 18h Endurance Group Event Configuration */
#define ENVME_FEAT_EGE_ENDGID   0x0000ffffu
#define ENVME_FEAT_EGE_EGCW     0x00ff0000u

/* 19h I/O Command Set Profile: an index into CNS 1Ch */
#define ENVME_FEAT_IOCSP_IOCSCI 0x000001ffu

/* 1Ah Spinup Control, 1Bh Power Loss Signaling Config */
#define ENVME_FEAT_SPINUP_SUE   0x00000001u
#define ENVME_FEAT_PLS_PLSM     0x00000003u

/* 1Ch Performance Characteristics */
#define ENVME_FEAT_PERF_ATTRI   0x000000ffu
#define ENVME_FEAT_PERF_RVSPA   0x00000100u

enum {                                      /* ATTRI */
    ENVME_PERF_STANDARD         = 0x00,
    ENVME_PERF_ID_LIST          = 0xc0,
    ENVME_PERF_VENDOR_FIRST     = 0xc1,
};

struct envme_perf_standard {
    uint8_t rsvd0[4];
    uint8_t r4karl;
    uint8_t rsvd5[4091];
};
_Static_assert(sizeof(struct envme_perf_standard) == 4096, "");

struct envme_perf_id_list {
    uint8_t attrtyp;
    uint8_t msvspa;
    uint8_t usvspa;
    uint8_t rsvd3[13];
    uint8_t id[63][16];
    uint8_t rsvd1024[3072];
};
_Static_assert(sizeof(struct envme_perf_id_list) == 4096, "");

struct envme_perf_vendor {
    uint8_t paid[16];
    uint8_t rsvd16[14];
    le16_t  attrl;
    uint8_t vs[4064];
};
_Static_assert(sizeof(struct envme_perf_vendor) == 4096, "");

/* 1Dh Flexible Data Placement, 1Eh FDP Events */
#define ENVME_FEAT_FDP_ENDGID   0x0000ffffu
#define ENVME_FEAT_FDP_FDPE     0x00000001u /* CDW12 and DW0 */
#define ENVME_FEAT_FDP_FDPCIDX  0x0000ff00u /* CDW12 and DW0 */
#define ENVME_FEAT_FDPE_PHNDL   0x0000ffffu
#define ENVME_FEAT_FDPE_NOET    0x00ff0000u
#define ENVME_FEAT_FDPE_FDPEE   0x00000001u /* CDW12 */

/* 1Fh Namespace Admin Label */
struct envme_feat_ns_label {
    uint8_t nal[256];
};
_Static_assert(sizeof(struct envme_feat_ns_label) == 256, "");

/* 20h Key Value Configuration */
#define ENVME_FEAT_KV_EDNEK     0x00000001u

/* 21h Controller Data Queue; Set: CDW12 HP, CDW13 TPT */
#define ENVME_FEAT_CDQ_CDQID    0x0000ffffu
#define ENVME_FEAT_CDQ_ETPT     0x80000000u

struct envme_feat_cdq {
    le32_t  hp;
    le32_t  tpt;
};
_Static_assert(sizeof(struct envme_feat_cdq) == 8, "");

/* 7Dh to 7Fh Host Metadata */
#define ENVME_FEAT_META_GDHM    0x00000001u /* Get: generate defaults */
#define ENVME_FEAT_META_EA      0x00006000u /* Set */

enum {                                      /* ENVME_FEAT_META_EA */
    ENVME_META_ADD_REPLACE      = 0,
    ENVME_META_DELETE           = 1,
    ENVME_META_ADD              = 2,        /* several of one type */
};

struct envme_meta_element {
    uint8_t et;
    uint8_t er;
    le16_t  elen;
    uint8_t eval[];
};
_Static_assert(sizeof(struct envme_meta_element) == 4, "");

struct envme_feat_meta {
    uint8_t nmed;
    uint8_t rsvd1;
    uint8_t med[4094];
};
_Static_assert(sizeof(struct envme_feat_meta) == 4096, "");

/* 80h Software Progress Marker */
#define ENVME_FEAT_SPM_PBSLC    0x000000ffu

/* 81h Host Identifier: 8 bytes, or 16 with EXHID */
#define ENVME_FEAT_HOSTID_EXHID 0x00000001u

/* 82h, 83h Reservation Notification Mask, Persistence */
#define ENVME_FEAT_RESVN_REGPRE 0x00000002u
#define ENVME_FEAT_RESVN_RESREL 0x00000004u
#define ENVME_FEAT_RESVN_RESPRE 0x00000008u
#define ENVME_FEAT_RESVP_PTPL   0x00000001u

/* 84h Namespace Write Protection Config */
#define ENVME_FEAT_NSWP_WPS     0x00000007u

enum {                                      /* ENVME_FEAT_NSWP_WPS */
    ENVME_NSWP_NONE             = 0,
    ENVME_NSWP_WRITE_PROTECT    = 1,
    ENVME_NSWP_POWER_CYCLE      = 2,
    ENVME_NSWP_PERMANENT        = 3,
};

/* 85h Boot Partition Write Protection Config */
#define ENVME_FEAT_BPWP_BP0WPS  0x00000007u
#define ENVME_FEAT_BPWP_BP1WPS  0x00000038u

enum {                                      /* BP0WPS, BP1WPS */
    ENVME_BPWP_NO_CHANGE        = 0,
    ENVME_BPWP_UNLOCKED         = 1,
    ENVME_BPWP_LOCKED           = 2,
    ENVME_BPWP_POWER_CYCLE      = 3,
    ENVME_BPWP_RPMB             = 4,        /* Get only: RPMB controls it */
};

#endif
