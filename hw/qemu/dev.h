/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The three devices: envme (controller), envme-ns, envme-subsys, and the bus
 * between them. Composition root: makes the pure parts and joins them.
 *
 * Threads: everything here is under the BQL, which is lane 0, but for the
 * ports (dma.h, irq.h, exec.h, clock.h), the backends (blk.h), and doorbell
 * writes.
 */
#ifndef ENVME_QEMU_DEV_H
#define ENVME_QEMU_DEV_H

#include "hw/block/block.h"
#include "hw/pci/pci_device.h"
#include "hw/qdev-core.h"
#include "qemu/uuid.h"
#include "system/hostmem.h"

#include "hw/ctrl/ctrl.h"
#include "hw/ctrl/powercut.h"
#include "hw/qemu/cmem.h"
#include "hw/qemu/dma.h"
#include "hw/qemu/doorbells.h"
#include "hw/qemu/exec.h"
#include "hw/qemu/irq.h"
#include "hw/qemu/link.h"
#include "hw/qemu/state.h"

#define TYPE_ENVME "envme"
#define TYPE_ENVME_BUS "envme-bus"
#define TYPE_ENVME_NS "envme-ns"
#define TYPE_ENVME_SUBSYS "envme-subsys"

typedef struct EnvmeState EnvmeState;
typedef struct EnvmeBus EnvmeBus;
typedef struct EnvmeNsState EnvmeNsState;
typedef struct EnvmeSubsysState EnvmeSubsysState;
DECLARE_INSTANCE_CHECKER(EnvmeState, ENVME_DEV, TYPE_ENVME)
DECLARE_INSTANCE_CHECKER(EnvmeBus, ENVME_BUS, TYPE_ENVME_BUS)
DECLARE_INSTANCE_CHECKER(EnvmeNsState, ENVME_NS_DEV, TYPE_ENVME_NS)
DECLARE_INSTANCE_CHECKER(EnvmeSubsysState, ENVME_SUBSYS_DEV, TYPE_ENVME_SUBSYS)

#define ENVME_NQN_PREFIX "nqn.2019-08.org.qemu:"
/* Namespaces of a subsystem, unless it is told otherwise; the most. */
#define ENVME_NSIDS     256
#define ENVME_NSIDS_MAX 4096

/* Under each controller and subsystem; namespaces sit on it. */
struct EnvmeBus {
    BusState parent_obj;
};

/* A namespace with its medium: part of a controller (drive=, memdev=) or of
 * an envme-ns. */
struct envme_medium {
    BlockConf conf;             /* properties */
    HostMemoryBackend *memdev;  /* property */
    bool vwc_model;             /* property: a volatile write cache ... */
    uint64_t vwc_size;          /* ... of so many bytes; 0: VWC_SIZE */
    struct envme_backend *low;  /* without it */
    struct envme_backend *be;
    struct envme_ns *ns;
    struct envme_subsys *subsys;
    bool removing;              /* envme_subsys_remove_ns() was called */
    bool removed;
    void (*removed_fn)(void *opaque);
    void *removed_opaque;
};

static inline bool envme_medium_given(const struct envme_medium *m)
{
    return m->conf.blk || m->memdev;
}

/*
 * Makes the backend and the namespace and adds it to the subsystem. params:
 * identity and format; block sizes and cache are taken from m->conf.
 */
bool envme_medium_open(struct envme_medium *m, struct envme_ns_params *params,
                       struct envme_subsys *subsys, Error **errp);
/* Whose top backend that is, or NULL. */
struct envme_medium *envme_medium_of(const struct envme_backend *be);
/* Takes it out of its subsystem, then calls fn(opaque); once. */
void envme_medium_remove(struct envme_medium *m, void (*fn)(void *opaque),
                         void *opaque);
/* Takes it out if that has not been done, and frees it. Polls. */
void envme_medium_close(struct envme_medium *m);

/* props-timing.c: properties; 0 and NULL are as the profile has it. */
struct envme_timing_props {
    char *profile;
    char *latency[ENVME_TIME_COUNT];
    uint64_t seed;
    uint64_t rate[ENVME_RATE_COUNT];
    uint32_t channels, stripe;
};

struct envme_ctrl_props {
    char *serial, *model, *firmware;
    char **iothreads;           /* NULL-terminated, or NULL */
    IOThread *iothread;
    QObject *iothread_map;      /* as it was given; or NULL */
    uint16_t *cq_lane;          /* what that says: see envme_ctrl_params */
    uint32_t max_ioqpairs;
    uint16_t msix_qsize;
    bool msix_exclusive_bar;
    OnOffAuto msix, msi, mapped_doorbells, vcpu_turns;
    uint8_t vcpu_gather;
    uint32_t mapped_rate;
    uint16_t mqes;
    uint8_t dstrd;
    bool cqr;
    uint8_t aerl;
    uint32_t aer_max_queued;
    uint8_t elpe;
    uint8_t mdts, vsl;
    bool ctratt_mem;
    uint8_t fw_slots, fwug;
    bool fw_slot1_ro;
    bool sanitize_ndi;
    bool dbcs;
    bool fault_injection;
    char *power_states;
    uint8_t temperature_sensors, temperature_hysteresis;
    uint16_t temperature[9];            /* K; 0: not given. See thermal.c */
    uint16_t kas, crdt[3], streams;
    uint64_t cmb_size;
    uint32_t cmb_size_mb;
    uint32_t cmbloc, cmbsz, pmrcap;     /* bits of the registers */
    bool legacy_cmb;
    HostMemoryBackend *pmrdev;
    uint32_t bp_size;           /* 128 KiB */
    char *bp[2];                /* files */
    uint32_t hmpre, hmmin;      /* 4 KiB */
    char *uuids;                /* a:b:c */
    bool atomic_dn;
    uint16_t atomic_awun, atomic_awupf;
    bool aer;
    bool use_intel_id, qemu_id;
    uint32_t vid, did, ssvid, ssid;     /* UINT32_MAX: not given */
    bool wrr, ams_vs;
    uint32_t max_inflight;
    struct envme_timing_props timing;
};

/* Properties of a subsystem, of its own device or of its only controller. 0:
 * not given. */
struct envme_subsys_props {
    uint32_t max_namespaces;
    uint32_t max_attached;      /* to one controller */
};

struct envme_faults;

/* faults.c */
struct envme_qfaults {
    QObject *rules;             /* property, as it was given; or NULL */
    envme_chardev events;       /* property */
    GAsyncQueue *queue;         /* GVariants for it; NULL: nobody listens */
    struct envme_faults *f;     /* while there is a controller */
};

struct EnvmeState {
    PCIDevice parent_obj;
    EnvmeBus bus;
    MemoryRegion bar0, regs, doorbells;
    struct envme_qregion cmb, pmr;

    struct envme_ctrl_props props;
    EnvmeSubsysState *subsys_dev;       /* property */
    struct envme_qstate state;          /* of a subsystem of its own */
    struct envme_subsys_props subsys_props;     /* the same */
    struct envme_medium medium;         /* namespace 1, when there is one */

    struct envme_ports ports;
    struct envme_qdma dma;
    struct envme_qirq irq;
    struct envme_qexec exec;
    struct envme_qdoorbells mapped;     /* over doorbells */
    struct envme_subsys *subsys;
    bool own_subsys;
    struct envme_ctrl *ctrl;
    struct envme_qfaults faults;
    bool bme;                           /* as the controller has been told */
    bool in_config;                     /* envme_config_write() is at work */
    bool in_flr;                        /* what resets is an FLR */
    bool had_flr;                       /* and it has */
    struct envme_qlink link;            /* what fault rules do to the bus */
    bool vm_stopped;                    /* see config_vm_state() */
    VMChangeStateEntry *vm_state;
    MemoryListener bus_listener;        /* see config_bus_changed() */
    QEMUBH *bus_bh;
};

struct EnvmeNsState {
    DeviceState parent_obj;
    struct envme_medium medium;
    struct envme_ns_params params;      /* properties, in part */
    uint8_t mset;
    QemuUUID uuid;
    char *nguid;
    EnvmeSubsysState *subsys_dev;       /* a reference, or NULL */
};

struct EnvmeSubsysState {
    DeviceState parent_obj;
    EnvmeBus bus;
    char *nqn;                          /* property */
    char *serial;                       /* of its controllers, once known */
    struct envme_qstate state;
    struct envme_subsys_props props;
    struct envme_subsys *subsys;
};

/* props.c */
/* NULL and errp: a property is wrong. */
struct envme_subsys *envme_props_subsys(const struct envme_subsys_props *p,
                                        const char *nqn, bool single,
                                        Error **errp);
void envme_props_class_init(ObjectClass *oc);
void envme_props_instance_init(EnvmeState *s);
void envme_props_finalize(EnvmeState *s);
/* Checks the properties; false and errp: a sentence that names property,
 * value and the nearest valid one. */
bool envme_props_check(const EnvmeState *s, Error **errp);
uint16_t envme_props_did(const EnvmeState *s);
uint16_t envme_props_ssid(const EnvmeState *s);
void envme_props_to_params(const EnvmeState *s, struct envme_ctrl_params *p);

/* props-threads.c: do vCPUs that ring give lane 0 its turns? */
bool envme_props_vcpu_turns(const EnvmeState *s);
/* The IOThreads in the order of lanes; *n of them, g_free(). Fills in cq_lane.
 * After envme_props_check(). */
bool envme_props_iothreads(EnvmeState *s, IOThread ***list, unsigned *n,
                           Error **errp);
void envme_props_threads_class_init(ObjectClass *oc);
void envme_props_threads_finalize(EnvmeState *s);

/* thermal.c */
void envme_qthermal_class_init(ObjectClass *oc);
/* The sensors' temperatures that were given; the controller is there. */
bool envme_qthermal_start(EnvmeState *s, Error **errp);

/* props-timing.c: the model that they ask for; false and errp as above. */
bool envme_timing_props(const struct envme_timing_props *props,
                        struct envme_timing_params *p, Error **errp);

/* props-data.c: what is in files and lists; before the controller is made, and
 * afterwards. */
bool envme_props_data(const EnvmeState *s, struct envme_ctrl_params *p,
                      Error **errp);
void envme_props_data_free(struct envme_ctrl_params *p);

/* config.c */
void envme_config_write(PCIDevice *dev, uint32_t addr, uint32_t val, int len);
void envme_config_reset(DeviceState *qdev);
uint32_t envme_config_read(PCIDevice *dev, uint32_t addr, int len);
/* What else decides over Bus Master has changed. */
void envme_config_update(EnvmeState *s);
/* The function is gone from the bus: nothing of what was in flight is left. */
void envme_config_lost(EnvmeState *s);
/* The controller has been made; it is about to be taken down. */
void envme_config_init(EnvmeState *s);
void envme_config_fini(EnvmeState *s);

/* faults.c: the controller has been made; it has stopped; and the end. */
bool envme_qfaults_init(EnvmeState *s, Error **errp);
void envme_qfaults_stop(EnvmeState *s);
void envme_qfaults_finalize(EnvmeState *s);
void envme_qfaults_class_init(ObjectClass *oc);

/* crash.c: how a medium could have been left, as an image over it in that
 * directory; nothing of it is changed. BQL. */
bool envme_crash_image(const char *dir, const struct envme_power_image *img,
                       Error **errp);
/* Calls fn(arg) once, soon, when images can be made. BQL. */
void envme_crash_when_able(void (*fn)(void *arg), void *arg);

void envme_pci_register(void);
void envme_bus_register(void);
/* Puts the bus for namespaces into a device, under the device's id. */
bool envme_bus_init(EnvmeBus *bus, DeviceState *dev, Error **errp);
void envme_ns_dev_register(void);
void envme_subsys_dev_register(void);

#endif
