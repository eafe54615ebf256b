/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ns/layout.h"

struct envme_layout envme_layout_fit(uint64_t size, uint8_t lbads,
                                     uint16_t ms)
{
    struct envme_layout l;

    l.nsze = size / ((1ull << lbads) + ms);
    l.moff = l.nsze << lbads;
    return l;
}

uint64_t envme_layout_refit(uint64_t size, uint8_t lbads, uint16_t ms,
                            uint64_t moff, uint64_t nsze)
{
    uint64_t fit;

    if (!ms) {
        return size >> lbads;
    }
    fit = size > moff ? (size - moff) / ms : 0;
    return fit < nsze ? fit : nsze;
}
