/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Controller registers.
 *
 * Spec: NVMe Base 2.1, 3.1.4 (controller properties); NVMe over PCIe
 * Transport 1.1, 3.1 (doorbells).
 *
 * Masks are for FIELD_GET()/FIELD_SET(): 64 bits wide for 64-bit registers,
 * 32 bits for the others.  Enumerated constants are field values, unshifted.
 */
#ifndef ENVME_REG_H
#define ENVME_REG_H

#include <stdint.h>

/* Offsets in BAR0 */
#define ENVME_REG_CAP           0x0000      /* 64 bits */
#define ENVME_REG_VS            0x0008
#define ENVME_REG_INTMS         0x000c
#define ENVME_REG_INTMC         0x0010
#define ENVME_REG_CC            0x0014
#define ENVME_REG_CSTS          0x001c
#define ENVME_REG_NSSR          0x0020
#define ENVME_REG_AQA           0x0024
#define ENVME_REG_ASQ           0x0028      /* 64 bits */
#define ENVME_REG_ACQ           0x0030      /* 64 bits */
#define ENVME_REG_CMBLOC        0x0038
#define ENVME_REG_CMBSZ         0x003c
#define ENVME_REG_BPINFO        0x0040
#define ENVME_REG_BPRSEL        0x0044
#define ENVME_REG_BPMBL         0x0048      /* 64 bits */
#define ENVME_REG_CMBMSC        0x0050      /* 64 bits */
#define ENVME_REG_CMBSTS        0x0058
#define ENVME_REG_CMBEBS        0x005c
#define ENVME_REG_CMBSWTP       0x0060
#define ENVME_REG_NSSD          0x0064
#define ENVME_REG_CRTO          0x0068
#define ENVME_REG_PMRCAP        0x0e00
#define ENVME_REG_PMRCTL        0x0e04
#define ENVME_REG_PMRSTS        0x0e08
#define ENVME_REG_PMREBS        0x0e0c
#define ENVME_REG_PMRSWTP       0x0e10
#define ENVME_REG_PMRMSCL       0x0e14
#define ENVME_REG_PMRMSCU       0x0e18

/* Doorbell n (SQ y: n = 2y, CQ y: n = 2y + 1) is at DBS + n * (4 << DSTRD). */
#define ENVME_REG_DBS           0x1000

/* CAP: Controller Capabilities */
#define ENVME_CAP_MQES          UINT64_C(0x000000000000ffff)
#define ENVME_CAP_CQR           UINT64_C(0x0000000000010000)
#define ENVME_CAP_AMS           UINT64_C(0x0000000000060000)
#define ENVME_CAP_TO            UINT64_C(0x00000000ff000000)
#define ENVME_CAP_DSTRD         UINT64_C(0x0000000f00000000)
#define ENVME_CAP_NSSRS         UINT64_C(0x0000001000000000)
#define ENVME_CAP_CSS           UINT64_C(0x00001fe000000000)
#define ENVME_CAP_BPS           UINT64_C(0x0000200000000000)
#define ENVME_CAP_CPS           UINT64_C(0x0000c00000000000)
#define ENVME_CAP_MPSMIN        UINT64_C(0x000f000000000000)
#define ENVME_CAP_MPSMAX        UINT64_C(0x00f0000000000000)
#define ENVME_CAP_PMRS          UINT64_C(0x0100000000000000)
#define ENVME_CAP_CMBS          UINT64_C(0x0200000000000000)
#define ENVME_CAP_NSSS          UINT64_C(0x0400000000000000)
#define ENVME_CAP_CRMS          UINT64_C(0x1800000000000000)
#define ENVME_CAP_NSSES         UINT64_C(0x2000000000000000)

enum {                                  /* bits of CAP.AMS */
    ENVME_CAP_AMS_WRR           = 1 << 0,
    ENVME_CAP_AMS_VS            = 1 << 1,
};

enum {                                  /* bits of CAP.CSS */
    ENVME_CAP_CSS_NCSS          = 1 << 0,   /* NVM command set */
    ENVME_CAP_CSS_IOCSS         = 1 << 6,   /* one or more, see CNS 1Ch */
    ENVME_CAP_CSS_NOIOCSS       = 1 << 7,   /* Admin only */
};

enum {                                  /* CAP.CPS */
    ENVME_CAP_CPS_NOT_REPORTED  = 0,
    ENVME_CAP_CPS_CTRL          = 1,
    ENVME_CAP_CPS_DOMAIN        = 2,
    ENVME_CAP_CPS_SUBSYS        = 3,
};

enum {                                  /* bits of CAP.CRMS */
    ENVME_CAP_CRMS_CRWMS        = 1 << 0,   /* ready with media */
    ENVME_CAP_CRMS_CRIMS        = 1 << 1,   /* ready independent of media */
};

/* VS: Version */
#define ENVME_VS_TER            0x000000ffu
#define ENVME_VS_MNR            0x0000ff00u
#define ENVME_VS_MJR            0xffff0000u

#define ENVME_VS_1_4            0x00010400u
#define ENVME_VS_2_0            0x00020000u
#define ENVME_VS_2_1            0x00020100u

/* CC: Controller Configuration */
#define ENVME_CC_EN             0x00000001u
#define ENVME_CC_CSS            0x00000070u
#define ENVME_CC_MPS            0x00000780u
#define ENVME_CC_AMS            0x00003800u
#define ENVME_CC_SHN            0x0000c000u
#define ENVME_CC_IOSQES         0x000f0000u
#define ENVME_CC_IOCQES         0x00f00000u
#define ENVME_CC_CRIME          0x01000000u

enum {                                  /* CC.CSS */
    ENVME_CC_CSS_NVM            = 0,
    ENVME_CC_CSS_ALL            = 6,
    ENVME_CC_CSS_ADMIN          = 7,
};

enum {                                  /* CC.AMS */
    ENVME_CC_AMS_RR             = 0,
    ENVME_CC_AMS_WRR            = 1,
    ENVME_CC_AMS_VS             = 7,
};

enum {                                  /* CC.SHN */
    ENVME_CC_SHN_NONE           = 0,
    ENVME_CC_SHN_NORMAL         = 1,
    ENVME_CC_SHN_ABRUPT         = 2,
};

/* CSTS: Controller Status */
#define ENVME_CSTS_RDY          0x00000001u
#define ENVME_CSTS_CFS          0x00000002u
#define ENVME_CSTS_SHST         0x0000000cu
#define ENVME_CSTS_NSSRO        0x00000010u     /* write 1 to clear */
#define ENVME_CSTS_PP           0x00000020u
#define ENVME_CSTS_ST           0x00000040u

enum {                                  /* CSTS.SHST */
    ENVME_CSTS_SHST_NORMAL      = 0,        /* no shutdown requested */
    ENVME_CSTS_SHST_OCCURRING   = 1,
    ENVME_CSTS_SHST_COMPLETE    = 2,
};

/* NSSR, NSSD: the values that act; all others are ignored. */
#define ENVME_NSSR_KEY          0x4e564d65u     /* "NVMe" */
#define ENVME_NSSD_NORMAL       0x4e726d6cu     /* "Nrml" */
#define ENVME_NSSD_ABRUPT       0x41627074u     /* "Abpt" */

/* AQA: Admin Queue Attributes (sizes are 0's based) */
#define ENVME_AQA_ASQS          0x00000fffu
#define ENVME_AQA_ACQS          0x0fff0000u

/* ASQ, ACQ: Admin queue base addresses */
#define ENVME_ASQ_ASQB          UINT64_C(0xfffffffffffff000)
#define ENVME_ACQ_ACQB          UINT64_C(0xfffffffffffff000)

/* Doorbells: SQyTDBL, CQyHDBL */
#define ENVME_SQTDBL_SQT        0x0000ffffu
#define ENVME_CQHDBL_CQH        0x0000ffffu

/* CMBLOC: Controller Memory Buffer Location */
#define ENVME_CMBLOC_BIR        0x00000007u
#define ENVME_CMBLOC_CQMMS      0x00000008u
#define ENVME_CMBLOC_CQPDS      0x00000010u
#define ENVME_CMBLOC_CDPMLS     0x00000020u
#define ENVME_CMBLOC_CDPCILS    0x00000040u
#define ENVME_CMBLOC_CDMMMS     0x00000080u
#define ENVME_CMBLOC_CQDA       0x00000100u
#define ENVME_CMBLOC_OFST       0xfffff000u

/* CMBSZ: Controller Memory Buffer Size, in units of 4 KiB << (4 * SZU) */
#define ENVME_CMBSZ_SQS         0x00000001u
#define ENVME_CMBSZ_CQS         0x00000002u
#define ENVME_CMBSZ_LISTS       0x00000004u
#define ENVME_CMBSZ_RDS         0x00000008u
#define ENVME_CMBSZ_WDS         0x00000010u
#define ENVME_CMBSZ_SZU         0x00000f00u
#define ENVME_CMBSZ_SZ          0xfffff000u

enum {                                  /* CMBSZ.SZU */
    ENVME_CMBSZ_SZU_4K          = 0,
    ENVME_CMBSZ_SZU_64K         = 1,
    ENVME_CMBSZ_SZU_1M          = 2,
    ENVME_CMBSZ_SZU_16M         = 3,
    ENVME_CMBSZ_SZU_256M        = 4,
    ENVME_CMBSZ_SZU_4G          = 5,
    ENVME_CMBSZ_SZU_64G         = 6,
};

/* CMBMSC: Controller Memory Buffer Memory Space Control */
#define ENVME_CMBMSC_CRE        UINT64_C(0x0000000000000001)
#define ENVME_CMBMSC_CMSE       UINT64_C(0x0000000000000002)
#define ENVME_CMBMSC_CBA        UINT64_C(0xfffffffffffff000)

/* CMBSTS: Controller Memory Buffer Status */
#define ENVME_CMBSTS_CBAI       0x00000001u

/* CMBEBS: Elasticity Buffer Size; CMBSWTP: Sustained Write Throughput */
#define ENVME_CMBEBS_CMBSZU     0x0000000fu
#define ENVME_CMBEBS_RBB        0x00000010u
#define ENVME_CMBEBS_CMBWBZ     0xffffff00u
#define ENVME_CMBSWTP_CMBSWTU   0x0000000fu
#define ENVME_CMBSWTP_CMBSWTV   0xffffff00u

enum {                  /* CMBSZU, CMBSWTU, PMRSZU, PMRSWTU */
    ENVME_REG_UNIT_B            = 0,
    ENVME_REG_UNIT_KIB          = 1,
    ENVME_REG_UNIT_MIB          = 2,
    ENVME_REG_UNIT_GIB          = 3,
};

/* BPINFO: Boot Partition Information (size in 128 KiB units) */
#define ENVME_BPINFO_BPSZ       0x00007fffu
#define ENVME_BPINFO_BRS        0x03000000u
#define ENVME_BPINFO_ABPID      0x80000000u

enum {                                  /* BPINFO.BRS */
    ENVME_BPINFO_BRS_NONE       = 0,
    ENVME_BPINFO_BRS_BUSY       = 1,
    ENVME_BPINFO_BRS_DONE       = 2,
    ENVME_BPINFO_BRS_ERROR      = 3,
};

/* BPRSEL: Boot Partition Read Select (4 KiB units); BPMBL: memory buffer */
#define ENVME_BPRSEL_BPRSZ      0x000003ffu
#define ENVME_BPRSEL_BPROF      0x3ffffc00u
#define ENVME_BPRSEL_BPID       0x80000000u
#define ENVME_BPMBL_BMBBA       UINT64_C(0xfffffffffffff000)

/* CRTO: Controller Ready Timeouts (500 ms units) */
#define ENVME_CRTO_CRWMT        0x0000ffffu
#define ENVME_CRTO_CRIMT        0xffff0000u

/* PMRCAP: Persistent Memory Region Capabilities */
#define ENVME_PMRCAP_RDS        0x00000008u
#define ENVME_PMRCAP_WDS        0x00000010u
#define ENVME_PMRCAP_BIR        0x000000e0u
#define ENVME_PMRCAP_PMRTU      0x00000300u
#define ENVME_PMRCAP_PMRWBM     0x00003c00u
#define ENVME_PMRCAP_PMRTO      0x00ff0000u
#define ENVME_PMRCAP_CMSS       0x01000000u

enum {                                  /* PMRCAP.PMRTU */
    ENVME_PMRCAP_PMRTU_500MS    = 0,
    ENVME_PMRCAP_PMRTU_MIN      = 1,
};

enum {                                  /* bits of PMRCAP.PMRWBM */
    ENVME_PMRCAP_PMRWBM_READ    = 1 << 0,   /* a read of the PMR flushes */
    ENVME_PMRCAP_PMRWBM_PMRSTS  = 1 << 1,   /* a read of PMRSTS flushes */
};

/* PMRCTL, PMRSTS */
#define ENVME_PMRCTL_EN         0x00000001u
#define ENVME_PMRSTS_ERR        0x000000ffu
#define ENVME_PMRSTS_NRDY       0x00000100u
#define ENVME_PMRSTS_HSTS       0x00000e00u
#define ENVME_PMRSTS_CBAI       0x00001000u

enum {                                  /* PMRSTS.HSTS */
    ENVME_PMRSTS_HSTS_NORMAL        = 0,
    ENVME_PMRSTS_HSTS_RESTORE_ERROR = 1,
    ENVME_PMRSTS_HSTS_READ_ONLY     = 2,
    ENVME_PMRSTS_HSTS_UNRELIABLE    = 3,
};

/* PMREBS, PMRSWTP */
#define ENVME_PMREBS_PMRSZU     0x0000000fu
#define ENVME_PMREBS_RBB        0x00000010u
#define ENVME_PMREBS_PMRWBZ     0xffffff00u
#define ENVME_PMRSWTP_PMRSWTU   0x0000000fu
#define ENVME_PMRSWTP_PMRSWTV   0xffffff00u

/* PMRMSCL, PMRMSCU: Memory Space Control; CBA is 63:32 in the upper one */
#define ENVME_PMRMSCL_CMSE      0x00000002u
#define ENVME_PMRMSCL_CBA       0xfffff000u
#define ENVME_PMRMSCU_CBA       0xffffffffu

_Static_assert(ENVME_REG_CRTO + 4 == 0x6c, "register file");
_Static_assert((ENVME_CAP_MQES | ENVME_CAP_CQR | ENVME_CAP_AMS | ENVME_CAP_TO |
                ENVME_CAP_DSTRD | ENVME_CAP_NSSRS | ENVME_CAP_CSS |
                ENVME_CAP_BPS | ENVME_CAP_CPS | ENVME_CAP_MPSMIN |
                ENVME_CAP_MPSMAX | ENVME_CAP_PMRS | ENVME_CAP_CMBS |
                ENVME_CAP_NSSS | ENVME_CAP_CRMS | ENVME_CAP_NSSES) ==
               UINT64_C(0x3fffffffff07ffff), "CAP");

#endif
