# SPDX-License-Identifier: GPL-2.0-or-later
# What the scripts of scenarios share; it stands in front of each of them.
d=/dev/nvme0n1 c=/dev/nvme0
there() { [ -b $d ] && [ "$(blockdev --getsize64 $d)" = 67108864 ]; }
t "the namespace appears" wait_for 10 there
bdf=$(pci_of nvme0)
t "the time-outs are short" sh -c "grep -qx 2 /sys/module/nvme_core/parameters/io_timeout"

dd if=/dev/urandom of=/tmp/a bs=4096 count=1 2>/dev/null
# Of the block of 4 KiB with that number.
w() { dd if=/tmp/a of=$d bs=4096 count=1 seek=$1 oflag=direct conv=notrunc; }
r() { dd if=$d of=/tmp/x bs=4096 count=1 skip=$1 iflag=direct; }
same() { r $1 && cmp /tmp/a /tmp/x; }
many() {    # w|r TIMES
    local i=0
    while [ $i -lt $2 ]; do $1 $i || return 1; i=$((i + 1)); done
}
reset() { echo 1 >/sys/class/nvme/nvme0/reset_controller; }

now=
scenario() {
    now=$1
    echo "scenario $now" >/dev/kmsg
    t "$now: it loads" host faults $now
}
said() { dmesg | sed -n "/scenario $now\$/,\$p" | grep -E "$1"; }
quiet() { ! said 'nvme.*(timeout|abort|controller is down|Removing|mismatch|failed)|I/O error'; }
good() { case $(host verdict) in passed|open) ;; *) return 1 ;; esac; }
verdict() { [ "$(host verdict)" = $1 ]; }
fired() { [ "$(host hits $1)" -ge ${2:-1} ]; }
works() { w 1000 && same 1000; }
over() {
    host faults off >/dev/null
    t "$now: I/O afterwards" works
}
# The driver has given the controller up: it is bound again.
rebind() {
    host faults off >/dev/null
    echo $bdf >/sys/bus/pci/drivers/nvme/unbind
    # Its number is free when the last one lets go of it, and not before.
    wait_for 20 gone /sys/class/nvme/nvme0
    wait_for 20 gone /dev/nvme0
    sleep 1
    echo $bdf >/sys/bus/pci/drivers/nvme/bind
    t "$now: it works when it is bound again" wait_for 20 there
    t "$now: I/O afterwards" works
}
