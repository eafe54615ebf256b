/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Range lock, against a model that looks at everybody every time. */
#include <glib.h>

#include "hw/core/rangelock.h"

#define N 40

struct user {
    struct envme_rangelock_entry e;
    unsigned seq;               /* order of arrival; 0: not there */
    bool goes;
};

static bool in_the_way(const struct user *a, const struct user *b)
{
    return !(a->e.shared && b->e.shared) && a->e.start < b->e.end &&
           b->e.start < a->e.end;
}

static bool model_goes(const struct user *u, unsigned i)
{
    for (unsigned j = 0; j < N; j++) {
        if (u[j].seq && u[j].seq < u[i].seq && in_the_way(&u[i], &u[j])) {
            return false;
        }
    }
    return true;
}

static void check(const struct user *u)
{
    for (unsigned i = 0; i < N; i++) {
        if (u[i].seq) {
            g_assert_cmpint(u[i].goes, ==, model_goes(u, i));
            g_assert_cmpint(u[i].goes, ==, !u[i].e.blockers);
        }
        for (unsigned j = 0; j < i; j++) {
            g_assert_false(u[i].seq && u[j].seq && u[i].goes && u[j].goes &&
                           in_the_way(&u[i], &u[j]));
        }
    }
}

static void leave(struct envme_rangelock *l, struct user *x)
{
    struct envme_rangelock_entry *go = envme_rangelock_leave(l, &x->e);

    x->seq = 0;
    for (; go; go = go->go_next) {
        struct user *w = (struct user *)go;

        g_assert_true(w->seq && !w->goes);
        w->goes = true;
    }
}

static void test_model(void)
{
    struct envme_rangelock l = { 0 };
    struct user u[N] = { 0 };
    unsigned seq = 0, waited = 0;

    for (unsigned i = 0; i < 30000; i++) {
        unsigned k = g_test_rand_int_range(0, N);
        struct user *x = &u[k];

        if (!x->seq) {
            x->e.start = g_test_rand_int_range(0, 100);
            x->e.end = x->e.start + g_test_rand_int_range(1, 30);
            x->e.shared = g_test_rand_bit();
            x->seq = ++seq;
            x->goes = envme_rangelock_enter(&l, &x->e);
            waited += !x->goes;
        } else if (x->goes && i % 7 == 0) {
            /* To somebody else: nothing changes for the others. */
            for (unsigned j = 0; j < N; j++) {
                if (!u[j].seq) {
                    envme_rangelock_hand_over(&l, &x->e, &u[j].e);
                    u[j].seq = x->seq;
                    u[j].goes = true;
                    x->seq = 0;
                    break;
                }
            }
        } else {
            leave(&l, x);       /* through, or tired of waiting */
        }
        check(u);
    }
    g_assert_cmpuint(waited, >, 1000);
    for (unsigned i = 0; i < N; i++) {
        if (u[i].seq) {
            leave(&l, &u[i]);
        }
    }
    g_assert_null(l.head);
    g_assert_null(l.tail);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rangelock/model", test_model);
    return g_test_run();
}
