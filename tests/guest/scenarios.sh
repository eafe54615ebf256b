# SPDX-License-Identifier: GPL-2.0-or-later
# The scenarios of faults/ against Linux's driver, one after the other, with
# time-outs of 2 s: what it does, what it says, and that it works afterwards.
d=/dev/nvme0n1 c=/dev/nvme0
bdf=$(basename "$(readlink -f /sys/class/nvme/nvme0/device)")
there() { [ -b $d ] && [ "$(blockdev --getsize64 $d)" = 67108864 ]; }
t "the namespace appears" wait_for 10 there
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

# ---- completions and interrupts

for s in lost-completion late-completion wrong-cid wrong-phase doorbell-lost abort-limit; do
    scenario $s
    t "$s: the write succeeds in the end" w 5
    t "$s: the driver says that it timed out" said 'nvme.*timeout'
    t "$s: it came to an abort or a reset" said 'aborting|[Aa]bort|reset'
    t "$s: the verdict is good" good
    over
    t "$s: the data are there" same 5
    [ $s != wrong-cid ] || t "$s: the driver saw it" \
        said 'mismatch|could not locate|invalid id'
done

for s in lost-interrupt wrong-vector; do
    scenario $s
    t "$s: the read succeeds" r 5
    t "$s: its completion was found" said 'completion polled'
    t "$s: no reset, no abort" sh -c "! dmesg | sed -n '/scenario $s\$/,\$p' | grep -E 'aborting|will reset'"
    t "$s: the verdict is good" good
    over
done

for s in spurious-interrupt torn-completion wrong-sqhd slow-reads; do
    scenario $s
    t "$s: 40 reads" many r 40
    t "$s: the driver does not mind" quiet
    t "$s: the verdict is good" good
    over
done

scenario duplicate-completion
t "$now: 40 reads" many r 40
t "$now: the driver saw it" said 'mismatch|could not locate|invalid id'
t "$now: the verdict is good" good
over

scenario controller-fatal
t "$now: 4 writes" many w 4
# The event of a Persistent Internal Error comes first, when it comes through.
t "$now: the driver resets it" said \
    'controller is down; will reset: CSTS=0x[0-9a-f]*[2367abef],|resetting controller due to'
t "$now: the verdict is passed" verdict passed
over

# ---- statuses

scenario command-interrupted
t "$now: 12 writes" many w 12
t "$now: they were interrupted" fired interrupted 2
t "$now: nobody notices" quiet
t "$now: the verdict is passed" verdict passed
over

scenario unrecovered-read
tf "$now: the blocks cannot be read" r 256
t "$now: a medium error" said 'medium error|Unrecovered Read'
t "$now: the next ones can" r 257
t "$now: SMART counts it" sh -c \
    "[ \$(nvme smart-log $d | sed -n 's/^[Mm]edia_errors[^:]*: *//p') -ge 1 ]"
t "$now: the verdict is good" good
over

scenario write-fault
tf "$now: the blocks cannot be written" w 512
t "$now: an I/O error" said 'error, dev nvme0n1|Write Fault'
t "$now: the next ones can" w 513
t "$now: the verdict is good" good
over

scenario capacity-exceeded
t "$now: 9 writes" many w 9
tf "$now: no tenth" w 9
t "$now: no space" said 'space|Capacity Exceeded'
t "$now: reads go on" r 0
t "$now: the verdict is good" good
over

# ---- data

scenario silent-corruption
w 128 2>/dev/null
same 128 && same 128
tf "$now: the third read is wrong" same 128
t "$now: and nothing said so" quiet
over

scenario lost-write
dd if=/dev/zero of=$d bs=4096 count=1 seek=2560 oflag=direct 2>/dev/null
host faults off >/dev/null
dd if=/dev/zero of=$d bs=4096 count=1 seek=2560 oflag=direct 2>/dev/null
host faults lost-write >/dev/null
t "$now: the write succeeds" w 2560
tf "$now: and is not there" same 2560
over

scenario misdirected-write
t "$now: the write succeeds" w 2048
tf "$now: it is not there" same 2048
t "$now: it is elsewhere" same 2049
over

scenario short-write
t "$now: the write succeeds" w 1024
tf "$now: it is not all there" same 1024
t "$now: the begin is" sh -c "cmp -n 512 /tmp/a /tmp/x"
over

scenario flush-lies
t "$now: a flush succeeds" nvme flush $d
t "$now: it was a lie" fired lies
over

# ---- what the controller says

scenario namespace-shrinks
has_size() { [ "$(blockdev --getsize64 $d)" = $1 ]; }
t "$now: the driver sees it" wait_for 10 has_size 4194304
t "$now: the verdict is passed" verdict passed
host faults off >/dev/null
echo 1 >/sys/class/nvme/nvme0/rescan_controller
t "$now: and back" wait_for 10 there
over

scenario event-storm
t "$now: reads meanwhile" many r 40
sleep 3
t "$now: the storm came" fired storm 3
t "$now: the verdict is good" good
over

scenario unknown-event
t "$now: reads meanwhile" many r 5
t "$now: the verdict is good" good
over

scenario worn-out
tf "$now: it cannot be written" w 7
t "$now: it can be read" r 7
t "$now: SMART warns" sh -c "nvme smart-log $c | grep -E '^critical_warning.*: (0xd|0x0d|13)'"
host faults off >/dev/null
t "$now: I/O afterwards" works

scenario overheating
hot() { nvme smart-log $c | grep -E '^temperature.*(102|375)'; }
t "$now: the temperature is seen" wait_for 6 hot
over

scenario wrong-log-page
t "$now: nvme-cli shows it" sh -c "nvme smart-log $c | grep -E '^percentage_used.*255'"
over

scenario feature-lies
t "$now: nvme-cli shows it" sh -c "nvme get-feature $c -f 6 | grep -Ei 'value: *(0x)?0+ *$'"
over

# ---- resets

queues() { [ "$(cat /sys/class/nvme/nvme0/queue_count)" = $1 ]; }
for s in queue-refused fewer-queues; do
    scenario $s
    t "$s: the controller is reset" reset
    t "$s: it has one I/O queue" queues 2
    t "$s: it works" works
    t "$s: the verdict is good" good
    host faults off >/dev/null
    reset
    t "$s: two again" queues 3
    over
done

scenario slow-ready
t "$now: the controller is reset" reset
t "$now: it works" works
t "$now: the verdict is passed" verdict passed
over

scenario namespace-not-ready
t "$now: the controller is reset" reset
t "$now: a read succeeds" r 3
t "$now: it was tried again" fired later
t "$now: the verdict is good" good
over

scenario no-reset
t "$now: I/O" works
t "$now: the verdict is passed" verdict passed
reset
t "$now: the verdict has failed" verdict failed
over

scenario no-destruction
t "$now: I/O" works
t "$now: the verdict is passed" verdict passed
t "$now: a format" nvme format $d -n 1 --force
t "$now: the verdict has failed" verdict failed
over

scenario identify-fails
tf "$now: the reset fails" sh -c "echo 1 >/sys/class/nvme/nvme0/reset_controller && blockdev --getsize64 $d && dd if=$d of=/dev/null bs=4096 count=1 iflag=direct"
t "$now: the driver gives it up" said 'Identify Controller failed|Removing after|Disabling device|dead'
rebind

scenario identifiers-change
reset
gone() { ! [ -b $d ]; }
t "$now: the old disk is gone" wait_for 10 gone
t "$now: the driver says why" said 'identifiers changed'
t "$now: the verdict is good" good
rebind

scenario never-ready
tf "$now: the reset fails" sh -c "echo 1 >/sys/class/nvme/nvme0/reset_controller && dd if=$d of=/dev/null bs=4096 count=1 iflag=direct"
t "$now: the driver says why" said 'Device not ready'
rebind

scenario registers-all-ones
tf "$now: writes fail" many w 4
t "$now: the driver gives it up" said 'CSTS=0xffffffff|Removing|Disabling device|dead'
rebind

scenario link-lost
tf "$now: writes fail" many w 4
t "$now: the driver gives it up" said 'CSTS=0xffffffff|Removing|Disabling device|dead'
t "$now: the configuration space is all ones" sh -c \
    "[ \$(dd if=/sys/bus/pci/devices/$bdf/config bs=4 count=1 2>/dev/null | od -An -tx4 | tr -d ' ') = ffffffff ]"
host faults off >/dev/null
# Its BARs are gone: it is looked for again.
echo 1 >/sys/bus/pci/devices/$bdf/remove
wait_for 20 gone /sys/class/nvme/nvme0
wait_for 20 gone /dev/nvme0
sleep 1
echo 1 >/sys/bus/pci/rescan
t "$now: it is found again" wait_for 20 there
t "$now: I/O afterwards" works

scenario shutdown-hangs
echo $bdf >/sys/bus/pci/drivers/nvme/unbind
t "$now: the driver says so and goes on" said 'aborting shutdown|shutdown incomplete'
host faults off >/dev/null
echo $bdf >/sys/bus/pci/drivers/nvme/bind
t "$now: it works when it is bound again" wait_for 20 there
t "$now: I/O afterwards" works

# ---- from in here

now=inject
echo "scenario inject" >/dev/kmsg
if nvme ocp set-error-injection --help 2>&1 | grep -q nrtdp; then
    t "nvme ocp set-error-injection" nvme ocp set-error-injection $c -t 7 -r 1
    t "nvme ocp get-error-injection" nvme ocp get-error-injection $c
else
    # Enabled, once, type 7, after one read.
    printf '\3\0\7\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >/tmp/erri
    t "feature C0h is set" nvme set-feature $c -f 0xc0 --value=1 -l 32 -d /tmp/erri
    t "feature C0h is got" sh -c "nvme get-feature $c -f 0xc0 -l 4064 | grep -Ei 'value: *(0x)?0*1 *$'"
fi
t "the first read goes well" r 8
tf "the second fails" r 8
t "the third goes well" r 8

printf '%s' '{"rules": [{"name": "g", "match": {"opcode": "read"}, "do": {"status": {"code": "unrecovered-read", "dnr": true}}}]}' >/tmp/rules
n=$(($(stat -c %s /tmp/rules) / 4 * 4 + 4))
truncate -s $n /tmp/rules
send() { nvme admin-passthru $c --opcode=0xc1 --cdw10=$((n / 4)) --cdw12=$1 --data-len=$n --input-file=/tmp/rules -w; }
t "Fault Injection Send loads rules" send 0
tf "reads fail" r 8
t "Fault Injection Receive reports" sh -c "nvme admin-passthru $c --opcode=0xc2 --cdw10=256 --cdw12=0 --data-len=1024 -r -b | tr -d '\0' | grep '\"name\": *\"g\"'"
t "Fault Injection Send deactivates" nvme admin-passthru $c --opcode=0xc1 --cdw12=4
t "reads go well" r 8
t "no kernel bug" sh -c "! dmesg | grep -E 'BUG:|WARNING:|Oops|blocked for'"
