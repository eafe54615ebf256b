# SPDX-License-Identifier: GPL-2.0-or-later
# nvme-cli's subcommands, one after the other, as a user issues them; those for
# namespaces are in ns-manage.sh. A check says what came of each.
dev=/dev/nvme0 ns=/dev/nvme0n1
field() { sed -n "s/^$1 *: *\([^ ]*\).*/\1/p"; }
id() { nvme id-ctrl $dev | field "$1"; }
has() { [ $(($(id "$1") >> $2 & 1)) = 1 ]; }
# A feature that this controller does not have is not walked.
feature() { nvme get-feature $dev -f "$1" -n 1 >/dev/null 2>&1; }
t "the namespace appears" wait_for 10 present $ns
dd if=/dev/urandom of=/tmp/a bs=4096 count=2 2>/dev/null
head -c 4096 /tmp/a >/tmp/b

# ---- identify ----
for cmd in "id-ctrl $dev" "id-ctrl $dev --vendor-specific" "id-ns $ns" \
    "nvm-id-ctrl $dev" "nvm-id-ns $ns" "ns-descs $ns" "list-ns $dev" \
    "list-ns $dev --all" "list-ns $dev --csi=0" "list-ctrl $dev" \
    "list-ctrl $dev --namespace-id=1" "cmdset-ind-id-ns $dev --namespace-id=1" \
    "id-ns-granularity $dev" "id-ns-lba-format $dev --lba-format-index=0" \
    "nvm-id-ns-lba-format $dev --lba-format-index=0" "id-iocs $dev" \
    "id-nvmset $dev" "list-subsys" "list" "list -v" "get-ns-id $ns" \
    "show-regs $dev -H" "get-property $dev --offset=0"; do
    case $cmd in
    get-property*) tf "nvme $cmd (fabrics only)" nvme $cmd ;;
    *) t "nvme $cmd" nvme $cmd ;;
    esac
done

# ---- log pages ----
t "nvme supported-log-pages" nvme supported-log-pages $dev
for cmd in error-log smart-log fw-log changed-ns-list-log effects-log self-test-log \
    sanitize-log fid-support-effects-log mi-cmd-support-effects-log; do
    t "nvme $cmd" nvme $cmd $dev
done
t "smart-log of one namespace" nvme smart-log $ns
for lid in $(nvme supported-log-pages $dev -o json | sed -n 's/.*"lid_\(0x[0-9a-f]*\) .*/\1/p'); do
    # The persistent events need a context: establish, read the header.
    lsp=0
    [ "$lid" = 0xd ] && lsp=3
    t "get-log of page $lid" nvme get-log $dev --log-id="$lid" --log-len=512 --lsp=$lsp
done
tf "get-log of a page that is not there" nvme get-log $dev --log-id=0xc7 --log-len=512
t "telemetry-log" nvme telemetry-log $dev --output-file=/tmp/tel --data-area=3
t "telemetry-log: what came is a log page" sh -c "test \$(stat -c %s /tmp/tel) -ge 512"
if has lpa 4; then
    t "persistent-event-log: release what get-log has established" \
        nvme persistent-event-log $dev --action=2
    t "persistent-event-log: establish and read" nvme persistent-event-log $dev --action=1 \
        --log_len=512
    t "persistent-event-log: all of it" sh -c "nvme persistent-event-log $dev --action=0 >/tmp/pel &&
        grep -q 'Power-on or Reset Event' /tmp/pel"
    t "persistent-event-log: release" nvme persistent-event-log $dev --action=2
fi
if has ctratt 4; then
    t "endurance-log" nvme endurance-log $dev --group-id=1
    t "list-endgrp" nvme list-endgrp $dev
fi
if has oacs 9; then
    t "lba-status-log" nvme lba-status-log $dev
    t "get-lba-status" nvme get-lba-status $dev --namespace-id=1 --start-lba=0 --max-dw=1024 \
        --action=0x11 --range-len=16
fi
if nvme get-log $dev --log-id=0x15 --log-len=16 >/dev/null 2>&1; then
    t "boot-part-log" nvme boot-part-log $dev --output-file=/tmp/bp
fi

# ---- features ----
for fid in 1 2 4 6 7 8 10 11; do
    t "get-feature $fid" nvme get-feature $dev -f $fid -H
done
t "get-feature 5" nvme get-feature $dev -f 5 -n 1 -H
t "get-feature 9, vector 0" nvme get-feature $dev -f 9 --cdw11=0
for fid in 0x03 0x0c 0x0d 0x0e 0x0f 0x10 0x11 0x15 0x16 0x17 0x1f 0x7d 0x7e 0x7f 0x80 0x81 \
    0x84 0x85; do
    if feature $fid; then
        for sel in 0 1 2 3; do
            nvme get-feature $dev -f $fid -n 1 -s $sel >/tmp/f 2>&1 ||
                grep -qi "saveable\|invalid field" /tmp/f || {
                    t "get-feature $fid, select $sel" cat /tmp/f /dev/null/x
                    continue
                }
        done
        t "get-feature $fid" nvme get-feature $dev -f $fid -n 1 -H
    else
        skip "get-feature $fid" "not offered"
    fi
done
t "set-feature: temperature threshold, saved" nvme set-feature $dev -f 4 -V 0x150 -s
t "get-feature: the saved one" sh -c "nvme get-feature $dev -f 4 -s 2 | grep -qi 0x0*150"
t "set-feature: arbitration" nvme set-feature $dev -f 1 -V 0x03020106
t "get-feature: arbitration" sh -c "nvme get-feature $dev -f 1 | grep -qi 0x0*3020106"
tf "set-feature of what is not there" nvme set-feature $dev -f 0x79 -V 1
t "host-mem or timestamp: set-feature 0eh" sh -c "printf '\\001\\002\\003\\004\\005\\000\\000\\000' \
    >/tmp/ts && nvme set-feature $dev -f 0x0e -l 8 -d /tmp/ts"
t "timestamp runs" sh -c "nvme get-feature $dev -f 0x0e -H"

# ---- NVM commands ----
t "write" nvme write $ns -s 64 -c 7 -z 4096 -d /tmp/b
t "read" sh -c "nvme read $ns -s 64 -c 7 -z 4096 -d /tmp/r && cmp /tmp/r /tmp/b"
t "compare, the same" nvme compare $ns -s 64 -c 7 -z 4096 -d /tmp/b
tf "compare, another" sh -c "tail -c 4096 /tmp/a >/tmp/c; nvme compare $ns -s 64 -c 7 -z 4096 -d /tmp/c"
t "verify" nvme verify $ns -s 64 -c 7
t "flush" nvme flush $dev -n 1
t "copy" nvme copy $ns --sdlba=128 --slbs=64 --blocks=7
t "copy: the data" sh -c "nvme read $ns -s 128 -c 7 -z 4096 -d /tmp/r && cmp /tmp/r /tmp/b"
t "write-zeroes" nvme write-zeroes $ns -s 64 -c 7
t "write-zeroes: zeroes" sh -c "nvme read $ns -s 64 -c 7 -z 4096 -d /tmp/r && cmp -n 4096 /tmp/r /dev/zero"
t "write-zeroes, deallocating" nvme write-zeroes $ns -s 128 -c 7 --deac
t "write-uncor" nvme write-uncor $ns -s 64 -c 7
tf "write-uncor: a read fails" nvme read $ns -s 64 -c 0 -z 512 -d /tmp/r
t "write-uncor: a write heals" nvme write $ns -s 64 -c 7 -z 4096 -d /tmp/b
t "write-uncor: it reads" nvme read $ns -s 64 -c 7 -z 4096 -d /tmp/r
t "dsm, deallocate" nvme dsm $ns --ad --slbs=64 --blocks=8
t "dsm, hints only" nvme dsm $ns --idw --slbs=64 --blocks=8
t "blkdiscard" blkdiscard $ns
t "blkdiscard --zeroout" blkdiscard --zeroout $ns
t "read with FUA and limited retry" nvme read $ns -s 0 -c 0 -z 512 -d /tmp/r --force-unit-access \
    --limited-retry
t "admin-passthru (identify)" nvme admin-passthru $dev --opcode=6 --cdw10=1 --data-len=4096 -r
t "io-passthru (flush)" nvme io-passthru $ns --opcode=0 --namespace-id=1
tf "io-passthru of an unknown opcode" nvme io-passthru $ns --opcode=0x7e --namespace-id=1

# ---- what takes its time ----
idle() { nvme self-test-log $dev | grep -q "Current operation *: 0\$"; }
t "device-self-test, short" nvme device-self-test $dev -s 1 -n 1
t "device-self-test: it ends" wait_for 60 idle
t "device-self-test: no error" sh -c "nvme self-test-log $dev | grep -q 'Operation Result *: 0$'"
t "device-self-test, extended" nvme device-self-test $dev -s 2 -n 0xffffffff
t "device-self-test, abort" nvme device-self-test $dev -s 0xf -n 0xffffffff
t "device-self-test: aborted" sh -c "nvme self-test-log $dev | grep -q 'Operation Result *: 0x1$'"
# SOS, of bits 2:0, is 1 or 4; bit 3 is the first of the passes done.
sane() { nvme sanitize-log $dev | grep -qi "SSTAT.*: *0x[0-9a-f]*[149c]$\|(SSTAT) *: *0x[0-9a-f]*[149c]$"; }
verify "data before sanitize" $ns
for act in "block erase:2" "overwrite:3 -p 0x5a5a5a5a -n 1" "crypto erase:4"; do
    t "sanitize, ${act%%:*}" nvme sanitize $dev -a ${act#*:}
    t "sanitize, ${act%%:*}: it ends" wait_for 60 sane
done
t "sanitize: the namespace works" wait_for 10 dd if=/dev/zero of=$ns bs=4096 count=4 oflag=direct
t "format, secure erase" nvme format $ns -s 1 -f

# ---- firmware ----
old=$(id fr)
t "fw-download" nvme fw-download $dev --fw=/usr/share/fw.img
t "fw-commit, replaced and active at the next reset" nvme fw-commit $dev -s 2 -a 1
t "fw-log: it is there" sh -c "nvme fw-log $dev | grep -q WALK-2.0"
t "fw-log: the old one runs" test "$(id fr)" = "$old"
t "nvme reset" nvme reset $dev
t "fw-activate: the new one runs" sh -c "nvme id-ctrl $dev | grep -q '^fr .*WALK-2.0'"
t "fw-commit, at once" nvme fw-commit $dev -s 1 -a 3
fr_is() { [ "$(id fr)" = "$old" ]; }
t "fw-commit, at once: it runs" wait_for 10 fr_is

# ---- others ----
t "security-recv, protocols" nvme security-recv $dev -p 0 -s 0 -x 512 -t 0
if has oacs 5; then
    t "dir-receive: identify" nvme dir-receive $ns -D 0 -O 1 -l 4096 -H
fi
if has oacs 10; then
    t "lockdown: set-feature 84h" nvme lockdown $dev --ofi=0x84 --scp=2 --prhbt=1 --ifc=0
    tf "lockdown: it is refused" nvme set-feature $ns -f 0x84 -V 1
    t "lockdown: allowed again" nvme lockdown $dev --ofi=0x84 --scp=2 --prhbt=0 --ifc=0
    t "lockdown: it works again" nvme set-feature $ns -f 0x84 -V 0
fi
t "ns-rescan" nvme ns-rescan $dev
t "error-log counts what failed" sh -c "nvme error-log $dev -e 8 | grep -q 'error_count *: *[1-9]'"
nvme subsystem-reset $dev >/dev/null 2>&1
up() { nvme id-ctrl $dev; }
nvme reset $dev >/dev/null 2>&1
t "subsystem-reset: it comes back" wait_for 20 up
t "subsystem-reset: I/O works" wait_for 10 dd if=/dev/zero of=$ns bs=4096 count=4 oflag=direct
verify "fio verify at the end" $ns
