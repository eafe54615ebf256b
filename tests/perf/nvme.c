/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver: enable, Identify, queues, and the entries of I/O commands.
 * Admin commands go one by one.
 */
#include "tests/perf/gen.h"

#include "envme/feat.h"
#include "envme/nvm.h"

#define NVME_ADMIN_ENTRIES 64
#define NVME_READY_NS 15000000000ull
#define NVME_MAX_SHADOW_PAGE 1024u      /* doorbells of one page */

static void nvme_init_db(struct gen *g, struct gen_db *db, unsigned n)
{
    db->addr = g->bar + ENVME_REG_DBS +
               n * (4ull << FIELD_GET(ENVME_CAP_DSTRD, g->cap));
    if (g->shadow_area && n >= 2 && n < g->nshadow) {
        uint64_t off = n * (4ull << FIELD_GET(ENVME_CAP_DSTRD, g->cap));

        db->shadow = gen_ptr(g, g->shadow_area + off);
        db->event = gen_ptr(g, g->event_area + off);
    }
}

static bool nvme_init_queue(struct gen *g, struct gen_queue *q, unsigned id,
                            unsigned entries)
{
    q->id = id;
    q->entries = entries;
    q->phase = 1;
    q->sq_addr = gen_alloc(g, entries * sizeof(struct envme_sqe), GEN_PAGE);
    q->cq_addr = gen_alloc(g, entries * sizeof(struct envme_cqe), GEN_PAGE);
    if (!q->sq_addr || !q->cq_addr) {
        return false;
    }
    q->sq = gen_ptr(g, q->sq_addr);
    q->cq = gen_ptr(g, q->cq_addr);
    nvme_init_db(g, &q->sqdb, 2 * id);
    nvme_init_db(g, &q->cqdb, 2 * id + 1);
    return true;
}

void gen_queue_take(struct gen_queue *q, uint16_t *cid, uint16_t *status)
{
    volatile struct envme_cqe *cqe = &q->cq[q->cq_head];

    *cid = ENVME_SWAP16(cqe->cid.raw);
    *status = ENVME_SWAP16(cqe->sf.raw) >> 1;
    if (++q->cq_head == q->entries) {
        q->cq_head = 0;
        q->phase ^= 1;
    }
}

static struct envme_sqe *nvme_next_sqe(struct gen_queue *q)
{
    struct envme_sqe *sqe = &q->sq[q->sq_tail];

    if (++q->sq_tail == q->entries) {
        q->sq_tail = 0;
    }
    memset(sqe, 0, sizeof(*sqe));
    return sqe;
}

/* ---- admin ------------------------------------------------------------- */

static bool nvme_admin(struct gen *g, const struct envme_sqe *cmd,
                       uint32_t *dw0)
{
    struct gen_queue *q = &g->admin;
    uint64_t end = gen_now() + NVME_READY_NS;
    uint16_t cid, status;
    uint32_t result;

    *nvme_next_sqe(q) = *cmd;
    gen_db_write(&q->sqdb, q->sq_tail, NULL);
    while (!gen_queue_has(q)) {
        if (gen_now() > end) {
            return gen_fail(g, "admin command %02xh got no completion",
                            cmd->opc);
        }
        gen_relax();
    }
    result = ENVME_SWAP32(q->cq[q->cq_head].dw0.raw);
    gen_queue_take(q, &cid, &status);
    gen_db_write(&q->cqdb, q->cq_head, NULL);
    if (status) {
        return gen_fail(g, "admin command %02xh (CDW10 %08xh) ended with "
                        "status %04xh", cmd->opc, le32_get(cmd->cdw10),
                        status);
    }
    if (dw0) {
        *dw0 = result;
    }
    return true;
}

static bool nvme_identify(struct gen *g, unsigned cns, uint32_t nsid,
                          uint64_t to)
{
    struct envme_sqe cmd = {
        .opc = ENVME_ADM_IDENTIFY,
        .nsid = le32(nsid),
        .dptr.prp1 = le64(to),
        .cdw10 = le32(cns),
    };

    return nvme_admin(g, &cmd, NULL);
}

static bool nvme_identify_all(struct gen *g)
{
    uint64_t page = gen_alloc(g, GEN_PAGE, GEN_PAGE);
    const struct envme_id_ctrl *ctrl;
    const struct envme_id_ns *ns;
    uint64_t bytes;

    if (!page || !nvme_identify(g, ENVME_CNS_CTRL, 0, page)) {
        return false;
    }
    ctrl = gen_ptr(g, page);
    memcpy(g->model, ctrl->mn, 40);
    g_strchomp(g->model);
    g->mdts_bytes = ctrl->mdts && ctrl->mdts < 16 ? GEN_PAGE << ctrl->mdts
                                                  : UINT32_MAX;
    if (g->o.dbbuf && !(le16_get(ctrl->oacs) & ENVME_OACS_DBCS)) {
        return gen_fail(g, "the controller has no Doorbell Buffer Config");
    }
    g->nsid = 1;
    if (!nvme_identify(g, ENVME_CNS_NS, g->nsid, page)) {
        return false;
    }
    ns = gen_ptr(g, page);
    g->lba_shift = ns->lbaf[FIELD_GET(ENVME_FLBAS_FIDXL, ns->flbas)].ds;
    g->nblocks = le64_get(ns->nsze);
    if (!g->nblocks || g->lba_shift < 9) {
        return gen_fail(g, "there is no namespace 1");
    }
    g->pract = FIELD_GET(ENVME_DPS_PIT, ns->dps);
    bytes = g->nblocks << g->lba_shift;
    if (g->o.region && g->o.region < bytes) {
        g->nblocks = g->o.region >> g->lba_shift;
    }
    return true;
}

static bool nvme_dbbuf(struct gen *g)
{
    struct envme_sqe cmd = { .opc = ENVME_ADM_DBBUF };

    g->shadow_area = gen_alloc(g, GEN_PAGE, GEN_PAGE);
    g->event_area = gen_alloc(g, GEN_PAGE, GEN_PAGE);
    if (!g->shadow_area || !g->event_area) {
        return false;
    }
    g->nshadow = NVME_MAX_SHADOW_PAGE >> FIELD_GET(ENVME_CAP_DSTRD, g->cap);
    cmd.dptr.prp1 = le64(g->shadow_area);
    cmd.dptr.prp2 = le64(g->event_area);
    return nvme_admin(g, &cmd, NULL);
}

static bool nvme_wait(struct gen *g, uint32_t rdy)
{
    uint64_t end = gen_now() + NVME_READY_NS;
    uint32_t csts;

    do {
        csts = gen_read32(g->bar + ENVME_REG_CSTS);
        if ((csts & ENVME_CSTS_RDY) == rdy) {
            return true;
        }
        g_usleep(100);
    } while (!(csts & ENVME_CSTS_CFS) && gen_now() < end);
    return gen_fail(g, "CSTS is %08xh where RDY=%u is awaited", csts, rdy);
}

void gen_nvme_disable(struct gen *g)
{
    gen_write32(g->bar + ENVME_REG_CC, 0);
    nvme_wait(g, 0);
}

bool gen_nvme_init(struct gen *g)
{
    uint64_t doorbells;
    uint32_t cc;

    g->cap = gen_read64(g->bar + ENVME_REG_CAP);
    if (g->o.entries > FIELD_GET(ENVME_CAP_MQES, g->cap) + 1) {
        return gen_fail(g, "entries= is more than CAP.MQES allows");
    }
    doorbells = (4ull << FIELD_GET(ENVME_CAP_DSTRD, g->cap)) *
                (2ull * g->o.nqueues + 2);
    gen_db_watch(g->bar + ENVME_REG_DBS, doorbells);
    if (!nvme_init_queue(g, &g->admin, 0, NVME_ADMIN_ENTRIES)) {
        return false;
    }
    gen_write32(g->bar + ENVME_REG_CC, 0);
    if (!nvme_wait(g, 0)) {
        return false;
    }
    gen_write32(g->bar + ENVME_REG_AQA,
                FIELD_SET(ENVME_AQA_ASQS, NVME_ADMIN_ENTRIES - 1) |
                FIELD_SET(ENVME_AQA_ACQS, NVME_ADMIN_ENTRIES - 1));
    gen_write64(g->bar + ENVME_REG_ASQ, g->admin.sq_addr);
    gen_write64(g->bar + ENVME_REG_ACQ, g->admin.cq_addr);
    cc = FIELD_SET(ENVME_CC_EN, 1) | FIELD_SET(ENVME_CC_AMS, g->o.ams) |
         FIELD_SET(ENVME_CC_IOSQES, 6) | FIELD_SET(ENVME_CC_IOCQES, 4);
    gen_write32(g->bar + ENVME_REG_CC, cc);
    return nvme_wait(g, ENVME_CSTS_RDY) && nvme_identify_all(g);
}

/* ---- I/O queues -------------------------------------------------------- */

static bool nvme_create_pair(struct gen *g, struct gen_queue *q)
{
    unsigned vector = g->nvectors > 1 ? 1 + (q->id - 1) % (g->nvectors - 1)
                                      : 0;
    struct envme_sqe cq = {
        .opc = ENVME_ADM_CREATE_CQ,
        .dptr.prp1 = le64(q->cq_addr),
        .cdw10 = le32(FIELD_SET(ENVME_CREATE_CQ_QID, q->id) |
                      FIELD_SET(ENVME_CREATE_CQ_QSIZE, q->entries - 1)),
        .cdw11 = le32(ENVME_CREATE_CQ_PC |
                      (g->o.irq ? ENVME_CREATE_CQ_IEN : 0) |
                      FIELD_SET(ENVME_CREATE_CQ_IV, vector)),
    };
    struct envme_sqe sq = {
        .opc = ENVME_ADM_CREATE_SQ,
        .dptr.prp1 = le64(q->sq_addr),
        .cdw10 = cq.cdw10,
        .cdw11 = le32(ENVME_CREATE_SQ_PC |
                      FIELD_SET(ENVME_CREATE_SQ_QPRIO, g->o.qprio) |
                      FIELD_SET(ENVME_CREATE_SQ_CQID, q->id)),
    };

    if (g->o.irq) {
        q->irq = gen_ptr(g, g->irq_area + 4 * vector);
    }
    return nvme_admin(g, &cq, NULL) && nvme_admin(g, &sq, NULL);
}

static bool nvme_coalesce(struct gen *g)
{
    struct envme_sqe cmd = {
        .opc = ENVME_ADM_SET_FEATURES,
        .cdw10 = le32(ENVME_FID_IRQ_COALESCE),
        .cdw11 = le32(g->o.aggr),
    };

    return nvme_admin(g, &cmd, NULL);
}

bool gen_nvme_queues(struct gen *g)
{
    unsigned n = g->o.nqueues;
    struct envme_sqe cmd = {
        .opc = ENVME_ADM_SET_FEATURES,
        .cdw10 = le32(ENVME_FID_NUM_QUEUES),
        .cdw11 = le32(FIELD_SET(ENVME_FEAT_NQ_NSQ, MIN(n, 65535) - 1) |
                      FIELD_SET(ENVME_FEAT_NQ_NCQ, MIN(n, 65535) - 1)),
    };
    uint64_t start;
    uint32_t got;

    if (!nvme_admin(g, &cmd, &got)) {
        return false;
    }
    if (MIN(FIELD_GET(ENVME_FEAT_NQ_NSQ, got),
            FIELD_GET(ENVME_FEAT_NQ_NCQ, got)) + 1 < n) {
        return gen_fail(g, "the controller gives %u I/O queues and %u are "
                        "wanted", (unsigned)FIELD_GET(ENVME_FEAT_NQ_NSQ, got)
                        + 1, n);
    }
    if (g->o.aggr && !nvme_coalesce(g)) {
        return false;
    }
    if (g->o.dbbuf && !nvme_dbbuf(g)) {
        return false;
    }
    g->q = g_new0(struct gen_queue, n);
    for (unsigned i = 0; i < n; i++) {
        qatomic_set(&g->q[i].id, i + 1);    /* its pages are ours */
    }
    gen_snapshot(g, "enabled");
    start = gen_now();
    for (unsigned i = 0; i < n; i++) {
        if (!nvme_init_queue(g, &g->q[i], i + 1, g->o.entries) ||
            !nvme_create_pair(g, &g->q[i])) {
            return false;
        }
    }
    g->create_ns = gen_now() - start;
    gen_snapshot(g, "queues");
    return true;
}

bool gen_nvme_slots(struct gen *g, unsigned queues, unsigned qd)
{
    for (unsigned i = 0; i < queues; i++) {
        struct gen_queue *q = &g->q[i];

        q->slot = g_new0(struct gen_slot, qd);
        q->free = g_new0(uint16_t, qd);
        q->nslots = qd;
        for (unsigned s = 0; s < qd; s++) {
            q->slot[s].buf = gen_alloc(g, GEN_BUF_BYTES + GEN_PAGE, GEN_PAGE);
            q->slot[s].list = gen_alloc(g, GEN_PAGE, GEN_PAGE);
            if (!q->slot[s].buf || !q->slot[s].list) {
                return false;
            }
        }
    }
    return true;
}

/* PRP2, and the list when it takes one. */
static uint64_t nvme_prp2(struct gen *g, const struct gen_slot *s,
                          uint64_t first, unsigned bytes)
{
    uint64_t page = ROUND_DOWN(first, GEN_PAGE) + GEN_PAGE;
    uint64_t end = first + bytes;
    le64_t *list;

    if (end <= page) {
        return 0;
    }
    if (end <= page + GEN_PAGE) {
        return page;
    }
    list = gen_ptr(g, s->list);
    for (; page < end; page += GEN_PAGE) {
        *list++ = le64(page);
    }
    return s->list;
}

void gen_queue_io(struct gen *g, struct gen_queue *q, unsigned slot,
                  bool write, uint64_t lba, unsigned bytes, unsigned offset)
{
    struct gen_slot *s = &q->slot[slot];
    struct envme_sqe *sqe = nvme_next_sqe(q);
    uint64_t buf = s->buf + offset;

    sqe->opc = write ? ENVME_NVM_WRITE : ENVME_NVM_READ;
    sqe->cid = le16(slot);
    sqe->nsid = le32(g->nsid);
    sqe->dptr.prp1 = le64(buf);
    sqe->dptr.prp2 = le64(nvme_prp2(g, s, buf, bytes));
    sqe->cdw10 = le32(lba);
    sqe->cdw11 = le32(lba >> 32);
    sqe->cdw12 = le32((bytes >> g->lba_shift) - 1);
    if (g->pract) {
        /* The device makes the tuples, and takes them off again; what it
         * checks before that is up to PRCHK. */
        sqe->cdw12 = le32(((bytes >> g->lba_shift) - 1) |
                          FIELD_SET(ENVME_RW_PRINFO, ENVME_PRINFO_PRACT |
                                    (write ? 0 : g->o.prchk)));
        sqe->cdw14 = le32(lba);
    }
}
