/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log pages and asynchronous events.
 *
 * Spec: NVMe Base 2.1, 5.1.2 (Asynchronous Event Request) and 5.1.12 (Get Log
 * Page); NVM Command Set 1.1, 4.1.4.  The persistent event log is in pel.h,
 * the pages of ZNS, FDP and reservations in zns.h, fdp.h and resv.h.
 */
#ifndef ENVME_LOG_H
#define ENVME_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* Log page identifiers */
enum {
    ENVME_LID_SUPPORTED         = 0x00,
    ENVME_LID_ERROR             = 0x01,
    ENVME_LID_SMART             = 0x02,
    ENVME_LID_FW_SLOT           = 0x03,
    ENVME_LID_CHANGED_NS        = 0x04,     /* attached namespaces */
    ENVME_LID_EFFECTS           = 0x05,
    ENVME_LID_SELF_TEST         = 0x06,
    ENVME_LID_TELEMETRY_HOST    = 0x07,
    ENVME_LID_TELEMETRY_CTRL    = 0x08,
    ENVME_LID_ENDGRP            = 0x09,
    ENVME_LID_PLM_NVMSET        = 0x0a,     /* predictable latency */
    ENVME_LID_PLM_AGGREGATE     = 0x0b,
    ENVME_LID_ANA               = 0x0c,
    ENVME_LID_PERSISTENT_EVENT  = 0x0d,
    ENVME_LID_LBA_STATUS        = 0x0e,
    ENVME_LID_ENDGRP_AGGREGATE  = 0x0f,
    ENVME_LID_MEDIA_UNIT        = 0x10,
    ENVME_LID_CAPACITY_CONFIG   = 0x11,
    ENVME_LID_FID_EFFECTS       = 0x12,
    ENVME_LID_MI_EFFECTS        = 0x13,
    ENVME_LID_LOCKDOWN          = 0x14,
    ENVME_LID_BOOT_PARTITION    = 0x15,
    ENVME_LID_ROTATIONAL        = 0x16,
    ENVME_LID_DISPERSED_NS      = 0x17,
    ENVME_LID_MGMT_ADDR         = 0x18,
    ENVME_LID_PHY_RX_EOM        = 0x19,
    ENVME_LID_REACH_GROUPS      = 0x1a,
    ENVME_LID_REACH_ASSOC       = 0x1b,
    ENVME_LID_CHANGED_ALLOC_NS  = 0x1c,
    ENVME_LID_FDP_CONFIGS       = 0x20,
    ENVME_LID_FDP_RUH_USAGE     = 0x21,
    ENVME_LID_FDP_STATS         = 0x22,
    ENVME_LID_FDP_EVENTS        = 0x23,
    ENVME_LID_DISCOVERY         = 0x70,
    ENVME_LID_HOST_DISCOVERY    = 0x71,
    ENVME_LID_AVE_DISCOVERY     = 0x72,
    ENVME_LID_PULL_DDC          = 0x73,
    ENVME_LID_RESV_NOTIFICATION = 0x80,
    ENVME_LID_SANITIZE          = 0x81,
    ENVME_LID_CHANGED_ZONES     = 0xbf,
    ENVME_LID_VENDOR_FIRST      = 0xc0,
};

/* LSP field of Get Log Page, by page */
#define ENVME_LSP_TELEMETRY_CREATE  0x01u
#define ENVME_LSP_TELEMETRY_MCDA    0x0eu /* last area to create; 0: all */
#define ENVME_LSP_ANA_RGO           0x01u   /* groups only */
#define ENVME_LSP_PEL_ACTION        0x03u
#define ENVME_LSP_PEL_GEN           0x04u   /* generation number in LSI */
#define ENVME_LSP_LOCKDOWN_SCP      0x0fu
#define ENVME_LSP_LOCKDOWN_CNTTS    0x30u
#define ENVME_LSP_BP_BPID           0x01u
#define ENVME_LSP_FDP_HOST_EVENTS   0x01u

/*
 * Asynchronous events: type, and by type the information
 */
enum {
    ENVME_AEN_TYPE_ERROR        = 0,
    ENVME_AEN_TYPE_SMART        = 1,
    ENVME_AEN_TYPE_NOTICE       = 2,
    ENVME_AEN_TYPE_IMMEDIATE    = 3,
    ENVME_AEN_TYPE_ONE_SHOT     = 4,
    ENVME_AEN_TYPE_IOCS         = 6,
    ENVME_AEN_TYPE_VENDOR       = 7,
};

enum {                                      /* ENVME_AEN_TYPE_ERROR */
    ENVME_AEN_ERROR_DB_REG      = 0x00,     /* no such queue */
    ENVME_AEN_ERROR_DB_VALUE    = 0x01,
    ENVME_AEN_ERROR_DIAG        = 0x02,
    ENVME_AEN_ERROR_PERSISTENT  = 0x03,
    ENVME_AEN_ERROR_TRANSIENT   = 0x04,
    ENVME_AEN_ERROR_FW_LOAD     = 0x05,
};

enum {                                      /* ENVME_AEN_TYPE_SMART */
    ENVME_AEN_SMART_RELIABILITY = 0x00,
    ENVME_AEN_SMART_TEMPERATURE = 0x01,
    ENVME_AEN_SMART_SPARE       = 0x02,
};

enum {                                      /* ENVME_AEN_TYPE_NOTICE */
    ENVME_AEN_NOTICE_NS_ATTR    = 0x00,     /* attached namespace */
    ENVME_AEN_NOTICE_FW_ACT     = 0x01,
    ENVME_AEN_NOTICE_TELEMETRY  = 0x02,
    ENVME_AEN_NOTICE_ANA        = 0x03,
    ENVME_AEN_NOTICE_PLM        = 0x04,
    ENVME_AEN_NOTICE_LBA_STATUS = 0x05,
    ENVME_AEN_NOTICE_ENDGRP     = 0x06,
    ENVME_AEN_NOTICE_REACH_GROUP = 0x07,
    ENVME_AEN_NOTICE_REACH_ASSOC = 0x08,
    ENVME_AEN_NOTICE_ALLOC_NS   = 0x09,
    ENVME_AEN_NOTICE_ZONE       = 0xef,
    ENVME_AEN_NOTICE_DISCOVERY  = 0xf0,
    ENVME_AEN_NOTICE_HOST_DISC  = 0xf1,
    ENVME_AEN_NOTICE_AVE_DISC   = 0xf2,
    ENVME_AEN_NOTICE_PULL_DDC   = 0xf3,
};

enum {                                      /* ENVME_AEN_TYPE_IMMEDIATE */
    ENVME_AEN_IMMEDIATE_SHUTDOWN = 0x00,
    ENVME_AEN_IMMEDIATE_TEMP_RECOVERED = 0x01,
};

enum {                                      /* ENVME_AEN_TYPE_ONE_SHOT */
    ENVME_AEN_ONE_SHOT_CDQ_TAIL = 0x00,
};

enum {                                      /* ENVME_AEN_TYPE_IOCS */
    ENVME_AEN_IOCS_RESV         = 0x00,
    ENVME_AEN_IOCS_SANITIZE     = 0x01,
    ENVME_AEN_IOCS_SANITIZE_DEALLOC = 0x02,
    ENVME_AEN_IOCS_SANITIZE_VERIFY  = 0x03,
};

/* LID 00h: Supported Log Pages */
struct envme_log_supported {
    le32_t  lids[256];
};
_Static_assert(sizeof(struct envme_log_supported) == 1024, "");

#define ENVME_LIDS_LSUPP        0x00000001u
#define ENVME_LIDS_IOS          0x00000002u /* index offset */
#define ENVME_LIDS_LIDSP        0xffff0000u /* by LID: */
#define ENVME_LIDS_TELE_MCDAS   0x00010000u /* MCDA is honoured */
#define ENVME_LIDS_PEL_EC512    0x00010000u /* establish and read 512 bytes */
#define ENVME_LIDS_PEL_GNS      0x00020000u

/* LID 01h: Error Information, one entry; the newest comes first */
struct envme_log_error {
    le64_t  ecnt;                           /* 0: entry not valid */
    le16_t  sqid;
    le16_t  cid;
    le16_t  sts;                            /* as in the CQE, phase included */
    le16_t  pel;
    le64_t  lba;
    le32_t  nsid;
    uint8_t vsia;
    uint8_t trtype;
    uint8_t csi;
    uint8_t opc;
    le64_t  csinfo;
    le16_t  ttsi;
    uint8_t rsvd42[21];
    uint8_t lpver;
};
_Static_assert(sizeof(struct envme_log_error) == 64, "");
_Static_assert(offsetof(struct envme_log_error, lba) == 16, "");
_Static_assert(offsetof(struct envme_log_error, csinfo) == 32, "");
_Static_assert(offsetof(struct envme_log_error, lpver) == 63, "");

#define ENVME_PEL_BYTE          0x00ffu
#define ENVME_PEL_BIT           0x0700u
#define ENVME_PEL_NONE          0xffffu

/* LID 02h: SMART / Health Information; 16-byte counters are little-endian */
struct envme_log_smart {
    uint8_t cw;
    uint8_t ctemp[2];
    uint8_t avsp;
    uint8_t avspt;
    uint8_t pused;
    uint8_t egcws;
    uint8_t rsvd7[25];
    uint8_t dur[16];
    uint8_t duw[16];
    uint8_t hrc[16];
    uint8_t hwc[16];
    uint8_t cbt[16];
    uint8_t pwrc[16];
    uint8_t poh[16];
    uint8_t upl[16];
    uint8_t mdie[16];
    uint8_t neile[16];
    le32_t  wctt;
    le32_t  cctt;
    le16_t  tsen[8];
    le32_t  tmt1tc;
    le32_t  tmt2tc;
    le32_t  tttmt1;
    le32_t  tttmt2;
    uint8_t rsvd232[280];
};
_Static_assert(sizeof(struct envme_log_smart) == 512, "");
_Static_assert(offsetof(struct envme_log_smart, dur) == 32, "");
_Static_assert(offsetof(struct envme_log_smart, wctt) == 192, "");
_Static_assert(offsetof(struct envme_log_smart, tsen) == 200, "");

/* cw; the same bits enable the event in the AEC feature */
#define ENVME_SMART_CW_ASCBT    0x01u       /* spare below threshold */
#define ENVME_SMART_CW_TTC      0x02u       /* temperature */
#define ENVME_SMART_CW_NDR      0x04u       /* reliability degraded */
#define ENVME_SMART_CW_AMRO     0x08u       /* media read only */
#define ENVME_SMART_CW_VMBF     0x10u       /* volatile backup failed */
#define ENVME_SMART_CW_PMRRO    0x20u

/* egcws; also cw of LID 09h */
#define ENVME_EGCW_EGASCBT      0x01u
#define ENVME_EGCW_EGDR         0x04u
#define ENVME_EGCW_EGRO         0x08u

/* LID 03h: Firmware Slot Information */
struct envme_log_fw {
    uint8_t afi;
    uint8_t rsvd1[7];
    char    frs[7][8];
    uint8_t rsvd64[448];
};
_Static_assert(sizeof(struct envme_log_fw) == 512, "");

#define ENVME_AFI_CAFSL         0x07u       /* current */
#define ENVME_AFI_NCAFSL        0x70u       /* at the next reset */

/*
 * LIDs 04h, 1Ch: Changed Attached/Allocated Namespace List are a struct
 * envme_ns_list; more than 1,024 are told by FFFFFFFFh, then zeroes.
 */

/* LID 05h: Commands Supported and Effects */
struct envme_log_effects {
    le32_t  acs[256];
    le32_t  iocs[256];
    uint8_t rsvd2048[2048];
};
_Static_assert(sizeof(struct envme_log_effects) == 4096, "");

/* Bits 0 to 4 and scope are those of LIDs 12h and 13h also */
#define ENVME_EFF_CSUPP         0x00000001u
#define ENVME_EFF_LBCC          0x00000002u /* user data content change */
#define ENVME_EFF_NCC           0x00000004u
#define ENVME_EFF_NIC           0x00000008u
#define ENVME_EFF_CCC           0x00000010u
#define ENVME_EFF_CSER          0x0000c000u
#define ENVME_EFF_CSE           0x00070000u
#define ENVME_EFF_USS           0x00080000u
#define ENVME_EFF_CSP           0xfff00000u

#define ENVME_EFF_CSE_NS        0x00010000u /* alone on the namespace */
#define ENVME_EFF_CSE_ANY       0x00020000u /* alone */
#define ENVME_EFF_CSP_NS        0x00100000u
#define ENVME_EFF_CSP_CTRL      0x00200000u
#define ENVME_EFF_CSP_NVMSET    0x00400000u
#define ENVME_EFF_CSP_ENDGRP    0x00800000u
#define ENVME_EFF_CSP_DOMAIN    0x01000000u
#define ENVME_EFF_CSP_SUBSYS    0x02000000u
#define ENVME_EFF_CSP_CDQ       0x04000000u

/* LID 12h: Feature Identifiers Supported and Effects */
struct envme_log_fid_effects {
    le32_t  fid[256];
};
_Static_assert(sizeof(struct envme_log_fid_effects) == 1024, "");

#define ENVME_FIDEFF_FSUPP      0x00000001u
#define ENVME_FIDEFF_UDCC       0x00000002u
#define ENVME_FIDEFF_NCC        0x00000004u
#define ENVME_FIDEFF_NIC        0x00000008u
#define ENVME_FIDEFF_CCC        0x00000010u
#define ENVME_FIDEFF_USS        0x00080000u
#define ENVME_FIDEFF_FSP        0xfff00000u

#define ENVME_FIDEFF_FSP_NS     0x00100000u
#define ENVME_FIDEFF_FSP_CTRL   0x00200000u
#define ENVME_FIDEFF_FSP_NVMSET 0x00400000u
#define ENVME_FIDEFF_FSP_ENDGRP 0x00800000u
#define ENVME_FIDEFF_FSP_DOMAIN 0x01000000u
#define ENVME_FIDEFF_FSP_SUBSYS 0x02000000u
#define ENVME_FIDEFF_FSP_CDQ    0x04000000u

/* LID 13h: NVMe-MI Commands Supported and Effects */
struct envme_log_mi_effects {
    le32_t  cmd[256];
    uint8_t rsvd1024[3072];
};
_Static_assert(sizeof(struct envme_log_mi_effects) == 4096, "");

/* LID 06h: Device Self-test */
struct envme_selftest_result {
    uint8_t dsts;
    uint8_t seg;
    uint8_t vdi;
    uint8_t rsvd3;
    le64_t  poh;
    le32_t  nsid;
    le64_t  flba;
    uint8_t sct;
    uint8_t sc;
    uint8_t vs[2];
} __attribute__((packed));
_Static_assert(sizeof(struct envme_selftest_result) == 28, "");
_Static_assert(offsetof(struct envme_selftest_result, flba) == 16, "");

struct envme_log_selftest {
    uint8_t cdsto;
    uint8_t cdstc;
    uint8_t rsvd2[2];
    struct envme_selftest_result result[20];
} __attribute__((packed));
_Static_assert(sizeof(struct envme_log_selftest) == 564, "");

#define ENVME_DSTS_DSTR         0x0fu       /* result */
#define ENVME_DSTS_DSTC         0xf0u       /* the code (STC) it was begun by */
#define ENVME_CDSTO_DSTS        0x0fu       /* STC, or 0: none runs */
#define ENVME_CDSTC_DSTCP       0x7fu       /* percent */

#define ENVME_DST_VDI_NSID      0x01u
#define ENVME_DST_VDI_FLBA      0x02u
#define ENVME_DST_VDI_SCT       0x04u
#define ENVME_DST_VDI_SC        0x08u

enum {                                      /* DSTS.DSTR */
    ENVME_DSTR_OK               = 0x0,
    ENVME_DSTR_ABORTED          = 0x1,
    ENVME_DSTR_RESET            = 0x2,
    ENVME_DSTR_NS_REMOVED       = 0x3,
    ENVME_DSTR_FORMAT           = 0x4,
    ENVME_DSTR_FATAL            = 0x5,
    ENVME_DSTR_UNKNOWN_SEG      = 0x6,
    ENVME_DSTR_KNOWN_SEG        = 0x7,
    ENVME_DSTR_ABORTED_UNKNOWN  = 0x8,
    ENVME_DSTR_SANITIZE         = 0x9,
    ENVME_DSTR_UNUSED           = 0xf,
};

/* LIDs 07h, 08h: Telemetry, the header block; data areas are 512-byte blocks */
struct envme_log_telemetry {
    uint8_t lid;
    uint8_t rsvd1[4];
    uint8_t ieee[3];
    le16_t  dalb1;                          /* last block of area 1 */
    le16_t  dalb2;
    le16_t  dalb3;
    uint8_t rsvd14[2];
    le32_t  dalb4;
    uint8_t rsvd20[360];
    uint8_t ths;                            /* scope */
    uint8_t hostdgn;                        /* 07h; 08h: scope (TCS) */
    uint8_t tcda;                           /* controller data available */
    uint8_t tcdgn;
    uint8_t rsnid[128];
};
_Static_assert(sizeof(struct envme_log_telemetry) == 512, "");
_Static_assert(offsetof(struct envme_log_telemetry, dalb4) == 16, "");
_Static_assert(offsetof(struct envme_log_telemetry, ths) == 380, "");
_Static_assert(offsetof(struct envme_log_telemetry, rsnid) == 384, "");

/* LID 09h: Endurance Group Information; LSI is the ENDGID */
struct envme_log_endgrp {
    uint8_t cw;
    uint8_t egf;
    uint8_t rsvd2;
    uint8_t avsp;
    uint8_t avspt;
    uint8_t pused;
    le16_t  domainid;
    uint8_t rsvd8[24];
    uint8_t ee[16];
    uint8_t dur[16];
    uint8_t duw[16];
    uint8_t muw[16];
    uint8_t hrc[16];
    uint8_t hwc[16];
    uint8_t mdie[16];
    uint8_t neile[16];
    uint8_t tegcap[16];
    uint8_t uegcap[16];
    uint8_t rsvd192[320];
};
_Static_assert(sizeof(struct envme_log_endgrp) == 512, "");
_Static_assert(offsetof(struct envme_log_endgrp, ee) == 32, "");
_Static_assert(offsetof(struct envme_log_endgrp, tegcap) == 160, "");

#define ENVME_EGF_EGRMEDIA      0x01u       /* rotational */

/* LID 0Ah: Predictable Latency Per NVM Set; LSI is the NVMSETID */
struct envme_log_plm {
    uint8_t status;
    uint8_t rsvd1;
    le16_t  et;
    uint8_t rsvd4[28];
    le64_t  dtwinrt;
    le64_t  dtwinwt;
    le64_t  dtwintm;
    le64_t  ndwintmh;
    le64_t  ndwintml;
    uint8_t rsvd72[56];
    le64_t  dtwinre;
    le64_t  dtwinwe;
    le64_t  dtwinte;
    uint8_t rsvd152[360];
};
_Static_assert(sizeof(struct envme_log_plm) == 512, "");
_Static_assert(offsetof(struct envme_log_plm, dtwinre) == 128, "");

/* LIDs 0Bh, 0Fh: event aggregates: a count, then NVMSETIDs or ENDGIDs */
struct envme_log_aggregate {
    le64_t  ne;
    le16_t  id[];
};
_Static_assert(sizeof(struct envme_log_aggregate) == 8, "");

/* LID 0Ch: Asymmetric Namespace Access: header, then group descriptors */
struct envme_log_ana {
    le64_t  chngc;
    le16_t  nagd;
    uint8_t rsvd10[6];
};
_Static_assert(sizeof(struct envme_log_ana) == 16, "");

struct envme_ana_desc {                     /* then NNSID NSIDs */
    le32_t  agid;
    le32_t  nnsid;
    le64_t  chngc;
    uint8_t anas;
    uint8_t rsvd17[15];
    le32_t  nsid[];
};
_Static_assert(sizeof(struct envme_ana_desc) == 32, "");

enum {                                      /* ANAS */
    ENVME_ANA_OPTIMIZED         = 0x1,
    ENVME_ANA_NON_OPTIMIZED     = 0x2,
    ENVME_ANA_INACCESSIBLE      = 0x3,
    ENVME_ANA_PERSISTENT_LOSS   = 0x4,
    ENVME_ANA_CHANGE            = 0xf,
};

/* LID 0Eh: LBA Status Information: header, namespace elements, ranges */
struct envme_log_lba_status {
    le32_t  lslplen;
    le32_t  nlslne;
    le32_t  estulb;
    uint8_t rsvd12[2];
    le16_t  lsgc;
};
_Static_assert(sizeof(struct envme_log_lba_status) == 16, "");

struct envme_lbas_ns {
    le32_t  neid;
    le32_t  nlrd;
    uint8_t ratype;
    uint8_t rsvd9[7];
};
_Static_assert(sizeof(struct envme_lbas_ns) == 16, "");

struct envme_lbas_range {
    le64_t  rslba;
    le32_t  rnlb;
    uint8_t rsvd12[4];
};
_Static_assert(sizeof(struct envme_lbas_range) == 16, "");

/* LID 10h: Media Unit Status; LSI is the domain */
struct envme_log_media_unit {
    le16_t  nmu;
    le16_t  cchans;
    le16_t  selcfg;
    uint8_t rsvd6[10];
};
_Static_assert(sizeof(struct envme_log_media_unit) == 16, "");

struct envme_media_unit_status {
    le16_t  muid;
    le16_t  domainid;
    le16_t  endgid;
    le16_t  nvmsetid;
    le16_t  caf;
    uint8_t avsp;
    uint8_t pused;
    uint8_t mucs;
    uint8_t cio;                            /* the channels follow */
};
_Static_assert(sizeof(struct envme_media_unit_status) == 14, "");

/* LID 11h: Supported Capacity Configuration List: nested descriptors */
struct envme_log_capacity_config {
    uint8_t sccn;
    uint8_t rsvd1[15];
};
_Static_assert(sizeof(struct envme_log_capacity_config) == 16, "");

struct envme_capacity_config {
    le16_t  ccid;
    le16_t  domainid;
    le16_t  egcn;
    uint8_t rsvd6[26];
};
_Static_assert(sizeof(struct envme_capacity_config) == 32, "");

struct envme_endgrp_config {                /* then EGSETS NVMSETIDs */
    le16_t  endgid;
    le16_t  caf;
    uint8_t rsvd4[12];
    uint8_t tegcap[16];
    uint8_t segcap[16];
    uint8_t ee[16];
    uint8_t rsvd64[16];
    le16_t  egsets;
};
_Static_assert(sizeof(struct envme_endgrp_config) == 82, "");

struct envme_channel_config {
    le16_t  chanid;
    le16_t  chmus;
};
_Static_assert(sizeof(struct envme_channel_config) == 4, "");

struct envme_media_unit_config {
    le16_t  muid;
    uint8_t rsvd2[4];
    le16_t  mudl;
};
_Static_assert(sizeof(struct envme_media_unit_config) == 8, "");

/* LID 14h: Command and Feature Lockdown; LSP selects scope and contents */
struct envme_log_lockdown {
    uint8_t cfila;
    uint8_t rsvd1[2];
    uint8_t lngth;
    uint8_t cfil[508];
};
_Static_assert(sizeof(struct envme_log_lockdown) == 512, "");

enum {                                      /* ENVME_LSP_LOCKDOWN_CNTTS */
    ENVME_LOCKDOWN_CNTTS_SUPPORTED      = 0,
    ENVME_LOCKDOWN_CNTTS_PROHIBITED     = 1,
    ENVME_LOCKDOWN_CNTTS_PROHIBITED_OOB = 2,
};

/* LID 15h: Boot Partition: header, then the partition */
struct envme_log_boot_partition {
    uint8_t lid;
    uint8_t rsvd1[3];
    le32_t  bpinfo;
    uint8_t rsvd8[8];
};
_Static_assert(sizeof(struct envme_log_boot_partition) == 16, "");

#define ENVME_LOG_BPINFO_BPSZ   0x00007fffu
#define ENVME_LOG_BPINFO_ABPID  0x80000000u

/* LID 16h: Rotational Media Information; LSI is the ENDGID */
struct envme_log_rotational {
    le16_t  endgid;
    le16_t  numa;
    le16_t  nrs;
    uint8_t rsvd6[2];
    le32_t  spinc;
    le32_t  fspinc;
    le32_t  ldc;
    le32_t  fldc;
    uint8_t rsvd24[488];
};
_Static_assert(sizeof(struct envme_log_rotational) == 512, "");

/* LID 17h: Dispersed Namespace Participating NVM Subsystems; 256-byte NQNs */
struct envme_log_dispersed {
    le64_t  genctr;
    le64_t  numpsub;
    uint8_t rsvd16[240];
};
_Static_assert(sizeof(struct envme_log_dispersed) == 256, "");

/* LID 18h: Management Address List */
struct envme_mgmt_addr {
    uint8_t mat;
    uint8_t rsvd1[3];
    uint8_t madrs[508];
};
_Static_assert(sizeof(struct envme_mgmt_addr) == 512, "");

struct envme_log_mgmt_addr {
    struct envme_mgmt_addr mad[8];
};
_Static_assert(sizeof(struct envme_log_mgmt_addr) == 4096, "");

/* LID 19h: Physical Interface Receiver Eye Opening Measurement */
struct envme_log_eom {
    uint8_t lid;
    uint8_t eomip;
    le16_t  hsize;
    le32_t  rsize;
    uint8_t eomdgn;
    uint8_t lr;
    uint8_t odp;
    uint8_t lanes;
    uint8_t epl;
    uint8_t lspfc;
    uint8_t li;
    uint8_t rsvd15[3];
    le16_t  lsic;
    le32_t  dsize;
    le16_t  nd;
    le16_t  maxtb;
    le16_t  maxlr;
    le16_t  etgood;
    le16_t  etbetter;
    le16_t  etbest;
    uint8_t rsvd36[28];
};
_Static_assert(sizeof(struct envme_log_eom) == 64, "");

struct envme_eom_lane {
    uint8_t rsvd0;
    uint8_t mstatus;
    uint8_t lane;
    uint8_t eye;
    le16_t  top;
    le16_t  bottom;
    le16_t  left;
    le16_t  right;
    le16_t  nrows;
    le16_t  ncols;
    le16_t  edlen;
    uint8_t rsvd18[14];
};
_Static_assert(sizeof(struct envme_eom_lane) == 32, "");

/* LIDs 1Ah, 1Bh: Reachability Groups, Associations */
struct envme_log_reach {
    le64_t  chngc;
    le16_t  nrd;
    uint8_t rsvd10[6];
};
_Static_assert(sizeof(struct envme_log_reach) == 16, "");

struct envme_reach_group {                  /* then NNID NSIDs */
    le32_t  rgid;
    le32_t  nnid;
    le64_t  chngc;
    uint8_t rsvd16[16];
    le32_t  nsid[];
};
_Static_assert(sizeof(struct envme_reach_group) == 32, "");

struct envme_reach_assoc {                  /* then NRID RGIDs */
    le32_t  rasid;
    le32_t  nrid;
    le64_t  chngc;
    uint8_t rac;
    uint8_t rsvd17[15];
    le32_t  rgid[];
};
_Static_assert(sizeof(struct envme_reach_assoc) == 32, "");

/* LID 81h: Sanitize Status */
struct envme_log_sanitize {
    le16_t  sprog;
    le16_t  sstat;
    le32_t  scdw10;
    le32_t  eto;
    le32_t  etbe;
    le32_t  etce;
    le32_t  etond;
    le32_t  etbend;
    le32_t  etcend;
    le32_t  etpvds;
    uint8_t ssi;
    uint8_t rsvd37[475];
};
_Static_assert(sizeof(struct envme_log_sanitize) == 512, "");
_Static_assert(offsetof(struct envme_log_sanitize, ssi) == 36, "");

#define ENVME_SSTAT_SOS         0x0007u
#define ENVME_SSTAT_OPC         0x00f8u     /* overwrite passes done */
#define ENVME_SSTAT_GDE         0x0100u
#define ENVME_SSTAT_MVCNCLD     0x0200u
#define ENVME_SSI_SANS          0x0fu
#define ENVME_SSI_FAILS         0xf0u

enum {                                      /* SSTAT.SOS */
    ENVME_SOS_NEVER             = 0,
    ENVME_SOS_SUCCESS           = 1,
    ENVME_SOS_IN_PROGRESS       = 2,
    ENVME_SOS_FAILED            = 3,
    ENVME_SOS_SUCCESS_DEALLOC   = 4,
};

enum {                                      /* SSI.SANS, SSI.FAILS */
    ENVME_SANS_IDLE             = 0,
    ENVME_SANS_RESTRICTED       = 1,
    ENVME_SANS_RESTRICTED_FAIL  = 2,
    ENVME_SANS_UNRESTRICTED     = 3,
    ENVME_SANS_UNRESTRICTED_FAIL = 4,
    ENVME_SANS_MEDIA_VERIFY     = 5,
    ENVME_SANS_POST_VERIFY      = 6,        /* deallocation */
};

#endif
