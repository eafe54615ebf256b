/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands with fields picked at random from those that have hurt others, in
 * random order with resets, Bus Master and events: regressions 7.6. Whatever
 * comes, each command is answered once, nothing leaks, and the controller
 * works afterwards.
 */
#include "th.h"

#define WINDOW (TH_RAM_SIZE - 8 * MIB)

static uint64_t any_addr(struct th *h)
{
    uint64_t a = WINDOW + th_random(h, 4 * MIB / 4096) * 4096ull;

    switch (th_random(h, 24)) {
    case 0:
        return TH_BAR_BASE + 4 * th_random(h, 4096);
    case 1:
        return TH_VOID_BASE;
    case 2:
        return 0;
    case 3:
        return UINT64_MAX - th_random(h, 8192);
    case 4:
        return TH_MMIO_BASE + 4096 * th_random(h, 16);
    case 5:
        return TH_MMIO_BASE + TH_MMIO_SIZE - 4096;
    case 6:
        return TH_RAM_SIZE - 4096;
    case 7:
        return TH_HOLE_BASE + 4096;
    case 8:
        return TH_BAR_BASE - 4096;
    case 9:
        return a + (1u << th_random(h, 12));
    case 10:
        return a + 8 * th_random(h, 512);
    case 11:
        return (1ull << 32) - 4096;
    default:
        return a;
    }
}

static uint32_t any_u32(struct th *h)
{
    static const uint32_t v[] = {
        0, 0, 0, 0, 1, 2, 7, 8, 15, 16, 127, 128, 255, 256, 2047, 2048, 4095,
        0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
    };

    return th_random(h, 4) ? v[th_random(h, G_N_ELEMENTS(v))]
                           : g_rand_int(h->rand);
}

/* Lists and segments that lead to all those places */
static void poison(struct th *h)
{
    unsigned i, page;

    for (page = 0; page < 8; page++) {
        uint64_t at = WINDOW + th_random(h, 4 * MIB / 4096) * 4096ull;

        for (i = 0; i < 4096; i += 16) {
            struct envme_sgl_desc d = {
                .addr = le64(any_addr(h)),
                .len = le32(th_random(h, 3) ? 512u << th_random(h, 5)
                                            : any_u32(h)),
                .id = th_random(h, 8) ? th_random(h, 4) << 4
                                      : th_random(h, 256),
            };

            if (page & 1) {
                memcpy(th_mem(h, at + i, 16), &d, 16);
            } else {
                th_mem_put64(h, at + i, any_addr(h));
                th_mem_put64(h, at + i + 8, any_addr(h));
            }
        }
    }
}

/* Reserved bits, and an NSID that is not used, are refused at the door: most
 * go without. */
static void drop_reserved(struct envme_sqe *s, bool admin)
{
    const struct envme_row *row = admin ? &envme_tables.admin[s->opc] :
        envme_iocs_row(envme_tables.iocs[0], s->opc);
    le32_t *cdw = &s->cdw10;

    for (unsigned i = 0; row && i < G_N_ELEMENTS(row->cdw); i++) {
        cdw[i] = le32(le32_get(cdw[i]) & row->cdw[i]);
    }
    if (row && (row->gate & ENVME_GATE_NS_MASK) == ENVME_GATE_NS_UNUSED) {
        s->nsid = le32(0);
    }
}

static struct envme_sqe any_sqe(struct th *h, bool admin)
{
    static const uint8_t io[] = {
        ENVME_NVM_FLUSH, ENVME_NVM_WRITE, ENVME_NVM_READ, ENVME_NVM_COMPARE,
        ENVME_NVM_WRITE_ZEROES, ENVME_NVM_DSM, ENVME_NVM_VERIFY,
        ENVME_NVM_COPY, ENVME_NVM_WRITE_UNCOR,
    };
    static const uint8_t adm[] = {
        ENVME_ADM_GET_LOG, ENVME_ADM_IDENTIFY, ENVME_ADM_ABORT,
        ENVME_ADM_SET_FEATURES, ENVME_ADM_GET_FEATURES, ENVME_ADM_CREATE_CQ,
        ENVME_ADM_DELETE_SQ, ENVME_ADM_DELETE_CQ,
    };
    struct envme_sqe s = { 0 };

    if (th_random(h, 20) == 0) {
        do {
            s.opc = th_random(h, 256);
            /* Those would change what the driver thinks there is. */
        } while (admin && (s.opc < 6 || s.opc == ENVME_ADM_AER ||
                           s.opc == ENVME_ADM_DBBUF));
    } else {
        s.opc = admin ? adm[th_random(h, G_N_ELEMENTS(adm))]
                      : io[th_random(h, G_N_ELEMENTS(io))];
    }
    s.nsid = le32(th_random(h, 4) ? 1 + th_random(h, 3) : any_u32(h));
    s.dptr.prp1 = le64(any_addr(h));
    s.dptr.prp2 = le64(any_addr(h));
    s.mptr = le64(any_addr(h));
    s.cdw10 = le32(th_random(h, 3) ? th_random(h, 2000) : any_u32(h));
    s.cdw11 = le32(th_random(h, 3) ? 0 : any_u32(h));
    s.cdw12 = le32(th_random(h, 3) ? th_random(h, 64) : any_u32(h));
    s.cdw13 = le32(th_random(h, 8) ? 0 : any_u32(h));
    s.cdw14 = le32(th_random(h, 8) ? 0 : any_u32(h));
    s.cdw15 = le32(th_random(h, 8) ? 0 : any_u32(h));
    if (s.opc == ENVME_NVM_DSM && !admin) {
        s.cdw10 = le32(th_random(h, 256));
        s.cdw11 = le32(ENVME_DSM_AD);
    }
    if (admin && (s.opc == ENVME_ADM_GET_LOG || s.opc == ENVME_ADM_IDENTIFY ||
                  s.opc == ENVME_ADM_SET_FEATURES ||
                  s.opc == ENVME_ADM_GET_FEATURES)) {
        s.cdw10 = le32(th_random(h, 0x40) |
                       (any_u32(h) & (th_random(h, 2) ? 0 : 0xffffff00)));
    }
    if (admin && s.opc == ENVME_ADM_CREATE_CQ) {
        s.cdw10 = le32(3 + th_random(h, 40) + (th_random(h, 2000) << 16));
        s.cdw11 = le32(th_random(h, 4) | any_u32(h) << 16);
    } else if (admin && (s.opc == ENVME_ADM_DELETE_SQ ||
                         s.opc == ENVME_ADM_DELETE_CQ)) {
        s.cdw10 = le32(3 + th_random(h, 66000));
    }
    if (!admin && th_random(h, 2)) {
        s.flags = FIELD_SET(ENVME_PSDT, 1 + th_random(h, 2));
        s.dptr.sgl.len = le32(th_random(h, 3) ? 512 * (1 + th_random(h, 64))
                                              : any_u32(h) & ~15u);
        s.dptr.sgl.id = th_random(h, 8) ? th_random(h, 4) << 4
                                        : th_random(h, 256);
    } else if (th_random(h, 30) == 0) {
        s.flags = g_rand_int(h->rand);
    }
    if (th_random(h, 8)) {
        drop_reserved(&s, admin);
    }
    return s;
}

static void bring_up(struct th *h)
{
    th_enable(h);
    th_queues(h, 2, 32);
}

static void storm(unsigned lanes, uint64_t seed, unsigned rounds)
{
    struct th *h = th_new(.lanes = lanes, .seed = seed,
                          .ns = { { .size = MIB, .write_cache = true },
                                  { .size = MIB, .ms = 8 },
                                  { .size = MIB, .lbs = 4096, .ms = 16,
                                    .mset = true, .max_transfer = 8192 } });
    unsigned n, i, q, bad = 0, good = 0;
    struct envme_cqe last;

    /* What the driver allocates stays below. */
    memset(h->used + WINDOW / 4096, 2, 8 * MIB / 4096);
    h->window_lo = WINDOW;
    h->window_hi = TH_RAM_SIZE;
    bring_up(h);
    for (n = 0; n < rounds; n++) {
        uint16_t cid[3][20];
        struct envme_cqe c;

        for (i = 0; i < 3; i++) {
            h->be[i]->later = n & 1;
        }
        poison(h);
        for (i = 0; i < 20; i++) {
            for (q = 0; q < 3; q++) {
                struct envme_sqe s = any_sqe(h, q == 0);

                cid[q][i] = th_put(h, q, &s);
                if (th_random(h, 3) == 0) {
                    th_ring(h, q);
                }
            }
        }
        for (q = 0; q < 3; q++) {
            th_ring(h, q);
        }
        if (n % 7 == 3) {
            for (i = th_random(h, 200); i; i--) {
                th_step(h);
            }
            th_bme(h, false);
            th_run(h);
            th_bme(h, true);
        }
        if (n % 11 == 5) {
            for (i = th_random(h, 300); i; i--) {
                th_step(h);
            }
            th_reset(h, n & 1 ? ENVME_RESET_FUNCTION : ENVME_RESET_NSSR);
            bring_up(h);
            continue;
        }
        for (i = 0; i < 20; i++) {
            for (q = 0; q < 3; q++) {
                /* Some take time: a firmware's activation. */
                if (!th_try_wait(h, q, cid[q][i], &c)) {
                    th_advance(h, 10 * 1000000000ull);
                    c = th_wait(h, q, cid[q][i]);
                }
                if (cqe_sc(&c)) {
                    bad++;
                } else {
                    good++;
                }
            }
        }
        g_assert_cmphex(th_r32(h, ENVME_REG_CSTS) & ~ENVME_CSTS_NSSRO, ==,
                        ENVME_CSTS_RDY);
        g_assert_cmpuint(atomic_load(&h->maps), ==, 0);
        for (q = 0; q < 3; q++) {
            th_run(h);
            g_assert_cmpuint(th_cq_slots_free(h, q), ==,
                             th_cq_size(h, q) - 1);
        }
    }
    g_test_message("%u went well, %u did not", good, bad);
    g_assert_cmpuint(good, >, bad / 20);
    g_assert_cmpuint(bad, >, good / 20);
    h->window_hi = 0;
    th_reset(h, ENVME_RESET_FUNCTION);
    bring_up(h);
    /* It may be in the middle of a sanitize operation, or a format, that a
     * command has started; and the block may have been marked as unreadable. */
    last = th_write(h);
    for (i = 0; i < 2000 && (cqe_sc(&last) == ENVME_SC_SANITIZE_IN_PROGRESS ||
                             cqe_sc(&last) == ENVME_SC_FORMAT_IN_PROGRESS);
         i++) {
        th_advance(h, 20 * 1000 * 1000);
        last = th_write(h);
    }
    th_assert_sc(last, SUCCESS);
    th_assert_sc(th_read(h), SUCCESS);
    th_free(h);
}

static void test_storm(void)
{
    storm(0, 1, 300);
    storm(2, 2, 300);
    storm(3, 3, 300);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/storm/regression-7.6", test_storm);
    return g_test_run();
}
