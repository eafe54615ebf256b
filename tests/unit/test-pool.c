/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capacity: against a model that has an owner for every byte. */
#include <glib.h>
#include <string.h>

#include "envme/bytes.h"
#include "hw/ns/pool.h"

#define MEMBERS 3
#define BYTES   4096
#define OWNERS  40

static char ids[MEMBERS];

struct owner {
    struct envme_extent *ext;
    unsigned n;
};

struct model {
    struct envme_pool *p;
    uint64_t size[MEMBERS];
    uint8_t map[MEMBERS][BYTES];    /* 0: nobody */
    struct owner owner[OWNERS];
};

static unsigned member_of(const struct envme_extent *e)
{
    return (char *)e->member - ids;
}

static void model_mark(struct model *m, const struct envme_extent *e,
                       uint8_t from, uint8_t to)
{
    unsigned k = member_of(e);

    g_assert_cmpuint(e->len, >, 0);
    g_assert_cmpuint(e->offset + e->len, <=, m->size[k]);
    for (uint64_t i = e->offset; i < e->offset + e->len; i++) {
        g_assert_cmpuint(m->map[k][i], ==, from);
        m->map[k][i] = to;
    }
}

static void model_check(struct model *m)
{
    uint64_t unused = 0, total = 0;

    for (unsigned k = 0; k < MEMBERS; k++) {
        total += m->size[k];
        for (uint64_t i = 0; i < m->size[k]; i++) {
            unused += !m->map[k][i];
        }
    }
    g_assert_cmpuint(envme_pool_total(m->p), ==, total);
    g_assert_cmpuint(envme_pool_unused(m->p), ==, unused);
}

/* How much the model could give with that alignment. */
static uint64_t model_room(const struct model *m, uint32_t align)
{
    uint64_t room = 0;

    for (unsigned k = 0; k < MEMBERS; k++) {
        for (uint64_t i = 0; i + align <= m->size[k]; i += align) {
            bool free = true;

            for (uint64_t j = i; j < i + align; j++) {
                free &= !m->map[k][j];
            }
            room += free ? align : 0;
        }
    }
    return room;
}

/* The longest run of bytes from a multiple of align on. */
static bool model_one_piece(const struct model *m, uint64_t len,
                            uint32_t align)
{
    for (unsigned k = 0; k < MEMBERS; k++) {
        for (uint64_t i = 0; i + len <= m->size[k]; i += align) {
            uint64_t j = i;

            while (j < i + len && !m->map[k][j]) {
                j++;
            }
            if (j == i + len) {
                return true;
            }
        }
    }
    return false;
}

static void carve(struct model *m, unsigned who, uint64_t len, uint32_t align)
{
    struct owner *o = &m->owner[who];
    uint64_t room = model_room(m, align), got = 0;
    bool one = model_one_piece(m, len, align);

    o->n = envme_pool_carve(m->p, len, align, &o->ext);
    if (len > room) {
        g_assert_cmpuint(o->n, ==, 0);
        g_assert_null(o->ext);
        return;
    }
    g_assert_cmpuint(o->n, >, 0);
    g_assert_true((o->n == 1) == one);
    for (unsigned i = 0; i < o->n; i++) {
        g_assert_cmpuint(o->ext[i].offset % align, ==, 0);
        g_assert_cmpuint(o->ext[i].len % align, ==, 0);
        model_mark(m, &o->ext[i], 0, who + 1);
        got += o->ext[i].len;
    }
    g_assert_cmpuint(got, ==, len);
}

static void give(struct model *m, unsigned who)
{
    struct owner *o = &m->owner[who];

    for (unsigned i = 0; i < o->n; i++) {
        model_mark(m, &o->ext[i], who + 1, 0);
    }
    envme_pool_give(m->p, o->ext, o->n);
    g_free(o->ext);
    *o = (struct owner){ 0 };
}

static void test_random(void)
{
    for (unsigned round = 0; round < 20; round++) {
        g_autoptr(GRand) r = g_rand_new_with_seed(round);
        struct model *m = g_new0(struct model, 1);

        m->p = envme_pool_new();
        for (unsigned k = 0; k < MEMBERS; k++) {
            m->size[k] = g_rand_int_range(r, 1, BYTES + 1);
            envme_pool_add(m->p, &ids[k], m->size[k]);
        }
        for (unsigned n = 0; n < 400; n++) {
            unsigned who = g_rand_int_range(r, 0, OWNERS);
            uint32_t align = round & 1 ? 1 : 1u << g_rand_int_range(r, 0, 7);

            if (m->owner[who].n) {
                give(m, who);
            } else {
                carve(m, who, (uint64_t)align *
                      g_rand_int_range(r, 1, 1200 / align + 2), align);
            }
            model_check(m);
        }
        for (unsigned i = 0; i < OWNERS; i++) {
            give(m, i);
        }
        model_check(m);
        g_assert_cmpuint(envme_pool_unused(m->p), ==,
                         envme_pool_total(m->p));
        envme_pool_free(m->p);
        g_free(m);
    }
}

/* All that there is, to the byte, and not one more. */
static void test_exact(void)
{
    struct envme_pool *p = envme_pool_new();
    struct envme_extent *e, whole = { &ids[1], 0, 1000 };

    g_assert_cmpuint(envme_pool_total(p), ==, 0);
    g_assert_cmpuint(envme_pool_carve(p, 1, 1, &e), ==, 0);
    envme_pool_add(p, &ids[0], 1040);
    envme_pool_add(p, &ids[1], 1000);
    g_assert_true(envme_pool_has(p, &ids[1]));
    g_assert_false(envme_pool_has(p, &ids[2]));
    g_assert_cmpuint(envme_pool_carve(p, 2041, 1, &e), ==, 0);
    g_assert_cmpuint(envme_pool_carve(p, 2040, 8, &e), ==, 2);
    g_assert_true(e[0].member == &ids[0] && e[1].member == &ids[1]);
    g_assert_cmpuint(envme_pool_unused(p), ==, 0);
    g_assert_false(envme_pool_take(p, &whole));
    envme_pool_give(p, e, 2);
    g_free(e);
    g_assert_true(envme_pool_take(p, &whole));
    g_assert_false(envme_pool_take(p, &whole));
    envme_pool_give(p, &whole, 1);
    whole.len++;
    g_assert_false(envme_pool_take(p, &whole));
    whole = (struct envme_extent){ &ids[1], UINT64_MAX, 2 };
    g_assert_false(envme_pool_take(p, &whole));
    envme_pool_remove(p, &ids[0]);
    g_assert_cmpuint(envme_pool_total(p), ==, 1000);
    envme_pool_free(p);
}

/* First fit, from a page boundary on where there is room. */
static void test_first_fit(void)
{
    struct envme_pool *p = envme_pool_new();
    struct envme_extent *a, *b, *c;

    envme_pool_add(p, &ids[0], 20000);
    g_assert_cmpuint(envme_pool_carve(p, 520, 8, &a), ==, 1);
    g_assert_cmpuint(a->offset, ==, 0);
    g_assert_cmpuint(envme_pool_carve(p, 5200, 8, &b), ==, 1);
    g_assert_cmpuint(b->offset, ==, 4096);
    /* only the gap and the end are left */
    g_assert_cmpuint(envme_pool_carve(p, 10000, 8, &c), ==, 1);
    g_assert_cmpuint(c->offset, ==, 9296);
    envme_pool_give(p, c, 1);
    g_free(c);
    g_assert_cmpuint(envme_pool_carve(p, 20000 - 520 - 5200, 8, &c), ==, 2);
    g_assert_cmpuint(c[0].offset, ==, 520);
    g_assert_cmpuint(c[1].offset, ==, 9296);
    g_free(a);
    g_free(b);
    g_free(c);
    envme_pool_free(p);
}

static void test_resize(void)
{
    struct envme_pool *p = envme_pool_new();
    struct envme_extent *a, *b;

    envme_pool_add(p, &ids[0], 8192);
    g_assert_cmpuint(envme_pool_carve(p, 8192, 512, &a), ==, 1);
    envme_pool_resize(p, &ids[0], 12288);
    g_assert_cmpuint(envme_pool_total(p), ==, 12288);
    g_assert_cmpuint(envme_pool_unused(p), ==, 4096);
    envme_pool_resize(p, &ids[0], 4096);
    g_assert_cmpuint(envme_pool_total(p), ==, 8192);
    g_assert_cmpuint(envme_pool_unused(p), ==, 0);
    g_assert_cmpuint(envme_pool_carve(p, 512, 512, &b), ==, 0);
    envme_pool_give(p, a, 1);
    g_assert_cmpuint(envme_pool_total(p), ==, 4096);
    g_assert_cmpuint(envme_pool_unused(p), ==, 4096);
    envme_pool_set_usable(p, &ids[0], false);
    g_assert_cmpuint(envme_pool_unused(p), ==, 0);
    g_assert_cmpuint(envme_pool_carve(p, 512, 512, &b), ==, 0);
    g_free(a);
    envme_pool_free(p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pool/random", test_random);
    g_test_add_func("/pool/exact", test_exact);
    g_test_add_func("/pool/first-fit", test_first_fit);
    g_test_add_func("/pool/resize", test_resize);
    return g_test_run();
}
