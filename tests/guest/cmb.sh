# SPDX-License-Identifier: GPL-2.0-or-later
# A controller memory buffer, in which Linux puts its I/O submission queues.
ns=/dev/nvme0n1
pci=$(pci_of nvme0)
p2p=/sys/bus/pci/devices/$pci/p2pmem

t "the namespace appears" wait_for 10 present $ns
t "the driver sees the buffer" sh -c "cat /sys/class/nvme/nvme0/cmbsz /sys/class/nvme/nvme0/cmbloc"
t "and has given it to peer to peer memory" sh -c "test \$(cat $p2p/size) = $GUEST_CMB_BYTES"
in_use() { [ "$(cat $p2p/available)" -lt "$(cat $p2p/size)" ]; }
t "in which submission queues lie" in_use
verify "fio: 4 KiB random writes verified" $ns
verify "fio: mixed sizes to 1 MiB, verified" $ns --bsrange=512-1m --blockalign=512 --size=24m
t "controller reset" nvme reset /dev/nvme0
t "queues lie in it after that" in_use
verify "fio verify after the controller reset" $ns
echo flr >/sys/bus/pci/devices/$pci/reset_method
t "function level reset" sh -c "echo 1 >/sys/bus/pci/devices/$pci/reset"
t "queues lie in it after that" in_use
verify "fio verify after the function level reset" $ns
clean_log
