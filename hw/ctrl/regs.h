/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register file: Base 2.1, 3.1.4. One row per register; accesses go
 * through the rows. Lane 0.
 */
#ifndef ENVME_CTRL_REGS_H
#define ENVME_CTRL_REGS_H

#include "hw/ctrl/ctrl.h"

/* CAP, VS, CRTO from the parameters; the others to their reset values. */
void envme_regs_init(struct envme_ctrl *ctrl);
void envme_regs_reset(struct envme_ctrl *ctrl);
/* The i-th register that there is, and its offset; NULL after the last. */
const char *envme_regs_name(unsigned i, unsigned *off);

#endif
