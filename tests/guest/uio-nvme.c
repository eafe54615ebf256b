/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small user-space NVMe driver, for guests.
 *
 *   uio-nvme run  uio|vfio PCI-ADDRESS COUNTER-FILE OPERATIONS [freeze]
 *   uio-nvme csts PCI-ADDRESS
 *
 * "run" takes the controller over, makes one I/O queue pair and keeps DEPTH
 * commands in flight: writes of a pattern that is different for every write,
 * and reads that must give what was written last. After OPERATIONS, or at
 * SIGTERM, it reads and checks every block. It polls; the number of finished operations is in the
 * counter file (8 bytes, mapped) for others to watch. With "freeze" it clears
 * Bus Master itself every few thousand operations and checks that nothing
 * moves until it sets the bit again.
 *
 * uio: memory is huge pages, found through /proc/self/pagemap, and registers
 * are the PCI resource in sysfs. vfio: a type 1 IOMMU container.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    REG_CAP = 0x00, REG_CC = 0x14, REG_CSTS = 0x1c, REG_AQA = 0x24,
    REG_ASQ = 0x28, REG_ACQ = 0x30, REG_DOORBELLS = 0x1000,
    CSTS_RDY = 1, CSTS_CFS = 2,
    PCI_COMMAND = 4, PCI_COMMAND_MEMORY = 2, PCI_COMMAND_MASTER = 4,
    ADM_CREATE_SQ = 0x01, ADM_CREATE_CQ = 0x05, ADM_IDENTIFY = 0x06,
    NVM_WRITE = 0x01, NVM_READ = 0x02,
    QSIZE = 64, DEPTH = 32, BLOCKS = 512, BLOCK = 8192,
    MEMORY = 2 << 20, IOVA = 0x40000000, PATIENCE = 60,
};

struct sqe {
    uint8_t opcode, flags;
    uint16_t cid;
    uint32_t nsid, cdw2, cdw3;
    uint64_t mptr, prp1, prp2;
    uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};

struct cqe {
    uint32_t dw0, dw1;
    uint16_t sqhd, sqid, cid, status;
};

_Static_assert(sizeof(struct sqe) == 64 && sizeof(struct cqe) == 16, "wire format");

struct queue {
    struct sqe *sq;
    volatile struct cqe *cq;
    volatile uint32_t *sq_db, *cq_db;
    uint16_t size, tail, head, phase;
};

struct slot {                   /* one command in flight */
    int block;
    bool is_write, busy;
};

static volatile uint8_t *regs;
static uint8_t *memory;         /* MEMORY bytes that the device can reach */
static uint64_t memory_bus;
static uint32_t memory_used;
static struct queue admin, io;
static struct slot slots[DEPTH];
static uint32_t generation[BLOCKS]; /* 0: never written */
static bool block_busy[BLOCKS];
static volatile uint64_t *counter;
static int vfio_device = -1;
static uint64_t vfio_config;
static uint32_t block_shift;
static const char *pci;
static volatile sig_atomic_t enough;

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fprintf(stderr, "uio-nvme: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    exit(1);
}

static void on_term(int sig)
{
    (void)sig;
    enough = 1;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static uint32_t reg32(int off)
{
    return *(volatile uint32_t *)(regs + off);
}

static void set_reg32(int off, uint32_t v)
{
    *(volatile uint32_t *)(regs + off) = v;
}

static uint64_t reg64(int off)
{
    return reg32(off) | (uint64_t)reg32(off + 4) << 32;
}

static void set_reg64(int off, uint64_t v)
{
    set_reg32(off, v);
    set_reg32(off + 4, v >> 32);
}

static int open_sysfs(const char *name, int flags)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", pci, name);
    fd = open(path, flags);
    if (fd < 0) {
        die("%s: %s", path, strerror(errno));
    }
    return fd;
}

static void map_registers(int fd, off_t off)
{
    void *p = mmap(NULL, 0x2000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, off);

    if (p == MAP_FAILED) {
        die("cannot map the registers: %s", strerror(errno));
    }
    regs = p;
}

/* Bus memory for a ring or a buffer, aligned to a page. */
static void *take(uint32_t bytes, uint64_t *bus)
{
    void *p = memory + memory_used;

    *bus = memory_bus + memory_used;
    memory_used += (bytes + 4095) & ~4095u;
    if (memory_used > MEMORY) {
        die("out of memory for the device");
    }
    return p;
}

static void map_memory(void)
{
    memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        die("no huge page: %s", strerror(errno));
    }
    memset(memory, 0, MEMORY);
}

static void open_uio(void)
{
    uint64_t entry;
    int fd = open("/proc/self/pagemap", O_RDONLY);

    map_memory();
    if (fd < 0 || pread(fd, &entry, 8, (uintptr_t)memory / 4096 * 8) != 8 ||
        !(entry >> 63) || !(entry & ((1ull << 55) - 1))) {
        die("the physical address of the huge page is not known");
    }
    close(fd);
    memory_bus = (entry & ((1ull << 55) - 1)) * 4096;
    map_registers(open_sysfs("resource0", O_RDWR | O_SYNC), 0);
    /* As drivers that wait for interrupts do; it also keeps the device. */
    if (open("/dev/uio0", O_RDWR) < 0) {
        die("/dev/uio0: %s", strerror(errno));
    }
}

static void open_vfio(void)
{
    struct vfio_group_status status = { .argsz = sizeof(status) };
    struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map) };
    struct vfio_region_info bar = { .argsz = sizeof(bar) };
    struct vfio_region_info config = { .argsz = sizeof(config) };
    char path[256], link[256];
    int container, group;
    ssize_t n;

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", pci);
    n = readlink(path, link, sizeof(link) - 1);
    if (n < 0) {
        die("%s has no IOMMU group", pci);
    }
    link[n] = 0;
    snprintf(path, sizeof(path), "/dev/vfio/%.200s", strrchr(link, '/') + 1);
    container = open("/dev/vfio/vfio", O_RDWR);
    group = open(path, O_RDWR);
    if (container < 0 || group < 0) {
        die("%s: %s", path, strerror(errno));
    }
    if (ioctl(group, VFIO_GROUP_GET_STATUS, &status) ||
        !(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
        die("the group of %s is not viable", pci);
    }
    if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
        ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU)) {
        die("no type 1 IOMMU: %s", strerror(errno));
    }
    map_memory();
    map.vaddr = (uintptr_t)memory;
    map.iova = memory_bus = IOVA;
    map.size = MEMORY;
    map.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
    if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map)) {
        die("cannot map memory for the device: %s", strerror(errno));
    }
    vfio_device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, pci);
    bar.index = VFIO_PCI_BAR0_REGION_INDEX;
    config.index = VFIO_PCI_CONFIG_REGION_INDEX;
    if (vfio_device < 0 || ioctl(vfio_device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
        ioctl(vfio_device, VFIO_DEVICE_GET_REGION_INFO, &config)) {
        die("cannot open the device: %s", strerror(errno));
    }
    vfio_config = config.offset;
    map_registers(vfio_device, bar.offset);
}

/* Set or clear bits of the PCI command register. */
static void pci_command(uint16_t clear, uint16_t set)
{
    int fd = vfio_device >= 0 ? vfio_device : open_sysfs("config", O_RDWR);
    off_t off = (vfio_device >= 0 ? vfio_config : 0) + PCI_COMMAND;
    uint16_t v;

    if (pread(fd, &v, 2, off) != 2) {
        die("cannot read the PCI command register");
    }
    v = (v & ~clear) | set;
    if (pwrite(fd, &v, 2, off) != 2) {
        die("cannot write the PCI command register");
    }
    if (fd != vfio_device) {
        close(fd);
    }
}

static void queue_init(struct queue *q, int id, uint64_t *sq_bus, uint64_t *cq_bus)
{
    uint32_t stride = 4u << (reg64(REG_CAP) >> 32 & 0xf);

    q->size = QSIZE;
    q->sq = take(QSIZE * sizeof(struct sqe), sq_bus);
    q->cq = take(QSIZE * sizeof(struct cqe), cq_bus);
    q->phase = 1;
    q->sq_db = (volatile uint32_t *)(regs + REG_DOORBELLS + 2 * id * stride);
    q->cq_db = (volatile uint32_t *)(regs + REG_DOORBELLS + (2 * id + 1) * stride);
}

static void submit(struct queue *q, const struct sqe *cmd)
{
    q->sq[q->tail] = *cmd;
    q->tail = (q->tail + 1) % q->size;
    __sync_synchronize();
    *q->sq_db = q->tail;
}

/* Take one completion if there is one: its identifier, or -1. */
static int reap(struct queue *q)
{
    volatile struct cqe *e = &q->cq[q->head];
    uint16_t status = e->status;
    int cid;

    if ((status & 1) != q->phase) {
        return -1;
    }
    __sync_synchronize();
    cid = e->cid;
    if (status >> 1) {
        die("command %d failed, status 0x%x", cid, status >> 1);
    }
    if (++q->head == q->size) {
        q->head = 0;
        q->phase ^= 1;
    }
    *q->cq_db = q->head;
    return cid;
}

static void check_alive(uint64_t start, const char *what)
{
    uint32_t csts = reg32(REG_CSTS);

    if (csts == UINT32_MAX || (csts & CSTS_CFS)) {
        die("%s: CSTS is 0x%x", what, csts);
    }
    if (now_ms() - start > PATIENCE * 1000) {
        die("%s: nothing for %d s, CSTS 0x%x, %" PRIu64 " operations done", what,
            PATIENCE, csts, *counter);
    }
}

static void admin_command(struct sqe cmd, const char *what)
{
    uint64_t start = now_ms();

    cmd.cid = 77;
    submit(&admin, &cmd);
    for (;;) {
        int cid = reap(&admin);

        if (cid == 77) {
            return;
        }
        if (cid >= 0) {
            die("%s: completion of a command %d that was never sent", what, cid);
        }
        check_alive(start, what);
        usleep(200);
    }
}

static void wait_ready(uint32_t want)
{
    uint64_t start = now_ms();

    while ((reg32(REG_CSTS) & CSTS_RDY) != want) {
        check_alive(start, want ? "enable" : "disable");
        usleep(1000);
    }
}

static void controller_start(void)
{
    uint64_t sq, cq, buf;
    uint8_t *id;

    pci_command(0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    set_reg32(REG_CC, 0);
    wait_ready(0);
    queue_init(&admin, 0, &sq, &cq);
    set_reg32(REG_AQA, (QSIZE - 1) << 16 | (QSIZE - 1));
    set_reg64(REG_ASQ, sq);
    set_reg64(REG_ACQ, cq);
    set_reg32(REG_CC, 4 << 20 | 6 << 16 | 1);
    wait_ready(1);

    id = take(4096, &buf);
    admin_command((struct sqe) { .opcode = ADM_IDENTIFY, .nsid = 1, .prp1 = buf },
                  "identify namespace");
    block_shift = id[128 + 4 * (id[26] & 0xf) + 2];
    if (block_shift < 9 || block_shift > 13) {
        die("block size 2^%u", block_shift);
    }
    queue_init(&io, 1, &sq, &cq);
    admin_command((struct sqe) { .opcode = ADM_CREATE_CQ, .prp1 = cq,
                  .cdw10 = (QSIZE - 1) << 16 | 1, .cdw11 = 1 }, "create CQ");
    admin_command((struct sqe) { .opcode = ADM_CREATE_SQ, .prp1 = sq,
                  .cdw10 = (QSIZE - 1) << 16 | 1, .cdw11 = 1 << 16 | 1 }, "create SQ");
}

static uint64_t slot_bus[DEPTH];
static uint64_t *slot_buf[DEPTH];

static uint64_t pattern(int block, uint32_t gen, int i)
{
    return ((uint64_t)gen << 32 | (uint32_t)block << 16 | i) * 0x9e3779b97f4a7c15ull;
}

static void start_op(int n, int block, bool is_write)
{
    struct slot *s = &slots[n];
    uint32_t per = BLOCK >> block_shift;

    s->block = block;
    s->is_write = is_write;
    s->busy = block_busy[block] = true;
    if (is_write) {
        generation[block]++;
    }
    for (int i = 0; i < BLOCK / 8; i++) {
        slot_buf[n][i] = is_write ? pattern(block, generation[block], i) : ~0ull;
    }
    submit(&io, &(struct sqe) {
        .opcode = is_write ? NVM_WRITE : NVM_READ, .cid = n, .nsid = 1,
        .prp1 = slot_bus[n], .prp2 = slot_bus[n] + 4096,
        .cdw10 = block * per, .cdw12 = per - 1,
    });
}

static void end_op(int n)
{
    struct slot *s;

    if (n >= DEPTH || !slots[n].busy) {
        die("a completion for command %d, which was not in flight", n);
    }
    s = &slots[n];
    for (int i = 0; !s->is_write && i < BLOCK / 8; i++) {
        uint64_t want = pattern(s->block, generation[s->block], i);

        if (slot_buf[n][i] != want) {
            die("block %d, word %d: 0x%" PRIx64 " where write %u put 0x%" PRIx64
                " (operation %" PRIu64 ")", s->block, i, slot_buf[n][i],
                generation[s->block], want, *counter);
        }
    }
    s->busy = block_busy[s->block] = false;
    ++*counter;
}

static int reap_all(void)
{
    int n, count = 0;

    while ((n = reap(&io)) >= 0) {
        end_op(n);
        count++;
    }
    return count;
}

static void drain(void)
{
    uint64_t start = now_ms();

    for (int n = 0; n < DEPTH; n++) {
        while (slots[n].busy) {
            if (!reap_all()) {
                check_alive(start, "drain");
            }
        }
    }
}

/*
 * Bus Master off with commands in flight. What had been posted before may be
 * there; then nothing may come, and every command must come after it is on.
 */
static void freeze(void)
{
    pci_command(PCI_COMMAND_MASTER, 0);
    usleep(20000);
    reap_all();
    usleep(50000);
    if (reap_all()) {
        die("a completion while Bus Master was clear");
    }
    if ((reg32(REG_CSTS) & (CSTS_RDY | CSTS_CFS)) != CSTS_RDY) {
        die("CSTS is 0x%x while Bus Master is clear", reg32(REG_CSTS));
    }
    pci_command(0, PCI_COMMAND_MASTER);
}

static void work(uint64_t operations, bool freezing)
{
    uint64_t last = 0, last_ms = now_ms();
    uint32_t seed = 1;

    while (*counter < operations && !enough) {
        int sent = 0;

        for (int n = 0; n < DEPTH; n++) {
            int block;

            if (slots[n].busy) {
                continue;
            }
            do {
                seed = seed * 1664525 + 1013904223;
                block = (seed >> 8) % BLOCKS;
            } while (block_busy[block]);
            start_op(n, block, !generation[block] || seed >> 31);
            sent++;
        }
        if (freezing && sent && *counter / 2000 != last / 2000) {
            freeze();
        }
        if (!reap_all()) {
            usleep(50);
        }
        if (*counter != last) {
            last = *counter;
            last_ms = now_ms();
        } else {
            check_alive(last_ms, "I/O");
        }
    }
    drain();
}

static void check_everything(void)
{
    for (int block = 0; block < BLOCKS; block++) {
        if (generation[block]) {
            start_op(0, block, false);
            drain();
        }
    }
}

static void open_counter(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

    if (fd < 0 || ftruncate(fd, 4096)) {
        die("%s: %s", path, strerror(errno));
    }
    counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (counter == MAP_FAILED) {
        die("%s: %s", path, strerror(errno));
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "csts")) {
        pci = argv[2];
        map_registers(open_sysfs("resource0", O_RDWR | O_SYNC), 0);
        printf("RDY=%u CFS=%u\n", reg32(REG_CSTS) & 1, reg32(REG_CSTS) >> 1 & 1);
        return 0;
    }
    if (argc < 6 || strcmp(argv[1], "run")) {
        die("run uio|vfio PCI COUNTER OPERATIONS [freeze] | csts PCI");
    }
    pci = argv[3];
    open_counter(argv[4]);
    signal(SIGTERM, on_term);
    if (!strcmp(argv[2], "vfio")) {
        open_vfio();
    } else {
        open_uio();
    }
    controller_start();
    for (int n = 0; n < DEPTH; n++) {
        slot_buf[n] = take(BLOCK, &slot_bus[n]);
    }
    work(strtoull(argv[5], NULL, 0), argc > 6);
    check_everything();
    printf("%" PRIu64 " operations, every byte right\n", *counter);
    set_reg32(REG_CC, 0);
    wait_ready(0);
    return 0;
}
