/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/core/pstate.h"

#include <glib.h>

#define PSTATE_DEFAULT "8W:4500mW/0/0/60:3W/0/0/40:" \
                       "50mW/2000/1000/idle:5mW/4000/6000/idle"
/* MP has 16 bits of hundredths of a watt. */
#define PSTATE_MAX_MW 655350
/* As long as a command may be expected to take at all. */
#define PSTATE_MAX_US 60000000u

static bool pstate_number(const char *s, uint64_t max, uint32_t *v,
                          const char **end)
{
    char *e;
    guint64 n;

    if (!g_ascii_isdigit(*s)) {
        return false;
    }
    n = g_ascii_strtoull(s, &e, 10);
    *v = n;
    *end = e;
    return n <= max;
}

/* "8W", "50mW" */
static bool pstate_power(const char *s, uint32_t *mw)
{
    const char *unit;

    if (!pstate_number(s, PSTATE_MAX_MW, mw, &unit)) {
        return false;
    }
    if (g_str_equal(unit, "W") && *mw <= PSTATE_MAX_MW / 1000) {
        *mw *= 1000;
        return true;
    }
    return g_str_equal(unit, "mW");
}

static bool pstate_latency(const char *s, uint32_t *us)
{
    const char *end;

    return pstate_number(s, PSTATE_MAX_US, us, &end) && !*end;
}

static bool pstate_speed(const char *s, uint8_t *speed)
{
    const char *end;
    uint32_t v = 0;

    if (!g_str_equal(s, "idle") &&
        !(pstate_number(s, 100, &v, &end) && !*end && v)) {
        return false;
    }
    *speed = v;
    return true;
}

static bool pstate_parse(const char *text, struct envme_pstate *p)
{
    g_auto(GStrv) f = g_strsplit(text, "/", -1);
    unsigned n = g_strv_length(f);

    *p = (struct envme_pstate){ .speed = 100 };
    return n >= 1 && n <= 6 && n != 2 && pstate_power(f[0], &p->mw) &&
           (n < 3 || (pstate_latency(f[1], &p->enlat) &&
                      pstate_latency(f[2], &p->exlat))) &&
           (n < 4 || pstate_speed(f[3], &p->speed)) &&
           (n < 5 || pstate_power(f[4], &p->idle_mw)) &&
           (n < 6 || pstate_power(f[5], &p->active_mw));
}

static char *pstates_parse(const char *text, struct envme_pstates *t)
{
    g_auto(GStrv) f = g_strsplit(text, ":", -1);

    for (unsigned i = 0; f[i]; i++) {
        if (i == ENVME_PSTATES) {
            return g_strdup_printf("power-states has more than %d states",
                                   ENVME_PSTATES);
        }
        if (!pstate_parse(f[i], &t->s[i])) {
            return g_strdup_printf("power-states: '%s' is not POWER[/ENLAT/"
                                   "EXLAT[/SPEED[/IDLE[/ACTIVE]]]], as in "
                                   "8W or 50mW/2000/1000/idle", f[i]);
        }
        if (i && t->s[i].mw > t->s[i - 1].mw) {
            return g_strdup_printf("power-states: state %u (%s) takes more "
                                   "power than the one before; the highest "
                                   "comes first", i, f[i]);
        }
        t->n = i + 1;
    }
    if (!t->n) {
        return g_strdup("power-states is empty; off is one state");
    }
    if (!t->s[0].speed) {
        return g_strdup("power-states: state 0 has to be an operational one");
    }
    return NULL;
}

char *envme_pstates_parse(const char *text, struct envme_pstates *t)
{
    *t = (struct envme_pstates){ 0 };
    if (!text || g_str_equal(text, "off") || g_str_equal(text, "1")) {
        return NULL;
    }
    return pstates_parse(g_str_equal(text, "on") ? PSTATE_DEFAULT : text, t);
}

bool envme_pstates_any_nops(const struct envme_pstates *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (envme_pstate_nops(t, i)) {
            return true;
        }
    }
    return false;
}

unsigned envme_pstates_rank(const struct envme_pstates *t, unsigned i)
{
    unsigned rank = 0;

    for (unsigned k = 0; k < t->n; k++) {
        rank += t->s[k].speed > t->s[i].speed;
    }
    return rank;
}
