/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts that KVM delivers by itself, from the IOThread to the guest's
 * CPU: MSI-X messages by irqfd, masked, unmasked, without Bus Master, moved to
 * another vector. A guest of a few hundred bytes counts what arrives. Skipped
 * where there is no KVM. PCIe Transport 1.1, 3.5.
 */
#include "qnvme.h"

#include <sys/ioctl.h>
#include <linux/kvm.h>

/* Vectors 40h to 4fh are counted here, a dword each. */
#define COUNTS   0x1000
#define ALIVE    0x1100
#define VECTOR   0x40

#if defined(__x86_64__)
/*
 * Protected mode, the local APIC on, and a handler for each vector that counts
 * and acknowledges. It is placed at F8000h; the first instruction is at the
 * reset vector.
 */
extern const uint8_t irqfd_guest[], irqfd_guest_end[];
__asm__(
    ".pushsection .rodata\n"
    ".code16\n"
    "irqfd_guest:\n"
    "    cli\n"
    "    lgdtl %cs:(0x8000 + 8f - irqfd_guest)\n"
    "    movl %cr0, %eax\n"
    "    orl $1, %eax\n"
    "    movl %eax, %cr0\n"
    "    ljmpl $8, $(0xf8000 + 1f - irqfd_guest)\n"
    ".code32\n"
    "1:  movw $16, %ax\n"
    "    movw %ax, %ds\n"
    "    movw %ax, %es\n"
    "    movw %ax, %ss\n"
    "    movl $0x8000, %esp\n"
    /* Interrupt gates at 2200h: the table is at 2000h. */
    "    movl $(0xf8000 + 5f - irqfd_guest), %eax\n"
    "    movl $0x2200, %edi\n"
    "    movl $16, %ecx\n"
    "2:  movl %eax, %edx\n"
    "    andl $0xffff, %edx\n"
    "    orl $0x80000, %edx\n"
    "    movl %edx, (%edi)\n"
    "    movl %eax, %edx\n"
    "    andl $0xffff0000, %edx\n"
    "    orl $0x8e00, %edx\n"
    "    movl %edx, 4(%edi)\n"
    "    addl $16, %eax\n"
    "    addl $8, %edi\n"
    "    loop 2b\n"
    "    movl $(0xf8000 + 7f - irqfd_guest), %eax\n"
    "    lidt (%eax)\n"
    "    movl $0xfee000f0, %eax\n"
    "    movl $0x1ff, (%eax)\n"
    "    sti\n"
    "    movl $0x1100, %eax\n"
    "    movl $1, (%eax)\n"
    "3:  hlt\n"
    "    jmp 3b\n"
    /* Waits again, without a return: some hosts cannot do IRET here. */
    "4:  movl $0xfee000b0, %eax\n"
    "    movl $0, (%eax)\n"
    "    movl $0x8000, %esp\n"
    "    sti\n"
    "    jmp 3b\n"
    ".balign 16\n"
    "5:\n"
    ".set irqfd_n, 0\n"
    ".rept 16\n"
    "6:  lock incl 0x1000 + 4 * irqfd_n\n"
    "    jmp 4b\n"
    "    .org 6b + 16\n"
    "    .set irqfd_n, irqfd_n + 1\n"
    ".endr\n"
    "7:  .word 0x7ff\n"
    "    .long 0x2000\n"
    ".balign 8\n"
    "9:  .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n"
    "8:  .word 23\n"
    "    .long 0xf8000 + 9b - irqfd_guest\n"
    "irqfd_guest_end:\n"
    ".code64\n"
    ".popsection\n");

static char *guest_bios(void)
{
    return qn_rom(irqfd_guest, irqfd_guest_end - irqfd_guest);
}
#else
static char *guest_bios(void)
{
    return qn_tmp("guest");
}
#endif

/* Can a program be run on a CPU of the host's, with its interrupts? */
static const char *no_kvm(void)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, err;

#if !defined(__x86_64__)
    return "only for x86";
#endif
    if (kvm < 0) {
        return "/dev/kvm cannot be opened";
    }
    vm = ioctl(kvm, KVM_CREATE_VM, 0);
    close(kvm);
    if (vm < 0) {
        return "KVM cannot make a machine";
    }
    err = ioctl(vm, KVM_CREATE_IRQCHIP, 0);
    close(vm);
    return err < 0 ? "KVM has no interrupt controller" : NULL;
}

static unsigned count(QNvme *q, unsigned i)
{
    return qtest_readl(q->qts, COUNTS + 4 * i);
}

/* At least n: what was held back may come once too often. */
static void wait_for(QNvme *q, unsigned i, unsigned n)
{
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;

    while (count(q, i) < n) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        qn_beat(q);
    }
}

static void wait_count(QNvme *q, unsigned i, unsigned n)
{
    wait_for(q, i, n);
    g_assert_cmpuint(count(q, i), ==, n);
}

/* How many vectors KVM has. */
static unsigned irqfds(QNvme *q)
{
    QDict *r = qtest_qmp(q->qts, "{'execute': 'qom-get', 'arguments': {"
                         "'path': '/machine/peripheral/nv', "
                         "'property': 'irqfds'}}");
    unsigned n;

    g_assert_true(qdict_haskey(r, "return"));
    n = qdict_get_int(r, "return");
    qobject_unref(r);
    return n;
}

/* Message i of the device is the CPU's vector VECTOR + as. */
static void aim(QNvme *q, unsigned i, unsigned as)
{
    uint64_t entry = q->msix_table + i * PCI_MSIX_ENTRY_SIZE;

    qtest_writel(q->qts, entry + PCI_MSIX_ENTRY_LOWER_ADDR, 0xfee00000);
    qtest_writel(q->qts, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
    qtest_writel(q->qts, entry + PCI_MSIX_ENTRY_DATA, VECTOR + as);
}

static void aim_all(QNvme *q)
{
    qn_msix_enable(q);
    qn_msix_function_mask(q, true);
    for (unsigned i = 0; i < 8; i++) {
        aim(q, i, i);
    }
    qn_msix_function_mask(q, false);
}

/* A machine whose CPU waits for interrupts; NULL: the test is skipped. */
static QNvme *kvm_open(const char *iothreads)
{
    g_autofree char *bios = NULL, *extra = NULL, *props = NULL;
    gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;
    const char *why = no_kvm();
    QNvme *q;

    if (why) {
        g_test_skip(why);
        return NULL;
    }
    bios = guest_bios();
    extra = g_strdup_printf("-bios %s -object iothread,id=io0 "
                            "-object iothread,id=io1", bios);
    props = g_strdup_printf("%s", iothreads);
    q = qn_open(&(QnConf) { .drive = QN_NULL, .kvm = true, .extra = extra,
                            .props = *props ? props : NULL });
    while (!qtest_readl(q->qts, ALIVE)) {
        if (g_get_monotonic_time() > end) {
            g_test_skip("KVM does not run the guest");
            qn_close(q);
            return NULL;
        }
        g_usleep(1000);
    }
    aim_all(q);
    qn_enable(q);
    return q;
}

static void one_io(QNvme *q, QnSq *sq, uint64_t buf)
{
    struct envme_cqe c = qn_cmd(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));

    qn_assert_ok(c);
}

static void reap_ok(QNvme *q, QnCq *cq)
{
    struct envme_cqe c = qn_reap(q, cq);

    qn_assert_ok(c);
}

/* The first message takes the long way and has the irqfd made. */
static void warm(QNvme *q, QnSq *sq, uint64_t buf)
{
    unsigned v = sq->cq->vector, n = count(q, v);

    one_io(q, sq, buf);
    wait_for(q, v, n + 1);
    g_assert_cmpuint(irqfds(q), >, 0);
}

static void test_count(void)
{
    QNvme *q = kvm_open("iothreads=io0:io1");
    QnSq *sq[3];
    uint64_t buf;
    unsigned i, k;

    if (!q) {
        return;
    }
    buf = qn_alloc(q, QN_PAGE);
    for (i = 0; i < 3; i++) {
        sq[i] = qn_io_queue(q, i + 1, 16, i + 1);
    }
    g_assert_cmpuint(irqfds(q), ==, 0);
    for (k = 1; k <= 100; k++) {
        for (i = 0; i < 3; i++) {
            one_io(q, sq[i], buf);
            wait_count(q, i + 1, k);
        }
    }
    g_assert_cmpuint(irqfds(q), ==, 3);
    for (i = 4; i < 16; i++) {
        g_assert_cmpuint(count(q, i), ==, 0);
    }
    /* Several completions of one turn are one message. */
    for (k = 0; k < 10; k++) {
        qn_push(q, sq[0], qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
    }
    qn_ring_sq(q, sq[0]);
    for (k = 0; k < 10; k++) {
        reap_ok(q, sq[0]->cq);
    }
    wait_count(q, 1, 101);
    for (i = 0; i < 3; i++) {
        qn_queue_free(sq[i]);
    }
    qn_close(q);
}

/* Who holds the big lock sends messages without an irqfd. */
static void test_main_loop(void)
{
    QNvme *q = kvm_open("");
    uint64_t buf;
    unsigned i;
    QnSq *sq;

    if (!q) {
        return;
    }
    buf = qn_alloc(q, QN_PAGE);
    sq = qn_io_queue(q, 1, 16, 1);
    for (i = 1; i <= 20; i++) {
        one_io(q, sq, buf);
        wait_count(q, 1, i);
    }
    g_assert_cmpuint(irqfds(q), ==, 0);
    qn_queue_free(sq);
    qn_close(q);
}

static void vector_mask(QNvme *q, bool masked)
{
    qn_msix_mask(q, 1, masked);
}

/* Masked: it is KVM's no more, and shows in the pending bits. */
static void check_mask(void (*mask)(QNvme *, bool), bool shows_pending)
{
    QNvme *q = kvm_open("iothread=io0");
    uint64_t buf;
    unsigned i;
    QnSq *sq;

    if (!q) {
        return;
    }
    buf = qn_alloc(q, QN_PAGE);
    sq = qn_io_queue(q, 1, 16, 1);
    for (i = 0; i < 30; i++) {
        unsigned n;

        warm(q, sq, buf);
        n = count(q, 1);
        mask(q, true);
        g_assert_cmpuint(irqfds(q), ==, 0);
        one_io(q, sq, buf);
        one_io(q, sq, buf);
        if (shows_pending) {
            gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;

            while (!qn_msix_pending(q, 1)) {
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                qn_beat(q);
            }
        }
        g_assert_cmpuint(count(q, 1), ==, n);
        mask(q, false);
        wait_for(q, 1, n + 1);
        g_assert_cmpuint(irqfds(q), >, 0);
        if (shows_pending) {
            g_assert_false(qn_msix_pending(q, 1));
        }
    }
    qn_queue_free(sq);
    qn_close(q);
}

static void test_mask(void)
{
    check_mask(vector_mask, true);
}

static void test_function_mask(void)
{
    check_mask(qn_msix_function_mask, true);
}

static void bus_master_off(QNvme *q, bool off)
{
    qn_set_bme(q, !off);
}

/* Without Bus Master nothing is sent, nor fetched; it comes afterwards. */
static void test_bus_master(void)
{
    QNvme *q = kvm_open("iothread=io0");
    uint64_t buf;
    unsigned i;
    QnSq *sq;

    if (!q) {
        return;
    }
    buf = qn_alloc(q, QN_PAGE);
    sq = qn_io_queue(q, 1, 16, 1);
    for (i = 0; i < 30; i++) {
        struct envme_cqe c;
        unsigned n;

        warm(q, sq, buf);
        n = count(q, 1);
        bus_master_off(q, true);
        g_assert_cmpuint(irqfds(q), ==, 0);
        qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
        qn_ring_sq(q, sq);
        qn_sleep(q, 1);
        g_assert_false(qn_peek(q, sq->cq, &c));
        bus_master_off(q, false);
        reap_ok(q, sq->cq);
        wait_for(q, 1, n + 1);
        g_assert_cmpuint(irqfds(q), >, 0);
    }
    qn_queue_free(sq);
    qn_close(q);
}

/* What is written to the table while it is masked counts afterwards. */
static void test_moved(void)
{
    QNvme *q = kvm_open("iothread=io0");
    unsigned i, total;
    uint64_t buf;
    QnSq *sq;

    if (!q) {
        return;
    }
    buf = qn_alloc(q, QN_PAGE);
    sq = qn_io_queue(q, 1, 16, 1);
    warm(q, sq, buf);
    for (i = 0; i < 40; i++) {
        unsigned as = 8 + i % 4;

        qn_msix_mask(q, 1, true);
        aim(q, 1, as);
        qn_msix_mask(q, 1, false);
        g_assert_cmpuint(irqfds(q), ==, 1);
        total = count(q, as) + 1;
        one_io(q, sq, buf);
        wait_for(q, as, total);
    }
    g_assert_cmpuint(count(q, 1), ==, 1);
    qn_queue_free(sq);
    qn_close(q);
}

/* Resets take it away, and MSI-X switched off; it comes again. */
static void test_reset(void)
{
    QNvme *q = kvm_open("iothread=io0");
    uint64_t buf;
    unsigned i;
    QnSq *sq;

    if (!q) {
        return;
    }
    buf = qn_alloc(q, QN_PAGE);
    for (i = 0; i < 12; i++) {
        sq = qn_io_queue(q, 1, 16, 1);
        warm(q, sq, buf);
        warm(q, sq, buf);
        switch (i % 3) {
        case 0:
            qn_disable(q);
            break;
        case 1:
            qn_msix_disable(q);
            g_assert_cmpuint(irqfds(q), ==, 0);
            qn_disable(q);
            aim_all(q);
            break;
        default: {
            uint8_t exp = qn_cap_find(q, PCI_CAP_ID_EXP);

            qpci_config_writew(q->pdev, exp + PCI_EXP_DEVCTL,
                               PCI_EXP_DEVCTL_BCR_FLR);
            qn_pci_restore(q);
            g_assert_cmpuint(irqfds(q), ==, 0);
            aim_all(q);
            break;
        }
        }
        qn_queue_free(sq);
        qn_enable(q);
    }
    qn_close(q);
}

/* Masked and unmasked again and again while commands end: every one is heard
 * of. */
static void test_storm(void)
{
    QNvme *q = kvm_open("iothreads=io0:io1");
    uint64_t buf;
    unsigned i, k;
    QnSq *sq;

    if (!q) {
        return;
    }
    buf = qn_alloc(q, QN_PAGE);
    sq = qn_io_queue(q, 1, 64, 1);
    warm(q, sq, buf);
    for (i = 0; i < 300; i++) {
        gint64 end = g_get_monotonic_time() + QN_TIMEOUT_MS * 1000;
        unsigned n = count(q, 1);

        for (k = 0; k <= i % 7; k++) {
            qn_push(q, sq, qn_rw(q, ENVME_NVM_READ, 0, 1, buf));
            qn_ring_sq(q, sq);
            if (i % 3 != 1) {
                qn_msix_mask(q, 1, true);
            }
            if (i % 3 != 0) {
                qn_msix_function_mask(q, true);
                qn_msix_function_mask(q, false);
            }
            if (i % 3 != 1) {
                qn_msix_mask(q, 1, false);
            }
        }
        for (k = 0; k <= i % 7; k++) {
            reap_ok(q, sq->cq);
        }
        while (count(q, 1) == n) {
            g_assert_cmpint(g_get_monotonic_time(), <, end);
            qn_beat(q);
        }
    }
    g_assert_cmpuint(irqfds(q), ==, 1);
    qn_queue_free(sq);
    qn_close(q);
}

/* Stopped, resumed, and the machine reset. */
static void test_stop(void)
{
    QNvme *q = kvm_open("iothread=io0");
    uint64_t buf;
    QnSq *sq;

    if (!q) {
        return;
    }
    buf = qn_alloc(q, QN_PAGE);
    sq = qn_io_queue(q, 1, 16, 1);
    warm(q, sq, buf);
    qn_queue_free(sq);
    qtest_qmp_assert_success(q->qts, "{'execute': 'stop'}");
    g_assert_cmpuint(irqfds(q), ==, 0);
    qtest_qmp_assert_success(q->qts, "{'execute': 'cont'}");
    g_assert_cmpuint(irqfds(q), >, 0);
    qtest_qmp_assert_success(q->qts, "{'execute': 'system_reset'}");
    g_assert_cmpuint(irqfds(q), ==, 0);
    qn_close(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qn_add("/irqfd/count", test_count, QN_SMOKE);
    qn_add("/irqfd/main-loop", test_main_loop, 0);
    qn_add("/irqfd/mask", test_mask, 0);
    qn_add("/irqfd/function-mask", test_function_mask, 0);
    qn_add("/irqfd/bus-master", test_bus_master, 0);
    qn_add("/irqfd/moved", test_moved, 0);
    qn_add("/irqfd/reset", test_reset, 0);
    qn_add("/irqfd/storm", test_storm, 0);
    qn_add("/irqfd/stop", test_stop, 0);
    return g_test_run();
}
