/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key Value command set.
 *
 * Spec: Key Value Command Set 1.1, 3.2 (commands), 4.1.5 (Identify); the
 * feature (FID 20h) is in feat.h.
 *
 * A key of up to 16 bytes is in CDW2, CDW3, CDW14 and CDW15, in that order.
 */
#ifndef ENVME_KV_H
#define ENVME_KV_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "cmd.h"

/* Opcodes; Flush and the Reservation commands are those of cmd.h */
enum {
    ENVME_KV_STORE              = 0x01,
    ENVME_KV_RETRIEVE           = 0x02,
    ENVME_KV_LIST               = 0x06,
    ENVME_KV_DELETE             = 0x10,
    ENVME_KV_EXIST              = 0x14,
};

#define ENVME_KV_KEY_MAX        16u

struct envme_sqe_kv {
    uint8_t opc;
    uint8_t flags;
    le16_t  cid;
    le32_t  nsid;
    uint8_t key_lo[8];
    le64_t  mptr;
    union envme_dptr dptr;
    le32_t  size;                           /* value or host buffer, bytes */
    le32_t  cdw11;
    le32_t  cdw12;
    le32_t  cdw13;
    uint8_t key_hi[8];
};
_Static_assert(sizeof(struct envme_sqe_kv) == 64, "");
_Static_assert(offsetof(struct envme_sqe_kv, key_lo) == 8, "");
_Static_assert(offsetof(struct envme_sqe_kv, size) == 40, "");
_Static_assert(offsetof(struct envme_sqe_kv, key_hi) == 56, "");

/* CDW11 */
#define ENVME_KV_KL             0x000000ffu
#define ENVME_KV_SO             0x0000ff00u /* Store */
#define ENVME_KV_SO_SIKE        0x00000100u /* only if the key exists */
#define ENVME_KV_SO_SINKE       0x00000200u /* only if it does not */
#define ENVME_KV_SO_NOCOMP      0x00000400u
#define ENVME_KV_RO             0x0000ff00u /* Retrieve */
#define ENVME_KV_RO_RAW         0x00000100u /* do not decompress */

/* Data of List: header, then keys, each padded to a dword */
struct envme_kv_list {
    le32_t  nrk;
};
_Static_assert(sizeof(struct envme_kv_list) == 4, "");

struct envme_kv_list_key {
    le16_t  kl;
    uint8_t key[];
};
_Static_assert(sizeof(struct envme_kv_list_key) == 2, "");

/* KV format */
struct envme_kvf {
    le16_t  kvkml;
    uint8_t rsvd2;
    uint8_t afo;
    le32_t  kvvml;
    le32_t  mnks;                           /* 0: no limit */
    uint8_t rsvd12[4];
};
_Static_assert(sizeof(struct envme_kvf) == 16, "");

/* Identify Namespace, CNS 05h with CSI 01h; sizes are in bytes */
struct envme_id_ns_kv {
    le64_t  nsze;
    uint8_t rsvd8[8];
    le64_t  nuse;
    uint8_t nsfeat;
    uint8_t nkvf;                           /* 0's based */
    uint8_t nmic;
    uint8_t rescap;
    uint8_t fpi;
    uint8_t kvfc;
    uint8_t rsvd30[2];
    le32_t  novg;
    le32_t  anagrpid;
    uint8_t rsvd40[3];
    uint8_t nsattr;
    le16_t  nvmsetid;
    le16_t  endgid;
    uint8_t nguid[16];
    uint8_t eui64[8];
    struct envme_kvf kvf[16];
    uint8_t rsvd328[3512];
    uint8_t vs[256];
};
_Static_assert(sizeof(struct envme_id_ns_kv) == 4096, "");
_Static_assert(offsetof(struct envme_id_ns_kv, nkvf) == 25, "");
_Static_assert(offsetof(struct envme_id_ns_kv, novg) == 32, "");
_Static_assert(offsetof(struct envme_id_ns_kv, nsattr) == 43, "");
_Static_assert(offsetof(struct envme_id_ns_kv, kvf) == 72, "");
_Static_assert(offsetof(struct envme_id_ns_kv, vs) == 3840, "");

#define ENVME_KVFC_KVFI         0x0fu       /* format in use */

/* Identify Controller, CNS 06h with CSI 01h */
struct envme_id_ctrl_kv {
    le32_t  ver;
    uint8_t rsvd4[4092];
};
_Static_assert(sizeof(struct envme_id_ctrl_kv) == 4096, "");

#endif
