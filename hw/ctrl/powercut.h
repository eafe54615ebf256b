/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power loss of a subsystem: all its controllers stop, commands in flight are
 * never completed, what the volatile write caches (hw/ns/vwc.h) hold is lost,
 * kept or torn as the specification allows, and everything is as after power
 * on. Base 2.1, 3.6 and 7.2; NVM 1.1, 2.1.4. Lane 0.
 *
 * What other backends cache is not lost: it is theirs.
 */
#ifndef ENVME_CTRL_POWERCUT_H
#define ENVME_CTRL_POWERCUT_H

#include "hw/ctrl/ctrl.h"
#include "hw/ns/vwc.h"

/* One way in which a medium could have been left. */
struct envme_power_image {
    struct envme_backend *be;   /* the cache in front of the medium */
    uint32_t nsid;              /* that came with it */
    unsigned index;             /* from 0 */
    const struct envme_vwc_view *view;
    const GArray *pieces;       /* struct envme_crash_piece */
};

struct envme_power_opts {
    enum envme_crash_lose lose;
    struct envme_crash_opts crash;
    uint64_t seed;
    unsigned enumerate;         /* crash states told to image() */
    /* All of a medium, then the next; before anything has been written. */
    void (*image)(void *opaque, const struct envme_power_image *img);
    /* Calls fn(arg) once, when image() can do its work; not before this has
     * returned. Lane 0. NULL: it always can. */
    void (*when_able)(void *opaque, void (*fn)(void *arg), void *arg);
    void *opaque;
};

struct envme_power_result {
    unsigned media;             /* with a cache */
    unsigned requests;          /* that were in them */
    unsigned pieces;            /* of these that are on the media now */
    unsigned images;
    int err;                    /* what was kept could not be written */
};

/*
 * The subsystem of ctrl loses power. done comes when it has it again, on lane
 * 0, perhaps before this returns. Not from a hook.
 */
void envme_power_cut(struct envme_ctrl *ctrl,
                     const struct envme_power_opts *opts,
                     void (*done)(void *arg,
                                  const struct envme_power_result *res),
                     void *arg);

#endif
