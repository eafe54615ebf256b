/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of fault rules made at random (th-rules.h) under I/O. Whatever they ask
 * for: no crash, no leak, no end of virtual time, no byte beside a buffer, and
 * each block that no rule has touched reads as the host wrote it.
 *
 * The driver here believes nothing: it has its own queues in guest memory,
 * because completions may be lost, wrong or too many. What a rule has hit is
 * known from its events. After each set, all rules are taken away, the
 * controller is reset, and the careful driver of th.h finds it in order.
 *
 * ENVME_RULE_SETS: how many sets; ENVME_RULE_SEED: the first one's number;
 * ENVME_RULE_ONLY: one of them alone, as a failure names it.
 */
#include <inttypes.h>

#include "envme/reg.h"
#include "th-rules.h"

#define US (1000ull)
#define MS (1000ull * US)
#define PER_HOST 20             /* sets, with one controller */

#define NNS     3               /* the second has metadata, the third a cache */
#define CACHED  2               /* that one's index */
#define BLOCKS  64              /* of each that are used */
#define BLK     512u
#define MAX_NLB 8
#define NIOQ    2
#define QSIZE   16
#define SLOTS   24
#define NVER    6               /* what a block may read as, at most */

/* ---- what rules may do ------------------------------------------------- */

enum {
    HIT_DATA = 1 << 0,          /* what is transferred */
    HIT_FAIL = 1 << 1,          /* this command may fail, or not be done */
    HIT_WEAK = 1 << 2,          /* any command may fail, or never end */
    HIT_POWER = 1 << 3,         /* what is in caches may be lost */
    HIT_CQE = 1 << 4,           /* no completion can be believed */
    HIT_ALL = 1 << 5,           /* anything may have become of anything */
};

/* Those that are not here may do everything: what is known less of is
 * checked less. */
static const struct {
    const char *name;
    unsigned hit;
} effects[] = {
    { "status", HIT_FAIL }, { "skip", HIT_FAIL }, { "delay", HIT_FAIL },
    /* It goes to buffers that have another use by then. */
    { "late-data", HIT_ALL },
    { "completion", HIT_CQE }, { "data", HIT_DATA }, { "metadata", HIT_DATA },
    { "lose", HIT_WEAK }, { "interrupt", 0 }, { "override", HIT_WEAK },
    { "fatal", HIT_WEAK }, { "event", 0 }, { "arm", 0 }, { "disarm", 0 },
    { "health", HIT_WEAK }, { "link", HIT_WEAK }, { "hang", HIT_WEAK },
    { "bus-master", HIT_WEAK }, { "pcie-error", 0 }, { "dma", HIT_WEAK },
    { "power", HIT_WEAK | HIT_POWER },
};

static unsigned effect_of(const char *action)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(effects); i++) {
        if (strcmp(effects[i].name, action) == 0) {
            return effects[i].hit;
        }
    }
    return HIT_ALL | HIT_CQE | HIT_WEAK;
}

/* ---- the host ---------------------------------------------------------- */

struct block {
    uint32_t version[NVER];     /* any of them; 0: zeroes */
    unsigned n;
    unsigned pending;           /* writes under way */
    unsigned moves;             /* writes that have begun or ended */
    bool mixed;                 /* more than one at a time */
    bool spoilt;                /* anything */
};

struct slot {
    bool busy, hit;
    uint16_t qid, cid;
    uint8_t opc;
    unsigned effect;            /* of the rules that hit it */
    unsigned ns, lba, nlb;
    uint32_t version;
    unsigned moves;             /* of its blocks, when it was sent */
    bool aborted;
    uint64_t mem;               /* a page between two */
};

struct ring {
    uint64_t sq, cq;
    unsigned tail, head, used, size;
    bool phase;
};

struct host {
    struct th *h;
    struct envme_faults *f;
    struct block block[NNS][BLOCKS];
    struct slot slot[SLOTS];
    struct ring ring[NIOQ + 1];
    uint64_t list;              /* a page for what queues and reads need */
    uint32_t versions;
    uint16_t cids;
    unsigned effect;            /* of all rules that have fired */
    GHashTable *rules;          /* name -> effect */
    bool enabled;
    const char *doing;
};

static uint64_t rng, total_hits, total_checked, total_io;

static uint64_t below(uint64_t n)
{
    return envme_rng_below(&rng, n);
}

/* ---- time -------------------------------------------------------------- */

/* What a set may take, at one moment, before somebody calls it a hang. */
#define STEPS 200000

static void settle(struct host *t)
{
    unsigned n = 0;

    while (th_step(t->h)) {
        if (++n == STEPS) {
            g_error("%s: it never comes to rest", t->doing);
        }
    }
}

static void pass(struct host *t, uint64_t ns)
{
    uint64_t end = atomic_load(&t->h->clock) + ns;

    settle(t);
    for (;;) {
        uint64_t next = UINT64_MAX, now = atomic_load(&t->h->clock);

        for (unsigned i = 0; i < t->h->nlanes; i++) {
            next = MIN(next, t->h->lane[i].deadline);
        }
        if (next > end) {
            if (now < end) {
                atomic_store(&t->h->clock, end);
            }
            return;
        }
        if (now < next) {
            atomic_store(&t->h->clock, next);
        }
        settle(t);
    }
}

/* ---- blocks ------------------------------------------------------------ */

static void block_bytes(void *to, uint32_t version)
{
    if (version) {
        th_pattern(to, BLK, version);
    } else {
        memset(to, 0, BLK);
    }
}

static bool block_is(const struct block *b, const uint8_t *data)
{
    uint8_t want[BLK];

    for (unsigned i = 0; i < b->n; i++) {
        block_bytes(want, b->version[i]);
        if (memcmp(want, data, BLK) == 0) {
            return true;
        }
    }
    return b->spoilt;
}

static void block_may_be(struct block *b, uint32_t version)
{
    if (b->n == NVER) {
        b->spoilt = true;
    } else {
        b->version[b->n++] = version;
    }
}

static struct block *blocks_of(struct host *t, const struct slot *s)
{
    return &t->block[s->ns][s->lba];
}

static unsigned moves_of(struct host *t, const struct slot *s)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < s->nlb; i++) {
        sum += blocks_of(t, s)[i].moves;
    }
    return sum;
}

static bool is_write(const struct slot *s)
{
    return s->qid && (s->opc == ENVME_NVM_WRITE ||
                      s->opc == ENVME_NVM_WRITE_ZEROES);
}

static void write_begins(struct host *t, struct slot *s)
{
    for (unsigned i = 0; i < s->nlb; i++) {
        struct block *b = &blocks_of(t, s)[i];

        b->mixed = b->pending++ ? true : false;
        b->moves++;
        block_may_be(b, s->opc == ENVME_NVM_WRITE ? s->version + i : 0);
    }
}

/* It is over. sure: it has been done, as it was meant. */
static void write_ends(struct host *t, struct slot *s, bool sure)
{
    for (unsigned i = 0; i < s->nlb; i++) {
        struct block *b = &blocks_of(t, s)[i];

        b->pending--;
        b->moves++;
        if (s->effect & HIT_DATA) {
            b->spoilt = true;
        }
        if (sure && !b->mixed) {
            b->version[0] = s->opc == ENVME_NVM_WRITE ? s->version + i : 0;
            b->n = 1;
            b->spoilt = false;
        }
    }
}

/* ---- what rules did ---------------------------------------------------- */

static void rule_effects(struct host *t, GVariant *rule)
{
    g_autoptr(GVariant) todo = g_variant_lookup_value(rule, "do", NULL);
    g_autoptr(GVariant) first = NULL;
    GVariantIter it;
    unsigned effect = 0;
    const char *name;
    GVariant *v;

    g_assert_true(g_variant_lookup(rule, "name", "&s", &name));
    if (todo && g_variant_is_of_type(todo, G_VARIANT_TYPE("av"))) {
        g_autoptr(GVariant) c = g_variant_get_child_value(todo, 0);

        first = g_variant_get_variant(c);
    } else if (todo) {
        first = g_variant_ref(todo);
    }
    if (first) {
        const char *action;

        g_variant_iter_init(&it, first);
        while (g_variant_iter_next(&it, "{&sv}", &action, &v)) {
            effect |= effect_of(action);
            g_variant_unref(v);
        }
    }
    /* Another value of a doorbell or a register: anything. */
    g_hash_table_insert(t->rules, g_strdup(name), GUINT_TO_POINTER(effect));
}

static void on_event(void *opaque, GVariant *ev)
{
    struct host *t = opaque;
    const char *what, *rule, *sqe;
    gint64 qid;

    g_assert_true(g_variant_lookup(ev, "event", "&s", &what));
    g_assert_true(g_variant_lookup(ev, "rule", "&s", &rule));
    if (strcmp(what, "hit") == 0) {
        unsigned effect = GPOINTER_TO_UINT(g_hash_table_lookup(t->rules,
                                                               rule));

        t->effect |= effect;
        total_hits++;
        if (g_variant_lookup(ev, "sqe", "&s", &sqe)) {
            uint16_t cid = g_ascii_xdigit_value(sqe[4]) << 4 |
                           g_ascii_xdigit_value(sqe[5]) |
                           g_ascii_xdigit_value(sqe[6]) << 12 |
                           g_ascii_xdigit_value(sqe[7]) << 8;

            g_assert_true(g_variant_lookup(ev, "qid", "x", &qid));
            for (unsigned i = 0; i < SLOTS; i++) {
                struct slot *s = &t->slot[i];

                if (s->busy && s->qid == qid && s->cid == cid) {
                    s->hit |= effect != 0;
                    s->effect |= effect;
                }
            }
        }
    }
    g_variant_unref(ev);
}

/* Whatever is wrong with the bus: the device reaches no memory. */
static void on_bus(void *opaque, unsigned wrong)
{
    struct host *t = opaque;

    atomic_store(&t->h->bme, !wrong);
    envme_ctrl_set_bme(t->h->ctrl, !wrong);
}

static bool on_bus_error(void *opaque, bool correctable, uint32_t status)
{
    (void)opaque;
    (void)correctable;
    (void)status;
    return true;
}

static void on_machine(void *opaque, const char *what)
{
    (void)opaque;
    (void)what;
}

static void on_image(void *opaque, const char *dir,
                     const struct envme_power_image *img)
{
    (void)opaque;
    (void)dir;
    (void)img;
}

/* ---- queues ------------------------------------------------------------ */

static void ring_clear(struct host *t, unsigned qid)
{
    struct ring *r = &t->ring[qid];

    memset(th_mem(t->h, r->sq, 4096), 0, 4096);
    memset(th_mem(t->h, r->cq, 4096), 0, 4096);
    r->tail = r->head = r->used = 0;
    r->phase = true;
}

static void slot_end(struct host *t, struct slot *s, bool sure)
{
    if (is_write(s)) {
        write_ends(t, s, sure);
    }
    s->busy = false;
}

static void slot_came(struct host *t, struct slot *s, unsigned sc)
{
    bool calm = !s->hit && !s->aborted &&
                !(t->effect & (HIT_ALL | HIT_WEAK | HIT_CQE));
    bool sure = sc == 0 && !s->hit && !(t->effect & (HIT_ALL | HIT_CQE));
    const uint8_t *data = th_mem(t->h, s->mem, 4096);

    if (calm && sc && s->qid) {
        g_error("%s: opcode %02x, which no rule has hit, ends with %s",
                t->doing, s->opc, th_sc_name(sc));
    }
    if (sure && s->qid && s->opc == ENVME_NVM_READ &&
        s->moves == moves_of(t, s)) {
        for (unsigned i = 0; i < s->nlb; i++) {
            total_checked++;
            if (!block_is(&blocks_of(t, s)[i], data + i * BLK)) {
                g_error("%s: block %u of namespace %u is read wrong",
                        t->doing, s->lba + i, s->ns + 1);
            }
        }
    }
    slot_end(t, s, sure);
}

static void reap(struct host *t, unsigned qid)
{
    struct ring *r = &t->ring[qid];
    unsigned n = 0;

    for (;;) {
        const struct envme_cqe *e = th_mem(t->h, r->cq + r->head * 16, 16);
        uint16_t cid = le16_get(e->cid), sqid = le16_get(e->sqid);
        struct slot *s = NULL;

        if ((le16_get(e->sf) & 1) != r->phase || n > r->size) {
            break;
        }
        for (unsigned i = 0; i < SLOTS; i++) {
            if (t->slot[i].busy && t->slot[i].qid == sqid &&
                t->slot[i].cid == cid) {
                s = &t->slot[i];
            }
        }
        if (!s && !(t->effect & (HIT_ALL | HIT_CQE))) {
            g_error("%s: queue %u completes %u of %u, which is not under way",
                    t->doing, qid, cid, sqid);
        }
        if (s) {
            slot_came(t, s, cqe_sc(e));
            t->ring[s->qid].used -= t->ring[s->qid].used > 0;
        }
        r->head = (r->head + 1) % r->size;
        r->phase ^= r->head == 0;
        n++;
    }
    if (n) {
        th_db_raw(t->h, true, qid, r->head);
    }
}

static void reap_all(struct host *t)
{
    settle(t);
    for (unsigned q = 0; q <= NIOQ; q++) {
        reap(t, q);
    }
}

static struct slot *slot_new(struct host *t, unsigned qid)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *s = &t->slot[i];

        if (!s->busy && t->ring[qid].used < t->ring[qid].size - 2) {
            uint64_t mem = s->mem;

            *s = (struct slot){
                .busy = true, .qid = qid, .cid = t->cids++, .mem = mem,
            };
            return s;
        }
    }
    return NULL;
}

static void send(struct host *t, struct slot *s, struct envme_sqe *sqe)
{
    struct ring *r = &t->ring[s->qid];

    s->opc = sqe->opc;
    sqe->cid = le16(s->cid);
    memcpy(th_mem(t->h, r->sq + r->tail * 64, 64), sqe, 64);
    r->tail = (r->tail + 1) % r->size;
    r->used++;
    total_io++;
    th_db_raw(t->h, false, s->qid, r->tail);
}

/* Some time passes until it is done, or there is none left. */
static bool wait_for(struct host *t, struct slot *s)
{
    for (unsigned i = 0; s->busy && i < 8; i++) {
        reap_all(t);
        if (s->busy) {
            pass(t, 10 * MS);
        }
    }
    return !s->busy;
}

static bool admin(struct host *t, struct envme_sqe sqe)
{
    struct slot *s = slot_new(t, 0);

    if (!s) {
        return false;
    }
    if (!le64_get(sqe.dptr.prp1)) {
        sqe.dptr.prp1 = le64(s->mem);
    }
    send(t, s, &sqe);
    return wait_for(t, s);
}

static bool wait_csts(struct host *t, bool ready)
{
    for (unsigned i = 0; i < 20; i++) {
        uint32_t csts;

        settle(t);
        csts = th_r32(t->h, ENVME_REG_CSTS);
        if ((csts & ENVME_CSTS_RDY) == ready) {
            return !(csts & ENVME_CSTS_CFS) || !ready;
        }
        pass(t, 50 * MS);
    }
    return false;
}

/* From nothing to I/O queues; false: the driver gives up. */
static bool enable(struct host *t)
{
    th_close(t->h, NULL);
    for (unsigned q = 0; q <= NIOQ; q++) {
        ring_clear(t, q);
    }
    th_w32(t->h, ENVME_REG_AQA, (QSIZE - 1) << 16 | (QSIZE - 1));
    th_w64(t->h, ENVME_REG_ASQ, t->ring[0].sq);
    th_w64(t->h, ENVME_REG_ACQ, t->ring[0].cq);
    th_w32(t->h, ENVME_REG_CC, TH_CC_DEFAULT);
    if (!wait_csts(t, true)) {
        return false;
    }
    for (unsigned q = 1; q <= NIOQ; q++) {
        struct envme_sqe cq = th_sqe(ENVME_ADM_CREATE_CQ, 0);
        struct envme_sqe sq = th_sqe(ENVME_ADM_CREATE_SQ, 0);

        cq.dptr.prp1 = le64(t->ring[q].cq);
        cq.cdw10 = sq.cdw10 = le32((QSIZE - 1) << 16 | q);
        cq.cdw11 = le32(q << 16 | ENVME_CREATE_CQ_IEN | ENVME_CREATE_CQ_PC);
        sq.dptr.prp1 = le64(t->ring[q].sq);
        sq.cdw11 = le32(q << 16 | ENVME_CREATE_SQ_PC);
        if (!admin(t, cq) || !admin(t, sq)) {
            return false;
        }
    }
    return true;
}

/* What was under way never ends. */
static void drop_all(struct host *t)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (t->slot[i].busy) {
            slot_end(t, &t->slot[i], false);
        }
    }
}

static void recover(struct host *t)
{
    /* The reset may be lost, or seem to be over: old ones still come. */
    if (t->effect & HIT_WEAK) {
        t->effect |= HIT_CQE;
    }
    th_w32(t->h, ENVME_REG_CC, 0);
    t->enabled = wait_csts(t, false);
    drop_all(t);
    t->enabled = t->enabled && enable(t);
}

/* ---- what the host does ------------------------------------------------ */

static void do_io(struct host *t)
{
    static const uint8_t opcodes[] = {
        ENVME_NVM_WRITE, ENVME_NVM_WRITE, ENVME_NVM_READ, ENVME_NVM_READ,
        ENVME_NVM_READ, ENVME_NVM_FLUSH, ENVME_NVM_WRITE_ZEROES,
        ENVME_NVM_COMPARE,
    };
    unsigned qid = 1 + below(NIOQ);
    struct slot *s = slot_new(t, qid);
    struct envme_sqe sqe;
    uint8_t *mem;

    if (!s) {
        recover(t);
        return;
    }
    s->ns = below(NNS);
    s->nlb = 1 + below(MAX_NLB);
    s->lba = below(BLOCKS - s->nlb + 1);
    sqe = th_sqe_rw(opcodes[below(G_N_ELEMENTS(opcodes))], s->ns + 1, s->lba,
                    s->nlb);
    s->opc = sqe.opc;
    if (sqe.opc == ENVME_NVM_FLUSH) {
        sqe.cdw10 = sqe.cdw11 = sqe.cdw12 = le32(0);
    }
    /* What a Compare says is not looked at. */
    s->aborted = sqe.opc == ENVME_NVM_COMPARE;
    sqe.dptr.prp1 = le64(s->mem);
    if (s->ns == 1) {
        sqe.mptr = le64(t->list);
    }
    mem = th_mem(t->h, s->mem, 4096);
    if (is_write(s)) {
        s->version = t->versions;
        t->versions += s->nlb;
        for (unsigned i = 0; s->opc == ENVME_NVM_WRITE && i < s->nlb; i++) {
            block_bytes(mem + i * BLK, s->version + i);
        }
        write_begins(t, s);
    } else {
        memset(mem, 0xee, 4096);
        s->moves = moves_of(t, s);
    }
    send(t, s, &sqe);
}

static void do_admin(struct host *t)
{
    struct envme_sqe sqe = th_sqe(ENVME_ADM_IDENTIFY, 0);
    struct slot *s = slot_new(t, 0);

    if (!s) {
        recover(t);
        return;
    }
    switch (below(6)) {
    case 0:
        sqe.cdw10 = le32(ENVME_CNS_CTRL);
        break;
    case 1:
        sqe.nsid = le32(1 + below(NNS));
        break;
    case 2:
        sqe = th_sqe(ENVME_ADM_GET_LOG, UINT32_MAX);
        sqe.cdw10 = le32(127u << 16 | ENVME_LID_SMART);
        break;
    case 3:
        sqe = th_sqe(ENVME_ADM_GET_FEATURES, 0);
        sqe.cdw10 = le32(1 + below(10));
        break;
    case 4: {
        struct slot *victim = &t->slot[below(SLOTS)];

        sqe = th_sqe(ENVME_ADM_ABORT, 0);
        sqe.cdw10 = le32((uint32_t)victim->cid << 16 | victim->qid);
        victim->aborted = true;
        break;
    }
    default:
        sqe = th_sqe(ENVME_ADM_AER, 0);
        break;
    }
    sqe.dptr.prp1 = le64(s->mem);
    send(t, s, &sqe);
}

static void do_something(struct host *t)
{
    switch (below(24)) {
    case 0:
    case 1:
    case 2:
        do_admin(t);
        break;
    case 3:
        pass(t, below(200) * US);
        break;
    case 4:
        pass(t, below(40) * MS);
        break;
    case 5:
        th_r32(t->h, ENVME_REG_CSTS);
        th_r64(t->h, ENVME_REG_CAP);
        break;
    case 6:
        if (below(8) == 0) {
            recover(t);
        }
        break;
    case 7:
        if (below(16) == 0) {
            th_w32(t->h, ENVME_REG_CC, TH_CC_DEFAULT |
                   (uint32_t)FIELD_SET(ENVME_CC_SHN, 1));
            pass(t, MS);
            recover(t);
        }
        break;
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        reap_all(t);
        break;
    default:
        do_io(t);
        break;
    }
}

/* ---- one set ----------------------------------------------------------- */

#define GUARD 0xa5

/* What rules can name is there. */
static void all_sensors(struct envme_ctrl_params *p)
{
    p->temp_sensors = 8;
}

static void host_new(struct host *t)
{
    struct envme_fault_world world = {
        .opaque = t, .machine = on_machine, .image = on_image,
        .bus_can = ENVME_BUS_LINK | ENVME_BUS_HANG | ENVME_BUS_MASTER,
        .bus = on_bus, .bus_error = on_bus_error,
    };

    *t = (struct host){ .versions = 1 };
    t->h = th_new(.lanes = 2, .tweak = all_sensors,
                  .ns = { { .size = 1 * MIB },
                          { .size = 1 * MIB, .ms = 8 },
                          { .size = 1 * MIB, .align = 1, .vwc = 4 * MIB } });
    t->f = envme_faults_new(t->h->ctrl, &world);
    t->rules = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    envme_faults_listen(t->f, on_event, t);
    t->h->page = 4096;
    for (unsigned q = 0; q <= NIOQ; q++) {
        t->ring[q] = (struct ring){
            .sq = th_alloc(t->h, 4096), .cq = th_alloc(t->h, 4096),
            .size = QSIZE,
        };
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        uint64_t at = th_alloc(t->h, 3 * 4096);

        memset(th_mem(t->h, at, 3 * 4096), GUARD, 3 * 4096);
        t->slot[i].mem = at + 4096;
    }
    t->list = th_alloc(t->h, 4096);
    for (unsigned n = 0; n < NNS; n++) {
        for (unsigned i = 0; i < BLOCKS; i++) {
            t->block[n][i].n = 1;
        }
    }
}

static void host_free(struct host *t)
{
    tf_free(t->h, t->f);
    g_hash_table_unref(t->rules);
    th_free(t->h);
}

static void check_guards(struct host *t)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        for (int side = -1; side <= 1; side += 2) {
            const uint8_t *p = th_mem(t->h, t->slot[i].mem + side * 4096,
                                      4096);

            if (p[0] != GUARD || memcmp(p, p + 1, 4095)) {
                g_error("%s: bytes beside a buffer have changed", t->doing);
            }
        }
    }
}

/* What is there now is known, block by block. */
static void check_blocks(struct host *t)
{
    uint8_t data[MAX_NLB * BLK];

    for (unsigned n = 0; n < NNS; n++) {
        for (unsigned i = 0; i < BLOCKS; i += MAX_NLB) {
            bool again = false;

            th_assert_sc(th_read(t->h, .nsid = n + 1, .slba = i,
                                 .nlb = MAX_NLB, .data = data), SUCCESS);
            for (unsigned k = 0; k < MAX_NLB; k++) {
                struct block *b = &t->block[n][i + k];

                total_checked++;
                g_assert_cmpuint(b->pending, ==, 0);
                if (!block_is(b, data + k * BLK) &&
                    !(n == CACHED && t->effect & HIT_POWER)) {
                    g_error("%s: block %u of namespace %u is wrong in the "
                            "end", t->doing, i + k, n + 1);
                }
                again |= b->n > 1 || b->spoilt || n == CACHED;
            }
            if (!again) {
                continue;
            }
            for (unsigned k = 0; k < MAX_NLB; k++) {
                t->block[n][i + k] = (struct block){
                    .version = { t->versions }, .n = 1,
                };
                block_bytes(data + k * BLK, t->versions++);
            }
            th_assert_sc(th_write(t->h, .nsid = n + 1, .slba = i,
                                  .nlb = MAX_NLB, .data = data), SUCCESS);
        }
        if (n == CACHED) {
            th_assert_sc(th_rw(t->h, ENVME_NVM_FLUSH, .nsid = n + 1), SUCCESS);
        }
    }
}

static void load(struct host *t, GVariant *tree)
{
    char *err = NULL;

    if (!envme_faults_load(t->f, tree, &err)) {
        g_error("%s: %s", t->doing, err);
    }
}

static void reset_done(void *arg)
{
    *(bool *)arg = true;
}

/* False: this host is not to be used any more. */
static bool one_set(struct host *t, struct tr_gen *g, bool verbose)
{
    static const enum envme_reset kinds[] = {
        ENVME_RESET_FUNCTION, ENVME_RESET_FLR, ENVME_RESET_NSSR,
    };
    g_autoptr(GVariant) none = g_variant_ref_sink(g_variant_new("a{sv}",
                                                                NULL));
    g_autoptr(GVariant) set = NULL, rules = NULL;
    bool over = false;

    t->effect = 0;
    g_hash_table_remove_all(t->rules);
    for (unsigned i = 0; i < SLOTS; i++) {
        t->slot[i].busy = false;
    }
    t->enabled = enable(t);
    g_assert_true(t->enabled);
    g->f = t->f;
    set = tr_set(g, 1 + below(5));
    if (verbose) {
        g_autofree char *text = g_variant_print(set, FALSE);

        g_printerr("%s: %s\n", t->doing, text);
    }
    rules = g_variant_lookup_value(set, "rules", NULL);
    for (gsize i = 0; i < g_variant_n_children(rules); i++) {
        g_autoptr(GVariant) c = g_variant_get_child_value(rules, i);
        g_autoptr(GVariant) r = g_variant_get_variant(c);

        rule_effects(t, r);
    }
    load(t, set);
    for (unsigned i = 10 + below(50); i && t->enabled; i--) {
        do_something(t);
    }
    if (t->enabled) {
        reap_all(t);
    }
    g_variant_unref(envme_faults_report(t->f));
    load(t, none);
    settle(t);
    if (!atomic_load(&t->h->bme)) {
        on_bus(t, 0);
    }
    /* Whatever is still going on ends with this. */
    envme_ctrl_reset(t->h->ctrl, kinds[below(G_N_ELEMENTS(kinds))],
                     reset_done, &over);
    settle(t);
    for (unsigned i = 0; !over && i < 100; i++) {
        pass(t, 100 * MS);
    }
    if (!over) {
        g_error("%s: the reset never ends", t->doing);
    }
    th_check_at_rest(t->h, t->doing);
    drop_all(t);
    if (t->effect & HIT_ALL) {
        return false;
    }
    check_guards(t);
    th_enable(t->h);
    th_queues(t->h, 1, QSIZE);
    check_blocks(t);
    th_reset(t->h, ENVME_RESET_FUNCTION);
    return true;
}

static void test_sets(void)
{
    const char *count = g_getenv("ENVME_RULE_SETS");
    const char *seed = g_getenv("ENVME_RULE_SEED");
    const char *only = g_getenv("ENVME_RULE_ONLY");
    uint64_t n = count ? g_ascii_strtoull(count, NULL, 0) : 1000;
    uint64_t from = seed ? g_ascii_strtoull(seed, NULL, 0) : 0, hosts = 0;
    struct host t;
    struct tr_gen g;
    bool fresh = true;

    tr_gen_init(&g, 0);
    if (only) {
        from = g_ascii_strtoull(only, NULL, 0);
        n = 1;
    }
    for (uint64_t i = from; tr_more(&g, i - from, n); i++) {
        g_autofree char *name = g_strdup_printf("ENVME_RULE_ONLY=%" PRIu64,
                                                i);

        if (fresh) {
            host_new(&t);
            hosts++;
        }
        /* The same alone as among others: but for what is on the medium. */
        rng = envme_rng_seed(i, "sets");
        g.rng = envme_rng_seed(i, "rules");
        g.made = i * 5;
        t.doing = name;
        fresh = !one_set(&t, &g, only) || i % PER_HOST == PER_HOST - 1;
        if (fresh) {
            host_free(&t);
        }
    }
    if (!fresh) {
        host_free(&t);
    }
    g_test_message("%" PRIu64 " sets on %" PRIu64 " hosts, %" PRIu64 " hits, "
                   "%" PRIu64 " commands, %" PRIu64 " blocks compared", n,
                   hosts, total_hits, total_io, total_checked);
    if (n >= 1000) {
        tr_check_seen(&g);
    }
    tr_gen_fini(&g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rulesets/io", test_sets);
    return g_test_run();
}
