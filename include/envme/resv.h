/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reservations.
 *
 * Spec: NVMe Base 2.1, 7.5 to 7.8 (Reservation commands), 5.1.12.1.32
 * (Reservation Notification), 8.1.22 (reservations).
 */
#ifndef ENVME_RESV_H
#define ENVME_RESV_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* CDW10; IEKEY and DISNSRS are at the same place in all three */
#define ENVME_RESV_IEKEY        0x00000008u
#define ENVME_RESV_DISNSRS      0x00000010u
#define ENVME_RESV_RREGA        0x00000007u /* Register */
#define ENVME_RESV_CPTPL        0xc0000000u
#define ENVME_RESV_RACQA        0x00000007u /* Acquire */
#define ENVME_RESV_RRELA        0x00000007u /* Release */
#define ENVME_RESV_RTYPE        0x0000ff00u /* Acquire, Release */

/* Reservation Report CDW11 (CDW10 is NUMD, 0's based) */
#define ENVME_RESV_REPORT_EDS   0x00000001u
#define ENVME_RESV_REPORT_DISNSRS 0x00000002u

enum {                                      /* ENVME_RESV_RREGA */
    ENVME_RREGA_REGISTER        = 0,
    ENVME_RREGA_UNREGISTER      = 1,
    ENVME_RREGA_REPLACE         = 2,
};

enum {                                      /* ENVME_RESV_CPTPL */
    ENVME_CPTPL_NO_CHANGE       = 0,
    ENVME_CPTPL_CLEAR           = 2,
    ENVME_CPTPL_PERSIST         = 3,
};

enum {                                      /* ENVME_RESV_RACQA */
    ENVME_RACQA_ACQUIRE         = 0,
    ENVME_RACQA_PREEMPT         = 1,
    ENVME_RACQA_PREEMPT_ABORT   = 2,
};

enum {                                      /* ENVME_RESV_RRELA */
    ENVME_RRELA_RELEASE         = 0,
    ENVME_RRELA_CLEAR           = 1,
};

enum {                                      /* ENVME_RESV_RTYPE */
    ENVME_RTYPE_NONE            = 0,
    ENVME_RTYPE_WE              = 1,        /* Write Exclusive */
    ENVME_RTYPE_EA              = 2,        /* Exclusive Access */
    ENVME_RTYPE_WERO            = 3,        /* ... Registrants Only */
    ENVME_RTYPE_EARO            = 4,
    ENVME_RTYPE_WEAR            = 5,        /* ... All Registrants */
    ENVME_RTYPE_EAAR            = 6,
};

/* Data of Register and of Acquire; Release sends the current key alone */
struct envme_resv_register {
    le64_t  crkey;
    le64_t  nrkey;
};
_Static_assert(sizeof(struct envme_resv_register) == 16, "");

struct envme_resv_acquire {
    le64_t  crkey;
    le64_t  prkey;
};
_Static_assert(sizeof(struct envme_resv_acquire) == 16, "");

struct envme_resv_release {
    le64_t  crkey;
};
_Static_assert(sizeof(struct envme_resv_release) == 8, "");

/* Data of Report: header, then one registrant each */
struct envme_resv_status {
    le32_t  gen;
    uint8_t rtype;
    uint8_t regstrnt[2];
    uint8_t rsvd7[2];
    uint8_t ptpls;
    uint8_t rsvd10[14];
};
_Static_assert(sizeof(struct envme_resv_status) == 24, "");
_Static_assert(offsetof(struct envme_resv_status, ptpls) == 9, "");

struct envme_resv_registrant {
    le16_t  cntlid;
    uint8_t rcsts;
    uint8_t rsvd3[5];
    le64_t  hostid;
    le64_t  rkey;
};
_Static_assert(sizeof(struct envme_resv_registrant) == 24, "");

/* The same with EDS: 128-bit host identifiers */
struct envme_resv_status_ext {
    struct envme_resv_status status;
    uint8_t rsvd24[40];
};
_Static_assert(sizeof(struct envme_resv_status_ext) == 64, "");

struct envme_resv_registrant_ext {
    le16_t  cntlid;
    uint8_t rcsts;
    uint8_t rsvd3[5];
    le64_t  rkey;
    uint8_t hostid[16];
    uint8_t rsvd32[32];
};
_Static_assert(sizeof(struct envme_resv_registrant_ext) == 64, "");

#define ENVME_RESV_RCSTS_HOLDS  0x01u

/* LID 80h: Reservation Notification */
struct envme_log_resv {
    le64_t  lpc;
    uint8_t rnlpt;
    uint8_t nalp;
    uint8_t rsvd10[2];
    le32_t  nsid;
    uint8_t rsvd16[48];
};
_Static_assert(sizeof(struct envme_log_resv) == 64, "");
_Static_assert(offsetof(struct envme_log_resv, nsid) == 12, "");

enum {                                      /* RNLPT */
    ENVME_RNLPT_EMPTY           = 0,
    ENVME_RNLPT_REG_PREEMPTED   = 1,
    ENVME_RNLPT_RELEASED        = 2,
    ENVME_RNLPT_RESV_PREEMPTED  = 3,
};

#endif
