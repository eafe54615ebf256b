/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/qemu/compat.h"

#include <dlfcn.h>

#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "qemu/event_notifier.h"
#include "qemu/main-loop.h"
#include "system/kvm.h"

#include "hw/qemu/irqfd.h"

/*
 * KVM's part of QEMU, by name: a QEMU that was built without it has some of
 * these, none, or only functions that fail, and is as good as any other.
 */
static struct {
    bool *allowed;
    KVMState **state;
    __typeof__(kvm_irqchip_add_msi_route) *add_route;
    __typeof__(kvm_irqchip_update_msi_route) *update_route;
    __typeof__(kvm_irqchip_commit_routes) *commit;
    __typeof__(kvm_irqchip_release_virq) *release;
    __typeof__(kvm_irqchip_add_irqfd_notifier_gsi) *attach;
    __typeof__(kvm_irqchip_remove_irqfd_notifier_gsi) *detach;
} irqfd_kvm;

static const struct {
    const char *name;
    void **to;
} irqfd_names[] = {
    { "kvm_msi_via_irqfd_allowed", (void **)&irqfd_kvm.allowed },
    { "kvm_state", (void **)&irqfd_kvm.state },
    { "kvm_irqchip_add_msi_route", (void **)&irqfd_kvm.add_route },
    { "kvm_irqchip_update_msi_route", (void **)&irqfd_kvm.update_route },
    { "kvm_irqchip_commit_routes", (void **)&irqfd_kvm.commit },
    { "kvm_irqchip_release_virq", (void **)&irqfd_kvm.release },
    { "kvm_irqchip_add_irqfd_notifier_gsi", (void **)&irqfd_kvm.attach },
    { "kvm_irqchip_remove_irqfd_notifier_gsi", (void **)&irqfd_kvm.detach },
};

struct irqfd_vector {
    struct envme_qirqfd *f;
    EventNotifier e;
    bool there;                 /* e is, and virq */
    int virq;
    MSIMessage msg;             /* that virq stands for */
};

struct envme_qirqfd {
    PCIDevice *dev;
    unsigned n;
    void (*late)(void *opaque, unsigned v);
    void *opaque;
    struct irqfd_vector *v;
};

static void irqfd_late(EventNotifier *e)
{
    struct irqfd_vector *v = container_of(e, struct irqfd_vector, e);

    if (event_notifier_test_and_clear(e)) {
        v->f->late(v->f->opaque, v - v->f->v);
    }
}

static bool irqfd_make(struct irqfd_vector *v, unsigned vector)
{
    KVMRouteChange c = { .s = *irqfd_kvm.state };

    if (event_notifier_init(&v->e, false)) {
        return false;
    }
    v->virq = irqfd_kvm.add_route(&c, vector, v->f->dev);
    if (v->virq < 0) {
        event_notifier_cleanup(&v->e);
        return false;
    }
    irqfd_kvm.commit(c.s);
    v->there = true;
    return true;
}

static void irqfd_unmake(struct irqfd_vector *v)
{
    if (v->there) {
        event_notifier_set_handler(&v->e, NULL);
        irqfd_kvm.release(*irqfd_kvm.state, v->virq);
        event_notifier_cleanup(&v->e);
        v->there = false;
    }
}

static bool irqfd_open(void *opaque, unsigned vector)
{
    struct envme_qirqfd *f = opaque;
    struct irqfd_vector *v = &f->v[vector];
    MSIMessage msg = msix_get_message(f->dev, vector);
    KVMState *kvm = *irqfd_kvm.state;

    if (!v->there) {
        if (!irqfd_make(v, vector)) {
            return false;
        }
    } else if (msg.address != v->msg.address || msg.data != v->msg.data) {
        if (irqfd_kvm.update_route(kvm, v->virq, msg, f->dev) < 0) {
            return false;
        }
        irqfd_kvm.commit(kvm);
    }
    v->msg = msg;
    /* What is in it already KVM takes when it gets it. */
    event_notifier_set_handler(&v->e, NULL);
    if (irqfd_kvm.attach(kvm, &v->e, NULL, v->virq) < 0) {
        /* There may be one on its way still, from when it was open. */
        event_notifier_set_handler(&v->e, irqfd_late);
        return false;
    }
    return true;
}

static void irqfd_close(void *opaque, unsigned vector)
{
    struct envme_qirqfd *f = opaque;
    struct irqfd_vector *v = &f->v[vector];

    /*
     * When this returns KVM has delivered what it has taken. Some kernels
     * leave it in the eventfd nevertheless; one message too many is harmless.
     */
    irqfd_kvm.detach(*irqfd_kvm.state, &v->e, v->virq);
    event_notifier_set_handler(&v->e, irqfd_late);
}

static bool irqfd_signal(void *opaque, unsigned vector)
{
    struct envme_qirqfd *f = opaque;

    event_notifier_set(&f->v[vector].e);
    return true;
}

static const struct envme_shortcut_ops irqfd_ops = {
    .open = irqfd_open,
    .close = irqfd_close,
    .signal = irqfd_signal,
};

static bool irqfd_can(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(irqfd_names); i++) {
        *irqfd_names[i].to = dlsym(RTLD_DEFAULT, irqfd_names[i].name);
        if (!*irqfd_names[i].to) {
            return false;
        }
    }
    return *irqfd_kvm.allowed;
}

struct envme_qirqfd *envme_qirqfd_new(PCIDevice *dev, unsigned n,
                                      struct envme_shortcuts *t,
                                      void (*late)(void *opaque, unsigned v),
                                      void *opaque)
{
    struct envme_qirqfd *f;

    if (!irqfd_can()) {
        return NULL;
    }
    f = g_new(struct envme_qirqfd, 1);
    *f = (struct envme_qirqfd) {
        .dev = dev, .n = n, .late = late, .opaque = opaque,
        .v = g_new0(struct irqfd_vector, n),
    };
    for (unsigned i = 0; i < n; i++) {
        f->v[i].f = f;
    }
    envme_shortcut_add(t, &irqfd_ops, f);
    return f;
}

void envme_qirqfd_free(struct envme_qirqfd *f)
{
    for (unsigned i = 0; f && i < f->n; i++) {
        irqfd_unmake(&f->v[i]);
    }
    if (f) {
        g_free(f->v);
        g_free(f);
    }
}
