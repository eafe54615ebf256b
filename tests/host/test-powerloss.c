/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power loss under a controller: what a host finds afterwards.
 */
#include "th-fault.h"

#include "envme/reg.h"

#define BLK 512u
#define CACHE (4 * MIB)

struct rig {
    struct th *h;
    struct envme_faults *f;
    /* What the world was asked for. */
    char machine[16];
    GPtrArray *images;          /* 1 MiB media, as they would be */
    GArray *nsids;
};

static void world_machine(void *opaque, const char *what)
{
    struct rig *r = opaque;

    g_strlcpy(r->machine, what, sizeof(r->machine));
}

static void world_image(void *opaque, const char *dir,
                        const struct envme_power_image *img)
{
    struct rig *r = opaque;
    uint8_t *m = g_malloc(1 * MIB);
    struct iovec iov = { m, 1 * MIB };
    struct envme_bio bio = {
        .op = ENVME_BIO_READ, .bytes = 1 * MIB, .iov = &iov, .niov = 1,
    };
    struct envme_backend *inner = r->h->be[img->nsid - 1]->inner;

    g_assert_cmpstr(dir, ==, "there");
    g_assert_cmpint(inner->ops->submit(inner, &bio), ==, 0);
    for (unsigned i = 0; i < img->pieces->len; i++) {
        const struct envme_crash_piece *p =
            &g_array_index(img->pieces, struct envme_crash_piece, i);
        const struct envme_vwc_rec *rec = &img->view->rec[p->rec];

        if (rec->data) {
            memcpy(m + p->offset, rec->data + (p->offset - rec->offset),
                   p->bytes);
        } else {
            memset(m + p->offset, 0, p->bytes);
        }
    }
    g_assert_cmpuint(img->index, <=, r->images->len);
    g_ptr_array_add(r->images, m);
    g_array_append_val(r->nsids, img->nsid);
}

static void awupf(struct envme_ctrl_params *p)
{
    p->awun = p->awupf = 3;     /* 4 blocks */
}

static void rig_up(struct rig *r, unsigned queues)
{
    th_enable(r->h);
    th_queues(r->h, queues, 16);
}

static void rig_init(struct rig *r, const struct th_opts *opts)
{
    struct envme_fault_world world = {
        .opaque = r, .machine = world_machine, .image = world_image,
    };

    *r = (struct rig){ .h = th_new_(opts) };
    r->images = g_ptr_array_new_with_free_func(g_free);
    r->nsids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    r->f = envme_faults_new(r->h->ctrl, &world);
    rig_up(r, 2);
}

#define OPTS(...) (&(struct th_opts){                                     \
        .lanes = 2, .ns = { { .size = 1 * MIB, .vwc = CACHE, .align = 1 }, \
                            __VA_ARGS__ }, .tweak = awupf })

static void rig_done(struct rig *r)
{
    th_reset(r->h, ENVME_RESET_FUNCTION);
    tf_free(r->h, r->f);
    g_ptr_array_unref(r->images);
    g_array_unref(r->nsids);
    th_free(r->h);
}

static void put(struct rig *r, uint64_t slba, uint32_t nlb, uint8_t v,
                bool fua)
{
    g_autofree uint8_t *buf = g_malloc(nlb * BLK);

    memset(buf, v, nlb * BLK);
    th_assert_sc(th_write(r->h, .slba = slba, .nlb = nlb, .data = buf,
                          .cdw12 = fua ? (uint32_t)ENVME_RW_FUA : 0), SUCCESS);
}

static uint8_t get(struct rig *r, uint64_t slba)
{
    uint8_t buf[BLK];

    th_assert_sc(th_read(r->h, .slba = slba, .data = buf), SUCCESS);
    for (unsigned i = 1; i < BLK; i++) {
        g_assert_cmpuint(buf[i], ==, buf[0]);
    }
    return buf[0];
}

static void flush(struct rig *r)
{
    struct envme_sqe s = th_sqe(ENVME_NVM_FLUSH, 1);

    th_assert_sc(th_io(r->h, 1, &s), SUCCESS);
}

static bool is_off(void *arg)
{
    struct rig *r = arg;

    return r->h->ctrl->life == ENVME_LIFE_DISABLED &&
           envme_ctrl_idle(r->h->ctrl);
}

/* A rule of the time cuts; the host then finds a controller that is off. */
static void cut(struct rig *r, const char *args)
{
    g_autofree char *rule = g_strdup_printf(
        "{'name': 'cut', 'on': 'time', 'when': {'from': 1000}, "
        "'do': {'power': %s}}", args);

    tf_rules(r->f, rule);
    th_close(r->h, NULL);
    th_advance(r->h, 2000);
    g_assert_true(th_until(r->h, is_off, r));
    th_run(r->h);
    g_assert_cmpint(tf_count(r->f, "cut", "hits"), ==, 1);
    g_assert_cmphex(th_r32(r->h, ENVME_REG_CC), ==, 0);
    g_assert_cmphex(th_r32(r->h, ENVME_REG_CSTS), ==, 0);
    g_assert_cmphex(th_r64(r->h, ENVME_REG_ACQ), ==, 0);
    th_forget(r->h);
    rig_up(r, 2);
}

static void test_flush(void)
{
    struct rig r;

    rig_init(&r, OPTS({ 0 }));
    put(&r, 0, 4, 1, false);
    put(&r, 100, 4, 2, false);
    g_assert_cmpuint(r.h->be[0]->nops[ENVME_BIO_WRITE], ==, 0);
    flush(&r);
    put(&r, 8, 4, 3, false);
    put(&r, 16, 4, 4, true);
    put(&r, 0, 4, 5, false);
    put(&r, 100, 4, 6, true);
    cut(&r, "{'lose': 'unflushed'}");
    g_assert_cmpuint(get(&r, 0), ==, 1);
    g_assert_cmpuint(get(&r, 8), ==, 0);
    g_assert_cmpuint(get(&r, 16), ==, 4);
    g_assert_cmpuint(get(&r, 100), ==, 6);
    put(&r, 8, 4, 7, false);
    cut(&r, "'none'");
    g_assert_cmpuint(get(&r, 8), ==, 7);
    g_assert_cmpstr(r.machine, ==, "");
    rig_done(&r);
}

/* regression: a host that was quick had a controller again before its media
 * had lost what they had to lose. */
static void test_too_early(void)
{
    struct rig r;

    rig_init(&r, OPTS({ 0 }));
    put(&r, 0, 4, 1, false);
    atomic_store(&r.h->be[0]->hold, true);
    tf_rules(r.f, "{'name': 'cut', 'on': 'time', 'when': {'from': 1000}, "
             "'do': {'power': 'none'}}");
    th_close(r.h, NULL);
    th_advance(r.h, 2000);
    th_run(r.h);
    g_assert_cmpuint(th_be_held(r.h->be[0]), >, 0);
    th_forget(r.h);
    g_assert_false(th_enable_as(r.h, TH_CC_DEFAULT, 16, 16));
    g_assert_cmphex(th_r32(r.h, ENVME_REG_CSTS), ==, 0);
    atomic_store(&r.h->be[0]->hold, false);
    th_be_release_all(r.h->be[0], 0);
    th_run(r.h);
    g_assert_cmphex(th_r32(r.h, ENVME_REG_CSTS), ==, ENVME_CSTS_RDY);
    th_disable(r.h);
    rig_up(&r, 2);
    g_assert_cmpuint(get(&r, 0), ==, 1);
    rig_done(&r);
}

/* With the cache off nothing is lost. */
static void test_cache_off(void)
{
    struct rig r;

    rig_init(&r, OPTS({ 0 }));
    put(&r, 0, 4, 1, false);
    th_assert_sc(th_set_feature(r.h, ENVME_FID_VWC, 0, 0, false), SUCCESS);
    put(&r, 4, 4, 2, false);
    cut(&r, "'unflushed'");
    g_assert_cmpuint(get(&r, 0), ==, 1);
    g_assert_cmpuint(get(&r, 4), ==, 2);
    rig_done(&r);
}

/* Controller resets do not take the power away. */
static void test_reset(void)
{
    struct rig r;

    rig_init(&r, OPTS({ 0 }));
    put(&r, 0, 4, 1, false);
    th_reset(r.h, ENVME_RESET_FUNCTION);
    rig_up(&r, 2);
    g_assert_cmpuint(get(&r, 0), ==, 1);
    th_reset(r.h, ENVME_RESET_NSSR);
    rig_up(&r, 2);
    g_assert_cmpuint(get(&r, 0), ==, 1);
    rig_done(&r);
}

/* A flush that lies, and a power loss that shows it. */
static void test_flush_lies(void)
{
    struct rig r;

    rig_init(&r, OPTS({ 0 }));
    put(&r, 0, 4, 1, false);
    tf_rules(r.f, "{'name': 'lie', 'match': {'opcode': 'flush'}, "
             "'do': {'skip': true}}");
    flush(&r);
    cut(&r, "'unflushed'");
    g_assert_cmpuint(get(&r, 0), ==, 0);
    rig_done(&r);
}

/* Up to AWUPF + 1 blocks: all or nothing; above it, block by block. */
static void test_awupf(void)
{
    unsigned some = 0, whole[3] = { 0 };

    for (unsigned seed = 1; seed <= 30; seed++) {
        g_autofree char *args = g_strdup_printf("{'lose': 'random', "
                                                "'seed': %u}", seed);
        uint8_t first[64];
        struct rig r;

        for (unsigned round = 0; round < 2; round++) {
            unsigned n = 0;

            rig_init(&r, OPTS({ 0 }));
            put(&r, 0, 4, 1, false);
            put(&r, 8, 4, 2, false);
            put(&r, 32, 16, 3, false);
            cut(&r, args);
            for (unsigned i = 0; i < 64; i++) {
                uint8_t v = get(&r, i);

                /* The same seed, the same loss. */
                g_assert_true(!round || v == first[i]);
                first[i] = v;
                n += i >= 32 && v;
            }
            for (unsigned w = 0; w < 2; w++) {
                for (unsigned i = 0; i < 4; i++) {
                    g_assert_cmpuint(first[w * 8 + i], ==, first[w * 8]);
                }
            }
            whole[first[0] != 0]++;
            some += n && n < 16;
            rig_done(&r);
        }
    }
    g_assert_cmpuint(some, >, 5);
    g_assert_cmpuint(whole[0], >, 5);
    g_assert_cmpuint(whole[1], >, 5);
}

/* tear false: none is torn; tear-size: even a block is. */
static void test_tear(void)
{
    unsigned torn = 0;

    for (unsigned seed = 1; seed <= 20; seed++) {
        g_autofree char *whole = g_strdup_printf(
            "{'lose': 'random', 'tear': false, 'seed': %u}", seed);
        g_autofree char *finer = g_strdup_printf(
            "{'lose': 'random', 'tear-size': 64, 'seed': %u}", seed);
        uint8_t buf[BLK];
        struct rig r;

        rig_init(&r, OPTS({ 0 }));
        put(&r, 0, 16, 1, false);
        cut(&r, whole);
        for (unsigned i = 1; i < 16; i++) {
            g_assert_cmpuint(get(&r, i), ==, get(&r, 0));
        }
        put(&r, 50, 1, 2, false);
        cut(&r, finer);
        th_assert_sc(th_read(r.h, .slba = 50, .data = buf), SUCCESS);
        for (unsigned i = 0; i < BLK; i++) {
            g_assert_true(buf[i] == 0 || buf[i] == 2);
            g_assert_cmpuint(buf[i], ==, buf[i - i % 64]);
            torn += buf[i] != buf[0];
        }
        rig_done(&r);
    }
    g_assert_cmpuint(torn, >, 0);
}

/* A block and its metadata are one thing, protection information or not. */
static void test_metadata(void)
{
    unsigned kept = 0;

    for (unsigned seed = 1; seed <= 24; seed++) {
        g_autofree char *args = g_strdup_printf("{'lose': 'random', "
                                                "'seed': %u}", seed);
        bool pi = seed & 1;
        struct rig r;

        rig_init(&r, &(struct th_opts){
            .ns = { { .size = 1 * MIB, .vwc = CACHE, .ms = 8, .pi = pi } },
            .tweak = awupf,
        });
        for (unsigned i = 0; i < 3; i++) {
            uint32_t nlb = i == 2 ? 300 : 4;
            g_autofree uint8_t *buf = g_malloc(nlb * BLK);
            g_autofree uint8_t *md = g_malloc(nlb * 8);

            memset(buf, i + 1, nlb * BLK);
            memset(md, i + 1, nlb * 8);
            th_assert_sc(th_write(r.h, .slba = 400 * i, .nlb = nlb,
                                  .data = buf, .md = pi ? NULL : md,
                                  .cdw12 = pi ? (uint32_t)FIELD_SET(
                                      ENVME_RW_PRINFO, ENVME_PRINFO_PRACT)
                                      : 0), SUCCESS);
        }
        cut(&r, args);
        for (unsigned i = 0; i < 3; i++) {
            for (unsigned b = 0; b < (i == 2 ? 300u : 4u); b++) {
                uint8_t buf[BLK], md[8];

                /* With protection information the guard is checked. */
                th_assert_sc(th_read(r.h, .slba = 400 * i + b, .data = buf,
                                     .md = md, .cdw12 = pi ?
                                     (uint32_t)FIELD_SET(ENVME_RW_PRINFO, 4)
                                     : 0), SUCCESS);
                g_assert_true(buf[0] == 0 || buf[0] == i + 1);
                g_assert_true(pi || md[7] == buf[0]);
                kept += buf[0] != 0;
            }
        }
        rig_done(&r);
    }
    g_assert_cmpuint(kept, >, 50);
}

/* What is in flight is never completed, and the caches of all are cut. */
static void test_in_flight(void)
{
    struct rig r;
    struct envme_sqe s;
    struct th_buf *b;
    uint16_t cid;
    uint8_t v = 9, buf[BLK];
    uint64_t upl;

    rig_init(&r, OPTS({ .size = 1 * MIB, .vwc = CACHE }));
    upl = r.h->ctrl->unsafe_shutdowns;
    b = th_buf_new(r.h, BLK, TH_PRP);
    s = th_sqe_rw(ENVME_NVM_READ, 1, 0, 1);
    th_buf_attach(b, &s);
    r.h->be[0]->hold = true;
    cid = th_submit(r.h, 1, &s);
    th_run(r.h);
    g_assert_false(th_done(r.h, 1, cid, NULL));
    memset(buf, v, BLK);
    th_assert_sc(th_write(r.h, .nsid = 2, .slba = 3, .data = buf), SUCCESS);
    r.h->be[0]->hold = false;
    th_be_release_all(r.h->be[0], -ECANCELED);
    cut(&r, "'unflushed'");
    g_assert_cmpuint(r.h->ctrl->unsafe_shutdowns, ==, upl + 1);
    th_assert_sc(th_read(r.h, .nsid = 2, .slba = 3, .data = buf), SUCCESS);
    g_assert_cmpuint(buf[0], ==, 0);
    th_buf_free(b);
    rig_done(&r);
}

/* The counters: a shutdown before makes it a clean one. */
static void test_clean(void)
{
    struct rig r;
    uint64_t upl, cycles;

    rig_init(&r, OPTS({ 0 }));
    put(&r, 0, 4, 1, false);
    upl = r.h->ctrl->unsafe_shutdowns;
    cycles = r.h->ctrl->power_cycles;
    th_w32(r.h, ENVME_REG_CC, th_r32(r.h, ENVME_REG_CC) |
           (uint32_t)FIELD_SET(ENVME_CC_SHN, ENVME_CC_SHN_NORMAL));
    th_run(r.h);
    cut(&r, "'unflushed'");
    g_assert_cmpuint(get(&r, 0), ==, 1);
    g_assert_cmpuint(r.h->ctrl->unsafe_shutdowns, ==, upl);
    g_assert_cmpuint(r.h->ctrl->power_cycles, ==, cycles + 1);
    cut(&r, "'unflushed'");
    g_assert_cmpuint(r.h->ctrl->unsafe_shutdowns, ==, upl + 1);
    rig_done(&r);
}

/* Images: all differ, the first has nothing, the second all. */
static void test_enumerate(void)
{
    struct rig r;

    rig_init(&r, OPTS({ 0 }));
    put(&r, 0, 1, 1, false);
    flush(&r);
    for (unsigned i = 0; i < 20; i++) {
        put(&r, i, 1, i + 2, false);
    }
    cut(&r, "{'enumerate': 40, 'dir': 'there', 'seed': 4}");
    g_assert_cmpstr(r.machine, ==, "quit");
    g_assert_cmpuint(r.images->len, ==, 40);
    for (unsigned i = 0; i < 40; i++) {
        const uint8_t *m = r.images->pdata[i];

        for (unsigned b = 0; b < 20; b++) {
            uint8_t v = m[b * BLK], old = b ? 0 : 1;

            g_assert_true(v == old || v == b + 2);
            g_assert_true(i != 0 || v == old);
            g_assert_true(i != 1 || v == b + 2);
        }
        for (unsigned k = 0; k < i; k++) {
            g_assert_cmpint(memcmp(m, r.images->pdata[k], 20 * BLK), !=, 0);
        }
    }
    /* The cut itself loses all that may be lost. */
    g_assert_cmpuint(get(&r, 0), ==, 1);
    g_assert_cmpuint(get(&r, 5), ==, 0);
    rig_done(&r);
}

/* Twenty writes, some of them over others; then images, by a seed. */
static GPtrArray *replay_images(unsigned seed)
{
    g_autofree char *json = g_strdup_printf(
        "{'enumerate': 30, 'dir': 'there', 'seed': %u}", seed);
    struct rig r;
    GPtrArray *images;

    rig_init(&r, OPTS({ 0 }));
    for (unsigned i = 0; i < 20; i++) {
        put(&r, i * 7 % 16, 1 + i % 6, i + 1, i == 4);
    }
    cut(&r, json);
    images = g_ptr_array_ref(r.images);
    rig_done(&r);
    return images;
}

/* The same writes and the same seed: the same states, in the same order. */
static void test_replay(void)
{
    g_autoptr(GPtrArray) a = replay_images(7), b = replay_images(7);
    g_autoptr(GPtrArray) other = replay_images(8);
    unsigned differ = 0;

    g_assert_cmpuint(a->len, ==, 30);
    g_assert_cmpuint(b->len, ==, 30);
    g_assert_cmpuint(other->len, ==, 30);
    for (unsigned i = 0; i < a->len; i++) {
        g_assert_cmpmem(a->pdata[i], 1 * MIB, b->pdata[i], 1 * MIB);
        differ += memcmp(a->pdata[i], other->pdata[i], 1 * MIB) != 0;
    }
    /* The first two are the same for every seed. */
    g_assert_cmpuint(differ, >, 20);
    g_assert_cmpuint(differ, <=, 28);
}

/* A cut at a command, with commands of two lanes on their way. */
static void test_at_command(void)
{
    struct rig r;

    rig_init(&r, OPTS({ 0 }));
    tf_rules(r.f, "{'name': 'cut', 'match': {'opcode': 'write'}, "
             "'when': {'nth': 5}, 'do': {'power': {'lose': 'none', "
             "'then': 'machine-reset'}}}");
    for (unsigned i = 0; i < 8; i++) {
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE_ZEROES, 1, i, 1);

        th_io(r.h, 1 + i % 2, &s);
    }
    g_assert_cmpint(tf_count(r.f, "cut", "matches"), ==, 0);
    for (unsigned i = 0; i < 4; i++) {
        put(&r, i, 1, i + 1, false);
    }
    {
        struct th_buf *b = th_buf_new(r.h, BLK, TH_PRP);
        struct envme_sqe s = th_sqe_rw(ENVME_NVM_WRITE, 1, 4, 1);

        th_buf_attach(b, &s);
        th_submit(r.h, 2, &s);
        g_assert_true(th_until(r.h, is_off, &r));
        th_run(r.h);
        th_forget(r.h);
        th_buf_free(b);
    }
    g_assert_cmpstr(r.machine, ==, "machine-reset");
    rig_up(&r, 2);
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmpuint(get(&r, i), ==, i + 1);
    }
    rig_done(&r);
}

/* A cut waits until there is enough to lose, however fast the host flushes. */
static void test_unflushed(void)
{
    struct rig r;
    struct envme_sqe flush = { .opc = ENVME_NVM_FLUSH };

    flush.nsid = le32(1);
    rig_init(&r, OPTS({ 0 }));
    tf_rules(r.f, "{'name': 'cut', 'match': {'opcode': 'flush', 'unflushed': "
             "[1024, 65536]}, 'when': {'nth': 2}, 'do': {'power': {'lose': "
             "'none', 'then': 'machine-reset'}}}");
    for (unsigned i = 0; i < 4; i++) {
        put(&r, i, 1, i + 1, false);
        th_io(r.h, 1, &flush);
        g_assert_cmpint(tf_count(r.f, "cut", "matches"), ==, 0);
    }
    put(&r, 8, 4, 1, false);
    th_io(r.h, 1, &flush);
    g_assert_cmpint(tf_count(r.f, "cut", "matches"), ==, 1);
    g_assert_false(is_off(&r));
    put(&r, 8, 4, 2, false);
    th_submit(r.h, 1, &flush);
    g_assert_true(th_until(r.h, is_off, &r));
    g_assert_cmpstr(r.machine, ==, "machine-reset");
    g_assert_cmpint(tf_count(r.f, "cut", "matches"), ==, 2);
    th_run(r.h);
    th_forget(r.h);
    rig_done(&r);
}

/* At once, without a rule. */
static void test_now(void)
{
    struct rig r;
    g_autoptr(GVariant) good = tf_json("{'power': 'unflushed'}");
    g_autoptr(GVariant) bad = tf_json("{'power': {'seed': -1}}");
    g_autoptr(GVariant) needs = tf_json("{'status': 'internal'}");
    char *err = NULL;

    rig_init(&r, OPTS({ 0 }));
    put(&r, 0, 1, 1, false);
    g_assert_false(envme_faults_do(r.f, bad, &err));
    g_assert_nonnull(strstr(err, "seed"));
    g_free(err);
    g_assert_false(envme_faults_do(r.f, needs, &err));
    g_assert_nonnull(strstr(err, "status"));
    g_free(err);
    g_assert_cmpuint(get(&r, 0), ==, 1);
    g_assert_true(envme_faults_do(r.f, good, &err));
    g_assert_true(th_until(r.h, is_off, &r));
    th_run(r.h);
    th_forget(r.h);
    rig_up(&r, 2);
    g_assert_cmpuint(get(&r, 0), ==, 0);
    rig_done(&r);
}

/* What is refused, and by which sentence. */
static void test_refused(void)
{
    static const char *const wrong[][2] = {
        { "{'cut': false}", "only true" },
        { "{'enumerate': 3}", "dir" },
        { "{'dir': 'x'}", "enumerate" },
        { "{'lose': 'some'}", "unflushed" },
        { "{'enumerate': 3, 'dir': 'x', 'then': 'reset'}", "stop" },
        { "{'enumerate': 3, 'dir': 'x', 'lose': 'none'}", "unflushed" },
        { "{'then': 'explode'}", "machine-reset" },
        { "{'tear-size': 0}", "tear-size" },
    };
    struct rig r;

    rig_init(&r, OPTS({ 0 }));
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *file = g_strdup_printf(
            "{'rules': [{'name': 'p', 'on': 'time', 'do': {'power': %s}}]}",
            wrong[i][0]);
        g_autofree char *err = tf_wrong(r.f, file);

        g_assert_nonnull(strstr(err, "power"));
        g_assert_nonnull(strstr(err, wrong[i][1]));
    }
    rig_done(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/powerloss/flush", test_flush);
    g_test_add_func("/powerloss/too-early", test_too_early);
    g_test_add_func("/powerloss/cache-off", test_cache_off);
    g_test_add_func("/powerloss/reset", test_reset);
    g_test_add_func("/powerloss/flush-lies", test_flush_lies);
    g_test_add_func("/powerloss/awupf", test_awupf);
    g_test_add_func("/powerloss/tear", test_tear);
    g_test_add_func("/powerloss/metadata", test_metadata);
    g_test_add_func("/powerloss/in-flight", test_in_flight);
    g_test_add_func("/powerloss/clean", test_clean);
    g_test_add_func("/powerloss/enumerate", test_enumerate);
    g_test_add_func("/powerloss/replay", test_replay);
    g_test_add_func("/powerloss/at-command", test_at_command);
    g_test_add_func("/powerloss/unflushed", test_unflushed);
    g_test_add_func("/powerloss/now", test_now);
    g_test_add_func("/powerloss/refused", test_refused);
    return g_test_run();
}
