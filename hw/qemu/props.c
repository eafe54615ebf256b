/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of the controller. Names are those of QEMU's own nvme device
 * where the meaning is the same; what is not supported does not exist.
 */
#include "hw/qemu/compat.h"

#include "hw/pci/pci_ids.h"
#include "qapi/error.h"
#include "system/iothread.h"
#include "system/system.h"

#include "hw/qemu/dev.h"

/*
 * The default identity. 1b36:0010 is QEMU's own device, for which hosts have
 * workarounds that are not ours; 1234 is the vendor of QEMU's other devices
 * that copy no real hardware.
 */
#define PROPS_VID 0x1234
#define PROPS_DID 0xe4e1
#define PROPS_MODEL "QEMU NVMe Ctrl"
#define PROPS_FIRMWARE "0.1"
#define PROPS_LANE_CMDS 4096
#define PROPS_NOT_GIVEN UINT32_MAX

static const Property props[] = {
    DEFINE_BLOCK_PROPERTIES(EnvmeState, medium.conf),
    DEFINE_BLOCK_ERROR_PROPERTIES(EnvmeState, medium.conf),
    DEFINE_PROP_BOOL("vwc-model", EnvmeState, medium.vwc_model, false),
    DEFINE_PROP_SIZE("vwc-size", EnvmeState, medium.vwc_size, 0),
    DEFINE_PROP_LINK("memdev", EnvmeState, medium.memdev, TYPE_MEMORY_BACKEND,
                     HostMemoryBackend *),
    DEFINE_PROP_LINK("subsys", EnvmeState, subsys_dev, TYPE_ENVME_SUBSYS,
                     EnvmeSubsysState *),
    DEFINE_PROP_LINK("iothread", EnvmeState, props.iothread, TYPE_IOTHREAD,
                     IOThread *),
    DEFINE_PROP_STRING("state", EnvmeState, state.path),
    DEFINE_PROP_CHR("events", EnvmeState, faults.events),
    DEFINE_PROP_BOOL("fault-injection", EnvmeState, props.fault_injection,
                     false),
    DEFINE_PROP_UINT32("max-namespaces", EnvmeState,
                       subsys_props.max_namespaces, 0),
    DEFINE_PROP_UINT32("max-attached", EnvmeState, subsys_props.max_attached,
                       0),
    DEFINE_PROP_STRING("serial", EnvmeState, props.serial),
    DEFINE_PROP_STRING("model", EnvmeState, props.model),
    DEFINE_PROP_STRING("firmware", EnvmeState, props.firmware),
    DEFINE_PROP_UINT32("max_ioqpairs", EnvmeState, props.max_ioqpairs, 64),
    DEFINE_PROP_UINT16("msix_qsize", EnvmeState, props.msix_qsize, 65),
    DEFINE_PROP_BOOL("msix-exclusive-bar", EnvmeState,
                     props.msix_exclusive_bar, false),
    DEFINE_PROP_ON_OFF_AUTO("msix", EnvmeState, props.msix, ON_OFF_AUTO_AUTO),
    DEFINE_PROP_ON_OFF_AUTO("msi", EnvmeState, props.msi, ON_OFF_AUTO_AUTO),
    DEFINE_PROP_ON_OFF_AUTO("mapped-doorbells", EnvmeState,
                            props.mapped_doorbells, ON_OFF_AUTO_AUTO),
    DEFINE_PROP_UINT32("mapped-rate", EnvmeState, props.mapped_rate,
                       ENVME_MAPPED_RATE),
    DEFINE_PROP_ON_OFF_AUTO("vcpu-turns", EnvmeState, props.vcpu_turns,
                            ON_OFF_AUTO_AUTO),
    DEFINE_PROP_UINT8("vcpu-gather", EnvmeState, props.vcpu_gather, 16),
    DEFINE_PROP_UINT16("mqes", EnvmeState, props.mqes, 0x7ff),
    DEFINE_PROP_UINT8("dstrd", EnvmeState, props.dstrd, 0),
    DEFINE_PROP_BOOL("cqr", EnvmeState, props.cqr, true),
    DEFINE_PROP_UINT8("aerl", EnvmeState, props.aerl, 3),
    DEFINE_PROP_UINT32("aer_max_queued", EnvmeState, props.aer_max_queued, 64),
    DEFINE_PROP_UINT8("elpe", EnvmeState, props.elpe, 63),
    DEFINE_PROP_UINT8("mdts", EnvmeState, props.mdts, 7),
    DEFINE_PROP_UINT8("vsl", EnvmeState, props.vsl, 7),
    DEFINE_PROP_BOOL("ctratt.mem", EnvmeState, props.ctratt_mem, false),
    DEFINE_PROP_UINT8("fw-slots", EnvmeState, props.fw_slots, 3),
    DEFINE_PROP_BOOL("fw-slot1-ro", EnvmeState, props.fw_slot1_ro, false),
    DEFINE_PROP_UINT8("fwug", EnvmeState, props.fwug, 1),
    DEFINE_PROP_UINT32("bp-size", EnvmeState, props.bp_size, 0),
    DEFINE_PROP_STRING("bp0", EnvmeState, props.bp[0]),
    DEFINE_PROP_STRING("bp1", EnvmeState, props.bp[1]),
    DEFINE_PROP_UINT32("hmpre", EnvmeState, props.hmpre, 0),
    DEFINE_PROP_UINT32("hmmin", EnvmeState, props.hmmin, 0),
    DEFINE_PROP_STRING("uuids", EnvmeState, props.uuids),
    DEFINE_PROP_BOOL("dbcs", EnvmeState, props.dbcs, true),
    DEFINE_PROP_BOOL("sanitize-ndi", EnvmeState, props.sanitize_ndi, false),
    DEFINE_PROP_STRING("power-states", EnvmeState, props.power_states),
    DEFINE_PROP_UINT8("temperature-sensors", EnvmeState,
                      props.temperature_sensors, 2),
    DEFINE_PROP_UINT8("temperature-hysteresis", EnvmeState,
                      props.temperature_hysteresis, 7),
    DEFINE_PROP_UINT16("kas", EnvmeState, props.kas, 0),
    DEFINE_PROP_UINT16("crdt1", EnvmeState, props.crdt[0], 0),
    DEFINE_PROP_UINT16("crdt2", EnvmeState, props.crdt[1], 0),
    DEFINE_PROP_UINT16("crdt3", EnvmeState, props.crdt[2], 0),
    DEFINE_PROP_UINT16("streams", EnvmeState, props.streams, 16),
    DEFINE_PROP_BOOL("atomic.dn", EnvmeState, props.atomic_dn, false),
    DEFINE_PROP_UINT16("atomic.awun", EnvmeState, props.atomic_awun, 0),
    DEFINE_PROP_UINT16("atomic.awupf", EnvmeState, props.atomic_awupf, 0),
    DEFINE_PROP_UINT32("cmb_size_mb", EnvmeState, props.cmb_size_mb, 0),
    DEFINE_PROP_SIZE("cmb-size", EnvmeState, props.cmb_size, 0),
    DEFINE_PROP_BOOL("legacy-cmb", EnvmeState, props.legacy_cmb, false),
    /* By the bits of CMBSZ, CMBLOC, PMRCAP. */
    DEFINE_PROP_BIT("cmb.sqs", EnvmeState, props.cmbsz, 0, true),
    DEFINE_PROP_BIT("cmb.cqs", EnvmeState, props.cmbsz, 1, true),
    DEFINE_PROP_BIT("cmb.lists", EnvmeState, props.cmbsz, 2, true),
    DEFINE_PROP_BIT("cmb.rds", EnvmeState, props.cmbsz, 3, true),
    DEFINE_PROP_BIT("cmb.wds", EnvmeState, props.cmbsz, 4, true),
    DEFINE_PROP_BIT("cmb.cqmms", EnvmeState, props.cmbloc, 3, true),
    DEFINE_PROP_BIT("cmb.cqpds", EnvmeState, props.cmbloc, 4, true),
    DEFINE_PROP_BIT("cmb.cdpmls", EnvmeState, props.cmbloc, 5, true),
    DEFINE_PROP_BIT("cmb.cdpcils", EnvmeState, props.cmbloc, 6, true),
    DEFINE_PROP_BIT("cmb.cdmmms", EnvmeState, props.cmbloc, 7, true),
    DEFINE_PROP_BIT("cmb.cqda", EnvmeState, props.cmbloc, 8, false),
    DEFINE_PROP_LINK("pmrdev", EnvmeState, props.pmrdev, TYPE_MEMORY_BACKEND,
                     HostMemoryBackend *),
    DEFINE_PROP_BIT("pmr.rds", EnvmeState, props.pmrcap, 3, true),
    DEFINE_PROP_BIT("pmr.wds", EnvmeState, props.pmrcap, 4, true),
    DEFINE_PROP_BIT("pmr.cmss", EnvmeState, props.pmrcap, 24, true),
    DEFINE_PROP_BOOL("aer", EnvmeState, props.aer, true),
    DEFINE_PROP_BOOL("use-intel-id", EnvmeState, props.use_intel_id, false),
    DEFINE_PROP_BOOL("qemu-id", EnvmeState, props.qemu_id, false),
    DEFINE_PROP_UINT32("pci-vendor-id", EnvmeState, props.vid,
                       PROPS_NOT_GIVEN),
    DEFINE_PROP_UINT32("pci-device-id", EnvmeState, props.did,
                       PROPS_NOT_GIVEN),
    DEFINE_PROP_UINT32("pci-subsystem-vendor-id", EnvmeState, props.ssvid,
                       PROPS_NOT_GIVEN),
    DEFINE_PROP_UINT32("pci-subsystem-id", EnvmeState, props.ssid,
                       PROPS_NOT_GIVEN),
    DEFINE_PROP_STRING("latency.read", EnvmeState,
                       props.timing.latency[ENVME_TIME_READ]),
    DEFINE_PROP_STRING("latency.write", EnvmeState,
                       props.timing.latency[ENVME_TIME_WRITE]),
    DEFINE_PROP_STRING("latency.zeroes", EnvmeState,
                       props.timing.latency[ENVME_TIME_ZEROES]),
    DEFINE_PROP_STRING("latency.flush", EnvmeState,
                       props.timing.latency[ENVME_TIME_FLUSH]),
    DEFINE_PROP_STRING("latency.dsm", EnvmeState,
                       props.timing.latency[ENVME_TIME_DSM]),
    DEFINE_PROP_STRING("latency.copy", EnvmeState,
                       props.timing.latency[ENVME_TIME_COPY]),
    DEFINE_PROP_UINT64("latency.seed", EnvmeState, props.timing.seed, 0),
    DEFINE_PROP_SIZE("bandwidth", EnvmeState,
                     props.timing.rate[ENVME_RATE_BYTES], 0),
    DEFINE_PROP_SIZE("bandwidth.read", EnvmeState,
                     props.timing.rate[ENVME_RATE_READ_BYTES], 0),
    DEFINE_PROP_SIZE("bandwidth.write", EnvmeState,
                     props.timing.rate[ENVME_RATE_WRITE_BYTES], 0),
    DEFINE_PROP_UINT64("iops", EnvmeState,
                       props.timing.rate[ENVME_RATE_CMDS], 0),
    DEFINE_PROP_UINT64("iops.read", EnvmeState,
                       props.timing.rate[ENVME_RATE_READ_CMDS], 0),
    DEFINE_PROP_UINT64("iops.write", EnvmeState,
                       props.timing.rate[ENVME_RATE_WRITE_CMDS], 0),
    DEFINE_PROP_UINT32("channels", EnvmeState, props.timing.channels, 0),
    DEFINE_PROP_SIZE32("channel-stripe", EnvmeState, props.timing.stripe, 0),
    DEFINE_PROP_STRING("profile", EnvmeState, props.timing.profile),
    DEFINE_PROP_UINT32("max-inflight", EnvmeState, props.max_inflight, 0),
    DEFINE_PROP_BOOL("wrr", EnvmeState, props.wrr, true),
    DEFINE_PROP_BOOL("ams-vs", EnvmeState, props.ams_vs, true),
};

/* ---- checks ------------------------------------------------------------ */

struct props_range {
    const char *name;
    uint64_t value, min, max;
};

static bool props_check_range(const struct props_range *r, Error **errp)
{
    if (r->value >= r->min && r->value <= r->max) {
        return true;
    }
    error_setg(errp, "%s=%" PRIu64 " is out of range; the nearest valid value "
               "is %" PRIu64, r->name, r->value,
               r->value < r->min ? r->min : r->max);
    return false;
}

static bool props_check_string(const char *name, const char *value,
                               size_t max, Error **errp)
{
    size_t len = strlen(value);

    for (size_t i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e) {
            error_setg(errp, "%s=%s has a character that is not printable "
                       "ASCII", name, value);
            return false;
        }
    }
    if (len > max) {
        error_setg(errp, "%s=%s is %zu characters long; the longest is %.*s "
                   "(%zu)", name, value, len, (int)max, value, max);
        return false;
    }
    return true;
}

static bool props_check_ids(const struct envme_ctrl_props *p, Error **errp)
{
    const struct {
        const char *name;
        uint32_t value;
    } ids[] = {
        { "pci-vendor-id", p->vid },
        { "pci-device-id", p->did },
        { "pci-subsystem-vendor-id", p->ssvid },
        { "pci-subsystem-id", p->ssid },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
        if (ids[i].value != PROPS_NOT_GIVEN && ids[i].value > 0xffff) {
            error_setg(errp, "%s=0x%x has more than 16 bits; the nearest "
                       "valid value is 0xffff", ids[i].name, ids[i].value);
            return false;
        }
    }
    if (p->use_intel_id && p->qemu_id) {
        error_setg(errp, "use-intel-id=on and qemu-id=on exclude each other");
        return false;
    }
    return true;
}

static bool props_check_power(const struct envme_ctrl_props *p, Error **errp)
{
    struct envme_pstates t;
    g_autofree char *wrong = envme_pstates_parse(p->power_states, &t);

    if (wrong) {
        error_setg(errp, "%s", wrong);
    }
    return !wrong;
}

bool envme_props_check(const EnvmeState *s, Error **errp)
{
    const struct envme_ctrl_props *p = &s->props;
    struct envme_timing_params timing;
    const struct props_range ranges[] = {
        { "max_ioqpairs", p->max_ioqpairs, 1, 65535 },
        { "msix_qsize", p->msix_qsize, 1, 2048 },
        { "mqes", p->mqes, 1, 65535 },
        { "dstrd", p->dstrd, 0, 8 },
        { "mapped-rate", p->mapped_rate, 1, 1000000 },
        { "vcpu-gather", p->vcpu_gather, 1, 64 },
        { "mdts", p->mdts, 0, 20 },
        { "vsl", p->vsl, 0, 20 },
        { "fw-slots", p->fw_slots, 1, 7 },
        { "bp-size", p->bp_size, 0, ENVME_BOOTPART_MAX },
        { "elpe", p->elpe, 0, 255 },
        { "temperature-sensors", p->temperature_sensors, 0, 8 },
        { "temperature-hysteresis", p->temperature_hysteresis, 0, 7 },
        { "streams", p->streams, 0, ENVME_STREAMS_MAX },
        { "aer_max_queued", p->aer_max_queued, 1, 65536 },
        { "channels", p->timing.channels, 0, ENVME_TIMING_CHANNELS },
    };

    if (!p->serial) {
        error_setg(errp, "serial= is missing");
        return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++) {
        if (!props_check_range(&ranges[i], errp)) {
            return false;
        }
    }
    if (!props_check_string("serial", p->serial, 20, errp) ||
        !props_check_string("model", p->model ?: PROPS_MODEL, 40, errp) ||
        !props_check_string("firmware", p->firmware ?: PROPS_FIRMWARE, 8,
                            errp) ||
        !props_check_ids(p, errp) ||
        !envme_timing_props(&p->timing, &timing, errp)) {
        return false;
    }
    if (!props_check_power(p, errp)) {
        return false;
    }
    if (p->cmb_size && p->cmb_size_mb) {
        error_setg(errp, "cmb-size= and cmb_size_mb= exclude each other");
        return false;
    }
    if (s->subsys_dev && envme_medium_given(&s->medium)) {
        error_setg(errp, "%s= and subsys= exclude each other: give the "
                   "namespace with -device envme-ns",
                   s->medium.memdev ? "memdev" : "drive");
        return false;
    }
    if (s->subsys_dev && s->state.path) {
        error_setg(errp, "state=%s and subsys= exclude each other: give it to "
                   "the envme-subsys", s->state.path);
        return false;
    }
    if (s->subsys_dev && (s->subsys_props.max_namespaces ||
                          s->subsys_props.max_attached)) {
        error_setg(errp, "%s= and subsys= exclude each other: give it to the "
                   "envme-subsys", s->subsys_props.max_namespaces ?
                   "max-namespaces" : "max-attached");
        return false;
    }
    return true;
}

struct envme_subsys *envme_props_subsys(const struct envme_subsys_props *p,
                                        const char *nqn, bool single,
                                        Error **errp)
{
    uint32_t nn = p->max_namespaces ?: ENVME_NSIDS;
    const struct props_range ranges[] = {
        { "max-namespaces", nn, 1, ENVME_NSIDS_MAX },
        { "max-attached", p->max_attached, 0, nn },
    };
    struct envme_subsys *s;

    for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++) {
        if (!props_check_range(&ranges[i], errp)) {
            return NULL;
        }
    }
    s = envme_subsys_new(nqn, nn, single);
    envme_qexec_subsys(s);
    s->mnan = nn;
    s->maxcna = p->max_attached;
    return s;
}

static uint16_t props_id(uint32_t given, uint16_t dflt)
{
    return given == PROPS_NOT_GIVEN ? dflt : given;
}

uint16_t envme_props_did(const EnvmeState *s)
{
    return props_id(s->props.did, s->props.use_intel_id ? 0x5845 :
                                  s->props.qemu_id ? PCI_DEVICE_ID_REDHAT_NVME :
                                  PROPS_DID);
}

uint16_t envme_props_ssid(const EnvmeState *s)
{
    return props_id(s->props.ssid, PCI_SUBDEVICE_ID_QEMU);
}

void envme_props_to_params(const EnvmeState *s, struct envme_ctrl_params *p)
{
    const struct envme_ctrl_props *pr = &s->props;

    *p = (struct envme_ctrl_params) {
        .vid = props_id(pr->vid, pr->use_intel_id ? PCI_VENDOR_ID_INTEL :
                                 pr->qemu_id ? PCI_VENDOR_ID_REDHAT :
                                 PROPS_VID),
        .ssvid = props_id(pr->ssvid, PCI_SUBVENDOR_ID_REDHAT_QUMRANET),
        .mdts = pr->mdts,
        .vsl = pr->vsl,
        .mqes = pr->mqes,
        .max_ioqpairs = pr->max_ioqpairs,
        .dstrd = pr->dstrd,
        .cqr = pr->cqr,
        .mpsmax = 4,
        .to = 15,
        .aerl = pr->aerl,
        .aer_max_queued = pr->aer_max_queued,
        .acl = 3,
        .elpe = pr->elpe,
        .lane_cmds = PROPS_LANE_CMDS,
        .max_inflight = pr->max_inflight,
        .mapped_rate = pr->mapped_rate,
        .wrr = pr->wrr, .ams_vs = pr->ams_vs,
        .ctratt_mem = pr->ctratt_mem,
        .fw_slots = pr->fw_slots,
        .fw_slot1_ro = pr->fw_slot1_ro,
        .fwug = pr->fwug,
        .sanitize_ndi = pr->sanitize_ndi,
        .no_dbbuf = !pr->dbcs,
        .fault_injection = pr->fault_injection,
        .temp_sensors = pr->temperature_sensors,
        .temp_hyst = pr->temperature_hysteresis,
        .temperature = pr->temperature[0],
        .kas = pr->kas, .streams = pr->streams,
        .crdt = { pr->crdt[0], pr->crdt[1], pr->crdt[2] },
        .cmbloc = pr->cmbloc, .cmbsz = pr->cmbsz, .pmrcap = pr->pmrcap,
        .cmb_legacy = pr->legacy_cmb,
        .bp_units = pr->bp_size,
        .hmpre = pr->hmpre, .hmmin = pr->hmmin,
        .dn = pr->atomic_dn, .awun = pr->atomic_awun,
        .awupf = pr->atomic_awupf,
    };
    /* envme_props_check() has seen that it goes well. */
    envme_timing_props(&pr->timing, &p->timing, NULL);
    /* 52-54-00, a locally administered one; Intel's when it is imitated. */
    memcpy(p->ieee, pr->use_intel_id ? "\xb3\x02\x00" : "\x00\x54\x52", 3);
    /* It has been checked. */
    g_free(envme_pstates_parse(pr->power_states, &p->pstates));
    g_strlcpy(p->serial, pr->serial, sizeof(p->serial));
    g_strlcpy(p->model, pr->model ?: PROPS_MODEL, sizeof(p->model));
    g_strlcpy(p->firmware, pr->firmware ?: PROPS_FIRMWARE,
              sizeof(p->firmware));
}

/* ---- class ------------------------------------------------------------- */

void envme_props_instance_init(EnvmeState *s)
{
    device_add_bootindex_property(OBJECT(s), &s->medium.conf.bootindex,
                                  "bootindex", "/namespace@1,0", DEVICE(s));
    object_property_add_uint32_ptr(OBJECT(s), "irqfds",
                                   &s->irq.cuts.way[ENVME_QIRQ_WAY_KVM].nopen,
                                   OBJ_PROP_FLAG_READ);
    object_property_add_uint32_ptr(OBJECT(s), "turns-on-vcpus",
                                   &s->exec.vcpu.nturns, OBJ_PROP_FLAG_READ);
    object_property_add_uint32_ptr(OBJECT(s), "waits-on-vcpus",
                                   &s->exec.vcpu.nwaits, OBJ_PROP_FLAG_READ);
    object_property_add_uint32_ptr(OBJECT(s), "doorbells-mapped",
                                   &s->mapped.times, OBJ_PROP_FLAG_READ);
}

void envme_props_finalize(EnvmeState *s)
{
    envme_props_threads_finalize(s);
}

void envme_props_class_init(ObjectClass *oc)
{
    device_class_set_props(DEVICE_CLASS(oc), props);
    envme_qthermal_class_init(oc);
    envme_props_threads_class_init(oc);
}
