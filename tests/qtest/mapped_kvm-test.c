/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mapped doorbells under a CPU that runs: a guest of a few bytes submits one
 * Flush after the other on a queue of 2, with pauses between them after which
 * doorbells trap again, until the rings have wrapped 4,882 times, as those of
 * 1,024 entries do in 100 s of 50,000 commands a second; an hour of it is in
 * tests/host/test-wraps.c. A doorbell that is lost stops it for ever. Skipped
 * where KVM runs no guest. PCIe Transport 1.1, 3.1.2.
 */
#include "qnvme.h"

#if defined(__x86_64__)
/* Where the guest finds what to do: dwords. */
enum {
    GO = 0x1000, SQ_DB = 0x1004, CQ_DB = 0x1008, CQ_BASE = 0x100c,
    SIZE = 0x1010, COUNT = 0x1014, DONE = 0x1018, PHASE = 0x101c,
    DICE = 0x1020, ALIVE = 0x1024,
};

/* Protected mode, then as many commands as COUNT says each time that GO is set.
 * It is placed at F8000h. */
extern const uint8_t mapped_guest[], mapped_guest_end[];
__asm__(
    ".pushsection .rodata\n"
    ".code16\n"
    "mapped_guest:\n"
    "    cli\n"
    "    lgdtl %cs:(0x8000 + 8f - mapped_guest)\n"
    "    movl %cr0, %eax\n"
    "    orl $1, %eax\n"
    "    movl %eax, %cr0\n"
    "    ljmpl $8, $(0xf8000 + 1f - mapped_guest)\n"
    ".code32\n"
    "1:  movw $16, %ax\n"
    "    movw %ax, %ds\n"
    "    movw %ax, %es\n"
    "    movw %ax, %ss\n"
    "    xorl %ebx, %ebx\n"
    "    movl $1, 0x1024\n"
    /* GO */
    "2:  pause\n"
    "    cmpl $0, 0x1000\n"
    "    je 2b\n"
    "    movl $0, 0x1000\n"
    "    movl 0x1004, %esi\n"
    "    movl 0x1008, %edi\n"
    "    movl 0x100c, %ebp\n"
    /* One more command: its entry is there already. */
    "3:  movl %ebx, %edx\n"
    "    incl %ebx\n"
    "    cmpl 0x1010, %ebx\n"
    "    jb 4f\n"
    "    xorl %ebx, %ebx\n"
    "4:  movl %ebx, (%esi)\n"
    "    shll $4, %edx\n"
    "5:  pause\n"
    "    movzwl 14(%ebp,%edx), %eax\n"
    "    xorl 0x101c, %eax\n"
    "    testl $1, %eax\n"
    "    jnz 5b\n"
    "    movl %ebx, (%edi)\n"
    "    testl %ebx, %ebx\n"
    "    jnz 6f\n"
    "    xorl $1, 0x101c\n"
    /* A pause now and then, of up to some ms. */
    "6:  movl 0x1020, %eax\n"
    "    imull $1664525, %eax\n"
    "    addl $1013904223, %eax\n"
    "    movl %eax, 0x1020\n"
    "    testl $0x3ff00000, %eax\n"
    "    jnz 7f\n"
    "    andl $0xffff, %eax\n"
    "9:  pause\n"
    "    subl $1, %eax\n"
    "    ja 9b\n"
    "7:  incl 0x1018\n"
    "    movl 0x1018, %eax\n"
    "    cmpl 0x1014, %eax\n"
    "    jb 3b\n"
    "    jmp 2b\n"
    ".balign 8\n"
    "9:  .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n"
    "8:  .word 23\n"
    "    .long 0xf8000 + 9b - mapped_guest\n"
    "mapped_guest_end:\n"
    ".code64\n"
    ".popsection\n");

static char *guest_bios(void)
{
    return qn_rom(mapped_guest, mapped_guest_end - mapped_guest);
}

/* How often doorbells were memory. */
static unsigned times(QNvme *q)
{
    QDict *r = qtest_qmp(q->qts, "{'execute': 'qom-get', 'arguments': "
                         "{'path': '/machine/peripheral/nv', "
                         "'property': 'doorbells-mapped'}}");
    unsigned n = qdict_get_int(r, "return");

    qobject_unref(r);
    return n;
}

static uint32_t get(QNvme *q, uint32_t at)
{
    return qtest_readl(q->qts, at);
}

static void put(QNvme *q, uint32_t at, uint32_t v)
{
    qtest_writel(q->qts, at, v);
}

/* NULL: the test is skipped. */
static QNvme *kvm_open(const char *props)
{
    g_autofree char *bios = guest_bios();
    g_autofree char *extra = g_strdup_printf("-bios %s -object "
                                             "iothread,id=io0", bios);
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;
    QNvme *q;

    if (access("/dev/kvm", R_OK | W_OK)) {
        g_test_skip("/dev/kvm cannot be opened");
        return NULL;
    }
    q = qn_open(&(QnConf) { .drive = QN_NULL, .kvm = true, .extra = extra,
                            .props = props });
    while (!get(q, ALIVE)) {
        if (g_get_monotonic_time() > end) {
            g_test_skip("KVM does not run the guest");
            qn_close(q);
            return NULL;
        }
        g_usleep(1000);
    }
    return q;
}

#define ROUND 4000
#define ENTRIES 2
#define WRAPS (50000u * 100 / 1024)
#define SWITCHES 20

static void test_storm(const void *props)
{
    QNvme *q = kvm_open(props);
    struct envme_sqe s;
    unsigned done = 0;
    uint64_t regs;
    QnSq *sq;

    if (!q) {
        return;
    }
    qn_enable(q);
    qn_msix_enable(q);
    sq = qn_io_queue(q, 1, ENTRIES, -1);
    s = qn_sqe(ENVME_NVM_FLUSH, 1);
    for (unsigned i = 0; i < sq->size; i++) {
        qn_write(q, sq->addr + i * sizeof(s), &s, sizeof(s));
    }
    regs = qn_bar(q, 0).addr;
    g_assert_cmphex(regs + 0x2000, <=, UINT32_MAX);
    put(q, SQ_DB, regs + qn_db_off(q, 2));
    put(q, CQ_DB, regs + qn_db_off(q, 3));
    put(q, CQ_BASE, sq->cq->addr);
    put(q, SIZE, sq->size);
    put(q, PHASE, 1);
    while (times(q) < SWITCHES || done / ENTRIES < WRAPS) {
        done += ROUND;
        put(q, COUNT, done);
        put(q, GO, 1);
        while (get(q, DONE) < done) {
            /* The test's own time limit ends what has stopped. */
            g_usleep(1000);
        }
    }
    g_test_message("%u commands, %u wraps, doorbells were memory %u times",
                   done, done / ENTRIES, times(q));
    /* The guest counts what has come back, and where it is in the ring. */
    g_assert_cmpuint(get(q, DONE) / sq->size, >=, WRAPS);
    g_assert_cmpuint(get(q, PHASE), ==, !(done / sq->size % 2));
    g_assert_cmpuint(times(q), >=, SWITCHES);
    g_assert_cmphex(qn_csts(q), ==, ENVME_CSTS_RDY);
    qn_queue_free(sq);
    qn_close(q);
}
#endif

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#if defined(__x86_64__)
    /* By itself: with KVM it is worth it. */
    qn_add_data("/mapped-kvm/main-loop", "mapped-doorbells=auto", test_storm,
                0);
    qn_add_data("/mapped-kvm/iothread", "mapped-doorbells=on,iothread=io0",
                test_storm, 0);
#endif
    return g_test_run();
}
