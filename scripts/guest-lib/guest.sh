# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by every script that runs inside a guest. One line of output is one
# message to the host:
#   T ok NAME | T not ok NAME -- WHY   a check
#   T skip NAME -- WHY
#   H COMMAND                          a request; the host answers with one line
#   X STATUS                           the script ended (written by init)
#   F NAME, base64 lines, E NAME       a file for the host
# Everything else is free text that is kept in the log.

LOG=/tmp/out
# The shell prefers its own applet, which has no -z.
blkdiscard() { /usr/bin/blkdiscard "$@"; }

# t NAME COMMAND...: one check; the end of the output explains a failure.
t() {
    local name=$1 rc why
    shift
    ("$@") >$LOG 2>&1
    rc=$?
    if [ $rc = 0 ]; then
        echo "T ok $name"
        return 0
    fi
    why=$(tail -n 3 $LOG | tr '\n\r' '; ' | cut -c1-300)
    echo "T not ok $name -- status $rc: $why"
    sed 's/^/  | /' $LOG | tail -n 30
    return 1
}

# tf NAME COMMAND...: a check that the command fails (not by a signal).
tf() {
    local name=$1 rc
    shift
    ("$@") >$LOG 2>&1
    rc=$?
    if [ $rc != 0 ] && [ $rc -lt 124 ]; then
        echo "T ok $name"
        return 0
    fi
    echo "T not ok $name -- status $rc where a failure was expected"
    return 1
}

skip() { echo "T skip $1 -- $2"; }

# host COMMAND...: ask the host for something; its answer goes to stdout, and
# the status is 1 when it begins with "error". Works inside $( ) and t.
host() {
    local answer
    echo "H $*" >"$GUEST_TTY"
    read -r answer <"$GUEST_TTY"
    echo "$answer"
    case $answer in error*) return 1 ;; esac
}

# wait_for SECONDS COMMAND...: poll until the command succeeds.
wait_for() {
    local n=$(($1 * 10))
    shift
    while [ $n -gt 0 ]; do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
        n=$((n - 1))
    done
    echo "timed out waiting for: $*"
    return 1
}

present() { [ -b "$1" ]; }
gone() { [ ! -e "$1" ]; }

# send_file PATH: hand a file to the host.
send_file() {
    echo "F ${1##*/}"
    base64 "$1"
    echo "E ${1##*/}"
}

# pci_of nvme0: its PCI address.
pci_of() { basename "$(readlink -f "/sys/class/nvme/$1/device")"; }

# verify NAME DEVICE [fio options...]: random writes, then read back and check.
verify() {
    local name=$1 dev=$2
    shift 2
    t "$name" timeout 60 fio --eta=never --name=v --filename="$dev" --direct=1 \
        --ioengine=libaio --iodepth=16 --rw=randwrite --bs=4k --size=8m \
        --verify=crc32c --verify_fatal=1 --verify_dump=0 --end_fsync=1 \
        --output=/tmp/fio.out "$@"
}

# fs_copy NAME DEVICE: file system, files, checksums, and once more after
# everything was dropped from the caches.
fs_copy() {
    local name=$1 dev=$2
    _fs_copy() {
        set -e
        mkfs.ext4 -q -F "$1"
        mkdir -p /mnt/fs
        mount "$1" /mnt/fs
        dd if=/dev/urandom of=/tmp/blob bs=64k count=64 2>/dev/null
        mkdir /mnt/fs/d
        cp /tmp/blob /mnt/fs/blob
        cp -r /lib/guest /mnt/fs/d/
        sync
        (cd /mnt/fs && find . -type f | sort | xargs sha256sum) >/tmp/sums
        grep -q "$(sha256sum </tmp/blob | cut -d' ' -f1)" /tmp/sums
        umount /mnt/fs
        echo 3 >/proc/sys/vm/drop_caches
        mount "$1" /mnt/fs
        (cd /mnt/fs && sha256sum -c /tmp/sums)
        umount /mnt/fs
        e2fsck -fn "$1"
        rm -f /tmp/blob
    }
    t "$name" _fs_copy "$dev"
}

# clean_log [PATTERN]: the kernel complained of nothing, but for PATTERN.
clean_log() {
    t "the kernel log is clean" sh -c "! dmesg | grep -E \
'nvme.*(timeout|abort|frozen|dead|Removing|failed|fatal)|I/O error|critical|BUG:|WARNING:|Oops|DMAR:.*fault|blocked for|AER: .*error' |
        grep -Ev '${1:-^\$}'"
}
