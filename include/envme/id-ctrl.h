/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identify Controller data structures and their fields.
 *
 * Spec: NVMe Base 2.1, 5.1.13.2.1 (CNS 01h); NVM Command Set 1.1, 4.1.5.4
 * (CNS 06h).
 */
#ifndef ENVME_ID_CTRL_H
#define ENVME_ID_CTRL_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* Power state descriptor */
struct envme_psd {
    le16_t  mp;
    uint8_t rsvd2;
    uint8_t flags;
    le32_t  enlat;
    le32_t  exlat;
    uint8_t rrt;
    uint8_t rrl;
    uint8_t rwt;
    uint8_t rwl;
    le16_t  idlp;
    uint8_t ips;
    uint8_t rsvd19;
    le16_t  actp;
    uint8_t apws;
    uint8_t epfrt;
    uint8_t fqvt;
    uint8_t epfvt;
    uint8_t epfr_fqv_ts;
    uint8_t epfvts;
    uint8_t rsvd28[4];
};
_Static_assert(sizeof(struct envme_psd) == 32, "");
_Static_assert(offsetof(struct envme_psd, actp) == 20, "");

#define ENVME_PSD_MXPS          0x01u       /* flags: MP in 0.1 mW */
#define ENVME_PSD_NOPS          0x02u
#define ENVME_PSD_IPS           0xc0u       /* ips */
#define ENVME_PSD_APW           0x07u       /* apws */
#define ENVME_PSD_APS           0xc0u
#define ENVME_PSD_EPFRTS        0x0fu       /* epfr_fqv_ts */
#define ENVME_PSD_FQVTS         0xf0u

enum {                                      /* ENVME_PSD_IPS, ENVME_PSD_APS */
    ENVME_PSD_SCALE_NONE        = 0,
    ENVME_PSD_SCALE_100UW       = 1,
    ENVME_PSD_SCALE_10MW        = 2,
};

/* Identify Controller, CNS 01h */
struct envme_id_ctrl {
    le16_t  vid;
    le16_t  ssvid;
    char    sn[20];
    char    mn[40];
    char    fr[8];
    uint8_t rab;
    uint8_t ieee[3];
    uint8_t cmic;
    uint8_t mdts;
    le16_t  cntlid;
    le32_t  ver;
    le32_t  rtd3r;
    le32_t  rtd3e;
    le32_t  oaes;
    le32_t  ctratt;
    le16_t  rrls;
    uint8_t bpcap;
    uint8_t rsvd103;
    le32_t  nssl;
    uint8_t rsvd108[2];
    uint8_t plsi;
    uint8_t cntrltype;
    uint8_t fguid[16];
    le16_t  crdt1;
    le16_t  crdt2;
    le16_t  crdt3;
    uint8_t crcap;
    uint8_t rsvd135[118];
    uint8_t nvmsr;
    uint8_t vwci;
    uint8_t mec;
    le16_t  oacs;
    uint8_t acl;
    uint8_t aerl;
    uint8_t frmw;
    uint8_t lpa;
    uint8_t elpe;
    uint8_t npss;
    uint8_t avscc;
    uint8_t apsta;
    le16_t  wctemp;
    le16_t  cctemp;
    le16_t  mtfa;
    le32_t  hmpre;
    le32_t  hmmin;
    uint8_t tnvmcap[16];
    uint8_t unvmcap[16];
    le32_t  rpmbs;
    le16_t  edstt;
    uint8_t dsto;
    uint8_t fwug;
    le16_t  kas;
    le16_t  hctma;
    le16_t  mntmt;
    le16_t  mxtmt;
    le32_t  sanicap;
    le32_t  hmminds;
    le16_t  hmmaxd;
    le16_t  nsetidmax;
    le16_t  endgidmax;
    uint8_t anatt;
    uint8_t anacap;
    le32_t  anagrpmax;
    le32_t  nanagrpid;
    le32_t  pels;
    le16_t  domainid;
    uint8_t kpioc;
    uint8_t rsvd359;
    le16_t  mptfawr;
    uint8_t rsvd362[6];
    uint8_t megcap[16];
    uint8_t tmpthha;
    uint8_t rsvd385;
    le16_t  cqt;
    uint8_t rsvd388[124];
    uint8_t sqes;
    uint8_t cqes;
    le16_t  maxcmd;
    le32_t  nn;
    le16_t  oncs;
    le16_t  fuses;
    uint8_t fna;
    uint8_t vwc;
    le16_t  awun;
    le16_t  awupf;
    uint8_t icsvscc;
    uint8_t nwpc;
    le16_t  acwu;
    le16_t  ocfs;
    le32_t  sgls;
    le32_t  mnan;
    uint8_t maxdna[16];
    le32_t  maxcna;
    le32_t  oaqd;
    uint8_t rhiri;
    uint8_t hirt;
    le16_t  cmmrtd;
    le16_t  nmmrtd;
    uint8_t minmrtg;
    uint8_t maxmrtg;
    uint8_t trattr;
    uint8_t rsvd577;
    le16_t  mcudmq;
    le16_t  mnsudmq;
    le16_t  mcmr;
    le16_t  nmcmr;
    le16_t  mcdqpc;
    uint8_t rsvd588[180];
    char    subnqn[256];
    uint8_t rsvd1024[768];
    le32_t  ioccsz;                         /* fabrics: to dctype */
    le32_t  iorcsz;
    le16_t  icdoff;
    uint8_t fcatt;
    uint8_t msdbd;
    le16_t  ofcs;
    uint8_t dctype;
    uint8_t rsvd1807[241];
    struct envme_psd psd[32];
    uint8_t vs[1024];
};
_Static_assert(sizeof(struct envme_id_ctrl) == 4096, "");
_Static_assert(offsetof(struct envme_id_ctrl, ver) == 80, "");
_Static_assert(offsetof(struct envme_id_ctrl, cntrltype) == 111, "");
_Static_assert(offsetof(struct envme_id_ctrl, oacs) == 256, "");
_Static_assert(offsetof(struct envme_id_ctrl, tnvmcap) == 280, "");
_Static_assert(offsetof(struct envme_id_ctrl, sanicap) == 328, "");
_Static_assert(offsetof(struct envme_id_ctrl, cqt) == 386, "");
_Static_assert(offsetof(struct envme_id_ctrl, sqes) == 512, "");
_Static_assert(offsetof(struct envme_id_ctrl, sgls) == 536, "");
_Static_assert(offsetof(struct envme_id_ctrl, subnqn) == 768, "");
_Static_assert(offsetof(struct envme_id_ctrl, psd) == 2048, "");
_Static_assert(offsetof(struct envme_id_ctrl, vs) == 3072, "");

/* CMIC */
#define ENVME_CMIC_MPORTS       0x01u
#define ENVME_CMIC_MCTRS        0x02u
#define ENVME_CMIC_FT           0x04u       /* this is an SR-IOV VF */
#define ENVME_CMIC_ANARS        0x08u

/* OAES */
#define ENVME_OAES_NSAN         0x00000100u /* attached namespace attribute */
#define ENVME_OAES_FAN          0x00000200u
#define ENVME_OAES_ANACN        0x00000800u
#define ENVME_OAES_PLEALCN      0x00001000u
#define ENVME_OAES_LBASIAN      0x00002000u
#define ENVME_OAES_EGEALCN      0x00004000u
#define ENVME_OAES_NNVMSS       0x00008000u
#define ENVME_OAES_TTHR         0x00010000u
#define ENVME_OAES_RGCNS        0x00020000u
#define ENVME_OAES_ANSAN        0x00080000u /* allocated namespace attribute */
#define ENVME_OAES_ZDCN         0x08000000u
#define ENVME_OAES_PMDRLPCN     0x10000000u
#define ENVME_OAES_ADLPCN       0x20000000u
#define ENVME_OAES_HDLPCN       0x40000000u
#define ENVME_OAES_DLPCN        0x80000000u

/* CTRATT */
#define ENVME_CTRATT_HIDS       0x00000001u /* 128-bit host identifier */
#define ENVME_CTRATT_NOPSPM     0x00000002u
#define ENVME_CTRATT_NSETS      0x00000004u
#define ENVME_CTRATT_RRLVLS     0x00000008u
#define ENVME_CTRATT_EGS        0x00000010u
#define ENVME_CTRATT_PLM        0x00000020u
#define ENVME_CTRATT_TBKAS      0x00000040u
#define ENVME_CTRATT_NG         0x00000080u
#define ENVME_CTRATT_SQA        0x00000100u
#define ENVME_CTRATT_ULIST      0x00000200u
#define ENVME_CTRATT_MDS        0x00000400u
#define ENVME_CTRATT_FCM        0x00000800u
#define ENVME_CTRATT_VCM        0x00001000u
#define ENVME_CTRATT_DEG        0x00002000u
#define ENVME_CTRATT_DNVMS      0x00004000u
#define ENVME_CTRATT_ELBAS      0x00008000u
#define ENVME_CTRATT_MEM        0x00010000u
#define ENVME_CTRATT_HMBR       0x00020000u
#define ENVME_CTRATT_RHII       0x00040000u
#define ENVME_CTRATT_FDPS       0x00080000u

/* BPCAP */
#define ENVME_BPCAP_RPMBBPWPS   0x03u
#define ENVME_BPCAP_SFBPWPS     0x04u

/* PLSI, CRCAP */
#define ENVME_PLSI_PLSEPF       0x01u
#define ENVME_PLSI_PLSFQ        0x02u
#define ENVME_CRCAP_RRSUP       0x01u
#define ENVME_CRCAP_RGIDC       0x02u

enum {                                      /* CNTRLTYPE */
    ENVME_CNTRLTYPE_IO          = 1,
    ENVME_CNTRLTYPE_DISCOVERY   = 2,
    ENVME_CNTRLTYPE_ADMIN       = 3,
};

/* NVMSR, VWCI, MEC: NVMe-MI */
#define ENVME_NVMSR_NVMESD      0x01u
#define ENVME_NVMSR_NVMEE       0x02u
#define ENVME_VWCI_VWCR         0x7fu
#define ENVME_VWCI_VWCRV        0x80u
#define ENVME_MEC_TWPME         0x01u
#define ENVME_MEC_PCIEME        0x02u

/* OACS */
#define ENVME_OACS_SSRS         0x0001u     /* Security Send/Receive */
#define ENVME_OACS_FNVMS        0x0002u     /* Format NVM */
#define ENVME_OACS_FWDS         0x0004u     /* Firmware Commit/Download */
#define ENVME_OACS_NMS          0x0008u     /* Namespace Management */
#define ENVME_OACS_DSTS         0x0010u     /* Device Self-test */
#define ENVME_OACS_DIRS         0x0020u     /* Directives */
#define ENVME_OACS_NSRS         0x0040u     /* NVMe-MI Send/Receive */
#define ENVME_OACS_VMS          0x0080u     /* Virtualization Management */
#define ENVME_OACS_DBCS         0x0100u     /* Doorbell Buffer Config */
#define ENVME_OACS_GLSS         0x0200u     /* Get LBA Status */
#define ENVME_OACS_CFLS         0x0400u     /* Lockdown */
#define ENVME_OACS_HMLMS        0x0800u     /* Host Managed Live Migration */

/* FRMW */
#define ENVME_FRMW_FFSRO        0x01u
#define ENVME_FRMW_NOFS         0x0eu
#define ENVME_FRMW_FAWR         0x10u
#define ENVME_FRMW_SMUD         0x20u

/* LPA */
#define ENVME_LPA_SMARTS        0x01u       /* SMART per namespace */
#define ENVME_LPA_CSES          0x02u
#define ENVME_LPA_LPEDS         0x04u       /* extended data: NUMDU, LPO */
#define ENVME_LPA_TS            0x08u       /* Telemetry */
#define ENVME_LPA_PES           0x10u       /* Persistent Event */
#define ENVME_LPA_MLPS          0x20u       /* LIDs 00h, 05h, 12h, 13h */
#define ENVME_LPA_DA4S          0x40u

#define ENVME_AVSCC_AVSCCF      0x01u
#define ENVME_APSTA_APSTA       0x01u
#define ENVME_HCTMA_HCTMAS      0x0001u

/* RPMBS */
#define ENVME_RPMBS_NRPMBU      0x00000007u
#define ENVME_RPMBS_AUTHM       0x00000038u
#define ENVME_RPMBS_TSZ         0x00ff0000u
#define ENVME_RPMBS_ASZ         0xff000000u

/* DSTO */
#define ENVME_DSTO_SDSO         0x01u
#define ENVME_DSTO_HIRS         0x02u

/* SANICAP */
#define ENVME_SANICAP_CES       0x00000001u
#define ENVME_SANICAP_BES       0x00000002u
#define ENVME_SANICAP_OWS       0x00000004u
#define ENVME_SANICAP_VERS      0x00000008u
#define ENVME_SANICAP_NDI       0x20000000u
#define ENVME_SANICAP_NODMMAS   0xc0000000u

enum {                                      /* SANICAP.NODMMAS */
    ENVME_SANICAP_NODMMAS_NDEF  = 0,
    ENVME_SANICAP_NODMMAS_NOT   = 1,        /* not additionally modified */
    ENVME_SANICAP_NODMMAS_YES   = 2,
};

/* ANACAP */
#define ENVME_ANACAP_ROS        0x01u       /* optimized */
#define ENVME_ANACAP_RNOS       0x02u       /* non-optimized */
#define ENVME_ANACAP_RIS        0x04u       /* inaccessible */
#define ENVME_ANACAP_RPLS       0x08u       /* persistent loss */
#define ENVME_ANACAP_RCS        0x10u       /* change */
#define ENVME_ANACAP_ANAGIDC    0x40u       /* ANAGRPID does not change */
#define ENVME_ANACAP_NZANAGID   0x80u

#define ENVME_KPIOC_KPIOS       0x01u
#define ENVME_KPIOC_KPIOSC      0x02u

/* TMPTHHA */
#define ENVME_TMPTHHA_TMPTHMH   0x07u

/* SQES, CQES: log2 of the entry sizes */
#define ENVME_SQES_MIN          0x0fu
#define ENVME_SQES_MAX          0xf0u
#define ENVME_CQES_MIN          0x0fu
#define ENVME_CQES_MAX          0xf0u

/* ONCS */
#define ENVME_ONCS_NVMCMPS      0x0001u     /* Compare */
#define ENVME_ONCS_NVMWUSV      0x0002u     /* Write Uncorrectable */
#define ENVME_ONCS_NVMDSMSV     0x0004u     /* Dataset Management */
#define ENVME_ONCS_NVMWZSV      0x0008u     /* Write Zeroes */
#define ENVME_ONCS_SSFS         0x0010u     /* Save and Select in features */
#define ENVME_ONCS_RESERVS      0x0020u     /* Reservations */
#define ENVME_ONCS_TSS          0x0040u     /* Timestamp */
#define ENVME_ONCS_NVMVFYS      0x0080u     /* Verify */
#define ENVME_ONCS_NVMCPYS      0x0100u     /* Copy */
#define ENVME_ONCS_NVMCSA       0x0200u     /* Copy single atomicity */
#define ENVME_ONCS_NVMAFC       0x0400u     /* all copies are fast */
#define ENVME_ONCS_MAXWZD       0x0800u     /* WZSL is for DEAC clear only */
#define ENVME_ONCS_NSZS         0x1000u     /* Namespace Zeroes */

#define ENVME_FUSES_FCWS        0x0001u     /* Compare and Write */

/* FNA */
#define ENVME_FNA_FNS           0x01u
#define ENVME_FNA_SENS          0x02u
#define ENVME_FNA_CRYES         0x04u
#define ENVME_FNA_FNVMBS        0x08u       /* NSID FFFFFFFFh not supported */

/* VWC */
#define ENVME_VWC_VWCP          0x01u
#define ENVME_VWC_FB            0x06u

enum {                                      /* VWC.FB: Flush, FFFFFFFFh */
    ENVME_VWC_FB_UNKNOWN        = 0,
    ENVME_VWC_FB_NO             = 2,
    ENVME_VWC_FB_YES            = 3,
};

#define ENVME_ICSVSCC_SNVSCC    0x01u

/* NWPC */
#define ENVME_NWPC_NWPWPS       0x01u       /* no and write protect states */
#define ENVME_NWPC_WPUPCS       0x02u       /* until power cycle */
#define ENVME_NWPC_PWPS         0x04u       /* permanent */

/* OCFS: bit n, Copy descriptor format n */
#define ENVME_OCFS_COPY(n)      (1u << (n))

/* SGLS */
#define ENVME_SGLS_SGLS         0x00000003u
#define ENVME_SGLS_KSDBDS       0x00000004u /* keyed data block */
#define ENVME_SGLS_SDT          0x0000ff00u /* recommended descriptors */
#define ENVME_SGLS_SBBDS        0x00010000u /* bit bucket */
#define ENVME_SGLS_MBA          0x00020000u /* MPTR byte aligned */
#define ENVME_SGLS_LLDTS        0x00040000u /* longer than the data is right */
#define ENVME_SGLS_MPTRSGL      0x00080000u /* MPTR: one SGL descriptor */
#define ENVME_SGLS_AFSDB        0x00100000u /* address may be an offset */
#define ENVME_SGLS_TSDBDS       0x00200000u /* transport data block */

enum {                                      /* SGLS.SGLS */
    ENVME_SGLS_SGLS_NONE        = 0,
    ENVME_SGLS_SGLS_BYTE        = 1,        /* no alignment required */
    ENVME_SGLS_SGLS_DWORD       = 2,
};

/* TRATTR */
#define ENVME_TRATTR_THMCS      0x01u
#define ENVME_TRATTR_TUDCS      0x02u
#define ENVME_TRATTR_MRTLL      0x04u

/* Identify Controller, NVM command set specific, CNS 06h with CSI 00h */
struct envme_id_ctrl_nvm {
    uint8_t vsl;
    uint8_t wzsl;
    uint8_t wusl;
    uint8_t dmrl;
    le32_t  dmrsl;
    le64_t  dmsl;
    uint8_t kpiocap;
    uint8_t wzdsl;
    le16_t  aocs;
    le32_t  ver;
    uint8_t lbamqf;
    uint8_t rsvd25[4071];
};
#define ENVME_AOCS_RALBAS       0x0001u     /* Get LBA Status, ATYPE 02h */
_Static_assert(sizeof(struct envme_id_ctrl_nvm) == 4096, "");
_Static_assert(offsetof(struct envme_id_ctrl_nvm, ver) == 20, "");

#endif
