/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NVM command set: overlays of the submission queue entry and data
 * structures.  Opcodes and dword masks are in cmd.h, Identify in id.h.
 *
 * Spec: NVM Command Set 1.1, 3.3 (commands), 4.2.1 (Get LBA Status), 5.3
 * (protection information).
 */
#ifndef ENVME_NVM_H
#define ENVME_NVM_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "cmd.h"

/* Read, Write, Compare, Write Zeroes, Write Uncorrectable, Verify */
struct envme_sqe_rw {
    uint8_t opc;
    uint8_t flags;
    le16_t  cid;
    le32_t  nsid;
    le32_t  cdw2;                           /* tags, 47:32 upwards */
    le32_t  cdw3;
    le64_t  mptr;
    union envme_dptr dptr;
    le64_t  slba;
    le16_t  nlb;                            /* 0's based */
    le16_t  control;                        /* CDW12[31:16] */
    le32_t  cdw13;
    le32_t  cdw14;                          /* tags, 31:0 */
    le16_t  lbat;
    le16_t  lbatm;
};
_Static_assert(sizeof(struct envme_sqe_rw) == 64, "");
_Static_assert(offsetof(struct envme_sqe_rw, slba) == 40, "");
_Static_assert(offsetof(struct envme_sqe_rw, nlb) == 48, "");
_Static_assert(offsetof(struct envme_sqe_rw, control) == 50, "");
_Static_assert(offsetof(struct envme_sqe_rw, lbat) == 60, "");

/* Copy */
struct envme_sqe_copy {
    uint8_t opc;
    uint8_t flags;
    le16_t  cid;
    le32_t  nsid;
    le32_t  cdw2;
    le32_t  cdw3;
    le64_t  mptr;
    union envme_dptr dptr;
    le64_t  sdlba;
    le32_t  cdw12;
    le32_t  cdw13;
    le32_t  cdw14;
    le16_t  lbat;
    le16_t  lbatm;
};
_Static_assert(sizeof(struct envme_sqe_copy) == 64, "");
_Static_assert(offsetof(struct envme_sqe_copy, sdlba) == 40, "");

/* Copy CDW12 (NR is 0's based); CDW13 is as in Write */
#define ENVME_COPY_NR           0x000000ffu
#define ENVME_COPY_DESFMT       0x00000f00u
#define ENVME_COPY_PRINFOR      0x0000f000u
#define ENVME_COPY_CETYPE       0x000f0000u
#define ENVME_COPY_DTYPE        0x00f00000u
#define ENVME_COPY_STCW         0x01000000u
#define ENVME_COPY_STCR         0x02000000u
#define ENVME_COPY_PRINFOW      0x3c000000u
#define ENVME_COPY_FUA          0x40000000u
#define ENVME_COPY_LR           0x80000000u

/* Source ranges; formats 0 and 2 are of 16b PI, 1 and 3 of 32b and 64b */
struct envme_copy_range_f0 {
    uint8_t rsvd0[8];
    le64_t  slba;
    le16_t  nlb;                            /* 0's based */
    uint8_t rsvd18[6];
    le32_t  elbrt;                          /* ELBST and EILBRT */
    le16_t  elbat;
    le16_t  elbatm;
};
_Static_assert(sizeof(struct envme_copy_range_f0) == 32, "");
_Static_assert(offsetof(struct envme_copy_range_f0, elbrt) == 24, "");

struct envme_copy_range_f1 {
    uint8_t rsvd0[8];
    le64_t  slba;
    le16_t  nlb;
    uint8_t rsvd18[8];
    uint8_t elbt[10];                       /* big-endian */
    le16_t  elbat;
    le16_t  elbatm;
};
_Static_assert(sizeof(struct envme_copy_range_f1) == 40, "");
_Static_assert(offsetof(struct envme_copy_range_f1, elbt) == 26, "");

struct envme_copy_range_f2 {
    le32_t  snsid;
    uint8_t rsvd4[4];
    le64_t  slba;
    le16_t  nlb;
    uint8_t rsvd18[4];
    le16_t  sopt;
    le32_t  elbrt;
    le16_t  elbat;
    le16_t  elbatm;
};
_Static_assert(sizeof(struct envme_copy_range_f2) == 32, "");
_Static_assert(offsetof(struct envme_copy_range_f2, sopt) == 22, "");

struct envme_copy_range_f3 {
    le32_t  snsid;
    uint8_t rsvd4[4];
    le64_t  slba;
    le16_t  nlb;
    uint8_t rsvd18[4];
    le16_t  sopt;
    uint8_t rsvd24[2];
    uint8_t elbt[10];
    le16_t  elbat;
    le16_t  elbatm;
};
_Static_assert(sizeof(struct envme_copy_range_f3) == 40, "");
_Static_assert(offsetof(struct envme_copy_range_f3, elbt) == 26, "");

#define ENVME_COPY_SOPT_FCO     0x8000u     /* fast copy only */

/* Dataset Management range */
struct envme_dsm_range {
    le32_t  cattr;
    le32_t  nlb;                            /* not 0's based */
    le64_t  slba;
};
_Static_assert(sizeof(struct envme_dsm_range) == 16, "");

#define ENVME_DSM_CATTR_AF      0x0000000fu
#define ENVME_DSM_CATTR_AL      0x00000030u
#define ENVME_DSM_CATTR_SR      0x00000100u
#define ENVME_DSM_CATTR_SW      0x00000200u
#define ENVME_DSM_CATTR_WP      0x00000400u
#define ENVME_DSM_CATTR_CAS     0xff000000u

/*
 * Protection information, as it lies in the metadata.  All fields are
 * big-endian, therefore bytes.
 */
struct envme_pi_16b {
    uint8_t guard[2];
    uint8_t apptag[2];
    uint8_t sr[4];                          /* storage tag, reference tag */
};
_Static_assert(sizeof(struct envme_pi_16b) == 8, "");

struct envme_pi_32b {
    uint8_t guard[4];
    uint8_t apptag[2];
    uint8_t sr[10];
};
_Static_assert(sizeof(struct envme_pi_32b) == 16, "");

struct envme_pi_64b {
    uint8_t guard[8];
    uint8_t apptag[2];
    uint8_t sr[6];
};
_Static_assert(sizeof(struct envme_pi_64b) == 16, "");

/* Get LBA Status: header, then descriptors */
struct envme_lba_status {
    le32_t  nlsd;
    uint8_t cmpc;
    uint8_t rsvd5[3];
};
_Static_assert(sizeof(struct envme_lba_status) == 8, "");

struct envme_lba_status_desc {
    le64_t  dslba;
    le32_t  nlb;
    uint8_t rsvd12;
    uint8_t status;
    uint8_t rsvd14[2];
};
_Static_assert(sizeof(struct envme_lba_status_desc) == 16, "");

enum {                                      /* LBARS in status */
    ENVME_LBARS_MAYBE           = 0,        /* or read successfully */
    ENVME_LBARS_UNRECOVERABLE   = 1,        /* by errors, or as below */
    ENVME_LBARS_ALLOCATED       = 2,
    ENVME_LBARS_WRITE_UNCOR     = 3,        /* Write Uncorrectable alone */
};

enum {                                      /* CMPC */
    ENVME_LBAST_CMPC_NONE       = 0,
    ENVME_LBAST_CMPC_INCOMPLETE = 1,
    ENVME_LBAST_CMPC_COMPLETE   = 2,
};

#endif
