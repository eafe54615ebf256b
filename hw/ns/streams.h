/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of a subsystem: who may open how many, and which are open. Base 2.1,
 * 8.1.8.3.
 *
 * A controller stands for the host behind it: each is a host of its own, even
 * if several have the same Host Identifier; SSID is 0. Owner: the subsystem. Threads:
 * any; its own leaf lock. A NULL pointer is a subsystem without streams. What
 * is tracked is bounded by MSL, and by the namespaces and controllers there
 * are. Calls nothing.
 */
#ifndef ENVME_NS_STREAMS_H
#define ENVME_NS_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENVME_STREAMS_MAX 1024
#define ENVME_STREAMS_ALL UINT32_MAX    /* NSID: every namespace */

struct envme_streams;

struct envme_stream {           /* an open one */
    uint32_t nsid;
    uint16_t cntlid, sid;
    bool exclusive;             /* of what the namespace was allocated */
    uint64_t used;              /* when last, by a count of writes */
    uint64_t writes, bytes;
};

struct envme_streams_numbers {  /* as in Return Parameters */
    uint16_t msl, nssa, nsso, nsa, nso;
};

struct envme_streams *envme_streams_new(uint16_t msl);
void envme_streams_free(struct envme_streams *s);

/* The Streams directive of a namespace (ALL: of all that there are and will
 * be) for one controller. Off: what it has of streams goes. */
void envme_streams_enable(struct envme_streams *s, uint32_t nsid,
                          uint16_t cntlid, bool on);
bool envme_streams_enabled(struct envme_streams *s, uint32_t nsid,
                           uint16_t cntlid);

/* For nsid ALL, nsa and nso are 0. */
void envme_streams_numbers(struct envme_streams *s, uint32_t nsid,
                           uint16_t cntlid, struct envme_streams_numbers *n);
/* Identifiers of the open streams in ascending order, at most
 * ENVME_STREAMS_MAX; how many. ALL: those that use the subsystem's resources,
 * each once. */
unsigned envme_streams_open(struct envme_streams *s, uint32_t nsid,
                            uint16_t cntlid, uint16_t *sid);

/* Resources for the exclusive use of a namespace. Returns how many, as many as
 * there are; 0: none is left, -1: it has some. */
int envme_streams_allocate(struct envme_streams *s, uint32_t nsid,
                           uint16_t cntlid, uint16_t n);
void envme_streams_release_resources(struct envme_streams *s, uint32_t nsid,
                                     uint16_t cntlid);
void envme_streams_release(struct envme_streams *s, uint32_t nsid,
                           uint16_t cntlid, uint16_t sid);

/* A write to a stream (not 0): opens it, when it isn't, maybe in the place of
 * the one that was not used for longest. */
void envme_streams_write(struct envme_streams *s, uint32_t nsid,
                         uint16_t cntlid, uint16_t sid, uint64_t bytes);

enum envme_streams_forget {
    ENVME_STREAMS_CLOSE,        /* formatted: no stream is open */
    ENVME_STREAMS_RELEASE,      /* write protected: nothing allocated, too */
    ENVME_STREAMS_DELETE,       /* deleted: nothing enabled, too */
};

void envme_streams_forget_ns(struct envme_streams *s, uint32_t nsid,
                             enum envme_streams_forget how);
/* A Controller Level Reset: nothing is enabled, nothing allocated. */
void envme_streams_forget_ctrl(struct envme_streams *s, uint16_t cntlid);

void envme_streams_foreach(struct envme_streams *s,
                           void (*fn)(void *opaque,
                                      const struct envme_stream *st),
                           void *opaque);

#endif
