# SPDX-License-Identifier: GPL-2.0-or-later
# One controller, one namespace: what nvme-cli can ask, data, resets.
dev=/dev/nvme0 ns=/dev/nvme0n1
pci=$(pci_of nvme0)

t "the namespace appears" wait_for 5 present $ns
t "nvme list" sh -c "nvme list | grep $ns"
t "id-ctrl" sh -c "nvme id-ctrl $dev -H >/tmp/id && grep -Eq '^sn +: $GUEST_SERIAL' /tmp/id &&
    grep -Eq '^ver +: 0x20100' /tmp/id"
t "id-ns" sh -c "nvme id-ns $ns -H >/tmp/id && grep -Eq '^nsze' /tmp/id && grep -q 'in use' /tmp/id"
t "id-ns gives the size of the drive" sh -c \
    "test \$((\$(nvme id-ns $ns | sed -n 's/^nsze *: *//p') * \$(blockdev --getss $ns))) = \
        \$(blockdev --getsize64 $ns)"
t "list-ns" sh -c "nvme list-ns $dev | grep -q '0x1'"
t "list-ctrl, cmdset and the id descriptors" sh -c \
    "nvme list-ctrl $dev && nvme ns-descs $ns && nvme cmdset-ind-id-ns $dev -n 1"
t "show-regs" sh -c "nvme show-regs $dev -H >/tmp/regs && grep -qi '^ *version' /tmp/regs &&
    grep -E 'Ready +\\(RDY\\): Yes' /tmp/regs"
t "the driver uses MSI-X" sh -c "grep -q 'nvme0q1' /proc/interrupts && test -d /sys/bus/pci/devices/$pci/msi_irqs"

# Features: every mandatory one answers, with its capabilities and default.
for f in 1 2 4 "5 -n 1" 7 8 9 10 11; do
    t "get-feature $f" sh -c "nvme get-feature $dev -f $f && nvme get-feature $dev -f $f -s 1 &&
        nvme get-feature $dev -f $f -s 3"
done
tf "get-feature of a feature that is not there" nvme get-feature $dev -f 0xb7
t "set-feature is read back" sh -c "nvme set-feature $dev -f 4 -V 0x14d &&
    nvme get-feature $dev -f 4 | grep -i 14d"
t "volatile write cache" sh -c "nvme get-feature $dev -f 6 | grep -i 'current value'"

# Logs.
t "smart-log" sh -c "nvme smart-log $dev >/tmp/smart && grep -q 'critical_warning.*: 0' /tmp/smart"
t "fw-log" nvme fw-log $dev
t "effects-log" sh -c "nvme effects-log $dev >/tmp/eff && grep -qi 'Identify' /tmp/eff"
t "changed-ns-list-log" nvme changed-ns-list-log $dev
t "supported-log-pages" nvme supported-log-pages $dev
tf "a read past the end fails" nvme read $ns -s 0xffffffff0 -c 0 -z 4096 -d /tmp/x
t "its error is in the error log" sh -c "nvme error-log $dev -e 1 >/tmp/err &&
    grep -Eqi 'LBA (Out of )?Range' /tmp/err"
tf "an unknown admin command fails" nvme admin-passthru $dev -o 0xc3
tf "an unknown I/O command fails" nvme io-passthru $ns -o 0x93 -n 1
tf "format of a namespace that is not there fails" nvme admin-passthru $dev -o 0x80 -n 77

# NVM commands, one by one.
size=$(blockdev --getss $ns)
n=$((8192 / size))
dd if=/dev/urandom of=/tmp/a bs=8192 count=1 2>/dev/null
dd if=/dev/urandom of=/tmp/b bs=8192 count=1 2>/dev/null
dd if=/dev/zero of=/tmp/zero bs=8192 count=1 2>/dev/null
rd() { nvme read $ns -s 64 -c $((n - 1)) -z 8192 -d /tmp/r && cmp /tmp/r "$1"; }
wr() { nvme write $ns -s 64 -c $((n - 1)) -z 8192 -d "$1"; }
t "nvme write" wr /tmp/a
t "nvme read" rd /tmp/a
t "write with FUA" sh -c "nvme write $ns -f -s 64 -c $((n - 1)) -z 8192 -d /tmp/b"
t "and it is there" rd /tmp/b
t "compare of equal data" nvme compare $ns -s 64 -c $((n - 1)) -z 8192 -d /tmp/b
tf "compare of other data fails" nvme compare $ns -s 64 -c $((n - 1)) -z 8192 -d /tmp/a
t "verify" nvme verify $ns -s 64 -c $((n - 1))
t "write zeroes" nvme write-zeroes $ns -s 64 -c $((n - 1))
t "and zeroes are read" rd /tmp/zero
wr /tmp/a >/dev/null
t "write zeroes with deallocate" nvme write-zeroes $ns -d -s 64 -c $((n - 1))
t "zeroes again" rd /tmp/zero
wr /tmp/a >/dev/null
t "dataset management" nvme dsm $ns -d -s 64 -b $n
t "a range is readable after it was deallocated" nvme read $ns -s 64 -c $((n - 1)) -z 8192 -d /tmp/r
t "flush" nvme flush $dev -n 1
t "blkdiscard" blkdiscard -o 1048576 -l 1048576 $ns
t "blkdiscard -z" sh -c "/usr/bin/blkdiscard -z -o 2097152 -l 1048576 $ns &&
    dd if=$ns bs=64k skip=32 count=16 iflag=direct 2>/dev/null | cmp -n 1048576 - /dev/zero"

fs_copy "file system: copy, remount, checksums, fsck" $ns
verify "fio: 4 KiB random writes verified" $ns
verify "fio: mixed sizes to 1 MiB, verified" $ns --bsrange=${size}-1m --blockalign=$size --size=24m
verify "fio: vectored, two jobs, verified" $ns --ioengine=pvsync2 --numjobs=2 --offset_increment=16m
verify "fio: io_uring, verified" $ns --ioengine=io_uring --offset=8m

# Resets, with data on both sides.
alive() { wr /tmp/b && rd /tmp/b; }
for i in 1 2 3; do
    t "controller reset $i" sh -c "nvme reset $dev"
done
t "data after the resets" alive
t "subsystem reset" nvme subsystem-reset $dev
t "CSTS says that it occurred" sh -c "nvme show-regs $dev -H | grep -E '\(NSSRO\): Yes'"
# A subsystem reset leaves CC.EN clear; newer drivers wait for an error.
t "controller reset after it" nvme reset $dev
t "data after the subsystem reset" alive
methods=$(cat /sys/bus/pci/devices/$pci/reset_method)
fn_reset() {
    echo "$1" >/sys/bus/pci/devices/$pci/reset_method &&
        echo 1 >/sys/bus/pci/devices/$pci/reset
}
# A function level reset belongs to PCI Express; D3hot and back resets anywhere.
if [ "$GUEST_MACHINE" != pc ]; then
    t "a function level reset is offered (of: $methods)" sh -c "echo $methods | grep -wq flr"
fi
for m in $methods; do
    case $m in flr | pm) ;; *) continue ;; esac
    t "function reset by $m" fn_reset $m
    t "data after the reset by $m" alive
done
t "the function can be reset (by one of: $methods)" [ -n "$methods" ]
t "a feature is back at its default after the resets" sh -c \
    "! nvme get-feature $dev -f 4 | grep -i 14d"

rebind() {
    echo "$pci" >/sys/bus/pci/drivers/nvme/unbind || return
    gone $ns || return
    echo "$pci" >/sys/bus/pci/drivers/nvme/bind || return
    wait_for 5 present $ns
}
t "unbind and bind the driver" rebind
t "data after that" alive
clean_log
