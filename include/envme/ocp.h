/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vendor specific things that hosts know: the Error Injection feature of the
 * OCP Datacenter NVMe SSD Specification (2.0, 4.9.1), and this controller's
 * own fault injection commands (docs/faults.md).
 */
#ifndef ENVME_OCP_H
#define ENVME_OCP_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

#define ENVME_FID_OCP_ERROR     0xc0u
#define ENVME_OCP_ERRORS        127         /* entries at most */
#define ENVME_OCP_ERROR_NUME    0x0000007fu /* CDW11, and DW0 of Get */

/* C194D55B-E094-4794-A21D-29998F56BE6F, in the UUID list */
#define ENVME_OCP_UUID                                                    \
    {                                                                     \
        0xc1, 0x94, 0xd5, 0x5b, 0xe0, 0x94, 0x47, 0x94,                   \
        0xa2, 0x1d, 0x29, 0x99, 0x8f, 0x56, 0xbe, 0x6f                    \
    }

#define ENVME_OCP_ERROR_ENABLE  0x01u       /* flags */
#define ENVME_OCP_ERROR_SINGLE  0x02u

enum {                                      /* type */
    ENVME_OCP_CPU_HANG          = 1,
    ENVME_OCP_NAND_HANG         = 2,
    ENVME_OCP_PLP_DEFECT        = 3,
    ENVME_OCP_FIRMWARE          = 4,
    ENVME_OCP_DRAM_CRITICAL     = 5,
    ENVME_OCP_DRAM              = 6,
    ENVME_OCP_NAND_CORRUPT      = 7,
    ENVME_OCP_SRAM_CORRUPT      = 8,
    ENVME_OCP_HARDWARE          = 9,
    ENVME_OCP_NO_SPARES         = 10,
    ENVME_OCP_SHUTDOWN          = 11,
    ENVME_OCP_METADATA          = 12,
    ENVME_OCP_GARBAGE           = 13,
    ENVME_OCP_LATENCY           = 14,
    ENVME_OCP_IO_FAILS          = 15,
    ENVME_OCP_IO_HANGS          = 16,
    ENVME_OCP_ADMIN_FAILS       = 17,
    ENVME_OCP_ADMIN_HANGS       = 18,
    ENVME_OCP_THROTTLED         = 19,
    ENVME_OCP_NOT_THROTTLED     = 20,
    ENVME_OCP_TOO_HOT           = 21,
    ENVME_OCP_DIE_OFFLINE       = 22,
};

struct envme_ocp_error {
    uint8_t flags;
    uint8_t rsvd1;
    le16_t  type;
    le16_t  nrtdp;                          /* reads before it happens */
    uint8_t rsvd6[26];
};

_Static_assert(sizeof(struct envme_ocp_error) == 32, "");
_Static_assert(offsetof(struct envme_ocp_error, nrtdp) == 4, "");

/* Fault Injection Send and Receive. CDW10 NDT (dwords), CDW12 operation. */
enum {
    ENVME_ADM_FAULT_SEND        = 0xc1,
    ENVME_ADM_FAULT_RECEIVE     = 0xc2,
};

#define ENVME_FAULT_NDT         0xffffffffu /* CDW10 */
#define ENVME_FAULT_OP          0x000000ffu /* CDW12 */
#define ENVME_FAULT_OFFSET      0xffffffffu /* CDW13 of Receive, bytes */

enum {                                      /* Fault Injection Send: op */
    ENVME_FAULT_LOAD            = 0,
    ENVME_FAULT_ARM             = 1,
    ENVME_FAULT_DISARM          = 2,
    ENVME_FAULT_ACTIVATE        = 3,
    ENVME_FAULT_DEACTIVATE      = 4,
};

enum {                                      /* Fault Injection Receive: op */
    ENVME_FAULT_REPORT          = 0,
    ENVME_FAULT_RULES           = 1,
    ENVME_FAULT_ERROR           = 2,
};

#endif
