/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the fake host say to each other. */
#ifndef TESTS_HOST_TH_INT_H
#define TESTS_HOST_TH_INT_H

#include "th.h"

void th_mem_init(struct th *h);
void th_mem_fini(struct th *h);
int th_hit(struct th *h, enum th_at at);

void th_exec_init(struct th *h);
void th_exec_start(struct th *h);
void th_exec_stop(struct th *h);
void th_exec_fini(struct th *h);

struct th_be *th_be_new(struct th *h, const struct th_ns_opts *o);
void th_be_carry_out(struct th_bio *tb);

void th_db_init(struct th *h);
void th_db_fini(struct th *h);

void th_drv_init(struct th *h);
void th_drv_fini(struct th *h);

/* Allocation failures go to this host. */
extern struct th *_Atomic th_alloc_host;

#endif
