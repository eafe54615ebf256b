/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Admin Command Set: the table of everything, and what its files share.
 * Base 2.1, chapter 5.
 *
 * Threads: lane 0. Calls the engine (hw/ctrl) and the subsystem (hw/ns);
 * includes no I/O command set. Owner of ctrl->admin.
 */
#ifndef ENVME_ADMIN_ADMIN_H
#define ENVME_ADMIN_ADMIN_H

#include "envme/feat.h"
#include "envme/id-ctrl.h"
#include "envme/id.h"
#include "hw/admin/health-shown.h"
#include "hw/ctrl/cmd.h"
#include "hw/ctrl/ctrl.h"

/* What a controller is made with. */
extern const struct envme_tables envme_tables;

/* ---- ctrl->admin ------------------------------------------------------- */

/* What SMART counts of I/O, time and errors. */
struct envme_health_totals {
    uint64_t reads, writes, read_bytes, written_bytes, on_ms, busy_us;
    uint64_t media_errors, errors;      /* errors: entries of the error log */
};

/* health-shown.c: what SMART says instead, by enum envme_health_field. */
struct envme_health_shown {
    uint32_t set;               /* a bit each */
    uint64_t value[ENVME_HEALTH_FIELDS];        /* counters: so much more */
};

/* keep.c */
struct envme_admin_keep {
    struct envme_deadline due;
    struct envme_ctrl *ctrl;
    uint64_t put_at;            /* ns */
    bool clean;                 /* shut down since it was enabled, or never */
    bool counted;               /* this power cycle is in the record */
    bool unsafe;                /* the last one ended without a shutdown */
};

/* pel-event.c */
struct envme_admin_pel {
    struct envme_deadline due;  /* of the next snapshot */
    struct envme_ctrl *ctrl;
    uint64_t reset_at;          /* ns */
    uint8_t fw_activation;      /* ENVME_PEL_FA_*, by the reset */
    bool was_formatting;        /* when it was reset */
    uint8_t warned;             /* critical warnings that are in the log */
    uint8_t hot;                /* thresholds that the temperature is above */
    atomic_bool media_told;     /* a media error is on its way */
    uint64_t media_hour;        /* in which there were media_n */
    unsigned media_n;
};

#define ENVME_HOST_ID_BYTES 16

/* keepalive.c */
struct envme_keepalive {
    struct envme_deadline due;
    struct envme_ctrl *ctrl;
};

/* thermal.c */
#define ENVME_TEMP_SENSORS 9    /* the composite temperature is number 0 */
#define ENVME_TEMP_KEPT    72   /* bytes: feature 04h when it is saved */

struct envme_temp_threshold {
    uint16_t k;                 /* K */
    uint8_t hyst;               /* K */
};

struct envme_thermal {
    uint16_t sensor[ENVME_TEMP_SENSORS];    /* K; 0: as the composite */
    struct envme_temp_threshold th[ENVME_TEMP_SENSORS][2];  /* by THSEL */
    uint32_t out;               /* which are exceeded: ENVME_THERMAL_BIT() */
    uint32_t told;              /* and have been told */
    unsigned level;             /* throttling: 0, 1 light, 2 heavy */
    uint32_t count[2];          /* times that it began, by level - 1 */
    uint64_t ns[2];             /* how long it has lasted */
};

#define ENVME_THERMAL_BIT(sensor, thsel) (1u << ((sensor) * 2 + (thsel)))

/* lbalog.c */
struct envme_lbas {
    struct envme_deadline due;
    struct envme_ctrl *ctrl;
    uint64_t restarted_at;      /* ns: the report interval */
    uint16_t lsgc;
    bool fresh;                 /* counted in lsgc, but not read yet */
    bool news;                  /* lsgc has grown since the last alert */
    bool alerted;               /* and the log was not read since */
    bool frozen;                /* being read with RAE: log stays as it is */
    GByteArray *log;
};

struct envme_admin {
    /* Timestamp feature: its value at the time ts_at. */
    uint64_t ts_ms, ts_at;
    bool ts_set;                /* by the host */
    /* Health. */
    uint64_t made_at;           /* ns */
    struct envme_health_totals before;  /* of earlier power cycles */
    struct envme_admin_keep keep;
    struct envme_admin_pel pel;
    uint64_t sampled_at;        /* ns: the times below count up to here */
    uint64_t warm_ns, hot_ns;   /* at or above WCTEMP, CCTEMP */
    uint8_t warned;             /* critical warnings that have been told */
    struct envme_health_shown shown;
    struct envme_thermal thermal;
    struct envme_keepalive keepalive;
    struct envme_feat_apst apst;
    struct envme_fw_image *fw;  /* what is being downloaded, or NULL */
    struct envme_selftest *selftest;
    struct envme_telemetry *telemetry;
    struct envme_lbas lbas;
    struct envme_hmb *hmb;      /* NULL until it is enabled once */
    /* Host Identifier; all of it zeroes: there is none. */
    uint8_t host_id[ENVME_HOST_ID_BYTES];
    bool host_id_long;          /* 128 bits */
};

static inline struct envme_admin *envme_admin(const struct envme_ctrl *ctrl)
{
    return ctrl->admin;
}

/* ---- rows -------------------------------------------------------------- */

/* rows-cns.c, rows-feature.c, rows-log.c */
extern const struct envme_cns_row envme_cns_rows[256];
extern const struct envme_feat_table envme_feats;
extern const struct envme_log_table envme_logs;

/* Is there such a row in the controller's tables? */
const struct envme_feat_row *envme_admin_feat(const struct envme_ctrl *ctrl,
                                              uint8_t fid);
const struct envme_iocs *envme_admin_iocs(const struct envme_ctrl *ctrl,
                                          uint8_t csi);

/* Feature values that Identify recommends or defaults come from. */
#define ENVME_ADMIN_AB 6        /* arbitration burst of 64 commands */
/* Feature 0Bh: the events that can occur here. */
/* Of the end of a threshold's hysteresis. */
#define ENVME_ADMIN_TTHR_BIT 16
uint32_t envme_admin_aec(const struct envme_ctrl *ctrl);
/* FNA: each namespace is formatted by itself, or all by FFFFFFFFh. */
#define ENVME_ADMIN_FNA ENVME_FNA_CRYES

/* ---- command families -------------------------------------------------- */

/* queues.c */
envme_run_fn envme_admin_create_cq, envme_admin_create_sq;
envme_run_fn envme_admin_delete_cq, envme_admin_delete_sq;
/* dbbuf.c */
envme_run_fn envme_admin_dbbuf;
bool envme_dbbuf_there(const struct envme_ctrl *ctrl);
/* namespaces.c */
envme_run_fn envme_admin_ns_mgmt, envme_admin_ns_attach;
envme_len_fn envme_admin_ns_mgmt_len, envme_admin_ns_attach_len;
/* The first formats of a namespace, those that the host knows of. */
unsigned envme_admin_nformats(const struct envme_ctrl *ctrl,
                              const struct envme_ns *ns);
/* protect.c: feature 84h; and NWPC of Identify Controller. */
struct envme_status envme_feat_set_protect(struct envme_cmd *cmd,
                                           struct envme_ns *ns,
                                           uint32_t *value, const void *data,
                                           uint32_t *dw0);
struct envme_status envme_feat_get_protect(struct envme_cmd *cmd,
                                           struct envme_ns *ns, uint32_t *dw0,
                                           void *data);
uint32_t envme_feat_reset_protect(struct envme_ctrl *ctrl,
                                  struct envme_ns *ns);
/* What the state says of it, once; before anybody asks whether it is
 * protected. */
void envme_protect_load(struct envme_ns *ns);
uint8_t envme_admin_nwpc(const struct envme_ctrl *ctrl);
/* format.c */
envme_run_fn envme_admin_format;
/* abort.c */
envme_run_fn envme_admin_abort;
/* firmware.c */
envme_run_fn envme_admin_fw_download, envme_admin_fw_commit;
envme_len_fn envme_admin_fw_len;
/* selftest.c */
envme_run_fn envme_admin_selftest;
/* sanitize.c */
envme_run_fn envme_admin_sanitize;
/* lbastatus.c */
envme_run_fn envme_admin_lba_status;
envme_len_fn envme_admin_lba_status_len;
/* lockdown.c */
envme_run_fn envme_admin_lockdown;
/* security.c */
envme_run_fn envme_admin_security_recv, envme_admin_security_send;
envme_len_fn envme_admin_security_len;
/* keepalive.c: Keep Alive and feature 0Fh */
envme_run_fn envme_admin_keep_alive;
bool envme_keepalive_there(const struct envme_ctrl *ctrl);
void envme_keepalive_init(struct envme_ctrl *ctrl);
void envme_keepalive_stop(struct envme_ctrl *ctrl);
struct envme_status envme_feat_set_kato(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0);
/* power.c: features 02h, 0Ch, 11h; Identify */
bool envme_admin_has_nops(const struct envme_ctrl *ctrl);
void envme_admin_power_reset(struct envme_ctrl *ctrl);
void envme_admin_identify_power(const struct envme_ctrl *ctrl,
                                struct envme_id_ctrl *id);
struct envme_status envme_feat_set_power(struct envme_cmd *cmd,
                                         struct envme_ns *ns, uint32_t *value,
                                         const void *data, uint32_t *dw0);
struct envme_status envme_feat_get_power(struct envme_cmd *cmd,
                                         struct envme_ns *ns, uint32_t *dw0,
                                         void *data);
void envme_feat_restore_power(struct envme_ctrl *ctrl, struct envme_ns *ns,
                              uint32_t value, const void *data);
struct envme_status envme_feat_set_apst(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0);
struct envme_status envme_feat_get_apst(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *dw0,
                                        void *data);
void envme_feat_restore_apst(struct envme_ctrl *ctrl, struct envme_ns *ns,
                             uint32_t value, const void *data);
struct envme_status envme_feat_set_nopsc(struct envme_cmd *cmd,
                                         struct envme_ns *ns, uint32_t *value,
                                         const void *data, uint32_t *dw0);
/* directive.c */
envme_run_fn envme_admin_directive_recv, envme_admin_directive_send;
envme_len_fn envme_admin_directive_len;
void envme_directive_init(struct envme_ctrl *ctrl);
/* A Controller Level Reset: only Identify is enabled. */
void envme_directive_reset(struct envme_ctrl *ctrl);

/* identify-ctrl.c, identify-ns.c: 4096 zeroed bytes to fill, see row.h */
typedef struct envme_status envme_cns_fn(struct envme_cmd *cmd, void *buf);
envme_cns_fn envme_cns_ctrl, envme_cns_cs_ctrl, envme_cns_nvmset_list;
envme_cns_fn envme_cns_uuid_list;
envme_cns_fn envme_cns_ns_ctrl_list, envme_cns_ctrl_list, envme_cns_iocs;
envme_cns_fn envme_cns_ns, envme_cns_cs_ns, envme_cns_ns_indep;
envme_cns_fn envme_cns_format, envme_cns_cs_format;
envme_cns_fn envme_cns_ns_list, envme_cns_cs_ns_list, envme_cns_ns_descs;
envme_cns_fn envme_cns_alloc_ns_list, envme_cns_alloc_ns;
envme_cns_fn envme_cns_cs_alloc_ns_list, envme_cns_ns_granularity;
/* Identify Namespace of one that is there, as CNS 00h and 11h say it. */
struct envme_id_ns;
void envme_identify_ns(const struct envme_ctrl *ctrl,
                       const struct envme_ns *ns, struct envme_id_ns *id);

/* ---- health.c ---------------------------------------------------------- */

/* Kelvin. WCTEMP is the default of the over threshold, too. */
#define ENVME_ADMIN_WCTEMP 343
#define ENVME_ADMIN_CCTEMP 373

/* TMT1 and TMT2 of feature 10h lie between these. */
#define ENVME_ADMIN_MNTMT 303
#define ENVME_ADMIN_MXTMT ENVME_ADMIN_CCTEMP

/* The composite temperature in Kelvin, and the bits of SMART's Critical
 * Warning that are set from outside (not the temperature's). Lane 0; both
 * report the events that come of it. */
void envme_health_set_temperature(struct envme_ctrl *ctrl, uint16_t kelvin);
void envme_health_set_warning(struct envme_ctrl *ctrl, uint8_t bits);
/* All bits of Critical Warning, as SMART has them. */
uint8_t envme_health_warning(const struct envme_ctrl *ctrl);
/* Those of them that are the media's. */
uint8_t envme_health_media_warning(const struct envme_ctrl *ctrl);
/* Times are counted up to now; before what they depend on changes. */
void envme_health_sample(struct envme_ctrl *ctrl);
/* Something that warnings and throttling depend on has changed. */
void envme_health_check(struct envme_ctrl *ctrl);
/* Of all power cycles. */
void envme_health_totals(struct envme_ctrl *ctrl,
                         struct envme_health_totals *t);
/* A counter of 16 bytes; available spare and its threshold, in percent. */
void envme_health_put(uint8_t counter[16], uint64_t v);
void envme_health_spare(bool is_low, uint8_t *spare, uint8_t *threshold);
/* Log page 02h: size and contents. */
void envme_health_log(struct envme_ctrl *ctrl, struct envme_log_smart *log);
/* Without what health-shown.h says. */
void envme_health_true_log(struct envme_ctrl *ctrl,
                           struct envme_log_smart *log);
size_t envme_health_size(const struct envme_log_req *req);
struct envme_status envme_health_fill(const struct envme_log_req *req,
                                      void *buf);

/* ---- thermal.c --------------------------------------------------------- */

/* K, of sensor 0 (composite) to 8. */
uint16_t envme_thermal_sensor(const struct envme_ctrl *ctrl, unsigned sensor);
/* A sensor's own temperature (K); 0: as the composite one. False: no such
 * sensor, 1 to temp_sensors. Lane 0. */
bool envme_thermal_set_sensor(struct envme_ctrl *ctrl, unsigned sensor,
                              uint16_t kelvin);
/* Thresholds and throttling as they follow from the temperatures now. */
void envme_thermal_update(struct envme_ctrl *ctrl);
/* At or above WCTEMP, hysteresis included. */
bool envme_thermal_is_warm(const struct envme_ctrl *ctrl);
/* ns that went by since the last sample. */
void envme_thermal_sample(struct envme_ctrl *ctrl, uint64_t spent);
void envme_thermal_reset(struct envme_ctrl *ctrl);
void envme_thermal_smart(const struct envme_ctrl *ctrl,
                         struct envme_log_smart *log);
struct envme_status envme_feat_set_temp(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0);
struct envme_status envme_feat_show_temp(struct envme_cmd *cmd, uint32_t *dw0);
void envme_feat_keep_temp(struct envme_cmd *cmd, void *buf, bool fresh);
void envme_feat_restore_temp(struct envme_ctrl *ctrl, struct envme_ns *ns,
                             uint32_t value, const void *data);
struct envme_status envme_feat_set_hctm(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0);

/* ---- keep.c: counters over power cycles. Lane 0 ------------------------ */

void envme_admin_keep_init(struct envme_ctrl *ctrl);
/* Enabled; shut down (what was put is written next); leaves its subsystem. */
void envme_admin_keep_start(struct envme_ctrl *ctrl);
void envme_admin_keep_shutdown(struct envme_ctrl *ctrl);
void envme_admin_keep_leave(struct envme_ctrl *ctrl);
void envme_admin_keep_power(struct envme_ctrl *ctrl, bool was_shut_down);
/* Puts what has changed; is_last: the power goes. */
void envme_admin_keep_sample(struct envme_ctrl *ctrl, bool is_last);

/* ---- firmware.c -------------------------------------------------------- */

struct envme_shared;

/* The subsystem is made or its state loaded; it goes. */
void envme_fw_load(struct envme_shared *shared, struct envme_ctrl *ctrl);
/* A reset of this controller begins; is over. */
void envme_fw_stop(struct envme_ctrl *ctrl);
void envme_fw_reset(struct envme_ctrl *ctrl);
/* The controller is enabled. */
void envme_fw_start(struct envme_ctrl *ctrl);
void envme_fw_fini(struct envme_ctrl *ctrl);
/* The revision that runs, padded with spaces. */
void envme_fw_revision(const struct envme_ctrl *ctrl, char fr[8]);
uint8_t envme_fw_frmw(const struct envme_ctrl *ctrl);
/* A reset is to activate an image. */
bool envme_fw_is_pending(const struct envme_ctrl *ctrl);
struct envme_status envme_fw_log(const struct envme_log_req *req, void *buf);

/* ---- bootpart.c -------------------------------------------------------- */

bool envme_bootpart_there(const struct envme_ctrl *ctrl);
/* The rest only where they are. */
bool envme_bootpart_is_locked(const struct envme_ctrl *ctrl, unsigned id);
size_t envme_bootpart_size(const struct envme_ctrl *ctrl);
/* Firmware Commit: the end of its handler. len is at most the size. */
struct envme_status envme_bootpart_replace(struct envme_cmd *cmd, unsigned id,
                                           const void *buf, size_t len);
struct envme_status envme_bootpart_make_active(struct envme_cmd *cmd,
                                               unsigned id);
/* BPCAP */
uint8_t envme_bootpart_cap(const struct envme_ctrl *ctrl);
/* Feature 85h */
struct envme_status envme_feat_set_bpwp(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0);
struct envme_status envme_feat_get_bpwp(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *dw0,
                                        void *data);
size_t envme_bootpart_log_size(const struct envme_log_req *req);
struct envme_status envme_bootpart_log(const struct envme_log_req *req,
                                       uint64_t off, void *buf, size_t len);

/* ---- hmb.c, hostmeta.c, nsdata.c: features, see row.h ------------------ */

#define ENVME_ADMIN_FEATURE(name)                                             \
    struct envme_status envme_feat_set_##name(struct envme_cmd *cmd,          \
                                              struct envme_ns *ns,            \
                                              uint32_t *value,                \
                                              const void *data,               \
                                              uint32_t *dw0);                 \
    struct envme_status envme_feat_get_##name(struct envme_cmd *cmd,          \
                                              struct envme_ns *ns,            \
                                              uint32_t *dw0, void *data)

ENVME_ADMIN_FEATURE(hmb);
ENVME_ADMIN_FEATURE(hostid);
ENVME_ADMIN_FEATURE(label);
ENVME_ADMIN_FEATURE(meta);
ENVME_ADMIN_FEATURE(ranges);
struct envme_status envme_feat_set_progress(struct envme_cmd *cmd,
                                            struct envme_ns *ns,
                                            uint32_t *value, const void *data,
                                            uint32_t *dw0);
uint16_t envme_feat_len_hmb(const struct envme_cmd *cmd);
uint16_t envme_feat_len_hostid(const struct envme_cmd *cmd);
void envme_feat_reset_ranges(struct envme_ctrl *ctrl, struct envme_ns *ns,
                             void *data);

/* Host Memory Buffer. Is it offered; what Identify says of it. */
bool envme_hmb_there(const struct envme_ctrl *ctrl);
void envme_hmb_identify(const struct envme_ctrl *ctrl,
                        struct envme_id_ctrl *id);
/* An admin command was received: into the ring, if there is one. */
void envme_hmb_trace(struct envme_cmd *cmd);
/* The ring, as members of a JSON object. */
void envme_hmb_telemetry(struct envme_ctrl *ctrl, GString *s);
/* A reset begins: host memory is not touched any more. */
void envme_hmb_stop(struct envme_ctrl *ctrl);
void envme_hmb_fini(struct envme_ctrl *ctrl);

/* 16 bytes, of which 8 count if it is not a long one; NULL: none was set. */
const uint8_t *envme_host_id(const struct envme_ctrl *ctrl, bool *is_long);
void envme_host_id_reset(struct envme_ctrl *ctrl);

/* A sanitize operation has gone well: labels are gone. */
void envme_nsdata_sanitized(struct envme_subsys *s);

/* ---- inject.c: only with params.fault_injection ------------------------ */

ENVME_ADMIN_FEATURE(inject);
envme_run_fn envme_admin_fault_send, envme_admin_fault_receive;
envme_len_fn envme_admin_fault_len;
uint16_t envme_feat_len_inject(const struct envme_cmd *cmd);
bool envme_inject_there(const struct envme_ctrl *ctrl);

/* ---- selftest.c -------------------------------------------------------- */

void envme_selftest_init(struct envme_ctrl *ctrl);
void envme_selftest_stop(struct envme_ctrl *ctrl);
void envme_selftest_leave(struct envme_ctrl *ctrl);
void envme_selftest_fini(struct envme_ctrl *ctrl);
size_t envme_selftest_log_size(const struct envme_log_req *req);
struct envme_status envme_selftest_log(const struct envme_log_req *req,
                                       void *buf);
/* EDSTT */
uint16_t envme_selftest_minutes(const struct envme_ctrl *ctrl);
/* A namespace (FFFFFFFFh: all) is formatted, everything is sanitized: what
 * tests it ends. */
void envme_selftest_format(struct envme_subsys *s, uint32_t nsid);
void envme_selftest_sanitize(struct envme_subsys *s);
/* Tests fail at this segment, 1 to 9, until it is 0 again. */
void envme_selftest_fail_at(struct envme_ctrl *ctrl, unsigned seg);

/* ---- sanitize.c -------------------------------------------------------- */

/* A controller joins, leaves its subsystem. */
void envme_sanitize_join(struct envme_ctrl *ctrl);
void envme_sanitize_leave(struct envme_ctrl *ctrl);
size_t envme_sanitize_log_size(const struct envme_log_req *req);
struct envme_status envme_sanitize_log(const struct envme_log_req *req,
                                       void *buf);
uint32_t envme_sanitize_cap(const struct envme_ctrl *ctrl);
/* Feature 17h */
struct envme_status envme_sanitize_config_set(struct envme_cmd *cmd,
                                              struct envme_ns *ns,
                                              uint32_t *value,
                                              const void *data, uint32_t *dw0);
struct envme_status envme_sanitize_config_get(struct envme_cmd *cmd,
                                              struct envme_ns *ns,
                                              uint32_t *dw0, void *data);
void envme_sanitize_config_restore(struct envme_ctrl *ctrl,
                                   struct envme_ns *ns, uint32_t value,
                                   const void *data);
/* The operation that runs, or the next one, fails at its next request. */
void envme_sanitize_fail_next(struct envme_subsys *s);

/* ---- telemetry.c ------------------------------------------------------- */

void envme_telemetry_init(struct envme_ctrl *ctrl);
void envme_telemetry_fini(struct envme_ctrl *ctrl);
size_t envme_telemetry_size(const struct envme_log_req *req);
struct envme_status envme_telemetry_log(const struct envme_log_req *req,
                                        void *buf);
void envme_telemetry_read(const struct envme_log_req *req);
/* Something has gone wrong that somebody will want to look into: data is
 * captured for log page 08h, unless what was captured before is unread. */
void envme_telemetry_report(struct envme_ctrl *ctrl, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- pel.c: log page 0Dh. The rest of it is in pel.h ------------------- */

bool envme_pel_log_fixed(const struct envme_cmd *cmd, uint64_t *len);
struct envme_status envme_pel_log_begin(const struct envme_log_req *req);
size_t envme_pel_log_size(const struct envme_log_req *req);
struct envme_status envme_pel_log(const struct envme_log_req *req, void *buf);

/* ---- endgrp.c: log pages 09h, 0Fh; CNS 19h; feature 18h. And endgrp.h --- */

bool envme_endgrp_there(const struct envme_ctrl *ctrl);
size_t envme_endgrp_log_size(const struct envme_log_req *req);
struct envme_status envme_endgrp_log(const struct envme_log_req *req,
                                     void *buf);
void envme_endgrp_log_read(const struct envme_log_req *req);
size_t envme_endgrp_aggregate_size(const struct envme_log_req *req);
struct envme_status envme_endgrp_aggregate(const struct envme_log_req *req,
                                           void *buf);
envme_cns_fn envme_cns_endgrp_list;
struct envme_status envme_endgrp_config_set(struct envme_cmd *cmd,
                                            struct envme_ns *ns,
                                            uint32_t *value, const void *data,
                                            uint32_t *dw0);
struct envme_status envme_endgrp_config_get(struct envme_cmd *cmd,
                                            struct envme_ns *ns, uint32_t *dw0,
                                            void *data);
struct envme_status envme_endgrp_config_show(struct envme_cmd *cmd,
                                             uint32_t *dw0);
void envme_endgrp_config_restore(struct envme_ctrl *ctrl, struct envme_ns *ns,
                                 uint32_t value, const void *data);

/* ---- rows-feature.c ---------------------------------------------------- */

/* Feature 0Eh as it is now. */
struct envme_timestamp;
void envme_admin_timestamp(const struct envme_ctrl *ctrl,
                           struct envme_timestamp *ts);
/* ---- lbalog.c ---------------------------------------------------------- */

/* LSIPI, 100 ms: how often a host should read the log at most. */
#define ENVME_LBAS_LSIPI 10

void envme_lbas_init(struct envme_ctrl *ctrl);
void envme_lbas_start(struct envme_ctrl *ctrl);
void envme_lbas_stop(struct envme_ctrl *ctrl);
/* Blocks of a namespace have become unreadable. */
void envme_lbas_lost(struct envme_ctrl *ctrl, uint32_t nsid);
/* Something that the alert depends on has changed. */
void envme_lbas_check(struct envme_ctrl *ctrl);
size_t envme_lbas_log_size(const struct envme_log_req *req);
struct envme_status envme_lbas_log(const struct envme_log_req *req, void *buf);
void envme_lbas_log_read(const struct envme_log_req *req);
/* Feature 15h */
struct envme_status envme_feat_set_lbas(struct envme_cmd *cmd,
                                        struct envme_ns *ns, uint32_t *value,
                                        const void *data, uint32_t *dw0);

/* ---- lockdown.c -------------------------------------------------------- */

struct envme_status envme_lockdown_gate(struct envme_cmd *cmd);
size_t envme_lockdown_log_size(const struct envme_log_req *req);
struct envme_status envme_lockdown_log(const struct envme_log_req *req,
                                       void *buf);

/* ---- lists of what there is: effects.c --------------------------------- */

size_t envme_log_supported_size(const struct envme_log_req *req);
size_t envme_log_effects_size(const struct envme_log_req *req);
size_t envme_log_fid_size(const struct envme_log_req *req);
size_t envme_log_mi_size(const struct envme_log_req *req);
struct envme_status envme_log_supported(const struct envme_log_req *req,
                                        void *buf);
struct envme_status envme_log_effects(const struct envme_log_req *req,
                                      void *buf);
struct envme_status envme_log_fid(const struct envme_log_req *req, void *buf);
struct envme_status envme_log_mi(const struct envme_log_req *req, void *buf);
/* The OACS or ONCS bits of all rows that are there; ctrl NULL: of all. */
uint16_t envme_admin_caps(const struct envme_row rows[256],
                          const struct envme_ctrl *ctrl);

#endif
