/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "hw/ctrl/poll.h"

#include "hw/ctrl/doorbell.h"
#include "hw/ctrl/lane.h"
#include "hw/ctrl/mapped.h"

void envme_poll_empty(struct envme_sq *sq)
{
    struct envme_lane *lane = sq->cq->lane;

    if (!lane->looking) {
        lane->look_wanted = true;
        envme_shadow_arm_sq(sq);
        return;
    }
    if (!sq->watched) {
        sq->watched = true;
        sq->watch_next = lane->watched;
        lane->watched = sq;
    }
}

static struct envme_sq *poll_take(struct envme_lane *lane)
{
    struct envme_sq *sq = lane->watched;

    if (sq) {
        lane->watched = sq->watch_next;
        sq->watched = false;
    }
    return sq;
}

/*
 * True when a host has written a doorbell until just now. With Bus Master off
 * nothing is read or written: when it is on again, all queues of the lane are
 * armed.
 */
bool envme_poll_arm_all(struct envme_lane *lane)
{
    struct envme_sq *sq;
    bool news = false;

    if (!lane->watched) {
        return false;
    }
    /* It touches host memory: as in envme_lane_run(). */
    envme_lane_touch(lane);
    while ((sq = poll_take(lane))) {
        uint32_t tail = sq->ring.tail;

        envme_shadow_arm_sq(sq);
        news = news || sq->ring.tail != tail;
    }
    envme_lane_untouch(lane);
    return news;
}

void envme_poll_forget_all(struct envme_lane *lane)
{
    while (poll_take(lane)) {
    }
}

void envme_lane_poll_begin(struct envme_ctrl *ctrl, unsigned index)
{
    struct envme_lane *lane = &ctrl->lane[index];

    lane->looking = true;
}

void envme_lane_poll_end(struct envme_ctrl *ctrl, unsigned index)
{
    struct envme_lane *lane = &ctrl->lane[index];

    lane->looking = false;
    if (envme_poll_arm_all(lane)) {
        envme_kick(ctrl, index);
    }
}

bool envme_lane_poll_wanted(struct envme_ctrl *ctrl, unsigned index)
{
    struct envme_lane *lane = &ctrl->lane[index];
    bool wanted = lane->look_wanted;

    lane->look_wanted = false;
    return wanted;
}

bool envme_lane_poll(struct envme_ctrl *ctrl, unsigned index)
{
    struct envme_lane *lane = &ctrl->lane[index];
    struct envme_sq **p = &lane->watched;
    struct envme_sq *sq;
    bool news = false;

    /* Within a turn that waits for something else, its end will look. */
    if (lane->running || !envme_lane_runs(lane)) {
        return false;
    }
    if (ctrl->ports.doorbells.base && !envme_mapped_is_off(ctrl) &&
        envme_mapped_news(lane)) {
        return true;
    }
    if (!lane->watched) {
        return false;
    }
    envme_lane_touch(lane);
    while (atomic_load(&ctrl->bme) && (sq = *p)) {
        uint32_t tail = sq->ring.tail;

        if (envme_shadow_look_sq(sq)) {
            p = &sq->watch_next;
        } else {
            /* Nonsense, or it cannot be read: not again before it rings. */
            *p = sq->watch_next;
            sq->watched = false;
            envme_shadow_arm_sq(sq);
        }
        news = news || sq->ring.tail != tail;
    }
    envme_lane_untouch(lane);
    return news;
}
