/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identify: CNS values, lists and the smaller data structures.  The large
 * ones are in id-ctrl.h and id-ns.h, those of other command sets in zns.h
 * and kv.h.
 *
 * Spec: NVMe Base 2.1, 5.1.13; NVM Command Set 1.1, 4.1.5.
 */
#ifndef ENVME_ID_H
#define ENVME_ID_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "id-ctrl.h"
#include "id-ns.h"

#define ENVME_ID_SIZE           4096u

/* Controller or Namespace Structure */
enum {
    ENVME_CNS_NS                = 0x00,
    ENVME_CNS_CTRL              = 0x01,
    ENVME_CNS_NS_LIST           = 0x02,     /* active NSIDs */
    ENVME_CNS_NS_DESCS          = 0x03,     /* NS identification descriptors */
    ENVME_CNS_NVMSET_LIST       = 0x04,
    ENVME_CNS_CS_NS             = 0x05,     /* command set specific */
    ENVME_CNS_CS_CTRL           = 0x06,
    ENVME_CNS_CS_NS_LIST        = 0x07,
    ENVME_CNS_NS_INDEP          = 0x08,
    ENVME_CNS_NS_UDF            = 0x09,     /* user data format */
    ENVME_CNS_CS_NS_UDF         = 0x0a,
    ENVME_CNS_ALLOC_NS_LIST     = 0x10,
    ENVME_CNS_ALLOC_NS          = 0x11,
    ENVME_CNS_NS_CTRL_LIST      = 0x12,
    ENVME_CNS_CTRL_LIST         = 0x13,
    ENVME_CNS_PRIMARY_CTRL      = 0x14,
    ENVME_CNS_SECONDARY_LIST    = 0x15,
    ENVME_CNS_NS_GRANULARITY    = 0x16,
    ENVME_CNS_UUID_LIST         = 0x17,
    ENVME_CNS_DOMAIN_LIST       = 0x18,
    ENVME_CNS_ENDGRP_LIST       = 0x19,
    ENVME_CNS_CS_ALLOC_NS_LIST  = 0x1a,
    ENVME_CNS_CS_ALLOC_NS       = 0x1b,
    ENVME_CNS_IOCS              = 0x1c,     /* command set combinations */
    ENVME_CNS_UNDERLYING_NS     = 0x1d,
    ENVME_CNS_PORTS_LIST        = 0x1e,
    ENVME_CNS_ALLOC_NS_INDEP    = 0x1f,
    ENVME_CNS_CTRL_STATE_FMTS   = 0x20,
};

/* Namespace identification descriptor, CNS 03h; a header, then the NID */
struct envme_nid {
    uint8_t nidt;
    uint8_t nidl;
    uint8_t rsvd2[2];
    uint8_t nid[];
};
_Static_assert(sizeof(struct envme_nid) == 4, "");

enum {                                      /* NIDT */
    ENVME_NIDT_EUI64            = 1,
    ENVME_NIDT_NGUID            = 2,
    ENVME_NIDT_UUID             = 3,
    ENVME_NIDT_CSI              = 4,
};

enum {                                      /* NIDL */
    ENVME_NIDL_EUI64            = 8,
    ENVME_NIDL_NGUID            = 16,
    ENVME_NIDL_UUID             = 16,
    ENVME_NIDL_CSI              = 1,
};

/* Namespace list: ascending, ended by 0 */
struct envme_ns_list {
    le32_t  nsid[1024];
};
_Static_assert(sizeof(struct envme_ns_list) == 4096, "");

/* Controller list: ascending; also the data of Namespace Attachment */
struct envme_ctrl_list {
    le16_t  num;
    le16_t  cntlid[2047];
};
_Static_assert(sizeof(struct envme_ctrl_list) == 4096, "");

/* NVM Set list, CNS 04h */
struct envme_nvmset_attr {
    le16_t  nvmsetid;
    le16_t  endgid;
    uint8_t rsvd4[4];
    le32_t  rr4kt;
    le32_t  ows;
    uint8_t tnvmsetcap[16];
    uint8_t unvmsetcap[16];
    uint8_t rsvd48[80];
};
_Static_assert(sizeof(struct envme_nvmset_attr) == 128, "");

struct envme_nvmset_list {
    uint8_t nid;
    uint8_t rsvd1[127];
    struct envme_nvmset_attr ent[31];
};
_Static_assert(sizeof(struct envme_nvmset_list) == 4096, "");

/* Primary controller capabilities, CNS 14h */
struct envme_primary_ctrl {
    le16_t  cntlid;
    le16_t  portid;
    uint8_t crt;
    uint8_t rsvd5[27];
    le32_t  vqfrt;
    le32_t  vqrfa;
    le16_t  vqrfap;
    le16_t  vqprt;
    le16_t  vqfrsm;
    le16_t  vqgran;
    uint8_t rsvd48[16];
    le32_t  vifrt;
    le32_t  virfa;
    le16_t  virfap;
    le16_t  viprt;
    le16_t  vifrsm;
    le16_t  vigran;
    uint8_t rsvd80[4016];
};
_Static_assert(sizeof(struct envme_primary_ctrl) == 4096, "");
_Static_assert(offsetof(struct envme_primary_ctrl, vqfrt) == 32, "");
_Static_assert(offsetof(struct envme_primary_ctrl, vifrt) == 64, "");

#define ENVME_CRT_VQRT          0x01u
#define ENVME_CRT_VIRT          0x02u

/* Secondary controller list, CNS 15h */
struct envme_secondary_ctrl {
    le16_t  scid;
    le16_t  pcid;
    uint8_t scs;
    uint8_t rsvd5[3];
    le16_t  vfn;
    le16_t  nvq;
    le16_t  nvi;
    uint8_t rsvd14[18];
};
_Static_assert(sizeof(struct envme_secondary_ctrl) == 32, "");

#define ENVME_SCS_ONLINE        0x01u

struct envme_secondary_list {
    uint8_t num;
    uint8_t rsvd1[31];
    struct envme_secondary_ctrl sc[127];
};
_Static_assert(sizeof(struct envme_secondary_list) == 4096, "");

/* Namespace granularity list, CNS 16h with CSI 00h */
struct envme_ns_granularity {
    le64_t  nszegran;
    le64_t  ncapgran;
};
_Static_assert(sizeof(struct envme_ns_granularity) == 16, "");

struct envme_ns_granularity_list {
    le32_t  attributes;
    uint8_t num;                            /* 0's based */
    uint8_t rsvd5[27];
    struct envme_ns_granularity entry[16];
    uint8_t rsvd288[3808];
};
_Static_assert(sizeof(struct envme_ns_granularity_list) == 4096, "");
_Static_assert(offsetof(struct envme_ns_granularity_list, entry) == 32, "");

#define ENVME_NSGRAN_GDV        0x00000001u /* one descriptor per LBA format */

/* UUID list, CNS 17h; entry 0 is UUID index 1 */
struct envme_uuid_entry {
    uint8_t header;
    uint8_t rsvd1[15];
    uint8_t uuid[16];
};
_Static_assert(sizeof(struct envme_uuid_entry) == 32, "");

#define ENVME_UUID_IDAS         0x03u       /* header: vendor association */

struct envme_uuid_list {
    uint8_t rsvd0[32];
    struct envme_uuid_entry entry[127];
};
_Static_assert(sizeof(struct envme_uuid_list) == 4096, "");

/* Domain list, CNS 18h */
struct envme_domain_attr {
    le16_t  domainid;
    uint8_t rsvd2[14];
    uint8_t tdcap[16];
    uint8_t udcap[16];
    uint8_t megdcap[16];
    uint8_t rsvd64[64];
};
_Static_assert(sizeof(struct envme_domain_attr) == 128, "");

struct envme_domain_list {
    uint8_t num;
    uint8_t rsvd1[127];
    struct envme_domain_attr attr[31];
};
_Static_assert(sizeof(struct envme_domain_list) == 4096, "");

/* Endurance Group list, CNS 19h */
struct envme_endgrp_list {
    le16_t  num;
    le16_t  endgid[2047];
};
_Static_assert(sizeof(struct envme_endgrp_list) == 4096, "");

/* I/O Command Set combinations, CNS 1Ch; IOCSCI is the index */
struct envme_id_iocs {
    le64_t  iocsc[512];
};
_Static_assert(sizeof(struct envme_id_iocs) == 4096, "");

/* Bit of a command set in a combination */
#define ENVME_IOCSC(csi)        (UINT64_C(1) << (csi))

#endif
