/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data path allocates nothing: once a controller has had as many commands,
 * and as large ones, at once, the same again take no memory and no deferred call.
 * (Compare, Verify, bit buckets and what is not plain memory have a buffer of
 * their own while they run.)
 */
#include "th.h"

#define SIZE 32
#define MOST (32 * KIB)

static const unsigned shapes[] = {
    0, TH_OFFSET, TH_SGL, TH_SGL | TH_SGL_INLINE,
};

static const uint8_t opcodes[] = {
    ENVME_NVM_READ, ENVME_NVM_WRITE, ENVME_NVM_FLUSH, ENVME_NVM_WRITE_ZEROES,
};

struct world {
    struct th *h;
    struct th_buf *b[G_N_ELEMENTS(shapes)];
};

/* A full queue of each command. */
static void burst(struct world *w, uint8_t opc, struct th_buf *b)
{
    struct th *h = w->h;

    for (unsigned i = 0; i < SIZE - 1; i++) {
        struct envme_sqe s = opc == ENVME_NVM_FLUSH ? th_sqe(opc, 1) :
                             th_sqe_rw(opc, 1, 7 * i, MOST / 512);

        if (opc == ENVME_NVM_READ || opc == ENVME_NVM_WRITE) {
            th_buf_attach(b, &s);
        }
        th_abandon(h, 1, th_put(h, 1, &s));
    }
    th_ring(h, 1);
    th_run(h);
    g_assert_cmpuint(th_reap(h, 1), ==, SIZE - 1);
    th_run(h);
}

static void all(struct world *w)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(opcodes); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(shapes); j++) {
            burst(w, opcodes[i], w->b[j]);
        }
    }
}

static void run(bool later, unsigned lanes, bool shadow)
{
    struct world w = { 0 };

    w.h = th_new(.lanes = lanes, .map_direct = true);
    th_enable(w.h);
    th_queues(w.h, 1, SIZE);
    if (shadow) {
        th_assert_code(th_shadow(w.h), SUCCESS);
    }
    atomic_store(&w.h->be[0]->later, later);
    for (unsigned j = 0; j < G_N_ELEMENTS(shapes); j++) {
        w.b[j] = th_buf_new(w.h, MOST, shapes[j]);
        th_buf_fill(w.b[j], 0);
    }
    all(&w);
    /* The first time it does: the count counts. */
    g_assert_cmpuint(th_nallocs, >, 0);
    th_nallocs = 0;
    all(&w);
    all(&w);
    g_assert_cmpuint(th_nallocs, ==, 0);
    for (unsigned j = 0; j < G_N_ELEMENTS(shapes); j++) {
        th_buf_free(w.b[j]);
    }
    th_free(w.h);
}

static void test_inline(void)
{
    run(false, 0, false);
}

static void test_later(void)
{
    run(true, 0, false);
}

static void test_lane(void)
{
    run(false, 1, true);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/alloc/inline", test_inline);
    g_test_add_func("/alloc/later", test_later);
    g_test_add_func("/alloc/lane", test_lane);
    return g_test_run();
}
