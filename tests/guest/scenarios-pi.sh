# SPDX-License-Identifier: GPL-2.0-or-later
# Scenarios of faults/ that need protection information: Linux makes and checks
# the guards of its blocks.
d=/dev/nvme0n1
there() { [ -b $d ]; }
t "the namespace appears" wait_for 10 there
t "the kernel checks guards" grep -q T10-DIF-TYPE1 /sys/block/nvme0n1/integrity/format

dd if=/dev/urandom of=/tmp/a bs=4096 count=1 2>/dev/null
w() { dd if=/tmp/a of=$d bs=4096 count=1 seek=$1 oflag=direct conv=notrunc; }
r() { dd if=$d of=/tmp/x bs=4096 count=1 skip=$1 iflag=direct; }
same() { r $1 && cmp /tmp/a /tmp/x; }
said() { dmesg | sed -n '/scenario corrupt-guard$/,$p' | grep -E "$1"; }

t "blocks with their guards are written" w 5
t "they are read" same 5
t "and once more" same 5

echo "scenario corrupt-guard" >/dev/kmsg
t "corrupt-guard: it loads" host faults corrupt-guard
t "corrupt-guard: the first read succeeds" same 5
tf "corrupt-guard: the second fails" r 5
t "corrupt-guard: the kernel says why" said 'guard tag error'
t "corrupt-guard: it fired" [ "$(host hits guard)" -ge 1 ]
host faults off >/dev/null
t "corrupt-guard: the data are right" same 5
t "no kernel bug" sh -c "! dmesg | grep -E 'BUG:|WARNING:|Oops|blocked for'"
