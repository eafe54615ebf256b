/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flexible Data Placement: log pages, I/O Management and feature data.
 *
 * Spec: NVMe Base 2.1, 5.1.12.1.28 to 5.1.12.1.31 (LIDs 20h to 23h),
 * 5.1.25.1.21 (FDP Events), 7.3 and 7.4 (I/O Management), 8.1.10.
 */
#ifndef ENVME_FDP_H
#define ENVME_FDP_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "feat.h"

/* LID 20h: FDP Configurations: header, descriptors, each with its RUHs */
struct envme_log_fdp_configs {
    le16_t  numfdpc;                        /* 0's based */
    uint8_t ver;
    uint8_t rsvd3;
    le32_t  size;
    uint8_t rsvd8[8];
};
_Static_assert(sizeof(struct envme_log_fdp_configs) == 16, "");

struct envme_fdp_config {
    le16_t  dsze;
    uint8_t fdpa;
    uint8_t vss;
    le32_t  nrg;
    le16_t  nruh;
    le16_t  maxpids;                        /* 0's based */
    le32_t  nns;
    le64_t  runs;
    le32_t  erutl;
    uint8_t rsvd28[36];
};
_Static_assert(sizeof(struct envme_fdp_config) == 64, "");
_Static_assert(offsetof(struct envme_fdp_config, runs) == 16, "");

#define ENVME_FDPA_RGIF         0x0fu       /* reclaim group id bits */
#define ENVME_FDPA_FDPVWC       0x10u
#define ENVME_FDPA_FDPCV        0x80u       /* configuration valid */

struct envme_fdp_ruh {
    uint8_t ruht;
    uint8_t rsvd1[3];
};
_Static_assert(sizeof(struct envme_fdp_ruh) == 4, "");

enum {                                      /* RUHT */
    ENVME_RUHT_INITIALLY_ISOLATED   = 1,
    ENVME_RUHT_PERSISTENTLY_ISOLATED = 2,
};

/* LID 21h: Reclaim Unit Handle Usage */
struct envme_log_ruh_usage {
    le16_t  nruh;
    uint8_t rsvd2[6];
};
_Static_assert(sizeof(struct envme_log_ruh_usage) == 8, "");

struct envme_ruh_usage {
    uint8_t ruha;
    uint8_t rsvd1[7];
};
_Static_assert(sizeof(struct envme_ruh_usage) == 8, "");

enum {                                      /* RUHA */
    ENVME_RUHA_UNUSED           = 0,
    ENVME_RUHA_HOST             = 1,
    ENVME_RUHA_CTRL             = 2,
};

/* LID 22h: FDP Statistics */
struct envme_log_fdp_stats {
    uint8_t hbmw[16];
    uint8_t mbmw[16];
    uint8_t mbe[16];
    uint8_t rsvd48[16];
};
_Static_assert(sizeof(struct envme_log_fdp_stats) == 64, "");

/* LID 23h: FDP Events */
struct envme_fdp_event {
    uint8_t et;
    uint8_t fdpef;
    le16_t  pid;
    struct envme_timestamp ts;
    le32_t  nsid;
    uint8_t es[16];                         /* by type */
    le16_t  rgid;
    uint8_t ruhid;
    uint8_t rsvd35[5];
    uint8_t vs[24];
};
_Static_assert(sizeof(struct envme_fdp_event) == 64, "");
_Static_assert(offsetof(struct envme_fdp_event, es) == 16, "");
_Static_assert(offsetof(struct envme_fdp_event, rgid) == 32, "");

struct envme_log_fdp_events {
    le32_t  num;
    uint8_t rsvd4[60];
    struct envme_fdp_event event[63];
};
_Static_assert(sizeof(struct envme_log_fdp_events) == 4096, "");

#define ENVME_FDPEF_PIV         0x01u
#define ENVME_FDPEF_NSIDV       0x02u
#define ENVME_FDPEF_LV          0x04u

enum {                                      /* ET: below 80h host events */
    ENVME_FDP_EVENT_NOT_FULLY_WRITTEN   = 0x00,
    ENVME_FDP_EVENT_TIME_LIMIT          = 0x01,
    ENVME_FDP_EVENT_RESET               = 0x02,
    ENVME_FDP_EVENT_INVALID_PID         = 0x03,
    ENVME_FDP_EVENT_MEDIA_REALLOCATED   = 0x80,
    ENVME_FDP_EVENT_RUH_MODIFIED        = 0x81,
};

struct envme_fdp_realloc {                  /* es of MEDIA_REALLOCATED */
    uint8_t sef;
    uint8_t rsvd1;
    le16_t  nlbam;
    uint8_t lba[8];
    uint8_t rsvd12[4];
};
_Static_assert(sizeof(struct envme_fdp_realloc) == 16, "");

#define ENVME_FDP_REALLOC_LBAV  0x01u

/* FID 1Eh, Get: supported events */
struct envme_fdp_event_type {
    uint8_t fdpet;
    uint8_t fdpeta;
};
_Static_assert(sizeof(struct envme_fdp_event_type) == 2, "");

#define ENVME_FDPETA_FDPEE      0x01u       /* enabled */

/* I/O Management Receive and Send: Management Operation */
enum {
    ENVME_IOMR_NONE             = 0x00,
    ENVME_IOMR_RUH_STATUS       = 0x01,
    ENVME_IOMS_NONE             = 0x00,
    ENVME_IOMS_RUH_UPDATE       = 0x01,     /* data: le16_t pid[MOS + 1] */
};

struct envme_ruh_status {
    uint8_t rsvd0[14];
    le16_t  nruhsd;
};
_Static_assert(sizeof(struct envme_ruh_status) == 16, "");

struct envme_ruh_status_desc {
    le16_t  pid;
    le16_t  ruhid;
    le32_t  earutr;
    le64_t  ruamw;
    uint8_t rsvd16[16];
};
_Static_assert(sizeof(struct envme_ruh_status_desc) == 32, "");

#endif
