/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "walk.h"
int main(void) { return 0; }
