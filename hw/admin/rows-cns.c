/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identify: Base 2.1, 5.1.13, figure 310. */
#include "hw/admin/admin.h"

#define CNS_ROW(code, title, where, fn) \
    [code] = { .name = title, .spec = where, .there = true, .fill = fn }

const struct envme_cns_row envme_cns_rows[256] = {
    CNS_ROW(ENVME_CNS_NS, "id-ns", "NVM 1.1, 4.1.5.1", envme_cns_ns),
    CNS_ROW(ENVME_CNS_CTRL, "id-ctrl", "Base 2.1, 5.1.13.2.1",
            envme_cns_ctrl),
    CNS_ROW(ENVME_CNS_NS_LIST, "list-ns", "Base 2.1, 5.1.13.2",
            envme_cns_ns_list),
    CNS_ROW(ENVME_CNS_NS_DESCS, "ns-descs", "Base 2.1, 5.1.13.2",
            envme_cns_ns_descs),
    CNS_ROW(ENVME_CNS_NVMSET_LIST, "id-nvmset", "Base 2.1, 5.1.13.2",
            envme_cns_nvmset_list),
    CNS_ROW(ENVME_CNS_CS_NS, "nvm-id-ns", "Base 2.1, 5.1.13.2",
            envme_cns_cs_ns),
    CNS_ROW(ENVME_CNS_CS_CTRL, "nvm-id-ctrl", "Base 2.1, 5.1.13.2",
            envme_cns_cs_ctrl),
    CNS_ROW(ENVME_CNS_CS_NS_LIST, "list-ns --csi", "Base 2.1, 5.1.13.2",
            envme_cns_cs_ns_list),
    CNS_ROW(ENVME_CNS_NS_INDEP, "cmd-set-independent-id-ns",
            "Base 2.1, 5.1.13.2", envme_cns_ns_indep),
    CNS_ROW(ENVME_CNS_NS_UDF, "id-ns-lba-format", "NVM 1.1, 4.1.5",
            envme_cns_format),
    CNS_ROW(ENVME_CNS_CS_NS_UDF, "nvm-id-ns-lba-format", "NVM 1.1, 4.1.5",
            envme_cns_cs_format),
    CNS_ROW(ENVME_CNS_ALLOC_NS_LIST, "list-ns --all", "Base 2.1, 5.1.13.2",
            envme_cns_alloc_ns_list),
    CNS_ROW(ENVME_CNS_ALLOC_NS, "id-ns --force", "NVM 1.1, 4.1.5.1",
            envme_cns_alloc_ns),
    CNS_ROW(ENVME_CNS_NS_CTRL_LIST, "list-ctrl --namespace-id",
            "Base 2.1, 5.1.13.2", envme_cns_ns_ctrl_list),
    CNS_ROW(ENVME_CNS_CTRL_LIST, "list-ctrl", "Base 2.1, 5.1.13.2",
            envme_cns_ctrl_list),
    CNS_ROW(ENVME_CNS_NS_GRANULARITY, "id-ns-granularity",
            "NVM 1.1, 4.1.5", envme_cns_ns_granularity),
    CNS_ROW(ENVME_CNS_UUID_LIST, "id-uuid", "Base 2.1, 5.1.13.2",
            envme_cns_uuid_list),
    CNS_ROW(ENVME_CNS_ENDGRP_LIST, "list-endgrp", "Base 2.1, 5.1.13.2",
            envme_cns_endgrp_list),
    CNS_ROW(ENVME_CNS_CS_ALLOC_NS_LIST, "list-ns --all --csi",
            "Base 2.1, 5.1.13.2", envme_cns_cs_alloc_ns_list),
    CNS_ROW(ENVME_CNS_IOCS, "id-iocs", "Base 2.1, 5.1.13.2",
            envme_cns_iocs),
};
