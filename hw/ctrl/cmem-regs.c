/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The controller's own memory: its registers, and what they bring about. */
#include "hw/ctrl/cmem.h"

#include <stdio.h>
#include <string.h>

#include "hw/ctrl/life.h"

#define CMEM_ALIGN 4096ull

#define CMEM_CMBLOC (ENVME_CMBLOC_BIR | ENVME_CMBLOC_CQMMS |                  \
                     ENVME_CMBLOC_CQPDS | ENVME_CMBLOC_CDPMLS |               \
                     ENVME_CMBLOC_CDPCILS | ENVME_CMBLOC_CDMMMS |             \
                     ENVME_CMBLOC_CQDA)
#define CMEM_CMBSZ  (ENVME_CMBSZ_SQS | ENVME_CMBSZ_CQS | ENVME_CMBSZ_LISTS |  \
                     ENVME_CMBSZ_RDS | ENVME_CMBSZ_WDS)
#define CMEM_PMRCAP (ENVME_PMRCAP_RDS | ENVME_PMRCAP_WDS | ENVME_PMRCAP_BIR | \
                     ENVME_PMRCAP_CMSS)

/* A host waits this long for PMRSTS.NRDY: the sync of a slow disk has to be
 * over then. 500 ms. */
#define CMEM_PMRTO 20

/* PMRSTS.ERR: the only value there is. */
#define CMEM_ERR_SYNC 1

/* ---- parameters -------------------------------------------------------- */

/* CMBSZ.SZU and SZ. MiB where it can be, because hosts print it. */
static bool cmem_encode_size(uint64_t size, uint32_t *cmbsz)
{
    static const uint8_t units[] = { ENVME_CMBSZ_SZU_1M, ENVME_CMBSZ_SZU_4K,
                                     ENVME_CMBSZ_SZU_64K, ENVME_CMBSZ_SZU_16M };

    for (unsigned i = 0; i < sizeof(units); i++) {
        uint64_t unit = UINT64_C(4096) << 4 * units[i];

        if (size % unit == 0 && size / unit < 1u << 20) {
            *cmbsz = FIELD_SET(ENVME_CMBSZ_SZU, units[i]) |
                     FIELD_SET(ENVME_CMBSZ_SZ, size / unit);
            return true;
        }
    }
    return false;
}

char *envme_cmem_check_params(const struct envme_ctrl_params *p,
                              const struct envme_ports *ports)
{
    uint32_t cmbsz;

    if (ports->cmb.base &&
        (!ports->cmb.size || !cmem_encode_size(ports->cmb.size, &cmbsz))) {
        return g_strdup_printf("cmb-size=%" G_GUINT64_FORMAT ": a multiple of "
                               "4096, above 4 GiB of 65536", ports->cmb.size);
    }
    if (ports->cmb.base && p->cmbsz & ENVME_CMBSZ_LISTS &&
        !(p->cmbsz & ENVME_CMBSZ_SQS)) {
        return g_strdup("cmb.lists=on needs cmb.sqs=on");
    }
    if (ports->pmr.base && (ports->pmr.size < CMEM_ALIGN ||
                            !ENVME_IS_POW2(ports->pmr.size))) {
        return g_strdup_printf("pmrdev: its size is %" G_GUINT64_FORMAT ", not "
                               "a power of two from 4096 on", ports->pmr.size);
    }
    return NULL;
}

void envme_cmem_regs_init(struct envme_ctrl *ctrl)
{
    struct envme_ctrl_params *p = &ctrl->params;
    uint32_t cmbsz = 0;

    p->cmbloc &= CMEM_CMBLOC;
    p->cmbsz &= CMEM_CMBSZ;
    if (ctrl->ports.cmb.base) {
        cmem_encode_size(ctrl->ports.cmb.size, &cmbsz);
        p->cmbsz |= cmbsz;
        /* NVMe 1.3 knows neither the capability nor CMBMSC. */
        ctrl->cap |= FIELD_SET(ENVME_CAP_CMBS, !p->cmb_legacy);
        ctrl->cmbloc = p->cmb_legacy ? p->cmbloc : 0;
        ctrl->cmbsz = p->cmb_legacy ? p->cmbsz : 0;
    }
    if (ctrl->ports.pmr.base) {
        ctrl->cap |= ENVME_CAP_PMRS;
        ctrl->pmrcap = (p->pmrcap & CMEM_PMRCAP) |
                       FIELD_SET(ENVME_PMRCAP_PMRTU,
                                 ENVME_PMRCAP_PMRTU_500MS) |
                       FIELD_SET(ENVME_PMRCAP_PMRWBM,
                                 ENVME_PMRCAP_PMRWBM_PMRSTS) |
                       FIELD_SET(ENVME_PMRCAP_PMRTO, CMEM_PMRTO);
        if (!(ctrl->pmrcap & ENVME_PMRCAP_CMSS)) {
            ctrl->pmrcap &= ~(ENVME_PMRCAP_RDS | ENVME_PMRCAP_WDS);
        }
    }
}

/* ---- windows ----------------------------------------------------------- */

static bool cmem_fits(uint64_t base, uint64_t size)
{
    return base + (size - 1) >= base;
}

static bool cmem_overlap(uint64_t a, uint64_t na, uint64_t b, uint64_t nb)
{
    return a <= b ? b - a < na : a - b < nb;
}

static uint64_t cmem_window(const struct envme_cmem *cm, unsigned i)
{
    return atomic_load(&cm->win[i].at);
}

/* Not in the other's window, if that is on. */
static bool cmem_is_free(const struct envme_cmem *cm, unsigned i, uint64_t base)
{
    uint64_t at = cmem_window(cm, !i);

    return !(at & ENVME_WIN_ON) ||
           !cmem_overlap(base, cm->win[i].mem->size, at & ~(CMEM_ALIGN - 1),
                         cm->win[!i].mem->size);
}

static void cmem_set_cmb(struct envme_ctrl *ctrl)
{
    struct envme_cmem *cm = ctrl->cmem;
    uint64_t base = ctrl->cmbmsc & ENVME_CMBMSC_CBA;
    bool wanted = ctrl->cmbmsc & ENVME_CMBMSC_CMSE &&
                  ctrl->cmbmsc & ENVME_CMBMSC_CRE;
    bool ok;

    if (!ctrl->ports.cmb.base) {
        return;
    }
    if (ctrl->params.cmb_legacy) {
        base = cm->bar;
        wanted = base != UINT64_MAX;
    }
    ok = wanted && cmem_fits(base, ctrl->ports.cmb.size) &&
         cmem_is_free(cm, ENVME_CMEM_CMB, base);
    if (!ctrl->params.cmb_legacy) {
        ctrl->cmbsts = FIELD_SET(ENVME_CMBSTS_CBAI, wanted && !ok);
    }
    atomic_store(&cm->win[ENVME_CMEM_CMB].at, ok ? base | ENVME_WIN_ON : 0);
}

static bool pmr_is_ready(const struct envme_ctrl *ctrl)
{
    return ctrl->pmrctl & ENVME_PMRCTL_EN &&
           !(ctrl->pmrsts & ENVME_PMRSTS_NRDY);
}

static void cmem_set_pmr(struct envme_ctrl *ctrl)
{
    struct envme_cmem *cm = ctrl->cmem;
    uint64_t base = (uint64_t)ctrl->pmrmscu << 32 |
                    (ctrl->pmrmscl & ENVME_PMRMSCL_CBA);
    bool wanted = ctrl->pmrcap & ENVME_PMRCAP_CMSS &&
                  ctrl->pmrmscl & ENVME_PMRMSCL_CMSE;
    bool ok = wanted && cmem_fits(base, ctrl->ports.pmr.size) &&
              cmem_is_free(cm, ENVME_CMEM_PMR, base);

    ctrl->pmrsts &= ~ENVME_PMRSTS_CBAI;
    ctrl->pmrsts |= FIELD_SET(ENVME_PMRSTS_CBAI, wanted && !ok);
    if (ok) {
        base |= ENVME_WIN_ON;
        if (!pmr_is_ready(ctrl)) {
            base |= ENVME_WIN_NO_READ | ENVME_WIN_NO_WRITE;
        } else if (ctrl->ports.pmr.read_only) {
            base |= ENVME_WIN_NO_WRITE;
        }
    }
    atomic_store(&cm->win[ENVME_CMEM_PMR].at, ok ? base : 0);
}

/* The window whose registers have changed has to suit the other; then the
 * other may suit. */
static void cmem_set(struct envme_ctrl *ctrl, unsigned first)
{
    for (unsigned n = 0; n < ENVME_NCMEM; n++) {
        if ((n ^ first) == ENVME_CMEM_CMB) {
            cmem_set_cmb(ctrl);
        } else {
            cmem_set_pmr(ctrl);
        }
    }
}

void envme_ctrl_cmb_bar(struct envme_ctrl *ctrl, uint64_t addr)
{
    if (ctrl->cmem && ctrl->cmem->bar != addr) {
        ctrl->cmem->bar = addr;
        cmem_set(ctrl, ENVME_CMEM_CMB);
    }
}

void envme_cmem_write_cmbmsc(struct envme_ctrl *ctrl, uint64_t val)
{
    bool on = ctrl->ports.cmb.base && !ctrl->params.cmb_legacy;

    if (!on) {
        return;
    }
    ctrl->cmbmsc = val;
    ctrl->cmbloc = val & ENVME_CMBMSC_CRE ? ctrl->params.cmbloc : 0;
    ctrl->cmbsz = val & ENVME_CMBMSC_CRE ? ctrl->params.cmbsz : 0;
    cmem_set(ctrl, ENVME_CMEM_CMB);
}

void envme_cmem_write_pmrmscl(struct envme_ctrl *ctrl, uint64_t val)
{
    if (ctrl->pmrcap & ENVME_PMRCAP_CMSS) {
        ctrl->pmrmscl = val;
        cmem_set(ctrl, ENVME_CMEM_PMR);
    }
}

void envme_cmem_write_pmrmscu(struct envme_ctrl *ctrl, uint64_t val)
{
    if (ctrl->pmrcap & ENVME_PMRCAP_CMSS) {
        ctrl->pmrmscu = val;
        cmem_set(ctrl, ENVME_CMEM_PMR);
    }
}

/* ---- the PMR ----------------------------------------------------------- */

static void pmr_show(struct envme_ctrl *ctrl, bool on)
{
    const struct envme_region *mem = &ctrl->ports.pmr;

    if (mem->show) {
        mem->show(mem->opaque, on);
    }
}

/* A write has been lost, nobody knows which: until the function is reset. */
static void pmr_failed(struct envme_ctrl *ctrl, int err)
{
    const struct envme_note *note = &ctrl->ports.note;
    char text[100];

    ctrl->pmrsts |= FIELD_SET(ENVME_PMRSTS_ERR, CMEM_ERR_SYNC);
    if (note->say) {
        snprintf(text, sizeof(text), "PMR: writing it back failed: %s",
                 g_strerror(-err));
        note->say(note->opaque, text);
    }
}

static void pmr_set_health(struct envme_ctrl *ctrl)
{
    unsigned hsts = ENVME_PMRSTS_HSTS_NORMAL;
    uint32_t was = ctrl->pmrsts & ENVME_PMRSTS_HSTS;

    if (ctrl->pmrsts & ENVME_PMRSTS_ERR) {
        hsts = ENVME_PMRSTS_HSTS_UNRELIABLE;
    } else if (ctrl->ports.pmr.read_only) {
        hsts = ENVME_PMRSTS_HSTS_READ_ONLY;
    }
    ctrl->pmrsts &= ~ENVME_PMRSTS_HSTS;
    if (pmr_is_ready(ctrl)) {
        ctrl->pmrsts |= FIELD_SET(ENVME_PMRSTS_HSTS, hsts);
    }
    if ((ctrl->pmrsts & ENVME_PMRSTS_HSTS) != was &&
        ctrl->tables->ctrl_health) {
        ctrl->tables->ctrl_health(ctrl);
    }
}

static void pmr_ready(void *arg)
{
    struct envme_ctrl *ctrl = arg;
    struct envme_cmem *cm = ctrl->cmem;

    cm->starting = false;
    if (ctrl->pmrctl & ENVME_PMRCTL_EN && ctrl->pmrsts & ENVME_PMRSTS_NRDY &&
        !cm->flushing && !atomic_load(&ctrl->subsys->gate_sf)) {
        ctrl->pmrsts &= ~ENVME_PMRSTS_NRDY;
        pmr_show(ctrl, true);
        cmem_set(ctrl, ENVME_CMEM_PMR);
        pmr_set_health(ctrl);
    }
    envme_life_background(ctrl, false);
}

void envme_pmr_update(struct envme_ctrl *ctrl)
{
    if (ctrl->pmrctl & ENVME_PMRCTL_EN && ctrl->pmrsts & ENVME_PMRSTS_NRDY &&
        !ctrl->cmem->starting) {
        ctrl->cmem->starting = true;
        envme_life_background(ctrl, true);
        envme_defer(ctrl, 0, pmr_ready, ctrl);
    }
}

static void pmr_disabled(void *arg, int err)
{
    struct envme_ctrl *ctrl = arg;

    ctrl->cmem->flushing = false;
    if (err) {
        pmr_failed(ctrl, err);
    }
    ctrl->pmrsts |= ENVME_PMRSTS_NRDY;
    envme_pmr_update(ctrl);
    envme_life_background(ctrl, false);
}

static void pmr_hide(struct envme_ctrl *ctrl)
{
    pmr_show(ctrl, false);
    cmem_set(ctrl, ENVME_CMEM_PMR);
    pmr_set_health(ctrl);
}

void envme_cmem_write_pmrctl(struct envme_ctrl *ctrl, uint64_t val)
{
    bool was = ctrl->pmrctl & ENVME_PMRCTL_EN;
    bool was_ready = pmr_is_ready(ctrl);

    if (!ctrl->ports.pmr.base || was == (val & ENVME_PMRCTL_EN)) {
        return;
    }
    ctrl->pmrctl = val;
    if (!was) {
        ctrl->pmrsts |= ENVME_PMRSTS_NRDY;
        envme_pmr_update(ctrl);
        return;
    }
    if (!was_ready) {
        return;                 /* it still says NRDY */
    }
    pmr_hide(ctrl);
    ctrl->cmem->flushing = true;
    envme_life_background(ctrl, true);
    envme_pmr_flush(ctrl, pmr_disabled, ctrl);
}

void envme_cmem_read_pmrsts(struct envme_ctrl *ctrl)
{
    const struct envme_region *mem = &ctrl->ports.pmr;
    int err = 0;

    if (mem->base && pmr_is_ready(ctrl) && mem->sync && !mem->read_only) {
        err = mem->sync(mem->opaque);
    }
    if (err) {
        pmr_failed(ctrl, err);
        pmr_set_health(ctrl);
    }
}

bool envme_pmr_is_enabled(const struct envme_ctrl *ctrl)
{
    return ctrl->pmrctl & ENVME_PMRCTL_EN;
}

bool envme_pmr_is_sick(const struct envme_ctrl *ctrl)
{
    unsigned hsts = FIELD_GET(ENVME_PMRSTS_HSTS, ctrl->pmrsts);

    return hsts == ENVME_PMRSTS_HSTS_READ_ONLY ||
           hsts == ENVME_PMRSTS_HSTS_UNRELIABLE;
}

bool envme_pmr_erase(struct envme_ctrl *ctrl, uint64_t *off, uint64_t max)
{
    const struct envme_region *mem = &ctrl->ports.pmr;
    uint64_t n = mem->base ? ENVME_MIN(max, mem->size - *off) : 0;

    if (!n) {
        return false;
    }
    memset(mem->base + *off, 0, n);
    if (mem->written) {
        mem->written(mem->opaque, *off, n);
    }
    *off += n;
    return true;
}

void envme_pmr_flush(struct envme_ctrl *ctrl,
                     void (*done)(void *arg, int err), void *arg)
{
    const struct envme_region *mem = &ctrl->ports.pmr;

    if (mem->base && mem->flush && !mem->read_only) {
        mem->flush(mem->opaque, done, arg);
    } else {
        done(arg, 0);
    }
}

/* ---- resets ------------------------------------------------------------ */

void envme_cmem_reset(struct envme_ctrl *ctrl, enum envme_reset kind)
{
    struct envme_cmem *cm = ctrl->cmem;

    if (!cm) {
        return;
    }
    if (kind != ENVME_RESET_FLR && ctrl->cmbmsc) {
        ctrl->cmbmsc = 0;
        ctrl->cmbloc = ctrl->cmbsz = 0;
        ctrl->cmbsts = 0;
    }
    ctrl->pmrctl = 0;
    ctrl->pmrmscl = ctrl->pmrmscu = 0;
    ctrl->pmrsts = 0;
    if (ctrl->ports.pmr.base) {
        pmr_show(ctrl, false);
    }
    /* Lanes that are to be told of the reset yet take a queue which is gone
     * for a broken one. */
    cm->stale = true;
    if (ctrl->life == ENVME_LIFE_DISABLED) {
        envme_cmem_settle(ctrl);
    }
}

void envme_cmem_settle(struct envme_ctrl *ctrl)
{
    if (ctrl->cmem && ctrl->cmem->stale) {
        ctrl->cmem->stale = false;
        cmem_set(ctrl, ENVME_CMEM_CMB);
    }
}
