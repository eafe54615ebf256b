# SPDX-License-Identifier: GPL-2.0-or-later
# A drive that cannot be written, and drives that fail.
# c0: read-only. c1: sector 2048 fails to read, 4096 to write. c2: no space at
# 4096. c3: stops the machine at the first write of sector 4096, then goes on.
by_serial() {
    for c in /sys/class/nvme/nvme*; do
        [ "$(tr -d ' ' <$c/serial)" = "$1" ] && basename $c && return
    done
}
all_there() { [ -b /dev/nvme3n1 ]; }
t "the namespaces appear" wait_for 10 all_there
ro=/dev/$(by_serial sn-c0)n1 bad=/dev/$(by_serial sn-c1)n1
full=/dev/$(by_serial sn-c2)n1 stop=/dev/$(by_serial sn-c3)n1
dd if=/dev/urandom of=/tmp/a bs=4096 count=1 2>/dev/null

t "a read-only drive is read-only for the kernel" sh -c "[ \$(blockdev --getro $ro) = 1 ]"
t "it can be read" nvme read $ro -s 0 -c 0 -z 512 -d /tmp/x
tf "it cannot be written" nvme write $ro -s 0 -c 0 -z 512 -d /tmp/a
tf "nor zeroed" nvme write-zeroes $ro -s 0 -c 0

fails_with() {   # STATUS TEXT, command
    local want=$1
    shift
    "$@" && return 1
    "$@" 2>&1 | grep -Ei "$want"
}
t "a read error is a media error" fails_with "Unrecovered Read" nvme read $bad -s 2048 -c 7 -z 4096 -d /tmp/x
t "a write error is a media error" fails_with "Write Fault" nvme write $bad -s 4096 -c 7 -z 4096 -d /tmp/a
tf "the block layer sees the error" dd if=$bad of=/dev/null bs=4096 skip=256 count=1 iflag=direct
t "the smart log counts media errors" sh -c \
    "[ \$(nvme smart-log $bad | sed -n 's/^[Mm]edia_errors[^:]*: *//p') -ge 2 ]"
t "elsewhere the drive works" sh -c "nvme write $bad -s 64 -c 7 -z 4096 -d /tmp/a &&
    nvme read $bad -s 64 -c 7 -z 4096 -d /tmp/x && cmp /tmp/a /tmp/x"
verify "fio verify beside the bad sectors" $bad --offset=4m

t "no space is Capacity Exceeded" fails_with "Capacity Exceeded" nvme write $full -s 4096 -c 7 -z 4096 -d /tmp/a
t "what was there is still read" nvme read $full -s 4096 -c 7 -z 4096 -d /tmp/x

host autocont >/dev/null
t "werror=stop: the write waits and then succeeds" nvme write $stop -s 4096 -c 7 -z 4096 -d /tmp/a
t "the machine was stopped for it" sh -c "[ '$(host stops)' -ge 1 ]"
t "the data arrived" sh -c "nvme read $stop -s 4096 -c 7 -z 4096 -d /tmp/x && cmp /tmp/a /tmp/x"
for d in $ro $bad $full $stop; do
    t "the controller of $d answers" nvme id-ctrl $d
done
clean_log 'I/O error, dev nvme|critical medium error|critical target error|critical space|Read Error|nvme.*sct|(Read|Write).*(I/O Error)'
