/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The look ahead in submission queues: what it tells the medium of, and that
 * nothing comes of it but time.
 */
#include "th.h"

static struct th *ahead_host(unsigned entries)
{
    struct th *h = th_new(.lanes = 0);

    th_enable(h);
    th_queues(h, 1, entries);
    return h;
}

static void put(struct th *h, uint8_t opc, uint32_t nsid, uint64_t slba)
{
    struct envme_sqe s = th_sqe_rw(opc, nsid, slba, 1);

    th_abandon(h, 1, th_put(h, 1, &s));
}

static void ring(struct th *h)
{
    th_ring(h, 1);
    th_run(h);
    th_reap(h, 1);
}

/* Each command but the first of a turn, before it is carried out. */
static void test_expects(void)
{
    struct th *h = ahead_host(16);
    struct th_be *be = h->be[0];

    put(h, ENVME_NVM_READ, 1, 5);
    ring(h);
    g_assert_cmpuint(be->nexpected, ==, 0);
    put(h, ENVME_NVM_READ, 1, 6);
    put(h, ENVME_NVM_READ, 1, 7);
    ring(h);
    g_assert_cmpuint(be->nexpected, ==, 1);
    g_assert_cmpuint(be->expected, ==, 7 * 512);
    put(h, ENVME_NVM_READ, 1, 1);
    put(h, ENVME_NVM_WRITE, 1, 2);
    put(h, ENVME_NVM_FLUSH, 1, 3);
    put(h, ENVME_NVM_READ, 1, 4);
    ring(h);
    g_assert_cmpuint(be->nexpected, ==, 3);
    g_assert_cmpuint(be->expected, ==, 4 * 512);
    th_free(h);
}

/* Round the end of the ring, and what no command should say. */
static void test_nonsense(void)
{
    static const uint32_t nsids[] = { 0, 1, 2, 257, UINT32_MAX };
    struct th *h = ahead_host(4);

    for (unsigned i = 0; i < 40; i++) {
        put(h, ENVME_NVM_FLUSH, 1, 0);
        put(h, i % 2 ? ENVME_NVM_READ : ENVME_NVM_WRITE,
            nsids[i % ENVME_ARRAY_SIZE(nsids)], UINT64_MAX >> i % 64);
        ring(h);
    }
    g_assert_cmpuint(h->be[0]->nexpected, ==, 8);
    th_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ahead/expects", test_expects);
    g_test_add_func("/ahead/nonsense", test_nonsense);
    return g_test_run();
}
