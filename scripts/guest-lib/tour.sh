# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside the guest of scripts/run.
dev=/dev/nvme0 ns=/dev/nvme0n1
step() { echo "S $*"; }

t "the namespace $ns is there" wait_for 10 present $ns || exit 1

step "nvme list"
nvme list
step "nvme id-ctrl $dev (its first lines)"
t "nvme id-ctrl" nvme id-ctrl $dev && head -n 18 $LOG
step "nvme show-regs $dev"
t "nvme show-regs" nvme show-regs $dev && sed -n 1,12p $LOG

step "mkfs, mount, copy, checksums, unmount, mount, compare, fsck"
fs_copy "a file copy survives a remount, checksums equal" $ns

step "fio: 4 KiB random writes, queue depth 32, then every block is verified"
verify "fio finds every block as it was written" $ns --iodepth=32 --size=32m \
    --output-format=json
send_file /tmp/fio.out

step "fio: 4 KiB random reads, queue depth 32, 3 seconds"
t "fio reads" fio --name=r --filename=$ns --direct=1 --ioengine=libaio \
    --iodepth=32 --rw=randread --bs=4k --size=32m --runtime=3 --time_based \
    --output-format=json --output=/tmp/fio-read.out
send_file /tmp/fio-read.out

clean_log
