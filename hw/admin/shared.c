/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "hw/admin/pel.h"
#include "hw/admin/shared.h"

static void shared_free(void *arg)
{
    struct envme_shared *sh = arg;

    free(sh->san.buf);
    envme_pel_free(sh);
    g_free(sh);
}

void envme_shared_init(struct envme_ctrl *ctrl)
{
    struct envme_subsys *s = ctrl->subsys;
    struct envme_shared *sh;

    if (s->shared) {
        return;
    }
    sh = g_new0(struct envme_shared, 1);
    sh->subsys = s;
    s->shared = sh;
    s->shared_free = shared_free;
    envme_pel_load(sh);
    envme_fw_load(sh, ctrl);
    envme_sanitize_load(sh, ctrl);
}
