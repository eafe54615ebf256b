/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zoned Namespace command set.
 *
 * Spec: Zoned Namespace Command Set 1.2, 2.3 (zones), 3.4 (commands), 4.1.4
 * (Changed Zone List), 4.1.5 (Identify).
 */
#ifndef ENVME_ZNS_H
#define ENVME_ZNS_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* Opcodes, in addition to those of the NVM command set */
enum {
    ENVME_ZNS_MGMT_SEND         = 0x79,
    ENVME_ZNS_MGMT_RECV         = 0x7a,
    ENVME_ZNS_APPEND            = 0x7d,
};

/* Zone Append CDW12, in the place of ENVME_RW_DEAC; CDW10/11 are the ZSLBA */
#define ENVME_ZNS_APPEND_PIREMAP 0x02000000u

/* Zone Management Send CDW13 (CDW10/11 SLBA) */
#define ENVME_ZNS_SEND_ZSA      0x000000ffu
#define ENVME_ZNS_SEND_SALL     0x00000100u
#define ENVME_ZNS_SEND_ZSASO    0x00000200u
#define ENVME_ZNS_SEND_ZRWAA    0x00000200u /* ZSASO of Open Zone */

enum {                                      /* ENVME_ZNS_SEND_ZSA */
    ENVME_ZSA_CLOSE             = 0x01,
    ENVME_ZSA_FINISH            = 0x02,
    ENVME_ZSA_OPEN              = 0x03,
    ENVME_ZSA_RESET             = 0x04,
    ENVME_ZSA_OFFLINE           = 0x05,
    ENVME_ZSA_SET_DESC_EXT      = 0x10,
    ENVME_ZSA_FLUSH_ZRWA        = 0x11,
};

/* Zone Management Receive CDW13 (CDW10/11 SLBA, CDW12 NUMD, 0's based) */
#define ENVME_ZNS_RECV_ZRA      0x000000ffu
#define ENVME_ZNS_RECV_ZRASF    0x0000ff00u
#define ENVME_ZNS_RECV_ZRASPF   0x00010000u /* partial report */

enum {                                      /* ENVME_ZNS_RECV_ZRA */
    ENVME_ZRA_REPORT            = 0x00,
    ENVME_ZRA_EXTENDED_REPORT   = 0x01,
};

enum {                                      /* ENVME_ZNS_RECV_ZRASF */
    ENVME_ZRASF_ALL             = 0x00,
    ENVME_ZRASF_EMPTY           = 0x01,
    ENVME_ZRASF_IMP_OPEN        = 0x02,
    ENVME_ZRASF_EXP_OPEN        = 0x03,
    ENVME_ZRASF_CLOSED          = 0x04,
    ENVME_ZRASF_FULL            = 0x05,
    ENVME_ZRASF_READ_ONLY       = 0x06,
    ENVME_ZRASF_OFFLINE         = 0x07,
};

/* Zone descriptor */
struct envme_zns_desc {
    uint8_t zt;
    uint8_t zs;
    uint8_t za;
    uint8_t zai;
    uint8_t rsvd4[4];
    le64_t  zcap;
    le64_t  zslba;
    le64_t  wp;
    uint8_t rsvd32[32];
};
_Static_assert(sizeof(struct envme_zns_desc) == 64, "");
_Static_assert(offsetof(struct envme_zns_desc, wp) == 24, "");

#define ENVME_ZONE_ZT           0x0fu       /* of zt */
#define ENVME_ZONE_ZS           0xf0u       /* of zs */

enum {                                      /* ENVME_ZONE_ZT */
    ENVME_ZT_SEQ_WRITE_REQUIRED = 0x2,
};

enum {                                      /* ENVME_ZONE_ZS */
    ENVME_ZS_EMPTY              = 0x1,
    ENVME_ZS_IMP_OPEN           = 0x2,
    ENVME_ZS_EXP_OPEN           = 0x3,
    ENVME_ZS_CLOSED             = 0x4,
    ENVME_ZS_READ_ONLY          = 0xd,
    ENVME_ZS_FULL               = 0xe,
    ENVME_ZS_OFFLINE            = 0xf,
};

#define ENVME_ZA_ZFC            0x01u       /* finished by the controller */
#define ENVME_ZA_FZR            0x02u       /* finish recommended */
#define ENVME_ZA_RZR            0x04u       /* reset recommended */
#define ENVME_ZA_ZRWAV          0x08u
#define ENVME_ZA_ZDEV           0x80u       /* descriptor extension valid */
#define ENVME_ZAI_RZRTL         0x03u       /* time limit indexes, RRL..3 */
#define ENVME_ZAI_FZRTL         0x0cu

/* Report Zones header; descriptors (with extensions, if asked for) follow */
struct envme_zns_report {
    le64_t  nrz;
    uint8_t rsvd8[56];
};
_Static_assert(sizeof(struct envme_zns_report) == 64, "");

/* LID BFh: Changed Zone List */
struct envme_log_changed_zones {
    le16_t  nrzid;                          /* FFFFh: too many */
    uint8_t rsvd2[6];
    le64_t  zid[511];
};
_Static_assert(sizeof(struct envme_log_changed_zones) == 4096, "");

/* Identify Namespace, CNS 05h with CSI 02h */
struct envme_zns_lbafe {
    le64_t  zsze;
    uint8_t zdes;                           /* in 64-byte units */
    uint8_t rsvd9[7];
};
_Static_assert(sizeof(struct envme_zns_lbafe) == 16, "");

struct envme_id_ns_zns {
    le16_t  zoc;
    le16_t  ozcs;
    le32_t  mar;                            /* 0's based, as mor */
    le32_t  mor;
    le32_t  rrl;
    le32_t  frl;
    le32_t  rrl1;
    le32_t  rrl2;
    le32_t  rrl3;
    le32_t  frl1;
    le32_t  frl2;
    le32_t  frl3;
    le32_t  numzrwa;
    le16_t  zrwafg;
    le16_t  zrwasz;
    uint8_t zrwacap;
    uint8_t rsvd53[2763];
    struct envme_zns_lbafe lbafe[64];
    uint8_t vs[256];
};
_Static_assert(sizeof(struct envme_id_ns_zns) == 4096, "");
_Static_assert(offsetof(struct envme_id_ns_zns, numzrwa) == 44, "");
_Static_assert(offsetof(struct envme_id_ns_zns, lbafe) == 2816, "");

#define ENVME_ZOC_VZC           0x0001u     /* variable capacity */
#define ENVME_ZOC_ZAE           0x0002u     /* zone active excursions */
#define ENVME_OZCS_RAZB         0x0001u     /* read across boundaries */
#define ENVME_OZCS_ZRWASUP      0x0002u
#define ENVME_ZRWACAP_EXPFLUSHSUP 0x01u

/* Identify Controller, CNS 06h with CSI 02h */
struct envme_id_ctrl_zns {
    uint8_t zasl;
    uint8_t rsvd1[4095];
};
_Static_assert(sizeof(struct envme_id_ctrl_zns) == 4096, "");

#endif
