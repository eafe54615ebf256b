/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backend over a QEMU block device, and over a QEMU memory backend.
 *
 * Owner: ns-dev's medium. Threads: submit() on any lane, several at once; the
 * block layer completes a request on the AioContext that submitted it, and
 * holds requests back itself while the device is drained. Errors follow
 * rerror= and werror=: with "stop" a request waits for the machine to be
 * resumed. Calls QEMU's block layer; never the controller.
 */
#ifndef ENVME_QEMU_BLK_H
#define ENVME_QEMU_BLK_H

#include "hw/block/block.h"
#include "system/hostmem.h"

#include "hw/ns/backend.h"

/* conf: block sizes and options have been applied; stays the caller's. BQL.
 * NULL and errp when there is no medium. */
struct envme_backend *envme_blk_new(BlockConf *conf, Error **errp);
/* It is about to be closed: requests that wait for the machine to be resumed
 * fail now, and none waits any more. BQL. */
void envme_blk_abandon(struct envme_backend *be);

/* Marks the memory backend as used; envme_memdev_release() after the close
 * ends that. BQL. */
struct envme_backend *envme_memdev_new(HostMemoryBackend *memdev,
                                       Error **errp);
void envme_memdev_release(HostMemoryBackend *memdev);

#endif
