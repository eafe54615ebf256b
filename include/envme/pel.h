/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Persistent Event log, LID 0Dh: header, then events, each of an event
 * header, vendor specific information and the event's data.
 *
 * Spec: NVMe Base 2.1, 5.1.12.1.14.
 */
#ifndef ENVME_PEL_H
#define ENVME_PEL_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "feat.h"

struct envme_log_pel {
    uint8_t lid;
    uint8_t rsvd1[3];
    le32_t  tnev;
    le64_t  tll;
    uint8_t rv;
    uint8_t rsvd17;
    le16_t  lhl;                            /* length from byte 20 */
    struct envme_timestamp ts;
    uint8_t poh[16];
    le64_t  pcc;
    le16_t  vid;
    le16_t  ssvid;
    char    sn[20];
    char    mn[40];
    char    subnqn[256];
    le16_t  gnum;
    le32_t  rci;
    uint8_t rsvd378[102];
    uint8_t seb[32];
} __attribute__((packed));
_Static_assert(sizeof(struct envme_log_pel) == 512, "");
_Static_assert(offsetof(struct envme_log_pel, ts) == 20, "");
_Static_assert(offsetof(struct envme_log_pel, vid) == 52, "");
_Static_assert(offsetof(struct envme_log_pel, subnqn) == 116, "");
_Static_assert(offsetof(struct envme_log_pel, seb) == 480, "");

#define ENVME_PEL_RCI_RCPID     0x0000ffffu
#define ENVME_PEL_RCI_RCPIT     0x00030000u
#define ENVME_PEL_RCI_RCE       0x00040000u /* a context is established */

enum {                                      /* ENVME_LSP_PEL_ACTION */
    ENVME_PEL_READ              = 0,
    ENVME_PEL_ESTABLISH_READ    = 1,
    ENVME_PEL_RELEASE           = 2,
    ENVME_PEL_ESTABLISH_512     = 3,        /* and read the header */
};

/* Event header */
struct envme_pel_event {
    uint8_t et;
    uint8_t etr;
    uint8_t ehl;                            /* length from byte 3 */
    uint8_t ehai;
    le16_t  cntlid;
    struct envme_timestamp ets;
    le16_t  pelpid;
    uint8_t rsvd16[4];
    le16_t  vsil;
    le16_t  el;                             /* with the VSIL */
} __attribute__((packed));
_Static_assert(sizeof(struct envme_pel_event) == 24, "");
_Static_assert(offsetof(struct envme_pel_event, ets) == 6, "");
_Static_assert(offsetof(struct envme_pel_event, vsil) == 20, "");

#define ENVME_PEL_EHAI_PIT      0x03u

enum {                                      /* ET; also bits of SEB */
    ENVME_PEL_SMART             = 0x01,     /* data: struct envme_log_smart */
    ENVME_PEL_FW_COMMIT         = 0x02,
    ENVME_PEL_TIMESTAMP         = 0x03,
    ENVME_PEL_POWER_ON          = 0x04,     /* or reset */
    ENVME_PEL_HW_ERROR          = 0x05,
    ENVME_PEL_CHANGE_NS         = 0x06,
    ENVME_PEL_FORMAT_START      = 0x07,
    ENVME_PEL_FORMAT_DONE       = 0x08,
    ENVME_PEL_SANITIZE_START    = 0x09,
    ENVME_PEL_SANITIZE_DONE     = 0x0a,
    ENVME_PEL_SET_FEATURE       = 0x0b,
    ENVME_PEL_TELEMETRY         = 0x0c,
    ENVME_PEL_THERMAL           = 0x0d,
    ENVME_PEL_MEDIA_VERIFY      = 0x0e,
    ENVME_PEL_VENDOR            = 0xde,
    ENVME_PEL_TCG               = 0xdf,
};

struct envme_pel_fw_commit {
    char    ofr[8];
    char    nfr[8];
    uint8_t fca;
    uint8_t fs;
    uint8_t sct;
    uint8_t sc;
    le16_t  vafcrc;
};
_Static_assert(sizeof(struct envme_pel_fw_commit) == 22, "");

struct envme_pel_timestamp {
    struct envme_timestamp pts;
    le64_t  msr;                            /* ms since reset */
};
_Static_assert(sizeof(struct envme_pel_timestamp) == 16, "");

struct envme_pel_power_on {                 /* then one per controller */
    char    fr[8];
};
_Static_assert(sizeof(struct envme_pel_power_on) == 8, "");

struct envme_pel_power_on_ctrl {
    le16_t  cntlid;
    uint8_t fa;
    uint8_t oip;
    uint8_t rsvd4[12];
    le32_t  cpc;
    le64_t  pom;                            /* power on milliseconds */
    struct envme_timestamp cts;
} __attribute__((packed));
_Static_assert(sizeof(struct envme_pel_power_on_ctrl) == 36, "");

#define ENVME_PEL_OIP_FORMAT    0x01u       /* when it was reset */

enum {                                      /* FA */
    ENVME_PEL_FA_NONE           = 0,
    ENVME_PEL_FA_DONE           = 1,
    ENVME_PEL_FA_FAILED         = 2,
};

struct envme_pel_hw_error {                 /* then additional information */
    le16_t  nheec;
    uint8_t rsvd2[2];
};
_Static_assert(sizeof(struct envme_pel_hw_error) == 4, "");

enum {                                      /* NHEEC */
    ENVME_PEL_HW_PCIE_CORRECTABLE = 0x01,
    ENVME_PEL_HW_PCIE_NON_FATAL = 0x02,
    ENVME_PEL_HW_PCIE_FATAL     = 0x03,
    ENVME_PEL_HW_LINK_STATUS    = 0x04,
    ENVME_PEL_HW_LINK_INACTIVE  = 0x05,
    ENVME_PEL_HW_CRITICAL       = 0x06,     /* SMART's critical warning */
    ENVME_PEL_HW_ENDGRP         = 0x07,     /* warning, ENDGID */
    ENVME_PEL_HW_POWER_LOSS     = 0x08,     /* SMART's upl, then a byte */
    ENVME_PEL_HW_FATAL          = 0x09,     /* CSTS.CFS */
    ENVME_PEL_HW_MEDIA          = 0x0a,     /* the completion */
    ENVME_PEL_HW_READY_TIMEOUT  = 0x0b,
};

struct envme_pel_change_ns {
    le32_t  nsmgmt_cdw10;
    uint8_t rsvd4[4];
    le64_t  nsze;
    uint8_t rsvd16[8];
    le64_t  ncap;
    uint8_t flbas;
    uint8_t dps;
    uint8_t nmic;
    uint8_t rsvd35;
    le32_t  anagrpid;
    le16_t  nvmsetid;
    le16_t  endgid;
    le32_t  nsid;
};
_Static_assert(sizeof(struct envme_pel_change_ns) == 48, "");
_Static_assert(offsetof(struct envme_pel_change_ns, anagrpid) == 36, "");

struct envme_pel_format_start {
    le32_t  nsid;
    uint8_t fna;
    uint8_t rsvd5[3];
    le32_t  cdw10;
};
_Static_assert(sizeof(struct envme_pel_format_start) == 12, "");

struct envme_pel_format_done {
    le32_t  nsid;
    uint8_t sfpi;                           /* smallest FPI seen */
    uint8_t fns;
    le16_t  ci;
    le32_t  sf;
};
_Static_assert(sizeof(struct envme_pel_format_done) == 12, "");

#define ENVME_PEL_FNS_ERROR     0x01u
#define ENVME_PEL_FNS_INCOMPLETE 0x02u      /* and data was modified */

struct envme_pel_sanitize_start {
    le32_t  sanicap;
    le32_t  cdw10;
    le32_t  cdw11;
};
_Static_assert(sizeof(struct envme_pel_sanitize_start) == 12, "");

struct envme_pel_sanitize_done {
    le16_t  sprog;
    le16_t  sstat;
    le16_t  ci;
    uint8_t rsvd6[2];
};
_Static_assert(sizeof(struct envme_pel_sanitize_done) == 8, "");

struct envme_pel_set_feature {              /* then dwords, then memory */
    le32_t  sfel;
};
_Static_assert(sizeof(struct envme_pel_set_feature) == 4, "");

#define ENVME_PEL_SFEL_DWC      0x00000007u
#define ENVME_PEL_SFEL_LCCDW0   0x00000008u
#define ENVME_PEL_SFEL_MBC      0xffff0000u

struct envme_pel_telemetry {
    uint8_t header[512];                    /* struct envme_log_telemetry */
};
_Static_assert(sizeof(struct envme_pel_telemetry) == 512, "");

struct envme_pel_thermal {
    uint8_t ot;
    uint8_t th;
};
_Static_assert(sizeof(struct envme_pel_thermal) == 2, "");

enum {                                      /* TH */
    ENVME_PEL_TH_WCTEMP         = 0x01,
    ENVME_PEL_TH_CCTEMP         = 0x02,
    ENVME_PEL_TH_TMT1           = 0x03,
    ENVME_PEL_TH_TMT2           = 0x04,
    ENVME_PEL_TH_VENDOR_TM      = 0x05,
    ENVME_PEL_TH_NORMAL         = 0x88,     /* neither over nor under */
    ENVME_PEL_TH_TM_STOPPED     = 0x89,
    ENVME_PEL_TH_UNDER          = 0xb0,
};

#endif
