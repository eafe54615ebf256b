/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identify Namespace data structures and their fields, and the data of
 * Namespace Management, create.
 *
 * Spec: NVM Command Set 1.1, 4.1.5.1 (CNS 00h), 4.1.5.3 (CNS 05h) and 4.1.6
 * (create); NVMe Base 2.1, 5.1.13.2.8 (CNS 08h).
 */
#ifndef ENVME_ID_NS_H
#define ENVME_ID_NS_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* LBA format */
struct envme_lbaf {
    le16_t  ms;
    uint8_t ds;                             /* log2; 0 = not available */
    uint8_t rp;
};
_Static_assert(sizeof(struct envme_lbaf) == 4, "");

#define ENVME_LBAF_RP           0x03u

/* Identify Namespace (NVM command set), CNS 00h and 11h */
struct envme_id_ns {
    le64_t  nsze;
    le64_t  ncap;
    le64_t  nuse;
    uint8_t nsfeat;
    uint8_t nlbaf;
    uint8_t flbas;
    uint8_t mc;
    uint8_t dpc;
    uint8_t dps;
    uint8_t nmic;
    uint8_t rescap;
    uint8_t fpi;
    uint8_t dlfeat;
    le16_t  nawun;
    le16_t  nawupf;
    le16_t  nacwu;
    le16_t  nabsn;
    le16_t  nabo;
    le16_t  nabspf;
    le16_t  noiob;
    uint8_t nvmcap[16];
    le16_t  npwg;
    le16_t  npwa;
    le16_t  npdg;
    le16_t  npda;
    le16_t  nows;
    le16_t  mssrl;
    le32_t  mcl;
    uint8_t msrc;
    uint8_t kpios;
    uint8_t nulbaf;
    uint8_t rsvd83;
    le32_t  kpiodaag;
    uint8_t rsvd88[4];
    le32_t  anagrpid;
    uint8_t rsvd96[3];
    uint8_t nsattr;
    le16_t  nvmsetid;
    le16_t  endgid;
    uint8_t nguid[16];
    uint8_t eui64[8];
    struct envme_lbaf lbaf[64];
    uint8_t vs[3712];
};
_Static_assert(sizeof(struct envme_id_ns) == 4096, "");
_Static_assert(offsetof(struct envme_id_ns, nsfeat) == 24, "");
_Static_assert(offsetof(struct envme_id_ns, nvmcap) == 48, "");
_Static_assert(offsetof(struct envme_id_ns, mssrl) == 74, "");
_Static_assert(offsetof(struct envme_id_ns, anagrpid) == 92, "");
_Static_assert(offsetof(struct envme_id_ns, nguid) == 104, "");
_Static_assert(offsetof(struct envme_id_ns, lbaf) == 128, "");
_Static_assert(offsetof(struct envme_id_ns, vs) == 384, "");

/* NSFEAT; CNS 08h has UIDREUSE and the two last */
#define ENVME_NSFEAT_THINP      0x01u
#define ENVME_NSFEAT_NSABP      0x02u
#define ENVME_NSFEAT_DAE        0x04u       /* deallocated error, DULBE */
#define ENVME_NSFEAT_UIDREUSE   0x08u
#define ENVME_NSFEAT_OPTPERF    0x30u
#define ENVME_NSFEAT_MAM        0x40u
#define ENVME_NSFEAT_OPTRPERF   0x80u
#define ENVME_NSFEAT_INDEP_RMEDIA 0x10u
#define ENVME_NSFEAT_INDEP_VWCNP  0x20u

enum {                                      /* ENVME_NSFEAT_OPTPERF */
    ENVME_OPTPERF_NONE      = 0,
    ENVME_OPTPERF_NPDG      = 1,
    ENVME_OPTPERF_NPDGL     = 2,
    ENVME_OPTPERF_ALL       = 3,            /* NPDG and NPDGL */
};

/* FLBAS: the LBA format index is FIDXU:FIDXL */
#define ENVME_FLBAS_FIDXL       0x0fu
#define ENVME_FLBAS_MTELBA      0x10u       /* metadata interleaved */
#define ENVME_FLBAS_FIDXU       0x60u

/* MC */
#define ENVME_MC_MTELBA         0x01u       /* interleaved */
#define ENVME_MC_MTSMB          0x02u       /* separate buffer */

/* DPC */
#define ENVME_DPC_PIT1S         0x01u
#define ENVME_DPC_PIT2S         0x02u
#define ENVME_DPC_PIT3S         0x04u
#define ENVME_DPC_PIIFB         0x08u       /* PI in the first bytes */
#define ENVME_DPC_PIILB         0x10u       /* PI in the last bytes */

/* DPS */
#define ENVME_DPS_PIT           0x07u       /* 0: none, 1 to 3: the type */
#define ENVME_DPS_PIP           0x08u       /* first bytes */

/* NMIC */
#define ENVME_NMIC_SHRNS        0x01u
#define ENVME_NMIC_DISNS        0x02u

/* RESCAP */
#define ENVME_RESCAP_PTPLS      0x01u
#define ENVME_RESCAP_WES        0x02u
#define ENVME_RESCAP_EAS        0x04u
#define ENVME_RESCAP_WEROS      0x08u
#define ENVME_RESCAP_EAROS      0x10u
#define ENVME_RESCAP_WEARS      0x20u
#define ENVME_RESCAP_EAARS      0x40u
#define ENVME_RESCAP_IEKD       0x80u       /* IEKEY as in revision 1.3 */

/* FPI */
#define ENVME_FPI_PER           0x7fu       /* percent remaining */
#define ENVME_FPI_FPII          0x80u

/* DLFEAT */
#define ENVME_DLFEAT_DRB        0x07u
#define ENVME_DLFEAT_WZDS       0x08u
#define ENVME_DLFEAT_GDS        0x10u

enum {                                      /* DLFEAT.DRB */
    ENVME_DLFEAT_DRB_UNKNOWN    = 0,
    ENVME_DLFEAT_DRB_00         = 1,
    ENVME_DLFEAT_DRB_FF         = 2,
};

/* KPIOS, NSATTR */
#define ENVME_KPIOS_KPIOENS     0x01u
#define ENVME_KPIOS_KPIOSNS     0x02u
#define ENVME_NSATTR_CWP        0x01u       /* currently write protected */

/* I/O Command Set Independent Identify Namespace, CNS 08h and 1Fh */
struct envme_id_ns_indep {
    uint8_t nsfeat;
    uint8_t nmic;
    uint8_t rescap;
    uint8_t fpi;
    le32_t  anagrpid;
    uint8_t nsattr;
    uint8_t rsvd9;
    le16_t  nvmsetid;
    le16_t  endgid;
    uint8_t nstat;
    uint8_t kpios;
    le16_t  maxkt;
    uint8_t rsvd18[2];
    le32_t  rgrpid;
    uint8_t rsvd24[4072];
};
_Static_assert(sizeof(struct envme_id_ns_indep) == 4096, "");
_Static_assert(offsetof(struct envme_id_ns_indep, nstat) == 14, "");
_Static_assert(offsetof(struct envme_id_ns_indep, rgrpid) == 20, "");

#define ENVME_NSTAT_NRDY        0x01u

/* Identify Namespace, NVM command set specific, CNS 05h with CSI 00h */
struct envme_id_ns_nvm {
    le64_t  lbstm;
    uint8_t pic;
    uint8_t pifa;
    uint8_t rsvd10[2];
    le32_t  elbaf[64];
    le32_t  npdgl;
    le32_t  nprg;
    le32_t  npra;
    le32_t  nors;
    le32_t  npdal;
    le32_t  lbapss;
    le32_t  tlbaag;
    uint8_t rsvd296[3800];
};
_Static_assert(sizeof(struct envme_id_ns_nvm) == 4096, "");
_Static_assert(offsetof(struct envme_id_ns_nvm, elbaf) == 12, "");
_Static_assert(offsetof(struct envme_id_ns_nvm, npdgl) == 268, "");

#define ENVME_PIC_PIC16BPISTS   0x01u       /* storage tag in 16b PI */
#define ENVME_PIC_PIC16BPISTM   0x02u       /* its mask is all ones */
#define ENVME_PIC_STCRS         0x04u       /* STC in Read */
#define ENVME_PIC_QPIFS         0x08u       /* PIF 3: see QPIF */
#define ENVME_PIFA_STMLA        0x07u

#define ENVME_ELBAF_STS         0x0000007fu
#define ENVME_ELBAF_PIF         0x00000180u
#define ENVME_ELBAF_QPIF        0x00001e00u

enum {                                      /* ELBAF.PIF */
    ENVME_PIF_16B               = 0,
    ENVME_PIF_32B               = 1,
    ENVME_PIF_64B               = 2,
    ENVME_PIF_QUALIFIED         = 3,
};

/* Host software specified fields: data of Namespace Management, create */
struct envme_ns_mgmt_create {
    le64_t  nsze;
    le64_t  ncap;
    uint8_t rsvd16[10];
    uint8_t flbas;
    uint8_t rsvd27[2];
    uint8_t dps;
    uint8_t nmic;
    uint8_t rsvd31[61];
    le32_t  anagrpid;
    uint8_t rsvd96[4];
    le16_t  nvmsetid;
    le16_t  endgid;
    uint8_t rsvd104[280];
    le64_t  lbstm;
    le16_t  nphndls;
    uint8_t rsvd394[105];
    uint8_t znsco;                          /* ZNS: to rnumzrwa */
    uint8_t rar[4];
    uint8_t ror[4];
    uint8_t rnumzrwa[4];
    le16_t  phndl[128];
    uint8_t rsvd768[3328];
};
_Static_assert(sizeof(struct envme_ns_mgmt_create) == 4096, "");
_Static_assert(offsetof(struct envme_ns_mgmt_create, anagrpid) == 92, "");
_Static_assert(offsetof(struct envme_ns_mgmt_create, lbstm) == 384, "");
_Static_assert(offsetof(struct envme_ns_mgmt_create, phndl) == 512, "");

#endif
