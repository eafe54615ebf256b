/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small NVMe driver for tests, on libqos' PCI functions: the guest's side
 * of the register interface, of queues, commands and interrupts.
 *
 * Everything waits with a bound and fails the test when it is exceeded.
 * Guest memory is never given back: a test's QEMU does not live long enough.
 *
 * From the environment (tests/qtest/run sets them):
 *   ENVME_DEVICE      device to test: envme (default), or nvme for a look at
 *                     what the tests themselves do
 *   ENVME_MODULE      the module, given to QEMU with -plugin
 *   ENVME_QTEST_TMP   directory for images; must be there
 *   ENVME_QTEST_SMOKE only the tests marked QN_SMOKE
 *   ENVME_QTEST_SANITIZED  set when module or QEMU have a sanitizer
 */
#ifndef TESTS_QTEST_QNVME_H
#define TESTS_QTEST_QNVME_H

#include "qemu/osdep.h"

#include "hw/pci/pci_regs.h"
#include "libqtest.h"
#include "libqos/pci.h"
#include "libqos/pci-pc.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"

#include "envme/bytes.h"
#include "envme/cmd.h"
#include "envme/reg.h"
#include "envme/status.h"

#define QN_PAGE         4096u
#define QN_TIMEOUT_MS   5000        /* of anything that ought to be quick */
#define QN_SLOT         4           /* of the controller on pcie.0 */
#define QN_MSIX_MAX     64          /* vectors the driver keeps track of */

typedef struct QnCq {
    uint16_t id, vector;
    uint32_t size, head;
    bool phase;
    uint64_t addr;
} QnCq;

typedef struct QnSq {
    uint16_t id;
    uint32_t size, tail;
    uint64_t addr;
    QnCq *cq;
} QnSq;

/* One controller of a running QEMU. */
typedef struct QNvme {
    QTestState *qts;
    QPCIBus *bus;
    QPCIDevice *pdev;
    int devfn;                      /* bus << 8 | devfn */
    bool owns_qts;
    bool runs;                      /* a CPU and the clock run by themselves */
    QPCIBar bar[6];
    uint64_t bar_size[6];
    uint64_t ram, ram_end;          /* guest memory not yet given out */
    uint64_t cap;
    uint32_t dstrd;
    uint16_t next_cid;
    QnSq *asq;
    QnCq *acq;
    uint64_t msix_msg;              /* guest memory the vectors write to */
    uint64_t msix_table, msix_pba;  /* bus addresses */
    unsigned msix_n;
} QNvme;

/* How QEMU is started; every field may be left out. */
typedef struct QnConf {
    const char *drive;      /* of -drive if=none,id=d0,...; QN_RAW: a file */
    const char *props;      /* of the controller: "a=b,c=d" */
    const char *extra;      /* further arguments, before the controller */
    const char *after;      /* ... and after it */
    const char *machine;    /* default: q35 */
    bool kvm;               /* the CPU runs: give it something with -bios */
    bool no_drive;
    bool bare;              /* no controller in the command line */
} QnConf;

#define QN_RAW  NULL        /* QnConf.drive: a sparse raw image of 64 MiB */
#define QN_NULL "driver=null-co,read-zeroes=on,size=64M"
#define QN_SLOW(ns) "driver=null-co,read-zeroes=on,size=64M,latency-ns=" #ns
#define QN_DRIVE_SIZE (64u << 20)

/* ---- qnvme-env.c: QEMU's command line, files, other processes ---------- */

#define QN_SMOKE 1
/* Registers a test, after g_test_init(). */
void qn_add(const char *path, void (*fn)(void), unsigned flags);
void qn_add_data(const char *path, const void *data, void (*fn)(const void *),
                 unsigned flags);

const char *qn_device(void);
bool qn_is_envme(void);
bool qn_sanitized(void);
/* "-machine q35 ... -plugin ..." */
char *qn_base_args(const char *machine);
/* A new sparse file of that size in the test's directory; g_free. */
char *qn_image(const char *name, uint64_t size);
char *qn_tmp(const char *name);
/* A BIOS of 64 KiB that begins with this code, at F8000h, as a file for -bios:
 * its name (g_free). */
char *qn_rom(const uint8_t *code, size_t size);
/* A root port with native hot-plug, as arguments; and that port, set up for
 * bus 1 (g_free). */
#define QN_ROOT_PORT \
    "-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off " \
    "-device pcie-root-port,id=rp0,addr=3,chassis=1,slot=1"
QPCIDevice *qn_root_port(QNvme *q);
/* Runs QEMU (args after the common ones) to its end and returns its exit
 * status, or -signal; *err and *out (may be NULL) are g_free()d. */
int qn_spawn(const char *args, char **out, char **err);
/* Starts QEMU with exactly these arguments (and the module), has it quit. */
int qn_spawn_quit(const char *args, char **err);
/* The same without the common arguments, with the module in LD_PRELOAD. */
int qn_spawn_preload(const char *args, char **out, char **err);
uint64_t qn_rss_kib(QNvme *q);
/* QEMU's memory has not grown noticeably since. */
void qn_assert_no_growth(QNvme *q, uint64_t before);

/* ---- qnvme.c: PCI, registers, life cycle ------------------------------- */

QNvme *qn_open(const QnConf *conf);             /* not enabled */
QNvme *qn_start(const QnConf *conf);            /* enabled, 32-entry queues */
void qn_close(QNvme *q);                        /* checks QEMU's end */
/* A second controller of the same QEMU, or one that was plugged. */
QNvme *qn_attach(QNvme *q, int devfn);
void qn_detach(QNvme *q);
QPCIBar qn_bar(QNvme *q, int n);                /* maps it on first use */
/* Gives config space what a reset took: BARs, command register. */
void qn_pci_restore(QNvme *q);
uint8_t qn_cap_find(QNvme *q, uint8_t id);      /* PCI capability or 0 */

uint64_t qn_alloc(QNvme *q, uint64_t size);     /* page aligned, zeroed */
void qn_read(QNvme *q, uint64_t addr, void *buf, size_t len);
void qn_write(QNvme *q, uint64_t addr, const void *buf, size_t len);
/* Fills with a pattern that depends on seed and position. */
void qn_fill(QNvme *q, uint64_t addr, size_t len, uint32_t seed);
void qn_pattern(uint8_t *buf, size_t len, uint32_t seed);
bool qn_matches(QNvme *q, uint64_t addr, size_t len, uint32_t seed);
char *qn_sum(QNvme *q, uint64_t addr, size_t len);  /* SHA-256 */

uint32_t qn_r4(QNvme *q, uint64_t reg);
uint64_t qn_r8(QNvme *q, uint64_t reg);
void qn_w4(QNvme *q, uint64_t reg, uint32_t val);
void qn_w8(QNvme *q, uint64_t reg, uint64_t val);
uint32_t qn_csts(QNvme *q);
/* Waits until (reg & mask) == val. */
void qn_wait(QNvme *q, uint64_t reg, uint32_t mask, uint32_t val);
/* One beat of waiting: lets QEMU's clock and threads go on. */
void qn_beat(QNvme *q);
void qn_sleep(QNvme *q, unsigned ms);

#define QN_CC (FIELD_SET(ENVME_CC_IOSQES, 6) | FIELD_SET(ENVME_CC_IOCQES, 4))

void qn_admin_queues(QNvme *q, uint32_t sq_size, uint32_t cq_size);
void qn_enable_cc(QNvme *q, uint32_t cc);       /* CC.EN is added */
void qn_enable(QNvme *q);
void qn_disable(QNvme *q);
/* The life signs: a reset, Identify, and with io_too a read. */
void qn_check_alive(QNvme *q, bool io_too);
void qn_set_bme(QNvme *q, bool on);

uint64_t qn_db_off(QNvme *q, unsigned n);       /* of doorbell register n */
/* Are doorbells memory just now, of any controller? */
bool qn_mapped(QNvme *q);
void qn_ring_sq(QNvme *q, QnSq *sq);
void qn_ring_cq(QNvme *q, QnCq *cq);

/* ---- qnvme-cmd.c: queues and commands ---------------------------------- */

QnCq *qn_cq_new(QNvme *q, uint16_t id, uint32_t size, uint16_t vector);
QnSq *qn_sq_new(QNvme *q, uint16_t id, uint32_t size, QnCq *cq);
struct envme_sqe qn_create_cq(QnCq *cq, bool ien);
struct envme_sqe qn_create_sq(QnSq *sq);
/* Both, of the same id; created in the controller. vector < 0: no IEN. */
QnSq *qn_io_queue(QNvme *q, uint16_t id, uint32_t size, int vector);
/* Only the driver's memory of them. */
void qn_queue_free(QnSq *sq);

/* Puts it in the queue without the doorbell; returns its CID. */
uint16_t qn_push(QNvme *q, QnSq *sq, struct envme_sqe sqe);
/* The next completion: if there is one; waited for; waited for, and the head
 * doorbell rung. */
bool qn_peek(QNvme *q, QnCq *cq, struct envme_cqe *cqe);
struct envme_cqe qn_await(QNvme *q, QnCq *cq);
/* Waited for while the clock stands still, which qn_await() moves. */
struct envme_cqe qn_await_still(QNvme *q, QnCq *cq);
struct envme_cqe qn_reap(QNvme *q, QnCq *cq);
/* No completion for that long. */
void qn_assert_quiet(QNvme *q, QnCq *cq, unsigned ms);
/* Push, ring, reap. */
struct envme_cqe qn_cmd(QNvme *q, QnSq *sq, struct envme_sqe sqe);
struct envme_cqe qn_admin(QNvme *q, struct envme_sqe sqe);
uint16_t qn_status(const struct envme_cqe *cqe);    /* ENVME_SC_* */

#define qn_assert_sc(cqe, sc) g_assert_cmphex(qn_status(&(cqe)), ==, (sc))
#define qn_assert_ok(cqe)     qn_assert_sc(cqe, ENVME_SC_SUCCESS)

struct envme_sqe qn_sqe(uint8_t opc, uint32_t nsid);
struct envme_sqe qn_identify(uint8_t cns, uint32_t nsid, uint64_t prp1);
struct envme_sqe qn_getlog(uint8_t lid, uint64_t off, uint32_t len,
                           uint64_t prp1);
struct envme_sqe qn_feature(bool set, uint8_t fid, uint32_t cdw11);
/* Read, Write, Compare ...: buf is page aligned, PRPs are made. */
struct envme_sqe qn_rw(QNvme *q, uint8_t opc, uint64_t slba, uint32_t nlb,
                       uint64_t buf);
void qn_set_prps(QNvme *q, struct envme_sqe *sqe, uint64_t buf, size_t len);
/* Write a pattern, read it back elsewhere, compare. */
void qn_verify_io(QNvme *q, QnSq *sq, uint64_t slba, uint32_t nlb,
                  uint32_t seed);

/* ---- qnvme-irq.c: interrupts ------------------------------------------- */

/* Vectors write 0x4d580000 + n into guest memory. */
void qn_msix_enable(QNvme *q);
void qn_msix_disable(QNvme *q);
void qn_msix_mask(QNvme *q, unsigned vec, bool masked);
void qn_msix_function_mask(QNvme *q, bool masked);
bool qn_msix_pending(QNvme *q, unsigned vec);
/* Did vector vec write since the last call? */
bool qn_msix_take(QNvme *q, unsigned vec);
bool qn_msix_wait(QNvme *q, unsigned vec);
/* MSI: n vectors asked for (a power of 2); vector v writes its number. */
bool qn_msi_enable(QNvme *q, unsigned n, unsigned *granted);
bool qn_msi_take(QNvme *q, unsigned *vec);
/* The level of INTx, as the function's status register has it. */
bool qn_intx(QNvme *q);
/* The same at the interrupt controller: any of its inputs 16 .. 23. */
bool qn_intx_ioapic(QNvme *q);

#endif
