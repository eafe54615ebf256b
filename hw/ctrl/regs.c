/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/regs.h"

#include <string.h>

#include "hw/ctrl/bootread.h"
#include "hw/ctrl/cmem.h"
#include "hw/ctrl/life.h"

#define REGS_VS_2_1 0x00020100u

/* Bits of CC that a host may set; the others are reserved. */
#define REGS_CC_RW (ENVME_CC_EN | ENVME_CC_CSS | ENVME_CC_MPS | ENVME_CC_AMS | \
                    ENVME_CC_SHN | ENVME_CC_IOSQES | ENVME_CC_IOCQES | \
                    ENVME_CC_CRIME)

struct reg_row {
    const char *name;
    uint16_t off;
    uint8_t width;              /* bytes */
    uint16_t field;             /* offset into struct envme_ctrl; 0: none */
    uint64_t rw;                /* bits that a write changes */
    uint64_t w1c;               /* bits that a write of 1 clears */
    bool locked;                /* cannot be changed while CC.EN is 1 */
    /* Instead of storing: the value that would be stored. */
    void (*write)(struct envme_ctrl *ctrl, uint64_t val);
    /* Before it is read, once for an access. */
    void (*read)(struct envme_ctrl *ctrl);
};

static void reg_write_intms(struct envme_ctrl *ctrl, uint64_t val)
{
    ctrl->intms |= val;
    ctrl->ports.irq.mask(ctrl->ports.irq.opaque, ctrl->intms);
}

static void reg_write_intmc(struct envme_ctrl *ctrl, uint64_t val)
{
    ctrl->intms &= ~val;
    ctrl->ports.irq.mask(ctrl->ports.irq.opaque, ctrl->intms);
}

static void reg_write_cc(struct envme_ctrl *ctrl, uint64_t val)
{
    envme_life_cc(ctrl, val);
}

static void reg_write_nssr(struct envme_ctrl *ctrl, uint64_t val)
{
    if (val == ENVME_NSSR_KEY) {
        envme_life_nssr(ctrl);
    }
}

static void reg_write_bprsel(struct envme_ctrl *ctrl, uint64_t val)
{
    envme_bootread_select(ctrl, val);
}

static void reg_write_bpmbl_low(struct envme_ctrl *ctrl, uint64_t val)
{
    envme_bootread_buffer(ctrl, 0, val);
}

static void reg_write_bpmbl_high(struct envme_ctrl *ctrl, uint64_t val)
{
    envme_bootread_buffer(ctrl, 1, val);
}

#define FIELD(f) offsetof(struct envme_ctrl, f)

static const struct reg_row reg_rows[] = {
    { "CAP",   ENVME_REG_CAP,   8, FIELD(cap),   0, 0, false, NULL, NULL },
    { "VS",    ENVME_REG_VS,    4, FIELD(vs),    0, 0, false, NULL, NULL },
    { "INTMS", ENVME_REG_INTMS, 4, FIELD(intms), UINT32_MAX, 0, false,
      reg_write_intms, NULL },
    { "INTMC", ENVME_REG_INTMC, 4, FIELD(intms), UINT32_MAX, 0, false,
      reg_write_intmc, NULL },
    { "CC",    ENVME_REG_CC,    4, FIELD(cc),    REGS_CC_RW, 0, false,
      reg_write_cc, NULL },
    { "CSTS",  ENVME_REG_CSTS,  4, FIELD(csts),  0, ENVME_CSTS_NSSRO, false,
      NULL, NULL },
    { "NSSR",  ENVME_REG_NSSR,  4, 0,            UINT32_MAX, 0, false,
      reg_write_nssr, NULL },
    { "AQA",   ENVME_REG_AQA,   4, FIELD(aqa),
      ENVME_AQA_ASQS | ENVME_AQA_ACQS, 0, true, NULL, NULL },
    { "ASQ",   ENVME_REG_ASQ,   8, FIELD(asq),   ~UINT64_C(0xfff), 0, true,
      NULL, NULL },
    { "ACQ",   ENVME_REG_ACQ,   8, FIELD(acq),   ~UINT64_C(0xfff), 0, true,
      NULL, NULL },
    { "CMBLOC", ENVME_REG_CMBLOC, 4, FIELD(cmbloc), 0, 0, false, NULL, NULL },
    { "CMBSZ", ENVME_REG_CMBSZ, 4, FIELD(cmbsz), 0, 0, false, NULL, NULL },
    { "BPINFO", ENVME_REG_BPINFO, 4, FIELD(bpinfo), 0, 0, false, NULL, NULL },
    { "BPRSEL", ENVME_REG_BPRSEL, 4, FIELD(bprsel),
      ENVME_BPRSEL_BPID | ENVME_BPRSEL_BPROF | ENVME_BPRSEL_BPRSZ, 0, false,
      reg_write_bprsel, NULL },
    /* 64 bits, as two halves: a function cannot tell what of it is new. */
    { "BPMBL", ENVME_REG_BPMBL, 4, FIELD(bpmbl[0]),
      (uint32_t)ENVME_BPMBL_BMBBA, 0, false, reg_write_bpmbl_low, NULL },
    { "BPMBL", ENVME_REG_BPMBL + 4, 4, FIELD(bpmbl[1]), UINT32_MAX, 0, false,
      reg_write_bpmbl_high, NULL },
    { "CMBMSC", ENVME_REG_CMBMSC, 8, FIELD(cmbmsc),
      ENVME_CMBMSC_CRE | ENVME_CMBMSC_CMSE | ENVME_CMBMSC_CBA, 0, false,
      envme_cmem_write_cmbmsc, NULL },
    { "CMBSTS", ENVME_REG_CMBSTS, 4, FIELD(cmbsts), 0, 0, false, NULL, NULL },
    /* No information: the buffer is as fast as memory is. */
    { "CMBEBS", ENVME_REG_CMBEBS, 4, 0, 0, 0, false, NULL, NULL },
    { "CMBSWTP", ENVME_REG_CMBSWTP, 4, 0, 0, 0, false, NULL, NULL },
    { "CRTO",  ENVME_REG_CRTO,  4, FIELD(crto),  0, 0, false, NULL, NULL },
    { "PMRCAP", ENVME_REG_PMRCAP, 4, FIELD(pmrcap), 0, 0, false, NULL, NULL },
    { "PMRCTL", ENVME_REG_PMRCTL, 4, FIELD(pmrctl), ENVME_PMRCTL_EN, 0, false,
      envme_cmem_write_pmrctl, NULL },
    { "PMRSTS", ENVME_REG_PMRSTS, 4, FIELD(pmrsts), 0, 0, false, NULL,
      envme_cmem_read_pmrsts },
    { "PMREBS", ENVME_REG_PMREBS, 4, 0, 0, 0, false, NULL, NULL },
    { "PMRSWTP", ENVME_REG_PMRSWTP, 4, 0, 0, 0, false, NULL, NULL },
    { "PMRMSCL", ENVME_REG_PMRMSCL, 4, FIELD(pmrmscl),
      ENVME_PMRMSCL_CMSE | ENVME_PMRMSCL_CBA, 0, false,
      envme_cmem_write_pmrmscl, NULL },
    { "PMRMSCU", ENVME_REG_PMRMSCU, 4, FIELD(pmrmscu), ENVME_PMRMSCU_CBA, 0,
      false, envme_cmem_write_pmrmscu, NULL },
};

static const struct reg_row *reg_find(uint64_t off)
{
    for (unsigned i = 0; i < ENVME_ARRAY_SIZE(reg_rows); i++) {
        if (off >= reg_rows[i].off &&
            off < reg_rows[i].off + reg_rows[i].width) {
            return &reg_rows[i];
        }
    }
    return NULL;
}

static uint64_t reg_value(const struct envme_ctrl *ctrl,
                          const struct reg_row *row)
{
    const char *p = (const char *)ctrl + row->field;

    if (!row->field) {
        return 0;
    }
    return row->width == 8 ? *(const uint64_t *)(const void *)p
                           : *(const uint32_t *)(const void *)p;
}

static void reg_store(struct envme_ctrl *ctrl, const struct reg_row *row,
                      uint64_t val)
{
    char *p = (char *)ctrl + row->field;

    if (!row->field) {
        return;
    }
    if (row->width == 8) {
        *(uint64_t *)(void *)p = val;
    } else {
        *(uint32_t *)(void *)p = val;
    }
}

uint64_t envme_ctrl_reg_read(struct envme_ctrl *ctrl, uint64_t off,
                             unsigned size)
{
    const struct reg_row *last = NULL;
    uint64_t val = 0;

    for (unsigned i = 0; i < size && i < 8; i++) {
        const struct reg_row *row = reg_find(off + i);

        if (row && row->read && row != last) {
            row->read(ctrl);
        }
        last = row;
        if (row) {
            uint64_t v = reg_value(ctrl, row) >> (off + i - row->off) * 8;

            val |= (v & 0xff) << i * 8;
        }
    }
    if (envme_watched(ctrl, ENVME_WATCH_REG)) {
        val = ctrl->hooks.reg_read(ctrl->hooks.opaque, off, size, val);
    }
    return val;
}

static void reg_write_one(struct envme_ctrl *ctrl, uint64_t off, uint64_t val,
                          unsigned size)
{
    const struct reg_row *row = reg_find(off);
    uint64_t old, mask;

    if (!row || (row->locked && ctrl->cc & ENVME_CC_EN)) {
        return;
    }
    mask = size == 8 ? UINT64_MAX
                     : UINT64_C(0xffffffff) << (off - row->off) * 8;
    val <<= (off - row->off) * 8;
    old = reg_value(ctrl, row);
    val = (old & ~(row->rw & mask)) | (val & row->rw & mask);
    if (row->write) {
        row->write(ctrl, val);
        return;
    }
    /* val's w1c bits are still the old ones: rw and w1c do not overlap. */
    reg_store(ctrl, row, val);
}

void envme_ctrl_reg_write(struct envme_ctrl *ctrl, uint64_t off, uint64_t val,
                          unsigned size)
{
    const struct reg_row *row = reg_find(off);

    /* Base 2.1, 3.1.4: accesses are of the register's width, or of 32 bits to
     * half of a 64-bit one, and aligned. Others have no effect here. */
    if ((size != 4 && size != 8) || off % size) {
        return;
    }
    if (envme_watched(ctrl, ENVME_WATCH_REG) &&
        !ctrl->hooks.reg_write(ctrl->hooks.opaque, off, size, &val)) {
        return;
    }
    if (row && row->w1c) {
        reg_store(ctrl, row, reg_value(ctrl, row) & ~(val & row->w1c));
    }
    if (size == 8 && !(row && row->width == 8)) {
        reg_write_one(ctrl, off, val & UINT32_MAX, 4);
        reg_write_one(ctrl, off + 4, val >> 32, 4);
        return;
    }
    reg_write_one(ctrl, off, val, size);
}

void envme_regs_reset(struct envme_ctrl *ctrl)
{
    ctrl->intms = 0;
    ctrl->cc = 0;
    ctrl->csts = 0;
    ctrl->aqa = 0;
    ctrl->asq = 0;
    ctrl->acq = 0;
}

void envme_regs_init(struct envme_ctrl *ctrl)
{
    const struct envme_ctrl_params *p = &ctrl->params;
    unsigned css = 1;           /* NVM */

    for (unsigned i = 0; i < ctrl->tables->niocs; i++) {
        /* More command sets than one: CC.CSS 110b, all of them. */
        css |= ctrl->tables->iocs[i]->csi != ENVME_CSI_NVM ? 0x40 : 0;
    }
    ctrl->cap = FIELD_SET(ENVME_CAP_MQES, p->mqes) |
                FIELD_SET(ENVME_CAP_CQR, p->cqr) |
                FIELD_SET(ENVME_CAP_AMS, (p->wrr ? ENVME_CAP_AMS_WRR : 0) |
                                         (p->ams_vs ? ENVME_CAP_AMS_VS : 0)) |
                FIELD_SET(ENVME_CAP_TO, p->to) |
                FIELD_SET(ENVME_CAP_DSTRD, p->dstrd) |
                FIELD_SET(ENVME_CAP_NSSRS, 1) |
                FIELD_SET(ENVME_CAP_CSS, css) |
                FIELD_SET(ENVME_CAP_BPS, p->bp_units ? 1 : 0) |
                FIELD_SET(ENVME_CAP_MPSMIN, 0) |
                FIELD_SET(ENVME_CAP_MPSMAX, p->mpsmax) |
                /* Ready with media, and (which is the same here, as there is
                 * no spin-up) independent of media. */
                FIELD_SET(ENVME_CAP_CRMS, 3);
    ctrl->vs = REGS_VS_2_1;
    ctrl->crto = FIELD_SET(ENVME_CRTO_CRWMT, p->to) |
                 FIELD_SET(ENVME_CRTO_CRIMT, p->to);
    envme_cmem_regs_init(ctrl);
    envme_regs_reset(ctrl);
}

const char *envme_regs_name(unsigned i, unsigned *off)
{
    if (i >= ENVME_ARRAY_SIZE(reg_rows)) {
        return NULL;
    }
    *off = reg_rows[i].off;
    return reg_rows[i].name;
}
