/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ns/bootpart.h"

#include <stdio.h>
#include <string.h>

#include "envme/bytes.h"
#include "envme/feat.h"

#define BP_VERSION 1

struct bp_record {              /* "bp" */
    le32_t version;
    uint8_t active, rsvd5[3];
};
_Static_assert(sizeof(struct bp_record) == 8, "on disk");

struct bp_data_record {         /* "bp/0", "bp/1" */
    le32_t version, rsvd4;
    uint8_t data[];             /* zeroes at the end are left out */
};
_Static_assert(sizeof(struct bp_data_record) == 8, "on disk");
_Static_assert((size_t)ENVME_BOOTPART_MAX * ENVME_BOOTPART_UNIT +
               sizeof(struct bp_data_record) <= ENVME_STATE_RECORD_MAX,
               "one record holds a partition");

static void bp_name(char name[8], unsigned id)
{
    snprintf(name, 8, "bp/%u", id & 1);
}

/* What was kept of a larger one is not there. */
static bool bp_load_data(struct envme_bootpart *bp, unsigned id)
{
    const struct bp_data_record *r;
    char name[8];
    bool ok = false;
    GBytes *b;
    gsize len;

    bp_name(name, id);
    b = envme_state_get(bp->state, name);
    if (!b) {
        return false;
    }
    r = g_bytes_get_data(b, &len);
    if (len >= sizeof(*r) && len - sizeof(*r) <= bp->size &&
        le32_get(r->version) == BP_VERSION) {
        memcpy(bp->data[id], r->data, len - sizeof(*r));
        ok = true;
    }
    g_bytes_unref(b);
    return ok;
}

struct envme_bootpart *envme_bootpart_new(struct envme_state *state,
                                          uint32_t units,
                                          const void *const init[2],
                                          const size_t len[2])
{
    struct envme_bootpart *bp = g_new0(struct envme_bootpart, 1);
    struct bp_record r;

    bp->state = state;
    bp->units = units;
    bp->size = (size_t)units * ENVME_BOOTPART_UNIT;
    for (unsigned i = 0; i < 2; i++) {
        bp->wps[i] = ENVME_BPWP_LOCKED;
        bp->data[i] = g_malloc0(bp->size);
        if (!bp_load_data(bp, i) && init[i]) {
            memcpy(bp->data[i], init[i], len[i]);
        }
    }
    envme_state_read(state, "bp", &r, sizeof(r));
    if (le32_get(r.version) == BP_VERSION) {
        bp->active = r.active & 1;
    }
    return bp;
}

void envme_bootpart_free(struct envme_bootpart *bp)
{
    if (bp) {
        g_free(bp->data[0]);
        g_free(bp->data[1]);
        g_free(bp);
    }
}

void envme_bootpart_write(struct envme_bootpart *bp, unsigned id,
                          const void *buf, size_t len)
{
    struct bp_data_record *r;
    char name[8];

    memcpy(bp->data[id], buf, len);
    memset(bp->data[id] + len, 0, bp->size - len);
    if (!bp->state) {
        return;
    }
    while (len && !bp->data[id][len - 1]) {
        len--;
    }
    r = g_malloc0(sizeof(*r) + len);
    r->version = le32(BP_VERSION);
    memcpy(r->data, bp->data[id], len);
    bp_name(name, id);
    envme_state_put(bp->state, name, r, sizeof(*r) + len);
    g_free(r);
}

void envme_bootpart_activate(struct envme_bootpart *bp, unsigned id)
{
    const struct bp_record r = { .version = le32(BP_VERSION), .active = id };

    bp->active = id;
    envme_state_put(bp->state, "bp", &r, sizeof(r));
}
