/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real threads: four lanes, four vCPUs that do verified random I/O, one that
 * rings doorbells it should not, and lane 0, which resets, creates and deletes
 * queues, aborts, turns Bus Master off and on, and changes namespaces in the
 * meantime. Meant for ThreadSanitizer; worth having without.
 */
#include "th.h"

#define NVCPU  4
#define QD     8
#define BLOCKS 16
#define IO     (BLOCKS * 512)
#define SLOTS  24               /* places on the medium, per vCPU */

struct io {
    struct th_buf *b;
    uint16_t cid;
    int slot;                   /* -1: free */
    bool is_write;
    uint64_t seed;
};

struct vcpu {
    struct world *w;
    unsigned qid;
    GThread *thread;
    GRand *rand;
    struct io io[QD];
    unsigned nout;
    /* What a place holds: a, or after a write that was given up, a or b;
     * 0 is anything. */
    uint64_t a[SLOTS], b[SLOTS];
    bool taken[SLOTS];
    uint64_t nseed;
    unsigned gen;
    atomic_uint ops, lost, aborted, last_cid;
};

struct world {
    struct th *h;
    struct vcpu v[NVCPU];
    GThread *noise;
    atomic_uint pause, parked, gen;
    atomic_bool stop;
    bool aborts, shadow, calm, atomic, mapped;
    unsigned resets, toggles, queues, attaches;
};

static uint64_t slot_lba(const struct vcpu *v, int slot)
{
    return ((v->qid - 1) * SLOTS + slot) * (uint64_t)BLOCKS;
}

static void vcpu_start(struct vcpu *v, struct io *io)
{
    struct th *h = v->w->h;
    struct envme_sqe s;
    uint8_t data[IO];
    int slot = g_rand_int(v->rand) % SLOTS;

    if (v->taken[slot]) {
        return;
    }
    io->is_write = !v->a[slot] || g_rand_int(v->rand) % 2;
    s = th_sqe_rw(io->is_write ? ENVME_NVM_WRITE : ENVME_NVM_READ, 1,
                  slot_lba(v, slot), BLOCKS);
    if (io->is_write) {
        io->seed = ++v->nseed * 16 + v->qid;
        th_pattern(data, IO, io->seed);
        th_buf_put(io->b, data);
    } else {
        th_buf_fill(io->b, 0xee);
    }
    th_buf_attach(io->b, &s);
    io->cid = th_put(h, v->qid, &s);
    atomic_store(&v->last_cid, io->cid);
    io->slot = slot;
    v->taken[slot] = true;
    v->nout++;
}

/* Blocks that all write and read at once: each write is one value throughout,
 * so a read that sees two has seen half of one. */
#define SHARED_LBA 1700

static void vcpu_start_shared(struct vcpu *v, struct io *io)
{
    struct envme_sqe s;
    uint64_t data[IO / 8];
    unsigned i;

    io->is_write = g_rand_int(v->rand) % 2;
    s = th_sqe_rw(io->is_write ? ENVME_NVM_WRITE : ENVME_NVM_READ, 1,
                  SHARED_LBA, BLOCKS);
    for (i = 0; i < IO / 8; i++) {
        data[i] = io->is_write ? v->nseed * 16 + v->qid : 0;
    }
    th_buf_put(io->b, data);
    th_buf_attach(io->b, &s);
    io->cid = th_put(v->w->h, v->qid, &s);
    io->slot = SLOTS;
    v->nout++;
}

static void vcpu_check_shared(struct io *io)
{
    uint64_t data[IO / 8];
    unsigned i;

    th_buf_get(io->b, data);
    for (i = 1; i < IO / 8; i++) {
        if (data[i] != data[0]) {
            g_error("a read sees half of a write");
        }
    }
}

/* It has ended, or will never be heard of. */
static void vcpu_end(struct vcpu *v, struct io *io, bool done)
{
    int slot = io->slot;

    if (slot == SLOTS) {
        io->slot = -1;
        v->nout--;
        return;
    }
    if (io->is_write) {
        /* Given up: the old or the new, block by block. */
        v->b[slot] = done ? io->seed : v->a[slot];
        if (!done && v->b[slot] != v->a[slot]) {
            v->a[slot] = 0;
        } else {
            v->a[slot] = done ? io->seed : 0;
        }
    }
    v->taken[slot] = false;
    io->slot = -1;
    v->nout--;
}

static void vcpu_check(struct vcpu *v, struct io *io)
{
    uint8_t data[IO], want[IO];

    if (io->slot == SLOTS) {
        vcpu_check_shared(io);
        return;
    }
    if (!v->a[io->slot]) {
        return;
    }
    th_buf_get(io->b, data);
    th_pattern(want, IO, v->a[io->slot]);
    if (memcmp(data, want, IO)) {
        g_error("vCPU %u reads what it has not written", v->qid);
    }
}

static void vcpu_reap(struct vcpu *v)
{
    struct th *h = v->w->h;
    struct envme_cqe c;
    unsigned i;

    if (!th_reap(h, v->qid)) {
        return;
    }
    for (i = 0; i < QD; i++) {
        struct io *io = &v->io[i];

        if (io->slot < 0 || !th_done(h, v->qid, io->cid, &c)) {
            continue;
        }
        atomic_fetch_add(&v->ops, 1);
        if (cqe_sc(&c) == ENVME_SC_ABORT_REQUESTED && v->w->aborts) {
            atomic_fetch_add(&v->aborted, 1);
            vcpu_end(v, io, false);
            continue;
        }
        if (cqe_sc(&c)) {
            g_error("vCPU %u: %s", v->qid, th_sc_name(cqe_sc(&c)));
        }
        if (!io->is_write) {
            vcpu_check(v, io);
        }
        vcpu_end(v, io, true);
    }
}

static void *vcpu_main(void *arg)
{
    struct vcpu *v = arg;
    struct world *w = v->w;
    unsigned i, n, burst;

    th_lane_now = -1;
    while (!atomic_load(&w->stop)) {
        if (atomic_load(&w->pause)) {
            atomic_fetch_add(&w->parked, 1);
            while (atomic_load(&w->pause)) {
                g_usleep(50);
            }
            if (atomic_load(&w->gen) != v->gen) {
                /* There was a reset. */
                v->gen = atomic_load(&w->gen);
                for (i = 0; i < QD; i++) {
                    if (v->io[i].slot >= 0) {
                        vcpu_end(v, &v->io[i], false);
                        atomic_fetch_add(&v->lost, 1);
                    }
                }
            }
            atomic_fetch_sub(&w->parked, 1);
            continue;
        }
        burst = 1 + g_rand_int(v->rand) % QD;
        for (i = n = 0; i < QD && n < burst; i++) {
            if (v->io[i].slot < 0) {
                if (w->atomic && g_rand_int(v->rand) % 3 == 0) {
                    vcpu_start_shared(v, &v->io[i]);
                } else {
                    vcpu_start(v, &v->io[i]);
                }
                n++;
            }
        }
        if (n) {
            th_ring(w->h, v->qid);
        }
        vcpu_reap(v);
        if (v->nout == QD) {
            g_usleep(20);
        }
    }
    return NULL;
}

/* Doorbells of queues that don't exist, of ones that come and go, and values
 * that can't be */
static void *noise_main(void *arg)
{
    struct world *w = arg;
    GRand *rand = g_rand_new_with_seed(7);

    th_lane_now = -1;
    while (!atomic_load(&w->stop)) {
        unsigned qid = NVCPU + 1 + g_rand_int(rand) % 4;

        if (w->mapped) {
            /* In memory a bad value would be in a good one's place. */
            th_db_raw(w->h, g_rand_int(rand) & 1, qid + 10, 0xfff0);
            g_usleep(100);
            continue;
        }
        th_db_raw(w->h, g_rand_int(rand) & 1, qid, 0xfff0);
        th_db_raw(w->h, false, 1 + g_rand_int(rand) % NVCPU, 0xffff);
        g_usleep(100);
    }
    g_rand_free(rand);
    return NULL;
}

static bool all_parked(void *arg)
{
    struct world *w = arg;

    return atomic_load(&w->parked) == NVCPU;
}

static bool none_parked(void *arg)
{
    struct world *w = arg;

    return atomic_load(&w->parked) == 0;
}

static void stop_vcpus(struct world *w)
{
    atomic_store(&w->pause, 1);
    g_assert_true(th_until(w->h, all_parked, w));
}

static void start_vcpus(struct world *w)
{
    atomic_store(&w->pause, 0);
    g_assert_true(th_until(w->h, none_parked, w));
}

static void bring_up(struct world *w)
{
    th_enable(w->h);
    if (w->calm) {
        /* A CQ that is often full: its shadow counts as much as the SQ's. */
        for (unsigned q = 1; q <= NVCPU; q++) {
            th_assert_code(th_create_cq(w->h, .qid = q, .size = 3,
                                        .vector = q), SUCCESS);
            th_assert_code(th_create_sq(w->h, .qid = q, .size = QD + 1),
                           SUCCESS);
        }
    } else {
        th_queues(w->h, NVCPU, 16);
    }
    if (w->shadow) {
        th_assert_code(th_shadow(w->h), SUCCESS);
    }
}

/* Under load; the vCPUs learn of it afterwards. */
static void do_reset(struct world *w)
{
    struct th *h = w->h;
    unsigned kind = th_random(h, 3);

    if (kind == 0) {
        /* th_disable() would take the queues away under the vCPUs. */
        th_w32(h, ENVME_REG_CC, th_r32(h, ENVME_REG_CC) & ~ENVME_CC_EN);
    }
    th_reset_start(h, kind == 2 ? ENVME_RESET_NSSR : ENVME_RESET_FUNCTION);
    while (!atomic_load(&h->reset_done)) {
        th_run(h);
    }
    stop_vcpus(w);
    th_reset_finish(h);
    bring_up(w);
    atomic_fetch_add(&w->gen, 1);
    start_vcpus(w);
    w->resets++;
}

static void do_bme(struct world *w)
{
    th_bme(w->h, false);
    g_usleep(th_random(w->h, 500));
    th_run(w->h);
    th_bme(w->h, true);
    w->toggles++;
}

static void do_queue(struct world *w)
{
    struct th *h = w->h;
    unsigned q = NVCPU + 1 + th_random(h, 4), i;
    /* Above what the vCPUs use: overlapping I/O is a race by design. */
    struct envme_sqe s = th_sqe_rw(ENVME_NVM_VERIFY, 1, 1600, 64);

    th_assert_code(th_create_cq(h, .qid = q, .size = 16, .vector = q,
                                .scattered = th_random(h, 2)), SUCCESS);
    th_assert_code(th_create_sq(h, .qid = q, .size = 16), SUCCESS);
    for (i = th_random(h, 15); i; i--) {
        th_abandon(h, q, th_put(h, q, &s));
    }
    th_ring(h, q);
    if (th_random(h, 2)) {
        th_assert_sc(th_read(h, .qid = q, .slba = 1600), SUCCESS);
    }
    th_assert_code(th_delete_sq(h, q), SUCCESS);
    th_assert_code(th_delete_cq(h, q), SUCCESS);
    w->queues++;
}

static void set_flag(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
}

static bool flag(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

static void do_ns(struct world *w)
{
    struct th *h = w->h;
    atomic_bool done = false;
    bool on = !envme_subsys_is_attached(h->ns[1], h->ctrl->cntlid);
    struct envme_cqe c;

    if (th_random(h, 3) == 0) {
        th_be_resize(h->be[1], th_random(h, 2) ? MIB : 2 * MIB);
    } else {
        envme_subsys_attach(h->subsys, h->ns[1], h->ctrl->cntlid, on,
                            set_flag, &done);
        g_assert_true(th_until(h, flag, &done));
        c = th_identify(h, ENVME_CNS_NS_DESCS, 2, NULL);
        g_assert_cmpuint(cqe_sc(&c), ==, on ? 0 : ENVME_SC_INVALID_FIELD);
    }
    w->attaches++;
}

static void do_admin(struct world *w)
{
    struct th *h = w->h;
    uint8_t buf[4096];

    switch (th_random(h, 4)) {
    case 0:
        th_assert_sc(th_identify(h, ENVME_CNS_CTRL, 0, buf), SUCCESS);
        break;
    case 1:
        th_assert_sc(th_get_log(h, ENVME_LID_ERROR, UINT32_MAX, 0, buf, 1024,
                                false), SUCCESS);
        break;
    case 2:
        th_assert_sc(th_get_log(h, ENVME_LID_SMART, UINT32_MAX, 0, buf, 512,
                                false), SUCCESS);
        break;
    default:
        if (w->aborts) {
            struct envme_sqe s = th_sqe(ENVME_ADM_ABORT, 0);

            unsigned i = th_random(h, NVCPU);
            uint32_t cid = atomic_load(&w->v[i].last_cid);

            s.cdw10 = le32((cid - th_random(h, 2)) << 16 | w->v[i].qid);
            th_assert_sc(th_admin(h, &s), SUCCESS);
        }
        break;
    }
}

enum {
    DIRECT = 1, ABORTS = 2, SHADOW = 4, CALM = 8, ATOMIC = 16, POLL = 32,
    MAPPED = 64, GATHER = 128,
};

static void tweak_atomic(struct envme_ctrl_params *p)
{
    p->awun = BLOCKS - 1;
}

static void world_run(unsigned flags, uint64_t seed, int64_t usec)
{
    struct world *w = g_new0(struct world, 1);
    static const unsigned shapes[] = { 0, TH_OFFSET, TH_SGL, TH_SGL |
                                       TH_SGL_INLINE };
    int64_t end;
    unsigned i, j, ops = 0, lost = 0, aborted = 0;

    w->aborts = flags & ABORTS;
    w->shadow = flags & SHADOW;
    w->calm = flags & CALM;
    w->atomic = flags & ATOMIC;
    w->mapped = flags & MAPPED;
    w->h = th_new(.lanes = NVCPU, .threads = true, .seed = seed,
                  .map_direct = flags & DIRECT, .poll = flags & POLL,
                  .gather = flags & GATHER,
                  .mapped = w->mapped ? 4096 : 0, .slow = w->mapped ? 63 : 0,
                  .tweak = w->atomic ? tweak_atomic : NULL,
                  .ns = { { .size = MIB, .write_cache = true },
                          { .size = MIB } });
    atomic_store(&w->h->be[0]->later, seed & 1);
    bring_up(w);
    for (i = 0; i < NVCPU; i++) {
        struct vcpu *v = &w->v[i];

        v->w = w;
        v->qid = i + 1;
        v->rand = g_rand_new_with_seed(seed * 10 + i);
        for (j = 0; j < QD; j++) {
            v->io[j].slot = -1;
            /* One of them in memory that only lane 0 may touch */
            v->io[j].b = i == 0 && j == 0 ?
                         th_buf_new(w->h, IO, TH_MMIO) :
                         th_buf_new(w->h, IO, shapes[j % 4]);
        }
        v->thread = g_thread_new("vcpu", vcpu_main, v);
    }
    w->noise = g_thread_new("noise", noise_main, w);
    end = g_get_monotonic_time() + usec;
    for (i = 0; g_get_monotonic_time() < end || i < 40; i++) {
        /* In calm weather nothing wakes a lane but its own doorbells. */
        switch (w->calm ? 11 : th_random(w->h, 12)) {
        case 0:
            do_reset(w);
            break;
        case 1:
        case 2:
        case 3:
            do_bme(w);
            break;
        case 4:
        case 5:
            do_queue(w);
            break;
        case 6:
            do_ns(w);
            break;
        default:
            do_admin(w);
            break;
        }
        g_usleep(th_random(w->h, 2000));
        if (w->mapped) {
            th_db_again(w->h);
        }
        th_run(w->h);
    }
    /* The last ones end in peace. */
    stop_vcpus(w);
    for (i = 0; i < NVCPU; i++) {
        struct vcpu *v = &w->v[i];

        for (j = 0; j < QD; j++) {
            if (v->io[j].slot >= 0) {
                struct envme_cqe c;

                /* Reaped by the vCPU already, or to come. */
                c = th_wait(w->h, v->qid, v->io[j].cid);
                if (!cqe_sc(&c) && !v->io[j].is_write) {
                    vcpu_check(v, &v->io[j]);
                }
                vcpu_end(v, &v->io[j], !cqe_sc(&c));
            }
        }
    }
    atomic_store(&w->stop, true);
    start_vcpus(w);
    g_thread_join(w->noise);
    for (i = 0; i < NVCPU; i++) {
        struct vcpu *v = &w->v[i];

        g_thread_join(v->thread);
        for (j = 0; j < SLOTS; j++) {
            uint8_t data[IO];

            if (v->a[j]) {
                th_assert_sc(th_read(w->h, .qid = v->qid, .nlb = BLOCKS,
                                     .slba = slot_lba(v, j), .data = data),
                             SUCCESS);
                g_assert_true(th_pattern_ok(data, IO, v->a[j]));
            }
        }
        ops += v->ops;
        lost += v->lost;
        aborted += v->aborted;
        for (j = 0; j < QD; j++) {
            th_buf_free(v->io[j].b);
        }
        g_rand_free(v->rand);
    }
    g_test_message("%u commands, %u lost in %u resets, %u aborted, %u times "
                   "without Bus Master, %u queues, %u namespace changes, mapped "
                   "%u times", ops, lost, w->resets, aborted, w->toggles,
                   w->queues, w->attaches, w->h->db_turns);
    g_assert_cmpuint(ops, >, 100);
    if (!w->calm) {
        g_assert_cmpuint(w->resets, >, 0);
        g_assert_cmpuint(w->toggles, >, 0);
        g_assert_cmpuint(w->queues, >, 0);
    }
    th_free(w->h);
    g_free(w);
}

static void test_direct(void)
{
    world_run(DIRECT, 2, 1500000);
}

static void test_direct_later(void)
{
    world_run(DIRECT | ABORTS, 3, 1500000);
}

static void test_copies(void)
{
    world_run(ABORTS, 4, 1000000);
}

static void test_copies_later(void)
{
    world_run(0, 5, 1000000);
}

static void test_shadow(void)
{
    world_run(DIRECT | SHADOW, 6, 1500000);
}

static void test_shadow_later(void)
{
    world_run(DIRECT | SHADOW | ABORTS, 7, 1000000);
}

static void test_atomic(void)
{
    world_run(DIRECT | ATOMIC | ABORTS, 12, 1000000);
}

static void test_atomic_later(void)
{
    world_run(ATOMIC | ABORTS, 13, 1000000);
}

static void test_calm(void)
{
    world_run(DIRECT | CALM, 8, 1000000);
}

static void test_calm_shadow(void)
{
    world_run(DIRECT | CALM | SHADOW, 10, 1500000);
}

static void test_poll(void)
{
    world_run(DIRECT | SHADOW | POLL, 14, 1500000);
}

static void test_calm_poll(void)
{
    world_run(DIRECT | CALM | SHADOW | POLL, 15, 1500000);
}

static void test_mapped(void)
{
    world_run(DIRECT | MAPPED | POLL | ABORTS, 16, 1500000);
}

static void test_mapped_shadow(void)
{
    world_run(DIRECT | MAPPED | SHADOW, 17, 1000000);
}

static void test_calm_mapped(void)
{
    world_run(DIRECT | CALM | MAPPED, 18, 1500000);
}

static void test_gather(void)
{
    world_run(DIRECT | SHADOW | GATHER, 19, 1000000);
}

static void test_calm_gather(void)
{
    world_run(DIRECT | CALM | GATHER, 20, 1000000);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lanes/direct", test_direct);
    g_test_add_func("/lanes/direct-later", test_direct_later);
    g_test_add_func("/lanes/copies", test_copies);
    g_test_add_func("/lanes/copies-later", test_copies_later);
    g_test_add_func("/lanes/shadow", test_shadow);
    g_test_add_func("/lanes/shadow-later", test_shadow_later);
    g_test_add_func("/lanes/atomic", test_atomic);
    g_test_add_func("/lanes/atomic-later", test_atomic_later);
    g_test_add_func("/lanes/calm", test_calm);
    g_test_add_func("/lanes/calm-shadow", test_calm_shadow);
    g_test_add_func("/lanes/poll", test_poll);
    g_test_add_func("/lanes/calm-poll", test_calm_poll);
    g_test_add_func("/lanes/mapped", test_mapped);
    g_test_add_func("/lanes/mapped-shadow", test_mapped_shadow);
    g_test_add_func("/lanes/calm-mapped", test_calm_mapped);
    g_test_add_func("/lanes/gather", test_gather);
    g_test_add_func("/lanes/calm-gather", test_calm_gather);
    return g_test_run();
}
