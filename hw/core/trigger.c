/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/core/trigger.h"

uint64_t envme_rng_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

double envme_rng_unit(uint64_t *state)
{
    return (double)(envme_rng_next(state) >> 11) / (double)(UINT64_C(1) << 53);
}

uint64_t envme_rng_below(uint64_t *state, uint64_t n)
{
    /* The bias is n / 2^64: nobody will see it. */
    return envme_rng_next(state) % n;
}

uint64_t envme_rng_seed(uint64_t seed, const char *name)
{
    /* FNV-1a, so that rules do not share a sequence and the order of the
     * rules does not matter. */
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *name; name++) {
        h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    }
    seed ^= h;
    return envme_rng_next(&seed);
}

void envme_when_init(struct envme_when *when)
{
    *when = (struct envme_when){
        .probability = 1, .to = ENVME_TRIGGER_EVER,
    };
}

void envme_trigger_arm(struct envme_trigger *t, const struct envme_when *when,
                       uint64_t seed, uint64_t now)
{
    *t = (struct envme_trigger){
        .when = *when, .armed_at = now, .rng = seed,
    };
}

bool envme_trigger_match(struct envme_trigger *t, uint64_t now)
{
    const struct envme_when *w = &t->when;
    uint64_t age = now - t->armed_at;

    /* Before its time nothing counts: "the 3rd after 10 s". */
    if (age < w->from || (w->to != ENVME_TRIGGER_EVER && age >= w->to)) {
        return false;
    }
    t->matches++;
    if ((w->nth && t->matches != w->nth) ||
        (w->every && t->matches % w->every) ||
        (w->first && t->matches > w->first) ||
        (w->times && t->hits >= w->times)) {
        return false;
    }
    if (w->probability < 1 && envme_rng_unit(&t->rng) >= w->probability) {
        return false;
    }
    t->hits++;
    return true;
}

bool envme_trigger_is_spent(const struct envme_trigger *t, uint64_t now)
{
    const struct envme_when *w = &t->when;

    return (w->nth && t->matches >= w->nth) ||
           (w->first && t->matches >= w->first) ||
           (w->times && t->hits >= w->times) ||
           (w->to != ENVME_TRIGGER_EVER && now - t->armed_at >= w->to);
}
