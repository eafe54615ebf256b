/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directives: data of Directive Send and Receive; the dwords are in cmd.h.
 *
 * Spec: NVMe Base 2.1, 8.1.8.
 */
#ifndef ENVME_DIRECTIVE_H
#define ENVME_DIRECTIVE_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* Identify: Return Parameters; bit n of a bitmap is directive type n */
struct envme_directive_params {
    uint8_t supported[32];
    uint8_t enabled[32];
    uint8_t persistent[32];                 /* across controller resets */
    uint8_t rsvd96[4000];
};
_Static_assert(sizeof(struct envme_directive_params) == 4096, "");

/* Streams: Return Parameters */
struct envme_streams_params {
    le16_t  msl;
    le16_t  nssa;
    le16_t  nsso;
    uint8_t nssc;
    uint8_t rsvd7[9];
    le32_t  sws;
    le16_t  sgs;
    le16_t  nsa;
    le16_t  nso;
    uint8_t rsvd26[6];
};
_Static_assert(sizeof(struct envme_streams_params) == 32, "");
_Static_assert(offsetof(struct envme_streams_params, sws) == 16, "");

#define ENVME_NSSC_SRNZID       0x01u       /* non-zero host identifiers */
#define ENVME_NSSC_SSID         0x02u       /* streams are shared */

/* Streams: Get Status */
struct envme_streams_status {
    le16_t  osc;
    le16_t  sid[];
};
_Static_assert(sizeof(struct envme_streams_status) == 2, "");

#endif
