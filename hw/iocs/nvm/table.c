/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The opcodes of the NVM Command Set, and its Identify structures. */
#include "envme/id.h"
#include "envme/log.h"
#include "envme/nvm.h"
#include "hw/iocs/nvm/nvm.h"

/* CDW12 and CDW13 without Command Extension Types and directives. Without
 * protection information PRINFO and STC have no meaning but are no error. */
#define CDW12_RW    (ENVME_RW_NLB | ENVME_RW_STC | ENVME_RW_PRINFO |  \
                     ENVME_RW_FUA | ENVME_RW_LR)
#define CDW13_DSM   (ENVME_RW_DSM_AF | ENVME_RW_DSM_AL | ENVME_RW_DSM_SR | \
                     ENVME_RW_DSM_INCPRS)
#define CDW_ALL     0xffffffffu

static const struct envme_row nvm_rows[256] = {
    [ENVME_NVM_FLUSH] = {
        .name = "flush", .spec = "Base 2.1, 7.2",
        .run = envme_nvm_flush,
        .effects = ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_OR_ALL | ENVME_GATE_IN_SANITIZE,
        .access = ENVME_ACCESS_WRITE,
        .time = ENVME_TIME_FLUSH,
    },
    [ENVME_NVM_WRITE] = {
        .name = "write", .spec = "NVM 1.1, 3.3.6",
        .run = envme_nvm_write, .enter = envme_nvm_enter_write,
        .len = envme_nvm_write_len, .mdlen = envme_nvm_md_len,
        .effects = ENVME_EFF_LBCC | ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_ACTIVE | ENVME_GATE_WRITES |
                ENVME_GATE_FUSED_2,
        .access = ENVME_ACCESS_WRITE,
        .time = ENVME_TIME_WRITE, .work = envme_nvm_work,
        .cdw = { CDW_ALL, CDW_ALL, CDW12_RW | ENVME_RW_DTYPE,
                 CDW13_DSM | ENVME_RW_DSPEC,
                 CDW_ALL, CDW_ALL },
    },
    [ENVME_NVM_READ] = {
        .name = "read", .spec = "NVM 1.1, 3.3.4",
        .run = envme_nvm_read, .enter = envme_nvm_enter_read,
        .len = envme_nvm_read_len, .mdlen = envme_nvm_md_len,
        .effects = ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_ACTIVE,
        .access = ENVME_ACCESS_READ,
        .time = ENVME_TIME_READ, .work = envme_nvm_work,
        .cdw = { CDW_ALL, CDW_ALL, CDW12_RW, CDW13_DSM, CDW_ALL, CDW_ALL },
    },
    [ENVME_NVM_WRITE_UNCOR] = {
        .name = "write-uncor", .spec = "NVM 1.1, 3.3.7",
        .run = envme_nvm_write_uncor, .enter = envme_nvm_enter_write,
        .len = envme_nvm_uncor_len,
        .effects = ENVME_EFF_LBCC | ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_ACTIVE | ENVME_GATE_WRITES,
        .access = ENVME_ACCESS_WRITE,
        .time = ENVME_TIME_ZEROES, .work = envme_nvm_work,
        .cap = ENVME_ONCS_NVMWUSV,
        .cdw = { CDW_ALL, CDW_ALL, ENVME_RW_NLB },
    },
    [ENVME_NVM_COMPARE] = {
        .name = "compare", .spec = "NVM 1.1, 3.3.1",
        .run = envme_nvm_compare, .enter = envme_nvm_enter_compare,
        .len = envme_nvm_compare_len, .mdlen = envme_nvm_md_len,
        .effects = ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_ACTIVE | ENVME_GATE_FUSED_1,
        .access = ENVME_ACCESS_READ,
        .time = ENVME_TIME_READ, .work = envme_nvm_work,
        .cap = ENVME_ONCS_NVMCMPS,
        .cdw = { CDW_ALL, CDW_ALL, CDW12_RW, 0, CDW_ALL, CDW_ALL },
    },
    [ENVME_NVM_WRITE_ZEROES] = {
        .name = "write-zeroes", .spec = "NVM 1.1, 3.3.8",
        .run = envme_nvm_write_zeroes, .enter = envme_nvm_enter_zeroes,
        .len = envme_nvm_write_zeroes_len,
        .effects = ENVME_EFF_LBCC | ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_ACTIVE | ENVME_GATE_WRITES,
        .access = ENVME_ACCESS_WRITE,
        .time = ENVME_TIME_ZEROES, .work = envme_nvm_work,
        .cap = ENVME_ONCS_NVMWZSV | ENVME_ONCS_NSZS,
        .cdw = { CDW_ALL, CDW_ALL,
                 CDW12_RW | ENVME_RW_DEAC | ENVME_RW_NSZ, 0, CDW_ALL,
                 CDW_ALL },
    },
    [ENVME_NVM_DSM] = {
        .name = "dsm", .spec = "NVM 1.1, 3.3.3",
        .run = envme_nvm_dsm,
        .len = envme_nvm_dsm_len,
        .effects = ENVME_EFF_LBCC | ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_ACTIVE | ENVME_GATE_WRITES,
        .access = ENVME_ACCESS_WRITE,
        .time = ENVME_TIME_DSM,
        .cap = ENVME_ONCS_NVMDSMSV,
        .cdw = { ENVME_DSM_NR,
                 ENVME_DSM_IDR | ENVME_DSM_IDW | ENVME_DSM_AD },
    },
    [ENVME_NVM_COPY] = {
        .name = "copy", .spec = "NVM 1.1, 3.3.2",
        .run = envme_nvm_copy, .enter = envme_nvm_enter_copy,
        .len = envme_nvm_copy_len,
        .effects = ENVME_EFF_LBCC | ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_ACTIVE | ENVME_GATE_WRITES,
        .access = ENVME_ACCESS_WRITE,
        .time = ENVME_TIME_COPY, .work = envme_nvm_copy_work,
        .cap = ENVME_ONCS_NVMCPYS,
        .cdw = { CDW_ALL, CDW_ALL,
                 ENVME_COPY_NR | ENVME_COPY_DESFMT | ENVME_COPY_PRINFOR |
                 ENVME_COPY_STCW | ENVME_COPY_STCR | ENVME_COPY_PRINFOW |
                 ENVME_COPY_FUA | ENVME_COPY_LR, 0, CDW_ALL, CDW_ALL },
    },
    [ENVME_NVM_VERIFY] = {
        .name = "verify", .spec = "NVM 1.1, 3.3.5",
        .run = envme_nvm_verify, .enter = envme_nvm_enter_read,
        .len = envme_nvm_verify_len,
        .effects = ENVME_EFF_CSP_NS,
        .gate = ENVME_GATE_NS_ACTIVE,
        .access = ENVME_ACCESS_READ,
        .time = ENVME_TIME_READ, .work = envme_nvm_work,
        .cap = ENVME_ONCS_NVMVFYS,
        .cdw = { CDW_ALL, CDW_ALL, CDW12_RW, 0, CDW_ALL, CDW_ALL },
    },
};

static void identify_pi(const struct envme_ns *ns, struct envme_id_ns_nvm *id)
{
    id->pic = ENVME_PIC_PIC16BPISTS | ENVME_PIC_PIC16BPISTM |
              ENVME_PIC_STCRS | ENVME_PIC_QPIFS;
    /* Allocation is looked at block by block. */
    id->tlbaag = le32(1);
    for (unsigned i = 0; i < ns->nlbaf; i++) {
        id->elbaf[i] = le32(ns->lbaf[i].elbaf);
    }
}

/* Blocks in so many bytes; one at least. */
static uint32_t identify_blocks(const struct envme_ns *ns, uint32_t bytes)
{
    return ENVME_MAX(bytes >> ns->lbads, 1u);
}

/* What CNS 00h has no room for; see there. */
static void identify_performance(const struct envme_ns *ns,
                                 struct envme_id_ns_nvm *id)
{
    const struct envme_ns_params *p = &ns->params;
    uint32_t unit = ENVME_MAX(p->physical_block, p->min_io);

    id->npdgl = id->npdal = le32(identify_blocks(ns, p->discard_granularity));
    id->nprg = id->npra = le32(identify_blocks(ns, unit) - 1);
    id->nors = le32(identify_blocks(ns, ENVME_MAX(p->opt_io, unit)) - 1);
}

/* CNS 05h. The storage tag's mask is all ones, in every format. */
void envme_nvm_identify_ns(struct envme_ctrl *ctrl, struct envme_ns *ns,
                           void *buf)
{
    struct envme_id_ns_nvm *id = buf;

    (void)ctrl;
    identify_pi(ns, id);
    if (ns->subsys) {           /* one that there is */
        id->lbstm = le64(ns->pi.lbstm);
        identify_performance(ns, id);
    }
}

/* CNS 0Ah. What is not of the namespace is the same for each format. */
void envme_nvm_identify_format(struct envme_ctrl *ctrl, struct envme_ns *ns,
                               unsigned format, void *buf)
{
    (void)ctrl;
    (void)format;
    identify_pi(ns, buf);
}

/* CNS 06h. Limits that are 0 are none. */
void envme_nvm_identify_ctrl(struct envme_ctrl *ctrl, void *buf)
{
    struct envme_id_ctrl_nvm *id = buf;

    id->vsl = ctrl->params.vsl;
    id->ver = le32(0x00010100);
    id->aocs = le16(ENVME_AOCS_RALBAS);
}

const struct envme_iocs envme_iocs_nvm = {
    .csi = ENVME_CSI_NVM,
    .name = "NVM",
    .rows = nvm_rows,
    .check_rw = envme_nvm_check_rw,
    .identify_ns = envme_nvm_identify_ns,
    .identify_format = envme_nvm_identify_format,
    .identify_ctrl = envme_nvm_identify_ctrl,
};
