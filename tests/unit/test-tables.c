/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables: each row is complete and agrees with the others. */
#include <glib.h>
#include <string.h>

#include "envme/ocp.h"
#include "hw/admin/admin.h"
#include "hw/iocs/nvm/nvm.h"

static void check_text(const char *name, const char *spec)
{
    g_assert_nonnull(name);
    g_assert_nonnull(spec);
    g_assert_cmpuint(strlen(name), >, 1);
    if (strcmp(spec, "docs/faults.md") == 0) {
        return;                 /* vendor specific */
    }
    g_assert_true(g_str_has_prefix(spec, "Base 2.1, ") ||
                  g_str_has_prefix(spec, "NVM 1.1, ") ||
                  g_str_has_prefix(spec, "OCP Datacenter SSD 2.0, "));
    g_assert_true(g_ascii_isdigit(spec[strlen(spec) - 1]));
}

static bool moves_data(unsigned opc)
{
    return (opc & ENVME_OPC_DIR) != ENVME_DIR_NONE;
}

static void check_row(const struct envme_row *row, unsigned opc)
{
    const uint32_t effects = ENVME_EFF_LBCC | ENVME_EFF_NCC | ENVME_EFF_NIC |
                             ENVME_EFF_CCC | ENVME_EFF_CSER | ENVME_EFF_CSE |
                             ENVME_EFF_USS | ENVME_EFF_CSP;

    check_text(row->name, row->spec);
    g_assert_cmphex(row->effects & ~effects, ==, 0);
    /* CSUPP is for whoever reports it; a scope is part of every row. */
    g_assert_cmphex(row->effects & ENVME_EFF_CSUPP, ==, 0);
    g_assert_cmphex(row->effects & ENVME_EFF_CSP, !=, 0);
    if (row->mdlen) {
        g_assert_nonnull(row->len);
    }
    if (moves_data(opc)) {
        g_assert_true(row->len || row->gate & ENVME_GATE_NO_DATA);
    }
    /* Parking is for what changes the shape; it never waits meanwhile. */
    if (row->gate & (ENVME_GATE_PARK | ENVME_GATE_DRAIN)) {
        g_assert_false(row->gate & ENVME_GATE_NO_SLOT);
    }
}

static void test_admin(void)
{
    static const uint8_t mandatory[] = {
        ENVME_ADM_DELETE_SQ, ENVME_ADM_CREATE_SQ, ENVME_ADM_GET_LOG,
        ENVME_ADM_DELETE_CQ, ENVME_ADM_CREATE_CQ, ENVME_ADM_IDENTIFY,
        ENVME_ADM_ABORT, ENVME_ADM_SET_FEATURES, ENVME_ADM_GET_FEATURES,
        ENVME_ADM_AER,
    };
    unsigned n = 0;

    for (unsigned i = 0; i < 256; i++) {
        const struct envme_row *row = &envme_tables.admin[i];

        if (!row->run) {
            /* Nothing half there. */
            g_assert_null(row->name);
            continue;
        }
        n++;
        check_row(row, i);
        g_assert_true(row->gate & ENVME_GATE_NO_SGL);
        g_assert_cmpint(row->access, ==, ENVME_ACCESS_NONE);
        for (unsigned k = 0; k < i; k++) {
            g_assert_cmpstr(envme_tables.admin[k].name, !=, row->name);
        }
    }
    g_assert_cmpuint(n, >=, G_N_ELEMENTS(mandatory));
    for (unsigned i = 0; i < G_N_ELEMENTS(mandatory); i++) {
        g_assert_nonnull(envme_tables.admin[mandatory[i]].run);
    }
}

/* Base 2.1, figure 141: which commands use NSID. */
static void test_nsid(void)
{
    static const uint8_t unused[] = {
        ENVME_ADM_DELETE_SQ, ENVME_ADM_CREATE_SQ, ENVME_ADM_DELETE_CQ,
        ENVME_ADM_CREATE_CQ, ENVME_ADM_ABORT, ENVME_ADM_AER,
        ENVME_ADM_FW_COMMIT, ENVME_ADM_FW_DOWNLOAD, ENVME_ADM_KEEP_ALIVE,
        ENVME_ADM_VIRT_MGMT, ENVME_ADM_MI_SEND, ENVME_ADM_MI_RECV,
        ENVME_ADM_CAPACITY_MGMT, ENVME_ADM_LOCKDOWN, ENVME_ADM_TRACK_SEND,
        ENVME_ADM_TRACK_RECV, ENVME_ADM_MIGRATION_SEND,
        ENVME_ADM_MIGRATION_RECV, ENVME_ADM_CDQ, ENVME_ADM_DBBUF,
        ENVME_ADM_SANITIZE,
        ENVME_ADM_FAULT_SEND, ENVME_ADM_FAULT_RECEIVE,
    };

    for (unsigned i = 0; i < 256; i++) {
        const struct envme_row *row = &envme_tables.admin[i];

        if (row->run) {
            g_assert_cmpint((row->gate & ENVME_GATE_NS_MASK) ==
                            ENVME_GATE_NS_UNUSED, ==,
                            memchr(unused, i, sizeof(unused)) != NULL);
        }
    }
}

static void test_iocs(void)
{
    for (unsigned s = 0; s < envme_tables.niocs; s++) {
        const struct envme_iocs *iocs = envme_tables.iocs[s];

        g_assert_nonnull(iocs->name);
        g_assert_true(iocs->base || iocs->check_rw);
        for (unsigned k = 0; k < s; k++) {
            g_assert_cmpuint(envme_tables.iocs[k]->csi, !=, iocs->csi);
        }
        for (unsigned i = 0; i < 256; i++) {
            const struct envme_row *row = &iocs->rows[i];

            if (!row->run) {
                g_assert_null(row->name);
                continue;
            }
            check_row(row, i);
            g_assert_true(envme_iocs_row(iocs, i) == row);
            g_assert_cmpint(row->gate & ENVME_GATE_NS_MASK, !=,
                            ENVME_GATE_NS_UNUSED);
            /* What changes data is kept from write-protected media, and the
             * other way round. */
            g_assert_cmpint(!!(row->effects & ENVME_EFF_LBCC), ==,
                            !!(row->gate & ENVME_GATE_WRITES));
            g_assert_cmpint(row->access, !=, ENVME_ACCESS_NONE);
            if (row->effects & ENVME_EFF_LBCC) {
                g_assert_cmpint(row->access, ==, ENVME_ACCESS_WRITE);
            }
        }
    }
}

/* Each capability bit is one command's. */
static void test_caps(void)
{
    uint16_t caps = 0;

    for (unsigned i = 0; i < 256; i++) {
        const struct envme_row *row = envme_iocs_row(&envme_iocs_nvm, i);

        if (row && row->cap) {
            g_assert_cmphex(row->cap & caps, ==, 0);
            caps |= row->cap;
        }
    }
    g_assert_cmphex(caps, ==, envme_admin_caps(envme_iocs_nvm.rows,
                                                 NULL));
    g_assert_cmphex(caps, ==, ENVME_ONCS_NVMCMPS | ENVME_ONCS_NVMWUSV |
                              ENVME_ONCS_NVMCPYS | ENVME_ONCS_NVMDSMSV |
                              ENVME_ONCS_NVMWZSV | ENVME_ONCS_NSZS |
                              ENVME_ONCS_NVMVFYS);
}

static void test_cns(void)
{
    for (unsigned i = 0; i < 256; i++) {
        const struct envme_cns_row *row = &envme_tables.cns[i];

        g_assert_cmpint(row->there, ==, row->fill != NULL);
        if (row->there) {
            check_text(row->name, row->spec);
        }
    }
    g_assert_true(envme_tables.cns[ENVME_CNS_CTRL].there);
    g_assert_true(envme_tables.cns[ENVME_CNS_NS].there);
    g_assert_true(envme_tables.cns[ENVME_CNS_NS_LIST].there);
}

static void test_features(void)
{
    for (unsigned i = 0; i < envme_tables.feats->n; i++) {
        const struct envme_feat_row *row = &envme_tables.feats->row[i];

        check_text(row->name, row->spec);
        g_assert_cmpuint(row->fid, !=, 0);
        for (unsigned k = 0; k < i; k++) {
            g_assert_cmpuint(envme_tables.feats->row[k].fid, !=, row->fid);
        }
        /* Nothing is only stored: whoever may change it tells somebody. */
        g_assert_cmpint(row->changeable, ==, row->set != NULL);
        if (row->data_len) {
            g_assert_nonnull(row->get);
            g_assert_cmpuint(row->data_len % 4, ==, 0);
        }
        g_assert_false(row->dflt && row->reset);
    }
}

static void test_logs(void)
{
    for (unsigned i = 0; i < envme_tables.logs->n; i++) {
        const struct envme_log_row *row = &envme_tables.logs->row[i];

        check_text(row->name, row->spec);
        g_assert_nonnull(row->size);
        g_assert_true(!row->fill != !row->part);
        for (unsigned k = 0; k < i; k++) {
            g_assert_cmpuint(envme_tables.logs->row[k].lid, !=, row->lid);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tables/admin", test_admin);
    g_test_add_func("/tables/nsid", test_nsid);
    g_test_add_func("/tables/iocs", test_iocs);
    g_test_add_func("/tables/caps", test_caps);
    g_test_add_func("/tables/cns", test_cns);
    g_test_add_func("/tables/features", test_features);
    g_test_add_func("/tables/logs", test_logs);
    return g_test_run();
}
