/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes files whose loss shows, and looks for them after a power loss.
 *
 *   crash-fs make  DIR                 what is there before the power may go
 *   crash-fs write DIR TAG [KIND]      for ever, in rounds of STEPS steps
 *   crash-fs check DIR STEP [KIND]     all is there up to this step
 *
 * After each step, when what it wrote has to be on stable storage, write says
 * "S TAG STEP". Each way of asking for that is a step:
 *
 *   a record is appended to a file, fsync
 *   blocks of a file are written over directly, fdatasync
 *   a file takes the place of another: fsync, rename, fsync of the directory
 *   a block is written over directly with O_DSYNC (the kernel uses FUA)
 *
 * and before the first of them other files are on their way to the drive that
 * nobody asks for. KIND is fs, or one step of it: blocks, fua. Every byte follows from what it belongs to and from its
 * generation. A block that is written over is of the size that the drive
 * writes as a whole: it is the old one or the new one, at any time.
 *
 * check prints what is wrong, a line each, and its status is then 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STEPS = 4, BLOCK = 4096, AT_ONCE = 3, SLOTS = 24, FUA_SLOTS = 8,
    FILES = 6, LOOSE = 8, LOOSE_BYTES = 12000, MAX = 32768,
};

enum { ID_LOG, ID_SLOT = 100, ID_FILE = 200, ID_LOOSE = 300 };

struct head {
    uint32_t id, gen;
};

static uint8_t buf[MAX] __attribute__((aligned(BLOCK)));
static uint8_t want[MAX] __attribute__((aligned(BLOCK)));
static bool is_wrong;
static bool does[STEPS];

static void die(const char *what)
{
    fprintf(stderr, "crash-fs: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void wrong(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    is_wrong = true;
}

/* ---- what each holds --------------------------------------------------- */

/* A head, and numbers that follow from it. */
static void fill(uint8_t *p, unsigned bytes, uint32_t id, uint32_t gen)
{
    struct head h = { id, gen };
    uint64_t x = ((uint64_t)id << 32 | gen) * 0x9e3779b97f4a7c15 + 1;

    for (unsigned i = 0; i < bytes; i += sizeof(x)) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(p + i, &x, bytes - i < sizeof(x) ? bytes - i : sizeof(x));
    }
    memcpy(p, &h, sizeof(h));
}

static unsigned log_bytes(unsigned gen)
{
    return 200 + gen * 577 % 6000;
}

static unsigned file_bytes(unsigned gen)
{
    return 20000 + gen * 131 % 5000;
}

/* The last round up to `last` that was this slot's (or file's) turn; 0: none */
static unsigned last_turn(unsigned last, unsigned turn, unsigned turns)
{
    unsigned back = (last % turns + turns - turn) % turns;

    return last > back ? last - back : 0;
}

/* ---- writing ----------------------------------------------------------- */

static int open_in(int dir, const char *name, int flags)
{
    int fd = openat(dir, name, flags, 0600);

    if (fd < 0) {
        die(name);
    }
    return fd;
}

static void put(int fd, unsigned bytes, off_t at)
{
    if (pwrite(fd, buf, bytes, at) != (ssize_t)bytes) {
        die("write");
    }
}

static void must(int ret, const char *what)
{
    if (ret) {
        die(what);
    }
}

static void put_slot(int fd, unsigned slot, unsigned gen)
{
    fill(buf, BLOCK, ID_SLOT + slot, gen);
    put(fd, BLOCK, (off_t)slot * BLOCK);
}

static void make(int dir)
{
    int fd = open_in(dir, "slots", O_RDWR | O_CREAT | O_TRUNC);

    for (unsigned i = 0; i < SLOTS + FUA_SLOTS; i++) {
        put_slot(fd, i, 0);
    }
    must(fsync(fd), "fsync");
    close(fd);
    close(open_in(dir, "log", O_RDWR | O_CREAT | O_TRUNC));
    must(fsync(dir), "fsync");
}

/* On its way to the drive, but nobody waits for it to be safe there. */
static void write_loose(int dir, unsigned gen)
{
    char name[16];
    int fd;

    snprintf(name, sizeof(name), "loose%u", gen % LOOSE);
    unlinkat(dir, name, 0);
    fd = open_in(dir, name, O_RDWR | O_CREAT);
    fill(buf, LOOSE_BYTES, ID_LOOSE, gen);
    put(fd, LOOSE_BYTES, 0);
    sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE |
                    SYNC_FILE_RANGE_WAIT_AFTER);
    close(fd);
}

static void write_file(int dir, unsigned gen)
{
    char name[16];
    int fd = open_in(dir, "new", O_RDWR | O_CREAT | O_TRUNC);

    fill(buf, file_bytes(gen), ID_FILE + gen % FILES, gen);
    put(fd, file_bytes(gen), 0);
    must(fsync(fd), "fsync");
    close(fd);
    snprintf(name, sizeof(name), "file%u", gen % FILES);
    must(renameat(dir, "new", dir, name), "rename");
    must(fsync(dir), "fsync");
}

/* One write call a line, which other processes' lines don't get into. */
static void say(const char *tag, unsigned gen, unsigned step)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "S %s %u\n", tag,
                     gen * STEPS + step);

    if (write(1, line, n) != n) {
        die("stdout");
    }
}

static void write_rounds(int dir, const char *tag)
{
    int direct = open_in(dir, "slots", O_RDWR | O_DIRECT);
    int dsync = open_in(dir, "slots", O_RDWR | O_DIRECT | O_DSYNC);
    int log = open_in(dir, "log", O_RDWR);
    off_t end = 0;

    for (unsigned gen = 1; ; gen++) {
        for (unsigned i = 0; does[1] && i < AT_ONCE; i++) {
            put_slot(direct, gen * AT_ONCE % SLOTS + i, gen);
        }
        if (does[0]) {
            write_loose(dir, gen);
            fill(buf, log_bytes(gen), ID_LOG, gen);
            put(log, log_bytes(gen), end);
            end += log_bytes(gen);
            must(fsync(log), "fsync");
            say(tag, gen, 0);
        }
        if (does[1]) {
            must(fdatasync(direct), "fdatasync");
            say(tag, gen, 1);
        }
        if (does[2]) {
            write_file(dir, gen);
            say(tag, gen, 2);
        }
        if (does[3]) {
            put_slot(dsync, SLOTS + gen % FUA_SLOTS, gen);
            say(tag, gen, 3);
        }
    }
}

/* ---- looking ----------------------------------------------------------- */

/* Bytes, or -1 if there is no such file. */
static int get(int dir, const char *name, off_t at, unsigned bytes)
{
    int fd = openat(dir, name, O_RDONLY);
    int n;

    if (fd < 0) {
        return -1;
    }
    memset(buf, 0, sizeof(buf));
    n = pread(fd, buf, bytes, at);
    if (n < 0) {
        wrong("%s: %s", name, strerror(errno));
    }
    close(fd);
    return n;
}

static void check_log(int dir, unsigned last)
{
    off_t at = 0;

    for (unsigned gen = 1; gen <= last; gen++) {
        unsigned bytes = log_bytes(gen);

        fill(want, bytes, ID_LOG, gen);
        if (get(dir, "log", at, bytes) != (int)bytes ||
            memcmp(buf, want, bytes)) {
            wrong("lost: record %u of %u", gen, last);
            return;
        }
        at += bytes;
    }
}

/* Whole, and not older than `last`. Its generation, if it has one. */
static void check_whole(const char *name, unsigned bytes, uint32_t id,
                        unsigned last)
{
    struct head h;

    memcpy(&h, buf, sizeof(h));
    fill(want, bytes, id, h.gen);
    if (memcmp(buf, want, bytes)) {
        wrong("torn: %s %u", name, id % 100);
    } else if (h.gen < last) {
        wrong("lost: %s %u is of round %u, not %u", name, id % 100, h.gen,
              last);
    }
}

static void check_slots(int dir, unsigned first, unsigned n, unsigned per_turn,
                        unsigned last)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned slot = first + i;

        if (get(dir, "slots", (off_t)slot * BLOCK, BLOCK) != BLOCK) {
            wrong("lost: block %u", slot);
            continue;
        }
        check_whole("block", BLOCK, ID_SLOT + slot,
                    last_turn(last, i / per_turn, n / per_turn));
    }
}

static void check_files(int dir, unsigned last)
{
    for (unsigned i = 0; i < FILES; i++) {
        unsigned gen = last_turn(last, i, FILES);
        char name[16];
        int n;

        snprintf(name, sizeof(name), "file%u", i);
        n = get(dir, name, 0, MAX);
        if (n < 0) {
            if (gen) {
                wrong("lost: %s of round %u", name, gen);
            }
            continue;
        }
        memcpy(&gen, buf + offsetof(struct head, gen), sizeof(gen));
        if (n != (int)file_bytes(gen)) {
            wrong("torn: %s has %d bytes", name, n);
            continue;
        }
        check_whole("file", n, ID_FILE + i, last_turn(last, i, FILES));
    }
}

/* The last round whose step is known to have ended. */
static unsigned round_of(unsigned last, unsigned step)
{
    return !does[step] || last < STEPS + step ? 0 : (last - step) / STEPS;
}

static int check(int dir, unsigned last)
{
    check_log(dir, round_of(last, 0));
    check_slots(dir, 0, SLOTS, AT_ONCE, round_of(last, 1));
    check_files(dir, round_of(last, 2));
    check_slots(dir, SLOTS, FUA_SLOTS, 1, round_of(last, 3));
    return is_wrong;
}

static void choose(const char *kind)
{
    for (unsigned i = 0; i < STEPS; i++) {
        does[i] = !strcmp(kind, "fs") || (i == 1 && !strcmp(kind, "blocks")) ||
                  (i == 3 && !strcmp(kind, "fua"));
    }
}

int main(int argc, char **argv)
{
    int dir = argc >= 3 ? open(argv[2], O_RDONLY | O_DIRECTORY) : -1;

    choose(argc == 5 ? argv[4] : "fs");
    if (dir >= 0 && argc == 3 && !strcmp(argv[1], "make")) {
        make(dir);
        return 0;
    }
    if (dir >= 0 && argc >= 4 && !strcmp(argv[1], "write")) {
        write_rounds(dir, argv[3]);
    }
    if (dir >= 0 && argc >= 4 && !strcmp(argv[1], "check")) {
        return check(dir, atoi(argv[3]));
    }
    fprintf(stderr, "crash-fs make DIR | write DIR TAG [KIND] | "
            "check DIR STEP [KIND]\n");
    return 2;
}
