/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other structures and fields that envme and libnvme both define.
 * Included by test-wire.c inside an array; see there for the macros. What
 * libnvme 1.3 lacks, or has wrong, is compared from 1.13 on.
 */

#define OURS envme_log_supported
#define THEIRS nvme_supported_log_pages
S() F2(lids, lid_support)
#undef OURS
#undef THEIRS

#define OURS envme_log_error
#define THEIRS nvme_error_log_page
S() F2(ecnt, error_count) F(sqid) F2(cid, cmdid) F2(sts, status_field)
F2(pel, parm_error_location) F(lba) F(nsid) F2(vsia, vs) F(trtype)
F2(csinfo, cs) F2(ttsi, trtype_spec_info)
#if LIBNVME_VERSION >= 113
F(csi) F2(opc, opcode) F2(lpver, log_page_version)
#endif
#undef OURS
#undef THEIRS

#define OURS envme_log_smart
#define THEIRS nvme_smart_log
S() F2(cw, critical_warning) F2(ctemp, temperature) F2(avsp, avail_spare)
F2(avspt, spare_thresh) F2(pused, percent_used)
F2(egcws, endu_grp_crit_warn_sumry) F2(dur, data_units_read)
F2(duw, data_units_written) F2(hrc, host_reads) F2(hwc, host_writes)
F2(cbt, ctrl_busy_time) F2(pwrc, power_cycles) F2(poh, power_on_hours)
F2(upl, unsafe_shutdowns) F2(mdie, media_errors)
F2(neile, num_err_log_entries) F2(wctt, warning_temp_time)
F2(cctt, critical_comp_time) F2(tsen, temp_sensor)
F2(tmt1tc, thm_temp1_trans_count) F2(tmt2tc, thm_temp2_trans_count)
F2(tttmt1, thm_temp1_total_time) F2(tttmt2, thm_temp2_total_time)
#undef OURS
#undef THEIRS

#define OURS envme_log_fw
#define THEIRS nvme_firmware_slot
S() F(afi) F(frs)
#undef OURS
#undef THEIRS

#define OURS envme_log_effects
#define THEIRS nvme_cmd_effects_log
S() F(acs) F(iocs)
#undef OURS
#undef THEIRS

#define OURS envme_log_fid_effects
#define THEIRS nvme_fid_supported_effects_log
S() F2(fid, fid_support)
#undef OURS
#undef THEIRS

#define OURS envme_log_mi_effects
#define THEIRS nvme_mi_cmd_supported_effects_log
S() F2(cmd, mi_cmd_support)
#undef OURS
#undef THEIRS

#define OURS envme_selftest_result
#define THEIRS nvme_st_result
S() F(dsts) F(seg) F(vdi) F(poh) F(nsid) F(flba) F(sct) F(sc) F(vs)
#undef OURS
#undef THEIRS

#define OURS envme_log_selftest
#define THEIRS nvme_self_test_log
S() F2(cdsto, current_operation) F2(cdstc, completion) F(result)
#undef OURS
#undef THEIRS

#define OURS envme_log_telemetry
#define THEIRS nvme_telemetry_log
S() F2(lid, lpi) F(ieee) F(dalb1) F(dalb2) F(dalb3) F(dalb4) F(hostdgn)
F2(tcda, ctrlavail) F2(tcdgn, ctrldgn) F2(rsnid, rsnident)
#if LIBNVME_VERSION >= 113
F(ths)
#endif
#undef OURS
#undef THEIRS

#define OURS envme_log_endgrp
#define THEIRS nvme_endurance_group_log
S() F2(cw, critical_warning) F2(avsp, avl_spare)
F2(avspt, avl_spare_threshold) F2(pused, percent_used)
F2(ee, endurance_estimate) F2(dur, data_units_read)
F2(duw, data_units_written) F2(muw, media_units_written)
F2(hrc, host_read_cmds) F2(hwc, host_write_cmds)
F2(mdie, media_data_integrity_err) F2(neile, num_err_info_log_entries)
#if LIBNVME_VERSION >= 113
F2(egf, endurance_group_features) F2(domainid, domain_identifier)
F2(tegcap, total_end_grp_cap) F2(uegcap, unalloc_end_grp_cap)
#endif
#undef OURS
#undef THEIRS

#define OURS envme_log_plm
#define THEIRS nvme_nvmset_predictable_lat_log
S() F(status) F2(et, event_type) F2(dtwinrt, dtwin_rt) F2(dtwinwt, dtwin_wt)
F2(dtwintm, dtwin_tmax) F2(ndwintmh, ndwin_tmin_hi)
F2(ndwintml, ndwin_tmin_lo) F2(dtwinre, dtwin_re) F2(dtwinwe, dtwin_we)
F2(dtwinte, dtwin_te)
#undef OURS
#undef THEIRS

#define OURS envme_log_aggregate
#define THEIRS nvme_aggregate_endurance_group_event
S() F2(ne, num_entries) E2(id, entries)
#undef OURS
#undef THEIRS

#define OURS envme_log_ana
#define THEIRS nvme_ana_log
S() F2(chngc, chgcnt) F2(nagd, ngrps)
#undef OURS
#undef THEIRS

#define OURS envme_log_lba_status
#define THEIRS nvme_lba_status_log
S() F(lslplen) F(nlslne) F(estulb) F(lsgc)
#undef OURS
#undef THEIRS

#define OURS envme_lbas_ns
#define THEIRS nvme_lbas_ns_element
S() F(neid) F(nlrd) F(ratype)
#undef OURS
#undef THEIRS

#define OURS envme_lbas_range
#define THEIRS nvme_lba_rd
S() F(rslba) F(rnlb)
#undef OURS
#undef THEIRS

#define OURS envme_log_media_unit
#define THEIRS nvme_media_unit_stat_log
S() F(nmu) F(cchans) F2(selcfg, sel_config)
#undef OURS
#undef THEIRS

#define OURS envme_media_unit_status
#define THEIRS nvme_media_unit_stat_desc
S() F(muid) F(domainid) F(endgid) F(nvmsetid) F2(caf, cap_adj_fctr)
F2(avsp, avl_spare) F2(pused, percent_used) F(mucs) F(cio)
#undef OURS
#undef THEIRS

#define OURS envme_log_capacity_config
#define THEIRS nvme_supported_cap_config_list_log
S() F(sccn)
#undef OURS
#undef THEIRS

#define OURS envme_capacity_config
#define THEIRS nvme_capacity_config_desc
S() F2(ccid, cap_config_id) F(domainid) F(egcn)
#undef OURS
#undef THEIRS

#define OURS envme_channel_config
#define THEIRS nvme_channel_config_desc
S() F(chanid) F(chmus)
#undef OURS
#undef THEIRS

#define OURS envme_media_unit_config
#define THEIRS nvme_media_unit_config_desc
S() F(muid) F(mudl)
#undef OURS
#undef THEIRS

#if LIBNVME_VERSION >= 113
#define OURS envme_log_lockdown
#define THEIRS nvme_lockdown_log
S() F(cfila) F(lngth) F(cfil)
#undef OURS
#undef THEIRS
#endif

#define OURS envme_log_boot_partition
#define THEIRS nvme_boot_partition
S() F(lid) F(bpinfo)
#undef OURS
#undef THEIRS

#if LIBNVME_VERSION >= 113
#define OURS envme_log_rotational
#define THEIRS nvme_rotational_media_info_log
S() F(endgid) F(numa) F(nrs) F(spinc) F(fspinc) F(ldc) F(fldc)
#undef OURS
#undef THEIRS
#endif

#if LIBNVME_VERSION >= 113
#define OURS envme_log_dispersed
#define THEIRS nvme_dispersed_ns_participating_nss_log
S() F(genctr) F(numpsub)
#undef OURS
#undef THEIRS
#endif

#if LIBNVME_VERSION >= 113
#define OURS envme_mgmt_addr
#define THEIRS nvme_mgmt_addr_desc
S() F(mat) F(madrs)
#undef OURS
#undef THEIRS
#endif

#if LIBNVME_VERSION >= 113
#define OURS envme_log_mgmt_addr
#define THEIRS nvme_mgmt_addr_list_log
S() F(mad)
#undef OURS
#undef THEIRS
#endif

#if LIBNVME_VERSION >= 113
#define OURS envme_log_eom
#define THEIRS nvme_phy_rx_eom_log
S() F(lid) F(eomip) F(hsize) F(rsize) F(eomdgn) F(lr) F(odp) F(lanes) F(epl)
F(lspfc) F(li) F(lsic) F(dsize) F(nd) F(maxtb) F(maxlr) F(etgood)
F(etbetter) F(etbest)
#undef OURS
#undef THEIRS
#endif

#if LIBNVME_VERSION >= 113
#define OURS envme_eom_lane
#define THEIRS nvme_eom_lane_desc
S() F(mstatus) F(lane) F(eye) F(top) F(bottom) F(left) F(right) F(nrows)
F(ncols) F(edlen)
#undef OURS
#undef THEIRS
#endif

#if LIBNVME_VERSION >= 113
#define OURS envme_log_reach
#define THEIRS nvme_reachability_groups_log
S() F(chngc) F2(nrd, nrgd)
#undef OURS
#undef THEIRS
#endif

#define OURS envme_log_sanitize
#define THEIRS nvme_sanitize_log_page
S() F(sprog) F(sstat) F(scdw10) F(eto) F(etbe) F(etce) F(etond) F(etbend)
F(etcend)
#if LIBNVME_VERSION >= 113
F(etpvds) F(ssi)
#endif
#undef OURS
#undef THEIRS

#define OURS envme_log_pel
#define THEIRS nvme_persistent_event_log
S() F(lid) F(tnev) F(tll) F(rv) F(lhl) F(ts) F(poh) F(pcc) F(vid) F(ssvid)
F(sn) F(mn) F(subnqn) F2(gnum, gen_number) F(rci) F(seb)
#undef OURS
#undef THEIRS

#define OURS envme_pel_event
#define THEIRS nvme_persistent_event_entry
S() F2(et, etype) F2(etr, etype_rev) F(ehl) F(ehai) F(cntlid) F(ets)
F(pelpid) F(vsil) F(el)
#undef OURS
#undef THEIRS

#define OURS envme_pel_fw_commit
#define THEIRS nvme_fw_commit_event
S() F2(ofr, old_fw_rev) F2(nfr, new_fw_rev) F2(fca, fw_commit_action)
F2(fs, fw_slot) F2(sct, sct_fw) F2(sc, sc_fw)
F2(vafcrc, vndr_assign_fw_commit_rc)
#undef OURS
#undef THEIRS

#define OURS envme_pel_timestamp
#define THEIRS nvme_time_stamp_change_event
S() F2(pts, previous_timestamp) F2(msr, ml_secs_since_reset)
#undef OURS
#undef THEIRS

#define OURS envme_pel_power_on_ctrl
#define THEIRS nvme_power_on_reset_info_list
S() F2(cntlid, cid) F2(fa, fw_act) F2(oip, op_in_prog)
F2(cpc, ctrl_power_cycle) F2(pom, power_on_ml_seconds)
F2(cts, ctrl_time_stamp)
#undef OURS
#undef THEIRS

#define OURS envme_pel_change_ns
#define THEIRS nvme_change_ns_event
S() F2(nsmgmt_cdw10, nsmgt_cdw10) F(nsze) F2(ncap, nscap) F(flbas) F(dps)
F(nmic) F2(anagrpid, ana_grp_id) F2(nvmsetid, nvmset_id) F(nsid)
#undef OURS
#undef THEIRS

#define OURS envme_pel_format_start
#define THEIRS nvme_format_nvm_start_event
S() F(nsid) F(fna) F2(cdw10, format_nvm_cdw10)
#undef OURS
#undef THEIRS

#define OURS envme_pel_format_done
#define THEIRS nvme_format_nvm_compln_event
S() F(nsid) F2(sfpi, smallest_fpi) F2(fns, format_nvm_status)
F2(ci, compln_info) F2(sf, status_field)
#undef OURS
#undef THEIRS

#define OURS envme_pel_sanitize_start
#define THEIRS nvme_sanitize_start_event
S() F2(sanicap, sani_cap) F2(cdw10, sani_cdw10) F2(cdw11, sani_cdw11)
#undef OURS
#undef THEIRS

#define OURS envme_pel_sanitize_done
#define THEIRS nvme_sanitize_compln_event
S() F2(sprog, sani_prog) F2(sstat, sani_status) F2(ci, cmpln_info)
#undef OURS
#undef THEIRS

#define OURS envme_pel_thermal
#define THEIRS nvme_thermal_exc_event
S() F2(ot, over_temp) F2(th, threshold)
#undef OURS
#undef THEIRS

#define OURS envme_lba_range
#define THEIRS nvme_lba_range_type_entry
S() F(type) F2(attr, attributes) F(slba) F(nlb) F(guid)
#undef OURS
#undef THEIRS

#define OURS envme_feat_lba_range
#define THEIRS nvme_lba_range_type
S() F(entry)
#undef OURS
#undef THEIRS

#define OURS envme_feat_apst
#define THEIRS nvme_feat_auto_pst
S() F2(entry, apst_entry)
#undef OURS
#undef THEIRS

#define OURS envme_feat_hmb
#define THEIRS nvme_host_mem_buf_attrs
S() F(hsize) F(hmdlal) F(hmdlau) F(hmdlec)
#undef OURS
#undef THEIRS

#define OURS envme_timestamp
#define THEIRS nvme_timestamp
S() F(timestamp) F(attr)
#undef OURS
#undef THEIRS

#define OURS envme_feat_plm
#define THEIRS nvme_plm_config
S() F(ee) F(dtwinrt) F(dtwinwt) F(dtwintt)
#undef OURS
#undef THEIRS

#define OURS envme_feat_host_behavior
#define THEIRS nvme_feat_host_behavior
S() F(acre)
#if LIBNVME_VERSION >= 113
F(etdas) F(lbafee) F(hdisns) F(cdfe)
#endif
#undef OURS
#undef THEIRS

#if LIBNVME_VERSION >= 113
#define OURS envme_perf_standard
#define THEIRS nvme_std_perf_attr
S() F(r4karl)
#undef OURS
#undef THEIRS
#endif

#if LIBNVME_VERSION >= 113
#define OURS envme_perf_id_list
#define THEIRS nvme_perf_attr_id_list
S() F(attrtyp) F(msvspa) F(usvspa) F2(id, id_list)
#undef OURS
#undef THEIRS
#endif

#if LIBNVME_VERSION >= 113
#define OURS envme_perf_vendor
#define THEIRS nvme_vs_perf_attr
S() F(paid) F(attrl) F(vs)
#undef OURS
#undef THEIRS
#endif

#if LIBNVME_VERSION >= 113
#define OURS envme_feat_cdq
#define THEIRS nvme_lm_ctrl_data_queue_fid_data
S() F(hp) F(tpt)
#undef OURS
#undef THEIRS
#endif

#define OURS envme_meta_element
#define THEIRS nvme_metadata_element_desc
S() F2(et, type) F2(er, rev) F2(elen, len) E2(eval, val)
#undef OURS
#undef THEIRS

#define OURS envme_feat_meta
#define THEIRS nvme_host_metadata
S() F2(nmed, ndesc) F2(med, descs_buf)
#undef OURS
#undef THEIRS

#define OURS envme_copy_range_f0
#define THEIRS nvme_copy_range
S() F(slba) F(nlb) F2(elbrt, eilbrt)
#if LIBNVME_VERSION >= 113
F(elbat) F(elbatm)
#endif
#undef OURS
#undef THEIRS

#define OURS envme_copy_range_f1
#define THEIRS nvme_copy_range_f1
S() F(slba) F(nlb) F(elbt)
#if LIBNVME_VERSION >= 113
F(elbat) F(elbatm)
#endif
#undef OURS
#undef THEIRS

#if LIBNVME_VERSION >= 113
#define OURS envme_copy_range_f2
#define THEIRS nvme_copy_range_f2
S() F(snsid) F(slba) F(nlb) F(sopt) F2(elbrt, eilbrt) F(elbat) F(elbatm)
#undef OURS
#undef THEIRS
#endif

#if LIBNVME_VERSION >= 113
#define OURS envme_copy_range_f3
#define THEIRS nvme_copy_range_f3
S() F(snsid) F(slba) F(nlb) F(sopt) F(elbt) F(elbat) F(elbatm)
#undef OURS
#undef THEIRS
#endif

#define OURS envme_dsm_range
#define THEIRS nvme_dsm_range
S() F(cattr) F(nlb) F(slba)
#undef OURS
#undef THEIRS

#define OURS envme_lba_status
#define THEIRS nvme_lba_status
S() F(nlsd) F(cmpc)
#undef OURS
#undef THEIRS

#define OURS envme_lba_status_desc
#define THEIRS nvme_lba_status_desc
S() F(dslba) F(nlb) F(status)
#undef OURS
#undef THEIRS

#define OURS envme_zns_desc
#define THEIRS nvme_zns_desc
S() F(zt) F(zs) F(za) F(zai) F(zcap) F(zslba) F(wp)
#undef OURS
#undef THEIRS

#define OURS envme_zns_report
#define THEIRS nvme_zone_report
S() F2(nrz, nr_zones)
#undef OURS
#undef THEIRS

#define OURS envme_log_changed_zones
#define THEIRS nvme_zns_changed_zone_log
S() F(nrzid) F(zid)
#undef OURS
#undef THEIRS

#define OURS envme_zns_lbafe
#define THEIRS nvme_zns_lbafe
S() F(zsze) F(zdes)
#undef OURS
#undef THEIRS

#define OURS envme_id_ns_zns
#define THEIRS nvme_zns_id_ns
S() F(zoc) F(ozcs) F(mar) F(mor) F(rrl) F(frl) F(rrl1) F(rrl2) F(rrl3)
F(frl1) F(frl2) F(frl3) F(numzrwa) F(zrwafg) F(zrwasz) F(zrwacap) F(lbafe)
F(vs)
#undef OURS
#undef THEIRS

#define OURS envme_id_ctrl_zns
#define THEIRS nvme_zns_id_ctrl
S() F(zasl)
#undef OURS
#undef THEIRS

#define OURS envme_resv_status
#define THEIRS nvme_resv_status
F(gen) F(rtype) F2(regstrnt, regctl) F(ptpls)
#undef OURS
#undef THEIRS

#define OURS envme_resv_registrant
#define THEIRS nvme_registered_ctrl
S() F(cntlid) F(rcsts) F(hostid) F(rkey)
#undef OURS
#undef THEIRS

#define OURS envme_resv_status_ext
#define THEIRS nvme_resv_status
S()
#undef OURS
#undef THEIRS

#define OURS envme_resv_registrant_ext
#define THEIRS nvme_registered_ctrl_ext
S() F(cntlid) F(rcsts) F(rkey) F(hostid)
#undef OURS
#undef THEIRS

#define OURS envme_log_resv
#define THEIRS nvme_resv_notification_log
S() F(lpc) F(rnlpt) F(nalp) F(nsid)
#undef OURS
#undef THEIRS

#define OURS envme_log_fdp_configs
#define THEIRS nvme_fdp_config_log
S() F2(numfdpc, n) F2(ver, version) F(size)
#undef OURS
#undef THEIRS

#define OURS envme_fdp_config
#define THEIRS nvme_fdp_config_desc
S() F2(dsze, size) F(fdpa) F(vss) F(nrg) F(nruh) F(maxpids) F2(nns, nnss)
F(runs) F(erutl)
#undef OURS
#undef THEIRS

#define OURS envme_fdp_ruh
#define THEIRS nvme_fdp_ruh_desc
S() F(ruht)
#undef OURS
#undef THEIRS

#define OURS envme_log_ruh_usage
#define THEIRS nvme_fdp_ruhu_log
S() F(nruh)
#undef OURS
#undef THEIRS

#define OURS envme_ruh_usage
#define THEIRS nvme_fdp_ruhu_desc
S() F(ruha)
#undef OURS
#undef THEIRS

#define OURS envme_log_fdp_stats
#define THEIRS nvme_fdp_stats_log
S() F(hbmw) F(mbmw) F(mbe)
#undef OURS
#undef THEIRS

#define OURS envme_fdp_event
#define THEIRS nvme_fdp_event
S() F2(et, type) F2(fdpef, flags) F(pid) F(ts) F(nsid) F2(es, type_specific)
F(rgid) F(ruhid) F(vs)
#undef OURS
#undef THEIRS

#define OURS envme_log_fdp_events
#define THEIRS nvme_fdp_events_log
S() F2(num, n) F2(event, events)
#undef OURS
#undef THEIRS

#define OURS envme_fdp_event_type
#define THEIRS nvme_fdp_supported_event_desc
S() F2(fdpet, evt) F2(fdpeta, evta)
#undef OURS
#undef THEIRS

#define OURS envme_ruh_status
#define THEIRS nvme_fdp_ruh_status
S() F(nruhsd)
#undef OURS
#undef THEIRS

#define OURS envme_ruh_status_desc
#define THEIRS nvme_fdp_ruh_status_desc
S() F(pid) F(ruhid) F(earutr) F(ruamw)
#undef OURS
#undef THEIRS

#define OURS envme_directive_params
#define THEIRS nvme_id_directives
S() F(supported) F(enabled)
#undef OURS
#undef THEIRS

#define OURS envme_streams_params
#define THEIRS nvme_streams_directive_params
S() F(msl) F(nssa) F(nsso) F(nssc) F(sws) F(sgs) F(nsa) F(nso)
#undef OURS
#undef THEIRS

#define OURS envme_streams_status
#define THEIRS nvme_streams_directive_status
S() F(osc) E(sid)
#undef OURS
#undef THEIRS

#define OURS envme_ana_desc
#define THEIRS nvme_ana_group_desc
S() F2(agid, grpid) F2(nnsid, nnsids) F2(chngc, chgcnt) F2(anas, state)
E2(nsid, nsids)
#undef OURS
#undef THEIRS

#define OURS envme_endgrp_config
#define THEIRS nvme_end_grp_config_desc
F(endgid) F2(caf, cap_adj_factor) F(tegcap) F(segcap) F2(ee, end_est)
F(egsets)
#undef OURS
#undef THEIRS

#define OURS envme_pel_hw_error
#define THEIRS nvme_nss_hw_err_event
F2(nheec, nss_hw_err_event_code)
#undef OURS
#undef THEIRS

#define OURS envme_pel_set_feature
#define THEIRS nvme_set_feature_event
S() F2(sfel, layout)
#undef OURS
#undef THEIRS

/* Theirs is not packed: what comes behind is elsewhere. */
#define OURS envme_fdp_realloc
#define THEIRS nvme_fdp_event_realloc
F2(sef, flags) F(nlbam)
#undef OURS
#undef THEIRS
