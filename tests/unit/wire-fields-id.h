/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identify structures and fields that envme and libnvme both define.
 * Included by test-wire.c inside an array; see there for the macros. What
 * libnvme 1.3 lacks, or has wrong, is compared from 1.13 on.
 */

#define OURS envme_psd
#define THEIRS nvme_id_psd
S() F(mp) F(flags) F(enlat) F(exlat) F(rrt) F(rrl) F(rwt) F(rwl) F(idlp)
F(ips) F(actp) F(apws)
#if LIBNVME_VERSION >= 113
F(epfrt) F(fqvt) F(epfvt) F(epfr_fqv_ts) F(epfvts)
#endif
#undef OURS
#undef THEIRS

#define OURS envme_id_ctrl
#define THEIRS nvme_id_ctrl
S() F(vid) F(ssvid) F(sn) F(mn) F(fr) F(rab) F(ieee) F(cmic) F(mdts)
F(cntlid) F(ver) F(rtd3r) F(rtd3e) F(oaes) F(ctratt) F(rrls) F(cntrltype)
F(fguid) F(crdt1) F(crdt2) F(crdt3) F(nvmsr) F(vwci) F(mec) F(oacs) F(acl)
F(aerl) F(frmw) F(lpa) F(elpe) F(npss) F(avscc) F(apsta) F(wctemp) F(cctemp)
F(mtfa) F(hmpre) F(hmmin) F(tnvmcap) F(unvmcap) F(rpmbs) F(edstt) F(dsto)
F(fwug) F(kas) F(hctma) F(mntmt) F(mxtmt) F(sanicap) F(hmminds) F(hmmaxd)
F(nsetidmax) F(endgidmax) F(anatt) F(anacap) F(anagrpmax) F(nanagrpid)
F(pels) F(domainid) F(megcap) F(sqes) F(cqes) F(maxcmd) F(nn) F(oncs)
F(fuses) F(fna) F(vwc) F(awun) F(awupf) F(icsvscc) F(nwpc) F(acwu) F(ocfs)
F(sgls) F(mnan) F(maxdna) F(maxcna) F(subnqn) F(ioccsz) F(iorcsz) F(icdoff)
F(fcatt) F(msdbd) F(ofcs) F(dctype) F(psd) F(vs)
#if LIBNVME_VERSION >= 113
F(bpcap) F(nssl) F(plsi) F(crcap) F(kpioc) F(mptfawr) F(tmpthha) F(cqt)
F(oaqd) F(rhiri) F(hirt) F(cmmrtd) F(nmmrtd) F(minmrtg) F(maxmrtg) F(trattr)
F(mcudmq) F(mnsudmq) F(mcmr) F(nmcmr) F(mcdqpc)
#endif
#undef OURS
#undef THEIRS

#define OURS envme_id_ctrl_nvm
#define THEIRS nvme_id_ctrl_nvm
S() F(vsl) F(wzsl) F(wusl) F(dmrl) F(dmrsl) F(dmsl)
#if LIBNVME_VERSION >= 113
F(kpiocap) F(wzdsl) F(aocs) F(ver) F(lbamqf)
#endif
#undef OURS
#undef THEIRS

#define OURS envme_lbaf
#define THEIRS nvme_lbaf
S() F(ms) F(ds) F(rp)
#undef OURS
#undef THEIRS

#define OURS envme_id_ns
#define THEIRS nvme_id_ns
S() F(nsze) F(ncap) F(nuse) F(nsfeat) F(nlbaf) F(flbas) F(mc) F(dpc) F(dps)
F(nmic) F(rescap) F(fpi) F(dlfeat) F(nawun) F(nawupf) F(nacwu) F(nabsn)
F(nabo) F(nabspf) F(noiob) F(nvmcap) F(npwg) F(npwa) F(npdg) F(npda) F(nows)
F(mssrl) F(mcl) F(msrc) F(nulbaf) F(anagrpid) F(nsattr) F(nvmsetid)
F(endgid) F(nguid) F(eui64) F(lbaf)
#if LIBNVME_VERSION >= 113
F(kpios) F(kpiodaag) F(vs)
#endif
#undef OURS
#undef THEIRS

#define OURS envme_id_ns_indep
#define THEIRS nvme_id_independent_id_ns
S() F(nsfeat) F(nmic) F(rescap) F(fpi) F(anagrpid) F(nsattr) F(nvmsetid)
F(endgid) F(nstat)
#if LIBNVME_VERSION >= 113
F(kpios) F(maxkt) F(rgrpid)
#endif
#undef OURS
#undef THEIRS

#define OURS envme_id_ns_nvm
#define THEIRS nvme_nvm_id_ns
S() F(lbstm) F(pic) F(elbaf)
#if LIBNVME_VERSION >= 113
F(pifa) F(npdgl) F(nprg) F(npra) F(nors) F(npdal) F(lbapss) F(tlbaag)
#endif
#undef OURS
#undef THEIRS

#if LIBNVME_VERSION >= 113
#define OURS envme_ns_mgmt_create
#define THEIRS nvme_ns_mgmt_host_sw_specified
S() F(nsze) F(ncap) F(flbas) F(dps) F(nmic) F(anagrpid) F(nvmsetid)
F(endgid) F(lbstm) F(nphndls) F2(znsco, zns.znsco) F2(rar, zns.rar)
F2(ror, zns.ror) F2(rnumzrwa, zns.rnumzrwa) F(phndl)
#undef OURS
#undef THEIRS
#endif

#define OURS envme_nid
#define THEIRS nvme_ns_id_desc
S() F(nidt) F(nidl) E(nid)
#undef OURS
#undef THEIRS

#define OURS envme_ns_list
#define THEIRS nvme_ns_list
S() F2(nsid, ns)
#undef OURS
#undef THEIRS

#define OURS envme_ctrl_list
#define THEIRS nvme_ctrl_list
S() F(num) F2(cntlid, identifier)
#undef OURS
#undef THEIRS

#define OURS envme_nvmset_attr
#define THEIRS nvme_nvmset_attr
S() F(nvmsetid) F(endgid) F(rr4kt) F(ows) F(tnvmsetcap) F(unvmsetcap)
#undef OURS
#undef THEIRS

#define OURS envme_nvmset_list
#define THEIRS nvme_id_nvmset_list
S() F(nid) F(ent)
#undef OURS
#undef THEIRS

#define OURS envme_primary_ctrl
#define THEIRS nvme_primary_ctrl_cap
S() F(cntlid) F(portid) F(crt) F(vqfrt) F(vqrfa) F(vqrfap) F(vqprt)
F(vqfrsm) F(vqgran) F(vifrt) F(virfa) F(virfap) F(viprt) F(vifrsm) F(vigran)
#undef OURS
#undef THEIRS

#define OURS envme_secondary_ctrl
#define THEIRS nvme_secondary_ctrl
S() F(scid) F(pcid) F(scs) F(vfn) F(nvq) F(nvi)
#undef OURS
#undef THEIRS

#define OURS envme_secondary_list
#define THEIRS nvme_secondary_ctrl_list
S() F(num) F2(sc, sc_entry)
#undef OURS
#undef THEIRS

#define OURS envme_ns_granularity
#define THEIRS nvme_id_ns_granularity_desc
S() F(nszegran) F(ncapgran)
#undef OURS
#undef THEIRS

#define OURS envme_ns_granularity_list
#define THEIRS nvme_id_ns_granularity_list
S() F(attributes) F2(num, num_descriptors) F(entry)
#undef OURS
#undef THEIRS

#define OURS envme_uuid_entry
#define THEIRS nvme_id_uuid_list_entry
S() F(header) F(uuid)
#undef OURS
#undef THEIRS

#define OURS envme_uuid_list
#define THEIRS nvme_id_uuid_list
S() F(entry)
#undef OURS
#undef THEIRS

#define OURS envme_domain_attr
#define THEIRS nvme_id_domain_attr
S() F2(domainid, dom_id) F2(tdcap, dom_cap) F2(udcap, unalloc_dom_cap)
F2(megdcap, max_egrp_dom_cap)
#undef OURS
#undef THEIRS

#define OURS envme_domain_list
#define THEIRS nvme_id_domain_list
S() F(num) F2(attr, domain_attr)
#undef OURS
#undef THEIRS

#define OURS envme_endgrp_list
#define THEIRS nvme_id_endurance_group_list
S() F(num) F2(endgid, identifier)
#undef OURS
#undef THEIRS

#define OURS envme_id_iocs
#define THEIRS nvme_id_iocs
S() F(iocsc)
#undef OURS
#undef THEIRS
