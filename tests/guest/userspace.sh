# SPDX-License-Identifier: GPL-2.0-or-later
# A user-space driver (uio-nvme.c) on uio_pci_generic, whose device file another
# process opens and closes: the kernel clears Bus Master at every close. Then,
# where there is an IOMMU, the same driver on vfio-pci.
t "the namespace appears to the kernel first" wait_for 10 present /dev/nvme0n1
pci=$(pci_of nvme0)
echo 4 >/proc/sys/vm/nr_hugepages

bind_to() {
    if [ -e "/sys/bus/pci/devices/$pci/driver" ]; then
        echo "$pci" >"/sys/bus/pci/devices/$pci/driver/unbind" || return
    fi
    modprobe "$1" || return
    echo "$1" >"/sys/bus/pci/devices/$pci/driver_override" &&
        echo "$pci" >/sys/bus/pci/drivers_probe &&
        [ "$(basename "$(readlink "/sys/bus/pci/devices/$pci/driver")")" = "$1" ]
}
ops() { od -An -t u8 -N 8 /tmp/count | tr -d ' '; }
more_ops_than() { [ "$(ops)" -gt "$1" ]; }
master() { [ $((0x$(setpci -s "$pci" COMMAND) & 4)) = "$1" ]; }
quiet() { sleep 0.2; a=$(ops); sleep 0.5; b=$(ops); echo "$a then $b"; [ "$a" = "$b" ]; }
csts_ready() {
    csts=$(uio-nvme csts "$pci")
    echo "CSTS: $csts"
    [ "$csts" = "RDY=1 CFS=0" ]
}

start_driver() {    # uio|vfio
    : >/tmp/count
    uio-nvme run "$@" >/tmp/uio.out 2>&1 &
    driver=$!
}
# The subshell of t cannot wait for a child of this shell.
ends_well() {
    kill -TERM $driver
    wait $driver
    rc=$?
    t "$1" sh -c "cat /tmp/uio.out; [ $rc = 0 ] && grep -q 'every byte right' /tmp/uio.out"
}
goes_on() { more_than=$(ops); wait_for 20 more_ops_than $((more_than + 500)); }

# one_freeze NAME COMMAND...: a command that clears Bus Master under I/O.
one_freeze() {
    local name=$1
    shift
    t "$name clears Bus Master" "$@"
    t "$name: the bit is clear" master 0
    t "$name: I/O stops" quiet
    t "$name: CSTS is ready and not failed" csts_ready
    setpci -s "$pci" COMMAND=4:4
    t "$name: Bus Master set, I/O goes on" goes_on
}
open_and_close() { (exec 3<>/dev/uio0); }
by_setpci() { setpci -s "$pci" COMMAND=0:4; }

uio_story() {
    t "uio_pci_generic takes the controller" bind_to uio_pci_generic || return
    t "its device file appears" wait_for 5 test -c /dev/uio0
    start_driver uio "$pci" /tmp/count 100000000
    t "the user-space driver does I/O" wait_for 20 more_ops_than 1000
    one_freeze "closing /dev/uio0" open_and_close
    one_freeze "closing it again" open_and_close
    one_freeze "setpci" by_setpci
    for i in 1 2 3 4 5 6 7 8 9 10; do
        open_and_close
        sleep 0.05
        setpci -s "$pci" COMMAND=4:4
        sleep 0.05
    done
    t "after ten quick closes I/O goes on" goes_on
    ends_well "every byte is right"
    start_driver uio "$pci" /tmp/count 30000 freeze
    wait $driver
    rc=$?
    t "freezing itself every 2000 operations" \
        sh -c "cat /tmp/uio.out; [ $rc = 0 ] && grep -q 'every byte right' /tmp/uio.out"
}

vfio_story() {
    t "vfio-pci takes the controller" bind_to vfio-pci || return
    modprobe vfio_iommu_type1
    start_driver vfio "$pci" /tmp/count 100000000
    t "the driver on vfio does I/O" wait_for 20 more_ops_than 1000
    one_freeze "setpci under vfio" by_setpci
    ends_well "every byte is right on vfio"
}

if [ -e "/sys/bus/pci/devices/$pci/iommu_group" ]; then
    vfio_story
else
    uio_story
fi

t "the kernel's driver takes it back" bind_to nvme
t "and finds its namespace" wait_for 10 present /dev/nvme0n1
verify "fio verify with the kernel's driver" /dev/nvme0n1
clean_log
