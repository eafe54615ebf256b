/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The three CRCs of protection information.
 *
 * Pure functions, any thread. Data may come in pieces: start with crc 0, and
 * hand the result of one piece to the next. No bytes leave it as it is.
 *
 * Each is ISA-L's (libisal.so.2) if the machine has it at run time and it
 * computes what ours does; else our own, from tables. Nothing depends on it
 * being there. It is looked for once, by the first call of any of them.
 */
#ifndef ENVME_CORE_CRC_H
#define ENVME_CORE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* T10 DIF: polynomial 8BB7h, not reflected, from 0. */
uint16_t envme_crc16_t10dif(uint16_t crc, const void *buf, size_t len);
/* CRC-32C, Castagnoli: 1EDC6F41h, reflected, inverted before and after. */
uint32_t envme_crc32c(uint32_t crc, const void *buf, size_t len);
/* NVM 1.1, 5.3.1: AD93D23594C93659h, reflected, inverted before and after. */
uint64_t envme_crc64_nvme(uint64_t crc, const void *buf, size_t len);

/* The same from tables, whatever the machine has. */
uint16_t envme_crc16_t10dif_own(uint16_t crc, const void *buf, size_t len);
uint32_t envme_crc32c_own(uint32_t crc, const void *buf, size_t len);
uint64_t envme_crc64_nvme_own(uint64_t crc, const void *buf, size_t len);

/* Which of them are ISA-L's. */
#define ENVME_CRC_ISAL_16 0x1u
#define ENVME_CRC_ISAL_32 0x2u
#define ENVME_CRC_ISAL_64 0x4u
unsigned envme_crc_isal(void);

#endif
