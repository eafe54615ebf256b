/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of namespace management and of Format NVM share. */
#ifndef TESTS_HOST_NSM_H
#define TESTS_HOST_NSM_H

#include "envme/id-ns.h"
#include "hw/ns/capacity.h"
#include "th.h"

static inline struct envme_cqe nsm_create_raw(struct th *h,
                                              struct envme_ns_mgmt_create *c)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_NS_MGMT, 0);

    s.cdw10 = le32(ENVME_NSMGMT_CREATE);
    return th_cmd_data(h, 0, &s, c, sizeof(*c), 0);
}

static inline struct envme_cqe nsm_create(struct th *h, uint64_t nsze,
                                          uint8_t flbas, bool shared,
                                          uint32_t *nsid)
{
    struct envme_ns_mgmt_create *c = g_new0(struct envme_ns_mgmt_create, 1);
    struct envme_cqe cqe;

    c->nsze = c->ncap = le64(nsze);
    c->flbas = flbas;
    c->nmic = shared ? ENVME_NMIC_SHRNS : 0;
    cqe = nsm_create_raw(h, c);
    if (nsid) {
        *nsid = le32_get(cqe.dw0);
    }
    g_free(c);
    return cqe;
}

static inline struct envme_sqe nsm_sqe_delete(uint32_t nsid)
{
    struct envme_sqe s = th_sqe(ENVME_ADM_NS_MGMT, nsid);

    s.cdw10 = le32(ENVME_NSMGMT_DELETE);
    return s;
}

static inline struct envme_cqe nsm_delete(struct th *h, uint32_t nsid)
{
    struct envme_sqe s = nsm_sqe_delete(nsid);

    return th_admin(h, &s);
}

static inline struct envme_cqe nsm_attach_list(struct th *h, uint32_t nsid,
                                               bool on, unsigned num,
                                               const uint16_t *ids,
                                               unsigned nids)
{
    struct envme_ctrl_list *list = g_new0(struct envme_ctrl_list, 1);
    struct envme_sqe s = th_sqe(ENVME_ADM_NS_ATTACH, nsid);
    struct envme_cqe cqe;

    list->num = le16(num);
    for (unsigned i = 0; i < nids; i++) {
        list->cntlid[i] = le16(ids[i]);
    }
    s.cdw10 = le32(on ? ENVME_NSATTACH_ATTACH : ENVME_NSATTACH_DETACH);
    cqe = th_cmd_data(h, 0, &s, list, sizeof(*list), 0);
    g_free(list);
    return cqe;
}

static inline struct envme_cqe nsm_attach(struct th *h, uint32_t nsid, bool on)
{
    uint16_t id = h->ctrl->cntlid;

    return nsm_attach_list(h, nsid, on, 1, &id, 1);
}

static inline uint64_t nsm_le(const uint8_t *p)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 8; i++) {
        v |= (uint64_t)p[i] << (8 * i);
        g_assert_cmpuint(p[8 + i], ==, 0);
    }
    return v;
}

static inline void nsm_capacity(struct th *h, uint64_t *total,
                                uint64_t *unused)
{
    struct envme_id_ctrl *id = g_malloc(4096);

    th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, id), SUCCESS);
    *total = nsm_le(id->tnvmcap);
    *unused = nsm_le(id->unvmcap);
    g_free(id);
}

static inline uint64_t nsm_unused(struct th *h)
{
    uint64_t total, unused;

    nsm_capacity(h, &total, &unused);
    return unused;
}

static inline struct envme_id_ns nsm_id(struct th *h, uint32_t nsid)
{
    struct envme_id_ns id;

    th_assert_sc(th_identify(h, ENVME_CNS_NS, nsid, &id), SUCCESS);
    return id;
}

/* All formats are told. */
static inline void nsm_all_formats(struct th *h)
{
    struct envme_feat_host_behavior b = { .lbafee = 1 };
    struct envme_sqe s = th_sqe(ENVME_ADM_SET_FEATURES, 0);

    s.cdw10 = le32(ENVME_FID_HOST_BEHAVIOR);
    th_assert_sc(th_cmd_data(h, 0, &s, &b, sizeof(b), 0), SUCCESS);
}

/* Protection information is made, checked, and found to be wrong; blocks that
 * nobody has written can be read. */
static inline void nsm_use_pi(struct th *h, uint32_t nsid)
{
    struct envme_ns *ns = envme_subsys_ns(h->subsys, nsid);
    uint32_t act = ENVME_RW_PRACT | ENVME_RW_PRCHK_GUARD;
    uint32_t block = 1u << ns->lbads;
    uint8_t data[5000];

    if (ns->ms > (ns->pi.guard == ENVME_PIF_16B ? 8 : 16)) {
        return;                 /* the rest of the metadata is the host's */
    }
    th_assert_sc(th_read(h, .nsid = nsid, .slba = 1, .cdw12 = act,
                         .data = data, .block = block), SUCCESS);
    th_pattern(data, block, 7);
    th_assert_sc(th_write(h, .nsid = nsid, .slba = 0, .cdw12 = act,
                          .data = data, .block = block), SUCCESS);
    memset(data, 0, block);
    th_assert_sc(th_read(h, .nsid = nsid, .slba = 0, .cdw12 = act,
                         .data = data, .block = block), SUCCESS);
    g_assert_true(th_pattern_ok(data, block, 7));
}

/* How many NSIDs are in a list. */
static inline unsigned nsm_list(struct th *h, uint8_t cns, uint32_t *first)
{
    le32_t *list = g_malloc(4096);
    unsigned n = 0;

    th_assert_sc(th_identify(h, cns, 0, list), SUCCESS);
    while (n < 1024 && le32_get(list[n])) {
        n++;
    }
    if (first) {
        *first = le32_get(list[0]);
    }
    g_free(list);
    return n;
}

static inline bool nsm_zero(const void *p, size_t len)
{
    const uint8_t *b = p;

    return !len || (!b[0] && !memcmp(b, b + 1, len - 1));
}

#endif
