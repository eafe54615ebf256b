/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fake host: commands made easy, and a look at what the controller thinks.
 */
#include "th-int.h"

/* ---- I/O --------------------------------------------------------------- */

struct envme_sqe th_sqe_rw(uint8_t opc, uint32_t nsid, uint64_t slba,
                           uint32_t nlb)
{
    struct envme_sqe s = th_sqe(opc, nsid);

    s.cdw10 = le32(slba);
    s.cdw11 = le32(slba >> 32);
    s.cdw12 = le32(nlb - 1);
    return s;
}

struct envme_cqe th_rw_(struct th *h, uint8_t opc, const struct th_rw *rw)
{
    uint32_t nsid = rw->nsid ? rw->nsid : 1, nlb = rw->nlb ? rw->nlb : 1;
    struct envme_sqe s = th_sqe_rw(rw->opc ? rw->opc : opc, nsid, rw->slba,
                                   nlb);
    struct envme_ns *ns = envme_subsys_ns(h->subsys, nsid);
    uint64_t block = rw->block, mdlen = 0;
    struct th_buf *mb = NULL;
    uint64_t mptr = 0;
    struct envme_cqe cqe;

    if (!block) {
        block = ns ? envme_ns_host_block(ns) : 512;
    }
    s.cdw12 = le32(le32_get(s.cdw12) | rw->cdw12);
    s.cdw2 = le32(rw->cdw2);
    s.cdw3 = le32(rw->cdw3);
    s.cdw13 = le32(rw->cdw13);
    s.cdw14 = le32(rw->cdw14);
    s.cdw15 = le32(rw->cdw15);
    if (rw->md) {
        mdlen = (uint64_t)nlb * ns->ms;
        if (rw->shape & TH_MPTR) {
            mb = th_buf_new(h, mdlen, TH_SGL);
            th_buf_put(mb, rw->md);
            mptr = th_alloc(h, 16);
            memcpy(th_mem(h, mptr, 16), &mb->dptr.sgl, 16);
        } else {
            mptr = th_alloc(h, mdlen);
            memcpy(th_mem(h, mptr, mdlen), rw->md, mdlen);
        }
        s.mptr = le64(mptr);
    }
    cqe = th_cmd_data(h, rw->qid ? rw->qid : 1, &s, rw->data,
                      s.opc & ENVME_OPC_DIR ? nlb * block : 0, rw->shape);
    if (mb) {
        th_buf_get(mb, rw->md);
        th_buf_free(mb);
        th_free_pages(h, mptr, 16);
    } else if (mptr) {
        memcpy(rw->md, th_mem(h, mptr, mdlen), mdlen);
        th_free_pages(h, mptr, mdlen);
    }
    return cqe;
}

/* ---- what the controller thinks ---------------------------------------- */

uint32_t th_cq_size(struct th *h, uint16_t cqid)
{
    return envme_cq_get(h->ctrl, cqid)->ring.ring.size;
}

uint32_t th_cq_slots_free(struct th *h, uint16_t cqid)
{
    struct envme_cq *cq = envme_cq_get(h->ctrl, cqid);

    return envme_ring_free(&cq->ring.ring) - cq->ring.reserved;
}

unsigned th_inflight(struct th *h)
{
    unsigned i, n = 0;

    for (i = 0; i < h->ctrl->nlanes; i++) {
        n += h->ctrl->lane[i].ncmds;
    }
    return n;
}

const char *th_sc_name(uint16_t sc)
{
    static __thread char other[32];

    switch (sc) {
#define SC_NAME(name, sct, sc_, retry, text) \
    case (sct) << 8 | (sc_): \
        return #name;
    ENVME_STATUS_LIST(SC_NAME)
#undef SC_NAME
    default:
        g_snprintf(other, sizeof(other), "SCT %x SC %02x", sc >> 8, sc & 255);
        return other;
    }
}

/* ---- admin commands ---------------------------------------------------- */

struct envme_cqe th_identify_csi(struct th *h, uint8_t cns, uint32_t nsid,
                                 uint16_t cntid, uint8_t csi, void *buf)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_IDENTIFY, nsid);

    s.cdw10 = le32((uint32_t)cntid << 16 | cns);
    s.cdw11 = le32((uint32_t)csi << 24);
    return th_cmd_data(h, 0, &s, buf, 4096, TH_PRP);
}

struct envme_cqe th_identify(struct th *h, uint8_t cns, uint32_t nsid,
                             void *buf)
{
    return th_identify_csi(h, cns, nsid, 0, 0, buf);
}

struct envme_cqe th_get_log(struct th *h, uint8_t lid, uint32_t nsid,
                            uint64_t off, void *buf, uint64_t len, bool rae)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_LOG, nsid);
    uint32_t numd = len / 4 - 1;

    g_assert(len && len % 4 == 0);
    s.cdw10 = le32(numd << 16 | (rae ? ENVME_GETLOG_RAE : 0) | lid);
    s.cdw11 = le32(numd >> 16);
    s.cdw12 = le32(off);
    s.cdw13 = le32(off >> 32);
    return th_cmd_data(h, 0, &s, buf, len, TH_PRP | TH_OFFSET);
}

struct envme_cqe th_set_feature(struct th *h, uint8_t fid, uint32_t nsid,
                                uint32_t v, bool save)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, nsid);

    s.cdw10 = le32(fid | (save ? ENVME_FEAT_SV : 0));
    s.cdw11 = le32(v);
    return th_admin(h, &s);
}

struct envme_cqe th_get_feature(struct th *h, uint8_t fid, uint32_t nsid,
                                unsigned sel, uint32_t *v)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_GET_FEATURES, nsid);
    struct envme_cqe cqe;

    s.cdw10 = le32(fid | (uint32_t)FIELD_SET(ENVME_FEAT_SEL, sel));
    cqe = th_admin(h, &s);
    *v = le32_get(cqe.dw0);
    return cqe;
}

struct envme_cqe th_abort(struct th *h, uint16_t sqid, uint16_t cid)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_ABORT, 0);

    s.cdw10 = le32((uint32_t)cid << 16 | sqid);
    return th_admin(h, &s);
}

uint16_t th_aer(struct th *h)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_AER, 0);
    uint16_t cid = th_submit(h, 0, &s);

    th_run(h);
    return cid;
}
